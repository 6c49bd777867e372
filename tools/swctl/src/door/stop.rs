//! Stops: the end of a wait, from another thread.

use std::ptr;

use super::answer::{self, Error};
use super::sys;

/// Ends the waits that carry it once it has fired.
pub struct Stop {
    raw: *mut sys::sw_stop,
}

// SAFETY: every function of the library may be called from any thread.
unsafe impl Send for Stop {}
// SAFETY: every handle of it may be used from many threads at once.
unsafe impl Sync for Stop {}

impl Stop {
    /// A stop that has not fired.
    pub fn new() -> Result<Stop, Error> {
        let mut raw = ptr::null_mut();
        // SAFETY: raw has room for the handle.
        answer::code(|error| unsafe { sys::sw_stop_new(&mut raw, error) })?;
        Ok(Stop { raw })
    }

    /// Ends the waits that carry it, and those to come.
    pub fn fire(&self) {
        // SAFETY: the stop is not freed.
        unsafe { sys::sw_stop_fire(self.raw) }
    }

    pub(super) fn raw(stop: Option<&Stop>) -> *mut sys::sw_stop {
        stop.map_or(ptr::null_mut(), |stop| stop.raw)
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        // SAFETY: the stop is ours, and nothing borrows it any more.
        unsafe { sys::sw_stop_free(self.raw) }
    }
}
