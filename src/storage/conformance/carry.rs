//! Claims about trees that leave a store and come into one.

use super::{Bed, at, claimer, owner_id, plain, run_id, subject};
use crate::domain::attempt::End;
use crate::domain::budget;
use crate::domain::carry::{self, Bounds, Ids, Origin};
use crate::domain::child::{self, NewChild};
use crate::domain::control;
use crate::domain::news::{News, Queues};
use crate::domain::port::{
    CarriedEvent, CarriedSignal, CarriedTarget, Fence, IdStanding, Owner, QueueLimits, Room,
    SourceKind, StepKind, Target, Task, TaskState,
};
use crate::domain::step::{self, Begin};
use crate::domain::submit::Submit;
use crate::domain::suspend::{Parking, Pending, suspend};
use crate::domain::wait::{Ask, Form, Member};
use crate::domain::{event, queue, signal};
use crate::error::Result;
use crate::id::{self, Id};

const BOUNDS: Bounds = Bounds { payload_bytes_max: 1 << 20, schema_version: 1_000 };

fn text(number: u8) -> String {
    id::write("run", run_id(number))
}

fn export(bed: &mut dyn Bed, number: u8) -> String {
    let origin = Origin { schema_version: 1, library_version: "1", exported_at_ms: 9 };
    bed.tx(|port| carry::export(port, &text(number), &origin, None)).unwrap()
}

/// Imports as of a moment; the ids of new runs count up from 101.
fn import(bed: &mut dyn Bed, document: &str, ids: Ids, now_ms: i64) -> Result<()> {
    let mut last = 100;
    let draw = || {
        last += 1;
        run_id(last)
    };
    let tree = carry::read(document, BOUNDS, ids, draw)?;
    let seed = run_id(0xAB);
    bed.tx(|port| carry::bring(port, &tree, seed, at(now_ms)))?;
    assert_whole(bed);
    Ok(())
}

fn assert_whole(bed: &mut dyn Bed) {
    let faults = bed.tx(|port| port.faults(20)).unwrap();
    assert!(faults.is_empty(), "{faults:?}");
}

fn begun(bed: &mut dyn Bed, number: u8, submit: &Submit, now_ms: i64) -> Fence {
    bed.submit(number, submit, at(now_ms));
    bed.claimed(at(now_ms)).fence
}

fn complete(bed: &mut dyn Bed, fence: Fence, now_ms: i64) {
    bed.finish(fence, &End::Complete("\"done\"".into()), at(now_ms)).unwrap();
}

