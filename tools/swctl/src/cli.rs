//! What may be typed: commands, their options and their help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use crate::filter::Filter;

/// Looks at a smolwf store, and acts on it.
///
/// Lookers open the store read-only and never make it. A table is for a terminal; in a pipe the same
/// columns come tab-separated, whole and without headings, and --json gives the library's own document.
#[derive(Parser, Debug)]
#[command(name = "swctl", version = crate::version::words(), subcommand_value_name = "COMMAND")]
// Of the commands alone: what is typed has the file before them.
#[command(bin_name = "swctl FILE")]
#[command(override_usage = "swctl FILE COMMAND [OPTIONS]", after_help = AFTER)]
pub struct Cli {
    /// The store: a file, or postgresql://user@host/database?sw_schema=name
    pub file: Option<PathBuf>,
    /// How the answer looks
    #[command(flatten)]
    pub look: Look,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

const AFTER: &str = "\
A RUN is an id, the beginning of one, or `latest`. A JSON argument may be `-`, for standard input, or
`@FILE`. A TIME is 2h (ago), today, yesterday, 2026-11-28, 2026-11-28T09:30Z or @MILLISECONDS.

Exit codes: 0 done; 1 the answer is no; 2 usage; 3 not found; 4 the state forbids it; 5 timed out;
6 busy, try again; 7 the wrong file; 8 environment; 70 a defect; 128+n ended by signal n.

Examples:
  swctl app.db ls --state running               what runs
  swctl app.db ls --state failed --ended-from today   what failed today, and with what
  swctl app.db why RUN                          why it does not move, and what to do
  swctl app.db queues; swctl app.db owners      who holds the queue
  swctl app.db prune --ended-to 30d --dry-run   what a prune would take away";

/// How the answer looks, and how long to wait for locks.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Form of the answer")]
pub struct Look {
    /// Give the library's document, byte for byte; an error too is a JSON object, on stderr
    #[arg(long, global = true, conflicts_with_all = ["jsonl", "table"])]
    pub json: bool,
    /// Give one document a line
    #[arg(long, global = true, conflicts_with = "table")]
    pub jsonl: bool,
    /// Give the terminal's table also into a pipe or a file
    #[arg(long, global = true)]
    pub table: bool,
    /// Wait so long for a lock that others hold: 500ms, 10s
    #[arg(long, global = true, value_name = "DURATION", default_value = "5s", value_parser = busy)]
    pub busy: u32,
}

fn busy(text: &str) -> Result<u32, String> {
    let ms = crate::time::parse_span(text)?;
    u32::try_from(ms)
        .ok()
        .filter(|ms| (1..=86_400_000).contains(ms))
        .ok_or_else(|| format!("'{text}' is not from 1ms to 1d"))
}

/// A duration as it is typed.
fn span(text: &str) -> Result<i64, String> {
    crate::time::parse_span(text)
}

/// The commands.
#[derive(Subcommand, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one in the process")]
pub enum Command {
    /// Those that only look
    #[command(flatten)]
    Look(Looks),
    /// Those that change something
    #[command(flatten)]
    Act(Acts),
    /// Write completions for a shell to standard output
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual page to standard output
    Man,
    /// Say which version this is, and how its library was built
    Version,
}

/// Commands that only look.
#[derive(Subcommand, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one in the process")]
pub enum Looks {
    /// List runs, the newest first
    #[command(
        visible_alias = "list",
        after_help = "\
Columns: run, state, workflow, queue, tries, submitted, ended, error.

Examples:
  swctl app.db ls --state running,waiting
  swctl app.db ls --state failed --ended-from today --error 'connection refused'
  swctl app.db ls --meta tenant=acme --all --jsonl | jq .run_id"
    )]
    Ls(Ls),
    /// Tell the whole story of a run: state, attempts, steps, what it waits for
    Show {
        /// The run
        run: String,
    },
    /// Say why a run does not move, and what to do about it
    Why {
        /// The run
        run: String,
    },
    /// Draw the tree that a run belongs to
    Tree {
        /// The run, marked in its tree
        run: String,
        /// Draw at most so many runs
        #[arg(long, value_name = "N", default_value_t = 1000)]
        limit: usize,
    },
    /// List what a run recorded: steps, sleeps, awaits
    #[command(after_help = "\
Columns: step, kind, state, tries, started, lasted in milliseconds, result or error.")]
    Steps {
        /// The run
        run: String,
    },
    /// List events of the log, or follow it
    #[command(after_help = "\
Columns: number, time, run, type, payload.

