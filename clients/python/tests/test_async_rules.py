"""What asyncio alone can do to a workflow: cancels, groups, forgotten awaits, loops, threads."""

from __future__ import annotations

import asyncio
import functools
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, Callable, Optional, TypeVar

import pytest

import smolwf
from smolwf import AsyncContext, AsyncStore, AsyncWorker
from smolwf.attempt import Attempt
from smolwf.session import Session

T = TypeVar("T")
#: what mypy, told of Python 3.9, does not find
newer: Any = asyncio
Meanwhile = Callable[[AsyncStore, str], Coroutine[Any, Any, None]]


def run(main: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(main, 120))


async def play(
    flow: Any, meanwhile: Optional[Meanwhile] = None, path: Optional[Path] = None, **chosen: Any
) -> Any:
    """Runs a workflow to its end; the document of its run."""
    opened = AsyncStore.open_in_memory() if path is None else AsyncStore.open(path)
    async with await opened as store:
        run_id = await flow.submit_async(store, backoff_initial_ms=1, **chosen)
        worker = AsyncWorker(store, [flow])
        working = asyncio.ensure_future(worker.run())
        if meanwhile is not None:
            await meanwhile(store, run_id)
        ended = await store.wait_run(run_id, 60_000)
        worker.stop()
        await working
        return ended or await store.run(run_id)


