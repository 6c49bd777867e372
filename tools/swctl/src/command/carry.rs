//! A run with its tree as one document: out of one store, into another.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Deserialize;

use super::{Done, Session};
use crate::failure::Failure;
use crate::input;
use crate::out;
use crate::progress::Progress;
use crate::run_id;
use crate::table::Table;

pub(super) fn export(session: &mut Session, run: &str, to: Option<&Path>, redact: bool) -> Done {
    let id = run_id::resolve(&session.store, run)?;
    let document =
        Progress::new("export", None).beside(|| None, || session.store.run_export(&id, redact))?;
    match to {
        Some(file) => write_new(file, &document),
        None => Ok(session.out.document(&document)?),
    }
}

/// Writes a new file that its user alone can read; nothing that is there is written over.
pub(super) fn write_new(file: &Path, text: &str) -> Done {
    let failed =
        |error| Failure::Environment(format!("{} cannot be written: {error}", file.display()));
    let mut options = fs::OpenOptions::new();
    let mut opened = options.write(true).create_new(true).mode(0o600).open(file).map_err(failed)?;
    let written = writeln!(opened, "{text}").and_then(|()| opened.sync_all());
    if let Err(error) = written {
        // Half a document would look like one.
        let _ = fs::remove_file(file);
        return Err(failed(error));
    }
    out::say(&format!("{}: {} bytes", file.display(), text.len() + 1));
    Ok(())
}

#[derive(Deserialize)]
struct Imported {
    run_id: String,
    runs: i64,
}

pub(super) fn import(session: &mut Session, from: &Path, new_ids: bool) -> Done {
    let text = input::file(from)?;
    let document = Progress::new("import", None)
        .beside(|| None, || session.store.run_import(text.trim_end(), new_ids))?;
    if session.out.is_json() {
        return Ok(session.out.document(&document)?);
    }
    let imported: Imported = serde_json::from_str(&document)?;
    let mut table = Table::new(&["RUN", "RUNS"]);
    table.row(vec![imported.run_id.into(), imported.runs.into()]);
    Ok(session.out.table(&table, session.store.now_ms())?)
}
