"""The same for asyncio: calls that may block run in threads of a pool, and a wait holds none.

Waiting for work or for the end of a run is waiting for the watch's descriptor, on the loop itself.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Literal, Optional, TypeVar

from . import documents
from .async_claiming import AsyncClaims
from .async_file import AsyncFile
from .async_looking import AsyncLooking
from .async_ring import Bell
from .async_transaction import AsyncTransactionScope
from .options import Duration, OpenOptions, QueueSettings, ScheduleSpec, SubmitOptions, timeout
from .payload import JSON, Codec
from .stop import Stop
from .store import Path, Store
from .topic import RunId

if TYPE_CHECKING:
    from typing_extensions import Unpack

T = TypeVar("T")

#: Threads of a store's pool. Writers share commits, so more of them are not slower.
THREADS = 16


class AsyncStore(AsyncFile, AsyncClaims, AsyncLooking):
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

    @property
    def codec(self) -> Codec:
        """How payloads are read and written."""
        return self.store.codec

    @property
    def failure(self) -> Optional[BaseException]:
        """What ended a worker of this store, if it was no stop: waits for runs raise it."""
        return self.store.failure

    async def call(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Runs a call that may block in a thread of the pool:
        ``await store.call(attempt.heartbeat)``."""
        return await self._begin(function, *arguments, **named)

    def _begin(
        self, function: Callable[..., T], *arguments: Any, **named: Any
    ) -> asyncio.Future[T]:
        _ = self.store.pointer  # a closed store is an error of its own
        bound = functools.partial(function, *arguments, **named)
        return self.loop().run_in_executor(self.pool, bound)

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
            watch = await self.watch()
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

    async def wait_run(
        self, run_id: str, timeout_ms: Optional[Duration] = None, stop: Optional[Stop] = None
    ) -> Optional[documents.Run]:
        """The run once it has ended; None when it has not in time, or the stop fired."""
        ask = functools.partial(self.call, self.store.wait_run, run_id, 0, stop)
        return await self.until(ask, timeout_ms, stop)

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
