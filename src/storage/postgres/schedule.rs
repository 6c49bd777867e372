//! Rows of schedules.

use super::tx::Tx;
use super::value::{Param, Row};
use crate::domain::port::{Schedule, SchedulePort, Zone};
use crate::error::Result;
use crate::storage::zone;

const SCHEDULE: &str = "
SELECT name, next_at_ms, seen_at_ms, anchor_ms, last_run_id, last_at_ms, skipped, error, spec
FROM $schema.sw_workflow_schedules
WHERE name = $1";

const SCHEDULES: &str = "
SELECT name, next_at_ms, seen_at_ms, anchor_ms, last_run_id, last_at_ms, skipped, error, spec
FROM $schema.sw_workflow_schedules
ORDER BY name
LIMIT $1";

const SCHEDULES_LEN: &str = "
SELECT count(*)
FROM (
    SELECT 1
    FROM $schema.sw_workflow_schedules
    ORDER BY name
    LIMIT $1
) AS page";

const SCHEDULE_PUT: &str = "
INSERT INTO $schema.sw_workflow_schedules (
    name, next_at_ms, seen_at_ms, anchor_ms, last_run_id, last_at_ms, skipped, error, spec
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (name) DO UPDATE
SET next_at_ms = excluded.next_at_ms, seen_at_ms = excluded.seen_at_ms,
    anchor_ms = excluded.anchor_ms, last_run_id = excluded.last_run_id,
    last_at_ms = excluded.last_at_ms, skipped = excluded.skipped, error = excluded.error,
    spec = excluded.spec";

const SCHEDULE_DELETE: &str = "
DELETE FROM $schema.sw_workflow_schedules
WHERE name = $1";

const SCHEDULES_DUE: &str = "
SELECT name, next_at_ms, seen_at_ms, anchor_ms, last_run_id, last_at_ms, skipped, error, spec
FROM $schema.sw_workflow_schedules
WHERE next_at_ms <= $1
ORDER BY next_at_ms, name
LIMIT $2";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] =
    &[SCHEDULE, SCHEDULES, SCHEDULES_LEN, SCHEDULE_PUT, SCHEDULE_DELETE, SCHEDULES_DUE];

impl SchedulePort for Tx<'_> {
    fn schedule(&mut self, name: &str) -> Result<Option<Schedule>> {
        self.row_opt(SCHEDULE, &[&name], read_schedule)
    }

    fn schedules(&mut self, limit: u32) -> Result<Vec<Schedule>> {
        self.rows(SCHEDULES, &[&limit], read_schedule)
    }

    fn schedules_len(&mut self, limit: u32) -> Result<u32> {
        Ok(self.row_opt(SCHEDULES_LEN, &[&limit], |row| row.get(0))?.unwrap_or(0))
    }

    fn schedule_put(&mut self, schedule: &Schedule) -> Result<()> {
        let row: [&dyn Param; 9] = [
            &schedule.name,
            &schedule.next_at_ms,
            &schedule.seen_at_ms,
            &schedule.anchor_ms,
            &schedule.last_run_id,
            &schedule.last_at_ms,
            &schedule.skipped,
            &schedule.error,
            &schedule.spec,
        ];
        self.put(SCHEDULE_PUT, &row)
    }

    fn schedule_delete(&mut self, name: &str) -> Result<bool> {
        self.exec(SCHEDULE_DELETE, &[&name]).map(|rows| rows > 0)
    }

    fn schedules_due(&mut self, now_ms: i64, limit: u32) -> Result<Vec<Schedule>> {
        self.rows(SCHEDULES_DUE, &[&now_ms, &limit], read_schedule)
    }

    fn time_zone(&mut self, name: &str) -> Result<Zone> {
        zone::read(name)
    }
}

fn read_schedule(row: Row<'_>) -> Result<Schedule> {
    Ok(Schedule {
        name: row.get(0)?,
        next_at_ms: row.maybe(1)?,
        seen_at_ms: row.get(2)?,
        anchor_ms: row.get(3)?,
        last_run_id: row.maybe(4)?,
        last_at_ms: row.maybe(5)?,
        skipped: row.get(6)?,
        error: row.maybe(7)?,
        spec: row.get(8)?,
    })
}
