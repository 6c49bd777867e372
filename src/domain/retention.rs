//! Keeping: what a prune takes away, and in which parts.
//!
//! Trees go whole or not at all, and only when all in them has ended (P34). A part is one transaction of
//! a bounded number of rows; a tree that needs several is gone for every look from its first one on, and
//! whoever prunes next goes on with it, whatever his filter.

mod look;
mod policy;

use serde::Serialize;

use super::list::filter::Asked;
use super::output::{Document, document};
use super::port::{
    Freed, Order, Port, Removed, Room, RunFilter, RunKey, RunState, RunStates, Walk,
};
use crate::error::{Error, Result};
use crate::limits::{
    COMPACT_PAGES_DEFAULT, COMPACT_PAGES_MAX, COMPACT_PART_PAGES, LIST_LOOKS_MAX, PRUNE_BEGUN_MAX,
    PRUNE_LEN_DEFAULT, PRUNE_LEN_MAX, PRUNE_PART_ROWS, PRUNE_PART_RUNS,
};

pub(super) use look::{is_due, look, next_look_at_ms};
pub use policy::{Policy, get, set};

/// Which trees are meant, with the runs that a filter names looked up.
#[derive(Debug, Clone)]
pub struct Meant {
    filter: RunFilter,
    order: Order,
}

/// What a prune has come to so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Runs that are gone.
    pub runs: u32,
    /// Trees that are gone for every look.
    pub trees: u32,
    /// Bytes of what the runs carried.
    pub bytes: u64,
    /// The root that was looked at last.
    after: Option<RunKey>,
    /// Nothing is left to do.
    pub is_through: bool,
}

impl Pruned {
    fn add(&mut self, removed: &Removed) {
        self.runs = self.runs.saturating_add(removed.runs);
        self.trees = self.trees.saturating_add(removed.trees);
        self.bytes = self.bytes.saturating_add(removed.bytes);
    }

    /// Returns it as of a call that ends before it is through.
    #[must_use]
    pub fn cut(self) -> Pruned {
        Pruned { is_through: false, ..self }
    }

    /// Returns whether a call that may remove so many runs is to go on.
    pub fn goes_on(&self, limit: u32) -> bool {
        !self.is_through && self.runs < limit
    }
}

/// What is next for a prune.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// There is something to remove.
    Part,
    /// There is nothing up to here.
    NoneUpTo(Pruned),
    /// There is nothing at all.
    Through(Pruned),
}

#[derive(Serialize)]
struct PruneDocument {
    runs: u32,
    trees: u32,
    bytes: u64,
    more: bool,
}

#[derive(Serialize)]
struct CompactDocument {
    freed_pages: u32,
    left_pages: u64,
}

impl Document for CompactDocument {
    const SHAPE: &'static str = "compacted";
}

impl Document for PruneDocument {
    const SHAPE: &'static str = "pruned";
}

/// Returns how many runs a prune removes at most.
pub fn prune_len(limit: u32) -> Result<u32> {
    match limit {
        0 => Ok(PRUNE_LEN_DEFAULT),
        1..=PRUNE_LEN_MAX => Ok(limit),
        _ => Err(Error::invalid(format!(
            "limit is {limit}, it must be 1 to {PRUNE_LEN_MAX}, or 0 for {PRUNE_LEN_DEFAULT}"
        ))),
    }
}

/// Returns the document of a prune.
pub fn told(pruned: &Pruned) -> Result<String> {
    let Pruned { runs, trees, bytes, is_through, .. } = *pruned;
    document(&PruneDocument { runs, trees, bytes, more: !is_through })
}

/// Returns how many pages a compact gives back.
pub fn compact_len(pages_max: u32) -> Result<u32> {
    match pages_max {
        0 => Ok(COMPACT_PAGES_DEFAULT),
        1..=COMPACT_PAGES_MAX => Ok(pages_max),
        _ => Err(Error::invalid(format!(
            "pages_max is {pages_max}, it must be 1 to {COMPACT_PAGES_MAX}, or 0 for {COMPACT_PAGES_DEFAULT}"
        ))),
    }
}

/// Goes on with a compact: one part of at most `limit` pages in all.
pub fn compact_on(port: &mut dyn Port, so_far: Freed, limit: u32) -> Result<Freed> {
    let part = limit.saturating_sub(so_far.pages).min(COMPACT_PART_PAGES);
    let freed = port.pages_free(part)?;
    Ok(Freed { pages: so_far.pages.saturating_add(freed.pages), left: freed.left })
}

/// Returns the document of a compact.
pub fn compacted(freed: Freed) -> Result<String> {
    document(&CompactDocument { freed_pages: freed.pages, left_pages: freed.left })
}

/// Returns which trees a filter means: those whose root it means and has ended.
pub fn meant(port: &mut dyn Port, asked: &Asked) -> Result<Meant> {
    let mut filter = asked.resolved(port)?;
    let ended = [RunState::Completed, RunState::Failed, RunState::Cancelled];
    filter.states = filter.states.both(RunStates::of(&ended));
    filter.is_roots_only = true;
    Ok(Meant { filter, order: asked.order })
}

