//! Schedules.

use std::ffi::c_char;

use super::args::{absent, raw};
use super::codes::SW_OK;
use super::guard::guard;
use super::report::sw_error;
use super::store::sw_store;
use super::text::sw_text;
use crate::limits::SCHEDULE_SPEC_BYTES_MAX;
use crate::text::Text;

/// Sets a schedule, which submits a run again and again: by an expression in local time, or each so
/// many milliseconds.
///
/// The library has no thread that would wake up: a schedule that is due submits its run inside the
/// next claim or wait (sw_run_claim and the like) of any process, for whatever queue, and a claim or
/// wait that sleeps wakes for it. Of all processes one submits it, once: run and next time are one
/// commit. The run has the metadata {"schedule":name,"scheduled_at_ms":when}, and that time as its
/// run_at_ms, which puts it in its place among the ready.
///
/// The same spec again changes nothing, so a program may set its schedules at each start. Another
/// spec replaces the old one; if it fires at the same times (cron, every_ms and timezone are
/// equal), the next firing stays, otherwise firings count from now. A schedule that was paused goes
/// on with the next firing from now.
///
/// spec is a JSON object of at most SW_SCHEDULE_SPEC_BYTES_MAX bytes:
///
///   {"workflow":"report","args":{"kind":"daily"},"queue":"nightly","cron":"30 6 * * MON-FRI",
///    "timezone":"Europe/Berlin","overlap":"skip","catch_up":"last","paused":false}
///
/// Its keys:
/// - "workflow": name of the host's function; must be given.
/// - "args": any JSON; absent is null. "queue": absent is "default".
/// - "cron" or "every_ms", one of them. "every_ms" is 1 to SW_DURATION_MS_MAX and counts from the
///   set that named it. "cron" has five fields, minute (0-59), hour (0-23), day of month (1-31),
///   month (1-12 or JAN-DEC), day of week (0-7 or SUN-SAT, 0 and 7 are Sunday), or six with the
///   second (0-59) first. A field is one or more of these with commas between: `*`, a number, a
///   range a-b, a step `*`/n or a-b/n. The words are read in either case, in their field alone. A
///   day of month is also L, the last, or nW, the weekday nearest to day n within its month; a day
///   of week is also d#n, the nth of the month, n 1 to 5, or d#L, the last. When both days are
///   named, that is neither field is `*` alone, either counts. All else is refused, and the message
///   names the field: a range that runs backward, a step of 0, a/n, ?, LW, nicknames as @daily. So
///   is an expression that never fires, as on 30 February.
/// - "timezone": name in the IANA database, as "Europe/Berlin"; absent is "UTC". The rules are
///   those that the machine has at each firing (/usr/share/zoneinfo); "UTC" needs none. Where the
///   hour and the minute are numbers, ranges or lists of these, each local time that cron names
///   fires once: one that a clock going forward leaves out at the first instant after the gap,
///   together with whatever else falls there; one that a clock going back repeats, the first time.
///   Where the hour or the minute has a `*` or a step, be it one of a list, the whole expression
///   follows the clock: it fires at each instant at which clocks show a time that it names, so not
///   at all in the gap, and in both passes of what is repeated. Seconds, days and months do not
///   matter for this.
/// - "overlap": "skip" (default): a firing submits nothing while the last run of the schedule is
///   open, and is counted in "skipped" of the list. "queue": it submits a run all the same.
/// - "catch_up": what becomes of firings that passed while nobody looked. "last" (default): one
///   run, for the last of them. "none": nothing, unless it is the last and at most
///   SW_SCHEDULE_GRACE_MS late. "all": one run each, for the newest SW_SCHEDULE_CATCH_UP_MAX (with
///   "skip", only while none is open).
/// - "paused": true stops firing.
///
/// May block. Durable when it returns.
/// \param name,name_len  names the schedule
/// \param spec,spec_len  JSON object, as above
/// \retval SW_OK               the schedule is as spec says
/// \retval SW_ERR_INVALID      name or spec is absent; name is out of its form; spec is no JSON,
///                             has an unknown key, which is named, or a value out of its form or
///                             range; the time zone is not known on this machine; cron never fires
/// \retval SW_ERR_TOO_BIG      name, spec or a text in it is above its limit
/// \retval SW_ERR_UNSUPPORTED  the machine has no time zones, and spec names one that is not "UTC"
/// \retval SW_ERR_CONFLICT     there are SW_SCHEDULES_MAX schedules already
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_schedule_set(
    store: *mut sw_store,
    name: *const c_char,
    name_len: usize,
    spec: *const c_char,
    spec_len: usize,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let store = call.store(store)?;
            let name = call.name(raw("name", name, name_len))?;
            let spec_bytes_max = store.payload_bytes_max().min(SCHEDULE_SPEC_BYTES_MAX);
            let spec = call.document(raw("spec", spec, spec_len), spec_bytes_max)?;
            store.schedule_set(name, spec.ok_or_else(|| absent("spec"))?)?;
            Ok(SW_OK)
        })
    }
}

/// Deletes a schedule: nothing fires any more. Runs that it submitted go on.
///
/// May block. Durable when it returns.
/// \param name,name_len  as it was set
/// \retval SW_OK             the schedule is gone
/// \retval SW_ERR_INVALID    name is absent or out of its form
/// \retval SW_ERR_NOT_FOUND  no schedule has that name
/// \retval SW_ERR_TOO_BIG    name has more than SW_NAME_BYTES_MAX bytes
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_schedule_delete(
    store: *mut sw_store,
    name: *const c_char,
    name_len: usize,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let store = call.store(store)?;
            store.schedule_delete(call.name(raw("name", name, name_len))?)?;
            Ok(SW_OK)
        })
    }
}

/// Shows all schedules as a JSON array, ordered by name, with the keys of their specs; what was left
/// out there is filled in.
///
///   [{"name":"daily","workflow":"report","args":{"kind":"daily"},"queue":"nightly",
///     "cron":"30 6 * * MON-FRI","every_ms":null,"timezone":"Europe/Berlin","overlap":"skip",
///     "catch_up":"last","paused":false,"next_at_ms":1760070600000,"last_at_ms":1759984200000,
///     "last_run_id":"run_01k...","skipped":0,"error":null}]
///
/// next_at_ms is when it is due next, null while it is paused or when it fires no more. last_at_ms
/// is the firing that last_run_id was submitted for. skipped counts firings that submitted nothing
/// because the last run was open. error is null, or says why the schedule cannot fire on the
/// machine that last tried, such as a time zone it does not know; it is tried again every five
/// seconds.
///
/// May block. Never waits for a writer.
/// \param out  receives the array, freed by sw_text_free; NULL on failure
/// \retval SW_OK  the array is in out; "[]" when there are none
/// \codes reading
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_schedule_list(
    store: *mut sw_store,
    out: *mut *mut sw_text,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out = call.out_handle(out)?;
            let store = call.store(store)?;
            out.give(Text::from(store.schedule_list()?));
            Ok(SW_OK)
        })
    }
}
