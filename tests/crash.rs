//! Killing: processes that submit, claim, step and finish are killed at any instant, again and again.
//! What they had been told is stored must be there; what they had not been told must be whole or
//! absent; and the store goes on.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a test")]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test says what it wants and refuses the rest"
)]

#[path = "crash/acts.rs"]
mod acts;
#[path = "crash/retention.rs"]
mod retention;
mod support;
#[path = "crash/waits.rs"]
mod waits;

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension};
use smolwf::domain::claim::Claim;
use smolwf::domain::submit::Submit;
use smolwf::domain::{AfterFail, Durability, FailOptions};
use smolwf::handles::attempt::Attempt;
use smolwf::handles::begin::Begun;
use smolwf::handles::store::{Store, StoreOptions};

use support::actor::listen;
use support::audit::{
    all, assert_tries_follow_from_history, assert_whole, connect, payload as payload_of,
};
use support::{Actor, Draws, Guard, PATIENCE, Role, code, keyed, named, open, options, say, work};

const THREADS: u64 = 4;
const FILES: u64 = 5;
const ROUNDS: u64 = 8;
/// Facts that a process notes before it is killed, at most.
const FACTS_BYTES: u64 = 120_000;

// ---------------------------------------------------------------------------------------------
// The one that is killed

/// What a process was told, in the order it was told. Each fact is one write to an append-only file,
/// so that it outlives the process as the store must. A kill can cut a write short: so a fact begins
/// with the end of a line, and says at its own end that it is whole.
struct Facts(File);

impl Facts {
    fn open(db: &Path) -> Facts {
        Facts(OpenOptions::new().create(true).append(true).open(facts_path(db)).unwrap())
    }

    fn note(&self, fields: [&str; 4]) {
        (&self.0).write_all(format!("\n{}{WHOLE}", fields.join("\t")).as_bytes()).unwrap();
    }
}

/// The end of a fact.
const WHOLE: &str = "\t.";

fn facts_path(db: &Path) -> PathBuf {
    db.with_file_name("facts")
}

/// Takes turns, in some threads, until the test says that it is enough.
fn load(role: &Role, turn: impl Fn(&Arc<Store>, &Facts, &str, &mut Draws) + Sync) {
    let (life, seed) = role.extra.split_once(' ').unwrap();
    let seed: u64 = seed.parse().unwrap();
    let durability = if seed.is_multiple_of(2) { Durability::Power } else { Durability::Process };
    let store = Store::open(&role.db, &StoreOptions { durability, ..options() }).unwrap();
    store.init().unwrap();
    let facts = Facts::open(&role.db);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, facts, is_over, turn) = (&store, &facts, &is_over, &turn);
            let life = format!("{life}.{thread}");
            let mut draws = Draws::of(seed.wrapping_add(thread));
            scope.spawn(move || {
                for at in 0.. {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    turn(store, facts, &format!("{life}.{at}"), &mut draws);
                }
            });
        }
        // Said by a test that wants an orderly end; a test that is gone ends this as well.
        listen();
        is_over.store(true, Ordering::Relaxed);
    });
    store.close();
}

fn work_on(store: &Arc<Store>, facts: &Facts, key: &str, draws: &mut Draws) {
    if draws.below(3) == 0 {
        submit(store, facts, key, draws);
    } else if let Some(attempt) = store.claim(claim(key)).unwrap() {
        live(&attempt, facts, draws);
    }
}

fn submit(store: &Store, facts: &Facts, key: &str, draws: &mut Draws) {
    let submit = Submit {
        args: Some(format!("{{\"key\":\"{key}\",\"pad\":\"{}\"}}", pad(draws))),
        max_tries: [0, 2, 1_000][draws.below(3) as usize],
        backoff_initial_ms: 1,
        backoff_max_ms: 1,
        ..keyed(key)
    };
    let submitted = store.submit(submit).unwrap();
    assert!(!submitted.existed, "key {key}");
    facts.note(["submit", &submitted.run_id, key, ""]);
}

