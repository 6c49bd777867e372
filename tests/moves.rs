//! Moving a store while the process that moves it is killed: at each commit, and at any instant while other
//! processes write. Nothing acknowledged is lost, and at every moment one store is in force at most.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

use std::collections::BTreeSet;
use std::env;
use std::fs::{File, OpenOptions, read_to_string};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use smolwf::domain::claim::Claim;
use smolwf::domain::step::Begin;
use smolwf::domain::submit::Submit;
use smolwf::handles::begin::Begun;
use smolwf::handles::store::{Store, StoreOptions};

const MOVED: i32 = -30;
const BUSY: i32 = -40;
const WHOLE: &str = r#"{"ok":true,"faults":[]}"#;

fn open(name: &str) -> Arc<Store> {
    let store =
        Store::open(Path::new(name), &StoreOptions { create: true, ..StoreOptions::default() });
    store.unwrap()
}

fn made(name: &str) -> Arc<Store> {
    let store = open(name);
    store.init().unwrap();
    store
}

fn work(key: &str) -> Submit {
    Submit { workflow: "w".into(), idempotency_key: Some(key.into()), ..Submit::default() }
}

fn server() -> Option<String> {
    if !cfg!(feature = "postgres") {
        // Between files alone; `make postgres` plays the rest.
        return None;
    }
    let url = env::var("SW_POSTGRES_URL").ok();
    if url.is_none() {
        assert!(env::var("SW_REQUIRE_ALL").is_err(), "SW_POSTGRES_URL names no server");
        println!("skipped: SW_POSTGRES_URL names no server");
    }
    url
}

/// Two places for stores: of files alone, and both ways between a file and a server where there is one.
fn pairs(folder: &Path, round: &str) -> Vec<(String, String)> {
    let file = |name: &str| folder.join(format!("{name}-{round}")).display().to_string();
    let mut pairs = vec![(file("from"), file("to"))];
    if let Some(url) = server() {
        let sign = if url.contains('?') { '&' } else { '?' };
        let folder = folder.file_name().unwrap().to_string_lossy().replace('.', "").to_lowercase();
        let schema = |name: &str| format!("{url}{sign}sw_schema=sw_{folder}_{name}_{round}");
        pairs.push((file("there"), schema("to")));
        pairs.push((schema("from"), file("back")));
    }
    pairs
}

// ---------------------------------------------------------------------------------------------
// Who is killed, and who writes

const ROLE: &str = "SW_MOVES_ROLE";

fn child(role: &str, fields: &[&str]) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "a_child_plays_its_role", "--nocapture", "--test-threads=1"]);
    command.env(ROLE, [&[role], fields].concat().join("\n"));
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Does nothing where it is run by itself.
#[test]
fn a_child_plays_its_role() {
    let Ok(role) = env::var(ROLE) else { return };
    let fields: Vec<&str> = role.split('\n').collect();
    match fields[..] {
        ["move", from, to] => mover(from, to, None),
        ["die", from, to, whose, commit, is_after] => {
            let death = (whose == "from", commit.parse().unwrap(), is_after == "true");
            mover(from, to, Some(death));
        }
        ["write", from, notes] => writer(from, notes),
        _ => unreachable!("{role}"),
    }
}

fn mover(from: &str, to: &str, death: Option<(bool, i64, bool)>) {
    let (from, to) = (open(from), open(to));
    if let Some((is_source, commit, is_after)) = death {
        if is_source { &from } else { &to }.kill_at(commit, is_after).unwrap();
    }
    let (is_done, _) = from.graduate(Some(&to), None).unwrap();
    assert!(is_done);
}

/// Submits, and has runs do steps, until the store is moved; notes what it was told is stored.
fn writer(from: &str, notes: &str) {
    let store = open(from);
    let notes = OpenOptions::new().create(true).append(true).open(notes).unwrap();
    let mut at = 0;
    loop {
        match turn(&store, &notes, at) {
            Ok(()) => at += 1,
            Err(BUSY) => {
                // Not to spin while it is copied.
                std::thread::sleep(Duration::from_millis(2));
            }
            // What was taken back by a move was released.
            Err(-20) => {}
            Err(MOVED) => return,
            Err(other) => unreachable!("{other}"),
        }
    }
}

