//! Events: what runs say, numbered in the order of their commits (P32).

use serde::Serialize;
use serde_json::value::RawValue;

use super::find::{find_row, page_len};
use super::hold::{Lease, keep_lease, living};
use super::news::News;
use super::output::{self, Document, stored};
use super::port::{EventFilter, EventRow, Fence, Port};
use crate::clock::Now;
use crate::error::{Error, Result};
use crate::id;
use crate::limits::EVENT_PAGE_BYTES;

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
    let is_new = match key {
        Some(key) => !port.event_exists(run_key, key)?,
        None => true,
    };
    if is_new {
        port.tell(News::CHANGED);
        port.event_insert(run_key, &append.event_type, key, &append.payload, now.wall_ms)?;
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
    /// Events in the page; 0 is the default.
    pub limit: u32,
}

/// A page of the log, and the newest number in the store when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// JSON.
    pub text: String,
    /// The newest number.
    pub last_seq: i64,
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
}

impl Document for PageDocument<'_> {
    const SHAPE: &'static str = "events";
}

/// Returns a page of the log.
pub fn read(port: &mut dyn Port, read: &Read) -> Result<Page> {
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
    let filter = EventFilter { run_key, after_seq: read.after_seq, limit, bytes: EVENT_PAGE_BYTES };
    let rows = port.events(&filter)?;
    let (first_seq, last_seq) = port.event_span()?;
    let items = rows.iter().map(document).collect::<Result<Vec<_>>>()?;
    let text = output::document(&PageDocument { items, first_seq, last_seq })?;
    Ok(Page { text, last_seq })
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
