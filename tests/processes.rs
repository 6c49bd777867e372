//! Many processes on one file: claiming, waiting, dying, stopping, forking.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

mod support;

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use smolwf::domain::claim::Claim;
use smolwf::domain::submit::Submit;
use smolwf::handles::store::{Store, StoreOptions};
use smolwf::handles::wait::{SubmittedChild, Waited};
use tempfile::TempDir;

use support::actor::listen;
use support::audit::{all as all_rows, assert_whole, connect};
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

/// P9, P12, P25, P39: 4 processes of 4 threads do ten thousand children of one parent, and are killed
/// and replaced meanwhile. None is done twice, none is lost, no lock surfaces, and the parent wakes once.
#[test]
fn ten_thousand_children_are_each_done_once_by_processes_that_are_killed_and_wake_their_parent_once()
 {
    const TEST: &str = "ten_thousand_children_are_each_done_once_by_processes_that_are_killed_and_wake_their_parent_once";
    const CHILDREN: usize = 10_000;
    const KILLS: usize = 6;
    if let Some(role) = Role::mine() {
        return do_children(&role);
    }
    let _guard = Guard::new(TEST);
    let (_folder, db) = db();
    let store = quick(&db);
    let parent_id = store.submit(work()).unwrap().run_id;
    let parent = store.claim(long()).unwrap().unwrap();
    let child = Submit { queue: Some("children".into()), max_tries: 1_000, ..work() };
    let items = (0..CHILDREN).map(|at| (format!("child {at}"), child.clone())).collect();
    let children = parent.child_submit_many(items).unwrap();
    let waits: Vec<String> =
        children.iter().map(|child| format!("{{\"child\":\"{}\"}}", child.run_id)).collect();
    let waits = format!("[{}]", waits.join(","));
    assert_eq!(parent.await_all("all", &waits, -1).unwrap(), Waited::NotYet);
    parent.suspend().unwrap();
    let start = |at: usize| Actor::start(TEST, "worker", &db, &at.to_string());
    let mut workers: Vec<Actor> = (0..4).map(start).collect();
    for kill in 0..KILLS {
        assert_eq!(workers[0].hear(), "some done");
        workers.remove(0).kill();
        workers.push(start(4 + kill));
    }
    // Gets the parent when the last child has ended, and not before.
    let parent = store.claim(Claim { wait_ms: -1, ..long() }).unwrap().unwrap();
    assert_eq!((parent.run_id().as_str(), parent.number()), (parent_id.as_str(), 2));
    let Waited::Ready(all) = parent.await_all("all", &waits, -1).unwrap() else {
        panic!("it woke before all of its children had ended")
    };
    parent.complete(None).unwrap();
    assert!(workers.into_iter().all(Actor::succeeds));
    store.close();
    assert_each_done_once(&db, &children, &all);
}

/// A store whose answers are safe from the death of a process, and as quick as that allows.
fn quick(db: &Path) -> Arc<Store> {
    let durability = smolwf::domain::Durability::Process;
    let store = Store::open(db, &StoreOptions { durability, ..options() }).unwrap();
    store.init().unwrap();
    store
}

fn log_path(db: &Path) -> PathBuf {
    db.with_file_name("log")
}

/// A log beside the store, in which the lines of all processes have one order.
fn log(db: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(log_path(db)).unwrap()
}

fn do_children(role: &Role) {
    let (store, log) = (quick(&role.db), log(&role.db));
    let done = AtomicUsize::new(0);
    thread::scope(|scope| {
        for thread in 0..4 {
            let (store, log, done) = (&store, &log, &done);
            let me = format!("{}.{thread}", role.extra);
            let claim = || Claim { queue: Some("children".into()), wait_ms: 0, ..long() };
            scope.spawn(move || {
                loop {
                    let batch = store.claim_many(claim(), 20).unwrap();
                    if batch.is_empty() {
                        break;
                    }
                    for attempt in batch {
                        let (run, number) = (attempt.run_id().as_str(), attempt.number());
                        let line = format!("{run} {number} {me}\n");
                        (&mut &*log).write_all(line.as_bytes()).unwrap();
                        attempt.complete(Some(format!("\"{me}\""))).unwrap();
                        if done.fetch_add(1, Ordering::Relaxed) == 150 {
                            say("some done");
                        }
                    }
                }
            });
        }
    });
    store.close();
}

/// No attempt at a child was held by two, and each child's one result is that of the attempt that
/// ended it.
fn assert_each_done_once(db: &Path, children: &[SubmittedChild], all: &str) {
    let text = std::fs::read_to_string(log_path(db)).unwrap();
    let mut claims: HashMap<(&str, &str), &str> = HashMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let twice = claims.insert((words[0], words[1]), words[2]);
        assert_eq!(twice, None, "attempt {} of {} was held twice", words[1], words[0]);
    }
    let conn = connect(db);
    assert_whole(&conn);
    let sql = "SELECT run_id, attempts, result FROM sw_workflow_runs WHERE outcome = 1";
    let ended: Vec<([u8; 16], i64, String)> =
        all_rows(&conn, sql, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    assert_eq!(ended.len(), children.len() + 1, "the children and their parent");
    let all: Vec<serde_json::Value> = serde_json::from_str(all).unwrap();
    let results: HashMap<String, (i64, String)> = ended
        .into_iter()
        .map(|(id, attempts, result)| {
            (smolwf::id::write("run", smolwf::id::Id::from_bytes(id)), (attempts, result))
        })
        .collect();
    for (child, entry) in children.iter().zip(&all) {
        let (attempts, result) = &results[&child.run_id];
        let who = claims[&(child.run_id.as_str(), attempts.to_string().as_str())];
        assert_eq!((result, &entry["value"]), (&format!("\"{who}\""), &who.into()));
    }
}

