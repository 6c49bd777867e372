//! Claims about large payloads: they are stored once, come back as they were given, and stay as long as
//! anything carries them.

use serde_json::Value;

use super::{Bed, Draws, at, plain, run_id, subject};
use crate::domain::attempt::End;
use crate::domain::child::{self, NewChild};
use crate::domain::control;
use crate::domain::event::{self, Append};
use crate::domain::list::filter::Asked;
use crate::domain::list::list;
use crate::domain::port::{Fence, Order, StepKind};
use crate::domain::query;
use crate::domain::retention::{Pruned, meant, prune_on};
use crate::domain::signal;
use crate::domain::step::{self, Begin};
use crate::domain::submit::{Submit, submit};
use crate::domain::wait::{self, Answer, Ask, Form, Member};
use crate::id;
use crate::limits::{EVENT_PAGE_BYTES, PAYLOAD_INLINE_BYTES_MAX};

const LARGE: usize = 40_000;

fn text(number: u8) -> String {
    id::write("run", run_id(number))
}

/// A payload that packs well, with a space before it that stays.
fn document(seed: &str, bytes: usize) -> String {
    format!(" \"{}\"", seed.repeat(bytes / seed.len()))
}

/// A payload that does not pack.
fn noise(seed: u64, bytes: usize) -> String {
    let mut draws = Draws(seed);
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |_| char::from(letters[draws.below(64) as usize]);
    format!("\"{}\"", (0..bytes).map(letter).collect::<String>())
}

fn begun(bed: &mut dyn Bed, number: u8, args: Option<String>) -> Fence {
    bed.submit(number, &Submit { args, ..plain() }, at(5));
    bed.claimed(at(6)).fence
}

fn complete(bed: &mut dyn Bed, fence: Fence, name: &str, result: &str) {
    let step = subject(fence, name, Begin::default(), at(10));
    bed.tx(|port| step::complete(port, &step, result, at(10))).unwrap();
}

fn say(bed: &mut dyn Bed, fence: Fence, payload: &str, key: Option<&str>) -> bool {
    let key = key.map(str::to_owned);
    let said = Append { fence, event_type: "said".into(), payload: payload.into(), key };
    bed.tx(|port| event::append(port, &said, at(10))).unwrap().0
}

fn send(bed: &mut dyn Bed, number: u8, payload: &str, key: Option<&str>) -> bool {
    let existed = bed.tx(|port| signal::send(port, &text(number), "s", payload, key, at(10)));
    !existed.unwrap()
}

/// Does all that a run can do with a payload, and ends it with that.
fn carry(bed: &mut dyn Bed, number: u8, payload: &str) {
    let fence = begun(bed, number, Some(payload.to_owned()));
    complete(bed, fence, "one", payload);
    complete(bed, fence, "two", payload);
    send(bed, number, payload, None);
    say(bed, fence, payload, None);
    bed.finish(fence, &End::Complete(payload.to_owned()), at(20)).unwrap();
}

fn assert_carried(bed: &mut dyn Bed, number: u8, payload: &str) {
    let history = bed.tx(|port| query::run_history(port, &text(number), None, 0)).unwrap();
    // The document embeds what was given, without the space about it.
    assert_eq!(history.matches(payload.trim()).count(), 6, "of run {number}");
    let run_key = bed.tx(|port| port.run_by_id(run_id(number))).unwrap().unwrap();
    let mut results = Vec::new();
    let mut note = |step: crate::domain::port::StepView<'_>| {
        results.push(step.result.unwrap().to_owned());
        true
    };
    bed.tx(|port| port.steps_walk(run_key, StepKind::Step, &mut note)).unwrap();
    assert!(results == [payload, payload], "a walk reads other results");
    let end = bed.tx(|port| port.run_end(run_key)).unwrap().unwrap();
    assert!(end.result.as_deref() == Some(payload), "another result");
}

/// So many large payloads stand apart from the rows that carry them, each once; none at all where each
/// row has its own.
fn assert_stored(bed: &mut dyn Bed, payloads: usize) {
    let expected = if bed.shares_payloads() { payloads } else { 0 };
    let dump = bed.dump();
    let stored = dump.lines().filter(|line| line.starts_with("sw_payload_bodies:")).count();
    assert_eq!(stored, expected);
}

fn assert_whole(bed: &mut dyn Bed) {
    let faults = bed.tx(|port| port.faults(20)).unwrap();
    assert!(faults.is_empty(), "{faults:?}");
}

