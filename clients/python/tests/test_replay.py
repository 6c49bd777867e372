"""Recorded histories against code that is the same, and code that is not."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Optional

import pytest

import smolwf
from smolwf import AsyncContext, Context, Store, Workflow, workflow
from smolwf.testing import ReplayReport, replay


@workflow
def pack(context: Context, box: int) -> int:
    return int(context.call("pack", lambda: box))


@workflow
def order(context: Context, cents: int) -> list[Any]:
    receipt = context.call("charge", lambda: f"paid {cents}", cents)
    context.sleep("cool-off", 86_400_000)
    box = context.child("box", pack, 3)
    packed = context.result(box)
    address = context.signal("address", 1_000_000)
    context.call("mail", lambda: None)
    return [receipt, box, packed, address]


def recorded(flow: Workflow[Any, Any], args: Any = None, *, rounds: int = 99) -> tuple[str, str]:
    """A run and its document, after so many attempts."""
    with Store.open_in_memory(manual_clock=True) as store:
        run_id = flow.submit(store, args, max_tries=1)
        worker = smolwf.Worker(store, [flow] if flow.name == "pack" else [flow, pack])
        store.signal(run_id, "address", "home")
        for _ in range(rounds):
            if not worker.run_once() and not store.advance_clock(None):
                break
        return run_id, store.export_run(run_id)


def changed(name: str, function: Any) -> Workflow[Any, Any]:
    """Another function under the name of a workflow."""
    return Workflow(function, name, None)


def only(report: ReplayReport) -> tuple[str, str]:
    assert len(report.differences) == 1, str(report)
    return report.differences[0].kind, report.differences[0].name


def test_the_same_code_does_not_differ(tmp_path: Path) -> None:
    _, document = recorded(order, 7)
    report = replay(document, [order, pack])
    report.check()
    assert report.document() == {"runs": 2, "differences": []}
    assert str(report) == "2 runs, no differences"
    path = tmp_path / "order.json"
    path.write_text(document, "utf-8")
    assert replay(path, [order]).runs == replay(str(path), [order]).runs == 1
    assert replay(json.loads(document), [pack]).runs == 1


def test_a_step_that_has_another_name_is_named_with_its_run() -> None:
    run_id, document = recorded(order, 7)

    def renamed(context: Context, cents: int) -> None:
        context.call("charge the card", lambda: pytest.fail("a step was run"), cents)

    report = replay(document, [changed("order", renamed), pack])
    assert only(report) == ("not_recorded", "charge the card")
    with pytest.raises(AssertionError) as raised:
        report.check()
    first, line = str(raised.value).splitlines()
    assert first == "2 runs, 1 difference"
    assert line.startswith(f"not_recorded charge the card, in order {run_id}: step ")


def test_a_step_that_is_gone_is_named() -> None:
    _, document = recorded(order, 7)

    def shorter(context: Context, cents: int) -> list[Any]:
        receipt = context.call("charge", lambda: None, cents)
        context.sleep("cool-off", 86_400_000)
        box = context.child("box", pack, 3)
        return [receipt, box, context.result(box), context.signal("address", 1_000_000)]

    assert only(replay(document, [changed("order", shorter)])) == ("not_replayed", "mail")


def test_an_input_that_is_another_is_named() -> None:
    _, document = recorded(order, 7)

    def dearer(context: Context, cents: int) -> None:
        context.call("charge", lambda: None, cents + 1)

    assert only(replay(document, [changed("order", dearer)])) == ("input_changed", "charge")


def test_a_result_that_is_another_is_named() -> None:
    run_id, document = recorded(pack, 3)

    def doubled(context: Context, box: int) -> int:
        return 2 * int(context.call("pack", lambda: box))

    report = replay(document, [changed("pack", doubled)])
    assert report.document()["differences"] == [
        {
            "run_id": run_id,
            "workflow": "pack",
            "kind": "outcome",
            "name": "pack",
            "text": "the run completed with 3, and its replay with 6",
        }
    ]


def test_an_end_that_is_another_is_named() -> None:
    def declined(context: Context, box: int) -> None:
        context.call("pack", lambda: box)
        raise smolwf.Failure("declined", terminal=True)

    _, completed = recorded(pack, 3)
    report = replay(completed, [changed("pack", declined)])
    assert only(report) == ("outcome", "pack")
    assert report.differences[0].text == "the run completed, and its replay fails: declined"
    _, failed = recorded(changed("pack", declined), 3)
    replay(failed, [changed("pack", declined)]).check()
    report = replay(failed, [pack])
    assert report.differences[0].text == "the run failed, and its replay completes"


def test_a_wait_that_history_has_not_is_named() -> None:
    _, document = recorded(pack, 3)

    def careful(context: Context, box: int) -> int:
        context.signal("approved")
        return int(context.call("pack", lambda: box))

    report = replay(document, [changed("pack", careful)])
    assert only(report) == ("waits", "signal approved")


def test_a_child_that_history_has_not_is_named() -> None:
    _, document = recorded(pack, 3)

    def more(context: Context, box: int) -> int:
        context.child("label", "print")
        return int(context.call("pack", lambda: box))

    assert only(replay(document, [changed("pack", more)])) == ("not_recorded", "label")


def test_an_open_run_goes_to_the_end_of_its_record_and_may_go_on() -> None:
    for rounds in range(1, 6):
        _, document = recorded(order, 7, rounds=rounds)
        replay(document, [order, pack]).check()

    def longer(context: Context, cents: int) -> None:
        context.call("charge", lambda: None, cents)
        context.call("thank", lambda: pytest.fail("a step was run"))

    _, parked = recorded(order, 7, rounds=1)  # charged, and asleep, which is not over
    replay(parked, [changed("order", longer)]).check()


def test_an_open_run_whose_step_has_another_name_is_found() -> None:
    def renamed(context: Context, cents: int) -> None:
        context.call("charge the card", lambda: pytest.fail("a step was run"), cents)

    def broken(context: Context, cents: int) -> None:
        context.call("charge", lambda: None, cents)
        raise KeyError("cents")

    _, parked = recorded(order, 7, rounds=1)
    assert only(replay(parked, [changed("order", renamed)])) == ("not_replayed", "charge")
    report = replay(parked, [changed("order", broken)])
    assert only(report) == ("outcome", "order")
    assert report.differences[0].text == "the run is open, and its replay fails: 'cents'"


def test_a_run_that_was_cancelled_has_only_a_beginning() -> None:
    with Store.open_in_memory(manual_clock=True) as store:
        run_id = order.submit(store, 7)
        smolwf.Worker(store, [order]).run_once()
        store.cancel(run_id)
        replay(store.export_run(run_id), [order]).check()


@workflow
async def crawl(context: AsyncContext, pages: list[str]) -> int:
    async def fetch(page: str) -> int:
        size: int = await context.call(f"fetch {page}", lambda: len(page))
        return size

    sizes = await asyncio.gather(*map(fetch, pages))
    await context.sleep("pause", 10)
    return sum(sizes)


async def crawled(rounds: int) -> str:
    async with await smolwf.AsyncStore.open_in_memory(manual_clock=True) as store:
        run_id = await crawl.submit_async(store, ["a", "bc"])
        worker = smolwf.AsyncWorker(store, [crawl])
        for _ in range(rounds):
            await worker.run_once()
            await store.advance_clock(10)
        return await store.export_run(run_id)


@pytest.mark.parametrize("rounds", [1, 2])
def test_async_workflows_are_replayed_also_from_a_loop(rounds: int) -> None:
    async def asked() -> Optional[ReplayReport]:
        return replay(await crawled(rounds), [crawl])

    report = asyncio.run(asked())
    assert report is not None
    report.check()
    assert report.runs == 1


def test_an_async_workflow_that_differs() -> None:
    async def other(context: AsyncContext, pages: list[str]) -> int:
        return int(await context.call("fetch a", lambda: 1))

    report = replay(asyncio.run(crawled(2)), [changed("crawl", other)])
    assert only(report) == ("not_replayed", "fetch bc")


def test_a_document_of_which_nothing_is_replayed_is_an_error() -> None:
    _, document = recorded(pack, 3)
    with pytest.raises(ValueError, match="no run of the document is of these workflows"):
        replay(document, [order])
