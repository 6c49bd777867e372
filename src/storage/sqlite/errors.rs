//! How faults of SQLite and of the system read as errors of ours.

use std::ffi::c_int;
use std::path::Path;

use rusqlite::ffi;

use crate::error::Error;
use crate::storage::system::map_system;

/// Where a code keeps the errno that caused it; SQLite's own extended codes end below.
pub(super) const ERRNO_SHIFT: u32 = 16;

/// Returns the errno that a code of this layer keeps; 0 for none.
pub const fn errno_of(code: c_int) -> c_int {
    code >> ERRNO_SHIFT
}

/// Reads a fault of SQLite as an error of ours.
pub fn map(error: rusqlite::Error) -> Error {
    let text = error.to_string();
    match error.sqlite_error() {
        Some(failure) => map_code(failure.extended_code, &text),
        None => {
            Error::Corrupt(format!("the file holds what the schema does not allow: {text}").into())
        }
    }
}

/// Reads a result code of SQLite, or of our layer beneath it, as an error of ours; `text` says what
/// failed.
pub fn map_code(code: i32, text: &str) -> Error {
    let errno = errno_of(code);
    let cause = match errno {
        0 => String::new(),
        errno => format!(": {}", std::io::Error::from_raw_os_error(errno)),
    };
    let engine_code = if errno == 0 { code } else { -errno };
    let sentence = || format!("{text}{cause}").into();
    match code & 0xFF {
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => {
            Error::Busy("another program kept a lock on the file for the whole time-out".into())
        }
        ffi::SQLITE_PROTOCOL => Error::Busy(
            "another program kept a lock on the index of the log for ten seconds".into(),
        ),
        ffi::SQLITE_FULL => Error::Full(format!("the disk, or a quota, is full{cause}").into()),
        ffi::SQLITE_READONLY => map_readonly(code),
        ffi::SQLITE_PERM => Error::ReadOnly("the file cannot be written".into()),
        ffi::SQLITE_CORRUPT => Error::Corrupt("the file is damaged".into()),
        ffi::SQLITE_NOMEM => Error::NoMem,
        ffi::SQLITE_NOTADB => Error::NotAStore("the file is not a SQLite database".into()),
        ffi::SQLITE_TOOBIG => Error::TooBig("a row is larger than SQLite can hold".into()),
        ffi::SQLITE_CANTOPEN => Error::CannotOpen { engine_code, sentence: sentence() },
        ffi::SQLITE_IOERR if code == ffi::SQLITE_IOERR_NOMEM => Error::NoMem,
        ffi::SQLITE_IOERR => Error::Io { engine_code, sentence: sentence() },
        ffi::SQLITE_ERROR if text.contains("unsupported file format") => {
            Error::Unsupported("the file is of a format that this SQLite does not know".into())
        }
        ffi::SQLITE_ERROR if text.contains("no such ") => {
            Error::Corrupt(format!("the file lacks a part of its schema: {text}").into())
        }
        _ => Error::internal(format!("SQLite answered {engine_code}: {text}")),
    }
}

/// Reads why something cannot be written; some of it is a reader that finds what only a writer mends.
fn map_readonly(engine_code: i32) -> Error {
    match engine_code {
        ffi::SQLITE_READONLY_RECOVERY | ffi::SQLITE_READONLY_CANTINIT => Error::Busy(
            "the log awaits a recovery that needs the right to write: open the store for writing".into(),
        ),
        ffi::SQLITE_READONLY_ROLLBACK => Error::CannotOpen {
            engine_code,
            sentence: "a transaction was cut off, and its journal must be rolled back first: open the file once for writing".into(),
        },
        _ => Error::ReadOnly("the file cannot be written".into()),
    }
}

/// Reads a failed call on a file as an error that names it.
pub fn cannot_open(path: &Path, error: &std::io::Error) -> Error {
    map_system(&format!("{} cannot be opened", path.display()), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_sqlite_read_as_errors_of_ours() {
        let fault = |code: i32| {
            map(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None)).code()
        };
        assert_eq!(fault(rusqlite::ffi::SQLITE_BUSY), -40);
        assert_eq!(fault(rusqlite::ffi::SQLITE_IOERR_FSYNC), -41);
        assert_eq!(fault(rusqlite::ffi::SQLITE_FULL), -42);
        assert_eq!(fault(rusqlite::ffi::SQLITE_READONLY_DBMOVED), -43);
        assert_eq!(fault(rusqlite::ffi::SQLITE_CORRUPT), -44);
        assert_eq!(fault(rusqlite::ffi::SQLITE_NOTADB), -46);
        assert_eq!(fault(rusqlite::ffi::SQLITE_CONSTRAINT), -60);
        assert_eq!(fault(rusqlite::ffi::SQLITE_PROTOCOL), -40);
        assert_eq!(fault(rusqlite::ffi::SQLITE_READONLY_RECOVERY), -40);
        assert_eq!(fault(rusqlite::ffi::SQLITE_READONLY_ROLLBACK), -47);
    }
}
