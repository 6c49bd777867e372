//! What a script tells beside its answer.

/// What a bounded sweep came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Something became claimable, was ended or was told to end.
    pub has_moved: bool,
    /// The bound was reached: there may be more.
    pub has_more: bool,
}

impl Swept {
    /// Tells of a sweep that has moved `count` things and moves no more than `bound` at once.
    pub fn of(count: usize, bound: u32) -> Swept {
        Swept { has_moved: count > 0, has_more: count == bound as usize }
    }

    /// Tells of both.
    pub fn and(self, other: Swept) -> Swept {
        Swept {
            has_moved: self.has_moved || other.has_moved,
            has_more: self.has_more || other.has_more,
        }
    }
}
