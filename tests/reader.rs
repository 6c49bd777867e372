//! Handles that only read, by users and over mounts that may not write: they see what is committed, or
//! say why they cannot (P31). They are never behind without a word, and no whole file is corrupt.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use smolwf::error::Error;
use smolwf::handles::store::{Store, StoreOptions};
use tempfile::TempDir;

use support::actor::{is_root, listen, skip};
use support::{Actor, Draws, Role, code, open, say, work};

/// A folder that others may enter and not write to, with a store in it that they may read.
fn public_store() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    set_mode(folder.path(), 0o755);
    let db = folder.path().join("db");
    fs::write(&db, b"").unwrap();
    set_mode(&db, 0o644);
    open(&db).close();
    (folder, db)
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn reader(db: &Path) -> smolwf::error::Result<Arc<Store>> {
    Store::open(
        db,
        &StoreOptions { read_only: true, busy_timeout_ms: 1_000, ..StoreOptions::default() },
    )
}

fn submit(store: &Store) -> String {
    store.submit(work()).unwrap().run_id
}

/// Writes more than a checkpoint lets stand in the log.
fn write_much(store: &Store) -> String {
    let mut draws = Draws::of(1);
    (0..12).for_each(|_| {
        let args = Some(draws.noise(1 << 20));
        let submit = smolwf::domain::submit::Submit { args, ..work() };
        store.submit(submit).unwrap();
    });
    submit(store)
}

fn with(db: &Path, suffix: &str) -> PathBuf {
    db.with_file_name(format!("db{suffix}"))
}

/// The other process: opens for reading, then answers what it is asked, a code and a sentence each.
fn play_reader(role: &Role) {
    let mut store = reader(&role.db);
    say(&told(store.as_ref().map(|_| "open".into()).map_err(Clone::clone)));
    loop {
        let asked = listen();
        let (word, run_id) = asked.split_once(' ').unwrap_or((&asked, ""));
        if word == "open" {
            store = Err(Error::Closed);
            store = store.or_else(|_| reader(&role.db));
        }
        let answer = store.as_ref().map_err(Clone::clone).and_then(|store| match word {
            "get" => store.run_get(run_id).map(|_| "found".into()),
            "check" => store.check(),
            "wait" => {
                let seen = run_id.parse().unwrap();
                store.wait_for_change(seen, 120_000, None).map(|now| format!("{now:?}"))
            }
            _ => Ok("open".into()),
        });
        match word {
            "" => return,
            _ => say(&told(answer)),
        }
    }
}

fn told(answer: smolwf::error::Result<String>) -> String {
    answer.unwrap_or_else(|error| format!("{} {error}", error.code()))
}

/// The right to write to the side file is what being woken takes, the right to read it what hearing
/// takes at all.
#[test]
fn a_reader_without_rights_hears_of_changes_or_is_told_why_it_cannot() {
    const TEST: &str = "a_reader_without_rights_hears_of_changes_or_is_told_why_it_cannot";
    if let Some(role) = Role::mine() {
        return play_reader(&role);
    }
    let (_folder, db) = public_store();
    let Some(mut actor) = Actor::start_as_nobody(TEST, "reader", &db, "") else { return };
    assert_eq!(actor.hear(), "open");
    let store = open(&db);
    for _ in 0..3 {
        let seen = store.changes().unwrap();
        actor.tell(&format!("wait {seen}"));
        submit(&store);
        assert_eq!(actor.hear(), format!("Some({})", seen + 1));
    }
    store.close();
    fs::remove_file(with(&db, "-smolwf")).unwrap();
    open(&db).close();
    set_mode(&with(&db, "-smolwf"), 0o600);
    let answer = ask(&mut actor, "wait 0");
    assert!(answer.starts_with("-43 ") && answer.contains("db-smolwf cannot be read"), "{answer}");
    assert!(actor.succeeds());
}

fn ask(actor: &mut Actor, what: &str) -> String {
    actor.tell(what);
    actor.hear()
}

const WHOLE: &str = r#"{"ok":true,"faults":[]}"#;

