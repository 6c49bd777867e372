//! The documents that show what happened: a run, and its history page by page.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::value::RawValue;

use super::event::{self, EventDocument};
use super::find::{find, find_row, page_len};
use super::output::{Document, document, owned, stored, to_text};
use super::port::{
    Ended, EndedAttempt, EventFilter, EventRow, Include, Outcome, Port, RunKey, RunRow, RunState,
    SignalRow, StepKind, StepRow, StepState, Task, TaskState, Waiting,
};
use crate::error::{Error, Result};
use crate::id::{self, Id};
use crate::json::hex;
use crate::limits::{EVENT_PAGE_BYTES, RUN_TRIES_DEFAULT, WAITING_SHOWN_MAX};

/// A run as users see it. Keys are only ever added; a list leaves out what is large and not asked for.
#[derive(Serialize)]
struct RunDocument<'row> {
    run_id: String,
    task_id: String,
    root_run_id: String,
    parent_run_id: Option<String>,
    workflow: &'row str,
    queue: &'row str,
    state: &'static str,
    priority: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Option<&'row RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Option<&'row RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Option<&'row RawValue>>,
    attempts: u32,
    tries: u32,
    max_tries: u32,
    run_at_ms: i64,
    created_at_ms: i64,
    updated_at_ms: i64,
    finished_at_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Option<&'row RawValue>>,
    code_version: Option<&'row str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_for: Option<Option<&'row [WaitingDocument]>>,
    cancel_asked: bool,
    pause_asked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<Option<&'row RawValue>>,
    due_at_ms: Option<i64>,
}

impl Document for RunDocument<'_> {
    const SHAPE: &'static str = "run";
}

#[derive(Serialize)]
struct AttemptDocument<'row> {
    attempt_id: String,
    number: u32,
    worker: Option<&'row str>,
    state: &'static str,
    started_at_ms: i64,
    ended_at_ms: Option<i64>,
    error: Option<&'row RawValue>,
}

#[derive(Serialize)]
struct StepDocument<'row> {
    step_id: String,
    name: &'row str,
    occurrence: u32,
    kind: &'row str,
    state: &'static str,
    tries: u32,
    input_hash: Option<String>,
    result: Option<&'row RawValue>,
    error: Option<&'row RawValue>,
    started_at_ms: i64,
    ended_at_ms: Option<i64>,
}

#[derive(Serialize)]
struct SignalDocument<'row> {
    name: &'row str,
    payload: Option<&'row RawValue>,
    sent_at_ms: i64,
    consumed: bool,
    consumed_by: Option<String>,
}

#[derive(Serialize)]
struct ChildDocument<'row> {
    run_id: String,
    workflow: &'row str,
    state: &'static str,
    created_at_ms: i64,
    finished_at_ms: Option<i64>,
}

#[derive(Serialize)]
struct HistoryDocument<'row> {
    run: RunDocument<'row>,
    attempts: Vec<AttemptDocument<'row>>,
    steps: Vec<StepDocument<'row>>,
    signals: Vec<SignalDocument<'row>>,
    children: Vec<ChildDocument<'row>>,
    events: Vec<EventDocument<'row>>,
    next: Option<String>,
}

impl Document for HistoryDocument<'_> {
    const SHAPE: &'static str = "history";
}

/// Returns a run's document.
pub fn run_get(port: &mut dyn Port, run_id: &str) -> Result<String> {
    let (row, task, left_at_ms) = load(port, run_id)?;
    let shown = Shown::load(port, &row, task.as_ref(), left_at_ms, Include::ALL)?;
    document(&run_document(&row, task.as_ref(), &shown)?)
}

/// Returns runs as they stand in a list, with what is large where it is asked for, but for those that
/// are gone; and which was the last of them, where their payloads are as many bytes as a page has.
pub(super) fn runs_listed(
    port: &mut dyn Port,
    run_keys: &[RunKey],
    include: Include,
) -> Result<(Vec<Box<RawValue>>, Option<RunKey>)> {
    if run_keys.is_empty() {
        return Ok((Vec::new(), None));
    }
    let rows = port.runs_shown(run_keys, include, EVENT_PAGE_BYTES)?;
    let bytes: usize = rows.iter().map(|row| len(&row.args) + len(&row.result)).sum();
    let last = rows.last().filter(|_| bytes >= EVENT_PAGE_BYTES).map(|row| row.run_key);
    let open: Vec<RunKey> =
        rows.iter().filter(|row| row.outcome.is_none()).map(|row| row.run_key).collect();
    let tasks = tasks_of(port, &open)?;
    let left: HashMap<RunKey, i64> = match open.is_empty() {
        true => HashMap::new(),
        false => port.attempts_left(&open)?.into_iter().collect(),
    };
    let listed = |row: RunRow| {
        let (task, left_at_ms) = (tasks.get(&row.run_key), left.get(&row.run_key).copied());
        let shown = Shown::load(port, &row, task, left_at_ms, include)?;
        owned(&to_text(&run_document(&row, task, &shown)?)?)
    };
    Ok((rows.into_iter().map(listed).collect::<Result<_>>()?, last))
}

