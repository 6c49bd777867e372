//! The mark of a store that is moved or moved into: who is in force, and how far a move has come. It stands
//! among the records of the schema, which every transaction looks at, so that it is seen by all of them
//! and costs none of them anything; a library that knows no moves finds a schema that is newer than itself.

use serde::{Deserialize, Serialize};

use crate::domain::output::to_text;
use crate::domain::port::Cell;
use crate::error::{Error, Result};

/// What a mark says of its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// In force, but nothing is written while it is copied.
    Frozen,
    /// Not in force any more: the other store is.
    Moved,
    /// Not in force yet.
    Receiving,
    /// Never to be in force: the move into it was taken back.
    Aborted,
}

/// What the copier is at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Rows come in.
    #[default]
    Copying,
    /// What came is read again.
    Comparing,
    /// It is all there.
    Ready,
}

/// The rows of a table, however they are ordered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// The table.
    pub table: String,
    /// Its rows.
    pub rows: u64,
    /// The sum of what each of them holds, hashed: 32 digits.
    pub sum: String,
}

/// How far a store has come that is moved into.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// The key of the last row of the table that is next in `sums`, or in `compared`.
    pub after: Option<Vec<Cell>>,
    /// Rows of it so far.
    pub rows: u64,
    /// Their sum so far: 32 digits.
    pub sum: String,
    /// The tables that were copied, as they were read.
    pub sums: Vec<Sum>,
    /// The tables that were read again.
    pub compared: Vec<Sum>,
}

/// A mark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// What it says.
    pub phase: Phase,
    /// Which move it is of: the two stores of one have the same, and no others.
    pub move_id: String,
    /// The store that is moved.
    pub store_id: String,
    /// Where the other store is, for people.
    pub other: String,
    /// Attempts that were released; of the store that is moved.
    #[serde(default)]
    pub released: u64,
    /// What was copied; of a store that was moved.
    #[serde(default)]
    pub sums: Vec<Sum>,
    /// The host's own tables; of a store that was moved.
    #[serde(default)]
    pub left_behind: Vec<String>,
    /// Whether the other store is open; of a store that was moved.
    #[serde(default)]
    pub is_open: bool,
    /// How far it has come; of a store that is moved into.
    #[serde(default)]
    pub progress: Progress,
}

impl Mark {
    /// Makes the first mark of a store.
    pub fn new(phase: Phase, move_id: &str, store_id: &str, other: &str) -> Mark {
        Mark {
            phase,
            move_id: move_id.into(),
            store_id: store_id.into(),
            other: other.into(),
            released: 0,
            sums: Vec::new(),
            left_behind: Vec::new(),
            is_open: false,
            progress: Progress::default(),
        }
    }

    /// Reads a mark.
    pub fn read(text: &str) -> Result<Mark> {
        let corrupt =
            |error| Error::Corrupt(format!("the mark of a move cannot be read: {error}").into());
        serde_json::from_str(text).map_err(corrupt)
    }

    /// Writes it.
    pub fn text(&self) -> Result<String> {
        to_text(self)
    }

    /// Returns what whoever reads its store is answered; `None` where it may be read.
    pub fn read_refusal(&self) -> Option<Error> {
        match self.phase {
            Phase::Frozen => None,
            Phase::Moved | Phase::Receiving | Phase::Aborted => Some(self.refusal()),
        }
    }

    /// Returns what whoever makes sure of its schema is answered; `None` where that is as it should be, and the
    /// store may come to be in force.
    pub fn init_refusal(&self) -> Option<Error> {
        match self.phase {
            Phase::Frozen | Phase::Receiving => None,
            Phase::Moved | Phase::Aborted => Some(self.refusal()),
        }
    }

    /// Returns what whoever writes to its store is answered.
    pub fn refusal(&self) -> Error {
        let other = &self.other;
        match self.phase {
            Phase::Frozen => Error::Busy(
                format!("the store is being moved to {other}: nothing is written meanwhile").into(),
            ),
            Phase::Moved => Error::Moved(
                format!("the store was moved to {other}, which is in force: open that").into(),
            ),
            Phase::Receiving => Error::Busy(
                format!("the store is being filled from {other}, which is not done").into(),
            ),
            Phase::Aborted => Error::Moved(
                format!("a move from {other} into this store was taken back: it holds a part, and is not in force").into(),
            ),
        }
    }
}
