//! The calls on budgets: an attempt reserves, any handle of the store settles, raises and looks.

use std::sync::Arc;

use crate::domain::budget::{self, Ask, OfStep, Reserved};
use crate::domain::port::Amounts;
use crate::domain::suspend::Pending;
use crate::error::{Error, Result};
use crate::handles::attempt::Attempt;
use crate::handles::step::Step;
use crate::handles::store::Store;
use crate::id;
use crate::lock::Unpoisoned;
use crate::storage::Call;

/// A reservation's id, and whether its source had made it before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Public id.
    pub id: String,
    /// Whether the source matched.
    pub existed: bool,
}

impl Attempt {
    /// Holds amounts of the budget, all or none; JSON `{unit: integer}`. Refused for want of room, it
    /// joins the wait set (P30).
    pub fn reserve(
        self: &Arc<Self>,
        step: Option<&Step>,
        amounts: &str,
        source: Option<&str>,
    ) -> Result<Reservation> {
        let amounts = budget::amounts("amounts", amounts)?;
        budget::check_amounts(&amounts)?;
        let step = step.map(|step| self.own(step)).transpose()?;
        let call = call_name(step.as_ref(), &amounts, source);
        let salt = id::new_id().to_bytes();
        let salt = u32::from_be_bytes([salt[12], salt[13], salt[14], salt[15]]);
        let source = source.map(str::to_owned);
        let ask = Ask { fence: self.fence(), step, amounts, source, salt };
        let entered = self.store().enter()?;
        let reserved = self.write(&entered, Call::of("sw_budget_reserve"), move |tx, now| {
            budget::reserve(tx, &ask, now)
        })?;
        let (id, existed) = match reserved {
            Reserved::Made { id, lease } => {
                self.note_lease(lease, self.store().now());
                (id, false)
            }
            Reserved::Existed(id) => (id, true),
            Reserved::NoRoom(room, error) => {
                self.note_room(&call, Some(Pending::Room(room)));
                return Err(error);
            }
        };
        self.note_room(&call, None);
        Ok(Reservation { id: id::write("budget", id), existed })
    }

    /// Names a step of this attempt that is to be run.
    fn own(self: &Arc<Self>, step: &Step) -> Result<OfStep> {
        if !Arc::ptr_eq(self, step.attempt()) {
            return Err(Error::invalid("the step was begun by another attempt"));
        }
        step.work_of().ok_or_else(|| {
            Error::conflict("the step is finished or answered from its record: it spends nothing")
        })
    }

    /// Notes that a reserve was refused for want of room, or, with `None`, that it was answered
    /// otherwise (P24).
    fn note_room(&self, call: &str, pending: Option<Pending>) {
        let mut rooms = self.rooms().lock().unpoisoned();
        match pending {
            Some(pending) => drop(rooms.insert(call.into(), pending)),
            None => drop(rooms.remove(call)),
        }
    }
}

/// Returns what makes two calls of reserve one for the wait set: its step and source, or else its
/// step and units.
fn call_name(step: Option<&OfStep>, amounts: &Amounts, source: Option<&str>) -> String {
    let step = step.map(|step| (step.name.as_str(), step.occurrence));
    match source {
        Some(source) => format!("{step:?} {source:?}"),
        None => format!("{step:?} {:?}", amounts.keys().collect::<Vec<_>>()),
    }
}

impl Store {
    /// Replaces a reservation by what was used, once (P28, P29); JSON `{unit: integer}`.
    pub fn settle(&self, id: &str, usage: &str) -> Result<()> {
        let usage = budget::amounts("usage", usage)?;
        let id = id.to_owned();
        let entered = self.enter()?;
        entered.write(Call::of("sw_budget_settle"), move |tx, now| {
            budget::settle(tx, &id, &usage, now)
        })
    }

    /// Moves the limit of a unit for the tree that a run belongs to.
    pub fn budget_raise(&self, run_id: &str, unit: &str, delta: i64) -> Result<()> {
        let (run_id, unit) = (run_id.to_owned(), unit.to_owned());
        let entered = self.enter()?;
        entered.write(Call::of("sw_budget_raise"), move |tx, now| {
            budget::raise(tx, &run_id, &unit, delta, now)
        })
    }

    /// Returns the document of the budget of the tree that a run belongs to.
    pub fn budget(&self, run_id: &str) -> Result<String> {
        self.enter()?.read(|tx| budget::show(tx, run_id))
    }
}
