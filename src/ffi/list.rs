//! Lists of runs: finding them by what they are, counting, annotating, acting on many.

use std::ffi::c_char;

use super::args::raw;
use super::codes::SW_OK;
use super::guard::guard;
use super::report::sw_error;
use super::store::sw_store;
use super::text::sw_text;
use crate::limits::FILTER_BYTES_MAX;
use crate::text::Text;

/// Lists the runs that a filter means, page by page, as a JSON document.
///
///   {"items":[{"run_id":"run_01k...","task_id":"task_01k...","root_run_id":"run_01k...",
///      "parent_run_id":null,"workflow":"invoice","queue":"billing","state":"failed","priority":0,
///      "attempts":3,"tries":3,"max_tries":3,"run_at_ms":1760000000000,
///      "created_at_ms":1760000000000,"updated_at_ms":1760000009000,
///      "finished_at_ms":1760000009000,"code_version":null,"cancel_asked":false,
///      "pause_asked":false,"due_at_ms":null}],
///    "next":"l1.9f86d0...","looked_at":1}
///
/// filter is a JSON object, as {"state":"failed","workflow":"invoice"}; a run is listed when all that
/// it names is true of the run. Absent, or {}, it leaves nothing out. Its keys:
///
/// - state: one of the states of sw_run_get, or an array of them
/// - workflow, queue, code_version: a name
/// - worker: a name; that of the run's running attempt or, where none runs, of its newest
/// - parent_run_id: the run that submitted it
/// - root_run_id: the topmost run of its tree, which is listed itself
/// - roots_only: true leaves out what another run submitted
/// - created_from_ms, created_to_ms: when it was submitted, Unix milliseconds, half open: from this
///   instant, to before that
/// - finished_from_ms, finished_to_ms: when it ended, as above; open runs are left out
/// - metadata: an object of up to SW_FILTER_METADATA_MAX strings, numbers, true, false or null:
///   top-level members that the run's metadata has with equal values
/// - idempotency_scope, idempotency_key: as in sw_submit_options; a key without a scope is one of
///   the scope without a name, as with ""
/// - error_contains: to SW_KEY_BYTES_MAX bytes that the JSON text of its error, or of an open run's
///   last_error, contains
/// - cancel_asked: true or false, as sw_run_get shows it
/// - order: "newest", the default, or "oldest": which of the submitted comes first
/// - include: an array of "args", "result", "error", "metadata", "waiting_for"
/// - dry_run: for sw_run_act_many and sw_store_prune
///
/// An item is a run as sw_run_get shows it, without the keys args, result, error, last_error,
/// metadata and waiting_for, unless include names them; error stands for error and last_error.
///
/// next is the cursor of the next page, null on the last. It stays valid whatever runs come and go,
/// and is good for this filter, order and store alone. A call looks at SW_LIST_LOOKS_MAX runs at most,
/// about, whatever it finds: a page may have fewer items than limit, even none, and a next. looked_at
/// says how many runs it looked at.
///
/// A page costs the same in a store of any size where these narrow it, all that are named together:
/// state, workflow, queue, code_version, parent_run_id, root_run_id, created_*, finished_*, metadata,
/// idempotency_key, idempotency_scope. Of running runs, of pending ones that are ready, and of a
/// scope this holds for up to SW_LIST_GATHER_MAX of them, of finished_* for a span in which about a
/// million have ended; beyond that more runs are looked at, of all open ones or of all. worker,
/// error_contains, roots_only and cancel_asked have no index: they are asked of the runs that the
/// others leave.
///
/// May block. Never waits for a writer; a page is one moment of the store.
/// \param filter,filter_len  JSON, to SW_FILTER_BYTES_MAX; absent is all runs
/// \param cursor,cursor_len  what next said in the page before; absent is the first page
/// \param limit              items in the page, 1 to SW_LIST_LEN_MAX; 0 is 100
/// \param out                receives the document, freed by sw_text_free; NULL on failure
/// \retval SW_OK             the document is in out
/// \retval SW_ERR_INVALID    filter is no JSON object, has an unknown key, one twice, or a value out
///                           of its form or range; cursor is of another filter, order or store, or
///                           is none; limit is above SW_LIST_LEN_MAX
/// \retval SW_ERR_TOO_BIG    filter or a text in it is above its limit
/// \retval SW_ERR_NOT_FOUND  the run of parent_run_id or root_run_id is not there
/// \codes reading
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_run_list(
    store: *mut sw_store,
    filter: *const c_char,
    filter_len: usize,
    cursor: *const c_char,
    cursor_len: usize,
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
            let cursor = call.cursor(raw("cursor", cursor, cursor_len))?;
            out.give(Text::from(store.run_list(filter, cursor, limit)?));
            Ok(SW_OK)
        })
    }
}