fn len(payload: &Option<String>) -> usize {
    payload.as_ref().map_or(0, String::len)
}

fn tasks_of(port: &mut dyn Port, open: &[RunKey]) -> Result<HashMap<RunKey, Task>> {
    if open.is_empty() {
        return Ok(HashMap::new());
    }
    Ok(port.tasks(open)?.into_iter().map(|task| (task.run_key, task)).collect())
}

/// Returns the document of a run that has ended; `None` for one that is open.
pub fn run_get_ended(port: &mut dyn Port, run_id: &str) -> Result<Option<String>> {
    let run_key = find(port, run_id)?;
    if port.task(run_key)?.is_some() { Ok(None) } else { run_get(port, run_id).map(Some) }
}

/// Returns one page of a run's history: up to `limit` attempts, steps, signals, children and events
/// together, and the cursor of the next page. Cursors hold keys, so they stay valid whatever is added
/// meanwhile (P33).
pub fn run_history(
    port: &mut dyn Port,
    run_id: &str,
    cursor: Option<&str>,
    limit: u32,
) -> Result<String> {
    let (row, task, left_at_ms) = load(port, run_id)?;
    let mut page = Page { left: page_len(limit)?, bytes: EVENT_PAGE_BYTES, has_more: false };
    let from = cursor.map_or(Ok(Cursor::default()), Cursor::parse)?;
    let run_key = row.run_key;
    let attempts = page.take(|limit| port.attempts_after(run_key, from.attempt, limit))?;
    let live = task.as_ref().filter(|task| task.state == TaskState::Running);
    // Shown once: the cursor goes past its number. It is a row of the page as the others are.
    let live = live.filter(|task| from.attempt < task.fence);
    let live = page.take(|_| Ok(live.into_iter().collect()))?.pop();
    let of_step = |(_, _, step): &(i64, StepKind, StepRow)| len(&step.result) + len(&step.error);
    let steps = page.take_payloads(of_step, |limit, bytes| {
        port.steps_after(run_key, from.step, limit, bytes)
    })?;
    let of_signal = |signal: &SignalRow| len(&signal.payload);
    let signals = page.take_payloads(of_signal, |limit, bytes| {
        port.signals_after(run_key, from.signal, limit, bytes)
    })?;
    let children = page.take(|limit| port.child_rows_after(run_key, from.child, limit))?;
    let of_event = |event: &EventRow| event.payload.len();
    let events = page.take_payloads(of_event, |limit, bytes| {
        let (run_key, after_seq) = (Some(run_key), from.event);
        let filter = EventFilter { run_key, after_seq, limit, bytes, ..EventFilter::default() };
        let numbered = port.events_number()?;
        port.events(numbered, &filter)
    })?;
    let to = Cursor {
        attempt: live
            .map(|task| task.fence)
            .or(attempts.last().map(|attempt| attempt.number))
            .unwrap_or(from.attempt),
        step: steps.last().map_or(from.step, |(key, ..)| *key),
        signal: signals.last().map_or(from.signal, |signal| signal.signal_key),
        child: children.last().map_or(from.child, |child| child.run_key),
        event: events.last().map_or(from.event, |event| event.seq),
    };
    let shown = Shown::load(port, &row, task.as_ref(), left_at_ms, Include::ALL)?;
    let mut attempt_documents =
        attempts.iter().map(|a| attempt_document(&row, a)).collect::<Result<Vec<_>>>()?;
    if let Some(task) = live {
        attempt_documents.push(live_attempt(row.run_id, task));
    }
    let open = children.iter().filter(|child| child.outcome.is_none());
    let tasks = tasks_of(port, &open.map(|child| child.run_key).collect::<Vec<_>>())?;
    let state = |child: &RunRow| run_state(child, tasks.get(&child.run_key));
    document(&HistoryDocument {
        run: run_document(&row, task.as_ref(), &shown)?,
        attempts: attempt_documents,
        steps: steps.iter().map(|s| step_document(row.run_id, s)).collect::<Result<Vec<_>>>()?,
        signals: signals
            .iter()
            .map(|s| signal_document(row.run_id, s))
            .collect::<Result<Vec<_>>>()?,
        children: children.iter().map(|child| child_document(child, state(child))).collect(),
        events: events.iter().map(event::document).collect::<Result<Vec<_>>>()?,
        next: page.has_more.then(|| to.write()),
    })
}

