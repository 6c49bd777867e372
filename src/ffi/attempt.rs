//! A claimed run in a worker's hands, until it ends.

use std::ffi::c_char;
use std::sync::Arc;

use super::args::raw;
use super::call::Call;
use super::codes::{SW_FAILED, SW_OK, SW_SUSPEND};
use super::constants::{SW_FAIL_TERMINAL, SW_FAIL_TEXT};
use super::guard::{guard, quiet};
use super::handle::{Handle, Kind};
use super::options::sw_fail_options;
use super::report::sw_error;
use crate::domain::{AfterFail, FailOptions};
use crate::error::{Error, Result};
use crate::handles::attempt::Attempt;
use crate::json;
use crate::text::Text;

/// One worker's go at a run, under a lease. Freed by sw_attempt_free.
pub struct sw_attempt {
    _opaque: [u8; 0],
}

impl Handle for sw_attempt {
    type Body = Arc<Attempt>;
    const KIND: Kind = Kind::Attempt;
    const IS_OF_PROCESS: bool = true;
}

impl Call {
    /// Takes what went wrong, as JSON, and how it is to be taken. Plain text becomes a JSON
    /// string.
    pub(super) fn failure(
        &self,
        error: (*const c_char, usize),
        options: *const sw_fail_options,
        payload_bytes_max: usize,
    ) -> Result<(Option<String>, FailOptions)> {
        let options: sw_fail_options = self.options(options)?;
        let raw = raw("error", error.0, error.1);
        let error = if options.flags & SW_FAIL_TEXT == 0 {
            self.payload(raw, payload_bytes_max)?
        } else {
            let text = self.text(raw, payload_bytes_max)?;
            text.map(|text| quoted(text, payload_bytes_max)).transpose()?
        };
        let is_terminal = options.flags & SW_FAIL_TERMINAL != 0;
        Ok((error, FailOptions { is_terminal, retry_after_ms: options.retry_after_ms }))
    }
}

/// Quotes a text; the quotes and escapes count towards the limit.
fn quoted(text: &str, max: usize) -> Result<String> {
    let quoted = json::quote(text);
    if quoted.len() <= max {
        return Ok(quoted);
    }
    let bytes = quoted.len();
    let sentence = format!("error has {bytes} bytes as a JSON string, at most {max} are allowed");
    Err(Error::TooBig(sentence.into()))
}

/// Returns the code of what follows a failure.
pub(super) fn after(after: &AfterFail) -> i32 {
    match after {
        AfterFail::Retry { .. } => SW_SUSPEND,
        AfterFail::Final => SW_FAILED,
    }
}

/// Lends a text that an attempt holds; NULL and 0 when there is none.
///
/// The pointers are those of the caller, as for [`quiet`].
unsafe fn lend(
    attempt: *const sw_attempt,
    out_len: *mut usize,
    text: fn(&Attempt) -> Option<&Text>,
) -> *const c_char {
    // SAFETY: the caller passes its own arguments on.
    unsafe {
        quiet(std::ptr::null(), |call| {
            call.lend(call.peek(attempt).and_then(|attempt| text(attempt)), out_len)
        })
    }
}

/// Returns the id of an attempt, attempt_ and a ULID. Never blocks.
/// \return a view of the attempt
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_attempt_id(
    attempt: *const sw_attempt,
    out_len: *mut usize,
) -> *const c_char {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe { lend(attempt, out_len, |attempt| Some(attempt.id())) }
}

/// Returns the id of the run that the attempt is at. Never blocks.
/// \return a view of the attempt
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_attempt_run_id(
    attempt: *const sw_attempt,
    out_len: *mut usize,
) -> *const c_char {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe { lend(attempt, out_len, |attempt| Some(attempt.run_id())) }
}

/// Returns the id of the run at the top of the run's tree: its own when nobody submitted it as a
/// child. Never blocks.
/// \return a view of the attempt
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_attempt_root_run_id(
    attempt: *const sw_attempt,
    out_len: *mut usize,
) -> *const c_char {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe { lend(attempt, out_len, |attempt| Some(attempt.root_run_id())) }
}

/// Returns the id of the run that submitted this one as a child. Never blocks.
/// \return a view of the attempt; NULL when there is none
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_attempt_parent_run_id(
    attempt: *const sw_attempt,
    out_len: *mut usize,
) -> *const c_char {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe { lend(attempt, out_len, |attempt| attempt.parent_run_id()) }
}

/// Returns the name of the workflow to run. Never blocks.
/// \return a view of the attempt
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_attempt_workflow(
    attempt: *const sw_attempt,
    out_len: *mut usize,
) -> *const c_char {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe { lend(attempt, out_len, |attempt| Some(attempt.workflow())) }
}

