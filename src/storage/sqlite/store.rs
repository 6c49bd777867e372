//! Rows about the file itself: its schema and its clock.

use super::migrate;
use super::tx::Tx;
use crate::domain::port::StorePort;
use crate::error::Result;
use crate::storage::steps::NEWEST;

const CLOCK_SET: &str = "
UPDATE sw_store
SET clock_ms = max(clock_ms, ?1)
WHERE one = 1";

// Reads every run, attempt and step: a manual clock is for tests, and opening one may take as long.
const LATEST: &str = "
SELECT max(
    coalesce((SELECT clock_ms FROM sw_store WHERE one = 1), 0),
    coalesce((SELECT max(max(created_at_ms, coalesce(finished_at_ms, 0))) FROM sw_workflow_runs), 0),
    coalesce((SELECT max(ended_at_ms) FROM sw_workflow_attempts), 0),
    coalesce((SELECT max(started_at_ms + took_ms) FROM sw_workflow_steps), 0),
    coalesce((SELECT sent_at_ms FROM sw_workflow_signals ORDER BY signal_key DESC LIMIT 1), 0),
    coalesce((SELECT at_ms FROM sw_workflow_events ORDER BY seq DESC LIMIT 1), 0)
)";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[CLOCK_SET, LATEST];

impl StorePort for Tx<'_> {
    fn migrate(&mut self, target: Option<i64>, now_ms: i64) -> Result<u32> {
        let Some(seen) = self.seen else {
            return migrate::apply(self.conn, target, now_ms);
        };
        migrate::apply_to(self.conn, seen.look_within(self.conn)?, target, now_ms)
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
        self.execute(CLOCK_SET, [clock_ms]).map(|_| ())
    }

    fn latest_ms(&mut self) -> Result<i64> {
        self.one(LATEST, [], |row| row.get(0)).map(|latest| latest.unwrap_or(0))
    }
}
