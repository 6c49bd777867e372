//! Files that somebody crafted or damaged: whatever stands in them, opening and every kind of call
//! answers, none runs what the file says with our rights, none panics, crashes or hangs.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

#[path = "hostile/asked.rs"]
mod asked;
#[path = "hostile/crafted.rs"]
mod crafted;
#[path = "hostile/made.rs"]
mod made;
mod support;
#[path = "hostile/wrong.rs"]
mod wrong;

use std::path::{Path, PathBuf};
use std::time::Duration;

use asked::Answers;
use support::audit::{all, connect};
use support::{Actor, Draws, Guard, Role, say};

const SCHEMA_FOREIGN: i32 = -26;

/// Files that one process plays through, so that none of them takes long.
const FILES_A_LIFE: usize = 100;

/// How long all calls on one file may take together.
const PATIENCE_A_FILE: Duration = Duration::from_secs(60);

/// Plays through the files of a role in other processes, which may crash or hang: each is named before it
/// is opened, and the next process goes on behind it. Returns what was wrong.
fn play(test: &str, db: &Path, extra: &str) -> Vec<String> {
    let (mut wrong, mut done) = (Vec::new(), 0);
    let mut found = |fault: String| {
        println!("{fault}");
        wrong.push(fault);
    };
    loop {
        let mut other = Actor::start(test, &done.to_string(), db, extra);
        let mut last = String::from("no file");
        loop {
            let Some(line) = other.hear_any() else {
                found(format!("{last}: the process crashed or hung"));
                break;
            };
            match line.split_once(": ") {
                Some(("fault", fault)) => found(format!("{last}: {fault}")),
                Some(("file", file)) => (last, done) = (file.to_owned(), done + 1),
                Some(("end", files)) => {
                    println!("{files}");
                    return wrong;
                }
                _ if line == "more" => break,
                _ => println!("{line}"),
            }
        }
    }
}

/// The part of the other process: goes through the files of a list from where it is to begin.
fn play_from(role: &Role, files: &[File], judge: impl Fn(&Path, &File, &Answers)) {
    let begin: usize = role.name.parse().unwrap();
    let mut calls = 0;
    for (at, file) in files.iter().enumerate().skip(begin) {
        if at == begin + FILES_A_LIFE {
            say(&format!("{calls} calls"));
            return say("more");
        }
        let (_folder, db) = copy(&role.db);
        say(&format!("file: {}", file.name));
        if !(file.spoil)(&db) {
            say("fault: it cannot be made");
            continue;
        }
        let guard = Guard::of(&file.name, PATIENCE_A_FILE);
        let answers = asked::ask_all(&db);
        drop(guard);
        calls += answers.codes.len();
        answers.panics.iter().for_each(|panic| say(&format!("fault: {panic}")));
        judge(&db, file, &answers);
    }
    say(&format!("{calls} calls"));
    say(&format!("end: {} files", files.len()));
}

/// A file that somebody crafted or damaged.
struct File {
    name: String,
    /// Makes it of a store; returns whether that could be done.
    spoil: Box<dyn Fn(&Path) -> bool>,
}

/// A copy of the store that is made, in a folder of its own.
fn copy(db: &Path) -> (tempfile::TempDir, PathBuf) {
    // In memory where that can be: what is asked here does not hang on a disk, and thousands are made.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let copy = folder.path().join("db");
    std::fs::copy(db, &copy).unwrap();
    (folder, copy)
}

fn made() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("db");
    made::make(&db);
    (folder, db)
}

// ---------------------------------------------------------------------------------------------
// Schemas

#[test]
fn a_schema_that_somebody_added_to_is_refused_and_none_of_it_is_run() {
    let test = "a_schema_that_somebody_added_to_is_refused_and_none_of_it_is_run";
    if let Some(role) = Role::mine() {
        return play_from(&role, &crafted::files(&role.db), judge_crafted);
    }
    let (_folder, db) = made();
    let wrong = play(test, &db, "");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn judge_crafted(db: &Path, _: &File, answers: &Answers) {
    if answers.codes.first() != Some(&("open", SCHEMA_FOREIGN)) {
        say(&format!("fault: it is opened, or refused as another: {:?}", answers.codes.first()));
    }
    let seen: Vec<i64> = all(&connect(db), "SELECT count(*) FROM run_by_us", |row| row.get(0));
    if seen != [0] {
        say(&format!("fault: what the file says was run {seen:?} times"));
    }
}

// ---------------------------------------------------------------------------------------------
// Values and bytes

/// How much of a list is played through: all of it by `SMOLWF_HOSTILE=all`, by another text the files
/// that have it in their names, else so many of it.
fn some_of(mut files: Vec<File>, seed: u64, count: usize) -> Vec<File> {
    match std::env::var("SMOLWF_HOSTILE") {
        Ok(all) if all == "all" => return files,
        Ok(part) => {
            files.retain(|file| file.name.contains(&part));
            return files;
        }
        Err(_) => {}
    }
    let mut draws = Draws::of(seed);
    while files.len() > count {
        files.swap_remove(draws.below(files.len() as u64) as usize);
    }
    files
}

fn play_seeded(test: &str) {
    let (_folder, db) = made();
    let seed = Draws::seeded().next();
    let wrong = play(test, &db, &seed.to_string());
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn whatever_value_stands_in_a_column_each_call_answers() {
    let Some(role) = Role::mine() else {
        return play_seeded("whatever_value_stands_in_a_column_each_call_answers");
    };
    let files = some_of(wrong::values(&role.db), role.extra.parse().unwrap(), 120);
    play_from(&role, &files, |_, _, answers| assert!(!answers.codes.is_empty()));
}

#[test]
fn whatever_byte_of_a_file_is_wrong_each_call_answers() {
    let Some(role) = Role::mine() else {
        return play_seeded("whatever_byte_of_a_file_is_wrong_each_call_answers");
    };
    let seed = role.extra.parse().unwrap();
    let files = some_of(wrong::bytes(&role.db, seed, 12), seed, 160);
    play_from(&role, &files, |_, _, answers| assert!(!answers.codes.is_empty()));
}