/// Returns the version of the code that the run was submitted for, as code_version of its options.
/// Never blocks.
/// \return a view of the attempt; NULL when there is none
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_attempt_code_version(
    attempt: *const sw_attempt,
    out_len: *mut usize,
) -> *const c_char {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe { lend(attempt, out_len, |attempt| attempt.code_version()) }
}

/// Returns the name of the queue it was claimed from. Never blocks.
/// \return a view of the attempt
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_attempt_queue(
    attempt: *const sw_attempt,
    out_len: *mut usize,
) -> *const c_char {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe { lend(attempt, out_len, |attempt| Some(attempt.queue())) }
}

/// Returns the arguments of the run: JSON, byte for byte as submitted; "null" when none were given.
/// Never blocks.
/// \return a view of the attempt
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_attempt_args(
    attempt: *const sw_attempt,
    out_len: *mut usize,
) -> *const c_char {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe { lend(attempt, out_len, |attempt| Some(attempt.args())) }
}

/// Returns the metadata of the run as it was claimed: a JSON object, byte for byte as submitted, but
/// for what sw_run_annotate has changed. What a host put there for its tracing goes on here. Never
/// blocks.
/// \return a view of the attempt; NULL when there is none
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_attempt_metadata(
    attempt: *const sw_attempt,
    out_len: *mut usize,
) -> *const c_char {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe { lend(attempt, out_len, |attempt| attempt.metadata()) }
}

/// Returns the number of the attempt within its run. It grows with each claim and is the fence:
/// writes of an attempt with a lower number than the newest are refused. Never blocks.
/// \return from 1; 0 for what is no attempt
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_attempt_number(attempt: *const sw_attempt) -> u32 {
    // SAFETY: the only pointer is an argument, which the header binds.
    unsafe { quiet(0, |call| call.peek(attempt).map_or(0, |attempt| attempt.number())) }
}

/// Returns when the lease lapses, as far as this handle knows: each heartbeat and each write
/// through the attempt may move it on. Never blocks.
/// \return Unix milliseconds, by the store's clock; INT64_MAX for SW_LEASE_WHILE_ALIVE; 0 for what
///         is no attempt
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_attempt_lease_expires_at_ms(attempt: *const sw_attempt) -> i64 {
    // SAFETY: the only pointer is an argument, which the header binds.
    unsafe {
        quiet(0, |call| call.peek(attempt).map_or(0, |attempt| attempt.lease_expires_at_ms()))
    }
}

/// Extends the lease of a claimed attempt, so that no other worker takes it over. Never shortens
/// it. After SW_LEASE_WHILE_ALIVE the lease stays so.
///
/// May block. Durable when it returns.
/// \param lease_ms  milliseconds from now, SW_LEASE_MS_MIN to SW_LEASE_MS_MAX, or
///                  SW_LEASE_WHILE_ALIVE; 0 keeps the length that the claim or the last heartbeat
///                  named
/// \retval SW_OK              the lease runs at least until now + lease_ms
/// \retval SW_ERR_INVALID     lease_ms is out of its range
/// \retval SW_ERR_LEASE_LOST  the run was taken back, or this attempt ended; stop work, results will
///                            be refused
/// \retval SW_ERR_CANCELLED   the run was cancelled or timed out; the lease is not extended
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_attempt_heartbeat(
    attempt: *mut sw_attempt,
    lease_ms: u32,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            call.body(attempt)?.heartbeat(lease_ms)?;
            Ok(SW_OK)
        })
    }
}

/// Looks whether the attempt may go on. Writes nothing and extends no lease.
///
/// May block. Never waits for a writer.
/// \retval SW_OK              the attempt holds the run
/// \retval SW_ERR_LEASE_LOST  the run was taken back, or this attempt ended
/// \retval SW_ERR_CANCELLED   the run was cancelled or timed out
/// \codes reading
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_attempt_check(
    attempt: *mut sw_attempt,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            call.body(attempt)?.check()?;
            Ok(SW_OK)
        })
    }
}

/// Ends the attempt and its run with a result. The run is completed, which is final. Steps that are begun and
/// not finished stay so: join first who works on them. Children go on, and messages that nobody took stay.
///
/// Repeated through the same handle with the same bytes it answers as the first call did.
///
/// May block. Durable when it returns.
/// \param attempt            from sw_run_claim; still to be freed
/// \param result,result_len  JSON; absent is null
/// \retval SW_OK                  the run is completed
/// \retval SW_ERR_INVALID         result is no JSON, or has the key "$smolwf"
/// \retval SW_ERR_TOO_BIG         result is above the store's limit
/// \retval SW_ERR_LEASE_LOST      the run was taken back; nothing is stored
/// \retval SW_ERR_CANCELLED       the run was cancelled or timed out; this end of the attempt is
///                                stored, and the run ends as cancelled or failed
/// \retval SW_ERR_NONDETERMINISM  it was claimed with SW_CLAIM_STRICT, and has not asked for something
///                                that is recorded, which is named; nothing is stored
/// \retval SW_ERR_CONFLICT        this handle has ended the attempt otherwise
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_attempt_complete(
    attempt: *mut sw_attempt,
    result: *const c_char,
    result_len: usize,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let attempt = call.body(attempt)?;
            let max = attempt.store().payload_bytes_max();
            let result = call.payload(raw("result", result, result_len), max)?;
            attempt.complete(result)?;
            Ok(SW_OK)
        })
    }
}