/// A lease so long that only the death of its owner can end it (P12).
fn claim(worker: &str) -> Claim {
    Claim { lease_ms: 3_600_000, worker: Some(worker.into()), ..Claim::default() }
}

fn live(attempt: &Arc<Attempt>, facts: &Facts, draws: &mut Draws) {
    let (run, number) = (attempt.run_id().as_str().to_owned(), attempt.number());
    // As many steps as the run's id says, so that each attempt means the same ones.
    let steps = u64::from(*run.as_bytes().last().unwrap()) % 4;
    for step in 0..steps {
        let name = format!("step {step}");
        let durability = if step % 2 == 0 { Durability::Inherit } else { Durability::Process };
        let begin = smolwf::domain::step::Begin { durability, ..named(&name) };
        match attempt.step_begin(begin).unwrap() {
            Begun::Run(step) => {
                let result = payload(number, draws);
                step.complete(Some(result.clone())).unwrap();
                facts.note(["step", &run, &name, &result]);
            }
            Begun::Replayed(step) => {
                facts.note(["replay", &run, &name, step.result().unwrap().as_str()]);
            }
            Begun::Failed(_) | Begun::Suspended => panic!("no step fails here"),
        }
    }
    end(attempt, facts, draws);
}

fn end(attempt: &Attempt, facts: &Facts, draws: &mut Draws) {
    let (run, number) = (attempt.run_id().as_str(), attempt.number());
    let payload = payload(number, draws);
    let number = number.to_string();
    match draws.below(8) {
        0 | 1 => {
            let is_terminal = draws.below(4) == 0;
            let options = FailOptions { is_terminal, retry_after_ms: 0 };
            let after = attempt.fail(Some(payload.clone()), options).unwrap();
            let kind = if after == AfterFail::Final { "fail" } else { "retry" };
            facts.note([kind, run, &number, &payload]);
        }
        2 => {
            attempt.release(0).unwrap();
            facts.note(["release", run, &number, ""]);
        }
        _ => {
            attempt.complete(Some(payload.clone())).unwrap();
            facts.note(["complete", run, &number, &payload]);
        }
    }
}

/// No two are alike, and each says who made it.
fn payload(attempt: u32, draws: &mut Draws) -> String {
    format!(
        "{{\"attempt\":{attempt}, \"nonce\":\"{:x}\",\"pad\":\"{}\"}}",
        draws.next(),
        pad(draws)
    )
}

fn pad(draws: &mut Draws) -> String {
    let len = match draws.below(20) {
        0 => 9_000,
        1..=4 => 600,
        _ => draws.below(80),
    };
    "x".repeat(len as usize)
}

// ---------------------------------------------------------------------------------------------
// The one that kills

/// P6, P7, P9, P12, P13, P16, P17.
#[test]
fn what_was_acknowledged_outlives_any_kill_and_nothing_is_left_half_done() {
    const TEST: &str = "what_was_acknowledged_outlives_any_kill_and_nothing_is_left_half_done";
    if let Some(role) = Role::mine() {
        return load(&role, work_on);
    }
    let mut facts = 0;
    kill_again_and_again(TEST, (FILES, ROUNDS), FACTS_BYTES, |db| facts = verify(db));
    assert!(facts > 0, "nothing was ever acknowledged");
}

/// Kills the load of a test on some files, some times each, after so many bytes of facts at most, and
/// looks at the file after each kill.
fn kill_again_and_again(
    test: &str,
    (files, rounds): (u64, u64),
    bytes_max: u64,
    mut verify: impl FnMut(&Path),
) {
    let _guard = Guard::new(test);
    let mut draws = Draws::seeded();
    for file in 0..files {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("db");
        for round in 0..rounds {
            let life = format!("{file}.{round}");
            let start = |twin: &str, draws: &mut Draws| {
                let extra = format!("{life}{twin} {}", draws.next() >> 1);
                Actor::start(test, "load", &db, &extra)
            };
            let first = start("a", &mut draws);
            let second = (draws.below(3) == 0).then(|| start("b", &mut draws));
            disturb(first, second, (&db, bytes_max), &mut draws);
            verify(&db);
        }
    }
}

