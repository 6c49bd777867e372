//! What a handle that only reads hears by: the page of the side file, mapped as its user may.
//!
//! It takes no lock and changes no count. Where it may write to the file it says in the bell's lowest
//! bit that it sleeps, as everybody does, and is woken. Where it may only read, nobody knows that it
//! sleeps: it looks at the word in memory, twenty times a second, and at nothing else.
//!
//! The file may not be there yet, and may be replaced while nobody has the store open for writing:
//! each look asks which file the name means.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::bell::{Bell, SLEEPER, doze};
use crate::error::{Error, Result};
use crate::lock::Unpoisoned;
use crate::os::{self, FileId, Page};
use crate::stop::Stop;

/// Sleep between two looks at a page that may not be written to.
const LOOK_SLICE: Duration = Duration::from_millis(50);

/// Where in the page what is heard stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    /// The word of the layout, and what stands there.
    pub(super) format: (usize, u32),
    /// The bell of changes.
    pub(super) bell: usize,
    /// The count of changes, as number of a 64-bit word.
    pub(super) changes: usize,
}

/// Hears of changes through one side file, whichever its name means by now.
#[derive(Debug)]
pub(super) struct Ear {
    path: PathBuf,
    words: Words,
    heard: Mutex<Heard>,
}

#[derive(Debug, Default)]
struct Heard {
    line: Option<Arc<Line>>,
    /// Changes counted on pages that were replaced.
    passed: u64,
}

/// One side file, mapped.
#[derive(Debug)]
pub(super) struct Line {
    file: OwnedFd,
    id: FileId,
    page: Page,
    words: Words,
    is_writable: bool,
}

impl Ear {
    pub(super) fn new(path: PathBuf, words: Words) -> Ear {
        Ear { path, words, heard: Mutex::default() }
    }

    /// Returns the page that the file's name means by now; `None` while there is no such file, as
    /// nobody has ever opened the store for writing.
    ///
    /// # Errors
    /// `ReadOnly` where the file may not be read, `Unsupported` for one of another layout.
    pub(super) fn line(&self) -> Result<Option<Arc<Line>>> {
        let mut heard = self.heard.lock().unpoisoned();
        let found = self.id()?;
        // A file whose name was taken away is still the page of those who have it open.
        if found.is_none() || heard.line.as_ref().is_some_and(|line| Some(line.id) == found) {
            return Ok(heard.line.clone());
        }
        let line = self.open()?;
        if let (Some(old), Some(_)) = (&heard.line, &line) {
            heard.passed += old.changes() + 1;
        }
        if line.is_some() {
            heard.line = line;
        }
        Ok(heard.line.clone())
    }

    /// Returns the number of changes heard of. Never goes back, whatever file is there.
    pub(super) fn changes(&self) -> Result<u64> {
        let line = self.line()?;
        let passed = self.heard.lock().unpoisoned().passed;
        Ok(passed + line.map_or(0, |line| line.changes()))
    }

    fn id(&self) -> Result<Option<FileId>> {
        let path = CString::new(self.path.as_os_str().as_bytes())
            .map_err(|_| Error::invalid("path holds a NUL"))?;
        match os::file_id(&path) {
            Ok(id) => Ok(Some(id)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.deaf(&error)),
        }
    }

    fn open(&self) -> Result<Option<Arc<Line>>> {
        let (file, is_writable) = match os::open_side_to_hear(&self.path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.deaf(&error)),
        };
        let id = os::file_id_of(file.as_fd()).map_err(|error| self.deaf(&error))?;
        let page = match Page::of_shared(file.as_fd(), is_writable) {
            Ok(page) => page,
            // Its maker has not come to give it a page yet.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(self.deaf(&error)),
        };
        let (word, expected) = self.words.format;
        match read(&page.words()[word]) {
            0 => Ok(None),
            found if found == expected => {
                Ok(Some(Arc::new(Line { file, id, page, words: self.words, is_writable })))
            }
            found => Err(Error::Unsupported(
                format!(
                    "{} has layout {found:#x}, this library works with {expected:#x}: it hears of no changes there",
                    self.path.display()
                )
                .into(),
            )),
        }
    }

    fn deaf(&self, error: &io::Error) -> Error {
        Error::ReadOnly(
            format!(
                "the store was opened with SW_OPEN_READ_ONLY, and {} cannot be read: {error}; without the right to read it a handle is told of no changes",
                self.path.display()
            )
            .into(),
        )
    }
}

impl Line {
    /// Returns the descriptor, for asking who holds which byte.
    pub(super) fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Returns the count of the bell of changes.
    pub(super) fn seen(&self) -> u32 {
        read(self.bell()) & !SLEEPER
    }

    /// Sleeps once, unless the bell's count is another than `seen`. May wake for no reason.
    pub(super) fn sleep(&self, seen: u32, timeout: Duration, stop: Option<&Stop>) {
        if self.is_writable {
            return Bell(self.bell()).sleep(seen, timeout, stop);
        }
        let now = read(self.bell());
        if now & !SLEEPER == seen {
            doze(self.bell(), now, timeout.min(LOOK_SLICE), stop);
        }
    }

    /// Wakes the sleepers of this handle, where that is possible: the others look in a moment.
    pub(super) fn ring(&self) {
        if self.is_writable {
            Bell(self.bell()).ring(u32::MAX);
        }
    }

    fn changes(&self) -> u64 {
        read_long(&self.page.long_words()[self.words.changes])
    }

