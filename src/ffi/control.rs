//! Acting on runs from outside: cancel, pause, resume, retry, fork.

use std::ffi::c_char;

use super::args::raw;
use super::codes::SW_OK;
use super::guard::guard;
use super::report::sw_error;
use super::store::sw_store;

/// Cancels a run and all its descendants. A run that nobody runs is cancelled at once. A running one
/// is told: its attempt learns of it (SW_ERR_CANCELLED) at its next heartbeat, check, begin of a
/// step that would run, or other call that begins something; finished work may still be recorded,
/// steps with SW_STEP_CLEANUP may begin, and however the attempt then ends, the run is cancelled.
///
/// When it returns, no descendant is claimed any more, and running ones are told. Descendants are
/// ended part by part, so other calls go on meanwhile; of a very large tree some may be ended after
/// the return, by calls that claim or wait. The run's error is
/// `{"$smolwf":"cancelled","message":...,"reason":...}`, with the reason if there is one.
///
/// May block, for each part of the tree. Durable when it returns.
/// \param run_id,run_id_len  from a submit or a claim
/// \param reason,reason_len  JSON; may be absent
/// \retval SW_OK             the run is cancelled or told to end, or was before; the reason stays
///                           the first, and what was retried below it since is cancelled too
/// \retval SW_ERR_INVALID    run_id is absent, empty, no UTF-8, or holds a NUL; reason is no JSON,
///                           or has the key "$smolwf"
/// \retval SW_ERR_NOT_FOUND  no such run
/// \retval SW_ERR_TOO_BIG    reason is above the store's limit on payloads
/// \retval SW_ERR_CONFLICT   the run has completed or failed
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_run_cancel(
    store: *mut sw_store,
    run_id: *const c_char,
    run_id_len: usize,
    reason: *const c_char,
    reason_len: usize,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let store = call.store(store)?;
            let run_id = call.id(raw("run_id", run_id, run_id_len))?;
            let reason = raw("reason", reason, reason_len);
            store.cancel(run_id, call.payload(reason, store.payload_bytes_max())?)?;
            Ok(SW_OK)
        })
    }
}

/// Sets a run aside: it is not claimed until it is resumed. A running one is set aside when its
/// attempt next ends unfinished; if it completes or fails for good, it ends. Time-outs go on.
///
/// May block. Durable when it returns.
/// \param run_id,run_id_len  from a submit or a claim
/// \retval SW_OK             the run is paused or will be, or was before
/// \retval SW_ERR_INVALID    run_id is absent, empty, no UTF-8, or holds a NUL
/// \retval SW_ERR_NOT_FOUND  no such run
/// \retval SW_ERR_CONFLICT   the run has ended
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_run_pause(
    store: *mut sw_store,
    run_id: *const c_char,
    run_id_len: usize,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let store = call.store(store)?;
            store.pause(call.id(raw("run_id", run_id, run_id_len))?)?;
            Ok(SW_OK)
        })
    }
}

/// Puts a paused run back, and takes a pause back that has not taken effect. A delay or backoff that
/// is not over goes on. A run that waited is claimable at once: its next attempt asks again and, if
/// nothing has come, parks anew; no message and no deadline is lost.
///
/// May block. Durable when it returns.
/// \param run_id,run_id_len  from a submit or a claim
/// \retval SW_OK             the run is not paused any more, or was not
/// \retval SW_ERR_INVALID    run_id is absent, empty, no UTF-8, or holds a NUL
/// \retval SW_ERR_NOT_FOUND  no such run
/// \retval SW_ERR_CONFLICT   the run has ended
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_run_resume(
    store: *mut sw_store,
    run_id: *const c_char,
    run_id_len: usize,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let store = call.store(store)?;
            store.resume(call.id(raw("run_id", run_id, run_id_len))?)?;
            Ok(SW_OK)
        })
    }
}

/// Opens a failed or cancelled run again: it is claimable at once, by any worker. Recorded results
/// replay; memoised failures, also of awaited children, and steps that back off are forgotten and
/// run anew; tries and time-out count from now. Attempts go on being numbered.
///
/// Its children stay as they are. One that failed or was cancelled with it is retried by itself,
/// before or after; a cancel of the run that is still ending descendants is finished first.
///
/// May block. Durable when it returns.
/// \param run_id,run_id_len  from a submit or a claim
/// \retval SW_OK             the run is open again
/// \retval SW_ERR_INVALID    run_id is absent, empty, no UTF-8, or holds a NUL
/// \retval SW_ERR_NOT_FOUND  no such run
/// \retval SW_ERR_CONFLICT   the run has not ended, or has completed
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_run_retry(
    store: *mut sw_store,
    run_id: *const c_char,
    run_id_len: usize,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let store = call.store(store)?;
            store.retry(call.id(raw("run_id", run_id, run_id_len))?)?;
            Ok(SW_OK)
        })
    }
}

/// Makes a new run of the same workflow, args and options that replays what a run in any state
/// recorded before a step: results, memoised failures, sleeps, answers to awaits, submits of
/// children. From there on it goes its own way. The first run is not touched.
///
/// The fork is a topmost run, claimable at once, without the idempotency key of the first. A submit
/// of a child that it replays names the first run's child: the fork may await it and gets what
/// comes of it, but it stays the first run's child, and a cancel of the fork does not end it.
/// Messages that the first run has not taken stay with that.
///
/// To look whether code replays what other code has recorded: fork the run from its end, in a copy of
/// the store or where sw_run_import brought it, and claim the fork with SW_CLAIM_STRICT and
/// SW_CLAIM_REPLAY_ONLY. The first difference is SW_ERR_NONDETERMINISM, and no step is run.
///
/// May block. Durable when it returns.
/// \param run_id,run_id_len  from a submit or a claim
/// \param from_step,from_step_len  a step_id of the run, or a name for its first occurrence, a
///                           step's before that of a sleep, an await or a child; absent is the
///                           start; empty, with a pointer that is not NULL, is the end: all that
///                           is recorded is replayed
/// \param out_run_id         receives the new run's id and its NUL
/// \retval SW_OK             the fork is submitted; its id is written
/// \retval SW_ERR_INVALID    run_id is absent or empty, a text is no UTF-8, or holds a NUL, or cap is
///                           below SW_ID_CAP
/// \retval SW_ERR_NOT_FOUND  no such run, or it has recorded no such step
/// \retval SW_ERR_TOO_BIG    from_step has more than SW_NAME_BYTES_MAX bytes
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_run_fork(
    store: *mut sw_store,
    run_id: *const c_char,
    run_id_len: usize,
    from_step: *const c_char,
    from_step_len: usize,
    out_run_id: *mut c_char,
    cap: usize,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out_run_id = call.out_id("out_run_id", out_run_id, cap)?;
            let store = call.store(store)?;
            let run_id = call.id(raw("run_id", run_id, run_id_len))?;
            let from_step = raw("from_step", from_step, from_step_len);
            let from_step = call.optional_name_or_empty(from_step)?;
            out_run_id.set(store.fork(run_id, from_step)?)?;
            Ok(SW_OK)
        })
    }
}
