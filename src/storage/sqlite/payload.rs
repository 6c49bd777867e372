//! Large payloads: each is stored once, packed, and counted by those who name it.
//!
//! A column of args, results or payloads holds a small payload itself, and of a large one its *name*: '@'
//! and a key. Whoever writes such a column asks [`Tx::payload_write`] what to put there, whoever reads one
//! hands what stood there to [`Tx::payload_read`], and whoever takes a name away says so to
//! [`Tx::payload_release`].

use std::borrow::Cow;

use rusqlite::types::ValueRef;

use super::errors::map;
use super::tx::Tx;
use crate::error::{Error, Result};
use crate::limits::{PAYLOAD_BYTES_MAX, PAYLOAD_INLINE_BYTES_MAX};

/// What a name begins with: no JSON does.
const MARK: char = '@';

/// Bytes of plain text that one byte of an LZ4 block stands for at most.
const LZ4_RATIO_MAX: usize = 255;

/// The key that a column names, NULL where it holds the payload itself. What is longer than any name is
/// not looked at.
macro_rules! payload_key {
    ($column:literal) => {
        concat!(
            "CASE WHEN octet_length(",
            $column,
            ") <= 20 AND ",
            $column,
            " GLOB '@*' THEN CAST(substr(",
            $column,
            ", 2) AS INTEGER) END"
        )
    };
}

/// The bytes of the payload of a column, wherever it stands; 0 where there is none.
macro_rules! payload_bytes {
    ($column:literal) => {
        concat!(
            "coalesce((SELECT length FROM sw_payload_bodies WHERE payload_key = ",
            super::payload::payload_key!($column),
            "), octet_length(",
            $column,
            "), 0)"
        )
    };
}

pub(super) use {payload_bytes, payload_key};

// The key is the next one, as it would be without naming it. Numbers that nobody counted up to stand in
// a crafted file alone: they are damage, and no overflow.
const NAME: &str = "
INSERT INTO sw_payload_hashes (hash, payload_key, named)
VALUES (?1, 1 + min(coalesce((
    SELECT payload_key FROM sw_payload_bodies ORDER BY payload_key DESC LIMIT 1
), 0), 0x7FFFFFFFFFFFFFFE), 1)
ON CONFLICT (hash) DO UPDATE
SET named = min(max(named, 1), 1 << 62) + 1
RETURNING payload_key, named";

const INSERT: &str = "
INSERT INTO sw_payload_bodies (payload_key, hash, length, content)
VALUES (?1, ?2, ?3, ?4)";

const LENGTH: &str = "
SELECT length
FROM sw_payload_bodies
WHERE payload_key = ?1 AND hash = ?2";

const CONTENT: &str = "
SELECT length, content
FROM sw_payload_bodies
WHERE payload_key = ?1";

const NEXT: &str = "
SELECT payload_key, hash, length, content
FROM sw_payload_bodies
WHERE payload_key > ?1
ORDER BY payload_key
LIMIT 1";

const ADD: &str = "
UPDATE sw_payload_hashes
SET named = min(named, 1 << 62) + ?2
WHERE hash = (
    SELECT hash FROM sw_payload_bodies WHERE payload_key = ?1
)
RETURNING named";

const UNNAME: &str = "
DELETE FROM sw_payload_hashes
WHERE hash = (
    SELECT hash FROM sw_payload_bodies WHERE payload_key = ?1
)";

const DELETE: &str = "
DELETE FROM sw_payload_bodies
WHERE payload_key = ?1";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[NAME, INSERT, LENGTH, CONTENT, NEXT, ADD, UNNAME, DELETE];

