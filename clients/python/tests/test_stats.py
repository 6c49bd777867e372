"""Why runs are where they are, and the store in numbers."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

import smolwf
from smolwf import AsyncStore, Store, documents

from .conftest import World, claim


def test_a_run_is_explained(world: World) -> None:
    store = world.store

    def reason(name: str) -> documents.Reason:
        explained = store.explain(world.id(name))
        assert explained["run_id"] == world.id(name)
        assert explained["state"] == store.run(world.id(name))["state"]
        return explained["reasons"][0]

    assert reason("parent")["code"] == "waits_child"
    assert reason("failed")["code"] == "ended"
    assert reason("asked")["code"] in ("running", "cancel_unheard")
    store.queue_set("q", paused=True)
    paused = reason("child")
    assert paused["code"] == "queue_paused"
    assert paused["text"]
    with pytest.raises(smolwf.NotFoundError):
        store.explain("run_" + "0" * 26)
    with pytest.raises(smolwf.InvalidError):
        store.explain("")


def test_a_store_tells_its_numbers(world: World) -> None:
    store = world.store
    stats = store.stats()
    assert stats["at_ms"] == store.now_ms()
    counts = stats["runs"]
    assert (counts["pending"], counts["running"], counts["waiting"]) == (1, 1, 1)
    assert (counts["failed"], counts["total"], counts["at_least"]) == (1, 4, [])
    assert stats["oldest_ready_for_ms"] == 2_000
    assert stats["file"]["bytes"] == stats["file"]["pages"] * stats["file"]["page_bytes"]
    assert stats["writer"] is not None
    assert stats["writer"]["commits"] > 0
    assert stats["full"] == []
    store.queue_set("default", concurrency=1)
    (full,) = store.stats()["full"]
    assert full["queue"] == "default"
    assert (full["limit"], full["running"], full["run_ids"]) == (1, 1, [world.id("asked")])


def test_queues_and_owners_are_listed(world: World) -> None:
    store = world.store
    store.queue_set("q", concurrency=3, concurrency_per_key=1)
    default, named = store.queues()
    assert (default["queue"], default["concurrency"], default["running"]) == ("default", None, 1)
    assert (named["queue"], named["concurrency"], named["concurrency_per_key"]) == ("q", 3, 1)
    assert (named["ready"], named["waiting"], named["paused"]) == (1, 1, False)
    assert named["last_claimed_at_ms"] is not None
    (owner,) = store.owners()
    assert (owner["pid"], owner["alive"], owner["running"]) == (os.getpid(), True, 1)


def test_reasons_and_numbers_are_what_their_types_say(world: World) -> None:
    def keys(of: Any) -> set[str]:
        return set(of.__annotations__)

    store = world.store
    explained = store.explain(world.id("parent"))
    assert set(explained) == keys(documents.Explanation)
    assert set(explained["reasons"][0]) == keys(documents.Reason)
    store.queue_set("default", concurrency=1)
    stats = store.stats()
    assert set(stats) == keys(documents.Stats)
    assert set(stats["runs"]) == keys(documents.RunCounts)
    assert set(stats["file"]) == keys(documents.FileStats)
    assert stats["writer"] is not None
    assert set(stats["writer"]) == keys(documents.WriterStats)
    assert [set(full) for full in stats["full"]] == [keys(documents.FullLimit)]
    assert [set(queue) for queue in store.queues()] == [keys(documents.Queue)] * 2
    assert [set(owner) for owner in store.owners()] == [keys(documents.Owner)]
    assert (stats["queues"], stats["owners"]) == (store.queues(), store.owners())


def test_a_read_only_store_tells_reasons_and_numbers(tmp_path: Path) -> None:
    with Store.open(tmp_path / "a.db") as store:
        run_id = store.submit("a")
        claim(store)
        with Store.open(tmp_path / "a.db", read_only=True) as reader:
            assert reader.explain(run_id)["state"] == "running"
            assert reader.stats()["writer"] is None
            assert [queue["queue"] for queue in reader.queues()] == ["default"]
            assert [owner["pid"] for owner in reader.owners()] == [os.getpid()]


def test_reasons_and_numbers_are_awaited(tmp_path: Path) -> None:
    async def main() -> None:
        async with await AsyncStore.open(tmp_path / "a.db") as store:
            run_id = await store.submit("a")
            await store.pause(run_id)
            paused = await store.explain(run_id)
            assert paused["reasons"][0]["code"] == "paused"
            assert (await store.stats())["runs"]["paused"] == 1
            assert [queue["queue"] for queue in await store.queues()] == ["default"]
            assert await store.owners() == []
            await store.submit("a")
            assert await store.claim() is not None
            assert len(await store.owners()) == 1
            with pytest.raises(smolwf.NotFoundError):
                await store.explain("run_" + "0" * 26)

    asyncio.run(main())
