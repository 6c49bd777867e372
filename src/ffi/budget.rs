//! Budgets: what a tree of runs may spend, reserved before and settled after.

use std::ffi::c_char;

use super::args::{absent, raw};
use super::attempt::sw_attempt;
use super::codes::{SW_EXISTS, SW_OK};
use super::guard::guard;
use super::report::sw_error;
use super::step::sw_step;
use super::store::sw_store;
use super::text::sw_text;
use crate::error::Result;
use crate::text::Text;

/// Reserves amounts of the budget for what an attempt is about to do, all of them or none.
///
/// Limits are those that the topmost run was submitted with (`budget` in sw_submit_options), per
/// unit, shared by all runs below it. Reserved and spent together are never above a limit when a
/// reserve is answered with SW_OK, whoever reserves at the same time in whatever process. A unit
/// without a limit is only metered.
///
/// A reservation belongs to its attempt. Settle it with sw_budget_settle, or complete its step with
/// sw_step_complete_usage; sw_step_complete and sw_step_fail settle nothing. What is open when the attempt
/// ends in order (complete, fail, release, suspend, close of the store) is given back; what is open when
/// its lease lapses or its process dies is charged in full, since the call may have been paid, and a later
/// settle corrects that.
///
/// Refused with SW_ERR_BUDGET the call joins what sw_attempt_suspend parks on: the run becomes
/// claimable when the limit is raised or enough is given back. Give back what is not needed before
/// parking: two runs that hold a part each and wait for the rest wait for each other.
///
/// May block. Durable when it returns; so is what SW_EXISTS confirms.
/// \param step_or_null         a step of this attempt that begin answered with SW_OK, for which the
///                             amounts are; or NULL
/// \param amounts,amounts_len  JSON object `{unit: integer}` of 1 to SW_BUDGET_UNITS_MAX units;
///                             names of 1 to SW_NAME_BYTES_MAX bytes, integers 0 to 2^63-1 without
///                             sign, fraction or exponent
/// \param source,source_len    what makes it one, to SW_KEY_BYTES_MAX bytes: reserved again with
///                             the same source in this attempt it is the same reservation, whatever
///                             the amounts; absent is a reservation of its own
/// \param out_id               receives the reservation's id and its NUL, for SW_OK and SW_EXISTS
/// \retval SW_OK              all of it is reserved
/// \retval SW_EXISTS          that source reserved before in this attempt; that id is written
/// \retval SW_ERR_INVALID     amounts is absent or out of its form or range, or names no unit; a
///                            unit without a limit would come above 2^63-1, or be one more than
///                            SW_BUDGET_UNITS_OF_TREE_MAX of the tree; the step is another
///                            attempt's; source is empty; cap is below SW_ID_CAP
/// \retval SW_ERR_TOO_BIG     a text is above its limit
/// \retval SW_ERR_BUDGET      a unit has no room; nothing is reserved. The message names the unit,
///                            its limit, what is spent, what is reserved and what was asked
/// \retval SW_ERR_CONFLICT    the step is finished or was replayed, or the attempt has
///                            SW_RESERVATIONS_OPEN_MAX open reservations, counted by unit
/// \retval SW_ERR_LEASE_LOST  the run was taken back, or this attempt ended
/// \retval SW_ERR_CANCELLED   the run was cancelled or timed out
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_budget_reserve(
    attempt: *mut sw_attempt,
    step_or_null: *mut sw_step,
    amounts: *const c_char,
    amounts_len: usize,
    source: *const c_char,
    source_len: usize,
    out_id: *mut c_char,
    cap: usize,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out_id = call.out_id("out_id", out_id, cap)?;
            let attempt = call.body(attempt)?;
            let step =
                if step_or_null.is_null() { None } else { Some(call.open_step(step_or_null)?) };
            let max = attempt.store().payload_bytes_max();
            let amounts =
                given("amounts", call.document(raw("amounts", amounts, amounts_len), max)?)?;
            let source = call.optional_key(raw("source", source, source_len))?;
            let made = attempt.reserve(step, amounts, source)?;
            out_id.set(made.id)?;
            Ok(if made.existed { SW_EXISTS } else { SW_OK })
        })
    }
}

fn given<'text>(what: &str, text: Option<&'text str>) -> Result<&'text str> {
    text.ok_or_else(|| absent(what))
}

