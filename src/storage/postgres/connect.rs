//! Connections, all alike, and the statements that are prepared on each.

use std::ffi::CString;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::errors;
use super::flight::{Hangar, Mark};
use super::memory::Common;
use super::pq::{Answer, Fault, Link};
use super::url::Place;
use super::value::{Param, Row};
use crate::clock::LeaseClock;
use crate::error::{Error, Result};
use crate::os;

/// The first version whose statements and settings are these.
const VERSION_MIN: i32 = 140_000;

/// How often is looked whether a pooler shares sessions.
const POOLER_LOOKS: u32 = 5;

/// What every connection has, whatever the server, the database or the role would have it be. Plans hang
/// on no value, names on no path, and what is read on no setting. A server that hears nothing of a machine
/// that was cut off looks within seconds whether it is there: its owners' locks wait for that.
const SETTINGS: &str = "
SET search_path = pg_catalog;
SET plan_cache_mode = force_generic_plan;
SET enable_seqscan = off;
SET jit = off;
SET standard_conforming_strings = on;
SET bytea_output = hex;
SET extra_float_digits = 1;
SET timezone = 'UTC';
SET datestyle = ISO;
SET statement_timeout = 0;
SET default_transaction_isolation = 'read committed';
SET default_transaction_read_only = off;
SET idle_in_transaction_session_timeout = '10s';
SET tcp_keepalives_idle = 2;
SET tcp_keepalives_interval = 1;
SET tcp_keepalives_count = 3;
SET tcp_user_timeout = 5000";

/// The same, of one transaction, behind a pooler, where sessions are others' as well; and what it is to wait for
/// at its commit, where the role would not.
const LOCAL_SETTINGS: &str = "
SELECT pg_catalog.set_config('search_path', 'pg_catalog', true),
    pg_catalog.set_config('enable_seqscan', 'off', true), pg_catalog.set_config('jit', 'off', true),
    pg_catalog.set_config('standard_conforming_strings', 'on', true),
    pg_catalog.set_config('bytea_output', 'hex', true),
    pg_catalog.set_config('extra_float_digits', '1', true),
    pg_catalog.set_config('timezone', 'UTC', true), pg_catalog.set_config('datestyle', 'ISO', true),
    pg_catalog.set_config('statement_timeout', '0', true),
    pg_catalog.set_config('idle_in_transaction_session_timeout', '10s', true),
    CASE pg_catalog.current_setting('synchronous_commit')
        WHEN 'off' THEN pg_catalog.set_config('synchronous_commit', 'on', true)
    END";

/// Begins a transaction that stays open, by which a session is kept behind a pooler. It has no snapshot and no
/// number between its statements, so that it holds up nobody.
const KEEP_SESSION: &str = "
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL search_path = pg_catalog;
SELECT set_config(name, '0', true) FROM pg_settings
    WHERE name IN ('statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')";

const FACTS: &str = "
SELECT current_setting('server_encoding'), current_setting('fsync'),
    current_setting('synchronous_commit'), pg_is_in_recovery(),
    (extract(epoch FROM greatest(pg_postmaster_start_time(), b.stats_reset)) * 1000000)::bigint
FROM pg_stat_bgwriter AS b";

// The path as the session began with it: behind a pooler somebody else may have set another one.
const SESSION: &str = "
SELECT a.pid, p.reset_val, (extract(epoch FROM a.backend_start) OPERATOR(pg_catalog.*) 1000000)::bigint
FROM pg_catalog.pg_stat_activity AS a
JOIN pg_catalog.pg_settings AS p ON p.name OPERATOR(pg_catalog.=) 'search_path'
WHERE a.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()";

const CLOCK: &str = "
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";

const FATE: &str = "
SELECT pg_xact_status($1::bigint::text::xid8)";

/// What a server is, as a connection was told when it was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    /// It forgets what it acknowledged when the power goes.
    pub(super) is_without_fsync: bool,
    /// It follows another one.
    pub(super) is_standby: bool,
    /// When it was started, microseconds, or began anew after a crash, as its counts then do: what was
    /// locked before is not any more, and a number of a transaction may be given twice.
    pub(super) started_us: i64,
}

