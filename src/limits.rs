//! Every bound of the library, with its unit and the reason for it.

/// Bytes in a name: workflow, queue, step, signal, worker. Names are keys of indexes.
pub const NAME_BYTES_MAX: usize = 255;

/// Bytes in an idempotency key or scope. A key is indexed, so it must fit a quarter of a page.
pub const KEY_BYTES_MAX: usize = 1024;

/// Bytes in one JSON payload unless the store's options say otherwise: 16 MiB.
pub const PAYLOAD_BYTES_DEFAULT: u64 = 16 * 1024 * 1024;

/// Bytes in one JSON payload at most, whatever the options say: SQLite's own limit on a row is 10^9.
pub const PAYLOAD_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// Levels of nesting in one JSON payload. Deeper text has broken parsers in hosts.
pub const JSON_DEPTH_MAX: usize = 100;

/// Bytes of a path as given, with its NUL. Linux' own `PATH_MAX`.
pub const PATH_BYTES_MAX: usize = 4096;

/// Bytes of the path of a store's file, absolute and without symbolic links: SQLite takes 512 with what
/// the names beside it add.
pub const FILE_BYTES_MAX: usize = 504;

/// Bytes that the longest name beside a store's file has more, `-journal`.
pub const SUFFIX_BYTES: usize = 8;

/// Symbolic links that lead to a file which is yet to be made; as many as the system follows.
pub const LINKS_MAX: u32 = 40;

/// Times that a file is looked at anew, because somebody opened it for writing meanwhile, before the
/// answer is that it is busy.
pub const LOOKS_MAX: u32 = 16;

/// Claims of a handle that may stand although they failed, of which it gives back what they took. A handle
/// has more of them only when none goes through any more.
pub const UNHEARD_MAX: usize = 1_024;

/// Bytes of an option struct of any version to come. A larger size is a host's memory read as a
/// size, and following it would read beyond what the host owns.
pub const STRUCT_BYTES_MAX: usize = 4_096;

/// Room that a caller gives for an id, in bytes with the NUL: 31 of prefix, `_`, 26, NUL, spare.
pub const ID_CAP: usize = 64;

/// Milliseconds that a call waits for a lock unless the store's options say otherwise.
pub const BUSY_TIMEOUT_MS_DEFAULT: u32 = 5_000;

/// Milliseconds that a call may be told to wait for a lock: a day.
pub const BUSY_TIMEOUT_MS_MAX: u32 = 86_400_000;

/// Milliseconds of a lease unless the store or the claim says otherwise.
pub const LEASE_MS_DEFAULT: u32 = 30_000;

/// Milliseconds of the shortest lease: below it the clock tick and a sync eat it up.
pub const LEASE_MS_MIN: u32 = 1_000;

/// Milliseconds of the longest lease. Longer work says `SW_LEASE_WHILE_ALIVE` or heartbeats.
pub const LEASE_MS_MAX: u32 = 3_600_000;

/// Read connections of a store unless its options say otherwise.
pub const READERS_DEFAULT: u32 = 4;

/// Read connections of a store at most; each costs about 100 KiB and three descriptors.
pub const READERS_MAX: u32 = 64;

/// Jobs that may queue for the writer of a file before callers wait to enqueue.
pub const WRITE_QUEUE_LEN_MAX: usize = 4_096;

/// Jobs in one transaction. Larger batches gain nothing measurable and lengthen the slowest call.
pub const WRITE_BATCH_LEN_MAX: usize = 256;

/// Milliseconds of work after which a transaction takes no further write: those behind it, here and in other
/// processes, wait for one write that runs long and not for many.
pub const WRITE_BATCH_MS_MAX: u64 = 100;

/// Payload bytes in one transaction, so that a batch of large results does not swell the log.
pub const WRITE_BATCH_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Pages in the write-ahead log at which the leader checkpoints.
pub const CHECKPOINT_PAGES: i32 = 2_000;

/// Pages in the log at which a checkpoint also waits for readers, so that the log starts over.
pub const CHECKPOINT_PAGES_HARD: i32 = 16_000;

/// Tries of a run unless its submit says otherwise.
pub const RUN_TRIES_DEFAULT: u32 = 3;

/// Tries of a step unless its begin says otherwise.
pub const STEP_TRIES_DEFAULT: u32 = 3;

/// Tries at most, of a run or a step.
pub const TRIES_MAX: u32 = 1_000_000;

/// Milliseconds before the second try.
pub const BACKOFF_INITIAL_MS_DEFAULT: i64 = 1_000;

/// Milliseconds between two tries at most: an hour.
pub const BACKOFF_MAX_MS_DEFAULT: i64 = 3_600_000;

/// Growth of the backoff from one try to the next, in percent.
pub const BACKOFF_PERCENT_DEFAULT: u32 = 200;

