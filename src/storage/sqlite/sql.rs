//! Statements of the host's, in the transaction of whoever runs them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rusqlite::types::{ToSql, ToSqlOutput, Value, ValueRef};
use rusqlite::{Row, Statement};

use super::errors::map;
use super::host::{self, Visit};
use super::tx::Tx;
use super::{shape, vfs};
use crate::domain::port::{SqlAnswer, SqlBounds, SqlParams, SqlPort, SqlStatement, SqlValue};
use crate::error::{Error, Result};
use crate::limits::SQL_BYTES;

/// How many parts of the schema have names that the host may not give.
const OURS_COUNT: &str = "
SELECT count(*)
FROM sqlite_schema
WHERE name LIKE 'sw!_%' ESCAPE '!' OR name LIKE 'pragma!_%' ESCAPE '!'
    OR name LIKE 'json!_each' ESCAPE '!' OR name LIKE 'json!_tree' ESCAPE '!'";

/// What is run here beside the host's own; it walks the schema, after a statement that changes it.
pub const STATEMENTS: &[&str] = &[OURS_COUNT];

impl SqlPort for Tx<'_> {
    fn sql_begin(&mut self, timeout_ms: u64) {
        self.sql_until = Instant::now().checked_add(Duration::from_millis(timeout_ms));
    }

    fn sql_run(&mut self, statement: &SqlStatement, bounds: SqlBounds) -> Result<SqlAnswer> {
        let host = self.host.ok_or_else(|| Error::internal("no host may use this connection"))?;
        if self.sql_until.is_some_and(|until| Instant::now() >= until) {
            return Err(host::late());
        }
        let (was_open, total) = (!self.conn.is_autocommit(), self.conn.total_changes());
        let visit = host.enter(statement.is_query, self.sql_until);
        let mut prepared = self.conn.prepare(&statement.sql).map_err(|e| visit.map(e))?;
        if prepared.expanded_sql().is_none() {
            return Err(Error::invalid("sql has no statement"));
        }
        if statement.is_query && !prepared.readonly() {
            return Err(Error::invalid("sql writes, where only a query is allowed"));
        }
        bind(&mut prepared, &statement.params)?;
        if !visit.changes_tables() {
            let mut answer = run(&mut prepared, bounds, &visit)?;
            self.check_open(was_open)?;
            if self.conn.total_changes() != total {
                answer.changes = self.conn.changes();
            }
            return Ok(answer);
        }
        drop(visit);
        let ours = self.ours_count()?;
        let visit = host.enter(statement.is_query, self.sql_until);
        let answer = run(&mut prepared, bounds, &visit)?;
        drop(visit);
        self.check_open(was_open)?;
        self.check_tables(ours)?;
        Ok(answer)
    }

    fn sql_end(&mut self) -> Result<()> {
        self.sql_until = None;
        if vfs::has_deferred_faults(self.conn)? {
            return Err(Error::conflict("FOREIGN KEY constraint failed, at the end of the script"));
        }
        Ok(())
    }
}

impl Tx<'_> {
    /// Refuses what has ended the transaction: what followed would commit by itself.
    fn check_open(&self, was_open: bool) -> Result<()> {
        if was_open && self.conn.is_autocommit() {
            return Err(Error::conflict("sql rolled the transaction back"));
        }
        Ok(())
    }

    fn ours_count(&self) -> Result<i64> {
        self.conn.query_row(OURS_COUNT, [], |row| row.get(0)).map_err(map)
    }

    /// Refuses what no authorizer is told: another name for a table, and a reference between tables.
    fn check_tables(&self, ours: i64) -> Result<()> {
        if self.ours_count()? != ours {
            let sentence = "sql may not name a table sw_..., pragma_..., json_each or json_tree: such names are taken";
            return Err(Error::invalid(sentence));
        }
        match shape::referrer(self.conn)? {
            None => Ok(()),
            Some(table) => Err(Error::invalid(format!(
                "sql may not refer from {table} to a table of the library's by a foreign key: keep the id"
            ))),
        }
    }
}