/// A session of the server, told from all others.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Session {
    /// Its process.
    pub(super) process: i32,
    /// When it was started, microseconds: numbers of processes are given again.
    pub(super) started_us: i64,
}

/// A connection to a store.
pub(super) struct Connection {
    pub(super) link: Link,
    schema: String,
    common: Arc<Common>,
    facts: Facts,
    session: Session,
    /// Where statements of the host's find their tables, as the server, the database, the role or the
    /// URL would have it.
    host_path: String,
    pub(super) hangar: Hangar,
    /// It is kept by a transaction that stays open.
    is_kept: bool,
    /// What went wrong first in the transaction that is open.
    pub(super) fault: Option<Fault>,
    /// The number of the last transaction that was locked.
    pub(super) transaction: i64,
    /// Its commit waits for the disk.
    pub(super) is_flushed: bool,
    /// What waits is a transaction of one flight: nothing of it may be sent before the rest.
    pub(super) is_whole: bool,
    /// It was to be sent all the same.
    has_asked: bool,
}

impl Connection {
    /// Connects and refuses a server that cannot be worked with.
    pub(super) fn open(
        place: &Place,
        common: &Arc<Common>,
        timeout: Duration,
    ) -> Result<Connection> {
        let mut conn = Connection::bare(place, common, timeout)?;
        let session = conn.meet_session()?;
        if place.is_pooled {
            conn.learn_facts()?;
            conn.learn_time()?;
            return Ok(conn);
        }
        if session != conn.link.process() && !common.is_by_good_pooler.load(Ordering::Relaxed) {
            conn.refuse_shared(session, Connection::bare(place, common, timeout)?)?;
            common.is_by_good_pooler.store(true, Ordering::Relaxed);
        }
        conn.command(SETTINGS)?;
        conn.learn_facts()?;
        conn.learn_time()?;
        Ok(conn)
    }

    /// Connects, and leaves the session as it is.
    fn bare(place: &Place, common: &Arc<Common>, timeout: Duration) -> Result<Connection> {
        let connected = Link::connect(&place.params(), timeout)?;
        let link = connected.map_err(|fault| unreachable(place, &fault))?;
        check_kind(&link)?;
        check_version(link.server_version())?;
        Ok(Connection {
            link,
            schema: format!("\"{}\"", place.schema),
            common: Arc::clone(common),
            facts: Facts { is_without_fsync: false, is_standby: false, started_us: 0 },
            session: Session::default(),
            host_path: String::new(),
            hangar: Hangar::new(place.is_pooled),
            is_kept: false,
            fault: None,
            transaction: 0,
            is_flushed: false,
            is_whole: false,
            has_asked: false,
        })
    }

    /// Returns the number of the server's process that serves it. It is not the one that was told at the
    /// connect where a pooler answered that.
    fn meet_session(&mut self) -> Result<i32> {
        let answer = self.run_once(SESSION, &[])?;
        let row = Row::new(&answer, 0);
        self.host_path = row.get(1)?;
        self.session = Session { process: row.get(0)?, started_us: row.get(2)? };
        Ok(self.session.process)
    }

    /// Returns which session of the server serves it.
    pub(super) fn session(&self) -> Session {
        self.session
    }

    /// Refuses a pooler that shares sessions between transactions: locks of owners, LISTEN and prepared
    /// statements are of a session. What another connection has in a transaction is the session in which
    /// this one was last, or it finds another one then. Nothing is set or prepared yet on sessions that are
    /// somebody else's as well. Others who work there may hide it for a moment, hence some looks.
    fn refuse_shared(&mut self, session: i32, mut other: Connection) -> Result<()> {
        for _ in 0..POOLER_LOOKS {
            other.command("BEGIN")?;
            let is_shared = other.meet_session()? == session || self.meet_session()? != session;
            other.command("ROLLBACK")?;
            if is_shared || self.meet_session()? != session {
                return Err(errors::pooled());
            }
        }
        Ok(())
    }

