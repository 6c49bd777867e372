//! Our layer between SQLite and the system's files, under every connection.
//!
//! SQLite's own layer for Unix folds what the system says into a few codes, and some of them mislead:
//! a read that fails is a corrupt file, a quota an error of the disk, a lock that cannot be had one
//! that others have. Here the answer keeps its cause: its class is the right one, and the errno
//! stands above the lower sixteen bits, where `errno_of` finds it.
//!
//! Every sync of a writer's files is heard here, whoever asked for it: SQLite syncs in commits, in
//! checkpoints, in the close of the last connection, and not each of those results reaches anybody. A
//! failure is noted in the side file by the sync itself.
//!
//! The frames of a commit are gathered and written at once (`gather.rs`).
//!
//! Two more things happen here. Pages of the -shm that SQLite is about to use are made sure of first,
//! since a write to a page that the disk has no room for ends the process with SIGBUS. And a
//! connection that only reads makes no file: where there is no log, SQLite is shown an empty one, with
//! an index of its own memory. It holds its lock on the database meanwhile, so that no writer who
//! comes later can take its own log and index away unseen (`vfs::reads_alone_until`).

#![allow(unsafe_code, reason = "a file layer is a table of C functions")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem;
use std::ptr;
use std::slice;
use std::sync::{Arc, Mutex, OnceLock};

use rusqlite::ffi;

use crate::error::{Error, Result};
use crate::lock::Unpoisoned;
use crate::os;
use crate::storage::sqlite::errors::ERRNO_SHIFT;
use crate::storage::sqlite::side::Side;
use crate::storage::sqlite::vfs::alone::Alone;
use crate::storage::sqlite::vfs::gather::Gathered;
use crate::storage::sqlite::vfs::opened::{
    HEAD_BYTES, Head, Opened, forward, inner_of, make_beside,
};
use crate::storage::sqlite::vfs::said::{
    called, classed, is_passing, lock_classed, made_sure, note_read,
};

/// Name of the layer, for opening a connection with it after `register`.
pub const NAME: &CStr = c"smolwf";

/// The file control that asks whether a connection reads alone; its argument receives an [`Alone`].
pub const READS_ALONE: c_int = 0x5357_4601;

/// The file control that names the side file to tell of syncs that fail, an `Arc`.
pub const HEAR_SYNCS: c_int = 0x5357_4602;

/// A file without a byte, to stand for the log that is not there.
const EMPTY_FILE: &CStr = c"/dev/null";

/// Makes the layer known to SQLite. May be called any number of times.
pub fn register() -> Result<()> {
    static CODE: OnceLock<c_int> = OnceLock::new();
    let base = base()?;
    match *CODE.get_or_init(|| register_once(base)) {
        ffi::SQLITE_OK => Ok(()),
        code => Err(Error::internal(format!("the file layer is refused with code {code}"))),
    }
}

/// Returns the name of the layer beneath. Test builds put the one that can fail there.
#[cfg(any(test, feature = "fault"))]
fn base() -> Result<*const c_char> {
    crate::storage::sqlite::fault::register()?;
    Ok(crate::storage::sqlite::fault::NAME.as_ptr())
}

/// Returns the name of the layer beneath: NULL for SQLite's default.
#[cfg(not(any(test, feature = "fault")))]
fn base() -> Result<*const c_char> {
    Ok(ptr::null())
}

fn register_once(base: *const c_char) -> c_int {
    // SAFETY: takes nothing but a name, and NULL asks for the default.
    let base = unsafe { ffi::sqlite3_vfs_find(base) };
    // SAFETY: a layer that was found is never unregistered.
    let Some(beneath) = (unsafe { base.as_ref() }) else {
        return ffi::SQLITE_ERROR;
    };
    // SAFETY: the layer beneath is one that was found.
    if !unsafe { keep_from_folders(base) } {
        return ffi::SQLITE_ERROR;
    }
    // Functions not replaced here are those beneath; none of them reads its layer.
    let layer = Box::leak(Box::new(ffi::sqlite3_vfs {
        szOsFile: beneath.szOsFile + HEAD_BYTES as c_int,
        pNext: ptr::null_mut(),
        zName: NAME.as_ptr(),
        pAppData: base.cast(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_path),
        ..*beneath
    }));
    // SAFETY: the layer is leaked, so that it lives as long as SQLite.
    unsafe { ffi::sqlite3_vfs_register(layer, 0) }
}

