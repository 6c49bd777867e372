//! The limits that a C program may want to read, each as `crate::limits` has it.
//!
//! Written as plain numbers, so that the header reads the same to every parser; the assertions at
//! the foot hold them to what they stand for.

use crate::limits;

/// Bytes in a name at most: workflow, queue, step, message, worker, schedule, unit, event type.
pub const SW_NAME_BYTES_MAX: usize = 255;

/// Bytes in a key at most: of idempotency, its scope, of concurrency, the source of a reservation.
pub const SW_KEY_BYTES_MAX: usize = 1024;

/// Bytes of one JSON payload at most, and of payload_bytes_max in sw_store_options: 512 MiB.
pub const SW_PAYLOAD_BYTES_MAX: u64 = 536_870_912;

/// Levels of nesting in a JSON text at most.
pub const SW_JSON_DEPTH_MAX: usize = 100;

/// Bytes of the path of a store's file at most, when it is absolute and links are followed.
pub const SW_FILE_BYTES_MAX: usize = 504;

/// Bytes of an option struct at most, as its struct_size says.
pub const SW_STRUCT_SIZE_MAX: usize = 4096;

/// Milliseconds of a duration, delay or time-out at most: a hundred years.
pub const SW_DURATION_MS_MAX: i64 = 3_162_240_000_000;

/// Unix milliseconds of an instant at most: the end of the year 9999.
pub const SW_INSTANT_MS_MAX: i64 = 253_402_300_799_999;

/// Milliseconds of the busy timeout at most: a day.
pub const SW_BUSY_TIMEOUT_MS_MAX: u32 = 86_400_000;

/// Milliseconds of a lease at least.
pub const SW_LEASE_MS_MIN: u32 = 1000;

/// Milliseconds of a lease at most: an hour. For more heartbeat, or SW_LEASE_WHILE_ALIVE.
pub const SW_LEASE_MS_MAX: u32 = 3_600_000;

/// Connections of a store that read side by side at most.
pub const SW_READERS_MAX: u32 = 64;

/// Tries of a run or a step at most.
pub const SW_TRIES_MAX: u32 = 1_000_000;

/// Growth from one wait before a try to the next at most, in percent: 200 doubles it.
pub const SW_BACKOFF_PERCENT_MAX: u32 = 10_000;

/// Occurrences of one name in a run at most.
pub const SW_OCCURRENCE_MAX: u32 = 1_000_000_000;

/// Runs in one submit or claim of many at most.
pub const SW_MANY_MAX: u32 = 10_000;

/// Things that one await of several names at most.
pub const SW_WAITS_MAX: u32 = 10_000;

/// Messages and children that one parked run waits for at most, over all its awaits.
pub const SW_WAITS_PARKED_MAX: u32 = 100_000;

/// Entries of a page, of a history or of events, at most; a limit of 0 is 1000.
pub const SW_PAGE_LEN_MAX: u32 = 10_000;

/// Bytes of payloads after which a page of events, of a history or of runs ends, whatever its limit:
/// 16 MiB.
pub const SW_EVENT_PAGE_BYTES: u32 = 16_777_216;

/// Kinds of events that one filter names at most.
pub const SW_EVENT_TYPES_MAX: u32 = 64;

/// Events that one call passes over at most in search of those of some kinds.
pub const SW_EVENTS_LOOKED_MAX: u32 = 10_000;

/// Things that a run waits for which its document shows at most.
pub const SW_WAITING_SHOWN_MAX: u32 = 100;

/// Units that one budget, reservation or usage names at most.
pub const SW_BUDGET_UNITS_MAX: u32 = 64;

/// Units that a tree of runs ever meters at most.
pub const SW_BUDGET_UNITS_OF_TREE_MAX: u32 = 256;

/// Sums by workflow, kind of step and unit that the document of a budget shows at most.
pub const SW_BUDGET_TOTALS_MAX: u32 = 1000;

/// Open reservations of an attempt at most, counted by unit.
pub const SW_RESERVATIONS_OPEN_MAX: u32 = 1000;

/// Schedules in a store at most.
pub const SW_SCHEDULES_MAX: u32 = 10_000;

/// Bytes in the spec of a schedule at most, its args included.
pub const SW_SCHEDULE_SPEC_BYTES_MAX: usize = 65_536;

/// Missed firings that a schedule makes up for at most, the newest.
pub const SW_SCHEDULE_CATCH_UP_MAX: u32 = 1000;

/// Milliseconds after which a firing that nobody saw counts as missed: a minute.
pub const SW_SCHEDULE_GRACE_MS: u32 = 60_000;

