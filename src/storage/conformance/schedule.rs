//! Claims about schedules: what fires, once, and how it is told.

use serde_json::{Value, json};

use super::{Bed, at, claimer, run_id};
use crate::clock::Now;
use crate::domain::attempt::End;
use crate::domain::claim::outlook;
use crate::domain::port::Schedule;
use crate::domain::query;
use crate::domain::schedule::{self, Spec};
use crate::error::Result;
use crate::id;
use crate::limits::{
    SCHEDULE_CATCH_UP_MAX, SCHEDULE_RETRY_MS, SCHEDULES_MAX, SWEEP_FIRINGS_MAX, SWEEP_SCHEDULES_MAX,
};

const SECONDLY: &str = r#"{"workflow":"w","every_ms":1000}"#;

fn try_set(bed: &mut dyn Bed, name: &str, spec: &str, now: Now) -> Result<()> {
    let spec = Spec::read(spec)?;
    bed.tx(|port| {
        schedule::check(port, &spec, now).and_then(|()| schedule::set(port, name, &spec, now))
    })
}

fn set(bed: &mut dyn Bed, name: &str, spec: &str, now: Now) {
    try_set(bed, name, spec, now).unwrap();
}

/// Sets a schedule that fires each second after the start of time.
fn secondly(bed: &mut dyn Bed, overlap: &str, catch_up: &str) {
    let spec =
        json!({"workflow": "w", "every_ms": 1_000, "overlap": overlap, "catch_up": catch_up});
    set(bed, "s", &spec.to_string(), at(0));
}

fn sweep(bed: &mut dyn Bed, now: Now) -> bool {
    bed.tx(|port| schedule::sweep(port, run_id(9), now).unwrap().has_more)
}

fn list(bed: &mut dyn Bed) -> Value {
    serde_json::from_str(&bed.tx(|port| schedule::list(port).unwrap())).unwrap()
}

/// Claims all that is ready and returns for which firings it was made.
fn firings(bed: &mut dyn Bed, now: Now) -> Vec<i64> {
    let mut firings = Vec::new();
    loop {
        let owner_key = bed.owner_key(1);
        let Some(claimed) = bed.claim(&claimer(1, owner_key), now) else { return firings };
        let run_id = id::write("run", claimed.run.run_id);
        let document = bed.tx(|port| query::run_get(port, &run_id).unwrap());
        let document: Value = serde_json::from_str(&document).unwrap();
        assert_eq!(document["metadata"]["schedule"], "s");
        assert_eq!(document["metadata"]["scheduled_at_ms"], document["run_at_ms"]);
        firings.push(document["run_at_ms"].as_i64().unwrap());
        bed.finish(claimed.fence, &End::Complete("null".into()), now).unwrap();
    }
}

