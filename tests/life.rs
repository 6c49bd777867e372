//! The life of a run through the store, promise by promise: sleeping, messages, children, parking,
//! cancels, limits. By the manual clock; the model in `tests/model.rs` mixes all of it.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

mod support;

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use smolwf::domain::claim::Claim;
use smolwf::domain::step::Begin;
use smolwf::domain::submit::Submit;
use smolwf::domain::{AfterFail, Durability, FailOptions};
use smolwf::handles::attempt::Attempt;
use smolwf::handles::begin::Begun;
use smolwf::handles::store::{Store, StoreOptions};
use smolwf::handles::wait::Waited;
use tempfile::TempDir;

use support::{code, named, number, run, work};

const DAY_MS: i64 = 86_400_000;

fn open(path: &Path) -> Arc<Store> {
    let options = StoreOptions {
        create: true,
        manual_clock: true,
        durability: Durability::Process,
        ..StoreOptions::default()
    };
    let store = Store::open(path, &options).unwrap();
    store.init().unwrap();
    store
}

fn store() -> (TempDir, Arc<Store>) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("db"));
    (folder, store)
}

fn submit(store: &Store) -> String {
    store.submit(work()).unwrap().run_id
}

fn claim(store: &Arc<Store>) -> Option<Arc<Attempt>> {
    store.claim(Claim::default()).unwrap()
}

fn claimed(store: &Arc<Store>) -> Arc<Attempt> {
    claim(store).expect("nothing to claim")
}

fn document(store: &Store, run_id: &str) -> Value {
    serde_json::from_str(&store.run_get(run_id).unwrap()).unwrap()
}

fn state(store: &Store, run_id: &str) -> String {
    document(store, run_id)["state"].as_str().unwrap().to_owned()
}

fn history(store: &Store, run_id: &str) -> Value {
    serde_json::from_str(&store.run_history(run_id, None, 0).unwrap()).unwrap()
}

fn ready(json: &str) -> Waited {
    Waited::Ready(json.into())
}

fn child(workflow: &str) -> Submit {
    Submit { workflow: workflow.into(), queue: Some("children".into()), ..Submit::default() }
}

fn claim_child(store: &Arc<Store>) -> Arc<Attempt> {
    let claim = Claim { queue: Some("children".into()), ..Claim::default() };
    store.claim(claim).unwrap().expect("no child to claim")
}

/// Leases of handles on one file are comparable, whenever each was opened.
#[test]
fn a_manual_clock_that_starts_later_sees_leases_as_the_first_does() {
    let (folder, first) = store();
    first.advance_clock(30 * DAY_MS).unwrap();
    let second = open(&folder.path().join("db"));
    submit(&first);
    let held = claimed(&second);
    assert!(claim(&first).is_none(), "a lease of the second handle has lapsed for the first");
    for store in [&first, &second] {
        store.advance_clock(31_000).unwrap();
    }
    assert_eq!(claimed(&first).number(), 2);
    assert_eq!(code(&held.check()), -20);
}

/// P7: a code that may be tried again must not have moved anything.
#[test]
fn a_clock_that_could_not_be_recorded_has_not_moved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let options = StoreOptions {
        create: true,
        manual_clock: true,
        busy_timeout_ms: 50,
        ..Default::default()
    };
    let store = Store::open(&path, &options).unwrap();
    store.init().unwrap();
    let before = store.now_ms();
    let holder = rusqlite::Connection::open(&path).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(code(&store.advance_clock(1_000)), -40);
    assert_eq!(store.now_ms(), before);
    holder.execute_batch("ROLLBACK").unwrap();
    store.advance_clock(1_000).unwrap();
    assert_eq!(store.now_ms(), before + 1_000);
}