/// Counts the runs that a filter means, as sw_run_list reads it, and stops at a number.
///
/// It looks at as many runs as a list of them would page by page: with a filter that has no index, at
/// every run of the store. It does so part by part, each a moment of the store, so that runs which
/// come, change or go meanwhile may be counted or not.
///
/// May block. Never waits for a writer.
/// \param filter,filter_len  JSON, to SW_FILTER_BYTES_MAX; absent is all runs
/// \param at_most            where to stop, 1 to SW_COUNT_MAX; 0 is 10000
/// \param out                receives the number, at_most if there are as many or more
/// \retval SW_OK             the number is in out
/// \retval SW_ERR_INVALID    filter is no JSON object, has an unknown key, one twice, or a value out
///                           of its form or range; at_most is above SW_COUNT_MAX
/// \retval SW_ERR_TOO_BIG    filter or a text in it is above its limit
/// \retval SW_ERR_NOT_FOUND  the run of parent_run_id or root_run_id is not there
/// \codes reading
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_run_count(
    store: *mut sw_store,
    filter: *const c_char,
    filter_len: usize,
    at_most: u64,
    out: *mut u64,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out = call.out("out", out)?;
            let store = call.store(store)?;
            let filter = call.document(raw("filter", filter, filter_len), FILTER_BYTES_MAX)?;
            out.set(store.run_count(filter, at_most)?);
            Ok(SW_OK)
        })
    }
}

/// Changes the metadata of a run, in whatever state, by a JSON merge patch (RFC 7396): members of
/// patch take the place of those of the metadata, null takes one away, objects are merged, and what
/// patch does not name stays as it was. A run without metadata has an empty object. Lists find the
/// run by what it has become at once; a patch that changes nothing writes nothing.
///
/// May block. Durable when it returns, as the store's durability says.
/// \param run_id,run_id_len  from a submit or a claim
/// \param patch,patch_len    a JSON object
/// \retval SW_OK             the metadata is changed, or was so before
/// \retval SW_ERR_INVALID    run_id is absent, empty, no UTF-8, or holds a NUL; patch is absent or no
///                           JSON object
/// \retval SW_ERR_NOT_FOUND  no such run
/// \retval SW_ERR_TOO_BIG    it would have more than SW_METADATA_BYTES_MAX, or patch is above the
///                           store's limit on payloads; nothing is changed
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_run_annotate(
    store: *mut sw_store,
    run_id: *const c_char,
    run_id_len: usize,
    patch: *const c_char,
    patch_len: usize,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let store = call.store(store)?;
            let run_id = call.id(raw("run_id", run_id, run_id_len))?;
            let max = store.payload_bytes_max();
            let patch = call.needed_document(raw("patch", patch, patch_len), max)?;
            store.annotate(run_id, patch)?;
            Ok(SW_OK)
        })
    }
}

/// Does to the runs that a filter means, up to a number, what the call on one run does, and tells
/// what came of it as a JSON document.
///
///   {"matched":3,"done":2,"refused":[{"run_id":"run_01k...","code":-23}],"more":false}
///
/// filter is that of sw_run_list. Where it names no state, the runs to which there is something to do
/// are meant: for "cancel" the open ones that were not told yet, for "pause" the open ones that are
/// not paused or told, for "resume" the paused ones and those that were told to pause, for "retry" the
/// failed and cancelled ones. So a call that is repeated while more is true comes to an end, whoever
/// was stopped in between. Where it names states, all runs in these are meant: those of which the call
/// on one run would answer SW_ERR_CONFLICT are left as they are and listed in refused, and meant again
/// the next time.
///
/// With "dry_run": true nothing is done, and done is 0: matched counts the runs that it would be done
/// to or refused of, refused lists the latter.
///
/// Where no index says which runs are meant, the call looks on, SW_LIST_LOOKS_MAX runs at a time, until
/// it has found some or has seen all.
///
/// One commit, all or none of the runs; their states are looked at in it. What follows a cancel below
/// each of them is as for sw_run_cancel: no descendant is claimed any more once it returns.
///
/// May block, for each part of what is cancelled. Durable when it returns, as the store's durability
/// says.
/// \param action,action_len  "cancel", "pause", "resume" or "retry"
/// \param filter,filter_len  JSON, to SW_FILTER_BYTES_MAX; absent is all runs
/// \param limit              runs to act on, 1 to SW_LIST_LEN_MAX; 0 is 100
/// \param out                receives the document, freed by sw_text_free; NULL on failure
/// \retval SW_OK             the document is in out. Its more is true when there may be other runs
///                           that are meant
/// \retval SW_ERR_INVALID    action is absent or none of these; filter as for sw_run_list; limit is
///                           above SW_LIST_LEN_MAX
/// \retval SW_ERR_TOO_BIG    action, filter or a text in it is above its limit
/// \retval SW_ERR_NOT_FOUND  the run of parent_run_id or root_run_id is not there
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_run_act_many(
    store: *mut sw_store,
    action: *const c_char,
    action_len: usize,
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
            let action = call.name(raw("action", action, action_len))?;
            let filter = call.document(raw("filter", filter, filter_len), FILTER_BYTES_MAX)?;
            out.give(Text::from(store.act_many(action, filter, limit)?));
            Ok(SW_OK)
        })
    }
}
