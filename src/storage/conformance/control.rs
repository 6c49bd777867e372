//! Claims about acting on runs from outside: cancel and its way down, pause, retry, fork.

use super::{Bed, at, claimer, plain, run_id, subject};
use crate::domain::attempt::{End, Finish};
use crate::domain::child::{NewChild, submit as submit_children};
use crate::domain::claim::claim;
use crate::domain::control::{cancel, fork, pause, resume, retry, step_of, sweep_cascades};
use crate::domain::hold::living;
use crate::domain::news::Swept;
use crate::domain::port::{Ended, Fence, Outcome, RunKey, StepKind, TaskState};
use crate::domain::step::{self, Begin};
use crate::domain::submit::Submit;
use crate::domain::suspend::{Parking, Pending, suspend};
use crate::domain::wait::{Answer, Ask, Form, Member, answer};
use crate::domain::{FailOptions, query};
use crate::id::{self, Id};
use crate::limits::{ANCESTORS_MAX, SWEEP_CASCADE_MAX};

fn text(number: u8) -> String {
    id::write("run", run_id(number))
}

impl dyn Bed + '_ {
    fn cancel(&mut self, number: u8) {
        self.tx(|port| cancel(port, &text(number), None, at(50))).unwrap();
    }

    /// Brings every cancel down; returns in how many bounded parts.
    fn sweep_down(&mut self) -> usize {
        let mut parts = 0;
        while self.tx(|port| sweep_cascades(port, at(50))).unwrap().has_moved {
            parts += 1;
        }
        parts
    }

    pub(super) fn child(&mut self, parent: Fence, id: Id) -> RunKey {
        let name = id::write("run", id);
        let child = NewChild { name, occurrence: 1, submit: plain(), run_id: id };
        self.tx(|port| submit_children(port, parent, &[child], at(6))).unwrap();
        self.tx(|port| port.run_by_id(id)).unwrap().unwrap()
    }

    fn outcome(&mut self, run_key: RunKey) -> Option<Outcome> {
        self.tx(|port| port.run_end(run_key)).unwrap().map(|end| end.outcome)
    }

    fn record(&mut self, fence: Fence, name: &str) {
        let step = subject(fence, name, Begin::default(), at(7));
        self.tx(|port| step::complete(port, &step, name, at(7))).unwrap();
    }
}

/// P26: the end of a lost attempt brings a cancel down anew, and the claim that finds the loss does not
/// say that there is nothing before that is done.
pub(super) fn a_lapse_that_ends_a_cancelled_run_ends_its_children_in_the_same_claim(
    bed: &mut dyn Bed,
) {
    bed.run(1, at(5));
    let parent = bed.claimed(at(6)).fence;
    let child = bed.child(parent, run_id(2));
    bed.cancel(1);
    bed.sweep_down();
    assert!(bed.tx(|port| retry(port, &text(2), at(51))).unwrap());
    bed.tx(|port| pause(port, &text(2), at(50))).unwrap();
    assert!(bed.claim(&claimer(2, 0), at(10_006)).is_none());
    assert_eq!(bed.outcome(parent.run_key), Some(Outcome::Cancelled));
    assert_eq!(bed.outcome(child), Some(Outcome::Cancelled));
}

/// P26.
pub(super) fn a_cancel_ends_a_run_that_nobody_runs_and_flags_one_that_is_run(bed: &mut dyn Bed) {
    let (ready, delayed) = (bed.run(1, at(5)), bed.submit(2, &later(), at(5)));
    assert!(!delayed.existed);
    for number in [1, 2] {
        bed.cancel(number);
        bed.cancel(number);
    }
    assert_eq!(bed.outcome(ready), Some(Outcome::Cancelled));
    let key = bed.run(3, at(5));
    let fence = bed.claimed(at(6)).fence;
    bed.cancel(3);
    bed.cancel(3);
    assert!(bed.task(key).unwrap().is_cancel_asked);
    assert_eq!(bed.tx(|port| living(port, fence, at(7))).unwrap_err().code(), -21);
    let end = End::Complete("1".into());
    let stopped = Finish::Stopped(Ended::Cancelled);
    assert_eq!(bed.finish(fence, &end, at(8)).unwrap(), stopped);
    assert_eq!(bed.outcome(key), Some(Outcome::Cancelled));
    let key = bed.run(4, at(5));
    let fence = bed.claimed(at(6)).fence;
    bed.finish(fence, &end, at(7)).unwrap();
    bed.refused(-23, |port| cancel(port, &text(4), None, at(8)));
    assert_eq!(bed.outcome(key), Some(Outcome::Completed));
    bed.refused(-3, |port| cancel(port, &text(9), None, at(8)));
}

