//! Which file a path means, which paths are refused, and a new file that is taken back.

use std::fs;
use std::io;
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::errors::cannot_open;
use super::side;
use crate::error::{Error, Result};
use crate::limits::{FILE_BYTES_MAX, LINKS_MAX, SUFFIX_BYTES};
use crate::os;

/// What identifies an open file: its device, its inode, and whether it is open for reading only.
pub(crate) type FileKey = (u64, u64, bool);

/// The bytes of a database that SQLite locks: pending, reserved, shared.
const SQLITE_LOCKS: Range<u64> = 0x4000_0000..0x4000_0200;

/// Returns the path that names the file for good: absolute, without symbolic links, so that every
/// handle and process finds the same side file. The file need not exist.
///
/// # Errors
/// `Invalid` for a path that is none, or too long for what is to stand beside it; `CannotOpen`.
pub fn resolve(path: &Path) -> Result<PathBuf> {
    refuse_spelling(path)?;
    let path = follow(path)?;
    let bytes = path.as_os_str().len();
    if bytes > FILE_BYTES_MAX {
        return Err(Error::invalid(format!(
            "path has {bytes} bytes when it is absolute and its symbolic links are followed, it must have 1 to {FILE_BYTES_MAX}"
        )));
    }
    refuse_long_name(&path)?;
    Ok(path)
}

/// Refuses what other programs take for something else than the name of a file.
fn refuse_spelling(path: &Path) -> Result<()> {
    let bytes = path.as_os_str().as_bytes();
    let shown = path.display();
    let is_uri = bytes.starts_with(b"file:") || bytes.starts_with(b"sqlite:");
    let sentence = if let Some(scheme) = scheme_of_server(bytes) {
        // The rest may hold a password.
        format!(
            "path begins with {scheme:?} and is no file: a store on a server is postgresql://..."
        )
    } else if bytes.is_empty() {
        "path is empty: a store without a file is sw_store_open_in_memory's".into()
    } else if bytes.contains(&0) {
        "path holds a NUL".into()
    } else if bytes.eq_ignore_ascii_case(b":memory:") {
        format!(
            "path is {shown}: a store in memory is sw_store_open_in_memory's; a file of that name is ./{shown}"
        )
    } else if is_uri && bytes.windows(8).any(|part| part == b":memory:") {
        format!("path is the URI {shown}: a store in memory is sw_store_open_in_memory's")
    } else if is_uri {
        format!("path is the URI {shown}: give the path alone; a file of that name is ./{shown}")
    } else {
        return Ok(());
    };
    Err(Error::Invalid(sentence.into()))
}

/// Returns what a path begins with that is meant for a server: a scheme of its own before `://`, or that of
/// PostgreSQL, of which what tidies paths leaves one slash.
fn scheme_of_server(path: &[u8]) -> Option<&str> {
    let end = path.iter().position(|byte| *byte == b':')?;
    let scheme = std::str::from_utf8(&path[..end]).ok()?;
    let is_scheme =
        scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+.-".contains(&byte));
    let rest = &path[end..];
    let is_ours = rest.starts_with(b":/") && scheme.to_ascii_lowercase().starts_with("postgres");
    let is_url = rest.starts_with(b"://") && !["file", "sqlite"].contains(&scheme);
    (is_scheme && end > 0 && (is_ours || is_url)).then_some(scheme)
}

/// Follows symbolic links, also one to a file that is yet to be made.
fn follow(path: &Path) -> Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..LINKS_MAX {
        match path.canonicalize() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.raw_os_error() == Some(libc::ENAMETOOLONG) => {
                return Err(Error::invalid(format!(
                    "path has {} bytes, or a part of it: {error}",
                    path.as_os_str().len()
                )));
            }
            answer => return answer.map_err(|error| cannot_open(&path, &error)),
        }
        match fs::read_link(&path) {
            Ok(target) => path = folder_of(&path).join(target),
            Err(_) => return missing(&path),
        }
    }
    Err(cannot_open(&path, &io::Error::from_raw_os_error(libc::ELOOP)))
}

/// Returns the full path of a file that is not there, in a folder that is.
fn missing(path: &Path) -> Result<PathBuf> {
    let name = path
        .file_name()
        .ok_or_else(|| Error::invalid(format!("path {} does not name a file", path.display())))?;
    let folder = folder_of(path).canonicalize().map_err(|error| cannot_open(path, &error))?;
    Ok(folder.join(name))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Refuses a name that leaves no room for the suffixes of the files beside it.
fn refuse_long_name(path: &Path) -> Result<()> {
    let bytes = path.file_name().map_or(0, |name| name.len());
    let folder = folder_of(path);
    let max = os::name_bytes_max(folder).map_err(|error| cannot_open(folder, &error))?;
    let max = max.saturating_sub(SUFFIX_BYTES);
    if bytes <= max {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the name of the file has {bytes} bytes, it must have 1 to {max}: what stands beside it has {SUFFIX_BYTES} more"
    )))
}

/// A file that this call made, and what did not stand beside it before.
pub struct New {
    path: PathBuf,
    absent: Vec<PathBuf>,
}

impl New {
    /// Makes the file; `None` when there is one already.
    pub fn make(path: &Path) -> Result<Option<New>> {
        let beside = ["-wal", "-shm", side::SUFFIX].map(|suffix| os::with_suffix(path, suffix));
        let is_absent =
            |path: &PathBuf| fs::symlink_metadata(path).is_err_and(|error| is_missing(&error));
        let absent = beside.into_iter().filter(is_absent).collect();
        let is_made = os::create_private(path, 0o600).map_err(|error| cannot_open(path, &error))?;
        Ok(is_made.then(|| New { path: path.to_path_buf(), absent }))
    }

    /// Takes it away again, with what came beside it, unless somebody else has it open by now.
    ///
    /// Whoever has it open holds a lock of SQLite's on it. Nobody gets one while this process has them
    /// all, and who gets one later finds at the end of his opening that the file is gone.
    pub fn take_back(&self) {
        // Nothing of this process has the file open, so that closing it drops no lock.
        let Ok(file) = fs::File::options().write(true).open(&self.path) else { return };
        let is_ours = os::try_lock_range(file.as_fd(), SQLITE_LOCKS).unwrap_or(false);
        let is_empty = file.metadata().is_ok_and(|facts| facts.len() == 0);
        if is_ours && is_empty {
            // What stays is an empty file, which is a store to be. It goes last: whoever makes the next one
            // makes anew what stands beside it, and that is not to be taken from him.
            let all = self.absent.iter().chain(std::iter::once(&self.path));
            all.for_each(|path| drop(fs::remove_file(path)));
        }
    }
}

/// Returns what stands under that path; `None` for nothing. A look that fails is no proof of that.
pub fn find(path: &Path) -> Result<Option<os::Identity>> {
    match os::identity(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(cannot_open(path, &error)),
    }
}

/// Returns whether nothing has that name: a folder on the way may be gone too.
pub fn is_missing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR))
}
