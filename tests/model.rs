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
#[path = "model/budget.rs"]
mod budget;
#[path = "model/calls.rs"]
mod calls;
#[path = "model/carry.rs"]
mod carry;
#[path = "model/clocks.rs"]
mod clocks;
#[path = "model/door.rs"]
mod door;
#[path = "model/drive.rs"]
mod drive;
#[path = "model/event.rs"]
mod event;
#[path = "model/explain.rs"]
mod explain;
#[path = "model/keep.rs"]
mod keep;
#[path = "model/list.rs"]
mod list;
#[path = "model/looks.rs"]
mod looks;
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
#[cfg(feature = "plant")]
#[path = "model/plants.rs"]
mod plants;
#[path = "model/retention.rs"]
mod retention;
#[path = "model/schedule.rs"]
mod schedule;
#[path = "model/script.rs"]
mod script;
#[path = "model/sql.rs"]
mod sql;
mod support;
#[path = "model/waiting.rs"]
mod waiting;
#[path = "model/walks.rs"]
mod walks;
#[cfg(feature = "postgres")]
#[path = "model/ways.rs"]
mod ways;
#[path = "model/whole.rs"]
mod whole;
#[path = "model/world.rs"]
mod world;

use walks::Seen;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// Walks the seeds that the environment names, else so many from 1 and those of `found`.
fn walk(kind: &str, (rounds, steps): (u64, u64), found: &[u64]) -> Seen {
    let named = number("SW_MODEL_SEED");
    let first = named.unwrap_or(1);
    let rounds = number("SW_MODEL_ROUNDS").unwrap_or(if named.is_some() { 1 } else { rounds });
    let steps = number("SW_MODEL_STEPS").unwrap_or(steps);
    let found = if named.is_none() { found } else { &[] };
    let seeds = (first..first + rounds).chain(found.iter().copied());
    let seen = walks::walk(kind, seeds, steps as usize);
    let (answers, reasons) = (&seen.answers, &seen.reasons);
    println!("{kind}: {} deeds {answers:?} {reasons:?} {} pruned", seen.deeds, seen.pruned);
    seen
}

/// P8 to P11, P13 to P20, P22 to P26, and what documents show of them.
#[test]
fn the_core_answers_as_the_model_does_whatever_is_asked_in_which_order() {
    let seen = walk("plain", (16, 500), &FOUND);
    if number("SW_MODEL_SEED").is_none() {
        let missing: Vec<_> =
            TO_BE_SEEN.iter().filter(|seldom| !seen.answers.contains_key(seldom)).collect();
        assert!(missing.is_empty(), "never answered, so never compared: {missing:?}");
        let missing: Vec<_> =
            REASONS.iter().filter(|code| !seen.reasons.contains_key(*code)).collect();
        assert!(missing.is_empty(), "never a first reason, so never compared: {missing:?}");
    }
}

/// What is done to many runs at once is what is done to each.
#[test]
fn an_act_on_many_is_as_many_acts_on_one() {
    let seen = walk("acts", (6, 500), &[]);
    assert!(seen.answers.contains_key(&("act_many", 0)), "nothing was acted on");
}

/// P12, P13.
#[test]
fn runs_whose_owners_die_say_so_and_are_taken_back() {
    if let Some(role) = support::Role::mine() {
        return owner::play(&role);
    }
    let seen = walk("deaths", (4, 150), &[]);
    assert!(seen.answers.contains_key(&("die", 0)), "nobody who had claimed was killed");
    assert!(seen.answers.contains_key(&("die_at_commit", 0)), "nobody died at a commit");
    assert!(seen.reasons.contains_key("owner_dead"), "no death was told");
}

/// P34: what has ended goes whole, whatever was asked before and is asked after.
#[test]
fn what_was_pruned_is_gone_for_every_call_and_nothing_else_is() {
    let seen = walk("prunes", (6, 500), &[]);
    assert!(seen.pruned > 5 * seen.walks, "{} pruned runs show nothing", seen.pruned);
}

/// What is exported and imported goes on as its original would, and comes back as it was.
#[test]
fn what_is_carried_goes_on_where_it_stood() {
    let seen = walk("carrying", (8, 500), &[]);
    for told in [("copy", 0), ("copy", -23), ("bring_back", 0), ("bring_back", -23)] {
        assert!(seen.answers.contains_key(&told), "never answered, so never compared: {told:?}");
    }
}

/// A store that is moved goes on in the other one where it stood, and one whose move is taken back in itself.
#[test]
fn a_store_that_is_moved_goes_on_where_it_stood() {
    let seen = walk("moves", (6, 300), &[]);
    for told in [("graduate", 0), ("graduate", 2)] {
        assert!(seen.answers.contains_key(&told), "never came to that: {told:?}");
    }
}

