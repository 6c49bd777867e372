//! One transaction as the domain sees it: the traits of the port over a connection.
//!
//! Each topic implements its own trait in its own file, beside its SQL.

use std::time::Instant;

use super::connect::Connection;
use super::value::{Param, Row};
use crate::domain::news::News;
use crate::domain::port::Port;
use crate::error::Result;

/// A transaction that is open on a connection.
pub struct Tx<'conn> {
    pub(super) conn: &'conn mut Connection,
    news: News,
    /// When the time of the host's statements is over.
    pub(super) sql_until: Option<Instant>,
}

impl<'conn> Tx<'conn> {
    /// Wraps a connection on which a transaction is open.
    pub(super) fn new(conn: &'conn mut Connection) -> Tx<'conn> {
        Tx { conn, news: News::default(), sql_until: None }
    }

    /// Returns what the transaction is to tell others once it is committed.
    pub(super) fn news(&self) -> News {
        self.news
    }

    /// Returns a key that is greater than all that this process made, in the order of the server's time.
    pub(super) fn new_key(&mut self) -> i64 {
        self.conn.new_key()
    }

    /// Runs a statement and returns how many rows it changed. `$schema.` in its text stands before each
    /// name of a table.
    pub(super) fn exec(&mut self, sql: &str, params: &[&dyn Param]) -> Result<usize> {
        Ok(self.conn.run(sql, params)?.changed())
    }

    /// Returns the first row, if there is one.
    pub(super) fn row_opt<T>(
        &mut self,
        sql: &str,
        params: &[&dyn Param],
        read: impl FnOnce(Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let answer = self.conn.run(sql, params)?;
        if answer.rows() == 0 { Ok(None) } else { read(Row::new(&answer, 0)).map(Some) }
    }

    /// Returns all rows.
    pub(super) fn rows<T>(
        &mut self,
        sql: &str,
        params: &[&dyn Param],
        mut read: impl FnMut(Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let answer = self.conn.run(sql, params)?;
        (0..answer.rows()).map(|at| read(Row::new(&answer, at))).collect()
    }
}

impl Port for Tx<'_> {
    fn tell(&mut self, news: News) {
        self.news = self.news.and(news);
    }
}
