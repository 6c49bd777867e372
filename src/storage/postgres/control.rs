//! What cancels, pauses, retries and forks write.

use super::run::RUN_COPY;
use super::tx::Tx;
use super::value::{Many, Param};
use crate::domain::port::{Ancestor, ControlPort, RunKey, StepName, Task, TaskState};
use crate::error::{Error, Result};
use crate::id::Id;
use crate::limits::INSTANT_MS_MAX;

const RUN_ERROR: &str = "
UPDATE $schema.sw_workflow_runs
SET error = $2
WHERE run_key = $1";

// Only runs that have submitted children need a sweep. One under way begins anew: what it has passed
// may have been retried since.
const CASCADES_INSERT: &str = "
INSERT INTO $schema.sw_workflow_cascades (run_key, after_key)
SELECT DISTINCT k.run_key, 0
FROM unnest($1::bigint[]) AS k (run_key)
WHERE EXISTS (SELECT 1 FROM $schema.sw_workflow_runs AS r WHERE r.parent_key = k.run_key)
ON CONFLICT (run_key) DO UPDATE
SET after_key = 0";

const CASCADES: &str = "
SELECT run_key, after_key
FROM $schema.sw_workflow_cascades
ORDER BY run_key
LIMIT $1";

const CASCADE_SET: &str = "
UPDATE $schema.sw_workflow_cascades
SET after_key = $2
WHERE run_key = $1";

const CASCADE_DELETE: &str = "
DELETE FROM $schema.sw_workflow_cascades
WHERE run_key = $1";

const CHILDREN_AFTER: &str = "
SELECT run_key, outcome IS NULL
FROM $schema.sw_workflow_runs
WHERE parent_key = $1 AND run_key > $2
ORDER BY run_key
LIMIT $3";

const ANCESTRY: &str = "
WITH RECURSIVE chain (run_key, parent_key, is_ending_it, depth) AS (
    SELECT r.run_key, r.parent_key, EXISTS (
        SELECT 1
        FROM $schema.sw_workflow_cascades AS c
        WHERE c.run_key = r.parent_key AND c.after_key < r.run_key
    ), 1::bigint
    FROM $schema.sw_workflow_runs AS r
    WHERE r.run_key = $1 AND r.parent_key IS NOT NULL
    UNION ALL
    SELECT r.run_key, r.parent_key, EXISTS (
        SELECT 1
        FROM $schema.sw_workflow_cascades AS c
        WHERE c.run_key = r.parent_key AND c.after_key < r.run_key
    ), chain.depth + 1
    FROM chain
    JOIN $schema.sw_workflow_runs AS r ON r.run_key = chain.parent_key
    WHERE r.parent_key IS NOT NULL AND NOT chain.is_ending_it AND chain.depth < $2::bigint
)
SELECT parent_key, is_ending_it
FROM chain
ORDER BY depth
LIMIT $2::bigint";

// The error of a failed run stands in its row alone; once that is cleared, its attempt keeps it.
const ATTEMPT_KEEP_ERROR: &str = "
UPDATE $schema.sw_workflow_attempts
SET error = (SELECT r.error FROM $schema.sw_workflow_runs AS r WHERE r.run_key = $1)
WHERE run_key = $1 AND number = $2 AND ended IN (2, 8) AND error IS NULL";

const RUN_REOPEN: &str = "
UPDATE $schema.sw_workflow_runs
SET outcome = NULL, finished_at_ms = NULL, attempts = NULL, tries = NULL, result = NULL, error = NULL
WHERE run_key = $1";

const FAILURES_DROP: &str = "
DELETE FROM $schema.sw_workflow_steps
WHERE run_key = $1 AND state IN (1, 3, 4)";

const TASK_OF_RUN: &str = "
SELECT lane_key, priority, timeout_ms, concurrency_key
FROM $schema.sw_workflow_runs
WHERE run_key = $1";

const ORIGINS: &str = "
WITH RECURSIVE chain (run_key, depth) AS (
    SELECT r.forked_from, 1::bigint
    FROM $schema.sw_workflow_runs AS r
    WHERE r.run_key = $1 AND r.forked_from IS NOT NULL
    UNION ALL
    SELECT r.forked_from, chain.depth + 1
    FROM chain
    JOIN $schema.sw_workflow_runs AS r ON r.run_key = chain.run_key
    WHERE r.forked_from IS NOT NULL AND chain.depth < $2::bigint
)
SELECT run_key
FROM chain
ORDER BY depth
LIMIT $2::bigint";

// Of the four name spaces, steps come first.
const STEP_NAMED: &str = "
SELECT step_key
FROM $schema.sw_workflow_steps
WHERE run_key = $1 AND kind IN (0, 1, 2, 3) AND name = $2 AND occurrence = 1
ORDER BY kind
LIMIT 1";

const STEP_NAMES_AFTER: &str = "
SELECT step_key, kind, name, occurrence
FROM $schema.sw_workflow_steps
WHERE run_key = $1 AND (kind, name, occurrence) > ($2, $3, $4)
ORDER BY kind, name, occurrence
LIMIT $5";

