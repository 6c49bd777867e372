"""The vectors that every client is held to: tests/vectors of the repository."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Callable

import pytest

import smolwf
from smolwf import Code, Json, errors

from .conftest import REPOSITORY


def vectors(name: str, *keys: str) -> Any:
    """A file of vectors; keys that are not known here are refused, not skipped."""
    path = REPOSITORY / "tests" / "vectors" / f"{name}.json"
    found = json.loads(path.read_text("utf-8"))
    assert set(found) == set(keys)
    return found


CODES = vectors("codes", "codes")["codes"]
IDS = vectors("ids", "form", "prefixes", "refused_prefixes", "ids", "not_ids")
INPUTS = vectors("inputs", "accepted", "refused")
OCCURRENCES = vectors("occurrences", "cases")["cases"]
CODE_OF = {each["name"]: each["code"] for each in CODES}


def answer_of(call: Callable[[], Any]) -> str:
    """The name of the code that a call answers."""
    try:
        call()
    except smolwf.Error as error:
        return error.name
    return "SW_OK"


def test_codes_are_those_of_the_client() -> None:
    known = {code.value for code in Code} | set(errors.BY_CODE)
    assert {each["code"] for each in CODES} == known
    assert all(smolwf.code_name(each["code"]) == each["name"] for each in CODES)


def test_ids_have_the_form_of_the_vectors() -> None:
    form = re.compile(IDS["form"])
    for prefix in IDS["prefixes"]:
        made = smolwf.new_id(prefix)
        assert form.match(made)
        assert re.fullmatch(re.escape(prefix) + "_[0-9a-z]{26}", made)
    for prefix in IDS["refused_prefixes"]:
        with pytest.raises(smolwf.InvalidError):
            smolwf.new_id(prefix)
    assert all(form.search(text) for text in IDS["ids"])
    assert not any(form.search(text) for text in IDS["not_ids"])


@pytest.fixture
def attempt(store: smolwf.Store) -> Any:
    store.submit("vectors")
    claimed = store.claim()
    assert claimed is not None
    with claimed:
        yield claimed


def test_inputs_that_are_accepted_have_the_hash_of_their_canonical_form(
    store: smolwf.Store, attempt: smolwf.Attempt
) -> None:
    for at, each in enumerate(INPUTS["accepted"]):
        assert set(each) == {"input", "canonical", "input_hash"}
        with attempt.step_begin(f"input{at}", Json(each["input"])) as step:
            step.complete()
    steps = store.history(attempt.run_id)["steps"]
    hashes = {step["name"]: step["input_hash"] for step in steps}
    for at, each in enumerate(INPUTS["accepted"]):
        assert hashes[f"input{at}"] == each["input_hash"], each["input"]


@pytest.mark.parametrize("each", INPUTS["refused"], ids=lambda each: each["why"])
def test_inputs_that_are_refused_record_nothing(
    store: smolwf.Store, attempt: smolwf.Attempt, each: dict[str, str]
) -> None:
    assert set(each) == {"why", "input", "answers"}
    with pytest.raises(smolwf.Error) as caught:
        attempt.step_begin("refused", Json(each["input"]))
    assert caught.value.name == each["answers"]
    assert store.history(attempt.run_id)["steps"] == []


class Replayer:
    """Does the acts of one case of occurrences.json."""

    def __init__(self, store: smolwf.Store) -> None:
        self.store = store
        self.kept: dict[str, smolwf.Step] = {}

    def act(self, attempt: smolwf.Attempt, act: dict[str, Any]) -> None:
        rest = dict(act)
        if "advance_ms" in rest:
            self.store.advance_clock(rest.pop("advance_ms"))
        elif "complete" in rest:
            self.complete(rest)
        else:
            self.begin(attempt, rest)
        assert rest == {}, f"keys that are not known: {rest}"

    def complete(self, act: dict[str, Any]) -> None:
        with self.kept.pop(act.pop("complete")) as step:
            result = Json(act.pop("result"))
            answer = answer_of(lambda: step.complete(result))
        assert answer == act.pop("answers")

    def begin(self, attempt: smolwf.Attempt, act: dict[str, Any]) -> None:
        name, expected = act.pop("begin"), act.pop("answers")
        given = Json(act.pop("input")) if "input" in act else None
        at = act.pop("at", 0)
        if CODE_OF[expected] < 0:
            assert answer_of(lambda: attempt.step_begin(name, given, occurrence=at)) == expected
            return
        step = attempt.step_begin(name, given, occurrence=at)
        assert step.code == CODE_OF[expected]
        if "occurrence" in act:
            assert step.occurrence == act.pop("occurrence")
        if step.code is Code.REPLAYED:
            assert step.result_text == act.pop("result")
        if step.code is Code.FAILED:
            assert step.error_text == act.pop("error")
        if step.code is Code.OK:
            self.then(step, act)

    def then(self, step: smolwf.Step, act: dict[str, Any]) -> None:
        then = act.pop("then")
        if then == "keep":
            self.kept[act.pop("as")] = step
            return
        with step:
            if then == "complete":
                step.complete(Json(act.pop("result")))
            elif then == "fail":
                error, after = Json(act.pop("error")), act.pop("retry_after_ms")
                assert step.fail(error, retry_after_ms=after) is Code.SUSPEND
            elif then == "fail_terminal":
                assert step.fail(Json(act.pop("error")), terminal=True) is Code.FAILED
            else:
                assert then == "free"


@pytest.mark.parametrize("case", OCCURRENCES, ids=lambda case: case["name"])
def test_occurrences_are_those_of_the_vectors(tmp_path: Path, case: dict[str, Any]) -> None:
    assert set(case) == {"name", "attempts", "recorded"}
    with smolwf.Store.open(tmp_path / "case.db", manual_clock=True) as store:
        run_id = store.submit("case")
        for acts in case["attempts"]:
            attempt = store.claim()
            assert attempt is not None
            replayer = Replayer(store)
            for act in acts:
                replayer.act(attempt, act)
            replayer.kept.clear()
            attempt.release()
            attempt.free()
        steps = store.history(run_id)["steps"]
        assert [[step["name"], step["occurrence"]] for step in steps] == case["recorded"]
