//! The hot rows of open runs: all that is ever written to `sw_workflow_tasks`.
//!
//! States, as `sw_workflow_tasks.state` has them, and what moves a task between them:
//!
//! ```text
//!              insert, start date ahead                    insert
//!                        |                                   |
//!                        v             wake                  v
//!     +----------> 0 delayed ------------------------> 1 ready <-----------+
//!     | yield            ^                             ^  |  ^             | gate_let_in
//!     | (backoff)        |                        wake |  |  | gates_keep  |
//!     |                  | yield                       |  |  +-------> 5 blocked
//!     |                  |          park               |  |
//!     +------------- 2 running ---------------> 3 waiting |
//!                    |   ^                             |  |
//!             yield  |   +-----------------------------|--+ claim
//!      (pause asked) v                                 |
//!                 4 paused <---------------------------+  set_aside, from and to 0, 1, 3 and 5
//! ```
//!
//! From each of them a run can end: `task_delete`. Every write of the row counts its `version`. The bits
//! of `flags`:
//!
//! | bit | meaning | cleared by |
//! |---|---|---|
//! | 1 | a cancel was asked while it ran | its end |
//! | 2 | its time-out passed while it ran | its end |
//! | 4 | a pause was asked while it ran | yield |
//! | 8 | it stands in a lane of one owner | move |
//! | 16 | it was woken for room in a budget | yield, park |

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Row;

use super::tx::{Place, Tx, list};
use crate::domain::port::{
    Fence, GatePlace, Hold, LaneKey, NewLease, RunKey, Taken, Task, TaskPort, TaskState, Woken,
    WokenFor,
};
use crate::error::{Error, Result};
use crate::storage::stored::{
    FLAG_CANCEL_ASKED, FLAG_LOCAL, FLAG_PAUSE_ASKED, FLAG_TIMED_OUT, FLAG_WOKEN_FOR_ROOM,
};

const TASK: &str = "
SELECT task_key, lane_key, state, priority, due_at_ms, wake_at_ms, deadline_at_ms, fence, failures,
    losses, flags, owner_key, lease_until_up_ms, lease_ms, claimed_at_ms, worker, gate, token, version
FROM sw_workflow_tasks
WHERE task_key = ?1";

const TASKS: &str = "
SELECT task_key, lane_key, state, priority, due_at_ms, wake_at_ms, deadline_at_ms, fence, failures,
    losses, flags, owner_key, lease_until_up_ms, lease_ms, claimed_at_ms, worker, gate, token, version
FROM sw_workflow_tasks
WHERE task_key IN (SELECT value FROM json_each(?1))";

// The look at the fence that each hot write begins with (P10).
const HOLD: &str = "
SELECT flags, deadline_at_ms, losses, lease_until_up_ms, lease_ms, version
FROM sw_workflow_tasks
WHERE task_key = ?1 AND fence = ?2 AND token = ?3 AND state = 2";

const TASK_INSERT: &str = "
INSERT INTO sw_workflow_tasks (
    task_key, lane_key, state, priority, due_at_ms, wake_at_ms, deadline_at_ms, fence, failures,
    losses, flags, waits_left, gate
)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0, CASE ?9 WHEN 1 THEN 8 ELSE 0 END, 0, ?10)";

const TASK_REWRITE: &str = "
UPDATE sw_workflow_tasks
SET version = version + 1,
    failures = ?2, losses = ?3, flags = ?4, waits_left = ?5, claimed_at_ms = ?6, worker = ?7
WHERE task_key = ?1";

// Read before it is claimed: to give a row back, an update makes a table of its own.
const TASK_READY: &str = "
SELECT fence, due_at_ms, lane_key, gate
FROM sw_workflow_tasks
WHERE task_key = ?1 AND state = 1";

const TASK_CLAIM: &str = "
UPDATE sw_workflow_tasks
SET version = version + 1,
    state = 2, fence = fence + 1, owner_key = ?2, lease_until_up_ms = ?3, lease_ms = ?4,
    claimed_at_ms = ?5, worker = ?6, token = ?7
WHERE task_key = ?1 AND state = 1";

