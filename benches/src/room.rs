//! Disk and memory: what a step leaves, what is resident, how large the library is.

use std::path::Path;
use std::process::Command;

use crate::driver::Unit::{Bytes, Mb};
use crate::driver::Wanted::AtMost;
use crate::driver::{Bed, Contender};
use crate::host::{Host, PROCESS, Work, result_of};
use crate::library::path;
use crate::process::Process;
use crate::raw;

/// Steps whose room is looked at.
const STEPS: usize = 10_000;
/// Runs that are held, or that wait.
const ATTEMPTS: usize = 1_000;
const WAITING: usize = 10_000;

pub fn run(bed: &Bed) {
    // So that no figure has the making of the file in it.
    Host::open(&bed.at("idle.db"), PROCESS).close();
    bed.race(vec![
        Contender::new("raw-row", "file per raw row of 200 bytes", Bytes, || raw_row(bed)).once(),
        Contender::new("step", "file per step, 200-byte result, one run", Bytes, || steps(bed, 1))
            .of("raw-row")
            .wanted(AtMost(400.0))
            .once(),
        Contender::new("step-64", "the same, 64 runs side by side", Bytes, || steps(bed, 64))
            .of("raw-row")
            .wanted(AtMost(400.0))
            .once(),
        Contender::new("library", "shared library, stripped", Mb, || library_mb(bed))
            .wanted(AtMost(3.0))
            .once(),
        Contender::new("idle", "resident: the library and an open store", Mb, || {
            resident("idle", &bed.at("idle.db"), 0) / 1e6
        })
        .wanted(AtMost(4.0)),
        Contender::new("attempt", "resident per open attempt", Bytes, || {
            let path = bed.at("attempts.db");
            resident("attempts", &path, ATTEMPTS as u32) / ATTEMPTS as f64
        })
        .wanted(AtMost(4_096.0)),
        Contender::new("waiting", "resident per run that waits", Bytes, || waiting(bed))
            // Nothing, to within a few pages of the machine over all of them.
            .wanted(AtMost(16.0)),
    ]);
}

fn size(path: &Path) -> f64 {
    std::fs::metadata(path).unwrap().len() as f64
}

fn raw_row(bed: &Bed) -> f64 {
    let path = bed.at("raw-room.db");
    let mut rows = raw::Rows::of(&path, "NORMAL", 200);
    (0..STEPS).for_each(|_| rows.add());
    // The last connection checkpoints as it closes.
    drop(rows);
    size(&path) / STEPS as f64
}

/// Steps in turn over so many runs, which are held meanwhile.
fn steps(bed: &Bed, runs: usize) -> f64 {
    let path = bed.at(&format!("steps-{runs}.db"));
    let host = Host::open(&path, PROCESS);
    let works: Vec<Work> = (0..runs).map(|_| host.begin()).collect();
    host.close();
    drop(works);
    let before = size(&path);
    let host = Host::open(&path, PROCESS);
    let works: Vec<Work> = (0..runs).map(|_| host.claim_within(10_000).unwrap()).collect();
    let result = result_of(200);
    for step in 0..STEPS {
        works[step % runs].do_step(&format!("step-{}", step / runs), &result, PROCESS);
    }
    works.into_iter().for_each(Work::release);
    host.close();
    (size(&path) - before) / STEPS as f64
}

fn library_mb(bed: &Bed) -> f64 {
    let stripped = bed.at("stripped.so");
    let strip = Command::new("strip").arg("-o").arg(&stripped).arg(path()).status();
    assert!(strip.is_ok_and(|it| it.success()), "strip, of binutils, is needed for room/library");
    size(&stripped) / 1e6
}

/// What a process says that it holds.
fn resident(role: &str, path: &Path, number: u32) -> f64 {
    let mut process = Process::start(role, path, number);
    let bytes = process.line().parse().unwrap();
    process.end();
    bytes
}

/// An open store beside one of which so many runs wait.
fn waiting(bed: &Bed) -> f64 {
    let path = bed.at("waiting.db");
    if !path.exists() {
        let host = Host::open(&path, PROCESS);
        host.submit_many(WAITING);
        while let Some(work) = host.claim() {
            work.sleep();
        }
        host.close();
    }
    let without = resident("idle", &bed.at("idle.db"), 0);
    (resident("idle", &path, 0) - without) / WAITING as f64
}

// ---- In the other process ----------------------------------------------------------------------

/// Bytes of this process that lie in memory.
fn resident_here() -> f64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0
}

/// The library, loaded, and an open store.
pub fn idle(path: &Path) -> f64 {
    let before = resident_here();
    let host = Host::open(path, PROCESS);
    let bytes = resident_here() - before;
    host.close();
    bytes
}

/// So many attempts, once caches are warm; one after the other, as what they free would be used again.
pub fn attempts(path: &Path, count: u32) -> f64 {
    let host = Host::open(path, PROCESS);
    let mut held = Vec::with_capacity(count as usize);
    for _ in 0..3 * count {
        host.begin().complete();
    }
    let before = resident_here();
    held.extend((0..count).map(|_| host.begin()));
    let bytes = resident_here() - before;
    held.into_iter().for_each(Work::complete);
    host.close();
    bytes
}
