//! Does a page of a list, or a look at a store as a whole or at why one run does not move, cost more where more
//! runs are? The pages are the same and only what lies between differs (`filled.rs`). Counts of looks stop at
//! SW_TASKS_COUNTED_MAX of a kind: a store that has fewer costs less, and all others cost the same.

use std::ffi::CString;
use std::ptr::{null, null_mut};

use crate::driver::Unit::Microseconds;
use crate::driver::{Bed, Contender, cost_us};
use crate::filled;
use crate::host::{Host, NTS, PROCESS, document};
use crate::library::{Out, library};

/// What is asked for: a name, a filter, and how many runs it finds.
const FILTERS: [(&str, &str, usize); 18] = [
    ("nothing", "{}", 10),
    ("pending", r#"{"state":"pending"}"#, 10),
    ("running", r#"{"state":"running"}"#, 10),
    ("waiting", r#"{"state":"waiting"}"#, 10),
    ("paused", r#"{"state":"paused"}"#, 10),
    ("failed", r#"{"state":"failed"}"#, 10),
    ("completed", r#"{"state":"completed","order":"oldest"}"#, 10),
    ("workflow", r#"{"workflow":"rare"}"#, 10),
    ("queue", r#"{"queue":"rare"}"#, 10),
    ("version", r#"{"code_version":"rare"}"#, 10),
    ("parent", r#"{"parent_run_id":"run_00000000000000000000000001"}"#, 10),
    ("root", r#"{"root_run_id":"run_00000000000000000000000001"}"#, 10),
    ("created", r#"{"created_from_ms":1700000001000,"created_to_ms":1700000001100}"#, 10),
    ("finished", r#"{"finished_from_ms":1700000001000,"finished_to_ms":1700000001120}"#, 9),
    ("metadata", r#"{"metadata":{"tenant":"rare"}}"#, 10),
    ("key", r#"{"idempotency_key":"key 77"}"#, 1),
    ("scope", r#"{"idempotency_scope":"rare"}"#, 10),
    ("three", r#"{"workflow":"w","state":"completed","metadata":{"n":77}}"#, 1),
];

/// What finds no index: workers are no part of one.
const UNINDEXED: &str = r#"{"worker":"x"}"#;

type Look = fn(Host, Out) -> i32;

/// A look at the store: its name, and what it tells at least.
const LOOKS: [(&str, Look, &str); 3] = [
    ("stats", |it, out| unsafe { (library().sw_store_stats)(it.0, out, null_mut()) }, "\"runs\""),
    (
        "queues",
        |it, out| unsafe { (library().sw_queue_list)(it.0, out, null_mut()) },
        "\"default\"",
    ),
    (
        "owners",
        |it, out| unsafe { (library().sw_owner_list)(it.0, out, null_mut()) },
        "\"owner_1\"",
    ),
];

/// Which run of so many.
type Which = fn(i64) -> i64;

/// A run that does not move: which one of so many, and a reason that it has.
const STANDING: [(&str, Which, &str); 4] = [
    ("explain-first", |_| 5, "\"queue_unclaimed\""),
    ("explain-last", |size| size, "\"behind_others\""),
    ("explain-running", |_| 25, "\"running\""),
    ("explain-paused", |_| 35, "\"paused\""),
];

/// Two stores, of which the larger is held against the smaller.
fn stores(bed: &Bed) -> [(i64, &'static str, Host); 2] {
    [(1_000, "1e3"), (1_000_000, "1e6")].map(|(size, name)| {
        let path = bed.at(&format!("{name}.db"));
        filled::fill(&path, size);
        (size, name, Host::open(&path, PROCESS))
    })
}

/// What a call costs on one of them.
fn row<'run>(name: &str, of: &str, what: &str, call: impl Fn() + 'run) -> Contender<'run> {
    let row = Contender::new(format!("{name}-{of}"), what, Microseconds, move || cost_us(&call));
    if of == "1e6" { row.of(format!("{name}-1e3")) } else { row }
}

fn race(bed: &Bed, stores: [(i64, &'static str, Host); 2], contenders: Vec<Contender<'_>>) {
    bed.race(contenders);
    stores.into_iter().for_each(|(_, _, host)| host.close());
}

pub fn lists(bed: &Bed) {
    let stores = stores(bed);
    let mut made = Vec::new();
    for (name, filter, found) in FILTERS {
        for (_, of, host) in stores {
            let (_, items, looked_at) = page(host, filter);
            assert!(items <= 10 && items >= found.min(10), "{filter}: {items} of {found}");
            let what = format!("ten by {name} of {of}, {looked_at} looked at");
            made.push(row(name, of, &what, move || drop(page(host, filter))));
        }
    }
    for (_, of, host) in stores {
        for (name, filter, least) in [("count", "{}", 1), ("count-unindexed", UNINDEXED, 0)] {
            let what = format!("{name} of {of}, stopped at a million");
            made.push(row(name, of, &what, move || assert!(count(host, filter) >= least)));
        }
    }
    race(bed, stores, made);
}

pub fn run(bed: &Bed) {
    let stores = stores(bed);
    let mut made = Vec::new();
    for (size, of, host) in stores {
        for (name, look, told) in LOOKS {
            made.push(row(name, of, &format!("{name} of {of} runs"), move || {
                assert!(document(|out| look(host, out)).contains(told));
            }));
        }
        for (name, key, reason) in STANDING {
            let run_id = CString::new(run_id(key(size))).unwrap();
            made.push(row(name, of, &format!("{name} of {of} runs"), move || {
                assert!(explained(host, &run_id).contains(reason));
            }));
        }
    }
    race(bed, stores, made);
}

/// Returns a page, how many items it has and how many runs it looked at.
fn page(host: Host, filter: &str) -> (String, usize, u64) {
    let filter = CString::new(filter).unwrap();
    let list = library().sw_run_list;
    let page = document(|out| unsafe {
        list(host.0, filter.as_ptr(), NTS, null(), 0, 10, out, null_mut())
    });
    let (_, looked_at) = page.rsplit_once("\"looked_at\":").unwrap();
    let looked_at = looked_at.trim_end_matches('}').parse().unwrap();
    let items = page.matches("\"task_id\"").count();
    (page, items, looked_at)
}

fn count(host: Host, filter: &str) -> u64 {
    let (filter, mut count) = (CString::new(filter).unwrap(), 0);
    let (call, most) = (library().sw_run_count, 1_000_000);
    let code = unsafe { call(host.0, filter.as_ptr(), NTS, most, &mut count, null_mut()) };
    assert_eq!(code, 0);
    count
}

fn explained(host: Host, run_id: &CString) -> String {
    let explain = library().sw_run_explain;
    document(|out| unsafe { explain(host.0, run_id.as_ptr(), NTS, out, null_mut()) })
}

/// Returns the id of the run with this key.
fn run_id(key: i64) -> String {
    let digits = b"0123456789abcdefghjkmnpqrstvwxyz";
    let digit = |place: u32| digits[(key >> (5 * place)) as usize & 31] as char;
    let low: String = (0..12).rev().map(digit).collect();
    format!("run_{}{low}", "0".repeat(14))
}
