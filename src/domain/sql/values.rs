//! Values of the host's statements as JSON, in and out. Whole numbers are exact to 64 bits; bytes stand
//! as `{"$base64":"..."}`, numbers without end as `{"$real":"Infinity"}`: no JSON has them.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};

use crate::domain::port::{SqlParams, SqlStatement, SqlValue};
use crate::error::{Error, Result};
use crate::json::document;
use crate::limits::{SQL_PARAMS_MAX, SQL_TEXT_BYTES_MAX};

/// The key of an object that stands for bytes.
const BYTES: &str = "$base64";

/// The key of an object that stands for a number without end.
const REAL: &str = "$real";

/// The numbers without end.
const ENDLESS: [(&str, f64); 2] = [("Infinity", f64::INFINITY), ("-Infinity", f64::NEG_INFINITY)];

/// Puts a statement together.
pub(super) fn statement(sql: &str, params: SqlParams, is_query: bool) -> Result<SqlStatement> {
    if sql.len() > SQL_TEXT_BYTES_MAX {
        let len = sql.len();
        let sentence = format!("sql has {len} bytes, at most {SQL_TEXT_BYTES_MAX} are allowed");
        return Err(Error::TooBig(sentence.into()));
    }
    if let Some(at) = sql.bytes().position(|byte| byte == 0) {
        return Err(Error::invalid(format!("sql has a NUL at byte {at}")));
    }
    Ok(SqlStatement { sql: sql.to_owned(), params, is_query })
}

/// Reads the parameters of a statement: an array, or an object by name.
pub(super) fn params(text: &str) -> Result<SqlParams> {
    if text.trim_start().starts_with('[') {
        let items = document::items(text).map_err(|fault| fault.of("params"))?;
        check_count(items.len())?;
        let read = |(at, item): (usize, &&str)| value(&format!("params[{at}]"), item);
        return items.iter().enumerate().map(read).collect::<Result<_>>().map(SqlParams::Listed);
    }
    let members = document::members(text)
        .map_err(|_| Error::invalid("params: expected an array or an object"))?;
    check_count(members.len())?;
    let mut named: Vec<(String, SqlValue)> = Vec::with_capacity(members.len());
    for (key, text) in members {
        let value = value(&format!("params[{key:?}]"), text)?;
        named.push((key.into_owned(), value));
    }
    let mut keys: Vec<&str> = named.iter().map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    match keys.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::invalid(format!("params: the key {:?} comes twice", pair[0]))),
        None => Ok(SqlParams::Named(named)),
    }
}

fn check_count(count: usize) -> Result<()> {
    if count <= SQL_PARAMS_MAX {
        return Ok(());
    }
    let sentence = format!("params has {count} values, at most {SQL_PARAMS_MAX} are allowed");
    Err(Error::TooBig(sentence.into()))
}

fn value(what: &str, text: &str) -> Result<SqlValue> {
    Ok(match text.as_bytes().first() {
        Some(b'n') => SqlValue::Null,
        Some(b't') => SqlValue::Integer(1),
        Some(b'f') => SqlValue::Integer(0),
        Some(b'"') => {
            let string = document::string(text).map_err(|fault| fault.of(what))?;
            SqlValue::Text(string.unwrap_or(Cow::Borrowed("")).into_owned())
        }
        Some(b'{') => object(what, text)?,
        Some(b'[') => {
            return Err(Error::invalid(format!("{what} is an array: pass its text, as a string")));
        }
        _ => number(what, text)?,
    })
}

fn number(what: &str, text: &str) -> Result<SqlValue> {
    let is_whole = !text.contains(['.', 'e', 'E']);
    if is_whole {
        return text.parse().map(SqlValue::Integer).map_err(|_| {
            let (min, max) = (i64::MIN, i64::MAX);
            Error::invalid(format!("{what} is no integer from {min} to {max}"))
        });
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(SqlValue::Real(number)),
        _ => Err(Error::invalid(format!("{what} is beyond the numbers of 64 bits"))),
    }
}

/// Reads what an object stands for: bytes, or a number without end.
fn object(what: &str, text: &str) -> Result<SqlValue> {
    let members = document::members(text).map_err(|fault| fault.of(what))?;
    let [(key, told)] = members.as_slice() else { return Err(no_value(what)) };
    let told = document::string(told).map_err(|fault| fault.of(what))?;
    match (&**key, told) {
        (BYTES, Some(coded)) => bytes(what, &coded).map(SqlValue::Blob),
        (REAL, Some(name)) => {
            let known = ENDLESS.iter().find(|(known, _)| *known == name);
            known.map(|(_, number)| SqlValue::Real(*number)).ok_or_else(|| no_value(what))
        }
        _ => Err(no_value(what)),
    }
}

