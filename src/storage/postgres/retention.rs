//! Pruning: the rows of trees that have ended go. Keys are never given again, so that the last row of a
//! run goes as any other; the newest event stays, as its number would be (P32).

use std::collections::BTreeSet;

use super::tx::Tx;
use super::value::{Many, Row};
use crate::domain::port::{Freed, LaneKey, Removed, RetentionPort, Room, RunKey};
use crate::error::{Error, Result};

const TREES_BEGUN: &str = "
SELECT run_key
FROM $schema.sw_workflow_runs
WHERE outcome = 4 AND outcome > 1
ORDER BY run_key
LIMIT $1";

const TREE_HAS_ENDED: &str = "
SELECT 1
FROM $schema.sw_workflow_runs AS r
WHERE r.run_key = $1 AND r.outcome < 4 AND r.root_key IS NULL AND NOT EXISTS (
    SELECT 1 FROM $schema.sw_workflow_runs AS m WHERE m.root_key = $1 AND m.outcome IS NULL
)";

const FORK_LIVING: &str = "
WITH RECURSIVE chain (run_key, outcome) AS (
    (
        SELECT f.run_key, f.outcome
        FROM $schema.sw_workflow_runs AS f
        WHERE f.forked_from = $1
        UNION ALL
        SELECT f.run_key, f.outcome
        FROM $schema.sw_workflow_runs AS m
        JOIN $schema.sw_workflow_runs AS f ON f.forked_from = m.run_key
        WHERE m.root_key = $1
    )
    UNION
    SELECT f.run_key, f.outcome
    FROM chain
    JOIN $schema.sw_workflow_runs AS f ON f.forked_from = chain.run_key
)
SELECT 1
FROM chain
WHERE outcome IS NULL
LIMIT 1";

const TREE_BEGIN: &str = "
UPDATE $schema.sw_workflow_runs
SET outcome = 4, idem_scope = NULL, idem_key = NULL
WHERE run_key = $1 AND outcome < 4";

pub(super) const MEMBERS: &str = "
SELECT run_key
FROM $schema.sw_workflow_runs
WHERE root_key = $1
ORDER BY outcome, run_key
LIMIT $2";

/// The bytes of what a run's own row carries.
macro_rules! carried {
    () => {
        "coalesce(octet_length(r.args), 0) + coalesce(octet_length(r.result), 0)
    + coalesce(octet_length(r.error), 0) + coalesce(octet_length(r.metadata), 0)"
    };
}

const RUN_BYTES: &str = concat!(
    "
SELECT (",
    carried!(),
    "
    + coalesce((
        SELECT sum(octet_length(a.error))
        FROM $schema.sw_workflow_attempts AS a
        WHERE a.run_key = r.run_key
    ), 0)
    + coalesce((
        SELECT sum(coalesce(octet_length(s.result), 0) + coalesce(octet_length(s.error), 0))
        FROM $schema.sw_workflow_steps AS s
        WHERE s.run_key = r.run_key
    ), 0)
    + coalesce((
        SELECT sum(octet_length(g.payload))
        FROM $schema.sw_workflow_signals AS g
        WHERE g.run_key = r.run_key
    ), 0)
)::bigint
FROM $schema.sw_workflow_runs AS r
WHERE r.run_key = $1"
);

const ATTEMPTS_DELETE: &str = "
DELETE FROM $schema.sw_workflow_attempts
WHERE run_key = $1 AND number IN (
    SELECT number FROM $schema.sw_workflow_attempts WHERE run_key = $1 ORDER BY number LIMIT $2
)
RETURNING coalesce(octet_length(error), 0)";

const STEPS_DELETE: &str = "
DELETE FROM $schema.sw_workflow_steps
WHERE run_key = $1 AND (kind, name, occurrence) IN (
    SELECT kind, name, occurrence
    FROM $schema.sw_workflow_steps
    WHERE run_key = $1
    ORDER BY kind, name, occurrence
    LIMIT $2
)
RETURNING coalesce(octet_length(error), 0) + coalesce(octet_length(result), 0)";

const SIGNALS_DELETE: &str = "
DELETE FROM $schema.sw_workflow_signals
WHERE signal_key IN (
    SELECT signal_key
    FROM $schema.sw_workflow_signals
    WHERE run_key = $1
    ORDER BY signal_key
    LIMIT $2
)
RETURNING coalesce(octet_length(payload), 0)";

const RESERVATIONS_DELETE: &str = "
DELETE FROM $schema.sw_budget_reservations
WHERE (reservation_key, place) IN (
    SELECT reservation_key, place
    FROM $schema.sw_budget_reservations
    WHERE run_key = $1
    ORDER BY fence, source, reservation_key, place
    LIMIT $2
)
RETURNING 0";

