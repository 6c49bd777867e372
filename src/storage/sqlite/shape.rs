//! What SQLite's own schema says of our tables: exactly what the steps left, and nothing beside.
//!
//! A trigger on a table of ours, a view in its place, an index or a rule of somebody's would be run by our
//! own statements, with our rights and without end. So would what a table of the host's does that refers
//! to one of ours, and a view named as a function that our statements call.

use rusqlite::{Connection, OptionalExtension};

use super::errors::map;
use crate::error::Result;

/// The parts of the schema that are ours, or stand in the way of ours. Bounded: ours are fewer.
const PARTS: &str = "
SELECT type, name, tbl_name, sql
FROM sqlite_schema
WHERE name LIKE 'sw!_%' ESCAPE '!' OR tbl_name LIKE 'sw!_%' ESCAPE '!'
    OR name LIKE 'pragma!_%' ESCAPE '!'
    OR name LIKE 'json!_each' ESCAPE '!' OR name LIKE 'json!_tree' ESCAPE '!'
ORDER BY rowid
LIMIT 500";

/// A table that refers to one of ours; of those alone whose text has such a name.
const REFERRER: &str = r#"
SELECT s.name
FROM sqlite_schema AS s, pragma_foreign_key_list(s.name) AS k
WHERE s.type = 'table' AND s.sql LIKE '%sw!_%' ESCAPE '!' AND k."table" LIKE 'sw!_%' ESCAPE '!'
LIMIT 1"#;

/// Every statement of this file. They walk the schema, when it has changed.
pub(super) const STATEMENTS: &[&str] = &[PARTS, REFERRER];

/// What the parts are after each step, hashed: to read them is cheaper than to make them each time.
const AFTER: [&str; 11] = [
    "0b43ca016c9ecb8af5fd8317dcd8a9c7",
    "270f5add047b5b7a25a821935ab2b712",
    "7e5061edf09a27de8858128654adf21f",
    "f0243d06bc2e7c48f24a3cd396f7fafe",
    "db23efec40e45c4229e7d76555b74b08",
    "c7ec35680400d9183e76af74fec6e4b0",
    "0575815bf8b1fcc18698d9baeadd0654",
    "44db14cf213b29e32d687ad0173d95df",
    "b9c887ff1406fd7993f646857710512d",
    "e7a19a090a0f207ce0f5f5e65121625f",
    "23193d10fd5b041c14bbba316e7f6c56",
];

/// One part of a schema.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    kind: String,
    name: String,
    table: String,
    sql: Option<String>,
}

/// Reads what of a schema is ours, or stands in the way of ours.
pub fn parts(conn: &Connection) -> rusqlite::Result<Vec<Part>> {
    let read = |row: &rusqlite::Row<'_>| {
        let (kind, name, table, sql) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        Ok(Part { kind, name, table, sql })
    };
    let mut parts: Vec<Part> =
        conn.prepare(PARTS)?.query_map([], read)?.collect::<rusqlite::Result<_>>()?;
    // Where a part stands changes when the file is vacuumed.
    parts.sort_unstable();
    Ok(parts)
}

/// Says why what has no table of records is no store of ours; `first` is what it has.
pub fn without_records(first: &Part) -> String {
    if first.name.eq_ignore_ascii_case("sw_migrations") {
        return "its sw_migrations is not as the library makes it".into();
    }
    format!("it has the {} {}, but no sw_migrations", first.kind, first.name)
}

/// Returns whether the table of records is as this step makes it, the first, so that it may be read.
pub fn has_records(parts: &[Part], first_step: &str) -> bool {
    parts.iter().any(|part| {
        (part.kind.as_str(), part.name.as_str()) == ("table", "sw_migrations")
            && part.sql.as_ref().is_some_and(|sql| first_step.contains(sql.as_str()))
    })
}

/// Says what is not as these steps left it, the first ones; `None` for a schema that is.
pub fn stranger(conn: &Connection, parts: &[Part], steps: &[&str]) -> Result<Option<String>> {
    let expected = steps.len().checked_sub(1).and_then(|at| AFTER.get(at));
    if expected.is_none_or(|expected| hash_of(parts) != *expected) {
        return difference(parts, steps).map(Some).map_err(map);
    }
    Ok(referrer(conn)?.map(|table| {
        format!("its table {table} refers to a table of the library's by a foreign key")
    }))
}

/// Returns a table of the host's that refers to one of ours.
pub fn referrer(conn: &Connection) -> Result<Option<String>> {
    conn.query_row(REFERRER, [], |row| row.get(0)).optional().map_err(map)
}

