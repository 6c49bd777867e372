//! Looking at a store as a whole.

use super::codes::SW_OK;
use super::guard::guard;
use super::report::sw_error;
use super::store::sw_store;
use super::text::sw_text;
use crate::text::Text;

/// Shows what there is to be told of a store as a whole, as a JSON document. Keys are only ever added.
///
///   {"at_ms":1760000000000,
///    "runs":{"total":120,"pending":8,"running":2,"waiting":3,"paused":1,"completed":100,"failed":5,
///     "cancelled":1,"at_least":[],"at_most":[]},
///    "oldest_ready_at_ms":1759999990000,"oldest_ready_for_ms":10000,
///    "next_due_at_ms":1760000060000,
///    "queues":[{"queue":"default","concurrency":2,"concurrency_per_key":null,"paused":false,
///     "running":2,"ready":5,"delayed":3,"waiting":3,"blocked":0,
///     "oldest_ready_at_ms":1759999990000,"last_claimed_at_ms":1759999999000,"at_least":[]}],
///    "full":[{"queue":"default","concurrency_key":null,"limit":2,"running":2,
///     "run_ids":["run_01k..."]}],
///    "owners":[{"owner_id":"owner_3","pid":4711,"alive":true,"opened_at_ms":1759999000000,
///     "running":2,"oldest_lease_at_ms":1759999999000}],
///    "file":{"page_bytes":4096,"pages":250,"bytes":1024000,"free_bytes":8192,"log_bytes":41232},
///    "writer":{"commits":300,"writes":900,"largest_batch":12,
///     "batches":{"1":200,"2_7":90,"8_63":10,"64_up":0},"syncs":250,"syncs_shared":50,
///     "turn_waits":20,"turn_wait_ms":35,
///     "calls":[{"call":"sw_step_complete","writes":700,"took_ms":41,"longest_ms":2}]}}
///
/// runs counts by state. It costs the same in a store of a million runs: open runs are counted up to
/// SW_TASKS_COUNTED_MAX of a kind, failed and cancelled ones up to SW_OUTCOMES_COUNTED_MAX of each, and
/// at_least names the counts that stopped there; sw_run_count counts on. total is how many numbers
/// runs were given, exact unless runs between the oldest and the newest are gone; completed is what the
/// other counts leave of it, so at most that many where at_most names it.
///
/// oldest_ready_at_ms is since when the run could be claimed that nobody has claimed for longest,
/// null when none is ready; next_due_at_ms is when something comes due by itself next. queues is as
/// sw_queue_list shows them and owners as sw_owner_list. full shows up to SW_FULL_SHOWN_MAX limits
/// that are reached, of queues and of concurrency keys, with up to SW_HOLDERS_SHOWN_MAX of the runs
/// that fill them.
///
/// log_bytes are those of the write-ahead log; free_bytes hold nothing and are used again. writer
/// tells what this process has written since it opened the file, null for a store opened with
/// SW_OPEN_READ_ONLY: commits and the writes that shared them, syncs made for them and commits that
/// another process' sync covered, and how often and how long, in sum, another process' turn to write
/// was waited for. calls tells whose the writes were, and how long their work kept others waiting
/// beside commits and syncs; sweep is what waits and cancels moved, sync an answer that first made safe
/// what it had read.
///
/// May block. Never waits for a writer.
/// \param out  receives the document, freed by sw_text_free; NULL on failure
/// \retval SW_OK  the document is in out
/// \codes reading
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_store_stats(
    store: *mut sw_store,
    out: *mut *mut sw_text,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out = call.out_handle(out)?;
            let store = call.store(store)?;
            out.give(Text::from(store.stats()?));
            Ok(SW_OK)
        })
    }
}

/// Shows the queues that have runs or were set as a JSON array, ordered by name: limits, what stands in
/// them, and when something was last claimed from them. Keys are only ever added.
///
///   [{"queue":"default","concurrency":2,"concurrency_per_key":null,"paused":false,"running":2,
///     "ready":5,"delayed":3,"waiting":3,"blocked":0,"oldest_ready_at_ms":1759999990000,
///     "last_claimed_at_ms":1759999999000,"at_least":[]}]
///
/// ready may be claimed, as far as limits let them; blocked stand behind another run with their
/// concurrency key. What has come due counts as delayed or waiting until the next claim or wait of any
/// process moves it. last_claimed_at_ms is null when nothing was, and goes with the queue's last run of
/// a workflow and code version when that is pruned; it may be a second behind. at_least names the
/// counts that stopped at their bound: SW_TASKS_COUNTED_MAX of the whole store, and for ready an equal
/// part of that for each workflow and code version.
///
/// Queues whose workflows and code versions are not among the first SW_LANES_SHOWN_MAX of the store, by
/// the names of the queues, are left out.
///
/// May block. Never waits for a writer.
/// \param out  receives the array, freed by sw_text_free; NULL on failure
/// \retval SW_OK  the array is in out; "[]" when there are none
/// \codes reading
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_queue_list(
    store: *mut sw_store,
    out: *mut *mut sw_text,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out = call.out_handle(out)?;
            let store = call.store(store)?;
            out.give(Text::from(store.queue_list()?));
            Ok(SW_OK)
        })
    }
}

/// Shows the owners of attempts as a JSON array, the oldest first: each is a store handle that has
/// claimed, in whichever process. Keys are only ever added.
///
///   [{"owner_id":"owner_3","pid":4711,"alive":true,"opened_at_ms":1759999000000,"running":2,
///     "oldest_lease_at_ms":1759999999000}]
///
/// opened_at_ms is when it first claimed, running how many runs it holds, oldest_lease_at_ms when it
/// claimed the one that it has held for longest. alive is false for one whose process is gone or is of
/// an earlier boot of the machine: the next claim or wait of any process takes its runs back and
/// forgets it. It is null where a store opened with SW_OPEN_READ_ONLY may not read the file that tells.
///
/// May block. Never waits for a writer.
/// \param out  receives the array, freed by sw_text_free; NULL on failure
/// \retval SW_OK  the array is in out; "[]" when there are none
/// \codes reading
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_owner_list(
    store: *mut sw_store,
    out: *mut *mut sw_text,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out = call.out_handle(out)?;
            let store = call.store(store)?;
            out.give(Text::from(store.owner_list()?));
            Ok(SW_OK)
        })
    }
}
