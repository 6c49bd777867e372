//! What `sw_attempt*` points to: the facts of a claim, and the calls that its holder makes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use crate::clock::Now;
use crate::domain::attempt::{self, End, Finish};
use crate::domain::claim::{Claimed, Manner};
use crate::domain::hold::{self, Lease};
use crate::domain::input::in_range;
use crate::domain::port::{Fence, Hold, Port, StepKind};
use crate::domain::step::{self, AskedFor, Occurrences};
use crate::domain::suspend::{self, Parking, Pending};
use crate::domain::{AfterFail, FailOptions, query};
use crate::error::{Error, Result};
use crate::handles::entered::Entered;
use crate::handles::history::History;
use crate::handles::once::{Once, Question};
use crate::handles::store::Store;
use crate::id::{self, Id};
use crate::limits::{DURATION_MS_MAX, LOOK_MS};
use crate::lock::Unpoisoned;
use crate::storage::{Ahead, Call};
use crate::text::Text;

/// The JSON of an argument that was not given.
pub(crate) const NULL: &str = "null";

/// One worker's try at a run.
pub struct Attempt {
    store: Arc<Store>,
    fence: Fence,
    run: Id,
    due_at_ms: i64,
    texts: Texts,
    has_history: bool,
    manner: Manner,
    lease_expires_at_ms: AtomicI64,
    /// Of steps, sleeps, awaits and child submits, by the number of their kind.
    occurrences: [Mutex<Occurrences>; 4],
    waits: Mutex<HashMap<Asked, Pending>>,
    /// Reserves that were refused for want of room, by what makes two calls one.
    rooms: Mutex<HashMap<Box<str>, Pending>>,
    look: Mutex<Option<Look>>,
    history: OnceLock<History>,
    /// How it ended; an error where it was told to end.
    ended: Once<Result<Ended>>,
}

/// How an attempt ended.
#[derive(Clone)]
pub(super) enum Ended {
    /// By a call of its own.
    As(Finish),
    /// By a script, whose items came to this.
    Script(Arc<str>),
}

/// Name space, name and occurrence of a call that answered "not yet".
type Asked = (StepKind, Box<str>, u32);

/// What a look at the fence found, and how long that is good.
struct Look {
    /// The count of recalls before the look.
    recalls: u32,
    good_until_ms: i64,
    deadline_at_ms: i64,
}

struct Texts {
    id: Text,
    run_id: Text,
    root_run_id: Text,
    parent_run_id: Option<Text>,
    workflow: Text,
    code_version: Option<Text>,
    queue: Text,
    args: Text,
    metadata: Option<Text>,
}

impl Attempt {
    /// Makes the handle of a claim.
    pub(crate) fn new(
        store: Arc<Store>,
        claimed: Claimed,
        queue: String,
        manner: Manner,
        now: Now,
    ) -> Attempt {
        let run = claimed.run;
        let texts = Texts {
            id: query::attempt_id(run.run_id, claimed.fence.number, claimed.claimed_at_ms).into(),
            run_id: id::write("run", run.run_id).into(),
            root_run_id: id::write("run", run.root_run_id).into(),
            parent_run_id: run.parent_run_id.map(|parent| id::write("run", parent).into()),
            workflow: run.workflow.into(),
            code_version: run.code_version.map(Into::into),
            queue: queue.into(),
            args: run.args.into(),
            metadata: run.metadata.map(Into::into),
        };
        let attempt = Attempt {
            store,
            fence: claimed.fence,
            due_at_ms: claimed.due_at_ms,
            run: run.run_id,
            texts,
            has_history: run.has_history,
            manner,
            lease_expires_at_ms: AtomicI64::new(0),
            occurrences: Default::default(),
            waits: Mutex::default(),
            rooms: Mutex::default(),
            look: Mutex::new(None),
            history: OnceLock::new(),
            ended: Once::default(),
        };
        attempt.note_lease(Lease { until_ms: claimed.lease_until_ms }, now);
        attempt
    }

    /// Lends the attempt's id.
    pub fn id(&self) -> &Text {
        &self.texts.id
    }

    /// Lends the run's id.
    pub fn run_id(&self) -> &Text {
        &self.texts.run_id
    }

    /// Lends the id of the topmost run.
    pub fn root_run_id(&self) -> &Text {
        &self.texts.root_run_id
    }

    /// Lends the id of the run that submitted this one.
    pub fn parent_run_id(&self) -> Option<&Text> {
        self.texts.parent_run_id.as_ref()
    }

    /// Lends the workflow's name.
    pub fn workflow(&self) -> &Text {
        &self.texts.workflow
    }

    /// Lends the version of the code that the run was submitted for.
    pub fn code_version(&self) -> Option<&Text> {
        self.texts.code_version.as_ref()
    }

    /// Lends the queue's name.
    pub fn queue(&self) -> &Text {
        &self.texts.queue
    }

    /// Lends the args, JSON.
    pub fn args(&self) -> &Text {
        &self.texts.args
    }

    /// Lends the metadata, JSON.
    pub fn metadata(&self) -> Option<&Text> {
        self.texts.metadata.as_ref()
    }

