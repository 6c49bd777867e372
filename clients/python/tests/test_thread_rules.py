"""What Python alone can do to a workflow: threads, processes, generators, signals, exits."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import smolwf
from smolwf import Context, Store, Worker, _library

from .test_workflows import run_to_the_end

CLIENT = Path(__file__).parents[1]


@smolwf.step
def charge(customer: str) -> str:
    return f"charged {customer}"


def steps_of(store: Store, run_id: str) -> list[Any]:
    return sorted(step["name"] for step in store.history(run_id)["steps"])


# ---- steps in threads, and elsewhere ----------------------------------------------------------


def test_a_step_in_a_thread_that_knows_no_workflow_is_an_error_that_says_what_to_write(
    store: Store,
) -> None:
    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(charge, ["ann", "bob"]))

    run_id = flow.submit(store, max_tries=1)
    run_to_the_end(store, flow)
    error = store.run(run_id)["error"]
    assert error["type"] == "OutsideWorkflow"
    assert "smolwf.carry(function)" in error["message"]
    assert steps_of(store, run_id) == []


def test_a_step_that_is_carried_into_threads_is_recorded(store: Store) -> None:
    calls: Counter[str] = Counter()

    @smolwf.step
    def pay(customer: str) -> str:
        calls[customer] += 1
        return f"charged {customer}"

    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        def one(customer: str) -> str:
            return pay.named(f"pay {customer}")(customer)

        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(smolwf.carry(one), ["ann", "bob", "cid"]))
        context.sleep("nap", 1_000)
        return found

    run_id = flow.submit(store)
    run_to_the_end(store, flow)
    store.advance_clock(1_000)
    run_to_the_end(store, flow)
    assert store.run(run_id)["result"] == ["charged ann", "charged bob", "charged cid"]
    assert steps_of(store, run_id) == ["nap", "pay ann", "pay bob", "pay cid"]
    assert calls == {"ann": 1, "bob": 1, "cid": 1}


def test_outside_of_a_workflow_a_step_is_a_plain_call_in_the_main_thread_or_by_its_name(
    store: Store,
) -> None:
    assert charge("ann") == "charged ann"
    found: list[Any] = []

    def elsewhere() -> None:
        found.append(charge.plain("bob"))
        with pytest.raises(smolwf.OutsideWorkflow, match=r"charge\.plain"):
            charge("cid")

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert found == ["charged bob"]


def test_a_step_in_a_process_that_a_workflow_may_have_started_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "pooled.py").write_text("""
import multiprocessing, smolwf

@smolwf.step
def charge(customer): return customer

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        try:
            pool.map(charge, ["ann"])
        except smolwf.OutsideWorkflow as error:
            print(error)
