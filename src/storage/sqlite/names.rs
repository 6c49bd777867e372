//! The names of a store's files: whether they still name what was opened, and bringing them to the disk.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::errors::cannot_open;
use super::path::is_missing;
use super::side::{self, Side};
use crate::error::{Error, Result};
use crate::os;

/// Time after which a change in a folder gives it another stamp than the change before: longer than a
/// tick of the kernel's clock, and where the file system keeps whole seconds, than two of them.
const STAMP_TICK: Duration = Duration::from_millis(20);
const STAMP_TICK_COARSE: Duration = Duration::from_millis(2100);

/// The names of a store's files.
pub struct Names {
    db: PathBuf,
    folder: CString,
    /// The folder when its names were last looked at, if the next change must give another stamp.
    seen: Option<os::FolderStamp>,
    files: [Named; 3],
    /// Whether the folder was synced since the log was opened.
    are_on_disk: bool,
}

/// A name, and what it named when the store was opened.
struct Named {
    what: &'static str,
    name: CString,
    id: os::FileId,
}

/// Returns the path of the log of a file.
pub fn log_path(path: &Path) -> PathBuf {
    os::with_suffix(path, "-wal")
}

impl Names {
    /// Notes what the names stand for; `id` and `side` are the database and the side file as opened.
    pub fn new(db: &Path, id: os::FileId, side: &Side) -> Result<Names> {
        let (log, beside) = (log_path(db), os::with_suffix(db, side::SUFFIX));
        let log_id = os::file_id(&c_path(&log)?).map_err(|error| cannot_open(&log, &error))?;
        let side_id = side.id()?.ok_or_else(|| Error::internal("a file has no side file"))?;
        let files = [
            Named { what: "the database", name: c_path(db)?, id },
            Named { what: "the write-ahead log", name: c_path(&log)?, id: log_id },
            Named { what: "the side file", name: c_path(&beside)?, id: side_id },
        ];
        let folder = c_path(folder_of(db))?;
        Ok(Names { db: db.to_owned(), folder, seen: None, files, are_on_disk: false })
    }

    /// Fails when a file was taken away: what is written to it, nobody will ever see, and others share no
    /// locks with us (P36). Another file under its name, or none, is the proof; a look that fails is an
    /// error like any other. One look at the folder does while no name in it has changed.
    pub fn check(&mut self) -> Result<()> {
        let stamp = match meet_look(&self.db).and_then(|()| os::folder_stamp(&self.folder)) {
            Ok(stamp) => Some(stamp),
            Err(error) if is_missing(&error) => None,
            Err(error) => return Err(Error::from_os("look for the store's folder", &error)),
        };
        if stamp.is_some() && stamp == self.seen {
            return Ok(());
        }
        self.seen = None;
        self.files.iter().try_for_each(|file| file.check(&self.db))?;
        self.seen = stamp.filter(is_settled);
        Ok(())
    }

    /// Brings the names to the disk, once. SQLite would do so too and tell nobody when it fails: the file
    /// layer keeps it from that. A failure is noted for every process, but for that of the folder's
    /// opening, which has asked nothing of the disk yet: no page is in doubt, and the next call tries
    /// again.
    pub fn sync(&mut self, side: &Side) -> Result<()> {
        if self.are_on_disk {
            return Ok(());
        }
        sync_folder(&self.db, || side.note_failed_sync()).map_err(|error| {
            let sentence = format!("sync the folder {}", folder_of(&self.db).display());
            Error::from_os(&sentence, &error)
        })?;
        self.are_on_disk = true;
        Ok(())
    }

    /// Has the next sync bring the names to the disk again.
    pub fn forget_sync(&mut self) {
        self.are_on_disk = false;
    }

    /// Returns the path of the log.
    pub fn log_path(&self) -> PathBuf {
        log_path(&self.db)
    }
}

fn folder_of(db: &Path) -> &Path {
    db.parent().unwrap_or(Path::new("/"))
}

/// Brings the names of a database and of what stands beside it to the disk; `doubt` is called when that
/// was asked of it and failed.
pub fn sync_folder(db: &Path, doubt: impl FnOnce()) -> io::Result<()> {
    let folder = meet_open(db).and_then(|()| File::open(folder_of(db)))?;
    meet_sync(db).and_then(|()| folder.sync_all()).inspect_err(|_| doubt())
}

/// Returns whether a change from now on gives a folder another stamp: the last one lies behind.
fn is_settled((_, seconds, nanos): &os::FolderStamp) -> bool {
    let Ok(seconds) = u64::try_from(*seconds) else { return false };
    let changed = UNIX_EPOCH + Duration::new(seconds, *nanos);
    let tick = if *nanos == 0 { STAMP_TICK_COARSE } else { STAMP_TICK };
    SystemTime::now().duration_since(changed).is_ok_and(|age| age >= tick)
}

impl Named {
    fn check(&self, db: &Path) -> Result<()> {
        let found = match meet_look(db).and_then(|()| os::file_id(&self.name)) {
            Ok(id) if id == self.id => return Ok(()),
            Ok(_) => "replaced",
            Err(error) if is_missing(&error) => "removed",
            Err(error) => {
                return Err(Error::from_os(&format!("look for {}", self.shown()), &error));
            }
        };
        Err(Error::WalLost(
            format!(
                "{} {} was {found} while the store was open, by another program or by a second SQLite in this process",
                self.what,
                self.shown()
            )
            .into(),
        ))
    }

    fn shown(&self) -> String {
        self.name.to_string_lossy().into_owned()
    }
}

fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().to_owned().into_vec())
        .map_err(|_| Error::invalid("path holds a NUL"))
}

#[cfg(any(test, feature = "fault"))]
impl Names {
    /// Runs a job that is then undone.
    pub fn rehearse(&self, work: impl FnOnce()) {
        super::fault::rehearse(&self.db, work);
    }

    /// Returns whether tests have each job run, undone and run again.
    pub fn are_run_again(&self) -> bool {
        super::fault::is_run_again(&self.db)
    }
}

#[cfg(any(test, feature = "fault"))]
fn meet_look(db: &Path) -> io::Result<()> {
    use super::fault::{self, FileKind, Operation};
    fault::meet(db, FileKind::Wal, Operation::Look)
}

#[cfg(any(test, feature = "fault"))]
fn meet_open(db: &Path) -> io::Result<()> {
    use super::fault::{self, FileKind, Operation};
    fault::meet(db, FileKind::Folder, Operation::Open)
}

#[cfg(any(test, feature = "fault"))]
fn meet_sync(db: &Path) -> io::Result<()> {
    use super::fault::{self, FileKind, Operation};
    fault::meet(db, FileKind::Folder, Operation::Sync)
}

#[cfg(not(any(test, feature = "fault")))]
#[expect(clippy::unnecessary_wraps, reason = "test builds make it fail")]
fn meet_look(_db: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(not(any(test, feature = "fault")))]
#[expect(clippy::unnecessary_wraps, reason = "test builds make it fail")]
fn meet_open(_db: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(not(any(test, feature = "fault")))]
#[expect(clippy::unnecessary_wraps, reason = "test builds make it fail")]
fn meet_sync(_db: &Path) -> io::Result<()> {
    Ok(())
}
