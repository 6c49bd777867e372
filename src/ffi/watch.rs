//! Watches: changes of a store as a descriptor to poll.

use super::codes::SW_OK;
use super::guard::{guard, quiet};
use super::handle::{Handle, Kind};
use super::report::sw_error;
use super::store::sw_store;
use crate::handles::watch::Watch;

/// A watch on a store: descriptors that become readable when the store changes, for event loops.
/// Made by sw_watch_open, ended by sw_watch_free.
pub struct sw_watch {
    _opaque: [u8; 0],
}

impl Handle for sw_watch {
    type Body = Watch;
    const KIND: Kind = Kind::Watch;
    const IS_OF_PROCESS: bool = true;
}

/// Opens a watch on a store. It tells of what the change counter of sw_store_wait counts, and of
/// what comes due by itself, from now on. A store opened with SW_OPEN_READ_ONLY can be watched too,
/// as sw_store_wait says.
///
/// This is the one call that starts a thread: it sleeps in the kernel, has all signals blocked, and
/// ends with sw_watch_free, or when the store is shut down or closed. Never blocks.
/// \param out  receives the watch, freed by sw_watch_free; NULL on failure
/// \retval SW_OK               the watch is open
/// \retval SW_ERR_CLOSED       the store is shut down or closed
/// \retval SW_ERR_FORKED       the store belongs to the parent of this process
/// \retval SW_ERR_READONLY     the store was opened with SW_OPEN_READ_ONLY, and the file beside it
///                             that tells of changes cannot be read
/// \retval SW_ERR_UNSUPPORTED  the same, and that file is of another release of the library
/// \retval SW_ERR_IO           the system gave no descriptors or no thread
/// \retval SW_ERR_NOMEM        memory ran out
/// \codes any
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_watch_open(
    store: *mut sw_store,
    out: *mut *mut sw_watch,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out = call.out_handle(out)?;
            out.give(Watch::open(&call.store(store)?)?);
            Ok(SW_OK)
        })
    }
}

/// Gives a new descriptor of a watch, a duplicate of one end of a pair of sockets: non-blocking,
/// close-on-exec, the caller's to close. It becomes readable when the store changes, with one byte
/// for a whole burst of changes; sw_watch_drain empties it and arms it again. It reads as ended after
/// sw_watch_free, and when the store is shut down or closed.
///
/// All descriptors of a watch are ends of one pair: each becomes readable, and a drain empties all.
/// Two event loops that must each hear of every change open two watches. Do not write to it. Never
/// blocks.
/// \param out_fd  receives the descriptor; close it with close(2)
/// \retval SW_OK          the descriptor is in out_fd
/// \retval SW_ERR_CLOSED  the store is shut down or closed
/// \retval SW_ERR_FORKED  the watch belongs to the parent of this process
/// \retval SW_ERR_IO      the system gave no descriptor
/// \codes any
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_watch_fd(
    watch: *mut sw_watch,
    out_fd: *mut i32,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out_fd = call.out("out_fd", out_fd)?;
            out_fd.set(call.body(watch)?.descriptor()?);
            Ok(SW_OK)
        })
    }
}

/// Empties the descriptors of a watch and arms them again: a change that is not in the count it
/// gives makes them readable anew. So drain first, then look at the store. Never blocks.
/// \param out_now  receives the change counter, as sw_store_wait takes it
/// \retval SW_OK          the counter is in out_now
/// \retval SW_ERR_CLOSED  the store is shut down or closed
/// \retval SW_ERR_FORKED  the watch belongs to the parent of this process
/// \retval SW_ERR_IO      reading the descriptor failed
/// \codes any
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_watch_drain(
    watch: *mut sw_watch,
    out_now: *mut u64,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out_now = call.out("out_now", out_now)?;
            out_now.set(call.body(watch)?.drain()?);
            Ok(SW_OK)
        })
    }
}

/// Ends a watch and its thread. Descriptors that were given stay the caller's and read as ended.
///
/// Waits for the thread, which ends at once unless it is just at the disk or at a lock: then up to
/// the busy timeout.
/// \param watch  from sw_watch_open; NULL does nothing; in a forked child a watch of its parent
///               leaks
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_watch_free(watch: *mut sw_watch) {
    // SAFETY: the only pointer is an argument, which the header binds.
    unsafe { quiet((), |call| drop(call.take(watch))) };
}
