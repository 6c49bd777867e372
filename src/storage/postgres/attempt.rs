//! Rows of attempts that ended.

use super::tx::Tx;
use super::value::{Many, Param, Row};
use crate::domain::port::{AttemptPort, EndedAttempt, RunKey};
use crate::error::Result;

const ATTEMPT_INSERT: &str = "
INSERT INTO $schema.sw_workflow_attempts (
    run_key, number, ended, worker, started_at_ms, ended_at_ms, error
)
VALUES ($1, $2, $3, $4, $5, $6, $7)";

const ATTEMPT_ENDED: &str = "
SELECT number, ended, worker, started_at_ms, ended_at_ms, error
FROM $schema.sw_workflow_attempts
WHERE run_key = $1 AND number = $2";

const ATTEMPTS_LEFT: &str = "
SELECT a.run_key, a.ended_at_ms
FROM $schema.sw_workflow_tasks AS t
JOIN $schema.sw_workflow_attempts AS a ON a.run_key = t.task_key AND a.number = t.fence
WHERE t.task_key = ANY ($1::bigint[])";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[ATTEMPT_INSERT, ATTEMPT_ENDED, ATTEMPTS_LEFT];

impl AttemptPort for Tx<'_> {
    fn attempt_insert(&mut self, run_key: RunKey, attempt: &EndedAttempt) -> Result<()> {
        let EndedAttempt { number, ended, worker, started_at_ms, ended_at_ms, error } = attempt;
        let row: [&dyn Param; 7] =
            [&run_key, number, ended, worker, started_at_ms, ended_at_ms, error];
        self.put_new(ATTEMPT_INSERT, &row)
    }

    fn attempts_left(&mut self, run_keys: &[RunKey]) -> Result<Vec<(RunKey, i64)>> {
        self.rows(ATTEMPTS_LEFT, &[&Many(run_keys)], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn attempt_ended(&mut self, run_key: RunKey, number: u32) -> Result<Option<EndedAttempt>> {
        self.row_opt(ATTEMPT_ENDED, &[&run_key, &number], read_attempt)
    }
}

/// Reads a row of the table of attempts: number, ended, worker, started, ended at, error.
pub(super) fn read_attempt(row: Row<'_>) -> Result<EndedAttempt> {
    Ok(EndedAttempt {
        number: row.get(0)?,
        ended: row.get(1)?,
        worker: row.maybe(2)?,
        started_at_ms: row.get(3)?,
        ended_at_ms: row.get(4)?,
        error: row.maybe(5)?,
    })
}
