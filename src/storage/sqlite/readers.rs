//! Read connections: opened when first needed, lent for one short transaction, never waiting for a
//! writer.

use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::migrate::Seen;
use super::open;
use super::place::{self, is_missing};
use super::tx::Tx;
use super::writer::Writer;
use super::{map, os, vfs};
use crate::error::{Error, Result};
use crate::limits::LOOKS_MAX;

/// The read connections of one handle.
pub struct Readers {
    path: PathBuf,
    /// The file of a handle that only reads, by device and number: there nobody else watches it.
    watched: Option<(u64, u64)>,
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
    /// Whether it is good only until somebody opens the file for writing.
    reads_alone: bool,
}

impl Readers {
    /// Makes a pool of at most `max` connections, with none open yet. `watched` is the file of a handle
    /// that only reads.
    pub fn new(
        path: PathBuf,
        watched: Option<(u64, u64)>,
        busy_timeout_ms: u32,
        max: u32,
    ) -> Readers {
        let pool = Mutex::default();
        Readers { path, watched, busy_timeout_ms, max, pool, freed: Condvar::new() }
    }

    /// Runs `work` in a read transaction; once more when what it read may be torn or old by now.
    pub fn read<T>(
        &self,
        is_schema_free: bool,
        mut work: impl FnMut(&mut Tx<'_>) -> Result<T>,
    ) -> Result<T> {
        for _ in 0..LOOKS_MAX {
            self.watch()?;
            // Put back by its drop, also when `work` panics: a pool must not run dry.
            let mut lent = Lent { readers: self, reader: Some(self.take()?) };
            let Some(reader) = lent.reader.as_mut() else {
                return Err(Error::internal("a reader was lent without a connection"));
            };
            let answer = reader.read(is_schema_free, &mut work);
            if !reader.reads_alone || !has_index(&self.path)? {
                return answer;
            }
            // Somebody has opened the file for writing. The next connection reads as he writes.
            lent.reader = None;
            drop(lent);
            self.forget_idle();
        }
        Err(Error::Busy("the file was opened for writing anew each time it was read".into()))
    }

    /// Fails when the file of a handle that only reads is not the one that was opened.
    fn watch(&self) -> Result<()> {
        let Some(watched) = self.watched else { return Ok(()) };
        match os::identity(&self.path) {
            Ok(found) if (found.dev, found.ino) == watched => return Ok(()),
            Err(error) if !is_missing(&error) => {
                return Err(place::cannot_open(&self.path, &error));
            }
            Ok(_) | Err(_) => {}
        }
        let path = self.path.display();
        Err(Error::WalLost(format!("{path} was removed or replaced while it was open").into()))
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
        let reader = self.connect_one();
        if reader.is_err() {
            self.put_back(None);
        }
        reader
    }

    fn connect_one(&self) -> Result<Reader> {
        let conn = open::connect_reader(&self.path, self.busy_timeout_ms)?;
        let reads_alone = self.watched.is_some() && vfs::reads_alone(&conn)?;
        Ok(Reader { conn, schema: Seen::default(), reads_alone })
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

impl Readers {
    /// Closes the connections that nobody uses.
    fn forget_idle(&self) {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = std::mem::take(&mut pool.idle);
        pool.open -= idle.len() as u32;
        drop(pool);
        self.freed.notify_all();
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
        work: &mut impl FnMut(&mut Tx<'_>) -> Result<T>,
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

/// Returns whether a file has an index of its log, which it has once somebody opened it for writing.
pub fn has_index(path: &Path) -> Result<bool> {
    let index = place::with_suffix(path, "-shm");
    match os::identity(&index) {
        Ok(_) => Ok(true),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(place::cannot_open(&index, &error)),
    }
}

/// Reads a store in memory, which has no connection but the writer's: between two batches.
pub fn read_bench<T>(writer: &Writer, mut work: impl FnMut(&mut Tx<'_>) -> Result<T>) -> Result<T> {
    let mut bench = writer.bench();
    if let Some(refusal) = bench.schema()?.refusal(false) {
        return Err(refusal);
    }
    work(&mut Tx::new(bench.conn()))
}