fn prune(bed: &mut dyn Bed, filter: &str) -> u64 {
    let asked = Asked::read_in(Some(filter), Order::Oldest).unwrap();
    let meant = bed.tx(|port| meant(port, &asked)).unwrap();
    let mut pruned = Pruned::default();
    loop {
        pruned = bed.tx(|port| prune_on(port, Some(&meant), pruned, 100)).unwrap();
        assert_whole(bed);
        if !pruned.goes_on(100) {
            return pruned.bytes;
        }
    }
}

fn prune_run(bed: &mut dyn Bed, number: u8) -> u64 {
    prune(bed, &format!("{{\"root_run_id\":\"{}\"}}", text(number)))
}

/// P17.
pub(super) fn a_payload_comes_back_byte_for_byte_on_both_sides_of_the_bound(bed: &mut dyn Bed) {
    let bound = PAYLOAD_INLINE_BYTES_MAX;
    let mut number = 0;
    for bytes in [bound - 2, bound - 1, bound, LARGE, 1 << 20] {
        let odd = format!("{{ \"a\" : 1e3,\t\"b\":\"{}\\u0000ü\u{1F600}\" }}", "y".repeat(bytes));
        for payload in [document("ab", bytes), noise(bytes as u64, bytes - 2), odd] {
            number += 1;
            carry(bed, number, &payload);
            assert_carried(bed, number, &payload);
        }
    }
    assert_whole(bed);
}

/// Two runs that carry the same: what one is rid of, the other still has.
pub(super) fn a_payload_stays_as_long_as_one_run_carries_it(bed: &mut dyn Bed) {
    for (first, payload) in [(1, document("xyz", LARGE)), (11, noise(7, LARGE))] {
        carry(bed, first, &payload);
        carry(bed, first + 1, &payload);
        assert_stored(bed, 1);
        // What a run carried, however it is stored: args, result, two steps and a signal.
        assert_eq!(prune_run(bed, first), 5 * payload.len() as u64);
        assert_carried(bed, first + 1, &payload);
        assert_eq!(prune_run(bed, first + 1), 5 * payload.len() as u64);
        // The newest event stays, and so does what it says.
        assert_stored(bed, 1);
        let fence = begun(bed, first + 2, None);
        say(bed, fence, "1", None);
        bed.finish(fence, &End::Complete("1".into()), at(20)).unwrap();
        prune(bed, "{}");
        assert_stored(bed, 0);
    }
}

/// What is known already, or undone, counts nothing.
pub(super) fn what_is_not_written_leaves_no_payload(bed: &mut dyn Bed) {
    let payload = document("abc", LARGE);
    let keyed =
        Submit { idempotency_key: Some("k".into()), args: Some(payload.clone()), ..plain() };
    bed.submit(1, &keyed, at(5));
    let fence = bed.claimed(at(6)).fence;
    assert!(say(bed, fence, &payload, Some("k")) && send(bed, 1, &payload, Some("k")));
    complete(bed, fence, "s", &payload);
    let before = bed.dump();
    let other = Submit { args: Some(noise(3, LARGE)), ..keyed.clone() };
    for again in [&keyed, &other] {
        assert!(bed.submit(2, again, at(7)).existed);
        let args = again.args.as_deref().unwrap();
        assert!(!say(bed, fence, args, Some("k")) && !send(bed, 1, args, Some("k")));
        let step = subject(fence, "s", Begin::default(), at(10));
        let _ = bed.tx(|port| step::complete(port, &step, args, at(10)));
        bed.undone(|port| {
            submit(port, &Submit { args: again.args.clone(), ..plain() }, run_id(3), 0, at(7))
        })
        .unwrap();
        assert!(bed.dump() == before, "something is left");
    }
    assert_whole(bed);
}

