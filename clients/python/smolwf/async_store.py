"""The same for asyncio: calls that may block run in threads of a pool, and a wait holds none.

Waiting for work or for the end of a run is waiting for the watch's descriptor, on the loop itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Literal, Optional, TypeVar, Union

from . import documents
from .async_file import AsyncFile
from .async_looking import AsyncLooking
from .async_transaction import AsyncTransactionScope
from .attempt import Attempt
from .errors import ClosedError, Error
from .options import Duration, OpenOptions, QueueSettings, ScheduleSpec, SubmitOptions, timeout
from .payload import JSON, Codec
from .stop import Stop
from .store import Path, Store
from .topic import RunId
from .watch import Watch

if TYPE_CHECKING:
    from typing_extensions import Unpack

T = TypeVar("T")

#: Threads of a store's pool. Writers share commits, so more of them are not slower.
THREADS = 16


class Ring:
    """Counts what happens, and wakes who waits for the next of it. Of one loop."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()
        self.count = 0

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
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await asyncio.wait([waiter], timeout=timeout_s)
        finally:
            self._waiters.discard(waiter)
        return self.count != seen


async def until_done(future: asyncio.Future[Any]) -> Optional[asyncio.CancelledError]:
    """Waits for what cannot be interrupted; the cancel that came meanwhile is to be raised."""
    cancelled = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    return cancelled


