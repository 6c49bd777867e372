//! Claims about the documents that show what happened.

use serde_json::Value;

use super::{Bed, at, plain, run_id, subject};
use crate::domain::FailOptions;
use crate::domain::attempt::End;
use crate::domain::child::{self, NewChild};
use crate::domain::control;
use crate::domain::query::{run_get, run_history};
use crate::domain::signal;
use crate::domain::step::{self, Begin};
use crate::domain::submit::Submit;
use crate::id;

fn public(number: u8) -> String {
    id::write("run", run_id(number))
}

fn document(bed: &mut dyn Bed, number: u8) -> Value {
    let text = bed.tx(|port| run_get(port, &public(number)).unwrap());
    serde_json::from_str(&text).unwrap()
}

fn page(bed: &mut dyn Bed, cursor: Option<&str>, limit: u32) -> Value {
    let text = bed.tx(|port| run_history(port, &public(1), cursor, limit).unwrap());
    serde_json::from_str(&text).unwrap()
}

/// Names of the attempts and steps of a page, in order.
fn items(page: &Value) -> Vec<String> {
    let attempts = page["attempts"].as_array().unwrap();
    let steps = page["steps"].as_array().unwrap();
    let attempts = attempts.iter().map(|attempt| format!("attempt {}", attempt["number"]));
    attempts.chain(steps.iter().map(|step| step["name"].as_str().unwrap().to_owned())).collect()
}

pub(super) fn a_run_document_tells_each_state(bed: &mut dyn Bed) {
    let named = Submit {
        args: Some("[1]".into()),
        run_at_ms: 50,
        priority: -4,
        max_tries: 2,
        code_version: Some("v".into()),
        metadata: Some("{\"m\":1}".into()),
        ..plain()
    };
    bed.submit(1, &named, at(5));
    let pending = document(bed, 1);
    assert_eq!(pending["run_id"], public(1));
    assert_eq!(pending["task_id"], public(1).replace("run_", "task_"));
    assert_eq!(
        (&pending["root_run_id"], &pending["parent_run_id"]),
        (&pending["run_id"], &Value::Null)
    );
    for (key, value) in
        [("state", "pending"), ("workflow", "w"), ("queue", "default"), ("code_version", "v")]
    {
        assert_eq!(pending[key], value, "{key}");
    }
    for (key, value) in [
        ("priority", -4),
        ("attempts", 0),
        ("tries", 0),
        ("max_tries", 2),
        ("run_at_ms", 50),
        ("created_at_ms", 5),
        ("updated_at_ms", 5),
    ] {
        assert_eq!(pending[key], value, "{key}");
    }
    assert_eq!(
        (&pending["args"], &pending["metadata"]),
        (&serde_json::json!([1]), &serde_json::json!({"m": 1}))
    );
    assert!(pending["result"].is_null() && pending["finished_at_ms"].is_null());
    let fence = bed.claimed(at(60)).fence;
    let running = document(bed, 1);
    assert_eq!((&running["state"], &running["attempts"]), (&"running".into(), &1.into()));
    assert_eq!(running["updated_at_ms"], 60);
    bed.finish(fence, &End::Fail("{\"e\":1}".into(), FailOptions::default()), at(70)).unwrap();
    let retried = document(bed, 1);
    assert_eq!((&retried["state"], &retried["tries"]), (&"pending".into(), &1.into()));
    assert_eq!(retried["updated_at_ms"], 70);
    let fence = bed.claimed(at(9_000)).fence;
    bed.finish(fence, &End::Fail("{\"e\":2}".into(), FailOptions::default()), at(9_001)).unwrap();
    let failed = document(bed, 1);
    assert_eq!((&failed["state"], &failed["error"]["e"]), (&"failed".into(), &2.into()));
    assert_eq!((&failed["attempts"], &failed["tries"]), (&2.into(), &2.into()));
    assert_eq!(
        (&failed["finished_at_ms"], &failed["updated_at_ms"]),
        (&9_001.into(), &9_001.into())
    );
}

