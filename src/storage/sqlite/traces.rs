//! What found runs that are gone: marks, steps of the clock, and lanes. See `marks.rs`.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::types::{ToSql, ToSqlOutput};

use super::marks::{Block, TOO_MANY, block_of, keys_of, marks_of, minute_of};
use super::tx::Tx;
use crate::domain::port::{LaneKey, RunKey};
use crate::error::Result;

const REMAINING: &str = "
SELECT l.queue, l.workflow, l.code_version, r.lane_key, r.outcome, r.finished_at_ms, r.metadata
FROM sw_workflow_runs AS r
CROSS JOIN sw_workflow_lanes AS l ON l.lane_key = r.lane_key
WHERE r.run_key >= ?1 AND r.run_key <= ?2
ORDER BY r.run_key
LIMIT 128";

const LANE_UNMARKED: &str = "
UPDATE sw_workflow_lanes
SET marked_block = NULL
WHERE lane_key = ?1 AND marked_block = ?2";

const LANE_DELETE: &str = "
DELETE FROM sw_workflow_lanes
WHERE lane_key = ?1
    AND NOT EXISTS (SELECT 1 FROM sw_workflow_marks WHERE kind = 7 AND value = ?1)";

// Of the runs about one that is gone, whether the later one was submitted at an earlier time.
const CLOCK_STEP_PASS_ON: &str = "
INSERT OR IGNORE INTO sw_workflow_clock_steps (run_key)
SELECT n.run_key
FROM sw_workflow_runs AS n
WHERE n.run_key = (
    SELECT run_key FROM sw_workflow_runs WHERE run_key > ?1 ORDER BY run_key LIMIT 1
) AND n.created_at_ms < (
    SELECT created_at_ms FROM sw_workflow_runs WHERE run_key < ?1 ORDER BY run_key DESC LIMIT 1
)";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[REMAINING, LANE_UNMARKED, LANE_DELETE, CLOCK_STEP_PASS_ON];

/// What a run is noted as in its block.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    Number(i64),
    Text(String),
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Value::Number(number) => number.to_sql(),
            Value::Text(text) => text.to_sql(),
        }
    }
}

/// A kind of mark, as in the file, and its value.
pub(super) type Mark = (i64, Value);

fn ended_in(ms: i64) -> Mark {
    (5, Value::Number(minute_of(ms)))
}

/// A lane as it marks its runs.
#[derive(Debug)]
pub(super) struct LaneNames {
    pub(super) lane_key: LaneKey,
    pub(super) queue: String,
    pub(super) workflow: String,
    pub(super) code_version: String,
}

impl LaneNames {
    fn marks(self) -> [Mark; 3] {
        [
            (1, Value::Text(self.queue)),
            (2, Value::Text(self.workflow)),
            (3, Value::Text(self.code_version)),
        ]
    }
}

fn of_lane(lane_key: LaneKey) -> Mark {
    (7, Value::Number(lane_key))
}

fn members(metadata: &str) -> Result<impl Iterator<Item = Mark>> {
    Ok(marks_of(metadata)?.into_iter().map(|mark| (6, Value::Text(mark))))
}

/// What found the runs that a transaction has removed.
pub(super) struct Traces {
    /// The block that new runs are given keys of.
    newest: Option<Block>,
    marks: BTreeMap<Block, BTreeSet<Mark>>,
    /// Lanes that they named.
    lanes: BTreeSet<LaneKey>,
    /// Those of them that were submitted at an earlier time than the one before.
    pub(super) clock_steps: Vec<RunKey>,
}

impl Traces {
    /// None yet, where this is the run whose key is the greatest.
    pub(super) fn new(newest: Option<RunKey>) -> Traces {
        Traces {
            newest: newest.map(block_of),
            marks: BTreeMap::new(),
            lanes: BTreeSet::new(),
            clock_steps: Vec::new(),
        }
    }

    /// Notes what a run was.
    pub(super) fn was(
        &mut self,
        run_key: RunKey,
        lane: LaneNames,
        metadata: Option<&str>,
    ) -> Result<()> {
        self.left(run_key, lane.lane_key);
        let marks = self.marks.entry(block_of(run_key)).or_default();
        marks.extend(lane.marks());
        // Whatever it ended as, also before a retry.
        marks.extend((1..=3).map(|outcome| (4, Value::Number(outcome))));
        if let Some(metadata) = metadata {
            marks.extend(members(metadata)?);
            marks.insert((6, Value::Text(TOO_MANY.into())));
        }
        Ok(())
    }

    /// Notes that it named this lane.
    pub(super) fn left(&mut self, run_key: RunKey, lane_key: LaneKey) {
        self.lanes.insert(lane_key);
        self.marks.entry(block_of(run_key)).or_default().insert(of_lane(lane_key));
    }

    /// Notes that it ended then, or an attempt of it.
    pub(super) fn ended(&mut self, run_key: RunKey, at_ms: i64) {
        self.marks.entry(block_of(run_key)).or_default().insert(ended_in(at_ms));
    }
}

impl Tx<'_> {
    /// Takes the marks away that no run of their block has any more, then lanes that no run names, and
    /// passes steps of the clock on.
    pub(super) fn traces_remove(&self, traces: &Traces) -> Result<()> {
        for (block, marks) in &traces.marks {
            let mut gone: BTreeSet<&Mark> = marks.iter().collect();
            for mark in &self.remaining(*block)? {
                gone.remove(mark);
            }
            for (kind, value) in gone {
                self.unmark(*kind, value, *block)?;
            }
        }
        for lane_key in &traces.lanes {
            self.execute(LANE_UNMARKED, (lane_key, traces.newest))?;
            self.execute(LANE_DELETE, [lane_key])?;
            self.marked.borrow_mut().remove(lane_key);
        }
        for run_key in &traces.clock_steps {
            self.execute(CLOCK_STEP_PASS_ON, [run_key])?;
        }
        Ok(())
    }

    /// Returns the marks of the runs that a block has.
    fn remaining(&self, block: Block) -> Result<BTreeSet<Mark>> {
        let (first, last) = keys_of(block);
        let rows = self.all(REMAINING, (first, last), |row| {
            let lane = LaneNames {
                queue: row.get(0)?,
                workflow: row.get(1)?,
                code_version: row.get(2)?,
                lane_key: row.get(3)?,
            };
            let (outcome, finished_at_ms): (Option<i64>, Option<i64>) = (row.get(4)?, row.get(5)?);
            Ok((lane, outcome, finished_at_ms, row.get::<_, Option<String>>(6)?))
        })?;
        let mut marks = BTreeSet::new();
        for (lane, outcome, finished_at_ms, metadata) in rows {
            marks.insert(of_lane(lane.lane_key));
            // One that is being pruned is found no more, and names its lane as long as its row is there.
            if outcome == Some(4) {
                continue;
            }
            marks.extend(lane.marks());
            marks.extend(outcome.map(|outcome| (4, Value::Number(outcome))));
            marks.extend(finished_at_ms.map(ended_in));
            if let Some(metadata) = metadata {
                marks.extend(members(&metadata)?);
                // What a migration found is not marked one by one.
                marks.insert((6, Value::Text(TOO_MANY.into())));
            }
        }
        Ok(marks)
    }
}