""")
    done = subprocess.run(
        [sys.executable, "pooled.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(CLIENT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "in a process that knows of no workflow" in done.stdout, done.stderr


def test_steps_are_methods_too(store: Store) -> None:
    class Bank:
        @smolwf.step
        def pay(self, amount: int) -> int:
            return amount * 2

    @smolwf.workflow
    def flow(context: Context, amount: int) -> int:
        found: int = Bank().pay(amount)
        return found

    run_id = flow.submit(store, 4)
    run_to_the_end(store, flow)
    assert run_id.result(0) == 8


def test_an_async_step_is_awaited_on_a_loop_of_the_workflows_own(store: Store) -> None:
    import asyncio

    calls: Counter[str] = Counter()

    @smolwf.step
    async def fetch(what: str) -> str:
        calls[what] += 1
        await asyncio.sleep(0)
        return what.upper()

    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        async def both() -> Any:
            return await asyncio.gather(fetch.named("a")("a"), fetch.named("b")("b"))

        found = asyncio.run(both())
        context.sleep("nap", 1_000)
        return found

    run_id = flow.submit(store)
    run_to_the_end(store, flow)
    store.advance_clock(1_000)
    run_to_the_end(store, flow)
    assert store.run(run_id)["result"] == ["A", "B"]
    assert calls == {"a": 1, "b": 1}


def test_what_returns_a_coroutine_where_nobody_can_await_it_fails_with_a_sentence(
    store: Store,
) -> None:
    async def later() -> None: ...

    @smolwf.workflow
    def lazy(context: Context, args: Any) -> Any:
        return later()

    @smolwf.workflow
    def lazy_step(context: Context, args: Any) -> Any:
        return context.call("work", later)

    for flow in (lazy, lazy_step):
        run_id = flow.submit(store)
        run_to_the_end(store, flow)
        run = store.run(run_id)
        assert run["state"] == "failed"
        assert "write an async workflow" in str(run["error"])


def test_a_generator_is_no_workflow_and_no_step() -> None:
    def items(context: Any, args: Any) -> Iterator[int]:
        yield 1

    with pytest.raises(TypeError, match="items is a generator"):
        smolwf.workflow(items)
    with pytest.raises(TypeError, match="items is a generator"):
        smolwf.step(items)


def test_a_generator_that_is_left_open_holds_nothing_up(store: Store) -> None:
    kept: list[Any] = []

    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        def items() -> Iterator[int]:
            with context.step("items") as step:
                yield 1
                step.complete()

        opened = items()
        kept.append(opened)
        for item in opened:
            if context.attempt.number == 1:
                context.sleep("nap", 1_000)
            return item

    run_id = flow.submit(store)
    run_to_the_end(store, flow)
    assert store.run(run_id)["state"] == "waiting"
    store.advance_clock(1_000)
    run_to_the_end(store, flow)
    assert store.run(run_id)["result"] == 1


def test_a_step_of_a_thread_that_is_gone_holds_nothing_up(store: Store) -> None:
    @smolwf.workflow
    def flow(context: Context, args: Any) -> str:
        scope = context.step("left")
        thread = threading.Thread(target=smolwf.carry(scope.__enter__))
        thread.start()
        thread.join()
        return "done"

    run_id = flow.submit(store)
    run_to_the_end(store, flow)
    assert store.run(run_id)["result"] == "done"


def test_two_children_that_are_submitted_at_once_under_one_name_end_the_run(store: Store) -> None:
    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        def refused(*args: Any, **named: Any) -> Any:
            raise smolwf.ConflictError(-23, "another thread submits a child of this name")

        context.attempt.child_submit = refused  # type: ignore[method-assign]
        with pytest.raises(smolwf.ConflictError):
            context.child("c", "nobody")
        return "done"

    run_id = flow.submit(store)
    run_to_the_end(store, flow)
    run = store.run(run_id)
    assert run["state"] == "failed"
    assert "child c" in run["error"]["message"]
    assert "distinct names or an occurrence" in run["error"]["message"]


# ---- exits, stops, signals --------------------------------------------------------------------


def test_an_exit_fails_the_run_and_whoever_waits_for_its_result_is_told(store: Store) -> None:
    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        sys.exit("enough")

    run_id = flow.submit(store, max_tries=1)
    with Worker(store, [flow]):
        with pytest.raises(smolwf.RunFailed, match="is failed: enough") as caught:
            run_id.result(60_000)
        assert caught.value.error["type"] == "SystemExit"


DELAYS: list[Any] = [-5, 10**30, -(10**30), timedelta.max, "soon", 1.5, None]


@pytest.mark.parametrize("delay", DELAYS)
def test_a_failure_with_a_delay_out_of_range_fails_its_run_and_no_worker(
    store: Store, delay: Any
) -> None:
    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        raise smolwf.Failure({"why": 1}, retry_after_ms=delay)

    @smolwf.workflow
    def stepping(context: Context, args: Any) -> Any:
        def fail() -> Any:
            raise smolwf.Failure({"why": 1}, retry_after_ms=delay)

        return context.call("paid", fail, max_tries=1)

    runs = [each.submit(store, max_tries=1) for each in (flow, stepping)]
    with Worker(store, [flow, stepping]):
        for run_id in runs:
            run = store.wait_run(run_id, 60_000)
            assert run is not None
            assert (run["state"], run["tries"]) == ("failed", 1)


#: JSON that Python refuses to read, since 3.11 and some releases before
LONG = smolwf.Json("7" * 5_000)


def ends_of(heard: list[smolwf.Event]) -> list[str]:
    return [each["event"] for each in heard if each["event"] != "claimed"]


@pytest.mark.skipif(
    not hasattr(sys, "get_int_max_str_digits"), reason="this Python reads integers of any length"
)
def test_args_that_python_cannot_read_fail_their_run_and_no_worker(store: Store) -> None:
    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        return charge("ann")

    heard: list[smolwf.Event] = []
    flow.submit(store, LONG, max_tries=2, metadata={"n": 1})
    other = flow.submit(store, priority=9)
    with Worker(store, [flow], hook=heard.append):
        assert other.result(60_000) == "charged ann"
    assert ends_of(heard)[0] == "retrying"
    assert "retry_at_ms" not in heard[1]


@pytest.mark.skipif(
    not hasattr(sys, "get_int_max_str_digits"), reason="this Python reads integers of any length"
)
def test_a_cancelled_run_that_python_cannot_read_ends_no_worker(store: Store) -> None:
    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        store.cancel(context.run_id, LONG)
        context.check()

    @smolwf.workflow
    def sound(context: Context, args: Any) -> Any:
        return charge("ann")

    heard: list[smolwf.Event] = []
    run_id = flow.submit(store)
    with Worker(store, [flow, sound], hook=heard.append):
        assert sound.submit(store, priority=9).result(60_000) == "charged ann"
    assert [each["event"] for each in heard if each["run_id"] == run_id] == ["claimed", "cancelled"]


def test_an_interrupt_gives_the_run_of_the_main_thread_back(store: Store) -> None:
    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(30)

    run_id = flow.submit(store)
    with pytest.raises(KeyboardInterrupt):
        Worker(store, [flow]).run_once()
    run = store.run(run_id)
    assert (run["state"], run["attempts"], run["tries"]) == ("pending", 1, 0)


def test_errors_of_the_library_that_are_made_by_hand_are_failures(store: Store) -> None:
    kinds: list[Any] = [smolwf.CancelledError, smolwf.LeaseLostError, smolwf.ClosedError]
    kinds += [smolwf.BusyError, smolwf.BudgetError, KeyboardInterrupt, GeneratorExit]

    @smolwf.workflow
    def flow(context: Context, at: int) -> Any:
        raise kinds[at](0, "by hand")

    ids = [flow.submit(store, at, max_tries=1) for at in range(len(kinds))]
    with Worker(store, [flow]):
        for run_id in ids:
            ended = store.wait_run(run_id, 60_000)
            assert ended is not None
            assert (ended["state"], ended["tries"]) == ("failed", 1)


def test_leaving_a_worker_is_one_stop_whoever_stopped_it_before(tmp_path: Path) -> None:
    begun, gate = threading.Event(), threading.Event()

    @smolwf.workflow
    def flow(context: Context, args: Any) -> str:
        begun.set()
        assert gate.wait(30)
        return "drained"

    with Store.open(tmp_path / "a.db") as store:
        run_id = flow.submit(store)
        with Worker(store, [flow]) as worker:
            assert begun.wait(30)
            worker.stop()
            threading.Timer(0.2, gate.set).start()  # while the worker is being left
        assert store.run(run_id)["result"] == "drained"


SIGNALLED = """
import signal, sys, threading, smolwf

