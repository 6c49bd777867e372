//! Whatever a backend is given may run more than once: a transaction is lost beneath it, or met another
//! and has to begin anew. Here each job and each look runs twice, the first time for nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::claim::Claim;
use crate::domain::event::Read;
use crate::domain::step::Begin;
use crate::domain::submit::Submit;
use crate::domain::{AfterFail, FailOptions};
use crate::handles::attempt::Attempt;
use crate::handles::begin::Begun;
use crate::handles::sql::InNameOf;
use crate::handles::step::Step;
use crate::handles::store::{Store, StoreOptions};
use crate::handles::wait::Waited;
use crate::storage::sqlite::fault;
use crate::text::noise;

/// Every call that writes; `tests/tidy/calls.rs` holds that none is left out.
const CALLS: [&str; 42] = [
    "sw_attempt_complete",
    "sw_attempt_fail",
    "sw_attempt_heartbeat",
    "sw_attempt_release",
    "sw_attempt_suspend",
    "sw_await_all",
    "sw_await_any",
    "sw_budget_raise",
    "sw_budget_reserve",
    "sw_budget_settle",
    "sw_child_await",
    "sw_child_submit",
    "sw_child_submit_many",
    "sw_event_append",
    "sw_queue_set",
    "sw_retention_set",
    "sw_run_act_many",
    "sw_run_annotate",
    "sw_run_cancel",
    "sw_run_claim",
    "sw_run_claim_many",
    "sw_run_fork",
    "sw_run_import",
    "sw_run_pause",
    "sw_run_resume",
    "sw_run_retry",
    "sw_run_submit",
    "sw_run_submit_many",
    "sw_schedule_delete",
    "sw_schedule_set",
    "sw_signal_await",
    "sw_signal_send",
    "sw_sleep",
    "sw_step_begin",
    "sw_step_complete",
    "sw_step_complete_usage",
    "sw_step_fail",
    "sw_store_advance_clock",
    "sw_store_compact",
    "sw_store_graduate",
    "sw_store_prune",
    "sw_tx_run",
];

fn work(name: &str) -> Submit {
    Submit { workflow: name.into(), ..Submit::default() }
}

fn submitted(store: &Store, submit: Submit) -> String {
    let submitted = store.submit(submit).unwrap();
    assert!(!submitted.existed);
    submitted.run_id
}

fn claimed(store: &Arc<Store>, workflow: &str) -> Arc<Attempt> {
    let workflows = Some(vec![workflow.to_owned()]);
    let claim = Claim { workflows, ..Claim::default() };
    store.claim(claim).unwrap().expect("a run was submitted")
}

fn begun(attempt: &Arc<Attempt>, name: &str) -> Step {
    let begin = Begin { name: name.into(), is_tracked: true, ..Begin::default() };
    let Begun::Run(step) = attempt.step_begin(begin).unwrap() else {
        panic!("{name} is not to be run")
    };
    step
}

#[test]
fn whatever_runs_twice_is_done_once() {
    assert_eq!(live(0), 0);
}

/// Each first run panics before the n-th of its statements: nothing of it stays, no lock is held, and the
/// same call does its work with the same handles.
#[test]
fn whatever_panics_in_a_transaction_leaves_nothing_and_holds_nothing() {
    for statement in [1, 2, 3, 4, 6, 9, 14] {
        let panics = live(statement);
        println!("{panics} calls panicked before statement {statement}");
        assert!(panics > 10, "{panics}");
    }
}

