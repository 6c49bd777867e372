//! The meter of a tree: its balances as a script changes them, and what a change sets off.

use super::document;
use crate::clock::Now;
use crate::domain::news::News;
use crate::domain::port::{
    Amounts, Balance, Change, Changes, Entry, Fence, LaneKey, Port, Reservation, RunKey,
    SourceKind, WokenFor,
};
use crate::domain::queue::wake_tasks;
use crate::error::{Error, Result};
use crate::limits::{
    BUDGET_UNITS_OF_TREE_MAX, BUDGET_WAKE_MAX, BUDGET_WAKE_PAUSE_MS, RESERVATIONS_OPEN_MAX,
};

/// The type of the event that warns of a limit.
pub const WARNING: &str = "budget.warning";

/// The step that a reservation is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfStep {
    /// Name.
    pub name: String,
    /// Occurrence of the name, from 1.
    pub occurrence: u32,
    /// The host's label.
    pub label: Option<String>,
}

impl OfStep {
    pub(super) fn kind(&self) -> String {
        self.label.clone().unwrap_or_else(|| "step".into())
    }
}

/// What an attempt asks to hold.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Who asks.
    pub fence: Fence,
    /// What it is for.
    pub step: Option<OfStep>,
    /// How much of each unit; all or nothing.
    pub amounts: Amounts,
    /// What makes it one: the same again in this attempt is the same reservation.
    pub source: Option<String>,
    /// Random part of the id, if it is new.
    pub salt: u32,
}

/// Wakes parked runs that fit into what is left of a balance together, the smallest ask first.
pub(super) fn wake(
    port: &mut dyn Port,
    root_key: RunKey,
    unit: &str,
    balance: &Balance,
    now: Now,
) -> Result<()> {
    let room = balance.room().unwrap_or(-1).clamp(-1, i64::MAX.into());
    let mut left = i64::try_from(room).unwrap_or(-1);
    let waiters = if left < 0 {
        Vec::new()
    } else {
        port.room_waiters(root_key, unit, left, BUDGET_WAKE_MAX + 1)?
    };
    let mut woken = Vec::new();
    for (run_key, amount) in &waiters {
        if woken.len() == BUDGET_WAKE_MAX as usize || *amount > left {
            break;
        }
        left = left.saturating_sub(*amount);
        woken.push(*run_key);
    }
    wake_tasks(port, &woken, WokenFor::Room, now)?;
    let wake_at_ms =
        (woken.len() < waiters.len()).then(|| now.wall_ms.saturating_add(BUDGET_WAKE_PAUSE_MS));
    if wake_at_ms != balance.wake_at_ms {
        port.balance_wake_at(root_key, unit, wake_at_ms)?;
    }
    Ok(())
}

impl Balance {
    /// Returns what is reserved and spent together.
    pub(super) fn committed(&self) -> i128 {
        i128::from(self.reserved) + i128::from(self.spent)
    }

    /// Returns whether an amount does not fit below the limit: what a reserve asks, and a suspend.
    pub(super) fn is_short_of(&self, amount: i64) -> bool {
        self.room().is_some_and(|room| room < i128::from(amount))
    }

    /// Returns what is left below the limit, negative above it; `None` without a limit.
    pub(super) fn room(&self) -> Option<i128> {
        self.limit.map(|limit| i128::from(limit) - self.committed())
    }
}

/// What a script changes in the balances of one tree, written together.
pub(super) struct Meter<'port> {
    pub(super) port: &'port mut dyn Port,
    root_key: RunKey,
    now: Now,
    changes: Changes,
    entries: Vec<Entry>,
}

