//! Opening: every refusal, made before a byte of the file changes; then the connections.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::bench::Bench;
use super::names::log_path;
use super::readers::Readers;
use super::side::Side;
use super::vfs::layer;
use super::writer::Writer;
use super::{Backend, File, map, map_system, migrate, os, vfs};
use crate::error::{Error, Result};
use crate::limits::{PATH_BYTES_MAX, STATEMENTS_CACHED};
use crate::process::{self, Tracked};

/// What a store's options ask of its file, with the defaults filled in.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Make the file if there is none.
    pub can_create: bool,
    /// Open without a writer.
    pub is_read_only: bool,
    /// Serve network and shared-folder file systems, and files with a second name.
    pub allows_network_fs: bool,
    /// Milliseconds that a call waits for a lock.
    pub busy_timeout_ms: u32,
    /// Read connections at most.
    pub max_readers: u32,
}

/// How read connections reach the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Through the log, as others write.
    Shared,
    /// On media that nobody can write: without locks and log.
    Immutable,
}

const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Opens a database file, or joins the handles of this process that have it open.
pub fn open(path: &Path, settings: &Settings) -> Result<Backend> {
    let path = resolve(path)?;
    refuse_remote(&path, settings)?;
    if !settings.is_read_only && settings.can_create {
        os::create_private(&path, 0o600).map_err(|error| cannot_open(&path, &error))?;
    }
    let identity = os::identity(&path).map_err(|error| cannot_open(&path, &error))?;
    refuse_identity(&path, &identity, settings)?;
    let key = (identity.dev, identity.ino, settings.is_read_only);
    // Held while the file is opened: two threads must not open it twice, nor one while it closes.
    let mut files = process::state().files.lock().unwrap_or_else(PoisonError::into_inner);
    let access = match files.open.get_mut(&key) {
        Some((_, handles)) => {
            *handles += 1;
            Access::Shared
        }
        None => {
            let (file, access) = open_file(&path, &identity, settings)?;
            files.open.insert(key, (Arc::new(file), 1));
            access
        }
    };
    let (file, _) = files.open.get(&key).ok_or_else(|| Error::internal("an open file is lost"))?;
    let readers = Readers::new(path, access, settings.busy_timeout_ms, settings.max_readers);
    Ok(Backend { file: Arc::clone(file), readers })
}

/// Makes a database in memory. It has one connection, which readers share with the writer.
pub fn in_memory(settings: &Settings) -> Result<Backend> {
    let conn = Connection::open_in_memory().map_err(map)?;
    set_pragmas(&conn, settings.busy_timeout_ms)?;
    let side = Arc::new(Side::in_memory()?);
    let busy_timeout = Duration::from_millis(settings.busy_timeout_ms.into());
    let writer = Some(Writer::new(
        Bench::new(conn, None, Arc::clone(&side), Arc::default(), busy_timeout)?,
        Arc::clone(&side),
    ));
    let file =
        File { key: None, path: None, writer, side, owners: Mutex::default(), _tracked: None };
    let readers = Readers::new(PathBuf::new(), Access::Shared, settings.busy_timeout_ms, 0);
    Ok(Backend { file: Arc::new(file), readers })
}

/// Returns the path that names the file for good: absolute, without symbolic links, so that every
/// handle and process finds the same side file.
fn resolve(path: &Path) -> Result<PathBuf> {
    let length = path.as_os_str().len();
    if length == 0 || length >= PATH_BYTES_MAX - "-smolwf".len() {
        return Err(Error::invalid(format!(
            "path has {length} bytes, it must have 1 to {}",
            PATH_BYTES_MAX - "-smolwf".len() - 1
        )));
    }
    if let Ok(resolved) = path.canonicalize() {
        return Ok(resolved);
    }
    let name = path
        .file_name()
        .ok_or_else(|| Error::invalid(format!("path {} does not name a file", path.display())))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).canonicalize();
    Ok(folder.map_err(|error| cannot_open(path, &error))?.join(name))
}

fn cannot_open(path: &Path, error: &std::io::Error) -> Error {
    map_system(&format!("{} cannot be opened", path.display()), error)
}

