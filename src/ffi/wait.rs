//! Calls of an attempt that wait: for time, and for several things at once.

use std::ffi::c_char;
use std::sync::Arc;

use super::args::{Raw, raw};
use super::attempt::sw_attempt;
use super::call::Call;
use super::codes::{SW_FAILED, SW_OK, SW_SUSPEND, SW_TIMEOUT};
use super::guard::guard;
use super::out::Out;
use super::report::sw_error;
use super::text::sw_text;
use crate::error::Result;
use crate::handles::attempt::Attempt;
use crate::handles::wait::Waited;
use crate::text::Text;

impl Call {
    /// Takes what an await of several things is given: attempt, name and list.
    fn listed<'d>(
        &'d self,
        attempt: *mut sw_attempt,
        name: Raw<'_>,
        waits: Raw<'_>,
    ) -> Result<(&'d Arc<Attempt>, &'d str, &'d str)> {
        let attempt = self.body(attempt.cast_const())?;
        let max = attempt.store().payload_bytes_max();
        Ok((attempt, self.name(name)?, self.needed_document(waits, max)?))
    }
}

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
/// May block. Never waits for the time itself. Durable when it returns.
/// \param name,name_len  name of the sleep
/// \param duration_ms    milliseconds from the first call, 0 to SW_DURATION_MS_MAX
/// \retval SW_OK              the sleep is over
/// \retval SW_SUSPEND         it is not: end the attempt by sw_attempt_suspend, or ask again
/// \retval SW_ERR_INVALID     name is absent or out of its form, or duration_ms out of its range
/// \retval SW_ERR_TOO_BIG     name has more than SW_NAME_BYTES_MAX bytes
/// \retval SW_ERR_LEASE_LOST  the run was taken back, or this attempt ended
/// \retval SW_ERR_CANCELLED   the run was cancelled or timed out
/// \retval SW_ERR_CONFLICT    another thread asks for the same sleep at this moment
/// \codes writing
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
        guard(err, |call| {
            let attempt = call.body(attempt)?;
            let name = call.name(raw("name", name, name_len))?;
            Ok(match attempt.sleep(name, duration_ms)? {
                Waited::NotYet => SW_SUSPEND,
                Waited::Ready(_) | Waited::Failed(_) | Waited::TimedOut => SW_OK,
            })
        })
    }
}

/// Awaits the first of several: messages, children, sleeps. The one that was ready earliest is
/// chosen, of equals the one that stands first; a message is taken in the commit that records the
/// choice, and the choice replays. The others stay as they were: a message that was not chosen is
/// for the next await, a child goes on.
///
/// waits are objects with one key each: a message by its name, a child by its run_id, a sleep by its
/// milliseconds from the first call, 0 to SW_DURATION_MS_MAX.
///
///   [{"signal":"approval"},{"child":"run_01k..."},{"sleep_ms":259200000}]
///
/// The answer has the place in waits, "ok" or "failed", and the payload, the child's result or error,
/// or null for a sleep: {"index":0,"outcome":"ok","value":true}.
///
/// Deadlines, of the whole and of sleeps, are fixed by the first call that has any, as for sw_signal_await; so are
/// occurrences counted.
///
/// May block. Never waits for what is awaited. Durable when it returns.
/// \param name,name_len    name of the await
/// \param waits,waits_len  JSON array of 1 to SW_WAITS_MAX objects
/// \param timeout_ms       milliseconds from the first call that has a limit, to SW_DURATION_MS_MAX;
///                         with 0 what is not there is SW_TIMEOUT, which is recorded: to look, and
///                         ask again, give SW_FOREVER, which has no limit; with a sleep among the
///                         waits the first call fixes that there is none
/// \param out              receives the answer, freed by sw_text_free; NULL unless that is SW_OK
/// \retval SW_OK                  the choice is in out
/// \retval SW_SUSPEND             none is ready: end the attempt by sw_attempt_suspend, or ask
///                                again
/// \retval SW_TIMEOUT             none was ready in time; this replays too
/// \retval SW_ERR_INVALID         name or waits is absent or out of its form, or timeout_ms out of
///                                its range; the sentence names the entry of waits
/// \retval SW_ERR_TOO_BIG         name or a name in waits has more than SW_NAME_BYTES_MAX bytes,
///                                waits is above the store's limit
/// \retval SW_ERR_NOT_FOUND       a child in waits is no child of this run
/// \retval SW_ERR_LEASE_LOST      the run was taken back, or this attempt ended
/// \retval SW_ERR_CANCELLED       the run was cancelled or timed out
/// \retval SW_ERR_NONDETERMINISM  this occurrence of the name was recorded by another kind of
///                                await, or with sleeps in other places
/// \retval SW_ERR_CONFLICT        another thread asks for the same await at this moment
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_await_any(
    attempt: *mut sw_attempt,
    name: *const c_char,
    name_len: usize,
    waits: *const c_char,
    waits_len: usize,
    timeout_ms: i64,
    out: *mut *mut sw_text,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out = call.out_handle(out)?;
            let (name, waits) = (raw("name", name, name_len), raw("waits", waits, waits_len));
            let (attempt, name, waits) = call.listed(attempt, name, waits)?;
            Ok(out.give_waited(attempt.await_any(name, waits, timeout_ms)?))
        })
    }
}

