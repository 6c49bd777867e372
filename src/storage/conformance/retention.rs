//! Claims about pruning: what goes, what stays, and what of either is still found.

use serde_json::Value;

use super::{Bed, Draws, at, claimer, plain, run_id, subject};
use crate::domain::attempt::End;
use crate::domain::budget::Ask;
use crate::domain::claim::Claimer;
use crate::domain::event::{self, Append};
use crate::domain::list::filter::Asked;
use crate::domain::list::{Counted, count_begin, count_on, list};
use crate::domain::port::{Fence, LaneFilter, Order, Room};
use crate::domain::retention::{Pruned, meant, prune_on, rehearse_on, told};
use crate::domain::step::{self, Begin};
use crate::domain::submit::{Submit, submit};
use crate::domain::sweep::{give_back, take_back};
use crate::domain::{budget, control, metadata, query, signal};
use crate::error::Result;
use crate::id::{self, Id};

fn text(number: u8) -> String {
    id::write("run", run_id(number))
}

fn asked(filter: &str) -> Asked {
    Asked::read_in(Some(filter), Order::Oldest).unwrap()
}

/// Prunes as a caller that repeats the call, each with this limit; looks at the store after each part.
fn prune(bed: &mut dyn Bed, filter: &str, limit: u32) -> (u32, u32, u64) {
    let meant = bed.tx(|port| meant(port, &asked(filter))).unwrap();
    let (mut runs, mut trees, mut bytes, mut calls) = (0, 0, 0, 0);
    loop {
        let mut pruned = Pruned::default();
        loop {
            pruned = bed.tx(|port| prune_on(port, Some(&meant), pruned, limit)).unwrap();
            assert_whole(bed);
            if !pruned.goes_on(limit) {
                break;
            }
        }
        assert!(pruned.runs <= limit, "{pruned:?}");
        (runs, trees, bytes) = (runs + pruned.runs, trees + pruned.trees, bytes + pruned.bytes);
        if pruned.is_through {
            return (runs, trees, bytes);
        }
        calls += 1;
        assert!(calls < 1_000, "it comes to no end");
    }
}

fn rehearsed(bed: &mut dyn Bed, filter: &str, limit: u32) -> Pruned {
    let before = bed.dump();
    let meant = bed.tx(|port| meant(port, &asked(filter))).unwrap();
    let mut pruned = Pruned::default();
    while pruned.goes_on(limit) {
        pruned = bed.tx(|port| rehearse_on(port, &meant, pruned, limit)).unwrap();
    }
    assert_eq!(bed.dump(), before, "a rehearsal changed something");
    pruned
}

fn assert_whole(bed: &mut dyn Bed) {
    let faults = bed.tx(|port| port.faults(20)).unwrap();
    assert!(faults.is_empty(), "{faults:?}");
}

fn listed(bed: &mut dyn Bed, filter: &str) -> Vec<String> {
    let page: Value = page(bed, filter, None, 1_000);
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| item["run_id"].as_str().unwrap().to_owned()).collect()
}

fn page(bed: &mut dyn Bed, filter: &str, cursor: Option<&str>, limit: u32) -> Value {
    let asked = Asked::read(Some(filter)).unwrap();
    let text = bed.tx(|port| list(port, &asked, cursor, limit)).unwrap();
    serde_json::from_str(&text).unwrap()
}

pub(super) fn counted(bed: &mut dyn Bed, filter: &str) -> u64 {
    let asked = Asked::read(Some(filter)).unwrap();
    let filter = bed.tx(|port| count_begin(port, &asked)).unwrap();
    let all = |port: &mut dyn crate::domain::port::Port| {
        count_on(port, (&asked, &filter), Counted::default(), 10_000)
    };
    bed.tx(all).unwrap().count
}

/// Submits a run, and claims it.
fn begun(bed: &mut dyn Bed, number: u8, submit: &Submit, now_ms: i64) -> Fence {
    bed.submit(number, submit, at(now_ms));
    bed.claimed(at(now_ms)).fence
}

fn complete(bed: &mut dyn Bed, fence: Fence, now_ms: i64) {
    bed.finish(fence, &End::Complete("\"done\"".into()), at(now_ms)).unwrap();
}

