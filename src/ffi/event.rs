//! Events: the append-only log of a store.

use std::ffi::c_char;

use super::args::raw;
use super::attempt::sw_attempt;
use super::codes::{SW_EXISTS, SW_OK, SW_TIMEOUT};
use super::guard::guard;
use super::report::sw_error;
use super::stop::sw_stop;
use super::store::sw_store;
use super::text::sw_text;
use crate::domain::event::Read;
use crate::text::Text;

/// Appends an event to the log, about the run of an attempt. Events are numbered from 1 in the order
/// of their commits, without gaps: once a number can be read, no smaller one appears.
///
/// With a key, one event is appended per (run, key); a repeat answers SW_EXISTS, whatever its type
/// and payload. Without one, a run that begins again appends again: events do not replay.
///
/// May block. Durable when it returns; so is what SW_EXISTS confirms.
/// \param type,type_len        kind of event, a name; names that begin with "budget." are the
///                             library's own: do not use them, which nobody checks
/// \param payload,payload_len  JSON; absent is null
/// \param key,key_len          to SW_KEY_BYTES_MAX bytes; absent appends each time
/// \retval SW_OK              the event is appended
/// \retval SW_EXISTS          the key matched: it was appended before
/// \retval SW_ERR_INVALID     type is absent; a text is out of its form; payload is no JSON or has
///                            the key "$smolwf"
/// \retval SW_ERR_TOO_BIG     a text or payload is above its limit
/// \retval SW_ERR_LEASE_LOST  the run was taken back, or this attempt ended
/// \retval SW_ERR_CANCELLED   the run was cancelled or timed out
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_event_append(
    attempt: *mut sw_attempt,
    r#type: *const c_char,
    type_len: usize,
    payload: *const c_char,
    payload_len: usize,
    key: *const c_char,
    key_len: usize,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let attempt = call.body(attempt)?;
            let max = attempt.store().payload_bytes_max();
            let event_type = call.name(raw("type", r#type, type_len))?;
            let payload = call.payload(raw("payload", payload, payload_len), max)?;
            let key = call.optional_key(raw("key", key, key_len))?;
            let is_new = attempt.event_append(event_type, payload, key)?;
            Ok(if is_new { SW_OK } else { SW_EXISTS })
        })
    }
}

/// Reads events above a number, in order, as a JSON document. first_seq and last_seq are the oldest
/// and the newest number in the store, 0 when there is none.
///
///   {"items":[{"seq":4,"run_id":"run_01k...","type":"paid","payload":{"cents":900},
///      "at_ms":1760000000800}],
///    "first_seq":1,"last_seq":4}
///
/// A reader goes on with the seq of its last item. It has missed events when first_seq is above the
/// number it asked for plus 1: they were pruned. sw_event_wait waits for what comes next.
///
/// A page ends after limit items, or earlier, after the item with which its payloads come to
/// SW_EVENT_PAGE_BYTES; it was not the last while the last item's seq is below last_seq and the
/// store is read whole.
///
/// What is shown outlives the loss of power, whatever the store's durability: when last_seq is above
/// that of all reads of this handle before, it waits for a sync of the log, its own or another's that
/// began meanwhile. A store opened with SW_OPEN_READ_ONLY cannot sync, and shows what is committed.
///
/// May block.
/// \param after_seq          number above which to read, from 0
/// \param run_id,run_id_len  only events of this run; absent is the whole store
/// \param limit              events in the page, 1 to SW_PAGE_LEN_MAX; 0 is 1000
/// \param out                receives the document, freed by sw_text_free; NULL on failure
/// \retval SW_OK             the document is in out
/// \retval SW_ERR_INVALID    after_seq is negative, run_id is empty or out of its form, or limit is
///                           above SW_PAGE_LEN_MAX
/// \retval SW_ERR_NOT_FOUND  no such run
/// \codes sweeping
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_event_read(
    store: *mut sw_store,
    after_seq: i64,
    run_id: *const c_char,
    run_id_len: usize,
    limit: u32,
    out: *mut *mut sw_text,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out = call.out_handle(out)?;
            let store = call.store(store)?;
            let run_id = call.optional_id(raw("run_id", run_id, run_id_len))?;
            let run_id = run_id.map(str::to_owned);
            let read = Read { after_seq, run_id, limit, ..Read::default() };
            out.give(Text::from(store.event_read(&read)?));
            Ok(SW_OK)
        })
    }
}

/// Waits for events above a number and reads them, in order, as sw_event_read does: a tail costs one
/// call for each page of what is new, and none while nothing is. The document has one key more,
/// next_seq: the number to go on with, as after_seq of the next call.
///
///   {"items":[{"seq":4,"run_id":"run_01k...","type":"paid","payload":{"cents":900},
///     "at_ms":1760000001000}],
///    "first_seq":1,"last_seq":4,"next_seq":4}
///
/// The filter is a JSON object: `{"type":"said"}` or `{"type":["said","heard"]}`, up to
/// SW_EVENT_TYPES_MAX kinds of events; `{"run_id":"run_..."}` for those of one run; or both. Absent, or
/// `{}`, is every event of the store. A call that names kinds passes over SW_EVENTS_LOOKED_MAX events
/// at most: when none of those is asked for, items is empty, and next_seq says where to go on.
///
/// What is shown outlives the loss of power, as for sw_event_read. A store opened with SW_OPEN_READ_ONLY
/// waits as sw_store_wait says, and looks twice a second in any case.
///
/// Waits at most timeout_ms; besides, it may block.
/// \param after_seq          number above which to read, from 0
/// \param filter,filter_len  JSON object; absent is every event
/// \param limit              events in the page, 1 to SW_PAGE_LEN_MAX; 0 is 1000
/// \param timeout_ms         milliseconds, to SW_DURATION_MS_MAX; 0 looks once, SW_FOREVER waits
///                           without limit
/// \param out                receives the document, freed by sw_text_free; NULL on failure and for
///                           SW_TIMEOUT
/// \retval SW_OK             the document is in out
/// \retval SW_TIMEOUT        nothing was there until timeout_ms passed or the stop fired
/// \retval SW_ERR_INVALID    after_seq is negative, limit is above SW_PAGE_LEN_MAX, timeout_ms is below
///                           -1 or above SW_DURATION_MS_MAX, or the filter is no JSON object, has an
///                           unknown key or a value out of its form
/// \retval SW_ERR_TOO_BIG    a text is above its limit
/// \retval SW_ERR_NOT_FOUND  no run has the run_id of the filter
/// \retval SW_ERR_CLOSED     also when the store is shut down during the wait
/// \codes sweeping
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_event_wait(
    store: *mut sw_store,
    after_seq: i64,
    filter: *const c_char,
    filter_len: usize,
    limit: u32,
    timeout_ms: i64,
    stop: *mut sw_stop,
    out: *mut *mut sw_text,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out = call.out_handle(out)?;
            let store = call.store(store)?;
            let filter = raw("filter", filter, filter_len);
            let filter = call.document(filter, store.payload_bytes_max())?;
            let filter = filter.map(Read::filter).transpose()?.unwrap_or_default();
            let stop = call.optional_stop(stop)?;
            let read = Read { after_seq, limit, ..filter };
            match store.event_wait(read, timeout_ms, stop.as_deref())? {
                Some(page) => out.give(Text::from(page)),
                None => return Ok(SW_TIMEOUT),
            }
            Ok(SW_OK)
        })
    }
}
