//! Whether a store is whole: what its transactions keep, looked at from outside.

use serde::Serialize;

use super::output::to_text;
use super::port::{Fault, Port};
use crate::error::Result;
use crate::limits::CHECK_FAULTS_MAX;

#[derive(Serialize)]
struct CheckDocument<'fault> {
    ok: bool,
    faults: &'fault [Fault],
}

/// Returns the document of a check.
pub fn check(port: &mut dyn Port) -> Result<String> {
    let faults = port.faults(CHECK_FAULTS_MAX)?;
    to_text(&CheckDocument { ok: faults.is_empty(), faults: &faults })
}
