//! A failing disk, for tests: a layer between SQLite and its files that counts and breaks operations.
//!
//! Built for tests and with the feature `fault` only. A connection opened with the file layer `NAME`
//! works as with the default one, until a fault is armed for its database. Faults and counts belong
//! to one database each, so tests that run side by side do not disturb each other. Memory-mapped
//! reading is off in this layer, so that no read goes around it.
//!
//! Any thread may arm and disarm while connections are in use. What SQLite does not see (syncs of the
//! folder, looks at a name) is met by the caller, through `meet`.
//!
//! With `record` the layer also keeps what the disk has (`disk.rs`), and `cut_power` writes that down.

#![allow(unsafe_code, reason = "a file layer is a table of C functions")]

mod disk;
mod panics;
mod plan;
#[cfg(feature = "plant")]
pub mod unsound;

use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::mem;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, OnceLock};

use rusqlite::ffi;

pub use self::disk::Keep;
use self::disk::{Image, Inode};
pub use self::panics::{meet_statement, panic_at, panics, rehearse};
pub use self::plan::{
    Counts, Fault, FileKind, Operation, arm, count, counts, cut_power, die_at, disarm, drop_clean,
    is_run_again, meet, record, run_again,
};
use self::plan::{Plan, lock};
use crate::error::{Error, Result};
use crate::os;

/// Name of the file layer, for opening a connection with it after `register`.
pub const NAME: &CStr = c"smolwf-fault";

/// Makes the layer known to SQLite. May be called any number of times.
pub fn register() -> Result<()> {
    static CODE: OnceLock<c_int> = OnceLock::new();
    match *CODE.get_or_init(register_once) {
        ffi::SQLITE_OK => Ok(()),
        code => Err(Error::internal(format!("the fault layer is refused with code {code}"))),
    }
}

/// Meets an operation that SQLite asks for: what it looks at after a failure is the errno.
fn meet_of_sqlite(plan: &Plan, kind: FileKind, operation: Operation) -> Option<c_int> {
    let fault = plan.meet(kind, operation)?;
    os::set_errno(fault.errno);
    Some(fault.code)
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
    BASE.store(base, Ordering::SeqCst);
    // SAFETY: the default layer is registered.
    if !unsafe { replace_open(base) } {
        return ffi::SQLITE_ERROR;
    }
    // Functions not replaced here are the default's own; none of them reads its layer.
    let layer = Box::leak(Box::new(ffi::sqlite3_vfs {
        szOsFile: default.szOsFile + HEAD_BYTES as c_int,
        zName: NAME.as_ptr(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_path),
        ..*default
    }));
    // SAFETY: the layer is leaked, so that it lives as long as SQLite.
    unsafe { ffi::sqlite3_vfs_register(layer, 0) }
}

/// Has SQLite open files through `open_of_system`.
///
/// # Safety
/// `base` is a layer that is registered.
unsafe fn replace_open(base: *mut ffi::sqlite3_vfs) -> bool {
    type Any = unsafe extern "C" fn();
    type Open = unsafe extern "C" fn(*const c_char, c_int, c_int) -> c_int;
    // SAFETY: as the caller says.
    let Some(set) = (unsafe { (*base).xSetSystemCall }) else { return false };
    // SAFETY: SQLite casts it back to what it is before it calls it.
    let open = unsafe { mem::transmute::<Open, Any>(open_of_system) };
    // SAFETY: the name is one of SQLite's for Unix, and the function lives as long as the library.
    unsafe { set(base, c"open".as_ptr(), Some(open)) == ffi::SQLITE_OK }
}

/// The system's `open`, which may refuse to open a file for writing.
unsafe extern "C" fn open_of_system(name: *const c_char, flags: c_int, mode: c_int) -> c_int {
    let errno = os::errno();
    // SAFETY: SQLite gives a text that ends in NUL.
    let path = unsafe { path_of(name) };
    let is_writing = flags & libc::O_ACCMODE == libc::O_RDWR;
    let plan = Plan::of(&db_of(&path));
    let operation = Operation::OpenToWrite;
    if is_writing && meet_of_sqlite(&plan, kind_of_path(&path), operation).is_some() {
        return -1;
    }
    // Finding the plan leaves one of its own; the system's call leaves what it finds when it succeeds.
    os::set_errno(errno);
    // SAFETY: as above.
    unsafe { libc::open(name, flags, mode) }
}

