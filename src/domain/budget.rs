//! Budgets: what a tree of runs may spend of each unit, held before it is spent.
//!
//! A balance is kept in the transaction that changes it, and every change of what was spent is a line
//! of the ledger: their sum is the balance, always. A reservation belongs to its attempt; whoever
//! ends the attempt closes it ([`give_back`], [`assume`]).
//!
//! Waking those who wait for room costs no more than what fits: the smallest ask first, as many as fit
//! together, bounded. Those who were not woken though each would fit are not lost: the balance notes
//! when to look again, and a claim's sweep does ([`sweep`]).

use super::find::find_row;
use super::hold::{Lease, keep_lease, living};
use super::port::{
    Amounts, Balance, Change, Entry, Fence, Held, Port, Reservation, ReservationState, RunKey,
    SourceKind, Task,
};
use crate::clock::Now;
use crate::error::{Error, Result};
use crate::id::{self, Id};
use crate::limits::{BUDGET_TOTALS_MAX, SWEEP_BUDGETS_MAX};
use crate::plant::{Plant, stands};

mod document;
mod meter;

pub use document::{Limit, amounts, limits};
pub use meter::{Ask, OfStep, WARNING};
use meter::{Meter, changed, check_open_count, entry_of, refusal, wake, warn};

/// The bits of a reservation's key that its id holds.
const KEY_BITS: u32 = 48;

/// What a reserve comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserved {
    /// All of it is held.
    Made {
        /// Id of the reservation.
        id: Id,
        /// Where the attempt's lease stands.
        lease: Lease,
    },
    /// Its source has reserved before in this attempt.
    Existed(Id),
    /// Nothing is held: this much must have room, and the error to answer.
    NoRoom(Vec<(String, i64)>, Error),
}

/// Refuses what has no meaning whatever the budget is.
pub fn check_amounts(amounts: &Amounts) -> Result<()> {
    if amounts.is_empty() {
        return Err(Error::invalid("amounts names no unit, it must name at least one"));
    }
    Ok(())
}

/// Holds amounts of a budget for an attempt, all or none (P27, P30).
pub fn reserve(port: &mut dyn Port, ask: &Ask, now: Now) -> Result<Reserved> {
    let hold = living(port, ask.fence, now)?;
    if let Some(source) = &ask.source
        && let Some(made) = port.reservation_by_source(ask.fence, source)?
    {
        return Ok(Reserved::Existed(id_of(&made)?));
    }
    let (root_key, _) = port.root_and_lane(ask.fence.run_key)?;
    let balances = match port.balances_reserve(root_key, &ask.amounts)? {
        Held::All(balances) => balances,
        Held::None(balances) => return no_room(&ask.amounts, &balances),
    };
    check_open_count(port, ask)?;
    let mut made = new_reservation(ask, root_key, now);
    made.key = port.reservation_insert(&made, &ask.amounts, ask.source.as_deref())?;
    if stands(Plant::ReserveTwice) {
        let again = |(unit, amount): (&String, &i64)| {
            (unit.clone(), Change { reserved: *amount, spent: 0 })
        };
        port.balances_add(root_key, &ask.amounts.iter().map(again).collect())?;
    }
    for ((unit, amount), balance) in ask.amounts.iter().zip(balances) {
        let change = Change { reserved: *amount, spent: 0 };
        changed(port, root_key, (unit, change), balance, now)?;
    }
    // Not progress: a run that dies after each reserve must run out of tries (P13).
    let lease = keep_lease(port, ask.fence, &hold, hold.losses, now)?;
    Ok(Reserved::Made { id: id_of(&made)?, lease })
}

/// Answers an ask that does not fit: those of its units that have a limit may be waited for.
fn no_room(amounts: &Amounts, balances: &[(String, Balance)]) -> Result<Reserved> {
    let error = refusal(amounts, balances);
    if !matches!(error, Error::Budget(_)) {
        return Err(error);
    }
    let limited = balances.iter().filter(|(_, balance)| balance.limit.is_some());
    let asked = |(unit, _): &(String, Balance)| Some((unit.clone(), *amounts.get(unit)?));
    Ok(Reserved::NoRoom(limited.filter_map(asked).collect(), error))
}