/// Growth of the backoff at most, in percent.
pub const BACKOFF_PERCENT_MAX: u32 = 10_000;

/// Milliseconds in any duration or wait that a caller names: a hundred years.
pub const DURATION_MS_MAX: i64 = 100 * 366 * 86_400_000;

/// Instants that a caller names, in Unix milliseconds: the year 9999.
pub const INSTANT_MS_MAX: i64 = 253_402_300_799_999;

/// Occurrences of one step name in a run.
pub const OCCURRENCE_MAX: u32 = 1_000_000_000;

/// Rows that one sweep of a claim moves: due delays. Bounds the longest transaction.
pub const SWEEP_DUE_MAX: u32 = 256;

/// Rows that one sweep of a claim ends or takes back: lapsed leases, dead owners, deadlines.
pub const SWEEP_LOST_MAX: u32 = 64;

/// Lanes of a queue that may have a place too early in the order of claims: a claim looks into so many
/// in vain at most, and while no more have a place at all, none is written to when a run is taken.
pub const LANES_LOOSE_MAX: u32 = 16;

/// Lanes with other names that a claim passes over before it looks up each name that it asks for.
pub const LANES_PASSED_MAX: u32 = 32;

/// Gates that one step of setting a queue's limits opens or closes.
pub const SWEEP_GATES_MAX: u32 = 64;

/// Milliseconds between two looks at whether other owners still live, in a busy claimer.
pub const OWNER_PROBE_MS: i64 = 250;

/// Milliseconds that a waiting claimer sleeps at most before it looks again: a sender may have died
/// between its commit and its bell.
pub const WAIT_SLICE_MS: u64 = 500;

/// Milliseconds for which a look at the fence is good while no order is given: a process that cancels
/// or takes over may die between its commit and the word that tells of it.
pub const LOOK_MS: i64 = 1_000;

/// Bytes of recorded steps that an attempt holds in memory; above it steps are looked up one by one.
pub const PRELOAD_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes of a payload above which it stands apart from the row that carries it, packed and once however
/// many carry it. Up to here rows share a page; above, each would take one alone: a step with 2,100 bytes of
/// text took 4,212 of the file, and 1,557 apart. What is new costs a fifth to a third more to record
/// up to 8 KB, and a seventh beyond; what is there already costs less than in its row.
pub const PAYLOAD_INLINE_BYTES_MAX: usize = 2_048;

/// Items of a page of history when the caller names none.
pub const PAGE_LEN_DEFAULT: u32 = 1_000;

/// Items of a page at most.
pub const PAGE_LEN_MAX: u32 = 10_000;

/// Entries in the list of one await.
pub const WAITS_MAX: usize = 10_000;

/// Signals and children that one parked run waits for: each is a row that its park writes.
pub const WAITS_PARKED_MAX: usize = 100_000;

/// Runs in one submit or claim of many: bounds the longest transaction.
pub const MANY_MAX: usize = 10_000;

/// Runs that one sweep of a cancel ends or flags.
pub const SWEEP_CASCADE_MAX: u32 = 256;

/// Ancestors that a claim looks at while a cancel is on its way down. Below that depth the sweeps go
/// first, so that a claim of any run costs a bounded number of look-ups.
pub const ANCESTORS_MAX: u32 = 64;

/// Runs of a chain, each forked from the next, whose children the newest may await. Each costs a
/// look-up, and only where a child is awaited that is not the run's own.
pub const FORKS_MAX: u32 = 1_000;

/// Entries of `waiting_for` that are shown at most: a run may wait for ten thousand children.
pub const WAITING_SHOWN_MAX: u32 = 100;

/// Schedules in a store: their list is one document.
pub const SCHEDULES_MAX: u32 = 10_000;

/// Bytes in a schedule's spec, its args included: the row is written at each firing.
pub const SCHEDULE_SPEC_BYTES_MAX: usize = 65_536;

/// Schedules that one sweep of a claim looks at.
pub const SWEEP_SCHEDULES_MAX: u32 = 64;

/// Firings that one sweep of a claim deals with, over all schedules: bounds its inserts.
pub const SWEEP_FIRINGS_MAX: usize = 256;

/// Missed firings that a schedule makes up for at most, the newest: ten years of seconds are no use.
pub const SCHEDULE_CATCH_UP_MAX: i64 = 1_000;

/// Milliseconds after which a firing that nobody saw counts as missed: workers may be busy that long.
pub const SCHEDULE_GRACE_MS: i64 = 60_000;

/// Milliseconds after which a schedule is looked at again whose zone is not known here: another
/// process may know it, and must see the firing long before it counts as missed.
pub const SCHEDULE_RETRY_MS: i64 = 5_000;

