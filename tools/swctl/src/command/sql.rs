//! One query of the file.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Done, Session};
use crate::input;
use crate::out;
use crate::table::{Cell, Table, Value};

#[derive(Deserialize)]
struct Rows<'a> {
    columns: Vec<String>,
    #[serde(borrow)]
    rows: Vec<Vec<&'a RawValue>>,
    more: bool,
}

pub(super) fn sql(
    session: &mut Session,
    sql: &str,
    params: Option<&str>,
    rows_max: u32,
    timeout_ms: i64,
) -> Done {
    let params = params.map(input::json).transpose()?;
    let options = format!("{{\"rows_max\":{rows_max},\"timeout_ms\":{timeout_ms}}}");
    let document = session.store.query(sql, params.as_deref(), Some(&options))?;
    if session.out.is_json() {
        return Ok(session.out.document(&document)?);
    }
    let rows: Rows = serde_json::from_str(&document)?;
    let mut table = Table::with_headings(rows.columns);
    for row in &rows.rows {
        table.row(row.iter().map(|value| cell(value)).collect());
    }
    session.out.table(&table, session.store.now_ms())?;
    session.out.flush()?;
    if rows.more {
        out::say("there are more rows: --rows N, or ask on from the last key");
    }
    Ok(())
}

fn cell(value: &RawValue) -> Cell {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'n') => Value::None.into(),
        Some(b'"') => {
            serde_json::from_str::<String>(text).unwrap_or_else(|_| text.to_string()).into()
        }
        _ => match text.parse::<i64>() {
            Ok(number) => number.into(),
            Err(_) => text.into(),
        },
    }
}
