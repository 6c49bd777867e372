//! Rows of budgets: balances, reservations, the ledger with its totals, and who waits for room.

use super::tx::Tx;
use super::value::{Many, Param, Row};
use crate::domain::port::{
    Amounts, Balance, BudgetPort, Changes, Entry, Fence, Held, LaneKey, Reservation,
    ReservationState, RunKey, StepKind, Total,
};
use crate::error::{Error, Result};

const ROOT_AND_LANE: &str = "
SELECT coalesce(root_key, run_key), lane_key
FROM $schema.sw_workflow_runs
WHERE run_key = $1";

const BALANCE: &str = "
SELECT limit_amount, warn_amount, reserved, spent, is_warned, wake_at_ms
FROM $schema.sw_budget_balances
WHERE root_key = $1 AND unit = $2";

const BALANCES: &str = "
SELECT limit_amount, warn_amount, reserved, spent, is_warned, wake_at_ms, unit
FROM $schema.sw_budget_balances
WHERE root_key = $1
ORDER BY unit";

const BALANCE_COUNT: &str = "
SELECT count(*)
FROM $schema.sw_budget_balances
WHERE root_key = $1";

// A difference of amounts may lie below -2^63: it is numeric.
const BALANCE_RESERVE: &str = "
INSERT INTO $schema.sw_budget_balances AS b (root_key, unit, reserved, spent)
VALUES ($1, $2, $3, 0)
ON CONFLICT (root_key, unit) DO UPDATE
SET reserved = b.reserved + excluded.reserved
WHERE coalesce(b.limit_amount, 9223372036854775807)::numeric - b.reserved - b.spent
    >= excluded.reserved
RETURNING limit_amount, warn_amount, reserved, spent, is_warned, wake_at_ms";

const BALANCE_ADD: &str = "
INSERT INTO $schema.sw_budget_balances AS b (root_key, unit, reserved, spent)
VALUES ($1, $2, $3, $4)
ON CONFLICT (root_key, unit) DO UPDATE
SET reserved = b.reserved + excluded.reserved, spent = b.spent + excluded.spent
WHERE b.spent <= 9223372036854775807 - greatest(excluded.spent, 0)
RETURNING limit_amount, warn_amount, reserved, spent, is_warned, wake_at_ms";

const BALANCE_SHORT: &str = "
SELECT a.unit, a.amount
FROM unnest($2::text[], $3::bigint[]) WITH ORDINALITY AS a (unit, amount, place)
JOIN $schema.sw_budget_balances AS b ON b.root_key = $1 AND b.unit = a.unit COLLATE \"C\"
WHERE coalesce(b.limit_amount, $4::bigint)::numeric - b.reserved - b.spent < a.amount
ORDER BY a.place
LIMIT 1";

const LIMIT_SET: &str = "
INSERT INTO $schema.sw_budget_balances (
    root_key, unit, limit_amount, warn_amount, is_warned, reserved, spent
)
VALUES ($1, $2, $3, $4, $5, 0, 0)
ON CONFLICT (root_key, unit) DO UPDATE
SET limit_amount = excluded.limit_amount, warn_amount = excluded.warn_amount,
    is_warned = excluded.is_warned";

const BALANCE_WARNED: &str = "
UPDATE $schema.sw_budget_balances
SET is_warned = true
WHERE root_key = $1 AND unit = $2";

const BALANCE_WAKE_AT: &str = "
UPDATE $schema.sw_budget_balances
SET wake_at_ms = $3
WHERE root_key = $1 AND unit = $2";

const LIMITS_COPY: &str = "
INSERT INTO $schema.sw_budget_balances (root_key, unit, limit_amount, warn_amount, reserved, spent)
SELECT $2::bigint, unit, limit_amount, warn_amount, 0, 0
FROM $schema.sw_budget_balances
WHERE root_key = $1 AND limit_amount IS NOT NULL";

const BALANCES_DUE: &str = "
SELECT limit_amount, warn_amount, reserved, spent, is_warned, wake_at_ms, root_key, unit
FROM $schema.sw_budget_balances
WHERE wake_at_ms <= $1
ORDER BY wake_at_ms, root_key, unit
LIMIT $2";

