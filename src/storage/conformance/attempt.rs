//! Claims about the life of an attempt: its fence, its lease, its end.

use super::{Bed, at, claimer, plain, run_id, subject};
use crate::clock::Now;
use crate::domain::FailOptions;
use crate::domain::attempt::{AfterFail, End, Finish};
use crate::domain::child::{self, NewChild};
use crate::domain::claim::{Claimer, claim};
use crate::domain::event::{self, Append};
use crate::domain::hold::{heartbeat, living};
use crate::domain::port::{Ended, Fence, LEASE_WHILE_ALIVE, Outcome, TaskState};
use crate::domain::step::{self, Begin};
use crate::domain::submit::Submit;
use crate::domain::suspend::{self, Parking};
use crate::domain::wait::{self, Form, Member};
use crate::domain::{budget, control};

fn complete() -> End {
    End::Complete("[1]".into())
}

fn failure(error: &str) -> End {
    End::Fail(error.into(), FailOptions::default())
}

/// P10: of a lost attempt, of one that never was, of one whose run has ended.
pub(super) fn a_stale_attempt_changes_nothing(bed: &mut dyn Bed) {
    bed.run(1, at(5));
    let lost = bed.claimed(at(6)).fence;
    let held = bed.claim(&claimer(2, 0), at(10_006)).unwrap().fence;
    let never = Fence { number: held.number + 1, ..held };
    let nowhere = Fence { run_key: held.run_key + 100, ..held };
    for fence in [lost, never, nowhere] {
        refuses_everything(bed, fence);
    }
    bed.finish(held, &complete(), at(10_007)).unwrap();
    refuses_everything(bed, lost);
}

/// A store that lost its last commits, or a copy that was restored, gives a number again.
pub(super) fn an_attempt_of_another_lineage_changes_nothing(bed: &mut dyn Bed) {
    bed.run(1, at(5));
    let of = |seed| Claimer { seed: run_id(seed), ..claimer(1, 0) };
    let picked = bed.undone(|port| claim(port, &of(0xE1), 1, at(6))).unwrap();
    let lost = picked.runs[0].fence;
    let held = bed.claim(&of(0xE2), at(6)).unwrap().fence;
    assert_eq!((lost.run_key, lost.number), (held.run_key, held.number));
    refuses_everything(bed, lost);
    let sentence = bed.refused(-20, |port| living(port, lost, at(7)));
    assert!(sentence.contains("lost its last commits"), "{sentence}");
    bed.finish(held, &complete(), at(10_007)).unwrap();
}

fn refuses_everything(bed: &mut dyn Bed, fence: Fence) {
    let now = at(10_007);
    let step = subject(fence, "s", Begin::default(), now);
    bed.refused(-20, |port| living(port, fence, now));
    bed.refused(-20, |port| heartbeat(port, fence, 0, now));
    bed.refused(-20, |port| step::may_run(port, fence, true, now));
    bed.refused(-20, |port| step::start(port, &step, now));
    bed.refused(-20, |port| step::complete(port, &step, "1", now));
    bed.refused(-20, |port| step::fail(port, &step, "1", FailOptions::default(), now));
    bed.refused(-20, |port| step::interrupt(port, &step, now));
    for end in [complete(), failure("1"), End::Release(0)] {
        bed.refused(-20, |port| super::finish(port, fence, &end, now));
    }
    refuses_what_a_run_asks_for(bed, fence, now);
}

/// The writes beside steps and ends.
fn refuses_what_a_run_asks_for(bed: &mut dyn Bed, fence: Fence, now: Now) {
    let name = "a".to_owned();
    let (form, members) = (Form::Sleep, vec![Member::Sleep(5)]);
    let nap = wait::Ask { fence, form, name, occurrence: 1, members, timeout_ms: -1 };
    let child = NewChild { name: "c".into(), occurrence: 1, submit: plain(), run_id: run_id(9) };
    let (event_type, payload) = ("seen".to_owned(), "1".to_owned());
    let seen = Append { fence, event_type, payload, key: None };
    let amounts = [("tokens".to_owned(), 1)].into();
    let tokens = budget::Ask { fence, step: None, amounts, source: None, salt: 1 };
    let parking = Parking::default();
    bed.refused(-20, |port| wait::answer(port, &nap, now));
    bed.refused(-20, |port| child::submit(port, fence, std::slice::from_ref(&child), now));
    bed.refused(-20, |port| event::append(port, &seen, now));
    bed.refused(-20, |port| budget::reserve(port, &tokens, now));
    bed.refused(-20, |port| suspend::suspend(port, fence, &parking, now));
}

/// P10: leases give liveness, the fence gives safety.
pub(super) fn a_lapsed_lease_that_nobody_took_over_still_works(bed: &mut dyn Bed) {
    bed.run(1, at(5));
    let fence = bed.claimed(at(6)).fence;
    let late = at(1_000_000);
    bed.tx(|port| living(port, fence, late).unwrap());
    let step = subject(fence, "s", Begin::default(), late);
    bed.tx(|port| step::complete(port, &step, "1", late).unwrap());
    let end = bed.finish(fence, &complete(), late).unwrap();
    assert_eq!(end, Finish::Completed);
}

