//! Holds what a failed sync may and may not do (P40), against a disk that is recorded: after it, after
//! the store was opened again and worked on, and whenever the power is lost, what was acknowledged with
//! `SW_DURABILITY_POWER` is there, and the store is whole.

#![allow(clippy::type_complexity, reason = "a test says what it wants")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::{Connection, ffi};
use tempfile::TempDir;

use super::fault::{self, Fault, FileKind, Keep, Operation};
use super::names::log_path;
use super::side::Side;
use crate::domain::Durability;
use crate::domain::claim::Claim;
use crate::domain::submit::Submit;
use crate::error::{Error, Result};
use crate::handles::attempt::Attempt;
use crate::handles::store::{Store, StoreOptions};
use crate::handles::wait::Waited;
use crate::limits::CHECKPOINT_PAGES;
use crate::storage::Backend;
use crate::text::noise;

/// A payload after which the log is due to be moved.
const LARGE: usize = 4096 * (CHECKPOINT_PAGES as usize + 100);

/// A store on a recorded disk, and what it acknowledged.
struct Bed {
    store: Option<Arc<Store>>,
    path: PathBuf,
    acknowledged: Vec<String>,
    _folder: TempDir,
}

fn options(durability: Durability) -> StoreOptions {
    let payload_bytes_max = 4 * LARGE as u64;
    StoreOptions { create: true, durability, payload_bytes_max, ..StoreOptions::default() }
}

fn of(args: usize) -> Submit {
    let args = Some(noise(args));
    Submit { workflow: "w".into(), args, ..Submit::default() }
}

fn failing(file: FileKind, after: u32) -> Fault {
    Fault { after, ..Fault::new(Operation::Sync, file, ffi::SQLITE_IOERR_FSYNC) }
}

impl Bed {
    /// Makes one whose store is not open yet.
    fn closed() -> Bed {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        fault::record(&path);
        Bed { store: None, path, acknowledged: Vec::new(), _folder: folder }
    }

    /// Makes one whose file is there, closed, and without tables.
    fn made() -> Bed {
        let bed = Bed::closed();
        Store::open(&bed.path, &options(Durability::Power)).unwrap().close();
        bed
    }

    fn new() -> Bed {
        let mut bed = Bed::closed();
        bed.open().unwrap();
        bed
    }

    fn open(&mut self) -> Result<()> {
        let store = Store::open(&self.path, &options(Durability::Power))?;
        let made = store.init();
        self.store = Some(store);
        made.map(|_| ())
    }

    fn close(&mut self) {
        if let Some(store) = self.store.take() {
            store.close();
        }
    }

    fn reopen(&mut self) {
        self.close();
        fault::disarm(&self.path);
        self.open().unwrap();
    }

    fn store(&self) -> &Arc<Store> {
        self.store.as_ref().unwrap()
    }

    fn submit(&mut self, bytes: usize) -> Result<()> {
        let submitted = self.store().submit(of(bytes))?;
        self.acknowledged.push(submitted.run_id);
        Ok(())
    }

    fn claim(&self) -> Arc<Attempt> {
        self.store().claim(Claim::default()).unwrap().unwrap()
    }

    fn arm(&self, file: FileKind, after: u32) {
        fault::arm(&self.path, failing(file, after));
    }

    /// Returns a store in another folder, on what a loss of power leaves now.
    fn after_cut(&self, keep: Keep) -> (TempDir, Arc<Store>) {
        let folder = tempfile::tempdir().unwrap();
        fault::cut_power(&self.path, folder.path(), keep).unwrap();
        let store = Store::open(&folder.path().join("db"), &options(Durability::Power)).unwrap();
        (folder, store)
    }

    /// Loses the power in several ways; each time all must be there, and whole.
    #[track_caller]
    fn assert_safe(&self, when: &str) {
        for keep in [Keep::Nothing, Keep::All, Keep::Some(1), Keep::Some(2)] {
            if self.acknowledged.is_empty() {
                return;
            }
            let (_folder, store) = self.after_cut(keep);
            for run_id in &self.acknowledged {
                assert!(store.run_get(run_id).is_ok(), "{run_id} is lost {when}, {keep:?}");
            }
            let found = store.check().unwrap();
            assert!(found.contains("\"ok\":true"), "{when}, {keep:?}: {found}");
            store.close();
        }
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        fault::disarm(&self.path);
        self.close();
    }
}

