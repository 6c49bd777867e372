//! Steps: the calls of a run that are done once and replay ever after.

use std::ffi::c_char;

use super::args::{absent, raw};
use super::attempt::{after, sw_attempt};
use super::call::Call;
use super::codes::{SW_FAILED, SW_OK, SW_REPLAYED, SW_SUSPEND};
use super::constants::{SW_STEP_CLEANUP, SW_STEP_TRACK};
use super::guard::{guard, quiet};
use super::handle::{Handle, Kind};
use super::options::{sw_fail_options, sw_step_options};
use super::report::sw_error;
use crate::domain::Durability;
use crate::domain::step::Begin;
use crate::error::{Error, Result};
use crate::handles::begin::Begun;
use crate::handles::step::Step;

/// One call of a run that is recorded: to be done now, or done before. Freed by sw_step_free.
pub struct sw_step {
    _opaque: [u8; 0],
}

impl Handle for sw_step {
    type Body = OpenStep;
    const KIND: Kind = Kind::Step;
    const IS_OF_PROCESS: bool = true;
}

/// What a step handle holds.
pub(super) struct OpenStep {
    step: Step,
    payload_bytes_max: usize,
}

impl Call {
    /// Takes the options of a begin; the input is filled in by the caller.
    fn begin(&self, name: &str, options: &sw_step_options) -> Result<Begin> {
        let kind = self.optional_name(raw("kind", options.kind, options.kind_len))?;
        let durability = Durability::from_code(options.durability).ok_or_else(|| {
            let sentence = format!("durability is {}, it must be 0, 1 or 2", options.durability);
            Error::invalid(sentence)
        })?;
        Ok(Begin {
            name: name.to_owned(),
            input: None,
            kind: kind.map(str::to_owned),
            occurrence: options.occurrence,
            durability,
            max_tries: options.max_tries,
            backoff_initial_ms: options.backoff_initial_ms,
            backoff_max_ms: options.backoff_max_ms,
            is_tracked: options.flags & SW_STEP_TRACK != 0,
            is_cleanup: options.flags & SW_STEP_CLEANUP != 0,
        })
    }

    /// Lends the step behind a handle for the call.
    pub(super) fn open_step(&self, step: *const sw_step) -> Result<&Step> {
        Ok(&self.body(step)?.step)
    }

    /// Lends the step behind a handle to an accessor.
    fn step(&self, step: *const sw_step) -> Option<&Step> {
        Some(&self.peek(step)?.step)
    }
}

/// Begins a step: says whether its work is to be done now, or hands out what was recorded.
///
/// A step is known by (run, name, occurrence). With occurrence 0 it is the lowest occurrence of
/// the name that this attempt has not passed; it is passed when begin answered SW_REPLAYED or
/// SW_FAILED, and when this attempt completed it or failed it for good. While it is open in this
/// attempt, an automatic begin of the name is SW_ERR_CONFLICT: calls side by side use distinct
/// names, or name the occurrence.
///
/// Work that was begun may be done more than once, when the process dies before complete; its
/// result is recorded once. SW_STEP_TRACK with max_tries 1 makes that at most once.
///
/// May block. A replay writes nothing and waits for no writer. A begin that answers SW_OK writes
/// only with SW_STEP_TRACK, or where a start was recorded before; so does the one that finds that the last
/// start was interrupted, and SW_FAILED with it. Durable then when it returns, by the step's durability.
/// \param name,name_len    name of the step
/// \param input,input_len  JSON that must mean the same whenever the step is begun; absent is not
///                         compared
/// \param out              receives the step, freed by sw_step_free, for SW_OK, SW_REPLAYED and
///                         SW_FAILED; NULL otherwise
/// \retval SW_OK                  do the work, then sw_step_complete or sw_step_fail
/// \retval SW_REPLAYED            done before; sw_step_result has the result
/// \retval SW_FAILED              failed for good before; sw_step_error has the error
/// \retval SW_SUSPEND             it backs off after a failure: end the attempt by
///                                sw_attempt_suspend, or ask again; sw_step_retry_at_ms of the step
///                                that failed said when
/// \retval SW_ERR_INVALID         name is absent; a text, input or option is out of its form or
///                                range; input has a key twice, an integer beyond 2^53-1 either
///                                way, or a number beyond binary64
/// \retval SW_ERR_TOO_BIG         a text or input is above its limit
/// \retval SW_ERR_UNSUPPORTED     an unknown option or flag
/// \retval SW_ERR_LEASE_LOST      the run was taken back, or this attempt ended
/// \retval SW_ERR_CANCELLED       the run was cancelled or timed out, and this is no cleanup
/// \retval SW_ERR_NONDETERMINISM  it was recorded with another input; both hashes are named. Or no end
///                                of it is recorded, and the claim said SW_CLAIM_REPLAY_ONLY
/// \retval SW_ERR_CONFLICT        the step is open in this attempt
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_step_begin(
    attempt: *mut sw_attempt,
    name: *const c_char,
    name_len: usize,
    input: *const c_char,
    input_len: usize,
    options: *const sw_step_options,
    out: *mut *mut sw_step,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out = call.out_handle(out)?;
            let attempt = call.body(attempt)?;
            let payload_bytes_max = attempt.store().payload_bytes_max();
            let name = call.name(raw("name", name, name_len))?;
            let input = call.payload(raw("input", input, input_len), payload_bytes_max)?;
            let begin = Begin { input, ..call.begin(name, &call.options(options)?)? };
            let (code, step) = match attempt.step_begin(begin)? {
                Begun::Run(step) => (SW_OK, step),
                Begun::Replayed(step) => (SW_REPLAYED, step),
                Begun::Failed(step) => (SW_FAILED, step),
                Begun::Suspended => return Ok(SW_SUSPEND),
            };
            out.give(OpenStep { step, payload_bytes_max });
            Ok(code)
        })
    }
}

