//! The store that is damaged: every table of ours has rows in it, and the host has a table of its own.

use std::path::Path;
use std::sync::Arc;

use smolwf::domain::claim::Claim;
use smolwf::domain::step::Begin;
use smolwf::domain::submit::Submit;
use smolwf::domain::{Durability, FailOptions};
use smolwf::handles::attempt::Attempt;
use smolwf::handles::sql::InNameOf;
use smolwf::handles::store::{Store, StoreOptions};

use super::support::audit::{all, connect};
use super::support::{named, run};

/// Answers of a damaged file are looked at, not its syncs; and a claimer must not wait for long.
pub fn options() -> StoreOptions {
    StoreOptions {
        create: true,
        busy_timeout_ms: 2_000,
        durability: Durability::Process,
        ..StoreOptions::default()
    }
}

fn submit(workflow: &str) -> Submit {
    Submit { workflow: workflow.into(), ..Submit::default() }
}

fn claim(store: &Arc<Store>) -> Arc<Attempt> {
    store.claim(Claim::default()).unwrap().expect("a run is ready")
}

/// Makes the store, all of it in the one file: a copy of one that has attempts at work, so that it has an
/// owner as well.
pub fn make(path: &Path) {
    let store = Store::open(&path.with_file_name("live"), &options()).unwrap();
    store.init().unwrap();
    settle(&store);
    ended(&store);
    pruned(&store);
    waiting(&store);
    store.backup(path).unwrap();
    store.close();
    let conn = connect(path);
    conn.execute_batch(OLD).unwrap();
    let _: i64 = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
    for table in tables(path) {
        let rows: i64 =
            conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |r| r.get(0)).unwrap();
        assert!(rows > 0, "nothing stands in {table}");
    }
}

/// What today's library no longer writes, or only for a moment.
const OLD: &str = "
INSERT INTO sw_payloads (payload_key, body) VALUES (1, '[1]');
INSERT INTO sw_workflow_cascades SELECT min(run_key), 0 FROM sw_workflow_runs WHERE outcome IS NULL;
INSERT INTO sw_workflow_clock_steps SELECT max(run_key) FROM sw_workflow_runs;";

/// The tables of ours.
pub fn tables(path: &Path) -> Vec<String> {
    let sql =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'sw!_%' ESCAPE '!'";
    all(&connect(path), sql, |row| row.get(0))
}

fn settle(store: &Arc<Store>) {
    store.tx_run(InNameOf::default(), HOST).unwrap();
    store.queue_set("default", r#"{"concurrency":50,"concurrency_per_key":1}"#).unwrap();
    store.schedule_set("daily", r#"{"workflow":"w","cron":"0 3 * * *"}"#).unwrap();
    store.retention_set(Some(r#"{"failed_ms":100000000}"#)).unwrap();
}

const HOST: &str = r#"[
{"sql":"CREATE TABLE mine (id INTEGER PRIMARY KEY, note TEXT)"},
{"sql":"INSERT INTO mine (note) VALUES ('one'), ('two')"}]"#;

/// Runs that have ended, one in each way; and a large payload, which stands apart.
fn ended(store: &Arc<Store>) {
    let large = format!("\"{}\"", "large ".repeat(2_000));
    let metadata = Some(r#"{"customer":"c-1","deep":{"a":[1,2]}}"#.to_owned());
    let key = Some("once".to_owned());
    let args = Some(large.clone());
    store.submit(Submit { args, metadata, idempotency_key: key, ..submit("w") }).unwrap();
    let attempt = claim(store);
    run(&attempt, named("a")).complete(Some(large.clone())).unwrap();
    run(&attempt, named("b")).complete(Some("1".into())).unwrap();
    attempt.complete(Some(large)).unwrap();
    let failed = store.submit(Submit { max_tries: 1, ..submit("w") }).unwrap();
    claim(store).fail(Some("{\"why\":1}".into()), FailOptions::default()).unwrap();
    store.fork(&failed.run_id, None).unwrap();
    let cancelled = store.submit(submit("w")).unwrap();
    store.cancel(&cancelled.run_id, Some("\"enough\"".into())).unwrap();
}

/// A tree that is gone, but for its event.
fn pruned(store: &Arc<Store>) {
    store.submit(Submit { priority: -5, ..submit("short") }).unwrap();
    let attempt = claim(store);
    attempt.event_append("note", Some("{\"of\":\"the gone\"}".into()), None).unwrap();
    attempt.complete(None).unwrap();
    store.prune(Some(r#"{"workflow":"short"}"#), 10).unwrap();
}

/// Runs that are open: one in an attempt, parents that wait, some behind a gate, some with a budget.
fn waiting(store: &Arc<Store>) {
    let budget = Some(r#"{"tokens":1000}"#.to_owned());
    store.submit(Submit { priority: -9, budget, ..submit("w") }).unwrap();
    let payer = claim(store);
    let step = run(&payer, Begin { is_tracked: true, ..named("pay") });
    let reservation = payer.reserve(Some(&step), r#"{"tokens":100}"#, Some("s")).unwrap();
    store.settle(&reservation.id, r#"{"tokens":60}"#).unwrap();
    payer.reserve(Some(&step), r#"{"tokens":50}"#, Some("t")).unwrap();
    payer.event_append("note", Some("7".into()), Some("key")).unwrap();
    store.submit(Submit { priority: -8, ..submit("w") }).unwrap();
    let parent = claim(store);
    let child = parent.child_submit("child", Submit { priority: 9, ..submit("w") }).unwrap();
    let waits = format!(r#"[{{"child":"{}"}},{{"signal":"go"}}]"#, child.run_id);
    parent.await_all("all", &waits, 9_000_000).unwrap();
    let _ = parent.sleep("a while", 9_000_000);
    let parked = parent.run_id().as_str().to_owned();
    let _ = parent.suspend();
    store.signal_send(&parked, "early", Some("[1]".into()), Some("k")).unwrap();
    for key in ["k", "k", "l"] {
        let concurrency_key = Some(key.to_owned());
        store.submit(Submit { concurrency_key, priority: -7, ..submit("gated") }).unwrap();
    }
    let _ = claim(store);
    store.submit(Submit { run_at_ms: store.now_ms() + 9_000_000, ..submit("later") }).unwrap();
    store.submit(Submit { is_local: true, ..submit("mine alone") }).unwrap();
    let left = claim(store);
    let _ = run(&left, named("left open"));
}
