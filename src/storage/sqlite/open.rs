//! Opening: every refusal, made before a byte of the file changes; then the connections.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, ffi};

use super::backend::{Backend, FILES, File, Files};
use super::conn::Conn;
use super::connect::{connect, connect_reader, make_compactable, set_normal, set_pragmas};
use super::errors::{cannot_open, map, map_code};
use super::migrate::Seen;
use super::names::{Names, log_path};
use super::path::{self, New};
use super::readers::{Readers, is_there};
use super::side::Side;
use super::write_connection::WriteConnection;
use super::writer::Writer;
use super::{mutexes, vfs};
use crate::error::{Error, Result};
use crate::limits::LOOKS_MAX;
use crate::lock::Unpoisoned;
use crate::os;
use crate::process::{self, Tracked};
use crate::storage::Settings;

const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// How a rollback journal begins; after it and two more numbers, the pages that the file had before.
const JOURNAL_MAGIC: &[u8; 8] = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7";

/// Where a database says how it is written and how it is read: 2 and 2 with a log.
const WAL_FORMATS: Range<usize> = 18..20;

/// Opens a database file, or joins the handles of this process that have it open.
pub fn open(path: &Path, settings: &Settings) -> Result<Backend> {
    #[cfg(feature = "plant")]
    super::fault::unsound::commit();
    mutexes::hold_at_forks();
    let path = path::resolve(path)?;
    refuse_remote(&path, settings)?;
    // Held while the file is opened: two threads must not open it twice, nor one while it closes.
    let mut files = FILES.get().lock().unpoisoned();
    for _ in 1..LOOKS_MAX {
        match open_named(&path, settings, &mut files) {
            Err(Refused { is_in_the_making: true, .. }) => {}
            answer => return answer.map_err(|refused| refused.error),
        }
    }
    open_named(&path, settings, &mut files).map_err(|refused| refused.error)
}

/// Why a file is not opened.
struct Refused {
    error: Error,
    /// Another process was making the file, and may have taken it back as it could not open it: what was
    /// found missing says nothing of the file that is there next.
    is_in_the_making: bool,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Refused {
        Refused { error, is_in_the_making: false }
    }
}

/// Opens what the path names now, and makes it if need be and allowed.
fn open_named(
    path: &Path,
    settings: &Settings,
    files: &mut Files,
) -> std::result::Result<Backend, Refused> {
    let is_made = settings.can_create && !settings.is_read_only;
    let new = if is_made { New::make(path)? } else { None };
    let identity = os::identity(path).map_err(|error| {
        let is_missing = error.kind() == io::ErrorKind::NotFound;
        Refused { error: cannot_open(path, &error), is_in_the_making: is_made && is_missing }
    })?;
    refuse_identity(path, &identity, settings)?;
    let key = (identity.dev, identity.ino, settings.is_read_only);
    if let Some((_, handles)) = files.open.get_mut(&key) {
        *handles += 1;
    } else {
        let file =
            open_file(path, &identity, settings).map_err(|error| refused(error, new, &identity))?;
        files.open.insert(key, (Arc::new(file), 1));
    }
    let (file, _) = files.open.get(&key).ok_or_else(|| Error::internal("an open file is lost"))?;
    let readers = Readers::new(
        path.to_path_buf(),
        Some(key),
        file.schema.clone(),
        (settings.busy_timeout_ms, settings.max_readers),
    );
    Ok(Backend { file: Arc::clone(file), readers })
}

fn refused(error: Error, new: Option<New>, identity: &os::Identity) -> Refused {
    // SQLite looks at a database by its name, too, and says an I/O error where that is gone.
    let is_missing =
        matches!(error, Error::CannotOpen { .. } | Error::WalLost(_) | Error::Io { .. });
    let is_in_the_making = new.is_none() && identity.size == 0 && is_missing;
    if let Some(new) = new {
        new.take_back();
    }
    Refused { error, is_in_the_making }
}

