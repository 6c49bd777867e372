//! Claims about the limits of queues.

use super::{Bed, at, claimer, plain, run_id};
use crate::domain::attempt::End;
use crate::domain::claim::{claim, glance, outlook};
use crate::domain::control::{cancel, pause, resume, retry};
use crate::domain::port::{Fence, GatePlace, QueueLimits, TaskState};
use crate::domain::queue::{let_in, set};
use crate::domain::submit::{Submit, submit};
use crate::domain::sweep::{give_back, sweep};
use crate::id::{self, Id};
use crate::limits::SWEEP_GATES_MAX;

const QUEUE: &str = "default";

impl dyn Bed + '_ {
    fn limit(&mut self, settings: &str) {
        let limits = QueueLimits::read(settings).unwrap();
        self.tx(|port| set(port, QUEUE, &limits)).unwrap();
        let mut after = Some(String::new());
        while let Some(at) = after {
            after = self.tx(|port| let_in(port, QUEUE, &at)).unwrap();
        }
    }

    fn state(&mut self, number: u8) -> TaskState {
        let key = self.key(number);
        self.task(key).unwrap().state
    }

    fn gated(&mut self, number: u8, gate: &str) {
        self.gated_in(number, gate, "w");
    }

    fn gated_in(&mut self, number: u8, gate: &str, workflow: &str) {
        let concurrency_key = Some(gate.to_owned());
        let submit = Submit { concurrency_key, workflow: workflow.into(), ..plain() };
        self.submit(number, &submit, at(5));
    }

    fn next(&mut self) -> Option<Fence> {
        let claimer = claimer(1, self.owner_key(1));
        self.claim(&claimer, at(6)).map(|claimed| claimed.fence)
    }

    fn counted(&mut self) -> u32 {
        self.tx(|port| port.queue(QUEUE)).unwrap().unwrap().1
    }

    fn behind(&mut self, gate: &str) -> u32 {
        self.tx(|port| port.gate_running(QUEUE, gate)).unwrap()
    }
}

fn text(number: u8) -> String {
    id::write("run", run_id(number))
}

