//! Whether a store is whole: what its transactions keep, looked at from outside.

use serde::Serialize;

use super::output::{Document, document};
use super::port::{Fault, Port};
use crate::error::Result;
use crate::limits::CHECK_FAULTS_MAX;

#[derive(Serialize)]
struct CheckDocument<'fault> {
    ok: bool,
    faults: &'fault [Fault],
}

impl Document for CheckDocument<'_> {
    const SHAPE: &'static str = "check";
}

/// Returns the document of a check.
pub fn check(port: &mut dyn Port) -> Result<String> {
    let faults = port.faults(CHECK_FAULTS_MAX)?;
    document(&CheckDocument { ok: faults.is_empty(), faults: &faults })
}