/// P22.
#[test]
fn a_sleep_ends_when_its_first_call_said_and_that_is_recorded_once() {
    let (_folder, store) = store();
    let run_id = submit(&store);
    let attempt = claimed(&store);
    assert_eq!(attempt.sleep("nap", 30 * DAY_MS).unwrap(), Waited::NotYet);
    attempt.suspend().unwrap();
    let document = document(&store, &run_id);
    assert_eq!(document["waiting_for"][0]["until_ms"], store.now_ms() + 30 * DAY_MS);
    store.advance_clock(30 * DAY_MS - 1).unwrap();
    assert!(claim(&store).is_none());
    store.advance_clock(1).unwrap();
    let attempt = claimed(&store);
    // Another duration is not heard, and a lost worker changes nothing.
    assert_eq!(attempt.sleep("nap", 99 * DAY_MS).unwrap(), ready("null"));
    store.advance_clock(DAY_MS).unwrap();
    let attempt = claimed(&store);
    assert_eq!(attempt.sleep("nap", DAY_MS).unwrap(), ready("null"));
    let steps = history(&store, &run_id)["steps"].clone();
    assert_eq!(steps.as_array().unwrap().len(), 1);
    assert_eq!(steps[0]["state"], "completed");
}

/// P13: neither sleeps nor deploys use up a run.
#[test]
fn a_run_that_sleeps_a_hundred_times_has_used_no_try() {
    let (_folder, store) = store();
    let run_id = submit(&store);
    for _ in 0..100 {
        let attempt = claimed(&store);
        let name = format!("nap {}", attempt.number());
        assert_eq!(attempt.sleep(&name, 1_000).unwrap(), Waited::NotYet);
        attempt.suspend().unwrap();
        assert!(claim(&store).is_none());
        store.advance_clock(1_000).unwrap();
    }
    assert_eq!(number(&store.run_get(&run_id).unwrap(), "tries"), 0);
    claimed(&store).complete(None).unwrap();
    assert_eq!(state(&store, &run_id), "completed");
}

/// P23.
#[test]
fn a_signal_sent_early_is_kept_taken_by_one_await_and_replayed_by_it() {
    let (_folder, store) = store();
    let run_id = submit(&store);
    for (payload, key) in [("1", "a"), ("2", "b"), ("3", "a")] {
        let sent = store.signal_send(&run_id, "go", Some(payload.into()), Some(key)).unwrap();
        assert_eq!(sent, payload != "3", "one key delivers once");
    }
    for _ in 0..2 {
        let attempt = claimed(&store);
        assert_eq!(attempt.signal_await("go", -1).unwrap(), ready("1"));
        assert_eq!(attempt.signal_await("go", -1).unwrap(), ready("2"));
        assert_eq!(attempt.signal_await("go", -1).unwrap(), Waited::NotYet);
        attempt.release(0).unwrap();
    }
}

/// P23: a message sent at or before the deadline wins however late the run resumes.
#[test]
fn a_message_in_time_wins_however_late_and_a_later_one_is_kept() {
    let (_folder, store) = store();
    let run_id = submit(&store);
    let attempt = claimed(&store);
    assert_eq!(attempt.signal_await("in time", 1_000).unwrap(), Waited::NotYet);
    assert_eq!(attempt.signal_await("late", 1_000).unwrap(), Waited::NotYet);
    store.advance_clock(1_000).unwrap();
    store.signal_send(&run_id, "in time", Some("1".into()), None).unwrap();
    store.advance_clock(1).unwrap();
    store.signal_send(&run_id, "late", Some("2".into()), None).unwrap();
    store.advance_clock(10_000).unwrap();
    assert_eq!(attempt.signal_await("in time", -1).unwrap(), ready("1"));
    assert_eq!(attempt.signal_await("late", -1).unwrap(), Waited::TimedOut);
    assert_eq!(attempt.signal_await("late", -1).unwrap(), ready("2"));
}

/// P24.
/// A handle that stands an hour behind claims what a message woke that came too late by another
/// clock. It once asked, was told "not yet", parked, was woken by that message, without end.
#[test]
fn a_message_that_came_too_late_by_another_clock_wakes_its_run_to_a_time_out_once() {
    let (folder, behind) = store();
    let ahead = open(&folder.path().join("db"));
    ahead.advance_clock(3_600_000).unwrap();
    let run_id = submit(&behind);
    let attempt = claimed(&behind);
    assert_eq!(attempt.signal_await("go", 60_000).unwrap(), Waited::NotYet);
    attempt.suspend().unwrap();
    ahead.signal_send(&run_id, "go", None, None).unwrap();
    let attempt = claimed(&behind);
    assert_eq!(attempt.signal_await("go", 60_000).unwrap(), Waited::TimedOut);
    assert_eq!(attempt.sleep("nap", 1_000).unwrap(), Waited::NotYet);
    attempt.suspend().unwrap();
    assert!(claim(&behind).is_none());
    assert_eq!(document(&behind, &run_id)["attempts"], 2);
    ahead.advance_clock(1_000).unwrap();
    assert!(claim(&ahead).is_some());
}