pub(super) fn a_pending_run_says_when_it_is_due(bed: &mut dyn Bed) {
    bed.submit(1, &Submit { run_at_ms: 90, ..plain() }, at(5));
    assert_eq!(document(bed, 1)["due_at_ms"], 90);
    let fence = bed.claimed(at(100)).fence;
    assert!(document(bed, 1)["due_at_ms"].is_null());
    let options = FailOptions { retry_after_ms: 40, ..FailOptions::default() };
    bed.finish(fence, &End::Fail("1".into(), options), at(200)).unwrap();
    assert_eq!(document(bed, 1)["due_at_ms"], 240);
    let fence = bed.claimed(at(240)).fence;
    bed.finish(fence, &End::Release(7), at(300)).unwrap();
    assert_eq!(document(bed, 1)["due_at_ms"], 307);
    let fence = bed.claimed(at(307)).fence;
    bed.finish(fence, &End::Complete("1".into()), at(308)).unwrap();
    assert!(document(bed, 1)["due_at_ms"].is_null());
}

pub(super) fn the_last_error_of_a_run_is_found_behind_attempts_that_ended_in_order(
    bed: &mut dyn Bed,
) {
    bed.submit(1, &Submit { max_tries: 9, ..plain() }, at(5));
    bed.submit(2, &Submit { run_at_ms: 90_000, ..plain() }, at(5));
    assert!(document(bed, 1)["last_error"].is_null());
    for round in 1..=3 {
        let fence = bed.claimed(at(10_000 * round)).fence;
        let end = End::Fail(round.to_string(), FailOptions::default());
        bed.finish(fence, &end, at(10_000 * round)).unwrap();
    }
    for _ in 0..3 {
        let fence = bed.claimed(at(50_000)).fence;
        assert_eq!(document(bed, 1)["last_error"], 3);
        bed.finish(fence, &End::Release(0), at(50_000)).unwrap();
    }
    assert!(document(bed, 1)["error"].is_null() && document(bed, 2)["last_error"].is_null());
    let fence = bed.claimed(at(50_000)).fence;
    bed.finish(fence, &End::Complete("1".into()), at(50_000)).unwrap();
    assert!(document(bed, 1)["last_error"].is_null());
}

/// P33.
pub(super) fn a_history_pages_through_everything_once(bed: &mut dyn Bed) {
    bed.run(1, at(5));
    for round in 0..5 {
        let fence = bed.claimed(at(6)).fence;
        for number in 0..3 {
            let name = format!("step {round}.{number}");
            let step = subject(fence, &name, Begin::default(), at(7));
            bed.tx(|port| step::complete(port, &step, "1", at(8)).unwrap());
        }
        bed.finish(fence, &End::Release(0), at(9)).unwrap();
    }
    bed.claimed(at(10));
    let whole = page(bed, None, 0);
    assert!(whole["next"].is_null());
    assert_eq!(
        (whole["attempts"].as_array().unwrap().len(), whole["steps"].as_array().unwrap().len()),
        (6, 15)
    );
    assert_eq!(whole["attempts"][5]["state"], "running");
    for limit in [1, 2, 3, 4, 5, 6, 7, 19, 20, 21] {
        let (mut cursor, mut seen): (Option<String>, Vec<String>) = (None, Vec::new());
        loop {
            let page = page(bed, cursor.as_deref(), limit);
            assert!(items(&page).len() <= limit as usize, "more than {limit}: {page}");
            seen.extend(items(&page));
            match page["next"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => break,
            }
            assert!(seen.len() <= 21, "limit {limit}: {seen:?}");
        }
        let (mut expected, mut found) = (items(&whole), seen.clone());
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "limit {limit}");
    }
}

/// P33: signals and children come page by page as well.
pub(super) fn a_history_pages_through_messages_and_children(bed: &mut dyn Bed) {
    bed.run(1, at(5));
    let fence = bed.claimed(at(6)).fence;
    let run = id::write("run", run_id(1));
    for number in 0..4 {
        bed.tx(|port| signal::send(port, &run, "go", &number.to_string(), None, at(7))).unwrap();
        let submit = Submit { queue: Some("children".into()), ..plain() };
        let name = format!("c{number}");
        let child = NewChild { name, occurrence: 1, submit, run_id: run_id(10 + number) };
        bed.tx(|port| child::submit(port, fence, &[child], at(7))).unwrap();
    }
    let key = |value: &Value| value["run_id"].as_str().map(str::to_owned);
    for limit in [1, 2, 3, 5, 7, 12, 13, 14] {
        let (mut cursor, mut children, mut signals): (Option<String>, Vec<_>, Vec<_>) =
            (None, Vec::new(), Vec::new());
        loop {
            let page = page(bed, cursor.as_deref(), limit);
            children.extend(page["children"].as_array().unwrap().iter().filter_map(key));
            signals
                .extend(page["signals"].as_array().unwrap().iter().map(|s| s["payload"].clone()));
            let Some(next) = page["next"].as_str() else { break };
            cursor = Some(next.to_owned());
        }
        let expected: Vec<String> = (10..14).map(|n| id::write("run", run_id(n))).collect();
        assert_eq!(children, expected, "limit {limit}");
        assert_eq!(signals, [0, 1, 2, 3], "limit {limit}");
    }
}