/// Records the result of a step, once and for all: every later attempt replays it.
///
/// Finished work is recorded on a cancelled run too. Repeated through the same handle with the
/// same bytes it answers as the first call did.
///
/// May block. Durable when it returns, by the step's durability.
/// \param step               from sw_step_begin, which answered SW_OK; still to be freed
/// \param result,result_len  JSON; absent is null
/// \retval SW_OK              the result is recorded
/// \retval SW_ERR_INVALID     result is no JSON, or has the key "$smolwf"
/// \retval SW_ERR_TOO_BIG     result is above the store's limit
/// \retval SW_ERR_LEASE_LOST  the run was taken back, or this attempt ended; nothing is stored
/// \retval SW_ERR_CONFLICT    the step was finished otherwise, or was replayed
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_step_complete(
    step: *mut sw_step,
    result: *const c_char,
    result_len: usize,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let OpenStep { step, payload_bytes_max } = call.body(step)?;
            let result = call.payload(raw("result", result, result_len), *payload_bytes_max)?;
            step.complete(result)?;
            Ok(SW_OK)
        })
    }
}

/// Records the result of a step as sw_step_complete does, and in the same commit what it used of
/// the budget: the open reservations that this attempt made for the step are settled by it.
///
/// Usage is recorded under every unit that it names, reserved or not, with a limit or without; it
/// may exceed what was reserved and the limit. Units that were reserved and are not named are given
/// back.
///
/// Finished work is recorded on a cancelled run too. Repeated through the same handle with the
/// same bytes it answers as the first call did.
///
/// May block. Durable when it returns, by the step's durability.
/// \param step               from sw_step_begin, which answered SW_OK; still to be freed
/// \param result,result_len  JSON; absent is null
/// \param usage,usage_len    JSON object `{unit: integer}` of up to SW_BUDGET_UNITS_MAX units, as
///                           for sw_budget_reserve; must be given
/// \retval SW_OK              result and usage are recorded
/// \retval SW_ERR_INVALID     result is no JSON, or has the key "$smolwf"; usage is absent, out of
///                            its form or range, would bring what is spent above 2^63-1, or names
///                            one unit more than SW_BUDGET_UNITS_OF_TREE_MAX of the tree
/// \retval SW_ERR_TOO_BIG     a text is above the store's limit
/// \retval SW_ERR_LEASE_LOST  the run was taken back, or this attempt ended; nothing is stored
/// \retval SW_ERR_CONFLICT    the step was finished otherwise, or was replayed
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_step_complete_usage(
    step: *mut sw_step,
    result: *const c_char,
    result_len: usize,
    usage: *const c_char,
    usage_len: usize,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let OpenStep { step, payload_bytes_max } = call.body(step)?;
            let result = call.payload(raw("result", result, result_len), *payload_bytes_max)?;
            let usage = call.document(raw("usage", usage, usage_len), *payload_bytes_max)?;
            let usage = usage.ok_or_else(|| absent("usage"))?;
            step.complete_usage(result, usage)?;
            Ok(SW_OK)
        })
    }
}

