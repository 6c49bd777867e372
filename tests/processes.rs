//! Many processes on one file: claiming, waiting, dying, stopping, forking.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

mod support;

use std::collections::{HashMap, HashSet};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use smolwf::domain::claim::Claim;
use smolwf::store::Store;
use tempfile::TempDir;

use support::actor::listen;
use support::audit::{all, assert_whole, connect};
use support::fork::fork;
use support::{
    Actor, Guard, Role, code, keyed, named, number, open, options, run, say, waiting, work,
};

fn db() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("db");
    (folder, db)
}

/// A lease that lapses long after the test.
fn long() -> Claim {
    Claim { lease_ms: 3_600_000, ..waiting() }
}

/// P9, P39: none twice, none lost, and no lock surfaces.
#[test]
fn processes_of_many_threads_claim_each_run_once() {
    const TEST: &str = "processes_of_many_threads_claim_each_run_once";
    const RUNS: usize = 2_000;
    if let Some(role) = Role::mine() {
        return claim_all(&role);
    }
    let _guard = Guard::new(TEST);
    let (_folder, db) = db();
    let store = open(&db);
    let share = |_| (0..RUNS / 16).map(|_| store.submit(work()).unwrap().run_id).collect();
    let submitted: HashSet<String> = thread::scope(|scope| {
        let threads: Vec<_> =
            (0..16).map(|at| scope.spawn(move || -> Vec<String> { share(at) })).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    store.close();
    assert_eq!(submitted.len(), RUNS);
    let mut actors: Vec<Actor> =
        (0..4).map(|at| Actor::start(TEST, "worker", &db, &at.to_string())).collect();
    actors.iter_mut().for_each(|actor| assert_eq!(actor.hear(), "ready"));
    actors.iter_mut().for_each(|actor| actor.tell("go"));
    let counts: Vec<usize> = actors.iter_mut().map(|a| a.hear().parse().unwrap()).collect();
    assert!(actors.into_iter().all(Actor::succeeds));
    assert_eq!(counts.iter().sum::<usize>(), RUNS, "{counts:?}");
    assert_effects_are_the_results(&db, &submitted);
}

fn effects_path(db: &Path) -> PathBuf {
    db.with_file_name("effects")
}

fn claim_all(role: &Role) {
    let store = open(&role.db);
    let effects = OpenOptions::new().create(true).append(true).open(effects_path(&role.db));
    let effects = effects.unwrap();
    say("ready");
    listen();
    let claimed: usize = thread::scope(|scope| {
        let (store, effects) = (&store, &effects);
        let work = |thread: u32| {
            let me = format!("{}.{thread}", role.extra);
            scope.spawn(move || {
                let mut count = 0;
                while let Some(attempt) = store.claim(Claim::default()).unwrap() {
                    let step = run(&attempt, named("effect"));
                    let line = format!("{} {me}\n", attempt.run_id().as_str());
                    (&mut &*effects).write_all(line.as_bytes()).unwrap();
                    step.complete(Some(format!("\"{me}\""))).unwrap();
                    attempt.complete(None).unwrap();
                    count += 1;
                }
                count
            })
        };
        let threads: Vec<_> = (0..4).map(work).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    say(&claimed.to_string());
    store.close();
}

/// Each run had its effect once, outside the store, and its one step names who had it.
fn assert_effects_are_the_results(db: &Path, submitted: &HashSet<String>) {
    let text = std::fs::read_to_string(effects_path(db)).unwrap();
    let effects: Vec<(&str, &str)> =
        text.lines().map(|line| line.split_once(' ').unwrap()).collect();
    let by_run: HashMap<&str, &str> = effects.iter().copied().collect();
    assert_eq!(effects.len(), by_run.len(), "a run had its effect twice");
    assert_eq!(by_run.len(), submitted.len());
    let conn = connect(db);
    assert_whole(&conn);
    let steps = "SELECT r.run_id, s.result FROM sw_workflow_steps AS s
         JOIN sw_workflow_runs AS r ON r.run_key = s.run_key AND r.outcome = 1 AND r.attempts = 1";
    let steps: Vec<([u8; 16], String)> = all(&conn, steps, |row| Ok((row.get(0)?, row.get(1)?)));
    assert_eq!(steps.len(), submitted.len());
    for (id, result) in steps {
        let run_id = smolwf::id::write("run", smolwf::id::Id::from_bytes(id));
        assert!(submitted.contains(&run_id));
        assert_eq!(result, format!("\"{}\"", by_run[run_id.as_str()]));
    }
}

/// P8.
#[test]
fn one_key_submitted_by_many_processes_makes_one_run() {
    const TEST: &str = "one_key_submitted_by_many_processes_makes_one_run";
    const KEYS: usize = 60;
    if let Some(role) = Role::mine() {
        let store = open(&role.db);
        say("ready");
        listen();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for key in 0..KEYS {
                        let answer = store.submit(keyed(&key.to_string())).unwrap();
                        say(&format!("{key} {} {}", answer.run_id, answer.existed));
                    }
                });
            }
        });
        return store.close();
    }
    let _guard = Guard::new(TEST);
    let (_folder, db) = db();
    open(&db).close();
    let mut actors: Vec<Actor> = (0..4).map(|_| Actor::start(TEST, "host", &db, "")).collect();
    actors.iter_mut().for_each(|actor| assert_eq!(actor.hear(), "ready"));
    actors.iter_mut().for_each(|actor| actor.tell("go"));
    let mut runs: HashMap<String, HashSet<String>> = HashMap::new();
    let mut made = 0;
    for actor in &mut actors {
        for _ in 0..4 * KEYS {
            let said = actor.hear();
            let words: Vec<&str> = said.split(' ').collect();
            runs.entry(words[0].into()).or_default().insert(words[1].into());
            made += usize::from(words[2] == "false");
        }
    }
    assert!(actors.into_iter().all(Actor::succeeds));
    assert_eq!((runs.len(), made), (KEYS, KEYS));
    assert!(runs.values().all(|runs| runs.len() == 1), "{runs:?}");
}

