//! The rows of a store that is moved, and its mark. What this backend finds rows by (marks of blocks,
//! where lanes begin, payloads by their hashes) is made anew as they come.
//!
//! A statement is made for each table from the list of its columns, which all backends share.

use rusqlite::types::{ToSql, ToSqlOutput, Value, ValueRef};
use rusqlite::{Row, Statement, params_from_iter};

use super::errors::map;
use super::tx::Tx;
use crate::domain::port::{Cell, GraduatePort, Identity, Outcome, Portion, RunKey, Table};
use crate::error::{Error, Result};
use crate::limits::LEFT_BEHIND_MAX;
use crate::storage::steps;
use crate::storage::tables::{Columns, Holds, columns};

const MARK: &str = "
SELECT CAST(checksum AS TEXT)
FROM sw_migrations
WHERE id = ?1";

const MARK_DELETE: &str = "
DELETE FROM sw_migrations
WHERE id = ?1";

const MARK_INSERT: &str = "
INSERT INTO sw_migrations (id, introduced_version, applied_time, checksum)
VALUES (?1, 'move', ?2, ?3)";

const MARK_NOTE: &str = "
UPDATE sw_migrations
SET checksum = ?2
WHERE id = ?1";

const IDENTITY: &str = "
SELECT store_id, lineage, created_at_ms, clock_ms, retention_next_ms
FROM sw_store
WHERE one = 1";

const IDENTITY_SET: &str = "
UPDATE sw_store
SET store_id = ?1, lineage = ?2, created_at_ms = ?3, clock_ms = max(clock_ms, ?4),
    retention_next_ms = ?5, retention_cursor = NULL
WHERE one = 1";

const LEFT_BEHIND: &str = "
SELECT name
FROM sqlite_schema
WHERE type = 'table' AND name NOT LIKE 'sw!_%' ESCAPE '!' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'
LIMIT ?1";

const ANY_HELD: &str = "
SELECT task_key
FROM sw_workflow_tasks
WHERE owner_key IS NOT NULL
LIMIT 1";

/// Every statement of this file but those that are made of the list of columns.
pub(super) const STATEMENTS: &[&str] =
    &[MARK, MARK_DELETE, MARK_INSERT, MARK_NOTE, IDENTITY, IDENTITY_SET, LEFT_BEHIND, ANY_HELD];

/// What this backend finds rows by, and no row names.
const DERIVED: [&str; 5] = [
    "sw_workflow_marks",
    "sw_workflow_clock_steps",
    "sw_payloads",
    "sw_payload_bodies",
    "sw_payload_hashes",
];

/// The state of a task that may be claimed.
const READY: i64 = 1;

