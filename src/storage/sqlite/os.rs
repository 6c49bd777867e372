//! The operating system behind safe functions: files, byte locks, shared pages, futexes, clocks.
//!
//! Here stands what the side file needs and `std` does not have. Nothing here knows SQLite, stores or
//! queues. Every function may be called from any thread.

#![allow(unsafe_code, reason = "system calls that std has no form for")]

mod page;

use std::ffi::CStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

pub use self::page::{PAGE_BYTES, PAGE_WORDS, Page, populate};

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
compile_error!(
    "smolwf builds on 64-bit Linux only: it rests on open-file-description locks and shared futexes"
);

/// Times that a file may appear and vanish beneath `open_side` before it gives up.
const OPEN_TRIES: u32 = 16;

// ---------------------------------------------------------------------------------------------
// Files

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

/// Signals as they were before they were blocked; dropping it puts them back.
#[derive(Debug)]
pub struct SignalsBlocked(libc::sigset_t);

/// Blocks all signals of this thread, so that a thread started now takes none from the host.
pub fn block_signals() -> SignalsBlocked {
    // SAFETY: a set of signals is plain data, and the next call fills it.
    let mut all: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: writes one set to the room given.
    unsafe { libc::sigfillset(&mut all) };
    // SAFETY: as above; the call below fills it.
    let mut before: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: reads one set and writes the other; changes this thread's mask alone.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before) };
    SignalsBlocked(before)
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // SAFETY: puts back the mask that this thread had.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, std::ptr::null_mut()) };
    }
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

/// Brings the names in a folder to the disk.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
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
    // SAFETY: the path ends in NUL, and there is room for one answer.
    let code = unsafe { libc::statx(folder, path.as_ptr(), flags, mask, &mut facts) };
    if code == 0 { Ok(facts) } else { Err(io::Error::last_os_error()) }
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

/// Forgets the errno of earlier calls of this thread, so that the next one found is the next call's.
pub fn clear_errno() {
    // SAFETY: takes nothing, and answers with this thread's own place.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    unsafe { *place = 0 };
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

// ---------------------------------------------------------------------------------------------
// Byte locks

/// Takes the lock on one byte for the descriptor's open file description; `false` when another
/// description has it. Never waits.
///
/// The byte need not exist. Taking a lock that the same description holds succeeds again, so threads
/// of one process that share a descriptor do not exclude each other. The kernel frees the lock with
/// the last descriptor of the description, however its process ends.
pub fn try_lock(file: BorrowedFd<'_>, offset: u64) -> io::Result<bool> {
    try_lock_range(file, offset..offset.saturating_add(1))
}

/// Takes the lock on all bytes of a range, as `try_lock` does on one.
pub fn try_lock_range(file: BorrowedFd<'_>, range: Range<u64>) -> io::Result<bool> {
    match set_lock(file, range, libc::F_WRLCK) {
        Ok(()) => Ok(true),
        Err(error) if is_taken(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Frees the lock on one byte; free bytes are left alone.
pub fn unlock(file: BorrowedFd<'_>, offset: u64) -> io::Result<()> {
    set_lock(file, offset..offset.saturating_add(1), libc::F_UNLCK)
}

/// Returns whether an open file description other than this one holds the byte.
pub fn is_locked_by_other(file: BorrowedFd<'_>, offset: u64) -> io::Result<bool> {
    let mut region = bytes(offset..offset.saturating_add(1), libc::F_WRLCK)?;
    // SAFETY: the descriptor is open while borrowed, and the command reads and writes one flock.
    let code =
        unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, ptr::from_mut(&mut region)) };
    if code != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(i32::from(region.l_type) != libc::F_UNLCK)
}

fn set_lock(file: BorrowedFd<'_>, range: Range<u64>, kind: libc::c_int) -> io::Result<()> {
    let region = bytes(range, kind)?;
    // SAFETY: the descriptor is open while borrowed, and the command reads one flock.
    let code = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, ptr::from_ref(&region)) };
    if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn bytes(range: Range<u64>, kind: libc::c_int) -> io::Result<libc::flock> {
    let l_start = libc::off_t::try_from(range.start).map_err(io::Error::other)?;
    let l_len = libc::off_t::try_from(range.end - range.start).map_err(io::Error::other)?;
    // The process id must be 0 in requests for this kind of lock.
    Ok(libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start,
        l_len,
        l_pid: 0,
    })
}

fn is_taken(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES))
}

// ---------------------------------------------------------------------------------------------
// Futexes

/// The longest single sleep. Longer waits are made of several; the kernel's own limits are far off.
const SLEEP_MAX: Duration = Duration::from_secs(3600);

/// Sleeps until the word is woken, differs from `expected`, or the time is over; also wakes for no
/// reason, so look again. Works between processes when the word lies in a shared page.
pub fn futex_wait(word: &AtomicU32, expected: u32, timeout: Duration) {
    wait(word, expected, timeout, libc::FUTEX_WAIT);
}

