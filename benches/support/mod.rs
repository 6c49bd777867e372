//! What every bench shares: rounds in which all contenders take turns, medians, the raw loop.

#![allow(dead_code, reason = "each bench uses its part")]
#![allow(unsafe_code, reason = "the benches call the library as a C host does")]
#![allow(clippy::undocumented_unsafe_blocks, clippy::multiple_unsafe_ops_per_block)]
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

pub mod filled;

use std::ffi::{CStr, CString, c_char};
use std::path::Path;
use std::ptr::{null, null_mut};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use smolwf::ffi::attempt::{sw_attempt, sw_attempt_complete, sw_attempt_free, sw_attempt_release};
use smolwf::ffi::options::{sw_claim_options, sw_step_options, sw_store_options};
use smolwf::ffi::queue::sw_queue_set;
use smolwf::ffi::run::{sw_run_claim, sw_run_claim_many, sw_run_submit, sw_run_submit_many};
use smolwf::ffi::step::{sw_step, sw_step_begin, sw_step_complete, sw_step_free};
use smolwf::ffi::store::{sw_store, sw_store_close, sw_store_init, sw_store_open};
use smolwf::ffi::text::{sw_text, sw_text_data, sw_text_free};

pub const NTS: usize = usize::MAX;

/// A contender: a name, and one sample that returns units of work per second.
pub struct Contender<'run> {
    pub name: String,
    pub sample: Box<dyn FnMut() -> f64 + 'run>,
    pub rates: Vec<f64>,
}

impl<'run> Contender<'run> {
    pub fn new(name: impl Into<String>, sample: impl FnMut() -> f64 + 'run) -> Contender<'run> {
        Contender { name: name.into(), sample: Box::new(sample), rates: Vec::new() }
    }
}

/// Rounds of a plan: SW_BENCH_ROUNDS, or 5.
pub fn rounds() -> usize {
    std::env::var("SW_BENCH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(5)
}

/// Length of one sample: SW_BENCH_MS, or a second.
pub fn sample_time() -> Duration {
    let ms = std::env::var("SW_BENCH_MS").ok().and_then(|text| text.parse().ok());
    Duration::from_millis(ms.unwrap_or(1_000))
}

/// Runs the contenders in turn, the first of each round another one, and prints medians with their
/// spread and their ratio to the contender `base`, taken within each round.
pub fn race(title: &str, base: usize, contenders: &mut [Contender<'_>]) {
    for round in 0..rounds() {
        for turn in 0..contenders.len() {
            let contender = &mut contenders[(turn + round) % contenders.len()];
            let rate = (contender.sample)();
            contender.rates.push(rate);
        }
    }
    println!("\n{title}  ({} rounds of {} ms)", rounds(), sample_time().as_millis());
    let base_rates = contenders[base].rates.clone();
    let base_name = contenders[base].name.clone();
    for contender in contenders.iter() {
        let ratios: Vec<f64> =
            contender.rates.iter().zip(&base_rates).map(|(rate, base)| rate / base).collect();
        let (low, middle, high) = spread(&contender.rates);
        println!(
            "  {:<44} {:>10.0}/s [{:>9.0} .. {:>9.0}]   {:>6.2} x {}",
            contender.name,
            middle,
            low,
            high,
            spread(&ratios).1,
            base_name
        );
    }
}

pub fn spread(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    (sorted[0], sorted[sorted.len() / 2], sorted[sorted.len() - 1])
}

/// Prints percentiles of latencies, in microseconds.
pub fn print_latencies(name: &str, latencies: &mut [u64]) {
    latencies.sort_unstable();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize] as f64 / 1e3;
    println!(
        "  {name:<44} p50 {:.0} us, p99 {:.0} us, p99.9 {:.0} us, max {:.0} us ({} samples)",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0),
        latencies.len()
    );
}

/// Returns the document that a call gives.
pub fn document(call: impl FnOnce(*mut *mut sw_text) -> i32) -> String {
    let mut text = null_mut();
    assert_eq!(call(&mut text), 0);
    let mut len = 0;
    unsafe {
        let data = sw_text_data(text, &mut len);
        let bytes = std::slice::from_raw_parts(data.cast::<u8>(), len);
        let document = String::from_utf8(bytes.to_vec()).unwrap();
        sw_text_free(text);
        document
    }
}

/// Calls for a while; returns how often per second.
pub fn calls_per_second(mut call: impl FnMut()) -> f64 {
    let started = Instant::now();
    let mut calls = 0u32;
    while started.elapsed() < sample_time() {
        call();
        calls += 1;
    }
    f64::from(calls) / started.elapsed().as_secs_f64()
}

/// The raw loop: one row of about 400 bytes per WAL transaction over a minimal table.
pub struct Raw {
    conn: Connection,
    key: i64,
}

impl Raw {
    pub fn new(path: &Path, synchronous: &str) -> Raw {
        let conn = Connection::open(path).unwrap();
        let pragmas = format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous};
             CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT);"
        );
        conn.execute_batch(&pragmas).unwrap();
        Raw { conn, key: 0 }
    }

    pub fn rate(&mut self) -> f64 {
        let value = "x".repeat(400);
        let mut insert = self.conn.prepare("INSERT INTO t VALUES (?1, ?2)").unwrap();
        let started = Instant::now();
        let mut done = 0u32;
        while started.elapsed() < sample_time() {
            self.conn.prepare_cached("BEGIN IMMEDIATE").unwrap().execute([]).unwrap();
            self.key += 1;
            insert.execute((self.key, &value)).unwrap();
            self.conn.prepare_cached("COMMIT").unwrap().execute([]).unwrap();
            done += 1;
        }
        f64::from(done) / started.elapsed().as_secs_f64()
    }
}