#[test]
fn a_parked_run_is_claimable_as_soon_as_any_member_of_its_wait_set_is_ready() {
    let (_folder, store) = store();
    let run_id = submit(&store);
    let park = || {
        let attempt = claimed(&store);
        let _ = attempt.child_submit("kid", child("kid")).unwrap();
        let kid = history(&store, &run_id)["children"][0]["run_id"].as_str().unwrap().to_owned();
        let asked = [
            attempt.sleep("nap", 60_000).unwrap(),
            attempt.signal_await("go", -1).unwrap(),
            attempt.child_await(&kid, -1).unwrap(),
        ];
        attempt.suspend().unwrap();
        asked
    };
    assert_eq!(park(), [Waited::NotYet, Waited::NotYet, Waited::NotYet]);
    assert!(claim(&store).is_none());
    store.signal_send(&run_id, "go", Some("1".into()), None).unwrap();
    assert_eq!(park(), [Waited::NotYet, ready("1"), Waited::NotYet]);
    assert!(claim(&store).is_none());
    claim_child(&store).complete(Some("2".into())).unwrap();
    assert_eq!(park(), [Waited::NotYet, ready("1"), ready("2")]);
    assert!(claim(&store).is_none());
    store.advance_clock(60_000).unwrap();
    let attempt = claimed(&store);
    assert_eq!(attempt.sleep("nap", 60_000).unwrap(), ready("null"));
}

/// P24: what came between the ask and the suspend is seen.
#[test]
fn a_suspend_looks_once_more_before_it_parks() {
    let (_folder, store) = store();
    let run_id = submit(&store);
    let attempt = claimed(&store);
    assert_eq!(attempt.signal_await("go", -1).unwrap(), Waited::NotYet);
    store.signal_send(&run_id, "go", None, None).unwrap();
    attempt.suspend().unwrap();
    assert_eq!(state(&store, &run_id), "pending");
    assert_eq!(claimed(&store).signal_await("go", -1).unwrap(), ready("null"));
}

/// P24: the fence is checked first.
#[test]
fn a_suspend_without_anything_to_wait_for_or_amid_a_step_is_a_conflict() {
    let (_folder, store) = store();
    submit(&store);
    let attempt = claimed(&store);
    assert_eq!(code(&attempt.suspend()), -23);
    assert_eq!(attempt.sleep("nap", 1_000).unwrap(), Waited::NotYet);
    let step = run(&attempt, named("s"));
    assert_eq!(code(&attempt.suspend()), -23);
    store.advance_clock(31_000).unwrap();
    let next = claimed(&store);
    assert_eq!(code(&attempt.suspend()), -20, "the fence comes first");
    drop(step);
    assert_eq!(code(&attempt.suspend()), -20);
    next.check().unwrap();
}

/// P20, P24.
#[test]
fn a_step_that_backs_off_parks_its_run_until_it_may_be_tried_again() {
    let (_folder, store) = store();
    let run_id = submit(&store);
    let attempt = claimed(&store);
    let step = run(&attempt, named("s"));
    let after = step.fail(Some("\"no\"".into()), FailOptions::default()).unwrap();
    let AfterFail::Retry { at_ms } = after else { panic!("{after:?}") };
    assert_eq!(step.retry_at_ms(), at_ms);
    attempt.suspend().unwrap();
    store.advance_clock(at_ms - store.now_ms() - 1).unwrap();
    assert!(claim(&store).is_none());
    store.advance_clock(1).unwrap();
    let step = run(&claimed(&store), named("s"));
    assert_eq!(step.tries(), 2);
    let terminal = FailOptions { is_terminal: true, retry_after_ms: 0 };
    assert_eq!(step.fail(Some("\"never\"".into()), terminal).unwrap(), AfterFail::Final);
    let Begun::Failed(step) =
        step.attempt().step_begin(Begin { occurrence: 1, ..named("s") }).unwrap()
    else {
        panic!("a terminal failure replays")
    };
    assert_eq!(step.error().unwrap().as_str(), "\"never\"");
    assert_eq!(history(&store, &run_id)["steps"][0]["tries"], 2);
}