/// Wakes up to `count` sleepers of a word in a shared page.
pub fn futex_wake(word: &AtomicU32, count: u32) {
    wake(word, count, libc::FUTEX_WAKE);
}

/// As `futex_wait`, for a word that only this process uses.
pub fn futex_wait_private(word: &AtomicU32, expected: u32, timeout: Duration) {
    wait(word, expected, timeout, libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG);
}

/// Wakes every sleeper of a word that only this process uses. Safe in a signal handler.
pub fn futex_wake_private(word: &AtomicU32) {
    wake(word, u32::MAX, libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG);
}

/// Sleeps as `futex_wait` on a shared word and a private one at once, each with its expected value.
///
/// Returns `false`, at once, when this kernel cannot (Linux before 5.16, or a sandbox forbids it).
pub fn futex_wait_two(
    shared: (&AtomicU32, u32),
    private: (&AtomicU32, u32),
    timeout: Duration,
) -> bool {
    static CANNOT: AtomicBool = AtomicBool::new(false);
    if CANNOT.load(Ordering::Relaxed) {
        return false;
    }
    let answer = wait_two(shared, private, timeout);
    let can = !matches!(answer, Some(libc::ENOSYS | libc::EPERM | libc::EINVAL));
    if !can {
        CANNOT.store(true, Ordering::Relaxed);
    }
    can
}

fn wait(word: &AtomicU32, expected: u32, timeout: Duration, operation: libc::c_int) {
    let timeout = timespec(timeout.min(SLEEP_MAX));
    // SAFETY: the word is a live aligned u32 and the time lives through the call. Every answer,
    // errors included, means "look again", so none is read.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            operation,
            expected,
            ptr::from_ref(&timeout),
            ptr::null::<u32>(),
            0_u32,
        )
    };
}

fn wake(word: &AtomicU32, count: u32, operation: libc::c_int) {
    // The kernel reads the count as a signed number.
    let count = count.min(i32::MAX as u32);
    // SAFETY: the word is a live aligned u32; waking touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, count) };
}

fn wait_two(
    shared: (&AtomicU32, u32),
    private: (&AtomicU32, u32),
    timeout: Duration,
) -> Option<i32> {
    let waiters = [
        waiter(shared.0, shared.1, libc::FUTEX2_SIZE_U32),
        waiter(private.0, private.1, libc::FUTEX2_SIZE_U32 | libc::FUTEX2_PRIVATE),
    ];
    // This call alone takes an instant where its elder takes a duration.
    let until = timespec(monotonic().saturating_add(timeout.min(SLEEP_MAX)));
    // SAFETY: both words are live aligned u32s; the array and the time live through the call.
    let code = unsafe {
        libc::syscall(
            libc::SYS_futex_waitv,
            waiters.as_ptr(),
            waiters.len() as u32,
            0_u32,
            ptr::from_ref(&until),
            libc::CLOCK_MONOTONIC,
        )
    };
    if code < 0 { io::Error::last_os_error().raw_os_error() } else { None }
}

/// One entry of `futex_waitv`, as in the kernel's `futex.h`.
#[repr(C)]
struct Waiter {
    val: u64,
    uaddr: u64,
    flags: u32,
    reserved: u32,
}

fn waiter(word: &AtomicU32, expected: u32, flags: libc::c_int) -> Waiter {
    let uaddr = word.as_ptr().expose_provenance() as u64;
    Waiter { val: u64::from(expected), uaddr, flags: flags as u32, reserved: 0 }
}

fn timespec(time: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: time.as_secs() as libc::time_t,
        tv_nsec: libc::c_long::from(time.subsec_nanos() as i32),
    }
}

// ---------------------------------------------------------------------------------------------
// Clocks and names

/// Milliseconds that the machine was awake since it booted. Never goes back, stands still while the
/// machine sleeps, and is the same in every process of the machine.
pub fn uptime_ms() -> i64 {
    monotonic().as_millis() as i64
}

/// Returns 16 bytes that differ from one boot of the machine to the next; zeros where the system does
/// not tell. A lack of descriptors is an error: another boot would seem to have begun.
pub fn boot_id() -> io::Result<[u8; 16]> {
    static KNOWN: OnceLock<[u8; 16]> = OnceLock::new();
    if let Some(id) = KNOWN.get() {
        return Ok(*id);
    }
    let id = match fs::read_to_string("/proc/sys/kernel/random/boot_id") {
        Ok(text) => parse_uuid(text.trim()).unwrap_or_default(),
        Err(error) if is_untold(&error) => [0; 16],
        Err(error) => return Err(error),
    };
    Ok(*KNOWN.get_or_init(|| id))
}

/// Returns whether a file of the system's is not there for this process, now and later.
fn is_untold(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
}

/// Returns the number of the namespace that gives process ids their meaning; 0 when unknown.
pub fn pid_space() -> u64 {
    fs::metadata("/proc/self/ns/pid").map_or(0, |facts| facts.ino())
}

