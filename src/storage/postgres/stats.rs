//! What is counted and listed of a store as a whole.

use super::claim;
use super::tx::Tx;
use super::value::{Many, Param, Row};
use crate::domain::port::{
    FileFacts, FullGate, HeldRow, LaneKey, LaneRow, Outcome, OwnerRow, QueueLimits, RunKey,
    StatsPort, TaskState,
};
use crate::error::Result;
use crate::id::Id;

const LANE_ROWS: &str = "
SELECT l.lane_key, l.queue, l.workflow, l.code_version, l.owner_key, l.claimed_at_ms, EXISTS (
    SELECT 1 FROM $schema.sw_workflow_tasks AS t WHERE t.lane_key = l.lane_key AND t.state = 1
)
FROM $schema.sw_workflow_lanes AS l
ORDER BY l.queue, l.workflow, l.code_version, l.owner_key
LIMIT $1";

const QUEUE_ROWS: &str = "
SELECT queue, concurrency, concurrency_per_key, paused, running
FROM $schema.sw_workflow_queues
ORDER BY queue
LIMIT $1";

// A gate without runs has no row.
const FULL_GATES: &str = "
SELECT g.queue, g.gate, q.concurrency_per_key, g.running
FROM $schema.sw_workflow_gates AS g
JOIN $schema.sw_workflow_queues AS q ON q.queue = g.queue
WHERE g.running >= q.concurrency_per_key
ORDER BY g.queue, g.gate
LIMIT $1";

const HELD_ROWS: &str = "
SELECT task_key, lane_key, owner_key, gate, claimed_at_ms, worker
FROM $schema.sw_workflow_tasks
WHERE owner_key IS NOT NULL
ORDER BY owner_key, lease_until_ms, task_key
LIMIT $1";

const STILL_COUNTS: &str = "
SELECT lane_key, count(*)
FROM (
    SELECT lane_key
    FROM $schema.sw_workflow_tasks
    WHERE state <> 1 AND state <> 2 AND state = $1
    ORDER BY task_key DESC
    LIMIT $2
) AS page
GROUP BY lane_key
ORDER BY lane_key";

const READY_COUNT: &str = "
SELECT count(*)
FROM (
    SELECT 1
    FROM $schema.sw_workflow_tasks
    WHERE lane_key = $1 AND state = 1
    LIMIT $2
) AS page";

// The index has priorities first: the first of each has been due for longest of its own.
const READY_OF_NEXT_PRIORITY: &str = "
SELECT priority, due_at_ms
FROM $schema.sw_workflow_tasks
WHERE lane_key = $1 AND state = 1 AND priority > $2
ORDER BY priority, due_at_ms, task_key
LIMIT 1";

// What is below a root that is being pruned is gone.
const OUTCOME_COUNT: &str = "
SELECT count(*)
FROM (
    SELECT 1
    FROM $schema.sw_workflow_runs AS r
    WHERE r.outcome = $1 AND r.outcome > 1 AND NOT EXISTS (
        SELECT 1
        FROM $schema.sw_workflow_runs AS t
        WHERE t.run_key = r.root_key AND t.outcome = 4
    )
    LIMIT $2
) AS page";

// Keys say nothing of how many there were: what the server knows of the table does, about; of a small one
// it is counted.
const RUN_COUNT: &str = "
SELECT CASE WHEN seen.count < 10000 THEN seen.count ELSE greatest(seen.count, (
    SELECT reltuples::bigint FROM pg_class WHERE oid = '$schema.sw_workflow_runs'::regclass
)) END
FROM (
    SELECT count(*) AS count
    FROM (SELECT 1 FROM $schema.sw_workflow_runs ORDER BY run_key LIMIT 10000) AS page
) AS seen";

const OWNER_ROWS: &str = "
SELECT owner_key, owner_id, opened_at_ms
FROM $schema.sw_workflow_owners
ORDER BY owner_key
LIMIT 10000";

const RUN_ID: &str = "
SELECT run_id
FROM $schema.sw_workflow_runs
WHERE run_key = $1";

const LANES_CLAIMED: &str = "
UPDATE $schema.sw_workflow_lanes
SET claimed_at_ms = $2
WHERE lane_key = ANY ($1::bigint[])";

const SIZE: &str = "
SELECT current_setting('block_size')::bigint,
    coalesce(sum(pg_total_relation_size(oid)), 0)::bigint
FROM pg_class
WHERE relnamespace = '$schema'::regnamespace AND relkind = 'r'";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[
    LANE_ROWS,
    QUEUE_ROWS,
    FULL_GATES,
    HELD_ROWS,
    STILL_COUNTS,
    READY_COUNT,
    READY_OF_NEXT_PRIORITY,
    OUTCOME_COUNT,
    RUN_COUNT,
    OWNER_ROWS,
    RUN_ID,
    LANES_CLAIMED,
    SIZE,
];

