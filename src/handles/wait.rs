//! The calls of an attempt that wait: sleeps, signals, children, any and all of them.
//!
//! A call asks: its record answers, or a look at the file without a lock, or the writer when an answer
//! or a deadline must be recorded. What answers "not yet" joins the attempt's wait set.

use std::collections::HashMap;

use crate::domain::child::{self, NewChild};
use crate::domain::input::in_range;
use crate::domain::port::StepKind;
use crate::domain::submit::Submit;
use crate::domain::suspend::Pending;
use crate::domain::wait::{self, Answer, Ask, Form, Member};
use crate::domain::{Durability, signal};
use crate::error::{Error, Result};
use crate::handles::attempt::{Attempt, NULL};
use crate::handles::entered::Entered;
use crate::handles::held::Held;
use crate::handles::store::Store;
use crate::id::{self, Id};
use crate::limits::DURATION_MS_MAX;
use crate::storage::Call;

/// What a waiting call answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waited {
    /// It came true; JSON.
    Ready(String),
    /// The child failed or was cancelled; JSON.
    Failed(String),
    /// Its time-out passed first.
    TimedOut,
    /// Not yet: suspend the attempt, or ask again.
    NotYet,
}

/// A child's id, and whether it was submitted before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmittedChild {
    /// Public id.
    pub run_id: String,
    /// Whether this call found it submitted.
    pub existed: bool,
}

impl Attempt {
    /// Sleeps: ready once the deadline that the first call fixed has come (P22).
    pub fn sleep(&self, name: &str, duration_ms: i64) -> Result<Waited> {
        in_range("duration_ms", duration_ms, DURATION_MS_MAX)?;
        self.wait(Form::Sleep, name, vec![Member::Sleep(duration_ms)], -1)
    }

    /// Awaits the next signal under a name (P23).
    pub fn signal_await(&self, name: &str, timeout_ms: i64) -> Result<Waited> {
        self.wait(Form::Signal, name, vec![Member::Signal(name.into())], timeout_ms)
    }

    /// Awaits the end of a child.
    pub fn child_await(&self, run_id: &str, timeout_ms: i64) -> Result<Waited> {
        let child_id = wait::child_id(run_id)?;
        let name = id::write("run", child_id);
        self.wait(Form::Child, &name, vec![Member::Child(child_id)], timeout_ms)
    }

    /// Awaits the earliest of several; see [`wait::members`] for the list.
    pub fn await_any(&self, name: &str, waits: &str, timeout_ms: i64) -> Result<Waited> {
        self.wait(Form::Any, name, wait::members(waits)?, timeout_ms)
    }

    /// Awaits several, all of them.
    pub fn await_all(&self, name: &str, waits: &str, timeout_ms: i64) -> Result<Waited> {
        self.wait(Form::All, name, wait::members(waits)?, timeout_ms)
    }

    fn wait(
        &self,
        form: Form,
        name: &str,
        members: Vec<Member>,
        timeout_ms: i64,
    ) -> Result<Waited> {
        check_timeout(timeout_ms)?;
        let entered = self.store().enter()?;
        let kind = form.kind();
        let held = Held::open(self, kind, name, 0)?;
        let occurrence = held.occurrence();
        let ask =
            Ask { fence: self.fence(), form, name: name.into(), occurrence, members, timeout_ms };
        let answer = self.answer(&entered, &ask);
        let is_passed =
            matches!(answer, Ok(Answer::Ready(_) | Answer::Failed(_) | Answer::TimedOut));
        let waited = answer?;
        held.note_wait(matches!(waited, Answer::NotYet(_)).then_some(Pending::Ask(ask)));
        if is_passed {
            held.pass();
        }
        Ok(match waited {
            Answer::Ready(value) => Waited::Ready(value),
            Answer::Failed(error) => Waited::Failed(error),
            Answer::TimedOut => Waited::TimedOut,
            Answer::NotYet(_) => Waited::NotYet,
        })
    }

    fn answer(&self, entered: &Entered<'_>, ask: &Ask) -> Result<Answer> {
        let now = self.now();
        if let Some(answer) = entered.read(|tx| wait::look(tx, ask, now))? {
            entered.confirm(Durability::Inherit)?;
            return Ok(answer);
        }
        let ask = ask.clone();
        let (answer, lease) = self
            .write(entered, Call::of(name(ask.form)), move |tx, now| wait::answer(tx, &ask, now))?;
        self.note_lease(lease, self.store().now());
        Ok(answer)
    }

    /// Submits a child, once per name and occurrence (P25).
    pub fn child_submit(&self, name: &str, submit: Submit) -> Result<SubmittedChild> {
        let call = Call::of("sw_child_submit");
        self.child_submit_all(call, vec![(name.to_owned(), submit)], |error, _| error)?
            .pop()
            .ok_or_else(|| Error::internal("a child was not submitted"))
    }

