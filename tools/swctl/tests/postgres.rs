//! A store on a server, through the built program, on one that scripts/postgres.sh has started: what differs from a
//! file. The other suites play on it what they play on files.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use support::{Answer, Place, SECRET, SERVER, ask, own, stage, swctl};

/// A filled store; None, told, without a server.
fn filled() -> Option<(Place, stage::Cast)> {
    if SERVER.is_none() {
        assert!(std::env::var("SW_REQUIRE_ALL").is_err(), "SW_POSTGRES_URL names no server");
        let _ = writeln!(std::io::stderr(), "skipped: SW_POSTGRES_URL names no server");
        return None;
    }
    let place = Place::new();
    let cast = stage::fill(&place.file);
    Some((place, cast))
}

#[test]
fn what_a_server_does_not_have_is_answered_by_a_sentence() {
    let Some((place, _cast)) = filled() else { return };
    let copy = place.folder.path().join("copy.db");
    let backup = place.ask(&["backup", copy.to_str().expect("UTF-8")]);
    assert_eq!(backup.code, Some(8), "{backup:?}");
    assert!(backup.err.contains("pg_dump") && backup.err.lines().count() == 1, "{backup:?}");
    assert!(!copy.exists());
    let compact = place.ask(&["compact"]);
    assert_eq!((compact.code, compact.out.as_str()), (Some(0), "0\t0\n"), "{compact:?}");
    assert!(compact.err.contains("autovacuum"), "{compact:?}");
    let stats = place.told(&["stats", "--table"]);
    assert!(stats.contains("size") && !stats.contains("log"), "{stats}");
}

#[test]
fn a_schema_is_made_when_told_and_missed_by_name() {
    let Some(server) = SERVER.as_deref() else { return };
    let place = Place { file: own(server).into(), ..Place::new() };
    for command in ["ls", "stats", "submit w", "migrate"] {
        let args: Vec<&str> = command.split(' ').collect();
        let answer = place.ask(&args);
        assert_eq!(answer.code, Some(8), "{command}: {answer:?}");
        assert!(answer.err.contains("has no schema sw_test_"), "{command}: {answer:?}");
    }
    place.told(&["migrate", "--create"]);
    assert_eq!(place.told(&["ls"]), "");
}

/// Each answer is looked through for the password when it is read.
#[test]
fn no_error_shows_the_password_wherever_its_url_was_typed() {
    let Some((place, cast)) = filled() else { return };
    let url = place.file.to_str().expect("UTF-8");
    let user = format!("postgresql://me:{SECRET}@127.0.0.1:1/db");
    for store in [url, &user, "app.db"] {
        for args in [
            &["frobnicate"][..],
            &["show", &user],
            &[&user, "ls"],
            &["ls", "--limit", &user],
            &["ls", "--state", url],
            &["why", url],
            &["sql", &user],
            &["--help"],
        ] {
            for form in ["--json", "--table"] {
                let answer = ask(store.as_ref(), &[args, &[form]].concat());
                // What was typed in a place of its own is a host's name, and stays.
                assert!(!answer.err.is_empty() || answer.code == Some(0), "{args:?}");
            }
        }
    }
    let why = place.told(&["why", &cast.full, "--table"]);
    assert!(why.contains("swctl 'postgresql://postgres@/postgres?host="), "{why}");
}

/// The page's server: what it answered at an address, with a cookie.
fn fetched(origin: &str, path: &str, cookie: &str) -> String {
    let mut stream = TcpStream::connect(origin).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {origin}\r\n{cookie}Connection: close\r\n\r\n")
        .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("UTF-8");
    assert!(!answer.contains(SECRET), "{path}: {answer}");
    answer
}

#[test]
fn the_page_names_server_and_schema_and_shows_what_is_there() {
    let Some((place, cast)) = filled() else { return };
    let mut command = swctl();
    command.arg(&place.file).args(["serve", "--write"]).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("a pipe")).read_line(&mut line).expect("a line");
    let address = line.trim().strip_prefix("http://").expect("an address");
    let (origin, path) = address.split_at(address.find('/').expect("a path"));
    let let_in = fetched(origin, path, "");
    let given = let_in.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("set-cookie").then(|| value.split(';').next()).flatten()
    });
    let cookie = format!("Cookie: {}\r\n", given.expect("a cookie"));
    let page = fetched(origin, "/api/page", &cookie);
    assert!(page.contains(r#""file":"postgresql://postgres@/postgres sw_test_"#), "{page}");
    assert!(page.contains(r#""server":true"#), "{page}");
    assert!(fetched(origin, "/api/runs", &cookie).contains(&cast.failed));
    assert!(fetched(origin, "/api/stats", &cookie).contains("\"queues\""));
    child.kill().expect("it is ours");
    let answer = Answer::from(child.wait_with_output().expect("it has ended"));
    assert_eq!(answer.code, None);
}
