//! Trees that go from one store into another: what goes on there, what is refused, and that whatever a
//! document says the store stays whole.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::domain::claim::Claim;
use crate::domain::event::Read;
use crate::domain::step::Begin;
use crate::domain::submit::Submit;
use crate::domain::{AfterFail, FailOptions};
use crate::handles::attempt::Attempt;
use crate::handles::begin::Begun;
use crate::handles::step::Step;
use crate::handles::store::{Store, StoreOptions};
use crate::handles::wait::Waited;
use crate::limits::{CARRY_ROWS_MAX, CARRY_RUNS_MAX};

/// Payloads whose bytes a reader of JSON would not keep.
const ARGS: &str = " {\"a\" : 1.0, \"n\":12345678901234567890, \"a\":\"\\u00e9\"} ";
const NEW: Option<&str> = Some("{\"ids\":\"new\"}");

fn store() -> Arc<Store> {
    let options = StoreOptions { manual_clock: true, ..StoreOptions::default() };
    let store = Store::open_in_memory(&options).unwrap();
    store.init().unwrap();
    store
}

pub(super) fn work(name: &str) -> Submit {
    Submit { workflow: name.into(), ..Submit::default() }
}

pub(super) fn claimed(store: &Arc<Store>, workflow: &str) -> Arc<Attempt> {
    claim(store, workflow).unwrap_or_else(|| panic!("no {workflow} is to be claimed"))
}

pub(super) fn claim(store: &Arc<Store>, workflow: &str) -> Option<Arc<Attempt>> {
    let workflows = Some(vec![workflow.to_owned()]);
    store.claim(Claim { workflows, worker: Some("me".into()), ..Claim::default() }).unwrap()
}

fn begun(attempt: &Arc<Attempt>, name: &str) -> Begun {
    let input = Some("{\"x\":1}".to_owned());
    attempt.step_begin(Begin { name: name.into(), input, ..Begin::default() }).unwrap()
}

pub(super) fn to_do(attempt: &Arc<Attempt>, name: &str) -> Step {
    let Begun::Run(step) = begun(attempt, name) else { panic!("{name} is not to be done") };
    step
}

pub(super) fn replayed(attempt: &Arc<Attempt>, name: &str) -> String {
    let Begun::Replayed(step) = begun(attempt, name) else { panic!("{name} is not replayed") };
    let result = step.result().unwrap();
    result.as_str().to_owned()
}

