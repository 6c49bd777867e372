//! Errors as objects of the caller.

use std::ffi::c_char;

use super::codes::{SW_ERR_MISUSE, SW_OK};
use super::guard::quiet;
use super::report::sw_error;

/// Returns the code of an error: what the call returned. Never blocks.
/// \retval SW_OK          error is NULL
/// \retval SW_ERR_MISUSE  error is not an sw_error, or the call returned that
/// \return any code below 0, as the call returned it
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_error_code(error: *const sw_error) -> i32 {
    if error.is_null() {
        return SW_OK;
    }
    // SAFETY: the only pointer is an argument, which the header binds.
    unsafe {
        quiet(SW_ERR_MISUSE, |call| call.peek(error).map_or(SW_ERR_MISUSE, |report| report.code))
    }
}

/// Returns the code of the layer below an SW_ERR_IO or SW_ERR_CANNOT_OPEN: SQLite's extended result code, or
/// a negated errno; of a server the state of SQL that it answered, five characters read as a number in base
/// 36. Never blocks.
/// \return 0 when none of them was involved, for all other codes, and for NULL
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_error_engine_code(error: *const sw_error) -> i32 {
    // SAFETY: the only pointer is an argument, which the header binds.
    unsafe { quiet(0, |call| call.peek(error).map_or(0, |report| report.engine_code)) }
}

/// Tells whether the same call may succeed when repeated unchanged: BUSY, IO and NOMEM. Of those that may
/// have been stored see ERRORS and Repeats on the first page. Never blocks.
/// \return 1 if so, else 0; 0 for NULL
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_error_is_retryable(error: *const sw_error) -> i32 {
    // SAFETY: the only pointer is an argument, which the header binds.
    unsafe { quiet(0, |call| call.peek(error).map_or(0, |report| i32::from(report.is_retryable))) }
}

/// Returns the sentence of an error: lower case, with the value and the limit, never a payload.
/// Never blocks.
/// \return text, NUL-terminated, that lives until sw_error_free; never NULL: "" for NULL
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_error_message(error: *const sw_error) -> *const c_char {
    let none = c"".as_ptr();
    // SAFETY: the only pointer is an argument, which the header binds.
    unsafe { quiet(none, |call| call.peek(error).map_or(none, |report| report.message.as_ptr())) }
}

/// Frees an error. Its message dies with it. Never blocks.
/// \param error  from the last argument of a call; NULL does nothing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_error_free(error: *mut sw_error) {
    // SAFETY: the only pointer is an argument, which the header binds.
    unsafe { quiet((), |call| drop(call.take(error))) };
}
