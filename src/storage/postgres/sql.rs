//! Statements of the host's, in the transaction of whoever runs them.
//!
//! Each runs behind a savepoint with the host's own search_path, and what it did to tables of the
//! library's is looked at before it stays. That is a guard against accidents; walls are roles.

use std::time::{Duration, Instant};

use super::errors;
use super::pq::{Answer, Fault};
use super::tx::Tx;
use super::value::{Param, Row};
use crate::domain::port::{SqlAnswer, SqlBounds, SqlParams, SqlPort, SqlStatement, SqlValue};
use crate::error::{Error, Result};
use crate::limits::SQL_BYTES;

/// What a statement of the host's begins with, if it asks.
const ASKS: [&str; 4] = ["SELECT", "WITH", "VALUES", "TABLE"];
/// If it writes rows.
const WRITES: [&str; 4] = ["INSERT", "UPDATE", "DELETE", "MERGE"];
/// If it changes tables.
const SHAPES: [&str; 3] = ["CREATE", "ALTER", "DROP"];

// What this transaction wrote to tables of ours. The view of these counts looks at all tables that there
// are, and their indexes, which takes a hundred times as long.
pub(super) const OURS_WRITTEN: &str = "
SELECT coalesce(sum(
    pg_stat_get_xact_tuples_inserted(oid) + pg_stat_get_xact_tuples_updated(oid)
        + pg_stat_get_xact_tuples_deleted(oid)
), 0)::bigint
FROM pg_class
WHERE relnamespace = '$schema'::regnamespace AND relname LIKE 'sw\\_%' AND relkind = 'r'";

// What our tables are, and what of others hangs on them.
const OURS_SHAPED: &str = "
SELECT md5(string_agg(concat_ws('/', c.oid, c.relname, c.relkind, c.relnatts, c.relhasrules, (
    SELECT count(*) FROM pg_constraint AS f WHERE f.confrelid = c.oid
), (
    SELECT count(*) FROM pg_trigger AS t WHERE t.tgrelid = c.oid
)), ',' ORDER BY c.oid))
FROM pg_class AS c
WHERE c.relnamespace = '$schema'::regnamespace AND c.relname LIKE 'sw\\_%'";

const CURSOR: &str = "DECLARE host_rows NO SCROLL CURSOR FOR ";

/// Every statement of this file that names our tables, for the test of their plans: none does.
pub(super) const STATEMENTS: &[&str] = &[];

impl SqlPort for Tx<'_> {
    fn sql_begin(&mut self, timeout_ms: u64) {
        self.sql_until = Instant::now().checked_add(Duration::from_millis(timeout_ms));
    }

    fn sql_run(&mut self, statement: &SqlStatement, bounds: SqlBounds) -> Result<SqlAnswer> {
        let verb = verb(&statement.sql);
        check_verb(&verb, statement.is_query)?;
        let params = listed(&statement.params)?;
        let changes_tables = SHAPES.contains(&verb.as_str());
        let shape = if changes_tables { Some(self.ours(OURS_SHAPED)?) } else { None };
        let written = self.ours(OURS_WRITTEN)?;
        self.enter(statement.is_query)?;
        let answer = self.host_run(statement, &params, bounds).and_then(|answer| {
            self.back_to_ours()?;
            if self.ours(OURS_WRITTEN)? != written {
                return Err(Error::invalid("sql may not write the library's own tables"));
            }
            if shape.is_some() && Some(self.ours(OURS_SHAPED)?) != shape {
                return Err(Error::invalid(
                    "sql may not change the library's own tables, make one of a name like sw_, or refer to one by a foreign key: keep the id",
                ));
            }
            Ok(answer)
        });
        self.leave(answer.is_ok() && !statement.is_query)?;
        answer
    }

    fn sql_end(&mut self) -> Result<()> {
        self.sql_until = None;
        self.conn.command("SAVEPOINT host")?;
        match self.conn.guest("SET CONSTRAINTS ALL IMMEDIATE", None)? {
            Ok(_) => self.conn.command("RELEASE SAVEPOINT host").map(|_| ()),
            Err(fault) => {
                self.leave(false)?;
                Err(Error::conflict(format!("{}, at the end of the script", fault.text)))
            }
        }
    }
}

