//! Documents of trees that anybody may have written. One that is refused leaves nothing; one that is taken
//! leaves the store whole, keeps what it says, comes out as a document that is taken elsewhere and comes out
//! there as the same again, and can be worked on.

use std::sync::Arc;

use serde_json::{Value, json};
use smolwf::domain::FailOptions;
use smolwf::domain::claim::Claim;
use smolwf::domain::step::Begin;
use smolwf::domain::submit::Submit;
use smolwf::handles::attempt::Attempt;
use smolwf::handles::begin::Begun;
use smolwf::handles::step::Step;
use smolwf::handles::store::Store;

use super::place;

const TOO_BIG: i32 = -5;

/// Changes of one input at most: what is wrong in many places is refused for the first.
const CHANGES_MAX: usize = 6;

/// A document, if it begins like one; else changes of the true one, five bytes each after a byte that says
/// whether runs get new ids.
pub fn judge(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else { return };
    let (document, options) = match std::str::from_utf8(input) {
        Ok(text) if *first == b'{' => (text.to_owned(), None),
        _ => {
            thread_local!(static TREE: Value = serde_json::from_str(&tree()).unwrap());
            let mut document = TREE.with(Value::clone);
            rest.chunks_exact(5).take(CHANGES_MAX).for_each(|five| change(&mut document, five));
            (document.to_string(), Some(r#"{"ids":"new"}"#).filter(|_| first % 2 == 1))
        }
    };
    let is_taken = place::with_store(|store| import(store, &document, options));
    if is_taken {
        place::drop_store();
    }
}

/// Returns whether the document was taken.
fn import(store: &Arc<Store>, document: &str, options: Option<&str>) -> bool {
    let told = match store.run_import(document, options) {
        Ok(told) => told,
        Err(error) => {
            assert!((-29..0).contains(&error.code()), "{document}: {error}");
            assert_eq!(store.run_count(None, 1).unwrap(), 0, "{document}: {error}, half done");
            return false;
        }
    };
    place::assert_whole(store, document);
    let root = serde_json::from_str::<Value>(&told).unwrap()["run_id"].clone();
    let root = root.as_str().unwrap();
    match store.run_export(root, None) {
        Ok(shown) => {
            says_the_same(document, &shown);
            travels(&shown);
        }
        Err(error) => assert_eq!(error.code(), TOO_BIG, "{document}: {error}"),
    }
    work_on(store, root, document);
    true
}

/// What the host has put into a run is there, byte for byte.
fn says_the_same(document: &str, shown: &str) {
    let (given, kept): (Value, Value) =
        (serde_json::from_str(document).unwrap(), serde_json::from_str(shown).unwrap());
    let runs = |document: &Value| document["runs"].as_array().cloned().unwrap_or_default();
    let (given, kept) = (runs(&given), runs(&kept));
    assert_eq!(given.len(), kept.len(), "{document}");
    for (given, kept) in given.iter().zip(&kept) {
        for key in ["workflow", "args", "metadata", "code_version", "created_at_ms"] {
            assert_eq!(given[key], kept[key], "{key} of {document}");
        }
        let of = |run: &Value, list: &str| run[list].as_array().map_or(0, Vec::len);
        assert_eq!(of(given, "steps"), of(kept, "steps"), "{document}");
    }
}

/// What was exported is imported elsewhere, and is there what it was.
fn travels(shown: &str) {
    let there = place::store();
    let told = there.run_import(shown, None).unwrap_or_else(|error| panic!("{shown}: {error}"));
    let root = serde_json::from_str::<Value>(&told).unwrap()["run_id"].clone();
    let again = there.run_export(root.as_str().unwrap(), None).unwrap();
    let tree = |document: &str| {
        let mut document: Value = serde_json::from_str(document).unwrap();
        document["store_id"].take();
        document["exported_at_ms"].take();
        document
    };
    assert_eq!(tree(shown), tree(&again));
}

/// Does what can be done with what came in.
fn work_on(store: &Arc<Store>, root: &str, document: &str) {
    store.run_history(root, None, 0).unwrap();
    store.run_explain(root).unwrap();
    for _ in 0..3 {
        store.advance_clock(300_000).unwrap();
        while let Some(attempt) = store.claim(Claim::default()).unwrap() {
            let _ = attempt.signal_await("go", 0);
            // One whose wait is not over parks again, others end.
            if attempt.suspend().is_err() {
                let _ = attempt.complete(None);
            }
        }
    }
    store.cancel(root, None).map(drop).unwrap_or_default();
    let _ = store.claim(Claim::default()).unwrap();
    place::assert_whole(store, document);
}

/// Sets, drops, repeats or exchanges a value, where something stands already.
fn change(document: &mut Value, five: &[u8]) {
    let mut all = Vec::new();
    paths(document, "", &mut all);
    let at = |high: u8, low: u8| usize::from(u16::from_be_bytes([high, low]));
    let path = all[at(five[1], five[2]) % all.len()].clone();
    let drawn = at(five[3], five[4]);
    let numbers = [0, 1, 2, 3, -1, 1_000, i64::MAX, i64::MIN, 4_294_967_295];
    let texts = ["", "x", "null", "1.5", "\u{0}", "running", "completed", "{}", "[1]", "waiting"];
    let value = match five[0] % 7 {
        0 => None,
        1 => Some(numbers[drawn % numbers.len()].into()),
        2 => Some(drawn.into()),
        3 => Some(json!(texts[drawn % texts.len()])),
        4 => Some([Value::Null, true.into(), false.into()][drawn % 3].clone()),
        _ => document.pointer(&all[drawn % all.len()]).cloned(),
    };
    let Some((above, last)) = path.rsplit_once('/') else { return };
    match (document.pointer_mut(above), value) {
        (Some(Value::Object(members)), Some(value)) => drop(members.insert(last.into(), value)),
        (Some(Value::Object(members)), None) => drop(members.remove(last)),
        (Some(Value::Array(items)), Some(value)) if drawn % 2 == 0 => {
            items[last.parse::<usize>().unwrap()] = value;
        }
        (Some(Value::Array(items)), Some(value)) => items.push(value),
        (Some(Value::Array(items)), None) => drop(items.remove(last.parse().unwrap())),
        _ => {}
    }
}

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

/// The true document: a tree with rows of every kind.
fn tree() -> String {
    let store = place::store();
    let submit = Submit {
        args: Some("[1, 2]".into()),
        metadata: Some("{\"tenant\":\"acme\"}".into()),
        budget: Some(r#"{"t":{"limit":100,"warn":50},"usd":5}"#.into()),
        idempotency_key: Some("key".into()),
        timeout_ms: 1_000_000,
        max_tries: 7,
        backoff_percent: 130,
        ..work("root")
    };
    let run_id = store.submit(submit).unwrap().run_id;
    let attempt = claimed(&store);
    records(&store, &attempt, &run_id);
    attempt.release(0).unwrap();
    let attempt = claimed(&store);
    let children = ["ended", "failed", "waits", "ready"];
    let ids = children.map(|name| attempt.child_submit(name, work(name)).unwrap().run_id);
    attempt.child_await(&ids[3], 900_000).unwrap();
    attempt.suspend().unwrap();
    claimed(&store).complete(Some("\"result\"".into())).unwrap();
    let terminal = FailOptions { is_terminal: true, ..FailOptions::default() };
    claimed(&store).fail(Some("\"no\"".into()), terminal).unwrap();
    let waits = claimed(&store);
    waits.signal_await("later", 800_000).unwrap();
    waits.suspend().unwrap();
    store.pause(&ids[3]).unwrap();
    store.run_export(&run_id, None).unwrap()
}

/// Steps in every state, what a run spends, hears and says.
fn records(store: &Arc<Store>, attempt: &Arc<Attempt>, run_id: &str) {
    let step = to_do(attempt, "done");
    attempt.reserve(Some(&step), r#"{"t":20}"#, Some("source")).unwrap();
    step.complete_usage(Some("\"done\"".into()), r#"{"t":15,"usd":1}"#).unwrap();
    let held = attempt.reserve(None, r#"{"t":9,"usd":2}"#, None).unwrap();
    store.settle(&held.id, r#"{"t":8}"#).unwrap();
    attempt.reserve(None, r#"{"usd":1}"#, None).unwrap();
    let terminal = FailOptions { is_terminal: true, ..FailOptions::default() };
    to_do(attempt, "failed").fail(Some("\"no\"".into()), terminal).unwrap();
    let later = FailOptions { retry_after_ms: 900_000, ..FailOptions::default() };
    to_do(attempt, "later").fail(Some("\"not yet\"".into()), later).unwrap();
    let tracked = Begin { name: "tracked".into(), is_tracked: true, ..Begin::default() };
    attempt.step_begin(tracked).unwrap();
    store.signal_send(run_id, "go", Some("{\"x\":1}".into()), Some("k")).unwrap();
    store.signal_send(run_id, "go", Some("2".into()), None).unwrap();
    attempt.signal_await("go", -1).unwrap();
    attempt.signal_await("never", 0).unwrap();
    attempt.sleep("nap", 700_000).unwrap();
    attempt.event_append("said", Some("[1]".into()), Some("once")).unwrap();
}

fn to_do(attempt: &Arc<Attempt>, name: &str) -> Step {
    match attempt.step_begin(Begin { name: name.into(), ..Begin::default() }).unwrap() {
        Begun::Run(step) => step,
        Begun::Replayed(_) | Begun::Failed(_) | Begun::Suspended => panic!("{name} is new"),
    }
}

fn work(name: &str) -> Submit {
    Submit { workflow: name.into(), ..Submit::default() }
}

fn claimed(store: &Arc<Store>) -> Arc<Attempt> {
    store.claim(Claim::default()).unwrap().expect("one is ready")
}
