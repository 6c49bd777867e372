//! Reading a document that anybody may have written: each part strictly, within bounds. Whether the parts
//! agree with each other is for [`super::sound`].

use std::collections::BTreeMap;

use super::parts::{amount, count, hash, id, instant, named, needed, spent, unit, wait};
use super::tree::{
    Bounds, ENDS, FORMAT, OUTCOMES, RESERVATION_STATES, Reserved, Run, STEP_KINDS, STEP_STATES,
    Step, TASK_STATES, Tree, too_many,
};
use crate::domain::input::{
    absent, boolean, check_object, check_payload, check_word, integer_in, object, one_of, present,
    word,
};
use crate::domain::items::set_option;
use crate::domain::port::{
    CarriedEvent, CarriedRun, CarriedSignal, CarriedTarget, EndedAttempt, StepFacts, StepKind,
    StepRow, StepState, Submit, Task, TaskState,
};
use crate::error::{Error, Result};
use crate::id::Id;
use crate::json::{self, document};
use crate::limits::{
    BUDGET_UNITS_MAX, BUDGET_UNITS_OF_TREE_MAX, CARRY_ROWS_MAX, CARRY_RUNS_MAX, DURATION_MS_MAX,
    KEY_BYTES_MAX, NAME_BYTES_MAX, OCCURRENCE_MAX,
};

