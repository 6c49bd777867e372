//! Rows of the append-only log.

use rusqlite::Row;

use super::errors::map;
use super::lane::names_json;
use super::tx::Tx;
use crate::domain::port::{EventFilter, EventPort, EventRow, Numbered, RunKey};
use crate::error::Result;
use crate::plant::{Plant, stands};

// The key is max + 1 within the writer's transaction: commit order, without gaps (P32).
const EVENT_INSERT: &str = "
INSERT INTO sw_workflow_events (run_key, type, idem_key, at_ms, payload)
VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (run_key, idem_key) WHERE idem_key IS NOT NULL DO NOTHING";

// Events of pruned runs stay until they are the oldest (P32).
const EVENTS: &str = "
SELECT e.seq, coalesce(r.run_id, (
    SELECT g.run_id FROM sw_workflow_gone AS g WHERE g.run_key = e.run_key
)), e.type, e.payload, e.at_ms
FROM sw_workflow_events AS e
LEFT JOIN sw_workflow_runs AS r ON r.run_key = e.run_key
WHERE e.seq > ?1 AND e.seq <= ?3
    AND (?4 IS NULL OR e.type IN (SELECT value FROM json_each(?4)))
ORDER BY e.seq
LIMIT ?2";

const EVENTS_OF_RUN: &str = "
SELECT e.seq, r.run_id, e.type, e.payload, e.at_ms
FROM sw_workflow_events AS e
JOIN sw_workflow_runs AS r ON r.run_key = e.run_key
WHERE e.run_key = ?5 AND e.seq > ?1 AND e.seq <= ?3
    AND (?4 IS NULL OR e.type IN (SELECT value FROM json_each(?4)))
ORDER BY e.seq
LIMIT ?2";

const EVENT_AHEAD: &str = "
SELECT seq
FROM sw_workflow_events
WHERE seq > ?1
ORDER BY seq
LIMIT 1 OFFSET ?2";

const EVENT_AHEAD_IN_RUN: &str = "
SELECT seq
FROM sw_workflow_events
WHERE run_key = ?3 AND seq > ?1
ORDER BY seq
LIMIT 1 OFFSET ?2";

const EVENT_FIRST: &str = "
SELECT seq
FROM sw_workflow_events
ORDER BY seq
LIMIT 1";

const EVENT_LAST: &str = "
SELECT seq
FROM sw_workflow_events
ORDER BY seq DESC
LIMIT 1";

// Of a planted fault.
const EVENT_FORGET: &str = "
DELETE FROM sw_workflow_events
WHERE seq = ?1";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[
    EVENT_INSERT,
    EVENTS,
    EVENTS_OF_RUN,
    EVENT_AHEAD,
    EVENT_AHEAD_IN_RUN,
    EVENT_FIRST,
    EVENT_LAST,
    EVENT_FORGET,
];

impl EventPort for Tx<'_> {
    fn event_insert_once(
        &mut self,
        run_key: RunKey,
        event_type: &str,
        key: Option<&str>,
        payload: &str,
        at_ms: i64,
    ) -> Result<bool> {
        if stands(Plant::EventTwice) {
            let last: Option<i64> = self.one(EVENT_LAST, [], |row| row.get(0))?;
            self.execute(EVENT_FORGET, [last])?;
        }
        let payload = self.payload_write(payload)?;
        let row = (run_key, event_type, key, at_ms, &payload);
        let is_new = self.execute(EVENT_INSERT, row)? > 0;
        if !is_new {
            self.payload_drop(Some(&payload))?;
        }
        Ok(is_new)
    }

    fn events_number(&mut self) -> Result<Numbered> {
        Ok(Numbered::all())
    }

    fn events(&mut self, _: Numbered, filter: &EventFilter<'_>) -> Result<Vec<EventRow>> {
        let mut statement =
            self.prepare(if filter.run_key.is_some() { EVENTS_OF_RUN } else { EVENTS })?;
        let (after, limit) = (filter.after_seq, filter.limit);
        let up_to = filter.up_to_seq.unwrap_or(i64::MAX);
        let types = names_json(Some(filter.types).filter(|types| !types.is_empty()));
        let mut rows = match filter.run_key {
            Some(run_key) => statement.query((after, limit, up_to, types, run_key)),
            None => statement.query((after, limit, up_to, types)),
        }
        .map_err(map)?;
        let (mut events, mut bytes) = (Vec::new(), 0);
        while bytes < filter.bytes
            && let Some(row) = rows.next().map_err(map)?
        {
            let mut event = read_event(row).map_err(map)?;
            self.payload_read(&mut event.payload)?;
            bytes += event.payload.len();
            events.push(event);
        }
        Ok(events)
    }

    fn event_ahead(
        &mut self,
        _: Numbered,
        run_key: Option<RunKey>,
        after_seq: i64,
        count: u32,
    ) -> Result<Option<i64>> {
        let offset = count.saturating_sub(1);
        match run_key {
            Some(run_key) => {
                self.one(EVENT_AHEAD_IN_RUN, (after_seq, offset, run_key), |row| row.get(0))
            }
            None => self.one(EVENT_AHEAD, (after_seq, offset), |row| row.get(0)),
        }
    }

    fn event_span(&mut self, _: Numbered) -> Result<(i64, i64)> {
        let first = self.one(EVENT_FIRST, [], |row| row.get(0))?;
        let last = self.one(EVENT_LAST, [], |row| row.get(0))?;
        Ok((first.unwrap_or(0), last.unwrap_or(0)))
    }
}

fn read_event(row: &Row<'_>) -> rusqlite::Result<EventRow> {
    Ok(EventRow {
        seq: row.get(0)?,
        run_id: row.get(1)?,
        event_type: row.get(2)?,
        payload: row.get::<_, Option<String>>(3)?.unwrap_or_else(|| "null".into()),
        at_ms: row.get(4)?,
    })
}
