//! Values as they travel: parameters to the server and columns back, all as text.
//!
//! The server says which type a parameter has; what a column holds its reader says. Enums go by their
//! numbers, ids as `uuid`, bytes as `bytea`, many at once as arrays.

use super::errors;
use super::pq::Answer;
use crate::domain::port::{
    Ended, Outcome, ReservationState, SourceKind, StepKind, StepState, TaskState,
};
use crate::error::{Error, Result};
use crate::id::Id;

/// What a statement's parameter can be.
pub(super) trait Param {
    /// Returns it as the server reads it; `None` is NULL.
    fn text(&self) -> Option<String>;
}

/// What a column's value can be read as.
pub(super) trait Column: Sized {
    /// Reads it; `None` if the text is not of this form.
    fn read(text: &str) -> Option<Self>;
}

macro_rules! plain {
    ($($type:ty)+) => {
        $(impl Param for $type {
            fn text(&self) -> Option<String> {
                Some(self.to_string())
            }
        }

        impl Column for $type {
            fn read(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        })+
    };
}

plain!(i32 i64 u16 u32 u64 usize String);

impl Param for str {
    fn text(&self) -> Option<String> {
        Some(self.to_owned())
    }
}

impl Param for bool {
    fn text(&self) -> Option<String> {
        Some(if *self { "t" } else { "f" }.to_owned())
    }
}

impl Column for bool {
    fn read(text: &str) -> Option<Self> {
        match text {
            "t" => Some(true),
            "f" => Some(false),
            _ => None,
        }
    }
}

impl Param for Id {
    fn text(&self) -> Option<String> {
        Some(hex(&self.to_bytes()))
    }
}

impl Column for Id {
    fn read(text: &str) -> Option<Self> {
        let bytes = unhex(&text.replace('-', ""))?;
        bytes.try_into().ok().map(Id::from_bytes)
    }
}

impl Param for [u8] {
    fn text(&self) -> Option<String> {
        Some(format!("\\x{}", hex(self)))
    }
}

impl<const LEN: usize> Param for [u8; LEN] {
    fn text(&self) -> Option<String> {
        self.as_slice().text()
    }
}

impl Param for Vec<u8> {
    fn text(&self) -> Option<String> {
        self.as_slice().text()
    }
}

impl Column for Vec<u8> {
    fn read(text: &str) -> Option<Self> {
        unhex(text.strip_prefix("\\x")?)
    }
}

impl<const LEN: usize> Column for [u8; LEN] {
    fn read(text: &str) -> Option<Self> {
        Vec::read(text)?.try_into().ok()
    }
}

impl<T: Param> Param for Option<T> {
    fn text(&self) -> Option<String> {
        self.as_ref().and_then(Param::text)
    }
}

impl<T: Param + ?Sized> Param for &T {
    fn text(&self) -> Option<String> {
        (**self).text()
    }
}

/// Many at once, for `= ANY($1)` and `unnest($1::bigint[])`; the statement says of which type.
pub(super) struct Many<'a, T>(pub(super) &'a [T]);

impl<T: Param> Param for Many<'_, T> {
    fn text(&self) -> Option<String> {
        let items: Vec<String> = self.0.iter().map(|item| quoted(item.text())).collect();
        Some(format!("{{{}}}", items.join(",")))
    }
}

fn quoted(text: Option<String>) -> String {
    match text {
        None => "NULL".into(),
        Some(text) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

/// Keeps an enum as the numbers of its variants; a variant that is left out does not compile.
macro_rules! numbered {
    ($type:ident, $($variant:ident)+) => {
        impl Param for $type {
            fn text(&self) -> Option<String> {
                let number = match self {
                    $($type::$variant => $type::$variant as i64,)+
                };
                number.text()
            }
        }

        impl Column for $type {
            fn read(text: &str) -> Option<Self> {
                let number: i64 = text.parse().ok()?;
                [$($type::$variant),+].into_iter().find(|variant| *variant as i64 == number)
            }
        }
    };
}

numbered!(TaskState, Delayed Ready Running Waiting Paused Blocked);
numbered!(Ended, Completed Failed Retried Released Suspended Lost Cancelled TimedOut);
numbered!(Outcome, Completed Failed Cancelled);
numbered!(StepKind, Step Sleep Await Child);
numbered!(StepState, Started Done Failed BacksOff TimedOut Asked);
numbered!(ReservationState, Open Settled GivenBack Assumed SettledWithStep Corrected);
numbered!(SourceKind, Reservation Step Assumed Correction);

/// One row of an answer.
#[derive(Clone, Copy)]
pub(super) struct Row<'answer> {
    answer: &'answer Answer,
    at: usize,
}

impl<'answer> Row<'answer> {
    /// Takes a row of an answer.
    pub(super) fn new(answer: &'answer Answer, at: usize) -> Row<'answer> {
        Row { answer, at }
    }

    /// Returns the text of a column; `None` is NULL.
    pub(super) fn text(&self, column: usize) -> Result<Option<&'answer str>> {
        let Some(bytes) = self.answer.value(self.at, column) else { return Ok(None) };
        let text = std::str::from_utf8(bytes);
        text.map(Some).map_err(|_| errors::unreadable("text that is no UTF-8"))
    }

    /// Reads a column that may be NULL.
    pub(super) fn maybe<T: Column>(&self, column: usize) -> Result<Option<T>> {
        let Some(text) = self.text(column)? else { return Ok(None) };
        T::read(text).map(Some).ok_or_else(|| self.of_another_form(column))
    }

    /// Reads a column that is not NULL.
    pub(super) fn get<T: Column>(&self, column: usize) -> Result<T> {
        self.maybe(column)?.ok_or_else(|| errors::unreadable("a NULL where none may be"))
    }

    fn of_another_form(&self, column: usize) -> Error {
        errors::unreadable(&format!("a value in column {column} that its kind does not have"))
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let half = |digit: u8| char::from(digit).to_digit(16);
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => u8::try_from(half(*high)? << 4 | half(*low)?).ok(),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_read_as_it_was() {
        let id = Id::from_bytes([0xAB; 16]);
        assert_eq!(Id::read(&id.text().unwrap()), Some(id));
        assert_eq!(Id::read("abababab-abab-abab-abab-abababababab"), Some(id));
        let bytes = [0_u8, 1, 0xFF];
        assert_eq!(<[u8; 3]>::read(&bytes.text().unwrap()), Some(bytes));
        assert_eq!(Vec::<u8>::read("\\x0"), None);
        assert_eq!(bool::read(&true.text().unwrap()), Some(true));
        assert_eq!(TaskState::read(&TaskState::Paused.text().unwrap()), Some(TaskState::Paused));
        assert_eq!(TaskState::read("17"), None);
    }

    #[test]
    fn many_are_an_array_in_which_each_is_quoted() {
        assert_eq!(Many(&[1_i64, -2]).text().unwrap(), r#"{"1","-2"}"#);
        let texts = ["a\"b\\c", "", "NULL"];
        assert_eq!(Many(&texts).text().unwrap(), r#"{"a\"b\\c","","NULL"}"#);
        assert_eq!(Many(&[None::<i64>]).text().unwrap(), "{NULL}");
    }
}