/// P25.
#[test]
fn a_child_is_submitted_once_and_all_of_many_wake_their_parent_once() {
    const CHILDREN: usize = 20;
    let (_folder, store) = store();
    submit(&store);
    let attempt = claimed(&store);
    let items = || (0..CHILDREN).map(|at| (format!("kid {at}"), child("kid"))).collect();
    let ids = |attempt: &Attempt| -> Vec<(String, bool)> {
        let children = attempt.child_submit_many(items()).unwrap();
        children.into_iter().map(|child| (child.run_id, child.existed)).collect()
    };
    let first = ids(&attempt);
    let waits: Vec<String> =
        first.iter().map(|(run_id, _)| format!("{{\"child\":\"{run_id}\"}}")).collect();
    let waits = format!("[{}]", waits.join(","));
    assert_eq!(attempt.await_all("all", &waits, -1).unwrap(), Waited::NotYet);
    attempt.suspend().unwrap();
    for (at, (run_id, _)) in first.iter().enumerate() {
        assert!(claim(&store).is_none(), "woken after {at} of {CHILDREN}");
        let kid = claim_child(&store);
        assert_eq!(kid.run_id().as_str(), run_id);
        kid.complete(Some(at.to_string())).unwrap();
    }
    let attempt = claimed(&store);
    assert_eq!(attempt.number(), 2);
    let again = ids(&attempt);
    assert!(again.iter().zip(&first).all(|(again, first)| again.0 == first.0 && again.1));
    let Waited::Ready(all) = attempt.await_all("all", &waits, -1).unwrap() else { panic!() };
    let all: Value = serde_json::from_str(&all).unwrap();
    assert!((0..CHILDREN).all(|at| all[at]["value"] == at && all[at]["outcome"] == "ok"));
}

/// P25: children of a parent that merely ends go on.
#[test]
fn children_outlive_a_parent_that_ends_and_not_one_that_is_cancelled() {
    let (_folder, store) = store();
    for is_cancelled in [false, true] {
        let run_id = submit(&store);
        let attempt = claimed(&store);
        let kid = attempt.child_submit("kid", child("kid")).unwrap().run_id;
        let held = claim_child(&store);
        let grandchild = held.child_submit("kid", child("kid")).unwrap().run_id;
        held.release(0).unwrap();
        if is_cancelled {
            store.cancel(&run_id, Some("\"why\"".into())).unwrap();
            assert_eq!(code(&attempt.complete(None)), -21);
            let error = document(&store, &run_id)["error"].clone();
            assert_eq!((&error["$smolwf"], &error["reason"]), (&"cancelled".into(), &"why".into()));
        } else {
            attempt.complete(None).unwrap();
        }
        let expected = if is_cancelled { "cancelled" } else { "pending" };
        assert_eq!(state(&store, &kid), expected);
        assert_eq!(state(&store, &grandchild), expected);
        let many = Claim { queue: Some("children".into()), ..Claim::default() };
        let left = store.claim_many(many, 10).unwrap();
        assert_eq!(left.len(), if is_cancelled { 0 } else { 2 });
        left.iter().for_each(|attempt| attempt.complete(None).unwrap());
    }
}

