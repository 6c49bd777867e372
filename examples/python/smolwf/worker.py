"""A worker of threads: claims runs of a queue and runs their workflows."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Optional

from .codes import LEASE_WHILE_ALIVE
from .errors import ClosedError, Error
from .options import Duration
from .store import Store
from .waiting import Stop
from .workflows import Workflow

#: How long a thread keeps quiet after a claim that could not be made (busy, disk).
RETRY_AFTER_S = 0.2


class Worker:
    """Threads that claim and run. ``run`` until stopped or interrupted, or use it as a context.

    By default a lease holds for as long as this process lives. Name ``lease_ms`` to have runs
    taken over from a process that hangs; long steps must then call ``context.heartbeat``.
    """

    def __init__(
        self,
        store: Store,
        workflows: Sequence[Workflow],
        *,
        queue: Optional[str] = None,
        threads: int = 1,
        lease_ms: Duration = LEASE_WHILE_ALIVE,
        name: Optional[str] = None,
        code_versions: Optional[Sequence[str]] = None,
    ) -> None:
        if any(workflow.is_async for workflow in workflows):
            raise TypeError("an async workflow needs an AsyncWorker")
        self._store = store
        self._workflows = {workflow.name: workflow for workflow in workflows}
        self._queue = queue
        self._count = threads
        self._lease_ms = lease_ms
        self._name = name
        self._code_versions = code_versions
        self._stop = Stop()
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self._error: Optional[BaseException] = None

    def start(self) -> Worker:
        if self._threads:
            raise RuntimeError("the worker is started already")
        self._threads = [
            threading.Thread(target=self._work, name=f"smolwf-worker-{at}", daemon=True)
            for at in range(self._count)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """Claims no more. What is running goes on to the end of its attempt; see ``join``."""
        self._stop.fire()
        self._stopped.set()

    def join(self) -> None:
        """Waits for the threads; raises what ended one of them."""
        for thread in self._threads:
            while thread.is_alive():
                thread.join(0.1)
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def run(self) -> None:
        """Works until stopped; a KeyboardInterrupt stops it and is raised when all is quiet."""
        self.start()
        try:
            while not self._stopped.wait(0.1):
                pass
        finally:
            self.stop()
            self.join()

    def run_once(self, wait_ms: Optional[Duration] = 0) -> bool:
        """Runs one attempt in this thread; False when there was none."""
        attempt = self._store.claim(
            self._queue,
            wait_ms=wait_ms,
            lease_ms=self._lease_ms,
            worker=self._name,
            workflows=list(self._workflows),
            code_versions=self._code_versions,
            stop=self._stop,
        )
        if attempt is None:
            return False
        with attempt:
            self._workflows[attempt.workflow].run(attempt)
        return True

    def _work(self) -> None:
        try:
            while not self._stop.fired:
                try:
                    self.run_once(wait_ms=None)
                except Error as error:
                    if not error.retryable:
                        raise
                    self._stopped.wait(RETRY_AFTER_S)
        except ClosedError:
            self.stop()
        except BaseException as error:
            self._error = error
            self.stop()

    def __enter__(self) -> Worker:
        return self.start()

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.stop()
        self.join()
