//! Watches: changes of a store as a descriptor.

use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr;

use super::answer::{self, Error};
use super::{Store, sys};

/// Tells of changes of a store. It lives no longer than the store.
pub struct Watch<'a> {
    raw: *mut sys::sw_watch,
    _store: &'a Store,
}

// SAFETY: every function of the library may be called from any thread.
unsafe impl Send for Watch<'_> {}
// SAFETY: every handle of it may be used from many threads at once.
unsafe impl Sync for Watch<'_> {}

impl Store {
    /// `sw_watch_open`
    pub fn watch(&self) -> Result<Watch<'_>, Error> {
        let mut raw = ptr::null_mut();
        // SAFETY: the store is open, and raw has room for the handle.
        answer::code(|error| unsafe { sys::sw_watch_open(self.raw, &mut raw, error) })?;
        Ok(Watch { raw, _store: self })
    }
}

impl Watch<'_> {
    /// A descriptor that becomes readable when the store changes.
    pub fn fd(&self) -> Result<OwnedFd, Error> {
        let mut fd = -1;
        // SAFETY: the watch is not freed, and fd has room.
        answer::code(|error| unsafe { sys::sw_watch_fd(self.raw, &mut fd, error) })?;
        // SAFETY: the descriptor was just made for us, and nobody else closes it.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    /// Empties the descriptors and arms them again: drain first, then look.
    pub fn drain(&self) -> Result<u64, Error> {
        let mut now = 0;
        // SAFETY: the watch is not freed, and now has room.
        answer::code(|error| unsafe { sys::sw_watch_drain(self.raw, &mut now, error) })?;
        Ok(now)
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        // SAFETY: the watch is ours, and nothing borrows it any more.
        unsafe { sys::sw_watch_free(self.raw) }
    }
}
