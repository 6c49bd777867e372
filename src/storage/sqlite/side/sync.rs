//! Sharing syncs between processes: the counts of commits made and synced, in the side file's page.
//!
//! A sync covers every commit before it, whoever made it. So a process whose commit has a number that
//! another one's sync has covered need not sync again. The counts belong to one boot of the machine:
//! what the page held of them before a crash of the system says nothing about the log.

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::{
    BEGUN_LONG_WORD, BOOT_WORD, COMMITTED_LONG_WORD, FRAMES_WORD, SUSPECT_WORD, SYNC,
    SYNCED_LONG_WORD, Side, TURN_SLICE,
};
use crate::error::{Error, Result};
use crate::os;

impl Side {
    /// Begins the counts of commits anew after the machine was booted: what the page held of them may
    /// be older than the log. To be called with the turn to write, before the first commit.
    pub fn begin_boot(&self) -> Result<()> {
        let boot =
            os::boot_id().map_err(|error| Error::from_os("ask which boot this is", &error))?;
        let hash = u32::from_le_bytes([boot[0], boot[1], boot[2], boot[3]]) | 1;
        if self.page.words()[BOOT_WORD].swap(hash, Ordering::SeqCst) != hash {
            self.synced().store(0, Ordering::SeqCst);
            // One for what the log holds already: the page may be new because somebody removed it.
            self.committed().store(1, Ordering::SeqCst);
            self.begun().store(1, Ordering::SeqCst);
            self.note_frames(0);
        }
        Ok(())
    }

    /// Notes that a sync failed, of whichever file: pages that were to be written may be believed clean
    /// from now on, so that a later sync that succeeds says nothing about them. Poisons this process'
    /// writer, and tells every process; for this boot, as after the next what is read is what is there.
    pub fn note_failed_sync(&self) {
        self.poison();
        let words = self.page.words();
        words[SUSPECT_WORD].store(words[BOOT_WORD].load(Ordering::SeqCst), Ordering::SeqCst);
    }

    /// Refuses writes of this process until the file is opened again.
    pub fn poison(&self) {
        self.is_poisoned.store(true, Ordering::SeqCst);
    }

    /// Returns whether writes of this process are refused.
    pub fn is_poisoned(&self) -> bool {
        self.is_poisoned.load(Ordering::SeqCst)
    }

    /// Returns whether a sync of any process has failed, and nobody has started over since.
    pub fn is_suspect(&self) -> bool {
        let words = self.page.words();
        let suspect = words[SUSPECT_WORD].load(Ordering::SeqCst);
        suspect != 0 && suspect == words[BOOT_WORD].load(Ordering::SeqCst)
    }

    /// Notes that all was written anew and is on the disk, up to the last commit. To be called with the
    /// turn to write.
    pub fn note_started_over(&self) {
        self.synced().fetch_max(self.committed().load(Ordering::SeqCst), Ordering::SeqCst);
        self.page.words()[SUSPECT_WORD].store(0, Ordering::SeqCst);
    }

    /// Notes how many frames the log has, so that ones that cannot be read any more are missed.
    pub fn note_frames(&self, frames: u32) {
        self.page.words()[FRAMES_WORD].store(frames, Ordering::SeqCst);
    }

    /// Returns how many frames the log had after the last commit of ours in this boot.
    pub fn frames(&self) -> u32 {
        self.page.words()[FRAMES_WORD].load(Ordering::SeqCst)
    }

    /// Counts a commit that is to be made, and returns its number. To be called with the turn to write.
    pub fn begin_commit(&self) -> u64 {
        // Above both: a process may have been killed between them.
        let last = self.begun().load(Ordering::SeqCst).max(self.last_commit());
        self.begun().store(last + 1, Ordering::SeqCst);
        last + 1
    }

    /// Notes that the commit of this number, and with it every one before, is in the log. To be called
    /// before the turn to write is let go.
    pub fn end_commit(&self, number: u64) {
        self.committed().store(number, Ordering::SeqCst);
    }

    /// Takes back the number of a commit that wrote nothing: what was safe before it is so still. Returns
    /// whether it did: where a process died in a commit, nobody knows whether that one is in the log, and
    /// this one stands for it. To be called before the turn to write is let go.
    pub fn take_back_commit(&self, number: u64) -> bool {
        let is_known = number == self.last_commit() + 1;
        if is_known {
            self.begun().store(number - 1, Ordering::SeqCst);
        }
        is_known
    }

    /// Returns the number of the last commit. To be called with the turn to write.
    pub fn last_commit(&self) -> u64 {
        self.committed().load(Ordering::SeqCst)
    }

    /// Returns whether all that anybody can have read until now is safe from the loss of power.
    pub fn is_all_safe(&self) -> bool {
        self.is_synced(self.begun().load(Ordering::SeqCst).max(self.last_commit()))
    }

