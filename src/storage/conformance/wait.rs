//! Claims about waiting: sleeps, signals, any and all of many, parking and waking.

use super::{Bed, at, claimer, plain, run_id, subject};
use crate::clock::Now;
use crate::domain::attempt::{End, Finish};
use crate::domain::child::{self, NewChild};
use crate::domain::control;
use crate::domain::hold::Lease;
use crate::domain::news::{News, Queues};
use crate::domain::port::{
    Came, Fence, GatePlace, RunKey, StepKind, StepState, Target, TaskState, Value, Woken, WokenFor,
};
use crate::domain::signal;
use crate::domain::step::{self, Begin};
use crate::domain::submit::Submit;
use crate::domain::suspend::{Parking, Pending, suspend};
use crate::domain::wait::{self, Answer, Ask, Form, Member, Wait};
use crate::error::Result;
use crate::id;

fn ask_of(fence: Fence, form: Form, members: Vec<Member>, timeout_ms: i64) -> Ask {
    Ask { fence, form, name: "a".into(), occurrence: 1, members, timeout_ms }
}

fn named(name: &str) -> Member {
    Member::Signal(name.into())
}

/// Asks as the floor above does: looks, and writes only what a look cannot answer.
fn ask(bed: &mut dyn Bed, ask: &Ask, now: Now) -> Answer {
    let before = bed.dump();
    let looked = bed.tx(|port| wait::look(port, ask, now)).unwrap();
    assert_eq!(bed.dump(), before, "a look wrote");
    looked.unwrap_or_else(|| bed.tx(|port| wait::answer(port, ask, now)).unwrap().0)
}

fn pending(bed: &mut dyn Bed, question: &Ask, now: Now) -> Wait {
    let answer = ask(bed, question, now);
    let Answer::NotYet(wait) = answer else { panic!("answered {answer:?}") };
    wait
}

fn send(bed: &mut dyn Bed, name: &str, payload: &str, key: Option<&str>, now: Now) -> Result<bool> {
    let run = id::write("run", run_id(1));
    bed.tx(|port| signal::send(port, &run, name, payload, key, now))
}

fn park(bed: &mut dyn Bed, fence: Fence, asks: &[&Ask], now: Now) {
    park_on(bed, fence, asks.iter().map(|ask| Pending::Ask((*ask).clone())).collect(), now);
}

fn park_on(bed: &mut dyn Bed, fence: Fence, pending: Vec<Pending>, now: Now) {
    let parking = Parking { pending, has_open_step: false };
    let finish = bed.tx(|port| suspend(port, fence, &parking, now)).unwrap();
    assert!(matches!(finish, Finish::Suspended), "{finish:?}");
}

fn state(bed: &mut dyn Bed, run_key: RunKey) -> TaskState {
    bed.task(run_key).unwrap().state
}

fn ready(text: &str) -> Answer {
    Answer::Ready(text.into())
}

/// Submits run 1 and claims it.
fn attempt(bed: &mut dyn Bed, now: Now) -> Fence {
    bed.run(1, now);
    bed.claimed(now).fence
}

fn new_child(number: u8) -> NewChild {
    let submit = Submit { queue: Some("children".into()), ..plain() };
    NewChild { name: format!("c{number}"), occurrence: 1, submit, run_id: run_id(number) }
}

fn submit_children(bed: &mut dyn Bed, fence: Fence, numbers: std::ops::Range<u8>, now: Now) {
    let children: Vec<NewChild> = numbers.map(new_child).collect();
    bed.tx(|port| child::submit(port, fence, &children, now)).unwrap();
}

/// Claims the next child and completes it with this result.
fn end_child(bed: &mut dyn Bed, result: &str, now: Now) {
    let mut other = claimer(9, bed.owner_key(9));
    other.filter.queue = "children".into();
    let fence = bed.claim(&other, now).expect("a child to claim").fence;
    bed.finish(fence, &End::Complete(result.into()), now).unwrap();
}

