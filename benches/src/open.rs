//! Opening a store, init and close, beside opening a SQLite file with the same tables.

use std::path::Path;

use crate::driver::Unit::Milliseconds;
use crate::driver::Wanted::RatioAtMost;
use crate::driver::{Bed, Contender, cost_us};
use crate::host::{Host, POWER};
use crate::raw::Db;
use crate::schema;

pub fn run(bed: &Bed) {
    let (store, raw) = (bed.at("store.db"), bed.at("raw.db"));
    Host::open(&store, POWER).close();
    let schema = schema::script(&schema::of_store(bed.folder()), "");
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
        Contender::new("raw-two", "the same with a writer and a reader", Milliseconds, || {
            ms(&|| raw_two(&raw))
        })
        .of("raw-existing"),
        Contender::new("existing", "open + init + close, existing", Milliseconds, || {
            ms(&|| Host::open(&store, POWER).close())
        })
        .of("raw-existing")
        .floor("raw-two")
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

fn raw_fresh(path: &Path, schema: &str) {
    Db::open(path, "FULL").batch(&format!("BEGIN IMMEDIATE; {schema}; COMMIT;"));
}

/// The first statement reads the header and parses the schema.
fn read(path: &Path) -> Db {
    let db = Db::open(path, "FULL");
    assert!(db.prepare("SELECT count(*) FROM sqlite_schema").run() > 1);
    db
}

fn raw_existing(path: &Path) {
    read(path);
}

/// A writer's and a reader's connection, each of which parses the schema.
fn raw_two(path: &Path) {
    let (_writer, _reader) = (read(path), read(path));
}
