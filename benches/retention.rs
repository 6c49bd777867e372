//! What does it cost a worker at full load that what has ended goes by itself, and does the file stop
//! growing?
//!
//! `cargo bench --bench retention`. One worker submits, claims, does a step of 200 bytes and completes, as
//! fast as it can, on two files: one whose policy keeps completed runs for SW_BENCH_KEEP_MS (2,000), and
//! one without a policy. They take turns, SW_BENCH_MS each; the sizes of both files stand at the end. Half an
//! hour of it, of which each has half: `SW_BENCH_MS=10000 SW_BENCH_ROUNDS=90 SW_BENCH_KEEP_MS=10000`.

#![allow(unsafe_code, reason = "the benches call the library as a C host does")]
#![allow(clippy::undocumented_unsafe_blocks, clippy::multiple_unsafe_ops_per_block)]
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

mod support;

use std::cell::RefCell;
use std::path::Path;
use std::ptr::null_mut;
use std::time::Instant;

use smolwf::ffi::retention::sw_retention_set;
use smolwf::ffi::stats::sw_store_stats;
use support::{Contender, Host, PROCESS, document, race, result_200, sample_time};

/// A file, how large it was after each turn, and the longest turn of one run.
struct Worker {
    host: Host,
    mib: RefCell<Vec<f64>>,
    longest_ms: RefCell<Vec<f64>>,
}

impl Worker {
    fn new(path: &Path, policy: &str) -> Worker {
        let host = Host::open_with(path, PROCESS);
        let text = policy.as_ptr().cast();
        assert_eq!(unsafe { sw_retention_set(host.0, text, policy.len(), null_mut()) }, 0);
        Worker { host, mib: RefCell::default(), longest_ms: RefCell::default() }
    }

    fn rate(&self) -> f64 {
        let (started, mut done, mut longest_ms) = (Instant::now(), 0_u32, 0_f64);
        while started.elapsed() < sample_time() {
            let began = Instant::now();
            let work = self.host.begin();
            work.do_step("step", &result_200(), PROCESS);
            work.complete();
            longest_ms = longest_ms.max(began.elapsed().as_secs_f64() * 1e3);
            done += 1;
        }
        let rate = f64::from(done) / started.elapsed().as_secs_f64();
        let stats = document(|out| unsafe { sw_store_stats(self.host.0, out, null_mut()) });
        let stats: serde_json::Value = serde_json::from_str(&stats).unwrap();
        let bytes = stats["file"]["bytes"].as_f64().unwrap();
        self.mib.borrow_mut().push(bytes / f64::from(1 << 20));
        self.longest_ms.borrow_mut().push(longest_ms);
        rate
    }

    fn tell(&self, name: &str) {
        let told = |values: &[f64]| {
            let step = values.len().div_ceil(10).max(1);
            let shown: Vec<String> =
                values.iter().step_by(step).map(|value| format!("{value:.1}")).collect();
            shown.join(" ")
        };
        println!("  {name:<22} MiB after turns: {}", told(&self.mib.borrow()));
        println!("  {name:<22} longest run, ms:  {}", told(&self.longest_ms.borrow()));
    }
}

fn main() {
    let keep_ms = std::env::var("SW_BENCH_KEEP_MS").unwrap_or_else(|_| "2000".into());
    let folder = tempfile::tempdir().unwrap();
    let kept = Worker::new(&folder.path().join("kept.db"), "{}");
    let policy = format!("{{\"completed_ms\":{keep_ms}}}");
    let let_go = Worker::new(&folder.path().join("let-go.db"), &policy);
    let mut contenders = vec![
        Contender::new("without a policy", || kept.rate()),
        Contender::new(format!("kept for {keep_ms} ms"), || let_go.rate()),
    ];
    race("submit, claim, step and complete, 1 worker", 0, &mut contenders);
    drop(contenders);
    kept.tell("without a policy");
    let_go.tell("with one");
    kept.host.close();
    let_go.host.close();
}
