//! Rows of trees that leave a store, and what no other topic writes of those that come in.

use rusqlite::Row;

use super::retention::MEMBERS;
use super::tx::Tx;
use crate::domain::port::{
    CarriedEvent, CarriedRun, CarriedSignal, CarriedTarget, CarryPort, Entry, IdStanding,
    Reservation, RunKey, Submit, Task,
};
use crate::error::{Error, Result};
use crate::id::Id;
use crate::storage::stored::{KIND_CHILD, KIND_ROOM, KIND_SIGNAL};

const STORE_ID: &str = "
SELECT store_id
FROM sw_store
WHERE one = 1";

const RUN: &str = "
SELECT r.run_id, p.run_id, o.run_id, l.queue, l.workflow, l.code_version, r.created_at_ms,
    r.run_at_ms, r.timeout_ms, r.backoff_initial_ms, r.backoff_max_ms, r.backoff_percent, r.priority,
    r.max_tries, r.idem_scope, r.idem_key, r.concurrency_key, r.metadata, coalesce(b.body, r.args),
    r.outcome, r.finished_at_ms, r.attempts, r.tries, r.result, r.error,
    EXISTS (SELECT 1 FROM sw_workflow_cascades AS c WHERE c.run_key = r.run_key)
FROM sw_workflow_runs AS r
JOIN sw_workflow_lanes AS l ON l.lane_key = r.lane_key
LEFT JOIN sw_workflow_runs AS p ON p.run_key = r.parent_key
LEFT JOIN sw_workflow_runs AS o ON o.run_key = r.forked_from
LEFT JOIN sw_payloads AS b ON b.payload_key = r.args_key
WHERE r.run_key = ?1";

const WAITS: &str = "
SELECT w.kind, w.target_key, w.name, w.amount, r.run_id
FROM sw_workflow_waits AS w
LEFT JOIN sw_workflow_runs AS r ON r.run_key = w.target_key AND w.kind = 1
WHERE w.task_key = ?1
ORDER BY w.kind, w.target_key, w.name
LIMIT ?2";

const SIGNALS: &str = "
SELECT g.name, g.idem_key, g.sent_at_ms, g.payload, g.consumed_by IS NOT NULL, s.name, s.occurrence
FROM sw_workflow_signals AS g
LEFT JOIN sw_workflow_steps AS s ON s.step_key = g.consumed_by
WHERE g.run_key = ?1
ORDER BY g.signal_key
LIMIT ?2";

const EVENTS: &str = "
SELECT seq, type, idem_key, at_ms, payload
FROM sw_workflow_events
WHERE run_key = ?1
ORDER BY seq
LIMIT ?2";

const RESERVATIONS: &str = "
SELECT reservation_key - place, salt, root_key, run_key, fence, unit, amount, state, label,
    step_name, step_occurrence, at_ms, source
FROM sw_budget_reservations
WHERE run_key = ?1
ORDER BY fence, source, reservation_key
LIMIT ?2";

const LEDGER: &str = "
SELECT root_key, source_type, source_key, unit, run_key, lane_key, label, amount, at_ms
FROM sw_budget_ledger
WHERE root_key = ?1
ORDER BY source_type, source_key, unit
LIMIT ?2";

// The row of a pruned run that stays for its key's sake has no end any more.
const ID_STANDING: &str = "
SELECT r.run_key, r.outcome IS 4 AND r.finished_at_ms IS NULL,
    EXISTS (
        SELECT 1
        FROM sw_workflow_runs AS t
        WHERE t.run_key = coalesce(r.root_key, r.run_key) AND t.outcome = 4
    )
FROM sw_workflow_runs AS r
WHERE r.run_id = ?1";

const ID_MOVE: &str = "
UPDATE sw_workflow_runs
SET run_id = ?2
WHERE run_key = ?1";

const FORKED_FROM: &str = "
UPDATE sw_workflow_runs
SET forked_from = ?2
WHERE run_key = ?1";

