//! The document that shows a tree.

use serde::ser::{Serialize, SerializeSeq, SerializeStruct, Serializer};

use super::tree::{
    ENDS, FORMAT, OUTCOMES, Origin, RESERVATION_STATES, Redaction, Reserved, Run, SOURCES,
    STEP_KINDS, STEP_STATES, Spent, Step, TASK_STATES, Tree, word_of,
};
use crate::domain::output::Document;
use crate::domain::port::{
    Balance, CarriedEvent, CarriedSignal, CarriedTarget, EndedAttempt, Task,
};
use crate::id::{self, Id};
use crate::json::{self, hex};

/// A tree as a document shows it, with or without its payloads.
pub(super) struct Shown<'tree> {
    pub(super) tree: &'tree Tree,
    pub(super) store_id: &'tree [u8],
    pub(super) origin: &'tree Origin,
    pub(super) redaction: Option<&'tree Redaction>,
}

impl Document for Shown<'_> {
    const SHAPE: &'static str = "carried_tree";
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Shown { tree, origin, redaction, .. } = self;
        let hide = Hide(*redaction);
        let mut document = serializer.serialize_struct("tree", 9)?;
        document.serialize_field("format", &FORMAT)?;
        document.serialize_field("schema_version", &origin.schema_version)?;
        document.serialize_field("library_version", origin.library_version)?;
        document.serialize_field("store_id", &hex_of(self.store_id))?;
        document.serialize_field("exported_at_ms", &origin.exported_at_ms)?;
        document.serialize_field("redacted", &redaction.is_some())?;
        document.serialize_field("runs", &Rows(&tree.runs, |run| hide.run(run)))?;
        document.serialize_field("events", &Rows(&tree.events, |event| hide.event(event)))?;
        document.serialize_field("units", &Rows(&tree.units, unit))?;
        document.end()
    }
}

/// Rows that are shown one by one, so that no second tree is built beside the first.
struct Rows<'row, Row, Show>(&'row [Row], Show);

impl<'row, Row, Show, Said> Serialize for Rows<'row, Row, Show>
where
    Show: Fn(&'row Row) -> Said,
    Said: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.0.len()))?;
        self.0.iter().try_for_each(|row| rows.serialize_element(&(self.1)(row)))?;
        rows.end()
    }
}

/// How what is the host's own is shown.
#[derive(Clone, Copy)]
struct Hide<'key>(Option<&'key Redaction>);

/// A text of the host's own: as it is, or how long it is and a hash.
enum Said<'row> {
    Open(&'row str),
    Hidden(Hidden),
}

#[derive(serde::Serialize)]
struct Hidden {
    bytes: usize,
    hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    engine: Option<&'static str>,
}

impl Serialize for Said<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Said::Open(text) => text.serialize(serializer),
            Said::Hidden(hidden) => hidden.serialize(serializer),
        }
    }
}

#[derive(serde::Serialize)]
struct RunShown<'row> {
    run_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_run_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forked_from_run_id: Option<String>,
    workflow: &'row str,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<&'row str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code_version: Option<&'row str>,
    created_at_ms: i64,
    #[serde(skip_serializing_if = "is_zero")]
    run_at_ms: i64,
    #[serde(skip_serializing_if = "is_zero")]
    timeout_ms: i64,
    #[serde(skip_serializing_if = "is_zero")]
    backoff_initial_ms: i64,
    #[serde(skip_serializing_if = "is_zero")]
    backoff_max_ms: i64,
    #[serde(skip_serializing_if = "is_zero")]
    backoff_percent: i64,
    #[serde(skip_serializing_if = "is_zero")]
    priority: i64,
    #[serde(skip_serializing_if = "is_zero")]
    max_tries: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<Said<'row>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_scope: Option<Said<'row>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrency_key: Option<Said<'row>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Said<'row>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Said<'row>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<EndShown<'row>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<TaskShown<'row>>,
    #[serde(skip_serializing_if = "is_false")]
    ending_children: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attempts: Vec<AttemptShown<'row>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<StepShown<'row>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    signals: Vec<SignalShown<'row>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reservations: Vec<ReservedShown<'row>>,
}

