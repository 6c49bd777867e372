"""Shapes of the documents that the library hands out. Keys are only ever added.

Made from docs/schemas by scripts/documents.py: do not edit.
"""

from __future__ import annotations

from typing import Any, Literal, Optional, TypedDict, Union


class Refusal(TypedDict):
    """A run that an act on many is not for."""

    #: The run's id.
    run_id: str
    #: What the call on this run alone would answer.
    code: int


class Acted(TypedDict):
    """What sw_run_act_many answers."""

    #: Runs that were meant, to the call's limit.
    matched: int
    #: Runs that it was done to; 0 in a dry run.
    done: int
    #: Runs that it cannot be done to.
    refused: list[Refusal]
    #: Whether there may be other runs that are meant.
    more: bool


class AttemptRecord(TypedDict):
    """An attempt in a history."""

    #: The attempt's id.
    attempt_id: str
    #: Its number in the run: the fence.
    number: int
    #: The name that its worker claimed with.
    worker: Optional[str]
    #: running, or how it ended.
    state: Literal["running", "completed", "failed", "released", "suspended", "lost", "cancelled"]
    #: When it was claimed.
    started_at_ms: int
    #: When it ended; null while it runs.
    ended_at_ms: Optional[int]
    #: What it failed with; null if it did not.
    error: Any


#: Commits by size.
Batches = TypedDict(
    "Batches",
    {
        # Commits of one write.
        "1": int,
        # Of 2 to 7.
        "2_7": int,
        # Of 8 to 63.
        "8_63": int,
        # Of 64 or more.
        "64_up": int,
    },
)


class BudgetTotal(TypedDict):
    """A sum of a budget's ledger."""

    #: The workflow that spent.
    workflow: str
    #: The label of the steps; null for none.
    kind: Optional[str]
    #: The unit.
    unit: str
    #: The sum.
    spent: int
    #: How many entries it is of.
    entries: int


class BudgetUnit(TypedDict):
    """One unit of a budget."""

    #: What may be spent; null: it is metered only.
    limit: Optional[int]
    #: Where a budget.warning is appended; null: nowhere.
    warn: Optional[int]
    #: What is promised to calls that run.
    reserved: int
    #: What was spent.
    spent: int
    #: limit - reserved - spent, below 0 if more was spent; null without a limit.
    remaining: Optional[int]


class Budget(TypedDict):
    """What sw_budget_get answers: what a tree of runs may spend, and has."""

    #: The root whose budget it is.
    root_run_id: str
    #: By unit, what stands in it.
    units: dict[str, BudgetUnit]
    #: What was spent, by workflow, kind of step and unit; 1,000 at most.
    totals: list[BudgetTotal]
    #: There are more totals than are shown.
    totals_cut: bool


class BudgetWarning(TypedDict):
    """The payload of the engine's event budget.warning."""

    #: The unit.
    unit: str
    #: Its limit.
    limit: Optional[int]
    #: The amount that was reached.
    warn: Optional[int]
    #: What was spent.
    spent: int
    #: What is promised.
    reserved: int


class CallStats(TypedDict):
    """What the writes of one function came to."""

    #: The function that wrote; sweep for what waits and cancels moved, sync for an answer that
    #: first made safe what it had read.
    call: str
    #: Its writes.
    writes: int
    #: How long their work took within transactions, in sum.
    took_ms: int
    #: How long that of the longest took.
    longest_ms: int


class Fault(TypedDict):
    """A fault of a store."""

    #: What was looked at.
    check: str
    #: What was found.
    detail: str


class Check(TypedDict):
    """What sw_store_check answers."""

    #: Nothing was found.
    ok: bool
    #: What was found, 20 of a kind at most.
    faults: list[Fault]


#: pending: to be claimed, now or later; running: an attempt holds it; waiting: for what waiting_for
#: lists; paused: until it is resumed; completed, failed, cancelled: for good.
RunState = Literal[
    "pending",
    "running",
    "waiting",
    "paused",
    "completed",
    "failed",
    "cancelled",
]


class ChildRecord(TypedDict):
    """A child in a history."""

    #: The child's run.
    run_id: str
    #: Its workflow.
    workflow: str
    #: Its state.
    state: RunState
    #: When it was submitted.
    created_at_ms: int
    #: When it ended; null while it is open.
    finished_at_ms: Optional[int]


