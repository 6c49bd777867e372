//! Signals, kept away from a thread for a while, and the one that ends the process.

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

/// Ends the process as a kill from outside would: nothing of it runs any more.
pub fn die() -> ! {
    // SAFETY: takes nothing.
    let own = unsafe { libc::getpid() };
    // SAFETY: takes two numbers.
    unsafe { libc::kill(own, libc::SIGKILL) };
    // The first process of a container is not ended by a signal of its own.
    std::process::abort()
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // SAFETY: puts back the mask that this thread had.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, std::ptr::null_mut()) };
    }
}
