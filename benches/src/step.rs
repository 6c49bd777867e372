//! One durable step, begun and completed, with a result of 200 bytes: alone, in threads, in processes.

use std::path::Path;
use std::time::Instant;

use crate::driver::Unit::{Milliseconds, PerSecond, Ratio};
use crate::driver::Wanted::{AtLeast, AtMost, RatioAtLeast};
use crate::driver::{Bed, Contender, percentile, sample_time, spread};
use crate::host::{Host, POWER, PROCESS, Work, result_of};
use crate::process::Process;
use crate::raw;

pub fn run(bed: &Bed) {
    let mut pages = raw::Pages::new(&bed.at("pages"));
    let mut full = raw::Rows::new(&bed.at("full.db"), "FULL");
    let mut normal = raw::Rows::new(&bed.at("normal.db"), "NORMAL");
    let host = Host::open(&bed.at("steps.db"), POWER);
    let power = |count: u32, least: f64| {
        let name = format!("power-{count}");
        let what = format!("step, POWER, {count} thread{}", if count == 1 { "" } else { "s" });
        Contender::many(&name, &what, PerSecond, move || {
            let told = threads(host, count, POWER);
            vec![told.rate, told.p99_ms]
        })
        .of("raw-full")
        .wanted(RatioAtLeast(least))
        .and(format!("{name}-p99"), format!("{what}: p99"), Milliseconds)
    };
    bed.race(vec![
        Contender::new("raw-sync", "4 KiB in place and fdatasync", PerSecond, || pages.rate()),
        Contender::new("raw-full", "R: raw loop, FULL", PerSecond, || full.rate()),
        Contender::new("raw-normal", "RN: raw loop, NORMAL", PerSecond, || normal.rate()),
        power(1, 0.95),
        power(8, 3.5),
        power(64, 9.0).wanted(AtMost(12.0)),
        Contender::new("process-1", "step, PROCESS, 1 thread", PerSecond, || {
            threads(host, 1, PROCESS).rate
        })
        .of("raw-normal")
        .wanted(RatioAtLeast(0.95)),
        Contender::new("process-8", "step, PROCESS, 8 threads", PerSecond, || {
            threads(host, 8, PROCESS).rate
        })
        .of("raw-normal"),
        side_by_side(bed, 1, 1.6),
        side_by_side(bed, 16, 7.0),
    ]);
    host.close();
}

/// Four processes on one file.
fn side_by_side<'run>(bed: &'run Bed, threads: u32, least: f64) -> Contender<'run> {
    let path = bed.at(&format!("processes-{threads}.db"));
    let name = format!("processes-4x{threads}");
    let what = format!("step, POWER, 4 processes x {threads}");
    Contender::many(&name, format!("{what}, sum"), PerSecond, move || {
        let told = processes(&path, 4, threads);
        vec![told.sum, told.evenness, told.p999_ms]
    })
    .of("raw-full")
    .wanted(RatioAtLeast(least))
    .and(format!("{name}-even"), format!("{what}, slowest / fastest"), Ratio)
    .wanted(AtLeast(0.9))
    .and(format!("{name}-p999"), format!("{what}, p99.9"), Milliseconds)
    .wanted(AtMost(20.0))
}

pub struct Told {
    pub rate: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
}

/// Each thread does steps of a run of its own.
pub fn threads(host: Host, count: u32, durability: u32) -> Told {
    let result = result_of(200);
    threads_of(host, count, durability, &result)
}

pub fn threads_of(host: Host, count: u32, durability: u32, result: &str) -> Told {
    let works: Vec<Work> = (0..count).map(|_| host.begin()).collect();
    let started = Instant::now();
    let mut times: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = works
            .iter()
            .map(|work| scope.spawn(move || steps(*work, durability, started, result)))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let rate = times.len() as f64 / started.elapsed().as_secs_f64();
    works.into_iter().for_each(Work::complete);
    let [p99_ms, p999_ms] = [0.99, 0.999].map(|share| percentile(&mut times, share) / 1e6);
    Told { rate, p99_ms, p999_ms }
}

/// Returns how long each took.
fn steps(work: Work, durability: u32, started: Instant, result: &str) -> Vec<u64> {
    let mut times = Vec::new();
    while started.elapsed() < sample_time() {
        let before = Instant::now();
        work.do_step(&format!("step-{}", times.len()), result, durability);
        times.push(before.elapsed().as_nanos() as u64);
    }
    times
}

pub struct Sum {
    pub sum: f64,
    /// The slowest of the fastest.
    pub evenness: f64,
    /// Of the process that had the longest.
    pub p999_ms: f64,
}

/// The same in processes that begin together.
pub fn processes(path: &Path, count: usize, threads: u32) -> Sum {
    Host::open(path, POWER).close();
    let mut all: Vec<Process> =
        (0..count).map(|_| Process::start("steps", path, threads)).collect();
    all.iter_mut().for_each(Process::go);
    let told: Vec<Vec<f64>> = all.iter_mut().map(Process::numbers).collect();
    all.into_iter().for_each(Process::end);
    let rates: Vec<f64> = told.iter().map(|numbers| numbers[0]).collect();
    let (least, _, most) = spread(&rates);
    let p999_ms = told.iter().map(|numbers| numbers[2]).fold(0.0, f64::max);
    Sum { sum: rates.iter().sum(), evenness: least / most, p999_ms }
}
