//! The codes that exports answer, as C knows them.
//!
//! Frozen: a number is never reused. New ones take free numbers of their class (-1 to -19 the
//! caller, -20 to -39 the state, -40 to -59 the environment, -60 to -69 the library).

use std::ffi::CStr;

/// Done.
pub const SW_OK: i32 = 0;

/// Nothing is there now: no run to claim, no run under the key.
pub const SW_NONE: i32 = 1;

/// The wait ended before what it waited for came.
pub const SW_TIMEOUT: i32 = 2;

/// Of sw_step_begin and sw_child_submit: done before; the recorded answer is attached and the work must not
/// run again. Awaits and sleeps that replay answer as they did the first time.
pub const SW_REPLAYED: i32 = 3;

/// The key matched: the id of what exists was returned and nothing was made.
pub const SW_EXISTS: i32 = 4;

/// Not ready: suspend the attempt, or ask again later. Of sw_attempt_fail: the attempt has ended, and the run
/// is tried again.
pub const SW_SUSPEND: i32 = 5;

/// A memoised failure, a failed child or a final failure. The call itself succeeded.
pub const SW_FAILED: i32 = 6;

/// A pointer that cannot be meant: NULL, a handle of another kind, NULL text with a
/// length; or a call without the flag it needs. The calling program is wrong.
pub const SW_ERR_MISUSE: i32 = -1;

/// An argument outside its range or form; the message names the value and the limit.
pub const SW_ERR_INVALID: i32 = -2;

/// No such run, child, step, reservation, budget unit or schedule.
pub const SW_ERR_NOT_FOUND: i32 = -3;

/// A text or payload above its limit, or a statement of the host's that ran for too long.
pub const SW_ERR_TOO_BIG: i32 = -5;

/// An option, flag, file system or feature that this library does not serve.
pub const SW_ERR_UNSUPPORTED: i32 = -6;

/// The store was shut down or closed.
pub const SW_ERR_CLOSED: i32 = -7;

/// The handle, or the file, was opened before a fork and this process is the child.
pub const SW_ERR_FORKED: i32 = -8;

/// Another copy of this library in this process holds the file.
pub const SW_ERR_SECOND_COPY: i32 = -9;

/// The run was taken back when the lease lapsed, whether or not another attempt has it yet; or it, or this
/// attempt, has ended: stop work, results will be refused.
pub const SW_ERR_LEASE_LOST: i32 = -20;

/// The run was cancelled or timed out. At the end of an attempt by sw_attempt_complete, _fail, _release or
/// _suspend, that end was stored all the same.
pub const SW_ERR_CANCELLED: i32 = -21;

/// The code is another than the one that recorded: a step was begun with another input, an await as
/// another kind, or a claim's SW_CLAIM_STRICT or SW_CLAIM_REPLAY_ONLY found a difference.
pub const SW_ERR_NONDETERMINISM: i32 = -22;

/// The state of the thing forbids the call, such as finishing twice with different bytes.
pub const SW_ERR_CONFLICT: i32 = -23;

/// The file has an older schema, or none yet: call sw_store_init or sw_store_migrate.
pub const SW_ERR_SCHEMA_OLD: i32 = -24;

/// The file, or the target asked for, is newer than this library. Nothing was written.
pub const SW_ERR_SCHEMA_NEW: i32 = -25;

/// The file has sw_* tables that are not of this library, or something was added to its own: a column,
/// an index, a trigger, a foreign key that refers to them. Nothing was written.
pub const SW_ERR_SCHEMA_FOREIGN: i32 = -26;

/// The target of a migration is below the version of the file; there is no way back.
pub const SW_ERR_TARGET_OLDER: i32 = -27;

/// A budget does not allow the amount asked; nothing was taken.
pub const SW_ERR_BUDGET: i32 = -28;

/// A migration applied to the file differs from the one this library has.
pub const SW_ERR_SCHEMA_EDITED: i32 = -29;

/// The store is not in force: it was moved to another one, which the message names, or a move into it
/// was taken back. Close it and open the other one. See sw_store_graduate.
pub const SW_ERR_MOVED: i32 = -30;

