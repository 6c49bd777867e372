//! The built program, run on a store.

#![allow(dead_code, reason = "each suite uses a part")]

pub mod stage;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

/// A server that scripts/postgres.sh has started: stores lie on it, in place of files.
pub static SERVER: LazyLock<Option<String>> =
    LazyLock::new(|| std::env::var("SW_POSTGRES_URL").ok());

/// A schema of its own on a server, in which the host's tables are, too. There is a password in its URL, which no
/// such server asks for, and which nothing may show.
pub fn own(server: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let schema = format!("sw_test_{}_{number}", std::process::id());
    format!("{server}&password={SECRET}&sw_schema={schema}&options=-csearch_path%3D{schema}")
}

/// The password that nothing may show.
pub const SECRET: &str = "sesame";

/// Whether a test is of what files alone have: told, with the reason, where stores lie on a server.
pub fn is_of_files(why: &str) -> bool {
    if SERVER.is_some() {
        let _ = writeln!(std::io::stderr(), "not on a server: {why}");
    }
    SERVER.is_some()
}

/// The built program.
pub fn swctl() -> Command {
    Command::new(env!("CARGO_BIN_EXE_swctl"))
}

/// Whether this machine has a program; where it has not, that is told, and a failure where all is wanted.
pub fn has(program: &str) -> bool {
    let found = Command::new(program)
        .arg("--version")
        .output()
        .or(Command::new(program).arg("-V").output());
    if found.is_ok() {
        return true;
    }
    assert!(std::env::var("SW_REQUIRE_ALL").as_deref() != Ok("1"), "{program} is missing");
    let _ = writeln!(std::io::stderr(), "skipped: {program} is missing");
    false
}

/// Where a test's store lies, and a folder for what it writes beside.
pub struct Place {
    pub folder: TempDir,
    pub file: PathBuf,
}

/// What a command answered.
#[derive(Debug)]
pub struct Answer {
    pub out: String,
    pub err: String,
    pub code: Option<i32>,
}

impl From<Output> for Answer {
    fn from(output: Output) -> Answer {
        let answer = Answer {
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
            code: output.status.code(),
        };
        assert!(!answer.out.contains(SECRET) && !answer.err.contains(SECRET), "{answer:?}");
        answer
    }
}

impl Place {
    pub fn new() -> Place {
        let folder = tempfile::tempdir().expect("a folder");
        let file = match SERVER.as_deref() {
            Some(server) => own(server).into(),
            None => folder.path().join("app.db"),
        };
        Place { folder, file }
    }

    /// Runs a command on the store, its output into a pipe.
    pub fn ask(&self, args: &[&str]) -> Answer {
        ask(&self.file, args)
    }

    /// The same, which must succeed; what it wrote.
    #[track_caller]
    pub fn told(&self, args: &[&str]) -> String {
        let answer = self.ask(args);
        assert_eq!(answer.code, Some(0), "{args:?}: {answer:?}");
        answer.out
    }
}

pub fn ask(file: &Path, args: &[&str]) -> Answer {
    let mut command = swctl();
    command.arg(file).args(args).env_remove("NO_COLOR");
    command.stdin(std::process::Stdio::null());
    command.output().expect("the program runs").into()
}
