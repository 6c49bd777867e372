//! How soon a waiting claimer in another process has a run, how soon after its owner was killed, and what
//! waiting costs. Between a submit and its claim lie two commits and two syncs, of two processes.

use std::path::Path;
use std::time::Duration;

use crate::driver::Unit::{Microseconds, Milliseconds, Percent};
use crate::driver::Wanted::AtMost;
use crate::driver::{Bed, Contender, cost_us, percentile, sample_time};
use crate::host::{Host, POWER};
use crate::process::{Process, now_ns};
use crate::raw;

pub fn run(bed: &Bed) {
    let host = Host::open(&bed.at("wakes.db"), POWER);
    let other = Host::open(&bed.at("takeovers.db"), POWER);
    let mut full = raw::Rows::new(&bed.at("full.db"), "FULL");
    bed.race(vec![
        Contender::new(
            "raw-two-commits",
            "two rows of R, one after the other",
            Microseconds,
            || 2.0 * cost_us(|| full.add()),
        ),
        Contender::many(
            "claim-p50",
            "submit to claim in another process, p50",
            Microseconds,
            || wakes(host, &bed.at("wakes.db")),
        )
        .of("raw-two-commits")
        .wanted(AtMost(5_000.0))
        .and("claim-p99", "the same, p99", Microseconds),
        Contender::new(
            "takeover",
            "kill -9 of the owner to claim, longest of 4",
            Milliseconds,
            || takeover(other, &bed.at("takeovers.db")),
        )
        .wanted(AtMost(1_000.0)),
        Contender::new("idle", "processor used by a claimer that waits", Percent, || {
            idle(&bed.at("idle.db"))
        })
        .wanted(AtMost(0.2)),
    ]);
    host.close();
    other.close();
}

/// A child waits for runs, and says when it had each.
fn wakes(host: Host, path: &Path) -> Vec<f64> {
    let mut claimer = Process::start("claim", path, 0);
    claimer.go();
    let mut times: Vec<u64> = (0..100)
        .map(|_| {
            // So that the claimer is asleep again: what is measured is the wake.
            std::thread::sleep(Duration::from_millis(5));
            let submitted = now_ns();
            host.submit("null");
            claimer.line().parse::<u64>().unwrap().saturating_sub(submitted)
        })
        .collect();
    claimer.kill();
    [0.5, 0.99].map(|share| percentile(&mut times, share) / 1e3).to_vec()
}

/// A child claims a run under a long lease and is killed; we wait for that run.
fn takeover(host: Host, path: &Path) -> f64 {
    let once = |_| {
        host.submit("null");
        let mut owner = Process::start("hold", path, 0);
        assert_eq!(owner.line(), "held");
        let killed = now_ns();
        owner.kill();
        host.claim_within(10_000).unwrap().complete();
        (now_ns() - killed) as f64 / 1e6
    };
    (0..4).map(once).fold(0.0, f64::max)
}

/// What a claimer that waits uses of a processor, over ten samples' time.
fn idle(path: &Path) -> f64 {
    let mut claimer = Process::start("claim", path, 0);
    claimer.go();
    // So that what it does to begin is left out.
    std::thread::sleep(Duration::from_millis(100));
    let (began, before) = (now_ns(), cpu_ns(claimer.id()));
    // So that the time of waiting alone is measured.
    std::thread::sleep(sample_time() * 10);
    let (spent, used) = (now_ns() - began, cpu_ns(claimer.id()) - before);
    claimer.kill();
    used as f64 / spent as f64 * 100.0
}

/// User and system time of a process so far.
fn cpu_ns(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap();
    text.split_whitespace().next().unwrap().parse().unwrap()
}