/// Returns what a column is read by, where that is not its name.
fn read_by(table: Table, column: &'static str) -> &'static str {
    match (table, column) {
        (Table::Reservations, "reservation_key") => "reservation_key - place",
        (Table::Runs, "args") => {
            "coalesce(args, (SELECT body FROM sw_payloads WHERE payload_key = args_key))"
        }
        _ => column,
    }
}

fn select(table: Table, columns: &Columns, is_first: bool) -> String {
    let all: Vec<&str> = columns.all.iter().map(|(name, _)| read_by(table, name)).collect();
    let (key, after) = if table == Table::Reservations {
        // Each row of a call has a key of its own here: the first one's and its place.
        ("reservation_key".to_owned(), "?1 + ?2".to_owned())
    } else {
        let key: Vec<&str> = columns.file_key.iter().map(|at| columns.all[*at].0).collect();
        let after: Vec<String> = (1..=key.len()).map(|at| format!("?{at}")).collect();
        (key.join(", "), after.join(", "))
    };
    let behind = if is_first { String::new() } else { format!(" WHERE ({key}) > ({after})") };
    format!("SELECT {} FROM {}{behind} ORDER BY {key}", all.join(", "), columns.name)
}

fn insert(columns: &Columns) -> String {
    let names: Vec<&str> = columns.all.iter().map(|(name, _)| *name).collect();
    let values: Vec<String> = (1..=names.len()).map(|at| format!("?{at}")).collect();
    format!("INSERT INTO {} ({}) VALUES ({})", columns.name, names.join(", "), values.join(", "))
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Cell::Null => ValueRef::Null,
            Cell::Integer(number) => ValueRef::Integer(*number),
            Cell::Text(text) => ValueRef::Text(text.as_bytes()),
            Cell::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn cell(row: &Row<'_>, at: usize) -> Result<Cell> {
    let value: Value = row.get(at).map_err(map)?;
    Ok(match value {
        Value::Null => Cell::Null,
        Value::Integer(number) => Cell::Integer(number),
        Value::Text(text) => Cell::Text(text),
        Value::Blob(bytes) => Cell::Bytes(bytes),
        Value::Real(_) => return Err(Error::Corrupt("a row holds a fraction".into())),
    })
}

fn integer(row: &[Cell], at: usize) -> Result<i64> {
    match row.get(at) {
        Some(Cell::Integer(number)) => Ok(*number),
        _ => Err(Error::Corrupt("a row that moves lacks a number".into())),
    }
}

fn text(row: &[Cell], at: usize) -> Option<&str> {
    if let Some(Cell::Text(text)) = row.get(at) { Some(text) } else { None }
}

fn place_of(columns: &Columns, name: &str) -> usize {
    columns.all.iter().position(|(column, _)| *column == name).unwrap_or(usize::MAX)
}

impl Tx<'_> {
    fn table_row(&self, columns: &Columns, row: &Row<'_>) -> Result<Vec<Cell>> {
        let mut cells = Vec::with_capacity(columns.all.len());
        for (at, (_, holds)) in columns.all.iter().enumerate() {
            let mut cell = cell(row, at)?;
            if let (Holds::Payload, Cell::Text(text)) = (holds, &mut cell) {
                self.payload_read(text)?;
            }
            cells.push(cell);
        }
        Ok(cells)
    }

    fn table_put_row(&self, table: Table, insert: &mut Statement<'_>, row: &[Cell]) -> Result<()> {
        let columns = columns(table);
        let mut kept = row.to_vec();
        for ((_, holds), cell) in columns.all.iter().zip(&mut kept) {
            if let (Holds::Payload, Cell::Text(text)) = (holds, &mut *cell) {
                *cell = Cell::Text(self.payload_write(text)?.into_owned());
            }
        }
        if table == Table::Reservations {
            kept[0] = Cell::Integer(integer(row, 0)?.saturating_add(integer(row, 1)?));
        }
        insert.execute(params_from_iter(&kept)).map_err(map)?;
        if table == Table::Runs {
            return self.mark_moved_run(columns, row);
        }
        if table == Table::Tasks && integer(row, place_of(columns, "state"))? == READY {
            let at = |name| integer(row, place_of(columns, name));
            let place = (at("priority")?, at("due_at_ms")?, at("task_key")?);
            return self.lane_reach(at("lane_key")?, place);
        }
        Ok(())
    }

    fn mark_moved_run(&self, columns: &Columns, row: &[Cell]) -> Result<()> {
        let at = |name| integer(row, place_of(columns, name));
        let (run_key, metadata) = (at("run_key")?, text(row, place_of(columns, "metadata")));
        self.mark_run(run_key, at("lane_key")?, at("created_at_ms")?, metadata)?;
        // A run that is being pruned is found by nobody any more.
        let outcome = at("outcome").ok().and_then(|outcome| match outcome {
            1 => Some(Outcome::Completed),
            2 => Some(Outcome::Failed),
            3 => Some(Outcome::Cancelled),
            _ => None,
        });
        match outcome {
            Some(outcome) => self.mark_end(run_key, outcome, at("finished_at_ms")?),
            None => Ok(()),
        }
    }
}

impl GraduatePort for Tx<'_> {
    fn mark(&mut self) -> Result<Option<String>> {
        self.one(MARK, [steps::MARK], |row| row.get(0))
    }

    fn mark_set(&mut self, mark: Option<&str>, now_ms: i64) -> Result<()> {
        self.execute(MARK_DELETE, [steps::MARK])?;
        if let Some(mark) = mark {
            self.execute(MARK_INSERT, (steps::MARK, now_ms, mark.as_bytes()))?;
        }
        // What every connection looks at moves with the schema alone.
        self.conn.execute_batch("CREATE TABLE sw_moving (x); DROP TABLE sw_moving").map_err(map)
    }

    fn mark_note(&mut self, mark: &str) -> Result<()> {
        self.execute(MARK_NOTE, (steps::MARK, mark.as_bytes())).map(|_| ())
    }

    fn table_name(&self, table: Table) -> &'static str {
        columns(table).name
    }

    fn is_unused(&mut self) -> Result<bool> {
        for table in Table::ALL {
            let sql = format!("SELECT EXISTS (SELECT 1 FROM {})", columns(table).name);
            let has_rows: bool =
                self.prepare_once(&sql)?.query_row([], |row| row.get(0)).map_err(map)?;
            if has_rows {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn table_rows(
        &mut self,
        table: Table,
        after: Option<&[Cell]>,
        portion: Portion,
    ) -> Result<Vec<Vec<Cell>>> {
        let columns = columns(table);
        let mut statement = self.prepare_once(&select(table, columns, after.is_none()))?;
        let mut found =
            statement.query(params_from_iter(after.unwrap_or_default())).map_err(map)?;
        let (mut rows, mut bytes) = (Vec::new(), 0);
        while rows.len() < portion.rows as usize && bytes < portion.bytes {
            let Some(row) = found.next().map_err(map)? else { break };
            let row = self.table_row(columns, row)?;
            bytes += row.iter().map(Cell::bytes).sum::<usize>();
            rows.push(row);
        }
        Ok(rows)
    }

    fn table_key(&self, table: Table, row: &[Cell]) -> Vec<Cell> {
        let columns = columns(table);
        columns.key_of(columns.file_key, row)
    }

    fn table_put(&mut self, table: Table, rows: &[Vec<Cell>]) -> Result<()> {
        let mut insert = self.prepare_once(&insert(columns(table)))?;
        rows.iter().try_for_each(|row| self.table_put_row(table, &mut insert, row))
    }

    fn tables_clear(&mut self) -> Result<()> {
        let ours = Table::ALL.iter().map(|table| columns(*table).name);
        for name in ours.chain(DERIVED) {
            self.prepare_once(&format!("DELETE FROM {name}"))?.execute([]).map_err(map)?;
        }
        Ok(())
    }

    fn identity(&mut self) -> Result<Identity> {
        let read = |row: &Row<'_>| {
            Ok(Identity {
                store_id: row.get(0)?,
                lineage: row.get(1)?,
                created_at_ms: row.get(2)?,
                clock_ms: row.get(3)?,
                retention_next_ms: row.get(4)?,
            })
        };
        let identity = self.one(IDENTITY, [], read)?;
        identity.ok_or_else(|| Error::Corrupt("the store has no id".into()))
    }

    fn identity_set(&mut self, identity: &Identity) -> Result<()> {
        let Identity { store_id, lineage, created_at_ms, clock_ms, retention_next_ms } = identity;
        let row = (store_id, lineage, created_at_ms, clock_ms, retention_next_ms);
        self.execute(IDENTITY_SET, row).map(|_| ())
    }

    fn left_behind(&mut self) -> Result<Vec<String>> {
        let mut names: Vec<String> = self.all(LEFT_BEHIND, [LEFT_BEHIND_MAX], |row| row.get(0))?;
        names.sort();
        Ok(names)
    }

    fn any_held(&mut self) -> Result<Option<RunKey>> {
        self.one(ANY_HELD, [], |row| row.get(0))
    }
}
