//! The functions of libpq: found when first needed, so that whoever opens no store of PostgreSQL needs none.

#![allow(unsafe_code, non_snake_case, reason = "functions of a C library, by their names")]

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::sync::OnceLock;

use crate::error::{Error, Result};
use crate::os::{self, Library};

/// libpq 14 was the first with pipelines; below it the names of some parameters differ, too.
const VERSION_MIN: c_int = 140_000;

#[repr(C)]
pub(super) struct PgConn {
    _opaque: [u8; 0],
}

#[repr(C)]
pub(super) struct PgResult {
    _opaque: [u8; 0],
}

#[repr(C)]
pub(super) struct PgNotify {
    pub(super) channel: *mut c_char,
    pub(super) sender: c_int,
    pub(super) payload: *mut c_char,
    _next: *mut PgNotify,
}

pub(super) type Silence = unsafe extern "C" fn(*mut c_void, *const PgResult);

/// Declares the functions that are used, and finds them all.
macro_rules! functions {
    ($($name:ident: fn($($type:ty),*) $(-> $answer:ty)?;)*) => {
        pub(super) struct Functions {
            $(pub(super) $name: unsafe extern "C" fn($($type),*) $(-> $answer)?,)*
        }

        impl Functions {
            /// Those that the program is linked with.
            #[cfg(feature = "postgres-linked")]
            fn linked() -> Option<Functions> {
                unsafe extern "C" {
                    $(fn $name($(_: $type),*) $(-> $answer)?;)*
                }
                Some(Functions { $($name,)* })
            }

            /// None is: it is loaded.
            #[cfg(not(feature = "postgres-linked"))]
            fn linked() -> Option<Functions> {
                None
            }

            fn of(library: &Library) -> Option<Functions> {
                $(let $name = library.symbol(cstr(concat!(stringify!($name), "\0")))?;)*
                Some(Functions {
                    $($name: {
                        let at = $name.as_ptr();
                        // SAFETY: libpq's function of this name has this type since version 14 and before.
                        unsafe {
                            std::mem::transmute::<
                                *mut c_void,
                                unsafe extern "C" fn($($type),*) $(-> $answer)?,
                            >(at)
                        }
                    },)*
                })
            }
        }
    };
}

functions! {
    PQlibVersion: fn() -> c_int;
    PQconnectStartParams: fn(*const *const c_char, *const *const c_char, c_int) -> *mut PgConn;
    PQconnectPoll: fn(*mut PgConn) -> c_int;
    PQstatus: fn(*const PgConn) -> c_int;
    PQsocket: fn(*const PgConn) -> c_int;
    PQerrorMessage: fn(*const PgConn) -> *const c_char;
    PQparameterStatus: fn(*const PgConn, *const c_char) -> *const c_char;
    PQserverVersion: fn(*const PgConn) -> c_int;
    PQbackendPID: fn(*const PgConn) -> c_int;
    PQtransactionStatus: fn(*const PgConn) -> c_int;
    PQsetErrorVerbosity: fn(*mut PgConn, c_int) -> c_int;
    PQsetNoticeReceiver: fn(*mut PgConn, Silence, *mut c_void) -> *const c_void;
    PQfinish: fn(*mut PgConn);
    PQexec: fn(*mut PgConn, *const c_char) -> *mut PgResult;
    PQexecParams: fn(*mut PgConn, *const c_char, c_int, *const c_uint, *const *const c_char, *const c_int, *const c_int, c_int) -> *mut PgResult;
    PQenterPipelineMode: fn(*mut PgConn) -> c_int;
    PQexitPipelineMode: fn(*mut PgConn) -> c_int;
    PQsendPrepare: fn(*mut PgConn, *const c_char, *const c_char, c_int, *const c_uint) -> c_int;
    PQsendQueryPrepared: fn(*mut PgConn, *const c_char, c_int, *const *const c_char, *const c_int, *const c_int, c_int) -> c_int;
    PQsendQueryParams: fn(*mut PgConn, *const c_char, c_int, *const c_uint, *const *const c_char, *const c_int, *const c_int, c_int) -> c_int;
    PQpipelineSync: fn(*mut PgConn) -> c_int;
    PQgetResult: fn(*mut PgConn) -> *mut PgResult;
    PQresultStatus: fn(*const PgResult) -> c_int;
    PQresultErrorField: fn(*const PgResult, c_int) -> *const c_char;
    PQntuples: fn(*const PgResult) -> c_int;
    PQnfields: fn(*const PgResult) -> c_int;
    PQfname: fn(*const PgResult, c_int) -> *const c_char;
    PQftype: fn(*const PgResult, c_int) -> c_uint;
    PQgetisnull: fn(*const PgResult, c_int, c_int) -> c_int;
    PQgetvalue: fn(*const PgResult, c_int, c_int) -> *const c_char;
    PQgetlength: fn(*const PgResult, c_int, c_int) -> c_int;
    PQcmdStatus: fn(*mut PgResult) -> *const c_char;
    PQcmdTuples: fn(*mut PgResult) -> *const c_char;
    PQclear: fn(*mut PgResult);
    PQconsumeInput: fn(*mut PgConn) -> c_int;
    PQnotifies: fn(*mut PgConn) -> *mut PgNotify;
    PQfreemem: fn(*mut c_void);
}