/// Much that syncs: making a store, commits, closes that move the log, opens that make a new one. Goes on
/// after an error by opening the store again, as a host does.
fn work(bed: &mut Bed) {
    for bytes in [10, 20_000, 0, 10, 3_000, 0, 10, 0] {
        let is_done = bytes == 0
            || (bed.store.is_none() && bed.open().is_err())
            || bed.submit(bytes).is_err();
        if is_done {
            bed.close();
        }
    }
}

#[test]
fn whichever_sync_fails_nothing_acknowledged_is_lost_and_the_store_stays_whole() {
    let mut bed = Bed::closed();
    work(&mut bed);
    let count: u32 = [FileKind::Db, FileKind::Wal, FileKind::Folder, FileKind::Any]
        .map(|file| fault::count(&bed.path, file, Operation::Sync))
        .iter()
        .sum();
    assert!(count > 12, "{count} syncs");
    for nth in 0..count {
        let mut bed = Bed::closed();
        bed.arm(FileKind::Any, nth);
        work(&mut bed);
        assert_eq!(fault::counts(&bed.path).faults, 1, "sync {nth}");
        bed.assert_safe(&format!("after sync {nth} failed and work went on"));
        bed.open().unwrap();
        bed.submit(10).unwrap();
        bed.assert_safe(&format!("after sync {nth} failed and another write"));
        bed.close();
        bed.assert_safe(&format!("after sync {nth} failed and a close"));
    }
}

/// The result of a checkpoint was looked at only to know whether the log was moved.
#[test]
fn a_sync_that_fails_in_a_checkpoint_poisons() {
    for (file, after) in [(FileKind::Wal, 1), (FileKind::Db, 0)] {
        let mut bed = Bed::new();
        bed.submit(10).unwrap();
        bed.arm(file, after);
        bed.submit(LARGE).unwrap();
        assert_eq!(fault::counts(&bed.path).faults, 1, "{file:?}");
        assert_eq!(bed.submit(10).unwrap_err(), Error::Poisoned, "{file:?}");
        bed.assert_safe("while poisoned");
        bed.reopen();
        bed.submit(10).unwrap();
        bed.assert_safe("after it was opened again");
    }
}

/// SQLite syncs the header of a log that starts over inside the commit.
#[test]
fn a_sync_that_fails_when_the_log_starts_over_poisons() {
    let mut bed = Bed::new();
    bed.submit(LARGE).unwrap();
    bed.arm(FileKind::Wal, 0);
    assert_eq!(bed.submit(10).unwrap_err().code(), -41);
    assert_eq!(bed.submit(10).unwrap_err(), Error::Poisoned);
    bed.reopen();
    bed.submit(10).unwrap();
    bed.assert_safe("after it was opened again");
}

