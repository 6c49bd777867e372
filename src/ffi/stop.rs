//! What ends a wait from outside.

use std::sync::Arc;

use super::codes::SW_OK;
use super::guard::{guard, quiet};
use super::handle::{Handle, Kind};
use super::report::sw_error;
use crate::stop::Stop;

/// A flag that ends waits: a call that waits carries it, another thread or a signal handler fires
/// it. Made by sw_stop_new, freed by sw_stop_free; belongs to no store.
pub struct sw_stop {
    _opaque: [u8; 0],
}

impl Handle for sw_stop {
    type Body = Arc<Stop>;
    const KIND: Kind = Kind::Stop;
    const IS_OF_PROCESS: bool = false;
}

/// Makes a stop that has not fired. Never blocks.
/// \param out  receives the stop, freed by sw_stop_free; NULL on failure
/// \retval SW_OK  the stop is made
/// \codes any
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_stop_new(out: *mut *mut sw_stop, err: *mut *mut sw_error) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            call.out_handle(out)?.give(Arc::new(Stop::new()));
            Ok(SW_OK)
        })
    }
}

/// Fires a stop: the waits that carry it end, with SW_NONE or SW_TIMEOUT, and later ones do not wait: a claim
/// takes nothing, the others look once, and answer SW_OK for what is there. There is no way back. Firing
/// again does nothing.
///
/// Never blocks. A signal handler may call it, and nothing else of this library.
/// \param stop  from sw_stop_new; NULL does nothing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_stop_fire(stop: *mut sw_stop) {
    // SAFETY: the only pointer is an argument, which the header binds.
    unsafe {
        quiet((), |call| {
            if let Some(stop) = call.peek(stop) {
                stop.fire();
            }
        });
    }
}

/// Frees a stop. Waits that carry it go on; they can then not be ended by it. Never blocks.
/// \param stop  from sw_stop_new; NULL does nothing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_stop_free(stop: *mut sw_stop) {
    // SAFETY: the only pointer is an argument, which the header binds.
    unsafe { quiet((), |call| drop(call.take(stop))) };
}
