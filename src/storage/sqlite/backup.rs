//! Copies of a store: taken page by page in one read transaction while others write, made a lineage of
//! their own, and given their name at the end, so that what has the name is whole.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::connect::connect;
use super::errors::{cannot_open, map};
use super::path;
use crate::error::{Error, Result};
use crate::os;
use crate::storage::system::map_system;

/// Pages between two looks whether to go on: four megabytes.
const PAGES_A_STEP: i32 = 1_024;

/// How long a page that is locked is waited for. Nobody else has the copy open, and the original is read
/// in a transaction that is open already.
const LOCK_WAIT: Duration = Duration::from_millis(10);

/// What beside a file would be taken for a part of it.
const BESIDE: [&str; 4] = ["-wal", "-shm", "-journal", super::side::SUFFIX];

/// Who the copy is: none that another copy is, of the same store or of this one. Its cursors are none of
/// the original's, nor are its claims: an attempt that runs holds the original, so that here it is lost at
/// the first look.
const NEW_LINEAGE: &str = "
UPDATE sw_store
SET lineage = random()
WHERE one = 1";

const LEASES_END: &str = "
UPDATE sw_workflow_tasks
SET lease_until_up_ms = 0, version = version + 1
WHERE owner_key IS NOT NULL";

/// What is run on a copy, and the table that it is about: an older schema may not have it yet.
const CHANGES: [(&str, &str); 2] = [("sw_store", NEW_LINEAGE), ("sw_workflow_tasks", LEASES_END)];

/// Every statement of this file, for the test of their plans.
pub const STATEMENTS: &[&str] = &[NEW_LINEAGE, LEASES_END];

/// A copy that has no name yet. Dropped without one it is taken away.
pub struct Copy {
    target: PathBuf,
    path: PathBuf,
}

impl Copy {
    /// Makes an empty one beside the name that it is to get.
    ///
    /// # Errors
    /// `Conflict` when something has that name, or stands beside it as a part of it; `Invalid`,
    /// `CannotOpen`, `Full`.
    pub fn new(target: &Path, mark: &str) -> Result<Copy> {
        let target = path::resolve(target)?;
        check_absent(&target)?;
        check_no_part(&target)?;
        let copy = Copy { path: os::with_suffix(&target, &format!("-{mark}")), target };
        path::resolve(&copy.path)?;
        let made = os::create_private(&copy.path, 0o600);
        match made.map_err(|error| cannot_open(&copy.path, &error))? {
            true => Ok(copy),
            false => Err(Error::internal("a new name is taken")),
        }
    }

    /// Fills it from a connection on which a transaction is open; `go_on` is asked now and then.
    pub fn fill(&self, from: &Connection, go_on: &dyn Fn() -> Result<()>) -> Result<()> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut to = connect(&self.path, flags)?;
        copy_pages(from, &mut to, go_on)?;
        // No log beside it, so that it can be moved and read as one file.
        to.execute_batch("PRAGMA synchronous = FULL; PRAGMA journal_mode = DELETE; BEGIN")
            .map_err(map)?;
        for (table, sql) in CHANGES {
            if to.table_exists(None, table).map_err(map)? {
                to.execute(sql, []).map_err(map)?;
            }
        }
        to.execute_batch("COMMIT").map_err(map)?;
        to.close().map_err(|(_, error)| map(error))
    }

    /// Gives it its name, for good.
    pub fn name(self) -> Result<()> {
        check_absent(&self.target)?;
        os::rename_new(&self.path, &self.target).map_err(|error| {
            if error.kind() == io::ErrorKind::AlreadyExists {
                return taken(&self.target);
            }
            map_system(&format!("{} cannot be named", self.target.display()), &error)
        })?;
        let folder = self.target.parent().unwrap_or(Path::new("/"));
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| {
            // A name that may be gone after a power cut is none: what failed leaves nothing.
            let _ = os::rename_new(&self.target, &self.path);
            Error::from_os(&format!("sync the folder {}", folder.display()), &error)
        })
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // Gone under this name, if it has got its own.
        let _ = fs::remove_file(&self.path);
        for suffix in BESIDE {
            let _ = fs::remove_file(os::with_suffix(&self.path, suffix));
        }
    }
}

fn copy_pages(
    from: &Connection,
    to: &mut Connection,
    go_on: &dyn Fn() -> Result<()>,
) -> Result<()> {
    let backup = Backup::new(from, to).map_err(map)?;
    loop {
        let step = backup.step(PAGES_A_STEP).map_err(map)?;
        if step == StepResult::Done {
            return Ok(());
        }
        if step != StepResult::More {
            std::thread::sleep(LOCK_WAIT);
        }
        go_on()?;
    }
}

/// Refuses a name that is taken, or that has beside it what would be read as a part of the copy.
fn check_absent(target: &Path) -> Result<()> {
    let beside = BESIDE.iter().map(|suffix| os::with_suffix(target, suffix));
    for path in std::iter::once(target.to_path_buf()).chain(beside) {
        if fs::symlink_metadata(&path).is_ok() {
            return Err(taken(&path));
        }
    }
    Ok(())
}

/// Refuses a name that makes it a part of a file that is there: whoever opens that would take it away.
fn check_no_part(target: &Path) -> Result<()> {
    let name = target.as_os_str().as_bytes();
    for suffix in BESIDE {
        let Some(stem) = name.strip_suffix(suffix.as_bytes()) else { continue };
        let whole = Path::new(OsStr::from_bytes(stem));
        if fs::symlink_metadata(whole).is_ok_and(|whole| whole.is_file()) {
            return Err(Error::conflict(format!(
                "{} would be read as a part of {}",
                target.display(),
                whole.display()
            )));
        }
    }
    Ok(())
}

fn taken(path: &Path) -> Error {
    Error::conflict(format!(
        "{} is there already, a backup is written over nothing",
        path.display()
    ))
}
