//! A commit whose answer was lost: what became of it is asked on another connection, by its number.
//!
//! A number tells one transaction from others for as long as the server has not begun anew: after a crash
//! one that reached no disk is given again, and another server has numbers of its own.

use super::connect::Connection;
use crate::domain::news::News;
use crate::error::{Error, Result};

/// What was answered by a write that nobody knows whether it is stored.
pub(super) struct Doubt<T> {
    /// The answer, if it is.
    pub(super) value: T,
    /// What it is to tell.
    pub(super) news: News,
    /// What was heard in place of an answer.
    error: Error,
    transaction: i64,
    server_started_us: i64,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is stored.
    Stored,
    /// Nothing of it is.
    Undone,
    /// The server cannot tell.
    Unknown,
}

impl<T> Doubt<T> {
    /// Keeps the answer of the last transaction of this connection, which was cut.
    pub(super) fn of(conn: &Connection, (value, news): (T, News), error: Error) -> Doubt<T> {
        let server_started_us = conn.facts().started_us;
        Doubt { value, news, error, transaction: conn.transaction(), server_started_us }
    }

    /// Asks what became of it, once no transaction of before holds the lock of the store.
    pub(super) fn fate(&self, conn: &mut Connection) -> Result<Fate> {
        if conn.facts().started_us != self.server_started_us {
            return Ok(Fate::Unknown);
        }
        Ok(match conn.fate(self.transaction)?.as_deref() {
            Some("committed") => Fate::Stored,
            Some("aborted") => Fate::Undone,
            _ => Fate::Unknown,
        })
    }

    /// Says that the connection was cut in the midst of a commit.
    pub(super) fn told(self) -> Error {
        let Error::Io { engine_code, sentence } = self.error.clone().of_a_commit() else {
            return self.error;
        };
        let sentence = format!("what was written may or may not be stored: {sentence}").into();
        Error::Io { engine_code, sentence }
    }
}
