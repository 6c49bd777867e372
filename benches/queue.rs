//! How many runs go through the queue, one by one and in batches of a hundred?
//!
//! `cargo bench --bench queue`. Submit, claim and complete are three commits and three syncs, so the
//! ceiling of one worker is a third of R, the raw loop with synchronous=FULL.

#![allow(unsafe_code, reason = "the benches call the library as a C host does")]
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

mod support;

use std::time::{Duration, Instant};

use support::{Contender, Host, POWER, Raw, Work, race, sample_time};

/// Runs in a batch.
const MANY: usize = 100;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut raw = Raw::new(&at("full.db"), "FULL");
    let one = Host::open_with(&at("one.db"), POWER);
    let many = Host::open_with(&at("many.db"), POWER);
    let batches = Host::open_with(&at("batches.db"), POWER);
    let mut contenders = vec![
        Contender::new("R: raw loop, FULL, 1 thread", || raw.rate()),
        Contender::new("submit + claim + complete, 1 worker", || one_by_one(one)),
        Contender::new("submit_many of 100, runs", || submits(many)),
        Contender::new("claim_many of 100, runs", || claims(batches)),
    ];
    race("Runs through the queue, POWER", 0, &mut contenders);
    drop(contenders);
    [one, many, batches].into_iter().for_each(Host::close);
}

fn one_by_one(host: Host) -> f64 {
    let started = Instant::now();
    let mut done = 0u32;
    while started.elapsed() < sample_time() {
        host.submit("null");
        host.claim().unwrap().complete();
        done += 1;
    }
    f64::from(done) / started.elapsed().as_secs_f64()
}

fn submits(host: Host) -> f64 {
    let started = Instant::now();
    let mut done = 0;
    while started.elapsed() < sample_time() {
        host.submit_many(MANY);
        done += MANY;
    }
    done as f64 / started.elapsed().as_secs_f64()
}

/// The claims alone are timed: the runs are submitted before and completed after.
fn claims(host: Host) -> f64 {
    let (mut done, mut spent) = (0, Duration::ZERO);
    while spent < sample_time() {
        host.submit_many(MANY * 10);
        let mut held: Vec<Work> = Vec::new();
        let started = Instant::now();
        for _ in 0..10 {
            held.extend(host.claim_many(MANY));
        }
        spent += started.elapsed();
        done += held.len();
        std::thread::scope(|scope| {
            for part in held.chunks(50) {
                scope.spawn(move || part.iter().for_each(|work| work.complete()));
            }
        });
    }
    done as f64 / spent.as_secs_f64()
}
