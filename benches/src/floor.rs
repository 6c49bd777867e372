//! Floors: what SQLite alone takes to write the rows that must be written, in the store's own tables and with
//! as many commits, with nothing around them: no fence, no look for who else writes, no history, no answer.

use std::path::Path;

use crate::driver::rate;
use crate::host::result_of;
use crate::raw::{Db, Statement};
use crate::schema;

// What a step leaves: thirteen columns, most of them NULL.
const STEP: &str = "
INSERT INTO sw_workflow_steps (
    run_key, kind, name, occurrence, state, tries, started_at_ms, took_ms, result
)
VALUES (?1, 0, ?2, 1, 2, 1, 1700000000000 + ?3, 0, ?4)";

// The same row in one tree, clustered by its run: another design, not what a store has.
const ONE_TREE: &str = "
CREATE TABLE steps (
    run_key INTEGER NOT NULL, number INTEGER NOT NULL, kind INTEGER NOT NULL, name TEXT NOT NULL,
    occurrence INTEGER NOT NULL, state INTEGER NOT NULL, tries INTEGER NOT NULL, retry_at_ms INTEGER,
    label TEXT, input_hash BLOB, started_at_ms INTEGER NOT NULL, took_ms INTEGER NOT NULL, error TEXT,
    result TEXT, PRIMARY KEY (run_key, number)
) STRICT, WITHOUT ROWID";
const CLUSTERED: &str = "
INSERT INTO steps (
    run_key, number, kind, name, occurrence, state, tries, started_at_ms, took_ms, result
)
VALUES (?1, ?3, 0, ?2, 1, 2, 1, 1700000000000 + ?3, 0, ?4)";

/// Rows of steps, one of each of so many runs in a commit.
pub struct Steps {
    begin: Statement,
    insert: Statement,
    commit: Statement,
    _db: Db,
    /// The run before the first one.
    before: i64,
    runs: i64,
    number: i64,
    result: String,
}

impl Steps {
    /// A table and its unique index, as a store has them.
    pub fn two_trees(path: &Path, synchronous: &str, runs: i64) -> Steps {
        make_two_trees(path);
        Steps::of(Db::open(path, synchronous), STEP, runs)
    }

    pub fn one_tree(path: &Path, synchronous: &str, runs: i64) -> Steps {
        let db = Db::open(path, synchronous);
        db.batch(ONE_TREE);
        Steps::of(db, CLUSTERED, runs)
    }

    /// Goes on in a file with two trees, with runs that are not those of others.
    pub fn beside_others(db: Db, runs: i64) -> Steps {
        Steps { before: i64::from(std::process::id()) << 8, ..Steps::of(db, STEP, runs) }
    }

    fn of(db: Db, insert: &str, runs: i64) -> Steps {
        let insert = db.prepare(insert);
        let [begin, commit] = ["BEGIN IMMEDIATE", "COMMIT"].map(|sql| db.prepare(sql));
        Steps { begin, insert, commit, _db: db, before: 0, runs, number: 0, result: result_of(200) }
    }

    /// A function of its own, so that a profile counts its calls, as `Work::do_step`.
    #[inline(never)]
    pub fn add(&mut self) {
        self.number += 1;
        let name = format!("step-{}", self.number);
        self.begin.run();
        for run in 1..=self.runs {
            self.insert.number(1, self.before + run).text(2, &name).number(3, self.number);
            self.insert.text(4, &self.result).run();
        }
        self.commit.run();
    }

    /// Rows per second.
    pub fn rate(&mut self) -> f64 {
        rate(|| self.add()) * self.runs as f64
    }
}

/// Makes a file with the table of steps and its index.
pub fn make_two_trees(path: &Path) {
    let schema = schema::of_store(path.parent().unwrap());
    let (table, index) = ("sw_workflow_steps", "steps_of_run");
    let [table, index] = [table, index].map(|name| schema::script(&schema, name));
    Db::open(path, "FULL").batch(&format!("{table};{index}"));
}

const SUBMIT_RUN: &str = "
INSERT INTO sw_workflow_runs (run_key, run_id, lane_key, created_at_ms, priority, args)
VALUES (?1, ?2, 1, 1700000000000 + ?1, 0, 'null')";
const SUBMIT_TASK: &str = "
INSERT INTO sw_workflow_tasks (
    task_key, lane_key, state, priority, due_at_ms, fence, failures, losses, flags, waits_left
)
VALUES (?1, 1, 1, 0, 1700000000000 + ?1, 0, 0, 0, 0, 0)";
const CLAIM: &str = "
UPDATE sw_workflow_tasks
SET version = version + 1, state = 2, fence = fence + 1, owner_key = 1, lease_until_up_ms = 9000000,
    lease_ms = 60000, claimed_at_ms = 1700000000001, token = 123456789
WHERE task_key = (
    SELECT task_key
    FROM sw_workflow_tasks
    WHERE lane_key = 1 AND state = 1
    ORDER BY priority, due_at_ms, task_key
    LIMIT 1
)
RETURNING task_key";
const END_RUN: &str = "
UPDATE sw_workflow_runs
SET outcome = 1, finished_at_ms = 1700000000002, attempts = 1, tries = 0, result = 'true'
WHERE run_key = ?1";
const END_ATTEMPT: &str = "
INSERT INTO sw_workflow_attempts (run_key, number, ended, started_at_ms, ended_at_ms)
VALUES (?1, 1, 1, 1700000000001, 1700000000002)";
const END_TASK: &str = "
DELETE FROM sw_workflow_tasks
WHERE task_key = ?1";

/// Runs through a queue, in the tables of a store: so many are submitted in a commit, claimed in one, and
/// completed in one. What a store keeps for lists of runs, a row in a hundred runs, is left out.
pub struct Queue {
    begin: Statement,
    commit: Statement,
    submit: [Statement; 2],
    claim: Statement,
    end: [Statement; 3],
    _db: Db,
    many: usize,
    submitted: i64,
}

impl Queue {
    pub fn new(path: &Path, many: usize) -> Queue {
        let schema = schema::of_store(path.parent().unwrap());
        let db = Db::open(path, "FULL");
        db.batch(&format!("BEGIN; {}; COMMIT;", schema::script(&schema, "")));
        let [begin, commit] = ["BEGIN IMMEDIATE", "COMMIT"].map(|sql| db.prepare(sql));
        let submit = [SUBMIT_RUN, SUBMIT_TASK].map(|sql| db.prepare(sql));
        let end = [END_RUN, END_ATTEMPT, END_TASK].map(|sql| db.prepare(sql));
        let claim = db.prepare(CLAIM);
        Queue { begin, commit, submit, claim, end, _db: db, many, submitted: 0 }
    }

    /// Runs per second.
    pub fn rate(&mut self) -> f64 {
        rate(|| self.round()) * self.many as f64
    }

    #[inline(never)]
    fn round(&mut self) {
        self.begin.run();
        for _ in 0..self.many {
            self.submitted += 1;
            // Grows, as ids do.
            let id = (self.submitted as u128).to_be_bytes();
            self.submit[0].number(1, self.submitted).blob(2, &id).run();
            self.submit[1].number(1, self.submitted).run();
        }
        self.commit.run();
        self.begin.run();
        let claimed: Vec<i64> = (0..self.many).map(|_| self.claim.run()).collect();
        self.commit.run();
        self.begin.run();
        for key in claimed {
            assert!(key > 0, "what was submitted is there");
            for statement in &self.end {
                statement.number(1, key).run();
            }
        }
        self.commit.run();
    }
}
