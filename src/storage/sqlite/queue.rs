//! Rows of queues that were set, and of their gates.

use rusqlite::Row;

use super::tx::Tx;
use crate::domain::port::{GatePlace, LaneKey, QueueLimits, QueuePort, TaskPort};
use crate::error::{Error, Result};

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
SET running = running + ?2
WHERE queue = ?1";

const GATE_ADD: &str = "
INSERT INTO sw_workflow_gates (queue, gate, running)
VALUES (?1, ?2, 1)
ON CONFLICT (queue, gate) DO UPDATE
SET running = running + 1";

// Most queues have no limits, so no row.
const QUEUE_LIMITED: &str = "
SELECT q.queue
FROM sw_workflow_lanes AS l
JOIN sw_workflow_queues AS q ON q.queue = l.queue
WHERE l.lane_key = ?1";

const QUEUE_REMOVE: &str = "
UPDATE sw_workflow_queues
SET running = max(running - 1, 0)
WHERE queue = ?1";

const GATE_REMOVE: &str = "
UPDATE sw_workflow_gates
SET running = max(running - 1, 0)
WHERE queue = ?1 AND gate = ?2";

// A gate without runs needs no row.
const GATE_DROP: &str = "
DELETE FROM sw_workflow_gates
WHERE queue = ?1 AND gate = ?2 AND running = 0";

const GATE_ROOM: &str = "
SELECT q.concurrency_per_key, coalesce(g.running, 0)
FROM sw_workflow_lanes AS l
LEFT JOIN sw_workflow_queues AS q ON q.queue = l.queue
LEFT JOIN sw_workflow_gates AS g ON g.queue = l.queue AND g.gate = ?2
WHERE l.lane_key = ?1";

const QUEUE_OF: &str = "
SELECT queue
FROM sw_workflow_lanes
WHERE lane_key = ?1";

// One probe per lane in which a run of the gate stands, whatever its queue.
const GATE_LANE_READY: &str = "
SELECT t.lane_key, l.queue
FROM sw_workflow_tasks AS t
JOIN sw_workflow_lanes AS l ON l.lane_key = t.lane_key
WHERE t.gate = ?1 AND t.lane_key > ?2 AND t.state = 1 AND t.gate IS NOT NULL
ORDER BY t.lane_key
LIMIT 1";

const GATE_LANE_BLOCKED: &str = "
SELECT t.lane_key, l.queue
FROM sw_workflow_tasks AS t
JOIN sw_workflow_lanes AS l ON l.lane_key = t.lane_key
WHERE t.gate = ?1 AND t.lane_key > ?2 AND t.state = 5
ORDER BY t.lane_key
LIMIT 1";

const GATES_AFTER: &str = "
SELECT gate, running
FROM sw_workflow_gates
WHERE queue = ?1 AND gate > ?2
ORDER BY gate
LIMIT ?3";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[
    QUEUE,
    QUEUE_SET,
    GATES_DROP,
    GATES_COUNT,
    GATE_RUNNING,
    QUEUE_ADD,
    GATE_ADD,
    QUEUE_LIMITED,
    QUEUE_REMOVE,
    GATE_REMOVE,
    GATE_DROP,
    GATE_ROOM,
    QUEUE_OF,
    GATE_LANE_READY,
    GATE_LANE_BLOCKED,
    GATES_AFTER,
];

impl QueuePort for Tx<'_> {
    fn queue(&mut self, queue: &str) -> Result<Option<(QueueLimits, u32)>> {
        self.one(QUEUE, [queue], |row| Ok((read_limits(row, 0)?, row.get(3)?)))
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

    fn running_add(&mut self, queue: &str, count: u32, gate: Option<&str>) -> Result<()> {
        self.execute(QUEUE_ADD, (queue, count))?;
        match gate {
            Some(gate) => self.execute(GATE_ADD, (queue, gate)).map(|_| ()),
            None => Ok(()),
        }
    }

    fn running_remove(&mut self, lane_key: LaneKey, gate: Option<&str>) -> Result<Option<String>> {
        let queue: Option<String> = self.one(QUEUE_LIMITED, [lane_key], |row| row.get(0))?;
        let Some(queue) = queue else { return Ok(None) };
        self.execute(QUEUE_REMOVE, [&queue])?;
        if let Some(gate) = gate {
            self.execute(GATE_REMOVE, (&queue, gate))?;
            self.execute(GATE_DROP, (&queue, gate))?;
        }
        Ok(Some(queue))
    }

    fn gate_room(&mut self, place: &GatePlace) -> Result<u32> {
        let counts = self.one(GATE_ROOM, (place.lane_key, &place.gate), |row| {
            Ok((row.get::<_, Option<u32>>(0)?, row.get::<_, u32>(1)?))
        })?;
        let (most, running) = counts.unwrap_or_default();
        Ok(most.map_or(u32::MAX, |most| most.saturating_sub(running)))
    }

    fn gates_turn(&mut self, queue: &str, gates: &[(&str, bool)]) -> Result<()> {
        gates.iter().try_for_each(|(gate, is_open)| self.gate_turn(queue, gate, *is_open))
    }

    fn gates_after(&mut self, queue: &str, after: &str, limit: u32) -> Result<Vec<(String, u32)>> {
        self.all(GATES_AFTER, (queue, after, limit), |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn queue_of(&mut self, lane_key: LaneKey) -> Result<String> {
        self.one(QUEUE_OF, [lane_key], |row| row.get(0))?
            .ok_or_else(|| Error::Corrupt(format!("lane {lane_key} is named, not stored").into()))
    }

    fn lane_left(&mut self, lane_key: LaneKey) -> Result<()> {
        self.lane_settle(lane_key)
    }
}

impl Tx<'_> {
    fn gate_turn(&mut self, queue: &str, gate: &str, is_open: bool) -> Result<()> {
        let next = if is_open { GATE_LANE_BLOCKED } else { GATE_LANE_READY };
        let mut place = GatePlace { lane_key: 0, gate: gate.into() };
        loop {
            let read = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, String>(1)?));
            let Some((lane_key, of)) = self.one(next, (gate, place.lane_key), read)? else {
                return Ok(());
            };
            place.lane_key = lane_key;
            match is_open {
                _ if of != queue => {}
                true => self.gate_let_in(&place)?,
                false => self.gate_close(&place)?,
            }
        }
    }
}

/// Reads concurrency, concurrency_per_key, paused from column `first` on.
pub(super) fn read_limits(row: &Row<'_>, first: usize) -> rusqlite::Result<QueueLimits> {
    Ok(QueueLimits {
        concurrency: row.get(first)?,
        concurrency_per_key: row.get(first + 1)?,
        is_paused: row.get(first + 2)?,
    })
}