const STEPS_COPY: &str = "
INSERT INTO $schema.sw_workflow_steps (
    run_key, kind, name, occurrence, state, tries, label, input_hash, started_at_ms, took_ms, error,
    result
)
SELECT $2::bigint, kind, name, occurrence, state, tries, label, input_hash, started_at_ms, took_ms,
    error, result
FROM $schema.sw_workflow_steps
WHERE run_key = $1 AND step_key < $3 AND state IN (2, 3, 5)
ORDER BY step_key";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[
    RUN_ERROR,
    CASCADES_INSERT,
    CASCADES,
    CASCADE_SET,
    CASCADE_DELETE,
    CHILDREN_AFTER,
    ANCESTRY,
    ATTEMPT_KEEP_ERROR,
    RUN_REOPEN,
    FAILURES_DROP,
    TASK_OF_RUN,
    ORIGINS,
    STEP_NAMED,
    STEP_NAMES_AFTER,
    STEPS_COPY,
];

impl ControlPort for Tx<'_> {
    fn run_set_error(&mut self, run_key: RunKey, error: &str) -> Result<()> {
        self.put(RUN_ERROR, &[&run_key, &error])
    }

    fn cascades_insert(&mut self, run_keys: &[RunKey]) -> Result<()> {
        self.put(CASCADES_INSERT, &[&Many(run_keys)])
    }

    fn cascades(&mut self, limit: u32) -> Result<Vec<(RunKey, RunKey)>> {
        self.rows(CASCADES, &[&limit], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn cascade_set(&mut self, run_key: RunKey, after_key: Option<RunKey>) -> Result<()> {
        let changed = match after_key {
            Some(after_key) => return self.put(CASCADE_SET, &[&run_key, &after_key]),
            None => self.exec(CASCADE_DELETE, &[&run_key])?,
        };
        // Else one that is found and cannot be taken away would be gone on with for ever.
        if changed == 0 {
            return Err(Error::Corrupt(format!("the cancel of run {run_key} is not there").into()));
        }
        Ok(())
    }

    fn children_after(
        &mut self,
        run_key: RunKey,
        after_key: RunKey,
        limit: u32,
    ) -> Result<Vec<(RunKey, bool)>> {
        let asked: [&dyn Param; 3] = [&run_key, &after_key, &limit];
        self.rows(CHILDREN_AFTER, &asked, |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn ancestry(&mut self, run_key: RunKey, limit: u32) -> Result<Vec<Ancestor>> {
        self.rows(ANCESTRY, &[&run_key, &limit], |row| {
            Ok(Ancestor { run_key: row.get(0)?, is_ending_it: row.get(1)? })
        })
    }

    fn run_reopen(&mut self, run_key: RunKey, attempts: u32) -> Result<()> {
        self.put(ATTEMPT_KEEP_ERROR, &[&run_key, &attempts])?;
        self.put(RUN_REOPEN, &[&run_key])?;
        self.put(FAILURES_DROP, &[&run_key])
    }

    fn task_of_run(&mut self, run_key: RunKey, now_ms: i64) -> Result<Task> {
        let task = self.row_opt(TASK_OF_RUN, &[&run_key], |row| {
            let timeout_ms: Option<i64> = row.maybe(2)?;
            let deadline = |ms: i64| now_ms.saturating_add(ms).min(INSTANT_MS_MAX);
            Ok(Task {
                state: TaskState::Ready,
                priority: row.get(1)?,
                due_at_ms: now_ms,
                deadline_at_ms: timeout_ms.map(deadline),
                gate: row.maybe(3)?,
                ..Task::new(run_key, row.get(0)?)
            })
        })?;
        task.ok_or_else(|| Error::internal("a run that was found is gone"))
    }

    fn run_copy(&mut self, run_key: RunKey, run_id: Id, now_ms: i64) -> Result<RunKey> {
        let copy = self.new_key();
        match self.exec(RUN_COPY, &[&run_key, &copy, &run_id, &now_ms])? {
            0 => Err(Error::internal("a run that was found is gone")),
            _ => Ok(copy),
        }
    }

    fn origins(&mut self, run_key: RunKey, limit: u32) -> Result<Vec<RunKey>> {
        self.rows(ORIGINS, &[&run_key, &limit], |row| row.get(0))
    }

    fn step_named(&mut self, run_key: RunKey, name: &str) -> Result<Option<i64>> {
        self.row_opt(STEP_NAMED, &[&run_key, &name], |row| row.get(0))
    }

    fn step_names_after(
        &mut self,
        run_key: RunKey,
        after: Option<&StepName>,
        limit: u32,
    ) -> Result<Vec<StepName>> {
        let before_all = (-1, "", 0);
        let (kind, name, occurrence) = after
            .map_or(before_all, |after| (after.kind as i64, after.name.as_str(), after.occurrence));
        let asked: [&dyn Param; 5] = [&run_key, &kind, &name, &occurrence, &limit];
        self.rows(STEP_NAMES_AFTER, &asked, |row| {
            Ok(StepName {
                step_key: row.get(0)?,
                kind: row.get(1)?,
                name: row.get(2)?,
                occurrence: row.get(3)?,
            })
        })
    }

    fn steps_copy(&mut self, from: RunKey, to: RunKey, before_step: i64) -> Result<()> {
        self.put(STEPS_COPY, &[&from, &to, &before_step])
    }
}
