"""Values and errors of every kind: what is no JSON is named, what is raised is recorded."""

from __future__ import annotations

import dataclasses
import json
import traceback
from datetime import datetime, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

import smolwf
from smolwf import TEXT, Codec, Context, Json, NotJson, Store

from .test_workflows import run_to_the_end


@dataclasses.dataclass
class Point:
    x: int


class Colour(Enum):
    RED = "red"


cycle: dict[str, Any] = {}
cycle["again"] = [cycle]

REFUSED = [
    (datetime(2050, 1, 1, tzinfo=timezone.utc), "$", "a datetime has no form in JSON"),
    ({"price": Decimal("1.10")}, "$.price", "a Decimal has no form in JSON"),
    ([Point(1)], "$[0]", "a Point has no form in JSON"),
    ({"c": Colour.RED}, "$.c", "a Colour has no form in JSON"),
    ({"s": {1, 2}}, "$.s", "a set has no form in JSON"),
    ({"b": b"bytes"}, "$.b", "a bytes has no form in JSON"),
    ({"n": [1, float("nan")]}, "$.n[1]", "nan has no form in JSON"),
    ((1, -float("inf")), "$[1]", "-inf has no form in JSON"),
    (cycle, "$.again[0]", "it contains itself"),
    ({"t": "a\ud800"}, "$.t", "the text has a lone surrogate"),
    ({"\ud800": 1}, "$", "a key has a lone surrogate"),
    ({(1, 2): 1}, "$", "a tuple is no key of a JSON object"),
    ({"a b": {1: "one", "1": "uno"}}, '$["a b"]', 'two keys become "1" in JSON'),
    ({True: 1, "true": 2}, "$", 'two keys become "true" in JSON'),
    ({None: 1, "null": 2}, "$", 'two keys become "null" in JSON'),
]


@pytest.mark.parametrize(("value", "place", "why"), REFUSED)
def test_a_value_without_a_form_in_json_is_named_with_its_place(
    store: Store, value: Any, place: str, why: str
) -> None:
    with pytest.raises(NotJson) as caught:
        store.submit("a", value)
    assert str(caught.value) == f"{place}: {why}"
    assert caught.value.place == place
    assert isinstance(caught.value, (TypeError, ValueError))

    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        return context.call("work", lambda: value)

    run_id = flow.submit(store)
    run_to_the_end(store, flow)
    run = store.run(run_id)
    assert (run["state"], run["attempts"]) == ("failed", 1)
    step = store.history(run_id)["steps"][0]
    assert step["error"]["message"] == f"the result of step work: {place}: {why}"


def test_keys_that_are_no_texts_become_texts_in_the_first_attempt_too(store: Store) -> None:
    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        return context.call("work", lambda: {1: "one", None: (2,), 1.5: True})

    run_id = flow.submit(store)
    run_to_the_end(store, flow)
    assert store.run(run_id)["result"] == {"1": "one", "null": [2], "1.5": True}


def test_a_value_that_is_too_deep_for_python_is_named_too(store: Store) -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(NotJson, match="nested more than 200 levels deep"):
        store.submit("a", deep)
    while deep:  # so that not even its end recurses
        deep = deep[0]


def test_a_codec_may_give_bytes_and_raise_what_it_likes(tmp_path: Path) -> None:
    class Unheard(Exception): ...

    def dumps(value: Any) -> bytes:
        if value == "bad":
            raise Unheard("of")
        return json.dumps(value).encode()

    with Store.open(tmp_path / "a.db", codec=Codec(dumps, json.loads)) as store:
        assert store.run(store.submit("a", [1]))["args"] == [1]
        with pytest.raises(NotJson, match="Unheard: of"):
            store.submit("a", "bad")


def test_errors_are_recorded_where_payloads_are_texts(tmp_path: Path) -> None:
    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        raise ValueError("no")

    with Store.open(tmp_path / "a.db", codec=TEXT) as store:
        run_id = flow.submit(store, Json("1"), max_tries=1)
        run_to_the_end(store, flow)
        assert store.run(run_id)["error"]["message"] == "no"


class Mute(Exception):
    def __str__(self) -> str:
        raise SystemExit("not even this")

    __repr__ = __str__


