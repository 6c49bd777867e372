//! Claims about what a write tells others.

use super::{Bed, at, plain, run_id, subject};
use crate::domain::FailOptions;
use crate::domain::attempt::{End, Finish};
use crate::domain::control::{cancel, pause, resume};
use crate::domain::news::{News, Queues};
use crate::domain::port::{Fence, QueueLimits};
use crate::domain::queue;
use crate::domain::step::{self, Begin};
use crate::domain::submit::{QUEUE_DEFAULT, Submit};
use crate::domain::suspend::{self, Parking, Pending};
use crate::domain::sweep::sweep;
use crate::id;

fn claimable() -> News {
    News::claimable(Queues::named(QUEUE_DEFAULT))
}

fn due() -> News {
    News::due_earlier(Queues::named(QUEUE_DEFAULT))
}

fn claimed(bed: &mut dyn Bed, number: u8) -> Fence {
    bed.run(number, at(5));
    bed.claimed(at(6)).fence
}

fn text(number: u8) -> String {
    id::write("run", run_id(number))
}

pub(super) fn a_run_is_told_to_the_queue_it_comes_into(bed: &mut dyn Bed) {
    let keyed = Submit { idempotency_key: Some("k".into()), ..plain() };
    bed.submit(1, &keyed, at(5));
    assert_eq!(bed.news(), claimable());
    bed.submit(2, &keyed, at(5));
    assert_eq!(bed.news(), News::default(), "nothing was made");
    bed.submit(3, &Submit { run_at_ms: 9, ..plain() }, at(5));
    assert_eq!(bed.news(), News::CHANGED.and(due()));
    bed.submit(4, &Submit { queue: Some("other".into()), ..plain() }, at(5));
    assert_eq!(bed.news(), News::claimable(Queues::named("other")));
}

pub(super) fn an_end_tells_what_it_makes_claimable(bed: &mut dyn Bed) {
    let fence = claimed(bed, 1);
    bed.finish(fence, &End::Complete("1".into()), at(7)).unwrap();
    assert_eq!(bed.news(), News::CHANGED, "an ended run is no run to claim");
    let fence = claimed(bed, 2);
    let later = FailOptions { retry_after_ms: 100, ..FailOptions::default() };
    bed.finish(fence, &End::Fail("1".into(), later), at(7)).unwrap();
    assert_eq!(bed.news(), News::CHANGED.and(due()));
    let fence = claimed(bed, 3);
    bed.finish(fence, &End::Release(0), at(7)).unwrap();
    assert_eq!(bed.news(), claimable());
    bed.tx(|port| {
        let limits = QueueLimits { concurrency: Some(1), ..QueueLimits::default() };
        queue::set(port, QUEUE_DEFAULT, &limits)
    })
    .unwrap();
    assert_eq!(bed.news(), claimable());
    let fence = bed.claimed(at(8)).fence;
    bed.finish(fence, &End::Complete("1".into()), at(9)).unwrap();
    assert_eq!(bed.news(), claimable(), "there is room for the next");
}

pub(super) fn what_wakes_a_run_tells_every_queue(bed: &mut dyn Bed) {
    let parent = claimed(bed, 1);
    bed.child(parent, run_id(2));
    let ask = crate::domain::wait::Ask {
        fence: parent,
        form: crate::domain::wait::Form::Child,
        name: text(2),
        occurrence: 1,
        members: vec![crate::domain::wait::Member::Child(run_id(2))],
        timeout_ms: -1,
    };
    bed.tx(|port| crate::domain::wait::answer(port, &ask, at(7))).unwrap();
    let parking = Parking { pending: vec![Pending::Ask(ask)], has_open_step: false };
    let parked = bed.tx(|port| suspend::suspend(port, parent, &parking, at(8))).unwrap();
    assert_eq!((parked, bed.news()), (Finish::Suspended, due()));
    let child = bed.claimed(at(9)).fence;
    bed.finish(child, &End::Complete("1".into()), at(10)).unwrap();
    assert_eq!(bed.news(), News::claimable(Queues::ALL));
}

pub(super) fn whoever_must_hear_it_is_recalled(bed: &mut dyn Bed) {
    let cancelled = claimed(bed, 1);
    bed.tx(|port| cancel(port, &text(1), None, at(7))).unwrap();
    assert_eq!(bed.news(), News::RECALLED);
    bed.finish(cancelled, &End::Release(0), at(8)).unwrap();
    claimed(bed, 2);
    bed.tx(|port| sweep(port, &[], run_id(0xEE), at(20_000))).unwrap();
    assert!(bed.news().is_recalled, "its lease lapsed");
    assert_eq!(bed.news().claimable, Queues::named(QUEUE_DEFAULT));
    let timed = Submit { timeout_ms: 10, ..plain() };
    bed.submit(3, &timed, at(20_000));
    bed.claimed(at(20_001));
    bed.claimed(at(20_001));
    bed.tx(|port| sweep(port, &[], run_id(0xEE), at(20_010))).unwrap();
    assert_eq!(bed.news(), News::RECALLED);
}

pub(super) fn a_step_tells_nobody_and_a_pause_whoever_looks(bed: &mut dyn Bed) {
    let fence = claimed(bed, 1);
    let subject = subject(fence, "a", Begin::default(), at(7));
    bed.tx(|port| step::complete(port, &subject, "1", at(7))).unwrap();
    assert_eq!(bed.news(), News::default());
    bed.tx(|port| pause(port, &text(1), at(7))).unwrap();
    assert_eq!(bed.news(), News::default(), "it runs on");
    bed.finish(fence, &End::Release(0), at(8)).unwrap();
    assert_eq!(bed.news(), News::CHANGED, "it is set aside");
    bed.tx(|port| resume(port, &text(1), at(9))).unwrap();
    assert_eq!(bed.news(), claimable());
}