pub(super) fn a_due_schedule_makes_its_run_in_the_claim_that_finds_it(bed: &mut dyn Bed) {
    set(bed, "s", r#"{"workflow":"w","every_ms":1000,"args":{"n": 1.0}}"#, at(500));
    assert!(firings(bed, at(1_499)).is_empty());
    let claimed = bed.claimed(at(1_600));
    assert_eq!(claimed.run.workflow, "w");
    assert_eq!(claimed.run.args, "{\"n\": 1.0}");
    let shown = &list(bed)[0];
    assert_eq!(shown["last_run_id"], id::write("run", claimed.run.run_id));
    assert_eq!(shown["last_at_ms"], 1_500);
    assert_eq!(shown["next_at_ms"], 2_500);
}

/// One transaction holds both the run and the next time, so whoever looks again finds nothing.
pub(super) fn a_firing_makes_one_run_however_often_one_looks(bed: &mut dyn Bed) {
    secondly(bed, "queue", "all");
    for _ in 0..3 {
        assert!(!sweep(bed, at(2_000)));
    }
    assert_eq!(firings(bed, at(2_000)), [1_000, 2_000]);
}

pub(super) fn an_undone_sweep_leaves_the_schedule_due(bed: &mut dyn Bed) {
    secondly(bed, "skip", "last");
    let before = bed.dump();
    bed.undone(|port| schedule::sweep(port, run_id(9), at(1_000)).unwrap());
    assert_eq!(bed.dump(), before);
    assert_eq!(firings(bed, at(1_000)), [1_000]);
}

pub(super) fn an_outlook_sees_the_next_schedule(bed: &mut dyn Bed) {
    set(bed, "s", SECONDLY, at(0));
    let filter = claimer(1, 0).filter;
    let look = |bed: &mut dyn Bed, now| bed.tx(|port| outlook(port, &filter, now).unwrap());
    assert_eq!(look(bed, at(999)).next_due_at_ms, Some(1_000));
    assert!(!look(bed, at(999)).is_promising);
    assert!(look(bed, at(1_000)).is_promising);
    set(bed, "s", r#"{"workflow":"w","every_ms":1000,"paused":true}"#, at(0));
    assert_eq!(look(bed, at(9_999)).next_due_at_ms, None);
}

pub(super) fn the_same_spec_again_changes_nothing(bed: &mut dyn Bed) {
    set(bed, "s", SECONDLY, at(0));
    let before = bed.dump();
    set(bed, "s", r#"{"every_ms": 1000, "workflow": "w", "overlap": "skip"}"#, at(700));
    assert_eq!(bed.dump(), before);
}

pub(super) fn another_spec_counts_anew_unless_it_fires_at_the_same_times(bed: &mut dyn Bed) {
    set(bed, "s", SECONDLY, at(0));
    set(bed, "s", r#"{"workflow":"other","every_ms":1000}"#, at(700));
    assert_eq!(list(bed)[0]["next_at_ms"], 1_000);
    set(bed, "s", r#"{"workflow":"w","every_ms":2000}"#, at(700));
    assert_eq!(list(bed)[0]["next_at_ms"], 2_700);
    set(bed, "s", r#"{"workflow":"w","cron":"* * * * *"}"#, at(700));
    assert_eq!(list(bed)[0]["next_at_ms"], 60_000);
}

pub(super) fn a_paused_schedule_fires_nothing_and_makes_up_for_nothing(bed: &mut dyn Bed) {
    set(bed, "s", SECONDLY, at(0));
    set(bed, "s", r#"{"workflow":"w","every_ms":1000,"paused":true}"#, at(1_500));
    assert!(firings(bed, at(5_000)).is_empty());
    assert_eq!(list(bed)[0]["next_at_ms"], Value::Null);
    set(bed, "s", SECONDLY, at(5_500));
    assert_eq!(
        list(bed)[0]["next_at_ms"],
        6_000,
        "its interval goes on counting from the first set"
    );
    assert!(firings(bed, at(5_999)).is_empty());
    assert_eq!(firings(bed, at(6_000)), [6_000]);
}

pub(super) fn a_deleted_schedule_is_gone_and_its_runs_go_on(bed: &mut dyn Bed) {
    bed.refused(-3, |port| schedule::delete(port, "s"));
    set(bed, "s", SECONDLY, at(0));
    assert!(!sweep(bed, at(1_000)));
    bed.tx(|port| schedule::delete(port, "s").unwrap());
    assert_eq!(list(bed), json!([]));
    assert_eq!(firings(bed, at(9_000)), [1_000]);
    bed.refused(-3, |port| schedule::delete(port, "s"));
}

pub(super) fn a_firing_is_skipped_and_counted_while_the_last_run_is_open(bed: &mut dyn Bed) {
    secondly(bed, "skip", "last");
    let held = bed.claimed(at(1_000));
    assert!(!sweep(bed, at(2_000)) && !sweep(bed, at(3_000)));
    assert_eq!(list(bed)[0]["skipped"], 2);
    assert_eq!(list(bed)[0]["last_at_ms"], 1_000);
    bed.finish(held.fence, &End::Complete("null".into()), at(3_500)).unwrap();
    assert_eq!(firings(bed, at(4_000)), [4_000]);
}

pub(super) fn a_queueing_schedule_fires_whatever_is_open(bed: &mut dyn Bed) {
    secondly(bed, "queue", "last");
    for now in [1_000, 2_000, 3_000] {
        assert!(!sweep(bed, at(now)));
    }
    assert_eq!(firings(bed, at(3_500)), [1_000, 2_000, 3_000]);
    assert_eq!(list(bed)[0]["skipped"], 0);
}

/// A pruned run has ended, whatever run has its key by now.
pub(super) fn a_last_run_that_is_gone_counts_as_ended(bed: &mut dyn Bed) {
    secondly(bed, "skip", "last");
    bed.tx(|port| {
        let schedule = port.schedule("s").unwrap().unwrap();
        let last_run_id = Some(run_id(77));
        port.schedule_put(&Schedule { last_run_id, ..schedule }).unwrap();
    });
    assert_eq!(firings(bed, at(1_000)), [1_000]);
}

pub(super) fn missed_firings_are_left_out_or_made_up_for_as_asked(bed: &mut dyn Bed) {
    let asked = [("none", vec![]), ("last", vec![3]), ("all", vec![1, 2, 3])];
    for (day, (catch_up, wanted)) in (0..).zip(asked) {
        let hour = |count: i64| day * 86_400_000 + count * 3_600_000;
        let spec = json!({"workflow": "w", "every_ms": hour(1) - hour(0), "overlap": "queue",
            "catch_up": catch_up});
        bed.tx(|port| port.schedule_delete("s").unwrap());
        set(bed, "s", &spec.to_string(), at(hour(0)));
        let wanted: Vec<i64> = wanted.into_iter().map(hour).collect();
        assert_eq!(firings(bed, at(hour(3) + 600_000)), wanted, "{catch_up}");
        assert_eq!(list(bed)[0]["next_at_ms"], hour(4), "{catch_up}");
    }
}

pub(super) fn ten_years_of_missed_seconds_are_bounded_in_number_and_per_sweep(bed: &mut dyn Bed) {
    let spec = r#"{"workflow":"w","cron":"* * * * * *","overlap":"queue","catch_up":"all"}"#;
    set(bed, "s", spec, at(0));
    let now = at(10 * 366 * 86_400_000);
    let mut sweeps = 1;
    while sweep(bed, now) {
        sweeps += 1;
    }
    let most = usize::try_from(SCHEDULE_CATCH_UP_MAX).unwrap();
    assert_eq!(sweeps, most.div_ceil(SWEEP_FIRINGS_MAX));
    let made = firings(bed, now);
    assert_eq!(made.len(), most);
    assert_eq!(
        (made[0], made[most - 1]),
        (now.wall_ms - (SCHEDULE_CATCH_UP_MAX - 1) * 1_000, now.wall_ms)
    );
}

pub(super) fn a_sweep_of_due_schedules_is_bounded_and_goes_on(bed: &mut dyn Bed) {
    let most = usize::try_from(SWEEP_SCHEDULES_MAX).unwrap();
    for number in 0..most + 5 {
        set(bed, &format!("s{number}"), SECONDLY, at(0));
    }
    let fired = |bed: &mut dyn Bed| {
        let is_fired = |row: &&Value| !row["last_run_id"].is_null();
        list(bed).as_array().unwrap().iter().filter(is_fired).count()
    };
    assert!(sweep(bed, at(1_000)));
    assert_eq!(fired(bed), most);
    assert!(!sweep(bed, at(1_000)));
    assert_eq!(fired(bed), most + 5);
}

/// Another machine, or an update of the system, may have taken the zone away.
pub(super) fn a_schedule_whose_zone_is_gone_waits_and_spoils_nobodys_claim(bed: &mut dyn Bed) {
    set(bed, "s", SECONDLY, at(0));
    let spec = Spec::read(r#"{"workflow":"w","every_ms":1000,"timezone":"No/Where"}"#).unwrap();
    bed.tx(|port| {
        let schedule = port.schedule("s").unwrap().unwrap();
        port.schedule_put(&Schedule { spec: spec.to_text().unwrap(), ..schedule }).unwrap();
    });
    bed.run(1, at(0));
    assert!(bed.claim(&claimer(1, 0), at(1_000)).is_some());
    let shown = &list(bed)[0];
    assert!(shown["error"].as_str().unwrap().contains("No/Where"), "{shown}");
    assert_eq!(shown["next_at_ms"], 1_000 + SCHEDULE_RETRY_MS);
    set(bed, "s", SECONDLY, at(1_200));
    assert_eq!(list(bed)[0]["error"], Value::Null);
}

/// A library that reads more or less than the one that set a schedule says so in its list; others
/// fire.
pub(super) fn a_stored_expression_that_is_not_read_is_told_and_holds_nothing_up(bed: &mut dyn Bed) {
    for name in ["a", "b"] {
        set(bed, name, SECONDLY, at(0));
    }
    bed.tx(|port| {
        let spec = r#"{"workflow":"w","cron":"jan * * * *"}"#.into();
        let schedule = port.schedule("a").unwrap().unwrap();
        port.schedule_put(&Schedule { spec, ..schedule }).unwrap();
    });
    assert!(bed.claim(&claimer(1, 0), at(1_000)).is_some());
    let shown = list(bed);
    assert!(shown[0]["error"].as_str().unwrap().contains("minute \"jan\""), "{shown}");
    assert_eq!(
        (&shown[0]["cron"], &shown[1]["last_at_ms"]),
        (&json!("jan * * * *"), &json!(1_000))
    );
    set(bed, "a", SECONDLY, at(1_200));
    assert_eq!(list(bed)[0]["error"], Value::Null);
}

pub(super) fn a_zone_that_is_not_known_and_a_day_that_never_comes_are_refused(bed: &mut dyn Bed) {
    let before = bed.dump();
    let mut refused = |spec: &str| {
        let error = try_set(bed, "s", spec, at(0)).unwrap_err();
        assert_eq!(bed.dump(), before);
        error
    };
    let zone = refused(r#"{"workflow":"w","cron":"0 0 * * *","timezone":"../../etc/passwd"}"#);
    assert!(matches!(zone.code(), -2 | -6) && zone.to_string().contains("../../etc/passwd"));
    let never = refused(r#"{"workflow":"w","cron":"0 0 30 2 *"}"#);
    assert!(never.code() == -2 && never.to_string().contains("0 0 30 2 *"), "{never}");
}

pub(super) fn there_is_a_bound_on_the_number_of_schedules(bed: &mut dyn Bed) {
    bed.tx(|port| {
        for number in 0..SCHEDULES_MAX {
            let name = format!("s{number}");
            let spec = SECONDLY.to_owned();
            port.schedule_put(&Schedule { name, spec, ..Schedule::default() }).unwrap();
        }
    });
    assert_eq!(try_set(bed, "one more", SECONDLY, at(0)).unwrap_err().code(), -23);
    set(bed, "s7", SECONDLY, at(0));
    bed.tx(|port| schedule::delete(port, "s8").unwrap());
    set(bed, "one more", SECONDLY, at(0));
}

pub(super) fn the_list_is_ordered_by_name_and_shows_every_key(bed: &mut dyn Bed) {
    assert_eq!(list(bed), json!([]));
    set(bed, "b", SECONDLY, at(0));
    set(bed, "a", r#"{"workflow":"v","cron":"*/5 * * * *","args":[1],"queue":"q"}"#, at(0));
    let shown = list(bed);
    assert_eq!(
        shown[0],
        json!({"name": "a", "workflow": "v", "args": [1], "queue": "q", "cron": "*/5 * * * *",
            "every_ms": null, "timezone": "UTC", "overlap": "skip", "catch_up": "last",
            "paused": false, "next_at_ms": 300_000, "last_at_ms": null, "last_run_id": null,
            "skipped": 0, "error": null})
    );
    assert_eq!((&shown[1]["name"], &shown[1]["every_ms"]), (&json!("b"), &json!(1_000)));
}
