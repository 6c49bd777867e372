//! A connection, and the statements of ours that were prepared on it.
//!
//! rusqlite's own cache knows a statement by its text, which it hashes, compares and copies at each use: an
//! eighth of what a step costs. Texts of ours are constants, and known by where they stand.

#![allow(unsafe_code, reason = "statements stand beside the connection that they refer to")]

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use rusqlite::{Connection, PrepFlags, Statement};

use super::errors::map;
use crate::error::Result;

const PERSISTENT: PrepFlags = PrepFlags::SQLITE_PREPARE_PERSISTENT;

/// A connection that keeps its statements.
pub struct Conn {
    /// In the order of their places; `None` while one is in use.
    kept: RefCell<Vec<(Place, Option<Statement<'static>>)>>,
    /// Made of a box, and given back when the statements are gone.
    conn: NonNull<Connection>,
}

/// Where a text stands. A constant of which the compiler made two is prepared twice, and no harm done.
type Place = (usize, usize);

// SAFETY: what is not `Send` of it is what refers to the connection, and all of that moves with it: a
// statement that is lent borrows the whole.
unsafe impl Send for Conn {}

impl Conn {
    /// Takes a connection.
    pub fn new(conn: Connection) -> Conn {
        Conn { kept: RefCell::default(), conn: NonNull::from(Box::leak(Box::new(conn))) }
    }

    /// Returns a statement, prepared the first time that it is asked for.
    pub fn ready(&self, sql: &'static str) -> Result<Ready<'_>> {
        let place = (sql.as_ptr() as usize, sql.len());
        let statement = match self.take(place) {
            Some(statement) => statement,
            // Persistent: else those that are kept fill the memory that those at work are quick with.
            None => self.lasting().prepare_with_flags(sql, PERSISTENT).map_err(map)?,
        };
        Ok(Ready { conn: self, place, statement: ManuallyDrop::new(statement) })
    }

    /// Returns the connection alone, for tests that hook something into it.
    #[cfg(test)]
    pub fn alone(mut self) -> Connection {
        drop(std::mem::take(self.kept.get_mut()));
        let conn = ManuallyDrop::new(self).conn;
        // SAFETY: it was made of a box, once, and what would give that back is not dropped.
        *unsafe { Box::from_raw(conn.as_ptr()) }
    }

    /// Runs a statement that has no parameters and no rows.
    pub fn run(&self, sql: &'static str) -> Result<()> {
        self.ready(sql)?.execute([]).map(drop).map_err(map)
    }

    fn take(&self, place: Place) -> Option<Statement<'static>> {
        let mut kept = self.kept.borrow_mut();
        let at = kept.binary_search_by_key(&place, |(known, _)| *known).ok()?;
        kept[at].1.take()
    }

    /// Keeps a statement; one that was prepared beside another of its text, as both were in use, goes.
    fn keep(&self, place: Place, statement: Statement<'static>) {
        let mut kept = self.kept.borrow_mut();
        match kept.binary_search_by_key(&place, |(known, _)| *known) {
            Ok(at) => kept[at].1 = Some(statement),
            Err(at) => kept.insert(at, (place, Some(statement))),
        }
    }

    /// Returns the connection for what is kept beside it, and goes before it.
    fn lasting(&self) -> &'static Connection {
        // SAFETY: it was made of a box, and nobody gives that back while there is a statement.
        unsafe { self.conn.as_ref() }
    }
}

impl Deref for Conn {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.lasting()
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.kept.get_mut().clear();
        // SAFETY: it was made of a box, once, and nothing refers to it any more.
        drop(unsafe { Box::from_raw(self.conn.as_ptr()) });
    }
}

/// A statement on loan. What was bound to it is forgotten when it is given back: it may be large.
pub struct Ready<'conn> {
    conn: &'conn Conn,
    place: Place,
    statement: ManuallyDrop<Statement<'static>>,
}

impl<'conn> Deref for Ready<'conn> {
    type Target = Statement<'conn>;

    fn deref(&self) -> &Statement<'conn> {
        &self.statement
    }
}

impl<'conn> DerefMut for Ready<'conn> {
    fn deref_mut(&mut self) -> &mut Statement<'conn> {
        // SAFETY: a lifetime that is shorter, and nobody puts another statement in its place.
        unsafe { &mut *(&raw mut *self.statement).cast::<Statement<'conn>>() }
    }
}

impl Drop for Ready<'_> {
    fn drop(&mut self) {
        // SAFETY: it is taken here, once.
        let mut statement = unsafe { ManuallyDrop::take(&mut self.statement) };
        statement.clear_bindings();
        self.conn.keep(self.place, statement);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A constant may stand in several places, and is then several texts.
    static ONE: &str = "SELECT ?1";

    fn in_memory() -> Conn {
        Conn::new(Connection::open_in_memory().unwrap())
    }

    fn prepared(conn: &Conn) -> usize {
        conn.kept.borrow().iter().filter(|(_, kept)| kept.is_some()).count()
    }

    #[test]
    fn a_statement_is_prepared_once_and_forgets_what_was_bound() {
        let conn = in_memory();
        let answer = |conn: &Conn| -> Option<String> {
            conn.ready(ONE).unwrap().raw_query().next().unwrap().unwrap().get(0).unwrap()
        };
        conn.ready(ONE).unwrap().query_row(["text"], |_| Ok(())).unwrap();
        assert_eq!(answer(&conn), None);
        assert_eq!(prepared(&conn), 1);
    }

    #[test]
    fn a_statement_in_use_is_prepared_beside_itself() {
        let conn = in_memory();
        let mut outer = conn.ready(ONE).unwrap();
        let mut rows = outer.query([1]).unwrap();
        assert!(rows.next().unwrap().is_some());
        let inner: i64 = conn.ready(ONE).unwrap().query_row([2], |row| row.get(0)).unwrap();
        assert_eq!((inner, rows.next().unwrap().is_none()), (2, true));
        drop(rows);
        drop(outer);
        assert_eq!(prepared(&conn), 1);
    }

    #[test]
    fn what_cannot_be_prepared_is_asked_for_again() {
        let conn = in_memory();
        const LATER: &str = "SELECT * FROM later";
        assert!(conn.ready(LATER).is_err());
        conn.execute_batch("CREATE TABLE later (a)").unwrap();
        assert!(conn.ready(LATER).is_ok());
    }

    #[test]
    fn a_connection_moves_with_its_statements() {
        let conn = in_memory();
        conn.run("BEGIN").unwrap();
        let moved = std::thread::spawn(move || {
            conn.run("COMMIT").unwrap();
            conn
        });
        moved.join().unwrap().run("BEGIN").unwrap();
    }
}
