//! SQLite's process-wide mutexes, held while the process forks.

#![allow(unsafe_code, reason = "mutexes of SQLite that rusqlite has no form for")]

use std::ffi::c_int;
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::ffi;

use crate::os;
use crate::process::{self, GATE_ROUNDS, GATE_SLEEP, HeldAtForks};

/// Has them held at each fork from now on, so that a child finds none held by a thread it lacks.
pub fn hold_at_forks() {
    process::hold_at_forks(&HeldAtForks { hold: hold_mutexes, free: free_mutexes });
}

/// SQLite's process-wide mutexes, the outer ones first: a thread that has one may want a later one.
const MUTEXES: [c_int; 9] = [
    ffi::SQLITE_MUTEX_STATIC_MAIN,
    ffi::SQLITE_MUTEX_STATIC_OPEN,
    ffi::SQLITE_MUTEX_STATIC_VFS1,
    ffi::SQLITE_MUTEX_STATIC_VFS2,
    ffi::SQLITE_MUTEX_STATIC_VFS3,
    ffi::SQLITE_MUTEX_STATIC_LRU,
    ffi::SQLITE_MUTEX_STATIC_PMEM,
    ffi::SQLITE_MUTEX_STATIC_PRNG,
    ffi::SQLITE_MUTEX_STATIC_MEM,
];
/// How many of them there are.
const MUTEXES_LEN: usize = MUTEXES.len();

/// Takes one of SQLite's process-wide mutexes unless it is taken; `which` counts from 0. A thread that
/// forks holds them all, so that its child finds none locked by a thread that it does not have.
fn try_mutex(which: usize) -> bool {
    let Some(id) = MUTEXES.get(which).copied() else { return false };
    // SAFETY: answers with a mutex that lives as long as the process.
    let mutex = unsafe { ffi::sqlite3_mutex_alloc(id) };
    // SAFETY: the mutex is one of SQLite's own.
    unsafe { ffi::sqlite3_mutex_try(mutex) == ffi::SQLITE_OK }
}

/// Lets go of a mutex that `try_mutex` took, in the thread that took it or in its forked child.
fn leave_mutex(which: usize) {
    let Some(id) = MUTEXES.get(which) else { return };
    // SAFETY: answers with a mutex that lives as long as the process.
    let mutex = unsafe { ffi::sqlite3_mutex_alloc(*id) };
    // SAFETY: this thread has taken it.
    unsafe { ffi::sqlite3_mutex_leave(mutex) };
}

/// Which thread holds each of SQLite's mutexes for a fork; 0 is none. By thread, since the handlers may
/// run twice for one fork, and a second thread that forks may give up waiting for the first.
static HOLDERS: [AtomicUsize; MUTEXES_LEN] = [const { AtomicUsize::new(0) }; MUTEXES_LEN];

/// Takes SQLite's process-wide mutexes, so that the child finds none held by a thread it lacks. One
/// that stays taken for as long as all rounds together is left, as a signal handler that forks in the
/// midst of SQLite would otherwise wait for itself.
fn hold_mutexes() {
    let (me, mut rounds) = (os::this_thread(), 0);
    for (which, holder) in HOLDERS.iter().enumerate() {
        if holder.load(Ordering::SeqCst) == me {
            continue;
        }
        let mut is_mine = try_mutex(which);
        while !is_mine && rounds < GATE_ROUNDS {
            rounds += 1;
            std::thread::sleep(GATE_SLEEP);
            is_mine = try_mutex(which);
        }
        if is_mine {
            holder.store(me, Ordering::SeqCst);
        }
    }
}

fn free_mutexes() {
    let me = os::this_thread();
    for (which, holder) in HOLDERS.iter().enumerate().rev() {
        if holder.compare_exchange(me, 0, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            leave_mutex(which);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both happened: handlers registered by two threads at once, and a thread that gave up waiting for
    /// another one's fork. Either left SQLite locked for good.
    #[test]
    fn handlers_that_run_twice_or_beside_another_fork_leave_no_mutex_of_sqlite_behind() {
        hold_mutexes();
        hold_mutexes();
        std::thread::scope(|scope| scope.spawn(free_mutexes).join().unwrap());
        let taken = std::thread::scope(|scope| scope.spawn(|| try_mutex(0)).join().unwrap());
        assert!(!taken, "another thread's end of a fork freed what this one holds");
        free_mutexes();
        free_mutexes();
        let holders = HOLDERS.iter().map(|holder| holder.load(Ordering::SeqCst));
        assert!(!holders.into_iter().any(|holder| holder == os::this_thread()));
        std::thread::scope(|scope| {
            scope.spawn(|| drop(rusqlite::Connection::open_in_memory().unwrap())).join().unwrap();
        });
    }
}
