"""What befalls the store while workers are at it: full disks, foreign locks, clocks that jump."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from content import read_content
from fault import Fault
from gang import Ended
from judge import judge
from patience import patiently
from witness import read_facts

import smolwf

if TYPE_CHECKING:
    from round import Round

HERE = Path(__file__).parent
#: of the disk of a round that has one of its own
DISK_BYTES = 96 << 20
HOUR_NS = 3_600_000_000_000
#: waiting claimers, of which each process has so many threads
CROWD, CROWD_PROCESSES = 200, 5
CROWD_RUNS = 300
CROWD_MS = 120_000


def calm(of: Round, seconds: float) -> None:
    """Nothing but kills, stops and ends."""
    of.gang.play(seconds)


def long_stops(of: Round, seconds: float) -> None:
    """Also stops beyond the time-out of locks: whoever waits for one that is stopped is told so."""
    with excused(of):
        of.gang.play(seconds, long=True)


@contextmanager
def excused(of: Round) -> Iterator[None]:
    """Workers that begin meanwhile may end by themselves, as they open once; others outlast it."""
    of.gang.is_excused = True
    try:
        yield
    finally:
        of.gang.kill_all()
        of.gang.is_excused = False


def full(of: Round, seconds: float) -> None:
    """Takes all that is left of the disk, for a while, and gives it back."""
    filler = of.disk / "filler"
    with excused(of):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            of.gang.play(seconds / 6)
            fill(filler)
            of.gang.play(seconds / 6)
            filler.unlink()
            of.count("times full")
        of.gang.play(seconds / 4)


def fill(path: Path) -> None:
    """Writes until not a byte fits."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue


def small_files(of: Round, seconds: float) -> None:
    """No file of a worker may grow beyond a size, for a while: a full disk that needs no root."""
    with excused(of):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            of.gang.tend()
            limit_files(of, of.draws.choice([0, 60_000, 300_000]))
            of.gang.play(seconds / 8)
            limit_files(of, resource.RLIM_INFINITY)
            of.gang.play(seconds / 8)
            of.count("times limited")


def limit_files(of: Round, size: int) -> None:
    for worker in of.gang.workers:
        if worker.process is not None and worker.process.poll() is None:
            limits = (size, resource.RLIM_INFINITY)
            resource.prlimit(worker.process.pid, resource.RLIMIT_FSIZE, limits)


def read_only(of: Round, seconds: float) -> None:
    """Nothing can be written, for a while: workers that begin find that out, readers read on."""
    of.gang.kill_all()
    of.close()
    turn_read_only(of, True)
    try:
        with excused(of):
            of.gang.tend()
            time.sleep(min(seconds / 2, 1.5))
            with smolwf.Store.open(of.paths.store, read_only=True, init=False) as store:
                content = read_content(store)
    finally:
        of.gang.kill_all()
        turn_read_only(of, False)
        of.open()
    of.count("times read-only")
    of.hold(judge(read_facts(of.paths.witness), content, of.seen(), False))
    of.gang.play(seconds / 2)


def turn_read_only(of: Round, is_on: bool) -> None:
    if os.geteuid() == 0:
        how = "remount,bind,ro" if is_on else "remount,bind,rw"
        subprocess.run(["mount", "-o", how, str(of.disk)], check=True)
        return
    for path in of.disk.iterdir():
        path.chmod(0o400 if is_on else 0o600)
    of.disk.chmod(0o500 if is_on else 0o700)


def clock_jumps(of: Round, seconds: float) -> None:
    """The wall clock of all workers jumps, forward and back; that of this process does not."""
    for _ in range(4):
        hours = of.draws.choice([-30, -1, 0, 1, 30])
        of.set_clock(hours * HOUR_NS + of.draws.randrange(HOUR_NS))
        of.gang.play(seconds / 4)
        of.count("clock jumps")


LOCKER = """
import sqlite3, sys, time
store = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
store.execute(sys.argv[2])
time.sleep(float(sys.argv[3]))
store.execute("ROLLBACK")
"""


