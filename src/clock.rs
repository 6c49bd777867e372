//! The only place that reads time.
//!
//! Two instants make a reading: the wall clock, which due times and records follow, and the clock
//! that leases follow, which the backend gives: all who share a store must read it alike, whatever
//! somebody sets the wall clock to. A manual clock stands still until the host advances it.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::error::{Error, Result};
use crate::limits::INSTANT_MS_MAX;
use crate::os;

/// One reading of a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Unix milliseconds.
    pub wall_ms: i64,
    /// Milliseconds on the lease clock of the backend, which counts from a moment of its own.
    pub lease_ms: i64,
}

impl Now {
    /// Returns this reading, its wall clock no earlier than a moment that has been reached.
    #[must_use]
    pub fn not_before(self, wall_ms: i64) -> Now {
        Now { wall_ms: self.wall_ms.max(wall_ms), ..self }
    }
}

/// What a backend measures leases by. It never goes back, and whoever shares the store reads it alike.
pub trait LeaseClock: Debug + Send + Sync {
    /// Returns where it stands, milliseconds.
    fn lease_ms(&self) -> i64;

    /// Returns the Unix milliseconds that due times and records follow: the machine's own, unless the
    /// backend has a clock for all who share the store.
    fn wall_ms(&self) -> i64 {
        system_ms()
    }
}

/// A source of readings.
#[derive(Debug)]
pub enum Clock {
    /// The backend's clocks, of which the wall clock is the machine's unless it says otherwise.
    System(Arc<dyn LeaseClock>),
    /// Frozen at a reading plus what the host has advanced since, in milliseconds.
    Manual {
        /// Where it started.
        start: Now,
        /// Milliseconds advanced so far.
        advanced_ms: AtomicI64,
    },
}

impl Clock {
    /// Makes a clock that stands still at `start`.
    pub fn manual(start: Now) -> Clock {
        Clock::Manual { start, advanced_ms: AtomicI64::new(0) }
    }

    /// Reads the clock.
    pub fn now(&self) -> Now {
        match self {
            Clock::System(lease) => Now { wall_ms: lease.wall_ms(), lease_ms: lease.lease_ms() },
            Clock::Manual { start, advanced_ms } => {
                let advanced_ms = advanced_ms.load(Ordering::SeqCst);
                Now { wall_ms: start.wall_ms + advanced_ms, lease_ms: start.lease_ms + advanced_ms }
            }
        }
    }

    /// Returns where a manual clock would stand if it were advanced by `ms`; refuses as that does.
    pub fn advanced(&self, ms: i64) -> Result<i64> {
        match self {
            Clock::System(_) => self.advance(ms).map(|()| self.now().wall_ms),
            Clock::Manual { .. } => {
                let ahead = Clock::manual(self.now());
                ahead.advance(ms)?;
                Ok(ahead.now().wall_ms)
            }
        }
    }

    /// Moves a manual clock on by `ms`, 0 or more; `Misuse` for the machine's clock.
    #[allow(
        deprecated,
        reason = "its new name, try_update, is not in the oldest Rust that builds this"
    )]
    pub fn advance(&self, ms: i64) -> Result<()> {
        let Clock::Manual { start, advanced_ms } = self else {
            return Err(Error::Misuse(
                "the clock can be advanced only with SW_OPEN_MANUAL_CLOCK".into(),
            ));
        };
        if ms < 0 {
            return Err(Error::invalid(format!("ms is {ms}, a clock goes forward: 0 or more")));
        }
        let room = INSTANT_MS_MAX - start.wall_ms;
        advanced_ms
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |so_far| {
                so_far.checked_add(ms).filter(|sum| *sum <= room)
            })
            .map(|_| ())
            .map_err(|_| Error::invalid(format!("ms is {ms}, which leads beyond the year 9999")))
    }

    /// Returns whether the host advances this clock.
    pub fn is_manual(&self) -> bool {
        matches!(self, Clock::Manual { .. })
    }
}

/// Returns the system's Unix milliseconds; 0 when its clock stands before 1970.
pub fn system_ms() -> i64 {
    os::wall_ms().max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Seven;

    impl LeaseClock for Seven {
        fn lease_ms(&self) -> i64 {
            7
        }
    }

    #[test]
    fn leases_are_read_on_the_clock_that_the_backend_gives() {
        let now = Clock::System(Arc::new(Seven)).now();
        assert_eq!(now.lease_ms, 7);
        assert!(now.wall_ms > 1_000_000_000_000);
    }

    fn at_one_thousand() -> Clock {
        Clock::manual(Now { wall_ms: 1_000, lease_ms: 10 })
    }

    #[test]
    fn a_manual_clock_moves_both_instants_by_what_it_is_advanced() {
        let clock = at_one_thousand();
        assert_eq!(clock.now(), Now { wall_ms: 1_000, lease_ms: 10 });
        clock.advance(5).unwrap();
        assert_eq!(clock.now(), Now { wall_ms: 1_005, lease_ms: 15 });
    }

    #[test]
    fn a_manual_clock_never_goes_back_nor_past_the_year_9999() {
        let clock = at_one_thousand();
        assert_eq!(clock.advance(-1).unwrap_err().code(), -2);
        assert_eq!(clock.advance(i64::MAX).unwrap_err().code(), -2);
        assert_eq!(clock.now().wall_ms, 1_000);
    }

    #[test]
    fn where_a_clock_would_stand_is_told_without_moving_it() {
        let clock = at_one_thousand();
        assert_eq!(clock.advanced(5), Ok(1_005));
        assert_eq!(clock.advanced(-1).unwrap_err().code(), -2);
        assert_eq!(clock.now().wall_ms, 1_000);
        assert_eq!(Clock::System(Arc::new(Seven)).advanced(1).unwrap_err().code(), -1);
    }

    #[test]
    fn the_machines_clock_cannot_be_advanced() {
        assert_eq!(Clock::System(Arc::new(Seven)).advance(1).unwrap_err().code(), -1);
    }
}