/// A submit here wakes a claimer there.
#[test]
fn a_claimer_that_waits_in_another_process_gets_a_run_submitted_here() {
    const TEST: &str = "a_claimer_that_waits_in_another_process_gets_a_run_submitted_here";
    if let Some(role) = Role::mine() {
        let store = open(&role.db);
        for _ in 0..20 {
            say("waiting");
            let attempt = store.claim(waiting()).unwrap().unwrap();
            say(attempt.run_id().as_str());
            attempt.complete(None).unwrap();
        }
        return store.close();
    }
    let _guard = Guard::new(TEST);
    let (_folder, db) = db();
    let store = open(&db);
    let mut claimer = Actor::start(TEST, "claimer", &db, "");
    for _ in 0..20 {
        assert_eq!(claimer.hear(), "waiting");
        let run_id = store.submit(work()).unwrap().run_id;
        assert_eq!(claimer.hear(), run_id);
    }
    assert!(claimer.succeeds());
    store.close();
}

/// P12: whatever the lease, an OS lock tells.
#[test]
fn the_runs_of_a_killed_process_go_to_a_waiting_claimer() {
    const TEST: &str = "the_runs_of_a_killed_process_go_to_a_waiting_claimer";
    if let Some(role) = Role::mine() {
        let store = open(&role.db);
        let lease_ms = if role.extra == "alive" { u32::MAX } else { 3_600_000 };
        let _held: Vec<_> =
            (0..5).map(|_| store.claim(Claim { lease_ms, ..waiting() }).unwrap()).collect();
        say("held");
        listen();
        return;
    }
    let _guard = Guard::new(TEST);
    for lease in ["hour", "alive"] {
        let (_folder, db) = db();
        let store = open(&db);
        let runs: HashSet<String> = (0..5).map(|_| store.submit(work()).unwrap().run_id).collect();
        let mut worker = Actor::start(TEST, "worker", &db, lease);
        assert_eq!(worker.hear(), "held");
        assert!(store.claim(Claim::default()).unwrap().is_none(), "taken from the living");
        thread::scope(|scope| {
            let heirs: Vec<_> =
                (0..5).map(|_| scope.spawn(|| store.claim(long()).unwrap().unwrap())).collect();
            worker.kill();
            let taken: HashSet<String> = heirs
                .into_iter()
                .map(|heir| {
                    let attempt = heir.join().unwrap();
                    assert_eq!(attempt.number(), 2);
                    let document = store.run_get(attempt.run_id().as_str()).unwrap();
                    assert_eq!(number(&document, "tries"), 1, "a loss is charged");
                    attempt.run_id().as_str().to_owned()
                })
                .collect();
            assert_eq!(taken, runs);
        });
        store.close();
    }
}

