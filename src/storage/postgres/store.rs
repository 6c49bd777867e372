//! Rows about the store itself: its schema and its clock.

use super::migrate;
use super::tx::Tx;
use crate::domain::port::StorePort;
use crate::error::Result;
use crate::storage::steps::NEWEST;

const CLOCK_SET: &str = "
UPDATE $schema.sw_store
SET clock_ms = greatest(clock_ms, $1)
WHERE one = 1";

// Reads every run, attempt and step: a manual clock is for tests, and opening one may take as long.
const LATEST: &str = "
SELECT greatest(
    0,
    (SELECT clock_ms FROM $schema.sw_store WHERE one = 1),
    (SELECT max(greatest(created_at_ms, finished_at_ms)) FROM $schema.sw_workflow_runs),
    (SELECT max(ended_at_ms) FROM $schema.sw_workflow_attempts),
    (SELECT max(started_at_ms + took_ms) FROM $schema.sw_workflow_steps),
    (SELECT sent_at_ms FROM $schema.sw_workflow_signals ORDER BY signal_key DESC LIMIT 1),
    (SELECT at_ms FROM $schema.sw_workflow_events ORDER BY seq DESC LIMIT 1)
)";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[CLOCK_SET, LATEST];

impl StorePort for Tx<'_> {
    fn migrate(&mut self, target: Option<i64>, now_ms: i64) -> Result<u32> {
        migrate::apply(self.conn, target, now_ms)
    }

    fn schema_version(&mut self) -> Result<i64> {
        migrate::version(self.conn)
    }

    fn schema_newest(&self) -> i64 {
        NEWEST
    }

    fn migrations(&mut self) -> Result<String> {
        migrate::list(self.conn)
    }

    fn clock_set(&mut self, clock_ms: i64) -> Result<()> {
        self.put(CLOCK_SET, &[&clock_ms])
    }

    fn latest_ms(&mut self) -> Result<i64> {
        let latest = self.row_opt(LATEST, &[], |row| row.get(0))?;
        Ok(latest.unwrap_or(0))
    }
}