def chained() -> BaseException:
    first, second = ValueError("first"), KeyError("second")
    first.__cause__, second.__cause__ = second, first
    return first


def noted() -> BaseException:
    error = ValueError("noted")
    if hasattr(error, "add_note"):
        error.add_note("n" * 20_000_000)
    return error


class Odd(smolwf.Failure):
    """A failure whose value cannot even be shown."""

    def __init__(self) -> None:
        super().__init__(Mute())


@pytest.mark.parametrize(
    "error",
    [
        Mute(),
        chained(),
        noted(),
        Odd(),
        ValueError("x" * 20_000_000),
        smolwf.Failure({"at": Point(1)}),
        smolwf.Failure(retry_after_ms=-5),
        smolwf.Failure("late", retry_after_ms=10**18),
        MemoryError(),
        RecursionError("deep"),
        StopIteration(3),
    ],
    ids=lambda error: type(error).__name__.encode("ascii", "replace").decode(),
)
def test_whatever_is_raised_is_recorded(store: Store, error: BaseException) -> None:
    @smolwf.workflow
    def flow(context: Context, in_step: bool) -> Any:
        def work() -> None:
            raise error

        return context.call("work", work, max_tries=1) if in_step else work()

    for in_step in (False, True):
        run_id = flow.submit(store, in_step, max_tries=1)
        run_to_the_end(store, flow)
        run = store.run(run_id)
        assert (run["state"], run["attempts"], run["tries"]) == ("failed", 1, 1)


def test_what_was_recorded_is_wrapped_byte_for_byte(store: Store) -> None:
    @smolwf.workflow
    def child(context: Context, args: Any) -> Any:
        raise smolwf.Failure(Json('{"big": 1e999, "twice": 1, "twice": 2}'), terminal=True)

    @smolwf.workflow
    def parent(context: Context, args: Any) -> Any:
        return context.result(context.child("c", child))

    store.codec.write(Json("1"))
    run_id = parent.submit(store)
    run_to_the_end(store, parent, child)
    run = store.run(run_id)
    assert (run["state"], run["error"]["type"]) == ("failed", "ChildFailed")
    assert run["error"]["cause"]["twice"] == 2


def test_the_cause_of_an_error_is_recorded_with_it(store: Store) -> None:
    @smolwf.workflow
    def flow(context: Context, args: Any) -> Any:
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise RuntimeError("outer") from error

    run_id = flow.submit(store, max_tries=1)
    run_to_the_end(store, flow)
    error = store.run(run_id)["error"]
    assert (error["type"], error["message"]) == ("RuntimeError", "outer")
    assert error["cause"] == {"type": "KeyError", "message": "'inner'"}
    assert len(error["stack"].encode()) <= 8_192


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hush@127.0.0.1:1/db",
        "postgresql:///db?host=/nowhere&password=hush",
        "postgresql://me:hush?@host",
        "postgresql://me:hush\0@host",
        Path("postgresql://me:hush@host/db"),  # one slash is left
        "redis://:hush@host",
    ],
)
def test_no_error_shows_the_password_of_a_url(url: Any) -> None:
    with pytest.raises(smolwf.Error) as told:
        Store.open(url, busy_timeout_ms=100)
    error = told.value
    shown = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    assert "hush" not in shown + repr(error)


def test_a_nul_cuts_nothing_off(tmp_path: Path, store: Store) -> None:
    with pytest.raises(smolwf.InvalidError, match="holds a NUL"):
        Store.open(f"{tmp_path}/a.db\0.txt")
    assert not (tmp_path / "a.db").exists()
    texts: list[Any] = [
        lambda: store.submit("a\0b"),
        lambda: store.submit("a", queue="q\0r"),
        lambda: store.submit("a", idempotency_key="k\0l"),
        lambda: store.submit("a", code_version="1\x002"),
        lambda: store.find("k\0l", "a"),
        lambda: store.claim("q\0r"),
        lambda: store.claim(worker="w\0x"),
        lambda: store.signal(store.submit("a"), "n\0m"),
        lambda: store.queue_set("q\0r"),
        lambda: store.run("run_\0"),
        lambda: smolwf.new_id("a\0b"),
    ]
    for call in texts:
        with pytest.raises(smolwf.InvalidError):
            call()
    assert json.loads(smolwf.json_quote("a\0b")) == "a\0b"
