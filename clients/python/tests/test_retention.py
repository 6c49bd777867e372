"""What has ended goes, what lives stays."""

from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import smolwf
from smolwf import AsyncStore, Store, documents


def test_what_has_ended_is_pruned_and_what_lives_stays(store: Store) -> None:
    ids = [store.submit("w", at) for at in range(3)]
    store.cancel(ids[0])
    store.cancel(ids[1])
    dry = store.prune(dry_run=True)
    assert set(dry) == set(documents.Pruned.__annotations__)
    assert (dry["runs"], dry["trees"], dry["more"]) == (2, 2, False)
    first = store.prune(1, order="newest", workflow="w", state="cancelled")
    assert (first["runs"], first["more"]) == (1, True)
    with pytest.raises(smolwf.NotFoundError):
        store.run(ids[1])
    rest = store.prune()
    assert (rest["runs"], rest["more"]) == (1, False)
    assert first["bytes"] + rest["bytes"] == dry["bytes"]
    assert [run["run_id"] for run in store.list_runs()] == ids[2:]
    assert store.check()["ok"]


def test_a_prune_that_cannot_be_is_refused(store: Store) -> None:
    with pytest.raises(smolwf.InvalidError, match="100001"):
        store.prune(100_001)
    with pytest.raises(smolwf.InvalidError, match="older"):
        store.prune(older=1)  # type: ignore[call-arg]


def test_a_prune_is_awaited(tmp_path: Path) -> None:
    async def main() -> None:
        async with await AsyncStore.open(tmp_path / "a.db") as store:
            run_id = await store.submit("w")
            await store.cancel(run_id)
            assert (await store.prune(state="failed"))["runs"] == 0
            assert (await store.prune(order="newest"))["runs"] == 1

    asyncio.run(main())


def test_what_a_policy_lets_go_is_gone_after_claims(store: Store) -> None:
    old = [store.submit("w") for _ in range(3)]
    kept = store.submit("audit")
    for run_id in (*old, kept):
        store.cancel(run_id)
    store.retention_set(
        cancelled_ms=timedelta(hours=1), keep_newest=1, workflows={"audit": {"keep_newest": 5}}
    )
    policy = store.retention()
    assert set(policy) <= set(documents.Retention.__annotations__)
    assert policy == {
        "cancelled_ms": 3_600_000,
        "keep_newest": 1,
        "workflows": {"audit": {"keep_newest": 5}},
    }
    assert store.claim() is None
    assert store.count_runs() == 4
    store.advance_clock(timedelta(hours=2))
    assert store.claim() is None
    assert [run["run_id"] for run in store.list_runs()] == [kept, old[-1]]


def test_a_policy_is_replaced_whole_and_ended(store: Store) -> None:
    store.retention_set(failed_ms=5, keep_newest=None, workflows={"w": {"failed_ms": None}})
    assert store.retention() == {"failed_ms": 5, "workflows": {"w": {}}}
    store.retention_set(completed_ms=0)
    assert store.retention() == {"completed_ms": 0}
    again: Any = store.retention()
    store.retention_set(**again)
    assert store.retention() == {"completed_ms": 0}
    store.retention_set()
    assert store.retention() == {}
    store.cancel(store.submit("w"))
    store.advance_clock(timedelta(days=300))
    assert store.claim() is None
    assert store.count_runs() == 1


def test_a_policy_that_cannot_be_is_refused(store: Store) -> None:
    store.retention_set(failed_ms=5)
    with pytest.raises(smolwf.InvalidError, match="-1"):
        store.retention_set(failed_ms=-1)
    with pytest.raises(smolwf.InvalidError, match="days"):
        store.retention_set(days=1)  # type: ignore[call-arg]
    with pytest.raises(smolwf.TooBigError):
        store.retention_set(workflows={"w" * 300: {}})
    assert store.retention() == {"failed_ms": 5}


def test_a_policy_is_awaited(tmp_path: Path) -> None:
    async def main() -> None:
        async with await AsyncStore.open(tmp_path / "a.db") as store:
            await store.retention_set(keep_newest=3)
            assert await store.retention() == {"keep_newest": 3}

    asyncio.run(main())


def test_a_file_out_of_which_much_has_gone_is_made_smaller(tmp_path: Path) -> None:
    path = tmp_path / "large.db"
    with Store.open(path) as store:
        for _ in range(20):
            # Equal payloads would stand there once, and packed.
            store.cancel(store.submit("w", secrets.token_urlsafe(150_000)))
        store.prune()
        # Whoever goes moves the log into the file.
    large = path.stat().st_size
    with Store.open(path) as store:
        free = store.stats()["file"]["free_bytes"]
        assert free > 2_000_000
        first = store.compact(10)
        assert set(first) == set(documents.Compacted.__annotations__)
        assert first["freed_pages"] == 10
        assert first["left_pages"] > 0
        while store.compact()["freed_pages"]:
            pass
        assert store.stats()["file"]["free_bytes"] < free // 10
        assert store.check()["ok"]
        with pytest.raises(smolwf.InvalidError, match="1000001"):
            store.compact(1_000_001)
    assert path.stat().st_size < large - free // 2


def test_a_compact_is_awaited(tmp_path: Path) -> None:
    async def main() -> None:
        async with await AsyncStore.open(tmp_path / "a.db") as store:
            assert (await store.compact(5))["freed_pages"] <= 5

    asyncio.run(main())