/// A store behind the C functions.
#[derive(Clone, Copy)]
pub struct Host(pub *mut sw_store);

// SAFETY: the header says that any thread may use a store at any time.
unsafe impl Send for Host {}
unsafe impl Sync for Host {}

#[derive(Clone, Copy)]
pub struct Work(pub *mut sw_attempt);
unsafe impl Send for Work {}
unsafe impl Sync for Work {}

pub const POWER: u32 = 1;
pub const PROCESS: u32 = 2;

impl Host {
    /// Opens with leases that hold while the process lives.
    pub fn open(path: &Path) -> Host {
        Host::open_with(path, 0)
    }

    pub fn open_with(path: &Path, durability: u32) -> Host {
        Host::open_as(path, durability, 0)
    }

    /// Opens with PROCESS durability and a busy timeout.
    pub fn open_busy(path: &Path, busy_timeout_ms: u32) -> Host {
        Host::open_as(path, PROCESS, busy_timeout_ms)
    }

    fn open_as(path: &Path, durability: u32, busy_timeout_ms: u32) -> Host {
        let path = CString::new(path.to_str().unwrap()).unwrap();
        let options = sw_store_options {
            struct_size: size_of::<sw_store_options>() as u32,
            flags: 0,
            busy_timeout_ms,
            durability,
            max_readers: 0,
            lease_default_ms: u32::MAX,
            payload_bytes_max: 0,
        };
        let mut store = null_mut();
        let mut applied = 0;
        unsafe {
            assert_eq!(sw_store_open(path.as_ptr(), &options, &mut store, null_mut()), 0);
            assert_eq!(sw_store_init(store, &mut applied, null_mut()), 0);
        }
        Host(store)
    }

    /// Lets as many runs of a queue run at once behind each concurrency key.
    pub fn limit_per_key(self, queue: &str, most: u32) {
        let settings = format!("{{\"concurrency_per_key\":{most}}}");
        let (queue, len) = (queue.as_ptr().cast(), queue.len());
        let text = settings.as_ptr().cast();
        let code = unsafe { sw_queue_set(self.0, queue, len, text, settings.len(), null_mut()) };
        assert_eq!(code, 0);
    }

    pub fn close(self) {
        unsafe { sw_store_close(self.0) };
    }

    /// Submits runs from a JSON list, in one commit.
    pub fn submit_list(self, items: &[String]) {
        let items = format!("[{}]", items.join(","));
        let (text, mut out) = (items.as_ptr().cast(), null_mut());
        let code = unsafe { sw_run_submit_many(self.0, text, items.len(), &mut out, null_mut()) };
        assert_eq!(code, 0);
        unsafe { sw_text_free(out) };
    }

    pub fn submit(self, args: &str) {
        let mut id = [0 as c_char; 64];
        let code = unsafe {
            sw_run_submit(
                self.0,
                c"bench".as_ptr(),
                NTS,
                args.as_ptr().cast(),
                args.len(),
                null(),
                id.as_mut_ptr(),
                id.len(),
                null_mut(),
            )
        };
        assert_eq!(code, 0);
    }

