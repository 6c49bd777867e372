//! Locks that a panic leaves as they are.
//!
//! A panic is caught at the door, and only its own call fails. What stands behind a lock is whole
//! whenever code of ours may panic, so that the next call may go on with it.

use std::sync::{LockResult, PoisonError};

/// Takes what a lock guards, whoever panicked while they held it.
pub trait Unpoisoned<T> {
    /// Returns the guard, or the value.
    fn unpoisoned(self) -> T;
}

impl<T> Unpoisoned<T> for LockResult<T> {
    fn unpoisoned(self) -> T {
        self.unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn a_lock_that_was_held_at_a_panic_is_taken_with_what_stands_behind_it() {
        let lock = Mutex::new(7);
        let held = || {
            let _guard = lock.lock().unpoisoned();
            std::panic::resume_unwind(Box::new("a panic"));
        };
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(held)).is_err());
        assert!(lock.is_poisoned());
        assert_eq!(*lock.lock().unpoisoned(), 7);
    }
}
