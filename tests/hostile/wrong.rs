//! Values that no call puts into our tables, and bytes that nobody wrote.

use std::path::Path;

use rusqlite::Connection;

use super::File;
use super::made::tables;
use super::support::Draws;
use super::support::audit::{all, connect};

// ---------------------------------------------------------------------------------------------
// Values

const INTEGERS: [&str; 13] = [
    "NULL",
    "-9223372036854775808",
    "-9223372036854775807",
    "-1",
    "0",
    "1",
    "2",
    "7",
    "255",
    "4294967295",
    "9007199254740993",
    "4611686018427387905",
    "9223372036854775807",
];

const TEXTS: [&str; 15] = [
    "NULL",
    "''",
    "'@1'",
    "'@9223372036854775807'",
    "'@x'",
    "'x'",
    "'{}'",
    "'[1'",
    "'null'",
    "'-1e999999999'",
    "'{\"a\":1,\"a\":{\"a\":[2]}}'",
    "CAST(x'22FF22' AS TEXT)",
    "'\"' || char(0) || '\"'",
    "replace(hex(zeroblob(500000)), '0', 'a')",
    "replace(hex(zeroblob(500000)), '0', '[')",
];

const BLOBS: [&str; 7] = [
    "NULL",
    "x''",
    "x'00'",
    "zeroblob(16)",
    "x'FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF'",
    "zeroblob(32)",
    "zeroblob(1000000)",
];

/// Rows that refer to each other as no call lets them.
const TANGLES: [&str; 14] = [
    "UPDATE sw_workflow_runs SET parent_key = run_key, root_key = run_key",
    "UPDATE sw_workflow_runs SET parent_key = run_key, root_key = run_key WHERE outcome IS NULL",
    "UPDATE sw_workflow_runs SET parent_key = (SELECT max(run_key) FROM sw_workflow_runs),
        root_key = (SELECT min(run_key) FROM sw_workflow_runs)",
    "UPDATE sw_workflow_runs SET parent_key = 1 + run_key % (SELECT max(run_key) FROM sw_workflow_runs),
        root_key = 1",
    "UPDATE sw_workflow_runs SET forked_from = run_key",
    "UPDATE sw_workflow_runs SET outcome = 4",
    "UPDATE sw_workflow_runs SET outcome = NULL",
    "UPDATE OR IGNORE sw_workflow_waits SET target_key = task_key",
    "UPDATE sw_workflow_tasks SET state = 1, wake_at_ms = NULL",
    "UPDATE sw_workflow_tasks SET state = 3, wake_at_ms = 0",
    "UPDATE sw_workflow_tasks SET state = 5, gate = 'k'",
    "INSERT OR IGNORE INTO sw_workflow_cascades SELECT run_key, 0 FROM sw_workflow_runs",
    "DELETE FROM sw_workflow_lanes",
    "UPDATE sqlite_sequence SET seq = 9223372036854775807",
];

/// Each value in each column of each table of ours, in all its rows.
pub fn values(db: &Path) -> Vec<File> {
    let conn = connect(db);
    let mut files: Vec<File> = TANGLES.iter().map(|sql| by_sql(sql)).collect();
    for table in tables(db) {
        let sql = format!("SELECT name, type FROM pragma_table_info('{table}')");
        let columns: Vec<(String, String)> = all(&conn, &sql, |row| Ok((row.get(0)?, row.get(1)?)));
        for (column, kind) in columns {
            let values = match kind.as_str() {
                "INTEGER" => &INTEGERS[..],
                "TEXT" => &TEXTS[..],
                "BLOB" => &BLOBS[..],
                _ => &[&INTEGERS[..], &TEXTS[..], &BLOBS[..]].concat()[..],
            };
            let update =
                |value: &&str| by_sql(&format!("UPDATE OR IGNORE {table} SET {column} = {value}"));
            files.extend(values.iter().map(update));
        }
    }
    files
}

/// What a statement makes; one that the schema's own rules refuse leaves the file as it was.
fn by_sql(sql: &str) -> File {
    let text = sql.to_owned();
    let spoil = move |db: &Path| {
        let conn = connect(db);
        conn.execute_batch("PRAGMA synchronous = OFF").unwrap();
        let _ = conn.execute_batch(&text);
        conn.close().is_ok()
    };
    File { name: sql.split_whitespace().collect::<Vec<_>>().join(" "), spoil: Box::new(spoil) }
}

// ---------------------------------------------------------------------------------------------
// Bytes

/// Fields of a database's first page: where they stand, and how many bytes they have.
const HEADER: [(&str, usize, usize); 15] = [
    ("page size", 16, 2),
    ("write version", 18, 1),
    ("read version", 19, 1),
    ("reserved bytes", 20, 1),
    ("payload fractions", 21, 3),
    ("change counter", 24, 4),
    ("pages", 28, 4),
    ("first free page", 32, 4),
    ("free pages", 36, 4),
    ("schema cookie", 40, 4),
    ("schema format", 44, 4),
    ("largest root", 52, 4),
    ("encoding", 56, 4),
    ("incremental", 64, 4),
    ("version valid for", 92, 4),
];

