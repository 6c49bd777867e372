//! One handle's access to one store: reads and writes row by row, each a transaction on a connection of
//! the caller's own thread.
//!
//! A write begins with the lock of the store, so that its script sees no other writer, as scripts may
//! expect (`src/domain`): what it reads afterwards stays as it is until its commit.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use super::bells::Bells;
use super::connect::{Common, Connection, Facts};
use super::doubt::{Doubt, Fate};
use super::ear::Ear;
use super::errors;
use super::migrate;
use super::owner::Mark;
use super::pool::Pool;
use super::tx::Tx;
use super::url::Place;
use crate::clock::{LeaseClock, Now};
use crate::domain::Durability;
use crate::domain::news::News;
use crate::domain::port::{OwnerId, WriterFacts};
use crate::error::{Error, Result};
use crate::lock::Unpoisoned;
use crate::os;
use crate::process::PerProcess;
use crate::stop::Stop;
use crate::storage::steps::Schema;
use crate::storage::tally::Tally;
use crate::storage::{Death, Settings, WriteOptions};

/// The stores that are open in this process, so that its handles on one share its bells.
static STORES: PerProcess<Mutex<HashMap<String, Weak<Store>>>> = PerProcess::new();

/// How long a server is left alone that cannot be reached, before the next try.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// What the handles on one store share in this process.
struct Store {
    common: Arc<Common>,
    bells: Bells,
    ear: Ear,
    tally: Tally,
    death: Mutex<Option<Death>>,
    /// The number that is locked by whoever writes.
    lock: i64,
}

/// One handle's access to a store.
pub struct Backend {
    store: Arc<Store>,
    pool: Pool,
    shown: PathBuf,
    busy_timeout: Duration,
    is_read_only: bool,
    server_started_us: i64,
}

/// Opens the store that a URL names.
pub fn open(url: &str, settings: &Settings) -> Result<Backend> {
    let place = Place::read(url)?;
    let busy_timeout = Duration::from_millis(settings.busy_timeout_ms.into());
    let store = shared(url, &place)?;
    let mut conn = Connection::open(&place, &store.common, busy_timeout)?;
    refuse(&mut conn, &place, settings)?;
    let server_started_us = conn.facts().started_us;
    let max = usize::try_from(settings.max_readers).unwrap_or(1) + 1;
    Ok(Backend {
        shown: PathBuf::from(&place.shown),
        pool: Pool::new(place, Arc::clone(&store.common), max, conn),
        store,
        busy_timeout,
        is_read_only: settings.is_read_only,
        server_started_us,
    })
}

/// Returns what the handles of this process on a store share.
fn shared(url: &str, place: &Place) -> Result<Arc<Store>> {
    let mut stores = STORES.get().lock().unpoisoned();
    stores.retain(|_, store| store.strong_count() > 0);
    if let Some(store) = stores.get(url).and_then(Weak::upgrade) {
        return Ok(store);
    }
    let common = Arc::new(Common::default());
    let hash = blake3::hash(format!("smolwf writes {}", place.schema).as_bytes());
    let mut lock = [0; 8];
    lock.copy_from_slice(&hash.as_bytes()[..8]);
    let store = Arc::new(Store {
        ear: Ear::new(place, &common),
        common,
        bells: Bells::new()?,
        tally: Tally::default(),
        death: Mutex::default(),
        lock: i64::from_le_bytes(lock),
    });
    stores.insert(url.to_owned(), Arc::downgrade(&store));
    Ok(store)
}

/// Refuses a store that cannot be worked with, before anything is written.
fn refuse(conn: &mut Connection, place: &Place, settings: &Settings) -> Result<()> {
    refuse_server(conn.facts(), &place.shown, settings)?;
    let shown = &place.shown;
    if !migrate::is_there(conn)? {
        if settings.can_create && !settings.is_read_only {
            return Ok(());
        }
        let sentence = format!("{shown} has no schema {}", place.schema).into();
        return Err(Error::CannotOpen { engine_code: errors::engine_code("3F000"), sentence });
    }
    migrate::inspect(conn)?.refusal(true).map_or(Ok(()), Err)
}