Examples:
  swctl app.db events -f --type progress
  swctl app.db events RUN --after 0 --jsonl")]
    Events(Events),
    /// Show counts of runs, queues that are full, how large it is
    Stats,
    /// List queues: limits, what stands in them, when something was last claimed
    #[command(after_help = "\
Columns: queue, state, running, limit, limit per key, ready, delayed, waiting, blocked, since when the
oldest is ready, last claim.")]
    Queues,
    /// List owners: the processes that have claimed, and whether they live
    #[command(after_help = "\
Columns: owner, pid, process, running, since when it holds the oldest, first claim.")]
    Owners,
    /// List schedules: when they fire next, what the last firing made
    #[command(after_help = "\
Columns: schedule, workflow, queue, when, state, next, last, last run, skipped, error.")]
    Schedules,
    /// Show the budget of a run's tree
    #[command(after_help = "Columns: unit, limit, warns at, reserved, spent, remaining.")]
    Budget {
        /// A run of the tree
        run: String,
    },
    /// Show the store live: queues, what moves, the oldest that wait, owners
    Top,
    /// Show the store as a page in a browser, until it is interrupted
    #[command(after_help = "\
The address opens the page once, in one browser; Enter prints another. docs/PAGE.md says who may look.

Examples:
  swctl app.db serve
  swctl app.db serve --write --listen 127.0.0.1:8080")]
    Serve(crate::serve::Options),
    /// Wait until a run has ended; 1 if it failed or was cancelled, 5 if it did not end in time
    Wait {
        /// The run
        run: String,
        /// Wait at most so long: 30s, 10m
        #[arg(long, value_name = "DURATION", value_parser = span)]
        timeout: Option<i64>,
    },
    /// Copy the file of a store to a new one while others write; one on a server is pg_dump's
    Backup {
        /// The copy; nothing may have that name
        copy: PathBuf,
    },
    /// Look whether the store is whole; 1 if it is not
    Check,
    /// Write a topmost run with all below it as one document
    #[command(after_help = "\
The runs go on here as well: to move them, pause them first, and cancel them once they are imported.

Example: swctl app.db export RUN -o run.json && swctl other.db import run.json")]
    Export {
        /// The topmost run
        run: String,
        /// Write it to this new file instead of standard output
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Leave payloads, keys and workers out: for a report; it cannot be imported
        #[arg(long)]
        redact: bool,
    },
    /// Collect what a report of a fault needs, as one JSON document
    #[command(after_help = "\
Payloads (args, results, errors, metadata, signals, events) are replaced by their kind and length
unless --payloads is given. Names, keys of objects and times stay.")]
    Bundle {
        /// A run whose story belongs in it
        run: Option<String>,
        /// Write it to this new file instead of standard output
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Keep payloads as they are
        #[arg(long)]
        payloads: bool,
        /// Leave the check of the file out, which reads all of it
        #[arg(long)]
        no_check: bool,
    },
    /// Ask one SQL query of the store, in the words of its engine
    #[command(after_help = "\
Examples:
  swctl app.db sql 'SELECT workflow, count(*) FROM sw_workflow_lanes GROUP BY 1'
  swctl app.db sql 'SELECT * FROM accounts WHERE id = $1' --params '[7]'")]
    Sql {
        /// One statement that only reads
        sql: String,
        /// Its parameters: a JSON array or object
        #[arg(long, value_name = "JSON")]
        params: Option<String>,
        /// Give at most so many rows
        #[arg(long, value_name = "N", default_value_t = 1000)]
        rows: u32,
        /// End it after so long
        #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = span)]
        timeout: i64,
    },
}