fn signal_document(run_id: Id, signal: &SignalRow) -> Result<SignalDocument<'_>> {
    let taker =
        |(name, occurrence): &(String, u32)| step_id(run_id, StepKind::Await, name, *occurrence);
    Ok(SignalDocument {
        name: &signal.name,
        payload: signal.payload.as_deref().map(stored).transpose()?,
        sent_at_ms: signal.sent_at_ms,
        consumed: signal.is_consumed,
        consumed_by: signal.taker.as_ref().map(taker),
    })
}

fn child_document<'row>(child: &'row RunRow, state: &'static str) -> ChildDocument<'row> {
    ChildDocument {
        run_id: id::write("run", child.run_id),
        workflow: &child.workflow,
        state,
        created_at_ms: child.created_at_ms,
        finished_at_ms: child.finished_at_ms,
    }
}

/// What is left of a page while its sections are filled, one after the other.
struct Page {
    left: u32,
    /// Of payloads.
    bytes: usize,
    has_more: bool,
}

impl Page {
    /// Fills the next section; a section that is cut leaves the later ones to the next page.
    fn take<Row>(&mut self, mut rows: impl FnMut(u32) -> Result<Vec<Row>>) -> Result<Vec<Row>> {
        if self.has_more {
            return Ok(Vec::new());
        }
        let mut rows = rows(self.left + 1)?;
        self.has_more = rows.len() > self.left as usize;
        rows.truncate(self.left as usize);
        self.left -= u32::try_from(rows.len()).unwrap_or(self.left);
        Ok(rows)
    }

    /// Does so with a section that is cut as well after as many bytes of payloads as are left.
    fn take_payloads<Row>(
        &mut self,
        bytes_of: impl Fn(&Row) -> usize,
        mut rows: impl FnMut(u32, usize) -> Result<Vec<Row>>,
    ) -> Result<Vec<Row>> {
        let bytes = self.bytes;
        let rows = self.take(|limit| rows(limit, bytes))?;
        self.bytes = bytes.saturating_sub(rows.iter().map(bytes_of).sum());
        self.has_more |= self.bytes == 0;
        Ok(rows)
    }
}

/// What a run's document shows beside its rows.
struct Shown {
    include: Include,
    updated_at_ms: i64,
    waiting_for: Option<Vec<WaitingDocument>>,
    last_error: Option<String>,
}

impl Shown {
    fn load(
        port: &mut dyn Port,
        row: &RunRow,
        task: Option<&Task>,
        left_at_ms: Option<i64>,
        include: Include,
    ) -> Result<Shown> {
        let updated_at_ms = updated_at_ms(row, task, left_at_ms);
        let waiting = task.filter(|task| include.waiting_for && task.state == TaskState::Waiting);
        let waiting_for = waiting.map(|task| waiting_for(port, task)).transpose()?;
        let failed = task.filter(|_| include.error);
        let last_error = failed.map(|task| port.last_error(task.run_key)).transpose()?.flatten();
        Ok(Shown { include, updated_at_ms, waiting_for, last_error })
    }
}

/// An entry of `waiting_for`.
#[derive(Serialize)]
#[serde(untagged)]
enum WaitingDocument {
    Signal { signal: String },
    Room { budget: String, amount: i64 },
    Child { child: String },
    Until { until_ms: i64 },
}

fn waiting_for(port: &mut dyn Port, task: &Task) -> Result<Vec<WaitingDocument>> {
    let waits = port.waits(task.run_key, WAITING_SHOWN_MAX)?;
    let entry = |waiting| match waiting {
        Waiting::Signal(signal) => WaitingDocument::Signal { signal },
        Waiting::Room(budget, amount) => WaitingDocument::Room { budget, amount },
        Waiting::Child(run) => WaitingDocument::Child { child: id::write("run", run) },
    };
    let until = task.wake_at_ms.map(|until_ms| WaitingDocument::Until { until_ms });
    Ok(waits.into_iter().map(entry).chain(until).collect())
}

/// Where a page of history ended, in each of its sections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Cursor {
    attempt: u32,
    step: i64,
    signal: i64,
    child: i64,
    event: i64,
}

