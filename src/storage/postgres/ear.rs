//! The connection that a process keeps to a store whatever else it does: by it the server knows that its
//! owners live, and it hears what others tell.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::bells::Bells;
use super::connect::Connection;
use super::memory::Common;
use super::owner::Mark;
use super::url::Place;
use super::value::Row;
use crate::error::{Error, Result};
use crate::lock::Unpoisoned;

/// How long a lost connection is left alone before the next try.
const AGAIN_AFTER: Duration = Duration::from_millis(250);

/// How often everything is rung where nothing is heard: who waits looks then.
const RING_EVERY: Duration = Duration::from_millis(500);

/// How long it may take to be made.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

const HOLD: &str = "
SELECT pg_try_advisory_lock($1)";

const LET_GO: &str = "
SELECT pg_advisory_unlock($1)";

// Of locks with one number the server shows the halves.
const IS_HELD: &str = "
SELECT 1
FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 1
    AND classid::bigint = ($1::bigint >> 32) & 4294967295
    AND objid::bigint = $1::bigint & 4294967295
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
LIMIT 1";

// A server that was started a while ago has its living owners' locks again.
const HAS_SETTLED: &str = "
SELECT clock_timestamp() > s.at + interval '60 s', (extract(epoch FROM s.at) * 1000000)::bigint
FROM (
    SELECT greatest(pg_postmaster_start_time(), b.stats_reset) AS at
    FROM pg_stat_bgwriter AS b
) AS s";

/// The ear of one store in this process.
pub(super) struct Ear {
    place: Place,
    common: Arc<Common>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    conn: Option<Connection>,
    tried: Option<Instant>,
    /// Owners of this process, whose locks it holds.
    owners: Vec<Mark>,
    /// Those of them whose locks a connection before this one had not given up yet, and when that was seen.
    lacking: Vec<Mark>,
    held: Option<Instant>,
    /// When everything was rung last, where nothing is heard.
    rung: Option<Instant>,
}

