"""Shapes of the documents that the library hands out. Keys are only ever added."""

from __future__ import annotations

from typing import Any, Optional, TypedDict


class RunSummary(TypedDict):
    """What a run's document and its item in a list have in common: all but the payloads."""

    run_id: str
    task_id: Optional[str]
    root_run_id: str
    parent_run_id: Optional[str]
    workflow: str
    queue: str
    #: pending, running, waiting, paused, completed, failed, cancelled
    state: str
    priority: int
    attempts: int
    tries: int
    max_tries: int
    run_at_ms: int
    created_at_ms: int
    updated_at_ms: int
    finished_at_ms: Optional[int]
    code_version: Optional[str]
    #: a running attempt was told to end, or to yield, and has not done so yet
    cancel_asked: bool
    pause_asked: bool
    due_at_ms: Optional[int]


class Run(RunSummary):
    args: Any
    result: Any
    error: Any
    #: what the newest failed attempt of an open run ended with
    last_error: Any
    metadata: Any
    waiting_for: Any


class ListedRun(RunSummary, total=False):
    """An item of a list: a payload is there when ``include`` named it, ``error`` with
    ``last_error``."""

    args: Any
    result: Any
    error: Any
    last_error: Any
    metadata: Any
    waiting_for: Any


class RunPage(TypedDict):
    items: list[ListedRun]
    #: the cursor of the next page, None on the last; a page may be short, or empty, before that
    next: Optional[str]
    #: how many runs were looked at for this page
    looked_at: int


class Refusal(TypedDict):
    run_id: str
    #: of the error that the single call would have raised; :func:`smolwf.code_name` names it
    code: int


class Acted(TypedDict):
    """What an act on many runs came to."""

    #: runs of the filter that were looked at: those done and those refused
    matched: int
    #: 0 for a dry run
    done: int
    refused: list[Refusal]
    #: there may be more of them: act again
    more: bool


class AttemptRecord(TypedDict):
    attempt_id: str
    number: int
    worker: Optional[str]
    state: str
    started_at_ms: int
    ended_at_ms: Optional[int]
    error: Any


class StepRecord(TypedDict):
    step_id: str
    name: str
    occurrence: int
    kind: str
    state: str
    tries: int
    input_hash: Optional[str]
    result: Any
    error: Any
    started_at_ms: Optional[int]
    ended_at_ms: Optional[int]


class Event(TypedDict):
    seq: int
    run_id: str
    type: str
    payload: Any
    at_ms: int


class Events(TypedDict):
    items: list[Event]
    first_seq: int
    last_seq: int


class EventPage(Events):
    """What a wait for events came to; ``items`` may be empty where many did not match."""

    #: the ``after_seq`` to go on with
    next_seq: int


class History(TypedDict):
    run: Run
    attempts: list[AttemptRecord]
    steps: list[StepRecord]
    signals: list[dict[str, Any]]
    children: list[dict[str, Any]]
    events: list[Event]
    next: Optional[str]


class BudgetUnit(TypedDict):
    limit: Optional[int]
    reserved: int
    spent: int
    remaining: Optional[int]


class BudgetTotal(TypedDict):
    workflow: str
    kind: str
    unit: str
    spent: int
    entries: int


class Budget(TypedDict):
    root_run_id: str
    units: dict[str, BudgetUnit]
    totals: list[BudgetTotal]


class Migration(TypedDict):
    id: int
    introduced_version: str
    applied_time: int