/// Commands that change something.
#[derive(Subcommand, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one in the process")]
pub enum Acts {
    /// Submit a run, and print its id
    #[command(after_help = "\
Examples:
  swctl app.db submit invoice '{\"order\":7}' --key order-7 --meta tenant=acme
  jq -c .order big.json | swctl app.db submit invoice - --wait")]
    Submit(Submit),
    /// Send a signal to a run
    #[command(visible_alias = "send")]
    Signal {
        /// The run
        run: String,
        /// Name of the signal
        name: String,
        /// Its payload, JSON
        payload: Option<String>,
        /// Send it once under this key, however often this is repeated
        #[arg(long)]
        key: Option<String>,
    },
    /// Cancel runs with all below them
    Cancel {
        /// Which runs
        #[command(flatten)]
        which: Which,
        /// Why, JSON; of runs that are named
        #[arg(long, value_name = "JSON")]
        reason: Option<String>,
    },
    /// Set runs aside until they are resumed
    Pause {
        /// Which runs
        #[command(flatten)]
        which: Which,
    },
    /// Put paused runs back
    Resume {
        /// Which runs
        #[command(flatten)]
        which: Which,
    },
    /// Open failed or cancelled runs again
    Retry {
        /// Which runs
        #[command(flatten)]
        which: Which,
    },
    /// Make a new run that replays what a run did before a step, and print its id
    Fork {
        /// The run
        run: String,
        /// Go anew from this step: its id, or a name for its first occurrence; else from the start
        #[arg(long, value_name = "STEP")]
        from: Option<String>,
    },
    /// Change the metadata of a run
    #[command(after_help = "\
Examples:
  swctl app.db annotate RUN case=7 seen=true
  swctl app.db annotate RUN '{\"case\":null}'")]
    Annotate {
        /// The run
        run: String,
        /// KEY=VALUE, or one JSON merge patch
        #[arg(required = true, value_name = "PATCH")]
        patch: Vec<String>,
    },
    /// Set the limits of a queue, pause it, or let it go on
    #[command(subcommand)]
    Queue(Queue),
    /// Remove runs that have ended, whole trees at a time
    #[command(after_help = "\
Examples:
  swctl app.db prune --ended-to 30d --dry-run
  swctl app.db prune --state completed --ended-to 7d --yes")]
    Prune {
        /// Which trees, by their topmost run
        #[command(flatten)]
        filter: Filter,
        /// Everything that has ended
        #[arg(long)]
        all: bool,
        /// Whether to do it
        #[command(flatten)]
        sure: Sure,
    },
    /// Give pages that hold nothing back to the file system
    #[command(after_help = "Columns: pages given back, pages that hold nothing and are left.")]
    Compact {
        /// Give back at most so many
        #[arg(long, value_name = "N")]
        pages: Option<u32>,
    },
    /// Bring a document of `export` into this store, where its runs go on
    Import {
        /// The document, or `-` for standard input
        document: PathBuf,
        /// Give the runs new ids
        #[arg(long)]
        new_ids: bool,
    },
    /// Move the whole store into another one, with its runs in flight: into a file, or a server
    #[command(after_help = "\
The other store is made where there is none, and must be empty. While rows are copied this one is read and
not written; then one commit decides, and each call on this one is told to go to the other. Interrupt it
whenever you like: the same command goes on, and --abort takes it back until it is decided. Tables of
your own stay behind, and are listed.

Example: swctl app.db move postgresql://db.internal/app")]
    Move {
        /// The other store: a file or a URL
        #[arg(required_unless_present = "abort")]
        to: Option<PathBuf>,
        /// Take back a move that is not decided
        #[arg(long)]
        abort: bool,
    },
    /// Show the policy by which what has ended goes by itself, set it, or end it
    #[command(
        args_conflicts_with_subcommands = true,
        after_help = "\
Examples:
  swctl app.db retention
  swctl app.db retention set --completed 7d --failed 90d --keep-newest 100
  swctl app.db retention set --workflow thumbnail --completed 1h"
    )]
    Retention {
        /// What to change; nothing shows it
        #[command(subcommand)]
        asked: Option<Retention>,
    },
    /// Bring the schema of the file to this version's
    Migrate {
        /// Make the file where it is not there
        #[arg(long)]
        create: bool,
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
        /// Stop at this version of the schema
        #[arg(long, value_name = "VERSION")]
        to: Option<i64>,
    },
}

/// Options of `ls`.
#[derive(Args, Debug)]
pub struct Ls {
    /// Which runs
    #[command(flatten)]
    pub filter: Filter,
    /// List at most so many
    #[arg(long, value_name = "N", default_value_t = 50, conflicts_with = "all")]
    pub limit: usize,
    /// List all of them
    #[arg(long)]
    pub all: bool,
    /// Go on after a page: what `next` said in a document of --json
    #[arg(long)]
    pub cursor: Option<String>,
    /// Only say how many there are
    #[arg(long, conflicts_with_all = ["limit", "all", "cursor"])]
    pub count: bool,
}

/// Options of `events`.
#[derive(Args, Debug)]
pub struct Events {
    /// Only events of this run
    pub run: Option<String>,
    /// Follow the log until Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
    /// Begin after this number, instead of with the last ones
    #[arg(long, value_name = "NUMBER")]
    pub after: Option<i64>,
    /// Begin with so many of the last
    #[arg(long, value_name = "N", default_value_t = 20, conflicts_with = "after")]
    pub last: usize,
    /// Only events of this type; may be given again
    #[arg(long, value_name = "TYPE")]
    pub r#type: Vec<String>,
}

