//! The hot rows of open runs: all that is ever written to `sw_workflow_tasks`. States and flags are those
//! that SQLite's `task.rs` tells of.

use std::collections::BTreeSet;

use super::known::{Ending, Held, Trust};
use super::records::Guard;
use super::tx::Tx;
use super::value::{Many, Param, Row};
use crate::domain::port::{
    Fence, GatePlace, Hold, LaneKey, NewLease, RunKey, Taken, Task, TaskPort, TaskState, Woken,
    WokenFor,
};
use crate::error::{Error, Result};
use crate::storage::stored::{
    FLAG_CANCEL_ASKED, FLAG_LOCAL, FLAG_PAUSE_ASKED, FLAG_TIMED_OUT, FLAG_WOKEN_FOR_ROOM,
    KIND_CHILD,
};

pub(super) const TASK: &str = "
SELECT task_key, lane_key, state, priority, due_at_ms, wake_at_ms, deadline_at_ms, fence, failures,
    losses, flags, owner_key, lease_until_ms, lease_ms, claimed_at_ms, worker, gate, token, version
FROM $schema.sw_workflow_tasks
WHERE task_key = $1";

const TASKS: &str = "
SELECT task_key, lane_key, state, priority, due_at_ms, wake_at_ms, deadline_at_ms, fence, failures,
    losses, flags, owner_key, lease_until_ms, lease_ms, claimed_at_ms, worker, gate, token, version
FROM $schema.sw_workflow_tasks
WHERE task_key = ANY ($1::bigint[])";

/// What the end of an attempt looks at.
pub(super) const ENDING: &str = "
SELECT task_key, lane_key, state, priority, due_at_ms, wake_at_ms, deadline_at_ms, fence, failures,
    losses, flags, owner_key, lease_until_ms, lease_ms, claimed_at_ms, worker, gate, token, version,
    EXISTS (
        SELECT 1
        FROM $schema.sw_budget_reservations AS b
        WHERE b.run_key = t.task_key AND b.state = 0
    ),
    EXISTS (
        SELECT 1
        FROM $schema.sw_workflow_lanes AS l
        JOIN $schema.sw_workflow_queues AS q ON q.queue = l.queue
        WHERE l.lane_key = t.lane_key
    ),
    EXISTS (
        SELECT 1
        FROM $schema.sw_workflow_waits AS w
        WHERE w.kind = $2 AND w.target_key = t.task_key AND w.name = ''
    )
FROM $schema.sw_workflow_tasks AS t
WHERE t.task_key = $1";

// The look at the fence that each hot write begins with (P10).
const HOLD: &str = "
SELECT flags, deadline_at_ms, losses, lease_until_ms, lease_ms, version
FROM $schema.sw_workflow_tasks
WHERE task_key = $1 AND fence = $2 AND token = $3 AND state = 2";

// The same for what is known: every write of a task makes its version another.
const HOLD_GUARD: &str = "
SELECT 1 / count(*)
FROM $schema.sw_workflow_tasks
WHERE task_key = $1 AND fence = $2 AND token = $3 AND state = 2 AND version = $4";

// And that the end of its run is nobody's affair.
const END_GUARD: &str = "
SELECT 1 / count(*)
FROM $schema.sw_workflow_tasks AS t
WHERE t.task_key = $1 AND t.fence = $2 AND t.token = $3 AND t.state = 2 AND t.version = $4
    AND NOT EXISTS (
        SELECT 1
        FROM $schema.sw_budget_reservations AS b
        WHERE b.run_key = t.task_key AND b.state = 0
    )
    AND NOT EXISTS (
        SELECT 1
        FROM $schema.sw_workflow_lanes AS l
        JOIN $schema.sw_workflow_queues AS q ON q.queue = l.queue
        WHERE l.lane_key = t.lane_key
    )
    AND NOT EXISTS (
        SELECT 1
        FROM $schema.sw_workflow_waits AS w
        WHERE w.kind = $5 AND w.target_key = t.task_key AND w.name = ''
    )";

const TASK_INSERT: &str = "
INSERT INTO $schema.sw_workflow_tasks (
    task_key, lane_key, state, priority, due_at_ms, wake_at_ms, deadline_at_ms, fence, failures,
    losses, flags, waits_left, gate
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, $9, 0, $10)";

const TASK_REWRITE: &str = "
UPDATE $schema.sw_workflow_tasks
SET version = version + 1,
    failures = $2, losses = $3, flags = $4, waits_left = $5, claimed_at_ms = $6, worker = $7