const LEASE_SET: &str = "
UPDATE sw_workflow_tasks
SET version = version + 1, lease_until_up_ms = ?2, lease_ms = ?3, losses = ?4
WHERE task_key = ?1";

const TASK_YIELD: &str = "
UPDATE sw_workflow_tasks
SET version = version + 1,
    state = ?2, due_at_ms = ?3, wake_at_ms = ?4, failures = ?5, losses = ?6, flags = flags & ~20,
    owner_key = NULL,
    lease_until_up_ms = NULL, lease_ms = NULL, claimed_at_ms = NULL, worker = NULL
WHERE task_key = ?1";

const TASK_PARK: &str = "
UPDATE sw_workflow_tasks
SET version = version + 1,
    state = 3, wake_at_ms = ?2, waits_left = ?3, due_at_ms = max(due_at_ms, ?4), flags = flags & ~16,
    owner_key = NULL, lease_until_up_ms = NULL, lease_ms = NULL, claimed_at_ms = NULL, worker = NULL
WHERE task_key = ?1";

const TASK_WAKE: &str = "
UPDATE sw_workflow_tasks
SET version = version + 1,
    state = 1, due_at_ms = max(due_at_ms, ?2), wake_at_ms = NULL, waits_left = 0,
    flags = flags | CASE ?3 WHEN 1 THEN 16 ELSE 0 END
WHERE task_key = ?1 AND state IN (0, 3)
RETURNING lane_key, priority, due_at_ms, gate";

const TASKS_WAKE_DUE: &str = "
UPDATE sw_workflow_tasks
SET version = version + 1,
    state = 1, due_at_ms = max(due_at_ms, wake_at_ms), wake_at_ms = NULL, waits_left = 0
WHERE state IN (0, 3) AND task_key IN (
    SELECT task_key
    FROM sw_workflow_tasks
    WHERE wake_at_ms <= ?1
    ORDER BY wake_at_ms, task_key
    LIMIT ?2
)
RETURNING lane_key, priority, due_at_ms, task_key, gate";

const WAITS_DROP_DUE: &str = "
DELETE FROM sw_workflow_waits
WHERE task_key IN (
    SELECT task_key
    FROM sw_workflow_tasks
    WHERE wake_at_ms <= ?1
    ORDER BY wake_at_ms, task_key
    LIMIT ?2
)";

const TASK_SET_ASIDE: &str = "
UPDATE sw_workflow_tasks
SET version = version + 1, state = ?2, due_at_ms = ?3, wake_at_ms = ?4, waits_left = 0
WHERE task_key = ?1";

const TASK_SET_TIMED_OUT: &str = "
UPDATE sw_workflow_tasks
SET version = version + 1, flags = flags | 2, deadline_at_ms = NULL
WHERE task_key = ?1";

const TASK_FLAG_CANCEL: &str = "
UPDATE sw_workflow_tasks
SET version = version + 1, flags = flags | 1
WHERE task_key = ?1";

const TASK_FLAG_PAUSE: &str = "
UPDATE sw_workflow_tasks
SET version = version + 1, flags = CASE ?2 WHEN 1 THEN flags | 4 ELSE flags & ~4 END
WHERE task_key = ?1";

const GATE_KEEP: &str = "
UPDATE sw_workflow_tasks
SET version = version + 1, state = 5
WHERE task_key IN (
    SELECT task_key
    FROM sw_workflow_tasks
    WHERE gate = ?2 AND lane_key = ?1 AND state = 1 AND gate IS NOT NULL
    ORDER BY priority, due_at_ms, task_key
    LIMIT 10000 OFFSET (
        SELECT coalesce(q.concurrency_per_key > coalesce(g.running, 0), 1)
        FROM sw_workflow_lanes AS l
        LEFT JOIN sw_workflow_queues AS q ON q.queue = l.queue
        LEFT JOIN sw_workflow_gates AS g ON g.queue = l.queue AND g.gate = ?2
        WHERE l.lane_key = ?1
    )
)";

const GATE_CLOSE: &str = "
UPDATE sw_workflow_tasks
SET version = version + 1, state = 5
WHERE gate = ?2 AND lane_key = ?1 AND state = 1 AND gate IS NOT NULL";