/// Reads a document.
pub(super) fn tree(text: &str, bounds: Bounds) -> Result<Tree> {
    check_form(text, bounds)?;
    let mut reader = Reader { bounds, rows: 0 };
    let mut tree = Tree::default();
    object(text, |key, value| {
        match key {
            "format" | "schema_version" | "redacted" => {}
            "library_version" | "store_id" => {
                word(key, value, NAME_BYTES_MAX)?;
            }
            "exported_at_ms" => {
                instant(key, value)?;
            }
            "runs" => tree.runs = runs(&mut reader, value)?,
            "events" => tree.events = reader.rows(key, value, Reader::event)?,
            "units" => tree.units = reader.rows(key, value, |_, value| unit(value))?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    if tree.runs.is_empty() {
        return Err(absent("runs"));
    }
    if tree.units.len() > BUDGET_UNITS_OF_TREE_MAX as usize {
        let max = BUDGET_UNITS_OF_TREE_MAX as usize;
        return Err(too_many("units", tree.units.len(), max));
    }
    Ok(tree)
}

/// Looks whether the document is one that this library can read, before it looks at what it does not
/// know.
fn check_form(text: &str, bounds: Bounds) -> Result<()> {
    let members = document::members(text).map_err(|fault| Error::invalid(fault.to_string()))?;
    let member = |name: &str| members.iter().find(|(key, _)| key == name).map(|(_, value)| *value);
    let number = |name: &str| {
        let value = member(name).ok_or_else(|| absent(name))?;
        integer_in(name, value, 1..=i64::MAX)
    };
    let format = number("format")?;
    if format != FORMAT {
        let sentence = format!("format is {format}, this library reads {FORMAT}");
        return Err(Error::Unsupported(sentence.into()));
    }
    let found = number("schema_version")?;
    if found > bounds.schema_version {
        return Err(Error::SchemaNew { found, newest: bounds.schema_version });
    }
    if boolean("redacted", member("redacted").unwrap_or("false"))? {
        return Err(Error::invalid(
            "it was exported with \"redact\": what its runs are to go on with is not in it",
        ));
    }
    Ok(())
}

fn runs(reader: &mut Reader, text: &str) -> Result<Vec<Run>> {
    let items = items("runs", text)?;
    match items.len() {
        0 => Err(Error::invalid("runs is empty, it must begin with the topmost run")),
        len if len > CARRY_RUNS_MAX as usize => Err(too_many("runs", len, CARRY_RUNS_MAX as usize)),
        _ => read_items("runs", &items, |item| reader.run(item)),
    }
}

fn items<'text>(what: &str, text: &'text str) -> Result<Vec<&'text str>> {
    document::items(text).map_err(|fault| fault.of(what))
}

fn read_items<T>(
    what: &str,
    items: &[&str],
    mut read: impl FnMut(&str) -> Result<T>,
) -> Result<Vec<T>> {
    let read = |(at, item): (usize, &&str)| {
        read(item).map_err(|error| error.within(&format!("{what}[{at}]")))
    };
    items.iter().enumerate().map(read).collect()
}

/// What is read so far, beside its bounds.
struct Reader {
    bounds: Bounds,
    /// Rows of all kinds but runs.
    rows: usize,
}

impl Reader {
    /// Takes a list apart, which may be empty.
    fn listed<'text>(&mut self, what: &str, text: &'text str) -> Result<Vec<&'text str>> {
        let items = items(what, text)?;
        self.rows += items.len();
        if self.rows > CARRY_ROWS_MAX {
            let what = "attempts, steps, signals, events and the like";
            return Err(too_many(what, self.rows, CARRY_ROWS_MAX));
        }
        Ok(items)
    }

    /// Reads a list.
    fn rows<T>(
        &mut self,
        what: &str,
        text: &str,
        mut read: impl FnMut(&Reader, &str) -> Result<T>,
    ) -> Result<Vec<T>> {
        let items = self.listed(what, text)?;
        read_items(what, &items, |item| read(self, item))
    }

    /// Reads JSON of the host's own.
    fn payload(&self, what: &str, value: &str) -> Result<Option<String>> {
        let text = self.json(what, value)?;
        text.as_deref().map_or(Ok(()), |text| check_payload(what, text))?;
        Ok(text)
    }

    /// Reads JSON that the engine may have made.
    fn json(&self, what: &str, value: &str) -> Result<Option<String>> {
        let Some(value) = present(value) else { return Ok(None) };
        let text = document::string(value).map_err(|fault| fault.of(what))?;
        let text = text.ok_or_else(|| Error::invalid(format!("{what} is no string of JSON")))?;
        let (len, max) = (text.len(), self.bounds.payload_bytes_max);
        if len > max {
            let sentence = format!("{what} has {len} bytes, at most {max} are allowed");
            return Err(Error::TooBig(sentence.into()));
        }
        json::check(&text).map_err(|fault| fault.of(&format!("the JSON in {what}")))?;
        Ok(Some(text.into_owned()))
    }

    fn run(&mut self, text: &str) -> Result<Run> {
        let mut run = new_run();
        let (mut run_id, mut created_at_ms, mut error) = (None, None, None);
        object(text, |key, value| {
            match key {
                "run_id" => run_id = id(key, value)?,
                "parent_run_id" => run.row.parent_run_id = id(key, value)?,
                "forked_from_run_id" => run.row.forked_from = id(key, value)?,
                "created_at_ms" => created_at_ms = Some(instant(key, value)?),
                "ending_children" => run.row.is_cascading = boolean(key, value)?,
                "end" => self.end(&mut run.row, value).map_err(|error| error.within(key))?,
                "task" => {
                    let task = self.task(&mut run.waits, value);
                    let (task, cancel_error) = task.map_err(|error| error.within(key))?;
                    (run.task, error) = (Some(task), cancel_error);
                }
                "attempts" => run.attempts = self.rows(key, value, Reader::attempt)?,
                "steps" => run.steps = steps(self, value)?,
                "signals" => run.signals = self.rows(key, value, Reader::signal)?,
                "reservations" => run.reservations = reservations(self, value)?,
                _ => return self.submitted(&mut run.row.submit, key, value),
            }
            Ok(true)
        })?;
        run.row.run_id = run_id.ok_or_else(|| absent("run_id"))?;
        run.row.created_at_ms = created_at_ms.ok_or_else(|| absent("created_at_ms"))?;
        if run.task.is_some() == run.row.outcome.is_some() {
            return Err(Error::invalid("it must have either a task or an end, and not both"));
        }
        run.row.error = run.row.error.take().or(error);
        check_submit(&run.row.submit)?;
        if let Some(task) = &mut run.task {
            task.priority = run.row.submit.priority;
            task.gate.clone_from(&run.row.submit.concurrency_key);
        }
        Ok(run)
    }

    /// Takes what a run was submitted with, by the names that submits of many have.
    fn submitted(&self, submit: &mut Submit, key: &str, value: &str) -> Result<bool> {
        match key {
            "metadata" => submit.metadata = self.json(key, value)?,
            "args" => submit.args = self.payload(key, value)?,
            _ => return set_option(submit, key, value),
        }
        Ok(true)
    }

    fn end(&self, row: &mut CarriedRun, text: &str) -> Result<()> {
        object(text, |key, value| {
            match key {
                "outcome" => row.outcome = one_of(key, value, OUTCOMES)?,
                "finished_at_ms" => row.finished_at_ms = Some(instant(key, value)?),
                "attempts" => row.attempts = Some(count(key, value)?),
                "tries" => row.tries = Some(count(key, value)?),
                "result" => row.result = self.payload(key, value)?,
                "error" => row.error = self.json(key, value)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        needed("outcome", row.outcome)?;
        needed("finished_at_ms", row.finished_at_ms)?;
        needed("attempts", row.attempts)?;
        needed("tries", row.tries).map(|_| ())
    }

    /// Reads a task, and the error that its run is to end with.
    fn task(
        &mut self,
        waits: &mut Vec<(CarriedTarget, i64)>,
        text: &str,
    ) -> Result<(Task, Option<String>)> {
        let mut task = Task::new(0, 0);
        let (mut state, mut due_at_ms, mut claimed_at_ms) = (None, None, None);
        let mut error = None;
        object(text, |key, value| {
            match key {
                "state" => state = one_of(key, value, TASK_STATES)?,
                "due_at_ms" => due_at_ms = Some(instant(key, value)?),
                "wake_at_ms" => task.wake_at_ms = Some(instant(key, value)?),
                "deadline_at_ms" => task.deadline_at_ms = Some(instant(key, value)?),
                "attempts" => task.fence = count(key, value)?,
                "failures" => task.failures = count(key, value)?,
                "losses" => task.losses = count(key, value)?,
                "cancel_asked" => task.is_cancel_asked = boolean(key, value)?,
                "timed_out" => task.is_timed_out = boolean(key, value)?,
                "pause_asked" => task.is_pause_asked = boolean(key, value)?,
                "cancel_error" => error = self.json(key, value)?,
                "claimed_at_ms" => claimed_at_ms = Some(instant(key, value)?),
                "worker" => task.worker = word(key, value, NAME_BYTES_MAX)?,
                "waits" => *waits = self.rows(key, value, |_, value| wait(value))?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        task.state = needed("state", state)?;
        task.due_at_ms = needed("due_at_ms", due_at_ms)?;
        if task.state == TaskState::Running {
            task.claimed_at_ms = needed("claimed_at_ms", claimed_at_ms)?;
        } else if claimed_at_ms.is_some() || task.worker.is_some() {
            return Err(Error::invalid("it is claimed and does not run"));
        }
        Ok((task, error))
    }

    fn attempt(&self, text: &str) -> Result<EndedAttempt> {
        let (mut number, mut ended, mut started_at_ms, mut ended_at_ms) = (None, None, None, None);
        let (mut worker, mut error) = (None, None);
        object(text, |key, value| {
            match key {
                "number" => number = Some(count(key, value)?),
                "state" => ended = one_of(key, value, ENDS)?,
                "worker" => worker = word(key, value, NAME_BYTES_MAX)?,
                "started_at_ms" => started_at_ms = Some(instant(key, value)?),
                "ended_at_ms" => ended_at_ms = Some(instant(key, value)?),
                "error" => error = self.json(key, value)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(EndedAttempt {
            number: needed("number", number)?,
            ended: needed("state", ended)?,
            worker,
            started_at_ms: needed("started_at_ms", started_at_ms)?,
            ended_at_ms: needed("ended_at_ms", ended_at_ms)?,
            error,
        })
    }

    fn signal(&self, text: &str) -> Result<CarriedSignal> {
        let (mut name, mut sent_at_ms) = (None, None);
        let (mut key_of, mut payload, mut taker) = (None, None, None);
        object(text, |key, value| {
            match key {
                "name" => name = word(key, value, NAME_BYTES_MAX)?,
                "idempotency_key" => key_of = word(key, value, KEY_BYTES_MAX)?,
                "sent_at_ms" => sent_at_ms = Some(instant(key, value)?),
                "payload" => payload = self.payload(key, value)?,
                "taken_by" => taker = named(value).map_err(|error| error.within(key))?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        if payload.is_some() == taker.is_some() {
            return Err(Error::invalid(
                "it must have either a payload or a taken_by, and not both",
            ));
        }
        let (name, sent_at_ms) = (needed("name", name)?, needed("sent_at_ms", sent_at_ms)?);
        Ok(CarriedSignal { name, key: key_of, sent_at_ms, payload, taker })
    }

    fn event(&self, text: &str) -> Result<(Id, CarriedEvent)> {
        let (mut run_id, mut event_type, mut at_ms) = (None, None, None);
        let (mut key_of, mut payload) = (None, None);
        object(text, |key, value| {
            match key {
                "run_id" => run_id = id(key, value)?,
                "type" => event_type = word(key, value, NAME_BYTES_MAX)?,
                "idempotency_key" => key_of = word(key, value, KEY_BYTES_MAX)?,
                "at_ms" => at_ms = Some(instant(key, value)?),
                "payload" => payload = self.payload(key, value)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        let event = CarriedEvent {
            seq: 0,
            event_type: needed("type", event_type)?,
            key: key_of,
            at_ms: needed("at_ms", at_ms)?,
            payload: needed("payload", payload)?,
        };
        Ok((needed("run_id", run_id)?, event))
    }

    fn step_row(&self, row: &mut StepRow, key: &str, value: &str) -> Result<bool> {
        match key {
            "name" => row.name = word(key, value, NAME_BYTES_MAX)?.unwrap_or_default(),
            "occurrence" => {
                let at = integer_in(key, value, 1..=OCCURRENCE_MAX.into())?;
                row.occurrence = u32::try_from(at).unwrap_or(OCCURRENCE_MAX);
            }
            "tries" => row.facts.tries = count(key, value)?,
            "retry_at_ms" => row.facts.retry_at_ms = Some(instant(key, value)?),
            "label" => row.label = word(key, value, NAME_BYTES_MAX)?,
            "input_hash" => row.facts.input_hash = Some(hash(key, value)?),
            "started_at_ms" => row.started_at_ms = instant(key, value)?,
            "took_ms" => row.took_ms = integer_in(key, value, 0..=DURATION_MS_MAX)?,
            "result" => row.result = self.json(key, value)?,
            "error" => row.error = self.json(key, value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn steps(reader: &mut Reader, text: &str) -> Result<Vec<Step>> {
    let items = reader.listed("steps", text)?;
    read_items("steps", &items, |item| step(reader, item))
}

fn step(reader: &mut Reader, text: &str) -> Result<Step> {
    let mut row = new_step();
    let (mut kind, mut state, mut usage) = (None, None, Vec::new());
    object(text, |key, value| {
        match key {
            "kind" => kind = one_of(key, value, STEP_KINDS)?,
            "state" => state = one_of(key, value, STEP_STATES)?,
            "usage" => usage = reader.rows(key, value, |_, value| spent(value))?,
            _ => return reader.step_row(&mut row, key, value),
        }
        Ok(true)
    })?;
    let kind: StepKind = needed("kind", kind)?;
    row.facts.state = needed("state", state)?;
    if row.name.is_empty() || row.occurrence == 0 {
        return Err(absent(if row.name.is_empty() { "name" } else { "occurrence" }));
    }
    if kind == StepKind::Step {
        row.result.as_deref().map_or(Ok(()), |result| check_payload("result", result))?;
    }
    Ok(Step { kind, row, usage })
}

fn reservations(reader: &mut Reader, text: &str) -> Result<Vec<Reserved>> {
    let items = reader.listed("reservations", text)?;
    read_items("reservations", &items, |item| reserved(reader, item))
}

fn reserved(reader: &mut Reader, text: &str) -> Result<Reserved> {
    let (mut attempt, mut state, mut at_ms) = (None, None, None);
    let (mut source, mut label, mut step) = (None, None, None);
    let (mut amounts, mut spent_for) = (Vec::new(), Vec::new());
    object(text, |key, value| {
        match key {
            "attempt" => attempt = Some(count(key, value)?),
            "state" => state = one_of(key, value, RESERVATION_STATES)?,
            "source" => source = word(key, value, KEY_BYTES_MAX)?,
            "label" => label = word(key, value, NAME_BYTES_MAX)?,
            "step" => step = named(value).map_err(|error| error.within(key))?,
            "at_ms" => at_ms = Some(instant(key, value)?),
            "amounts" => amounts = reader.rows(key, value, |_, value| amount(value))?,
            "spent" => spent_for = reader.rows(key, value, |_, value| spent(value))?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let units = amounts.len();
    let amounts: BTreeMap<String, i64> = amounts.into_iter().collect();
    if amounts.len() != units || units == 0 || units > BUDGET_UNITS_MAX {
        return Err(Error::invalid(format!(
            "amounts has {units} entries, it must have 1 to {BUDGET_UNITS_MAX}, each of another unit"
        )));
    }
    Ok(Reserved {
        attempt: needed("attempt", attempt)?,
        state: needed("state", state)?,
        source,
        label: label.unwrap_or_default(),
        step,
        at_ms: needed("at_ms", at_ms)?,
        amounts,
        spent: spent_for,
    })
}

fn check_submit(submit: &Submit) -> Result<()> {
    check_word("workflow", &submit.workflow, NAME_BYTES_MAX)?;
    if submit.queue.is_none() {
        return Err(absent("queue"));
    }
    submit.check()?;
    submit.metadata.as_deref().map_or(Ok(()), |metadata| check_object("metadata", metadata))
}

fn new_run() -> Run {
    Run {
        row: CarriedRun {
            run_id: Id::from_bytes([0; 16]),
            parent_run_id: None,
            forked_from: None,
            submit: Submit::default(),
            created_at_ms: 0,
            outcome: None,
            finished_at_ms: None,
            attempts: None,
            tries: None,
            result: None,
            error: None,
            is_cascading: false,
        },
        task: None,
        waits: Vec::new(),
        attempts: Vec::new(),
        steps: Vec::new(),
        signals: Vec::new(),
        reservations: Vec::new(),
    }
}

fn new_step() -> StepRow {
    StepRow {
        name: String::new(),
        occurrence: 0,
        facts: StepFacts { state: StepState::Done, tries: 0, retry_at_ms: None, input_hash: None },
        label: None,
        started_at_ms: 0,
        took_ms: 0,
        error: None,
        result: None,
    }
}
