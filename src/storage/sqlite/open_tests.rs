//! What opening refuses, rolls back and leaves; and what becomes of a store whose files are taken away.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test says what it wants")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, ffi};
use tempfile::TempDir;

use super::fault::{self, Fault, FileKind, Operation};
use crate::domain::Durability;
use crate::domain::claim::Claim;
use crate::domain::submit::Submit;
use crate::error::{Error, Result};
use crate::handles::store::{Store, StoreOptions};
use crate::limits::{FILE_BYTES_MAX, PATH_BYTES_MAX};
use crate::os::with_suffix;
use crate::process::forking::fork;

fn options() -> StoreOptions {
    StoreOptions { create: true, busy_timeout_ms: 2_000, ..StoreOptions::default() }
}

fn try_open(path: &Path) -> Result<std::sync::Arc<Store>> {
    Store::open(path, &options())
}

fn open(path: &Path) -> std::sync::Arc<Store> {
    let store = try_open(path).unwrap();
    store.init().unwrap();
    store
}

fn submit(store: &Store) -> Result<String> {
    let submit = Submit { workflow: "w".into(), ..Submit::default() };
    store.submit(submit).map(|submitted| submitted.run_id)
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().canonicalize().unwrap().join("db");
    (folder, db)
}

/// All files of a folder, with what tells their bytes apart.
fn contents(folder: &Path) -> BTreeMap<PathBuf, blake3::Hash> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.is_file())
        .map(|path| (path.clone(), blake3::hash(&fs::read(path).unwrap())))
        .collect()
}

fn refusal(path: &Path) -> Error {
    try_open(path).map(|_| ()).unwrap_err()
}

// ---------------------------------------------------------------------------------------------
// Paths

#[test]
fn what_others_take_for_a_store_in_memory_or_a_uri_is_refused_and_says_what_to_call() {
    for (path, hint) in [
        (":memory:", "sw_store_open_in_memory"),
        (":Memory:", "sw_store_open_in_memory"),
        ("", "sw_store_open_in_memory"),
        ("file::memory:", "sw_store_open_in_memory"),
        ("file::memory:?cache=shared", "sw_store_open_in_memory"),
        ("sqlite://:memory:", "sw_store_open_in_memory"),
        ("file:app.db?mode=ro", "./file:app.db?mode=ro"),
        ("file:///tmp/app.db", "the path alone"),
        ("sqlite:///app.db", "the path alone"),
        ("a\0b", "NUL"),
    ] {
        let error = refusal(Path::new(path));
        assert!(matches!(&error, Error::Invalid(text) if text.contains(hint)), "{path}: {error:?}");
        assert!(!Path::new(path).exists());
    }
    for url in [
        "postgresql:/me:hush@host/db",
        "Postgres://me:hush@host",
        "postgresql+x://u:hush@h",
        "redis://hush",
    ] {
        let error = refusal(Path::new(url));
        let is_told = |text: &str| text.contains("postgresql://...") && !text.contains("hush");
        assert!(matches!(&error, Error::Invalid(text) if is_told(text)), "{url}: {error:?}");
    }
    let (_folder, db) = folder();
    open(&db.with_file_name(":memory:")).close();
    open(&db.with_file_name("postgres:name")).close();
    open(&db.with_file_name("file:name")).close();
}

#[test]
fn a_path_is_as_long_as_the_limit_says_and_one_more_byte_leaves_nothing() {
    let (folder, db) = folder();
    let mut deep = db.with_file_name("");
    // A folder whose path leaves room for a name of ten bytes.
    while deep.as_os_str().len() + 1 < FILE_BYTES_MAX - 11 {
        let left = FILE_BYTES_MAX - 11 - deep.as_os_str().len();
        deep = deep.join("d".repeat((left - 1).clamp(1, 100)));
    }
    fs::create_dir_all(&deep).unwrap();
    let longest = deep.join("x".repeat(FILE_BYTES_MAX - deep.as_os_str().len() - 1));
    assert_eq!(longest.as_os_str().len(), FILE_BYTES_MAX);
    let store = open(&longest);
    submit(&store).unwrap();
    store.close();
    let longer = longest.with_file_name(format!("{}x", longest.file_name().unwrap().display()));
    let before = contents(&deep);
    for path in [longer.clone(), folder.path().join("y".repeat(PATH_BYTES_MAX))] {
        assert!(matches!(refusal(&path), Error::Invalid(_)));
    }
    assert_eq!(contents(&deep), before);
    // The file counts and not the way to it.
    let short = folder.path().join("short");
    symlink(&longest, &short).unwrap();
    try_open(&short).unwrap().close();
    fs::remove_file(&short).unwrap();
    let before = contents(&deep);
    symlink(&longer, &short).unwrap();
    let error = refusal(&short);
    assert!(error.to_string().contains("504"), "{error}");
    assert_eq!(contents(&deep), before);
}