/// Keeps SQLite from syncing folders, whose failures it tells nobody: `names.rs` and `sync` do that.
///
/// # Safety
/// `base` is a layer that is registered.
unsafe fn keep_from_folders(base: *mut ffi::sqlite3_vfs) -> bool {
    type Any = unsafe extern "C" fn();
    // SAFETY: as the caller says.
    let Some(set) = (unsafe { (*base).xSetSystemCall }) else { return false };
    let open: unsafe extern "C" fn(*const c_char, *mut c_int) -> c_int = open_no_folder;
    // SAFETY: SQLite casts it back to what it is before it calls it.
    let open = unsafe {
        mem::transmute::<unsafe extern "C" fn(*const c_char, *mut c_int) -> c_int, Any>(open)
    };
    // SAFETY: the name is one of SQLite's for Unix, and the function lives as long as the library.
    unsafe { set(base, c"openDirectory".as_ptr(), Some(open)) == ffi::SQLITE_OK }
}

/// Answers that a folder cannot be opened: SQLite then goes on without it.
unsafe extern "C" fn open_no_folder(_name: *const c_char, descriptor: *mut c_int) -> c_int {
    // SAFETY: SQLite gives room for a descriptor.
    unsafe { *descriptor = -1 };
    ffi::SQLITE_CANTOPEN
}

// ---------------------------------------------------------------------------------------------
// Files

/// Version 2: without the functions for memory-mapped reading, which nothing here uses.
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

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives room for `szOsFile` bytes. Without methods it will not close the file.
    unsafe { (*file).pMethods = ptr::null() };
    // SAFETY: the layer is the one that `register_once` made, which holds the one beneath.
    let base = unsafe { (*vfs).pAppData }.cast::<ffi::sqlite3_vfs>();
    // SAFETY: the layer beneath is never unregistered.
    let Some(base_open) = (unsafe { (*base).xOpen }) else {
        return ffi::SQLITE_CANTOPEN;
    };
    let inner = inner_of(file);
    let try_open = |name, flags| {
        // SAFETY: the room behind the head has the size that the layer beneath wants.
        let (code, errno) = called(|| unsafe { base_open(base, name, inner, flags, out_flags) });
        // SAFETY: SQLite gives room for a number, or NULL.
        let given = unsafe { out_flags.as_ref() }.map_or(flags, |given| *given);
        let is_less = flags & ffi::SQLITE_OPEN_READWRITE > given & ffi::SQLITE_OPEN_READWRITE;
        if code == ffi::SQLITE_OK && is_less && is_passing(os::errno()) {
            let lack = os::errno();
            // SAFETY: the call has opened the file, which nobody else knows of.
            unsafe { close_inner(inner) };
            return (ffi::SQLITE_CANTOPEN, lack);
        }
        (code, errno)
    };
    let is_beside = flags & (ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL) != 0;
    // SAFETY: logs and journals are opened under the names that SQLite made beside a database's.
    let mut db = if is_beside { unsafe { head_of_db(name) } } else { None };
    let ear = db.as_ref().and_then(|db| db.ear.clone());
    let gathered = db.as_mut().and_then(|db| gathered_of(db, flags));
    let (code, errno) = match db {
        Some(db) if db.is_reader && flags & ffi::SQLITE_OPEN_WAL != 0 => {
            open_readers_log(db, name, &try_open)
        }
        _ => open_or_make(name, flags, &try_open),
    };
    if code == ffi::SQLITE_OK {
        let is_reader =
            flags & ffi::SQLITE_OPEN_MAIN_DB != 0 && flags & ffi::SQLITE_OPEN_READONLY != 0;
        let base = ffi::sqlite3_file { pMethods: &METHODS };
        let alone = Alone::No;
        let head = Head { base, name, is_reader, alone, ear, gathered, gathered_of_log: None };
        // SAFETY: the room begins with space for a head, aligned for anything.
        unsafe { file.cast::<Head>().write(head) };
    }
    classed(code, errno)
}

/// Returns where the log of a database is gathered, and has the database know it.
fn gathered_of(db: &mut Head, flags: c_int) -> Option<Arc<Mutex<Gathered>>> {
    let is_written = flags & ffi::SQLITE_OPEN_WAL != 0 && !db.is_reader;
    db.gathered_of_log = is_written.then(Arc::default);
    db.gathered_of_log.clone()
}