/// P23: whoever sends, each message is taken once.
#[test]
fn signals_sent_by_many_processes_are_each_taken_once() {
    const TEST: &str = "signals_sent_by_many_processes_are_each_taken_once";
    const SIGNALS: usize = 100;
    if let Some(role) = Role::mine() {
        let store = quick(&role.db);
        let run_id = store.find("", "listener").unwrap().unwrap();
        let new = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for at in 0..SIGNALS {
                        // Every thread of every process sends the same, under the same keys.
                        let key = at.to_string();
                        let payload = format!("{{\"n\":{at}}}");
                        let is_new = store.signal_send(&run_id, "news", Some(payload), Some(&key));
                        new.fetch_add(usize::from(is_new.unwrap()), Ordering::Relaxed);
                    }
                });
            }
        });
        say(&new.into_inner().to_string());
        return store.close();
    }
    let _guard = Guard::new(TEST);
    let (_folder, db) = db();
    let store = quick(&db);
    store.submit(keyed("listener")).unwrap();
    let mut senders: Vec<Actor> = (0..4).map(|_| Actor::start(TEST, "sender", &db, "")).collect();
    let mut taken = Vec::new();
    while taken.len() < SIGNALS {
        let attempt = store.claim(Claim { wait_ms: -1, ..long() }).unwrap().unwrap();
        let before = std::mem::take(&mut taken);
        while let Waited::Ready(payload) = attempt.signal_await("news", -1).unwrap() {
            taken.push(payload);
        }
        assert_eq!(taken[..before.len()], before, "what was taken replays");
        if taken.len() < SIGNALS {
            attempt.suspend().unwrap();
        } else {
            attempt.complete(None).unwrap();
        }
    }
    let distinct: HashSet<&String> = taken.iter().collect();
    assert_eq!((taken.len(), distinct.len()), (SIGNALS, SIGNALS));
    let sent: usize = senders.iter_mut().map(|s| s.hear().parse::<usize>().unwrap()).sum();
    assert_eq!(sent, SIGNALS, "each key was new once");
    assert!(senders.into_iter().all(Actor::succeeds));
    store.close();
}

/// P15: seen from outside the store, in a log that has one order for all.
#[test]
fn limits_of_a_queue_are_kept_by_all_processes_together() {
    const TEST: &str = "limits_of_a_queue_are_kept_by_all_processes_together";
    const RUNS: usize = 400;
    const LIMIT: usize = 5;
    const LIMIT_PER_KEY: usize = 2;
    if let Some(role) = Role::mine() {
        return hold_and_log(&role);
    }
    let _guard = Guard::new(TEST);
    let (_folder, db) = db();
    let store = quick(&db);
    let settings = format!("{{\"concurrency\":{LIMIT},\"concurrency_per_key\":{LIMIT_PER_KEY}}}");
    store.queue_set("default", &settings).unwrap();
    let key = |at: usize| format!("key {}", at % 4);
    let submits = (0..RUNS).map(|at| Submit { concurrency_key: Some(key(at)), ..work() });
    store
        .submit_many(
            submits
                .map(|s| Submit {
                    args: s.concurrency_key.as_deref().map(smolwf::json::quote),
                    ..s
                })
                .collect(),
        )
        .unwrap();
    let workers: Vec<Actor> = (0..4).map(|_| Actor::start(TEST, "worker", &db, "")).collect();
    assert!(workers.into_iter().all(Actor::succeeds));
    store.close();
    let text = std::fs::read_to_string(log_path(&db)).unwrap();
    let mut held: Vec<&str> = Vec::new();
    for line in text.lines() {
        let (sign, key) = line.split_at(1);
        if sign == "-" {
            let at = held.iter().position(|other| *other == key).unwrap();
            held.swap_remove(at);
            continue;
        }
        held.push(key);
        let same = held.iter().filter(|other| **other == key).count();
        assert!(held.len() <= LIMIT && same <= LIMIT_PER_KEY, "{held:?}");
    }
    assert_eq!((text.lines().count(), held.len()), (2 * RUNS, 0));
    assert_whole(&connect(&db));
}

/// Notes when an attempt is held: after its claim, and before its end.
fn hold_and_log(role: &Role) {
    let (store, log) = (quick(&role.db), log(&role.db));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                // Waits a while for room: who finds none has still runs before it.
                let claim = || Claim { wait_ms: 2_000, ..long() };
                while let Some(attempt) = store.claim(claim()).unwrap() {
                    let note = |sign: &str| {
                        let line = format!("{sign}{}\n", attempt.args().as_str());
                        (&mut &log).write_all(line.as_bytes()).unwrap();
                    };
                    note("+");
                    thread::yield_now();
                    note("-");
                    attempt.complete(None).unwrap();
                }
            });
        }
    });
    store.close();
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
            .submit(smolwf::domain::submit::Submit { queue: Some("other".into()), ..work() })
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
                let other = || smolwf::domain::submit::Submit { queue: Some("q".into()), ..work() };
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
    attempt: &Arc<smolwf::handles::attempt::Attempt>,
    step: &smolwf::handles::step::Step,
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
