//! What a backend gives to the policy of retention: the document, and how far the looks for what it does
//! not keep have come.

use crate::error::Result;

/// The policy of retention.
pub trait PolicyPort {
    /// Returns the policy, if there is one.
    fn policy(&mut self) -> Result<Option<String>>;
    /// Writes the policy, or takes it away. What was known of a look is forgotten.
    fn policy_set(&mut self, policy: Option<&str>) -> Result<()>;
    /// Returns where a look goes on; `None` where it begins.
    fn look_cursor(&mut self) -> Result<Option<String>>;
    /// Writes when the next look is, `None` for never, and where it goes on.
    fn look_set(&mut self, next_at_ms: Option<i64>, cursor: Option<&str>) -> Result<()>;
    /// Returns the first workflow after this name, in the order of bytes, of which there may be runs.
    fn workflow_after(&mut self, name: &str) -> Result<Option<String>>;
    /// Returns whether there may be a run that has ended.
    fn has_ended_runs(&mut self) -> Result<bool>;
}
