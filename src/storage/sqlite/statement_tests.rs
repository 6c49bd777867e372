//! How many statements a call runs: counted, not timed.
//!
//! Each costs time here. A number below may fall; one that is to rise needs a reason: a look before a write
//! is cheaper than a write that gives rows back, for which SQLite makes a table of its own each time.

use rusqlite::Connection;

use super::conn::Conn;
use super::migrate;
use super::owner::Mark;
use super::tx::Tx;
use crate::clock::Now;
use crate::domain::FailOptions;
use crate::domain::attempt::{End, finish};
use crate::domain::budget::{self, OfStep};
use crate::domain::child::{self, NewChild};
use crate::domain::claim::{Claimed, Claimer, claim, outlook};
use crate::domain::control;
use crate::domain::event::{self, Append};
use crate::domain::list::act::{Action, rehearse};
use crate::domain::list::filter::Asked;
use crate::domain::list::{self};
use crate::domain::port::{
    Amounts, ClaimPort, ControlPort, Fence, LaneFilter, Owner, QueueLimits, StepKind,
};
use crate::domain::query::run_history;
use crate::domain::queue;
use crate::domain::retention::{self, Policy};
use crate::domain::signal;
use crate::domain::step::{self, AskedFor, Begin, Subject};
use crate::domain::submit::{QUEUE_DEFAULT, Submit, submit, submit_many};
use crate::domain::suspend::{Parking, Pending, suspend};
use crate::domain::sweep::{give_back, sweep};
use crate::domain::wait::{self, Ask, Form, Member};
use crate::id::{self, Id, new_id};
use crate::limits::PAYLOAD_INLINE_BYTES_MAX;

const NOW: Now = Now { wall_ms: 1_000, lease_ms: 1_000 };

/// A store, and what calls on it have cost.
struct Counted {
    conn: Conn,
    owner_key: i64,
    costs: Vec<(&'static str, u32)>,
}

impl Counted {
    fn new() -> Counted {
        let conn = Conn::new(Connection::open_in_memory().unwrap());
        migrate::apply(&conn, None, 1).unwrap();
        Counted { conn, owner_key: 0, costs: Vec::new() }
    }

    /// Makes a call and notes what it has cost beside those of this name.
    fn call<T>(&mut self, name: &'static str, work: impl FnOnce(&mut Tx<'_>) -> T) -> T {
        let mut tx = Tx::new(&self.conn);
        let answer = work(&mut tx);
        let cost = tx.statements.get();
        match self.costs.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += cost,
            None => self.costs.push((name, cost)),
        }
        answer
    }

    fn submit(&mut self, name: &'static str, run: &Submit) -> Id {
        let run_id = new_id();
        self.call(name, |tx| submit(tx, run, run_id, 0, NOW).unwrap());
        run_id
    }

    /// A look, and the claim that it promises.
    fn claim(&mut self, name: &'static str, max: u32) -> Vec<Claimed> {
        let owner_key = self.owner_key;
        let claimer = Claimer {
            owner: Owner { owner_key, id: Mark { mark: 1, boot: [7; 16], pid: 1 }.id() },
            lease_ms: 10_000,
            worker: None,
            filter: LaneFilter { queue: QUEUE_DEFAULT.into(), owner_key, ..LaneFilter::default() },
            dead: Vec::new(),
            unheard: Vec::new(),
            seed: new_id(),
        };
        if !self.call(name, |tx| outlook(tx, &claimer.filter, NOW).unwrap()).is_promising {
            return Vec::new();
        }
        let picked = self.call(name, |tx| claim(tx, &claimer, max, NOW).unwrap());
        assert!(!picked.has_more);
        self.owner_key = picked.runs[0].owner_key;
        picked.runs
    }

    /// A run that is claimed, without a word of what that costs.
    fn attempt(&mut self, run: &Submit) -> (Id, Fence) {
        let run_id = self.submit("beside", run);
        (run_id, self.claim("beside", 1)[0].fence)
    }

    fn finish(&mut self, name: &'static str, fence: Fence, end: &End) {
        self.call(name, |tx| finish(tx, fence, end, NOW).unwrap());
    }

    fn assert_costs(&self, expected: &[(&str, u32)]) {
        let costs: Vec<_> = self.costs.iter().filter(|(name, _)| *name != "beside").collect();
        assert_eq!(costs, expected.iter().collect::<Vec<_>>());
    }
}

