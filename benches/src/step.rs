//! One durable step, begun and completed, with a result of 200 bytes: alone, in threads, in processes. Its
//! floor is the same row with its unique index; of many threads at once, as many rows in one commit; of many
//! processes, the same in turn with a shared sync.

use std::path::Path;
use std::time::Instant;

use crate::driver::Unit::{Milliseconds, PerSecond, Ratio};
use crate::driver::Wanted::{AtLeast, AtMost, RatioAtLeast};
use crate::driver::{Bed, Contender, percentile, sample_time, spread};
use crate::host::{Host, POWER, PROCESS, Work, result_of};
use crate::process::Process;
use crate::turn::Turn;
use crate::{floor, raw};

pub fn run(bed: &Bed) {
    let host = Host::open(&bed.at("steps.db"), POWER);
    let mut all = limits(bed);
    all.extend(floors(bed));
    all.extend([
        power(host, 1, 0.95),
        power(host, 8, 3.5),
        power(host, 64, 9.0).wanted(AtMost(12.0)),
        process(host, 1).floor("raw-two-trees-normal").wanted(RatioAtLeast(0.95)),
        process(host, 8).floor("raw-two-trees-normal"),
        in_turn(bed, 1),
        in_turn(bed, 16),
        side_by_side(bed, 1, 1.6),
        side_by_side(bed, 16, 7.0),
    ]);
    bed.race(all);
    host.close();
}

/// What the disk and a lone raw loop do.
fn limits(bed: &Bed) -> Vec<Contender<'static>> {
    let mut pages = raw::Pages::new(&bed.at("pages"));
    let mut full = raw::Rows::new(&bed.at("full.db"), "FULL");
    let mut normal = raw::Rows::new(&bed.at("normal.db"), "NORMAL");
    vec![
        Contender::new("raw-sync", "4 KiB in place and fdatasync", PerSecond, move || pages.rate()),
        Contender::new("raw-full", "R: raw loop, FULL", PerSecond, move || full.rate()),
        Contender::new("raw-normal", "RN: raw loop, NORMAL", PerSecond, move || normal.rate()),
    ]
}

/// The rows of steps, in two trees as a store has them and in one, by how many share a commit.
fn floors(bed: &Bed) -> Vec<Contender<'static>> {
    let mut made = Vec::new();
    for (end, synchronous, runs) in
        [("", "FULL", 1), ("-normal", "NORMAL", 1), ("-8", "FULL", 8), ("-64", "FULL", 64)]
    {
        let many = if runs == 1 { String::new() } else { format!(", {runs} in a commit") };
        let (two, one) = (format!("raw-two-trees{end}"), format!("raw-one-tree{end}"));
        let limit = format!("raw-{}", if end == "-normal" { "normal" } else { "full" });
        let mut trees = floor::Steps::two_trees(&bed.at(&two), synchronous, runs);
        let what = format!("row + unique index, {synchronous}{many}");
        made.push(Contender::new(&two, what, PerSecond, move || trees.rate()).of(&limit));
        let mut tree = floor::Steps::one_tree(&bed.at(&one), synchronous, runs);
        let what = format!("row clustered by run, {synchronous}{many}");
        made.push(Contender::new(&one, what, PerSecond, move || tree.rate()).of(&two));
    }
    made
}

fn power(host: Host, count: u32, least: f64) -> Contender<'static> {
    let name = format!("power-{count}");
    let what = format!("step, POWER, {count} thread{}", if count == 1 { "" } else { "s" });
    let floor = if count == 1 { String::new() } else { format!("-{count}") };
    Contender::many(&name, &what, PerSecond, move || {
        let told = threads(host, count, POWER);
        vec![told.rate, told.p99_ms]
    })
    .of("raw-full")
    .floor(format!("raw-two-trees{floor}"))
    .wanted(RatioAtLeast(least))
    .and(format!("{name}-p99"), format!("{what}: p99"), Milliseconds)
}

fn process(host: Host, count: u32) -> Contender<'static> {
    let what = format!("step, PROCESS, {count} thread{}", if count == 1 { "" } else { "s" });
    Contender::new(format!("process-{count}"), what, PerSecond, move || {
        threads(host, count, PROCESS).rate
    })
    .of("raw-normal")
}

/// The rows of steps in four processes on one file, so many in a commit.
fn in_turn(bed: &Bed, runs: u32) -> Contender<'static> {
    let path = bed.at(&format!("turns-{runs}.db"));
    floor::make_two_trees(&path);
    Turn::make(&path.with_extension("turn"));
    // Held, so that the log stays.
    let held = raw::Db::open(&path, "NORMAL");
    let what = format!("row + unique index, 4 processes, {runs} in a commit");
    Contender::new(format!("raw-turns-4x{runs}"), what, PerSecond, move || {
        let _held = &held;
        together("rows", &path, 4, runs).iter().map(|numbers| numbers[0]).sum()
    })
    .of("raw-full")
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
    .floor(format!("raw-turns-4x{threads}"))
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
    let result = &result_of(200);
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
    let told = together("steps", path, count, threads);
    let rates: Vec<f64> = told.iter().map(|numbers| numbers[0]).collect();
    let (least, _, most) = spread(&rates);
    let p999_ms = told.iter().map(|numbers| numbers[2]).fold(0.0, f64::max);
    Sum { sum: rates.iter().sum(), evenness: least / most, p999_ms }
}

/// What processes tell that begin together.
fn together(role: &str, path: &Path, count: usize, number: u32) -> Vec<Vec<f64>> {
    let mut all: Vec<Process> = (0..count).map(|_| Process::start(role, path, number)).collect();
    all.iter_mut().for_each(Process::go);
    let told = all.iter_mut().map(Process::numbers).collect();
    all.into_iter().for_each(Process::end);
    told
}
