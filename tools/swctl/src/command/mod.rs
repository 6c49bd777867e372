//! The commands, a file for each topic, and what they share: an open store and where answers go.

mod act;
mod bundle;
mod carry;
mod explain;
mod fact;
mod keep;
mod list;
mod log;
mod moving;
mod own;
mod places;
mod retention;
mod sql;
mod story;
mod submit;
mod top;
mod whole;

use std::borrow::Cow;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Acts, Cli, Command, Looks, Sure, Which};
use crate::completions;
use crate::door::{Mode, Store};
use crate::failure::{Failure, exit};
use crate::out::{self, Out};
use crate::{place, text};

/// An open store, and where answers go.
pub struct Session {
    /// What names the store where people read it: a file as it was typed, a URL without a password.
    pub place: String,
    /// Whether it is on a server, and no file.
    pub is_on_server: bool,
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
    match run(&cli) {
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
        let text = place::without_secrets(&error.to_string()).into_owned();
        let sentence = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        return tell(&Failure::Usage(sentence.to_string()), true);
    }
    let text = error.to_string();
    match place::without_secrets(&text) {
        Cow::Owned(hidden) => out::say(hidden.trim_end()),
        Cow::Borrowed(_) => drop(error.print()),
    }
    ExitCode::from(exit::USAGE)
}

fn tell(failure: &Failure, is_json: bool) -> ExitCode {
    if let (true, Some(document)) = (is_json, failure.document()) {
        out::say(&document);
    } else if let Some(sentence) = failure.sentence() {
        out::say(&format!("swctl: {}", text::visible(&sentence)));
    }
    ExitCode::from(failure.exit())
}

fn run(cli: &Cli) -> Done {
    match &cli.command {
        Command::Completions { shell } => own::print(&cli.look, &completions::script(*shell)),
        Command::Man => own::print(&cli.look, &own::manual()?),
        Command::Version => own::version(&cli.look),
        Command::Look(command) => looked(cli, command),
        Command::Act(command) => acted(cli, command),
    }
}

/// Commands that only look.
fn looked(cli: &Cli, command: &Looks) -> Done {
    match command {
        Looks::Ls(asked) => look(cli, |it| list::list(it, asked)),
        Looks::Show { run } => look(cli, |it| story::show(it, run)),
        Looks::Why { run } => look(cli, |it| explain::why(it, run)),
        Looks::Tree { run, limit } => look(cli, |it| story::tree(it, run, *limit)),
        Looks::Steps { run } => look(cli, |it| story::steps(it, run)),
        Looks::Events(asked) => look(cli, |it| log::events(it, asked)),
        Looks::Stats => look(cli, whole::stats),
        Looks::Queues => look(cli, places::queues),
        Looks::Owners => look(cli, places::owners),
        Looks::Schedules => look(cli, places::schedules),
        Looks::Budget { run } => look(cli, |it| whole::budget(it, run)),
        Looks::Top => look(cli, top::top),
        Looks::Serve(options) => serve(cli, options),
        Looks::Wait { run, timeout } => look(cli, |it| submit::wait(it, run, *timeout)),
        Looks::Backup { copy } => look(cli, |it| keep::backup(it, copy)),
        Looks::Export { run, output, redact } => {
            look(cli, |it| carry::export(it, run, output.as_deref(), *redact))
        }
        Looks::Check => look(cli, keep::check),
        Looks::Sql { sql, params, rows, timeout } => {
            look(cli, |it| sql::sql(it, sql, params.as_deref(), *rows, *timeout))
        }
        Looks::Bundle { run, output, payloads, no_check } => {
            let (run, output) = (run.as_deref(), output.as_deref());
            let wanted = bundle::Wanted { run, output, payloads: *payloads, check: !no_check };
            look(cli, |it| bundle::bundle(it, &wanted))
        }
    }
}

