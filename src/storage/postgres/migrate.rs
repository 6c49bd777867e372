//! The schema's numbered steps, by the numbers of SQLite's: which of them the schema has seen, whether
//! they are ours, applying the rest.

use std::sync::LazyLock;

use super::connect::Connection;
use super::errors;
use super::pq::Answer;
use super::value::{Many, Param, Row};
use crate::error::Result;
use crate::storage::steps::{Migration, Migrations, NEWEST, Schema, shown};

/// All steps in order.
const MIGRATIONS: Migrations = [
    Migration { id: 1, sql: include_str!("../../../migrations/postgres/0001_store.sql") },
    Migration { id: 2, sql: include_str!("../../../migrations/postgres/0002_runs.sql") },
    Migration { id: 3, sql: include_str!("../../../migrations/postgres/0003_steps.sql") },
    Migration { id: 4, sql: include_str!("../../../migrations/postgres/0004_budgets.sql") },
    Migration { id: 5, sql: include_str!("../../../migrations/postgres/0005_queues.sql") },
    Migration { id: 6, sql: include_str!("../../../migrations/postgres/0006_lists.sql") },
    Migration { id: 7, sql: include_str!("../../../migrations/postgres/0007_looks.sql") },
    Migration { id: 8, sql: include_str!("../../../migrations/postgres/0008_retention.sql") },
    Migration { id: 9, sql: include_str!("../../../migrations/postgres/0009_policy.sql") },
    Migration { id: 10, sql: include_str!("../../../migrations/postgres/0010_payloads.sql") },
    Migration { id: 11, sql: include_str!("../../../migrations/postgres/0011_lanes.sql") },
];

// What stands before the name of a table that a step makes.
const CREATES: &str = "CREATE TABLE $schema.";

const HAS_SCHEMA: &str = "
SELECT 1
FROM pg_namespace
WHERE '\"' || nspname || '\"' = $1";

// Of every kind, so that a view in the place of a table is seen.
const PARTS: &str = "
SELECT c.relname, c.relkind = 'r'
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE '\"' || n.nspname || '\"' = $1 AND c.relname LIKE 'sw\\_%' AND c.relkind IN ('r', 'v', 'm', 'f', 'p')
ORDER BY c.relname
LIMIT 1000";

const HAS_RECORDS: &str = "
SELECT 1
FROM pg_attribute AS a
JOIN pg_class AS c ON c.oid = a.attrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE '\"' || n.nspname || '\"' = $1 AND c.relname = 'sw_migrations' AND c.relkind = 'r'
    AND (a.attname, a.atttypid::regtype::text) IN (
        ('id', 'bigint'), ('introduced_version', 'text'), ('applied_time', 'bigint'), ('checksum', 'bytea')
    )";

const RECORDS: &str = "
SELECT id, checksum
FROM $schema.sw_migrations
ORDER BY id";

/// What each transaction asks that is to work with the schema.
const RECORDS_OURS: &str = "
SELECT count(*) = $count AND bool_and(coalesce(checksum = ($ours)[id::int], false))
FROM $schema.sw_migrations";

/// What one asks that waits for no answer: where the schema is another, nothing comes of it.
const RECORDS_GUARD: &str = "
SELECT 1 / (count(*) = $count AND bool_and(coalesce(checksum = ($ours)[id::int], false)))::int
FROM $schema.sw_migrations";

const RECORD_INSERT: &str = "
INSERT INTO $schema.sw_migrations (id, introduced_version, applied_time, checksum)
VALUES ($1, $2, $3, $4)";

const RECORDS_FULL: &str = "
SELECT id, introduced_version, applied_time
FROM $schema.sw_migrations
WHERE id < 1000000000
ORDER BY id";

const STORE_INSERT: &str = "
INSERT INTO $schema.sw_store (one, store_id, lineage, created_at_ms, clock_ms)
VALUES (1, $1, 1, $2, 0)
ON CONFLICT DO NOTHING";