#[test]
fn a_reader_without_rights_sees_what_is_written_after_it_opened_a_closed_store() {
    const TEST: &str =
        "a_reader_without_rights_sees_what_is_written_after_it_opened_a_closed_store";
    if let Some(role) = Role::mine() {
        return play_reader(&role);
    }
    let (_folder, db) = public_store();
    let store = open(&db);
    let before = submit(&store);
    store.close();
    let Some(mut actor) = Actor::start_as_nobody(TEST, "reader", &db, "") else { return };
    assert_eq!(actor.hear(), "open");
    assert_eq!(ask(&mut actor, &format!("get {before}")), "found");
    assert!(!with(&db, "-wal").exists() && !with(&db, "-shm").exists());

    for round in 0..20 {
        let store = open(&db);
        let run = if round % 5 == 0 { write_much(&store) } else { submit(&store) };
        assert_eq!(ask(&mut actor, &format!("get {run}")), "found", "round {round}, open");
        let run = submit(&store);
        if round % 3 != 0 {
            store.close();
        }
        assert_eq!(ask(&mut actor, &format!("get {run}")), "found", "round {round}");
        assert_eq!(ask(&mut actor, "check"), WHOLE, "round {round}");
        store.close();
    }
    assert!(actor.succeeds());
}

/// The writer opens, writes, moves the log into the file and closes while the reader is in the midst of
/// its looks: what it gives out is of one moment, or the word that it could not be had.
#[test]
fn a_reader_beside_writers_that_come_and_go_finds_the_file_whole_each_time() {
    const TEST: &str = "a_reader_beside_writers_that_come_and_go_finds_the_file_whole_each_time";
    if let Some(role) = Role::mine() {
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let looks = || {
                while !is_over.load(Ordering::SeqCst) {
                    // A new handle each time: most of them find the file closed.
                    let answer = reader(&role.db).and_then(|store| store.check());
                    let is_well = answer.as_ref().is_ok_and(|document| document == WHOLE);
                    assert!(is_well || code(&answer) == -40, "{answer:?}");
                }
            };
            let looker = scope.spawn(looks);
            play_reader(&role);
            is_over.store(true, Ordering::SeqCst);
            looker.join().unwrap();
        });
        return;
    }
    let (_folder, db) = public_store();
    let Some(mut actor) = Actor::start_as_nobody(TEST, "reader", &db, "") else { return };
    assert_eq!(actor.hear(), "open");
    assert_eq!(ask(&mut actor, "check"), WHOLE);
    for round in 0..40 {
        let store = open(&db);
        let run = if round % 4 == 0 { write_much(&store) } else { submit(&store) };
        store.close();
        assert_eq!(ask(&mut actor, &format!("get {run}")), "found", "round {round}");
    }
    assert!(actor.succeeds());
}

#[test]
fn a_log_that_a_reader_may_not_read_is_refused_with_what_to_do() {
    const TEST: &str = "a_log_that_a_reader_may_not_read_is_refused_with_what_to_do";
    if let Some(role) = Role::mine() {
        return play_reader(&role);
    }
    for suffix in ["-wal", "-shm"] {
        let (_folder, db) = public_store();
        let Some(mut actor) = Actor::start_as_nobody(TEST, "reader", &db, "") else { return };
        assert_eq!(actor.hear(), "open");
        let store = open(&db);
        let run = submit(&store);
        set_mode(&with(&db, suffix), 0o600);
        for asked in [format!("get {run}"), "open".into()] {
            let answer = ask(&mut actor, &asked);
            assert!(answer.starts_with("-47 ") && answer.contains("give the right"), "{answer}");
        }
        set_mode(&with(&db, suffix), 0o644);
        assert_eq!(ask(&mut actor, "open"), "open");
        assert_eq!(ask(&mut actor, &format!("get {run}")), "found");
        store.close();
        assert!(actor.succeeds());
    }
}

#[test]
fn a_log_without_an_index_is_refused_where_none_can_be_made() {
    const TEST: &str = "a_log_without_an_index_is_refused_where_none_can_be_made";
    if let Some(role) = Role::mine() {
        return play_reader(&role);
    }
    let (folder, db) = public_store();
    let store = open(&db);
    let run = submit(&store);
    let copies = tempfile::tempdir_in(folder.path()).unwrap();
    set_mode(copies.path(), 0o755);
    for suffix in ["", "-wal"] {
        fs::copy(with(&db, suffix), copies.path().join(format!("db{suffix}"))).unwrap();
    }
    let copy = copies.path().join("db");
    let Some(mut actor) = Actor::start_as_nobody(TEST, "reader", &copy, "") else { return };
    let answer = actor.hear();
    assert!(answer.starts_with("-47 ") && answer.contains("db-shm"), "{answer}");
    // Whoever may make the index reads the log.
    assert!(reader(&copy).unwrap().run_get(&run).is_ok());
    assert!(actor.succeeds());
}

