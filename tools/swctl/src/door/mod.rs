//! The door to the library: its C functions behind safe types. Texts go in as `&str`, documents come
//! out as they are, byte for byte. What is unsafe of the library stands here alone.

#![allow(unsafe_code, reason = "calls of the library's C functions")]

mod answer;
mod run;
mod stop;
mod store;
mod watch;

/// The declarations of `include/smolwf.cdef`, written by build.rs.
#[allow(missing_docs, dead_code, non_camel_case_types)]
mod sys {
    // Links the library, whose functions are declared below.
    use smolwf as _;

    include!(concat!(env!("OUT_DIR"), "/sys.rs"));
}

pub use answer::{Error, build_info, code_name};
pub use run::Waited;
pub use stop::Stop;
pub use store::{Mode, Store};
pub use watch::Watch;

/// Codes and limits of the library, as `include/smolwf.h` tells them.
pub mod code {
    pub use super::sys::{
        SW_ERR_BUDGET, SW_ERR_BUSY, SW_ERR_CANCELLED, SW_ERR_CANNOT_OPEN, SW_ERR_CLOSED,
        SW_ERR_CONFLICT, SW_ERR_CORRUPT, SW_ERR_FULL, SW_ERR_INVALID, SW_ERR_IO, SW_ERR_LEASE_LOST,
        SW_ERR_MISUSE, SW_ERR_MOVED, SW_ERR_NOMEM, SW_ERR_NOT_A_STORE, SW_ERR_NOT_FOUND,
        SW_ERR_POISONED, SW_ERR_READONLY, SW_ERR_SCHEMA_EDITED, SW_ERR_SCHEMA_FOREIGN,
        SW_ERR_SCHEMA_NEW, SW_ERR_SCHEMA_OLD, SW_ERR_TARGET_OLDER, SW_ERR_TOO_BIG,
        SW_ERR_UNSUPPORTED, SW_ERR_WAL_LOST, SW_LIST_LEN_MAX, SW_PAGE_LEN_MAX, SW_PRUNE_LEN_MAX,
    };
}

/// Time-out of a wait that has none.
pub const FOREVER: i64 = sys::SW_FOREVER as i64;
