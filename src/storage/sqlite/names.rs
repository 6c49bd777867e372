//! The names of a store's files: whether they still name what was opened, and bringing them to the disk.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::os;
use super::place::{cannot_open, is_missing, with_suffix};
use super::side::{self, Side};
use crate::error::{Error, Result};

/// The names of a store's files.
pub struct Names {
    db: PathBuf,
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
    with_suffix(path, "-wal")
}

impl Names {
    /// Notes what the names stand for; `id` and `side` are the database and the side file as opened.
    pub fn new(db: &Path, id: os::FileId, side: &Side) -> Result<Names> {
        let (log, beside) = (log_path(db), with_suffix(db, side::SUFFIX));
        let log_id = os::file_id(&c_path(&log)?).map_err(|error| cannot_open(&log, &error))?;
        let side_id = side.id()?.ok_or_else(|| Error::internal("a file has no side file"))?;
        let files = [
            Named { what: "the database", name: c_path(db)?, id },
            Named { what: "the write-ahead log", name: c_path(&log)?, id: log_id },
            Named { what: "the side file", name: c_path(&beside)?, id: side_id },
        ];
        Ok(Names { db: db.to_owned(), files, are_on_disk: false })
    }

    /// Fails when a file was taken away: what is written to it, nobody will ever see, and others share no
    /// locks with us (P36). Another file under its name, or none, is the proof; a look that fails is an
    /// error like any other.
    pub fn check(&self) -> Result<()> {
        self.files.iter().try_for_each(|file| file.check(&self.db))
    }

    /// Brings the names to the disk, once. SQLite would do so too and tell nobody when it fails: the file
    /// layer keeps it from that.
    pub fn sync(&mut self) -> Result<()> {
        if !self.are_on_disk {
            let folder = self.db.parent().unwrap_or(Path::new("/"));
            let synced = meet_sync(&self.db).and_then(|()| os::sync_folder(folder));
            synced.map_err(|error| {
                Error::from_os(&format!("sync the folder {}", folder.display()), &error)
            })?;
            self.are_on_disk = true;
        }
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
fn meet_look(db: &Path) -> io::Result<()> {
    use super::fault::{self, FileKind, Operation};
    fault::meet(db, FileKind::Wal, Operation::Look)
}

#[cfg(any(test, feature = "fault"))]
fn meet_sync(db: &Path) -> io::Result<()> {
    use super::fault::{self, FileKind, Operation};
    fault::meet(db, FileKind::Folder, Operation::Open)?;
    fault::meet(db, FileKind::Folder, Operation::Sync)
}

#[cfg(not(any(test, feature = "fault")))]
#[expect(clippy::unnecessary_wraps, reason = "test builds make it fail")]
fn meet_look(_db: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(not(any(test, feature = "fault")))]
#[expect(clippy::unnecessary_wraps, reason = "test builds make it fail")]
fn meet_sync(_db: &Path) -> io::Result<()> {
    Ok(())
}
