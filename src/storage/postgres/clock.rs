//! The server's clock, which leases go by and keys are made of: as it was read last, and as long on as
//! this machine was awake since. Whoever shares the store reads it alike, but for the way to the server.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::clock::LeaseClock;
use crate::lock::Unpoisoned;
use crate::os;

/// Bits of a key below its milliseconds.
const COUNTER_BITS: u32 = 21;

/// The clock of one server.
#[derive(Debug, Default)]
pub(super) struct ServerClock {
    /// How far it is ahead of the time that this machine was awake, between these.
    ahead_ms: Mutex<Option<i64>>,
    /// Where it was last seen to stand: it never goes back.
    last_ms: AtomicI64,
    /// When it was last read, in the time that this machine was awake.
    read_ms: AtomicI64,
}

/// How long a reading is good for a write that does not read it first.
const FRESH_MS: i64 = 10_000;

impl ServerClock {
    /// Takes a reading, which was asked for and answered at these moments of the machine's time awake.
    pub(super) fn learn(&self, server_ms: i64, asked_ms: i64, answered_ms: i64) {
        let (least, most) = (server_ms - answered_ms, server_ms - asked_ms);
        let mut ahead_ms = self.ahead_ms.lock().unpoisoned();
        // What is known stays as long as it may be true.
        let known = ahead_ms.unwrap_or(least);
        *ahead_ms = Some(known.max(least).min(most));
        self.read_ms.store(answered_ms, Ordering::Relaxed);
    }

    /// Returns whether it was read a short while ago.
    pub(super) fn is_fresh(&self) -> bool {
        os::uptime_ms() - self.read_ms.load(Ordering::Relaxed) < FRESH_MS
    }
}

impl LeaseClock for ServerClock {
    fn lease_ms(&self) -> i64 {
        let ahead_ms = self.ahead_ms.lock().unpoisoned().unwrap_or(0);
        let now_ms = os::uptime_ms() + ahead_ms;
        self.last_ms.fetch_max(now_ms, Ordering::SeqCst).max(now_ms)
    }

    /// Due times of all machines go by the server's, too.
    fn wall_ms(&self) -> i64 {
        self.lease_ms()
    }
}

/// What makes the keys of rows in this process: each greater than all before, in the order of the
/// server's time.
#[derive(Debug)]
pub(super) struct Keys {
    last: AtomicI64,
    /// Where the counter of a millisecond begins: processes begin apart. A key that another process has
    /// made all the same is refused by its index, and the job runs again.
    start: i64,
}

impl Default for Keys {
    fn default() -> Keys {
        let start = crate::id::new_id().token() & ((1 << (COUNTER_BITS - 1)) - 1);
        Keys { last: AtomicI64::new(0), start }
    }
}

impl Keys {
    /// Returns the next key.
    #[allow(
        deprecated,
        reason = "its new name, try_update, is not in the oldest Rust that builds this"
    )]
    pub(super) fn make(&self, server_ms: i64) -> i64 {
        let earliest = server_ms << COUNTER_BITS | self.start;
        let next = |last: i64| (last + 1).max(earliest);
        let step = |last| Some(next(last));
        let last = self.last.fetch_update(Ordering::SeqCst, Ordering::SeqCst, step);
        next(last.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_moves_what_is_known_no_further_than_it_must() {
        let clock = ServerClock::default();
        let ahead = || clock.ahead_ms.lock().unwrap().unwrap();
        clock.learn(1_000, 100, 110);
        assert_eq!(ahead(), 890);
        clock.learn(1_100, 200, 215);
        assert_eq!(ahead(), 890, "it may be true still");
        clock.learn(1_200, 300, 301);
        assert_eq!(ahead(), 899, "no less");
        clock.learn(1_300, 405, 450);
        assert_eq!(ahead(), 895, "no more");
    }

    #[test]
    fn keys_grow_whatever_the_clock_does_and_none_is_given_twice() {
        let keys = Keys::default();
        let first = keys.make(1_000);
        assert_eq!(first >> COUNTER_BITS, 1_000);
        assert_eq!(keys.make(1_000), first + 1);
        assert_eq!(keys.make(900), first + 2);
        assert_eq!(keys.make(1_001) >> COUNTER_BITS, 1_001);
    }
}
