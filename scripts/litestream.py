"""A store under full load is replicated by Litestream, while workers and Litestream are killed.

    litestream.py <litestream> <seconds> [<folder>]      plays rounds of up to five minutes
    litestream.py work <store> <facts> <name> [drain]    is a worker, which such a round kills

A round loads a store and kills its workers, Litestream, or both, again and again; at its end all
of them. The replica is restored in the store's place. The file must be whole. What was acknowledged
before the last `litestream sync -wait` must be there, and what is missing may only be the end of
what was acknowledged. Then workers finish what is open, what was running too, beside Litestream;
all is stopped in order and restored once more, and nothing may be missing.

Each start of Litestream makes a replica of its own, as docs/OPERATE.md has it: one that goes on
from an earlier start may miss what was written in between, which rounds of minutes find.

What is acknowledged is noted outside of the store, each fact in one synced write, with the moments
between which it was done. What was over before another began was committed before it.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

import smolwf
from smolwf import documents

PROCESSES = 2
THREADS = 3
STEPS_MAX = 6
#: so long that only the death of its owner gives a run back
LEASE_MS = 3_600_000
ROUND_SECONDS = 300
#: how long what should come at once is waited for before it is a failure
PATIENCE_SECONDS = 120
#: seconds between two kills, at most
KILL_SECONDS = 4
#: of what a thread does, so often it makes the file grow and shrink
WASTE_EVERY = 64
#: open runs that are left to be claimed, per thread
OPEN_PER_THREAD = 4

CONFIG = """\
socket:
  enabled: true
  path: {socket}
levels:
  - interval: 5s
  - interval: 30s
snapshot:
  interval: 1m
  retention: 1h
l0-retention: 1m
logging:
  level: debug
dbs:
  - path: {store}
    replica:
      type: file
      path: {replica}
      sync-interval: 250ms
    monitor-interval: 250ms
"""


class Lost(Exception):
    """A promise that was broken."""


# ---- the worker that is killed --------------------------------------------------------------


class Fact(NamedTuple):
    """What somebody was told is stored: in the order of these moments, of one clock for all."""

    began: int
    ended: int
    kind: str
    key: str
    name: str
    value: str


class Facts:
    """Facts of one process, in a file that is appended to and synced with each."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_DSYNC, 0o600)

    def note(self, began: int, kind: str, key: str, name: str = "", value: str = "") -> None:
        fact = Fact(began, time.monotonic_ns(), kind, key, name, value)
        os.write(self._file, (json.dumps(fact) + "\n").encode())


def read_facts(folder: Path) -> Iterator[Fact]:
    """All facts; one whose writing was cut short is none: nothing came of it."""
    for path in sorted(folder.iterdir()):
        for line in path.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                yield Fact(*json.loads(line))


