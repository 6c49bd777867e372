//! What a claim reads and writes: heads of lanes, what is due, owners and their leases.

use super::errors;
use super::known::Held;
use super::pq::Answer;
use super::queue::{QUEUE, read_limits};
use super::task::read_task;
use super::tx::Tx;
use super::value::{Column, Many, Param, Row};
use crate::domain::port::{
    ClaimPort, ClaimedRun, Head, LaneFilter, LaneKey, Lost, NewLease, Owner, OwnerId, OwnerKey,
    QueueLimits, RunKey, Share, Standing, Taken, Task, Woken,
};
use crate::error::{Error, Result};

// Each of the moments is the head of an index.
pub(super) const STANDING: &str = "
SELECT
    (SELECT min(wake_at_ms) FROM $schema.sw_workflow_tasks WHERE wake_at_ms IS NOT NULL),
    (SELECT min(deadline_at_ms) FROM $schema.sw_workflow_tasks WHERE deadline_at_ms IS NOT NULL),
    (SELECT min(next_at_ms) FROM $schema.sw_workflow_schedules WHERE next_at_ms IS NOT NULL),
    (SELECT min(wake_at_ms) FROM $schema.sw_budget_balances WHERE wake_at_ms IS NOT NULL),
    s.retention_next_ms,
    (SELECT min(lease_until_ms) FROM $schema.sw_workflow_tasks WHERE owner_key IS NOT NULL),
    EXISTS (SELECT 1 FROM $schema.sw_workflow_cascades),
    q.concurrency, q.concurrency_per_key, q.paused, q.running, (
        SELECT string_agg(o.owner_key || ':' || encode(o.owner_id, 'hex'), ',' ORDER BY o.owner_key)
        FROM (
            SELECT owner_key, owner_id
            FROM $schema.sw_workflow_owners
            ORDER BY owner_key
            LIMIT 10000
        ) AS o
    )
FROM $schema.sw_store AS s
LEFT JOIN $schema.sw_workflow_queues AS q ON q.queue = $1
WHERE s.one = 1";

// Of each lane that matches the first ready run, and of those the first of all.
const READY: &str = "
SELECT h.task_key
FROM $schema.sw_workflow_lanes AS l
CROSS JOIN LATERAL (
    SELECT t.priority, t.due_at_ms, t.task_key
    FROM $schema.sw_workflow_tasks AS t
    WHERE t.lane_key = l.lane_key AND t.state = 1
    ORDER BY t.priority, t.due_at_ms, t.task_key
    LIMIT 1
) AS h
WHERE l.queue = $1 AND l.owner_key IN (0, $2)
    AND ($3::text[] IS NULL OR l.workflow = ANY ($3::text[]))
    AND ($4::text[] IS NULL OR l.code_version = '' OR l.code_version = ANY ($4::text[]))
ORDER BY h.priority, h.due_at_ms, h.task_key
LIMIT 1";

