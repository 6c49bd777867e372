//! Parts of a schema that somebody added to ours, or put in their place.

use std::path::Path;

use rusqlite::Connection;

use super::File;
use super::made::tables;
use super::support::audit::connect;

macro_rules! trigger {
    ($when:literal) => {
        concat!(
            "CREATE TRIGGER evil ",
            $when,
            " ON {t} BEGIN INSERT INTO run_by_us VALUES (1); END"
        )
    };
}

/// What somebody made of one table of ours: a name for it, and the statements. `{t}` is the table, `{c}`
/// its first column.
const OF_A_TABLE: [(&str, &str); 19] = [
    ("a trigger before inserts", trigger!("BEFORE INSERT")),
    ("a trigger after inserts", trigger!("AFTER INSERT")),
    ("a trigger before updates", trigger!("BEFORE UPDATE")),
    ("a trigger after updates", trigger!("AFTER UPDATE")),
    ("a trigger before deletes", trigger!("BEFORE DELETE")),
    ("a trigger after deletes", trigger!("AFTER DELETE")),
    (
        "a trigger without end",
        "CREATE TRIGGER evil AFTER INSERT ON {t} BEGIN
            INSERT INTO run_by_us WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
            SELECT i FROM n; END",
    ),
    ("a view in its place", VIEW),
    ("a view without end", ENDLESS_VIEW),
    ("a table of other columns", "DROP TABLE {t}; CREATE TABLE {t} (x)"),
    ("no table", "DROP TABLE {t}"),
    ("its name in capitals", "ALTER TABLE {t} RENAME TO other; CREATE TABLE SW_other (x)"),
    ("a generated column", "ALTER TABLE {t} ADD COLUMN evil TEXT AS (hex(zeroblob(1000))) VIRTUAL"),
    ("a column with a rule", "ALTER TABLE {t} ADD COLUMN evil TEXT CHECK (evil GLOB '*a*b*')"),
    ("an index of an expression", "CREATE INDEX evil ON {t} (printf('%.*c', 9, 'x'))"),
    ("an index of some rows", "CREATE INDEX evil ON {t} ({c}) WHERE like('%a%b%', {c})"),
    ("an index that refuses", "CREATE UNIQUE INDEX evil ON {t} (1 + 1) WHERE {c} IS NULL"),
    (
        "another text in the schema",
        "PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = replace(sql, ' STRICT', '') || ' ' WHERE name = '{t}';",
    ),
    (
        "a table that refers to it",
        "PRAGMA foreign_keys = OFF;
        CREATE TABLE evil (x REFERENCES {t} ({c}) ON DELETE CASCADE ON UPDATE CASCADE);
        CREATE TRIGGER evil_too AFTER DELETE ON evil BEGIN INSERT INTO run_by_us VALUES (1); END;
        INSERT INTO evil SELECT {c} FROM {t}",
    ),
];

/// What somebody made beside ours, that our own statements would meet.
const BESIDE: [(&str, &str); 5] = [
    ("a view named as a function", "CREATE VIEW json_each AS SELECT 1 AS value, 1 AS key"),
    (
        "one in capitals, without end",
        "CREATE VIEW JSON_Each AS WITH RECURSIVE n (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n)
            SELECT value, value AS key FROM n",
    ),
    ("a table named as a function", "CREATE TABLE json_tree (value, key)"),
    ("a table named as a pragma", "CREATE TABLE pragma_foreign_key_list (x, \"table\")"),
    ("a table that looks like ours", "CREATE TABLE sw_more (x)"),
];

const VIEW: &str = "
ALTER TABLE {t} RENAME TO other;
CREATE VIEW {t} AS SELECT * FROM other;
CREATE TRIGGER evil INSTEAD OF INSERT ON {t} BEGIN INSERT INTO run_by_us VALUES (1); END;
CREATE TRIGGER evil_too INSTEAD OF UPDATE ON {t} BEGIN INSERT INTO run_by_us VALUES (2); END;
CREATE TRIGGER evil_three INSTEAD OF DELETE ON {t} BEGIN INSERT INTO run_by_us VALUES (3); END";

const ENDLESS_VIEW: &str = "
ALTER TABLE {t} RENAME TO other;
CREATE VIEW {t} AS WITH RECURSIVE n AS (SELECT * FROM other UNION ALL SELECT * FROM n) SELECT * FROM n";

/// Where what the file's own statements do is seen.
const SEEN: &str = "PRAGMA synchronous = OFF; CREATE TABLE run_by_us (x)";

/// Returns the name of a table's first column.
fn first_column(conn: &Connection, table: &str) -> String {
    let sql = "SELECT name FROM pragma_table_info(?1) WHERE cid = 0";
    conn.query_row(sql, [table], |row| row.get(0)).unwrap()
}

/// Every kind of thing on every table of ours, and what stands beside them.
pub fn files(db: &Path) -> Vec<File> {
    let conn = connect(db);
    let tables = tables(db);
    let of_tables = tables.iter().flat_map(|table| {
        let column = first_column(&conn, table);
        OF_A_TABLE.iter().map(move |(what, sql)| {
            let sql = sql.replace("{t}", table).replace("{c}", &column);
            file(format!("{what} on {table}"), sql)
        })
    });
    let beside = BESIDE.iter().map(|(what, sql)| file((*what).to_owned(), (*sql).to_owned()));
    of_tables.chain(beside).collect()
}

fn file(name: String, sql: String) -> File {
    let spoil = move |db: &Path| {
        let conn = connect(db);
        conn.execute_batch(SEEN).unwrap();
        let made = conn.execute_batch(&sql);
        made.is_ok_and(|()| conn.close().is_ok())
    };
    File { name, spoil: Box::new(spoil) }
}
