//! A whole store that goes into another one.

use std::path::Path;

use serde::Deserialize;

use super::{Done, Session};
use crate::door::{Mode, Store};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::table::Table;
use crate::{out, place, text};

/// A call goes on for so long before it tells how far it is.
const A_WHILE: &str = "{\"for_ms\":250}";

#[derive(Deserialize)]
struct Report {
    state: String,
    rows: u64,
    released: i64,
    tables: Vec<Moved>,
    left_behind: Vec<String>,
}

#[derive(Deserialize)]
struct Moved {
    table: String,
    rows: i64,
}

pub(super) fn go(session: &mut Session, to: Option<&Path>, busy_ms: u32) -> Done {
    let to = to.ok_or_else(|| Failure::Usage("where to? a file or a URL".into()))?;
    let other = Store::open(to, Mode::Create, busy_ms)?;
    if matches!(other.schema_version(), Ok((0, _))) {
        other.migrate(None)?;
    }
    let document = moved(session, &other)?;
    if session.out.is_json() {
        return Ok(session.out.document(&document)?);
    }
    let report: Report = serde_json::from_str(&document)?;
    let mut table = Table::new(&["TABLE", "ROWS"]);
    for moved in report.tables {
        table.row(vec![moved.table.into(), moved.rows.into()]);
    }
    session.out.table(&table, other.now_ms())?;
    let (there, released) = (place::shown(to, &other), report.released);
    out::say(&format!(
        "{} rows are in {there}, which is in force; {released} attempts were released",
        report.rows
    ));
    for name in report.left_behind {
        out::say(&format!("left behind: {}", text::visible(&name)));
    }
    Ok(())
}

/// Calls again and again, so that it can be told how far it is.
fn moved(session: &Session, other: &Store) -> Result<String, Failure> {
    let mut shown = (String::new(), Progress::new("move", None));
    loop {
        let (is_done, document) = session.store.graduate(Some(other), A_WHILE)?;
        if is_done {
            return Ok(document);
        }
        let report: Report = serde_json::from_str(&document)?;
        if shown.0 != report.state {
            let progress = Progress::new(&format!("{}, rows", report.state), None);
            shown = (report.state, progress);
        }
        shown.1.at(report.rows);
    }
}

pub(super) fn abort(session: &mut Session, to: Option<&Path>, busy_ms: u32) -> Done {
    let other = to.map(|to| Store::open(to, Mode::Write, busy_ms)).transpose()?;
    let (_, document) = session.store.graduate(other.as_ref(), "{\"abort\":true}")?;
    if session.out.is_json() {
        return Ok(session.out.document(&document)?);
    }
    out::say(&format!("{} is in force", session.place));
    Ok(())
}
