//! Limits of queues.

use std::ffi::c_char;

use super::args::{absent, raw};
use super::codes::SW_OK;
use super::guard::guard;
use super::report::sw_error;
use super::store::sw_store;
use crate::domain::submit::QUEUE_DEFAULT;

/// Sets the limits of a queue, for claims in every process, from the next one on. The settings are a
/// JSON object: `{"concurrency":8,"concurrency_per_key":1,"paused":false}`. `concurrency` is how many
/// of the queue's runs may be held by attempts at once, `concurrency_per_key` how many that share a
/// concurrency_key; both are 1 to UINT32_MAX. With `paused` true nothing is claimed. What the
/// settings leave out, or name as null, is lifted; `{}` lifts all.
///
/// A lower limit takes no run from an attempt: no further one is claimed until there is room.
///
/// May block, once for each 64 concurrency keys whose runs are held by attempts. Durable when it
/// returns. On SW_ERR_IO and SW_ERR_FULL, and what else may come of a commit, the limits may hold already, and runs that
/// they let in may not be claimable yet: call again.
/// \param queue,queue_len  name of the queue; absent is "default"
/// \param settings,settings_len  JSON object
/// \retval SW_OK           the limits hold
/// \retval SW_ERR_INVALID  queue is empty, no UTF-8, or holds a NUL; settings are absent, no JSON
///                         object, or have an unknown key or a value out of its range
/// \retval SW_ERR_TOO_BIG  a text is above its limit
/// \codes writing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_queue_set(
    store: *mut sw_store,
    queue: *const c_char,
    queue_len: usize,
    settings: *const c_char,
    settings_len: usize,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let store = call.store(store)?;
            let queue = call.optional_name(raw("queue", queue, queue_len))?;
            let settings = raw("settings", settings, settings_len);
            let settings = call.document(settings, store.payload_bytes_max())?;
            let settings = settings.ok_or_else(|| absent("settings"))?;
            store.queue_set(queue.unwrap_or(QUEUE_DEFAULT), settings)?;
            Ok(SW_OK)
        })
    }
}