class Compacted(TypedDict):
    """What sw_store_compact answers."""

    #: Pages by which the file is shorter.
    freed_pages: int
    #: Pages that hold nothing still.
    left_pages: int


_EngineError = TypedDict(
    "_EngineError",
    {
        # tries: the run was lost as often as it may be; lapsed: the attempt was lost; timeout: the
        # run's time-out passed; cancelled: it, or a run above it, was cancelled; interrupted: a
        # tracked step began as often as it may and never ended.
        "$smolwf": Literal["tries", "lapsed", "timeout", "cancelled", "interrupted"],
        # A sentence.
        "message": str,
    },
)


class EngineError(_EngineError, total=False):
    """An error that the engine itself stores on a run, attempt or step. The host's own errors have
    no $smolwf."""

    #: What the cancel gave as reason; absent if nothing.
    reason: Any


class Event(TypedDict):
    """An event of the log."""

    #: Its number: in commit order, without gaps.
    seq: int
    #: The run that it is about.
    run_id: str
    #: Its type: the host's, or the engine's budget.warning.
    type: str
    #: What was appended; null if nothing.
    payload: Any
    #: When it was appended.
    at_ms: int


class _Events(TypedDict):
    #: The events, ascending.
    items: list[Event]
    #: The smallest number that is still in the log; 0 if it is empty.
    first_seq: int
    #: The largest number in the log; 0 if it is empty.
    last_seq: int


class Events(_Events, total=False):
    """What sw_event_read answers: a page of the log."""

    #: The number to go on with; in what sw_event_wait answers.
    next_seq: int


class EventPage(TypedDict):
    """What sw_event_wait answers: a page of the log."""

    #: The events, ascending; none where many were passed over.
    items: list[Event]
    #: The smallest number that is still in the log; 0 if it is empty.
    first_seq: int
    #: The largest number in the log; 0 if it is empty.
    last_seq: int
    #: The number to go on with.
    next_seq: int


#: Which reason it is.
ReasonCode = Literal[
    "running",
    "owner_silent",
    "owner_dead",
    "cancel_unheard",
    "queue_paused",
    "queue_full",
    "key_full",
    "not_due",
    "backing_off",
    "waits_signal",
    "waits_child",
    "waits_sleep",
    "waits_budget",
    "version_unclaimed",
    "queue_unclaimed",
    "local_owner",
    "paused",
    "behind_others",
    "ended",
]


class Reason(TypedDict):
    """One reason why a run does not move."""

    #: Which reason it is.
    code: ReasonCode
    #: The same for people; may change.
    text: str
    #: Since when; null where that was not noted.
    since_ms: Optional[int]
    #: What shows it, by code, as the header tells.
    evidence: dict[str, Any]
    #: What to do about it, for people.
    hint: Optional[str]


class Explanation(TypedDict):
    """What sw_run_explain answers: why a run does not move."""

    #: The run.
    run_id: str
    #: The state it is in.
    state: RunState
    #: The most telling first.
    reasons: list[Reason]


class FileStats(TypedDict):
    """How large the store is."""

    #: Bytes of a page.
    page_bytes: int
    #: Pages of the database.
    pages: int
    #: Bytes of the database.
    bytes: int
    #: Those of them that hold nothing.
    free_bytes: int
    #: Bytes of the write-ahead log.
    log_bytes: int


class FullLimit(TypedDict):
    """A limit that is reached, and who fills it."""

    #: The queue.
    queue: str
    #: The concurrency key; null for the limit of the whole queue.
    concurrency_key: Optional[str]
    #: How many may be held at once.
    limit: int
    #: How many are.
    running: int
    #: The first of them, 10 at most.
    run_ids: list[str]


class WaitSignal(TypedDict):
    #: Name of the signal.
    signal: str


class WaitChild(TypedDict):
    #: The run whose end it awaits.
    child: str


class WaitBudget(TypedDict):
    #: Unit of the budget.
    budget: str
    #: How much of it must be free.
    amount: int


class WaitUntil(TypedDict):
    #: The moment when it goes on, whatever has come.
    until_ms: int


#: What a waiting run waits for: one member of waiting_for.
Wait = Union[WaitSignal, WaitChild, WaitBudget, WaitUntil]


