//! Claims about budgets.

use std::collections::BTreeMap;

use super::{Bed, Draws, at, claimer, plain, run_id, subject};
use crate::domain::FailOptions;
use crate::domain::attempt::End;
use crate::domain::budget::{self, Ask, Reserved};
use crate::domain::child::{self, NewChild};
use crate::domain::control;
use crate::domain::news::{News, Queues};
use crate::domain::port::{Amounts, Balance, Change, Fence, Held, RunKey, TaskState};
use crate::domain::step::{self, Begin};
use crate::domain::submit::Submit;
use crate::domain::suspend::{self, Parking, Pending};
use crate::id;
use crate::limits::BUDGET_WAKE_PAUSE_MS;

fn of(amounts: &[(&str, i64)]) -> Amounts {
    amounts.iter().map(|(unit, amount)| ((*unit).to_owned(), *amount)).collect()
}

/// Submits a run with a budget and claims it.
fn with_budget(bed: &mut dyn Bed, number: u8, budget: &str) -> Fence {
    bed.submit(number, &Submit { budget: Some(budget.into()), ..plain() }, at(5));
    bed.claimed(at(6)).fence
}

/// Submits and claims a child.
fn child_of(bed: &mut dyn Bed, parent: Fence, number: u8) -> Fence {
    let child = NewChild {
        name: format!("child {number}"),
        occurrence: 1,
        submit: plain(),
        run_id: run_id(number),
    };
    bed.tx(|port| child::submit(port, parent, &[child], at(7)).unwrap());
    bed.claimed(at(8)).fence
}

fn ask(fence: Fence, amounts: &[(&str, i64)]) -> Ask {
    Ask { fence, step: None, amounts: of(amounts), source: None, salt: 9 }
}

/// Reserves and returns the id; `None` when there is no room.
fn reserve(bed: &mut dyn Bed, ask: &Ask) -> Option<String> {
    match bed.tx(|port| budget::reserve(port, ask, at(10))).unwrap() {
        Reserved::Made { id, .. } | Reserved::Existed(id) => Some(id::write("budget", id)),
        Reserved::NoRoom(..) => None,
    }
}

fn settle(bed: &mut dyn Bed, id: &str, usage: &[(&str, i64)]) {
    bed.tx(|port| budget::settle(port, id, &of(usage), at(11))).unwrap()
}

fn balance(bed: &mut dyn Bed, root_key: RunKey, unit: &str) -> Balance {
    bed.tx(|port| port.balance(root_key, unit).unwrap()).unwrap_or_default()
}

/// Returns what is reserved and spent.
fn sums(bed: &mut dyn Bed, fence: Fence, unit: &str) -> (i64, i64) {
    let balance = balance(bed, fence.run_key, unit);
    (balance.reserved, balance.spent)
}

/// Parks an attempt on a reserve that was refused.
fn park(bed: &mut dyn Bed, fence: Fence, room: &[(&str, i64)]) {
    let room = of(room).into_iter().collect();
    let parking = Parking { pending: vec![Pending::Room(room)], ..Parking::default() };
    bed.tx(|port| suspend::suspend(port, fence, &parking, at(12)).unwrap());
}

fn state(bed: &mut dyn Bed, fence: Fence) -> TaskState {
    bed.task(fence.run_key).unwrap().state
}

