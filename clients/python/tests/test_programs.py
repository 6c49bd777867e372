"""The example programs print the transcript that they print in every language."""

from __future__ import annotations

import asyncio
import functools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import smolwf

from .conftest import REPOSITORY, place

CLIENT = REPOSITORY / "clients" / "python"
PROGRAMS = REPOSITORY / "examples" / "python"


def environment() -> dict[str, str]:
    """What a program needs to find the package."""
    return {**os.environ, "PYTHONPATH": str(CLIENT)}


def start(program: str, *arguments: object, expect: int = 0) -> str:
    """Runs a program to its end; what it says, without its measurements."""
    done = subprocess.run(
        [sys.executable, f"{program}.py", *map(str, arguments)],
        cwd=PROGRAMS,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    assert done.stderr == ""
    return "".join(line for line in done.stdout.splitlines(True) if not line.startswith("# "))


def expected(program: str) -> str:
    return (REPOSITORY / "examples" / "expected" / f"{program}.txt").read_text("utf-8")


def test_quickstart(tmp_path: Path) -> None:
    path = place(tmp_path / "quickstart.db")
    said = "$ quickstart crash\n" + start("quickstart", path, "crash", expect=-9)
    said += "$ quickstart\n" + start("quickstart", path)
    said += "$ quickstart\n" + start("quickstart", path)
    assert said == expected("quickstart")


def test_approval(tmp_path: Path) -> None:
    assert start("approval", place(tmp_path / "approval.db")) == expected("approval")


def test_fanout(tmp_path: Path) -> None:
    assert start("fanout", place(tmp_path / "fanout.db")) == expected("fanout")


def test_budget(tmp_path: Path) -> None:
    assert start("budget", place(tmp_path / "budget.db")) == expected("budget")


def test_agent(tmp_path: Path) -> None:
    assert start("agent", place(tmp_path / "agent.db")) == expected("agent")


def test_transfer(tmp_path: Path) -> None:
    assert start("transfer", place(tmp_path / "transfer.db")) == expected("transfer")


def test_transfer_whose_workers_are_killed_loses_and_repeats_nothing(tmp_path: Path) -> None:
    path = place(tmp_path / "transfer.db")
    assert start("transfer", path, "kills", 6) == expected("transfer")
    assert start("transfer", path) == expected("transfer"), "there is nothing left to do"


TRACED = """\
charged 700
7 spans in 1 trace
request
    invoice attempt 1 parked
        step charge step_failed
    invoice attempt 2 completed
        step charge step_done
        step mail step_done
            smtp
"""


def test_tracing(tmp_path: Path) -> None:
    assert start("tracing", place(tmp_path / "tracing.db")) == TRACED


def test_tracing_of_an_async_worker_nests_what_runs_side_by_side(
    caplog: pytest.LogCaptureFixture,
) -> None:
    from tracing import Tracing, exporter, tracer

    async def work(name: str) -> None:
        await asyncio.sleep(0.01)  # so that the steps overlap
        with tracer.start_as_current_span(f"in {name}"):
            await asyncio.sleep(0)

    @smolwf.workflow
    async def flow(context: smolwf.AsyncContext, args: Any) -> None:
        calls = (context.call(name, functools.partial(work, name)) for name in ("a", "b"))
        await asyncio.gather(*calls)
        with tracer.start_as_current_span("between"):
            pass

    async def main() -> None:
        async with await smolwf.AsyncStore.open_in_memory() as store:
            run_id = await flow.submit_async(store)
            worker = smolwf.AsyncWorker(store, [flow], hook=Tracing(tracer))
            working = asyncio.ensure_future(worker.run())
            await run_id.result()
            worker.stop()
            await working

    asyncio.run(main())
    spans: dict[Any, Any] = {span.context.span_id: span for span in exporter.get_finished_spans()}
    above = {span.name: spans[span.parent.span_id].name for span in spans.values() if span.parent}
    assert above == {
        "step a": "flow attempt 1",
        "step b": "flow attempt 1",
        "in a": "step a",
        "in b": "step b",
        "between": "flow attempt 1",
    }
    assert caplog.text == ""
