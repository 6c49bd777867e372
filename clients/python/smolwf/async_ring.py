"""What tasks of a loop wait for: a count that moves, a watch that reports, a call to its end."""

from __future__ import annotations

import asyncio
import os
from typing import Any, Optional

from .errors import ClosedError
from .watch import Watch


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


async def until_done(future: asyncio.Future[Any]) -> Optional[asyncio.CancelledError]:
    """Waits for what cannot be interrupted; the cancel that came meanwhile is to be raised."""
    cancelled = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    return cancelled
