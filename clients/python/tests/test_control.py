"""Control of runs and queues, many at once, changes, schedules, budgets, events, keeping."""

from __future__ import annotations

import os
import select
import threading
from pathlib import Path
from typing import Any

import pytest

import smolwf
from smolwf import ConflictError, Context, InvalidError, Store

from .test_workflows import run_to_the_end


@smolwf.workflow
def flow(context: Context, args: Any) -> Any:
    with context.step("first") as step:
        if step.is_todo:
            step.complete(context.attempt.number)
    if args == "fail":
        raise smolwf.Failure("no", terminal=True)
    return step.result


def test_a_cancelled_run_ends_and_its_attempt_learns_of_it(store: Store) -> None:
    waiting, running = store.submit("a"), store.submit("b")
    store.cancel(waiting, {"why": "enough"})
    assert store.run(waiting)["state"] == "cancelled"
    attempt = store.claim()
    assert attempt is not None
    with attempt:
        store.cancel(running)
        with pytest.raises(smolwf.CancelledError):
            attempt.check()
        with pytest.raises(smolwf.CancelledError):
            attempt.complete("too late")
    assert store.run(running)["state"] == "cancelled"
    store.cancel(running)  # again is fine


def test_a_workflow_whose_run_is_cancelled_ends_quietly(store: Store) -> None:
    @smolwf.workflow
    def cancelled(context: Context, args: Any) -> Any:
        store.cancel(context.run_id)
        context.call("never", lambda: None)

    run_id = cancelled.submit(store)
    run_to_the_end(store, cancelled)
    assert store.run(run_id)["state"] == "cancelled"


def test_a_paused_run_is_left_alone(store: Store) -> None:
    run_id = store.submit("a")
    store.pause(run_id)
    assert store.run(run_id)["state"] == "paused"
    assert store.claim() is None
    store.resume(run_id)
    attempt = store.claim()
    assert attempt is not None
    attempt.complete()


def test_a_failed_run_is_retried_and_a_finished_one_forked(store: Store) -> None:
    failed, done = flow.submit(store, "fail"), flow.submit(store)
    run_to_the_end(store, flow)
    assert store.run(failed)["state"] == "failed"
    store.retry(failed)
    assert store.run(failed)["state"] == "pending"
    run_to_the_end(store, flow)
    forked, anew = store.fork(done), store.fork(done, "first")
    run_to_the_end(store, flow)
    assert [store.run(each)["result"] for each in (done, forked, anew)] == [1, 1, 1]
    assert forked != done


def test_a_queue_has_a_limit(store: Store) -> None:
    store.queue_set("narrow", concurrency=1)
    for _ in range(2):
        store.submit("a", queue="narrow")
    first = store.claim("narrow")
    assert first is not None
    assert store.claim("narrow") is None
    first.complete()
    second = store.claim("narrow")
    assert second is not None
    second.complete()


def test_many_are_submitted_and_claimed_at_once(store: Store) -> None:
    items = [{"workflow": "a", "args": n, "idempotency_key": f"k{n}"} for n in range(5)]
    ids = store.submit_many(items)
    assert store.submit_many(items) == ids
    assert not ids[0].existed
    assert store.submit_many(items)[0].existed
    claimed = store.claim_many(3)
    assert [attempt.args for attempt in claimed] == [0, 1, 2]
    rest = store.claim_many(10, wait_ms=None)
    assert [attempt.args for attempt in rest] == [3, 4]
    assert store.claim_many(10) == []
    for attempt in (*claimed, *rest):
        attempt.complete()


def test_one_bad_item_submits_none_and_is_named(store: Store) -> None:
    with pytest.raises(smolwf.InvalidError, match="1"):
        store.submit_many([{"workflow": "a"}, {"workflow": ""}])
    assert store.claim() is None


def test_the_end_of_a_run_is_waited_for(store: Store) -> None:
    run_id = flow.submit(store)
    assert store.wait_run(run_id, 0) is None
    stop = smolwf.Stop()
    stop.fire()
    assert store.wait_run(run_id, None, stop) is None
    with smolwf.Worker(store, [flow]):
        run = store.wait_run(run_id)
    assert run is not None
    assert run["state"] == "completed"


