//! Messages to runs.

use std::ffi::c_char;

use super::args::raw;
use super::attempt::sw_attempt;
use super::codes::{SW_EXISTS, SW_OK};
use super::guard::guard;
use super::report::sw_error;
use super::store::sw_store;
use super::text::sw_text;

/// Sends a message to a run that has not ended. Messages of one name are taken in the order they
/// were sent, each by one await; one that nobody awaits yet is kept. A run that is parked on the
/// name becomes claimable.
///
/// With an idempotency key, one message is sent per (run, name, key); a repeat answers SW_EXISTS,
/// whatever its payload, also after the message was taken or the run has ended.
///
/// May block. Durable when it returns; so is what SW_EXISTS confirms.
/// \param run_id,run_id_len    from a submit or a claim
/// \param name,name_len        name that the run awaits
/// \param payload,payload_len  JSON; absent is null
/// \param idempotency_key,idempotency_key_len  to SW_KEY_BYTES_MAX bytes; absent sends each time
/// \retval SW_OK             the message is sent
/// \retval SW_EXISTS         the key matched: it was sent before
/// \retval SW_ERR_INVALID    run_id or name is absent; a text is out of its form; payload is no
///                           JSON or has the key "$smolwf"
/// \retval SW_ERR_TOO_BIG    a text or payload is above its limit
/// \retval SW_ERR_NOT_FOUND  no such run
/// \retval SW_ERR_CONFLICT   the run has ended
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_signal_send(
    store: *mut sw_store,
    run_id: *const c_char,
    run_id_len: usize,
    name: *const c_char,
    name_len: usize,
    payload: *const c_char,
    payload_len: usize,
    idempotency_key: *const c_char,
    idempotency_key_len: usize,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let store = call.store(store)?;
            let run_id = call.id(raw("run_id", run_id, run_id_len))?;
            let name = call.name(raw("name", name, name_len))?;
            let payload =
                call.payload(raw("payload", payload, payload_len), store.payload_bytes_max())?;
            let key = raw("idempotency_key", idempotency_key, idempotency_key_len);
            let is_new = store.signal_send(run_id, name, payload, call.optional_key(key)?)?;
            Ok(if is_new { SW_OK } else { SW_EXISTS })
        })
    }
}

/// Awaits the next message under a name. The message is taken by this await alone, in the commit
/// that records it; asked again by a later attempt, the same await answers the same message.
///
/// The first call that gives a time-out fixes the deadline; those of later calls are ignored. A message that was
/// sent at the deadline or before wins however late the run asks; a later one is kept for the next
/// await of the name.
///
/// The first await of a name in an attempt is its first occurrence, the call after one that
/// answered SW_OK or SW_TIMEOUT the next. Awaits of signals, of children and of several things
/// count together, and apart from steps.
///
/// May block. Never waits for the message. Durable when it returns.
/// \param name,name_len  name that the message is sent under
/// \param timeout_ms     milliseconds from the first call that has a limit, to SW_DURATION_MS_MAX;
///                       with 0 what is not there is SW_TIMEOUT, which is recorded: to look, and
///                       ask again, give SW_FOREVER, which has no limit
/// \param out            receives the payload, JSON, byte for byte as sent, freed by sw_text_free;
///                       NULL unless the answer is SW_OK
/// \retval SW_OK                  the message is in out
/// \retval SW_SUSPEND             none yet: end the attempt by sw_attempt_suspend, or ask again
/// \retval SW_TIMEOUT             none came in time; this replays too
/// \retval SW_ERR_INVALID         name is absent or out of its form, or timeout_ms out of its range
/// \retval SW_ERR_TOO_BIG         name has more than SW_NAME_BYTES_MAX bytes
/// \retval SW_ERR_LEASE_LOST      the run was taken back, or this attempt ended
/// \retval SW_ERR_CANCELLED       the run was cancelled or timed out
/// \retval SW_ERR_NONDETERMINISM  this occurrence of the name was recorded by another kind of await
/// \retval SW_ERR_CONFLICT        another thread asks for the same await at this moment
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_signal_await(
    attempt: *mut sw_attempt,
    name: *const c_char,
    name_len: usize,
    timeout_ms: i64,
    out: *mut *mut sw_text,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out = call.out_handle(out)?;
            let attempt = call.body(attempt)?;
            let name = call.name(raw("name", name, name_len))?;
            Ok(out.give_waited(attempt.signal_await(name, timeout_ms)?))
        })
    }
}
