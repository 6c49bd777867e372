"""The crash kit: it finds what was planted, and nothing in a workflow that is sound."""

from __future__ import annotations

import asyncio
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest

import smolwf
from smolwf import AsyncContext, Context, Store, step, testing, workflow
from smolwf.testing import CleanRunFailed, Report, TooManyCommits, crash, effect


def kinds(report: Report) -> set[tuple[str, str]]:
    return {(finding.kind, finding.name) for finding in report.findings}


# ---- A sound workflow -----------------------------------------------------------------------


@step
def charge(cents: int) -> str:
    effect("charge", smolwf.step_id())
    return f"paid {cents}"


@workflow
def pack(context: Context, order: int) -> int:
    with context.step("pack") as done:
        if done.is_todo:
            effect("pack", done.id)
            done.complete(order)
    return order


@workflow
def order(context: Context, cents: int) -> list[Any]:
    receipt = charge(cents)
    context.sleep("cool-off", 86_400_000)
    box = context.result(context.child("box", pack, cents))
    address = context.signal("address")
    with context.step("mail") as mail:
        if mail.is_todo:
            context.reserve({"mails": 1}, mail)
            effect("mail", mail.id)
            mail.complete(None, {"mails": 1})
    with context.transaction("book") as tx:
        tx.execute("INSERT INTO booked VALUES(?)", [receipt])
    return [receipt, box, address]


def make_table(store: Store) -> None:
    with store.transaction() as tx:
        tx.execute("CREATE TABLE IF NOT EXISTS booked(receipt TEXT)")


ORDER: dict[str, Any] = {
    "workflows": [pack],
    "signals": [("address", "home")],
    "setup": make_table,
    "compare_result": True,
    "budget": {"mails": 2},
}


def test_a_sound_workflow_has_no_finding_at_any_of_its_commits() -> None:
    report = crash(order, 7, **ORDER)
    report.check()
    # The order: claim, charge, sleep, park. The clock. The order: claim, sleep, child, park. The
    # child: claim, pack, end. The order: claim, result, address, reserve, mail, book, end.
    assert (report.commits, report.cases) == (19, 39)
    assert str(report) == "order: 19 commits, 39 cases, no findings"
    assert report.document() == {"commits": 19, "cases": 39, "findings": []}


@step
async def fetch(page: str) -> int:
    await asyncio.sleep(0)
    effect("fetch", smolwf.step_id())
    return len(page)


@workflow
async def crawl(context: AsyncContext, pages: list[str]) -> int:
    size = await fetch(pages[0])
    box = await context.child("box", pack, size)
    return int(await context.result(box))


def test_an_async_workflow_with_a_child_that_is_not_async() -> None:
    report = crash(crawl, ["a", "bc"], workflows=[pack], compare_result=True)
    report.check()
    # Claim, fetch, child, park. The child: claim, pack, end. Claim, result, end.
    assert report.commits == 10


def test_a_test_that_runs_on_an_event_loop() -> None:
    @workflow
    async def short(context: AsyncContext, args: None) -> None:
        await fetch("a")

    async def asked() -> Report:
        return crash(short)

    report = asyncio.run(asked())
    report.check()
    assert report.commits == 3


# ---- What was planted -----------------------------------------------------------------------


def test_a_charge_without_a_key_is_named() -> None:
    @workflow
    def careless(context: Context, args: None) -> None:
        context.call("charge", lambda: effect("charge"))

    report = crash(careless)
    # Commits: claim, charge, end. Only the death between work and record does it twice.
    assert report.document() == {
        "commits": 3,
        "cases": 7,
        "findings": [
            {
                "kind": "effect_twice",
                "commit": 2,
                "moment": "before",
                "name": "charge",
                "text": 'effect "charge" happened 2 times, and once in the clean run: hand whoever '
                "does it an idempotency key, such as the step's id, or record its start: "
                "a tracked step with max_tries 1",
            }
        ],
    }
    with pytest.raises(AssertionError) as raised:
        report.check()
    first, line = str(raised.value).splitlines()
    assert first == "careless: 3 commits, 7 cases, 1 finding"
    assert line.startswith("effect_twice charge, at 1 of 6 kill points, first before commit 2: ")


