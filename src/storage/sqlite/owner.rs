//! What the id of an owner is here: the byte of the side file that it keeps locked, and where it runs.

use crate::domain::port::OwnerId;
use crate::error::{Error, Result};
use crate::id;
use crate::os;

/// What the id of an owner holds, as the file's columns have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// Where its lock is.
    pub(super) mark: u64,
    /// Boot of the machine it runs in.
    pub(super) boot: [u8; 16],
    /// Its process.
    pub(super) pid: u32,
}

impl Mark {
    /// Returns the id that tells this owner from others.
    pub(super) fn id(self) -> OwnerId {
        let mut bytes = [0; OwnerId::LEN];
        bytes[..8].copy_from_slice(&self.mark.to_le_bytes());
        bytes[8..24].copy_from_slice(&self.boot);
        bytes[24..28].copy_from_slice(&self.pid.to_le_bytes());
        OwnerId::from_bytes(bytes)
    }

    /// Returns what an id of ours holds.
    pub(super) fn of(id: OwnerId) -> Mark {
        let bytes = id.to_bytes();
        let (mut mark, mut boot, mut pid) = ([0; 8], [0; 16], [0; 4]);
        mark.copy_from_slice(&bytes[..8]);
        boot.copy_from_slice(&bytes[8..24]);
        pid.copy_from_slice(&bytes[24..28]);
        Mark { mark: u64::from_le_bytes(mark), boot, pid: u32::from_le_bytes(pid) }
    }

    /// Makes the mark of a new owner in this process.
    pub(super) fn new() -> Result<Mark> {
        let boot = boot()?;
        Ok(Mark { mark: new_mark(), boot, pid: std::process::id() })
    }

    /// Returns whether the machine has not been booted since this owner began.
    pub(super) fn is_of_this_boot(&self) -> Result<bool> {
        Ok(self.boot == boot()?)
    }
}

fn boot() -> Result<[u8; 16]> {
    os::boot_id().map_err(|error| Error::from_os("ask which boot this is", &error))
}

/// Returns where an owner's lock is: 48 random bits, so that two owners never share a byte.
fn new_mark() -> u64 {
    let mut low = [0; 8];
    low[..6].copy_from_slice(&id::new_id().to_bytes()[10..]);
    let parts = [low.as_slice(), &std::process::id().to_le_bytes(), &os::uptime_ms().to_le_bytes()];
    let hash = blake3::hash(&parts.concat());
    low[..6].copy_from_slice(&hash.as_bytes()[..6]);
    u64::from_le_bytes(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_holds_all_that_the_file_has_of_an_owner() {
        let far = Mark { mark: u64::MAX, boot: [7; 16], pid: u32::MAX };
        assert_eq!(Mark::of(far.id()), far);
        let new = Mark::new().unwrap();
        assert_eq!(Mark::of(new.id()), new);
        assert_ne!(Mark::new().unwrap().mark, new.mark);
    }
}
