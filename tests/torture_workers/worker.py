"""A worker of scripts/torture-workers.sh, in Python: does the plan of each run, and submits runs.

usage: worker.py store plans from lease_ms

README.md says what a plan is, and which facts are noted.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Callable

import smolwf

WHO = f"python.{os.getpid()}"
THREADS = {"work": 3, "narrow": 2}
PATIENT: dict[str, Any] = {"max_tries": 1000, "backoff_initial_ms": 5, "backoff_max_ms": 20}

tokens = itertools.count(1)
witness = os.open(os.environ["TORTURE_WITNESS"], os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
stopping = threading.Event()


def token() -> str:
    return f"{WHO}.{next(tokens)}"


def note(kind: str, run: str, name: str = "", attempt: int = 0, value: object = "") -> None:
    fact = "\n" + "\t".join([kind, run, name, str(attempt), str(value), WHO, "."])
    while True:
        try:
            if os.write(witness, fact.encode()) == len(fact):
                return
        except OSError:
            time.sleep(0.01)  # the disk is full: it will have room again


class Plan:
    """One attempt at a plan."""

    def __init__(self, context: smolwf.Context, key: str) -> None:
        self.context, self.key = context, key
        self.run, self.attempt = context.run_id, context.attempt.number

    def effect(self, name: str, tries: int) -> None:
        note("effect", self.run, name, self.attempt, tries)

    def seen(self, name: str, value: str) -> None:
        note("seen", self.run, name, self.attempt, value)

    def do(self, name: str, what: str, count: int) -> None:
        if what in "swfhbd":
            self.step(name, what, count)
        elif what == "t":
            self.once(name)
        elif what == "x":
            self.transaction(name, count)
        elif what == "z":
            self.context.sleep(name, count)
        elif what == "g":
            self.seen(name, self.context.signal("go"))
        elif what == "q":
            self.wait_in_vain(name, count)
        elif what == "n":
            self.context.signal("never")
        elif what == "c":
            self.children(name, count)
        elif what == "a":
            self.first(name, count)
        elif what == "e":
            self.context.event("noted", name, key=name)
            note("event", self.run, name)
        elif what == "r" and self.attempt % 2 == 1:
            raise RuntimeError("an odd attempt")

    def step(self, name: str, what: str, count: int) -> None:
        said = {"op": what, "at": 1.0} if what == "s" else None
        tries = {"max_tries": 1} if what == "d" else {}
        with self.context.step(name, said, **{**PATIENT, **tries}) as step:
            if step.is_todo:
                if what == "b":
                    self.context.reserve({"coins": count}, step)
                self.effect(name, step.step.tries)
                if what == "w":
                    time.sleep(count / 1000)
                if what == "f" and step.step.tries < count:
                    raise RuntimeError("an early try")
                if what == "d" and self.attempt % 2 == 1:
                    raise RuntimeError("an odd attempt")
                value = token() + ("/" * 20_000 if what == "h" else "")
                used = {"coins": count - count // 3} if what == "b" else None
                step.complete(value, usage=used)
            self.seen(name, step.result.rstrip("/"))

    def once(self, name: str) -> None:
        """A step whose work never runs twice: interrupted, it has failed."""
        try:
            with self.context.step(name, track=True, max_tries=1) as step:
                if step.is_todo:
                    self.effect(name, step.step.tries)
                    step.complete(token())
                self.seen(name, step.result)
        except smolwf.StepFailed:
            note("interrupted", self.run, name, self.attempt)

    def transaction(self, name: str, count: int) -> None:
        with self.context.transaction(name, **PATIENT) as tx:
            sql = "INSERT INTO torture_entries VALUES (?, ?, ?)"
            tx.execute(sql, [self.run, name, count], expect_changes=1)
            sql = "UPDATE torture_total SET amount = amount + ?"
            tx.execute(sql, [count], expect_changes=1)
            tx.result(token())
        self.seen(name, str(tx.value))

    def wait_in_vain(self, name: str, count: int) -> None:
        """A wait for what nobody sends, until its time is over."""
        try:
            self.context.signal(name, count)
        except smolwf.TimedOut:
            note("timeout", self.run, name, self.attempt)

    def first(self, name: str, count: int) -> None:
        """The first of a message, a child and a time."""
        args = f"{self.key}.{name}0 s w5 b1 x1"
        child = self.context.child(f"{name}0", "torture", args, queue="work", **PATIENT)
        waits = [smolwf.on_signal("yes"), smolwf.on_child(child), smolwf.on_sleep(count)]
        came = self.context.wait_any(name, waits)
        value = f"{came['index']}.{came['value'] or ''}"
        note("chosen", self.run, name, self.attempt, value)

    def children(self, name: str, count: int) -> None:
        options = {"workflow": "torture", "queue": "work", **PATIENT}
        items = [
            {"name": f"{name}{at}", "args": f"{self.key}.{name}{at} s w5 b1 x1", **options}
            for at in range(count)
        ]
        ids = self.context.children(items)
        came = self.context.wait_all(name, [smolwf.on_child(each) for each in ids])
        for child, answer in zip(ids, came):
            note("child", child, "", 0, answer["value"])


@smolwf.workflow
def torture(context: smolwf.Context, args: str) -> str:
    key, *ops = args.split(" ")
    plan = Plan(context, key)
    for at, op in enumerate(ops):
        plan.do(f"{at}{op[0]}", op[0], int(op[1:] or 0))
    return token()


# ---- the runs that it submits ----------------------------------------------------------------


def patiently(call: Callable[[], Any]) -> Any:
    """The answer of a call that is made again while the store is locked or has no room."""
    while True:
        try:
            return call()
        except smolwf.Error as error:
            if not error.retryable and not isinstance(error, smolwf.FullError):
                raise
            time.sleep(0.02)


def pause(store: smolwf.Store, run: str) -> None:
    try:
        patiently(lambda: store.pause(run))
        time.sleep(0.03)
        patiently(lambda: store.resume(run))
    except smolwf.ConflictError:
        pass  # it has ended before


def send(store: smolwf.Store, run: str, name: str, key: str) -> None:
    try:
        patiently(lambda: store.signal(run, name, key, idempotency_key=key))
        note("signal", run, name, 0, key)
    except smolwf.ConflictError:
        pass  # it has ended before


def fork(store: smolwf.Store, run: str, step: str) -> None:
    """A call that failed may have made one all the same: each is noted before."""

    def ask() -> str:
        note("forking", run, step)
        return store.fork(run, step or None)

    try:
        note("fork", patiently(ask), step, 0, run)
    except smolwf.NotFoundError:
        pass  # it has not come so far


def retry(store: smolwf.Store, run: str, attempts: int) -> None:
    note("retrying", run)
    try:
        patiently(lambda: store.retry(run))
        note("retry", run, "", attempts)
    except smolwf.ConflictError:
        pass  # a call before, which failed, has done it


def wait(store: smolwf.Store, run: str) -> Any:
    ended = patiently(lambda: store.wait_run(run, 1500))
    if ended is not None:
        note("end", run, ended["state"], ended["attempts"], ended["result"] or "")
    return ended or {"state": "open"}


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def submit(store: smolwf.Store, line: str) -> None:
    key, queue, shared, what, args = line.rstrip("\n").split("\t")
    act, _, how = what.partition(":")
    options: dict[str, Any] = {"idempotency_key": key, "queue": queue, "budget": {"coins": 20}}
    if shared != "-":
        options["concurrency_key"] = shared
    if act == "timeout":
        options["timeout_ms"] = int(how)
    began = now_ms()
    run = patiently(lambda: store.submit("torture", args, **options, **PATIENT))
    note("submit", run, key)
    if act == "cancel":
        time.sleep(0.03)
        try:
            patiently(lambda: store.cancel(run))
            note("cancel", run, "", patiently(lambda: store.run(run))["attempts"])
        except smolwf.ConflictError:
            pass  # it has ended before
    elif act == "pause":
        pause(store, run)
    elif act in ("signal", "yes"):
        send(store, run, "yes" if act == "yes" else "go", key)
    ended = wait(store, run)
    if act == "fork":
        fork(store, run, how)
    elif act == "timeout" and ended["state"] == "failed":
        note("late", run, key, 0, now_ms() - began)
    elif act == "retry" and ended["state"] == "failed":
        retry(store, run, ended["attempts"])
        wait(store, run)


def submit_all(store: smolwf.Store, plans: Iterator[str]) -> None:
    try:
        for line in plans:
            if stopping.is_set():
                return
            submit(store, line)
    except smolwf.Error as error:
        if not stopping.is_set():
            print(f"{WHO}: no more submits: {error}", file=sys.stderr, flush=True)
            os._exit(3)


def work(path: str, plans: str, first: str, lease_ms: str) -> None:
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    with open(plans, encoding="ascii") as lines:
        mine = itertools.islice(lines.readlines(), int(first), None)
    lease: Any = {"lease_ms": int(lease_ms)} if lease_ms != "0" else {}
    with smolwf.Store.open(path, no_create=True) as store:
        workers = [
            smolwf.Worker(store, [torture], queue=queue, threads=threads, name=WHO, **lease)
            for queue, threads in THREADS.items()
        ]
        for worker in workers:
            worker.start()
        submitter = threading.Thread(target=submit_all, args=[store, mine], daemon=True)
        submitter.start()
        while not stopping.wait(0.2):
            pass
        for worker in workers:
            worker.stop()
        for worker in workers:
            worker.join()


if __name__ == "__main__":
    work(*sys.argv[1:])
