//! Looking at runs.

use std::ffi::c_char;

use super::args::raw;
use super::codes::SW_OK;
use super::guard::guard;
use super::report::sw_error;
use super::store::sw_store;
use super::text::sw_text;
use crate::text::Text;

/// Shows a run as a JSON document. Its args, metadata, result and errors are embedded as JSON.
///
///   {"run_id":"run_01k...","task_id":"task_01k...","root_run_id":"run_01k...","parent_run_id":null,
///    "workflow":"invoice","queue":"default","state":"waiting","priority":0,"args":{"order":7},
///    "result":null,"error":null,"attempts":2,"tries":1,"max_tries":3,"run_at_ms":1760000000000,
///    "created_at_ms":1760000000000,"updated_at_ms":1760000004000,"finished_at_ms":null,
///    "metadata":{"tenant":"acme"},"code_version":"v1","waiting_for":[{"signal":"approval"}],
///    "cancel_asked":false,"pause_asked":false,"last_error":"no connection","due_at_ms":null}
///
/// The state is one of "pending", "running", "waiting", "paused", "completed", "failed",
/// "cancelled"; the last three are final. waiting_for is null unless the state is "waiting"; then
/// it names up to SW_WAITING_SHOWN_MAX of what the run waits for: {"signal": name}, {"child":
/// run_id}, {"budget": unit, "amount": n}, and {"until_ms": instant} for the next sleep, time-out
/// or step that is due.
///
/// cancel_asked and pause_asked are true or false: whether a running attempt was told to end, or to
/// yield, and has not done so yet. Once it has, the state is "cancelled" or "paused" and they are
/// false.
///
/// error and result are those of a run that has ended. last_error is that of a run that has not: what
/// its newest failed attempt ended with, the host's error or, of an attempt that was lost, the
/// library's {"$smolwf":"lapsed"}. It stays through later attempts, waits, pauses and sw_run_retry
/// until a newer one or the end of the run; null where no attempt has failed, and once it has ended.
///
/// due_at_ms is when a pending run may be claimed, or could have been: its run_at_ms, the end of the
/// backoff after a failed attempt or of the delay it was given back with, when it woke, or, of one
/// that waited, when it was paused; null in every other state.
///
/// May block. Never waits for a writer.
/// \param run_id,run_id_len  from a submit or a claim
/// \param out                receives the document, freed by sw_text_free; NULL on failure
/// \retval SW_OK             the document is in out
/// \retval SW_ERR_INVALID    run_id is absent, empty, no UTF-8, or holds a NUL
/// \retval SW_ERR_NOT_FOUND  no such run
/// \codes reading
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_run_get(
    store: *mut sw_store,
    run_id: *const c_char,
    run_id_len: usize,
    out: *mut *mut sw_text,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out = call.out_handle(out)?;
            let store = call.store(store)?;
            let run_id = call.id(raw("run_id", run_id, run_id_len))?;
            out.give(Text::from(store.run_get(run_id)?));
            Ok(SW_OK)
        })
    }
}

/// Shows what happened in a run, page by page, as a JSON document; run is as of sw_run_get.
///
///   {"run":{},
///    "attempts":[{"attempt_id":"attempt_01k...","number":1,"worker":"w1","state":"suspended",
///      "started_at_ms":1760000000000,"ended_at_ms":1760000001000,"error":null}],
///    "steps":[{"step_id":"step_01k...","name":"charge","occurrence":1,"kind":"step",
///      "state":"completed","tries":1,"input_hash":"9f86d0...","result":"receipt 9","error":null,
///      "started_at_ms":1760000000100,"ended_at_ms":1760000000900}],
///    "signals":[{"name":"approval","payload":true,"sent_at_ms":1760000000500,"consumed":true,
///      "consumed_by":"step_01k..."}],
///    "children":[{"run_id":"run_01k...","workflow":"mail","state":"pending",
///      "created_at_ms":1760000000700,"finished_at_ms":null}],
///    "events":[{"seq":4,"run_id":"run_01k...","type":"paid","payload":{"cents":900},
///      "at_ms":1760000000800}],
///    "next":null}
///
/// The state of an attempt is one of "running", "completed", "failed", "released", "suspended",
/// "lost", "cancelled"; one that its run's time-out ended is "failed". That of a step is one of
/// "running", "completed", "failed", "backing_off", "waiting", "timed_out"; that of a child is as of
/// a run.
///
/// Sleeps, awaits and submits of children stand among the steps, with the kinds "sleep", "signal",
/// "child", "any", "all" and "child_submit". consumed_by is the step_id of the await that took a
/// message; the payload of one that was taken by sw_await_any or sw_await_all is null, it stands in
/// the result of that step.
///
/// May block. Never waits for a writer.
/// \param run_id,run_id_len  from a submit or a claim
/// \param cursor,cursor_len  what next said in the page before; absent is the first page
/// \param limit              attempts, steps, signals, children and events in the page, together, 1
///                           to SW_PAGE_LEN_MAX; 0 is 1000. A page also ends after payloads of
///                           SW_EVENT_PAGE_BYTES
/// \param out                receives the document, freed by sw_text_free; NULL on failure. Its
///                           next is null on the last page
/// \retval SW_OK             the document is in out
/// \retval SW_ERR_INVALID    run_id is absent, a text is out of its form, cursor is no cursor of
///                           this call, or limit is above SW_PAGE_LEN_MAX
/// \retval SW_ERR_NOT_FOUND  no such run
/// \codes reading
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_run_history(
    store: *mut sw_store,
    run_id: *const c_char,
    run_id_len: usize,
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
            let run_id = call.id(raw("run_id", run_id, run_id_len))?;
            let cursor = call.cursor(raw("cursor", cursor, cursor_len))?;
            out.give(Text::from(store.run_history(run_id, cursor, limit)?));
            Ok(SW_OK)
        })
    }
}