const ENTRIES_DELETE: &str = "
DELETE FROM $schema.sw_budget_ledger
WHERE entry_key IN (
    SELECT entry_key
    FROM $schema.sw_budget_ledger
    WHERE root_key = $1
    ORDER BY source_type, source_key, unit
    LIMIT $2
)
RETURNING 0";

const BALANCES_DELETE: &str = "
DELETE FROM $schema.sw_budget_balances
WHERE root_key = $1";

const TOTALS_DELETE: &str = "
DELETE FROM $schema.sw_budget_totals
WHERE root_key = $1";

const CASCADE_DELETE: &str = "
DELETE FROM $schema.sw_workflow_cascades
WHERE run_key = $1";

const GONE_INSERT: &str = "
INSERT INTO $schema.sw_workflow_gone (run_key, run_id)
SELECT run_key, run_id
FROM $schema.sw_workflow_runs AS r
WHERE run_key = $1
    AND EXISTS (SELECT 1 FROM $schema.sw_workflow_events AS e WHERE e.run_key = r.run_key)
ON CONFLICT (run_key) DO NOTHING";

const RUN_DELETE: &str = concat!(
    "
DELETE FROM $schema.sw_workflow_runs AS r
WHERE run_key = $1
RETURNING lane_key, ",
    carried!()
);

// A lane goes with the last run that names it.
const LANES_DELETE: &str = "
DELETE FROM $schema.sw_workflow_lanes AS l
WHERE lane_key = ANY ($1::bigint[]) AND owner_key = 0
    AND NOT EXISTS (SELECT 1 FROM $schema.sw_workflow_runs AS r WHERE r.lane_key = l.lane_key)";

// The newest stays: its number is not given again.
const EVENTS_OLDEST: &str = "
SELECT e.seq, e.run_key, g.run_key IS NOT NULL
FROM $schema.sw_workflow_events AS e
LEFT JOIN $schema.sw_workflow_gone AS g ON g.run_key = e.run_key
WHERE e.seq < (SELECT max(seq) FROM $schema.sw_workflow_events)
ORDER BY e.seq
LIMIT $1";

const EVENTS_DELETE: &str = "
DELETE FROM $schema.sw_workflow_events
WHERE seq <= $1";

const GONE_DELETE: &str = "
DELETE FROM $schema.sw_workflow_gone AS g
WHERE run_key = ANY ($1::bigint[])
    AND NOT EXISTS (SELECT 1 FROM $schema.sw_workflow_events AS e WHERE e.run_key = g.run_key)";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[
    TREES_BEGUN,
    TREE_HAS_ENDED,
    FORK_LIVING,
    TREE_BEGIN,
    MEMBERS,
    RUN_BYTES,
    ATTEMPTS_DELETE,
    STEPS_DELETE,
    SIGNALS_DELETE,
    RESERVATIONS_DELETE,
    ENTRIES_DELETE,
    BALANCES_DELETE,
    TOTALS_DELETE,
    CASCADE_DELETE,
    GONE_INSERT,
    RUN_DELETE,
    LANES_DELETE,
    EVENTS_OLDEST,
    EVENTS_DELETE,
    GONE_DELETE,
];

/// What takes some rows that go with a run away, and returns the bytes of each.
const PARTS_OF_RUN: [&str; 4] =
    [ATTEMPTS_DELETE, STEPS_DELETE, SIGNALS_DELETE, RESERVATIONS_DELETE];

/// A removal under way.
struct Removal<'room> {
    room: &'room mut Room,
    removed: Removed,
    /// Lanes that the runs that are gone named.
    lanes: BTreeSet<LaneKey>,
}