    /// Makes the commit of this number safe: by `sync`, or by the sync of another process that began
    /// after it was made, since a sync covers all commits before it. So processes share syncs too.
    ///
    /// Waits for another's sync for one slice, not longer: it may have been stopped in the midst.
    pub fn sync_once(&self, number: u64, mut sync: impl FnMut() -> Result<()>) -> Result<()> {
        let Some(file) = self.file()? else {
            sync()?;
            self.synced().fetch_max(number, Ordering::SeqCst);
            return Ok(());
        };
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
            self.refuse_suspect()?;
            sync()?;
            // Another process' sync may have failed beside this one, and told this one nothing.
            self.refuse_suspect()?;
            self.synced().fetch_max(up_to, Ordering::SeqCst);
            return Ok(());
        }
    }

    fn refuse_suspect(&self) -> Result<()> {
        match self.is_suspect() {
            false => Ok(()),
            true => Err(Error::Io {
                engine_code: -libc::EIO,
                sentence: "another process could not sync the store".into(),
            }),
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

    fn begun(&self) -> &AtomicU64 {
        &self.page.long_words()[BEGUN_LONG_WORD]
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
    use std::cell::Cell;

    /// Makes a commit, as far as the counts know.
    fn commit(side: &Side) -> u64 {
        let number = side.begin_commit();
        side.end_commit(number);
        number
    }

    fn side() -> (tempfile::TempDir, Side) {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("db");
        std::fs::write(&db, b"").unwrap();
        let side = Side::open(&db, 0o600).unwrap();
        side.begin_boot().unwrap();
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
        let (first, second) = (commit(&side), commit(&side));
        side.sync_once(first, sync).unwrap();
        side.sync_once(second, sync).unwrap();
        assert_eq!(syncs.get(), 1, "the first sync began after both commits");
        side.sync_once(commit(&side), sync).unwrap();
        assert_eq!(syncs.get(), 2);
    }

    #[test]
    fn a_sync_that_failed_covers_nothing() {
        let (_folder, side) = side();
        let number = commit(&side);
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
    fn a_store_is_suspect_until_it_is_started_over_or_the_machine_is() {
        let (_folder, side) = side();
        assert!(!side.is_suspect());
        side.note_failed_sync();
        assert!(side.is_suspect());
        side.note_started_over();
        assert!(!side.is_suspect());
        assert!(side.is_poisoned(), "whose sync failed writes no more");
        side.note_failed_sync();
        side.page.words()[BOOT_WORD].store(7, Ordering::SeqCst);
        assert!(!side.is_suspect(), "another boot reads what is on the disk");
    }

    /// The sync of one process can succeed after that of another failed, and without its pages.
    #[test]
    fn a_sync_covers_nothing_while_another_one_has_failed() {
        let (_folder, side) = side();
        let number = commit(&side);
        let failed = side.sync_once(number, || {
            side.note_failed_sync();
            Ok(())
        });
        assert_eq!(failed.unwrap_err().code(), -41);
        let was_asked = Cell::new(false);
        let sync = || {
            was_asked.set(true);
            Ok(())
        };
        assert_eq!(side.sync_once(number, sync).unwrap_err().code(), -41);
        assert!(!was_asked.get());
        side.note_started_over();
        side.sync_once(number, sync).unwrap();
        assert!(!was_asked.get(), "all was written anew");
    }

    /// A reader sees a commit before its writer can count it.
    #[test]
    fn what_can_be_read_is_safe_once_the_commit_that_was_begun_is_synced() {
        let (_folder, side) = side();
        assert!(!side.is_all_safe(), "what the log holds, nobody has synced");
        side.sync_once(side.last_commit(), || Ok(())).unwrap();
        assert!(side.is_all_safe());
        let number = side.begin_commit();
        assert!(!side.is_all_safe());
        side.end_commit(number);
        assert!(!side.is_all_safe());
        side.sync_once(number, || Ok(())).unwrap();
        assert!(side.is_all_safe());
        side.begin_commit();
        // Killed here: the next one's number is above.
        side.sync_once(commit(&side), || Ok(())).unwrap();
        assert!(side.is_all_safe());
    }

    #[test]
    fn a_commit_that_wrote_nothing_needs_no_sync_but_for_what_may_have_been_there_before() {
        let (_folder, side) = side();
        side.sync_once(commit(&side), || Ok(())).unwrap();
        let number = side.begin_commit();
        assert!(side.take_back_commit(number));
        assert!(side.is_all_safe());

        commit(&side);
        let number = side.begin_commit();
        assert!(side.take_back_commit(number));
        assert!(!side.is_all_safe(), "the commit before it is not synced");
        side.sync_once(side.last_commit(), || Ok(())).unwrap();

        side.begin_commit();
        // Killed here, with its commit in the log or not.
        let number = side.begin_commit();
        assert!(!side.take_back_commit(number));
        side.end_commit(number);
        assert!(!side.is_all_safe());
    }

    #[test]
    fn another_boot_begins_the_counts_anew() {
        let (_folder, side) = side();
        side.sync_once(commit(&side), || Ok(())).unwrap();
        side.page.words()[BOOT_WORD].store(7, Ordering::SeqCst);
        side.begin_boot().unwrap();
        let was_asked = Cell::new(false);
        side.sync_once(commit(&side), || {
            was_asked.set(true);
            Ok(())
        })
        .unwrap();
        assert!(was_asked.get(), "a count of the boot before would have covered it");
    }
}
