//! The beds of SQLite's: what the claims of [`crate::storage::conformance`] run on.

use rusqlite::Connection;
use rusqlite::types::Value;
use tempfile::TempDir;

use std::sync::Arc;

use super::conn::Conn;
use super::connect::make_compactable;
use super::host::Host;
use super::migrate;
use super::tx::Tx;
use crate::domain::news::News;
use crate::domain::port::Port;
use crate::storage::conformance::Bed;

/// A store on a connection of its own.
struct SqliteBed {
    conn: Conn,
    host: Arc<Host>,
    schema: migrate::Seen,
    news: News,
    _folder: Option<TempDir>,
}

/// Makes a store in memory.
pub(in crate::storage) fn in_memory() -> Option<Box<dyn Bed>> {
    let conn = Connection::open_in_memory().unwrap();
    make_compactable(&conn).unwrap();
    Some(SqliteBed::boxed(conn, None))
}

/// Makes a store in a file, with a log as every one of ours.
pub(in crate::storage) fn in_a_file() -> Option<Box<dyn Bed>> {
    let folder = tempfile::tempdir().unwrap();
    let conn = Connection::open(folder.path().join("db")).unwrap();
    make_compactable(&conn).unwrap();
    conn.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF").unwrap();
    Some(SqliteBed::boxed(conn, Some(folder)))
}

impl SqliteBed {
    fn boxed(mut conn: Connection, folder: Option<TempDir>) -> Box<dyn Bed> {
        migrate::apply(&conn, None, 1).unwrap();
        let host = Host::install(&mut conn).unwrap();
        Box::new(SqliteBed {
            conn: Conn::new(conn),
            host,
            schema: migrate::Seen::default(),
            news: News::default(),
            _folder: folder,
        })
    }

    fn names(&self, sql: &str, of: &[&str]) -> Vec<String> {
        let mut rows = self.conn.prepare(sql).unwrap();
        let names = rows.query_map(rusqlite::params_from_iter(of), |row| row.get(0)).unwrap();
        names.collect::<rusqlite::Result<_>>().unwrap()
    }
}

impl Bed for SqliteBed {
    fn transact(&mut self, is_kept: bool, work: &mut dyn FnMut(&mut dyn Port)) {
        self.conn.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut tx = Tx::hosting(&self.conn, &self.host, &self.schema);
        work(&mut tx);
        self.news = tx.news();
        self.conn.execute_batch(if is_kept { "COMMIT" } else { "ROLLBACK" }).unwrap();
    }

    fn news(&self) -> News {
        self.news
    }

    fn keeps_newest(&self) -> bool {
        true
    }

    fn shares_payloads(&self) -> bool {
        true
    }

    fn dump(&mut self) -> String {
        let mut text = String::new();
        for table in self.names(TABLES, &[]) {
            let key = self.names(KEY, &[&table]).join(", ");
            let sql = format!("SELECT * FROM {table} ORDER BY {key}");
            let mut rows = self.conn.prepare(&sql).unwrap();
            let columns = rows.column_count();
            let mut rows = rows.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let values: Vec<Value> = (0..columns).map(|at| row.get(at).unwrap()).collect();
                text.push_str(&format!("{table}: {values:?}\n"));
            }
        }
        text
    }
}

const TABLES: &str = "
SELECT name
FROM sqlite_schema
WHERE type = 'table'
ORDER BY name";

// SQLite's own table of what AUTOINCREMENT gave has no key: all its columns are.
const KEY: &str = "
SELECT name
FROM pragma_table_info(?1)
WHERE pk > 0 OR NOT EXISTS (SELECT 1 FROM pragma_table_info(?1) WHERE pk > 0)
ORDER BY pk, cid";
