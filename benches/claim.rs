//! Does a claim cost more when more runs are pending and finished, when more workflows and code versions
//! were ever used, when more runs stand behind a concurrency key?
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
    lanes(folder.path());
    gates(folder.path());
}

/// Lanes, each of a workflow and a code version of its own: drained, or with a run that is not asked for.
fn lanes(folder: &Path) {
    let count = 20_000;
    let hosts = [("few", 0, false), ("drained", count, false), ("ready", count, true)].map(
        |(name, count, is_ready)| {
            let host = Host::open_with(&folder.join(format!("lanes-{name}.db")), support::PROCESS);
            let item =
                |n| format!("{{\"workflow\":\"w{n}\",\"code_version\":\"v{n}\",\"priority\":1}}");
            let items: Vec<String> = (0..count).map(item).collect();
            for part in items.chunks(BATCH) {
                host.submit_list(part);
                if !is_ready {
                    host.claim_many(part.len()).into_iter().for_each(Work::complete);
                }
            }
            (name, host)
        },
    );
    let nothing = |host: Host| {
        rate(|| assert!(host.claim_of(0, Some(c"[\"nothing\"]"), Some(c"[\"nothing\"]")).is_none()))
    };
    let empty = |host: Host| rate(|| assert!(host.claim().is_none()));
    let one = |host: Host, workflow, version| {
        host.submit_list(&["{\"workflow\":\"w\",\"code_version\":\"v\"}".into()]);
        rate(|| host.claim_of(0, workflow, version).unwrap().release())
    };
    let mut contenders = Vec::new();
    for (name, host) in &hosts {
        let label = |what: &str| format!("{what}, 20,000 lanes {name}");
        if *name != "ready" {
            contenders.push(Contender::new(label("empty claim"), || empty(*host)));
        }
        contenders.push(Contender::new(label("claim of other names"), || nothing(*host)));
    }
    race("Claims that find nothing, by lanes", 0, &mut contenders);
    let mut contenders = Vec::new();
    for (name, host) in &hosts {
        let label = |what: &str| format!("{what}, 20,000 lanes {name}");
        for (what, workflow, version) in [
            ("claim and release", None, None),
            ("with a workflow", Some(c"[\"w\"]"), None),
            ("with a version", None, Some(c"[\"v\"]")),
            ("with both", Some(c"[\"w\"]"), Some(c"[\"v\"]")),
        ] {
            contenders.push(Contender::new(label(what), move || {
                let rate = one(*host, workflow, version);
                host.claim_of(0, Some(c"[\"w\"]"), None).unwrap().complete();
                rate
            }));
        }
    }
    race("Claims of one ready run, by lanes", 0, &mut contenders);
    drop(contenders);
    hosts.into_iter().for_each(|(_, host)| host.close());
}

/// Calls for a while; returns how often per second.
fn rate(mut call: impl FnMut()) -> f64 {
    let started = Instant::now();
    let mut calls = 0u32;
    while started.elapsed() < sample_time() {
        call();
        calls += 1;
    }
    f64::from(calls) / started.elapsed().as_secs_f64()
}

/// The first claim of another key behind as many runs of one whose gate is closed, and the next ones.
fn gates(folder: &Path) {
    println!("\nThe first claim of another key, wait_ms 10, busy timeout 100 ms");
    for count in [100, 100_000] {
        let host = Host::open_busy(&folder.join(format!("gates-{count}.db")), 100);
        host.limit_per_key("default", 1);
        let of = |key: &str| format!("{{\"workflow\":\"w\",\"concurrency_key\":\"{key}\"}}");
        let items = vec![of("hot"); count];
        items.chunks(BATCH).for_each(|part| host.submit_list(part));
        let hot = host.claim_within(10).unwrap();
        host.submit_list(&(0..1_000).map(|n| of(&format!("cold-{n}"))).collect::<Vec<_>>());
        let started = Instant::now();
        let first = host.claim_within(10);
        let took = started.elapsed();
        assert!(first.is_some(), "a ready run behind {count} held back was not found");
        let mut next: Vec<u64> = (0..999)
            .map(|_| {
                let started = Instant::now();
                host.claim_within(10).unwrap();
                started.elapsed().as_nanos() as u64
            })
            .collect();
        println!("  behind {count}: {:.3} ms", took.as_secs_f64() * 1e3);
        support::print_latencies("  the next ones", &mut next);
        hot.complete();
        host.close();
    }
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