impl RetentionPort for Tx<'_> {
    fn trees_begun(&mut self, limit: u32) -> Result<Vec<RunKey>> {
        self.rows(TREES_BEGUN, &[&limit], |row| row.get(0))
    }

    fn tree_has_ended(&mut self, root_key: RunKey) -> Result<bool> {
        let has_ended = self.row_opt(TREE_HAS_ENDED, &[&root_key], |_| Ok(()))?.is_some();
        Ok(has_ended && self.row_opt(FORK_LIVING, &[&root_key], |_| Ok(()))?.is_none())
    }

    fn trees_remove(&mut self, root_keys: &[RunKey], room: &mut Room) -> Result<Removed> {
        let removed = Removed { is_whole: true, ..Removed::default() };
        let mut removal = Removal { room, removed, lanes: BTreeSet::new() };
        for root_key in root_keys {
            if removal.room.is_full() {
                break;
            }
            if self.exec(TREE_BEGIN, &[root_key])? > 0 {
                removal.removed.trees += 1;
            }
            removal.removed.last_key = Some(*root_key);
            removal.removed.is_whole = self.tree_remove(*root_key, &mut removal)?;
            if !removal.removed.is_whole {
                break;
            }
        }
        let lanes: Vec<LaneKey> = removal.lanes.into_iter().collect();
        self.put(LANES_DELETE, &[&Many(&lanes)])?;
        Ok(removal.removed)
    }

    fn tree_weight(&mut self, root_key: RunKey, runs_max: u32) -> Result<Removed> {
        let mut run_keys: Vec<RunKey> =
            self.rows(MEMBERS, &[&root_key, &runs_max], |row| row.get(0))?;
        run_keys.push(root_key);
        let is_whole = run_keys.len() <= runs_max as usize;
        run_keys.truncate(runs_max as usize);
        let mut weight = Removed { trees: 1, is_whole, ..Removed::default() };
        for run_key in run_keys {
            let bytes: Option<u64> = self.row_opt(RUN_BYTES, &[&run_key], |row| row.get(0))?;
            weight.runs += 1;
            weight.bytes = weight.bytes.saturating_add(bytes.unwrap_or(0));
        }
        Ok(weight)
    }

    fn has_stale_events(&mut self) -> Result<bool> {
        Ok(self.row_opt(EVENTS_OLDEST, &[&1_u32], |row| row.get(2))?.unwrap_or(false))
    }

    fn events_trim(&mut self, limit: u32) -> Result<bool> {
        let read = |row: Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let oldest: Vec<(i64, RunKey, bool)> = self.rows(EVENTS_OLDEST, &[&limit], read)?;
        let stale: Vec<_> = oldest.into_iter().take_while(|(_, _, is_stale)| *is_stale).collect();
        let Some((last_seq, ..)) = stale.last() else { return Ok(false) };
        self.put(EVENTS_DELETE, &[last_seq])?;
        let run_keys: Vec<RunKey> = stale.iter().map(|(_, run_key, _)| *run_key).collect();
        self.put(GONE_DELETE, &[&Many(&run_keys)])?;
        Ok(stale.len() == limit as usize)
    }

    /// Frees none, and none is left: the server gives the room of rows that are gone to new ones by itself.
    fn pages_free(&mut self, _: u32) -> Result<Freed> {
        Ok(Freed { pages: 0, left: 0 })
    }
}

impl Tx<'_> {
    /// Goes on with a tree; returns whether nothing of it is left.
    fn tree_remove(&mut self, root_key: RunKey, removal: &mut Removal<'_>) -> Result<bool> {
        self.put(BALANCES_DELETE, &[&root_key])?;
        self.put(TOTALS_DELETE, &[&root_key])?;
        if !self.part_remove(ENTRIES_DELETE, root_key, removal)? {
            return Ok(false);
        }
        loop {
            if removal.room.is_full() {
                return Ok(false);
            }
            let members: Vec<RunKey> =
                self.rows(MEMBERS, &[&root_key, &removal.room.runs], |row| row.get(0))?;
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
    fn run_remove(&mut self, run_key: RunKey, removal: &mut Removal<'_>) -> Result<bool> {
        for part in PARTS_OF_RUN {
            if !self.part_remove(part, run_key, removal)? {
                return Ok(false);
            }
        }
        self.put(CASCADE_DELETE, &[&run_key])?;
        self.put(GONE_INSERT, &[&run_key])?;
        let gone: Option<(LaneKey, u64)> =
            self.row_opt(RUN_DELETE, &[&run_key], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (lane_key, bytes) =
            gone.ok_or_else(|| Error::Corrupt(format!("run {run_key} has no row").into()))?;
        removal.lanes.insert(lane_key);
        removal.removed.runs += 1;
        removal.removed.bytes = removal.removed.bytes.saturating_add(bytes);
        removal.room.runs = removal.room.runs.saturating_sub(1);
        removal.room.rows = removal.room.rows.saturating_sub(1);
        Ok(true)
    }

    /// Removes what stands in one table; returns whether nothing is left there.
    fn part_remove(
        &mut self,
        sql: &str,
        owner_key: RunKey,
        removal: &mut Removal<'_>,
    ) -> Result<bool> {
        let room = removal.room.rows;
        let bytes: Vec<u64> = self.rows(sql, &[&owner_key, &room], |row| row.get(0))?;
        removal.removed.bytes =
            bytes.iter().fold(removal.removed.bytes, |a, b| a.saturating_add(*b));
        let count = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        removal.room.rows = room.saturating_sub(count);
        Ok(count < room)
    }
}