class Run(TypedDict):
    """What sw_run_get answers: a run as it stands."""

    #: The run's id.
    run_id: str
    #: The id of its place in the queue.
    task_id: str
    #: The root of its tree; itself for a root.
    root_run_id: str
    #: The run that submitted it as a child; null for a root.
    parent_run_id: Optional[str]
    #: Name of the host's function.
    workflow: str
    #: Name of the queue.
    queue: str
    #: The state it is in.
    state: RunState
    #: The lower goes first.
    priority: int
    #: What was submitted, byte for byte; null if nothing.
    args: Any
    #: What it completed with; null until then.
    result: Any
    #: What it failed with or was cancelled with; null until then.
    error: Any
    #: Attempts so far, which counts claims.
    attempts: int
    #: Tries that were charged: failures and losses.
    tries: int
    #: Tries after which it fails for good.
    max_tries: int
    #: When it was first to be claimed.
    run_at_ms: int
    #: When it was submitted.
    created_at_ms: int
    #: When its state last changed.
    updated_at_ms: int
    #: When it ended; null while it is open.
    finished_at_ms: Optional[int]
    #: The host's own object; null if there is none.
    metadata: Optional[dict[str, Any]]
    #: The version of the code that it asks for; null for any.
    code_version: Optional[str]
    #: What a waiting run waits for, 100 entries at most; null in other states.
    waiting_for: Optional[list[Wait]]
    #: A running attempt was told to end and has not done so yet.
    cancel_asked: bool
    #: A running attempt was told to yield and has not done so yet.
    pause_asked: bool
    #: What the newest failed attempt of an open run ended with; else null.
    last_error: Any
    #: When a pending run may be claimed: now, or the end of its delay or backoff; else null.
    due_at_ms: Optional[int]


class SignalRecord(TypedDict):
    """A signal in a history."""

    #: Its name.
    name: str
    #: What was sent; null if nothing.
    payload: Any
    #: When it was sent.
    sent_at_ms: int
    #: An await has taken it.
    consumed: bool
    #: The await that took it; null while none has, or when that is not known.
    consumed_by: Optional[str]


class StepRecord(TypedDict):
    """A step, sleep, await or child submit in a history."""

    #: The step's id, the same in every attempt.
    step_id: str
    #: Its name.
    name: str
    #: Which of its name, from 1.
    occurrence: int
    #: The label that the host gave a step; else step, sleep, await or child_submit.
    kind: str
    #: running: its start was recorded and no end; backing_off: it failed and is to be tried again;
    #: waiting: an await that nothing has answered yet.
    state: Literal["running", "completed", "failed", "backing_off", "timed_out", "waiting"]
    #: Tries so far.
    tries: int
    #: Hash of the input in canonical form; null without input.
    input_hash: Optional[str]
    #: What it completed with; else null.
    result: Any
    #: What it failed with last; else null.
    error: Any
    #: When its newest try began.
    started_at_ms: int
    #: When that ended; null while it runs or waits.
    ended_at_ms: Optional[int]


class History(TypedDict):
    """What sw_run_history answers: one page of what happened to a run."""

    #: The run as it stands.
    run: Run
    #: Attempts, by number.
    attempts: list[AttemptRecord]
    #: Steps, in the order of their recording.
    steps: list[StepRecord]
    #: Signals, in the order of their arrival.
    signals: list[SignalRecord]
    #: Children, in the order of their submits.
    children: list[ChildRecord]
    #: Events, by number.
    events: list[Event]
    #: The cursor of the next page; null on the last.
    next: Optional[str]


class Imported(TypedDict):
    """What sw_run_import answers."""

    #: The topmost run, under the id that it has here.
    run_id: str
    #: Runs that came.
    runs: int


class MovedTable(TypedDict):
    """A table that was copied from store to store."""

    #: Its name.
    table: str
    #: Its rows.
    rows: int
    #: A sum over what its rows hold, the same in any order, with which what came was compared.
    sum: str