def result_of(token: str) -> dict[str, str]:
    """What a step or run comes to: told from its token, now and then more than a page."""
    drawn = zlib.crc32(token.encode())
    size = 20_000 if drawn % 50 == 0 else drawn % 700
    return {"token": token, "pad": (token * (size // len(token) + 1))[:size]}


class Worker:
    """Submits runs and does them, a thread, until it is told to drain or is killed."""

    def __init__(self, store: smolwf.Store, facts: Facts, name: str, drains: bool) -> None:
        self.store, self.facts, self.name, self.drains = store, facts, name, drains
        self.count = 0

    def token(self) -> str:
        self.count += 1
        return f"{self.name}.{self.count}"

    def run(self, stopped: threading.Event) -> None:
        if not self.drains:
            for _ in range(OPEN_PER_THREAD):
                self.submit()
        while not stopped.is_set():
            attempt = self.store.claim(workflows=["load"], lease_ms=LEASE_MS)
            if attempt is not None:
                self.live(attempt)
            elif self.drains:
                return
            if not self.drains:
                self.submit()
                if self.count % WASTE_EVERY == 0:
                    self.waste()

    def waste(self) -> None:
        """Has the file grow and shrink: what is submitted here is gone again, its pages too."""
        # Text that repeats itself would be packed to nothing.
        self.store.cancel(self.store.submit("waste", secrets.token_urlsafe(225_000)))
        self.store.prune(workflow="waste")
        self.store.compact()

    def submit(self) -> None:
        key, began = self.token(), time.monotonic_ns()
        self.store.submit("load", {"key": key}, idempotency_key=key)
        self.facts.note(began, "submit", key)

    def live(self, attempt: smolwf.Attempt) -> None:
        key = attempt.args["key"]
        with attempt:
            for at in range(zlib.crc32(key.encode()) % (STEPS_MAX + 1)):
                self.step(attempt, key, f"step {at}")
            token, began = self.token(), time.monotonic_ns()
            attempt.complete(result_of(token))
            self.facts.note(began, "end", key, "", token)

    def step(self, attempt: smolwf.Attempt, key: str, name: str) -> None:
        token, began = self.token(), time.monotonic_ns()
        with attempt.step_begin(name) as step:
            if step.is_todo:
                step.complete(result_of(token))
                self.facts.note(began, "step", key, name, token)
            else:
                self.facts.note(began, "replay", key, name, step.result["token"])


def work(store: str, facts: str, name: str, drain: str = "") -> None:
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    noted = Facts(Path(facts) / name)
    with smolwf.Store.open(store) as opened:
        workers = [Worker(opened, noted, f"{name}.{at}", bool(drain)) for at in range(THREADS)]
        threads = [threading.Thread(target=each.run, args=[stopped]) for each in workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            # In slices: a signal is heard between them.
            while thread.is_alive():
                thread.join(0.1)


# ---- what is played -------------------------------------------------------------------------


class Process:
    """A program that is started, killed, and started again."""

    def __init__(self, what: str, log: Path) -> None:
        self.what, self.log = what, log
        self.running: Optional[subprocess.Popen[bytes]] = None

    def start(self, *command: object) -> None:
        with self.log.open("ab") as log:
            words = [str(word) for word in command]
            self.running = subprocess.Popen(words, stdout=log, stderr=log)

    def kill(self) -> None:
        """At any instant: it may have ended by itself only where that is no failure."""
        if self.running is not None:
            self.check()
            self.running.kill()
            self.running.wait()
            self.running = None

    def stop(self) -> None:
        if self.running is not None:
            self.check()
            self.running.terminate()
            # One that has hardly begun does not listen yet.
            self.end(0, -signal.SIGTERM)

    def end(self, *good: int) -> None:
        """Waits until it has ended in order."""
        if self.running is not None:
            status = self.running.wait(PATIENCE_SECONDS)
            self.running = None
            if status not in good:
                raise Lost(f"{self.what} ended with {status}:\n{self.tail()}")

    def check(self) -> None:
        if self.running is not None and self.running.poll() is not None:
            raise Lost(f"{self.what} ended by itself:\n{self.tail()}")

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])


class Round:
    """One store, its replica, and what is known of both."""

    def __init__(self, litestream: str, folder: Path, draws: random.Random) -> None:
        self.program, self.folder, self.draws = litestream, folder, draws
        self.facts = folder / "facts"
        self.live = folder / "live"
        for made in (self.facts, self.live):
            made.mkdir(parents=True)
        self.store = self.live / "app.db"
        # A socket's path is short.
        self.socket = Path(tempfile.mkdtemp(prefix="ls")) / "s"
        self.config = folder / "litestream.yml"
        self.replicas = 0
        self.litestream = Process("litestream", folder / "litestream.log")
        self.workers: list[Process] = []
        self.lives = 0
        self.kills = {"workers": 0, "litestream": 0, "all": 0, "stop": 0}
        self.log_bytes_max = 0
        self.synced_at = 0

    # -- its processes

    def start_litestream(self) -> None:
        """With nothing kept of an earlier start: what was written while none ran it may miss."""
        self.replicas += 1
        replica = self.folder / f"replica-{self.replicas}"
        told = CONFIG.format(socket=self.socket, store=self.store, replica=replica)
        self.config.write_text(told)
        shutil.rmtree(self.live / f".{self.store.name}-litestream", ignore_errors=True)
        self.litestream.start(self.program, "replicate", "-config", self.config)

    def start_workers(self, *, drains: bool = False) -> None:
        for _ in range(PROCESSES):
            self.lives += 1
            name = f"{self.lives}"
            worker = Process(f"worker {name}", self.folder / f"worker-{name}.log")
            chosen = ["drain"] if drains else []
            worker.start(sys.executable, __file__, "work", self.store, self.facts, name, *chosen)
            self.workers.append(worker)

    def kill_workers(self) -> None:
        for worker in self.workers:
            worker.kill()
        self.workers = []

    def stop_workers(self) -> None:
        for worker in self.workers:
            worker.stop()
        self.workers = []

    def end(self) -> None:
        """Leaves no process behind, whatever has happened."""
        for process in [*self.workers, self.litestream]:
            if process.running is not None:
                process.running.kill()
                process.running.wait()
        shutil.rmtree(self.socket.parent, ignore_errors=True)

    def pass_time(self, seconds: float) -> None:
        """Lets all of them work, and looks how long the log gets."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(min(0.1, seconds))
            try:
                size = Path(f"{self.store}-wal").stat().st_size
            except FileNotFoundError:
                continue
            self.log_bytes_max = max(self.log_bytes_max, size)
        for process in [*self.workers, self.litestream]:
            process.check()

    def ask(self, *words: object) -> str:
        """Calls Litestream for a moment; what it says when it fails."""
        command = [self.program, *(str(word) for word in words)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return f"litestream {words[0]}: {done.stderr}{done.stdout}" if done.returncode else ""

    # -- the load

    def play(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        self.start_workers()
        self.start_litestream()
        bag: list[str] = []
        while time.monotonic() < until:
            self.pass_time(self.draws.uniform(0.1, min(KILL_SECONDS, seconds / 5)))
            bag = bag or self.draws.sample(sorted(self.kills), len(self.kills))
            self.disturb(bag.pop())

    def disturb(self, how: str) -> None:
        """Ends the one, the other or both, and starts them again, one of them perhaps later."""
        self.kills[how] += 1
        if how == "stop":
            self.stop_workers()
        if how in ("workers", "all"):
            self.kill_workers()
        if how in ("litestream", "all"):
            self.litestream.kill()
        self.pass_time(self.draws.choice([0, 0.5]))
        starts: list[Callable[[], None]] = []
        if how != "litestream":
            starts.append(self.start_workers)
        if how in ("litestream", "all"):
            starts.append(self.start_litestream)
        self.draws.shuffle(starts)
        for start in starts:
            start()
            self.pass_time(self.draws.choice([0, 0.5]))

    def sync(self) -> None:
        """Has the replica brought up to now; what was acknowledged before must be in it."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            now = time.monotonic_ns()
            fault = self.ask("sync", "-wait", "-timeout", 60, "-socket", self.socket, self.store)
            if not fault:
                self.synced_at = now
                return
            if time.monotonic() > until:
                raise Lost(f"{fault}\n{self.litestream.tail()}")
            # It has just been started.
            time.sleep(0.1)

    # -- what is restored

    def restore(self, to: Path) -> float:
        """Makes the file that the replica has; how long that took."""
        began = time.monotonic()
        fault = self.ask("restore", "-config", self.config, "-o", to, self.store)
        if fault:
            raise Lost(fault)
        return time.monotonic() - began

    def lose(self) -> None:
        """The machine with the store is gone; what it had is kept to be looked at."""
        self.live.rename(self.folder / "lost")
        self.live.mkdir()


def token_of(result: Any, of: str) -> str:
    """Who wrote a result, which must be all that he wrote."""
    token = str(result and result.get("token"))
    if result != result_of(token):
        raise Lost(f"the result of {of} is not what {token} wrote")
    return token


class Content:
    """What a file holds: runs and their results, and those of steps."""

    def __init__(self, path: Path) -> None:
        with smolwf.Store.open(path, no_create=True) as store:
            found = store.check()
            if not found["ok"]:
                raise Lost(f"{path} is not whole: {found}")
            self.running = store.stats()["runs"]["running"]
            self.values: dict[tuple[str, str, str], str] = {}
            self.states: dict[str, str] = {}
            for run in store.list_runs(page_size=1000, workflow="load", include=["args", "result"]):
                self.read(store, run)

    def read(self, store: smolwf.Store, run: documents.ListedRun) -> None:
        key = run["args"]["key"]
        self.states[key] = run["state"]
        self.values["submit", key, ""] = ""
        if run["state"] == "completed":
            self.values["end", key, ""] = token_of(run["result"], key)
        for step in store.history(run["run_id"])["steps"]:
            name = step["name"]
            self.values["step", key, name] = token_of(step["result"], f"{name} of {key}")

    def open_runs(self) -> list[str]:
        return [key for key, state in self.states.items() if state != "completed"]


def hold(content: Content, facts: Sequence[Fact], synced_at: int) -> tuple[int, float]:
    """Holds what is there against what was acknowledged: all of it, but for an end that is
    missing whole, and was acknowledged after the last sync. How many facts that are, and how many
    seconds."""
    newest, missing = 0, []
    for fact in facts:
        kind = "step" if fact.kind == "replay" else fact.kind
        found = content.values.get((kind, fact.key, fact.name))
        if found == fact.value:
            # What is replayed may have been committed at any time before.
            newest = max(newest, fact.began if fact.kind != "replay" else 0)
        elif found is not None:
            raise Lost(f"there is {found} in place of {fact}")
        else:
            missing.append(fact)
    if not missing:
        return 0, 0
    first = min(missing, key=lambda fact: fact.ended)
    if first.ended < synced_at:
        raise Lost(f"missing, though it was acknowledged before the last sync: {first}")
    if first.ended < newest:
        raise Lost(f"a gap: {first} is missing, and what began later is there")
    return len(missing), (max(fact.ended for fact in facts) - first.began) / 1e9


def take_away(played: Round) -> list[Fact]:
    """Kills all of them at some instant after a sync, and takes the store away; what was
    acknowledged up to then."""
    played.sync()
    played.pass_time(played.draws.uniform(0, 2))
    played.kill_workers()
    played.litestream.kill()
    played.lose()
    return list(read_facts(played.facts))


def go_on(played: Round, before: Content) -> None:
    """Finishes all runs of the restored store, and holds what is restored of it then."""
    # What the lost store acknowledged and is missing is of no store any more.
    shutil.rmtree(played.facts)
    played.facts.mkdir()
    played.start_litestream()
    played.start_workers(drains=True)
    for worker in played.workers:
        worker.end(0)
    played.litestream.stop()
    again = played.folder / "again.db"
    played.restore(again)
    after, facts = Content(again), list(read_facts(played.facts))
    hold(after, facts, sys.maxsize)
    changed = [at for at, value in before.values.items() if after.values.get(at) != value]
    if changed or after.open_runs() or after.running:
        raise Lost(f"changed: {changed[:5]}, open: {after.open_runs()[:5]}, {after.running} run")
    replays = sum(fact.kind == "replay" for fact in facts)
    say(f"then {len(facts)} facts, {replays} of them replays, all of them in the replica")


def play_round(played: Round, seconds: float) -> None:
    began = time.monotonic()
    played.play(seconds)
    took = time.monotonic() - began
    acknowledged = take_away(played)
    ends = ", ".join(f"{how} {count}" for how, count in played.kills.items())
    say(f"{len(acknowledged)} facts, {len(acknowledged) / took:.0f} a second; ended: {ends}")
    whole = played.litestream.log.read_text(errors="replace").count("snap=true")
    say(f"the log had {played.log_bytes_max / 1e6:.1f} MB; {whole} syncs took the whole file")

    took = played.restore(played.store)
    content = Content(played.store)
    missing, span = hold(content, acknowledged, played.synced_at)
    say(f"restored in {took:.1f} s; missing: {missing} facts of the last {span:.2f} s")
    say(f"{content.running} attempts were running, {len(content.open_runs())} runs open")
    go_on(played, content)


def say(line: str) -> None:
    print(f"  {line}", flush=True)


def main(litestream: str, seconds: float, folder: Optional[str] = None) -> int:
    seed = int(os.environ.get("SMOLWF_SEED") or random.randrange(2**32))
    draws, passed, failed = random.Random(seed), 0, 0
    room = Path(tempfile.mkdtemp(prefix="litestream", dir=folder))
    print(f"{smolwf.library_path}, SMOLWF_SEED={seed}")
    left, until = seconds, time.monotonic() + seconds
    while left > 0 and not failed:
        print(f"round {passed + 1}:", flush=True)
        played = Round(litestream, room / str(passed + 1), draws)
        try:
            play_round(played, min(left, ROUND_SECONDS))
            passed += 1
            shutil.rmtree(played.folder)
        except (Lost, smolwf.Error, subprocess.TimeoutExpired) as error:
            failed = 1
            print(f"FAILED: round {passed + 1}, kept in {played.folder}: {error}")
        finally:
            played.end()
        left = until - time.monotonic()
    if not failed:
        shutil.rmtree(room)
    print(f"litestream: {passed} passed, {failed} failed")
    return failed


if __name__ == "__main__":
    if sys.argv[1] == "work":
        work(*sys.argv[2:])
    else:
        sys.exit(main(sys.argv[1], float(sys.argv[2]), *sys.argv[3:]))