fn later() -> Submit {
    Submit { run_at_ms: 1_000, ..plain() }
}

/// P26: bounded, and whatever was not reached yet is not claimed.
pub(super) fn a_cancel_goes_down_in_bounded_parts_and_no_child_is_claimed_before(
    bed: &mut dyn Bed,
) {
    bed.run(1, at(5));
    let parent = bed.claimed(at(6)).fence;
    let children = u64::from(SWEEP_CASCADE_MAX) + 10;
    for number in 0..children {
        bed.child(parent, Id::from_bytes(u128::from(number + 1_000).to_be_bytes()));
    }
    bed.cancel(1);
    let claimer = super::claimer(1, bed.owner_key(1));
    // Its sweep ends a first part; the head of the lane is one that it has not come to.
    let picked = bed.tx(|port| claim(port, &claimer, 1, at(60))).unwrap();
    assert!(picked.runs.is_empty() && bed.news().is_changed, "{picked:?}");
    assert!(bed.claim(&claimer, at(60)).is_none());
    assert_eq!(bed.sweep_down(), 0);
    let open = bed.tx(|port| port.children_after(parent.run_key, 0, 1_000)).unwrap();
    assert_eq!(open.len() as u64, children);
    for key in open {
        assert_eq!(bed.outcome(key.0), Some(Outcome::Cancelled));
    }
}

/// A child that ended by itself has children that live on, and a cancel is for all descendants.
pub(super) fn a_cancel_passes_through_a_descendant_that_had_ended(bed: &mut dyn Bed) {
    bed.run(1, at(5));
    let top = bed.claimed(at(6)).fence;
    bed.child(top, run_id(2));
    let middle = bed.claimed(at(6)).fence;
    let grandchild = bed.child(middle, run_id(3));
    bed.finish(middle, &End::Complete("1".into()), at(7)).unwrap();
    let fence = bed.claimed(at(8)).fence;
    assert_eq!(fence.run_key, grandchild);

    bed.cancel(1);
    bed.sweep_down();

    assert_eq!(bed.tx(|port| living(port, fence, at(9))).unwrap_err().code(), -21);
}

/// P26: of the run itself, told to end or cancelled before, and of one above it.
pub(super) fn a_cancel_ends_what_was_retried_since_the_one_before(bed: &mut dyn Bed) {
    bed.run(1, at(5));
    let top = bed.claimed(at(6)).fence;
    bed.child(top, run_id(2));
    let middle = bed.claimed(at(6)).fence;
    let grandchild = bed.child(middle, run_id(3));
    bed.cancel(2);
    bed.sweep_down();
    for number in [2, 1] {
        assert!(bed.tx(|port| retry(port, &text(3), at(51))).unwrap());
        bed.cancel(number);
        bed.sweep_down();
        assert_eq!(bed.outcome(grandchild), Some(Outcome::Cancelled), "of run {number}");
    }
    bed.finish(middle, &End::Release(0), at(52)).unwrap();
    bed.sweep_down();
    assert!(bed.tx(|port| retry(port, &text(3), at(53))).unwrap());

    bed.cancel(2);

    assert!(bed.claim(&claimer(1, 0), at(54)).is_none());
    assert_eq!(bed.outcome(grandchild), Some(Outcome::Cancelled));
}

/// Deeper than a claim climbs: the sweeps go first.
pub(super) fn a_descendant_however_deep_is_not_claimed_after_a_cancel(bed: &mut dyn Bed) {
    bed.run(1, at(5));
    let mut parent = bed.claimed(at(6)).fence;
    for depth in 0..u128::from(ANCESTORS_MAX) + 3 {
        bed.child(parent, Id::from_bytes((depth + 1_000).to_be_bytes()));
        let child = bed.claimed(at(7)).fence;
        bed.finish(parent, &End::Complete("1".into()), at(8)).unwrap();
        parent = child;
    }
    bed.finish(parent, &End::Release(0), at(9)).unwrap();
    // Its first child is the topmost run that lives: the cancel of its parent is what counts.
    let top = bed.tx(|port| port.run_by_id(run_id(1))).unwrap().unwrap();
    bed.tx(|port| port.cascades_insert(&[top])).unwrap();

    let claimer = super::claimer(1, bed.owner_key(1));
    assert!(bed.claim(&claimer, at(60)).is_none());
    assert_eq!(bed.outcome(parent.run_key), Some(Outcome::Cancelled));
}

