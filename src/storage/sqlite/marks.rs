//! Marks: which blocks of runs have one of a kind. See the comment of their migration.
//!
//! A mark may outlive what it was made for, so that whoever follows one looks at the runs themselves. A
//! run without its marks would not be found: `check.rs` looks for those.

use std::collections::BTreeSet;

use rusqlite::types::{ToSql, ToSqlOutput};

use super::tx::Tx;
use crate::domain::metadata;
use crate::domain::port::{LaneKey, Order, Outcome, RunKey};
use crate::error::Result;
use crate::limits::{METADATA_MARK_BYTES_MAX, METADATA_MARKS_MAX};

/// Number of a block of runs.
pub(super) type Block = i64;

/// Runs of a block, as a power of two; the statements of the migrations say so too.
const BLOCK_BITS: u32 = 7;

/// What a run may be; the numbers stand in the file. 5 is the minute in which it ended, 7 its lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Queue = 1,
    Workflow = 2,
    CodeVersion = 3,
    Outcome = 4,
    Metadata = 6,
}

impl ToSql for Kind {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok((*self as i64).into())
    }
}

/// Metadata of which not every member has a mark.
pub(super) const TOO_MANY: &str = "";

// Of the newest run of a lane, whether its block has the lane's marks, and when the run before it was
// submitted.
const LANE_SEEN: &str = "
SELECT marked_block, (
    SELECT created_at_ms FROM sw_workflow_runs WHERE run_key < ?2 ORDER BY run_key DESC LIMIT 1
)
FROM sw_workflow_lanes
WHERE lane_key = ?1";

const MARKS_OF_LANE: &str = "
INSERT OR IGNORE INTO sw_workflow_marks (kind, value, block)
SELECT 1, queue, ?2 FROM sw_workflow_lanes WHERE lane_key = ?1
UNION ALL
SELECT 2, workflow, ?2 FROM sw_workflow_lanes WHERE lane_key = ?1
UNION ALL
SELECT 3, code_version, ?2 FROM sw_workflow_lanes WHERE lane_key = ?1
UNION ALL
SELECT 7, ?1, ?2";

const LANE_MARKED: &str = "
UPDATE sw_workflow_lanes
SET marked_block = ?2
WHERE lane_key = ?1";

const MARKS_OF_END: &str = "
INSERT OR IGNORE INTO sw_workflow_marks (kind, value, block)
VALUES (4, ?1, ?3), (5, ?2, ?3)";

const MARK: &str = "
INSERT OR IGNORE INTO sw_workflow_marks (kind, value, block)
VALUES (?1, ?2, ?3)";

const UNMARK: &str = "
DELETE FROM sw_workflow_marks
WHERE kind = ?1 AND value = ?2 AND block = ?3";

const MARK_BELOW: &str = "
SELECT block
FROM sw_workflow_marks
WHERE kind = ?1 AND value = ?2 AND block <= ?3
ORDER BY block DESC
LIMIT 1";

const MARK_ABOVE: &str = "
SELECT block
FROM sw_workflow_marks
WHERE kind = ?1 AND value = ?2 AND block >= ?3
ORDER BY block
LIMIT 1";

const ENDED_IN: &str = "
SELECT block
FROM sw_workflow_marks
WHERE kind = 5 AND value >= ?1 AND value <= ?2
LIMIT ?3";

const CLOCK_STEP: &str = "
INSERT OR IGNORE INTO sw_workflow_clock_steps (run_key)
VALUES (?1)";

const METADATA_OF_BLOCK: &str = "
SELECT metadata
FROM sw_workflow_runs
WHERE run_key >= ?1 AND run_key <= ?2 AND run_key <> ?3 AND metadata IS NOT NULL
ORDER BY run_key
LIMIT 128";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[
    LANE_SEEN,
    MARKS_OF_LANE,
    LANE_MARKED,
    MARKS_OF_END,
    MARK,
    UNMARK,
    MARK_BELOW,
    MARK_ABOVE,
    ENDED_IN,
    CLOCK_STEP,
    METADATA_OF_BLOCK,
];

/// Returns the block of a run.
pub(super) fn block_of(run_key: RunKey) -> Block {
    run_key >> BLOCK_BITS
}

/// Returns the first and the last key of a block.
pub(super) fn keys_of(block: Block) -> (RunKey, RunKey) {
    (block << BLOCK_BITS, (block << BLOCK_BITS) | ((1 << BLOCK_BITS) - 1))
}

/// Returns the minute of an instant.
pub(super) fn minute_of(ms: i64) -> i64 {
    ms / 60_000
}

/// Returns how a mark of metadata is written.
pub(super) fn mark_of(member: &str) -> String {
    if member.len() <= METADATA_MARK_BYTES_MAX {
        return member.to_owned();
    }
    format!("#{}", blake3::hash(member.as_bytes()).to_hex())
}

/// Returns the marks of a run's metadata.
pub(super) fn marks_of(text: &str) -> Result<BTreeSet<String>> {
    let members = metadata::members(text)?;
    let mut marks: BTreeSet<String> =
        members.iter().take(METADATA_MARKS_MAX).map(|member| mark_of(member)).collect();
    if members.len() > METADATA_MARKS_MAX {
        marks.insert(TOO_MANY.into());
    }
    Ok(marks)
}

