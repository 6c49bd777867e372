//! Finding runs, counting them, changing their metadata, acting on many.

use serde_json::Value;

use super::{Bed, Draws, at, claimer, plain, run_id};
use crate::domain::attempt::End;
use crate::domain::child::{self, NewChild};
use crate::domain::list::act::{Acted, Action, act_many, rehearse};
use crate::domain::list::filter::Asked;
use crate::domain::list::{Counted, count_begin, count_on, list};
use crate::domain::metadata::annotate;
use crate::domain::news::News;
use crate::domain::port::{Include, Order, RunFilter, RunKey, Walk};
use crate::domain::submit::Submit;
use crate::domain::{control, query};
use crate::id::{self, Id};
use crate::limits::LIST_LOOKS_MAX;

/// Submits a run with a number beyond a byte.
fn put(bed: &mut dyn Bed, number: u32, submit: &Submit, now_ms: i64) -> String {
    let run_id = wide(number);
    bed.tx(|port| crate::domain::submit::submit(port, submit, run_id, 0, at(now_ms))).unwrap();
    id::write("run", run_id)
}

fn wide(number: u32) -> Id {
    let mut bytes = [0; 16];
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    Id::from_bytes(bytes)
}

fn page(bed: &mut dyn Bed, filter: &str, cursor: Option<&str>, limit: u32) -> Value {
    let asked = Asked::read(Some(filter)).unwrap();
    let text = bed.tx(|port| list(port, &asked, cursor, limit)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// All pages of a list, as the ids of its runs.
fn listed(bed: &mut dyn Bed, filter: &str, limit: u32) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), None);
    loop {
        let page = page(bed, filter, cursor.as_deref(), limit);
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= limit as usize);
        ids.extend(items.iter().map(|item| item["run_id"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return ids,
        }
    }
}

fn counted(bed: &mut dyn Bed, filter: &str, at_most: u64) -> u64 {
    let asked = Asked::read(Some(filter)).unwrap();
    let filter = bed.tx(|port| count_begin(port, &asked)).unwrap();
    let mut counted = Counted::default();
    loop {
        counted = bed.tx(|port| count_on(port, (&asked, &filter), counted, at_most)).unwrap();
        if counted.after.is_none() {
            return counted.count;
        }
    }
}

fn acted(bed: &mut dyn Bed, action: Action, filter: &str, limit: u32, now_ms: i64) -> Value {
    let asked = Asked::read(Some(filter)).unwrap();
    let mut after = None;
    loop {
        let from = (after, limit);
        let acted = bed.tx(|port| act_many(port, action, &asked, from, at(now_ms))).unwrap();
        match acted {
            Acted::Told(text) => return serde_json::from_str(&text).unwrap(),
            Acted::NoneUpTo(run_key) => after = Some(run_key),
            Acted::CancelsFirst => {
                bed.tx(|port| control::sweep_cascades(port, at(now_ms))).unwrap();
            }
        }
    }
}

fn document(bed: &mut dyn Bed, run_id: &str) -> Value {
    serde_json::from_str(&bed.tx(|port| query::run_get(port, run_id)).unwrap()).unwrap()
}

