//! Beginning a step: to be run, or answered from its record.

use std::sync::Arc;

use super::attempt::Attempt;
use super::entered::Entered;
use super::held::Held;
use super::history::History;
use super::step::{Recorded, Step};
use crate::clock::Now;
use crate::domain::Durability;
use crate::domain::port::{StepFacts, StepKind, StepRow, StepState};
use crate::domain::step::{self, Begin, Decision, Plan, Subject};
use crate::domain::suspend::Pending;
use crate::error::Result;
use crate::storage::Call;

/// What a begin came to.
pub enum Begun {
    /// Do the work, then complete or fail the step.
    Run(Step),
    /// Done before: the result is on the step.
    Replayed(Step),
    /// Failed for good before: the error is on the step.
    Failed(Step),
    /// It backs off.
    Suspended,
}

/// Where a step's record was seen.
enum Seen {
    Nowhere,
    InHistory(u32, StepFacts),
    InFile(Box<StepRow>),
}

impl Seen {
    fn facts(&self) -> Option<StepFacts> {
        match self {
            Seen::Nowhere => None,
            Seen::InHistory(_, facts) => Some(*facts),
            Seen::InFile(row) => Some(row.facts),
        }
    }

    fn is_started(&self) -> bool {
        self.facts().is_some_and(|facts| facts.state == StepState::Started)
    }

    fn into_step(self, attempt: &Arc<Attempt>, held: &Held<'_>) -> Step {
        let attempt = Arc::clone(attempt);
        match self {
            Seen::InHistory(at, _) => Step::in_history(attempt, at),
            Seen::InFile(row) => Step::recorded(attempt, Recorded::from(*row)),
            Seen::Nowhere => {
                Step::recorded(attempt, Recorded::empty(held.name().to_owned(), held.occurrence()))
            }
        }
    }
}

impl Attempt {
    /// Begins a step: to be run, or answered from its record.
    pub fn step_begin(self: &Arc<Self>, begin: Begin) -> Result<Begun> {
        let plan = begin.plan()?;
        let entered = self.store().enter()?;
        let history = self.history(&entered)?;
        // Held open from here on; whatever answers without a step to run lets go of it.
        let held = Held::open(self, StepKind::Step, &begin.name, begin.occurrence)?;
        let is_touched = self.occurrences().is_touched(&begin.name, held.occurrence());
        let seen = match history.find(&begin.name, held.occurrence()) {
            Some(at) if !is_touched || history.facts(at).state.is_final() => {
                Seen::InHistory(at, *history.facts(at))
            }
            _ => self.look_up(&entered, &held, is_touched, history)?,
        };
        self.decide(&entered, held, plan, seen)
    }

    /// Looks for a record that, if there is one, only the file has.
    fn look_up(
        &self,
        entered: &Entered<'_>,
        held: &Held<'_>,
        is_touched: bool,
        history: &History,
    ) -> Result<Seen> {
        if !is_touched && !history.is_cut() {
            return Ok(Seen::Nowhere);
        }
        let (run_key, occurrence) = (self.fence().run_key, held.occurrence());
        let row = entered.read(|tx| tx.step(run_key, StepKind::Step, held.name(), occurrence))?;
        Ok(row.map_or(Seen::Nowhere, |row| Seen::InFile(row.into())))
    }

    fn decide(
        self: &Arc<Self>,
        entered: &Entered<'_>,
        held: Held<'_>,
        plan: Plan,
        seen: Seen,
    ) -> Result<Begun> {
        let now = self.now();
        self.confirm(entered, &seen, plan.durability)?;
        held.note_wait(None);
        match step::decide(seen.facts().as_ref(), &plan, held.name(), now)? {
            Decision::Replay => {
                let step = seen.into_step(self, &held);
                held.pass();
                Ok(Begun::Replayed(step))
            }
            Decision::Failed => {
                let step = seen.into_step(self, &held);
                held.pass();
                Ok(Begun::Failed(step))
            }
            Decision::Wait { retry_at_ms } => {
                held.note_wait(Some(Pending::Retry(retry_at_ms)));
                Ok(Begun::Suspended)
            }
            Decision::Run { .. } | Decision::Interrupted { .. } if self.is_replay_only() => {
                Err(step::not_recorded(held.name(), held.occurrence()))
            }
            Decision::Run { tries } => {
                let subject = self.subject(&held, tries, plan, now);
                self.start(entered, held, subject, seen.is_started())
            }
            Decision::Interrupted { tries } => {
                let subject = self.subject(&held, tries, plan, now);
                self.interrupt(entered, held, subject)
            }
        }
    }

    /// Makes a record as safe as the step asks. What the claim found recorded its own sync has covered,
    /// so that a replay looks at nothing.
    fn confirm(&self, entered: &Entered<'_>, seen: &Seen, durability: Durability) -> Result<()> {
        match seen {
            Seen::Nowhere => Ok(()),
            Seen::InHistory(..) if self.store().promises_power() => Ok(()),
            Seen::InHistory(..) | Seen::InFile(_) => entered.confirm(durability),
        }
    }

    fn subject(&self, held: &Held<'_>, tries: u32, plan: Plan, now: Now) -> Subject {
        Subject {
            fence: self.fence(),
            name: held.name().to_owned(),
            occurrence: held.occurrence(),
            tries,
            started_at_ms: now.wall_ms,
            plan,
        }
    }

    /// Lets a step run: after a look at the fence, or after its start is recorded. A start that was
    /// recorded before is recorded anew, so that it counts as a try whoever drops the flag.
    fn start(
        self: &Arc<Self>,
        entered: &Entered<'_>,
        held: Held<'_>,
        subject: Subject,
        was_started: bool,
    ) -> Result<Begun> {
        let (fence, now) = (self.fence(), self.now());
        let is_cleanup = subject.plan.is_cleanup;
        if subject.plan.is_tracked || was_started {
            let record = subject.clone();
            let lease =
                self.write(entered, call(&subject), move |tx, now| step::start(tx, &record, now))?;
            self.note_lease(lease, self.store().now());
            self.occurrences().touch(held.name(), held.occurrence());
        } else if is_cleanup || !self.has_looked(entered, now) {
            let recalls = entered.recalls();
            let hold = entered.glance(|tx| step::may_run(tx, fence, is_cleanup, now))?;
            self.note_look(recalls, &hold, now);
        }
        // From here on it is the step's to let go of.
        held.keep();
        Ok(Begun::Run(Step::to_run(Arc::clone(self), subject)))
    }

    fn interrupt(
        self: &Arc<Self>,
        entered: &Entered<'_>,
        held: Held<'_>,
        subject: Subject,
    ) -> Result<Begun> {
        let record = subject.clone();
        let (error, lease) =
            self.write(entered, call(&subject), move |tx, now| step::interrupt(tx, &record, now))?;
        self.note_lease(lease, self.store().now());
        held.pass();
        let recorded = Recorded {
            name: subject.name.into(),
            occurrence: subject.occurrence,
            tries: subject.tries,
            result: None,
            error: Some(error.into()),
        };
        Ok(Begun::Failed(Step::recorded(Arc::clone(self), recorded)))
    }
}

fn call(subject: &Subject) -> Call {
    Call::of("sw_step_begin").promising(subject.plan.durability)
}
