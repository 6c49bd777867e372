//! Whether a store is whole: what its transactions keep, looked at from outside.

use serde::Serialize;

use super::port::Port;
use crate::error::{Error, Result};
use crate::limits::CHECK_FAULTS_MAX;

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

#[derive(Serialize)]
struct CheckDocument<'fault> {
    ok: bool,
    faults: &'fault [Fault],
}

/// Returns the document of a check.
pub fn check(port: &mut dyn Port) -> Result<String> {
    let faults = port.faults(CHECK_FAULTS_MAX)?;
    serde_json::to_string(&CheckDocument { ok: faults.is_empty(), faults: &faults })
        .map_err(|error| Error::internal(format!("a document could not be written: {error}")))
}