/// Lets the load run for a while and kills it, one process after the other.
fn disturb(
    mut first: Actor,
    second: Option<Actor>,
    (db, bytes_max): (&Path, u64),
    draws: &mut Draws,
) {
    if draws.below(5) == 0 {
        // Perhaps before the file is opened, perhaps while it is migrated.
        std::thread::sleep(Duration::from_micros(draws.below(40_000)));
        return first.kill();
    }
    let bytes = 2_000 + draws.below(bytes_max);
    wait_for_facts(db, bytes, &mut first, draws);
    first.kill();
    let Some(mut second) = second else { return };
    wait_for_facts(db, 2_000 + draws.below(bytes_max / 3), &mut second, draws);
    if draws.below(2) == 0 {
        second.kill();
    } else {
        second.tell("enough");
        assert!(second.succeeds(), "the one that was not killed failed");
    }
}

/// Waits until so many more bytes of facts are noted, and a moment more.
fn wait_for_facts(db: &Path, bytes: u64, actor: &mut Actor, draws: &mut Draws) {
    let noted = || std::fs::metadata(facts_path(db)).map_or(0, |facts| facts.len());
    let (started, goal) = (Instant::now(), noted() + bytes);
    while noted() < goal {
        assert!(!actor.has_ended(), "it ended by itself");
        assert!(started.elapsed() < PATIENCE, "it does nothing");
        // Polls.
        std::thread::sleep(Duration::from_micros(200));
    }
    // The instant of the kill, drawn.
    std::thread::sleep(Duration::from_micros(draws.below(3_000)));
}

/// Checks everything that was ever acknowledged in a file whose processes are all gone, and returns
/// how much that is.
fn verify(db: &Path) -> usize {
    let facts = read_facts(db);
    let store = open(db);
    for [kind, run, key, _] in &facts {
        if kind == "submit" {
            let found = store.find("", key).unwrap();
            assert_eq!(found.as_deref(), Some(run.as_str()), "the run of key {key}");
        }
    }
    takes_over_everything(&store);
    store.close();
    let conn = connect(db);
    assert_whole(&conn);
    assert_tries_follow_from_history(&conn);
    assert_facts(&conn, &facts);
    facts.len()
}

fn read_facts(db: &Path) -> Vec<[String; 4]> {
    let text = std::fs::read_to_string(facts_path(db)).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.strip_suffix(WHOLE))
        .map(|line| {
            let fields: Vec<String> = line.split('\t').map(str::to_owned).collect();
            fields.try_into().unwrap_or_else(|fields| panic!("not a fact: {fields:?}"))
        })
        .collect()
}

/// P12: claims without waiting, and finds every run of the dead.
fn takes_over_everything(store: &Arc<Store>) {
    let mut held = Vec::new();
    while let Some(attempt) = store.claim(claim("heir")).unwrap() {
        held.push(attempt);
    }
    for attempt in &held {
        let document = store.run_get(attempt.run_id().as_str()).unwrap();
        let document: serde_json::Value = serde_json::from_str(&document).unwrap();
        assert_eq!(document["state"], "running");
        assert_eq!(document["attempts"], attempt.number());
    }
    // The store goes on working: some end now, the others are given back by its close.
    for (at, attempt) in held.iter().enumerate().filter(|(at, _)| at % 4 == 0) {
        attempt.complete(Some(format!("{{\"heir\":{at}}}"))).unwrap();
    }
}