fn hash_of(parts: &[Part]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        for text in [&part.kind, &part.name, &part.table] {
            hasher.update(text.as_bytes()).update(&[0]);
        }
        hasher.update(part.sql.as_deref().unwrap_or_default().as_bytes()).update(&[0]);
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

/// Names the first part that is not as it should be, beside a schema that the steps make anew.
fn difference(parts: &[Part], steps: &[&str]) -> rusqlite::Result<String> {
    let own = Connection::open_in_memory()?;
    for step in steps {
        own.execute_batch(step)?;
    }
    let expected = self::parts(&own)?;
    let is_known =
        |part: &&Part| expected.iter().any(|it| (&it.kind, &it.name) == (&part.kind, &part.name));
    if let Some(part) = parts.iter().find(|part| !is_known(part)) {
        return Ok(format!("it has the {} {}, which is not of the library", part.kind, part.name));
    }
    let changed = expected.iter().find(|part| !parts.contains(part));
    Ok(match changed {
        Some(part) if parts.iter().any(|it| it.name == part.name) => {
            format!("its {} {} is not as the library makes it", part.kind, part.name)
        }
        Some(part) => format!("it lacks the {} {}", part.kind, part.name),
        None => "its sw_* tables are not as the library makes them".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::conn::Conn;
    use super::*;
    use crate::storage::sqlite::migrate::{MIGRATIONS, apply, inspect};
    use crate::storage::steps::{NEWEST, Schema};

    #[test]
    fn the_parts_after_each_step_are_those_that_are_noted() {
        let conn = Conn::new(Connection::open_in_memory().unwrap());
        let hashes = (1..=NEWEST).map(|target| {
            apply_one(&conn, target);
            hash_of(&parts(&conn).unwrap())
        });
        assert_eq!(hashes.collect::<Vec<_>>(), AFTER);
    }

    fn apply_one(conn: &Conn, id: i64) {
        let migration = MIGRATIONS.iter().find(|migration| migration.id == id).unwrap();
        conn.execute_batch(migration.sql).unwrap();
    }

    /// Says why a store is refused after a change of its schema.
    fn refusal(change: &str) -> String {
        let conn = Conn::new(Connection::open_in_memory().unwrap());
        apply(&conn, None, 8).unwrap();
        conn.execute_batch(change).unwrap();
        match inspect(&conn).unwrap() {
            Schema::Foreign(why) => why,
            Schema::Ours(_) | Schema::New(_) | Schema::Edited(_) | Schema::Marked(_) => {
                String::from("nothing")
            }
        }
    }

    #[test]
    fn what_is_not_ours_is_named() {
        for (change, why) in [
            ("CREATE TABLE mine (x)", "nothing"),
            ("CREATE TABLE mine (run_id); CREATE INDEX mine_too ON mine (run_id)", "nothing"),
            ("CREATE VIEW mine AS SELECT * FROM sw_workflow_runs", "nothing"),
            (
                "CREATE TRIGGER mine AFTER INSERT ON sw_workflow_runs BEGIN SELECT 1; END",
                "it has the trigger mine, which is not of the library",
            ),
            (
                "CREATE INDEX mine ON sw_workflow_runs (created_at_ms)",
                "it has the index mine, which is not of the library",
            ),
            ("DROP INDEX runs_by_id", "it lacks the index runs_by_id"),
            (
                "ALTER TABLE sw_workflow_events ADD COLUMN mine TEXT",
                "its table sw_workflow_events is not as the library makes it",
            ),
            (
                "CREATE VIEW Json_Each AS SELECT 1",
                "it has the view Json_Each, which is not of the library",
            ),
            (
                "CREATE TABLE mine (x REFERENCES sw_workflow_runs)",
                "its table mine refers to a table of the library's by a foreign key",
            ),
        ] {
            assert_eq!(refusal(change), why, "{change}");
        }
    }

    #[test]
    fn what_stands_in_the_way_is_named_before_there_is_a_store() {
        for (change, is_refused) in [
            ("CREATE TABLE mine (x)", false),
            ("CREATE VIEW sw_migrations AS SELECT 1 AS id, x'' AS checksum", true),
            ("CREATE VIEW json_each AS SELECT 1 AS value", true),
            ("CREATE TABLE pragma_mine (x)", true),
        ] {
            let conn = Conn::new(Connection::open_in_memory().unwrap());
            conn.execute_batch(change).unwrap();
            let is_foreign = matches!(inspect(&conn).unwrap(), Schema::Foreign(_));
            assert_eq!(is_foreign, is_refused, "{change}");
        }
    }
}
