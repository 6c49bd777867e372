//! The rows of a store that is moved, and its mark.
//!
//! A statement is made for each table from the list of its columns, which all backends share. Rows go in
//! by one statement for many, as JSON: a server is far away.

use serde_json::Value;

use super::tx::Tx;
use super::value::{Param, Row};
use crate::domain::port::{Cell, GraduatePort, Identity, Portion, RunKey, Table};
use crate::error::{Error, Result};
use crate::id::Id;
use crate::limits::LEFT_BEHIND_MAX;
use crate::storage::steps;
use crate::storage::tables::{Columns, Holds, columns};

const MARK: &str = "
SELECT convert_from(checksum, 'UTF8')
FROM $schema.sw_migrations
WHERE id = $1";

const MARK_DELETE: &str = "
DELETE FROM $schema.sw_migrations
WHERE id = $1";

const MARK_INSERT: &str = "
INSERT INTO $schema.sw_migrations (id, introduced_version, applied_time, checksum)
VALUES ($1, 'move', $2, $3)";

const MARK_NOTE: &str = "
UPDATE $schema.sw_migrations
SET checksum = $2
WHERE id = $1";

const IDENTITY: &str = "
SELECT store_id, lineage, created_at_ms, clock_ms, retention_next_ms
FROM $schema.sw_store
WHERE one = 1";

const IDENTITY_SET: &str = "
UPDATE $schema.sw_store
SET store_id = $1, lineage = $2, created_at_ms = $3, clock_ms = greatest(clock_ms, $4),
    retention_next_ms = $5, retention_cursor = NULL
WHERE one = 1";

const ANY_HELD: &str = "
SELECT task_key
FROM $schema.sw_workflow_tasks
WHERE owner_key IS NOT NULL
LIMIT 1";

/// Every statement of this file that names our tables, but those that are made of the list of columns.
pub(super) const STATEMENTS: &[&str] =
    &[MARK, MARK_DELETE, MARK_INSERT, MARK_NOTE, IDENTITY, IDENTITY_SET, ANY_HELD];

fn names(columns: &Columns) -> Vec<&'static str> {
    columns.all.iter().map(|(name, _)| *name).collect()
}

/// A page ends with its number of rows, or before the row after that with which it has so many bytes.
fn select(columns: &Columns, is_first: bool) -> String {
    let key: Vec<&str> = columns.server_key.iter().map(|at| columns.all[*at].0).collect();
    let (all, of) = (names(columns).join(", "), columns.name);
    let bytes = |holds| matches!(holds, Holds::Payload | Holds::Text);
    let sizes = columns.all.iter().filter(|(_, holds)| bytes(*holds));
    let sizes = sizes.map(|(name, _)| format!("coalesce(octet_length({name}), 0)"));
    let size = sizes.fold("8".to_owned(), |sum, one| format!("{sum} + {one}"));
    let after: Vec<String> = (3..3 + key.len()).map(|at| format!("${at}")).collect();
    let (key, after) = (key.join(", "), after.join(", "));
    let behind = if is_first { String::new() } else { format!("WHERE ({key}) > ({after})") };
    format!(
        "SELECT {all} FROM (
            SELECT page.*, sum({size}) OVER (ORDER BY {key}) - ({size}) AS before_bytes
            FROM (SELECT {all} FROM $schema.{of} {behind} ORDER BY {key} LIMIT $1) AS page
        ) AS summed
        WHERE before_bytes < $2::bigint
        ORDER BY {key}"
    )
}

fn insert(columns: &Columns) -> String {
    let value = |(at, (_, holds)): (usize, &(&str, Holds))| match holds {
        Holds::Integer => format!("(r ->> {at})::bigint"),
        Holds::Flag => format!("(r ->> {at})::bigint <> 0"),
        Holds::Text | Holds::Payload => format!("r ->> {at}"),
        Holds::Id => format!("(r ->> {at})::uuid"),
        Holds::Bytes => format!("decode(r ->> {at}, 'hex')"),
    };
    let values: Vec<String> = columns.all.iter().enumerate().map(value).collect();
    format!(
        "INSERT INTO $schema.{} ({}) SELECT {} FROM json_array_elements($1::json) AS r",
        columns.name,
        names(columns).join(", "),
        values.join(", ")
    )
}

fn cell(row: Row<'_>, at: usize, holds: Holds) -> Result<Cell> {
    let cell = match holds {
        Holds::Integer => row.maybe(at)?.map(Cell::Integer),
        Holds::Flag => row.maybe(at)?.map(|flag: bool| Cell::Integer(i64::from(flag))),
        Holds::Text | Holds::Payload => row.maybe(at)?.map(Cell::Text),
        Holds::Id => row.maybe(at)?.map(|id: Id| Cell::Bytes(id.to_bytes().to_vec())),
        Holds::Bytes => row.maybe(at)?.map(Cell::Bytes),
    };
    Ok(cell.unwrap_or(Cell::Null))
}

fn json(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Integer(number) => (*number).into(),
        Cell::Text(text) => text.as_str().into(),
        Cell::Bytes(bytes) => {
            bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
        }
    }
}

impl Param for Cell {
    fn text(&self) -> Option<String> {
        match self {
            Cell::Null => None,
            Cell::Integer(number) => number.text(),
            Cell::Text(text) => text.text(),
            Cell::Bytes(bytes) => bytes.text(),
        }
    }
}

/// Returns the greatest key that rows have taken. In a file each row of a reservation takes one, from that
/// of its place 0 on.
fn greatest(table: Table, rows: &[Vec<Cell>]) -> Option<i64> {
    let taken = |row: &Vec<Cell>| match (row.first(), row.get(1)) {
        (Some(Cell::Integer(first)), Some(Cell::Integer(place)))
            if table == Table::Reservations =>
        {
            Some(first.saturating_add(*place))
        }
        (Some(Cell::Integer(key)), _) => Some(*key),
        _ => None,
    };
    rows.iter().filter_map(taken).max()
}