/// Compares what the processes were told with what the file holds, byte for byte.
fn assert_facts(conn: &Connection, facts: &[[String; 4]]) {
    let left_over = all(conn, "SELECT task_key FROM sw_workflow_tasks WHERE state = 2", |row| {
        row.get::<_, i64>(0)
    });
    assert!(left_over.is_empty(), "still held by the dead: {left_over:?}");
    let mut steps: HashMap<(&str, &str), &str> = HashMap::new();
    let mut ends: HashMap<&str, &str> = HashMap::new();
    for [kind, run, name, payload] in facts {
        let stored = |sql: &str| -> Option<String> {
            let id = smolwf::id::parse("run", run).unwrap().to_bytes();
            let statement =
                conn.prepare(sql).unwrap().query_row(rusqlite::params![id, name], |row| row.get(0));
            statement.optional().unwrap().map(|column| payload_of(conn, column))
        };
        match kind.as_str() {
            "submit" => assert_eq!(stored(KEY).as_ref(), Some(name)),
            "step" | "replay" => {
                assert_eq!(stored(STEP).as_ref(), Some(payload), "{name} of {run}");
                let first = steps.entry((run, name)).or_insert(payload);
                assert_eq!(first, payload, "{name} of {run} was told in two ways");
            }
            "complete" | "fail" => {
                let sql = if kind == "complete" { RESULT } else { ERROR };
                assert_eq!(stored(sql).as_ref(), Some(payload), "the end of {run}");
                assert_eq!(ends.insert(run, payload), None, "{run} ended twice");
            }
            "retry" => assert_eq!(stored(RETRIED).as_ref(), Some(payload), "{name} of {run}"),
            "release" => assert!(stored(RELEASED).is_some(), "attempt {name} of {run}"),
            other => panic!("no such fact: {other}"),
        }
    }
}

const KEY: &str = "
SELECT idem_key FROM sw_workflow_runs WHERE run_id = ?1 AND idem_key = ?2";

const STEP: &str = "
SELECT s.result FROM sw_workflow_steps AS s JOIN sw_workflow_runs AS r ON r.run_key = s.run_key
WHERE r.run_id = ?1 AND s.name = ?2 AND s.occurrence = 1 AND s.state = 2";

const RESULT: &str = "
SELECT result FROM sw_workflow_runs
WHERE run_id = ?1 AND outcome = 1 AND attempts = CAST(?2 AS INTEGER)";

const ERROR: &str = "
SELECT error FROM sw_workflow_runs
WHERE run_id = ?1 AND outcome = 2 AND attempts = CAST(?2 AS INTEGER)";

const RETRIED: &str = "
SELECT a.error FROM sw_workflow_attempts AS a JOIN sw_workflow_runs AS r ON r.run_key = a.run_key
WHERE r.run_id = ?1 AND a.number = CAST(?2 AS INTEGER) AND a.ended = 3";

const RELEASED: &str = "
SELECT 'released' FROM sw_workflow_attempts AS a JOIN sw_workflow_runs AS r ON r.run_key = a.run_key
WHERE r.run_id = ?1 AND a.number = CAST(?2 AS INTEGER) AND a.ended = 4";

// ---------------------------------------------------------------------------------------------
// One kill at a time

/// P13: a run that kills its worker each time ends as failed, after as many kills as it has tries.
#[test]
fn a_run_that_kills_its_worker_every_time_fails_with_tries() {
    const TEST: &str = "a_run_that_kills_its_worker_every_time_fails_with_tries";
    if let Some(role) = Role::mine() {
        return hold_one(&role, false);
    }
    let _guard = Guard::new(TEST);
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("db");
    let store = open(&db);
    let run_id = store.submit(work()).unwrap().run_id;
    for number in 1..=3 {
        let mut worker = Actor::start(TEST, "worker", &db, "");
        assert_eq!(worker.hear(), number.to_string());
        worker.kill();
    }
    assert!(store.claim(Claim::default()).unwrap().is_none());
    let document: serde_json::Value =
        serde_json::from_str(&store.run_get(&run_id).unwrap()).unwrap();
    assert_eq!(document["state"], "failed", "{document}");
    assert_eq!((&document["attempts"], &document["tries"]), (&3.into(), &3.into()));
    assert_eq!(document["error"]["$smolwf"], "tries");
    store.close();
    assert_whole(&connect(&db));
}