/// P27, P30: what does not fit is refused whole, with every number in the sentence.
pub(super) fn a_reserve_fits_below_the_limit_or_takes_nothing(bed: &mut dyn Bed) {
    let fence = with_budget(bed, 1, r#"{"tokens":100,"usd":5}"#);
    assert!(reserve(bed, &ask(fence, &[("tokens", 60), ("usd", 5)])).is_some());
    let before = bed.dump();
    let both = ask(fence, &[("tokens", 30), ("usd", 1)]);
    let refused = bed.tx(|port| budget::reserve(port, &both, at(10))).unwrap();
    let Reserved::NoRoom(room, error) = refused else { panic!("{refused:?}") };
    assert_eq!(room, [("tokens".to_owned(), 30), ("usd".to_owned(), 1)]);
    assert_eq!(error.code(), -28);
    assert_eq!(error.to_string(), "the limit of \"usd\" is 5: 0 spent, 5 reserved, 1 asked");
    assert_eq!(bed.dump(), before);
    assert!(reserve(bed, &ask(fence, &[("tokens", 40)])).is_some());
    assert!(reserve(bed, &ask(fence, &[("tokens", 1)])).is_none());
    assert_eq!(sums(bed, fence, "tokens"), (100, 0));
}

/// What an attempt holds itself is no room for what it asks beside it: its next attempt may take that
/// first, so the run asks again after a pause, a longer one each time, and not at once without end.
pub(super) fn what_a_parked_attempt_gives_back_itself_does_not_wake_it_at_once(bed: &mut dyn Bed) {
    let fence = with_budget(bed, 1, r#"{"tokens":10}"#);
    assert!(reserve(bed, &ask(fence, &[("tokens", 5)])).is_some());
    assert!(reserve(bed, &ask(fence, &[("tokens", 8)])).is_none());
    park(bed, fence, &[("tokens", 8)]);
    assert_eq!(state(bed, fence), TaskState::Waiting);
    assert_eq!(sums(bed, fence, "tokens"), (0, 0));
    let again = bed.claimed(at(12 + BUDGET_WAKE_PAUSE_MS)).fence;
    assert_eq!((again.run_key, again.number), (fence.run_key, 2));
    assert!(reserve(bed, &ask(again, &[("tokens", 5)])).is_some());
    park(bed, again, &[("tokens", 8)]);
    let wake_at_ms = bed.task(again.run_key).unwrap().wake_at_ms;
    assert_eq!(wake_at_ms, Some(12 + 2 * BUDGET_WAKE_PAUSE_MS));
}

/// Nothing is read first: the balance itself tells whether an amount fits.
pub(super) fn balances_hold_all_or_none_and_add_up_to_the_largest_number(bed: &mut dyn Bed) {
    let root = with_budget(bed, 1, r#"{"a \"b\"":10,"z":5}"#).run_key;
    let hold = |bed: &mut dyn Bed, amounts: &[(&str, i64)]| match bed
        .tx(|port| port.balances_reserve(root, &of(amounts)).unwrap())
    {
        Held::All(balances) => Some(balances.iter().map(|b| (b.limit, b.reserved)).collect()),
        Held::None(balances) => {
            let all = bed.tx(|port| port.balances(root).unwrap());
            assert_eq!(balances, all);
            None::<Vec<_>>
        }
    };
    assert_eq!(hold(bed, &[("z", 5)]), Some(vec![(Some(5), 5)]));
    let before = bed.dump();
    assert_eq!(hold(bed, &[("z", 1)]), None);
    assert_eq!(hold(bed, &[("a \"b\"", 1), ("new", 1), ("z", 1)]), None);
    assert_eq!(bed.dump(), before, "none is held where one has no room");
    let both = [("a \"b\"", 4), ("new", i64::MAX)];
    assert_eq!(hold(bed, &both), Some(vec![(Some(10), 4), (None, i64::MAX)]));
    assert_eq!(hold(bed, &[("new", 1)]), None, "what has no limit ends at the largest number");
    assert_eq!(
        hold(bed, &[("a \"b\"", 6), ("new", 0)]),
        Some(vec![(Some(10), 10), (None, i64::MAX)])
    );

    let add = |bed: &mut dyn Bed, unit: &str, reserved, spent| {
        let changes = [(unit.to_owned(), Change { reserved, spent })].into();
        let balances = bed.tx(|port| port.balances_add(root, &changes).unwrap());
        balances[0].as_ref().map(|balance| (balance.reserved, balance.spent))
    };
    assert_eq!(add(bed, "z", -5, 7), Some((0, 7)), "what was paid is counted above the limit too");
    assert_eq!(add(bed, "z", 0, i64::MAX - 7), Some((0, i64::MAX)));
    let before = bed.dump();
    assert_eq!(add(bed, "z", 0, 1), None);
    assert_eq!(bed.dump(), before);
    assert_eq!(add(bed, "z", 0, -3), Some((0, i64::MAX - 3)));
    assert_eq!(add(bed, "other", 1, 2), Some((1, 2)));
    let short = |bed: &mut dyn Bed, amounts: &[(&str, i64)]| {
        let amounts: Vec<_> = of(amounts).into_iter().collect();
        bed.tx(|port| port.balance_short(root, &amounts).unwrap())
    };
    assert_eq!(short(bed, &[("a \"b\"", 0), ("new", 1), ("none", 1)]), None, "no limit, no end");
    assert_eq!(short(bed, &[("a \"b\"", 1), ("z", 0)]), Some(("a \"b\"".into(), 1)));
    assert_eq!(short(bed, &[("a \"b\"", 0), ("z", 0)]), Some(("z".into(), 0)), "above its limit");
    bed.tx(|port| port.balance_warned(root, "z").unwrap());
    bed.tx(|port| port.balance_wake_at(root, "z", Some(7)).unwrap());
    let due = bed.tx(|port| port.balances_due(7, 9).unwrap());
    let z = Balance { is_warned: true, wake_at_ms: Some(7), ..balance(bed, root, "z") };
    assert_eq!(due, [(root, "z".to_owned(), z)]);
    let limit = Balance { limit: Some(1), warn: Some(1), ..Balance::default() };
    bed.tx(|port| port.limits_set(root, &[("z".into(), limit.clone())]).unwrap());
    let limited = Balance { spent: i64::MAX - 3, wake_at_ms: Some(7), ..limit };
    assert_eq!(balance(bed, root, "z"), limited, "what is held and spent stays");
}

pub(super) fn the_tree_shares_one_budget(bed: &mut dyn Bed) {
    let root = with_budget(bed, 1, r#"{"tokens":100}"#);
    let child = child_of(bed, root, 2);
    let grandchild = child_of(bed, child, 3);
    assert!(reserve(bed, &ask(grandchild, &[("tokens", 70)])).is_some());
    assert!(reserve(bed, &ask(child, &[("tokens", 40)])).is_none());
    assert!(reserve(bed, &ask(root, &[("tokens", 30)])).is_some());
    assert_eq!(sums(bed, root, "tokens"), (100, 0));
}

pub(super) fn a_unit_without_a_limit_is_metered(bed: &mut dyn Bed) {
    let fence = with_budget(bed, 1, "{}");
    let id = reserve(bed, &ask(fence, &[("calls", i64::MAX)])).unwrap();
    bed.refused(-2, |port| budget::reserve(port, &ask(fence, &[("calls", 1)]), at(10)));
    settle(bed, &id, &[("calls", 3)]);
    assert_eq!(sums(bed, fence, "calls"), (0, 3));
    let id = reserve(bed, &ask(fence, &[("calls", 1)])).unwrap();
    let most = of(&[("calls", i64::MAX)]);
    let refused = bed.undone(|port| budget::settle(port, &id, &most, at(12))).unwrap_err();
    assert_eq!(refused.code(), -2);
    assert_eq!(refused.to_string(), format!("{0} more of \"calls\" would be above {0}", i64::MAX));
}

pub(super) fn one_source_reserves_once_in_an_attempt(bed: &mut dyn Bed) {
    let fence = with_budget(bed, 1, r#"{"tokens":100}"#);
    let sourced = |amount| Ask { source: Some("s".into()), ..ask(fence, &[("tokens", amount)]) };
    let first = reserve(bed, &sourced(60)).unwrap();
    let before = bed.dump();
    assert_eq!(reserve(bed, &sourced(90)).as_ref(), Some(&first));
    assert_eq!(bed.dump(), before);
    settle(bed, &first, &[("tokens", 1)]);
    assert_eq!(reserve(bed, &sourced(60)), Some(first));
    bed.finish(fence, &End::Release(0), at(12)).unwrap();
    let next = bed.claimed(at(13)).fence;
    let again = Ask { fence: next, ..sourced(60) };
    assert!(matches!(
        bed.tx(|port| budget::reserve(port, &again, at(14)).unwrap()),
        Reserved::Made { .. }
    ));
}

/// P28.
pub(super) fn settling_twice_is_settling_once(bed: &mut dyn Bed) {
    let fence = with_budget(bed, 1, r#"{"tokens":100,"usd":10}"#);
    let id = reserve(bed, &ask(fence, &[("tokens", 60), ("usd", 10)])).unwrap();
    settle(bed, &id, &[("tokens", 150), ("calls", 1)]);
    assert_eq!(sums(bed, fence, "tokens"), (0, 150));
    assert_eq!(sums(bed, fence, "usd"), (0, 0));
    assert_eq!(sums(bed, fence, "calls"), (0, 1));
    let before = bed.dump();
    settle(bed, &id, &[("calls", 1), ("tokens", 150)]);
    settle(bed, &id, &[("calls", 1), ("tokens", 150), ("usd", 0)]);
    assert_eq!(bed.dump(), before);
    bed.refused(-23, |port| budget::settle(port, &id, &of(&[("tokens", 150)]), at(11)));
    assert!(reserve(bed, &ask(fence, &[("tokens", 0)])).is_none(), "above its limit");
}

pub(super) fn an_id_that_is_none_of_ours_is_not_found(bed: &mut dyn Bed) {
    let fence = with_budget(bed, 1, r#"{"tokens":100}"#);
    let id = reserve(bed, &ask(fence, &[("a", 1), ("b", 1)])).unwrap();
    let mut bytes = id::parse("budget", &id).unwrap().to_bytes();
    let mut others = vec!["".into(), "budget_".into(), id.replace("budget", "run")];
    for (byte, change) in [(5, 1), (11, 1), (11, 2), (15, 1), (6, 0x80)] {
        bytes[byte] ^= change;
        others.push(id::write("budget", id::Id::from_bytes(bytes)));
        bytes[byte] ^= change;
    }
    for other in others {
        bed.refused(-3, |port| budget::settle(port, &other, &of(&[]), at(11)));
    }
    settle(bed, &id, &[]);
}

/// P29: an orderly end gives back.
pub(super) fn an_orderly_end_gives_back_what_is_open(bed: &mut dyn Bed) {
    let ends = [
        End::Release(0),
        End::Fail("1".into(), FailOptions { retry_after_ms: 1, ..FailOptions::default() }),
        End::Complete("2".into()),
    ];
    let mut fence = with_budget(bed, 1, r#"{"tokens":100}"#);
    for (number, end) in ends.into_iter().enumerate() {
        let id = reserve(bed, &ask(fence, &[("tokens", 100), ("b", 1)])).unwrap();
        bed.finish(fence, &end, at(12)).unwrap();
        assert_eq!(sums(bed, fence, "tokens"), (0, 0), "{end:?}");
        settle(bed, &id, &[]);
        bed.refused(-23, |port| budget::settle(port, &id, &of(&[("tokens", 5)]), at(13)));
        if number < 2 {
            fence = bed.claimed(at(20)).fence;
        }
    }
}

/// P29: a lost attempt is charged in full, and a later settle corrects that, once.
pub(super) fn a_lost_attempt_is_charged_until_a_settle_corrects_it(bed: &mut dyn Bed) {
    let fence = with_budget(bed, 1, r#"{"tokens":100}"#);
    let first = reserve(bed, &ask(fence, &[("tokens", 60)])).unwrap();
    let second = reserve(bed, &ask(fence, &[("tokens", 40)])).unwrap();
    let next = bed.claimed(at(60_000)).fence;
    assert_eq!(next.number, 2);
    assert_eq!(sums(bed, fence, "tokens"), (0, 100));
    assert!(reserve(bed, &ask(next, &[("tokens", 1)])).is_none());
    settle(bed, &first, &[("tokens", 10), ("calls", 1)]);
    assert_eq!(sums(bed, fence, "tokens"), (0, 50));
    let before = bed.dump();
    settle(bed, &first, &[("tokens", 10), ("calls", 1)]);
    assert_eq!(bed.dump(), before);
    bed.refused(-23, |port| budget::settle(port, &first, &of(&[("tokens", 60)]), at(11)));
    settle(bed, &second, &[("tokens", 45)]);
    assert_eq!(sums(bed, fence, "tokens"), (0, 55));
    assert_eq!(entries(bed), 5);
}

/// Counts the lines of the ledger.
fn entries(bed: &mut dyn Bed) -> usize {
    bed.dump().lines().filter(|line| line.starts_with("sw_budget_ledger:")).count()
}

pub(super) fn a_cancelled_run_reserves_nothing(bed: &mut dyn Bed) {
    let fence = with_budget(bed, 1, r#"{"tokens":100}"#);
    let run = id::write("run", run_id(1));
    bed.tx(|port| control::cancel(port, &run, None, at(9)).unwrap());
    bed.refused(-21, |port| budget::reserve(port, &ask(fence, &[("tokens", 1)]), at(10)));
    let stale = Fence { number: 7, ..fence };
    bed.refused(-20, |port| budget::reserve(port, &ask(stale, &[("tokens", 1)]), at(10)));
}

/// P28: result and usage are one commit, and settle what was reserved for the step.
pub(super) fn a_step_settles_its_reservations_with_its_result(bed: &mut dyn Bed) {
    let fence = with_budget(bed, 1, r#"{"tokens":100,"usd":10}"#);
    let begin = Begin { kind: Some("draft".into()), ..Begin::default() };
    let step = subject(fence, "s", begin, at(9));
    let for_step =
        Ask { step: Some(step.of_budget()), ..ask(fence, &[("tokens", 30), ("usd", 10)]) };
    let id = reserve(bed, &for_step).unwrap();
    let other = reserve(bed, &ask(fence, &[("tokens", 5)])).unwrap();
    let usage = of(&[("tokens", 20), ("calls", 1)]);
    bed.tx(|port| step::complete_usage(port, &step, "1", &usage, at(11)).unwrap());
    assert_eq!(sums(bed, fence, "tokens"), (5, 20));
    assert_eq!(sums(bed, fence, "usd"), (0, 0));
    let before = bed.dump();
    bed.tx(|port| step::complete_usage(port, &step, "1", &usage, at(11)).unwrap());
    settle(bed, &id, &[("tokens", 20), ("calls", 1)]);
    assert_eq!(bed.dump(), before);
    bed.refused(-23, |port| step::complete_usage(port, &step, "1", &of(&[]), at(11)));
    bed.refused(-23, |port| budget::settle(port, &id, &of(&[]), at(11)));
    settle(bed, &other, &[("tokens", 4)]);
    let run = id::write("run", run_id(1));
    let text = bed.tx(|port| budget::show(port, &run).unwrap());
    for part in [
        r#""tokens":{"limit":100,"warn":null,"reserved":0,"spent":24,"remaining":76}"#,
        r#"{"workflow":"w","kind":"draft","unit":"tokens","spent":20,"entries":1}"#,
        r#"{"workflow":"w","kind":null,"unit":"tokens","spent":4,"entries":1}"#,
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

/// P30: whoever fits is woken, the smallest ask first, and no more than fit together.
pub(super) fn room_wakes_as_many_as_fit_and_the_next_once_it_is_not_taken(bed: &mut dyn Bed) {
    let root = with_budget(bed, 1, r#"{"tokens":100}"#);
    let id = reserve(bed, &ask(root, &[("tokens", 100)])).unwrap();
    let parked: Vec<Fence> = (2..6).map(|number| child_of(bed, root, number)).collect();
    for (fence, amount) in parked.iter().zip([50, 30, 31, 90]) {
        assert!(reserve(bed, &ask(*fence, &[("tokens", amount)])).is_none());
        park(bed, *fence, &[("tokens", amount)]);
        assert_eq!(state(bed, *fence), TaskState::Waiting);
    }
    settle(bed, &id, &[("tokens", 40)]);
    assert_eq!(bed.news(), News::claimable(Queues::ALL));
    let states: Vec<TaskState> = parked.iter().map(|fence| state(bed, *fence)).collect();
    use TaskState::{Ready, Waiting};
    assert_eq!(states, [Waiting, Ready, Waiting, Waiting]);
    // The one that was woken takes nothing: what was left to it goes to the next.
    let woken = bed.claimed(at(13)).fence;
    assert_eq!(woken.run_key, parked[1].run_key);
    bed.finish(woken, &End::Complete("1".into()), at(14)).unwrap();
    assert_eq!(state(bed, parked[2]), Ready);
    assert_eq!(state(bed, parked[0]), Waiting);
    // Nobody claims that one: the next who fits is woken by time.
    let mut elsewhere = claimer(1, bed.owner_key(1));
    elsewhere.filter.queue = "elsewhere".into();
    assert!(bed.claim(&elsewhere, at(114)).is_none());
    assert_eq!(state(bed, parked[0]), Ready);
    assert_eq!(state(bed, parked[3]), Waiting);
    let run = id::write("run", run_id(3));
    bed.tx(|port| budget::raise(port, &run, "tokens", 30, at(200)).unwrap());
    assert_eq!(state(bed, parked[3]), Ready);
}

pub(super) fn a_run_that_waits_for_two_units_wakes_when_both_have_room(bed: &mut dyn Bed) {
    let root = with_budget(bed, 1, r#"{"a":10,"b":10}"#);
    let a = reserve(bed, &ask(root, &[("a", 10)])).unwrap();
    let b = reserve(bed, &ask(root, &[("b", 10)])).unwrap();
    let child = child_of(bed, root, 2);
    let both = [("a", 5), ("b", 5)];
    park(bed, child, &both);
    settle(bed, &b, &[]);
    assert_eq!(state(bed, child), TaskState::Waiting);
    settle(bed, &a, &[]);
    let child = bed.claimed(at(20)).fence;
    assert!(reserve(bed, &ask(child, &both)).is_some());
    // Looked at once more as it parks: no wake-up is lost between asking and parking.
    park(bed, child, &both);
    assert_eq!(state(bed, child), TaskState::Ready);
}

pub(super) fn a_warning_is_given_once_for_each_level(bed: &mut dyn Bed) {
    let fence = with_budget(bed, 1, r#"{"tokens":{"limit":100,"warn":80}}"#);
    let run = id::write("run", run_id(1));
    let id = reserve(bed, &ask(fence, &[("tokens", 79)])).unwrap();
    assert_eq!(warnings(bed), 0);
    let over = reserve(bed, &ask(fence, &[("tokens", 1)])).unwrap();
    assert_eq!(warnings(bed), 1);
    settle(bed, &over, &[]);
    reserve(bed, &ask(fence, &[("tokens", 5)])).unwrap();
    assert_eq!(warnings(bed), 1);
    bed.tx(|port| budget::raise(port, &run, "tokens", 100, at(12)).unwrap());
    assert_eq!(balance(bed, fence.run_key, "tokens").warn, Some(180));
    settle(bed, &id, &[("tokens", 175)]);
    assert_eq!(warnings(bed), 2);
    bed.tx(|port| budget::raise(port, &run, "tokens", -50, at(12)).unwrap());
    assert_eq!(warnings(bed), 2);
    assert!(bed.dump().contains(
        r#"{\"unit\":\"tokens\",\"limit\":200,\"warn\":180,\"spent\":175,\"reserved\":5}"#
    ));
}

fn warnings(bed: &mut dyn Bed) -> usize {
    bed.dump().lines().filter(|line| line.contains("budget.warning")).count()
}

pub(super) fn a_limit_is_moved_within_its_range(bed: &mut dyn Bed) {
    let fence = with_budget(bed, 1, r#"{"tokens":100}"#);
    let run = id::write("run", run_id(1));
    reserve(bed, &ask(fence, &[("calls", 1)])).unwrap();
    bed.refused(-2, |port| budget::raise(port, &run, "tokens", -101, at(9)));
    bed.refused(-2, |port| budget::raise(port, &run, "tokens", i64::MAX, at(9)));
    bed.refused(-3, |port| budget::raise(port, &run, "calls", 1, at(9)));
    bed.refused(-3, |port| budget::raise(port, &run, "other", 1, at(9)));
    bed.refused(-3, |port| budget::raise(port, "run_x", "tokens", 1, at(9)));
    bed.tx(|port| budget::raise(port, &run, "tokens", -100, at(9)).unwrap());
    bed.tx(|port| budget::raise(port, &run, "tokens", i64::MAX, at(9)).unwrap());
    assert_eq!(balance(bed, fence.run_key, "tokens").limit, Some(i64::MAX));
}

pub(super) fn a_retried_run_keeps_its_meter_and_a_fork_has_the_limits_alone(bed: &mut dyn Bed) {
    let fence = with_budget(bed, 1, r#"{"tokens":100}"#);
    let id = reserve(bed, &ask(fence, &[("tokens", 70), ("calls", 1)])).unwrap();
    settle(bed, &id, &[("tokens", 70), ("calls", 1)]);
    let terminal = FailOptions { is_terminal: true, ..FailOptions::default() };
    bed.finish(fence, &End::Fail("1".into(), terminal), at(12)).unwrap();
    let run = id::write("run", run_id(1));
    bed.tx(|port| control::retry(port, &run, at(13)).unwrap());
    let again = bed.claimed(at(14)).fence;
    assert!(reserve(bed, &ask(again, &[("tokens", 31)])).is_none());
    bed.tx(|port| control::fork(port, &run, None, run_id(9), at(15)).unwrap());
    let fork = bed.claimed(at(16)).fence;
    assert!(reserve(bed, &ask(fork, &[("tokens", 100)])).is_some());
    assert!(reserve(bed, &ask(fork, &[("tokens", 1)])).is_none());
    assert_eq!(balance(bed, fork.run_key, "calls"), Balance::default());
}

/// P27, P28 over histories that nobody thought of: sums equal, and no reserve above its limit.
pub(super) fn sums_agree_with_a_plain_model_over_random_histories(bed: &mut dyn Bed) {
    for seed in 1..=4u8 {
        let mut draws = Draws(seed.into());
        let mut now = i64::from(seed) * 10_000_000;
        let submit = Submit { budget: Some(r#"{"t":1000}"#.into()), ..plain() };
        bed.submit(seed, &submit, at(now));
        let key = bed.owner_key(1);
        let mut fence = bed.claim(&claimer(1, key), at(now)).unwrap().fence;
        let root_key = fence.run_key;
        // Of each reservation: what is held, and what it came to.
        let mut model: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        let mut limit = 1_000;
        for _ in 0..300 {
            now += 1;
            match draws.below(8) {
                0..=3 => {
                    let amount = draws.below(120) as i64;
                    let held: i64 = model.values().map(|(held, spent)| held + spent).sum();
                    let mut asked = ask(fence, &[("t", amount)]);
                    asked.salt = draws.below(1 << 32) as u32;
                    let made = reserve(bed, &asked);
                    assert_eq!(made.is_some(), held + amount <= limit, "seed {seed}");
                    model.extend(made.map(|id| (id, (amount, 0))));
                }
                4 | 5 => {
                    let nth = draws.below(model.len().max(1) as u64) as usize;
                    let Some(id) = model.keys().nth(nth).cloned() else { continue };
                    let used = draws.below(150) as i64;
                    if settles(bed, &id, used, at(now)) {
                        model.insert(id, (0, used));
                    }
                }
                6 => {
                    let delta = draws.below(100) as i64;
                    limit += delta;
                    let run = id::write("run", run_id(seed));
                    bed.tx(|port| budget::raise(port, &run, "t", delta, at(now)).unwrap());
                }
                _ if draws.below(2) == 0 => {
                    bed.finish(fence, &End::Release(0), at(now)).unwrap();
                    model.values_mut().for_each(|(held, _)| *held = 0);
                    fence = bed.claimed(at(now)).fence;
                }
                _ => {
                    now += 20_000;
                    model.values_mut().for_each(|(held, spent)| {
                        *spent += *held;
                        *held = 0;
                    });
                    // Each loss follows progress, so that the tries are never used up.
                    fence = bed.claimed(at(now)).fence;
                    let step = subject(fence, &now.to_string(), Begin::default(), at(now));
                    bed.tx(|port| step::complete(port, &step, "1", at(now)).unwrap());
                }
            }
            let stored = balance(bed, root_key, "t");
            let held: i64 = model.values().map(|(held, _)| held).sum();
            let spent: i64 = model.values().map(|(_, spent)| spent).sum();
            assert_eq!((stored.reserved, stored.spent), (held, spent), "seed {seed}");
        }
        bed.finish(fence, &End::Complete("1".into()), at(now)).unwrap();
    }
}

/// Settles, or is told that it was settled otherwise before.
fn settles(bed: &mut dyn Bed, id: &str, used: i64, now: crate::clock::Now) -> bool {
    let settled = bed.tx(|port| budget::settle(port, id, &of(&[("t", used)]), now).map(|_| ()));
    match settled {
        Ok(()) => true,
        Err(error) => {
            assert_eq!(error.code(), -23, "{error}");
            false
        }
    }
}
