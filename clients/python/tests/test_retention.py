"""What has ended goes, what lives stays."""

from __future__ import annotations

import asyncio
from pathlib import Path

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
