//! The meter of a tree: its balances as a script changes them, and what a change sets off.

use std::collections::BTreeMap;

use super::document;
use crate::clock::Now;
use crate::domain::news::News;
use crate::domain::port::{
    Amounts, Balance, Entry, Fence, LaneKey, Port, Reservation, RunKey, SourceKind, WokenFor,
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
    balance: Balance,
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
        left -= amount;
        woken.push(*run_key);
    }
    wake_tasks(port, &woken, WokenFor::Room, now)?;
    let wake_at_ms =
        (woken.len() < waiters.len()).then(|| now.wall_ms.saturating_add(BUDGET_WAKE_PAUSE_MS));
    if wake_at_ms != balance.wake_at_ms {
        port.balance_put(root_key, unit, &Balance { wake_at_ms, ..balance })?;
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

/// The balances of one tree that a script changes: loaded when first named, saved together.
pub(super) struct Meter<'port> {
    pub(super) port: &'port mut dyn Port,
    root_key: RunKey,
    now: Now,
    /// By unit, as changed and as loaded; `None` for a unit that has no row yet.
    balances: BTreeMap<String, (Balance, Option<Balance>)>,
}

impl<'port> Meter<'port> {
    pub(super) fn new(port: &'port mut dyn Port, root_key: RunKey, now: Now) -> Meter<'port> {
        Meter { port, root_key, now, balances: BTreeMap::new() }
    }

    pub(super) fn balance(&mut self, unit: &str) -> Result<&mut Balance> {
        if !self.balances.contains_key(unit) {
            let stored = self.port.balance(self.root_key, unit)?;
            self.balances.insert(unit.into(), (stored.clone().unwrap_or_default(), stored));
        }
        Ok(&mut self.balances.get_mut(unit).expect("inserted above").0)
    }

    /// Returns the error of the first amount that has no room.
    pub(super) fn first_short(&mut self, amounts: &Amounts) -> Result<Option<Error>> {
        for (unit, amount) in amounts {
            let balance = self.balance(unit)?;
            let sum = balance.committed() + i128::from(*amount);
            match balance.limit {
                Some(limit) if balance.is_short_of(*amount) => {
                    return Ok(Some(Error::Budget(
                        format!(
                            "the limit of {unit:?} is {limit}: {} spent, {} reserved, {amount} asked",
                            balance.spent, balance.reserved
                        )
                        .into(),
                    )));
                }
                None if sum > i128::from(i64::MAX) => return Err(beyond(unit, *amount)),
                Some(_) | None => {}
            }
        }
        Ok(None)
    }

    /// Returns those of the amounts whose units have a limit.
    pub(super) fn limited(&self, amounts: &Amounts) -> Vec<(String, i64)> {
        let is_limited = |unit: &str| self.balances.get(unit).is_none_or(|b| b.0.limit.is_some());
        let limited = amounts.iter().filter(|(unit, _)| is_limited(unit));
        limited.map(|(unit, amount)| (unit.clone(), *amount)).collect()
    }

    pub(super) fn check_open_count(&mut self, ask: &Ask) -> Result<()> {
        let open = self.port.reservations_open_count(ask.fence.run_key)? as usize;
        if open + ask.amounts.len() <= RESERVATIONS_OPEN_MAX as usize {
            return Ok(());
        }
        Err(Error::conflict(format!(
            "the attempt has {open} open reservations, at most {RESERVATIONS_OPEN_MAX} are allowed: settle some"
        )))
    }

    /// Takes open reservations off what is reserved.
    pub(super) fn free(&mut self, units: &[Reservation]) -> Result<()> {
        for unit in units {
            self.balance(&unit.unit)?.reserved -= unit.amount;
        }
        Ok(())
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
            self.enter(&Entry { unit: unit.clone(), amount: *amount, ..entry.clone() })?;
        }
        Ok(())
    }

    pub(super) fn enter(&mut self, entry: &Entry) -> Result<()> {
        let balance = self.balance(&entry.unit)?;
        balance.spent = balance
            .spent
            .checked_add(entry.amount)
            .ok_or_else(|| beyond(&entry.unit, entry.amount))?;
        self.port.ledger_insert(entry)
    }

    /// Writes what was changed, warns of what has come to its level, wakes those who now have room.
    pub(super) fn save(self) -> Result<()> {
        for (unit, (mut balance, stored)) in self.balances {
            if stored.as_ref() == Some(&balance) {
                continue;
            }
            if stored.is_none() {
                check_tree(self.port, self.root_key, &unit)?;
            }
            if balance.is_warning_due() {
                balance.is_warned = true;
                self.port.tell(News::CHANGED);
                let payload = document::warning(&unit, &balance)?;
                let (root_key, now_ms) = (self.root_key, self.now.wall_ms);
                self.port.event_insert_once(root_key, WARNING, None, &payload, now_ms)?;
            }
            self.port.balance_put(self.root_key, &unit, &balance)?;
            let before = stored.as_ref().and_then(Balance::room);
            if balance.room() > before {
                wake(self.port, self.root_key, &unit, balance, self.now)?;
            }
        }
        Ok(())
    }
}

impl Balance {
    fn is_warning_due(&self) -> bool {
        !self.is_warned && self.warn.is_some_and(|warn| i128::from(warn) <= self.committed())
    }
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