/// P25: of all that must come, each is counted once, and the last says which sleep is left.
pub(super) fn who_waits_is_told_with_what_is_left(bed: &mut dyn Bed) {
    let fence = attempt(bed, at(5));
    let other = bed.run(2, at(5));
    let run_key = fence.run_key;
    let (signal, sleep) = (Target::Signal("s".into()), Target::Time(900));
    bed.tx(|port| {
        let targets = [(&Target::Child(8), 1), (&Target::Child(9), 1), (&sleep, 0), (&signal, 2)];
        port.waits_insert(run_key, &targets).unwrap();
        port.task_park(run_key, Some(700), 3, 6).unwrap();
        port.waits_insert(other, &[(&Target::Child(9), 0)]).unwrap();
    });
    let waiters = |bed: &mut dyn Bed, target: &Target| {
        let waiters = bed.tx(|port| port.waiters(run_key, target).unwrap());
        let told = waiters.iter().map(|w| (w.run_key, w.left, w.sleeps_until_ms, w.wake_at_ms));
        told.collect::<Vec<_>>()
    };
    assert_eq!(waiters(bed, &Target::Child(7)), []);
    assert_eq!(waiters(bed, &signal), [], "the first of two");
    assert_eq!(waiters(bed, &Target::Child(8)), [(run_key, 2, None, Some(700))]);
    assert_eq!(waiters(bed, &Target::Child(8)), [], "counted once");
    let both = [(run_key, 1, None, Some(700)), (other, 0, None, None)];
    assert_eq!(waiters(bed, &Target::Child(9)), both);
    assert_eq!(waiters(bed, &signal), [(run_key, 0, Some(900), Some(700))]);
}

pub(super) fn what_has_come_is_told_in_the_order_of_asking_up_to_a_bound(bed: &mut dyn Bed) {
    let fence = attempt(bed, at(5));
    submit_children(bed, fence, 10..12, at(6));
    end_child(bed, "\"end\"", at(7));
    for (name, payload) in [("a", "1"), ("b", "22"), ("a", "333"), ("a", "4")] {
        send(bed, name, payload, None, at(8)).unwrap();
    }
    let run_key = fence.run_key;
    let ids = [run_id(11), run_id(99), run_id(10)];
    let states = bed.tx(|port| port.children(&ids).unwrap());
    let ends: Vec<_> = states.iter().map(|state| state.map(|child| child.finished_at_ms)).collect();
    assert_eq!(ends, [Some(None), None, Some(Some(7))]);
    let found = bed.tx(|port| port.signals(run_key, &[("b", 2), ("c", 1), ("a", 2)]).unwrap());
    let keys: Vec<Vec<i64>> = found
        .iter()
        .map(|signals| signals.iter().map(|signal| signal.signal_key).collect())
        .collect();
    assert_eq!(keys, [vec![2], vec![], vec![1, 3]]);
    let came = [Came::Signal(3), Came::Child(states[2].unwrap().run_key), Came::Signal(1)];
    let values = |bed: &mut dyn Bed, bytes| {
        let values = bed.tx(|port| port.values(&came, bytes).unwrap()).into_iter();
        let text = |value| match value {
            Value::Signal(payload) => payload,
            Value::Child(end) => end.result.unwrap(),
        };
        values.map(text).collect::<Vec<_>>()
    };
    assert_eq!(values(bed, 9), ["333", "\"end\"", "1"]);
    assert_eq!(values(bed, 7), ["333", "\"end\""]);
    assert_eq!(values(bed, 3), ["333", "\"end\""], "the one after that");
    assert_eq!(values(bed, 2), ["333"]);
    let nap = ask_of(fence, Form::Sleep, vec![Member::Sleep(0)], -1);
    ask(bed, &Ask { form: Form::Any, ..nap }, at(9));
    bed.tx(|port| port.signals_take(&[1, 2], run_key, "a", 1).unwrap());
    let left = bed.tx(|port| port.signals(run_key, &[("a", 9), ("b", 9)]).unwrap());
    assert_eq!(left.iter().map(Vec::len).collect::<Vec<_>>(), [2, 0]);
}

