"""The log of events as it grows: waits and tails, in threads and on a loop."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Callable, Optional, TypeVar

import pytest

import smolwf
from smolwf import AsyncStore, Stop, Store, documents
from smolwf._library import lib

T = TypeVar("T")
PATIENCE_S = 60


def run(main: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(main, 2 * PATIENCE_S))


def running(store: Store) -> smolwf.Attempt:
    store.submit("a")
    attempt = store.claim()
    assert attempt is not None
    return attempt


def types(events: list[documents.Event]) -> list[str]:
    return [event["type"] for event in events]


class Listener:
    """A thread that follows a tail."""

    def __init__(self, store: Store, **chosen: Any) -> None:
        self.stop = Stop()
        self.ended_by: object = "nothing"
        #: None once it has ended
        self._heard: queue.Queue[Optional[documents.Event]] = queue.Queue()
        self._thread = threading.Thread(target=self._follow, args=(store, chosen))
        self._thread.start()

    def _follow(self, store: Store, chosen: dict[str, Any]) -> None:
        try:
            for event in store.tail(stop=self.stop, **chosen):
                self._heard.put(event)
            self.ended_by = "its stop"
        except smolwf.Error as error:
            self.ended_by = type(error)
        self._heard.put(None)

    def next(self) -> documents.Event:
        event = self._heard.get(timeout=PATIENCE_S)
        assert event is not None, f"ended by {self.ended_by}"
        return event

    def end(self) -> object:
        self.stop.fire()
        return self.join()

    def join(self) -> object:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        return self.ended_by


def test_a_tail_has_each_event_as_it_comes_and_ends_by_its_stop(store: Store) -> None:
    attempt = running(store)
    attempt.event_append("early", 0)
    listener = Listener(store)
    assert listener.next()["payload"] == 0
    for n in range(1, 4):
        attempt.event_append("late", n)
        event = listener.next()
        assert (event["type"], event["payload"], event["run_id"]) == ("late", n, attempt.run_id)
    assert listener.end() == "its stop"


def test_a_tail_goes_on_after_the_number_it_is_given(store: Store) -> None:
    attempt = running(store)
    for n in range(3):
        attempt.event_append("seen", n)
    second = store.events()["items"][1]["seq"]
    listener = Listener(store, after_seq=second)
    assert listener.next()["payload"] == 2
    assert listener.end() == "its stop"
    newest = Listener(store, after_seq=store.events(limit=1)["last_seq"])
    attempt.event_append("seen", 3)
    assert newest.next()["payload"] == 3
    assert newest.end() == "its stop"


def test_a_tail_has_the_types_and_the_run_that_it_asks_for(store: Store) -> None:
    one, other = running(store), running(store)
    some = Listener(store, type=["a", "b"], run_id=one.run_id)
    for attempt in (other, one):
        for kind in ("c", "b", "a"):
            attempt.event_append(kind)
    assert [some.next()["type"], some.next()["type"]] == ["b", "a"]
    single = Listener(store, type="c")
    assert {single.next()["run_id"], single.next()["run_id"]} == {one.run_id, other.run_id}
    assert (some.end(), single.end()) == ("its stop", "its stop")


def test_a_stop_that_fires_ends_a_tail_before_the_next_event(store: Store) -> None:
    attempt = running(store)
    for n in range(5):
        attempt.event_append("seen", n)
    stop, seen = Stop(), []
    for event in store.tail(stop=stop):
        seen.append(event["payload"])
        if event["payload"] == 1:
            stop.fire()
    assert seen == [0, 1]
    assert list(store.tail(stop=stop)) == []


def test_a_shutdown_ends_a_tail_with_an_exception(store: Store) -> None:
    attempt = running(store)
    listener = Listener(store)
    attempt.event_append("seen")
    listener.next()
    store.shutdown()
    assert listener.join() is smolwf.ClosedError


def test_a_tail_passes_over_many_events_that_do_not_match(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = running(store)
    attempt.event_append("seen", 1)
    event = store.events()["items"][0]
    empty: documents.EventPage = {"items": [], "first_seq": 1, "last_seq": 9, "next_seq": 5}
    pages = [empty, {**empty, "items": [event], "next_seq": 9}, None]
    asked: list[int] = []

    def answer(store: Store, after_seq: int, **chosen: Any) -> Any:
        asked.append(after_seq)
        return pages[len(asked) - 1]

    monkeypatch.setattr(Store, "event_wait", answer)
    assert list(store.tail(type="seen")) == [event]
    assert asked == [0, 5, 9]


def test_a_wait_for_events_has_a_page_or_nothing_in_time(store: Store) -> None:
    attempt = running(store)
    assert store.event_wait(timeout_ms=0) is None
    assert store.event_wait(timeout_ms=1) is None
    for kind in ("a", "b", "a"):
        attempt.event_append(kind)
    page = store.event_wait(limit=2)
    assert page is not None
    assert types(page["items"]) == ["a", "b"]
    assert set(page) == set(documents.EventPage.__annotations__)
    page = store.event_wait(page["next_seq"])
    assert page is not None
    assert types(page["items"]) == ["a"]
    assert page["next_seq"] >= page["items"][-1]["seq"]
    assert store.event_wait(page["next_seq"], timeout_ms=0) is None
    assert store.event_wait(type="c", timeout_ms=0) is None


def test_what_is_wrong_with_a_wait_is_an_exception(store: Store) -> None:
    wrong: list[dict[str, Any]] = [
        {"after_seq": -1},
        {"limit": 10_001},
        {"timeout_ms": -5},
        {"type": ""},
        {"type": []},
        {"run_id": ""},
    ]
    for chosen in wrong:
        with pytest.raises(smolwf.InvalidError):
            store.event_wait(**{"timeout_ms": 0, **chosen})
    with pytest.raises(smolwf.NotFoundError):
        store.event_wait(run_id="run_" + "0" * 26)


def test_a_read_only_store_follows_what_another_handle_appends(tmp_path: Path) -> None:
    with Store.open(tmp_path / "a.db") as store:
        attempt = running(store)
        with Store.open(tmp_path / "a.db", read_only=True) as reader:
            listener = Listener(reader)
            attempt.event_append("seen", 1)
            assert listener.next()["payload"] == 1
            attempt.event_append("seen", 2)
            assert listener.next()["payload"] == 2
            assert listener.end() == "its stop"


# ---- asyncio ------------------------------------------------------------------------------


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def test_a_wait_for_events_is_awaited(tmp_path: Path) -> None:
    async def main() -> None:
        async with await AsyncStore.open(tmp_path / "a.db") as store:
            attempt = running(store.store)
            assert await store.event_wait(timeout_ms=0) is None
            assert await store.event_wait(timeout_ms=1) is None
            await store.call(attempt.event_append, "seen")
            page = await store.event_wait(type=["seen", "other"], run_id=attempt.run_id)
            assert page is not None
            assert types(page["items"]) == ["seen"]
            assert await store.event_wait(page["next_seq"], timeout_ms=0) is None
            for after_seq, timeout_ms in ((-1, None), (0, -5)):
                with pytest.raises(smolwf.InvalidError):
                    await asyncio.wait_for(
                        store.event_wait(after_seq, timeout_ms=timeout_ms), PATIENCE_S
                    )

    run(main())


class AsyncListener:
    """A task that follows a tail."""

    def __init__(self, store: AsyncStore, after_seq: int = 0) -> None:
        self.store = store
        self.stop = Stop()
        self._heard: asyncio.Queue[documents.Event] = asyncio.Queue()
        self.task = asyncio.ensure_future(self._follow(after_seq))

    async def _follow(self, after_seq: int) -> str:
        async for event in self.store.tail(after_seq, stop=self.stop):
            self._heard.put_nowait(event)
        return "its stop"

    async def next(self) -> documents.Event:
        return await asyncio.wait_for(self._heard.get(), PATIENCE_S)

    def waits(self) -> bool:
        """Whether it has asked, and waits to be woken."""
        bell = self.store._bell
        return bell is not None and bool(bell._waiters)


def test_an_async_tail_is_woken_by_an_append_of_another_thread_and_handle(tmp_path: Path) -> None:
    async def main() -> None:
        with Store.open(tmp_path / "a.db") as other:
            attempt = running(other)
            for read_only in (False, True):
                async with await AsyncStore.open(tmp_path / "a.db", read_only=read_only) as store:
                    listener = AsyncListener(store, (await store.events())["last_seq"])
                    for n in range(3):
                        await asyncio.to_thread(attempt.event_append, "seen", n)
                        assert (await listener.next())["payload"] == n
                    await until(listener.waits)
                    await asyncio.to_thread(listener.stop.fire)
                    assert await asyncio.wait_for(listener.task, PATIENCE_S) == "its stop"

    run(main())


def test_an_async_tail_holds_no_thread_does_not_poll_and_ends_at_once_when_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    ask = lib.sw_event_wait

    def counted(*given: Any) -> Any:
        nonlocal asked
        asked += 1
        assert given[5] == 0, "the call would hold a thread"
        return ask(*given)

    monkeypatch.setattr(lib, "sw_event_wait", counted)

    async def main() -> None:
        async with await AsyncStore.open(tmp_path / "a.db") as store:
            attempt = running(store.store)
            listener = AsyncListener(store)
            await until(listener.waits)
            before = asked
            for _ in range(200):
                await asyncio.sleep(0.001)
            assert asked == before
            await store.call(attempt.event_append, "seen", 1)
            assert (await listener.next())["payload"] == 1
            await until(listener.waits)
            listener.task.cancel()
            for _ in range(10):
                await asyncio.sleep(0)
            assert listener.task.cancelled()
            assert not listener.waits()

    run(main())


def test_an_async_tail_of_a_store_that_is_closed_is_an_exception(tmp_path: Path) -> None:
    async def main() -> None:
        store = await AsyncStore.open(tmp_path / "a.db")
        listener = AsyncListener(store)
        await until(listener.waits)
        await store.close()
        with pytest.raises(smolwf.ClosedError):
            await asyncio.wait_for(listener.task, PATIENCE_S)

    run(main())