/// P13: whoever gets a step further each time is never used up.
#[test]
fn a_run_that_gets_a_step_further_before_each_kill_goes_on() {
    const TEST: &str = "a_run_that_gets_a_step_further_before_each_kill_goes_on";
    if let Some(role) = Role::mine() {
        return hold_one(&role, true);
    }
    let _guard = Guard::new(TEST);
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("db");
    let store = open(&db);
    store.submit(work()).unwrap();
    for number in 1..=6 {
        let mut worker = Actor::start(TEST, "worker", &db, &format!("step {number}"));
        assert_eq!(worker.hear(), number.to_string());
        worker.kill();
    }
    let attempt = store.claim(Claim::default()).unwrap().expect("it was used up");
    assert_eq!(attempt.number(), 7);
    for number in 1..=6 {
        let begun = attempt.step_begin(named(&format!("step {number}"))).unwrap();
        assert!(matches!(begun, Begun::Replayed(_)), "step {number}");
    }
    attempt.complete(None).unwrap();
    store.close();
}

fn hold_one(role: &Role, records: bool) {
    let store = open(&role.db);
    let attempt = store.claim(claim("doomed")).unwrap().unwrap();
    if records {
        support::run(&attempt, named(&role.extra)).complete(None).unwrap();
    }
    say(&attempt.number().to_string());
    listen();
}

/// P16, P18: at most once for a tracked step with one try, at least once for others.
#[test]
fn a_tracked_step_that_was_killed_is_interrupted_and_an_untracked_one_runs_again() {
    const TEST: &str =
        "a_tracked_step_that_was_killed_is_interrupted_and_an_untracked_one_runs_again";
    let tracked =
        || smolwf::domain::step::Begin { is_tracked: true, max_tries: 1, ..named("tracked") };
    if let Some(role) = Role::mine() {
        let store = open(&role.db);
        let attempt = store.claim(claim("doomed")).unwrap().unwrap();
        let _open = (support::run(&attempt, tracked()), support::run(&attempt, named("plain")));
        say("in both");
        listen();
        return;
    }
    let _guard = Guard::new(TEST);
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("db");
    let store = open(&db);
    store.submit(work()).unwrap();
    let mut worker = Actor::start(TEST, "worker", &db, "");
    assert_eq!(worker.hear(), "in both");
    worker.kill();
    let attempt = store.claim(Claim::default()).unwrap().unwrap();
    match attempt.step_begin(tracked()).unwrap() {
        Begun::Failed(step) => {
            let error = step.error().unwrap();
            assert!(error.as_str().contains(r#""$smolwf":"interrupted""#), "{}", error.as_str());
        }
        _ => panic!("a step that was to run at most once ran again"),
    }
    assert_eq!(support::run(&attempt, named("plain")).tries(), 1);
    store.close();
}

/// P10: who was taken for dead, or slow, writes nothing any more.
#[test]
fn a_stopped_worker_whose_lease_lapsed_finds_its_fence_lost() {
    const TEST: &str = "a_stopped_worker_whose_lease_lapsed_finds_its_fence_lost";
    if let Some(role) = Role::mine() {
        let store = open(&role.db);
        let lease = Claim { lease_ms: 1_000, ..Claim::default() };
        let attempt = store.claim(lease).unwrap().unwrap();
        let step = support::run(&attempt, named("late"));
        say("held");
        listen();
        let answers = [
            code(&step.complete(Some("\"late\"".into()))),
            code(&attempt.heartbeat(0)),
            code(&attempt.check()),
            code(&attempt.complete(None)),
        ];
        say(&format!("{answers:?}"));
        return;
    }
    let _guard = Guard::new(TEST);
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("db");
    let store = open(&db);
    let run_id = store.submit(work()).unwrap().run_id;
    let mut worker = Actor::start(TEST, "worker", &db, "");
    assert_eq!(worker.hear(), "held");
    worker.signal("STOP");
    let attempt = store.claim(support::waiting()).unwrap().unwrap();
    assert_eq!(attempt.number(), 2);
    worker.signal("CONT");
    worker.tell("go on");
    assert_eq!(worker.hear(), "[-20, -20, -20, -20]");
    assert!(worker.succeeds());
    let history = store.run_history(&run_id, None, 0).unwrap();
    assert!(!history.contains("late"), "{history}");
    attempt.complete(None).unwrap();
    store.close();
}
