//! What a write tells others: whoever claims, whoever runs, whoever watches.
//!
//! A script tells it to its port where it makes it so; the write publishes it after its commit and before
//! its answer. Nothing else rings, but for a clock that is moved and a store that is shut down.

use std::hash::{DefaultHasher, Hash, Hasher};

/// Queues, by the bells that their names are hashed onto: two may share one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Queues(u64);

impl Queues {
    /// All of them.
    pub const ALL: Queues = Queues(u64::MAX);

    /// Those whose bells these bits are.
    pub const fn of_bits(bits: u64) -> Queues {
        Queues(bits)
    }

    /// The queue of this name.
    pub fn named(queue: &str) -> Queues {
        Queues(1 << bell(queue))
    }

    /// Returns whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns these and those.
    #[must_use]
    pub const fn and(self, others: Queues) -> Queues {
        Queues(self.0 | others.0)
    }

    /// Returns their bells, lowest first.
    pub fn bells(self) -> impl Iterator<Item = usize> {
        (0..u64::BITS).filter(move |bell| self.0 >> bell & 1 != 0).map(|bell| bell as usize)
    }
}

/// Returns which bell belongs to a queue. The same in every process that runs this version; another
/// version looks once in a slice of its wait.
pub fn bell(queue: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    queue.hash(&mut hasher);
    (hasher.finish() % u64::from(u64::BITS)) as usize
}

/// What has changed, for others to look at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct News {
    /// A run of these queues may be claimed that could not be before.
    pub claimable: Queues,
    /// In these queues something comes due earlier than whoever sleeps may know.
    pub due_earlier: Queues,
    /// A running attempt was told to end or to look anew, or has lost its run.
    pub is_recalled: bool,
    /// Something can be seen that could not be seen before.
    pub is_changed: bool,
}

impl News {
    /// Something can be seen that could not be seen before.
    pub const CHANGED: News =
        News { claimable: Queues(0), due_earlier: Queues(0), is_recalled: false, is_changed: true };
    /// A running attempt is to look whether it may go on.
    pub const RECALLED: News = News { is_recalled: true, ..News::CHANGED };

    /// A run of these queues may be claimed.
    pub const fn claimable(queues: Queues) -> News {
        News { claimable: queues, ..News::CHANGED }
    }

    /// Something in these queues comes due earlier than was known. By itself it is no change.
    pub const fn due_earlier(queues: Queues) -> News {
        News { due_earlier: queues, is_changed: false, ..News::CHANGED }
    }

    /// Returns these and those.
    #[must_use]
    pub const fn and(self, others: News) -> News {
        News {
            claimable: self.claimable.and(others.claimable),
            due_earlier: self.due_earlier.and(others.due_earlier),
            is_recalled: self.is_recalled || others.is_recalled,
            is_changed: self.is_changed || others.is_changed,
        }
    }
}

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
    #[must_use]
    pub fn and(self, other: Swept) -> Swept {
        Swept {
            has_moved: self.has_moved || other.has_moved,
            has_more: self.has_more || other.has_more,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_are_told_apart_by_bell_and_all_of_them_have_every_bell() {
        let both = Queues::named("a").and(Queues::named("default"));
        let mut bells = vec![bell("a"), bell("default")];
        bells.sort_unstable();
        assert_eq!(both.bells().collect::<Vec<_>>(), bells);
        assert_eq!(Queues::ALL.bells().collect::<Vec<_>>(), (0..64).collect::<Vec<_>>());
        assert!(Queues::default().is_empty() && Queues::default().bells().next().is_none());
    }

    #[test]
    fn news_and_news_are_all_of_both() {
        let due = News::due_earlier(Queues::named("a"));
        assert!(!due.is_changed);
        let all = due.and(News::claimable(Queues::named("b"))).and(News::RECALLED);
        assert_eq!(all.due_earlier, Queues::named("a"));
        assert_eq!(all.claimable, Queues::named("b"));
        assert!(all.is_changed && all.is_recalled);
    }
}
