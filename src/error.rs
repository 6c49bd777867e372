//! The one error type, its codes and its sentences.
//!
//! A variant says what is wrong and carries the noun. The integer of each variant is frozen: the C
//! header publishes it as `SW_ERR_*`. Messages are lower case, name the value and the limit, and
//! never hold a payload.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// A sentence for the user of the library.
pub type Sentence = Cow<'static, str>;

/// What went wrong, in the caller's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// A handle or pointer that cannot be meant: NULL, of the wrong kind, a call without its flag.
    Misuse(Sentence),
    /// An argument outside its range or form.
    Invalid(Sentence),
    /// No such run, step, file row.
    NotFound(Sentence),
    /// A payload or text above its limit.
    TooBig(Sentence),
    /// An option, flag, file system or feature that this library does not serve.
    Unsupported(Sentence),
    /// The store was shut down or closed.
    Closed,
    /// The handle was made before a `fork` and this is the child.
    Forked,
    /// Another copy of this library in this process holds the file.
    SecondCopy(Sentence),
    /// Another attempt holds the fence, or the run has ended.
    LeaseLost(Sentence),
    /// The run was cancelled.
    Cancelled(Sentence),
    /// A step was begun with another input than the one recorded.
    Nondeterminism(Sentence),
    /// The state of the thing forbids the call.
    Conflict(Sentence),
    /// The file holds an older schema, or none: call init or migrate.
    SchemaOld {
        /// Version in the file.
        current: i64,
        /// Version this library works with.
        newest: i64,
    },
    /// The file or the asked target is newer than this library.
    SchemaNew {
        /// Version in the file, or the target asked for.
        found: i64,
        /// Version this library works with.
        newest: i64,
    },
    /// The file has `sw_*` tables that are not ours.
    SchemaForeign(Sentence),
    /// A migration target below the version in the file.
    TargetOlder {
        /// Version in the file.
        current: i64,
        /// Target asked for.
        target: i64,
    },
    /// A budget does not allow the amount asked.
    Budget(Sentence),
    /// An applied migration differs from the one this library has.
    SchemaEdited {
        /// Number of the migration.
        id: i64,
    },
    /// The store is not in force: it was moved to another one, or a move into it was taken back.
    Moved(Sentence),
    /// A lock was held by another for the whole time-out.
    Busy(Sentence),
    /// Reading, writing or syncing failed.
    Io {
        /// SQLite's extended result code, or a negated `errno`.
        engine_code: i32,
        /// What failed.
        sentence: Sentence,
    },
    /// The disk, or the quota, is full.
    Full(Sentence),
    /// The store or its medium cannot be written.
    ReadOnly(Sentence),
    /// The file is damaged.
    Corrupt(Sentence),
    /// Memory ran out.
    NoMem,
    /// The file is not a SQLite database.
    NotAStore(Sentence),
    /// The file cannot be opened or made.
    CannotOpen {
        /// SQLite's extended result code, or a negated `errno`.
        engine_code: i32,
        /// What could not be opened and why.
        sentence: Sentence,
    },
    /// A rule of our own did not hold.
    Internal(Sentence),
    /// Our code panicked; only that call's work was rolled back.
    Panic(Sentence),
    /// A sync failed earlier: writes are refused until the store is reopened.
    Poisoned,
    /// The write-ahead log was taken away from under us.
    WalLost(Sentence),
}

