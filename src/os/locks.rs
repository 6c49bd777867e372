//! Byte locks of open file descriptions: the kernel frees them however their holder dies.

use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

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
    match set_lock(file, range.clone(), libc::F_WRLCK) {
        Ok(()) => Ok(true),
        Err(error) if is_taken(&error, || is_held_by_other(file, range))? => Ok(false),
        Err(error) => Err(error),
    }
}

/// Frees the lock on one byte; free bytes are left alone.
pub fn unlock(file: BorrowedFd<'_>, offset: u64) -> io::Result<()> {
    set_lock(file, offset..offset.saturating_add(1), libc::F_UNLCK)
}

/// Returns whether an open file description other than this one holds the byte.
pub fn is_locked_by_other(file: BorrowedFd<'_>, offset: u64) -> io::Result<bool> {
    is_held_by_other(file, offset..offset.saturating_add(1))
}

fn is_held_by_other(file: BorrowedFd<'_>, range: Range<u64>) -> io::Result<bool> {
    let mut region = bytes(range, libc::F_WRLCK)?;
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

/// Tells a lock that others have from one that cannot be had. `EACCES` may mean either: some file
/// systems say so of a lock that is held, and what confines a program of any lock.
fn is_taken(error: &io::Error, is_held: impl FnOnce() -> io::Result<bool>) -> io::Result<bool> {
    match error.raw_os_error() {
        Some(libc::EAGAIN) => Ok(true),
        Some(libc::EACCES) => is_held(),
        _ => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::open_side;
    use std::os::fd::AsFd;

    #[test]
    fn a_lock_that_may_not_be_taken_is_told_from_one_that_others_have() {
        let says = |errno, is_held| {
            is_taken(&io::Error::from_raw_os_error(errno), || Ok(is_held)).unwrap()
        };
        assert!(says(libc::EAGAIN, false));
        assert!(says(libc::EACCES, true));
        for errno in [libc::EACCES, libc::EPERM, libc::ENOLCK, libc::EIO] {
            assert!(!says(errno, false), "{errno}");
        }
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
}
