//! Rows of queues that were set, and of their gates.

use super::known::Ending;
use super::tx::Tx;
use super::value::Row;
use crate::domain::port::{GatePlace, LaneKey, QueueLimits, QueuePort, TaskPort};
use crate::error::{Error, Result};

pub(super) const QUEUE: &str = "
SELECT concurrency, concurrency_per_key, paused, running
FROM $schema.sw_workflow_queues
WHERE queue = $1";

// Counts what runs by the lanes of the queue: once, when a limit is set.
const QUEUE_SET: &str = "
INSERT INTO $schema.sw_workflow_queues (queue, concurrency, concurrency_per_key, paused, running)
VALUES ($1, $2, $3, $4, (
    SELECT count(*)
    FROM $schema.sw_workflow_tasks AS t
    JOIN $schema.sw_workflow_lanes AS l ON l.lane_key = t.lane_key
    WHERE t.owner_key IS NOT NULL AND l.queue = $1
))
ON CONFLICT (queue) DO UPDATE
SET concurrency = excluded.concurrency, concurrency_per_key = excluded.concurrency_per_key,
    paused = excluded.paused, running = excluded.running";

const GATES_DROP: &str = "
DELETE FROM $schema.sw_workflow_gates
WHERE queue = $1";

const GATES_COUNT: &str = "
INSERT INTO $schema.sw_workflow_gates (queue, gate, running)
SELECT l.queue, t.gate, count(*)
FROM $schema.sw_workflow_tasks AS t
JOIN $schema.sw_workflow_lanes AS l ON l.lane_key = t.lane_key
WHERE t.owner_key IS NOT NULL AND l.queue = $1 AND t.gate IS NOT NULL
GROUP BY l.queue, t.gate";

const GATE_RUNNING: &str = "
SELECT running
FROM $schema.sw_workflow_gates
WHERE queue = $1 AND gate = $2";

const QUEUE_ADD: &str = "
UPDATE $schema.sw_workflow_queues
SET running = running + $2
WHERE queue = $1";

const GATE_ADD: &str = "
INSERT INTO $schema.sw_workflow_gates AS g (queue, gate, running)
VALUES ($1, $2, 1)
ON CONFLICT (queue, gate) DO UPDATE
SET running = g.running + 1";

const QUEUE_REMOVE: &str = "
UPDATE $schema.sw_workflow_queues
SET running = greatest(running - 1, 0)
WHERE queue = (SELECT queue FROM $schema.sw_workflow_lanes WHERE lane_key = $1)
RETURNING queue";

const GATE_REMOVE: &str = "
UPDATE $schema.sw_workflow_gates
SET running = greatest(running - 1, 0)
WHERE queue = $1 AND gate = $2";

// A gate without runs needs no row.
const GATE_DROP: &str = "
DELETE FROM $schema.sw_workflow_gates
WHERE queue = $1 AND gate = $2 AND running = 0";

const GATE_ROOM: &str = "
SELECT q.concurrency_per_key, coalesce(g.running, 0)
FROM $schema.sw_workflow_lanes AS l
LEFT JOIN $schema.sw_workflow_queues AS q ON q.queue = l.queue
LEFT JOIN $schema.sw_workflow_gates AS g ON g.queue = l.queue AND g.gate = $2
WHERE l.lane_key = $1";

const QUEUE_OF: &str = "
SELECT queue
FROM $schema.sw_workflow_lanes
WHERE lane_key = $1";

const GATE_LANES_READY: &str = "
SELECT DISTINCT t.lane_key
FROM $schema.sw_workflow_tasks AS t
JOIN $schema.sw_workflow_lanes AS l ON l.lane_key = t.lane_key
WHERE t.gate = $2 AND t.state = 1 AND t.gate IS NOT NULL AND l.queue = $1
ORDER BY t.lane_key";

const GATE_LANES_BLOCKED: &str = "
SELECT DISTINCT t.lane_key
FROM $schema.sw_workflow_tasks AS t
JOIN $schema.sw_workflow_lanes AS l ON l.lane_key = t.lane_key
WHERE t.gate = $2 AND t.state = 5 AND l.queue = $1
ORDER BY t.lane_key";

