//! Read connections: opened when first needed, lent for one short transaction, never waiting for a
//! writer.

use std::path::PathBuf;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::map;
use super::migrate::Seen;
use super::open::{self, Access};
use super::tx::Tx;
use super::writer::Writer;
use crate::error::{Error, Result};

/// The read connections of one handle.
pub struct Readers {
    path: PathBuf,
    access: Access,
    busy_timeout_ms: u32,
    max: u32,
    pool: Mutex<Pool>,
    freed: Condvar,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Reader>,
    open: u32,
}

struct Reader {
    conn: Connection,
    schema: Seen,
}

impl Readers {
    /// Makes a pool of at most `max` connections, with none open yet.
    pub fn new(path: PathBuf, access: Access, busy_timeout_ms: u32, max: u32) -> Readers {
        let pool = Mutex::default();
        Readers { path, access, busy_timeout_ms, max, pool, freed: Condvar::new() }
    }

    /// Runs `work` in a read transaction.
    pub fn read<T>(
        &self,
        is_schema_free: bool,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T>,
    ) -> Result<T> {
        // Put back by its drop, also when `work` panics: a pool must not run dry.
        let mut lent = Lent { readers: self, reader: Some(self.take()?) };
        let Some(reader) = lent.reader.as_mut() else {
            return Err(Error::internal("a reader was lent without a connection"));
        };
        reader.read(is_schema_free, work)
    }

    fn take(&self) -> Result<Reader> {
        let deadline = Instant::now() + Duration::from_millis(self.busy_timeout_ms.into());
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(reader) = pool.idle.pop() {
                return Ok(reader);
            }
            if pool.open < self.max {
                pool.open += 1;
                drop(pool);
                return self.connect();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Busy(
                    format!("all {} readers were in use for the whole time-out", self.max).into(),
                ));
            }
            pool = self.freed.wait_timeout(pool, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn connect(&self) -> Result<Reader> {
        let conn = open::connect_reader(&self.path, self.access, self.busy_timeout_ms);
        if conn.is_err() {
            self.put_back(None);
        }
        Ok(Reader { conn: conn?, schema: Seen::default() })
    }

    fn put_back(&self, reader: Option<Reader>) {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        match reader {
            Some(reader) => pool.idle.push(reader),
            None => pool.open -= 1,
        }
        drop(pool);
        self.freed.notify_one();
    }
}

/// A reader on loan.
struct Lent<'pool> {
    readers: &'pool Readers,
    reader: Option<Reader>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        // A reader whose transaction could not be ended is of no more use.
        let reader = self.reader.take().filter(|reader| reader.conn.is_autocommit());
        self.readers.put_back(reader);
    }
}

impl Reader {
    fn read<T>(
        &mut self,
        is_schema_free: bool,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T>,
    ) -> Result<T> {
        let transaction = Transaction::begin(&self.conn)?;
        let schema = self.schema.look(&self.conn)?;
        if let Some(refusal) = schema.refusal(is_schema_free) {
            return Err(refusal);
        }
        let value = work(&mut Tx::new(&self.conn));
        drop(transaction);
        value
    }
}

/// A read transaction that ends when dropped.
struct Transaction<'conn>(&'conn Connection);

impl<'conn> Transaction<'conn> {
    fn begin(conn: &'conn Connection) -> Result<Transaction<'conn>> {
        conn.prepare_cached("BEGIN").and_then(|mut s| s.execute([])).map_err(map)?;
        Ok(Transaction(conn))
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // What a read transaction leaves open, its reader's return finds.
        let _ = self.0.prepare_cached("COMMIT").and_then(|mut s| s.execute([]));
    }
}

/// Reads a store in memory, which has no connection but the writer's: between two batches.
pub fn read_bench<T>(writer: &Writer, work: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
    let mut bench = writer.bench();
    if let Some(refusal) = bench.schema()?.refusal(false) {
        return Err(refusal);
    }
    work(&mut Tx::new(bench.conn()))
}
