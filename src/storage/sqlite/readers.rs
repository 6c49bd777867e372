//! Read connections: opened when first needed, lent for one short transaction, never waiting for a
//! writer.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::conn::Conn;
use super::connect::connect_reader;
use super::host::Host;
use super::migrate::Seen;
use super::path::{self, FileKey};
use super::tx::{self, Look, Tx};
use super::vfs;
use super::writer::Writer;
use crate::error::{Error, Result};
use crate::limits::LOOKS_MAX;
use crate::lock::Unpoisoned;
use crate::os;

/// Takes a look and returns what it has read.
pub fn look<T>(
    read: impl FnOnce(Look<'_>) -> Result<()>,
    mut work: impl FnMut(&mut Tx<'_>) -> Result<T>,
) -> Result<T> {
    let mut kept = None;
    read(&mut |tx| work(tx).map(|value| kept = Some(value)))?;
    kept.ok_or_else(|| Error::internal("a look was not taken"))
}

/// The read connections of one handle.
pub struct Readers {
    path: PathBuf,
    /// Which file it is; `None` for a store in memory. Of a handle that writes the writer watches it.
    key: Option<FileKey>,
    schema: Seen,
    busy_timeout_ms: u32,
    max: u32,
    pool: Mutex<Pool>,
    freed: Condvar,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Reader>,
    open: u32,
    /// Threads that wait for one: to wake nobody is a call into the system as well.
    waiting: u32,
}

struct Reader {
    conn: Conn,
    host: Arc<Host>,
    schema: Seen,
    /// The suffix of a file at whose coming it is no longer good; see `vfs::reads_alone_until`.
    alone_until: Option<&'static str>,
}

impl Readers {
    /// Makes a pool of at most `max` connections, with none open yet.
    pub fn new(
        path: PathBuf,
        key: Option<FileKey>,
        schema: Seen,
        (busy_timeout_ms, max): (u32, u32),
    ) -> Readers {
        let pool = Mutex::default();
        Readers { path, key, schema, busy_timeout_ms, max, pool, freed: Condvar::new() }
    }

    /// Runs `work` in a read transaction; once more when what it read may be torn or old by now.
    pub fn read(&self, is_schema_free: bool, work: Look<'_>) -> Result<()> {
        for _ in 0..LOOKS_MAX {
            if self.is_read_only() {
                self.watch()?;
            }
            // Put back by its drop, also when `work` panics: a pool must not run dry.
            let mut lent = Lent { readers: self, reader: Some(self.take()?) };
            let Some(reader) = lent.reader.as_mut() else {
                return Err(Error::internal("a reader was lent without a connection"));
            };
            rehearse(&self.path, || drop(reader.read(is_schema_free, work)));
            let answer = reader.read(is_schema_free, work);
            if !is_there(&self.path, reader.alone_until)? {
                return answer;
            }
            // Somebody has opened the file for writing. The next connection reads as he writes.
            lent.reader = None;
            drop(lent);
            self.forget_idle();
        }
        Err(Error::Busy("the file was opened for writing anew each time it was read".into()))
    }

    fn is_read_only(&self) -> bool {
        self.key.is_some_and(|(_, _, is_read_only)| is_read_only)
    }

    /// Fails when the path names another file than the one that was opened, or none.
    fn watch(&self) -> Result<()> {
        let Some((dev, ino, _)) = self.key else { return Ok(()) };
        if path::find(&self.path)?.is_some_and(|found| (found.dev, found.ino) == (dev, ino)) {
            return Ok(());
        }
        let path = self.path.display();
        Err(Error::WalLost(format!("{path} was removed or replaced while it was open").into()))
    }

    fn take(&self) -> Result<Reader> {
        let deadline = Instant::now() + Duration::from_millis(self.busy_timeout_ms.into());
        let mut pool = self.pool.lock().unpoisoned();
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
            pool.waiting += 1;
            pool = self.freed.wait_timeout(pool, left).unpoisoned().0;
            pool.waiting -= 1;
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
        let conn = connect_reader(&self.path, self.busy_timeout_ms);
        // By its path, which may name another file by now.
        self.watch()?;
        let mut conn = conn?;
        let alone_until = vfs::reads_alone_until(&conn)?;
        if alone_until.is_some() && !self.is_read_only() {
            let path = self.path.display();
            return Err(Error::WalLost(
                format!("the log of {path} was removed while the store was open").into(),
            ));
        }
        let host = Host::install(&mut conn)?;
        Ok(Reader { conn: Conn::new(conn), host, schema: self.schema.clone(), alone_until })
    }

    fn put_back(&self, reader: Option<Reader>) {
        let mut pool = self.pool.lock().unpoisoned();
        match reader {
            Some(reader) => pool.idle.push(reader),
            None => pool.open -= 1,
        }
        let is_awaited = pool.waiting > 0;
        drop(pool);
        if is_awaited {
            self.freed.notify_one();
        }
    }
}

impl Readers {
    /// Closes the connections that nobody uses.
    fn forget_idle(&self) {
        let mut pool = self.pool.lock().unpoisoned();
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
    /// What its transaction leaves open, its return finds.
    fn read(&mut self, is_schema_free: bool, work: Look<'_>) -> Result<()> {
        tx::look(&self.conn, (&self.host, &self.schema), is_schema_free, work)
    }
}

/// Takes a look that is given up, for tests that have each taken again.
#[cfg(any(test, feature = "fault"))]
fn rehearse(path: &Path, look: impl FnOnce()) {
    if super::fault::is_run_again(path) {
        super::fault::rehearse(path, look);
    }
}

#[cfg(not(any(test, feature = "fault")))]
fn rehearse(_path: &Path, _look: impl FnOnce()) {}

/// Returns whether the file has come that a connection reads without.
pub fn is_there(path: &Path, suffix: Option<&str>) -> Result<bool> {
    let Some(suffix) = suffix else { return Ok(false) };
    path::find(&os::with_suffix(path, suffix)).map(|found| found.is_some())
}

/// Reads a store in memory, which has no connection but the writer's: between two batches.
pub fn read_in_memory(writer: &Writer, work: Look<'_>) -> Result<()> {
    let connection = writer.connection();
    if let Some(refusal) = connection.schema()?.refusal(false) {
        return Err(refusal);
    }
    work(&mut connection.reading())
}
