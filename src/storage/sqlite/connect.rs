//! Connections, all alike.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, ffi};

use super::errors::map;
use super::names::log_path;
use super::vfs::{self, layer};
use crate::error::{Error, Result};
use crate::os;

/// Opens a connection, over our layer.
pub fn connect(path: &Path, flags: OpenFlags) -> Result<Connection> {
    layer::register()?;
    Connection::open_with_flags_and_vfs(path, flags, layer::NAME).map_err(map)
}

/// Opens a connection that only reads, and makes no file.
pub fn connect_reader(path: &Path, busy_timeout_ms: u32) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connected = || {
        let conn = connect(path, flags)?;
        vfs::no_checkpoint_on_close(&conn, true)?;
        set_pragmas(&conn, busy_timeout_ms)?;
        // A look at the file, so that what cannot be read is refused here.
        conn.query_row("PRAGMA schema_version", [], |_| Ok(())).map_err(map)?;
        Ok(conn)
    };
    connected().map_err(|error| with_advice(path, error))
}

/// Says what to do about a log that cannot be read; whoever may write the file reads it always.
fn with_advice(path: &Path, error: Error) -> Error {
    let Error::CannotOpen { engine_code, sentence } = error else { return error };
    let shown = path.display();
    let has_log = os::identity(&log_path(path)).is_ok();
    if !has_log || engine_code == ffi::SQLITE_READONLY_ROLLBACK {
        return Error::CannotOpen { engine_code, sentence };
    }
    let sentence = format!(
        "{sentence}: {shown} has a log, and {shown}-wal and {shown}-shm cannot both be read: give the right to read them, or close the store where it is open for writing"
    );
    Error::CannotOpen { engine_code, sentence: sentence.into() }
}

/// Has a new file made so that its free pages can be given back, which must be known before its first page is
/// written. Compiled and not run: that alone tells the connection. To run it would write that page by a
/// journal, and sync it.
pub fn make_compactable(conn: &Connection) -> Result<()> {
    conn.prepare("PRAGMA auto_vacuum = INCREMENTAL").map(drop).map_err(map)
}

/// Sets what every connection has (P1).
pub fn set_pragmas(conn: &Connection, busy_timeout_ms: u32) -> Result<()> {
    conn.busy_timeout(Duration::from_millis(busy_timeout_ms.into())).map_err(map)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true).map_err(map)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false).map_err(map)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).map_err(map)?;
    // Else a statement over a partial index is compiled anew each time another value is bound to it,
    // in the hope of a better plan: ours never depend on values.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(map)?;
    conn.execute_batch("PRAGMA temp_store = MEMORY").map_err(map)?;
    // Built in for what has a log, as far as whoever builds it does so: to say it has SQLite read the schema.
    if vfs::is_built_with(c"DEFAULT_WAL_SYNCHRONOUS=1") { Ok(()) } else { set_normal(conn) }
}

/// Has SQLite sync no commit: the writer syncs the log itself, once for a batch and only when asked for.
pub fn set_normal(conn: &Connection) -> Result<()> {
    conn.execute_batch("PRAGMA synchronous = NORMAL").map_err(map)
}
