//! Runs through the queue, one by one and in batches of a hundred. Submit, claim and complete are three
//! commits and three syncs, so the ceiling of one worker is a third of R. Its floor are three commits with
//! the rows and index entries that a store has of a run; of eight workers, three commits for eight runs.

use std::time::{Duration, Instant};

use crate::driver::Unit::PerSecond;
use crate::driver::Wanted::{AtLeast, RatioAtLeast};
use crate::driver::{Bed, Contender, rate, sample_time};
use crate::host::{Host, POWER, Work};
use crate::{floor, raw};

/// Runs in a batch.
const MANY: usize = 100;

pub fn run(bed: &Bed) {
    let mut raw = raw::Rows::new(&bed.at("full.db"), "FULL");
    let by_hand = raw::Tasks::new(&bed.at("tasks.db"));
    let [mut rows, mut rows_of_8] =
        [1, 8].map(|count| floor::Queue::new(&bed.at(&format!("rows-{count}.db")), count));
    let [one, eight, many, batches] = ["one.db", "eight.db", "many.db", "batches.db"]
        .map(|name| Host::open(&bed.at(name), POWER));
    let loops = |count: u32| format!("submit + claim + complete, {count} worker(s)");
    bed.race(vec![
        Contender::new("raw-full", "R: raw loop, FULL", PerSecond, || raw.rate()),
        Contender::new("raw-tasks-1", "raw queue of 3 commits, 1 worker", PerSecond, || {
            by_hand.rate(1)
        })
        .of("raw-full"),
        Contender::new("raw-tasks-8", "the same, 8 workers, a mutex", PerSecond, || {
            by_hand.rate(8)
        })
        .of("raw-full"),
        Contender::new("raw-rows-1", "the rows of a run, 3 commits", PerSecond, || rows.rate())
            .of("raw-full"),
        Contender::new("raw-rows-8", "the rows of 8 runs, 3 commits", PerSecond, || {
            rows_of_8.rate()
        })
        .of("raw-full"),
        Contender::new("loop-1", loops(1), PerSecond, || workers(one, 1))
            .of("raw-full")
            .floor("raw-rows-1")
            .wanted(RatioAtLeast(0.30)),
        Contender::new("loop-8", loops(8), PerSecond, || workers(eight, 8))
            .of("raw-tasks-8")
            .floor("raw-rows-8")
            .wanted(RatioAtLeast(4.0)),
        Contender::new("submit-many", "submit_many of 100, runs", PerSecond, || {
            rate(|| many.submit_many(MANY)) * MANY as f64
        })
        .of("raw-full")
        .wanted(AtLeast(60_000.0)),
        Contender::new("claim-many", "claim_many of 100, runs", PerSecond, || claims(batches))
            .of("raw-full")
            .wanted(AtLeast(20_000.0)),
    ]);
    [one, eight, many, batches].into_iter().for_each(Host::close);
}

/// Runs per second of so many workers, of which each submits what one of them claims.
pub fn workers(host: Host, count: usize) -> f64 {
    let started = Instant::now();
    let done: u32 = std::thread::scope(|scope| {
        let works: Vec<_> =
            (0..count).map(|_| scope.spawn(move || worker(host, started))).collect();
        works.into_iter().map(|work| work.join().unwrap()).sum()
    });
    f64::from(done) / started.elapsed().as_secs_f64()
}

fn worker(host: Host, started: Instant) -> u32 {
    let mut done = 0;
    while started.elapsed() < sample_time() {
        host.submit("null");
        // What another one submitted is as good: there are as many runs as workers that look.
        host.claim_within(10_000).unwrap().complete();
        done += 1;
    }
    done
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
