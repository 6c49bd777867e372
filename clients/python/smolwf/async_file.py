"""A store's file from asyncio: its schema, its clock, its health, copies, and its move."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Optional

from . import documents
from .async_topic import AsyncTopic
from .options import Duration
from .store import Path

if TYPE_CHECKING:
    from .async_store import AsyncStore


class AsyncFile(AsyncTopic):
    """The part of :class:`AsyncStore` that looks after the file."""

    async def init(self) -> int:
        """Brings the schema up to date; how many steps that took."""
        return await self.call(self.store.init)

    async def migrate(self, target: int) -> int:
        """Brings the schema to a version; how many steps that took."""
        return await self.call(self.store.migrate, target)

    async def schema_version(self) -> tuple[int, int]:
        """The file's, and the newest that this library knows."""
        return await self.call(self.store.schema_version)

    async def migrations(self) -> list[documents.Migration]:
        """The steps of the schema that were applied."""
        return await self.call(self.store.migrations)

    @property
    def path(self) -> Optional[str]:
        """The file's, or the server's URL without a password in it; None in memory."""
        return self.store.path

    def now_ms(self) -> int:
        """The store's clock, Unix milliseconds. Never blocks, so it is not awaited."""
        return self.store.now_ms()

    async def kill_at(self, commit: int, *, after: bool = False) -> None:
        """Has this process die by SIGKILL at a commit, for tests; see :meth:`Store.kill_at`."""
        await self.call(self.store.kill_at, commit, after=after)

    async def advance_clock(self, duration_ms: Optional[Duration]) -> bool:
        """Moves a manual clock on; see :meth:`Store.advance_clock`."""
        return await self.call(self.store.advance_clock, duration_ms)

    async def check(self) -> documents.Check:
        """Looks whether the file is whole."""
        return await self.call(self.store.check)

    async def backup(self, path: Path) -> None:
        """Copies the store's file to a new one while others write; see :meth:`Store.backup`."""
        await self.call(self.store.backup, path)

    async def graduate(
        self,
        to: Optional[AsyncStore],
        *,
        abort: bool = False,
        duration_ms: Optional[Duration] = None,
    ) -> documents.Graduated:
        """Moves this store into another one; see :meth:`Store.graduate`."""
        target = None if to is None else to.store
        moved = functools.partial(self.store.graduate, abort=abort, duration_ms=duration_ms)
        return await self.call(moved, target)
