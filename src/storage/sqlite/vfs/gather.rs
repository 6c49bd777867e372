//! Frames of a log, gathered so that a commit is written at once.
//!
//! SQLite writes the header of a frame, and then its page: two calls into the system for each. Here what
//! goes on where the last write ended is held back, until the page of the frame that commits: its write
//! has all of it written, and its answer is that of all. SQLite tells others of frames only after that
//! answer, so nobody is told of what is not in the log.
//!
//! Whatever else is done with the log meanwhile has what is held written first. What is still held when
//! the lock on writing goes was rolled back: it is let go, since others may write at that place from then
//! on.

use std::ffi::c_int;

use rusqlite::ffi;

/// Bytes of a frame's header; no page has so few.
const HEADER_BYTES: usize = 24;
/// Where a header has the size of the database after the commit; 0 where the frame does not commit.
const COMMIT: std::ops::Range<usize> = 4..8;
/// What is held at most, but for one write.
const HELD_MAX: usize = 64 << 10;

/// What is to be done about a write.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing yet.
    Hold,
    /// All that is held is to be written, this write among it.
    WriteHeld,
    /// All that is held is to be written, and then this.
    WriteThrough,
}

/// What is held back of one connection's log.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    held: Vec<u8>,
    /// Where what is held begins in the log.
    at: i64,
    /// Where the last write ended, for as long as it was a good one.
    end: Option<i64>,
    /// Whether the frame that was begun last commits.
    commits: bool,
}

impl Gathered {
    /// Takes a write.
    pub(super) fn take(&mut self, bytes: &[u8], offset: i64) -> Next {
        let goes_on = self.end == Some(offset);
        self.end = Some(offset + bytes.len() as i64);
        let is_header = bytes.len() == HEADER_BYTES;
        if is_header {
            self.commits = bytes[COMMIT] != [0; 4];
        }
        if !goes_on || !self.hold(bytes, offset) {
            return Next::WriteThrough;
        }
        match !is_header && self.commits || self.held.len() >= HELD_MAX {
            true => Next::WriteHeld,
            false => Next::Hold,
        }
    }

    /// Returns whether there was memory for it.
    fn hold(&mut self, bytes: &[u8], offset: i64) -> bool {
        if self.held.try_reserve(bytes.len()).is_err() {
            return false;
        }
        if self.held.is_empty() {
            self.at = offset;
        }
        self.held.extend_from_slice(bytes);
        true
    }

    /// Has what is held written. If that fails, it is gone: SQLite rolls back.
    pub(super) fn write_with(
        &mut self,
        write: impl FnOnce(&[u8], i64) -> (c_int, c_int),
    ) -> (c_int, c_int) {
        if self.held.is_empty() {
            return (ffi::SQLITE_OK, 0);
        }
        let (code, errno) = write(&self.held, self.at);
        self.held.clear();
        if code != ffi::SQLITE_OK {
            self.end = None;
        }
        (code, errno)
    }

