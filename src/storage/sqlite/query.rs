//! What documents read.

use rusqlite::Row;

use super::attempt::read_attempt;
use super::step::read_step;
use super::tx::Tx;
use crate::domain::port::{EndedAttempt, RunKey, StepKind, StepRow};
use crate::domain::port::{QueryPort, RunRow, SignalRow};
use crate::error::Result;
use crate::id::Id;

// A tree that is being pruned (outcome 4 at its root) is gone for every reader from the first moment
// (P34).
const RUN_ROW: &str = "
SELECT r.run_key, r.run_id, t.run_id, p.run_id, r.lane_key, l.queue, l.workflow, l.code_version,
    r.outcome, r.priority, r.max_tries, r.attempts, r.tries, r.created_at_ms, r.run_at_ms,
    r.finished_at_ms, coalesce(b.body, r.args), r.result, r.error, r.metadata
FROM sw_workflow_runs AS r
JOIN sw_workflow_lanes AS l ON l.lane_key = r.lane_key
LEFT JOIN sw_workflow_runs AS t ON t.run_key = coalesce(r.root_key, r.run_key)
LEFT JOIN sw_workflow_runs AS p ON p.run_key = r.parent_key
LEFT JOIN sw_payloads AS b ON b.payload_key = r.args_key
WHERE r.run_id = ?1 AND t.outcome IS NOT 4";

const ATTEMPTS_AFTER: &str = "
SELECT number, ended, worker, started_at_ms, ended_at_ms, error
FROM sw_workflow_attempts
WHERE run_key = ?1 AND number > ?2
ORDER BY number
LIMIT ?3";

const LAST_ERROR: &str = "
SELECT error
FROM sw_workflow_attempts
WHERE run_key = ?1 AND error IS NOT NULL
ORDER BY number DESC
LIMIT 1";

// The index is of (run, kind, name, occurrence); the order of recording needs a sort of the run's
// keys, never of its payloads.
const STEPS_AFTER: &str = "
SELECT s.name, s.occurrence, s.state, s.tries, s.retry_at_ms, s.input_hash, s.error, s.result,
    s.label, s.started_at_ms, s.took_ms, s.step_key, s.kind
FROM (
    SELECT step_key
    FROM sw_workflow_steps
    WHERE run_key = ?1 AND step_key > ?2
    ORDER BY step_key
    LIMIT ?3
) AS page
JOIN sw_workflow_steps AS s ON s.step_key = page.step_key
ORDER BY s.step_key";

// A payload that was taken stands with its await: as its result when it was the only thing asked for.
const SIGNALS_AFTER: &str = "
SELECT g.signal_key, g.name,
    CASE WHEN g.consumed_by IS NULL THEN g.payload WHEN s.label = 'signal' THEN s.result END,
    g.sent_at_ms, g.consumed_by IS NOT NULL, s.name, s.occurrence
FROM sw_workflow_signals AS g
LEFT JOIN sw_workflow_steps AS s ON s.step_key = g.consumed_by
WHERE g.run_key = ?1 AND g.signal_key > ?2
ORDER BY g.signal_key
LIMIT ?3";

// Without payloads: a history shows that a child is there, sw_run_get what it carries.
const CHILD_ROWS_AFTER: &str = "
SELECT r.run_key, r.run_id, t.run_id, NULL, r.lane_key, l.queue, l.workflow, l.code_version,
    r.outcome, r.priority, r.max_tries, r.attempts, r.tries, r.created_at_ms, r.run_at_ms,
    r.finished_at_ms, NULL, NULL, NULL, NULL
FROM sw_workflow_runs AS r
JOIN sw_workflow_lanes AS l ON l.lane_key = r.lane_key
LEFT JOIN sw_workflow_runs AS t ON t.run_key = coalesce(r.root_key, r.run_key)
WHERE r.parent_key = ?1 AND r.run_key > ?2
ORDER BY r.run_key
LIMIT ?3";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] =
    &[RUN_ROW, ATTEMPTS_AFTER, LAST_ERROR, STEPS_AFTER, SIGNALS_AFTER, CHILD_ROWS_AFTER];

impl QueryPort for Tx<'_> {
    fn run_row(&mut self, run_id: Id) -> Result<Option<RunRow>> {
        let mut row = self.one(RUN_ROW, [run_id.to_bytes()], read_run)?;
        row.iter_mut().try_for_each(|row| self.payloads_of_run(row))?;
        Ok(row)
    }

    fn attempts_after(
        &mut self,
        run_key: RunKey,
        after: u32,
        limit: u32,
    ) -> Result<Vec<EndedAttempt>> {
        self.all(ATTEMPTS_AFTER, (run_key, after, limit), read_attempt)
    }

    fn last_error(&mut self, run_key: RunKey) -> Result<Option<String>> {
        self.one(LAST_ERROR, [run_key], |row| row.get(0))
    }

    fn steps_after(
        &mut self,
        run_key: RunKey,
        after: i64,
        limit: u32,
        bytes: usize,
    ) -> Result<Vec<(i64, StepKind, StepRow)>> {
        let mut steps = self.all(STEPS_AFTER, (run_key, after, limit), |row| {
            Ok((row.get(11)?, row.get(12)?, read_step(row, 0)?))
        })?;
        self.payloads_up_to(bytes, &mut steps, |(_, _, step)| {
            [step.result.as_mut(), step.error.as_mut()]
        })?;
        Ok(steps)
    }

    fn signals_after(
        &mut self,
        run_key: RunKey,
        after: i64,
        limit: u32,
        bytes: usize,
    ) -> Result<Vec<SignalRow>> {
        let mut signals = self.all(SIGNALS_AFTER, (run_key, after, limit), |row| {
            Ok(SignalRow {
                signal_key: row.get(0)?,
                name: row.get(1)?,
                payload: row.get(2)?,
                sent_at_ms: row.get(3)?,
                is_consumed: row.get(4)?,
                taker: row.get::<_, Option<String>>(5)?.zip(row.get(6)?),
            })
        })?;
        self.payloads_up_to(bytes, &mut signals, |signal| [signal.payload.as_mut()])?;
        Ok(signals)
    }

    fn child_rows_after(
        &mut self,
        run_key: RunKey,
        after: RunKey,
        limit: u32,
    ) -> Result<Vec<RunRow>> {
        self.all(CHILD_ROWS_AFTER, (run_key, after, limit), read_run)
    }
}

impl Tx<'_> {
    /// Puts the payloads of a run in the places of their names.
    fn payloads_of_run(&self, row: &mut RunRow) -> Result<()> {
        self.payload_read_any(&mut row.args)?;
        self.payload_read_any(&mut row.result)
    }
}

pub(super) fn read_run(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    Ok(RunRow {
        run_key: row.get(0)?,
        run_id: row.get(1)?,
        root_run_id: row.get(2)?,
        parent_run_id: row.get(3)?,
        lane_key: row.get(4)?,
        queue: row.get(5)?,
        workflow: row.get(6)?,
        code_version: row.get(7)?,
        outcome: row.get(8)?,
        priority: row.get(9)?,
        max_tries: row.get(10)?,
        attempts: row.get(11)?,
        tries: row.get(12)?,
        created_at_ms: row.get(13)?,
        run_at_ms: row.get(14)?,
        finished_at_ms: row.get(15)?,
        args: row.get(16)?,
        result: row.get(17)?,
        error: row.get(18)?,
        metadata: row.get(19)?,
    })
}