WHERE task_key = $1";

const TASK_CLAIM: &str = "
UPDATE $schema.sw_workflow_tasks
SET version = version + 1,
    state = 2, fence = fence + 1, owner_key = $2, lease_until_ms = $3, lease_ms = $4,
    claimed_at_ms = $5, worker = $6, token = $7
WHERE task_key = $1 AND state = 1
RETURNING fence, due_at_ms, lane_key, gate";

const LEASE_SET: &str = "
UPDATE $schema.sw_workflow_tasks
SET version = version + 1, lease_until_ms = $2, lease_ms = $3, losses = $4
WHERE task_key = $1";

const TASK_YIELD: &str = "
UPDATE $schema.sw_workflow_tasks
SET version = version + 1,
    state = $2, due_at_ms = $3, wake_at_ms = $4, failures = $5, losses = $6, flags = flags & ~20,
    owner_key = NULL,
    lease_until_ms = NULL, lease_ms = NULL, claimed_at_ms = NULL, worker = NULL
WHERE task_key = $1";

const TASK_PARK: &str = "
UPDATE $schema.sw_workflow_tasks
SET version = version + 1,
    state = 3, wake_at_ms = $2, waits_left = $3, due_at_ms = greatest(due_at_ms, $4::bigint),
    flags = flags & ~16,
    owner_key = NULL, lease_until_ms = NULL, lease_ms = NULL, claimed_at_ms = NULL, worker = NULL
WHERE task_key = $1";

const TASK_WAKE: &str = "
UPDATE $schema.sw_workflow_tasks
SET version = version + 1,
    state = 1, due_at_ms = greatest(due_at_ms, $2::bigint), wake_at_ms = NULL, waits_left = 0,
    flags = flags | $3::bigint
WHERE task_key = $1 AND state IN (0, 3)
RETURNING lane_key, gate";

const TASKS_WAKE_DUE: &str = "
UPDATE $schema.sw_workflow_tasks
SET version = version + 1,
    state = 1, due_at_ms = greatest(due_at_ms, wake_at_ms), wake_at_ms = NULL, waits_left = 0
WHERE state IN (0, 3) AND task_key IN (
    SELECT task_key
    FROM $schema.sw_workflow_tasks
    WHERE wake_at_ms <= $1
    ORDER BY wake_at_ms, task_key
    LIMIT $2
)
RETURNING lane_key, gate";

const WAITS_DROP_DUE: &str = "
DELETE FROM $schema.sw_workflow_waits
WHERE task_key IN (
    SELECT task_key
    FROM $schema.sw_workflow_tasks
    WHERE wake_at_ms <= $1
    ORDER BY wake_at_ms, task_key
    LIMIT $2
)";

const TASK_SET_ASIDE: &str = "
UPDATE $schema.sw_workflow_tasks
SET version = version + 1, state = $2, due_at_ms = $3, wake_at_ms = $4, waits_left = 0
WHERE task_key = $1";

const TASK_SET_TIMED_OUT: &str = "
UPDATE $schema.sw_workflow_tasks
SET version = version + 1, flags = flags | 2, deadline_at_ms = NULL
WHERE task_key = $1";

const TASK_FLAG_CANCEL: &str = "
UPDATE $schema.sw_workflow_tasks
SET version = version + 1, flags = flags | 1
WHERE task_key = $1";

const TASK_FLAG_PAUSE: &str = "
UPDATE $schema.sw_workflow_tasks
SET version = version + 1, flags = CASE WHEN $2::boolean THEN flags | 4 ELSE flags & ~4 END
WHERE task_key = $1";

const GATE_KEEP: &str = "
UPDATE $schema.sw_workflow_tasks
SET version = version + 1, state = 5
WHERE task_key IN (
    SELECT task_key
    FROM $schema.sw_workflow_tasks
    WHERE gate = $2 AND lane_key = $1 AND state = 1 AND gate IS NOT NULL
    ORDER BY priority, due_at_ms, task_key
    LIMIT 10000 OFFSET (
        SELECT CASE WHEN q.concurrency_per_key <= coalesce(g.running, 0) THEN 0 ELSE 1 END
        FROM $schema.sw_workflow_lanes AS l
        LEFT JOIN $schema.sw_workflow_queues AS q ON q.queue = l.queue
        LEFT JOIN $schema.sw_workflow_gates AS g ON g.queue = l.queue AND g.gate = $2
        WHERE l.lane_key = $1
    )
)";

