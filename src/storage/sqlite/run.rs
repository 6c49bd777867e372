//! Rows of runs: submitting, finding, and how they ended.

use std::collections::BTreeMap;

use rusqlite::{Row, ToSql, named_params};

use super::tx::{Place, Tx};
use crate::domain::Backoff;
use crate::domain::port::{
    Inserted, Lane, LaneKey, NewRun, OwnerKey, Parent, RunEnd, RunKey, RunPolicy, RunPort, Submit,
    SubmitPort, Task, TaskPort,
};
use crate::error::{Error, Result};
use crate::id::Id;
use crate::limits::{
    BACKOFF_INITIAL_MS_DEFAULT, BACKOFF_MAX_MS_DEFAULT, BACKOFF_PERCENT_DEFAULT,
    PAYLOAD_INLINE_BYTES_MAX, RUN_TRIES_DEFAULT,
};

const LANE: &str = "
SELECT lane_key, first_task_key, first_priority, first_due_at_ms, marked_block, (
    SELECT created_at_ms FROM sw_workflow_runs ORDER BY run_key DESC LIMIT 1
)
FROM sw_workflow_lanes
WHERE queue = ?1 AND workflow = ?2 AND code_version = ?3 AND owner_key = ?4";

// Of a run with an idempotency key, the run that this has made as well.
const LANE_AND_RUN: &str = "
SELECT lane_key, first_task_key, first_priority, first_due_at_ms, marked_block, (
    SELECT created_at_ms FROM sw_workflow_runs ORDER BY run_key DESC LIMIT 1
), NULL, NULL
FROM sw_workflow_lanes
WHERE queue = ?1 AND workflow = ?2 AND code_version = ?3 AND owner_key = ?4
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL, r.run_id, l.workflow
FROM sw_workflow_runs AS r
JOIN sw_workflow_lanes AS l ON l.lane_key = r.lane_key
WHERE r.idem_scope = ?5 AND r.idem_key = ?6";

const LANE_INSERT: &str = "
INSERT INTO sw_workflow_lanes (queue, workflow, code_version, owner_key)
VALUES (?1, ?2, ?3, ?4)";

const RUN_BY_IDEMPOTENCY: &str = "
SELECT r.run_id, l.workflow
FROM sw_workflow_runs AS r
JOIN sw_workflow_lanes AS l ON l.lane_key = r.lane_key
WHERE r.idem_scope = ?1 AND r.idem_key = ?2";

const RUN_BY_ID: &str = "
SELECT r.run_key
FROM sw_workflow_runs AS r
WHERE r.run_id = ?1 AND r.outcome IS NOT 4
    AND (r.root_key IS NULL OR 4 IS NOT (
        SELECT t.outcome FROM sw_workflow_runs AS t WHERE t.run_key = r.root_key
    ))";