/// P11.
pub(super) fn a_heartbeat_extends_the_lease_and_never_shortens_it(bed: &mut dyn Bed) {
    let key = bed.run(1, at(5));
    let fence = bed.claimed(at(100)).fence;
    let beat = |bed: &mut dyn Bed, lease_ms, ms| {
        let lease = bed.tx(|port| heartbeat(port, fence, lease_ms, at(ms)).unwrap());
        assert_eq!(bed.task(key).unwrap().lease_until_ms, lease.until_ms);
        lease.until_ms
    };
    assert_eq!(beat(bed, 0, 200), 10_200, "its own length");
    assert_eq!(beat(bed, 60_000, 300), 60_300);
    assert_eq!(beat(bed, 1_000, 400), 60_300, "a shorter one shortens nothing");
    assert_eq!(beat(bed, LEASE_WHILE_ALIVE, 500), i64::MAX);
    assert_eq!(beat(bed, 1_000, 600), i64::MAX);
    bed.refused(-2, |port| heartbeat(port, fence, 999, at(700)));
}

/// P11: whatever is written and whenever, at least half the lease lies ahead of it.
pub(super) fn every_write_keeps_at_least_half_the_lease_ahead(bed: &mut dyn Bed) {
    let key = bed.run(1, at(5));
    let fence = bed.claimed(at(0)).fence;
    let mut now = 0;
    let mut until = 10_000;
    for round in 0..40 {
        now += 1_700 * (round % 6);
        let name = format!("s{round}");
        let step = subject(fence, &name, Begin::default(), at(now));
        bed.tx(|port| match round % 4 {
            0 => drop(step::complete(port, &step, "1", at(now)).unwrap()),
            1 => drop(step::fail(port, &step, "1", FailOptions::default(), at(now)).unwrap()),
            2 => drop(heartbeat(port, fence, 0, at(now)).unwrap()),
            _ => drop(step::start(port, &step, at(now)).unwrap()),
        });
        let ahead = bed.task(key).unwrap().lease_until_ms;
        assert!(ahead >= now + 5_000, "round {round}: {} ms ahead", ahead - now);
        assert!(ahead >= until, "round {round}: shortened");
        until = ahead;
    }
}

pub(super) fn a_completed_run_has_its_result_and_no_task(bed: &mut dyn Bed) {
    let key = bed.run(1, at(5));
    let fence = bed.claimed(at(6)).fence;
    assert_eq!(bed.finish(fence, &complete(), at(8)).unwrap(), Finish::Completed);
    assert_eq!(bed.task(key), None);
    let end = bed.tx(|port| port.run_end(key).unwrap()).unwrap();
    assert_eq!((end.outcome, end.result.as_deref()), (Outcome::Completed, Some("[1]")));
    let attempt = bed.tx(|port| port.attempt_ended(key, 1).unwrap()).unwrap();
    assert_eq!((attempt.ended, attempt.worker.as_deref()), (Ended::Completed, Some("worker 1")));
    assert_eq!((attempt.started_at_ms, attempt.ended_at_ms, attempt.error), (6, 8, None));
    assert_eq!(bed.tx(|port| port.standing("").unwrap().next_lapse_ms), None);
}

/// P13: failures count against the tries.
pub(super) fn a_failure_is_tried_again_after_its_backoff_until_the_tries_are_used_up(
    bed: &mut dyn Bed,
) {
    let key = bed.run(1, at(5));
    let mut now = 10;
    for (number, range) in [(1, 900..=1_100), (2, 1_800..=2_200)] {
        let fence = bed.claimed(at(now)).fence;
        let Finish::Failed(AfterFail::Retry { at_ms }) =
            bed.finish(fence, &failure("\"no\""), at(now)).unwrap()
        else {
            panic!("try {number} was the last");
        };
        assert!(range.contains(&(at_ms - now)), "try {number} waits {} ms", at_ms - now);
        let task = bed.task(key).unwrap();
        assert_eq!((task.state, task.failures), (TaskState::Delayed, number));
        assert_eq!((task.wake_at_ms, task.due_at_ms), (Some(at_ms), at_ms));
        let owner_key = bed.owner_key(1);
        assert!(bed.claim(&claimer(1, owner_key), at(at_ms - 1)).is_none());
        now = at_ms;
    }
    let fence = bed.claimed(at(now)).fence;
    let last = bed.finish(fence, &failure("\"last\""), at(now)).unwrap();
    assert_eq!(last, Finish::Failed(AfterFail::Final));
    let end = bed.tx(|port| port.run_end(key).unwrap()).unwrap();
    assert_eq!((end.outcome, end.attempts, end.tries), (Outcome::Failed, 3, 3));
    assert_eq!(end.error.as_deref(), Some("\"last\""));
    let ended = bed.tx(|port| port.attempts_after(key, 0, 10).unwrap());
    let ends: Vec<_> = ended.iter().map(|a| (a.ended, a.error.as_deref())).collect();
    let retried = (Ended::Retried, Some("\"no\""));
    assert_eq!(ends, [retried, retried, (Ended::Failed, None)]);
}

