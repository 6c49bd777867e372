//! Claims about the policy of retention: what goes by itself and when, what stays, and what a look costs.

use super::retention::{counted, wide};
use super::{Bed, Draws, at, plain, run_id};
use crate::domain::attempt::End;
use crate::domain::claim::outlook;
use crate::domain::port::LaneFilter;
use crate::domain::retention::{Policy, get, set};
use crate::domain::submit::{Submit, submit};
use crate::domain::sweep::sweep;
use crate::domain::{FailOptions, control, query};
use crate::id;
use crate::limits::{RETENTION_PART_PAUSE_MS, RETENTION_PART_RUNS, RETENTION_PAUSE_MS_MAX};

fn policy(bed: &mut dyn Bed, policy: &str, now_ms: i64) {
    let policy = Policy::read(Some(policy)).unwrap();
    bed.tx(|port| set(port, &policy, at(now_ms))).unwrap();
}

fn next(bed: &mut dyn Bed) -> Option<i64> {
    bed.tx(|port| port.standing("")).unwrap().next_retention_at_ms
}

/// What a claim does first, once.
fn part(bed: &mut dyn Bed, now_ms: i64) {
    bed.tx(|port| sweep(port, &[], run_id(0xEE), at(now_ms))).unwrap();
    let faults = bed.tx(|port| port.faults(20)).unwrap();
    assert!(faults.is_empty(), "{faults:?}");
}

/// A whole look, from this time on; returns how many parts it took.
fn look(bed: &mut dyn Bed, now_ms: i64) -> u32 {
    for parts in 0..1_000 {
        let then_ms = now_ms + i64::from(parts) * RETENTION_PART_PAUSE_MS;
        part(bed, then_ms);
        if next(bed) != Some(then_ms + RETENTION_PART_PAUSE_MS) {
            return parts + 1;
        }
    }
    panic!("a look comes to no end");
}

fn is_there(bed: &mut dyn Bed, number: u32) -> bool {
    let id = id::write("run", wide(number));
    let found = bed.tx(|port| query::run_get(port, &id));
    assert!(found.is_ok() || found.as_ref().is_err_and(|error| error.code() == -3), "{found:?}");
    found.is_ok()
}

fn there(bed: &mut dyn Bed, numbers: std::ops::Range<u32>) -> Vec<u32> {
    numbers.filter(|number| is_there(bed, *number)).collect()
}

fn open(bed: &mut dyn Bed, number: u32, workflow: &str, now_ms: i64) {
    let run = Submit { workflow: workflow.into(), ..plain() };
    bed.tx(|port| submit(port, &run, wide(number), 0, at(now_ms))).unwrap();
}

/// A run that has ended at this moment.
fn ended(bed: &mut dyn Bed, number: u32, workflow: &str, now_ms: i64) {
    open(bed, number, workflow, now_ms);
    let fence = bed.claimed(at(now_ms)).fence;
    bed.finish(fence, &End::Complete("1".into()), at(now_ms)).unwrap();
}

fn cancelled(bed: &mut dyn Bed, numbers: std::ops::Range<u32>, workflow: &str, now_ms: i64) {
    for number in numbers {
        open(bed, number, workflow, now_ms);
        let id = id::write("run", wide(number));
        bed.tx(|port| control::cancel(port, &id, None, at(now_ms))).unwrap();
    }
}

