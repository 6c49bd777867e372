"""Workflows, steps, workers."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import smolwf
from smolwf import Code, Context, Failure, Store, Worker


def run_to_the_end(store: Store, *workflows: smolwf.Workflow[Any, Any]) -> None:
    """Runs all there is to run now, in this thread."""
    worker = Worker(store, list(workflows))
    while worker.run_once():
        pass


def test_a_step_runs_once_and_replays_in_the_next_attempt(store: Store) -> None:
    calls: list[int] = []

    @smolwf.step(kind="model", max_tries=2)
    def double(n: int) -> list[int]:
        calls.append(n)
        return [n, n]

    @smolwf.workflow
    def flow(context: Context, n: int) -> Any:
        found = double(n)
        if len(calls) == 1 and context.attempt.number == 1:
            raise RuntimeError("after the step")
        return [found, double(n + 1)]

    run_id = flow.submit(store, 3)
    run_to_the_end(store, flow)
    assert store.run(run_id)["state"] == "pending"
    store.advance_clock(2_000)
    run_to_the_end(store, flow)
    run = store.run(run_id)
    assert (run["state"], run["result"]) == ("completed", [[3, 3], [4, 4]])
    assert calls == [3, 4]
    steps = store.history(run_id)["steps"]
    assert [(s["name"], s["occurrence"], s["kind"]) for s in steps] == [
        ("double", 1, "model"),
        ("double", 2, "model"),
    ]
    assert double(5) == [5, 5], "outside a workflow it is a plain call"


def test_a_step_as_a_context_and_as_a_call(store: Store) -> None:
    @smolwf.workflow(name="shop")
    def flow(context: Context, args: Any) -> Any:
        with context.step("charge", input=args) as step:
            if step.is_todo:
                assert step.id.startswith("step_")
                step.complete({"receipt": 1})
        assert smolwf.current() is context
        return [step.result, context.call("pack", lambda: (1, 2))]

    run_id = flow.submit(store, "order")
    run_to_the_end(store, flow)
    assert store.run(run_id)["result"] == [{"receipt": 1}, [1, 2]]


def test_the_work_of_a_step_knows_its_id(store: Store) -> None:
    told: list[str] = []

    @smolwf.step
    def pay() -> None:
        told.append(smolwf.step_id())
        if len(told) == 1:
            raise RuntimeError("again")

    @smolwf.workflow
    def flow(context: Context, args: None) -> None:
        with pytest.raises(LookupError):
            smolwf.step_id()
        pay()
        with context.step("by hand") as step:
            told.append(smolwf.step_id())
            step.complete()

    run_id = flow.submit(store)
    run_to_the_end(store, flow)
    store.advance_clock(2_000)
    run_to_the_end(store, flow)
    ids = [step["step_id"] for step in store.history(run_id)["steps"]]
    assert told == [ids[0], ids[0], ids[1]]


def test_another_input_is_nondeterminism(store: Store) -> None:
    @smolwf.step(hash_args=True)
    def look(what: str) -> None: ...

    @smolwf.workflow
    def flow(context: Context, args: Any) -> None:
        look(f"in attempt {context.attempt.number}")
        raise Failure("again")

    run_id = flow.submit(store)
    run_to_the_end(store, flow)
    store.advance_clock(2_000)
    run_to_the_end(store, flow)
    error = store.history(run_id)["attempts"][1]["error"]
    assert error["type"] == "NondeterminismError"


def test_a_failure_says_how_a_step_and_a_run_failed(store: Store) -> None:
    @smolwf.step
    def call(context: Context) -> None:
        raise Failure({"status": 503}, terminal=True)

    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        with pytest.raises(smolwf.StepFailed) as caught:
            call(context)
        assert caught.value.error == {"status": 503}
        raise Failure({"seen": caught.value.error}, terminal=True)

    run_id = flow.submit(store)
    run_to_the_end(store, flow)
    run = store.run(run_id)
    assert (run["state"], run["error"]) == ("failed", {"seen": {"status": 503}})
    assert run["attempts"] == 1


def test_a_step_that_failed_for_good_fails_its_run_at_once(store: Store) -> None:
    @smolwf.step(max_tries=1)
    def call() -> None:
        raise KeyError("gone")

    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        return call()

    run_id = flow.submit(store)
    run_to_the_end(store, flow)
    run = store.run(run_id)
    assert (run["state"], run["error"]["type"]) == ("failed", "StepFailed")
    cause = run["error"]["cause"]
    assert (cause["type"], cause["message"]) == ("KeyError", "'gone'")
    assert "test_workflows.py" in cause["stack"]
    assert run["attempts"] == 1


def test_an_exception_is_recorded_and_the_run_tried_again(store: Store) -> None:
    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        if context.attempt.number < 3:
            raise ValueError("not yet")
        return "at last"

    run_id = flow.submit(store)
    for _ in range(3):
        run_to_the_end(store, flow)
        store.advance_clock(60_000)
    assert store.run(run_id)["result"] == "at last"
    errors = [each["error"] for each in store.history(run_id)["attempts"]]
    assert [error and error["message"] for error in errors] == ["not yet", "not yet", None]
    assert errors[0]["type"] == "ValueError"
    assert "in flow" in errors[0]["stack"]


def test_a_result_that_is_no_json_fails_the_run_and_not_the_worker(store: Store) -> None:
    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        return {1, 2}

    run_id = flow.submit(store, max_tries=1)
    run_to_the_end(store, flow)
    run = store.run(run_id)
    assert (run["state"], run["error"]["type"]) == ("failed", "NotJson")


def test_suspending_with_nothing_to_wait_for_is_a_failure(store: Store) -> None:
    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        raise smolwf.Suspended

    run_id = flow.submit(store, max_tries=1)
    run_to_the_end(store, flow)
    assert "nothing to wait for" in store.run(run_id)["error"]["message"]


def test_an_attempt_that_is_left_is_given_back_without_a_try(store: Store) -> None:
    store.submit("a")
    for number in (1, 2, 3, 4):
        attempt = store.claim(worker="me", lease_ms=5_000)
        assert attempt is not None
        with attempt:
            assert (attempt.number, attempt.workflow, attempt.queue) == (number, "a", "default")
            assert attempt.lease_expires_at_ms == store.now_ms() + 5_000
            attempt.heartbeat(60_000)
            attempt.check()
    run = store.run(attempt_run_id(store))
    assert (run["attempts"], run["tries"]) == (5, 0)


def attempt_run_id(store: Store) -> str:
    attempt = store.claim()
    assert attempt is not None
    with attempt:
        found = attempt.run_id
        assert attempt.root_run_id == found
        assert attempt.parent_run_id is None
        assert attempt.id.startswith("attempt_")
        attempt.complete()
    with pytest.raises(smolwf.MisuseError):
        attempt.check()
    return found


def test_a_worker_of_threads_works_until_it_is_stopped(store: Store) -> None:
    done = threading.Semaphore(0)

    @smolwf.workflow
    def square(context: Context, n: int) -> int:
        done.release()
        return n * n

    ids = [square.submit(store, n) for n in range(20)]
    with Worker(store, [square], threads=4, name="w"):
        for _ in ids:
            assert done.acquire(timeout=60)
    assert [store.run(run_id)["result"] for run_id in ids] == [n * n for n in range(20)]


def test_a_worker_takes_only_its_workflows_and_versions(store: Store) -> None:
    @smolwf.workflow(code_version="2")
    def mine(context: Context, args: Any) -> None: ...

    other = store.submit("other")
    older = store.submit("mine", code_version="1")
    newer = mine.submit(store)
    worker = Worker(store, [mine], code_versions=["2"])
    assert worker.run_once()
    assert not worker.run_once()
    states = [store.run(run_id)["state"] for run_id in (other, older, newer)]
    assert states == ["pending", "pending", "completed"]


def test_a_worker_ends_when_its_store_is_shut_down(tmp_path: Path) -> None:
    @smolwf.workflow
    def flow(context: Context, args: Any) -> None: ...

    with Store.open(tmp_path / "a.db") as store:
        worker = Worker(store, [flow], threads=2).start()
        store.shutdown()
        worker.join()


INTERRUPTED = """
import sys, smolwf

