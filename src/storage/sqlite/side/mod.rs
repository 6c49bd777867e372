//! The side file `<database>-smolwf`: turnstile, bells, locks of owners. Knows no SQLite.
//!
//! What processes tell each other beside the database goes through one small file: byte locks, which
//! the kernel frees however their holder dies, and one shared page of words to sleep on. Nothing in
//! it has to be kept: it may be deleted whenever no process has the store open.
//!
//! The turnstile lets one process at a time write (`turnstile.rs`), bells are words that count
//! (`bell.rs`), and syncs are shared (`sync.rs`).
//!
//! All methods may be called from any thread; `enter` by one thread of the process at a time.

mod bell;
mod ear;
mod sync;
mod turnstile;

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use self::bell::{Bell, sleep_until};
use self::ear::{Ear, Line, Words};
pub use self::turnstile::Pass;
use crate::domain::news::News;
use crate::error::{Error, Result};
use crate::os::{self, Page};
use crate::plant::{Plant, stands};
use crate::process::{self, Tracked};
use crate::stop::Stop;
use crate::storage::sqlite::errors::cannot_open;

/// What the name of the side file adds to the database's.
pub const SUFFIX: &str = "-smolwf";

/// Bells of a store. Names of queues are hashed onto them, so two queues may share one.
pub const BELLS: usize = u64::BITS as usize;

/// Bits of the mark of an owner that its lock distinguishes.
pub const MARK_BITS: u32 = 48;

/// Sleep of a process in the turnstile at most: a holder that was killed rings nobody.
pub(in crate::storage::sqlite::side) const TURN_SLICE: Duration = Duration::from_millis(20);

// Layout of the page, in 32-bit words. What is written by different parties stands 64 bytes apart.

/// "SWF" and the version of this layout and of the lock bytes below.
const FORMAT: u32 = 0x5357_4600 | 1;
const FORMAT_WORD: usize = 0;
const NEXT_WORD: usize = 16;
const WRITE_WORD: usize = 32;
const CHANGE_WORD: usize = 48;
/// Whether somebody has NEXT and waits for WRITE. Only a hint: when its setter was killed it stays
/// set until the next one who has NEXT lets go of it.
pub(in crate::storage::sqlite::side) const WAITED_WORD: usize = 80;
/// The count of changes, as number of a 64-bit word: the 32-bit words 64 and 65.
const CHANGES_LONG_WORD: usize = 32;
/// The count of orders to running attempts: cancels, takeovers.
const ORDERS_WORD: usize = 96;
/// A hash of the boot in which the counts of commits were begun.
pub(in crate::storage::sqlite::side) const BOOT_WORD: usize = 8;
/// That hash again after a sync failed, until the store was started over.
pub(in crate::storage::sqlite::side) const SUSPECT_WORD: usize = 9;
/// Frames in the log after the last commit.
pub(in crate::storage::sqlite::side) const FRAMES_WORD: usize = 10;
const SYNC_WORD: usize = 104;
/// The counts of commits made, synced and begun, as numbers of 64-bit words: the 32-bit words 112 to
/// 117.
pub(in crate::storage::sqlite::side) const COMMITTED_LONG_WORD: usize = 56;
pub(in crate::storage::sqlite::side) const SYNCED_LONG_WORD: usize = 57;
pub(in crate::storage::sqlite::side) const BEGUN_LONG_WORD: usize = 58;
const BELLS_WORD: usize = 128;
const _: () = assert!(BELLS_WORD + BELLS <= os::PAGE_WORDS);

// Lock bytes. They lie far beyond the page, where no byte ever is.

pub(in crate::storage::sqlite::side) const NEXT: Turn = Turn { byte: 1 << 40, word: NEXT_WORD };
/// The byte that whoever writes has locked.
pub(super) const WRITE_BYTE: u64 = (1 << 40) + 1;
pub(in crate::storage::sqlite::side) const WRITE: Turn =
    Turn { byte: WRITE_BYTE, word: WRITE_WORD };
pub(in crate::storage::sqlite::side) const SYNC: Turn =
    Turn { byte: (1 << 40) + 2, word: SYNC_WORD };
const OWNER_BASE: u64 = 1 << 41;
const COPY_BASE: u64 = 1 << 50;
const _: () = assert!(OWNER_BASE + (1 << MARK_BITS) < COPY_BASE);

/// What a handle that only reads looks at.
const HEARD: Words =
    Words { format: (FORMAT_WORD, FORMAT), bell: CHANGE_WORD, changes: CHANGES_LONG_WORD };

/// One of the two locks of the turnstile, with the word that those sleep on who wait for it.
#[derive(Debug, Clone, Copy)]
pub(in crate::storage::sqlite::side) struct Turn {
    pub(in crate::storage::sqlite::side) byte: u64,
    pub(in crate::storage::sqlite::side) word: usize,
}

