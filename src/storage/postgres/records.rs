//! Records of steps on their way without a question: those of one flight are one statement, which undoes
//! everything where one of them is not new, or its attempt does not hold what it held.

use super::connect::Connection;
use super::value::{Many, Param};
use crate::domain::port::{Fence, RunKey};
use crate::error::Result;

/// Inserts records, and divides by what tells how many.
macro_rules! record_new {
    ($given:literal, $as_many:literal) => {
        concat!(
            "
WITH recorded AS (
    INSERT INTO $schema.sw_workflow_steps AS s (
        run_key, kind, name, occurrence, state, tries, retry_at_ms, label, input_hash,
        started_at_ms, took_ms, error, result
    )
    ",
            $given,
            "
    ON CONFLICT (run_key, kind, name, occurrence) DO UPDATE
    SET state = excluded.state, tries = excluded.tries, retry_at_ms = excluded.retry_at_ms,
        label = excluded.label, input_hash = coalesce(excluded.input_hash, s.input_hash),
        started_at_ms = excluded.started_at_ms, took_ms = excluded.took_ms,
        error = excluded.error, result = excluded.result
    WHERE s.state IN (1, 4, 6)
    RETURNING 1
)
SELECT 1 / ",
            $as_many,
            "
FROM recorded"
        )
    };
}

pub(super) use record_new;

const ONE: &str = record_new!(
    "SELECT t.task_key, $2::bigint, $3::text, $4::bigint, $5::bigint, $6::bigint, $7::bigint, $8::text,
        $9::bytea, $10::bigint, $11::bigint, $12::text, $13::text
    FROM $schema.sw_workflow_tasks AS t
    WHERE t.task_key = $1 AND t.fence = $14 AND t.token = $15 AND t.state = 2 AND t.version = $16",
    "count(*)"
);

const MANY: &str = record_new!(
    "SELECT t.task_key, r.kind, r.name, r.occurrence, r.state, r.tries, r.retry_at_ms, r.label,
        r.input_hash, r.started_at_ms, r.took_ms, r.error, r.result
    FROM unnest(
        $1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
        $8::text[], $9::bytea[], $10::bigint[], $11::bigint[], $12::text[], $13::text[], $14::bigint[],
        $15::bigint[], $16::bigint[]
    ) AS r (
        run_key, kind, name, occurrence, state, tries, retry_at_ms, label, input_hash, started_at_ms,
        took_ms, error, result, number, token, version
    )
    JOIN $schema.sw_workflow_tasks AS t ON t.task_key = r.run_key AND t.fence = r.number
        AND t.token = r.token AND t.state = 2 AND t.version = r.version",
    "(count(*) = $17)::int"
);

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[ONE, MANY];

/// What is taken to be so of an attempt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guard {
    pub(super) fence: Fence,
    pub(super) version: i64,
    /// And that the end of its run is nobody's affair.
    pub(super) is_of_end: bool,
}

/// A record of an attempt.
pub(super) struct Record {
    pub(super) run_key: RunKey,
    /// In the order of the statements' parameters.
    columns: Vec<Option<String>>,
}

impl Record {
    /// Makes the record of a step, by the columns of its row, which begin with the run.
    pub(super) fn new(guard: Guard, row: &[&dyn Param]) -> Record {
        let Fence { run_key, number, token } = guard.fence;
        let held: [&dyn Param; 3] = [&number, &token, &guard.version];
        let columns = row.iter().chain(&held).map(|param| param.text()).collect();
        Record { run_key, columns }
    }
}

/// Puts what records these.
pub(super) fn put(conn: &mut Connection, records: &[Record]) -> Result<()> {
    match records {
        [] => Ok(()),
        [one] => {
            let columns: Vec<&dyn Param> = one.columns.iter().map(|it| it as &dyn Param).collect();
            conn.put(ONE, &columns)
        }
        many => {
            let width = many.first().map_or(0, |record| record.columns.len());
            let column = |at: usize| {
                many.iter().map(|record: &Record| record.columns[at].as_deref()).collect()
            };
            let columns: Vec<Vec<Option<&str>>> = (0..width).map(column).collect();
            let columns: Vec<Many<'_, Option<&str>>> = columns.iter().map(|it| Many(it)).collect();
            let count = many.len();
            let arrays = columns.iter().map(|it| it as &dyn Param);
            conn.put(MANY, &arrays.chain([&count as &dyn Param]).collect::<Vec<_>>())
        }
    }
}
