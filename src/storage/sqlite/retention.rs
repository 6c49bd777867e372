//! Pruning: the rows of trees that have ended go, and what found them.
//!
//! Two rows stay for their keys' sake. That of the newest run, since the next run is given the key after
//! the greatest, and cursors of lists and what is in memory elsewhere name runs by keys: it stays bare, as
//! a root that is being pruned, until there is a newer one. And the newest event, likewise (P32).

use std::collections::BTreeSet;

use super::errors::map;
use super::payload::{payload_bytes, payload_key};
use super::traces::{LaneNames, Traces};
use super::tx::Tx;
use crate::domain::port::{Freed, Removed, RetentionPort, Room, RunKey};
use crate::error::{Error, Result};

/// What is to be done about a file of which no page can be given back.
const FIXED: &str = "the file was made by an older version of the library or by another program, so that its free pages \
    are used again and cannot be given back: for that close it everywhere, and run PRAGMA auto_vacuum = \
    INCREMENTAL and VACUUM in the sqlite3 program";

// A bare row goes once there is a newer one.
const TREES_BEGUN: &str = "
SELECT r.run_key
FROM sw_workflow_runs AS r
WHERE r.outcome = 4 AND r.outcome > 1 AND (
    r.finished_at_ms IS NOT NULL
    OR EXISTS (SELECT 1 FROM sw_workflow_runs AS n WHERE n.run_key > r.run_key)
)
ORDER BY r.run_key
LIMIT ?1";

const TREE_HAS_ENDED: &str = "
SELECT 1
FROM sw_workflow_runs AS r
WHERE r.run_key = ?1 AND r.outcome < 4 AND r.root_key IS NULL AND NOT EXISTS (
    SELECT 1 FROM sw_workflow_runs AS m WHERE m.root_key = ?1 AND m.outcome IS NULL
)";

const FORK_ANY: &str = "
SELECT run_key
FROM sw_workflow_runs
WHERE forked_from > 0
ORDER BY forked_from, run_key
LIMIT 1";

const FORK_LIVING: &str = "
WITH RECURSIVE chain (run_key, outcome) AS (
    SELECT f.run_key, f.outcome
    FROM sw_workflow_runs AS f
    WHERE f.forked_from = ?1
    UNION ALL
    SELECT f.run_key, f.outcome
    FROM sw_workflow_runs AS m
    CROSS JOIN sw_workflow_runs AS f ON f.forked_from = m.run_key
    WHERE m.root_key = ?1
    UNION
    SELECT f.run_key, f.outcome
    FROM chain
    CROSS JOIN sw_workflow_runs AS f ON f.forked_from = chain.run_key
)
SELECT 1
FROM chain
WHERE outcome IS NULL
LIMIT 1";

const TREE_BEGIN: &str = "
UPDATE sw_workflow_runs
SET outcome = 4, idem_scope = NULL, idem_key = NULL
WHERE run_key = ?1 AND outcome < 4";

pub(super) const MEMBERS: &str = "
SELECT run_key
FROM sw_workflow_runs
WHERE root_key = ?1
ORDER BY outcome, run_key
LIMIT ?2";

const NEWEST: &str = "
SELECT run_key
FROM sw_workflow_runs
ORDER BY run_key DESC
LIMIT 1";

/// The bytes of what a run's own row carries.
macro_rules! carried {
    () => {
        concat!(
            payload_bytes!("r.args"),
            " + ",
            payload_bytes!("r.result"),
            " + coalesce(octet_length(r.error), 0) + coalesce(octet_length(r.metadata), 0)
        + coalesce((
            SELECT octet_length(b.body) FROM sw_payloads AS b WHERE b.payload_key = r.args_key
        ), 0)"
        )
    };
}

const RUN_FACTS: &str = concat!(
    "
SELECT r.run_id, r.lane_key, l.queue, l.workflow, l.code_version, r.finished_at_ms, r.metadata,
    r.args_key, ",
    carried!(),
    ", ",
    payload_key!("r.args"),
    ", ",
    payload_key!("r.result"),
    "
FROM sw_workflow_runs AS r
JOIN sw_workflow_lanes AS l ON l.lane_key = r.lane_key
WHERE r.run_key = ?1"
);

