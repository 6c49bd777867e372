//! The ways in which a server's store writes, as its URL names them: by what is remembered, behind the lock with
//! what is read ahead, row by row, and as behind a pooler. One walk leaves one store.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::door::Store;
use super::walks;

const WAYS: [&str; 4] =
    ["sw_trust=everything", "sw_trust=new", "sw_trust=nothing", "sw_pooler=transaction"];

/// The tables of the store, by name, with the columns of their keys.
const TABLES: &str = "
SELECT t.relname, string_agg(quote_ident(a.attname), ', ' ORDER BY k.place)
FROM pg_class AS t
JOIN pg_index AS i ON i.indrelid = t.oid AND i.indisprimary
CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = k.attnum
WHERE t.relnamespace = current_schema()::regnamespace
GROUP BY t.relname ORDER BY t.relname";

/// Columns of which only counts whether anything stands there: what was drawn, and ends of leases, whose clock may
/// be a millisecond off.
const LOOSE: [&str; 2] = ["token", "lease_until_ms"];

/// Columns that the server counts.
const COUNTED: [&str; 3] = ["step_key", "signal_key", "event_key"];

/// Rows that are asked for at once.
const PAGE: usize = 1_000;

/// What says when the tables were made, and not what is stored in them.
const OF_THE_SCHEMA: &str = "sw_migrations";

/// Numbers from here on are times, and keys and tokens, which are made of chance and times.
const SMALL: i64 = 100_000_000_000;

/// Characters of an id at least.
const ID_CHARACTERS: usize = 26;

/// Walks one seed in each way, where the URL with that behind it says, and compares what is left.
pub fn compare(kind: &str, seed: u64, steps: usize, lay: &dyn Fn(&str)) {
    let left = WAYS.map(|way| {
        lay(way);
        let mut drive = walks::named(kind, seed);
        drive.is_exact = true;
        drive.run(steps, &mut BTreeMap::new());
        // What is due and moved by whoever looks next, is moved.
        drive.sweep_both(0);
        Dump::default().of(drive.world.store())
    });
    for (way, other) in WAYS.iter().zip(&left).skip(1) {
        let differs = left[0].iter().zip(other).find(|(one, other)| one != other);
        assert_eq!(differs, None, "{kind} {seed}, {way}");
        assert_eq!(left[0].len(), other.len(), "{kind} {seed}, {way}");
    }
}

/// All rows of a store, with what differs from store to store named in the order it comes.
#[derive(Default)]
struct Dump {
    names: HashMap<String, usize>,
}

impl Dump {
    fn of(mut self, store: &Store) -> Vec<String> {
        let mut lines = Vec::new();
        for table in &rows(store, TABLES).1 {
            let (name, key) = (table[0].as_str().unwrap(), table[1].as_str().unwrap());
            if name == OF_THE_SCHEMA {
                continue;
            }
            let (columns, mut rows) = rows(store, &format!("SELECT * FROM {name} ORDER BY {key}"));
            rank(&columns, &mut rows);
            for row in rows {
                let fields = columns.iter().zip(&row);
                let values: Vec<_> =
                    fields.map(|(column, value)| self.shown(column, value)).collect();
                lines.push(format!("{name}: {}", values.join(" ")));
            }
        }
        assert!(lines.len() > 50, "a walk that left nothing: {lines:?}");
        lines
    }

    fn shown(&mut self, column: &str, value: &Value) -> String {
        match LOOSE.contains(&column) && !value.is_null() {
            true => "some".into(),
            false => self.named(value),
        }
    }

    fn named(&mut self, value: &Value) -> String {
        match value {
            Value::Number(number) if number.as_i64().is_some_and(|n| n.abs() >= SMALL) => {
                self.name(&number.to_string())
            }
            Value::String(text) => self.without_ids(text),
            Value::Object(bytes) => self.name(&bytes["$base64"].to_string()),
            other => other.to_string(),
        }
    }

    fn without_ids(&mut self, text: &str) -> String {
        let is_of_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let mut parts = Vec::new();
        for part in text.split_inclusive(|c| !is_of_word(c)) {
            let word = part.trim_end_matches(|c| !is_of_word(c));
            let is_large = word.parse().is_ok_and(|number: i64| number >= SMALL);
            match is_large || word.len() >= ID_CHARACTERS {
                true => parts.push(self.name(word)),
                false => parts.push(part.to_owned()),
            }
        }
        parts.concat()
    }

    fn name(&mut self, what: &str) -> String {
        let next = self.names.len();
        format!("#{}", self.names.entry(what.to_owned()).or_insert(next))
    }
}

/// Puts ranks in the place of numbers that the server counts, which skip what is undone.
fn rank(columns: &[String], rows: &mut [Vec<Value>]) {
    let is_counted = |at: &usize| COUNTED.contains(&columns[*at].as_str());
    for at in (0..columns.len()).filter(is_counted) {
        let mut numbers: Vec<_> = rows.iter().filter_map(|row| row[at].as_i64()).collect();
        numbers.sort_unstable();
        for row in rows.iter_mut() {
            let rank = row[at].as_i64().map(|number| numbers.binary_search(&number));
            row[at] = rank.map_or(Value::Null, |rank| rank.unwrap().into());
        }
    }
}

/// The columns and rows that a query has.
fn rows(store: &Store, sql: &str) -> (Vec<String>, Vec<Vec<Value>>) {
    let mut rows: Vec<Vec<Value>> = Vec::new();
    loop {
        let sql = format!("{sql} LIMIT {PAGE} OFFSET {}", rows.len());
        let answer: Value = serde_json::from_str(&store.query(&sql, None).unwrap()).unwrap();
        let page: Vec<Vec<Value>> = serde_json::from_value(answer["rows"].clone()).unwrap();
        if page.is_empty() {
            return (serde_json::from_value(answer["columns"].clone()).unwrap(), rows);
        }
        rows.extend(page);
    }
}
