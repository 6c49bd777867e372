//! What went wrong in a call, as an object of the caller.

use super::handle::{self, Handle, Kind};
use crate::error::Error;
use crate::text::Text;

/// What went wrong in one call: a code, SQLite's code, a sentence. Immutable; freed by
/// sw_error_free.
pub struct sw_error {
    _opaque: [u8; 0],
}

impl Handle for sw_error {
    type Body = Report;
    const KIND: Kind = Kind::Error;
    const IS_OF_PROCESS: bool = false;
}

/// What an error object holds.
pub(super) struct Report {
    pub(super) code: i32,
    pub(super) engine_code: i32,
    pub(super) is_retryable: bool,
    pub(super) message: Text,
}

/// Makes the object of an error.
pub(super) fn make(error: &Error) -> *mut sw_error {
    handle::put(Report {
        code: error.code(),
        engine_code: error.engine_code(),
        is_retryable: error.is_retryable(),
        message: Text::from(error.to_string()),
    })
}
