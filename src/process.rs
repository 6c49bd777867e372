//! What belongs to one process, and what a `fork` does to it.
//!
//! A forked child inherits memory without the threads that were using it, and descriptors that keep
//! its parent's locks alive. So the child starts with new state (a mutex may have been held at the
//! fork), with another generation (every handle of the parent is refused by it), and without the
//! descriptors tracked here. Handlers registered with the C library do that; between `fork` and the
//! first line of the child they may neither allocate nor lock, and everything they touch is atomic.
//!
//! A child made by the bare system call, without the C library, is not noticed.

#![allow(unsafe_code, reason = "fork handlers, and state that a fork replaces")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::os;

/// A value that each process has one of: made on first use, and anew in a forked child.
///
/// The old value leaks there: a thread that is not here any more may have held its mutexes.
pub struct PerProcess<T: 'static> {
    value: AtomicPtr<(u32, T)>,
}

impl<T: Default + Sync> PerProcess<T> {
    /// Makes a place for a value, in a `static`.
    #[allow(clippy::new_without_default, reason = "a static takes no default")]
    pub const fn new() -> PerProcess<T> {
        PerProcess { value: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Returns the value of this process.
    pub fn get(&'static self) -> &'static T {
        let generation = generation();
        let mut found = self.value.load(Ordering::Acquire);
        loop {
            // SAFETY: what was published is never freed, and only read through shared references.
            match unsafe { found.as_ref() } {
                Some((of, value)) if *of == generation => return value,
                Some(_) | None => found = self.make(found, generation),
            }
        }
    }

    /// Makes a value and publishes it, unless another thread was faster; returns the published one.
    fn make(&self, found: *mut (u32, T), generation: u32) -> *mut (u32, T) {
        let mine = Box::into_raw(Box::new((generation, T::default())));
        match self.value.compare_exchange(found, mine, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => mine,
            Err(theirs) => {
                // SAFETY: made by `into_raw` above, and never published.
                drop(unsafe { Box::from_raw(mine) });
                theirs
            }
        }
    }
}

/// What is held while a process forks, so that the child finds none of it held by a thread it lacks.
pub struct HeldAtForks {
    /// Takes it. May run twice for one fork, and beside another thread's fork.
    pub hold: fn(),
    /// Lets go of what this thread took, in the parent and in the child. Neither allocates nor locks.
    pub free: fn(),
}

/// Has something held at each fork from now on.
pub fn hold_at_forks(what: &'static HeldAtForks) {
    watch_forks();
    HELD.store(ptr::from_ref(what).cast_mut(), Ordering::SeqCst);
}

/// Rounds and length of a wait in or for a fork: about a second in all. Whoever waits goes on after it,
/// as a signal handler that forks in the midst of what is waited for would otherwise wait for itself.
pub(crate) const GATE_ROUNDS: u32 = 10_000;
pub(crate) const GATE_SLEEP: Duration = Duration::from_micros(100);

/// Returns a number that a forked child has greater than its parent. Two atomic loads.
pub fn generation() -> u32 {
    watch_forks();
    GENERATION.load(Ordering::Acquire)
}

/// A database file in use, with the descriptor beside it that must not outlive a fork.
///
/// Dropping it closes the descriptor. In a child of the process that made it, the descriptor is
/// closed already and `file` answers `None`.
#[derive(Debug)]
pub struct Tracked {
    file: Option<OwnedFd>,
    slot: &'static Slot,
    generation: u32,
}

impl Tracked {
    /// Returns the descriptor; `None` in a forked child, or when there was none from the start.
    pub fn file(&self) -> Option<BorrowedFd<'_>> {
        if self.is_inherited() { None } else { self.file.as_ref().map(AsFd::as_fd) }
    }

    /// Returns whether this process is a child of the one that opened the file.
    pub fn is_inherited(&self) -> bool {
        self.generation != generation()
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        if self.is_inherited() {
            // The handler closed the descriptor, and its number may be somebody else's by now.
            let _ = self.file.take().map(IntoRawFd::into_raw_fd);
            return;
        }
        // Both or neither before a fork: a child must not close a number that was given away.
        let _no_fork = NoFork::enter();
        self.slot.descriptor.store(FREE, Ordering::SeqCst);
        self.file = None;
    }
}

/// Notes the database file (`dev`, `ino`) as in use, and opens the descriptor that goes with it.
///
/// A fork of another thread waits until `open` has returned, so that no child can keep a descriptor
/// that nobody knows of: its parent's locks would seem held after the parent's death. So `open`
/// should do nothing slow, and must not fork. It answers `None` for a file used without a descriptor
/// of ours.
pub fn track(
    dev: u64,
    ino: u64,
    open: impl FnOnce() -> io::Result<Option<OwnedFd>>,
) -> io::Result<Tracked> {
    let generation = generation();
    let _no_fork = NoFork::enter();
    let file = open()?;
    let slot = Slot::take(dev, ino);
    let descriptor = file.as_ref().map_or(NONE, AsRawFd::as_raw_fd);
    slot.descriptor.store(descriptor, Ordering::SeqCst);
    Ok(Tracked { file, slot, generation })
}

/// A descriptor that another library opened and closes, and that must not outlive a fork either: a server
/// takes its client for alive as long as any process has it.
///
/// To be dropped before that library closes it.
#[cfg(feature = "postgres")]
#[derive(Debug)]
pub struct Lent {
    slot: &'static Slot,
    generation: u32,
}

#[cfg(feature = "postgres")]
impl Drop for Lent {
    fn drop(&mut self) {
        // In a child the handler has closed it.
        if self.generation == generation() {
            self.slot.descriptor.store(FREE, Ordering::SeqCst);
        }
    }
}

/// Notes a descriptor of another library, so that a child closes it.
#[cfg(feature = "postgres")]
pub fn track_lent(descriptor: i32) -> Lent {
    let generation = generation();
    let slot = Slot::take(0, 0);
    slot.descriptor.store(descriptor, Ordering::SeqCst);
    Lent { slot, generation }
}

/// Returns whether this process is a child, and the file was in use by its parent at the fork.
///
/// Such a file must not be opened: SQLite's table of locks was inherited, and the locks were not.
pub fn was_open_at_fork(dev: u64, ino: u64) -> bool {
    slots().any(|slot| {
        slot.descriptor.load(Ordering::SeqCst) == INHERITED
            && slot.dev.load(Ordering::SeqCst) == dev
            && slot.ino.load(Ordering::SeqCst) == ino
    })
}

static GENERATION: AtomicU32 = AtomicU32::new(0);

// ---------------------------------------------------------------------------------------------
// Slots: what a child has to close. Never freed and only ever prepended to, so that the child can
// walk them whatever its parent's threads were doing.

/// The slot is nobody's.
const FREE: i32 = -1;
/// Somebody is filling the slot in.
const TAKEN: i32 = -2;
/// A file in use without a descriptor.
const NONE: i32 = -3;
/// The file was in use in the parent; its descriptor is closed.
const INHERITED: i32 = -4;

#[derive(Debug)]
struct Slot {
    /// A descriptor, or one of the numbers above.
    descriptor: AtomicI32,
    dev: AtomicU64,
    ino: AtomicU64,
    /// Set before the slot is published, and not changed after.
    next: Option<&'static Slot>,
}

static SLOTS: AtomicPtr<Slot> = AtomicPtr::new(ptr::null_mut());

impl Slot {
    /// Takes a free slot, or adds one: there are as many as files were ever open at once.
    fn take(dev: u64, ino: u64) -> &'static Slot {
        let free = slots().find(|slot| {
            let mark = &slot.descriptor;
            mark.compare_exchange(FREE, TAKEN, Ordering::SeqCst, Ordering::SeqCst).is_ok()
        });
        let slot = free.unwrap_or_else(Slot::add);
        slot.dev.store(dev, Ordering::SeqCst);
        slot.ino.store(ino, Ordering::SeqCst);
        slot
    }

    fn add() -> &'static Slot {
        let slot = Box::into_raw(Box::new(Slot {
            descriptor: AtomicI32::new(TAKEN),
            dev: AtomicU64::new(0),
            ino: AtomicU64::new(0),
            next: None,
        }));
        loop {
            let head = SLOTS.load(Ordering::SeqCst);
            // SAFETY: published slots are leaked and never change their `next`.
            let next = unsafe { head.as_ref() };
            // SAFETY: made above and not published yet, so this thread alone has it.
            unsafe { (*slot).next = next };
            if SLOTS.compare_exchange(head, slot, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                // SAFETY: leaked by `into_raw`, and only read through shared references from here.
                return unsafe { &*slot };
            }
        }
    }
}

