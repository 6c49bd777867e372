//! How fast does a run replay ten thousand steps, beside a range scan of as many rows?
//!
//! `cargo bench --bench replay`. One contender is claimed anew each time, so that its preload counts;
//! the other replays from what the attempt holds already. S is a raw scan over a table of such rows.

#![allow(unsafe_code, reason = "the benches call the library as a C host does")]
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

mod support;

use std::ffi::c_char;
use std::path::Path;
use std::ptr::{null, null_mut};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use smolwf::ffi::step::{sw_step_begin, sw_step_free, sw_step_result};
use support::{Contender, Host, PROCESS, Work, race, result_200, sample_time};

const STEPS: usize = 10_000;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let scan = scanned(&folder.path().join("raw.db"));
    let host = Host::open_with(&folder.path().join("steps.db"), PROCESS);
    let names: Vec<String> = (0..STEPS).map(|n| format!("step-{n}")).collect();
    let work = host.begin();
    let result = result_200();
    for name in &names {
        work.do_step(name, &result, PROCESS);
    }
    work.release();
    let mut contenders = vec![
        Contender::new("S: raw scan of as many rows", || scan_rate(&scan)),
        Contender::new("replay after a claim, preload included", || replays(host, &names)),
    ];
    race("Replayed steps, 200-byte results", 0, &mut contenders);
    drop(contenders);
    host.close();
}

fn scanned(path: &Path) -> Connection {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch("CREATE TABLE t (k INTEGER PRIMARY KEY, name TEXT, v TEXT);").unwrap();
    conn.execute(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1)
         INSERT INTO t SELECT n, 'step-' || n, ?2 FROM numbers",
        (STEPS as i64, result_200()),
    )
    .unwrap();
    conn
}

fn scan_rate(conn: &Connection) -> f64 {
    let mut scan = conn.prepare("SELECT k, name, v FROM t ORDER BY k").unwrap();
    let started = Instant::now();
    let (mut rows, mut bytes) = (0u64, 0);
    while started.elapsed() < sample_time() {
        let mut found = scan.query([]).unwrap();
        while let Some(row) = found.next().unwrap() {
            bytes += row.get_ref(2).unwrap().as_str().unwrap().len();
            rows += 1;
        }
    }
    assert!(bytes > 0);
    rows as f64 / started.elapsed().as_secs_f64()
}

/// The replays alone are timed, the first of each attempt with its preload; claims and releases not.
fn replays(host: Host, names: &[String]) -> f64 {
    let (mut done, mut spent) = (0, Duration::ZERO);
    while spent < sample_time() {
        let work = host.claim().unwrap();
        let started = Instant::now();
        names.iter().for_each(|name| replay(work, name));
        spent += started.elapsed();
        done += names.len();
        work.release();
    }
    done as f64 / spent.as_secs_f64()
}

fn replay(work: Work, name: &str) {
    let (mut step, mut len) = (null_mut(), 0);
    let name = (name.as_ptr().cast::<c_char>(), name.len());
    // SAFETY: the attempt is open, and the name outlives the call.
    let code =
        unsafe { sw_step_begin(work.0, name.0, name.1, null(), 0, null(), &mut step, null_mut()) };
    assert_eq!(code, 3);
    // SAFETY: the step was given by the begin above.
    assert!(!unsafe { sw_step_result(step, &mut len) }.is_null() && len > 100);
    // SAFETY: given once, freed once.
    unsafe { sw_step_free(step) };
}