pub(super) fn a_terminal_failure_ends_the_run_at_once(bed: &mut dyn Bed) {
    let key = bed.run(1, at(5));
    let fence = bed.claimed(at(6)).fence;
    let terminal = FailOptions { is_terminal: true, retry_after_ms: 5 };
    let end = bed.finish(fence, &End::Fail("1".into(), terminal), at(7)).unwrap();
    assert_eq!(end, Finish::Failed(AfterFail::Final));
    let end = bed.tx(|port| port.run_end(key).unwrap()).unwrap();
    assert_eq!((end.outcome, end.attempts, end.tries), (Outcome::Failed, 1, 1));
}

pub(super) fn a_named_wait_outranks_the_backoff(bed: &mut dyn Bed) {
    bed.submit(1, &Submit { backoff_initial_ms: 60_000, ..plain() }, at(5));
    let fence = bed.claimed(at(6)).fence;
    let soon = FailOptions { is_terminal: false, retry_after_ms: 7 };
    let end = bed.finish(fence, &End::Fail("1".into(), soon), at(10)).unwrap();
    assert_eq!(end, Finish::Failed(AfterFail::Retry { at_ms: 17 }));
    assert_eq!(bed.claimed(at(17)).fence.number, 2);
}

/// P13: a run that sees a hundred deploys is not used up.
pub(super) fn a_release_charges_no_try_however_often(bed: &mut dyn Bed) {
    let key = bed.run(1, at(5));
    for round in 0..100 {
        let now = 10 + round * 10;
        let fence = bed.claimed(at(now)).fence;
        assert_eq!(bed.finish(fence, &End::Release(10), at(now)).unwrap(), Finish::Released);
        let owner_key = bed.owner_key(1);
        assert!(bed.claim(&claimer(1, owner_key), at(now + 9)).is_none());
        assert_eq!(bed.task(key).unwrap().tries(), 0);
    }
}

/// IO and BUSY may be retried: what was stored says the same again, and nothing is stored twice.
pub(super) fn the_same_end_again_is_the_same_answer(bed: &mut dyn Bed) {
    let ends = [
        (complete(), Finish::Completed),
        (failure("\"e\""), Finish::Failed(AfterFail::Retry { at_ms: 0 })),
        (
            End::Fail("1".into(), FailOptions { is_terminal: true, retry_after_ms: 0 }),
            Finish::Failed(AfterFail::Final),
        ),
        (End::Release(50), Finish::Released),
    ];
    for (number, (end, kind)) in ends.into_iter().enumerate() {
        bed.run(number as u8 + 1, at(1_000_000));
        let fence = bed.claimed(at(1_000_000)).fence;
        let first = bed.finish(fence, &end, at(1_000_001)).unwrap();
        assert_eq!(std::mem::discriminant(&first), std::mem::discriminant(&kind));
        let before = bed.dump();
        assert_eq!(bed.finish(fence, &end, at(1_000_002)).unwrap(), first);
        assert_eq!(bed.dump(), before);
        if bed.task(fence.run_key).is_some() {
            // Out of the way of the next round.
            let again = bed.claimed(at(2_000_000)).fence;
            bed.finish(again, &complete(), at(2_000_000)).unwrap();
        }
    }
}

pub(super) fn another_end_of_an_ended_attempt_is_lost(bed: &mut dyn Bed) {
    bed.run(1, at(5));
    let fence = bed.claimed(at(6)).fence;
    bed.finish(fence, &complete(), at(7)).unwrap();
    for end in [End::Complete("[2]".into()), failure("[1]"), End::Release(0)] {
        bed.refused(-20, |port| super::finish(port, fence, &end, at(8)));
    }
}

/// P10: the run was cancelled, and so its lapsed attempt ended; whatever that asks then is not stored,
/// and not said to be.
pub(super) fn an_end_that_comes_after_the_lapse_of_a_cancelled_attempt_is_lost(bed: &mut dyn Bed) {
    bed.run(1, at(5));
    let held = bed.claimed(at(6));
    let id = crate::id::write("run", held.run.run_id);
    bed.tx(|port| control::cancel(port, &id, None, at(7)).unwrap());
    assert!(bed.claim(&claimer(2, 0), at(10_006)).is_none());
    let end = bed.tx(|port| port.run_end(held.fence.run_key).unwrap().unwrap());
    assert_eq!(end.outcome, Outcome::Cancelled);
    for end in [complete(), failure("1"), End::Release(0)] {
        bed.refused(-20, |port| super::finish(port, held.fence, &end, at(10_007)));
    }
    let parking = suspend::Parking::default();
    bed.refused(-20, |port| suspend::suspend(port, held.fence, &parking, at(10_007)));
}
