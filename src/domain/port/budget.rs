//! What a backend gives to budgets: balances, reservations, the ledger, and who waits for room.

use std::collections::BTreeMap;

use super::run::{LaneKey, RunKey};
use super::task::Fence;
use crate::error::Result;

/// Amounts by unit.
pub type Amounts = BTreeMap<String, i64>;

/// What a tree of runs may spend of one unit, and what it spent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Balance {
    /// `None` is metered only.
    pub limit: Option<i64>,
    /// Reserved and spent together from which on a warning is due.
    pub warn: Option<i64>,
    /// Sum of the open reservations.
    pub reserved: i64,
    /// Sum of the ledger.
    pub spent: i64,
    /// The warning of this level was given.
    pub is_warned: bool,
    /// When more of those who wait for room are woken, Unix milliseconds.
    pub wake_at_ms: Option<i64>,
}

/// What a balance changes by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Change {
    /// Of what is reserved.
    pub reserved: i64,
    /// Of what was spent.
    pub spent: i64,
}

/// Changes by unit.
pub type Changes = BTreeMap<String, Change>;

/// What came of holding amounts of a tree's balances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// All are held: their balances as they stand now, in the order of the amounts.
    All(Vec<Balance>),
    /// Not all have room, and none is held: the balances of the tree by unit.
    None(Vec<(String, Balance)>),
}

/// Where a reservation stands; the numbers stand in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReservationState {
    /// Held.
    Open = 0,
    /// Replaced by what was used.
    Settled = 1,
    /// Its attempt ended in order without settling it.
    GivenBack = 2,
    /// Its attempt was lost: charged in full.
    Assumed = 3,
    /// Replaced by what its step used.
    SettledWithStep = 4,
    /// Assumed spent, then replaced by what was used.
    Corrected = 5,
}

/// One unit of a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Key of the reservation: that of its first unit.
    pub key: i64,
    /// Random part of its id.
    pub salt: u32,
    /// Topmost run, which pays.
    pub root_key: RunKey,
    /// Run that reserved.
    pub run_key: RunKey,
    /// Number of its attempt.
    pub attempt: u32,
    /// Unit.
    pub unit: String,
    /// How much.
    pub amount: i64,
    /// Where it stands.
    pub state: ReservationState,
    /// Kind of its step; "" without one.
    pub label: String,
    /// Name and occurrence of its step.
    pub step: Option<(String, u32)>,
    /// When.
    pub at_ms: i64,
}

/// Why an entry stands in the ledger; the numbers stand in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// A reservation was settled.
    Reservation = 1,
    /// A step was completed with its usage.
    Step = 2,
    /// A reservation of a lost attempt was charged.
    Assumed = 3,
    /// What was charged so turned out otherwise.
    Correction = 4,
}

/// One line of the ledger; written once, never changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Topmost run, which pays.
    pub root_key: RunKey,
    /// Why.
    pub source: SourceKind,
    /// Key of the reservation or step.
    pub source_key: i64,
    /// Unit.
    pub unit: String,
    /// Run that spent.
    pub run_key: RunKey,
    /// Its lane, which names its workflow.
    pub lane_key: LaneKey,
    /// Kind of the step; "" without one.
    pub label: String,
    /// How much; negative in a correction.
    pub amount: i64,
    /// When.
    pub at_ms: i64,
}

/// What one workflow spent of a unit in steps of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total {
    /// Unit.
    pub unit: String,
    /// Workflow.
    pub workflow: String,
    /// Kind of the steps; "" without one.
    pub label: String,
    /// How much.
    pub spent: i64,
    /// Lines of the ledger.
    pub entries: i64,
}

