//! What is asked of a backend, whichever it is: how a store is opened, and how a write is done.

use std::sync::Arc;

use crate::clock::Clock;
use crate::domain::Durability;
use crate::domain::port::Fence;

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
    /// What answers promise that name nothing else.
    pub durability: Durability,
}

/// What a write is known to look at first: a backend to which each look is a journey takes it along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ahead {
    /// Nobody can say.
    Nothing,
    /// What an attempt holds.
    Hold(Fence),
    /// What the end of an attempt looks at.
    End(Fence),
    /// How a queue stands.
    Queue(Arc<str>),
    /// Runs, by scope and idempotency key.
    Keys(Arc<[(String, String)]>),
}

/// A call that writes, as its backend is told of it.
#[derive(Debug, Clone)]
pub struct Call {
    /// The function of the C ABI, as the counts of calls name it.
    pub name: &'static str,
    /// What its answer promises.
    pub durability: Durability,
    /// Payload bytes it writes, about.
    pub bytes: usize,
    /// What it looks at first.
    pub ahead: Ahead,
}

impl Call {
    /// A call that promises what its store does, and writes next to nothing.
    pub const fn of(name: &'static str) -> Call {
        Call { name, durability: Durability::Inherit, bytes: 0, ahead: Ahead::Nothing }
    }

    /// The same call, with another promise.
    #[must_use]
    pub fn promising(self, durability: Durability) -> Call {
        Call { durability, ..self }
    }

    /// The same call, which looks at this first.
    #[must_use]
    pub fn looking_at(self, ahead: Ahead) -> Call {
        Call { ahead, ..self }
    }

    /// Returns whose attempt it is of, if that is known.
    pub fn fence(&self) -> Option<Fence> {
        match self.ahead {
            Ahead::Hold(fence) | Ahead::End(fence) => Some(fence),
            Ahead::Nothing | Ahead::Queue(_) | Ahead::Keys(_) => None,
        }
    }

    /// The same call, about this large.
    #[must_use]
    pub fn of_bytes(self, bytes: usize) -> Call {
        Call { bytes, ..self }
    }
}

/// At which commit from now on the process is to die, for a test of what its host does then.
#[derive(Debug, Clone, Copy)]
pub struct Death {
    /// From 1.
    pub commit: u64,
    /// Once the commit is there, or right before it.
    pub is_after: bool,
}

/// How a job wants to be handled.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// Whose it is; to inherit a promise here means `Power`.
    pub call: Call,
    /// Milliseconds that it waits for its turn.
    pub busy_timeout_ms: u32,
    /// Whether it works without our tables: a migration.
    pub is_schema_free: bool,
    /// Where its one reading of the time comes from.
    pub clock: Arc<Clock>,
}