impl Cursor {
    fn parse(text: &str) -> Result<Cursor> {
        let rest = text.strip_prefix("h1.").unwrap_or_default();
        let numbers: Option<Vec<i64>> =
            rest.split('.').map(|number| number.parse::<i64>().ok()).collect();
        match numbers.as_deref() {
            Some([attempt, step, signal, child, event]) if u32::try_from(*attempt).is_ok() => {
                Ok(Cursor {
                    attempt: u32::try_from(*attempt).unwrap_or_default(),
                    step: *step,
                    signal: *signal,
                    child: *child,
                    event: *event,
                })
            }
            _ => Err(Error::invalid("cursor is not one that sw_run_history gave as \"next\"")),
        }
    }

    fn write(self) -> String {
        let Cursor { attempt, step, signal, child, event } = self;
        format!("h1.{attempt}.{step}.{signal}.{child}.{event}")
    }
}

/// Returns a run, its task while it is open, and when its newest attempt ended, if it did.
fn load(port: &mut dyn Port, run_id: &str) -> Result<(RunRow, Option<Task>, Option<i64>)> {
    let row = find_row(port, run_id)?;
    let task = port.task(row.run_key)?;
    let left = if task.is_some() { port.attempts_left(&[row.run_key])? } else { Vec::new() };
    Ok((row, task, left.first().map(|(_, at_ms)| *at_ms)))
}

fn updated_at_ms(row: &RunRow, task: Option<&Task>, left_at_ms: Option<i64>) -> i64 {
    match task {
        None => row.finished_at_ms.unwrap_or(row.created_at_ms),
        Some(task) if task.state == TaskState::Running => task.claimed_at_ms,
        Some(_) => left_at_ms.unwrap_or(row.created_at_ms),
    }
}

fn run_document<'row>(
    row: &'row RunRow,
    task: Option<&Task>,
    shown: &'row Shown,
) -> Result<RunDocument<'row>> {
    let counted = |ended: Option<u32>, open: Option<u32>| ended.or(open).unwrap_or(0);
    let large = |is_asked: bool, text: &'row Option<String>| {
        is_asked.then(|| text.as_deref().map(stored).transpose()).transpose()
    };
    let include = shown.include;
    let state = run_state(row, task);
    Ok(RunDocument {
        run_id: id::write("run", row.run_id),
        task_id: id::write("task", row.run_id),
        root_run_id: id::write("run", row.root_run_id),
        parent_run_id: row.parent_run_id.map(|parent| id::write("run", parent)),
        workflow: &row.workflow,
        queue: &row.queue,
        state,
        priority: row.priority,
        args: large(include.args, &row.args)?,
        result: large(include.result, &row.result)?,
        error: large(include.error, &row.error)?,
        attempts: counted(row.attempts, task.map(|task| task.fence)),
        tries: counted(row.tries, task.map(Task::tries)),
        max_tries: row.max_tries.unwrap_or(RUN_TRIES_DEFAULT),
        run_at_ms: row.run_at_ms.unwrap_or(row.created_at_ms),
        created_at_ms: row.created_at_ms,
        updated_at_ms: shown.updated_at_ms,
        finished_at_ms: row.finished_at_ms,
        metadata: large(include.metadata, &row.metadata)?,
        code_version: Some(row.code_version.as_str()).filter(|version| !version.is_empty()),
        waiting_for: include.waiting_for.then_some(shown.waiting_for.as_deref()),
        cancel_asked: task.is_some_and(|task| task.is_cancel_asked),
        pause_asked: task.is_some_and(|task| task.is_pause_asked),
        last_error: large(include.error, &shown.last_error)?,
        due_at_ms: task.filter(|_| state == "pending").map(|task| task.due_at_ms),
    })
}

/// Names the state of a run.
pub(super) fn run_state(row: &RunRow, task: Option<&Task>) -> &'static str {
    state_of(row.outcome, task.map(|task| task.state)).name()
}

/// Returns the state of a run that ended so, or whose task stands there.
pub(super) fn state_of(outcome: Option<Outcome>, task: Option<TaskState>) -> RunState {
    match (outcome, task) {
        (Some(Outcome::Completed), _) => RunState::Completed,
        (Some(Outcome::Failed), _) => RunState::Failed,
        (Some(Outcome::Cancelled), _) => RunState::Cancelled,
        (None, Some(TaskState::Running)) => RunState::Running,
        (None, Some(TaskState::Waiting)) => RunState::Waiting,
        (None, Some(TaskState::Paused)) => RunState::Paused,
        (None, Some(TaskState::Delayed | TaskState::Ready | TaskState::Blocked) | None) => {
            RunState::Pending
        }
    }
}