/// Every statement of this file that names our tables, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[RECORDS, RECORD_INSERT, RECORDS_FULL, STORE_INSERT];

/// Returns the names of the tables that a step makes.
fn tables(step: &Migration) -> impl Iterator<Item = &'static str> {
    let rest = step.sql.lines().filter_map(|line| line.strip_prefix(CREATES));
    rest.filter_map(|rest| rest.split_whitespace().next())
}

/// Returns whether the schema is there at all.
pub(super) fn is_there(conn: &mut Connection) -> Result<bool> {
    let name = conn.schema().to_owned();
    Ok(conn.run(HAS_SCHEMA, &[&name])?.rows() > 0)
}

/// Writes our own records into a statement about those that are there: what each transaction asks is read by
/// the server once.
fn with_ours(sql: &str) -> String {
    let sums: Vec<[u8; 32]> = MIGRATIONS.iter().map(Migration::checksum).collect();
    let ours = format!("'{}'::bytea[]", Many(&sums).text().unwrap_or_default());
    sql.replace("$ours", &ours).replace("$count", &sums.len().to_string())
}

/// Puts the question whether the schema is the newest, for [`is_newest`] to read the answer.
pub(super) fn put_look(conn: &mut Connection) -> Result<()> {
    static LOOK: LazyLock<String> = LazyLock::new(|| with_ours(RECORDS_OURS));
    conn.put(&LOOK, &[])
}

/// Has the transaction undone where the schema is not the newest.
pub(super) fn put_guard(conn: &mut Connection) -> Result<()> {
    static GUARD: LazyLock<String> = LazyLock::new(|| with_ours(RECORDS_GUARD));
    conn.put(&GUARD, &[])
}

/// Returns whether it is, by what [`RECORDS_OURS`] answered.
pub(super) fn is_newest(answer: &Answer) -> bool {
    answer.value(0, 0) == Some(b"t")
}

/// Refuses a schema that is not the newest, and a store that is not in force; for one that any schema is
/// enough for, what is none of ours. Looks in the transaction that is open, or in one of its own.
pub(super) fn refuse_other(
    conn: &mut Connection,
    is_write: bool,
    is_schema_free: bool,
) -> Result<()> {
    let schema = inspect(conn)?;
    let refusal = match is_write {
        true => schema.write_refusal(is_schema_free),
        false => schema.refusal(is_schema_free),
    };
    match refusal {
        Some(refusal) => Err(refusal),
        None if is_schema_free || matches!(schema, Schema::Marked(_)) => Ok(()),
        None => Err(errors::migrated()),
    }
}

/// Reads what a schema is, without trusting that its tables are ours.
pub(super) fn inspect(conn: &mut Connection) -> Result<Schema> {
    let name = conn.schema().to_owned();
    let parts = conn.run(PARTS, &[&name])?;
    let parts: Vec<(String, bool)> = (0..parts.rows())
        .map(|at| Row::new(&parts, at))
        .map(|row| Ok((row.get(0)?, row.get(1)?)))
        .collect::<Result<_>>()?;
    let Some((first, _)) = parts.first() else { return Ok(Schema::Ours(0)) };
    if conn.run(HAS_RECORDS, &[&name])?.rows() != 4 {
        let why = format!("it has {first}, and no sw_migrations of ours");
        return Ok(Schema::Foreign(why));
    }
    let records = conn.run(RECORDS, &[])?;
    let records: Vec<(i64, Vec<u8>)> = (0..records.rows())
        .map(|at| Row::new(&records, at))
        .map(|row| Ok((row.get(0)?, row.get(1)?)))
        .collect::<Result<_>>()?;
    let schema = Schema::of(&records, &MIGRATIONS);
    let version = match schema {
        Schema::Ours(version) => version,
        Schema::Marked(_) => NEWEST,
        Schema::New(_) | Schema::Foreign(_) | Schema::Edited(_) => return Ok(schema),
    };
    Ok(stranger(&parts, version).map_or(schema, Schema::Foreign))
}

