//! Forking: the child runs one closure and is gone, without the test runner's threads.

#![allow(unsafe_code, reason = "fork has no safe form")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::PATIENCE;

/// Forks; the child runs `work` and exits with its answer, or with 99 when it panics. Returns that;
/// 128 and the signal when it was killed, which happens when it hangs.
pub fn fork(work: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the child runs `work` alone and exits without the parent's handlers.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork failed");
    if pid == 0 {
        let answer = catch_unwind(AssertUnwindSafe(work)).unwrap_or(99);
        // SAFETY: ends the child.
        unsafe { libc::_exit(answer) };
    }
    reap(pid)
}

fn reap(pid: libc::pid_t) -> i32 {
    let started = Instant::now();
    let mut status = 0;
    loop {
        // SAFETY: asks for a child of ours that nobody else reaps.
        let reaped = unsafe { libc::waitpid(pid, &mut status, libc::WNOHANG) };
        assert!(reaped >= 0, "no such child");
        if reaped == pid {
            break;
        }
        if started.elapsed() > PATIENCE / 8 {
            // SAFETY: the child was not reaped yet, so the number is still its own.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
        // Polls.
        std::thread::sleep(Duration::from_millis(1));
    }
    if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { 128 + libc::WTERMSIG(status) }
}