pub(super) fn an_ancestry_goes_up_to_the_first_who_ends_the_one_below(bed: &mut dyn Bed) {
    let mut keys = vec![bed.run(1, at(5))];
    for number in 2..=5 {
        let parent = bed.claimed(at(6)).fence;
        keys.push(bed.child(parent, run_id(number)));
    }
    let above = |bed: &mut dyn Bed, at: usize, limit| {
        let above = bed.tx(|port| port.ancestry(keys[at], limit).unwrap());
        above.iter().map(|one| (one.run_key, one.is_ending_it)).collect::<Vec<_>>()
    };
    let of = |at: usize, is_ending_it: bool| (keys[at], is_ending_it);
    assert_eq!(above(bed, 0, 9).len(), 0);
    assert_eq!(above(bed, 4, 9), [of(3, false), of(2, false), of(1, false), of(0, false)]);
    assert_eq!(above(bed, 4, 2), [of(3, false), of(2, false)]);
    bed.tx(|port| port.cascades_insert(&keys[1..2])).unwrap();
    assert_eq!(above(bed, 4, 9), [of(3, false), of(2, false), of(1, true)]);
    assert_eq!(above(bed, 1, 9), [of(0, false)]);
    bed.tx(|port| port.cascade_set(keys[1], Some(keys[2]))).unwrap();
    assert_eq!(above(bed, 4, 9).len(), 4, "its child was seen to");
}

pub(super) fn the_origins_of_a_fork_go_back_to_the_first(bed: &mut dyn Bed) {
    let first = bed.run(1, at(5));
    let mut keys: Vec<RunKey> = vec![first];
    for number in 2..=4 {
        bed.tx(|port| fork(port, &text(number - 1), None, run_id(number), at(9))).unwrap();
        keys.push(bed.tx(|port| port.run_by_id(run_id(number))).unwrap().unwrap());
    }
    let origins = |bed: &mut dyn Bed, key, limit| -> Vec<RunKey> {
        bed.tx(|port| port.origins(key, limit).unwrap())
    };
    assert_eq!(origins(bed, keys[3], 9), [keys[2], keys[1], keys[0]]);
    assert_eq!(origins(bed, keys[3], 2), [keys[2], keys[1]]);
    assert_eq!(origins(bed, first, 9).len(), 0);
}

/// P26: time-outs too end the children.
pub(super) fn the_children_of_a_run_that_timed_out_are_cancelled(bed: &mut dyn Bed) {
    bed.submit(1, &Submit { timeout_ms: 10, ..plain() }, at(5));
    let parent = bed.claimed(at(6)).fence;
    let child = bed.child(parent, run_id(2));
    let swept =
        bed.tx(|port| crate::domain::sweep::sweep(port, &[], run_id(0xEE), at(20))).unwrap();
    assert_eq!(swept, Swept { has_moved: true, has_more: false });
    assert_eq!(bed.outcome(child), Some(Outcome::Cancelled));
    let ended = bed.finish(parent, &End::Release(0), at(21)).unwrap();
    assert_eq!(ended, Finish::Stopped(Ended::TimedOut));
    assert_eq!(bed.outcome(parent.run_key), Some(Outcome::Failed));
}

pub(super) fn a_paused_run_is_not_claimed_until_it_is_resumed(bed: &mut dyn Bed) {
    let key = bed.run(1, at(5));
    bed.submit(2, &later(), at(5));
    for number in [1, 2] {
        for _ in 0..2 {
            bed.tx(|port| pause(port, &text(number), at(50))).unwrap();
        }
    }
    let claimer = super::claimer(1, 0);
    assert!(bed.claim(&claimer, at(2_000)).is_none());
    for (number, is_back) in [(1, true), (1, false), (2, true)] {
        bed.tx(|port| resume(port, &text(number), at(999))).unwrap();
        assert_eq!(bed.news().is_changed, is_back);
    }
    assert_eq!(bed.claimed(at(999)).fence.run_key, key);
    assert!(bed.claim(&claimer, at(999)).is_none(), "a delay goes on through a pause");
    assert!(bed.claim(&claimer, at(1_000)).is_some());
}