/// Calls one function of the layer beneath one of this layer's, or answers an error where it has none.
macro_rules! forward_name {
    ($vfs:expr, $function:ident $(, $argument:expr)*) => {{
        // SAFETY: the layer is the one that `register_once` made, which holds the one beneath.
        let base = unsafe { (*$vfs).pAppData }.cast::<ffi::sqlite3_vfs>();
        // SAFETY: the layer beneath is never unregistered.
        match unsafe { (*base).$function } {
            // SAFETY: the arguments are those SQLite gave.
            Some(call) => called(|| unsafe { call(base $(, $argument)*) }),
            None => (ffi::SQLITE_IOERR, 0),
        }
    }};
}

unsafe extern "C" fn delete(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    is_folder_synced: c_int,
) -> c_int {
    let (code, errno) = forward_name!(vfs, xDelete, name, is_folder_synced);
    classed(code, errno)
}

/// Asks whether a file is there. SQLite has one that it could not look for as not there: a database
/// whose journal it does not see it reads as it was left in the midst of a transaction.
unsafe extern "C" fn access(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    answer: *mut c_int,
) -> c_int {
    let (code, _) = forward_name!(vfs, xAccess, name, flags, answer);
    let errno = os::errno();
    // SAFETY: SQLite gives room for a number, which the call has written.
    let is_there = code == ffi::SQLITE_OK && unsafe { *answer } != 0;
    if is_there || is_of_missing(errno) || flags != ffi::SQLITE_ACCESS_EXISTS {
        return code;
    }
    classed(ffi::SQLITE_IOERR | errno << ERRNO_SHIFT, errno)
}

/// Returns whether a look that left this errno has found whether a file is there.
fn is_of_missing(errno: c_int) -> bool {
    matches!(errno, 0 | libc::ENOENT | libc::ENOTDIR)
}

unsafe extern "C" fn full_path(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    len: c_int,
    out: *mut c_char,
) -> c_int {
    let (code, errno) = forward_name!(vfs, xFullPathname, name, len, out);
    classed(code, errno)
}

/// Closes a file of the layer beneath that was opened in vain.
///
/// # Safety
/// The file is open, and is not used again.
unsafe fn close_inner(inner: *mut ffi::sqlite3_file) {
    // SAFETY: as the caller says.
    let methods = unsafe { (*inner).pMethods };
    // SAFETY: the table of an open file is a constant of the layer beneath.
    if let Some(close) = unsafe { methods.as_ref() }.and_then(|methods| methods.xClose) {
        // SAFETY: as the caller says.
        unsafe { close(inner) };
    }
}

/// Opens a file of the layer beneath. It tries a file that cannot be made once more without making
/// it, and that attempt's "no such file" is all that is left of the reason: so the file is made here.
fn open_or_make(
    name: *const c_char,
    flags: c_int,
    try_open: &impl Fn(*const c_char, c_int) -> (c_int, c_int),
) -> (c_int, c_int) {
    let (code, errno) = try_open(name, flags);
    let is_masked = code == ffi::SQLITE_CANTOPEN && errno == libc::ENOENT;
    if !is_masked || flags & ffi::SQLITE_OPEN_CREATE == 0 || name.is_null() {
        return (code, errno);
    }
    // SAFETY: SQLite's names end in NUL.
    match make_beside(unsafe { CStr::from_ptr(name) }) {
        Ok(()) => try_open(name, flags),
        Err(errno) => (code, errno),
    }
}

/// Opens the log for a connection that only reads: never makes one, and shows an empty one instead.
fn open_readers_log(
    reader: &mut Head,
    name: *const c_char,
    try_open: &impl Fn(*const c_char, c_int) -> (c_int, c_int),
) -> (c_int, c_int) {
    let flags = ffi::SQLITE_OPEN_READONLY | ffi::SQLITE_OPEN_WAL;
    match try_open(name, flags) {
        (ffi::SQLITE_CANTOPEN, libc::ENOENT) => {
            reader.alone = Alone::WithoutLog;
            try_open(EMPTY_FILE.as_ptr(), flags)
        }
        answer => answer,
    }
}

