//! Stores that are moved, with runs in flight, from each kind of store into each other: what goes on there,
//! what the old one answers, and what a move that was cut off leaves.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use super::carry_tests::{
    assert_whole, busy, claim, claimed, read, replayed, state, to_do, to_the_end, work,
};
use crate::domain::event::Read;
use crate::domain::submit::Submit;
use crate::handles::store::{Store, StoreOptions};

const MOVED: i32 = -30;
const BUSY: i32 = -40;

/// A kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Memory,
    File,
    Server,
}

/// Where stores of a test are.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    /// Makes a store, or opens it again.
    fn open(&self, kind: Kind, name: &str) -> Arc<Store> {
        let options = StoreOptions { create: true, manual_clock: true, ..StoreOptions::default() };
        match kind {
            Kind::Memory => Store::open_in_memory(&options).unwrap(),
            Kind::File => Store::open(&self.0.path().join(name), &options).unwrap(),
            Kind::Server => {
                let url = server().expect("asked before");
                let sign = if url.contains('?') { '&' } else { '?' };
                let folder = self.0.path().file_name().unwrap().to_string_lossy();
                let schema = format!("sw_{}_{name}", folder.trim_start_matches('.'));
                let url = format!("{url}{sign}sw_schema={}", schema.to_lowercase());
                Store::open(Path::new(&url), &options).unwrap()
            }
        }
    }

    fn made(&self, kind: Kind, name: &str) -> Arc<Store> {
        let store = self.open(kind, name);
        store.init().unwrap();
        store
    }
}

fn server() -> Option<String> {
    if cfg!(feature = "postgres") { std::env::var("SW_POSTGRES_URL").ok() } else { None }
}

/// Every way there is here; those of a server are told of where none is.
#[allow(clippy::print_stdout, reason = "a skip is told")]
fn ways() -> Vec<(Kind, Kind)> {
    let mut kinds = vec![Kind::Memory, Kind::File];
    if server().is_some() {
        kinds.push(Kind::Server);
    } else if cfg!(feature = "postgres") {
        assert!(std::env::var("SW_REQUIRE_ALL").is_err(), "SW_POSTGRES_URL names no server");
        println!("skipped: SW_POSTGRES_URL names no server, scripts/postgres.sh starts one");
    }
    kinds.iter().flat_map(|from| kinds.iter().map(|to| (*from, *to))).collect()
}

