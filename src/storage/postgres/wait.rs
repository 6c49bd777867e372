//! Rows of signals, and of what parked tasks wait for.

use super::tx::Tx;
use super::value::Row;
use crate::domain::port::{
    Came, ChildState, RunKey, RunPort, Signal, Target, Value, WaitPort, Waiter, Waiting,
};
use crate::error::{Error, Result};
use crate::id::Id;
use crate::storage::stored::{KIND_CHILD, KIND_ROOM, KIND_SIGNAL, wait_row};

const CHILD: &str = "
SELECT run_key, parent_key, finished_at_ms
FROM $schema.sw_workflow_runs
WHERE run_id = $1 AND outcome IS DISTINCT FROM 4";

const SIGNALS: &str = "
SELECT signal_key, sent_at_ms
FROM $schema.sw_workflow_signals
WHERE run_key = $1 AND name = $2 AND consumed_by IS NULL
ORDER BY signal_key
LIMIT $3";

const SIGNAL_EXISTS: &str = "
SELECT 1
FROM $schema.sw_workflow_signals
WHERE run_key = $1 AND name = $2 AND idem_key = $3";

const SIGNAL_INSERT: &str = "
INSERT INTO $schema.sw_workflow_signals (run_key, name, idem_key, sent_at_ms, payload)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (run_key, name, idem_key) WHERE idem_key IS NOT NULL DO NOTHING";

// The payload moves into the record of the await; the row stays, so that its key is known.
const SIGNAL_TAKE: &str = "
UPDATE $schema.sw_workflow_signals
SET payload = NULL, consumed_by = (
    SELECT step_key
    FROM $schema.sw_workflow_steps
    WHERE run_key = $2 AND kind = 2 AND name = $3 AND occurrence = $4
)
WHERE signal_key = $1 AND consumed_by IS NULL";

const SIGNAL_PAYLOAD: &str = "
SELECT coalesce(payload, 'null')
FROM $schema.sw_workflow_signals
WHERE signal_key = $1";

const WAIT_INSERT: &str = "
INSERT INTO $schema.sw_workflow_waits AS w (kind, target_key, name, task_key, amount)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (kind, target_key, name, task_key) DO UPDATE
SET amount = least(w.amount, excluded.amount)";

const WAITS_TAKE: &str = "
DELETE FROM $schema.sw_workflow_waits
WHERE kind = $1 AND target_key = $2 AND name = $3 AND amount <= 1
RETURNING task_key, amount = 1";

const WAITS_LESSEN: &str = "
UPDATE $schema.sw_workflow_waits
SET amount = amount - 1
WHERE kind = $1 AND target_key = $2 AND name = $3";

const WAIT_COUNT_DOWN: &str = "
UPDATE $schema.sw_workflow_tasks
SET version = version + 1, waits_left = greatest(waits_left - 1, 0)
WHERE task_key = $1
RETURNING waits_left, wake_at_ms, CASE waits_left
    WHEN 0 THEN (
        SELECT w.target_key
        FROM $schema.sw_workflow_waits AS w
        WHERE w.task_key = $1 AND w.kind = 4
        ORDER BY w.target_key
        LIMIT 1
    )
END";

const WAITS: &str = "
SELECT w.kind, w.name, r.run_id, w.amount
FROM $schema.sw_workflow_waits AS w
JOIN $schema.sw_workflow_runs AS r ON r.run_key = w.target_key
WHERE w.task_key = $1 AND w.kind IN (1, 2, 3)
ORDER BY w.kind, w.target_key, w.name
LIMIT $2";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[
    CHILD,
    SIGNALS,
    SIGNAL_EXISTS,
    SIGNAL_INSERT,
    SIGNAL_TAKE,
    SIGNAL_PAYLOAD,
    WAIT_INSERT,
    WAITS_TAKE,
    WAITS_LESSEN,
    WAIT_COUNT_DOWN,
    WAITS,
];