const RESERVATION_INSERT: &str = "
INSERT INTO $schema.sw_budget_reservations (
    salt, root_key, run_key, fence, unit, amount, state, source, at_ms, units, place, label, step_name,
    step_occurrence
)
VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9, 0, $10, $11, $12)
RETURNING reservation_key";

// Each row takes a number, as in a file, where keys of one call lie in a row and between those of no other.
const RESERVATION_INSERT_MORE: &str = "
INSERT INTO $schema.sw_budget_reservations (
    reservation_key, salt, root_key, run_key, fence, unit, amount, state, source, at_ms, units, place,
    label, step_name, step_occurrence
)
SELECT r.reservation_key, r.salt, r.root_key, r.run_key, r.fence, a.unit, a.amount, 0, NULL, r.at_ms,
    r.units, a.place, r.label, r.step_name, r.step_occurrence
FROM $schema.sw_budget_reservations AS r
CROSS JOIN unnest($2::text[], $3::bigint[]) WITH ORDINALITY AS a (unit, amount, place)
CROSS JOIN LATERAL (
    SELECT a.place, nextval(
        pg_get_serial_sequence('$schema.sw_budget_reservations', 'reservation_key')
    ) AS number
) AS taken
WHERE r.reservation_key = $1 AND r.place = 0 AND taken.number > 0";

const RESERVATION_BY_SOURCE: &str = "
SELECT reservation_key, salt, root_key, run_key, fence, unit, amount, state, label,
    step_name, step_occurrence, at_ms
FROM $schema.sw_budget_reservations
WHERE run_key = $1 AND fence = $2 AND source = $3";

// Those of a tree that is being pruned are gone (P34).
const RESERVATION: &str = "
SELECT reservation_key, salt, root_key, run_key, fence, unit, amount, state, label,
    step_name, step_occurrence, at_ms
FROM $schema.sw_budget_reservations AS b
WHERE reservation_key = $1 AND NOT EXISTS (
    SELECT 1 FROM $schema.sw_workflow_runs AS r WHERE r.run_key = b.root_key AND r.outcome = 4
)
ORDER BY place";

const RESERVATIONS_OPEN: &str = "
SELECT reservation_key, salt, root_key, run_key, fence, unit, amount, state, label,
    step_name, step_occurrence, at_ms
FROM $schema.sw_budget_reservations
WHERE run_key = $1 AND state = 0
ORDER BY reservation_key, place";

const RESERVATIONS_OPEN_COUNT: &str = "
SELECT count(*)
FROM $schema.sw_budget_reservations
WHERE run_key = $1 AND state = 0";

const RESERVATIONS_CLOSE: &str = "
UPDATE $schema.sw_budget_reservations
SET state = $3
WHERE run_key = $1 AND state = 0 AND reservation_key = ANY ($2::bigint[])";

const RESERVATION_SET: &str = "
UPDATE $schema.sw_budget_reservations
SET state = $2
WHERE reservation_key = $1";