/// Makes a database in memory. It has one connection, which readers share with the writer.
pub fn in_memory(settings: &Settings) -> Result<Backend> {
    mutexes::hold_at_forks();
    let conn = Connection::open_in_memory().map_err(map)?;
    make_compactable(&conn)?;
    set_pragmas(&conn, settings.busy_timeout_ms)?;
    set_normal(&conn)?;
    let side = Arc::new(Side::in_memory()?);
    let busy_timeout = Duration::from_millis(settings.busy_timeout_ms.into());
    let writer = Some(Writer::new(
        WriteConnection::new(
            conn,
            None,
            Arc::clone(&side),
            Arc::default(),
            busy_timeout,
            Seen::default(),
        )?,
        Arc::clone(&side),
    ));
    let file = File {
        key: None,
        path: None,
        writer,
        side,
        schema: Seen::default(),
        owners: Mutex::default(),
        _tracked: None,
    };
    let readers =
        Readers::new(PathBuf::new(), None, Seen::default(), (settings.busy_timeout_ms, 0));
    Ok(Backend { file: Arc::new(file), readers })
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

fn open_file(path: &Path, identity: &os::Identity, settings: &Settings) -> Result<File> {
    let schema = Seen::default();
    examine(path, settings, &schema)?;
    let key = Some((identity.dev, identity.ino, settings.is_read_only));
    if settings.is_read_only {
        return Ok(File {
            key,
            path: Some(path.to_path_buf()),
            writer: None,
            side: Arc::new(Side::listening(path)?),
            schema,
            owners: Mutex::default(),
            _tracked: track_only(identity)?,
        });
    }
    // The side file is as readable as the file that it stands beside, and never executable.
    let side = Arc::new(Side::open(path, identity.mode & 0o666)?);
    let deadline = Instant::now() + Duration::from_millis(settings.busy_timeout_ms.into());
    let pass = side.enter(deadline)?;
    side.begin_boot()?;
    let index = os::with_suffix(path, "-shm");
    os::create_mapped(&index, identity.mode & 0o666)
        .map_err(|error| cannot_open(&index, &error))?;
    let bench = open_bench(path, identity, &side, (settings.busy_timeout_ms, &schema))?;
    drop(pass);
    let writer = Some(Writer::new(bench, Arc::clone(&side)));
    let path = Some(path.to_path_buf());
    Ok(File { key, path, writer, side, schema, owners: Mutex::default(), _tracked: None })
}

fn track_only(identity: &os::Identity) -> Result<Option<Tracked>> {
    process::track(identity.dev, identity.ino, || Ok(None))
        .map(Some)
        .map_err(|error| Error::from_os("the file cannot be tracked", &error))
}

/// What a look at a file found.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    /// A database that may be ours, or become so.
    Good,
    /// A transaction that was cut off: what the file holds means nothing before it is rolled back.
    CutOff,
    /// Nothing sure: somebody opened the file for writing meanwhile.
    Stale,
}

/// Looks at a file without changing a byte of it or of its log, and refuses what is not ours (P3).
///
/// One change is made first where it is due: a transaction that was cut off is rolled back from its
/// journal, as by whichever program opens the file next. It may be our own, the very first of a new
/// file, or a host's; the file is whole only afterwards, and nothing can be said of it before but that
/// it is no database at all.
fn examine(path: &Path, settings: &Settings, schema: &Seen) -> Result<()> {
    for _ in 0..LOOKS_MAX {
        match look(path, settings.busy_timeout_ms, schema)? {
            Look::Good => return Ok(()),
            Look::CutOff if settings.is_read_only => {
                return Err(map_code(ffi::SQLITE_READONLY_ROLLBACK, ""));
            }
            Look::CutOff => roll_back(path, settings.busy_timeout_ms)?,
            Look::Stale => {}
        }
    }
    Err(Error::Busy(
        format!("{} was opened anew each time it was looked at", path.display()).into(),
    ))
}

