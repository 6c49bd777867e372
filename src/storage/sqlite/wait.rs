//! Rows of signals, and of what parked tasks wait for.

use rusqlite::Row;

use super::payload::payload_key;
use super::tx::Tx;
use crate::domain::port::{
    Came, ChildState, RunKey, RunPort, Signal, Target, Value, WaitPort, Waiter, Waiting,
};
use crate::error::{Error, Result};
use crate::id::Id;
use crate::storage::stored::{KIND_ROOM, KIND_SIGNAL, wait_row};

const CHILD: &str = "
SELECT run_key, parent_key, finished_at_ms
FROM sw_workflow_runs
WHERE run_id = ?1 AND outcome IS NOT 4";

const SIGNALS: &str = "
SELECT signal_key, sent_at_ms
FROM sw_workflow_signals
WHERE run_key = ?1 AND name = ?2 AND consumed_by IS NULL
ORDER BY signal_key
LIMIT ?3";

const SIGNAL_EXISTS: &str = "
SELECT 1
FROM sw_workflow_signals
WHERE run_key = ?1 AND name = ?2 AND idem_key = ?3";

const SIGNAL_INSERT: &str = "
INSERT INTO sw_workflow_signals (run_key, name, idem_key, sent_at_ms, payload)
VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (run_key, name, idem_key) WHERE idem_key IS NOT NULL DO NOTHING";

// The payload moves into the record of the await; the row stays, so that its key is known. A name is
// told, since it must be given back.
const SIGNAL_TAKE: &str = concat!(
    "
UPDATE sw_workflow_signals
SET payload = CASE WHEN ",
    payload_key!("payload"),
    " THEN payload END, consumed_by = (
    SELECT step_key
    FROM sw_workflow_steps
    WHERE run_key = ?2 AND kind = 2 AND name = ?3 AND occurrence = ?4
)
WHERE signal_key = ?1 AND consumed_by IS NULL
RETURNING payload"
);

const SIGNAL_CLEAR: &str = "
UPDATE sw_workflow_signals
SET payload = NULL
WHERE signal_key = ?1";

const SIGNAL_PAYLOAD: &str = "
SELECT payload
FROM sw_workflow_signals
WHERE signal_key = ?1";

const WAIT_INSERT: &str = "
INSERT INTO sw_workflow_waits (kind, target_key, name, task_key, amount)
VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (kind, target_key, name, task_key) DO UPDATE
SET amount = min(amount, excluded.amount)";

// Asked first: to give rows back, a statement makes a table of its own, and mostly nobody waits.
const WAITS_ANY: &str = "
SELECT 1
FROM sw_workflow_waits
WHERE kind = ?1 AND target_key = ?2 AND name = ?3
LIMIT 1";

const WAITS_TAKE: &str = "
DELETE FROM sw_workflow_waits
WHERE kind = ?1 AND target_key = ?2 AND name = ?3 AND amount <= 1
RETURNING task_key, amount";

const WAITS_LESSEN: &str = "
UPDATE sw_workflow_waits
SET amount = amount - 1
WHERE kind = ?1 AND target_key = ?2 AND name = ?3";

const WAIT_COUNT_DOWN: &str = "
UPDATE sw_workflow_tasks
SET version = version + 1, waits_left = max(waits_left - 1, 0)
WHERE task_key = ?1
RETURNING waits_left, wake_at_ms, CASE waits_left
    WHEN 0 THEN (
        SELECT target_key
        FROM sw_workflow_waits AS w
        WHERE w.task_key = ?1 AND w.kind = 4
        ORDER BY target_key
        LIMIT 1
    )
END";

const WAITS: &str = "
SELECT w.kind, w.name, r.run_id, w.amount
FROM sw_workflow_waits AS w
JOIN sw_workflow_runs AS r ON r.run_key = w.target_key
WHERE w.task_key = ?1 AND w.kind IN (1, 2, 3)
ORDER BY w.kind, w.target_key, w.name
LIMIT ?2";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[
    CHILD,
    SIGNALS,
    SIGNAL_EXISTS,
    SIGNAL_INSERT,
    SIGNAL_TAKE,
    SIGNAL_CLEAR,
    SIGNAL_PAYLOAD,
    WAIT_INSERT,
    WAITS_ANY,
    WAITS_TAKE,
    WAITS_LESSEN,
    WAIT_COUNT_DOWN,
    WAITS,
];

