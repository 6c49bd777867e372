//! A reserve with its settle, beside a durable step. A step is one commit, a reserve and its settle are two,
//! and so are a reserve and the step that settles it with its usage. All threads spend from one budget.

use std::ffi::{CStr, c_char};
use std::path::Path;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::driver::Unit::PerSecond;
use crate::driver::{Bed, Contender, sample_time};
use crate::host::{Host, NTS, POWER, Work, occurrence, result_of};
use crate::library::{Handle, library};

/// Lines of the ledger that a budget with a history has.
const ENTRIES: i64 = 1_000_000;

pub fn run(bed: &Bed) {
    let fresh = Spender::open(&bed.at("fresh.db"), false);
    let old = Spender::open(&bed.at("old.db"), true);
    let row = |name: &str, what: &str, (threads, work): (u32, fn(&Spender, &str))| {
        let fresh = &fresh;
        Contender::new(name, what, PerSecond, move || fresh.rate(threads, work))
    };
    bed.race(vec![
        row("step-1", "step, POWER, 1 thread", (1, step)),
        row("settle-1", "reserve + settle, 1 thread", (1, settle)).of("step-1"),
        row("usage-1", "reserve + step with usage, 1 thread", (1, usage)).of("step-1"),
        Contender::new("settle-1-of-1e6", "reserve + settle after 1e6 entries", PerSecond, || {
            old.rate(1, settle)
        })
        .of("settle-1"),
        row("step-64", "step, POWER, 64 threads", (64, step)),
        row("settle-64", "reserve + settle, 64 threads", (64, settle)).of("step-64"),
        row("usage-64", "reserve + step with usage, 64 threads", (64, usage)).of("step-64"),
    ]);
}

/// A run with a budget, held.
struct Spender {
    host: Host,
    work: Work,
    /// Names no step twice.
    next: AtomicU64,
}

impl Spender {
    fn open(path: &Path, has_history: bool) -> Spender {
        let host = Host::open(path, POWER);
        let budget = "{\"workflow\":\"bench\",\"budget\":{\"tokens\":4611686018427387904}}";
        host.submit_list(&[budget.into()]);
        host.close();
        if has_history {
            age(path);
        }
        let host = Host::open(path, POWER);
        let work = host.claim().unwrap();
        Spender { host, work, next: AtomicU64::new(0) }
    }

    /// Returns how often per second all threads together do a piece of work.
    fn rate(&self, threads: u32, work: fn(&Spender, &str)) -> f64 {
        let done = AtomicU64::new(0);
        let started = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while started.elapsed() < sample_time() {
                        let number = self.next.fetch_add(1, Ordering::Relaxed);
                        work(self, &format!("step-{number}"));
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        done.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64()
    }

    fn begin(&self, name: &str) -> Handle {
        let (code, step) = self.work.step(name, &occurrence(0));
        assert_eq!(code, 0, "it ran before");
        step
    }

    /// Returns the id of what was reserved.
    fn reserve(&self, step: Handle) -> [c_char; 64] {
        let mut id = [0; 64];
        let (amounts, room, cap) = (c"{\"tokens\":100}".as_ptr(), id.as_mut_ptr(), id.len());
        let reserve = library().sw_budget_reserve;
        let code =
            unsafe { reserve(self.work.0, step, amounts, NTS, null(), 0, room, cap, null_mut()) };
        assert_eq!(code, 0);
        id
    }
}

impl Drop for Spender {
    fn drop(&mut self) {
        self.work.release();
        self.host.close();
    }
}

/// What each of them spends.
const SPENT: &CStr = c"{\"tokens\":80}";

fn step(spender: &Spender, name: &str) {
    let (step, result) = (spender.begin(name), result_of(200));
    let (data, len) = (result.as_ptr().cast(), result.len());
    assert_eq!(unsafe { (library().sw_step_complete)(step, data, len, null_mut()) }, 0);
    unsafe { (library().sw_step_free)(step) };
}

fn settle(spender: &Spender, _: &str) {
    let id = spender.reserve(null_mut());
    let (settle, spent) = (library().sw_budget_settle, SPENT.as_ptr());
    let code = unsafe { settle(spender.host.0, id.as_ptr(), NTS, spent, NTS, null_mut()) };
    assert_eq!(code, 0);
}

fn usage(spender: &Spender, name: &str) {
    let (step, result) = (spender.begin(name), result_of(200));
    spender.reserve(step);
    let (complete, data, len) =
        (library().sw_step_complete_usage, result.as_ptr().cast(), result.len());
    let code = unsafe { complete(step, data, len, SPENT.as_ptr(), NTS, null_mut()) };
    assert_eq!(code, 0);
    unsafe { (library().sw_step_free)(step) };
}

/// Gives the only run of a closed store a long history of spending.
fn age(path: &Path) {
    let conn = rusqlite::Connection::open(path).unwrap();
    conn.execute_batch(&format!(
        "BEGIN;
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ENTRIES})
        INSERT INTO sw_budget_reservations
            (salt, root_key, run_key, fence, unit, amount, state, at_ms, units, place, label)
        SELECT 1, 1, 1, 0, 'tokens', 1, 1, 1, 1, 0, '' FROM n;
        INSERT INTO sw_budget_ledger
            (root_key, source_type, source_key, unit, run_key, lane_key, label, amount, at_ms)
        SELECT 1, 1, reservation_key, unit, 1, 1, '', 1, 1 FROM sw_budget_reservations;
        UPDATE sw_budget_balances SET spent = {ENTRIES};
        INSERT INTO sw_budget_totals VALUES (1, 'tokens', 1, '', {ENTRIES}, {ENTRIES});
        COMMIT"
    ))
    .unwrap();
}