HOLD_THE_LOCK = """
import sqlite3, sys
file = sqlite3.connect(sys.argv[1], isolation_level=None)
file.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


class Lock:
    """Another process that holds the write lock of a file."""

    def __init__(self, path: Path) -> None:
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", HOLD_THE_LOCK, str(path)]
        self._holder = subprocess.Popen(command, stdin=pipe, stdout=pipe)
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"held\n"

    def release(self) -> None:
        self._holder.communicate()


async def cut_off(path: Path, awaitable: Any) -> None:
    """Cancels a durable call while its thread waits for a lock, as a time-out would."""
    lock = Lock(path)
    task = asyncio.ensure_future(awaitable)
    # Until the call has reached the lock; it has no way to tell.
    await asyncio.sleep(0.2)
    task.cancel()
    await asyncio.sleep(0)
    assert not task.done(), "the call is made to its end"
    lock.release()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_message_that_a_cancelled_wait_took_is_for_the_next_wait(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    sent = asyncio.Event()

    @smolwf.workflow
    async def flow(context: AsyncContext, args: Any) -> Any:
        await sent.wait()
        await cut_off(path, context.signal("go"))
        return [await context.signal("go"), await context.signal("go")]

    async def send(store: AsyncStore, run_id: str) -> None:
        await store.signal(run_id, "go", 1)
        await store.signal(run_id, "go", 2)
        sent.set()

    ended = run(play(flow, send, path))
    assert (ended["result"], ended["attempts"]) == ([1, 2], 1)


def test_a_child_that_a_cancelled_call_submitted_is_that_of_the_next_call(tmp_path: Path) -> None:
    path = tmp_path / "a.db"

    @smolwf.workflow
    async def flow(context: AsyncContext, args: Any) -> Any:
        await cut_off(path, context.child("c", "nobody"))
        return await context.child("c", "nobody")

    async def look() -> None:
        ended = await play(flow, None, path)
        with smolwf.Store.open(path) as store:
            children = store.history(ended["run_id"])["children"]
            assert [child["run_id"] for child in children] == [ended["result"]]

    run(look())


def test_a_result_that_was_recorded_under_a_cancel_is_that_of_the_next_call(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    calls: Counter[str] = Counter()
    locks: list[Lock] = []

    @smolwf.step
    async def charge() -> str:
        calls["charge"] += 1
        if not locks:
            locks.append(Lock(path))  # so that it is the record that is cut off
        return f"receipt {calls['charge']}"

    @smolwf.workflow
    async def flow(context: AsyncContext, args: Any) -> Any:
        task = asyncio.ensure_future(charge())
        while not locks:
            await asyncio.sleep(0.01)
        # Until the record has reached the lock; it has no way to tell.
        await asyncio.sleep(0.2)
        task.cancel()
        locks[0].release()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await charge()

    ended = run(play(flow, None, path))
    assert (ended["state"], ended["result"]) == ("completed", "receipt 1")
    assert calls["charge"] == 1


def test_work_that_a_time_out_cuts_off_is_begun_anew(tmp_path: Path) -> None:
    calls: Counter[str] = Counter()

    @smolwf.step
    async def slow() -> int:
        calls["slow"] += 1
        if calls["slow"] == 1:
            await asyncio.Event().wait()
        return calls["slow"]

    @smolwf.workflow
    async def flow(context: AsyncContext, args: Any) -> Any:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(slow(), 0.05)
        return await slow()

    ended = run(play(flow))
    assert (ended["state"], ended["result"], ended["attempts"]) == ("completed", 2, 1)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout is of Python 3.11")
def test_a_timeout_around_a_step_raises_a_timeout_error() -> None:
    @smolwf.step
    async def slow() -> None:
        await asyncio.Event().wait()

    @smolwf.workflow
    async def flow(context: AsyncContext, args: Any) -> str:
        try:
            async with newer.timeout(0.05):
                await slow()
        except TimeoutError:
            return "in time"
        return "never"

    assert run(play(flow))["result"] == "in time"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.TaskGroup is of Python 3.11")
def test_a_wait_in_a_group_cuts_off_no_step_of_its_siblings() -> None:
    calls: Counter[str] = Counter()
    asked = asyncio.Event()

    async def pay() -> str:
        calls["paid"] += 1
        await asked.wait()
        await asyncio.sleep(0.05)  # the wait has answered by then, and would have cancelled this
        return "receipt"

    async def ask(context: AsyncContext) -> Any:
        while not calls["paid"]:
            await asyncio.sleep(0)
        asked.set()
        return await context.signal("go")

    @smolwf.workflow
    async def flow(context: AsyncContext, args: Any) -> Any:
        async with newer.TaskGroup() as group:
            paid = group.create_task(context.call("pay", pay))
            group.create_task(ask(context))
        return paid.result()

    async def send(store: AsyncStore, run_id: str) -> None:
        while (await store.run(run_id))["state"] != "waiting":
            await asyncio.sleep(0.01)
        await store.signal(run_id, "go")

    ended = run(play(flow, send))
    assert (ended["result"], ended["attempts"], calls["paid"]) == ("receipt", 2, 1)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.TaskGroup is of Python 3.11")
def test_a_wait_in_a_group_cuts_off_no_step_that_is_being_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    has_answered = threading.Event()
    waits_inside, step_begin = Session.waits_inside, Attempt.step_begin

    def answered(self: Session, scopes: Any) -> None:
        waits_inside(self, scopes)
        has_answered.set()

    def begin_later(self: Attempt, *given: Any, **chosen: Any) -> Any:
        assert has_answered.wait(30), "the wait beside it answers"
        return step_begin(self, *given, **chosen)

    monkeypatch.setattr(Session, "waits_inside", answered)
    monkeypatch.setattr(Attempt, "step_begin", begin_later)

    @smolwf.workflow
    async def flow(context: AsyncContext, args: Any) -> Any:
        async def send() -> None:
            await context.store.signal(context.run_id, "go", "sent by the step")

        async with newer.TaskGroup() as group:
            got = group.create_task(context.signal("go"))
            group.create_task(context.call("send", send))
        return got.result()

    ended = run(play(flow))
    assert (ended["result"], ended["attempts"]) == ("sent by the step", 2)


def test_a_cancel_of_one_attempt_gives_its_run_back_and_is_raised() -> None:
    @smolwf.workflow
    async def flow(context: AsyncContext, args: Any) -> Any:
        if context.attempt.number == 1:
            await asyncio.Event().wait()
        return "done"

    async def main() -> Any:
        async with await AsyncStore.open_in_memory() as store:
            run_id = await flow.submit_async(store)
            worker = AsyncWorker(store, [flow])
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(worker.run_once(), 0.2)
            assert await worker.run_once()
            assert not await worker.run_once()
            return await store.run(run_id)

    ended = run(main())
    assert (ended["result"], ended["attempts"], ended["tries"]) == ("done", 2, 0)


def test_waits_inside_of_steps_do_not_wait_for_each_other() -> None:
    @smolwf.workflow
    async def flow(context: AsyncContext, args: Any) -> Any:
        async def inside(name: str) -> Any:
            return await context.signal(name)

        both = (context.call(name, lambda name=name: inside(name)) for name in ("a", "b"))  # type: ignore[misc]
        return await asyncio.gather(*both)

    async def send(store: AsyncStore, run_id: str) -> None:
        while (await store.run(run_id))["state"] != "waiting":
            await asyncio.sleep(0.01)
        for name in ("a", "b"):
            await store.signal(run_id, name, name)

    assert run(play(flow, send))["result"] == ["a", "b"]


def test_a_step_that_is_not_async_runs_in_a_thread_and_is_recorded() -> None:
    where: list[Any] = []

    @smolwf.step
    def blocking(n: int) -> int:
        where.append((threading.current_thread(), smolwf.current().run_id, nested(n)))
        time.sleep(0.2)  # a call that blocks
        return n + 1

    @smolwf.step
    def nested(n: int) -> int:
        return n * 10

    @smolwf.workflow
    async def flow(context: AsyncContext, n: int) -> Any:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.005)
                ticks += 1

        ticking = asyncio.ensure_future(tick())
        first = await blocking(n)  # type: ignore[misc]
        second = await context.call("second", functools.partial(str, "second"))
        in_thread = await asyncio.to_thread(nested, 3)
        ticking.cancel()
        assert ticks > 3, "the loop was held up"
        return [first, second, in_thread]

    async def main() -> None:
        async with await AsyncStore.open_in_memory() as store:
            run_id = await flow.submit_async(store, 1)
            working = asyncio.ensure_future(AsyncWorker(store, [flow]).run())
            assert await run_id.result() == [2, "second", 30]
            steps = (await store.history(run_id))["steps"]
            names = sorted((step["name"], step["occurrence"]) for step in steps)
            assert names == [("blocking", 1), ("nested", 1), ("nested", 2), ("second", 1)]
            working.cancel()
            with pytest.raises(asyncio.CancelledError):
                await working
        thread, run_of_it, ten = where[0]
        assert thread is not threading.main_thread()
        assert (run_of_it, ten) == (run_id, 10)

    run(main())


def test_a_thread_that_a_time_out_left_is_awaited_and_paid_once() -> None:
    calls: Counter[str] = Counter()
    gate = threading.Event()

    @smolwf.step
    def stubborn() -> int:
        calls["stubborn"] += 1
        gate.wait(30)
        return calls["stubborn"]

    @smolwf.workflow
    async def flow(context: AsyncContext, args: Any) -> Any:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(stubborn(), 0.05)  # type: ignore[arg-type]
        gate.set()
        return await stubborn()  # type: ignore[misc]

    ended = run(play(flow))
    assert (ended["result"], ended["attempts"], calls["stubborn"]) == (1, 1, 1)


def forgetting(forget: Callable[[AsyncContext], Any]) -> Any:
    @smolwf.workflow
    async def flow(context: AsyncContext, args: Any) -> str:
        forget(context)
        return "done"

    return flow


@smolwf.step
async def async_step() -> None: ...


@smolwf.step
def sync_step() -> None: ...


@pytest.mark.parametrize(
    ("forget", "name"),
    [
        (lambda context: context.sleep("nap", 1), "sleep nap"),
        (lambda context: context.signal("go"), "signal go"),
        (lambda context: context.child("c", "nobody"), "child c"),
        (lambda context: context.call("work", lambda: None), "step work"),
        (lambda context: context.event("told"), "event told"),
        (lambda context: context.reserve({"tokens": 1}), "reserve"),
        (lambda context: async_step(), "step async_step"),
        (lambda context: sync_step(), "step sync_step"),
    ],
)
def test_a_call_that_nobody_awaits_fails_the_run(forget: Any, name: str) -> None:
    ended = run(play(forgetting(forget)))
    assert (ended["state"], ended["attempts"]) == ("failed", 1)
    assert ended["error"]["type"] == "ForgottenAwait"
    assert ended["error"]["message"] == f"{name} was called without await, and was not done"


def test_a_call_that_is_awaited_late_or_by_a_task_is_not_forgotten() -> None:
    kept: list[Any] = []

    @smolwf.workflow
    async def flow(context: AsyncContext, args: Any) -> Any:
        late = context.call("late", lambda: "late")
        kept.append(asyncio.ensure_future(context.call("task", lambda: "task")))
        kept.append(asyncio.get_running_loop().create_task(async_step()))
        return [await context.call("first", lambda: "first"), await late]

    async def main() -> None:
        async with await AsyncStore.open_in_memory() as store:
            run_id = await flow.submit_async(store)
            working = asyncio.ensure_future(AsyncWorker(store, [flow]).run())
            assert await run_id.result() == ["first", "late"]
            steps = (await store.history(run_id))["steps"]
            assert sorted(step["name"] for step in steps) == ["async_step", "first", "late", "task"]
            working.cancel()
            with pytest.raises(asyncio.CancelledError):
                await working

    run(main())


def test_what_suspends_before_it_awaits_a_call_has_forgotten_nothing() -> None:
    @smolwf.workflow
    async def flow(context: AsyncContext, args: Any) -> Any:
        calls = [context.sleep(f"nap {n}", 1) for n in range(3)]
        for call in calls:
            await call
        return "rested"

    assert run(play(flow))["result"] == "rested"


def test_an_async_generator_that_is_left_open_holds_nothing_up() -> None:
    kept: list[Any] = []

    @smolwf.workflow
    async def flow(context: AsyncContext, args: Any) -> Any:
        async def items() -> AsyncIterator[int]:
            async with context.step("items") as step:
                yield 1
                await step.complete()

        opened = items()
        kept.append(opened)
        async for item in opened:
            if context.attempt.number == 1:
                raise RuntimeError("left")
            return item

    ended = run(play(flow))
    assert (ended["state"], ended["result"], ended["attempts"]) == ("completed", 1, 2)


def test_an_async_store_belongs_to_one_loop() -> None:
    async def opened() -> AsyncStore:
        store = await AsyncStore.open_in_memory()
        await store.submit("a")
        return store

    store = asyncio.run(opened())

    async def use() -> None:
        await store.submit("a")

    with pytest.raises(RuntimeError, match="another event loop: open one for each loop"):
        asyncio.run(use())
    store.store.close()


def begun_and_gate() -> tuple[Any, asyncio.Event, asyncio.Event]:
    begun, gate = asyncio.Event(), asyncio.Event()

    async def work() -> str:
        begun.set()
        await gate.wait()
        return "paid"

    @smolwf.workflow
    async def flow(context: AsyncContext, args: Any) -> Any:
        return await context.call("work", work)

    return flow, begun, gate


def test_the_first_cancel_of_a_worker_drains_and_the_second_ends() -> None:
    async def main() -> None:
        flow, begun, gate = begun_and_gate()
        async with await AsyncStore.open_in_memory() as store:
            first = await flow.submit_async(store)
            working = asyncio.ensure_future(AsyncWorker(store, [flow]).run())
            await begun.wait()
            working.cancel()
            await asyncio.sleep(0.05)  # to see that it is still there
            assert not working.done()
            gate.set()
            with pytest.raises(asyncio.CancelledError):
                await working
            assert (await store.run(first))["result"] == "paid"

            gate.clear()
            begun.clear()
            second = await flow.submit_async(store)
            working = asyncio.ensure_future(AsyncWorker(store, [flow]).run())
            await begun.wait()
            working.cancel()
            await asyncio.sleep(0)
            working.cancel()
            with pytest.raises(asyncio.CancelledError):
                await working
            run = await store.run(second)
            assert (run["state"], run["attempts"], run["tries"]) == ("pending", 1, 0)

    run(main())


def test_a_loop_that_ends_with_its_main_gives_the_runs_back(tmp_path: Path) -> None:
    kept: list[Any] = []

    async def main() -> str:
        flow, begun, _ = begun_and_gate()
        store = await AsyncStore.open(tmp_path / "a.db")
        run_id = await flow.submit_async(store)
        kept.append(asyncio.ensure_future(AsyncWorker(store, [flow]).run()))
        kept.append(store)
        await begun.wait()
        return str(run_id)  # asyncio.run cancels every task that is left

    run_id = asyncio.run(main())
    run = kept[1].store.run(run_id)
    assert (run["state"], run["tries"]) == ("pending", 0)
    kept[1].store.close()


def test_a_workflow_that_cancels_its_own_task_is_charged_a_try() -> None:
    @smolwf.workflow
    async def flow(context: AsyncContext, args: Any) -> Any:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(1)

    ended = run(play(flow, max_tries=2))
    assert (ended["state"], ended["tries"]) == ("failed", 2)
    assert ended["error"]["type"] == "CancelledError"


SIGNALLED = """
import asyncio, sys, smolwf

