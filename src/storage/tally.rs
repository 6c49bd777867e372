//! What a writer has done since its file was opened: counted once a batch, by its leader.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::domain::port::{CallFacts, WriterFacts};
use crate::lock::Unpoisoned;

/// Counts of one writer. Each is right by itself; together they may be of neighbouring moments.
#[derive(Debug, Default)]
pub(super) struct Tally {
    commits: AtomicU64,
    writes: AtomicU64,
    largest_batch: AtomicU64,
    batches: [AtomicU64; 4],
    syncs: AtomicU64,
    syncs_shared: AtomicU64,
    turn_waits: AtomicU64,
    turn_wait_us: AtomicU64,
    calls: Mutex<BTreeMap<&'static str, CallFacts>>,
}

impl Tally {
    /// Counts a commit of these writes: whose each was, and how many microseconds its work took.
    pub(super) fn batch(&self, costs: impl ExactSizeIterator<Item = (&'static str, u64)>) {
        let writes = costs.len();
        let class = match writes {
            0..=1 => 0,
            2..=7 => 1,
            8..=63 => 2,
            _ => 3,
        };
        let writes = u64::try_from(writes).unwrap_or(u64::MAX);
        add(&self.commits, 1);
        add(&self.writes, writes);
        add(&self.batches[class], 1);
        self.largest_batch.fetch_max(writes, Ordering::Relaxed);
        let mut calls = self.calls.lock().unpoisoned();
        for (name, took_us) in costs {
            let call = calls.entry(name).or_insert(CallFacts { name, ..CallFacts::default() });
            call.writes += 1;
            call.took_us = call.took_us.saturating_add(took_us);
            call.longest_us = call.longest_us.max(took_us);
        }
    }

    /// Counts a commit that was made safe: by a sync for it, or by another's.
    pub(super) fn synced(&self, is_shared: bool) {
        add(if is_shared { &self.syncs_shared } else { &self.syncs }, 1);
    }

    /// Counts a turn to write that was waited for.
    pub(super) fn turn_waited(&self, waited: Duration) {
        add(&self.turn_waits, 1);
        add(&self.turn_wait_us, u64::try_from(waited.as_micros()).unwrap_or(u64::MAX));
    }

    /// Returns all of them.
    pub(super) fn facts(&self) -> WriterFacts {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let [one, few, some, many] = &self.batches;
        WriterFacts {
            commits: of(&self.commits),
            writes: of(&self.writes),
            largest_batch: of(&self.largest_batch),
            batches: [one, few, some, many].map(of),
            syncs: of(&self.syncs),
            syncs_shared: of(&self.syncs_shared),
            turn_waits: of(&self.turn_waits),
            turn_wait_ms: of(&self.turn_wait_us) / 1_000,
            calls: self.calls.lock().unpoisoned().values().copied().collect(),
        }
    }
}

fn add(count: &AtomicU64, more: u64) {
    count.fetch_add(more, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_counted_by_size_and_syncs_by_who_made_them() {
        let tally = Tally::default();
        [1, 2, 7, 8, 63, 64, 300].into_iter().for_each(|writes| {
            tally.batch(std::iter::repeat_n(("a", 1), writes));
        });
        [true, false, false].into_iter().for_each(|is_shared| tally.synced(is_shared));
        tally.turn_waited(Duration::from_micros(1_500));
        tally.turn_waited(Duration::from_micros(1_500));
        let facts = tally.facts();
        assert_eq!((facts.commits, facts.writes, facts.largest_batch), (7, 445, 300));
        assert_eq!(facts.batches, [1, 2, 2, 2]);
        assert_eq!((facts.syncs, facts.syncs_shared), (2, 1));
        assert_eq!((facts.turn_waits, facts.turn_wait_ms), (2, 3));
    }

    #[test]
    fn the_time_of_writes_is_summed_by_whose_they_are() {
        let tally = Tally::default();
        tally.batch([("b", 7), ("a", 2), ("b", 3)].into_iter());
        tally.batch([("a", 5)].into_iter());
        let call =
            |name, writes, took_us, longest_us| CallFacts { name, writes, took_us, longest_us };
        assert_eq!(tally.facts().calls, [call("a", 2, 7, 5), call("b", 2, 10, 7)]);
    }
}
