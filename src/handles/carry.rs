//! The calls that carry a run with its tree out of a store and into one.

use crate::domain::carry::{self, Bounds, Origin, Redaction};
use crate::error::Result;
use crate::handles::store::Store;
use crate::id;
use crate::storage::{Call, SCHEMA_NEWEST};

impl Store {
    /// Returns a topmost run with all below it as a document, as it stands at one moment.
    pub fn run_export(&self, run_id: &str, options: Option<&str>) -> Result<String> {
        let is_redacted = carry::export_options(options)?;
        let redaction = is_redacted.then(|| Redaction { key: id::new_key() });
        let exported_at_ms = self.now_ms();
        let library_version = env!("CARGO_PKG_VERSION");
        self.enter()?.read(|tx| {
            let schema_version = tx.schema_version()?;
            let origin = Origin { schema_version, library_version, exported_at_ms };
            carry::export(tx, run_id, &origin, redaction.as_ref())
        })
    }

    /// Writes the runs of such a document, all or none, and tells what came of it.
    pub fn run_import(&self, document: &str, options: Option<&str>) -> Result<String> {
        let ids = carry::import_options(options)?;
        let entered = self.enter()?;
        let bounds =
            Bounds { payload_bytes_max: self.payload_bytes_max(), schema_version: SCHEMA_NEWEST };
        let tree = carry::read(document, bounds, ids, id::new_id)?;
        let told = carry::told(&tree)?;
        let seed = id::new_id();
        let call = Call::of("sw_run_import").of_bytes(document.len());
        entered.write(call, move |tx, now| carry::bring(tx, &tree, seed, now))?;
        Ok(told)
    }
}
