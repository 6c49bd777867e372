//! Values in the documents that hosts write for us: read strictly, named in what is wrong with them,
//! and never shown. `null` leaves the default.

use crate::error::{Error, Result};
use crate::json::document;
use crate::limits::NAME_BYTES_MAX;

/// Names a key that is not known; of a long one, as much as a name may have.
pub(super) fn unknown(key: &str) -> Error {
    let shown: String = key.chars().take(NAME_BYTES_MAX).collect();
    Error::invalid(format!("unknown key {shown:?}"))
}

/// Returns a value that is not `null`.
pub(super) fn present(value: &str) -> Option<&str> {
    (value != "null").then_some(value)
}

/// Reads a name or a key.
pub(super) fn word(what: &str, value: &str, max: usize) -> Result<Option<String>> {
    let Some(value) = present(value) else { return Ok(None) };
    let word = document::string(value).map_err(|fault| fault.of(what))?;
    let word = word.ok_or_else(|| Error::invalid(format!("{what} is no string")))?;
    check_word(what, &word, max)?;
    Ok(Some(word.into_owned()))
}

/// Refuses what can be no name or key: the empty text, one above `max` bytes, one with a NUL.
pub fn check_word(what: &str, word: &str, max: usize) -> Result<()> {
    if word.is_empty() {
        return Err(Error::invalid(format!("{what} is empty")));
    }
    let len = word.len();
    if len > max {
        let sentence = format!("{what} has {len} bytes, at most {max} are allowed");
        return Err(Error::TooBig(sentence.into()));
    }
    match word.bytes().position(|byte| byte == 0) {
        None => Ok(()),
        Some(offset) => Err(Error::invalid(format!("{what} has a NUL at byte {offset}"))),
    }
}

/// An integer in the width of its option.
pub(super) trait Integer: std::str::FromStr + Default {
    const MIN: i64;
    const MAX: i64;
}

impl Integer for i64 {
    const MIN: i64 = i64::MIN;
    const MAX: i64 = i64::MAX;
}

impl Integer for i32 {
    const MIN: i64 = i32::MIN as i64;
    const MAX: i64 = i32::MAX as i64;
}

impl Integer for u32 {
    const MIN: i64 = 0;
    const MAX: i64 = u32::MAX as i64;
}

/// Reads an integer; 0 for `null`.
pub(super) fn integer<N: Integer>(what: &str, value: &str) -> Result<N> {
    let Some(value) = present(value) else { return Ok(N::default()) };
    value
        .parse()
        .map_err(|_| Error::invalid(format!("{what} is no integer from {} to {}", N::MIN, N::MAX)))
}

/// Reads a claim; false for `null`.
pub(super) fn boolean(what: &str, value: &str) -> Result<bool> {
    match value {
        "true" => Ok(true),
        "false" | "null" => Ok(false),
        _ => Err(Error::invalid(format!("{what} is neither true nor false"))),
    }
}

/// Refuses a number below 0 or above `max`.
pub fn in_range(what: &str, value: i64, max: i64) -> Result<()> {
    if (0..=max).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(format!("{what} is {value}, it must be 0 to {max}")))
}