fn bytes(what: &str, coded: &str) -> Result<Vec<u8>> {
    STANDARD.decode(coded.as_bytes()).map_err(|_| {
        Error::invalid(format!("{what} is no base64 of the standard alphabet, padded"))
    })
}

fn no_value(what: &str) -> Error {
    Error::invalid(format!(
        "{what} is an object: bytes are {{\"{BYTES}\":\"...\"}}, numbers without end {{\"{REAL}\":\"Infinity\"}} and {{\"{REAL}\":\"-Infinity\"}}; of JSON pass its text, as a string"
    ))
}

/// Rows as they are shown.
pub(super) struct Table<'a>(pub(super) &'a [Vec<SqlValue>]);

impl Serialize for Table<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> std::result::Result<S::Ok, S::Error> {
        out.collect_seq(self.0.iter().map(|row| Row(row)))
    }
}

struct Row<'a>(&'a [SqlValue]);

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> std::result::Result<S::Ok, S::Error> {
        let mut cells = out.serialize_seq(Some(self.0.len()))?;
        for value in self.0 {
            cells.serialize_element(&Cell(value))?;
        }
        cells.end()
    }
}

struct Cell<'a>(&'a SqlValue);

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> std::result::Result<S::Ok, S::Error> {
        match self.0 {
            SqlValue::Null => out.serialize_none(),
            SqlValue::Integer(number) => out.serialize_i64(*number),
            SqlValue::Real(number) if number.is_finite() => out.serialize_f64(*number),
            SqlValue::Real(number) => {
                let (name, _) = ENDLESS[usize::from(*number < 0.0)];
                tagged(out, REAL, name)
            }
            SqlValue::Text(text) => out.serialize_str(text),
            SqlValue::Blob(bytes) => tagged(out, BYTES, &STANDARD.encode(bytes)),
        }
    }
}

fn tagged<S: Serializer>(out: S, key: &str, told: &str) -> std::result::Result<S::Ok, S::Error> {
    let mut object = out.serialize_map(Some(1))?;
    object.serialize_entry(key, told)?;
    object.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(text: &str) -> Vec<SqlValue> {
        match params(text).unwrap() {
            SqlParams::Listed(values) => values,
            named => panic!("{named:?}"),
        }
    }

    #[test]
    fn values_go_in_as_they_come_out() {
        let text = concat!(
            r#"[null,1,-9223372036854775808,9223372036854775807,1.0,-0.5,1e300,"","a\"é","#,
            r#"{"$base64":"AP8="},{"$base64":""},{"$real":"Infinity"},{"$real":"-Infinity"}]"#
        );
        let values = listed(text);
        assert_eq!(values[3], SqlValue::Integer(i64::MAX));
        assert_eq!(values[4], SqlValue::Real(1.0));
        assert_eq!(values[9], SqlValue::Blob(vec![0, 255]));
        let rows = [values];
        let told = serde_json::to_string(&Table(&rows)).unwrap();
        assert_eq!(listed(&told[1..told.len() - 1]), rows[0]);
        assert_eq!(listed("[true,false]"), [SqlValue::Integer(1), SqlValue::Integer(0)]);
    }

    #[test]
    fn an_object_names_its_parameters() {
        let named = vec![("a".into(), SqlValue::Integer(1)), (":b".into(), SqlValue::Null)];
        assert_eq!(params(r#"{"a":1,":b":null}"#).unwrap(), SqlParams::Named(named));
    }

    #[test]
    fn what_is_no_value_is_named_and_not_shown() {
        for (bad, told) in [
            ("[[1]]", "params[0] is an array: pass its text, as a string"),
            (r#"[1,{"a":1}]"#, "params[1] is an object: bytes are"),
            (r#"[{"$base64":1}]"#, "params[0] is an object"),
            (r#"[{"$real":"1"}]"#, "params[0] is an object"),
            (r#"[{"$base64":"A"}]"#, "params[0] is no base64"),
            (r#"[{"$base64":"AP8"}]"#, "params[0] is no base64"),
            ("[9223372036854775808]", "params[0] is no integer from -9223372036854775808 to"),
            ("[1e999]", "params[0] is beyond the numbers of 64 bits"),
            (r#"{"a":1,"a":2}"#, r#"params: the key "a" comes twice"#),
            ("7", "params: expected an array or an object"),
        ] {
            let error = params(bad).unwrap_err();
            assert_eq!(error.code(), -2, "{bad}: {error}");
            assert!(error.to_string().starts_with(told), "{bad}: {error}");
        }
        let many = format!("[{}1]", "1,".repeat(SQL_PARAMS_MAX));
        assert_eq!(params(&many).unwrap_err().code(), -5);
        assert_eq!(statement("a\0b", SqlParams::default(), true).unwrap_err().code(), -2);
        let long = "x".repeat(SQL_TEXT_BYTES_MAX + 1);
        assert_eq!(statement(&long, SqlParams::default(), true).unwrap_err().code(), -5);
    }
}
