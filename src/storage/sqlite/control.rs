//! What cancels, pauses, retries and forks write.

use super::run::state_number;
use super::tx::Tx;
use crate::domain::port::{ControlPort, RunKey, Task, TaskState};
use crate::error::{Error, Result};
use crate::id::Id;

const TASK_FLAG_CANCEL: &str = "
UPDATE sw_workflow_tasks
SET flags = flags | 1
WHERE task_key = ?1";

const RUN_ERROR: &str = "
UPDATE sw_workflow_runs
SET error = ?2
WHERE run_key = ?1";

const TASK_FLAG_PAUSE: &str = "
UPDATE sw_workflow_tasks
SET flags = CASE ?2 WHEN 1 THEN flags | 4 ELSE flags & ~4 END
WHERE task_key = ?1";

const TASK_SET_ASIDE: &str = "
UPDATE sw_workflow_tasks
SET state = ?2, due_at_ms = ?3, wake_at_ms = ?4, waits_left = 0
WHERE task_key = ?1";

const WAITS_DROP: &str = "
DELETE FROM sw_workflow_waits
WHERE task_key = ?1";

// Only runs that have submitted children need a sweep.
const CASCADE_INSERT: &str = "
INSERT INTO sw_workflow_cascades (run_key, after_key)
SELECT ?1, 0
WHERE EXISTS (SELECT 1 FROM sw_workflow_runs WHERE parent_key = ?1)
ON CONFLICT DO NOTHING";

const CASCADES: &str = "
SELECT run_key, after_key
FROM sw_workflow_cascades
ORDER BY run_key
LIMIT ?1";

const CASCADE_SET: &str = "
UPDATE sw_workflow_cascades
SET after_key = ?2
WHERE run_key = ?1";

const CASCADE_DELETE: &str = "
DELETE FROM sw_workflow_cascades
WHERE run_key = ?1";

const CHILDREN_AFTER: &str = "
SELECT run_key
FROM sw_workflow_runs
WHERE parent_key = ?1 AND run_key > ?2
ORDER BY run_key
LIMIT ?3";

const PARENT: &str = "
SELECT p.run_key, p.outcome IS 3 OR coalesce(t.flags, 0) & 1
FROM sw_workflow_runs AS r
JOIN sw_workflow_runs AS p ON p.run_key = r.parent_key
LEFT JOIN sw_workflow_tasks AS t ON t.task_key = p.run_key
WHERE r.run_key = ?1";

const RUN_REOPEN: &str = "
UPDATE sw_workflow_runs
SET outcome = NULL, finished_at_ms = NULL, attempts = NULL, tries = NULL, result = NULL, error = NULL
WHERE run_key = ?1";

const FAILURES_DROP: &str = "
DELETE FROM sw_workflow_steps
WHERE run_key = ?1 AND state IN (1, 3, 4)";

const TASK_REOPEN: &str = "
INSERT INTO sw_workflow_tasks (
    task_key, lane_key, state, priority, due_at_ms, wake_at_ms, deadline_at_ms, fence, failures,
    losses, flags, waits_left, gate
)
VALUES (?1, ?2, 1, ?3, ?4, NULL, ?5, ?6, 0, 0, 0, 0, ?7)";

const TASK_OF_RUN: &str = "
SELECT lane_key, priority, timeout_ms, concurrency_key
FROM sw_workflow_runs
WHERE run_key = ?1";

const RUN_COPY: &str = "
INSERT INTO sw_workflow_runs (
    run_id, lane_key, created_at_ms, priority, max_attempts, timeout_ms, backoff_initial_ms,
    backoff_max_ms, backoff_percent, concurrency_key, metadata, args
)
SELECT ?2, r.lane_key, ?3, r.priority, r.max_attempts, r.timeout_ms, r.backoff_initial_ms,
    r.backoff_max_ms, r.backoff_percent, r.concurrency_key, r.metadata, coalesce(b.body, r.args)
FROM sw_workflow_runs AS r
LEFT JOIN sw_payloads AS b ON b.payload_key = r.args_key
WHERE r.run_key = ?1";

const STEPS_COPY: &str = "
INSERT INTO sw_workflow_steps (
    run_key, kind, name, occurrence, state, tries, label, input_hash, started_at_ms, took_ms, error,
    result
)
SELECT ?2, kind, name, occurrence, state, tries, label, input_hash, started_at_ms, took_ms, error,
    result
