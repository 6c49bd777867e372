//! The schema's numbered steps: which the file has seen, whether they are ours, applying the rest.

use std::sync::{Arc, Mutex};

use rusqlite::{Connection, OptionalExtension, params};

use super::conn::Conn;
use super::errors::map;
use super::shape;
use crate::error::Result;
use crate::lock::Unpoisoned;
use crate::plant::{Plant, stands};
use crate::storage::steps::{Migration, Migrations, NEWEST, Schema, shown};

/// All steps in order. `tests/migrate.rs` holds this list against the folder.
pub const MIGRATIONS: Migrations = [
    Migration { id: 1, sql: include_str!("../../../migrations/0001_store.sql") },
    Migration { id: 2, sql: include_str!("../../../migrations/0002_runs.sql") },
    Migration { id: 3, sql: include_str!("../../../migrations/0003_steps.sql") },
    Migration { id: 4, sql: include_str!("../../../migrations/0004_budgets.sql") },
    Migration { id: 5, sql: include_str!("../../../migrations/0005_queues.sql") },
    Migration { id: 6, sql: include_str!("../../../migrations/0006_lists.sql") },
    Migration { id: 7, sql: include_str!("../../../migrations/0007_looks.sql") },
    Migration { id: 8, sql: include_str!("../../../migrations/0008_retention.sql") },
    Migration { id: 9, sql: include_str!("../../../migrations/0009_policy.sql") },
    Migration { id: 10, sql: include_str!("../../../migrations/0010_payloads.sql") },
    Migration { id: 11, sql: include_str!("../../../migrations/0011_lanes.sql") },
];

/// "smol" in the header of a file that was nobody's before.
const APPLICATION_ID: i64 = 0x736d_6f6c;

const HAS_RECORDS: &str = "
SELECT 1
FROM sqlite_schema
WHERE type = 'table' AND name = 'sw_migrations'";

const RECORDS: &str = "
SELECT id, checksum
FROM sw_migrations
ORDER BY id";

const RECORD_INSERT: &str = "
INSERT INTO sw_migrations (id, introduced_version, applied_time, checksum)
VALUES (?1, ?2, ?3, ?4)";

const RECORDS_FULL: &str = "
SELECT id, introduced_version, applied_time
FROM sw_migrations
WHERE id < 1000000000
ORDER BY id";

const STORE_INSERT: &str = "
INSERT INTO sw_store (one, store_id, lineage, created_at_ms, clock_ms)
VALUES (1, ?1, 1, ?2, 0)
ON CONFLICT DO NOTHING";

/// What the connections on a file last saw, good until SQLite's schema cookie moves.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    last: Arc<Mutex<Option<(i64, Schema)>>>,
}

impl Seen {
    /// Returns the file's schema, inside the transaction that is open on `conn`. The cookie is read
    /// each time, so that a migration by another process is never missed (P3). Nothing is changed in it
    /// yet: what is kept must be what is committed.
    pub fn look(&self, conn: &Conn) -> Result<Schema> {
        let cookie = cookie(conn)?;
        if let Some(schema) = self.known(cookie) {
            return Ok(schema);
        }
        let schema = inspect(conn)?;
        *self.last.lock().unpoisoned() = Some((cookie, schema.clone()));
        Ok(schema)
    }

    /// Returns the same in a transaction that may have changed it, of which nothing is kept.
    pub fn look_within(&self, conn: &Conn) -> Result<Schema> {
        self.known(cookie(conn)?).map_or_else(|| inspect(conn), Ok)
    }

    /// Forgets it, as it was read from a file that somebody was about to write.
    pub fn forget(&self) {
        *self.last.lock().unpoisoned() = None;
    }

    fn known(&self, cookie: i64) -> Option<Schema> {
        let last = self.last.lock().unpoisoned();
        last.as_ref().filter(|(seen, _)| *seen == cookie).map(|(_, schema)| schema.clone())
    }
}

