//! The writer of one handle: a line of callers, one of whom carries what waits through one transaction.
//!
//! Each transaction holds the lock of the store, so that its scripts see no other writer, as scripts may
//! expect (`src/domain`). It takes two flights: one for the lock and what the calls are known to look at,
//! one for all that they write and the commit. Where only light calls wait, of attempts whose hold is
//! remembered, it takes one: each hold travels as a guard that undoes everything where it is not so, and the
//! lock is shared with others who write so, none of which touches what another does. What comes of neither is
//! done again by itself, with an eye on each row.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ahead;
use super::connect::Connection;
use super::doubt::{Doubt, Fate};
use super::errors;
use super::known::{Ending, Held, Known, Tasks, Trust};
use super::migrate;
use super::pool::{Pool, Tried};
use super::records::Record;
use super::shared::Shared;
use super::transaction::Ended;
use super::tx::Tx;
use crate::clock::Now;
use crate::domain::Durability;
use crate::domain::news::News;
use crate::domain::port::Fence;
use crate::error::{Error, Result};
use crate::id::Id;
use crate::limits::WRITE_BATCH_MS_MAX;
use crate::storage::job::{self, Kind};
use crate::storage::line::{Leader, Line};
use crate::storage::{Ahead, WriteOptions};

/// How long those who write in one flight wait for others: their reading of the clock is before that.
const LIGHT_PATIENCE: Duration = Duration::from_millis(50);

/// How long is waited for a flight whose connection is gone, before the next look.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(5);

/// Stores on a server.
pub(super) struct Server;

impl Kind for Server {
    type Tx<'conn> = Tx<'conn>;
}

type Job = job::Job<Server>;

/// The writer of one handle.
pub(super) struct Writer {
    line: Line<Server>,
    pool: Arc<Pool>,
    shared: Arc<Shared>,
}

/// What came of a batch.
enum Verdict {
    /// It is over; what each failed of, if it did, with nothing of it stored.
    Over(Vec<Option<Error>>),
    /// Nothing is stored: each is to be done by itself, asking before it writes.
    Apart,
    /// Nobody knows whether it is stored.
    Lost(Error),
}

/// How a batch is carried through, over all its tries.
struct Course {
    /// Nothing is taken to be so.
    is_careful: bool,
    doubt: Option<Doubt>,
}

/// What of a batch is on its way without a question.
struct Assumed {
    light: Vec<Arc<Job>>,
    heavy: Vec<Arc<Job>>,
    /// What attempts hold then.
    tasks: Tasks,
    news: News,
    /// A run that is there then.
    makes: Option<Id>,
}

impl Course {
    fn of(is_careful: bool) -> Course {
        Course { is_careful, doubt: None }
    }
}

impl Writer {
    /// Makes a writer for which nobody waits.
    pub(super) fn new(pool: Arc<Pool>, shared: Arc<Shared>) -> Writer {
        Writer { line: Line::new(), pool, shared }
    }

