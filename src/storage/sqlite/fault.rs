//! A failing disk, for tests: a layer between SQLite and its files that counts and breaks operations.
//!
//! Built for tests and with the feature `fault` only. A connection opened with the file layer `NAME`
//! works as with the default one, until a fault is armed for its database. Faults and counts belong
//! to one database each, so tests that run side by side do not disturb each other. Memory-mapped
//! reading is off in this layer, so that no read goes around it.
//!
//! Any thread may arm and disarm while connections are in use.

#![allow(unsafe_code, reason = "a file layer is a table of C functions")]

use std::collections::HashMap;
use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::mem;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rusqlite::ffi;

use crate::error::{Error, Result};

/// Name of the file layer, for opening a connection with it after `register`.
pub const NAME: &CStr = c"smolwf-fault";

/// What is done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Opening or making it.
    Open,
    /// Reading from it.
    Read,
    /// Writing to it.
    Write,
    /// Making it safe against power loss.
    Sync,
    /// Cutting it.
    Truncate,
}

/// Which of a database's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// The database itself.
    Db,
    /// Its write-ahead log.
    Wal,
    /// All, its rollback journal included.
    Any,
}

/// A fault to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// What fails.
    pub operation: Operation,
    /// On which file.
    pub file: FileKind,
    /// Operations of that kind that still succeed before.
    pub after: u32,
    /// SQLite's extended result code to answer, such as `SQLITE_IOERR_FSYNC` or `SQLITE_FULL`. The
    /// operation is not carried out.
    pub code: i32,
    /// Whether every later one fails too, until disarmed.
    pub is_sticky: bool,
}

/// Operations carried out or failed since the database was first opened or armed in this process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Reads of the database file.
    pub db_reads: u32,
    /// Writes to the database file.
    pub db_writes: u32,
    /// Syncs of the database file.
    pub db_syncs: u32,
    /// Reads of the write-ahead log.
    pub wal_reads: u32,
    /// Writes to the write-ahead log.
    pub wal_writes: u32,
    /// Syncs of the write-ahead log.
    pub wal_syncs: u32,
    /// Operations of any kind on any file that were made to fail.
    pub faults: u32,
}

/// Makes the layer known to SQLite. May be called any number of times.
pub fn register() -> Result<()> {
    static CODE: OnceLock<c_int> = OnceLock::new();
    match *CODE.get_or_init(register_once) {
        ffi::SQLITE_OK => Ok(()),
        code => Err(Error::internal(format!("the fault layer is refused with code {code}"))),
    }
}

/// Sets the fault that the database's files are to have next, in place of any other.
pub fn arm(db: &Path, fault: Fault) {
    *lock(&Plan::of(db).fault) = Some(fault);
}

/// Takes back the database's fault, fired or not.
pub fn disarm(db: &Path) {
    *lock(&Plan::of(db).fault) = None;
}

/// Returns what was done to the database's files so far.
pub fn counts(db: &Path) -> Counts {
    let plan = Plan::of(db);
    let count = |kind, operation| plan.counter(kind, operation).load(Ordering::SeqCst);
    Counts {
        db_reads: count(FileKind::Db, Operation::Read),
        db_writes: count(FileKind::Db, Operation::Write),
        db_syncs: count(FileKind::Db, Operation::Sync),
        wal_reads: count(FileKind::Wal, Operation::Read),
        wal_writes: count(FileKind::Wal, Operation::Write),
        wal_syncs: count(FileKind::Wal, Operation::Sync),
        faults: plan.faults.load(Ordering::SeqCst),
    }
}

/// What is to happen, and happened, to the files of one database.
#[derive(Debug, Default)]
struct Plan {
    fault: Mutex<Option<Fault>>,
    /// By kind of file, then by operation.
    counts: [[AtomicU32; 5]; 3],
    faults: AtomicU32,
}

impl Plan {
    /// Returns the plan of the database; one for all temporary files, which have no name.
    fn of(db: &Path) -> Arc<Plan> {
        static PLANS: OnceLock<Mutex<HashMap<PathBuf, Arc<Plan>>>> = OnceLock::new();
        let plans = PLANS.get_or_init(Mutex::default);
        Arc::clone(lock(plans).entry(full_path(db)).or_default())
    }

