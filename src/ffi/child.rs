//! Runs that a run submits, and how they end.

use std::ffi::c_char;

use super::args::raw;
use super::attempt::sw_attempt;
use super::codes::{SW_OK, SW_REPLAYED};
use super::guard::guard;
use super::options::sw_submit_options;
use super::report::sw_error;
use super::text::sw_text;
use crate::domain::items;
use crate::text::Text;

/// Submits a run as a child of the attempt's run: once per name and occurrence, however often the
/// attempt is repeated. It goes into its parent's queue unless options name another, belongs to its
/// parent's tree, and goes on when its parent ends; when its parent is cancelled or times out, so is
/// it.
///
/// The first submit of a name in an attempt is its first occurrence, the call after one that answered SW_OK
/// or SW_REPLAYED the next: after an error the same call means the same child.
/// Children count apart from steps.
///
/// May block. Durable when it returns; so is what SW_REPLAYED confirms.
/// \param name,name_len  name of the child within its parent
/// \param workflow,workflow_len  name of the host's function
/// \param args,args_len  JSON; absent is null
/// \param options        as for sw_run_submit, without idempotency_key, idempotency_scope and
///                       budget; NULL for all defaults
/// \param out_run_id     receives the child's id and its NUL
/// \retval SW_OK               the child is submitted; its id is written
/// \retval SW_REPLAYED         it was submitted before, whatever workflow, args and options are given now;
///                             its id is written
/// \retval SW_ERR_INVALID      name or workflow is absent; a text, args or an option is out of its
///                             form or range; a key or a budget, which a child cannot have; cap is
///                             below SW_ID_CAP
/// \retval SW_ERR_TOO_BIG      a text or args is above its limit
/// \retval SW_ERR_UNSUPPORTED  an unknown option or flag
/// \retval SW_ERR_LEASE_LOST   the run was taken back, or this attempt ended
/// \retval SW_ERR_CANCELLED    the run was cancelled or timed out
/// \retval SW_ERR_CONFLICT     another thread submits a child of this name at this moment
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_child_submit(
    attempt: *mut sw_attempt,
    name: *const c_char,
    name_len: usize,
    workflow: *const c_char,
    workflow_len: usize,
    args: *const c_char,
    args_len: usize,
    options: *const sw_submit_options,
    out_run_id: *mut c_char,
    cap: usize,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out_run_id = call.out_id("out_run_id", out_run_id, cap)?;
            let attempt = call.body(attempt)?;
            let name = call.name(raw("name", name, name_len))?;
            let (workflow, args) =
                (raw("workflow", workflow, workflow_len), raw("args", args, args_len));
            let max = attempt.store().payload_bytes_max();
            let submit = call.submit(workflow, args, options, max)?;
            let child = attempt.child_submit(name, submit)?;
            out_run_id.set(child.run_id)?;
            Ok(if child.existed { SW_REPLAYED } else { SW_OK })
        })
    }
}

/// Submits children in one commit, all or none. Each is as by sw_child_submit; children of one name
/// are its occurrences in the order of the list.
///
/// Each item is an object with "name", and else as for sw_run_submit_many, without the three options
/// that a child cannot have: idempotency_key, idempotency_scope and budget.
///
///   [{"name":"page","workflow":"fetch","args":{"url":"https://a.example"},"max_tries":5},
///    {"name":"page","workflow":"fetch","args":{"url":"https://b.example"}}]
///
/// May block. Durable when it returns; so is what exists confirms.
/// \param items,items_len  JSON array of 1 to SW_MANY_MAX objects
/// \param out              receives an array with run_id and exists of each, in order, freed by
///                         sw_text_free; exists is true for what was submitted before; NULL on
///                         failure
/// \retval SW_OK              all are submitted; the answer is in out
/// \retval SW_ERR_INVALID     items is absent, no such array, or an item is out of its form or
///                            range; the sentence names the item, and a key that is not known
/// \retval SW_ERR_TOO_BIG     items or a text in it is above its limit
/// \retval SW_ERR_LEASE_LOST  the run was taken back, or this attempt ended
/// \retval SW_ERR_CANCELLED   the run was cancelled or timed out
/// \retval SW_ERR_CONFLICT    another thread submits a child of such a name at this moment
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_child_submit_many(
    attempt: *mut sw_attempt,
    items: *const c_char,
    items_len: usize,
    out: *mut *mut sw_text,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out = call.out_handle(out)?;
            let attempt = call.body(attempt)?;
            let max = attempt.store().payload_bytes_max();
            let items = call.needed_document(raw("items", items, items_len), max)?;
            let children = attempt.child_submit_many(items::children(items)?)?;
            let told = children.iter().map(|child| (child.run_id.as_str(), child.existed));
            out.give(Text::from(items::answer(told)?));
            Ok(SW_OK)
        })
    }
}

/// Awaits the end of a child of the attempt's run. The answer is recorded, and replays.
///
/// The first call that gives a time-out fixes the deadline; those of later calls are ignored. A child that ended
/// at the deadline or before is answered however late the run asks.
///
/// The first await of a child in an attempt is its first occurrence, the call after one that answered SW_OK,
/// SW_FAILED or SW_TIMEOUT the next. Its name among awaits is run_id.
///
/// May block. Never waits for the child. Durable when it returns.
/// \param run_id,run_id_len  from sw_child_submit or sw_child_submit_many
/// \param timeout_ms         milliseconds from the first call that has a limit, to SW_DURATION_MS_MAX;
///                           with 0 what is not there is SW_TIMEOUT, which is recorded: to look, and
///                           ask again, give SW_FOREVER, which has no limit
/// \param out                receives the child's result or error, JSON, byte for byte as given,
///                           freed by sw_text_free; NULL unless the answer is SW_OK or SW_FAILED
/// \retval SW_OK                  the child is completed; its result is in out
/// \retval SW_FAILED              the child failed or was cancelled; its error is in out
/// \retval SW_SUSPEND             it has not ended: end the attempt by sw_attempt_suspend, or ask
///                                again
/// \retval SW_TIMEOUT             it did not end in time; this replays too
/// \retval SW_ERR_INVALID         run_id is absent, empty or no UTF-8, or timeout_ms out of its
///                                range
/// \retval SW_ERR_NOT_FOUND       no such run, or it is no child of this one
/// \retval SW_ERR_LEASE_LOST      the run was taken back, or this attempt ended
/// \retval SW_ERR_CANCELLED       the run was cancelled or timed out
/// \retval SW_ERR_NONDETERMINISM  this occurrence of run_id was recorded by another kind of await
/// \retval SW_ERR_CONFLICT        another thread asks for the same await at this moment
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_child_await(
    attempt: *mut sw_attempt,
    run_id: *const c_char,
    run_id_len: usize,
    timeout_ms: i64,
    out: *mut *mut sw_text,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out = call.out_handle(out)?;
            let attempt = call.body(attempt)?;
            let run_id = call.id(raw("run_id", run_id, run_id_len))?;
            Ok(out.give_waited(attempt.child_await(run_id, timeout_ms)?))
        })
    }
}
