//! Rows of tasks in an attempt's hands, and of attempts that ended.

use rusqlite::Row;

use super::run::state_number;
use super::tx::Tx;
use crate::domain::port::{
    AttemptPort, Ended, EndedAttempt, Fence, Hold, RunEnd, RunKey, Task, TaskState,
};
use crate::error::{Error, Result};

const TASK: &str = "
SELECT task_key, lane_key, state, priority, due_at_ms, wake_at_ms, deadline_at_ms, fence, failures,
    losses, flags, owner_key, lease_until_up_ms, lease_ms, claimed_at_ms, worker, gate
FROM sw_workflow_tasks
WHERE task_key = ?1";

// The look at the fence that each hot write begins with (P10).
const HOLD: &str = "
SELECT flags, deadline_at_ms, losses, lease_until_up_ms, lease_ms
FROM sw_workflow_tasks
WHERE task_key = ?1 AND fence = ?2 AND state = 2";

const LEASE_SET: &str = "
UPDATE sw_workflow_tasks
SET lease_until_up_ms = ?2, lease_ms = ?3, losses = ?4
WHERE task_key = ?1";

const TASK_YIELD: &str = "
UPDATE sw_workflow_tasks
SET state = ?2, due_at_ms = ?3, wake_at_ms = ?4, failures = ?5, losses = ?6, flags = flags & ~20,
    owner_key = NULL,
    lease_until_up_ms = NULL, lease_ms = NULL, claimed_at_ms = NULL, worker = NULL
WHERE task_key = ?1";

const TASK_SET_TIMED_OUT: &str = "
UPDATE sw_workflow_tasks
SET flags = flags | 2, deadline_at_ms = NULL
WHERE task_key = ?1";

const ATTEMPT_INSERT: &str = "
INSERT INTO sw_workflow_attempts (
    run_key, number, ended, worker, started_at_ms, ended_at_ms, error
)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

const ATTEMPT_ENDED: &str = "
SELECT number, ended, worker, started_at_ms, ended_at_ms, error
FROM sw_workflow_attempts
WHERE run_key = ?1 AND number = ?2";

const TASK_DELETE: &str = "
DELETE FROM sw_workflow_tasks
WHERE task_key = ?1";

const WAITS_DROP: &str = "
DELETE FROM sw_workflow_waits
WHERE task_key = ?1";

const RUN_FINISH: &str = "
UPDATE sw_workflow_runs
SET outcome = ?2, finished_at_ms = ?3, attempts = ?4, tries = ?5, result = ?6,
    error = CASE ?2 WHEN 3 THEN coalesce(?7, error) ELSE ?7 END
WHERE run_key = ?1";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[
    TASK,
    HOLD,
    LEASE_SET,
    TASK_YIELD,
    TASK_SET_TIMED_OUT,
    ATTEMPT_INSERT,
    ATTEMPT_ENDED,
    TASK_DELETE,
    WAITS_DROP,
    RUN_FINISH,
];

const FLAG_CANCEL_ASKED: i64 = 1;
const FLAG_TIMED_OUT: i64 = 2;
const FLAG_PAUSE_ASKED: i64 = 4;
const FLAG_LOCAL: i64 = 8;
const FLAG_WOKEN_FOR_ROOM: i64 = 16;