    pub fn claim(self) -> Option<Work> {
        let mut attempt = null_mut();
        let code = unsafe { sw_run_claim(self.0, null(), 0, null(), &mut attempt, null_mut()) };
        assert!(code >= 0, "claim answered {code}");
        (code == 0).then_some(Work(attempt))
    }

    /// Submits as many runs in one commit, over three workflows.
    pub fn submit_many(self, count: usize) {
        let item = |n| format!("{{\"workflow\":\"bench-{}\",\"args\":{n}}}", n % 3);
        self.submit_list(&(0..count).map(item).collect::<Vec<String>>());
    }

    /// Claims up to as many runs in one commit.
    pub fn claim_many(self, count: usize) -> Vec<Work> {
        let mut room = vec![null_mut(); count];
        let mut found = 0;
        let code = unsafe {
            sw_run_claim_many(
                self.0,
                null(),
                0,
                null(),
                count as u32,
                room.as_mut_ptr(),
                &mut found,
                null_mut(),
            )
        };
        assert!(code >= 0, "claim_many answered {code}");
        room.into_iter().take(found as usize).map(Work).collect()
    }

    /// Claims, waiting as long; -1 is without limit.
    pub fn claim_within(self, wait_ms: i64) -> Option<Work> {
        self.claim_of(wait_ms, None, None)
    }

    /// Claims a run of these workflows and code versions, JSON arrays.
    pub fn claim_of(
        self,
        wait_ms: i64,
        workflows: Option<&CStr>,
        versions: Option<&CStr>,
    ) -> Option<Work> {
        let options = sw_claim_options {
            struct_size: size_of::<sw_claim_options>() as u32,
            flags: 0,
            wait_ms,
            lease_ms: 0,
            reserved: 0,
            worker: null(),
            worker_len: 0,
            workflows: workflows.map_or(null(), CStr::as_ptr),
            workflows_len: NTS,
            code_versions: versions.map_or(null(), CStr::as_ptr),
            code_versions_len: NTS,
            stop: null_mut(),
        };
        let mut attempt = null_mut();
        let code = unsafe { sw_run_claim(self.0, null(), 0, &options, &mut attempt, null_mut()) };
        assert!(code >= 0, "claim answered {code}");
        (code == 0).then_some(Work(attempt))
    }

    /// Submits a run and claims it.
    pub fn begin(self) -> Work {
        self.submit("null");
        self.claim().unwrap()
    }
}

/// Options that name an occurrence of a step.
pub fn occurrence(occurrence: u32) -> sw_step_options {
    sw_step_options {
        struct_size: size_of::<sw_step_options>() as u32,
        flags: 0,
        kind: null(),
        kind_len: 0,
        occurrence,
        durability: 0,
        max_tries: 0,
        reserved: 0,
        backoff_initial_ms: 0,
        backoff_max_ms: 0,
    }
}

impl Work {
    /// Begins a step; 0 run it, 3 replayed.
    pub fn step(self, name: &str, durability: u32) -> (i32, *mut sw_step) {
        let options = sw_step_options { durability, ..occurrence(0) };
        let mut step = null_mut();
        let code = unsafe {
            sw_step_begin(
                self.0,
                name.as_ptr().cast(),
                name.len(),
                null(),
                0,
                &options,
                &mut step,
                null_mut(),
            )
        };
        (code, step)
    }

    /// One durable step.
    pub fn do_step(self, name: &str, result: &str, durability: u32) {
        let (code, step) = self.step(name, durability);
        assert_eq!(code, 0);
        let code =
            unsafe { sw_step_complete(step, result.as_ptr().cast(), result.len(), null_mut()) };
        assert_eq!(code, 0);
        unsafe { sw_step_free(step) };
    }

    /// Does one step and gives the run back.
    pub fn do_and_release(self, name: &str) {
        self.do_step(name, &result_200(), PROCESS);
        self.release();
    }

    /// Gives the run back.
    pub fn release(self) {
        let code = unsafe { sw_attempt_release(self.0, 0, null_mut()) };
        assert_eq!(code, 0);
        unsafe { sw_attempt_free(self.0) };
    }

    pub fn complete(self) {
        let code = unsafe { sw_attempt_complete(self.0, c"true".as_ptr(), 4, null_mut()) };
        assert_eq!(code, 0);
        unsafe { sw_attempt_free(self.0) };
    }
}

/// A JSON result of about 200 bytes.
pub fn result_200() -> String {
    format!("{{\"text\":\"{}\"}}", "y".repeat(189))
}