// The same, given to a claimer: as many as have room together, and none behind one at a gate.
const HEADS: &str = "
WITH ready AS MATERIALIZED (
    SELECT h.task_key, h.gate, row_number() OVER (ORDER BY h.priority, h.due_at_ms, h.task_key) AS place
    FROM $schema.sw_workflow_lanes AS l
    CROSS JOIN LATERAL (
        SELECT t.priority, t.due_at_ms, t.task_key, t.gate
        FROM $schema.sw_workflow_tasks AS t
        WHERE t.lane_key = l.lane_key AND t.state = 1
        ORDER BY t.priority, t.due_at_ms, t.task_key
        LIMIT $5
    ) AS h
    WHERE l.queue = $1 AND l.owner_key IN (0, $2)
        AND ($3::text[] IS NULL OR l.workflow = ANY ($3::text[]))
        AND ($4::text[] IS NULL OR l.code_version = '' OR l.code_version = ANY ($4::text[]))
    ORDER BY h.priority, h.due_at_ms, h.task_key
    LIMIT $5
), share AS MATERIALIZED (
    SELECT y.task_key, y.place, count(y.gate) OVER before AS gates,
        coalesce(sum(octet_length(coalesce(r.args, 'null'))) OVER before, 0) AS bytes
    FROM ready AS y
    LEFT JOIN $schema.sw_workflow_runs AS r ON r.run_key = y.task_key
    WINDOW before AS (ORDER BY y.place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
), taken AS (
    UPDATE $schema.sw_workflow_tasks AS t
    SET version = version + 1,
        state = 2, fence = fence + 1, owner_key = $7, lease_until_ms = $8, lease_ms = $9,
        claimed_at_ms = $10, worker = $11, token = $12
    FROM share AS s
    WHERE t.task_key = s.task_key AND s.gates = 0 AND s.bytes < $6 AND t.state = 1
    RETURNING s.place, t.task_key, t.lane_key, t.state, t.priority, t.due_at_ms, t.wake_at_ms,
        t.deadline_at_ms, t.fence, t.failures, t.losses, t.flags, t.owner_key, t.lease_until_ms,
        t.lease_ms, t.claimed_at_ms, t.worker, t.gate, t.token, t.version
)
SELECT k.task_key, k.lane_key, k.state, k.priority, k.due_at_ms, k.wake_at_ms, k.deadline_at_ms,
    k.fence, k.failures, k.losses, k.flags, k.owner_key, k.lease_until_ms, k.lease_ms,
    k.claimed_at_ms, k.worker, k.gate, k.token, k.version, EXISTS (
        SELECT 1 FROM $schema.sw_workflow_queues AS q WHERE q.queue = $1
    ), r.run_id, o.run_id, p.run_id, l.workflow, nullif(l.code_version, ''),
    coalesce(r.args, 'null'), r.metadata,
    EXISTS (SELECT 1 FROM $schema.sw_workflow_steps AS s WHERE s.run_key = k.task_key),
    n.claimed_at_ms
FROM taken AS k
LEFT JOIN $schema.sw_workflow_lanes AS n ON n.lane_key = k.lane_key
LEFT JOIN $schema.sw_workflow_runs AS r ON r.run_key = k.task_key
LEFT JOIN $schema.sw_workflow_lanes AS l ON l.lane_key = r.lane_key
LEFT JOIN $schema.sw_workflow_runs AS o ON o.run_key = coalesce(r.root_key, r.run_key)
LEFT JOIN $schema.sw_workflow_runs AS p ON p.run_key = r.parent_key
ORDER BY k.place";

const OVERDUE: &str = "
SELECT task_key
FROM $schema.sw_workflow_tasks
WHERE deadline_at_ms <= $1
ORDER BY deadline_at_ms, task_key
LIMIT $2";

const LOST: &str = "
SELECT task_key, owner_key
FROM $schema.sw_workflow_tasks
WHERE owner_key IS NOT NULL
    AND (lease_until_ms <= $1 OR owner_key = ANY ($2::bigint[]))
ORDER BY owner_key, lease_until_ms, task_key
LIMIT $3";

const OWNER: &str = "
SELECT owner_key
FROM $schema.sw_workflow_owners
WHERE owner_id = $1";

const OWNER_INSERT: &str = "
INSERT INTO $schema.sw_workflow_owners (owner_key, owner_id, opened_at_ms)
VALUES ($1, $2, $3)";

const OWNER_DELETE: &str = "
DELETE FROM $schema.sw_workflow_owners
WHERE owner_key = $1";

const LANES_OF: &str = "
SELECT lane_key
FROM $schema.sw_workflow_lanes
WHERE owner_key = $1 AND owner_key <> 0
ORDER BY lane_key
LIMIT $2";

// What was claimed from a lane that goes was claimed from its queue all the same.
const LANE_OPEN_TO_ALL: &str = "
UPDATE $schema.sw_workflow_lanes AS o
SET claimed_at_ms = greatest(o.claimed_at_ms, l.claimed_at_ms)
FROM $schema.sw_workflow_lanes AS l
WHERE l.lane_key = $1
    AND o.queue = l.queue AND o.workflow = l.workflow AND o.code_version = l.code_version
    AND o.owner_key = 0
RETURNING o.lane_key";

const LANE_DELETE: &str = "
DELETE FROM $schema.sw_workflow_lanes
WHERE lane_key = $1 AND owner_key <> 0";

// A run of one owner stands in another lane than it names.
const CLAIMED_RUN: &str = "
SELECT r.run_id, t.run_id, p.run_id, l.workflow, nullif(l.code_version, ''),
    coalesce(r.args, 'null'), r.metadata,
    EXISTS (SELECT 1 FROM $schema.sw_workflow_steps AS s WHERE s.run_key = r.run_key),
    (SELECT o.claimed_at_ms FROM $schema.sw_workflow_lanes AS o WHERE o.lane_key = $2)
FROM $schema.sw_workflow_runs AS r
JOIN $schema.sw_workflow_lanes AS l ON l.lane_key = r.lane_key
LEFT JOIN $schema.sw_workflow_runs AS t ON t.run_key = coalesce(r.root_key, r.run_key)
LEFT JOIN $schema.sw_workflow_runs AS p ON p.run_key = r.parent_key
WHERE r.run_key = $1";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[
    STANDING,
    READY,
    HEADS,
    OVERDUE,
    LOST,
    OWNER,
    OWNER_INSERT,
    OWNER_DELETE,
    LANES_OF,
    LANE_OPEN_TO_ALL,
    LANE_DELETE,
    CLAIMED_RUN,
];

