//! Rows of steps.

use std::borrow::Cow;

use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::errors::map;
use super::payload::key_of;
use super::tx::Tx;
use crate::domain::port::{
    Recorded, RunKey, StepFacts, StepKind, StepPort, StepRow, StepState, StepView,
};
use crate::error::{Error, Result};

const STEP: &str = "
SELECT name, occurrence, state, tries, retry_at_ms, input_hash, error, result, label,
    started_at_ms, took_ms
FROM sw_workflow_steps
WHERE run_key = ?1 AND kind = ?2 AND name = ?3 AND occurrence = ?4";

// Writes over a record of a start or a backoff, never over a finished one (P16).
const STEP_RECORD: &str = "
INSERT INTO sw_workflow_steps (
    run_key, kind, name, occurrence, state, tries, retry_at_ms, label, input_hash, started_at_ms,
    took_ms, error, result
)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
ON CONFLICT (run_key, kind, name, occurrence) DO UPDATE
SET state = excluded.state, tries = excluded.tries, retry_at_ms = excluded.retry_at_ms,
    label = excluded.label, input_hash = coalesce(excluded.input_hash, input_hash),
    started_at_ms = excluded.started_at_ms, took_ms = excluded.took_ms, error = excluded.error,
    result = excluded.result
WHERE state IN (1, 4, 6)";

const STEPS_WALK: &str = "
SELECT name, occurrence, state, tries, retry_at_ms, input_hash, error, result
FROM sw_workflow_steps
WHERE run_key = ?1 AND kind = ?2";

const STEPS_WALK_NAMES: &str = "
SELECT name, occurrence, state
FROM sw_workflow_steps
WHERE run_key = ?1 AND kind = ?2";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[STEP, STEP_RECORD, STEPS_WALK, STEPS_WALK_NAMES];

impl StepPort for Tx<'_> {
    fn step(
        &mut self,
        run_key: RunKey,
        kind: StepKind,
        name: &str,
        occurrence: u32,
    ) -> Result<Option<StepRow>> {
        let asked = (run_key, kind, name, occurrence);
        let mut step = self.one(STEP, asked, |row| read_step(row, 0))?;
        if let Some(step) = &mut step {
            self.payload_read_any(&mut step.result)?;
        }
        Ok(step)
    }

    fn steps_all(
        &mut self,
        run_key: RunKey,
        kind: StepKind,
        names: &[(&str, u32)],
    ) -> Result<Option<Vec<StepRow>>> {
        names.iter().map(|(name, occurrence)| self.step(run_key, kind, name, *occurrence)).collect()
    }

    fn steps_record(
        &mut self,
        run_key: RunKey,
        kind: StepKind,
        rows: &[StepRow],
    ) -> Result<Vec<Recorded>> {
        rows.iter().map(|row| self.step_record(run_key, kind, row)).collect()
    }

    fn step_record(&mut self, run_key: RunKey, kind: StepKind, row: &StepRow) -> Result<Recorded> {
        // What may be written over is not shared.
        let result = row.result.as_deref();
        let result = if row.facts.state == StepState::Done {
            self.payload_write_any(result)?
        } else {
            result.map(Cow::Borrowed)
        };
        let changed = self.execute(
            STEP_RECORD,
            (
                run_key,
                kind,
                &row.name,
                row.occurrence,
                row.facts.state,
                row.facts.tries,
                row.facts.retry_at_ms,
                &row.label,
                row.facts.input_hash,
                row.started_at_ms,
                row.took_ms,
                &row.error,
                &result,
            ),
        )?;
        if changed > 0 {
            return Ok(Recorded::New);
        }
        self.payload_drop(result.as_deref())?;
        let stored = self.step(run_key, kind, &row.name, row.occurrence)?;
        stored.map(Recorded::Stored).ok_or_else(|| Error::internal("a step that is there is not"))
    }

    fn steps_walk(
        &mut self,
        run_key: RunKey,
        kind: StepKind,
        each: &mut dyn FnMut(StepView<'_>) -> bool,
    ) -> Result<()> {
        let mut statement = self.prepare(STEPS_WALK)?;
        let mut rows = statement.query((run_key, kind)).map_err(map)?;
        // Steps often hand on what the one before them came to.
        let mut last: Option<(i64, String)> = None;
        while let Some(row) = rows.next().map_err(map)? {
            let mut view = view(row)?;
            if let Some(key) = view.result.map(key_of).transpose()?.flatten() {
                last = match last.take().filter(|(of, _)| *of == key) {
                    None => Some((key, self.payload(key)?)),
                    same => same,
                };
                view.result = last.as_ref().map(|(_, result)| result.as_str());
            }
            if !each(view) {
                break;
            }
        }
        Ok(())
    }

    fn steps_walk_names(
        &mut self,
        run_key: RunKey,
        kind: StepKind,
        each: &mut dyn FnMut(&str, u32, StepState) -> bool,
    ) -> Result<()> {
        let mut statement = self.prepare(STEPS_WALK_NAMES)?;
        let mut rows = statement.query((run_key, kind)).map_err(map)?;
        while let Some(row) = rows.next().map_err(map)? {
            let (occurrence, state) =
                (row.get(1).map_err(map)?, row.get::<_, StepState>(2).map_err(map)?);
            if !each(text(row, 0)?.unwrap_or_default(), occurrence, state) {
                break;
            }
        }
        Ok(())
    }
}

fn view<'row>(row: &'row Row<'_>) -> Result<StepView<'row>> {
    Ok(StepView {
        name: text(row, 0)?.unwrap_or_default(),
        occurrence: row.get(1).map_err(map)?,
        facts: facts(row, 2).map_err(map)?,
        error: text(row, 6)?,
        result: text(row, 7)?,
    })
}

/// Reads state, tries, retry_at_ms, input_hash from column `first` on.
fn facts(row: &Row<'_>, first: usize) -> rusqlite::Result<StepFacts> {
    Ok(StepFacts {
        state: row.get(first)?,
        tries: row.get(first + 1)?,
        retry_at_ms: row.get(first + 2)?,
        input_hash: row.get(first + 3)?,
    })
}

fn text<'row>(row: &'row Row<'_>, column: usize) -> Result<Option<&'row str>> {
    match row.get_ref(column).map_err(map)? {
        ValueRef::Null => Ok(None),
        ValueRef::Text(bytes) => std::str::from_utf8(bytes)
            .map(Some)
            .map_err(|_| Error::Corrupt("a recorded step holds text that is not UTF-8".into())),
        ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => {
            Err(Error::Corrupt("a recorded step holds something other than text".into()))
        }
    }
}

/// Reads name, occurrence, state, tries, retry_at_ms, input_hash, error, result, label, started_at_ms,
/// took_ms from column `first` on.
pub(super) fn read_step(row: &Row<'_>, first: usize) -> rusqlite::Result<StepRow> {
    let get = |column: usize| first + column;
    Ok(StepRow {
        name: row.get(get(0))?,
        occurrence: row.get(get(1))?,
        facts: facts(row, get(2))?,
        error: row.get(get(6))?,
        result: row.get(get(7))?,
        label: row.get(get(8))?,
        started_at_ms: row.get(get(9))?,
        took_ms: row.get(get(10))?,
    })
}
