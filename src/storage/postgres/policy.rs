//! The policy of retention, and where the looks for what it does not keep stand.

use super::tx::Tx;
use crate::domain::port::PolicyPort;
use crate::error::Result;

const POLICY: &str = "
SELECT policy
FROM $schema.sw_retention
WHERE one = 1";

const POLICY_SET: &str = "
INSERT INTO $schema.sw_retention (one, policy)
VALUES (1, $1)
ON CONFLICT (one) DO UPDATE
SET policy = excluded.policy";

const POLICY_DELETE: &str = "
DELETE FROM $schema.sw_retention
WHERE one = 1";

const LOOK_CURSOR: &str = "
SELECT retention_cursor
FROM $schema.sw_store
WHERE one = 1";

const LOOK_SET: &str = "
UPDATE $schema.sw_store
SET retention_next_ms = $1, retention_cursor = $2
WHERE one = 1";

const WORKFLOW_AFTER: &str = "
SELECT workflow
FROM $schema.sw_workflow_lanes
WHERE workflow > $1
ORDER BY workflow
LIMIT 1";

const ENDED_ANY: &str = "
SELECT 1
FROM $schema.sw_workflow_runs
WHERE finished_at_ms IS NOT NULL
LIMIT 1";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] =
    &[POLICY, POLICY_SET, POLICY_DELETE, LOOK_CURSOR, LOOK_SET, WORKFLOW_AFTER, ENDED_ANY];

impl PolicyPort for Tx<'_> {
    fn policy(&mut self) -> Result<Option<String>> {
        self.row_opt(POLICY, &[], |row| row.get(0))
    }

    fn policy_set(&mut self, policy: Option<&str>) -> Result<()> {
        match policy {
            Some(policy) => self.exec(POLICY_SET, &[&policy])?,
            None => self.exec(POLICY_DELETE, &[])?,
        };
        self.look_set(None, None)
    }

    fn look_cursor(&mut self) -> Result<Option<String>> {
        self.row_opt(LOOK_CURSOR, &[], |row| row.maybe(0)).map(Option::flatten)
    }

    fn look_set(&mut self, next_at_ms: Option<i64>, cursor: Option<&str>) -> Result<()> {
        self.put(LOOK_SET, &[&next_at_ms, &cursor])
    }

    fn workflow_after(&mut self, name: &str) -> Result<Option<String>> {
        self.row_opt(WORKFLOW_AFTER, &[&name], |row| row.get(0))
    }

    fn has_ended_runs(&mut self) -> Result<bool> {
        Ok(self.row_opt(ENDED_ANY, &[], |_| Ok(()))?.is_some())
    }
}