fn look(path: &Path, busy_timeout_ms: u32, schema: &Seen) -> Result<Look> {
    let has_log = path::find(&log_path(path))?.is_some_and(|log| log.size > 0);
    let header = vfs::header(path)?;
    // As the system says it: SQLite takes a file of one byte for an empty one.
    let size = os::identity(path).map_err(|error| cannot_open(path, &error))?.size;
    if size == 0 && !has_log {
        return Ok(Look::Good);
    }
    if size > 0 && !header.bytes.starts_with(MAGIC) {
        return look_at_start(path, &header, size);
    }
    let conn = match connect_reader(path, busy_timeout_ms) {
        Err(Error::CannotOpen { engine_code: ffi::SQLITE_READONLY_ROLLBACK, .. }) => {
            return Ok(Look::CutOff);
        }
        // What is cut short says so best by its length.
        Err(error @ (Error::Corrupt(_) | Error::NotAStore(_))) => {
            return refuse_short(path, has_log).and(Err(error));
        }
        conn => Conn::new(conn?),
    };
    let found = look_within(&conn, path, has_log, schema);
    if is_there(path, vfs::reads_alone_until(&conn)?)? {
        schema.forget();
        return Ok(Look::Stale);
    }
    found.map(|()| Look::Good)
}

/// Looks at a file of which the header and then the size was read, and which does not begin as a database.
/// Whoever makes it, or undoes that, may have been at work in between.
fn look_at_start(path: &Path, header: &vfs::Header, size: u64) -> Result<Look> {
    if is_first_cut_off(path)? {
        return Ok(Look::CutOff);
    }
    let now = os::identity(path).map_err(|error| cannot_open(path, &error))?.size;
    if now != size || vfs::header(path)? != *header {
        return Ok(Look::Stale);
    }
    Err(not_a_store(path))
}

/// Looks at a file in a read transaction, so that nobody changes it in between.
fn look_within(conn: &Conn, path: &Path, has_log: bool, schema: &Seen) -> Result<()> {
    conn.execute_batch("BEGIN").map_err(map)?;
    conn.query_row("PRAGMA schema_version", [], |_| Ok(())).map_err(map)?;
    refuse_short(path, has_log)?;
    schema.look(conn)?.refusal(true).map_or(Ok(()), Err)
}

/// Returns whether the file is what a cut off transaction left that was the first of a new file: its
/// journal says that there was nothing before.
fn is_first_cut_off(path: &Path) -> Result<bool> {
    let journal = os::with_suffix(path, "-journal");
    if path::find(&journal)?.is_none() {
        return Ok(false);
    }
    let header = vfs::header(&journal)?;
    Ok(header.bytes.starts_with(JOURNAL_MAGIC) && header.number(16..20) == 0)
}

/// Has SQLite roll back what its journal says, as it does for whoever first reads the file.
fn roll_back(path: &Path, busy_timeout_ms: u32) -> Result<()> {
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    set_pragmas(&conn, busy_timeout_ms)?;
    conn.query_row("PRAGMA schema_version", [], |_| Ok(())).map_err(map)
}

fn not_a_store(path: &Path) -> Error {
    Error::NotAStore(format!("{} is not a SQLite database", path.display()).into())
}

/// Refuses a file that has lost its end. One with a log may be shorter than it says.
fn refuse_short(path: &Path, has_log: bool) -> Result<()> {
    for _ in 0..LOOKS_MAX {
        let header = vfs::header(path)?;
        let bytes = bytes_told(&header);
        if has_log || bytes <= header.size {
            return Ok(());
        }
        // After the size: another process may have come since, and whoever moves a log into the file makes
        // the file longer before the log goes.
        if path::find(&log_path(path))?.is_some_and(|log| log.size > 0) {
            return Ok(());
        }
        if vfs::header(path)? == header {
            return Err(Error::Corrupt(
                format!("{} has {} of its {bytes} bytes", path.display(), header.size).into(),
            ));
        }
    }
    Ok(())
}

/// Returns how long a file says that it is; 0 where it does not tell: the count of pages is good only if
/// the change counter was written together with it.
fn bytes_told(header: &vfs::Header) -> u64 {
    let page_bytes = if header.number(16..18) == 1 { 65_536 } else { header.number(16..18) };
    let is_counted = header.number(24..28) == header.number(92..96);
    if is_counted { header.number(28..32) * page_bytes } else { 0 }
}