/// Records that a step failed. While tries are left it may be begun again at sw_step_retry_at_ms;
/// otherwise, or with SW_FAIL_TERMINAL, the failure is recorded for good and replays. It is recorded on a
/// cancelled run too.
///
/// Repeated through the same handle with the same bytes it answers as the first call did.
///
/// May block. Durable when it returns, by the step's durability.
/// \param step             from sw_step_begin, which answered SW_OK; still to be freed
/// \param error,error_len  JSON, or plain text with SW_FAIL_TEXT; absent is null
/// \retval SW_SUSPEND          it may be begun again from sw_step_retry_at_ms on, in this attempt or,
///                             after sw_attempt_suspend, in the next one
/// \retval SW_FAILED           it is failed for good
/// \retval SW_ERR_INVALID      error is no JSON, no UTF-8 or has the key "$smolwf", or
///                             retry_after_ms is out of its range
/// \retval SW_ERR_TOO_BIG      error is above the store's limit
/// \retval SW_ERR_UNSUPPORTED  an unknown option or flag
/// \retval SW_ERR_LEASE_LOST   the run was taken back, or this attempt ended; nothing is stored
/// \retval SW_ERR_CONFLICT     the step was finished otherwise, or was replayed
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_step_fail(
    step: *mut sw_step,
    error: *const c_char,
    error_len: usize,
    options: *const sw_fail_options,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let OpenStep { step, payload_bytes_max } = call.body(step)?;
            let (error, options) = call.failure((error, error_len), options, *payload_bytes_max)?;
            Ok(after(&step.fail(error, options)?))
        })
    }
}

/// Returns the id of a step, step_ and a ULID; the same whenever it replays. Never blocks.
/// \return a view of the step
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_step_id(step: *const sw_step, out_len: *mut usize) -> *const c_char {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        quiet(std::ptr::null(), |call| call.lend(call.step(step).map(|step| step.id()), out_len))
    }
}

/// Returns the name of a step, as it was begun. Never blocks.
/// \return a view of the step
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_step_name(step: *const sw_step, out_len: *mut usize) -> *const c_char {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        quiet(std::ptr::null(), |call| call.lend(call.step(step).map(|step| step.name()), out_len))
    }
}

/// Returns the recorded result of a step that begin answered with SW_REPLAYED: JSON, byte for byte
/// as it was completed. Never blocks.
/// \return a view of the step; NULL when there is none
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_step_result(
    step: *const sw_step,
    out_len: *mut usize,
) -> *const c_char {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        quiet(std::ptr::null(), |call| {
            call.lend(call.step(step).and_then(|step| step.result()), out_len)
        })
    }
}

/// Returns the recorded error of a step that begin answered with SW_FAILED: JSON, byte for byte as
/// it failed; an object with the key "$smolwf" when the library recorded it. Never blocks.
/// \return a view of the step; NULL when there is none
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_step_error(step: *const sw_step, out_len: *mut usize) -> *const c_char {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        quiet(std::ptr::null(), |call| {
            call.lend(call.step(step).and_then(|step| step.error()), out_len)
        })
    }
}

/// Returns which call of its name in the run a step is. Never blocks.
/// \return from 1; 0 for what is no step
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_step_occurrence(step: *const sw_step) -> u32 {
    // SAFETY: the only pointer is an argument, which the header binds.
    unsafe { quiet(0, |call| call.step(step).map_or(0, |step| step.occurrence())) }
}

/// Returns how often the work of a step was begun, as far as recorded, with this time when begin
/// answered SW_OK. Never blocks.
/// \return from 1; 0 for what is no step
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_step_tries(step: *const sw_step) -> u32 {
    // SAFETY: the only pointer is an argument, which the header binds.
    unsafe { quiet(0, |call| call.step(step).map_or(0, |step| step.tries())) }
}

/// Returns when a step that failed may be begun again. Never blocks.
/// \return Unix milliseconds; 0 when it did not fail, or failed for good; 0 for what is no step
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_step_retry_at_ms(step: *const sw_step) -> i64 {
    // SAFETY: the only pointer is an argument, which the header binds.
    unsafe { quiet(0, |call| call.step(step).map_or(0, |step| step.retry_at_ms())) }
}

/// Frees a step and the views it lent. Does not finish it: the next begin of the name means the
/// same occurrence. Never blocks.
/// \param step  from sw_step_begin; NULL does nothing; in a forked child a step of its parent leaks
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_step_free(step: *mut sw_step) {
    // SAFETY: the only pointer is an argument, which the header binds.
    unsafe { quiet((), |call| drop(call.take(step))) };
}
