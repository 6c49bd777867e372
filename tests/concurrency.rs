//! Many threads in one process: on one handle, on several handles of one file, while it closes.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a test")]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test says what it wants and refuses the rest"
)]

mod support;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use smolwf::domain::claim::Claim;
use smolwf::error::Error;
use smolwf::handles::begin::Begun;
use smolwf::handles::store::{Store, StoreOptions};
use tempfile::TempDir;

use support::audit::{assert_whole, connect};
use support::{Guard, code, keyed, named, number, open, run, waiting, work};

fn db() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("db");
    (folder, db)
}

/// Runs `work` in so many threads that start at one moment, and returns their answers.
fn at_once<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let gate = Barrier::new(threads);
    thread::scope(|scope| {
        let (gate, work) = (&gate, &work);
        let start = |at| {
            scope.spawn(move || {
                gate.wait();
                work(at)
            })
        };
        let all: Vec<_> = (0..threads).map(start).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn submit_many(store: &Store, runs: usize) -> HashSet<String> {
    let share = |_| (0..runs / 8).map(|_| store.submit(work()).unwrap().run_id).collect::<Vec<_>>();
    at_once(8, share).into_iter().flatten().collect()
}

/// Claims until nothing is left, with one recorded step each; returns the runs.
fn claim_all(store: &Arc<Store>) -> Vec<String> {
    let mut mine = Vec::new();
    while let Some(attempt) = store.claim(Claim::default()).unwrap() {
        run(&attempt, named("only")).complete(Some("1".into())).unwrap();
        mine.push(attempt.run_id().as_str().to_owned());
        attempt.complete(None).unwrap();
    }
    mine
}

fn assert_each_once(claimed: Vec<Vec<String>>, submitted: &HashSet<String>) {
    let count: usize = claimed.iter().map(Vec::len).sum();
    let distinct: HashSet<String> = claimed.into_iter().flatten().collect();
    assert_eq!(count, distinct.len(), "a run was claimed twice");
    assert_eq!(&distinct, submitted);
}

/// P9, P39: none twice, none lost, no lock surfaces.
#[test]
fn many_threads_on_one_store_claim_each_run_once() {
    let _guard = Guard::new("many_threads_on_one_store_claim_each_run_once");
    let (_folder, db) = db();
    let store = open(&db);
    let submitted = submit_many(&store, 1_200);
    assert_eq!(submitted.len(), 1_200);
    assert_each_once(at_once(24, |_| claim_all(&store)), &submitted);
    store.close();
    assert_whole(&connect(&db));
}

/// One file may be opened many times in a process; the handles share one writer.
#[test]
fn several_handles_on_one_file_claim_each_run_once() {
    let _guard = Guard::new("several_handles_on_one_file_claim_each_run_once");
    let (_folder, db) = db();
    let stores: Vec<Arc<Store>> = (0..4).map(|_| open(&db)).collect();
    let submitted = submit_many(&stores[0], 400);
    assert_each_once(at_once(16, |at| claim_all(&stores[at % 4])), &submitted);
    for store in &stores {
        store.close();
    }
    assert_whole(&connect(&db));
}

#[test]
fn a_store_in_memory_serves_many_threads() {
    let _guard = Guard::new("a_store_in_memory_serves_many_threads");
    let store = Store::open_in_memory(&StoreOptions::default()).unwrap();
    store.init().unwrap();
    let submitted = submit_many(&store, 400);
    assert_each_once(at_once(16, |_| claim_all(&store)), &submitted);
    store.close();
}

/// P8.
#[test]
fn one_key_submitted_by_many_threads_makes_one_run() {
    let _guard = Guard::new("one_key_submitted_by_many_threads_makes_one_run");
    let (_folder, db) = db();
    let store = open(&db);
    for key in 0..40 {
        let answers = at_once(12, |_| store.submit(keyed(&format!("key {key}"))).unwrap());
        let runs: HashSet<&str> = answers.iter().map(|answer| answer.run_id.as_str()).collect();
        assert_eq!(runs.len(), 1, "key {key}");
        assert_eq!(answers.iter().filter(|answer| !answer.existed).count(), 1, "key {key}");
    }
    store.close();
}

/// P16: steps of one attempt may be recorded from any thread, and each once.
#[test]
fn threads_record_the_steps_of_one_attempt_side_by_side() {
    let _guard = Guard::new("threads_record_the_steps_of_one_attempt_side_by_side");
    let (_folder, db) = db();
    let store = open(&db);
    store.submit(work()).unwrap();
    let attempt = store.claim(Claim::default()).unwrap().unwrap();
    let result = |thread: usize, turn: usize| format!("\"{thread} {turn}\"");
    at_once(16, |thread| {
        for turn in 0..20 {
            let step = run(&attempt, named(&format!("of thread {thread}")));
            assert_eq!(step.occurrence() as usize, turn + 1);
            step.complete(Some(result(thread, turn))).unwrap();
        }
    });
    attempt.release(0).unwrap();
    let attempt = store.claim(Claim::default()).unwrap().unwrap();
    for thread in 0..16 {
        for turn in 0..20 {
            match attempt.step_begin(named(&format!("of thread {thread}"))).unwrap() {
                Begun::Replayed(step) => {
                    assert_eq!(step.result().unwrap().as_str(), result(thread, turn));
                }
                _ => panic!("step {turn} of thread {thread} is not recorded"),
            }
        }
    }
    store.close();
}

/// While an occurrence is open, an automatic begin of its name is a conflict.
#[test]
fn threads_that_begin_one_step_at_once_run_it_once() {
    let _guard = Guard::new("threads_that_begin_one_step_at_once_run_it_once");
    let (_folder, db) = db();
    let store = open(&db);
    store.submit(work()).unwrap();
    let attempt = store.claim(Claim::default()).unwrap().unwrap();
    for round in 0..50 {
        let name = format!("round {round}");
        // Kept until all have answered: an unfinished step that is let go of may be begun again.
        let begun = at_once(8, |_| attempt.step_begin(named(&name)));
        let codes: Vec<i32> = begun.iter().map(code).collect();
        assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
        assert_eq!(codes.iter().filter(|code| **code == -23).count(), 7, "{codes:?}");
    }
    store.close();
}

/// A step finished by two threads with the same bytes is finished once; other bytes are a conflict.
#[test]
fn threads_that_finish_one_step_at_once_record_one_result() {
    let _guard = Guard::new("threads_that_finish_one_step_at_once_record_one_result");
    let (_folder, db) = db();
    let store = open(&db);
    store.submit(work()).unwrap();
    let attempt = store.claim(Claim::default()).unwrap().unwrap();
    for round in 0..30 {
        let step = run(&attempt, named(&format!("round {round}")));
        let answers = at_once(8, |at| step.complete(Some((at % 2).to_string())));
        let even: HashSet<i32> = answers.iter().step_by(2).map(code).collect();
        let odd: HashSet<i32> = answers.iter().skip(1).step_by(2).map(code).collect();
        let mut found = [even, odd].map(Vec::from_iter);
        found.sort();
        assert_eq!(found, [vec![-23], vec![0]], "round {round}");
    }
    store.close();
}

/// Each submit wakes as many waiters as it has work for.
#[test]
fn waiting_claimers_each_get_a_run_of_their_own() {
    let _guard = Guard::new("waiting_claimers_each_get_a_run_of_their_own");
    let (_folder, db) = db();
    let store = open(&db);
    thread::scope(|scope| {
        let wait = || {
            let attempt = store.claim(waiting()).unwrap().unwrap();
            attempt.complete(None).unwrap();
            attempt.run_id().as_str().to_owned()
        };
        let waiters: Vec<_> = (0..16).map(|_| scope.spawn(wait)).collect();
        let submitted: HashSet<String> =
            (0..16).map(|_| store.submit(work()).unwrap().run_id).collect();
        let claimed = waiters.into_iter().map(|waiter| vec![waiter.join().unwrap()]).collect();
        assert_each_once(claimed, &submitted);
    });
    store.close();
}

/// P13: however many threads made the first claims at once, an orderly close charges nothing and
/// leaves no owner behind.
#[test]
fn a_close_gives_back_what_many_first_claims_took_and_charges_nothing() {
    let _guard = Guard::new("a_close_gives_back_what_many_first_claims_took");
    let (_folder, db) = db();
    for round in 0..10 {
        let store = open(&db);
        let queue = Some(format!("round {round}"));
        let submit = || smolwf::domain::submit::Submit { queue: queue.clone(), ..work() };
        let runs: Vec<String> = (0..16).map(|_| store.submit(submit()).unwrap().run_id).collect();
        let claim = || Claim { queue: queue.clone(), ..Claim::default() };
        let held = at_once(16, |_| store.claim(claim()).unwrap().expect("a run for each"));
        store.close();
        drop(held);
        let conn = connect(&db);
        let owners: i64 = conn
            .query_row("SELECT count(*) FROM sw_workflow_owners", [], |row| row.get(0))
            .unwrap();
        drop(conn);
        assert_eq!(owners, 0, "owners that nobody is");
        let store = open(&db);
        for run_id in &runs {
            let attempt = store.claim(claim()).unwrap().expect("given back");
            assert_eq!(attempt.number(), 2);
            assert_eq!(number(&store.run_get(run_id).unwrap(), "tries"), 0);
        }
        store.close();
    }
}

/// A shutdown wakes every waiter.
#[test]
fn a_shutdown_ends_every_wait() {
    let _guard = Guard::new("a_shutdown_ends_every_wait");
    let (_folder, db) = db();
    for round in 0..20 {
        let store = open(&db);
        let gate = Barrier::new(9);
        thread::scope(|scope| {
            let wait = |at: usize| {
                gate.wait();
                store.claim(Claim { queue: Some(format!("queue {at}")), ..waiting() }).map(|_| ())
            };
            let waiters: Vec<_> = (0..8).map(|at| scope.spawn(move || wait(at))).collect();
            gate.wait();
            store.shutdown();
            for waiter in waiters {
                assert_eq!(waiter.join().unwrap(), Err(Error::Closed), "round {round}");
            }
        });
        assert_eq!(code(&store.submit(work())), -7);
        store.close();
    }
}

/// A close waits for calls in flight; what comes later is told so. No crash, no other answer.
#[test]
fn closing_while_threads_call_answers_each_with_ok_or_closed() {
    let _guard = Guard::new("closing_while_threads_call_answers_each_with_ok_or_closed");
    let (_folder, db) = db();
    let acknowledged = Mutex::new(Vec::new());
    for round in 0..12 {
        let store = open(&db);
        let calls = AtomicU64::new(0);
        thread::scope(|scope| {
            for at in 0..12 {
                let (store, calls, acknowledged) = (&store, &calls, &acknowledged);
                scope.spawn(move || {
                    while call_something(store, at, acknowledged) {
                        calls.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            // Each round closes at another moment of their work.
            while calls.load(Ordering::Relaxed) < round * 30 {
                thread::yield_now();
            }
            store.close();
            store.close();
        });
        assert_eq!(code(&store.run_get("x")), -7);
    }
    let store = open(&db);
    for run_id in acknowledged.into_inner().unwrap() {
        store.run_get(&run_id).unwrap();
    }
    store.close();
    assert_whole(&connect(&db));
}

/// Makes one call of a kind; returns whether the store was open for it.
fn call_something(store: &Arc<Store>, kind: usize, acknowledged: &Mutex<Vec<String>>) -> bool {
    let answer = match kind % 6 {
        0 | 1 => store.submit(work()).map(|submitted| {
            acknowledged.lock().unwrap().push(submitted.run_id);
        }),
        2 => store.claim(waiting()).map(|_| ()),
        3 => store.find("", "no such key").map(|_| ()),
        4 => store.schema_version().map(|_| ()),
        _ => store.claim(Claim::default()).and_then(|attempt| match attempt {
            Some(attempt) => attempt
                .step_begin(named("s"))
                .and_then(|begun| match begun {
                    Begun::Run(step) => step.complete(None),
                    _ => Ok(()),
                })
                .and_then(|()| attempt.heartbeat(0))
                .and_then(|()| attempt.complete(None)),
            None => Ok(()),
        }),
    };
    match answer {
        Ok(()) => true,
        Err(Error::Closed) => false,
        Err(other) => panic!("call {kind} was answered with {other:?}"),
    }
}

/// Attempts and steps of a closed store answer CLOSED, and are let go of in any order.
#[test]
fn attempts_and_steps_outlive_their_store_as_shells() {
    let (_folder, db) = db();
    let store = open(&db);
    store.submit(work()).unwrap();
    let attempt = store.claim(Claim::default()).unwrap().unwrap();
    let step = run(&attempt, named("s"));
    store.close();
    assert_eq!(code(&step.complete(None)), -7);
    assert_eq!(code(&attempt.step_begin(named("t"))), -7);
    assert_eq!((code(&attempt.heartbeat(0)), code(&attempt.check())), (-7, -7));
    assert_eq!((code(&attempt.complete(None)), code(&attempt.release(0))), (-7, -7));
    assert_eq!(attempt.workflow().as_str(), "work");
    assert_eq!(step.name().as_str(), "s");
    drop(store);
    drop(attempt);
    drop(step);
}

/// Opening and closing from many threads is as good as from one.
#[test]
fn handles_are_opened_and_closed_side_by_side() {
    let _guard = Guard::new("handles_are_opened_and_closed_side_by_side");
    let (_folder, db) = db();
    open(&db).close();
    let turn = |db: &Path| {
        let store = open(db);
        store.submit(work()).unwrap();
        store.close();
    };
    at_once(8, |_| (0..15).for_each(|_| turn(&db)));
    let conn = connect(&db);
    let runs: i64 =
        conn.query_row("SELECT count(*) FROM sw_workflow_runs", [], |row| row.get(0)).unwrap();
    assert_eq!(runs, 8 * 15);
    assert_whole(&conn);
}
