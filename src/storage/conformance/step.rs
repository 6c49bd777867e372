//! Claims about recorded steps.

use std::collections::BTreeMap;

use super::{Bed, at, subject};
use crate::domain::FailOptions;
use crate::domain::attempt::{AfterFail, End};
use crate::domain::output::engine_error;
use crate::domain::port::{Fence, Recorded, StepFacts, StepKind, StepRow, StepState};
use crate::domain::step::{self, Begin, Subject};

fn claimed(bed: &mut dyn Bed, number: u8) -> Fence {
    bed.run(number, at(5));
    bed.claimed(at(6)).fence
}

fn row(bed: &mut dyn Bed, fence: Fence, name: &str, occurrence: u32) -> Option<StepRow> {
    bed.tx(|port| port.step(fence.run_key, StepKind::Step, name, occurrence).unwrap())
}

fn first(fence: Fence, name: &str) -> Subject {
    subject(fence, name, Begin::default(), at(10))
}

/// P16, P18: the same result again is no second one, another is a conflict and changes nothing.
pub(super) fn a_result_is_recorded_once(bed: &mut dyn Bed) {
    let fence = claimed(bed, 1);
    let step = first(fence, "s");
    bed.tx(|port| step::complete(port, &step, "[1]", at(12)).unwrap());
    let stored = row(bed, fence, "s", 1).unwrap();
    assert_eq!(
        (stored.facts.state, stored.facts.tries, stored.result.as_deref()),
        (StepState::Done, 1, Some("[1]"))
    );
    assert_eq!((stored.started_at_ms, stored.took_ms), (10, 2));
    let before = bed.dump();
    bed.tx(|port| step::complete(port, &step, "[1]", at(99)).unwrap());
    assert_eq!(bed.dump(), before);
    bed.refused(-23, |port| step::complete(port, &step, "[2]", at(13)));
    bed.refused(-23, |port| step::complete(port, &step, "[1] ", at(13)));
    bed.refused(-23, |port| step::fail(port, &step, "1", FailOptions::default(), at(13)));
    bed.refused(-23, |port| step::start(port, &step, at(13)));
    assert_eq!(row(bed, fence, "s", 1), Some(stored));
}

pub(super) fn a_record_is_answered_with_what_is_stored_once_that_is_finished(bed: &mut dyn Bed) {
    let fence = claimed(bed, 1);
    let row = |name: &str, state, result: &str| StepRow {
        name: name.into(),
        occurrence: 1,
        facts: StepFacts { state, tries: 1, retry_at_ms: None, input_hash: None },
        label: None,
        started_at_ms: 7,
        took_ms: 0,
        error: None,
        result: Some(result.into()),
    };
    let (started, done) = (StepState::Started, StepState::Done);
    let record = |bed: &mut dyn Bed, rows: &[StepRow]| {
        bed.tx(|port| port.steps_record(fence.run_key, StepKind::Child, rows).unwrap())
    };
    let first = [row("a", started, "1"), row("b", done, "2"), row("b", done, "3")];
    let stored = Recorded::Stored(first[1].clone());
    assert_eq!(record(bed, &first), [Recorded::New, Recorded::New, stored.clone()]);
    let second = [row("b", started, "4"), row("a", done, "5")];
    assert_eq!(record(bed, &second), [stored, Recorded::New]);
    let all = |bed: &mut dyn Bed, names: &[(&str, u32)]| {
        bed.tx(|port| port.steps_all(fence.run_key, StepKind::Child, names).unwrap())
    };
    let expected = vec![first[1].clone(), second[1].clone()];
    assert_eq!(all(bed, &[("b", 1), ("a", 1)]), Some(expected));
    assert_eq!(all(bed, &[("b", 1), ("a", 2)]), None);
    assert_eq!(all(bed, &[]), Some(Vec::new()));
}

/// P17.
pub(super) fn a_result_comes_back_byte_for_byte(bed: &mut dyn Bed) {
    let fence = claimed(bed, 1);
    let large = format!("\"{}\"", "ü".repeat(600_000));
    let results =
        ["null", " {\"b\":1,\"a\":1.0e0,\"a\":2}\r\n", "\"\\u0000\\ud83d\\ude00\"", "-0", &large];
    for (number, result) in results.iter().enumerate() {
        let step = first(fence, &number.to_string());
        bed.tx(|port| step::complete(port, &step, result, at(12)).unwrap());
    }
    for (number, result) in results.iter().enumerate() {
        let stored = row(bed, fence, &number.to_string(), 1).unwrap();
        assert!(stored.result.as_deref() == Some(*result), "result {number} changed");
    }
}

