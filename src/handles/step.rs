//! What `sw_step*` points to: a step to run, or one answered from its record.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::domain::attempt::{AfterFail, FailOptions};
use crate::domain::budget::{self, OfStep};
use crate::domain::hold::Lease;
use crate::domain::port::{Port, StepKind, StepRow};
use crate::domain::query;
use crate::domain::step::{self, Subject};
use crate::domain::suspend::Pending;
use crate::error::{Error, Result};
use crate::handles::attempt::{Attempt, NULL};
use crate::handles::held::Held;
use crate::handles::once::{Once, Question};
use crate::storage::Call;
use crate::text::{Text, TextRef};

/// One memoised call of a run, as its holder sees it.
pub struct Step {
    attempt: Arc<Attempt>,
    source: Source,
    id: OnceLock<Text>,
}

enum Source {
    /// A record in the attempt's history.
    History(u32),
    /// A record read by itself.
    Record(Box<Recorded>),
    /// Work to be done.
    Work(Box<Work>),
}

/// A record that lies outside the history.
pub(crate) struct Recorded {
    pub(crate) name: Text,
    pub(crate) occurrence: u32,
    pub(crate) tries: u32,
    pub(crate) result: Option<Text>,
    pub(crate) error: Option<Text>,
}

struct Work {
    subject: Subject,
    name: Text,
    retry_at_ms: AtomicI64,
    finished: Once<Done>,
}

/// How work was finished.
#[derive(Clone)]
pub(super) enum Done {
    /// With a result.
    Completed,
    /// With an error.
    Failed(AfterFail),
    /// By a script, whose items came to this.
    Script(Arc<str>),
}

impl From<StepRow> for Recorded {
    fn from(row: StepRow) -> Recorded {
        Recorded {
            name: row.name.into(),
            occurrence: row.occurrence,
            tries: row.facts.tries,
            result: row.result.map(Text::from),
            error: row.error.map(Text::from),
        }
    }
}

impl Recorded {
    /// Makes a record that says nothing.
    pub(crate) fn empty(name: String, occurrence: u32) -> Recorded {
        Recorded { name: name.into(), occurrence, tries: 0, result: None, error: None }
    }
}

impl Work {
    /// Takes the occurrence over that the begin of this step kept open.
    fn held<'call>(&'call self, attempt: &'call Attempt) -> Held<'call> {
        let Subject { name, occurrence, .. } = &self.subject;
        Held::kept(attempt, StepKind::Step, name, *occurrence)
    }
}

impl Step {
    pub(crate) fn in_history(attempt: Arc<Attempt>, at: u32) -> Step {
        Step { attempt, source: Source::History(at), id: OnceLock::new() }
    }

    pub(crate) fn recorded(attempt: Arc<Attempt>, recorded: Recorded) -> Step {
        Step { attempt, source: Source::Record(Box::new(recorded)), id: OnceLock::new() }
    }

    pub(crate) fn to_run(attempt: Arc<Attempt>, subject: Subject) -> Step {
        let name = Text::from(subject.name.as_str());
        let work =
            Work { subject, name, retry_at_ms: AtomicI64::new(0), finished: Once::default() };
        Step { attempt, source: Source::Work(Box::new(work)), id: OnceLock::new() }
    }

    /// Lends the step's id: the same in every attempt.
    pub fn id(&self) -> &Text {
        self.id.get_or_init(|| {
            let name = self.name();
            query::step_id(self.attempt.run(), StepKind::Step, name.as_str(), self.occurrence())
                .into()
        })
    }

