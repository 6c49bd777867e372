//! The whole life of runs against a model: operations drawn by chance are applied to the core, through
//! several handles on one file, and to a model written from the promises; every answer and every
//! document must be the same.
//!
//! `SW_MODEL_SEED` repeats the sequence of one seed; `SW_MODEL_ROUNDS` and `SW_MODEL_STEPS` make it
//! longer; `SW_MODEL_STORE` says where the stores lie, as a path or whatever else `Store::open` takes.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a test")]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test says what it wants and refuses the rest"
)]

#[path = "model/attempt.rs"]
mod attempt;
#[path = "model/calls.rs"]
mod calls;
#[path = "model/carry.rs"]
mod carry;
#[path = "model/clocks.rs"]
mod clocks;
#[path = "model/drive.rs"]
mod drive;
#[path = "model/explain.rs"]
mod explain;
#[path = "model/list.rs"]
mod list;
#[path = "model/nouns.rs"]
mod nouns;
#[path = "model/oracle.rs"]
mod oracle;
#[path = "model/outside.rs"]
mod outside;
#[path = "model/owner.rs"]
mod owner;
#[path = "model/page.rs"]
mod page;
#[path = "model/place.rs"]
mod place;
#[path = "model/retention.rs"]
mod retention;
mod support;
#[path = "model/waiting.rs"]
mod waiting;
#[path = "model/world.rs"]
mod world;

use std::collections::BTreeMap;

use drive::Drive;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// P8 to P11, P13 to P20, P22 to P26, and what documents show of them.
#[test]
fn the_core_answers_as_the_model_does_whatever_is_asked_in_which_order() {
    let (first, rounds) = match number("SW_MODEL_SEED") {
        Some(seed) => (seed, number("SW_MODEL_ROUNDS").unwrap_or(1)),
        None => (1, number("SW_MODEL_ROUNDS").unwrap_or(16)),
    };
    let steps = number("SW_MODEL_STEPS").unwrap_or(500) as usize;
    let (mut seen, mut explained) = (BTreeMap::new(), BTreeMap::<_, u32>::new());
    let found = if number("SW_MODEL_SEED").is_none() { &FOUND[..] } else { &[] };
    for seed in (first..first + rounds).chain(found.iter().copied()) {
        let mut drive = Drive::new(seed);
        drive.run(steps, &mut seen);
        drive.explained.into_iter().for_each(|(code, n)| *explained.entry(code).or_default() += n);
    }
    println!("{seen:?} {explained:?}");
    if number("SW_MODEL_SEED").is_none() {
        let missing: Vec<_> =
            TO_BE_SEEN.iter().filter(|seldom| !seen.contains_key(seldom)).collect();
        assert!(missing.is_empty(), "never answered, so never compared: {missing:?}");
        let missing: Vec<_> =
            REASONS.iter().filter(|code| !explained.contains_key(*code)).collect();
        assert!(missing.is_empty(), "never a first reason, so never compared: {missing:?}");
    }
}

/// What is done to many runs at once is what is done to each.
#[test]
fn an_act_on_many_is_as_many_acts_on_one() {
    let first = number("SW_MODEL_SEED").unwrap_or(1);
    let rounds = number("SW_MODEL_ROUNDS").unwrap_or(6);
    let steps = number("SW_MODEL_STEPS").unwrap_or(500) as usize;
    let mut seen = BTreeMap::new();
    for seed in first..first + rounds {
        Drive::with_acts_on_many(seed).run(steps, &mut seen);
    }
    println!("{seen:?}");
    assert!(seen.contains_key(&("act_many", 0)), "nothing was acted on");
}

/// P12, P13.
#[test]
fn runs_whose_owners_die_say_so_and_are_taken_back() {
    if let Some(role) = support::Role::mine() {
        return owner::play(&role);
    }
    let first = number("SW_MODEL_SEED").unwrap_or(1);
    let rounds = number("SW_MODEL_ROUNDS").unwrap_or(4);
    let steps = number("SW_MODEL_STEPS").unwrap_or(150) as usize;
    let (mut seen, mut explained) = (BTreeMap::new(), BTreeMap::<_, u32>::new());
    for seed in first..first + rounds {
        let mut drive = Drive::with_deaths(seed);
        drive.run(steps, &mut seen);
        drive.explained.into_iter().for_each(|(code, n)| *explained.entry(code).or_default() += n);
    }
    println!("{seen:?} {explained:?}");
    assert!(seen.contains_key(&("die", 0)), "nobody who had claimed was killed");
    assert!(explained.contains_key("owner_dead"), "no death was told");
}

