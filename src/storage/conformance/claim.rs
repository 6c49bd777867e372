//! Claims about claiming: order, filters, sweeps and their bounds, leases, owners, losses.

use std::collections::BTreeMap;

use super::{Bed, Draws, Now, at, claimer, owner_id, plain, run_id, subject};
use crate::domain::FailOptions;
use crate::domain::attempt::{End, lose};
use crate::domain::claim::{Claimer, claim, outlook};
use crate::domain::hold::living;
use crate::domain::port::{
    Ended, GatePlace, LEASE_WHILE_ALIVE, LaneFilter, Lost, NewLease, Outcome, Owner, Share, Task,
    TaskState, Woken, WokenFor,
};
use crate::domain::step::{self, Begin};
use crate::domain::submit::{Submit, submit};
use crate::domain::sweep::{give_back, take_back, time_out_overdue};
use crate::id::Id;
use crate::limits::{SWEEP_DUE_MAX, SWEEP_LOST_MAX};

/// P9. Over many lanes, since each has an order of its own that must be merged.
pub(super) fn ready_runs_go_by_priority_then_due_time_then_submission(bed: &mut dyn Bed) {
    let mut draws = Draws(9);
    let mut expected = Vec::new();
    for number in 0..200_u8 {
        let (priority, due) = (draws.below(3) as i32 - 1, 1 + draws.below(4) as i64);
        let workflow = format!("w{}", draws.below(5));
        let submit = Submit { workflow, priority, run_at_ms: due, ..plain() };
        bed.submit(number, &submit, at(10));
        expected.push((priority, due, number));
    }
    expected.sort();
    for (priority, due, number) in expected {
        let claimed = bed.claimed(at(10));
        assert_eq!(claimed.run.run_id, run_id(number), "priority {priority}, due {due}");
    }
    let owner_key = bed.owner_key(1);
    assert!(bed.claim(&claimer(1, owner_key), at(10)).is_none());
}

/// P9.
pub(super) fn a_claimed_run_is_claimed_by_nobody_else(bed: &mut dyn Bed) {
    let key = bed.run(1, at(5));
    let claimed = bed.claim(&claimer(1, 0), at(6)).unwrap();
    assert_eq!((claimed.fence.run_key, claimed.fence.number), (key, 1));
    assert_eq!((claimed.claimed_at_ms, claimed.lease_until_ms), (6, 10_006));
    assert_eq!(claimed.run.workflow, "w");
    assert_eq!((claimed.run.root_run_id, claimed.run.parent_run_id), (run_id(1), None));
    for mark in [1, 2] {
        let owner_key = bed.owner_key(mark);
        assert!(bed.claim(&claimer(mark, owner_key), at(7)).is_none());
    }
    let task = bed.task(key).unwrap();
    assert_eq!((task.state, task.owner_key), (TaskState::Running, Some(claimed.owner_key)));
    assert_eq!(task.worker.as_deref(), Some("worker 1"));
}

