//! The door of the walks: handles over the exported C functions, in the shapes of the Rust ones, so that
//! what a walk finds holds for whoever calls the library. Each call is noted by its name.

#![allow(unsafe_code, reason = "it calls the C functions, as a host does")]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::{CStr, c_char, c_void};
use std::ptr::null_mut;

use smolwf::ffi::error::{
    sw_error_code, sw_error_engine_code, sw_error_free, sw_error_is_retryable, sw_error_message,
};
use smolwf::ffi::text::{sw_text, sw_text_data, sw_text_free};

/// Calls an exported function that has a place for an error.
macro_rules! ask {
    ($function:ident($($given:expr),* $(,)?)) => {
        crate::door::asked(stringify!($function), |err| {
            // SAFETY: handles live until what holds them is dropped; texts and places are the caller's.
            unsafe { $function($($given,)* err.cast()) }
        })
    };
}

/// Calls an exported function that cannot fail.
macro_rules! tell {
    ($function:ident($($given:expr),* $(,)?)) => {{
        crate::door::note(stringify!($function));
        #[allow(unused_unsafe, reason = "some take nothing that could be wrong")]
        // SAFETY: as above.
        let told = unsafe { $function($($given),*) };
        told
    }};
}

#[path = "door/attempt.rs"]
pub mod attempt;
#[path = "door/beside.rs"]
pub mod beside;
#[path = "door/carriers.rs"]
mod carriers;
#[path = "door/step.rs"]
pub mod step;
#[path = "door/store.rs"]
pub mod store;
#[path = "door/waits.rs"]
pub mod waits;

pub use attempt::Attempt;
pub use carriers::item_of_list as item;
pub use step::{Begun, Step};
pub use store::{Store, StoreOptions};

/// A call that failed: its code and its sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(i32, String);

impl Failure {
    pub fn code(&self) -> i32 {
        self.0
    }
}

pub type Result<T> = std::result::Result<T, Failure>;

thread_local! {
    static CALLED: RefCell<BTreeSet<&'static str>> = const { RefCell::new(BTreeSet::new()) };
}

pub fn note(function: &'static str) {
    CALLED.with_borrow_mut(|called| called.insert(function));
}

/// The functions that this thread has called so far.
pub fn called() -> BTreeSet<&'static str> {
    CALLED.with_borrow(Clone::clone)
}

/// Calls `function` with a place for its error, and turns what is there into a failure.
fn asked(function: &'static str, call: impl FnOnce(*mut *mut c_void) -> i32) -> Result<i32> {
    note(function);
    let mut err: *mut c_void = null_mut();
    let code = call(&raw mut err);
    if code >= 0 {
        assert!(err.is_null(), "{function} answers {code} and an error");
        return Ok(code);
    }
    assert_eq!(tell!(sw_error_code(err.cast())), code, "{function} has two minds");
    let (busy, io, no_memory) = (-40, -41, -45);
    let may_repeat = [busy, io, no_memory].contains(&code);
    assert_eq!(tell!(sw_error_is_retryable(err.cast())), i32::from(may_repeat));
    if code > -40 {
        assert_eq!(tell!(sw_error_engine_code(err.cast())), 0, "{function} blames the engine");
    }
    let sentence = view(tell!(sw_error_message(err.cast()))).expect("an error has its sentence");
    let failure = Failure(code, sentence.to_owned());
    tell!(sw_error_free(err.cast()));
    Err(failure)
}

/// A text as C takes it: where it begins, and its length in bytes.
#[derive(Clone, Copy)]
struct Lent(*const c_char, usize);

fn lend<'t>(text: impl Into<Option<&'t str>>) -> Lent {
    let text = text.into();
    Lent(text.map_or(std::ptr::null(), |text| text.as_ptr().cast()), text.map_or(0, str::len))
}

/// A text that ends with a NUL, as long as what it was asked of lives.
fn view<'t>(text: *const c_char) -> Option<&'t str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the library ends its texts with a NUL.
    let text = unsafe { CStr::from_ptr(text) };
    Some(text.to_str().expect("the library writes UTF-8"))
}

/// A view with its length, which must be its own.
fn measured<'t>((text, len): (*const c_char, usize)) -> Option<&'t str> {
    let text = view(text);
    assert_eq!(text.map_or(0, str::len), len, "a length that is not the text's");
    text
}

/// Takes what a text says, and frees it.
fn taken(text: *mut sw_text) -> String {
    let mut len = 0;
    let data = tell!(sw_text_data(text, &raw mut len));
    let said = measured((data, len)).expect("a text has data").to_owned();
    tell!(sw_text_free(text));
    said
}

/// Calls what hands out a text; returns its code and the text, which only some codes have.
fn texted(call: impl FnOnce(*mut *mut sw_text) -> Result<i32>) -> Result<(i32, Option<String>)> {
    let mut text = std::ptr::dangling_mut();
    let code = call(&raw mut text);
    let told = (!text.is_null()).then(|| taken(text));
    assert!(code.is_ok() || told.is_none(), "a failure hands out a text");
    code.map(|code| (code, told))
}

/// The same, of a call that has a text whenever it succeeds.
fn document(call: impl FnOnce(*mut *mut sw_text) -> Result<i32>) -> Result<String> {
    texted(call).map(|(_, told)| told.expect("success hands out the text"))
}

/// Calls what writes an id into memory of the caller.
fn named(call: impl FnOnce(*mut c_char, usize) -> Result<i32>) -> Result<(i32, String)> {
    let mut id = [0_u8; 64];
    let code = call(id.as_mut_ptr().cast(), id.len())?;
    let end = id.iter().position(|byte| *byte == 0).expect("an id ends with a NUL");
    Ok((code, String::from_utf8(id[..end].to_vec()).expect("an id is ASCII")))
}
