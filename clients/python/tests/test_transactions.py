"""Transactions as steps of workflows, by threads and on asyncio: done once, whatever happens."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable

import pytest

import smolwf
from smolwf import AsyncContext, AsyncStore, Context, Failure, Store, TransactionError, Worker

from .conftest import claim
from .test_async_rules import Lock, cut_off, play, run
from .test_workflows import run_to_the_end

TABLE = "CREATE TABLE moves(n INTEGER, note TEXT CHECK(note <> 'refused'))"
INSERT = "INSERT INTO moves VALUES(?, ?)"
COUNT = "SELECT count(*) FROM moves"


@pytest.fixture
def bank(store: Store) -> Store:
    with store.transaction() as tx:
        tx.execute(TABLE)
    return store


def count(store: Store) -> Any:
    return store.query(COUNT)[0][0]


def again(store: Store, *flows: Any) -> None:
    """Runs all there is, and what is tried again later."""
    for _ in range(3):
        run_to_the_end(store, *flows)
        store.advance_clock(60_000)


# ---- what is recorded -------------------------------------------------------------------------


def test_a_transaction_is_done_once_and_its_value_is_that_of_every_attempt(bank: Store) -> None:
    seen: list[Any] = []

    @smolwf.workflow
    def flow(context: Context, n: int) -> Any:
        with context.transaction("move") as tx:
            seen.append(tx.is_todo)
            tx.execute(INSERT, [n, "a"], expect_changes=1)
            tx.submit("mail", {"n": n})
            tx.result((n, "moved"))
        seen.append(tx.value)
        context.sleep("nap", 1_000)
        return tx.value

    run_id = flow.submit(bank, 7)
    again(bank, flow)
    assert seen == [True, [7, "moved"], False, [7, "moved"]]
    assert bank.run(run_id)["result"] == [7, "moved"]
    assert bank.query("SELECT n, note FROM moves").rows == [(7, "a")]
    assert bank.count_runs(workflow="mail") == 1
    assert [(step["name"], step["tries"]) for step in bank.history(run_id)["steps"][:1]] == [
        ("move", 1)
    ]


def test_an_item_that_is_recorded_reads_alike_in_every_attempt_and_others_say_why_not(
    bank: Store,
) -> None:
    seen: list[Any] = []

    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        with context.transaction("move") as tx:
            made = tx.execute(f"{INSERT} RETURNING x'00ff', n", [7, "a"])
            other = tx.query(COUNT)
            tx.result_from(made)
            with pytest.raises(TransactionError, match="known after"):
                _ = made.rows
        with pytest.raises(TransactionError, match=r"tx.result_from\(item\) records it"):
            _ = other.rows
        seen.append((made.changes, made.rows, made.columns, tx.value))
        context.sleep("nap", 1_000)

    flow.submit(bank)
    again(bank, flow)
    first, second = seen
    assert first == second
    assert first[:3] == (1, [(b"\x00\xff", 7)], ("x'00ff'", "n"))
    assert first[3]["rows"] == [[{"$base64": "AP8="}, 7]]


def test_a_run_that_a_transaction_submits_is_there_for_the_next_attempt(bank: Store) -> None:
    @smolwf.workflow(code_version="3")
    def mail(context: Context, args: Any) -> None: ...

    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        with context.transaction("move") as tx:
            run = tx.submit(mail)
            tx.result_from(run)
        context.sleep("nap", 1_000)
        return run.run_id

    run_id = flow.submit(bank)
    again(bank, flow)
    assert bank.run(bank.run(run_id)["result"])["code_version"] == "3"


def test_a_text_is_recorded_as_it_is_given_back(tmp_path: Path) -> None:
    with Store.open(tmp_path / "a.db", manual_clock=True, codec=smolwf.TEXT) as store:
        seen: list[Any] = []

        @smolwf.workflow
        def flow(context: Context, args: Any) -> Any:
            with context.transaction("real") as tx:
                tx.result_from(tx.query("SELECT 9e999, 1.0, 9007199254740993, 'a'"))
            with context.transaction("text") as text:
                text.result('{ "a" : 1.0 }')
            seen.append((tx.value, text.value))
            context.sleep("nap", 1_000)
            return "null"

        store.submit("flow", "null")
        again(store, flow)
    assert seen[0] == seen[1]
    assert seen[0][1] == '{ "a" : 1.0 }'
    assert '"rows":[[{"$real":"Infinity"},1.0,9007199254740993,"a"]]' in seen[0][0]


def test_what_was_recorded_by_other_code_is_said_to_be_that(bank: Store) -> None:
    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        with context.transaction("move") as tx:
            made = tx.execute(INSERT, [7, "a"])
            if context.attempt.number == 1:
                tx.result("other")
            else:
                tx.result_from(made)
        context.sleep("nap", 1_000)
        return made.changes

    run_id = flow.submit(bank, max_tries=1)
    again(bank, flow)
    assert "the code has changed" in bank.run(run_id)["error"]["message"]


def test_a_step_that_is_recorded_takes_whatever_its_block_collects(bank: Store) -> None:
    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        with context.transaction("move") as tx:
            unfit: Any = {} if tx.is_todo else {"when": datetime.now(timezone.utc)}
            tx.execute("SELECT 1", unfit)
            tx.submit("mail", unfit)
            tx.signal(context.run_id, "go", unfit)
            tx.result(unfit)
        context.sleep("nap", 1_000)
        return tx.value

    run_id = flow.submit(bank, max_tries=1)
    again(bank, flow)
    assert (bank.run(run_id)["state"], bank.run(run_id)["result"]) == ("completed", {})


def test_a_block_that_collects_nothing_records_its_step(bank: Store) -> None:
    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        with context.transaction("nothing", input=args, kind="sql") as tx:
            pass
        return tx.value

    run_id = flow.submit(bank, 7)
    again(bank, flow)
    (step,) = bank.history(run_id)["steps"]
    assert (step["state"], step["kind"], step["result"]) == ("completed", "sql", None)


# ---- what goes wrong --------------------------------------------------------------------------


def blocks(raise_it: Callable[[Any], None]) -> tuple[Any, list[int]]:
    """A workflow with one transaction, in whose block something is done in the first try."""
    tries: list[int] = []

    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        with context.transaction("move", max_tries=3, backoff_initial_ms=1_000) as tx:
            tx.execute(INSERT, [7, "a"])
            if tx.is_todo:
                tries.append(1)
                if len(tries) == 1:
                    raise_it(tx)
            tx.result("done")
        return tx.value

    return flow, tries


def _raise(tx: Any) -> None:
    raise RuntimeError("the host's own")


def _raise_later(tx: Any) -> None:
    raise Failure({"why": "busy"}, retry_after_ms=1_000)


def _violate(tx: Any) -> None:
    tx.execute(INSERT, [8, "refused"])


def _misspell(tx: Any) -> None:
    tx.execute("INSERT INTO nowhere VALUES(1)")


def _expect(tx: Any) -> None:
    tx.execute("DELETE FROM moves WHERE n = 0", expect_changes=1)


def _unfit_parameter(tx: Any) -> None:
    tx.execute(INSERT, [datetime.now(timezone.utc), "a"])


@pytest.mark.parametrize(
    ("raise_it", "kind"),
    [
        (_raise, "RuntimeError"),
        (_raise_later, None),
        (_violate, "ConflictError"),
        (_misspell, "InvalidError"),
        (_expect, "ConflictError"),
        (_unfit_parameter, "NotJson"),
    ],
)
def test_a_failure_in_the_block_or_at_its_end_is_the_steps_and_is_tried_again(
    bank: Store, raise_it: Any, kind: Any
) -> None:
    flow, tries = blocks(raise_it)
    run_id = flow.submit(bank)
    run_to_the_end(bank, flow)
    assert (bank.run(run_id)["state"], count(bank)) == ("waiting", 0)
    (step,) = bank.history(run_id)["steps"]
    assert (step["error"] or {}).get("type") == kind
    again(bank, flow)
    assert (bank.run(run_id)["result"], count(bank), len(tries)) == ("done", 1, 2)


def test_the_last_failure_of_a_transaction_is_memoised(bank: Store) -> None:
    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        try:
            with context.transaction("move", max_tries=1) as tx:
                tx.execute(INSERT, [7, "a"])
                tx.execute(INSERT, [7, "refused"])
        except smolwf.StepFailed as error:
            context.sleep("nap", 1_000)
            return [error.error["type"], error.error["message"].partition(":")[0]]

    run_id = flow.submit(bank)
    again(bank, flow)
    assert bank.run(run_id)["result"] == ["ConflictError", "script[1]"]
    assert count(bank) == 0


def test_a_result_that_has_no_form_in_json_fails_the_step_for_good(bank: Store) -> None:
    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        with context.transaction("move") as tx:
            tx.execute(INSERT, [7, "a"])
            tx.result({"when": datetime.now(timezone.utc)})

    run_id = flow.submit(bank)
    run_to_the_end(bank, flow)
    run = bank.run(run_id)
    assert run["state"] == "failed"
    assert "the result of step move: $.when: a datetime" in run["error"]["cause"]["message"]
    assert count(bank) == 0


def test_a_wait_in_the_block_sends_nothing_until_it_is_over(bank: Store) -> None:
    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        with context.transaction("move") as tx:
            tx.execute(INSERT, [7, "a"])
            tx.result(context.signal("go"))
        return tx.value

    run_id = flow.submit(bank)
    run_to_the_end(bank, flow)
    assert (bank.run(run_id)["state"], count(bank)) == ("waiting", 0)
    bank.signal(run_id, "go", "went")
    run_to_the_end(bank, flow)
    assert (bank.run(run_id)["result"], count(bank)) == ("went", 1)


def test_a_transaction_in_another_or_outside_of_its_block_is_refused(bank: Store) -> None:
    said: list[str] = []

    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        with context.transaction("outer") as outer:
            with pytest.raises(TransactionError, match="no value before it is done"):
                _ = outer.value
            for inner in (context.transaction("inner"), context.store.transaction()):
                with pytest.raises(TransactionError) as caught, inner as tx:
                    tx.execute(INSERT, [1, "a"])
                said.append(str(caught.value))
            outer.execute(INSERT, [2, "a"])
        with pytest.raises(TransactionError, match="was left"):
            outer.execute(INSERT, [3, "a"])
        with pytest.raises(TransactionError, match="not begun"):
            context.transaction("late").execute(INSERT, [4, "a"])
        with pytest.raises(TransactionError, match="for one block"), outer:
            pass
        return "end"

    run_id = flow.submit(bank, max_tries=1)
    again(bank, flow)
    assert bank.run(run_id)["result"] == "end"
    assert (len(said), {"is open here" in each for each in said}) == (2, {True})
    assert count(bank) == 1
    assert [step["name"] for step in bank.history(run_id)["steps"]] == ["outer"]


def test_an_attempt_that_was_taken_over_in_the_block_commits_nothing(bank: Store) -> None:
    seen: list[Any] = []

    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        with context.transaction("move") as tx:
            tx.execute(INSERT, [context.attempt.number, "a"])
            tx.submit("mail")
            if context.attempt.number == 1:
                bank.advance_clock(60_000)
                taken_over = claim(bank)
                seen.append(taken_over.number)
                with taken_over.step_begin("move") as step:
                    assert step.is_todo
                taken_over.release()

    run_id = flow.submit(bank)
    Worker(bank, [flow], lease_ms=1_000).run_once()
    assert (seen, count(bank), bank.count_runs(workflow="mail")) == ([2], 0, 0)
    again(bank, flow)
    assert (bank.run(run_id)["state"], count(bank)) == ("completed", 1)
    assert bank.query("SELECT n FROM moves").rows == [(3,)]
    assert bank.count_runs(workflow="mail") == 1


def test_a_block_that_ends_after_the_stop_is_still_recorded(tmp_path: Path) -> None:
    begun, ended = threading.Event(), threading.Event()

    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        with context.transaction("move") as tx:
            tx.execute(INSERT, [7, "a"])
            begun.set()
            if tx.is_todo and context.told.wait(60):
                ended.set()

    with Store.open(tmp_path / "a.db") as store:
        with store.transaction() as tx:
            tx.execute(TABLE)
        run_id = flow.submit(store)
        with Worker(store, [flow], grace_ms=0) as worker:
            assert begun.wait(60)
            worker.stop()
        assert ended.is_set()
        assert count(store) == 1
        assert (store.run(run_id)["state"], store.run(run_id)["tries"]) == ("pending", 0)
        run_to_the_end(store, flow)
        assert (store.run(run_id)["state"], count(store)) == ("completed", 1)


def test_a_cancelled_run_records_its_finished_transaction(bank: Store) -> None:
    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        with context.transaction("move") as tx:
            tx.execute(INSERT, [7, "a"])
            bank.cancel(context.run_id)

    run_id = flow.submit(bank)
    run_to_the_end(bank, flow)
    assert (bank.run(run_id)["state"], count(bank)) == ("cancelled", 1)


def test_a_busy_file_delays_a_transaction_and_loses_nothing(tmp_path: Path) -> None:
    told: list[str] = []
    locks: list[Lock] = []

    def hook(event: smolwf.Event) -> None:
        told.append(event["event"])
        if event["event"] == "delayed":
            locks.pop().release()

    with Store.open(tmp_path / "a.db", busy_timeout_ms=200) as store:
        with store.transaction() as tx:
            tx.execute(TABLE)

        @smolwf.workflow
        def flow(context: Context, args: Any) -> Any:
            with context.transaction("move") as tx:
                tx.execute(INSERT, [7, "a"])
                locks.append(Lock(tmp_path / "a.db"))

        run_id = flow.submit(store)
        Worker(store, [flow], hook=hook).run_once()
        assert (store.run(run_id)["state"], count(store)) == ("completed", 1)
    assert told == ["claimed", "step_run", "delayed", "step_done", "completed"]


def test_transactions_side_by_side_in_threads_are_each_done_once(bank: Store) -> None:
    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        def one(n: int) -> Any:
            with context.transaction(f"move {n}") as tx:
                tx.execute(INSERT, [n, "a"])
                tx.result(n)
            return tx.value

        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(smolwf.carry(one), range(8)))
        context.sleep("nap", 1_000)
        return found

    run_id = flow.submit(bank)
    again(bank, flow)
    assert (bank.run(run_id)["result"], count(bank)) == (list(range(8)), 8)


KILLED = """
import os, signal, sys, smolwf