const RUN_BYTES: &str = concat!(
    "
SELECT ",
    carried!(),
    "
    + coalesce((
        SELECT sum(octet_length(error)) FROM sw_workflow_attempts WHERE run_key = ?1
    ), 0)
    + coalesce((
        SELECT sum(",
    payload_bytes!("result"),
    " + coalesce(octet_length(error), 0))
        FROM sw_workflow_steps
        WHERE run_key = ?1
    ), 0)
    + coalesce((
        SELECT sum(",
    payload_bytes!("payload"),
    ") FROM sw_workflow_signals WHERE run_key = ?1
    ), 0)
FROM sw_workflow_runs AS r
WHERE r.run_key = ?1"
);

const ATTEMPTS: &str = "
SELECT number, coalesce(octet_length(error), 0), ended_at_ms, NULL
FROM sw_workflow_attempts
WHERE run_key = ?1
ORDER BY number
LIMIT ?2";

const ATTEMPT_DELETE: &str = "
DELETE FROM sw_workflow_attempts
WHERE run_key = ?1 AND number = ?2";

const STEPS: &str = concat!(
    "
SELECT step_key, coalesce(octet_length(error), 0) + ",
    payload_bytes!("result"),
    ", NULL, ",
    payload_key!("result"),
    "
FROM sw_workflow_steps
WHERE run_key = ?1
ORDER BY kind, name, occurrence
LIMIT ?2"
);

const STEP_DELETE: &str = "
DELETE FROM sw_workflow_steps
WHERE run_key = ?1 AND step_key = ?2";

const SIGNALS: &str = concat!(
    "
SELECT signal_key, ",
    payload_bytes!("payload"),
    ", NULL, ",
    payload_key!("payload"),
    "
FROM sw_workflow_signals
WHERE run_key = ?1
ORDER BY signal_key
LIMIT ?2"
);

const SIGNAL_DELETE: &str = "
DELETE FROM sw_workflow_signals
WHERE run_key = ?1 AND signal_key = ?2";

const RESERVATIONS: &str = "
SELECT reservation_key, 0, NULL, NULL
FROM sw_budget_reservations
WHERE run_key = ?1
ORDER BY fence, source, reservation_key
LIMIT ?2";

const RESERVATION_DELETE: &str = "
DELETE FROM sw_budget_reservations
WHERE run_key = ?1 AND reservation_key = ?2";

const ENTRIES: &str = "
SELECT entry_key, 0, NULL, NULL
FROM sw_budget_ledger
WHERE root_key = ?1
ORDER BY source_type, source_key, unit
LIMIT ?2";

const ENTRY_DELETE: &str = "
DELETE FROM sw_budget_ledger
WHERE root_key = ?1 AND entry_key = ?2";

const BALANCES_DELETE: &str = "
DELETE FROM sw_budget_balances
WHERE root_key = ?1";

const TOTALS_DELETE: &str = "
DELETE FROM sw_budget_totals
WHERE root_key = ?1";

const PAYLOAD_DELETE: &str = "
DELETE FROM sw_payloads
WHERE payload_key = ?1";

const CASCADE_DELETE: &str = "
DELETE FROM sw_workflow_cascades
WHERE run_key = ?1";

const GONE_INSERT: &str = "
INSERT OR IGNORE INTO sw_workflow_gone (run_key, run_id)
SELECT ?1, ?2
WHERE EXISTS (SELECT 1 FROM sw_workflow_events WHERE run_key = ?1)";

const RUN_DELETE: &str = "
DELETE FROM sw_workflow_runs
WHERE run_key = ?1";

// Its outcome, its end and all that it was are gone; its key, its id, its lane and its time are not.
const RUN_BARE: &str = "
UPDATE sw_workflow_runs
SET outcome = 4, attempts = NULL, tries = NULL, parent_key = NULL, root_key = NULL, forked_from = NULL,
    finished_at_ms = NULL, concurrency_key = NULL, metadata = NULL, args_key = NULL, args = NULL,
    result = NULL, error = NULL
WHERE run_key = ?1";

const CLOCK_STEP_DELETE: &str = "
DELETE FROM sw_workflow_clock_steps
WHERE run_key = ?1";

// The newest stays: its number is not given again.
const EVENTS_OLDEST: &str = concat!(
    "
SELECT e.seq, e.run_key, g.run_key IS NOT NULL, ",
    payload_key!("e.payload"),
    "
FROM sw_workflow_events AS e
LEFT JOIN sw_workflow_gone AS g ON g.run_key = e.run_key
WHERE e.seq < (
    SELECT seq FROM sw_workflow_events ORDER BY seq DESC LIMIT 1
)
ORDER BY e.seq
LIMIT ?1"
);

const EVENTS_DELETE: &str = "
DELETE FROM sw_workflow_events
WHERE seq <= ?1";

const GONE_DELETE: &str = "
DELETE FROM sw_workflow_gone
WHERE run_key = ?1
    AND NOT EXISTS (SELECT 1 FROM sw_workflow_events WHERE run_key = ?1)";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[
    TREES_BEGUN,
    TREE_HAS_ENDED,
    FORK_ANY,
    FORK_LIVING,
    TREE_BEGIN,
    MEMBERS,
    NEWEST,
    RUN_FACTS,
    RUN_BYTES,
    ATTEMPTS,
    ATTEMPT_DELETE,
    STEPS,
    STEP_DELETE,
    SIGNALS,
    SIGNAL_DELETE,
    RESERVATIONS,
    RESERVATION_DELETE,
    ENTRIES,
    ENTRY_DELETE,
    BALANCES_DELETE,
    TOTALS_DELETE,
    PAYLOAD_DELETE,
    CASCADE_DELETE,
    GONE_INSERT,
    RUN_DELETE,
    RUN_BARE,
    CLOCK_STEP_DELETE,
    EVENTS_OLDEST,
    EVENTS_DELETE,
    GONE_DELETE,
];

/// Rows of one table that go with a run: key, bytes, end and named payload of some, and the removal of one.
struct Part {
    rows: &'static str,
    delete: &'static str,
}

const PARTS_OF_RUN: [Part; 4] = [
    Part { rows: ATTEMPTS, delete: ATTEMPT_DELETE },
    Part { rows: STEPS, delete: STEP_DELETE },
    Part { rows: SIGNALS, delete: SIGNAL_DELETE },
    Part { rows: RESERVATIONS, delete: RESERVATION_DELETE },
];

const LEDGER: Part = Part { rows: ENTRIES, delete: ENTRY_DELETE };

/// The row of a run that is to go.
struct Facts {
    run_id: Vec<u8>,
    lane: LaneNames,
    finished_at_ms: Option<i64>,
    metadata: Option<String>,
    args_key: Option<i64>,
    payload_keys: [Option<i64>; 2],
    bytes: u64,
}

/// A removal under way.
struct Removal<'room> {
    room: &'room mut Room,
    removed: Removed,
    /// The run whose key is the greatest.
    newest: Option<RunKey>,
    /// What found the runs that are gone.
    traces: Traces,
}

