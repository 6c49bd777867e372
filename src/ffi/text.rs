//! Texts that a call hands out, ids, and JSON strings.

use std::ffi::c_char;

use super::args::{absent, raw};
use super::call::Call;
use super::codes::SW_OK;
use super::guard::{guard, quiet};
use super::handle::{Handle, Kind};
use super::report::sw_error;
use crate::text::{Text, TextRef};
use crate::{id, json, limits};

/// An immutable text that a call made for the caller, often a JSON document. Freed by
/// sw_text_free.
pub struct sw_text {
    _opaque: [u8; 0],
}

impl Handle for sw_text {
    type Body = Text;
    const KIND: Kind = Kind::Text;
    const IS_OF_PROCESS: bool = false;
}

impl Call {
    /// Lends a text to C for as long as what holds it lives; NULL and 0 when there is none.
    pub(super) fn lend<'t>(
        &self,
        text: Option<impl Into<TextRef<'t>>>,
        out_len: *mut usize,
    ) -> *const c_char {
        let text = text.map(Into::into);
        self.set_len(out_len, text.map_or(0, TextRef::len));
        text.map_or(std::ptr::null(), TextRef::as_ptr)
    }
}

/// Returns the bytes of a text. Never blocks.
/// \param text  from a call of this library
/// \return UTF-8, NUL-terminated, that lives until sw_text_free; NULL when text is NULL
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_text_data(text: *const sw_text, out_len: *mut usize) -> *const c_char {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe { quiet(std::ptr::null(), |call| call.lend(call.peek(text), out_len)) }
}

/// Frees a text. What sw_text_data returned dies with it. Never blocks.
/// \param text  from a call of this library; NULL does nothing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_text_free(text: *mut sw_text) {
    // SAFETY: the only pointer is an argument, which the header binds.
    unsafe { quiet((), |call| drop(call.take(text))) };
}

/// Makes an id: `<prefix>_<ULID>`, the ULID in 26 lower-case Crockford characters.
///
/// Unique, URL-safe, and within a process strictly increasing as text for one prefix, from any
/// number of threads. A forked child has a sequence of its own. Never blocks.
/// \param prefix,prefix_len  `[a-z][a-z0-9_]{0,30}`
/// \param out_id             receives the id and its NUL
/// \retval SW_OK           the id is written
/// \retval SW_ERR_INVALID  the prefix has another form, or cap is below SW_ID_CAP
/// \retval SW_ERR_TOO_BIG  the prefix has more than SW_NAME_BYTES_MAX bytes
/// \codes any
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_new_id(
    prefix: *const c_char,
    prefix_len: usize,
    out_id: *mut c_char,
    cap: usize,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out_id = call.out_id("out_id", out_id, cap)?;
            let prefix = call.id_prefix(raw("prefix", prefix, prefix_len))?;
            out_id.set(id::Text::new(prefix, id::new_id()))?;
            Ok(SW_OK)
        })
    }
}

/// Writes a text as a JSON string with its quotes, for hosts without a JSON writer. Never blocks.
/// \param text,text_len  UTF-8 to SW_PAYLOAD_BYTES_MAX bytes; may be empty and may hold NULs
/// \param out            receives the JSON, freed by sw_text_free; NULL on failure
/// \retval SW_OK           the JSON string is in out
/// \retval SW_ERR_INVALID  text is absent, or not UTF-8
/// \retval SW_ERR_TOO_BIG  text has more than SW_PAYLOAD_BYTES_MAX bytes
/// \codes any
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_json_quote(
    text: *const c_char,
    text_len: usize,
    out: *mut *mut sw_text,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out = call.out_handle(out)?;
            let max = usize::try_from(limits::PAYLOAD_BYTES_MAX).unwrap_or(usize::MAX);
            let text = call.text(raw("text", text, text_len), max)?;
            let text = text.ok_or_else(|| absent("text"))?;
            out.give(Text::from(json::quote(text)));
            Ok(SW_OK)
        })
    }
}