pub(super) fn assert_whole(store: &Store, after: &str) {
    assert_eq!(store.check().unwrap(), r#"{"ok":true,"faults":[]}"#, "{after}");
}

pub(super) fn read(document: &str) -> Value {
    serde_json::from_str(document).unwrap()
}

pub(super) fn state(store: &Store, run_id: &str) -> String {
    let state = &read(&store.run_get(run_id).unwrap())["state"];
    state.as_str().unwrap().to_owned()
}

fn imported(store: &Store, document: &str, options: Option<&str>) -> String {
    let told = read(&store.run_import(document, options).unwrap());
    assert_eq!(told["runs"], read(document)["runs"].as_array().unwrap().len());
    assert_whole(store, "an import");
    told["run_id"].as_str().unwrap().to_owned()
}

/// Ids by the workflow of the run: each workflow of the tree below has one run.
fn id_of(document: &Value, workflow: &str) -> String {
    let runs = document["runs"].as_array().unwrap();
    let run = runs.iter().find(|run| run["workflow"] == workflow).unwrap();
    run["run_id"].as_str().unwrap().to_owned()
}

/// A tree with everything that a run can have: a root that waits, and below it runs in every state.
pub(super) fn busy(store: &Arc<Store>) -> String {
    let submit = Submit {
        args: Some(ARGS.into()),
        metadata: Some("{\"tenant\":\"acme\"}".into()),
        budget: Some(r#"{"t":{"limit":100,"warn":50},"usd":5}"#.into()),
        idempotency_key: Some("key".into()),
        idempotency_scope: Some("scope".into()),
        timeout_ms: 1_000_000,
        priority: -3,
        max_tries: 7,
        backoff_initial_ms: 11,
        backoff_max_ms: 12,
        backoff_percent: 130,
        ..work("root")
    };
    let run_id = store.submit(submit).unwrap().run_id;
    let attempt = claimed(store, "root");
    records(store, &attempt);
    attempt.release(0).unwrap();
    let attempt = claimed(store, "root");
    let waits = children(store, &attempt);
    attempt.event_append("said", Some(" [1] ".into()), Some("once")).unwrap();
    attempt.event_append("said", None, None).unwrap();
    assert_eq!(attempt.child_await(&waits, 900_000).unwrap(), Waited::NotYet);
    attempt.suspend().unwrap();
    run_id
}

/// Steps in every state, and what the root spends.
fn records(store: &Arc<Store>, attempt: &Arc<Attempt>) {
    let run_id = attempt.run_id().to_string();
    let step = to_do(attempt, "done");
    attempt.reserve(Some(&step), r#"{"t":20}"#, Some("source")).unwrap();
    step.complete_usage(Some(" \"done\" ".into()), r#"{"t":15,"usd":1}"#).unwrap();
    let held = attempt.reserve(None, r#"{"t":9,"usd":2}"#, None).unwrap();
    store.settle(&held.id, r#"{"t":8}"#).unwrap();
    attempt.reserve(None, r#"{"usd":1}"#, None).unwrap();
    let terminal = FailOptions { is_terminal: true, ..FailOptions::default() };
    let failed = to_do(attempt, "failed").fail(Some("\"no\"".into()), terminal).unwrap();
    assert_eq!(failed, AfterFail::Final);
    let later = FailOptions { retry_after_ms: 900_000, ..FailOptions::default() };
    to_do(attempt, "later").fail(Some("\"not yet\"".into()), later).unwrap();
    let tracked = Begin { name: "tracked".into(), is_tracked: true, ..Begin::default() };
    attempt.step_begin(tracked).unwrap();
    store.signal_send(&run_id, "go", Some(" {\"x\" : 1} ".into()), Some("k")).unwrap();
    store.signal_send(&run_id, "go", Some("2".into()), None).unwrap();
    assert!(matches!(attempt.signal_await("go", -1).unwrap(), Waited::Ready(_)));
    assert_eq!(attempt.signal_await("never", 0).unwrap(), Waited::TimedOut);
    assert_eq!(attempt.sleep("nap", 700_000).unwrap(), Waited::NotYet);
}

const CHILDREN: [&str; 9] =
    ["ended", "broke", "waits", "runs", "lost", "delayed", "paused", "room", "leaf"];

/// Runs in every state; returns the one that waits.
fn children(store: &Arc<Store>, root: &Arc<Attempt>) -> String {
    let submit = |name: &&str| {
        let run_at_ms = if *name == "delayed" { store.now_ms() + 800_000 } else { 0 };
        root.child_submit(name, Submit { run_at_ms, ..work(name) }).unwrap().run_id
    };
    let ids: Vec<String> = CHILDREN[..8].iter().map(submit).collect();
    claimed(store, "ended").complete(Some(" [\"end\"] ".into())).unwrap();
    let broke = FailOptions { is_terminal: true, ..FailOptions::default() };
    claimed(store, "broke").fail(Some("\"broke\"".into()), broke).unwrap();
    let waits = claimed(store, "waits");
    waits.child_submit("leaf", work("leaf")).unwrap();
    let all = r#"[{"signal":"a"},{"signal":"a"},{"sleep_ms":600000},{"signal":"b"}]"#;
    store.signal_send(waits.run_id().as_str(), "a", Some("\"first\"".into()), None).unwrap();
    assert_eq!(waits.await_all("all", all, -1).unwrap(), Waited::NotYet);
    waits.suspend().unwrap();
    let lost = claimed(store, "lost");
    let held = lost.reserve(None, r#"{"t":4}"#, None).unwrap();
    store.settle(&held.id, r#"{"t":0}"#).unwrap();
    lost.release(0).unwrap();
    let runs = claimed(store, "runs");
    to_do(&runs, "step").complete(Some("\"kept\"".into())).unwrap();
    runs.reserve(None, r#"{"t":30}"#, None).unwrap();
    store.pause(&ids[6]).unwrap();
    let room = claimed(store, "room");
    assert!(room.reserve(None, r#"{"t":60}"#, None).is_err());
    room.suspend().unwrap();
    ids[2].clone()
}

#[test]
fn a_tree_that_was_carried_shows_as_it_did() {
    let (here, there) = (store(), store());
    let run_id = busy(&here);
    let first = read(&here.run_export(&run_id, None).unwrap());
    imported(&there, &first.to_string(), None);
    let second = read(&there.run_export(&run_id, None).unwrap());
    let runs = |document: &Value| id_of(document, "runs");
    let of_runs = |run: &Value| run["run_id"] == runs(&first);
    for (key, value) in first.as_object().unwrap() {
        match key.as_str() {
            "store_id" | "exported_at_ms" => assert_ne!(&second[key], &json!(null)),
            // Below the limit of the reservation that is charged, where nothing was spent before.
            "units" => {
                assert_eq!(value[0]["reserved"], 30);
                assert_eq!(second[key][0]["reserved"], 0);
                let spent = |units: &Value| units[0]["spent"].as_i64().unwrap();
                assert_eq!(spent(&second[key]), spent(value) + 30);
            }
            "runs" => {
                let (was, is) = (value.as_array().unwrap(), second[key].as_array().unwrap());
                assert_eq!(was.len(), CHILDREN.len() + 1);
                for (was, is) in was.iter().zip(is).filter(|(was, _)| !of_runs(was)) {
                    assert_eq!(was, is);
                }
            }
            _ => assert_eq!(&second[key], value, "{key}"),
        }
    }
}

#[test]
fn what_ran_comes_in_as_lost_and_what_it_held_is_charged() {
    let (here, there) = (store(), store());
    let document = here.run_export(&busy(&here), None).unwrap();
    let runs = id_of(&read(&document), "runs");
    there.queue_set("default", r#"{"concurrency":1}"#).unwrap();
    imported(&there, &document, None);
    let history = read(&there.run_history(&runs, None, 0).unwrap());
    assert_eq!(history["run"]["state"], "pending");
    assert_eq!(history["attempts"][0]["state"], "lost");
    assert_eq!(history["attempts"][0]["worker"], "me");
    assert_eq!(history["attempts"][0]["error"]["$smolwf"], "lapsed");
    let attempt = claimed(&there, "runs");
    assert_eq!((attempt.number(), replayed(&attempt, "step").as_str()), (2, "\"kept\""));
    assert!(claim(&there, "lost").is_none(), "the limit counts one that does not run");
    attempt.complete(None).unwrap();
    assert_eq!(state(&here, &runs), "running");
    assert_whole(&there, "the end");
}

/// Goes on with a tree to its end, and returns what the root was told.
pub(super) fn to_the_end(store: &Arc<Store>, root: &str) {
    assert!(claim(store, "root").is_none(), "it waits for a child");
    assert!(claim(store, "waits").is_none(), "and that for messages");
    let history = store.run_history(root, None, 0).unwrap();
    let children = read(&history)["children"].clone();
    let child = |name: &str| {
        let found = children.as_array().unwrap().iter().find(|child| child["workflow"] == name);
        found.unwrap()["run_id"].as_str().unwrap().to_owned()
    };
    let waits = child("waits");
    store.signal_send(&waits, "b", Some("\"b\"".into()), None).unwrap();
    assert!(claim(store, "waits").is_none(), "it was sent one of two");
    store.signal_send(&waits, "a", Some("\"second\"".into()), None).unwrap();
    assert!(claim(store, "waits").is_none(), "it sleeps on");
    store.advance_clock(650_000).unwrap();
    let attempt = claimed(store, "waits");
    let all = r#"[{"signal":"a"},{"signal":"a"},{"sleep_ms":600000},{"signal":"b"}]"#;
    let Waited::Ready(came) = attempt.await_all("all", all, -1).unwrap() else { panic!("not yet") };
    assert!(came.contains("\"first\"") && came.contains("\"second\""), "{came}");
    let leaf = attempt.child_submit("leaf", work("leaf")).unwrap();
    assert!(leaf.existed);
    assert_eq!(state(store, &leaf.run_id), "pending");
    attempt.complete(Some(" \"waited\" ".into())).unwrap();
    let attempt = claimed(store, "root");
    assert_eq!(attempt.run_id().to_string(), root);
    assert_eq!(attempt.args().to_string(), ARGS);
    assert_eq!(replayed(&attempt, "done"), " \"done\" ");
    assert!(matches!(begun(&attempt, "failed"), Begun::Failed(_)));
    assert!(matches!(begun(&attempt, "later"), Begun::Suspended));
    assert_eq!(attempt.signal_await("go", -1).unwrap(), Waited::Ready(" {\"x\" : 1} ".into()));
    assert_eq!(attempt.signal_await("go", -1).unwrap(), Waited::Ready("2".into()));
    assert_eq!(attempt.signal_await("never", 0).unwrap(), Waited::TimedOut);
    let ended = attempt.child_submit("ended", work("ended")).unwrap();
    assert_eq!(
        attempt.child_await(&ended.run_id, -1).unwrap(),
        Waited::Ready(" [\"end\"] ".into())
    );
    let broke = attempt.child_submit("broke", work("broke")).unwrap();
    assert_eq!(attempt.child_await(&broke.run_id, -1).unwrap(), Waited::Failed("\"broke\"".into()));
    let awaited = attempt.child_submit("waits", work("waits")).unwrap();
    assert!(awaited.existed && awaited.run_id == waits);
    let answer = attempt.child_await(&awaited.run_id, 500_000).unwrap();
    assert_eq!(answer, Waited::Ready(" \"waited\" ".into()));
    assert!(!attempt.event_append("said", None, Some("once")).unwrap());
    assert!(attempt.sleep("nap", 1).unwrap() == Waited::NotYet);
    store.advance_clock(50_000).unwrap();
    assert!(matches!(attempt.sleep("nap", 1).unwrap(), Waited::Ready(_)));
    attempt.complete(None).unwrap();
    let ends = [("delayed", "pending"), ("paused", "paused"), ("room", "waiting")];
    ends.iter().for_each(|(name, is)| assert_eq!(&state(store, &child(name)), is, "{name}"));
    store.budget_raise(root, "t", 100).unwrap();
    claimed(store, "room").complete(None).unwrap();
    store.resume(&child("paused")).unwrap();
    claimed(store, "paused").complete(None).unwrap();
    store.advance_clock(200_000).unwrap();
    claimed(store, "delayed").complete(None).unwrap();
    assert_whole(store, "the end");
}

#[test]
fn a_tree_goes_on_where_it_stood_under_its_ids() {
    let (here, there) = (store(), store());
    let run_id = busy(&here);
    let root = imported(&there, &here.run_export(&run_id, None).unwrap(), None);
    assert_eq!(root, run_id);
    assert_eq!(there.find("scope", "key").unwrap().as_deref(), Some(run_id.as_str()));
    to_the_end(&there, &root);
}

#[test]
fn a_tree_goes_on_where_it_stood_under_new_ids() {
    let (here, there) = (store(), store());
    let document = here.run_export(&busy(&here), None).unwrap();
    let root = imported(&there, &document, NEW);
    let text = there.run_export(&root, None).unwrap();
    for run in read(&document)["runs"].as_array().unwrap() {
        let old = run["run_id"].as_str().unwrap();
        assert!(!text.contains(old), "{old} is in {text}");
    }
    to_the_end(&there, &root);
    to_the_end(&here, &id_of(&read(&document), "root"));
}

#[test]
fn a_tree_that_was_pruned_comes_back_beside_its_own_events() {
    let store = store();
    let run_id = store.submit(work("w")).unwrap().run_id;
    let attempt = claimed(&store, "w");
    attempt.event_append("said", None, None).unwrap();
    attempt.complete(None).unwrap();
    let document = store.run_export(&run_id, None).unwrap();
    let refused = store.run_import(&document, None).unwrap_err();
    assert_eq!(refused.code(), -23);
    assert!(refused.to_string().contains(&run_id), "{refused}");
    // Its bare row stays while it is the newest.
    store.prune(None, 0).unwrap();
    imported(&store, &document, None);
    assert_eq!(state(&store, &run_id), "completed");
    let log = store.event_read(&Read::default()).unwrap();
    assert_eq!(log.matches(&run_id).count(), 2, "{log}");
    let of_run = Read { run_id: Some(run_id.clone()), ..Read::default() };
    assert_eq!(store.event_read(&of_run).unwrap().matches(&run_id).count(), 1);
    store.prune(None, 0).unwrap();
    store.submit(work("w")).unwrap();
    imported(&store, &document, None);
}

#[test]
fn a_tree_that_is_still_being_pruned_is_neither_exported_nor_overwritten() {
    let store = store();
    let run_id = store.submit(work("w")).unwrap().run_id;
    let attempt = claimed(&store, "w");
    for at in 0..5 {
        attempt.child_submit(&format!("c{at}"), work("c")).unwrap();
    }
    attempt.complete(None).unwrap();
    while let Some(child) = claim(&store, "c") {
        child.complete(None).unwrap();
    }
    let document = store.run_export(&run_id, None).unwrap();
    assert!(store.prune(None, 2).unwrap().contains("\"more\":true"));
    assert_eq!(store.run_export(&run_id, None).unwrap_err().code(), -3);
    let refused = store.run_import(&document, None).unwrap_err();
    assert!(refused.code() == -23 && refused.to_string().contains("sw_store_prune"), "{refused}");
    while store.prune(None, 0).unwrap().contains("\"more\":true") {}
    imported(&store, &document, None);
}

#[test]
fn an_idempotency_key_that_has_made_a_run_here_is_named() {
    let (here, there) = (store(), store());
    let keyed = || Submit { idempotency_key: Some("k".into()), ..work("w") };
    let run_id = here.submit(keyed()).unwrap().run_id;
    let other = there.submit(keyed()).unwrap().run_id;
    let document = here.run_export(&run_id, None).unwrap();
    for options in [None, NEW] {
        let refused = there.run_import(&document, options).unwrap_err();
        assert_eq!(refused.code(), -23);
        assert!(refused.to_string().contains(&other), "{refused}");
    }
    assert_eq!(there.run_count(None, 0).unwrap(), 1);
}

#[test]
fn what_is_no_tree_of_its_own_is_not_exported() {
    let store = store();
    let run_id = busy(&store);
    let document = read(&store.run_export(&run_id, None).unwrap());
    let leaf = id_of(&document, "leaf");
    let refused = store.run_export(&leaf, None).unwrap_err();
    assert!(refused.code() == -23 && refused.to_string().contains(&run_id), "{refused}");
    assert_eq!(store.run_export("run_x", None).unwrap_err().code(), -3);
    // A fork from before its first submit stands alone, one from behind it may await that child.
    let alone = store.fork(&run_id, Some("failed")).unwrap();
    let text = store.run_export(&alone, None).unwrap();
    assert_eq!(read(&text)["runs"][0]["forked_from_run_id"], run_id);
    let fork = store.fork(&run_id, Some("broke")).unwrap();
    let refused = store.run_export(&fork, None).unwrap_err();
    let sentence = refused.to_string();
    assert!(refused.code() == -23 && sentence.contains(&id_of(&document, "ended")), "{sentence}");
    store.cancel(&fork, None).unwrap();
    let text = store.run_export(&fork, None).unwrap();
    let other = self::store();
    imported(&other, &text, None);
    other.run_history(&fork, None, 0).unwrap();
}

#[test]
fn a_fork_stays_linked_with_an_origin_that_is_here() {
    let store = store();
    let run_id = store.submit(work("w")).unwrap().run_id;
    let attempt = claimed(&store, "w");
    let child = attempt.child_submit("c", work("c")).unwrap().run_id;
    to_do(&attempt, "s").complete(None).unwrap();
    let fork = store.fork(&run_id, Some("s")).unwrap();
    let awaits = |store: &Arc<Store>| {
        let again = claimed(store, "w");
        assert!(again.child_submit("c", work("c")).unwrap().existed);
        again.child_await(&child, -1)
    };
    store.cancel(&fork, None).unwrap();
    let document = store.run_export(&fork, None).unwrap();
    let copy = imported(&store, &document, NEW);
    store.retry(&copy).unwrap();
    assert_eq!(awaits(&store).unwrap(), Waited::NotYet);
    let other = self::store();
    imported(&other, &document, None);
    other.retry(&fork).unwrap();
    assert_eq!(awaits(&other).unwrap_err().code(), -3);
}

/// Who was woken for room, and has not taken it, is not known any more: all who fit ask again.
#[test]
fn room_that_one_was_woken_for_wakes_the_next_after_an_import() {
    let (here, there) = (store(), store());
    let budget = Some(r#"{"t":10}"#.to_owned());
    let run_id = here.submit(Submit { budget, ..work("w") }).unwrap().run_id;
    let root = claimed(&here, "w");
    let held = root.reserve(None, r#"{"t":10}"#, None).unwrap();
    for name in ["first", "second"] {
        root.child_submit(name, work(name)).unwrap();
        let waits = claimed(&here, name);
        assert!(waits.reserve(None, r#"{"t":10}"#, None).is_err());
        waits.suspend().unwrap();
    }
    here.settle(&held.id, "{}").unwrap();
    let document = here.run_export(&run_id, None).unwrap();
    let parsed = read(&document);
    assert_eq!(state(&here, &id_of(&parsed, "first")), "pending");
    assert_eq!(state(&here, &id_of(&parsed, "second")), "waiting");
    imported(&there, &document, None);
    claimed(&there, "first").complete(None).unwrap();
    claimed(&there, "second").complete(None).unwrap();
}

#[test]
fn a_cancel_on_its_way_down_goes_on() {
    let (here, there) = (store(), store());
    let run_id = here.submit(work("w")).unwrap().run_id;
    let attempt = claimed(&here, "w");
    attempt.child_submit("c", work("c")).unwrap();
    attempt.complete(None).unwrap();
    let mut document = read(&here.run_export(&run_id, None).unwrap());
    let cancelled = json!({"outcome": "cancelled", "finished_at_ms": 1, "attempts": 1, "tries": 0});
    document["runs"][0]["end"] = cancelled;
    document["runs"][0]["attempts"][0]["state"] = "cancelled".into();
    document["runs"][0]["ending_children"] = true.into();
    imported(&there, &document.to_string(), None);
    assert!(claim(&there, "c").is_none());
    assert_eq!(state(&there, &id_of(&document, "c")), "cancelled");
}

#[test]
fn runs_with_one_concurrency_key_come_in_behind_each_other() {
    let (here, there) = (store(), store());
    let keyed = || Submit { concurrency_key: Some("k".into()), ..work("c") };
    let run_id = here.submit(work("w")).unwrap().run_id;
    let attempt = claimed(&here, "w");
    for at in 0..6 {
        attempt.child_submit(&format!("c{at}"), keyed()).unwrap();
    }
    let document = here.run_export(&run_id, None).unwrap();
    there.queue_set("default", r#"{"concurrency_per_key":1}"#).unwrap();
    there.submit(keyed()).unwrap();
    let before = claimed(&there, "c");
    imported(&there, &document, None);
    assert!(claim(&there, "c").is_none());
    before.complete(None).unwrap();
    let mut count = 0;
    while let Some(next) = claim(&there, "c") {
        assert!(claim(&there, "c").is_none(), "two hold the fence behind one key");
        assert_whole(&there, "a claim");
        next.complete(None).unwrap();
        count += 1;
    }
    assert_eq!(count, 6);
}

#[test]
fn a_redacted_document_has_no_text_of_the_hosts_and_cannot_be_imported() {
    let store = store();
    let run_id = busy(&store);
    let redact = Some("{\"redact\":true}");
    let text = store.run_export(&run_id, redact).unwrap();
    for secret in
        ["acme", "end\\", "broke\\\"", "\"me\"", "\"scope\"", "first", "lapsed\\", "not yet"]
    {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    let document = read(&text);
    let args = document["runs"][0]["args"].clone();
    assert_eq!(args["bytes"], ARGS.len());
    assert_eq!(args["hash"].as_str().unwrap().len(), 32);
    let again = read(&store.run_export(&run_id, redact).unwrap());
    assert_ne!(again["runs"][0]["args"]["hash"], args["hash"], "it can be guessed");
    let workers = |document: &Value| {
        let attempts = document["runs"][0]["attempts"].as_array().unwrap().clone();
        attempts.into_iter().map(|attempt| attempt["worker"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(workers(&document)[0], workers(&document)[1], "equal texts differ");
    let refused = self::store().run_import(&text, None).unwrap_err();
    assert!(refused.code() == -2 && refused.to_string().contains("redact"), "{refused}");
    let mut opened = document;
    opened["redacted"] = false.into();
    assert_eq!(self::store().run_import(&opened.to_string(), None).unwrap_err().code(), -2);
}

#[test]
fn an_error_of_the_engines_is_known_by_its_kind_in_a_redacted_document() {
    let store = store();
    let run_id = store.submit(work("w")).unwrap().run_id;
    store.cancel(&run_id, Some("\"secret\"".into())).unwrap();
    let text = store.run_export(&run_id, Some("{\"redact\":true}")).unwrap();
    assert_eq!(read(&text)["runs"][0]["end"]["error"]["engine"], "cancelled");
    assert!(!text.contains("secret"), "{text}");
}

/// Returns a document with one member set anew, or taken away.
fn with(document: &Value, path: &str, value: Option<Value>) -> Value {
    let mut document = document.clone();
    let (parent, key) = path.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap_or_else(|| panic!("no {path}"));
    match (parent, value) {
        (Value::Object(members), Some(value)) => drop(members.insert(key.into(), value)),
        (Value::Object(members), None) => drop(members.remove(key)),
        (Value::Array(items), Some(value)) => items.insert(key.parse().unwrap(), value),
        (Value::Array(items), None) => drop(items.remove(key.parse().unwrap())),
        (other, _) => panic!("{path}: {other}"),
    }
    document
}

/// Where something else is set, what (a dash: nothing any more, @: what stands there), and how it is
/// refused.
const FAULTS: &str = r#"/format | 2 | -6 | format is 2, this library reads 1
/format | - | -2 | format is absent
/format | "1" | -2 | format is no integer
/schema_version | 9999 | -25 | 9999
/redacted | true | -2 | redact
/extra | 1 | -2 | unknown key "extra"
/runs | - | -2 | runs is absent
/runs | [] | -2 | runs is empty
/runs | {} | -2 | runs: expected an array
/runs/0 | @{ended} | -2 | runs[0]: the topmost run has a parent_run_id
/runs/1 | @/runs/1 | -2 | run_id is that of a run before it
{ended} | - | -2 | has submitted
{ended}/parent_run_id | - | -2 | it has no parent_run_id
{ended}/parent_run_id | @{waits}/run_id | -2 | before it
{ended}/forked_from_run_id | @{waits}/run_id | -2 | a parent_run_id and a forked_from_run_id
{ended}/run_id | "run_x" | -2 | run_id is no id of a run
{ended}/task | @/runs/0/task | -2 | either a task or an end
{ended}/end | - | -2 | either a task or an end
{ended}/end/outcome | "failed" | -2 | has a result
{ended}/end/error | "1" | -2 | it is completed and has an error
{ended}/end/finished_at_ms | -1 | -2 | finished_at_ms is -1
{ended}/end/finished_at_ms | - | -2 | finished_at_ms is absent
{ended}/end/attempts | 4294967296 | -2 | attempts is 4294967296
{ended}/end/attempts | 0 | -2 | attempts[0]: number is 1
{ended}/end/result | [1] | -2 | result is no string of JSON
{ended}/end/result | "[1" | -2 | the JSON in result
{ended}/end/result | DEEP | -2 | nested deeper than 100
{ended}/end/result | "{\"$smolwf\":\"tries\"}" | -2 | $smolwf
{ended}/idempotency_key | "k" | -2 | a child has no idempotency_key
{ended}/created_at_ms | 253402300800000 | -2 | created_at_ms
{ended}/workflow | LONG | -5 | 256 bytes, at most 255
{ended}/workflow | - | -2 | workflow is empty
{ended}/queue | - | -2 | queue is absent
{ended}/max_tries | 1000001 | -2 | max_tries is 1000001
{ended}/metadata | "[]" | -2 | expected an object
{ended}/attempts/0 | @{ended}/attempts/0 | -2 | attempts[1]
/runs/0/attempts/0/state | "completed" | -2 | its run has not
/runs/0/task/attempts | 1 | -2 | must be above 1 and at most 1
/runs/0/task/state | "ready" | -2 | it has waits and does not wait
/runs/0/task/cancel_asked | true | -2 | does not run
/runs/0/task/claimed_at_ms | 1 | -2 | it is claimed and does not run
/runs/0/task/waits/0/child | @{ended}/run_id | -2 | has ended
/runs/0/task/waits/0/child | @/runs/0/run_id | -2 | is no child of it
/runs/0/task/waits/0/child | @{leaf}/run_id | -2 | is no child of it
/runs/0/task/waits/0/signal | "s" | -2 | one of the keys
/runs/0/task/waits/0/amount | 2 | -2 | amount is 2
/runs/0/task/waits/0 | @/runs/0/task/waits/0 | -2 | waited for twice
{runs}/task/cancel_asked | true | -2 | cancel_error
{runs}/task/claimed_at_ms | - | -2 | claimed_at_ms is absent
{runs}/task/attempts | 0 | -2 | it runs in attempt 0
{runs}/task/state | "ready" | -2 | it is claimed and does not run
{runs}/task/wake_at_ms | 1 | -2 | it wakes and neither waits nor is delayed
{delayed}/task/wake_at_ms | - | -2 | never wakes
{room}/task/waits | - | -2 | waits for nothing that can come
{room}/task/waits/0/unit | "x" | -2 | none of the units
{step done}/name | "failed" | -2 | come twice
{step done}/state | "asked" | -2 | its state is none
{step done}/occurrence | 0 | -2 | occurrence is 0
{step done}/input_hash | "+1" | -2 | input_hash is no hash
{step done}/took_ms | 9223372036854775807 | -2 | took_ms is
{step later}/retry_at_ms | - | -2 | it backs off
{step nap}/result | "{}" | -2 | no deadlines
{step nap}/label | "any" | -2 | its label is none of sleep
{step ended}/result | "1" | -2 | no id of a run in quotes
{step ended}/result | @{step broke}/result | -2 | was submitted before
{step ended}/result | "\"run_00000000000000000000000000\"" | -2 | which is none of the runs
{step ended} | - | -2 | no step of its parent has submitted it
{step done}/usage/0/unit | "usd" | -2 | its unit comes twice
{step done}/usage/0/amount | -1 | -2 | no usage of a step
{step done}/usage/0/amount | 16 | -2 | units: of "t"
/runs/0/signals/0/taken_by/name | "x" | -2 | taken_by is no await
/runs/0/signals/0/payload | "1" | -2 | either a payload or a taken_by
/runs/0/signals/1/idempotency_key | "k" | -2 | idempotency_key
/runs/0/reservations/0/attempt | 9 | -2 | attempt is 9
/runs/0/reservations/0/state | "open" | -2 | its attempt is not
/runs/0/reservations/1/state | "given_back" | -2 | does not go with
/runs/0/reservations/1/amounts | [] | -2 | amounts has 0
/runs/0/reservations/1/source | "source" | -2 | reserved before
/units/0/spent | 9223372036854775807 | -2 | units: of "t"
/units/0/reserved | 29 | -2 | 29 are reserved
/units/0/limit | -1 | -2 | limit is -1
/units/1 | - | -2 | none of the units
/units/0 | @/units/0 | -2 | names one twice
/events/0/run_id | "run_00000000000000000000000000" | -2 | events[0]
/events/0/payload | - | -2 | payload is absent
/events/1 | @/events/1 | -2 | events[2]"#;

/// Returns the path that a line of the table means: {w} is the run of that workflow, {step s} a step of the
/// root's.
fn path_in(document: &Value, path: &str) -> String {
    let Some((name, rest)) = path.strip_prefix('{').and_then(|path| path.split_once('}')) else {
        return path.to_owned();
    };
    let place = |items: &Value, key: &str, name: &str| {
        items.as_array().unwrap().iter().position(|item| item[key] == name).unwrap()
    };
    match name.strip_prefix("step ") {
        Some(name) => {
            let at = place(&document["runs"][0]["steps"], "name", name);
            format!("/runs/0/steps/{at}{rest}")
        }
        None => format!("/runs/{}{rest}", place(&document["runs"], "workflow", name)),
    }
}

fn value_in(document: &Value, said: &str) -> Option<Value> {
    match said {
        "-" => None,
        "DEEP" => Some(("[".repeat(101) + &"]".repeat(101)).into()),
        "LONG" => Some("x".repeat(256).into()),
        said => Some(match said.strip_prefix('@') {
            Some(path) => document.pointer(&path_in(document, path)).unwrap().clone(),
            None => read(said),
        }),
    }
}

#[test]
fn whatever_contradicts_itself_is_refused_with_its_place_and_nothing_is_changed() {
    let (here, there) = (store(), store());
    let document = read(&here.run_export(&busy(&here), None).unwrap());
    let other = there.submit(work("other")).unwrap().run_id;
    for line in FAULTS.lines() {
        let [path, value, code, says] = line.splitn(4, " | ").collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let (path, value) = (path_in(&document, path), value_in(&document, value));
        let wrong = with(&document, &path, value).to_string();
        let refused = match there.run_import(&wrong, None) {
            Ok(told) => panic!("{line}: {told}"),
            Err(refused) => refused,
        };
        assert_eq!(refused.code().to_string(), code, "{line}: {refused}");
        assert!(refused.to_string().contains(says), "{line}: {refused}");
        assert_eq!(there.run_count(None, 0).unwrap(), 1, "{line}");
    }
    assert_whole(&there, "all refusals");
    assert_eq!(state(&there, &other), "pending");
    imported(&there, &document.to_string(), None);
}

#[test]
fn options_and_documents_of_another_form_are_refused() {
    let store = store();
    let run_id = store.submit(work("w")).unwrap().run_id;
    for bad in ["[]", "{\"x\":1}", "{\"redact\":1}", "{\"redact\":true,\"redact\":true}"] {
        assert_eq!(store.run_export(&run_id, Some(bad)).unwrap_err().code(), -2, "{bad}");
    }
    let document = store.run_export(&run_id, None).unwrap();
    for bad in ["[]", "{\"x\":1}", "{\"ids\":1}", "{\"ids\":\"other\"}"] {
        assert_eq!(store.run_import(&document, Some(bad)).unwrap_err().code(), -2, "{bad}");
    }
    for bad in ["1", "[]", "{}", "null", "{\"format\":1}"] {
        assert_eq!(store.run_import(bad, None).unwrap_err().code(), -2, "{bad}");
    }
}

#[test]
fn a_payload_above_the_limit_of_the_store_is_too_big() {
    let options = StoreOptions { payload_bytes_max: 40, ..StoreOptions::default() };
    let (here, small) = (store(), Store::open_in_memory(&options).unwrap());
    small.init().unwrap();
    let document = here.run_export(&busy(&here), None).unwrap();
    let refused = small.run_import(&document, None).unwrap_err();
    assert_eq!(refused.code(), -5);
    assert!(refused.to_string().contains("at most 40 are allowed"), "{refused}");
}

#[test]
fn a_tree_of_more_runs_or_rows_than_allowed_is_too_big() {
    let store = store();
    let run_id = store.submit(work("w")).unwrap().run_id;
    let document = read(&store.run_export(&run_id, None).unwrap());
    let many = |list: &str, item: Value, count: usize| {
        let mut document = document.clone();
        document[list] = vec![item; count].into();
        let refused = store.run_import(&document.to_string(), None).unwrap_err();
        assert_eq!(refused.code(), -5, "{refused}");
        refused.to_string()
    };
    let runs = CARRY_RUNS_MAX as usize + 1;
    let sentence = many("runs", document["runs"][0].clone(), runs);
    assert!(sentence.contains("has 20001 runs, at most 20000"), "{sentence}");
    let sentence = many("events", json!({}), CARRY_ROWS_MAX + 1);
    assert!(sentence.contains("has 200001 attempts"), "{sentence}");
    let attempt = claimed(&store, "w");
    for part in 0..3 {
        let child = |at: usize| (format!("{part}.{at}"), work("c"));
        attempt.child_submit_many((0..6_667).map(child).collect()).unwrap();
    }
    let refused = store.run_export(&run_id, None).unwrap_err();
    assert!(refused.code() == -5 && refused.to_string().contains("20001 runs"), "{refused}");
}

/// Numbers that look random and are the same each time.
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }
}

/// Returns the paths of all values of a document.
fn paths(value: &Value, at: &str, into: &mut Vec<String>) {
    into.push(at.to_owned());
    match value {
        Value::Array(items) => {
            let each = items.iter().enumerate();
            each.for_each(|(place, item)| paths(item, &format!("{at}/{place}"), into));
        }
        Value::Object(members) => {
            members.iter().for_each(|(key, item)| paths(item, &format!("{at}/{key}"), into));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Sets, drops, repeats or exchanges a value, where something stands already.
fn mutate(document: &mut Value, draws: &mut Draws) -> String {
    let mut all = Vec::new();
    paths(document, "", &mut all);
    let path = all[1 + draws.below(all.len() - 1)].clone();
    let other = document.pointer(&all[draws.below(all.len())]).unwrap().clone();
    let numbers = [0, 1, 2, 3, -1, 1_000, i64::MAX, i64::MIN, 4_294_967_295];
    let value = match draws.below(6) {
        0 => None,
        1 => Some(numbers[draws.below(numbers.len())].into()),
        2 => Some(Value::Null),
        3 => Some(json!(["", "x", "null", "1.5", "\u{0}", "running"][draws.below(6)])),
        4 => Some(json!(draws.below(2) == 0)),
        // What is large makes the document large.
        _ => Some(other).filter(|other| other.to_string().len() < 10_000),
    };
    let told = format!("{path} = {value:?}");
    *document = with(document, &path, value);
    told
}

/// P3 for documents: whatever stands in one, it is refused with a code, or what comes is whole and can be
/// worked on. `SMOLWF_CARRY_ROUNDS` makes it longer; a failure prints the seed that repeats it.
#[test]
fn whatever_a_document_says_the_store_stays_whole() {
    let here = store();
    let document = read(&here.run_export(&busy(&here), None).unwrap());
    let rounds = std::env::var("SMOLWF_CARRY_ROUNDS").ok().map_or(600, |n| n.parse().unwrap());
    let first = std::env::var("SMOLWF_CARRY_SEED").ok().map_or(1, |n| n.parse().unwrap());
    let (mut taken, mut refused) = (0, 0);
    let mut there = store();
    for seed in first..first + rounds {
        let mut draws = Draws(seed);
        let (mut changed, mut told) = (document.clone(), Vec::new());
        for _ in 0..=draws.below(3) {
            told.push(mutate(&mut changed, &mut draws));
        }
        let told = format!("SMOLWF_CARRY_SEED={seed}: {told:?}");
        match there.run_import(&changed.to_string(), if seed % 2 == 0 { NEW } else { None }) {
            Ok(document) => {
                taken += 1;
                assert_whole(&there, &told);
                let root = read(&document)["run_id"].as_str().unwrap().to_owned();
                work_on(&there, &root, &told);
                there = store();
            }
            Err(error) => {
                refused += 1;
                assert!((-29..0).contains(&error.code()), "{told}: {} {error}", error.code());
            }
        }
        if seed % 50 == 0 {
            assert_whole(&there, &told);
        }
    }
    assert!(taken > rounds / 20 && refused > rounds / 4, "{taken} taken, {refused} refused");
}

/// Does what can be done with what came in.
fn work_on(store: &Arc<Store>, root: &str, told: &str) {
    store.run_history(root, None, 0).unwrap();
    store.run_explain(root).unwrap();
    store.run_export(root, Some("{\"redact\":true}")).map(drop).unwrap_or_else(|error| {
        assert_eq!(error.code(), -5, "{told}: {error}");
    });
    for _ in 0..4 {
        store.advance_clock(300_000).unwrap();
        while let Some(attempt) = store.claim(Claim::default()).unwrap() {
            let _ = attempt.signal_await("go", 0);
            let _ = attempt.sleep("nap", 1);
            // One whose wait is not over parks again, others end.
            if attempt.suspend().is_err() {
                let _ = attempt.complete(None);
            }
        }
    }
    assert_whole(store, told);
    store.cancel(root, None).map(drop).unwrap_or_default();
    let _ = store.claim(Claim::default()).unwrap();
    assert_whole(store, told);
}
