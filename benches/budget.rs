//! How fast is a reserve with its settle, beside a durable step?
//!
//! `cargo bench --bench budget`. Contenders take turns in each round; a ratio is taken within its
//! round. A step is one commit, a reserve and its settle are two, and so are a reserve and the step
//! that settles it with its usage. All threads spend from one budget.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use smolwf::domain::claim::Claim;
use smolwf::domain::step::Begin;
use smolwf::domain::submit::Submit;
use smolwf::handles::attempt::Attempt;
use smolwf::handles::begin::Begun;
use smolwf::handles::step::Step;
use smolwf::handles::store::{Store, StoreOptions};
use support::{Contender, race, result_200, sample_time};

/// Lines of the ledger that a budget with a history has.
const ENTRIES: i64 = 1_000_000;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let fresh = Bed::open(&folder.path().join("fresh.db"), false);
    let old = Bed::open(&folder.path().join("old.db"), true);
    let mut contenders = vec![
        Contender::new("step, 1 thread", || fresh.rate(1, step)),
        Contender::new("reserve + settle, 1 thread", || fresh.rate(1, reserve_and_settle)),
        Contender::new("reserve + settle after 1000000 entries", || {
            old.rate(1, reserve_and_settle)
        }),
        Contender::new("reserve + step with usage, 1 thread", || fresh.rate(1, step_with_usage)),
        Contender::new("step, 64 threads", || fresh.rate(64, step)),
        Contender::new("reserve + settle, 64 threads", || fresh.rate(64, reserve_and_settle)),
        Contender::new("reserve + step with usage, 64 threads", || fresh.rate(64, step_with_usage)),
    ];
    race("Budgets, POWER, one budget for all threads", 0, &mut contenders);
}

struct Bed {
    store: Arc<Store>,
    attempt: Arc<Attempt>,
    /// Names no step twice.
    next: AtomicU64,
}

impl Bed {
    fn open(path: &Path, has_history: bool) -> Bed {
        let options =
            StoreOptions { create: true, lease_default_ms: u32::MAX, ..StoreOptions::default() };
        let store = Store::open(path, &options).unwrap();
        store.init().unwrap();
        let budget = Some("{\"tokens\":4611686018427387904}".into());
        let submit = Submit { workflow: "bench".into(), budget, ..Submit::default() };
        store.submit(submit).unwrap();
        if has_history {
            store.close();
            age(path);
            return Bed::claim(Store::open(path, &options).unwrap());
        }
        Bed::claim(store)
    }

    fn claim(store: Arc<Store>) -> Bed {
        let attempt = store.claim(Claim::default()).unwrap().unwrap();
        Bed { store, attempt, next: AtomicU64::new(0) }
    }

    /// Returns how often per second all threads together do a piece of work.
    fn rate(&self, threads: u32, work: impl Fn(&Bed, &str) + Sync) -> f64 {
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

    fn begin(&self, name: &str) -> Step {
        let begin = Begin { name: name.into(), ..Begin::default() };
        match self.attempt.step_begin(begin).unwrap() {
            Begun::Run(step) => step,
            Begun::Replayed(_) | Begun::Failed(_) | Begun::Suspended => panic!("it ran before"),
        }
    }
}

fn step(bed: &Bed, name: &str) {
    bed.begin(name).complete(Some(result_200())).unwrap();
}

fn reserve_and_settle(bed: &Bed, _: &str) {
    let made = bed.attempt.reserve(None, "{\"tokens\":100}", None).unwrap();
    bed.store.settle(&made.id, "{\"tokens\":80}").unwrap();
}

fn step_with_usage(bed: &Bed, name: &str) {
    let step = bed.begin(name);
    bed.attempt.reserve(Some(&step), "{\"tokens\":100}", None).unwrap();
    step.complete_usage(Some(result_200()), "{\"tokens\":80}").unwrap();
}

/// Gives the only run of a closed store a long history of spending.
fn age(path: &Path) {
    let conn = rusqlite::Connection::open(path).unwrap();
    conn.execute_batch(&format!(
        "BEGIN;
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ENTRIES})
        INSERT INTO sw_budget_reservations
            (salt, root_key, run_key, fence, unit, amount, state, at_ms)
        SELECT 1, 1, 1, 0, 'tokens', 1, 1, 1 FROM n;
        INSERT INTO sw_budget_ledger
            (root_key, source_type, source_key, unit, run_key, lane_key, label, amount, at_ms)
        SELECT 1, 1, reservation_key, unit, 1, 1, '', 1, 1 FROM sw_budget_reservations;
        UPDATE sw_budget_balances SET spent = {ENTRIES};
        INSERT INTO sw_budget_totals VALUES (1, 'tokens', 1, '', {ENTRIES}, {ENTRIES});
        COMMIT"
    ))
    .unwrap();
}
