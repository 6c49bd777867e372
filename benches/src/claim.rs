//! Does a claim cost more where more runs are pending and finished, where more workflows and code versions
//! were ever used, where more runs stand behind a concurrency key? With PROCESS durability, which shows its
//! own cost and not the sync's.

use std::ffi::CStr;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::driver::Unit::{Microseconds, Milliseconds};
use crate::driver::Wanted::{AtMost, RatioAtMost};
use crate::driver::{Bed, Contender, cost_us, percentile, sample_time};
use crate::host::{Host, PROCESS, Work};
use crate::raw;

/// Runs that a batch submits or finishes.
const BATCH: usize = 10_000;

pub fn run(bed: &Bed) {
    let mut raw = raw::Rows::new(&bed.at("raw.db"), "NORMAL");
    let few = fill(&bed.at("few.db"), 1_000);
    let many = fill(&bed.at("many.db"), 1_000_000);
    bed.race(vec![
        Contender::new("raw-normal", "1 / RN: raw loop, NORMAL", Microseconds, || {
            cost_us(|| raw.add())
        }),
        Contender::new("of-1e3", "claim of 1e3 pending, 1e3 finished", Microseconds, || {
            claims(few)
        })
        .of("raw-normal"),
        Contender::new("of-1e6", "claim of 1e6 pending, 1e6 finished", Microseconds, || {
            claims(many)
        })
        .of("of-1e3")
        .wanted(RatioAtMost(1.2)),
    ]);
    [few, many].into_iter().for_each(Host::close);
}

/// Claims for a while, or all there is, and gives everything back, which is not timed.
pub fn claims(host: Host) -> f64 {
    let (mut done, mut spent) = (0_u32, Duration::ZERO);
    while spent < sample_time() {
        let mut held: Vec<Work> = Vec::new();
        let started = Instant::now();
        while held.len() < 900 {
            held.push(host.claim().unwrap());
        }
        spent += started.elapsed();
        done += held.len() as u32;
        held.into_iter().for_each(Work::release);
    }
    spent.as_secs_f64() / f64::from(done) * 1e6
}

/// Makes a store with that many pending runs, over three workflows, and as many finished ones.
pub fn fill(path: &Path, size: usize) -> Host {
    let host = Host::open(path, PROCESS);
    let mut left = size;
    while left > 0 {
        let count = left.min(BATCH);
        host.submit_many(count);
        left -= count;
    }
    host.close();
    finished(path, size);
    Host::open(path, PROCESS)
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

/// Lanes, each of a workflow and a code version of its own: few, drained, or with a run not asked for.
pub fn lanes(bed: &Bed) {
    let hosts = [("few", 0, false), ("drained", 20_000, false), ("ready", 20_000, true)].map(
        |(name, count, is_ready)| {
            let path = bed.at(&format!("lanes-{name}.db"));
            (name, with_lanes(&path, count, is_ready))
        },
    );
    let mut made = Vec::new();
    for (name, host) in hosts {
        if name != "ready" {
            made.push(of_lanes("empty claim", "empty", name, move || {
                cost_us(|| assert!(host.claim().is_none()))
            }));
        }
        made.push(of_lanes("claim of other names", "other", name, move || {
            let other = Some(c"[\"nothing\"]");
            cost_us(|| assert!(host.claim_of(0, other, other).is_none()))
        }));
    }
    // What follows leaves lanes behind, and so comes after.
    bed.race(made);
    let mut made = Vec::new();
    for (name, host) in hosts {
        for (what, short, workflow, version) in [
            ("claim and release", "plain", None, None),
            ("with a workflow", "workflow", Some(c"[\"w\"]"), None),
            ("with a version", "version", None, Some(c"[\"v\"]")),
            ("with both", "both", Some(c"[\"w\"]"), Some(c"[\"v\"]")),
        ] {
            made.push(of_lanes(what, short, name, move || one_ready(host, workflow, version)));
        }
    }
    bed.race(made);
    hosts.into_iter().for_each(|(_, host)| host.close());
}

fn of_lanes<'run>(
    what: &str,
    short: &str,
    lanes: &str,
    sample: impl FnMut() -> f64 + 'run,
) -> Contender<'run> {
    let what = format!(
        "{what}, {}",
        match lanes {
            "few" => "one lane".to_owned(),
            _ => format!("20,000 lanes {lanes}"),
        }
    );
    let row = Contender::new(format!("{short}-{lanes}"), what, Microseconds, sample);
    if lanes == "few" { row } else { row.of(format!("{short}-few")) }
}

/// Claims the only run that is asked for, and gives it back, again and again.
fn one_ready(host: Host, workflow: Option<&CStr>, version: Option<&CStr>) -> f64 {
    host.submit_list(&["{\"workflow\":\"w\",\"code_version\":\"v\"}".into()]);
    let cost = cost_us(|| host.claim_of(0, workflow, version).unwrap().release());
    host.claim_of(0, Some(c"[\"w\"]"), None).unwrap().complete();
    cost
}

fn with_lanes(path: &Path, count: usize, is_ready: bool) -> Host {
    let host = Host::open(path, PROCESS);
    let item = |n| format!("{{\"workflow\":\"w{n}\",\"code_version\":\"v{n}\",\"priority\":1}}");
    let items: Vec<String> = (0..count).map(item).collect();
    for part in items.chunks(BATCH) {
        host.submit_list(part);
        if !is_ready {
            host.claim_many(part.len()).into_iter().for_each(Work::complete);
        }
    }
    host
}

/// The first claim of another key behind as many runs of one whose gate is closed, and the next ones.
pub fn gates(bed: &Bed) {
    let gate = |count: usize| {
        let what = format!("claim of another key, {count} held back");
        Contender::many(
            format!("first-{count}"),
            format!("first {what}"),
            Milliseconds,
            move || behind(&bed.at(&format!("gates-{count}.db")), count),
        )
        .wanted(AtMost(10.0))
        .and(format!("next-{count}-p99"), format!("next {what}: p99"), Milliseconds)
        .once()
    };
    bed.race(vec![gate(100), gate(100_000)]);
}

fn behind(path: &Path, count: usize) -> Vec<f64> {
    let host = Host::open_busy(path, PROCESS, 100);
    host.limit_per_key(c"default", 1);
    let of = |key: &str| format!("{{\"workflow\":\"w\",\"concurrency_key\":\"{key}\"}}");
    vec![of("hot"); count].chunks(BATCH).for_each(|part| host.submit_list(part));
    let hot = host.claim_within(10).unwrap();
    host.submit_list(&(0..1_000).map(|n| of(&format!("cold-{n}"))).collect::<Vec<_>>());
    let mut times: Vec<u64> = (0..1_000)
        .map(|_| {
            let started = Instant::now();
            assert!(host.claim_within(10).is_some(), "a ready run behind {count} was not found");
            started.elapsed().as_nanos() as u64
        })
        .collect();
    let first_ms = times[0] as f64 / 1e6;
    hot.complete();
    host.close();
    vec![first_ms, percentile(&mut times[1..], 0.99) / 1e6]
}
