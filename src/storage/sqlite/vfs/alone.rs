//! What a connection that only reads did not find.

/// What it reads the database without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Alone {
    /// Nothing is missing.
    No = 0,
    /// There is no log.
    WithoutLog = 1,
    /// The log is empty, and there is no index of it.
    WithoutIndex = 2,
}
