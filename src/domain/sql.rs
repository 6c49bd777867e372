//! The host's own tables, in the transaction of a run's progress: queries, and scripts that commit
//! whole or not at all (P37).

mod script;
mod values;

pub use script::Script;

use serde::Serialize;
use serde_json::value::RawValue;

use self::script::{Item, Message, Outcome};
use self::values::Table;
use super::attempt::{self, End};
use super::hold::{Lease, fenced, living};
use super::input::{integer_in, object, present};
use super::output::{Document, document, owned, to_text};
use super::port::{Fence, OwnerKey, Port, SqlBounds, SqlStatement};
use super::step::{self, AskedFor, Subject};
use super::submit::{self, Submit};
use super::{hold, signal};
use crate::clock::Now;
use crate::error::{Error, Result};
use crate::id::{self, Id};
use crate::limits::{
    SQL_BYTES, SQL_ROWS_DEFAULT, SQL_ROWS_MAX, SQL_TIMEOUT_MS_DEFAULT, SQL_TIMEOUT_MS_MAX,
};

/// A query, and how far it may go.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    statement: SqlStatement,
    bounds: SqlBounds,
    timeout_ms: u64,
}

impl Query {
    /// Reads what a host asks: the text, a list or an object of parameters, and options by name.
    pub fn read(sql: &str, params: Option<&str>, options: Option<&str>) -> Result<Query> {
        let params = params.map(values::params).transpose()?.unwrap_or_default();
        let statement = values::statement(sql, params, true)?;
        let bounds = SqlBounds { rows_max: SQL_ROWS_DEFAULT, bytes_max: SQL_BYTES };
        let mut query = Query { statement, bounds, timeout_ms: SQL_TIMEOUT_MS_DEFAULT as u64 };
        if let Some(options) = options {
            object(options, |key, value| query.set(key, value))
                .map_err(|error| error.within("options"))?;
        }
        Ok(query)
    }

    /// Takes one option; returns whether it is known. `null` leaves the default.
    fn set(&mut self, key: &str, value: &str) -> Result<bool> {
        let number = |max: i64| -> Result<Option<u64>> {
            let named = present(value).map(|value| integer_in(key, value, 0..=max)).transpose()?;
            Ok(named.filter(|number| *number > 0).map(i64::unsigned_abs))
        };
        match key {
            "rows_max" => {
                if let Some(rows) = number(SQL_ROWS_MAX.into())? {
                    self.bounds.rows_max = u32::try_from(rows).unwrap_or(SQL_ROWS_MAX);
                }
            }
            "timeout_ms" => {
                self.timeout_ms = number(SQL_TIMEOUT_MS_MAX)?.unwrap_or(self.timeout_ms);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Answers a query with a document.
pub fn query(port: &mut dyn Port, query: &Query) -> Result<String> {
    port.sql_begin(query.timeout_ms);
    let answer = port.sql_run(&query.statement, query.bounds)?;
    port.sql_end()?;
    document(&Rows { columns: &answer.columns, rows: Table(&answer.rows), more: answer.has_more })
}

/// Rows as they are shown.
#[derive(Serialize)]
struct Rows<'a> {
    columns: &'a [String],
    rows: Table<'a>,
    more: bool,
}

impl Document for Rows<'_> {
    const SHAPE: &'static str = "rows";
}

/// In whose name a script runs.
#[derive(Debug, Clone, Copy)]
pub struct Holder<'a> {
    /// The attempt.
    pub fence: Fence,
    /// The step whose work it is; without one it is work of the attempt's own.
    pub step: Option<&'a Subject>,
    /// What a strict attempt has asked for, if it is one.
    pub asked: Option<&'a AskedFor>,
}

/// How far a script may go.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Milliseconds that its statements may take together.
    pub timeout_ms: u64,
    /// Bytes of a result that it records.
    pub payload_bytes_max: usize,
}

/// What a script came to.
#[derive(Debug)]
pub struct Ran {
    /// The results of its items, a document.
    pub results: String,
    /// Where the lease stands, if it completed a step.
    pub lease: Option<Lease>,
}

/// Runs a script: all of it, or with an error nothing.
pub fn run(
    port: &mut dyn Port,
    script: &Script,
    holder: Option<Holder<'_>>,
    owner_key: OwnerKey,
    bounds: Bounds,
    now: Now,
) -> Result<Ran> {
    match holder {
        // As its end will: finished work is recorded on a cancelled run, too.
        Some(Holder { fence, step: Some(_), .. }) => fenced(port, fence).map(|_| ())?,
        Some(Holder { fence, step: None, .. }) => living(port, fence, now).map(|_| ())?,
        None => {}
    }
    port.sql_begin(bounds.timeout_ms);
    let mut running = Running {
        port,
        holder,
        owner_key,
        bounds,
        now,
        room: SQL_BYTES,
        results: Vec::new(),
        lease: None,
    };
    for (at, item) in script.items.iter().enumerate() {
        let result = running.item(item).map_err(|error| error.within(&format!("script[{at}]")))?;
        running.results.push(result);
    }
    let Running { results, lease, .. } = running;
    port.sql_end().map_err(|error| error.within("script"))?;
    let results = results.into_iter().map(|text| owned(&text)).collect::<Result<Vec<_>>>()?;
    Ok(Ran { results: document(&Results(results))?, lease })
}

