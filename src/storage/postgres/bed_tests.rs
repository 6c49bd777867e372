//! The beds of PostgreSQL's: what the claims of [`crate::storage::conformance`] run on. Each is a schema
//! of its own in the database that `SW_POSTGRES_URL` names, and goes with its bed.

use std::sync::Arc;
use std::time::Duration;

use super::connect::Connection;
use super::memory::Common;
use super::migrate;
use super::pq::Answer;
use super::tx::Tx;
use super::url::Place;
use crate::domain::news::News;
use crate::domain::port::Port;
use crate::storage::conformance::Bed;

/// Where the tests find a server.
pub(in crate::storage) const URL: &str = "SW_POSTGRES_URL";

/// Returns the URL of a server for the tests; without one they say so, and fail where nothing may be
/// missing.
#[allow(clippy::print_stdout, reason = "a skip is told")]
pub(in crate::storage) fn server() -> Option<String> {
    let url = std::env::var(URL).ok();
    if url.is_none() {
        assert!(std::env::var("SW_REQUIRE_ALL").is_err(), "{URL} names no server");
        println!("skipped: {URL} names no server, scripts/postgres.sh starts one");
    }
    url
}

/// Returns the URL of a store of its own on that server.
pub(super) fn own_url(url: &str) -> (String, String) {
    let schema = format!("sw_test_{:x}", crate::id::new_id().token());
    let sign = if url.contains('?') { '&' } else { '?' };
    // The host's own tables, too, stand in a place of their own.
    let path = format!("options=-csearch_path%3D{schema}");
    (format!("{url}{sign}sw_schema={schema}&{path}"), schema)
}

/// A store on a connection of its own.
struct PostgresBed {
    conn: Connection,
    news: News,
}

/// Makes a store; `None` without a server.
pub(in crate::storage) fn in_a_schema() -> Option<Box<dyn Bed>> {
    let (url, _) = own_url(&server()?);
    let place = Place::read(&url).unwrap();
    let common = Arc::new(Common::default());
    let mut conn = Connection::open(&place, &common, Duration::from_secs(10)).unwrap();
    conn.begin("BEGIN").unwrap();
    migrate::apply(&mut conn, None, 1).unwrap();
    conn.commit().unwrap();
    conn.command("SET synchronous_commit = off").unwrap();
    Some(Box::new(PostgresBed { conn, news: News::default() }))
}

impl Drop for PostgresBed {
    fn drop(&mut self) {
        // After a claim that failed in the midst of a transaction, too.
        self.conn.roll_back();
        let dropped = self.conn.command("DROP SCHEMA $schema CASCADE");
        assert!(dropped.is_ok() || std::thread::panicking(), "{dropped:?}");
    }
}

impl Bed for PostgresBed {
    fn transact(&mut self, is_kept: bool, work: &mut dyn FnMut(&mut dyn Port)) {
        self.conn.begin("BEGIN").unwrap();
        let mut tx = Tx::new(&mut self.conn);
        work(&mut tx);
        self.news = tx.news();
        // A statement that was refused has undone all there was.
        match self.conn.fault() {
            None if is_kept => self.conn.commit().unwrap(),
            _ => self.conn.roll_back(),
        }
    }

    fn news(&self) -> News {
        self.news
    }

    fn keeps_newest(&self) -> bool {
        false
    }

    fn shares_payloads(&self) -> bool {
        false
    }

    fn dump(&mut self) -> String {
        let mut text = String::new();
        let tables = self.conn.run_once(TABLES, &[]).unwrap();
        for at in 0..tables.rows() {
            let of =
                |column| String::from_utf8(tables.value(at, column).unwrap().to_vec()).unwrap();
            let (table, key) = (of(0), of(1));
            let sql = format!("SELECT * FROM $schema.{table} ORDER BY {key}");
            let rows = self.conn.run_once(&sql, &[]).unwrap();
            for row in 0..rows.rows() {
                let values = (0..rows.columns()).map(|column| shown(&rows, row, column));
                text.push_str(&format!("{table}: [{}]\n", values.collect::<Vec<_>>().join(", ")));
            }
        }
        text
    }
}

/// Shows a value as every bed does.
fn shown(rows: &Answer, row: usize, column: usize) -> String {
    const WHOLE: [u32; 3] = [20, 23, 21];
    const BYTES: [u32; 2] = [17, 2950];
    let Some(value) = rows.value(row, column) else { return "Null".into() };
    let text = std::str::from_utf8(value).unwrap();
    match rows.column(column).1 {
        16 => format!("Integer({})", u8::from(text == "t")),
        kind if WHOLE.contains(&kind) => format!("Integer({text})"),
        kind if BYTES.contains(&kind) => format!("Blob({text})"),
        _ => format!("Text({text:?})"),
    }
}

const TABLES: &str = "
SELECT c.relname, coalesce(
    (
        SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.place)
        FROM pg_index AS i
        CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.attnum
        WHERE i.indrelid = c.oid AND i.indisprimary
    ),
    '1'
)
FROM pg_class AS c
WHERE c.relnamespace = '$schema'::regnamespace AND c.relkind = 'r'
ORDER BY c.relname";
