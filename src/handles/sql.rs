//! The host's own statements: queries by a reader, scripts as one job of the writer.

use std::sync::Arc;

use crate::clock::Now;
use crate::domain::Durability;
use crate::domain::port::Port;
use crate::domain::sql::{self, Bounds, Holder, Query, Ran, Script};
use crate::domain::step::Subject;
use crate::error::{Error, Result};
use crate::handles::attempt::{Attempt, Ended};
use crate::handles::entered::Entered;
use crate::handles::once::Question;
use crate::handles::step::{Done, Step};
use crate::handles::store::Store;
use crate::id;
use crate::storage::{Ahead, Call};

/// In whose name a script runs.
#[derive(Clone, Copy, Default)]
pub struct InNameOf<'a> {
    /// The attempt, whose fence is checked.
    pub attempt: Option<&'a Arc<Attempt>>,
    /// The step whose work it is.
    pub step: Option<&'a Step>,
}

/// A script, and all that it goes by.
struct Asked<'a> {
    script: Script,
    question: Question,
    call: Call,
    attempt: Option<&'a Attempt>,
    subject: Option<Subject>,
}

impl Store {
    /// Answers a query with a document. Waits for no writer.
    pub fn query(&self, sql: &str, params: Option<&str>, options: Option<&str>) -> Result<String> {
        let query = Query::read(sql, params, options)?;
        self.enter()?.read(|tx| sql::query(tx, &query))
    }

    /// Runs a script in one transaction, all of it or nothing, and returns the results of its items. One
    /// that ends a step or an attempt is run once through its handle: again it answers the same.
    pub fn tx_run(&self, name: InNameOf<'_>, script: &str) -> Result<Arc<str>> {
        let attempt = self.attempt_of(name)?;
        let parsed = Script::read(script, id::new_id)?;
        let (ends_step, ends_attempt) = (parsed.completes_step(), parsed.completes_attempt());
        if ends_step && name.step.is_none() {
            return Err(Error::invalid("script has step_complete, and no step is given"));
        }
        if ends_attempt && attempt.is_none() {
            return Err(Error::invalid("script has attempt_complete, and no attempt is given"));
        }
        let subject = name.step.map(Step::subject).transpose()?.cloned();
        let durability =
            subject.as_ref().map_or(Durability::Inherit, |subject| subject.plan.durability);
        let asked = Asked {
            script: parsed,
            question: Question::of(&[b"script", script.as_bytes()]),
            call: Call::of("sw_tx_run").of_bytes(script.len()).promising(durability),
            attempt,
            subject,
        };
        let entered = self.enter()?;
        match name.step.filter(|_| ends_step) {
            Some(step) => step.end_by_script(asked.question, || self.end_by(&entered, &asked)),
            None => self.end_by(&entered, &asked),
        }
    }

    /// Returns the attempt that is meant, which must be of this handle of the store.
    fn attempt_of<'a>(&self, name: InNameOf<'a>) -> Result<Option<&'a Attempt>> {
        let of_step = name.step.map(Step::attempt);
        if let (Some(of_step), Some(given)) = (of_step, name.attempt)
            && !Arc::ptr_eq(of_step, given)
        {
            return Err(Error::Misuse("the sw_step is of another sw_attempt".into()));
        }
        let attempt = of_step.or(name.attempt).map(|attempt| &**attempt);
        match attempt {
            Some(attempt) if !std::ptr::eq(&**attempt.store(), self) => {
                Err(Error::Misuse("the sw_attempt is of another sw_store".into()))
            }
            attempt => Ok(attempt),
        }
    }

    fn end_by(&self, entered: &Entered<'_>, asked: &Asked<'_>) -> Result<Arc<str>> {
        match asked.attempt.filter(|_| asked.script.completes_attempt()) {
            Some(attempt) => attempt.end_by_script(asked.question, || self.carry(entered, asked)),
            None => self.carry(entered, asked),
        }
    }

    fn carry(&self, entered: &Entered<'_>, asked: &Asked<'_>) -> Result<Arc<str>> {
        let (script, subject) = (asked.script.clone(), asked.subject.clone());
        let fence = asked.attempt.map(Attempt::fence);
        let asked_for = asked.attempt.and_then(Attempt::asked);
        let bounds = Bounds {
            timeout_ms: self.terms.busy_timeout_ms.into(),
            payload_bytes_max: self.payload_bytes_max(),
        };
        let not_before_ms = asked.attempt.map_or(0, Attempt::due_at_ms);
        let needs_owner = script.has_local();
        let work = move |tx: &mut dyn Port, owner_key, now: Now| {
            let holder = fence.map(|fence| Holder {
                fence,
                step: subject.as_ref(),
                asked: asked_for.as_ref(),
            });
            sql::run(tx, &script, holder, owner_key, bounds, now.not_before(not_before_ms))
        };
        let call = asked.call.clone();
        let call =
            fence.map_or_else(|| call.clone(), |fence| call.clone().looking_at(Ahead::Hold(fence)));
        let Ran { results, lease } = self.write_owned(entered, call, needs_owner, work)?;
        if let (Some(attempt), Some(lease)) = (asked.attempt, lease) {
            attempt.note_lease(lease, self.now());
        }
        Ok(results.into())
    }
}

impl Step {
    /// Ends the step by a script, once: the same script again is answered as the first was.
    fn end_by_script(
        &self,
        question: Question,
        work: impl FnOnce() -> Result<Arc<str>>,
    ) -> Result<Arc<str>> {
        match self.finish_once(question, || work().map(Done::Script))? {
            Done::Script(results) => Ok(results),
            Done::Completed | Done::Failed(_) => {
                Err(Error::internal("a script ended a step without results"))
            }
        }
    }
}

impl Attempt {
    /// Ends the attempt by a script, once: the same script again is answered as the first was.
    fn end_by_script(
        &self,
        question: Question,
        work: impl FnOnce() -> Result<Arc<str>>,
    ) -> Result<Arc<str>> {
        match self.ended_once(question, || work().map(|results| Ok(Ended::Script(results))))? {
            Ended::Script(results) => Ok(results),
            Ended::As(_) => Err(Error::internal("a script ended an attempt without results")),
        }
    }
}