/// Budgets of trees of runs.
pub trait BudgetPort {
    /// Returns the topmost run and the lane of a run.
    fn root_and_lane(&mut self, run_key: RunKey) -> Result<(RunKey, LaneKey)>;
    /// Returns a balance.
    fn balance(&mut self, root_key: RunKey, unit: &str) -> Result<Option<Balance>>;
    /// Returns the balances of a tree, by unit.
    fn balances(&mut self, root_key: RunKey) -> Result<Vec<(String, Balance)>>;
    /// Returns how many units a tree meters.
    fn balance_count(&mut self, root_key: RunKey) -> Result<u32>;
    /// Adds amounts to what is reserved, all or none: where a balance would come above its limit, or
    /// without one above 2^63-1, none is. What has no balance gets one.
    fn balances_reserve(&mut self, root_key: RunKey, amounts: &Amounts) -> Result<Held>;
    /// Adds to balances and returns them as they stand then; `None` in the place of one that would be
    /// beyond 2^63-1. What has no balance gets one.
    fn balances_add(&mut self, root_key: RunKey, changes: &Changes)
    -> Result<Vec<Option<Balance>>>;
    /// Returns the first of these amounts that its limit leaves no room for.
    fn balance_short(
        &mut self,
        root_key: RunKey,
        amounts: &[(String, i64)],
    ) -> Result<Option<(String, i64)>>;
    /// Writes what balances may come to: limit, level of its warning and whether that was given.
    fn limits_set(&mut self, root_key: RunKey, balances: &[(String, Balance)]) -> Result<()>;
    /// Notes that the warning of a balance was given.
    fn balance_warned(&mut self, root_key: RunKey, unit: &str) -> Result<()>;
    /// Notes when more of those who wait for room are woken.
    fn balance_wake_at(&mut self, root_key: RunKey, unit: &str, at_ms: Option<i64>) -> Result<()>;
    /// Gives the limits of one tree to another, which has spent nothing.
    fn limits_copy(&mut self, from_root: RunKey, to_root: RunKey) -> Result<()>;
    /// Returns up to `limit` balances whose parked runs are to be woken further.
    fn balances_due(&mut self, now_ms: i64, limit: u32) -> Result<Vec<(RunKey, String, Balance)>>;

    /// Writes a reservation of these amounts as the row of its first unit says, and returns its key.
    fn reservation_insert(
        &mut self,
        first: &Reservation,
        amounts: &Amounts,
        source: Option<&str>,
    ) -> Result<i64>;
    /// Returns the reservation that a source made in an attempt.
    fn reservation_by_source(&mut self, fence: Fence, source: &str) -> Result<Option<Reservation>>;
    /// Returns the units of the reservation that has this key.
    fn reservation(&mut self, key: i64) -> Result<Vec<Reservation>>;
    /// Returns the units of the open reservations of a run.
    fn reservations_open(&mut self, run_key: RunKey) -> Result<Vec<Reservation>>;
    /// Returns how many those are.
    fn reservations_open_count(&mut self, run_key: RunKey) -> Result<u32>;
    /// Writes where these open reservations of a run stand.
    fn reservations_close(
        &mut self,
        run_key: RunKey,
        keys: &[i64],
        state: ReservationState,
    ) -> Result<()>;
    /// Writes where a reservation stands.
    fn reservation_set(&mut self, key: i64, state: ReservationState) -> Result<()>;

    /// Writes lines of the ledger, and adds each to its total.
    fn ledger_insert(&mut self, entries: &[Entry]) -> Result<()>;
    /// Returns what stands in the ledger for a reservation, or else for a step, by unit.
    fn ledger_of(&mut self, root_key: RunKey, is_step: bool, key: i64) -> Result<Amounts>;
    /// Returns up to `limit` sums of the ledger by workflow and kind.
    fn totals(&mut self, root_key: RunKey, limit: u32) -> Result<Vec<Total>>;
    /// Returns the key of a step.
    fn step_key(&mut self, run_key: RunKey, name: &str, occurrence: u32) -> Result<Option<i64>>;

    /// Notes that a task waits until this much of a unit has room.
    fn room_wait_insert(
        &mut self,
        root_key: RunKey,
        unit: &str,
        run_key: RunKey,
        amount: i64,
    ) -> Result<()>;
    /// Returns up to `limit` of those who wait for no more than `room`, the smallest ask first.
    fn room_waiters(
        &mut self,
        root_key: RunKey,
        unit: &str,
        room: i64,
        limit: u32,
    ) -> Result<Vec<(RunKey, i64)>>;
}