#[test]
fn a_name_has_room_for_what_stands_beside_it() {
    let (folder, db) = folder();
    let name = |bytes: usize| db.with_file_name("n".repeat(bytes));
    open(&name(247)).close();
    let before = contents(folder.path());
    for bytes in [248, 251, 255, 256] {
        let error = refusal(&name(bytes));
        assert!(matches!(error, Error::Invalid(_)), "{bytes}: {error:?}");
    }
    assert_eq!(contents(folder.path()), before);
}

#[test]
fn a_link_to_a_file_that_is_yet_to_be_made_leads_to_it() {
    let (folder, db) = folder();
    fs::create_dir(folder.path().join("data")).unwrap();
    let (link, far) = (db.with_file_name("link"), db.with_file_name("far"));
    symlink("data/db", &link).unwrap();
    symlink("link", &far).unwrap();
    let no_create = StoreOptions { create: false, ..options() };
    assert!(matches!(Store::open(&far, &no_create).map(|_| ()), Err(Error::CannotOpen { .. })));
    assert!(contents(&folder.path().join("data")).is_empty());

    let store = open(&far);

    assert!(store.path().unwrap().to_str().unwrap().ends_with("/data/db"));
    store.close();
    let lost = db.with_file_name("lost");
    symlink("no such folder/db", &lost).unwrap();
    let circle = db.with_file_name("circle");
    symlink("circle", &circle).unwrap();
    for link in [lost, circle] {
        let before = fs::read_dir(folder.path()).unwrap().count();
        assert!(matches!(refusal(&link), Error::CannotOpen { .. }));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before);
    }
}

#[test]
fn a_refusal_or_a_failure_leaves_no_new_file() {
    let (folder, db) = folder();
    assert!(matches!(refusal(&db.join("deeper")), Error::CannotOpen { .. }));
    assert!(matches!(refusal(Path::new("/proc/db")), Error::CannotOpen { .. }));
    // In the way of what stands beside it.
    let side = with_suffix(&db, "-smolwf");
    fs::write(&side, b"not ours, and longer than a word").unwrap();
    let before = contents(folder.path());
    assert!(matches!(refusal(&db), Error::Unsupported(_)));
    let names =
        |contents: &BTreeMap<PathBuf, blake3::Hash>| contents.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&contents(folder.path())), names(&before));
    fs::remove_file(&side).unwrap();
    for (operation, file, code) in [
        (Operation::Open, FileKind::Db, ffi::SQLITE_CANTOPEN),
        (Operation::Write, FileKind::Any, ffi::SQLITE_IOERR_WRITE),
        (Operation::Write, FileKind::Db, ffi::SQLITE_IOERR_WRITE),
        (Operation::Open, FileKind::Wal, ffi::SQLITE_CANTOPEN),
        (Operation::Map, FileKind::Shm, ffi::SQLITE_IOERR_SHMSIZE),
    ] {
        let fault = Fault { errno: libc::EDQUOT, ..Fault::new(operation, file, code) };
        fault::arm(&db, Fault { is_sticky: true, ..fault });
        let error = refusal(&db);
        fault::disarm(&db);
        assert!(matches!(error, Error::Full(_)), "{operation:?} {file:?}: {error:?}");
        let left = names(&contents(folder.path()));
        // What SQLite has begun to write is a store to be, and is rolled back by who opens it next.
        let is_begun = fs::metadata(&db).is_ok_and(|file| file.len() > 0);
        assert!(left.is_empty() || is_begun, "{operation:?} {file:?}: {left:?}");
        left.iter().for_each(|path| fs::remove_file(path).unwrap());
    }
}