/// The side file of a store, or its stand-in for a store in memory.
#[derive(Debug)]
pub struct Side {
    pub(in crate::storage::sqlite::side) page: Page,
    /// `None` for a store in memory, which no other process can reach.
    tracked: Option<Tracked>,
    path: PathBuf,
    /// How a handle that only reads hears of what others do: its own page is nobody else's.
    ear: Option<Ear>,
    generation: u32,
    /// Whether a thread of this process is in the turnstile.
    is_entered: AtomicBool,
    /// Whether writes of this process are refused; see `note_failed_sync`.
    pub(in crate::storage::sqlite) is_poisoned: AtomicBool,
}

impl Side {
    /// Opens the side file of the database, making it with exactly `mode` if there is none.
    ///
    /// The database file must exist. Once per file and process: all handles on a file share a `Side`.
    ///
    /// # Errors
    /// `SecondCopy` when the file is open in this process already, which then is through another copy
    /// of this library; `Unsupported` for a side file of another layout; `Full`, `ReadOnly`,
    /// `CannotOpen`.
    pub fn open(db_path: &Path, mode: u32) -> Result<Side> {
        let path = side_path(db_path);
        let generation = process::generation();
        let db = os::identity(db_path).map_err(|error| cannot_open(db_path, &error))?;
        let tracked = process::track(db.dev, db.ino, || os::open_side(&path, mode).map(Some))
            .map_err(|error| cannot_open(&path, &error))?;
        let file = tracked.file().ok_or(Error::Forked)?;
        // Through a descriptor of its own: a mapping that a forked child inherits keeps alive what it
        // was mapped through, and with that descriptor's locks a dead parent would seem to live.
        let page = os::open_side(&path, mode)
            .and_then(|mapped| Page::of_file(mapped.as_fd()))
            .map_err(|error| cannot_open(&path, &error))?;
        claim_format(&page, &path)?;
        if !os::try_lock(file, copy_byte()).map_err(|error| cannot_open(&path, &error))? {
            return Err(Error::SecondCopy(
                format!("another copy of this library in this process has {} open", show(db_path))
                    .into(),
            ));
        }
        let is_entered = AtomicBool::new(false);
        let is_poisoned = AtomicBool::new(false);
        let ear = None;
        Ok(Side { page, tracked: Some(tracked), path, ear, generation, is_entered, is_poisoned })
    }

    /// Makes the stand-in for a handle that only reads: it makes no file, holds no lock and hears
    /// what others tell through theirs, as soon as there is one.
    pub fn listening(db_path: &Path) -> Result<Side> {
        let mut side = Side::in_memory()?;
        side.ear = Some(Ear::new(side_path(db_path), HEARD));
        Ok(side)
    }

    /// Makes the stand-in for a store in memory: its bells work, its locks are nobody else's.
    pub fn in_memory() -> Result<Side> {
        let page = Page::of_memory().map_err(|error| Error::from_os("map a page", &error))?;
        Ok(Side {
            page,
            tracked: None,
            path: PathBuf::from(":memory:"),
            ear: None,
            generation: process::generation(),
            is_entered: AtomicBool::new(false),
            is_poisoned: AtomicBool::new(false),
        })
    }

    /// Returns the count of a bell, to be taken before looking at what it announces.
    pub fn seen(&self, bell: usize) -> u32 {
        self.queue_bell(bell).seen()
    }

    /// Wakes whoever waits on the bell, in every process. No system call when nobody does.
    pub fn ring(&self, bell: usize) {
        self.queue_bell(bell).ring(u32::MAX);
    }

    /// Tells every process what has changed: to be called after the commit and before the answer.
    pub fn publish(&self, news: News) {
        if stands(Plant::ForgetBell) {
            return;
        }
        if news.is_recalled {
            self.recall();
        }
        let rung = news.claimable.and(news.due_earlier);
        rung.bells().for_each(|bell| self.ring(bell));
        if news.is_changed {
            self.change();
        } else if !rung.is_empty() {
            self.ring_change();
        }
    }

    /// Sleeps until the bell's count is another than `seen`, the stop fires, or the time is over.
    ///
    /// Returns whether the bell was rung.
    pub fn wait(&self, bell: usize, seen: u32, timeout: Duration, stop: Option<&Stop>) -> bool {
        let bell = self.queue_bell(bell);
        sleep_until(timeout, stop, || bell.seen() != seen, |left| bell.sleep(seen, left, stop))
    }

    /// Returns the number of changes told of so far. Never goes back while the store is open.
    pub fn changes(&self) -> u64 {
        self.change_count().load(Ordering::SeqCst)
    }