impl ClaimPort for Tx<'_> {
    fn standing(&mut self, queue: &str) -> Result<Standing> {
        if let Some((_, standing)) = self.known.standing.take_if(|(of, _)| of == queue) {
            return Ok(standing);
        }
        let standing = self.row_opt(STANDING, &[&queue], read_standing)?;
        standing.ok_or_else(|| Error::Corrupt("sw_store has no row".into()))
    }

    fn claim_heads(
        &mut self,
        filter: &LaneFilter,
        lease: &NewLease,
        share: Share,
    ) -> Result<Vec<Head>> {
        let LaneFilter { queue, owner_key, workflows, code_versions } = filter;
        let workflows = workflows.as_deref().map(Many);
        let versions = code_versions.as_deref().map(Many);
        let NewLease { lease_until_ms, lease_ms, claimed_at_ms, worker, token, .. } = lease;
        let asked: [&dyn Param; 12] = [
            queue,
            owner_key,
            &workflows,
            &versions,
            &share.runs,
            &share.bytes,
            &lease.owner_key,
            lease_until_ms,
            lease_ms,
            claimed_at_ms,
            worker,
            token,
        ];
        let heads = self.rows(HEADS, &asked, read_head)?;
        let heads = heads.into_iter().map(|(head, held)| {
            self.known.tasks.insert(head.run_key, held);
            head
        });
        Ok(heads.collect())
    }

    fn ready_head(&mut self, filter: &LaneFilter) -> Result<Option<RunKey>> {
        let LaneFilter { queue, owner_key, workflows, code_versions } = filter;
        let workflows = workflows.as_deref().map(Many);
        let versions = code_versions.as_deref().map(Many);
        let asked: [&dyn Param; 4] = [queue, owner_key, &workflows, &versions];
        self.row_opt(READY, &asked, |row| row.get(0))
    }

    fn ready_and_limits(
        &mut self,
        filter: &LaneFilter,
    ) -> Result<(bool, Option<(QueueLimits, u32)>)> {
        let (is_ready, answer) = self.ready_and(filter, QUEUE)?;
        let limits = || -> Result<_> {
            let row = Row::new(&answer, 0);
            Ok((read_limits(row, 0)?, row.get(3)?))
        };
        Ok((is_ready, (answer.rows() > 0).then(limits).transpose()?))
    }

    fn ready_and_standing(&mut self, filter: &LaneFilter) -> Result<(bool, Standing)> {
        let (is_ready, answer) = self.ready_and(filter, STANDING)?;
        if answer.rows() == 0 {
            return Err(Error::Corrupt("sw_store has no row".into()));
        }
        Ok((is_ready, read_standing(Row::new(&answer, 0))?))
    }

    fn claim_one(&mut self, run_key: RunKey, lease: &NewLease) -> Result<Head> {
        let taken = self.task_claim(run_key, lease)?;
        let run = self.claimed_run(run_key, taken.lane_key)?;
        Ok(Head { run_key, taken, run })
    }

    fn wake_due(&mut self, now_ms: i64, limit: u32) -> Result<Woken> {
        self.tasks_wake_due(now_ms, limit)
    }

    fn overdue(&mut self, now_ms: i64, limit: u32) -> Result<Vec<RunKey>> {
        self.rows(OVERDUE, &[&now_ms, &limit], |row| row.get(0))
    }

    fn lost(&mut self, now_lease_ms: i64, dead: &[OwnerKey], limit: u32) -> Result<Vec<Lost>> {
        self.rows(LOST, &[&now_lease_ms, &Many(dead), &limit], |row| {
            Ok(Lost { run_key: row.get(0)?, owner_key: row.get(1)? })
        })
    }

    fn owner_make(&mut self, owner: &Owner, opened_at_ms: i64) -> Result<OwnerKey> {
        let owner_id = owner.id.to_bytes();
        if let Some(owner_key) = self.row_opt(OWNER, &[&owner_id], |row| row.get(0))? {
            return Ok(owner_key);
        }
        let owner_key = self.new_key();
        self.put(OWNER_INSERT, &[&owner_key, &owner_id, &opened_at_ms])?;
        Ok(owner_key)
    }

    fn owner_delete(&mut self, owner_key: OwnerKey) -> Result<()> {
        self.put(OWNER_DELETE, &[&owner_key])
    }

    fn lanes_of(&mut self, owner_key: OwnerKey, limit: u32) -> Result<Vec<LaneKey>> {
        self.rows(LANES_OF, &[&owner_key, &limit], |row| row.get(0))
    }

    fn lane_open_to_all(&mut self, lane_key: LaneKey) -> Result<Option<LaneKey>> {
        self.row_opt(LANE_OPEN_TO_ALL, &[&lane_key], |row| row.get(0))
    }

    fn lane_delete(&mut self, lane_key: LaneKey) -> Result<()> {
        match self.exec(LANE_DELETE, &[&lane_key])? {
            0 => Err(Error::Corrupt(format!("lane {lane_key} is listed and not there").into())),
            _ => Ok(()),
        }
    }
}