fn new_reservation(ask: &Ask, root_key: RunKey, now: Now) -> Reservation {
    Reservation {
        key: 0,
        salt: ask.salt,
        root_key,
        run_key: ask.fence.run_key,
        attempt: ask.fence.number,
        unit: String::new(),
        amount: 0,
        state: ReservationState::Open,
        label: ask.step.as_ref().map_or_else(String::new, OfStep::kind),
        step: ask.step.as_ref().map(|step| (step.name.clone(), step.occurrence)),
        at_ms: now.wall_ms,
    }
}

/// Makes the id of a reservation of its time, key and salt: it needs no column.
fn id_of(reservation: &Reservation) -> Result<Id> {
    if reservation.key >> KEY_BITS != 0 {
        return Err(Error::internal("the keys of reservations are used up"));
    }
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&reservation.at_ms.to_be_bytes()[2..]);
    bytes[6..12].copy_from_slice(&reservation.key.to_be_bytes()[2..]);
    bytes[12..].copy_from_slice(&reservation.salt.to_be_bytes());
    Ok(Id::from_bytes(bytes))
}

/// Returns the units of the reservation with this id.
fn find(port: &mut dyn Port, text: &str) -> Result<Vec<Reservation>> {
    let not_found = || Error::NotFound(format!("no reservation has the id {text:?}").into());
    let id = id::parse("budget", text).ok_or_else(not_found)?;
    let mut key = [0; 8];
    key[2..].copy_from_slice(&id.to_bytes()[6..12]);
    let units = port.reservation(i64::from_be_bytes(key))?;
    match units.first() {
        Some(first) if id_of(first)? == id => Ok(units),
        _ => Err(not_found()),
    }
}

/// Replaces a reservation by what was used, once (P28); of one that was charged for a lost attempt,
/// corrects the charge, once (P29).
pub fn settle(port: &mut dyn Port, id: &str, usage: &Amounts, now: Now) -> Result<()> {
    let units = find(port, id)?;
    let first = units.first().ok_or_else(|| Error::internal("a reservation of nothing"))?;
    let settles_again = stands(Plant::SettleTwice) && first.state == ReservationState::Settled;
    match if settles_again { ReservationState::Open } else { first.state } {
        ReservationState::Open => {
            port.reservation_set(first.key, ReservationState::Settled)?;
            let mut meter = Meter::new(port, first.root_key, now);
            meter.free(&units);
            meter.spend_for(first, SourceKind::Reservation, usage)?;
            meter.save()
        }
        ReservationState::Assumed => {
            port.reservation_set(first.key, ReservationState::Corrected)?;
            let assumed = port.ledger_of(first.root_key, false, first.key)?;
            let mut meter = Meter::new(port, first.root_key, now);
            meter.spend_for(first, SourceKind::Correction, &difference(&assumed, usage)?)?;
            meter.save()
        }
        ReservationState::GivenBack
        | ReservationState::Settled
        | ReservationState::Corrected
        | ReservationState::SettledWithStep => {
            let stored = settled(port, first)?;
            if is_same(&stored, usage) {
                return Ok(());
            }
            Err(Error::conflict(if first.state == ReservationState::GivenBack {
                format!("{id} was given back when its attempt ended")
            } else {
                format!("{id} is settled with other amounts")
            }))
        }
    }
}

/// Returns what a closed reservation came to.
fn settled(port: &mut dyn Port, first: &Reservation) -> Result<Amounts> {
    match (first.state, &first.step) {
        (ReservationState::SettledWithStep, Some((name, occurrence))) => {
            let step = port.step_key(first.run_key, name, *occurrence)?;
            step.map_or(Ok(Amounts::new()), |step| port.ledger_of(first.root_key, true, step))
        }
        _ => port.ledger_of(first.root_key, false, first.key),
    }
}

/// Returns whether two sets of amounts mean the same: a unit that is not named is none of it.
fn is_same(one: &Amounts, other: &Amounts) -> bool {
    let some = |amounts: &Amounts| {
        let some = amounts.iter().filter(|(_, amount)| **amount != 0);
        some.map(|(unit, amount)| (unit.clone(), *amount)).collect::<Amounts>()
    };
    some(one) == some(other)
}

