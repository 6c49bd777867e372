//! What a claim reads and writes: heads of lanes, what is due, owners and their leases.

use rusqlite::Row;

use super::errors::map;
use super::owner::Mark;
use super::queue::read_limits;
use super::tx::{Tx, list};
use crate::domain::port::{
    ClaimPort, ClaimedRun, Head, LaneFilter, LaneKey, Lost, NewLease, Owner, OwnerKey, QueueLimits,
    QueuePort, RunKey, Share, Standing, Woken,
};
use crate::error::{Error, Result};
use crate::storage::heads::Heads;

// One statement, as a claim begins with it: a row for each owner, with the end of its first lease. Each of
// the moments is the head of an index, looked up once.
const STANDING: &str = "
SELECT
    (
        SELECT wake_at_ms
        FROM sw_workflow_tasks
        WHERE wake_at_ms IS NOT NULL
        ORDER BY wake_at_ms, task_key
        LIMIT 1
    ),
    (
        SELECT deadline_at_ms
        FROM sw_workflow_tasks
        WHERE deadline_at_ms IS NOT NULL
        ORDER BY deadline_at_ms, task_key
        LIMIT 1
    ),
    (
        SELECT next_at_ms
        FROM sw_workflow_schedules
        WHERE next_at_ms IS NOT NULL
        ORDER BY next_at_ms, name
        LIMIT 1
    ),
    (
        SELECT wake_at_ms
        FROM sw_budget_balances
        WHERE wake_at_ms IS NOT NULL
        ORDER BY wake_at_ms, root_key, unit
        LIMIT 1
    ),
    EXISTS (SELECT 1 FROM sw_workflow_cascades),
    q.running, q.concurrency, q.concurrency_per_key, q.paused,
    sw_workflow_owners.owner_key, mark, boot, pid, (
        SELECT t.lease_until_up_ms
        FROM sw_workflow_tasks AS t
        WHERE t.owner_key = sw_workflow_owners.owner_key
        ORDER BY t.lease_until_up_ms, t.task_key
        LIMIT 1
    ),
    s.retention_next_ms
FROM sw_store AS s
LEFT JOIN sw_workflow_queues AS q ON q.queue = ?1
LEFT JOIN sw_workflow_owners
WHERE s.one = 1
ORDER BY sw_workflow_owners.owner_key
LIMIT 10000";

const OVERDUE: &str = "
SELECT task_key
FROM sw_workflow_tasks
WHERE deadline_at_ms <= ?1
ORDER BY deadline_at_ms, task_key
LIMIT ?2";

const LOST: &str = "
SELECT t.task_key, t.owner_key
FROM sw_workflow_owners
CROSS JOIN sw_workflow_tasks AS t
WHERE t.owner_key = sw_workflow_owners.owner_key
    AND t.lease_until_up_ms <= CASE
        WHEN sw_workflow_owners.owner_key IN (SELECT value FROM json_each(?2)) THEN 9223372036854775807
        ELSE ?1
    END
ORDER BY sw_workflow_owners.owner_key, t.lease_until_up_ms, t.task_key
LIMIT ?3";

const OWNER: &str = "
SELECT owner_key
FROM sw_workflow_owners
WHERE mark = ?1 AND boot = ?2";

const OWNER_INSERT: &str = "
INSERT INTO sw_workflow_owners (mark, boot, pid, opened_at_ms)
VALUES (?1, ?2, ?3, ?4)";

const OWNER_DELETE: &str = "
DELETE FROM sw_workflow_owners
WHERE owner_key = ?1";

const LANES_OF: &str = "
SELECT lane_key
FROM sw_workflow_lanes
WHERE owner_key = ?1 AND owner_key <> 0
ORDER BY lane_key
LIMIT ?2";

// What was claimed from a lane that goes was claimed from its queue all the same.
const LANE_OPEN_TO_ALL: &str = "
UPDATE sw_workflow_lanes AS o
SET claimed_at_ms = max(
    coalesce(o.claimed_at_ms, l.claimed_at_ms), coalesce(l.claimed_at_ms, o.claimed_at_ms)
)
FROM sw_workflow_lanes AS l
WHERE l.lane_key = ?1
    AND o.queue = l.queue AND o.workflow = l.workflow AND o.code_version = l.code_version
    AND o.owner_key = 0
