//! One transaction as the domain sees it: the traits of the port over a connection.
//!
//! Each topic implements its own trait in its own file, beside its SQL.

use std::time::Instant;

use super::connect::Connection;
use super::flight::Mark;
use super::known::{Known, Trust};
use super::pq::Answer;
use super::records::{self, Guard, Record};
use super::value::{Param, Row};
use crate::domain::news::News;
use crate::domain::port::{Port, RunKey};
use crate::error::{Error, Result};
use crate::id::Id;

/// A transaction that is open on a connection.
pub struct Tx<'conn> {
    pub(super) conn: &'conn mut Connection,
    pub(super) trust: Trust,
    pub(super) known: Known,
    /// The hold that was taken to be so last, whose guard has not been put.
    pub(super) unguarded: Option<Guard>,
    /// Records that wait to be put.
    pub(super) records: Vec<Record>,
    /// A run that it makes.
    pub(super) makes: Option<Id>,
    /// Something was to be asked, and may not be.
    has_asked: bool,
    news: News,
    /// When the time of the host's statements is over.
    pub(super) sql_until: Option<Instant>,
}

impl<'conn> Tx<'conn> {
    /// Wraps a connection on which a transaction is open.
    pub(super) fn new(conn: &'conn mut Connection) -> Tx<'conn> {
        Tx::trusting(conn, Trust::Nothing, Known::default())
    }

    /// Does the same for one that takes things to be so.
    pub(super) fn trusting(conn: &'conn mut Connection, trust: Trust, known: Known) -> Tx<'conn> {
        Tx {
            conn,
            trust,
            known,
            unguarded: None,
            records: Vec::new(),
            makes: None,
            has_asked: false,
            news: News::default(),
            sql_until: None,
        }
    }

    /// Returns a moment to which what waits to be sent can be taken back.
    pub(super) fn mark(&self) -> (Mark, News, usize) {
        (self.conn.mark(), self.news, self.records.len())
    }

    /// Takes back what was put since; `false` if something of it was sent.
    pub(super) fn forget(&mut self, (mark, news, records): &(Mark, News, usize)) -> bool {
        self.news = *news;
        self.records.truncate(*records);
        self.unguarded = None;
        if self.trust != Trust::Everything {
            self.known = Known::default();
        }
        self.conn.forget(mark)
    }

    /// Returns whether something was to be asked since the last call that may not be.
    pub(super) fn has_asked(&mut self) -> bool {
        self.conn.has_asked() | std::mem::take(&mut self.has_asked)
    }

    /// Runs a statement behind those that wait, and waits for its answer.
    fn ask(&mut self, sql: &str, params: &[&dyn Param]) -> Result<Answer> {
        self.meet(sql)?;
        self.conn.run(sql, params)
    }

    /// Refuses a statement where nothing is asked; forgets what it may change.
    fn meet(&mut self, sql: &str) -> Result<()> {
        self.refuse_light()?;
        self.known.meet(sql);
        Ok(())
    }

    fn refuse_light(&mut self) -> Result<()> {
        if self.trust == Trust::Everything {
            self.has_asked = true;
            return Err(Error::internal("a light call asked for more than its hold"));
        }
        Ok(())
    }

    /// Has statements run together, and waits for what each answers.
    pub(super) fn ask_all(&mut self, questions: &[(&str, &[&dyn Param])]) -> Result<Vec<Answer>> {
        for (sql, params) in questions {
            self.meet(sql)?;
            self.conn.put_whole(sql, params)?;
        }
        let mut answers = self.conn.fly()?;
        Ok(answers.split_off(answers.len().saturating_sub(questions.len())))
    }

    /// Has a statement run, as [`Tx::put`] does, that makes rows of new keys, in which nobody is in the way.
    pub(super) fn put_new(&mut self, sql: &str, params: &[&dyn Param]) -> Result<()> {
        if self.trust != Trust::Everything {
            return self.put(sql, params);
        }
        self.guard()?;
        self.conn.put(sql, params)
    }

    /// Puts the records that wait.
    pub(super) fn put_records(&mut self) -> Result<()> {
        records::put(self.conn, &std::mem::take(&mut self.records))
    }

    /// Puts a record of this run that waits, before its task is written: it goes by how that was.
    pub(super) fn put_record_of(&mut self, run_key: RunKey) -> Result<()> {
        let is_own = |record: &mut Record| record.run_key == run_key;
        let own = self.records.pop_if(is_own);
        own.map_or(Ok(()), |own| records::put(self.conn, &[own]))
    }

    /// Has a statement run, as [`Tx::put_of`] does, that ends the run.
    pub(super) fn put_end(
        &mut self,
        run_key: RunKey,
        sql: &str,
        params: &[&dyn Param],
    ) -> Result<()> {
        self.put_record_of(run_key)?;
        self.guard()?;
        self.known.meet_task(run_key);
        self.conn.put(sql, params)
    }

    /// Has a statement run, as [`Tx::put`] does, that writes the task of this run and no other row.
    pub(super) fn put_of(
        &mut self,
        run_key: RunKey,
        sql: &str,
        params: &[&dyn Param],
    ) -> Result<()> {
        self.refuse_light()?;
        self.known.meet_task(run_key);
        self.conn.put(sql, params)
    }

    /// Has a statement run that is sent with what comes next: nobody asks how many rows it changed.
    pub(super) fn put(&mut self, sql: &str, params: &[&dyn Param]) -> Result<()> {
        self.meet(sql)?;
        self.conn.put(sql, params)
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
        Ok(self.ask(sql, params)?.changed())
    }

    /// Returns the first row, if there is one.
    pub(super) fn row_opt<T>(
        &mut self,
        sql: &str,
        params: &[&dyn Param],
        read: impl FnOnce(Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let answer = self.ask(sql, params)?;
        if answer.rows() == 0 { Ok(None) } else { read(Row::new(&answer, 0)).map(Some) }
    }

    /// Returns all rows.
    pub(super) fn rows<T>(
        &mut self,
        sql: &str,
        params: &[&dyn Param],
        mut read: impl FnMut(Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let answer = self.ask(sql, params)?;
        (0..answer.rows()).map(|at| read(Row::new(&answer, at))).collect()
    }
}

impl Port for Tx<'_> {
    fn tell(&mut self, news: News) {
        self.news = self.news.and(news);
    }
}
