//! The documents that show what happened: a run, and its history page by page.

use serde::Serialize;
use serde_json::value::RawValue;

use super::port::{
    Ended, EndedAttempt, LaneKey, Outcome, Port, RunKey, StepKind, StepRow, StepState, Task,
    TaskState,
};
use crate::error::{Error, Result};
use crate::id::{self, Id};
use crate::json::hex;
use crate::limits::{PAGE_LEN_DEFAULT, PAGE_LEN_MAX, RUN_TRIES_DEFAULT};

/// A run's row as documents need it.
#[derive(Debug, Clone)]
pub struct RunRow {
    /// Key.
    pub run_key: RunKey,
    /// Public id.
    pub run_id: Id,
    /// Public id of the topmost run.
    pub root_run_id: Id,
    /// Public id of the run that submitted it.
    pub parent_run_id: Option<Id>,
    /// Lane it queues or queued in.
    pub lane_key: LaneKey,
    /// Queue.
    pub queue: String,
    /// Workflow.
    pub workflow: String,
    /// '' when none was named.
    pub code_version: String,
    /// How it ended, if it did.
    pub outcome: Option<Outcome>,
    /// Lower goes first.
    pub priority: i32,
    /// Tries before it fails, if named.
    pub max_attempts: Option<u32>,
    /// Attempts of an ended run.
    pub attempts: Option<u32>,
    /// Tries of an ended run.
    pub tries: Option<u32>,
    /// When it was submitted.
    pub created_at_ms: i64,
    /// When it was to begin, if named.
    pub run_at_ms: Option<i64>,
    /// When it ended.
    pub finished_at_ms: Option<i64>,
    /// JSON.
    pub args: Option<String>,
    /// JSON.
    pub result: Option<String>,
    /// JSON.
    pub error: Option<String>,
    /// JSON.
    pub metadata: Option<String>,
}

/// Reading what documents show.
pub trait QueryPort {
    /// Returns a run's row.
    fn run_row(&mut self, run_id: Id) -> Result<Option<RunRow>>;
    /// Returns up to `limit` ended attempts with a number above `after`, in order.
    fn attempts_after(
        &mut self,
        run_key: RunKey,
        after: u32,
        limit: u32,
    ) -> Result<Vec<EndedAttempt>>;
    /// Returns up to `limit` steps with a key above `after`, in the order they were first recorded.
    fn steps_after(
        &mut self,
        run_key: RunKey,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, StepKind, StepRow)>>;
}

/// A run as users see it. Keys are only ever added.
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
    args: Option<&'row RawValue>,
    result: Option<&'row RawValue>,
    error: Option<&'row RawValue>,
    attempts: u32,
    tries: u32,
    max_attempts: u32,
    run_at_ms: i64,
    created_at_ms: i64,
    updated_at_ms: i64,
    finished_at_ms: Option<i64>,
    metadata: Option<&'row RawValue>,
    code_version: Option<&'row str>,
    waiting_for: Option<&'row RawValue>,
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
struct HistoryDocument<'row> {
    run: RunDocument<'row>,
    attempts: Vec<AttemptDocument<'row>>,
    steps: Vec<StepDocument<'row>>,
    signals: [(); 0],
    children: [(); 0],
    events: [(); 0],
    next: Option<String>,
}

/// Returns a run's document.
pub fn run_get(port: &mut dyn Port, run_id: &str) -> Result<String> {
    let (row, task) = load(port, run_id)?;
    let updated_at_ms = updated_at_ms(port, &row, task.as_ref())?;
    to_text(&run_document(&row, task.as_ref(), updated_at_ms)?)
}

