//! Rows of queues that were set, and of their gates.

use super::tx::Tx;
use crate::domain::port::{LaneKey, QueueLimits, QueuePort, RunKey};
use crate::error::Result;

const QUEUE: &str = "
SELECT concurrency, concurrency_per_key, paused, running
FROM sw_workflow_queues
WHERE queue = ?1";

// Counts what runs by the lanes of the queue: once, when a limit is set.
const QUEUE_SET: &str = "
INSERT INTO sw_workflow_queues (queue, concurrency, concurrency_per_key, paused, running)
VALUES (?1, ?2, ?3, ?4, (
    SELECT count(*)
    FROM sw_workflow_tasks AS t
    JOIN sw_workflow_lanes AS l ON l.lane_key = t.lane_key
    WHERE t.owner_key IS NOT NULL AND l.queue = ?1
))
ON CONFLICT (queue) DO UPDATE
SET concurrency = excluded.concurrency, concurrency_per_key = excluded.concurrency_per_key,
    paused = excluded.paused, running = excluded.running";

const GATES_DROP: &str = "
DELETE FROM sw_workflow_gates
WHERE queue = ?1";

const GATES_COUNT: &str = "
INSERT INTO sw_workflow_gates (queue, gate, running)
SELECT ?1, t.gate, count(*)
FROM sw_workflow_tasks AS t
JOIN sw_workflow_lanes AS l ON l.lane_key = t.lane_key
WHERE t.owner_key IS NOT NULL AND l.queue = ?1 AND t.gate IS NOT NULL
GROUP BY t.gate";

const GATE_RUNNING: &str = "
SELECT running
FROM sw_workflow_gates
WHERE queue = ?1 AND gate = ?2";

const QUEUE_ADD: &str = "
UPDATE sw_workflow_queues
SET running = running + 1
WHERE queue = ?1";

const GATE_ADD: &str = "
INSERT INTO sw_workflow_gates (queue, gate, running)
VALUES (?1, ?2, 1)
ON CONFLICT (queue, gate) DO UPDATE
SET running = running + 1";

const QUEUE_REMOVE: &str = "
UPDATE sw_workflow_queues
SET running = max(running - 1, 0)
WHERE queue = (SELECT queue FROM sw_workflow_lanes WHERE lane_key = ?1)
RETURNING queue";

const GATE_REMOVE: &str = "
UPDATE sw_workflow_gates
SET running = max(running - 1, 0)
WHERE queue = ?1 AND gate = ?2";

// A gate without runs needs no row.
const GATE_DROP: &str = "
DELETE FROM sw_workflow_gates
WHERE queue = ?1 AND gate = ?2 AND running = 0";

const TASK_BLOCK: &str = "
UPDATE sw_workflow_tasks
SET state = 5
WHERE task_key = ?1";

// The best of a gate over the lanes of its queue: one probe per lane.
const BLOCKED_HEAD: &str = "
SELECT t.task_key
FROM sw_workflow_lanes AS l
JOIN sw_workflow_tasks AS t ON t.task_key = (
    SELECT h.task_key
    FROM sw_workflow_tasks AS h
    WHERE h.lane_key = l.lane_key AND h.gate = ?2 AND h.state = 5
    ORDER BY h.priority, h.due_at_ms, h.task_key
    LIMIT 1
)
WHERE l.queue = ?1
ORDER BY t.priority, t.due_at_ms, t.task_key
LIMIT 1";

const BLOCKED_OF_QUEUE: &str = "
SELECT t.task_key
FROM sw_workflow_lanes AS l
JOIN sw_workflow_tasks AS t ON t.lane_key = l.lane_key AND t.state = 5
WHERE l.queue = ?1
LIMIT ?2";

const TASK_UNBLOCK: &str = "
UPDATE sw_workflow_tasks
SET state = 1
WHERE task_key = ?1 AND state = 5";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[
    QUEUE,
    QUEUE_SET,
    GATES_DROP,
    GATES_COUNT,
    GATE_RUNNING,
    QUEUE_ADD,
    GATE_ADD,
    QUEUE_REMOVE,
    GATE_REMOVE,
    GATE_DROP,
    TASK_BLOCK,
    BLOCKED_HEAD,
    BLOCKED_OF_QUEUE,
    TASK_UNBLOCK,
];

impl QueuePort for Tx<'_> {
    fn queue(&mut self, queue: &str) -> Result<Option<(QueueLimits, u32)>> {
        self.one(QUEUE, [queue], |row| {
            let limits = QueueLimits {
                concurrency: row.get(0)?,
                concurrency_per_key: row.get(1)?,
                is_paused: row.get(2)?,
            };
            Ok((limits, row.get(3)?))
        })
    }

    fn queue_set(&mut self, queue: &str, limits: &QueueLimits) -> Result<()> {
        let QueueLimits { concurrency, concurrency_per_key, is_paused } = limits;
        self.execute(QUEUE_SET, (queue, concurrency, concurrency_per_key, is_paused))?;
        self.execute(GATES_DROP, [queue])?;
        self.execute(GATES_COUNT, [queue]).map(|_| ())
    }

    fn gate_running(&mut self, queue: &str, gate: &str) -> Result<u32> {
        Ok(self.one(GATE_RUNNING, (queue, gate), |row| row.get(0))?.unwrap_or(0))
    }

    fn running_add(&mut self, queue: &str, gate: Option<&str>) -> Result<()> {
        self.execute(QUEUE_ADD, [queue])?;
        match gate {
            Some(gate) => self.execute(GATE_ADD, (queue, gate)).map(|_| ()),
            None => Ok(()),
        }
    }

    fn running_remove(&mut self, lane_key: LaneKey, gate: Option<&str>) -> Result<Option<String>> {
        let queue: Option<String> = self.one(QUEUE_REMOVE, [lane_key], |row| row.get(0))?;
        if let (Some(queue), Some(gate)) = (&queue, gate) {
            self.execute(GATE_REMOVE, (queue, gate))?;
            self.execute(GATE_DROP, (queue, gate))?;
        }
        Ok(queue)
    }

    fn task_block(&mut self, run_key: RunKey) -> Result<()> {
        self.execute(TASK_BLOCK, [run_key]).map(|_| ())
    }

    fn unblock(&mut self, queue: &str, gate: Option<&str>, limit: u32) -> Result<u32> {
        let blocked: Vec<RunKey> = match gate {
            Some(gate) => {
                self.one(BLOCKED_HEAD, (queue, gate), |row| row.get(0))?.into_iter().collect()
            }
            None => self.all(BLOCKED_OF_QUEUE, (queue, limit), |row| row.get(0))?,
        };
        for run_key in &blocked {
            self.execute(TASK_UNBLOCK, [run_key])?;
        }
        Ok(u32::try_from(blocked.len()).unwrap_or(u32::MAX))
    }
}