/// Returns what this layer knows of the database to which a log or a journal belongs.
///
/// # Safety
/// `name` is the name of one of those, as SQLite gives it to xOpen, and the answer is used no longer than
/// that runs.
unsafe fn head_of_db<'a>(name: *const c_char) -> Option<&'a mut Head> {
    // SAFETY: as the caller says; SQLite keeps the database's file with the name.
    let db = unsafe { ffi::sqlite3_database_file_object(name) };
    // SAFETY: the file is open while its log is opened.
    let methods = unsafe { (*db).pMethods };
    // SAFETY: a file with methods of this layer begins with a head; one thread uses a connection.
    ptr::eq(methods, &METHODS).then(|| unsafe { &mut *db.cast::<Head>() })
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    let (code, _) = forward!(opened, xClose);
    opened.head.ear = None;
    opened.head.gathered = None;
    opened.head.gathered_of_log = None;
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
    let (mut code, mut errno) = opened.write_held();
    if code == ffi::SQLITE_OK {
        (code, errno) = forward!(opened, xRead, place, len, offset);
    }
    note_read(classed(code, errno))
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    len: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    // SAFETY: SQLite gives so many bytes.
    let bytes = unsafe { slice::from_raw_parts(bytes.cast::<u8>(), len as usize) };
    let (code, errno) = opened.write(bytes, offset);
    classed(code, errno)
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    let (mut code, mut errno) = opened.write_held();
    if code == ffi::SQLITE_OK {
        (code, errno) = forward!(opened, xTruncate, size);
    }
    classed(code, errno)
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    let (mut code, mut errno) = opened.write_held();
    if code == ffi::SQLITE_OK {
        (code, errno) = forward!(opened, xSync, flags);
    }
    if code != ffi::SQLITE_OK {
        opened.doubt();
        return classed(code, errno);
    }
    match opened.sync_name() {
        Ok(()) => ffi::SQLITE_OK,
        Err(error) => classed(ffi::SQLITE_IOERR_DIR_FSYNC, error.raw_os_error().unwrap_or(0)),
    }
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, size: *mut i64) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    let (code, errno) = opened.write_held();
    if code != ffi::SQLITE_OK {
        return classed(code, errno);
    }
    forward!(opened, xFileSize, size).0
}

unsafe extern "C" fn take_lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    let (code, errno) = forward!(opened, xLock, level);
    lock_classed(code, errno)
}

unsafe extern "C" fn free_lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    forward!(opened, xUnlock, level).0
}

unsafe extern "C" fn check_reserved_lock(
    file: *mut ffi::sqlite3_file,
    answer: *mut c_int,
) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    forward!(opened, xCheckReservedLock, answer).0
}

unsafe extern "C" fn file_control(
    file: *mut ffi::sqlite3_file,
    operation: c_int,
    argument: *mut c_void,
) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    if operation == READS_ALONE {
        // SAFETY: whoever asks gives room for a number.
        unsafe { argument.cast::<c_int>().write(opened.head.alone as c_int) };
        return ffi::SQLITE_OK;
    }
    if operation == HEAR_SYNCS {
        // SAFETY: whoever tells gives a side file, of which a count is taken.
        opened.head.ear = Some(Arc::clone(unsafe { &*argument.cast::<Arc<Side>>() }));
        return ffi::SQLITE_OK;
    }
    let (code, _) = forward!(opened, xFileControl, operation, argument);
    match os::errno() {
        // SQLite has a file that it could not look for as moved, and then as one not to be written.
        errno if operation == ffi::SQLITE_FCNTL_HAS_MOVED && !is_of_missing(errno) => {
            classed(ffi::SQLITE_IOERR | errno << ERRNO_SHIFT, errno)
        }
        _ => code,
    }
}

unsafe extern "C" fn sector_size(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    forward!(opened, xSectorSize).0
}

unsafe extern "C" fn device_characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    forward!(opened, xDeviceCharacteristics).0
}

