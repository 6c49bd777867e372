//! The tables of a store as rows that move from one backend into another: their columns in one order, and
//! what each of them holds.

use crate::domain::port::{Cell, Table};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// A number.
    Integer,
    /// No or yes.
    Flag,
    /// A name or a short text.
    Text,
    /// A payload of the host's, which may be large.
    Payload,
    /// An id of a run.
    Id,
    /// Other bytes.
    Bytes,
}

use Holds::{Bytes, Flag, Id, Integer, Payload, Text};

/// A table, the same in every backend.
#[derive(Debug)]
pub struct Columns {
    /// Its name.
    pub name: &'static str,
    /// Its columns.
    pub all: &'static [(&'static str, Holds)],
    /// Which of them are its key in a file.
    pub file_key: &'static [usize],
    /// Which of them are its key on a server.
    #[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "of a server alone"))]
    pub server_key: &'static [usize],
    /// The column that a server counts up by itself.
    #[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "of a server alone"))]
    pub counted: Option<&'static str>,
}

impl Columns {
    /// Returns the cells of a key.
    pub fn key_of(&self, key: &[usize], row: &[Cell]) -> Vec<Cell> {
        key.iter().filter_map(|at| row.get(*at).cloned()).collect()
    }
}

/// Returns the columns of a table.
pub fn columns(table: Table) -> &'static Columns {
    let at = Table::ALL.iter().position(|one| *one == table).unwrap_or(0);
    &ALL[at]
}

const fn table(
    name: &'static str,
    key: &'static [usize],
    all: &'static [(&'static str, Holds)],
) -> Columns {
    Columns { name, all, file_key: key, server_key: key, counted: None }
}