class Graduated(TypedDict):
    """What sw_store_graduate answers."""

    #: Where the move stands: moved once the other store is in force, in_force where there is no
    #: move any more.
    state: Literal["releasing", "copying", "comparing", "moved", "in_force"]
    #: The table that is copied or compared; null otherwise.
    table: Optional[str]
    #: Rows that were copied; while they are compared, those that were compared.
    rows: int
    #: Attempts that were released; of the whole move once it is done, else of this call.
    released: int
    #: The tables that were copied.
    tables: list[MovedTable]
    #: The host's own tables, which do not move: 1000 at most; empty before the move is done.
    left_behind: list[str]


class RunSummary(TypedDict):
    """What ListedRun always has."""

    #: The run's id.
    run_id: str
    #: The id of its place in the queue.
    task_id: str
    #: The root of its tree; itself for a root.
    root_run_id: str
    #: The run that submitted it as a child; null for a root.
    parent_run_id: Optional[str]
    #: Name of the host's function.
    workflow: str
    #: Name of the queue.
    queue: str
    #: The state it is in.
    state: RunState
    #: The lower goes first.
    priority: int
    #: Attempts so far, which counts claims.
    attempts: int
    #: Tries that were charged: failures and losses.
    tries: int
    #: Tries after which it fails for good.
    max_tries: int
    #: When it was first to be claimed.
    run_at_ms: int
    #: When it was submitted.
    created_at_ms: int
    #: When its state last changed.
    updated_at_ms: int
    #: When it ended; null while it is open.
    finished_at_ms: Optional[int]
    #: The version of the code that it asks for; null for any.
    code_version: Optional[str]
    #: A running attempt was told to end and has not done so yet.
    cancel_asked: bool
    #: A running attempt was told to yield and has not done so yet.
    pause_asked: bool
    #: When a pending run may be claimed: now, or the end of its delay or backoff; else null.
    due_at_ms: Optional[int]


class ListedRun(RunSummary, total=False):
    """A run as sw_run_list shows it: args, result, error, last_error, metadata and waiting_for are
    there where include names them."""

    #: What was submitted, byte for byte; null if nothing.
    args: Any
    #: What it completed with; null until then.
    result: Any
    #: What it failed with or was cancelled with; null until then.
    error: Any
    #: The host's own object; null if there is none.
    metadata: Optional[dict[str, Any]]
    #: What a waiting run waits for, 100 entries at most; null in other states.
    waiting_for: Optional[list[Wait]]
    #: What the newest failed attempt of an open run ended with; else null.
    last_error: Any


class Migration(TypedDict):
    """A step of the schema."""

    #: Its number.
    id: int
    #: The version of the library that brought it.
    introduced_version: str
    #: When it was applied.
    applied_time: int


class Owner(TypedDict):
    """A store handle that has claimed, and what it holds."""

    #: Its id.
    owner_id: str
    #: Its process.
    pid: int
    #: Whether its process lives and has it open: if not, the next claim takes over what it holds.
    #: null where that cannot be told.
    alive: Optional[bool]
    #: When it first claimed.
    opened_at_ms: int
    #: Runs that it holds.
    running: int
    #: When it claimed the run that it has held for longest.
    oldest_lease_at_ms: Optional[int]


class Pruned(TypedDict):
    """What sw_store_prune answers."""

    #: Runs that were removed, or would be.
    runs: int
    #: Trees that are gone since this call, or would be.
    trees: int
    #: Bytes of JSON that the runs carried.
    bytes: int
    #: Whether there may be more to remove.
    more: bool


class Queue(TypedDict):
    """A queue: its limits, what stands in it, when it was last claimed from."""

    #: Its name.
    queue: str
    #: Runs that may be held at once; null without a limit.
    concurrency: Optional[int]
    #: The same for each concurrency key.
    concurrency_per_key: Optional[int]
    #: Nothing is claimed from it.
    paused: bool
    #: Runs that attempts hold.
    running: int
    #: Runs that may be claimed, as far as limits let them.
    ready: int
    #: Runs that are not due.
    delayed: int
    #: Runs that are parked.
    waiting: int
    #: Runs behind another with their concurrency key.
    blocked: int
    #: Since when the run is ready that has been so for longest.
    oldest_ready_at_ms: Optional[int]
    #: When something was last claimed from it; up to a second behind.
    last_claimed_at_ms: Optional[int]
    #: Counts that stopped at their bound: so many, or more.
    at_least: list[str]