/// The results of a script's items.
#[derive(Serialize)]
struct Results(Vec<Box<RawValue>>);

impl Document for Results {
    const SHAPE: &'static str = "script_results";
}

/// What a statement came to.
#[derive(Serialize)]
struct Statement<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<u64>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    rows: Option<Rows<'a>>,
}

/// What a submit or a message came to.
#[derive(Serialize)]
struct Made {
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<String>,
    exists: bool,
}

/// What an end came to: it is there.
const ENDED: &str = "{}";

/// A script at work.
struct Running<'a> {
    port: &'a mut dyn Port,
    holder: Option<Holder<'a>>,
    owner_key: OwnerKey,
    bounds: Bounds,
    now: Now,
    /// Bytes that the rows to come may have.
    room: usize,
    results: Vec<String>,
    lease: Option<Lease>,
}

impl Running<'_> {
    fn item(&mut self, item: &Item) -> Result<String> {
        match item {
            Item::Sql(statement, expected) => self.statement(statement, *expected),
            Item::Submit(run) => self.submit(&run.0, run.1),
            Item::Signal(message) => self.signal(message),
            Item::StepComplete(outcome) => self.complete_step(outcome),
            Item::AttemptComplete(outcome) => self.complete_attempt(outcome),
        }
    }

    fn statement(&mut self, statement: &SqlStatement, expected: Option<u64>) -> Result<String> {
        let bounds = SqlBounds { rows_max: SQL_ROWS_MAX, bytes_max: self.room };
        let answer = self.port.sql_run(statement, bounds)?;
        if let Some(expected) = expected.filter(|expected| *expected != answer.changes) {
            let changes = answer.changes;
            return Err(Error::conflict(format!(
                "sql changed {changes} rows, expected {expected}"
            )));
        }
        if answer.bytes > self.room {
            let sentence = format!("the rows of the script have more than {SQL_BYTES} bytes");
            return Err(Error::TooBig(sentence.into()));
        }
        self.room -= answer.bytes;
        let rows = (!answer.columns.is_empty()).then(|| Rows {
            columns: &answer.columns,
            rows: Table(&answer.rows),
            more: answer.has_more,
        });
        to_text(&Statement { changes: (!statement.is_query).then_some(answer.changes), rows })
    }

    fn submit(&mut self, run: &Submit, run_id: Id) -> Result<String> {
        run.check()?;
        let owner_key = if run.is_local { self.owner_key } else { 0 };
        let submitted = submit::submit(self.port, run, run_id, owner_key, self.now)?;
        let run_id = Some(id::write("run", submitted.run_id));
        to_text(&Made { run_id, exists: submitted.existed })
    }

    fn signal(&mut self, message: &Message) -> Result<String> {
        let Message { run_id, name, payload, key } = message;
        let payload = payload.as_deref().unwrap_or("null");
        let exists = signal::send(self.port, run_id, name, payload, key.as_deref(), self.now)?;
        to_text(&Made { run_id: None, exists })
    }

    fn complete_step(&mut self, outcome: &Outcome) -> Result<String> {
        let Some(subject) = self.holder.and_then(|holder| holder.step) else {
            return Err(Error::invalid("step_complete needs a step, none is given"));
        };
        let result = self.result(outcome)?;
        self.lease = Some(step::complete(self.port, subject, &result, self.now)?);
        Ok(ENDED.into())
    }

    fn complete_attempt(&mut self, outcome: &Outcome) -> Result<String> {
        let Some(Holder { fence, asked, .. }) = self.holder else {
            return Err(Error::invalid("attempt_complete needs an attempt, none is given"));
        };
        // A run that was told to end does so by an end of its own: nothing of the script may stay.
        hold::living(self.port, fence, self.now)?;
        if let Some(asked) = asked {
            step::may_complete(self.port, fence, asked, self.now)?;
        }
        let end = End::Complete(self.result(outcome)?);
        attempt::finish(self.port, fence, &end, self.now)?;
        Ok(ENDED.into())
    }

    fn result(&self, outcome: &Outcome) -> Result<String> {
        let result = match outcome {
            Outcome::Given(result) => result,
            Outcome::Of(at) => &self.results[*at],
        };
        let (len, max) = (result.len(), self.bounds.payload_bytes_max);
        if len > max {
            let sentence = format!("the result has {len} bytes, at most {max} are allowed");
            return Err(Error::TooBig(sentence.into()));
        }
        Ok(result.clone())
    }
}
