"""The host's own tables: queries, and transactions outside of workflows."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest

import smolwf
from smolwf import AsyncStore, NotJson, Store, TransactionError

from .conftest import claim

ACCOUNTS = "CREATE TABLE accounts(id INTEGER PRIMARY KEY, balance INTEGER CHECK(balance >= 0))"
BALANCES = "SELECT balance FROM accounts ORDER BY id"
MOVE = "UPDATE accounts SET balance = balance + ? WHERE id = ?"


@pytest.fixture
def bank(store: Store) -> Store:
    """A store with two accounts."""
    with store.transaction() as tx:
        tx.execute(ACCOUNTS)
        tx.execute("INSERT INTO accounts VALUES(1, 100), (2, 50)", expect_changes=2)
    return store


def balances(store: Store) -> list[Any]:
    return [balance for (balance,) in store.query(BALANCES)]


# ---- queries ----------------------------------------------------------------------------------


class Colour(IntEnum):
    RED = 7


@pytest.mark.parametrize(
    ("value", "comes_back"),
    [
        (None, None),
        (True, 1),
        (False, 0),
        (-(2**63), -(2**63)),
        (2**63 - 1, 2**63 - 1),
        (2**53 + 1, 2**53 + 1),
        (Colour.RED, 7),
        (1.0, 1.0),
        (-0.1, -0.1),
        (1e300, 1e300),
        ("", ""),
        ('a"\\\n\u00fc \U0001f600', 'a"\\\n\u00fc \U0001f600'),
        (smolwf.Json('{"a":1}'), '{"a":1}'),
        (b"", b""),
        (b"\x00\xff", b"\x00\xff"),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"abcd")[::2], b"ac"),
    ],
)
def test_a_value_comes_back_as_it_went_in(store: Store, value: Any, comes_back: Any) -> None:
    ((by_place, kind),) = store.query("SELECT ?1, typeof(?1)", [value])
    assert (by_place, type(by_place)) == (comes_back, type(comes_back))
    ((by_name,),) = store.query("SELECT :it", {"it": value})
    assert by_name == comes_back
    assert (kind == "blob") == isinstance(comes_back, bytes)


def test_what_sqlite_alone_knows_comes_back_as_well(store: Store) -> None:
    ((more, less, text),) = store.query("SELECT 9e999, -9e999, CAST(x'ff' AS TEXT)")
    assert (more, less, text) == (float("inf"), float("-inf"), b"\xff")
    ((same,),) = store.query("SELECT ? = 9e999 AND ? = -9e999", [more, less])
    assert same == 1


@pytest.mark.parametrize(
    ("params", "place", "says"),
    [
        ([1, datetime.now(timezone.utc)], "params[1]", ".isoformat()"),
        ({"when": datetime.now(timezone.utc)}, 'params["when"]', ".isoformat()"),
        ([Decimal("1.5")], "params[0]", "a Decimal is no value of SQL"),
        ([[1]], "params[0]", "pass its JSON as a text"),
        ([{"$base64": "AA=="}], "params[0]", "pass its JSON as a text"),
        ([float("nan")], "params[0]", "nan is no number"),
        ([2**63], "params[0]", "more than 64 bits"),
        (["\ud800"], "params[0]", "lone surrogate"),
        ({"\ud800": 1}, "params", "lone surrogate"),
        ({1: 1}, "params", "a int is no name"),
        ("ab", "params", "a str is no list"),
        ({1, 2}, "params", "a set is no list"),
        (7, "params", "a int is no list"),
    ],
)
def test_a_parameter_that_is_no_value_is_refused_by_its_place(
    store: Store, params: Any, place: str, says: str
) -> None:
    with pytest.raises(NotJson) as caught:
        store.query("SELECT 1", params)
    assert caught.value.place == place
    assert says in str(caught.value)
    with store.transaction() as tx, pytest.raises(NotJson, match=r"^params"):
        tx.execute("SELECT 1", params)


def test_rows_are_a_sequence_of_tuples_and_dictionaries_by_name(bank: Store) -> None:
    found = bank.query("SELECT id, balance FROM accounts WHERE balance > :least", {"least": 10})
    assert found.columns == ("id", "balance")
    assert (found.rows, found.more) == ([(1, 100), (2, 50)], False)
    assert (list(found), len(found), found[1], found[:1]) == (
        [(1, 100), (2, 50)],
        2,
        (2, 50),
        [(1, 100)],
    )
    assert found.dicts() == [{"id": 1, "balance": 100}, {"id": 2, "balance": 50}]
    assert (1, 100) in found
    assert repr(found) == "<2 rows of id, balance>"
    assert not bank.query("SELECT 1 WHERE 0")
    with pytest.raises(ValueError, match="two columns are named id: name them apart, by AS"):
        bank.query("SELECT a.id, b.id FROM accounts a, accounts b").dicts()


def test_rows_end_at_rows_max_and_say_so(bank: Store) -> None:
    found = bank.query(BALANCES, rows_max=1)
    assert (found.rows, found.more) == ([(100,)], True)
    assert repr(found) == "<1 rows of balance, and more>"
    assert len(bank.query(BALANCES, rows_max=0, timeout_ms=timedelta(seconds=1))) == 2
    limits: list[dict[str, Any]] = [{"rows_max": -1}, {"rows_max": 10_001}, {"timeout_ms": -1}]
    for wrong in limits:
        with pytest.raises(smolwf.InvalidError, match=next(iter(wrong))):
            bank.query(BALANCES, **wrong)


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"


def test_a_query_that_runs_for_too_long_is_ended(store: Store) -> None:
    with pytest.raises(smolwf.TooBigError):
        store.query(ENDLESS, timeout_ms=1)


@pytest.mark.parametrize(
    ("sql", "params"),
    [
        ("SELEKT 1", None),
        ("SELECT * FROM nowhere", None),
        ("SELECT 1; SELECT 2", None),
        ("SELECT ?", None),
        ("SELECT 1", [1]),
        ("SELECT :a", {"b": 1}),
        ("DELETE FROM accounts", None),
        ("PRAGMA user_version", None),
        ("SELECT 1\0", None),
        ("", None),
    ],
)
def test_a_query_that_cannot_be_asked_says_why(bank: Store, sql: str, params: Any) -> None:
    with pytest.raises(smolwf.InvalidError) as caught:
        bank.query(sql, params)
    assert caught.value.message
    assert balances(bank) == [100, 50]


def test_a_store_that_is_closed_or_only_read_answers_as_for_any_call(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with Store.open(path) as store, store.transaction() as tx:
        tx.execute("CREATE TABLE t(a)")
    with pytest.raises(smolwf.ClosedError):
        store.query("SELECT 1")
    with Store.open(path, read_only=True) as store:
        assert store.query("SELECT * FROM t").columns == ("a",)
        with pytest.raises(smolwf.ReadOnlyError), store.transaction() as tx:
            tx.execute("INSERT INTO t VALUES(1)")


# ---- transactions -----------------------------------------------------------------------------


def test_a_transaction_does_all_of_it_and_tells_what_each_came_to(bank: Store) -> None:
    waiting = bank.submit("waits")

    @smolwf.workflow(name="mail", code_version="2")
    def mail(context: smolwf.Context, args: Any) -> None: ...

    with bank.transaction() as tx:
        taken = tx.execute(f"{MOVE} RETURNING balance", [-10, 1], expect_changes=1)
        tx.execute(MOVE, (10, 2))
        found = tx.query(BALANCES)
        run = tx.submit(mail, {"to": "ann"}, idempotency_key="k", priority=3)
        again = tx.submit("mail", idempotency_key="k")
        sent = tx.signal(waiting, "go", {"n": 1}, idempotency_key="s")
        same = tx.signal(waiting, "go", {"n": 1}, idempotency_key="s")
    assert (taken.changes, taken.rows) == (1, [(90,)])
    assert (found.rows, found.dicts()) == ([(90,), (60,)], [{"balance": 90}, {"balance": 60}])
    assert (run.run_id, run.run_id.existed) == (again.run_id, False)
    assert again.run_id.existed
    assert (sent.existed, same.existed) == (False, True)
    document = bank.run(run.run_id)
    assert (document["args"], document["code_version"], document["priority"]) == (
        {"to": "ann"},
        "2",
        3,
    )
    assert bank.find("k", "mail") == run.run_id, "the key is the workflow's, as for any submit"


def test_a_transaction_that_is_refused_does_nothing(bank: Store) -> None:
    with pytest.raises(smolwf.ConflictError, match=r"^script\[2\]"), bank.transaction() as tx:
        run = tx.submit("mail")
        moved = tx.execute(MOVE, [200, 2])
        tx.execute(MOVE, [-200, 1])
    assert balances(bank) == [100, 50]
    assert bank.count_runs() == 0
    for tell in (lambda: moved.changes, lambda: moved.rows, lambda: run.run_id):
        with pytest.raises(TransactionError, match="the transaction failed: nothing of it"):
            tell()


def test_a_number_of_changes_that_is_not_the_expected_undoes_the_transaction(bank: Store) -> None:
    with pytest.raises(smolwf.ConflictError, match="changed 0 rows, expected 1"):
        with bank.transaction() as tx:
            tx.execute(MOVE, [-10, 1])
            tx.execute(MOVE, [10, 3], expect_changes=1)
    assert balances(bank) == [100, 50]


def test_an_exception_in_the_block_sends_nothing(bank: Store) -> None:
    with pytest.raises(KeyError), bank.transaction() as tx:
        moved = tx.execute(MOVE, [-10, 1])
        raise KeyError("the host's own")
    assert balances(bank) == [100, 50]
    with pytest.raises(TransactionError, match="an exception left the block"):
        _ = moved.changes


def test_a_block_that_collects_nothing_does_nothing(store: Store) -> None:
    with store.transaction():
        pass
    with store.transaction() as tx, pytest.raises(NotJson, match=r"^sql: a bytes is no text"):
        tx.execute(b"SELECT 1")  # type: ignore[arg-type]


def test_a_transaction_takes_items_in_its_block_alone(bank: Store) -> None:
    tx = bank.transaction()
    with pytest.raises(TransactionError, match=r"not begun: with \.\.\. as tx"):
        tx.execute(MOVE, [1, 1])
    with tx:
        found = tx.query(BALANCES)
        with pytest.raises(TransactionError, match="known after the block"):
            len(found)
    assert len(found) == 2
    with pytest.raises(TransactionError, match="block of the transaction was left"):
        tx.execute(MOVE, [1, 1])
    with pytest.raises(TransactionError, match="for one block"), tx:
        pass


def test_a_transaction_in_the_block_of_another_is_refused(bank: Store) -> None:
    with pytest.raises(TransactionError, match="is open here"), bank.transaction() as outer:
        outer.execute(MOVE, [-10, 1])
        with bank.transaction() as inner:
            inner.execute(MOVE, [10, 2])
    assert balances(bank) == [100, 50]
    with Store.open_in_memory() as other, bank.transaction(), other.transaction() as tx:
        tx.execute("CREATE TABLE t(a)")
    assert other is not bank


def test_a_transaction_of_a_store_has_no_result(bank: Store) -> None:
    with bank.transaction() as tx:
        moved = tx.execute(MOVE, [-10, 1])
        with pytest.raises(TransactionError, match="ends no step and no attempt"):
            tx.result(1)
        with pytest.raises(TransactionError, match="ends no step and no attempt"):
            tx.result_from(moved)


# ---- of an attempt, and of a step ---------------------------------------------------------------


def test_a_transaction_completes_its_step_with_what_it_does(bank: Store) -> None:
    run_id = bank.submit("w", max_tries=5)
    with claim(bank) as attempt:
        with attempt.step_begin("move") as step:
            with step.transaction() as tx:
                tx.execute(MOVE, [-10, 1])
                tx.result_from(tx.query(BALANCES))
                with pytest.raises(TransactionError, match="has its result already"):
                    tx.result(1)
            assert step.is_settled
            with pytest.raises(smolwf.ConflictError), step.transaction() as tx:
                tx.execute(MOVE, [-10, 1])
                tx.result()
        with attempt.step_begin("look") as step:
            with step.transaction() as tx:
                tx.execute(MOVE, [10, 2])
            assert not step.is_settled, "no result was given"
            step.complete(7)
    first, second = bank.history(run_id)["steps"]
    assert first["result"] == {"columns": ["balance"], "rows": [[90], [50]], "more": False}
    assert second["result"] == 7
    assert balances(bank) == [90, 60]


def test_a_step_that_is_replayed_takes_no_transaction(bank: Store) -> None:
    bank.submit("w")
    with claim(bank) as attempt, attempt.step_begin("move") as step, step.transaction() as tx:
        tx.execute(MOVE, [-10, 1])
        tx.result()
    with claim(bank) as attempt, attempt.step_begin("move") as step:
        assert not step.is_todo
        with pytest.raises(smolwf.ConflictError), step.transaction() as tx:
            tx.execute(MOVE, [-10, 1])
            tx.result()
    assert balances(bank) == [90, 50]


def test_a_transaction_ends_its_attempt_if_it_has_a_result(bank: Store) -> None:
    run_id = bank.submit("w")
    with claim(bank) as attempt:
        with attempt.transaction() as tx:
            tx.execute(MOVE, [-10, 1])
        assert not attempt.is_ended
        with attempt.transaction() as tx:
            tx.execute(MOVE, [10, 2])
            tx.result({"n": 7})
        assert attempt.is_ended
    assert (bank.run(run_id)["state"], bank.run(run_id)["result"]) == ("completed", {"n": 7})
    assert balances(bank) == [90, 60]


def test_an_attempt_that_was_taken_over_does_nothing(bank: Store) -> None:
    bank.submit("w")
    stale = bank.claim(lease_ms=1_000)
    assert stale is not None
    step = stale.step_begin("move")
    bank.advance_clock(2_000)
    newer = claim(bank)
    for begin in (step.transaction, stale.transaction):
        with pytest.raises(smolwf.LeaseLostError), begin() as tx:
            tx.execute(MOVE, [-10, 1])
            tx.submit("other")
            tx.result()
    assert stale.is_ended
    assert balances(bank) == [100, 50]
    assert bank.count_runs() == 1
    with newer.step_begin("move") as again, again.transaction() as tx:
        tx.execute(MOVE, [-10, 1])
        tx.result()
    assert balances(bank) == [90, 50]
    newer.complete()


def test_a_cancelled_attempt_records_finished_work_and_does_nothing_else(bank: Store) -> None:
    run_id = bank.submit("w")
    with claim(bank) as attempt:
        step = attempt.step_begin("move")
        bank.cancel(run_id)
        with pytest.raises(smolwf.CancelledError), attempt.transaction() as tx:
            tx.execute(MOVE, [-10, 1])
        with step.transaction() as tx:
            tx.execute(MOVE, [10, 2])
            tx.result()
    assert balances(bank) == [100, 60]
    assert bank.run(run_id)["state"] == "cancelled"


def test_a_store_whose_codec_is_text_takes_and_gives_texts() -> None:
    with Store.open_in_memory(codec=smolwf.TEXT) as store:
        store.submit("w", "null")
        with claim(store) as attempt, attempt.transaction() as tx:
            tx.submit("other", '{"a":1}')
            tx.result('{"b":2}')
        assert [run["args"] for run in store.list_runs(include=["args"])] == [{"a": 1}, None]


# ---- asyncio ----------------------------------------------------------------------------------


def test_an_async_store_asks_and_commits_beside_its_loop() -> None:
    async def main() -> None:
        async with await AsyncStore.open_in_memory() as store:
            async with store.transaction() as tx:
                tx.execute(ACCOUNTS)
                tx.execute("INSERT INTO accounts VALUES(1, 100)")
                found = tx.query(BALANCES)
            assert found.rows == [(100,)]
            with pytest.raises(smolwf.ConflictError):
                async with store.transaction() as tx:
                    tx.execute(MOVE, [-200, 1])
            with pytest.raises(KeyError):
                async with store.transaction() as tx:
                    tx.execute(MOVE, [-10, 1])
                    raise KeyError("the host's own")
            with pytest.raises(TransactionError, match="is open here"):
                async with store.transaction(), store.transaction():
                    pass

            async def take(n: int) -> None:
                async with store.transaction() as tx:
                    tx.execute(MOVE, [-n, 1])
                    await asyncio.sleep(0)  # so that the blocks overlap

            await asyncio.gather(*map(take, range(10)))
            assert (await store.query(BALANCES, rows_max=1)).rows == [(55,)]

    asyncio.run(main())


def test_a_fork_is_told_to_open_the_store_itself(tmp_path: Path) -> None:
    program = """
import os, sys, smolwf

def write(store):
    with store.transaction() as tx:
        tx.execute("CREATE TABLE t(a)")

def is_refused(call):
    try:
        call()
    except smolwf.ForkedError:
        return True
    return False

with smolwf.Store.open(sys.argv[1]) as store:
    if os.fork() == 0:
        both = is_refused(lambda: store.query("SELECT 1")) and is_refused(lambda: write(store))
        os._exit(7 if both else 1)
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""
    command = [sys.executable, "-c", program, str(tmp_path / "a.db")]
    assert subprocess.run(command, cwd=Path(__file__).parents[1]).returncode == 7