@smolwf.workflow
async def flow(context, name):
    print("begun", name, flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    return "drained"

async def main():
    async with await smolwf.AsyncStore.open(sys.argv[1]) as store:
        workers = [smolwf.AsyncWorker(store, [flow], queue=queue) for queue in ("a", "b")]
        run_id = await flow.submit_async(store, "a", queue="a")
        await asyncio.gather(*(worker.run() for worker in workers))
        print((await store.run(run_id))["result"], flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_a_signal_stops_all_workers_of_a_loop_in_order(tmp_path: Path, number: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SIGNALLED, str(tmp_path / "a.db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "begun a\n"
        child.send_signal(getattr(signal, number))
        said, _ = child.communicate("go on\n", timeout=60)
        assert (said, child.returncode) == ("drained\n", 0)


def test_an_exit_in_a_workflow_fails_its_run_alone() -> None:
    @smolwf.workflow
    async def flow(context: AsyncContext, args: Any) -> Any:
        sys.exit("enough")

    ended = run(play(flow, max_tries=1))
    assert (ended["state"], ended["error"]["type"]) == ("failed", "SystemExit")


def test_a_worker_that_must_end_tells_whoever_waits_for_a_run(tmp_path: Path) -> None:
    path = tmp_path / "a.db"

    @smolwf.workflow
    async def flow(context: AsyncContext, args: Any) -> Any:
        Path(f"{path}-wal").unlink()
        await context.call("work", lambda: None)

    async def main() -> None:
        async with await AsyncStore.open(path) as store:
            run_id = await flow.submit_async(store)
            working = asyncio.ensure_future(AsyncWorker(store, [flow]).run())
            with pytest.raises((smolwf.WalLostError, smolwf.PoisonedError)):
                await store.wait_run(run_id)
            with pytest.raises((smolwf.WalLostError, smolwf.PoisonedError)):
                await working

    run(main())
