//! Shared libraries that are loaded when they are first needed.

use std::ffi::{CStr, CString, c_void};
use std::mem::MaybeUninit;
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

/// Returns the path of a file of this name in the folder of the file that this code was loaded from. `None`
/// where that file has a name that does not begin with `own`: beside a program, wherever somebody ran it, may
/// lie what is nobody's of ours. Nor is a folder known for sure that was named by a relative path, or that a
/// caller has named for a program that has rights which he has not.
pub fn beside(own: &str, name: &CStr) -> Option<CString> {
    let mut found = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: writes what it finds of an address of this very code, or nothing; all its bytes may be zero.
    let is_found = unsafe { libc::dladdr(beside as *const c_void, found.as_mut_ptr()) } != 0;
    // SAFETY: whole since it was made of zeros.
    let at = unsafe { found.assume_init() }.dli_fname;
    if !is_found || at.is_null() || is_raised() {
        return None;
    }
    // SAFETY: the name that the loader keeps of what it has loaded, which is this code.
    let path = unsafe { CStr::from_ptr(at) }.to_bytes();
    let (folder, file) = path.split_at(path.iter().rposition(|byte| *byte == b'/')? + 1);
    let is_ours = folder.starts_with(b"/") && file.starts_with(own.as_bytes());
    if is_ours { CString::new([folder, name.to_bytes()].concat()).ok() } else { None }
}

/// Returns what a variable of the environment says; `None` in a program that has rights its caller has not.
pub fn trusted_variable(name: &str) -> Option<CString> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty() && !is_raised())?;
    CString::new(value.into_encoded_bytes()).ok()
}

/// Returns whether the program has rights that its caller has not, as by a set-user-ID bit.
fn is_raised() -> bool {
    // SAFETY: reads what the kernel told the program as it began.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
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

    #[test]
    fn what_lies_beside_is_looked_for_in_the_folder_of_this_code() {
        let program = std::env::current_exe().unwrap();
        let folder = program.parent().unwrap().to_str().unwrap();
        let found = beside("smolwf", c"x.so").unwrap();
        assert_eq!(found.to_str().unwrap(), format!("{folder}/x.so"));
        assert_eq!(beside("libsmolwf.so", c"x.so"), None);
    }

    #[test]
    fn a_variable_is_read_where_it_is_set() {
        assert!(trusted_variable("PATH").is_some_and(|path| !path.is_empty()));
        assert_eq!(trusted_variable("SMOLWF_NO_SUCH_VARIABLE"), None);
    }
}
