//! What documents read.

use super::attempt::read_attempt;
use super::step::read_step;
use super::tx::Tx;
use super::value::{Param, Row};
use crate::domain::port::{EndedAttempt, QueryPort, RunKey, RunRow, SignalRow, StepKind, StepRow};
use crate::error::Result;
use crate::id::Id;

// A tree that is being pruned (outcome 4 at its root) is gone for every reader from the first moment
// (P34).
const RUN_ROW: &str = "
SELECT r.run_key, r.run_id, t.run_id, p.run_id, r.lane_key, l.queue, l.workflow, l.code_version,
    r.outcome, r.priority, r.max_tries, r.attempts, r.tries, r.created_at_ms, r.run_at_ms,
    r.finished_at_ms, r.args, r.result, r.error, r.metadata
FROM $schema.sw_workflow_runs AS r
JOIN $schema.sw_workflow_lanes AS l ON l.lane_key = r.lane_key
LEFT JOIN $schema.sw_workflow_runs AS t ON t.run_key = coalesce(r.root_key, r.run_key)
LEFT JOIN $schema.sw_workflow_runs AS p ON p.run_key = r.parent_key
WHERE r.run_id = $1 AND t.outcome IS DISTINCT FROM 4";

const ATTEMPTS_AFTER: &str = "
SELECT number, ended, worker, started_at_ms, ended_at_ms, error
FROM $schema.sw_workflow_attempts
WHERE run_key = $1 AND number > $2
ORDER BY number
LIMIT $3";

const LAST_ERROR: &str = "
SELECT error
FROM $schema.sw_workflow_attempts
WHERE run_key = $1 AND error IS NOT NULL
ORDER BY number DESC
LIMIT 1";

const STEPS_AFTER: &str = "
SELECT name, occurrence, state, tries, retry_at_ms, input_hash, error, result, label, started_at_ms,
    took_ms, step_key, kind
FROM $schema.sw_workflow_steps
WHERE run_key = $1 AND step_key > $2
ORDER BY step_key
LIMIT $3";

// A payload that was taken stands with its await: as its result when it was the only thing asked for.
const SIGNALS_AFTER: &str = "
SELECT g.signal_key, g.name,
    CASE WHEN g.consumed_by IS NULL THEN g.payload WHEN s.label = 'signal' THEN s.result END,
    g.sent_at_ms, g.consumed_by IS NOT NULL, s.name, s.occurrence
FROM $schema.sw_workflow_signals AS g
LEFT JOIN $schema.sw_workflow_steps AS s ON s.run_key = g.run_key AND s.step_key = g.consumed_by
WHERE g.run_key = $1 AND g.signal_key > $2
ORDER BY g.signal_key
LIMIT $3";

// Without payloads: a history shows that a child is there, sw_run_get what it carries.
const CHILD_ROWS_AFTER: &str = "
SELECT r.run_key, r.run_id, t.run_id, NULL, r.lane_key, l.queue, l.workflow, l.code_version,
    r.outcome, r.priority, r.max_tries, r.attempts, r.tries, r.created_at_ms, r.run_at_ms,
    r.finished_at_ms, NULL, NULL, NULL, NULL
FROM $schema.sw_workflow_runs AS r
JOIN $schema.sw_workflow_lanes AS l ON l.lane_key = r.lane_key
LEFT JOIN $schema.sw_workflow_runs AS t ON t.run_key = coalesce(r.root_key, r.run_key)
WHERE r.parent_key = $1 AND r.run_key > $2
ORDER BY r.run_key
LIMIT $3";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] =
    &[RUN_ROW, ATTEMPTS_AFTER, LAST_ERROR, STEPS_AFTER, SIGNALS_AFTER, CHILD_ROWS_AFTER];

impl QueryPort for Tx<'_> {
    fn run_row(&mut self, run_id: Id) -> Result<Option<RunRow>> {
        self.row_opt(RUN_ROW, &[&run_id], read_run)
    }

    fn attempts_after(
        &mut self,
        run_key: RunKey,
        after: u32,
        limit: u32,
    ) -> Result<Vec<EndedAttempt>> {
        self.rows(ATTEMPTS_AFTER, &[&run_key, &after, &limit], read_attempt)
    }

    fn last_error(&mut self, run_key: RunKey) -> Result<Option<String>> {
        self.row_opt(LAST_ERROR, &[&run_key], |row| row.get(0))
    }

    fn steps_after(
        &mut self,
        run_key: RunKey,
        after: i64,
        limit: u32,
        bytes: usize,
    ) -> Result<Vec<(i64, StepKind, StepRow)>> {
        let asked: [&dyn Param; 3] = [&run_key, &after, &limit];
        let mut steps = self.rows(STEPS_AFTER, &asked, |row| {
            Ok((row.get(11)?, row.get(12)?, read_step(row, 0)?))
        })?;
        up_to(bytes, &mut steps, |(_, _, step): &(i64, StepKind, StepRow)| {
            len(&step.result) + len(&step.error)
        });
        Ok(steps)
    }

    fn signals_after(
        &mut self,
        run_key: RunKey,
        after: i64,
        limit: u32,
        bytes: usize,
    ) -> Result<Vec<SignalRow>> {
        let mut signals = self.rows(SIGNALS_AFTER, &[&run_key, &after, &limit], |row| {
            Ok(SignalRow {
                signal_key: row.get(0)?,
                name: row.get(1)?,
                payload: row.maybe(2)?,
                sent_at_ms: row.get(3)?,
                is_consumed: row.get(4)?,
                taker: row.maybe(5)?.zip(row.maybe(6)?),
            })
        })?;
        up_to(bytes, &mut signals, |signal| len(&signal.payload));
        Ok(signals)
    }

    fn child_rows_after(
        &mut self,
        run_key: RunKey,
        after: RunKey,
        limit: u32,
    ) -> Result<Vec<RunRow>> {
        self.rows(CHILD_ROWS_AFTER, &[&run_key, &after, &limit], read_run)
    }
}

/// Returns how many bytes a payload has.
pub(super) fn len(payload: &Option<String>) -> usize {
    payload.as_ref().map_or(0, String::len)
}

/// Leaves out the rows after those that have so many bytes together.
pub(super) fn up_to<Row>(bytes: usize, rows: &mut Vec<Row>, bytes_of: impl Fn(&Row) -> usize) {
    let mut sum = 0;
    let count = rows.iter().take_while(|row| {
        let is_within = sum < bytes;
        sum += bytes_of(row);
        is_within
    });
    let count = count.count();
    rows.truncate(count);
}

pub(super) fn read_run(row: Row<'_>) -> Result<RunRow> {
    Ok(RunRow {
        run_key: row.get(0)?,
        run_id: row.get(1)?,
        root_run_id: row.get(2)?,
        parent_run_id: row.maybe(3)?,
        lane_key: row.get(4)?,
        queue: row.get(5)?,
        workflow: row.get(6)?,
        code_version: row.get(7)?,
        outcome: row.maybe(8)?,
        priority: row.get(9)?,
        max_tries: row.maybe(10)?,
        attempts: row.maybe(11)?,
        tries: row.maybe(12)?,
        created_at_ms: row.get(13)?,
        run_at_ms: row.maybe(14)?,
        finished_at_ms: row.maybe(15)?,
        args: row.maybe(16)?,
        result: row.maybe(17)?,
        error: row.maybe(18)?,
        metadata: row.maybe(19)?,
    })
}
