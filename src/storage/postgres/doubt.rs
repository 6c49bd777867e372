//! A commit whose answer was lost: what became of it is asked on another connection, by its number.
//!
//! A number tells one transaction from others for as long as the server has not begun anew: after a crash
//! one that reached no disk is given again, and another server has numbers of its own.

use super::connect::{Connection, Session};
use crate::domain::news::News;
use crate::error::{Error, Result};
use crate::id::Id;

const RUN_IS_THERE: &str = "
SELECT 1
FROM $schema.sw_workflow_runs
WHERE run_id = $1";

const IS_AT_WORK: &str = "
SELECT 1
FROM pg_stat_activity
WHERE pid = $1 AND (extract(epoch FROM backend_start) * 1000000)::bigint = $2";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[RUN_IS_THERE, IS_AT_WORK];

/// Writes that nobody knows whether they are stored.
pub(super) struct Doubt {
    /// What each answers, if they are.
    pub(super) failures: Vec<Option<Error>>,
    /// What they are to tell.
    pub(super) news: News,
    /// What was heard in place of an answer.
    error: Error,
    evidence: Evidence,
    server_started_us: i64,
    /// The session that did them, where its end has to be seen.
    session: Option<Session>,
}

/// By what is told what became of them.
#[derive(Debug, Clone, Copy)]
enum Evidence {
    /// The number of their transaction.
    Transaction(i64),
    /// A run that it made.
    Run(Id),
    /// Nothing: they are done again, and find themselves.
    None,
}

/// What became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// They are stored.
    Stored,
    /// Nothing of them is, or it does no harm to do them again.
    Undone,
    /// The server cannot tell.
    Unknown,
    /// It may be still to come.
    UnderWay,
}

impl Doubt {
    /// Keeps the answers of the last transaction of this connection, which was cut.
    pub(super) fn of(
        conn: &Connection,
        (failures, news): (Vec<Option<Error>>, News),
        error: Error,
    ) -> Doubt {
        let server_started_us = conn.facts().started_us;
        let evidence = Evidence::Transaction(conn.transaction());
        Doubt { failures, news, error, evidence, server_started_us, session: None }
    }

    /// Keeps that light calls were sent, of which one makes this run, or all may be done again.
    pub(super) fn of_light(
        conn: &Connection,
        count: usize,
        (news, makes): (News, Option<Id>),
        error: Error,
    ) -> Doubt {
        let evidence = makes.map_or(Evidence::None, Evidence::Run);
        // They lock when they are read: as long as the session is there, they may be still to come.
        let session = Some(conn.session());
        let failures = vec![None; count];
        Doubt { failures, news, error, evidence, server_started_us: 0, session }
    }

    /// Asks what became of them, once no transaction of before holds the lock of the store.
    pub(super) fn fate(&self, conn: &mut Connection) -> Result<Fate> {
        if let Some(Session { process, started_us }) = self.session
            && conn.run(IS_AT_WORK, &[&process, &started_us])?.rows() > 0
        {
            return Ok(Fate::UnderWay);
        }
        let transaction = match self.evidence {
            Evidence::None => return Ok(Fate::Undone),
            Evidence::Run(run_id) => {
                let is_there = conn.run(RUN_IS_THERE, &[&run_id])?.rows() > 0;
                return Ok(if is_there { Fate::Stored } else { Fate::Undone });
            }
            Evidence::Transaction(transaction) => transaction,
        };
        if conn.facts().started_us != self.server_started_us {
            return Ok(Fate::Unknown);
        }
        Ok(match conn.fate(transaction)?.as_deref() {
            Some("committed") => Fate::Stored,
            Some("aborted") => Fate::Undone,
            _ => Fate::Unknown,
        })
    }

    /// Says that the connection was cut in the midst of a commit.
    pub(super) fn told(&self) -> Error {
        let Error::Io { engine_code, sentence } = self.error.clone().of_a_commit() else {
            return self.error.clone();
        };
        let sentence = format!("what was written may or may not be stored: {sentence}").into();
        Error::Io { engine_code, sentence }
    }
}
