//! The names of a store's files: whether they still name what was opened, and bringing them to the disk.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::os;
use crate::error::{Error, Result};

/// The names of a database and of its log.
pub struct Names {
    db: PathBuf,
    log: CString,
    log_inode: u64,
    /// Whether the folder was synced since the log was opened.
    are_on_disk: bool,
}

/// Returns the path of the log of a file.
pub fn log_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

impl Names {
    /// Notes what the names stand for now.
    pub fn new(db: &Path) -> Result<Names> {
        let log = CString::new(log_path(db).into_os_string().into_vec())
            .map_err(|_| Error::invalid("a path must not hold a NUL"))?;
        let mut names = Names { db: db.to_owned(), log, log_inode: 0, are_on_disk: false };
        names.log_inode = names.look().map_err(|error| unseen(&error))?;
        Ok(names)
    }

    /// Fails when the log was taken away: what we append to it, nobody will ever see (P36). Another file
    /// under its name, or none, is the proof; a look that fails is an error like any other.
    pub fn check(&self) -> Result<()> {
        match self.look() {
            Ok(inode) if inode == self.log_inode => Ok(()),
            Err(error) if !is_gone(&error) => Err(unseen(&error)),
            Ok(_) | Err(_) => Err(Error::WalLost(
                "the write-ahead log was removed or replaced while the store was open: \
                 has a second SQLite in this process opened the file?"
                    .into(),
            )),
        }
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

    fn look(&self) -> io::Result<u64> {
        meet_look(&self.db)?;
        os::inode(&self.log)
    }
}

fn unseen(error: &io::Error) -> Error {
    Error::from_os("the write-ahead log cannot be seen", error)
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
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
