//! What keeps statements of the host's within their bounds: an authorizer and a clock, which are on the
//! connection for good and let everything pass while a statement of ours is at work. Set anew for each
//! call, the authorizer would make SQLite compile every statement of the connection again.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use rusqlite::Connection;
use rusqlite::ffi;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

use super::errors::map;
use crate::error::{Error, Result};
use crate::lock::Unpoisoned;

/// Steps of SQLite's machine between two looks at the clock: some ten microseconds.
const STEPS_A_LOOK: i32 = 1_000;

/// Tables of SQLite's own that no statement can name as what it writes: it refuses that itself.
const SCHEMA: [&str; 4] =
    ["sqlite_master", "sqlite_schema", "sqlite_temp_master", "sqlite_temp_schema"];

/// Whose statement is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Ours.
    Ours = 0,
    /// The host's, which may only read.
    Query = 1,
    /// The host's, which may write its own tables.
    Write = 2,
}

/// What is known of the host's statement that is at work on a connection.
#[derive(Debug, Default)]
pub struct Host {
    mode: AtomicU8,
    /// Whether a statement makes or changes a table: what it comes to is looked at when it is done.
    changes_tables: AtomicBool,
    /// Whether it alters or drops something, so that SQLite changes tables of its own for it.
    forgets: AtomicBool,
    deadline: Mutex<Option<Instant>>,
    refused: Mutex<Option<String>>,
}

impl Host {
    /// Sets a connection up for statements of the host's.
    pub fn install(conn: &mut Connection) -> Result<Arc<Host>> {
        let host = Arc::new(Host::default());
        let asked = Arc::clone(&host);
        conn.authorizer(Some(move |context: AuthContext<'_>| asked.authorize(&context.action)))
            .map_err(map)?;
        let asked = Arc::clone(&host);
        conn.progress_handler(STEPS_A_LOOK, Some(move || asked.is_late())).map_err(map)?;
        Ok(host)
    }

    /// Lets a statement of the host's onto the connection, until what is returned is dropped.
    pub fn enter(&self, is_query: bool, deadline: Option<Instant>) -> Visit<'_> {
        *self.deadline.lock().unpoisoned() = deadline;
        *self.refused() = None;
        self.changes_tables.store(false, Ordering::Relaxed);
        self.forgets.store(false, Ordering::Relaxed);
        let mode = if is_query { Mode::Query } else { Mode::Write };
        self.mode.store(mode as u8, Ordering::Relaxed);
        Visit(self)
    }

    fn authorize(&self, action: &AuthAction<'_>) -> Authorization {
        let mode = self.mode.load(Ordering::Relaxed);
        if mode == Mode::Ours as u8 {
            return Authorization::Allow;
        }
        if let AuthAction::CreateTable { .. }
        | AuthAction::AlterTable { .. }
        | AuthAction::CreateVtable { .. } = action
        {
            self.changes_tables.store(true, Ordering::Relaxed);
        }
        if let AuthAction::AlterTable { .. }
        | AuthAction::DropTable { .. }
        | AuthAction::DropIndex { .. } = action
        {
            self.forgets.store(true, Ordering::Relaxed);
        }
        let refused = refusal(action, mode == Mode::Query as u8)
            .or_else(|| engines(action).filter(|_| !self.forgets.load(Ordering::Relaxed)));
        match refused {
            None => Authorization::Allow,
            Some(why) => {
                self.refused().get_or_insert(why);
                Authorization::Deny
            }
        }
    }

    /// Returns whether a statement of the host's has run for too long.
    fn is_late(&self) -> bool {
        self.mode.load(Ordering::Relaxed) != Mode::Ours as u8
            && self.deadline.lock().unpoisoned().is_some_and(|deadline| Instant::now() >= deadline)
    }

    fn refused(&self) -> MutexGuard<'_, Option<String>> {
        self.refused.lock().unpoisoned()
    }
}

/// A statement of the host's on a connection.
pub struct Visit<'host>(&'host Host);

impl Visit<'_> {
    /// Returns whether it makes or changes a table.
    pub fn changes_tables(&self) -> bool {
        self.0.changes_tables.load(Ordering::Relaxed)
    }

    /// Reads what went wrong with it as an error of the host's, where it is one.
    pub fn map(&self, error: rusqlite::Error) -> Error {
        if let Some(why) = self.0.refused().take() {
            return Error::invalid(why);
        }
        if matches!(error, rusqlite::Error::MultipleStatement) {
            return Error::invalid("sql has more than one statement");
        }
        if let rusqlite::Error::SqlInputError { msg, offset, .. } = &error {
            return Error::invalid(format!("sql at byte {offset}: {msg}"));
        }
        let (Some(failure), text) = (error.sqlite_error(), sentence(&error)) else {
            return map(error);
        };
        match failure.extended_code & 0xFF {
            ffi::SQLITE_CONSTRAINT => Error::conflict(text),
            ffi::SQLITE_INTERRUPT => late(),
            ffi::SQLITE_TOOBIG => Error::TooBig(text.into()),
            ffi::SQLITE_ERROR | ffi::SQLITE_AUTH | ffi::SQLITE_MISMATCH | ffi::SQLITE_RANGE => {
                Error::invalid(text)
            }
            _ => map(error),
        }
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.0.mode.store(Mode::Ours as u8, Ordering::Relaxed);
    }
}