pub(super) fn tasks_that_wake_are_ready_at_their_gates_and_wait_for_nothing(bed: &mut dyn Bed) {
    let gated = Submit { concurrency_key: Some("g".into()), run_at_ms: 500, ..plain() };
    for number in 1..=2 {
        bed.submit(number, &gated, at(5));
    }
    let (one, two) = (bed.key(1), bed.key(2));
    let keys = [bed.run(3, at(5)), one, two, i64::MAX];
    let lane_key = bed.task(one).unwrap().lane_key;
    bed.tx(|port| port.waits_insert(one, &[(&Target::Signal("s".into()), 0)]).unwrap());
    let woken = bed.tx(|port| port.tasks_wake(&keys, 600, WokenFor::Room).unwrap());
    let places = vec![GatePlace { lane_key, gate: "g".into() }];
    assert_eq!(woken, Woken { count: 2, places }, "one was ready, one is not there");
    let seen = |bed: &mut dyn Bed, key| {
        let task = bed.task(key).unwrap();
        (task.state, task.due_at_ms, task.wake_at_ms, task.is_woken_for_room)
    };
    assert_eq!(seen(bed, one), (TaskState::Ready, 600, None, true));
    assert_eq!(seen(bed, two), (TaskState::Ready, 600, None, true));
    assert_eq!(seen(bed, keys[0]), (TaskState::Ready, 5, None, false));
    assert!(bed.tx(|port| port.waits(one, 9).unwrap()).is_empty());
}

/// Returns whether nothing is to be claimed.
fn is_idle(bed: &mut dyn Bed, now: Now) -> bool {
    let claimer = claimer(1, bed.owner_key(1));
    bed.claim(&claimer, now).is_none()
}

/// P22.
pub(super) fn a_sleep_is_over_when_its_first_call_said(bed: &mut dyn Bed) {
    let fence = attempt(bed, at(10));
    let nap = |ms| ask_of(fence, Form::Sleep, vec![Member::Sleep(ms)], -1);
    assert_eq!(pending(bed, &nap(100), at(20)).at_ms, Some(120));
    assert_eq!(pending(bed, &nap(5), at(119)).at_ms, Some(120));
    assert_eq!(ask(bed, &nap(1_000_000), at(120)), ready("null"));
    let row = bed.tx(|port| port.step(fence.run_key, StepKind::Sleep, "a", 1)).unwrap().unwrap();
    assert_eq!((row.facts.state, row.started_at_ms, row.took_ms), (StepState::Done, 20, 100));
    assert_eq!(ask(bed, &nap(7), at(130)), ready("null"));
}

/// P23, and what a deadline means: what was sent at it or before wins however late the run asks.
pub(super) fn a_message_in_time_wins_however_late_the_run_asks(bed: &mut dyn Bed) {
    let fence = attempt(bed, at(10));
    let question = ask_of(fence, Form::Signal, vec![named("go")], 100);
    assert_eq!(pending(bed, &question, at(20)).at_ms, Some(120));
    send(bed, "go", "1", None, at(120)).unwrap();
    assert_eq!(ask(bed, &question, at(9_000)), ready("1"));
}

/// P23, where clocks differ: as long as the deadline has not passed, what lies there is in time.
pub(super) fn a_message_that_lies_there_is_in_time_whichever_clock_stamped_it(bed: &mut dyn Bed) {
    let fence = attempt(bed, at(10));
    send(bed, "go", "1", None, at(9_000)).unwrap();
    let question = ask_of(fence, Form::Signal, vec![named("go")], 100);
    assert_eq!(ask(bed, &question, at(20)), ready("1"));
}

/// A later signal is kept for the next await.
pub(super) fn a_message_after_the_deadline_is_too_late_and_is_kept(bed: &mut dyn Bed) {
    let fence = attempt(bed, at(10));
    let question = ask_of(fence, Form::Signal, vec![named("go")], 100);
    pending(bed, &question, at(20));
    send(bed, "go", "1", None, at(121)).unwrap();
    assert_eq!(ask(bed, &question, at(130)), Answer::TimedOut);
    assert_eq!(ask(bed, &question, at(140)), Answer::TimedOut);
    let next = Ask { occurrence: 2, timeout_ms: 0, ..question };
    assert_eq!(ask(bed, &next, at(150)), ready("1"));
}