    /// Connects to a store that was open: that its server is away now is no fault of what names it.
    pub(super) fn again(
        place: &Place,
        common: &Arc<Common>,
        timeout: Duration,
    ) -> Result<Connection> {
        Connection::open(place, common, timeout).map_err(|error| {
            let Error::CannotOpen { engine_code, sentence } = error else { return error };
            Error::Io { engine_code, sentence }
        })
    }

    /// Keeps the session of the server that it has, whatever is between.
    pub(super) fn keep_session(&mut self) -> Result<()> {
        if self.is_pooled() && !self.is_kept {
            self.command(KEEP_SESSION)?;
            self.is_kept = true;
        }
        Ok(())
    }

    /// Returns whether a pooler gives each transaction a session of its choice.
    pub(super) fn is_pooled(&self) -> bool {
        self.hangar.is_pooled()
    }

    /// Notes which start of the server the last transaction was under.
    pub(super) fn note_start(&mut self, started_us: i64) {
        self.facts.started_us = started_us;
    }

    /// Puts the settings of what follows, where those of the session are nobody's.
    pub(super) fn put_local_settings(&mut self) {
        if self.is_pooled() {
            self.hangar.put_set(LOCAL_SETTINGS);
        }
    }

    fn learn_facts(&mut self) -> Result<()> {
        let answer = self.run(FACTS, &[])?;
        let row = Row::new(&answer, 0);
        let encoding: String = row.get(0)?;
        if encoding != "UTF8" {
            return Err(Error::Unsupported(
                format!("the database is encoded in {encoding}: UTF8 is needed").into(),
            ));
        }
        self.facts = Facts {
            is_without_fsync: row.text(1)? == Some("off"),
            is_standby: row.get(3)?,
            started_us: row.get(4)?,
        };
        if !self.is_pooled() && row.text(2)? == Some("off") {
            self.command("SET synchronous_commit = on")?;
        }
        Ok(())
    }

    /// Reads the server's clock.
    fn learn_time(&mut self) -> Result<()> {
        let asked_ms = os::uptime_ms();
        let answer = self.run(CLOCK, &[])?;
        self.learn(Row::new(&answer, 0).get(0)?, asked_ms);
        Ok(())
    }

    pub(super) fn learn(&mut self, server_ms: i64, asked_ms: i64) {
        self.common.clock.learn(server_ms, asked_ms, os::uptime_ms());
    }

    /// Returns the number of the last transaction that was locked.
    pub(super) fn transaction(&self) -> i64 {
        self.transaction
    }

    /// Returns what became of a transaction, in the server's word; `None` if it does not know any more.
    pub(super) fn fate(&mut self, transaction: i64) -> Result<Option<String>> {
        let answer = self.run(FATE, &[&transaction])?;
        Row::new(&answer, 0).maybe(0)
    }

    /// Returns what the server is.
    pub(super) fn facts(&self) -> Facts {
        self.facts
    }

    /// Returns the schema's name as a statement has it.
    pub(super) fn schema(&self) -> &str {
        &self.schema
    }

    /// Returns what the connections to this store share.
    pub(super) fn common(&self) -> &Common {
        &self.common
    }

    /// Returns a key that no row has.
    pub(super) fn new_key(&self) -> i64 {
        self.common.keys.make(self.common.clock.lease_ms())
    }

    /// Puts a statement of ours, prepared when it is first run, behind those that wait to be sent. Whether it
    /// fails is known when they are.
    pub(super) fn put(&mut self, sql: &str, params: &[&dyn Param]) -> Result<()> {
        self.put_whole(sql, params)?;
        let is_to_go = self.hangar.is_full() && !self.is_whole;
        if is_to_go { self.fly().map(|_| ()) } else { Ok(()) }
    }

    /// Returns whether something was to be asked since the last call that may not be.
    pub(super) fn has_asked(&mut self) -> bool {
        std::mem::take(&mut self.has_asked)
    }