def test_a_charge_with_a_key_of_its_own_in_each_try_is_named() -> None:
    @workflow
    def careless(context: Context, args: None) -> None:
        context.call("charge", lambda: effect("charge", f"{random.random()}"))

    report = crash(careless)
    assert kinds(report) == {("effect_twice", "charge")}
    assert "happened under 2 keys (" in report.findings[0].text


def test_a_start_that_is_recorded_does_it_once_at_most() -> None:
    @workflow
    def careful(context: Context, args: None) -> None:
        try:
            context.call("charge", lambda: effect("charge"), track=True, max_tries=1)
        except smolwf.StepFailed:
            pass  # nobody knows whether it was done: a person looks

    report = crash(careful)
    assert {finding.kind for finding in report.findings} <= {"effect_missing"}


def test_an_effect_outside_of_a_step_is_named() -> None:
    @workflow
    def careless(context: Context, args: None) -> None:
        effect("mail")
        charge(7)

    report = crash(careless)
    assert kinds(report) == {("effect_twice", "mail")}
    places = [(finding.commit, finding.moment) for finding in report.findings]
    assert places == [(2, "before"), (2, "after"), (3, "before")]


def test_a_step_whose_name_is_drawn_is_named() -> None:
    @workflow
    def drawn(context: Context, args: None) -> None:
        context.call(f"charge {random.random()}", lambda: None)

    report = crash(drawn)
    assert {finding.kind for finding in report.findings} == {"not_replayed"}
    assert report.findings[0].name.startswith("charge 0.")
    assert "belongs into a step" in report.findings[0].text


def test_a_step_whose_name_is_the_time_is_found_where_nobody_is_killed() -> None:
    @workflow
    def dated(context: Context, args: None) -> None:
        context.call(f"charge {time.time_ns()}", lambda: None)
        context.sleep("night", 1_000)

    report = crash(dated)
    assert (report.commits, report.cases) == (0, 1)
    assert report.findings[0].kind == "not_replayed"
    assert (report.findings[0].commit, report.findings[0].moment) == (0, "clean")
    assert ", without a kill: step " in str(report)


def test_an_input_that_is_drawn_is_named() -> None:
    @workflow
    def drawn(context: Context, args: None) -> None:
        context.call("charge", lambda: None, random.random())
        context.call("mail", lambda: None)

    report = crash(drawn)
    assert kinds(report) == {("input_changed", "charge")}
    assert "input hash" in report.findings[0].text


def test_a_wait_of_another_kind_is_named_though_its_error_is_swallowed() -> None:
    @workflow
    def sways(context: Context, args: None) -> None:
        try:
            if context.attempt.number == 1:
                context.signal("go", 0)
            else:
                context.wait_any("go", [smolwf.on_signal("other")], 0)
        except (smolwf.TimedOut, smolwf.Error):
            pass
        context.call("charge", lambda: None)

    report = crash(sways)
    assert kinds(report) == {("not_replayed", "go")}
    assert "was recorded as" in report.findings[0].text


MEMORY: dict[str, Any] = {}


def test_a_branch_on_what_a_kill_forgets_is_found() -> None:
    @workflow
    def forgetful(context: Context, args: None) -> None:
        context.call("warm up", lambda: MEMORY.update(is_warm=True))
        context.call("short" if "is_warm" in MEMORY else "long", lambda: None)

    report = crash(forgetful)
    # Killed once "short" is recorded, and before the end: the next process asks for "long".
    places = [(each.kind, each.name, each.commit, each.moment) for each in report.findings]
    assert places == [("not_replayed", "short", 3, "after"), ("not_replayed", "short", 4, "before")]


def test_a_count_kept_in_memory_is_missed_by_who_comes_after() -> None:
    @workflow
    def counts(context: Context, args: None) -> int:
        def add() -> None:
            MEMORY["sum"] = MEMORY.get("sum", 0) + 1

        context.call("one", add)
        context.call("two", add)
        if MEMORY.get("sum") == 2:
            effect("mail")
        return int(MEMORY.get("sum", 0))

    report = crash(counts, compare_result=True)
    assert ("effect_missing", "mail") in kinds(report)
    outcome = next(finding for finding in report.findings if finding.kind == "outcome")
    assert (outcome.name, outcome.text) == ("counts", "the result is 1, and 2 in the clean run")