/// P26: at every call that would let it do something new.
#[test]
fn a_running_attempt_learns_of_a_cancel_and_may_still_record_what_it_has_done() {
    let (_folder, store) = store();
    let run_id = submit(&store);
    let attempt = claimed(&store);
    run(&attempt, named("done")).complete(Some("1".into())).unwrap();
    attempt.release(0).unwrap();
    let attempt = claimed(&store);
    let step = run(&attempt, named("under way"));
    store.cancel(&run_id, None).unwrap();
    store.cancel(&run_id, None).unwrap();
    let told = [
        code(&attempt.check()),
        code(&attempt.heartbeat(0)),
        code(&attempt.step_begin(named("new"))),
        code(&attempt.sleep("nap", 0)),
        code(&attempt.signal_await("go", -1)),
        code(&attempt.child_submit("kid", child("kid"))),
    ];
    assert_eq!(told, [-21; 6]);
    assert!(matches!(attempt.step_begin(named("done")).unwrap(), Begun::Replayed(_)));
    step.complete(Some("2".into())).unwrap();
    run(&attempt, Begin { is_cleanup: true, ..named("undo") }).complete(None).unwrap();
    let fail = attempt.fail(Some("\"stopped\"".into()), FailOptions::default());
    assert_eq!(code(&fail), -21);
    assert_eq!(code(&attempt.fail(Some("\"stopped\"".into()), FailOptions::default())), -21);
    let history = history(&store, &run_id);
    assert_eq!(history["run"]["state"], "cancelled");
    assert_eq!(history["steps"].as_array().unwrap().len(), 3);
    assert_eq!(history["attempts"][1]["error"], "stopped");
    assert_eq!(code(&store.signal_send(&run_id, "go", None, None)), -23);
    store.cancel(&run_id, None).unwrap();
    assert!(claim(&store).is_none());
}

/// P26.
#[test]
fn a_time_out_fails_a_parked_run_and_ends_a_running_one_with_its_attempt() {
    let (_folder, store) = store();
    let run_ids: Vec<String> = (0..2)
        .map(|_| store.submit(Submit { timeout_ms: 5_000, ..work() }).unwrap().run_id)
        .collect();
    let parked = claimed(&store);
    let running = claimed(&store);
    assert_eq!(parked.signal_await("go", -1).unwrap(), Waited::NotYet);
    parked.suspend().unwrap();
    let kid = running.child_submit("kid", child("kid")).unwrap().run_id;
    store.advance_clock(5_000).unwrap();
    assert_eq!(code(&running.check()), -21);
    assert!(claim(&store).is_none());
    assert_eq!(state(&store, &run_ids[0]), "failed");
    assert_eq!(code(&running.complete(None)), -21);
    assert!(claim(&store).is_none());
    for run_id in &run_ids {
        let document = document(&store, run_id);
        assert_eq!(
            (&document["state"], &document["error"]["$smolwf"]),
            (&"failed".into(), &"timeout".into())
        );
    }
    assert_eq!(state(&store, &kid), "cancelled");
    store.retry(&run_ids[0]).unwrap();
    claimed(&store).complete(None).unwrap();
}

/// P26.
#[test]
fn a_pause_of_a_running_run_takes_effect_when_its_attempt_ends_unfinished() {
    let (_folder, store) = store();
    let run_id = submit(&store);
    let attempt = claimed(&store);
    store.pause(&run_id).unwrap();
    store.pause(&run_id).unwrap();
    attempt.check().unwrap();
    attempt.release(0).unwrap();
    assert_eq!(state(&store, &run_id), "paused");
    assert!(claim(&store).is_none());
    store.resume(&run_id).unwrap();
    store.resume(&run_id).unwrap();
    let attempt = claimed(&store);
    store.pause(&run_id).unwrap();
    attempt.complete(None).unwrap();
    assert_eq!(state(&store, &run_id), "completed");
    assert_eq!((code(&store.pause(&run_id)), code(&store.resume(&run_id))), (-23, -23));
}

/// P26: retry clears memoised failures and keeps results; fork copies what was recorded before.
#[test]
fn a_retry_keeps_results_and_a_fork_replays_what_came_before_a_step() {
    let (_folder, store) = store();
    let run_id = submit(&store);
    let terminal = FailOptions { is_terminal: true, retry_after_ms: 0 };
    let attempt = claimed(&store);
    for name in ["a", "b"] {
        run(&attempt, named(name)).complete(Some(format!("\"{name}\""))).unwrap();
    }
    run(&attempt, named("c")).fail(None, terminal).unwrap();
    attempt.fail(None, terminal).unwrap();
    store.retry(&run_id).unwrap();
    assert_eq!(code(&store.retry(&run_id)), -23);
    let attempt = claimed(&store);
    assert!(matches!(attempt.step_begin(named("a")).unwrap(), Begun::Replayed(_)));
    run(&attempt, named("c")).complete(None).unwrap();
    attempt.complete(None).unwrap();
    assert_eq!(code(&store.retry(&run_id)), -23);
    let fork = store.fork(&run_id, Some("b")).unwrap();
    let attempt = claimed(&store);
    assert_eq!(attempt.run_id().as_str(), fork);
    assert!(matches!(attempt.step_begin(named("a")).unwrap(), Begun::Replayed(_)));
    run(&attempt, named("b"));
    assert_eq!(code(&store.fork(&run_id, Some("no such step"))), -3);
}