fn kind_of_path(path: &Path) -> FileKind {
    let name = path.as_os_str().as_bytes();
    let kinds = [("-wal", FileKind::Wal), ("-shm", FileKind::Shm), ("-journal", FileKind::Any)];
    let kind = kinds.iter().find(|(suffix, _)| name.ends_with(suffix.as_bytes()));
    kind.map_or(FileKind::Db, |(_, kind)| *kind)
}

/// The default layer.
static BASE: AtomicPtr<ffi::sqlite3_vfs> = AtomicPtr::new(ptr::null_mut());

/// What stands in SQLite's room for a file before the default layer's own structure.
#[repr(C, align(8))]
struct Head {
    base: ffi::sqlite3_file,
    file: *const Known,
}

/// What this layer knows of an open file.
struct Known {
    kind: FileKind,
    plan: Arc<Plan>,
    /// When the disk is recorded.
    inode: Option<Inode>,
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
    file: &'a Known,
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
        // SAFETY: the head holds one count of it until `close`.
        let known = unsafe { &*head.file };
        let inner = inner_of(file);
        // SAFETY: the default layer opened the inner file before the methods were set.
        let table = unsafe { (*inner).pMethods };
        // SAFETY: an open file's table is a constant of the default layer.
        let methods = unsafe { &*table };
        Opened { file: known, inner, methods }
    }

    fn meet(&self, operation: Operation) -> Option<c_int> {
        meet_of_sqlite(&self.file.plan, self.file.kind, operation)
    }

    fn meet_index(&self, operation: Operation) -> Option<c_int> {
        meet_of_sqlite(&self.file.plan, FileKind::Shm, operation)
    }

    /// Keeps what was done, when the disk is recorded.
    fn note(&self, code: c_int, change: impl FnOnce(&mut Image)) -> c_int {
        if let (ffi::SQLITE_OK, Some(inode)) = (code, &self.file.inode) {
            change(&mut lock(inode));
        }
        code
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
    _layer: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let kind = kind_of(flags);
    // SAFETY: SQLite gives a text that ends in NUL, or NULL.
    let path = unsafe { path_of(name) };
    let plan = Plan::of(&db_of(&path));
    // SAFETY: SQLite gives room for `szOsFile` bytes. Without methods it will not close the file.
    unsafe { (*file).pMethods = ptr::null() };
    if let Some(code) = meet_of_sqlite(&plan, kind, Operation::Open) {
        return code;
    }
    let base = BASE.load(Ordering::SeqCst);
    // SAFETY: the layer is there, since this one was registered over it, and never unregistered.
    let Some(base_open) = (unsafe { (*base).xOpen }) else {
        return ffi::SQLITE_CANTOPEN;
    };
    // SAFETY: the room behind the head has the size that the default layer wants.
    let code = unsafe { base_open(base, name, inner_of(file), flags, out_flags) };
    if code == ffi::SQLITE_OK {
        let inode = plan.with_disk(|disk| disk.open(&path));
        let known = Arc::into_raw(Arc::new(Known { kind, plan, inode }));
        let base = ffi::sqlite3_file { pMethods: &METHODS };
        // SAFETY: the room begins with space for a head, aligned for anything.
        unsafe { file.cast::<Head>().write(Head { base, file: known }) };
    }
    code
}