#[test]
fn a_new_file_that_another_process_has_open_by_now_is_not_taken_away() {
    let (_folder, db) = folder();
    let new = super::path::New::make(&db).unwrap().unwrap();
    let child = fork(|| {
        let other = Connection::open(&db).unwrap();
        other.execute_batch("BEGIN; SELECT * FROM sqlite_schema").unwrap();
        // The child's own, taken while its lock is held.
        let taker = fork(|| {
            new.take_back();
            0
        });
        i32::from(taker.exit_code() != 0 || !db.exists())
    });
    assert_eq!(child.exit_code(), 0);
    new.take_back();
    assert!(!db.exists());
    // Nor one that another process has made a store of meanwhile and closed.
    let new = super::path::New::make(&db).unwrap().unwrap();
    open(&db).close();
    new.take_back();
    assert!(fs::metadata(&db).is_ok_and(|facts| facts.len() > 0));
}

/// A process that makes the file and takes it back, as it cannot open it, is in nobody's way.
#[test]
fn a_file_that_another_process_makes_and_takes_back_again_and_again_is_opened() {
    let (folder, _) = folder();
    let paths: Vec<PathBuf> = (0..100).map(|at| folder.path().join(at.to_string())).collect();
    let is_store = |path: &PathBuf| fs::metadata(path).is_ok_and(|facts| facts.len() > 0);
    let taker = fork(|| {
        for path in &paths {
            while !is_store(path) {
                if let Ok(Some(new)) = super::path::New::make(path) {
                    new.take_back();
                }
                // Leaves the other one a moment in which there is no file.
                std::thread::sleep(std::time::Duration::from_micros(50));
            }
        }
        0
    });
    for path in &paths {
        open(path).close();
    }
    assert_eq!(taker.exit_code(), 0);
}

/// What stands beside a new file before is not ours to take away, whatever it is.
#[test]
fn a_failure_takes_nothing_away_that_was_there_before() {
    for suffix in ["-wal", "-shm", "-smolwf"] {
        let (_folder, db) = folder();
        let link = with_suffix(&db, suffix);
        symlink("no such folder/file", &link).unwrap();
        refusal(&db);
        assert!(fs::symlink_metadata(&link).is_ok(), "{suffix}");
    }
}

#[test]
fn a_look_that_fails_is_no_proof_that_nothing_is_there() {
    let (_folder, db) = folder();
    let circle = with_suffix(&db, "-wal");
    symlink(&circle, &circle).unwrap();
    let error = super::path::find(&circle).unwrap_err();
    assert_eq!((error.code(), error.engine_code()), (-47, -libc::ELOOP));
    assert_eq!(super::path::find(&db), Ok(None));
    assert_eq!(super::path::find(&db.join("deeper")), Ok(None));
    fs::write(&db, b"12").unwrap();
    assert!(matches!(super::path::find(&db), Ok(Some(found)) if found.size == 2));
}

/// SQLite's own check takes a page that it could not read for a damaged one.
#[test]
fn a_check_that_could_not_read_is_an_error_and_finds_no_fault() {
    let (_folder, db) = folder();
    let store = open(&db);
    (0..50).for_each(|_| drop(submit(&store).unwrap()));
    store.close();
    let mut failed = 0;
    for (after, errno) in (0..60).zip([libc::EIO, libc::ENOMEM, libc::EINTR].into_iter().cycle()) {
        // A new handle, which has no page in memory.
        let store = Store::open(&db, &StoreOptions { read_only: true, ..options() }).unwrap();
        let code = ffi::SQLITE_IOERR_READ;
        fault::arm(&db, Fault { errno, after, ..Fault::new(Operation::Read, FileKind::Db, code) });
        match store.check() {
            Ok(found) => assert!(found.contains("\"ok\":true"), "read {after}: {found}"),
            Err(error) => {
                failed += 1;
                assert!(error.is_retryable(), "read {after}: {error:?}");
            }
        }
        fault::disarm(&db);
        assert!(store.check().unwrap().contains("\"ok\":true"), "after read {after}");
        store.close();
    }
    assert!(failed > 20, "{failed}");
}

// ---------------------------------------------------------------------------------------------
// Transactions that were cut off

/// A rollback journal as a process leaves it that dies in its commit, and the file beneath it.
struct CutOff {
    before: Vec<u8>,
    during: Vec<u8>,
    journal: Vec<u8>,
}