/// P15: in all, behind each key, and none while paused; what ends lets the next one in.
#[test]
fn a_queue_lets_in_as_many_as_its_limits_say() {
    let (_folder, store) = store();
    let keyed = |key: &str| {
        store.submit(Submit { concurrency_key: Some(key.into()), ..work() }).unwrap();
    };
    ["a", "a", "a", "b", "c"].iter().for_each(|key| keyed(key));
    let claim_all = || store.claim_many(Claim::default(), 10).unwrap();
    store.queue_set("default", "{\"paused\":true}").unwrap();
    assert!(claim_all().is_empty());
    store.queue_set("default", "{\"concurrency\":2,\"concurrency_per_key\":1}").unwrap();
    let held = claim_all();
    assert_eq!(held.len(), 2, "one of a, one of b");
    assert!(claim_all().is_empty());
    held[1].complete(None).unwrap();
    let third = claim_all();
    assert_eq!(third.len(), 1, "c: the next of a is held back by its key");
    held[0].release(0).unwrap();
    assert_eq!(claim_all().len(), 1, "a again");
    store.queue_set("default", "{}").unwrap();
    assert_eq!(claim_all().len(), 2, "no limit is left");
}

/// P13: what is found again is not newly recorded, so it starts no count of losses anew.
#[test]
fn a_run_that_dies_after_the_same_child_submit_each_time_is_used_up() {
    let (_folder, store) = store();
    let run_id = submit(&store);
    for number in 1..=3 {
        let attempt = claimed(&store);
        assert_eq!(attempt.number(), number);
        let kid = attempt.child_submit("kid", child("kid")).unwrap();
        assert_eq!(kid.existed, number > 1);
        store.advance_clock(31_000).unwrap();
    }
    assert!(claim(&store).is_none());
    let document = document(&store, &run_id);
    assert_eq!(
        (&document["state"], &document["error"]["$smolwf"]),
        (&"failed".into(), &"tries".into())
    );
}

/// Puts the rows of a copy in the place of the store's, as `.restore` does, beneath whoever has it open.
fn restore(path: &Path, copy: &Path) {
    let conn = rusqlite::Connection::open(path).unwrap();
    conn.execute("ATTACH ?1 AS copy", [copy.to_str().unwrap()]).unwrap();
    let sql = "SELECT name FROM copy.sqlite_schema WHERE type = 'table'";
    let mut tables = conn.prepare(sql).unwrap();
    let tables = tables.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let rows = tables.map(|name| {
        let name = name.unwrap();
        format!("DELETE FROM main.{name}; INSERT INTO main.{name} SELECT * FROM copy.{name};")
    });
    let rows: String = rows.collect();
    conn.execute_batch(&format!("BEGIN IMMEDIATE; {rows} COMMIT")).unwrap();
}

/// P10: a copy gives the same number to another attempt.
#[test]
fn an_attempt_that_a_restored_copy_does_not_know_writes_nothing_into_it() {
    let (folder, store) = store();
    let (path, copy) = (folder.path().join("db"), folder.path().join("copy"));
    submit(&store);
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    let stale = claimed(&store);
    restore(&path, &copy);
    let held = claimed(&store);
    assert_eq!((stale.run_id().as_str(), stale.number()), (held.run_id().as_str(), held.number()));
    for refused in [stale.heartbeat(0), stale.check(), stale.complete(Some("1".into()))] {
        let refused = refused.unwrap_err();
        assert_eq!(refused.code(), -20);
        assert!(refused.to_string().contains("the store is a copy"), "{refused}");
    }
    held.complete(Some("2".into())).unwrap();
    let run = held.run_id().as_str().to_owned();
    assert_eq!(document(&store, &run)["result"], 2);
    assert_eq!(store.check().unwrap(), r#"{"ok":true,"faults":[]}"#);
}
