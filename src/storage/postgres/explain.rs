//! What is asked of one run's neighbours: who holds its limits, what stands before it.

use super::stats::{read_held, read_owner};
use super::tx::Tx;
use super::value::{Param, Row};
use crate::domain::port::{
    ExplainPort, HeldRow, LaneHead, LaneKey, OwnerKey, OwnerRow, PendingRecord, RunKey, StepState,
    Task,
};
use crate::error::Result;

const LANE_HEADS: &str = "
SELECT l.lane_key, l.workflow, l.code_version, l.owner_key, l.claimed_at_ms, h.priority, h.due_at_ms,
    h.task_key
FROM $schema.sw_workflow_lanes AS l
LEFT JOIN LATERAL (
    SELECT t.priority, t.due_at_ms, t.task_key
    FROM $schema.sw_workflow_tasks AS t
    WHERE t.lane_key = l.lane_key AND t.state = 1
    ORDER BY t.priority, t.due_at_ms, t.task_key
    LIMIT 1
) AS h ON true
WHERE l.queue = $1
ORDER BY l.workflow, l.code_version, l.owner_key
LIMIT $2";

const LANE_HEAD: &str = "
SELECT l.lane_key, l.workflow, l.code_version, l.owner_key, l.claimed_at_ms, h.priority, h.due_at_ms,
    h.task_key
FROM $schema.sw_workflow_lanes AS l
LEFT JOIN LATERAL (
    SELECT t.priority, t.due_at_ms, t.task_key
    FROM $schema.sw_workflow_tasks AS t
    WHERE t.lane_key = l.lane_key AND t.state = 1
    ORDER BY t.priority, t.due_at_ms, t.task_key
    LIMIT 1
) AS h ON true
WHERE l.lane_key = $1";

const READY_BEFORE: &str = "
SELECT count(*)
FROM (
    SELECT 1
    FROM $schema.sw_workflow_tasks
    WHERE lane_key = $1 AND state = 1 AND (priority, due_at_ms, task_key) < ($2, $3, $4)
    LIMIT $5
) AS page";

const BLOCKED_BEFORE: &str = "
SELECT count(*)
FROM (
    SELECT 1
    FROM $schema.sw_workflow_tasks
    WHERE gate = $6 AND lane_key = $1 AND state = 5
        AND (priority, due_at_ms, task_key) < ($2, $3, $4)
    LIMIT $5
) AS page";

const HELD_IN: &str = "
SELECT t.task_key, t.lane_key, t.owner_key, t.gate, t.claimed_at_ms, t.worker
FROM $schema.sw_workflow_tasks AS t
JOIN $schema.sw_workflow_lanes AS l ON l.lane_key = t.lane_key
WHERE t.owner_key IS NOT NULL AND l.queue = $1 AND ($2::text IS NULL OR t.gate = $2)
ORDER BY t.owner_key, t.lease_until_ms, t.task_key
LIMIT $3";

// The deadlines of sleeps stand in what was recorded when they were asked.
const RECORD_DUE: &str = "
SELECT kind, name, occurrence, state, error
FROM $schema.sw_workflow_steps
WHERE run_key = $1 AND state IN (4, 6)
    AND (retry_at_ms = $2::bigint OR (state = 6 AND strpos(result, $2::bigint::text) > 0))
ORDER BY retry_at_ms IS DISTINCT FROM $2::bigint, kind, name, occurrence
LIMIT 1";

const OWNER: &str = "
SELECT owner_key, owner_id, opened_at_ms
FROM $schema.sw_workflow_owners
WHERE owner_key = $1";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] =
    &[LANE_HEADS, LANE_HEAD, READY_BEFORE, BLOCKED_BEFORE, HELD_IN, RECORD_DUE, OWNER];

impl ExplainPort for Tx<'_> {
    fn lane_heads(&mut self, queue: &str, own: LaneKey, limit: u32) -> Result<Vec<LaneHead>> {
        let mut lanes = self.rows(LANE_HEADS, &[&queue, &limit], read_head)?;
        if lanes.iter().all(|lane| lane.lane_key != own) {
            lanes.extend(self.row_opt(LANE_HEAD, &[&own], read_head)?);
        }
        Ok(lanes)
    }

    fn ready_before(&mut self, lane_key: LaneKey, task: &Task, limit: u32) -> Result<u32> {
        let Task { priority, due_at_ms, run_key, .. } = task;
        let asked: [&dyn Param; 5] = [&lane_key, priority, due_at_ms, run_key, &limit];
        Ok(self.row_opt(READY_BEFORE, &asked, |row| row.get(0))?.unwrap_or(0))
    }

    fn blocked_before(&mut self, task: &Task, limit: u32) -> Result<u32> {
        let Task { lane_key, priority, due_at_ms, run_key, gate: Some(gate), .. } = task else {
            return Ok(0);
        };
        let asked: [&dyn Param; 6] = [lane_key, priority, due_at_ms, run_key, &limit, gate];
        Ok(self.row_opt(BLOCKED_BEFORE, &asked, |row| row.get(0))?.unwrap_or(0))
    }

    fn held_in(&mut self, queue: &str, gate: Option<&str>, limit: u32) -> Result<Vec<HeldRow>> {
        self.rows(HELD_IN, &[&queue, &gate, &limit], read_held)
    }

    fn record_due(&mut self, run_key: RunKey, at_ms: i64) -> Result<Option<PendingRecord>> {
        self.row_opt(RECORD_DUE, &[&run_key, &at_ms], |row| {
            Ok(PendingRecord {
                kind: row.get(0)?,
                name: row.get(1)?,
                occurrence: row.get(2)?,
                backs_off: row.get::<StepState>(3)? == StepState::BacksOff,
                error: row.maybe(4)?,
            })
        })
    }

    fn owner(&mut self, owner_key: OwnerKey) -> Result<Option<OwnerRow>> {
        self.row_opt(OWNER, &[&owner_key], read_owner)
    }
}

fn read_head(row: Row<'_>) -> Result<LaneHead> {
    let head = match row.maybe(7)? {
        Some(run_key) => Some((row.get(5)?, row.get(6)?, run_key)),
        None => None,
    };
    Ok(LaneHead {
        lane_key: row.get(0)?,
        workflow: row.get(1)?,
        code_version: row.get(2)?,
        owner_key: row.get(3)?,
        claimed_at_ms: row.maybe(4)?,
        head,
    })
}
