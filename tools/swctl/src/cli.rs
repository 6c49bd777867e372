//! What may be typed: commands, their options and their help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Looks at a smolwf store, and acts on it.
///
/// Lookers open the file read-only and never make it. A table is for a terminal; in a pipe the same
/// columns come tab-separated, whole and without headings, and --json gives the library's own document.
#[derive(Parser, Debug)]
#[command(name = "swctl", disable_version_flag = true, subcommand_value_name = "COMMAND")]
#[command(override_usage = "swctl FILE COMMAND [OPTIONS]", after_help = AFTER)]
pub struct Cli {
    /// The store's file
    pub file: Option<PathBuf>,
    /// How the answer looks
    #[command(flatten)]
    pub look: Look,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

const AFTER: &str = "\
Exit codes: 0 done; 1 the answer is no; 2 usage; 3 not found; 4 the state forbids it; 5 timed out;
6 busy, try again; 7 the wrong file; 8 environment; 70 a defect; 128+n ended by signal n.";

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

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// List queues: limits, what stands in them, when something was last claimed
    #[command(after_help = "\
Columns: queue, state, running, limit, limit per key, ready, delayed, waiting, blocked, since when the
oldest is ready, last claim.")]
    Queues,
    /// List owners: the processes that have claimed, and whether they live
    #[command(after_help = "\
Columns: owner, pid, process, running, since when it holds the oldest, first claim.")]
    Owners,
}
