//! Events: what runs say, numbered in the order of their commits (P32).

use serde::Serialize;
use serde_json::value::RawValue;

use super::find::{find_row, page_len};
use super::hold::{Lease, keep_lease, living};
use super::input;
use super::news::News;
use super::output::{self, Document, stored};
use super::port::{EventFilter, EventRow, Fence, Port};
use crate::clock::Now;
use crate::error::{Error, Result};
use crate::id;
use crate::limits::{
    EVENT_PAGE_BYTES, EVENT_TYPES_MAX, EVENTS_LOOKED_MAX, KEY_BYTES_MAX, NAME_BYTES_MAX,
};

/// An event that an attempt appends.
#[derive(Debug, Clone)]
pub struct Append {
    /// Who appends.
    pub fence: Fence,
    /// What kind of event it is.
    pub event_type: String,
    /// JSON.
    pub payload: String,
    /// Once per run and key.
    pub key: Option<String>,
}

/// Appends an event; returns `false` when its key was used before in the run, and where the lease
/// stands. Not progress: a run that dies after each event must run out of tries (P13).
pub fn append(port: &mut dyn Port, append: &Append, now: Now) -> Result<(bool, Lease)> {
    let hold = living(port, append.fence, now)?;
    let run_key = append.fence.run_key;
    let key = append.key.as_deref();
    let (event_type, payload) = (&append.event_type, &append.payload);
    let is_new = port.event_insert_once(run_key, event_type, key, payload, now.wall_ms)?;
    if is_new {
        port.tell(News::CHANGED);
    }
    Ok((is_new, keep_lease(port, append.fence, &hold, hold.losses, now)?))
}

/// What is asked of the log.
#[derive(Debug, Clone, Default)]
pub struct Read {
    /// Only above this number.
    pub after_seq: i64,
    /// Only of this run.
    pub run_id: Option<String>,
    /// Only of these kinds; empty is all.
    pub types: Vec<String>,
    /// Events in the page; 0 is the default.
    pub limit: u32,
}

impl Read {
    /// Reads the filter document `{"type", "run_id"}`; a type is a name, or a list of names.
    pub fn filter(text: &str) -> Result<Read> {
        let mut read = Read::default();
        input::object(text, |key, value| {
            match key {
                "type" => read.types = types(value)?,
                "run_id" => read.run_id = input::word(key, value, KEY_BYTES_MAX)?,
                _ => return Ok(false),
            }
            Ok(true)
        })
        .map_err(|error| error.within("filter"))?;
        Ok(read)
    }
}

fn types(value: &str) -> Result<Vec<String>> {
    if !value.starts_with('[') {
        return Ok(input::word("type", value, NAME_BYTES_MAX)?.into_iter().collect());
    }
    let names = input::names("type", value)?;
    match names.len() {
        1..=EVENT_TYPES_MAX => Ok(names),
        len => Err(Error::invalid(format!(
            "type has {len} entries, it must have 1 to {EVENT_TYPES_MAX}"
        ))),
    }
}

/// A page of the log, and the newest number in the store when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// JSON.
    pub text: String,
    /// The newest number.
    pub last_seq: i64,
    /// What was asked for stands above this number, if anywhere.
    pub next_seq: i64,
    /// There are events, or so many were passed over that the caller is to know.
    pub is_answer: bool,
}

#[derive(Serialize)]
pub(super) struct EventDocument<'row> {
    seq: i64,
    run_id: String,
    r#type: &'row str,
    payload: &'row RawValue,
    at_ms: i64,
}

#[derive(Serialize)]
struct PageDocument<'row> {
    items: Vec<EventDocument<'row>>,
    first_seq: i64,
    last_seq: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_seq: Option<i64>,
}

impl Document for PageDocument<'_> {
    const SHAPE: &'static str = "events";
}

/// Returns a page of the log.
pub fn read(port: &mut dyn Port, read: &Read) -> Result<Page> {
    page(port, read, false)
}

/// Returns a page of the log that says where to go on. Looks at a bounded number of events, however few
/// of them are asked for.
pub fn look(port: &mut dyn Port, read: &Read) -> Result<Page> {
    page(port, read, true)
}

fn page(port: &mut dyn Port, read: &Read, goes_on: bool) -> Result<Page> {
    if read.after_seq < 0 {
        return Err(Error::invalid(format!(
            "after_seq is {}, it must be 0 to {}",
            read.after_seq,
            i64::MAX
        )));
    }
    let limit = page_len(read.limit)?;
    let run_key = match &read.run_id {
        None => None,
        Some(text) => Some(find_row(port, text)?.run_key),
    };
    let (types, after_seq) = (read.types.as_slice(), read.after_seq);
    let numbered = port.events_number()?;
    let up_to_seq = match types {
        [] => None,
        _ => port.event_ahead(numbered, run_key, after_seq, EVENTS_LOOKED_MAX)?,
    };
    let bytes = EVENT_PAGE_BYTES;
    let filter = EventFilter { run_key, types, up_to_seq, after_seq, limit, bytes };
    let rows = port.events(numbered, &filter)?;
    let (first_seq, last_seq) = port.event_span(numbered)?;
    // What a page was cut behind is not looked at yet; else all that the transaction sees is.
    let is_cut = rows.len() >= limit as usize
        || rows.iter().map(|row| row.payload.len()).sum::<usize>() >= bytes;
    let next_seq = match rows.last() {
        Some(row) if is_cut => row.seq,
        _ => up_to_seq.unwrap_or(last_seq).max(after_seq),
    };
    let items = rows.iter().map(document).collect::<Result<Vec<_>>>()?;
    let is_answer = !items.is_empty() || up_to_seq.is_some();
    let next = goes_on.then_some(next_seq);
    let text = output::document(&PageDocument { items, first_seq, last_seq, next_seq: next })?;
    Ok(Page { text, last_seq, next_seq, is_answer })
}

/// Shows an event.
pub(super) fn document(row: &EventRow) -> Result<EventDocument<'_>> {
    Ok(EventDocument {
        seq: row.seq,
        run_id: id::write("run", row.run_id),
        r#type: &row.event_type,
        payload: stored(&row.payload)?,
        at_ms: row.at_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_names_kinds_of_events_and_a_run() {
        let read = Read::filter(r#"{"type":"a","run_id":"run_x"}"#).unwrap();
        assert_eq!((read.types, read.run_id), (vec!["a".to_owned()], Some("run_x".into())));
        let read = Read::filter(r#"{"type":["a","b"]}"#).unwrap();
        assert_eq!((read.types.len(), read.run_id), (2, None));
        let read = Read::filter(r#"{"type":null,"run_id":null}"#).unwrap();
        assert_eq!((read.types.len(), read.run_id), (0, None));
        for bad in [
            "[]",
            "1",
            r#"{"types":"a"}"#,
            r#"{"type":[]}"#,
            r#"{"type":""}"#,
            r#"{"type":["a",1]}"#,
            r#"{"type":1}"#,
            r#"{"run_id":7}"#,
            r#"{"run_id":""}"#,
            r#"{"type":"a","type":"b"}"#,
        ] {
            assert_eq!(Read::filter(bad).unwrap_err().code(), -2, "{bad}");
        }
        let many = format!("{{\"type\":[{}]}}", vec!["\"a\""; 65].join(","));
        assert!(Read::filter(&many).unwrap_err().to_string().contains("65"));
    }
}