#[derive(serde::Serialize)]
struct EndShown<'row> {
    outcome: &'static str,
    finished_at_ms: Option<i64>,
    attempts: u32,
    tries: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Said<'row>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Said<'row>>,
}

#[derive(serde::Serialize)]
struct TaskShown<'row> {
    state: &'static str,
    due_at_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    wake_at_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline_at_ms: Option<i64>,
    attempts: u32,
    failures: u32,
    losses: u32,
    #[serde(skip_serializing_if = "is_false")]
    cancel_asked: bool,
    #[serde(skip_serializing_if = "is_false")]
    timed_out: bool,
    #[serde(skip_serializing_if = "is_false")]
    pause_asked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel_error: Option<Said<'row>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claimed_at_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<Said<'row>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waits: Vec<WaitShown<'row>>,
}

#[derive(serde::Serialize, Default)]
struct WaitShown<'row> {
    #[serde(skip_serializing_if = "Option::is_none")]
    child: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<&'row str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'row str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_ms: Option<i64>,
    #[serde(skip_serializing_if = "is_zero")]
    amount: i64,
}

#[derive(serde::Serialize)]
struct AttemptShown<'row> {
    number: u32,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<Said<'row>>,
    started_at_ms: i64,
    ended_at_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Said<'row>>,
}

#[derive(serde::Serialize)]
struct StepShown<'row> {
    kind: &'static str,
    name: &'row str,
    occurrence: u32,
    state: &'static str,
    tries: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'row str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_hash: Option<String>,
    started_at_ms: i64,
    took_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Said<'row>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Said<'row>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    usage: Vec<SpentShown<'row>>,
}

#[derive(serde::Serialize)]
struct SignalShown<'row> {
    name: &'row str,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<Said<'row>>,
    sent_at_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Said<'row>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    taken_by: Option<NamedShown<'row>>,
}

#[derive(serde::Serialize)]
struct NamedShown<'row> {
    name: &'row str,
    occurrence: u32,
}

#[derive(serde::Serialize)]
struct ReservedShown<'row> {
    attempt: u32,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Said<'row>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    label: &'row str,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<NamedShown<'row>>,
    at_ms: i64,
    amounts: Vec<AmountShown<'row>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    spent: Vec<SpentShown<'row>>,
}

#[derive(serde::Serialize)]
struct AmountShown<'row> {
    unit: &'row str,
    amount: i64,
}

#[derive(serde::Serialize)]
struct SpentShown<'row> {
    source: &'static str,
    unit: &'row str,
    #[serde(skip_serializing_if = "str::is_empty")]
    label: &'row str,
    amount: i64,
    at_ms: i64,
}

#[derive(serde::Serialize)]
struct EventShown<'row> {
    run_id: String,
    r#type: &'row str,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<Said<'row>>,
    at_ms: i64,
    payload: Said<'row>,
}

#[derive(serde::Serialize)]
struct UnitShown<'row> {
    unit: &'row str,
    limit: Option<i64>,
    warn: Option<i64>,
    warned: bool,
    reserved: i64,
    spent: i64,
}