fn cookie(conn: &Conn) -> Result<i64> {
    conn.ready("PRAGMA schema_version")?.query_row([], |row| row.get(0)).map_err(map)
}

/// Reads what schema a file has, without trusting that its tables are ours.
pub fn inspect(conn: &Connection) -> Result<Schema> {
    let parts = shape::parts(conn).map_err(map)?;
    let Some(first) = parts.first() else { return Ok(Schema::Ours(0)) };
    // What is read must be a table: a view could run without end.
    if !shape::has_records(&parts, MIGRATIONS[0].sql) {
        return Ok(Schema::Foreign(shape::without_records(first)));
    }
    let records = match records(conn) {
        Ok(records) => records,
        Err(rusqlite::Error::InvalidColumnType(..)) => {
            return Ok(Schema::Foreign("its sw_migrations has columns of another type".into()));
        }
        Err(error) => return Err(map(error)),
    };
    let schema = Schema::of(&records, &MIGRATIONS);
    let version = match schema {
        Schema::Ours(version) => version,
        Schema::Marked(_) => NEWEST,
        Schema::New(_) | Schema::Foreign(_) | Schema::Edited(_) => return Ok(schema),
    };
    let steps: Vec<&str> =
        MIGRATIONS.iter().filter(|step| step.id <= version).map(|step| step.sql).collect();
    let stranger = shape::stranger(conn, &parts, &steps)?.filter(|_| !stands(Plant::TrustSchema));
    Ok(stranger.map_or(schema, Schema::Foreign))
}

