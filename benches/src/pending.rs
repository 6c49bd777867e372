//! Claims from a queue that holds a hundred thousand runs that are ready, beside one by hand that holds as
//! many. What a sample took is put back before the next one, which is not timed.

use std::time::Instant;

use crate::driver::Unit::PerSecond;
use crate::driver::Wanted::RatioAtLeast;
use crate::driver::{Bed, Contender, sample_time};
use crate::host::Host;
use crate::pgbench::Server;

const READY: usize = 100_000;
/// Runs that a batch submits.
const BATCH: usize = 10_000;
const WORKERS: u32 = 8;

const TABLE: &str = "
CREATE TABLE raw_pending (task_key bigserial PRIMARY KEY, state int NOT NULL, args text);
CREATE INDEX raw_pending_ready ON raw_pending (task_key) WHERE state = 1";

const TAKE: &str = "
UPDATE raw_pending SET state = 2 WHERE task_key = (
    SELECT task_key FROM raw_pending WHERE state = 1 ORDER BY task_key LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING task_key AS taken \\gset
UPDATE raw_pending SET state = 3 WHERE task_key = :taken;";

pub fn run(bed: &Bed, server: &Server) {
    let (raw, name) = ("raw-pending-8", "pending-8");
    // Filling takes longer than the samples.
    if !bed.wants(raw) && !bed.wants(name) {
        return;
    }
    let take = &bed.script("take.sql", TAKE);
    let host = filled(server);
    let by_hand = move || {
        fill_by_hand(server);
        server.rate(take, WORKERS)
    };
    let mut taken = 0;
    let ours = move || {
        submit(host, taken);
        let rate;
        (taken, rate) = drain(host);
        rate
    };
    let what = "claim + complete, 1e5 ready, 8 workers";
    bed.race(vec![
        Contender::new(raw, "claim + done by hand, 1e5 ready, 8", PerSecond, by_hand),
        Contender::new(name, what, PerSecond, ours).of(raw).wanted(RatioAtLeast(0.5)),
    ]);
    host.close();
}

/// Fills both queues.
fn filled(server: &Server) -> Host {
    let host = server.open("bench_pending");
    server.run(TABLE);
    fill_by_hand(server);
    submit(host, READY);
    // Of both alike, as the server itself would after a minute.
    server.run("VACUUM ANALYZE");
    host
}

fn fill_by_hand(server: &Server) {
    server.run(&format!(
        "INSERT INTO raw_pending (state, args) SELECT 1, 'null' FROM generate_series(
            1, {READY} - (SELECT count(*) FROM raw_pending WHERE state = 1)
        )"
    ));
}

fn submit(host: Host, mut left: usize) {
    while left > 0 {
        let count = left.min(BATCH);
        host.submit_many(count);
        left -= count;
    }
}

/// Returns how many runs the workers claimed and completed, and how many per second.
fn drain(host: Host) -> (usize, f64) {
    let started = Instant::now();
    let done: usize = std::thread::scope(|scope| {
        let works: Vec<_> =
            (0..WORKERS).map(|_| scope.spawn(move || work(host, started))).collect();
        works.into_iter().map(|work| work.join().unwrap()).sum()
    });
    (done, done as f64 / started.elapsed().as_secs_f64())
}

fn work(host: Host, started: Instant) -> usize {
    let mut done = 0;
    while started.elapsed() < sample_time() {
        host.claim_within(10_000).unwrap().complete();
        done += 1;
    }
    done
}
