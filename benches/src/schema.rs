//! The tables of a store, as the library itself makes them, for loops beside it that write the same rows.

use std::path::Path;

use rusqlite::Connection;

use crate::host::{Host, POWER};

/// Returns what makes the tables and indexes of a new store, by their names.
pub fn of_store(folder: &Path) -> Vec<(String, String)> {
    let room = tempfile::tempdir_in(folder).unwrap();
    let path = room.path().join("a.db");
    Host::open(&path, POWER).close();
    let conn = Connection::open(path).unwrap();
    let mut all = conn
        .prepare(
            "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'",
        )
        .unwrap();
    all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<rusqlite::Result<_>>()
        .unwrap()
}

/// Those whose names begin so, as one script.
pub fn script(schema: &[(String, String)], start: &str) -> String {
    let is_meant = |(name, _): &&(String, String)| name.starts_with(start);
    let all: Vec<&str> = schema.iter().filter(is_meant).map(|(_, sql)| sql.as_str()).collect();
    assert!(!all.is_empty(), "a store has nothing named {start}");
    all.join(";\n")
}
