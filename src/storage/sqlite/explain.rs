//! What is asked of one run's neighbours: who holds its limits, what stands before it.

use rusqlite::Row;

use super::stats::{read_held, read_owner};
use super::tx::Tx;
use crate::domain::port::{
    ExplainPort, HeldRow, LaneHead, LaneKey, OwnerKey, OwnerRow, PendingRecord, RunKey, StepState,
    Task,
};
use crate::error::Result;

const LANE_HEADS: &str = "
SELECT l.lane_key, l.workflow, l.code_version, l.owner_key, l.claimed_at_ms, h.priority, h.due_at_ms,
    h.task_key
FROM sw_workflow_lanes AS l INDEXED BY lanes_by_name
LEFT JOIN sw_workflow_tasks AS h ON h.task_key = (
    SELECT t.task_key
    FROM sw_workflow_tasks AS t
    WHERE t.lane_key = l.lane_key AND t.state = 1
    ORDER BY t.priority, t.due_at_ms, t.task_key
    LIMIT 1
)
WHERE l.queue = ?1
ORDER BY l.workflow, l.code_version, l.owner_key
LIMIT ?2";

const LANE_HEAD: &str = "
SELECT l.lane_key, l.workflow, l.code_version, l.owner_key, l.claimed_at_ms, h.priority, h.due_at_ms,
    h.task_key
FROM sw_workflow_lanes AS l
LEFT JOIN sw_workflow_tasks AS h ON h.task_key = (
    SELECT t.task_key
    FROM sw_workflow_tasks AS t
    WHERE t.lane_key = l.lane_key AND t.state = 1
    ORDER BY t.priority, t.due_at_ms, t.task_key
    LIMIT 1
)
WHERE l.lane_key = ?1";

const READY_BEFORE: &str = "
SELECT count(*)
FROM (
    SELECT 1
    FROM sw_workflow_tasks
    WHERE lane_key = ?1 AND state = 1 AND (priority, due_at_ms, task_key) < (?2, ?3, ?4)
    LIMIT ?5
) AS page";

const BLOCKED_BEFORE: &str = "
SELECT count(*)
FROM (
    SELECT 1
    FROM sw_workflow_tasks
    WHERE gate = ?6 AND lane_key = ?1 AND state = 5
        AND (priority, due_at_ms, task_key) < (?2, ?3, ?4)
    LIMIT ?5
) AS page";

const HELD_IN: &str = "
SELECT t.task_key, t.lane_key, t.owner_key, t.gate, t.claimed_at_ms, t.worker
FROM sw_workflow_tasks AS t
JOIN sw_workflow_lanes AS l ON l.lane_key = t.lane_key
WHERE t.owner_key IS NOT NULL AND l.queue = ?1 AND (?2 IS NULL OR t.gate = ?2)
ORDER BY t.owner_key, t.lease_until_up_ms, t.task_key
LIMIT ?3";

// The deadlines of sleeps stand in what was recorded when they were asked.
const RECORD_DUE: &str = "
SELECT kind, name, occurrence, state, error
FROM sw_workflow_steps
WHERE run_key = ?1 AND state IN (4, 6)
    AND (retry_at_ms = ?2 OR (state = 6 AND instr(result, CAST(?2 AS TEXT)) > 0))
ORDER BY retry_at_ms IS NOT ?2, kind, name, occurrence
LIMIT 1";

const OWNER: &str = "
SELECT owner_key, mark, boot, pid, opened_at_ms
FROM sw_workflow_owners
WHERE owner_key = ?1";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] =
    &[LANE_HEADS, LANE_HEAD, READY_BEFORE, BLOCKED_BEFORE, HELD_IN, RECORD_DUE, OWNER];

impl ExplainPort for Tx<'_> {
    fn lane_heads(&mut self, queue: &str, own: LaneKey, limit: u32) -> Result<Vec<LaneHead>> {
        let mut lanes = self.all(LANE_HEADS, (queue, limit), read_head)?;
        if lanes.iter().all(|lane| lane.lane_key != own) {
            lanes.extend(self.one(LANE_HEAD, [own], read_head)?);
        }
        Ok(lanes)
    }

    fn ready_before(&mut self, lane_key: LaneKey, task: &Task, limit: u32) -> Result<u32> {
        let params = (lane_key, task.priority, task.due_at_ms, task.run_key, limit);
        Ok(self.one(READY_BEFORE, params, |row| row.get(0))?.unwrap_or(0))
    }

    fn blocked_before(&mut self, task: &Task, limit: u32) -> Result<u32> {
        let Some(gate) = &task.gate else { return Ok(0) };
        let params = (task.lane_key, task.priority, task.due_at_ms, task.run_key, limit, gate);
        Ok(self.one(BLOCKED_BEFORE, params, |row| row.get(0))?.unwrap_or(0))
    }

    fn held_in(&mut self, queue: &str, gate: Option<&str>, limit: u32) -> Result<Vec<HeldRow>> {
        self.all(HELD_IN, (queue, gate, limit), read_held)
    }

    fn record_due(&mut self, run_key: RunKey, at_ms: i64) -> Result<Option<PendingRecord>> {
        self.one(RECORD_DUE, (run_key, at_ms), |row| {
            Ok(PendingRecord {
                kind: row.get(0)?,
                name: row.get(1)?,
                occurrence: row.get(2)?,
                backs_off: row.get::<_, StepState>(3)? == StepState::BacksOff,
                error: row.get(4)?,
            })
        })
    }

    fn owner(&mut self, owner_key: OwnerKey) -> Result<Option<OwnerRow>> {
        self.one(OWNER, [owner_key], read_owner)
    }
}

fn read_head(row: &Row<'_>) -> rusqlite::Result<LaneHead> {
    let key: Option<RunKey> = row.get(7)?;
    let head = key.map(|key| Ok((row.get(5)?, row.get(6)?, key))).transpose();
    Ok(LaneHead {
        lane_key: row.get(0)?,
        workflow: row.get(1)?,
        code_version: row.get(2)?,
        owner_key: row.get(3)?,
        claimed_at_ms: row.get(4)?,
        head: head.map_err(|error: rusqlite::Error| error)?,
    })
}
