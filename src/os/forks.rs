//! Forks: who is told of them, and what they leave behind.

use std::os::fd::RawFd;

/// A function that is called around a fork.
pub type ForkHandler = unsafe extern "C" fn();

/// Registers what is called before a fork, and after it in the parent and in the child; returns whether
/// there was memory for it.
///
/// # Safety
/// The functions neither allocate nor lock nor unwind, and the last is async-signal-safe.
pub unsafe fn at_fork(before: ForkHandler, in_parent: ForkHandler, in_child: ForkHandler) -> bool {
    // SAFETY: the caller vouches for the functions; the C library forgets them when this one is unloaded.
    unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) == 0 }
}

/// Closes a descriptor that a fork copied. Async-signal-safe.
///
/// # Safety
/// Nobody else has it or will close it.
pub unsafe fn close_copied(descriptor: RawFd) {
    // SAFETY: the caller vouches for the descriptor.
    unsafe { libc::close(descriptor) };
}

/// Returns what names this thread, and its copy in a forked child; never 0.
pub fn this_thread() -> usize {
    // SAFETY: takes nothing; the C library names a thread by an address.
    unsafe { libc::pthread_self() as usize }
}