pub(super) fn a_run_stays_for_its_time_and_goes_by_itself(bed: &mut dyn Bed) {
    policy(bed, r#"{"completed_ms":1000,"failed_ms":2000}"#, 0);
    ended(bed, 1, "w", 5_000);
    open(bed, 2, "w", 5_000);
    let fence = bed.claimed(at(5_000)).fence;
    let fail = FailOptions { is_terminal: true, ..FailOptions::default() };
    bed.finish(fence, &End::Fail("1".into(), fail), at(5_000)).unwrap();
    cancelled(bed, 3..4, "w", 5_000);
    open(bed, 4, "other", 5_000);
    look(bed, 5_999);
    assert_eq!(there(bed, 1..5), [1, 2, 3, 4], "a millisecond before its time");
    look(bed, 6_999);
    assert_eq!(there(bed, 1..5), [2, 3, 4], "a failed one stays longer");
    look(bed, 7_999);
    assert_eq!(there(bed, 1..5), [3, 4], "what is not named stays");
    look(bed, 9_999_999);
    assert_eq!(there(bed, 1..5), [3, 4]);
}

pub(super) fn the_newest_of_each_workflow_stay_whatever_their_age(bed: &mut dyn Bed) {
    for number in 1..7 {
        ended(bed, number, ["a", "b"][number as usize % 2], 1_000);
    }
    ended(bed, 7, "b", 9_000);
    policy(bed, r#"{"completed_ms":1000,"keep_newest":2}"#, 9_000);
    look(bed, 9_000);
    assert_eq!(there(bed, 1..8), [4, 5, 6, 7]);
}

pub(super) fn a_number_alone_lets_all_others_go(bed: &mut dyn Bed) {
    for number in 1..5 {
        ended(bed, number, "w", 1_000);
    }
    cancelled(bed, 5..6, "w", 1_000);
    open(bed, 6, "w", 1_000);
    policy(bed, r#"{"keep_newest":0}"#, 1_000);
    assert_eq!(next(bed), None, "it lets nothing go");
    policy(bed, r#"{"keep_newest":2}"#, 1_000);
    look(bed, 1_000);
    assert_eq!(there(bed, 1..7), [4, 5, 6]);
}

pub(super) fn a_workflow_has_rules_of_its_own_member_by_member(bed: &mut dyn Bed) {
    policy(
        bed,
        r#"{"completed_ms":1000,"cancelled_ms":1000,
        "workflows":{"audit":{"completed_ms":9000},"last":{"keep_newest":1},"none":{"failed_ms":1}}}"#,
        0,
    );
    for (number, workflow) in [(1, "a"), (2, "audit"), (3, "last"), (4, "last"), (5, "z")] {
        ended(bed, number, workflow, 1_000);
    }
    cancelled(bed, 6..7, "audit", 1_000);
    look(bed, 2_000);
    assert_eq!(there(bed, 1..7), [2, 4]);
    policy(bed, r#"{"workflows":{"last":{"completed_ms":0}}}"#, 3_000);
    look(bed, 3_000);
    assert_eq!(there(bed, 1..7), [2], "what stands outside is gone as well");
}

pub(super) fn a_tree_goes_once_all_in_it_has_ended(bed: &mut dyn Bed) {
    policy(bed, r#"{"completed_ms":0,"workflows":{"child":{"completed_ms":0}}}"#, 0);
    bed.submit(1, &plain(), at(1_000));
    let root = bed.claimed(at(1_000)).fence;
    bed.child(root, run_id(2));
    bed.finish(root, &End::Complete("1".into()), at(1_000)).unwrap();
    look(bed, 2_000);
    assert_eq!(counted(bed, "{}"), 2);
    let child = bed.claimed(at(3_000)).fence;
    bed.finish(child, &End::Complete("1".into()), at(3_000)).unwrap();
    look(bed, 4_000);
    assert_eq!(counted(bed, "{}"), 0);
}

/// So that whoever works is not held up, however much is due at first.
pub(super) fn a_look_goes_in_bounded_parts_with_pauses_between(bed: &mut dyn Bed) {
    cancelled(bed, 1..400, "w", 1_000);
    policy(bed, r#"{"cancelled_ms":1000}"#, 5_000);
    let part_runs = u64::from(RETENTION_PART_RUNS);
    part(bed, 5_000);
    assert_eq!(counted(bed, "{}"), 399 - part_runs);
    part(bed, 5_000);
    part(bed, 5_000 + RETENTION_PART_PAUSE_MS - 1);
    assert_eq!(counted(bed, "{}"), 399 - part_runs, "in the pause");
    part(bed, 5_000 + RETENTION_PART_PAUSE_MS);
    assert_eq!(counted(bed, "{}"), 399 - 2 * part_runs);
    let parts = 1 + look(bed, 6_000);
    assert_eq!((counted(bed, "{}"), parts), (0, 3));
    assert!(next(bed) > Some(6_000 + 2 * RETENTION_PART_PAUSE_MS));
}

/// P34: whoever began it may be gone.
pub(super) fn a_tree_of_many_parts_is_gone_from_the_first_part(bed: &mut dyn Bed) {
    bed.submit(1, &plain(), at(1_000));
    let root = bed.claimed(at(1_000)).fence;
    for number in 2..240 {
        bed.child(root, run_id(number));
    }
    bed.finish(root, &End::Complete("1".into()), at(1_000)).unwrap();
    for _ in 2..240 {
        let child = bed.claimed(at(1_000)).fence;
        bed.finish(child, &End::Complete("1".into()), at(1_000)).unwrap();
    }
    policy(bed, r#"{"completed_ms":0}"#, 5_000);
    part(bed, 5_000);
    assert_eq!(counted(bed, "{}"), 0);
    let rows = |bed: &mut dyn Bed| {
        bed.dump().lines().filter(|line| line.starts_with("sw_workflow_runs:")).count()
    };
    assert!(rows(bed) > 100, "{}", rows(bed));
    // Another policy, under which it would stay.
    policy(bed, r#"{"completed_ms":999999}"#, 5_000);
    look(bed, 5_001);
    let newest = usize::from(bed.keeps_newest());
    assert_eq!(rows(bed), newest, "the newest run's, for its key");
}

pub(super) fn a_policy_that_is_replaced_or_ended_holds_from_then_on(bed: &mut dyn Bed) {
    assert_eq!(bed.tx(|port| get(port)).unwrap(), "{}");
    ended(bed, 1, "w", 1_000);
    let first = r#"{"completed_ms":5000,"keep_newest":0,"workflows":{"a":{"failed_ms":7},"b":{}}}"#;
    policy(bed, first, 1_000);
    assert_eq!(bed.tx(|port| get(port)).unwrap(), first);
    look(bed, 2_000);
    let before = bed.dump();
    policy(bed, first, 2_001);
    assert_eq!(bed.dump(), before, "the same again");
    policy(bed, "{}", 2_002);
    assert_eq!((bed.tx(|port| get(port)).unwrap().as_str(), next(bed)), ("{}", None));
    part(bed, 9_999_999);
    assert!(is_there(bed, 1));
    policy(bed, r#"{"completed_ms":100}"#, 2_003);
    assert_eq!(next(bed), Some(2_003));
    look(bed, 2_003);
    assert!(!is_there(bed, 1));
}

/// A look costs the claim that does it something, and one that is not due nothing.
pub(super) fn a_look_that_is_not_due_writes_nothing(bed: &mut dyn Bed) {
    let all = LaneFilter::default();
    policy(bed, r#"{"completed_ms":80000}"#, 1_000);
    assert!(bed.tx(|port| outlook(port, &all, at(1_000))).unwrap().is_promising);
    part(bed, 1_000);
    let due = next(bed).unwrap();
    assert_eq!(due, 1_000 + RETENTION_PAUSE_MS_MAX, "nothing has ended");
    let before = bed.dump();
    part(bed, due - 1);
    assert_eq!(bed.dump(), before);
    let seen = bed.tx(|port| outlook(port, &all, at(due - 1))).unwrap();
    assert_eq!((seen.is_promising, seen.next_due_at_ms), (false, Some(due)));
    ended(bed, 1, "w", due);
    part(bed, due + RETENTION_PAUSE_MS_MAX);
    assert_eq!(next(bed), Some(due + RETENTION_PAUSE_MS_MAX + 10_000), "an eighth of its time");
}

pub(super) fn a_clock_that_goes_back_stops_no_look(bed: &mut dyn Bed) {
    policy(bed, r#"{"completed_ms":100}"#, 9_000_000);
    part(bed, 9_000_000);
    ended(bed, 1, "w", 1_000);
    look(bed, 2_000);
    assert!(!is_there(bed, 1));
    assert!(next(bed) < Some(100_000));
}

/// Its policy was written by a library that knows more, or by hand.
pub(super) fn a_policy_that_is_not_read_keeps_all_and_nobody_from_claiming(bed: &mut dyn Bed) {
    ended(bed, 1, "w", 1_000);
    bed.tx(|port| port.policy_set(Some(r#"{"completed_ms":"soon"}"#))).unwrap();
    bed.tx(|port| port.look_set(Some(1_000), Some("{"))).unwrap();
    open(bed, 2, "w", 2_000);
    bed.claimed(at(2_000));
    assert!(is_there(bed, 1));
    assert_eq!(next(bed), Some(2_000 + RETENTION_PAUSE_MS_MAX));
    bed.refused(-44, |port| get(port));
}

/// Beside a look at each run alone.
pub(super) fn what_goes_is_what_nothing_keeps_over_random_histories(bed: &mut dyn Bed) {
    let mut draws = Draws(5);
    let mut runs: Vec<(u32, &str, i64)> = Vec::new();
    let mut number = 0;
    for round in 1..9_i64 {
        let now_ms = round * 100_000;
        for _ in 0..40 {
            number += 1;
            let workflow = ["a", "b", "c"][draws.below(3) as usize];
            let ended_ms = now_ms - 50_000 + draws.below(50_000) as i64;
            cancelled(bed, number..number + 1, workflow, ended_ms);
            runs.push((number, workflow, ended_ms));
        }
        let (age, newest) = (draws.below(60_000) as i64, draws.below(9) as usize);
        let (other_age, has_other) = (draws.below(200_000) as i64, draws.below(2) == 0);
        let other = format!(r#","workflows":{{"b":{{"cancelled_ms":{other_age}}}}}"#);
        let other = if has_other { other } else { String::new() };
        policy(bed, &format!(r#"{{"cancelled_ms":{age},"keep_newest":{newest}{other}}}"#), now_ms);
        look(bed, now_ms);
        let of = |workflow: &'static str| {
            runs.iter().rev().filter(move |run| run.1 == workflow).take(newest).map(|run| run.0)
        };
        let newest: Vec<u32> = ["a", "b", "c"].into_iter().flat_map(of).collect();
        runs.retain(|(number, workflow, ended_ms)| {
            let age = if has_other && *workflow == "b" { other_age } else { age };
            newest.contains(number) || ended_ms + age > now_ms
        });
        let kept: Vec<u32> = runs.iter().map(|run| run.0).collect();
        assert_eq!(there(bed, 1..number + 1), kept, "round {round}");
    }
    assert!(runs.len() > 5 && runs.len() < 200, "{} runs show nothing", runs.len());
}

pub(super) fn workflows_are_gone_through_by_name(bed: &mut dyn Bed) {
    let after = |bed: &mut dyn Bed, name: &str| bed.tx(|port| port.workflow_after(name)).unwrap();
    assert_eq!(after(bed, ""), None);
    assert!(!bed.tx(|port| port.has_ended_runs()).unwrap());
    for (number, name) in [(1, "b"), (2, "a"), (3, "b")] {
        open(bed, number, name, 1_000);
    }
    assert_eq!(after(bed, "").as_deref(), Some("a"));
    assert_eq!(after(bed, "a").as_deref(), Some("b"));
    assert_eq!(after(bed, "b"), None);
    assert!(!bed.tx(|port| port.has_ended_runs()).unwrap());
    cancelled(bed, 4..5, "b", 1_000);
    assert!(bed.tx(|port| port.has_ended_runs()).unwrap());
}