    /// Counts an operation; returns the code to fail it with, if it is to fail.
    fn meet(&self, kind: FileKind, operation: Operation) -> Option<c_int> {
        self.counter(kind, operation).fetch_add(1, Ordering::SeqCst);
        let mut armed = lock(&self.fault);
        let fault = armed.as_mut()?;
        let is_meant = fault.file == kind || fault.file == FileKind::Any;
        if fault.operation != operation || !is_meant {
            return None;
        }
        if fault.after > 0 {
            fault.after -= 1;
            return None;
        }
        let code = fault.code;
        if !fault.is_sticky {
            *armed = None;
        }
        self.faults.fetch_add(1, Ordering::SeqCst);
        Some(code)
    }

    fn counter(&self, kind: FileKind, operation: Operation) -> &AtomicU32 {
        &self.counts[kind as usize][operation as usize]
    }
}

/// Resolves links in the folder's path as SQLite does, for a file that need not exist.
fn full_path(db: &Path) -> PathBuf {
    match (db.parent().and_then(|folder| folder.canonicalize().ok()), db.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => db.to_owned(),
    }
}

/// A test that panicked while it held the lock leaves nothing half-done behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// ---------------------------------------------------------------------------------------------
// The layer

fn register_once() -> c_int {
    // SAFETY: takes nothing but a name, and NULL asks for the default.
    let base = unsafe { ffi::sqlite3_vfs_find(ptr::null()) };
    // SAFETY: the default layer is never unregistered.
    let Some(default) = (unsafe { base.as_ref() }) else {
        return ffi::SQLITE_ERROR;
    };
    // Functions not replaced here are the default's own; none of them but xOpen reads its layer.
    let layer = Box::leak(Box::new(ffi::sqlite3_vfs {
        szOsFile: default.szOsFile + HEAD_BYTES as c_int,
        zName: NAME.as_ptr(),
        pAppData: base.cast(),
        xOpen: Some(open),
        ..*default
    }));
    // SAFETY: the layer is leaked, so that it lives as long as SQLite.
    unsafe { ffi::sqlite3_vfs_register(layer, 0) }
}

/// What stands in SQLite's room for a file before the default layer's own structure.
#[repr(C, align(8))]
struct Head {
    base: ffi::sqlite3_file,
    kind: FileKind,
    plan: *const Plan,
}

const HEAD_BYTES: usize = mem::size_of::<Head>();

/// Version 2: without the functions for memory-mapped reading.
static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(take_lock),
    xUnlock: Some(free_lock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// An open file of this layer, while one of its functions runs.
struct Opened<'a> {
    head: &'a Head,
    /// The file of the default layer that stands behind the head, and its functions.
    inner: *mut ffi::sqlite3_file,
    methods: &'a ffi::sqlite3_io_methods,
}

impl Opened<'_> {
    /// # Safety
    /// SQLite calls a function of `METHODS` with this file, which `open` therefore has filled in.
    unsafe fn new<'a>(file: *mut ffi::sqlite3_file) -> Opened<'a> {
        // SAFETY: `open` wrote a head to the place before it set the methods.
        let head = unsafe { &*file.cast::<Head>() };
        let inner = inner_of(file);
        // SAFETY: the default layer opened the inner file before the methods were set.
        let table = unsafe { (*inner).pMethods };
        // SAFETY: an open file's table is a constant of the default layer.
        let methods = unsafe { &*table };
        Opened { head, inner, methods }
    }

    fn meet(&self, operation: Operation) -> Option<c_int> {
        // SAFETY: the head holds one count of the plan until `close`.
        unsafe { &*self.head.plan }.meet(self.head.kind, operation)
    }
}

fn inner_of(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: the room asked for in szOsFile is a head and then the default layer's structure.
    unsafe { file.byte_add(HEAD_BYTES) }
}

/// Calls one function of the default layer, or answers an error where it has none.
macro_rules! forward {
    ($opened:expr, $function:ident $(, $argument:expr)*) => {
        match $opened.methods.$function {
            // SAFETY: the inner file is open, and the arguments are those SQLite gave.
            Some(call) => unsafe { call($opened.inner $(, $argument)*) },
            None => ffi::SQLITE_IOERR,
        }
    };
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let kind = kind_of(flags);
    // SAFETY: SQLite gives a text that ends in NUL, or NULL.
    let plan = Plan::of(&unsafe { db_of(name) });
    // SAFETY: SQLite gives room for `szOsFile` bytes. Without methods it will not close the file.
    unsafe { (*file).pMethods = ptr::null() };
    if let Some(code) = plan.meet(kind, Operation::Open) {
        return code;
    }
    // SAFETY: the layer is the one that `register_once` made, which holds the default one.
    let base = unsafe { (*vfs).pAppData }.cast::<ffi::sqlite3_vfs>();
    // SAFETY: the default layer is never unregistered.
    let Some(base_open) = (unsafe { (*base).xOpen }) else {
        return ffi::SQLITE_CANTOPEN;
    };
    // SAFETY: the room behind the head has the size that the default layer wants.
    let code = unsafe { base_open(base, name, inner_of(file), flags, out_flags) };
    if code == ffi::SQLITE_OK {
        let base = ffi::sqlite3_file { pMethods: &METHODS };
        let head = Head { base, kind, plan: Arc::into_raw(plan) };
        // SAFETY: the room begins with space for a head, aligned for anything.
        unsafe { file.cast::<Head>().write(head) };
    }
    code
}