const LEDGER_INSERT: &str = "
INSERT INTO $schema.sw_budget_ledger (
    root_key, source_type, source_key, unit, run_key, lane_key, label, amount, at_ms
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

const TOTAL_ADD: &str = "
INSERT INTO $schema.sw_budget_totals AS t (root_key, unit, lane_key, label, spent, entries)
VALUES ($1, $2, $3, $4, $5, 1)
ON CONFLICT (root_key, unit, lane_key, label) DO UPDATE
SET spent = t.spent + excluded.spent, entries = t.entries + 1";

const LEDGER_OF_RESERVATION: &str = "
SELECT unit, sum(amount)::bigint
FROM $schema.sw_budget_ledger
WHERE root_key = $1 AND source_type IN (1, 3, 4) AND source_key = $2
GROUP BY unit
ORDER BY unit";

const LEDGER_OF_STEP: &str = "
SELECT unit, amount
FROM $schema.sw_budget_ledger
WHERE root_key = $1 AND source_type = 2 AND source_key = $2
ORDER BY unit";

const TOTALS: &str = "
SELECT t.unit, l.workflow, t.label, sum(t.spent)::bigint, sum(t.entries)::bigint
FROM $schema.sw_budget_totals AS t
JOIN $schema.sw_workflow_lanes AS l ON l.lane_key = t.lane_key
WHERE t.root_key = $1
GROUP BY t.unit, l.workflow, t.label
ORDER BY t.unit, l.workflow, t.label
LIMIT $2";

const STEP_KEY: &str = "
SELECT step_key
FROM $schema.sw_workflow_steps
WHERE run_key = $1 AND kind = $2 AND name = $3 AND occurrence = $4";

const ROOM_WAIT_INSERT: &str = "
INSERT INTO $schema.sw_workflow_waits AS w (kind, target_key, name, task_key, amount)
VALUES (3, $1, $2, $3, $4)
ON CONFLICT (kind, target_key, name, task_key) DO UPDATE
SET amount = least(w.amount, excluded.amount)";

const ROOM_WAITERS: &str = "
SELECT task_key, amount
FROM $schema.sw_workflow_waits
WHERE kind = 3 AND target_key = $1 AND name = $2 AND amount <= $3
ORDER BY amount, task_key
LIMIT $4";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[
    ROOT_AND_LANE,
    BALANCE,
    BALANCES,
    BALANCE_COUNT,
    BALANCE_RESERVE,
    BALANCE_ADD,
    BALANCE_SHORT,
    LIMIT_SET,
    BALANCE_WARNED,
    BALANCE_WAKE_AT,
    LIMITS_COPY,
    BALANCES_DUE,
    RESERVATION_INSERT,
    RESERVATION_INSERT_MORE,
    RESERVATION_BY_SOURCE,
    RESERVATION,
    RESERVATIONS_OPEN,
    RESERVATIONS_OPEN_COUNT,
    RESERVATIONS_CLOSE,
    RESERVATION_SET,
    LEDGER_INSERT,
    TOTAL_ADD,
    LEDGER_OF_RESERVATION,
    LEDGER_OF_STEP,
    TOTALS,
    STEP_KEY,
    ROOM_WAIT_INSERT,
    ROOM_WAITERS,
];