impl WaitPort for Tx<'_> {
    fn children(&mut self, run_ids: &[Id]) -> Result<Vec<Option<ChildState>>> {
        let read = |row: Row<'_>| {
            Ok(ChildState {
                run_key: row.get(0)?,
                parent_key: row.maybe(1)?,
                finished_at_ms: row.maybe(2)?,
            })
        };
        run_ids.iter().map(|run_id| self.row_opt(CHILD, &[run_id], read)).collect()
    }

    fn signals(&mut self, run_key: RunKey, names: &[(&str, u32)]) -> Result<Vec<Vec<Signal>>> {
        let read = |row: Row<'_>| Ok(Signal { signal_key: row.get(0)?, sent_at_ms: row.get(1)? });
        let of = |(name, limit): &(&str, u32)| self.rows(SIGNALS, &[&run_key, name, limit], read);
        names.iter().map(of).collect()
    }

    fn signal_exists(&mut self, run_key: RunKey, name: &str, key: &str) -> Result<bool> {
        Ok(self.row_opt(SIGNAL_EXISTS, &[&run_key, &name, &key], |_| Ok(()))?.is_some())
    }

    fn signal_insert_once(
        &mut self,
        run_key: RunKey,
        name: &str,
        key: Option<&str>,
        payload: &str,
        now_ms: i64,
    ) -> Result<bool> {
        let inserted = self.exec(SIGNAL_INSERT, &[&run_key, &name, &key, &now_ms, &payload])?;
        Ok(inserted > 0)
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
            self.put(SIGNAL_TAKE, &[signal_key, &run_key, &name, &occurrence])?;
        }
        Ok(())
    }

    fn waits_insert(&mut self, run_key: RunKey, targets: &[(&Target, u32)]) -> Result<()> {
        for (target, count) in targets {
            let (kind, target_key, name) = wait_row(run_key, target);
            self.put(WAIT_INSERT, &[&kind, &target_key, &name, &run_key, count])?;
        }
        Ok(())
    }

    fn waiters(&mut self, target_of: RunKey, target: &Target) -> Result<Vec<Waiter>> {
        let (kind, target_key, name) = wait_row(target_of, target);
        if kind == KIND_CHILD && self.known.lacks(target_key, |ending| ending.is_awaited) {
            return Ok(Vec::new());
        }
        let mut ended: Vec<(RunKey, bool)> =
            self.rows(WAITS_TAKE, &[&kind, &target_key, &name], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        ended.sort_unstable();
        if kind == KIND_SIGNAL {
            self.put(WAITS_LESSEN, &[&kind, &target_key, &name])?;
        }
        ended.into_iter().map(|(run_key, is_counted)| self.waiter(run_key, is_counted)).collect()
    }

    fn waits(&mut self, run_key: RunKey, limit: u32) -> Result<Vec<Waiting>> {
        self.rows(WAITS, &[&run_key, &limit], |row| {
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
                let payload = self.row_opt(SIGNAL_PAYLOAD, &[&signal_key], |row| row.get(0))?;
                Ok(Value::Signal(payload.unwrap_or_else(|| "null".into())))
            }
            Came::Child(run_key) => {
                let end = self.run_end(run_key)?;
                end.map(Value::Child).ok_or_else(|| Error::internal("an ended child is open"))
            }
        }
    }

    /// Counts down, if it is one of many that must all come.
    fn waiter(&mut self, run_key: RunKey, is_counted: bool) -> Result<Waiter> {
        let waiter = Waiter { run_key, left: 0, sleeps_until_ms: None, wake_at_ms: None };
        if !is_counted {
            return Ok(waiter);
        }
        let counted = self.row_opt(WAIT_COUNT_DOWN, &[&run_key], |row| {
            let (left, wake_at_ms, sleeps_until_ms) = (row.get(0)?, row.maybe(1)?, row.maybe(2)?);
            Ok(Waiter { run_key, left, sleeps_until_ms, wake_at_ms })
        })?;
        Ok(counted.unwrap_or(waiter))
    }
}