fn slots() -> impl Iterator<Item = &'static Slot> {
    // SAFETY: published slots are leaked, and only read through shared references.
    let first = unsafe { SLOTS.load(Ordering::SeqCst).as_ref() };
    std::iter::successors(first, |slot| slot.next)
}

// ---------------------------------------------------------------------------------------------
// Forks

/// Threads that are between opening a descriptor and noting it, or noting and closing.
static OPENERS: AtomicU32 = AtomicU32::new(0);
/// Threads that are in `fork`.
static FORKERS: AtomicU32 = AtomicU32::new(0);

static HELD: AtomicPtr<HeldAtForks> = AtomicPtr::new(ptr::null_mut());

fn held() -> Option<&'static HeldAtForks> {
    // SAFETY: `hold_at_forks` stores references that live for good.
    unsafe { HELD.load(Ordering::SeqCst).as_ref() }
}

/// While it lives, other threads' forks wait.
struct NoFork;

impl NoFork {
    fn enter() -> NoFork {
        for _ in 0..GATE_ROUNDS {
            OPENERS.fetch_add(1, Ordering::SeqCst);
            if FORKERS.load(Ordering::SeqCst) == 0 {
                return NoFork;
            }
            leave(&OPENERS);
            std::thread::sleep(GATE_SLEEP);
        }
        OPENERS.fetch_add(1, Ordering::SeqCst);
        NoFork
    }
}