/// Bytes in a file of a time zone; the largest has about 4,000.
pub const ZONE_BYTES_MAX: u64 = 65_536;

/// Units that one budget, reservation or usage names: each is a row or two in one transaction.
pub const BUDGET_UNITS_MAX: usize = 64;

/// Units that the tree of a run ever meters: its balances are shown in one document.
pub const BUDGET_UNITS_OF_TREE_MAX: u32 = 256;

/// Open reservations of an attempt, counted by unit: its end closes them in one transaction.
pub const RESERVATIONS_OPEN_MAX: u32 = 1_000;

/// Parked runs that one change of a budget wakes at once; the rest follow while room is left.
pub const BUDGET_WAKE_MAX: u32 = 64;

/// Milliseconds for which those who were woken may take their room before others are woken to it.
pub const BUDGET_WAKE_PAUSE_MS: i64 = 100;

/// Milliseconds at most before a run asks again for room that it gave back itself.
pub const BUDGET_ASK_PAUSE_MS_MAX: i64 = 60_000;

/// Budgets whose parked runs one sweep of a claim wakes.
pub const SWEEP_BUDGETS_MAX: u32 = 16;

/// Bytes of payloads after which a page of events, of a history or of runs ends, whatever its limit: 16 MiB.
pub const EVENT_PAGE_BYTES: usize = 16 * 1024 * 1024;

/// Faults of one kind that a check of a store names: the first few say where to look.
pub const CHECK_FAULTS_MAX: u32 = 20;

/// Sums by workflow and kind that a budget's document shows; kinds are labels of the host's.
pub const BUDGET_TOTALS_MAX: u32 = 1_000;

/// Runs in a page of a list when the caller names no limit.
pub const LIST_LEN_DEFAULT: u32 = 100;

/// Runs in a page of a list, or in one act on many, at most: the latter are one transaction.
pub const LIST_LEN_MAX: u32 = 1_000;

/// Runs that one call of a list looks at, found or not: a few milliseconds.
pub const LIST_LOOKS_MAX: u32 = 16_384;

/// Leaps over indexes that one call of a list makes, each a look-up or a few.
pub const LIST_LEAPS_MAX: u32 = 4_096;

/// Entries of an index that has no order of submission that one call of a list gathers and sorts: runs
/// that are ready or running, or ended in a span of time. Where there are more, they are not rare.
pub const LIST_GATHER_MAX: u32 = 8_192;

/// Times that the clock went back among the runs of a store, above which no time of submission is
/// looked up: its clock says nothing.
pub const CLOCK_STEPS_MAX: u32 = 64;

/// Runs that a count stops at unless told otherwise.
pub const COUNT_DEFAULT: u64 = 10_000;

/// Runs that a count may be told to stop at.
pub const COUNT_MAX: u64 = 1_000_000_000;

/// Bytes of a run's metadata after it was annotated.
pub const METADATA_BYTES_MAX: usize = 65_536;

/// Scalar members of one run's metadata that are indexed; a run with more is found as well, slower.
pub const METADATA_MARKS_MAX: usize = 64;

/// Bytes of an indexed member of metadata; of a longer one its hash is.
pub const METADATA_MARK_BYTES_MAX: usize = 128;

/// Members of metadata that one filter names.
pub const FILTER_METADATA_MAX: usize = 16;

/// Bytes in a filter of a list.
pub const FILTER_BYTES_MAX: usize = 65_536;

/// Runs that a prune removes when the caller names no limit.
pub const PRUNE_LEN_DEFAULT: u32 = 1_000;

/// Runs that one prune removes at most.
pub const PRUNE_LEN_MAX: u32 = 100_000;

/// Runs that one transaction of a prune removes.
pub const PRUNE_PART_RUNS: u32 = 500;

/// Rows that one transaction of a prune removes, about: some ten milliseconds, for which others wait.
pub const PRUNE_PART_ROWS: u32 = 2_048;

/// Trees whose pruning has begun and that one transaction of a prune goes on with.
pub const PRUNE_BEGUN_MAX: u32 = 16;

/// Bytes in a policy of retention.
pub const POLICY_BYTES_MAX: usize = 65_536;

/// Workflows that a policy of retention names.
pub const POLICY_WORKFLOWS_MAX: usize = 1_000;

/// Runs of a workflow that a policy keeps as its newest: each look counts them.
pub const KEEP_NEWEST_MAX: u32 = 10_000;

/// Runs that one sweep of a claim removes as the policy says: a block of those that marks are kept for,
/// some five milliseconds.
pub const RETENTION_PART_RUNS: u32 = 128;

/// Rows that it removes with them, about.
pub const RETENTION_PART_ROWS: u32 = 768;

/// Runs that it looks at for that.
pub const RETENTION_PART_LOOKS: u32 = 2_048;