/// Settles a reservation: what was reserved goes back, what was used is spent. Any handle of the
/// store may settle it, in any process, at any time until the run is pruned.
///
/// The amounts may exceed the reservation and the limit: the money is gone, and the next reserve
/// fails. Units that were reserved and are not named are given back whole; units that were not
/// reserved are spent all the same. `{}` gives all back.
///
/// Settled twice it is settled once: the same amounts again are SW_OK, others SW_ERR_CONFLICT. Of a
/// reservation that was charged in full because its attempt was lost, the first settle corrects the
/// charge.
///
/// May block. Durable when it returns.
/// \param reservation_id,reservation_id_len  from sw_budget_reserve
/// \param usage,usage_len  JSON object `{unit: integer}` of up to SW_BUDGET_UNITS_MAX units, as for
///                         sw_budget_reserve; must be given
/// \retval SW_OK             settled, now or before with the same amounts
/// \retval SW_ERR_INVALID    a text is absent, empty or no UTF-8; usage is out of its form or
///                           range, or would bring what is spent above 2^63-1, or names one unit
///                           more than SW_BUDGET_UNITS_OF_TREE_MAX of the tree
/// \retval SW_ERR_TOO_BIG    usage is above the store's limit
/// \retval SW_ERR_NOT_FOUND  no such reservation
/// \retval SW_ERR_CONFLICT   settled before with other amounts, or given back when its attempt
///                           ended
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_budget_settle(
    store: *mut sw_store,
    reservation_id: *const c_char,
    reservation_id_len: usize,
    usage: *const c_char,
    usage_len: usize,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let store = call.store(store)?;
            let id = call.id(raw("reservation_id", reservation_id, reservation_id_len))?;
            let max = store.payload_bytes_max();
            let usage = given("usage", call.document(raw("usage", usage, usage_len), max)?)?;
            store.settle(id, usage)?;
            Ok(SW_OK)
        })
    }
}

/// Moves a limit up or down. The level of its warning moves by as much, and a warning is given
/// again once that level is reached anew.
///
/// Runs that are parked for want of room become claimable: at once as many as fit together, the
/// smallest ask first; others that would fit follow while room is left. A limit may be moved below
/// what is spent: then every reserve fails. Limits are shared by the tree, so any run of it may be
/// named.
///
/// May block. Durable when it returns.
/// \param run_id,run_id_len  any run of the tree
/// \param unit,unit_len      name of a unit that has a limit
/// \param delta              what is added to the limit; may be negative. The limit stays 0 to
///                           2^63-1
/// \retval SW_OK             the limit is moved
/// \retval SW_ERR_INVALID    a text is absent, empty or no UTF-8, or holds a NUL; the limit would
///                           be below 0 or above 2^63-1
/// \retval SW_ERR_TOO_BIG    unit has more than SW_NAME_BYTES_MAX bytes
/// \retval SW_ERR_NOT_FOUND  no such run, or its tree has no limit of that unit
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_budget_raise(
    store: *mut sw_store,
    run_id: *const c_char,
    run_id_len: usize,
    unit: *const c_char,
    unit_len: usize,
    delta: i64,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let store = call.store(store)?;
            let run_id = call.id(raw("run_id", run_id, run_id_len))?;
            let unit = call.name(raw("unit", unit, unit_len))?;
            store.budget_raise(run_id, unit, delta)?;
            Ok(SW_OK)
        })
    }
}

/// Shows a budget as a JSON document: that of the topmost run, whichever run of the tree is named.
///
///   {"root_run_id":"run_01k...",
///    "units":{"tokens":{"limit":5000,"warn":4000,"reserved":120,"spent":3900,"remaining":980},
///      "calls":{"limit":null,"warn":null,"reserved":0,"spent":3,"remaining":null}},
///    "totals":[{"workflow":"invoice","kind":"step","unit":"tokens","spent":3900,"entries":3}],
///    "totals_cut":false}
///
/// Of a unit without a limit, limit and remaining are null. Remaining is negative when more was spent
/// than allowed. totals are what was spent by workflow, kind of step (null for what was reserved
/// without one) and unit; totals_cut is true when there are more than SW_BUDGET_TOTALS_MAX of them.
///
/// May block. Never waits for a writer.
/// \param run_id,run_id_len  any run of the tree
/// \param out                receives the document, freed by sw_text_free; NULL on failure
/// \retval SW_OK             the document is in out
/// \retval SW_ERR_INVALID    run_id is absent, empty, no UTF-8, or holds a NUL
/// \retval SW_ERR_NOT_FOUND  no such run
/// \codes reading
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_budget_get(
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
            out.give(Text::from(store.budget(run_id)?));
            Ok(SW_OK)
        })
    }
}