@smolwf.workflow
def flow(context, args): ...

with smolwf.Store.open(sys.argv[1]) as store:
    try:
        print("waiting", flush=True)
        {wait}
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.mark.parametrize(
    "wait",
    [
        "store.claim(wait_ms=None)",
        "store.wait(store.wait(0, 0) or 0)",
        "smolwf.Worker(store, [flow]).run_once(wait_ms=None)",
        "smolwf.Worker(store, [flow], threads=2).run(signals=False)",
        "smolwf.Worker(store, [flow], threads=2).start().join()",
    ],
)
def test_an_interrupt_ends_a_wait(tmp_path: Path, wait: str) -> None:
    program = INTERRUPTED.format(wait=wait)
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "a.db")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "waiting\n"
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == "interrupted\n"
        assert child.wait(60) == 0


def test_a_step_that_fails_backs_off_and_is_tried_again(store: Store) -> None:
    store.submit("a")
    attempt = store.claim()
    assert attempt is not None
    with attempt:
        with attempt.step_begin("call", kind="http") as step:
            assert step.fail(ValueError("x"), retry_after_ms=50) is Code.SUSPEND
            assert step.retry_at_ms == store.now_ms() + 50
        assert attempt.step_begin("call").code is Code.SUSPEND
        store.advance_clock(50)
        with attempt.step_begin("call") as step:
            assert (step.code, step.tries, step.occurrence, step.name) == (Code.OK, 2, 1, "call")
            step.complete()


def test_a_step_is_freed_when_it_is_left_whatever_a_traceback_holds(store: Store) -> None:
    store.submit("a")
    attempt = store.claim()
    assert attempt is not None
    with attempt:
        step = attempt.step_begin("call")
        with pytest.raises(smolwf.InvalidError) as kept, step:
            step.complete(smolwf.Json("no json"))
        assert kept.tb is not None
        with attempt.step_begin("call") as again:
            assert again.is_todo
        with pytest.raises(smolwf.MisuseError, match="the step was freed"):
            step.complete()


def test_a_handle_is_freed_when_the_call_that_is_in_it_has_left(store: Store) -> None:
    store.submit("a")
    attempt = store.claim()
    assert attempt is not None
    with attempt.held:
        attempt.free()
        with pytest.raises(smolwf.MisuseError):
            attempt.check()
    attempt.free()
