//! Rows of the append-only log.

use super::tx::Tx;
use super::value::{Many, Param, Row};
use crate::domain::port::{EventFilter, EventPort, EventRow, Numbered, RunKey};
use crate::error::Result;

// Writers take turns until their commit, so that max + 1 is the order of commits, without gaps (P32).
const EVENT_INSERT: &str = "
INSERT INTO $schema.sw_workflow_events (seq, run_key, type, idem_key, at_ms, payload)
SELECT coalesce(max(seq), 0) + 1, $1::bigint, $2::text, $3::text, $4::bigint, $5::text
FROM $schema.sw_workflow_events
ON CONFLICT (run_key, idem_key) WHERE idem_key IS NOT NULL DO NOTHING";

// Events of pruned runs stay until they are the oldest (P32).
const EVENTS: &str = "
SELECT e.seq, coalesce(r.run_id, (
    SELECT g.run_id FROM $schema.sw_workflow_gone AS g WHERE g.run_key = e.run_key
)), e.type, coalesce(e.payload, 'null'), e.at_ms
FROM $schema.sw_workflow_events AS e
LEFT JOIN $schema.sw_workflow_runs AS r ON r.run_key = e.run_key
WHERE e.seq > $1 AND e.seq <= $2
    AND ($3::text[] IS NULL OR e.type = ANY ($3::text[]))
ORDER BY e.seq
LIMIT $4";

const EVENTS_OF_RUN: &str = "
SELECT e.seq, r.run_id, e.type, coalesce(e.payload, 'null'), e.at_ms
FROM $schema.sw_workflow_events AS e
JOIN $schema.sw_workflow_runs AS r ON r.run_key = e.run_key
WHERE e.run_key = $5 AND e.seq > $1 AND e.seq <= $2
    AND ($3::text[] IS NULL OR e.type = ANY ($3::text[]))
ORDER BY e.seq
LIMIT $4";

const EVENT_AHEAD: &str = "
SELECT seq
FROM $schema.sw_workflow_events
WHERE seq > $1
ORDER BY seq
LIMIT 1 OFFSET $2";

const EVENT_AHEAD_IN_RUN: &str = "
SELECT seq
FROM $schema.sw_workflow_events
WHERE run_key = $3 AND seq > $1
ORDER BY seq
LIMIT 1 OFFSET $2";

const EVENT_SPAN: &str = "
SELECT coalesce(min(seq), 0), coalesce(max(seq), 0)
FROM $schema.sw_workflow_events";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] =
    &[EVENT_INSERT, EVENTS, EVENTS_OF_RUN, EVENT_AHEAD, EVENT_AHEAD_IN_RUN, EVENT_SPAN];

/// Events that are read at once.
const PAGE: u32 = 200;

impl EventPort for Tx<'_> {
    fn event_insert_once(
        &mut self,
        run_key: RunKey,
        event_type: &str,
        key: Option<&str>,
        payload: &str,
        at_ms: i64,
    ) -> Result<bool> {
        let row: [&dyn Param; 5] = [&run_key, &event_type, &key, &at_ms, &payload];
        // Without a key nothing keeps it off.
        match key {
            None => self.put(EVENT_INSERT, &row).map(|()| true),
            Some(_) => Ok(self.exec(EVENT_INSERT, &row)? > 0),
        }
    }

    fn events_number(&mut self) -> Result<Numbered> {
        Ok(Numbered::all())
    }

    fn events(&mut self, _: Numbered, filter: &EventFilter<'_>) -> Result<Vec<EventRow>> {
        let (mut events, mut bytes) = (Vec::new(), 0);
        let mut after = filter.after_seq;
        let mut left = filter.limit;
        while bytes < filter.bytes && left > 0 {
            let limit = left.min(PAGE);
            let page = self.events_page(filter, after, limit)?;
            let is_last = page.len() < limit as usize;
            for event in page {
                if bytes >= filter.bytes {
                    break;
                }
                bytes += event.payload.len();
                after = event.seq;
                events.push(event);
            }
            left -= limit;
            if is_last {
                break;
            }
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
        let asked: [&dyn Param; 3] = [&after_seq, &offset, &run_key];
        match run_key {
            Some(_) => self.row_opt(EVENT_AHEAD_IN_RUN, &asked, |row| row.get(0)),
            None => self.row_opt(EVENT_AHEAD, &asked[..2], |row| row.get(0)),
        }
    }

    fn event_span(&mut self, _: Numbered) -> Result<(i64, i64)> {
        let span = self.row_opt(EVENT_SPAN, &[], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(span.unwrap_or_default())
    }
}

impl Tx<'_> {
    fn events_page(
        &mut self,
        filter: &EventFilter<'_>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<EventRow>> {
        let up_to = filter.up_to_seq.unwrap_or(i64::MAX);
        let types = Some(filter.types).filter(|types| !types.is_empty()).map(Many);
        let asked: [&dyn Param; 5] = [&after, &up_to, &types, &limit, &filter.run_key];
        match filter.run_key {
            Some(_) => self.rows(EVENTS_OF_RUN, &asked, read_event),
            None => self.rows(EVENTS, &asked[..4], read_event),
        }
    }
}

fn read_event(row: Row<'_>) -> Result<EventRow> {
    Ok(EventRow {
        seq: row.get(0)?,
        run_id: row.get(1)?,
        event_type: row.get(2)?,
        payload: row.get(3)?,
        at_ms: row.get(4)?,
    })
}
