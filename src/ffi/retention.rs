//! What is kept, and what goes.

use std::ffi::c_char;

use super::args::raw;
use super::codes::SW_OK;
use super::guard::guard;
use super::report::sw_error;
use super::store::sw_store;
use super::text::sw_text;
use crate::limits::FILTER_BYTES_MAX;
use crate::text::Text;

/// Removes runs that have ended, with all that is stored of them, and tells what came of it as a JSON
/// document: the runs that were removed, the trees that are gone, the bytes of JSON that the runs
/// carried (args, results, errors, metadata, what their steps recorded and what was said to them), and
/// whether there may be more to do.
///
///   {"runs":3,"trees":2,"bytes":4096,"more":false}
///
/// Trees go whole or not at all: a topmost run with all runs below it. filter is that of sw_run_list
/// and is asked of the topmost run alone, as with "roots_only": true; a state that is not "completed",
/// "failed" or "cancelled" means none. A tree in which a run lives stays, whatever the filter, and so
/// does one from whose runs a living one was forked, since that may await their children. The oldest
/// go first, unless order says "newest".
///
/// A tree is gone for every call from the first moment: its ids are SW_ERR_NOT_FOUND, lists and counts
/// leave it out, and its idempotency key makes a new run. Its rows go part by part, and up to limit
/// runs in one call: what is left of a larger tree goes first in the next call, whatever its filter,
/// and is in runs and bytes of that one. Repeat the call while more is true. With "dry_run": true
/// nothing is changed, and the document tells what would go of the trees that are there.
///
/// What the runs appended to the log stays there (sw_event_read without run_id) until every older
/// event is gone as well, so that the log has no holes but before its first_seq; the newest event
/// stays in any case. Pages that become free are used again; the file does not shrink.
///
/// May block, for each part: some ten milliseconds in which other writers wait. Durable when it
/// returns, as the store's durability says. Whoever is killed in the middle has removed some trees and
/// not the others; the next prune goes on where it stopped.
/// \param filter,filter_len  JSON, to SW_FILTER_BYTES_MAX; absent is everything that has ended
/// \param limit              runs to remove, 1 to SW_PRUNE_LEN_MAX; 0 is 1000
/// \param out                receives the document, freed by sw_text_free; NULL on failure
/// \retval SW_OK             the document is in out
/// \retval SW_ERR_INVALID    filter as for sw_run_list; limit is above SW_PRUNE_LEN_MAX
/// \retval SW_ERR_TOO_BIG    filter or a text in it is above its limit
/// \retval SW_ERR_NOT_FOUND  the run of parent_run_id or root_run_id is not there, and no tree was
///                           left to go on with
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_store_prune(
    store: *mut sw_store,
    filter: *const c_char,
    filter_len: usize,
    limit: u32,
    out: *mut *mut sw_text,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out = call.out_handle(out)?;
            let store = call.store(store)?;
            let filter = call.document(raw("filter", filter, filter_len), FILTER_BYTES_MAX)?;
            out.give(Text::from(store.prune(filter, limit)?));
            Ok(SW_OK)
        })
    }
}
