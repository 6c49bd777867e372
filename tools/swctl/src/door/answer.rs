//! What calls of the library answer: a code, an error with its sentence, a text.

use std::ffi::{CStr, c_char};
use std::fmt;
use std::ptr;

use super::sys;

/// An error of the library, or one of the tool's own with the code that the library would give it.
#[derive(Debug, Clone)]
pub struct Error {
    /// The code, below 0.
    pub code: i32,
    /// SQLite's code, or 0.
    pub engine_code: i32,
    /// One sentence, lower case.
    pub message: String,
    /// Whether the same call may succeed later.
    pub is_retryable: bool,
}

impl Error {
    /// An error of the tool's own.
    pub fn new(code: i32, message: impl Into<String>) -> Error {
        Error { code, engine_code: 0, message: message.into(), is_retryable: false }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Name of a code, as in "SW_ERR_BUSY".
pub fn code_name(code: i32) -> &'static str {
    // SAFETY: any number may be asked, and the text is static.
    let name = unsafe { sys::sw_code_name(code) };
    // SAFETY: it ends with a NUL and is never freed.
    unsafe { CStr::from_ptr(name) }.to_str().expect("names of codes are ASCII")
}

/// How the library was built: a JSON object.
pub fn build_info() -> &'static str {
    // SAFETY: it takes nothing, and the text is static.
    let info = unsafe { sys::sw_build_info() };
    // SAFETY: it ends with a NUL and is never freed.
    unsafe { CStr::from_ptr(info) }.to_str().expect("the library writes UTF-8")
}

/// A text as the library takes it.
pub(super) struct Arg {
    pub(super) ptr: *const c_char,
    pub(super) len: usize,
}

impl From<&str> for Arg {
    fn from(text: &str) -> Arg {
        Arg { ptr: text.as_ptr().cast(), len: text.len() }
    }
}

impl From<Option<&str>> for Arg {
    fn from(text: Option<&str>) -> Arg {
        text.map_or(Arg { ptr: ptr::null(), len: 0 }, Arg::from)
    }
}

/// Makes a call that answers a code alone.
pub(super) fn code(call: impl FnOnce(*mut *mut sys::sw_error) -> i32) -> Result<i32, Error> {
    let mut error = ptr::null_mut();
    match call(&mut error) {
        code if code < 0 => Err(taken(code, error)),
        code => Ok(code),
    }
}

/// Makes a call that answers a document; None where its code says that there is none.
pub(super) fn document(
    call: impl FnOnce(*mut *mut sys::sw_text, *mut *mut sys::sw_error) -> i32,
) -> Result<Option<String>, Error> {
    let mut text = ptr::null_mut();
    code(|error| call(&mut text, error))?;
    Ok(string(text))
}

/// Makes a call that answers a document whenever it succeeds.
pub(super) fn text(
    call: impl FnOnce(*mut *mut sys::sw_text, *mut *mut sys::sw_error) -> i32,
) -> Result<String, Error> {
    Ok(document(call)?.expect("the call gives a text with SW_OK"))
}

/// Makes a call that writes an id.
pub(super) fn id(
    call: impl FnOnce(*mut c_char, usize, *mut *mut sys::sw_error) -> i32,
) -> Result<String, Error> {
    let mut room = [0u8; sys::SW_ID_CAP as usize];
    code(|error| call(room.as_mut_ptr().cast(), room.len(), error))?;
    let id = CStr::from_bytes_until_nul(&room).expect("the library ends an id with a NUL");
    Ok(id.to_string_lossy().into_owned())
}

fn string(text: *mut sys::sw_text) -> Option<String> {
    if text.is_null() {
        return None;
    }
    let mut len = 0;
    // SAFETY: the text was just given to us and not freed.
    let data: *const u8 = unsafe { sys::sw_text_data(text, &mut len) }.cast();
    // SAFETY: data has len bytes for as long as the text lives.
    let bytes = unsafe { std::slice::from_raw_parts(data, len) }.to_vec();
    // SAFETY: the text is ours, and is not used again.
    unsafe { sys::sw_text_free(text) };
    Some(String::from_utf8(bytes).expect("the library writes UTF-8"))
}

fn taken(code: i32, error: *mut sys::sw_error) -> Error {
    if error.is_null() {
        return Error::new(code, code_name(code));
    }
    // SAFETY: the error was just given to us and not freed.
    let message = unsafe { sys::sw_error_message(error) };
    // SAFETY: it ends with a NUL and lives as long as the error.
    let message = unsafe { CStr::from_ptr(message) }.to_string_lossy().into_owned();
    // SAFETY: as above.
    let engine_code = unsafe { sys::sw_error_engine_code(error) };
    // SAFETY: as above.
    let is_retryable = unsafe { sys::sw_error_is_retryable(error) } == 1;
    // SAFETY: the error is ours, and is not used again.
    unsafe { sys::sw_error_free(error) };
    Error { code, engine_code, message, is_retryable }
}
