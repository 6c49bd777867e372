//! What is to happen, and happened, to the files of each database: faults, counts, the disk.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::disk::{Disk, Keep};

use crate::lock::Unpoisoned;
use crate::os;
use crate::process::PerProcess;

/// What is done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Opening or making it.
    Open,
    /// Reading from it.
    Read,
    /// Writing to it.
    Write,
    /// Making it safe against power loss.
    Sync,
    /// Cutting it.
    Truncate,
    /// Taking its name away.
    Delete,
    /// Taking a lock on it.
    Lock,
    /// Mapping it into memory.
    Map,
    /// Asking what it is (`stat`).
    Look,
    /// Opening it for writing, by the system's call: it can still be opened for reading.
    OpenToWrite,
}

const OPERATIONS: usize = 10;

/// Which of a database's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// The database itself.
    Db,
    /// Its write-ahead log.
    Wal,
    /// The index of that log, which is locked and mapped only.
    Shm,
    /// The folder they stand in.
    Folder,
    /// All, its rollback journal included.
    Any,
}

const FILE_KINDS: usize = 5;

/// A fault to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// What fails.
    pub operation: Operation,
    /// On which file.
    pub file: FileKind,
    /// Operations of that kind that still succeed before.
    pub after: u32,
    /// SQLite's extended result code to answer, such as `SQLITE_IOERR_FSYNC` or `SQLITE_FULL`. The
    /// operation is not carried out.
    pub code: i32,
    /// What the system says of it, such as `EDQUOT`.
    pub errno: i32,
    /// Whether every later one fails too, until disarmed.
    pub is_sticky: bool,
}

impl Fault {
    /// Makes the fault of the very next operation, once, of a medium that fails (`EIO`).
    pub fn new(operation: Operation, file: FileKind, code: i32) -> Fault {
        Fault { operation, file, after: 0, code, errno: libc::EIO, is_sticky: false }
    }
}

/// Operations carried out or failed since the database was first opened or armed in this process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Reads of the database file.
    pub db_reads: u32,
    /// Writes to the database file.
    pub db_writes: u32,
    /// Syncs of the database file.
    pub db_syncs: u32,
    /// Reads of the write-ahead log.
    pub wal_reads: u32,
    /// Writes to the write-ahead log.
    pub wal_writes: u32,
    /// Syncs of the write-ahead log.
    pub wal_syncs: u32,
    /// Operations of any kind on any file that were made to fail.
    pub faults: u32,
}

/// Sets the fault that the database's files are to have next, in place of any other.
pub fn arm(db: &Path, fault: Fault) {
    *lock(&Plan::of(db).fault) = Some(fault);
}

/// Takes back the database's fault, fired or not.
pub fn disarm(db: &Path) {
    *lock(&Plan::of(db).fault) = None;
}

/// Has this process die right before it changes a file of the database for that time from now on: writes
/// to it, syncs or cuts it, or takes its name away.
pub fn die_at(db: &Path, change: u32) {
    Plan::of(db).changes_left.store(change, Ordering::SeqCst);
}

/// Has each job and each look of the database's handles run twice from now on, undone in between, as
/// backends do to those that met others at work.
pub fn run_again(db: &Path) {
    Plan::of(db).is_run_again.store(true, Ordering::SeqCst);
}

/// Returns whether that is so.
pub fn is_run_again(db: &Path) -> bool {
    Plan::of(db).is_run_again.load(Ordering::SeqCst)
}

/// Returns how often an operation was carried out or failed so far.
pub fn count(db: &Path, file: FileKind, operation: Operation) -> u32 {
    Plan::of(db).counter(file, operation).load(Ordering::SeqCst)
}

/// Returns what was done to the database's files so far.
pub fn counts(db: &Path) -> Counts {
    Counts {
        db_reads: count(db, FileKind::Db, Operation::Read),
        db_writes: count(db, FileKind::Db, Operation::Write),
        db_syncs: count(db, FileKind::Db, Operation::Sync),
        wal_reads: count(db, FileKind::Wal, Operation::Read),
        wal_writes: count(db, FileKind::Wal, Operation::Write),
        wal_syncs: count(db, FileKind::Wal, Operation::Sync),
        faults: Plan::of(db).faults.load(Ordering::SeqCst),
    }
}

