//! Calls of an attempt that wait: for time, and for several things at once.

use std::ffi::c_char;

use super::args::raw;
use super::attempt::sw_attempt;
use super::codes::{SW_FAILED, SW_OK, SW_SUSPEND, SW_TIMEOUT};
use super::error::sw_error;
use super::guard::guard;
use super::out::Out;
use super::text::sw_text;
use crate::text::Text;
use crate::wait::Waited;

impl Out<'_, *mut sw_text> {
    /// Gives what a waiting call answered, and returns its code.
    pub(super) fn give_waited(self, waited: Waited) -> i32 {
        let (code, text) = match waited {
            Waited::Ready(value) => (SW_OK, value),
            Waited::Failed(error) => (SW_FAILED, error),
            Waited::TimedOut => return SW_TIMEOUT,
            Waited::NotYet => return SW_SUSPEND,
        };
        self.give(Text::from(text));
        code
    }
}

/// Sleeps for as long as it takes, without keeping a thread or a process busy. The first call fixes
/// when the sleep is over; calls of later attempts, or of later moments, ask whether it is, and a
/// duration they give is ignored. Once it is over, that is recorded and replays.
///
/// The first sw_sleep of a name in an attempt is its first occurrence, the call after one that
/// answered SW_OK the next. Sleeps count apart from steps.
///
/// Any thread; may block on disk or lock, up to the busy timeout. Never waits for the time itself.
/// Durable when it returns, as the store's durability says.
///
/// \param attempt        from sw_run_claim
/// \param name,name_len  name of the sleep
/// \param duration_ms    milliseconds from the first call, 0 to 3162240000000
/// \param err            receives an owned error on failure; may be NULL
/// \retval SW_OK                  the sleep is over
/// \retval SW_SUSPEND             it is not: end the attempt by sw_attempt_suspend, or ask again
/// \retval SW_ERR_MISUSE          attempt is no attempt, or name is NULL with a length
/// \retval SW_ERR_INVALID         name is absent or out of its form, or duration_ms out of its range
/// \retval SW_ERR_TOO_BIG         name has more than 255 bytes
/// \retval SW_ERR_LEASE_LOST      another attempt took over, or this one ended
/// \retval SW_ERR_CANCELLED       the run was cancelled or timed out
/// \retval SW_ERR_CONFLICT        another thread asks for the same sleep at this moment
///
/// Also, as any writing call: SW_ERR_CLOSED, SW_ERR_FORKED, SW_ERR_SCHEMA_OLD, SW_ERR_SCHEMA_NEW,
/// SW_ERR_SCHEMA_FOREIGN, SW_ERR_SCHEMA_EDITED, SW_ERR_BUSY, SW_ERR_IO, SW_ERR_FULL,
/// SW_ERR_READONLY, SW_ERR_CORRUPT, SW_ERR_NOMEM, SW_ERR_INTERNAL, SW_ERR_PANIC, SW_ERR_POISONED,
/// SW_ERR_WAL_LOST.
/// \since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_sleep(
    attempt: *mut sw_attempt,
    name: *const c_char,
    name_len: usize,
    duration_ms: i64,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |door| {
            let attempt = door.body(attempt)?;
            let name = door.name(raw("name", name, name_len))?;
            Ok(match attempt.sleep(name, duration_ms)? {
                Waited::NotYet => SW_SUSPEND,
                Waited::Ready(_) | Waited::Failed(_) | Waited::TimedOut => SW_OK,
            })
        })
    }
}
