//! What the system lacks: descriptors, and room on a real disk. Each is an error that says so, in any
//! call that may meet it, and nothing that ends the process; with enough of it again all goes on. And what
//! is not to be taken without need: a log that grows.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

mod support;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use smolwf::domain::claim::Claim;
use smolwf::handles::store::Store;

use support::actor::{is_root, listen, skip};
use support::{Actor, Draws, Guard, Role, code, open, options, say, work};

// ---- Descriptors --------------------------------------------------------------------------------

/// Sets how many descriptors a process may have. From outside, since setting it needs some.
fn limit(actor: &Actor, count: u64) -> bool {
    let (pid, limit) = (actor.pid().to_string(), format!("--nofile={count}:"));
    let set = Command::new("prlimit").args(["--pid", &pid, &limit]).status();
    set.is_ok_and(|status| status.success())
}

/// The number that the next descriptor of this process gets.
fn next_descriptor() -> u64 {
    use std::os::fd::AsRawFd;
    File::open("/dev/null").unwrap().as_raw_fd() as u64
}

fn play_caller(role: &Role) {
    let mut run_id = String::new();
    let mut store: Option<Arc<Store>> = None;
    if role.extra != "open" {
        let opened = open(&role.db);
        run_id = opened.submit(work()).unwrap().run_id;
        store = Some(opened);
    }
    say(&next_descriptor().to_string());
    while listen() == "go" {
        let answer = match (role.extra.as_str(), &store) {
            ("get", Some(store)) => code(&store.run_get(&run_id)),
            ("history", Some(store)) => code(&store.run_history(&run_id, None, 10)),
            ("claim", Some(store)) => code(&store.claim(Claim::default())),
            ("check", Some(store)) => code(&store.check()),
            ("submit", Some(store)) => code(&store.submit(work())),
            _ => {
                let opened = Store::open(&role.db, &options());
                code(&opened.and_then(|store| store.init()))
            }
        };
        say(&answer.to_string());
    }
}

#[test]
fn whatever_call_lacks_a_descriptor_it_says_so_and_may_be_tried_again() {
    const TEST: &str = "whatever_call_lacks_a_descriptor_it_says_so_and_may_be_tried_again";
    if let Some(role) = Role::mine() {
        return play_caller(&role);
    }
    for call in ["open", "get", "history", "claim", "check", "submit"] {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("db");
        let mut actor = Actor::start(TEST, "caller", &db, call);
        let next: u64 = actor.hear().parse().unwrap();
        let mut lacking = 0;
        for more in 0..64 {
            if !limit(&actor, next + more) {
                return skip("prlimit is not installed");
            }
            actor.tell("go");
            match actor.hear().as_str() {
                "0" => break,
                "-41" => lacking += 1,
                other => panic!("{call} with {more} descriptors: {other}"),
            }
            assert!(more < 63, "{call}");
        }
        // A write needs none, nor the look before a claim: its connection is there.
        let needs_none = ["submit", "claim"].contains(&call);
        assert_eq!(lacking == 0, needs_none, "{call} lacked {lacking} times");
        assert!(actor.succeeds());
    }
}

// ---- Room ---------------------------------------------------------------------------------------

/// A small file system of its own, taken away when dropped.
struct Disk {
    mount: PathBuf,
    _folder: tempfile::TempDir,
}

impl Disk {
    fn new(make: &[&str], megabytes: u64) -> Option<Disk> {
        if !is_root() {
            skip("only root can mount a disk");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let (image, mount) = (folder.path().join("image"), folder.path().join("mount"));
        File::create(&image).unwrap().set_len(megabytes << 20).unwrap();
        fs::create_dir(&mount).unwrap();
        let is_made = Command::new(make[0]).args(&make[1..]).arg(&image).output();
        if !is_made.is_ok_and(|output| output.status.success()) {
            skip(&format!("{} is not installed", make[0]));
            return None;
        }
        let mounted = Command::new("mount").args(["-o", "loop"]).args([&image, &mount]).output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            skip("no image can be mounted here");
            return None;
        }
        Some(Disk { mount, _folder: folder })
    }

