"""Transactions of an :class:`AsyncStore`: collecting needs no await, the end of the block does."""

from __future__ import annotations

from collections.abc import Awaitable
from types import TracebackType
from typing import Any, Callable, Optional

from .transaction import TransactionScope


class AsyncTransactionScope:
    """``async with store.transaction() as tx: tx.execute("UPDATE ...", [7])``"""

    def __init__(self, scope: TransactionScope, call: Callable[..., Awaitable[Any]]) -> None:
        self._scope = scope
        self._call = call

    async def __aenter__(self) -> TransactionScope:
        return self._scope.__enter__()

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._scope.leave(error)
        if error is None:
            await self._call(self._scope.commit)
