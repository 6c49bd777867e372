//! Rows of trees that leave a store, and what no other topic writes of those that come in.

use super::budget::read_reservation;
use super::query::{len, up_to};
use super::retention::MEMBERS;
use super::tx::Tx;
use super::value::{Param, Row};
use crate::domain::port::{
    CarriedEvent, CarriedRun, CarriedSignal, CarriedTarget, CarryPort, Entry, IdStanding,
    Reservation, RunKey, Submit, Task,
};
use crate::error::{Error, Result};
use crate::id::Id;
use crate::storage::stored::{KIND_CHILD, KIND_ROOM, KIND_SIGNAL};

const STORE_ID: &str = "
SELECT store_id
FROM $schema.sw_store
WHERE one = 1";

const RUN: &str = "
SELECT r.run_id, p.run_id, o.run_id, l.queue, l.workflow, l.code_version, r.created_at_ms,
    r.run_at_ms, r.timeout_ms, r.backoff_initial_ms, r.backoff_max_ms, r.backoff_percent, r.priority,
    r.max_tries, r.idem_scope, r.idem_key, r.concurrency_key, r.metadata, r.args, r.outcome,
    r.finished_at_ms, r.attempts, r.tries, r.result, r.error,
    EXISTS (SELECT 1 FROM $schema.sw_workflow_cascades AS c WHERE c.run_key = r.run_key)
FROM $schema.sw_workflow_runs AS r
JOIN $schema.sw_workflow_lanes AS l ON l.lane_key = r.lane_key
LEFT JOIN $schema.sw_workflow_runs AS p ON p.run_key = r.parent_key
LEFT JOIN $schema.sw_workflow_runs AS o ON o.run_key = r.forked_from
WHERE r.run_key = $1";

const WAITS: &str = "
SELECT w.kind, w.target_key, w.name, w.amount, r.run_id
FROM $schema.sw_workflow_waits AS w
LEFT JOIN $schema.sw_workflow_runs AS r ON r.run_key = w.target_key AND w.kind = 1
WHERE w.task_key = $1
ORDER BY w.kind, w.target_key, w.name
LIMIT $2";

const SIGNALS: &str = "
SELECT g.name, g.idem_key, g.sent_at_ms, g.payload, g.consumed_by IS NOT NULL, s.name, s.occurrence
FROM $schema.sw_workflow_signals AS g
LEFT JOIN $schema.sw_workflow_steps AS s ON s.run_key = g.run_key AND s.step_key = g.consumed_by
WHERE g.run_key = $1
ORDER BY g.signal_key
LIMIT $2";

const EVENTS: &str = "
SELECT seq, type, idem_key, at_ms, coalesce(payload, 'null')
FROM $schema.sw_workflow_events
WHERE run_key = $1
ORDER BY seq
LIMIT $2";

const RESERVATIONS: &str = "
SELECT reservation_key, salt, root_key, run_key, fence, unit, amount, state, label,
    step_name, step_occurrence, at_ms, source
FROM $schema.sw_budget_reservations
WHERE run_key = $1
ORDER BY reservation_key, place
LIMIT $2";

const LEDGER: &str = "
SELECT root_key, source_type, source_key, unit, run_key, lane_key, label, amount, at_ms
FROM $schema.sw_budget_ledger
WHERE root_key = $1
ORDER BY source_type, source_key, unit
LIMIT $2";

const ID_STANDING: &str = "
SELECT EXISTS (
    SELECT 1
    FROM $schema.sw_workflow_runs AS t
    WHERE t.run_key = coalesce(r.root_key, r.run_key) AND t.outcome = 4
)
FROM $schema.sw_workflow_runs AS r
WHERE r.run_id = $1";

const FORKED_FROM: &str = "
UPDATE $schema.sw_workflow_runs
SET forked_from = $2
WHERE run_key = $1";

const SIGNAL_RESTORE: &str = "
INSERT INTO $schema.sw_workflow_signals (run_key, name, idem_key, sent_at_ms, payload, consumed_by)
VALUES ($1, $2, $3, $4, $5, (
    SELECT step_key
    FROM $schema.sw_workflow_steps
    WHERE run_key = $1 AND kind = 2 AND name = $6 AND occurrence = $7
))";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[
    STORE_ID,
    RUN,
    WAITS,
    SIGNALS,
    EVENTS,
    RESERVATIONS,
    LEDGER,
    ID_STANDING,
    FORKED_FROM,
    SIGNAL_RESTORE,
];

