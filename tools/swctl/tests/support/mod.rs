//! The built program, run on a store.

#![allow(dead_code, reason = "each suite uses a part")]

pub mod stage;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

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

/// A folder with a store that `stage::fill` has filled.
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
        Answer {
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
            code: output.status.code(),
        }
    }
}

impl Place {
    pub fn new() -> Place {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("app.db");
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