/// A history of some hundred runs that differ in all that a filter asks for.
fn history(bed: &mut dyn Bed) -> Vec<String> {
    let mut draws = Draws(7);
    let mut ids = Vec::new();
    // The clock goes back twice.
    let clock = |number: u32| i64::from(number % 150) * 1_000 + 1_000;
    for number in 0..400_u32 {
        let name = |names: &[&str], at: u64| names[at as usize % names.len()].to_owned();
        let submit = Submit {
            workflow: if draws.below(40) == 0 {
                "rare".into()
            } else {
                name(&["a", "b"], draws.below(2))
            },
            queue: Some(name(&["default", "q"], draws.below(2))),
            code_version: (draws.below(3) == 0).then(|| "v1".into()),
            run_at_ms: if draws.below(9) == 0 { 900_000_000 } else { 0 },
            idempotency_key: (draws.below(5) == 0).then(|| format!("k{number}")),
            idempotency_scope: (draws.below(5) == 0).then(|| "s".into()),
            concurrency_key: (draws.below(6) == 0).then(|| "g".into()),
            metadata: (draws.below(4) == 0)
                .then(|| format!("{{\"n\":{},\"t\":\"x\"}}", number % 7)),
            ..plain()
        };
        let scope = submit.idempotency_key.as_ref().and(submit.idempotency_scope.clone());
        ids.push(put(bed, number, &Submit { idempotency_scope: scope, ..submit }, clock(number)));
        let id = ids[draws.below(ids.len() as u64) as usize].clone();
        let now = at(clock(number));
        match draws.below(8) {
            0 | 1 => drop(bed.tx(|port| control::cancel(port, &id, None, now))),
            2 => drop(bed.tx(|port| control::pause(port, &id, now))),
            3 => drop(bed.tx(|port| control::retry(port, &id, now))),
            4 => drop(bed.tx(|port| annotate(port, &id, "{\"t\":null,\"n\":2.0}"))),
            _ => {}
        }
        if draws.below(3) == 0 {
            let owner_key = bed.owner_key(1);
            let Some(claimed) = bed.claim(&claimer(1, owner_key), now) else { continue };
            let end = match draws.below(4) {
                0 => continue,
                1 => End::Fail(
                    "\"it broke\"".into(),
                    crate::domain::FailOptions { is_terminal: true, ..Default::default() },
                ),
                2 => End::Release(0),
                _ => End::Complete("1".into()),
            };
            drop(bed.finish(claimed.fence, &end, now));
        }
    }
    // Two that run, and one of them told to end.
    let last = at(160_000);
    let claimed = [bed.claimed(last), bed.claimed(last)];
    let told = id::write("run", claimed[0].run.run_id);
    bed.tx(|port| control::cancel(port, &told, None, last)).unwrap();
    ids
}

/// What must be true of a run's document.
type Rule = Box<dyn Fn(&Value) -> bool>;

fn is_one_of(run: &Value, states: &[&str]) -> bool {
    states.contains(&run["state"].as_str().unwrap())
}

fn is(key: &'static str, value: impl Into<Value>) -> Rule {
    let value = value.into();
    Box::new(move |run| run[key] == value)
}

fn between(key: &'static str, from: i64, to: i64) -> Rule {
    Box::new(move |run| run[key].as_i64().is_some_and(|at| (from..to).contains(&at)))
}

