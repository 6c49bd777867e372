"""Plays the example: runs whose parts are done in four languages, on one file, while the processes
are killed at random and started again.

usage: run.py database count shout release.js
(the programs count and shout as built, release.js as compiled)
"""

from __future__ import annotations

import pathlib
import random
import subprocess
import sys
import time

import smolwf
from smolwf.documents import StepRecord

RUNS = 30
WORDS = ["Durable", "In", "Every", "Language"]
RESULT = {"count": 4, "shout": "DURABLE IN EVERY LANGUAGE", "released_by": "node"}
HERE = pathlib.Path(__file__).parent


def expect(is_so: bool, otherwise: str) -> None:
    if not is_so:
        sys.exit(otherwise)


class Gang:
    """The processes, each of which is started again when it is killed."""

    def __init__(self, commands: dict[str, list[str]]) -> None:
        self.commands = commands
        self.kills = dict.fromkeys(commands, 0)
        self.processes = {name: subprocess.Popen(command) for name, command in commands.items()}

    def kill(self, name: str) -> None:
        self.processes[name].kill()
        self.processes[name].wait()
        self.kills[name] += 1
        self.processes[name] = subprocess.Popen(self.commands[name])

    def end(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()


def steps_of(store: smolwf.Store, run_id: str) -> list[StepRecord]:
    return [step for step in store.history(run_id)["steps"] if step["input_hash"]]


def ids_of(store: smolwf.Store, run_ids: list[str]) -> dict[str, str]:
    """The ids of the steps recorded so far."""
    return {run_id: step["step_id"] for run_id in run_ids for step in steps_of(store, run_id)}


def play(store: smolwf.Store, gang: Gang, run_ids: list[str]) -> dict[str, str]:
    """Kills one process after another until all runs have ended; returns ids seen on the way."""
    seen: dict[str, str] = {}
    while True:
        ended = sum(store.run(run_id)["state"] == "completed" for run_id in run_ids)
        if ended == RUNS and all(gang.kills.values()):
            return seen
        for name in random.sample(sorted(gang.commands), len(gang.commands)):
            time.sleep(random.uniform(0.1, 0.4))  # a random moment of its life
            gang.kill(name)
            seen.update(ids_of(store, run_ids))
        time.sleep(1.5)  # a process that is killed before it has begun does nothing


def check(store: smolwf.Store, run_ids: list[str], seen: dict[str, str]) -> None:
    hashes = set()
    for run_id in run_ids:
        expect(store.run(run_id)["result"] == RESULT, f"{run_id} came to something else")
        history = store.history(run_id)
        expect(len(history["signals"]) == 1, f"{run_id} has {len(history['signals'])} signals")
        children = [child["run_id"] for child in history["children"]]
        expect(len(children) == 2, f"{run_id} has {len(children)} children")
        for one in [run_id, *children]:
            steps = steps_of(store, one)
            expect(len(steps) == 1, f"{one} has {len(steps)} steps")
            expect(steps[0]["state"] == "completed", f"a step of {one} is {steps[0]['state']}")
            expect(seen.get(one, steps[0]["step_id"]) == steps[0]["step_id"], "an id has changed")
            hashes.add(steps[0]["input_hash"])
    expect(len(hashes) == 1, f"one input has {len(hashes)} hashes")


def main(path: str, count: str, shout: str, release: str) -> None:
    with smolwf.Store.open(path) as store:
        items = [{"workflow": "report", "queue": "python", "args": WORDS} for _ in range(RUNS)]
        run_ids = [str(run_id) for run_id in store.submit_many(items)]
        print(f"Python submitted {RUNS} runs")
        gang = Gang(
            {
                "python": [sys.executable, str(HERE / "orchestrate.py"), path],
                "c++": [count, path],
                "go": [shout, path],
                "node": ["node", release, path, *run_ids],
            }
        )
        try:
            seen = play(store, gang, run_ids)
        finally:
            gang.end()
        print("C++ counted, Go shouted, Node released, Python joined; each was killed and went on")
        check(store, run_ids, seen)
        print("every step was recorded once, under one id and one input hash in all languages")
        print("every signal was delivered once")
        kills = ", ".join(f"{name} {times}" for name, times in sorted(gang.kills.items()))
        print(f"# kills: {kills}")


if __name__ == "__main__":
    main(*sys.argv[1:])
