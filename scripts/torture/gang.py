"""The workers: started, killed, stopped and gone on, asked to end, and started again."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple, Optional

#: how long a worker that was asked to end in order may take, its grace of 25 s included
END_SECONDS = 90
#: plans from which the lives of one round draw, so many for each
PLANS, PLANS_PER_LIFE = 60_000, 40
#: lease of a worker whose runs are taken over while it is stopped; else as long as it lives
SHORT_LEASE_MS = 1000


class Ended(Exception):
    """A worker that ended though nobody told it to, or not as it was told."""


class Paths(NamedTuple):
    """Where a round has its files."""

    store: Path
    witness: Path
    plans: Path
    #: of the clock that workers see, in nanoseconds
    offset: Path
    logs: Path


class Worker:
    """One place in the gang: a language, and the process that has it now."""

    def __init__(self, language: str, command: list[str]) -> None:
        self.language, self.command = language, command
        self.process: Optional[subprocess.Popen[bytes]] = None
        self.log = Path()
        #: when a process that is stopped goes on
        self.stopped_until = 0.0
        #: it may end by itself: begun while there was trouble, it may not have opened the store
        self.is_excused = False
        self.is_ending = False
        #: its runs are its own for as long as it lives
        self.holds_on = False

    def poll(self) -> Optional[int]:
        return None if self.process is None else self.process.poll()

    def send(self, which: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(which)

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-12:])


class Gang:
    """One worker of each language, on one store."""

    def __init__(self, commands: dict[str, list[str]], paths: Paths, draws: random.Random) -> None:
        self.workers = [Worker(language, command) for language, command in commands.items()]
        self.paths, self.draws = paths, draws
        self.counts: Counter[str] = Counter()
        self.lives = 0
        #: those that are begun now are excused
        self.is_excused = False
        self.preload = ""
        self.heard: set[int] = set()
        self.heard_up_to = 0
        #: workers that lived with such leases until they ended in order
        self.held_on: set[str] = set()

    # ---- one worker

    def start(self, worker: Worker, submits: bool = True) -> None:
        self.lives += 1
        self.counts[f"lives {worker.language}"] += 1
        first = min(self.lives * PLANS_PER_LIFE, PLANS) if submits else PLANS
        lease = self.draws.choice([0, SHORT_LEASE_MS, SHORT_LEASE_MS])
        worker.holds_on = lease == 0
        words = [*worker.command, self.paths.store, self.paths.plans, first, lease]
        worker.log = self.paths.logs / f"{self.lives}-{worker.language}.log"
        environment = {
            **os.environ,
            "TORTURE_WITNESS": str(self.paths.witness),
            "TORTURE_OFFSET": str(self.paths.offset),
            "LD_PRELOAD": self.preload,
        }
        with worker.log.open("ab") as log:
            worker.process = subprocess.Popen(
                [str(word) for word in words], stdout=log, stderr=log, env=environment
            )
        worker.is_ending, worker.stopped_until = False, 0.0
        worker.is_excused = self.is_excused

    def kill(self, worker: Worker) -> None:
        """At any instant, also while it is stopped."""
        self.look(worker)
        if worker.process is not None:
            worker.process.kill()
            worker.process.wait()
            worker.process = None
            self.counts["kills"] += 1

    def stop(self, worker: Worker, seconds: float) -> None:
        if worker.stopped_until == 0.0 and worker.poll() is None:
            worker.send(signal.SIGSTOP)
            worker.stopped_until = time.monotonic() + seconds
            self.counts["stops"] += 1

    def go_on(self, worker: Worker) -> None:
        worker.send(signal.SIGCONT)
        worker.stopped_until = 0.0

    def end(self, worker: Worker) -> None:
        """Asks it to end; it is waited for by those who look."""
        if not worker.is_ending:
            self.go_on(worker)
            worker.send(signal.SIGTERM)
            worker.is_ending = True
            self.counts["ends"] += 1

    def look(self, worker: Worker) -> None:
        """Forgets one that has ended, which it may have for good reasons only."""
        status = worker.poll()
        if status is None:
            return
        name = f"{worker.language}.{worker.process.pid}" if worker.process else ""
        worker.process = None
        if worker.is_ending and worker.holds_on and status == 0:
            self.held_on.add(name)
        if worker.is_excused:
            self.counts["gave up"] += status != 0
        # One that has hardly begun does not listen yet.
        elif not worker.is_ending or status not in (0, -signal.SIGTERM):
            raise Ended(f"the worker in {worker.language} ended with {status}:\n{worker.tail()}")

    # ---- all of them

    def tend(self) -> None:
        """Starts those that are gone, and lets those go on whose time has come."""
        for worker in self.workers:
            self.look(worker)
            if worker.stopped_until and time.monotonic() > worker.stopped_until:
                self.go_on(worker)
            if worker.process is None:
                self.start(worker)

    def hear(self) -> None:
        """Takes down who has noted a fact."""
        with self.paths.witness.open("rb") as facts:
            facts.seek(self.heard_up_to)
            new = facts.read()
        self.heard_up_to += len(new)
        self.heard.update(int(pid) for pid in re.findall(rb"\.([0-9]+)\t\.", new))

    def weight(self, worker: Worker) -> int:
        """Who has hardly begun would be killed again and again before anything is done."""
        return 8 if worker.process is not None and worker.process.pid in self.heard else 1

    def disturb(self, long: bool) -> None:
        """Does something to one of them, now and then to all."""
        how = self.draws.choices(["kill", "stop", "end", "all"], [48, 40, 9, 3])[0]
        self.hear()
        worker = self.draws.choices(self.workers, [self.weight(each) for each in self.workers])[0]
        if how == "kill":
            self.kill(worker)
        elif how == "stop":
            self.stop(worker, self.draws.choice([0.05, 1.6, 2.5, 7.0 if long else 1.6]))
        elif how == "end":
            self.end(worker)
        else:
            self.kill_all()

    def play(self, seconds: float, long: bool = False) -> None:
        """Nobody is stopped after it: who is may hold the turn to write, and nobody looks on."""
        until = time.monotonic() + seconds
        try:
            while time.monotonic() < until:
                self.tend()
                time.sleep(self.draws.uniform(0.05, 0.7))
                self.disturb(long)
        finally:
            for worker in self.workers:
                self.go_on(worker)

    def kill_all(self) -> None:
        for worker in self.workers:
            self.kill(worker)

    def end_all(self) -> None:
        for worker in self.workers:
            self.end(worker)
        until = time.monotonic() + END_SECONDS
        for worker in self.workers:
            if worker.process is not None:
                try:
                    worker.process.wait(max(0.1, until - time.monotonic()))
                except subprocess.TimeoutExpired:
                    raise Ended(f"the worker in {worker.language} does not end") from None
                self.look(worker)

    def abandon(self) -> None:
        """Leaves no process behind, whatever has happened."""
        for worker in self.workers:
            if worker.process is not None and worker.process.poll() is None:
                worker.process.kill()
                worker.process.wait()
            worker.process = None
