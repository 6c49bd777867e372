//! Does a page of a list cost more where more runs are, whatever it is narrowed by?
//!
//! `cargo bench --bench list`. One file a size, as `support/filled.rs` fills it, so that the pages are the
//! same and only what lies between differs. The sizes take turns in each round.
//! `SW_BENCH_SIZES=1000,10000000` names other sizes.

#![allow(unsafe_code, reason = "the benches call the library as a C host does")]
#![allow(clippy::undocumented_unsafe_blocks, clippy::multiple_unsafe_ops_per_block)]
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

mod support;

use std::ffi::CString;
use std::ptr::{null, null_mut};
use std::time::Instant;

use smolwf::ffi::list::{sw_run_count, sw_run_list};
use support::{Contender, Host, NTS, calls_per_second as rate, document, filled, race};

/// What is asked for: a name, a filter, and how many runs it finds.
const FILTERS: [(&str, &str, usize); 18] = [
    ("nothing", "{}", 10),
    ("pending", r#"{"state":"pending"}"#, 10),
    ("running", r#"{"state":"running"}"#, 10),
    ("waiting", r#"{"state":"waiting"}"#, 10),
    ("paused", r#"{"state":"paused"}"#, 10),
    ("failed", r#"{"state":"failed"}"#, 10),
    ("completed, oldest first", r#"{"state":"completed","order":"oldest"}"#, 10),
    ("workflow", r#"{"workflow":"rare"}"#, 10),
    ("queue", r#"{"queue":"rare"}"#, 10),
    ("code version", r#"{"code_version":"rare"}"#, 10),
    ("parent", r#"{"parent_run_id":"run_00000000000000000000000001"}"#, 10),
    ("root", r#"{"root_run_id":"run_00000000000000000000000001"}"#, 10),
    ("created", r#"{"created_from_ms":1700000001000,"created_to_ms":1700000001100}"#, 10),
    ("finished", r#"{"finished_from_ms":1700000001000,"finished_to_ms":1700000001120}"#, 9),
    ("metadata", r#"{"metadata":{"tenant":"rare"}}"#, 10),
    ("idempotency key", r#"{"idempotency_key":"key 77"}"#, 1),
    ("idempotency scope", r#"{"idempotency_scope":"rare"}"#, 10),
    (
        "workflow, state and metadata",
        r#"{"workflow":"w","state":"completed","metadata":{"n":77}}"#,
        1,
    ),
];

fn main() {
    let sizes = std::env::var("SW_BENCH_SIZES").unwrap_or_else(|_| "1000,1000000".into());
    let sizes: Vec<i64> = sizes.split(',').map(|size| size.parse().unwrap()).collect();
    let folder = tempfile::tempdir().unwrap();
    let hosts: Vec<(i64, Host)> = sizes
        .iter()
        .map(|size| {
            let started = Instant::now();
            let path = folder.path().join(format!("{size}.db"));
            filled::fill(&path, *size);
            println!("  {size} runs: {:.1} s", started.elapsed().as_secs_f64());
            (*size, Host::open_with(&path, support::PROCESS))
        })
        .collect();
    for (name, filter, found) in FILTERS {
        let mut contenders = Vec::new();
        for (size, host) in &hosts {
            let (_, items, looked_at) = page(*host, filter);
            assert!(items <= 10 && items >= found.min(10), "{filter}: {items} of {found}");
            let name = format!("{name}, of {size}, {looked_at} looked at");
            contenders.push(Contender::new(name, || rate(|| drop(page(*host, filter)))));
        }
        race("A page of ten", 0, &mut contenders);
    }
    let mut contenders = Vec::new();
    for (size, host) in &hosts {
        let name = format!("count of all, of {size}");
        contenders.push(Contender::new(name, || rate(|| assert!(count(*host, "{}") > 0))));
        let name = format!("count without an index, of {size}");
        contenders.push(Contender::new(name, || {
            rate(|| assert!(count(*host, r#"{"worker":"x"}"#) == 0))
        }));
    }
    race("Counts, stopped at a million", 0, &mut contenders);
    drop(contenders);
    hosts.into_iter().for_each(|(_, host)| host.close());
}

/// Returns a page, how many items it has and how many runs it looked at.
fn page(host: Host, filter: &str) -> (String, usize, u64) {
    let filter = CString::new(filter).unwrap();
    let page = document(|out| unsafe {
        sw_run_list(host.0, filter.as_ptr(), NTS, null(), 0, 10, out, null_mut())
    });
    let (_, looked_at) = page.rsplit_once("\"looked_at\":").unwrap();
    let looked_at = looked_at.trim_end_matches('}').parse().unwrap();
    let items = page.matches("\"task_id\"").count();
    (page, items, looked_at)
}

fn count(host: Host, filter: &str) -> u64 {
    let filter = CString::new(filter).unwrap();
    let mut count = 0;
    unsafe {
        let most = 1_000_000;
        let code = sw_run_count(host.0, filter.as_ptr(), NTS, most, &mut count, null_mut());
        assert_eq!(code, 0);
    }
    count
}