/// P23: early ones are kept, in order; a transaction that is lost takes none.
pub(super) fn each_message_is_taken_by_one_await_in_the_order_of_sending(bed: &mut dyn Bed) {
    let fence = attempt(bed, at(10));
    for payload in ["{ \"n\" : 1 }", "2"] {
        send(bed, "go", payload, None, at(11)).unwrap();
    }
    send(bed, "other", "0", None, at(11)).unwrap();
    let first = ask_of(fence, Form::Signal, vec![named("go")], -1);
    let lost = bed.undone(|port| wait::answer(port, &first, at(12)).unwrap().0);
    assert_eq!(lost, ready("{ \"n\" : 1 }"));
    for _ in 0..2 {
        assert_eq!(ask(bed, &first, at(13)), ready("{ \"n\" : 1 }"));
    }
    assert_eq!(ask(bed, &Ask { occurrence: 2, ..first.clone() }, at(14)), ready("2"));
    pending(bed, &Ask { occurrence: 3, ..first }, at(15));
}

/// P23.
pub(super) fn a_key_sends_once_even_after_its_message_was_taken(bed: &mut dyn Bed) {
    let fence = attempt(bed, at(10));
    assert!(!send(bed, "go", "1", Some("k"), at(11)).unwrap());
    assert!(send(bed, "go", "2", Some("k"), at(12)).unwrap());
    assert!(!send(bed, "stop", "3", Some("k"), at(12)).unwrap(), "a key of another name");
    let question = ask_of(fence, Form::Signal, vec![named("go")], -1);
    assert_eq!(ask(bed, &question, at(13)), ready("1"));
    assert!(send(bed, "go", "4", Some("k"), at(14)).unwrap());
    pending(bed, &Ask { occurrence: 2, ..question }, at(15));
}

/// A run that has ended takes no signal, and still knows the keys it took.
pub(super) fn an_ended_run_takes_no_signals(bed: &mut dyn Bed) {
    let fence = attempt(bed, at(10));
    send(bed, "go", "1", Some("k"), at(11)).unwrap();
    bed.finish(fence, &End::Complete("1".into()), at(12)).unwrap();
    assert_eq!(send(bed, "go", "2", None, at(13)).unwrap_err().code(), -23);
    assert!(send(bed, "go", "1", Some("k"), at(13)).unwrap());
    let nobody = id::write("run", run_id(77));
    let refused = |port: &mut dyn crate::domain::port::Port| {
        signal::send(port, &nobody, "go", "1", None, at(13))
    };
    bed.refused(-3, refused);
}