    /// Returns the attempt's number, from 1: the fencing token.
    pub fn number(&self) -> u32 {
        self.fence.number
    }

    /// Returns when the lease ends, Unix milliseconds, as far as this handle knows.
    pub fn lease_expires_at_ms(&self) -> i64 {
        self.lease_expires_at_ms.load(Ordering::Relaxed)
    }

    /// Returns the store that it was claimed from.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Extends the lease to `lease_ms` from now, its own length if 0.
    pub fn heartbeat(&self, lease_ms: u32) -> Result<()> {
        hold::lease_length(lease_ms, 0)?;
        let (fence, entered) = (self.fence, self.store.enter()?);
        let call = Call::of("sw_attempt_heartbeat");
        let lease =
            self.write(&entered, call, move |tx, now| hold::heartbeat(tx, fence, lease_ms, now))?;
        self.note_lease(lease, self.store.now());
        Ok(())
    }

    /// Looks whether the attempt may go on. Waits for no writer.
    pub fn check(&self) -> Result<()> {
        let (entered, now) = (self.store.enter()?, self.now());
        entered.glance(|tx| hold::living(tx, self.fence, now).map(|_| ()))
    }

    /// Ends the run with its result, JSON; `null` if `None`.
    pub fn complete(&self, result: Option<String>) -> Result<()> {
        self.finish(End::Complete(result.unwrap_or_else(|| NULL.into()))).map(|_| ())
    }

    /// Ends the attempt with an error, JSON; the run is tried again while tries are left.
    pub fn fail(&self, error: Option<String>, options: FailOptions) -> Result<AfterFail> {
        options.check()?;
        let finish = self.finish(End::Fail(error.unwrap_or_else(|| NULL.into()), options))?;
        let Finish::Failed(after) = finish else {
            return Err(Error::internal(format!("a failed attempt ended as {finish:?}")));
        };
        Ok(after)
    }

    /// Gives the run back, claimable after `delay_ms`.
    pub fn release(&self, delay_ms: i64) -> Result<()> {
        in_range("delay_ms", delay_ms, DURATION_MS_MAX)?;
        self.finish(End::Release(delay_ms)).map(|_| ())
    }

    /// Parks the run on the wait set: everything that answered "not yet" since the claim and was not
    /// answered otherwise (P24). Again is the same as once.
    pub fn suspend(&self) -> Result<()> {
        let waits = self.waits.lock().unpoisoned();
        let rooms = self.rooms.lock().unpoisoned();
        let parking = Parking {
            pending: waits.values().chain(rooms.values()).cloned().collect(),
            has_open_step: self.occurrences().is_any_open(),
        };
        drop((waits, rooms));
        let fence = self.fence;
        let call = Call::of("sw_attempt_suspend");
        self.end_once(Question::of(&[b"suspend"]), call, move |tx, now| {
            suspend::suspend(tx, fence, &parking, now)
        })
        .map(|_| ())
    }

    /// Ends the attempt, once: the same end again answers as the first did, another is a conflict.
    fn finish(&self, end: End) -> Result<Finish> {
        let (fence, call) = (self.fence, Call::of(name(&end)).of_bytes(end.bytes()));
        let asked = matches!(end, End::Complete(_)).then(|| self.asked()).flatten();
        self.end_once(question(&end), call, move |tx, now| {
            if let Some(asked) = &asked {
                step::may_complete(tx, fence, asked, now)?;
            }
            attempt::finish(tx, fence, &end, now)
        })
    }

    /// Returns what the attempt has asked for up to now, where it must have asked for all to complete.
    pub(super) fn asked(&self) -> Option<AskedFor> {
        let of = |kind| self.occurrences_of(kind).clone();
        self.manner.is_strict.then(|| StepKind::ALL.map(of))
    }

    /// Returns whether no step of it is run.
    pub(super) fn is_replay_only(&self) -> bool {
        self.manner.is_replay_only
    }

    fn end_once(
        &self,
        question: Question,
        call: Call,
        work: impl FnMut(&mut dyn Port, Now) -> Result<Finish> + Send + 'static,
    ) -> Result<Finish> {
        let entered = self.store.enter()?;
        let ended = self.ended_once(question, || {
            let call = call.looking_at(Ahead::End(self.fence));
            let finish = self.write(&entered, call, work)?;
            Ok(if let Finish::Stopped(ended) = finish {
                Err(hold::must_stop(ended))
            } else {
                Ok(Ended::As(finish))
            })
        })?;
        match ended {
            Ended::As(finish) => Ok(finish),
            Ended::Script(_) => Err(Error::internal("an end was answered by a script")),
        }
    }

    /// Ends the attempt by `end`, or answers as it did before.
    pub(super) fn ended_once(
        &self,
        question: Question,
        end: impl FnOnce() -> Result<Result<Ended>>,
    ) -> Result<Ended> {
        self.ended.answer(question, "the attempt has ended in another way", || {
            let ended = end()?;
            *self.look.lock().unpoisoned() = None;
            Ok(ended)
        })?
    }