    /// Lets go of what was rolled back.
    pub(super) fn let_go(&mut self) {
        self.held.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::sqlite::fault::{self, Fault, FileKind, Operation};
    use crate::storage::sqlite::vfs::layer;
    use rusqlite::{Connection, OpenFlags};
    use std::path::{Path, PathBuf};
    use tempfile::TempDir;

    fn header(commits: bool) -> Vec<u8> {
        let mut header = vec![1; HEADER_BYTES];
        header[COMMIT].copy_from_slice(&u32::to_be_bytes(if commits { 258 } else { 0 }));
        header
    }

    /// A log that is gathered beside one that is not.
    #[derive(Default)]
    struct Logs {
        gathered: Gathered,
        real: Vec<u8>,
        wanted: Vec<u8>,
        writes: usize,
    }

    fn put(log: &mut Vec<u8>, bytes: &[u8], at: usize) {
        log.resize(log.len().max(at + bytes.len()), 0);
        log[at..at + bytes.len()].copy_from_slice(bytes);
    }

    impl Logs {
        fn write_held(&mut self) {
            let (real, writes) = (&mut self.real, &mut self.writes);
            let (code, _) = self.gathered.write_with(|held, at| {
                *writes += 1;
                put(real, held, at as usize);
                (ffi::SQLITE_OK, 0)
            });
            assert_eq!(code, ffi::SQLITE_OK);
        }

        fn write(&mut self, bytes: &[u8], at: usize) -> Next {
            put(&mut self.wanted, bytes, at);
            let next = self.gathered.take(bytes, at as i64);
            if next != Next::Hold {
                self.write_held();
            }
            if next == Next::WriteThrough {
                self.writes += 1;
                put(&mut self.real, bytes, at);
            }
            next
        }

        /// Writes frames one behind the other, the last of which commits.
        fn commit(&mut self, frames: usize) {
            for frame in 1..=frames {
                let commits = frame == frames;
                self.write(&header(commits), self.wanted.len());
                self.write(&vec![frame as u8; 4096], self.wanted.len());
                assert!(!commits || self.real == self.wanted, "told of what is not written");
            }
        }
    }

    #[test]
    fn a_commit_is_one_write_and_whole_once_it_is_answered() {
        let mut logs = Logs::default();
        logs.write(&[0; 32], 0);
        for frames in [1, 2, 15] {
            let before = logs.writes;
            logs.commit(frames);
            assert_eq!(logs.writes, before + 1, "{frames}");
        }
        logs.commit(100);
        assert!(logs.gathered.held.capacity() < 2 * HELD_MAX + 8192);
    }

    /// Checksums that are written anew are headers without a page, the commit's among them.
    #[test]
    fn what_does_not_go_on_where_the_last_write_ended_is_written_through() {
        let mut logs = Logs::default();
        logs.write(&[0; 32], 0);
        logs.commit(3);
        for frame in 0..3 {
            let at = 32 + frame * (HEADER_BYTES + 4096);
            assert_eq!(logs.write(&header(frame == 2), at), Next::WriteThrough);
            assert_eq!(logs.real, logs.wanted);
        }
        logs.commit(1);
    }

    #[test]
    fn what_fails_is_gone_and_what_was_rolled_back_as_well() {
        let mut gathered = Gathered::default();
        assert_eq!(gathered.take(&[0; 32], 0), Next::WriteThrough);
        assert_eq!(gathered.take(&header(true), 32), Next::Hold);
        assert_eq!(gathered.take(&[7; 4096], 56), Next::WriteHeld);
        let failed = (ffi::SQLITE_FULL, 28);
        assert_eq!(gathered.write_with(|_, _| failed), failed);
        assert_eq!(gathered.write_with(|_, _| failed), (ffi::SQLITE_OK, 0));
        assert_eq!(gathered.take(&header(false), 32), Next::WriteThrough);
        assert_eq!(gathered.take(&[7; 4096], 56), Next::Hold);
        gathered.let_go();
        assert_eq!(gathered.write_with(|_, _| failed), (ffi::SQLITE_OK, 0));
    }

    // -------------------------------------------------------------------------------------------
    // Under SQLite

    fn connect(path: &Path) -> Connection {
        layer::register().unwrap();
        let flags = OpenFlags::default();
        let connection = Connection::open_with_flags_and_vfs(path, flags, layer::NAME).unwrap();
        connection.execute_batch("PRAGMA synchronous = NORMAL; PRAGMA cache_size = 10").unwrap();
        connection
    }

    fn store() -> (TempDir, PathBuf, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let connection = connect(&path);
        connection.pragma_update(None, "journal_mode", "wal").unwrap();
        connection.execute_batch("CREATE TABLE t (a, b)").unwrap();
        (folder, path, connection)
    }

    /// Adds so many rows, four to a page.
    fn add(connection: &Connection, rows: i64) -> rusqlite::Result<()> {
        connection.execute_batch(&format!(
            "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
            INSERT INTO t SELECT i, zeroblob(1000) FROM n"
        ))
    }

    /// Numbers of rows whose pages do not all stay in memory: those that leave it are all held, some are,
    /// and of many most are written.
    const MANY: [i64; 4] = [50, 70, 90, 300];

    fn rows(connection: &Connection) -> i64 {
        let check: String =
            connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(check, "ok");
        connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
    }

    fn log_writes(path: &Path) -> u32 {
        fault::count(path, FileKind::Wal, Operation::Write)
    }

    #[test]
    fn a_small_transaction_writes_to_the_log_once() {
        let (_folder, path, connection) = store();
        connection.execute_batch("CREATE INDEX by_a ON t (a)").unwrap();
        for row in 0..5 {
            let before = log_writes(&path);
            connection.execute("INSERT INTO t VALUES (?1, 'x')", [row]).unwrap();
            assert_eq!(log_writes(&path), before + 1);
        }
    }

    /// Pages that were written before the end are read again, written over and rolled back to a
    /// savepoint, and their checksums made anew.
    #[test]
    fn a_transaction_that_writes_pages_early_is_whole_for_whoever_reads_it() {
        let (_folder, path, connection) = store();
        let other = connect(&path);
        let mut sum = 0;
        for many in MANY {
            connection.execute_batch("BEGIN IMMEDIATE; SAVEPOINT s").unwrap();
            add(&connection, many).unwrap();
            assert_eq!(rows(&connection), sum + many);
            connection.execute_batch("ROLLBACK TO s").unwrap();
            add(&connection, many).unwrap();
            connection.execute_batch("UPDATE t SET b = zeroblob(999) WHERE a % 3 = 0").unwrap();
            assert_eq!((rows(&connection), rows(&other)), (sum + many, sum));
            connection.execute_batch("COMMIT").unwrap();
            sum += many;
            assert_eq!((rows(&other), rows(&connection)), (sum, sum));
        }
    }

    /// What one connection holds of a transaction that was rolled back stands where another writes next.
    #[test]
    fn what_was_rolled_back_is_never_written_over_what_others_wrote() {
        let (_folder, path, connection) = store();
        let other = connect(&path);
        for (round, many) in (1..).zip(MANY) {
            // What a rollback reads again stands in the database then: else it has what is held written.
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
            connection.execute_batch("BEGIN IMMEDIATE").unwrap();
            add(&connection, many).unwrap();
            connection.execute_batch("ROLLBACK").unwrap();
            other.execute_batch("INSERT INTO t VALUES (1, 'x')").unwrap();
            connection.execute_batch("INSERT INTO t VALUES (2, 'y')").unwrap();
            assert_eq!((rows(&connection), rows(&other)), (2 * round, 2 * round));
        }
        drop((connection, other));
        assert_eq!(rows(&connect(&path)), 2 * MANY.len() as i64);
    }

    #[test]
    fn a_write_that_fails_fails_its_transaction_alone() {
        let (_folder, path, connection) = store();
        for many in [1, 300] {
            for after in 0..3 {
                let full = Fault::new(Operation::Write, FileKind::Wal, ffi::SQLITE_FULL);
                fault::arm(&path, Fault { after, ..full });
                let before = rows(&connection);
                let failed = add(&connection, many).is_err();
                fault::disarm(&path);
                assert_eq!(rows(&connection), before + if failed { 0 } else { many });
                assert_eq!(failed, after == 0 || many > 1);
                add(&connection, many).unwrap();
            }
        }
    }
}