impl Error {
    /// Turns what a panic carried into an error. Dropping it may panic once more, and no further.
    pub fn of_panic(payload: Box<dyn Any + Send>) -> Error {
        let text = payload
            .downcast_ref::<&'static str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let sentence = format!("the library panicked: {}", text.unwrap_or("a value without text"));
        if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(second);
        }
        Error::Panic(sentence.into())
    }

    /// Returns the frozen integer of the variant, as in the C header.
    pub const fn code(&self) -> i32 {
        match self {
            Error::Misuse(_) => -1,
            Error::Invalid(_) => -2,
            Error::NotFound(_) => -3,
            Error::TooBig(_) => -5,
            Error::Unsupported(_) => -6,
            Error::Closed => -7,
            Error::Forked => -8,
            Error::SecondCopy(_) => -9,
            Error::LeaseLost(_) => -20,
            Error::Cancelled(_) => -21,
            Error::Nondeterminism(_) => -22,
            Error::Conflict(_) => -23,
            Error::SchemaOld { .. } => -24,
            Error::SchemaNew { .. } => -25,
            Error::SchemaForeign(_) => -26,
            Error::TargetOlder { .. } => -27,
            Error::Budget(_) => -28,
            Error::SchemaEdited { .. } => -29,
            Error::Moved(_) => -30,
            Error::Busy(_) => -40,
            Error::Io { .. } => -41,
            Error::Full(_) => -42,
            Error::ReadOnly(_) => -43,
            Error::Corrupt(_) => -44,
            Error::NoMem => -45,
            Error::NotAStore(_) => -46,
            Error::CannotOpen { .. } => -47,
            Error::Internal(_) => -60,
            Error::Panic(_) => -61,
            Error::Poisoned => -62,
            Error::WalLost(_) => -63,
        }
    }

    /// Returns SQLite's extended result code or a negated `errno`; 0 when neither was involved.
    pub const fn engine_code(&self) -> i32 {
        if let Error::Io { engine_code, .. } | Error::CannotOpen { engine_code, .. } = self {
            *engine_code
        } else {
            0
        }
    }

    /// Returns whether the same call may succeed when repeated unchanged.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Error::Busy(_) | Error::Io { .. } | Error::NoMem)
    }

    /// Names an item of a list in the sentence of what is wrong with it.
    pub fn at_index(self, at: usize) -> Error {
        self.within(&format!("items[{at}]"))
    }

    /// Names the part of an argument in the sentence of what is wrong with it.
    pub fn within(mut self, part: &str) -> Error {
        if let Error::Invalid(sentence)
        | Error::TooBig(sentence)
        | Error::Unsupported(sentence)
        | Error::NotFound(sentence)
        | Error::Conflict(sentence) = &mut self
        {
            *sentence = format!("{part}: {sentence}").into();
        }
        self
    }

    /// Makes an `Invalid` from anything that reads as a sentence.
    pub fn invalid(sentence: impl Into<Sentence>) -> Error {
        Error::Invalid(sentence.into())
    }

    /// Makes a `Conflict` from anything that reads as a sentence.
    pub fn conflict(sentence: impl Into<Sentence>) -> Error {
        Error::Conflict(sentence.into())
    }

    /// Makes an `Internal` from anything that reads as a sentence.
    pub fn internal(sentence: impl Into<Sentence>) -> Error {
        Error::Internal(sentence.into())
    }

    /// Returns the error of a write whose commit may stand: one of those that leave that open (P7). The
    /// others say that nothing is stored.
    pub fn of_a_commit(self) -> Error {
        if !matches!(self, Error::NoMem | Error::Busy(_) | Error::CannotOpen { .. }) {
            return self;
        }
        let is_memory = matches!(self, Error::NoMem);
        let engine_code = if is_memory { -libc::ENOMEM } else { self.engine_code() };
        Error::Io { engine_code, sentence: self.to_string().into() }
    }

    /// Returns whether a write that failed so may stand all the same (P7).
    pub const fn leaves_open(&self) -> bool {
        let is_of_disk = matches!(self, Error::Io { .. } | Error::Full(_) | Error::WalLost(_));
        is_of_disk || matches!(self, Error::Poisoned | Error::Panic(_))
    }

    /// Makes an error from a failed system call: of what lacks, or else an `Io`.
    pub fn from_os(what: &str, error: &std::io::Error) -> Error {
        let engine_code = error.raw_os_error().map_or(0, |errno| -errno);
        let sentence = format!("{what}: {error}").into();
        match -engine_code {
            libc::ENOSPC | libc::EDQUOT | libc::EFBIG => Error::Full(sentence),
            libc::ENOMEM => Error::NoMem,
            _ => Error::Io { engine_code, sentence },
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Misuse(s)
            | Error::Invalid(s)
            | Error::NotFound(s)
            | Error::TooBig(s)
            | Error::Unsupported(s)
            | Error::SecondCopy(s)
            | Error::LeaseLost(s)
            | Error::Cancelled(s)
            | Error::Nondeterminism(s)
            | Error::Conflict(s)
            | Error::SchemaForeign(s)
            | Error::Budget(s)
            | Error::Moved(s)
            | Error::Busy(s)
            | Error::Full(s)
            | Error::ReadOnly(s)
            | Error::Corrupt(s)
            | Error::NotAStore(s)
            | Error::Internal(s)
            | Error::Panic(s)
            | Error::WalLost(s) => out.write_str(s),
            Error::Io { sentence, .. } | Error::CannotOpen { sentence, .. } => {
                out.write_str(sentence)
            }
            Error::Closed => out.write_str("the store is shut down or closed"),
            Error::Forked => out.write_str(
                "this handle, or this file, was opened before a fork and this process is the child",
            ),
            Error::SchemaOld { current, newest } => write!(
                out,
                "the file has schema version {current}, this library works with {newest}: call sw_store_init"
            ),
            Error::SchemaNew { found, newest } => write!(
                out,
                "schema version {found} is newer than {newest}, the newest this library knows"
            ),
            Error::TargetOlder { current, target } => write!(
                out,
                "the file has schema version {current}, going back to {target} is not possible"
            ),
            Error::SchemaEdited { id } => {
                write!(out, "migration {id} was applied from another text than this library has")
            }
            Error::NoMem => out.write_str("out of memory"),
            Error::Poisoned => out.write_str(
                "an earlier sync of the store failed: writes are refused until every handle on it is closed and it is opened again",
            ),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_busy_io_and_nomem_are_retryable() {
        assert!(Error::Busy("x".into()).is_retryable());
        assert!(Error::Io { engine_code: 0, sentence: "x".into() }.is_retryable());
        assert!(Error::NoMem.is_retryable());
        assert!(!Error::Full("x".into()).is_retryable());
        assert!(!Error::Poisoned.is_retryable());
    }

    #[test]
    fn a_failed_system_call_keeps_its_errno() {
        let error = Error::from_os("sync", &std::io::Error::from_raw_os_error(5));
        assert_eq!(error.engine_code(), -5);
        assert_eq!(error.code(), -41);
        for (errno, code) in [
            (libc::ENOSPC, -42),
            (libc::EDQUOT, -42),
            (libc::EFBIG, -42),
            (libc::ENOMEM, -45),
            (libc::EMFILE, -41),
            (libc::EACCES, -41),
        ] {
            let error = Error::from_os("sync", &std::io::Error::from_raw_os_error(errno));
            assert_eq!(error.code(), code, "{errno}");
        }
    }
}
