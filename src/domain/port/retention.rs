//! What a backend gives to pruning: trees of runs that have ended go, a bounded part at a time.

use super::run::RunKey;
use crate::error::Result;

/// What one transaction may still remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Runs.
    pub runs: u32,
    /// Rows of all kinds, about.
    pub rows: u32,
}

impl Room {
    /// Returns whether nothing more fits.
    pub fn is_full(self) -> bool {
        self.runs == 0 || self.rows == 0
    }
}

/// What was removed, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// Trees that were there before.
    pub trees: u32,
    /// Runs.
    pub runs: u32,
    /// Bytes of what these carried: args, results, errors, metadata, what their steps recorded and what
    /// was said to them.
    pub bytes: u64,
    /// The last of the roots that were given of which anything was removed.
    pub last_key: Option<RunKey>,
    /// The trees up to that one are gone to the last row.
    pub is_whole: bool,
}

/// What was given back of the pages of a file that hold nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Freed {
    /// Pages by which the file is shorter.
    pub pages: u32,
    /// Pages that hold nothing still.
    pub left: u64,
}

/// Pruning, and the room that it leaves.
pub trait RetentionPort {
    /// Returns roots of trees that are being pruned and of which rows can go.
    fn trees_begun(&mut self, limit: u32) -> Result<Vec<RunKey>>;
    /// Returns whether this is the root of a tree of which every run has ended, and whether every run has
    /// that was forked from one of them, however often in a row: a fork may await children of the older
    /// run.
    fn tree_has_ended(&mut self, root_key: RunKey) -> Result<bool>;
    /// Takes trees away, in this order, while there is room: from the first row on a tree is gone for
    /// every look-up. What is left of the last one the next call takes.
    fn trees_remove(&mut self, root_keys: &[RunKey], room: &mut Room) -> Result<Removed>;
    /// Returns what removing a tree would come to, up to so many of its runs.
    fn tree_weight(&mut self, root_key: RunKey, runs_max: u32) -> Result<Removed>;
    /// Returns whether the oldest event is of a pruned run, and not the newest as well.
    fn has_stale_events(&mut self) -> Result<bool>;
    /// Takes the oldest events away that are of pruned runs; returns whether there may be more.
    fn events_trim(&mut self, limit: u32) -> Result<bool>;
    /// Gives up to so many pages that hold nothing back; refuses a file that was made without that.
    fn pages_free(&mut self, limit: u32) -> Result<Freed>;
}
