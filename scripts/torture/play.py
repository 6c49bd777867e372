"""Workers in five languages at one store, killed, stopped and given trouble, as long as is said.

    play.py <programs> <seconds>    plays rounds; a round is a store of its own
    play.py <programs> prove        shows that the judge finds what is wrong

<programs> is the folder in which scripts/torture-workers.sh has built the workers.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from gang import Ended
from prove import prove
from round import Broken, Round
from trouble import ROOT_ONLY, TROUBLES, Trouble, own_disk
from witness import languages, shared_runs, stale_facts

import smolwf

REPOSITORY = Path(__file__).parents[2]
WORKERS = REPOSITORY / "tests/torture_workers"
#: of a trouble, in a run that is long; and how many a round has
TROUBLE_SECONDS, TROUBLES_PER_ROUND = 10.0, 6
FAULTS_SHOWN = 8


def commands_of(programs: Path) -> dict[str, list[str]]:
    commands = {
        "c": [str(programs / "worker-c")],
        "cpp": [str(programs / "worker-cpp")],
        "python": [sys.executable, str(WORKERS / "worker.py")],
    }
    if (programs / "worker-go").exists():
        commands["go"] = [str(programs / "worker-go")]
    if os.environ.get("TORTURE_NODE"):
        commands["node"] = ["node", str(WORKERS / "worker.mjs")]
    return commands


def drawn(draws: random.Random, seconds: float) -> tuple[list[list[Trouble]], float]:
    """The troubles of each round, each once before any comes again, and how long one takes."""
    able = [each for each in TROUBLES if os.geteuid() == 0 or each not in ROOT_ONLY]
    if seconds <= 120:
        # One round that has all of them, and some time to begin and to end.
        return [draws.sample(able, len(able))], max(1.0, (seconds - 15) / len(able) * 0.7)
    rounds: list[list[Trouble]] = []
    bag: list[Trouble] = []
    for _ in range(int(seconds)):
        chosen: list[Trouble] = []
        while len(chosen) < TROUBLES_PER_ROUND:
            bag = bag or draws.sample(able, len(able))
            chosen.append(bag.pop())
        rounds.append(chosen)
    return rounds, TROUBLE_SECONDS


def say_what_is_wrong(played: Round, error: Exception) -> None:
    """The faults, a sentence each; beside the files of the round, what their runs went through."""
    print(f"FAILED, kept in {played.folder}:")
    if not isinstance(error, Broken):
        print(f"  {type(error).__name__}: {error}")
        return
    for fault in error.faults[:FAULTS_SHOWN]:
        print(f"  {fault.rule}: {fault.run}: {fault.sentence}")
    if len(error.faults) > FAULTS_SHOWN:
        print(f"  and {len(error.faults) - FAULTS_SHOWN} more")
    for run in {fault.run for fault in error.faults[:FAULTS_SHOWN] if fault.run}:
        facts = [fact for fact in played.facts() if fact.run == run]
        lines = ["facts:", *map(str, facts), "history:"]
        try:
            lines.append(json.dumps(played.store.history(run), indent=1))
        except smolwf.Error as why:
            lines.append(str(why))
        (played.folder / run).write_text("\n".join(lines))


def play_round(
    folder: Path, programs: Path, seed: str, troubles: list[Trouble], seconds: float
) -> Counter[str] | None:
    """What was counted, or None where something is wrong."""
    folder.mkdir()
    print(f"round {seed}: {', '.join(trouble.__name__ for trouble in troubles)}", flush=True)
    began = time.monotonic()
    with own_disk(folder / "disk") as disk:
        clock = str(programs / "clock.so")
        played = Round(commands_of(programs), clock, folder, disk, seed)
        try:
            content = played.play(troubles, seconds)
        except (Broken, Ended, smolwf.Error, subprocess.SubprocessError) as error:
            say_what_is_wrong(played, error)
            return None
        finally:
            played.end()
        facts = played.facts()
        counts = played.figures(content)
    counts["runs of many languages"] = shared_runs(facts)
    counts["facts of stale attempts"] = stale_facts(facts)
    for language, count in languages(facts).items():
        counts[f"facts {language}"] = count
    took = time.monotonic() - began
    print(
        f"  {counts['facts']} facts, {counts['runs']} runs, {counts['kills']} kills, {took:.0f} s"
    )
    return counts


def main(programs: Path, seconds: float) -> int:
    seed = int(os.environ.get("SMOLWF_SEED") or random.randrange(2**32))
    room = Path(tempfile.mkdtemp(prefix="torture"))
    print(f"{smolwf.library_path}, SMOLWF_SEED={seed}")
    if os.geteuid() != 0:
        print("skipped: torture: a full disk, without root")
    total: Counter[str] = Counter()
    rounds, failed = 0, 0
    all_drawn, each = drawn(random.Random(seed), seconds)
    until = time.monotonic() + seconds
    while not failed and (rounds == 0 or time.monotonic() < until) and rounds < len(all_drawn):
        folder = room / str(rounds + 1)
        counts = play_round(folder, programs, f"{seed}.{rounds}", all_drawn[rounds], each)
        if counts is None:
            failed = 1
            print(f"again: SMOLWF_SEED={seed} make torture")
        else:
            rounds += 1
            total += counts
            shutil.rmtree(folder)
    print(f"{rounds} rounds: " + ", ".join(f"{what} {total[what]}" for what in sorted(total)))
    if not failed:
        shutil.rmtree(room)
    print(f"torture: {rounds} passed, {failed} failed")
    return failed


if __name__ == "__main__":
    # Whoever ends this leaves no workers, and no disk of theirs, behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if sys.argv[2] == "prove":
        sys.exit(prove(commands_of(Path(sys.argv[1])), str(Path(sys.argv[1]) / "clock.so")))
    sys.exit(main(Path(sys.argv[1]), float(sys.argv[2])))