@smolwf.workflow
def flow(context, args):
    print("begun", flush=True)
    sys.stdin.readline()
    return "drained"

before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
with smolwf.Store.open(sys.argv[1]) as store:
    run_id = flow.submit(store)
    smolwf.Worker(store, [flow]).run()
    run = store.run(run_id)
    print(run["state"], run["result"], run["tries"], flush=True)
assert before == (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT))
"""


def started(program: str, path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=CLIENT,
    )


def line_of(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_a_worker(tmp_path: Path, number: int) -> None:
    with started(SIGNALLED, tmp_path / "a.db") as child:
        assert line_of(child) == "begun\n"
        child.send_signal(number)
        said, errors = child.communicate("go on\n", timeout=60)
        assert (said, errors, child.returncode) == ("completed drained 0\n", "", 0)


def test_a_second_signal_gives_the_runs_back(tmp_path: Path) -> None:
    with started(SIGNALLED, tmp_path / "a.db") as child:
        assert line_of(child) == "begun\n"
        child.send_signal(signal.SIGTERM)
        child.send_signal(signal.SIGINT)
        assert line_of(child) == "pending None 0\n"
        said, errors = child.communicate(timeout=60)
        assert (said, errors, child.returncode) == ("", "", 0)


FORKED = """
import os, sys, smolwf