impl Drop for NoFork {
    fn drop(&mut self) {
        leave(&OPENERS);
    }
}

/// Subtracts one, and nothing from 0: handlers registered in the midst of a fork can see its end
/// without its beginning.
#[allow(
    deprecated,
    reason = "its new name, try_update, is not in the oldest Rust that builds this"
)]
fn leave(count: &AtomicU32) {
    let _ = count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
}

/// Registers the handlers below. Two threads may both do so: each handler may run twice in a row.
fn watch_forks() {
    static WATCHED: AtomicBool = AtomicBool::new(false);
    if WATCHED.load(Ordering::Acquire) {
        return;
    }
    // SAFETY: the handlers neither allocate nor lock nor unwind.
    let is_watched = unsafe { os::at_fork(before_fork, after_fork_in_parent, after_fork) };
    // Without memory for it the next call tries again.
    WATCHED.store(is_watched, Ordering::Release);
}

extern "C" fn before_fork() {
    FORKERS.fetch_add(1, Ordering::SeqCst);
    let mut rounds = 0;
    while OPENERS.load(Ordering::SeqCst) != 0 && rounds < GATE_ROUNDS {
        std::thread::sleep(GATE_SLEEP);
        rounds += 1;
    }
    if let Some(held) = held() {
        (held.hold)();
    }
}

extern "C" fn after_fork_in_parent() {
    if let Some(held) = held() {
        (held.free)();
    }
    leave(&FORKERS);
}

/// Makes the child a process of its own. Async-signal-safe.
extern "C" fn after_fork() {
    if let Some(held) = held() {
        (held.free)();
    }
    FORKERS.store(0, Ordering::SeqCst);
    OPENERS.store(0, Ordering::SeqCst);
    GENERATION.fetch_add(1, Ordering::SeqCst);
    for slot in slots() {
        let descriptor = slot.descriptor.load(Ordering::SeqCst);
        if descriptor == FREE {
            continue;
        }
        slot.descriptor.store(INHERITED, Ordering::SeqCst);
        if descriptor >= 0 {
            // SAFETY: the number belongs to a `Tracked` of the parent, whose drop knows that the
            // child's copy of the descriptor is gone.
            unsafe { os::close_copied(descriptor) };
        }
    }
}

