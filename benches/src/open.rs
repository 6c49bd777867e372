//! Opening a store, init and close, beside opening a SQLite file with the same tables.

use std::path::Path;

use rusqlite::Connection;

use crate::driver::Unit::Milliseconds;
use crate::driver::Wanted::RatioAtMost;
use crate::driver::{Bed, Contender, cost_us};
use crate::host::{Host, POWER};
use crate::raw::Db;

pub fn run(bed: &Bed) {
    let (store, raw) = (bed.at("store.db"), bed.at("raw.db"));
    Host::open(&store, POWER).close();
    let schema = schema(&store);
    raw_fresh(&raw, &schema);
    let ms = |work: &dyn Fn()| cost_us(work) / 1e3;
    let fresh = |open: &dyn Fn(&Path)| {
        ms(&|| {
            let room = tempfile::tempdir_in(bed.folder()).unwrap();
            open(&room.path().join("a.db"));
        })
    };
    bed.race(vec![
        Contender::new("raw-existing", "raw open and close, existing", Milliseconds, || {
            ms(&|| raw_existing(&raw))
        }),
        Contender::new("existing", "open + init + close, existing", Milliseconds, || {
            ms(&|| Host::open(&store, POWER).close())
        })
        .of("raw-existing")
        .wanted(RatioAtMost(2.0)),
        Contender::new("raw-fresh", "raw open, tables and close, fresh", Milliseconds, || {
            fresh(&|path| raw_fresh(path, &schema))
        }),
        Contender::new("fresh", "open + init + close, fresh", Milliseconds, || {
            fresh(&|path| Host::open(path, POWER).close())
        })
        .of("raw-fresh")
        .wanted(RatioAtMost(1.5)),
    ]);
}

/// The tables and indexes of a store.
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
    Db::open(path, "FULL").batch(&format!("BEGIN IMMEDIATE; {schema}; COMMIT;"));
}

fn raw_existing(path: &Path) {
    let db = Db::open(path, "FULL");
    assert!(db.prepare("SELECT count(*) FROM sqlite_schema").run() > 1);
}
