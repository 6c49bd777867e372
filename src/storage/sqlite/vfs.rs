//! The few calls into SQLite's C interface that rusqlite has no safe form for.
//!
//! Files of a database are reached through SQLite's own file layer only: a descriptor opened and
//! closed beside it would drop the locks that SQLite holds on the file in this process.

#![allow(unsafe_code, reason = "calls into SQLite that rusqlite has no safe form for")]

mod alone;
mod gather;
pub mod layer;
mod opened;
pub mod said;

use std::borrow::Cow;
use std::cell::UnsafeCell;
use std::ffi::{CStr, CString, c_int, c_void};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::ffi;

use self::alone::Alone;
use super::errors::map_code;
use super::side::Side;
use crate::error::{Error, Result};

/// Bytes of the header of a database file.
pub const HEADER_BYTES: usize = 100;

/// The beginning of a database file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the whole file.
    pub size: u64,
    /// The first bytes; zeros where the file is shorter.
    pub bytes: [u8; HEADER_BYTES],
}

impl Header {
    /// Returns the number that stands at a place, its highest byte first.
    pub fn number(&self, place: Range<usize>) -> u64 {
        self.bytes[place].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }
}

/// Reads the beginning of a database file, or of its journal, without touching it, and without hurting the locks that
/// other connections of this process have on it.
///
/// # Errors
/// `CannotOpen`, also when there is no such file; `Io`; `Invalid` for a path with a NUL in it.
pub fn header(path: &Path) -> Result<Header> {
    let name = FileName::new(path)?;
    let file = OpenFile::new(&name, path)?;
    let size = file.size(path)?;
    let mut bytes = [0; HEADER_BYTES];
    file.read(&mut bytes, path)?;
    Ok(Header { size, bytes })
}

/// Syncs the write-ahead log of the connection's main database, and with it every commit made so
/// far. Does nothing where there is no open log, as for a store in memory.
///
/// # Errors
/// `Io` or `Full`. What was committed since the last sync may then be lost at a power failure, and a
/// later sync that succeeds proves nothing about it.
pub fn sync_wal(connection: &Connection) -> Result<()> {
    match Opened::log(connection)? {
        Some(log) => log.sync(),
        None => Ok(()),
    }
}

/// A file that a connection has open, reached through SQLite's file layer.
pub struct Opened<'conn> {
    file: *mut ffi::sqlite3_file,
    methods: &'conn ffi::sqlite3_io_methods,
    name: &'static str,
}