/// Runs as many as which each question of it counts as: it is some look-ups, whatever it finds.
pub const RETENTION_QUESTION_LOOKS: u32 = 128;

/// Milliseconds from one such sweep to the next of the same look, so that work goes on beside them.
pub const RETENTION_PART_PAUSE_MS: i64 = 20;

/// Milliseconds from the end of a look to the next at least.
pub const RETENTION_PAUSE_MS_MIN: i64 = 250;

/// Milliseconds to the next look at most, so that one that lies further ahead tells of a clock that went
/// back.
pub const RETENTION_PAUSE_MS_MAX: i64 = 60_000;

/// The part of the time for which something is kept by which it may go later than that.
pub const RETENTION_LATE_PART: i64 = 8;

/// Runs that looks may look at per millisecond of rest after them: some percent of one processor.
pub const RETENTION_LOOKS_PER_MS: u64 = 32;

/// Pages that a compact gives back when the caller names no number: four megabytes.
pub const COMPACT_PAGES_DEFAULT: u32 = 1_024;

/// Pages that one compact gives back at most.
pub const COMPACT_PAGES_MAX: u32 = 1_000_000;

/// Pages that one transaction of a compact gives back: each may move another page, a few milliseconds in all.
pub const COMPACT_PART_PAGES: u32 = 128;

/// Runs of a tree that is exported or imported: an import is one transaction, and others wait for it.
pub const CARRY_RUNS_MAX: u32 = 20_000;

/// Rows of such a tree beside its runs: attempts, steps, signals, waits, events, reservations and what
/// they came to.
pub const CARRY_ROWS_MAX: usize = 200_000;

/// Bytes of the document of such a tree: 128 MiB. It stands in memory while it is read or written.
pub const CARRY_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Rows of a store that is moved that travel in one transaction: what a crash sends again, and what a server
/// is told in one message.
pub const GRADUATE_ROWS: u32 = 1_000;

/// Bytes after which no further row travels with them: they stand in memory twice.
pub const GRADUATE_BYTES: usize = 8 * 1024 * 1024;

/// Tables of the host's that the report of a move names. It is read by people.
pub const LEFT_BEHIND_MAX: u32 = 1_000;

/// Kinds of events that one filter names.
pub const EVENT_TYPES_MAX: usize = 64;

/// Events that one look at the log passes over in search of those of some kinds.
pub const EVENTS_LOOKED_MAX: u32 = 10_000;

/// Open runs in a state that a look at the store as a whole counts; those above it are told as such.
pub const TASKS_COUNTED_MAX: u32 = 10_000;

/// Failed or cancelled runs that such a look counts, of each.
pub const OUTCOMES_COUNTED_MAX: u32 = 100_000;

/// Lanes that such a look goes through, by name: their queues are listed.
pub const LANES_SHOWN_MAX: u32 = 10_000;

/// Priorities of a lane among which its oldest ready run is looked for.
pub const PRIORITIES_LOOKED_MAX: u32 = 64;

/// Limits that are reached and shown at most.
pub const FULL_SHOWN_MAX: u32 = 100;

/// Runs that are shown of those that fill a limit.
pub const HOLDERS_SHOWN_MAX: u32 = 10;

/// Milliseconds by which the note of a lane's last claim may be behind: a busy lane writes it so often.
pub const CLAIM_NOTED_MS: i64 = 1_000;

/// Runs before another in the order of claims that an explanation counts.
pub const AHEAD_COUNTED_MAX: u32 = 1_000;

/// Lanes of a queue that an explanation looks at.
pub const LANES_EXPLAINED_MAX: u32 = 1_000;

/// Bytes in the text of one statement of the host's: a million is more than anybody writes by hand.
pub const SQL_TEXT_BYTES_MAX: usize = 1_048_576;

/// Values that one statement is given: SQLite's own limit on parameters.
pub const SQL_PARAMS_MAX: usize = 32_766;

/// Rows that a query answers with when the caller names no number.
pub const SQL_ROWS_DEFAULT: u32 = 1_000;

/// Rows that a query, or a statement of a script, answers with at most.
pub const SQL_ROWS_MAX: u32 = 10_000;

/// Bytes of values after which the rows of a query end, and that those of a script may have together:
/// 16 MiB.
pub const SQL_BYTES: usize = 16 * 1024 * 1024;

/// Milliseconds that a query may run when the caller names no time.
pub const SQL_TIMEOUT_MS_DEFAULT: i64 = 5_000;

/// Milliseconds that a query may be told to run: an hour. It keeps the log from starting over.
pub const SQL_TIMEOUT_MS_MAX: i64 = 3_600_000;

/// Items of a script: it is one transaction, and others wait for it.
pub const SCRIPT_LEN_MAX: usize = 1_000;