/// P34: what has ended goes whole, whatever was asked before and is asked after.
#[test]
fn what_was_pruned_is_gone_for_every_call_and_nothing_else_is() {
    let first = number("SW_MODEL_SEED").unwrap_or(1);
    let rounds = number("SW_MODEL_ROUNDS").unwrap_or(6);
    let steps = number("SW_MODEL_STEPS").unwrap_or(500) as usize;
    let mut seen = BTreeMap::new();
    let mut pruned = 0;
    for seed in first..first + rounds {
        let mut drive = Drive::with_prunes(seed);
        drive.run(steps, &mut seen);
        pruned += drive.oracle.runs.iter().filter(|run| run.is_gone).count();
    }
    println!("{seen:?} {pruned} pruned");
    assert!(pruned > 5 * rounds as usize, "{pruned} pruned runs show nothing");
}

/// What is exported and imported goes on as its original would, and comes back as it was.
#[test]
fn what_is_carried_goes_on_where_it_stood() {
    let first = number("SW_MODEL_SEED").unwrap_or(1);
    let rounds = number("SW_MODEL_ROUNDS").unwrap_or(8);
    let steps = number("SW_MODEL_STEPS").unwrap_or(500) as usize;
    let mut seen = BTreeMap::new();
    for seed in first..first + rounds {
        Drive::with_carrying(seed).run(steps, &mut seen);
    }
    println!("{seen:?}");
    for told in [("copy", 0), ("copy", -23), ("bring_back", 0), ("bring_back", -23)] {
        assert!(seen.contains_key(&told), "never answered, so never compared: {told:?}");
    }
}

/// P24, where clocks differ.
#[test]
fn whatever_the_clocks_say_a_run_that_wakes_is_answered() {
    let first = number("SW_MODEL_SEED").unwrap_or(1);
    let rounds = number("SW_MODEL_ROUNDS").unwrap_or(24);
    let answers = clocks::walk(first, rounds, 60);
    assert!(u64::from(answers) > rounds * 20, "{answers} answers show nothing");
}

/// Seeds whose walks have shown something that the first ones do not: the due time of a run that was
/// paused while it waited, a child retried below a run that is told to end, messages taken by another
/// await before a suspend, a step completed again when half its lease is gone.
const FOUND: [u64; 7] = [25, 73, 113, 167, 1_022, 1_084, 1_085];

/// First reasons why a run does not move that the fixed seeds must come to: all but those of dead owners,
/// which have a walk of their own, and of budgets.
const REASONS: [&str; 17] = [
    "backing_off",
    "behind_others",
    "cancel_unheard",
    "ended",
    "key_full",
    "local_owner",
    "not_due",
    "owner_silent",
    "paused",
    "queue_full",
    "queue_paused",
    "queue_unclaimed",
    "running",
    "version_unclaimed",
    "waits_child",
    "waits_signal",
    "waits_sleep",
];

/// Answers that the fixed seeds must come to, or they have ceased to show anything.
const TO_BE_SEEN: [(&str, i32); 35] = [
    ("list", 0),
    ("annotate", 0),
    ("submit", 0),
    ("submit", 4),
    ("submit", -23),
    ("submit_many", -23),
    ("claim", 0),
    ("claim", 1),
    ("begin", 0),
    ("begin", 3),
    ("begin", -20),
    ("begin", -21),
    ("begin", -23),
    ("complete_step", 0),
    ("complete_step", -20),
    ("complete_step", -23),
    ("fail_step", 5),
    ("fail_step", 6),
    ("sleep", 0),
    ("sleep", 5),
    ("signal_await", 0),
    ("signal_await", 2),
    ("signal_await", 5),
    ("child_await", 5),
    ("child_await", 6),
    ("child_submit", 0),
    ("await_any", 0),
    ("await_all", 0),
    ("await_all", 2),
    ("suspend", 0),
    ("complete", 0),
    ("fail", 5),
    ("fail", 6),
    ("retry", 0),
    ("fork", 0),
];
