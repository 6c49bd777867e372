//! Rows of steps.

use super::known::Trust;
use super::records::{Guard, Record, record_new};
use super::tx::Tx;
use super::value::{Param, Row};
use crate::domain::port::{
    Recorded, RunKey, StepFacts, StepKind, StepPort, StepRow, StepState, StepView,
};
use crate::error::{Error, Result};

const STEP: &str = "
SELECT name, occurrence, state, tries, retry_at_ms, input_hash, error, result, label,
    started_at_ms, took_ms
FROM $schema.sw_workflow_steps
WHERE run_key = $1 AND kind = $2 AND name = $3 AND occurrence = $4";

// Writes over a record of a start or a backoff, never over a finished one (P16).
const STEP_RECORD: &str = "
INSERT INTO $schema.sw_workflow_steps AS s (
    run_key, kind, name, occurrence, state, tries, retry_at_ms, label, input_hash, started_at_ms,
    took_ms, error, result
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (run_key, kind, name, occurrence) DO UPDATE
SET state = excluded.state, tries = excluded.tries, retry_at_ms = excluded.retry_at_ms,
    label = excluded.label, input_hash = coalesce(excluded.input_hash, s.input_hash),
    started_at_ms = excluded.started_at_ms, took_ms = excluded.took_ms, error = excluded.error,
    result = excluded.result
WHERE s.state IN (1, 4, 6)";

// Where nothing comes of it, nothing comes of the transaction.
const STEP_RECORD_NEW: &str =
    record_new!("VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)", "count(*)");

const STEPS_WALK: &str = "
SELECT name, occurrence, state, tries, retry_at_ms, input_hash, error, result
FROM $schema.sw_workflow_steps
WHERE run_key = $1 AND kind = $2 AND (name, occurrence) > ($3, $4)
ORDER BY name, occurrence
LIMIT $5";

const STEPS_WALK_NAMES: &str = "
SELECT name, occurrence, state
FROM $schema.sw_workflow_steps
WHERE run_key = $1 AND kind = $2 AND (name, occurrence) > ($3, $4)
ORDER BY name, occurrence
LIMIT $5";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] =
    &[STEP, STEP_RECORD, STEP_RECORD_NEW, STEPS_WALK, STEPS_WALK_NAMES];

/// Records that a walk reads at once.
const PAGE: usize = 500;

impl StepPort for Tx<'_> {
    fn step(
        &mut self,
        run_key: RunKey,
        kind: StepKind,
        name: &str,
        occurrence: u32,
    ) -> Result<Option<StepRow>> {
        self.row_opt(STEP, &[&run_key, &kind, &name, &occurrence], |row| read_step(row, 0))
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
        let StepRow { name, occurrence, facts, label, started_at_ms, took_ms, error, result } = row;
        let StepFacts { state, tries, retry_at_ms, input_hash } = facts;
        let record: [&dyn Param; 13] = [
            &run_key,
            &kind,
            name,
            occurrence,
            state,
            tries,
            retry_at_ms,
            label,
            input_hash,
            started_at_ms,
            took_ms,
            error,
            result,
        ];
        if self.trust != Trust::Nothing {
            // It writes no task, so what is known of those stays true.
            return self.record_new(run_key, &record).map(|()| Recorded::New);
        }
        if self.exec(STEP_RECORD, &record)? > 0 {
            return Ok(Recorded::New);
        }
        let stored = self.step(run_key, kind, name, *occurrence)?;
        stored.map(Recorded::Stored).ok_or_else(|| Error::internal("a step that is there is not"))
    }

    fn steps_walk(
        &mut self,
        run_key: RunKey,
        kind: StepKind,
        each: &mut dyn FnMut(StepView<'_>) -> bool,
    ) -> Result<()> {
        self.pages(STEPS_WALK, (run_key, kind), &mut |row| Ok(each(view(row)?)))
    }

    fn steps_walk_names(
        &mut self,
        run_key: RunKey,
        kind: StepKind,
        each: &mut dyn FnMut(&str, u32, StepState) -> bool,
    ) -> Result<()> {
        self.pages(STEPS_WALK_NAMES, (run_key, kind), &mut |row| {
            Ok(each(row.text(0)?.unwrap_or_default(), row.get(1)?, row.get(2)?))
        })
    }
}

impl Tx<'_> {
    fn record_new(&mut self, run_key: RunKey, record: &[&dyn Param]) -> Result<()> {
        let is_of_run = |guard: &mut Guard| guard.fence.run_key == run_key && !guard.is_of_end;
        if let Some(guard) = self.unguarded.take_if(is_of_run) {
            self.records.push(Record::new(guard, record));
            return Ok(());
        }
        self.guard()?;
        self.conn.put(STEP_RECORD_NEW, record)
    }

    /// Hands the rows of a statement about names to `each`, page by page, until it answers `false`.
    fn pages(
        &mut self,
        sql: &str,
        (run_key, kind): (RunKey, StepKind),
        each: &mut dyn FnMut(Row<'_>) -> Result<bool>,
    ) -> Result<()> {
        let mut last = (String::new(), 0_u32);
        loop {
            let mut goes_on = true;
            let asked: [&dyn Param; 5] = [&run_key, &kind, &last.0, &last.1, &PAGE];
            let ends = self.rows(sql, &asked, |row| {
                goes_on = goes_on && each(row)?;
                Ok((row.get(0)?, row.get(1)?))
            })?;
            if !goes_on || ends.len() < PAGE {
                return Ok(());
            }
            last = ends.into_iter().next_back().unwrap_or(last);
        }
    }
}

fn view<'row>(row: Row<'row>) -> Result<StepView<'row>> {
    Ok(StepView {
        name: row.text(0)?.unwrap_or_default(),
        occurrence: row.get(1)?,
        facts: facts(row, 2)?,
        error: row.text(6)?,
        result: row.text(7)?,
    })
}

/// Reads state, tries, retry_at_ms, input_hash from column `first` on.
fn facts(row: Row<'_>, first: usize) -> Result<StepFacts> {
    Ok(StepFacts {
        state: row.get(first)?,
        tries: row.get(first + 1)?,
        retry_at_ms: row.maybe(first + 2)?,
        input_hash: row.maybe(first + 3)?,
    })
}

/// Reads name, occurrence, state, tries, retry_at_ms, input_hash, error, result, label, started_at_ms,
/// took_ms from column `first` on.
pub(super) fn read_step(row: Row<'_>, first: usize) -> Result<StepRow> {
    Ok(StepRow {
        name: row.get(first)?,
        occurrence: row.get(first + 1)?,
        facts: facts(row, first + 2)?,
        error: row.maybe(first + 6)?,
        result: row.maybe(first + 7)?,
        label: row.maybe(first + 8)?,
        started_at_ms: row.get(first + 9)?,
        took_ms: row.get(first + 10)?,
    })
}