    /// Returns the number of changes told of so far, also to a handle that only reads.
    ///
    /// # Errors
    /// `ReadOnly`, `Unsupported` where such a handle cannot hear of any.
    pub fn heard_changes(&self) -> Result<u64> {
        self.ear.as_ref().map_or_else(|| Ok(self.changes()), Ear::changes)
    }

    /// Returns the number of orders given so far to attempts that run. As long as it stands still, an
    /// attempt that looked once need not look again whether it was told to end.
    pub fn recalls(&self) -> u32 {
        self.page.words()[ORDERS_WORD].load(Ordering::SeqCst)
    }

    /// Counts an order: to be called after the commit that cancels a running attempt or takes its
    /// run over, and before the answer.
    pub fn recall(&self) {
        self.page.words()[ORDERS_WORD].fetch_add(1, Ordering::SeqCst);
    }

    /// Counts a change and wakes those who wait for any.
    pub fn change(&self) {
        self.change_count().fetch_add(1, Ordering::SeqCst);
        self.change_bell().ring(u32::MAX);
    }

    /// Returns the count of the bell of changes, to be taken before looking at what it announces.
    pub fn change_seen(&self) -> u32 {
        self.change_bell().seen().wrapping_add(self.line().map_or(0, |line| line.seen()))
    }

    /// Sleeps until the bell of changes is rung after `seen`, the stop fires, or the time is over.
    pub fn wait_for_change(&self, seen: u32, timeout: Duration, stop: Option<&Stop>) {
        let (bell, line) = (self.change_bell(), self.line());
        let heard = || line.as_ref().map_or(0, |line| line.seen());
        let is_over = || bell.seen().wrapping_add(heard()) != seen;
        sleep_until(timeout, stop, is_over, |left| match &line {
            Some(line) => line.sleep(seen.wrapping_sub(bell.seen()), left, stop),
            None => bell.sleep(seen, left, stop),
        });
    }

    /// Wakes those who wait for a change without counting one, so that they look at their store.
    pub fn ring_change(&self) {
        self.change_bell().ring(u32::MAX);
        // Where this handle sleeps on another's page.
        if let Some(line) = self.line() {
            line.ring();
        }
    }

    /// Holds the lock of an owner, which says that the owner lives, until unlocked or until this
    /// process ends. `false` when another process holds that mark.
    pub fn lock_owner(&self, mark: u64) -> Result<bool> {
        match self.file()? {
            Some(file) => os::try_lock(file, owner_byte(mark)).map_err(|e| self.lock_error(&e)),
            None => Ok(true),
        }
    }

    /// Frees the lock of an owner. In a forked child there is nothing to free.
    pub fn unlock_owner(&self, mark: u64) {
        self.free(owner_byte(mark));
    }

    /// Returns whether another process holds the lock of that owner.
    ///
    /// Answers `false` for the owners of this process, which the caller knows.
    pub fn owner_is_alive(&self, mark: u64) -> Result<bool> {
        match self.file()? {
            Some(file) => {
                os::is_locked_by_other(file, owner_byte(mark)).map_err(|e| self.lock_error(&e))
            }
            None => Ok(false),
        }
    }

    /// Returns whether another owner lives, as `owner_is_alive` does; `None` where a handle that only
    /// reads may not look. A file that is not there is one that nobody writes to.
    pub fn owner_life(&self, mark: u64) -> Result<Option<bool>> {
        let Some(ear) = &self.ear else { return self.owner_is_alive(mark).map(Some) };
        let Ok(line) = ear.line() else { return Ok(None) };
        let Some(line) = line else { return Ok(Some(false)) };
        os::is_locked_by_other(line.file(), owner_byte(mark))
            .map(Some)
            .map_err(|error| self.lock_error(&error))
    }

    /// Returns what a handle that only reads hears by, if there is anything by now.
    fn line(&self) -> Option<Arc<Line>> {
        self.ear.as_ref().and_then(|ear| ear.line().ok().flatten())
    }

