//! Pages shared by mapping a file, and pages that are sure to have room.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, AtomicU64};

/// Bytes of a shared page. Fixed, and not the machine's page size, as it is a format of the file.
pub const PAGE_BYTES: usize = 4096;

/// 32-bit words in a shared page.
pub const PAGE_WORDS: usize = PAGE_BYTES / 4;

const READ_WRITE: libc::c_int = libc::PROT_READ | libc::PROT_WRITE;

/// One mapped page of words: of a file, and then shared with every process that maps it, or of
/// memory alone.
#[derive(Debug)]
pub struct Page {
    start: NonNull<u8>,
}

// SAFETY: the page is reached as atomic words only, and the mapping belongs to the process.
unsafe impl Send for Page {}
// SAFETY: as above; atomic words may be used by any number of threads at once.
unsafe impl Sync for Page {}

impl Page {
    /// Maps the first page of the file, after making sure that the disk has room for it.
    ///
    /// A hole in the file would kill the process with SIGBUS at the first write on a full disk; here
    /// it is an ordinary error (`ENOSPC`).
    pub fn of_file(file: BorrowedFd<'_>) -> io::Result<Page> {
        allocate(file)?;
        let page = Page::map(libc::MAP_SHARED, READ_WRITE, file.as_raw_fd())?;
        populate(page.start, PAGE_BYTES)?;
        Ok(page)
    }

    /// Maps the first page of a file that others keep, of which no byte is changed. Unless `is_writable`
    /// its words may only be loaded: a store would end the process.
    ///
    /// A file that has no whole page yet is an error (`UnexpectedEof`), as a look at it would be SIGBUS.
    pub fn of_shared(file: BorrowedFd<'_>, is_writable: bool) -> io::Result<Page> {
        let len = File::from(file.try_clone_to_owned()?).metadata()?.len();
        if len < PAGE_BYTES as u64 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let access = if is_writable { READ_WRITE } else { libc::PROT_READ };
        let page = Page::map(libc::MAP_SHARED, access, file.as_raw_fd())?;
        if is_writable {
            populate(page.start, PAGE_BYTES)?;
        }
        Ok(page)
    }

    /// Maps a page of zeros that no other process sees.
    pub fn of_memory() -> io::Result<Page> {
        Page::map(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, READ_WRITE, -1)
    }

    /// Returns the page as 32-bit words.
    pub fn words(&self) -> &[AtomicU32] {
        let words = self.start.cast::<AtomicU32>().as_ptr();
        // SAFETY: the mapping is aligned, `PAGE_BYTES` long, holds plain bytes and lives until the
        // drop of self; all access of this process is atomic, words and long words do not overlap
        // in use.
        unsafe { std::slice::from_raw_parts(words, PAGE_WORDS) }
    }

    /// Returns the page as 64-bit words; number `n` lies on the 32-bit words `2n` and `2n + 1`.
    ///
    /// A place in the page is used in one width only, by whoever lays the page out.
    pub fn long_words(&self) -> &[AtomicU64] {
        let words = self.start.cast::<AtomicU64>().as_ptr();
        // SAFETY: as in `words`; the start of a mapping is aligned to far more than 8 bytes.
        unsafe { std::slice::from_raw_parts(words, PAGE_BYTES / 8) }
    }

    fn map(flags: libc::c_int, access: libc::c_int, fd: libc::c_int) -> io::Result<Page> {
        // SAFETY: the kernel picks the address, so no mapping of anybody's is replaced.
        let start = unsafe { libc::mmap(ptr::null_mut(), PAGE_BYTES, access, flags, fd, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::other("mapped at zero"))?;
        Ok(Page { start })
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: mapped by `map` with this length, and nothing borrowed from self outlives it.
        unsafe { libc::munmap(self.start.as_ptr().cast(), PAGE_BYTES) };
    }
}

/// Bytes of a page of memory at least: what a page of a file is made sure of by.
const MEMORY_PAGE_BYTES: usize = 4096;

/// "Set the word to itself or 0", as `FUTEX_WAKE_OP` takes it: `FUTEX_OP_OR` in the upper four bits.
const FUTEX_OR_NOTHING: u32 = 2 << 28;

/// Makes sure that a mapping that can be written has memory, and its file room on the disk, for each of
/// its pages: a write to a page without would end the process with SIGBUS. Changes no byte.
///
/// `start` is the beginning of a page. Where nothing is mapped the answer is an error too.
pub fn populate(start: NonNull<u8>, len: usize) -> io::Result<()> {
    // SAFETY: has the kernel write to the pages as a write of the same bytes would, and answer an
    // error where that fails. No Rust value is changed.
    let code = unsafe { libc::madvise(start.as_ptr().cast(), len, libc::MADV_POPULATE_WRITE) };
    if code == 0 {
        return Ok(());
    }
    match io::Error::last_os_error() {
        // Linux before 5.14, or a file system that cannot.
        error if error.raw_os_error() == Some(libc::EINVAL) => touch(start, len),
        error => Err(no_room(error)),
    }
}

/// Does as `populate` on kernels that cannot: changes a word of each page by nothing, in the kernel,
/// which answers an error where this process would get a signal.
fn touch(start: NonNull<u8>, len: usize) -> io::Result<()> {
    let own = AtomicU32::new(0);
    for at in (0..len).step_by(MEMORY_PAGE_BYTES) {
        let word = start.as_ptr().wrapping_add(at);
        // SAFETY: the kernel checks the address, and changes the word there atomically to what it is.
        let code = unsafe {
            libc::syscall(
                libc::SYS_futex,
                own.as_ptr(),
                libc::FUTEX_WAKE_OP | libc::FUTEX_PRIVATE_FLAG,
                0_u32,
                ptr::null::<libc::timespec>(),
                word,
                FUTEX_OR_NOTHING,
            )
        };
        if code < 0 {
            return Err(no_room(io::Error::last_os_error()));
        }
    }
    Ok(())
}

/// The kernel says that the address is bad when the file system has no room for its page.
fn no_room(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::EFAULT) => io::Error::from_raw_os_error(libc::ENOSPC),
        _ => error,
    }
}