impl RetentionPort for Tx<'_> {
    fn trees_begun(&mut self, limit: u32) -> Result<Vec<RunKey>> {
        self.all(TREES_BEGUN, [limit], |row| row.get(0))
    }

    fn tree_has_ended(&mut self, root_key: RunKey) -> Result<bool> {
        if self.one(TREE_HAS_ENDED, [root_key], |_| Ok(()))?.is_none() {
            return Ok(false);
        }
        Ok(self.key(FORK_ANY, [])?.is_none()
            || self.one(FORK_LIVING, [root_key], |_| Ok(()))?.is_none())
    }

    fn trees_remove(&mut self, root_keys: &[RunKey], room: &mut Room) -> Result<Removed> {
        let newest = self.key(NEWEST, [])?;
        let mut removal = Removal {
            room,
            removed: Removed { is_whole: true, ..Removed::default() },
            newest,
            traces: Traces::new(newest),
        };
        for root_key in root_keys {
            if removal.room.is_full() {
                break;
            }
            if self.execute(TREE_BEGIN, [root_key])? > 0 {
                removal.removed.trees += 1;
            }
            removal.removed.last_key = Some(*root_key);
            removal.removed.is_whole = self.tree_remove(*root_key, &mut removal)?;
            if !removal.removed.is_whole {
                break;
            }
        }
        self.traces_remove(&removal.traces)?;
        Ok(removal.removed)
    }

    fn tree_weight(&mut self, root_key: RunKey, runs_max: u32) -> Result<Removed> {
        let mut run_keys: Vec<RunKey> =
            self.all(MEMBERS, (root_key, runs_max), |row| row.get(0))?;
        run_keys.push(root_key);
        let is_whole = run_keys.len() <= runs_max as usize;
        run_keys.truncate(runs_max as usize);
        let mut weight = Removed { trees: 1, is_whole, ..Removed::default() };
        for run_key in run_keys {
            let bytes: Option<i64> = self.one(RUN_BYTES, [run_key], |row| row.get(0))?;
            weight.runs += 1;
            weight.bytes = weight.bytes.saturating_add(bytes.unwrap_or(0).unsigned_abs());
        }
        Ok(weight)
    }

    fn has_stale_events(&mut self) -> Result<bool> {
        let is_stale = self.one(EVENTS_OLDEST, [1], |row| row.get(2))?;
        Ok(is_stale.unwrap_or(false))
    }

    fn events_trim(&mut self, limit: u32) -> Result<bool> {
        let mut run_keys: BTreeSet<RunKey> = BTreeSet::new();
        let (mut last_seq, mut count) = (None, 0);
        let mut payload_keys: Vec<i64> = Vec::new();
        {
            let mut statement = self.prepare(EVENTS_OLDEST)?;
            let mut rows = statement.query([limit]).map_err(map)?;
            while let Some(row) = rows.next().map_err(map)? {
                if !row.get::<_, bool>(2).map_err(map)? {
                    break;
                }
                last_seq = Some(row.get::<_, i64>(0).map_err(map)?);
                run_keys.insert(row.get(1).map_err(map)?);
                payload_keys.extend(row.get::<_, Option<i64>>(3).map_err(map)?);
                count += 1;
            }
        }
        let Some(last_seq) = last_seq else { return Ok(false) };
        self.execute(EVENTS_DELETE, [last_seq])?;
        payload_keys.into_iter().try_for_each(|key| self.payload_release(key))?;
        for run_key in run_keys {
            self.execute(GONE_DELETE, [run_key])?;
        }
        Ok(count == limit)
    }

    fn pages_free(&mut self, limit: u32) -> Result<Freed> {
        let number = |sql: &'static str| -> Result<u64> {
            let number: Option<i64> = self.one(sql, [], |row| row.get(0))?;
            Ok(number.unwrap_or(0).unsigned_abs())
        };
        if number("PRAGMA auto_vacuum")? == 0 {
            return Err(Error::Unsupported(FIXED.into()));
        }
        let before = number("PRAGMA page_count")?;
        // One at a time: it stops where nothing is left.
        // It goes on with each row that is asked for.
        let sql = format!("PRAGMA incremental_vacuum({limit})");
        let mut vacuum = self.prepare_once(&sql)?;
        let mut rows = vacuum.raw_query();
        while rows.next().map_err(map)?.is_some() {}
        let freed = before.saturating_sub(number("PRAGMA page_count")?);
        let pages = u32::try_from(freed).unwrap_or(u32::MAX);
        Ok(Freed { pages, left: number("PRAGMA freelist_count")? })
    }
}