/// Meets an operation on the database's files that goes around SQLite: says whether it is to fail.
pub fn meet(db: &Path, file: FileKind, operation: Operation) -> io::Result<()> {
    let plan = Plan::of(db);
    if let Some(fault) = plan.meet(file, operation) {
        return Err(io::Error::from_raw_os_error(fault.errno));
    }
    if (file, operation) == (FileKind::Folder, Operation::Sync) {
        plan.with_disk(Disk::sync_folder);
    }
    Ok(())
}

/// Begins to keep what the disk has of the database's files beside what programs see, so that
/// `cut_power` can be asked. To be called while nobody has the database open; what is there already
/// counts as synced. Knows only of what this process does through this layer.
pub fn record(db: &Path) {
    let mut disk = Disk::default();
    for suffix in ["", "-wal", "-journal"] {
        let mut path = full_path(db).into_os_string();
        path.push(suffix);
        disk.note_old(Path::new(&path));
    }
    *lock(&Plan::of(db).disk) = Some(disk);
}

/// Writes the files that a loss of power now would leave into another folder, under their names.
pub fn cut_power(db: &Path, into: &Path, keep: Keep) -> io::Result<()> {
    let plan = Plan::of(db);
    let disk = lock(&plan.disk);
    disk.as_ref().ok_or_else(|| io::Error::other("not recorded"))?.cut_power(into, keep)
}

/// Makes the kernel drop its copy of what it believes clean: readers then see what the disk has.
pub fn drop_clean(db: &Path) -> io::Result<()> {
    let (plan, path) = (Plan::of(db), full_path(db));
    let disk = lock(&plan.disk);
    let folder = path.parent().unwrap_or(Path::new("/"));
    disk.as_ref().ok_or_else(|| io::Error::other("not recorded"))?.drop_clean(folder)
}

/// What is to happen, and happened, to the files of one database.
#[derive(Debug, Default)]
pub struct Plan {
    fault: Mutex<Option<Fault>>,
    /// By kind of file, then by operation.
    counts: [[AtomicU32; OPERATIONS]; FILE_KINDS],
    faults: AtomicU32,
    /// The process dies before the last of them; 0 is never.
    changes_left: AtomicU32,
    disk: Mutex<Option<Disk>>,
    is_run_again: AtomicBool,
    /// Before which statement each first run panics; 0 is none.
    pub(super) panics_at: AtomicU32,
    pub(super) panics: AtomicU32,
}

impl Plan {
    /// Returns the plan of the database; one for all temporary files, which have no name.
    pub fn of(db: &Path) -> Arc<Plan> {
        // A child that is forked while another thread of its parent looks here begins with none.
        static PLANS: PerProcess<Mutex<HashMap<PathBuf, Arc<Plan>>>> = PerProcess::new();
        Arc::clone(lock(PLANS.get()).entry(full_path(db)).or_default())
    }

    /// Counts an operation; returns the fault to fail it with, if it is to fail.
    pub fn meet(&self, kind: FileKind, operation: Operation) -> Option<Fault> {
        self.counter(kind, operation).fetch_add(1, Ordering::SeqCst);
        self.die_if_due(operation);
        let mut armed = lock(&self.fault);
        let fault = armed.as_mut()?;
        let is_meant = fault.file == kind || fault.file == FileKind::Any;
        if fault.operation != operation || !is_meant {
            return None;
        }
        if fault.after > 0 {
            fault.after -= 1;
            return None;
        }
        let met = *fault;
        if !met.is_sticky {
            *armed = None;
        }
        self.faults.fetch_add(1, Ordering::SeqCst);
        Some(met)
    }

    fn die_if_due(&self, operation: Operation) {
        use Operation::{Delete, Sync, Truncate, Write};
        let is_change = matches!(operation, Write | Sync | Truncate | Delete);
        let less = |left: u32| left.checked_sub(1);
        let counted =
            |left: &AtomicU32| left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
        if is_change && counted(&self.changes_left) == Ok(1) {
            os::die();
        }
    }

    fn counter(&self, kind: FileKind, operation: Operation) -> &AtomicU32 {
        &self.counts[kind as usize][operation as usize]
    }

    /// Works on the record of the disk, if there is one.
    pub fn with_disk<T>(&self, work: impl FnOnce(&mut Disk) -> T) -> Option<T> {
        lock(&self.disk).as_mut().map(work)
    }
}

/// Resolves links in the folder's path as SQLite does, for a file that need not exist.
fn full_path(db: &Path) -> PathBuf {
    match (db.parent().and_then(|folder| folder.canonicalize().ok()), db.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => db.to_owned(),
    }
}

/// A test that panicked while it held the lock leaves nothing half-done behind.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unpoisoned()
}
