//! One transaction as the domain sees it: the traits of the port over a connection.
//!
//! Each topic implements its own trait in its own file, beside its SQL.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Instant;

use rusqlite::{OptionalExtension, Params, Row, Statement, ToSql};

use super::conn::{Conn, Ready};
use super::errors::map;
use super::host::Host;
use super::migrate::Seen;
use crate::domain::news::News;
use crate::domain::port::{LaneKey, Port, RunKey};
use crate::error::Result;

/// What is done in a read transaction. It keeps what it has read: the ways there are compiled once for all.
pub type Look<'work> = &'work mut dyn FnMut(&mut Tx<'_>) -> Result<()>;

/// Where a run stands in the order of claims: priority, due time, key.
pub(super) type Place = (i64, i64, RunKey);

/// A transaction that is open on a connection.
pub struct Tx<'conn> {
    pub(super) conn: &'conn Conn,
    /// Lanes that this transaction has looked up, and before which place none of their runs is ready.
    pub(super) reached: RefCell<BTreeMap<LaneKey, Place>>,
    /// Lanes that it has looked up, and the block that has their marks.
    pub(super) marked: RefCell<BTreeMap<LaneKey, Option<i64>>>,
    /// When the newest run of all was submitted, once it has looked.
    pub(super) newest_at_ms: Cell<Option<i64>>,
    news: News,
    /// What keeps statements of the host's within bounds; `None` where none may run.
    pub(super) host: Option<&'conn Host>,
    /// What the connections on the file know of its schema.
    pub(super) seen: Option<&'conn Seen>,
    /// When the time of the host's statements is over.
    pub(super) sql_until: Option<Instant>,
    /// How many statements it has run.
    #[cfg(test)]
    pub(super) statements: Cell<u32>,
}

impl<'conn> Tx<'conn> {
    /// Wraps a connection on which a transaction is open.
    pub fn new(conn: &'conn Conn) -> Tx<'conn> {
        Tx {
            conn,
            reached: RefCell::default(),
            marked: RefCell::default(),
            newest_at_ms: Cell::new(None),
            news: News::default(),
            host: None,
            seen: None,
            sql_until: None,
            #[cfg(test)]
            statements: Cell::new(0),
        }
    }

    /// Wraps such a connection of a store, on which the host's own statements may run, too.
    pub fn hosting(conn: &'conn Conn, host: &'conn Host, seen: &'conn Seen) -> Tx<'conn> {
        Tx { host: Some(host), seen: Some(seen), ..Tx::new(conn) }
    }

    /// Returns the connection.
    pub fn conn(&self) -> &'conn Conn {
        self.conn
    }

    /// Returns what the transaction is to tell others once it is committed.
    pub fn news(&self) -> News {
        self.news
    }

    /// Returns a statement, prepared once per connection.
    pub(super) fn prepare(&self, sql: &'static str) -> Result<Ready<'conn>> {
        self.meet_statement();
        self.conn.ready(sql)
    }

    /// Returns a statement whose text is another each time, so that it is not kept.
    pub(super) fn prepare_once(&self, sql: &str) -> Result<Statement<'conn>> {
        self.meet_statement();
        self.conn.prepare(sql).map_err(map)
    }

    /// Has tests count, and fail, statements.
    fn meet_statement(&self) {
        #[cfg(test)]
        self.statements.set(self.statements.get() + 1);
        #[cfg(any(test, feature = "fault"))]
        super::fault::meet_statement();
    }

    /// Runs a statement and returns how many rows it changed.
    pub(super) fn execute(&self, sql: &'static str, params: impl Params) -> Result<usize> {
        self.prepare(sql)?.execute(params).map_err(map)
    }

    /// Runs a statement whose parameters are given in its order, and returns how many rows it changed. To
    /// look for each by its name was an eighth of what a submit costs.
    pub(super) fn execute_in_order<'value>(
        &self,
        sql: &'static str,
        params: impl Iterator<Item = &'value (&'value str, &'value dyn ToSql)>,
    ) -> Result<usize> {
        let mut statement = self.prepare(sql)?;
        let mut bound = 0;
        for (name, value) in params {
            bound += 1;
            debug_assert_eq!(statement.parameter_name(bound), Some(*name), "{sql}");
            statement.raw_bind_parameter(bound, value).map_err(map)?;
        }
        debug_assert_eq!(bound, statement.parameter_count(), "{sql}");
        statement.raw_execute().map_err(map)
    }

    /// Runs an insert and returns the key of the new row.
    pub(super) fn insert(&self, sql: &'static str, params: impl Params) -> Result<i64> {
        self.prepare(sql)?.insert(params).map_err(map)
    }

    /// Returns the first row, if there is one.
    pub(super) fn one<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        self.prepare(sql)?.query_row(params, read).optional().map_err(map)
    }

    /// Returns all rows.
    pub(super) fn all<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let mut statement = self.prepare(sql)?;
        let rows = statement.query_map(params, read).map_err(map)?;
        rows.collect::<rusqlite::Result<Vec<T>>>().map_err(map)
    }
}

/// Takes a look in a read transaction, which may stay open where it cannot be ended.
pub(super) fn look(
    conn: &Conn,
    (host, seen): (&Host, &Seen),
    is_schema_free: bool,
    work: Look<'_>,
) -> Result<()> {
    let reading = Reading::begin(conn)?;
    let seen_now = seen.look(conn)?;
    if let Some(refusal) = seen_now.refusal(is_schema_free) {
        return Err(refusal);
    }
    let answer = work(&mut Tx::hosting(conn, host, seen));
    drop(reading);
    answer
}

/// A read transaction that ends when dropped.
struct Reading<'conn>(&'conn Conn);

impl<'conn> Reading<'conn> {
    fn begin(conn: &'conn Conn) -> Result<Reading<'conn>> {
        conn.run("BEGIN")?;
        Ok(Reading(conn))
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        // What stays open is found by who has the connection next.
        let _ = self.0.run("COMMIT");
    }
}

/// Returns keys as a statement takes them, of which there are any number.
pub(super) fn list(keys: &[i64]) -> String {
    let keys: Vec<String> = keys.iter().map(i64::to_string).collect();
    format!("[{}]", keys.join(","))
}

impl Port for Tx<'_> {
    fn tell(&mut self, news: News) {
        self.news = self.news.and(news);
    }
}