fn monotonic() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on every Linux, and the call writes one timespec to the room given.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let mut digits = text.bytes().filter(|byte| *byte != b'-');
    let mut bytes = [0; 16];
    for byte in &mut bytes {
        let high = char::from(digits.next()?).to_digit(16)?;
        let low = char::from(digits.next()?).to_digit(16)?;
        *byte = (high * 16 + low) as u8;
    }
    digits.next().is_none().then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::sync::Arc;

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
    fn a_byte_is_held_by_one_description_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("side");
        let one = open_side(&path, 0o600).unwrap();
        let two = open_side(&path, 0o600).unwrap();
        let byte = (1 << 50) + 7;

        assert!(try_lock(one.as_fd(), byte).unwrap());
        assert!(!try_lock(two.as_fd(), byte).unwrap());
        assert!(try_lock(two.as_fd(), byte + 1).unwrap());
        assert!(is_locked_by_other(two.as_fd(), byte).unwrap());
        assert!(!is_locked_by_other(one.as_fd(), byte).unwrap());

        unlock(one.as_fd(), byte).unwrap();
        assert!(!is_locked_by_other(two.as_fd(), byte).unwrap());
        assert!(try_lock(two.as_fd(), byte).unwrap());
    }

    #[test]
    fn an_offset_beyond_every_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = open_side(&folder.path().join("side"), 0o600).unwrap();
        assert!(try_lock(file.as_fd(), u64::MAX).is_err());
    }

    #[test]
    fn a_word_that_changed_already_is_not_slept_on() {
        let word = AtomicU32::new(2);
        let (far, other) = (Duration::from_secs(600), AtomicU32::new(0));
        futex_wait(&word, 1, far);
        futex_wait_private(&word, 1, far);
        futex_wait_two((&word, 1), (&other, 0), far);
        futex_wait_two((&other, 0), (&word, 1), far);
    }

    #[test]
    fn a_sleep_on_two_words_ends_with_either() {
        for rung in [0, 1] {
            let words = Arc::new([AtomicU32::new(0), AtomicU32::new(0)]);
            let sleeper = {
                let words = Arc::clone(&words);
                std::thread::spawn(move || {
                    while words[0].load(Ordering::SeqCst) + words[1].load(Ordering::SeqCst) == 0 {
                        let slept = Duration::from_secs(60);
                        if !futex_wait_two((&words[0], 0), (&words[1], 0), slept) {
                            std::thread::yield_now();
                        }
                    }
                })
            };
            words[rung].store(1, Ordering::SeqCst);
            futex_wake(&words[0], u32::MAX);
            futex_wake_private(&words[1]);
            sleeper.join().unwrap();
        }
    }

    #[test]
    fn a_kernel_that_cannot_sleep_on_two_words_is_told_at_once() {
        let child = crate::process::forking::fork(|| {
            forbid(libc::SYS_futex_waitv);
            let (one, two) = (AtomicU32::new(0), AtomicU32::new(0));
            let far = Duration::from_secs(600);
            let slept = [(); 2].map(|()| futex_wait_two((&one, 0), (&two, 0), far));
            i32::from(slept != [false, false])
        });
        assert_eq!(child.exit_code(), 0);
    }

    /// Makes a system call answer ENOSYS from now on, as on a kernel that does not have it.
    fn forbid(call: libc::c_long) {
        let step =
            |code: u32, jf: u8, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf, k };
        let (load, compare) = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, libc::BPF_JMP);
        let mut steps = [
            step(load, 0, 0),
            step(compare | libc::BPF_JEQ | libc::BPF_K, 1, call as u32),
            step(libc::BPF_RET, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
            step(libc::BPF_RET, 0, libc::SECCOMP_RET_ALLOW),
        ];
        let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
        // SAFETY: gives up the right to gain rights, for the calling child process.
        assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
        let mode = libc::SECCOMP_MODE_FILTER;
        // SAFETY: the program and its steps live through the call, which copies them.
        let code = unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, ptr::from_ref(&program)) };
        assert_eq!(code, 0);
    }

    #[test]
    fn the_clock_of_the_machine_does_not_go_back() {
        let first = uptime_ms();
        assert!(first > 0);
        assert!(uptime_ms() >= first);
    }

    #[test]
    fn boot_and_process_space_are_known_and_steady() {
        assert_ne!(boot_id().unwrap(), [0; 16]);
        assert_eq!(boot_id().unwrap(), boot_id().unwrap());
        assert_ne!(pid_space(), 0);
    }

    #[test]
    fn a_uuid_is_sixteen_bytes_or_nothing() {
        let bytes = parse_uuid("00010203-0405-0607-0809-0a0b0c0d0eff").unwrap();
        assert_eq!((bytes[1], bytes[15]), (1, 255));
        assert_eq!(parse_uuid("00"), None);
        assert_eq!(parse_uuid("00010203-0405-0607-0809-0a0b0c0d0eff0"), None);
        assert_eq!(parse_uuid("zz010203-0405-0607-0809-0a0b0c0d0eff"), None);
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