/// Options of `submit`.
#[derive(Args, Debug)]
pub struct Submit {
    /// Name of the workflow
    pub workflow: String,
    /// Its arguments, JSON
    pub args: Option<String>,
    /// Queue; else "default"
    #[arg(long)]
    pub queue: Option<String>,
    /// Make one run under this key, however often this is repeated
    #[arg(long)]
    pub key: Option<String>,
    /// Scope within which the key counts
    #[arg(long, requires = "key")]
    pub scope: Option<String>,
    /// The lower goes first
    #[arg(long, allow_hyphen_values = true)]
    pub priority: Option<i32>,
    /// Tries before it fails for good
    #[arg(long, value_name = "N")]
    pub tries: Option<u32>,
    /// Begin after so long
    #[arg(long = "in", value_name = "DURATION", value_parser = span)]
    pub delay: Option<i64>,
    /// Begin at this time
    #[arg(long, value_name = "TIME", conflicts_with = "delay")]
    pub at: Option<String>,
    /// Fail it when it has not ended after so long
    #[arg(long, value_name = "DURATION", value_parser = span)]
    pub timeout: Option<i64>,
    /// Runs of the queue with the same key share its limit per key
    #[arg(long, value_name = "KEY")]
    pub concurrency_key: Option<String>,
    /// Version of the code that may run it
    #[arg(long, value_name = "VERSION")]
    pub code_version: Option<String>,
    /// A member of its metadata; may be given again
    #[arg(long, value_name = "KEY=VALUE")]
    pub meta: Vec<String>,
    /// What its tree may spend of a unit; may be given again
    #[arg(long, value_name = "UNIT=LIMIT")]
    pub budget: Vec<String>,
    /// Wait until it has ended, as `wait` does
    #[arg(long)]
    pub wait: bool,
}

/// Runs by name or by filter.
#[derive(Args, Debug)]
pub struct Which {
    /// The runs; else those that the filter means
    #[arg(value_name = "RUN")]
    pub runs: Vec<String>,
    /// Or these
    #[command(flatten)]
    pub filter: Filter,
    /// Whether to do it
    #[command(flatten)]
    pub sure: Sure,
}

/// Whether to do what cannot be taken back.
#[derive(Args, Debug)]
pub struct Sure {
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask; needed where there is no terminal to ask on
    #[arg(short, long)]
    pub yes: bool,
}

/// What can be done to a queue.
#[derive(Subcommand, Debug)]
pub enum Queue {
    /// Set limits; what is not named stays as it is
    #[command(after_help = "Example: swctl app.db queue set mail --concurrency 8 --per-key none")]
    Set {
        /// The queue
        queue: String,
        /// Runs that may be held at once, or `none`
        #[arg(long, value_name = "N")]
        concurrency: Option<String>,
        /// The same of runs with one concurrency key, or `none`
        #[arg(long, value_name = "N")]
        per_key: Option<String>,
    },
    /// Claim nothing from it
    Pause {
        /// The queue
        queue: String,
    },
    /// Let it go on
    Resume {
        /// The queue
        queue: String,
    },
}

/// What can be done to the policy of retention.
#[derive(Subcommand, Debug)]
pub enum Retention {
    /// Set what is named; the rest stays as it is
    Set {
        /// What holds
        #[command(flatten)]
        rule: Rule,
        /// For the runs of this workflow alone
        #[arg(long)]
        workflow: Option<String>,
        /// Whether to do it
        #[command(flatten)]
        sure: Sure,
    },
    /// End it: what has ended stays until it is pruned
    Off {
        /// Whether to do it
        #[command(flatten)]
        sure: Sure,
    },
}

impl Retention {
    /// Whether to do it.
    pub fn sure(&self) -> &Sure {
        match self {
            Retention::Set { sure, .. } | Retention::Off { sure } => sure,
        }
    }
}

/// A rule of the policy.
#[derive(Args, Debug)]
pub struct Rule {
    /// Completed runs stay so long, or `none`: for ever
    #[arg(long, value_name = "DURATION")]
    pub completed: Option<String>,
    /// Failed ones
    #[arg(long, value_name = "DURATION")]
    pub failed: Option<String>,
    /// Cancelled ones
    #[arg(long, value_name = "DURATION")]
    pub cancelled: Option<String>,
    /// So many of the newest of each workflow stay, whatever their age, or `none`
    #[arg(long, value_name = "N")]
    pub keep_newest: Option<String>,
}