/// Forking in tests: the child runs one closure and is gone, without the test runner's threads.
#[cfg(test)]
pub(crate) mod forking {
    /// A child process. Killed when dropped, so that a test that fails leaves none behind.
    #[derive(Debug)]
    pub(crate) struct Child {
        pid: libc::pid_t,
        is_reaped: bool,
    }

    /// Forks; the child runs the closure and exits with its answer, or with 99 when it panics.
    pub(crate) fn fork(work: impl FnOnce() -> i32) -> Child {
        // SAFETY: the child runs `work`, which uses no lock of the parent's other threads, and exits.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0, "fork failed");
        if pid == 0 {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            // SAFETY: ends the child at once, without the parent's exit handlers.
            unsafe { libc::_exit(result.unwrap_or(99)) };
        }
        Child { pid, is_reaped: false }
    }

    impl Child {
        /// Waits for the end of the child; 128 and the signal when it was killed.
        pub(crate) fn exit_code(mut self) -> i32 {
            let status = self.reap();
            if libc::WIFEXITED(status) {
                libc::WEXITSTATUS(status)
            } else {
                128 + libc::WTERMSIG(status)
            }
        }

        fn reap(&mut self) -> i32 {
            let mut status = 0;
            // SAFETY: waits for a child of ours that nobody else reaps.
            let pid = unsafe { libc::waitpid(self.pid, &mut status, 0) };
            assert_eq!(pid, self.pid);
            self.is_reaped = true;
            status
        }
    }