/// Returns one page of a run's history: up to `limit` attempts and steps together, and the cursor of
/// the next page. Cursors hold keys, so they stay valid whatever is added meanwhile (P33).
pub fn run_history(
    port: &mut dyn Port,
    run_id: &str,
    cursor: Option<&str>,
    limit: u32,
) -> Result<String> {
    let limit = page_len(limit)?;
    let (row, task) = load(port, run_id)?;
    let from = cursor.map_or(Ok(Cursor::default()), Cursor::parse)?;
    let attempts = port.attempts_after(row.run_key, from.attempt, limit + 1)?;
    let (attempts, has_more_attempts) = cut(attempts, limit);
    let left = limit - len_u32(&attempts);
    let steps = port.steps_after(row.run_key, from.step, left + 1)?;
    let (steps, has_more_steps) = cut(steps, left);
    let to = Cursor {
        attempt: attempts.last().map_or(from.attempt, |attempt| attempt.number),
        step: steps.last().map_or(from.step, |(key, ..)| *key),
    };
    let updated_at_ms = updated_at_ms(port, &row, task.as_ref())?;
    let mut attempt_documents =
        attempts.iter().map(|a| attempt_document(row.run_id, a)).collect::<Result<Vec<_>>>()?;
    if let Some(task) = task.as_ref().filter(|t| t.state == TaskState::Running)
        && !has_more_attempts
        && from.attempt < task.fence
    {
        attempt_documents.push(live_attempt(row.run_id, task));
    }
    to_text(&HistoryDocument {
        run: run_document(&row, task.as_ref(), updated_at_ms)?,
        attempts: attempt_documents,
        steps: steps.iter().map(|s| step_document(row.run_id, s)).collect::<Result<Vec<_>>>()?,
        signals: [],
        children: [],
        events: [],
        next: (has_more_attempts || has_more_steps).then(|| to.write()),
    })
}

fn page_len(limit: u32) -> Result<u32> {
    match limit {
        0 => Ok(PAGE_LEN_DEFAULT),
        1..=PAGE_LEN_MAX => Ok(limit),
        _ => Err(Error::invalid(format!(
            "limit is {limit}, it must be 1 to {PAGE_LEN_MAX}, or 0 for {PAGE_LEN_DEFAULT}"
        ))),
    }
}

/// Where a page of history ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Cursor {
    attempt: u32,
    step: i64,
}

impl Cursor {
    fn parse(text: &str) -> Result<Cursor> {
        let fields = text.strip_prefix("h1.").and_then(|rest| rest.split_once('.'));
        fields
            .and_then(|(attempt, step)| {
                Some(Cursor { attempt: attempt.parse().ok()?, step: step.parse().ok()? })
            })
            .ok_or_else(|| Error::invalid("cursor is not one that sw_run_history gave as \"next\""))
    }

    fn write(self) -> String {
        format!("h1.{}.{}", self.attempt, self.step)
    }
}

fn cut<Row>(mut rows: Vec<Row>, limit: u32) -> (Vec<Row>, bool) {
    let has_more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    (rows, has_more)
}

fn len_u32<Row>(rows: &[Row]) -> u32 {
    u32::try_from(rows.len()).unwrap_or(u32::MAX)
}

fn load(port: &mut dyn Port, run_id: &str) -> Result<(RunRow, Option<Task>)> {
    let not_found = || Error::NotFound(format!("no run has the id {run_id:?}").into());
    let id = id::parse("run", run_id).ok_or_else(not_found)?;
    let row = port.run_row(id)?.ok_or_else(not_found)?;
    let task = port.task(row.run_key)?;
    Ok((row, task))
}

fn updated_at_ms(port: &mut dyn Port, row: &RunRow, task: Option<&Task>) -> Result<i64> {
    let Some(task) = task else { return Ok(row.finished_at_ms.unwrap_or(row.created_at_ms)) };
    if task.state == TaskState::Running {
        return Ok(task.claimed_at_ms);
    }
    let last = port.attempt_ended(row.run_key, task.fence)?;
    Ok(last.map_or(row.created_at_ms, |attempt| attempt.ended_at_ms))
}

