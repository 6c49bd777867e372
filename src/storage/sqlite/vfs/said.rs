//! What the system said of a call, kept in SQLite's codes.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ptr::NonNull;

use rusqlite::ffi;

use crate::os;
use crate::storage::sqlite::errors::ERRNO_SHIFT;

/// Gives a failure its class by the errno that caused it. What SQLite acts upon stays as it is.
pub(super) fn classed(code: c_int, errno: c_int) -> c_int {
    let is_failure =
        matches!(code & 0xFF, ffi::SQLITE_IOERR | ffi::SQLITE_CANTOPEN | ffi::SQLITE_FULL);
    match errno {
        _ if !is_failure || code == ffi::SQLITE_IOERR_SHORT_READ => code,
        libc::ENOSPC | libc::EDQUOT | libc::EFBIG => ffi::SQLITE_FULL | errno << ERRNO_SHIFT,
        libc::ENOMEM => ffi::SQLITE_NOMEM,
        libc::EMFILE | libc::ENFILE | libc::EIO if code & 0xFF == ffi::SQLITE_CANTOPEN => {
            ffi::SQLITE_IOERR | errno << ERRNO_SHIFT
        }
        // SQLite makes a corrupt file of it, although the next read may succeed.
        _ if code == ffi::SQLITE_IOERR_CORRUPTFS => ffi::SQLITE_IOERR_READ,
        _ => code,
    }
}

/// Tells a lock that others have from one that cannot be had: waiting helps the first alone.
pub(super) fn lock_classed(code: c_int, errno: c_int) -> c_int {
    let is_refused = matches!(code & 0xFF, ffi::SQLITE_BUSY | ffi::SQLITE_PERM);
    match errno {
        0 | libc::EAGAIN => code,
        _ if is_refused => ffi::SQLITE_IOERR | errno << ERRNO_SHIFT,
        _ => code,
    }
}

/// Returns whether what was not opened for writing may be the next time. SQLite then opens it for
/// reading, and has the file for one that cannot be written as long as it is open.
pub(super) fn is_passing(errno: c_int) -> bool {
    classed(ffi::SQLITE_CANTOPEN, errno) != ffi::SQLITE_CANTOPEN
}

/// Runs one call of the layer beneath; returns its code and the errno it left.
pub(super) fn called(call: impl FnOnce() -> c_int) -> (c_int, c_int) {
    os::set_errno(0);
    let code = call();
    (code, if code == ffi::SQLITE_OK { 0 } else { os::errno() })
}

thread_local! {
    static FAILED_READ: Cell<c_int> = const { Cell::new(ffi::SQLITE_OK) };
}

/// Keeps the code of a read that failed.
pub(super) fn note_read(code: c_int) -> c_int {
    if code != ffi::SQLITE_OK && code != ffi::SQLITE_IOERR_SHORT_READ {
        FAILED_READ.set(code);
    }
    code
}

/// Returns the code of the last read of this thread that failed since this was asked last; SQLITE_OK
/// for none. SQLite's own check takes a page that it could not read for one that is damaged.
pub fn take_failed_read() -> c_int {
    FAILED_READ.replace(ffi::SQLITE_OK)
}

/// Makes sure that a region of the index can be written: SQLite may have left a hole in its file.
pub(super) fn made_sure(region: *mut c_void, bytes: c_int) -> c_int {
    let len = usize::try_from(bytes).unwrap_or(0);
    match NonNull::new(region.cast()).map_or(Ok(()), |start| os::populate(start, len)) {
        Ok(()) => ffi::SQLITE_OK,
        Err(error) => {
            let errno = error.raw_os_error().unwrap_or(libc::EIO);
            classed(ffi::SQLITE_IOERR_SHMMAP & 0xFF | errno << ERRNO_SHIFT, errno)
        }
    }
}