/// Ends the attempt with an error. While tries are left the run comes back after its backoff;
/// otherwise, or with SW_FAIL_TERMINAL, it is failed, which is final.
///
/// Repeated through the same handle with the same bytes it answers as the first call did.
///
/// May block. Durable when it returns.
/// \param attempt          from sw_run_claim; still to be freed
/// \param error,error_len  JSON, or plain text with SW_FAIL_TEXT; absent is null
/// \retval SW_SUSPEND          the run will be tried again; the attempt has ended, and is not to be suspended
/// \retval SW_FAILED           the run is failed
/// \retval SW_ERR_INVALID      error is no JSON, no UTF-8 or has the key "$smolwf", or
///                             retry_after_ms is out of its range
/// \retval SW_ERR_TOO_BIG      error is above the store's limit
/// \retval SW_ERR_UNSUPPORTED  an unknown option or flag
/// \retval SW_ERR_LEASE_LOST   the run was taken back; nothing is stored
/// \retval SW_ERR_CANCELLED    the run was cancelled or timed out; this end of the attempt is
///                             stored, and the run ends as cancelled or failed
/// \retval SW_ERR_CONFLICT     this handle has ended the attempt otherwise
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_attempt_fail(
    attempt: *mut sw_attempt,
    error: *const c_char,
    error_len: usize,
    options: *const sw_fail_options,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let attempt = call.body(attempt)?;
            let max = attempt.store().payload_bytes_max();
            let (error, options) = call.failure((error, error_len), options, max)?;
            Ok(after(&attempt.fail(error, options)?))
        })
    }
}

/// Ends the attempt by giving its run back; no try is charged. For a worker that shuts down, or
/// cannot run it now.
///
/// Repeated through the same handle with the same delay it answers as the first call did.
///
/// May block. Durable when it returns.
/// \param attempt   from sw_run_claim; still to be freed
/// \param delay_ms  milliseconds before the run may be claimed again, 0 to SW_DURATION_MS_MAX
/// \retval SW_OK              the run is given back
/// \retval SW_ERR_INVALID     delay_ms is out of its range
/// \retval SW_ERR_LEASE_LOST  the run was taken back; nothing is stored
/// \retval SW_ERR_CANCELLED   the run was cancelled or timed out; this end of the attempt is
///                            stored, and the run ends as cancelled or failed
/// \retval SW_ERR_CONFLICT    this handle has ended the attempt otherwise
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_attempt_release(
    attempt: *mut sw_attempt,
    delay_ms: i64,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            call.body(attempt)?.release(delay_ms)?;
            Ok(SW_OK)
        })
    }
}

/// Ends the attempt and parks the run until something it waits for is ready: whatever answered
/// SW_SUSPEND to this attempt, a sleep, an await, a step that backs off, or SW_ERR_BUDGET to a
/// reserve, and was not answered otherwise since. A parked run costs no thread, no lease and no
/// polling; it is claimed again as soon as any of that comes true, and no try is charged. It looks
/// once more before it parks, so nothing that came meanwhile is missed. A run may be woken early:
/// its next attempt asks again.
///
/// Repeated through the same handle it answers as the first call did.
///
/// May block. Durable when it returns.
/// \param attempt  from sw_run_claim; still to be freed
/// \retval SW_OK              the run is parked, or claimable again already
/// \retval SW_ERR_LEASE_LOST  the run was taken back; nothing is stored
/// \retval SW_ERR_CANCELLED   the run was cancelled or timed out; this end of the attempt is
///                            stored, and the run ends as cancelled or failed
/// \retval SW_ERR_CONFLICT    nothing answered SW_SUSPEND or SW_ERR_BUDGET; a step is begun and
///                            neither finished nor freed; more than SW_WAITS_PARKED_MAX signals and
///                            children are waited for; or this handle has ended the attempt
///                            otherwise
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_attempt_suspend(
    attempt: *mut sw_attempt,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            call.body(attempt)?.suspend()?;
            Ok(SW_OK)
        })
    }
}

/// Frees an attempt and the views it lent. Does not end it: an attempt that was not ended keeps its
/// run until the lease lapses or the store is closed. Its steps live on until they are freed. Never
/// blocks.
/// \param attempt  from sw_run_claim; NULL does nothing; in a forked child an attempt of its parent
///                 leaks
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_attempt_free(attempt: *mut sw_attempt) {
    // SAFETY: the only pointer is an argument, which the header binds.
    unsafe { quiet((), |call| drop(call.take(attempt))) };
}
