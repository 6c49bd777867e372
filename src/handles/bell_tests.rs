//! Whoever waits is woken by a bell. The look that waits also take twice a second, for senders that
//! died before they rang, is put off by an hour here, so that nothing but the bell can end a wait.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use crate::domain::claim::Claim;
use crate::domain::port::LEASE_WHILE_ALIVE;
use crate::domain::submit::Submit;
use crate::handles::entered::FOREVER;
use crate::handles::store::{Store, StoreOptions};

/// Long enough for the slowest machine; reached only when a test fails.
const LONG: Duration = Duration::from_secs(120);

const ROLE_DB: &str = "SMOLWF_TEST_BELL_DB";
const ROUNDS: usize = 50;

fn never_looking(path: &Path) -> Arc<Store> {
    let store = Store::open(path, &StoreOptions { create: true, ..Default::default() }).unwrap();
    store.init().unwrap();
    store.look_every_ms.store(3_600_000, Ordering::Relaxed);
    store
}

fn submit(store: &Store, queue: &str) -> String {
    let queue = Some(queue.into());
    store.submit(Submit { workflow: "w".into(), queue, ..Submit::default() }).unwrap().run_id
}

fn do_one(store: &Arc<Store>, queue: &str, wait_ms: i64) {
    // A lease without an end: one that lapses would be looked after when it does.
    let claim = Claim {
        queue: Some(queue.into()),
        wait_ms,
        lease_ms: LEASE_WHILE_ALIVE,
        ..Claim::default()
    };
    store.claim(claim).unwrap().expect("a run was submitted").complete(None).unwrap();
}

/// Runs what waits without a limit, and fails when it does not come back.
fn woken<T: Send + 'static>(wait: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = tell.send(wait());
    });
    told.recv_timeout(LONG).expect("nobody woke who waited")
}

#[test]
fn waits_are_ended_by_bells_of_another_process_and_not_by_a_look() {
    const LIMIT_MS: i64 = 120_000;
    if let Some(path) = std::env::var_os(ROLE_DB) {
        let store = never_looking(Path::new(&path));
        for _ in 0..ROUNDS {
            do_one(&store, "there", LIMIT_MS);
            submit(&store, "here");
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let store = never_looking(&path);
    let name = "waits_are_ended_by_bells_of_another_process_and_not_by_a_look";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([&format!("handles::bell_tests::{name}"), "--exact"])
        .env(ROLE_DB, &path)
        .spawn()
        .unwrap();
    for _ in 0..ROUNDS {
        let run_id = submit(&store, "there");
        let here = Arc::clone(&store);
        woken(move || here.run_wait(&run_id, FOREVER, None)).unwrap().unwrap();
        let here = Arc::clone(&store);
        woken(move || do_one(&here, "here", FOREVER));
    }
    assert!(child.wait().unwrap().success());
}

/// What frees a place, or brings a run back, rings for those that wait for one.
#[test]
fn whatever_makes_a_run_claimable_wakes_a_claim() {
    let folder = tempfile::tempdir().unwrap();
    let store = never_looking(&folder.path().join("db"));
    let other = never_looking(&folder.path().join("db"));
    let claimed = |store: &Arc<Store>| {
        let store = Arc::clone(store);
        std::thread::spawn(move || do_one(&store, "default", FOREVER))
    };
    let joined = |claim: std::thread::JoinHandle<()>| woken(move || claim.join()).unwrap();
    let open_queue = || other.queue_set("default", "{}").unwrap();
    let act: [&dyn Fn(&str); 4] = [
        &|id| {
            open_queue();
            other.resume(id).unwrap();
        },
        &|id| {
            other.cancel(id, None).unwrap();
            open_queue();
            other.retry(id).unwrap();
        },
        &|id| {
            other.cancel(id, None).unwrap();
            open_queue();
            other.fork(id, None).unwrap();
        },
        &|id| {
            other.resume(id).unwrap();
            open_queue();
        },
    ];
    for act in act {
        // Set aside before anybody could claim it.
        store.queue_set("default", r#"{"paused":true}"#).unwrap();
        let id = submit(&other, "default");
        other.pause(&id).unwrap();
        let claim = claimed(&store);
        act(&id);
        joined(claim);
    }
}

#[test]
fn a_change_and_a_shut_down_wake_who_waits_for_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = never_looking(&folder.path().join("db"));
    let other = never_looking(&folder.path().join("db"));
    let wait = |seen| {
        let store = Arc::clone(&store);
        std::thread::spawn(move || store.wait_for_change(seen, FOREVER, None))
    };
    let waits = wait(store.changes().unwrap());
    submit(&other, "default");
    assert!(woken(move || waits.join()).unwrap().unwrap().is_some());
    let waits = wait(store.changes().unwrap());
    store.shutdown();
    assert_eq!(woken(move || waits.join()).unwrap().unwrap_err().code(), -7);
}

/// Who sleeps does not know of a timer that was set after it looked.
#[test]
fn a_run_that_parks_on_a_timer_wakes_a_claim_that_sleeps_past_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = never_looking(&folder.path().join("db"));
    submit(&store, "default");
    let claim = Claim { lease_ms: LEASE_WHILE_ALIVE, ..Claim::default() };
    for round in 0..20 {
        let attempt = store.claim(claim.clone()).unwrap().unwrap();
        let here = Arc::clone(&store);
        let waits = Claim { wait_ms: FOREVER, ..claim.clone() };
        let next = std::thread::spawn(move || here.claim(waits).unwrap().unwrap());
        let seen = store.changes().unwrap();
        attempt.sleep(&format!("nap {round}"), 5).unwrap();
        attempt.suspend().unwrap();
        let next = woken(move || next.join()).unwrap();
        assert!(store.changes().unwrap() > seen, "what comes due is a change");
        next.release(0).unwrap();
    }
}

/// A watch sleeps until what it knows of comes due, and so do the workers on it.
#[test]
fn a_schedule_that_is_set_wakes_who_waits_for_a_change_and_sleeps_past_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = never_looking(&folder.path().join("db"));
    for round in 0..20 {
        let (here, seen) = (Arc::clone(&store), store.changes().unwrap());
        let waits = std::thread::spawn(move || here.wait_for_change(seen, FOREVER, None));
        let name = format!("s{round}");
        store.schedule_set(&name, r#"{"workflow":"w","every_ms":5}"#).unwrap();
        assert!(woken(move || waits.join()).unwrap().unwrap().is_some());
        store.schedule_delete(&name).unwrap();
    }
}

#[test]
fn a_run_that_a_pause_lets_in_is_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let store = never_looking(&folder.path().join("db"));
    store.queue_set("default", r#"{"concurrency_per_key":1}"#).unwrap();
    let gated = || {
        let concurrency_key = Some("k".into());
        let gated = Submit { workflow: "w".into(), concurrency_key, ..Submit::default() };
        store.submit(gated).unwrap().run_id
    };
    let (first, _) = (gated(), gated());
    let seen = store.changes().unwrap();
    store.pause(&first).unwrap();
    assert!(store.changes().unwrap() > seen);
}