pub(super) fn steps_are_told_apart_by_run_name_and_occurrence(bed: &mut dyn Bed) {
    let fences = [claimed(bed, 1), claimed(bed, 2)];
    let mut expected = BTreeMap::new();
    for fence in fences {
        for name in ["a", "A", "a ", "", "ä", "a\"'"] {
            for occurrence in [1, 2, 1_000_000_000] {
                let begin = Begin { occurrence, ..Begin::default() };
                let step = subject(fence, name, begin, at(10));
                let result = format!("\"{} {occurrence}\"", expected.len());
                bed.tx(|port| step::complete(port, &step, &result, at(12)).unwrap());
                expected.insert((fence.run_key, name, occurrence), result);
            }
        }
    }
    for ((run_key, name, occurrence), result) in &expected {
        let fence = Fence { run_key: *run_key, ..fences[0] };
        assert_eq!(row(bed, fence, name, *occurrence).unwrap().result.as_ref(), Some(result));
    }
    assert_eq!(row(bed, fences[0], "a", 3), None);
    assert_eq!(row(bed, fences[0], "b", 1), None);
}

pub(super) fn a_start_is_replaced_by_its_end_and_replaces_none(bed: &mut dyn Bed) {
    let fence = claimed(bed, 1);
    let step = first(fence, "s");
    bed.tx(|port| step::start(port, &step, at(10)).unwrap());
    assert_eq!(row(bed, fence, "s", 1).unwrap().facts.state, StepState::Started);
    let second = Subject { tries: 2, started_at_ms: 20, ..step.clone() };
    bed.tx(|port| step::start(port, &second, at(20)).unwrap());
    let started = row(bed, fence, "s", 1).unwrap();
    assert_eq!((started.facts.tries, started.started_at_ms), (2, 20));
    bed.tx(|port| step::complete(port, &second, "1", at(25)).unwrap());
    let done = row(bed, fence, "s", 1).unwrap();
    assert_eq!((done.facts.state, done.facts.tries, done.took_ms), (StepState::Done, 2, 5));
    bed.refused(-23, |port| step::start(port, &second, at(30)));
}

/// P20.
pub(super) fn a_failure_stores_its_tries_and_the_time_of_the_next(bed: &mut dyn Bed) {
    let fence = claimed(bed, 1);
    let step = first(fence, "s");
    let fail = |bed: &mut dyn Bed, step: &Subject, options, now| {
        bed.tx(|port| step::fail(port, step, "\"e\"", options, at(now)).unwrap()).0
    };
    let AfterFail::Retry { at_ms } = fail(bed, &step, FailOptions::default(), 10) else {
        panic!("the first try was the last");
    };
    assert!((910..=1_110).contains(&at_ms), "{at_ms}");
    let stored = row(bed, fence, "s", 1).unwrap();
    assert_eq!((stored.facts.state, stored.facts.tries), (StepState::BacksOff, 1));
    assert_eq!((stored.facts.retry_at_ms, stored.error.as_deref()), (Some(at_ms), Some("\"e\"")));
    let named = FailOptions { is_terminal: false, retry_after_ms: 5 };
    let second = Subject { tries: 2, ..step };
    assert_eq!(fail(bed, &second, named, 2_000), AfterFail::Retry { at_ms: 2_005 });
    assert_eq!(row(bed, fence, "s", 1).unwrap().facts.tries, 2);
    let third = Subject { tries: 3, ..second };
    bed.tx(|port| step::complete(port, &third, "1", at(2_010)).unwrap());
    let done = row(bed, fence, "s", 1).unwrap();
    assert_eq!((done.facts.state, done.facts.tries, done.error), (StepState::Done, 3, None));
    assert_eq!(done.facts.retry_at_ms, None);
}

/// P20: memoised, it never changes again.
pub(super) fn a_failure_with_no_try_left_is_for_good(bed: &mut dyn Bed) {
    let fence = claimed(bed, 1);
    let last = Subject { tries: 3, ..first(fence, "last") };
    let terminal = FailOptions { is_terminal: true, retry_after_ms: 5 };
    for (step, options) in [(last, FailOptions::default()), (first(fence, "now"), terminal)] {
        let (after, _) = bed.tx(|port| step::fail(port, &step, "\"e\"", options, at(10)).unwrap());
        assert_eq!(after, AfterFail::Final);
        let stored = row(bed, fence, &step.name, 1).unwrap();
        assert_eq!((stored.facts.state, stored.facts.retry_at_ms), (StepState::Failed, None));
        bed.refused(-23, |port| step::complete(port, &step, "1", at(11)));
        bed.refused(-23, |port| step::fail(port, &step, "\"f\"", options, at(11)));
        bed.tx(|port| step::fail(port, &step, "\"e\"", options, at(11)).unwrap());
    }
}

/// P10: whatever a lost attempt has still to say.
pub(super) fn a_stale_attempt_records_nothing(bed: &mut dyn Bed) {
    let fence = claimed(bed, 1);
    bed.finish(fence, &End::Release(0), at(7)).unwrap();
    let held = bed.claimed(at(8)).fence;
    let stale = first(fence, "s");
    bed.refused(-20, |port| step::complete(port, &stale, "\"old\"", at(9)));
    bed.tx(|port| step::complete(port, &first(held, "s"), "\"new\"", at(9)).unwrap());
    bed.refused(-20, |port| step::complete(port, &stale, "\"new\"", at(10)));
    assert_eq!(row(bed, fence, "s", 1).unwrap().result.as_deref(), Some("\"new\""));
}