unsafe extern "C" fn delete(
    _layer: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    is_folder_synced: c_int,
) -> c_int {
    // SAFETY: SQLite gives a text that ends in NUL, or NULL.
    let path = unsafe { path_of(name) };
    let plan = Plan::of(&db_of(&path));
    let kind =
        if path.as_os_str().as_bytes().ends_with(b"-wal") { FileKind::Wal } else { FileKind::Any };
    if let Some(code) = meet_of_sqlite(&plan, kind, Operation::Delete) {
        return code;
    }
    let base = BASE.load(Ordering::SeqCst);
    // SAFETY: the layer is there, since this one was registered over it, and never unregistered.
    let Some(base_delete) = (unsafe { (*base).xDelete }) else {
        return ffi::SQLITE_IOERR_DELETE;
    };
    // SAFETY: the arguments are those SQLite gave.
    let code = unsafe { base_delete(base, name, is_folder_synced) };
    if code == ffi::SQLITE_OK {
        plan.with_disk(|disk| {
            disk.delete(&path);
            if is_folder_synced != 0 {
                disk.sync_folder();
            }
        });
    }
    code
}

unsafe extern "C" fn access(
    _layer: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    answer: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives a text that ends in NUL.
    let path = unsafe { path_of(name) };
    if meet_of_sqlite(&Plan::of(&db_of(&path)), kind_of_path(&path), Operation::Look).is_some() {
        // As the default layer answers a look that fails.
        // SAFETY: SQLite gives room for a number.
        unsafe { *answer = 0 };
        return ffi::SQLITE_OK;
    }
    os::set_errno(0);
    let base = BASE.load(Ordering::SeqCst);
    // SAFETY: the layer is there, since this one was registered over it, and never unregistered.
    match unsafe { (*base).xAccess } {
        // SAFETY: the arguments are those SQLite gave.
        Some(call) => unsafe { call(base, name, flags, answer) },
        None => ffi::SQLITE_IOERR_ACCESS,
    }
}

