"""Lists of runs, counts, notes on them, and acts on many."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import smolwf
from smolwf import AsyncStore, ListFilter, RunFilter, Store, documents

from .conftest import World, claim


def ids(runs: Iterator[documents.ListedRun]) -> list[str]:
    return [run["run_id"] for run in runs]


def instant(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, timezone.utc)


NEWEST_FIRST = ["asked", "failed", "child", "parent"]


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ({}, NEWEST_FIRST),
        ({"order": "oldest"}, NEWEST_FIRST[::-1]),
        ({"state": "failed"}, ["failed"]),
        ({"state": ["waiting", "pending"]}, ["child", "parent"]),
        ({"state": None, "workflow": None}, NEWEST_FIRST),
        ({"workflow": "mail"}, ["asked", "failed"]),
        ({"workflow": "mail", "state": ("failed", "completed")}, ["failed"]),
        ({"workflow": "nobody's"}, []),
        ({"queue": "q"}, ["child", "parent"]),
        ({"code_version": "2", "roots_only": True}, ["parent"]),
        ({"worker": "me"}, ["parent"]),
        ({"roots_only": True}, ["asked", "failed", "parent"]),
        ({"metadata": {"case": 7.0}}, ["parent"]),
        ({"metadata": {"case": 7, "odd": False}}, []),
        ({"idempotency_scope": "order"}, ["parent"]),
        ({"idempotency_key": "k", "workflow": "order"}, ["parent"]),
        ({"idempotency_key": "k"}, ["asked"]),
        ({"error_contains": "such road"}, ["failed"]),
        ({"cancel_asked": True}, ["asked"]),
        ({"cancel_asked": False, "order": "oldest"}, ["parent", "child", "failed"]),
    ],
)
def test_a_list_and_a_count_go_by_the_filter(
    world: World, filter: ListFilter, expected: list[str]
) -> None:
    assert world.named(world.store.list_runs(**filter)) == expected
    counted: RunFilter = filter
    assert world.store.count_runs(**counted) == len(expected)


def test_a_list_goes_by_parent_by_tree_and_by_time(world: World) -> None:
    store, parent, noon = world.store, world.id("parent"), world.noon_ms
    assert world.named(store.list_runs(parent_run_id=parent)) == ["child"]
    assert world.named(store.list_runs(root_run_id=parent)) == ["child", "parent"]
    assert world.named(store.list_runs(created_from_ms=noon)) == ["asked"]
    assert world.named(store.list_runs(created_from_ms=instant(noon))) == ["asked"]
    assert world.named(store.list_runs(created_to_ms=noon)) == ["failed", "child", "parent"]
    assert world.named(store.list_runs(finished_to_ms=instant(noon))) == ["failed"]
    assert world.named(store.list_runs(finished_from_ms=noon)) == []
    finished_ms = store.run(world.id("failed"))["finished_at_ms"]
    assert finished_ms is not None
    assert world.named(store.list_runs(finished_from_ms=finished_ms)) == ["failed"]
    assert world.named(store.list_runs(finished_to_ms=finished_ms)) == []
    with pytest.raises(ValueError, match="zone"):
        store.list_runs(created_from_ms=datetime(2026, 1, 1))


def test_a_list_shows_the_payloads_that_are_named_and_no_others(world: World) -> None:
    store = world.store
    (bare,) = store.list_runs(worker="me")
    whole = store.run(bare["run_id"])
    payloads = {"args", "result", "error", "last_error", "metadata", "waiting_for"}
    assert set(bare) == set(whole) - payloads
    assert all(bare[key] == whole[key] for key in bare)  # type: ignore[literal-required]
    (some,) = store.list_runs(worker="me", include=["args", "metadata"])
    assert set(some) - set(bare) == {"args", "metadata"}
    assert (some["args"], some["metadata"]) == ({"n": 1}, {"case": 7, "odd": True})
    (failed,) = store.list_runs(state="failed", include=["error", "result", "waiting_for"])
    assert set(failed) - set(bare) == {"error", "last_error", "result", "waiting_for"}
    assert failed["error"] == {"why": "no such road"}


def test_lists_are_what_their_types_say(world: World) -> None:
    def keys(of: Any) -> set[str]:
        return set(of.__annotations__)

    store = world.store
    page = store.list_runs_page(include=["args", "result", "error", "metadata", "waiting_for"])
    assert set(page) == keys(documents.RunPage)
    assert set(page["items"][0]) == keys(documents.ListedRun)
    assert set(store.run(world.id("failed"))) == keys(documents.Run)
    refused = store.act_many("cancel", state="failed")
    assert set(refused) == keys(documents.Acted)
    assert set(refused["refused"][0]) == keys(documents.Refusal)


def test_pages_have_every_run_once_whatever_is_submitted_between_them(store: Store) -> None:
    before: list[str] = [store.submit("a") for _ in range(7)]
    seen, cursor = [], None
    for _ in itertools.count():
        page = store.list_runs_page(cursor, 3)
        assert len(page["items"]) <= 3
        seen += [run["run_id"] for run in page["items"]]
        store.submit("a")
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == before[::-1]


def test_a_list_from_the_oldest_on_has_what_is_submitted_meanwhile(store: Store) -> None:
    expected: list[str] = [store.submit("a") for _ in range(3)]
    seen = []
    for run in store.list_runs(page_size=1, order="oldest"):
        seen.append(run["run_id"])
        if len(seen) < 4:
            expected.append(store.submit("a"))
    assert seen == expected


def test_an_iterator_reads_no_more_pages_than_it_is_asked_for(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted: list[str] = [store.submit("a") for _ in range(6)]
    read = []
    page = Store._page

    def counted(*given: Any) -> documents.RunPage:
        read.append(given)
        return page(*given)

    monkeypatch.setattr(Store, "_page", counted)
    runs = store.list_runs(page_size=2)
    assert read == []
    assert ids(itertools.islice(runs, 3)) == submitted[:2:-1]
    assert len(read) == 2


def test_what_is_wrong_with_a_list_is_an_exception(store: Store, tmp_path: Path) -> None:
    for _ in range(3):
        store.submit("a")
    with pytest.raises(smolwf.InvalidError, match="colour"):
        store.list_runs_page(colour="red")  # type: ignore[call-arg]
    with pytest.raises(smolwf.InvalidError, match="state"):
        store.list_runs_page(state="sleeping")  # type: ignore[arg-type]
    with pytest.raises(smolwf.InvalidError):
        next(store.list_runs(metadata={"a": [1]}))  # type: ignore[dict-item]
    with pytest.raises(smolwf.InvalidError):
        store.list_runs_page(limit=1_001)
    cursor = store.list_runs_page(limit=1)["next"]
    with pytest.raises(smolwf.InvalidError):
        store.list_runs_page(cursor, workflow="a")
    with Store.open(tmp_path / "other.db") as other, pytest.raises(smolwf.InvalidError):
        other.list_runs_page(cursor)
    with pytest.raises(smolwf.NotFoundError):
        store.list_runs_page(parent_run_id="run_" + "0" * 26)
    with pytest.raises(smolwf.NotFoundError):
        store.count_runs(root_run_id="run_" + "0" * 26)
    with pytest.raises(smolwf.NotJson):
        store.list_runs(metadata={"a": object()})  # type: ignore[dict-item]


def test_counting_stops_where_it_is_told(store: Store) -> None:
    store.submit_many([{"workflow": "a"}] * 5)
    assert store.count_runs() == 5
    assert store.count_runs(3) == 3
    assert store.count_runs(at_most=3, workflow="b") == 0
    with pytest.raises(smolwf.InvalidError):
        store.count_runs(10**9 + 1)


def test_a_note_is_merged_into_the_metadata_of_open_and_ended_runs(store: Store) -> None:
    run_id = store.submit("a", metadata={"kept": 1, "gone": 2, "deep": {"a": 1, "b": 2}})
    store.annotate(run_id, {"gone": None, "new": "\u00fc", "deep": {"b": None}})
    assert store.run(run_id)["metadata"] == {"kept": 1, "new": "\u00fc", "deep": {"a": 1}}
    with claim(store) as attempt:
        attempt.complete()
    store.annotate(run_id, {"checked": True})
    assert store.run(run_id)["metadata"] == {
        "kept": 1,
        "new": "\u00fc",
        "deep": {"a": 1},
        "checked": True,
    }
    assert ids(store.list_runs(metadata={"checked": True})) == [run_id]


def test_a_note_that_is_too_large_or_no_json_or_of_no_run_is_refused(store: Store) -> None:
    run_id = store.submit("a", metadata={"kept": 1})
    with pytest.raises(smolwf.TooBigError):
        store.annotate(run_id, {"large": "x" * 65_536})
    with pytest.raises(smolwf.NotJson, match=r"\$\.when"):
        store.annotate(run_id, {"when": timedelta(1)})
    with pytest.raises(smolwf.NotFoundError):
        store.annotate("run_" + "0" * 26, {})
    assert store.run(run_id)["metadata"] == {"kept": 1}


def test_acts_on_many_runs_come_to_an_end(store: Store) -> None:
    store.submit_many([{"workflow": "a"}] * 5)
    store.submit("b")
    dry = store.act_many("cancel", dry_run=True, workflow="a")
    assert dry == {"matched": 5, "done": 0, "refused": [], "more": False}
    assert store.count_runs(state="pending") == 6
    done = []
    while True:
        acted = store.act_many("cancel", 2, workflow="a")
        done.append(acted["done"])
        if not acted["more"] or acted["done"] == 0:
            break
    assert sum(done) == 5
    assert max(done) == 2
    assert store.count_runs(state="cancelled") == 5
    assert store.act_many("retry")["done"] == 5
    assert store.act_many("pause")["done"] == 6
    assert store.act_many("resume", workflow="a")["done"] == 5
    assert store.count_runs(state="paused") == 1


def test_what_a_single_act_would_raise_is_told_for_each_run(store: Store) -> None:
    run_id = store.submit("a")
    with claim(store) as attempt:
        attempt.complete()
    acted = store.act_many("cancel", state="completed")
    assert (acted["matched"], acted["done"]) == (1, 0)
    (refusal,) = acted["refused"]
    assert refusal["run_id"] == run_id
    with pytest.raises(smolwf.Error) as caught:
        store.cancel(run_id)
    assert refusal["code"] == caught.value.code
    with pytest.raises(smolwf.InvalidError, match="paint"):
        store.act_many("paint")  # type: ignore[arg-type]
    with pytest.raises(smolwf.InvalidError):
        store.act_many("cancel", 1_001)


def test_a_closed_store_is_not_looked_at(store: Store) -> None:
    store.submit_many([{"workflow": "a"}] * 3)
    runs = store.list_runs(page_size=1)
    next(runs)
    store.close()
    with pytest.raises(smolwf.ClosedError):
        next(runs)
    with pytest.raises(smolwf.ClosedError):
        store.count_runs()


def test_a_read_only_store_lists_and_counts_and_changes_nothing(tmp_path: Path) -> None:
    with Store.open(tmp_path / "a.db") as store:
        run_id = store.submit("a")
        with Store.open(tmp_path / "a.db", read_only=True) as reader:
            assert ids(reader.list_runs()) == [run_id]
            assert reader.count_runs(state="pending") == 1
            with pytest.raises(smolwf.ReadOnlyError):
                reader.annotate(run_id, {"a": 1})
            with pytest.raises(smolwf.ReadOnlyError):
                reader.act_many("cancel")


def test_lists_counts_notes_and_acts_are_awaited(tmp_path: Path) -> None:
    async def main() -> None:
        async with await AsyncStore.open(tmp_path / "a.db") as store:
            ids: list[str] = [await store.submit("a", n) for n in range(5)]
            listed = [run async for run in store.list_runs(page_size=2, include=["args"])]
            assert [run["run_id"] for run in listed] == ids[::-1]
            assert listed[0]["args"] == 4
            page = await store.list_runs_page(limit=3, order="oldest")
            rest = await store.list_runs_page(page["next"], order="oldest")
            assert [run["run_id"] for run in page["items"] + rest["items"]] == ids
            await store.annotate(ids[0], {"note": "odd"})
            assert await store.count_runs(metadata={"note": "odd"}) == 1
            assert await store.count_runs(2) == 2
            assert (await store.act_many("pause", dry_run=True))["matched"] == 5
            assert (await store.act_many("pause", 3, workflow="a"))["done"] == 3
            assert await store.count_runs(state="paused") == 3
            with pytest.raises(smolwf.InvalidError, match="colour"):
                await store.list_runs_page(colour=1)  # type: ignore[call-arg]

    asyncio.run(main())
