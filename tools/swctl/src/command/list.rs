//! Runs: listed and counted.

use super::{Done, Session};
use crate::cli::Ls;
use crate::document::{Page, Run, brief};
use crate::door::code;
use crate::failure::Failure;
use crate::filter::Object;
use crate::out::{self, Form};
use crate::table::{Cell, Table, Tone, Value};

const HEADINGS: [&str; 8] =
    ["RUN", "STATE", "WORKFLOW", "QUEUE", "TRIES", "SUBMITTED", "ENDED", "ERROR"];

fn new_table() -> Table {
    // On a narrow terminal what failed matters more than how often it was tried.
    Table::new(&HEADINGS).yielding(&[4, 3, 5, 6])
}

pub(super) fn list(session: &mut Session, asked: &Ls) -> Done {
    let mut filter = asked.filter.object(&session.store)?;
    if asked.count {
        let count = session.store.run_count(&filter.to_string(), 1_000_000_000)?;
        return Ok(session.out.line(&count.to_string())?);
    }
    if !filter.has("include") && session.out.form != Form::Json {
        filter.json("include", "[\"error\"]");
    }
    if session.out.form == Form::Json {
        let limit = if asked.all { most() } else { asked.limit.min(most() as usize) as u32 };
        let page = session.store.run_list(&filter.to_string(), asked.cursor.as_deref(), limit)?;
        return Ok(session.out.document(&page)?);
    }
    let mut table = new_table();
    let limit = if asked.all { usize::MAX } else { asked.limit };
    let more = pages(session, &filter.to_string(), asked.cursor.clone(), limit, &mut table)?;
    if session.out.form == Form::Table && table.is_empty() {
        return Ok(session.out.line("no runs")?);
    }
    session.out.table(&table, session.store.now_ms())?;
    session.out.flush()?;
    if more {
        out::say("there are more: --limit N or --all");
    }
    Ok(())
}

fn most() -> u32 {
    code::SW_LIST_LEN_MAX as u32
}

/// Goes through the pages until there are enough; what is no table is written as it comes. True when
/// there are more.
fn pages(
    session: &mut Session,
    filter: &str,
    mut cursor: Option<String>,
    limit: usize,
    table: &mut Table,
) -> Result<bool, Failure> {
    let mut left = limit;
    loop {
        let page = session.store.run_list(
            filter,
            cursor.as_deref(),
            left.clamp(1, most() as usize) as u32,
        )?;
        let page: Page = serde_json::from_str(&page)?;
        for item in &page.items {
            left = left.saturating_sub(1);
            match session.out.form {
                Form::Jsonl => session.out.document(item.get())?,
                _ => table.row(row(&serde_json::from_str(item.get())?)),
            }
        }
        match page.next {
            None => return Ok(false),
            Some(_) if left == 0 => return Ok(true),
            Some(next) => cursor = Some(next.to_string()),
        }
        if session.out.form == Form::Piped {
            session.out.text(&table.piped())?;
            session.out.flush()?;
            *table = new_table();
        }
    }
}

/// The first runs that a filter means, as a table.
pub(super) fn first(session: &mut Session, filter: &Object, limit: u32) -> Done {
    let mut filter = filter.clone();
    filter.json("include", "[\"error\"]");
    let page = session.store.run_list(&filter.to_string(), None, limit)?;
    let mut table = new_table();
    for item in serde_json::from_str::<Page>(&page)?.items {
        table.row(row(&serde_json::from_str(item.get())?));
    }
    Ok(session.out.table(&table, session.store.now_ms())?)
}

fn row(run: &Run) -> Vec<Cell> {
    vec![
        run.run_id.into(),
        state(run),
        run.workflow.as_ref().into(),
        run.queue.as_ref().into(),
        tries(run),
        Cell::moment(Some(run.created_at_ms)),
        Cell::moment(run.finished_at_ms),
        run.any_error()
            .map_or(Value::None.into(), |error| Cell::from(brief(error)).tone(Tone::Dim)),
    ]
}

/// The state, and what was asked of it that it has not heard yet.
pub(super) fn state(run: &Run) -> Cell {
    let asked = match (run.cancel_asked, run.pause_asked) {
        (true, _) => "+cancel",
        (_, true) => "+pause",
        _ => return Cell::state(run.state),
    };
    Cell::from(format!("{}{asked}", run.state)).tone(Tone::Warn)
}

/// Tries that were charged, of those allowed.
pub(super) fn tries(run: &Run) -> Cell {
    let cell = Cell::from(format!("{}/{}", run.tries, run.max_tries));
    if run.tries > 1 && !run.has_ended() { cell.tone(Tone::Warn) } else { cell }
}