    /// Runs `work` in a transaction with whatever else waits, and returns once its answer is as durable as
    /// asked. `work` may run more than once.
    pub(super) fn run<T, Work>(&self, options: WriteOptions, work: Work) -> Result<T>
    where
        T: Send + 'static,
        Work: FnMut(&mut Tx<'_>, Now) -> Result<T> + Send + 'static,
    {
        let deadline = Instant::now() + Duration::from_millis(options.busy_timeout_ms.into());
        let mine = Arc::new(job::Job::new(options, deadline, work));
        self.line.see_answered(mine.clone(), self)?;
        mine.answer()
    }

    /// Sees a batch through and answers it; takes it from the line if there is none yet.
    fn see_through(&self, mut batch: Vec<Arc<Job>>, is_careful: bool) {
        let deadline = batch.iter().map(|job| job.deadline).min();
        let deadline = deadline.unwrap_or_else(|| self.line.first_deadline());
        let mut course = Course::of(is_careful || self.shared.trust == Trust::Nothing);
        let done = catch_unwind(AssertUnwindSafe(|| {
            self.pool.until_done(deadline, |conn, left| {
                if batch.is_empty() {
                    batch = self.line.take_batch();
                }
                self.attempt(conn, left, &mut batch, &mut course)
            })
        }));
        // Whatever happens, those who wait are told.
        let ended = done.unwrap_or_else(|panic| Err(Error::of_panic(panic)));
        let ended = match course.doubt {
            Some(doubt) => Ok(Verdict::Lost(doubt.told())),
            None => ended,
        };
        match ended {
            Ok(Verdict::Over(failures)) => self.line.finish(batch.iter().zip(failures)),
            Ok(Verdict::Apart) => {
                batch.into_iter().for_each(|job| self.see_through(vec![job], true));
            }
            Ok(Verdict::Lost(error)) => self.line.finish_all(&batch, &error),
            Err(error) => self.line.give_up(batch, &error, !error.is_retryable()),
        }
    }

    fn attempt(
        &self,
        conn: &mut Connection,
        left: Duration,
        batch: &mut Vec<Arc<Job>>,
        course: &mut Course,
    ) -> Tried<Verdict> {
        // All who waited gave up meanwhile.
        if batch.is_empty() {
            return Tried::Done(Ok(Verdict::Over(Vec::new())));
        }
        if let Some(tried) = self.settle_doubt(conn, left, batch, course) {
            return tried;
        }
        if batch.len() > 1 && batch.iter().any(|job| job.options.is_schema_free) {
            return Tried::Done(Ok(Verdict::Apart));
        }
        if !course.is_careful
            && let Some(tried) = self.assume(conn, batch, course)
        {
            return tried;
        }
        self.look(conn, left, batch, course)
    }

    /// Looks what became of a batch that is in doubt; `None` if it, or any, is to be tried now.
    fn settle_doubt(
        &self,
        conn: &mut Connection,
        left: Duration,
        batch: &[Arc<Job>],
        course: &mut Course,
    ) -> Option<Tried<Verdict>> {
        let held = course.doubt.as_ref()?;
        // Behind the lock, so that it is over; what was seen is made as safe as it was to be.
        let fate = self.begin(conn, left, batch, &[]).and_then(|_| {
            let fate = held.fate(conn)?;
            match conn.commit_as(is_power(batch), None) {
                Ended::Stored => Ok(fate),
                Ended::Undone(error) | Ended::Doubtful(error) => Err(error),
            }
        });
        match fate {
            Ok(Fate::Stored) => course.doubt.take().map(|held| {
                self.tell(conn, held.news);
                Tried::Done(Ok(Verdict::Over(held.failures)))
            }),
            Ok(Fate::Undone) => {
                course.doubt = None;
                None
            }
            Ok(Fate::Unknown) => Some(Tried::Done(Err(held.told()))),
            Ok(Fate::UnderWay) => {
                std::thread::sleep(LOOK_AGAIN_AFTER.min(left));
                Some(Tried::Again(held.told()))
            }
            Err(error) => {
                conn.roll_back();
                Some(again_or_done(conn, error))
            }
        }
    }

    /// Does in one flight what of a batch asks for nothing but what is remembered, and answers it; the rest
    /// stays in the batch. `None` once there is nothing more to be said of it now.
    fn assume(
        &self,
        conn: &mut Connection,
        batch: &mut Vec<Arc<Job>>,
        course: &mut Course,
    ) -> Option<Tried<Verdict>> {
        let is_trusting = self.shared.trust == Trust::Everything;
        if !is_trusting || !self.shared.common.clock.is_fresh() || is_unsafe(conn, batch) {
            return None;
        }
        let Some(Assumed { light, heavy, tasks, news, makes }) = self.assumed(conn, batch) else {
            conn.roll_back();
            return None;
        };
        let bell = self.shared.bells.payload(news);
        self.shared.meet_death(false);
        match conn.end_shared(bell.as_deref()) {
            Ended::Stored => {
                self.shared.forget(&self.shared.remembered(fences(&light)));
                self.shared.remember(tasks);
                self.shared.bells.own().publish(news);
                self.stored(&light, is_power(&light));
                self.line.finish(light.iter().map(|job| (job, None)));
                *batch = heavy;
                batch.is_empty().then(|| Tried::Done(Ok(Verdict::Over(Vec::new()))))
            }
            Ended::Undone(_) => {
                conn.roll_back();
                light.iter().for_each(|job| job.forget_time());
                self.shared.forget(&self.shared.remembered(fences(&light)));
                None
            }
            Ended::Doubtful(error) => {
                self.line.put_back(heavy);
                course.doubt =
                    Some(Doubt::of_light(conn, light.len(), (news, makes), error.clone()));
                *batch = light;
                Some(Tried::Again(error))
            }
        }
    }

    /// Puts what of a batch asks for nothing; `None` where that is nothing of it.
    fn assumed(&self, conn: &mut Connection, batch: &[Arc<Job>]) -> Option<Assumed> {
        let tasks = self.shared.remembered(fences(batch));
        let alone = tasks.iter().filter(|(_, held)| held.ends_alone);
        let ending = |(run_key, held): (&i64, &Held)| (*run_key, Ending::alone(held.task.lane_key));
        let known = Known { endings: alone.map(ending).collect(), tasks, ..Known::default() };
        conn.begin_shared((self.shared.lock, LIGHT_PATIENCE), is_power(batch)).ok()?;
        migrate::put_guard(conn).ok()?;
        let mut tx = Tx::trusting(conn, Trust::Everything, known);
        let (mut light, mut heavy) = (Vec::new(), Vec::new());
        for job in batch {
            let is_light = put_lightly(&mut tx, job);
            if is_light { &mut light } else { &mut heavy }.push(Arc::clone(job));
        }
        if light.is_empty() || tx.put_records().is_err() {
            return None;
        }
        let (news, makes) = (tx.news(), tx.makes);
        Some(Assumed { light, heavy, tasks: tx.known.tasks, news, makes })
    }

    /// Does a batch behind the lock of the store, asking what is not known.
    fn look(
        &self,
        conn: &mut Connection,
        left: Duration,
        batch: &mut Vec<Arc<Job>>,
        course: &mut Course,
    ) -> Tried<Verdict> {
        let looks: Vec<&Ahead> = match course.is_careful {
            true => Vec::new(),
            false => batch.iter().map(|job| &job.options.call.ahead).collect(),
        };
        let known = match self.begin(conn, left, batch, &looks) {
            Ok(known) => known,
            Err(error) => {
                conn.roll_back();
                return again_or_done(conn, error);
            }
        };
        let trust = if course.is_careful { Trust::Nothing } else { Trust::New };
        let mut tx = Tx::trusting(conn, trust, known);
        let Some(failures) = work(&mut tx, batch) else {
            conn.roll_back();
            return undone(conn, batch, course);
        };
        let (news, tasks) = (tx.news(), std::mem::take(&mut tx.known.tasks));
        // Those that have not run, since the others took their time, lead the next batch.
        self.line.put_back(batch.split_off(failures.len()));
        if failures.iter().all(Option::is_some) {
            conn.let_go();
            return Tried::Done(Ok(Verdict::Over(failures)));
        }
        let is_power = is_power(batch);
        self.shared.meet_death(false);
        match conn.commit_as(is_power, self.shared.bells.payload(news).as_deref()) {
            Ended::Stored => {
                self.shared.bells.own().publish(news);
                self.shared.remember(tasks);
                self.stored(batch, is_power);
                Tried::Done(Ok(Verdict::Over(failures)))
            }
            Ended::Undone(error) => {
                conn.roll_back();
                let fail = |job: &Arc<Job>| job.fail(error.clone());
                batch
                    .iter()
                    .zip(&failures)
                    .filter(|(_, it)| it.is_none())
                    .for_each(|(job, _)| fail(job));
                undone(conn, batch, course)
            }
            Ended::Doubtful(error) => {
                course.doubt = Some(Doubt::of(conn, (failures, news), error.clone()));
                Tried::Again(error)
            }
        }
    }

    /// Begins a transaction that sees no other writer until its commit, and reads this ahead.
    fn begin(
        &self,
        conn: &mut Connection,
        left: Duration,
        batch: &[Arc<Job>],
        looks: &[&Ahead],
    ) -> Result<Known> {
        let is_schema_free = batch.iter().any(|job| job.options.is_schema_free);
        let lock = (self.shared.lock, left, is_power(batch));
        let begun = conn.begin_locked(lock, |conn| {
            if !is_schema_free {
                migrate::put_look(conn)?;
            }
            looks.iter().try_for_each(|look| ahead::put(conn, look))
        });
        let is_strange = |conn: &Connection| !conn.is_waited_out() && !conn.may_pass_again();
        let answers = match begun {
            Err(error) if !is_schema_free && is_strange(conn) => {
                return Err(refused(conn, error));
            }
            begun => begun?,
        };
        if is_schema_free {
            migrate::refuse_other(conn, true, true)?;
            return Ok(Known::default());
        }
        let mut answers = answers.into_iter();
        if !answers.next().is_some_and(|answer| migrate::is_newest(&answer)) {
            return Err(refused(conn, errors::migrated()));
        }
        ahead::known(looks, answers.collect())
    }

    fn stored(&self, batch: &[Arc<Job>], is_power: bool) {
        self.shared.meet_death(true);
        self.shared.tally.batch(batch.iter().map(|job| job.cost()));
        if is_power {
            self.shared.tally.synced(false);
        }
    }

    /// Tells of what a commit has changed: here at once, elsewhere as soon as it is sent. What cannot be
    /// sent is found by those who look.
    fn tell(&self, conn: &mut Connection, news: News) {
        if news != News::default() {
            self.shared.bells.ring(news);
            let _ = self.shared.bells.send(conn);
        }
    }
}

impl Leader for Writer {
    fn lead(&self) {
        self.see_through(Vec::new(), false);
        self.line.hand_over();
    }