impl Hide<'_> {
    fn text<'row>(&self, text: &'row str) -> Said<'row> {
        match self.0 {
            None => Said::Open(text),
            Some(redaction) => {
                let hash = redaction.hash(text.as_bytes());
                Said::Hidden(Hidden { bytes: text.len(), hash, engine: engine_kind(text) })
            }
        }
    }

    fn given<'row>(&self, text: &'row Option<String>) -> Option<Said<'row>> {
        text.as_deref().map(|text| self.text(text))
    }

    fn run<'row>(&self, run: &'row Run) -> RunShown<'row> {
        let (row, submit) = (&run.row, &run.row.submit);
        RunShown {
            run_id: run_id(row.run_id),
            parent_run_id: row.parent_run_id.map(run_id),
            forked_from_run_id: row.forked_from.map(run_id),
            workflow: &submit.workflow,
            queue: submit.queue.as_deref(),
            code_version: submit.code_version.as_deref(),
            created_at_ms: row.created_at_ms,
            run_at_ms: submit.run_at_ms,
            timeout_ms: submit.timeout_ms,
            backoff_initial_ms: submit.backoff_initial_ms,
            backoff_max_ms: submit.backoff_max_ms,
            backoff_percent: submit.backoff_percent.into(),
            priority: submit.priority.into(),
            max_tries: submit.max_tries.into(),
            idempotency_key: self.given(&submit.idempotency_key),
            idempotency_scope: self.given(&submit.idempotency_scope),
            concurrency_key: self.given(&submit.concurrency_key),
            metadata: self.given(&submit.metadata),
            args: self.given(&submit.args),
            end: self.end(run),
            task: run.task.as_ref().map(|task| self.task(run, task)),
            ending_children: row.is_cascading,
            attempts: run.attempts.iter().map(|attempt| self.attempt(attempt)).collect(),
            steps: run.steps.iter().map(|step| self.step(step)).collect(),
            signals: run.signals.iter().map(|signal| self.signal(signal)).collect(),
            reservations: run.reservations.iter().map(|one| self.reserved(one)).collect(),
        }
    }

    fn end<'row>(&self, run: &'row Run) -> Option<EndShown<'row>> {
        let row = &run.row;
        row.outcome.map(|outcome| EndShown {
            outcome: word_of(OUTCOMES, &outcome),
            finished_at_ms: row.finished_at_ms,
            attempts: row.attempts.unwrap_or(0),
            tries: row.tries.unwrap_or(0),
            result: self.given(&row.result),
            error: self.given(&row.error),
        })
    }

    fn task<'row>(&self, run: &'row Run, task: &'row Task) -> TaskShown<'row> {
        let is_running = run.is_running();
        TaskShown {
            state: word_of(TASK_STATES, &task.state),
            due_at_ms: task.due_at_ms,
            wake_at_ms: task.wake_at_ms,
            deadline_at_ms: task.deadline_at_ms,
            attempts: task.fence,
            failures: task.failures,
            losses: task.losses,
            cancel_asked: task.is_cancel_asked,
            timed_out: task.is_timed_out,
            pause_asked: task.is_pause_asked,
            cancel_error: self.given(&run.row.error),
            claimed_at_ms: is_running.then_some(task.claimed_at_ms),
            worker: self.given(&task.worker).filter(|_| is_running),
            waits: run.waits.iter().map(wait).collect(),
        }
    }

    fn attempt<'row>(&self, attempt: &'row EndedAttempt) -> AttemptShown<'row> {
        AttemptShown {
            number: attempt.number,
            state: word_of(ENDS, &attempt.ended),
            worker: self.given(&attempt.worker),
            started_at_ms: attempt.started_at_ms,
            ended_at_ms: attempt.ended_at_ms,
            error: self.given(&attempt.error),
        }
    }

    fn step<'row>(&self, step: &'row Step) -> StepShown<'row> {
        let row = &step.row;
        // The hash of an input that is easily guessed tells what it was.
        let hash = |hash: &[u8; 16]| match self.0 {
            None => hex(hash),
            Some(redaction) => redaction.hash(hash),
        };
        StepShown {
            kind: word_of(STEP_KINDS, &step.kind),
            name: &row.name,
            occurrence: row.occurrence,
            state: word_of(STEP_STATES, &row.facts.state),
            tries: row.facts.tries,
            retry_at_ms: row.facts.retry_at_ms,
            label: row.label.as_deref(),
            input_hash: row.facts.input_hash.as_ref().map(hash),
            started_at_ms: row.started_at_ms,
            took_ms: row.took_ms,
            result: self.given(&row.result),
            error: self.given(&row.error),
            usage: step.usage.iter().map(spent).collect(),
        }
    }

    fn signal<'row>(&self, signal: &'row CarriedSignal) -> SignalShown<'row> {
        SignalShown {
            name: &signal.name,
            idempotency_key: self.given(&signal.key),
            sent_at_ms: signal.sent_at_ms,
            payload: self.given(&signal.payload),
            taken_by: signal.taker.as_ref().map(named),
        }
    }

    fn reserved<'row>(&self, reserved: &'row Reserved) -> ReservedShown<'row> {
        let amount = |(unit, amount): (&'row String, &i64)| AmountShown { unit, amount: *amount };
        ReservedShown {
            attempt: reserved.attempt,
            state: word_of(RESERVATION_STATES, &reserved.state),
            source: self.given(&reserved.source),
            label: &reserved.label,
            step: reserved.step.as_ref().map(named),
            at_ms: reserved.at_ms,
            amounts: reserved.amounts.iter().map(amount).collect(),
            spent: reserved.spent.iter().map(spent).collect(),
        }
    }

    fn event<'row>(&self, (id, event): &'row (Id, CarriedEvent)) -> EventShown<'row> {
        EventShown {
            run_id: run_id(*id),
            r#type: &event.event_type,
            idempotency_key: self.given(&event.key),
            at_ms: event.at_ms,
            payload: self.text(&event.payload),
        }
    }
}

