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


class Reason(TypedDict):
    """Why a run is where it is."""

    #: running, owner_silent, owner_dead, cancel_unheard, queue_paused, queue_full, key_full,
    #: not_due, backing_off, waits_signal, waits_child, waits_sleep, waits_budget,
    #: version_unclaimed, queue_unclaimed, local_owner, paused, behind_others, ended
    code: str
    #: a sentence for people
    text: str
    since_ms: Optional[int]
    #: what it was read from; its keys are those of the code
    evidence: dict[str, Any]
    #: what to do, where something can be done
    hint: Optional[str]


class Explanation(TypedDict):
    run_id: str
    state: str
    #: at least one, the most telling first
    reasons: list[Reason]


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


class Queue(TypedDict):
    """A queue: its limits, and how many of its runs are where."""

    queue: str
    #: None is no limit
    concurrency: Optional[int]
    concurrency_per_key: Optional[int]
    paused: bool
    running: int
    #: may be claimed, as far as limits let them
    ready: int
    #: not due yet
    delayed: int
    #: parked on a sleep, a message, a child
    waiting: int
    #: behind another run with their concurrency key
    blocked: int
    oldest_ready_at_ms: Optional[int]
    last_claimed_at_ms: Optional[int]
    #: keys whose count stopped at its bound: there are at least so many
    at_least: list[str]


class Owner(TypedDict):
    """A store handle, of any process, that has claimed."""

    owner_id: str
    pid: int
    #: False when its process is gone; None where a read-only handle cannot tell
    alive: Optional[bool]
    #: when it first claimed
    opened_at_ms: int
    running: int
    #: when it claimed the run that it has held for longest
    oldest_lease_at_ms: Optional[int]


class RunCounts(TypedDict):
    """Runs by state."""

    #: exact, unless runs between the oldest and the newest are gone
    total: int
    pending: int
    running: int
    waiting: int
    paused: int
    #: what the other counts leave of ``total``
    completed: int
    failed: int
    cancelled: int
    #: keys whose count stopped at its bound: there are at least so many
    at_least: list[str]
    #: keys of which there are at most so many
    at_most: list[str]


class FullLimit(TypedDict):
    """A limit that is reached, and runs that fill it."""

    queue: str
    #: None for the limit of the queue itself
    concurrency_key: Optional[str]
    limit: int
    running: int
    run_ids: list[str]


class FileStats(TypedDict):
    page_bytes: int
    pages: int
    bytes: int
    free_bytes: int
    log_bytes: int


class CallStats(TypedDict):
    """The writes of one C function, or ``sweep``, or ``sync``."""

    call: str
    writes: int
    took_ms: int
    longest_ms: int


class WriterStats(TypedDict):
    """Of this process, since it opened the file."""

    commits: int
    writes: int
    largest_batch: int
    #: commits by how many writes shared them: ``1``, ``2_7``, ``8_63``, ``64_up``
    batches: dict[str, int]
    syncs: int
    syncs_shared: int
    turn_waits: int
    turn_wait_ms: int
    #: whose the writes were, first those that took longest
    calls: list[CallStats]


class Stats(TypedDict):
    at_ms: int
    runs: RunCounts
    oldest_ready_at_ms: Optional[int]
    oldest_ready_for_ms: Optional[int]
    next_due_at_ms: Optional[int]
    queues: list[Queue]
    full: list[FullLimit]
    owners: list[Owner]
    file: FileStats
    #: None on a read-only handle
    writer: Optional[WriterStats]
