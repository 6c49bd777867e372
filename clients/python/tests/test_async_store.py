"""What a Store has, an AsyncStore has; its claims keep nothing when they are cancelled."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, Callable, TypeVar

import pytest

import smolwf
from smolwf import AsyncStore, Store
from smolwf.attempt import Attempt

T = TypeVar("T")
#: makes a claim that waits without limit
Claim = Callable[[AsyncStore], Coroutine[Any, Any, Any]]

#: what a Store has and an AsyncStore has not, and why
NOT_THERE = {
    "pointer": "the library's own calls may block: whoever makes them has store.store.pointer",
    "shutdown": "close does it; a wait of one task ends by its cancel or a Stop",
}
#: what is not awaited, and why
NOT_AWAITED = {
    "now_ms": "never blocks",
    "fail": "sets an attribute",
    "transaction": "a context, whose end is awaited",
}
#: parameters that differ, and why
OTHERWISE = {"graduate": "moves to an AsyncStore"}


def run(main: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(main, 120))


# ---- the rule -----------------------------------------------------------------------------


def public(of: Any) -> set[str]:
    return {name for name in dir(of) if not name.startswith("_")}


def parameters(function: Any) -> list[str]:
    return [str(each) for each in inspect.signature(function).parameters.values()]


def methods(of: type) -> dict[str, Any]:
    return {name: it for name, it in inspect.getmembers(of, inspect.isroutine) if name[0] != "_"}


def lacking(store: Any, beside: Any) -> list[str]:
    return sorted(public(store) - public(beside) - set(NOT_THERE))


def test_what_a_store_has_an_async_store_has(store: Store) -> None:
    beside = AsyncStore(store)
    assert lacking(store, beside) == []
    assert [name for name in NOT_THERE if name in public(beside)] == []
    assert [name for name in NOT_THERE if name not in public(store)] == []


def test_what_it_lacks_is_found(store: Store) -> None:
    class Richer(Store):
        def novelty(self) -> None: ...

    assert lacking(Richer, AsyncStore(store)) == ["novelty"]


def test_it_takes_what_a_store_takes() -> None:
    ours, theirs = methods(AsyncStore), methods(Store)
    differing = [
        name
        for name in ours.keys() & theirs.keys()
        if parameters(ours[name]) != parameters(theirs[name])
    ]
    assert differing == list(OTHERWISE)


def test_what_may_block_is_awaited() -> None:
    ours = methods(AsyncStore)
    plain = {
        name
        for name in ours.keys() & methods(Store).keys()
        if not inspect.iscoroutinefunction(ours[name])
        and not inspect.isasyncgenfunction(ours[name])
    }
    assert plain == set(NOT_AWAITED)


# ---- the file -----------------------------------------------------------------------------


def test_a_schema_is_brought_up_step_by_step(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "a.db"
        async with await AsyncStore.open(path, init=False) as store:
            current, newest = await store.schema_version()
            assert current == 0
            assert await store.migrations() == []
            with pytest.raises(smolwf.SchemaOldError):
                await store.submit("a")
            assert await store.migrate(1) == 1
            assert [step["id"] for step in await store.migrations()] == [1]
            assert await store.init() == newest - 1
            assert await store.init() == 0
            assert await store.schema_version() == (newest, newest)
            assert store.path == str(path.resolve())
        with pytest.raises(smolwf.ClosedError):
            await store.migrations()
        async with await AsyncStore.open_in_memory() as store:
            assert store.path is None

    run(main())


def test_a_store_is_checked_and_copied(tmp_path: Path) -> None:
    async def main() -> None:
        async with await AsyncStore.open(tmp_path / "a.db") as store:
            run_id = await store.submit("a", {"n": 1})
            whole = await store.check()
            await store.backup(tmp_path / "copy.db")
            await store.submit("later")
            with pytest.raises(smolwf.Error):
                await store.backup(tmp_path / "copy.db")
        async with await AsyncStore.open(tmp_path / "copy.db") as copy:
            assert (await copy.run(run_id))["args"] == {"n": 1}
            assert await copy.count_runs() == 1
            assert (await copy.check())["ok"]
        assert whole["ok"]

    run(main())


def test_its_clock_codec_and_failure_are_those_of_its_store() -> None:
    async def main() -> None:
        async with await AsyncStore.open_in_memory(manual_clock=True, codec=smolwf.TEXT) as store:
            began = store.now_ms()
            assert not await store.advance_clock(None)
            assert await store.advance_clock(7)
            assert store.now_ms() == began + 7 == store.store.now_ms()
            await store.submit("a", "1", run_at_ms=began + 1_000)
            assert await store.advance_clock(None)
            assert store.now_ms() == began + 1_000
            assert store.codec is smolwf.TEXT
            assert store.failure is None
            store.fail(ended := RuntimeError("ended"))
            assert store.failure is ended

    run(main())


KILLED = """
import asyncio, sys, smolwf

