//! What is kept, and what goes.

use std::ffi::c_char;

use super::args::raw;
use super::codes::SW_OK;
use super::guard::guard;
use super::report::sw_error;
use super::store::sw_store;
use super::text::sw_text;
use crate::limits::{FILTER_BYTES_MAX, POLICY_BYTES_MAX};
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
/// stays in any case. Pages that become free are used again; sw_store_compact gives them back.
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

/// Sets which ended runs go by themselves, as if somebody called sw_store_prune for them again and again:
/// for how long they stay, and how many. The policy is a JSON object, each member of which may be left
/// out, as may each member of an entry of "workflows":
///
///   {"completed_ms":604800000,"failed_ms":2592000000,"cancelled_ms":604800000,"keep_newest":100,
///    "workflows":{"audit":{"completed_ms":31536000000}}}
///
/// For how long: completed_ms, failed_ms and cancelled_ms are the milliseconds for which a run stays that
/// ended so, counted from its end, 0 to SW_DURATION_MS_MAX. One that is left out means for ever, where
/// another of the three is given. How many: the newest keep_newest ended runs of each workflow stay, in the
/// order of submission and whatever they ended as, 0 to SW_KEEP_NEWEST_MAX. A run goes once nothing keeps it:
/// it has stayed for its time and is not among the newest. With keep_newest above 0 and none of the three
/// times, the newest stay and all others go, whatever their age; with keep_newest 0 and none of them nothing
/// goes: for that give times of 0. What an entry of "workflows" has holds for the runs of that workflow in
/// the place of the same member outside; it may name workflows that have no run yet, up to
/// SW_POLICY_WORKFLOWS_MAX.
///
/// It is asked of topmost runs, and what goes, goes as sw_store_prune says: trees whole, none in which a
/// run lives or from which a living one was forked, with all that is stored of them but what they appended
/// to the log while older events are there.
///
/// The policy is kept in the file, and in copies of it, and holds for every process, until it is set
/// again: it is replaced whole. `{}`, and an absent one, ends it. The one that holds already is set again
/// at no cost.
///
/// What is due is removed by claims and by waits of whoever may write (sw_run_claim, sw_run_wait and the
/// like), part by part: some milliseconds, then a pause of some, up to about five thousand runs a second
/// in all. So a run may stay longer than it must: by an eighth of its time, at least a quarter of a second
/// and at most a minute; more where others are due before it, and in a store in which millions stay. A
/// store that nobody claims from or waits in keeps all: there sw_store_prune is the way. Whoever is killed
/// in the middle, the next goes on. Times are those of the wall clock, or of the manual one: what a
/// clock that is wrong by a year has let go does not come back, but the newest stay. Each look for what is
/// due is a write: while nothing but claims and waits go on, one in an eighth of the shortest time, four
/// in a second to one in a minute. Without a policy, and between looks, nothing is written for it.
///
/// May block. Durable when it returns, as the store's durability says.
/// \param policy,policy_len  JSON object, to SW_POLICY_BYTES_MAX; absent is `{}`
/// \retval SW_OK           the policy holds, or none does
/// \retval SW_ERR_INVALID  policy is no JSON object, or has an unknown key or a value out of its range
/// \retval SW_ERR_TOO_BIG  policy or a name in it is above its limit
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_retention_set(
    store: *mut sw_store,
    policy: *const c_char,
    policy_len: usize,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let store = call.store(store)?;
            let policy = call.document(raw("policy", policy, policy_len), POLICY_BYTES_MAX)?;
            store.retention_set(policy)?;
            Ok(SW_OK)
        })
    }
}

/// Tells the policy that sw_retention_set has set, as a JSON document with the members that were given;
/// `{}` where there is none:
///
///   {"completed_ms":604800000,"keep_newest":100}
///
/// May block. Never waits for a writer.
/// \param out  receives the document, freed by sw_text_free; NULL on failure
/// \retval SW_OK  the document is in out
/// \codes reading
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_retention_get(
    store: *mut sw_store,
    out: *mut *mut sw_text,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out = call.out_handle(out)?;
            out.give(Text::from(call.store(store)?.retention()?));
            Ok(SW_OK)
        })
    }
}

/// Gives pages of the file that hold nothing back to the file system, and tells as a JSON document how
/// many, and how many that hold nothing are left.
///
///   {"freed_pages":1024,"left_pages":300}
///
/// What ended runs leave behind is used again by those that come, so that a file whose runs go by
/// themselves does not grow; this makes it smaller, after very many have gone. sw_store_stats tells how
/// much is free, in "free_bytes".
///
/// Part by part, so that others write in between: each page given back may move another. The file has
/// its new size when the log is moved into it, which this call does if no reader keeps it from that. It
/// waits for none: otherwise a later write does it, or the next call.
///
/// May block, for each part: some milliseconds in which other writers wait. Durable when it returns, as
/// the store's durability says. Whoever is killed in the middle has given some pages back and not the
/// others.
/// \param pages_max  pages to give back, 1 to SW_COMPACT_PAGES_MAX; 0 is 1024
/// \param out        receives the document, freed by sw_text_free; NULL on failure
/// \retval SW_OK               the document is in out
/// \retval SW_ERR_INVALID      pages_max is above SW_COMPACT_PAGES_MAX
/// \retval SW_ERR_UNSUPPORTED  the file was made without this: by an older version of the library, or
///                             by another program. The message says how it gets it
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_store_compact(
    store: *mut sw_store,
    pages_max: u32,
    out: *mut *mut sw_text,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out = call.out_handle(out)?;
            let store = call.store(store)?;
            out.give(Text::from(store.compact(pages_max)?));
            Ok(SW_OK)
        })
    }
}