// ---------------------------------------------------------------------------------------------
// The index of the log

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    page: c_int,
    bytes: c_int,
    is_made: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    // SAFETY: SQLite gives room for one pointer, and reads it even after an error.
    unsafe { *out = ptr::null_mut() };
    if opened.head.is_reader && opened.head.alone == Alone::No && opened.has_nothing_to_index() {
        opened.head.alone = Alone::WithoutIndex;
    }
    if opened.head.alone != Alone::No {
        return ffi::SQLITE_READONLY_CANTINIT;
    }
    let (mut code, mut errno) = forward!(opened, xShmMap, page, bytes, is_made, out);
    if code == ffi::SQLITE_CANTOPEN && errno == libc::ENOENT {
        // As in `open_or_make`.
        match opened.beside("-shm").map(|name| make_beside(&name)) {
            Some(Ok(())) => (code, errno) = forward!(opened, xShmMap, page, bytes, is_made, out),
            Some(Err(cause)) => errno = cause,
            None => {}
        }
    }
    if code & 0xFF == ffi::SQLITE_READONLY && is_passing(errno) {
        // As with a file: else the index would be one that cannot be written to the whole process.
        let _ = forward!(opened, xShmUnmap, 0);
        code = ffi::SQLITE_CANTOPEN;
    }
    if code == ffi::SQLITE_OK {
        // SAFETY: the call wrote a pointer to the place given.
        code = made_sure(unsafe { *out }, bytes);
    } else {
        code = lock_classed(classed(code, errno), errno);
    }
    if code & 0xFF != ffi::SQLITE_OK && code & 0xFF != ffi::SQLITE_READONLY {
        // SAFETY: as above.
        unsafe { *out = ptr::null_mut() };
    }
    // SQLite would try again for ten seconds, whatever the caller's time-out, and call it a defect.
    if code == ffi::SQLITE_BUSY { ffi::SQLITE_BUSY_RECOVERY } else { code }
}

unsafe extern "C" fn shm_lock(
    file: *mut ffi::sqlite3_file,
    offset: c_int,
    len: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: called by SQLite with an open file of ours.
    let opened = unsafe { Opened::new(file) };
    if opened.head.alone != Alone::No {
        return ffi::SQLITE_OK;
    }
    if let (true, Some(gathered)) = (is_end_of_writing(offset, flags), &opened.head.gathered_of_log)
    {
        gathered.lock().unpoisoned().let_go();
    }
    let (code, errno) = forward!(opened, xShmLock, offset, len, flags);
    lock_classed(code, errno)
}