/// Returns whether there is something to go on with, whatever is meant: trees that are being pruned,
/// events that have become the oldest.
pub fn has_begun(port: &mut dyn Port) -> Result<bool> {
    Ok(!port.trees_begun(1)?.is_empty() || port.has_stale_events()?)
}

/// Looks what is next for a prune: who only looks holds nobody up.
pub fn next(port: &mut dyn Port, meant: &Meant, so_far: Pruned) -> Result<Next> {
    if has_begun(port)? {
        return Ok(Next::Part);
    }
    let found = port.runs_found(&meant.filter, &meant.walk(so_far.after, PRUNE_PART_RUNS))?;
    if !ended(port, &found.run_keys)?.is_empty() {
        return Ok(Next::Part);
    }
    Ok(match found.after {
        Some(_) => Next::NoneUpTo(Pruned { after: found.after, ..so_far }),
        None => Next::Through(Pruned { is_through: true, ..so_far }),
    })
}

/// Goes on with trees that are being pruned, then with those that are meant: one part of at most `limit`
/// runs in all.
pub fn prune_on(
    port: &mut dyn Port,
    meant: Option<&Meant>,
    so_far: Pruned,
    limit: u32,
) -> Result<Pruned> {
    let runs = limit.saturating_sub(so_far.runs).min(PRUNE_PART_RUNS);
    let mut room = Room { runs, rows: PRUNE_PART_ROWS };
    let mut pruned = Pruned { is_through: false, ..so_far };
    let begun = port.trees_begun(PRUNE_BEGUN_MAX)?;
    let removed = port.trees_remove(&begun, &mut room)?;
    pruned.add(&removed);
    let is_whole = removed.is_whole
        && removed.last_key == begun.last().copied()
        && begun.len() < PRUNE_BEGUN_MAX as usize;
    let is_through = match meant {
        Some(meant) if is_whole => prune_found(port, meant, &mut pruned, &mut room)?,
        Some(_) | None => is_whole,
    };
    let has_events = port.events_trim(PRUNE_PART_ROWS)?;
    pruned.is_through = is_through && !has_events;
    Ok(pruned)
}

/// Takes trees away that are found; returns whether there are no others.
fn prune_found(
    port: &mut dyn Port,
    meant: &Meant,
    pruned: &mut Pruned,
    room: &mut Room,
) -> Result<bool> {
    let walk = meant.walk(pruned.after, room.runs);
    let found = port.runs_found(&meant.filter, &walk)?;
    let roots = ended(port, &found.run_keys)?;
    let removed = port.trees_remove(&roots, room)?;
    pruned.add(&removed);
    if removed.last_key == roots.last().copied() {
        pruned.after = found.after;
        return Ok(removed.is_whole && found.after.is_none());
    }
    pruned.after = removed.last_key.or(pruned.after);
    Ok(false)
}

/// Says what a prune would do: one part of at most `limit` runs in all.
pub fn rehearse_on(
    port: &mut dyn Port,
    meant: &Meant,
    so_far: Pruned,
    limit: u32,
) -> Result<Pruned> {
    let left = limit.saturating_sub(so_far.runs).min(PRUNE_PART_RUNS);
    let found = port.runs_found(&meant.filter, &meant.walk(so_far.after, left))?;
    let mut pruned = so_far;
    for root_key in ended(port, &found.run_keys)? {
        let left = limit.saturating_sub(pruned.runs);
        if left == 0 {
            return Ok(pruned);
        }
        let removed = port.tree_weight(root_key, left)?;
        pruned.add(&removed);
        pruned.after = Some(root_key);
        if !removed.is_whole {
            return Ok(pruned);
        }
    }
    Ok(Pruned { after: found.after, is_through: found.after.is_none(), ..pruned })
}

impl Meant {
    /// One more than there is room for, so that it is known whether there are others.
    fn walk(&self, after: Option<RunKey>, room: u32) -> Walk {
        Walk { order: self.order, after, found_max: room + 1, looks_max: LIST_LOOKS_MAX }
    }
}

fn ended(port: &mut dyn Port, run_keys: &[RunKey]) -> Result<Vec<RunKey>> {
    let mut ended = Vec::with_capacity(run_keys.len());
    for run_key in run_keys {
        if port.tree_has_ended(*run_key)? {
            ended.push(*run_key);
        }
    }
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prune_removes_1_to_100000_runs_and_the_limit_is_named() {
        assert_eq!((prune_len(0).unwrap(), prune_len(100_000).unwrap()), (1_000, 100_000));
        let refused = prune_len(100_001).unwrap_err().to_string();
        assert!(refused.contains("100001") && refused.contains("100000"), "{refused}");
    }

    #[test]
    fn a_compact_gives_back_1_to_1000000_pages_and_the_limit_is_named() {
        assert_eq!((compact_len(0).unwrap(), compact_len(1_000_000).unwrap()), (1_024, 1_000_000));
        let refused = compact_len(1_000_001).unwrap_err().to_string();
        assert!(refused.contains("1000001") && refused.contains("1000000,"), "{refused}");
    }

    #[test]
    fn what_is_not_through_says_that_there_is_more() {
        let told = told(&Pruned { runs: 2, trees: 1, bytes: 3, ..Pruned::default() }).unwrap();
        assert_eq!(told, r#"{"runs":2,"trees":1,"bytes":3,"more":true}"#);
    }
}