    fn bell(&self) -> &AtomicU32 {
        &self.page.words()[self.words.bell]
    }
}

/// Reads a word of a page that may be mapped for reading only: there no stronger load is allowed.
fn read(word: &AtomicU32) -> u32 {
    let value = word.load(Ordering::Relaxed);
    fence(Ordering::SeqCst);
    value
}

fn read_long(word: &AtomicU64) -> u64 {
    let value = word.load(Ordering::Relaxed);
    fence(Ordering::SeqCst);
    value
}

#[cfg(test)]
mod tests {
    use super::super::{SUFFIX, Side};
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::time::Instant;
    use tempfile::TempDir;

    /// Reached only when a test fails.
    const LONG: Duration = Duration::from_secs(120);

    fn store() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("db");
        fs::write(&db, b"").unwrap();
        (folder, db)
    }

    fn side_of(db: &Path) -> PathBuf {
        db.with_file_name(format!("db{SUFFIX}"))
    }

    /// Makes the reader map the file for reading only, as it does where it may not write.
    fn deprive(reader: &Side) {
        let ear = reader.ear.as_ref().unwrap();
        let mut heard = ear.heard.lock().unwrap();
        let file: OwnedFd = fs::File::open(&ear.path).unwrap().into();
        let page = Page::of_shared(file.as_fd(), false).unwrap();
        let id = os::file_id_of(file.as_fd()).unwrap();
        let words = ear.words;
        heard.line = Some(Arc::new(Line { file, id, page, words, is_writable: false }));
    }

    #[test]
    fn a_change_wakes_a_reader_with_every_right_to_the_file() {
        for may_write in [true, false] {
            let (_folder, db) = store();
            let side = Side::open(&db, 0o600).unwrap();
            let reader = Side::listening(&db).unwrap();
            reader.heard_changes().unwrap();
            if !may_write {
                deprive(&reader);
            }
            let before = reader.heard_changes().unwrap();
            let rung = reader.change_seen();
            let started = Instant::now();
            std::thread::scope(|scope| {
                scope.spawn(|| side.change());
                reader.wait_for_change(rung, LONG, None);
            });
            assert!(started.elapsed() < LONG);
            assert_eq!(reader.heard_changes().unwrap(), before + 1);
            assert_ne!(reader.change_seen(), rung);
        }
    }

    #[test]
    fn a_stop_ends_the_sleep_of_a_reader_with_every_right_to_the_file() {
        for may_write in [true, false] {
            let (_folder, db) = store();
            let _side = Side::open(&db, 0o600).unwrap();
            let reader = Side::listening(&db).unwrap();
            reader.heard_changes().unwrap();
            if !may_write {
                deprive(&reader);
            }
            let stop = Stop::new();
            let started = Instant::now();
            std::thread::scope(|scope| {
                scope.spawn(|| stop.fire());
                reader.wait_for_change(reader.change_seen(), LONG, Some(&stop));
            });
            assert!(started.elapsed() < LONG);
        }
    }

    #[test]
    fn the_count_never_goes_back_whatever_becomes_of_the_file() {
        let (_folder, db) = store();
        let reader = Side::listening(&db).unwrap();
        assert_eq!(reader.heard_changes().unwrap(), 0);
        fs::write(side_of(&db), b"").unwrap();
        assert_eq!(reader.heard_changes().unwrap(), 0);
        let side = Side::open(&db, 0o600).unwrap();
        (0..5).for_each(|_| side.change());
        let five = reader.heard_changes().unwrap();
        assert_eq!(five, 5);
        drop(side);
        fs::remove_file(side_of(&db)).unwrap();
        assert_eq!(reader.heard_changes().unwrap(), five);
        let side = Side::open(&db, 0o600).unwrap();
        side.change();
        assert!(reader.heard_changes().unwrap() > five);
    }

    #[test]
    fn a_file_of_another_layout_is_refused_and_no_byte_of_it_is_changed() {
        let (_folder, db) = store();
        let other = vec![b'x'; os::PAGE_BYTES];
        fs::write(side_of(&db), &other).unwrap();
        let reader = Side::listening(&db).unwrap();
        let error = reader.heard_changes().unwrap_err();
        assert!(matches!(error, Error::Unsupported(_)), "{error}");
        assert_eq!(fs::read(side_of(&db)).unwrap(), other);
    }

    #[test]
    fn a_file_that_is_none_to_read_is_refused_with_its_name_and_the_reason() {
        let (_folder, db) = store();
        fs::create_dir(side_of(&db)).unwrap();
        fs::set_permissions(side_of(&db), Permissions::from_mode(0o700)).unwrap();
        let reader = Side::listening(&db).unwrap();
        let error = reader.heard_changes().unwrap_err();
        let sentence = error.to_string();
        assert!(matches!(error, Error::ReadOnly(_)), "{sentence}");
        assert!(sentence.contains("db-smolwf cannot be read"), "{sentence}");
    }

    #[test]
    fn a_reader_knows_which_owners_live() {
        let (_folder, db) = store();
        let side = Side::open(&db, 0o600).unwrap();
        let reader = Side::listening(&db).unwrap();
        assert!(side.lock_owner(7).unwrap());
        assert_eq!(reader.owner_life(7).unwrap(), Some(true));
        side.unlock_owner(7);
        assert_eq!(reader.owner_life(7).unwrap(), Some(false));
    }
}
