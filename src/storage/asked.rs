//! What is asked of a backend, whichever it is: how a store is opened, and how a write is done.

use std::sync::Arc;

use crate::clock::Clock;
use crate::domain::Durability;

/// What a store's options ask of its backend, with the defaults filled in.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Make the file if there is none.
    pub can_create: bool,
    /// Open without a writer.
    pub is_read_only: bool,
    /// Serve network and shared-folder file systems, and files with a second name.
    pub allows_network_fs: bool,
    /// Milliseconds that a call waits for a lock.
    pub busy_timeout_ms: u32,
    /// Read connections at most.
    pub max_readers: u32,
}

/// How a job wants to be handled.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// What its answer promises; `Inherit` means `Power`.
    pub durability: Durability,
    /// Milliseconds that it waits for its turn.
    pub busy_timeout_ms: u32,
    /// Payload bytes it writes, about.
    pub bytes: usize,
    /// Whether it works without our tables: a migration.
    pub is_schema_free: bool,
    /// Where its one reading of the time comes from.
    pub clock: Arc<Clock>,
}