/// What a store tells of itself: runs with their histories, the log, limits, schedules, policy.
fn facts(store: &Store) -> Vec<Value> {
    let mut facts = Vec::new();
    let mut cursor = None::<String>;
    loop {
        let page = read(&store.run_list(None, cursor.as_deref(), 10).unwrap());
        for run in page["items"].as_array().unwrap() {
            let run_id = run["run_id"].as_str().unwrap();
            facts.push(read(&store.run_history(run_id, None, 0).unwrap()));
            facts.extend(store.budget(run_id).ok().map(|budget| read(&budget)));
        }
        cursor = page["next"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    facts.push(read(&store.event_read(&Read::default()).unwrap()));
    facts.push(read(&store.queue_list().unwrap()));
    facts.push(read(&store.schedule_list().unwrap()));
    facts.push(read(&store.retention().unwrap()));
    facts
}

/// Fills a store with everything that there is; returns the root of the tree.
fn fill(store: &Arc<Store>) -> String {
    store.queue_set("narrow", r#"{"concurrency":2,"concurrency_per_key":1}"#).unwrap();
    store.schedule_set("hourly", r#"{"workflow":"tick","every_ms":3600000}"#).unwrap();
    store.retention_set(Some(r#"{"completed_ms":900000000,"keep_newest":1000}"#)).unwrap();
    let root = busy(store);
    let large = format!("\"{}\"", "x".repeat(9_000));
    let narrow = |args: &str| Submit {
        queue: Some("narrow".into()),
        concurrency_key: Some("k".into()),
        args: Some(args.to_owned()),
        ..work("narrow")
    };
    let submits = ["1", "2", "3", large.as_str(), large.as_str()].map(narrow);
    store.submit_many(submits.to_vec()).unwrap();
    let cancelled = store.submit(work("cancelled")).unwrap().run_id;
    store.cancel(&cancelled, Some("\"why\"".into())).unwrap();
    let local = Submit { is_local: true, ..work("local") };
    claimed(store, "cancelled-not").release(0).unwrap();
    store.submit(local).unwrap();
    root
}

/// With the attempt that was released went what it had reserved, and who waited for that was woken.
fn spend_again(store: &Arc<Store>) {
    let runs = claimed(store, "runs");
    assert_eq!(replayed(&runs, "step"), "\"kept\"");
    runs.reserve(None, r#"{"t":30}"#, None).unwrap();
    let room = claimed(store, "room");
    assert!(room.reserve(None, r#"{"t":60}"#, None).is_err());
    room.suspend().unwrap();
}

fn moved(from: &Store, to: &Store) -> Value {
    let (is_done, report) = from.graduate(Some(to), None).unwrap();
    assert!(is_done);
    let report = read(&report);
    assert_eq!(report["state"], "moved");
    report
}

/// Goes one step at a time.
fn step(from: &Store, to: &Store) -> Option<Value> {
    let (is_done, report) = from.graduate(Some(to), Some(r#"{"for_ms":1}"#)).unwrap();
    (!is_done).then(|| read(&report))
}

#[test]
fn a_store_that_was_moved_goes_on_where_it_stood() {
    for (from, to) in ways() {
        let place = Place::new();
        let (here, there) = (place.made(from, "here"), place.made(to, "there"));
        here.submit(work("cancelled-not")).unwrap();
        let root = fill(&here);
        let held = claimed(&here, "cancelled-not");
        to_do(&held, "kept").complete(Some("\"kept\"".into())).unwrap();
        let begun = to_do(&held, "cut");
        let seen = step(&here, &there).map(|_| facts(&here));
        let report = moved(&here, &there);
        assert!(report["released"].as_u64().unwrap() >= 1, "{report}");
        assert_whole(&there, "the move");
        if let Some(seen) = seen {
            for (was, is) in seen.iter().zip(facts(&there)) {
                assert_eq!(was, &is, "{from:?} to {to:?}");
            }
        }
        assert_eq!(begun.complete(None).unwrap_err().code(), MOVED, "{from:?} to {to:?}");
        assert_eq!(held.heartbeat(0).unwrap_err().code(), MOVED);
        let again = claimed(&there, "cancelled-not");
        assert_eq!((again.number(), replayed(&again, "kept").as_str()), (3, "\"kept\""));
        to_do(&again, "cut").complete(None).unwrap();
        again.complete(None).unwrap();
        claimed(&there, "local").complete(None).unwrap();
        spend_again(&there);
        to_the_end(&there, &root);
        assert!(there.advance_clock_to_due().unwrap());
        assert_eq!(moved(&here, &there), report, "asked again");
    }
}

#[test]
fn after_the_decision_every_call_on_the_old_store_is_told_where_to_go() {
    for (from, to) in ways() {
        let place = Place::new();
        let (here, there) = (place.made(from, "here"), place.made(to, "there"));
        let run_id = here.submit(work("w")).unwrap().run_id;
        let other = (from != Kind::Memory).then(|| place.open(from, "here"));
        moved(&here, &there);
        for store in other.iter().chain([&here]) {
            for refused in [
                store.submit(work("w")).map(|_| ()),
                store.signal_send(&run_id, "s", None, None).map(|_| ()),
                store.run_get(&run_id).map(|_| ()),
                store.init().map(|_| ()),
                store.cancel(&run_id, None),
                store.graduate(None, Some(r#"{"abort":true}"#)).map(|_| ()),
            ] {
                assert_eq!(refused.unwrap_err().code(), MOVED, "{from:?} to {to:?}");
            }
        }
        let sentence = here.submit(work("w")).unwrap_err().to_string();
        if let Some(path) = &there.path {
            assert!(sentence.contains(path.to_str().unwrap()), "{sentence}");
        }
        assert_eq!(state(&there, &run_id), "pending");
    }
}

#[test]
fn while_it_is_copied_a_store_is_read_and_not_written_and_the_other_is_neither() {
    for (from, to) in ways() {
        let place = Place::new();
        let (here, there) = (place.made(from, "here"), place.made(to, "there"));
        let run_id = here.submit(work("w")).unwrap().run_id;
        while step(&here, &there).is_some_and(|report| report["state"] == "in_force") {}
        let Some(_) = step(&here, &there) else { continue };
        assert_eq!(state(&here, &run_id), "pending");
        assert_eq!(here.submit(work("w")).unwrap_err().code(), BUSY);
        assert_eq!(here.init().unwrap(), 0);
        assert_eq!(there.submit(work("w")).unwrap_err().code(), BUSY);
        assert_eq!(there.run_get(&run_id).unwrap_err().code(), BUSY);
    }
}

#[test]
fn a_move_that_is_taken_back_leaves_the_store_in_force_and_can_be_begun_anew() {
    for (from, to) in ways() {
        let place = Place::new();
        let (here, there) = (place.made(from, "here"), place.made(to, "there"));
        let root = fill_some(&here);
        for at in [0, 1, 4, 11] {
            let is_done = (0..at).any(|_| step(&here, &there).is_none());
            assert!(!is_done, "a move of so few steps");
            let aborted = read(&here.graduate(Some(&there), ABORT).unwrap().1);
            assert_eq!(aborted["state"], "in_force");
            here.submit(work("more")).unwrap();
            if at > 0 {
                assert_eq!(there.submit(work("w")).unwrap_err().code(), MOVED);
            }
            assert_whole(&here, "an abort");
        }
        moved(&here, &there);
        assert_eq!(there.run_count(None, 0).unwrap(), 5);
        assert_eq!(state(&there, &root), "pending");
        assert_whole(&there, "a move");
    }
}

const ABORT: Option<&str> = Some(r#"{"abort":true}"#);

fn fill_some(store: &Arc<Store>) -> String {
    let run_id = store.submit(work("w")).unwrap().run_id;
    let attempt = claimed(store, "w");
    to_do(&attempt, "s").complete(Some(format!("\"{}\"", "y".repeat(5_000)))).unwrap();
    run_id
}

#[test]
fn a_store_is_moved_into_an_empty_one_alone_and_not_into_itself() {
    for (from, to) in ways() {
        let place = Place::new();
        let (here, there) = (place.made(from, "here"), place.made(to, "there"));
        here.submit(work("w")).unwrap();
        there.submit(work("w")).unwrap();
        let refused = here.graduate(Some(&there), None).unwrap_err();
        assert_eq!(refused.code(), -23, "{refused}");
        here.submit(work("w")).unwrap();
        assert_eq!(here.graduate(Some(&here), None).unwrap_err().code(), -2);
        assert_eq!(here.graduate(None, None).unwrap_err().code(), -1);
        let bare = place.open(to, "bare");
        assert_eq!(here.graduate(Some(&bare), None).unwrap_err().code(), -24);
        let third = place.made(to, "third");
        moved(&here, &third);
        let fourth = place.made(to, "fourth");
        assert_eq!(here.graduate(Some(&fourth), None).unwrap_err().code(), MOVED);
        assert!(claim(&third, "w").is_some());
    }
}

#[test]
fn what_another_move_has_left_is_begun_anew_and_never_opened() {
    for (from, to) in ways() {
        let place = Place::new();
        let (here, there) = (place.made(from, "here"), place.made(to, "there"));
        fill_some(&here);
        (0..9).for_each(|_| assert!(step(&here, &there).is_some()));
        here.graduate(None, ABORT).unwrap();
        let run_id = here.submit(work("later")).unwrap().run_id;
        let other = place.made(to, "other");
        (0..4).for_each(|_| assert!(step(&here, &other).is_some()));
        // Neither is bound to the one that it was begun with.
        moved(&here, &there);
        assert_eq!(state(&there, &run_id), "pending");
        assert_eq!(here.graduate(Some(&other), None).unwrap_err().code(), MOVED);
        assert_eq!(other.submit(work("w")).unwrap_err().code(), BUSY);
    }
}

#[test]
fn a_store_goes_there_and_back() {
    for (from, to) in ways() {
        let place = Place::new();
        let (here, there) = (place.made(from, "here"), place.made(to, "there"));
        let root = busy(&here);
        moved(&here, &there);
        let more = there.submit(work("more")).unwrap().run_id;
        let back = place.made(from, "back");
        moved(&there, &back);
        assert_eq!(state(&back, &more), "pending");
        let last = place.made(to, "last");
        back.submit(work("more")).unwrap();
        moved(&back, &last);
        claimed(&last, "more").complete(None).unwrap();
        claimed(&last, "more").complete(None).unwrap();
        spend_again(&last);
        to_the_end(&last, &root);
    }
}