def test_a_run_that_ends_otherwise_is_named_with_its_error() -> None:
    @workflow
    def brittle(context: Context, args: None) -> None:
        context.call("open", lambda: MEMORY.update(open=True))
        if "open" not in MEMORY:
            raise smolwf.Failure("not open", terminal=True)

    report = crash(brittle)
    assert kinds(report) == {("outcome", "brittle")}
    assert report.findings[0].text == (
        "the run is failed, and completed in the clean run: not open"
    )


def test_a_run_that_waits_for_what_nobody_sends_any_more_is_stuck() -> None:
    @workflow
    def deaf(context: Context, args: None) -> None:
        context.call("listen", lambda: MEMORY.update(heard=True))
        context.signal("go" if "heard" in MEMORY else "never")

    report = crash(deaf, signals=[("go", None)])
    assert kinds(report) == {("stuck", "deaf")}
    assert report.findings[0].text == 'the run did not end: no message "never" has come'


def test_a_child_that_hangs_is_stuck_and_ends_the_sweep() -> None:
    @workflow
    def hangs(context: Context, args: None) -> None:
        context.call("first", lambda: MEMORY.update(first=True))
        while "first" not in MEMORY:
            time.sleep(0.01)

    report = crash(hangs, hang_ms=4_000)
    assert [finding.kind for finding in report.findings] == ["stuck"]
    assert report.findings[0].text == (
        "the run did not end: its process was at work for more than 4 s"
    )


def test_a_process_that_ends_by_itself_is_told() -> None:
    @workflow
    def leaves(context: Context, args: None) -> None:
        context.call("first", lambda: MEMORY.update(first=True))
        if "first" not in MEMORY:
            os._exit(3)

    report = crash(leaves)
    assert kinds(report) == {("outcome", "leaves")}
    assert report.findings[0].text == "the run did not end: its process ended with exit status 3"


# ---- How a test is told that it cannot be done ----------------------------------------------


def test_a_clean_run_that_fails_is_an_error_unless_it_is_to_fail() -> None:
    @workflow
    def fails(context: Context, args: None) -> None:
        charge(7)
        raise smolwf.Failure("declined", terminal=True)

    with pytest.raises(CleanRunFailed, match=r"^the clean run of fails is failed: declined$"):
        crash(fails)
    crash(fails, state="failed").check()


def test_a_clean_run_that_waits_for_ever_is_an_error() -> None:
    @workflow
    def waits(context: Context, args: None) -> None:
        context.signal("go")

    with pytest.raises(
        CleanRunFailed, match=r'^the clean run of waits did not end: no message "go"'
    ):
        crash(waits)


def test_a_time_out_of_the_run_ends_its_wait() -> None:
    @workflow
    def waits(context: Context, args: None) -> None:
        context.signal("go")

    crash(waits, timeout_ms=5_000, state="failed").check()


def test_more_commits_than_are_tried_are_an_error() -> None:
    @workflow
    def long(context: Context, args: None) -> None:
        for _ in range(3):
            context.call("one", lambda: None)

    with pytest.raises(TooManyCommits, match="long makes more than 2 commits: raise max_commits"):
        crash(long, max_commits=2)


def test_what_a_setup_raises_is_raised_in_the_test() -> None:
    def setup(store: Store) -> None:
        raise ValueError("no fake here")

    with pytest.raises(RuntimeError, match="no fake here"):
        crash(order, 7, setup=setup)


def test_an_effect_without_a_crash_test_does_nothing(tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    effect("charge", "k")
    assert set(tmp_path.iterdir()) == before
    assert "SMOLWF_WITNESS" not in os.environ


def test_the_kit_is_documented() -> None:
    called = [getattr(testing, name) for name in testing.__all__]
    assert [each for each in called if not (each.__doc__ or "").strip()] == []


def test_findings_beyond_twenty_are_counted() -> None:
    findings = [testing.Finding("not_replayed", n, "after", f"s{n}", "t") for n in range(1, 24)]
    assert str(Report("w", 30, 61, findings)).splitlines()[-1] == "and 3 more"
