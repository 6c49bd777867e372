//! How fast the shared library is, beside the limits of the machine it runs on: one table, and the same in JSON.
//!
//! `make bench`; `make bench ROWS=step,open/fresh` are the rows whose names begin so. A plan is some contenders
//! that take turns in each round, so that what disturbs one disturbs all; a ratio is taken within its round,
//! and of the rounds the median. Each row says what it is, what it is held against, and what is wanted of it;
//! some have a floor too, a loop of SQLite that writes the same rows, in as many commits, and does nothing else.
//!
//! SW_BENCH_ROUNDS is 5, SW_BENCH_MS, the length of one sample, 1000. SMOLWF_LIBRARY names the library. Files
//! lie below TMPDIR, which must be on the disk that is meant. `--json` names the file for the figures.

mod absurd;
mod budget;
mod call;
mod child;
mod claim;
mod curve;
mod driver;
mod far;
mod filled;
mod floor;
mod host;
mod library;
mod look;
mod open;
mod pending;
mod pgbench;
mod process;
mod queue;
mod raw;
mod replay;
mod retention;
mod room;
mod row;
mod schema;
mod server;
mod step;
mod table;
mod turn;
mod wake;
mod wire;

use std::path::PathBuf;

use driver::{Bench, Plan};

/// In the order of the table.
const PLANS: [Plan; 16] = [
    Plan { name: "step", share: 1.0, run: step::run },
    Plan { name: "replay", share: 1.0, run: replay::run },
    Plan { name: "queue", share: 1.0, run: queue::run },
    Plan { name: "claim", share: 1.0, run: claim::run },
    Plan { name: "lanes", share: 0.2, run: claim::lanes },
    Plan { name: "gates", share: 0.2, run: claim::gates },
    Plan { name: "wake", share: 1.0, run: wake::run },
    Plan { name: "open", share: 1.0, run: open::run },
    Plan { name: "call", share: 0.3, run: call::run },
    Plan { name: "budget", share: 0.5, run: budget::run },
    Plan { name: "room", share: 1.0, run: room::run },
    Plan { name: "list", share: 0.1, run: look::lists },
    Plan { name: "look", share: 0.1, run: look::run },
    Plan { name: "retention", share: 1.0, run: retention::run },
    Plan { name: "curve", share: 0.5, run: curve::run },
    Plan { name: "server", share: 1.0, run: server::run },
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == "--child") {
        return child::run(&arguments[1..]);
    }
    let (mut json, mut rows) = (None, Vec::new());
    let mut left = arguments.into_iter();
    while let Some(argument) = left.next() {
        match argument.as_str() {
            // Given by `cargo bench` and the like.
            "--bench" => {}
            "--json" => json = left.next().map(PathBuf::from),
            _ => rows.extend(argument.split(',').map(str::to_owned)),
        }
    }
    rows.retain(|row| !row.is_empty());
    let mut bench = Bench::new(rows, json);
    for plan in &PLANS {
        bench.run(plan);
    }
    bench.end();
}