/// A lock, one of the max_readers connections that read, or the turn to write was not to be had for the whole
/// busy timeout, or the store is being moved by sw_store_graduate. May be retried.
pub const SW_ERR_BUSY: i32 = -40;

/// Reading, writing, syncing or locking failed, or the process or the system has too few
/// descriptors. May be retried; sw_error_engine_code is the reason.
pub const SW_ERR_IO: i32 = -41;

/// The disk, a quota, or a limit on the size of files is reached. What was acknowledged before
/// stays.
pub const SW_ERR_FULL: i32 = -42;

/// The store was opened read-only, or its medium cannot be written.
pub const SW_ERR_READONLY: i32 = -43;

/// The file is damaged.
pub const SW_ERR_CORRUPT: i32 = -44;

/// Memory ran out, of payloads, SQLite or the system. May be retried. Where even the small memory of a call is
/// not to be had, the process is aborted; what was acknowledged is kept.
pub const SW_ERR_NOMEM: i32 = -45;

/// The file is not a SQLite database. Nothing was written.
pub const SW_ERR_NOT_A_STORE: i32 = -46;

/// The file cannot be opened or made. Also from a call that needs a read connection of its own,
/// which the store opens when first needed: when the right to the file was lost by then.
pub const SW_ERR_CANNOT_OPEN: i32 = -47;

/// A rule of the library's own did not hold. Please report it with the message.
pub const SW_ERR_INTERNAL: i32 = -60;

/// The library's code panicked in this call alone: its work is rolled back, or all of it is done and
/// only the answer lost. Please report it.
pub const SW_ERR_PANIC: i32 = -61;

/// An earlier sync of the store failed: writes are refused until every handle on the file is
/// closed and it is opened again. Reading goes on.
pub const SW_ERR_POISONED: i32 = -62;

/// The database, its write-ahead log or its -smolwf was removed or replaced while the store was
/// open: what is written to it nobody will see. Close every handle on it and open it again. Another
/// SQLite in this process may have taken the log away; see the first page.
pub const SW_ERR_WAL_LOST: i32 = -63;

/// Every code with its name, for `sw_code_name`.
const NAMES: &[(i32, &CStr)] = &[
    (SW_OK, c"SW_OK"),
    (SW_NONE, c"SW_NONE"),
    (SW_TIMEOUT, c"SW_TIMEOUT"),
    (SW_REPLAYED, c"SW_REPLAYED"),
    (SW_EXISTS, c"SW_EXISTS"),
    (SW_SUSPEND, c"SW_SUSPEND"),
    (SW_FAILED, c"SW_FAILED"),
    (SW_ERR_MISUSE, c"SW_ERR_MISUSE"),
    (SW_ERR_INVALID, c"SW_ERR_INVALID"),
    (SW_ERR_NOT_FOUND, c"SW_ERR_NOT_FOUND"),
    (SW_ERR_TOO_BIG, c"SW_ERR_TOO_BIG"),
    (SW_ERR_UNSUPPORTED, c"SW_ERR_UNSUPPORTED"),
    (SW_ERR_CLOSED, c"SW_ERR_CLOSED"),
    (SW_ERR_FORKED, c"SW_ERR_FORKED"),
    (SW_ERR_SECOND_COPY, c"SW_ERR_SECOND_COPY"),
    (SW_ERR_LEASE_LOST, c"SW_ERR_LEASE_LOST"),
    (SW_ERR_CANCELLED, c"SW_ERR_CANCELLED"),
    (SW_ERR_NONDETERMINISM, c"SW_ERR_NONDETERMINISM"),
    (SW_ERR_CONFLICT, c"SW_ERR_CONFLICT"),
    (SW_ERR_SCHEMA_OLD, c"SW_ERR_SCHEMA_OLD"),
    (SW_ERR_SCHEMA_NEW, c"SW_ERR_SCHEMA_NEW"),
    (SW_ERR_SCHEMA_FOREIGN, c"SW_ERR_SCHEMA_FOREIGN"),
    (SW_ERR_TARGET_OLDER, c"SW_ERR_TARGET_OLDER"),
    (SW_ERR_BUDGET, c"SW_ERR_BUDGET"),
    (SW_ERR_SCHEMA_EDITED, c"SW_ERR_SCHEMA_EDITED"),
    (SW_ERR_MOVED, c"SW_ERR_MOVED"),
    (SW_ERR_BUSY, c"SW_ERR_BUSY"),
    (SW_ERR_IO, c"SW_ERR_IO"),
    (SW_ERR_FULL, c"SW_ERR_FULL"),
    (SW_ERR_READONLY, c"SW_ERR_READONLY"),
    (SW_ERR_CORRUPT, c"SW_ERR_CORRUPT"),
    (SW_ERR_NOMEM, c"SW_ERR_NOMEM"),
    (SW_ERR_NOT_A_STORE, c"SW_ERR_NOT_A_STORE"),
    (SW_ERR_CANNOT_OPEN, c"SW_ERR_CANNOT_OPEN"),
    (SW_ERR_INTERNAL, c"SW_ERR_INTERNAL"),
    (SW_ERR_PANIC, c"SW_ERR_PANIC"),
    (SW_ERR_POISONED, c"SW_ERR_POISONED"),
    (SW_ERR_WAL_LOST, c"SW_ERR_WAL_LOST"),
];