unsafe extern "C" fn full_path(
    _layer: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    len: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: SQLite gives a text that ends in NUL.
    let path = unsafe { path_of(name) };
    if let Some(code) = meet_of_sqlite(&Plan::of(&path), FileKind::Db, Operation::Look) {
        return code;
    }
    let base = BASE.load(Ordering::SeqCst);
    // SAFETY: the layer is there, since this one was registered over it, and never unregistered.
    match unsafe { (*base).xFullPathname } {
        // SAFETY: the arguments are those SQLite gave.
        Some(call) => unsafe { call(base, name, len, out) },
        None => ffi::SQLITE_CANTOPEN,
    }
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

/// Returns a path that SQLite gave; an empty one for a temporary file.
///
/// # Safety
/// `name` is NULL or ends in NUL.
unsafe fn path_of(name: *const c_char) -> PathBuf {
    if name.is_null() {
        return PathBuf::new();
    }
    // SAFETY: as the caller says.
    PathBuf::from(OsStr::from_bytes(unsafe { CStr::from_ptr(name) }.to_bytes()))
}

/// Returns the path of the database to which a file belongs.
fn db_of(path: &Path) -> PathBuf {
    let name = path.as_os_str().as_bytes();
    let suffixes = [b"-wal".as_slice(), b"-journal".as_slice(), b"-shm".as_slice()];
    let db = suffixes.iter().find_map(|suffix| name.strip_suffix(*suffix)).unwrap_or(name);
    PathBuf::from(OsStr::from_bytes(db))
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    let known: *const Known = opened.file;
    let code = forward!(opened, xClose);
    // SAFETY: made by `into_raw` in `open`, and given back once: SQLite closes a file once.
    drop(unsafe { Arc::from_raw(known) });
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
        None => opened.note(forward!(opened, xWrite, bytes, len, offset), |image| {
            // SAFETY: SQLite gives that many bytes.
            let bytes = unsafe { std::slice::from_raw_parts(bytes.cast(), len as usize) };
            image.write(offset as usize, bytes);
        }),
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    match opened.meet(Operation::Truncate) {
        Some(code) => code,
        None => {
            opened.note(forward!(opened, xTruncate, size), |image| image.truncate(size as usize))
        }
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    match opened.meet(Operation::Sync) {
        Some(code) => {
            opened.note(ffi::SQLITE_OK, |image| image.sync(false));
            code
        }
        None => opened.note(forward!(opened, xSync, flags), |image| image.sync(true)),
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
    match opened.meet(Operation::Lock) {
        Some(code) => code,
        None => forward!(opened, xLock, level),
    }
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
    if operation == ffi::SQLITE_FCNTL_HAS_MOVED && opened.meet(Operation::Look).is_some() {
        // As the default layer answers a look that fails.
        // SAFETY: SQLite gives room for a number.
        unsafe { *argument.cast::<c_int>() = 1 };
        return ffi::SQLITE_OK;
    }
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
    match opened.meet_index(Operation::Map) {
        Some(code) => code,
        None => forward!(opened, xShmMap, page, bytes, is_made, out),
    }
}

unsafe extern "C" fn shm_lock(
    file: *mut ffi::sqlite3_file,
    offset: c_int,
    len: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    let is_taken = flags & ffi::SQLITE_SHM_LOCK != 0;
    match if is_taken { opened.meet_index(Operation::Lock) } else { None } {
        Some(code) => code,
        None => forward!(opened, xShmLock, offset, len, flags),
    }
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
        Fault::new(operation, FileKind::Wal, code)
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

    /// SQLite asks the system for the reason: a quota is told from a medium that fails.
    #[test]
    fn a_fault_says_what_the_system_would_have_said() {
        let folder = tempfile::tempdir().unwrap();
        let (path, connection) = open_db(&folder).unwrap();
        let fault = wal(Operation::Write, ffi::SQLITE_IOERR_WRITE);
        arm(&path, Fault { errno: libc::EDQUOT, ..fault });
        insert(&connection).unwrap_err();
        // SAFETY: the handle is used while the connection is open, and not closed.
        let handle = unsafe { connection.handle() };
        // SAFETY: the handle is open, and the call reads a number of it.
        let errno = unsafe { ffi::sqlite3_system_errno(handle) };
        assert_eq!(errno, libc::EDQUOT);
    }

    #[test]
    fn locks_and_maps_of_the_index_and_names_can_fail_too() {
        let folder = tempfile::tempdir().unwrap();
        let (path, connection) = open_db(&folder).unwrap();
        let of = |operation, file| Fault::new(operation, file, ffi::SQLITE_IOERR_LOCK);
        arm(&path, of(Operation::Lock, FileKind::Shm));
        assert_eq!(code(insert(&connection)), ffi::SQLITE_IOERR_LOCK);
        arm(&path, Fault { errno: libc::EMFILE, ..of(Operation::Look, FileKind::Wal) });
        let error = meet(&path, FileKind::Wal, Operation::Look).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
        arm(&path, of(Operation::Delete, FileKind::Wal));
        drop(connection);
        assert!(folder.path().join("db-wal").exists());
        arm(&path, of(Operation::Map, FileKind::Shm));
        let error = open_db(&folder).map(|_| ()).unwrap_err();
        assert_eq!(error.sqlite_error().unwrap().extended_code & 0xFF, ffi::SQLITE_IOERR);
    }

    #[test]
    fn a_loss_of_power_leaves_what_was_synced() {
        let (folder, into) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        record(&folder.path().join("db"));
        let (path, connection) = open_db(&folder).unwrap();
        let left = |keep| {
            cut_power(&path, into.path(), keep).unwrap();
            let db = into.path().join("db");
            db.exists().then(|| rows(&Connection::open(db).unwrap()))
        };
        insert(&connection).unwrap();
        vfs::sync_wal(&connection).unwrap();
        assert_eq!(left(Keep::Nothing), None, "the folder was not synced");
        meet(&path, FileKind::Folder, Operation::Sync).unwrap();
        insert(&connection).unwrap();
        assert_eq!(left(Keep::Nothing), Some(1));
        assert_eq!(left(Keep::All), Some(2));
        arm(&path, wal(Operation::Sync, ffi::SQLITE_IOERR_FSYNC));
        vfs::sync_wal(&connection).unwrap_err();
        vfs::sync_wal(&connection).unwrap();
        assert_eq!(left(Keep::All), Some(1), "a sync that succeeds saves nothing of a failed one");
        assert_eq!(rows(&connection), 2);
        drop_clean(&path).unwrap();
        insert(&connection).unwrap();
    }
}