/// P12: a process that is merely stopped is not dead.
#[test]
fn a_stopped_process_keeps_its_runs() {
    const TEST: &str = "a_stopped_process_keeps_its_runs";
    if let Some(role) = Role::mine() {
        let store = open(&role.db);
        let attempt = store.claim(long()).unwrap().unwrap();
        say("held");
        listen();
        attempt.complete(Some("\"mine\"".into())).unwrap();
        return store.close();
    }
    let _guard = Guard::new(TEST);
    let (_folder, db) = db();
    let store = open(&db);
    let run_id = store.submit(work()).unwrap().run_id;
    let mut worker = Actor::start(TEST, "worker", &db, "");
    assert_eq!(worker.hear(), "held");
    worker.signal("STOP");
    for _ in 0..20 {
        assert!(store.claim(Claim::default()).unwrap().is_none());
        // Writers go on beside it.
        store
            .submit(smolwf::domain::run::Submit { queue: Some("other".into()), ..work() })
            .unwrap();
    }
    worker.signal("CONT");
    worker.tell("finish");
    assert!(worker.succeeds());
    assert!(store.run_get(&run_id).unwrap().contains("\"mine\""));
    store.close();
}

/// P13: an orderly close gives the runs back at once and charges nothing.
#[test]
fn a_process_that_closes_gives_its_runs_to_the_next_at_once() {
    const TEST: &str = "a_process_that_closes_gives_its_runs_to_the_next_at_once";
    if let Some(role) = Role::mine() {
        let store = open(&role.db);
        let _held: Vec<_> = (0..100).map(|_| store.claim(long()).unwrap().unwrap()).collect();
        store.close();
        say("closed");
        listen();
        return;
    }
    let _guard = Guard::new(TEST);
    let (_folder, db) = db();
    let store = open(&db);
    let runs: Vec<String> = (0..100).map(|_| store.submit(work()).unwrap().run_id).collect();
    let mut worker = Actor::start(TEST, "worker", &db, "");
    assert_eq!(worker.hear(), "closed");
    for _ in &runs {
        let attempt = store.claim(Claim::default()).unwrap().expect("not given back");
        assert_eq!(attempt.number(), 2);
    }
    for run_id in &runs {
        assert_eq!(number(&store.run_get(run_id).unwrap(), "tries"), 0);
    }
    store.close();
}

/// P39: a process that died at the turnstile, or in a transaction, holds up nobody.
#[test]
fn writers_that_are_killed_hold_up_nobody() {
    const TEST: &str = "writers_that_are_killed_hold_up_nobody";
    if let Some(role) = Role::mine() {
        let store = open(&role.db);
        say("ready");
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    loop {
                        store.submit(work()).unwrap();
                    }
                });
            }
        });
        return;
    }
    let _guard = Guard::new(TEST);
    let (_folder, db) = db();
    let store = open(&db);
    for _ in 0..12 {
        let mut writers = [(); 2].map(|()| Actor::start(TEST, "writer", &db, ""));
        for writer in &mut writers {
            assert_eq!(writer.hear(), "ready");
            (0..20).for_each(|_| drop(store.submit(work()).unwrap()));
        }
        writers.into_iter().for_each(Actor::kill);
        (0..5).for_each(|_| drop(store.submit(work()).unwrap()));
    }
    store.close();
    assert_whole(&connect(&db));
}

