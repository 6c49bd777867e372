"""Attempts that complete only once they have asked for all that is recorded, and what sticks."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import smolwf
from smolwf import AsyncContext, Context, Store, workflow


def two_ways(context: Context, args: Any) -> str:
    """Parks in its first attempt, and forgets in the second what it has done."""
    if context.attempt.number == 1:
        context.call("charge", lambda: None)
    context.sleep("night", 1_000)
    return "done"


FORGETS: smolwf.Workflow[Any, str] = smolwf.Workflow(two_ways, "forgets", None)


@workflow
async def forgets_awaited(context: AsyncContext, args: Any) -> None:
    if context.attempt.number == 1:
        await context.call("charge", lambda: None)
    await context.sleep("night", 1_000)


def fails_for(store: Store, run_id: str) -> None:
    """It has failed, will be tried again, and is not to be claimed at once."""
    run = store.run(run_id)
    assert (run["state"], run["tries"]) == ("pending", 1)
    assert run["last_error"]["type"] == "NondeterminismError"
    assert 'step "charge" occurrence 1 is recorded' in run["last_error"]["message"]
    assert (run["due_at_ms"] or 0) > store.now_ms()


def test_a_strict_worker_fails_an_attempt_that_has_not_asked_for_all(store: Store) -> None:
    run_id = FORGETS.submit(store)
    worker = smolwf.Worker(store, [FORGETS], strict=True)
    assert worker.run_once()
    assert store.advance_clock(None)
    assert worker.run_once()
    fails_for(store, run_id)
    assert not worker.run_once()  # it was given back, and claimed again at once, for ever


def test_a_strict_async_worker_does_likewise(store: Store) -> None:
    run_id = forgets_awaited.submit(store)

    async def work() -> None:
        worker = smolwf.AsyncWorker(smolwf.AsyncStore(store), [forgets_awaited], strict=True)
        assert await worker.run_once()
        store.advance_clock(None)
        assert await worker.run_once()
        assert not await worker.run_once()

    asyncio.run(work())
    fails_for(store, run_id)


def test_a_worker_that_is_not_strict_completes_it(store: Store) -> None:
    run_id = FORGETS.submit(store)
    worker = smolwf.Worker(store, [FORGETS])
    worker.run_once()
    store.advance_clock(None)
    worker.run_once()
    assert run_id.result(0) == "done"


def test_a_wait_that_is_refused_sticks_though_it_is_swallowed(store: Store) -> None:
    @workflow
    def swallows(context: Context, args: None) -> str:
        try:
            if context.attempt.number == 1:
                context.wait_any("go", [smolwf.on_signal("go")], 0)
            else:
                context.signal("go", 0)
        except (smolwf.TimedOut, smolwf.Error):
            pass
        context.sleep("night", 1_000)
        return "done"

    run_id = swallows.submit(store)
    worker = smolwf.Worker(store, [swallows])
    worker.run_once()
    store.advance_clock(None)
    worker.run_once()
    run = store.run(run_id)
    assert (run["state"], run["last_error"]["type"]) == ("pending", "NondeterminismError")
    assert 'await "go" occurrence 1 was recorded as' in run["last_error"]["message"]


def test_the_clock_moves_to_what_comes_due_next(store: Store) -> None:
    assert not store.advance_clock(None)
    start = store.now_ms()
    FORGETS.submit(store, run_at_ms=start + 5_000, timeout_ms=60_000)
    assert store.advance_clock(None)
    assert store.now_ms() == start + 5_000
    assert store.advance_clock(10)
    with pytest.raises(smolwf.InvalidError):
        store.advance_clock(-2)