fn refuse_remote(path: &Path, settings: &Settings) -> Result<()> {
    if settings.allows_network_fs {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    match os::remote_file_system(folder).map_err(|error| cannot_open(path, &error))? {
        None => Ok(()),
        Some(name) => Err(Error::Unsupported(
            format!(
                "{} lies on {name}, whose locks and memory maps do not hold between machines; \
                 SW_OPEN_ALLOW_NETWORK_FS opens it all the same",
                path.display()
            )
            .into(),
        )),
    }
}

fn refuse_identity(path: &Path, identity: &os::Identity, settings: &Settings) -> Result<()> {
    if process::was_open_at_fork(identity.dev, identity.ino) {
        return Err(Error::Forked);
    }
    if !identity.is_file {
        return Err(Error::CannotOpen {
            engine_code: 0,
            sentence: format!("{} is not a regular file", path.display()).into(),
        });
    }
    if identity.links > 1 && !settings.allows_network_fs {
        return Err(Error::Unsupported(
            format!(
                "{} has {} names (hard links): under another name it would have another log; \
                 SW_OPEN_ALLOW_NETWORK_FS opens it all the same",
                path.display(),
                identity.links
            )
            .into(),
        ));
    }
    Ok(())
}

fn open_file(path: &Path, identity: &os::Identity, settings: &Settings) -> Result<(File, Access)> {
    let access = examine(path, identity.size, settings.busy_timeout_ms)?;
    let key = Some((identity.dev, identity.ino, settings.is_read_only));
    let path = path.to_path_buf();
    if settings.is_read_only {
        let tracked = track_only(identity)?;
        // Immutable only where nobody can write: elsewhere others do, and pages would be read torn.
        let is_shared = connect_reader(&path, Access::Shared, settings.busy_timeout_ms).is_ok();
        let access = if is_shared { Access::Shared } else { access };
        let side = Arc::new(Side::in_memory()?);
        let file = File {
            key,
            path: Some(path),
            writer: None,
            side,
            owners: Mutex::default(),
            _tracked: tracked,
        };
        return Ok((file, access));
    }
    // The side file is as readable as the file that it stands beside, and never executable.
    let side = Arc::new(Side::open(&path, identity.mode & 0o666)?);
    let deadline = Instant::now() + Duration::from_millis(settings.busy_timeout_ms.into());
    let pass = side.enter(deadline)?;
    side.begin_boot();
    let bench = open_bench(&path, &side, settings.busy_timeout_ms)?;
    drop(pass);
    let writer = Some(Writer::new(bench, Arc::clone(&side)));
    let file =
        File { key, path: Some(path), writer, side, owners: Mutex::default(), _tracked: None };
    Ok((file, Access::Shared))
}

fn track_only(identity: &os::Identity) -> Result<Option<Tracked>> {
    process::track(identity.dev, identity.ino, || Ok(None))
        .map(Some)
        .map_err(|error| Error::from_os("the file cannot be tracked", &error))
}

/// Looks at a file without changing a byte of it or of its log, and refuses what is not ours (P3).
///
/// A file without a log is read as immutable, since a read-only connection would make an empty log
/// beside it; one with a log through the log, without moving it into the file.
fn examine(path: &Path, size: u64, busy_timeout_ms: u32) -> Result<Access> {
    let has_log = os::identity(&log_path(path)).is_ok_and(|log| log.size > 0);
    if size == 0 && !has_log {
        return Ok(Access::Shared);
    }
    examine_header(path, has_log)?;
    let access = if has_log { Access::Shared } else { Access::Immutable };
    let schema =
        connect_reader(path, access, busy_timeout_ms).and_then(|conn| migrate::inspect(&conn))?;
    schema.refusal(true).map_or(Ok(access), Err)
}

fn examine_header(path: &Path, has_log: bool) -> Result<()> {
    let header = vfs::header(path)?;
    if header.size == 0 && has_log {
        return Ok(());
    }
    if !header.bytes.starts_with(MAGIC) {
        return Err(Error::NotAStore(
            format!("{} is not a SQLite database", path.display()).into(),
        ));
    }
    let number = |from: usize, to: usize| {
        header.bytes[from..to].iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte))
    };
    let page_bytes = if number(16, 18) == 1 { 65_536 } else { number(16, 18) };
    // The count of pages is good only if the change counter was written together with it.
    let is_counted = number(24, 28) == number(92, 96);
    let bytes = number(28, 32) * page_bytes;
    if is_counted && !has_log && bytes > header.size {
        return Err(Error::Corrupt(
            format!("{} has {} of its {bytes} bytes", path.display(), header.size).into(),
        ));
    }
    Ok(())
}