fn records(conn: &Connection) -> rusqlite::Result<Vec<(i64, Vec<u8>)>> {
    conn.prepare(RECORDS)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Applies the steps up to `target`, the newest if `None`, inside the transaction that is open.
/// Returns how many were applied now.
pub fn apply(conn: &Connection, target: Option<i64>, now_ms: i64) -> Result<u32> {
    apply_to(conn, inspect(conn)?, target, now_ms)
}

/// Does the same to a file that has this schema.
pub fn apply_to(
    conn: &Connection,
    schema: Schema,
    target: Option<i64>,
    now_ms: i64,
) -> Result<u32> {
    let (current, target) = schema.way(target)?;
    let mut applied = 0;
    for migration in MIGRATIONS.iter().filter(|m| m.id > current && m.id <= target) {
        apply_one(conn, migration, now_ms).map_err(map)?;
        applied += 1;
    }
    if current == 0 && applied > 0 {
        claim_file(conn, now_ms).map_err(map)?;
    }
    Ok(applied)
}

fn apply_one(conn: &Connection, migration: &Migration, now_ms: i64) -> rusqlite::Result<()> {
    conn.execute_batch(migration.sql)?;
    let checksum = migration.checksum();
    let version = migration.introduced_version();
    conn.execute(RECORD_INSERT, params![migration.id, version, now_ms, checksum.as_slice()])?;
    Ok(())
}

/// Says in a new file whose it is; the application id of a file that is somebody's stays.
fn claim_file(conn: &Connection, now_ms: i64) -> rusqlite::Result<()> {
    conn.execute(STORE_INSERT, params![crate::id::new_id().to_bytes().as_slice(), now_ms])?;
    let application_id: i64 = conn.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    if application_id == 0 {
        conn.execute_batch(&format!("PRAGMA application_id = {APPLICATION_ID}"))?;
    }
    Ok(())
}

/// Returns how many steps are applied; 0 for a file without our tables.
pub fn version(conn: &Connection) -> Result<i64> {
    inspect(conn)?.version()
}

/// Returns the applied steps as JSON: `[{"id","introduced_version","applied_time"}]`, ascending.
pub fn list(conn: &Connection) -> Result<String> {
    let has_any = conn.query_row(HAS_RECORDS, [], |_| Ok(())).optional().map_err(map)?.is_some();
    if !has_any {
        return Ok("[]".into());
    }
    let rows = list_rows(conn).map_err(map)?;
    Ok(format!("[{}]", rows.join(",")))
}

fn list_rows(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    conn.prepare(RECORDS_FULL)?
        .query_map([], |row| Ok(shown(row.get(0)?, &row.get::<_, String>(1)?, row.get(2)?)))?
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::conn::Conn;
    use super::super::tx::Tx;
    use super::*;
    use crate::domain::port::CheckPort;

    /// P3: what one connection has seen is good for the others until the schema moves.
    #[test]
    fn what_was_seen_of_a_schema_is_shared_until_that_moves() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Conn::new(Connection::open(folder.path().join("db")).unwrap());
        let (one, other, seen) = (open(), open(), Seen::default());
        assert_eq!(seen.look(&one).unwrap(), Schema::Ours(0));
        apply(&other, Some(3), 1).unwrap();
        assert_eq!(seen.look(&one).unwrap(), Schema::Ours(3));
        assert_eq!(seen.known(cookie(&other).unwrap()), Some(Schema::Ours(3)));

        other.execute_batch("BEGIN").unwrap();
        apply(&other, None, 1).unwrap();
        assert_eq!(seen.look_within(&other).unwrap(), Schema::Ours(NEWEST));
        other.execute_batch("ROLLBACK").unwrap();
        // Somebody else's table gets the number that the schema would have had.
        let moved = MIGRATIONS.iter().filter(|step| step.id > 3).map(|step| step.sql);
        let tables = moved.flat_map(|sql| sql.split(';')).count();
        for table in 0..tables {
            other.execute_batch(&format!("CREATE TABLE mine_{table} (a)")).unwrap();
            assert_eq!(seen.look(&one).unwrap(), Schema::Ours(3));
        }

        assert!(seen.known(cookie(&one).unwrap()).is_some());
        seen.forget();
        assert_eq!(seen.known(cookie(&one).unwrap()), None);
    }

    #[test]
    fn steps_are_numbered_from_1_without_gaps_and_name_their_version() {
        for (at, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(migration.id, at as i64 + 1);
            assert_eq!(migration.introduced_version(), "0.1.0");
        }
    }

    #[test]
    fn each_step_applies_to_the_one_before_and_the_records_say_so() {
        let conn = Conn::new(Connection::open_in_memory().unwrap());
        for target in 1..=NEWEST {
            assert_eq!(apply(&conn, Some(target), 8).unwrap(), 1);
            assert_eq!(inspect(&conn).unwrap(), Schema::Ours(target));
        }
        assert_eq!(apply(&conn, None, 8).unwrap(), 0);
        assert_eq!(apply(&conn, Some(1), 8).unwrap_err().code(), -27);
        assert_eq!(apply(&conn, Some(99), 8).unwrap_err().code(), -25);
        assert!(list(&conn).unwrap().starts_with(r#"[{"id":1,"introduced_version":"0.1.0""#));
    }

    /// By that a handle that is open learns of it, one of an older library too.
    #[test]
    fn each_step_changes_what_sqlite_knows_of_the_schema() {
        let conn = Conn::new(Connection::open_in_memory().unwrap());
        let cookie = || conn.query_row("PRAGMA schema_version", [], |row| row.get::<_, i64>(0));
        for target in 1..=NEWEST {
            let before = cookie().unwrap();
            apply(&conn, Some(target), 8).unwrap();
            assert_ne!(cookie().unwrap(), before, "step {target}");
        }
    }

    #[test]
    fn an_edited_a_newer_and_a_foreign_schema_are_told_apart() {
        let conn = Conn::new(Connection::open_in_memory().unwrap());
        apply(&conn, None, 8).unwrap();
        conn.execute_batch("UPDATE sw_migrations SET checksum = x'00' WHERE id = 2").unwrap();
        assert_eq!(inspect(&conn).unwrap(), Schema::Edited(2));
        let conn = Conn::new(Connection::open_in_memory().unwrap());
        apply(&conn, None, 8).unwrap();
        conn.execute(RECORD_INSERT, params![NEWEST + 1, "9.9.9", 1, [0u8].as_slice()]).unwrap();
        assert_eq!(inspect(&conn).unwrap(), Schema::New(NEWEST + 1));
        let conn = Conn::new(Connection::open_in_memory().unwrap());
        conn.execute_batch("CREATE TABLE sw_workflow_runs (x)").unwrap();
        assert!(matches!(inspect(&conn).unwrap(), Schema::Foreign(_)));
        let conn = Conn::new(Connection::open_in_memory().unwrap());
        conn.execute_batch("CREATE TABLE sw_migrations (id INTEGER PRIMARY KEY, applied_time)")
            .unwrap();
        assert!(matches!(inspect(&conn).unwrap(), Schema::Foreign(_)));
    }

    /// Lane 1 is open to all and of no run, 2 was of an owner that is gone, 3 is of one that lives.
    const LANES_OF_OWNERS: &str = "
INSERT INTO sw_workflow_owners VALUES (7, 1, x'07', 1, 1);
INSERT INTO sw_workflow_lanes (lane_key, queue, workflow, code_version, owner_key, claimed_at_ms)
VALUES (1, 'q', 'w', 'old', 0, NULL), (2, 'q', 'w', '', -6, 5), (3, 'q', 'w', '', 7, NULL);
INSERT INTO sw_workflow_marks
VALUES (1, 'q', 0), (2, 'w', 0), (3, '', 0), (4, 1, 0), (5, 0, 0);
INSERT INTO sw_workflow_runs (
    run_key, run_id, lane_key, root_key, parent_key, outcome, finished_at_ms, created_at_ms, priority
)
VALUES (1, x'01', 2, NULL, NULL, 1, 2, 1, 0), (2, x'02', 3, 1, 1, NULL, NULL, 1, 0);
INSERT INTO sw_workflow_tasks (
    task_key, lane_key, state, priority, due_at_ms, fence, failures, losses, flags, waits_left
)
VALUES (2, 3, 4, 0, 1, 1, 0, 0, 8, 0);
INSERT INTO sw_budget_balances (root_key, unit, limit_amount, reserved, spent)
VALUES (1, 't', 9, 0, 7);
INSERT INTO sw_budget_ledger
VALUES (1, 1, 1, 1, 't', 1, 2, '', 3, 1), (2, 1, 1, 2, 't', 2, 3, '', 4, 1);
INSERT INTO sw_budget_totals VALUES (1, 't', 2, '', 3, 1), (1, 't', 3, '', 4, 1)";

    #[test]
    fn runs_and_what_they_spent_come_to_name_lanes_that_are_open_to_all() {
        let conn = Conn::new(Connection::open_in_memory().unwrap());
        apply(&conn, Some(10), 8).unwrap();
        conn.execute_batch(LANES_OF_OWNERS).unwrap();
        apply(&conn, None, 8).unwrap();
        assert_eq!(Tx::new(&conn).faults(9).unwrap(), []);
        let lanes = "SELECT group_concat(owner_key || ':' || coalesce(claimed_at_ms, '-'), ' ')
            FROM (SELECT * FROM sw_workflow_lanes ORDER BY owner_key)";
        let of = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
        assert_eq!(of(lanes), "0:5 7:-");
        assert_eq!(of("SELECT spent || ' ' || entries FROM sw_budget_totals"), "7 2");
    }

    #[test]
    fn the_application_id_of_somebodys_file_stays() {
        let conn = Conn::new(Connection::open_in_memory().unwrap());
        conn.execute_batch("PRAGMA application_id = 5; CREATE TABLE mine (x)").unwrap();
        apply(&conn, None, 8).unwrap();
        let id: i64 = conn.query_row("PRAGMA application_id", [], |row| row.get(0)).unwrap();
        assert_eq!(id, 5);
    }
}
