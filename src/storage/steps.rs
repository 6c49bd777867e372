//! The numbered steps of a schema, the same numbers in every backend: what a store that has recorded some of
//! them is to us, and which are still to be applied.

use crate::domain::graduate::Mark;
use crate::error::{Error, Result};

/// Number of the newest step.
pub const NEWEST: i64 = 11;

/// The number under which the mark of a move stands among the records of the steps: to a library that
/// knows no moves it is a step beyond all that it has.
pub const MARK: i64 = 1_000_000_000;

/// One step, embedded from `migrations/`.
#[derive(Debug)]
pub struct Migration {
    /// Number, from 1.
    pub id: i64,
    /// The step's text.
    pub sql: &'static str,
}

impl Migration {
    /// Returns the library version that brought the step: its first line names it.
    pub fn introduced_version(&self) -> &'static str {
        let first = self.sql.lines().next().unwrap_or_default();
        first.strip_prefix("-- introduced_version: ").unwrap_or("unknown").trim()
    }

    /// Returns what a store records to know the step again.
    pub fn checksum(&self) -> [u8; 32] {
        *blake3::hash(self.sql.as_bytes()).as_bytes()
    }
}

/// All steps of a backend, in order.
pub type Migrations = [Migration; NEWEST as usize];

/// What schema a store has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schema {
    /// Steps 1 to this are applied, and are ours; 0 is a store without tables of ours.
    Ours(i64),
    /// It goes beyond what this library knows.
    New(i64),
    /// It has `sw_*` tables that are not ours.
    Foreign(String),
    /// This step was applied from another text.
    Edited(i64),
    /// It is the newest, and the store is moved, or moved into.
    Marked(Box<Mark>),
}

impl Schema {
    /// Tells by the numbers and checksums that a store has recorded.
    pub fn of(records: &[(i64, Vec<u8>)], migrations: &Migrations) -> Schema {
        let (records, mark) = match records.split_last() {
            Some(((MARK, mark), steps)) if steps.len() == migrations.len() => (steps, Some(mark)),
            _ => (records, None),
        };
        for ((id, checksum), ours) in records.iter().zip(migrations) {
            if *id != ours.id {
                return Schema::Foreign(format!("its sw_migrations lacks step {}", ours.id));
            }
            if checksum != &ours.checksum() {
                return Schema::Edited(*id);
            }
        }
        if let Some(mark) = mark {
            let mark = std::str::from_utf8(mark).ok().and_then(|text| Mark::read(text).ok());
            let unread =
                || Schema::Foreign("its sw_migrations has a mark of a move that is none".into());
            return mark.map_or_else(unread, |mark| Schema::Marked(Box::new(mark)));
        }
        match records.last() {
            None => Schema::Foreign("its sw_migrations is empty".into()),
            Some((last, _)) if *last > NEWEST => Schema::New(*last),
            Some((last, _)) => Schema::Ours(*last),
        }
    }

    /// Returns the error that a call that reads must answer on such a store; a schema-free call needs only
    /// that it can be migrated.
    pub fn refusal(&self, is_schema_free: bool) -> Option<Error> {
        match self {
            Schema::Ours(NEWEST) => None,
            Schema::Ours(_) if is_schema_free => None,
            Schema::Ours(current) => Some(Error::SchemaOld { current: *current, newest: NEWEST }),
            Schema::New(found) => Some(Error::SchemaNew { found: *found, newest: NEWEST }),
            Schema::Foreign(why) => Some(Error::SchemaForeign(why.clone().into())),
            Schema::Edited(id) => Some(Error::SchemaEdited { id: *id }),
            Schema::Marked(_) if is_schema_free => None,
            Schema::Marked(mark) => mark.read_refusal(),
        }
    }

    /// Returns the same for a call that writes.
    pub fn write_refusal(&self, is_schema_free: bool) -> Option<Error> {
        if let (Schema::Marked(mark), false) = (self, is_schema_free) {
            return Some(mark.refusal());
        }
        self.refusal(is_schema_free)
    }

    /// Returns how many steps are applied.
    pub fn version(&self) -> Result<i64> {
        match self {
            Schema::Ours(current) => Ok(*current),
            Schema::Marked(mark) => mark.init_refusal().map_or(Ok(NEWEST), Err),
            Schema::New(_) | Schema::Foreign(_) | Schema::Edited(_) => {
                Err(self.refusal(true).unwrap_or_else(|| Error::internal("a schema is in doubt")))
            }
        }
    }

    /// Returns the step at which it is and the one to go to, the newest if `None`.
    pub fn way(&self, target: Option<i64>) -> Result<(i64, i64)> {
        let current = self.version()?;
        match target {
            None => Ok((current, NEWEST)),
            Some(target) if target < 0 => {
                Err(Error::invalid(format!("target is {target}, it must be 0 to {NEWEST}")))
            }
            Some(found) if found > NEWEST => Err(Error::SchemaNew { found, newest: NEWEST }),
            Some(target) if target < current => Err(Error::TargetOlder { current, target }),
            Some(target) => Ok((current, target)),
        }
    }
}

/// Writes an applied step as the list of them has it.
pub fn shown(id: i64, introduced_version: &str, applied_time: i64) -> String {
    let version = crate::json::quote(introduced_version);
    format!(r#"{{"id":{id},"introduced_version":{version},"applied_time":{applied_time}}}"#)
}
