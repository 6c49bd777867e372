//! The flag that ends a wait from another thread or from a signal handler.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::os;

/// A sticky flag that waiting calls carry. Once fired it stays fired.
///
/// It belongs to the process: a fired flag does not reach other processes.
#[derive(Debug, Default)]
pub struct Stop {
    word: AtomicU32,
}

impl Stop {
    /// Makes a flag that has not fired.
    pub const fn new() -> Stop {
        Stop { word: AtomicU32::new(0) }
    }

    /// Fires the flag: ends the present waits that carry it, and the later ones at once.
    ///
    /// One atomic store and one system call that takes no lock of ours, so a signal handler may do
    /// it. Firing again changes nothing.
    pub fn fire(&self) {
        self.word.store(1, Ordering::SeqCst);
        os::futex_wake_private(&self.word);
    }

    /// Returns whether the flag has fired.
    pub fn is_fired(&self) -> bool {
        self.word.load(Ordering::SeqCst) != 0
    }

    /// Returns the futex word: 0 until fired. For sleepers; woken as a private futex.
    pub(crate) const fn word(&self) -> &AtomicU32 {
        &self.word
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn a_stop_is_sticky() {
        let stop = Stop::new();
        assert!(!stop.is_fired());
        stop.fire();
        stop.fire();
        assert!(stop.is_fired());
    }

    #[test]
    fn firing_wakes_a_sleeper() {
        let stop = Arc::new(Stop::new());
        let sleeper = {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                while !stop.is_fired() {
                    os::futex_wait_private(stop.word(), 0, Duration::from_secs(60));
                }
            })
        };
        stop.fire();
        sleeper.join().unwrap();
    }
}
