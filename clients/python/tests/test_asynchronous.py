"""asyncio: nothing blocks the loop, and waits take no thread."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

import smolwf
from smolwf import AsyncContext, AsyncStore, AsyncWorker

T = TypeVar("T")

#: far above what a quiet machine shows, far below the three seconds of the lock
LAG_MS_MAX = 1_000


def run(main: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(main, 120))


async def longest_gap_ms(until: asyncio.Event) -> float:
    """The longest that a tick of 5 ms had to wait for the loop."""
    loop, longest = asyncio.get_running_loop(), 0.0
    last = loop.time()
    while not until.is_set():
        await asyncio.sleep(0.005)
        now = loop.time()
        longest, last = max(longest, now - last - 0.005), now
    return longest * 1_000


HOLD_THE_LOCK = """
import sqlite3, sys, time
file = sqlite3.connect(sys.argv[1], isolation_level=None)
file.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(3)
print("released", flush=True)
time.sleep(0.5)
file.execute("ROLLBACK")
"""


def test_a_lock_of_another_process_does_not_block_the_loop(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def main() -> float:
        async with await AsyncStore.open(tmp_path / "a.db", busy_timeout_ms=60_000) as store:
            holder = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                HOLD_THE_LOCK,
                str(tmp_path / "a.db"),
                stdout=subprocess.PIPE,
            )
            assert holder.stdout is not None
            assert await holder.stdout.readline() == b"held\n"
            done = asyncio.Event()
            gap = asyncio.ensure_future(longest_gap_ms(done))
            submits = asyncio.gather(*(store.submit("a", n) for n in range(10)))
            assert await holder.stdout.readline() == b"released\n"
            assert not submits.done(), "the lock did not hold the submits up"
            assert len(set(await submits)) == 10
            done.set()
            await holder.wait()
            return await gap

    lag_ms = run(main())
    with capsys.disabled():
        print(f"\npython: the loop was held up {lag_ms:.1f} ms at most, behind a lock of 3 s")
    assert lag_ms < LAG_MS_MAX


def test_calls_are_awaited_and_errors_raised() -> None:
    async def main() -> None:
        async with await AsyncStore.open_in_memory() as store:
            run_id = await store.submit("a", 1, idempotency_key="k")
            assert await store.find("k", "a") == run_id
            assert (await store.run(run_id))["args"] == 1
            with pytest.raises(smolwf.NotFoundError):
                await store.history("run_absent")
            attempt = await store.claim()
            assert attempt is not None
            with attempt:
                assert (await store.call(attempt.step_begin, "s")).is_todo
            assert await store.claim("other") is None
        with pytest.raises(smolwf.ClosedError):
            await store.check()

    run(main())


@smolwf.step(kind="model")
async def double(n: int) -> int:
    await asyncio.sleep(0)
    return n * 2


@smolwf.workflow
async def flow(context: AsyncContext, n: int) -> Any:
    assert smolwf.current() is context
    async with context.step("first") as step:
        if step.is_todo:
            assert step.id.startswith("step_")
            await step.complete([n])
    return [step.result, await double(n), await context.call("third", lambda: double(n))]


def test_a_worker_runs_workflows_as_tasks_and_is_woken_by_a_submit() -> None:
    async def main() -> None:
        async with await AsyncStore.open_in_memory() as store:
            worker = AsyncWorker(store, [flow], concurrency=3)
            working = asyncio.ensure_future(worker.run())
            ids = [await flow.submit_async(store, n) for n in range(12)]
            runs = [await store.wait_run(run_id) for run_id in ids]
            assert [r and r["result"] for r in runs] == [[[n], 2 * n, 2 * n] for n in range(12)]
            worker.stop()
            await working

    run(main())


def test_the_work_of_a_step_knows_its_id_in_a_task_and_in_a_thread() -> None:
    told: dict[str, str] = {}

    @smolwf.step
    async def in_a_task() -> None:
        await asyncio.sleep(0)
        told["in_a_task"] = smolwf.step_id()

    @smolwf.step
    def in_a_thread() -> None:
        told["in_a_thread"] = smolwf.step_id()

    @smolwf.workflow
    async def flow(context: AsyncContext, args: None) -> None:
        in_thread: Any = in_a_thread()
        await asyncio.gather(in_a_task(), in_thread)

    async def main() -> dict[str, str]:
        async with await AsyncStore.open_in_memory() as store:
            run_id = await flow.submit_async(store)
            async with AsyncWorker(store, [flow]):
                await run_id.result()
            steps = (await store.history(run_id))["steps"]
            return {step["name"]: step["step_id"] for step in steps}

    assert run(main()) == told


def test_a_test_lets_a_month_pass_attempt_by_attempt() -> None:
    @smolwf.workflow
    async def trial(context: AsyncContext, customer: str) -> str:
        await context.sleep("trial", timedelta(days=30))
        return f"invoice for {customer}"

    async def main() -> list[Any]:
        async with await AsyncStore.open_in_memory(manual_clock=True) as store:
            worker = AsyncWorker(store, [trial])
            run_id = await trial.submit_async(store, "ada")
            seen: list[Any] = [await worker.run_once(), await worker.run_once()]
            await store.advance_clock(timedelta(days=30))
            return [*seen, await worker.run_once(), await run_id.result(0)]

    assert run(main()) == [True, False, True, "invoice for ada"]


def test_a_workflow_parks_and_goes_on_when_its_signal_comes() -> None:
    @smolwf.workflow
    async def patient(context: AsyncContext, args: Any) -> Any:
        return await context.signal("go")

    async def main() -> None:
        async with await AsyncStore.open_in_memory() as store:
            worker = AsyncWorker(store, [patient])
            working = asyncio.ensure_future(worker.run())
            run_id = await patient.submit_async(store)
            await store.signal(run_id, "go", "now")
            done = await store.wait_run(run_id)
            assert done is not None
            assert done["result"] == "now"
            worker.stop()
            await working

    run(main())


def test_a_cancelled_worker_gives_its_runs_back() -> None:
    async def main() -> None:
        begun = asyncio.Event()

        @smolwf.workflow
        async def endless(context: AsyncContext, args: Any) -> Any:
            begun.set()
            await asyncio.Event().wait()

        async with await AsyncStore.open_in_memory() as store:
            run_id = await endless.submit_async(store)
            working = asyncio.ensure_future(AsyncWorker(store, [endless], grace_ms=0).run())
            await begun.wait()
            working.cancel()
            with pytest.raises(asyncio.CancelledError):
                await working
            assert (await store.run(run_id))["state"] == "pending"

    run(main())


def test_a_wait_ends_when_its_time_is_over() -> None:
    async def main() -> None:
        async with await AsyncStore.open_in_memory() as store:
            assert await store.claim(wait_ms=10) is None
            assert await store.wait_run(await store.submit("a"), 10) is None

    run(main())


def test_a_worker_refuses_workflows_of_the_other_kind(store: smolwf.Store) -> None:
    @smolwf.workflow
    def plain(context: smolwf.Context, args: Any) -> None: ...

    with pytest.raises(TypeError):
        smolwf.Worker(store, [flow])
    with pytest.raises(TypeError):
        AsyncWorker(AsyncStore(store), [plain])