impl Tx<'_> {
    /// Asks whether a run is ready in the lanes that match, and this of their queue.
    fn ready_and(&mut self, filter: &LaneFilter, of_queue: &str) -> Result<(bool, Answer)> {
        let LaneFilter { queue, owner_key, workflows, code_versions } = filter;
        let workflows = workflows.as_deref().map(Many);
        let versions = code_versions.as_deref().map(Many);
        let ready: [&dyn Param; 4] = [queue, owner_key, &workflows, &versions];
        let mut answers = self.ask_all(&[(READY, &ready), (of_queue, &[queue])])?;
        match (answers.pop(), answers.pop()) {
            (Some(answer), Some(ready)) => Ok((ready.rows() > 0, answer)),
            _ => Err(Error::internal("a question has no answer")),
        }
    }

    fn claimed_run(&mut self, run_key: RunKey, lane_key: LaneKey) -> Result<ClaimedRun> {
        let run = self.row_opt(CLAIMED_RUN, &[&run_key, &lane_key], |row| read_run(row, 0))?;
        run.ok_or_else(|| Error::Corrupt(format!("task {run_key} has no run").into()))
    }
}

/// Reads a run that was claimed, and what its attempt holds.
fn read_head(row: Row<'_>) -> Result<(Head, Held)> {
    let task = read_task(row)?;
    let Task { run_key, fence: number, due_at_ms, lane_key, .. } = task;
    if row.text(20)?.is_none() {
        return Err(Error::Corrupt(format!("task {run_key} has no run").into()));
    }
    let taken = Taken { number, due_at_ms, lane_key, gate: task.gate.clone() };
    let (is_limited, run): (bool, _) = (row.get(19)?, read_run(row, 20)?);
    let ends_alone = !is_limited && run.parent_run_id.is_none();
    Ok((Head { run_key, taken, run }, Held { task, ends_alone }))
}

/// Reads what a claimer is told of a run, from this column on.
fn read_run(row: Row<'_>, first: usize) -> Result<ClaimedRun> {
    Ok(ClaimedRun {
        run_id: row.get(first)?,
        root_run_id: row.get(first + 1)?,
        parent_run_id: row.maybe(first + 2)?,
        workflow: row.get(first + 3)?,
        code_version: row.maybe(first + 4)?,
        args: row.get(first + 5)?,
        metadata: row.maybe(first + 6)?,
        has_history: row.get(first + 7)?,
        lane_claimed_at_ms: row.maybe(first + 8)?,
    })
}

/// Reads keys and ids of owners, as one text.
fn read_owners(text: &str) -> Result<Vec<Owner>> {
    let owner = |part: &str| {
        let (key, id) = part.split_once(':')?;
        let id = <[u8; 32]>::read(&format!("\\x{id}"))?;
        Some(Owner { owner_key: key.parse().ok()?, id: OwnerId::from_bytes(id) })
    };
    let owners: Option<_> = text.split(',').filter(|part| !part.is_empty()).map(owner).collect();
    owners.ok_or_else(|| errors::unreadable("an owner that is none"))
}

/// Reads how a queue stands, as [`STANDING`] answers.
pub(super) fn read_standing(row: Row<'_>) -> Result<Standing> {
    Ok(Standing {
        next_wake_at_ms: row.maybe(0)?,
        next_deadline_at_ms: row.maybe(1)?,
        next_schedule_at_ms: row.maybe(2)?,
        next_room_at_ms: row.maybe(3)?,
        next_retention_at_ms: row.maybe(4)?,
        next_lapse_ms: row.maybe(5)?,
        has_cascades: row.get(6)?,
        owners: read_owners(row.text(11)?.unwrap_or_default())?,
        limits: match row.maybe(10)? {
            Some(running) => Some((read_limits(row, 7)?, running)),
            None => None,
        },
    })
}

/// Reads key and id of an owner.
pub(super) fn read_owner(row: Row<'_>) -> Result<Owner> {
    Ok(Owner { owner_key: row.get(0)?, id: OwnerId::from_bytes(row.get(1)?) })
}