/// Faults of one kind that the report of a check names at most.
pub const SW_CHECK_FAULTS_MAX: u32 = 20;

/// Runs in a page of a list, or that one act on many is about, at most.
pub const SW_LIST_LEN_MAX: u32 = 1000;

/// Runs that one call of a list looks at, about, whether it lists them or not.
pub const SW_LIST_LOOKS_MAX: u32 = 16_384;

/// Running runs, ready ones, or runs of an idempotency scope, above which a list goes through more
/// than it shows.
pub const SW_LIST_GATHER_MAX: u32 = 8192;

/// Bytes of the filter of a list at most.
pub const SW_FILTER_BYTES_MAX: usize = 65_536;

/// Members of metadata that the filter of a list names at most.
pub const SW_FILTER_METADATA_MAX: usize = 16;

/// Where a count may be told to stop at most.
pub const SW_COUNT_MAX: u64 = 1_000_000_000;

/// Bytes of a run's metadata at most, once it is annotated.
pub const SW_METADATA_BYTES_MAX: usize = 65_536;

/// Runs that one sw_store_prune removes at most.
pub const SW_PRUNE_LEN_MAX: u32 = 100_000;

/// Bytes of a policy of sw_retention_set at most.
pub const SW_POLICY_BYTES_MAX: usize = 65_536;

/// Workflows that such a policy names at most.
pub const SW_POLICY_WORKFLOWS_MAX: usize = 1_000;

/// Runs of a workflow that such a policy keeps as its newest at most.
pub const SW_KEEP_NEWEST_MAX: u32 = 10_000;

/// Pages that one sw_store_compact gives back at most.
pub const SW_COMPACT_PAGES_MAX: u32 = 1_000_000;

/// Runs of a tree that is exported or imported at most.
pub const SW_CARRY_RUNS_MAX: u32 = 20_000;

/// Attempts, steps, signals, waits, events, reservations and what these came to, of such a tree, at most.
pub const SW_CARRY_ROWS_MAX: usize = 200_000;

/// Bytes of the document of such a tree at most: 128 MiB.
pub const SW_CARRY_BYTES_MAX: usize = 134_217_728;

/// Open runs of a kind that sw_store_stats and sw_queue_list count at most.
pub const SW_TASKS_COUNTED_MAX: u32 = 10_000;

/// Failed, or cancelled, runs that sw_store_stats counts at most.
pub const SW_OUTCOMES_COUNTED_MAX: u32 = 100_000;

/// Pairs of a workflow and a code version in queues that sw_store_stats and sw_queue_list look at.
pub const SW_LANES_SHOWN_MAX: u32 = 10_000;

/// Pairs of a workflow and a code version in its queue that sw_run_explain looks at, beside its own.
pub const SW_LANES_EXPLAINED_MAX: u32 = 1_000;

/// Limits that are reached which sw_store_stats shows at most.
pub const SW_FULL_SHOWN_MAX: u32 = 100;

/// Runs that fill a limit which are shown at most.
pub const SW_HOLDERS_SHOWN_MAX: u32 = 10;

/// Runs before another that sw_run_explain counts at most.
pub const SW_AHEAD_COUNTED_MAX: u32 = 1000;

/// Bytes in one SQL statement of the host's at most.
pub const SW_SQL_TEXT_BYTES_MAX: usize = 1_048_576;

/// Values that one SQL statement is given at most.
pub const SW_SQL_PARAMS_MAX: usize = 32_766;

/// Rows that sw_query, or a statement of sw_tx_run, answers with at most.
pub const SW_SQL_ROWS_MAX: u32 = 10_000;

/// Bytes of values after which the rows of sw_query end, and that those of a script may have: 16 MiB.
pub const SW_SQL_BYTES: usize = 16_777_216;

/// Milliseconds that sw_query may be told to run at most: an hour.
pub const SW_SQL_TIMEOUT_MS_MAX: i64 = 3_600_000;

/// Items of a script of sw_tx_run at most.
pub const SW_SCRIPT_LEN_MAX: u32 = 1000;

/// Holds each constant to the bound of its name, at compile time.
macro_rules! same {
    ($($exported:ident $bound:ident)+) => {
        const _: () = {
            $(assert!($exported as i128 == limits::$bound as i128, stringify!($exported));)+
        };
    };
}