pub(super) fn a_pause_of_a_running_run_takes_effect_at_its_unfinished_end(bed: &mut dyn Bed) {
    let key = bed.run(1, at(5));
    for end in [End::Release(0), End::Fail("1".into(), FailOptions::default())] {
        let fence = bed.claimed(at(10_000)).fence;
        bed.tx(|port| pause(port, &text(1), at(50))).unwrap();
        assert_eq!(bed.task(key).unwrap().state, TaskState::Running);
        bed.finish(fence, &end, at(10_001)).unwrap();
        assert_eq!(bed.task(key).unwrap().state, TaskState::Paused);
        bed.tx(|port| resume(port, &text(1), at(20_000))).unwrap();
    }
    let fence = bed.claimed(at(20_000)).fence;
    bed.tx(|port| pause(port, &text(1), at(50))).unwrap();
    bed.tx(|port| resume(port, &text(1), at(20_000))).unwrap();
    bed.finish(fence, &End::Release(0), at(20_001)).unwrap();
    assert_eq!(bed.task(key).unwrap().state, TaskState::Ready, "taken back in time");
    let fence = bed.claimed(at(20_002)).fence;
    bed.tx(|port| pause(port, &text(1), at(50))).unwrap();
    bed.finish(fence, &End::Complete("1".into()), at(20_003)).unwrap();
    assert_eq!(bed.outcome(key), Some(Outcome::Completed), "a finished end is an end");
}

/// It may wake early and ask again; it must not sleep on.
pub(super) fn a_waiting_run_that_was_paused_asks_again_when_resumed(bed: &mut dyn Bed) {
    let key = bed.run(1, at(5));
    let fence = bed.claimed(at(6)).fence;
    let parking = Parking { pending: vec![Pending::Retry(1_000)], has_open_step: false };
    bed.tx(|port| suspend(port, fence, &parking, at(7))).unwrap();
    assert_eq!(bed.task(key).unwrap().state, TaskState::Waiting);

    bed.tx(|port| pause(port, &text(1), at(50))).unwrap();
    assert!(bed.claim(&super::claimer(1, 0), at(5_000)).is_none());
    bed.tx(|port| resume(port, &text(1), at(5_000))).unwrap();

    assert_eq!(bed.claimed(at(5_000)).fence.run_key, key);
}

/// P9: by when each could have been claimed, but for the pause.
pub(super) fn a_run_that_waited_is_due_from_its_pause_on_and_a_ready_one_as_before(
    bed: &mut dyn Bed,
) {
    let parking = Parking { pending: vec![Pending::Retry(1_000)], has_open_step: false };
    let (parked, running) = (bed.run(1, at(5)), bed.run(2, at(5)));
    let [first, second] = [6, 6].map(|ms| bed.claimed(at(ms)).fence);
    bed.tx(|port| suspend(port, first, &parking, at(7))).unwrap();
    let (ready, others) = (bed.run(3, at(8)), [bed.run(4, at(20)), bed.run(5, at(55))]);
    for number in [1, 2, 3] {
        bed.tx(|port| pause(port, &text(number), at(50))).unwrap();
    }
    bed.tx(|port| suspend(port, second, &parking, at(60))).unwrap();
    for number in [1, 2, 3] {
        bed.tx(|port| resume(port, &text(number), at(70))).unwrap();
        assert!(bed.news().is_changed);
    }

    let order = [(); 5].map(|()| bed.claimed(at(80)).fence.run_key);

    assert_eq!(order, [ready, others[0], parked, others[1], running]);
}