    /// Sends what waits, and returns what each statement answered.
    pub(super) fn fly(&mut self) -> Result<Vec<Answer>> {
        if self.is_whole {
            self.has_asked = true;
            return Err(Error::internal("a transaction of one flight asked for an answer"));
        }
        if self.hangar.len() == 0 {
            return Ok(Vec::new());
        }
        let flown = self.hangar.fly(&mut self.link);
        match flown.trouble {
            None => Ok(flown.answers),
            Some(trouble) => Err(self.failed(&trouble.fault)),
        }
    }

    /// Runs a statement of ours, behind those that wait, and returns what it answered.
    pub(super) fn run(&mut self, sql: &str, params: &[&dyn Param]) -> Result<Answer> {
        self.put_whole(sql, params)?;
        let last = self.fly()?.pop();
        last.ok_or_else(|| Error::internal("a statement that ran has no answer"))
    }

    /// Returns where the statements that wait end.
    pub(super) fn mark(&self) -> Mark {
        self.hangar.mark()
    }

    /// Forgets what was put since the mark; `false` if it may have changed rows already.
    pub(super) fn forget(&mut self, mark: &Mark) -> bool {
        self.hangar.forget(mark)
    }

    /// Runs a statement that is not kept.
    pub(super) fn run_once(&mut self, sql: &str, params: &[&dyn Param]) -> Result<Answer> {
        self.fly()?;
        let sql = sql.replace("$schema", &self.schema);
        let answer = self.free().and_then(|link| link.run_once(&sql, &sent(params)?));
        answer.map_err(|fault| self.failed(&fault))
    }

    /// Runs a statement of the host's, without parameters by the simple way. Its fault is the host's, and no
    /// reason to run the transaction again, unless it says so or the connection is gone.
    pub(super) fn guest(
        &mut self,
        sql: &str,
        params: Option<&[&dyn Param]>,
    ) -> Result<std::result::Result<Answer, Fault>> {
        self.fly()?;
        let answer = self.free().and_then(|link| match params {
            Some(params) => link.run_once(sql, &sent(params)?),
            None => link.run(sql),
        });
        match answer {
            Err(fault) if errors::is_of_the_way(&fault.state) => Err(self.failed(&fault)),
            answer => Ok(answer),
        }
    }

    /// Returns the path that statements of the host's have.
    pub(super) fn host_path(&self) -> &str {
        &self.host_path
    }

    /// Runs statements without parameters, and returns what the last of them did, in a word.
    pub(super) fn command(&mut self, sql: &str) -> Result<String> {
        self.fly()?;
        let sql = sql.replace("$schema", &self.schema);
        let answer = self.free().and_then(|link| link.run(&sql));
        answer.map(|answer| answer.done()).map_err(|fault| self.failed(&fault))
    }

    /// Lends the link for a statement that is sent by itself.
    fn free(&mut self) -> std::result::Result<&mut Link, Fault> {
        self.hangar.note_other();
        self.hangar.settle(&mut self.link)?;
        Ok(&mut self.link)
    }

    /// Takes what has come of notifications.
    pub(super) fn notifications(&mut self) -> Result<Vec<String>> {
        self.link.notifications().map_err(|fault| self.failed(&fault))
    }

    /// Begins a transaction by this statement, which waits to be sent.
    pub(super) fn begin(&mut self, sql: &str) -> Result<()> {
        self.fault = None;
        self.put(sql, &[])
    }

    /// Commits; what the server undid in its place is an error.
    #[cfg(test)]
    pub(super) fn commit(&mut self) -> Result<()> {
        let done = self.run("COMMIT", &[])?.done();
        if done == "COMMIT" {
            return Ok(());
        }
        Err(Error::internal(format!("the server answered a COMMIT with {done}")))
    }