/// Returns the name of a code; `SW_UNKNOWN` for an integer that is none.
pub(super) fn name(code: i32) -> &'static CStr {
    NAMES.iter().find(|(known, _)| *known == code).map_or(c"SW_UNKNOWN", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    /// One error of each kind.
    fn errors() -> Vec<Error> {
        let s = || "x".into();
        vec![
            Error::Misuse(s()),
            Error::Invalid(s()),
            Error::NotFound(s()),
            Error::TooBig(s()),
            Error::Unsupported(s()),
            Error::Closed,
            Error::Forked,
            Error::SecondCopy(s()),
            Error::LeaseLost(s()),
            Error::Cancelled(s()),
            Error::Nondeterminism(s()),
            Error::Conflict(s()),
            Error::SchemaOld { current: 0, newest: 1 },
            Error::SchemaNew { found: 2, newest: 1 },
            Error::SchemaForeign(s()),
            Error::TargetOlder { current: 2, target: 1 },
            Error::Budget(s()),
            Error::SchemaEdited { id: 1 },
            Error::Moved(s()),
            Error::Busy(s()),
            Error::Io { engine_code: 0, sentence: s() },
            Error::Full(s()),
            Error::ReadOnly(s()),
            Error::Corrupt(s()),
            Error::NoMem,
            Error::NotAStore(s()),
            Error::CannotOpen { engine_code: 0, sentence: s() },
            Error::Internal(s()),
            Error::Panic(s()),
            Error::Poisoned,
            Error::WalLost(s()),
        ]
    }

    #[test]
    fn every_error_has_a_published_code_of_its_own() {
        let mut codes: Vec<i32> = errors().iter().map(Error::code).collect();
        assert!(codes.iter().all(|code| name(*code).to_bytes().starts_with(b"SW_ERR_")));
        codes.sort_unstable();
        codes.dedup();
        let published = NAMES.iter().filter(|(code, _)| *code < 0).count();
        assert_eq!(codes.len(), published);
    }

    #[test]
    fn the_name_of_an_error_is_the_name_of_its_variant() {
        for error in errors() {
            let variant = format!("{error:?}");
            let variant = variant.split([' ', '(']).next().unwrap().to_ascii_uppercase();
            let name = name(error.code()).to_str().unwrap().replace('_', "");
            assert_eq!(name, format!("SWERR{variant}"));
        }
    }

    #[test]
    fn an_unknown_integer_has_a_name_too() {
        for code in [7, -4, -19, i32::MIN, i32::MAX] {
            assert_eq!(name(code), c"SW_UNKNOWN");
        }
    }
}