const SIGNAL_RESTORE: &str = "
INSERT INTO sw_workflow_signals (run_key, name, idem_key, sent_at_ms, payload, consumed_by)
VALUES (?1, ?2, ?3, ?4, ?5, (
    SELECT step_key
    FROM sw_workflow_steps
    WHERE run_key = ?1 AND kind = 2 AND name = ?6 AND occurrence = ?7
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
    ID_MOVE,
    FORKED_FROM,
    SIGNAL_RESTORE,
];

impl CarryPort for Tx<'_> {
    fn store_id(&mut self) -> Result<Vec<u8>> {
        let store_id = self.one(STORE_ID, [], |row| row.get(0))?;
        store_id.ok_or_else(|| Error::Corrupt("the store has no id".into()))
    }

    fn members(&mut self, root_key: RunKey, limit: u32) -> Result<Vec<RunKey>> {
        self.all(MEMBERS, (root_key, limit), |row| row.get(0))
    }

    fn run_carried(&mut self, run_key: RunKey) -> Result<CarriedRun> {
        let lost = || Error::Corrupt(format!("run {run_key} has no row or no lane").into());
        let mut run = self.one(RUN, [run_key], read_run)?.ok_or_else(lost)?;
        self.payload_read_any(&mut run.submit.args)?;
        self.payload_read_any(&mut run.result)?;
        Ok(run)
    }

    fn waits_carried(&mut self, run_key: RunKey, limit: u32) -> Result<Vec<(CarriedTarget, i64)>> {
        self.all(WAITS, (run_key, limit), |row| {
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
        let read = |row: &Row<'_>| {
            let is_taken: bool = row.get(4)?;
            let taker = row.get::<_, Option<String>>(5)?.zip(row.get(6)?);
            let signal = CarriedSignal {
                name: row.get(0)?,
                key: row.get(1)?,
                sent_at_ms: row.get(2)?,
                payload: row.get(3)?,
                taker,
            };
            Ok((is_taken, signal))
        };
        let mut signals = self.all(SIGNALS, (run_key, limit), read)?;
        self.payloads_up_to(bytes, &mut signals, |(_, signal)| [signal.payload.as_mut()])?;
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
        let mut events = self.all(EVENTS, (run_key, limit), |row| {
            Ok(CarriedEvent {
                seq: row.get(0)?,
                event_type: row.get(1)?,
                key: row.get(2)?,
                at_ms: row.get(3)?,
                payload: row.get::<_, Option<String>>(4)?.unwrap_or_else(|| "null".into()),
            })
        })?;
        self.payloads_up_to(bytes, &mut events, |event| [Some(&mut event.payload)])?;
        Ok(events)
    }

    fn reservations_carried(
        &mut self,
        run_key: RunKey,
        limit: u32,
    ) -> Result<Vec<(Reservation, Option<String>)>> {
        let read = |row: &Row<'_>| Ok((super::budget::read_reservation(row)?, row.get(12)?));
        self.all(RESERVATIONS, (run_key, limit), read)
    }

    fn ledger_carried(&mut self, root_key: RunKey, limit: u32) -> Result<Vec<Entry>> {
        self.all(LEDGER, (root_key, limit), |row| {
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

    fn id_standing(&mut self, run_id: Id, spare: Id) -> Result<IdStanding> {
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let found: Option<(RunKey, bool, bool)> =
            self.one(ID_STANDING, [run_id.to_bytes()], read)?;
        Ok(match found {
            None => IdStanding::Free,
            Some((run_key, true, _)) => {
                self.execute(ID_MOVE, (run_key, spare.to_bytes()))?;
                IdStanding::Bare(run_key)
            }
            Some((_, false, true)) => IdStanding::Pruned,
            Some((_, false, false)) => IdStanding::Taken,
        })
    }

    fn set_forked_from(&mut self, run_key: RunKey, origin: RunKey) -> Result<()> {
        self.execute(FORKED_FROM, (run_key, origin)).map(|_| ())
    }

    fn task_restore(&mut self, task: &Task, waits_left: u32) -> Result<()> {
        self.task_rewrite(task, waits_left)
    }

    fn signal_restore(&mut self, run_key: RunKey, signal: &CarriedSignal) -> Result<()> {
        let CarriedSignal { name, key, sent_at_ms, payload, taker } = signal;
        let (taker, occurrence) = taker.as_ref().map(|(name, at)| (name, *at)).unzip();
        let payload = self.payload_write_any(payload.as_deref())?;
        let row = (run_key, name, key, sent_at_ms, payload, taker, occurrence);
        self.execute(SIGNAL_RESTORE, row).map(|_| ())
    }
}

fn read_run(row: &Row<'_>) -> rusqlite::Result<CarriedRun> {
    Ok(CarriedRun {
        run_id: row.get(0)?,
        parent_run_id: row.get(1)?,
        forked_from: row.get(2)?,
        submit: read_submit(row)?,
        created_at_ms: row.get(6)?,
        outcome: row.get(19)?,
        finished_at_ms: row.get(20)?,
        attempts: row.get(21)?,
        tries: row.get(22)?,
        result: row.get(23)?,
        error: row.get(24)?,
        is_cascading: row.get(25)?,
    })
}

fn read_submit(row: &Row<'_>) -> rusqlite::Result<Submit> {
    let time =
        |column: usize| Ok::<i64, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.unwrap_or(0));
    let count =
        |column: usize| Ok::<u32, rusqlite::Error>(row.get::<_, Option<u32>>(column)?.unwrap_or(0));
    let idempotency_key: Option<String> = row.get(15)?;
    let scope: Option<String> = row.get(14)?;
    Ok(Submit {
        queue: row.get(3)?,
        workflow: row.get(4)?,
        code_version: Some(row.get(5)?).filter(|version: &String| !version.is_empty()),
        run_at_ms: time(7)?,
        timeout_ms: time(8)?,
        backoff_initial_ms: time(9)?,
        backoff_max_ms: time(10)?,
        backoff_percent: count(11)?,
        priority: row.get(12)?,
        max_tries: count(13)?,
        // The scope of no name is the absent one.
        idempotency_scope: scope.filter(|scope| !scope.is_empty()),
        idempotency_key,
        concurrency_key: row.get(16)?,
        metadata: row.get(17)?,
        args: row.get(18)?,
        budget: None,
        is_local: false,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rusqlite::Connection;
    use rusqlite::types::Value;

    use super::super::conn::Conn;
    use super::super::migrate;
    use super::*;
    use crate::clock::Now;
    use crate::domain::carry::{Bounds, Ids, Origin, bring, export, read};
    use crate::domain::submit::submit;
    use crate::id;

    /// Returns what a row has in each of its columns that is not NULL.
    fn row(conn: &Conn, table: &str) -> BTreeMap<String, Value> {
        let mut statement = conn.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let values = statement.query_row([], |row| {
            (0..names.len()).map(|at| row.get(at)).collect::<rusqlite::Result<Vec<Value>>>()
        });
        let all = names.into_iter().zip(values.unwrap());
        all.filter(|(_, value)| *value != Value::Null).collect()
    }

    fn migrated() -> Conn {
        let conn = Conn::new(Connection::open_in_memory().unwrap());
        migrate::apply(&conn, None, 1).unwrap();
        conn
    }

    /// Whatever column is added, it is carried or the row is not what it was.
    #[test]
    fn a_run_is_carried_with_every_column_that_a_submit_fills() {
        let (here, there) = (migrated(), migrated());
        let all = Submit {
            workflow: "w".into(),
            queue: Some("q".into()),
            code_version: Some("v".into()),
            args: Some("[1]".into()),
            run_at_ms: 4_000,
            timeout_ms: 500,
            backoff_initial_ms: 11,
            backoff_max_ms: 12,
            priority: -3,
            max_tries: 7,
            backoff_percent: 130,
            idempotency_key: Some("k".into()),
            idempotency_scope: Some("s".into()),
            concurrency_key: Some("gate".into()),
            metadata: Some("{\"a\":1}".into()),
            ..Submit::default()
        };
        let now = Now { wall_ms: 5, lease_ms: 5 };
        let run_id = id::new_id();
        submit(&mut Tx::new(&here), &all, run_id, 0, now).unwrap();
        let origin = Origin { schema_version: 1, library_version: "1", exported_at_ms: 9 };
        let text = id::write("run", run_id);
        let document = export(&mut Tx::new(&here), &text, &origin, None).unwrap();
        let bounds = Bounds { payload_bytes_max: 99, schema_version: 1 };
        let tree = read(&document, bounds, Ids::Keep, id::new_id).unwrap();
        bring(&mut Tx::new(&there), &tree, id::new_id(), Now { wall_ms: 9, ..now }).unwrap();
        assert_eq!(row(&there, "sw_workflow_runs"), row(&here, "sw_workflow_runs"));
        let task = |conn: &Conn| {
            let mut task = row(conn, "sw_workflow_tasks");
            task.remove("version");
            task
        };
        assert_eq!(task(&there), task(&here));
    }
}