/// What stands beside the file.
const BESIDE: [&str; 4] = ["-wal", "-shm", "-journal", "-smolwf"];

/// Pages spoilt in so many ways each, the header field by field, and what stands beside the file.
pub fn bytes(db: &Path, seed: u64, ways: u64) -> Vec<File> {
    let pages = std::fs::metadata(db).unwrap().len() / PAGE as u64;
    let mut draws = Draws::of(seed);
    let mut files = Vec::new();
    for (field, at, len) in HEADER {
        for byte in [0_u8, 1, 2, 3, 16, 127, 128, 255] {
            let name = format!("{field} of {byte:#x}");
            files.push(by_bytes(name, move |bytes| bytes[at + len - 1] = byte));
            let name = format!("{field} of {byte:#x} throughout");
            files.push(by_bytes(name, move |bytes| bytes[at..at + len].fill(byte)));
        }
    }
    for page in 0..pages as usize {
        files.extend((0..ways).map(|way| spoilt_page(page, way, &mut draws, pages as usize)));
    }
    for name in BESIDE {
        files.extend((0..6).map(|way| beside(name, way, draws.next())));
    }
    files
}

const PAGE: usize = 4096;

fn spoilt_page(page: usize, way: u64, draws: &mut Draws, pages: usize) -> File {
    let (at, drawn) = (draws.below(PAGE as u64) as usize, draws.next());
    let (from, place) = ((drawn % pages as u64) as usize, page * PAGE);
    // The head of a page says how the rest is read.
    let head = at % 12 + if page == 0 { 100 } else { 0 };
    let what = ["a bit", "a byte of the head", "bytes", "zeroes", "another page", "a cell pointer"];
    let name = format!("page {page} with {} at {at} ({drawn:#x})", what[way as usize % what.len()]);
    by_bytes(name, move |bytes| match way % 6 {
        0 => bytes[place + at] ^= 1 << (drawn % 8),
        1 => bytes[place + head] = drawn as u8,
        2 => {
            let end = (place + at + 8).min(bytes.len());
            bytes[place + at..end].copy_from_slice(&drawn.to_le_bytes()[..end - place - at]);
        }
        3 => bytes[place + at..place + PAGE].fill(0),
        4 => bytes.copy_within(from * PAGE..(from + 1) * PAGE, place),
        _ => bytes[place + 8 + at % 60] = drawn as u8,
    })
}

fn by_bytes(name: String, spoil: impl Fn(&mut Vec<u8>) + 'static) -> File {
    let spoil = move |db: &Path| {
        let mut bytes = std::fs::read(db).unwrap();
        spoil(&mut bytes);
        std::fs::write(db, bytes).is_ok()
    };
    File { name, spoil: Box::new(spoil) }
}

/// A file beside the store that somebody else put there, or that was spoilt.
fn beside(suffix: &'static str, way: u64, drawn: u64) -> File {
    let spoil = move |db: &Path| {
        let path = db.with_file_name(format!("db{suffix}"));
        let mut bytes = match (suffix, way) {
            ("-journal", 0..4) => journal(db),
            (_, 0..4) => left(db, suffix),
            (_, 4) => drawn.to_le_bytes().repeat(3_000),
            _ => vec![0; 33_000],
        };
        let len = bytes.len() as u64;
        if way < 4 && len > 0 {
            let places =
                [drawn % len, drawn % len.min(32), drawn % len.min(100), drawn % len.min(4_200)];
            bytes[places[way as usize] as usize] ^= 1 << (drawn % 8);
        }
        std::fs::write(path, bytes).is_ok()
    };
    File { name: format!("{suffix} spoilt in way {way} ({drawn:#x})"), spoil: Box::new(spoil) }
}

/// What a program that dies in the middle leaves beside a copy of the file.
fn left(db: &Path, suffix: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("db");
    std::fs::copy(db, &other).unwrap();
    let conn = connect(&other);
    conn.execute_batch("UPDATE mine SET note = hex(zeroblob(9000))").unwrap();
    std::fs::read(folder.path().join(format!("db{suffix}"))).unwrap_or_else(|_| vec![0x5A; 4096])
}

/// A journal of a transaction that was cut off, as it stands beside a file without a log.
fn journal(db: &Path) -> Vec<u8> {
    let conn = Connection::open(db).unwrap();
    conn.execute_batch("PRAGMA journal_mode = PERSIST; UPDATE mine SET note = 'x'").unwrap();
    drop(conn);
    let mut bytes = std::fs::read(db.with_file_name("db-journal")).unwrap();
    bytes[..8].copy_from_slice(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7");
    bytes
}
