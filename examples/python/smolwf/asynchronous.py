"""The same for asyncio: calls that may block run in threads of a pool, and a wait holds none.

Waiting for work or for the end of a run is waiting for the watch's descriptor, on the loop itself.
"""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar, Union

from . import documents
from .attempt import Attempt, RunId
from .codes import LEASE_WHILE_ALIVE, Code
from .errors import ClosedError, Error
from .options import (
    ChildOptions,
    Duration,
    OpenOptions,
    StepOptions,
    SubmitOptions,
    timeout,
)
from .payload import JSON, Codec
from .store import Path, Store
from .waiting import Watch
from .workflows import Context, StepScope, Workflow, _current, end_raised

if TYPE_CHECKING:
    from typing_extensions import Unpack

T = TypeVar("T")

#: Threads of a store's pool. Writers share commits, so more of them are not slower.
THREADS = 16
#: How long a worker keeps quiet after a claim that could not be made (busy, disk).
RETRY_AFTER_S = 0.2


class Bell:
    """Counts what a watch reports, and wakes who waits for the next report."""

    def __init__(self, watch: Watch, loop: asyncio.AbstractEventLoop) -> None:
        self._watch = watch
        self._loop = loop
        self._fd = watch.fd()
        self._waiters: set[asyncio.Future[None]] = set()
        self.count = 0
        loop.add_reader(self._fd, self._ring)

    def _ring(self) -> None:
        try:
            self._watch.drain()
        except ClosedError:
            self._loop.remove_reader(self._fd)
        self.wake()

    def wake(self) -> None:
        self.count += 1
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def moved(self, seen: int, timeout_s: Optional[float] = None) -> bool:
        """Waits until the count is not ``seen``; False when it is not in time."""
        if self.count != seen:
            return True
        waiter = self._loop.create_future()
        self._waiters.add(waiter)
        try:
            await asyncio.wait_for(waiter, timeout_s)
        except asyncio.TimeoutError:
            return False
        finally:
            self._waiters.discard(waiter)
        return True

    def close(self) -> None:
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
        self._watch.close()
        self.wake()