/// The options of a submit that a run keeps, each in a column of its name: what stands in this list is
/// written with a run and taken over by a fork.
macro_rules! kept_options {
    ($($option:ident)*) => {
        const RUN_INSERT: &str = concat!("
INSERT INTO sw_workflow_runs (
    run_id, lane_key, parent_key, root_key, created_at_ms, run_at_ms, priority, idem_scope, idem_key,
    ", $(stringify!($option), ", ",)* "args
)
VALUES (
    :run_id, :lane_key, :parent_key, :root_key, :created_at_ms, :run_at_ms, :priority, :idem_scope,
    :idem_key, ", $(":", stringify!($option), ", ",)* ":args
)
ON CONFLICT (idem_scope, idem_key) WHERE idem_key IS NOT NULL DO NOTHING");

        pub(super) const RUN_COPY: &str = concat!("
INSERT INTO sw_workflow_runs (
    run_id, lane_key, created_at_ms, priority, ", $(stringify!($option), ", ",)* "args, forked_from
)
SELECT ?2, ?4, ?3, priority, ", $(stringify!($option), ", ",)* "?5, run_key
FROM sw_workflow_runs
WHERE run_key = ?1");

        const KEPT: usize = [$(stringify!($option)),*].len();

        fn kept(submit: &Submit) -> [(&'static str, Option<&dyn ToSql>); KEPT] {
            [$((concat!(":", stringify!($option)), given(&submit.$option))),*]
        }
    };
}

kept_options!(
    max_tries timeout_ms backoff_initial_ms backoff_max_ms backoff_percent concurrency_key metadata
);

/// Returns what is no default: that is stored as NULL.
fn given<T: ToSql + Default + PartialEq>(option: &T) -> Option<&dyn ToSql> {
    (*option != T::default()).then_some(option)
}

const LINEAGE: &str = "
SELECT coalesce(r.root_key, r.run_key), l.queue
FROM sw_workflow_runs AS r
JOIN sw_workflow_lanes AS l ON l.lane_key = r.lane_key
WHERE r.run_key = ?1";

const RUN_POLICY: &str = "
SELECT max_tries, backoff_initial_ms, backoff_max_ms, backoff_percent
FROM sw_workflow_runs
WHERE run_key = ?1";

const RUN_END: &str = "
SELECT outcome, finished_at_ms, attempts, tries, result, error
FROM sw_workflow_runs
WHERE run_key = ?1 AND outcome IS NOT NULL";

const RUN_FINISH: &str = "
UPDATE sw_workflow_runs
SET outcome = ?2, finished_at_ms = ?3, attempts = ?4, tries = ?5, result = ?6,
    error = CASE ?2 WHEN 3 THEN coalesce(?7, error) ELSE ?7 END
WHERE run_key = ?1";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[
    LANE,
    LANE_AND_RUN,
    LANE_INSERT,
    RUN_BY_IDEMPOTENCY,
    RUN_BY_ID,
    RUN_INSERT,
    RUN_COPY,
    LINEAGE,
    RUN_POLICY,
    RUN_END,
    RUN_FINISH,
];

/// The lane that a run names, which is open to all, and the one that its task stands in.
#[derive(Clone, Copy)]
struct Lanes {
    named: LaneKey,
    task: LaneKey,
}

impl Tx<'_> {
    /// Writes a run and its task, unless its idempotency key has made one.
    fn insert_once<'run>(
        &mut self,
        run: &'run NewRun<'_>,
        lanes: &mut BTreeMap<&'run Lane, Lanes>,
    ) -> Result<Inserted> {
        let args = run.submit.args.as_deref();
        let is_large = args.is_some_and(|args| args.len() > PAYLOAD_INLINE_BYTES_MAX);
        // Large args are written first; else the insert tells whether the key is known.
        let must_look = is_large && run.submit.idempotency_key.is_some();
        let of_run = match lanes.get(&run.lane) {
            Some(of_run) if !must_look => *of_run,
            Some(_) | None => match self.lane_and_run(run)? {
                (_, Some(known)) => return Ok(known),
                (named, None) => self.lanes_of_run(named, &run.lane)?,
            },
        };
        lanes.insert(&run.lane, of_run);
        let args = self.payload_write_any(args)?;
        if let Some(run_key) = self.insert_run(run, of_run.named, args.as_deref())? {
            let lane_key = of_run.task;
            self.task_insert(&Task { run_key, lane_key, ..run.task.clone() })?;
            return Ok(Inserted::New(run_key, lane_key));
        }
        let known = run.submit.idempotency();
        let known = known.map(|(scope, key)| self.run_by_idempotency(scope, key)).transpose()?;
        known.flatten().map_or_else(
            || Err(Error::internal("a run that is there is not")),
            |(run_id, workflow)| Ok(Inserted::Known(run_id, workflow)),
        )
    }

    /// Returns the lanes of a run, made now where they are new.
    fn lanes_of_run(&self, named: Option<LaneKey>, lane: &Lane) -> Result<Lanes> {
        let named = named.map_or_else(|| self.lane_insert(names(lane, 0)), Ok)?;
        if lane.owner_key == 0 {
            return Ok(Lanes { named, task: named });
        }
        let of_owner = names(lane, lane.owner_key);
        let found = self.one(LANE, of_owner, read_lane)?.flatten();
        let task = found.map(|lane| self.see_lane(lane));
        Ok(Lanes { named, task: task.map_or_else(|| self.lane_insert(of_owner), Ok)? })
    }

    fn lane_insert(&self, names: Names<'_>) -> Result<LaneKey> {
        let lane_key = self.insert(LANE_INSERT, names)?;
        self.marked.borrow_mut().insert(lane_key, None);
        Ok(lane_key)
    }

    /// Returns the lane that a run names, and the run that its idempotency key has made.
    fn lane_and_run(&self, run: &NewRun<'_>) -> Result<(Option<LaneKey>, Option<Inserted>)> {
        let named = names(&run.lane, 0);
        let Some((scope, key)) = run.submit.idempotency() else {
            let lane = self.one(LANE, named, read_lane)?.flatten();
            return Ok((lane.map(|lane| self.see_lane(lane)), None));
        };
        let (queue, workflow, code_version, owner_key) = named;
        let asked = (queue, workflow, code_version, owner_key, scope, key);
        let (mut lane, mut known) = (None, None);
        self.all(LANE_AND_RUN, asked, |row| {
            match read_lane(row)? {
                Some(found) => lane = Some(found),
                None => known = Some(Inserted::Known(row.get(6)?, row.get(7)?)),
            }
            Ok(())
        })?;
        Ok((lane.map(|lane| self.see_lane(lane)), known))
    }

    /// Notes what is known of a lane for what is written into it next.
    fn see_lane(&self, lane: FoundLane) -> LaneKey {
        self.reached.borrow_mut().extend(lane.from.map(|from| (lane.lane_key, from)));
        self.marked.borrow_mut().insert(lane.lane_key, lane.marked_block);
        self.newest_at_ms.set(Some(lane.newest_at_ms.unwrap_or(i64::MIN)));
        lane.lane_key
    }

    /// Writes a run's row; `None` when its idempotency key has made one.
    fn insert_run(
        &self,
        run: &NewRun<'_>,
        lane_key: LaneKey,
        args: Option<&str>,
    ) -> Result<Option<RunKey>> {
        let NewRun { run_id, submit, .. } = *run;
        let (idem_scope, idem_key) = submit.idempotency().unzip();
        let kept = kept(submit);
        let kept = kept.each_ref().map(|(name, value)| (*name, value as &dyn ToSql));
        let own = named_params! {
            ":run_id": run_id.to_bytes(),
            ":lane_key": lane_key,
            ":parent_key": run.parent.map(|parent| parent.run_key),
            ":root_key": run.parent.map(|parent| parent.root_key),
            ":created_at_ms": run.created_at_ms,
            ":run_at_ms": given(&submit.run_at_ms),
            ":priority": submit.priority,
            ":idem_scope": idem_scope,
            ":idem_key": idem_key,
        };
        let args = named_params! { ":args": args };
        if self.execute_in_order(RUN_INSERT, own.iter().chain(&kept).chain(args))? == 0 {
            return Ok(None);
        }
        let run_key = self.conn.last_insert_rowid();
        self.mark_run(run_key, lane_key, run.created_at_ms, submit.metadata.as_deref())?;
        Ok(Some(run_key))
    }
}