fn run_document<'row>(
    row: &'row RunRow,
    task: Option<&Task>,
    updated_at_ms: i64,
) -> Result<RunDocument<'row>> {
    let counted = |ended: Option<u32>, open: Option<u32>| ended.or(open).unwrap_or(0);
    Ok(RunDocument {
        run_id: id::write("run", row.run_id),
        task_id: id::write("task", row.run_id),
        root_run_id: id::write("run", row.root_run_id),
        parent_run_id: row.parent_run_id.map(|parent| id::write("run", parent)),
        workflow: &row.workflow,
        queue: &row.queue,
        state: run_state(row, task),
        priority: row.priority,
        args: payload(row.args.as_deref())?,
        result: payload(row.result.as_deref())?,
        error: payload(row.error.as_deref())?,
        attempts: counted(row.attempts, task.map(|task| task.fence)),
        tries: counted(row.tries, task.map(Task::tries)),
        max_attempts: row.max_attempts.unwrap_or(RUN_TRIES_DEFAULT),
        run_at_ms: row.run_at_ms.unwrap_or(row.created_at_ms),
        created_at_ms: row.created_at_ms,
        updated_at_ms,
        finished_at_ms: row.finished_at_ms,
        metadata: payload(row.metadata.as_deref())?,
        code_version: Some(row.code_version.as_str()).filter(|version| !version.is_empty()),
        waiting_for: None,
    })
}

fn run_state(row: &RunRow, task: Option<&Task>) -> &'static str {
    match (row.outcome, task.map(|task| task.state)) {
        (Some(Outcome::Completed), _) => "completed",
        (Some(Outcome::Failed), _) => "failed",
        (Some(Outcome::Cancelled), _) => "cancelled",
        (None, Some(TaskState::Running)) => "running",
        (None, Some(TaskState::Waiting)) => "waiting",
        (None, Some(TaskState::Paused)) => "paused",
        (None, Some(TaskState::Delayed | TaskState::Ready | TaskState::Blocked) | None) => {
            "pending"
        }
    }
}

fn attempt_document(run_id: Id, attempt: &EndedAttempt) -> Result<AttemptDocument<'_>> {
    Ok(AttemptDocument {
        attempt_id: attempt_id(run_id, attempt.number, attempt.started_at_ms),
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
        error: payload(attempt.error.as_deref())?,
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
    Ok(StepDocument {
        step_id: step_id(run_id, *kind, &row.name, row.occurrence),
        name: &row.name,
        occurrence: row.occurrence,
        kind: row.label.as_deref().unwrap_or(match kind {
            StepKind::Step => "step",
        }),
        state: match row.state {
            StepState::Started => "running",
            StepState::Done => "completed",
            StepState::Failed => "failed",
            StepState::BacksOff => "backing_off",
        },
        tries: row.tries,
        input_hash: row.input_hash.as_ref().map(hex),
        result: payload(row.result.as_deref())?,
        error: payload(row.error.as_deref())?,
        started_at_ms: row.started_at_ms,
        ended_at_ms: (row.state != StepState::Started).then_some(row.started_at_ms + row.took_ms),
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

/// Returns a stored payload as a value to embed: it was checked on its way in.
fn payload(json: Option<&str>) -> Result<Option<&RawValue>> {
    json.map(|json| {
        serde_json::from_str(json).map_err(|error| {
            Error::Corrupt(format!("a stored payload is not JSON: {error}").into())
        })
    })
    .transpose()
}

fn to_text<Document: Serialize>(document: &Document) -> Result<String> {
    serde_json::to_string(document)
        .map_err(|error| Error::internal(format!("a document could not be written: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_as_written_and_nothing_else_does() {
        let cursor = Cursor { attempt: 7, step: 1 << 40 };
        assert_eq!(Cursor::parse(&cursor.write()).unwrap(), cursor);
        for bad in ["", "h1.", "h1.1", "h2.1.1", "h1.-1.0", "h1.1.x"] {
            assert_eq!(Cursor::parse(bad).unwrap_err().code(), -2, "{bad}");
        }
    }

    #[test]
    fn a_page_has_1_to_10000_items() {
        assert_eq!(page_len(0).unwrap(), 1_000);
        assert_eq!(page_len(10_000).unwrap(), 10_000);
        assert!(page_len(10_001).unwrap_err().to_string().contains("10001"));
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