class RetentionRule(TypedDict, total=False):
    """Which ended runs of a workflow stay by themselves."""

    #: Milliseconds for which a completed run stays.
    completed_ms: int
    #: The same for a failed one.
    failed_ms: int
    #: The same for a cancelled one.
    cancelled_ms: int
    #: So many of the newest ended ones stay, whatever their age.
    keep_newest: int


class Retention(TypedDict, total=False):
    """What sw_retention_set takes and sw_retention_get answers: which ended runs stay by
    themselves. It has the members that were given."""

    #: Milliseconds for which a completed run stays.
    completed_ms: int
    #: The same for a failed one.
    failed_ms: int
    #: The same for a cancelled one.
    cancelled_ms: int
    #: So many of the newest ended runs of each workflow stay, whatever their age.
    keep_newest: int
    #: What else holds for the runs of a workflow, member by member.
    workflows: dict[str, RetentionRule]


class RunCounts(TypedDict):
    """Runs by state."""

    #: Numbers that runs were given.
    total: int
    #: Runs that are pending.
    pending: int
    #: Runs that are running.
    running: int
    #: Runs that are waiting.
    waiting: int
    #: Runs that are paused.
    paused: int
    #: Runs that are completed.
    completed: int
    #: Runs that are failed.
    failed: int
    #: Runs that are cancelled.
    cancelled: int
    #: Counts that stopped at their bound: so many, or more.
    at_least: list[str]
    #: What a count that stopped leaves of the total: so many, or fewer.
    at_most: list[str]


class RunPage(TypedDict):
    """What sw_run_list answers: a page of the runs that a filter means."""

    #: The runs, in the filter's order; there may be none though others follow.
    items: list[ListedRun]
    #: Cursor of the next page; null on the last.
    next: Optional[str]
    #: Runs that the call looked at, listed or not.
    looked_at: int


class Schedule(TypedDict):
    """A schedule as it stands."""

    #: The schedule's name.
    name: str
    #: What it submits.
    workflow: str
    #: With which args; null if none.
    args: Any
    #: To which queue.
    queue: str
    #: The expression; null if it goes by an interval.
    cron: Optional[str]
    #: The interval; null if it goes by an expression.
    every_ms: Optional[int]
    #: The zone of the expression.
    timezone: str
    #: What happens while the run of the firing before is open.
    overlap: Literal["skip", "queue"]
    #: What happens to firings that nobody looked at in time.
    catch_up: Literal["none", "last", "all"]
    #: Nothing fires.
    paused: bool
    #: The next firing; null if there is none.
    next_at_ms: Optional[int]
    #: The firing that the last run is for; null if there was none.
    last_at_ms: Optional[int]
    #: That run.
    last_run_id: Optional[str]
    #: Firings without a run since the run before was open.
    skipped: int
    #: Why it cannot fire; null if it can.
    error: Optional[str]


class WriterStats(TypedDict):
    """What a process has written since it opened the file."""

    #: Commits.
    commits: int
    #: Writes that they carried.
    writes: int
    #: Writes in the largest of them.
    largest_batch: int
    #: Commits by size.
    batches: Batches
    #: Syncs made for them.
    syncs: int
    #: Commits that another process' sync covered.
    syncs_shared: int
    #: Commits for which another process' turn was waited for.
    turn_waits: int
    #: How long, in sum.
    turn_wait_ms: int
    #: Whose the writes were; first those that took longest.
    calls: list[CallStats]


class Stats(TypedDict):
    """What sw_store_stats answers: a store as a whole."""

    #: When it was looked at.
    at_ms: int
    #: Runs by state.
    runs: RunCounts
    #: Since when the run is ready that has been so for longest.
    oldest_ready_at_ms: Optional[int]
    #: How long that is.
    oldest_ready_for_ms: Optional[int]
    #: When something comes due by itself next.
    next_due_at_ms: Optional[int]
    #: As sw_queue_list answers.
    queues: list[Queue]
    #: Limits that are reached, 100 at most.
    full: list[FullLimit]
    #: As sw_owner_list answers.
    owners: list[Owner]
    #: How large the store is.
    file: FileStats
    #: What this process has written since it opened the file; null for a handle that only reads.
    writer: Optional[WriterStats]


class SubmittedRun(TypedDict):
    """The run of an item."""

    #: The run.
    run_id: str
    #: It was there before.
    exists: bool