impl BudgetPort for Tx<'_> {
    fn root_and_lane(&mut self, run_key: RunKey) -> Result<(RunKey, LaneKey)> {
        self.row_opt(ROOT_AND_LANE, &[&run_key], |row| Ok((row.get(0)?, row.get(1)?)))?
            .ok_or_else(|| Error::Corrupt(format!("task {run_key} has no run").into()))
    }

    fn balance(&mut self, root_key: RunKey, unit: &str) -> Result<Option<Balance>> {
        self.row_opt(BALANCE, &[&root_key, &unit], read_balance)
    }

    fn balances(&mut self, root_key: RunKey) -> Result<Vec<(String, Balance)>> {
        self.rows(BALANCES, &[&root_key], |row| Ok((row.get(6)?, read_balance(row)?)))
    }

    fn balance_count(&mut self, root_key: RunKey) -> Result<u32> {
        Ok(self.row_opt(BALANCE_COUNT, &[&root_key], |row| row.get(0))?.unwrap_or(0))
    }

    fn balances_reserve(&mut self, root_key: RunKey, amounts: &Amounts) -> Result<Held> {
        // The only one has room or takes nothing; of many, all must have it before the first is held.
        if amounts.len() > 1 && self.first_short(root_key, amounts, Some(i64::MAX))?.is_some() {
            return self.balances(root_key).map(Held::None);
        }
        let mut held = Vec::with_capacity(amounts.len());
        for (unit, amount) in amounts {
            match self.row_opt(BALANCE_RESERVE, &[&root_key, unit, amount], read_balance)? {
                Some(balance) => held.push(balance),
                None if amounts.len() == 1 => return self.balances(root_key).map(Held::None),
                None => return Err(Error::internal("a unit that had room has none")),
            }
        }
        Ok(Held::All(held))
    }

    fn balances_add(
        &mut self,
        root_key: RunKey,
        changes: &Changes,
    ) -> Result<Vec<Option<Balance>>> {
        let mut balances = Vec::with_capacity(changes.len());
        for (unit, change) in changes {
            let change: [&dyn Param; 4] = [&root_key, unit, &change.reserved, &change.spent];
            balances.push(self.row_opt(BALANCE_ADD, &change, read_balance)?);
        }
        Ok(balances)
    }

    fn balance_short(
        &mut self,
        root_key: RunKey,
        amounts: &[(String, i64)],
    ) -> Result<Option<(String, i64)>> {
        self.first_short(root_key, amounts.iter().map(|(unit, amount)| (unit, amount)), None)
    }

    fn limits_set(&mut self, root_key: RunKey, balances: &[(String, Balance)]) -> Result<()> {
        for (unit, Balance { limit, warn, is_warned, .. }) in balances {
            self.put(LIMIT_SET, &[&root_key, unit, limit, warn, is_warned])?;
        }
        Ok(())
    }

    fn balance_warned(&mut self, root_key: RunKey, unit: &str) -> Result<()> {
        self.put(BALANCE_WARNED, &[&root_key, &unit])
    }

    fn balance_wake_at(&mut self, root_key: RunKey, unit: &str, at_ms: Option<i64>) -> Result<()> {
        self.put(BALANCE_WAKE_AT, &[&root_key, &unit, &at_ms])
    }

    fn limits_copy(&mut self, from_root: RunKey, to_root: RunKey) -> Result<()> {
        self.put(LIMITS_COPY, &[&from_root, &to_root])
    }

    fn balances_due(&mut self, now_ms: i64, limit: u32) -> Result<Vec<(RunKey, String, Balance)>> {
        let read = |row: Row<'_>| Ok((row.get(6)?, row.get(7)?, read_balance(row)?));
        self.rows(BALANCES_DUE, &[&now_ms, &limit], read)
    }

    fn reservation_insert(
        &mut self,
        first: &Reservation,
        amounts: &Amounts,
        source: Option<&str>,
    ) -> Result<i64> {
        let mut units = amounts.iter();
        let (unit, amount) =
            units.next().ok_or_else(|| Error::internal("a reservation of nothing"))?;
        let (step_name, step_occurrence) = first.step.clone().unzip();
        let row: [&dyn Param; 12] = [
            &first.salt,
            &first.root_key,
            &first.run_key,
            &first.attempt,
            unit,
            amount,
            &source,
            &first.at_ms,
            &amounts.len(),
            &first.label,
            &step_name,
            &step_occurrence,
        ];
        let key = self.row_opt(RESERVATION_INSERT, &row, |row| row.get(0))?;
        let key = key.ok_or_else(|| Error::internal("a reservation has no key"))?;
        if amounts.len() > 1 {
            let (units, amounts): (Vec<&String>, Vec<&i64>) = units.unzip();
            self.put(RESERVATION_INSERT_MORE, &[&key, &Many(&units), &Many(&amounts)])?;
        }
        Ok(key)
    }

    fn reservation_by_source(&mut self, fence: Fence, source: &str) -> Result<Option<Reservation>> {
        let asked: [&dyn Param; 3] = [&fence.run_key, &fence.number, &source];
        self.row_opt(RESERVATION_BY_SOURCE, &asked, read_reservation)
    }

    fn reservation(&mut self, key: i64) -> Result<Vec<Reservation>> {
        self.rows(RESERVATION, &[&key], read_reservation)
    }

    fn reservations_open(&mut self, run_key: RunKey) -> Result<Vec<Reservation>> {
        if self.known.lacks(run_key, |ending| ending.has_reserved) {
            return Ok(Vec::new());
        }
        self.rows(RESERVATIONS_OPEN, &[&run_key], read_reservation)
    }

    fn reservations_open_count(&mut self, run_key: RunKey) -> Result<u32> {
        Ok(self.row_opt(RESERVATIONS_OPEN_COUNT, &[&run_key], |row| row.get(0))?.unwrap_or(0))
    }

    fn reservations_close(
        &mut self,
        run_key: RunKey,
        keys: &[i64],
        state: ReservationState,
    ) -> Result<()> {
        self.put(RESERVATIONS_CLOSE, &[&run_key, &Many(keys), &state])
    }

    fn reservation_set(&mut self, key: i64, state: ReservationState) -> Result<()> {
        self.put(RESERVATION_SET, &[&key, &state])
    }

    fn ledger_insert(&mut self, entries: &[Entry]) -> Result<()> {
        for entry in entries {
            let Entry { root_key, source, source_key, unit, run_key, lane_key, label, .. } = entry;
            let row: [&dyn Param; 9] = [
                root_key,
                source,
                source_key,
                unit,
                run_key,
                lane_key,
                label,
                &entry.amount,
                &entry.at_ms,
            ];
            self.put(LEDGER_INSERT, &row)?;
            self.put(TOTAL_ADD, &[root_key, unit, lane_key, label, &entry.amount])?;
        }
        Ok(())
    }

    fn ledger_of(&mut self, root_key: RunKey, is_step: bool, key: i64) -> Result<Amounts> {
        let sql = if is_step { LEDGER_OF_STEP } else { LEDGER_OF_RESERVATION };
        let sums = self.rows(sql, &[&root_key, &key], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(sums.into_iter().collect())
    }

    fn totals(&mut self, root_key: RunKey, limit: u32) -> Result<Vec<Total>> {
        self.rows(TOTALS, &[&root_key, &limit], |row| {
            Ok(Total {
                unit: row.get(0)?,
                workflow: row.get(1)?,
                label: row.get(2)?,
                spent: row.get(3)?,
                entries: row.get(4)?,
            })
        })
    }

    fn step_key(&mut self, run_key: RunKey, name: &str, occurrence: u32) -> Result<Option<i64>> {
        let asked: [&dyn Param; 4] = [&run_key, &StepKind::Step, &name, &occurrence];
        self.row_opt(STEP_KEY, &asked, |row| row.get(0))
    }

    fn room_wait_insert(
        &mut self,
        root_key: RunKey,
        unit: &str,
        run_key: RunKey,
        amount: i64,
    ) -> Result<()> {
        self.put(ROOM_WAIT_INSERT, &[&root_key, &unit, &run_key, &amount])
    }

    fn room_waiters(
        &mut self,
        root_key: RunKey,
        unit: &str,
        room: i64,
        limit: u32,
    ) -> Result<Vec<(RunKey, i64)>> {
        let asked: [&dyn Param; 4] = [&root_key, &unit, &room, &limit];
        self.rows(ROOM_WAITERS, &asked, |row| Ok((row.get(0)?, row.get(1)?)))
    }
}