/// P15.
pub(super) fn a_queue_holds_no_more_runs_than_its_limit(bed: &mut dyn Bed) {
    bed.limit(r#"{"concurrency":2}"#);
    for number in 1..=4 {
        bed.run(number, at(5));
    }
    let (first, second) = (bed.next().unwrap(), bed.next().unwrap());
    assert!(bed.next().is_none());
    let filter = claimer(1, bed.owner_key(1)).filter;
    assert!(!bed.tx(|port| outlook(port, &filter, at(6))).unwrap().is_promising, "no lock for it");
    let glance = |bed: &mut dyn Bed| bed.tx(|port| glance(port, &filter, at(7))).unwrap();
    assert!(glance(bed).is_some_and(|seen| !seen.is_promising), "a full queue, with runs ready");
    bed.finish(first, &End::Complete("1".into()), at(7)).unwrap();
    assert!(glance(bed).is_none(), "ready, and room for it");
    assert!(bed.next().is_some() && bed.next().is_none());
    bed.finish(second, &End::Release(0), at(7)).unwrap();
    assert!(bed.next().is_some() && bed.next().is_none());
    assert_eq!(bed.counted(), 2);
}

/// P15: each way in which a run ceases to hold the fence.
pub(super) fn counts_hold_however_a_run_ceases_to_run(bed: &mut dyn Bed) {
    bed.limit(r#"{"concurrency":100,"concurrency_per_key":1}"#);
    for number in 1..=8 {
        let key = format!("k{number}");
        let submit = Submit { concurrency_key: Some(key), timeout_ms: 50, ..plain() };
        bed.submit(number, &submit, at(5));
    }
    let fences: Vec<Fence> = (0..8).map(|_| bed.next().unwrap()).collect();
    assert_eq!((bed.counted(), bed.behind("k1")), (8, 1));
    bed.finish(fences[0], &End::Complete("1".into()), at(7)).unwrap();
    bed.finish(fences[1], &End::Fail("1".into(), Default::default()), at(7)).unwrap();
    bed.tx(|port| cancel(port, &text(3), None, at(7))).unwrap();
    assert_eq!(bed.counted(), 6, "a run told to end goes on counting until it does");
    bed.finish(fences[2], &End::Complete("1".into()), at(7)).unwrap();
    bed.tx(|port| pause(port, &text(4), at(7))).unwrap();
    bed.finish(fences[3], &End::Release(0), at(7)).unwrap();
    assert_eq!((bed.counted(), bed.behind("k3"), bed.behind("k4")), (4, 0, 0));
    bed.tx(|port| sweep(port, &[], run_id(0xEE), at(60))).unwrap();
    bed.finish(fences[4], &End::Release(0), at(60)).unwrap();
    assert_eq!(bed.counted(), 3);
    let owner_key = bed.owner_key(1);
    assert!(!bed.tx(|port| give_back(port, owner_key, at(61))).unwrap());
    assert_eq!((bed.counted(), bed.behind("k8")), (0, 0));
    assert!(bed.tx(|port| retry(port, &text(3), at(62))).unwrap());
    assert_eq!(bed.counted(), 0);
    bed.next().unwrap();
    let (owner_key, far) = (bed.owner_key(1), at(100_000));
    bed.tx(|port| sweep(port, &[owner_key], run_id(0xEE), far)).unwrap();
    assert_eq!(bed.counted(), 0, "the dead hold nothing");
}

pub(super) fn a_gate_lets_one_in_after_the_other(bed: &mut dyn Bed) {
    bed.limit(r#"{"concurrency_per_key":1}"#);
    for number in 1..=3 {
        bed.gated(number, "a");
    }
    bed.gated(4, "b");
    bed.run(5, at(5));
    let first = bed.next().unwrap();
    assert_eq!(first.run_key, bed.key(1));
    assert_eq!(bed.next().unwrap().run_key, bed.key(4));
    assert_eq!(bed.next().unwrap().run_key, bed.key(5), "who has no key passes");
    assert!(bed.next().is_none());
    assert_eq!(bed.state(2), TaskState::Blocked);
    bed.finish(first, &End::Complete("1".into()), at(7)).unwrap();
    assert_eq!(bed.next().unwrap().run_key, bed.key(2), "in order");
    assert!(bed.next().is_none());
}

pub(super) fn gates_turn_in_every_lane_of_their_queue_and_in_no_other(bed: &mut dyn Bed) {
    bed.limit(r#"{"concurrency_per_key":1}"#);
    let other = Submit { queue: Some("other".into()), ..plain() };
    for (number, gate, workflow) in
        [(1, "a", "w"), (2, "a", "w"), (3, "a", "v"), (4, "b", "w"), (5, "c", "w")]
    {
        bed.gated_in(number, gate, workflow);
    }
    bed.submit(6, &Submit { concurrency_key: Some("a".into()), ..other }, at(5));
    let ready = |bed: &mut dyn Bed| -> Vec<u8> {
        (1..=6).filter(|number| bed.state(*number) == TaskState::Ready).collect()
    };
    let turn = |bed: &mut dyn Bed, gates: &[(&str, bool)]| {
        bed.tx(|port| port.gates_turn(QUEUE, gates).unwrap());
        ready(bed)
    };
    assert_eq!(ready(bed), [1, 3, 4, 5, 6]);
    assert_eq!(turn(bed, &[("a", false), ("b", false)]), [5, 6]);
    assert_eq!(turn(bed, &[("a", true), ("none", true)]), [1, 3, 5, 6]);
    assert_eq!(turn(bed, &[("a", true), ("b", true)]), [1, 3, 4, 5, 6], "one is ready");
    let place = |bed: &mut dyn Bed, number, gate: &str| {
        let key = bed.key(number);
        GatePlace { lane_key: bed.task(key).unwrap().lane_key, gate: gate.into() }
    };
    let (a, c) = (place(bed, 1, "a"), place(bed, 5, "c"));
    bed.tx(|port| port.running_add(QUEUE, 1, Some("c")).unwrap());
    assert_eq!(bed.tx(|port| port.gates_after(QUEUE, "", 9).unwrap()), [("c".to_owned(), 1)]);
    bed.tx(|port| port.gates_keep(&[a, c]).unwrap());
    assert_eq!(ready(bed), [1, 3, 4, 6], "no room behind the third");
}

/// The one that was let in is taken out unclaimed, in every way; the gate stands open.
pub(super) fn the_next_is_let_in_when_the_first_at_an_open_gate_goes_away(bed: &mut dyn Bed) {
    bed.limit(r#"{"concurrency_per_key":1}"#);
    for number in 1..=5 {
        let submit = Submit { concurrency_key: Some("a".into()), ..plain() };
        let timed = if number == 4 { Submit { timeout_ms: 20, ..submit } } else { submit };
        bed.submit(number, &timed, at(5));
    }
    let first = bed.next().unwrap();
    assert!(bed.next().is_none());
    bed.finish(first, &End::Complete("1".into()), at(7)).unwrap();

    bed.tx(|port| cancel(port, &text(2), None, at(8))).unwrap();
    bed.tx(|port| pause(port, &text(3), at(8))).unwrap();
    bed.tx(|port| sweep(port, &[], run_id(0xEE), at(40))).unwrap();

    assert_eq!(bed.next().unwrap().run_key, bed.key(5));
    bed.tx(|port| resume(port, &text(3), at(41))).unwrap();
    assert!(bed.next().is_none(), "the gate counts who comes back");
    assert_eq!(bed.state(3), TaskState::Blocked);
}

/// A worker that does not take what stands first must not be kept from what it takes.
pub(super) fn a_gate_that_opens_lets_one_in_of_each_lane(bed: &mut dyn Bed) {
    bed.limit(r#"{"concurrency_per_key":1}"#);
    bed.gated_in(1, "a", "w");
    bed.gated_in(2, "a", "w");
    bed.gated_in(3, "a", "other");
    let first = bed.next().unwrap();
    assert!(bed.next().is_none());
    bed.finish(first, &End::Complete("1".into()), at(7)).unwrap();
    let mut of_other = claimer(1, bed.owner_key(1));
    of_other.filter.workflows = Some(vec!["other".into()]);
    assert_eq!(bed.claim(&of_other, at(8)).unwrap().fence.run_key, bed.key(3));
    assert!(bed.next().is_none());
}

pub(super) fn a_raised_limit_lets_in_as_many_as_it_has_room_for(bed: &mut dyn Bed) {
    bed.limit(r#"{"concurrency_per_key":1}"#);
    for number in 1..=6 {
        bed.gated(number, if number % 2 == 0 { "even" } else { "odd" });
    }
    assert!(bed.next().is_some() && bed.next().is_some() && bed.next().is_none());
    bed.limit(r#"{"concurrency_per_key":2}"#);
    let ready =
        |bed: &mut dyn Bed| (1..=6).filter(|number| bed.state(*number) == TaskState::Ready).count();
    assert_eq!(ready(bed), 2, "one at each gate");
    assert!(bed.next().is_some() && bed.next().is_some() && bed.next().is_none());
    bed.limit(r#"{"concurrency_per_key":1}"#);
    assert!(bed.next().is_none(), "a lower one takes nothing away and lets nobody in");
    assert_eq!(bed.behind("odd"), 2);
    bed.limit("{}");
    assert!(bed.next().is_some() && bed.next().is_some() && bed.next().is_none());
}

/// A run that ends between the two commits of a set, or after a process that was killed there, finds its
/// gate closed by the old limit and more room than one place behind the new one.
pub(super) fn a_run_that_ends_lets_the_next_in_while_a_limit_is_being_raised(bed: &mut dyn Bed) {
    for raised in [r#"{"concurrency_per_key":5}"#, "{}"] {
        bed.limit(r#"{"concurrency_per_key":1}"#);
        let number = if raised == "{}" { 3 } else { 1 };
        bed.gated(number, "a");
        bed.gated(number + 1, "a");
        let first = bed.next().unwrap();
        let limits = QueueLimits::read(raised).unwrap();
        bed.tx(|port| set(port, QUEUE, &limits)).unwrap();
        bed.finish(first, &End::Complete("1".into()), at(7)).unwrap();
        let next = bed.next().unwrap();
        assert_eq!(next.run_key, bed.key(number + 1));
        bed.finish(next, &End::Complete("1".into()), at(8)).unwrap();
    }
}

/// P14: what stands behind a closed gate costs a claim nothing, and lifting a limit is bounded.
pub(super) fn what_a_limit_holds_back_is_not_looked_at_and_comes_when_it_is_lifted(
    bed: &mut dyn Bed,
) {
    bed.limit(r#"{"concurrency_per_key":1}"#);
    let gates = u64::from(SWEEP_GATES_MAX) * 2 + 5;
    let held = gates * 3;
    for number in 0..held {
        let id = Id::from_bytes(u128::from(number + 1).to_be_bytes());
        let key = format!("k{}", number % gates);
        let gated = Submit { concurrency_key: Some(key), ..plain() };
        bed.tx(|port| submit(port, &gated, id, 0, at(5)).unwrap());
    }
    let claimer = claimer(1, 0);
    let picked = bed.tx(|port| claim(port, &claimer, 10_000, at(6))).unwrap();
    assert_eq!(picked.runs.len() as u64, gates, "one of each gate");
    assert!(!picked.has_more && bed.next().is_none());
    bed.tx(|port| set(port, QUEUE, &QueueLimits::default())).unwrap();
    let mut parts = 0;
    let mut after = Some(String::new());
    while let Some(at) = after {
        after = bed.tx(|port| let_in(port, QUEUE, &at)).unwrap();
        parts += 1;
    }
    assert_eq!(parts, 3);
    assert_eq!((0..held).filter(|_| bed.next().is_some()).count() as u64, held - gates);
}

/// P9: a run that stands before the one that is ready at its gate takes its place; and whichever way
/// it comes, no two of a lane are ready at one gate.
pub(super) fn the_first_in_the_order_of_claims_is_the_ready_one_at_its_gate(bed: &mut dyn Bed) {
    bed.limit(r#"{"concurrency_per_key":2}"#);
    let gated = Submit { concurrency_key: Some("a".into()), ..plain() };
    for (number, priority) in [(1, 5), (2, 0), (3, -5), (4, 0)] {
        bed.submit(number, &Submit { priority, ..gated.clone() }, at(5));
    }
    bed.submit(5, &Submit { run_at_ms: 20, priority: -9, ..gated }, at(5));
    let ready = |bed: &mut dyn Bed| {
        (1..=5).filter(|number| bed.state(*number) == TaskState::Ready).collect::<Vec<u8>>()
    };
    assert_eq!(ready(bed), [3]);
    let third = bed.next().unwrap();
    assert_eq!((third.run_key, ready(bed)), (bed.key(3), vec![2]));
    bed.tx(|port| sweep(port, &[], run_id(0xEE), at(20))).unwrap();
    assert_eq!(ready(bed), [5], "what comes due goes before");
    assert_eq!(bed.next().unwrap().run_key, bed.key(5));
    assert_eq!(ready(bed), [0; 0], "the gate is full");
    bed.finish(third, &End::Release(0), at(21)).unwrap();
    assert_eq!(ready(bed), [3]);
    assert_eq!(bed.next().unwrap().run_key, bed.key(3), "it comes back to the head of its gate");
}

pub(super) fn a_limit_that_is_set_counts_what_runs_already(bed: &mut dyn Bed) {
    bed.gated(1, "a");
    bed.gated(2, "a");
    bed.next().unwrap();
    bed.limit(r#"{"concurrency":5,"concurrency_per_key":1}"#);
    assert_eq!((bed.counted(), bed.behind("a")), (1, 1));
    assert!(bed.next().is_none());
    bed.limit(r#"{"paused":true}"#);
    bed.run(3, at(5));
    assert!(bed.next().is_none());
    bed.limit(r#"{"concurrency":2}"#);
    assert!(bed.next().is_some() && bed.next().is_none());
}
