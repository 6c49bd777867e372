//! Replay of ten thousand steps after a claim, beside a range scan of as many rows.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::driver::Unit::PerSecond;
use crate::driver::Wanted::AtLeast;
use crate::driver::{Bed, Contender, sample_time};
use crate::host::{Host, PROCESS, result_of};
use crate::raw::{Db, Statement};

const STEPS: usize = 10_000;

pub fn run(bed: &Bed) {
    let raw = Scan::new(&bed.at("raw.db"), STEPS);
    let recorded = Recorded::new(&bed.at("steps.db"), STEPS);
    bed.race(vec![
        Contender::new("raw-scan", "S: raw scan of 10,000 rows", PerSecond, || raw.rate()),
        Contender::new("after-claim", "replay of 10,000 steps, preload in it", PerSecond, || {
            recorded.rate()
        })
        .of("raw-scan")
        .wanted(AtLeast(1.5e6)),
    ]);
    recorded.host.close();
}

/// A table of such rows, read through.
pub struct Scan {
    scan: Statement,
    _db: Db,
}

impl Scan {
    pub fn new(path: &Path, rows: usize) -> Scan {
        let db = Db::open(path, "FULL");
        db.batch("CREATE TABLE t (k INTEGER PRIMARY KEY, name TEXT, v TEXT)");
        let fill = db.prepare(
            "WITH RECURSIVE numbers (n) AS
                (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1)
             INSERT INTO t SELECT n, 'step-' || n, ?2 FROM numbers",
        );
        fill.number(1, rows as i64).text(2, &result_of(200)).run();
        drop(fill);
        let scan = db.prepare("SELECT k, name, v FROM t ORDER BY k");
        Scan { scan, _db: db }
    }

    /// Rows per second.
    pub fn rate(&self) -> f64 {
        let (started, mut rows) = (Instant::now(), 0);
        while started.elapsed() < sample_time() {
            let (more, bytes) = self.scan.scan(2);
            assert!(bytes > more);
            rows += more;
        }
        rows as f64 / started.elapsed().as_secs_f64()
    }
}

/// A run with so many steps recorded.
pub struct Recorded {
    pub host: Host,
    names: Vec<String>,
}

impl Recorded {
    pub fn new(path: &Path, steps: usize) -> Recorded {
        let host = Host::open(path, PROCESS);
        let names: Vec<String> = (0..steps).map(|n| format!("step-{n}")).collect();
        let (work, result) = (host.begin(), result_of(200));
        names.iter().for_each(|name| work.do_step(name, &result, PROCESS));
        work.release();
        Recorded { host, names }
    }

    /// Steps per second: the replays alone are timed, the first with its preload; claims and releases not.
    pub fn rate(&self) -> f64 {
        let (mut done, mut spent) = (0, Duration::ZERO);
        while spent < sample_time() {
            let work = self.host.claim().unwrap();
            let started = Instant::now();
            self.names.iter().for_each(|name| work.replay(name, 0));
            spent += started.elapsed();
            done += self.names.len();
            work.release();
        }
        done as f64 / spent.as_secs_f64()
    }
}
