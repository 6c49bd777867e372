//! What is typed wrong, is not there or is another's: an exit code and one sentence, and no file is made.

mod support;

use std::process::Stdio;

use support::stage::{self, Cast};
use support::{Place, ask, swctl};

fn filled() -> (Place, Cast) {
    let place = Place::new();
    let cast = stage::fill(&place.file);
    (place, cast)
}

#[test]
fn a_run_that_is_not_there_is_answered_with_the_nearest() {
    let (place, cast) = filled();
    let wrong = format!("{}zz", &cast.completed[..28]);
    let answer = place.ask(&["show", &wrong]);
    assert_eq!((answer.code, answer.out.as_str()), (Some(3), ""), "{answer:?}");
    assert!(
        answer.err.contains(&cast.completed) || answer.err.contains(&cast.failed),
        "{answer:?}"
    );
    assert_eq!(place.ask(&["why", "no such thing"]).code, Some(3));
}

#[test]
fn an_exit_code_says_what_came_of_it() {
    let (place, cast) = filled();
    assert_eq!(place.ask(&["wait", &cast.completed]).code, Some(0));
    assert_eq!(place.ask(&["wait", &cast.failed]).code, Some(1));
    assert_eq!(place.ask(&["ls", "--state", "gone"]).code, Some(2));
    assert_eq!(place.ask(&["frobnicate"]).code, Some(2));
    assert_eq!(place.ask(&["cancel", &cast.completed]).code, Some(4));
    assert_eq!(place.ask(&["wait", &cast.waiting, "--timeout", "20ms"]).code, Some(5));
    let missing = place.folder.path().join("none.db");
    assert_eq!(ask(&missing, &["ls"]).code, Some(8));
    let help = swctl().arg("--help").output().expect("it runs");
    assert_eq!(help.status.code(), Some(0));
}

#[test]
fn a_file_that_is_no_store_or_a_newer_one_is_refused_with_a_sentence() {
    if support::is_of_files("refusals are the backend's") {
        return;
    }
    let place = Place::new();
    let text = place.folder.path().join("notes.txt");
    std::fs::write(&text, "no database ".repeat(1000)).expect("a file");
    let answer = ask(&text, &["ls"]);
    assert_eq!(answer.code, Some(7), "{answer:?}");
    assert!(answer.err.starts_with("swctl: ") && answer.err.lines().count() == 1, "{answer:?}");
    let other = place.folder.path().join("other.db");
    rusqlite::Connection::open(&other)
        .and_then(|it| it.execute_batch("CREATE TABLE t(a)"))
        .expect("SQLite");
    let answer = ask(&other, &["ls"]);
    assert_eq!(answer.code, Some(7), "{answer:?}");
    assert!(answer.err.contains("holds no store: swctl FILE migrate"), "{answer:?}");
    drop(stage::fill(&place.file));
    let other = rusqlite::Connection::open(&place.file).expect("SQLite");
    let newer = "INSERT INTO sw_migrations SELECT id + 1000, introduced_version, applied_time, checksum \
                 FROM sw_migrations ORDER BY id DESC LIMIT 1";
    other.execute(newer, []).expect("a row of the future");
    drop(other);
    let answer = place.ask(&["ls", "--json"]);
    assert_eq!(answer.code, Some(7), "{answer:?}");
    let error: serde_json::Value = serde_json::from_str(&answer.err).expect("one JSON object");
    assert_eq!(
        (error["code"].as_str(), error["exit"].as_i64()),
        (Some("SW_ERR_SCHEMA_NEW"), Some(7))
    );
}

#[test]
fn a_file_that_others_hold_is_busy_after_the_time_that_was_given() {
    if support::is_of_files("the lock of SQLite is meant") {
        return;
    }
    let place = Place::new();
    drop(stage::fill(&place.file));
    let other = rusqlite::Connection::open(&place.file).expect("SQLite");
    other.execute_batch("BEGIN IMMEDIATE").expect("the write lock");
    let answer = place.ask(&["submit", "w", "--busy", "50ms"]);
    assert_eq!(answer.code, Some(6), "{answer:?}");
    assert_eq!(place.ask(&["ls"]).code, Some(0), "a look waits for no writer");
}

#[test]
fn a_reader_that_goes_early_ends_the_command_with_the_code_of_its_signal() {
    let (place, _cast) = filled();
    let mut command = swctl();
    command.arg(&place.file).args(["ls", "--all"]).stderr(Stdio::piped());
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let answer: support::Answer = command.stdout(writer).output().expect("it runs").into();
    assert_eq!(answer.code, Some(141), "{answer:?}");
    assert_eq!(answer.err, "swctl: whoever read the output has gone\n");
}

#[test]
fn a_look_makes_no_file_and_a_migration_only_when_told() {
    if support::is_of_files("tests/postgres.rs has the same") {
        return;
    }
    let place = Place::new();
    for command in ["ls", "stats", "top", "check", "submit w", "migrate"] {
        let args: Vec<&str> = command.split(' ').collect();
        assert_eq!(place.ask(&args).code, Some(8), "{command}");
        assert!(!place.file.exists(), "{command}");
    }
    place.told(&["migrate", "--create", "--to", "8"]);
    let old = place.ask(&["ls"]);
    assert_eq!(old.code, Some(7), "{old:?}");
    assert!(
        old.err.contains("schema version 8") && old.err.contains("swctl FILE migrate"),
        "{old:?}"
    );
    place.told(&["migrate"]);
    assert_eq!(place.told(&["ls"]), "");
}