/// Refuses a server that cannot keep what is asked of it.
fn refuse_server(facts: Facts, shown: &str, settings: &Settings) -> Result<()> {
    if settings.is_read_only {
        return Ok(());
    }
    if facts.is_standby {
        return Err(Error::ReadOnly(
            format!("{shown} is a standby, which only reads: open it with SW_OPEN_READ_ONLY, or name its primary")
                .into(),
        ));
    }
    if facts.is_without_fsync && settings.durability == Durability::Power {
        return Err(no_fsync());
    }
    Ok(())
}

fn no_fsync() -> Error {
    Error::Unsupported(
        "the server runs with fsync off and loses what it acknowledged when the power goes: only SW_DURABILITY_PROCESS can be promised".into(),
    )
}

/// What came of a try.
enum Tried<T> {
    /// The answer.
    Done(Result<T>),
    /// Nothing is stored, or it is in doubt what is, and another try may do better than this error.
    Again(Error),
}

/// What came of a write.
enum Written<T> {
    /// It is stored, or failed and is not.
    Done(Result<T>),
    /// Nothing is stored, and another try may do better than this error.
    Again(Error),
    /// It may be stored.
    Doubtful(Doubt<T>),
}

impl Backend {
    /// Runs `work` on the committed state, in one read transaction that waits for no writer (P31).
    pub fn read<T>(&self, work: impl FnMut(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        self.read_of(false, work)
    }

    /// Runs `work` as [`Backend::read`] does, for a look at a few rows.
    pub fn glance<T>(&self, work: impl FnMut(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        self.read(work)
    }

    /// Runs `work` as [`Backend::read`] does, on any schema of ours.
    pub fn read_any<T>(&self, work: impl FnMut(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        self.read_of(true, work)
    }

    fn read_of<T>(
        &self,
        is_schema_free: bool,
        mut work: impl FnMut(&mut Tx<'_>) -> Result<T>,
    ) -> Result<T> {
        self.until_done(self.busy_timeout, |conn, _| {
            let begun = conn.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
            let answer = begun.and_then(|()| {
                check_schema(conn, false, is_schema_free)?;
                work(&mut Tx::new(conn))
            });
            conn.roll_back();
            match answer {
                Err(error) if is_worth_another(conn) => Tried::Again(error),
                answer => Tried::Done(answer),
            }
        })
    }

    /// Runs `work` in a transaction, and returns once its answer is as durable as asked.
    pub fn write<T, Work>(&self, options: WriteOptions, mut work: Work) -> Result<T>
    where
        T: Send + 'static,
        Work: FnMut(&mut Tx<'_>, Now) -> Result<T> + Send + 'static,
    {
        if self.is_read_only {
            return Err(Error::ReadOnly("the store was opened with SW_OPEN_READ_ONLY".into()));
        }
        let timeout = Duration::from_millis(options.busy_timeout_ms.into());
        let (mut now, mut doubt) = (None, None);
        let answer = self.until_done(timeout, |conn, left| {
            if let Some(tried) = self.settle_doubt(conn, &options, left, &mut doubt) {
                return tried;
            }
            let written = self.write_once(conn, &options, left, &mut |tx| {
                work(tx, *now.get_or_insert_with(|| options.clock.now()))
            });
            match written {
                Written::Done(answer) => Tried::Done(answer),
                Written::Again(error) => Tried::Again(error),
                Written::Doubtful(of) => {
                    doubt = Some(of);
                    Tried::Again(Error::Io { engine_code: 0, sentence: "in doubt".into() })
                }
            }
        });
        doubt.map_or(answer, |doubt| Err(doubt.told()))
    }

    /// Looks what became of a write that is in doubt; `None` if it, or any, is to be tried now.
    fn settle_doubt<T>(
        &self,
        conn: &mut Connection,
        options: &WriteOptions,
        left: Duration,
        doubt: &mut Option<Doubt<T>>,
    ) -> Option<Tried<T>> {
        let held = doubt.as_ref()?;
        // Behind the lock, so that it is over; what was seen is made as safe as it was to be.
        let fate = self.begin(conn, options, left).and_then(|()| {
            let fate = held.fate(conn)?;
            conn.commit_as(is_power(options)).map(|()| fate)
        });
        match fate {
            Ok(Fate::Stored) => doubt.take().map(|held| {
                self.tell(conn, held.news);
                Tried::Done(Ok(held.value))
            }),
            Ok(Fate::Undone) => {
                *doubt = None;
                None
            }
            Ok(Fate::Unknown) => Some(Tried::Done(Err(Error::internal("a doubt is told")))),
            Err(error) => {
                conn.roll_back();
                let is_again = is_worth_another(conn);
                Some(if is_again { Tried::Again(error) } else { Tried::Done(Err(error)) })
            }
        }
    }

    /// Tries until it is done or the time is over. A connection that was cut is let go, and those that
    /// lay beside it.
    fn until_done<T>(
        &self,
        timeout: Duration,
        mut attempt: impl FnMut(&mut Connection, Duration) -> Tried<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + timeout;
        for is_first in std::iter::once(true).chain(std::iter::repeat(false)) {
            let mut lent = match self.pool.lend(deadline) {
                Err(error) if error.is_retryable() && Instant::now() + RETRY_AFTER < deadline => {
                    std::thread::sleep(RETRY_AFTER);
                    continue;
                }
                lent => lent?,
            };
            let left = deadline.saturating_duration_since(Instant::now());
            let error = match attempt(lent.conn()?, left) {
                Tried::Done(answer) => return answer,
                Tried::Again(error) => error,
            };
            let is_cut = !lent.conn()?.is_good();
            drop(lent);
            if is_cut {
                self.pool.forget_idle();
            }
            // One that was cut in its sleep is nothing; one more is a server, or a way to it, in trouble.
            if is_cut && !is_first {
                std::thread::sleep(RETRY_AFTER.min(left));
            }
            if Instant::now() >= deadline {
                return Err(error);
            }
        }
        Err(Error::internal("a try without end has ended"))
    }

    fn write_once<T>(
        &self,
        conn: &mut Connection,
        options: &WriteOptions,
        left: Duration,
        work: &mut dyn FnMut(&mut Tx<'_>) -> Result<T>,
    ) -> Written<T> {
        let started = Instant::now();
        let done = self.begin(conn, options, left).and_then(|()| {
            let mut tx = Tx::new(conn);
            let value = catch_unwind(AssertUnwindSafe(|| work(&mut tx)))
                .unwrap_or_else(|panic| Err(Error::of_panic(panic)))?;
            Ok((value, tx.news()))
        });
        let (value, news) = match done {
            Ok(done) => done,
            Err(error) => {
                conn.roll_back();
                let is_again = is_worth_another(conn);
                return if is_again { Written::Again(error) } else { Written::Done(Err(error)) };
            }
        };
        let is_power = is_power(options);
        if let Err(error) = self.commit(conn, is_power) {
            conn.roll_back();
            return match conn.fault() {
                Some(state) if errors::may_pass_again(state) => Written::Again(error),
                // What was not flushed may be committed.
                Some(state) if is_power || errors::is_cut(state) => {
                    Written::Doubtful(Doubt::of(conn, (value, news), error))
                }
                _ => Written::Done(Err(error)),
            };
        }
        let took_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.store.tally.batch([(options.call.name, took_us)].into_iter());
        if is_power {
            self.store.tally.synced(false);
        }
        self.tell(conn, news);
        Written::Done(Ok(value))
    }

    /// Begins a transaction that sees no other writer until its commit.
    fn begin(&self, conn: &mut Connection, options: &WriteOptions, left: Duration) -> Result<()> {
        let is_process = !is_power(options);
        // A migration may be asked for power by who promises less: see `refuse`.
        if conn.facts().is_without_fsync && !is_process && !options.is_schema_free {
            return Err(no_fsync());
        }
        let lock_ms = left.as_millis().clamp(1, 86_400_000);
        let sync = if is_process { "; SET LOCAL synchronous_commit = off" } else { "" };
        conn.begin(&format!("BEGIN; SET LOCAL lock_timeout = {lock_ms}{sync}"))?;
        conn.lock(self.store.lock)?;
        check_schema(conn, true, options.is_schema_free)
    }

    /// Commits, where a test has the process die at this commit, too.
    fn commit(&self, conn: &mut Connection, is_power: bool) -> Result<()> {
        self.meet_death(false);
        conn.commit_as(is_power)?;
        self.meet_death(true);
        Ok(())
    }

    fn meet_death(&self, is_after: bool) {
        let mut death = self.store.death.lock().unpoisoned();
        match &mut *death {
            Some(death) if death.commit == 1 && death.is_after == is_after => os::die(),
            Some(death) if is_after => death.commit -= 1,
            Some(_) | None => {}
        }
    }

    /// Tells of what a commit has changed: here at once, elsewhere as soon as it is sent. What cannot be
    /// sent is found by those who look.
    fn tell(&self, conn: &mut Connection, news: News) {
        if news == News::default() {
            return;
        }
        self.store.bells.ring(news);
        let _ = self.store.bells.send(conn);
    }

    /// Makes what was read up to now as safe as is asked, so that it may be confirmed: what others have
    /// committed without a sync is synced.
    pub fn confirm(&self, options: WriteOptions) -> Result<()> {
        if self.is_read_only || !is_power(&options) {
            return Ok(());
        }
        let timeout = Duration::from_millis(options.busy_timeout_ms.into());
        self.until_done(timeout, |conn, _| {
            if conn.facts().is_without_fsync {
                return Tried::Done(Err(no_fsync()));
            }
            match conn.flush() {
                Err(error) if is_worth_another(conn) => Tried::Again(error),
                answer => Tried::Done(answer),
            }
        })
    }

    /// Has the process die at a commit of its own, or, with `None`, not any more.
    pub fn kill_at(&self, death: Option<Death>) -> Result<()> {
        *self.store.death.lock().unpoisoned() = death;
        Ok(())
    }

    /// Refuses: a copy of a server's store is the server's to make.
    pub fn backup(&self, _target: &Path, _go_on: &dyn Fn() -> Result<()>) -> Result<()> {
        Err(Error::Unsupported(
            "a store in PostgreSQL is copied by pg_dump or pg_basebackup, not by this library"
                .into(),
        ))
    }

    /// Does nothing: the server gives room back by itself.
    pub fn settle(&self) {}

    /// Returns the URL that names the store, without what is secret.
    pub fn path(&self) -> Option<&Path> {
        Some(&self.shown)
    }

    /// Returns the server's clock.
    pub fn lease_clock(&self) -> Arc<dyn LeaseClock> {
        Arc::clone(&self.store.common.clock) as Arc<dyn LeaseClock>
    }

    /// Returns what was written in this process; `None` for a handle that only reads.
    pub fn writer_facts(&self) -> Option<WriterFacts> {
        (!self.is_read_only).then(|| self.store.tally.facts())
    }

    /// Lets go of the store.
    pub fn close(self) {}
}

/// Bells.
impl Backend {
    fn listen(&self) -> bool {
        self.store.ear.listen(&self.store.bells)
    }

    /// Tells whoever shares the store what has changed.
    pub fn publish(&self, news: News) {
        let sent = self.pool.lend(Instant::now() + self.busy_timeout).and_then(|mut lent| {
            self.store.bells.ring(news);
            self.store.bells.send(lent.conn()?)
        });
        // Here it is heard all the same.
        if sent.is_err() {
            self.store.bells.own().publish(news);
        }
    }

    /// Returns the count of a queue's bell, to be taken before the look that a sleep follows.
    pub fn bell_seen(&self, bell: usize) -> u32 {
        self.listen();
        self.store.bells.own().seen(bell)
    }

    /// Sleeps until the bell's count is another than `seen`, the stop fires, or the time is over.
    pub fn bell_wait(&self, bell: usize, seen: u32, timeout: Duration, stop: Option<&Stop>) {
        let own = self.store.bells.own();
        let is_over = || own.seen(bell) != seen;
        let sleep = |left| {
            own.wait(bell, seen, left, stop);
        };
        Bells::wait(timeout, stop, is_over, sleep, || {
            self.listen();
        });
    }

    /// Returns the count of the bell of changes, to be taken before the look that a sleep follows.
    pub fn change_seen(&self) -> u32 {
        self.listen();
        self.store.bells.own().change_seen()
    }

    /// Sleeps until the bell of changes is rung after `seen`, the stop fires, or the time is over.
    pub fn change_wait(&self, seen: u32, timeout: Duration, stop: Option<&Stop>) {
        let own = self.store.bells.own();
        let is_over = || own.change_seen() != seen;
        let sleep = |left| own.wait_for_change(seen, left, stop);
        Bells::wait(timeout, stop, is_over, sleep, || {
            self.listen();
        });
    }

    /// Returns the number of changes told of so far; why none is heard, if that is so.
    pub fn changes(&self) -> Result<u64> {
        match self.store.ear.check(&self.store.bells) {
            // A server that is away is heard again, and then everything rings; till then, nothing changes.
            Err(error) if error.is_retryable() => {}
            heard => heard?,
        }
        self.listen();
        Ok(self.store.bells.own().changes())
    }

    /// Returns the number of recalls told of so far. Where nothing is heard each answer is another, so that
    /// every attempt looks.
    pub fn recalls(&self) -> u32 {
        if !self.listen() {
            self.store.bells.own().recall();
        }
        self.store.bells.own().recalls()
    }
}

/// Owners.
impl Backend {
    /// Returns the id of a new owner in this process.
    pub fn owner_new(&self) -> Result<OwnerId> {
        Ok(Mark::new(self.server_started_us).id())
    }

    /// Holds an owner's lock, which the server frees when this process is gone.
    pub fn owner_hold(&self, id: OwnerId) -> Result<()> {
        self.patiently(|ear| ear.hold(Mark::of(id), &self.store.bells))
    }

    /// Lets go of an owner's lock.
    pub fn owner_let_go(&self, id: OwnerId) {
        self.store.ear.let_go(Mark::of(id));
    }

    /// Returns whether an owner lives, in this process or elsewhere.
    pub fn owner_is_alive(&self, id: OwnerId) -> Result<bool> {
        self.patiently(|ear| ear.is_alive(Mark::of(id), &self.store.bells))
    }

    /// Asks by the ear until it is connected, as calls ask by the pool.
    fn patiently<T>(&self, mut ask: impl FnMut(&Ear) -> Result<T>) -> Result<T> {
        let deadline = Instant::now() + self.busy_timeout;
        loop {
            match ask(&self.store.ear) {
                Err(error) if error.is_retryable() && Instant::now() + RETRY_AFTER < deadline => {
                    std::thread::sleep(RETRY_AFTER);
                }
                answer => return answer,
            }
        }
    }

    /// Returns the same: who may read may look.
    pub fn owner_life(&self, id: OwnerId) -> Result<Option<bool>> {
        self.owner_is_alive(id).map(Some)
    }
}

/// Returns whether a write is to outlive the loss of power.
fn is_power(options: &WriteOptions) -> bool {
    options.call.durability != Durability::Process
}

/// Refuses a schema that is not the newest, and a store that is not in force, inside the transaction that
/// is open.
fn check_schema(conn: &mut Connection, is_write: bool, is_schema_free: bool) -> Result<()> {
    if !is_schema_free && migrate::is_newest(conn).is_ok_and(|is_newest| is_newest) {
        return Ok(());
    }
    // What was asked in vain has ended the transaction; the look below is one of its own.
    if conn.fault().is_some_and(|state| !errors::is_cut(state)) {
        conn.roll_back();
        conn.begin("BEGIN")?;
    }
    let schema = migrate::inspect(conn)?;
    let refusal = match is_write {
        true => schema.write_refusal(is_schema_free),
        false => schema.refusal(is_schema_free),
    };
    match refusal {
        Some(refusal) => Err(refusal),
        None if is_schema_free || matches!(schema, Schema::Marked(_)) => Ok(()),
        None => Err(Error::Busy("the schema was migrated at this moment".into())),
    }
}

/// Returns whether a transaction that failed may do better, on this connection or on another.
fn is_worth_another(conn: &Connection) -> bool {
    conn.fault().is_some_and(|state| errors::may_pass_again(state) || errors::is_cut(state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standby_and_a_server_without_fsync_are_refused_to_whom_they_cannot_serve() {
        let mut settings = Settings {
            can_create: true,
            is_read_only: false,
            allows_network_fs: false,
            busy_timeout_ms: 1_000,
            max_readers: 1,
            durability: Durability::Power,
        };
        let whole = Facts { is_without_fsync: false, is_standby: false, started_us: 1 };
        let standby = Facts { is_standby: true, ..whole };
        let forgetful = Facts { is_without_fsync: true, ..whole };
        let code = |facts, settings: &Settings| {
            refuse_server(facts, "x", settings).err().map(|error| error.code())
        };
        assert_eq!(code(whole, &settings), None);
        assert_eq!(code(standby, &settings), Some(-43));
        assert_eq!(code(forgetful, &settings), Some(-6));
        settings.durability = Durability::Process;
        assert_eq!(code(forgetful, &settings), None);
        settings.is_read_only = true;
        assert_eq!(code(standby, &settings), None);
    }
}