class Bell(Ring):
    """Rings when a watch reports."""

    def __init__(self, watch: Watch, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._watch = watch
        self._loop = loop
        self._fd = watch.fd()
        loop.add_reader(self._fd, self._ring)

    def _ring(self) -> None:
        try:
            self._watch.drain()
        except ClosedError:
            self._loop.remove_reader(self._fd)
        self.wake()

    def close(self) -> None:
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
        self._watch.close()
        self.wake()


#: What a claim gives: one, or several.
Claimed = TypeVar("Claimed", bound=Union[Attempt, "list[Attempt]"])


def _give_back(claiming: asyncio.Future[Union[Attempt, list[Attempt], None]]) -> None:
    claimed = None if claiming.exception() else claiming.result()
    if isinstance(claimed, Attempt):
        claimed = [claimed]
    for attempt in claimed or []:
        with contextlib.suppress(Error):  # its lease ends it then, and the others are given back
            attempt.__exit__(None, None, None)


class AsyncStore(AsyncLooking, AsyncFile):
    """A store whose calls are awaited. Its waits take no thread and do not block the loop.

    It belongs to the event loop that it is first used on.
    """

    def __init__(self, store: Store, threads: int = THREADS) -> None:
        self.store = store
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="smolwf")
        self._bell: Optional[Bell] = None
        self._loop: Optional[asyncio.AbstractEventLoop] = None

    @classmethod
    async def open(
        cls, path: Path, *, init: bool = True, codec: Codec = JSON, **chosen: Unpack[OpenOptions]
    ) -> AsyncStore:
        """As :meth:`Store.open`: a file by its path, or a server's by its URL."""
        opened = functools.partial(Store.open, path, init=init, codec=codec, **chosen)
        return cls(await asyncio.get_running_loop().run_in_executor(None, opened))

    @classmethod
    async def open_in_memory(
        cls, *, init: bool = True, codec: Codec = JSON, **chosen: Unpack[OpenOptions]
    ) -> AsyncStore:
        """Opens a store that is gone when it is closed."""
        opened = functools.partial(Store.open_in_memory, init=init, codec=codec, **chosen)
        return cls(await asyncio.get_running_loop().run_in_executor(None, opened))

    async def close(self) -> None:
        """Ends its waits and workers, and gives the open attempts of this store back."""
        self.store.shutdown()
        if self._bell is not None:
            self._bell.close()
            self._bell = None
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self.store.close)
        self.pool.shutdown(wait=False)

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
        return await self.loop().run_in_executor(self.pool, bound)

    async def graduate(
        self,
        to: Optional[AsyncStore],
        *,
        abort: bool = False,
        duration_ms: Optional[Duration] = None,
    ) -> documents.Graduated:
        """As :meth:`Store.graduate`."""
        target = None if to is None else to.store
        moved = functools.partial(self.store.graduate, abort=abort, duration_ms=duration_ms)
        return await self.call(moved, target)

    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that this code runs on, which must be the store's."""
        here = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = here
        if self._loop is not here:
            raise RuntimeError(
                "this AsyncStore belongs to another event loop: open one for each loop, "
                "the file may be the same"
            )
        return here

    async def bell(self) -> Bell:
        """What rings when something changes in the store, made at the first wait."""
        if self._bell is None:
            watch = await self.call(self.store.watch)
            if self._bell is None:  # another task may have been quicker
                self._bell = Bell(watch, self.loop())
            else:
                watch.close()
        return self._bell

    def wake(self) -> None:
        """Has every wait on this store look again."""
        if self._bell is not None:
            self._bell.wake()

    async def until(
        self,
        ask: Callable[[], Awaitable[Optional[T]]],
        timeout_ms: Optional[Duration],
        stop: Optional[Stop] = None,
    ) -> Optional[T]:
        """Asks at each change until there is an answer, the time is over, or the stop fired."""
        if stop is None:
            return await self._asked(ask, timeout_ms)
        loop = self.loop()

        def heard() -> None:
            try:
                loop.call_soon_threadsafe(self.wake)
            except RuntimeError:
                pass  # the loop is closed: nobody waits

        with stop.heard_by(heard):
            return await self._asked(ask, timeout_ms, stop)

    async def _asked(
        self,
        ask: Callable[[], Awaitable[Optional[T]]],
        timeout_ms: Optional[Duration],
        stop: Optional[Stop] = None,
    ) -> Optional[T]:
        loop, limit = self.loop(), timeout(timeout_ms)
        end = None if limit < 0 else loop.time() + limit / 1000
        bell = None if limit == 0 else await self.bell()
        while True:
            seen = 0 if bell is None else bell.count  # before asking, so that no ring is missed
            found = await ask()
            left = None if end is None else end - loop.time()
            if found is not None or bell is None or (left is not None and left <= 0):
                return found
            if stop is not None and stop.fired:
                return None
            await bell.moved(seen, left)

    # ---- runs -----------------------------------------------------------------------------

    def fail(self, error: BaseException) -> None:
        """Has waits for the end of a run raise what ended their worker."""
        self.store.fail(error)
        self.wake()

    def transaction(self) -> AsyncTransactionScope:
        """``async with store.transaction() as tx: tx.execute("UPDATE ...", [7])``

        What it collects is not awaited, but sent at the end of the block, in one commit; see
        :meth:`Store.transaction`.
        """
        return AsyncTransactionScope(self.store.transaction(), self.call)

    async def submit(
        self, workflow: str, args: Any = None, **chosen: Unpack[SubmitOptions]
    ) -> RunId:
        """Submits a run; see :meth:`Store.submit`."""
        return await self.call(self.store.submit, workflow, args, **chosen)

    async def submit_many(self, items: Iterable[Mapping[str, Any]]) -> list[RunId]:
        """Submits runs in one commit; see :meth:`Store.submit_many`."""
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
        strict: bool = False,
        replay_only: bool = False,
    ) -> Optional[Attempt]:
        """Claims the next run. The attempt's own calls may block: see :class:`AsyncContext`."""
        claimed = await self.claim_many(
            1,
            queue,
            wait_ms=wait_ms,
            lease_ms=lease_ms,
            worker=worker,
            workflows=workflows,
            code_versions=code_versions,
            strict=strict,
            replay_only=replay_only,
        )
        return claimed[0] if claimed else None

    async def claim_many(
        self,
        max: int,
        queue: Optional[str] = None,
        *,
        wait_ms: Optional[Duration] = 0,
        lease_ms: Duration = 0,
        worker: Optional[str] = None,
        workflows: Optional[Sequence[str]] = None,
        code_versions: Optional[Sequence[str]] = None,
        strict: bool = False,
        replay_only: bool = False,
    ) -> list[Attempt]:
        """Claims so many at most, in one commit; waits for the first of them."""

        def ask() -> Optional[list[Attempt]]:
            claimed = self.store.claim_many(
                max,
                queue,
                lease_ms=lease_ms,
                worker=worker,
                workflows=workflows,
                code_versions=code_versions,
                strict=strict,
                replay_only=replay_only,
            )
            return claimed or None

        return await self.until(functools.partial(self.claim_now, ask), wait_ms) or []

    async def claim_now(self, claim: Callable[[], Optional[Claimed]]) -> Optional[Claimed]:
        """Makes a claim that does not wait. Nothing stays claimed when this is cancelled, however
        often."""
        _ = self.store.pointer  # a closed store is an error of its own
        # No tasks, which the end of a loop would cancel as well: what a thread does goes on.
        claiming = self.loop().run_in_executor(self.pool, claim)
        cancelled = await until_done(claiming)
        if cancelled is None:
            return claiming.result()
        giving_back = self.loop().run_in_executor(self.pool, _give_back, claiming)
        await until_done(giving_back)
        giving_back.exception()  # heard, and behind the cancel
        raise cancelled

    async def wait_run(
        self, run_id: str, timeout_ms: Optional[Duration] = None
    ) -> Optional[documents.Run]:
        """The run once it has ended; None when it has not in time."""
        ask = functools.partial(self.call, self.store.wait_run, run_id, 0)
        return await self.until(ask, timeout_ms)

    async def find(
        self,
        idempotency_key: str,
        workflow: Optional[str] = None,
        *,
        idempotency_scope: Optional[str] = None,
    ) -> Optional[str]:
        """The run that a key made; see :meth:`Store.find`."""
        find = functools.partial(self.store.find, idempotency_scope=idempotency_scope)
        return await self.call(find, idempotency_key, workflow)

    async def run(self, run_id: str) -> documents.Run:
        """The document of a run."""
        return await self.call(self.store.run, run_id)

    async def history(
        self, run_id: str, cursor: Optional[str] = None, limit: int = 0
    ) -> documents.History:
        """One page of what happened in a run; ``next`` is the cursor of the next."""
        return await self.call(self.store.history, run_id, cursor, limit)

    async def cancel(self, run_id: str, reason: Any = None) -> None:
        """Cancels a run and all below it; a running one is told."""
        await self.call(self.store.cancel, run_id, reason)

    async def pause(self, run_id: str) -> None:
        """Sets a run aside until it is resumed."""
        await self.call(self.store.pause, run_id)

    async def resume(self, run_id: str) -> None:
        """Puts a paused run back."""
        await self.call(self.store.resume, run_id)

    async def retry(self, run_id: str) -> None:
        """Opens a failed or cancelled run again; what its steps recorded is kept."""
        await self.call(self.store.retry, run_id)

    async def fork(self, run_id: str, from_step: Optional[str] = None) -> RunId:
        """A new run that replays what this one recorded before a step."""
        return await self.call(self.store.fork, run_id, from_step)

    async def export_run(self, run_id: str, *, redact: bool = False) -> str:
        """A topmost run with all below it as JSON; see :meth:`Store.export_run`."""
        return await self.call(self.store.export_run, run_id, redact=redact)

    async def import_run(
        self, document: str, *, ids: Literal["keep", "new"] = "keep"
    ) -> documents.Imported:
        """Brings the runs of a document into this store; see :meth:`Store.import_run`."""
        return await self.call(self.store.import_run, document, ids=ids)

    # ---- the rest -------------------------------------------------------------------------

    async def queue_set(self, queue: str, **settings: Unpack[QueueSettings]) -> None:
        """Sets the limits of a queue; see :meth:`Store.queue_set`."""
        await self.call(self.store.queue_set, queue, **settings)

    async def signal(
        self, run_id: str, name: str, payload: Any = None, idempotency_key: Optional[str] = None
    ) -> bool:
        """Sends a run a message; False when one with this key was sent before."""
        return await self.call(self.store.signal, run_id, name, payload, idempotency_key)

    async def schedule_set(self, name: str, spec: ScheduleSpec) -> None:
        """Sets a schedule, which submits runs; see :meth:`Store.schedule_set`."""
        await self.call(self.store.schedule_set, name, spec)

    async def schedule_delete(self, name: str) -> None:
        """Deletes a schedule; runs that it submitted go on."""
        await self.call(self.store.schedule_delete, name)

    async def schedules(self) -> list[documents.Schedule]:
        """All schedules, ordered by name."""
        return await self.call(self.store.schedules)

    async def budget(self, run_id: str) -> documents.Budget:
        """What the tree of a run may spend, and has spent."""
        return await self.call(self.store.budget, run_id)

    async def budget_raise(self, run_id: str, unit: str, delta: int) -> None:
        """Raises a limit by so much; runs that wait for it go on."""
        await self.call(self.store.budget_raise, run_id, unit, delta)

    async def budget_settle(self, reservation_id: str, usage: Mapping[str, int]) -> None:
        """What a reservation came to; ``{}`` gives all of it back."""
        await self.call(self.store.budget_settle, reservation_id, usage)

    async def events(
        self, after_seq: int = 0, run_id: Optional[str] = None, limit: int = 0
    ) -> documents.Events:
        """Events after a number, of all runs or of one, in order."""
        return await self.call(self.store.events, after_seq, run_id, limit)