same! {
    SW_NAME_BYTES_MAX NAME_BYTES_MAX
    SW_KEY_BYTES_MAX KEY_BYTES_MAX
    SW_PAYLOAD_BYTES_MAX PAYLOAD_BYTES_MAX
    SW_JSON_DEPTH_MAX JSON_DEPTH_MAX
    SW_FILE_BYTES_MAX FILE_BYTES_MAX
    SW_STRUCT_SIZE_MAX STRUCT_BYTES_MAX
    SW_DURATION_MS_MAX DURATION_MS_MAX
    SW_INSTANT_MS_MAX INSTANT_MS_MAX
    SW_BUSY_TIMEOUT_MS_MAX BUSY_TIMEOUT_MS_MAX
    SW_LEASE_MS_MIN LEASE_MS_MIN
    SW_LEASE_MS_MAX LEASE_MS_MAX
    SW_READERS_MAX READERS_MAX
    SW_TRIES_MAX TRIES_MAX
    SW_BACKOFF_PERCENT_MAX BACKOFF_PERCENT_MAX
    SW_OCCURRENCE_MAX OCCURRENCE_MAX
    SW_MANY_MAX MANY_MAX
    SW_WAITS_MAX WAITS_MAX
    SW_WAITS_PARKED_MAX WAITS_PARKED_MAX
    SW_PAGE_LEN_MAX PAGE_LEN_MAX
    SW_EVENT_PAGE_BYTES EVENT_PAGE_BYTES
    SW_EVENT_TYPES_MAX EVENT_TYPES_MAX
    SW_EVENTS_LOOKED_MAX EVENTS_LOOKED_MAX
    SW_WAITING_SHOWN_MAX WAITING_SHOWN_MAX
    SW_BUDGET_UNITS_MAX BUDGET_UNITS_MAX
    SW_BUDGET_UNITS_OF_TREE_MAX BUDGET_UNITS_OF_TREE_MAX
    SW_BUDGET_TOTALS_MAX BUDGET_TOTALS_MAX
    SW_RESERVATIONS_OPEN_MAX RESERVATIONS_OPEN_MAX
    SW_SCHEDULES_MAX SCHEDULES_MAX
    SW_SCHEDULE_SPEC_BYTES_MAX SCHEDULE_SPEC_BYTES_MAX
    SW_SCHEDULE_CATCH_UP_MAX SCHEDULE_CATCH_UP_MAX
    SW_SCHEDULE_GRACE_MS SCHEDULE_GRACE_MS
    SW_CHECK_FAULTS_MAX CHECK_FAULTS_MAX
    SW_LIST_LEN_MAX LIST_LEN_MAX
    SW_LIST_LOOKS_MAX LIST_LOOKS_MAX
    SW_LIST_GATHER_MAX LIST_GATHER_MAX
    SW_FILTER_BYTES_MAX FILTER_BYTES_MAX
    SW_FILTER_METADATA_MAX FILTER_METADATA_MAX
    SW_COUNT_MAX COUNT_MAX
    SW_METADATA_BYTES_MAX METADATA_BYTES_MAX
    SW_PRUNE_LEN_MAX PRUNE_LEN_MAX
    SW_POLICY_BYTES_MAX POLICY_BYTES_MAX
    SW_POLICY_WORKFLOWS_MAX POLICY_WORKFLOWS_MAX
    SW_KEEP_NEWEST_MAX KEEP_NEWEST_MAX
    SW_COMPACT_PAGES_MAX COMPACT_PAGES_MAX
    SW_CARRY_RUNS_MAX CARRY_RUNS_MAX
    SW_CARRY_ROWS_MAX CARRY_ROWS_MAX
    SW_CARRY_BYTES_MAX CARRY_BYTES_MAX
    SW_TASKS_COUNTED_MAX TASKS_COUNTED_MAX
    SW_OUTCOMES_COUNTED_MAX OUTCOMES_COUNTED_MAX
    SW_LANES_SHOWN_MAX LANES_SHOWN_MAX
    SW_LANES_EXPLAINED_MAX LANES_EXPLAINED_MAX
    SW_FULL_SHOWN_MAX FULL_SHOWN_MAX
    SW_HOLDERS_SHOWN_MAX HOLDERS_SHOWN_MAX
    SW_AHEAD_COUNTED_MAX AHEAD_COUNTED_MAX
    SW_SQL_TEXT_BYTES_MAX SQL_TEXT_BYTES_MAX
    SW_SQL_PARAMS_MAX SQL_PARAMS_MAX
    SW_SQL_ROWS_MAX SQL_ROWS_MAX
    SW_SQL_BYTES SQL_BYTES
    SW_SQL_TIMEOUT_MS_MAX SQL_TIMEOUT_MS_MAX
    SW_SCRIPT_LEN_MAX SCRIPT_LEN_MAX
}
