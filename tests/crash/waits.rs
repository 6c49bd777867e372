//! The same for runs that wait: for time, for messages, for children, parked and cancelled meanwhile.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use rusqlite::{Connection, OptionalExtension};
use smolwf::domain::claim::Claim;
use smolwf::domain::submit::Submit;
use smolwf::error::{Error, Result};
use smolwf::handles::attempt::Attempt;
use smolwf::handles::begin::Begun;
use smolwf::handles::store::Store;
use smolwf::handles::wait::Waited;

use super::support::audit::{all, assert_whole, connect, payload as payload_of};
use super::support::{Draws, Role, keyed, named, open, work};
use super::{
    FACTS_BYTES, Facts, claim, kill_again_and_again, load, payload, read_facts,
    takes_over_everything,
};

const TEST: &str = "waits::what_runs_wait_for_outlives_any_kill";
const FILES: u64 = 3;
const ROUNDS: u64 = 6;

/// P6, P13, P22 to P26.
#[test]
fn what_runs_wait_for_outlives_any_kill() {
    if let Some(role) = Role::mine() {
        let known = Mutex::new(Vec::new());
        return load(&role, |store, facts, key, draws| {
            Load { store, facts, known: &known }.turn(key, draws);
        });
    }
    let mut kinds = HashSet::new();
    kill_again_and_again(TEST, (FILES, ROUNDS), FACTS_BYTES, |db| kinds.extend(verify(db)));
    for kind in ["suspend", "sent", "child", "answer", "cancel", "complete"] {
        assert!(kinds.contains(kind), "no {kind} was ever acknowledged");
    }
}

// ---------------------------------------------------------------------------------------------
// The one that is killed

/// What a process shares among its threads.
struct Load<'load> {
    store: &'load Arc<Store>,
    facts: &'load Facts,
    /// Runs that it knows of, to send messages to.
    known: &'load Mutex<Vec<String>>,
}

