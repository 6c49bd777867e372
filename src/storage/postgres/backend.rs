//! One handle's access to one store: reads on a connection of the caller's own, writes by the line of
//! [`super::writer`], bells and owners by the ear that the process keeps.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::bells::Bells;
use super::connect::{Connection, Facts};
use super::ear::Ear;
use super::errors;
use super::migrate;
use super::owner::Mark;
use super::pool::{Pool, RETRY_AFTER, Tried};
use super::shared::{self, Shared};
use super::tx::Tx;
use super::url::Place;
use super::writer::{Writer, asks_power, no_fsync};
use crate::clock::{LeaseClock, Now};
use crate::domain::Durability;
use crate::domain::news::News;
use crate::domain::port::{OwnerId, WriterFacts};
use crate::error::{Error, Result};
use crate::stop::Stop;
use crate::storage::{Death, Settings, WriteOptions};

/// One handle's access to a store.
pub struct Backend {
    shared: Arc<Shared>,
    pool: Arc<Pool>,
    writer: Writer,
    shown: PathBuf,
    busy_timeout: Duration,
    is_read_only: bool,
    server_started_us: i64,
}

/// Opens the store that a URL names.
pub fn open(url: &str, settings: &Settings) -> Result<Backend> {
    let place = Place::read(url)?;
    let busy_timeout = Duration::from_millis(settings.busy_timeout_ms.into());
    let shared = shared::of(url, &place)?;
    let mut conn = Connection::open(&place, &shared.common, busy_timeout)?;
    refuse(&mut conn, &place, settings)?;
    let server_started_us = conn.facts().started_us;
    let max = usize::try_from(settings.max_readers).unwrap_or(1) + 1;
    let shown = PathBuf::from(&place.shown);
    let pool = Arc::new(Pool::new(place, Arc::clone(&shared.common), max, conn));
    Ok(Backend {
        writer: Writer::new(Arc::clone(&pool), Arc::clone(&shared)),
        pool,
        shared,
        shown,
        busy_timeout,
        is_read_only: settings.is_read_only,
        server_started_us,
    })
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
        let mut is_looked_at = is_schema_free;
        self.pool.until_done(self.deadline(), |conn, _| {
            let answer = read_once(conn, is_looked_at, is_schema_free, &mut work);
            // What a guard has undone: of what is there in place of our schema the next try says more.
            let is_strange = !is_looked_at && conn.fault().is_some();
            let may_pass_again = conn.may_pass_again();
            conn.let_go();
            match answer {
                Err(error) if may_pass_again => Tried::Again(error),
                Err(error) if is_strange => {
                    is_looked_at = true;
                    Tried::Again(error)
                }
                answer => Tried::Done(answer),
            }
        })
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.busy_timeout
    }

    /// Runs `work` in a transaction, and returns once its answer is as durable as asked.
    pub fn write<T, Work>(&self, options: WriteOptions, work: Work) -> Result<T>
    where
        T: Send + 'static,
        Work: FnMut(&mut Tx<'_>, Now) -> Result<T> + Send + 'static,
    {
        if self.is_read_only {
            return Err(Error::ReadOnly("the store was opened with SW_OPEN_READ_ONLY".into()));
        }
        self.writer.run(options, work)
    }

    /// Makes what was read up to now as safe as is asked, so that it may be confirmed: what others have
    /// committed without a sync is synced.
    pub fn confirm(&self, options: WriteOptions) -> Result<()> {
        if self.is_read_only || !asks_power(&options) {
            return Ok(());
        }
        let timeout = Duration::from_millis(options.busy_timeout_ms.into());
        self.pool.until_done(Instant::now() + timeout, |conn, _| {
            if conn.facts().is_without_fsync {
                return Tried::Done(Err(no_fsync()));
            }
            match conn.flush() {
                Err(error) if conn.may_pass_again() => Tried::Again(error),
                answer => Tried::Done(answer),
            }
        })
    }

    /// Has the process die at a commit of its own, or, with `None`, not any more.
    pub fn kill_at(&self, death: Option<Death>) -> Result<()> {
        self.shared.kill_at(death);
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
        Arc::clone(&self.shared.common.clock) as Arc<dyn LeaseClock>
    }

    /// Returns what was written in this process; `None` for a handle that only reads.
    pub fn writer_facts(&self) -> Option<WriterFacts> {
        (!self.is_read_only).then(|| self.shared.tally.facts())
    }

    /// Lets go of the store.
    pub fn close(self) {}
}