/// P33.
pub(super) fn a_cursor_stays_valid_while_steps_are_added(bed: &mut dyn Bed) {
    bed.run(1, at(5));
    let fence = bed.claimed(at(6)).fence;
    let record = |bed: &mut dyn Bed, name: &str| {
        let step = subject(fence, name, Begin::default(), at(7));
        bed.tx(|port| step::complete(port, &step, "1", at(8)).unwrap());
    };
    ["a", "b", "c"].into_iter().for_each(|name| record(bed, name));
    let first = page(bed, None, 2);
    record(bed, "A, which sorts before");
    let rest = page(bed, first["next"].as_str(), 100);
    let steps = |page: &Value| -> Vec<String> {
        items(page).into_iter().filter(|item| !item.starts_with("attempt")).collect()
    };
    assert_eq!([steps(&first), steps(&rest)].concat(), ["a", "b", "c", "A, which sorts before"]);
}

pub(super) fn an_unknown_run_is_not_found(bed: &mut dyn Bed) {
    bed.run(1, at(5));
    let task = public(1).replace("run_", "task_");
    for id in [public(2), String::new(), "run_".into(), public(1).to_uppercase(), task] {
        let error = bed.tx(|port| run_get(port, &id).unwrap_err());
        assert_eq!(error.code(), -3, "{id}");
        assert_eq!(bed.tx(|port| run_history(port, &id, None, 0).unwrap_err()).code(), -3);
    }
    assert_eq!(bed.tx(|port| run_history(port, &public(1), Some("x"), 0).unwrap_err()).code(), -2);
}

/// P17: as JSON values, not as strings, and byte for byte.
pub(super) fn payloads_are_embedded_as_they_were_given(bed: &mut dyn Bed) {
    let odd = "{ \"z\":1.00,\t\"a\":\"\\u00fc/\\/\" ,\"z\":[ ] }";
    bed.submit(1, &Submit { args: Some(odd.into()), ..plain() }, at(5));
    let fence = bed.claimed(at(6)).fence;
    let step = subject(fence, "s", Begin::default(), at(7));
    bed.tx(|port| step::complete(port, &step, odd, at(8)).unwrap());
    bed.finish(fence, &End::Complete(odd.into()), at(9)).unwrap();
    let run = bed.tx(|port| run_get(port, &public(1)).unwrap());
    assert_eq!(run.matches(odd).count(), 2, "{run}");
    let history = bed.tx(|port| run_history(port, &public(1), None, 0).unwrap());
    assert_eq!(history.matches(odd).count(), 3, "{history}");
}

/// A failed run's error stands in the run's row; a retry clears that row, and the next failure fills
/// it: neither may change what the history tells of the earlier attempt.
pub(super) fn a_failed_attempt_keeps_its_error_when_its_run_is_retried(bed: &mut dyn Bed) {
    bed.run(1, at(5));
    let fail = |bed: &mut dyn Bed, error: &str| {
        let fence = bed.claimed(at(6)).fence;
        let options = FailOptions { is_terminal: true, retry_after_ms: 0 };
        bed.finish(fence, &End::Fail(error.into(), options), at(7)).unwrap();
    };
    let errors = |bed: &mut dyn Bed| -> Vec<String> {
        let page = page(bed, None, 0);
        page["attempts"].as_array().unwrap().iter().map(|a| a["error"].to_string()).collect()
    };
    fail(bed, "\"first\"");
    bed.tx(|port| control::retry(port, &public(1), at(8)).unwrap());
    assert_eq!(errors(bed), ["\"first\""]);
    fail(bed, "\"second\"");
    assert_eq!(errors(bed), ["\"first\"", "\"second\""]);
}