fn plain() -> Submit {
    Submit { workflow: "w".into(), ..Submit::default() }
}

fn subject(fence: Fence, name: &str) -> Subject {
    let plan = Begin::default().plan().unwrap();
    Subject { fence, name: name.into(), occurrence: 1, tries: 1, started_at_ms: 1_000, plan }
}

fn of(amounts: &[(&str, i64)]) -> Amounts {
    amounts.iter().map(|(unit, amount)| ((*unit).to_owned(), *amount)).collect()
}

#[test]
fn a_claim_runs_few_statements_whatever_it_finds() {
    let mut store = Counted::new();
    store.claim("of nothing in a new store", 1);
    store.attempt(&plain());
    store.submit("beside", &plain());
    store.claim("of one", 1);
    store.claim("of nothing", 1);
    for _ in 0..50 {
        store.submit("beside", &plain());
    }
    store.claim("of fifty", 50);
    for _ in 0..50 {
        let run_id = new_id();
        let due = Submit { run_at_ms: 990, ..plain() };
        let before = Now { wall_ms: 900, ..NOW };
        store.call("beside", |tx| submit(tx, &due, run_id, 0, before).unwrap());
    }
    store.claim("of one when fifty come due", 1);
    (2..12_u64).for_each(|mark| {
        let owner = Owner { owner_key: 0, id: Mark { mark, boot: [7; 16], pid: 1 }.id() };
        store.call("beside", |tx| tx.owner_make(&owner, 1).unwrap());
    });
    store.claim("of one among ten owners", 1);
    store.claim("beside", 100);
    for (name, lanes) in [
        ("of fifty that three lanes give in turns", 3),
        ("of fifty that twenty-five lanes give in turns", 25),
    ] {
        for at in 0..50 {
            store.submit("beside", &Submit { workflow: format!("w{}", at % lanes), ..plain() });
        }
        store.claim(name, 50);
    }
    store.assert_costs(&[
        ("of nothing in a new store", 2),
        ("of one", 9),
        ("of nothing", 3),
        ("of fifty", 157),
        ("of one when fifty come due", 13),
        ("of one among ten owners", 9),
        ("of fifty that three lanes give in turns", 168),
        ("of fifty that twenty-five lanes give in turns", 301),
    ]);
}