fn kind_of(flags: c_int) -> FileKind {
    if flags & ffi::SQLITE_OPEN_MAIN_DB != 0 {
        FileKind::Db
    } else if flags & ffi::SQLITE_OPEN_WAL != 0 {
        FileKind::Wal
    } else {
        FileKind::Any
    }
}

/// Returns the path of the database to which a file belongs.
///
/// # Safety
/// `name` is NULL or ends in NUL.
unsafe fn db_of(name: *const c_char) -> PathBuf {
    if name.is_null() {
        return PathBuf::new();
    }
    // SAFETY: as the caller says.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes();
    let suffixes = [b"-wal".as_slice(), b"-journal".as_slice()];
    let db = suffixes.iter().find_map(|suffix| name.strip_suffix(*suffix)).unwrap_or(name);
    PathBuf::from(OsStr::from_bytes(db))
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    let plan = opened.head.plan;
    let code = forward!(opened, xClose);
    // SAFETY: made by `into_raw` in `open`, and given back once: SQLite closes a file once.
    drop(unsafe { Arc::from_raw(plan) });
    code
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    place: *mut c_void,
    len: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    match opened.meet(Operation::Read) {
        Some(code) => code,
        None => forward!(opened, xRead, place, len, offset),
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    len: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    match opened.meet(Operation::Write) {
        Some(code) => code,
        None => forward!(opened, xWrite, bytes, len, offset),
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    match opened.meet(Operation::Truncate) {
        Some(code) => code,
        None => forward!(opened, xTruncate, size),
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    match opened.meet(Operation::Sync) {
        Some(code) => code,
        None => forward!(opened, xSync, flags),
    }
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, size: *mut i64) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    forward!(opened, xFileSize, size)
}

unsafe extern "C" fn take_lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    forward!(opened, xLock, level)
}

unsafe extern "C" fn free_lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    forward!(opened, xUnlock, level)
}

unsafe extern "C" fn check_reserved_lock(
    file: *mut ffi::sqlite3_file,
    answer: *mut c_int,
) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    forward!(opened, xCheckReservedLock, answer)
}

unsafe extern "C" fn file_control(
    file: *mut ffi::sqlite3_file,
    operation: c_int,
    argument: *mut c_void,
) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    forward!(opened, xFileControl, operation, argument)
}

unsafe extern "C" fn sector_size(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    forward!(opened, xSectorSize)
}

unsafe extern "C" fn device_characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    forward!(opened, xDeviceCharacteristics)
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    page: c_int,
    bytes: c_int,
    is_made: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    forward!(opened, xShmMap, page, bytes, is_made, out)
}