impl Tx<'_> {
    fn ours(&mut self, sql: &str) -> Result<Option<String>> {
        self.row_opt(sql, &[], |row| row.maybe(0)).map(Option::flatten)
    }

    /// Sets the connection up for a statement of the host's.
    fn enter(&mut self, is_query: bool) -> Result<()> {
        let left = self.sql_until.map(|until| until.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(late());
        }
        let left_ms = left.map_or(0, |left| left.as_millis().clamp(1, 86_400_000));
        let path = self.conn.host_path().replace('\'', "''");
        let reads = if is_query { "; SET LOCAL transaction_read_only = on" } else { "" };
        let set = format!(
            "SAVEPOINT host; SET LOCAL statement_timeout = {left_ms}; SET LOCAL enable_seqscan = on; SELECT set_config('search_path', '{path}', true){reads}"
        );
        self.conn.command(&set).map(|_| ())
    }

    fn back_to_ours(&mut self) -> Result<()> {
        let back = "SET LOCAL search_path = pg_catalog; SET LOCAL enable_seqscan = off; SET LOCAL statement_timeout = 0";
        self.conn.command(back).map(|_| ())
    }

    /// Keeps what the statement did, or undoes it; the settings are ours again either way.
    fn leave(&mut self, is_kept: bool) -> Result<()> {
        let undo = if is_kept { "" } else { "ROLLBACK TO SAVEPOINT host; " };
        self.conn.command(&format!("{undo}RELEASE SAVEPOINT host")).map(|_| ())
    }

    fn host_run(
        &mut self,
        statement: &SqlStatement,
        params: &[&SqlValue],
        bounds: SqlBounds,
    ) -> Result<SqlAnswer> {
        let params: Vec<&dyn Param> = params.iter().map(|value| value as &dyn Param).collect();
        let sql = &statement.sql;
        // A query may find more than memory holds: no more of it is asked for than is answered.
        if statement.is_query {
            let cursor = format!("{CURSOR}{sql}");
            self.conn.guest(&cursor, Some(&params))?.map_err(map)?;
            let fetch = format!("FETCH FORWARD {} FROM host_rows", u64::from(bounds.rows_max) + 1);
            let answer = self.conn.guest(&fetch, None)?.map_err(map)?;
            return read(&answer, bounds);
        }
        let answer = self.conn.guest(sql, Some(&params))?.map_err(map)?;
        let mut told = read(&answer, bounds)?;
        if WRITES.iter().any(|verb| answer.done().starts_with(verb)) {
            told.changes = u64::try_from(answer.changed()).unwrap_or(u64::MAX);
        }
        Ok(told)
    }
}

/// Returns the first word of a statement, in capitals, behind blanks, comments and brackets.
fn verb(sql: &str) -> String {
    let mut rest = sql;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '(');
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.split_once('\n').map_or("", |(_, behind)| behind);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, behind)| behind);
        } else {
            let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
            return rest[..end].to_ascii_uppercase();
        }
    }
}

fn check_verb(verb: &str, is_query: bool) -> Result<()> {
    let is_of = |verbs: &[&str]| verbs.contains(&verb);
    if verb.is_empty() {
        return Err(Error::invalid("sql has no statement"));
    }
    if is_of(&ASKS) || !is_query && (is_of(&WRITES) || is_of(&SHAPES)) {
        return Ok(());
    }
    if is_query && is_of(&WRITES) {
        return Err(Error::invalid("sql writes, where only a query is allowed"));
    }
    Err(Error::invalid(format!(
        "sql begins with {verb:?}: it may be a query, INSERT, UPDATE, DELETE, MERGE, or CREATE, ALTER and DROP"
    )))
}

fn listed(params: &SqlParams) -> Result<Vec<&SqlValue>> {
    match params {
        SqlParams::Listed(values) => Ok(values.iter().collect()),
        SqlParams::Named(values) if values.is_empty() => Ok(Vec::new()),
        SqlParams::Named(_) => Err(Error::Unsupported(
            "params is an object: parameters of PostgreSQL are $1, $2 and so on, give a list"
                .into(),
        )),
    }
}

impl Param for SqlValue {
    fn text(&self) -> Option<String> {
        match self {
            SqlValue::Null => None,
            SqlValue::Integer(number) => number.text(),
            SqlValue::Real(number) if number.is_infinite() => {
                Some(if *number > 0.0 { "Infinity" } else { "-Infinity" }.into())
            }
            SqlValue::Real(number) => Some(number.to_string()),
            SqlValue::Text(text) => text.text(),
            SqlValue::Blob(bytes) => bytes.text(),
        }
    }
}

/// Says that the time is over.
fn late() -> Error {
    Error::TooBig("sql ran for longer than its time-out allows".into())
}