/// Lets a host's database grow in one transaction, which is copied when all of it is written and its
/// journal still stands: that it cannot be taken away ends the commit.
fn cut_off(prepare: &str, work: &str) -> CutOff {
    let (_folder, db) = folder();
    fault::register().unwrap();
    let flags = OpenFlags::default();
    let conn = Connection::open_with_flags_and_vfs(&db, flags, fault::NAME).unwrap();
    conn.execute_batch(prepare).unwrap();
    let before = fs::read(&db).unwrap();
    conn.execute_batch("BEGIN").unwrap();
    conn.execute_batch(work).unwrap();
    fault::arm(&db, Fault::new(Operation::Delete, FileKind::Any, ffi::SQLITE_IOERR_DELETE));
    conn.execute_batch("COMMIT").unwrap_err();
    let journal = fs::read(with_suffix(&db, "-journal")).unwrap();
    CutOff { before, during: fs::read(&db).unwrap(), journal }
}

const HOST: &str = "CREATE TABLE host (x); INSERT INTO host VALUES (zeroblob(20000));";
const GROWTH: &str = "UPDATE host SET x = zeroblob(40000);
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
    INSERT INTO host SELECT randomblob(4000) FROM n;";

#[test]
fn a_hosts_database_that_was_cut_off_is_rolled_back_and_opened_wherever_it_was_cut() {
    let cut = cut_off(HOST, GROWTH);
    assert!(cut.during.len() > cut.before.len(), "nothing was written");
    // The first page is written first, and counts pages that are not there yet.
    assert_ne!(cut.during[28..32], cut.before[..].get(28..32).unwrap_or_default()[..]);
    let mut points: Vec<usize> = (0..=cut.during.len()).step_by(65_536).collect();
    points.extend([1, 100, 511, 512, 4095, 4096, 4097, cut.before.len(), cut.during.len()]);
    for point in points {
        let (_folder, db) = folder();
        // What had been written when it was cut: new bytes up to there, then the old ones.
        let mut bytes = cut.during[..point].to_vec();
        bytes.extend_from_slice(cut.before.get(point..).unwrap_or_default());
        fs::write(&db, bytes).unwrap();
        fs::write(with_suffix(&db, "-journal"), &cut.journal).unwrap();

        let reader = Store::open(&db, &StoreOptions { read_only: true, ..options() });
        let error = reader.map(|_| ()).unwrap_err();
        assert!(matches!(error, Error::CannotOpen { .. }), "at {point}: {error:?}");
        let store = try_open(&db).unwrap_or_else(|error| panic!("cut at {point}: {error:?}"));

        store.init().unwrap();
        store.close();
        let host = Connection::open(&db).unwrap();
        let rows: i64 =
            host.query_row("SELECT sum(length(x)) FROM host", [], |r| r.get(0)).unwrap();
        assert_eq!(rows, 20_000, "cut at {point}");
    }
}

/// A transaction of a host that grows the file, and has pages written before its commit.
fn spill_and_die(db: &Path, mode: &str, change: u32) -> rusqlite::Result<()> {
    let conn = Connection::open_with_flags_and_vfs(db, OpenFlags::default(), fault::NAME)?;
    conn.query_row(&format!("PRAGMA journal_mode = {mode}"), [], |_| Ok(()))?;
    conn.execute_batch("PRAGMA cache_size = 4; BEGIN")?;
    fault::die_at(db, change);
    conn.execute_batch(
        "UPDATE host SET x = zeroblob(30000);
        INSERT INTO host VALUES (randomblob(8000)), (randomblob(8000)), (randomblob(8000));
        COMMIT",
    )
}