#[test]
fn a_reader_without_rights_outlives_the_writer_it_reads_beside() {
    const TEST: &str = "a_reader_without_rights_outlives_the_writer_it_reads_beside";
    if let Some(role) = Role::mine() {
        if role.name == "writer" {
            let store = open(&role.db);
            say(&submit(&store));
            listen();
            return;
        }
        return play_reader(&role);
    }
    for is_killed in [true, false] {
        let (_folder, db) = public_store();
        let mut writer = Actor::start(TEST, "writer", &db, "");
        let run = writer.hear();
        let Some(mut actor) = Actor::start_as_nobody(TEST, "reader", &db, "") else { return };
        assert_eq!(actor.hear(), "open");
        assert_eq!(ask(&mut actor, &format!("get {run}")), "found");
        if is_killed {
            writer.kill();
        } else {
            assert!(writer.succeeds());
        }
        assert_eq!(ask(&mut actor, &format!("get {run}")), "found");
        let store = open(&db);
        let run = write_much(&store);
        assert_eq!(ask(&mut actor, &format!("get {run}")), "found");
        store.close();
        assert_eq!(ask(&mut actor, "check"), WHOLE);
        assert!(actor.succeeds());
    }
}

#[test]
fn a_reader_says_when_its_file_was_removed_or_replaced() {
    let (folder, db) = public_store();
    let store = open(&db);
    let run = submit(&store);
    store.close();
    let copy = folder.path().join("copy");
    fs::copy(&db, &copy).unwrap();
    for is_replaced in [true, false] {
        let store = reader(&db).unwrap();
        store.run_get(&run).unwrap();
        if is_replaced {
            fs::rename(&copy, &db).unwrap();
        } else {
            fs::remove_file(&db).unwrap();
        }
        let error = store.run_get(&run).unwrap_err();
        assert!(matches!(&error, Error::WalLost(text) if text.contains("db was")), "{error:?}");
        store.close();
        assert_eq!(reader(&db).is_ok(), is_replaced);
    }
}

#[test]
fn a_reader_sees_a_schema_that_is_migrated_beneath_it() {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("db");
    let writer = Store::open(&db, &support::options()).unwrap();
    writer.migrate(1).unwrap();
    writer.close();
    let store = reader(&db).unwrap();
    assert_eq!(code(&store.run_get("run_00000000000000000000000000")), -24);

    let writer = open(&db);
    let run = submit(&writer);
    writer.close();

    store.run_get(&run).unwrap();
    assert_eq!(store.schema_version().map(|(current, newest)| current == newest), Ok(true));
}

#[test]
fn reading_makes_no_file_and_keeps_none() {
    let (folder, db) = public_store();
    fs::remove_file(with(&db, "-smolwf")).unwrap();
    let names = || fs::read_dir(folder.path()).unwrap().count();
    let store = reader(&db).unwrap();
    assert_eq!(store.check().unwrap(), WHOLE);
    assert_eq!(names(), 1);
    store.close();
    assert_eq!(names(), 1);
    assert_eq!(code(&reader(&folder.path().join("none"))), -47);
    assert_eq!(names(), 1);
}

/// A mount, taken away when dropped.
struct Mount(PathBuf);

impl Mount {
    fn new(folder: &Path, args: &[&str]) -> Option<Mount> {
        if !is_root() {
            skip("only root can mount");
            return None;
        }
        let mounted = Command::new("mount").args(args).arg(folder).status();
        if !mounted.is_ok_and(|status| status.success()) {
            skip("nothing can be mounted here");
            return None;
        }
        Some(Mount(folder.to_owned()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Read-only is the mount, not the medium: others write to the same files.
#[test]
fn a_reader_over_a_read_only_mount_sees_what_others_write() {
    const TEST: &str = "a_reader_over_a_read_only_mount_sees_what_others_write";
    if let Some(role) = Role::mine() {
        return play_reader(&role);
    }
    let (folder, db) = public_store();
    let beside = tempfile::tempdir().unwrap();
    let source = folder.path().to_str().unwrap();
    let Some(_mount) = Mount::new(beside.path(), &["--bind", source]) else { return };
    let mut remount = Command::new("mount");
    remount.args(["-o", "remount,bind,ro"]).arg(beside.path());
    assert!(remount.status().unwrap().success());
    let through = beside.path().join("db");
    let mut actor = Actor::start(TEST, "reader", &through, "");
    assert_eq!(actor.hear(), "open");
    // Now it has a connection that knows of no log.
    assert_eq!(ask(&mut actor, "check"), WHOLE);
    for round in 0..6 {
        let store = open(&db);
        let run = if round % 2 == 0 { write_much(&store) } else { submit(&store) };
        assert_eq!(ask(&mut actor, &format!("get {run}")), "found", "round {round}, open");
        store.close();
        assert_eq!(ask(&mut actor, &format!("get {run}")), "found", "round {round}");
        assert_eq!(ask(&mut actor, "check"), WHOLE);
    }
    assert!(actor.succeeds());
}