const GATE_CLOSE: &str = "
UPDATE $schema.sw_workflow_tasks
SET version = version + 1, state = 5
WHERE gate = $2 AND lane_key = $1 AND state = 1 AND gate IS NOT NULL";

const GATE_LET_IN: &str = "
UPDATE $schema.sw_workflow_tasks
SET version = version + 1, state = 1
WHERE task_key = (
    SELECT task_key
    FROM $schema.sw_workflow_tasks
    WHERE gate = $2 AND lane_key = $1 AND state = 5
    ORDER BY priority, due_at_ms, task_key
    LIMIT 1
) AND NOT EXISTS (
    SELECT 1
    FROM $schema.sw_workflow_tasks
    WHERE gate = $2 AND lane_key = $1 AND state = 1 AND gate IS NOT NULL
)";

const TASKS_MOVE: &str = "
UPDATE $schema.sw_workflow_tasks
SET version = version + 1,
    lane_key = $2, flags = flags & ~8, state = CASE state WHEN 5 THEN 1 ELSE state END
WHERE task_key IN (
    SELECT task_key
    FROM $schema.sw_workflow_tasks
    WHERE lane_key = $1 AND (flags & 8) <> 0
    ORDER BY task_key
    LIMIT $3
)
RETURNING state, gate";

const TASK_DELETE: &str = "
DELETE FROM $schema.sw_workflow_tasks
WHERE task_key = $1";

const WAITS_DROP: &str = "
DELETE FROM $schema.sw_workflow_waits
WHERE task_key = $1";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[
    TASK,
    TASKS,
    ENDING,
    HOLD,
    HOLD_GUARD,
    END_GUARD,
    TASK_INSERT,
    TASK_REWRITE,
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
        let known = self.known.held(fence).map(|held| held.task.hold());
        let Some(hold) = known else {
            return self.row_opt(HOLD, &[&fence.run_key, &fence.number, &fence.token], |row| {
                read_hold(row, 0)
            });
        };
        self.rely(Guard { fence, version: hold.version, is_of_end: false })?;
        Ok(Some(hold))
    }

    fn tasks(&mut self, run_keys: &[RunKey]) -> Result<Vec<Task>> {
        self.rows(TASKS, &[&Many(run_keys)], read_task)
    }

    fn task(&mut self, run_key: RunKey) -> Result<Option<Task>> {
        if let Some(task) = self.known.tasks.get(&run_key).map(|held| held.task.clone()) {
            let Task { fence: number, token, version, .. } = task;
            let fence = Fence { run_key, number, token };
            self.rely(Guard { fence, version, is_of_end: true })?;
            return Ok(Some(task));
        }
        self.row_opt(TASK, &[&run_key], read_task)
    }

    fn task_insert(&mut self, task: &Task) -> Result<()> {
        let row: [&dyn Param; 10] = [
            &task.run_key,
            &task.lane_key,
            &task.state,
            &task.priority,
            &task.due_at_ms,
            &task.wake_at_ms,
            &task.deadline_at_ms,
            &task.fence,
            &flag(task.is_local, FLAG_LOCAL),
            &task.gate,
        ];
        self.put_new(TASK_INSERT, &row)
    }

    fn lease_set(
        &mut self,
        run_key: RunKey,
        until_ms: i64,
        lease_ms: u32,
        losses: u32,
    ) -> Result<()> {
        self.put_record_of(run_key)?;
        self.guard()?;
        // What is known of the task is as true as before, and this.
        self.conn.put(LEASE_SET, &[&run_key, &until_ms, &lease_ms, &losses])?;
        if let Some(Held { task, .. }) = self.known.tasks.get_mut(&run_key) {
            (task.lease_until_ms, task.lease_ms, task.losses) = (until_ms, lease_ms, losses);
            task.version += 1;
        }
        Ok(())
    }

    fn task_yield(&mut self, task: &Task) -> Result<()> {
        let Task { run_key, state, due_at_ms, wake_at_ms, failures, losses, .. } = task;
        let row: [&dyn Param; 6] = [run_key, state, due_at_ms, wake_at_ms, failures, losses];
        self.put_of(*run_key, TASK_YIELD, &row)
    }

    fn task_park(
        &mut self,
        run_key: RunKey,
        wake_at_ms: Option<i64>,
        waits_left: u32,
        now_ms: i64,
    ) -> Result<()> {
        self.put_of(run_key, TASK_PARK, &[&run_key, &wake_at_ms, &waits_left, &now_ms])
    }

    fn tasks_wake(&mut self, run_keys: &[RunKey], due_at_ms: i64, why: WokenFor) -> Result<Woken> {
        let mut woken = Woken::default();
        let woken_for = flag(why == WokenFor::Room, FLAG_WOKEN_FOR_ROOM);
        for run_key in run_keys {
            let row = self.row_opt(TASK_WAKE, &[run_key, &due_at_ms, &woken_for], read_place)?;
            self.put(WAITS_DROP, &[run_key])?;
            let Some(place) = row else { continue };
            woken.count += 1;
            let place = place.filter(|place| !woken.places.contains(place));
            woken.places.extend(place);
        }
        Ok(woken)
    }

    fn task_set_aside(&mut self, task: &Task) -> Result<()> {
        let Task { run_key, state, due_at_ms, wake_at_ms, .. } = task;
        self.put(TASK_SET_ASIDE, &[run_key, state, due_at_ms, wake_at_ms])?;
        self.put(WAITS_DROP, &[run_key])
    }

    fn task_set_timed_out(&mut self, run_key: RunKey) -> Result<()> {
        self.put(TASK_SET_TIMED_OUT, &[&run_key])
    }

    fn task_ask_cancel(&mut self, run_key: RunKey) -> Result<()> {
        self.put(TASK_FLAG_CANCEL, &[&run_key])
    }

    fn task_ask_pause(&mut self, run_key: RunKey, is_asked: bool) -> Result<()> {
        self.put(TASK_FLAG_PAUSE, &[&run_key, &is_asked])
    }

    fn gates_keep(&mut self, places: &[GatePlace]) -> Result<()> {
        for place in places {
            self.put(GATE_KEEP, &[&place.lane_key, &place.gate])?;
        }
        Ok(())
    }

    fn gate_let_in(&mut self, place: &GatePlace) -> Result<()> {
        self.put(GATE_LET_IN, &[&place.lane_key, &place.gate])
    }

    fn tasks_move(&mut self, from: LaneKey, to: LaneKey, limit: u32) -> Result<Woken> {
        let moved: Vec<(TaskState, Option<String>)> =
            self.rows(TASKS_MOVE, &[&from, &to, &limit], |row| Ok((row.get(0)?, row.maybe(1)?)))?;
        let count = moved.len();
        let ready = moved.into_iter().filter(|(state, _)| *state == TaskState::Ready);
        let gates: BTreeSet<String> = ready.filter_map(|(_, gate)| gate).collect();
        let at_gate = |gate| GatePlace { lane_key: to, gate };
        Ok(Woken { count, places: gates.into_iter().map(at_gate).collect() })
    }
}