/// P19: a replay without an input does not wash the recorded one off.
pub(super) fn an_input_hash_stays_with_its_step(bed: &mut dyn Bed) {
    let fence = claimed(bed, 1);
    let begin =
        Begin { input: Some("{\"a\":1}".into()), kind: Some("agent".into()), ..Begin::default() };
    let with_input = subject(fence, "s", begin, at(10));
    let hash = with_input.plan.input_hash;
    assert!(hash.is_some());
    bed.tx(|port| step::start(port, &with_input, at(10)).unwrap());
    bed.tx(|port| step::complete(port, &first(fence, "s"), "1", at(11)).unwrap());
    assert_eq!(row(bed, fence, "s", 1).unwrap().facts.input_hash, hash);
    let labelled =
        subject(fence, "t", Begin { kind: Some("agent".into()), ..Begin::default() }, at(10));
    bed.tx(|port| step::complete(port, &labelled, "1", at(11)).unwrap());
    let stored = row(bed, fence, "t", 1).unwrap();
    assert_eq!((stored.facts.input_hash, stored.label.as_deref()), (None, Some("agent")));
}

/// P13: a run that dies in the same step each time must run out of tries; results and failures are
/// progress.
pub(super) fn a_start_without_an_end_is_no_progress(bed: &mut dyn Bed) {
    let fence = claimed(bed, 1);
    let losses = |bed: &mut dyn Bed| bed.task(fence.run_key).unwrap().losses;
    let lose = |bed: &mut dyn Bed| {
        bed.tx(|port| port.lease_set(fence.run_key, 10_006, 10_000, 2).unwrap());
    };
    lose(bed);
    bed.tx(|port| step::start(port, &first(fence, "a"), at(10)).unwrap());
    assert_eq!(losses(bed), 2);
    bed.tx(|port| step::complete(port, &first(fence, "a"), "1", at(10)).unwrap());
    assert_eq!(losses(bed), 0);
    lose(bed);
    let options = FailOptions::default();
    bed.tx(|port| step::fail(port, &first(fence, "b"), "1", options, at(10)).unwrap());
    assert_eq!(losses(bed), 0);
}

pub(super) fn a_walk_visits_each_step_until_told_to_stop(bed: &mut dyn Bed) {
    let (fence, other) = (claimed(bed, 1), claimed(bed, 2));
    bed.tx(|port| step::complete(port, &first(other, "other"), "0", at(11)).unwrap());
    for number in 0..50 {
        let step = first(fence, &format!("s{number}"));
        bed.tx(|port| step::complete(port, &step, &number.to_string(), at(11)).unwrap());
    }
    let failing = first(fence, "failing");
    bed.tx(|port| step::fail(port, &failing, "\"e\"", FailOptions::default(), at(11)).unwrap());
    let mut seen = BTreeMap::new();
    let mut walk = |stop_at: usize| {
        seen.clear();
        bed.tx(|port| {
            port.steps_walk(fence.run_key, StepKind::Step, &mut |step| {
                let answer = step.result.or(step.error).unwrap().to_owned();
                seen.insert(step.name.to_owned(), (step.facts.state, step.occurrence, answer));
                seen.len() < stop_at
            })
            .unwrap();
        });
        seen.clone()
    };
    assert_eq!(walk(7).len(), 7);
    let all = walk(usize::MAX);
    assert_eq!(all.len(), 51);
    assert_eq!(all["s7"], (StepState::Done, 1, "7".to_owned()));
    assert_eq!(all["failing"], (StepState::BacksOff, 1, "\"e\"".to_owned()));
    let mut walk_names = |stop_at: usize| {
        let mut names = BTreeMap::new();
        bed.tx(|port| {
            port.steps_walk_names(fence.run_key, StepKind::Step, &mut |name, occurrence, state| {
                names.insert(name.to_owned(), (state, occurrence));
                names.len() < stop_at
            })
            .unwrap();
        });
        names
    };
    assert_eq!(walk_names(7).len(), 7);
    let named = all.into_iter().map(|(name, (state, occurrence, _))| (name, (state, occurrence)));
    assert_eq!(walk_names(usize::MAX), named.collect());
}

pub(super) fn an_interrupted_step_is_memoised_as_failed(bed: &mut dyn Bed) {
    let fence = claimed(bed, 1);
    let begin = Begin { is_tracked: true, max_tries: 1, ..Begin::default() };
    let step = subject(fence, "s", begin, at(10));
    bed.tx(|port| step::start(port, &step, at(10)).unwrap());
    let (error, _) = bed.tx(|port| step::interrupt(port, &step, at(20)).unwrap());
    assert!(error.starts_with(&engine_error("interrupted", "")[..24]), "{error}");
    let stored = row(bed, fence, "s", 1).unwrap();
    assert_eq!((stored.facts.state, stored.error), (StepState::Failed, Some(error)));
}