    /// Puts a statement with those before it, however many they are.
    pub(super) fn put_whole(&mut self, sql: &str, params: &[&dyn Param]) -> Result<()> {
        let params = sent(params).map_err(|fault| self.failed(&fault))?;
        let is_first = self.is_pooled()
            && self.hangar.len() == 0
            && (self.hangar.is_airborne() || self.link.is_idle());
        let is_begin = sql.starts_with("BEGIN");
        if is_first && !is_begin {
            self.put_local_settings();
        }
        let schema = &self.schema;
        self.hangar.put(sql, params, |sql| sql.replace("$schema", schema));
        if is_first && is_begin {
            self.put_local_settings();
        }
        Ok(())
    }

    /// Undoes the transaction. What cannot be undone is a connection that is of no more use.
    pub(super) fn roll_back(&mut self) {
        self.is_whole = false;
        self.hangar.truncate(0);
        let is_settled = self.hangar.settle(&mut self.link).is_ok();
        if !is_settled || self.link.is_idle() || !self.link.is_up() {
            return;
        }
        let kept = self.fault.take();
        let _ = self.run("ROLLBACK", &[]);
        self.fault = kept.or(self.fault.take());
    }

    /// Ends a transaction that has only read, without waiting for it.
    pub(super) fn let_go(&mut self) {
        if self.fault.is_some() {
            return self.roll_back();
        }
        self.hangar.truncate(0);
        if self.hangar.is_airborne() || self.link.is_idle() {
            return;
        }
        if self.put_whole("ROLLBACK", &[]).is_ok()
            && let Err(fault) = self.hangar.send_off(&mut self.link)
        {
            self.failed(&fault);
        }
    }

    /// Returns the state of what went wrong first in the last transaction, if anything did.
    pub(super) fn fault(&self) -> Option<&str> {
        self.fault.as_ref().map(|fault| fault.state.as_str())
    }

    /// Returns that as an error.
    pub(super) fn error(&self) -> Error {
        let unknown = || Error::internal("a transaction came to nothing, and nothing failed");
        self.fault.as_ref().map_or_else(unknown, errors::map)
    }

    /// Returns whether a lock was waited for in vain.
    pub(super) fn is_waited_out(&self) -> bool {
        self.fault().is_some_and(|state| ["55P03", "57014"].contains(&state))
    }

    /// Returns whether a transaction that failed may do better, on this connection or on another.
    pub(super) fn may_pass_again(&self) -> bool {
        self.fault().is_some_and(|state| errors::may_pass_again(state) || errors::is_cut(state))
    }

    /// Returns the descriptor of its socket.
    #[cfg(test)]
    pub(super) fn socket(&self) -> std::os::fd::RawFd {
        self.link.socket()
    }

    /// Returns whether it can be used by whoever comes next.
    pub(super) fn is_good(&self) -> bool {
        // What a panic has left waiting is nobody's.
        let is_settled = !self.is_whole && self.hangar.is_settled();
        let is_free = match self.is_kept {
            true => self.fault.is_none(),
            false => self.hangar.is_airborne() || self.link.is_idle(),
        };
        self.link.is_up() && is_settled && is_free
    }

    pub(super) fn failed(&mut self, fault: &Fault) -> Error {
        self.fault.get_or_insert_with(|| fault.clone());
        errors::map(fault)
    }
}

/// Refuses servers that speak as PostgreSQL does and are none: the first has locks of sessions that hold nobody
/// up, by which writes would go past each other and living workers lose their runs; the second was never tried.
fn check_kind(link: &Link) -> Result<()> {
    let version = link.told(c"server_version").unwrap_or_default();
    let name = match link.told(c"crdb_version") {
        Some(_) => "CockroachDB",
        None if version.contains("-YB-") => "YugabyteDB",
        None => return Ok(()),
    };
    Err(Error::Unsupported(
        format!(
            "the server is {name}: stores need a PostgreSQL, whose locks and snapshots they rest on"
        )
        .into(),
    ))
}

