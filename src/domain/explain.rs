//! Why a run does not move: the facts of it and of its neighbours, and a rule over them.

mod facts;
mod gather;
mod reasons;

use serde::Serialize;

use self::reasons::Reason;
use super::find::find_row;
use super::output::{Document, document};
use super::port::Port;
use super::stats::Life;
use crate::clock::Now;
use crate::error::Result;
use crate::id;

#[derive(Serialize)]
struct ExplainDocument {
    run_id: String,
    state: &'static str,
    reasons: Vec<Reason>,
}

impl Document for ExplainDocument {
    const SHAPE: &'static str = "explanation";
}

/// Returns why a run does not move, the most telling reason first; there is at least one.
pub fn explain(port: &mut dyn Port, run_id: &str, life: Life<'_>, now: Now) -> Result<String> {
    let row = find_row(port, run_id)?;
    let task = port.task(row.run_key)?;
    let state = super::query::run_state(&row, task.as_ref());
    let facts = gather::facts(port, &row, task, life, now)?;
    let reasons = reasons::reasons(&facts, now)?;
    document(&ExplainDocument { run_id: id::write("run", row.run_id), state, reasons })
}
