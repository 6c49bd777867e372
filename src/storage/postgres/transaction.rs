//! How transactions that write begin and end: with the lock of the store, and by what makes them safe.

use std::time::Duration;

use super::connect::Connection;
use super::errors;
use super::flight::{Flown, Trouble};
use super::pq::Answer;
use super::value::Row;
use crate::error::{Error, Result};
use crate::os;

// One statement, so that what comes after sees all that was committed before the lock was given; its parts
// are done in this order. Where nobody else had the lock the commit waits for the disk. Where somebody had,
// others may wait by now: what is to be flushed is flushed behind the commit.
const LOCK: &str = "
SELECT set_config('lock_timeout', $2, true), set_config(
        'synchronous_commit',
        CASE WHEN pg_try_advisory_xact_lock($1) AND $3 THEN current_setting('synchronous_commit') ELSE 'off' END,
        true
    ),
    pg_advisory_xact_lock($1), (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
    pg_current_xact_id()::text::bigint";

// Behind a pooler the server may be another one than before.
const START: &str = "
SELECT (extract(epoch FROM greatest(pg_postmaster_start_time(), b.stats_reset)) * 1000000)::bigint
FROM pg_stat_bgwriter AS b";

// For writes that touch no row of another's: they keep off all the others, not each other, so that they may
// have the lock until they are flushed.
const LOCK_SHARED: &str = "
SELECT set_config('lock_timeout', $2, true), pg_advisory_xact_lock_shared($1),
    (extract(epoch FROM clock_timestamp()) * 1000)::bigint";

const LOCK_SHARED_UNFLUSHED: &str = "
SELECT set_config('lock_timeout', $2, true), pg_advisory_xact_lock_shared($1),
    (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
    set_config('synchronous_commit', 'off', true)";

// A record in the log that no reader of it looks for has the commit wait for the disk, and for standbys that
// are synchronous.
const FLUSH: &str = "
SELECT pg_logical_emit_message(true, '', '')";

const NOTIFY: &str = "
SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)";

const FLUSH_IF_BEHIND: &str = "
SELECT CASE
    WHEN pg_current_wal_flush_lsn() < pg_current_wal_insert_lsn()
        OR current_setting('synchronous_standby_names') <> ''
    THEN pg_logical_emit_message(true, '', '')
END";

/// Whatever the role would have a transaction be.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// What a commit came to.
pub(super) enum Ended {
    /// It is stored, as safe as was asked.
    Stored,
    /// Nothing of it is, and this is why.
    Undone(Error),
    /// It may be.
    Doubtful(Error),
}

impl Connection {
    /// Begins a transaction, waits for a lock that is held until its end, and reads the server's clock and the
    /// number of the transaction; `ask` puts what else is to be read in this flight. Returns the answers to that.
    pub(super) fn begin_locked(
        &mut self,
        (number, patience, is_power): (i64, Duration, bool),
        ask: impl FnOnce(&mut Connection) -> Result<()>,
    ) -> Result<Vec<Answer>> {
        self.begin(BEGIN)?;
        // However much is asked.
        self.is_whole = true;
        let is_pooled = self.is_pooled();
        let put = self.put(LOCK, &[&number, &in_ms(patience), &is_power]);
        let put = put.and_then(|()| if is_pooled { self.put(START, &[]) } else { Ok(()) });
        let put = put.and_then(|()| ask(self));
        self.is_whole = false;
        put?;
        let asked_ms = os::uptime_ms();
        let mut answers = self.fly()?;
        let mut rest = answers.split_off(answers.len().min(2));
        if is_pooled {
            self.note_start(Row::new(&rest.remove(0), 0).get(0)?);
        }
        let lock = answers.pop().ok_or_else(|| Error::internal("a lock has no answer"))?;
        self.note_locked(&lock, asked_ms)?;
        Ok(rest)
    }

    /// Takes what the lock answered.
    fn note_locked(&mut self, answer: &Answer, asked_ms: i64) -> Result<()> {
        let row = Row::new(answer, 0);
        self.learn(row.get(3)?, asked_ms);
        self.is_flushed = row.text(1)? != Some("off");
        self.transaction = row.get(4)?;
        Ok(())
    }

    /// Begins a transaction of one flight, which shares the lock.
    pub(super) fn begin_shared(
        &mut self,
        (number, patience): (i64, Duration),
        is_power: bool,
    ) -> Result<()> {
        self.fault = None;
        self.is_whole = true;
        let lock = if is_power { LOCK_SHARED } else { LOCK_SHARED_UNFLUSHED };
        self.put(lock, &[&number, &in_ms(patience)])
    }

    /// Ends such a transaction: it has no BEGIN, and is over with the flight.
    pub(super) fn end_shared(&mut self, news: Option<&str>) -> Ended {
        let asked_ms = os::uptime_ms();
        if let Some(error) = self.put_bell(news).err() {
            return Ended::Undone(error);
        }
        self.is_whole = false;
        let flown = self.hangar.fly(&mut self.link);
        let Some(trouble) = flown.trouble else {
            let lock = flown.answers.first();
            if let Some(server_ms) = lock.and_then(|lock| Row::new(lock, 0).get(2).ok()) {
                self.learn(server_ms, asked_ms);
            }
            return Ended::Stored;
        };
        let error = self.failed(&trouble.fault);
        match errors::is_cut(&trouble.fault.state) || !self.link.is_up() {
            true => Ended::Doubtful(error),
            false => Ended::Undone(error),
        }
    }

    /// Sends what waits, commits, waits for the disk behind the commit if that is asked, and tells others
    /// `news` by a payload. The next writer has the lock by the time of the flush, so one serves all who wait
    /// for it; and what is told is no part of what is flushed, since telling takes a lock of the whole server.
    pub(super) fn commit_as(&mut self, is_power: bool, news: Option<&str>) -> Ended {
        match self.commit_flight(is_power, news) {
            Ok((commit_at, flown)) => self.ended(commit_at, flown),
            Err(error) => Ended::Undone(error),
        }
    }

    fn commit_flight(&mut self, is_power: bool, news: Option<&str>) -> Result<(usize, Flown)> {
        let commit_at = self.hangar.runs();
        self.put_whole("COMMIT", &[])?;
        if is_power {
            self.put_local_settings();
            // A commit that has written nothing flushes nothing, and what it has seen may not be flushed.
            self.put_whole(if self.is_flushed { FLUSH_IF_BEHIND } else { FLUSH }, &[])?;
        }
        self.put_bell(news)?;
        Ok((commit_at, self.hangar.fly(&mut self.link)))
    }

    /// Puts what is told to others once a transaction is over.
    fn put_bell(&mut self, news: Option<&str>) -> Result<()> {
        let Some(payload) = news else { return Ok(()) };
        self.hangar.put_sync();
        let channel = self.schema().trim_matches('"').to_owned();
        self.put_whole(NOTIFY, &[&channel, &payload])
    }

    /// Reads what a commit came to.
    fn ended(&mut self, commit_at: usize, flown: Flown) -> Ended {
        let done = flown.answers.get(commit_at).map(Answer::done);
        let Some(Trouble { at, fault }) = flown.trouble else {
            return match done.as_deref() {
                Some("COMMIT") => Ended::Stored,
                done => Ended::Undone(Error::internal(format!(
                    "the server answered a COMMIT with {}",
                    done.unwrap_or("nothing")
                ))),
            };
        };
        let error = self.failed(&fault);
        // What ends the connection, in whatever words, may come of somebody between who has not heard the server.
        match at <= commit_at && !errors::is_cut(&fault.state) && self.link.is_up() {
            true => Ended::Undone(error),
            false => Ended::Doubtful(error),
        }
    }

    /// Has all that was seen so far on the disk.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.fault = None;
        self.run(FLUSH_IF_BEHIND, &[]).map(|_| ())
    }
}

fn in_ms(patience: Duration) -> String {
    patience.as_millis().clamp(1, 86_400_000).to_string()
}