impl Tx<'_> {
    /// Has the server go on counting behind what came.
    fn count_on(&mut self, table: Table, rows: &[Vec<Cell>]) -> Result<()> {
        let columns = columns(table);
        let greatest = columns.counted.zip(greatest(table, rows));
        let Some((counted, greatest)) = greatest else { return Ok(()) };
        let of = format!("pg_get_serial_sequence('$schema.{}', '{counted}')", columns.name);
        let sql = format!("SELECT setval({of}, greatest($1::bigint, nextval({of})))");
        self.row_opt(&sql, &[&greatest], |_| Ok(())).map(|_| ())
    }

    /// Refuses keys that are greater than those that are made here: what comes next would stand before what
    /// was there.
    fn check_keys(&mut self, table: Table, rows: &[Vec<Cell>]) -> Result<()> {
        let is_made_here = matches!(table, Table::Runs | Table::Lanes);
        let is_ahead =
            is_made_here && greatest(table, rows).is_some_and(|key| key >= self.new_key());
        if !is_ahead {
            return Ok(());
        }
        Err(Error::conflict(
            "the server's clock is behind the time at which runs of the store were submitted: set it first",
        ))
    }
}

impl GraduatePort for Tx<'_> {
    fn mark(&mut self) -> Result<Option<String>> {
        self.row_opt(MARK, &[&steps::MARK], |row| row.get(0))
    }

    fn mark_set(&mut self, mark: Option<&str>, now_ms: i64) -> Result<()> {
        self.put(MARK_DELETE, &[&steps::MARK])?;
        match mark {
            Some(mark) => self.put(MARK_INSERT, &[&steps::MARK, &now_ms, &mark.as_bytes()]),
            None => Ok(()),
        }
    }

    fn mark_note(&mut self, mark: &str) -> Result<()> {
        self.put(MARK_NOTE, &[&steps::MARK, &mark.as_bytes()])
    }

    fn table_name(&self, table: Table) -> &'static str {
        columns(table).name
    }

    fn is_unused(&mut self) -> Result<bool> {
        for table in Table::ALL {
            let sql = format!("SELECT 1 FROM $schema.{} LIMIT 1", columns(table).name);
            if self.conn.run_once(&sql, &[])?.rows() > 0 {
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
        let bytes = portion.bytes as u64;
        let mut params: Vec<&dyn Param> = vec![&portion.rows, &bytes];
        params.extend(after.unwrap_or_default().iter().map(|cell| cell as &dyn Param));
        self.rows(&select(columns, after.is_none()), &params, |row| {
            let cells = columns.all.iter().enumerate();
            cells.map(|(at, (_, holds))| cell(row, at, *holds)).collect()
        })
    }

    fn table_key(&self, table: Table, row: &[Cell]) -> Vec<Cell> {
        let columns = columns(table);
        columns.key_of(columns.server_key, row)
    }

    fn table_put(&mut self, table: Table, rows: &[Vec<Cell>]) -> Result<()> {
        let columns = columns(table);
        self.check_keys(table, rows)?;
        let list: Vec<Value> =
            rows.iter().map(|row| row.iter().map(json).collect::<Vec<_>>().into()).collect();
        let list = Value::from(list).to_string();
        self.put(&insert(columns), &[&list])?;
        self.count_on(table, rows)
    }

    fn tables_clear(&mut self) -> Result<()> {
        let all: Vec<String> =
            Table::ALL.iter().map(|table| format!("$schema.{}", columns(*table).name)).collect();
        self.conn.command(&format!("TRUNCATE {}", all.join(", "))).map(|_| ())
    }

    fn identity(&mut self) -> Result<Identity> {
        let identity = self.row_opt(IDENTITY, &[], |row| {
            Ok(Identity {
                store_id: row.get(0)?,
                lineage: row.get(1)?,
                created_at_ms: row.get(2)?,
                clock_ms: row.get(3)?,
                retention_next_ms: row.maybe(4)?,
            })
        })?;
        identity.ok_or_else(|| Error::Corrupt("the store has no id".into()))
    }

    fn identity_set(&mut self, identity: &Identity) -> Result<()> {
        let Identity { store_id, lineage, created_at_ms, clock_ms, retention_next_ms } = identity;
        let row: [&dyn Param; 5] = [store_id, lineage, created_at_ms, clock_ms, retention_next_ms];
        self.put(IDENTITY_SET, &row)
    }

    fn left_behind(&mut self) -> Result<Vec<String>> {
        let path = self.conn.host_path().to_owned();
        self.conn.run_once("SELECT set_config('search_path', $1, true)", &[&path])?;
        let sql = format!(
            "SELECT n.nspname || '.' || c.relname
            FROM pg_catalog.pg_class AS c
            JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
            WHERE n.nspname = ANY (pg_catalog.current_schemas(false)) AND c.relkind IN ('r', 'p')
                AND NOT ('\"' || n.nspname || '\"' = $1 AND c.relname LIKE 'sw\\_%')
            ORDER BY 1
            LIMIT {LEFT_BEHIND_MAX}"
        );
        let schema = self.conn.schema().to_owned();
        let found = self.conn.run_once(&sql, &[&schema])?;
        let names = (0..found.rows()).map(|at| Row::new(&found, at).get(0)).collect();
        self.conn
            .run_once("SELECT pg_catalog.set_config('search_path', 'pg_catalog', true)", &[])?;
        names
    }

    fn any_held(&mut self) -> Result<Option<RunKey>> {
        self.row_opt(ANY_HELD, &[], |row| row.get(0))
    }
}