impl WaitPort for Tx<'_> {
    fn children(&mut self, run_ids: &[Id]) -> Result<Vec<Option<ChildState>>> {
        let read = |row: &Row<'_>| {
            Ok(ChildState {
                run_key: row.get(0)?,
                parent_key: row.get(1)?,
                finished_at_ms: row.get(2)?,
            })
        };
        run_ids.iter().map(|run_id| self.one(CHILD, [run_id.to_bytes()], read)).collect()
    }

    fn signals(&mut self, run_key: RunKey, names: &[(&str, u32)]) -> Result<Vec<Vec<Signal>>> {
        let read = |row: &Row<'_>| Ok(Signal { signal_key: row.get(0)?, sent_at_ms: row.get(1)? });
        let of = |(name, limit): &(&str, u32)| self.all(SIGNALS, (run_key, name, limit), read);
        names.iter().map(of).collect()
    }

    fn signal_exists(&mut self, run_key: RunKey, name: &str, key: &str) -> Result<bool> {
        Ok(self.one(SIGNAL_EXISTS, (run_key, name, key), |_| Ok(()))?.is_some())
    }

    fn signal_insert_once(
        &mut self,
        run_key: RunKey,
        name: &str,
        key: Option<&str>,
        payload: &str,
        now_ms: i64,
    ) -> Result<bool> {
        let payload = self.payload_write(payload)?;
        let is_new = self.execute(SIGNAL_INSERT, (run_key, name, key, now_ms, &payload))? > 0;
        if !is_new {
            self.payload_drop(Some(&payload))?;
        }
        Ok(is_new)
    }

    fn values(&mut self, came: &[Came], bytes: usize) -> Result<Vec<Value>> {
        let mut values = Vec::with_capacity(came.len());
        let mut sum = 0;
        for came in came {
            let value = self.value(*came)?;
            sum += value.bytes();
            values.push(value);
            if sum > bytes {
                break;
            }
        }
        Ok(values)
    }

    fn signals_take(
        &mut self,
        signal_keys: &[i64],
        run_key: RunKey,
        name: &str,
        occurrence: u32,
    ) -> Result<()> {
        for signal_key in signal_keys {
            let taken = (signal_key, run_key, name, occurrence);
            let payload: Option<Option<String>> = self.one(SIGNAL_TAKE, taken, |row| row.get(0))?;
            if let Some(payload) = payload.flatten() {
                self.execute(SIGNAL_CLEAR, [signal_key])?;
                self.payload_drop(Some(&payload))?;
            }
        }
        Ok(())
    }

    fn waits_insert(&mut self, run_key: RunKey, targets: &[(&Target, u32)]) -> Result<()> {
        for (target, count) in targets {
            let (kind, target_key, name) = wait_row(run_key, target);
            self.execute(WAIT_INSERT, (kind, target_key, name, run_key, count))?;
        }
        Ok(())
    }

    fn waiters(&mut self, target_of: RunKey, target: &Target) -> Result<Vec<Waiter>> {
        let (kind, target_key, name) = wait_row(target_of, target);
        if self.one(WAITS_ANY, (kind, target_key, name), |_| Ok(()))?.is_none() {
            return Ok(Vec::new());
        }
        let ended: Vec<(RunKey, bool)> =
            self.all(WAITS_TAKE, (kind, target_key, name), |row| Ok((row.get(0)?, row.get(1)?)))?;
        if kind == KIND_SIGNAL {
            self.execute(WAITS_LESSEN, (kind, target_key, name))?;
        }
        ended.into_iter().map(|(run_key, is_counted)| self.waiter(run_key, is_counted)).collect()
    }

    fn waits(&mut self, run_key: RunKey, limit: u32) -> Result<Vec<Waiting>> {
        self.all(WAITS, (run_key, limit), |row| {
            let kind: i64 = row.get(0)?;
            Ok(if kind == KIND_SIGNAL {
                Waiting::Signal(row.get(1)?)
            } else if kind == KIND_ROOM {
                Waiting::Room(row.get(1)?, row.get(3)?)
            } else {
                Waiting::Child(row.get(2)?)
            })
        })
    }
}

impl Tx<'_> {
    fn value(&mut self, came: Came) -> Result<Value> {
        match came {
            Came::Signal(signal_key) => {
                let payload: Option<Option<String>> =
                    self.one(SIGNAL_PAYLOAD, [signal_key], |row| row.get(0))?;
                let mut payload = payload.flatten().unwrap_or_else(|| "null".into());
                self.payload_read(&mut payload)?;
                Ok(Value::Signal(payload))
            }
            Came::Child(run_key) => {
                let end = self.run_end(run_key)?;
                end.map(Value::Child).ok_or_else(|| Error::internal("an ended child is open"))
            }
        }
    }

    /// Counts down, if it is one of many that must all come.
    fn waiter(&self, run_key: RunKey, is_counted: bool) -> Result<Waiter> {
        let waiter = Waiter { run_key, left: 0, sleeps_until_ms: None, wake_at_ms: None };
        if !is_counted {
            return Ok(waiter);
        }
        let counted = self.one(WAIT_COUNT_DOWN, [run_key], |row| {
            let (left, wake_at_ms, sleeps_until_ms) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Waiter { run_key, left, sleeps_until_ms, wake_at_ms })
        })?;
        Ok(counted.unwrap_or(waiter))
    }
}
