//! What a claim reads and writes: heads of lanes, what is due, owners and their leases.

use rusqlite::named_params;

use super::run::read_id;
use super::tx::Tx;
use crate::domain::port::{
    ClaimPort, ClaimedRun, LaneFilter, LaneKey, NewLease, Owner, OwnerKey, RunKey,
};
use crate::error::{Error, Result};

// One probe of the ready index per lane of the queue, whatever the number of ready tasks. Filters
// come as JSON arrays, so that one statement serves them all.
const READY_HEAD: &str = "
SELECT t.task_key
FROM sw_workflow_lanes AS l INDEXED BY lanes_live
JOIN sw_workflow_tasks AS t ON t.task_key = (
    SELECT h.task_key
    FROM sw_workflow_tasks AS h
    WHERE h.lane_key = l.lane_key AND h.state = 1
    ORDER BY h.priority, h.due_at_ms, h.task_key
    LIMIT 1
)
WHERE l.queue = :queue AND l.owner_key >= 0 AND l.owner_key IN (0, :owner_key)
    AND (:workflows IS NULL OR l.workflow IN (SELECT value FROM json_each(:workflows)))
    AND (:versions IS NULL OR l.code_version = ''
        OR l.code_version IN (SELECT value FROM json_each(:versions)))
ORDER BY t.priority, t.due_at_ms, t.task_key
LIMIT 1";

const NEXT_WAKE: &str = "
SELECT wake_at_ms
FROM sw_workflow_tasks
WHERE wake_at_ms IS NOT NULL
ORDER BY wake_at_ms, task_key
LIMIT 1";

const NEXT_DEADLINE: &str = "
SELECT deadline_at_ms
FROM sw_workflow_tasks
WHERE deadline_at_ms IS NOT NULL
ORDER BY deadline_at_ms, task_key
LIMIT 1";

const WOKEN: &str = "
SELECT task_key, wake_at_ms
FROM sw_workflow_tasks
WHERE wake_at_ms <= ?1
ORDER BY wake_at_ms, task_key
LIMIT ?2";

const OVERDUE: &str = "
SELECT task_key
FROM sw_workflow_tasks
WHERE deadline_at_ms <= ?1
ORDER BY deadline_at_ms, task_key
LIMIT ?2";

const TASK_WAKE: &str = "
UPDATE sw_workflow_tasks
SET state = 1, due_at_ms = max(due_at_ms, ?2), wake_at_ms = NULL, waits_left = 0
WHERE task_key = ?1 AND state IN (0, 3)";

const WAITS_DROP: &str = "
DELETE FROM sw_workflow_waits
WHERE task_key = ?1";

const OWNERS: &str = "
SELECT owner_key, mark, boot, pid
FROM sw_workflow_owners
ORDER BY owner_key
LIMIT 10000";

const FIRST_LEASE_END: &str = "
SELECT lease_until_up_ms
FROM sw_workflow_tasks
WHERE owner_key = ?1
ORDER BY lease_until_up_ms, task_key
LIMIT 1";

const LEASED: &str = "
SELECT task_key
FROM sw_workflow_tasks
WHERE owner_key = ?1 AND lease_until_up_ms <= ?2
ORDER BY lease_until_up_ms, task_key
LIMIT ?3";

const OWNER_INSERT: &str = "
INSERT INTO sw_workflow_owners (mark, boot, pid, opened_at_ms)
VALUES (?1, ?2, ?3, ?4)";

const OWNER_DELETE: &str = "
DELETE FROM sw_workflow_owners
WHERE owner_key = ?1";

const LANES_OF: &str = "
SELECT lane_key
FROM sw_workflow_lanes
WHERE owner_key = ?1 AND owner_key > 0
ORDER BY lane_key
LIMIT ?2";

const LANE_OPEN_TO_ALL: &str = "
INSERT INTO sw_workflow_lanes (queue, workflow, code_version, owner_key)
SELECT queue, workflow, code_version, 0
FROM sw_workflow_lanes
WHERE lane_key = ?1
ON CONFLICT (queue, workflow, code_version, owner_key) DO UPDATE
SET owner_key = 0
RETURNING lane_key";

const TASKS_MOVE: &str = "
UPDATE sw_workflow_tasks
SET lane_key = ?2, flags = flags & ~8
WHERE task_key IN (
    SELECT task_key
    FROM sw_workflow_tasks
    WHERE lane_key = ?1 AND flags >= 8
    ORDER BY task_key
    LIMIT ?3
)";

const LANE_RETIRE: &str = "
UPDATE sw_workflow_lanes
SET owner_key = -owner_key
WHERE lane_key = ?1 AND owner_key > 0";

const TASK_CLAIM: &str = "
UPDATE sw_workflow_tasks
SET state = 2, fence = fence + 1, owner_key = ?2, lease_until_up_ms = ?3, lease_ms = ?4,
    claimed_at_ms = ?5, worker = ?6
WHERE task_key = ?1 AND state = 1
RETURNING fence, due_at_ms";