class AsyncStore:
    """A store whose calls are awaited. Its waits take no thread and do not block the loop."""

    def __init__(self, store: Store, threads: int = THREADS) -> None:
        self.store = store
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="smolwf")
        self._bell: Optional[Bell] = None

    @classmethod
    async def open(
        cls, path: Path, *, init: bool = True, codec: Codec = JSON, **chosen: Unpack[OpenOptions]
    ) -> AsyncStore:
        opened = functools.partial(Store.open, path, init=init, codec=codec, **chosen)
        return cls(await asyncio.get_running_loop().run_in_executor(None, opened))

    @classmethod
    async def open_in_memory(
        cls, *, init: bool = True, codec: Codec = JSON, **chosen: Unpack[OpenOptions]
    ) -> AsyncStore:
        opened = functools.partial(Store.open_in_memory, init=init, codec=codec, **chosen)
        return cls(await asyncio.get_running_loop().run_in_executor(None, opened))

    async def close(self) -> None:
        self.store.shutdown()
        if self._bell is not None:
            self._bell.close()
            self._bell = None
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self.store.close)
        self._pool.shutdown(wait=False)

    async def __aenter__(self) -> AsyncStore:
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        await self.close()

    async def call(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Runs a call that may block in a thread of the pool: ``await s.call(s.store.check)``."""
        _ = self.store.pointer  # a closed store is an error of its own
        bound = functools.partial(function, *arguments, **named)
        return await asyncio.get_running_loop().run_in_executor(self._pool, bound)

    async def bell(self) -> Bell:
        """What rings when something changes in the store, made at the first wait."""
        if self._bell is None:
            watch = await self.call(self.store.watch)
            if self._bell is None:  # another task may have been quicker
                self._bell = Bell(watch, asyncio.get_running_loop())
            else:
                watch.close()
        return self._bell

    def wake(self) -> None:
        """Has every wait on this store look again."""
        if self._bell is not None:
            self._bell.wake()

    async def _until(
        self, ask: Callable[[], Awaitable[Optional[T]]], timeout_ms: Optional[Duration]
    ) -> Optional[T]:
        """Asks at each change until there is an answer or the time is over."""
        loop, limit = asyncio.get_running_loop(), timeout(timeout_ms)
        end = None if limit < 0 else loop.time() + limit / 1000
        bell = None if limit == 0 else await self.bell()
        while True:
            seen = 0 if bell is None else bell.count  # before asking, so that no ring is missed
            found = await ask()
            left = None if end is None else end - loop.time()
            if found is not None or bell is None or (left is not None and left <= 0):
                return found
            await bell.moved(seen, left)

    # ---- runs -----------------------------------------------------------------------------

    async def submit(
        self, workflow: str, args: Any = None, **chosen: Unpack[SubmitOptions]
    ) -> RunId:
        return await self.call(self.store.submit, workflow, args, **chosen)

    async def submit_many(self, items: Iterable[Mapping[str, Any]]) -> list[RunId]:
        return await self.call(self.store.submit_many, list(items))

    async def claim(
        self,
        queue: Optional[str] = None,
        *,
        wait_ms: Optional[Duration] = 0,
        lease_ms: Duration = 0,
        worker: Optional[str] = None,
        workflows: Optional[Sequence[str]] = None,
        code_versions: Optional[Sequence[str]] = None,
    ) -> Optional[Attempt]:
        """Claims the next run. The attempt's own calls may block: see :class:`AsyncContext`."""
        ask = functools.partial(
            self.store.claim,
            queue,
            lease_ms=lease_ms,
            worker=worker,
            workflows=workflows,
            code_versions=code_versions,
        )
        return await self._until(functools.partial(self.claim_now, ask), wait_ms)

    async def claim_now(self, claim: Callable[[], Optional[Attempt]]) -> Optional[Attempt]:
        """Makes a claim that does not wait. Nothing stays claimed when this is cancelled."""
        claiming = asyncio.ensure_future(self.call(claim))
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:
            attempt = await claiming
            if attempt is not None:
                await self.call(attempt.__exit__, None, None, None)
            raise

    async def wait_run(
        self, run_id: str, timeout_ms: Optional[Duration] = None
    ) -> Optional[documents.Run]:
        ask = functools.partial(self.call, self.store.wait_run, run_id, 0)
        return await self._until(ask, timeout_ms)

    async def find(
        self, idempotency_key: str, idempotency_scope: Optional[str] = None
    ) -> Optional[str]:
        return await self.call(self.store.find, idempotency_key, idempotency_scope)

    async def run(self, run_id: str) -> documents.Run:
        return await self.call(self.store.run, run_id)

    async def history(
        self, run_id: str, cursor: Optional[str] = None, limit: int = 0
    ) -> documents.History:
        return await self.call(self.store.history, run_id, cursor, limit)

    async def cancel(self, run_id: str, reason: Any = None) -> None:
        await self.call(self.store.cancel, run_id, reason)

    async def pause(self, run_id: str) -> None:
        await self.call(self.store.pause, run_id)

    async def resume(self, run_id: str) -> None:
        await self.call(self.store.resume, run_id)

    async def retry(self, run_id: str) -> None:
        await self.call(self.store.retry, run_id)

    async def fork(self, run_id: str, from_step: Optional[str] = None) -> RunId:
        return await self.call(self.store.fork, run_id, from_step)

    # ---- the rest -------------------------------------------------------------------------

    async def queue_set(self, queue: str, **settings: Any) -> None:
        await self.call(self.store.queue_set, queue, **settings)

    async def signal(
        self, run_id: str, name: str, payload: Any = None, idempotency_key: Optional[str] = None
    ) -> bool:
        return await self.call(self.store.signal, run_id, name, payload, idempotency_key)

    async def schedule_set(self, name: str, spec: Mapping[str, Any]) -> None:
        await self.call(self.store.schedule_set, name, spec)

    async def schedule_delete(self, name: str) -> None:
        await self.call(self.store.schedule_delete, name)

    async def schedules(self) -> list[dict[str, Any]]:
        return await self.call(self.store.schedules)

    async def budget(self, run_id: str) -> documents.Budget:
        return await self.call(self.store.budget, run_id)

    async def budget_raise(self, run_id: str, unit: str, delta: int) -> None:
        await self.call(self.store.budget_raise, run_id, unit, delta)

    async def budget_settle(self, reservation_id: str, usage: Mapping[str, int]) -> None:
        await self.call(self.store.budget_settle, reservation_id, usage)

    async def events(
        self, after_seq: int = 0, run_id: Optional[str] = None, limit: int = 0
    ) -> documents.Events:
        return await self.call(self.store.events, after_seq, run_id, limit)


class AsyncStepScope:
    """A step as an async context; see :class:`StepScope`."""

    def __init__(self, scope: StepScope, store: AsyncStore) -> None:
        self._scope = scope
        self._store = store

    @property
    def is_todo(self) -> bool:
        return self._scope.is_todo

    @property
    def result(self) -> Any:
        return self._scope.result

    @property
    def id(self) -> str:
        return self._scope.id

    @property
    def scope(self) -> StepScope:
        return self._scope

    async def complete(self, result: Any = None, usage: Optional[Mapping[str, int]] = None) -> Any:
        return await self._store.call(self._scope.complete, result, usage)

    async def __aenter__(self) -> AsyncStepScope:
        await self._store.call(self._scope.enter)
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        await self._store.call(self._scope.leave, error)


class AsyncContext:
    """What an async workflow does durably; see :class:`Context`."""

    def __init__(self, attempt: Attempt, store: AsyncStore) -> None:
        self.attempt = attempt
        self.store = store
        self.run_id = attempt.run_id
        self._context = Context(attempt)

    def step(self, name: str, input: Any = None, **chosen: Unpack[StepOptions]) -> AsyncStepScope:
        return AsyncStepScope(self._context.step(name, input, **chosen), self.store)

    async def call(
        self, name: str, function: Callable[[], Any], **chosen: Unpack[StepOptions]
    ) -> Any:
        """The function's result, awaited if need be, from its step if that was recorded."""
        async with self.step(name, **chosen) as step:
            if not step.is_todo:
                return step.result
            result = function()
            if asyncio.iscoroutine(result) or isinstance(result, asyncio.Future):
                result = await result
            return await step.complete(result)

    async def sleep(self, name: str, duration_ms: Duration) -> None:
        await self.store.call(self._context.sleep, name, duration_ms)

    async def signal(self, name: str, timeout_ms: Optional[Duration] = None) -> Any:
        return await self.store.call(self._context.signal, name, timeout_ms)

    async def child(
        self, name: str, workflow: str, args: Any = None, **chosen: Unpack[ChildOptions]
    ) -> RunId:
        return await self.store.call(self._context.child, name, workflow, args, **chosen)

    async def children(self, items: Iterable[Mapping[str, Any]]) -> list[RunId]:
        return await self.store.call(self._context.children, list(items))

    async def result(self, run_id: str, timeout_ms: Optional[Duration] = None) -> Any:
        return await self.store.call(self._context.result, run_id, timeout_ms)

    async def wait_any(
        self, name: str, waits: Iterable[Mapping[str, Any]], timeout_ms: Optional[Duration] = None
    ) -> dict[str, Any]:
        return await self.store.call(self._context.wait_any, name, list(waits), timeout_ms)

    async def wait_all(
        self, name: str, waits: Iterable[Mapping[str, Any]], timeout_ms: Optional[Duration] = None
    ) -> list[dict[str, Any]]:
        return await self.store.call(self._context.wait_all, name, list(waits), timeout_ms)

    async def reserve(
        self,
        amounts: Mapping[str, int],
        step: Union[AsyncStepScope, StepScope, None] = None,
        source: Optional[str] = None,
    ) -> str:
        of = step.scope if isinstance(step, AsyncStepScope) else step
        return await self.store.call(self._context.reserve, amounts, of, source)

    async def event(self, type: str, payload: Any = None, key: Optional[str] = None) -> bool:
        return await self.store.call(self._context.event, type, payload, key)

    async def heartbeat(self) -> None:
        await self.store.call(self._context.heartbeat)

    async def check(self) -> None:
        await self.store.call(self._context.check)


class AsyncWorker:
    """Claims runs and runs their async workflows as tasks, so many at once at most."""

    def __init__(
        self,
        store: AsyncStore,
        workflows: Sequence[Workflow],
        *,
        queue: Optional[str] = None,
        concurrency: int = 10,
        lease_ms: Duration = LEASE_WHILE_ALIVE,
        name: Optional[str] = None,
        code_versions: Optional[Sequence[str]] = None,
    ) -> None:
        if not all(workflow.is_async for workflow in workflows):
            raise TypeError("a workflow that is not async needs a Worker")
        self._store = store
        self._workflows = {workflow.name: workflow for workflow in workflows}
        self._claim = functools.partial(
            store.store.claim,
            queue,
            lease_ms=lease_ms,
            worker=name,
            workflows=list(self._workflows),
            code_versions=code_versions,
        )
        self._concurrency = concurrency
        self._running: set[asyncio.Task[None]] = set()
        self._stopped = False

    def stop(self) -> None:
        """Claims no more; ``run`` returns when what is running has ended its attempts."""
        self._stopped = True
        self._store.wake()

    async def run(self) -> None:
        """Works until stopped, or cancelled: then its attempts are given back."""
        bell = await self._store.bell()
        try:
            while not self._stopped:
                seen = bell.count
                if not await self._fill() and not self._stopped:
                    await bell.moved(seen)
        except ClosedError:
            self._stopped = True
        except asyncio.CancelledError:
            for task in self._running:
                task.cancel()
            raise
        finally:
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _fill(self) -> bool:
        """Claims one more run, or waits for room; False when there is nothing to claim."""
        if len(self._running) >= self._concurrency:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            return True
        try:
            attempt = await self._store.claim_now(self._claim)
        except Error as error:
            if not error.retryable:
                raise
            await asyncio.sleep(RETRY_AFTER_S)
            return True
        if attempt is None:
            return False
        task = asyncio.ensure_future(self._run(attempt))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return True

    async def _run(self, attempt: Attempt) -> None:
        try:
            await run_attempt(self._store, self._workflows[attempt.workflow], attempt)
        finally:
            attempt.free()


async def run_attempt(store: AsyncStore, workflow: Workflow, attempt: Attempt) -> Optional[Code]:
    """Runs one attempt of an async workflow and ends it; None when it was lost or cancelled."""
    token = _current.set(AsyncContext(attempt, store))
    try:
        result = await workflow.function(_current.get(), attempt.args)
        await store.call(attempt.complete, result)
        return Code.OK
    except BaseException as error:
        ended = await asyncio.shield(store.call(end_raised, attempt, error))
        if isinstance(error, asyncio.CancelledError):
            raise
        return ended
    finally:
        _current.reset(token)