/// Says that the time is over.
pub fn late() -> Error {
    Error::TooBig("sql ran for longer than its time-out allows".into())
}

/// Returns SQLite's own words.
fn sentence(error: &rusqlite::Error) -> String {
    if let rusqlite::Error::SqliteFailure(_, Some(text)) = error {
        return text.clone();
    }
    error.to_string()
}

/// Returns why a statement of the host's may not do something.
#[allow(clippy::wildcard_enum_match_arm, reason = "what SQLite may come to know is refused")]
fn refusal(action: &AuthAction<'_>, is_query: bool) -> Option<String> {
    let plainly = |what: &str| Some(format!("sql may not use {what}"));
    match *action {
        AuthAction::Select | AuthAction::Recursive | AuthAction::Read { .. } => None,
        AuthAction::Function { function_name } => function_name
            .eq_ignore_ascii_case("load_extension")
            .then(|| "sql may not load extensions".into()),
        AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => {
            plainly("BEGIN, COMMIT, ROLLBACK or SAVEPOINT: it is part of a transaction already")
        }
        AuthAction::Pragma { pragma_name, .. } => plainly(&format!("PRAGMA {pragma_name}")),
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => plainly("ATTACH or DETACH"),
        _ if is_query => Some("sql writes, where only a query is allowed".into()),
        AuthAction::Analyze { .. } => {
            plainly("ANALYZE: it would change how the library's own statements are run")
        }
        AuthAction::Insert { table_name }
        | AuthAction::Update { table_name, .. }
        | AuthAction::Delete { table_name }
        | AuthAction::DropTable { table_name }
        | AuthAction::AlterTable { table_name, .. }
        | AuthAction::DropVtable { table_name, .. } => ours(table_name),
        AuthAction::CreateTable { table_name } | AuthAction::CreateVtable { table_name, .. } => {
            ours(table_name).or_else(|| hiding(table_name))
        }
        AuthAction::CreateIndex { index_name, table_name }
        | AuthAction::DropIndex { index_name, table_name } => {
            ours(table_name).or_else(|| ours(index_name))
        }
        AuthAction::CreateTrigger { trigger_name, table_name }
        | AuthAction::DropTrigger { trigger_name, table_name } => {
            ours(table_name).or_else(|| ours(trigger_name))
        }
        AuthAction::CreateView { view_name } => ours(view_name).or_else(|| hiding(view_name)),
        AuthAction::DropView { view_name } => ours(view_name),
        AuthAction::Reindex { index_name } => ours(index_name),
        // What is temporary would stay in a connection of the library's; the rest is not known.
        _ => plainly("what is temporary, or no table, view, index or trigger"),
    }
}

/// Refuses a name that begins as those of the library's tables do.
fn ours(name: &str) -> Option<String> {
    let is_ours = name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("sw_"));
    is_ours
        .then(|| format!("sql may not write {name}: names that begin with sw_ are the library's"))
}

/// Refuses a name that SQLite gives to rows it makes up: a table of that name would hide them from the
/// library's own statements.
fn hiding(name: &str) -> Option<String> {
    let is_pragma = name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("pragma_"));
    let is_json = ["json_each", "json_tree"].iter().any(|known| name.eq_ignore_ascii_case(known));
    (is_pragma || is_json)
        .then(|| format!("sql may not name a table {name}: SQLite has one itself"))
}

/// Refuses to write the tables of SQLite's own that a statement may name. Of what is altered or dropped
/// it keeps the books there itself.
fn engines(action: &AuthAction<'_>) -> Option<String> {
    let (AuthAction::Insert { table_name: name }
    | AuthAction::Update { table_name: name, .. }
    | AuthAction::Delete { table_name: name }) = *action
    else {
        return None;
    };
    let is_engines = name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sqlite_"));
    let is_schema = SCHEMA.iter().any(|known| name.eq_ignore_ascii_case(known));
    (is_engines && !is_schema).then(|| format!("sql may not write {name}, which is SQLite's own"))
}