const CLAIMED_RUN: &str = "
SELECT r.run_id, t.run_id, p.run_id, l.workflow, nullif(l.code_version, ''),
    coalesce(b.body, r.args, 'null'), r.metadata,
    EXISTS (SELECT 1 FROM sw_workflow_steps AS s WHERE s.run_key = r.run_key)
FROM sw_workflow_runs AS r
JOIN sw_workflow_lanes AS l ON l.lane_key = r.lane_key
LEFT JOIN sw_workflow_runs AS t ON t.run_key = coalesce(r.root_key, r.run_key)
LEFT JOIN sw_workflow_runs AS p ON p.run_key = r.parent_key
LEFT JOIN sw_payloads AS b ON b.payload_key = r.args_key
WHERE r.run_key = ?1";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[
    READY_HEAD,
    NEXT_WAKE,
    NEXT_DEADLINE,
    WOKEN,
    OVERDUE,
    TASK_WAKE,
    WAITS_DROP,
    OWNERS,
    FIRST_LEASE_END,
    LEASED,
    OWNER_INSERT,
    OWNER_DELETE,
    LANES_OF,
    LANE_OPEN_TO_ALL,
    TASKS_MOVE,
    LANE_RETIRE,
    TASK_CLAIM,
    CLAIMED_RUN,
];