/// Makes every call that writes, with each job and look run twice; returns how many panicked.
fn live(panics_at: u32) -> u32 {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    fault::run_again(&path);
    fault::panic_at(&path, panics_at);
    let options = StoreOptions { create: true, manual_clock: true, ..StoreOptions::default() };
    let store = Store::open(&path, &options).unwrap();
    assert_eq!(i64::from(store.init().unwrap()), store.schema_version().unwrap().1);
    assert_eq!(store.migrate(store.schema_version().unwrap().1).unwrap(), 0);
    steps_and_budgets(&store);
    waits_and_children(&store);
    acts_from_outside(&store);
    scripts(&store);
    queues_and_schedules(&store);
    retains(&store);
    carries(&store);
    prunes(&store);
    assert_eq!(store.check().unwrap(), r#"{"ok":true,"faults":[]}"#);
    store.backup(&folder.path().join("copy")).unwrap();
    let moved = folder.path().join("moved");
    fault::run_again(&moved);
    fault::panic_at(&moved, panics_at);
    moves(&store, &Store::open(&moved, &options).unwrap());
    let written = store.enter().unwrap().backend().unwrap().writer_facts().unwrap().calls;
    let written: BTreeSet<_> = written.iter().map(|call| call.name).collect();
    let missing: Vec<_> = CALLS.into_iter().filter(|call| !written.contains(call)).collect();
    assert_eq!(missing, [""; 0], "not written, so not run twice");
    store.close();
    let store = Store::open(&moved, &options).unwrap();
    assert_eq!(store.check().unwrap(), r#"{"ok":true,"faults":[]}"#);
    fault::panics(&path)
}

fn steps_and_budgets(store: &Arc<Store>) {
    let budget = Some(r#"{"t":{"limit":100}}"#.to_owned());
    let run = submitted(store, Submit { budget, ..work("steps") });
    let attempt = claimed(store, "steps");
    assert_eq!(attempt.number(), 1);
    attempt.heartbeat(0).unwrap();
    begun(&attempt, "one").complete(Some("1".into())).unwrap();
    let step = begun(&attempt, "two");
    assert!(!attempt.reserve(Some(&step), r#"{"t":60}"#, Some("s")).unwrap().existed);
    step.complete_usage(Some("2".into()), r#"{"t":50}"#).unwrap();
    let held = attempt.reserve(None, r#"{"t":50}"#, None).unwrap();
    store.settle(&held.id, r#"{"t":40}"#).unwrap();
    store.budget_raise(&run, "t", 5).unwrap();
    let units = store.budget(&run).unwrap();
    assert!(units.contains(r#""limit":105"#) && units.contains(r#""spent":90"#), "{units}");
    assert!(attempt.event_append("said", Some("1".into()), Some("k")).unwrap());
    assert!(attempt.event_append("said", Some("2".into()), None).unwrap());
    let page = store.event_read(&Read::default()).unwrap();
    assert!(page.contains(r#""last_seq":2"#), "{page}");
    let options = FailOptions { retry_after_ms: 1, ..FailOptions::default() };
    begun(&attempt, "three").fail(Some("1".into()), options).unwrap();
    attempt.release(0).unwrap();
    store.advance_clock(1).unwrap();
    let attempt = claimed(store, "steps");
    assert_eq!(attempt.number(), 2);
    assert_eq!(begun(&attempt, "three").tries(), 2);
    attempt.complete(Some("3".into())).unwrap();
    let document = store.run_history(&run, None, 0).unwrap();
    assert_eq!(document.matches(r#""name":"#).count(), 3, "{document}");
}

fn waits_and_children(store: &Arc<Store>) {
    let run = submitted(store, work("waits"));
    let attempt = claimed(store, "waits");
    assert!(store.signal_send(&run, "s", Some("1".into()), Some("k")).unwrap());
    assert!(store.signal_send(&run, "s", Some("2".into()), None).unwrap());
    let ready = |text: &str| Waited::Ready(text.into());
    assert_eq!(attempt.signal_await("s", -1).unwrap(), ready("1"));
    assert_eq!(attempt.sleep("nap", 1).unwrap(), Waited::NotYet);
    let waits = r#"[{"signal":"s"}]"#;
    assert!(matches!(attempt.await_any("any", waits, -1).unwrap(), Waited::Ready(_)));
    assert_eq!(attempt.await_all("all", waits, 0).unwrap(), Waited::TimedOut);
    let child = attempt.child_submit("c", work("child")).unwrap();
    let others = vec![("d".to_owned(), work("child")), ("e".to_owned(), work("child"))];
    let others = attempt.child_submit_many(others).unwrap();
    assert!(!child.existed && others.iter().all(|other| !other.existed));
    assert_eq!(attempt.child_await(&child.run_id, 1_000).unwrap(), Waited::NotYet);
    attempt.suspend().unwrap();
    let claim = Claim { workflows: Some(vec!["child".into()]), ..Claim::default() };
    let children = store.claim_many(claim, 9).unwrap();
    assert_eq!(children.len(), 3);
    for child in children {
        child.complete(None).unwrap();
    }
    store.advance_clock(1).unwrap();
    let attempt = claimed(store, "waits");
    assert!(matches!(attempt.sleep("nap", 1).unwrap(), Waited::Ready(_)));
    assert_eq!(attempt.child_await(&child.run_id, 1_000).unwrap(), ready("null"));
    attempt.complete(None).unwrap();
}

fn acts_from_outside(store: &Arc<Store>) {
    let run = submitted(store, work("acts"));
    store.pause(&run).unwrap();
    store.resume(&run).unwrap();
    store.annotate(&run, r#"{"a":1}"#).unwrap();
    let terminal = FailOptions { is_terminal: true, ..FailOptions::default() };
    let failed = claimed(store, "acts").fail(None, terminal).unwrap();
    assert_eq!(failed, AfterFail::Final);
    store.retry(&run).unwrap();
    let fork = store.fork(&run, None).unwrap();
    store.cancel(&run, None).unwrap();
    let acted = store.act_many("cancel", Some(r#"{"workflow":"acts","state":"pending"}"#), 0);
    let acted = acted.unwrap();
    assert!(acted.contains(r#""done":1"#), "{acted}");
    assert!(store.run_get(&fork).unwrap().contains(r#""state":"cancelled""#));
    assert_eq!(store.submit_many(vec![work("many"), work("many")]).unwrap().len(), 2);
    assert_eq!(store.run_count(Some(r#"{"workflow":"many"}"#), 0).unwrap(), 2);
}

fn scripts(store: &Arc<Store>) {
    let make = r#"[{"sql":"CREATE TABLE own (n INTEGER)"},{"sql":"INSERT INTO own VALUES (0)"}]"#;
    store.tx_run(InNameOf::default(), make).unwrap();
    let run = submitted(store, work("scripts"));
    let attempt = claimed(store, "scripts");
    let step = begun(&attempt, "add");
    let add = r#"{"sql":"UPDATE own SET n = n + 1","expect_changes":1}"#;
    let signal = format!(r#"{{"signal":{{"run_id":"{run}","name":"s"}}}}"#);
    let others = r#"{"submit":{"workflow":"scripted"}},{"step_complete":{"result_from":0}}"#;
    let name = InNameOf { attempt: Some(&attempt), step: Some(&step) };
    store.tx_run(name, &format!("[{add},{signal},{others}]")).unwrap();
    assert_eq!(attempt.signal_await("s", -1).unwrap(), Waited::Ready("null".into()));
    assert_eq!(attempt.signal_await("s", 0).unwrap(), Waited::TimedOut);
    assert_eq!(store.run_count(Some(r#"{"workflow":"scripted"}"#), 0).unwrap(), 1);
    let name = InNameOf { attempt: Some(&attempt), step: None };
    store.tx_run(name, &format!(r#"[{add},{{"attempt_complete":{{}}}}]"#)).unwrap();
    let rows = store.query("SELECT n FROM own", None, None).unwrap();
    assert!(rows.contains(r#""rows":[[2]]"#), "{rows}");
}

fn queues_and_schedules(store: &Arc<Store>) {
    store.queue_set("default", r#"{"concurrency":1}"#).unwrap();
    let held = claimed(store, "many");
    assert!(store.claim(Claim::default()).unwrap().is_none());
    held.complete(None).unwrap();
    claimed(store, "many").complete(None).unwrap();
    store.schedule_set("s", r#"{"workflow":"made","every_ms":1000}"#).unwrap();
    store.advance_clock(1_000).unwrap();
    claimed(store, "made").complete(None).unwrap();
    assert_eq!(store.run_count(Some(r#"{"workflow":"made"}"#), 0).unwrap(), 1);
    store.schedule_delete("s").unwrap();
}

fn retains(store: &Arc<Store>) {
    let count = || store.run_count(None, 0).unwrap();
    let policy = r#"{"cancelled_ms":1000}"#;
    store.retention_set(Some(policy)).unwrap();
    assert_eq!(store.retention().unwrap(), policy);
    let before = count();
    for _ in 0..3 {
        store.cancel(&submitted(store, work("goes")), None).unwrap();
    }
    store.advance_clock(1_000).unwrap();
    assert!(
        store.claim(Claim { queue: Some("none".into()), ..Claim::default() }).unwrap().is_none()
    );
    assert!(count() <= before);
    store.retention_set(None).unwrap();
    assert_eq!(store.retention().unwrap(), "{}");
}

fn moves(store: &Arc<Store>, other: &Arc<Store>) {
    other.init().unwrap();
    submitted(store, work("moves"));
    let attempt = claimed(store, "moves");
    begun(&attempt, "one").complete(Some("1".into())).unwrap();
    let (is_done, report) = store.graduate(Some(other), Some(r#"{"for_ms":1}"#)).unwrap();
    if !is_done {
        assert!(!report.contains("moved"), "{report}");
        store.graduate(Some(other), Some(r#"{"abort":true}"#)).unwrap();
    }
    assert!(store.graduate(Some(other), None).unwrap().0);
    let again = claimed(other, "moves");
    assert_eq!(again.number(), 2);
    let begin = Begin { name: "one".into(), is_tracked: true, ..Begin::default() };
    assert!(matches!(again.step_begin(begin).unwrap(), Begun::Replayed(_)));
    again.complete(None).unwrap();
}

fn carries(store: &Arc<Store>) {
    let run = submitted(store, work("carried"));
    let attempt = claimed(store, "carried");
    attempt.child_submit("c", work("carried child")).unwrap();
    begun(&attempt, "one").complete(Some("1".into())).unwrap();
    let document = store.run_export(&run, None).unwrap();
    let told = store.run_import(&document, Some(r#"{"ids":"new"}"#)).unwrap();
    assert!(told.ends_with(r#","runs":2}"#), "{told}");
    assert_eq!(store.run_count(Some(r#"{"workflow":"carried"}"#), 0).unwrap(), 2);
    // The queue holds one at a time.
    attempt.complete(None).unwrap();
    let copy = claimed(store, "carried");
    assert_eq!(copy.number(), 2);
    let begin = Begin { name: "one".into(), is_tracked: true, ..Begin::default() };
    assert!(matches!(copy.step_begin(begin).unwrap(), Begun::Replayed(_)));
    copy.complete(None).unwrap();
    claimed(store, "carried child").complete(None).unwrap();
    claimed(store, "carried child").complete(None).unwrap();
}

fn prunes(store: &Arc<Store>) {
    let ended = r#"{"state":["completed","failed","cancelled"]}"#;
    let count = || store.run_count(Some(ended), 0).unwrap();
    let large = Submit { args: Some(noise(50_000)), ..work("large") };
    store.cancel(&submitted(store, large), None).unwrap();
    let before = count();
    let pruned = store.prune(None, 3).unwrap();
    assert!(pruned.starts_with(r#"{"runs":3,"#), "{pruned}");
    // A tree of which rows are left is gone as well.
    assert!(count() <= before - 3, "{} of {before}", count());
    let (mut runs, mut more) = (3, true);
    while more {
        let pruned: serde_json::Value =
            serde_json::from_str(&store.prune(None, 3).unwrap()).unwrap();
        runs += pruned["runs"].as_u64().unwrap();
        more = pruned["more"] == true;
    }
    assert_eq!((runs, count()), (before, 0));
    let compacted: serde_json::Value = serde_json::from_str(&store.compact(0).unwrap()).unwrap();
    assert!(compacted["freed_pages"].as_u64() > Some(0), "{compacted}");
    assert_eq!(compacted["left_pages"], 0);
}