    impl Drop for Child {
        fn drop(&mut self) {
            if !self.is_reaped {
                // SAFETY: the number is a child's that was not reaped, so it is still that child's.
                unsafe { libc::kill(self.pid, libc::SIGKILL) };
                self.reap();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::forking::fork;
    use super::*;
    use crate::os;
    use std::os::fd::RawFd;
    use std::path::Path;
    use std::sync::Mutex;

    fn open(path: &Path) -> impl FnOnce() -> io::Result<Option<OwnedFd>> {
        move || os::open_side(path, 0o600).map(Some)
    }

    fn is_open(descriptor: RawFd) -> bool {
        // SAFETY: asks for the flags of a number, open or not.
        unsafe { libc::fcntl(descriptor, libc::F_GETFD) != -1 }
    }

    #[test]
    fn a_child_has_a_later_generation_and_values_of_its_own() {
        let mine = generation();
        static VALUE: PerProcess<Mutex<u32>> = PerProcess::new();
        let mine_is: *const Mutex<u32> = VALUE.get();
        let held = VALUE.get().lock().unwrap();

        let child = fork(|| {
            let is_new = !ptr::eq(VALUE.get(), mine_is) && VALUE.get().try_lock().is_ok();
            i32::from(!(is_new && generation() > mine))
        });

        assert_eq!(child.exit_code(), 0);
        drop(held);
        assert_eq!(generation(), mine);
        assert!(ptr::eq(VALUE.get(), mine_is));
    }

    #[test]
    fn a_child_loses_tracked_descriptors_and_knows_their_files() {
        let folder = tempfile::tempdir().unwrap();
        let tracked = track(4_000_001, 7, open(&folder.path().join("side"))).unwrap();
        let bare = track(4_000_002, 7, || Ok(None)).unwrap();
        let number = tracked.file().unwrap().as_raw_fd();
        assert!(bare.file().is_none());
        assert!(!was_open_at_fork(4_000_001, 7));

        let child = fork(|| {
            let known = was_open_at_fork(4_000_001, 7) && was_open_at_fork(4_000_002, 7);
            let unknown = was_open_at_fork(4_000_001, 8) || was_open_at_fork(4_000_003, 7);
            let gone = !is_open(number) && tracked.file().is_none() && tracked.is_inherited();
            i32::from(!(known && !unknown && gone))
        });

        assert_eq!(child.exit_code(), 0);
        assert!(is_open(number));
        assert!(tracked.file().is_some());
        drop(tracked);
        drop(bare);
    }

    #[test]
    fn a_file_closed_before_the_fork_is_the_childs_to_open() {
        let folder = tempfile::tempdir().unwrap();
        drop(track(4_000_011, 7, open(&folder.path().join("side"))).unwrap());

        let child = fork(|| i32::from(was_open_at_fork(4_000_011, 7)));

        assert_eq!(child.exit_code(), 0);
    }

    #[test]
    fn dropping_the_parents_tracking_in_a_child_spares_reused_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("side");
        let mut tracked = Some(track(4_000_021, 7, open(&path)).unwrap());
        let number = tracked.as_ref().unwrap().file().unwrap().as_raw_fd();

        let child = fork(|| {
            // SAFETY: makes a second descriptor of standard input, with exactly that free number.
            let reused = unsafe { libc::dup2(0, number) };
            tracked = None;
            i32::from(!(reused == number && is_open(number) && was_open_at_fork(4_000_021, 7)))
        });

        assert_eq!(child.exit_code(), 0);
    }

    #[test]
    fn a_grandchild_still_refuses_the_file_and_owns_what_the_child_opened() {
        let folder = tempfile::tempdir().unwrap();
        let tracked = track(4_000_031, 7, open(&folder.path().join("one"))).unwrap();
        let other = folder.path().join("two");

        let child = fork(|| {
            let own = track(4_000_032, 7, open(&other)).unwrap();
            let mine = own.file().is_some() && !was_open_at_fork(4_000_032, 7);
            let grandchild = fork(|| {
                let both = was_open_at_fork(4_000_031, 7) && was_open_at_fork(4_000_032, 7);
                i32::from(!(both && own.file().is_none()))
            });
            i32::from(!mine) + grandchild.exit_code()
        });

        assert_eq!(child.exit_code(), 0);
        drop(tracked);
    }

    #[test]
    fn a_lock_is_free_when_the_parent_lets_go_although_a_child_lives() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("side");
        let holder = track(4_000_041, 7, open(&path)).unwrap();
        let probe = os::open_side(&path, 0o600).unwrap();
        assert!(os::try_lock(holder.file().unwrap(), 5).unwrap());
        let (reader, writer) = io::pipe().unwrap();

        // The child lives until the pipe is closed, which is after the probe.
        let child = fork(|| {
            let mut reader = reader;
            let mut byte = [0];
            i32::from(io::Read::read_exact(&mut reader, &mut byte).is_err())
        });
        drop(holder);
        // The child may still be on its way to its handler.
        let is_free = (0..60_000).any(|_| {
            // Polls.
            std::thread::sleep(Duration::from_millis(1));
            !os::is_locked_by_other(probe.as_fd(), 5).unwrap()
        });
        assert!(is_free, "the child keeps the lock of its parent");

        io::Write::write_all(&mut { writer }, &[1]).unwrap();
        assert_eq!(child.exit_code(), 0);
    }

    #[test]
    fn forks_and_opens_of_many_threads_leave_no_descriptor_in_a_child() {
        let folder = tempfile::tempdir().unwrap();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for opener in 0..2_u64 {
                let (path, stop) = (folder.path().join(format!("side{opener}")), &stop);
                scope.spawn(move || {
                    while !stop.load(Ordering::SeqCst) {
                        drop(track(4_000_051, opener, open(&path)).unwrap());
                    }
                });
            }
            for _ in 0..50 {
                let child = fork(|| i32::from(descriptors_under(folder.path()) > 0));
                let code = child.exit_code();
                stop.store(code != 0, Ordering::SeqCst);
                assert_eq!(code, 0, "a child kept a descriptor");
            }
            stop.store(true, Ordering::SeqCst);
        });
    }

    fn descriptors_under(folder: &Path) -> usize {
        let entries = std::fs::read_dir("/proc/self/fd").unwrap();
        let paths = entries.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
        paths.filter(|path| path.starts_with(folder)).count()
    }
}
