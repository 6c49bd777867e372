//! A commit whose answer was lost: what became of it is asked on another connection, by its number.
//!
//! A number tells one transaction from others for as long as the server has not begun anew: after a crash
//! one that reached no disk is given again, and another server has numbers of its own.

use super::connect::Connection;
use crate::domain::news::News;
use crate::error::{Error, Result};

/// Writes that nobody knows whether they are stored.
pub(super) struct Doubt {
    /// What each answers, if they are.
    pub(super) failures: Vec<Option<Error>>,
    /// What they are to tell.
    pub(super) news: News,
    /// What was heard in place of an answer.
    error: Error,
    /// `None` for those that are done again all the same, and find themselves.
    transaction: Option<i64>,
    server_started_us: i64,
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
}

impl Doubt {
    /// Keeps the answers of the last transaction of this connection, which was cut.
    pub(super) fn of(
        conn: &Connection,
        (failures, news): (Vec<Option<Error>>, News),
        error: Error,
    ) -> Doubt {
        let server_started_us = conn.facts().started_us;
        let transaction = Some(conn.transaction());
        Doubt { failures, news, error, transaction, server_started_us }
    }

    /// Keeps that writes were sent which may be done again.
    pub(super) fn of_light(error: Error) -> Doubt {
        let news = News::default();
        Doubt { failures: Vec::new(), news, error, transaction: None, server_started_us: 0 }
    }

    /// Asks what became of them, once no transaction of before holds the lock of the store.
    pub(super) fn fate(&self, conn: &mut Connection) -> Result<Fate> {
        let Some(transaction) = self.transaction else { return Ok(Fate::Undone) };
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
