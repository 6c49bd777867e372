//! Rows of the append-only log.

use super::tx::Tx;
use crate::domain::port::{EventPort, RunKey};
use crate::error::Result;

// The key is max + 1 within the writer's transaction: commit order, without gaps (P32).
const EVENT_INSERT: &str = "
INSERT INTO sw_workflow_events (run_key, type, idem_key, at_ms, payload)
VALUES (?1, ?2, ?3, ?4, ?5)";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[EVENT_INSERT];

impl EventPort for Tx<'_> {
    fn event_insert(
        &mut self,
        run_key: RunKey,
        event_type: &str,
        key: Option<&str>,
        payload: &str,
        at_ms: i64,
    ) -> Result<i64> {
        self.insert(EVENT_INSERT, (run_key, event_type, key, at_ms, payload))
    }
}