    fn out_of_time(&self) -> Error {
        Error::Busy("other writes of this handle were in the way for the whole time-out".into())
    }
}

/// Says what is there in place of our schema, if it is that.
fn refused(conn: &mut Connection, error: Error) -> Error {
    conn.roll_back();
    let looked =
        conn.begin("BEGIN READ ONLY").and_then(|()| migrate::refuse_other(conn, true, false));
    looked.err().unwrap_or(error)
}

/// Runs the jobs of a batch; `None` where the transaction is lost, and what it failed of is the answer of
/// the one that lost it. Fewer than the batch has where those have taken their time.
fn work(tx: &mut Tx<'_>, batch: &[Arc<Job>]) -> Option<Vec<Option<Error>>> {
    let began = Instant::now();
    let mut failures = Vec::with_capacity(batch.len());
    for job in batch {
        if tx.conn.facts().is_without_fsync && job.needs_sync() && !job.options.is_schema_free {
            // A migration may be asked for power by who promises less.
            failures.push(Some(no_fsync()));
            continue;
        }
        let mark = tx.mark();
        let failure = job.run(tx).err();
        if tx.conn.fault().is_some() && failure.is_none() {
            // Also when the job hid it: what it wrote is gone.
            job.fail(tx.conn.error());
        }
        if tx.conn.fault().is_some() || failure.is_some() && !tx.forget(&mark) {
            return None;
        }
        failures.push(failure);
        if began.elapsed() >= Duration::from_millis(WRITE_BATCH_MS_MAX) {
            break;
        }
    }
    Some(failures)
}

/// Says how to go on after nothing of a batch is stored: its jobs keep what they failed of.
fn undone(conn: &Connection, batch: &[Arc<Job>], course: &Course) -> Tried<Verdict> {
    if conn.fault().is_some_and(errors::is_cut) {
        return Tried::Again(conn.error());
    }
    if batch.len() > 1 || !course.is_careful {
        return Tried::Done(Ok(Verdict::Apart));
    }
    match conn.fault().is_some_and(errors::may_pass_again) {
        true => Tried::Again(conn.error()),
        false => Tried::Done(Ok(Verdict::Over(vec![None]))),
    }
}

fn again_or_done(conn: &Connection, error: Error) -> Tried<Verdict> {
    if conn.may_pass_again() { Tried::Again(error) } else { Tried::Done(Err(error)) }
}

/// Puts what a job writes where it asks for nothing; else leaves all as it was.
fn put_lightly(tx: &mut Tx<'_>, job: &Job) -> bool {
    if job.options.is_schema_free {
        return false;
    }
    let run_key = job.options.call.fence().map(|fence| fence.run_key);
    // Those of one attempt stand in their order, and a job takes none of another one's with it.
    let may_be_of_run = |record: &Record| run_key.is_none_or(|run_key| run_key == record.run_key);
    if tx.records.iter().any(may_be_of_run) && tx.put_records().is_err() {
        return false;
    }
    let held = run_key.and_then(|run_key| tx.known.tasks.get(&run_key).cloned());
    let (mark, makes) = (tx.mark(), tx.makes);
    // An error may be one of what is remembered, and not so.
    let is_done = job.run(tx).is_ok() && tx.guard().is_ok();
    if !tx.has_asked() && is_done {
        return true;
    }
    tx.forget(&mark);
    tx.makes = makes;
    tx.known.tasks.extend(run_key.zip(held));
    // It is done behind a lock, for which it may wait.
    job.forget_time();
    false
}

/// Returns the attempts that a batch is of, as far as its calls say.
fn fences(batch: &[Arc<Job>]) -> impl Iterator<Item = Fence> {
    batch.iter().filter_map(|job| job.options.call.fence())
}

/// Returns whether a write of the batch is to outlive the loss of power.
fn is_power(batch: &[Arc<Job>]) -> bool {
    batch.iter().any(|job| job.needs_sync())
}

/// Returns whether a batch asks for more than its server can promise.
fn is_unsafe(conn: &Connection, batch: &[Arc<Job>]) -> bool {
    conn.facts().is_without_fsync && is_power(batch)
}

/// Refuses to promise what the server cannot.
pub(super) fn no_fsync() -> Error {
    Error::Unsupported(
        "the server runs with fsync off and loses what it acknowledged when the power goes: only SW_DURABILITY_PROCESS can be promised".into(),
    )
}

/// Returns whether a write is to outlive the loss of power.
pub(super) fn asks_power(options: &WriteOptions) -> bool {
    options.call.durability != Durability::Process
}