const GATE_LET_IN: &str = "
UPDATE sw_workflow_tasks
SET version = version + 1, state = 1
WHERE task_key = (
    SELECT task_key
    FROM sw_workflow_tasks
    WHERE gate = ?2 AND lane_key = ?1 AND state = 5
    ORDER BY priority, due_at_ms, task_key
    LIMIT 1
) AND NOT EXISTS (
    SELECT 1
    FROM sw_workflow_tasks
    WHERE gate = ?2 AND lane_key = ?1 AND state = 1 AND gate IS NOT NULL
)
RETURNING priority, due_at_ms, task_key";

const TASKS_MOVE: &str = "
UPDATE sw_workflow_tasks
SET version = version + 1,
    lane_key = ?2, flags = flags & ~8, state = CASE state WHEN 5 THEN 1 ELSE state END
WHERE task_key IN (
    SELECT task_key
    FROM sw_workflow_tasks
    WHERE lane_key = ?1 AND flags & 8
    ORDER BY task_key
    LIMIT ?3
)
RETURNING state, priority, due_at_ms, task_key, gate";

const TASK_DELETE: &str = "
DELETE FROM sw_workflow_tasks
WHERE task_key = ?1";

const WAITS_DROP: &str = "
DELETE FROM sw_workflow_waits
WHERE task_key = ?1";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[
    TASK,
    TASKS,
    HOLD,
    TASK_INSERT,
    TASK_REWRITE,
    TASK_READY,
    TASK_CLAIM,
    LEASE_SET,
    TASK_YIELD,
    TASK_PARK,
    TASK_WAKE,
    TASKS_WAKE_DUE,
    WAITS_DROP_DUE,
    TASK_SET_ASIDE,
    TASK_SET_TIMED_OUT,
    TASK_FLAG_CANCEL,
    TASK_FLAG_PAUSE,
    GATE_KEEP,
    GATE_CLOSE,
    GATE_LET_IN,
    TASKS_MOVE,
    TASK_DELETE,
    WAITS_DROP,
];

