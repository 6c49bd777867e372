//! Shared libraries that are loaded when they are first needed.

use std::ffi::{CStr, c_void};
use std::ptr::NonNull;

/// A library that is loaded, and stays so until the process ends.
#[derive(Debug)]
pub struct Library(NonNull<c_void>);

// SAFETY: the handle is a name that the loader gives; every thread may use it.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

impl Library {
    /// Loads a library by its name or path; `None` where there is none.
    pub fn load(name: &CStr) -> Option<Library> {
        let flags = libc::RTLD_NOW | libc::RTLD_LOCAL;
        // SAFETY: reads the name; whoever asks for a library trusts what it does as it is loaded.
        let handle = unsafe { libc::dlopen(name.as_ptr(), flags) };
        NonNull::new(handle).map(Library)
    }

    /// Returns where a function of it stands.
    pub fn symbol(&self, name: &CStr) -> Option<NonNull<c_void>> {
        // SAFETY: the handle is one that the loader gave and that is never closed; reads the name.
        NonNull::new(unsafe { libc::dlsym(self.0.as_ptr(), name.as_ptr()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_found_and_what_is_not_is_none() {
        let library = Library::load(c"libc.so.6").unwrap();
        assert!(library.symbol(c"getpid").is_some());
        assert!(library.symbol(c"no_such_function_of_it").is_none());
        assert!(Library::load(c"libno_such_library.so.0").is_none());
    }
}