async def main():
    async with await smolwf.AsyncStore.open(sys.argv[1]) as store:
        await store.kill_at(1)
        await store.kill_at(0)
        await store.submit("lives")
        await store.kill_at(1, after=True)
        await store.submit("stored, and nobody hears of it")

asyncio.run(main())
"""


def test_a_process_dies_at_the_commit_that_it_chose(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    died = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False, timeout=60)
    assert died.returncode == -signal.SIGKILL
    with Store.open(path) as store:
        assert store.count_runs() == 2


# ---- changes and stops --------------------------------------------------------------------


def test_a_change_is_waited_for() -> None:
    async def main() -> None:
        async with await AsyncStore.open_in_memory() as store:
            seen = await store.wait(0, 0) or 0
            assert await store.wait(seen, 10) is None
            waiting = asyncio.ensure_future(store.wait(seen))
            await store.submit("a")
            assert (await waiting or 0) > seen
            with await store.watch() as watch:
                fd = watch.fd()
                try:
                    changed = asyncio.Event()
                    store.loop().add_reader(fd, changed.set)
                    await store.submit("a")
                    await changed.wait()
                    assert watch.drain() > seen
                finally:
                    store.loop().remove_reader(fd)
                    os.close(fd)

    run(main())


def test_a_stop_ends_waits() -> None:
    async def main() -> None:
        async with await AsyncStore.open_in_memory() as store:
            run_id = await store.submit("a", queue="other")
            seen = await store.wait(0, 0) or 0
            stop = smolwf.Stop()
            waits = asyncio.gather(
                store.claim(wait_ms=None, stop=stop),
                store.claim_many(3, wait_ms=None, stop=stop),
                store.wait_run(run_id, None, stop),
                store.wait(seen, None, stop),
            )
            await asyncio.sleep(0.05)
            assert not waits.done()
            threading.Thread(target=stop.fire).start()
            assert await waits == [None, [], None, None]
            await store.submit("a")
            assert await store.claim_many(3, stop=stop) == [], "as a Store's after the stop"

    run(main())


# ---- claims -------------------------------------------------------------------------------


def test_several_are_claimed_at_once() -> None:
    async def main() -> None:
        async with await AsyncStore.open_in_memory() as store:
            ids = [await store.submit(name) for name in "aaab"]
            assert await store.claim_many(4, "other") == []
            first = await store.claim_many(2, workflows=["a"], lease_ms=60_000, worker="w")
            assert [attempt.run_id for attempt in first] == ids[:2]
            assert (await store.history(ids[0]))["attempts"][0]["worker"] == "w"
            assert first[0].lease_expires_at_ms < store.now_ms() + 61_000
            rest = await store.claim_many(9, workflows=["a", "b"], replay_only=True)
            assert sorted(attempt.run_id for attempt in rest) == sorted(ids[2:])
            with pytest.raises(smolwf.NondeterminismError):
                await store.call(rest[0].step_begin, "new")
            for attempt in first:
                await store.call(attempt.complete, attempt.number)
            assert await store.claim_many(9) == []
            with pytest.raises(smolwf.InvalidError):
                await store.claim_many(0)
            with pytest.raises(smolwf.InvalidError):
                await store.claim_many(1, wait_ms=-5)

    run(main())


def test_a_claim_of_many_has_what_is_submitted_later_and_holds_no_thread_meanwhile() -> None:
    async def main() -> None:
        async with await AsyncStore.open_in_memory() as opened:
            store = AsyncStore(opened.store, threads=1)
            assert await store.claim_many(3, wait_ms=10) == []
            claiming = asyncio.ensure_future(store.claim_many(3, wait_ms=None))
            limited = asyncio.ensure_future(store.claim_many(3, "other", wait_ms=60_000))
            await asyncio.sleep(0.05)
            # Both wait; the only thread there is submits.
            items = [{"workflow": "a", "args": n} for n in range(4)]
            ids = await store.submit_many(items)
            other = await store.submit("a", queue="other")
            assert [attempt.run_id for attempt in await claiming] == ids[:3]
            assert [attempt.run_id for attempt in await limited] == [other]
            await store.close()

    run(main())


CLAIMS: list[Claim] = [
    lambda store: store.claim(wait_ms=None),
    lambda store: store.claim_many(3, wait_ms=None),
]
both = pytest.mark.parametrize("claim", CLAIMS, ids=["claim", "claim_many"])


@both
def test_a_claim_that_is_cancelled_while_it_waits_leaves_nothing_claimed(claim: Claim) -> None:
    async def main() -> None:
        async with await AsyncStore.open_in_memory() as store:
            claiming = asyncio.ensure_future(claim(store))
            await asyncio.sleep(0.05)
            claiming.cancel()
            with pytest.raises(asyncio.CancelledError):
                await claiming
            run_id = await store.submit("a")
            await asyncio.sleep(0.05)
            run = await store.run(run_id)
            assert (run["state"], run["attempts"]) == ("pending", 0)

    run(main())


class Gate:
    """Claims go through, and their threads are held before anybody hears of it."""

    def __init__(self) -> None:
        self.took: list[Attempt] = []
        self.has_taken = threading.Event()
        self.is_open = threading.Event()

    def behind(self, claim: Callable[..., Any]) -> Callable[..., Any]:
        def claimed(*arguments: Any, **named: Any) -> Any:
            found = claim(*arguments, **named)
            self.took += found if isinstance(found, list) else [found]
            self.has_taken.set()
            assert self.is_open.wait(60)
            return found

        return claimed

    async def taken(self) -> None:
        await asyncio.to_thread(self.has_taken.wait, 60)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    made = Gate()
    for name in ("claim", "claim_many"):
        monkeypatch.setattr(Store, name, made.behind(getattr(Store, name)))
    yield made
    made.is_open.set()


def are_back(store: Store, ids: list[smolwf.RunId], taken: int) -> None:
    """All are pending; so many of them were claimed, and no try was charged."""
    runs = [store.run(run_id) for run_id in ids]
    assert {(run["state"], run["tries"]) for run in runs} == {("pending", 0)}
    assert sum(run["attempts"] for run in runs) == taken > 0


@both
@pytest.mark.parametrize("times", [1, 2])
def test_a_claim_that_is_cancelled_under_way_gives_back_what_it_took(
    claim: Claim, times: int, gate: Gate
) -> None:
    async def main() -> None:
        async with await AsyncStore.open_in_memory() as store:
            ids = [await store.submit("a") for _ in range(3)]
            claiming = asyncio.ensure_future(claim(store))
            await gate.taken()
            for _ in range(times):
                claiming.cancel()
                await asyncio.sleep(0.01)
                assert not claiming.done(), "it is done to its end"
            gate.is_open.set()
            with pytest.raises(asyncio.CancelledError):
                await claiming
            are_back(store.store, ids, len(gate.took))

    run(main())


@both
def test_a_claim_that_the_end_of_its_loop_cancels_gives_back_what_it_took(
    claim: Claim, gate: Gate, store: Store
) -> None:
    ids = [store.submit("a") for _ in range(3)]
    kept: list[Any] = []

    async def main() -> None:
        kept.append(asyncio.ensure_future(claim(AsyncStore(store))))
        await gate.taken()
        threading.Timer(0.1, gate.is_open.set).start()
        # asyncio.run cancels every task that is left

    asyncio.run(main())
    assert kept[0].cancelled()
    are_back(store, ids, len(gate.took))


def test_one_that_cannot_be_given_back_is_told_and_the_others_are_given_back(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with await AsyncStore.open_in_memory() as store:
            ids = [await store.submit("a") for _ in range(3)]
            claiming = asyncio.ensure_future(store.claim_many(3))
            await gate.taken()
            release = Attempt.release

            def but_one(attempt: Attempt, delay_ms: int = 0) -> None:
                if attempt.run_id == ids[1]:
                    raise smolwf.BusyError(-40, "busy", "SW_ERR_BUSY")
                release(attempt, delay_ms)

            monkeypatch.setattr(Attempt, "release", but_one)
            claiming.cancel()
            gate.is_open.set()
            with pytest.raises(smolwf.BusyError):
                await claiming
            states = [(await store.run(run_id))["state"] for run_id in ids]
            assert states == ["pending", "running", "pending"]

    run(main())


@both
def test_a_claim_that_is_cancelled_while_its_store_closes_leaves_nothing_claimed(
    claim: Claim, gate: Gate, tmp_path: Path
) -> None:
    async def main() -> list[smolwf.RunId]:
        store = await AsyncStore.open(tmp_path / "a.db")
        ids = [await store.submit("a") for _ in range(3)]
        claiming = asyncio.ensure_future(claim(store))
        await gate.taken()
        claiming.cancel()
        await store.close()
        gate.is_open.set()
        with pytest.raises(asyncio.CancelledError):
            await claiming
        return ids

    ids = run(main())
    with Store.open(tmp_path / "a.db") as store:
        are_back(store, ids, len(gate.took))