impl Tx<'_> {
    /// Marks what a new run is. Most find the marks of their lane there, and that without a look-up.
    pub(super) fn mark_run(
        &self,
        run_key: RunKey,
        lane_key: LaneKey,
        created_at_ms: i64,
        metadata: Option<&str>,
    ) -> Result<()> {
        let known = self.marked.borrow().get(&lane_key).copied();
        let (marked_block, newest_at_ms) = match known.zip(self.newest_at_ms.get()) {
            Some(known) => known,
            None => {
                let read =
                    |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?));
                let (block, newest) =
                    self.one(LANE_SEEN, (lane_key, run_key), read)?.unwrap_or_default();
                (block, newest.unwrap_or(i64::MIN))
            }
        };
        let block = block_of(run_key);
        if marked_block != Some(block) {
            self.execute(MARKS_OF_LANE, (lane_key, block))?;
            self.execute(LANE_MARKED, (lane_key, block))?;
        }
        if created_at_ms < newest_at_ms {
            self.execute(CLOCK_STEP, [run_key])?;
        }
        self.marked.borrow_mut().insert(lane_key, Some(block));
        self.newest_at_ms.set(Some(created_at_ms));
        for mark in metadata.map(marks_of).transpose()?.unwrap_or_default() {
            self.execute(MARK, (Kind::Metadata, mark, block))?;
        }
        Ok(())
    }

    /// Marks how and when a run has ended.
    pub(super) fn mark_end(&self, run_key: RunKey, outcome: Outcome, at_ms: i64) -> Result<()> {
        self.execute(MARKS_OF_END, (outcome, minute_of(at_ms), block_of(run_key))).map(|_| ())
    }

    /// Marks what a run's metadata has become, and takes away what no run of its block has any more: a
    /// number that counts up would leave one behind each time.
    pub(super) fn mark_metadata(
        &self,
        run_key: RunKey,
        before: Option<&str>,
        after: &str,
    ) -> Result<()> {
        let (before, after) =
            (before.map(marks_of).transpose()?.unwrap_or_default(), marks_of(after)?);
        let block = block_of(run_key);
        for mark in after.difference(&before) {
            self.execute(MARK, (Kind::Metadata, mark, block))?;
        }
        let mut gone: BTreeSet<String> = before.difference(&after).cloned().collect();
        if gone.is_empty() {
            return Ok(());
        }
        let (first, last) = keys_of(block);
        let others = self.all(METADATA_OF_BLOCK, (first, last, run_key), |row| row.get(0))?;
        for other in others as Vec<String> {
            // What a migration found is not marked one by one.
            for mark in marks_of(&other)? {
                gone.remove(&mark);
            }
        }
        gone.remove(TOO_MANY);
        for mark in gone {
            self.execute(UNMARK, (Kind::Metadata, mark, block))?;
        }
        Ok(())
    }

    /// Takes a mark away that no run of its block has any more.
    pub(super) fn unmark(&self, kind: i64, value: &dyn ToSql, block: Block) -> Result<()> {
        self.execute(UNMARK, rusqlite::params![kind, value, block]).map(|_| ())
    }

    /// Returns the nearest block with a mark, from this one on.
    pub(super) fn marked(
        &self,
        (kind, value): (Kind, &dyn ToSql),
        block: Block,
        order: Order,
    ) -> Result<Option<Block>> {
        let sql = match order {
            Order::Newest => MARK_BELOW,
            Order::Oldest => MARK_ABOVE,
        };
        self.one(sql, rusqlite::params![kind, value, block], |row| row.get(0))
    }

    /// Returns up to `limit` blocks of runs that ended in this span of minutes, in no order.
    pub(super) fn ended_in(&self, from: i64, to: i64, limit: u32) -> Result<Vec<Block>> {
        self.all(ENDED_IN, (from, to, limit), |row| row.get(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_128_keys_in_a_row() {
        assert_eq!(keys_of(0), (0, 127));
        assert_eq!((block_of(127), block_of(128), keys_of(3)), (0, 1, (384, 511)));
    }

    #[test]
    fn a_long_member_is_marked_by_its_hash_and_no_text_looks_like_one() {
        let long = format!("\"name\":\"{}\"", "x".repeat(500));
        assert!(mark_of(&long).starts_with('#') && mark_of(&long).len() < 70);
        assert_eq!(mark_of("\"a\":1"), "\"a\":1");
        assert_ne!(mark_of(&long), mark_of(&format!("{long}\"")));
    }

    #[test]
    fn metadata_with_very_many_members_says_so() {
        let many: Vec<String> = (0..100).map(|at| format!("\"k{at}\":{at}")).collect();
        let marks = marks_of(&format!("{{{}}}", many.join(","))).unwrap();
        assert_eq!(marks.len(), METADATA_MARKS_MAX + 1);
        assert!(marks.contains(TOO_MANY));
    }
}