impl Tx<'_> {
    /// Returns what a column holds of a payload: itself, or the name under which it is now counted once
    /// more.
    pub(super) fn payload_write<'text>(&self, payload: &'text str) -> Result<Cow<'text, str>> {
        if payload.len() <= PAYLOAD_INLINE_BYTES_MAX {
            return Ok(Cow::Borrowed(payload));
        }
        let hash = hash_of(payload.as_bytes());
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
        let named = self.one(NAME, [&hash[..]], read)?;
        let (key, named) = named.ok_or_else(|| Error::internal("a payload has no name"))?;
        if key == i64::MAX {
            return Err(damaged(key, "has the last key that there is"));
        }
        if named == 1 {
            self.payload_insert(key, &hash, payload)?;
        } else {
            let length: Option<i64> = self.one(LENGTH, (key, &hash[..]), |row| row.get(0))?;
            if length != Some(bytes_of(payload)?) {
                return Err(damaged(key, "is not what its hash says"));
            }
        }
        Ok(Cow::Owned(format!("{MARK}{key}")))
    }

    /// Does so with what may be absent.
    pub(super) fn payload_write_any<'text>(
        &self,
        payload: Option<&'text str>,
    ) -> Result<Option<Cow<'text, str>>> {
        payload.map(|payload| self.payload_write(payload)).transpose()
    }

    /// Returns what a copy of a column holds: a name is counted once more, unread.
    pub(super) fn payload_copy<'text>(&self, column: &'text str) -> Result<Cow<'text, str>> {
        match key_of(column)? {
            Some(key) => self.payload_share(key, 1).map(|()| Cow::Borrowed(column)),
            None => self.payload_write(column),
        }
    }

    fn payload_insert(&self, key: i64, hash: &[u8], payload: &str) -> Result<()> {
        let packed = lz4_flex::block::compress(payload.as_bytes());
        let length = bytes_of(payload)?;
        if packed.len() < payload.len() {
            self.execute(INSERT, (key, hash, length, packed))
        } else {
            self.execute(INSERT, (key, hash, length, payload))
        }
        .map(|_| ())
    }

    /// Puts the payload in the place of its name, if that is what stands there.
    pub(super) fn payload_read(&self, column: &mut String) -> Result<()> {
        if let Some(key) = key_of(column)? {
            *column = self.payload(key)?;
        }
        Ok(())
    }

    /// Does so with what may be absent.
    pub(super) fn payload_read_any(&self, column: &mut Option<String>) -> Result<()> {
        column.as_mut().map_or(Ok(()), |column| self.payload_read(column))
    }

    /// Puts payloads in the places of their names, row by row, and leaves out the rows after those whose
    /// payloads have so many bytes together: what takes room once in the file takes it each time in memory.
    pub(super) fn payloads_up_to<Row, const COLUMNS: usize>(
        &self,
        bytes: usize,
        rows: &mut Vec<Row>,
        columns: impl Fn(&mut Row) -> [Option<&mut String>; COLUMNS],
    ) -> Result<()> {
        let (mut sum, mut count) = (0, 0);
        for row in rows.iter_mut() {
            if sum >= bytes {
                break;
            }
            for column in columns(row).into_iter().flatten() {
                self.payload_read(column)?;
                sum += column.len();
            }
            count += 1;
        }
        rows.truncate(count);
        Ok(())
    }

    /// Returns the payload that has this key.
    pub(super) fn payload(&self, key: i64) -> Result<String> {
        let mut statement = self.prepare(CONTENT)?;
        let mut rows = statement.query([key]).map_err(map)?;
        let row = rows.next().map_err(map)?.ok_or_else(|| damaged(key, "is not there"))?;
        let (length, content) = (row.get(0).map_err(map)?, row.get_ref(1).map_err(map)?);
        plain(length, content).map_err(|what| damaged(key, what))
    }

    /// Unpacks every payload, one at a time, and says what is wrong with up to so many.
    pub(super) fn payloads_damaged(&self, limit: u32) -> Result<Vec<String>> {
        let (mut damages, mut after) = (Vec::new(), i64::MIN);
        let mut statement = self.prepare(NEXT)?;
        while damages.len() < limit as usize {
            let mut rows = statement.query([after]).map_err(map)?;
            let Some(row) = rows.next().map_err(map)? else { break };
            after = row.get(0).map_err(map)?;
            let hash: Vec<u8> = row.get(1).map_err(map)?;
            let content = row.get_ref(3).map_err(map)?;
            let what = match plain(row.get(2).map_err(map)?, content) {
                Ok(payload) if hash == hash_of(payload.as_bytes()) => continue,
                Ok(_) => "is not what its hash says",
                Err(what) => what,
            };
            damages.push(format!("payload {after} {what}"));
        }
        Ok(damages)
    }

    /// Counts so many more names of a payload.
    pub(super) fn payload_share(&self, key: i64, names: i64) -> Result<()> {
        let named: Option<i64> = self.one(ADD, (key, names), |row| row.get(0))?;
        named.map(|_| ()).ok_or_else(|| damaged(key, "is not counted"))
    }

    /// Gives back a name; a payload without any goes.
    pub(super) fn payload_release(&self, key: i64) -> Result<()> {
        let named: Option<i64> = self.one(ADD, (key, -1), |row| row.get(0))?;
        // Of what is not counted, a check tells.
        if named.is_some_and(|named| named <= 0) {
            self.execute(UNNAME, [key])?;
            self.execute(DELETE, [key])?;
        }
        Ok(())
    }

    /// Gives back what was to be written and is there already.
    pub(super) fn payload_drop(&self, column: Option<&str>) -> Result<()> {
        match column.map(key_of).transpose()?.flatten() {
            Some(key) => self.payload_release(key),
            None => Ok(()),
        }
    }
}