impl Tx<'_> {
    /// Notes what is taken to be so, where that is not known but remembered.
    fn rely(&mut self, guard: Guard) -> Result<()> {
        if self.trust != Trust::Everything {
            return Ok(());
        }
        self.guard()?;
        self.unguarded = Some(guard);
        Ok(())
    }

    /// Has everything undone unless it is so.
    pub(super) fn guard(&mut self) -> Result<()> {
        let Some(Guard { fence, version, is_of_end }) = self.unguarded.take() else {
            return Ok(());
        };
        let Fence { run_key, number, token } = &fence;
        match is_of_end {
            false => self.conn.put(HOLD_GUARD, &[run_key, number, token, &version]),
            true => self.conn.put(END_GUARD, &[run_key, number, token, &version, &KIND_CHILD]),
        }
    }

    /// Holds all that are ready at a gate in a lane back.
    pub(super) fn gate_close(&mut self, place: &GatePlace) -> Result<()> {
        self.put(GATE_CLOSE, &[&place.lane_key, &place.gate])
    }

    /// Deletes the row of a run that ends, and what it waited for.
    pub(super) fn task_delete(&mut self, run_key: RunKey) -> Result<()> {
        self.put_end(run_key, TASK_DELETE, &[&run_key])?;
        self.put_end(run_key, WAITS_DROP, &[&run_key])
    }

    /// Writes what a task that comes from another store has used up, was told and waits for.
    pub(super) fn task_rewrite(&mut self, task: &Task, waits_left: u32) -> Result<()> {
        let flags = flag(task.is_cancel_asked, FLAG_CANCEL_ASKED)
            | flag(task.is_timed_out, FLAG_TIMED_OUT)
            | flag(task.is_pause_asked, FLAG_PAUSE_ASKED);
        let running = Some(task).filter(|task| task.state == TaskState::Running);
        let claimed_at_ms = running.map(|task| task.claimed_at_ms);
        let worker = running.map(|task| &task.worker);
        let row: [&dyn Param; 7] = [
            &task.run_key,
            &task.failures,
            &task.losses,
            &flags,
            &waits_left,
            &claimed_at_ms,
            &worker,
        ];
        self.put(TASK_REWRITE, &row)
    }

    /// Gives a ready task to a claimer.
    pub(super) fn task_claim(&mut self, run_key: RunKey, lease: &NewLease) -> Result<Taken> {
        let NewLease { owner_key, lease_until_ms, lease_ms, claimed_at_ms, worker, token } = lease;
        let row: [&dyn Param; 7] =
            [&run_key, owner_key, lease_until_ms, lease_ms, claimed_at_ms, worker, token];
        let taken = self.row_opt(TASK_CLAIM, &row, |row| {
            Ok(Taken {
                number: row.get(0)?,
                due_at_ms: row.get(1)?,
                lane_key: row.get(2)?,
                gate: row.maybe(3)?,
            })
        })?;
        taken.ok_or_else(|| Error::internal("a ready task was not ready"))
    }

    /// Wakes those whose time has come, all at once.
    pub(super) fn tasks_wake_due(&mut self, now_ms: i64, limit: u32) -> Result<Woken> {
        self.put(WAITS_DROP_DUE, &[&now_ms, &limit])?;
        let woken = self.rows(TASKS_WAKE_DUE, &[&now_ms, &limit], read_place)?;
        let count = woken.len();
        let places: BTreeSet<(LaneKey, String)> =
            woken.into_iter().flatten().map(|place| (place.lane_key, place.gate)).collect();
        let at_gate = |(lane_key, gate)| GatePlace { lane_key, gate };
        Ok(Woken { count, places: places.into_iter().map(at_gate).collect() })
    }
}