/// Returns what must be added to `stored` to make it `actual`.
fn difference(stored: &Amounts, actual: &Amounts) -> Result<Amounts> {
    let mut difference = actual.clone();
    for (unit, amount) in stored {
        let left = difference.entry(unit.clone()).or_default();
        *left = left
            .checked_sub(*amount)
            .ok_or_else(|| Error::internal("an amount in the ledger is below 0"))?;
    }
    Ok(difference)
}

/// Records what a completed step used, and closes its reservations of this attempt in the same commit
/// (P28). `is_new` when the step's record was written now.
pub fn settle_step(
    port: &mut dyn Port,
    fence: Fence,
    step: &OfStep,
    usage: &Amounts,
    is_new: bool,
    now: Now,
) -> Result<()> {
    let (root_key, lane_key) = port.root_and_lane(fence.run_key)?;
    let step_key = port
        .step_key(fence.run_key, &step.name, step.occurrence)?
        .ok_or_else(|| Error::internal("a recorded step is gone"))?;
    if !is_new {
        let stored = port.ledger_of(root_key, true, step_key)?;
        return if is_same(&stored, usage) {
            Ok(())
        } else {
            Err(Error::conflict(format!(
                "step {:?} occurrence {} is completed with another usage",
                step.name, step.occurrence
            )))
        };
    }
    let mut units = port.reservations_open(fence.run_key)?;
    units.retain(|unit| {
        let is_its = |(name, at): &(String, u32)| *name == step.name && *at == step.occurrence;
        (unit.run_key, unit.attempt) == (fence.run_key, fence.number)
            && unit.step.as_ref().is_some_and(is_its)
    });
    close(port, &units, ReservationState::SettledWithStep)?;
    let mut meter = Meter::new(port, root_key, now);
    meter.free(&units);
    let entry = Entry {
        root_key,
        source: SourceKind::Step,
        source_key: step_key,
        unit: String::new(),
        run_key: fence.run_key,
        lane_key,
        label: step.kind(),
        amount: 0,
        at_ms: now.wall_ms,
    };
    meter.spend(&entry, usage)?;
    meter.save()
}

/// Closes the open reservations of one run that units belong to.
fn close(port: &mut dyn Port, units: &[Reservation], state: ReservationState) -> Result<()> {
    let Some(first) = units.first() else { return Ok(()) };
    let mut keys: Vec<i64> = units.iter().map(|unit| unit.key).collect();
    keys.dedup();
    port.reservations_close(first.run_key, &keys, state)
}

/// Gives back what an attempt that ends in order has left open (P29), and lets others have the room
/// that it was woken for and did not take.
pub(super) fn give_back(port: &mut dyn Port, task: &Task, now: Now) -> Result<()> {
    let units = port.reservations_open(task.run_key)?;
    if let Some(first) = units.first().filter(|_| !stands(Plant::ForgetReserve)) {
        close(port, &units, ReservationState::GivenBack)?;
        let mut meter = Meter::new(port, first.root_key, now);
        meter.free(&units);
        meter.save()?;
    }
    pass_on(port, task, now)
}

/// Charges in full what an attempt that was lost has left open: the call may have been paid (P29).
pub(super) fn assume(port: &mut dyn Port, task: &Task, now: Now) -> Result<()> {
    let units = port.reservations_open(task.run_key)?;
    let Some(first) = units.first() else { return Ok(()) };
    let (root_key, lane_key) = port.root_and_lane(first.run_key)?;
    close(port, &units, ReservationState::Assumed)?;
    // What settled above its reservation may have left less than what is to be charged below 2^63.
    let left = |(unit, balance): (String, Balance)| (unit, i64::MAX.saturating_sub(balance.spent));
    let mut left: Amounts = port.balances(root_key)?.into_iter().map(left).collect();
    let mut meter = Meter::new(port, root_key, now);
    meter.free(&units);
    for unit in &units {
        let mut entry = entry_of(unit, SourceKind::Assumed, lane_key, now);
        let left = left.entry(unit.unit.clone()).or_default();
        entry.amount = unit.amount.min(*left);
        *left = left.saturating_sub(entry.amount);
        meter.enter(entry)?;
    }
    meter.save()
}