pub(super) fn a_retry_keeps_results_and_forgets_failures(bed: &mut dyn Bed) {
    bed.submit(1, &Submit { max_tries: 1, timeout_ms: 10_000, ..plain() }, at(5));
    bed.refused(-23, |port| retry(port, &text(1), at(5)));
    let fence = bed.claimed(at(6)).fence;
    bed.record(fence, "\"kept\"");
    let failed = subject(fence, "failed", Begin { max_tries: 1, ..Begin::default() }, at(7));
    bed.tx(|port| step::fail(port, &failed, "\"no\"", FailOptions::default(), at(7))).unwrap();
    bed.finish(fence, &End::Fail("2".into(), FailOptions::default()), at(8)).unwrap();
    assert_eq!(bed.outcome(fence.run_key), Some(Outcome::Failed));

    assert!(bed.tx(|port| retry(port, &text(1), at(50_000))).unwrap());

    let task = bed.task(fence.run_key).unwrap();
    assert_eq!((task.state, task.tries()), (TaskState::Ready, 0));
    assert_eq!(task.deadline_at_ms, Some(60_000));
    let again = bed.claimed(at(50_001)).fence;
    assert_eq!(again.number, 2, "numbers are fencing tokens");
    let names = bed.tx(|port| port.step_names_after(again.run_key, None, 10)).unwrap();
    assert_eq!(names.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["\"kept\""]);
    bed.finish(again, &End::Complete("1".into()), at(50_002)).unwrap();
    bed.refused(-23, |port| retry(port, &text(1), at(50_003)));
}

/// What is retried after a cancel is not ended by what is left of that cancel.
pub(super) fn a_retry_waits_for_the_cancel_that_came_before_it(bed: &mut dyn Bed) {
    bed.run(1, at(5));
    let parent = bed.claimed(at(6)).fence;
    let child = bed.child(parent, run_id(2));
    bed.finish(parent, &End::Release(0), at(7)).unwrap();
    bed.cancel(1);
    assert!(!bed.tx(|port| retry(port, &text(1), at(60))).unwrap());
    bed.sweep_down();
    assert!(bed.tx(|port| retry(port, &text(1), at(60))).unwrap());
    assert!(bed.tx(|port| retry(port, &text(2), at(60))).unwrap());
    bed.sweep_down();
    assert_eq!(bed.claimed(at(61)).fence.run_key, parent.run_key);
    assert_eq!(bed.claimed(at(61)).fence.run_key, child);
}

pub(super) fn a_fork_replays_what_was_recorded_before_a_step(bed: &mut dyn Bed) {
    let args = format!("\"{}\"", "x".repeat(5_000));
    let submit = Submit { args: Some(args.clone()), idempotency_key: Some("k".into()), ..plain() };
    bed.submit(1, &submit, at(5));
    let fence = bed.claimed(at(6)).fence;
    for name in ["1", "2", "3"] {
        bed.record(fence, name);
    }
    let second = query::step_id(run_id(1), StepKind::Step, "2", 1);
    for (number, from, kept) in [(2, Some("2"), 1), (3, Some(second.as_str()), 1), (4, None, 0)] {
        let place = from.map(|from| bed.tx(|port| step_of(port, &text(1), from)).unwrap());
        bed.tx(|port| fork(port, &text(1), place, run_id(number), at(9))).unwrap();
        let claimed = bed.claimed(at(10));
        assert_eq!((claimed.run.run_id, &claimed.run.args), (run_id(number), &args));
        assert_eq!(claimed.run.root_run_id, run_id(number));
        let names = bed.tx(|port| port.step_names_after(claimed.fence.run_key, None, 10)).unwrap();
        assert_eq!(names.len(), kept, "{from:?}");
    }
    for none in ["4", "step_00000000000000000000000000", "step_"] {
        bed.refused(-3, |port| step_of(port, &text(1), none));
    }
    bed.refused(-3, |port| fork(port, &text(9), None, run_id(5), at(9)));
}