const GATES_AFTER: &str = "
SELECT gate, running
FROM $schema.sw_workflow_gates
WHERE queue = $1 AND gate > $2
ORDER BY gate
LIMIT $3";

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
    GATE_ROOM,
    QUEUE_OF,
    GATE_LANES_READY,
    GATE_LANES_BLOCKED,
    GATES_AFTER,
];

impl QueuePort for Tx<'_> {
    fn queue(&mut self, queue: &str) -> Result<Option<(QueueLimits, u32)>> {
        self.row_opt(QUEUE, &[&queue], |row| Ok((read_limits(row, 0)?, row.get(3)?)))
    }

    fn queue_set(&mut self, queue: &str, limits: &QueueLimits) -> Result<()> {
        let QueueLimits { concurrency, concurrency_per_key, is_paused } = limits;
        self.put(QUEUE_SET, &[&queue, concurrency, concurrency_per_key, is_paused])?;
        self.put(GATES_DROP, &[&queue])?;
        self.put(GATES_COUNT, &[&queue])
    }

    fn gate_running(&mut self, queue: &str, gate: &str) -> Result<u32> {
        Ok(self.row_opt(GATE_RUNNING, &[&queue, &gate], |row| row.get(0))?.unwrap_or(0))
    }

    fn running_add(&mut self, queue: &str, count: u32, gate: Option<&str>) -> Result<()> {
        self.put(QUEUE_ADD, &[&queue, &count])?;
        match gate {
            Some(gate) => self.put(GATE_ADD, &[&queue, &gate]),
            None => Ok(()),
        }
    }

    fn running_remove(&mut self, lane_key: LaneKey, gate: Option<&str>) -> Result<Option<String>> {
        let is_of_lane = |ending: &&Ending| ending.lane_key == lane_key;
        if self.known.endings.values().find(is_of_lane).is_some_and(|ending| !ending.is_limited) {
            return Ok(None);
        }
        let queue: Option<String> = self.row_opt(QUEUE_REMOVE, &[&lane_key], |row| row.get(0))?;
        if let (Some(queue), Some(gate)) = (&queue, gate) {
            self.put(GATE_REMOVE, &[queue, &gate])?;
            self.put(GATE_DROP, &[queue, &gate])?;
        }
        Ok(queue)
    }

    fn gate_room(&mut self, place: &GatePlace) -> Result<u32> {
        let counts: Option<(Option<u32>, u32)> =
            self.row_opt(GATE_ROOM, &[&place.lane_key, &place.gate], |row| {
                Ok((row.maybe(0)?, row.get(1)?))
            })?;
        let (most, running) = counts.unwrap_or_default();
        Ok(most.map_or(u32::MAX, |most| most.saturating_sub(running)))
    }

    fn gates_turn(&mut self, queue: &str, gates: &[(&str, bool)]) -> Result<()> {
        gates.iter().try_for_each(|(gate, is_open)| self.gate_turn(queue, gate, *is_open))
    }

    fn gates_after(&mut self, queue: &str, after: &str, limit: u32) -> Result<Vec<(String, u32)>> {
        self.rows(GATES_AFTER, &[&queue, &after, &limit], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn queue_of(&mut self, lane_key: LaneKey) -> Result<String> {
        self.row_opt(QUEUE_OF, &[&lane_key], |row| row.get(0))?
            .ok_or_else(|| Error::Corrupt(format!("lane {lane_key} is named, not stored").into()))
    }

    fn lane_left(&mut self, _: LaneKey) -> Result<()> {
        // The index of ready tasks says where a lane begins.
        Ok(())
    }
}

impl Tx<'_> {
    fn gate_turn(&mut self, queue: &str, gate: &str, is_open: bool) -> Result<()> {
        let sql = if is_open { GATE_LANES_BLOCKED } else { GATE_LANES_READY };
        let lanes: Vec<LaneKey> = self.rows(sql, &[&queue, &gate], |row| row.get(0))?;
        for lane_key in lanes {
            let place = GatePlace { lane_key, gate: gate.into() };
            if is_open { self.gate_let_in(&place)? } else { self.gate_close(&place)? }
        }
        Ok(())
    }
}

/// Reads concurrency, concurrency_per_key, paused from column `first` on.
pub(super) fn read_limits(row: Row<'_>, first: usize) -> Result<QueueLimits> {
    Ok(QueueLimits {
        concurrency: row.maybe(first)?,
        concurrency_per_key: row.maybe(first + 1)?,
        is_paused: row.get(first + 2)?,
    })
}
