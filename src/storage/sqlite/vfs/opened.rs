//! A file of our layer, while one of its functions runs.

#![allow(unsafe_code, reason = "a file layer is a table of C functions")]

use std::ffi::{CStr, CString, OsStr, c_char, c_int};
use std::io;
use std::mem;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rusqlite::ffi;

use crate::lock::Unpoisoned;
use crate::os;
use crate::storage::sqlite::names;
use crate::storage::sqlite::side::Side;
use crate::storage::sqlite::vfs::alone::Alone;
use crate::storage::sqlite::vfs::gather::{Gathered, Next};
use crate::storage::sqlite::vfs::said::called;

/// What stands in SQLite's room for a file before the structure of the layer beneath.
#[repr(C, align(8))]
pub(super) struct Head {
    pub(super) base: ffi::sqlite3_file,
    /// SQLite's name of the file, which outlives it; NULL for a temporary one.
    pub(super) name: *const c_char,
    /// Whether it is a database that is open for reading only.
    pub(super) is_reader: bool,
    /// Whether SQLite is shown an index without a file behind it. Set once, never taken back.
    pub(super) alone: Alone,
    /// Who is told of a sync that fails.
    pub(super) ear: Option<Arc<Side>>,
    /// What is held back of this log.
    pub(super) gathered: Option<Arc<Mutex<Gathered>>>,
    /// What is held back of this database's log.
    pub(super) gathered_of_log: Option<Arc<Mutex<Gathered>>>,
}

pub(super) const HEAD_BYTES: usize = mem::size_of::<Head>();

/// Calls one function of the layer beneath, or answers an error where it has none.
macro_rules! forward {
    ($opened:expr, $function:ident $(, $argument:expr)*) => {
        match $opened.methods.$function {
            // SAFETY: the inner file is open, and the arguments are those SQLite gave.
            Some(call) => called(|| unsafe { call($opened.inner $(, $argument)*) }),
            None => (ffi::SQLITE_IOERR, 0),
        }
    };
}
pub(super) use forward;

/// An open file of this layer, while one of its functions runs.
pub(super) struct Opened<'a> {
    pub(super) head: &'a mut Head,
    /// The file of the layer beneath, which stands behind the head, and its functions.
    pub(super) inner: *mut ffi::sqlite3_file,
    pub(super) methods: &'a ffi::sqlite3_io_methods,
}

impl Opened<'_> {
    /// # Safety
    /// SQLite calls a function of `METHODS` with this file, which `open` therefore has filled in. One
    /// thread at a time uses a file.
    pub(super) unsafe fn new<'a>(file: *mut ffi::sqlite3_file) -> Opened<'a> {
        // SAFETY: `open` wrote a head to the place before it set the methods.
        let head = unsafe { &mut *file.cast::<Head>() };
        let inner = inner_of(file);
        // SAFETY: the inner file was opened before the methods were set.
        let table = unsafe { (*inner).pMethods };
        // SAFETY: an open file's table is a constant of the layer beneath.
        let methods = unsafe { &*table };
        Opened { head, inner, methods }
    }

    pub(super) fn doubt(&self) {
        if let Some(ear) = &self.head.ear {
            ear.note_failed_sync();
        }
    }

    /// Brings the name of a journal to the disk: what it undoes is written next.
    pub(super) fn sync_name(&self) -> io::Result<()> {
        if self.head.name.is_null() {
            return Ok(());
        }
        // SAFETY: SQLite's names end in NUL and outlive their files.
        let name = unsafe { CStr::from_ptr(self.head.name) };
        match name.to_bytes().strip_suffix(b"-journal") {
            Some(db) => names::sync_folder(Path::new(OsStr::from_bytes(db)), || self.doubt()),
            None => Ok(()),
        }
    }

    /// Returns the path of the file that stands beside a database under this suffix.
    pub(super) fn beside(&self, suffix: &str) -> Option<CString> {
        if self.head.name.is_null() {
            return None;
        }
        // SAFETY: SQLite's names end in NUL and outlive their files.
        let name = unsafe { CStr::from_ptr(self.head.name) };
        CString::new([name.to_bytes(), suffix.as_bytes()].concat()).ok()
    }

    /// Returns whether a reader finds no index, and an empty log.
    pub(super) fn has_nothing_to_index(&self) -> bool {
        let find = |suffix| self.beside(suffix).map(|path| os::identity(path_of(&path)));
        let is_missing = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
        let has_no_index = matches!(find("-shm"), Some(Err(error)) if is_missing(&error));
        has_no_index && matches!(find("-wal"), Some(Ok(log)) if log.size == 0)
    }
}

/// Writing, where a log is gathered.
impl Opened<'_> {
    /// Writes, or holds back what is to be written with that which follows.
    pub(super) fn write(&self, bytes: &[u8], offset: i64) -> (c_int, c_int) {
        let Some(gathered) = &self.head.gathered else {
            return self.write_through(bytes, offset);
        };
        let next = gathered.lock().unpoisoned().take(bytes, offset);
        match next {
            Next::Hold => (ffi::SQLITE_OK, 0),
            Next::WriteHeld => self.write_held(),
            Next::WriteThrough => match self.write_held() {
                (ffi::SQLITE_OK, _) => self.write_through(bytes, offset),
                failed => failed,
            },
        }
    }

    /// Has what is held back written.
    pub(super) fn write_held(&self) -> (c_int, c_int) {
        match &self.head.gathered {
            Some(gathered) => {
                let write = |held: &[u8], at| self.write_through(held, at);
                gathered.lock().unpoisoned().write_with(write)
            }
            None => (ffi::SQLITE_OK, 0),
        }
    }

    fn write_through(&self, bytes: &[u8], offset: i64) -> (c_int, c_int) {
        // What is held is bounded, and what SQLite gives had this type.
        let len = bytes.len() as c_int;
        forward!(self, xWrite, bytes.as_ptr().cast(), len, offset)
    }
}

pub(super) fn inner_of(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: the room asked for in szOsFile is a head and then the structure of the layer beneath.
    unsafe { file.byte_add(HEAD_BYTES) }
}

fn path_of(name: &CStr) -> &Path {
    Path::new(OsStr::from_bytes(name.to_bytes()))
}

/// Makes a file of a database's, empty and as readable as that; returns why it cannot be made. No
/// descriptor is opened: closing one of a file of SQLite's would drop its locks.
pub(super) fn make_beside(name: &CStr) -> std::result::Result<(), c_int> {
    let bytes = name.to_bytes();
    let db = bytes.iter().rposition(|byte| *byte == b'-').map_or(bytes, |at| &bytes[..at]);
    let mode = os::identity(Path::new(OsStr::from_bytes(db))).map_or(0o600, |db| db.mode & 0o777);
    os::make_file(name, mode).map(|_| ()).map_err(|error| error.raw_os_error().unwrap_or(libc::EIO))
}