unsafe extern "C" fn shm_lock(
    file: *mut ffi::sqlite3_file,
    offset: c_int,
    len: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    forward!(opened, xShmLock, offset, len, flags)
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    if let Some(barrier) = opened.methods.xShmBarrier {
        // SAFETY: the inner file is open.
        unsafe { barrier(opened.inner) };
    }
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, is_deleted: c_int) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    forward!(opened, xShmUnmap, is_deleted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::sqlite::vfs;
    use rusqlite::{Connection, OpenFlags};
    use tempfile::TempDir;

    fn open_db(folder: &TempDir) -> rusqlite::Result<(PathBuf, Connection)> {
        register().unwrap();
        let path = folder.path().join("db");
        let flags = OpenFlags::default();
        let connection = Connection::open_with_flags_and_vfs(&path, flags, NAME)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.execute_batch("CREATE TABLE IF NOT EXISTS t (a)")?;
        Ok((path, connection))
    }

    fn insert(connection: &Connection) -> rusqlite::Result<()> {
        connection.execute("INSERT INTO t VALUES (1)", []).map(|_| ())
    }

    fn rows(connection: &Connection) -> i64 {
        connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
    }

    fn code(result: rusqlite::Result<()>) -> i32 {
        result.unwrap_err().sqlite_error().unwrap().extended_code
    }

    fn wal(operation: Operation, code: i32) -> Fault {
        Fault { operation, file: FileKind::Wal, after: 0, code, is_sticky: false }
    }

    #[test]
    fn without_a_fault_the_layer_only_counts() {
        let folder = tempfile::tempdir().unwrap();
        let (path, connection) = open_db(&folder).unwrap();
        let before = counts(&path);

        insert(&connection).unwrap();
        vfs::sync_wal(&connection).unwrap();

        let after = counts(&path);
        assert_eq!(after.wal_syncs - before.wal_syncs, 1);
        assert!(after.wal_writes > before.wal_writes);
        assert_eq!((after.db_writes, after.faults), (before.db_writes, 0));
        drop(connection);
        assert_eq!(rows(&Connection::open(&path).unwrap()), 1);
    }

    #[test]
    fn a_failing_sync_of_the_log_is_an_error_with_its_code() {
        let folder = tempfile::tempdir().unwrap();
        let (path, connection) = open_db(&folder).unwrap();
        insert(&connection).unwrap();
        arm(&path, wal(Operation::Sync, ffi::SQLITE_IOERR_FSYNC));

        let error = vfs::sync_wal(&connection).unwrap_err();

        assert!(matches!(error, Error::Io { engine_code: ffi::SQLITE_IOERR_FSYNC, .. }));
        assert_eq!(counts(&path).faults, 1);
        vfs::sync_wal(&connection).unwrap();
    }

    #[test]
    fn a_disk_that_is_full_at_the_sync_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let (path, connection) = open_db(&folder).unwrap();
        arm(&path, wal(Operation::Sync, ffi::SQLITE_FULL));
        assert!(matches!(vfs::sync_wal(&connection), Err(Error::Full(_))));
    }

    #[test]
    fn a_failing_write_to_the_log_fails_the_statement_and_stores_nothing() {
        for given in [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_WRITE] {
            let folder = tempfile::tempdir().unwrap();
            let (path, connection) = open_db(&folder).unwrap();
            insert(&connection).unwrap();
            arm(&path, wal(Operation::Write, given));

            assert_eq!(code(insert(&connection)), given);

            assert_eq!(rows(&connection), 1);
            insert(&connection).unwrap();
            assert_eq!(rows(&connection), 2);
        }
    }

    #[test]
    fn a_fault_waits_for_its_turn_and_a_sticky_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (path, connection) = open_db(&folder).unwrap();
        let fault = wal(Operation::Sync, ffi::SQLITE_IOERR_FSYNC);
        arm(&path, Fault { after: 2, is_sticky: true, ..fault });

        let results: Vec<bool> = (0..5).map(|_| vfs::sync_wal(&connection).is_ok()).collect();

        assert_eq!(results, [true, true, false, false, false]);
        disarm(&path);
        vfs::sync_wal(&connection).unwrap();
    }

    #[test]
    fn a_fault_of_one_file_or_database_spares_the_others() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (path, first) = open_db(&one).unwrap();
        let (_, second) = open_db(&two).unwrap();
        let fault = wal(Operation::Write, ffi::SQLITE_FULL);
        arm(&path, Fault { is_sticky: true, ..fault });
        insert(&second).unwrap();
        assert_eq!(code(insert(&first)), ffi::SQLITE_FULL);

        arm(&path, Fault { file: FileKind::Db, ..fault });
        insert(&first).unwrap();

        let checkpoint = |_: &rusqlite::Row<'_>| Ok(());
        let result = first.query_row("PRAGMA wal_checkpoint(FULL)", [], checkpoint);
        assert_eq!(code(result), ffi::SQLITE_FULL);
    }

    #[test]
    fn reading_and_opening_can_fail_too() {
        let folder = tempfile::tempdir().unwrap();
        let (path, connection) = open_db(&folder).unwrap();
        drop(connection);
        for operation in [Operation::Open, Operation::Read] {
            let given = ffi::SQLITE_IOERR_READ;
            let fault = Fault { file: FileKind::Any, ..wal(operation, given) };
            arm(&path, Fault { is_sticky: true, ..fault });
            let error = open_db(&folder).map(|_| ()).unwrap_err();
            let found = error.sqlite_error().unwrap().extended_code & 0xFF;
            assert!([ffi::SQLITE_IOERR, ffi::SQLITE_CANTOPEN].contains(&found), "{error}");
        }
        disarm(&path);
        open_db(&folder).unwrap();
    }
}