/// Every option is named here, so that one that is added does not compile until it is set.
pub(super) fn a_fork_has_every_option_of_its_origin_but_its_key_and_its_date(bed: &mut dyn Bed) {
    let all = Submit {
        workflow: "every".into(),
        queue: Some("q".into()),
        args: Some("[1]".into()),
        run_at_ms: 4,
        timeout_ms: 500,
        backoff_initial_ms: 11,
        backoff_max_ms: 12,
        priority: -3,
        max_tries: 7,
        backoff_percent: 130,
        idempotency_key: Some("k".into()),
        idempotency_scope: Some("s".into()),
        concurrency_key: Some("gate".into()),
        code_version: Some("v".into()),
        budget: Some(r#"{"tokens":{"limit":9,"warn":5}}"#.into()),
        metadata: Some(r#"{"m":1}"#.into()),
        is_local: false,
    };
    bed.submit(1, &all, at(5));
    bed.tx(|port| fork(port, &text(1), None, run_id(2), at(9))).unwrap();
    let [origin, forked] = [1, 2].map(|number| {
        bed.tx(|port| {
            let row = port.run_row(run_id(number)).unwrap().unwrap();
            let task = port.task(row.run_key).unwrap().unwrap();
            let shown = (row.queue, row.workflow, row.code_version, row.priority, row.args);
            let kept = (row.max_tries, row.metadata, port.run_policy(row.run_key).unwrap());
            let gate = (task.gate.clone(), task.priority, task.is_local);
            let left_ms = task.deadline_at_ms.map(|at_ms| at_ms - task.due_at_ms.max(5));
            (shown, kept, gate, left_ms, port.balances(row.run_key).unwrap())
        })
    });
    assert_eq!(forked, origin);
    assert_eq!(origin.2, (Some("gate".into()), -3, false));
    assert_eq!((origin.3, origin.1.0), (Some(500), Some(7)));
    assert_eq!((origin.1.2.backoff.percent, origin.4.len()), (130, 1));
    let found = bed.tx(|port| port.run_by_idempotency("s", "k")).unwrap();
    assert_eq!(found.map(|(id, _)| id), Some(run_id(1)), "the key stays the origin's");
}

/// A name is a step's first, though a sleep of that name was recorded before it.
pub(super) fn a_fork_from_a_name_means_the_step_of_that_name(bed: &mut dyn Bed) {
    bed.run(1, at(5));
    let fence = bed.claimed(at(6)).fence;
    let nap = Ask {
        fence,
        form: Form::Sleep,
        name: "x".into(),
        occurrence: 1,
        members: vec![Member::Sleep(0)],
        timeout_ms: -1,
    };
    bed.tx(|port| answer(port, &nap, at(7))).unwrap();
    bed.record(fence, "x");
    let names = bed.tx(|port| port.step_names_after(fence.run_key, None, 10)).unwrap();
    let mut paged = |after| bed.tx(|port| port.step_names_after(fence.run_key, after, 1)).unwrap();
    assert_eq!(paged(None), names[..1], "page by page, each once");
    assert_eq!(paged(Some(&names[0])), names[1..]);
    assert_eq!(paged(Some(&names[1])), []);
    let place = bed.tx(|port| step_of(port, &text(1), "x")).unwrap();
    assert_eq!(names.iter().find(|row| row.step_key == place).unwrap().kind, StepKind::Step);
}

/// It may await them; a cancel of the fork is none of theirs.
pub(super) fn a_fork_awaits_the_children_of_its_origin_and_does_not_own_them(bed: &mut dyn Bed) {
    bed.run(1, at(5));
    let origin = bed.claimed(at(6)).fence;
    let child = bed.child(origin, run_id(2));
    bed.record(origin, "cut");
    for (number, of) in [(3, 1), (4, 3)] {
        let place = bed.tx(|port| step_of(port, &text(of), "cut")).ok();
        let place = place.or(Some(i64::MAX));
        bed.tx(|port| fork(port, &text(of), place, run_id(number), at(9))).unwrap();
    }
    let of_child = bed.claimed(at(10)).fence;
    assert_eq!(of_child.run_key, child);
    bed.finish(of_child, &End::Complete("7".into()), at(10)).unwrap();
    for number in [3, 4] {
        let fence = bed.claimed(at(10)).fence;
        let row = bed.tx(|port| port.step(fence.run_key, StepKind::Child, &text(2), 1)).unwrap();
        assert_eq!(row.unwrap().result.unwrap(), format!("\"{}\"", text(2)));
        let of_child = Ask {
            fence,
            form: Form::Child,
            name: text(2),
            occurrence: 1,
            members: vec![Member::Child(run_id(2))],
            timeout_ms: -1,
        };
        let answered = bed.tx(|port| answer(port, &of_child, at(11))).unwrap().0;
        assert_eq!(answered, Answer::Ready("7".into()), "fork {number}");
        let stranger = Ask { members: vec![Member::Child(run_id(1))], ..of_child };
        bed.refused(-3, |port| answer(port, &Ask { occurrence: 2, ..stranger.clone() }, at(11)));
    }
}