fn check_version(version: i32) -> Result<()> {
    if version >= VERSION_MIN {
        return Ok(());
    }
    let major = version / 10_000;
    Err(Error::Unsupported(
        format!("the server is PostgreSQL {major}: 14 or newer is needed").into(),
    ))
}

fn sent(params: &[&dyn Param]) -> std::result::Result<Vec<Option<CString>>, Fault> {
    let of = |param: &&dyn Param| {
        let nul = |_| Fault { state: "22021".into(), text: "a NUL".into() };
        param.text().map(|text| CString::new(text).map_err(nul)).transpose()
    };
    params.iter().map(of).collect()
}

/// Says why a store cannot be reached, without what is secret.
fn unreachable(place: &Place, fault: &Fault) -> Error {
    let text = place.without_secrets(&fault.text);
    let shown = &place.shown;
    match fault.state.as_str() {
        "53300" => Error::Busy(format!("{shown} has no connection left to give: {text}").into()),
        "57P03" => Error::Busy(format!("{shown} is starting or stopping: {text}").into()),
        state => Error::CannotOpen {
            engine_code: errors::engine_code(state),
            sentence: format!("{shown} cannot be reached: {text}").into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;
    use std::thread;

    /// A message of the server: its kind, its length, and what it holds.
    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind][..], &length, body].concat()
    }

    /// Lets one client in, tells it who it is by these parameters, and hears no more.
    fn stand_in(folder: &std::path::Path, told: &[&str]) -> thread::JoinHandle<()> {
        let listener = UnixListener::bind(folder.join(".s.PGSQL.5432")).unwrap();
        let told: Vec<u8> = told.iter().flat_map(|it| message(b'S', it.as_bytes())).collect();
        thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let mut asked = [0; 1024];
            assert!(client.read(&mut asked).unwrap() > 8);
            let ready = [message(b'R', &[0; 4]), told, message(b'Z', b"I")].concat();
            client.write_all(&ready).unwrap();
            while client.read(&mut asked).is_ok_and(|bytes| bytes > 0) {}
        })
    }

    #[test]
    fn what_speaks_as_a_postgresql_and_is_none_is_refused_by_its_name() {
        let cockroach = ["server_version\x0013.0.0\0", "crdb_version\0CockroachDB CCL v24.1.0\0"];
        let yugabyte = ["server_version\x0015.12-YB-2025.1.0.0-b0\0"];
        let old = ["server_version\x0013.9\0"];
        let cases = [(&cockroach[..], "CockroachDB"), (&yugabyte, "YugabyteDB"), (&old, "13")];
        for (told, name) in cases {
            let folder = tempfile::tempdir().unwrap();
            let server = stand_in(folder.path(), told);
            let url = format!("postgresql://somebody@/app?host={}", folder.path().display());
            let place = Place::read(&url).unwrap();
            let opened = Connection::bare(&place, &Arc::default(), Duration::from_secs(60));
            let refused = opened.err().unwrap();
            assert_eq!(refused.code(), -6);
            assert!(refused.to_string().contains(name), "{refused}");
            server.join().unwrap();
        }
    }

    #[test]
    fn a_server_below_14_is_refused_by_its_version() {
        assert_eq!(check_version(140_000), Ok(()));
        let refused = check_version(130_014).unwrap_err();
        assert_eq!(refused.code(), -6);
        assert!(refused.to_string().contains("PostgreSQL 13"), "{refused}");
    }

    #[test]
    fn what_a_connection_fails_of_is_told_without_what_is_secret() {
        let place = Place::read("postgresql://me:hush@host/db").unwrap();
        let told = |state: &str, text: &str| {
            unreachable(&place, &Fault { state: state.into(), text: text.into() })
        };
        for (state, code) in
            [("28P01", -47), ("3D000", -47), ("53300", -40), ("57P03", -40), ("", -47)]
        {
            let error = told(state, "it says \"hush\"");
            assert_eq!(error.code(), code, "{state}");
            assert!(!error.to_string().contains("hush"), "{error}");
            assert!(error.to_string().contains("postgresql://me@host/db"), "{error}");
        }
    }
}
