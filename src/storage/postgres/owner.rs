//! What the id of an owner is here: the number that its process keeps locked on the server, which start of
//! the server that was under, and where it runs.

use crate::domain::port::OwnerId;
use crate::id;

/// What the id of an owner holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// The number that it keeps locked.
    pub(super) lock: i64,
    /// When the server was started that knew of the lock first, microseconds.
    pub(super) server_started_us: i64,
    /// Its process.
    pub(super) pid: u32,
}

impl Mark {
    /// Makes the mark of a new owner in this process.
    pub(super) fn new(server_started_us: i64) -> Mark {
        let mut bytes = [0; 8];
        let random = [id::new_id().to_bytes(), id::new_id().to_bytes()].concat();
        bytes.copy_from_slice(&blake3::hash(&random).as_bytes()[..8]);
        Mark { lock: i64::from_le_bytes(bytes), server_started_us, pid: std::process::id() }
    }

    /// Returns the id that tells this owner from others.
    pub(super) fn id(self) -> OwnerId {
        let mut bytes = [0; OwnerId::LEN];
        bytes[..8].copy_from_slice(&self.lock.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.server_started_us.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.pid.to_le_bytes());
        OwnerId::from_bytes(bytes)
    }

    /// Returns what an id of ours holds.
    pub(super) fn of(id: OwnerId) -> Mark {
        let bytes = id.to_bytes();
        let (mut lock, mut started, mut pid) = ([0; 8], [0; 8], [0; 4]);
        lock.copy_from_slice(&bytes[..8]);
        started.copy_from_slice(&bytes[8..16]);
        pid.copy_from_slice(&bytes[24..28]);
        Mark {
            lock: i64::from_le_bytes(lock),
            server_started_us: i64::from_le_bytes(started),
            pid: u32::from_le_bytes(pid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_holds_all_that_is_known_of_an_owner() {
        let far = Mark { lock: i64::MIN, server_started_us: i64::MAX, pid: u32::MAX };
        assert_eq!(Mark::of(far.id()), far);
        assert_ne!(Mark::new(1).lock, Mark::new(1).lock);
    }
}