    /// Lends the name.
    pub fn name(&self) -> TextRef<'_> {
        match &self.source {
            Source::History(at) => self
                .attempt
                .loaded_history()
                .and_then(|history| history.name(*at))
                .expect("a step in a history was found there by its name"),
            Source::Record(record) => record.name.lend(),
            Source::Work(work) => work.name.lend(),
        }
    }

    /// Lends the recorded result, JSON.
    pub fn result(&self) -> Option<TextRef<'_>> {
        match &self.source {
            Source::History(at) => self.attempt.loaded_history()?.result(*at),
            Source::Record(record) => record.result.as_ref().map(Text::lend),
            Source::Work(_) => None,
        }
    }

    /// Lends the recorded error, JSON.
    pub fn error(&self) -> Option<TextRef<'_>> {
        match &self.source {
            Source::History(at) => self.attempt.loaded_history()?.error(*at),
            Source::Record(record) => record.error.as_ref().map(Text::lend),
            Source::Work(_) => None,
        }
    }

    /// Returns the occurrence of the name, from 1.
    pub fn occurrence(&self) -> u32 {
        match &self.source {
            Source::History(at) => {
                self.attempt.loaded_history().map_or(0, |history| history.occurrence(*at))
            }
            Source::Record(record) => record.occurrence,
            Source::Work(work) => work.subject.occurrence,
        }
    }

    /// Returns how often the work was started, as far as recorded, this time included.
    pub fn tries(&self) -> u32 {
        match &self.source {
            Source::History(at) => {
                self.attempt.loaded_history().map_or(0, |history| history.facts(*at).tries)
            }
            Source::Record(record) => record.tries,
            Source::Work(work) => work.subject.tries,
        }
    }

    /// Returns when a failed step may be tried again, Unix milliseconds; 0 when it may not, or has
    /// not failed.
    pub fn retry_at_ms(&self) -> i64 {
        match &self.source {
            Source::History(_) | Source::Record(_) => 0,
            Source::Work(work) => work.retry_at_ms.load(Ordering::Relaxed),
        }
    }

    /// Returns the attempt that it belongs to.
    pub fn attempt(&self) -> &Arc<Attempt> {
        &self.attempt
    }

    /// Names the step as reservations do, while it is to be run; `None` once it is finished.
    pub(crate) fn work_of(&self) -> Option<OfStep> {
        let Source::Work(work) = &self.source else { return None };
        (!work.finished.is_answered()).then(|| work.subject.of_budget())
    }

    /// Records the result, JSON; `null` if `None`.
    pub fn complete(&self, result: Option<String>) -> Result<()> {
        let result = result.unwrap_or_else(|| NULL.into());
        let question = Question::of(&[b"complete", result.as_bytes()]);
        let call = Call::of("sw_step_complete").of_bytes(result.len());
        self.finish(question, call, move |tx, subject, now| {
            let lease = step::complete(tx, subject, &result, now)?;
            Ok((Done::Completed, lease))
        })
        .map(|_| ())
    }

    /// Records the result as [`Step::complete`] does, and in the same commit what the step used, JSON
    /// `{unit: integer}`, which settles its reservations (P28).
    pub fn complete_usage(&self, result: Option<String>, usage: &str) -> Result<()> {
        let amounts = budget::amounts("usage", usage)?;
        let result = result.unwrap_or_else(|| NULL.into());
        let question = Question::of(&[b"complete_usage", result.as_bytes(), usage.as_bytes()]);
        let call = Call::of("sw_step_complete_usage").of_bytes(result.len());
        self.finish(question, call, move |tx, subject, now| {
            let lease = step::complete_usage(tx, subject, &result, &amounts, now)?;
            Ok((Done::Completed, lease))
        })
        .map(|_| ())
    }

    /// Records a failure, JSON: for good, or with the time of the next try.
    pub fn fail(&self, error: Option<String>, options: FailOptions) -> Result<AfterFail> {
        options.check()?;
        let error = error.unwrap_or_else(|| NULL.into());
        let question = Question::fail(&error, options);
        let call = Call::of("sw_step_fail").of_bytes(error.len());
        let done = self.finish(question, call, move |tx, subject, now| {
            let (after, lease) = step::fail(tx, subject, &error, options, now)?;
            Ok((Done::Failed(after), lease))
        })?;
        match done {
            Done::Failed(after) => Ok(after),
            Done::Completed | Done::Script(_) => {
                Err(Error::internal("a failed step was completed"))
            }
        }
    }

    /// Finishes the step, once: the same finish again answers as the first did, another is a conflict.
    fn finish(
        &self,
        question: Question,
        call: Call,
        mut record: impl FnMut(&mut dyn Port, &Subject, crate::clock::Now) -> Result<(Done, Lease)>
        + Send
        + 'static,
    ) -> Result<Done> {
        let subject = self.subject()?.clone();
        let entered = self.attempt.store().enter()?;
        self.finish_once(question, || {
            let call = call.promising(subject.plan.durability);
            let (done, lease) =
                self.attempt.write(&entered, call, move |tx, now| record(tx, &subject, now))?;
            self.attempt.note_lease(lease, self.attempt.store().now());
            Ok(done)
        })
    }

    /// Lends what its records call the work.
    pub(super) fn subject(&self) -> Result<&Subject> {
        self.work().map(|work| &work.subject)
    }

    fn work(&self) -> Result<&Work> {
        let Source::Work(work) = &self.source else {
            return Err(Error::conflict(
                "the step is answered from its record, it cannot be finished",
            ));
        };
        Ok(work)
    }

    /// Finishes the step by `work`, or answers as it did before.
    pub(super) fn finish_once(
        &self,
        question: Question,
        finish: impl FnOnce() -> Result<Done>,
    ) -> Result<Done> {
        let work = self.work()?;
        work.finished.answer(question, "the step is finished in another way", || {
            let done = finish()?;
            self.note_done(work, &done);
            Ok(done)
        })
    }

    fn note_done(&self, work: &Work, done: &Done) {
        let held = work.held(&self.attempt);
        match done {
            Done::Failed(AfterFail::Retry { at_ms }) => {
                work.retry_at_ms.store(*at_ms, Ordering::Relaxed);
                self.attempt.occurrences().touch(held.name(), held.occurrence());
                held.note_wait(Some(Pending::Retry(*at_ms)));
            }
            Done::Completed | Done::Failed(AfterFail::Final) | Done::Script(_) => held.pass(),
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        let Source::Work(work) = &self.source else { return };
        if !work.finished.is_answered() {
            drop(work.held(&self.attempt));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Durability;
    use crate::domain::claim::Claim;
    use crate::domain::step::Begin;
    use crate::domain::submit::Submit;
    use crate::handles::begin::Begun;
    use crate::handles::store::{Store, StoreOptions};
    use std::sync::mpsc;

    fn begun(store: &Arc<Store>) -> Step {
        store.submit(Submit { workflow: "w".into(), ..Submit::default() }).unwrap();
        let attempt = store.claim(Claim::default()).unwrap().unwrap();
        let begin = Begin { name: "s".into(), ..Begin::default() };
        let Begun::Run(step) = attempt.step_begin(begin).unwrap() else {
            panic!("the step was not to be run");
        };
        step
    }

    /// P7: an error after which something is stored is none that a shutdown may make.
    #[test]
    fn a_finish_that_a_shutdown_overtakes_says_that_it_is_stored() {
        let store = Store::open_in_memory(&StoreOptions::default()).unwrap();
        store.init().unwrap();
        let step = Arc::new(begun(&store));
        let ((held, is_held), (go_on, may_go_on)) = (mpsc::channel(), mpsc::channel::<()>());
        let writer = Arc::clone(&store);
        let ahead = std::thread::spawn(move || {
            writer.enter()?.write(Call::of("test").promising(Durability::Process), move |_, _| {
                held.send(()).unwrap();
                // Ends when the test lets go of the other end.
                let _ = may_go_on.recv();
                Ok(())
            })
        });
        is_held.recv().unwrap();
        let finishing = Arc::clone(&step);
        let finish = std::thread::spawn(move || finishing.complete_usage(None, "{\"tokens\":1}"));
        let Source::Work(work) = &step.source else { panic!("the step is not to be run") };
        while !work.finished.is_under_way() {
            std::thread::yield_now();
        }
        store.shutdown();
        drop(go_on);
        ahead.join().unwrap().unwrap();
        assert_eq!(finish.join().unwrap(), Ok(()));
    }
}