RETURNING lane_key";

const LANE_DELETE: &str = "
DELETE FROM sw_workflow_lanes
WHERE lane_key = ?1 AND owner_key <> 0";

// A run of one owner stands in another lane than it names.
const CLAIMED_RUN: &str = "
SELECT r.run_id, t.run_id, p.run_id, l.workflow, nullif(l.code_version, ''),
    coalesce(b.body, r.args, 'null'), r.metadata,
    EXISTS (SELECT 1 FROM sw_workflow_steps AS s WHERE s.run_key = r.run_key),
    CASE r.lane_key
        WHEN ?2 THEN l.claimed_at_ms
        ELSE (SELECT o.claimed_at_ms FROM sw_workflow_lanes AS o WHERE o.lane_key = ?2)
    END
FROM sw_workflow_runs AS r
JOIN sw_workflow_lanes AS l ON l.lane_key = r.lane_key
LEFT JOIN sw_workflow_runs AS t ON t.run_key = coalesce(r.root_key, r.run_key)
LEFT JOIN sw_workflow_runs AS p ON p.run_key = r.parent_key
LEFT JOIN sw_payloads AS b ON b.payload_key = r.args_key
WHERE r.run_key = ?1";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[
    STANDING,
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
        let mut statement = self.prepare(STANDING)?;
        let mut rows = statement.query([queue]).map_err(map)?;
        let first = rows.next().map_err(map)?;
        let first = first.ok_or_else(|| Error::Corrupt("sw_store has no row".into()))?;
        let mut standing = read_standing(first).map_err(map)?;
        read_owner(first, &mut standing).map_err(map)?;
        while let Some(row) = rows.next().map_err(map)? {
            read_owner(row, &mut standing).map_err(map)?;
        }
        Ok(standing)
    }

    fn claim_heads(
        &mut self,
        filter: &LaneFilter,
        lease: &NewLease,
        share: Share,
    ) -> Result<Vec<Head>> {
        let mut heads = Heads::of(share);
        let mut lanes_min = 1;
        while !heads.are_enough() {
            let mut walk = self.walk(filter, lanes_min)?;
            let before = heads.len();
            while let Some((run_key, lane_key)) = walk.take_next() {
                let taken = self.task_claim(run_key, lease)?;
                let run = self.claimed_run(run_key, lane_key)?;
                heads.take(Head { run_key, taken, run });
                if heads.are_enough() {
                    break;
                }
                self.walk_on(&mut walk, lane_key, heads.left())?;
            }
            self.walk_end(walk)?;
            if heads.len() == before {
                break;
            }
            // Who takes turns with others is looked at together with them, and one busy lane alone.
            lanes_min = (lanes_min * 2).min(heads.left());
        }
        Ok(heads.taken())
    }

    fn ready_head(&mut self, filter: &LaneFilter) -> Result<Option<RunKey>> {
        self.first_ready(filter)
    }

    fn ready_and_limits(
        &mut self,
        filter: &LaneFilter,
    ) -> Result<(bool, Option<(QueueLimits, u32)>)> {
        let is_ready = self.first_ready(filter)?.is_some();
        // Of a queue where nothing is ready nobody asks.
        Ok((is_ready, if is_ready { self.queue(&filter.queue)? } else { None }))
    }

    fn ready_and_standing(&mut self, filter: &LaneFilter) -> Result<(bool, Standing)> {
        Ok((self.first_ready(filter)?.is_some(), self.standing(&filter.queue)?))
    }

    fn claim_one(&mut self, run_key: RunKey, lease: &NewLease) -> Result<Head> {
        let taken = self.task_claim(run_key, lease)?;
        self.lane_settle(taken.lane_key)?;
        let run = self.claimed_run(run_key, taken.lane_key)?;
        Ok(Head { run_key, taken, run })
    }

    fn wake_due(&mut self, now_ms: i64, limit: u32) -> Result<Woken> {
        self.tasks_wake_due(now_ms, limit)
    }

    fn overdue(&mut self, now_ms: i64, limit: u32) -> Result<Vec<RunKey>> {
        self.all(OVERDUE, (now_ms, limit), |row| row.get(0))
    }

    fn lost(&mut self, now_lease_ms: i64, dead: &[OwnerKey], limit: u32) -> Result<Vec<Lost>> {
        self.all(LOST, (now_lease_ms, list(dead), limit), |row| {
            Ok(Lost { run_key: row.get(0)?, owner_key: row.get(1)? })
        })
    }

    fn owner_make(&mut self, owner: &Owner, opened_at_ms: i64) -> Result<OwnerKey> {
        let Mark { mark, boot, pid } = Mark::of(owner.id);
        let mark = mark.cast_signed();
        match self.one(OWNER, (mark, boot), |row| row.get(0))? {
            Some(owner_key) => Ok(owner_key),
            None => self.insert(OWNER_INSERT, (mark, boot, pid, opened_at_ms)),
        }
    }

    fn owner_delete(&mut self, owner_key: OwnerKey) -> Result<()> {
        self.execute(OWNER_DELETE, [owner_key]).map(|_| ())
    }

    fn lanes_of(&mut self, owner_key: OwnerKey, limit: u32) -> Result<Vec<LaneKey>> {
        self.all(LANES_OF, (owner_key, limit), |row| row.get(0))
    }

    fn lane_open_to_all(&mut self, lane_key: LaneKey) -> Result<Option<LaneKey>> {
        self.one(LANE_OPEN_TO_ALL, [lane_key], |row| row.get(0))
    }

    fn lane_delete(&mut self, lane_key: LaneKey) -> Result<()> {
        // Else an index that lists it for ever would be swept for ever.
        match self.execute(LANE_DELETE, [lane_key])? {
            0 => Err(Error::Corrupt(format!("lane {lane_key} is listed and not there").into())),
            _ => Ok(()),
        }
    }
}