/// P13.
pub(super) fn each_claim_raises_the_attempt_number(bed: &mut dyn Bed) {
    let key = bed.run(1, at(5));
    for number in 1..=5 {
        let claimed = bed.claimed(at(6));
        assert_eq!(claimed.fence.number, number);
        bed.finish(claimed.fence, &End::Release(0), at(7)).unwrap();
    }
    let ended = bed.tx(|port| port.attempts_after(key, 0, 100).unwrap());
    assert_eq!(ended.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
}

fn of_workflows(names: &[&str]) -> Claimer {
    let workflows = Some(names.iter().map(|name| (*name).to_owned()).collect());
    let plain = claimer(1, 0);
    Claimer { filter: LaneFilter { workflows, ..plain.filter.clone() }, ..plain }
}

/// P15, and names that would break out of a careless filter.
pub(super) fn a_claimer_sees_its_queue_and_the_workflows_it_named(bed: &mut dyn Bed) {
    let odd = "a\"b'],\\ü\n";
    for (number, workflow) in ["a", "b", odd].into_iter().enumerate() {
        let submit = Submit { workflow: workflow.into(), ..plain() };
        bed.submit(number as u8, &submit, at(5));
    }
    bed.submit(9, &Submit { queue: Some("elsewhere".into()), ..plain() }, at(5));
    assert!(bed.claim(&of_workflows(&["c", "A", ""]), at(6)).is_none());
    assert!(bed.claim(&of_workflows(&[]), at(6)).is_none(), "no workflow is none, not all");
    let got = bed.claim(&of_workflows(&["c", odd]), at(6)).unwrap();
    assert_eq!(got.run.workflow, odd);
    let got = bed.claim(&of_workflows(&["b", "a"]), at(6)).unwrap();
    assert_eq!(got.run.workflow, "a");
    let mut elsewhere = claimer(1, 0);
    elsewhere.filter.queue = "elsewhere".into();
    assert_eq!(bed.claim(&elsewhere, at(6)).unwrap().run.run_id, run_id(9));
    assert_eq!(bed.claimed(at(6)).run.workflow, "b");
}

/// P15.
pub(super) fn a_claimer_of_code_versions_also_takes_runs_without_one(bed: &mut dyn Bed) {
    for (number, version) in [Some("v2"), None, Some("v1")].into_iter().enumerate() {
        let submit = Submit { code_version: version.map(Into::into), ..plain() };
        bed.submit(number as u8, &submit, at(5));
    }
    let mut of_v1 = claimer(1, 0);
    of_v1.filter.code_versions = Some(vec!["v1".into()]);
    assert_eq!(bed.claim(&of_v1, at(6)).unwrap().run.run_id, run_id(1));
    assert_eq!(bed.claim(&of_v1, at(6)).unwrap().run.run_id, run_id(2));
    assert!(bed.claim(&of_v1, at(6)).is_none());
    assert_eq!(bed.claimed(at(6)).run.run_id, run_id(0), "who names no version takes all");
}

pub(super) fn a_lane_of_one_owner_is_for_that_owner(bed: &mut dyn Bed) {
    let owner = claimer(1, 0).owner;
    let mine = bed.tx(|port| port.owner_make(&owner, 1).unwrap());
    bed.tx(|port| submit(port, &plain(), run_id(1), mine, at(5)).unwrap());
    let of = |owner_key| {
        let plain = claimer(1, mine);
        Claimer { filter: LaneFilter { owner_key, ..plain.filter.clone() }, ..plain }
    };
    assert!(bed.claim(&of(0), at(6)).is_none());
    assert!(bed.claim(&of(mine + 1), at(6)).is_none());
    assert_eq!(bed.claim(&of(mine), at(6)).unwrap().run.run_id, run_id(1));
}

/// However many owners come and go: a claim probes the lanes that are open to it.
pub(super) fn what_waits_in_lanes_of_a_gone_owner_is_for_all_and_its_lanes_are_looked_at_no_more(
    bed: &mut dyn Bed,
) {
    for round in 1..=3_u64 {
        let owner = claimer(round + 10, 0).owner;
        let gone = bed.tx(|port| port.owner_make(&owner, 1).unwrap());
        for number in 0..=u64::from(SWEEP_DUE_MAX) {
            let id = Id::from_bytes(u128::from(round * 1_000 + number).to_be_bytes());
            let later = Submit { run_at_ms: if number == 0 { 500 } else { 0 }, ..plain() };
            bed.tx(|port| submit(port, &later, id, gone, at(5)).unwrap());
        }
        assert!(bed.claim(&claimer(1, 0), at(6)).is_none());
        let mut parts = 1;
        while bed.tx(|port| give_back(port, gone, at(6))).unwrap() {
            parts += 1;
        }
        assert_eq!(parts, 2, "bounded");
        assert!(
            bed.tx(|port| port.standing("").unwrap().owners)
                .iter()
                .all(|row| row.id != owner_id(round + 10))
        );
        assert!(bed.tx(|port| port.lanes_of(gone, 9)).unwrap().is_empty());
        let count = |bed: &mut dyn Bed, now| {
            std::iter::from_fn(|| bed.claim(&claimer(1, 0), now)).take(1_000).count()
        };
        assert_eq!(count(bed, at(7)), SWEEP_DUE_MAX as usize, "round {round}");
        assert_eq!(count(bed, at(500)), 1, "one that was not due moved too");
    }
}

pub(super) fn a_run_is_claimed_when_it_is_due_and_not_before(bed: &mut dyn Bed) {
    bed.submit(1, &Submit { run_at_ms: 1_000, ..plain() }, at(5));
    bed.submit(2, &Submit { run_at_ms: 500, ..plain() }, at(5));
    assert!(bed.claim(&claimer(1, 0), at(499)).is_none());
    assert_eq!(bed.claimed(at(500)).run.run_id, run_id(2));
    assert!(bed.claim(&claimer(1, 0), at(999)).is_none());
    bed.submit(3, &plain(), at(1_500));
    assert_eq!(bed.claimed(at(2_000)).run.run_id, run_id(1), "due since 1,000, before 1,500");
}

/// P14: a bound on each transaction, and nobody is told that there is nothing while there is.
pub(super) fn a_sweep_of_due_runs_is_bounded_and_goes_on(bed: &mut dyn Bed) {
    let due = u64::from(SWEEP_DUE_MAX) + 10;
    for number in 0..due {
        let id = Id::from_bytes(u128::from(number + 1).to_be_bytes());
        let later = Submit { run_at_ms: 100, queue: Some("other".into()), ..plain() };
        bed.tx(|port| submit(port, &later, id, 0, at(5)).unwrap());
    }
    let mine = claimer(1, 0);
    let first = bed.tx(|port| claim(port, &mine, 1, at(100)).unwrap());
    assert!(first.runs.is_empty() && first.has_more, "{first:?}");
    let left = bed.undone(|port| port.wake_due(100, 1_000).unwrap().count);
    assert_eq!(left as u64, due - u64::from(SWEEP_DUE_MAX));
    let second = bed.tx(|port| claim(port, &mine, 1, at(100)).unwrap());
    assert!(second.runs.is_empty() && !second.has_more, "{second:?}");
    assert_eq!(bed.tx(|port| port.wake_due(100, 1_000).unwrap().count), 0);
}

/// P9. As many at once as one likes, of more lanes than a claim looks at first.
pub(super) fn runs_claimed_together_come_in_the_order_of_claims(bed: &mut dyn Bed) {
    let mut draws = Draws(11);
    let mut expected = Vec::new();
    let owner_key = bed.tx(|port| port.owner_make(&claimer(1, 0).owner, 1).unwrap());
    for number in 1..=230_u8 {
        let (priority, due) = (draws.below(3) as i32 - 1, 1 + draws.below(4) as i64);
        // One busy lane, some that take turns, and many that have little.
        let lane = [0, draws.below(4), draws.below(60)][draws.below(3) as usize];
        let is_own = draws.below(4) == 0;
        let run = Submit { workflow: format!("w{lane}"), priority, run_at_ms: due, ..plain() };
        let local = if is_own { owner_key } else { 0 };
        bed.tx(|port| submit(port, &run, run_id(number), local, at(10)).unwrap());
        expected.push((priority, due, number));
    }
    expected.sort();
    let mut left = expected.into_iter().map(|(_, _, number)| run_id(number));
    let plain = claimer(1, owner_key);
    let mine = Claimer { filter: LaneFilter { owner_key, ..plain.filter.clone() }, ..plain };
    for max in [1, 2, 7, 30, 3, 100, 90, 100] {
        let picked = bed.tx(|port| claim(port, &mine, max, at(10)).unwrap());
        let got: Vec<Id> = picked.runs.iter().map(|claimed| claimed.run.run_id).collect();
        assert_eq!(got, left.by_ref().take(max as usize).collect::<Vec<Id>>(), "{max} at once");
    }
    assert_eq!(left.next(), None);
}

pub(super) fn heads_are_taken_in_order_up_to_a_share_and_stop_behind_a_gate(bed: &mut dyn Bed) {
    let keys: Vec<i64> = (1..=6)
        .map(|number| {
            let gate = (number == 4).then(|| "gate".to_owned());
            let large = Some(format!("\"{}\"", "a".repeat(98)));
            let run = Submit { priority: 6 - i32::from(number), args: large, ..plain() };
            bed.submit(number, &Submit { concurrency_key: gate, ..run }, at(5));
            bed.tx(|port| port.run_by_id(run_id(number)).unwrap().unwrap())
        })
        .collect();
    let filter = claimer(1, 0).filter;
    let mut take = |runs, bytes| {
        bed.tx(|port| {
            let owner_key = port.owner_make(&claimer(1, 0).owner, 6).unwrap();
            let lease = NewLease {
                owner_key,
                lease_until_ms: 10_006,
                lease_ms: 10_000,
                claimed_at_ms: 6,
                worker: Some("worker".into()),
                token: 1,
            };
            let heads = port.claim_heads(&filter, &lease, Share { runs, bytes }).unwrap();
            heads.into_iter().map(|head| (head.run_key, head.taken.number)).collect::<Vec<_>>()
        })
    };
    assert_eq!(take(1, 1_000), [(keys[5], 1)], "a share of one");
    assert_eq!(take(9, 100), [(keys[4], 1)], "a share of the bytes of one");
    assert_eq!(take(9, 1_000), [(keys[3], 1)], "none behind its gate");
    assert_eq!(take(9, 1_000), [(keys[2], 1), (keys[1], 1), (keys[0], 1)]);
    assert_eq!(take(9, 1_000), []);
    let task = bed.task(keys[5]).unwrap();
    assert_eq!((task.state, task.claimed_at_ms, task.lease_ms), (TaskState::Running, 6, 10_000));
    assert_eq!((task.worker.as_deref(), task.lease_until_ms), (Some("worker"), 10_006));
}

pub(super) fn what_comes_due_wakes_together_and_names_each_gate_once(bed: &mut dyn Bed) {
    for number in 1..=5 {
        let gate = (number > 2).then(|| "gate".to_owned());
        let run_at_ms = 100 * i64::from(number);
        let later = Submit { run_at_ms, concurrency_key: gate, ..plain() };
        bed.submit(number, &later, at(5));
    }
    let woken = bed.tx(|port| port.wake_due(400, 3).unwrap());
    let keys = [1, 2, 3, 4, 5].map(|number| bed.key(number));
    let lane_key = bed.task(keys[0]).unwrap().lane_key;
    let place = |gate: &str| GatePlace { lane_key, gate: gate.into() };
    assert_eq!((woken.count, woken.places), (3, vec![place("gate")]), "the earliest first");
    let states = |bed: &mut dyn Bed| {
        let task = |key| bed.task(key).unwrap();
        keys.map(task).iter().map(|t| (t.state, t.due_at_ms)).collect::<Vec<_>>()
    };
    let (ready, delayed) = (TaskState::Ready, TaskState::Delayed);
    let first = [(ready, 100), (ready, 200), (ready, 300), (delayed, 400), (delayed, 500)];
    assert_eq!(states(bed), first);
    let woken = bed.tx(|port| port.wake_due(500, 9).unwrap());
    assert_eq!((woken.count, woken.places), (2, vec![place("gate")]));
    assert_eq!(bed.tx(|port| port.wake_due(500, 9).unwrap()), Woken::default());
    assert_eq!(bed.task(keys[4]).unwrap().wake_at_ms, None);
}

/// P12.
pub(super) fn the_lost_are_those_whose_lease_ended_and_those_of_the_dead(bed: &mut dyn Bed) {
    for number in 1..=6 {
        bed.run(number, at(5));
    }
    let held: Vec<_> = [(1, 5), (1, 9), (2, 6), (2, 7), (3, 8)]
        .into_iter()
        .map(|(mark, now)| {
            let owner_key = bed.owner_key(mark);
            let claimed = bed.claim(&claimer(mark, owner_key), at(now)).unwrap();
            Lost { run_key: claimed.fence.run_key, owner_key: claimed.owner_key }
        })
        .collect();
    let lost = |bed: &mut dyn Bed, now, dead: &[i64], limit| {
        bed.tx(|port| port.lost(now, dead, limit).unwrap())
    };
    assert_eq!(lost(bed, 10_004, &[], 9), []);
    assert_eq!(lost(bed, 10_006, &[], 9), [held[0], held[2]]);
    assert_eq!(lost(bed, 10_006, &[], 1), held[..1]);
    assert_eq!(
        lost(bed, 0, &[held[0].owner_key, held[4].owner_key, 99], 9),
        [held[0], held[1], held[4]]
    );
    let standing = bed.tx(|port| port.standing("").unwrap());
    assert_eq!((standing.next_lapse_ms, standing.owners.len()), (Some(10_005), 3));
}

/// What a sweep was about may have moved before the sweep comes to it.
pub(super) fn a_sweep_looks_again_at_each_run_before_it_moves_it(bed: &mut dyn Bed) {
    bed.submit(1, &Submit { timeout_ms: 1_000, ..plain() }, at(5));
    let held = bed.claimed(at(6));
    let (key, owner_key) = (held.fence.run_key, held.owner_key);
    let before = bed.dump();
    bed.tx(|port| take_back(port, key, &[], at(10_005)).unwrap());
    bed.tx(|port| take_back(port, key, &[owner_key + 1], at(10_005)).unwrap());
    bed.tx(|port| time_out_overdue(port, key, at(1_004)).unwrap());
    bed.tx(|port| take_back(port, key + 1, &[owner_key], at(20_000)).unwrap());
    bed.tx(|port| time_out_overdue(port, key + 1, at(20_000)).unwrap());
    assert_eq!(bed.dump(), before, "it was not due");
    bed.finish(held.fence, &End::Release(0), at(7)).unwrap();
    let before = bed.dump();
    bed.tx(|port| take_back(port, key, &[owner_key], at(20_000)).unwrap());
    assert_eq!(bed.dump(), before, "it was given back");
    let held = bed.claimed(at(8));
    let lapsed = Now { wall_ms: 9, lease_ms: 10_008 };
    bed.tx(|port| take_back(port, key, &[], lapsed).unwrap());
    assert_eq!(bed.task(key).unwrap().losses, 1);
    bed.tx(|port| time_out_overdue(port, key, at(1_005)).unwrap());
    assert_eq!((bed.task(key), held.fence.number), (None, 2));
}

/// P14: whoever finds no promise takes no lock, so a promise must never be missing.
pub(super) fn an_outlook_promises_what_a_claim_finds(bed: &mut dyn Bed) {
    let filter = claimer(1, 0).filter;
    let look = |bed: &mut dyn Bed, ms| bed.tx(|port| outlook(port, &filter, at(ms)).unwrap());
    assert!(!look(bed, 5).is_promising);
    bed.submit(1, &Submit { queue: Some("other".into()), ..plain() }, at(5));
    assert!(!look(bed, 5).is_promising, "a run of another queue");
    bed.submit(2, &Submit { run_at_ms: 700, timeout_ms: 5_000, ..plain() }, at(5));
    let seen = look(bed, 699);
    assert_eq!((seen.is_promising, seen.next_due_at_ms), (false, Some(700)));
    assert!(look(bed, 700).is_promising);
    bed.claimed(at(700));
    let seen = look(bed, 701);
    assert_eq!((seen.is_promising, seen.next_lapse_ms), (false, Some(10_700)));
    assert_eq!((seen.next_due_at_ms, seen.owners.len()), (Some(5_700), 1));
    assert!(look(bed, 5_700).is_promising, "its time-out");
    assert!(look(bed, 10_700).is_promising, "its lease");
}

/// P12: merely slow, its runs are claimable when the lease lapses, and not a moment sooner.
pub(super) fn a_lapsed_lease_is_claimed_by_the_next_worker(bed: &mut dyn Bed) {
    let key = bed.run(1, at(5));
    let slow = bed.claim(&claimer(1, 0), at(100)).unwrap();
    assert!(bed.claim(&claimer(2, 0), at(10_099)).is_none());
    let taken = bed.claim(&claimer(2, 0), at(10_100)).unwrap();
    assert_eq!((taken.fence.run_key, taken.fence.number), (key, 2));
    assert_ne!(taken.owner_key, slow.owner_key);
    let lost = bed.tx(|port| port.attempt_ended(key, 1).unwrap()).unwrap();
    assert_eq!((lost.ended, lost.started_at_ms, lost.ended_at_ms), (Ended::Lost, 100, 10_100));
    assert!(lost.error.unwrap().contains(r#""$smolwf":"lapsed""#));
    assert_eq!(bed.task(key).unwrap().losses, 1);
}

/// P12: somebody sets the clock, a laptop sleeps.
pub(super) fn leases_follow_the_time_awake_and_due_times_the_wall_clock(bed: &mut dyn Bed) {
    let day_ms = 86_400_000;
    let now = |wall_ms: i64, lease_ms: i64| Now { wall_ms, lease_ms };
    bed.submit(1, &plain(), now(5, 5));
    let held = bed.claim(&claimer(1, 0), now(5, 5)).unwrap();
    bed.submit(2, &Submit { run_at_ms: 1_000, ..plain() }, now(5, 5));
    // The wall clock jumps a day ahead: what is due then is due, no lease has lapsed.
    let due = bed.claim(&claimer(2, 0), now(day_ms, 6)).unwrap();
    assert_eq!(due.run.run_id, run_id(2));
    bed.finish(due.fence, &End::Complete("1".into()), now(day_ms, 6)).unwrap();
    assert!(bed.claim(&claimer(2, 0), now(day_ms, 10_004)).is_none());
    // It jumps back behind the claim: the lease ends when it has been awake for its length.
    let taken = bed.claim(&claimer(2, 0), now(-day_ms, 10_005)).unwrap();
    assert_eq!((taken.fence.run_key, taken.fence.number), (held.fence.run_key, 2));
    // And what is due by the wall clock waits for it.
    let later = Submit { run_at_ms: 2_000, ..plain() };
    bed.submit(3, &later, now(-day_ms, 10_006));
    assert!(bed.claim(&claimer(2, 0), now(1_999, 10_007)).is_none());
    assert!(bed.claim(&claimer(2, 0), now(2_000, 10_007)).is_some());
}

/// P11, P12.
pub(super) fn a_lease_while_alive_lapses_with_its_owner_alone(bed: &mut dyn Bed) {
    bed.run(1, at(5));
    let forever = Claimer { lease_ms: LEASE_WHILE_ALIVE, ..claimer(1, 0) };
    let held = bed.claim(&forever, at(6)).unwrap();
    assert_eq!(held.lease_until_ms, i64::MAX);
    assert!(bed.claim(&claimer(2, 0), at(i64::MAX - 1)).is_none());
    let heir = Claimer { dead: vec![held.owner_key], ..claimer(2, 0) };
    assert_eq!(bed.claim(&heir, at(7)).unwrap().fence.number, 2);
}

/// P7: its caller was told that it may or may not be stored.
pub(super) fn what_a_claim_took_that_nobody_heard_of_is_given_back_by_the_next(bed: &mut dyn Bed) {
    let (first, second) = (bed.run(1, at(5)), bed.run(2, at(5)));
    let forever =
        |seed| Claimer { lease_ms: LEASE_WHILE_ALIVE, seed: run_id(seed), ..claimer(1, 0) };
    let unheard = bed.claim(&forever(0xA1), at(6)).unwrap();
    let held = bed.claim(&forever(0xA2), at(6)).unwrap();
    assert_eq!((unheard.fence.run_key, held.fence.run_key), (first, second));
    assert!(bed.claim(&forever(0xA3), at(7)).is_none());
    let tokens = vec![unheard.fence.token, run_id(0xA4).token()];
    let again = Claimer { unheard: tokens, ..forever(0xA5) };
    let claimed = bed.claim(&again, at(7)).unwrap();
    assert_eq!((claimed.fence.run_key, claimed.fence.number), (first, 2));
    let task = bed.task(first).unwrap();
    assert_eq!((task.tries(), task.losses), (0, 0), "no try is charged");
    assert_eq!(bed.task(second).unwrap().token, held.fence.token, "what is held stays");
    // It is the claims of that owner: another's with such a token are not looked at.
    let other = Claimer { unheard: vec![held.fence.token], ..claimer(2, 0) };
    assert!(bed.claim(&other, at(8)).is_none());
}

/// P12, and a bound on each transaction.
pub(super) fn the_runs_of_the_dead_are_taken_back_in_bounded_sweeps(bed: &mut dyn Bed) {
    let held = SWEEP_LOST_MAX as u8 + 9;
    let keys: Vec<i64> = (1..=held).map(|number| bed.run(number, at(5))).collect();
    keys.iter().for_each(|_| drop(bed.claimed(at(6))));
    let dead = bed.owner_key(1);
    let elsewhere = LaneFilter { queue: "elsewhere".into(), ..LaneFilter::default() };
    let heir = Claimer { dead: vec![dead], filter: elsewhere, ..claimer(2, 0) };
    let first = bed.tx(|port| claim(port, &heir, 1, at(7)).unwrap());
    assert!(first.runs.is_empty() && first.has_more, "{first:?}");
    let lost = |bed: &mut dyn Bed| {
        keys.iter().filter(|key| bed.task(**key).unwrap().state == TaskState::Ready).count()
    };
    assert_eq!(lost(bed), SWEEP_LOST_MAX as usize);
    assert_eq!(bed.owner_key(1), dead, "an owner is not forgotten while it holds runs");
    let second = bed.tx(|port| claim(port, &heir, 1, at(7)).unwrap());
    assert!(second.runs.is_empty() && !second.has_more, "{second:?}");
    assert_eq!((lost(bed), bed.owner_key(1)), (keys.len(), 0));
}

fn lose_once(bed: &mut dyn Bed, key: i64) {
    bed.claimed(at(6));
    bed.tx(|port| {
        let task = port.task(key).unwrap().unwrap();
        lose(port, &task, "test", at(7)).unwrap();
    });
}

/// P13: a run that kills its worker every time ends as failed.
pub(super) fn losses_in_a_row_without_progress_use_up_the_tries(bed: &mut dyn Bed) {
    let key = bed.run(1, at(5));
    lose_once(bed, key);
    lose_once(bed, key);
    assert_eq!(bed.task(key).unwrap().losses, 2);
    lose_once(bed, key);
    assert_eq!(bed.task(key), None);
    let end = bed.tx(|port| port.run_end(key).unwrap()).unwrap();
    assert_eq!((end.outcome, end.attempts, end.tries), (Outcome::Failed, 3, 3));
    let error = end.error.unwrap();
    assert!(error.starts_with(r#"{"$smolwf":"tries","message":"#), "{error}");
}

/// P13: tries are failures, and losses since the last progress.
pub(super) fn progress_starts_the_count_of_losses_anew(bed: &mut dyn Bed) {
    let key = bed.run(1, at(5));
    let fence = bed.claimed(at(6)).fence;
    bed.finish(fence, &End::Fail("1".into(), FailOptions::default()), at(6)).unwrap();
    bed.tx(|port| port.tasks_wake(&[key], 6, WokenFor::Itself).unwrap());
    for round in 0..10 {
        lose_once(bed, key);
        assert_eq!(bed.task(key).unwrap().tries(), 2, "round {round}");
        let fence = bed.claimed(at(8)).fence;
        let name = format!("step {round}");
        let subject = subject(fence, &name, Begin::default(), at(8));
        bed.tx(|port| step::complete(port, &subject, "1", at(8)).unwrap());
        assert_eq!(bed.task(key).unwrap().tries(), 1);
        bed.finish(fence, &End::Release(0), at(8)).unwrap();
    }
    lose_once(bed, key);
    lose_once(bed, key);
    let end = bed.tx(|port| port.run_end(key).unwrap()).unwrap();
    assert_eq!((end.outcome, end.tries), (Outcome::Failed, 3));
}

/// P13.
pub(super) fn an_orderly_close_gives_all_back_and_charges_nothing(bed: &mut dyn Bed) {
    let held = SWEEP_LOST_MAX as u8 + 5;
    let keys: Vec<i64> = (1..=held).map(|number| bed.run(number, at(5))).collect();
    keys.iter().for_each(|_| drop(bed.claimed(at(6))));
    let owner_key = bed.owner_key(1);
    assert!(bed.tx(|port| give_back(port, owner_key, at(7)).unwrap()), "more are left");
    assert!(!bed.tx(|port| give_back(port, owner_key, at(7)).unwrap()));
    for key in keys {
        let task = bed.task(key).unwrap();
        assert_eq!((task.state, task.tries(), task.fence), (TaskState::Ready, 0, 1));
        let ended = bed.tx(|port| port.attempt_ended(key, 1).unwrap()).unwrap();
        assert_eq!(ended.ended, Ended::Released);
    }
    assert_eq!(bed.owner_key(1), 0);
}

pub(super) fn an_owner_is_written_once_and_its_key_never_again(bed: &mut dyn Bed) {
    for number in 1..=4 {
        bed.run(number, at(5));
    }
    let first = bed.claim(&claimer(1, 0), at(6)).unwrap().owner_key;
    assert_eq!(bed.claim(&claimer(1, first), at(6)).unwrap().owner_key, first);
    let owners = bed.tx(|port| port.standing("").unwrap().owners);
    let expected = Owner { owner_key: first, id: owner_id(1) };
    assert_eq!(owners, [expected]);
    // Another claimer thought it dead and swept it: its next claim must not hang in the air.
    bed.tx(|port| port.owner_delete(first).unwrap());
    let second = bed.claim(&claimer(1, first), at(6)).unwrap().owner_key;
    assert_ne!(second, first);
    bed.tx(|port| port.owner_delete(second).unwrap());
    let far = Owner { owner_key: 0, id: owner_id(u64::MAX) };
    let third = bed.tx(|port| port.owner_make(&far, 1).unwrap());
    assert!(third > second);
    assert_eq!(bed.tx(|port| port.standing("").unwrap().owners)[0].id, far.id);
}

/// P26.
pub(super) fn a_run_that_timed_out_in_the_queue_fails(bed: &mut dyn Bed) {
    bed.submit(1, &Submit { timeout_ms: 1_000, ..plain() }, at(5));
    bed.submit(2, &Submit { timeout_ms: 1_000, run_at_ms: 5_000, ..plain() }, at(5));
    bed.submit(3, &plain(), at(5));
    assert_eq!(bed.claimed(at(1_005)).run.run_id, run_id(3), "1 is over, 2 is not due");
    let end = |bed: &mut dyn Bed, number| {
        bed.tx(|port| {
            let key = port.run_by_id(run_id(number)).unwrap().unwrap();
            (port.task(key).unwrap().is_some(), port.run_end(key).unwrap())
        })
    };
    let (is_open, ended) = end(bed, 1);
    let ended = ended.unwrap();
    assert_eq!((is_open, ended.outcome), (false, Outcome::Failed));
    assert!(ended.error.unwrap().contains(r#""$smolwf":"timeout""#));
    assert!(end(bed, 2).0);
    let owner_key = bed.owner_key(1);
    assert!(bed.claim(&claimer(1, owner_key), at(6_000)).is_none());
    assert_eq!(end(bed, 2).1.unwrap().outcome, Outcome::Failed);
}

/// P26: flagged while it runs, it ends with the attempt, whatever that says.
pub(super) fn a_run_that_timed_out_in_an_attempt_ends_with_that_attempt(bed: &mut dyn Bed) {
    for number in 1..=2_u8 {
        bed.submit(number, &Submit { timeout_ms: 1_000, ..plain() }, at(5));
        let fence = bed.claimed(at(6)).fence;
        bed.tx(|port| living(port, fence, at(1_004)).unwrap());
        if number == 2 {
            // A sweep of another claimer flags it first; that changes nothing for its holder.
            assert!(bed.claim(&claimer(2, 0), at(1_005)).is_none());
            assert_eq!(bed.tx(|port| port.standing("").unwrap().next_deadline_at_ms), None);
        }
        let error = bed.tx(|port| living(port, fence, at(1_005)).unwrap_err());
        assert_eq!((error.code(), error.to_string().as_str()), (-21, "the run timed out"));
        let late = subject(fence, "late", Begin::default(), at(1_005));
        bed.tx(|port| step::may_run(port, fence, false, at(1_005)).unwrap_err());
        bed.tx(|port| step::complete(port, &late, "1", at(1_005)).unwrap());
        let finish = bed.finish(fence, &End::Complete("1".into()), at(1_006)).unwrap();
        assert!(matches!(finish, crate::domain::attempt::Finish::Stopped(Ended::TimedOut)));
        let end = bed.tx(|port| port.run_end(fence.run_key).unwrap()).unwrap();
        assert_eq!((end.outcome, end.result), (Outcome::Failed, None));
        assert!(end.error.unwrap().contains(r#""$smolwf":"timeout""#));
    }
}

/// What a run is, said as plainly as can be.
#[derive(Debug, Clone)]
struct Model {
    priority: i32,
    due: i64,
    ready_at: Option<i64>,
    running: Option<(u32, i64)>,
    attempts: u32,
    failures: u32,
    losses: u32,
    is_open: bool,
}

impl Model {
    fn yield_at(&mut self, at_ms: i64) {
        (self.running, self.due, self.ready_at) = (None, at_ms, Some(at_ms));
        self.is_open = self.failures + self.losses < 3;
    }

    fn lapse(&mut self, now: i64) {
        if self.running.is_some_and(|(_, until)| until <= now) {
            self.losses += 1;
            self.yield_at(now);
        }
    }
}

/// P9, P13, over histories that nobody thought of.
pub(super) fn claims_agree_with_a_plain_model_over_random_histories(bed: &mut dyn Bed) {
    let mut draws = Draws(0x5EED);
    let mut models: BTreeMap<i64, Model> = BTreeMap::new();
    let mut now = 1_000;
    for turn in 0..1_500 {
        now += draws.below(400) as i64;
        match draws.below(8) {
            0 | 1 if models.len() < 250 => submit_one(bed, &mut models, &mut draws, now),
            2..=4 => claim_one(bed, &mut models, now, turn),
            _ => end_one(bed, &mut models, &mut draws, now),
        }
    }
    for (key, model) in &models {
        let task = bed.task(*key);
        assert_eq!(task.is_some(), model.is_open, "{model:?}");
        if let Some(Task { fence, failures, losses, .. }) = task {
            let expected = (model.attempts, model.failures, model.losses);
            assert_eq!((fence, failures, losses), expected, "run {key}");
        }
    }
    let ended = models.values().filter(|model| !model.is_open).count();
    assert!(ended > 20, "a weak history: {ended} ended");
}

fn submit_one(bed: &mut dyn Bed, models: &mut BTreeMap<i64, Model>, draws: &mut Draws, now: i64) {
    let number = models.len() as u8 + 1;
    let priority = draws.below(3) as i32;
    let due = now + draws.below(3) as i64 * 500;
    let workflow = format!("w{}", draws.below(3));
    let later = Submit { workflow, priority, run_at_ms: due, ..plain() };
    bed.submit(number, &later, at(now));
    let key = bed.tx(|port| port.run_by_id(run_id(number)).unwrap().unwrap());
    let model = Model {
        priority,
        due,
        ready_at: Some(due),
        running: None,
        attempts: 0,
        failures: 0,
        losses: 0,
        is_open: true,
    };
    models.insert(key, model);
}

fn claim_one(bed: &mut dyn Bed, models: &mut BTreeMap<i64, Model>, now: i64, turn: u32) {
    let owner_key = bed.owner_key(1);
    let short = Claimer { lease_ms: 2_000, ..claimer(1, owner_key) };
    let seen = bed.tx(|port| outlook(port, &short.filter, at(now)).unwrap());
    let claimed = bed.claim(&short, at(now));
    models.values_mut().for_each(|model| model.lapse(now));
    let head = models
        .iter()
        .filter(|(_, m)| m.is_open && m.ready_at.is_some_and(|ready_at| ready_at <= now))
        .min_by_key(|(key, m)| (m.priority, m.due, **key))
        .map(|(key, _)| *key);
    assert_eq!(claimed.as_ref().map(|claimed| claimed.fence.run_key), head, "turn {turn}");
    assert!(seen.is_promising || claimed.is_none(), "turn {turn}: claimed against the outlook");
    if let Some(claimed) = claimed {
        let model = models.get_mut(&claimed.fence.run_key).unwrap();
        model.attempts += 1;
        model.ready_at = None;
        model.running = Some((claimed.fence.number, claimed.lease_until_ms));
        assert_eq!(claimed.fence.number, model.attempts, "turn {turn}");
    }
}

fn end_one(bed: &mut dyn Bed, models: &mut BTreeMap<i64, Model>, draws: &mut Draws, now: i64) {
    let running: Vec<i64> =
        models.iter().filter(|(_, m)| m.is_open && m.running.is_some()).map(|(k, _)| *k).collect();
    if running.is_empty() {
        return;
    }
    let key = running[draws.below(running.len() as u64) as usize];
    let model = models.get_mut(&key).unwrap();
    let (number, _) = model.running.unwrap();
    let fence = crate::domain::port::Fence { run_key: key, number, token: run_id(0xEE).token() };
    match draws.below(4) {
        0 => {
            bed.finish(fence, &End::Complete("1".into()), at(now)).unwrap();
            (model.running, model.is_open) = (None, false);
        }
        1 => {
            let wait = FailOptions { is_terminal: false, retry_after_ms: 700 };
            bed.finish(fence, &End::Fail("1".into(), wait), at(now)).unwrap();
            model.failures += 1;
            model.yield_at(now + 700);
        }
        2 => {
            bed.finish(fence, &End::Release(100), at(now)).unwrap();
            model.yield_at(now + 100);
        }
        _ => {
            let name = format!("at {now}");
            let done = subject(fence, &name, Begin::default(), at(now));
            let lease = bed.tx(|port| step::complete(port, &done, "1", at(now)).unwrap());
            model.losses = 0;
            model.running = Some((number, lease.until_ms));
        }
    }
}
