"""Looking at a store from asyncio: lists, counts, reasons, numbers, and the log as it grows."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional, Union

from . import documents
from .async_topic import AsyncTopic
from .options import Action, Duration, ListFilter, RetentionPolicy, RunFilter
from .rows import Params, Rows
from .stop import Stop
from .watch import Watch

if TYPE_CHECKING:
    from typing_extensions import Unpack


class AsyncLooking(AsyncTopic):
    """The part of :class:`AsyncStore` that looks."""

    async def list_runs(
        self, *, page_size: int = 0, **filter: Unpack[ListFilter]
    ) -> AsyncIterator[documents.ListedRun]:
        """All runs of a filter, newest first: ``async for run in store.list_runs(queue="q")``; see
        :meth:`Store.list_runs`."""
        cursor = None
        while True:
            page = await self.list_runs_page(cursor, page_size, **filter)
            for run in page["items"]:
                yield run
            cursor = page["next"]
            if cursor is None:
                return

    async def list_runs_page(
        self, cursor: Optional[str] = None, limit: int = 0, **filter: Unpack[ListFilter]
    ) -> documents.RunPage:
        """One page of a list; see :meth:`Store.list_runs_page`."""
        return await self.call(self.store.list_runs_page, cursor, limit, **filter)

    async def count_runs(self, at_most: int = 0, **filter: Unpack[RunFilter]) -> int:
        """How many runs a filter has; counting stops at ``at_most``, 0 is 10,000."""
        return await self.call(self.store.count_runs, at_most, **filter)

    async def annotate(self, run_id: str, patch: Mapping[str, Any]) -> None:
        """Changes the metadata of a run; see :meth:`Store.annotate`."""
        await self.call(self.store.annotate, run_id, patch)

    async def act_many(
        self,
        action: Action,
        limit: int = 0,
        *,
        dry_run: bool = False,
        **filter: Unpack[RunFilter],
    ) -> documents.Acted:
        """Cancels, pauses, resumes or retries runs of a filter; see :meth:`Store.act_many`."""
        return await self.call(self.store.act_many, action, limit, dry_run=dry_run, **filter)

    async def prune(
        self,
        limit: int = 0,
        *,
        dry_run: bool = False,
        **filter: Unpack[RunFilter],
    ) -> documents.Pruned:
        """Removes runs that have ended; see :meth:`Store.prune`."""
        return await self.call(self.store.prune, limit, dry_run=dry_run, **filter)

    async def retention_set(self, **policy: Unpack[RetentionPolicy]) -> None:
        """Sets which ended runs go by themselves; see :meth:`Store.retention_set`."""
        await self.call(self.store.retention_set, **policy)

    async def retention(self) -> documents.Retention:
        """The policy that holds; empty where there is none."""
        return await self.call(self.store.retention)

    async def compact(self, pages_max: int = 0) -> documents.Compacted:
        """Gives pages that hold nothing back to the file system; see :meth:`Store.compact`."""
        return await self.call(self.store.compact, pages_max)

    async def query(
        self,
        sql: str,
        params: Optional[Params] = None,
        rows_max: int = 0,
        timeout_ms: Duration = 0,
    ) -> Rows:
        """What a query of the host's own tables finds; see :meth:`Store.query`."""
        return await self.call(self.store.query, sql, params, rows_max, timeout_ms)

    async def explain(self, run_id: str) -> documents.Explanation:
        """Why a run is where it is, and what to do about it."""
        return await self.call(self.store.explain, run_id)

    async def stats(self) -> documents.Stats:
        """The store in numbers; see :meth:`Store.stats`."""
        return await self.call(self.store.stats)

    async def queues(self) -> list[documents.Queue]:
        """All queues, ordered by name."""
        return await self.call(self.store.queues)

    async def owners(self) -> list[documents.Owner]:
        """The handles, of any process, that have claimed, the oldest first."""
        return await self.call(self.store.owners)

    async def event_wait(
        self,
        after_seq: int = 0,
        *,
        type: Union[str, Sequence[str], None] = None,
        run_id: Optional[str] = None,
        limit: int = 0,
        timeout_ms: Optional[Duration] = None,
        stop: Optional[Stop] = None,
    ) -> Optional[documents.EventPage]:
        """Events after a number, once there are some; see :meth:`Store.event_wait`."""
        look = functools.partial(self.store.event_wait, type=type, run_id=run_id, limit=limit)
        ask = functools.partial(self.call, look, after_seq, timeout_ms=0)
        return await self.until(ask, timeout_ms, stop)

    async def tail(
        self,
        after_seq: int = 0,
        *,
        type: Union[str, Sequence[str], None] = None,
        run_id: Optional[str] = None,
        stop: Optional[Stop] = None,
    ) -> AsyncIterator[documents.Event]:
        """Each event after a number as it comes, until the stop fires or the task is cancelled;
        see :meth:`Store.tail`."""
        while True:
            page = await self.event_wait(after_seq, type=type, run_id=run_id, stop=stop)
            if page is None:
                return
            for event in page["items"]:
                if stop is not None and stop.fired:
                    return
                yield event
            after_seq = page["next_seq"]

    async def wait(
        self, seen: int, timeout_ms: Optional[Duration] = None, stop: Optional[Stop] = None
    ) -> Optional[int]:
        """The change counter once it is beyond ``seen``; see :meth:`Store.wait`."""
        return await self.until(
            functools.partial(self.call, self.store.wait, seen, 0, stop), timeout_ms, stop
        )

    async def watch(self) -> Watch:
        """A descriptor for an event loop; see :meth:`Store.watch`. Waits here have one."""
        return await self.call(self.store.watch)