/// Returns the key that a column names, as it is written here and in no other way.
pub(super) fn key_of(column: &str) -> Result<Option<i64>> {
    let Some(text) = column.strip_prefix(MARK) else { return Ok(None) };
    let key = text.parse().ok().filter(|key: &i64| key.to_string() == text);
    let corrupt = || Error::Corrupt("a column names a payload by what is no key".into());
    key.map(Some).ok_or_else(corrupt)
}

fn bytes_of(payload: &str) -> Result<i64> {
    i64::try_from(payload.len()).map_err(|_| Error::internal("a payload is longer than memory"))
}

/// Returns what a payload is found by.
fn hash_of(payload: &[u8]) -> [u8; 32] {
    *blake3::hash(payload).as_bytes()
}

/// Returns the text of a content that is said to have so many bytes, or what is wrong with it.
fn plain(length: i64, content: ValueRef<'_>) -> std::result::Result<String, &'static str> {
    let most = usize::try_from(PAYLOAD_BYTES_MAX).unwrap_or(usize::MAX);
    let length = usize::try_from(length).ok().filter(|length| *length <= most);
    let length = length.ok_or("has a length that no payload has")?;
    let bytes = match content {
        ValueRef::Text(text) => text.to_vec(),
        ValueRef::Blob(packed) => unpack(packed, length).ok_or("cannot be unpacked")?,
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => Vec::new(),
    };
    if bytes.len() != length {
        return Err("has another length than it is said to have");
    }
    String::from_utf8(bytes).map_err(|_| "is text that is not UTF-8")
}

/// Memory is taken for no more than the block can hold, whatever length it is said to have.
fn unpack(packed: &[u8], length: usize) -> Option<Vec<u8>> {
    if length / LZ4_RATIO_MAX > packed.len() {
        return None;
    }
    let mut bytes = vec![0; length];
    let unpacked = lz4_flex::block::decompress_into(packed, &mut bytes).ok()?;
    (unpacked == length).then_some(bytes)
}

fn damaged(key: i64, what: &str) -> Error {
    Error::Corrupt(format!("payload {key} {what}").into())
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::super::conn::Conn;
    use super::super::migrate;
    use super::*;
    use crate::domain::port::{ControlPort, QueryPort, RetentionPort, Room, StepKind, StepPort};
    use crate::id::Id;

    fn empty() -> Conn {
        let conn = Conn::new(Connection::open_in_memory().unwrap());
        migrate::apply(&conn, None, 1).unwrap();
        conn
    }

    /// Args and a result as they stood before there were bodies: read, forked and pruned like any others.
    #[test]
    fn what_was_written_before_stays_readable() {
        let conn = Conn::new(Connection::open_in_memory().unwrap());
        migrate::apply(&conn, Some(crate::storage::steps::NEWEST - 1), 1).unwrap();
        let (args, result) = (large(b'a'), large(b'r'));
        let run_id = Id::from_bytes([7; 16]);
        conn.execute_batch(
            "INSERT INTO sw_workflow_lanes (lane_key, queue, workflow, code_version, owner_key)
            VALUES (1, 'q', 'w', '', 0);
            INSERT INTO sw_workflow_marks VALUES (1, 'q', 0), (2, 'w', 0), (3, '', 0), (4, 1, 0), (5, 0, 0);",
        )
        .unwrap();
        conn.execute("INSERT INTO sw_payloads VALUES (5, ?1)", [&args]).unwrap();
        let run = "INSERT INTO sw_workflow_runs (run_id, lane_key, outcome, created_at_ms, finished_at_ms,
            priority, attempts, tries, args_key, result) VALUES (?1, 1, 1, 1, 2, 0, 1, 0, 5, ?2)";
        conn.execute(run, (run_id.to_bytes(), &result)).unwrap();
        let step = "INSERT INTO sw_workflow_steps (run_key, kind, name, occurrence, state, tries,
            started_at_ms, took_ms, result) VALUES (1, 0, 's', 1, 2, 1, 1, 1, ?1)";
        conn.execute(step, [&result]).unwrap();
        migrate::apply(&conn, None, 1).unwrap();
        let mut tx = Tx::new(&conn);
        let row = tx.run_row(run_id).unwrap().unwrap();
        assert_eq!((row.args.as_ref(), row.result.as_ref()), (Some(&args), Some(&result)));
        let step = tx.step(1, StepKind::Step, "s", 1).unwrap().unwrap();
        assert_eq!(step.result.as_ref(), Some(&result));
        let fork_id = Id::from_bytes([8; 16]);
        let fork = tx.run_copy(1, fork_id, 3).unwrap();
        tx.steps_copy(1, fork, 2).unwrap();
        let mut room = Room { runs: 10, rows: 100 };
        let removed = tx.trees_remove(&[1], &mut room).unwrap();
        assert_eq!(removed.bytes, (args.len() + 2 * result.len()) as u64);
        assert_eq!(tx.run_row(fork_id).unwrap().unwrap().args.as_ref(), Some(&args));
        let held: i64 =
            conn.query_row("SELECT count(*) FROM sw_payloads", [], |row| row.get(0)).unwrap();
        assert_eq!(held, 0);
    }

    fn large(seed: u8) -> String {
        format!("\"{}\"", char::from(seed).to_string().repeat(PAYLOAD_INLINE_BYTES_MAX))
    }

    fn code<T>(answer: Result<T>) -> Option<i32> {
        answer.err().map(|error| error.code())
    }

    const CORRUPT: Option<i32> = Some(-44);

    #[test]
    fn equal_payloads_have_one_name_and_the_last_to_give_it_back_takes_the_body_away() {
        let conn = empty();
        let tx = Tx::new(&conn);
        let names = b"aba".map(|seed| tx.payload_write(&large(seed)).unwrap().into_owned());
        assert_eq!(names, ["@1", "@2", "@1"]);
        let bodies = || -> i64 {
            let sql = "SELECT (SELECT count(*) FROM sw_payload_bodies) + (SELECT count(*) FROM sw_payload_hashes)";
            conn.query_row(sql, [], |row| row.get(0)).unwrap()
        };
        assert_eq!(bodies(), 4);
        tx.payload_release(1).unwrap();
        assert_eq!((bodies(), tx.payload(1).unwrap()), (4, large(b'a')));
        tx.payload_release(1).unwrap();
        assert_eq!((bodies(), code(tx.payload(1))), (2, CORRUPT));
        assert_eq!(tx.payload(2).unwrap(), large(b'b'));
    }

    #[test]
    fn what_is_no_name_of_a_payload_is_damage() {
        let conn = empty();
        let tx = Tx::new(&conn);
        for name in ["@", "@x", "@1", "@99999999999999999999", "@ 1", "@1 ", "@+1", "@01"] {
            assert_eq!(code(tx.payload_read(&mut name.to_owned())), CORRUPT, "{name}");
        }
        assert_eq!(code(tx.payload_share(1, 1)), CORRUPT);
    }

    /// Numbers that only a crafted file has are damage as well.
    #[test]
    fn a_count_or_a_key_at_its_end_is_damage_or_counts_no_further() {
        let conn = empty();
        let tx = Tx::new(&conn);
        tx.payload_write(&large(b'a')).unwrap();
        conn.execute("UPDATE sw_payload_hashes SET named = ?1", [i64::MAX]).unwrap();
        assert_eq!(tx.payload_write(&large(b'a')).unwrap(), "@1");
        conn.execute("UPDATE sw_payload_hashes SET named = ?1", [i64::MAX]).unwrap();
        tx.payload_share(1, 5).unwrap();
        conn.execute("UPDATE sw_payload_bodies SET payload_key = ?1", [i64::MAX]).unwrap();
        assert_eq!(code(tx.payload_write(&large(b'b'))), CORRUPT);
    }

    /// Equal bytes means equal: a body of another length under the same hash is told, not handed out.
    #[test]
    fn a_hash_that_stands_for_another_length_is_damage() {
        let conn = empty();
        let tx = Tx::new(&conn);
        tx.payload_write(&large(b'a')).unwrap();
        conn.execute("UPDATE sw_payload_bodies SET length = length + 1", []).unwrap();
        assert_eq!(code(tx.payload_write(&large(b'a'))), CORRUPT);
        assert_eq!(code(tx.payload(1)), CORRUPT);
        conn.execute("DELETE FROM sw_payload_bodies", []).unwrap();
        assert_eq!(code(tx.payload_write(&large(b'a'))), CORRUPT);
    }

    fn plain_of(length: usize, packed: &[u8]) -> std::result::Result<String, &'static str> {
        plain(i64::try_from(length).unwrap(), ValueRef::Blob(packed))
    }

    /// Whatever stands in a file, it is a payload of the length that is told, or damage.
    #[test]
    fn a_crafted_body_is_damage_and_takes_no_more_memory_than_it_can_mean() {
        let text = format!("[{}]", "\"some words, \",12345,".repeat(200));
        let packed = lz4_flex::block::compress(text.as_bytes());
        assert_eq!(plain_of(text.len(), &packed).unwrap(), text);
        let mut seed = 1_u32;
        let mut draw = |bound: usize| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as usize % bound
        };
        let mut refused = 0;
        for _ in 0..20_000 {
            let mut crafted = packed.clone();
            (0..=draw(4)).for_each(|_| crafted[draw(packed.len())] = draw(256) as u8);
            crafted.truncate(packed.len() - draw(3) * draw(packed.len()) / 2);
            let length = text.len() + draw(3) * draw(64) - draw(2) * draw(64);
            match plain_of(length, &crafted) {
                Ok(other) => assert_eq!(other.len(), length),
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 10_000, "{refused}");
        let most = usize::try_from(PAYLOAD_BYTES_MAX).unwrap();
        for (length, body) in [
            (most as i64, ValueRef::Blob(&packed)),
            (most as i64 + 1, ValueRef::Blob(&packed)),
            (-1, ValueRef::Blob(&packed)),
            (i64::MAX, ValueRef::Text(b"1")),
            (0, ValueRef::Blob(b"")),
            (2, ValueRef::Text(b"1")),
            (2, ValueRef::Text(b"\xC3\x28")),
            (1, ValueRef::Integer(1)),
        ] {
            assert!(plain(length, body).is_err(), "{length} {body:?}");
        }
    }
}