impl AttemptPort for Tx<'_> {
    fn hold(&mut self, fence: Fence) -> Result<Option<Hold>> {
        self.one(HOLD, (fence.run_key, fence.number), |row| {
            let flags: i64 = row.get(0)?;
            Ok(Hold {
                is_cancel_asked: flags & FLAG_CANCEL_ASKED != 0,
                is_timed_out: flags & FLAG_TIMED_OUT != 0,
                deadline_at_ms: row.get(1)?,
                losses: row.get(2)?,
                lease_until_up_ms: row.get(3)?,
                lease_ms: row.get(4)?,
            })
        })
    }

    fn task(&mut self, run_key: RunKey) -> Result<Option<Task>> {
        let task = self.one(TASK, [run_key], |row| Ok((row.get(2)?, read_task(row)?)))?;
        task.map(|(number, task)| Ok(Task { state: read_state(number)?, ..task })).transpose()
    }

    fn lease_set(
        &mut self,
        run_key: RunKey,
        until_up_ms: i64,
        lease_ms: u32,
        losses: u32,
    ) -> Result<()> {
        self.execute(LEASE_SET, (run_key, until_up_ms, lease_ms, losses)).map(|_| ())
    }

    fn task_yield(&mut self, task: &Task) -> Result<()> {
        self.execute(
            TASK_YIELD,
            (
                task.run_key,
                state_number(task.state),
                task.due_at_ms,
                task.wake_at_ms,
                task.failures,
                task.losses,
            ),
        )?;
        self.lane_enter(task)
    }

    fn task_set_timed_out(&mut self, run_key: RunKey) -> Result<()> {
        self.execute(TASK_SET_TIMED_OUT, [run_key]).map(|_| ())
    }

    fn attempt_insert(&mut self, run_key: RunKey, attempt: &EndedAttempt) -> Result<()> {
        self.execute(
            ATTEMPT_INSERT,
            (
                run_key,
                attempt.number,
                attempt.ended as i64,
                &attempt.worker,
                attempt.started_at_ms,
                attempt.ended_at_ms,
                &attempt.error,
            ),
        )
        .map(|_| ())
    }

    fn attempt_ended(&mut self, run_key: RunKey, number: u32) -> Result<Option<EndedAttempt>> {
        let attempt = self.one(ATTEMPT_ENDED, (run_key, number), read_attempt)?;
        attempt.transpose()
    }

    fn run_finish(&mut self, run_key: RunKey, end: &RunEnd) -> Result<()> {
        self.execute(TASK_DELETE, [run_key])?;
        self.execute(WAITS_DROP, [run_key])?;
        self.execute(
            RUN_FINISH,
            (
                run_key,
                end.outcome as i64,
                end.finished_at_ms,
                end.attempts,
                end.tries,
                &end.result,
                &end.error,
            ),
        )
        .map(|_| ())
    }
}

fn read_task(row: &Row<'_>) -> rusqlite::Result<Task> {
    let flags: i64 = row.get(10)?;
    Ok(Task {
        run_key: row.get(0)?,
        lane_key: row.get(1)?,
        state: TaskState::Ready,
        priority: row.get(3)?,
        due_at_ms: row.get(4)?,
        wake_at_ms: row.get(5)?,
        deadline_at_ms: row.get(6)?,
        fence: row.get(7)?,
        failures: row.get(8)?,
        losses: row.get(9)?,
        is_cancel_asked: flags & FLAG_CANCEL_ASKED != 0,
        is_timed_out: flags & FLAG_TIMED_OUT != 0,
        is_pause_asked: flags & FLAG_PAUSE_ASKED != 0,
        is_local: flags & FLAG_LOCAL != 0,
        is_woken_for_room: flags & FLAG_WOKEN_FOR_ROOM != 0,
        gate: row.get(16)?,
        owner_key: row.get(11)?,
        lease_until_up_ms: row.get::<_, Option<i64>>(12)?.unwrap_or(0),
        lease_ms: row.get::<_, Option<u32>>(13)?.unwrap_or(0),
        claimed_at_ms: row.get::<_, Option<i64>>(14)?.unwrap_or(0),
        worker: row.get(15)?,
    })
}

fn read_state(number: i64) -> Result<TaskState> {
    Ok(match number {
        0 => TaskState::Delayed,
        1 => TaskState::Ready,
        2 => TaskState::Running,
        3 => TaskState::Waiting,
        4 => TaskState::Paused,
        5 => TaskState::Blocked,
        _ => return Err(Error::Corrupt(format!("a task has the state {number}").into())),
    })
}

/// Reads a row of the table of attempts: number, ended, worker, started, ended at, error.
pub(super) fn read_attempt(row: &Row<'_>) -> rusqlite::Result<Result<EndedAttempt>> {
    let number: i64 = row.get(1)?;
    let Some(ended) = read_ended(number) else {
        return Ok(Err(Error::Corrupt(format!("an attempt ended as {number}").into())));
    };
    Ok(Ok(EndedAttempt {
        number: row.get(0)?,
        ended,
        worker: row.get(2)?,
        started_at_ms: row.get(3)?,
        ended_at_ms: row.get(4)?,
        error: row.get(5)?,
    }))
}

fn read_ended(number: i64) -> Option<Ended> {
    [
        Ended::Completed,
        Ended::Failed,
        Ended::Retried,
        Ended::Released,
        Ended::Suspended,
        Ended::Lost,
        Ended::Cancelled,
        Ended::TimedOut,
    ]
    .into_iter()
    .find(|ended| *ended as i64 == number)
}