impl<'conn> Opened<'conn> {
    /// Returns the write-ahead log; `None` where there is none.
    pub fn log(connection: &'conn Connection) -> Result<Option<Opened<'conn>>> {
        let name = "the write-ahead log";
        Opened::of(connection, ffi::SQLITE_FCNTL_JOURNAL_POINTER, name)
    }

    /// Returns the database; `None` in memory.
    pub fn database(connection: &'conn Connection) -> Result<Option<Opened<'conn>>> {
        Opened::of(connection, ffi::SQLITE_FCNTL_FILE_POINTER, "the database")
    }

    fn of(
        connection: &'conn Connection,
        which: c_int,
        name: &'static str,
    ) -> Result<Option<Opened<'conn>>> {
        let mut file: *mut ffi::sqlite3_file = ptr::null_mut();
        // SAFETY: these operations write one pointer to the place given.
        let code = unsafe { control(connection, which, ptr::from_mut(&mut file).cast()) };
        check(code, || format!("find {name}"))?;
        // SAFETY: the file belongs to the connection, which is borrowed by this thread alone.
        let methods = unsafe { methods_of(file) };
        Ok(methods.map(|methods| Opened { file, methods, name }))
    }

    /// Brings what was written to the disk.
    pub fn sync(&self) -> Result<()> {
        let sync = self.methods.xSync.ok_or_else(|| missing("xSync"))?;
        // SAFETY: the file is open, since it has methods, and stays so while the connection is borrowed.
        let code = unsafe { sync(self.file, ffi::SQLITE_SYNC_NORMAL) };
        check(code, || format!("sync {}", self.name))
    }

    /// Reads so many bytes; `false` where the file ends before.
    pub fn read(&self, bytes: &mut [u8], at: u64) -> Result<bool> {
        let read = self.methods.xRead.ok_or_else(|| missing("xRead"))?;
        let (place, len) = (bytes.as_mut_ptr().cast(), bytes.len() as c_int);
        // SAFETY: the file is open, and the call writes at most that many bytes.
        let code = unsafe { read(self.file, place, len, at as i64) };
        if code == ffi::SQLITE_IOERR_SHORT_READ {
            return Ok(false);
        }
        check(code, || format!("read {}", self.name)).map(|()| true)
    }

    /// Writes bytes.
    pub fn write(&self, bytes: &[u8], at: u64) -> Result<()> {
        let write = self.methods.xWrite.ok_or_else(|| missing("xWrite"))?;
        // SAFETY: the file is open, and the call reads that many bytes.
        let code =
            unsafe { write(self.file, bytes.as_ptr().cast(), bytes.len() as c_int, at as i64) };
        check(code, || format!("write {}", self.name))
    }

    /// Keeps every connection of every process from moving the log into the database, of which this
    /// must be the file; `None` while another does so.
    pub fn hold_checkpoints(&self) -> Result<Option<Checkpoints<'_>>> {
        let code = self.lock_checkpoints(ffi::SQLITE_SHM_LOCK)?;
        if code == ffi::SQLITE_BUSY {
            return Ok(None);
        }
        check(code, || "hold checkpoints").map(|()| Some(Checkpoints(self)))
    }

    fn lock_checkpoints(&self, how: c_int) -> Result<c_int> {
        let lock = self.methods.xShmLock.ok_or_else(|| missing("xShmLock"))?;
        let flags = how | ffi::SQLITE_SHM_EXCLUSIVE;
        // SAFETY: the file is open, and has its index mapped, since it is in use.
        Ok(unsafe { lock(self.file, CHECKPOINT_LOCK, 1, flags) })
    }

    /// Returns the beginning of the index of the log, which all processes share.
    pub fn index(&self) -> Result<&'conn [AtomicU32; INDEX_WORDS]> {
        let map = self.methods.xShmMap.ok_or_else(|| missing("xShmMap"))?;
        let mut place = ptr::null_mut();
        // SAFETY: the file is open, and the call writes one pointer to the place given.
        let code = unsafe { map(self.file, 0, INDEX_BYTES, 0, &mut place) };
        check(code, || "map the index of the log")?;
        let place = place.cast_const().cast::<[AtomicU32; INDEX_WORDS]>();
        // SAFETY: mapped, aligned and longer than this; it stays so while the connection is open, and
        // every program changes it by whole words.
        unsafe { place.as_ref() }
            .ok_or_else(|| Error::internal("the index of the log is not there"))
    }
}

/// The lock that whoever moves the log into the database holds, and the length of a part of the index:
/// both are SQLite's format (walformat.html).
const CHECKPOINT_LOCK: c_int = 1;
const INDEX_BYTES: c_int = 32_768;

/// Words at the beginning of the index: two headers, and how far the log was moved.
pub const INDEX_WORDS: usize = 34;

/// While it lives nobody moves the log into the database.
pub struct Checkpoints<'file>(&'file Opened<'file>);

impl Drop for Checkpoints<'_> {
    fn drop(&mut self) {
        // Refused only for a lock that is not held.
        let _ = self.0.lock_checkpoints(ffi::SQLITE_SHM_UNLOCK);
    }
}

/// Says whether closing the connection leaves the write-ahead log alone, even when it is the last.
pub fn no_checkpoint_on_close(connection: &Connection, is_on: bool) -> Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, is_on).map(|_| ()).map_err(
        |error| {
            let code = error.sqlite_error().map_or(ffi::SQLITE_ERROR, |fault| fault.extended_code);
            failed(code, "configure the connection")
        },
    )
}

