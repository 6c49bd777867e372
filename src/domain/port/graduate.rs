//! What a backend gives to the move of a whole store: its tables as plain rows, the same in every backend,
//! and the mark that says who is in force.

use serde::{Deserialize, Serialize};

use super::run::RunKey;
use crate::error::Result;

/// One value of a row that moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cell {
    /// Nothing.
    Null,
    /// A number, or 0 and 1 for no and yes.
    Integer(i64),
    /// A name, or JSON in full wherever its bytes stand.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Cell {
    /// Returns about how many bytes it takes in memory.
    pub fn bytes(&self) -> usize {
        match self {
            Cell::Null | Cell::Integer(_) => 8,
            Cell::Text(text) => text.len(),
            Cell::Bytes(bytes) => bytes.len(),
        }
    }
}

/// The tables whose rows move, by the nouns of the domain. What each backend keeps to find rows by it makes
/// anew from them; owners stay behind, as they are processes of the old store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Where runs queue up.
    Lanes,
    /// What is to be done and what came of it.
    Runs,
    /// The queue.
    Tasks,
    /// Ended attempts.
    Attempts,
    /// Ended runs whose children are still to be ended.
    Cascades,
    /// What replays.
    Steps,
    /// What is said to runs.
    Signals,
    /// What waiting tasks wait for.
    Waits,
    /// The log.
    Events,
    /// What trees may spend.
    Balances,
    /// What is put aside of it.
    Reservations,
    /// What was spent.
    Ledger,
    /// Its sums.
    Totals,
    /// Limits of queues.
    Queues,
    /// How many runs of a concurrency key run.
    Gates,
    /// Runs that submit themselves.
    Schedules,
    /// Pruned runs that the log names.
    Gone,
    /// The policy of retention.
    Retention,
}

impl Table {
    /// In the order in which they are copied: a lane stands before its tasks.
    pub const ALL: [Table; 18] = [
        Table::Lanes,
        Table::Runs,
        Table::Tasks,
        Table::Attempts,
        Table::Cascades,
        Table::Steps,
        Table::Signals,
        Table::Waits,
        Table::Events,
        Table::Balances,
        Table::Reservations,
        Table::Ledger,
        Table::Totals,
        Table::Queues,
        Table::Gates,
        Table::Schedules,
        Table::Gone,
        Table::Retention,
    ];
}

/// What one row says of the store itself, and what moves of it at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Which store it is, whatever copies of it there are.
    pub store_id: Vec<u8>,
    /// Which of its copies.
    pub lineage: i64,
    /// When it was made.
    pub created_at_ms: i64,
    /// Where a manual clock was last advanced to.
    pub clock_ms: i64,
    /// When retention looks next.
    pub retention_next_ms: Option<i64>,
}

/// How much is read at once: so many rows, or fewer once they have so many bytes.
#[derive(Debug, Clone, Copy)]
pub struct Portion {
    /// Rows at most.
    pub rows: u32,
    /// Bytes after which no further row is read.
    pub bytes: usize,
}

/// A store that is moved, or moved into.
pub trait GraduatePort {
    /// Returns the mark, if there is one.
    fn mark(&mut self) -> Result<Option<String>>;
    /// Writes the mark, or takes it away, so that the next transaction of every handle finds it so.
    fn mark_set(&mut self, mark: Option<&str>, now_ms: i64) -> Result<()>;
    /// Writes a mark of the same phase as the one that is there.
    fn mark_note(&mut self, mark: &str) -> Result<()>;
    /// Returns a table's name, as reports name it.
    fn table_name(&self, table: Table) -> &'static str;
    /// Returns whether none of the tables has a row.
    fn is_unused(&mut self) -> Result<bool>;
    /// Returns rows of a table in the order of its key, from the first one or from behind one.
    fn table_rows(
        &mut self,
        table: Table,
        after: Option<&[Cell]>,
        portion: Portion,
    ) -> Result<Vec<Vec<Cell>>>;
    /// Returns the key by which a row is found again.
    fn table_key(&self, table: Table, row: &[Cell]) -> Vec<Cell>;
    /// Writes rows, in the order in which they were read, and what this backend finds them by.
    fn table_put(&mut self, table: Table, rows: &[Vec<Cell>]) -> Result<()>;
    /// Removes all rows of all tables.
    fn tables_clear(&mut self) -> Result<()>;
    /// Returns what the store says of itself.
    fn identity(&mut self) -> Result<Identity>;
    /// Has it say so.
    fn identity_set(&mut self, identity: &Identity) -> Result<()>;
    /// Returns the host's own tables beside ours, up to a bound.
    fn left_behind(&mut self) -> Result<Vec<String>>;
    /// Returns a run that some attempt still holds.
    fn any_held(&mut self) -> Result<Option<RunKey>>;
}
