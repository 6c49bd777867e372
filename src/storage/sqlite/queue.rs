//! Rows of queues that were set, and of their gates.

use super::tx::Tx;
use crate::domain::port::{GatePlace, LaneKey, QueueLimits, QueuePort, RunKey};
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

const LANES_OF_QUEUE: &str = "
SELECT lane_key
FROM sw_workflow_lanes INDEXED BY lanes_live
WHERE queue = ?1 AND owner_key >= 0
ORDER BY owner_key, lane_key";

const UNBLOCK_IN: &str = "
UPDATE sw_workflow_tasks
SET state = 1
WHERE task_key IN (
    SELECT task_key
    FROM sw_workflow_tasks
    WHERE lane_key = ?1 AND gate = ?2 AND state = 5
    ORDER BY priority, due_at_ms, task_key
    LIMIT ?3
)";

// One probe per lane of the queue.
const BLOCKED_GATE_AFTER: &str = "
SELECT t.lane_key, t.gate
FROM sw_workflow_lanes AS l
JOIN sw_workflow_tasks AS t ON t.task_key = (
    SELECT h.task_key
    FROM sw_workflow_tasks AS h
    WHERE h.lane_key = l.lane_key AND h.state = 5
        AND h.gate > CASE l.lane_key WHEN ?2 THEN ?3 ELSE '' END
    ORDER BY h.gate, h.priority, h.due_at_ms, h.task_key
    LIMIT 1
)
WHERE l.queue = ?1 AND l.lane_key >= ?2
ORDER BY l.lane_key
LIMIT 1";

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
    LANES_OF_QUEUE,
    UNBLOCK_IN,
    BLOCKED_GATE_AFTER,
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

    fn unblock_heads(&mut self, queue: &str, gate: &str) -> Result<()> {
        let lanes: Vec<LaneKey> = self.all(LANES_OF_QUEUE, [queue], |row| row.get(0))?;
        lanes.into_iter().try_for_each(|lane_key| self.unblock_head(lane_key, gate))
    }

    fn unblock_head(&mut self, lane_key: LaneKey, gate: &str) -> Result<()> {
        self.execute(UNBLOCK_IN, (lane_key, gate, 1)).map(|_| ())
    }

    fn blocked_gate_after(&mut self, queue: &str, place: &GatePlace) -> Result<Option<GatePlace>> {
        self.one(BLOCKED_GATE_AFTER, (queue, place.lane_key, &place.gate), |row| {
            Ok(GatePlace { lane_key: row.get(0)?, gate: row.get(1)? })
        })
    }

    fn unblock_in(&mut self, place: &GatePlace, limit: u32) -> Result<u32> {
        let let_in = self.execute(UNBLOCK_IN, (place.lane_key, &place.gate, limit))?;
        Ok(u32::try_from(let_in).unwrap_or(u32::MAX))
    }
}