    /// Returns the descriptor, `None` for a store in memory, an error in a forked child.
    pub(in crate::storage::sqlite::side) fn file(&self) -> Result<Option<BorrowedFd<'_>>> {
        if process::generation() != self.generation {
            return Err(Error::Forked);
        }
        Ok(self.tracked.as_ref().and_then(Tracked::file))
    }

    /// Returns which file it is; `None` for a store in memory.
    pub fn id(&self) -> Result<Option<os::FileId>> {
        self.file()?
            .map(os::file_id_of)
            .transpose()
            .map_err(|error| cannot_open(&self.path, &error))
    }

    /// Frees a byte. The kernel refuses that only for a descriptor that is not open.
    pub(in crate::storage::sqlite::side) fn free(&self, byte: u64) {
        if let Ok(Some(file)) = self.file() {
            let _ = os::unlock(file, byte);
        }
    }

    fn queue_bell(&self, bell: usize) -> Bell<'_> {
        Bell(&self.page.words()[BELLS_WORD + bell % BELLS])
    }

    fn change_bell(&self) -> Bell<'_> {
        Bell(&self.page.words()[CHANGE_WORD])
    }

    pub(in crate::storage::sqlite::side) fn turn_bell(&self, turn: Turn) -> Bell<'_> {
        Bell(&self.page.words()[turn.word])
    }

    fn change_count(&self) -> &AtomicU64 {
        &self.page.long_words()[CHANGES_LONG_WORD]
    }

    pub(in crate::storage::sqlite::side) fn lock_error(&self, error: &io::Error) -> Error {
        Error::from_os(&format!("lock a byte of {}", show(&self.path)), error)
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // Closing would do, but for a process started at this moment: until it runs its program it
        // has a copy of the descriptor, and a store opened again at once would look like one that a
        // second copy of this library has open.
        self.free(copy_byte());
    }
}

/// Marks a new page as ours, or makes sure that it is.
fn claim_format(page: &Page, path: &Path) -> Result<()> {
    let word = &page.words()[FORMAT_WORD];
    match word.compare_exchange(0, FORMAT, Ordering::SeqCst, Ordering::SeqCst) {
        Ok(_) | Err(FORMAT) => Ok(()),
        Err(found) if found >> 8 == FORMAT >> 8 => Err(Error::Unsupported(
            format!(
                "{} has layout {}, this library works with {}: processes with different releases of it cannot share a store",
                show(path),
                found & 0xFF,
                FORMAT & 0xFF
            )
            .into(),
        )),
        Err(_) => Err(Error::Unsupported(
            format!("{} is in the way: it is not a side file of this library", show(path)).into(),
        )),
    }
}

fn side_path(db_path: &Path) -> PathBuf {
    let mut path = OsString::from(db_path);
    path.push(SUFFIX);
    PathBuf::from(path)
}

fn owner_byte(mark: u64) -> u64 {
    OWNER_BASE + (mark & ((1 << MARK_BITS) - 1))
}

/// The byte that this process locks to be found by another copy of this library within it. Numbers
/// of processes mean different ones in different containers, so the container is part of it.
fn copy_byte() -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&os::pid_space().to_le_bytes());
    hasher.update(&std::process::id().to_le_bytes());
    let hash = hasher.finalize();
    let low = hash.as_bytes().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    COPY_BASE + (low & ((1 << MARK_BITS) - 1))
}