/// A host's own program is killed before each change that its transaction makes to a file: to the journal,
/// to the database before and in the commit, and to the journal again, in each way it can be done with.
#[test]
fn a_host_that_is_killed_at_any_write_leaves_a_file_that_is_opened() {
    super::mutexes::hold_at_forks();
    fault::register().unwrap();
    let (_folder, prepared) = folder();
    Connection::open(&prepared).unwrap().execute_batch(HOST).unwrap();
    for mode in ["DELETE", "TRUNCATE", "PERSIST"] {
        let mut lengths = Vec::new();
        for change in 1.. {
            let (_folder, db) = folder();
            fs::copy(&prepared, &db).unwrap();
            let host = fork(|| i32::from(spill_and_die(&db, mode, change).is_err()));
            let code = host.exit_code();
            if code == 0 {
                break;
            }
            assert_eq!(code, 128 + libc::SIGKILL, "{mode}, change {change}");

            let store = try_open(&db)
                .unwrap_or_else(|error| panic!("{mode}, killed at change {change}: {error:?}"));

            store.init().unwrap();
            assert!(store.check().unwrap().contains("\"ok\":true"), "{mode}, change {change}");
            store.close();
            let host = Connection::open(&db).unwrap();
            let sum = "SELECT sum(length(x)) FROM host";
            lengths.push(host.query_row(sum, [], |row| row.get::<_, i64>(0)).unwrap());
        }
        // Whole or not at all; a journal that is done with differently is done with in one change.
        let done = lengths.iter().filter(|length| **length == 54_000).count();
        assert!(lengths.len() > 20 && done <= 1, "{mode}: {lengths:?}");
        assert!(lengths.iter().all(|length| [20_000, 54_000].contains(length)), "{lengths:?}");
    }
}

/// The power is lost in the very first transaction of a file: sizes reach the disk apart from contents,
/// and each sector or not. Its journal, which was synced first, says that there was nothing before.
#[test]
fn a_first_open_that_was_cut_off_leaves_a_store_to_be() {
    let cut = cut_off("", HOST);
    assert_eq!(cut.before.len(), 0);
    for seed in 0..64_u64 {
        let (_folder, db) = folder();
        let hash = blake3::hash(&seed.to_le_bytes());
        let is_kept = |at: usize| hash.as_bytes()[at / 8 % 32] >> (at % 8) & 1 == 1;
        let mut bytes = cut.during.clone();
        bytes.truncate(if is_kept(255) { bytes.len() } else { bytes.len() / 3 + seed as usize });
        for (at, sector) in bytes.chunks_mut(512).enumerate() {
            if !is_kept(at) {
                sector.fill(0);
            }
        }
        fs::write(&db, bytes).unwrap();
        fs::write(with_suffix(&db, "-journal"), &cut.journal).unwrap();

        let store = try_open(&db).unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));

        store.init().unwrap();
        submit(&store).unwrap();
        store.close();
    }
}

#[test]
fn what_is_no_database_is_not_rolled_back_whatever_stands_beside_it() {
    let cut = cut_off(HOST, GROWTH);
    let mut blank = cut.journal.clone();
    blank[..8].fill(0);
    for journal in [cut.journal.as_slice(), &blank, b"not a journal", b""] {
        let (folder, db) = folder();
        fs::write(&db, "my notes, not a database at all\n".repeat(300)).unwrap();
        fs::write(with_suffix(&db, "-journal"), journal).unwrap();
        let before = contents(folder.path());
        assert!(matches!(refusal(&db), Error::NotAStore(_)));
        assert_eq!(contents(folder.path()), before);
    }
}

/// A journal that is no longer hot changes nothing.
#[test]
fn a_file_cut_short_is_refused_unchanged_also_beside_a_journal_that_is_done() {
    let (_folder, db) = folder();
    open(&db).close();
    let whole = fs::read(&db).unwrap();
    let blank = vec![0; 1024];
    for journal in [None, Some(&blank)] {
        let (folder, db) = folder();
        fs::write(&db, &whole[..whole.len() / 2]).unwrap();
        if let Some(journal) = journal {
            fs::write(with_suffix(&db, "-journal"), journal).unwrap();
        }
        let before = contents(folder.path());
        let error = refusal(&db);
        assert!(matches!(&error, Error::Corrupt(text) if text.contains(" of its ")), "{error:?}");
        assert_eq!(contents(folder.path()), before);
    }
}

// ---------------------------------------------------------------------------------------------
// Files that are taken away

#[test]
fn a_file_taken_away_or_replaced_is_found_before_the_next_answer() {
    taken_away_after(|_| {});
}

/// One look at the folder does while nothing in it changes; the first change ends that.
#[test]
fn a_file_taken_away_from_a_folder_that_had_long_been_still_is_found_as_well() {
    taken_away_after(|folder| {
        let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
        fs::File::open(folder).unwrap().set_modified(long_ago).unwrap();
    });
}

