"""A worker of threads: claims runs of a queue and runs their workflows."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from contextlib import nullcontext
from types import TracebackType
from typing import Any, Optional

from .attempt import Attempt
from .claiming import Claims, by_name, groups_of
from .codes import LEASE_WHILE_ALIVE
from .ending import UNKNOWN_DELAY_MS, release
from .errors import ClosedError, Error
from .listening import stops
from .options import Duration, milliseconds
from .session import Session, may_pass, patiently
from .stop import Stop
from .store import Store
from .telling import Hook, Teller
from .workflows import Workflow, run_session

#: How long a stop lets attempts end, unless told otherwise.
GRACE_MS = 25_000
#: How long work that was told to end may take to do so before its run is given back.
TOLD_S = 1.0
#: Between two looks whether a claim is still under way.
CLAIM_S = 0.005
#: Between two looks at running attempts, and how much longer than a look it is at least.
LOOK_S, LOOK_SHARE = 0.05, 9
#: How often the attempts are looked at when nothing is heard of the store.
SILENCE_MS = 1_000


class Worker:
    """Threads that claim and run. ``run`` until stopped, or use it as a context.

    A first ``stop`` ends claiming and lets attempts end, for ``grace_ms``; then, or at a second
    ``stop``, they are told to end, and their runs are given back. By default a lease holds for as
    long as this process lives. Name ``lease_ms`` to have runs taken over from a process that
    hangs; long steps must then call ``context.heartbeat``. ``hook`` is called with each
    :class:`Event`, which are also logged, by the logger ``smolwf``. ``strict`` fails an attempt
    that returns without having asked for all that its run has recorded: its code has changed, or
    does not go the same way twice.
    """

    def __init__(
        self,
        store: Store,
        workflows: Sequence[Workflow[Any, Any]],
        *,
        queue: Optional[str] = None,
        threads: int = 1,
        lease_ms: Duration = LEASE_WHILE_ALIVE,
        name: Optional[str] = None,
        code_versions: Optional[Sequence[str]] = None,
        grace_ms: Duration = GRACE_MS,
        hook: Optional[Hook] = None,
        strict: bool = False,
    ) -> None:
        for workflow in workflows:
            if workflow.is_async:
                raise TypeError(f"workflow {workflow.name} is async: it needs an AsyncWorker")
        self._store = store
        self._workflows = by_name(workflows)
        self._claims = Claims(
            store, groups_of(workflows, code_versions), queue, lease_ms, name, strict
        )
        self._count = threads
        self._grace_s = milliseconds(grace_ms) / 1000
        self._teller = Teller(hook)
        self._stop = Stop()
        self._stopped = threading.Event()
        self._ended = threading.Event()
        self._grace_ends_at = 0.0
        self._is_hurried = False
        self._is_ending = False
        self._threads: list[threading.Thread] = []
        self._sessions: set[Session] = set()
        self._claims_under_way = 0
        self._lock = threading.Lock()
        self._error: Optional[BaseException] = None
        self._process = os.getpid()

    # ---- its life -------------------------------------------------------------------------

    def start(self) -> Worker:
        """Starts the threads; ``stop`` and ``join`` end them."""
        if self._threads:
            raise RuntimeError("the worker is started already")
        self._process = os.getpid()
        self._store.failure = None
        self._threads = [
            threading.Thread(target=self._work, name=f"smolwf-worker-{at}", daemon=True)
            for at in range(self._count)
        ]
        for thread in self._threads:
            thread.start()
        threading.Thread(target=self._supervise, name="smolwf-supervisor", daemon=True).start()
        return self

    def stop(self) -> None:
        """Claims no more. What is running goes on to the end of its attempt, for the grace time;
        a second stop ends that. It does not wait: see ``join``."""
        if self._is_the_parents():
            return
        if self._stop.fired:
            self._is_hurried = True
            return
        self._grace_ends_at = time.monotonic() + self._grace_s
        self._stop.fire()
        self._stopped.set()

    def join(self) -> None:
        """Waits for the end of the worker; raises what ended it, if that was no stop."""
        interrupt: Optional[KeyboardInterrupt] = None
        while self._threads and not self._is_the_parents():
            try:
                if self._ended.wait(0.1):
                    break
            except KeyboardInterrupt as raised:
                interrupt = raised
                self.stop()
        if interrupt is not None:
            raise interrupt
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _is_the_parents(self) -> bool:
        """In a forked child its threads are not there, and its locks may be held for ever."""
        return os.getpid() != self._process

    def run(self, signals: bool = True) -> None:
        """Works until stopped. In the main thread SIGTERM and SIGINT stop it, unless ``signals``
        is False: the first lets attempts end, the second ends them."""
        heard: list[int] = []
        done = 0
        with stops(lambda: heard.append(1)) if signals else nullcontext():
            self.start()
            try:
                while not self._ended.wait(0.1):
                    while done < len(heard):
                        done += 1
                        self.stop()
            finally:
                if not self._stop.fired:
                    self.stop()
                self.join()

    def run_once(self, wait_ms: Optional[Duration] = 0) -> bool:
        """Runs one attempt in this thread; False when there was none in time."""
        attempt = self._claims.wait(wait_ms, self._stop)
        if attempt is None:
            return False
        self._run(attempt)
        return True

    def __enter__(self) -> Worker:
        return self.start()

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if not self._stop.fired:
            self.stop()
        self.join()

    # ---- its threads ----------------------------------------------------------------------

    def _work(self) -> None:
        try:
            while not self._stop.fired:
                attempt = self._claim()
                if attempt is not None:
                    self._run(attempt)
        except ClosedError:
            self._end_in_order()
        except BaseException as error:
            self._fail(error)

    def _claim(self) -> Optional[Attempt]:
        def delayed(error: Error) -> None:
            self._teller.tell("delayed", call="claim", error=error)

        self._counts_claims(1)
        try:
            if self._stop.fired:
                return None
            claim = self._claims.wait
            return patiently(lambda: claim(None, self._stop), self._stopped.wait, delayed)
        except Error as error:
            if may_pass(error):
                return None  # stopped meanwhile
            raise
        finally:
            self._counts_claims(-1)

    def _counts_claims(self, change: int) -> None:
        with self._lock:
            self._claims_under_way += change

    def _run(self, attempt: Attempt) -> None:
        session = Session(attempt, self._teller)
        with self._lock:
            self._sessions.add(session)
        if self._is_ending:
            session.told.fire("stopped")
        try:
            workflow = self._workflows.get(attempt.workflow)
            if workflow is None:
                release(session, f"no workflow {attempt.workflow} here", UNKNOWN_DELAY_MS)
            else:
                run_session(session, workflow)
        finally:
            with self._lock:
                self._sessions.discard(session)
            attempt.free()

    def _end_in_order(self) -> None:
        """The store was closed: nothing can be recorded any more."""
        if not self._stop.fired:
            self.stop()
        for session in self._running():
            session.told.fire("closed")

    def _fail(self, error: BaseException) -> None:
        """The worker cannot go on; whoever waits for it or for a run is told."""
        with self._lock:
            self._error = self._error or error
        self._store.fail(error)
        if not self._stop.fired:
            self.stop()

    def _running(self) -> list[Session]:
        with self._lock:
            return list(self._sessions)

    # ---- the supervisor -------------------------------------------------------------------

    def _supervise(self) -> None:
        try:
            self._listen()
            self._end_attempts()
        except BaseException as error:
            self._fail(error)
        finally:
            self._ended.set()

    def _listen(self) -> None:
        """Tells attempts of cancels and takeovers, until they are to end or have ended."""
        seen = 0
        while not self._is_over():
            seen = self._hear(seen)
            begun = time.monotonic()
            for session in self._running():
                session.look()
            took = time.monotonic() - begun
            self._stopped.wait(max(LOOK_S, took * LOOK_SHARE))

    def _is_over(self) -> bool:
        if not self._stop.fired:
            return False
        is_time_over = time.monotonic() >= self._grace_ends_at
        return self._is_hurried or is_time_over or not self._are_alive()

    def _are_alive(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def _hear(self, seen: int) -> int:
        """Sleeps until something has changed in the store."""
        silence_ms, stop = (50, None) if self._stop.fired else (SILENCE_MS, self._stop)
        try:
            return self._store.wait(seen, silence_ms, stop) or seen
        except ClosedError:
            self._end_in_order()
        except Error:
            pass  # whoever works will meet it
        if self._stop.fired:
            time.sleep(LOOK_S)  # a store that says nothing does not hold up the stop
        return seen

    def _end_attempts(self) -> None:
        """Tells those that still run to end, and gives back what they leave behind. A claim under
        way may still look once: what is given back must not fall to it."""
        ends_at = time.monotonic() + TOLD_S
        while self._claims_under_way and time.monotonic() < ends_at:
            time.sleep(CLAIM_S)
        self._is_ending = True
        for session in self._running():
            session.told.fire("stopped")
        ends_at = time.monotonic() + TOLD_S
        while self._are_alive() and time.monotonic() < ends_at:
            for thread in self._threads:
                thread.join(LOOK_S / len(self._threads))
        for session in self._running():
            session.give_up()