/// A lane as its next run needs it.
struct FoundLane {
    lane_key: LaneKey,
    /// None of its runs is ready before this place; none at all without one.
    from: Option<Place>,
    /// The block that has its marks.
    marked_block: Option<i64>,
    /// When the newest run of all was submitted.
    newest_at_ms: Option<i64>,
}

fn read_lane(row: &Row<'_>) -> rusqlite::Result<Option<FoundLane>> {
    let Some(lane_key) = row.get(0)? else { return Ok(None) };
    let first: Option<RunKey> = row.get(1)?;
    let from = first.map(|key| Ok((row.get(2)?, row.get(3)?, key))).transpose();
    let from = from.map_err(|error: rusqlite::Error| error)?;
    let (marked_block, newest_at_ms) = (row.get(4)?, row.get(5)?);
    Ok(Some(FoundLane { lane_key, from, marked_block, newest_at_ms }))
}

/// Queue, workflow, code version, owner.
type Names<'lane> = (&'lane str, &'lane str, &'lane str, OwnerKey);

fn names(lane: &Lane, owner_key: OwnerKey) -> Names<'_> {
    (&lane.queue, &lane.workflow, &lane.code_version, owner_key)
}

impl SubmitPort for Tx<'_> {
    fn runs_insert(&mut self, runs: &[NewRun<'_>]) -> Result<Vec<Inserted>> {
        // Of many, most queue in few lanes: each is looked up once.
        let mut lanes = BTreeMap::new();
        runs.iter().map(|run| self.insert_once(run, &mut lanes)).collect()
    }
}

