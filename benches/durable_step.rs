//! How fast is one durable step (begin and complete, a 200-byte result), beside a raw SQLite loop?
//!
//! `cargo bench --bench durable_step`. Contenders take turns in each round; a ratio is taken within
//! its round. R is the raw loop with synchronous=FULL, RN with NORMAL.

#![allow(unsafe_code, reason = "the benches call the library as a C host does")]
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use support::{Contender, Host, POWER, PROCESS, Raw, Work, race, result_200, sample_time};

fn main() {
    if let Ok(path) = std::env::var("SW_BENCH_CHILD") {
        return child(Path::new(&path));
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut raw_full = Raw::new(&at("full.db"), "FULL");
    let mut raw_normal = Raw::new(&at("normal.db"), "NORMAL");
    let host = Host::open(&at("steps.db"));
    let latencies = std::sync::Mutex::new(Vec::new());
    let mut contenders = vec![
        Contender::new("R: raw loop, FULL, 1 thread", || raw_full.rate()),
        Contender::new("RN: raw loop, NORMAL, 1 thread", || raw_normal.rate()),
        Contender::new("step, POWER, 1 thread", || threads(host, 1, POWER, None)),
        Contender::new("step, PROCESS, 1 thread", || threads(host, 1, PROCESS, None)),
        Contender::new("step, POWER, 8 threads", || threads(host, 8, POWER, None)),
        Contender::new("step, POWER, 64 threads", || threads(host, 64, POWER, Some(&latencies))),
        Contender::new("step, POWER, 4 processes x 1 thread", || processes(&at("p1.db"), 4, 1)),
        Contender::new("step, POWER, 4 processes x 16 threads", || processes(&at("p16.db"), 4, 16)),
    ];
    if let Ok(only) = std::env::var("SW_BENCH_ONLY") {
        let mut at = 0;
        contenders.retain(|contender| {
            at += 1;
            at == 1 || contender.name.contains(&only)
        });
    }
    race("One durable step, 200-byte result", 0, &mut contenders);
    drop(contenders);
    let mut latencies = latencies.into_inner().unwrap();
    if !latencies.is_empty() {
        support::print_latencies("step, POWER, 64 threads: latency", &mut latencies);
    }
    host.close();
}

/// Each thread does steps of a run of its own; returns steps per second of all.
fn threads(
    host: Host,
    count: u32,
    durability: u32,
    latencies: Option<&std::sync::Mutex<Vec<u64>>>,
) -> f64 {
    let works: Vec<Work> = (0..count).map(|_| host.begin()).collect();
    let done = AtomicU64::new(0);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for work in &works {
            let done = &done;
            scope.spawn(move || {
                let mut mine = Vec::new();
                done.fetch_add(steps(*work, durability, started, &mut mine), Ordering::Relaxed);
                if let Some(latencies) = latencies {
                    latencies.lock().unwrap().extend(mine);
                }
            });
        }
    });
    let rate = done.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64();
    works.into_iter().for_each(Work::complete);
    rate
}

fn steps(work: Work, durability: u32, started: Instant, latencies: &mut Vec<u64>) -> u64 {
    let result = result_200();
    let mut done = 0;
    while started.elapsed() < sample_time() {
        let before = Instant::now();
        work.do_step(&format!("step-{done}"), &result, durability);
        latencies.push(before.elapsed().as_nanos() as u64);
        done += 1;
    }
    done
}

/// The same from several processes on one file; each prints its rate.
fn processes(path: &Path, count: usize, threads: u32) -> f64 {
    Host::open(path).close();
    let children: Vec<_> = (0..count)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .env("SW_BENCH_CHILD", path)
                .env("SW_BENCH_THREADS", threads.to_string())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let rates: Vec<f64> = children
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
        })
        .collect();
    let (least, _, most) = support::spread(&rates);
    println!("    {count} processes x {threads}: slowest {least:.0}/s, fastest {most:.0}/s");
    rates.iter().sum()
}

fn child(path: &Path) {
    let host = Host::open(&PathBuf::from(path));
    let count = std::env::var("SW_BENCH_THREADS").unwrap().parse().unwrap();
    println!("{}", threads(host, count, POWER, None));
    host.close();
}
