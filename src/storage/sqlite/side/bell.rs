//! Bells: words that count. A sleeper remembers the count it saw, looks at the database, and
//! sleeps only while the count is still the same. The lowest bit of a bell says that somebody may
//! sleep on it, so that ringing costs no system call otherwise; each ring clears it, so a sleeper
//! that was killed costs one system call and not one per ring for ever.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::os;
use crate::stop::Stop;

/// Sleep of a wait that carries a stop at most, on kernels that cannot wait for two words.
const STOP_SLICE: Duration = Duration::from_millis(10);

/// The bit of a bell that says that somebody may sleep on it. The count is what stands above it.
pub(super) const SLEEPER: u32 = 1;

/// A word to sleep on, in any number of processes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bell<'a>(pub(super) &'a AtomicU32);

impl Bell<'_> {
    pub(super) fn seen(self) -> u32 {
        self.0.load(Ordering::SeqCst) & !SLEEPER
    }

    /// Counts, and wakes up to `count` sleepers when there may be any.
    ///
    /// Count and bit change at once. Apart, a sleeper that sets the bit in between could see the new
    /// count and lose its bit: it would sleep through the next ring.
    #[allow(
        deprecated,
        reason = "its new name, try_update, is not in the oldest Rust that builds this"
    )]
    pub(super) fn ring(self, count: u32) {
        let next = |word: u32| Some((word & !SLEEPER).wrapping_add(SLEEPER << 1));
        let old = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next);
        if old.is_ok_and(|word| word & SLEEPER != 0) {
            os::futex_wake(self.0, count);
        }
    }

    /// Says that there may be sleepers, without sleeping.
    pub(super) fn announce(self) {
        self.0.fetch_or(SLEEPER, Ordering::SeqCst);
    }

    /// Sleeps once, unless the count is another than `seen`. May wake for no reason.
    pub(super) fn sleep(self, seen: u32, timeout: Duration, stop: Option<&Stop>) {
        let asleep = seen | SLEEPER;
        let old = self.0.compare_exchange(seen, asleep, Ordering::SeqCst, Ordering::SeqCst);
        if old.is_err_and(|word| word != asleep) {
            return;
        }
        doze(self.0, asleep, timeout, stop);
    }
}

/// Sleeps once while the word is as expected, whatever that says of sleepers.
pub(super) fn doze(word: &AtomicU32, expected: u32, timeout: Duration, stop: Option<&Stop>) {
    match stop {
        None => os::futex_wait(word, expected, timeout),
        Some(stop) => {
            if !os::futex_wait_two((word, expected), (stop.word(), 0), timeout) {
                os::futex_wait(word, expected, timeout.min(STOP_SLICE));
            }
        }
    }
}

/// Sleeps until `is_over` holds, and returns whether it does: `false` after the time or by the stop.
pub(super) fn sleep_until(
    timeout: Duration,
    stop: Option<&Stop>,
    is_over: impl Fn() -> bool,
    sleep: impl Fn(Duration),
) -> bool {
    let started = Instant::now();
    loop {
        if is_over() {
            return true;
        }
        let left = timeout.saturating_sub(started.elapsed());
        if left.is_zero() || stop.is_some_and(Stop::is_fired) {
            return false;
        }
        sleep(left);
    }
}