/// Returns whether a row of the open transaction still refers to another that is missing: a commit would
/// fail, and with it all that shares it.
pub fn has_deferred_faults(connection: &Connection) -> Result<bool> {
    let (mut now, mut most): (c_int, c_int) = (0, 0);
    // SAFETY: the handle is used while the connection is borrowed, and not closed.
    let handle = unsafe { connection.handle() };
    let what = ffi::SQLITE_DBSTATUS_DEFERRED_FKS;
    // SAFETY: the handle is open, and both places are ours.
    let code = unsafe { ffi::sqlite3_db_status(handle, what, &mut now, &mut most, 0) };
    check(code, || "look at foreign keys")?;
    Ok(now != 0)
}

/// Returns the suffix of a file that a connection reads without, since nobody had the database open for
/// writing when it was opened. It is good until that file appears: its lock on the database keeps
/// whoever comes from taking it away again.
pub fn reads_alone_until(connection: &Connection) -> Result<Option<&'static str>> {
    let mut answer: c_int = 0;
    // SAFETY: the operation writes one number to the place given.
    let code =
        unsafe { control(connection, layer::READS_ALONE, ptr::from_mut(&mut answer).cast()) };
    check(code, || "ask how the file is read")?;
    Ok(match answer {
        answer if answer == Alone::WithoutLog as c_int => Some("-wal"),
        answer if answer == Alone::WithoutIndex as c_int => Some("-shm"),
        _ => None,
    })
}

/// Lets the side file hear the syncs of all files that the connection has open and will open. To be
/// called before its first statement.
pub fn hear_syncs(connection: &Connection, side: &Arc<Side>) -> Result<()> {
    // SAFETY: the operation reads an `Arc` at the place given.
    let code =
        unsafe { control(connection, layer::HEAR_SYNCS, ptr::from_ref(side).cast_mut().cast()) };
    check(code, || "hear the syncs of a connection")
}

/// Asks or tells the file of a connection's main database something.
///
/// # Safety
/// `argument` points to what the operation reads or writes.
unsafe fn control(connection: &Connection, operation: c_int, argument: *mut c_void) -> c_int {
    // SAFETY: the handle is used while the connection is borrowed, and not closed.
    let handle = unsafe { connection.handle() };
    // SAFETY: the handle is open, and the argument is as the caller says.
    unsafe { ffi::sqlite3_file_control(handle, c"main".as_ptr(), operation, argument) }
}

/// Returns whether the SQLite that is built in was compiled with this option.
pub fn is_built_with(option: &CStr) -> bool {
    // SAFETY: a text that ends in NUL.
    unsafe { ffi::sqlite3_compileoption_used(option.as_ptr()) != 0 }
}

/// Returns the identifier of the SQLite that is built in: date, time and hash of its sources.
pub fn source_id() -> &'static str {
    // SAFETY: takes nothing.
    let text = unsafe { ffi::sqlite3_sourceid() };
    // SAFETY: SQLite answers with a constant that ends in NUL.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().unwrap_or_default()
}

/// A path in the form that SQLite's file layer wants, which reads beyond its end for parameters.
struct FileName(*const std::ffi::c_char);

impl FileName {
    fn new(path: &Path) -> Result<FileName> {
        let text = CString::new(path.as_os_str().as_bytes())
            .map_err(|_| Error::invalid("a path must not hold a NUL"))?;
        // SAFETY: the three texts end in NUL and are copied; there are no parameters.
        let name = unsafe {
            ffi::sqlite3_create_filename(
                text.as_ptr(),
                c"".as_ptr(),
                c"".as_ptr(),
                0,
                ptr::null_mut(),
            )
        };
        if name.is_null() { Err(Error::NoMem) } else { Ok(FileName(name)) }
    }
}

impl Drop for FileName {
    fn drop(&mut self) {
        // SAFETY: made by sqlite3_create_filename, and freed once.
        unsafe { ffi::sqlite3_free_filename(self.0) };
    }
}

