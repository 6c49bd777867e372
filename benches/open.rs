//! What does it cost to open a store, beside opening a SQLite file with as many tables?
//!
//! `cargo bench --bench open`.

#![allow(unsafe_code, reason = "the benches call the library as a C host does")]
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

mod support;

use std::path::Path;
use std::time::Instant;

use rusqlite::Connection;
use support::{Contender, Host, POWER, race, sample_time};

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    Host::open_with(&at("store.db"), POWER).close();
    let schema = schema(&at("store.db"));
    raw_fresh(&at("raw.db"), &schema);
    let mut contenders = vec![
        Contender::new("raw open, existing file", || existing(&at("raw.db"), raw_existing)),
        Contender::new("open + init, existing file", || {
            existing(&at("store.db"), |path| Host::open_with(path, POWER).close())
        }),
    ];
    race("Opening an existing file, and closing it", 0, &mut contenders);
    drop(contenders);
    let mut contenders = vec![
        Contender::new("raw open and tables, fresh file", || {
            fresh(folder.path(), |path| raw_fresh(path, &schema))
        }),
        Contender::new("open + init, fresh file", || {
            fresh(folder.path(), |path| Host::open_with(path, POWER).close())
        }),
    ];
    race("Opening a fresh file, and closing it", 0, &mut contenders);
}

fn schema(path: &Path) -> String {
    let conn = Connection::open(path).unwrap();
    let mut all = conn
        .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
        .unwrap();
    let all: Vec<String> =
        all.query_map([], |row| row.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap();
    all.join(";\n")
}

fn raw_fresh(path: &Path, schema: &str) {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;").unwrap();
    conn.execute_batch(&format!("BEGIN IMMEDIATE; {schema}; COMMIT;")).unwrap();
}

fn raw_existing(path: &Path) {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;").unwrap();
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0)).unwrap();
}

fn existing(path: &Path, open: impl Fn(&Path)) -> f64 {
    let started = Instant::now();
    let mut done = 0u32;
    while started.elapsed() < sample_time() {
        open(path);
        done += 1;
    }
    f64::from(done) / started.elapsed().as_secs_f64()
}

fn fresh(folder: &Path, open: impl Fn(&Path)) -> f64 {
    let started = Instant::now();
    let mut done = 0u32;
    while started.elapsed() < sample_time() {
        let room = tempfile::tempdir_in(folder).unwrap();
        open(&room.path().join("a.db"));
        done += 1;
    }
    f64::from(done) / started.elapsed().as_secs_f64()
}
