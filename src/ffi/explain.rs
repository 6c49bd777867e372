//! Why a run does not move.

use std::ffi::c_char;

use super::args::raw;
use super::codes::SW_OK;
use super::guard::guard;
use super::report::sw_error;
use super::store::sw_store;
use super::text::sw_text;
use crate::text::Text;

/// Shows why a run does not move, as a JSON document: at least one reason, the most telling first. Keys
/// are only ever added.
///
///   {"run_id":"run_01k...","state":"pending",
///    "reasons":[{"code":"queue_full","text":"queue \"mail\" lets 2 run at once, and 2 do",
///      "since_ms":null,"evidence":{"queue":"mail","concurrency":2,"running":2,
///      "run_ids":["run_01k...","run_01k..."]},"hint":"sw_queue_set raises \"concurrency\""},
///     {"code":"behind_others","text":"it is the next: those who claim it are busy",
///      "since_ms":1760000000000,"evidence":{"ahead":0,"is_at_least":false,"first_run_id":null,
///      "last_claimed_at_ms":1760000000500},"hint":"more workers"}]}
///
/// text and hint are for people, and may change; code is one of these, with what its evidence tells.
/// since_ms is since when, null where that was not noted.
///
/// running: an attempt holds it (attempt, worker, owner_id, pid, pause_asked). owner_dead,
/// owner_silent: the process that holds it is gone, or lives and has let its lease lapse; the next
/// claim or wait of any process takes the run back. cancel_unheard: the attempt was told to end (asked:
/// "cancel" or "timeout") and goes on.
///
/// queue_paused, queue_full, key_full: the limits of its queue hold it back, with the run_ids of up to
/// SW_HOLDERS_SHOWN_MAX that fill them. local_owner: it was submitted with SW_SUBMIT_LOCAL by a handle
/// that is open. behind_others: ahead others are claimed first, counted to SW_AHEAD_COUNTED_MAX; of 0
/// it is the next. queue_unclaimed: nobody claims from its queue, or nobody its workflow: nothing was
/// claimed there since it was due, or nothing of the queue in the last second, while none of its runs
/// is held. version_unclaimed: its code version is not claimed while others are. Both show
/// last_claimed_at_ms, which may be a second behind, and may miss what was claimed of runs that were
/// pruned since (sw_queue_list). Of a queue with more than SW_LANES_EXPLAINED_MAX workflows and code
/// versions the first by name are looked at, and the run's own.
///
/// not_due: it begins at until_ms. backing_off: it, or its step, is tried again at until_ms, after
/// error. waits_signal, waits_child, waits_sleep, waits_budget: it is parked on a signal, on a child
/// and its state, until a moment, or until a unit of its budget, short_by so much, has room; one reason
/// for each, up to SW_WAITING_SHOWN_MAX. paused: a person set it aside. ended: it has ended.
///
/// May block. Never waits for a writer.
/// \param run_id,run_id_len  from a submit or a claim
/// \param out                receives the document, freed by sw_text_free; NULL on failure
/// \retval SW_OK             the document is in out
/// \retval SW_ERR_INVALID    run_id is absent, empty, no UTF-8, or holds a NUL
/// \retval SW_ERR_NOT_FOUND  no such run
/// \codes reading
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_run_explain(
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
            out.give(Text::from(store.run_explain(run_id)?));
            Ok(SW_OK)
        })
    }
}
