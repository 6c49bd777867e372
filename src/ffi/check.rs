//! Whether a store is whole, and copies of it.

use std::ffi::c_char;

use super::codes::SW_OK;
use super::guard::guard;
use super::report::sw_error;
use super::store::sw_store;
use super::text::sw_text;
use crate::text::Text;

/// Looks whether a store is whole, and answers a JSON report. It is ok when nothing was found; else
/// faults has an entry for each thing that should not be, at most SW_CHECK_FAULTS_MAX of a kind.
/// Details name rows by their keys, and hold no payload.
///
///   {"ok":false,"faults":[{"check":"ledger","detail":"entry 12 has no balance"}]}
///
/// It verifies the pages and indexes of the file; that each balance of a budget is the
/// sum of its ledger, of its totals and of its open reservations; that open reservations are of
/// living attempts; that a run has a task or an end, never both; that nothing is of a run, parent,
/// root, lane or owner that is not there; that counts of running runs are right; that what was
/// recorded is JSON; that each payload stored apart is the one recorded, and counted as often as
/// it is carried. It changes nothing. What CHECK clauses of the host's own tables say is not asked.
///
/// May block. Never waits for a writer. Reads the whole file: seconds for each gigabyte, in which
/// the log cannot start over.
/// \param out  receives the document, freed by sw_text_free; NULL on failure
/// \retval SW_OK           the document is in out, whatever it says
/// \retval SW_ERR_CORRUPT  also: so damaged that it cannot be looked through
/// \retval SW_ERR_IO       also: a page could not be read, so that nothing is known of it
/// \codes reading
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_store_check(
    store: *mut sw_store,
    out: *mut *mut sw_text,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out = call.out_handle(out)?;
            let store = call.store(store)?;
            out.give(Text::from(store.check()?));
            Ok(SW_OK)
        })
    }
}

/// Copies a store to a new file while others write: as it is at one moment, and whole. The copy gets its
/// name at the end, so a file of that name is a backup that was finished; its mode is 0600.
///
/// The copy is a store of its own. Restoring is to copy or move it where the store was, while nobody has
/// that open, and to take the old -wal, -shm and -smolwf away. Its running attempts are lost ones: the
/// next claim takes their runs back, and those steps replay that were recorded when it was taken. Cursors
/// of the original are none of the copy's.
///
/// A store of an older schema can be copied as well, before sw_store_init migrates it: its copy has that
/// schema.
///
/// What is acknowledged before the call is in the copy, which is safe from the loss of power when the call
/// returns. A process that is killed meanwhile leaves files whose names begin with that of the copy,
/// -backup_ and 26 letters, which may be deleted.
///
/// May block. Never waits for a writer: seconds for each gigabyte, in which the log cannot start over. A
/// store in memory can write nothing meanwhile. sw_store_shutdown ends it.
/// \param path  of the copy, NUL-terminated, as for sw_store_open; nothing may have that name, nor that
///              with -wal, -shm, -journal or -smolwf behind it; nor may it be such a name of a file
///              that is there
/// \retval SW_OK                the copy is there
/// \retval SW_ERR_INVALID       path is empty, too long, a URI or ":memory:"
/// \retval SW_ERR_CONFLICT      something has that name, or it would be a part of a file; all is as it was
/// \retval SW_ERR_READONLY      the folder is on a file system that cannot be written
/// \retval SW_ERR_FULL          also: no room for the copy, of which nothing is left
/// \retval SW_ERR_UNSUPPORTED   the store is on a server, whose own tools copy it
/// \codes reading but SW_ERR_SCHEMA_OLD
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_store_backup(
    store: *mut sw_store,
    path: *const c_char,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let store = call.store(store)?;
            store.backup(call.path(path)?)?;
            Ok(SW_OK)
        })
    }
}
