"""Looking at a store from asyncio: lists and counts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar

from . import documents
from .options import Action, ListFilter, RunFilter
from .store import Store

if TYPE_CHECKING:
    from typing_extensions import Unpack

T = TypeVar("T")


class AsyncLooking:
    """The part of :class:`AsyncStore` that looks."""

    store: Store

    async def call(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        raise NotImplementedError

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
