"""Runs leave a store as a document, and go on in another."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

import smolwf
from smolwf import AsyncStore, Store, documents

from .conftest import claim


@pytest.fixture
def other(tmp_path: Path) -> smolwf.Store:
    return smolwf.Store.open(tmp_path / "other.db", manual_clock=True)


def begun(store: Store) -> tuple[str, str]:
    """A run that has recorded a step and waits for its child, which is there too."""
    run_id = store.submit("parent", {"n": 1.50})
    with claim(store) as attempt:
        with attempt.step_begin("paid") as step:
            step.complete({"receipt": 7})
        child_id = attempt.child_submit("part", "child")
        assert attempt.child_await(child_id).code is smolwf.Code.SUSPEND
        attempt.suspend()
    return run_id, child_id


def finish(store: Store, run_id: str) -> None:
    """Does what is left, the child and then the parent."""
    with claim(store) as child:
        assert child.workflow == "child"
        child.complete("part")
    with claim(store) as attempt:
        assert (attempt.run_id, attempt.args, attempt.number) == (run_id, {"n": 1.5}, 2)
        with attempt.step_begin("paid") as step:
            assert (step.is_todo, step.result) == (False, {"receipt": 7})
        child_id = attempt.child_submit("part", "child")
        assert attempt.child_await(child_id).value == "part"
        attempt.complete("done")
    assert store.run(run_id)["result"] == "done"
    assert store.check()["ok"]


def test_a_run_goes_on_in_another_store(store: Store, other: Store) -> None:
    run_id, child_id = begun(store)
    document = store.export_run(run_id)
    assert '\\"n\\":1.5' in document
    with other:
        imported = other.import_run(document)
        assert set(imported) == set(documents.Imported.__annotations__)
        assert imported == {"run_id": run_id, "runs": 2}
        assert other.run(child_id)["parent_run_id"] == run_id
        finish(other, run_id)
    assert store.run(run_id)["state"] == "waiting"
    finish(store, run_id)


def test_a_second_copy_has_ids_of_its_own(store: Store) -> None:
    run_id, child_id = begun(store)
    document = store.export_run(run_id)
    with pytest.raises(smolwf.ConflictError, match=run_id):
        store.import_run(document)
    copy = store.import_run(document, ids="new")
    ids = {run["run_id"] for run in store.list_runs()}
    assert len(ids) == 4
    assert copy["run_id"] in ids - {run_id, child_id}


def test_a_redacted_document_shows_no_payload_and_is_not_imported(store: Store) -> None:
    run_id, _ = begun(store)
    document = store.export_run(run_id, redact=True)
    assert "receipt" not in document
    assert json.loads(document)["redacted"] is True
    with pytest.raises(smolwf.InvalidError, match="redact"):
        store.import_run(document, ids="new")


def test_what_cannot_be_carried_is_refused(store: Store) -> None:
    run_id, child_id = begun(store)
    with pytest.raises(smolwf.NotFoundError):
        store.export_run(smolwf.new_id("run"))
    with pytest.raises(smolwf.ConflictError, match=run_id):
        store.export_run(child_id)
    with pytest.raises(smolwf.InvalidError):
        store.import_run("{}")
    with pytest.raises(smolwf.InvalidError, match="ids"):
        store.import_run(store.export_run(run_id), ids="some")  # type: ignore[arg-type]
    assert store.count_runs() == 2


def test_runs_are_carried_on_asyncio(store: Store, tmp_path: Path) -> None:
    run_id, _ = begun(store)

    async def main() -> None:
        async with await AsyncStore.open(tmp_path / "b.db") as there:
            document = store.export_run(run_id)
            assert (await there.import_run(document))["runs"] == 2
            assert json.loads(await there.export_run(run_id))["runs"]
            assert (await there.import_run(document, ids="new"))["run_id"] != run_id

    asyncio.run(main())


def test_a_store_is_moved_with_its_runs_and_says_where_it_went(store: Store, other: Store) -> None:
    run_id, _ = begun(store)
    with other:
        report = store.graduate(other, duration_ms=1)
        assert set(report) == set(documents.Graduated.__annotations__)
        if report["state"] != "moved":
            with pytest.raises(smolwf.BusyError):
                store.submit("parent")
            assert store.graduate(None, abort=True)["state"] == "in_force"
            run = store.submit("once more")
            store.cancel(run)
        assert store.graduate(other)["state"] == "moved"
        with pytest.raises(smolwf.MovedError, match="moved to"):
            store.submit("parent")
        with pytest.raises(smolwf.MovedError):
            store.run(run_id)
        finish(other, run_id)


def test_a_store_is_moved_without_blocking_the_loop(tmp_path: Path) -> None:
    async def moved() -> str:
        async with await AsyncStore.open(tmp_path / "a.db") as here:
            run_id = await here.submit("w")
            async with await AsyncStore.open(tmp_path / "b.db") as there:
                assert (await here.graduate(there))["state"] == "moved"
                with pytest.raises(smolwf.MovedError):
                    await here.submit("w")
                return (await there.run(run_id))["state"]

    assert asyncio.run(moved()) == "pending"
