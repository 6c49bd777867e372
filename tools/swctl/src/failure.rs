//! What ends a command before its end, and the exit code that says so.

use std::io;

use crate::door::{self, code};
use crate::place;

/// Exit codes, beside 0 for done and 128+n for a signal.
pub mod exit {
    /// The answer is no: a check found faults, a run failed, nothing was found that was asked for.
    pub const NO: u8 = 1;
    /// What was typed is not understood.
    pub const USAGE: u8 = 2;
    /// A run, a step or a schedule that is not there.
    pub const NOT_FOUND: u8 = 3;
    /// The state of the thing forbids it.
    pub const STATE: u8 = 4;
    /// It did not come in time.
    pub const TIMED_OUT: u8 = 5;
    /// Others hold the file; it may be tried again.
    pub const BUSY: u8 = 6;
    /// The file is no store, or not one that this version reads.
    pub const WRONG_FILE: u8 = 7;
    /// The file, the disk, a right or memory is missing or failing.
    pub const ENVIRONMENT: u8 = 8;
    /// A fault of the tool or of the library.
    pub const DEFECT: u8 = 70;
    /// The reader of the output has gone: 128 and SIGPIPE.
    pub const PIPE: u8 = 141;
}

/// What the library says of a file of an older schema.
const INIT: &str = "call sw_store_init";
/// What it says of one that has no schema at all: an empty file, a database of another program.
const NO_SCHEMA: &str = "the file has schema version 0,";

/// Why a command ended early.
#[derive(Debug)]
pub enum Failure {
    /// The library refused.
    Library(door::Error),
    /// What was typed cannot be meant.
    Usage(String),
    /// The answer is no, and was given; nothing more is to be said.
    No,
    /// It did not come in time.
    TimedOut(String),
    /// A file, standard input or the terminal cannot be used.
    Environment(String),
    /// A signal ended it.
    Signal(i32),
    /// The output could not be written.
    Output(io::Error),
}

impl From<door::Error> for Failure {
    fn from(error: door::Error) -> Failure {
        Failure::Library(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Failure {
        let message =
            format!("a document of the library has another shape than is known here: {error}");
        Failure::Library(door::Error::new(-60, message))
    }
}

impl Failure {
    /// The exit code.
    pub fn exit(&self) -> u8 {
        match self {
            Failure::Library(error) => of_code(error.code),
            Failure::Usage(_) => exit::USAGE,
            Failure::No => exit::NO,
            Failure::Signal(number) => 128 + *number as u8,
            Failure::TimedOut(_) => exit::TIMED_OUT,
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => exit::PIPE,
            Failure::Environment(_) | Failure::Output(_) => exit::ENVIRONMENT,
        }
    }

    /// One sentence for people, without what may be secret; None where there is nothing to say.
    pub fn sentence(&self) -> Option<String> {
        self.said().map(|said| place::without_secrets(&said).into_owned())
    }

    fn said(&self) -> Option<String> {
        match self {
            Failure::Library(error) if error.message.starts_with(NO_SCHEMA) => {
                Some("the file holds no store: swctl FILE migrate makes one in it".to_string())
            }
            // The library names its function; here that is a command.
            Failure::Library(error) => Some(error.message.replace(INIT, "swctl FILE migrate")),
            Failure::Usage(message)
            | Failure::TimedOut(message)
            | Failure::Environment(message) => Some(message.clone()),
            Failure::No | Failure::Signal(_) => None,
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                Some("whoever read the output has gone".to_string())
            }
            Failure::Output(error) => Some(format!("the output cannot be written: {error}")),
        }
    }

    /// The same for programs: code, message, whether it may be tried again.
    pub fn document(&self) -> Option<String> {
        let message = self.sentence()?;
        let (name, engine_code, is_retryable) = match self {
            Failure::Library(error) => {
                (door::code_name(error.code), error.engine_code, error.is_retryable)
            }
            Failure::Usage(_) => ("USAGE", 0, false),
            Failure::TimedOut(_) => ("SW_TIMEOUT", 0, true),
            Failure::Environment(_) => ("ENVIRONMENT", 0, false),
            Failure::No | Failure::Signal(_) | Failure::Output(_) => ("OUTPUT", 0, false),
        };
        let document = serde_json::json!({
            "code": name, "exit": self.exit(), "engine_code": engine_code, "message": message,
            "retryable": is_retryable
        });
        Some(document.to_string())
    }
}

fn of_code(code: i32) -> u8 {
    match code {
        code::SW_ERR_NOT_FOUND => exit::NOT_FOUND,
        code::SW_ERR_INVALID | code::SW_ERR_TOO_BIG => exit::USAGE,
        code::SW_ERR_CONFLICT
        | code::SW_ERR_BUDGET
        | code::SW_ERR_LEASE_LOST
        | code::SW_ERR_CANCELLED
        | code::SW_ERR_TARGET_OLDER => exit::STATE,
        code::SW_ERR_BUSY => exit::BUSY,
        code::SW_ERR_NOT_A_STORE
        | code::SW_ERR_SCHEMA_OLD
        | code::SW_ERR_SCHEMA_NEW
        | code::SW_ERR_SCHEMA_FOREIGN
        | code::SW_ERR_SCHEMA_EDITED
        | code::SW_ERR_MOVED => exit::WRONG_FILE,
        code::SW_ERR_IO
        | code::SW_ERR_FULL
        | code::SW_ERR_READONLY
        | code::SW_ERR_CORRUPT
        | code::SW_ERR_NOMEM
        | code::SW_ERR_CANNOT_OPEN
        | code::SW_ERR_CLOSED
        | code::SW_ERR_UNSUPPORTED
        | code::SW_ERR_POISONED
        | code::SW_ERR_WAL_LOST => exit::ENVIRONMENT,
        _ => exit::DEFECT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODES: &str = include_str!("../../../tests/vectors/codes.json");

    #[test]
    fn every_code_of_the_library_has_an_exit_code_and_only_defects_that_of_a_defect() {
        let codes: serde_json::Value = serde_json::from_str(CODES).expect("JSON");
        let codes = codes["codes"].as_array().expect("an array").iter();
        let number = |code: &serde_json::Value| code["code"].as_i64().expect("a number") as i32;
        let errors: Vec<_> = codes.filter(|code| number(code) < 0).collect();
        let defects: Vec<&str> = errors
            .iter()
            .filter(|code| of_code(number(code)) == exit::DEFECT)
            .map(|code| code["name"].as_str().expect("a name"))
            .collect();
        let wanted = ["MISUSE", "FORKED", "SECOND_COPY", "NONDETERMINISM", "INTERNAL", "PANIC"];
        assert_eq!(defects, wanted.map(|name| format!("SW_ERR_{name}")));
        assert!(errors.len() > 25);
    }

    #[test]
    fn what_ended_it_says_the_exit_code() {
        let library = |code| Failure::Library(door::Error::new(code, "")).exit();
        let broken = Failure::Output(io::Error::from(io::ErrorKind::BrokenPipe)).exit();
        assert_eq!((Failure::Signal(2).exit(), broken), (130, exit::PIPE));
        assert_eq!(library(code::SW_ERR_BUSY), 6);
        assert_eq!(library(code::SW_ERR_SCHEMA_NEW), 7);
        assert_eq!(library(code::SW_ERR_FULL), 8);
        assert_eq!(Failure::TimedOut(String::new()).exit(), 5);
    }
}