/// Bells.
impl Backend {
    fn listen(&self) -> bool {
        self.shared.ear.listen(&self.shared.bells)
    }

    /// Tells whoever shares the store what has changed.
    pub fn publish(&self, news: News) {
        let sent = self.pool.lend(self.deadline()).and_then(|mut lent| {
            self.shared.bells.ring(news);
            self.shared.bells.send(lent.conn()?)
        });
        // Here it is heard all the same.
        if sent.is_err() {
            self.shared.bells.own().publish(news);
        }
    }

    /// Returns the count of a queue's bell, to be taken before the look that a sleep follows.
    pub fn bell_seen(&self, bell: usize) -> u32 {
        self.listen();
        self.shared.bells.own().seen(bell)
    }

    /// Sleeps until the bell's count is another than `seen`, the stop fires, or the time is over.
    pub fn bell_wait(&self, bell: usize, seen: u32, timeout: Duration, stop: Option<&Stop>) {
        let own = self.shared.bells.own();
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
        self.shared.bells.own().change_seen()
    }

    /// Sleeps until the bell of changes is rung after `seen`, the stop fires, or the time is over.
    pub fn change_wait(&self, seen: u32, timeout: Duration, stop: Option<&Stop>) {
        let own = self.shared.bells.own();
        let is_over = || own.change_seen() != seen;
        let sleep = |left| own.wait_for_change(seen, left, stop);
        Bells::wait(timeout, stop, is_over, sleep, || {
            self.listen();
        });
    }

    /// Returns the number of changes told of so far; why none is heard, if that is so.
    pub fn changes(&self) -> Result<u64> {
        match self.shared.ear.check(&self.shared.bells) {
            // A server that is away is heard again, and then everything rings; till then, nothing changes.
            Err(error) if error.is_retryable() => {}
            heard => heard?,
        }
        self.listen();
        Ok(self.shared.bells.own().changes())
    }

    /// Returns the number of recalls told of so far. Where nothing is heard each answer is another, so that
    /// every attempt looks.
    pub fn recalls(&self) -> u32 {
        if !self.listen() {
            self.shared.bells.own().recall();
        }
        self.shared.bells.own().recalls()
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
        self.patiently(|ear| ear.hold(Mark::of(id), &self.shared.bells))
    }

    /// Lets go of an owner's lock.
    pub fn owner_let_go(&self, id: OwnerId) {
        self.shared.ear.let_go(Mark::of(id));
    }

    /// Returns whether an owner lives, in this process or elsewhere.
    pub fn owner_is_alive(&self, id: OwnerId) -> Result<bool> {
        self.patiently(|ear| ear.is_alive(Mark::of(id), &self.shared.bells))
    }

    /// Asks by the ear until it is connected, as calls ask by the pool.
    fn patiently<T>(&self, mut ask: impl FnMut(&Ear) -> Result<T>) -> Result<T> {
        let deadline = Instant::now() + self.busy_timeout;
        loop {
            match ask(&self.shared.ear) {
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

/// Reads in one transaction. The schema is looked at before, or guarded with the first question.
fn read_once<T>(
    conn: &mut Connection,
    is_looked_at: bool,
    is_schema_free: bool,
    work: &mut impl FnMut(&mut Tx<'_>) -> Result<T>,
) -> Result<T> {
    conn.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
    if is_looked_at {
        migrate::refuse_other(conn, false, is_schema_free)?;
    } else {
        migrate::put_guard(conn)?;
    }
    let answer = work(&mut Tx::new(conn))?;
    // Of who has asked nothing, too.
    conn.fly()?;
    Ok(answer)
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