impl<'port> Meter<'port> {
    pub(super) fn new(port: &'port mut dyn Port, root_key: RunKey, now: Now) -> Meter<'port> {
        Meter { port, root_key, now, changes: Changes::new(), entries: Vec::new() }
    }

    /// Takes open reservations off what is reserved.
    pub(super) fn free(&mut self, units: &[Reservation]) {
        for unit in units {
            let change = self.changes.entry(unit.unit.clone()).or_default();
            change.reserved = change.reserved.saturating_sub(unit.amount);
        }
    }

    /// Writes what a reservation came to.
    pub(super) fn spend_for(
        &mut self,
        first: &Reservation,
        source: SourceKind,
        usage: &Amounts,
    ) -> Result<()> {
        let (_, lane_key) = self.port.root_and_lane(first.run_key)?;
        let entry = entry_of(first, source, lane_key, self.now);
        self.spend(&entry, usage)
    }

    /// Writes one line of the ledger for each unit, alike but for unit and amount.
    pub(super) fn spend(&mut self, entry: &Entry, usage: &Amounts) -> Result<()> {
        for (unit, amount) in usage {
            self.enter(Entry { unit: unit.clone(), amount: *amount, ..entry.clone() })?;
        }
        Ok(())
    }

    pub(super) fn enter(&mut self, entry: Entry) -> Result<()> {
        let change = self.changes.entry(entry.unit.clone()).or_default();
        let spent = change.spent.checked_add(entry.amount);
        change.spent = spent.ok_or_else(|| beyond(&entry.unit, entry.amount))?;
        self.entries.push(entry);
        Ok(())
    }

    /// Writes what was changed, warns of what has come to its level, wakes those who now have room.
    pub(super) fn save(self) -> Result<()> {
        if self.changes.is_empty() {
            return Ok(());
        }
        // Before the ledger: where a balance has place for more, the totals below it have.
        let balances = self.port.balances_add(self.root_key, &self.changes)?;
        let added = self.changes.iter().zip(balances);
        let added: Vec<_> = added
            .map(|((unit, change), balance)| {
                Ok((unit, *change, balance.ok_or_else(|| beyond(unit, change.spent))?))
            })
            .collect::<Result<_>>()?;
        self.port.ledger_insert(&self.entries)?;
        for (unit, change, balance) in added {
            changed(self.port, self.root_key, (unit, change), balance, self.now)?;
        }
        Ok(())
    }
}

/// Warns of a balance that has come to its level, and wakes those who now have room.
pub(super) fn changed(
    port: &mut dyn Port,
    root_key: RunKey,
    (unit, change): (&str, Change),
    balance: Balance,
    now: Now,
) -> Result<()> {
    let is_as_new = balance.limit.is_none()
        && (balance.reserved, balance.spent) == (change.reserved, change.spent);
    if is_as_new {
        check_tree(port, root_key, unit)?;
    }
    if change == Change::default() {
        return Ok(());
    }
    warn(port, root_key, unit, &balance, now)?;
    if balance.limit.is_some() && i128::from(change.reserved) + i128::from(change.spent) < 0 {
        wake(port, root_key, unit, &balance, now)?;
    }
    Ok(())
}

/// Warns of a balance that has come to its level, once.
pub(super) fn warn(
    port: &mut dyn Port,
    root_key: RunKey,
    unit: &str,
    balance: &Balance,
    now: Now,
) -> Result<()> {
    if balance.is_warned || balance.warn.is_none_or(|warn| i128::from(warn) > balance.committed()) {
        return Ok(());
    }
    port.tell(News::CHANGED);
    port.balance_warned(root_key, unit)?;
    let payload = document::warning(unit, balance)?;
    port.event_insert_once(root_key, WARNING, None, &payload, now.wall_ms).map(|_| ())
}

/// Returns the error of the first amount that has no room in the balances of a tree.
pub(super) fn refusal(amounts: &Amounts, balances: &[(String, Balance)]) -> Error {
    for (unit, balance) in balances {
        let Some(amount) = amounts.get(unit) else { continue };
        match balance.limit {
            Some(limit) if balance.is_short_of(*amount) => {
                return Error::Budget(
                    format!(
                        "the limit of {unit:?} is {limit}: {} spent, {} reserved, {amount} asked",
                        balance.spent, balance.reserved
                    )
                    .into(),
                );
            }
            None if balance.committed() + i128::from(*amount) > i128::from(i64::MAX) => {
                return beyond(unit, *amount);
            }
            Some(_) | None => {}
        }
    }
    Error::internal("amounts that have room were refused")
}

pub(super) fn check_open_count(port: &mut dyn Port, ask: &Ask) -> Result<()> {
    let open = port.reservations_open_count(ask.fence.run_key)? as usize;
    if open + ask.amounts.len() <= RESERVATIONS_OPEN_MAX as usize {
        return Ok(());
    }
    Err(Error::conflict(format!(
        "the attempt has {open} open reservations, at most {RESERVATIONS_OPEN_MAX} are allowed: settle some"
    )))
}

fn beyond(unit: &str, amount: i64) -> Error {
    Error::invalid(format!("{amount} more of {unit:?} would be above {}", i64::MAX))
}

fn check_tree(port: &mut dyn Port, root_key: RunKey, unit: &str) -> Result<()> {
    if port.balance_count(root_key)? < BUDGET_UNITS_OF_TREE_MAX {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the unit {unit:?} is one too many: a run and those below it have at most {BUDGET_UNITS_OF_TREE_MAX}"
    )))
}

pub(super) fn entry_of(
    unit: &Reservation,
    source: SourceKind,
    lane_key: LaneKey,
    now: Now,
) -> Entry {
    Entry {
        root_key: unit.root_key,
        source,
        source_key: unit.key,
        unit: unit.unit.clone(),
        run_key: unit.run_key,
        lane_key,
        label: unit.label.clone(),
        amount: unit.amount,
        at_ms: now.wall_ms,
    }
}