fn turn(store: &Arc<Store>, mut notes: &File, at: u32) -> Result<(), i32> {
    let code = |error: smolwf::error::Error| error.code();
    let key = format!("{}-{at}", std::process::id());
    store.submit(work(&key)).map_err(code)?;
    notes.write_all(format!("submit {key}\n").as_bytes()).unwrap();
    let claim = Claim { lease_ms: 3_600_000, ..Claim::default() };
    let Some(attempt) = store.claim(claim).map_err(code)? else { return Ok(()) };
    let begin = Begin { name: "s".into(), ..Begin::default() };
    if let Begun::Run(step) = attempt.step_begin(begin).map_err(code)? {
        step.complete(Some(format!("\"{}\"", "p".repeat(at as usize % 6_000)))).map_err(code)?;
        notes.write_all(format!("step {}\n", attempt.run_id()).as_bytes()).unwrap();
    }
    if at.is_multiple_of(3) {
        attempt.complete(None).map_err(code)?;
        notes.write_all(format!("end {}\n", attempt.run_id()).as_bytes()).unwrap();
    }
    Ok(())
}

// ---------------------------------------------------------------------------------------------
// What must be so

/// A run that no store has.
const NOBODY: &str = "run_01hf7yat006834yhcwb13ejypz";

/// Says who can be written to. Both can before a move has begun, when the other one is empty; else never.
fn in_force(from: &Store, to: &Store) -> (bool, bool) {
    let writes = |store: &Store| match store.signal_send(NOBODY, "probe", None, None) {
        Ok(_) => unreachable!("no such run"),
        Err(error) => !matches!(error.code(), MOVED | BUSY),
    };
    let (ours, theirs) = (writes(from), writes(to));
    assert!(!ours || !theirs || to.run_count(None, 0).unwrap() == 0, "both are in force");
    (ours, theirs)
}

fn assert_notes_hold(store: &Store, notes: &str) {
    let notes = read_to_string(notes).unwrap();
    for note in notes.lines() {
        match note.split_once(' ').unwrap() {
            ("submit", key) => assert!(store.find("", key).unwrap().is_some(), "{key}"),
            ("step", run_id) => {
                let history = store.run_history(run_id, None, 0).unwrap();
                assert!(history.contains("\"name\":\"s\""), "{history}");
            }
            ("end", run_id) => {
                assert!(store.run_get(run_id).unwrap().contains("\"completed\""), "{run_id}");
            }
            other => unreachable!("{other:?}"),
        }
    }
}

fn fill(store: &Arc<Store>) -> BTreeSet<String> {
    let keys: BTreeSet<String> = (0..30).map(|at| format!("k{at}")).collect();
    for key in &keys {
        store.submit(work(key)).unwrap();
    }
    for _ in 0..10 {
        let attempt = store.claim(Claim::default()).unwrap().unwrap();
        let begin = Begin { name: "s".into(), ..Begin::default() };
        let Begun::Run(step) = attempt.step_begin(begin).unwrap() else { unreachable!() };
        step.complete(Some(format!("\"{}\"", "p".repeat(5_000)))).unwrap();
    }
    keys
}

#[test]
fn whichever_commit_of_a_move_it_dies_at_one_store_is_in_force_and_all_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut deaths = 0;
    for whose in ["from", "to"] {
        for commit in 1.. {
            let mut is_over = true;
            for is_after in [false, true] {
                if whose == "to" && is_after != (commit % 2 == 0) {
                    continue;
                }
                let round = format!("{whose}{commit}{is_after}");
                // A server takes its time: of the many commits that bring rows it dies at some.
                let all = whose == "from" || commit % 9 == 1;
                let places = pairs(folder.path(), &round).into_iter();
                for (from, to) in places.take(if all { 3 } else { 1 }) {
                    is_over &= !dies(&from, &to, whose, commit, is_after);
                    deaths += u32::from(!is_over);
                }
            }
            if is_over {
                break;
            }
            assert!(commit < 200, "a move of so many commits");
        }
    }
    println!("{deaths} deaths");
    assert!(deaths > 40, "only {deaths} deaths");
}