def foreign_lock(of: Round, seconds: float) -> None:
    """Another program holds the lock of SQLite for seconds; now and then it is killed with it."""
    with excused(of):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            how = of.draws.choice(["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
            length = of.draws.choice([0.3, 2.0, 6.5])
            words = [sys.executable, "-c", LOCKER, str(of.paths.store), how, str(length)]
            locker = subprocess.Popen(words)
            try:
                of.gang.play(length * of.draws.choice([0.5, 1.2]))
            finally:
                locker.kill()
                locker.wait()
            of.count("foreign locks")


def crowd(of: Round, seconds: float) -> None:
    """Two hundred claimers wait at one queue, threads of processes, one of which is killed: each
    run of it is done, by one of them."""
    words = [sys.executable, str(HERE / "crowd.py"), str(of.paths.store), str(of.paths.witness)]
    words += [str(CROWD // CROWD_PROCESSES)]
    processes = [subprocess.Popen(words) for _ in range(CROWD_PROCESSES)]
    try:
        of.gang.play(seconds / 2)
        items = [{"workflow": "crowd", "queue": "crowd", "max_tries": 1000}] * CROWD_RUNS
        run_ids = patiently(lambda: of.store.submit_many(items))
        processes[0].kill()
        for run_id in run_ids:
            if patiently(partial(of.store.wait_run, run_id, CROWD_MS)) is None:
                of.hold([of.stuck(run_id)])
        of.gang.play(seconds / 4)
        gone = [process.returncode for process in processes[1:] if process.poll() is not None]
        if gone:
            raise Ended(f"of the crowd there ended, with {gone}")
    finally:
        for process in processes:
            process.kill()
            process.wait()
    of.count("crowds")
    of.hold(crowd_faults(of, [str(run_id) for run_id in run_ids]))


def crowd_faults(of: Round, run_ids: list[str]) -> list[Fault]:
    """A run that was claimed twice was so because its first claimer was killed."""
    taken = [fact.run for fact in read_facts(of.paths.witness) if fact.kind == "taken"]
    faults = []
    for run in run_ids:
        attempts = of.store.history(run)["attempts"]
        states = [attempt["state"] for attempt in attempts]
        if states[-1] != "completed" or any(state != "lost" for state in states[:-1]):
            faults.append(Fault("crowd", run, f"its attempts are {states}"))
        if taken.count(run) > len(states):
            faults.append(Fault("crowd", run, f"taken {taken.count(run)} times"))
    return faults


def backup(of: Round, seconds: float) -> None:
    """A copy taken under load is whole, and has what was acknowledged before it was begun."""
    copy = of.paths.logs / "copy.db"
    for _ in range(2):
        meanwhile(of, seconds / 3, lambda: take_copy(of, copy))
        of.gang.play(seconds / 6)
        of.count("backups")


def take_copy(of: Round, copy: Path) -> None:
    for path in copy.parent.glob(f"{copy.name}*"):
        path.unlink()
    facts = read_facts(of.paths.witness)
    raises = dict(of.raises)
    patiently(lambda: of.store.backup(copy))
    # It may have more than was acknowledged, but nothing that was not asked for by its end.
    asked = [fact for fact in read_facts(of.paths.witness) if fact.kind in ("forking", "retrying")]
    facts = [fact for fact in facts if fact.kind not in ("forking", "retrying")] + asked
    with smolwf.Store.open(copy, no_create=True) as store:
        content = read_content(store)
    # In the copy, nobody holds a run: of one whose cancel was under way, nothing can be said.
    facts = [fact for fact in facts if fact.kind != "cancel"]
    of.hold(judge(facts, content, of.seen()._replace(raises=raises), False))


def prune(of: Round, seconds: float) -> None:
    """Runs of another workflow end and go, by hand and by a policy; what works stays."""

    def waste() -> None:
        until = time.monotonic() + seconds / 2
        while time.monotonic() < until:
            for _ in range(20):
                run_id = patiently(lambda: of.store.submit("chaff", "x" * 3000, queue="chaff"))
                patiently(partial(of.store.cancel, run_id))
            patiently(lambda: of.store.prune(workflow="chaff", limit=of.draws.randint(1, 15)))
            patiently(lambda: of.store.compact(50))
            of.count("prunes")

    patiently(lambda: of.store.retention_set(workflows={"chaff": {"cancelled_ms": 50}}))
    meanwhile(of, seconds, waste)
    of.store.retention_set()


def meanwhile(of: Round, seconds: float, work: Callable[[], None]) -> None:
    """Has workers killed and stopped while something else is done; what that throws goes on."""
    thrown: list[BaseException] = []

    def catch() -> None:
        try:
            work()
        except BaseException as error:
            thrown.append(error)

    thread = threading.Thread(target=catch)
    thread.start()
    try:
        of.gang.play(seconds)
    finally:
        # One that is stopped may hold what it waits for.
        of.gang.kill_all()
        thread.join()
    if thrown:
        raise thrown[0]


Trouble = Callable[["Round", float], None]
TROUBLES: list[Trouble] = [
    calm,
    long_stops,
    full,
    small_files,
    read_only,
    clock_jumps,
    foreign_lock,
    crowd,
    backup,
    prune,
]
#: those that want a disk of their own, and so root
ROOT_ONLY: list[Trouble] = [full]


@contextmanager
def own_disk(folder: Path) -> Iterator[Path]:
    """A folder for the store: with root a small disk of its own, in memory."""
    folder.mkdir()
    if os.geteuid() != 0:
        yield folder
        return
    size = f"size={DISK_BYTES}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "torture", str(folder)], check=True)
    try:
        yield folder
        # What failed is kept where it can be looked at.
    finally:
        kept = folder.parent / "store"
        shutil.copytree(folder, kept, dirs_exist_ok=True)
        subprocess.run(["umount", "-l", str(folder)], check=True)


def sqlite_says(path: Path) -> str:
    """What SQLite itself finds, without this library."""
    with sqlite3.connect(path) as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
