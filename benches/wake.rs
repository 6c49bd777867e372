//! How soon does a waiting claimer in another process have a run, how soon after its owner was
//! killed, and what does waiting cost?
//!
//! `cargo bench --bench wake`. Processes are this program started again. Times are between a clock
//! reading in one process and one in the other, of the machine's steady clock.

#![allow(unsafe_code, reason = "the benches call the library as a C host does")]
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use support::{Host, POWER, Work, print_latencies, rounds};

fn main() {
    if let Ok(path) = std::env::var("SW_BENCH_CHILD") {
        return child(Path::new(&path), &std::env::var("SW_BENCH_ROLE").unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let host = Host::open_with(&path, POWER);
    println!("\nWaiting in another process");
    wakes(host, &path);
    takeovers(host, &path);
    idle(&path);
    host.close();
}

/// A child waits for runs; each carries the time at which its submit was called.
fn wakes(host: Host, path: &Path) {
    let (mut claimer, mut lines) = start(path, "claim");
    assert_eq!(line(&mut lines), "ready");
    let mut latencies = Vec::new();
    for _ in 0..rounds() * 100 {
        // So that the claimer is asleep again: what is measured is the wake.
        std::thread::sleep(Duration::from_millis(5));
        let submitted = now_ns();
        host.submit("null");
        let claimed: u64 = line(&mut lines).parse().unwrap();
        latencies.push(claimed.saturating_sub(submitted));
    }
    stop(&mut claimer);
    print_latencies("submit to claim, across processes", &mut latencies);
}

/// A child claims a run under a long lease and is killed; we wait for that run.
fn takeovers(host: Host, path: &Path) {
    let mut latencies = Vec::new();
    for _ in 0..rounds() * 4 {
        host.submit("null");
        let (mut owner, mut lines) = start(path, "hold");
        assert_eq!(line(&mut lines), "held");
        let killed = now_ns();
        stop(&mut owner);
        host.claim_within(10_000).unwrap().complete();
        latencies.push(now_ns() - killed);
    }
    print_latencies("kill -9 of the owner to takeover", &mut latencies);
}

/// What a claimer that waits uses of a processor.
fn idle(path: &Path) {
    let seconds = std::env::var("SW_BENCH_IDLE_S").map_or(60, |text| text.parse().unwrap());
    let (mut claimer, mut lines) = start(path, "claim");
    assert_eq!(line(&mut lines), "ready");
    let before = cpu_ns(claimer.id());
    // So that the time of waiting alone is measured.
    std::thread::sleep(Duration::from_secs(seconds));
    let used = cpu_ns(claimer.id()) - before;
    stop(&mut claimer);
    let share = used as f64 / (seconds as f64 * 1e9) * 100.0;
    println!("  {:<44} {share:.4} % of a processor over {seconds} s", "a claimer that waits");
}

fn start(path: &Path, role: &str) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .env("SW_BENCH_CHILD", path)
        .env("SW_BENCH_ROLE", role)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    (child, lines)
}

fn stop(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn line(lines: &mut BufReader<ChildStdout>) -> String {
    let mut text = String::new();
    lines.read_line(&mut text).unwrap();
    text.trim().to_owned()
}

fn child(path: &Path, role: &str) {
    let host = Host::open_with(path, POWER);
    if role == "hold" {
        let _held: Work = host.claim_within(10_000).unwrap();
        println!("held");
        loop {
            std::thread::park();
        }
    }
    println!("ready");
    loop {
        let Some(work) = host.claim_within(-1) else { continue };
        println!("{}", now_ns());
        work.complete();
    }
}

/// The machine's steady clock, which all processes share.
fn now_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock writes the struct that it is given.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) }, 0);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// User and system time of a process so far.
fn cpu_ns(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap();
    text.split_whitespace().next().unwrap().parse().unwrap()
}