const fn counted(name: &'static str, all: &'static [(&'static str, Holds)]) -> Columns {
    Columns { counted: Some(all[0].0), ..table(name, &[0], all) }
}

/// In the order of [`Table::ALL`].
static ALL: [Columns; Table::ALL.len()] = [
    table(
        "sw_workflow_lanes",
        &[0],
        &[
            ("lane_key", Integer),
            ("queue", Text),
            ("workflow", Text),
            ("code_version", Text),
            ("owner_key", Integer),
            ("claimed_at_ms", Integer),
        ],
    ),
    table(
        "sw_workflow_runs",
        &[0],
        &[
            ("run_key", Integer),
            ("run_id", Id),
            ("lane_key", Integer),
            ("outcome", Integer),
            ("attempts", Integer),
            ("tries", Integer),
            ("parent_key", Integer),
            ("root_key", Integer),
            ("forked_from", Integer),
            ("created_at_ms", Integer),
            ("run_at_ms", Integer),
            ("finished_at_ms", Integer),
            ("priority", Integer),
            ("max_tries", Integer),
            ("timeout_ms", Integer),
            ("backoff_initial_ms", Integer),
            ("backoff_max_ms", Integer),
            ("backoff_percent", Integer),
            ("concurrency_key", Text),
            ("idem_scope", Text),
            ("idem_key", Text),
            ("metadata", Text),
            ("args", Payload),
            ("result", Payload),
            ("error", Text),
        ],
    ),
    table(
        "sw_workflow_tasks",
        &[0],
        &[
            ("task_key", Integer),
            ("lane_key", Integer),
            ("state", Integer),
            ("priority", Integer),
            ("due_at_ms", Integer),
            ("wake_at_ms", Integer),
            ("deadline_at_ms", Integer),
            ("fence", Integer),
            ("failures", Integer),
            ("losses", Integer),
            ("flags", Integer),
            ("waits_left", Integer),
            ("token", Integer),
            ("version", Integer),
            ("gate", Text),
        ],
    ),
    table(
        "sw_workflow_attempts",
        &[0, 1],
        &[
            ("run_key", Integer),
            ("number", Integer),
            ("ended", Integer),
            ("worker", Text),
            ("started_at_ms", Integer),
            ("ended_at_ms", Integer),
            ("error", Text),
        ],
    ),
    table("sw_workflow_cascades", &[0], &[("run_key", Integer), ("after_key", Integer)]),
    Columns {
        server_key: &[1, 0],
        ..counted(
            "sw_workflow_steps",
            &[
                ("step_key", Integer),
                ("run_key", Integer),
                ("kind", Integer),
                ("name", Text),
                ("occurrence", Integer),
                ("state", Integer),
                ("tries", Integer),
                ("retry_at_ms", Integer),
                ("label", Text),
                ("input_hash", Bytes),
                ("started_at_ms", Integer),
                ("took_ms", Integer),
                ("error", Text),
                ("result", Payload),
            ],
        )
    },
    counted(
        "sw_workflow_signals",
        &[
            ("signal_key", Integer),
            ("run_key", Integer),
            ("name", Text),
            ("idem_key", Text),
            ("consumed_by", Integer),
            ("sent_at_ms", Integer),
            ("payload", Payload),
        ],
    ),
    table(
        "sw_workflow_waits",
        &[0, 1, 2, 3],
        &[
            ("kind", Integer),
            ("target_key", Integer),
            ("name", Text),
            ("task_key", Integer),
            ("amount", Integer),
        ],
    ),
    table(
        "sw_workflow_events",
        &[0],
        &[
            ("seq", Integer),
            ("run_key", Integer),
            ("type", Text),
            ("idem_key", Text),
            ("at_ms", Integer),
            ("payload", Payload),
        ],
    ),
    table(
        "sw_budget_balances",
        &[0, 1],
        &[
            ("root_key", Integer),
            ("unit", Text),
            ("limit_amount", Integer),
            ("warn_amount", Integer),
            ("reserved", Integer),
            ("spent", Integer),
            ("is_warned", Flag),
            ("wake_at_ms", Integer),
        ],
    ),
    // The key is that of the first row of a call, whichever it is.
    Columns {
        file_key: &[0, 1],
        server_key: &[0, 1],
        ..counted(
            "sw_budget_reservations",
            &[
                ("reservation_key", Integer),
                ("place", Integer),
                ("salt", Integer),
                ("root_key", Integer),
                ("run_key", Integer),
                ("fence", Integer),
                ("unit", Text),
                ("amount", Integer),
                ("state", Integer),
                ("source", Text),
                ("at_ms", Integer),
                ("units", Integer),
                ("label", Text),
                ("step_name", Text),
                ("step_occurrence", Integer),
            ],
        )
    },
    counted(
        "sw_budget_ledger",
        &[
            ("entry_key", Integer),
            ("root_key", Integer),
            ("source_type", Integer),
            ("source_key", Integer),
            ("unit", Text),
            ("run_key", Integer),
            ("lane_key", Integer),
            ("label", Text),
            ("amount", Integer),
            ("at_ms", Integer),
        ],
    ),
    table(
        "sw_budget_totals",
        &[0, 1, 2, 3],
        &[
            ("root_key", Integer),
            ("unit", Text),
            ("lane_key", Integer),
            ("label", Text),
            ("spent", Integer),
            ("entries", Integer),
        ],
    ),
    table(
        "sw_workflow_queues",
        &[0],
        &[
            ("queue", Text),
            ("concurrency", Integer),
            ("concurrency_per_key", Integer),
            ("paused", Flag),
            ("running", Integer),
        ],
    ),
    table("sw_workflow_gates", &[0, 1], &[("queue", Text), ("gate", Text), ("running", Integer)]),
    table(
        "sw_workflow_schedules",
        &[0],
        &[
            ("name", Text),
            ("next_at_ms", Integer),
            ("seen_at_ms", Integer),
            ("anchor_ms", Integer),
            ("last_run_id", Id),
            ("last_at_ms", Integer),
            ("skipped", Integer),
            ("error", Text),
            ("spec", Text),
        ],
    ),
    table("sw_workflow_gone", &[0], &[("run_key", Integer), ("run_id", Id)]),
    table("sw_retention", &[0], &[("one", Integer), ("policy", Text)]),
];
