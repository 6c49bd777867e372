//! Does a page of a list cost more where more runs are, whatever it is narrowed by?
//!
//! `cargo bench --bench list`. One file a size; in each ten runs of every kind that is asked for, spread
//! evenly, so that the pages are the same and only what lies between differs. The sizes take turns in
//! each round. `SW_BENCH_SIZES=1000,10000000` names other sizes.

#![allow(unsafe_code, reason = "the benches call the library as a C host does")]
#![allow(clippy::undocumented_unsafe_blocks, clippy::multiple_unsafe_ops_per_block)]
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

mod support;

use std::ffi::CString;
use std::path::Path;
use std::ptr::{null, null_mut};
use std::time::Instant;

use rusqlite::{Connection, named_params};
use smolwf::ffi::list::{sw_run_count, sw_run_list};
use smolwf::ffi::text::{sw_text_data, sw_text_free};
use support::{Contender, Host, NTS, race, sample_time};

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
            fill(&path, *size);
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
    let mut text = null_mut();
    unsafe {
        let code = sw_run_list(host.0, filter.as_ptr(), NTS, null(), 0, 10, &mut text, null_mut());
        assert_eq!(code, 0);
        let mut len = 0;
        let data = sw_text_data(text, &mut len);
        let bytes = std::slice::from_raw_parts(data.cast::<u8>(), len);
        let page = String::from_utf8(bytes.to_vec()).unwrap();
        sw_text_free(text);
        let (_, looked_at) = page.rsplit_once("\"looked_at\":").unwrap();
        let looked_at = looked_at.trim_end_matches('}').parse().unwrap();
        let items = page.matches("\"task_id\"").count();
        (page, items, looked_at)
    }
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

/// Calls for a while; returns how often per second.
fn rate(mut call: impl FnMut()) -> f64 {
    let started = Instant::now();
    let mut calls = 0u32;
    while started.elapsed() < sample_time() {
        call();
        calls += 1;
    }
    f64::from(calls) / started.elapsed().as_secs_f64()
}

const LANES: &str = "
INSERT INTO sw_workflow_lanes (
    lane_key, queue, workflow, code_version, owner_key, first_priority, first_due_at_ms, first_task_key
)
VALUES (1, 'default', 'w', '', 0, 0, 0, 1), (2, 'default', 'rare', '', 0, NULL, NULL, NULL),
    (3, 'rare', 'w', '', 0, NULL, NULL, NULL), (4, 'default', 'w', 'rare', 0, NULL, NULL, NULL);
INSERT INTO sw_workflow_owners (owner_key, mark, boot, pid, opened_at_ms) VALUES (1, 1, x'07', 1, 1);";

// Of every hundred runs twenty are open. Each tenth of the store has one of every kind.
const RUNS: &str = "
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :size)
INSERT INTO sw_workflow_runs (
    run_key, run_id, lane_key, outcome, attempts, tries, parent_key, root_key, created_at_ms,
    finished_at_ms, priority, idem_scope, idem_key, metadata, args
)
SELECT i, unhex(printf('%032x', i)),
    CASE i % :tenth WHEN 12 THEN 2 WHEN 13 THEN 3 WHEN 14 THEN 4 ELSE 1 END,
    CASE WHEN i % 5 = 0 THEN NULL WHEN i % :tenth = 11 THEN 2 ELSE 1 END, 1, 0,
    CASE i % :tenth WHEN 16 THEN 1 END, CASE i % :tenth WHEN 16 THEN 1 WHEN 17 THEN 1 END,
    1700000000000 + i * 10, CASE WHEN i % 5 = 0 THEN NULL ELSE 1700000000000 + i * 10 + 7 END, 0,
    CASE i % :tenth WHEN 18 THEN 'rare' WHEN 19 THEN '' END,
    CASE i % :tenth WHEN 18 THEN 'k' || i WHEN 19 THEN 'key ' || (i / :tenth * 11) END,
    CASE WHEN i % :tenth = 21 THEN '{\"tenant\":\"rare\"}'
        WHEN i % 10 = 7 THEN '{\"tenant\":\"t' || (i % 50) || '\",\"n\":' || i || '}' END,
    '{\"some\":\"arguments of a run\"}'
FROM n";

const TASKS: &str = "
INSERT INTO sw_workflow_tasks (
    task_key, lane_key, state, priority, due_at_ms, fence, failures, losses, flags, waits_left,
    owner_key, lease_until_up_ms, lease_ms, claimed_at_ms
)
SELECT run_key, lane_key, CASE run_key % :tenth WHEN 25 THEN 2 WHEN 30 THEN 3 WHEN 35 THEN 4 ELSE 1 END,
    0, created_at_ms, 1, 0, 0, 0, 0, CASE run_key % :tenth WHEN 25 THEN 1 END,
    9000000000000, 1000, created_at_ms
FROM sw_workflow_runs
WHERE outcome IS NULL";

const MARKS: &str = "
DELETE FROM sw_workflow_marks WHERE kind = 6;
INSERT OR IGNORE INTO sw_workflow_marks (kind, value, block)
SELECT 6, '\"' || j.key || '\":' || j.value, r.run_key >> 7
FROM sw_workflow_runs AS r, json_each(r.metadata) AS j
WHERE r.metadata IS NOT NULL AND j.type = 'integer'
UNION
SELECT 6, '\"' || j.key || '\":\"' || j.value || '\"', r.run_key >> 7
FROM sw_workflow_runs AS r, json_each(r.metadata) AS j
WHERE r.metadata IS NOT NULL AND j.type = 'text'";

/// Writes the rows that so many runs would have left.
fn fill(path: &Path, size: i64) {
    Host::open_with(path, support::PROCESS).close();
    let conn = Connection::open(path).unwrap();
    conn.execute_batch(&format!("BEGIN;{LANES}")).unwrap();
    let tenth = size / 10;
    conn.execute(RUNS, named_params! { ":size": size, ":tenth": tenth }).unwrap();
    conn.execute(TASKS, named_params! { ":tenth": tenth }).unwrap();
    // What the migration does for the runs that it finds.
    let migration = include_str!("../migrations/0006_lists.sql");
    let (_, found) = migration.split_once("INSERT INTO").unwrap();
    conn.execute_batch(&format!("INSERT INTO{found};{MARKS};COMMIT")).unwrap();
}
