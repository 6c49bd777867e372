//! One call from C, as those who may read its arguments see it.

/// Stands for the promise of a C caller about the pointers of one call.
///
/// Only `guard` and `quiet` make one, and both ask their caller to pass through it nothing but
/// arguments of the export they stand in. So the methods on it (in `handle`, `args`, `options` and
/// `out`) need not be unsafe each, and what they lend lives no longer than the call.
pub(super) struct Call(());

impl Call {
    /// Makes the stand-in for a call that is under way.
    pub(super) fn enter() -> Call {
        Call(())
    }
}
