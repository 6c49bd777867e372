//! What this program does when it is started by itself as another process.

use std::fs::File;
use std::path::Path;

use crate::driver::take_sample_time;
use crate::host::{Host, POWER, PROCESS};
use crate::process::{now_ns, ready};
use crate::raw::Db;
use crate::turn::Turn;
use crate::{driver, floor, room, step};

pub fn run(arguments: &[String]) {
    let [role, path, number, ms] = arguments else { panic!("--child role path number ms") };
    take_sample_time(ms);
    let (path, number) = (Path::new(path), number.parse().unwrap());
    match role.as_str() {
        "steps" => steps(path, number),
        "rows" => rows(path, i64::from(number)),
        "claim" => claim(path),
        "hold" => hold(path),
        "idle" => println!("{}", room::idle(path)),
        "attempts" => println!("{}", room::attempts(path, number)),
        _ => panic!("no role {role}"),
    }
}

/// Does steps in as many threads: how many per second, and two percentiles in milliseconds.
fn steps(path: &Path, threads: u32) {
    let host = Host::open(path, POWER);
    ready();
    let told = step::threads(host, threads, POWER);
    println!("{} {} {}", told.rate, told.p99_ms, told.p999_ms);
    host.close();
}

/// Writes the rows of as many steps in each commit, in turn with others: how many per second.
fn rows(path: &Path, runs: i64) {
    let mut steps = floor::Steps::beside_others(Db::open(path, "NORMAL"), runs);
    let log = File::open(path.with_extension("db-wal")).unwrap();
    let turn = Turn::join(&path.with_extension("turn"));
    ready();
    println!("{}", driver::rate(|| turn.write(&log, || steps.add())) * runs as f64);
}

/// Waits for runs, and says when it had each.
fn claim(path: &Path) {
    let host = Host::open(path, POWER);
    ready();
    loop {
        let Some(work) = host.claim_within(-1) else { continue };
        println!("{}", now_ns());
        work.complete();
    }
}

/// Claims a run and holds it until it is killed.
fn hold(path: &Path) {
    let host = Host::open(path, PROCESS);
    let _held = host.claim_within(10_000).unwrap();
    println!("held");
    loop {
        std::thread::park();
    }
}