/// P4: whatever the umask.
#[test]
fn the_files_of_a_store_are_its_users_alone() {
    use std::os::unix::fs::PermissionsExt;
    const TEST: &str = "the_files_of_a_store_are_its_users_alone";
    if let Some(role) = Role::mine() {
        set_umask(&role.extra);
        let store = open(&role.db);
        store.submit(work()).unwrap();
        store.find("", "k").unwrap();
        say("open");
        listen();
        return store.close();
    }
    let _guard = Guard::new(TEST);
    for umask in ["0", "777"] {
        let (_folder, db) = db();
        let mut host = Actor::start(TEST, "host", &db, umask);
        assert_eq!(host.hear(), "open");
        for suffix in ["", "-wal", "-shm", "-smolwf"] {
            let mut name = db.as_os_str().to_owned();
            name.push(suffix);
            let mode = std::fs::metadata(&name).unwrap().permissions().mode() & 0o7777;
            assert_eq!(mode, 0o600, "{suffix} under umask {umask}");
        }
        assert!(host.succeeds());
    }
}

#[allow(unsafe_code, reason = "umask has no safe form")]
fn set_umask(octal: &str) {
    let mask = libc::mode_t::from_str_radix(octal, 8).unwrap();
    // SAFETY: changes a number of this process.
    unsafe { libc::umask(mask) };
}

/// The lifetime rules of a fork, with threads at work in the parent: the child is refused whatever
/// its parent had, may open other files, and takes nothing from the parent.
#[test]
fn a_fork_amid_working_threads_refuses_the_parents_store_and_opens_another() {
    const TEST: &str = "a_fork_amid_working_threads_refuses_the_parents_store";
    let _guard = Guard::new(TEST);
    let (folder, db) = db();
    let store = open(&db);
    store.submit(work()).unwrap();
    let attempt = store.claim(long()).unwrap().unwrap();
    let step = run(&attempt, named("open at the fork"));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let other = || smolwf::domain::run::Submit { queue: Some("q".into()), ..work() };
                while !is_over.load(Ordering::SeqCst) {
                    store.submit(other()).unwrap();
                    store.find("", "k").unwrap();
                }
            });
        }
        let other = |round| folder.path().join(format!("of child {round}"));
        let failed = (0..60)
            .map(|round| fork(|| in_child(&store, &attempt, &step, &db, &other(round))))
            .find(|code| *code != 0);
        is_over.store(true, Ordering::SeqCst);
        assert_eq!(failed, None, "137 is a child that hung");
    });
    step.complete(None).unwrap();
    attempt.complete(None).unwrap();
    store.close();
    assert_whole(&connect(&db));
}

/// Returns 0, or the number of the first thing that is wrong.
fn in_child(
    store: &Arc<Store>,
    attempt: &Arc<smolwf::attempt::Attempt>,
    step: &smolwf::attempt::Step,
    db: &Path,
    other: &Path,
) -> i32 {
    let forked = [
        code(&store.submit(work())),
        code(&store.claim(Claim::default())),
        code(&store.find("", "k")),
        code(&store.init()),
        code(&attempt.heartbeat(0)),
        code(&attempt.complete(None)),
        code(&attempt.step_begin(named("s"))),
        code(&step.complete(None)),
        code(&Store::open(db, &options())),
    ];
    if let Some(at) = forked.iter().position(|code| *code != -8) {
        return at as i32 + 1;
    }
    store.shutdown();
    store.close();
    let mine = open(other);
    let run_id = mine.submit(work()).unwrap().run_id;
    let claimed = mine.claim(Claim::default()).unwrap().unwrap();
    let is_mine = claimed.run_id().as_str() == run_id;
    claimed.complete(None).unwrap();
    mine.close();
    if is_mine { 0 } else { 20 }
}
