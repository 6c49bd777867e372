"""Sleeps, signals, children, and what waits for them."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

import smolwf
from smolwf import Code, Context, Store, on_child, on_signal, on_sleep

from .test_workflows import run_to_the_end


def claim(store: Store) -> smolwf.Attempt:
    attempt = store.claim()
    assert attempt is not None
    return attempt


def test_a_sleep_parks_the_run_until_it_is_due(store: Store) -> None:
    @smolwf.workflow
    def flow(context: Context, args: Any) -> str:
        context.sleep("night", timedelta(hours=8))
        return "morning"

    run_id = flow.submit(store)
    run_to_the_end(store, flow)
    assert store.run(run_id)["state"] == "waiting"
    assert store.claim() is None
    store.advance_clock(timedelta(hours=8))
    run_to_the_end(store, flow)
    run = store.run(run_id)
    assert (run["result"], run["attempts"], run["tries"]) == ("morning", 2, 0)


def test_except_exception_lets_a_wait_through(store: Store) -> None:
    @smolwf.workflow
    def flow(context: Context, args: Any) -> str:
        try:
            context.sleep("night", 1_000)
        except Exception as error:
            return f"caught {error}"
        return "morning"

    run_id = flow.submit(store)
    run_to_the_end(store, flow)
    store.advance_clock(1_000)
    run_to_the_end(store, flow)
    assert store.run(run_id)["result"] == "morning"


def test_a_signal_is_kept_delivered_once_and_replayed(store: Store) -> None:
    run_id = store.submit("a")
    assert store.signal(run_id, "go", {"n": 1}, idempotency_key="k")
    assert not store.signal(run_id, "go", {"n": 2}, idempotency_key="k")
    with claim(store) as attempt:
        assert attempt.signal_await("go")[:2] == (Code.OK, {"n": 1})
        assert attempt.signal_await("go", 0).code is Code.TIMEOUT
        assert attempt.signal_await("other").code is Code.SUSPEND
        attempt.suspend()
    store.signal(run_id, "other", None)
    with claim(store) as attempt:
        assert attempt.signal_await("go")[:2] == (Code.OK, {"n": 1})


def test_a_signal_that_does_not_come_times_out(store: Store) -> None:
    @smolwf.workflow
    def flow(context: Context, args: Any) -> str:
        try:
            context.signal("go", timedelta(minutes=1))
        except TimeoutError:
            return "nobody"
        raise AssertionError("somebody")

    run_id = flow.submit(store)
    run_to_the_end(store, flow)
    store.advance_clock(60_001)
    run_to_the_end(store, flow)
    assert store.run(run_id)["result"] == "nobody"


@smolwf.workflow
def child(context: Context, n: int) -> int:
    if n < 0:
        raise smolwf.Failure({"n": n}, terminal=True)
    return n * 10


def test_a_child_is_submitted_once_and_its_end_wakes_the_parent(store: Store) -> None:
    @smolwf.workflow
    def parent(context: Context, args: Any) -> Any:
        good = context.child("good", child.name, 4)
        bad = context.child("bad", child.name, -1, max_tries=1)
        assert good.existed == (context.attempt.number > 1)
        with pytest.raises(smolwf.ChildFailed) as caught:
            context.result(bad)
        return [context.result(good), caught.value.error]

    run_id = parent.submit(store)
    run_to_the_end(store, parent, child)
    run = store.run(run_id)
    assert (run["state"], run["result"]) == ("completed", [40, {"n": -1}])
    assert len(store.history(run_id)["children"]) == 2


def test_children_are_submitted_in_one_call_and_awaited_together(store: Store) -> None:
    @smolwf.workflow
    def parent(context: Context, args: Any) -> Any:
        items = [{"name": "c", "workflow": "child", "args": n, "priority": n} for n in (1, 2, -3)]
        children = context.children(items)
        return context.wait_all("join", map(on_child, children))

    run_id = parent.submit(store)
    run_to_the_end(store, parent, child)
    run = store.run(run_id)
    assert run["attempts"] == 2
    assert [each["outcome"] for each in run["result"]] == ["ok", "ok", "failed"]
    assert [each["value"] for each in run["result"]] == [10, 20, {"n": -3}]


def test_the_earliest_of_several_is_chosen(store: Store) -> None:
    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        return context.wait_any("first", [on_signal("go"), on_sleep(60_000)])

    first, second = flow.submit(store), flow.submit(store)
    run_to_the_end(store, flow)
    store.signal(first, "go", "now")
    run_to_the_end(store, flow)
    store.advance_clock(60_000)
    run_to_the_end(store, flow)
    assert store.run(first)["result"] == {"index": 0, "outcome": "ok", "value": "now"}
    assert store.run(second)["result"]["index"] == 1


def test_a_step_that_backs_off_parks_the_run(store: Store) -> None:
    @smolwf.step
    def call(context: Context) -> str:
        if context.attempt.number == 1:
            raise smolwf.Failure({"status": 503}, retry_after_ms=50)
        return "done"

    @smolwf.workflow
    def flow(context: Context, args: Any) -> str:
        return call(context)

    run_id = flow.submit(store)
    run_to_the_end(store, flow)
    assert store.run(run_id)["state"] == "waiting"
    store.advance_clock(50)
    run_to_the_end(store, flow)
    assert store.run(run_id)["result"] == "done"


def test_a_time_out_below_none_is_refused_in_every_thread(store: Store) -> None:
    run_id = store.submit("a")
    stop = smolwf.Stop()
    stop.fire()  # so that nothing waits where it is not refused

    async def of_a_loop() -> None:
        waiting = smolwf.AsyncStore(store)
        with pytest.raises(smolwf.InvalidError):
            await asyncio.wait_for(waiting.claim("none", wait_ms=-5), 20)
        with pytest.raises(smolwf.InvalidError):
            await asyncio.wait_for(waiting.wait_run(run_id, timedelta(seconds=-5)), 20)

    def of_a_thread() -> None:
        with pytest.raises(smolwf.InvalidError):
            store.claim("none", wait_ms=-5, stop=stop)
        with pytest.raises(smolwf.InvalidError):
            store.wait_run(run_id, timedelta(seconds=-5), stop)
        with pytest.raises(smolwf.InvalidError):
            store.wait(2**60, -5, stop)

    of_a_thread()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(of_a_thread).result()
    asyncio.run(of_a_loop())