impl Tx<'_> {
    fn claimed_run(&self, run_key: RunKey, lane_key: LaneKey) -> Result<ClaimedRun> {
        let run = self.one(CLAIMED_RUN, (run_key, lane_key), |row| {
            Ok(ClaimedRun {
                run_id: row.get(0)?,
                root_run_id: row.get(1)?,
                parent_run_id: row.get(2)?,
                workflow: row.get(3)?,
                code_version: row.get(4)?,
                args: row.get(5)?,
                metadata: row.get(6)?,
                has_history: row.get(7)?,
                lane_claimed_at_ms: row.get(8)?,
            })
        })?;
        let lost = || Error::Corrupt(format!("task {run_key} has no run").into());
        let mut run = run.ok_or_else(lost)?;
        self.payload_read(&mut run.args)?;
        Ok(run)
    }
}

fn read_standing(row: &Row<'_>) -> rusqlite::Result<Standing> {
    Ok(Standing {
        next_wake_at_ms: row.get(0)?,
        next_deadline_at_ms: row.get(1)?,
        next_schedule_at_ms: row.get(2)?,
        next_room_at_ms: row.get(3)?,
        has_cascades: row.get(4)?,
        limits: match row.get(5)? {
            Some(running) => Some((read_limits(row, 6)?, running)),
            None => None,
        },
        next_retention_at_ms: row.get(14)?,
        ..Standing::default()
    })
}