fn taken_away_after(settle: fn(&Path)) {
    for suffix in ["", "-wal", "-smolwf"] {
        for how in ["removed", "renamed", "replaced", "folder"] {
            for durability in [Durability::Process, Durability::Power] {
                let outer = tempfile::tempdir().unwrap();
                let inner = outer.path().join("folder");
                fs::create_dir(&inner).unwrap();
                let db = inner.join("db");
                let store = Store::open(&db, &StoreOptions { durability, ..options() }).unwrap();
                store.init().unwrap();
                settle(&inner);
                submit(&store).unwrap();
                let (path, other) = (with_suffix(&db, suffix), outer.path().join("other"));
                match how {
                    "removed" => fs::remove_file(&path).unwrap(),
                    "renamed" => fs::rename(&path, &other).unwrap(),
                    "folder" => fs::rename(&inner, &other).unwrap(),
                    _ => {
                        fs::copy(&path, &other).unwrap();
                        fs::rename(&other, &path).unwrap();
                    }
                }
                let error = submit(&store).unwrap_err();
                let is_lost = matches!(&error, Error::WalLost(text)
                    if text.contains("while the store was open"));
                assert!(is_lost, "{suffix} {how}: {error:?}");
                assert_eq!(submit(&store), Err(Error::Poisoned));
                store.close();
                if how != "folder" && !(suffix == "-wal" && how == "replaced") {
                    open(&db).close();
                }
            }
        }
    }
}

#[test]
fn a_claim_is_not_given_out_once_the_side_file_is_gone() {
    let (_folder, db) = folder();
    let store = open(&db);
    submit(&store).unwrap();
    fs::remove_file(with_suffix(&db, "-smolwf")).unwrap();
    let claim = store.claim(Claim::default()).map(|_| ());
    assert!(matches!(claim, Err(Error::WalLost(_))), "{claim:?}");
    store.close();
    let again = open(&db);
    assert!(again.claim(Claim::default()).is_ok());
}

#[test]
fn a_look_at_a_file_that_fails_loses_nothing() {
    let (folder, db) = folder();
    let store = open(&db);
    // A folder that has just changed is not trusted: each file in it is looked at.
    let ahead = std::time::SystemTime::now() + std::time::Duration::from_secs(3600);
    fs::File::open(folder.path()).unwrap().set_modified(ahead).unwrap();
    // One look at the folder, and one for each of the three files.
    for after in 0..4 {
        let fault = Fault::new(Operation::Look, FileKind::Wal, 0);
        fault::arm(&db, Fault { errno: libc::EACCES, after, ..fault });
        let error = submit(&store).unwrap_err();
        assert!(
            matches!(error, Error::Io { engine_code, .. } if engine_code == -libc::EACCES),
            "{error:?}"
        );
        submit(&store).unwrap();
    }
    // Opening looks too: what was looked at may have been replaced before it was opened.
    store.close();
    let fault = Fault::new(Operation::Look, FileKind::Wal, 0);
    let mut looks = 0;
    while let Err(error) = {
        fault::arm(&db, Fault { errno: libc::EACCES, after: looks, ..fault });
        try_open(&db).map(|store| store.close())
    } {
        assert!(matches!(error, Error::Io { .. }), "{error:?}");
        looks += 1;
    }
    fault::disarm(&db);
    assert!(looks >= 4, "{looks}");
}

/// Two changes within one tick of the clock give a folder one stamp: it is not trusted so early.
#[test]
fn a_file_taken_away_in_the_tick_of_the_last_look_is_found() {
    for _ in 0..20 {
        let (folder, db) = folder();
        let store = open(&db);
        let began = std::time::SystemTime::now();
        let since = began.duration_since(std::time::UNIX_EPOCH).unwrap();
        // Of whole seconds, as on a file system that keeps no parts of them.
        let stamp = std::time::UNIX_EPOCH + std::time::Duration::from_secs(since.as_secs());
        let stamp_folder = || fs::File::open(folder.path()).unwrap().set_modified(stamp).unwrap();
        stamp_folder();
        submit(&store).unwrap();
        let is_in_time = stamp.elapsed().unwrap() < std::time::Duration::from_secs(2);
        fs::remove_file(&db).unwrap();
        stamp_folder();
        let answer = submit(&store);
        if is_in_time {
            assert!(matches!(answer, Err(Error::WalLost(_))), "{answer:?}");
            return;
        }
    }
    panic!("twenty times a write took a second");
}