/// All promises that the model knows of, through every function, in files and in memory.
#[test]
fn whatever_is_called_in_which_order_the_model_knows_the_answer() {
    let seen = walk("whole", (6, 500), &[]);
    if number("SW_MODEL_SEED").is_none() {
        let missing: Vec<_> =
            OF_THE_WHOLE.iter().filter(|seldom| !seen.answers.contains_key(seldom)).collect();
        assert!(missing.is_empty(), "never answered, so never compared: {missing:?}");
    }
    walk("memory", (2, 300), &[]);
    let exports = include_str!("exports.txt");
    let called = door::called();
    let missing: Vec<&str> = exports.lines().filter(|name| !called.contains(name)).collect();
    let count = exports.lines().count();
    println!("{} of {count} functions are called", count - missing.len());
    let is_one_seed = number("SW_MODEL_SEED").is_some();
    assert!(is_one_seed || missing.is_empty(), "never called: {missing:?}");
}

/// The same seeds on a server: SQLite, PostgreSQL and the model answer alike. Each walk has a schema of its
/// own, which goes with the server of `scripts/postgres.sh`.
#[cfg(feature = "postgres")]
#[test]
fn the_server_answers_as_the_file_and_the_model_do() {
    let Some(lay) = on_a_server() else { return };
    for (kind, rounds, steps) in ON_A_SERVER {
        lay(kind, "");
        walk(kind, (rounds, steps), &[]);
    }
    lay("found", "");
    let is_of_files = |name: &str| ["crash", "backup", "graduate"].contains(&name);
    for (name, script) in &walks::found() {
        if script.deeds.iter().any(|deed| is_of_files(&deed.name)) {
            continue;
        }
        if let (_, Some(failure)) = walks::play(script, false) {
            panic!("{name}: {failure}");
        }
    }
}

/// What has walks lay their stores in schemas of a kind, with that behind their URL; `None` where no server is.
#[cfg(feature = "postgres")]
fn on_a_server() -> Option<impl Fn(&str, &str)> {
    let Ok(url) = std::env::var("SW_POSTGRES_URL") else {
        assert!(std::env::var("SW_REQUIRE_ALL").is_err(), "SW_POSTGRES_URL names no server");
        println!("skipped: SW_POSTGRES_URL names no server, scripts/postgres.sh starts one");
        return None;
    };
    let sign = if url.contains('?') { '&' } else { '?' };
    let mark = std::process::id();
    Some(move |kind: &str, more: &str| {
        let schema = format!("sw_{mark}_{kind}_{{walk}}");
        place::lay(&format!(
            "{url}{sign}sw_schema={schema}&options=-csearch_path%3D{schema}{more}"
        ));
    })
}

/// A write goes by what is remembered, behind a lock with what is read ahead, row by row, or as behind a pooler:
/// whichever, the same walk leaves the same rows.
#[cfg(feature = "postgres")]
#[test]
fn the_server_is_left_the_same_by_each_way_to_write() {
    let Some(lay) = on_a_server() else { return };
    for (kind, seeds, steps) in [("plain", 2, 300), ("carrying", 1, 300), ("acts", 1, 300)] {
        for seed in 101..101 + seeds {
            ways::compare(kind, seed, steps, &|way| {
                let name = way.rsplit('=').next().unwrap();
                lay(&format!("{kind}_{name}"), &format!("&{way}"));
            });
        }
    }
}

/// Walks, how many of them and how long: those of the tests above, fewer, but for those that kill and copy by
/// the files of a store.
#[cfg(feature = "postgres")]
const ON_A_SERVER: [(&str, u64, u64); 5] = [
    ("plain", 4, 300),
    ("acts", 2, 300),
    ("prunes", 2, 300),
    ("carrying", 2, 300),
    ("moves", 2, 200),
];

/// What walks have found once, in the fewest deeds that showed it.
#[test]
fn what_a_walk_has_found_once_stays_mended() {
    let scripts = walks::found();
    for (name, script) in &scripts {
        println!("{name}");
        if let (_, Some(failure)) = walks::play(script, false) {
            panic!("{name}: {failure}");
        }
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

/// The same of the walk on which everything is done.
const OF_THE_WHOLE: [(&str, i32); 27] = [
    ("act_many", 0),
    ("advance_to_due", 0),
    ("ask_host", -27),
    ("complete_usage", -20),
    ("complete_usage", 0),
    ("copy", 0),
    ("event_append", -20),
    ("event_append", 0),
    ("event_read", 0),
    ("event_wait", 2),
    ("hear", 0),
    ("prune", 0),
    ("raise", -3),
    ("raise", -2),
    ("raise", 0),
    ("reserve", -28),
    ("reserve", -20),
    ("reserve", 0),
    ("retain", 0),
    ("run_wait", 2),
    ("run_wait", 0),
    ("schedule_delete", 0),
    ("schedule_set", 0),
    ("script", -23),
    ("script", 0),
    ("settle", -23),
    ("settle", 0),
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
