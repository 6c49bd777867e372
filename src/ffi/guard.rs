//! The wall around every export: no panic passes, every error becomes a code and an object.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::call::Call;
use super::report::{self, sw_error};
use crate::error::{Error, Result};
use crate::plant::{Place, panic_at};

/// Runs the body of an export that answers a code.
///
/// `*err` is NULL unless the answer is an error. A panic is an error as well; what it unwound is
/// consistent because the crate's own locks are poisoned or released by the layers below.
///
/// # Safety
/// Only arguments of the export may enter the call, and its header must demand of the C caller that
/// each pointer is NULL or valid for what the export does with it. `err` is one of them.
pub(super) unsafe fn guard(
    err: *mut *mut sw_error,
    body: impl FnOnce(&Call) -> Result<i32>,
) -> i32 {
    if !err.is_null() {
        // SAFETY: the C caller gave `err` to be written to; it may be unaligned.
        unsafe { err.write_unaligned(std::ptr::null_mut()) };
    }
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let answer = body(&Call::enter());
        panic_at(Place::Answer);
        answer
    }));
    let error = match outcome {
        Ok(Ok(code)) => return code,
        Ok(Err(error)) => error,
        Err(payload) => Error::of_panic(payload),
    };
    let code = error.code();
    if !err.is_null()
        && let Ok(made) = catch_unwind(AssertUnwindSafe(|| report::make(&error)))
    {
        // SAFETY: as above; the object becomes the caller's.
        unsafe { err.write_unaligned(made) };
    }
    code
}

/// Runs the body of an accessor or a destructor, which has no code to answer.
///
/// # Safety
/// As for `guard`.
pub(super) unsafe fn quiet<T>(fallback: T, body: impl FnOnce(&Call) -> T) -> T {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        panic_at(Place::Entry);
        let answer = body(&Call::enter());
        panic_at(Place::Answer);
        answer
    }));
    outcome.unwrap_or_else(|payload| {
        let _ = Error::of_panic(payload);
        fallback
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::codes::SW_ERR_PANIC;
    use crate::ffi::error::{sw_error_code, sw_error_free, sw_error_message};
    use std::ffi::CStr;

    /// Runs a guarded body; returns its code and the message of its error.
    fn run(body: impl FnOnce(&Call) -> Result<i32>) -> (i32, Option<String>) {
        let mut err = std::ptr::dangling_mut::<sw_error>();
        // SAFETY: `err` is a local of ours; nothing else passes.
        let code = unsafe { guard(&raw mut err, body) };
        if err.is_null() {
            return (code, None);
        }
        // SAFETY: guard has just made the error.
        assert_eq!(unsafe { sw_error_code(err) }, code);
        // SAFETY: as above.
        let message = unsafe { sw_error_message(err) };
        // SAFETY: a message is text with a NUL at its end.
        let message = unsafe { CStr::from_ptr(message) }.to_str().unwrap().to_owned();
        // SAFETY: the error is ours and used no more.
        unsafe { sw_error_free(err) };
        (code, Some(message))
    }

    #[test]
    fn a_good_answer_leaves_no_error() {
        assert_eq!(run(|_| Ok(3)), (3, None));
    }

    #[test]
    fn an_error_is_its_code_and_its_sentence() {
        let (code, message) = run(|_| Err(Error::invalid("limit is 7, at most 5")));
        assert_eq!(code, -2);
        assert_eq!(message.as_deref(), Some("limit is 7, at most 5"));
    }

    #[test]
    fn a_panic_is_a_code_with_its_text() {
        let (code, message) = run(|_| panic!("broken rule"));
        assert_eq!(code, SW_ERR_PANIC);
        assert_eq!(message.as_deref(), Some("the library panicked: broken rule"));
        let (code, message) = run(|_| panic!("rule {}", 7));
        assert_eq!(code, SW_ERR_PANIC);
        assert_eq!(message.as_deref(), Some("the library panicked: rule 7"));
    }

    #[test]
    fn a_panic_whose_payload_panics_when_dropped_is_a_code_too() {
        struct Spiteful;
        impl Drop for Spiteful {
            fn drop(&mut self) {
                panic!("once more");
            }
        }
        let (code, _) = run(|_| std::panic::panic_any(Spiteful));
        assert_eq!(code, SW_ERR_PANIC);
    }

    #[test]
    fn a_code_is_answered_without_a_place_for_the_error() {
        // SAFETY: NULL is allowed.
        let code = unsafe { guard(std::ptr::null_mut(), |_| Err(Error::Closed)) };
        assert_eq!(code, -7);
    }

    #[test]
    fn an_accessor_that_panics_answers_its_fallback() {
        // SAFETY: no pointer passes.
        assert_eq!(unsafe { quiet(5, |_| panic!("broken rule")) }, 5);
    }
}