fn open_bench(
    path: &Path,
    identity: &os::Identity,
    side: &Arc<Side>,
    (busy_timeout_ms, schema): (u32, &Seen),
) -> Result<WriteConnection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = connect(path, flags)?;
    // First of all, as the statements that follow may sync.
    vfs::hear_syncs(&conn, side)?;
    vfs::no_checkpoint_on_close(&conn, true)?;
    set_pragmas(&conn, busy_timeout_ms)?;
    if conn.is_readonly("main").map_err(map)? {
        return Err(Error::ReadOnly(format!("{} cannot be written", path.display()).into()));
    }
    if identity.size == 0 {
        make_compactable(&conn)?;
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
    let mut names = Names::new(path, identity.id, side)?;
    // From here on the connection's lock keeps the file: what was opened must be what was looked at.
    names.check()?;
    let busy_timeout = Duration::from_millis(busy_timeout_ms.into());
    WriteConnection::new(conn, Some(names), Arc::clone(side), pages, busy_timeout, schema.clone())
}

fn set_wal(conn: &Connection) -> Result<()> {
    // The first read makes the log, and recovers one that a crash left behind. From then on nobody else can
    // change the mode; to ask SQLite for it would have it read the schema.
    let read = || conn.query_row("PRAGMA schema_version", [], |_| Ok(())).map_err(map);
    read()?;
    if !has_log(conn)? {
        set_normal(conn)?;
        let mode = journal_mode(conn, "PRAGMA journal_mode = WAL")?;
        if mode != "wal" {
            return Err(Error::Unsupported(
                format!("the file keeps its journal mode {mode}: it cannot have a write-ahead log")
                    .into(),
            ));
        }
    }
    read()
}

/// Returns whether a database that was read says in its header that it has a log.
fn has_log(conn: &Connection) -> Result<bool> {
    let mut header = [0; WAL_FORMATS.end];
    let database = vfs::Opened::database(conn)?;
    let is_read = database.map_or(Ok(false), |database| database.read(&mut header, 0))?;
    Ok(is_read && header[WAL_FORMATS] == [2, 2])
}

/// Runs a pragma that answers the journal mode, to its end: the commit comes after the answer, and its
/// failure is that of the last step.
fn journal_mode(conn: &Connection, sql: &str) -> Result<String> {
    let mut statement = conn.prepare(sql).map_err(map)?;
    let modes = statement.query_map([], |row| row.get(0)).map_err(map)?;
    let mut modes: Vec<String> = modes.collect::<rusqlite::Result<_>>().map_err(map)?;
    modes.pop().ok_or_else(|| Error::internal("SQLite told no journal mode"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log that has come since the look began, or is there, holds what the file lacks; without one the
    /// file has lost its end.
    #[test]
    fn a_file_is_short_only_where_no_log_holds_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (zeroblob(99999))").unwrap();
        drop(conn);
        assert_eq!(refuse_short(&path, false), Ok(()));
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(8192).unwrap();
        assert!(matches!(refuse_short(&path, false), Err(Error::Corrupt(_))));
        assert_eq!(refuse_short(&path, true), Ok(()));
        std::fs::write(log_path(&path), b"frames").unwrap();
        assert_eq!(refuse_short(&path, false), Ok(()));
    }

    /// Between the two reads of a look another process makes the file, or takes back what it made.
    #[test]
    fn a_file_that_changes_while_it_is_looked_at_is_looked_at_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        std::fs::write(&path, b"").unwrap();
        let empty = vfs::header(&path).unwrap();
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch("CREATE TABLE t (a)").unwrap();
        let size = std::fs::metadata(&path).unwrap().len();
        assert!(matches!(look_at_start(&path, &empty, size), Ok(Look::Stale)));
        drop(conn);

        std::fs::write(&path, b"").unwrap();
        assert!(matches!(look_at_start(&path, &empty, size), Ok(Look::Stale)));

        for junk in
            [&b"x"[..], b"no database, though it is as long as a header of one is: sixteen bytes"]
        {
            std::fs::write(&path, junk).unwrap();
            let header = vfs::header(&path).unwrap();
            let answer = look_at_start(&path, &header, junk.len() as u64);
            assert!(matches!(answer, Err(Error::NotAStore(_))));
        }
    }
}
