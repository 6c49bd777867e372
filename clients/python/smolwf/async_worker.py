"""A worker of tasks: claims runs of a queue and runs their async workflows."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import time
from collections.abc import Sequence
from contextlib import nullcontext
from types import TracebackType
from typing import Any, Callable, Optional

from .async_calls import Calls, LoopTeller
from .async_context import AsyncContext
from .async_ring import Bell, Ring, until_done
from .async_store import AsyncStore
from .attempt import Attempt
from .carried import is_interrupt
from .claiming import Claims, by_name, groups_of
from .codes import LEASE_WHILE_ALIVE
from .context import current_context
from .ending import UNKNOWN_DELAY_MS, Outcome, end, release
from .errors import ClosedError, Error
from .listening import stops
from .options import Duration, milliseconds
from .session import PAUSE_MAX_S, PAUSE_S, Session, may_pass
from .stop import Stop
from .telling import Hook
from .worker import GRACE_MS, LOOK_S, LOOK_SHARE, SILENCE_MS, TOLD_S
from .workflows import Workflow


class AsyncWorker:
    """Claims runs and runs their async workflows as tasks, so many at once at most.

    ``run`` until stopped, or use it as a context.

    A first ``stop``, or cancel of ``run``, ends claiming and lets attempts end, for ``grace_ms``;
    then, or at a second, they are told to end and cancelled, and their runs are given back.
    ``hook`` is called with each :class:`Event`, which are also logged, by the logger ``smolwf``;
    ``strict`` is as for :class:`Worker`.
    """

    def __init__(
        self,
        store: AsyncStore,
        workflows: Sequence[Workflow[Any, Any]],
        *,
        queue: Optional[str] = None,
        concurrency: int = 10,
        lease_ms: Duration = LEASE_WHILE_ALIVE,
        name: Optional[str] = None,
        code_versions: Optional[Sequence[str]] = None,
        grace_ms: Duration = GRACE_MS,
        hook: Optional[Hook] = None,
        strict: bool = False,
    ) -> None:
        for workflow in workflows:
            if not workflow.is_async:
                raise TypeError(
                    f"workflow {workflow.name} is not async: it needs a Worker, or async def"
                )
        self._store = store
        self._workflows = by_name(workflows)
        groups = groups_of(workflows, code_versions)
        self._claims = Claims(store.store, groups, queue, lease_ms, name, strict)
        self._concurrency = concurrency
        self._grace_s = milliseconds(grace_ms) / 1000
        self._hook = hook
        self._ring = Ring()
        self._stop = Stop()
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._running: dict[asyncio.Task[None], Running] = {}
        self._grace_ends_at: Optional[float] = None
        self._is_hurried = False
        self._error: Optional[BaseException] = None

    def stop(self) -> None:
        """Claims no more; ``run`` returns when what is running has ended its attempts. A second
        stop has that end at once. From another thread, use ``loop.call_soon_threadsafe``."""
        if self._grace_ends_at is not None:
            self._is_hurried = True
        else:
            self._grace_ends_at = time.monotonic() + self._grace_s
            self._stop.fire()
        self._ring.wake()
        self._store.wake()

    async def run(self, signals: bool = True) -> None:
        """Works until stopped, or cancelled, which is raised when all is quiet. In the main
        thread SIGTERM and SIGINT stop it, unless ``signals`` is False."""
        loop = self._store.loop()
        self._teller = LoopTeller(loop, self._hook)
        self._store.store.failure = None
        heard = functools.partial(loop.call_soon_threadsafe, self.stop)
        with stops(heard) if signals else nullcontext():  # type: ignore[arg-type]
            work = asyncio.ensure_future(self._work())
            cancelled = None
            while not work.done():
                try:
                    await asyncio.wait([work])
                except asyncio.CancelledError as error:
                    cancelled = error
                    self.stop()
        if cancelled is not None:
            raise cancelled
        failure, self._error = self._error, None
        if failure is not None:
            raise failure

    async def run_once(self) -> bool:
        """Runs one attempt that can be claimed now to its end; False when there is none. Cancelled,
        it gives the run back."""
        teller = LoopTeller(self._store.loop(), self._hook)
        claim = functools.partial(self._claims.now, self._stop)
        attempt = await self._store.claim_now(claim)
        if attempt is None:
            return False
        workflow = self._workflows.get(attempt.workflow)
        running = Running(self._store, Session(attempt, teller), workflow)
        task = asyncio.ensure_future(running.run())
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.cancel()
            await until_done(task)
            raise
        task.result()
        return True

    async def __aenter__(self) -> AsyncWorker:
        self._entered = asyncio.ensure_future(self.run(signals=False))
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if self._grace_ends_at is None:
            self.stop()
        await self._entered

    async def _work(self) -> None:
        listening: Optional[asyncio.Task[None]] = None
        try:
            bell = await self._store.bell()
            listening = asyncio.ensure_future(self._listen(bell))
            await self._claim(bell)
            await self._drain()
        except ClosedError:
            self._end_in_order()
        except asyncio.CancelledError:
            pass  # somebody cancels all tasks there are: each gives its run back
        except BaseException as error:
            self._fail(error)
        finally:
            await self._end_attempts()
            if listening is not None:
                listening.cancel()

    def _end_in_order(self) -> None:
        """The store was closed: nothing can be recorded any more."""
        if self._grace_ends_at is None:
            self.stop()
        for running in list(self._running.values()):
            running.session.told.fire("closed")

    def _fail(self, error: BaseException) -> None:
        """The worker cannot go on; whoever waits for it or for a run is told."""
        self._error = self._error or error
        self._store.fail(error)
        if self._grace_ends_at is None:
            self.stop()

    # ---- claiming -------------------------------------------------------------------------

    async def _claim(self, bell: Bell) -> None:
        pause, claim = PAUSE_S, functools.partial(self._claims.now, self._stop)
        while self._grace_ends_at is None:
            seen = bell.count  # before asking, so that no ring is missed
            if len(self._running) >= self._concurrency:
                await self._ring.moved(self._ring.count)  # an end, or a stop
                continue
            try:
                attempt = await self._store.claim_now(claim)
            except Error as error:
                if not may_pass(error):
                    raise
                pause = await self._pause(pause, error)
                continue
            pause = PAUSE_S
            if attempt is not None:
                self._start(attempt)
            elif self._grace_ends_at is None:
                await bell.moved(seen)

    async def _pause(self, pause: float, error: Error) -> float:
        if pause == PAUSE_S:
            self._teller.tell("delayed", call="claim", error=error)
        seen = self._ring.count
        if self._grace_ends_at is None:
            await self._ring.moved(seen, pause)
        return min(2 * pause, PAUSE_MAX_S)

    def _start(self, attempt: Attempt) -> None:
        session = Session(attempt, self._teller)
        running = Running(self._store, session, self._workflows.get(attempt.workflow))
        task = asyncio.ensure_future(running.run())
        self._running[task] = running
        task.add_done_callback(self._has_ended)

    def _has_ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._fail(error)
        self._ring.wake()

    # ---- cancels, takeovers, the end ------------------------------------------------------

    async def _listen(self, bell: Bell) -> None:
        """Tells attempts of cancels and takeovers."""
        while True:
            seen = bell.count
            begun = time.monotonic()
            looks = [running.session.look for running in self._running.values()]
            try:
                await self._store.call(_each, looks)
            except ClosedError:
                self._end_in_order()
                return
            took = time.monotonic() - begun
            await asyncio.sleep(max(LOOK_S, took * LOOK_SHARE))
            await bell.moved(seen, SILENCE_MS / 1000)

    async def _drain(self) -> None:
        while self._running and not self._is_hurried:
            seen = self._ring.count
            left = (self._grace_ends_at or 0.0) - time.monotonic()
            if left <= 0:
                return
            await self._ring.moved(seen, left)

    async def _end_attempts(self) -> None:
        """Tells those that still run to end, then cancels them, and gives back what is left."""
        for running in self._running.values():
            running.session.told.fire("stopped")
        await self._all_ended(TOLD_S)
        for task in list(self._running):
            task.cancel()
        await self._all_ended(None)

    async def _all_ended(self, within_s: Optional[float]) -> None:
        ends_at = None if within_s is None else time.monotonic() + within_s
        while self._running:
            left = None if ends_at is None else ends_at - time.monotonic()
            if left is not None and left <= 0:
                return
            try:
                await asyncio.wait(self._running, timeout=left)
            except asyncio.CancelledError:
                for task in list(self._running):
                    task.cancel()


def _each(functions: list[Any]) -> None:
    for function in functions:
        function()


class Running:
    """One attempt, run by a task of its own; the workflow is another, so that it can be cut off."""

    def __init__(
        self, store: AsyncStore, session: Session, workflow: Optional[Workflow[Any, Any]]
    ) -> None:
        self.session = session
        self._store = store
        self._workflow = workflow
        self._calls = Calls(session, store.pool)
        self._context = AsyncContext(session, store, self._calls)

    async def run(self) -> None:
        """Runs it to its end, whatever becomes of it; cancelled, gives the run back."""
        session = self.session
        try:
            if self._workflow is None:
                name = session.attempt.workflow
                why = f"no workflow {name} here"
                await self._in_pool(functools.partial(release, session, why, UNKNOWN_DELAY_MS))
                return
            body = asyncio.ensure_future(self._body(self._workflow))
            outcome = await self._outcome(body)
            if outcome is not None:
                await self._in_pool(functools.partial(end, session, outcome))
        finally:
            session.attempt.free()

    async def _outcome(self, body: asyncio.Task[Outcome]) -> Optional[Outcome]:
        """How the workflow ended, once its steps have; None when it was cut off."""
        try:
            await asyncio.wait([body])
            await asyncio.sleep(0)  # a call that was made a task just now begins to be awaited
            if body.cancelled():
                outcome = Outcome(error=asyncio.CancelledError("the workflow's task was cancelled"))
            elif body.exception() is not None:  # Ctrl-C
                raise asyncio.CancelledError
            else:
                outcome = body.result()
            if outcome.error is None:
                self._context.refuse_forgotten()
            await self._calls.close()
            return outcome
        except asyncio.CancelledError:
            self.session.told.fire("stopped")
            body.cancel()
            await self._cut_off(body)
            return None

    async def _cut_off(self, body: asyncio.Task[Outcome]) -> None:
        """Lets the workflow, and what else it does, end; then gives the run back all the same."""
        ending = asyncio.ensure_future(self._ended(body))
        await until_done(asyncio.ensure_future(asyncio.wait([ending], timeout=TOLD_S)))
        ending.cancel()
        await self._in_pool(self.session.give_up)

    async def _ended(self, body: asyncio.Task[Outcome]) -> None:
        await asyncio.wait([body])
        await self._calls.close()

    async def _in_pool(self, function: Callable[[], Any]) -> None:
        """Calls what is to be done whether or not this is cancelled."""
        bound = functools.partial(contextvars.copy_context().run, function)
        try:
            future = self._calls.loop.run_in_executor(self._store.pool, bound)
        except RuntimeError:
            return  # the store is closed, and has given its runs back
        await until_done(future)
        future.result()

    async def _body(self, workflow: Workflow[Any, Any]) -> Outcome:
        session = self.session
        current_context.set(self._context)
        try:
            session.tell("claimed")
            return Outcome(await workflow.function(self._context, session.attempt.args))
        except BaseException as error:
            if is_interrupt(error):
                raise
            return Outcome(error=error)