fn cstr(text: &'static str) -> &'static CStr {
    CStr::from_bytes_with_nul(text.as_bytes()).unwrap_or_default()
}

/// Returns libpq, found now if it is not yet.
pub(super) fn pq() -> Result<&'static Functions> {
    static FOUND: OnceLock<Result<Functions>> = OnceLock::new();
    FOUND.get_or_init(find).as_ref().map_err(Error::clone)
}

/// The one that the program is linked with, or that `SMOLWF_LIBPQ` names, or that packages lay beside this
/// library, which it was tried with; else that of the system.
fn find() -> Result<Functions> {
    if let Some(linked) = Functions::linked() {
        return Ok(linked);
    }
    if let Some(named) = os::trusted_variable("SMOLWF_LIBPQ") {
        return load(&[&named]).map_err(|refused| {
            let named = named.to_string_lossy();
            Error::Unsupported(format!("SMOLWF_LIBPQ is '{named}': {refused}").into())
        });
    }
    let beside = os::beside("libsmolwf.so", c"libsmolwf_pq.so");
    let ways = beside.as_deref().into_iter().chain([c"libpq.so.5", c"libpq.so"]);
    load(&ways.collect::<Vec<_>>())
}

/// Loads the first of these that will do; else says what is wrong with the first that is there.
fn load(names: &[&CStr]) -> Result<Functions> {
    let mut refused = None;
    for library in names.iter().filter_map(|name| Library::load(name)) {
        match checked(&library) {
            Ok(functions) => return Ok(functions),
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    Err(refused.unwrap_or_else(|| {
        Error::Unsupported(
            "libpq, which stores of PostgreSQL need, is not installed: Debian's package is libpq5, Fedora's libpq, Alpine's libpq".into(),
        )
    }))
}

fn checked(library: &Library) -> Result<Functions> {
    let functions = Functions::of(library).ok_or_else(|| {
        Error::Unsupported(
            "the libpq that is installed lacks functions: 14 or newer is needed".into(),
        )
    })?;
    // SAFETY: takes nothing.
    let version = unsafe { (functions.PQlibVersion)() };
    if version < VERSION_MIN { Err(too_old(version)) } else { Ok(functions) }
}

fn too_old(version: c_int) -> Error {
    let (major, minor) = (version / 10_000, version % 10_000);
    Error::Unsupported(
        format!("the libpq that is installed is {major}.{minor}: 14 or newer is needed").into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_libpq_that_is_not_there_and_one_that_is_too_old_are_named() {
        let refused = load(&[c"libno_such_pq.so.0"]).err().unwrap();
        assert_eq!(refused.code(), -6);
        assert!(refused.to_string().contains("libpq5"), "{refused}");
        let refused = load(&[c"libno_such_pq.so.0", c"libc.so.6"]).err().unwrap();
        assert!(refused.to_string().contains("lacks functions"), "{refused}");
        assert!(load(&[c"libc.so.6", c"libpq.so.5"]).is_ok(), "the next one is taken");
        assert_eq!(
            too_old(130_004).to_string().split(':').next(),
            Some("the libpq that is installed is 13.4")
        );
    }
}