@smolwf.workflow
def flow(context, args): ...

with smolwf.Store.open(sys.argv[1]) as store, smolwf.Worker(store, [flow]):
    child = os.fork()
    if child == 0:
        sys.exit(7)  # leaves the worker's scope, whose threads are the parent's
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    flow.submit(store).result(60_000)
"""


def test_a_forked_child_leaves_the_worker_of_its_parent_alone(tmp_path: Path) -> None:
    with started(FORKED, tmp_path / "a.db") as child:
        said, errors = child.communicate(timeout=60)
        assert (said, child.returncode) == ("7\n", 0), errors


EXITING = """
import sys, threading, smolwf

@smolwf.workflow
def flow(context, args):
    print("begun", flush=True)
    threading.Event().wait()

store = smolwf.Store.open(sys.argv[1])
flow.submit(store)
worker = smolwf.Worker(store, [flow], threads=3).start()
sys.stdin.readline()
"""


def test_an_interpreter_that_ends_with_attempts_open_leaves_claimable_runs(tmp_path: Path) -> None:
    with started(EXITING, tmp_path / "a.db") as child:
        assert line_of(child) == "begun\n"
        _, errors = child.communicate("end\n", timeout=60)
        assert child.returncode == 0, errors
    with Store.open(tmp_path / "a.db") as store:
        attempt = store.claim(wait_ms=30_000)
        assert attempt is not None
        with attempt:
            assert attempt.number == 2


def test_a_worker_that_must_end_tells_whoever_waits(tmp_path: Path) -> None:
    path = tmp_path / "a.db"

    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        Path(f"{path}-wal").unlink()
        context.call("work", lambda: None)

    lost = (smolwf.WalLostError, smolwf.PoisonedError)
    with Store.open(path) as store:
        run_id = flow.submit(store)
        with pytest.raises(lost), Worker(store, [flow]), pytest.raises(lost):
            store.wait_run(run_id)


def test_two_workflows_of_one_name_are_refused(store: Store) -> None:
    @smolwf.workflow(name="same")
    def one(context: Context, args: Any) -> None: ...

    @smolwf.workflow(name="same")
    def other(context: Context, args: Any) -> None: ...

    with pytest.raises(ValueError, match="two workflows have the name same"):
        Worker(store, [one, other])


# ---- what is told -----------------------------------------------------------------------------


def test_log_records_carry_the_fields_and_the_trace(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        charge("ann")
        raise ValueError("on purpose")

    caplog.set_level(logging.DEBUG, "smolwf")
    run_id = flow.submit(store, max_tries=1, metadata={"trace": "t1"})
    run_to_the_end(store, flow)
    records: list[Any] = [record for record in caplog.records if record.name == "smolwf"]
    events = [record.event for record in records]
    assert events == ["claimed", "step_run", "step_done", "failed"]
    assert all(record.run_id == run_id for record in records)
    assert all(record.metadata == {"trace": "t1"} for record in records)
    assert records[1].step == "charge"
    assert records[3].levelno == logging.ERROR
    assert "on purpose" in caplog.text
    assert "test_thread_rules.py" in caplog.text
    assert f"failed flow {run_id}" in records[3].getMessage()


@pytest.mark.skipif(
    not hasattr(sys, "get_int_max_str_digits"), reason="this Python reads integers of any length"
)
def test_metadata_that_python_cannot_read_is_told_as_it_is(store: Store) -> None:
    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        return charge("ann")

    heard: list[smolwf.Event] = []
    text = f'{{"n":{LONG}}}'
    items = f'[{{"workflow":"flow","metadata":{text}}}]'  # as another client may submit it
    _library.text_from(_library.lib.sw_run_submit_many, store.pointer, *_library.text(items))
    assert Worker(store, [flow], hook=heard.append).run_once()
    assert [each["metadata"] for each in heard] == [text] * len(heard)
    assert ends_of(heard)[-1] == "completed"


class Broken(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise RuntimeError("the handler")


class Exiting(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        sys.exit(1)


@pytest.mark.parametrize("handler", [Broken(), Exiting()])
def test_a_handler_that_raises_changes_nothing(store: Store, handler: logging.Handler) -> None:
    log = logging.getLogger("smolwf")
    log.addHandler(handler)
    try:

        @smolwf.workflow
        def flow(context: Context, args: Any) -> Any:
            return charge("ann")

        run_id = flow.submit(store)
        log.setLevel(logging.DEBUG)
        run_to_the_end(store, flow)
        assert store.run(run_id)["result"] == "charged ann"
    finally:
        log.removeHandler(handler)
        log.setLevel(logging.NOTSET)


@pytest.mark.parametrize("error", [SystemExit(1), smolwf.Suspended(), KeyboardInterrupt()])
def test_a_hook_may_raise_anything(
    store: Store, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def hook(event: smolwf.Event) -> None:
        raise error

    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        return charge("ann")

    run_id = flow.submit(store)
    with Worker(store, [flow], hook=hook):
        assert run_id.result(60_000) == "charged ann"
    assert "the hook raised at completed" in caplog.text


# ---- types ------------------------------------------------------------------------------------


def test_handles_and_steps_are_typed(store: Store) -> None:
    @smolwf.workflow
    def length(context: Context, word: str) -> int:
        receipt: str = charge("ann")
        return len(word) + len(receipt)

    handle: smolwf.RunHandle[int] = length.submit(store, "word", idempotency_key="k")
    length.submit(store, 7)  # type: ignore[arg-type]
    with Worker(store, [length]):
        total: int = handle.result(60_000)
    assert total == 15
    assert store.find("k", "length") == handle == length.submit(store, "", idempotency_key="k")
    later = length.submit(store, "word")
    with pytest.raises(smolwf.TimedOut):
        later.result(0)


def test_a_run_that_a_stop_gives_back_is_not_taken_by_a_claim_that_was_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, under_way, gate = threading.Event(), threading.Event(), threading.Event()
    too_early: list[Any] = []

    @smolwf.workflow
    def flow(context: Context, args: Any) -> None:
        begun.set()
        assert context.told.wait(30)

    def hook(event: smolwf.Event) -> None:
        if event["event"] == "released" and not gate.is_set():
            too_early.append(event)

    monkeypatch.setattr("smolwf.worker.TOLD_S", 30)  # however slow the machine is
    with Store.open(tmp_path / "a.db") as store:
        run_id = flow.submit(store)
        worker = Worker(store, [flow], threads=2, hook=hook)
        claim = worker._claims.wait

        def wait(wait_ms: Any, stop: Any) -> Any:
            attempt = claim(wait_ms, stop)
            if attempt is None:
                under_way.set()
                assert gate.wait(30)
                attempt = claim(0, stop)  # it looks once more
            return attempt

        monkeypatch.setattr(worker._claims, "wait", wait)
        with worker:
            assert begun.wait(30)
            worker.stop()
            worker.stop()
            assert under_way.wait(30)
            for _ in range(50):
                assert store.run(run_id)["state"] == "running"
            gate.set()
        assert too_early == []
        run = store.run(run_id)
        assert (run["state"], run["attempts"], run["tries"]) == ("pending", 1, 0)