impl Ear {
    /// Makes an ear that is not connected yet.
    pub(super) fn new(place: &Place, common: &Arc<Common>) -> Ear {
        let state = Mutex::default();
        Ear { place: place.clone(), common: Arc::clone(common), state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unpoisoned()
    }

    /// Takes what others have told, and returns whether they are heard.
    pub(super) fn listen(&self, bells: &Bells) -> bool {
        // Whoever finds another listening is told by the same bells.
        let Ok(mut state) = self.state.try_lock() else { return true };
        let is_deaf = self.place.is_pooled;
        if is_deaf {
            state.ring_now_and_then(bells);
        }
        // A session that is kept for nobody is another one's.
        if is_deaf && state.owners.is_empty() {
            return true;
        }
        if self.connected(&mut state, bells).is_err() {
            return is_deaf;
        }
        let heard = state.asked(|state, conn| {
            state.hold_what_lacks(conn)?;
            conn.notifications()
        });
        heard.iter().flatten().for_each(|payload| bells.hear(payload));
        is_deaf || heard.is_ok()
    }

    /// Returns why nothing of others is heard, if that is so.
    pub(super) fn check(&self, bells: &Bells) -> Result<()> {
        let mut state = self.state();
        if !self.place.is_pooled && self.connected(&mut state, bells)?.facts().is_standby {
            let why = "a standby tells nobody of changes: look now and then, or open the primary";
            return Err(Error::Unsupported(why.into()));
        }
        Ok(())
    }

    /// Returns the connection, made anew where it was lost: then all that it held is held again.
    fn connected<'state>(
        &self,
        state: &'state mut State,
        bells: &Bells,
    ) -> Result<&'state mut Connection> {
        if state.conn.is_none() {
            if state.tried.is_some_and(|tried| tried.elapsed() < AGAIN_AFTER) {
                let sentence = "the server is gone, and is asked again soon".into();
                return Err(Error::Io { engine_code: 0, sentence });
            }
            state.tried = Some(Instant::now());
            let mut conn = Connection::again(&self.place, &self.common, CONNECT_WITHIN)?;
            if !state.owners.is_empty() {
                conn.keep_session()?;
            }
            if !self.place.is_pooled && !conn.facts().is_standby {
                conn.command("LISTEN $schema")?;
            }
            (state.lacking, state.held) = (state.owners.clone(), None);
            state.hold_what_lacks(&mut conn)?;
            state.conn = Some(conn);
            bells.ring_all();
        }
        state.conn.as_mut().ok_or_else(|| Error::internal("an ear was made and is not there"))
    }

    /// Holds the lock of an owner of this process.
    pub(super) fn hold(&self, owner: Mark, bells: &Bells) -> Result<()> {
        let mut state = self.state();
        state.tried = None;
        self.connected(&mut state, bells)?;
        if state.owners.contains(&owner) {
            return Ok(());
        }
        let held = state.asked(|_, conn| {
            conn.keep_session()?;
            hold(conn, owner)
        });
        match held {
            Ok(false) => Err(Error::internal("another owner has this owner's mark")),
            // Whether it is held nobody knows: the next connection sees to it.
            answer => {
                state.owners.push(owner);
                answer.map(|_| ())
            }
        }
    }

    /// Lets go of it.
    pub(super) fn let_go(&self, owner: Mark) {
        let mut state = self.state();
        let before = state.owners.len();
        state.owners.retain(|held| *held != owner);
        state.lacking.retain(|lacking| *lacking != owner);
        if state.owners.len() < before
            && let Some(conn) = &mut state.conn
            && conn.run(LET_GO, &[&owner.lock]).is_err()
        {
            // With its connection the lock is gone, too.
            state.conn = None;
        }
        if self.place.is_pooled && state.owners.is_empty() {
            state.conn = None;
        }
    }

    /// Returns whether an owner lives. After a start of the server its locks are gone although it may live:
    /// for a while it is taken to, so that its leases decide.
    pub(super) fn is_alive(&self, owner: Mark, bells: &Bells) -> Result<bool> {
        let mut state = self.state();
        if state.owners.contains(&owner) {
            return Ok(true);
        }
        self.connected(&mut state, bells)?;
        state.asked(|_, conn| is_alive(conn, owner))
    }
}

impl State {
    fn ring_now_and_then(&mut self, bells: &Bells) {
        if self.rung.is_none_or(|at| at.elapsed() >= RING_EVERY) {
            self.rung = Some(Instant::now());
            bells.ring_all();
        }
    }

    /// Asks the connection something; one that came to nothing by that is let go.
    fn asked<T>(
        &mut self,
        ask: impl FnOnce(&mut State, &mut Connection) -> Result<T>,
    ) -> Result<T> {
        let conn = self.conn.take();
        let mut conn = conn.ok_or_else(|| Error::internal("an ear was made and is not there"))?;
        let answer = ask(self, &mut conn);
        self.conn = Some(conn).filter(Connection::is_good);
        answer
    }

    /// Holds what a connection before this one may hold still: the server hears late of a cut cable.
    fn hold_what_lacks(&mut self, conn: &mut Connection) -> Result<()> {
        let is_early = self.held.is_some_and(|at| at.elapsed() < AGAIN_AFTER);
        if self.lacking.is_empty() || is_early {
            return Ok(());
        }
        self.held = Some(Instant::now());
        for owner in std::mem::take(&mut self.lacking) {
            if !hold(conn, owner)? {
                self.lacking.push(owner);
            }
        }
        Ok(())
    }
}

fn hold(conn: &mut Connection, owner: Mark) -> Result<bool> {
    let answer = conn.run(HOLD, &[&owner.lock])?;
    Row::new(&answer, 0).get(0)
}

fn is_alive(conn: &mut Connection, owner: Mark) -> Result<bool> {
    if conn.run(IS_HELD, &[&owner.lock])?.rows() > 0 {
        return Ok(true);
    }
    let answer = conn.run(HAS_SETTLED, &[])?;
    let row = Row::new(&answer, 0);
    let (has_settled, started_us): (bool, i64) = (row.get(0)?, row.get(1)?);
    Ok(owner.server_started_us != started_us && !has_settled)
}