fn say(bed: &mut dyn Bed, fence: Fence, now_ms: i64) {
    let said = Append { fence, event_type: "said".into(), payload: "1".into(), key: None };
    bed.tx(|port| event::append(port, &said, at(now_ms))).unwrap();
}

fn seqs(bed: &mut dyn Bed) -> (Vec<i64>, Vec<String>, i64) {
    let page = bed.tx(|port| event::read(port, &event::Read::default())).unwrap();
    let page: Value = serde_json::from_str(&page.text).unwrap();
    let items = page["items"].as_array().unwrap();
    let seqs = items.iter().map(|item| item["seq"].as_i64().unwrap()).collect();
    let ids = items.iter().map(|item| item["run_id"].as_str().unwrap().to_owned()).collect();
    (seqs, ids, page["first_seq"].as_i64().unwrap())
}

/// A tree of a root and some children with everything that a run can have, which has ended.
fn rich_tree(bed: &mut dyn Bed, first: u8, children: u8, now_ms: i64) {
    let submit = Submit {
        args: Some(format!("\"{}\"", "a".repeat(5_000))),
        idempotency_key: Some(format!("k{first}")),
        metadata: Some(format!("{{\"n\":{first},\"t\":\"x\"}}")),
        budget: Some(r#"{"tokens":{"limit":100}}"#.into()),
        ..plain()
    };
    let root = begun(bed, first, &submit, now_ms);
    let amounts = [("tokens".to_owned(), 5)].into_iter().collect();
    let ask = budget::Ask { fence: root, step: None, amounts, source: None, salt: 9 };
    let reserved = bed.tx(|port| budget::reserve(port, &ask, at(now_ms))).unwrap();
    let budget::Reserved::Made { id, .. } = reserved else { panic!("{reserved:?}") };
    let usage = [("tokens".to_owned(), 3)].into_iter().collect();
    bed.tx(|port| budget::settle(port, &id::write("budget", id), &usage, at(now_ms))).unwrap();
    for name in ["one", "two", "three"] {
        let step = subject(root, name, Begin::default(), at(now_ms));
        bed.tx(|port| step::complete(port, &step, "[1,2]", at(now_ms))).unwrap();
    }
    let send = |port: &mut dyn crate::domain::port::Port| {
        signal::send(port, &text(first), "s", "\"hello\"", None, at(now_ms))
    };
    bed.tx(send).unwrap();
    for number in first + 1..=first + children {
        bed.child(root, run_id(number));
    }
    let failed = || End::Fail("\"broke\"".into(), crate::domain::FailOptions::default());
    bed.finish(root, &failed(), at(now_ms)).unwrap();
    for _ in 0..children {
        let child = bed.claimed(at(now_ms)).fence;
        say(bed, child, now_ms);
        complete(bed, child, now_ms);
    }
    let root = bed.claimed(at(now_ms + 60_000)).fence;
    say(bed, root, now_ms + 60_000);
    complete(bed, root, now_ms + 60_000);
}

/// Every look that names a run of the tree finds none.
fn assert_gone(bed: &mut dyn Bed, number: u8) {
    let id = text(number);
    let now = at(900_000);
    let ask = |bed: &mut dyn Bed,
               what: &str,
               ask: &dyn Fn(&mut dyn crate::domain::port::Port) -> Result<()>| {
        let code = bed.undone(|port| ask(port)).map_err(|error| error.code());
        assert_eq!(code, Err(-3), "{what} of run {number}");
    };
    ask(bed, "get", &|port| query::run_get(port, &id).map(drop));
    ask(bed, "history", &|port| query::run_history(port, &id, None, 0).map(drop));
    ask(bed, "signal", &|port| signal::send(port, &id, "s", "1", None, now).map(drop));
    ask(bed, "cancel", &|port| control::cancel(port, &id, None, now));
    ask(bed, "pause", &|port| control::pause(port, &id, now));
    ask(bed, "resume", &|port| control::resume(port, &id, now));
    ask(bed, "retry", &|port| control::retry(port, &id, now).map(drop));
    ask(bed, "fork", &|port| control::fork(port, &id, None, run_id(250), now).map(drop));
    ask(bed, "annotate", &|port| metadata::annotate(port, &id, "{}"));
    ask(bed, "budget", &|port| budget::show(port, &id).map(drop));
    ask(bed, "events", &|port| {
        let read = event::Read { run_id: Some(id.clone()), ..event::Read::default() };
        event::read(port, &read).map(drop)
    });
    ask(bed, "children", &|port| {
        let asked = Asked::read(Some(&format!("{{\"parent_run_id\":\"{id}\"}}"))).unwrap();
        list(port, &asked, None, 0).map(drop)
    });
}

/// All that a tree has goes with it; the newest key stays, bare, and goes once there is a newer one.
pub(super) fn a_pruned_tree_leaves_nothing_behind(bed: &mut dyn Bed) {
    rich_tree(bed, 10, 3, 1_000);
    let expected = rehearsed(bed, "{}", 100);
    assert_eq!((expected.runs, expected.trees, expected.is_through), (4, 1, true));
    let (runs, trees, bytes) = prune(bed, "{}", 100);
    assert_eq!((runs, trees, bytes), (4, 1, expected.bytes));
    assert!(bytes > 5_000, "{bytes}");
    (10..14).for_each(|number| assert_gone(bed, number));
    assert_eq!((counted(bed, "{}"), listed(bed, "{}").len()), (0, 0));
    let again = bed.submit(20, &Submit { idempotency_key: Some("k10".into()), ..plain() }, at(2));
    assert!(!again.existed, "the key of a pruned run is still taken");
    let fence = bed.claimed(at(70_000)).fence;
    say(bed, fence, 70_000);
    complete(bed, fence, 70_000);
    bed.run(21, at(70_000));
    assert_eq!(prune(bed, "{}", 100), (1, 1, 6));
    bed.tx(|port| control::cancel(port, &text(21), None, at(70_001))).unwrap();
    assert_eq!(prune(bed, "{}", 100).0, 1);
    let dump = bed.dump();
    let left = |table: &str| dump.lines().filter(|line| line.starts_with(table)).count();
    for table in ["attempts", "steps", "signals", "waits", "tasks", "clock_steps", "cascades"] {
        assert_eq!(left(&format!("sw_workflow_{table}:")), 0, "{table}: {dump}");
    }
    assert_eq!((left("sw_budget"), left("sw_payload")), (0, 0), "{dump}");
    // The row that stays names its lane, and is found by that.
    let newest = usize::from(bed.keeps_newest());
    assert_eq!((left("sw_workflow_runs:"), left("sw_workflow_events:")), (newest, 1), "{dump}");
    assert_eq!(
        (left("sw_workflow_lanes:"), left("sw_workflow_marks:")),
        (newest, newest),
        "{dump}"
    );
}

fn lanes(bed: &mut dyn Bed) -> usize {
    bed.dump().lines().filter(|line| line.starts_with("sw_workflow_lanes:")).count()
}

/// Code versions come and go for ever, and so do handles with runs of their own.
pub(super) fn a_lane_goes_with_the_last_run_that_names_it(bed: &mut dyn Bed) {
    let newest = usize::from(bed.keeps_newest());
    for round in 0..5_u8 {
        let before = if round > 0 { newest } else { 0 };
        let version = |at: u8| Some(format!("v{round}.{at}"));
        let gone = bed.tx(|port| port.owner_make(&claimer(1, 0).owner, 1)).unwrap();
        for number in 0..9 {
            let run = Submit { code_version: version(number % 3), ..plain() };
            let owner_key = if number < 3 { 0 } else { gone };
            let id = run_id(round * 9 + number + 1);
            bed.tx(|port| submit(port, &run, id, owner_key, at(5))).unwrap();
        }
        assert_eq!(lanes(bed), 6 + before, "three open to all, three of an owner");
        assert!(!bed.tx(|port| give_back(port, gone, at(6))).unwrap());
        assert_eq!(lanes(bed), 3 + before, "an owner's go with it");
        for number in 0..9 {
            let id = text(round * 9 + number + 1);
            bed.tx(|port| control::cancel(port, &id, None, at(7))).unwrap();
        }
        assert_eq!(prune(bed, &format!("{{\"code_version\":\"v{round}.0\"}}"), 100).0, 3);
        assert_eq!(
            lanes(bed),
            2,
            "those of the other versions, one with the row of the newest run"
        );
        prune(bed, "{}", 100);
        assert_eq!(lanes(bed), newest, "that row stays until there is a newer one");
    }
}

/// A handle whose own runs were all pruned leaves nothing when it closes.
pub(super) fn an_owner_goes_whose_runs_went_before_it(bed: &mut dyn Bed) {
    let gone = bed.tx(|port| port.owner_make(&claimer(1, 0).owner, 1)).unwrap();
    bed.tx(|port| submit(port, &plain(), run_id(1), gone, at(5))).unwrap();
    bed.tx(|port| control::cancel(port, &text(1), None, at(6))).unwrap();
    let other = Submit { code_version: Some("v".into()), ..plain() };
    bed.submit(2, &other, at(7));
    assert_eq!(prune(bed, "{}", 9).0, 1);
    assert_eq!(
        lanes(bed),
        2,
        "that of the other run, and one of the owner in which nothing stands"
    );
    assert!(!bed.tx(|port| give_back(port, gone, at(8))).unwrap());
    assert_eq!(lanes(bed), 1);
    assert_whole(bed);
}

/// The lane that a lost attempt of a local run charges to outlives its owner.
pub(super) fn what_a_run_of_a_gone_owner_has_spent_is_of_a_lane_that_is_there(bed: &mut dyn Bed) {
    let owner = claimer(1, 0).owner;
    let gone = bed.tx(|port| port.owner_make(&owner, 1)).unwrap();
    let run = Submit { budget: Some("{\"t\":9}".into()), ..plain() };
    bed.tx(|port| submit(port, &run, run_id(1), gone, at(5))).unwrap();
    let local = claimer(1, gone);
    let local = Claimer { filter: LaneFilter { owner_key: gone, ..local.filter.clone() }, ..local };
    let fence = bed.claim(&local, at(6)).unwrap().fence;
    let amounts = [("t".to_owned(), 4)].into();
    let ask = Ask { fence, step: None, amounts, source: None, salt: 9 };
    bed.tx(|port| budget::reserve(port, &ask, at(6))).unwrap();
    bed.tx(|port| take_back(port, fence.run_key, &[gone], at(7))).unwrap();
    assert!(!bed.tx(|port| give_back(port, gone, at(7))).unwrap());
    assert_whole(bed);
    assert_eq!(lanes(bed), 1);
    let (_, lane_key) = bed.tx(|port| port.root_and_lane(fence.run_key)).unwrap();
    let entries = bed.dump();
    let entries: Vec<_> = entries.lines().filter(|line| line.contains("_ledger:")).collect();
    assert_eq!(entries.len(), 1);
    assert!(entries[0].contains(&format!("Integer({lane_key})")), "{entries:?}");
}

pub(super) fn a_tree_with_a_living_run_stays_whole(bed: &mut dyn Bed) {
    let root = begun(bed, 1, &plain(), 5);
    bed.child(root, run_id(2));
    complete(bed, root, 6);
    assert_eq!(prune(bed, "{}", 10), (0, 0, 0));
    let shown = bed.tx(|port| query::run_get(port, &text(2))).unwrap();
    assert!(shown.contains("pending"), "{shown}");
    assert_eq!(rehearsed(bed, "{}", 10).runs, 0);
    let child = bed.claimed(at(7)).fence;
    complete(bed, child, 7);
    assert!(
        prune(bed, &format!("{{\"root_run_id\":\"{}\"}}", text(2)), 10).0 == 0,
        "a child alone"
    );
    assert_eq!(prune(bed, "{\"state\":[\"completed\",\"running\"]}", 10).0, 2);
}

/// P34: from the first part on, whichever of its rows are still there.
pub(super) fn a_tree_of_many_parts_is_gone_from_the_first(bed: &mut dyn Bed) {
    rich_tree(bed, 10, 5, 1_000);
    rich_tree(bed, 30, 0, 2_000);
    let root = bed.tx(|port| port.run_by_id(run_id(10))).unwrap().unwrap();
    let mut parts = 0;
    loop {
        let mut room = Room { runs: 2, rows: 3 };
        let removed = bed.tx(|port| port.trees_remove(&[root], &mut room)).unwrap();
        parts += 1;
        assert_whole(bed);
        (10..16).for_each(|number| assert_gone(bed, number));
        assert_eq!(listed(bed, "{}"), [text(30)]);
        assert_eq!(counted(bed, "{\"state\":\"completed\"}"), 1);
        assert_eq!(bed.tx(|port| port.run_by_idempotency("", "k10")).unwrap(), None);
        if removed.is_whole {
            break;
        }
        assert_eq!(bed.tx(|port| port.trees_begun(9)).unwrap(), [root]);
    }
    assert!(parts > 5, "{parts}");
    assert!(bed.tx(|port| port.trees_begun(9)).unwrap().is_empty());
}

/// What is left of a tree goes first, and within the limit of the call that finds it.
pub(super) fn a_prune_goes_on_where_another_stopped(bed: &mut dyn Bed) {
    rich_tree(bed, 10, 5, 1_000);
    rich_tree(bed, 30, 1, 2_000);
    let all = bed.tx(|port| meant(port, &asked("{}"))).unwrap();
    let first = bed.tx(|port| prune_on(port, Some(&all), Pruned::default(), 2)).unwrap();
    assert_eq!((first.runs, first.trees, first.is_through), (2, 1, false));
    let none = bed.tx(|port| meant(port, &asked("{\"workflow\":\"none\"}"))).unwrap();
    let second = bed.tx(|port| prune_on(port, Some(&none), Pruned::default(), 3)).unwrap();
    assert_eq!((second.runs, second.trees, second.is_through), (3, 0, false));
    let third = bed.tx(|port| prune_on(port, Some(&none), Pruned::default(), 9)).unwrap();
    assert_eq!((third.runs, third.trees, third.is_through), (1, 0, true));
    assert_eq!(told(&third).unwrap().split(',').next(), Some("{\"runs\":1"));
    assert_eq!(counted(bed, "{}"), 2);
    let (runs, trees, _) = prune(bed, "{}", 1);
    assert_eq!((runs, trees), (2, 1));
}

/// A fork may await children of the run that it was forked from, and of those before.
pub(super) fn a_tree_from_which_a_living_run_was_forked_stays(bed: &mut dyn Bed) {
    let root = begun(bed, 1, &plain(), 5);
    bed.child(root, run_id(2));
    complete(bed, root, 6);
    let child = bed.claimed(at(7)).fence;
    complete(bed, child, 7);
    bed.tx(|port| control::fork(port, &text(2), None, run_id(3), at(8))).unwrap();
    let first_fork = bed.claimed(at(8)).fence;
    complete(bed, first_fork, 8);
    bed.tx(|port| control::fork(port, &text(3), None, run_id(4), at(9))).unwrap();
    assert_eq!(prune(bed, "{}", 10).0, 0);
    let second_fork = bed.claimed(at(9)).fence;
    complete(bed, second_fork, 9);
    assert_eq!(prune(bed, "{\"order\":\"newest\"}", 10).0, 4);
}

/// P32: the log has holes before its first number alone, and no number is given twice.
pub(super) fn events_of_pruned_runs_stay_until_they_are_the_oldest(bed: &mut dyn Bed) {
    let old = begun(bed, 1, &plain(), 5);
    say(bed, old, 5);
    for number in 2..5 {
        let fence = begun(bed, number, &plain(), 6);
        say(bed, fence, 6);
        complete(bed, fence, 6);
    }
    assert_eq!(prune(bed, "{}", 10).0, 3);
    let ids = [text(1), text(2), text(3), text(4)].to_vec();
    assert_eq!(seqs(bed), (vec![1, 2, 3, 4], ids, 1));
    complete(bed, old, 7);
    assert_eq!(prune(bed, "{}", 10).0, 1);
    assert_eq!(seqs(bed), (vec![4], vec![text(4)], 4), "the newest stays");
    let fence = begun(bed, 6, &plain(), 8);
    say(bed, fence, 8);
    assert_eq!(prune(bed, "{}", 10).0, 0);
    assert_eq!(seqs(bed), (vec![5], vec![text(6)], 5));
}

/// P33: whatever goes, a cursor goes on, and the keys that it names are never given again.
pub(super) fn keys_of_pruned_runs_are_not_given_again(bed: &mut dyn Bed) {
    let mut keys = Vec::new();
    for number in 1..9 {
        let fence = begun(bed, number, &plain(), 5);
        keys.push(bed.key(number));
        complete(bed, fence, 5);
        if number == 4 {
            let first = page(bed, "{\"order\":\"oldest\"}", None, 4);
            assert_eq!(first["next"], Value::Null);
        }
        if number % 2 == 0 {
            assert_eq!(prune(bed, "{}", 10).0, 2);
        }
    }
    assert!(keys.is_sorted_by(|one, next| one < next), "{keys:?}");
    for number in 10..14 {
        bed.run(number, at(6));
    }
    let first = page(bed, "{\"order\":\"oldest\"}", None, 2);
    let cursor = first["next"].as_str().unwrap().to_owned();
    for number in [10, 11, 13] {
        bed.tx(|port| control::cancel(port, &text(number), None, at(7))).unwrap();
    }
    assert_eq!(prune(bed, "{}", 1).0, 3);
    bed.run(14, at(8));
    let next = page(bed, "{\"order\":\"oldest\"}", Some(&cursor), 2);
    assert_eq!(next["items"][0]["run_id"], text(12));
    assert_eq!(next["items"][1]["run_id"], text(14));
}

/// What lists find by stays true of what is left, and goes with the last that it was true of.
pub(super) fn lists_agree_over_random_histories_of_prunes(bed: &mut dyn Bed) {
    let mut draws = Draws(11);
    let mut next = 0_u32;
    for round in 0..12_i64 {
        for _ in 0..60 {
            next += 1;
            let name = |names: &[&str], at: u64| names[at as usize % names.len()].to_owned();
            // The clock goes back now and then.
            let now = at(round * 50_000 + i64::from(next * 37 % 400) * 100 + 1);
            let run = Submit {
                workflow: name(&["a", "b", "c"], draws.below(3)),
                queue: Some(name(&["default", "q"], draws.below(2))),
                code_version: (draws.below(3) == 0).then(|| format!("v{round}")),
                metadata: (draws.below(3) == 0).then(|| format!("{{\"n\":{}}}", draws.below(9))),
                ..plain()
            };
            let run_id = wide(next);
            bed.tx(|port| submit(port, &run, run_id, 0, now)).unwrap();
            let id = id::write("run", wide(1 + draws.below(u64::from(next)) as u32));
            match draws.below(6) {
                0 | 1 => drop(bed.tx(|port| control::cancel(port, &id, None, now))),
                2 => drop(bed.tx(|port| control::retry(port, &id, now))),
                3 => drop(bed.tx(|port| metadata::annotate(port, &id, "{\"n\":1}"))),
                _ => {}
            }
            let owner_key = bed.owner_key(1);
            if draws.below(2) == 0
                && let Some(claimed) = bed.claim(&claimer(1, owner_key), now)
            {
                drop(bed.finish(claimed.fence, &End::Complete("1".into()), now));
            }
        }
        let filter = [
            "{\"workflow\":\"a\"}",
            "{\"state\":\"cancelled\"}",
            "{\"metadata\":{\"n\":1}}",
            "{\"order\":\"newest\",\"workflow\":\"b\"}",
        ][draws.below(4) as usize];
        let ended = rehearsed(bed, filter, 100_000);
        let before = counted(bed, "{}");
        let limit = 1 + draws.below(40) as u32;
        let (runs, ..) = prune(bed, filter, limit);
        assert_eq!(runs, ended.runs, "{filter}");
        assert_eq!(counted(bed, "{}"), before - u64::from(runs));
        assert_eq!(rehearsed(bed, filter, 100).runs, 0);
    }
    let open = "{\"state\":[\"pending\",\"running\",\"waiting\",\"paused\"]}";
    for id in listed(bed, open) {
        bed.tx(|port| control::cancel(port, &id, None, at(700_000))).unwrap();
    }
    prune(bed, "{}", 30);
    let dump = bed.dump();
    let left: Vec<_> = dump.lines().filter(|line| line.contains("_marks:")).collect();
    // Of a run that was cancelled before an attempt, then retried, the minute is not known any more.
    let left: Vec<_> = left.iter().filter(|line| !line.contains("[Integer(5)")).collect();
    let newest = usize::from(bed.keeps_newest());
    assert!(
        left.len() == newest && left.iter().all(|line| line.contains("[Integer(7)")),
        "{left:?}"
    );
    assert_eq!(lanes(bed), newest, "that of the newest row");
    let steps = dump.lines().filter(|line| line.contains("_clock_steps:")).count();
    assert!(steps <= 1, "{steps}");
}

pub(super) fn wide(number: u32) -> Id {
    let mut bytes = [0; 16];
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    Id::from_bytes(bytes)
}