/// Filters by what runs are called and where they stand.
fn filters_of_names() -> Vec<(&'static str, Rule)> {
    vec![
        ("{}", Box::new(|_| true)),
        (r#"{"state":"pending"}"#, is("state", "pending")),
        (r#"{"state":"running"}"#, is("state", "running")),
        (r#"{"state":"paused"}"#, is("state", "paused")),
        (r#"{"state":"completed"}"#, is("state", "completed")),
        (r#"{"state":"failed"}"#, is("state", "failed")),
        (
            r#"{"state":["cancelled","running","waiting"]}"#,
            Box::new(|run| is_one_of(run, &["cancelled", "running", "waiting"])),
        ),
        (r#"{"workflow":"rare"}"#, is("workflow", "rare")),
        (r#"{"workflow":"none"}"#, Box::new(|_| false)),
        (r#"{"queue":"q"}"#, is("queue", "q")),
        (r#"{"code_version":"v1"}"#, is("code_version", "v1")),
        (
            r#"{"queue":"default","workflow":"b","state":["failed","completed"]}"#,
            Box::new(|run| {
                run["queue"] == "default"
                    && run["workflow"] == "b"
                    && is_one_of(run, &["failed", "completed"])
            }),
        ),
    ]
}

/// Filters by times and by what runs hold.
fn filters_of_contents() -> Vec<(&'static str, Rule)> {
    vec![
        (
            r#"{"created_from_ms":20000,"created_to_ms":60000}"#,
            between("created_at_ms", 20_000, 60_000),
        ),
        (r#"{"created_from_ms":149500}"#, between("created_at_ms", 149_500, i64::MAX)),
        (r#"{"created_to_ms":1001}"#, between("created_at_ms", 0, 1_001)),
        (
            r#"{"finished_from_ms":20000,"finished_to_ms":60000}"#,
            between("finished_at_ms", 20_000, 60_000),
        ),
        (r#"{"finished_from_ms":0}"#, between("finished_at_ms", 0, i64::MAX)),
        (r#"{"metadata":{"n":2}}"#, Box::new(|run| run["metadata"]["n"].as_f64() == Some(2.0))),
        (
            r#"{"metadata":{"t":"x","n":3}}"#,
            Box::new(|run| run["metadata"]["n"] == 3 && run["metadata"]["t"] == "x"),
        ),
        (
            r#"{"error_contains":"broke"}"#,
            Box::new(|run| {
                let has = |key: &str| run[key].to_string().contains("broke");
                has("error") || has("last_error")
            }),
        ),
        (r#"{"cancel_asked":true}"#, is("cancel_asked", true)),
        (r#"{"cancel_asked":false}"#, is("cancel_asked", false)),
        (r#"{"roots_only":true}"#, is("parent_run_id", Value::Null)),
    ]
}

/// P33: whatever is asked for, pages of any size show the runs of which it is true, in order, once.
pub(super) fn a_list_shows_the_runs_of_which_all_that_is_named_is_true(bed: &mut dyn Bed) {
    let ids = history(bed);
    let all: Vec<Value> = ids.iter().map(|id| document(bed, id)).collect();
    for (filter, rule) in filters_of_names().iter().chain(&filters_of_contents()) {
        let mut expected: Vec<&str> =
            all.iter().filter(|run| rule(run)).filter_map(|run| run["run_id"].as_str()).collect();
        assert_eq!(expected.is_empty(), filter.contains("none"), "{filter}");
        expected.reverse();
        for limit in [7, 1_000] {
            assert_eq!(listed(bed, filter, limit), expected, "{filter}");
        }
        let count = expected.len() as u64;
        assert_eq!(counted(bed, filter, 1_000), count, "{filter}");
        assert_eq!(counted(bed, filter, 3), count.min(3), "{filter}");
        expected.reverse();
        let mut oldest: Value = serde_json::from_str(filter).unwrap();
        oldest["order"] = "oldest".into();
        let oldest = oldest.to_string();
        assert_eq!(listed(bed, &oldest, 9), expected, "{oldest}");
    }
}

pub(super) fn a_list_finds_by_parent_by_root_and_by_key(bed: &mut dyn Bed) {
    let keyed = |scope: Option<&str>, key: &str| Submit {
        idempotency_scope: scope.map(str::to_owned),
        idempotency_key: Some(key.into()),
        ..plain()
    };
    let root = put(bed, 1, &plain(), 1);
    let other = put(bed, 2, &keyed(None, "k"), 1);
    let scoped = put(bed, 3, &keyed(Some("s"), "k"), 1);
    let scoped_too = put(bed, 4, &keyed(Some("s"), "l"), 1);
    let claimed = bed.claimed(at(2));
    assert_eq!(id::write("run", claimed.run.run_id), root);
    let child = bed.tx(|port| {
        let fence = claimed.fence;
        let child = NewChild { name: "c".into(), occurrence: 1, submit: plain(), run_id: wide(5) };
        child::submit(port, fence, &[child], at(3)).unwrap();
        id::write("run", wide(5))
    });
    let of = |key: &str, id: &str| format!("{{\"{key}\":\"{id}\"}}");
    assert_eq!(listed(bed, &of("parent_run_id", &root), 10), [child.as_str()]);
    assert_eq!(listed(bed, &of("root_run_id", &root), 10), [child.as_str(), root.as_str()]);
    assert_eq!(listed(bed, &of("root_run_id", &other), 10), [other.as_str()]);
    assert_eq!(listed(bed, r#"{"idempotency_key":"k"}"#, 10), [other.as_str()]);
    let of_scope = r#"{"idempotency_scope":"s","idempotency_key":"k"}"#;
    assert_eq!(listed(bed, of_scope, 10), [scoped.as_str()]);
    let scope = listed(bed, r#"{"idempotency_scope":"s"}"#, 10);
    assert_eq!(scope, [scoped_too.as_str(), scoped.as_str()]);
    let roots = listed(bed, r#"{"roots_only":true,"order":"oldest"}"#, 10);
    assert_eq!(roots, [&root, &other, &scoped, &scoped_too].map(String::as_str));
    let unknown = Asked::read(Some(&of("parent_run_id", &id::write("run", run_id(200))))).unwrap();
    bed.refused(-3, |port| list(port, &unknown, None, 1));
}

pub(super) fn a_list_shows_what_is_large_where_it_is_asked_for(bed: &mut dyn Bed) {
    let submit = Submit { args: Some("[1]".into()), metadata: Some("{\"a\":1}".into()), ..plain() };
    let id = put(bed, 1, &submit, 1);
    let whole = document(bed, &id);
    let large = ["args", "result", "error", "last_error", "metadata", "waiting_for"];
    let plain = &page(bed, "{}", None, 1)["items"][0];
    for (key, value) in whole.as_object().unwrap() {
        let expected = (!large.contains(&key.as_str())).then_some(value);
        assert_eq!(plain.get(key), expected, "{key}");
    }
    let all = r#"{"include":["args","result","error","metadata","waiting_for"]}"#;
    assert_eq!(page(bed, all, None, 1)["items"][0], whole);
    let one = &page(bed, r#"{"include":["args"]}"#, None, 1)["items"][0];
    assert_eq!((&one["args"], one.get("metadata")), (&whole["args"], None));
}

/// P33.
pub(super) fn a_cursor_of_a_list_stays_valid_and_is_good_for_that_list_alone(bed: &mut dyn Bed) {
    let ids: Vec<String> = (1..=5).map(|number| put(bed, number, &plain(), 1)).collect();
    let first = page(bed, "{}", None, 2);
    assert_eq!(first["items"][1]["run_id"], ids[3].as_str());
    let cursor = first["next"].as_str().unwrap().to_owned();
    // What the page ended with is gone from the list, and newer ones have come.
    put(bed, 6, &plain(), 1);
    assert_eq!(page(bed, "{}", Some(&cursor), 1)["items"][0]["run_id"], ids[2].as_str());
    // What does not decide which runs come in which order may differ.
    let same = page(bed, r#"{"include":["args"]}"#, Some(&cursor), 1);
    assert_eq!(same["items"][0]["run_id"], ids[2].as_str());
    for other in [r#"{"order":"oldest"}"#, r#"{"workflow":"w"}"#] {
        let asked = Asked::read(Some(other)).unwrap();
        let refused = bed.refused(-2, |port| list(port, &asked, Some(&cursor), 1));
        assert!(refused.contains("another filter"), "{refused}");
    }
}

pub(super) fn a_page_that_finds_nothing_says_how_far_it_looked_and_goes_on(bed: &mut dyn Bed) {
    for number in 1..=300 {
        put(bed, number, &plain(), 1);
    }
    let filter = RunFilter { worker: Some("nobody".into()), ..RunFilter::default() };
    let mut walk = Walk { order: Order::Newest, after: None, found_max: 10, looks_max: 100 };
    let mut looked_at = 0;
    loop {
        let found = bed.tx(|port| port.runs_found(&filter, &walk)).unwrap();
        assert!(found.run_keys.is_empty() && found.looked_at <= 100 + 128);
        looked_at += found.looked_at;
        walk.after = found.after;
        if walk.after.is_none() {
            break;
        }
    }
    assert_eq!(looked_at, 300);
    let rare = Submit { workflow: "rare".into(), ..plain() };
    let id = put(bed, 301, &rare, 1);
    for number in 302..=700 {
        put(bed, number, &plain(), 1);
    }
    // Found by a leap: the runs of its block alone are looked at.
    let page = page(bed, r#"{"workflow":"rare"}"#, None, 10);
    assert_eq!(page["items"][0]["run_id"], id.as_str());
    assert!(page["looked_at"].as_u64().unwrap() <= 128 && LIST_LOOKS_MAX > 128);
}

pub(super) fn an_annotated_run_is_found_by_what_it_has_become(bed: &mut dyn Bed) {
    let submit = Submit { metadata: Some(r#"{"tenant":"a","big":[1]}"#.into()), ..plain() };
    let id = put(bed, 1, &submit, 1);
    put(bed, 2, &submit, 1);
    bed.tx(|port| annotate(port, &id, r#"{"tenant":"b","n":1}"#)).unwrap();
    assert_eq!(bed.news(), News::CHANGED);
    assert_eq!(listed(bed, r#"{"metadata":{"tenant":"b"}}"#, 10), [id.as_str()]);
    assert_eq!(listed(bed, r#"{"metadata":{"tenant":"a"}}"#, 10).len(), 1);
    assert_eq!(document(bed, &id)["metadata"].to_string(), r#"{"big":[1],"n":1,"tenant":"b"}"#);
    // Ended ones as well, and those that had none.
    let bare = put(bed, 3, &plain(), 1);
    bed.tx(|port| control::cancel(port, &bare, None, at(2))).unwrap();
    bed.tx(|port| annotate(port, &bare, r#"{"why":"bad deploy"}"#)).unwrap();
    assert_eq!(listed(bed, r#"{"metadata":{"why":"bad deploy"}}"#, 10), [bare.as_str()]);
    bed.tx(|port| annotate(port, &bare, r#"{"why":null}"#)).unwrap();
    assert!(listed(bed, r#"{"metadata":{"why":"bad deploy"}}"#, 10).is_empty());
    assert_eq!(document(bed, &bare)["metadata"].to_string(), "{}");
}

pub(super) fn an_annotation_that_changes_nothing_writes_nothing(bed: &mut dyn Bed) {
    let id = put(bed, 1, &Submit { metadata: Some("{\"a\":1}".into()), ..plain() }, 1);
    let before = bed.dump();
    bed.tx(|port| annotate(port, &id, "{\"a\":1,\"b\":null}")).unwrap();
    assert_eq!((bed.dump(), bed.news()), (before, News::default()));
}

pub(super) fn metadata_grows_to_64_kib_and_no_further(bed: &mut dyn Bed) {
    let id = put(bed, 1, &plain(), 1);
    let patch = |len: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(len - 8));
    bed.tx(|port| annotate(port, &id, &patch(65_536))).unwrap();
    let refused = bed.refused(-5, |port| annotate(port, &id, &patch(65_537)));
    assert!(refused.contains("65537") && refused.contains("65536"), "{refused}");
    bed.refused(-3, |port| annotate(port, &id::write("run", run_id(9)), "{}"));
    bed.refused(-2, |port| annotate(port, &id, "[]"));
}

/// A member that counts up leaves no mark behind for each of its values.
pub(super) fn an_annotation_takes_its_old_marks_away(bed: &mut dyn Bed) {
    let id = put(bed, 1, &plain(), 1);
    bed.tx(|port| annotate(port, &id, "{\"n\":0}")).unwrap();
    let len = bed.dump().lines().count();
    for n in 1..20 {
        bed.tx(|port| annotate(port, &id, &format!("{{\"n\":{n}}}"))).unwrap();
        assert_eq!(bed.dump().lines().count(), len);
    }
}

pub(super) fn an_act_on_many_is_that_on_each_and_comes_to_an_end(bed: &mut dyn Bed) {
    let ids: Vec<String> = (1..=5).map(|number| put(bed, number, &plain(), 1)).collect();
    let running = bed.claimed(at(2));
    let expected = |matched: u64, done: u64, more: bool| -> Value {
        serde_json::json!({"matched": matched, "done": done, "refused": [], "more": more})
    };
    assert_eq!(acted(bed, Action::Pause, "{}", 2, 3), expected(2, 2, true));
    assert_eq!(document(bed, &ids[4])["state"], "paused");
    assert_eq!(acted(bed, Action::Pause, "{}", 3, 3), expected(3, 3, false));
    assert_eq!(document(bed, &ids[0])["pause_asked"], true);
    assert_eq!(acted(bed, Action::Pause, "{}", 3, 3), expected(0, 0, false));
    assert_eq!(acted(bed, Action::Resume, "{}", 0, 4), expected(5, 5, false));
    assert_eq!(acted(bed, Action::Resume, "{}", 0, 4), expected(0, 0, false));
    let oldest = r#"{"order":"oldest","state":"pending"}"#;
    assert_eq!(acted(bed, Action::Cancel, oldest, 1, 5), expected(1, 1, true));
    assert_eq!(document(bed, &ids[1])["state"], "cancelled");
    assert_eq!(acted(bed, Action::Cancel, "{}", 0, 5), expected(4, 4, false));
    assert_eq!(document(bed, &ids[0])["cancel_asked"], true);
    assert_eq!(acted(bed, Action::Cancel, "{}", 0, 5), expected(0, 0, false));
    drop(bed.finish(running.fence, &End::Release(0), at(6)));
    assert_eq!(acted(bed, Action::Retry, r#"{"workflow":"w"}"#, 0, 7), expected(5, 5, false));
    assert_eq!(listed(bed, r#"{"state":"pending"}"#, 10).len(), 5);
}

pub(super) fn an_act_tells_which_runs_of_a_named_state_it_is_not_for(bed: &mut dyn Bed) {
    let done = put(bed, 1, &plain(), 1);
    let claimed = bed.claimed(at(2));
    bed.finish(claimed.fence, &End::Complete("1".into()), at(2)).unwrap();
    let open = put(bed, 2, &plain(), 3);
    let filter = r#"{"state":["completed","pending"]}"#;
    let mut expected = serde_json::json!({"matched": 2, "done": 0, "more": false,
        "refused": [{"run_id": done, "code": -23}]});
    let asked = Asked::read(Some(filter)).unwrap();
    let before = bed.dump();
    let would = bed.tx(|port| rehearse(port, Action::Cancel, &asked, None, 0)).unwrap();
    let Acted::Told(would) = would else { panic!("{would:?}") };
    assert_eq!(serde_json::from_str::<Value>(&would).unwrap(), expected);
    assert_eq!(bed.dump(), before, "a rehearsal has changed something");
    expected["done"] = 1.into();
    assert_eq!(acted(bed, Action::Cancel, filter, 0, 4), expected);
    assert_eq!(document(bed, &open)["state"], "cancelled");
    let open = put(bed, 3, &plain(), 5);
    let refused = acted(bed, Action::Retry, r#"{"state":"pending"}"#, 0, 6);
    assert_eq!(refused["refused"][0]["run_id"], open.as_str());
    bed.refused(-2, |port| act_many(port, Action::Retry, &asked, (None, 1_001), at(7)).map(|_| ()));
}

pub(super) fn runs_are_shown_together_in_the_order_of_asking(bed: &mut dyn Bed) {
    for number in 1..=4 {
        bed.submit(number, &Submit { args: Some("[1]".into()), ..plain() }, at(5));
    }
    let keys: Vec<RunKey> = (1..=4)
        .map(|number| bed.tx(|port| port.run_by_id(run_id(number)).unwrap().unwrap()))
        .collect();
    let (ended, released) = (bed.claimed(at(6)).fence, bed.claimed(at(6)).fence);
    bed.finish(ended, &End::Complete("2".into()), at(7)).unwrap();
    bed.finish(released, &End::Release(500), at(8)).unwrap();
    let running = bed.claimed(at(9)).fence.run_key;
    let asked = [keys[3], 99, ended.run_key, released.run_key, running];
    let rows = bed.tx(|port| port.runs_shown(&asked, Include::default(), usize::MAX).unwrap());
    let seen: Vec<_> = rows.iter().map(|row| row.run_key).collect();
    assert_eq!(seen, [keys[3], ended.run_key, released.run_key, running]);
    assert!(rows.iter().all(|row| row.args.is_none() && row.result.is_none()));
    let rows = bed.tx(|port| port.runs_shown(&asked, Include::ALL, usize::MAX).unwrap());
    assert_eq!((rows[0].args.as_deref(), rows[1].result.as_deref()), (Some("[1]"), Some("2")));
    let mut tasks = bed.tx(|port| port.tasks(&asked).unwrap());
    tasks.sort_by_key(|task| task.run_key);
    let one_by_one = [released.run_key, running, keys[3]].map(|key| bed.task(key).unwrap());
    assert_eq!(tasks, one_by_one);
    let left = bed.tx(|port| port.attempts_left(&asked).unwrap());
    assert_eq!(left, [(released.run_key, 8)], "one never ran, one has ended, one runs");
}