impl StatsPort for Tx<'_> {
    fn lane_rows(&mut self, limit: u32) -> Result<Vec<LaneRow>> {
        self.rows(LANE_ROWS, &[&limit], |row| {
            Ok(LaneRow {
                lane_key: row.get(0)?,
                queue: row.get(1)?,
                workflow: row.get(2)?,
                code_version: row.get(3)?,
                owner_key: row.get(4)?,
                claimed_at_ms: row.maybe(5)?,
                may_be_ready: row.get(6)?,
            })
        })
    }

    fn queue_rows(&mut self, limit: u32) -> Result<Vec<(String, QueueLimits, u32)>> {
        self.rows(QUEUE_ROWS, &[&limit], |row| {
            Ok((row.get(0)?, super::queue::read_limits(row, 1)?, row.get(4)?))
        })
    }

    fn full_gates(&mut self, limit: u32) -> Result<Vec<FullGate>> {
        self.rows(FULL_GATES, &[&limit], |row| {
            Ok(FullGate {
                queue: row.get(0)?,
                gate: row.get(1)?,
                limit: row.get(2)?,
                running: row.get(3)?,
            })
        })
    }

    fn held_rows(&mut self, limit: u32) -> Result<Vec<HeldRow>> {
        self.rows(HELD_ROWS, &[&limit], read_held)
    }

    fn still_counts(&mut self, state: TaskState, limit: u32) -> Result<Vec<(LaneKey, u32)>> {
        self.rows(STILL_COUNTS, &[&state, &limit], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn ready_count(&mut self, lane_key: LaneKey, limit: u32) -> Result<u32> {
        Ok(self.row_opt(READY_COUNT, &[&lane_key, &limit], |row| row.get(0))?.unwrap_or(0))
    }

    fn ready_since(&mut self, lane_key: LaneKey, limit: u32) -> Result<Option<i64>> {
        let (mut since, mut after) = (None, i64::MIN);
        for _ in 0..limit {
            let asked: [&dyn Param; 2] = [&lane_key, &after];
            let next: Option<(i64, i64)> =
                self.row_opt(READY_OF_NEXT_PRIORITY, &asked, |row| Ok((row.get(0)?, row.get(1)?)))?;
            let Some((priority, due_at_ms)) = next else { break };
            since = [since, Some(due_at_ms)].into_iter().flatten().min();
            after = priority;
        }
        Ok(since)
    }

    fn outcome_count(&mut self, outcome: Outcome, limit: u32) -> Result<u32> {
        Ok(self.row_opt(OUTCOME_COUNT, &[&outcome, &limit], |row| row.get(0))?.unwrap_or(0))
    }

    fn run_span(&mut self) -> Result<u64> {
        Ok(self.row_opt(RUN_COUNT, &[], |row| row.get(0))?.unwrap_or(0))
    }

    fn owner_rows(&mut self) -> Result<Vec<OwnerRow>> {
        self.rows(OWNER_ROWS, &[], read_owner)
    }

    fn run_id(&mut self, run_key: RunKey) -> Result<Option<Id>> {
        self.row_opt(RUN_ID, &[&run_key], |row| row.get(0))
    }

    fn lanes_claimed(&mut self, lane_keys: &[LaneKey], at_ms: i64) -> Result<()> {
        self.put(LANES_CLAIMED, &[&Many(lane_keys), &at_ms])
    }

    fn file_facts(&mut self) -> Result<FileFacts> {
        let size: Option<(u64, u64)> =
            self.row_opt(SIZE, &[], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (page_bytes, bytes) = size.unwrap_or_default();
        let pages = bytes.checked_div(page_bytes).unwrap_or(0);
        Ok(FileFacts { page_bytes, pages, free_pages: 0, log_bytes: 0 })
    }
}

/// Reads key, id and time of an owner; its process stands in the id.
pub(super) fn read_owner(row: Row<'_>) -> Result<OwnerRow> {
    let owner = claim::read_owner(row)?;
    let mut pid = [0; 4];
    pid.copy_from_slice(&owner.id.to_bytes()[24..28]);
    Ok(OwnerRow { owner, pid: u32::from_le_bytes(pid), opened_at_ms: row.get(2)? })
}

pub(super) fn read_held(row: Row<'_>) -> Result<HeldRow> {
    Ok(HeldRow {
        run_key: row.get(0)?,
        lane_key: row.get(1)?,
        owner_key: row.get(2)?,
        gate: row.maybe(3)?,
        claimed_at_ms: row.get(4)?,
        worker: row.maybe(5)?,
    })
}