/// A database file opened for reading through our file layer, without a connection.
struct OpenFile<'a> {
    /// SQLite's own structure, which begins with `sqlite3_file`; of 64-bit words for its alignment.
    room: Box<[UnsafeCell<u64>]>,
    /// The file keeps the pointer to its name.
    _name: &'a FileName,
}

impl<'a> OpenFile<'a> {
    fn new(name: &'a FileName, path: &Path) -> Result<OpenFile<'a>> {
        layer::register()?;
        // SAFETY: takes nothing but a name.
        let vfs = unsafe { ffi::sqlite3_vfs_find(layer::NAME.as_ptr()) };
        // SAFETY: our layer is never unregistered.
        let Some(layer) = (unsafe { vfs.as_ref() }) else {
            return Err(Error::internal("SQLite has no file layer"));
        };
        let open = layer.xOpen.ok_or_else(|| missing("xOpen"))?;
        let words = usize::try_from(layer.szOsFile).unwrap_or(0).div_ceil(8);
        let room = (0..words).map(|_| UnsafeCell::new(0)).collect();
        let file = OpenFile { room, _name: name };
        let flags = ffi::SQLITE_OPEN_READONLY | ffi::SQLITE_OPEN_MAIN_DB;
        let (pointer, mut given) = (file.pointer(), 0);
        // SAFETY: the room has the size asked for, the name is one of SQLite's, and both outlive
        // the file, which is closed by the drop even when this fails half-way.
        let code = unsafe { open(vfs, name.0, pointer, flags, &mut given) };
        if code == ffi::SQLITE_OK {
            return Ok(file);
        }
        Err(failed(code, &format!("open {}", path.display())))
    }

    fn size(&self, path: &Path) -> Result<u64> {
        let size_of = self.methods()?.xFileSize.ok_or_else(|| missing("xFileSize"))?;
        let mut size = 0;
        // SAFETY: the file is open, and the call writes one number to the place given.
        let code = unsafe { size_of(self.pointer(), &mut size) };
        check(code, || format!("ask for the size of {}", path.display()))?;
        Ok(u64::try_from(size).unwrap_or(0))
    }

    fn read(&self, bytes: &mut [u8; HEADER_BYTES], path: &Path) -> Result<()> {
        let read = self.methods()?.xRead.ok_or_else(|| missing("xRead"))?;
        let (place, len) = (bytes.as_mut_ptr().cast(), HEADER_BYTES as c_int);
        // SAFETY: the file is open, and the call writes at most that many bytes.
        let code = unsafe { read(self.pointer(), place, len, 0) };
        // A shorter file is no fault: SQLite fills the rest with zeros.
        if code == ffi::SQLITE_IOERR_SHORT_READ {
            return Ok(());
        }
        check(code, || format!("read {}", path.display()))
    }

    fn methods(&self) -> Result<&ffi::sqlite3_io_methods> {
        // SAFETY: the file is this value's own.
        unsafe { methods_of(self.pointer()) }.ok_or_else(|| missing("a method table"))
    }

    /// SQLite changes what lies there through this pointer, hence the cells.
    fn pointer(&self) -> *mut ffi::sqlite3_file {
        self.room.as_ptr().cast_mut().cast()
    }
}

impl Drop for OpenFile<'_> {
    fn drop(&mut self) {
        if let Some(close) = self.methods().ok().and_then(|methods| methods.xClose) {
            // SAFETY: the file has methods, so it is to be closed, and this is the last use of it.
            // An error of it would change nothing: the file was only read.
            unsafe { close(self.pointer()) };
        }
    }
}

/// Returns the methods of a file; `None` for one that is not open.
///
/// # Safety
/// `file` is NULL or points to a file of SQLite's that no other thread is opening or closing, and
/// that is not closed while the answer is in use.
unsafe fn methods_of<'a>(file: *mut ffi::sqlite3_file) -> Option<&'a ffi::sqlite3_io_methods> {
    // SAFETY: as the caller says.
    let file = unsafe { file.as_ref() }?;
    // SAFETY: SQLite sets the table when the file is opened, to a constant, and to NULL else.
    unsafe { file.pMethods.as_ref() }
}