FROM sw_workflow_steps
WHERE run_key = ?1 AND step_key < ?3 AND state IN (2, 3, 5)
ORDER BY step_key";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[
    TASK_FLAG_CANCEL,
    RUN_ERROR,
    TASK_FLAG_PAUSE,
    TASK_SET_ASIDE,
    WAITS_DROP,
    CASCADE_INSERT,
    CASCADES,
    CASCADE_SET,
    CASCADE_DELETE,
    CHILDREN_AFTER,
    PARENT,
    RUN_REOPEN,
    FAILURES_DROP,
    TASK_REOPEN,
    TASK_OF_RUN,
    RUN_COPY,
    STEPS_COPY,
];

impl ControlPort for Tx<'_> {
    fn task_ask_cancel(&mut self, run_key: RunKey, error: &str) -> Result<()> {
        self.execute(TASK_FLAG_CANCEL, [run_key])?;
        self.execute(RUN_ERROR, (run_key, error)).map(|_| ())
    }

    fn task_ask_pause(&mut self, run_key: RunKey, is_asked: bool) -> Result<()> {
        self.execute(TASK_FLAG_PAUSE, (run_key, is_asked)).map(|_| ())
    }

    fn task_set_aside(&mut self, task: &Task) -> Result<()> {
        let state = state_number(task.state);
        self.execute(TASK_SET_ASIDE, (task.run_key, state, task.due_at_ms, task.wake_at_ms))?;
        self.execute(WAITS_DROP, [task.run_key]).map(|_| ())
    }

    fn cascade_insert(&mut self, run_key: RunKey) -> Result<()> {
        self.execute(CASCADE_INSERT, [run_key]).map(|_| ())
    }

    fn cascades(&mut self, limit: u32) -> Result<Vec<(RunKey, RunKey)>> {
        self.all(CASCADES, [limit], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn cascade_set(&mut self, run_key: RunKey, after_key: Option<RunKey>) -> Result<()> {
        match after_key {
            Some(after_key) => self.execute(CASCADE_SET, (run_key, after_key)),
            None => self.execute(CASCADE_DELETE, [run_key]),
        }
        .map(|_| ())
    }

    fn children_after(
        &mut self,
        run_key: RunKey,
        after_key: RunKey,
        limit: u32,
    ) -> Result<Vec<RunKey>> {
        self.all(CHILDREN_AFTER, (run_key, after_key, limit), |row| row.get(0))
    }

    fn parent(&mut self, run_key: RunKey) -> Result<Option<(RunKey, bool)>> {
        self.one(PARENT, [run_key], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn run_reopen(&mut self, run_key: RunKey, task: &Task) -> Result<()> {
        self.execute(RUN_REOPEN, [run_key])?;
        self.execute(FAILURES_DROP, [run_key])?;
        self.execute(
            TASK_REOPEN,
            (
                run_key,
                task.lane_key,
                task.priority,
                task.due_at_ms,
                task.deadline_at_ms,
                task.fence,
                &task.gate,
            ),
        )
        .map(|_| ())
    }

    fn task_of_run(&mut self, run_key: RunKey, now_ms: i64) -> Result<Task> {
        self.one(TASK_OF_RUN, [run_key], |row| {
            let timeout_ms: Option<i64> = row.get(2)?;
            Ok(Task {
                state: TaskState::Ready,
                priority: row.get(1)?,
                due_at_ms: now_ms,
                deadline_at_ms: timeout_ms.map(|ms| now_ms.saturating_add(ms)),
                gate: row.get(3)?,
                ..Task::new(run_key, row.get(0)?)
            })
        })?
        .ok_or_else(|| Error::internal("a run that was found is gone"))
    }

    fn run_copy(&mut self, run_key: RunKey, run_id: Id, now_ms: i64) -> Result<RunKey> {
        self.insert(RUN_COPY, (run_key, run_id.to_bytes(), now_ms))
    }

    fn steps_copy(&mut self, from: RunKey, to: RunKey, before_step: i64) -> Result<()> {
        self.execute(STEPS_COPY, (from, to, before_step)).map(|_| ())
    }
}