fn open_bench(path: &Path, side: &Arc<Side>, busy_timeout_ms: u32) -> Result<Bench> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = connect(path, flags)?;
    // First of all, as the statements that follow may sync.
    vfs::hear_syncs(&conn, side)?;
    vfs::no_checkpoint_on_close(&conn, true)?;
    set_pragmas(&conn, busy_timeout_ms)?;
    if conn.is_readonly("main").map_err(map)? {
        return Err(Error::ReadOnly(format!("{} cannot be written", path.display()).into()));
    }
    set_wal(&conn)?;
    let pages = Arc::new(AtomicI32::new(0));
    let hook_pages = Arc::clone(&pages);
    // In place of SQLite's own hook, which would checkpoint inside the commit.
    conn.wal_hook(Some(move |_: &mut _, count| {
        hook_pages.store(count, Ordering::Relaxed);
        Ok(())
    }))
    .map_err(map)?;
    Bench::new(
        conn,
        Some(path),
        Arc::clone(side),
        pages,
        Duration::from_millis(busy_timeout_ms.into()),
    )
}

/// Opens a connection, over our layer.
fn connect(path: &Path, flags: OpenFlags) -> Result<Connection> {
    layer::register()?;
    Connection::open_with_flags_and_vfs(path, flags, layer::NAME).map_err(map)
}

/// Opens a connection that only reads.
pub fn connect_reader(path: &Path, access: Access, busy_timeout_ms: u32) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = match access {
        Access::Shared => connect(path, flags)?,
        Access::Immutable => connect(&immutable_uri(path), flags | OpenFlags::SQLITE_OPEN_URI)?,
    };
    vfs::no_checkpoint_on_close(&conn, true)?;
    set_pragmas(&conn, busy_timeout_ms)?;
    // A look at the file, so that what cannot be read is refused here.
    conn.query_row("PRAGMA schema_version", [], |_| Ok(())).map_err(map)?;
    Ok(conn)
}

fn immutable_uri(path: &Path) -> PathBuf {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let mut uri = b"file:".to_vec();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'%' | b'?' | b'#' => uri.extend_from_slice(format!("%{byte:02x}").as_bytes()),
            _ => uri.push(*byte),
        }
    }
    uri.extend_from_slice(b"?immutable=1");
    std::ffi::OsString::from_vec(uri).into()
}

/// Sets what every connection has (P1).
fn set_pragmas(conn: &Connection, busy_timeout_ms: u32) -> Result<()> {
    conn.busy_timeout(Duration::from_millis(busy_timeout_ms.into())).map_err(map)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true).map_err(map)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false).map_err(map)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).map_err(map)?;
    // Else a statement over a partial index is compiled anew each time another value is bound to it,
    // in the hope of a better plan: ours never depend on values.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(map)?;
    // NORMAL: the writer syncs the log itself, once for a batch and only when asked for.
    conn.execute_batch("PRAGMA temp_store = MEMORY; PRAGMA synchronous = NORMAL;").map_err(map)
}

fn set_wal(conn: &Connection) -> Result<()> {
    if journal_mode(conn, "PRAGMA journal_mode")? != "wal" {
        let mode = journal_mode(conn, "PRAGMA journal_mode = WAL")?;
        if mode != "wal" {
            return Err(Error::Unsupported(
                format!("the file keeps its journal mode {mode}: it cannot have a write-ahead log")
                    .into(),
            ));
        }
    }
    // The first read makes the log, and recovers one that a crash left behind.
    conn.query_row("PRAGMA schema_version", [], |_| Ok(())).map_err(map)
}

/// Runs a pragma that answers the journal mode, to its end: the commit comes after the answer, and its
/// failure is that of the last step.
fn journal_mode(conn: &Connection, sql: &str) -> Result<String> {
    let mut statement = conn.prepare(sql).map_err(map)?;
    let modes = statement.query_map([], |row| row.get(0)).map_err(map)?;
    let mut modes: Vec<String> = modes.collect::<rusqlite::Result<_>>().map_err(map)?;
    modes.pop().ok_or_else(|| Error::internal("SQLite told no journal mode"))
}