impl ToSql for SqlValue {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            SqlValue::Null => ValueRef::Null,
            SqlValue::Integer(number) => ValueRef::Integer(*number),
            SqlValue::Real(number) => ValueRef::Real(*number),
            SqlValue::Text(text) => ValueRef::Text(text.as_bytes()),
            SqlValue::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn value(stored: ValueRef<'_>) -> SqlValue {
    match stored {
        ValueRef::Null => SqlValue::Null,
        ValueRef::Integer(number) => SqlValue::Integer(number),
        ValueRef::Real(number) => SqlValue::Real(number),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => SqlValue::Text(text.to_owned()),
            Err(_) => SqlValue::Blob(bytes.to_owned()),
        },
        ValueRef::Blob(bytes) => SqlValue::Blob(bytes.to_owned()),
    }
}

fn value_bytes(stored: ValueRef<'_>) -> usize {
    match stored {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len(),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => size_of::<Value>(),
    }
}

/// Gives each parameter its value: none is left over, and none is left out.
fn bind(statement: &mut Statement<'_>, params: &SqlParams) -> Result<()> {
    let count = statement.parameter_count();
    match params {
        SqlParams::Listed(values) if values.len() == count => {
            for (at, value) in values.iter().enumerate() {
                statement.raw_bind_parameter(at + 1, value).map_err(map)?;
            }
            Ok(())
        }
        SqlParams::Listed(values) => Err(Error::invalid(format!(
            "params has {} values, sql has {count} parameters",
            values.len()
        ))),
        SqlParams::Named(values) => bind_named(statement, count, values),
    }
}

fn bind_named(
    statement: &mut Statement<'_>,
    count: usize,
    values: &[(String, SqlValue)],
) -> Result<()> {
    // By a map: there may be ten thousands, and whoever writes waits.
    let places: HashMap<&str, usize> =
        values.iter().enumerate().map(|(place, (key, _))| (key.as_str(), place)).collect();
    let mut used = vec![false; values.len()];
    for at in 1..=count {
        let Some(name) = statement.parameter_name(at).map(str::to_owned) else {
            return Err(Error::invalid(format!(
                "params is an object, and parameter {at} of sql has no name"
            )));
        };
        let bare = name.get(1..).and_then(|bare| places.get(bare));
        let Some(&found) = places.get(name.as_str()).or(bare) else {
            return Err(Error::invalid(format!("params lacks {name:?}, a parameter of sql")));
        };
        used[found] = true;
        statement.raw_bind_parameter(at, &values[found].1).map_err(map)?;
    }
    match used.iter().position(|is_used| !is_used) {
        None => Ok(()),
        Some(spare) => Err(Error::invalid(format!(
            "params has {:?}, which is no parameter of sql",
            values[spare].0
        ))),
    }
}

/// Runs a statement to its end, or a query until the bounds are reached.
fn run(statement: &mut Statement<'_>, bounds: SqlBounds, visit: &Visit<'_>) -> Result<SqlAnswer> {
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let (width, is_query) = (columns.len(), statement.readonly());
    let mut answer = SqlAnswer { columns, rows: Vec::new(), has_more: false, bytes: 0, changes: 0 };
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(|e| visit.map(e))? {
        let is_full =
            answer.rows.len() >= bounds.rows_max as usize || answer.bytes > bounds.bytes_max;
        if is_full {
            answer.has_more = true;
            if is_query {
                break;
            }
            continue;
        }
        let (values, bytes) = read_row(row, width)?;
        answer.bytes += bytes;
        answer.rows.push(values);
    }
    Ok(answer)
}

/// Reads a row and how many bytes its values have. One that is too large is refused before it is copied:
/// what memory cannot hold would end the process.
fn read_row(row: &Row<'_>, width: usize) -> Result<(Vec<SqlValue>, usize)> {
    let (mut values, mut bytes) = (Vec::with_capacity(width), 0);
    for at in 0..width {
        let stored = row.get_ref(at).map_err(map)?;
        bytes += value_bytes(stored);
        if bytes > SQL_BYTES {
            let sentence = format!("a row has more than {SQL_BYTES} bytes: ask for parts of it");
            return Err(Error::TooBig(sentence.into()));
        }
        values.push(value(stored));
    }
    Ok((values, bytes))
}