fn attempt_document<'row>(
    run: &'row RunRow,
    attempt: &'row EndedAttempt,
) -> Result<AttemptDocument<'row>> {
    // The error of a run that failed for good stands in the run's row alone.
    let is_last = matches!(attempt.ended, Ended::Failed | Ended::TimedOut);
    let of_run = run.error.as_deref().filter(|_| is_last);
    Ok(AttemptDocument {
        attempt_id: attempt_id(run.run_id, attempt.number, attempt.started_at_ms),
        number: attempt.number,
        worker: attempt.worker.as_deref(),
        state: match attempt.ended {
            Ended::Completed => "completed",
            Ended::Failed | Ended::Retried | Ended::TimedOut => "failed",
            Ended::Released => "released",
            Ended::Suspended => "suspended",
            Ended::Lost => "lost",
            Ended::Cancelled => "cancelled",
        },
        started_at_ms: attempt.started_at_ms,
        ended_at_ms: Some(attempt.ended_at_ms),
        error: attempt.error.as_deref().or(of_run).map(stored).transpose()?,
    })
}

fn live_attempt(run_id: Id, task: &Task) -> AttemptDocument<'_> {
    AttemptDocument {
        attempt_id: attempt_id(run_id, task.fence, task.claimed_at_ms),
        number: task.fence,
        worker: task.worker.as_deref(),
        state: "running",
        started_at_ms: task.claimed_at_ms,
        ended_at_ms: None,
        error: None,
    }
}

fn step_document(
    run_id: Id,
    (_, kind, row): &(i64, StepKind, StepRow),
) -> Result<StepDocument<'_>> {
    let has_ended = !matches!(row.facts.state, StepState::Started | StepState::Asked);
    Ok(StepDocument {
        step_id: step_id(run_id, *kind, &row.name, row.occurrence),
        name: &row.name,
        occurrence: row.occurrence,
        kind: row.label.as_deref().unwrap_or(match kind {
            StepKind::Step => "step",
            StepKind::Sleep => "sleep",
            StepKind::Await => "await",
            StepKind::Child => "child_submit",
        }),
        state: match row.facts.state {
            StepState::Started => "running",
            StepState::Done => "completed",
            StepState::Failed => "failed",
            StepState::BacksOff => "backing_off",
            StepState::TimedOut => "timed_out",
            StepState::Asked => "waiting",
        },
        tries: row.facts.tries,
        input_hash: row.facts.input_hash.as_ref().map(hex),
        // Of an ask that is not answered the result column holds its deadlines.
        result: row
            .result
            .as_deref()
            .filter(|_| row.facts.state != StepState::Asked)
            .map(stored)
            .transpose()?,
        error: row.error.as_deref().map(stored).transpose()?,
        started_at_ms: row.started_at_ms,
        ended_at_ms: has_ended.then_some(row.started_at_ms.saturating_add(row.took_ms)),
    })
}

/// Returns the id of an attempt: computed from its run, number and start, so that it needs no column.
pub fn attempt_id(run_id: Id, number: u32, started_at_ms: i64) -> String {
    let parts: [&[u8]; 2] = [&run_id.to_bytes(), &number.to_le_bytes()];
    id::write("attempt", id::derive(started_at_ms, &parts))
}

/// Returns the id of a step: computed from its run, name and occurrence, so that it is the same in
/// every attempt and serves as an idempotency key towards the outside.
pub fn step_id(run_id: Id, kind: StepKind, name: &str, occurrence: u32) -> String {
    let parts: [&[u8]; 4] =
        [&run_id.to_bytes(), &[kind as u8], name.as_bytes(), &occurrence.to_le_bytes()];
    let made_at_ms = i64::try_from(run_id.timestamp_ms()).unwrap_or(0);
    id::write("step", id::derive(made_at_ms, &parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_as_written_and_nothing_else_does() {
        let cursor = Cursor { attempt: 7, step: 1 << 40, signal: 3, child: 9, event: 4 };
        assert_eq!(Cursor::parse(&cursor.write()).unwrap(), cursor);
        for bad in
            ["", "h1.", "h1.1", "h2.1.1.1.1.1", "h1.1.1.1.1", "h1.-1.0.0.0.0", "h1.1.x.0.0.0"]
        {
            assert_eq!(Cursor::parse(bad).unwrap_err().code(), -2, "{bad}");
        }
    }

    #[test]
    fn a_step_keeps_its_id_and_another_occurrence_has_another() {
        let run = Id::from_bytes([7; 16]);
        let first = step_id(run, StepKind::Step, "a", 1);
        assert_eq!(first, step_id(run, StepKind::Step, "a", 1));
        assert_ne!(first, step_id(run, StepKind::Step, "a", 2));
        assert!(first.starts_with("step_") && first.len() == 31, "{first}");
    }
}