fn read_owner(row: &Row<'_>, standing: &mut Standing) -> rusqlite::Result<()> {
    let Some(owner_key) = row.get(9)? else { return Ok(()) };
    let mark = row.get::<_, i64>(10)?.cast_unsigned();
    let mark = Mark { mark, boot: row.get(11)?, pid: row.get(12)? };
    standing.owners.push(Owner { owner_key, id: mark.id() });
    let lapses = [standing.next_lapse_ms, row.get(13)?];
    standing.next_lapse_ms = lapses.into_iter().flatten().min();
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use rusqlite::{Connection, OptionalExtension};

    use super::super::conn::Conn;
    use super::super::migrate;
    use super::super::owner::Mark;
    use super::super::tx::Tx;
    use crate::clock::Now;
    use crate::domain::claim::{Claimer, claim, outlook};
    use crate::domain::port::{ClaimPort, LaneFilter, NewLease, Owner};
    use crate::domain::queue;
    use crate::domain::submit::{QUEUE_DEFAULT, Submit, submit};
    use crate::id::new_id;

    const NOW: Now = Now { wall_ms: 1_000, lease_ms: 1_000 };

    /// A store with so many runs of each kind that a claim must not look at.
    fn crowded(count: u32) -> Conn {
        let conn = Conn::new(Connection::open_in_memory().unwrap());
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

    fn claimer(filter: LaneFilter) -> Claimer {
        Claimer {
            owner: Owner { owner_key: 0, id: Mark { mark: 1, boot: [7; 16], pid: 1 }.id() },
            lease_ms: 10_000,
            worker: None,
            filter: LaneFilter { queue: QUEUE_DEFAULT.into(), ..filter },
            dead: Vec::new(),
            unheard: Vec::new(),
            seed: new_id(),
        }
    }

    fn take(conn: &Conn, filter: &LaneFilter) -> Option<String> {
        let claimer = claimer(filter.clone());
        let outlook = outlook(&mut Tx::new(conn), &claimer.filter, NOW).unwrap();
        let mut picked = claim(&mut Tx::new(conn), &claimer, 1, NOW).unwrap();
        let run = picked.runs.pop().map(|claimed| claimed.run.workflow);
        assert_eq!(outlook.is_promising, run.is_some());
        assert!(!picked.has_more, "nothing was set aside");
        run
    }

    /// Counts the instructions of SQLite's machine on a connection from here on.
    fn counting(conn: Conn) -> (Conn, Arc<AtomicU64>) {
        let mut conn = conn.alone();
        let seen = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&seen);
        let count = move || {
            counter.fetch_add(1, Ordering::Relaxed);
            false
        };
        conn.progress_handler(1, Some(count)).unwrap();
        (Conn::new(conn), seen)
    }

    /// Returns how many instructions ten looks and claims take, after a first one.
    fn instructions(conn: Conn, filter: &LaneFilter) -> u64 {
        let found = take(&conn, filter);
        let (conn, seen) = counting(conn);
        (0..10).for_each(|_| assert_eq!(take(&conn, filter), found));
        seen.load(Ordering::Relaxed)
    }

    fn assert_same(what: &str, few: u64, many: u64) {
        assert!(many <= few + few / 10, "{what}: {few} instructions among few, {many} among many");
    }

    /// P10: whatever a look has said, a claim takes a task that is ready, and gives no number twice.
    #[test]
    fn a_task_that_is_not_ready_or_has_no_number_left_is_not_claimed() {
        let conn = empty();
        submit_to(&conn, "w", "v", None);
        let lease = NewLease {
            owner_key: 1,
            lease_until_ms: 9,
            lease_ms: 9,
            claimed_at_ms: 1,
            worker: None,
            token: 1,
        };
        let row = || -> (i64, i64, i64) {
            let sql = "SELECT task_key, state, fence FROM sw_workflow_tasks";
            conn.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap()
        };
        let (task_key, ..) = row();
        for (state, fence) in [(2, 7), (4, 7), (1, u32::MAX)] {
            let set = "UPDATE sw_workflow_tasks SET state = ?1, fence = ?2, owner_key = NULL";
            conn.execute(set, (state, fence)).unwrap();
            let claimed = Tx::new(&conn).claim_one(task_key, &lease);
            assert!(claimed.is_err(), "in state {state}, of attempt {fence}");
            assert_eq!(row(), (task_key, state, fence.into()), "nothing is written");
        }
    }

    /// The index of a damaged file listed a lane that was not in its table: the close of a handle, which
    /// sweeps its own lanes until there are none, went on for ever.
    #[test]
    fn what_is_listed_and_not_there_ends_a_sweep() {
        let conn = Conn::new(Connection::open_in_memory().unwrap());
        migrate::apply(&conn, None, 8).unwrap();
        let lane = Tx::new(&conn).lane_delete(9);
        let cancel = crate::domain::port::ControlPort::cascade_set(&mut Tx::new(&conn), 9, None);
        for answer in [lane, cancel] {
            assert!(matches!(answer, Err(crate::error::Error::Corrupt(_))), "{answer:?}");
        }
    }

    /// P14. Counted, not timed: what a claim does is the same, whatever lies about.
    #[test]
    fn a_claim_does_no_more_however_many_runs_are_pending_or_not_to_be_claimed() {
        let all = LaneFilter::default();
        let [few, many] = [20, 2_000].map(|count| instructions(crowded(count), &all));
        assert_same("runs", few, many);
    }

    /// Returns how many instructions it takes to find one lapsed run among so many that are not.
    fn instructions_of_lost(count: u32) -> u64 {
        let conn = Conn::new(Connection::open_in_memory().unwrap());
        migrate::apply(&conn, None, 1).unwrap();
        conn.execute_batch(
            "INSERT INTO sw_workflow_owners (mark, boot, pid, opened_at_ms) VALUES (1, x'07', 1, 1)",
        )
        .unwrap();
        for key in 1..=count {
            let lapses_at = if key == 1 { 5 } else { 1_000 };
            conn.execute(
                "INSERT INTO sw_workflow_tasks (task_key, lane_key, state, priority, due_at_ms, fence,
                    failures, losses, flags, waits_left, owner_key, lease_until_up_ms)
                VALUES (?1, 1, 2, 0, 0, 1, 0, 0, 0, 0, 1, ?2)",
                [key, lapses_at],
            )
            .unwrap();
        }
        let (conn, seen) = counting(conn);
        let lost = Tx::new(&conn).lost(10, &[], 64).unwrap();
        assert_eq!(lost.len(), 1);
        seen.load(Ordering::Relaxed)
    }

    #[test]
    fn a_lapsed_run_is_found_at_the_same_cost_however_many_others_run() {
        let [few, many] = [20, 5_000].map(instructions_of_lost);
        assert_same("running", few, many);
    }

    fn submit_to(conn: &Conn, workflow: &str, version: &str, key: Option<&str>) {
        let run = Submit {
            workflow: workflow.into(),
            code_version: Some(version.into()),
            concurrency_key: key.map(str::to_owned),
            ..Submit::default()
        };
        submit(&mut Tx::new(conn), &run, new_id(), 0, NOW).unwrap();
    }

    fn empty() -> Conn {
        let conn = Conn::new(Connection::open_in_memory().unwrap());
        migrate::apply(&conn, None, 1).unwrap();
        conn
    }

    fn named(workflows: &[&str], versions: &[&str]) -> LaneFilter {
        let names = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            (!names.is_empty()).then_some(names)
        };
        LaneFilter {
            workflows: names(workflows),
            code_versions: names(versions),
            ..LaneFilter::default()
        }
    }

    /// So many lanes, each of a workflow and a version of its own, and 20 runs of "w" in "v".
    fn laned(count: u32, is_ready: bool) -> Conn {
        let conn = empty();
        for at in 0..count {
            let (workflow, version) = (format!("w{at}"), format!("v{at}"));
            submit_to(&conn, &workflow, &version, None);
            if !is_ready {
                assert_eq!(take(&conn, &named(&[&workflow], &[])), Some(workflow));
            }
        }
        (0..20).for_each(|_| submit_to(&conn, "w", "v", None));
        conn
    }

    /// P14: lanes ever used, drained by workers of their own, cost no claim anything; nor do ready
    /// runs that a worker does not ask for, or that stand behind.
    #[test]
    fn a_claim_does_no_more_however_many_lanes_there_are() {
        let filters = [
            named(&[], &[]),
            named(&["w"], &[]),
            named(&[], &["v"]),
            named(&["w"], &["v"]),
            named(&["nothing"], &[]),
            named(&[], &["nothing"]),
        ];
        for (at, filter) in filters.iter().enumerate() {
            for is_ready in [false, true] {
                let [few, many] =
                    [100, 2_000].map(|count| instructions_of(laned(count, is_ready), filter));
                assert_same(&format!("lanes, filter {at}, ready {is_ready}"), few, many);
            }
        }
    }

    /// Looks and claims that may find something else each time.
    fn instructions_of(conn: Conn, filter: &LaneFilter) -> u64 {
        let is_named = filter.workflows.is_some() || filter.code_versions.is_some();
        if is_named {
            return instructions(conn, filter);
        }
        take(&conn, filter);
        let (conn, seen) = counting(conn);
        (0..10).for_each(|_| assert!(take(&conn, filter).is_some()));
        seen.load(Ordering::Relaxed)
    }

    /// Returns how many instructions a claim of so many runs takes for each, with runs of so many lanes
    /// that come in turns.
    fn instructions_per_run(lanes: u32, max: u32) -> u64 {
        let conn = empty();
        (0..600).for_each(|at| submit_to(&conn, &format!("w{}", at % lanes), "v", None));
        let claimer = claimer(LaneFilter::default());
        claim(&mut Tx::new(&conn), &claimer, 1, NOW).unwrap();
        let (conn, seen) = counting(conn);
        let picked = claim(&mut Tx::new(&conn), &claimer, max, NOW).unwrap();
        assert_eq!(picked.runs.len(), max as usize);
        seen.load(Ordering::Relaxed) / u64::from(max)
    }

    /// A claim of many reads what it takes: it read as many of a lane as it wanted, took the one that was
    /// before those of the other lanes, and did so for each.
    #[test]
    fn a_run_claimed_with_many_costs_no_more_however_many_they_are_and_of_how_many_lanes() {
        for lanes in [1, 3, 40] {
            let [few, many] = [20, 400].map(|max| instructions_per_run(lanes, max));
            assert_same(&format!("runs of {lanes} lanes"), few, many);
        }
        let [one, three] = [1, 3].map(|lanes| instructions_per_run(lanes, 400));
        assert_same("a run of three lanes beside one of one", one, three);
    }

    /// P9 in spite of places that are too early: in every order and with every filter, lanes that
    /// share a queue give their runs by priority, due time and submission.
    #[test]
    fn runs_of_many_lanes_come_in_order_with_every_filter() {
        let conn = empty();
        let count: u32 = 60;
        for at in 0..count * 5 {
            let lane = at * 7 % count;
            let run = Submit {
                workflow: format!("w{}", lane % 12),
                code_version: Some(format!("v{}", lane / 12)),
                priority: i32::try_from(at * 31 % 11).unwrap(),
                ..Submit::default()
            };
            submit(&mut Tx::new(&conn), &run, new_id(), 0, NOW).unwrap();
        }
        let filters = [
            named(&["w1", "w5"], &["v2"]),
            named(&["w3"], &[]),
            named(&[], &["v1"]),
            named(&[], &[]),
        ];
        for filter in &filters {
            for _ in 0..20 {
                let expected: Option<i64> = conn
                    .query_row(
                        "SELECT t.task_key FROM sw_workflow_tasks AS t
                         JOIN sw_workflow_lanes AS l USING (lane_key)
                         WHERE t.state = 1
                             AND (?1 IS NULL OR l.workflow IN (SELECT value FROM json_each(?1)))
                             AND (?2 IS NULL
                                 OR l.code_version IN (SELECT value FROM json_each(?2)))
                         ORDER BY t.priority, t.due_at_ms, t.task_key LIMIT 1",
                        [&filter.workflows, &filter.code_versions]
                            .map(|names| names.as_ref().map(|names| format!("{names:?}"))),
                        |row| row.get(0),
                    )
                    .optional()
                    .unwrap();
                let claimer = claimer(filter.clone());
                let picked = claim(&mut Tx::new(&conn), &claimer, 1, NOW).unwrap();
                assert_eq!(picked.runs.first().map(|run| run.fence.run_key), expected);
            }
        }
    }

    /// P14: runs behind a closed gate, in as many lanes as one likes, cost a claim of others nothing.
    #[test]
    fn a_claim_does_no_more_however_many_runs_stand_behind_a_gate() {
        let behind = |count: u32| {
            let conn = empty();
            let limits = crate::domain::port::QueueLimits {
                concurrency_per_key: Some(1),
                ..crate::domain::port::QueueLimits::default()
            };
            queue::set(&mut Tx::new(&conn), QUEUE_DEFAULT, &limits).unwrap();
            (0..count).for_each(|at| submit_to(&conn, &format!("w{}", at % 4), "v", Some("hot")));
            (0..20).for_each(|at| submit_to(&conn, "w", "v", Some(&format!("cold{at}"))));
            assert_eq!(take(&conn, &named(&["w0"], &[])), Some("w0".into()));
            conn
        };
        let all = LaneFilter::default();
        let [few, many] = [20, 5_000].map(|count| instructions(behind(count), &all));
        assert_same("runs behind a gate", few, many);
    }
}