    /// Returns the steps that earlier attempts recorded, read at the first begin.
    pub(crate) fn history(&self, entered: &Entered<'_>) -> Result<&History> {
        if let Some(history) = self.history.get() {
            return Ok(history);
        }
        let mut history = History::default();
        if self.has_history {
            let run_key = self.fence.run_key;
            entered.read(|tx| {
                tx.steps_walk(run_key, StepKind::Step, &mut |step| history.push(step))
            })?;
        }
        Ok(self.history.get_or_init(|| history))
    }

    /// Lends the history that a replaying step lies in.
    pub(crate) fn loaded_history(&self) -> Option<&History> {
        self.history.get()
    }

    /// Locks the count of occurrences of steps.
    pub(crate) fn occurrences(&self) -> MutexGuard<'_, Occurrences> {
        self.occurrences_of(StepKind::Step)
    }

    /// Locks the count of occurrences of a name space.
    pub(crate) fn occurrences_of(&self, kind: StepKind) -> MutexGuard<'_, Occurrences> {
        self.occurrences[kind as usize].lock().unpoisoned()
    }

    /// Notes that an occurrence answered "not yet", or, with `None`, that it was answered otherwise:
    /// what is noted is the attempt's wait set (P24).
    pub(crate) fn note_wait(
        &self,
        kind: StepKind,
        name: &str,
        occurrence: u32,
        pending: Option<Pending>,
    ) {
        let mut waits = self.waits.lock().unpoisoned();
        match pending {
            Some(pending) => {
                waits.insert((kind, name.into(), occurrence), pending);
            }
            None if waits.is_empty() => {}
            None => {
                waits.remove(&(kind, Box::from(name), occurrence));
            }
        }
    }

    /// Lends the reserves that were refused for want of room.
    pub(crate) fn rooms(&self) -> &Mutex<HashMap<Box<str>, Pending>> {
        &self.rooms
    }

    /// Returns what every write of the attempt must show.
    pub(crate) fn fence(&self) -> Fence {
        self.fence
    }

    /// Returns when its run was due: no clock of this attempt stands earlier.
    pub(crate) fn due_at_ms(&self) -> i64 {
        self.due_at_ms
    }

    /// Reads the clock for this attempt. It stands no earlier than when the run was due: the clock that
    /// woke it had seen that moment, and what it was woken for must be answered.
    pub(crate) fn now(&self) -> Now {
        self.store.now().not_before(self.due_at_ms)
    }

    /// Gives the writer a job of this attempt, with the time that it goes by.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        entered: &Entered<'_>,
        call: Call,
        mut work: impl FnMut(&mut dyn Port, Now) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let due_at_ms = self.due_at_ms;
        let call = if call.ahead == Ahead::Nothing {
            call.looking_at(Ahead::Hold(self.fence))
        } else {
            call
        };
        entered.write(call, move |tx, now| work(tx, now.not_before(due_at_ms)))
    }

    /// Returns the run.
    pub(crate) fn run(&self) -> Id {
        self.run
    }

    /// Returns whether a look at the fence within the last second still holds: its lease runs, its
    /// time-out has not passed, and no process has taken a run over or cancelled one since. So a step
    /// that begins right after another one does not touch the file. The write at its end looks anew.
    pub(crate) fn has_looked(&self, entered: &Entered<'_>, now: Now) -> bool {
        let look = self.look.lock().unpoisoned();
        look.as_ref().is_some_and(|look| {
            now.lease_ms < look.good_until_ms
                && now.wall_ms < look.deadline_at_ms
                && look.recalls == entered.recalls()
        })
    }

    pub(crate) fn note_look(&self, recalls: u32, hold: &Hold, now: Now) {
        let good_until_ms = now.lease_ms.saturating_add(LOOK_MS).min(hold.lease_until_ms);
        let deadline_at_ms = hold.deadline_at_ms.unwrap_or(i64::MAX);
        let is_told_to_end = hold.must_end(now.wall_ms).is_some();
        let look = Look { recalls, good_until_ms, deadline_at_ms };
        *self.look.lock().unpoisoned() = (!is_told_to_end).then_some(look);
    }

    /// Keeps what a write said of the lease.
    pub(crate) fn note_lease(&self, lease: Lease, now: Now) {
        let expires_at_ms = if lease.until_ms == i64::MAX {
            i64::MAX
        } else {
            now.wall_ms.saturating_add(lease.until_ms.saturating_sub(now.lease_ms))
        };
        self.lease_expires_at_ms.store(expires_at_ms, Ordering::Relaxed);
    }
}

fn name(end: &End) -> &'static str {
    match end {
        End::Complete(_) => "sw_attempt_complete",
        End::Fail(..) => "sw_attempt_fail",
        End::Release(_) => "sw_attempt_release",
    }
}

fn question(end: &End) -> Question {
    match end {
        End::Complete(result) => Question::of(&[b"complete", result.as_bytes()]),
        End::Fail(error, options) => Question::fail(error, *options),
        End::Release(delay_ms) => Question::of(&[b"release", &delay_ms.to_le_bytes()]),
    }
}