impl TaskPort for Tx<'_> {
    fn hold(&mut self, fence: Fence) -> Result<Option<Hold>> {
        self.one(HOLD, (fence.run_key, fence.number, fence.token), |row| {
            let flags: i64 = row.get(0)?;
            Ok(Hold {
                is_cancel_asked: flags & FLAG_CANCEL_ASKED != 0,
                is_timed_out: flags & FLAG_TIMED_OUT != 0,
                deadline_at_ms: row.get(1)?,
                losses: row.get(2)?,
                lease_until_ms: row.get(3)?,
                lease_ms: row.get(4)?,
                version: row.get(5)?,
            })
        })
    }

    fn tasks(&mut self, run_keys: &[RunKey]) -> Result<Vec<Task>> {
        self.all(TASKS, [list(run_keys)], read_task)
    }

    fn task(&mut self, run_key: RunKey) -> Result<Option<Task>> {
        self.one(TASK, [run_key], read_task)
    }

    fn task_insert(&mut self, task: &Task) -> Result<()> {
        self.execute(
            TASK_INSERT,
            (
                task.run_key,
                task.lane_key,
                task.state,
                task.priority,
                task.due_at_ms,
                task.wake_at_ms,
                task.deadline_at_ms,
                task.fence,
                task.is_local,
                &task.gate,
            ),
        )?;
        self.lane_enter(task)
    }

    fn lease_set(
        &mut self,
        run_key: RunKey,
        until_ms: i64,
        lease_ms: u32,
        losses: u32,
    ) -> Result<()> {
        self.execute(LEASE_SET, (run_key, until_ms, lease_ms, losses)).map(|_| ())
    }

    fn task_yield(&mut self, task: &Task) -> Result<()> {
        self.execute(
            TASK_YIELD,
            (task.run_key, task.state, task.due_at_ms, task.wake_at_ms, task.failures, task.losses),
        )?;
        self.lane_enter(task)
    }

    fn task_park(
        &mut self,
        run_key: RunKey,
        wake_at_ms: Option<i64>,
        waits_left: u32,
        now_ms: i64,
    ) -> Result<()> {
        self.execute(TASK_PARK, (run_key, wake_at_ms, waits_left, now_ms)).map(|_| ())
    }

    fn tasks_wake(&mut self, run_keys: &[RunKey], due_at_ms: i64, why: WokenFor) -> Result<Woken> {
        let mut woken = Woken::default();
        for run_key in run_keys {
            let row = self.one(TASK_WAKE, (run_key, due_at_ms, why == WokenFor::Room), |row| {
                let place = (row.get(1)?, row.get(2)?, *run_key);
                Ok((row.get(0)?, place, row.get(3)?))
            })?;
            self.execute(WAITS_DROP, [run_key])?;
            let Some((lane_key, place, gate)) = row else { continue };
            self.lane_reach(lane_key, place)?;
            woken.count += 1;
            let place = at_gate(lane_key, gate).filter(|place| !woken.places.contains(place));
            woken.places.extend(place);
        }
        Ok(woken)
    }

    fn task_set_aside(&mut self, task: &Task) -> Result<()> {
        self.execute(TASK_SET_ASIDE, (task.run_key, task.state, task.due_at_ms, task.wake_at_ms))?;
        self.execute(WAITS_DROP, [task.run_key])?;
        self.lane_enter(task)
    }

    fn task_set_timed_out(&mut self, run_key: RunKey) -> Result<()> {
        self.execute(TASK_SET_TIMED_OUT, [run_key]).map(|_| ())
    }

    fn task_ask_cancel(&mut self, run_key: RunKey) -> Result<()> {
        self.execute(TASK_FLAG_CANCEL, [run_key]).map(|_| ())
    }

    fn task_ask_pause(&mut self, run_key: RunKey, is_asked: bool) -> Result<()> {
        self.execute(TASK_FLAG_PAUSE, (run_key, is_asked)).map(|_| ())
    }

    fn gates_keep(&mut self, places: &[GatePlace]) -> Result<()> {
        places.iter().try_for_each(|place| self.hold_back(GATE_KEEP, place))
    }

    fn gate_let_in(&mut self, place: &GatePlace) -> Result<()> {
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        match self.one(GATE_LET_IN, (place.lane_key, &place.gate), read)? {
            Some(first) => self.lane_reach(place.lane_key, first),
            None => Ok(()),
        }
    }

    fn tasks_move(&mut self, from: LaneKey, to: LaneKey, limit: u32) -> Result<Woken> {
        let (mut first, mut gates) = (None, BTreeSet::new());
        let moved = self.all(TASKS_MOVE, (from, to, limit), |row| {
            if row.get::<_, TaskState>(0)? == TaskState::Ready {
                let place: Place = (row.get(1)?, row.get(2)?, row.get(3)?);
                first = Some(first.map_or(place, |first: Place| first.min(place)));
                gates.extend(row.get::<_, Option<String>>(4)?);
            }
            Ok(())
        })?;
        if let Some(first) = first {
            self.lane_reach(to, first)?;
        }
        let at_gate = |gate| GatePlace { lane_key: to, gate };
        Ok(Woken { count: moved.len(), places: gates.into_iter().map(at_gate).collect() })
    }
}