/// Wakes the next who wait for the room that a run was woken for, when it ends or parks again.
pub(super) fn pass_on(port: &mut dyn Port, task: &Task, now: Now) -> Result<()> {
    if !task.is_woken_for_room {
        return Ok(());
    }
    let (root_key, _) = port.root_and_lane(task.run_key)?;
    for (unit, balance) in port.balances(root_key)? {
        wake(port, root_key, &unit, &balance, now)?;
    }
    Ok(())
}

/// Writes the limits of a new topmost run.
pub(super) fn open(port: &mut dyn Port, root_key: RunKey, budget: &str) -> Result<()> {
    let balance = |(unit, Limit { limit, warn })| {
        (unit, Balance { limit: Some(limit), warn, ..Balance::default() })
    };
    let balances: Vec<_> = limits(budget)?.into_iter().map(balance).collect();
    port.limits_set(root_key, &balances)
}

/// Moves a limit, and with it the level of its warning.
pub fn raise(port: &mut dyn Port, run_id: &str, unit: &str, delta: i64, now: Now) -> Result<()> {
    let root_key = root_of(port, run_id)?;
    let no_limit = || Error::NotFound(format!("{run_id} has no limit of {unit:?}").into());
    let mut balance = port.balance(root_key, unit)?.ok_or_else(no_limit)?;
    let limit = balance.limit.ok_or_else(no_limit)?;
    let raised = limit.checked_add(delta).filter(|raised| *raised >= 0).ok_or_else(|| {
        Error::invalid(format!(
            "the limit of {unit:?} is {limit}, moved by {delta} it must be 0 to {}",
            i64::MAX
        ))
    })?;
    balance.limit = Some(raised);
    balance.warn = balance.warn.map(|warn| warn.saturating_add(delta).clamp(0, raised));
    if balance.warn.is_some_and(|warn| i128::from(warn) > balance.committed()) {
        balance.is_warned = false;
    }
    let raised = [(unit.to_owned(), balance)];
    port.limits_set(root_key, &raised)?;
    let [(_, balance)] = &raised;
    warn(port, root_key, unit, balance, now)?;
    if delta > 0 { wake(port, root_key, unit, balance, now) } else { Ok(()) }
}

fn root_of(port: &mut dyn Port, run_id: &str) -> Result<RunKey> {
    let run_key = find_row(port, run_id)?.run_key;
    Ok(port.root_and_lane(run_key)?.0)
}

/// Returns the first of these amounts that has no room now, of those who wait for room.
pub(super) fn short(
    port: &mut dyn Port,
    run_key: RunKey,
    room: &[(String, i64)],
) -> Result<Option<(RunKey, String, i64)>> {
    let (root_key, _) = port.root_and_lane(run_key)?;
    let short = port.balance_short(root_key, room)?;
    Ok(short.map(|(unit, amount)| (root_key, unit, amount)))
}

/// Wakes, bounded, those for whom room was left when others were woken first. Returns how many
/// balances were due.
pub(super) fn sweep(port: &mut dyn Port, now: Now) -> Result<usize> {
    let due = port.balances_due(now.wall_ms, SWEEP_BUDGETS_MAX)?;
    for (root_key, unit, balance) in &due {
        wake(port, *root_key, unit, balance, now)?;
    }
    Ok(due.len())
}

/// Returns the document of a budget, that of the topmost run, whichever run of the tree is named.
pub fn show(port: &mut dyn Port, run_id: &str) -> Result<String> {
    let row = find_row(port, run_id)?;
    let (root_key, _) = port.root_and_lane(row.run_key)?;
    let balances = port.balances(root_key)?;
    let mut totals = port.totals(root_key, BUDGET_TOTALS_MAX + 1)?;
    let is_cut = totals.len() > BUDGET_TOTALS_MAX as usize;
    totals.truncate(BUDGET_TOTALS_MAX as usize);
    document::show(row.root_run_id, &balances, &totals, is_cut)
}