/// Returns whether a lock that goes is the one without which nobody writes to the log.
fn is_end_of_writing(offset: c_int, flags: c_int) -> bool {
    offset == 0 && flags & ffi::SQLITE_SHM_UNLOCK != 0
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
    forward!(opened, xShmUnmap, is_deleted).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::sqlite::errors::{errno_of, map};
    use crate::storage::sqlite::fault::{self, Fault, FileKind, Operation};
    use crate::storage::sqlite::vfs;
    use rusqlite::{Connection, OpenFlags};
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;
    use std::path::PathBuf;
    use std::time::{Duration, Instant};
    use tempfile::TempDir;

    fn open_with(path: &Path, flags: OpenFlags) -> Result<Connection> {
        register().unwrap();
        let connection = Connection::open_with_flags_and_vfs(path, flags, NAME).map_err(map)?;
        connection.busy_timeout(Duration::from_millis(1)).unwrap();
        Ok(connection)
    }

    fn store() -> (TempDir, PathBuf, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let connection = open_with(&path, OpenFlags::default()).unwrap();
        connection.pragma_update(None, "journal_mode", "wal").unwrap();
        connection.execute_batch("CREATE TABLE t (a); PRAGMA cache_size = 0").unwrap();
        (folder, path, connection)
    }

    fn insert(connection: &Connection) -> Result<()> {
        connection.execute("INSERT INTO t VALUES (1)", []).map(|_| ()).map_err(map)
    }

    fn rows(connection: &Connection) -> Result<i64> {
        connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).map_err(map)
    }

    fn arm(path: &Path, operation: Operation, file: FileKind, code: c_int, errno: c_int) {
        fault::arm(path, Fault { errno, ..Fault::new(operation, file, code) });
    }

    #[test]
    fn a_read_that_fails_is_no_corrupt_file_and_the_next_one_is_good() {
        let (_folder, path, connection) = store();
        insert(&connection).unwrap();
        for file in [FileKind::Wal, FileKind::Db] {
            arm(&path, Operation::Read, file, ffi::SQLITE_IOERR_CORRUPTFS, libc::EIO);
            let error = rows(&connection).unwrap_err();
            assert!(
                matches!(error, Error::Io { engine_code: ffi::SQLITE_IOERR_READ, .. }),
                "{error:?}"
            );
            assert_eq!(rows(&connection), Ok(1));
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        }
    }

    #[test]
    fn no_room_is_full_whichever_limit_it_is_and_whichever_file_lacks_it() {
        let (_folder, path, connection) = store();
        for errno in [libc::ENOSPC, libc::EDQUOT, libc::EFBIG] {
            arm(&path, Operation::Write, FileKind::Wal, ffi::SQLITE_IOERR_WRITE, errno);
            let error = insert(&connection).unwrap_err();
            assert!(matches!(&error, Error::Full(text) if text.contains("os error")), "{error:?}");
            insert(&connection).unwrap();
        }
        drop(connection);
        let files = [
            (Operation::Look, FileKind::Db, ffi::SQLITE_CANTOPEN),
            (Operation::Open, FileKind::Wal, ffi::SQLITE_CANTOPEN),
            (Operation::Map, FileKind::Shm, ffi::SQLITE_IOERR_SHMSIZE),
            (Operation::Map, FileKind::Shm, ffi::SQLITE_CANTOPEN),
        ];
        for (operation, file, code) in files {
            arm(&path, operation, file, code, libc::EDQUOT);
            let opened = open_with(&path, OpenFlags::default());
            let error = opened.and_then(|connection| rows(&connection)).unwrap_err();
            assert!(matches!(error, Error::Full(_)), "{operation:?} {file:?}: {error:?}");
            let connection = open_with(&path, OpenFlags::default()).unwrap();
            assert_eq!(rows(&connection), Ok(3));
        }
    }

    /// Also where a file is cut, brought to the disk or taken away.
    #[test]
    fn no_room_is_full_in_a_checkpoint_and_at_the_end_of_a_transaction_of_a_host() {
        let (_folder, path, connection) = store();
        let run = |sql: &str| connection.query_row(sql, [], |_| Ok(())).map_err(map);
        for (operation, file, code) in [
            (Operation::Sync, FileKind::Wal, ffi::SQLITE_IOERR_FSYNC),
            (Operation::Sync, FileKind::Db, ffi::SQLITE_IOERR_FSYNC),
            (Operation::Truncate, FileKind::Wal, ffi::SQLITE_IOERR_TRUNCATE),
            (Operation::Delete, FileKind::Any, ffi::SQLITE_IOERR_DELETE),
        ] {
            insert(&connection).unwrap();
            let is_journal = operation == Operation::Delete;
            if is_journal {
                run("PRAGMA journal_mode = DELETE").unwrap();
            }
            arm(&path, operation, file, code, libc::ENOSPC);
            let checkpoint = || run("PRAGMA wal_checkpoint(TRUNCATE)");
            let done = if is_journal { insert(&connection) } else { checkpoint() };
            let error = done.unwrap_err();
            assert!(matches!(error, Error::Full(_)), "{operation:?} {file:?}: {error:?}");
            assert!(rows(&connection).is_ok(), "{operation:?} {file:?}");
        }
    }

    /// SQLite opens for reading what it cannot open for writing, whatever the reason, and has it for a
    /// file that cannot be written from then on; the index of a log for the whole process.
    #[test]
    fn a_lack_while_a_file_is_opened_makes_it_none_that_cannot_be_written() {
        let (_folder, path, connection) = store();
        insert(&connection).unwrap();
        // So that there is a log to open.
        vfs::no_checkpoint_on_close(&connection, true).unwrap();
        drop(connection);
        for file in [FileKind::Db, FileKind::Wal, FileKind::Shm] {
            for errno in [libc::EMFILE, libc::ENFILE, libc::EIO, libc::ENOMEM] {
                arm(&path, Operation::OpenToWrite, file, 0, errno);
                let opened = open_with(&path, OpenFlags::default());
                let error = match &opened {
                    Ok(connection) => insert(connection).unwrap_err(),
                    Err(error) => error.clone(),
                };
                assert!(error.is_retryable(), "{file:?} {errno}: {error:?}");
                assert!([0, -errno].contains(&error.engine_code()), "{file:?} {errno}: {error:?}");
                let again = opened.or_else(|_| open_with(&path, OpenFlags::default())).unwrap();
                assert_eq!(insert(&again), Ok(()), "{file:?} {errno}");
                vfs::no_checkpoint_on_close(&again, true).unwrap();
            }
        }
        for errno in [libc::EACCES, libc::EPERM, libc::EROFS] {
            arm(&path, Operation::OpenToWrite, FileKind::Db, 0, errno);
            let reader = open_with(&path, OpenFlags::default()).unwrap();
            assert!(rows(&reader).is_ok());
            assert!(matches!(insert(&reader), Err(Error::ReadOnly(_))), "{errno}");
        }
    }

    /// SQLite has a file that it could not look for as missing: a database whose journal it does not see
    /// it reads as a transaction left it that was cut off.
    #[test]
    fn what_cannot_be_looked_for_is_not_taken_for_missing() {
        let (_folder, path, connection) = store();
        drop(connection);
        // Of the file, its journal and its log.
        for (after, errno, code) in [
            (0, libc::EIO, -41),
            (0, libc::ENOMEM, -45),
            (0, libc::EACCES, -47),
            (1, libc::EIO, -41),
            (1, libc::ENOMEM, -45),
            (1, libc::EACCES, -41),
            (2, libc::EIO, -41),
            (2, libc::EACCES, -41),
        ] {
            let fault = Fault::new(Operation::Look, FileKind::Any, ffi::SQLITE_CANTOPEN);
            fault::arm(&path, Fault { errno, after, ..fault });
            let opened = open_with(&path, OpenFlags::default());
            let error = opened.and_then(|connection| rows(&connection)).unwrap_err();
            assert_eq!(error.code(), code, "{after} {errno}: {error:?}");
            let again = open_with(&path, OpenFlags::default()).unwrap();
            assert_eq!(rows(&again), Ok(0), "{after} {errno}");
        }
    }

    /// SQLite has a file that it could not look for as moved, and does not write to one that was.
    #[test]
    fn what_cannot_be_looked_for_has_not_moved() {
        let (_folder, path, connection) = store();
        connection.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())).unwrap();
        for (errno, code) in [(libc::EIO, -41), (libc::ENOMEM, -45), (libc::EACCES, -41)] {
            arm(&path, Operation::Look, FileKind::Db, 0, errno);
            assert_eq!(insert(&connection).unwrap_err().code(), code, "{errno}");
            assert_eq!(insert(&connection), Ok(()));
        }
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(insert(&connection), Err(Error::ReadOnly(_))));
    }

    #[test]
    fn a_lack_of_descriptors_or_memory_may_be_tried_again() {
        let (_folder, path, connection) = store();
        drop(connection);
        for errno in [libc::EMFILE, libc::ENFILE, libc::EIO, libc::ENOMEM] {
            for (operation, file) in [
                (Operation::Open, FileKind::Db),
                (Operation::Open, FileKind::Wal),
                (Operation::Map, FileKind::Shm),
            ] {
                arm(&path, operation, file, ffi::SQLITE_CANTOPEN, errno);
                let opened = open_with(&path, OpenFlags::default());
                let error = opened.and_then(|connection| rows(&connection)).unwrap_err();
                assert!(error.is_retryable(), "{operation:?} {file:?} {errno}: {error:?}");
                let (code, engine_code) = (error.code(), error.engine_code());
                let is_right = match errno {
                    libc::ENOMEM => error == Error::NoMem,
                    _ => (code, engine_code) == (-41, -errno),
                };
                assert!(is_right, "{operation:?} {file:?} {errno}");
            }
        }
    }

    #[test]
    fn a_lock_that_cannot_be_had_is_told_from_one_that_others_have() {
        let (_folder, path, connection) = store();
        let began = Instant::now();
        for errno in [libc::ENOLCK, libc::EIO, libc::EACCES, libc::EPERM] {
            for (file, code) in [
                (FileKind::Shm, ffi::SQLITE_BUSY),
                (FileKind::Db, ffi::SQLITE_BUSY),
                (FileKind::Db, ffi::SQLITE_PERM),
            ] {
                let fresh = open_with(&path, OpenFlags::default()).unwrap();
                let fault = Fault { errno, ..Fault::new(Operation::Lock, file, code) };
                fault::arm(&path, Fault { is_sticky: true, ..fault });
                let error = rows(&fresh).unwrap_err();
                let is_io = matches!(error, Error::Io { engine_code, .. } if engine_code == -errno);
                assert!(is_io, "{file:?} {errno}: {error:?}");
                fault::disarm(&path);
                assert_eq!(rows(&fresh), Ok(0));
            }
        }
        let busy = Fault {
            errno: libc::EAGAIN,
            ..Fault::new(Operation::Map, FileKind::Shm, ffi::SQLITE_BUSY)
        };
        let fresh = open_with(&path, OpenFlags::default()).unwrap();
        fault::arm(&path, Fault { is_sticky: true, ..busy });
        assert!(matches!(rows(&fresh), Err(Error::Busy(_))));
        // SQLite alone goes on for ten seconds, whatever the time-out.
        assert!(began.elapsed() < Duration::from_secs(9));
        fault::disarm(&path);
        drop(connection);
    }

    /// SQLite makes a file, and when it cannot, opens it without making it: the reason is lost then.
    #[test]
    fn why_a_file_cannot_be_made_is_told_although_sqlite_tries_twice() {
        let (folder, path, connection) = store();
        drop(connection);
        for suffix in ["-wal", "-shm"] {
            let connection = open_with(&path, OpenFlags::default()).unwrap();
            // Not to be made, and not there to be opened.
            let taken = folder.path().join(format!("db{suffix}"));
            std::os::unix::fs::symlink("nowhere/at all", &taken).unwrap();
            let error = rows(&connection).unwrap_err();
            assert!(matches!(error, Error::CannotOpen { .. }), "{suffix}: {error:?}");
            std::fs::remove_file(&taken).unwrap();
            assert_eq!(rows(&connection), Ok(0));
        }
        let name = CString::new(path.as_os_str().as_bytes()).unwrap();
        let log = CString::new([name.to_bytes(), b"-wal"].concat()).unwrap();
        assert_eq!(make_beside(&log), Ok(()));
        let missing = CString::new([b"/no such folder/".as_slice(), b"db-wal"].concat()).unwrap();
        assert_eq!(make_beside(&missing), Err(libc::ENOENT));
    }

    #[test]
    fn a_reader_makes_no_file_and_sees_whoever_comes_to_write() {
        let (folder, path, connection) = store();
        insert(&connection).unwrap();
        drop(connection);
        let reader = open_with(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();

        assert_eq!(rows(&reader), Ok(1));

        let names = || std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names(), 1);
        assert_eq!(vfs::reads_alone_until(&reader), Ok(Some("-wal")));
        let writer = open_with(&path, OpenFlags::default()).unwrap();
        insert(&writer).unwrap();
        writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        drop(writer);
        assert_eq!(names(), 3, "the writer took its log and index away beneath a reader");
        let beside = open_with(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        assert_eq!((rows(&beside), vfs::reads_alone_until(&beside)), (Ok(2), Ok(None)));
        drop((reader, beside));
        std::fs::remove_file(folder.path().join("db-shm")).unwrap();
        std::fs::write(folder.path().join("db-wal"), b"").unwrap();
        let empty = open_with(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        assert_eq!((rows(&empty), vfs::reads_alone_until(&empty)), (Ok(2), Ok(Some("-shm"))));
    }

    #[test]
    fn only_what_failed_is_given_a_class() {
        let kept = [
            ffi::SQLITE_OK,
            ffi::SQLITE_IOERR_SHORT_READ,
            ffi::SQLITE_READONLY,
            ffi::SQLITE_READONLY_CANTINIT,
            ffi::SQLITE_NOTFOUND,
        ];
        for errno in [libc::ENOSPC, libc::EMFILE, libc::ENOMEM] {
            assert!(kept.iter().all(|code| classed(*code, errno) == *code));
        }
        assert_eq!(classed(ffi::SQLITE_CANTOPEN, libc::EACCES), ffi::SQLITE_CANTOPEN);
        assert_eq!(classed(ffi::SQLITE_IOERR_WRITE, 0), ffi::SQLITE_IOERR_WRITE);
        assert_eq!(errno_of(classed(ffi::SQLITE_IOERR_WRITE, libc::ENOSPC)), libc::ENOSPC);
        assert_eq!(lock_classed(ffi::SQLITE_BUSY, libc::EAGAIN), ffi::SQLITE_BUSY);
        assert_eq!(lock_classed(ffi::SQLITE_BUSY, 0), ffi::SQLITE_BUSY);
        // No memory for a page is no full disk: nothing is mapped there.
        let nowhere = ptr::without_provenance_mut(4096);
        assert_eq!(made_sure(nowhere, 4096), ffi::SQLITE_NOMEM);
    }
}