/// Returns whether it died; what it left goes on to its end, or is taken back and begun anew.
fn dies(from: &str, to: &str, whose: &str, commit: u32, is_after: bool) -> bool {
    let (here, there) = (made(from), made(to));
    let keys = fill(&here);
    let fields = [from, to, whose, &commit.to_string(), &is_after.to_string()];
    let has_died = !child("die", &fields).wait().unwrap().success();
    let standing = in_force(&here, &there);
    if commit.is_multiple_of(2) && has_died {
        assert!(!standing.1 || standing.0 || there.run_count(None, 0).unwrap() == 30);
        // Refused once it is decided.
        let _ = here.graduate(Some(&there), Some(r#"{"abort":true}"#));
    }
    let (is_done, _) = here.graduate(Some(&there), None).unwrap();
    assert!(is_done);
    assert_eq!(in_force(&here, &there), (false, true), "{fields:?}");
    assert_eq!(there.check().unwrap(), WHOLE, "{fields:?}");
    assert_eq!(there.run_count(None, 0).unwrap(), 30);
    for key in &keys {
        assert!(there.find("", key).unwrap().is_some(), "{key} {fields:?}");
    }
    let mut claims = 0;
    while let Some(attempt) = there.claim(Claim::default()).unwrap() {
        claims += 1;
        attempt.complete(None).unwrap();
    }
    assert_eq!(claims, 30, "{fields:?}");
    has_died
}

/// Two stores whose mover died right after it had decided, and before the other store was opened.
fn decided(folder: &Path) -> (String, String) {
    for commit in 1..100 {
        let [from, to] = ["from", "to"]
            .map(|name| folder.join(format!("{name}-{commit}")).display().to_string());
        let (here, there) = (made(&from), made(&to));
        fill(&here);
        child("die", &[&from, &to, "from", &commit.to_string(), "true"]).wait().unwrap();
        let probe = here.signal_send(NOBODY, "probe", None, None);
        let is_moved = probe.err().map(|error| error.code()) == Some(MOVED);
        let standing = in_force(&here, &there);
        here.close();
        there.close();
        if is_moved {
            assert_eq!(standing, (false, false));
            return (from, to);
        }
    }
    unreachable!("it was never decided");
}

/// The source may know that the other store was opened, and that one may not, where the power went.
#[test]
fn an_opening_that_is_lost_is_made_again_though_it_was_noted() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = decided(folder.path());
    let kept = format!("{to}.kept");
    std::fs::copy(&to, &kept).unwrap();
    let (here, there) = (open(&from), open(&to));
    assert!(here.graduate(Some(&there), None).unwrap().0);
    here.close();
    there.close();
    std::fs::copy(&kept, &to).unwrap();
    let (here, there) = (open(&from), open(&to));
    assert_eq!(in_force(&here, &there), (false, false), "it is as before the opening");
    assert!(here.graduate(Some(&there), None).unwrap().0);
    assert_eq!(in_force(&here, &there), (false, true));
    assert_eq!(there.check().unwrap(), WHOLE);
    assert_eq!(there.run_count(None, 0).unwrap(), 30);
}

#[test]
fn a_store_that_others_write_to_is_moved_whole_however_often_the_mover_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    for (from, to) in pairs(folder.path(), "kills") {
        let (here, there) = (made(&from), made(&to));
        fill(&here);
        let notes = format!("{}/notes{}", folder.path().display(), to.len());
        File::create(&notes).unwrap();
        let mut writers: Vec<Child> = (0..2).map(|_| child("write", &[&from, &notes])).collect();
        while read_to_string(&notes).unwrap().lines().count() < 200 {
            // The writers come to work.
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut kills = 0;
        loop {
            let mut mover = child("move", &[&from, &to]);
            // Another moment each time, the later the more often it was in vain.
            std::thread::sleep(Duration::from_millis(1 + kills * kills));
            if let Some(status) = mover.try_wait().unwrap() {
                assert!(status.success(), "{from} to {to}");
                break;
            }
            mover.kill().unwrap();
            mover.wait().unwrap();
            in_force(&here, &there);
            kills += 1;
            if kills.is_multiple_of(4) {
                // The writers go on, and the next one begins anew.
                match here.graduate(Some(&there), Some(r#"{"abort":true}"#)) {
                    Ok(_) => assert!(in_force(&here, &there).0),
                    Err(error) => assert_eq!(error.code(), MOVED),
                }
                // They write on.
                std::thread::sleep(Duration::from_millis(20));
            }
            assert!(kills < 400, "a move that never comes to its end");
        }
        println!("{kills} kills");
        for writer in &mut writers {
            assert!(writer.wait().unwrap().success(), "a writer heard of no move");
        }
        assert_eq!(there.check().unwrap(), WHOLE);
        assert_notes_hold(&there, &notes);
        assert!(kills > 2, "only {kills} kills");
    }
}
