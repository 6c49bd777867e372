//! Does a claim cost more when more runs are pending and finished?
//!
//! `cargo bench --bench claim`. One file a size, with as many finished runs as pending ones; the sizes
//! take turns in each round. A claim is one commit and one sync, so PROCESS durability shows its own
//! cost, and the raw loop beside it what a commit costs. `SW_BENCH_SIZES=1000,100000` names other sizes.

#![allow(unsafe_code, reason = "the benches call the library as a C host does")]
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

mod support;

use std::path::Path;
use std::time::Instant;

use rusqlite::Connection;
use support::{Contender, Host, Raw, Work, race, sample_time};

/// Runs that a batch submits or finishes.
const BATCH: usize = 10_000;

fn main() {
    let sizes = std::env::var("SW_BENCH_SIZES").unwrap_or_else(|_| "1000,100000,1000000".into());
    let sizes: Vec<usize> = sizes.split(',').map(|size| size.parse().unwrap()).collect();
    let folder = tempfile::tempdir().unwrap();
    let hosts: Vec<Host> = sizes
        .iter()
        .map(|size| {
            let started = Instant::now();
            let path = folder.path().join(format!("{size}.db"));
            let host = fill(&path, *size);
            println!(
                "  {size} pending and {size} finished: {:.1} s",
                started.elapsed().as_secs_f64()
            );
            host
        })
        .collect();
    let mut raw = Raw::new(&folder.path().join("raw.db"), "NORMAL");
    let mut contenders = Vec::new();
    for (host, size) in hosts.iter().zip(&sizes) {
        contenders.push(Contender::new(format!("claim with {size} pending"), || claims(*host)));
    }
    contenders.push(Contender::new("RN: raw loop, NORMAL, 1 thread", || raw.rate()));
    race("Claim, PROCESS durability", 0, &mut contenders);
    drop(contenders);
    hosts.into_iter().for_each(Host::close);
}

/// Claims for a while, or all there is, and gives everything back, which is not timed.
fn claims(host: Host) -> f64 {
    let mut held: Vec<Work> = Vec::new();
    let started = Instant::now();
    while started.elapsed() < sample_time() {
        let Some(work) = host.claim() else { break };
        held.push(work);
    }
    let rate = held.len() as f64 / started.elapsed().as_secs_f64();
    held.into_iter().for_each(Work::release);
    rate
}

/// Makes a store with that many pending runs, over three workflows, and as many finished ones.
fn fill(path: &Path, size: usize) -> Host {
    let host = Host::open_with(path, support::PROCESS);
    let mut left = size;
    while left > 0 {
        let count = left.min(BATCH);
        host.submit_many(count);
        left -= count;
    }
    host.close();
    finished(path, size);
    Host::open_with(path, support::PROCESS)
}

/// Adds finished runs as the library would have left them, without a task.
fn finished(path: &Path, size: usize) {
    let conn = Connection::open(path).unwrap();
    conn.execute(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1)
         INSERT INTO sw_workflow_runs
            (run_id, lane_key, outcome, attempts, tries, created_at_ms, finished_at_ms, priority, result)
         SELECT randomblob(16), 1, 1, 1, 0, n, n, 0, '\"done\"' FROM numbers",
        [size as i64],
    )
    .unwrap();
}
