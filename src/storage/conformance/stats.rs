//! Claims about looking at a store as a whole, and about the neighbours of one run.

use serde_json::Value;

use super::{Bed, at, plain, run_id};
use crate::domain::port::{Outcome, Owner, QueueLimits, TaskState};
use crate::domain::submit::{QUEUE_DEFAULT, Submit};
use crate::domain::{explain, queue, stats};
use crate::error::Result;
use crate::id;

fn alive(_: &Owner) -> Result<Option<bool>> {
    Ok(Some(true))
}

fn explained(bed: &mut dyn Bed, number: u8, now: i64) -> Value {
    let id = id::write("run", run_id(number));
    let text = bed.tx(|port| explain::explain(port, &id, &alive, at(now)).unwrap());
    serde_json::from_str(&text).unwrap()
}

fn listed(bed: &mut dyn Bed) -> Value {
    let text = bed.tx(|port| stats::queue_list(port).unwrap());
    serde_json::from_str(&text).unwrap()
}

pub(super) fn counts_stop_at_their_bound(bed: &mut dyn Bed) {
    for number in 1..=5 {
        bed.run(number, at(10));
    }
    let lane = bed.tx(|port| port.lane_rows(10).unwrap()).pop().unwrap();
    assert!(lane.may_be_ready);
    let lane_key = lane.lane_key;
    bed.tx(|port| {
        assert_eq!(port.ready_count(lane_key, 9).unwrap(), 5);
        assert_eq!(port.ready_count(lane_key, 3).unwrap(), 3);
        assert_eq!(port.ready_since(lane_key, 1).unwrap(), Some(10));
        assert_eq!(port.run_span().unwrap(), 5);
        assert_eq!(port.outcome_count(Outcome::Failed, 9).unwrap(), 0);
        assert_eq!(port.still_counts(TaskState::Paused, 9).unwrap(), []);
    });
    for number in 1..=3 {
        let id = id::write("run", run_id(number));
        bed.tx(|port| crate::domain::control::pause(port, &id, at(11)).unwrap());
    }
    bed.tx(|port| {
        assert_eq!(port.still_counts(TaskState::Paused, 9).unwrap(), [(lane_key, 3)]);
        assert_eq!(port.still_counts(TaskState::Paused, 2).unwrap(), [(lane_key, 2)]);
        assert_eq!(port.ready_count(lane_key, 9).unwrap(), 2);
    });
}

/// A busy lane is seldom written to, and the note of its last claim is never more than a second behind.
pub(super) fn the_last_claim_of_a_lane_is_noted_once_a_second(bed: &mut dyn Bed) {
    for number in 1..=4 {
        bed.run(number, at(10));
    }
    assert!(listed(bed)[0]["last_claimed_at_ms"].is_null());
    let noted = |bed: &mut dyn Bed| bed.tx(|port| port.lane_rows(1).unwrap()[0].claimed_at_ms);
    for (now, expected) in [(5_000, 5_000), (5_999, 5_000), (6_000, 6_000), (4_000, 4_000)] {
        bed.claimed(at(now));
        assert_eq!(noted(bed), Some(expected), "{now}");
    }
    // What an attempt holds since is known to the millisecond.
    assert_eq!(listed(bed)[0]["last_claimed_at_ms"], 6_000);
    assert_eq!(listed(bed)[0]["running"], 4);
}

pub(super) fn what_holds_a_run_back_is_found(bed: &mut dyn Bed) {
    for number in 1..=3 {
        bed.run(number, at(10));
    }
    assert_eq!(explained(bed, 2, 11)["reasons"][0]["code"], "queue_unclaimed");
    assert_eq!(explained(bed, 2, 11)["reasons"][1]["evidence"]["ahead"], 1);
    bed.claimed(at(12));
    let reasons = explained(bed, 3, 13);
    assert_eq!(reasons["reasons"][0]["code"], "behind_others");
    assert_eq!(reasons["reasons"][0]["evidence"]["first_run_id"], id::write("run", run_id(2)));
    let limits = QueueLimits { concurrency: Some(1), ..QueueLimits::default() };
    bed.tx(|port| queue::set(port, QUEUE_DEFAULT, &limits).unwrap());
    let full = explained(bed, 3, 13);
    assert_eq!(full["reasons"][0]["code"], "queue_full");
    assert_eq!(full["reasons"][0]["evidence"]["run_ids"][0], id::write("run", run_id(1)));
    assert_eq!(explained(bed, 1, 13)["reasons"][0]["code"], "running");
}

pub(super) fn a_lane_is_found_however_many_stand_before_it(bed: &mut dyn Bed) {
    for (number, workflow) in [(1, "a"), (2, "b"), (3, "c")] {
        bed.submit(number, &Submit { workflow: workflow.into(), ..plain() }, at(10));
    }
    let lanes = bed.tx(|port| port.lane_rows(9).unwrap());
    let mut shown = |own: &str, limit: u32| -> Vec<String> {
        let own = lanes.iter().find(|lane| lane.workflow == own).unwrap().lane_key;
        let heads = bed.tx(|port| port.lane_heads(QUEUE_DEFAULT, own, limit).unwrap());
        assert!(heads.iter().all(|lane| lane.head.is_some()));
        heads.into_iter().map(|lane| lane.workflow).collect()
    };
    assert_eq!(shown("c", 2), ["a", "b", "c"]);
    assert_eq!(shown("a", 2), ["a", "b"]);
}
