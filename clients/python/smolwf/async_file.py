"""What concerns a store itself, from asyncio: its schema, its clock, its health, copies of it."""

from __future__ import annotations

import functools
from typing import Any, Callable, Optional, TypeVar

from . import documents
from .options import Duration
from .store import Path, Store

T = TypeVar("T")


class AsyncFile:
    """The part of :class:`AsyncStore` that is about the store itself."""

    store: Store

    async def call(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Runs a call that may block in a thread of the pool."""
        raise NotImplementedError

    @property
    def path(self) -> Optional[str]:
        """The file's, or the server's URL without a password in it; None in memory."""
        return self.store.path

    def now_ms(self) -> int:
        """The store's clock, Unix milliseconds: the system's, or the manual one."""
        return self.store.now_ms()

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

    async def kill_at(self, commit: int, *, after: bool = False) -> None:
        """Has this process die at one of its commits; see :meth:`Store.kill_at`."""
        await self.call(functools.partial(self.store.kill_at, commit, after=after))

    async def advance_clock(self, duration_ms: Optional[Duration]) -> bool:
        """Moves a manual clock on; see :meth:`Store.advance_clock`."""
        return await self.call(self.store.advance_clock, duration_ms)

    async def check(self) -> documents.Check:
        """Looks whether the file is whole. Cancelled, it goes on in its thread."""
        return await self.call(self.store.check)

    async def backup(self, path: Path) -> None:
        """Copies the store's file to a new one; see :meth:`Store.backup`. Cancelled, it goes on in
        its thread."""
        await self.call(self.store.backup, path)