impl Tx<'_> {
    /// Holds all that are ready at a gate in a lane back.
    pub(super) fn gate_close(&self, place: &GatePlace) -> Result<()> {
        self.hold_back(GATE_CLOSE, place)
    }

    fn hold_back(&self, sql: &'static str, place: &GatePlace) -> Result<()> {
        match self.execute(sql, (place.lane_key, &place.gate))? {
            0 => Ok(()),
            _ => self.lane_settle(place.lane_key),
        }
    }

    /// Deletes the row of a run that ends, and what it waited for.
    pub(super) fn task_delete(&self, run_key: RunKey) -> Result<()> {
        self.execute(TASK_DELETE, [run_key])?;
        self.execute(WAITS_DROP, [run_key]).map(|_| ())
    }

    /// Writes what a task that comes from another store has used up, was told and waits for.
    pub(super) fn task_rewrite(&self, task: &Task, waits_left: u32) -> Result<()> {
        let flag = |is_set: bool, flag: i64| if is_set { flag } else { 0 };
        let flags = flag(task.is_cancel_asked, FLAG_CANCEL_ASKED)
            | flag(task.is_timed_out, FLAG_TIMED_OUT)
            | flag(task.is_pause_asked, FLAG_PAUSE_ASKED);
        let running = Some(task).filter(|task| task.state == TaskState::Running);
        let (claimed_at_ms, worker) =
            (running.map(|task| task.claimed_at_ms), running.map(|task| &task.worker));
        let row =
            (task.run_key, task.failures, task.losses, flags, waits_left, claimed_at_ms, worker);
        self.execute(TASK_REWRITE, row).map(|_| ())
    }

    /// Gives a ready task to a claimer.
    pub(super) fn task_claim(&self, run_key: RunKey, lease: &NewLease) -> Result<Taken> {
        let ready = self.one(TASK_READY, [run_key], |row| {
            let (lane_key, gate) = (row.get(2)?, row.get(3)?);
            Ok(Taken { number: row.get(0)?, due_at_ms: row.get(1)?, lane_key, gate })
        })?;
        let ready = ready.ok_or_else(|| Error::internal("a ready task was not ready"))?;
        // A number is never given twice: a crafted file may hold the last one.
        let number = ready.number.checked_add(1);
        let number = number
            .ok_or_else(|| Error::Corrupt(format!("task {run_key} has no attempt left").into()))?;
        self.execute(
            TASK_CLAIM,
            (
                run_key,
                lease.owner_key,
                lease.lease_until_ms,
                lease.lease_ms,
                lease.claimed_at_ms,
                &lease.worker,
                lease.token,
            ),
        )?;
        Ok(Taken { number, ..ready })
    }

    /// Wakes those whose time has come, all at once; each lane is moved forward once.
    pub(super) fn tasks_wake_due(&self, now_ms: i64, limit: u32) -> Result<Woken> {
        self.execute(WAITS_DROP_DUE, (now_ms, limit))?;
        let mut lanes: BTreeMap<LaneKey, Place> = BTreeMap::new();
        let mut gates = BTreeSet::new();
        let woken = self.all(TASKS_WAKE_DUE, (now_ms, limit), |row| {
            let (lane_key, gate): (LaneKey, Option<String>) = (row.get(0)?, row.get(4)?);
            let place = (row.get(1)?, row.get(2)?, row.get(3)?);
            let first = lanes.entry(lane_key).or_insert(place);
            *first = place.min(*first);
            gates.extend(gate.map(|gate| (lane_key, gate)));
            Ok(())
        })?;
        for (lane_key, place) in lanes {
            self.lane_reach(lane_key, place)?;
        }
        let at_gate = |(lane_key, gate)| GatePlace { lane_key, gate };
        Ok(Woken { count: woken.len(), places: gates.into_iter().map(at_gate).collect() })
    }
}

fn read_task(row: &Row<'_>) -> rusqlite::Result<Task> {
    let flags: i64 = row.get(10)?;
    Ok(Task {
        run_key: row.get(0)?,
        lane_key: row.get(1)?,
        state: row.get(2)?,
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
        lease_until_ms: row.get::<_, Option<i64>>(12)?.unwrap_or(0),
        lease_ms: row.get::<_, Option<u32>>(13)?.unwrap_or(0),
        claimed_at_ms: row.get::<_, Option<i64>>(14)?.unwrap_or(0),
        worker: row.get(15)?,
        token: row.get::<_, Option<i64>>(17)?.unwrap_or(0),
        version: row.get(18)?,
    })
}

fn at_gate(lane_key: LaneKey, gate: Option<String>) -> Option<GatePlace> {
    gate.map(|gate| GatePlace { lane_key, gate })
}

#[cfg(test)]
mod tests {
    /// The claim of the conformance suite knows today's writes; this finds those of tomorrow.
    #[test]
    fn no_statement_writes_a_task_without_counting_its_version() {
        let writes = |sql: &&str| sql.contains("UPDATE sw_workflow_tasks");
        let statements: Vec<_> = super::super::statements().into_iter().filter(writes).collect();
        assert!(statements.len() > 10, "{statements:?}");
        for sql in statements {
            assert!(sql.contains("version = version + 1"), "{sql}");
        }
    }
}