/// A root with two children, that has said, reserved and recorded something, and has ended with them.
pub(super) fn ended_tree(bed: &mut dyn Bed) {
    let submit = Submit {
        args: Some(format!("\"{}\"", "a".repeat(5_000))),
        metadata: Some("{\"n\":1}".into()),
        idempotency_key: Some("k".into()),
        budget: Some(r#"{"t":{"limit":9,"warn":2}}"#.into()),
        ..plain()
    };
    let root = begun(bed, 1, &submit, 1_000);
    let amounts = [("t".to_owned(), 5)].into_iter().collect();
    let ask = budget::Ask { fence: root, step: None, amounts, source: Some("s".into()), salt: 9 };
    bed.tx(|port| budget::reserve(port, &ask, at(1_001))).unwrap();
    let used = [("t".to_owned(), 3)].into_iter().collect();
    let step =
        subject(root, "one", Begin { kind: Some("llm".into()), ..Begin::default() }, at(1_002));
    bed.tx(|port| step::complete_usage(port, &step, " [1] ", &used, at(1_003))).unwrap();
    bed.tx(|port| signal::send(port, &text(1), "s", "1", Some("k"), at(1_004))).unwrap();
    bed.child(root, run_id(2));
    bed.child(root, run_id(3));
    let said = event::Append {
        fence: root,
        event_type: "e".into(),
        payload: "1".into(),
        key: Some("k".into()),
    };
    bed.tx(|port| event::append(port, &said, at(1_005))).unwrap();
    complete(bed, root, 1_006);
    for now_ms in [1_007, 1_008] {
        let child = bed.claimed(at(now_ms)).fence;
        complete(bed, child, now_ms);
    }
}

/// What is exported, gone and imported again is exported as before, to the byte.
pub(super) fn a_tree_that_comes_back_is_what_it_was(bed: &mut dyn Bed) {
    ended_tree(bed);
    let document = export(bed, 1);
    let refused = bed.refused(-23, |port| {
        let tree = carry::read(&document, BOUNDS, Ids::Keep, || run_id(0))?;
        carry::bring(port, &tree, run_id(0xAB), at(2_000))
    });
    assert!(refused.contains(&text(1)), "{refused}");
    let root = bed.key(1);
    let mut room = Room { runs: 9, rows: 900 };
    bed.tx(|port| port.trees_remove(&[root], &mut room)).unwrap();
    import(bed, &document, Ids::Keep, 2_000).unwrap();
    assert_eq!(export(bed, 1), document);
    assert!(bed.key(1) > root, "a key was given again");
    let known = bed.tx(|port| port.run_by_idempotency("", "k")).unwrap().unwrap();
    assert_eq!(known.0, run_id(1));
    let root = bed.key(1);
    let totals = bed.tx(|port| port.totals(root, 9)).unwrap();
    assert_eq!((totals[0].label.as_str(), totals[0].spent, totals[0].entries), ("llm", 3, 1));
}

/// The rows that are carried are told as they stand, in their order and up to a bound.
pub(super) fn rows_are_told_as_they_stand(bed: &mut dyn Bed) {
    ended_tree(bed);
    let root = bed.key(1);
    let store_id = bed.tx(|port| port.store_id()).unwrap();
    assert!(!store_id.is_empty());
    let members = bed.tx(|port| [9, 1].map(|limit| port.members(root, limit).unwrap().len()));
    assert_eq!(members, [2, 1]);
    let child = bed.key(2);
    let row = bed.tx(|port| port.run_carried(child)).unwrap();
    assert_eq!((row.run_id, row.parent_run_id), (run_id(2), Some(run_id(1))));
    assert_eq!((row.attempts, row.finished_at_ms), (Some(1), Some(1_007)));
    let signals = bed.tx(|port| port.signals_carried(root, 9, usize::MAX)).unwrap();
    let sent = CarriedSignal {
        name: "s".into(),
        key: Some("k".into()),
        sent_at_ms: 1_004,
        payload: Some("1".into()),
        taker: None,
    };
    assert_eq!(signals, [sent]);
    let events = bed.tx(|port| port.events_carried(root, 9, usize::MAX)).unwrap();
    let said = CarriedEvent {
        seq: 2,
        event_type: "e".into(),
        key: Some("k".into()),
        at_ms: 1_005,
        payload: "1".into(),
    };
    assert_eq!(events[1..], [said], "behind the warning of the budget");
    let reserved = bed.tx(|port| port.reservations_carried(root, 9)).unwrap();
    assert_eq!((reserved[0].0.amount, reserved[0].1.as_deref()), (5, Some("s")));
    let ledger = bed.tx(|port| port.ledger_carried(root, 9)).unwrap();
    assert_eq!((ledger[0].source, ledger[0].amount), (SourceKind::Step, 3));
    bed.tx(|port| {
        let (child, signal) = (Target::Child(child), Target::Signal("s".into()));
        let targets = [(&signal, 2), (&child, 0), (&Target::Time(7), 0)];
        port.waits_insert(root, &targets).unwrap();
        port.room_wait_insert(root, "t", root, 4).unwrap();
        let waits = port.waits_carried(root, 9).unwrap();
        let expected = [
            (CarriedTarget::Child(run_id(2)), 0),
            (CarriedTarget::Signal("s".into()), 2),
            (CarriedTarget::Room("t".into()), 4),
            (CarriedTarget::Time(7), 0),
        ];
        assert_eq!(waits, expected);
        assert_eq!(port.waits_carried(root, 2).unwrap(), expected[..2]);
    });
}

/// An id is free, taken, of a run that is being pruned, or of a bare row, which gives it up.
pub(super) fn an_id_is_given_once(bed: &mut dyn Bed) {
    ended_tree(bed);
    let standing = |bed: &mut dyn Bed, number: u8| {
        bed.tx(|port| port.id_standing(run_id(number), run_id(77)).unwrap())
    };
    assert_eq!(standing(bed, 9), IdStanding::Free);
    assert_eq!((standing(bed, 1), standing(bed, 3)), (IdStanding::Taken, IdStanding::Taken));
    let (root, newest) = (bed.key(1), bed.key(3));
    bed.tx(|port| port.trees_remove(&[root], &mut Room { runs: 1, rows: 900 })).unwrap();
    assert_eq!((standing(bed, 1), standing(bed, 3)), (IdStanding::Pruned, IdStanding::Pruned));
    bed.tx(|port| port.trees_remove(&[root], &mut Room { runs: 9, rows: 900 })).unwrap();
    assert_eq!(standing(bed, 1), IdStanding::Free);
    let stays = if bed.keeps_newest() { IdStanding::Bare(newest) } else { IdStanding::Free };
    assert_eq!(standing(bed, 3), stays, "of the newest the row stays");
    assert_eq!(standing(bed, 3), IdStanding::Free);
    assert_eq!(standing(bed, 77), stays);
}

/// What a task has used up, was told and waits for is written as it stood.
pub(super) fn a_task_and_a_signal_are_written_as_they_stood(bed: &mut dyn Bed) {
    let fence = begun(bed, 1, &plain(), 5);
    let run_key = fence.run_key;
    let task = Task { failures: 3, losses: 2, is_cancel_asked: true, ..bed.task(run_key).unwrap() };
    let task = Task { is_pause_asked: true, is_timed_out: true, claimed_at_ms: 4, ..task };
    bed.tx(|port| port.task_restore(&task, 7)).unwrap();
    let expected = Task { version: task.version + 1, ..task.clone() };
    assert_eq!(bed.task(run_key).unwrap(), expected);
    bed.tx(|port| port.waits_insert(run_key, &[(&Target::Signal("s".into()), 1)])).unwrap();
    let waiters = bed.tx(|port| port.waiters(run_key, &Target::Signal("s".into()))).unwrap();
    assert_eq!(waiters[0].left, 6);
    let step = subject(fence, "one", Begin::default(), at(6));
    bed.tx(|port| step::complete(port, &step, "1", at(6))).unwrap();
    let row = bed.tx(|port| port.step(run_key, StepKind::Step, "one", 1)).unwrap().unwrap();
    bed.tx(|port| port.step_record(run_key, StepKind::Await, &row)).unwrap();
    for taker in [None, Some(("one".to_owned(), 1))] {
        let payload = taker.is_none().then(|| "1".to_owned());
        let signal = CarriedSignal { name: "n".into(), key: None, sent_at_ms: 8, payload, taker };
        bed.tx(|port| port.signal_restore(run_key, &signal)).unwrap();
        let signals = bed.tx(|port| port.signals_carried(run_key, 9, usize::MAX)).unwrap();
        assert_eq!(signals.last(), Some(&signal));
    }
    let other = bed.run(2, at(9));
    bed.tx(|port| port.set_forked_from(other, run_key)).unwrap();
    assert_eq!(bed.tx(|port| port.run_carried(other)).unwrap().forked_from, Some(run_id(1)));
}

/// What ran is lost: charged a loss, out of the counts of its queue, and with its last try failed.
pub(super) fn an_attempt_that_ran_comes_in_as_lost(bed: &mut dyn Bed) {
    let limits = QueueLimits { concurrency: Some(1), ..QueueLimits::default() };
    bed.tx(|port| queue::set(port, "default", &limits)).unwrap();
    begun(bed, 1, &Submit { max_tries: 2, ..plain() }, 5);
    let document = export(bed, 1);
    import(bed, &document, Ids::New, 50).unwrap();
    let copy = bed.key(101);
    let task = bed.task(copy).unwrap();
    assert_eq!((task.state, task.fence, task.losses, task.due_at_ms), (TaskState::Ready, 1, 1, 50));
    let (_, running) = bed.tx(|port| port.queue("default")).unwrap().unwrap();
    assert_eq!(running, 1, "the original alone");
    let attempts = bed.tx(|port| port.attempts_after(copy, 0, 9)).unwrap();
    assert_eq!((attempts[0].started_at_ms, attempts[0].ended_at_ms), (5, 50));
    let again = document.replace("\"losses\":0", "\"losses\":1");
    assert_ne!(again, document);
    let again = again.replace(&text(1), &text(4));
    import(bed, &again, Ids::Keep, 60).unwrap();
    let failed = bed.key(4);
    let end = bed.tx(|port| port.run_end(failed)).unwrap().unwrap();
    assert!(end.error.unwrap().contains("it ran when its run was exported"));
}

/// A child that waits wakes its parent in the new tree, and nobody in the old one.
pub(super) fn children_wake_their_parents_in_their_own_tree(bed: &mut dyn Bed) {
    let root = begun(bed, 1, &plain(), 5);
    let submit = Submit { queue: Some("c".into()), ..plain() };
    let child = NewChild { name: "c".into(), occurrence: 1, submit, run_id: run_id(2) };
    bed.tx(|port| child::submit(port, root, std::slice::from_ref(&child), at(6))).unwrap();
    let ask = Ask {
        fence: root,
        form: Form::Child,
        name: text(2),
        occurrence: 1,
        members: vec![Member::Child(run_id(2))],
        timeout_ms: -1,
    };
    let pending = vec![Pending::Ask(ask)];
    let parking = Parking { pending, has_open_step: false };
    bed.tx(|port| suspend(port, root, &parking, at(7))).unwrap();
    let document = export(bed, 1);
    import(bed, &document, Ids::New, 50).unwrap();
    let copy = bed.key(101);
    let mut other = claimer(9, bed.owner_key(9));
    other.filter.queue = "c".into();
    let first = bed.claim(&other, at(51)).unwrap().fence;
    assert_eq!(first.run_key, bed.key(2));
    let second = bed.claim(&other, at(52)).unwrap().fence;
    complete(bed, second, 53);
    let states = [root.run_key, copy].map(|key| bed.task(key).unwrap().state);
    assert_eq!(states, [TaskState::Waiting, TaskState::Ready]);
    let fence = bed.claimed(at(54)).fence;
    let children = [NewChild { run_id: run_id(99), ..child }];
    let known = bed.tx(|port| child::look(port, fence, &children, at(55))).unwrap().unwrap();
    assert_eq!(known, [(run_id(102), true)]);
}

/// An import tells the queues whose runs may be claimed or come due.
pub(super) fn an_import_tells_the_queues_that_it_fills(bed: &mut dyn Bed) {
    let submit = Submit { queue: Some("q".into()), ..plain() };
    bed.submit(1, &submit, at(5));
    let document = export(bed, 1);
    import_quietly(bed, &document);
    assert_eq!(bed.news(), News::CHANGED.and(News::claimable(Queues::named("q"))));
    bed.submit(2, &Submit { run_at_ms: 900, ..submit }, at(5));
    let document = export(bed, 2);
    import_quietly(bed, &document);
    assert_eq!(bed.news(), News::CHANGED.and(News::due_earlier(Queues::named("q"))));
}

fn import_quietly(bed: &mut dyn Bed, document: &str) {
    let mut draws = super::Draws(document.len() as u64);
    let draw = || Id::from_bytes([u8::try_from(150 + draws.below(90)).unwrap(); 16]);
    let tree = carry::read(document, BOUNDS, Ids::New, draw).unwrap();
    bed.tx(|port| carry::bring(port, &tree, run_id(0xAB), at(60))).unwrap();
}

/// A cancel that had still to come down comes down, in both trees.
pub(super) fn a_cancel_under_way_is_carried(bed: &mut dyn Bed) {
    let root = begun(bed, 1, &plain(), 5);
    bed.child(root, run_id(2));
    complete(bed, root, 6);
    bed.tx(|port| port.cascades_insert(&[root.run_key])).unwrap();
    let document = export(bed, 1);
    assert!(document.contains("\"ending_children\":true"), "{document}");
    import(bed, &document, Ids::New, 50).unwrap();
    let owner = Owner { owner_key: 0, id: owner_id(1) };
    bed.tx(|port| port.owner_make(&owner, 1)).unwrap();
    while bed.tx(|port| control::sweep_cascades(port, at(60))).unwrap().has_more {}
    for number in [2, 102] {
        let key = bed.key(number);
        assert!(bed.task(key).is_none(), "run {number} lives");
    }
}
