//! The commands, a file for each topic, and what they share: an open store and where answers go.

mod places;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::door::{Mode, Store};
use crate::failure::{Failure, exit};
use crate::out::{self, Out};

/// An open store, and where answers go.
pub struct Session {
    /// The store's file, as it was typed.
    pub file: PathBuf,
    /// The store.
    pub store: Store,
    /// Standard output.
    pub out: Out,
}

/// What commands come to.
pub type Done = Result<(), Failure>;

/// Reads what was typed, does it, and tells what came of it.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let is_json = cli.look.json || cli.look.jsonl;
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => tell(&failure, is_json),
    }
}

/// Help is an answer; all else that clap says is a fault of what was typed.
fn refuse(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        return match error.print() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => tell(&Failure::Output(error), false),
        };
    }
    if std::env::args().any(|arg| arg == "--json" || arg == "--jsonl") {
        let text = error.to_string();
        let sentence = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        return tell(&Failure::Usage(sentence.to_string()), true);
    }
    let _ = error.print();
    ExitCode::from(exit::USAGE)
}

fn tell(failure: &Failure, is_json: bool) -> ExitCode {
    if let (true, Some(document)) = (is_json, failure.document()) {
        out::say(&document);
    } else if let Some(sentence) = failure.sentence() {
        out::say(&format!("swctl: {sentence}"));
    }
    ExitCode::from(failure.exit())
}

fn run(cli: Cli) -> Done {
    match &cli.command {
        Command::Queues => look(&cli, places::queues),
        Command::Owners => look(&cli, places::owners),
    }
}

/// Does what only looks: read-only, and never makes the file.
fn look(cli: &Cli, command: impl FnOnce(&mut Session) -> Done) -> Done {
    with(cli, Mode::Read, command)
}

fn with(cli: &Cli, mode: Mode, command: impl FnOnce(&mut Session) -> Done) -> Done {
    let Some(file) = cli.file.clone() else {
        return Err(Failure::Usage("which file? the store comes first: swctl FILE COMMAND".into()));
    };
    let store = Store::open(&file, mode, cli.look.busy)?;
    let mut session = Session { file, store, out: Out::new(&cli.look) };
    let done = command(&mut session);
    // What was written before a failure is an answer too.
    let flushed = session.out.flush();
    done.and(flushed.map_err(Failure::from))
}
