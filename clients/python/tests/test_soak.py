"""Workers of both kinds on one file, while they are stopped, stopped twice and killed."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import smolwf

from .test_programs import CLIENT, environment

RUNS = 60


def await_handlers(worker: subprocess.Popen[str]) -> None:
    """Waits until a worker listens for SIGTERM: before that, a signal just ends its process."""
    caught = 0
    while worker.poll() is None and not caught >> (signal.SIGTERM - 1) & 1:
        status = Path(f"/proc/{worker.pid}/status").read_text()
        caught = int(status.partition("SigCgt:")[2].split()[0], 16)
        time.sleep(0.005)  # nothing tells of it


class Fleet:
    """A worker of each kind, with a new one for each that is ended."""

    def __init__(self, path: Path, ledger: Path) -> None:
        self._arguments = [str(path), str(ledger)]
        self.killed: set[int] = set()
        self.running = {kind: self._start(kind) for kind in ("threads", "asyncio")}

    def _start(self, kind: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.soak_worker", *self._arguments, kind],
            cwd=CLIENT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def end(self, kind: str, *signals: int) -> None:
        worker = self.running.pop(kind)
        if signal.SIGKILL in signals:
            self.killed.add(worker.pid)
        else:
            await_handlers(worker)
        for each in signals:
            worker.send_signal(each)
        said, _ = worker.communicate(timeout=60)
        if signal.SIGKILL not in signals:
            assert (said, worker.returncode) == ("", 0)

    def replace(self, kind: str, *signals: int) -> None:
        self.end(kind, *signals)
        self.running[kind] = self._start(kind)


def lines_of(ledger: Path) -> list[str]:
    return ledger.read_text().splitlines() if ledger.exists() else []


def test_every_run_ends_and_nothing_is_paid_twice_but_what_a_kill_cut_off(tmp_path: Path) -> None:
    path, ledger = tmp_path / "soak.db", tmp_path / "ledger"
    with smolwf.Store.open(path) as store:
        fleet = Fleet(path, ledger)
        run = {"workflow": "tree", "max_tries": 1_000, "backoff_initial_ms": 1}
        runs = store.submit_many({**run, "backoff_max_ms": 20} for _ in range(RUNS))
        for run_id in runs:
            store.signal(run_id, "go")
        ends = [(signal.SIGTERM,), (signal.SIGKILL,), (signal.SIGTERM,), (signal.SIGKILL,)]
        seen = 0
        for at, signals in enumerate(ends * 2):
            # The workers of this round have begun: a look each time something has changed.
            goal = min(len(lines_of(ledger)) + 15, RUNS * 4)
            while len(lines_of(ledger)) < goal:
                seen = store.wait(seen, 1_000) or seen
            fleet.replace(("threads", "asyncio")[(at // 2) % 2], *signals)
        for run_id in runs:
            ended = store.wait_run(run_id, 120_000)
            assert ended is not None, store.run(run_id)
            assert (ended["state"], ended["result"]) == ("completed", "done")
        fleet.end("threads", signal.SIGTERM, signal.SIGTERM)
        fleet.end("asyncio", signal.SIGINT)
    paid_by: dict[str, list[int]] = defaultdict(list)
    for line in lines_of(ledger):
        worker, _, what = line.partition(" ")
        paid_by[what].append(int(worker))
    assert len(paid_by) == RUNS * 4
    for what, workers in paid_by.items():
        assert set(workers[:-1]) <= fleet.killed, (what, workers, fleet.killed)
        assert len(set(workers)) == len(workers), (what, workers)


def test_a_full_queue_outlives_workers_that_are_killed_again_and_again(tmp_path: Path) -> None:
    path, ledger = tmp_path / "full.db", tmp_path / "ledger"
    with smolwf.Store.open(path) as store:
        ids = store.submit_many({"workflow": "leaf", "max_tries": 1_000} for _ in range(300))
        fleet = Fleet(path, ledger)
        seen = 0
        for goal in (40, 80, 120, 160):
            while len(lines_of(ledger)) < goal:
                seen = store.wait(seen, 1_000) or seen
            fleet.replace(random.choice(["threads", "asyncio"]), signal.SIGKILL)
        states = set()
        for run_id in ids:
            ended = store.wait_run(run_id, 120_000)
            assert ended is not None, store.run(run_id)
            states.add(ended["state"])
        assert states == {"completed"}
        for kind in list(fleet.running):
            fleet.end(kind, signal.SIGTERM)