/// Any: by time, then by place; it is recorded, and the losers stay as they were.
pub(super) fn of_any_the_earliest_is_taken_and_the_others_stay(bed: &mut dyn Bed) {
    let fence = attempt(bed, at(10));
    send(bed, "late", "1", None, at(30)).unwrap();
    send(bed, "early", "2", None, at(25)).unwrap();
    let members = vec![named("late"), Member::Sleep(15), named("early")];
    let any = ask_of(fence, Form::Any, members, -1);
    for now in [40, 50] {
        let first = ask(bed, &any, at(now));
        assert_eq!(first, ready(r#"{"index":2,"outcome":"ok","value":2}"#));
    }
    let left = ask_of(fence, Form::Signal, vec![named("late")], -1);
    assert_eq!(ask(bed, &Ask { occurrence: 2, ..left }, at(60)), ready("1"));
    let tie = Ask { occurrence: 3, members: vec![Member::Sleep(5), Member::Sleep(5)], ..any };
    pending(bed, &tie, at(70));
    assert_eq!(ask(bed, &tie, at(80)), ready(r#"{"index":0,"outcome":"ok","value":null}"#));
}

/// All: a name that is mentioned twice takes two signals; one of them is not enough to wake.
pub(super) fn of_all_a_name_mentioned_twice_takes_two_signals(bed: &mut dyn Bed) {
    let fence = attempt(bed, at(10));
    let members = vec![named("vote"), named("vote"), named("vote")];
    let all = ask_of(fence, Form::All, members, -1);
    send(bed, "vote", "1", None, at(11)).unwrap();
    pending(bed, &all, at(12));
    park(bed, fence, &[&all], at(13));
    assert_eq!(state(bed, fence.run_key), TaskState::Waiting, "one vote of three wakes nobody");
    send(bed, "vote", "2", None, at(14)).unwrap();
    assert_eq!(bed.news(), News::default(), "two votes of three wake nobody");
    send(bed, "vote", "3", None, at(15)).unwrap();
    assert_eq!(bed.news(), News::claimable(Queues::ALL));
    let fence = bed.claimed(at(16)).fence;
    let entry = |index| {
        let value = index + 1;
        format!("{{\"index\":{index},\"outcome\":\"ok\",\"value\":{value}}}")
    };
    let expected = format!("[{},{},{}]", entry(0), entry(1), entry(2));
    assert_eq!(ask(bed, &Ask { fence, ..all }, at(17)), Answer::Ready(expected));
}

/// P23, P24: a signal that was there when all were asked for, and is another await's by the park, is
/// to come again.
pub(super) fn all_waits_for_a_message_that_another_await_took_before_the_park(bed: &mut dyn Bed) {
    let fence = attempt(bed, at(10));
    let all = ask_of(fence, Form::All, vec![named("go"), named("vote")], -1);
    send(bed, "vote", "1", None, at(11)).unwrap();
    pending(bed, &all, at(12));
    let vote = Ask { name: "vote".into(), ..ask_of(fence, Form::Signal, vec![named("vote")], -1) };
    assert_eq!(ask(bed, &vote, at(13)), ready("1"));

    park(bed, fence, &[&all], at(14));

    send(bed, "go", "2", None, at(15)).unwrap();
    assert_eq!(bed.news(), News::default());
    send(bed, "vote", "3", None, at(16)).unwrap();
    assert_eq!(bed.news(), News::claimable(Queues::ALL));
}

/// P25: each end of a child counts down, the last one wakes.
pub(super) fn all_of_many_children_wake_their_parent_once(bed: &mut dyn Bed) {
    let fence = attempt(bed, at(10));
    submit_children(bed, fence, 2..7, at(11));
    end_child(bed, "2", at(12));
    let mut members: Vec<Member> = (2..7).map(|number| Member::Child(run_id(number))).collect();
    members.push(members[1].clone());
    let all = ask_of(fence, Form::All, members, -1);
    pending(bed, &all, at(13));
    end_child(bed, "3", at(14));
    park(bed, fence, &[&all], at(15));
    for result in ["4", "5"] {
        end_child(bed, result, at(16));
        assert_eq!(state(bed, fence.run_key), TaskState::Waiting);
    }
    end_child(bed, "6", at(17));
    let fence = bed.claimed(at(18)).fence;
    assert_eq!(fence.number, 2);
    let Answer::Ready(text) = ask(bed, &Ask { fence, ..all }, at(19)) else { panic!() };
    assert!(text.starts_with(r#"[{"index":0,"outcome":"ok","value":2},"#), "{text}");
    assert!(text.ends_with(r#"{"index":5,"outcome":"ok","value":3}]"#), "{text}");
}

/// A sleep among all of them: the run wakes when the last is ready, whichever that is.
pub(super) fn all_with_a_sleep_wakes_when_the_last_is_ready(bed: &mut dyn Bed) {
    for (is_sleep_last, ends_at) in [(true, 50), (false, 150)] {
        let number = if is_sleep_last { 1 } else { 3 };
        let run_key = bed.run(number, at(10));
        let fence = bed.claimed(at(10)).fence;
        submit_children(bed, fence, number + 1..number + 2, at(10));
        let members = vec![Member::Child(run_id(number + 1)), Member::Sleep(100)];
        let all = ask_of(fence, Form::All, members, 1_000);
        pending(bed, &all, at(10));
        park(bed, fence, &[&all], at(10));
        if !is_sleep_last {
            assert!(is_idle(bed, at(120)));
        }
        end_child(bed, "1", at(ends_at));
        if is_sleep_last {
            assert_eq!(state(bed, run_key), TaskState::Waiting);
            assert!(is_idle(bed, at(109)));
        }
        let fence = bed.claimed(at(ends_at.max(110))).fence;
        assert_eq!(fence.number, 2);
        let Answer::Ready(_) = ask(bed, &Ask { fence, ..all }, at(200)) else { panic!() };
        bed.finish(fence, &End::Complete("1".into()), at(201)).unwrap();
    }
}

/// P24: with all else there when it parks, only the sleep is left to wake the run; so also beside an
/// await that nothing answers.
pub(super) fn all_with_a_sleep_wakes_although_the_rest_came_before_the_park(bed: &mut dyn Bed) {
    for (number, has_other) in [(1, false), (3, true)] {
        bed.run(number, at(10));
        let fence = bed.claimed(at(10)).fence;
        submit_children(bed, fence, number + 1..number + 2, at(10));
        let members = vec![Member::Child(run_id(number + 1)), Member::Sleep(100)];
        let all = ask_of(fence, Form::All, members, -1);
        pending(bed, &all, at(10));
        let never = ask_of(fence, Form::All, vec![named("never")], -1);
        let never = Ask { name: "never".into(), ..never };
        if has_other {
            pending(bed, &never, at(10));
        }
        end_child(bed, "1", at(20));
        let both = [&all, &never];
        park(bed, fence, &both[..1 + usize::from(has_other)], at(30));
        assert!(is_idle(bed, at(109)));
        let fence = bed.claimed(at(110)).fence;
        let Answer::Ready(_) = ask(bed, &Ask { fence, ..all }, at(110)) else { panic!() };
        bed.finish(fence, &End::Complete("1".into()), at(111)).unwrap();
    }
}

/// P24: what came between the ask and the park is seen.
pub(super) fn a_park_looks_once_more(bed: &mut dyn Bed) {
    let fence = attempt(bed, at(10));
    submit_children(bed, fence, 2..3, at(10));
    let child = ask_of(fence, Form::Child, vec![Member::Child(run_id(2))], -1);
    let go = ask_of(fence, Form::Signal, vec![named("go")], -1);
    let go = Ask { name: "go".into(), ..go };
    let nap = ask_of(fence, Form::Sleep, vec![Member::Sleep(5)], -1);
    let mut fence = fence;
    for come in 0..3 {
        let asks = [&child, &go, &nap].map(|question| Ask { fence, ..question.clone() });
        pending(bed, &asks[come], at(11));
        match come {
            0 => end_child(bed, "1", at(12)),
            1 => drop(send(bed, "go", "1", None, at(12)).unwrap()),
            _ => {}
        }
        park(bed, fence, &[&asks[come]], at(20));
        assert_eq!(state(bed, fence.run_key), TaskState::Ready, "member {come}");
        fence = bed.claimed(at(21)).fence;
    }
}

/// P24: any member of the set wakes, and what else was waited for is forgotten with it.
pub(super) fn any_member_of_the_set_wakes_and_the_rest_is_forgotten(bed: &mut dyn Bed) {
    let fence = attempt(bed, at(10));
    let go = Ask { name: "go".into(), ..ask_of(fence, Form::Signal, vec![named("go")], -1) };
    let stop = Ask { name: "stop".into(), ..ask_of(fence, Form::Signal, vec![named("stop")], 90) };
    pending(bed, &go, at(10));
    pending(bed, &stop, at(10));
    park(bed, fence, &[&go, &stop], at(11));
    send(bed, "stop", "1", None, at(12)).unwrap();
    assert_eq!(bed.news(), News::claimable(Queues::ALL));
    send(bed, "go", "1", None, at(13)).unwrap();
    assert_eq!(bed.news(), News::default(), "it has woken already");
    let fence = bed.claimed(at(14)).fence;
    assert_eq!(ask(bed, &Ask { fence, ..go }, at(15)), ready("1"));
    assert_eq!(ask(bed, &Ask { fence, ..stop }, at(15)), ready("1"));
}

/// P24: first the fence, then whether the run was told to end, then what there is to wait for.
pub(super) fn a_park_checks_the_fence_first(bed: &mut dyn Bed) {
    let lost = attempt(bed, at(10));
    let held = bed.claim(&claimer(2, 0), at(20_000)).unwrap().fence;
    let open = Parking { pending: Vec::new(), has_open_step: true };
    let empty = Parking::default();
    for parking in [&open, &empty] {
        bed.refused(-20, |port| suspend(port, lost, parking, at(20_001)));
        bed.refused(-23, |port| suspend(port, held, parking, at(20_001)));
    }
    bed.tx(|port| control::cancel(port, &id::write("run", run_id(1)), None, at(20_002))).unwrap();
    let end = bed.tx(|port| suspend(port, held, &open, at(20_003))).unwrap();
    assert!(matches!(end, Finish::Stopped(_)), "{end:?}");
    assert!(bed.task(held.run_key).is_none());
}

/// P24: a lost answer is asked for again.
pub(super) fn the_same_park_again_is_the_same_answer(bed: &mut dyn Bed) {
    let fence = attempt(bed, at(10));
    let go = ask_of(fence, Form::Signal, vec![named("go")], -1);
    pending(bed, &go, at(11));
    park(bed, fence, &[&go], at(12));
    park(bed, fence, &[&go], at(13));
    send(bed, "go", "1", None, at(14)).unwrap();
    bed.claimed(at(15));
    park(bed, fence, &[&go], at(16));
    assert_eq!(state(bed, fence.run_key), TaskState::Running);
}

/// P10, P26: of a stale attempt, and of one whose run was cancelled.
pub(super) fn an_attempt_that_must_stop_asks_nothing(bed: &mut dyn Bed) {
    let lost = attempt(bed, at(10));
    send(bed, "a", "1", None, at(11)).unwrap();
    let held = bed.claim(&claimer(2, 0), at(20_000)).unwrap().fence;
    let refuse_all = |bed: &mut dyn Bed, code, fence: Fence, now: Now| {
        let questions = [
            ask_of(fence, Form::Sleep, vec![Member::Sleep(0)], -1),
            ask_of(fence, Form::Signal, vec![named("a")], 5),
            ask_of(fence, Form::Any, vec![named("a")], -1),
        ];
        for question in questions {
            bed.refused(code, |port| wait::look(port, &question, now));
            bed.refused(code, |port| wait::answer(port, &question, now));
        }
        bed.refused(code, |port| child::submit(port, fence, &[new_child(2)], now));
    };
    refuse_all(bed, -20, lost, at(20_001));
    bed.tx(|port| control::cancel(port, &id::write("run", run_id(1)), None, at(20_002))).unwrap();
    refuse_all(bed, -21, held, at(20_003));
}

/// P11: an answer keeps half the lease ahead; P13: it is progress.
pub(super) fn an_answer_keeps_the_lease(bed: &mut dyn Bed) {
    let fence = attempt(bed, at(10));
    send(bed, "a", "1", None, at(11)).unwrap();
    let question = ask_of(fence, Form::Signal, vec![named("a")], -1);
    let answer =
        |port: &mut dyn crate::domain::port::Port| wait::answer(port, &question, at(9_000));
    assert_eq!(bed.tx(answer).unwrap().1, Lease { until_ms: 19_000 });
    assert_eq!(bed.task(fence.run_key).unwrap().lease_until_ms, 19_000);
}

/// P19 for awaits: what was asked one way is not asked another.
pub(super) fn an_ask_in_another_form_is_told(bed: &mut dyn Bed) {
    let fence = attempt(bed, at(10));
    pending(bed, &ask_of(fence, Form::Signal, vec![named("a")], 100), at(11));
    let any = ask_of(fence, Form::Any, vec![named("a")], 100);
    bed.refused(-22, |port| wait::answer(port, &any, at(12)));
    let other = ask_of(fence, Form::Any, vec![named("a"), Member::Sleep(5)], 100);
    pending(bed, &Ask { occurrence: 2, ..any }, at(13));
    let sentence =
        bed.refused(-22, |port| wait::answer(port, &Ask { occurrence: 2, ..other }, at(14)));
    assert!(sentence.contains("a sleep at index 1"), "{sentence}");
}

/// P25.
pub(super) fn a_child_is_submitted_once_per_name_and_occurrence(bed: &mut dyn Bed) {
    let fence = attempt(bed, at(10));
    let submit = |port: &mut dyn crate::domain::port::Port, number, occurrence| {
        let child = NewChild { occurrence, run_id: run_id(number), ..new_child(2) };
        child::submit(port, fence, &[child], at(11)).unwrap().0
    };
    bed.undone(|port| submit(port, 2, 1));
    assert_eq!(bed.tx(|port| submit(port, 3, 1)), [(run_id(3), false)]);
    assert_eq!(bed.tx(|port| submit(port, 4, 1)), [(run_id(3), true)]);
    assert_eq!(bed.tx(|port| submit(port, 5, 2)), [(run_id(5), false)]);
    let again = [NewChild { run_id: run_id(6), ..new_child(2) }];
    let found = bed.undone(|port| child::look(port, fence, &again, at(12)));
    assert_eq!(found.unwrap(), Some(vec![(run_id(3), true)]));
    let new = [again[0].clone(), new_child(7)];
    assert_eq!(bed.undone(|port| child::look(port, fence, &new, at(12))).unwrap(), None);
}

/// Only a run's own children are awaited.
pub(super) fn a_run_that_is_no_child_is_not_found(bed: &mut dyn Bed) {
    let fence = attempt(bed, at(10));
    bed.run(5, at(10));
    for member in [run_id(1), run_id(5), run_id(77)] {
        for form in [Form::Child, Form::Any, Form::All] {
            let question = ask_of(fence, form, vec![Member::Child(member)], -1);
            bed.refused(-3, |port| wait::look(port, &question, at(11)));
        }
    }
}

/// A child that failed or was cancelled answers with its error.
pub(super) fn a_child_that_did_not_complete_answers_with_its_error(bed: &mut dyn Bed) {
    let fence = attempt(bed, at(10));
    submit_children(bed, fence, 2..3, at(11));
    let child = id::write("run", run_id(2));
    bed.tx(|port| control::cancel(port, &child, Some("\"why\""), at(12))).unwrap();
    let question = ask_of(fence, Form::Child, vec![Member::Child(run_id(2))], 0);
    let Answer::Failed(error) = ask(bed, &question, at(12)) else { panic!() };
    assert!(error.contains("cancelled") && error.contains("\"why\""), "{error}");
    let all = ask_of(fence, Form::All, question.members.clone(), -1);
    let Answer::Ready(text) = ask(bed, &Ask { name: "all".into(), ..all }, at(13)) else {
        panic!()
    };
    assert!(text.starts_with(r#"[{"index":0,"outcome":"failed","value":{"$smolwf""#), "{text}");
}

/// P24: a step that backs off wakes its run.
pub(super) fn a_step_that_backs_off_wakes_its_run(bed: &mut dyn Bed) {
    let fence = attempt(bed, at(10));
    let failing = subject(fence, "s", Begin::default(), at(11));
    let options = crate::domain::FailOptions { retry_after_ms: 50, ..Default::default() };
    bed.tx(|port| step::fail(port, &failing, "1", options, at(11))).unwrap();
    park_on(bed, fence, vec![Pending::Retry(61)], at(12));
    assert!(is_idle(bed, at(60)));
    assert_eq!(bed.claimed(at(61)).fence.number, 2);
}