fn flag(is_set: bool, flag: i64) -> i64 {
    if is_set { flag } else { 0 }
}

/// Reads lane and gate.
fn read_place(row: Row<'_>) -> Result<Option<GatePlace>> {
    let lane_key = row.get(0)?;
    Ok(row.maybe(1)?.map(|gate| GatePlace { lane_key, gate }))
}

/// Reads flags, deadline, losses, lease and version, from this column on.
pub(super) fn read_hold(row: Row<'_>, first: usize) -> Result<Hold> {
    let flags: i64 = row.get(first)?;
    Ok(Hold {
        is_cancel_asked: flags & FLAG_CANCEL_ASKED != 0,
        is_timed_out: flags & FLAG_TIMED_OUT != 0,
        deadline_at_ms: row.maybe(first + 1)?,
        losses: row.get(first + 2)?,
        lease_until_ms: row.get(first + 3)?,
        lease_ms: row.get(first + 4)?,
        version: row.get(first + 5)?,
    })
}

/// Reads what an end looks at beside its task.
pub(super) fn read_ending(row: Row<'_>, task: &Task) -> Result<Ending> {
    Ok(Ending {
        lane_key: task.lane_key,
        has_reserved: row.get(19)?,
        is_limited: row.get(20)?,
        is_awaited: row.get(21)?,
    })
}

/// Reads a task, from the first column on.
pub(super) fn read_task(row: Row<'_>) -> Result<Task> {
    let flags: i64 = row.get(10)?;
    Ok(Task {
        run_key: row.get(0)?,
        lane_key: row.get(1)?,
        state: row.get(2)?,
        priority: row.get(3)?,
        due_at_ms: row.get(4)?,
        wake_at_ms: row.maybe(5)?,
        deadline_at_ms: row.maybe(6)?,
        fence: row.get(7)?,
        failures: row.get(8)?,
        losses: row.get(9)?,
        is_cancel_asked: flags & FLAG_CANCEL_ASKED != 0,
        is_timed_out: flags & FLAG_TIMED_OUT != 0,
        is_pause_asked: flags & FLAG_PAUSE_ASKED != 0,
        is_local: flags & FLAG_LOCAL != 0,
        is_woken_for_room: flags & FLAG_WOKEN_FOR_ROOM != 0,
        gate: row.maybe(16)?,
        owner_key: row.maybe(11)?,
        lease_until_ms: row.maybe(12)?.unwrap_or(0),
        lease_ms: row.maybe(13)?.unwrap_or(0),
        claimed_at_ms: row.maybe(14)?.unwrap_or(0),
        worker: row.maybe(15)?,
        token: row.maybe(17)?.unwrap_or(0),
        version: row.get(18)?,
    })
}