impl Tx<'_> {
    /// Returns the first amount that has no room; what has no limit has one of `unlimited`.
    fn first_short<'ask>(
        &mut self,
        root_key: RunKey,
        amounts: impl IntoIterator<Item = (&'ask String, &'ask i64)>,
        unlimited: Option<i64>,
    ) -> Result<Option<(String, i64)>> {
        let (units, amounts): (Vec<&String>, Vec<&i64>) = amounts.into_iter().unzip();
        let asked: [&dyn Param; 4] = [&root_key, &Many(&units), &Many(&amounts), &unlimited];
        self.row_opt(BALANCE_SHORT, &asked, |row| Ok((row.get(0)?, row.get(1)?)))
    }
}

fn read_balance(row: Row<'_>) -> Result<Balance> {
    Ok(Balance {
        limit: row.maybe(0)?,
        warn: row.maybe(1)?,
        reserved: row.get(2)?,
        spent: row.get(3)?,
        is_warned: row.get(4)?,
        wake_at_ms: row.maybe(5)?,
    })
}

pub(super) fn read_reservation(row: Row<'_>) -> Result<Reservation> {
    let name: Option<String> = row.maybe(9)?;
    Ok(Reservation {
        key: row.get(0)?,
        salt: row.get(1)?,
        root_key: row.get(2)?,
        run_key: row.get(3)?,
        attempt: row.get(4)?,
        unit: row.get(5)?,
        amount: row.get(6)?,
        state: row.get(7)?,
        label: row.get(8)?,
        step: name.zip(row.maybe(10)?),
        at_ms: row.get(11)?,
    })
}
