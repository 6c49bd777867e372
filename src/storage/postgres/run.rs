//! Rows of runs: submitting, finding, and how they ended.

use std::collections::BTreeMap;

use super::known::Trust;
use super::tx::Tx;
use super::value::Param;
use crate::domain::Backoff;
use crate::domain::port::{
    Inserted, Lane, LaneKey, NewRun, OwnerKey, Parent, RunEnd, RunKey, RunPolicy, RunPort, Submit,
    SubmitPort, Task, TaskPort,
};
use crate::error::{Error, Result};
use crate::id::Id;
use crate::limits::{
    BACKOFF_INITIAL_MS_DEFAULT, BACKOFF_MAX_MS_DEFAULT, BACKOFF_PERCENT_DEFAULT, RUN_TRIES_DEFAULT,
};

const LANE: &str = "
SELECT lane_key
FROM $schema.sw_workflow_lanes
WHERE queue = $1 AND workflow = $2 AND code_version = $3 AND owner_key = $4";

// The same for one that is remembered.
const LANE_GUARD: &str = "
SELECT 1 / count(*)
FROM $schema.sw_workflow_lanes
WHERE lane_key = $1 AND queue = $2 AND workflow = $3 AND code_version = $4 AND owner_key = $5";

const LANE_INSERT: &str = "
INSERT INTO $schema.sw_workflow_lanes (lane_key, queue, workflow, code_version, owner_key)
VALUES ($1, $2, $3, $4, $5)";

const RUN_BY_IDEMPOTENCY: &str = "
SELECT r.run_id, l.workflow
FROM $schema.sw_workflow_runs AS r
JOIN $schema.sw_workflow_lanes AS l ON l.lane_key = r.lane_key
WHERE r.idem_scope = $1 AND r.idem_key = $2";

/// The same for many.
pub(super) const RUNS_BY_IDEMPOTENCY: &str = "
SELECT r.idem_scope, r.idem_key, r.run_id, l.workflow
FROM unnest($1::text[], $2::text[]) AS asked (scope, key)
JOIN $schema.sw_workflow_runs AS r ON r.idem_scope = asked.scope AND r.idem_key = asked.key
JOIN $schema.sw_workflow_lanes AS l ON l.lane_key = r.lane_key";

const RUN_BY_ID: &str = "
SELECT r.run_key
FROM $schema.sw_workflow_runs AS r
WHERE r.run_id = $1 AND r.outcome IS DISTINCT FROM 4
    AND NOT EXISTS (
        SELECT 1 FROM $schema.sw_workflow_runs AS t WHERE t.run_key = r.root_key AND t.outcome = 4
    )";