/// Gives the first page of the file real blocks.
fn allocate(file: BorrowedFd<'_>) -> io::Result<()> {
    loop {
        // SAFETY: the descriptor is open while borrowed; the call answers with an errno.
        match unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, PAGE_BYTES as libc::off_t) } {
            0 => return Ok(()),
            libc::EINTR => {}
            libc::EOPNOTSUPP | libc::EINVAL | libc::ENOSYS => return lengthen(file),
            errno => return Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

/// Makes the file a page long, for file systems and C libraries that cannot allocate: the page gets its
/// blocks when it is made sure of. A file that is longer already keeps its length.
fn lengthen(file: BorrowedFd<'_>) -> io::Result<()> {
    let file = File::from(file.try_clone_to_owned()?);
    if file.metadata()?.len() < PAGE_BYTES as u64 {
        file.set_len(PAGE_BYTES as u64)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::open_side;
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;
    use std::sync::atomic::Ordering;

    #[test]
    fn two_mappings_of_one_file_show_the_same_words() {
        let folder = tempfile::tempdir().unwrap();
        let file = open_side(&folder.path().join("side"), 0o600).unwrap();
        let one = Page::of_file(file.as_fd()).unwrap();
        let two = Page::of_file(file.as_fd()).unwrap();

        one.words()[PAGE_WORDS - 2].store(7, Ordering::SeqCst);
        one.long_words()[3].store(1 << 40, Ordering::SeqCst);

        assert_eq!(two.words()[PAGE_WORDS - 2].load(Ordering::SeqCst), 7);
        assert_eq!(two.long_words()[3].load(Ordering::SeqCst), 1 << 40);
        let facts = File::from(file).metadata().unwrap();
        assert_eq!(facts.len(), PAGE_BYTES as u64);
        assert!(facts.blocks() * 512 >= PAGE_BYTES as u64, "the page is a hole");
    }

    #[test]
    fn a_page_that_cannot_be_allocated_is_made_sure_of_and_keeps_what_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let file = open_side(&folder.path().join("side"), 0o600).unwrap();
        lengthen(file.as_fd()).unwrap();
        let page = Page::map(libc::MAP_SHARED, READ_WRITE, file.as_raw_fd()).unwrap();
        page.words()[0].store(9, Ordering::SeqCst);
        let blocks = || File::from(file.try_clone().unwrap()).metadata().unwrap().blocks();

        for make_sure in [populate, touch] {
            make_sure(page.start, PAGE_BYTES).unwrap();
            lengthen(file.as_fd()).unwrap();
            assert_eq!(page.words()[0].load(Ordering::SeqCst), 9);
        }

        file.as_fd().try_clone_to_owned().map(File::from).unwrap().sync_all().unwrap();
        assert!(blocks() * 512 >= PAGE_BYTES as u64, "the page is a hole");
    }

    /// A page behind the end of its file is what one is that the disk has no room for: whoever writes
    /// to it is killed.
    #[test]
    fn a_page_without_room_behind_it_is_an_error_and_no_signal() {
        let folder = tempfile::tempdir().unwrap();
        let file = open_side(&folder.path().join("side"), 0o600).unwrap();
        let page = Page::of_file(file.as_fd()).unwrap();
        File::from(file.try_clone().unwrap()).set_len(0).unwrap();

        for make_sure in [populate, touch] {
            let error = make_sure(page.start, PAGE_BYTES).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
        }
    }

    #[test]
    fn a_page_of_memory_starts_with_zeros() {
        let page = Page::of_memory().unwrap();
        assert!(page.words().iter().all(|word| word.load(Ordering::SeqCst) == 0));
    }
}