/// The kinds of errors that the engine makes.
const ENGINE_KINDS: [&str; 6] = ["tries", "lapsed", "timeout", "cancelled", "interrupted", "other"];

/// Returns of which kind an error of the engine's own is: what it says beside that may be the host's.
fn engine_kind(text: &str) -> Option<&'static str> {
    if !json::has_engine_key(text) {
        return None;
    }
    let members = json::document::members(text).unwrap_or_default();
    let said = members.iter().find(|(key, _)| key == json::ENGINE_KEY)?.1;
    let said = json::document::string(said).ok().flatten();
    let known = ENGINE_KINDS.into_iter().find(|kind| said.as_deref() == Some(kind));
    Some(known.unwrap_or("other"))
}

impl Redaction {
    fn hash(&self, bytes: &[u8]) -> String {
        blake3::keyed_hash(&self.key, bytes).to_hex()[..32].to_owned()
    }
}

fn wait<'row>((target, amount): &'row (CarriedTarget, i64)) -> WaitShown<'row> {
    let shown = WaitShown { amount: *amount, ..WaitShown::default() };
    match target {
        CarriedTarget::Child(child) => WaitShown { child: Some(run_id(*child)), ..shown },
        CarriedTarget::Signal(name) => WaitShown { signal: Some(name), ..shown },
        CarriedTarget::Room(unit) => WaitShown { unit: Some(unit), ..shown },
        CarriedTarget::Time(at_ms) => WaitShown { at_ms: Some(*at_ms), ..shown },
    }
}

fn named((name, occurrence): &(String, u32)) -> NamedShown<'_> {
    NamedShown { name, occurrence: *occurrence }
}

fn spent(spent: &Spent) -> SpentShown<'_> {
    SpentShown {
        source: word_of(SOURCES, &spent.source),
        unit: &spent.unit,
        label: &spent.label,
        amount: spent.amount,
        at_ms: spent.at_ms,
    }
}

fn unit((unit, balance): &(String, Balance)) -> UnitShown<'_> {
    UnitShown {
        unit,
        limit: balance.limit,
        warn: balance.warn,
        warned: balance.is_warned,
        reserved: balance.reserved,
        spent: balance.spent,
    }
}

fn run_id(id: Id) -> String {
    id::write("run", id)
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

fn is_false(claim: &bool) -> bool {
    !claim
}