/// The options of a submit that a run keeps, each in a column of its name: what stands in this list is
/// written with a run and taken over by a fork.
macro_rules! kept_options {
    ($($option:ident $place:literal)*) => {
        const RUN_INSERT: &str = concat!("
INSERT INTO $schema.sw_workflow_runs (
    run_key, run_id, lane_key, parent_key, root_key, created_at_ms, run_at_ms, priority, idem_scope,
    idem_key, ", $(stringify!($option), ", ",)* "args
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, ", $($place, ", ",)* "$11)");

        pub(super) const RUN_COPY: &str = concat!("
INSERT INTO $schema.sw_workflow_runs (
    run_key, run_id, lane_key, created_at_ms, priority, ", $(stringify!($option), ", ",)* "args,
    forked_from
)
SELECT $2::bigint, $3::uuid, lane_key, $4::bigint, priority, ", $(stringify!($option), ", ",)* "args,
    run_key
FROM $schema.sw_workflow_runs
WHERE run_key = $1");

        const KEPT: usize = [$(stringify!($option)),*].len();

        fn kept(submit: &Submit) -> [&dyn Param; KEPT] {
            [$(given(&submit.$option)),*]
        }
    };
}

kept_options!(
    max_tries "$12" timeout_ms "$13" backoff_initial_ms "$14" backoff_max_ms "$15"
    backoff_percent "$16" concurrency_key "$17" metadata "$18"
);

/// Returns what is no default: that is stored as NULL.
fn given<T: Param + Default + PartialEq>(option: &T) -> &dyn Param {
    if *option == T::default() { &None::<i64> } else { option }
}

const LINEAGE: &str = "
SELECT coalesce(r.root_key, r.run_key), l.queue
FROM $schema.sw_workflow_runs AS r
JOIN $schema.sw_workflow_lanes AS l ON l.lane_key = r.lane_key
WHERE r.run_key = $1";

const RUN_POLICY: &str = "
SELECT max_tries, backoff_initial_ms, backoff_max_ms, backoff_percent
FROM $schema.sw_workflow_runs
WHERE run_key = $1";

const RUN_END: &str = "
SELECT outcome, finished_at_ms, attempts, tries, result, error
FROM $schema.sw_workflow_runs
WHERE run_key = $1 AND outcome IS NOT NULL";

const RUN_FINISH: &str = "
UPDATE $schema.sw_workflow_runs
SET outcome = $2::bigint, finished_at_ms = $3, attempts = $4, tries = $5, result = $6,
    error = CASE $2::bigint WHEN 3 THEN coalesce($7::text, error) ELSE $7::text END
WHERE run_key = $1";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[
    LANE,
    LANE_GUARD,
    LANE_INSERT,
    RUNS_BY_IDEMPOTENCY,
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
    /// Writes a run and its task, unless its idempotency key has made one. One that another transaction
    /// makes meanwhile breaks the index of keys: the job is run again, and finds it.
    fn insert_once<'run>(
        &mut self,
        run: &'run NewRun<'_>,
        lanes: &mut BTreeMap<&'run Lane, Lanes>,
    ) -> Result<Inserted> {
        if let Some((scope, key)) = run.submit.idempotency() {
            if let Some((run_id, workflow)) = self.run_by_idempotency(scope, key)? {
                return Ok(Inserted::Known(run_id, workflow));
            }
            let made = Some((run.run_id, run.lane.workflow.clone()));
            self.known.keys.insert((scope.into(), key.into()), made);
        }
        let of_run = match lanes.get(&run.lane) {
            Some(of_run) => *of_run,
            None => self.lanes_of_run(&run.lane)?,
        };
        lanes.insert(&run.lane, of_run);
        let run_key = self.insert_run(run, of_run.named)?;
        let lane_key = of_run.task;
        self.task_insert(&Task { run_key, lane_key, ..run.task.clone() })?;
        Ok(Inserted::New(run_key, lane_key))
    }

    /// Returns the lanes of a run, made now where they are new.
    fn lanes_of_run(&mut self, lane: &Lane) -> Result<Lanes> {
        let named = self.lane_make(lane, 0)?;
        let task = if lane.owner_key == 0 { named } else { self.lane_make(lane, lane.owner_key)? };
        Ok(Lanes { named, task })
    }

    fn lane_make(&mut self, lane: &Lane, owner_key: OwnerKey) -> Result<LaneKey> {
        let Lane { queue, workflow, code_version, .. } = lane;
        let names: [&dyn Param; 4] = [queue, workflow, code_version, &owner_key];
        let named = (lane.queue.clone(), workflow.clone(), code_version.clone(), owner_key);
        let remembered = self.conn.common().lane(&named).filter(|_| self.trust != Trust::Nothing);
        if let Some(lane_key) = remembered {
            self.put_new(LANE_GUARD, &[&lane_key, queue, workflow, code_version, &owner_key])?;
            return Ok(lane_key);
        }
        let found = self.row_opt(LANE, &names, |row| row.get(0))?;
        let lane_key = found.unwrap_or_else(|| self.new_key());
        let row: [&dyn Param; 5] = [&lane_key, queue, workflow, code_version, &owner_key];
        if found.is_none() {
            self.put(LANE_INSERT, &row)?;
        }
        self.conn.common().note_lane(named, lane_key);
        Ok(lane_key)
    }

    fn insert_run(&mut self, run: &NewRun<'_>, lane_key: LaneKey) -> Result<RunKey> {
        let NewRun { run_id, submit, parent, created_at_ms, .. } = run;
        let (idem_scope, idem_key) = submit.idempotency().unzip();
        let run_key = self.new_key();
        let own: [&dyn Param; 11] = [
            &run_key,
            run_id,
            &lane_key,
            &parent.map(|parent| parent.run_key),
            &parent.map(|parent| parent.root_key),
            created_at_ms,
            given(&submit.run_at_ms),
            &submit.priority,
            &idem_scope,
            &idem_key,
            &submit.args,
        ];
        self.makes = Some(*run_id);
        self.put_new(RUN_INSERT, &[&own[..], &kept(submit)].concat())?;
        Ok(run_key)
    }
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
        if let Some(known) = self.known.keys.get(&(scope.to_owned(), key.to_owned())) {
            return Ok(known.clone());
        }
        self.row_opt(RUN_BY_IDEMPOTENCY, &[&scope, &key], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn run_by_id(&mut self, run_id: Id) -> Result<Option<RunKey>> {
        self.row_opt(RUN_BY_ID, &[&run_id], |row| row.get(0))
    }

    fn lineage(&mut self, run_key: RunKey) -> Result<Parent> {
        self.row_opt(LINEAGE, &[&run_key], |row| {
            Ok(Parent { run_key, root_key: row.get(0)?, queue: row.get(1)? })
        })?
        .ok_or_else(|| Error::Corrupt(format!("task {run_key} has no run").into()))
    }

    fn run_policy(&mut self, run_key: RunKey) -> Result<RunPolicy> {
        self.row_opt(RUN_POLICY, &[&run_key], |row| {
            Ok(RunPolicy {
                max_tries: row.maybe(0)?.unwrap_or(RUN_TRIES_DEFAULT),
                backoff: Backoff {
                    initial_ms: row.maybe(1)?.unwrap_or(BACKOFF_INITIAL_MS_DEFAULT),
                    max_ms: row.maybe(2)?.unwrap_or(BACKOFF_MAX_MS_DEFAULT),
                    percent: row.maybe(3)?.unwrap_or(BACKOFF_PERCENT_DEFAULT),
                },
            })
        })?
        .ok_or_else(|| Error::Corrupt(format!("task {run_key} has no run").into()))
    }

    fn run_end(&mut self, run_key: RunKey) -> Result<Option<RunEnd>> {
        self.row_opt(RUN_END, &[&run_key], |row| {
            Ok(RunEnd {
                outcome: row.get(0)?,
                finished_at_ms: row.get(1)?,
                attempts: row.get(2)?,
                tries: row.get(3)?,
                result: row.maybe(4)?,
                error: row.maybe(5)?,
            })
        })
    }

    fn run_finish(&mut self, run_key: RunKey, end: &RunEnd) -> Result<()> {
        self.task_delete(run_key)?;
        let RunEnd { outcome, finished_at_ms, attempts, tries, result, error } = end;
        let row: [&dyn Param; 7] =
            [&run_key, outcome, finished_at_ms, attempts, tries, result, error];
        // No key of any run is another by it.
        self.put_end(run_key, RUN_FINISH, &row)
    }
}