@smolwf.workflow
def flow(context, args):
    with context.transaction("move") as tx:
        tx.execute("INSERT INTO moves VALUES(7, 'a')")
        if tx.is_todo and sys.argv[2] == "before":
            os.kill(os.getpid(), signal.SIGKILL)
    if sys.argv[2] == "after":
        os.kill(os.getpid(), signal.SIGKILL)

with smolwf.Store.open(sys.argv[1]) as store:
    smolwf.Worker(store, [flow]).run_once()
"""


@pytest.mark.parametrize(("moment", "moves"), [("before", 0), ("after", 1)])
def test_a_kill_before_the_commit_does_nothing_and_one_after_it_repeats_nothing(
    tmp_path: Path, moment: str, moves: int
) -> None:
    path = tmp_path / "a.db"
    with Store.open(path) as store:
        with store.transaction() as tx:
            tx.execute(TABLE)
        run_id = store.submit("flow")
        command = [sys.executable, "-c", KILLED, str(path)]
        folder = Path(__file__).parents[1]
        assert subprocess.run([*command, moment], cwd=folder).returncode == -9
        assert count(store) == moves
        assert subprocess.run([*command, "never"], cwd=folder).returncode == 0
        assert (store.run(run_id)["state"], count(store)) == ("completed", 1)


# ---- on asyncio -------------------------------------------------------------------------------


async def prepare(path: Path) -> None:
    async with await AsyncStore.open(path) as store, store.transaction() as tx:
        tx.execute(TABLE)


def moves_of(path: Path) -> Any:
    with Store.open(path) as store:
        return count(store)


def test_an_async_transaction_is_done_once_and_reads_alike(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    seen: list[Any] = []

    @smolwf.workflow
    async def flow(context: AsyncContext, args: Any) -> Any:
        async with context.transaction("move", max_tries=3) as tx:
            made = tx.execute(f"{INSERT} RETURNING n", [7, "a"])
            tx.result_from(made)
            await asyncio.sleep(0)
        seen.append((made.rows, tx.value["changes"]))
        await context.sleep("nap", 10)
        return made.rows

    async def main() -> Any:
        await prepare(path)
        return await play(flow, None, path)

    ended = run(main())
    assert (ended["result"], seen) == ([[7]], 2 * [([(7,)], 1)])
    assert moves_of(path) == 1


def test_async_transactions_side_by_side_fail_and_succeed_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.db"

    @smolwf.workflow
    async def flow(context: AsyncContext, args: Any) -> Any:
        async def one(n: int) -> Any:
            async with context.transaction(f"move {n}", max_tries=1) as tx:
                tx.execute(INSERT, [n, "refused" if n == 1 else "a"])
                await asyncio.sleep(0)
                if n == 2:
                    raise KeyError("the host's own")
                tx.result(n)
            return tx.value

        found = await asyncio.gather(*map(one, range(4)), return_exceptions=True)
        return [each if isinstance(each, int) else type(each).__name__ for each in found]

    async def main() -> Any:
        await prepare(path)
        return await play(flow, None, path)

    assert run(main())["result"] == [0, "StepFailed", "StepFailed", 3]
    assert moves_of(path) == 2


def test_a_cancel_in_the_block_sends_nothing_and_the_next_block_does(tmp_path: Path) -> None:
    path = tmp_path / "a.db"

    @smolwf.workflow
    async def flow(context: AsyncContext, args: Any) -> Any:
        async def move(seconds: float) -> Any:
            async with context.transaction("move") as tx:
                tx.execute(INSERT, [7, "a"])
                await asyncio.sleep(seconds)
            return tx.is_todo

        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(move(60), 0.05)
        before = (await context.store.query(COUNT)).rows
        return [before, await move(0)]

    async def main() -> Any:
        await prepare(path)
        return await play(flow, None, path)

    ended = run(main())
    assert (ended["result"], ended["attempts"], moves_of(path)) == ([[[0]], False], 1, 1)


def test_a_cancel_while_it_is_committed_is_done_once_and_known_to_the_next_block(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.db"
    todo: list[bool] = []

    @smolwf.workflow
    async def flow(context: AsyncContext, args: Any) -> Any:
        async def move() -> Any:
            async with context.transaction("move") as tx:
                todo.append(tx.is_todo)
                made = tx.execute(f"{INSERT} RETURNING n", [7, "a"])
                tx.result_from(made)
            return made.rows

        await cut_off(path, begun_first(context, move))
        return await move()

    async def begun_first(context: AsyncContext, move: Any) -> Any:
        return await move()

    async def main() -> Any:
        await prepare(path)
        return await play(flow, None, path)

    ended = run(main())
    assert (ended["result"], ended["attempts"], todo) == ([[7]], 1, [True, False])
    assert moves_of(path) == 1


def test_an_async_transaction_backs_off_and_refuses_another_in_its_block(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    tries: list[int] = []

    @smolwf.workflow
    async def flow(context: AsyncContext, args: Any) -> Any:
        async with context.transaction("move", backoff_initial_ms=1) as tx:
            tx.execute(INSERT, [7, "a"])
            with pytest.raises(TransactionError, match="is open here"):
                async with context.store.transaction():
                    pass
            tries.append(1)
            if len(tries) == 1:
                tx.execute(INSERT, [8, "refused"])
            tx.result(len(tries))
        return tx.value

    async def main() -> Any:
        await prepare(path)
        return await play(flow, None, path)

    ended = run(main())
    assert (ended["result"], ended["attempts"], moves_of(path)) == (2, 2, 1)


def test_a_thread_of_an_async_workflow_has_transactions_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a.db"

    @smolwf.step
    def work() -> Any:
        with smolwf.current().transaction("move") as tx:
            tx.execute(INSERT, [7, "a"])
            tx.result("moved")
        return tx.value

    @smolwf.workflow
    async def flow(context: AsyncContext, args: Any) -> Any:
        return await work()

    async def main() -> Any:
        await prepare(path)
        return await play(flow, None, path)

    assert (run(main())["result"], moves_of(path)) == ("moved", 1)