/// Reads what went wrong with a statement of the host's as an error of the host's, where it is one.
fn map(fault: Fault) -> Error {
    let text = fault.text.clone();
    match fault.state.get(..2) {
        _ if fault.state == "57014" => late(),
        _ if fault.state == "25006" => Error::invalid("sql writes, where only a query is allowed"),
        _ if fault.state == "42601" && text.contains("multiple commands") => {
            Error::invalid("sql has more than one statement")
        }
        Some("23" | "44") => Error::conflict(text),
        Some("54") => Error::TooBig(text.into()),
        Some(
            "08" | "0A" | "20" | "21" | "22" | "25" | "26" | "2B" | "34" | "38" | "39" | "42"
            | "P0",
        ) => Error::invalid(text),
        _ => errors::map(&fault),
    }
}

/// Reads an answer, within its bounds.
fn read(answer: &Answer, bounds: SqlBounds) -> Result<SqlAnswer> {
    let (columns, kinds) = (0..answer.columns()).map(|at| answer.column(at)).unzip();
    let kinds: Vec<u32> = kinds;
    let mut told = SqlAnswer { columns, rows: Vec::new(), has_more: false, bytes: 0, changes: 0 };
    for at in 0..answer.rows() {
        if told.rows.len() >= bounds.rows_max as usize || told.bytes > bounds.bytes_max {
            told.has_more = true;
            break;
        }
        let row = Row::new(answer, at);
        let (mut values, mut bytes) = (Vec::with_capacity(kinds.len()), 0);
        for (column, kind) in kinds.iter().enumerate() {
            let text = row.text(column)?;
            bytes += text.map_or(8, |text| text.len().max(8));
            if bytes > SQL_BYTES {
                let sentence =
                    format!("a row has more than {SQL_BYTES} bytes: ask for parts of it");
                return Err(Error::TooBig(sentence.into()));
            }
            values.push(text.map_or(SqlValue::Null, |text| value(text, *kind)));
        }
        told.bytes += bytes;
        told.rows.push(values);
    }
    Ok(told)
}

/// Reads a value of a type that the server knows by this number. What has no form of ours is text, as
/// numbers are that no double holds.
fn value(text: &str, kind: u32) -> SqlValue {
    let plain = || SqlValue::Text(text.to_owned());
    match kind {
        // bool
        16 => SqlValue::Integer((text == "t").into()),
        // bytea
        17 => super::value::Column::read(text).map_or_else(plain, SqlValue::Blob),
        // int8, int2, int4, oid; numeric
        20 | 21 | 23 | 26 | 1700 => text.parse().map_or_else(|_| plain(), SqlValue::Integer),
        // float4, float8
        700 | 701 => match text.parse::<f64>() {
            Ok(number) if !number.is_nan() => SqlValue::Real(number),
            _ => plain(),
        },
        _ => plain(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_is_found_behind_what_does_not_count() {
        assert_eq!(verb(" -- a\n /* b */ (select 1)"), "SELECT");
        assert_eq!(verb("COMMIT"), "COMMIT");
        assert_eq!(verb("-- nothing"), "");
        assert!(check_verb("SELECT", true).is_ok() && check_verb("INSERT", false).is_ok());
        for (verb, is_query) in [("INSERT", true), ("COMMIT", false), ("", false), ("SET", false)] {
            assert_eq!(check_verb(verb, is_query).unwrap_err().code(), -2, "{verb}");
        }
    }

    #[test]
    fn values_are_read_by_their_types() {
        assert_eq!(value("12", 1700), SqlValue::Integer(12));
        assert_eq!(value("12.50", 1700), SqlValue::Text("12.50".into()));
        assert_eq!(value("t", 16), SqlValue::Integer(1));
        assert_eq!(value("\\x00ff", 17), SqlValue::Blob(vec![0, 255]));
        assert_eq!(value("-Infinity", 701), SqlValue::Real(f64::NEG_INFINITY));
        assert_eq!(value("NaN", 701), SqlValue::Text("NaN".into()));
        assert_eq!(value("2026-01-01", 1082), SqlValue::Text("2026-01-01".into()));
    }

    #[test]
    fn faults_of_the_hosts_statements_are_the_hosts() {
        for (state, code) in [
            ("23505", -23),
            ("42P01", -2),
            ("22012", -2),
            ("57014", -5),
            ("08P01", -2),
            ("53100", -42),
        ] {
            let fault = Fault { state: state.into(), text: "x".into() };
            assert_eq!(map(fault).code(), code, "{state}");
        }
    }
}