def test_changes_are_counted_and_waited_for(store: Store) -> None:
    seen = store.wait(0, 0) or 0
    assert store.wait(seen, 0) is None
    thread = threading.Thread(target=store.submit, args=("a",))
    thread.start()
    now = store.wait(seen)
    thread.join()
    assert now is not None
    assert now > seen


def test_a_watch_is_readable_after_a_change_and_ends_when_closed(store: Store) -> None:
    def is_readable(fd: int, timeout: float) -> bool:
        return bool(select.select([fd], [], [], timeout)[0])

    with store.watch() as watch:
        fd = watch.fd()
        before = watch.drain()
        assert not is_readable(fd, 0)
        store.submit("a")
        assert is_readable(fd, 60)
        assert watch.drain() > before
        assert not is_readable(fd, 0)
    assert is_readable(fd, 60)
    assert os.read(fd, 1) == b""
    os.close(fd)
    with pytest.raises(smolwf.MisuseError):
        watch.drain()


def test_a_schedule_submits_runs(store: Store) -> None:
    store.schedule_set("hourly", {"workflow": "flow", "every_ms": 3_600_000, "args": 7})
    listed = store.schedules()
    assert len(listed) == 1
    assert store.claim() is None
    store.advance_clock(3_600_000)
    attempt = store.claim()
    assert attempt is not None
    assert attempt.args == 7
    attempt.complete()
    store.schedule_delete("hourly")
    assert len(store.schedules()) == 0


def test_events_are_appended_once_for_a_key_and_read_in_order(store: Store) -> None:
    run_id = store.submit("a")
    attempt = store.claim()
    assert attempt is not None
    with attempt:
        assert attempt.event_append("progress", {"percent": 5}, key="k")
        assert not attempt.event_append("progress", {"percent": 5}, key="k")
        assert attempt.event_append("progress", 6)
    found = store.events(run_id=run_id)
    own = [event["payload"] for event in found["items"] if event["type"] == "progress"]
    assert own == [{"percent": 5}, 6]
    assert store.events(after_seq=found["last_seq"], run_id=run_id)["items"] == []


def test_a_budget_is_reserved_settled_raised_and_parks_who_finds_it_used_up(store: Store) -> None:
    @smolwf.workflow
    def spend(context: Context, args: Any) -> Any:
        with context.step("call") as step:
            if step.is_todo:
                context.reserve({"tokens": 60}, step)
                step.complete(smolwf.Used("text", {"tokens": 70}))
        reservation = context.reserve({"tokens": 60})
        context.store.budget_settle(reservation, {"tokens": 50})
        return step.result

    run_id = spend.submit(store, budget={"tokens": 100})
    run_to_the_end(store, spend)
    assert store.run(run_id)["state"] == "waiting"
    unit = store.budget(run_id)["units"]["tokens"]
    assert (unit["limit"], unit["reserved"], unit["spent"], unit["remaining"]) == (100, 0, 70, 30)
    store.budget_raise(run_id, "tokens", 100)
    run_to_the_end(store, spend)
    assert store.run(run_id)["result"] == "text"
    assert store.budget(run_id)["units"]["tokens"]["spent"] == 120


def test_a_whole_store_says_so(store: Store) -> None:
    flow.submit(store)
    assert isinstance(store.check(), dict)


def test_a_backup_is_a_store_with_what_was_there(store: Store, tmp_path: Path) -> None:
    run_id = flow.submit(store)
    store.backup(tmp_path / "copy.db")
    flow.submit(store)
    with Store.open(tmp_path / "copy.db") as copy:
        assert copy.run(run_id)["state"] == "pending"
        assert copy.count_runs() == 1
    with pytest.raises(ConflictError, match="is there already"):
        store.backup(str(tmp_path / "copy.db"))
    with pytest.raises(InvalidError, match="holds a NUL"):
        store.backup("a\0b")