/// An await takes what a signal carried, and a parent what its children came to.
pub(super) fn what_is_awaited_is_the_payload_that_was_given(bed: &mut dyn Bed) {
    let payload = document("hello ", LARGE);
    let fence = begun(bed, 1, None);
    send(bed, 1, &payload, None);
    send(bed, 1, &payload, None);
    let new = NewChild {
        name: "c".into(),
        occurrence: 1,
        submit: Submit { args: Some(payload.clone()), ..plain() },
        run_id: run_id(2),
    };
    bed.tx(|port| child::submit(port, fence, &[new], at(10))).unwrap();
    let child = bed.claimed(at(11));
    assert!(child.run.args == payload, "a child has other args");
    bed.finish(child.fence, &End::Complete(payload.clone()), at(12)).unwrap();
    assert_stored(bed, 1);
    let ask = |form, name: &str, members| Ask {
        fence,
        form,
        name: name.into(),
        occurrence: 1,
        members,
        timeout_ms: -1,
    };
    let one = ask(Form::Signal, "one", vec![Member::Signal("s".into())]);
    let members = vec![Member::Signal("s".into()), Member::Child(run_id(2))];
    let all = ask(Form::All, "all", members);
    for _ in 0..2 {
        let answer = bed.tx(|port| wait::answer(port, &one, at(13))).unwrap().0;
        assert!(answer == Answer::Ready(payload.clone()), "another message");
        let answer = bed.tx(|port| wait::answer(port, &all, at(13))).unwrap().0;
        let Answer::Ready(answer) = answer else { panic!("{answer:?}") };
        assert_eq!(answer.matches(payload.trim()).count(), 2);
        assert_whole(bed);
    }
    bed.finish(fence, &End::Complete("1".into()), at(14)).unwrap();
    let history = bed.tx(|port| query::run_history(port, &text(1), None, 0)).unwrap();
    let history: Value = serde_json::from_str(&history).unwrap();
    assert_eq!(history["signals"][0]["payload"].as_str().unwrap().len(), payload.len() - 3);
    prune(bed, "{}");
    assert_stored(bed, 0);
}

/// A fork replays what its origin recorded, also when that is gone.
pub(super) fn a_fork_carries_what_its_origin_did(bed: &mut dyn Bed) {
    let (args, result) = (document("args", LARGE), noise(5, LARGE));
    let fence = begun(bed, 1, Some(args.clone()));
    complete(bed, fence, "a", &result);
    complete(bed, fence, "b", &result);
    complete(bed, fence, "c", &args);
    bed.finish(fence, &End::Complete("1".into()), at(20)).unwrap();
    let place = bed.tx(|port| port.step_named(fence.run_key, "c")).unwrap();
    bed.tx(|port| control::fork(port, &text(1), place, run_id(2), at(21))).unwrap();
    assert_whole(bed);
    let fork = bed.claimed(at(22));
    assert!(fork.run.args == args, "other args");
    bed.finish(fork.fence, &End::Complete(result.clone()), at(23)).unwrap();
    prune_run(bed, 1);
    assert_stored(bed, 2);
    let history = bed.tx(|port| query::run_history(port, &text(2), None, 0)).unwrap();
    assert_eq!((history.matches(args.trim()).count(), history.matches(&result).count()), (1, 3));
    prune_run(bed, 2);
    assert_stored(bed, 0);
}

/// What takes room once in the file takes it each time in memory: pages are bounded by that.
pub(super) fn a_page_ends_after_so_many_bytes_however_little_room_they_take(bed: &mut dyn Bed) {
    let payload = document("0123456789abcdef", EVENT_PAGE_BYTES / 2 - 100_000);
    let fence = begun(bed, 1, None);
    for number in 0..4 {
        complete(bed, fence, &number.to_string(), &payload);
        send(bed, 1, &payload, None);
        say(bed, fence, &payload, None);
    }
    let (mut pages, mut counts, mut cursor) = (0, [0; 3], None::<String>);
    loop {
        let page = bed.tx(|port| query::run_history(port, &text(1), cursor.as_deref(), 0)).unwrap();
        assert!(page.len() < 2 * EVENT_PAGE_BYTES, "{} bytes", page.len());
        let page: Value = serde_json::from_str(&page).unwrap();
        for (at, section) in ["steps", "signals", "events"].iter().enumerate() {
            counts[at] += page[section].as_array().unwrap().len();
        }
        pages += 1;
        match page["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    // Three in a page, and that nothing is left is seen by the next.
    assert_eq!((counts, pages), ([4, 4, 4], 5));
    bed.finish(fence, &End::Complete(payload.clone()), at(20)).unwrap();
    for number in 2..6 {
        let fence = begun(bed, number, None);
        bed.finish(fence, &End::Complete(payload.clone()), at(20)).unwrap();
    }
    assert_stored(bed, 1);
    let asked = Asked::read(Some("{\"include\":[\"result\"]}")).unwrap();
    let (mut shown, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = bed.tx(|port| list(port, &asked, cursor.as_deref(), 0)).unwrap();
        assert!(page.len() < 2 * EVENT_PAGE_BYTES, "{} bytes", page.len());
        let page: Value = serde_json::from_str(&page).unwrap();
        shown.push(page["items"].as_array().unwrap().len());
        match page["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(shown, [3, 2]);
}
