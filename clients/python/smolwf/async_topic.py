"""What the parts of a store for asyncio have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Callable, Optional, TypeVar

from .options import Duration
from .stop import Stop
from .store import Store

T = TypeVar("T")


class AsyncTopic:
    """A part of :class:`AsyncStore`."""

    store: Store

    async def call(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Runs a call that may block in a thread of the pool."""
        raise NotImplementedError

    def _begin(
        self, function: Callable[..., T], *arguments: Any, **named: Any
    ) -> asyncio.Future[T]:
        """Begins such a call. It is no task, so that who cancels all tasks leaves it alone."""
        raise NotImplementedError

    async def until(
        self,
        ask: Callable[[], Awaitable[Optional[T]]],
        timeout_ms: Optional[Duration],
        stop: Optional[Stop] = None,
    ) -> Optional[T]:
        """Asks again after each change until there is an answer, or the time is over."""
        raise NotImplementedError
