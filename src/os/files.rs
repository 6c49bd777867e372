//! Files: making them, naming them, and which file a name is.

use std::ffi::{CStr, CString};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Times that a file may appear and vanish beneath `open_side` before it gives up.
const OPEN_TRIES: u32 = 16;

/// Opens the file for reading and writing, making it with exactly `mode` when it is absent.
///
/// The descriptor is close-on-exec. A symbolic link as last part of the path is refused, and so is
/// anything but a regular file.
pub fn open_side(path: &Path, mode: u32) -> io::Result<OwnedFd> {
    for _ in 0..OPEN_TRIES {
        match side_options().create_new(true).mode(mode).open(path) {
            Ok(file) => {
                // The mode given to open passes through the umask; this one does not.
                file.set_permissions(Permissions::from_mode(mode))?;
                write_in_place(file.as_fd());
                return Ok(file.into());
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        match side_options().open(path) {
            Ok(file) => return regular(file),
            // Somebody removed it in between: make it once more.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("the file appears and vanishes"))
}

/// Opens a file that others made, to map it: for reading and writing where that is allowed, and else for
/// reading alone. Returns whether it may be written to. Makes no file and changes none.
///
/// The descriptor is as one of `open_side`.
pub fn open_side_to_hear(path: &Path) -> io::Result<(OwnedFd, bool)> {
    match side_options().open(path) {
        Ok(file) => Ok((regular(file)?, true)),
        Err(error)
            if matches!(error.raw_os_error(), Some(libc::EACCES | libc::EPERM | libc::EROFS)) =>
        {
            let file = side_options().write(false).open(path)?;
            Ok((regular(file)?, false))
        }
        Err(error) => Err(error),
    }
}

/// Makes an empty file with exactly `mode`; `false` when something of that name is there already.
///
/// Only for a file that nobody has open: the descriptor used is closed again, and closing any
/// descriptor of a database file drops SQLite's locks on it.
pub fn create_private(path: &Path, mode: u32) -> io::Result<bool> {
    match OpenOptions::new().write(true).create_new(true).mode(mode).open(path) {
        Ok(file) => file.set_permissions(Permissions::from_mode(mode)).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes an empty file without opening it; `false` when something of that name is there already. The
/// umask is not asked: what stands beside a file is as readable as that.
pub fn make_file(path: &CStr, mode: u32) -> io::Result<bool> {
    // SAFETY: the path ends in NUL. A regular file needs no rights but those on its folder.
    match unsafe { libc::mknod(path.as_ptr(), libc::S_IFREG | mode, 0) } {
        // SAFETY: as above.
        0 => match unsafe { libc::chmod(path.as_ptr(), mode) } {
            0 => Ok(true),
            _ => Err(io::Error::last_os_error()),
        },
        _ => match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            error => Err(error),
        },
    }
}

/// Gives a file another name, which nothing has; on a file system that cannot look and name in one, the
/// look comes first.
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    let (old, new) = (named(from)?, named(to)?);
    let here = libc::AT_FDCWD;
    let flags = libc::RENAME_NOREPLACE;
    // SAFETY: both paths end in NUL.
    let answer = unsafe {
        libc::syscall(libc::SYS_renameat2, here, old.as_ptr(), here, new.as_ptr(), flags)
    };
    let error = match answer {
        0 => return Ok(()),
        _ => io::Error::last_os_error(),
    };
    if !matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS)) {
        return Err(error);
    }
    match fs::symlink_metadata(to) {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => fs::rename(from, to),
    }
}

fn named(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// Makes an empty file of which pages are to be mapped, unless there is one. Only for one that nobody of
/// this process has open; see `create_private`.
pub fn create_mapped(path: &Path, mode: u32) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(mode).open(path) {
        Ok(file) => {
            write_in_place(file.as_fd());
            file.set_permissions(Permissions::from_mode(mode))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Has an empty file's pages written to the same place each time on Btrfs, which else takes a new one for
/// each write: a disk that is full by then would end the process that has them mapped.
fn write_in_place(file: BorrowedFd<'_>) {
    let mut flags: libc::c_int = 0;
    // SAFETY: the descriptor is open while borrowed, and the command writes one number.
    let code = unsafe { libc::ioctl(file.as_raw_fd(), libc::FS_IOC_GETFLAGS, &mut flags) };
    if code == 0 && flags & FS_NOCOW_FL == 0 {
        flags |= FS_NOCOW_FL;
        // Other file systems refuse the flag, or keep it without a meaning.
        // SAFETY: as above; the command reads one number.
        unsafe { libc::ioctl(file.as_raw_fd(), libc::FS_IOC_SETFLAGS, &flags) };
    }
}

/// "Do not copy on write", of the kernel's `fs.h`.
const FS_NOCOW_FL: libc::c_int = 0x0080_0000;

/// What `stat` tells of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Device that holds the file.
    pub dev: u64,
    /// Number of the file on its device.
    pub ino: u64,
    /// Hard links.
    pub links: u64,
    /// Bytes.
    pub size: u64,
    /// Permission bits, such as `0o600`.
    pub mode: u32,
    /// Whether it is a regular file.
    pub is_file: bool,
    /// Which file it is, as `file_id` tells.
    pub id: FileId,
}

/// Returns what `stat` tells of the path, symbolic links followed. Never opens the file.
pub fn identity(path: &Path) -> io::Result<Identity> {
    fs::metadata(path).map(|facts| Identity {
        dev: facts.dev(),
        ino: facts.ino(),
        links: facts.nlink(),
        size: facts.len(),
        mode: facts.mode() & 0o7777,
        is_file: facts.is_file(),
        id: (libc::major(facts.dev()), libc::minor(facts.dev()), facts.ino()),
    })
}

/// Which file it is: the halves of its device's number, and its own number there.
pub type FileId = (u32, u32, u64);

/// Returns which file a path names, and asks for nothing else.
///
/// A `stat` that asks for times makes the kernel (6.13 and later, on ext4 and others) give the next
/// write a time stamp of its own, and the next `fsync` a journal commit to keep it: that halved the
/// rate of single durable writes.
pub fn file_id(path: &CStr) -> io::Result<FileId> {
    statx(libc::AT_FDCWD, path, 0, libc::STATX_INO).map(|facts| id_in(&facts))
}

/// Returns which file a descriptor is open on.
pub fn file_id_of(file: BorrowedFd<'_>) -> io::Result<FileId> {
    let facts = statx(file.as_raw_fd(), c"", libc::AT_EMPTY_PATH, libc::STATX_INO)?;
    Ok(id_in(&facts))
}

/// Returns the path of the file that stands beside another under this suffix.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Returns how long a file is, 0 for one that is not there, and asks for nothing else.
pub fn file_bytes(path: &Path) -> io::Result<u64> {
    let path = std::ffi::CString::new(path.as_os_str().as_bytes())?;
    match statx(libc::AT_FDCWD, &path, 0, libc::STATX_SIZE) {
        Ok(facts) => Ok(facts.stx_size),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

/// Which folder a path names, and when a name in it last changed: seconds and nanoseconds of the wall
/// clock. A folder is not what we sync, so that its times may be asked for.
pub type FolderStamp = (FileId, i64, u32);

/// Returns the stamp of a folder.
pub fn folder_stamp(path: &CStr) -> io::Result<FolderStamp> {
    let facts = statx(libc::AT_FDCWD, path, 0, libc::STATX_INO | libc::STATX_MTIME)?;
    Ok((id_in(&facts), facts.stx_mtime.tv_sec, facts.stx_mtime.tv_nsec))
}

fn id_in(facts: &libc::statx) -> FileId {
    (facts.stx_dev_major, facts.stx_dev_minor, facts.stx_ino)
}

fn statx(
    folder: libc::c_int,
    path: &CStr,
    flags: libc::c_int,
    mask: libc::c_uint,
) -> io::Result<libc::statx> {
    // SAFETY: plain data, which the call fills.
    let mut facts: libc::statx = unsafe { std::mem::zeroed() };
    // C libraries before glibc 2.28 have no function for it.
    // SAFETY: the path ends in NUL, and there is room for one answer.
    let code = unsafe {
        libc::syscall(libc::SYS_statx, folder, path.as_ptr(), flags, mask, &raw mut facts)
    };
    if code == 0 {
        return Ok(facts);
    }
    match io::Error::last_os_error() {
        error if error.raw_os_error() == Some(libc::ENOSYS) => stat_for_statx(folder, path, flags),
        error => Err(error),
    }
}

/// What Linux before 4.11 knows of a file, which has no `statx`, and no stamp that a look would bring.
fn stat_for_statx(folder: libc::c_int, path: &CStr, flags: libc::c_int) -> io::Result<libc::statx> {
    // SAFETY: plain data, which the call fills.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the path ends in NUL, and there is room for one answer.
    if unsafe { libc::fstatat(folder, path.as_ptr(), &raw mut stat, flags) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: plain data.
    let mut facts: libc::statx = unsafe { std::mem::zeroed() };
    facts.stx_dev_major = libc::major(stat.st_dev);
    facts.stx_dev_minor = libc::minor(stat.st_dev);
    (facts.stx_ino, facts.stx_size) = (stat.st_ino, stat.st_size as u64);
    facts.stx_mtime.tv_sec = stat.st_mtime;
    facts.stx_mtime.tv_nsec = stat.st_mtime_nsec as u32;
    Ok(facts)
}

/// Returns the kind of file system when it is one that several machines may share, else `None`.
///
/// The path must exist; for a file still to be made, ask for its folder.
pub fn remote_file_system(path: &Path) -> io::Result<Option<&'static str>> {
    // The type of the field differs between machines, and the numbers are 32 bits on all of them.
    statfs(path).map(|facts| remote_name(facts.f_type as u32))
}

/// Returns how many bytes a name may have in a folder.
pub fn name_bytes_max(folder: &Path) -> io::Result<usize> {
    statfs(folder).map(|facts| facts.f_namelen as usize)
}

fn statfs(path: &Path) -> io::Result<libc::statfs> {
    let path = std::ffi::CString::new(path.as_os_str().as_bytes())?;
    let mut facts = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the path ends in NUL and the kernel writes a whole statfs to the room given.
    let code = unsafe { libc::statfs(path.as_ptr(), facts.as_mut_ptr()) };
    if code != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call answered 0, so it filled the structure.
    Ok(unsafe { facts.assume_init() })
}

/// Names the file systems that are a network's, a cluster's or a virtual machine's shared folder.
///
/// The numbers are those of the kernel's `magic.h` and of each file system's own source.
const fn remote_name(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x0000_6969 => "NFS",
        0x0000_517B => "SMB",
        0xFF53_4D42 => "CIFS",
        0xFE53_4D42 => "SMB2",
        0x0102_1997 => "9p",
        0x6573_5546 => "FUSE",
        0x00C3_6400 => "Ceph",
        0x0BD0_0BD0 => "Lustre",
        0x786F_4256 => "a VirtualBox shared folder",
        0x7C7C_6673 => "a Parallels shared folder",
        0xBACB_ACBC => "a VMware shared folder",
        0x5346_414F | 0x6B41_4653 => "AFS",
        0x7375_7245 => "Coda",
        0x0000_564C => "NCP",
        0x0116_1970 => "GFS2",
        0x7461_636F => "OCFS2",
        0x4750_4653 => "GPFS",
        0x1983_0326 => "BeeGFS",
        _ => return None,
    })
}

/// Returns the errno that the last failed call of this thread left.
pub fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// Sets the errno of this thread: 0, so that the next one found is the next call's, or what a call that
/// stands for one of the system's leaves.
pub fn set_errno(errno: i32) {
    // SAFETY: takes nothing, and answers with this thread's own place.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    unsafe { *place = errno };
}

fn side_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    options
}

fn regular(file: File) -> io::Result<OwnedFd> {
    if file.metadata()?.is_file() {
        Ok(file.into())
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_the_same_to_a_kernel_without_statx() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"abc").unwrap();
        let (name, room) = (named(&path).unwrap(), named(folder.path()).unwrap());
        let file = File::open(&path).unwrap();
        let look = || {
            let ids = (file_id(&name).unwrap(), file_id_of(file.as_fd()).unwrap());
            (ids, file_bytes(&path).unwrap(), folder_stamp(&room).unwrap())
        };
        let seen = look();
        let child = crate::process::forking::fork(|| {
            crate::os::futex::tests::forbid(libc::SYS_statx);
            i32::from(look() != seen)
        });
        assert_eq!(child.exit_code(), 0);
    }

    #[test]
    fn a_new_side_file_has_its_mode_and_is_close_on_exec() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("side");

        let file = open_side(&path, 0o640).unwrap();

        let facts = identity(&path).unwrap();
        assert_eq!((facts.mode, facts.links, facts.size, facts.is_file), (0o640, 1, 0, true));
        // SAFETY: asks a descriptor that is open for its flags.
        let flags = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFD) };
        assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
    }

    #[test]
    fn an_existing_side_file_keeps_its_mode_and_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("side");
        fs::write(&path, b"abc").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o604)).unwrap();

        open_side(&path, 0o600).unwrap();

        let facts = identity(&path).unwrap();
        assert_eq!((facts.mode, facts.size), (0o604, 3));
    }

    #[test]
    fn a_side_file_behind_a_link_or_of_another_kind_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("target"), &link).unwrap();

        let error = open_side(&link, 0o600).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ELOOP));
        assert!(open_side(folder.path(), 0o600).is_err());
        assert!(!folder.path().join("target").exists());
    }

    #[test]
    fn a_private_file_is_made_once_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");

        assert!(create_private(&path, 0o600).unwrap());
        fs::write(&path, b"x").unwrap();
        assert!(!create_private(&path, 0o600).unwrap());

        let facts = identity(&path).unwrap();
        assert_eq!((facts.mode, facts.size), (0o600, 1));
        assert!(create_private(&folder.path().join("none/db"), 0o600).is_err());
    }

    #[test]
    fn network_and_shared_folder_file_systems_are_named() {
        assert_eq!(remote_name(0x6969), Some("NFS"));
        assert_eq!(remote_name(0xFF53_4D42), Some("CIFS"));
        assert_eq!(remote_name(0x6573_5546), Some("FUSE"));
        // ext4, XFS, Btrfs, tmpfs, overlayfs, ZFS, F2FS.
        let local = [0xEF53, 0x5846_5342, 0x9123_683E, 0x0102_1994, 0x794C_7630, 0x2FC1_2FC1];
        assert!(local.into_iter().chain([0xF2F5_2010]).all(|magic| remote_name(magic).is_none()));
        assert_eq!(remote_file_system(Path::new("/proc")).unwrap(), None);
        assert!(remote_file_system(Path::new("/no such folder")).is_err());
    }
}