/// A close that may not write gives nothing back: what it held is lost as if its process had died.
#[test]
fn what_a_close_cannot_give_back_is_lost_and_charged_until_it_is_settled() {
    let mut bed = Bed::new();
    let budget = Some(r#"{"t":{"limit":100}}"#.to_owned());
    let submit = Submit { workflow: "held".into(), budget, ..Submit::default() };
    let run_id = bed.store().submit(submit).unwrap().run_id;
    bed.acknowledged.push(run_id.clone());
    let held = bed.claim();
    let reservation = held.reserve(None, r#"{"t":60}"#, None).unwrap().id;
    bed.arm(FileKind::Wal, 0);
    assert!(bed.submit(10).is_err());
    assert_eq!(held.release(0).unwrap_err(), Error::Poisoned);
    bed.reopen();
    let claim = Claim { workflows: Some(vec!["held".into()]), ..Claim::default() };
    let again = bed.store().claim(claim).unwrap().expect("it is taken back at once");
    let history = bed.store().run_history(&run_id, None, 0).unwrap();
    assert!(history.contains(r#""state":"lost""#), "{history}");
    let run = bed.store().run_get(&run_id).unwrap();
    assert!(run.contains(r#""tries":1"#) && again.number() == 2, "{run}");
    let spends = |amount: i64| {
        let balances = bed.store().budget(&run_id).unwrap();
        let balance = format!(r#""reserved":0,"spent":{amount}"#);
        assert!(balances.contains(&balance), "{balance} in {balances}");
    };
    spends(60);
    bed.store().settle(&reservation, r#"{"t":20}"#).unwrap();
    spends(20);
    let other = bed.store().settle(&reservation, r#"{"t":30}"#).unwrap_err();
    assert_eq!(other.code(), -23, "corrected once");
    bed.assert_safe("after what was lost is settled");
}

fn side_of(store: &Store) -> Arc<Side> {
    let entered = store.enter().unwrap();
    #[allow(irrefutable_let_patterns, reason = "there may be other backends")]
    let Backend::Sqlite(backend) = entered.backend().unwrap() else { panic!("it is a file") };
    Arc::clone(backend.side())
}

/// The owner's row is given back with PROCESS: its sync is the close's own, which nobody heard.
#[test]
fn a_sync_that_fails_in_the_close_is_known_to_whoever_opens_next() {
    for file in [FileKind::Wal, FileKind::Db] {
        let mut bed = Bed::new();
        bed.submit(10).unwrap();
        let attempt = bed.claim();
        attempt.complete(None).unwrap();
        drop(attempt);
        bed.arm(file, 0);
        bed.close();
        assert_eq!(fault::counts(&bed.path).faults, 1, "{file:?}");
        assert!(log_path(&bed.path).exists(), "the log is the only place where it all is");
        bed.store = Some(Store::open(&bed.path, &options(Durability::Power)).unwrap());
        assert!(side_of(bed.store()).is_suspect());
        bed.submit(10).unwrap();
        assert!(!side_of(bed.store()).is_suspect());
        bed.assert_safe("after a close that could not sync");
    }
}

/// SQLite counts pages as moved that it has not synced when readers keep it from moving the rest. After
/// a failed sync of the database those are believed clean.
#[test]
fn what_a_partial_checkpoint_copied_is_copied_again_after_a_failed_sync() {
    let mut bed = Bed::new();
    bed.submit(LARGE).unwrap();
    let store = Arc::clone(bed.store());
    let entered = store.enter().unwrap();
    let backend = entered.backend().unwrap();
    // Of pages that no later frame has.
    bed.submit(LARGE / 2).unwrap();
    let read = backend.read_any(|tx| {
        tx.schema_version().unwrap();
        bed.submit(LARGE).unwrap();
        Ok(())
    });
    read.unwrap();
    drop(entered);
    bed.arm(FileKind::Db, 0);
    bed.submit(LARGE).unwrap();
    assert_eq!(fault::counts(&bed.path).faults, 1);
    assert_eq!(bed.submit(10).unwrap_err(), Error::Poisoned);
    drop(store);
    // Whoever else has the file open keeps the index, and in it the count of what was moved.
    let other = Connection::open(&bed.path).unwrap();
    other.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).unwrap();
    bed.reopen();
    for bytes in [10, LARGE, 10, LARGE] {
        bed.submit(bytes).unwrap();
        bed.assert_safe("after it was started over");
    }
    super::vfs::no_checkpoint_on_close(&other, true).unwrap();
}

/// Another process that has the file open sees the mark: it starts over before it writes, and nothing of
/// the log is moved before.
#[test]
fn another_process_starts_over_before_it_writes_and_never_moves_a_log_in_doubt() {
    let mut bed = Bed::new();
    bed.submit(10).unwrap();
    let side = side_of(bed.store());
    // As another process does: in the page that all share, and not in this one's writer.
    side.note_failed_sync();
    side.is_poisoned.store(false, Ordering::SeqCst);
    let before = fault::counts(&bed.path);
    bed.submit(10).unwrap();
    let after = fault::counts(&bed.path);
    assert!(!side.is_suspect());
    assert!(after.wal_writes - before.wal_writes > 5, "the log was written anew");
    assert_eq!(after.db_writes - before.db_writes, 1, "only the first page");
    side.note_failed_sync();
    side.is_poisoned.store(false, Ordering::SeqCst);
    drop(side);
    let before = fault::counts(&bed.path).db_writes;
    bed.close();
    assert_eq!(fault::counts(&bed.path).db_writes, before, "a close moved a log in doubt");
    assert!(log_path(&bed.path).exists());
}

/// The log, the database, the folder: each may fail again.
#[test]
fn a_sync_that_fails_while_it_starts_over_leaves_all_as_it_was() {
    let mut bed = Bed::new();
    for _ in 0..3 {
        bed.submit(9_000).unwrap();
    }
    bed.arm(FileKind::Wal, 0);
    bed.submit(10).unwrap_err();
    for nth in 0..3 {
        bed.close();
        bed.store = Some(Store::open(&bed.path, &options(Durability::Power)).unwrap());
        bed.arm(FileKind::Any, nth);
        assert_eq!(bed.submit(10).unwrap_err().code(), -41, "sync {nth}");
        assert_eq!(bed.submit(10).unwrap_err(), Error::Poisoned, "sync {nth}");
        bed.assert_safe("in the midst of starting over");
    }
    bed.reopen();
    bed.submit(10).unwrap();
    bed.assert_safe("after it was started over");
}

/// What is believed clean may be read from the disk again: then it is gone, and that is said, once.
#[test]
fn what_cannot_be_read_any_more_is_said_and_what_was_acknowledged_with_power_stays() {
    let mut bed = Bed::new();
    bed.submit(10).unwrap();
    let lax = Store::open(&bed.path, &options(Durability::Process)).unwrap();
    let lost: Vec<String> = (0..3).map(|_| lax.submit(of(9_000)).unwrap().run_id).collect();
    bed.arm(FileKind::Wal, 0);
    bed.submit(10).unwrap_err();
    lax.close();
    bed.close();
    fault::drop_clean(&bed.path).unwrap();
    bed.open().unwrap_err();
    let said = bed.store().submit(of(10)).unwrap_err();
    assert_eq!(said, Error::Poisoned);
    bed.close();
    bed.open().unwrap();
    bed.submit(10).unwrap();
    assert!(bed.store().run_get(&lost[2]).is_err());
    bed.assert_safe("after frames were lost");
}

#[test]
fn a_folder_that_cannot_be_synced_is_a_failed_sync() {
    for (errno, code) in
        [(libc::EIO, -41), (libc::ENOMEM, -41), (libc::ENOSPC, -42), (libc::EDQUOT, -42)]
    {
        let mut bed = Bed::made();
        fault::arm(&bed.path, Fault { errno, ..failing(FileKind::Folder, 0) });
        assert_eq!(bed.open().unwrap_err().code(), code);
        assert_eq!(bed.submit(10).unwrap_err(), Error::Poisoned);
        bed.reopen();
        bed.submit(10).unwrap();
        bed.assert_safe("after the folder was synced");
    }
}

/// What undoes a change is found after a loss of power by its name alone.
#[test]
fn a_database_is_written_to_once_the_name_of_its_journal_is_on_the_disk() {
    let bed = Bed::closed();
    let open = || Store::open(&bed.path, &options(Durability::Power)).map(|store| store.close());
    let synced = || fault::count(&bed.path, FileKind::Folder, Operation::Sync);
    let no_write = Fault::new(Operation::Write, FileKind::Db, ffi::SQLITE_IOERR_WRITE);
    fault::arm(&bed.path, no_write);
    assert_eq!(open().unwrap_err().code(), -41);
    assert_eq!(synced(), 1);
    let folder = failing(FileKind::Folder, 0);
    for fault in [folder, Fault { errno: libc::EMFILE, operation: Operation::Open, ..folder }] {
        fault::arm(&bed.path, fault);
        let before = fault::counts(&bed.path).db_writes;
        assert_eq!(open().unwrap_err().code(), -41);
        assert_eq!(fault::counts(&bed.path).db_writes, before);
        fault::disarm(&bed.path);
    }
    open().unwrap();
}

/// Nothing was asked of the disk yet, so that no page is in doubt: it may be tried again.
#[test]
fn a_folder_that_cannot_be_opened_is_tried_again_before_an_answer_and_before_a_checkpoint() {
    for errno in [libc::EMFILE, libc::ENFILE, libc::EIO, libc::EACCES] {
        let mut bed = Bed::made();
        let fault = Fault::new(Operation::Open, FileKind::Folder, 0);
        fault::arm(&bed.path, Fault { errno, is_sticky: true, ..fault });
        let synced = |bed: &Bed| fault::count(&bed.path, FileKind::Folder, Operation::Sync);
        let before = synced(&bed);
        for error in [bed.open().unwrap_err(), bed.submit(LARGE).unwrap_err()] {
            assert_eq!((error.code(), error.engine_code()), (-41, -errno));
        }
        assert_eq!(synced(&bed), before);
        fault::disarm(&bed.path);
        bed.submit(10).unwrap();
        bed.assert_safe("after the folder was synced");
    }
}

/// A database half changed is made whole by the log alone: its name must be on the disk before.
#[test]
fn nothing_is_moved_into_the_database_before_the_log_has_its_name() {
    for is_close in [false, true] {
        let mut bed = Bed::closed();
        let store = Store::open(&bed.path, &options(Durability::Process)).unwrap();
        // The journal's, of the open that makes the file, is told apart.
        let made = fault::count(&bed.path, FileKind::Folder, Operation::Sync);
        let counts = || fault::count(&bed.path, FileKind::Folder, Operation::Sync) - made;
        fault::arm(&bed.path, Fault { is_sticky: true, ..failing(FileKind::Folder, 0) });
        store.init().unwrap_err();
        store.close();
        fault::disarm(&bed.path);
        let store = Store::open(&bed.path, &options(Durability::Process)).unwrap();
        store.init().unwrap();
        assert_eq!(counts(), 2, "the init's");
        store.close();
        let store = Store::open(&bed.path, &options(Durability::Process)).unwrap();
        store.submit(of(10)).unwrap();
        assert_eq!(counts(), 2, "PROCESS asks for no name");
        bed.arm(FileKind::Folder, 0);
        let before = fault::counts(&bed.path).db_writes;
        if !is_close {
            store.submit(of(LARGE)).unwrap();
            assert_eq!(store.submit(of(10)).unwrap_err(), Error::Poisoned);
        }
        store.close();
        assert_eq!((counts(), fault::counts(&bed.path).db_writes), (3, before), "{is_close}");
        bed.open().unwrap();
        bed.submit(10).unwrap();
        bed.assert_safe("after the folder was synced");
    }
}

/// A look that fails proves nothing. It comes after the commit, so that no memory for it is an error of
/// those that leave open whether anything is stored: NOMEM says that nothing is.
#[test]
fn a_log_that_cannot_be_looked_at_is_an_error_of_the_moment() {
    for errno in [libc::EMFILE, libc::ENOMEM] {
        let mut bed = Bed::new();
        bed.submit(10).unwrap();
        let fault = Fault::new(Operation::Look, FileKind::Wal, 0);
        fault::arm(&bed.path, Fault { errno, ..fault });
        let error = bed.submit(10).unwrap_err();
        assert_eq!((error.code(), error.engine_code()), (-41, -errno));
        assert!(error.is_retryable());
        bed.submit(10).unwrap();
        bed.assert_safe("after a look failed");
    }
}

// ---------------------------------------------------------------------------------------------
// Repeats

fn child(attempt: &Attempt) -> Result<()> {
    attempt.child_submit("c", of(10)).map(|_| ())
}

fn children(attempt: &Attempt) -> Result<()> {
    attempt.child_submit_many(vec![("a".into(), of(10)), ("b".into(), of(10))]).map(|_| ())
}

fn slept(attempt: &Attempt) -> Result<()> {
    attempt.sleep("s", 3_600_000).map(|waited| assert_eq!(waited, Waited::NotYet))
}

fn heard(attempt: &Attempt) -> Result<()> {
    attempt.signal_await("m", -1).map(|waited| assert!(matches!(waited, Waited::Ready(_))))
}

fn timed_out(attempt: &Attempt) -> Result<()> {
    attempt.signal_await("n", 0).map(|waited| assert_eq!(waited, Waited::TimedOut))
}

fn any(attempt: &Attempt) -> Result<()> {
    attempt.await_any("any", r#"[{"signal":"m"},{"sleep_ms":9000000}]"#, -1).map(|_| ())
}

fn all(attempt: &Attempt) -> Result<()> {
    attempt.await_all("all", r#"[{"signal":"m"}]"#, -1).map(|_| ())
}

fn told(attempt: &Attempt) -> Result<()> {
    attempt.event_append("e", None, Some("k")).map(|_| ())
}

fn sent(attempt: &Attempt) -> Result<()> {
    let to = attempt.run_id().lend().as_str().to_owned();
    attempt.store().signal_send(&to, "x", None, Some("k")).map(|_| ())
}

fn submitted(attempt: &Attempt) -> Result<()> {
    let submit = Submit { idempotency_key: Some("k".into()), ..of(10) };
    attempt.store().submit(submit).map(|_| ())
}

fn ended(attempt: &Attempt) -> Result<()> {
    attempt.complete(None)
}

const REPEATED: [(&str, fn(&Attempt) -> Result<()>); 11] = [
    ("child", child),
    ("children", children),
    ("sleep", slept),
    ("signal_await", heard),
    ("time-out", timed_out),
    ("await_any", any),
    ("await_all", all),
    ("event", told),
    ("signal_send", sent),
    ("submit", submitted),
    ("complete", ended),
];

/// P6: a repeat that confirms what the first call stored promises as much as that would have: it syncs
/// what is committed only, and is refused once a sync has failed.
#[test]
fn a_repeat_confirms_only_what_is_on_the_disk() {
    for (name, call) in REPEATED {
        for operation in [Operation::Look, Operation::Sync] {
            let mut bed = Bed::new();
            bed.submit(10).unwrap();
            let attempt = bed.claim();
            let run_id = attempt.run_id().lend().as_str().to_owned();
            bed.store().signal_send(&run_id, "m", None, None).unwrap();
            fault::arm(&bed.path, Fault::new(operation, FileKind::Wal, ffi::SQLITE_IOERR_FSYNC));
            assert_eq!(call(&attempt).unwrap_err().code(), -41, "{name} {operation:?}");
            let before = fault::counts(&bed.path);
            let repeated = call(&attempt);
            let syncs = fault::counts(&bed.path).wal_syncs - before.wal_syncs;
            if operation == Operation::Sync {
                assert_eq!(repeated.unwrap_err(), Error::Poisoned, "{name}");
            } else {
                repeated.unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(syncs, 1, "{name} was confirmed without a sync");
                let is_free = ["child", "children", "sleep", "signal_await"].contains(&name);
                if is_free && name == "sleep" {
                    call(&attempt).unwrap();
                    let again = fault::counts(&bed.path).wal_syncs - before.wal_syncs;
                    assert_eq!(again, 1, "{name}: all is on the disk");
                }
            }
            drop(attempt);
        }
    }
}

// ---------------------------------------------------------------------------------------------
// The length of the log

/// After one long reader let it grow.
#[test]
fn a_log_that_was_large_is_cut_once_nobody_reads_it() {
    let bed = Bed::new();
    let size = || std::fs::metadata(log_path(&bed.path)).unwrap().len();
    let large = 9;
    let store = Arc::clone(bed.store());
    let lax = Store::open(&bed.path, &options(Durability::Process)).unwrap();
    let entered = store.enter().unwrap();
    let grown = AtomicU32::new(0);
    entered
        .backend()
        .unwrap()
        .read_any(|tx| {
            tx.schema_version().unwrap();
            for _ in 0..large {
                lax.submit(of(LARGE)).unwrap();
                grown.fetch_add(1, Ordering::SeqCst);
            }
            Ok(())
        })
        .unwrap();
    assert!(size() > 64_000_000, "{} bytes", size());
    // The last try to cut it was in vain, and the next comes a second later at the earliest.
    let started = std::time::Instant::now();
    while size() > 1_000_000 {
        assert!(started.elapsed() < std::time::Duration::from_secs(60), "{} bytes", size());
        lax.submit(of(10)).unwrap();
    }
    drop(entered);
    lax.close();
    let whole = Connection::open(&bed.path).unwrap();
    let count: i64 =
        whole.query_row("SELECT count(*) FROM sw_workflow_runs", [], |row| row.get(0)).unwrap();
    assert!(count > large);
}