    /// Fills the disk to the brim, then gives so many pieces of some KiB back. As files of their own, as
    /// a full disk that copies on write cannot shorten one.
    fn fill(&self, pieces_left: u64, piece_kib: usize) {
        let piece = |n: u64| self.mount.join(format!("piece-{n}"));
        for n in 0..pieces_left {
            fs::write(piece(n), vec![7; piece_kib << 10]).unwrap();
        }
        self.settle();
        let mut filler = File::create(self.mount.join("filler")).unwrap();
        for bytes in [1 << 20, 1 << 14, 1 << 10] {
            while filler.write_all(&vec![7; bytes]).is_ok() {}
            // What is only promised room yet may not all get it.
            let _ = filler.sync_all();
        }
        (0..pieces_left).for_each(|n| fs::remove_file(piece(n)).unwrap());
        self.settle();
    }

    fn clear(&self) {
        for entry in fs::read_dir(&self.mount).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::remove_file(path).unwrap();
            }
        }
        self.settle();
    }

    /// Some file systems give room back with their next commit only.
    fn settle(&self) {
        assert!(Command::new("sync").arg("-f").arg(&self.mount).status().unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.mount).status();
    }
}

/// Lives a short life with a store; says the first code that is not good.
fn live(db: &Path) -> i32 {
    let life = || {
        let store = Store::open(db, &options())?;
        store.init()?;
        // Beyond the first region of the index, which covers 4,062 pages.
        let mut draws = Draws::of(1);
        for n in 0..20 {
            let args = (n % 2 == 1).then(|| draws.noise(1 << 20));
            store.submit(smolwf::domain::submit::Submit { args, ..work() })?;
        }
        store.check().map(|_| ())
    };
    code(&life())
}

fn lives_on_a_full_disk(test: &str, make: &[&str], megabytes: u64, piece_kib: usize) {
    if let Some(role) = Role::mine() {
        say(&live(&role.db).to_string());
        return;
    }
    let Some(disk) = Disk::new(make, megabytes) else { return };
    let db = disk.mount.join("db");
    let mut full = 0;
    for left in (0..60).step_by(3).chain((60..480).step_by(60)) {
        disk.clear();
        disk.fill(left, piece_kib);
        let mut actor = Actor::start(test, "life", &db, "");
        let answer = actor.hear();
        assert!(["0", "-42"].contains(&answer.as_str()), "{answer} with {left} pieces left");
        full += i32::from(answer == "-42");
        assert!(actor.succeeds(), "{left} pieces left");
        // With room again, what is there is a store.
        fs::remove_file(disk.mount.join("filler")).unwrap();
        disk.settle();
        let store = open(&db);
        store.submit(work()).unwrap();
        assert!(store.check().unwrap().starts_with(r#"{"ok":true"#), "{left} pieces left");
        store.close();
    }
    assert!(full > 10, "full {full} times");
}

#[test]
fn a_full_disk_of_small_blocks_is_an_error_and_no_signal() {
    const TEST: &str = "a_full_disk_of_small_blocks_is_an_error_and_no_signal";
    lives_on_a_full_disk(TEST, &["mkfs.ext4", "-q", "-b", "1024", "-m", "0"], 16, 1);
}

#[test]
fn a_full_disk_that_copies_on_write_is_an_error_and_no_signal() {
    const TEST: &str = "a_full_disk_that_copies_on_write_is_an_error_and_no_signal";
    lives_on_a_full_disk(TEST, &["mkfs.btrfs", "-q"], 160, 4);
}

/// A log is started over when all of it is in the file, and while one process moves it others add to it:
/// what they add is moved as well, or a busy log would grow until readers were waited for.
#[test]
fn the_log_is_started_over_while_processes_take_turns() {
    const TEST: &str = "the_log_is_started_over_while_processes_take_turns";
    const SUBMITS: usize = 2_000;
    const PAGES_MAX: u64 = 3 * smolwf::limits::CHECKPOINT_PAGES as u64;
    if let Some(role) = Role::mine() {
        let store = open(&role.db);
        say("ready");
        listen();
        (0..SUBMITS).for_each(|_| drop(store.submit(work()).unwrap()));
        return store.close();
    }
    let _guard = Guard::new(TEST);
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("db");
    let store = open(&db);
    let mut writers = [(); 3].map(|()| Actor::start(TEST, "writer", &db, ""));
    writers.iter_mut().for_each(|writer| assert_eq!(writer.hear(), "ready"));
    writers.iter_mut().for_each(|writer| writer.tell("go"));
    assert!(writers.into_iter().all(Actor::succeeds));
    let log = std::fs::metadata(db.with_file_name("db-wal")).unwrap();
    assert!(log.len() / 4096 < PAGES_MAX, "the log was {} bytes long", log.len());
    store.close();
}
