"""Claiming from asyncio: waits hold no thread, and a cancel leaves nothing claimed."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence
from typing import Callable, Optional, TypeVar, Union

from .async_ring import until_done
from .async_topic import AsyncTopic
from .attempt import Attempt
from .errors import ClosedError
from .options import Duration
from .stop import Stop

Claimed = TypeVar("Claimed", Attempt, list[Attempt])


class AsyncClaims(AsyncTopic):
    """The part of :class:`AsyncStore` that claims."""

    async def claim(
        self,
        queue: Optional[str] = None,
        *,
        wait_ms: Optional[Duration] = 0,
        lease_ms: Duration = 0,
        worker: Optional[str] = None,
        workflows: Optional[Sequence[str]] = None,
        code_versions: Optional[Sequence[str]] = None,
        stop: Optional[Stop] = None,
        strict: bool = False,
        replay_only: bool = False,
    ) -> Optional[Attempt]:
        """Claims the next run; see :meth:`Store.claim`. Nothing stays claimed when this is
        cancelled. The attempt's own calls may block: see :class:`AsyncContext`."""
        claim = functools.partial(
            self.store.claim,
            queue,
            lease_ms=lease_ms,
            worker=worker,
            workflows=workflows,
            code_versions=code_versions,
            stop=stop,
            strict=strict,
            replay_only=replay_only,
        )
        return await self.until(functools.partial(self.claim_now, claim), wait_ms, stop)

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
        stop: Optional[Stop] = None,
        strict: bool = False,
        replay_only: bool = False,
    ) -> list[Attempt]:
        """Claims so many at most, in one commit; see :meth:`Store.claim_many`. Nothing stays
        claimed when this is cancelled."""
        claim = functools.partial(
            self.store.claim_many,
            max,
            queue,
            lease_ms=lease_ms,
            worker=worker,
            workflows=workflows,
            code_versions=code_versions,
            stop=stop,
            strict=strict,
            replay_only=replay_only,
        )

        async def ask() -> Optional[list[Attempt]]:
            return await self.claim_now(claim) or None

        return await self.until(ask, wait_ms, stop) or []

    async def claim_now(self, claim: Callable[[], Optional[Claimed]]) -> Optional[Claimed]:
        """Makes a claim that does not wait. Nothing stays claimed when this is cancelled."""
        claiming = self._begin(claim)
        cancelled = await until_done(claiming)
        if cancelled is None:
            return claiming.result()
        if claiming.exception() is None:
            await self._give_back(claiming.result())
        raise cancelled

    async def _give_back(self, claimed: Union[Attempt, list[Attempt], None]) -> None:
        attempts = [claimed] if isinstance(claimed, Attempt) else claimed or []
        try:
            calls = [self._begin(attempt.__exit__, None, None, None) for attempt in attempts]
        except ClosedError:
            return  # the close has given them back
        ended = asyncio.gather(*calls, return_exceptions=True)
        await until_done(ended)
        for failed in ended.result():
            if failed is not None:
                raise failed
