//! What a claim has taken so far, whichever backend gives it.

use crate::domain::port::{Head, Share};

/// Runs that a claim has taken, and what is left of its share.
pub(super) struct Heads {
    taken: Vec<Head>,
    share: Share,
    is_at_gate: bool,
}

impl Heads {
    /// None yet.
    pub(super) fn of(share: Share) -> Heads {
        Heads { taken: Vec::new(), share, is_at_gate: false }
    }

    /// Notes that one was taken.
    pub(super) fn take(&mut self, head: Head) {
        self.share.runs = self.share.runs.saturating_sub(1);
        self.share.bytes = self.share.bytes.saturating_sub(head.run.args.len());
        self.is_at_gate = head.taken.gate.is_some();
        self.taken.push(head);
    }

    /// Returns whether no more may be taken.
    pub(super) fn are_enough(&self) -> bool {
        self.share.runs == 0 || self.share.bytes == 0 || self.is_at_gate
    }

    /// Returns how many were taken.
    pub(super) fn len(&self) -> usize {
        self.taken.len()
    }

    /// Returns how many more may be.
    pub(super) fn left(&self) -> usize {
        self.share.runs
    }

    /// Returns them in the order in which they were taken.
    pub(super) fn taken(self) -> Vec<Head> {
        self.taken
    }
}
