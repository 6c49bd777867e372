//! Input documents: the lists and options that a host writes for us, as opposed to payloads.
//!
//! They are taken apart here into the texts of their parts, so that a payload within one stays byte
//! for byte as given, and an unknown key can be named.

use std::borrow::Cow;

use super::{Fault, Kind, decode, scan};

/// Returns the texts of the items of an array, in order.
///
/// # Errors
/// What [`super::check`] refuses, and what is no array.
pub fn items(text: &str) -> Result<Vec<&str>, Fault> {
    let mut items = Vec::new();
    let mut start = 0;
    scan(text, |token| {
        match (token.depth, token.kind) {
            (0, Kind::Array | Kind::ArrayEnd) => {}
            (0, _) => return Err(Fault::new(token.start, "expected an array")),
            (1, Kind::Object | Kind::Array) => start = token.start,
            (1, Kind::ObjectEnd | Kind::ArrayEnd) => items.push(&text[start..token.end]),
            (1, _) => items.push(&text[token.start..token.end]),
            _ => {}
        }
        Ok(())
    })?;
    Ok(items)
}

/// Returns the keys of an object and the texts of their values, in order; a key may come twice.
///
/// # Errors
/// What [`super::check`] refuses, what is no object, a surrogate escape in a key without its partner.
pub fn members(text: &str) -> Result<Vec<(Cow<'_, str>, &str)>, Fault> {
    let mut members = Vec::new();
    let mut key = Cow::Borrowed("");
    let mut start = 0;
    scan(text, |token| {
        let span = match (token.depth, token.kind) {
            (0, Kind::Object | Kind::ObjectEnd) => return Ok(()),
            (0, _) => return Err(Fault::new(token.start, "expected an object")),
            (1, Kind::Key) => {
                key = decode(&text[token.start..token.end], token.start)?;
                return Ok(());
            }
            (1, Kind::Object | Kind::Array) => {
                start = token.start;
                return Ok(());
            }
            (1, Kind::ObjectEnd | Kind::ArrayEnd) => start..token.end,
            (1, _) => token.start..token.end,
            _ => return Ok(()),
        };
        members.push((std::mem::take(&mut key), &text[span]));
        Ok(())
    })?;
    Ok(members)
}

/// Returns what the text of a string says; `None` for another value.
///
/// # Errors
/// What [`super::check`] refuses, a surrogate escape without its partner.
pub fn string(text: &str) -> Result<Option<Cow<'_, str>>, Fault> {
    let mut string = None;
    scan(text, |token| {
        if token.depth == 0 && token.kind == Kind::Text {
            string = Some(decode(&text[token.start..token.end], token.start)?);
        }
        Ok(())
    })?;
    Ok(string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_comes_apart_into_the_bytes_of_its_items() {
        let text = r#" [ 1, "a\n" ,{"k": [ 2 ]},[],[[3 ]] , null] "#;
        let expected = ["1", r#""a\n""#, r#"{"k": [ 2 ]}"#, "[]", "[[3 ]]", "null"];
        assert_eq!(items(text).unwrap(), expected);
        assert!(items("[]").unwrap().is_empty());
        for bad in ["{}", "1", "[1", "[1] 2", ""] {
            assert!(items(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_object_comes_apart_into_its_keys_and_the_bytes_of_their_values() {
        let text = r#"{ "a" : {"x": 1.0} ,"\u0062":[ ],"a":"s", "":-0}"#;
        let found = members(text).unwrap();
        let found: Vec<(&str, &str)> = found.iter().map(|(key, value)| (&**key, *value)).collect();
        assert_eq!(found, [("a", r#"{"x": 1.0}"#), ("b", "[ ]"), ("a", r#""s""#), ("", "-0")]);
        for bad in ["[]", "null", r#"{"a"}"#, r#"{"\ud800":1}"#] {
            assert!(members(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_string_is_decoded_and_no_other_value_is_one() {
        assert_eq!(string(r#" "a\u00e9" "#).unwrap().as_deref(), Some("a\u{e9}"));
        assert_eq!(string("[\"a\"]").unwrap(), None);
        assert!(string(r#""\udc00""#).is_err());
    }
}