fn check<T: Into<Cow<'static, str>>>(code: c_int, what: impl FnOnce() -> T) -> Result<()> {
    if code == ffi::SQLITE_OK { Ok(()) } else { Err(failed(code, &what().into())) }
}

fn failed(code: c_int, what: &str) -> Error {
    map_code(code, &format!("{what}: {}", reason(code)))
}

fn missing(what: &str) -> Error {
    Error::internal(format!("SQLite's file layer has no {what}"))
}

fn reason(code: c_int) -> String {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), None).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn store(folder: &Path) -> (PathBuf, Connection) {
        let path = folder.join("db");
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "journal_mode", "wal").unwrap();
        connection.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1);").unwrap();
        (path, connection)
    }

    #[test]
    fn the_header_of_a_database_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let (path, connection) = store(folder.path());
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        drop(connection);

        let header = header(&path).unwrap();

        assert_eq!(&header.bytes[..16], b"SQLite format 3\0");
        assert_eq!(header.size, std::fs::metadata(&path).unwrap().len());
    }

    #[test]
    fn a_short_or_empty_file_is_filled_with_zeros() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        std::fs::write(&path, b"").unwrap();
        assert_eq!(header(&path).unwrap(), Header { size: 0, bytes: [0; HEADER_BYTES] });

        std::fs::write(&path, b"hello").unwrap();
        let header = header(&path).unwrap();
        assert_eq!((header.size, &header.bytes[..6]), (5, b"hello\0".as_slice()));
    }

    #[test]
    fn a_missing_file_is_an_error_and_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");

        let error = header(&path).unwrap_err();

        assert!(matches!(error, Error::CannotOpen { .. }), "{error:?}");
        assert_eq!(error.engine_code() & 0xFF, ffi::SQLITE_CANTOPEN);
        assert!(!path.exists());
        assert!(matches!(header(Path::new("a\0b")), Err(Error::Invalid(_))));
    }

    #[test]
    fn reading_the_header_keeps_the_locks_of_an_open_transaction() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("CREATE TABLE t (a); BEGIN EXCLUSIVE;").unwrap();
        assert!(is_locked_for_other_processes(&path));

        header(&path).unwrap();

        assert!(is_locked_for_other_processes(&path), "the close dropped the locks");
        connection.execute_batch("COMMIT").unwrap();
        assert!(!is_locked_for_other_processes(&path));
    }

    /// Looks in the kernel's list, as a probe through a descriptor would itself drop the locks.
    fn is_locked_for_other_processes(path: &Path) -> bool {
        let ino = crate::os::identity(path).unwrap().ino;
        let (mine, file) = (std::process::id().to_string(), format!(":{ino}"));
        let locks = std::fs::read_to_string("/proc/locks").unwrap();
        locks.lines().any(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.contains(&"POSIX") && words.contains(&mine.as_str()) && words[5].ends_with(&file)
        })
    }

    #[test]
    fn syncing_does_nothing_where_there_is_no_log() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE t (a)").unwrap();
        sync_wal(&connection).unwrap();
    }

    #[test]
    fn syncing_an_open_log_succeeds() {
        let folder = tempfile::tempdir().unwrap();
        let (_, connection) = store(folder.path());
        sync_wal(&connection).unwrap();
        connection.execute_batch("BEGIN IMMEDIATE; INSERT INTO t VALUES (2); COMMIT").unwrap();
        sync_wal(&connection).unwrap();
    }

    #[test]
    fn a_close_without_checkpoint_keeps_the_log() {
        for (is_on, name) in [(true, "kept"), (false, "gone")] {
            let folder = tempfile::tempdir().unwrap();
            let (path, connection) = store(folder.path());
            no_checkpoint_on_close(&connection, is_on).unwrap();
            connection.close().unwrap();
            assert_eq!(path.with_file_name("db-wal").exists(), is_on, "{name}");
        }
    }

    #[test]
    fn the_source_of_sqlite_is_named() {
        assert!(source_id().starts_with("20"), "{}", source_id());
    }
}