impl RunPort for Tx<'_> {
    fn run_by_idempotency(&mut self, scope: &str, key: &str) -> Result<Option<(Id, String)>> {
        self.one(RUN_BY_IDEMPOTENCY, (scope, key), |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn run_by_id(&mut self, run_id: Id) -> Result<Option<RunKey>> {
        self.one(RUN_BY_ID, [run_id.to_bytes()], |row| row.get(0))
    }

    fn lineage(&mut self, run_key: RunKey) -> Result<Parent> {
        self.one(LINEAGE, [run_key], |row| {
            Ok(Parent { run_key, root_key: row.get(0)?, queue: row.get(1)? })
        })?
        .ok_or_else(|| Error::Corrupt(format!("task {run_key} has no run").into()))
    }

    fn run_policy(&mut self, run_key: RunKey) -> Result<RunPolicy> {
        self.one(RUN_POLICY, [run_key], |row| {
            let max_ms: Option<i64> = row.get(2)?;
            Ok(RunPolicy {
                max_tries: row.get::<_, Option<u32>>(0)?.unwrap_or(RUN_TRIES_DEFAULT),
                backoff: Backoff {
                    initial_ms: row.get::<_, Option<i64>>(1)?.unwrap_or(BACKOFF_INITIAL_MS_DEFAULT),
                    max_ms: max_ms.unwrap_or(BACKOFF_MAX_MS_DEFAULT),
                    percent: row.get::<_, Option<u32>>(3)?.unwrap_or(BACKOFF_PERCENT_DEFAULT),
                },
            })
        })?
        .ok_or_else(|| Error::Corrupt(format!("task {run_key} has no run").into()))
    }

    fn run_end(&mut self, run_key: RunKey) -> Result<Option<RunEnd>> {
        let mut end = self.one(RUN_END, [run_key], |row| {
            Ok(RunEnd {
                outcome: row.get(0)?,
                finished_at_ms: row.get(1)?,
                attempts: row.get(2)?,
                tries: row.get(3)?,
                result: row.get(4)?,
                error: row.get(5)?,
            })
        })?;
        if let Some(end) = &mut end {
            self.payload_read_any(&mut end.result)?;
        }
        Ok(end)
    }

    fn run_finish(&mut self, run_key: RunKey, end: &RunEnd) -> Result<()> {
        self.task_delete(run_key)?;
        let result = self.payload_write_any(end.result.as_deref())?;
        self.execute(
            RUN_FINISH,
            (
                run_key,
                end.outcome,
                end.finished_at_ms,
                end.attempts,
                end.tries,
                &result,
                &end.error,
            ),
        )?;
        self.mark_end(run_key, end.outcome, end.finished_at_ms)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rusqlite::Connection;
    use rusqlite::types::Value;

    use super::super::conn::Conn;
    use super::super::migrate;
    use super::*;
    use crate::clock::Now;
    use crate::domain::control::fork;
    use crate::domain::submit::submit;
    use crate::id;

    /// Returns what a run's row has in each of its columns.
    fn row(conn: &Conn, run_id: Id) -> BTreeMap<String, Value> {
        let sql = "SELECT * FROM sw_workflow_runs WHERE run_id = ?1";
        let mut statement = conn.prepare(sql).unwrap();
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let values = statement.query_row([run_id.to_bytes()], |row| {
            (0..names.len()).map(|at| row.get(at)).collect::<rusqlite::Result<Vec<Value>>>()
        });
        names.into_iter().zip(values.unwrap()).collect()
    }

    /// Whatever column is added, it is taken over or is named here with what a fork begins anew.
    #[test]
    fn a_fork_takes_over_every_column_that_a_submit_fills() {
        let conn = Conn::new(Connection::open_in_memory().unwrap());
        migrate::apply(&conn, None, 1).unwrap();
        let all = Submit {
            workflow: "w".into(),
            args: Some("[1]".into()),
            run_at_ms: 4,
            timeout_ms: 500,
            backoff_initial_ms: 11,
            backoff_max_ms: 12,
            priority: -3,
            max_tries: 7,
            backoff_percent: 130,
            idempotency_key: Some("k".into()),
            idempotency_scope: Some("s".into()),
            concurrency_key: Some("gate".into()),
            metadata: Some("{}".into()),
            ..Submit::default()
        };
        let now = Now { wall_ms: 5, lease_ms: 5 };
        let (first, second) = (id::new_id(), id::new_id());
        submit(&mut Tx::new(&conn), &all, first, 0, now).unwrap();
        let text = id::write("run", first);
        fork(&mut Tx::new(&conn), &text, None, second, Now { wall_ms: 9, ..now }).unwrap();
        let (origin, forked) = (row(&conn, first), row(&conn, second));
        let others: Vec<_> = origin.keys().filter(|key| origin[*key] != forked[*key]).collect();
        let anew = ["created_at_ms", "forked_from", "idem_key", "idem_scope"];
        assert_eq!(others, [&anew[..], &["run_at_ms", "run_id", "run_key"]].concat());
        let empty: Vec<_> = origin.keys().filter(|key| origin[*key] == Value::Null).collect();
        let of_ends = ["args_key", "attempts", "error", "finished_at_ms", "forked_from"];
        let rest = ["outcome", "parent_key", "result", "root_key", "tries"];
        assert_eq!(empty, [&of_ends[..], &rest].concat(), "an option that no column keeps");
    }
}