fn show(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::bell::SLEEPER;
    use super::*;
    use crate::domain::news::{Queues, bell};
    use crate::process::forking::fork;
    use std::io::{BufRead, BufReader, Read};
    use std::os::fd::{AsFd, OwnedFd};
    use std::process::{Child, Command, Stdio};
    use std::sync::atomic::AtomicU32;
    use std::time::Instant;

    /// Long enough for the slowest machine; reached only when a test fails.
    const LONG: Duration = Duration::from_secs(120);

    const ROLE: &str = "SMOLWF_TEST_ROLE";
    const DB: &str = "SMOLWF_TEST_DB";

    fn far() -> Instant {
        Instant::now() + LONG
    }

    fn new_db(folder: &Path) -> PathBuf {
        let path = folder.join("db");
        assert!(os::create_private(&path, 0o600).unwrap());
        path
    }

    /// A descriptor whose locks count as another process', since it was opened apart.
    fn stranger(db: &Path) -> OwnedFd {
        os::open_side(&side_path(db), 0o600).unwrap()
    }

    /// The part that this process plays in a test, when it was started by `start`.
    fn role() -> Option<(String, Side)> {
        let role = std::env::var(ROLE).ok()?;
        let db = PathBuf::from(std::env::var_os(DB).unwrap());
        Some((role, Side::open(&db, 0o600).unwrap()))
    }

    /// Another process that runs the same test in another role, and is killed at the end.
    struct Actor {
        child: Child,
        lines: BufReader<std::process::ChildStdout>,
    }

    impl Actor {
        fn start(test: &str, role: &str, db: &Path) -> Actor {
            let module = module_path!().split_once("::").unwrap().1;
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args([&format!("{module}::{test}"), "--exact", "--nocapture"])
                .envs([(ROLE, role.as_ref()), (DB, db.as_os_str())])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let lines = BufReader::new(child.stdout.take().unwrap());
            Actor { child, lines }
        }

        /// Returns what follows the mark in the next line that says something.
        fn hear(&mut self) -> String {
            let mut line = String::new();
            while self.lines.read_line(&mut line).unwrap() > 0 {
                if let Some((_, said)) = line.split_once("say: ") {
                    return said.trim().to_owned();
                }
                line.clear();
            }
            panic!("the other process ended without a word");
        }

        fn kill(mut self) {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }

        fn succeeds(mut self) -> bool {
            drop(self.child.stdin.take());
            self.child.wait().unwrap().success()
        }
    }

    impl Drop for Actor {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    fn say(text: &str) {
        println!("say: {text}");
    }

    /// Ends when the test that started this process lets go of it.
    fn stay() {
        let _ = std::io::stdin().read(&mut [0]);
    }

    #[test]
    fn a_side_file_stands_beside_its_database_with_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let side = Side::open(&new_db(folder.path()), 0o640).unwrap();

        let facts = os::identity(&folder.path().join("db-smolwf")).unwrap();

        assert_eq!((facts.mode, facts.size), (0o640, os::PAGE_BYTES as u64));
        assert!(format!("{side:?}").contains("db-smolwf"));
    }

    #[test]
    fn a_side_file_without_a_database_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let error = Side::open(&folder.path().join("db"), 0o600).unwrap_err();
        assert_eq!((error.code(), error.engine_code()), (-47, -2));
        assert!(!folder.path().join("db-smolwf").exists());
    }

    #[test]
    fn a_second_opening_in_one_process_is_a_second_copy_until_the_first_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let db = new_db(folder.path());
        let side = Side::open(&db, 0o600).unwrap();

        assert!(matches!(Side::open(&db, 0o600), Err(Error::SecondCopy(_))));
        drop(side);
        Side::open(&db, 0o600).unwrap();
    }

    #[test]
    fn a_store_opens_again_although_a_process_being_started_has_the_descriptor() {
        let folder = tempfile::tempdir().unwrap();
        let db = new_db(folder.path());
        let side = Side::open(&db, 0o600).unwrap();
        let _inherited = side.file().unwrap().unwrap().try_clone_to_owned().unwrap();
        drop(side);

        Side::open(&db, 0o600).unwrap();
    }

    #[test]
    fn a_side_file_of_another_layout_or_kind_is_refused_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let db = new_db(folder.path());
        for first in [FORMAT + 1, 0x4141_4141] {
            let mut bytes = vec![0; os::PAGE_BYTES];
            bytes[..4].copy_from_slice(&first.to_ne_bytes());
            std::fs::write(side_path(&db), &bytes).unwrap();

            assert!(matches!(Side::open(&db, 0o600), Err(Error::Unsupported(_))));
            assert_eq!(std::fs::read(side_path(&db)).unwrap(), bytes);
        }
    }

    #[test]
    fn the_turnstile_is_busy_after_the_deadline_and_leaves_no_lock_behind() {
        let folder = tempfile::tempdir().unwrap();
        let db = new_db(folder.path());
        let side = Side::open(&db, 0o600).unwrap();
        let other = stranger(&db);
        for turns in [[WRITE, WRITE], [WRITE, NEXT]] {
            for turn in turns {
                assert!(os::try_lock(other.as_fd(), turn.byte).unwrap());
            }

            let error = side.enter(Instant::now()).unwrap_err();

            assert!(matches!(&error, Error::Busy(text) if text.contains("db-smolwf")), "{error}");
            // It said "for 0 ms" to a write that had waited for its whole time-out behind others.
            assert!(!error.to_string().contains(" ms"), "{error}");
            for turn in turns {
                os::unlock(other.as_fd(), turn.byte).unwrap();
            }
            assert!(os::try_lock(other.as_fd(), NEXT.byte).unwrap());
            os::unlock(other.as_fd(), NEXT.byte).unwrap();
            assert_eq!(side.waited().load(Ordering::SeqCst), 0);
            drop(side.enter(Instant::now()).unwrap());
        }
    }

    #[test]
    fn nobody_overtakes_the_one_who_waits_for_write() {
        let folder = tempfile::tempdir().unwrap();
        let db = new_db(folder.path());
        let side = Side::open(&db, 0o600).unwrap();
        let other = stranger(&db);
        assert!(os::try_lock(other.as_fd(), NEXT.byte).unwrap());
        side.waited().store(1, Ordering::SeqCst);

        assert!(matches!(side.enter(Instant::now()), Err(Error::Busy(_))));

        // Once the waiter is dead, its mark costs the next one a detour and is gone.
        os::unlock(other.as_fd(), NEXT.byte).unwrap();
        drop(side.enter(Instant::now()).unwrap());
        assert_eq!(side.waited().load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_pass_holds_write_and_not_next() {
        let folder = tempfile::tempdir().unwrap();
        let db = new_db(folder.path());
        let side = Side::open(&db, 0o600).unwrap();
        let other = stranger(&db);
        let taken = |turn: Turn| os::is_locked_by_other(other.as_fd(), turn.byte).unwrap();

        let pass = side.enter(far()).unwrap();

        assert!(taken(WRITE) && !taken(NEXT));
        drop(pass);
        assert!(!taken(WRITE) && !taken(NEXT));
    }

    #[test]
    fn a_second_thread_in_the_turnstile_is_a_fault_of_ours() {
        for side in [Side::in_memory().unwrap(), {
            let folder = tempfile::tempdir().unwrap();
            Side::open(&new_db(folder.path()), 0o600).unwrap()
        }] {
            let pass = side.enter(far()).unwrap();
            assert!(matches!(side.enter(far()), Err(Error::Internal(_))));
            drop(pass);
            side.enter(far()).unwrap();
        }
    }

    #[test]
    fn writers_of_many_processes_exclude_each_other_and_none_starves() {
        const TEST: &str = "writers_of_many_processes_exclude_each_other_and_none_starves";
        const PASSES: u64 = 1_500;
        if let Some((_, side)) = role() {
            let count = PathBuf::from(std::env::var_os(DB).unwrap());
            say("ready");
            let mut mine = 0;
            while side.changes() < PASSES {
                let _pass = side.enter(far()).unwrap();
                // Reading and writing apart: two writers at once would lose a count.
                let old: u64 = std::fs::read_to_string(&count).unwrap().parse().unwrap();
                std::fs::write(&count, (old + 1).to_string()).unwrap();
                side.change();
                mine += 1;
            }
            say(&mine.to_string());
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let db = new_db(folder.path());
        std::fs::write(&db, "0").unwrap();
        let side = Side::open(&db, 0o600).unwrap();
        let gate = side.enter(far()).unwrap();
        let mut actors = [(); 3].map(|()| Actor::start(TEST, "writer", &db));
        actors.iter_mut().for_each(|actor| assert_eq!(actor.hear(), "ready"));
        drop(gate);

        let counts: Vec<u64> = actors.iter_mut().map(|a| a.hear().parse().unwrap()).collect();

        let sum: u64 = counts.iter().sum();
        assert_eq!(std::fs::read_to_string(&db).unwrap(), sum.to_string(), "{counts:?}");
        assert!((PASSES..=PASSES + 3).contains(&sum), "{counts:?}");
        assert!(counts.iter().all(|count| *count > PASSES / 30), "one starves: {counts:?}");
        assert!(actors.into_iter().all(Actor::succeeds));
    }

    #[test]
    fn a_process_that_waits_goes_before_one_that_has_just_written() {
        const TEST: &str = "a_process_that_waits_goes_before_one_that_has_just_written";
        if let Some((_, side)) = role() {
            say("ready");
            let pass = side.enter(far()).unwrap();
            side.change();
            drop(pass);
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let db = new_db(folder.path());
        let side = Side::open(&db, 0o600).unwrap();
        let pass = side.enter(far()).unwrap();
        let mut actor = Actor::start(TEST, "waiter", &db);
        actor.hear();
        until(|| side.waited().load(Ordering::SeqCst) != 0);

        drop(pass);
        let _again = side.enter(far()).unwrap();

        assert_eq!(side.changes(), 1, "the turn was taken from the one that waited");
        assert!(actor.succeeds());
    }

    #[test]
    fn a_killed_writer_and_a_killed_waiter_are_replaced() {
        const TEST: &str = "a_killed_writer_and_a_killed_waiter_are_replaced";
        if let Some((role, side)) = role() {
            if role == "waiter" {
                say("ready");
            }
            let _pass = side.enter(far()).unwrap();
            say("in");
            stay();
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let db = new_db(folder.path());
        let side = Side::open(&db, 0o600).unwrap();
        let mut writer = Actor::start(TEST, "writer", &db);
        assert_eq!(writer.hear(), "in");
        let mut waiter = Actor::start(TEST, "waiter", &db);
        assert_eq!(waiter.hear(), "ready");
        until(|| side.waited().load(Ordering::SeqCst) != 0);
        assert!(matches!(side.enter(Instant::now()), Err(Error::Busy(_))));

        waiter.kill();
        writer.kill();

        drop(side.enter(far()).unwrap());
    }

    #[test]
    fn a_bell_wakes_a_sleeper_in_another_process() {
        const TEST: &str = "a_bell_wakes_a_sleeper_in_another_process";
        if let Some((role, side)) = role() {
            let stop = Stop::new();
            let stop = (role == "with a stop").then_some(&stop);
            let started = Instant::now();
            assert!(side.wait(7, side.seen(7), LONG, stop));
            // A wait that nobody woke sees at its end that the bell was rung.
            assert!(started.elapsed() < LONG / 2, "rung, but not woken");
            return;
        }
        for role in ["without a stop", "with a stop"] {
            let folder = tempfile::tempdir().unwrap();
            let db = new_db(folder.path());
            let side = Side::open(&db, 0o600).unwrap();
            let actor = Actor::start(TEST, role, &db);
            let word = side.queue_bell(7).0;
            until(|| word.load(Ordering::SeqCst) & SLEEPER != 0);

            side.ring(7);

            assert!(actor.succeeds(), "{role}");
            assert_eq!(word.load(Ordering::SeqCst) & SLEEPER, 0);
        }
    }

    #[test]
    fn the_lock_of_an_owner_is_free_after_its_process_was_killed() {
        const TEST: &str = "the_lock_of_an_owner_is_free_after_its_process_was_killed";
        const MARK: u64 = 0xFFFF_1234_5678_9ABC;
        if let Some((_, side)) = role() {
            assert!(side.lock_owner(MARK).unwrap());
            say("ready");
            stay();
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let db = new_db(folder.path());
        let side = Side::open(&db, 0o600).unwrap();
        assert!(!side.owner_is_alive(MARK).unwrap());
        let mut actor = Actor::start(TEST, "owner", &db);
        actor.hear();
        assert!(side.owner_is_alive(MARK).unwrap());
        assert!(!side.lock_owner(MARK).unwrap());
        assert!(!side.owner_is_alive(MARK + 1).unwrap());

        actor.kill();

        assert!(!side.owner_is_alive(MARK).unwrap());
        assert!(side.lock_owner(MARK).unwrap());
    }

    #[test]
    fn an_owner_of_this_process_is_alive_to_others_until_unlocked() {
        let folder = tempfile::tempdir().unwrap();
        let db = new_db(folder.path());
        let side = Side::open(&db, 0o600).unwrap();
        let other = stranger(&db);
        let seen = || os::is_locked_by_other(other.as_fd(), owner_byte(3)).unwrap();

        assert!(side.lock_owner(3).unwrap());
        assert!(seen());
        assert!(!side.owner_is_alive(3).unwrap());
        side.unlock_owner(3);
        assert!(!seen());
    }

    #[test]
    fn a_forked_child_can_use_nothing_of_it_and_keeps_no_owner_alive() {
        let folder = tempfile::tempdir().unwrap();
        let db = new_db(folder.path());
        let mut side = Some(Side::open(&db, 0o600).unwrap());
        assert!(side.as_ref().unwrap().lock_owner(9).unwrap());
        let other = stranger(&db);
        let (mut reader, writer) = io::pipe().unwrap();

        let child = fork(|| {
            let inherited = side.take().unwrap();
            let refuses = inherited.enter(far()).is_err_and(|error| error == Error::Forked)
                && inherited.lock_owner(10) == Err(Error::Forked)
                && inherited.owner_is_alive(10) == Err(Error::Forked);
            inherited.unlock_owner(9);
            drop(inherited);
            let waits = reader.read_exact(&mut [0]).is_ok();
            i32::from(!(refuses && waits))
        });
        assert!(os::is_locked_by_other(other.as_fd(), owner_byte(9)).unwrap());
        drop(side.take());

        // The child lives, and may still be on its way to its handler.
        until(|| !os::is_locked_by_other(other.as_fd(), owner_byte(9)).unwrap());
        io::Write::write_all(&mut { writer }, &[1]).unwrap();
        assert_eq!(child.exit_code(), 0);
    }

    #[test]
    fn a_pass_of_the_parent_is_nothing_to_its_child() {
        let folder = tempfile::tempdir().unwrap();
        let db = new_db(folder.path());
        let side = Side::open(&db, 0o600).unwrap();
        let other = stranger(&db);
        let mut pass = Some(side.enter(far()).unwrap());

        let child = fork(|| {
            drop(pass.take());
            0
        });

        assert_eq!(child.exit_code(), 0);
        assert!(os::is_locked_by_other(other.as_fd(), WRITE.byte).unwrap());
        drop(pass);
    }

    #[test]
    fn a_ring_between_looking_and_sleeping_is_not_lost() {
        let side = Side::in_memory().unwrap();
        let seen = side.seen(3);
        side.ring(3);
        assert!(side.wait(3, seen, LONG, None));
        assert!(side.wait(3, seen, LONG, Some(&Stop::new())));
    }

    #[test]
    fn a_wait_ends_with_its_time_and_other_bells_do_not_end_it() {
        let side = Side::in_memory().unwrap();
        side.ring(4);
        assert!(!side.wait(3, side.seen(3), Duration::from_millis(2), None));
        assert!(!side.wait(3, side.seen(3), Duration::ZERO, None));
        side.ring(3 + BELLS);
        assert_ne!(side.seen(3), 0);
    }

    #[test]
    fn a_stop_ends_a_wait_now_and_later() {
        let side = Side::in_memory().unwrap();
        let stop = Stop::new();
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| side.wait(3, side.seen(3), LONG, Some(&stop)));
            let word = side.queue_bell(3).0;
            until(|| word.load(Ordering::SeqCst) & SLEEPER != 0);
            stop.fire();
            assert!(!waits.join().unwrap());
        });
        assert!(!side.wait(3, side.seen(3), LONG, Some(&stop)));
    }

    #[test]
    fn news_for_all_queues_wake_the_sleepers_of_every_bell() {
        let side = Arc::new(Side::in_memory().unwrap());
        let sleepers = [0, 31, BELLS - 1].map(|bell| {
            let (side, seen) = (Arc::clone(&side), side.seen(bell));
            std::thread::spawn(move || side.wait(bell, seen, LONG, None))
        });
        side.publish(News::due_earlier(Queues::ALL));
        assert!(sleepers.into_iter().all(|sleeper| sleeper.join().unwrap()));
    }

    #[test]
    fn news_ring_whom_they_concern_and_count_what_can_be_seen() {
        let side = Side::in_memory().unwrap();
        let (mine, other) = (bell("mine"), bell("other"));
        let seen = || (side.seen(mine), side.seen(other), side.change_seen());
        let told = |news: News| {
            let (before, counted) = (seen(), (side.changes(), side.recalls()));
            side.publish(news);
            let after = seen();
            let rung = (before.0 != after.0, before.1 != after.1, before.2 != after.2);
            (rung, side.changes() - counted.0, side.recalls() - counted.1)
        };
        let queue = Queues::named("mine");
        assert_eq!(told(News::default()), ((false, false, false), 0, 0));
        assert_eq!(told(News::CHANGED), ((false, false, true), 1, 0));
        assert_eq!(told(News::claimable(queue)), ((true, false, true), 1, 0));
        assert_eq!(told(News::due_earlier(queue)), ((true, false, true), 0, 0));
        assert_eq!(told(News::RECALLED), ((false, false, true), 1, 1));
    }

    #[test]
    fn a_bell_counts_past_its_end_and_keeps_its_mark() {
        let word = AtomicU32::new(u32::MAX);
        let bell = Bell(&word);
        bell.ring(1);
        assert_eq!(word.load(Ordering::SeqCst), 0);
        bell.announce();
        assert_eq!((bell.seen(), word.load(Ordering::SeqCst)), (0, SLEEPER));
        bell.ring(1);
        assert_eq!((bell.seen(), word.load(Ordering::SeqCst)), (2, 2));
    }

    #[test]
    fn no_ring_is_lost_between_threads_that_answer_each_other() {
        const ROUNDS: u32 = 2_000;
        let side = Side::in_memory().unwrap();
        std::thread::scope(|scope| {
            for (mine, theirs) in [(1, 2), (2, 1)] {
                let side = &side;
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        side.ring(theirs);
                        assert!(side.wait(mine, round * 2, LONG, None), "round {round}");
                    }
                });
            }
        });
    }

    #[test]
    fn a_change_is_counted_and_wakes_who_waits_for_one() {
        let side = Side::in_memory().unwrap();
        let seen = side.change_seen();
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| side.wait_for_change(seen, LONG, None));
            side.change();
            waits.join().unwrap();
        });
        assert_eq!(side.changes(), 1);
        side.wait_for_change(seen, LONG, None);
        let seen = side.change_seen();
        side.wait_for_change(seen, Duration::from_millis(2), None);
        let stop = Stop::new();
        stop.fire();
        side.wait_for_change(seen, LONG, Some(&stop));
    }

    #[test]
    fn who_waits_for_a_change_is_woken_to_look_without_one() {
        let side = Side::in_memory().unwrap();
        let seen = side.change_seen();
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| side.wait_for_change(seen, LONG, None));
            side.ring_change();
            waits.join().unwrap();
        });
        assert_eq!(side.changes(), 0);
    }

    #[test]
    fn a_store_in_memory_has_no_one_to_exclude() {
        let side = Side::in_memory().unwrap();
        drop(side.enter(far()).unwrap());
        assert!(side.lock_owner(1).unwrap());
        assert!(!side.owner_is_alive(1).unwrap());
        side.unlock_owner(1);
    }

    /// Waits for another thread or process to get somewhere.
    fn until(is_so: impl Fn() -> bool) {
        let end = far();
        while !is_so() {
            assert!(Instant::now() < end, "waited in vain");
            // Polls.
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