impl Load<'_> {
    fn turn(&self, key: &str, draws: &mut Draws) {
        match draws.below(12) {
            0 | 1 => {
                let submit = Submit { max_tries: 1_000, ..keyed(key) };
                let run = self.store.submit(submit).unwrap().run_id;
                self.facts.note(["submit", &run, key, ""]);
                self.known.lock().unwrap().push(run);
            }
            2..=4 => self.send(key, draws),
            5 if draws.below(6) == 0 => self.cancel(draws),
            _ => {
                if let Some(attempt) = self.store.claim(claim("waiter")).unwrap() {
                    self.known.lock().unwrap().push(attempt.run_id().as_str().to_owned());
                    self.live(&attempt, draws);
                }
            }
        }
    }

    fn some_run(&self, draws: &mut Draws) -> Option<String> {
        let known = self.known.lock().unwrap();
        let from = known.len().saturating_sub(20);
        (known.len() > from)
            .then(|| known[from + draws.below((known.len() - from) as u64) as usize].clone())
    }

    fn send(&self, key: &str, draws: &mut Draws) {
        let Some(run) = self.some_run(draws) else { return };
        let payload = format!("\"{key}\"");
        match self.store.signal_send(&run, "news", Some(payload), Some(key)) {
            Ok(_) => self.facts.note(["sent", &run, key, ""]),
            Err(Error::Conflict(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }

    fn cancel(&self, draws: &mut Draws) {
        let Some(run) = self.some_run(draws) else { return };
        match self.store.cancel(&run, None) {
            Ok(()) => self.facts.note(["cancel", &run, "", ""]),
            Err(Error::Conflict(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }

    fn live(&self, attempt: &Arc<Attempt>, draws: &mut Draws) {
        let (run, number) = (attempt.run_id().as_str(), attempt.number().to_string());
        match self.go_through(attempt, draws) {
            Ok(true) => {
                let payload = payload(attempt.number(), draws);
                match attempt.complete(Some(payload.clone())) {
                    Ok(()) => self.facts.note(["complete", run, &number, &payload]),
                    Err(Error::Cancelled(_)) => {}
                    Err(other) => panic!("{other}"),
                }
            }
            Ok(false) => match attempt.suspend() {
                Ok(()) => self.facts.note(["suspend", run, &number, ""]),
                Err(Error::Cancelled(_)) => {}
                Err(other) => panic!("{other}"),
            },
            Err(Error::Cancelled(_)) => {
                let end = attempt.release(0);
                assert!(matches!(end, Err(Error::Cancelled(_))), "{end:?}");
            }
            Err(other) => panic!("{other}"),
        }
    }

    /// Does what the run's id says, so that each attempt means the same; `false` when it must wait.
    fn go_through(&self, attempt: &Arc<Attempt>, draws: &mut Draws) -> Result<bool> {
        let run = attempt.run_id().as_str();
        if let Begun::Run(step) = attempt.step_begin(named("first"))? {
            step.complete(Some(payload(attempt.number(), draws)))?;
        }
        if attempt.parent_run_id().is_some() {
            return Ok(true);
        }
        match run.as_bytes().last().unwrap() % 4 {
            0 => self.noted(run, "1 nap 1", attempt.sleep("nap", 3)?),
            1 => {
                let first = attempt.signal_await("news", -1)?;
                if !self.noted(run, "2 news 1", first)? {
                    return Ok(false);
                }
                self.noted(run, "2 news 2", attempt.signal_await("news", 25)?)
            }
            2 => {
                let kid = self.child(attempt, "kid")?;
                self.noted(run, &format!("2 {kid} 1"), attempt.child_await(&kid, -1)?)
            }
            _ => {
                let kids = [self.child(attempt, "kid")?, self.child(attempt, "kid")?];
                let waits = format!(
                    "[{{\"child\":\"{}\"}},{{\"sleep_ms\":2}},{{\"child\":\"{}\"}}]",
                    kids[0], kids[1]
                );
                self.noted(run, "2 all 1", attempt.await_all("all", &waits, -1)?)
            }
        }
    }

    fn child(&self, attempt: &Attempt, name: &str) -> Result<String> {
        let child = attempt.child_submit(name, Submit { max_tries: 1_000, ..work() })?.run_id;
        self.facts.note(["child", attempt.run_id().as_str(), name, &child]);
        Ok(child)
    }

    fn noted(&self, run: &str, what: &str, waited: Waited) -> Result<bool> {
        match waited {
            Waited::Ready(text) | Waited::Failed(text) => {
                self.facts.note(["answer", run, what, &text]);
            }
            Waited::TimedOut => self.facts.note(["timeout", run, what, ""]),
            Waited::NotYet => return Ok(false),
        }
        Ok(true)
    }
}

// ---------------------------------------------------------------------------------------------
// The one that looks

/// Checks everything that was ever acknowledged, and returns the kinds of that.
fn verify(db: &Path) -> HashSet<String> {
    let facts = read_facts(db);
    let store = open(db);
    takes_over_everything(&store);
    store.close();
    // What the close ended may have children: a claim anywhere brings their end about.
    let store = open(db);
    let nowhere = Claim { queue: Some("nowhere".into()), ..Claim::default() };
    assert!(store.claim(nowhere).unwrap().is_none());
    store.close();
    let conn = connect(db);
    assert_whole(&conn);
    for (fault, sql) in LOST {
        let found: Vec<i64> = all(&conn, sql, |row| row.get(0));
        assert!(found.is_empty(), "{fault}: {found:?}");
    }
    assert_facts(&conn, &facts);
    facts.into_iter().map(|[kind, ..]| kind).collect()
}

const LOST: [(&str, &str); 6] = [
    (
        "a run waits for a child that has ended",
        "SELECT w.task_key FROM sw_workflow_waits AS w
         JOIN sw_workflow_runs AS r ON r.run_key = w.target_key AND w.kind = 1
         WHERE r.outcome IS NOT NULL",
    ),
    (
        "a run waits for a message that lies there",
        "SELECT w.task_key FROM sw_workflow_waits AS w
         JOIN sw_workflow_signals AS s ON s.run_key = w.task_key AND s.name = w.name
         WHERE w.kind = 2 AND w.amount <= 1 AND s.consumed_by IS NULL",
    ),
    (
        "a run waits for nothing, or does not wait and has waits",
        "SELECT t.task_key FROM sw_workflow_tasks AS t
         WHERE t.state = 3 AND t.wake_at_ms IS NULL
             AND t.task_key NOT IN (SELECT task_key FROM sw_workflow_waits)
         UNION ALL SELECT w.task_key FROM sw_workflow_waits AS w
         WHERE w.task_key NOT IN (SELECT task_key FROM sw_workflow_tasks WHERE state = 3)",
    ),
    (
        "a message was taken and no await tells of it",
        "SELECT s.signal_key FROM sw_workflow_signals AS s
         WHERE s.consumed_by IS NOT NULL AND NOT EXISTS (
             SELECT 1 FROM sw_workflow_steps AS p
             WHERE p.step_key = s.consumed_by AND p.run_key = s.run_key AND p.kind = 2 AND p.state = 2)",
    ),
    (
        "a cancelled run has a child that is open",
        "SELECT c.run_key FROM sw_workflow_runs AS c
         JOIN sw_workflow_runs AS p ON p.run_key = c.parent_key
         WHERE p.outcome = 3 AND c.outcome IS NULL",
    ),
    (
        "a child without a record of its parent, or a record without a child",
        "SELECT p.run_key FROM sw_workflow_runs AS p
         WHERE (SELECT count(*) FROM sw_workflow_runs AS c WHERE c.parent_key = p.run_key)
             <> (SELECT count(*) FROM sw_workflow_steps AS s WHERE s.run_key = p.run_key AND s.kind = 3)",
    ),
];

fn assert_facts(conn: &Connection, facts: &[[String; 4]]) {
    let mut answers: HashMap<(&str, &str), &str> = HashMap::new();
    let mut taken: HashMap<(&str, &str), &str> = HashMap::new();
    for [kind, run, name, text] in facts {
        let id = smolwf::id::parse("run", run).unwrap().to_bytes();
        let stored = |sql: &str, argument: &str| -> Option<String> {
            let statement = conn
                .prepare(sql)
                .unwrap()
                .query_row(rusqlite::params![id, argument], |row| row.get(0));
            statement.optional().unwrap().map(|column| payload_of(conn, column))
        };
        match kind.as_str() {
            "submit" => assert_eq!(stored(super::KEY, name).as_ref(), Some(name)),
            "sent" => assert!(stored(SENT, name).is_some(), "message {name} to {run}"),
            "suspend" => assert!(stored(SUSPENDED, name).is_some(), "attempt {name} of {run}"),
            "cancel" => assert!(stored(CANCELLED, "").is_some(), "{run} was cancelled"),
            "complete" => assert_eq!(stored(super::RESULT, name).as_ref(), Some(text)),
            "child" => {
                let children: Vec<String> = children(conn, id);
                assert!(children.contains(text), "{text} of {run}");
            }
            "answer" | "timeout" => {
                let first = answers.entry((run, name)).or_insert(text);
                assert_eq!(first, text, "{name} of {run} was answered in two ways");
                assert_eq!(stored(ANSWER, name).as_ref(), Some(text), "{name} of {run}");
                if name.starts_with("2 news") && kind == "answer" {
                    let by = taken.entry((run, text)).or_insert(name);
                    assert_eq!(by, name, "message {text} of {run} was taken twice");
                }
            }
            other => panic!("no such fact: {other}"),
        }
    }
}

fn children(conn: &Connection, id: [u8; 16]) -> Vec<String> {
    let mut statement = conn.prepare(CHILDREN).unwrap();
    let ids = statement.query_map([id], |row| row.get::<_, [u8; 16]>(0)).unwrap();
    ids.map(|id| smolwf::id::write("run", smolwf::id::Id::from_bytes(id.unwrap()))).collect()
}

const SENT: &str = "
SELECT 'sent' FROM sw_workflow_signals AS s JOIN sw_workflow_runs AS r ON r.run_key = s.run_key
WHERE r.run_id = ?1 AND s.idem_key = ?2";

const SUSPENDED: &str = "
SELECT 'parked' FROM sw_workflow_attempts AS a JOIN sw_workflow_runs AS r ON r.run_key = a.run_key
WHERE r.run_id = ?1 AND a.number = CAST(?2 AS INTEGER) AND a.ended = 5";

const CANCELLED: &str = "
SELECT 'cancelled' || ?2 FROM sw_workflow_runs WHERE run_id = ?1 AND outcome = 3";

const ANSWER: &str = "
SELECT CASE s.state WHEN 5 THEN '' ELSE coalesce(s.result, s.error) END
FROM sw_workflow_steps AS s JOIN sw_workflow_runs AS r ON r.run_key = s.run_key
WHERE r.run_id = ?1 AND s.state IN (2, 3, 5)
    AND s.kind || ' ' || s.name || ' ' || s.occurrence = ?2";

const CHILDREN: &str = "
SELECT c.run_id FROM sw_workflow_runs AS c JOIN sw_workflow_runs AS p ON p.run_key = c.parent_key
WHERE p.run_id = ?1";
