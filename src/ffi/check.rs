//! Whether a store is whole.

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
/// root, lane or owner that is not there; that counts of running runs are right. It changes nothing.
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