/// Says what of a schema of this version is not ours, or is not there.
fn stranger(parts: &[(String, bool)], version: i64) -> Option<String> {
    let steps = MIGRATIONS.iter().filter(|step| step.id <= version);
    let ours: Vec<&str> = steps.flat_map(tables).collect();
    let is_ours = |(name, is_table): &(String, bool)| *is_table && ours.contains(&name.as_str());
    if let Some((name, _)) = parts.iter().find(|part| !is_ours(part)) {
        return Some(format!("it has {name}, which is not ours"));
    }
    let is_there = |name: &&str| parts.iter().any(|(part, _)| part == name);
    let missing = ours.iter().find(|name| !is_there(name))?;
    Some(format!("it lacks {missing}"))
}

/// Applies the steps up to `target`, the newest if `None`, inside the transaction that is open.
/// Returns how many were applied now.
pub(super) fn apply(conn: &mut Connection, target: Option<i64>, now_ms: i64) -> Result<u32> {
    let (current, target) = inspect(conn)?.way(target)?;
    if current == 0 && target > 0 && !is_there(conn)? {
        conn.command("CREATE SCHEMA $schema")?;
    }
    let mut applied = 0;
    for migration in MIGRATIONS.iter().filter(|m| m.id > current && m.id <= target) {
        conn.command(migration.sql)?;
        let (version, checksum) = (migration.introduced_version(), migration.checksum());
        conn.run_once(RECORD_INSERT, &[&migration.id, &version, &now_ms, &checksum])?;
        applied += 1;
    }
    if current == 0 && applied > 0 {
        conn.run_once(STORE_INSERT, &[&crate::id::new_id().to_bytes(), &now_ms])?;
    }
    Ok(applied)
}

/// Returns how many steps are applied; 0 for a schema without our tables.
pub(super) fn version(conn: &mut Connection) -> Result<i64> {
    inspect(conn)?.version()
}

/// Returns the applied steps as JSON: `[{"id","introduced_version","applied_time"}]`, ascending.
pub(super) fn list(conn: &mut Connection) -> Result<String> {
    let name = conn.schema().to_owned();
    if conn.run(HAS_RECORDS, &[&name])?.rows() != 4 {
        return Ok("[]".into());
    }
    let rows = conn.run(RECORDS_FULL, &[])?;
    let step = |at| {
        let row = Row::new(&rows, at);
        Ok(shown(row.get(0)?, row.text(1)?.unwrap_or_default(), row.get(2)?))
    };
    let rows = (0..rows.rows()).map(step).collect::<Result<Vec<String>>>()?;
    Ok(format!("[{}]", rows.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_have_the_numbers_and_the_names_of_those_of_sqlite() {
        use crate::storage::sqlite::migrate;
        let of = |sql: &str| sql.lines().next().unwrap().to_owned();
        let theirs = migrate::MIGRATIONS.iter().map(|step| (step.id, of(step.sql)));
        let ours = MIGRATIONS.iter().map(|step| (step.id, of(step.sql)));
        assert!(ours.eq(theirs));
    }

    #[test]
    fn tables_that_are_missing_or_strange_are_named() {
        let ours: Vec<&str> = MIGRATIONS.iter().flat_map(tables).collect();
        let mut parts: Vec<(String, bool)> =
            ours.iter().map(|name| ((*name).to_owned(), true)).collect();
        assert_eq!(stranger(&parts, NEWEST), None);
        assert!(stranger(&parts, 7).unwrap().contains("sw_workflow_gone"));
        parts[0].1 = false;
        assert!(stranger(&parts, NEWEST).unwrap().contains("sw_migrations"));
        parts.remove(0);
        assert_eq!(stranger(&parts, NEWEST).unwrap(), "it lacks sw_migrations");
    }
}
