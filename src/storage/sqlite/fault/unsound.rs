//! What sanitizers are for, done on purpose at each open of a file, once by our own code and once by
//! SQLite's: so that `scripts/sanitize.sh` knows that both are watched. `src/plant.rs` says when.

use std::ffi::{c_char, c_int};
use std::hint::black_box;
use std::ptr::{self, NonNull};
use std::sync::Barrier;
use std::thread;

use rusqlite::ffi;

use crate::plant::{Plant, stands};

/// As many, so that what a register still points to does not matter.
const LEAKS: usize = 100;

/// Does what is planted.
pub fn commit() {
    let deeds = [
        (Plant::StrayRead, stray_read as fn()),
        (Plant::StrayReadOfSqlite, stray_read_of_sqlite),
        (Plant::Leak, leak),
        (Plant::LeakOfSqlite, leak_of_sqlite),
        (Plant::Race, race),
        (Plant::RaceOfSqlite, race_of_sqlite),
        (Plant::BrokenPromise, broken_promise),
        (Plant::BrokenPromiseOfSqlite, broken_promise_of_sqlite),
    ];
    for (_, deed) in deeds.into_iter().filter(|(plant, _)| stands(*plant)) {
        deed();
    }
}

fn stray_read() {
    let bytes = black_box(vec![b'a'; 4]);
    let end = bytes.as_ptr_range().end;
    // SAFETY: none, it is the byte behind them.
    black_box(unsafe { end.read() });
}

fn stray_read_of_sqlite() {
    let (one, other) = (black_box(vec![b'a'; 4]), black_box(vec![b'a'; 4]));
    let (one, other) = (one.as_ptr().cast::<c_char>(), other.as_ptr().cast::<c_char>());
    // SAFETY: none, there are four bytes of each.
    black_box(unsafe { ffi::sqlite3_strnicmp(one, other, 5) });
}

fn leak() {
    for _ in 0..LEAKS {
        let _ = black_box(Box::into_raw(Box::new([0_u8; 64])));
    }
}

fn leak_of_sqlite() {
    for _ in 0..LEAKS {
        // SAFETY: takes a number alone.
        black_box(unsafe { ffi::sqlite3_malloc(64) });
    }
}

/// A word that two threads may write without a lock.
struct Word(std::cell::UnsafeCell<u64>);

// SAFETY: none, that is the fault.
unsafe impl Sync for Word {}

fn race() {
    let word = Word(0.into());
    at_once(|| {
        let word = black_box(&word).0.get();
        // SAFETY: none, the other thread does the same.
        unsafe { word.write(1) };
    });
}

fn race_of_sqlite() {
    let word = Word(0.into());
    at_once(|| {
        let text = black_box(&word).0.get().cast::<c_char>();
        // SAFETY: none, the other thread writes there as well.
        black_box(unsafe { ffi::sqlite3_snprintf(8, text, c"".as_ptr()) });
    });
}

/// Has two threads do the same, neither of which waits for the other in between.
fn at_once(deed: impl Fn() + Sync) {
    let start = Barrier::new(2);
    let run = || {
        start.wait();
        deed();
    };
    thread::scope(|scope| {
        scope.spawn(run);
        scope.spawn(run);
    });
}

fn broken_promise() {
    let nothing = black_box(ptr::null_mut::<u8>());
    // SAFETY: none, it is null.
    black_box(unsafe { NonNull::new_unchecked(nothing) });
}

fn broken_promise_of_sqlite() {
    let words = black_box([0_u64; 32]);
    let askew = words.as_ptr().cast::<u8>().wrapping_add(1).cast_mut();
    // SAFETY: none, a value stands at a multiple of eight.
    let kind: c_int = unsafe { ffi::sqlite3_value_type(askew.cast()) };
    black_box(kind);
}
