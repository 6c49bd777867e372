//! Sharing syncs between processes: the counts of commits made and synced, in the side file's page.
//!
//! A sync covers every commit before it, whoever made it. So a process whose commit has a number that
//! another one's sync has covered need not sync again. The counts belong to one boot of the machine:
//! what the page held of them before a crash of the system says nothing about the log.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::os;
use super::side::{
    BOOT_WORD, COMMITTED_LONG_WORD, SUSPECT_WORD, SYNC, SYNCED_LONG_WORD, Side, TURN_SLICE,
};
use crate::error::Result;

impl Side {
    /// Begins the counts of commits anew after the machine was booted: what the page held of them may
    /// be older than the log. To be called with the turn to write, before the first commit.
    pub fn begin_boot(&self) {
        let boot = os::boot_id();
        let hash = u32::from_le_bytes([boot[0], boot[1], boot[2], boot[3]]) | 1;
        if self.page.words()[BOOT_WORD].swap(hash, Ordering::SeqCst) != hash {
            self.synced().store(0, Ordering::SeqCst);
            self.committed().store(0, Ordering::SeqCst);
        }
    }

    /// Notes that a sync of the log failed: what it holds may not be on the disk, and a later sync that
    /// succeeds says nothing about it. For this boot: after the next, what is read is what is there.
    pub fn suspect_log(&self) {
        let words = self.page.words();
        words[SUSPECT_WORD].store(words[BOOT_WORD].load(Ordering::SeqCst), Ordering::SeqCst);
    }

    /// Returns whether the log must be moved into the file before anything is written behind it.
    pub fn is_log_suspect(&self) -> bool {
        let words = self.page.words();
        let suspect = words[SUSPECT_WORD].load(Ordering::SeqCst);
        suspect != 0 && suspect == words[BOOT_WORD].load(Ordering::SeqCst)
    }

    /// Notes that the log has started over.
    pub fn trust_log(&self) {
        self.page.words()[SUSPECT_WORD].store(0, Ordering::SeqCst);
    }

    /// Counts a commit and returns its number. To be called with the turn to write, right after it, so
    /// that every smaller number is in the log already.
    pub fn note_commit(&self) -> u64 {
        self.committed().fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Makes the commit of this number safe: by `sync`, or by the sync of another process that began
    /// after it was made, since a sync covers all commits before it. So processes share syncs too.
    ///
    /// Waits for another's sync for one slice, not longer: it may have been stopped in the midst.
    pub fn sync_once(&self, number: u64, mut sync: impl FnMut() -> Result<()>) -> Result<()> {
        let Some(file) = self.file()? else { return sync() };
        let bell = self.turn_bell(SYNC);
        let give_up = Instant::now() + TURN_SLICE;
        loop {
            let seen = bell.seen();
            if self.is_synced(number) {
                return Ok(());
            }
            let turn = self.take_sync(file)?;
            let left = give_up.saturating_duration_since(Instant::now());
            if turn.is_none() && !left.is_zero() {
                bell.sleep(seen, left, None);
                continue;
            }
            if self.is_synced(number) {
                return Ok(());
            }
            let up_to = self.committed().load(Ordering::SeqCst);
            sync()?;
            self.synced().fetch_max(up_to, Ordering::SeqCst);
            return Ok(());
        }
    }

    /// Takes the turn to sync, if it is free.
    fn take_sync(&self, file: BorrowedFd<'_>) -> Result<Option<SyncTurn<'_>>> {
        let is_taken = os::try_lock(file, SYNC.byte).map_err(|error| self.lock_error(&error))?;
        Ok(is_taken.then(|| SyncTurn(self)))
    }

    fn committed(&self) -> &AtomicU64 {
        &self.page.long_words()[COMMITTED_LONG_WORD]
    }

    fn is_synced(&self, number: u64) -> bool {
        self.synced().load(Ordering::SeqCst) >= number
    }

    fn synced(&self) -> &AtomicU64 {
        &self.page.long_words()[SYNCED_LONG_WORD]
    }
}

/// The turn to sync. Dropping it wakes all who wait for a sync: one may serve them all.
struct SyncTurn<'a>(&'a Side);

impl Drop for SyncTurn<'_> {
    fn drop(&mut self) {
        self.0.free(SYNC.byte);
        self.0.turn_bell(SYNC).ring(u32::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use std::cell::Cell;

    fn side() -> (tempfile::TempDir, Side) {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("db");
        std::fs::write(&db, b"").unwrap();
        let side = Side::open(&db, 0o600).unwrap();
        side.begin_boot();
        (folder, side)
    }

    #[test]
    fn a_sync_covers_every_commit_before_it_and_none_after() {
        let (_folder, side) = side();
        let syncs = Cell::new(0);
        let sync = || {
            syncs.set(syncs.get() + 1);
            Ok(())
        };
        let (first, second) = (side.note_commit(), side.note_commit());
        side.sync_once(first, sync).unwrap();
        side.sync_once(second, sync).unwrap();
        assert_eq!(syncs.get(), 1, "the first sync began after both commits");
        side.sync_once(side.note_commit(), sync).unwrap();
        assert_eq!(syncs.get(), 2);
    }

    #[test]
    fn a_sync_that_failed_covers_nothing() {
        let (_folder, side) = side();
        let number = side.note_commit();
        let failed = side.sync_once(number, || Err(Error::Poisoned));
        assert_eq!(failed, Err(Error::Poisoned));
        let was_asked = Cell::new(false);
        side.sync_once(number, || {
            was_asked.set(true);
            Ok(())
        })
        .unwrap();
        assert!(was_asked.get());
    }

    #[test]
    fn a_log_is_suspect_until_it_starts_over_or_the_machine_does() {
        let (_folder, side) = side();
        assert!(!side.is_log_suspect());
        side.suspect_log();
        assert!(side.is_log_suspect());
        side.trust_log();
        assert!(!side.is_log_suspect());
        side.suspect_log();
        side.page.words()[BOOT_WORD].store(7, Ordering::SeqCst);
        assert!(!side.is_log_suspect(), "another boot has read the log from the disk");
    }

    #[test]
    fn another_boot_begins_the_counts_anew() {
        let (_folder, side) = side();
        side.sync_once(side.note_commit(), || Ok(())).unwrap();
        side.page.words()[BOOT_WORD].store(7, Ordering::SeqCst);
        side.begin_boot();
        let was_asked = Cell::new(false);
        side.sync_once(side.note_commit(), || {
            was_asked.set(true);
            Ok(())
        })
        .unwrap();
        assert!(was_asked.get(), "a count of the boot before would have covered it");
    }
}