impl ClaimPort for Tx<'_> {
    fn ready_head(&mut self, filter: &LaneFilter) -> Result<Option<RunKey>> {
        self.one(
            READY_HEAD,
            named_params! {
                ":queue": filter.queue,
                ":owner_key": filter.owner_key,
                ":workflows": names_json(filter.workflows.as_deref()),
                ":versions": names_json(filter.code_versions.as_deref()),
            },
            |row| row.get(0),
        )
    }

    fn next_wake_at_ms(&mut self) -> Result<Option<i64>> {
        self.one(NEXT_WAKE, [], |row| row.get(0))
    }

    fn next_deadline_at_ms(&mut self) -> Result<Option<i64>> {
        self.one(NEXT_DEADLINE, [], |row| row.get(0))
    }

    fn woken(&mut self, now_ms: i64, limit: u32) -> Result<Vec<(RunKey, i64)>> {
        self.all(WOKEN, (now_ms, limit), |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn overdue(&mut self, now_ms: i64, limit: u32) -> Result<Vec<RunKey>> {
        self.all(OVERDUE, (now_ms, limit), |row| row.get(0))
    }

    fn task_wake(&mut self, run_key: RunKey, due_at_ms: i64) -> Result<()> {
        self.execute(TASK_WAKE, (run_key, due_at_ms))?;
        self.execute(WAITS_DROP, [run_key]).map(|_| ())
    }

    fn owners(&mut self) -> Result<Vec<Owner>> {
        self.all(OWNERS, [], |row| {
            Ok(Owner {
                owner_key: row.get(0)?,
                mark: row.get::<_, i64>(1)?.cast_unsigned(),
                boot: row.get(2)?,
                pid: row.get(3)?,
            })
        })
    }

    fn first_lease_end(&mut self, owner_key: OwnerKey) -> Result<Option<i64>> {
        self.one(FIRST_LEASE_END, [owner_key], |row| row.get(0))
    }

    fn leased(&mut self, owner_key: OwnerKey, until_up_ms: i64, limit: u32) -> Result<Vec<RunKey>> {
        self.all(LEASED, (owner_key, until_up_ms, limit), |row| row.get(0))
    }

    fn owner_insert(&mut self, owner: &Owner, opened_at_ms: i64) -> Result<OwnerKey> {
        let mark = owner.mark.cast_signed();
        self.insert(OWNER_INSERT, (mark, owner.boot, owner.pid, opened_at_ms))
    }

    fn owner_delete(&mut self, owner_key: OwnerKey) -> Result<()> {
        self.execute(OWNER_DELETE, [owner_key]).map(|_| ())
    }

    fn lanes_of(&mut self, owner_key: OwnerKey, limit: u32) -> Result<Vec<LaneKey>> {
        self.all(LANES_OF, (owner_key, limit), |row| row.get(0))
    }

    fn lane_open_to_all(&mut self, lane_key: LaneKey) -> Result<LaneKey> {
        self.one(LANE_OPEN_TO_ALL, [lane_key], |row| row.get(0))?
            .ok_or_else(|| Error::Corrupt(format!("lane {lane_key} is named, not stored").into()))
    }

    fn tasks_move(&mut self, from: LaneKey, to: LaneKey, limit: u32) -> Result<u32> {
        let moved = self.execute(TASKS_MOVE, (from, to, limit))?;
        Ok(u32::try_from(moved).unwrap_or(u32::MAX))
    }

    fn lane_retire(&mut self, lane_key: LaneKey) -> Result<()> {
        self.execute(LANE_RETIRE, [lane_key]).map(|_| ())
    }

    fn task_claim(&mut self, run_key: RunKey, lease: &NewLease) -> Result<(u32, i64)> {
        self.one(
            TASK_CLAIM,
            (
                run_key,
                lease.owner_key,
                lease.lease_until_up_ms,
                lease.lease_ms,
                lease.claimed_at_ms,
                &lease.worker,
            ),
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?
        .ok_or_else(|| Error::internal("a ready task was not ready"))
    }

    fn claimed_run(&mut self, run_key: RunKey) -> Result<ClaimedRun> {
        self.one(CLAIMED_RUN, [run_key], |row| {
            let parent: Option<[u8; 16]> = row.get(2)?;
            Ok(ClaimedRun {
                run_id: read_id(row, 0)?,
                root_run_id: read_id(row, 1)?,
                parent_run_id: parent.map(crate::id::Id::from_bytes),
                workflow: row.get(3)?,
                code_version: row.get(4)?,
                args: row.get(5)?,
                metadata: row.get(6)?,
                has_history: row.get(7)?,
            })
        })?
        .ok_or_else(|| Error::Corrupt(format!("task {run_key} has no run").into()))
    }
}

fn names_json(names: Option<&[String]>) -> Option<String> {
    let names = names?.iter().map(|name| crate::json::quote(name)).collect::<Vec<_>>();
    Some(format!("[{}]", names.join(",")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use rusqlite::Connection;

    use super::super::migrate;
    use super::super::tx::Tx;
    use crate::clock::Now;
    use crate::domain::claim::{Claimer, claim};
    use crate::domain::port::{LaneFilter, Owner};
    use crate::domain::queue;
    use crate::domain::run::{QUEUE_DEFAULT, Submit, submit};
    use crate::id::new_id;

    const NOW: Now = Now { wall_ms: 1_000, up_ms: 1_000 };

    /// A store with so many runs of each kind that a claim must not look at.
    fn crowded(count: u32) -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        conn.set_prepared_statement_cache_capacity(200);
        migrate::apply(&conn, None, 1).unwrap();
        let mut tx = Tx::new(&conn);
        let limits = crate::domain::port::QueueLimits {
            concurrency_per_key: Some(1),
            ..crate::domain::port::QueueLimits::default()
        };
        queue::set(&mut tx, QUEUE_DEFAULT, &limits).unwrap();
        for at in 0..count {
            for kind in 0..5 {
                let run = Submit {
                    workflow: "w".into(),
                    run_at_ms: if kind == 1 { i64::from(at) + 10_000 } else { 0 },
                    concurrency_key: (kind == 2).then(|| "closed".into()),
                    metadata: Some(format!("{{\"kind\":{kind}}}")),
                    ..Submit::default()
                };
                submit(&mut tx, &run, new_id(), 0, NOW).unwrap();
            }
        }
        conn.execute_batch(
            "BEGIN;
            UPDATE sw_workflow_tasks SET state = 5 WHERE gate IS NOT NULL;
            UPDATE sw_workflow_tasks SET state = 4 WHERE task_key IN
                (SELECT run_key FROM sw_workflow_runs WHERE metadata = '{\"kind\":3}');
            DELETE FROM sw_workflow_tasks WHERE task_key IN
                (SELECT run_key FROM sw_workflow_runs WHERE metadata = '{\"kind\":4}');
            UPDATE sw_workflow_runs SET outcome = 1, finished_at_ms = 2, attempts = 1, tries = 0
                WHERE metadata = '{\"kind\":4}';
            INSERT INTO sw_workflow_gates (queue, gate, running) VALUES ('default', 'closed', 1);
            COMMIT",
        )
        .unwrap();
        conn
    }

    /// Returns how many instructions of SQLite's machine ten claims take, after a first one.
    fn instructions(mut conn: Connection) -> u64 {
        let claimer = Claimer {
            owner: Owner { owner_key: 0, mark: 1, boot: [7; 16], pid: 1 },
            lease_ms: 10_000,
            worker: None,
            filter: LaneFilter { queue: QUEUE_DEFAULT.into(), ..LaneFilter::default() },
            dead: Vec::new(),
            seed: new_id(),
        };
        let take = |conn: &Connection| {
            let picked = claim(&mut Tx::new(conn), &claimer, 1, NOW).unwrap();
            assert_eq!(picked.runs.len(), 1);
        };
        take(&conn);
        let seen = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&seen);
        conn.progress_handler(
            1,
            Some(move || {
                counter.fetch_add(1, Ordering::Relaxed);
                false
            }),
        )
        .unwrap();
        (0..10).for_each(|_| take(&conn));
        seen.load(Ordering::Relaxed)
    }

    /// P14. Counted, not timed: what a claim does is the same, whatever lies about.
    #[test]
    fn a_claim_does_no_more_however_many_runs_are_pending_or_not_to_be_claimed() {
        let (few, many) = (instructions(crowded(20)), instructions(crowded(2_000)));
        assert!(many <= few + few / 10, "{few} instructions among few runs, {many} among many");
    }
}
