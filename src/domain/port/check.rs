//! What a backend gives to the look whether a store is whole.

use serde::Serialize;

use crate::error::Result;

/// Something that should not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// What was looked at.
    pub check: &'static str,
    /// What was found; no payload.
    pub detail: String,
}

/// Looking for what should not be.
pub trait CheckPort {
    /// Returns what is wrong, at most `limit` faults of each kind.
    fn faults(&mut self, limit: u32) -> Result<Vec<Fault>>;
}