/// Awaits all of several: messages, children, sleeps. A run that is parked on it wakes once, when the
/// last is ready, and each end of one of ten thousand children costs the same as one of two. Messages
/// are taken in the commit that records the answer; a name that stands there twice takes two. The
/// answer replays.
///
/// Deadlines, of the whole and of sleeps, are fixed by the first call that has any, as for sw_signal_await; so are
/// occurrences counted. After a time-out, messages that came are kept for the next await.
///
/// May block. Never waits for what is awaited. Durable when it returns.
/// \param name,name_len    name of the await
/// \param waits,waits_len  as for sw_await_any
/// \param timeout_ms       milliseconds from the first call that has a limit, to SW_DURATION_MS_MAX;
///                         with 0 what is not there is SW_TIMEOUT, which is recorded: to look, and
///                         ask again, give SW_FOREVER, which has no limit; with a sleep among the
///                         waits the first call fixes that there is none
/// \param out              receives an array in the order of waits of what sw_await_any answers,
///                         freed by sw_text_free; NULL unless the answer is SW_OK
/// \retval SW_OK                  all are ready; the answers are in out
/// \retval SW_SUSPEND             some are not: end the attempt by sw_attempt_suspend, or ask again
/// \retval SW_TIMEOUT             not all were ready in time; this replays too
/// \retval SW_ERR_INVALID         name or waits is absent or out of its form, or timeout_ms out of
///                                its range; the sentence names the entry of waits
/// \retval SW_ERR_TOO_BIG         name or a name in waits has more than SW_NAME_BYTES_MAX bytes,
///                                waits is above the store's limit, or the answers have more than
///                                SW_PAYLOAD_BYTES_MAX bytes together
/// \retval SW_ERR_NOT_FOUND       a child in waits is no child of this run
/// \retval SW_ERR_LEASE_LOST      the run was taken back, or this attempt ended
/// \retval SW_ERR_CANCELLED       the run was cancelled or timed out
/// \retval SW_ERR_NONDETERMINISM  this occurrence of the name was recorded by another kind of
///                                await, or with sleeps in other places
/// \retval SW_ERR_CONFLICT        another thread asks for the same await at this moment
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_await_all(
    attempt: *mut sw_attempt,
    name: *const c_char,
    name_len: usize,
    waits: *const c_char,
    waits_len: usize,
    timeout_ms: i64,
    out: *mut *mut sw_text,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out = call.out_handle(out)?;
            let (name, waits) = (raw("name", name, name_len), raw("waits", waits, waits_len));
            let (attempt, name, waits) = call.listed(attempt, name, waits)?;
            Ok(out.give_waited(attempt.await_all(name, waits, timeout_ms)?))
        })
    }
}