    /// Submits children in one commit; an error names the item.
    pub fn child_submit_many(&self, items: Vec<(String, Submit)>) -> Result<Vec<SubmittedChild>> {
        self.child_submit_all(Call::of("sw_child_submit_many"), items, Error::at_index)
    }

    fn child_submit_all(
        &self,
        call: Call,
        items: Vec<(String, Submit)>,
        named: fn(Error, usize) -> Error,
    ) -> Result<Vec<SubmittedChild>> {
        for (at, (_, submit)) in items.iter().enumerate() {
            child::check_submit(submit).map_err(|error| named(error, at))?;
        }
        let entered = self.store().enter()?;
        let mut opened = Opened::of(self);
        let mut children = Vec::with_capacity(items.len());
        for (name, submit) in items {
            let occurrence = opened.open(&name)?;
            children.push(NewChild { name, occurrence, submit, run_id: id::new_id() });
        }
        let submitted = self.submit_children(&entered, call, children)?;
        opened.is_passed = true;
        Ok(submitted)
    }

    fn submit_children(
        &self,
        entered: &Entered<'_>,
        call: Call,
        children: Vec<NewChild>,
    ) -> Result<Vec<SubmittedChild>> {
        let (fence, now) = (self.fence(), self.now());
        let found = entered.read(|tx| child::look(tx, fence, &children, now))?;
        if let Some(found) = found {
            entered.confirm(Durability::Inherit)?;
            return Ok(found.into_iter().map(SubmittedChild::from).collect());
        }
        let bytes = children.iter().map(|c| c.submit.args.as_ref().map_or(0, String::len)).sum();
        let (submitted, lease) = self.write(entered, call.of_bytes(bytes), move |tx, now| {
            child::submit(tx, fence, &children, now)
        })?;
        self.note_lease(lease, self.store().now());
        Ok(submitted.into_iter().map(SubmittedChild::from).collect())
    }
}

fn name(form: Form) -> &'static str {
    match form {
        Form::Sleep => "sw_sleep",
        Form::Signal => "sw_signal_await",
        Form::Child => "sw_child_await",
        Form::Any => "sw_await_any",
        Form::All => "sw_await_all",
    }
}

impl From<(Id, bool)> for SubmittedChild {
    fn from((run_id, existed): (Id, bool)) -> SubmittedChild {
        SubmittedChild { run_id: id::write("run", run_id), existed }
    }
}

impl Store {
    /// Sends a signal to a run; answers `false` when its idempotency key was used before (P23).
    pub fn signal_send(
        &self,
        run_id: &str,
        name: &str,
        payload: Option<String>,
        key: Option<&str>,
    ) -> Result<bool> {
        let entered = self.enter()?;
        let (run_id, name, key) = (run_id.to_owned(), name.to_owned(), key.map(str::to_owned));
        let payload = payload.unwrap_or_else(|| NULL.into());
        let call = Call::of("sw_signal_send").of_bytes(payload.len());
        let existed = entered.write(call, move |tx, now| {
            signal::send(tx, &run_id, &name, &payload, key.as_deref(), now)
        })?;
        Ok(!existed)
    }
}

/// Refuses a time-out outside its range; -1 is without limit.
pub(crate) fn check_timeout(timeout_ms: i64) -> Result<()> {
    if timeout_ms == -1 || (0..=DURATION_MS_MAX).contains(&timeout_ms) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "timeout_ms is {timeout_ms}, it must be 0 to {DURATION_MS_MAX}, or -1 for no limit"
    )))
}

/// Occurrences of children that a call holds open; closed when it ends, however it ends.
struct Opened<'attempt> {
    attempt: &'attempt Attempt,
    /// The occurrences opened of each name, from the first to the last.
    names: HashMap<String, (u32, u32)>,
    is_passed: bool,
}

impl<'attempt> Opened<'attempt> {
    fn of(attempt: &'attempt Attempt) -> Opened<'attempt> {
        Opened { attempt, names: HashMap::new(), is_passed: false }
    }

    /// Opens the next occurrence of a name that this call has not opened yet.
    fn open(&mut self, name: &str) -> Result<u32> {
        let mut occurrences = self.attempt.occurrences_of(StepKind::Child);
        let asked = self.names.get(name).map_or(0, |(_, last)| last + 1);
        let occurrence = occurrences.open(name, asked)?;
        self.names.entry(name.into()).or_insert((occurrence, occurrence)).1 = occurrence;
        Ok(occurrence)
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        let mut occurrences = self.attempt.occurrences_of(StepKind::Child);
        for (name, (first, last)) in &self.names {
            for occurrence in *first..=*last {
                occurrences.close(name, occurrence, self.is_passed);
            }
        }
    }
}
