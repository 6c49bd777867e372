"""Recorded histories, run by the code as it is now."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Optional, Union

from ..async_calls import LoopTeller
from ..async_store import AsyncStore
from ..async_worker import Running
from ..attempt import Attempt
from ..claiming import by_name
from ..codes import Code
from ..documents import ListedRun, StepRecord
from ..errors import NondeterminismError
from ..payload import JSON, Codec
from ..session import Session
from ..store import Store
from ..telling import Event, Teller
from ..workflows import Workflow, run_session
from .nondeterminism import refusal_in
from .play import OPEN
from .report import SHOWN, Difference, ReplayReport, quoted, written

Document = Union[str, Mapping[str, Any], "os.PathLike[str]"]


def replay(
    document: Document, workflows: Iterable[Workflow[Any, Any]], *, codec: Codec = JSON
) -> ReplayReport:
    """Runs what an export has recorded against workflows, and tells where each run first differs.

    ``document`` is what ``store.export_run`` gave, as a text, parsed, or a path to it. Each run of
    its tree that is of one of the workflows, and has recorded something, is run from the top in a
    store in memory. No step is run. A run that has not ended may go further than its record.
    """
    named = by_name(list(workflows))
    with Store.open_in_memory(manual_clock=True, codec=codec) as store:
        root = store.import_run(_text_of(document))["run_id"]
        runs = list(store.list_runs(root_run_id=root, order="oldest", include=PAYLOADS))
        for run in runs:
            if run["state"] in OPEN:
                store.pause(run["run_id"])  # only what is forked of it is to be claimed
        asked = [run for run in runs if run["workflow"] in named and _steps(store, run["run_id"])]
        if not asked:
            raise ValueError(
                "no run of the document is of these workflows and has recorded anything"
            )
        found = [_difference(run, _replayed(store, run, named[run["workflow"]])) for run in asked]
    return ReplayReport(len(asked), [each for each in found if each is not None])


PAYLOADS: Any = ["result", "error"]


def _text_of(document: Document) -> str:
    if isinstance(document, Mapping):
        return json.dumps(document, ensure_ascii=False)
    if isinstance(document, str) and document.lstrip().startswith("{"):
        return document
    return Path(document).read_text("utf-8")


def _steps(store: Store, run_id: str) -> list[StepRecord]:
    """What a run has recorded: steps, sleeps, awaits, children."""
    found: list[StepRecord] = []
    cursor: Optional[str] = None
    while True:
        page = store.history(run_id, cursor)
        found += page["steps"]
        cursor = page["next"]
        if cursor is None:
            return found


# ---- one run --------------------------------------------------------------------------------


class _Replayed(NamedTuple):
    """What became of the replay of one run."""

    #: ``completed``, ``failed``, ``retrying``, ``parked``, or another end of an attempt
    event: str
    result: Any
    error: Optional[BaseException]
    waits: list[str]
    #: a recorded thing that was not asked for, when the record was at its end
    unasked: Optional[NondeterminismError]
    new_children: list[str]


class _Attempt(Attempt):
    """An attempt that looks, before it ends otherwise than by a result, what it has not asked for.

    Only a strict attempt knows that, and tells it where it is to be completed.
    """

    unasked: Optional[NondeterminismError] = None
    _was_completed = False

    def _look(self) -> bool:
        if self.unasked is None and not self._was_completed:
            try:
                self.complete()
                self._was_completed = True
            except NondeterminismError as error:
                self.unasked = error
        return self._was_completed

    def fail(self, *given: Any, **chosen: Any) -> Code:
        """Fails it, unless all was asked for."""
        return Code.FAILED if self._look() else super().fail(*given, **chosen)

    def suspend(self) -> None:
        """Parks it, unless all was asked for."""
        if not self._look():
            super().suspend()


def _replayed(store: Store, run: ListedRun, workflow: Workflow[Any, Any]) -> _Replayed:
    """Runs a copy of a run from the top, and leaves nothing of it to be claimed."""
    fork = store.fork(run["run_id"], "")
    attempt = store.claim(run["queue"], strict=True, replay_only=True)
    assert attempt is not None, "a fork can be claimed"
    assert attempt.run_id == fork, "nothing else can be claimed"
    if not _has_ended_by_itself(run):
        attempt = _looking(attempt)
    known = {step["step_id"] for step in _steps(store, fork)}
    told: list[Event] = []
    session = _perform(store, attempt, workflow, told)
    end = told[-1] if told else Event(event="lost")
    children = [
        step["name"]
        for step in _steps(store, fork)
        if step["kind"] == "child_submit" and step["step_id"] not in known
    ]
    found = _Replayed(
        end["event"],
        store.run(fork)["result"],
        session.refusal[0] if session.refusal else end.get("error"),
        list(end.get("waiting_for", [])),
        getattr(attempt, "unasked", None),
        children,
    )
    for left in list(store.list_runs(state=["pending", "waiting"])):
        store.cancel(left["run_id"])
    return found


class _Silent(Teller):
    """Tells the hook alone: what is refused here is no warning."""

    def _log(self, level: int, told: Event) -> None:
        pass


class _SilentOnLoop(_Silent, LoopTeller):
    """The same on a loop."""


def _looking(attempt: Attempt) -> _Attempt:
    made = _Attempt.__new__(_Attempt)
    made.__dict__.update(attempt.__dict__)
    return made


def _perform(
    store: Store, attempt: Attempt, workflow: Workflow[Any, Any], told: list[Event]
) -> Session:
    """Has a workflow run one attempt, by the code that a worker has for it."""

    def hear(event: Event) -> None:
        if "duration_ms" in event and "step" not in event:  # it ends the attempt
            told.append(event)

    if not workflow.is_async:
        session = Session(attempt, _Silent(hear))
        try:
            run_session(session, workflow)
        finally:
            attempt.free()
        return session

    async def perform() -> Session:
        # A teller of this loop; an AsyncStore belongs to one.
        session = Session(attempt, _SilentOnLoop(asyncio.get_running_loop(), hear))
        await Running(AsyncStore(store, threads=4), session, workflow).run()
        return session

    with ThreadPoolExecutor(1) as pool:  # whoever asks may have a loop of his own, that runs
        return pool.submit(asyncio.run, perform()).result()


def _has_ended_by_itself(run: ListedRun) -> bool:
    """Whether its code has come to its end: nobody cancelled it, and no time-out did."""
    error = run["error"]
    is_engines = isinstance(error, dict) and "$smolwf" in error
    return run["state"] == "completed" or (run["state"] == "failed" and not is_engines)


# ---- what differs ---------------------------------------------------------------------------


def _difference(run: ListedRun, found: _Replayed) -> Optional[Difference]:
    def differs(kind: str, name: str, text: str) -> Difference:
        return Difference(run["run_id"], run["workflow"], kind, name, text)

    refusal = refusal_in(found.error)
    has_ended = _has_ended_by_itself(run)
    if refusal is not None and (has_ended or refusal.kind != "not_recorded"):
        return differs(refusal.kind, refusal.name, refusal.sentence)
    unasked = refusal_in(found.unasked)
    if unasked is not None:
        return differs(unasked.kind, unasked.name, unasked.sentence)
    if not has_ended:
        fails = _fails_newly(run, found)
        return differs("outcome", run["workflow"], fails) if fails else None
    if found.new_children:
        name = found.new_children[0]
        text = f"child {quoted(name)} is submitted, and history has none of it"
        return differs("not_recorded", name, text)
    if found.event == "parked":
        waits = ", ".join(found.waits)
        return differs("waits", found.waits[0], f"the run ended, and its replay waits for {waits}")
    other = _other_outcome(run, found)
    return None if other is None else differs("outcome", run["workflow"], other)


def _fails_newly(run: ListedRun, found: _Replayed) -> Optional[str]:
    """Of a run that is open and has not failed: what its code raises all the same."""
    is_failure = found.event in ("failed", "retrying") and refusal_in(found.error) is None
    if run["state"] not in OPEN or run["last_error"] is not None or not is_failure:
        return None
    return f"the run is open, and its replay fails: {found.error}"


def _other_outcome(run: ListedRun, found: _Replayed) -> Optional[str]:
    has_completed = found.event == "completed"
    if run["state"] == "failed":
        return "the run failed, and its replay completes" if has_completed else None
    if not has_completed:
        return f"the run completed, and its replay fails: {found.error}"
    ours, theirs = written(found.result), written(run["result"])
    if ours == theirs:
        return None
    return f"the run completed with {theirs[:SHOWN]}, and its replay with {ours[:SHOWN]}"
