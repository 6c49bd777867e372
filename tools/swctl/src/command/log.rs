//! The log: its last events, and the tail of it.

use std::collections::VecDeque;

use super::{Done, Session};
use crate::cli::Events;
use crate::document;
use crate::door::{FOREVER, code};
use crate::failure::Failure;
use crate::filter::{Object, quote};
use crate::out::Form;
use crate::run_id;
use crate::table::{Cell, Table};

pub(super) fn events(session: &mut Session, asked: &Events) -> Done {
    if asked.follow && session.out.form == Form::Json {
        return Err(Failure::Usage(
            "a tail has no single document: --jsonl gives one a line".into(),
        ));
    }
    let run = asked.run.as_deref().map(|run| run_id::resolve(&session.store, run)).transpose()?;
    if session.out.form == Form::Json {
        let after = asked.after.unwrap_or(0);
        let page = session.store.event_read(run.as_deref(), after, 0)?;
        return Ok(session.out.document(&page)?);
    }
    let mut filter = Object::default();
    filter.text("run_id", run.as_deref());
    if !asked.r#type.is_empty() {
        let types: Vec<String> = asked.r#type.iter().map(|kind| quote(kind)).collect();
        filter.json("type", format!("[{}]", types.join(",")));
    }
    let filter = filter.to_string();
    let (from, last) = match asked.after {
        Some(after) => (after, usize::MAX),
        None => (start(session, asked, run.as_deref())?, asked.last),
    };
    let after = past(session, &filter, from, last)?;
    if asked.follow { follow(session, &filter, after) } else { Ok(()) }
}

/// After which number to look for the last events: near the end where all are meant, else the start.
fn start(session: &Session, asked: &Events, run: Option<&str>) -> Result<i64, Failure> {
    if run.is_some() || !asked.r#type.is_empty() {
        return Ok(0);
    }
    let page = session.store.event_read(None, 0, 1)?;
    let page: document::Events = serde_json::from_str(&page)?;
    Ok(page.last_seq.saturating_sub(i64::try_from(asked.last).unwrap_or(i64::MAX)).max(0))
}

/// Writes what is there, the last ones of it; the number to go on after.
fn past(session: &mut Session, filter: &str, mut after: i64, last: usize) -> Result<i64, Failure> {
    let mut kept: VecDeque<String> = VecDeque::new();
    while let Some(page) = session.store.event_wait(after, filter, page_len(), 0, None)? {
        let page: document::Events = serde_json::from_str(&page)?;
        for item in &page.items {
            kept.push_back(item.get().to_string());
            if kept.len() > last {
                kept.pop_front();
            }
        }
        if last == usize::MAX {
            write(session, kept.drain(..))?;
        }
        let next = page.next_seq.unwrap_or(page.last_seq);
        if next <= after {
            break;
        }
        after = next;
    }
    write(session, kept.into_iter())?;
    session.out.flush()?;
    Ok(after)
}

fn page_len() -> u32 {
    code::SW_PAGE_LEN_MAX as u32
}

/// Writes what comes, page by page, until the process ends.
fn follow(session: &mut Session, filter: &str, mut after: i64) -> Done {
    loop {
        let page = session.store.event_wait(after, filter, page_len(), FOREVER, None)?;
        let Some(page) = page else { continue };
        let page: document::Events = serde_json::from_str(&page)?;
        write(session, page.items.iter().map(|item| item.get().to_string()))?;
        session.out.flush()?;
        after = page.next_seq.unwrap_or(page.last_seq);
    }
}

fn write(session: &mut Session, events: impl Iterator<Item = String>) -> Done {
    let now = session.store.now_ms();
    let mut table = Table::new(&["#", "AT", "RUN", "TYPE", "PAYLOAD"]);
    for item in events {
        if session.out.form == Form::Jsonl {
            session.out.document(&item)?;
            continue;
        }
        let event: document::Event = serde_json::from_str(&item)?;
        let cells = vec![
            event.seq.into(),
            // A tail stays on the screen, where a time as seen from now would grow wrong.
            Cell::from(crate::time::iso(event.at_ms)),
            event.run_id.into(),
            event.kind.as_ref().into(),
            Cell::from(event.payload.get()),
        ];
        table.row(cells);
    }
    if table.is_empty() {
        return Ok(());
    }
    let text = match session.out.form {
        Form::Table => table.lines(session.out.room(0), now, session.out.color),
        _ => table.piped(),
    };
    Ok(session.out.text(&text)?)
}