impl CarryPort for Tx<'_> {
    fn store_id(&mut self) -> Result<Vec<u8>> {
        let store_id = self.row_opt(STORE_ID, &[], |row| row.get(0))?;
        store_id.ok_or_else(|| Error::Corrupt("the store has no id".into()))
    }

    fn members(&mut self, root_key: RunKey, limit: u32) -> Result<Vec<RunKey>> {
        self.rows(MEMBERS, &[&root_key, &limit], |row| row.get(0))
    }

    fn run_carried(&mut self, run_key: RunKey) -> Result<CarriedRun> {
        let lost = || Error::Corrupt(format!("run {run_key} has no row or no lane").into());
        self.row_opt(RUN, &[&run_key], read_run)?.ok_or_else(lost)
    }

    fn waits_carried(&mut self, run_key: RunKey, limit: u32) -> Result<Vec<(CarriedTarget, i64)>> {
        self.rows(WAITS, &[&run_key, &limit], |row| {
            let kind: i64 = row.get(0)?;
            let target = if kind == KIND_CHILD {
                CarriedTarget::Child(row.get(4)?)
            } else if kind == KIND_SIGNAL {
                CarriedTarget::Signal(row.get(2)?)
            } else if kind == KIND_ROOM {
                CarriedTarget::Room(row.get(2)?)
            } else {
                CarriedTarget::Time(row.get(1)?)
            };
            Ok((target, row.get(3)?))
        })
    }

    fn signals_carried(
        &mut self,
        run_key: RunKey,
        limit: u32,
        bytes: usize,
    ) -> Result<Vec<CarriedSignal>> {
        let mut signals: Vec<(bool, CarriedSignal)> =
            self.rows(SIGNALS, &[&run_key, &limit], |row| {
                let signal = CarriedSignal {
                    name: row.get(0)?,
                    key: row.maybe(1)?,
                    sent_at_ms: row.get(2)?,
                    payload: row.maybe(3)?,
                    taker: row.maybe(5)?.zip(row.maybe(6)?),
                };
                Ok((row.get(4)?, signal))
            })?;
        up_to(bytes, &mut signals, |(_, signal)| len(&signal.payload));
        if signals.iter().any(|(is_taken, signal)| *is_taken != signal.taker.is_some()) {
            let sentence = format!("a signal of run {run_key} was taken by no await");
            return Err(Error::Corrupt(sentence.into()));
        }
        Ok(signals.into_iter().map(|(_, signal)| signal).collect())
    }

    fn events_carried(
        &mut self,
        run_key: RunKey,
        limit: u32,
        bytes: usize,
    ) -> Result<Vec<CarriedEvent>> {
        let mut events = self.rows(EVENTS, &[&run_key, &limit], |row| {
            Ok(CarriedEvent {
                seq: row.get(0)?,
                event_type: row.get(1)?,
                key: row.maybe(2)?,
                at_ms: row.get(3)?,
                payload: row.get(4)?,
            })
        })?;
        up_to(bytes, &mut events, |event| event.payload.len());
        Ok(events)
    }

    fn reservations_carried(
        &mut self,
        run_key: RunKey,
        limit: u32,
    ) -> Result<Vec<(Reservation, Option<String>)>> {
        let read = |row: Row<'_>| Ok((read_reservation(row)?, row.maybe(12)?));
        self.rows(RESERVATIONS, &[&run_key, &limit], read)
    }

    fn ledger_carried(&mut self, root_key: RunKey, limit: u32) -> Result<Vec<Entry>> {
        self.rows(LEDGER, &[&root_key, &limit], |row| {
            Ok(Entry {
                root_key: row.get(0)?,
                source: row.get(1)?,
                source_key: row.get(2)?,
                unit: row.get(3)?,
                run_key: row.get(4)?,
                lane_key: row.get(5)?,
                label: row.get(6)?,
                amount: row.get(7)?,
                at_ms: row.get(8)?,
            })
        })
    }

    fn id_standing(&mut self, run_id: Id, _: Id) -> Result<IdStanding> {
        let is_pruned = self.row_opt(ID_STANDING, &[&run_id], |row| row.get(0))?;
        Ok(match is_pruned {
            None => IdStanding::Free,
            Some(true) => IdStanding::Pruned,
            Some(false) => IdStanding::Taken,
        })
    }

    fn set_forked_from(&mut self, run_key: RunKey, origin: RunKey) -> Result<()> {
        self.put(FORKED_FROM, &[&run_key, &origin])
    }

    fn task_restore(&mut self, task: &Task, waits_left: u32) -> Result<()> {
        self.task_rewrite(task, waits_left)
    }

    fn signal_restore(&mut self, run_key: RunKey, signal: &CarriedSignal) -> Result<()> {
        let CarriedSignal { name, key, sent_at_ms, payload, taker } = signal;
        let (taker, occurrence) = taker.as_ref().map(|(name, at)| (name, *at)).unzip();
        let row: [&dyn Param; 7] = [&run_key, name, key, sent_at_ms, payload, &taker, &occurrence];
        self.put(SIGNAL_RESTORE, &row)
    }
}

fn read_run(row: Row<'_>) -> Result<CarriedRun> {
    Ok(CarriedRun {
        run_id: row.get(0)?,
        parent_run_id: row.maybe(1)?,
        forked_from: row.maybe(2)?,
        submit: read_submit(row)?,
        created_at_ms: row.get(6)?,
        outcome: row.maybe(19)?,
        finished_at_ms: row.maybe(20)?,
        attempts: row.maybe(21)?,
        tries: row.maybe(22)?,
        result: row.maybe(23)?,
        error: row.maybe(24)?,
        is_cascading: row.get(25)?,
    })
}

fn read_submit(row: Row<'_>) -> Result<Submit> {
    Ok(Submit {
        queue: row.maybe(3)?,
        workflow: row.get(4)?,
        code_version: Some(row.get(5)?).filter(|version: &String| !version.is_empty()),
        run_at_ms: row.maybe(7)?.unwrap_or(0),
        timeout_ms: row.maybe(8)?.unwrap_or(0),
        backoff_initial_ms: row.maybe(9)?.unwrap_or(0),
        backoff_max_ms: row.maybe(10)?.unwrap_or(0),
        backoff_percent: row.maybe(11)?.unwrap_or(0),
        priority: row.get(12)?,
        max_tries: row.maybe(13)?.unwrap_or(0),
        // The scope of no name is the absent one.
        idempotency_scope: row.maybe(14)?.filter(|scope: &String| !scope.is_empty()),
        idempotency_key: row.maybe(15)?,
        concurrency_key: row.maybe(16)?,
        metadata: row.maybe(17)?,
        args: row.maybe(18)?,
        budget: None,
        is_local: false,
    })
}