impl Tx<'_> {
    /// Goes on with a tree; returns whether nothing of it is left.
    fn tree_remove(&self, root_key: RunKey, removal: &mut Removal<'_>) -> Result<bool> {
        self.execute(BALANCES_DELETE, [root_key])?;
        self.execute(TOTALS_DELETE, [root_key])?;
        if !self.part_remove(&LEDGER, root_key, removal)? {
            return Ok(false);
        }
        loop {
            if removal.room.is_full() {
                return Ok(false);
            }
            let members: Vec<RunKey> =
                self.all(MEMBERS, (root_key, removal.room.runs), |row| row.get(0))?;
            if members.is_empty() {
                return self.run_remove(root_key, removal);
            }
            for run_key in members {
                if !self.run_remove(run_key, removal)? {
                    return Ok(false);
                }
            }
        }
    }

    /// Goes on with a run; returns whether nothing of it is left.
    fn run_remove(&self, run_key: RunKey, removal: &mut Removal<'_>) -> Result<bool> {
        for part in &PARTS_OF_RUN {
            if !self.part_remove(part, run_key, removal)? {
                return Ok(false);
            }
        }
        let facts = self.one(RUN_FACTS, [run_key], read_facts)?;
        let lost = || Error::Corrupt(format!("run {run_key} has no lane").into());
        let facts = facts.ok_or_else(lost)?;
        // A bare row was counted as it became one.
        let is_bare = facts.finished_at_ms.is_none();
        if removal.newest != Some(run_key) {
            if self.execute(CLOCK_STEP_DELETE, [run_key])? > 0 {
                removal.traces.clock_steps.push(run_key);
            }
            self.execute(RUN_DELETE, [run_key])?;
        } else if !is_bare {
            self.execute(RUN_BARE, [run_key])?;
        }
        removal.room.rows = removal.room.rows.saturating_sub(1);
        if is_bare {
            removal.traces.left(run_key, facts.lane.lane_key);
            return Ok(true);
        }
        self.execute(CASCADE_DELETE, [run_key])?;
        self.execute(GONE_INSERT, (run_key, &facts.run_id))?;
        if let Some(args_key) = facts.args_key {
            self.execute(PAYLOAD_DELETE, [args_key])?;
        }
        facts.payload_keys.iter().flatten().try_for_each(|key| self.payload_release(*key))?;
        removal.note(run_key, facts)?;
        Ok(true)
    }

    /// Removes what stands in one table; returns whether nothing is left there.
    fn part_remove(
        &self,
        part: &Part,
        owner_key: RunKey,
        removal: &mut Removal<'_>,
    ) -> Result<bool> {
        let room = removal.room.rows;
        let rows: Vec<(i64, i64, Option<i64>, Option<i64>)> =
            self.all(part.rows, (owner_key, room), |row| row.try_into())?;
        for (key, bytes, ended_at_ms, payload_key) in &rows {
            self.execute(part.delete, (owner_key, key))?;
            payload_key.iter().try_for_each(|key| self.payload_release(*key))?;
            removal.removed.bytes = removal.removed.bytes.saturating_add(bytes.unsigned_abs());
            // What was retried has ended more than once.
            ended_at_ms.iter().for_each(|at_ms| removal.traces.ended(owner_key, *at_ms));
        }
        let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        removal.room.rows = room.saturating_sub(count);
        Ok(count < room)
    }
}

impl Removal<'_> {
    /// Counts a run that is gone, and notes what found it.
    fn note(&mut self, run_key: RunKey, facts: Facts) -> Result<()> {
        self.removed.runs += 1;
        self.removed.bytes = self.removed.bytes.saturating_add(facts.bytes);
        self.room.runs = self.room.runs.saturating_sub(1);
        let Facts { lane, finished_at_ms, metadata, .. } = facts;
        self.traces.was(run_key, lane, metadata.as_deref())?;
        finished_at_ms.into_iter().for_each(|at_ms| self.traces.ended(run_key, at_ms));
        Ok(())
    }
}

fn read_facts(row: &rusqlite::Row<'_>) -> rusqlite::Result<Facts> {
    Ok(Facts {
        run_id: row.get(0)?,
        lane: LaneNames {
            lane_key: row.get(1)?,
            queue: row.get(2)?,
            workflow: row.get(3)?,
            code_version: row.get(4)?,
        },
        finished_at_ms: row.get(5)?,
        metadata: row.get(6)?,
        args_key: row.get(7)?,
        bytes: row.get::<_, i64>(8)?.unsigned_abs(),
        payload_keys: [row.get(9)?, row.get(10)?],
    })
}