/// Commands that change something.
fn acted(cli: &Cli, command: &Acts) -> Done {
    match command {
        Acts::Submit(asked) => write(cli, |it| submit::submit(it, asked)),
        Acts::Signal { run, name, payload, key } => {
            write(cli, |it| submit::signal(it, run, name, payload.as_deref(), key.as_deref()))
        }
        Acts::Cancel { which, reason } => acted_on(cli, act::Act::Cancel(reason.as_deref()), which),
        Acts::Pause { which } => acted_on(cli, act::Act::Pause, which),
        Acts::Resume { which } => acted_on(cli, act::Act::Resume, which),
        Acts::Retry { which } => acted_on(cli, act::Act::Retry, which),
        Acts::Fork { run, from } => write(cli, |it| submit::fork(it, run, from.as_deref())),
        Acts::Annotate { run, patch } => write(cli, |it| submit::annotate(it, run, patch)),
        Acts::Queue(asked) => write(cli, |it| places::set(it, asked)),
        Acts::Prune { filter, all, sure } => {
            unless_rehearsed(cli, sure, |it| keep::prune(it, filter, *all, sure))
        }
        Acts::Compact { pages } => write(cli, |it| keep::compact(it, *pages)),
        Acts::Import { document, new_ids } => {
            write(cli, |it| carry::import(it, document, *new_ids))
        }
        Acts::Move { to, abort } => write(cli, |it| {
            let to = to.as_deref();
            if *abort {
                moving::abort(it, to, cli.look.busy)
            } else {
                moving::go(it, to, cli.look.busy)
            }
        }),
        Acts::Retention { asked: None } => look(cli, retention::show),
        Acts::Retention { asked: Some(asked) } => {
            unless_rehearsed(cli, asked.sure(), |it| retention::change(it, asked))
        }
        Acts::Migrate { create, dry_run, to } => {
            let mode = match (dry_run, create) {
                (true, _) => Mode::Read,
                (_, true) => Mode::Create,
                _ => Mode::Write,
            };
            with(cli, mode, |it| keep::migrate(it, *to, *dry_run))
        }
    }
}

/// Does what only looks: read-only, and never makes the file.
fn look(cli: &Cli, command: impl FnOnce(&mut Session) -> Done) -> Done {
    with(cli, Mode::Read, command)
}

/// Does what changes something: the file must be there.
fn write(cli: &Cli, command: impl FnOnce(&mut Session) -> Done) -> Done {
    with(cli, Mode::Write, command)
}

/// Does what changes something, or what only says what would be done, which is to look.
fn unless_rehearsed(cli: &Cli, sure: &Sure, command: impl FnOnce(&mut Session) -> Done) -> Done {
    with(cli, if sure.dry_run { Mode::Read } else { Mode::Write }, command)
}

fn acted_on(cli: &Cli, act: act::Act, which: &Which) -> Done {
    unless_rehearsed(cli, &which.sure, |it| act::act(it, act, which))
}

/// Opens its store itself, which its threads share.
fn serve(cli: &Cli, options: &crate::serve::Options) -> Done {
    crate::serve::serve(file(cli)?, options, cli.look.busy, &mut Out::new(&cli.look))
}

fn file(cli: &Cli) -> Result<&Path, Failure> {
    cli.file.as_deref().ok_or_else(|| {
        Failure::Usage("which store? its file or URL comes first: swctl FILE COMMAND".into())
    })
}

fn with(cli: &Cli, mode: Mode, command: impl FnOnce(&mut Session) -> Done) -> Done {
    let file = file(cli)?.to_path_buf();
    let store = Store::open(&file, mode, cli.look.busy)?;
    let mut session = Session {
        place: place::shown(&file, &store),
        is_on_server: place::is_on_server(&file),
        store,
        out: Out::new(&cli.look),
    };
    let done = command(&mut session);
    // What was written before a failure is an answer too.
    let flushed = session.out.flush();
    done.and(flushed.map_err(Failure::from))
}