#[test]
fn a_claim_runs_no_more_statements_while_a_policy_has_nothing_due() {
    let mut store = Counted::new();
    store.attempt(&plain());
    store.submit("beside", &plain());
    store.claim("without a policy", 1);
    let policy = Policy::read(Some(r#"{"completed_ms":1000000}"#)).unwrap();
    store.call("beside", |tx| retention::set(tx, &policy, NOW).unwrap());
    store.submit("beside", &plain());
    store.claim("with the look that a new policy asks for", 1);
    store.submit("beside", &plain());
    store.claim("after it", 1);
    store.assert_costs(&[
        ("without a policy", 9),
        ("with the look that a new policy asks for", 23),
        ("after it", 9),
    ]);
}

#[test]
fn a_submit_runs_few_statements() {
    let mut store = Counted::new();
    store.submit("beside", &plain());
    store.submit("plain", &plain());
    let keyed = |key: &str| Submit { idempotency_key: Some(key.into()), ..plain() };
    store.submit("with a key", &keyed("a"));
    store.submit("with a key that is known", &keyed("a"));
    let budget = Some(r#"{"a":1,"b":2}"#.into());
    store.submit("with a key and two units", &Submit { budget, ..keyed("b") });
    store.submit("with a gate", &Submit { concurrency_key: Some("g".into()), ..plain() });
    let many: Vec<_> = (0..100).map(|_| (plain(), new_id())).collect();
    store.call("of a hundred", |tx| submit_many(tx, &many, 0, |error, _| error, NOW).unwrap());
    let many: Vec<_> = (0..100).map(|at| (keyed(&at.to_string()), new_id())).collect();
    for name in ["of a hundred with keys, and a mark", "of a hundred with keys that are known"] {
        store.call(name, |tx| submit_many(tx, &many, 0, |error, _| error, NOW).unwrap());
    }
    let of_lane = |at: usize| Submit { workflow: format!("w{}", at % 3), ..plain() };
    for name in ["of a hundred in turns to three new lanes", "of a hundred in turns to three lanes"]
    {
        let many: Vec<_> = (0..100).map(|at| (of_lane(at), new_id())).collect();
        store.call(name, |tx| submit_many(tx, &many, 0, |error, _| error, NOW).unwrap());
    }
    store.assert_costs(&[
        ("plain", 3),
        ("with a key", 3),
        ("with a key that is known", 1),
        ("with a key and two units", 5),
        ("with a gate", 4),
        ("of a hundred", 201),
        ("of a hundred with keys, and a mark", 203),
        ("of a hundred with keys that are known", 100),
        ("of a hundred in turns to three new lanes", 222),
        ("of a hundred in turns to three lanes", 209),
    ]);
}

#[test]
fn a_write_of_an_attempt_runs_few_statements() {
    let mut store = Counted::new();
    let (_, fence) = store.attempt(&plain());
    store.call("step", |tx| step::complete(tx, &subject(fence, "a"), "1", NOW).unwrap());
    store.call("step again", |tx| step::complete(tx, &subject(fence, "a"), "1", NOW).unwrap());
    let append = |key: Option<&str>| Append {
        fence,
        event_type: "t".into(),
        payload: "1".into(),
        key: key.map(Into::into),
    };
    store.call("event", |tx| event::append(tx, &append(None), NOW).unwrap());
    store.call("event with a key", |tx| event::append(tx, &append(Some("k")), NOW).unwrap());
    let child = |number: u8| NewChild {
        name: format!("c{number}"),
        occurrence: 1,
        submit: plain(),
        run_id: Id::from_bytes([number; 16]),
    };
    store.call("child", |tx| child::submit(tx, fence, &[child(1)], NOW).unwrap());
    let children: Vec<_> = (2..12).map(child).collect();
    store.call("ten children", |tx| child::submit(tx, fence, &children, NOW).unwrap());
    let large = "1".repeat(PAYLOAD_INLINE_BYTES_MAX + 1);
    for (name, of) in [("large step", "b"), ("large step with what is there already", "c")] {
        store.call(name, |tx| step::complete(tx, &subject(fence, of), &large, NOW).unwrap());
    }
    let mut asked = AskedFor::default();
    for name in ["a", "b", "c"] {
        asked[StepKind::Step as usize].open(name, 0).unwrap();
        asked[StepKind::Step as usize].close(name, 1, true);
    }
    let children = &mut asked[StepKind::Child as usize];
    (1..12).for_each(|number| {
        children.open(&format!("c{number}"), 0).unwrap();
        children.close(&format!("c{number}"), 1, true);
    });
    // Whatever the records came to.
    store.call("strict end", |tx| step::may_complete(tx, fence, &asked, NOW).unwrap());
    store.finish("complete", fence, &End::Complete("1".into()));
    let (_, fence) = store.attempt(&Submit { priority: -1, ..plain() });
    store.finish("fail", fence, &End::Fail("1".into(), FailOptions::default()));
    // An end writes the marks by which lists find it.
    store.assert_costs(&[
        ("step", 2),
        ("step again", 3),
        ("event", 2),
        ("event with a key", 2),
        ("child", 6),
        ("ten children", 33),
        ("large step", 4),
        ("large step with what is there already", 4),
        ("strict end", 5),
        ("complete", 9),
        ("fail", 7),
    ]);
}

#[test]
fn a_wait_runs_few_statements() {
    let mut store = Counted::new();
    let (run_id, fence) = store.attempt(&plain());
    let ask = |form, members| Ask {
        fence,
        form,
        name: "a".into(),
        occurrence: 1,
        members,
        timeout_ms: -1,
    };
    let waits = ask(Form::Any, vec![Member::Signal("s".into()), Member::Sleep(5_000)]);
    store.call("await", |tx| wait::answer(tx, &waits, NOW).unwrap());
    let parking = Parking { pending: vec![Pending::Ask(waits)], has_open_step: false };
    store.call("suspend", |tx| suspend(tx, fence, &parking, NOW).unwrap());
    let run = id::write("run", run_id);
    let send = |tx: &mut Tx<'_>, key: &str| signal::send(tx, &run, "s", "1", Some(key), NOW);
    store.call("signal that wakes", |tx| send(tx, "a").unwrap());
    store.call("signal", |tx| send(tx, "b").unwrap());
    store.call("signal again", |tx| send(tx, "b").unwrap());

    let fence = store.claim("beside", 1)[0].fence;
    let ids: Vec<Id> = (1..=10).map(|number| Id::from_bytes([number; 16])).collect();
    let child = |run_id: &Id| NewChild {
        name: id::write("run", *run_id),
        occurrence: 1,
        submit: plain(),
        run_id: *run_id,
    };
    let children: Vec<_> = ids.iter().map(child).collect();
    store.call("beside", |tx| child::submit(tx, fence, &children, NOW).unwrap());
    let ten = Ask {
        fence,
        name: "ten".into(),
        ..ask(Form::All, ids.into_iter().map(Member::Child).collect())
    };
    store.call("await of ten children", |tx| wait::answer(tx, &ten, NOW).unwrap());
    let parking = Parking { pending: vec![Pending::Ask(ten.clone())], has_open_step: false };
    store.call("suspend on ten children", |tx| suspend(tx, fence, &parking, NOW).unwrap());
    for at in 0..10 {
        let child = store.claim("beside", 1)[0].fence;
        let name = if at < 9 { "nine that end before the last" } else { "the last" };
        store.finish(name, child, &End::Complete("1".into()));
    }
    let fence = store.claim("beside", 1)[0].fence;
    let ten = Ask { fence, ..ten };
    store.call("answer of ten children", |tx| wait::answer(tx, &ten, NOW).unwrap());
    store.assert_costs(&[
        ("await", 4),
        ("suspend", 10),
        ("signal that wakes", 9),
        ("signal", 4),
        ("signal again", 3),
        ("await of ten children", 12),
        ("suspend on ten children", 28),
        ("nine that end before the last", 99),
        ("the last", 14),
        ("answer of ten children", 23),
    ]);
}

#[test]
fn a_budget_runs_few_statements() {
    let mut store = Counted::new();
    let budget = Some(r#"{"a":1000,"b":1000}"#.into());
    let (_, fence) = store.attempt(&Submit { budget, ..plain() });
    let ask = |amounts: &[(&str, i64)]| budget::Ask {
        fence,
        step: Some(OfStep { name: "a".into(), occurrence: 1, label: None }),
        amounts: of(amounts),
        source: None,
        salt: 9,
    };
    store.call("reserve", |tx| budget::reserve(tx, &ask(&[("a", 1)]), NOW).unwrap());
    store.call("reserve of two", |tx| {
        budget::reserve(tx, &ask(&[("a", 1), ("b", 1)]), NOW).unwrap()
    });
    let done = subject(fence, "a");
    let usage = of(&[("a", 1)]);
    store.call("step with its usage", |tx| {
        step::complete_usage(tx, &done, "1", &usage, NOW).unwrap()
    });
    let once = |number: u32| budget::Ask { salt: number, ..ask(&[("a", 1)]) };
    let (_, fence) = store.attempt(&Submit { budget: Some(r#"{"a":1000}"#.into()), ..plain() });
    for number in 0..10 {
        let one = budget::Ask { fence, step: None, ..once(number) };
        store.call("beside", |tx| budget::reserve(tx, &one, NOW).unwrap());
    }
    store.finish("an end that gives ten back", fence, &End::Complete("1".into()));
    store.assert_costs(&[
        ("reserve", 5),
        ("reserve of two", 8),
        ("step with its usage", 12),
        ("an end that gives ten back", 12),
    ]);
}

/// What is done to many rows at once is asked for once: ten more of them cost no more calls than their
/// own writes.
#[test]
fn a_sweep_runs_few_statements_for_each_that_it_moves() {
    let mut costs = Vec::new();
    for count in [10, 20] {
        let mut store = Counted::new();
        let (_, parent) = store.attempt(&plain());
        let child = |number: u8| NewChild {
            name: format!("c{number}"),
            occurrence: 1,
            submit: plain(),
            run_id: Id::from_bytes([number; 16]),
        };
        let children: Vec<_> = (1..=count).map(child).collect();
        store.call("beside", |tx| child::submit(tx, parent, &children, NOW).unwrap());
        for _ in 0..count {
            let child = store.claim("beside", 1)[0].fence;
            store.finish("beside", child, &End::Complete("1".into()));
        }
        store.call("beside", |tx| tx.cascades_insert(&[parent.run_key]).unwrap());
        store.call("a cascade over children that ended", |tx| {
            control::sweep_cascades(tx, NOW).unwrap()
        });

        let owner_key = store.owner_key;
        for _ in 0..count {
            let local = Submit { is_local: true, ..plain() };
            store.call("beside", |tx| submit(tx, &local, new_id(), owner_key, NOW).unwrap());
        }
        store.finish("beside", parent, &End::Complete("1".into()));
        let more = store.call("an owner with runs of its own that goes", |tx| {
            give_back(tx, owner_key, NOW).unwrap()
        });
        assert!(!more);

        let limits = QueueLimits { concurrency_per_key: Some(1), ..QueueLimits::default() };
        store.call("beside", |tx| queue::set(tx, "gated", &limits).unwrap());
        let gated: Vec<_> = (0..count)
            .map(|at| {
                let gate = Some(format!("g{at}"));
                let queue = Some("gated".into());
                (Submit { concurrency_key: gate, queue, run_at_ms: 2_000, ..plain() }, new_id())
            })
            .collect();
        store.call("beside", |tx| submit_many(tx, &gated, 0, |error, _| error, NOW).unwrap());
        let due = Now { wall_ms: 2_000, ..NOW };
        store.call("what comes due at as many gates", |tx| sweep(tx, &[], new_id(), due).unwrap());
        costs.push(
            store.costs.into_iter().filter(|(name, _)| *name != "beside").collect::<Vec<_>>(),
        );
    }
    let (ten, twenty) = (&costs[0], &costs[1]);
    let more = ten.iter().zip(twenty).map(|((name, ten), (_, twenty))| (*name, twenty - ten));
    assert_eq!(
        more.collect::<Vec<_>>(),
        [
            ("a cascade over children that ended", 0),
            ("an owner with runs of its own that goes", 0),
            ("what comes due at as many gates", 10),
        ]
    );
}

/// A page is a few questions, however many runs it shows.
#[test]
fn a_page_runs_few_statements_whatever_it_shows() {
    let mut costs = Vec::new();
    for count in [10, 20] {
        let mut store = Counted::new();
        let (parent, fence) = store.attempt(&plain());
        let child = |number: u8| NewChild {
            name: format!("c{number}"),
            occurrence: 1,
            submit: plain(),
            run_id: Id::from_bytes([number; 16]),
        };
        let children: Vec<_> = (1..=count).map(child).collect();
        store.call("beside", |tx| child::submit(tx, fence, &children, NOW).unwrap());
        for at in 0..count {
            let child = store.claim("beside", 1)[0].fence;
            let end = if at % 2 == 0 { End::Complete("1".into()) } else { End::Release(500) };
            store.finish("beside", child, &end);
        }
        let asked = Asked::read(Some(r#"{"roots_only":false}"#)).unwrap();
        store.call("a page of a list", |tx| list::list(tx, &asked, None, 100).unwrap());
        store.call("a page of a history", |tx| {
            run_history(tx, &id::write("run", parent), None, 100).unwrap()
        });
        store.call("what an act on many would do", |tx| {
            rehearse(tx, Action::Retry, &asked, None, 100).unwrap()
        });
        let one = |(name, cost): &(&'static str, u32)| (*name != "beside").then_some(*cost);
        costs.push(store.costs.iter().filter_map(one).collect::<Vec<_>>());
    }
    assert_eq!(costs[0], costs[1]);
    assert_eq!(costs[0].len(), 3);
}
