//! Values in the documents that hosts write for us: read strictly, named in what is wrong with them,
//! and never shown but for numbers. `null` leaves the default of an option.
//!
//! An error of a part names the part and no more; whoever reads the whole puts its name in front
//! ([`Error::within`]), as in `items[1]: priority is no integer from -2147483648 to 2147483647`.

use std::borrow::Cow;
use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::error::{Error, Result};
use crate::json::{self, document};
use crate::limits::NAME_BYTES_MAX;

/// Reads a list of 1 to `max` items; an error names the item.
pub(super) fn list<T>(
    what: &str,
    text: &str,
    max: usize,
    mut read: impl FnMut(&str) -> Result<T>,
) -> Result<Vec<T>> {
    let items = document::items(text).map_err(|fault| fault.of(what))?;
    let len = items.len();
    if len == 0 || len > max {
        return Err(Error::invalid(format!("{what} has {len} entries, it must have 1 to {max}")));
    }
    let read = |(at, item): (usize, &&str)| {
        read(item).map_err(|error| error.within(&format!("{what}[{at}]")))
    };
    items.iter().enumerate().map(read).collect()
}

/// Reads a list of names, which may be empty.
pub fn names(what: &str, text: &str) -> Result<Vec<String>> {
    let items = document::items(text).map_err(|fault| fault.of(what))?;
    let read = |(at, item): (usize, &&str)| {
        let what = format!("{what}[{at}]");
        let name = string(&what, item)?;
        check_word(&what, &name, NAME_BYTES_MAX)?;
        Ok(name.into_owned())
    };
    items.iter().enumerate().map(read).collect()
}

/// Reads an object, each key once. `take` is given each key with the text of its value, and answers
/// whether it knows the key.
pub(super) fn object<'text>(
    text: &'text str,
    mut take: impl FnMut(&str, &'text str) -> Result<bool>,
) -> Result<()> {
    let members = document::members(text).map_err(|fault| Error::invalid(fault.to_string()))?;
    // What was taken: no more than there are known keys.
    let mut taken: Vec<Cow<'_, str>> = Vec::new();
    for (key, value) in members {
        if taken.contains(&key) {
            return Err(Error::invalid(format!("the key {key:?} comes twice")));
        }
        if !take(&key, value)? {
            return Err(unknown(&key));
        }
        taken.push(key);
    }
    Ok(())
}

/// Names a key that is not known; of a long one, as much as a name may have.
fn unknown(key: &str) -> Error {
    let shown: String = key.chars().take(NAME_BYTES_MAX).collect();
    Error::invalid(format!("unknown key {shown:?}"))
}

/// Says that what must be given is not there.
pub fn absent(what: &str) -> Error {
    Error::invalid(format!("{what} is absent, it must be given"))
}

/// Returns a value that is not `null`.
pub(super) fn present(value: &str) -> Option<&str> {
    (value != "null").then_some(value)
}

/// Reads a name or a key.
pub(super) fn word(what: &str, value: &str, max: usize) -> Result<Option<String>> {
    let Some(value) = present(value) else { return Ok(None) };
    let word = string(what, value)?;
    check_word(what, &word, max)?;
    Ok(Some(word.into_owned()))
}

/// Reads one of the words that are known here.
pub(super) fn one_of<T: Copy>(what: &str, value: &str, known: &[(&str, T)]) -> Result<Option<T>> {
    let Some(value) = present(value) else { return Ok(None) };
    let word = string(what, value)?;
    match known.iter().find(|(name, _)| *name == word) {
        Some((_, meaning)) => Ok(Some(*meaning)),
        None => {
            let names: Vec<_> = known.iter().map(|(name, _)| format!("{name:?}")).collect();
            Err(Error::invalid(format!("{what} is none of {}", names.join(", "))))
        }
    }
}

fn string<'text>(what: &str, value: &'text str) -> Result<Cow<'text, str>> {
    let string = document::string(value).map_err(|fault| fault.of(what))?;
    string.ok_or_else(|| Error::invalid(format!("{what} is no string")))
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

/// Takes JSON of the host's own, byte for byte.
pub(super) fn payload(what: &str, value: &str) -> Result<Option<String>> {
    check_payload(what, value)?;
    Ok(Some(value.to_owned()))
}

/// Refuses a payload that poses as an error of the engine's own.
pub fn check_payload(what: &str, text: &str) -> Result<()> {
    if json::has_engine_key(text) {
        let sentence = format!("{what} has the key \"$smolwf\", which is the library's own");
        return Err(Error::invalid(sentence));
    }
    Ok(())
}

/// Refuses JSON that is no object.
pub(super) fn check_object(what: &str, text: &str) -> Result<()> {
    if json::is_object(text) {
        return Ok(());
    }
    Err(Error::invalid(format!("{what}: expected an object")))
}

/// An integer in the width of its option.
pub(super) trait Integer: TryFrom<i64> + Default {
    const RANGE: RangeInclusive<i64>;
}

impl Integer for i64 {
    const RANGE: RangeInclusive<i64> = i64::MIN..=i64::MAX;
}

impl Integer for i32 {
    const RANGE: RangeInclusive<i64> = i32::MIN as i64..=i32::MAX as i64;
}

impl Integer for u32 {
    const RANGE: RangeInclusive<i64> = 0..=u32::MAX as i64;
}

/// Reads an integer; 0 for `null`.
pub(super) fn integer<N: Integer>(what: &str, value: &str) -> Result<N> {
    let Some(value) = present(value) else { return Ok(N::default()) };
    let number = integer_in(what, value, N::RANGE)?;
    Ok(N::try_from(number).unwrap_or_default())
}

/// Reads an integer of a range, which must be given.
pub(super) fn integer_in(
    what: impl Display,
    value: &str,
    range: RangeInclusive<i64>,
) -> Result<i64> {
    match value.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        Ok(number) => Err(out_of_range(what, number, &range)),
        Err(_) => Err(Error::invalid(format!(
            "{what} is no integer from {} to {}",
            range.start(),
            range.end()
        ))),
    }
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
    if (0..=max).contains(&value) { Ok(()) } else { Err(out_of_range(what, value, &(0..=max))) }
}

fn out_of_range(what: impl Display, number: i64, range: &RangeInclusive<i64>) -> Error {
    let (min, max) = (range.start(), range.end());
    Error::invalid(format!("{what} is {number}, it must be {min} to {max}"))
}
