//! What an attempt knows of the steps recorded before it: read once, kept in one piece of memory.
//!
//! Only the holder of the fence records steps of a run, so what was read at its first begin stays
//! true for as long as it holds it, but for what it records itself.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::domain::port::{StepFacts, StepView};
use crate::limits::PRELOAD_BYTES_MAX;
use crate::plant::{Plant, stands};
use crate::text::TextRef;

/// The recorded steps of a run.
#[derive(Debug, Default)]
pub struct History {
    /// Names, results and errors, each followed by a NUL.
    texts: String,
    records: Vec<Entry>,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    is_cut: bool,
}

#[derive(Debug)]
struct Entry {
    name: Span,
    occurrence: u32,
    facts: StepFacts,
    error: Option<Span>,
    result: Option<Span>,
}

/// A text and its NUL in `texts`, which is far smaller than 4 GiB.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
}

impl History {
    /// Takes one recorded step; `false` when the memory for them is used up.
    pub fn push(&mut self, step: StepView<'_>) -> bool {
        let bytes = step.name.len()
            + step.result.map_or(0, str::len)
            + step.error.map_or(0, str::len)
            + size_of::<Entry>();
        let used = self.texts.len() + self.records.len() * size_of::<Entry>();
        if used + bytes > PRELOAD_BYTES_MAX {
            self.is_cut = true;
            return false;
        }
        let hash = self.hasher.hash_one((step.name, step.occurrence));
        let record = Entry {
            name: self.keep(step.name),
            occurrence: step.occurrence,
            facts: step.facts,
            error: step.error.map(|error| self.keep(error)),
            result: step.result.map(|result| self.keep(result)),
        };
        let at = self.records.len() as u32;
        self.records.push(record);
        let History { texts, records, index, hasher, .. } = self;
        index.insert_unique(hash, at, |at| {
            let record = &records[*at as usize];
            hasher.hash_one((record.name.of(texts), record.occurrence))
        });
        true
    }

    fn keep(&mut self, text: &str) -> Span {
        let start = self.texts.len() as u32;
        self.texts.push_str(text);
        self.texts.push('\0');
        Span { start, end: self.texts.len() as u32 }
    }

    /// Returns whether steps are recorded that are not here.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Returns which record is of this step.
    pub fn find(&self, name: &str, occurrence: u32) -> Option<u32> {
        let occurrence = if stands(Plant::WrongOccurrence) { 1 } else { occurrence };
        let hash = self.hasher.hash_one((name, occurrence));
        let is_it = |at: &u32| {
            let record = &self.records[*at as usize];
            record.occurrence == occurrence && record.name.of(&self.texts) == name
        };
        self.index.find(hash, is_it).copied()
    }

    /// Returns what a record says.
    pub fn facts(&self, at: u32) -> &StepFacts {
        &self.records[at as usize].facts
    }

    /// Returns a record's occurrence.
    pub fn occurrence(&self, at: u32) -> u32 {
        self.records[at as usize].occurrence
    }

    /// Lends a record's name.
    pub fn name(&self, at: u32) -> Option<TextRef<'_>> {
        self.lend(self.records[at as usize].name)
    }

    /// Lends a record's result.
    pub fn result(&self, at: u32) -> Option<TextRef<'_>> {
        self.records[at as usize].result.and_then(|span| self.lend(span))
    }

    /// Lends a record's error.
    pub fn error(&self, at: u32) -> Option<TextRef<'_>> {
        self.records[at as usize].error.and_then(|span| self.lend(span))
    }

    fn lend(&self, span: Span) -> Option<TextRef<'_>> {
        TextRef::new(&self.texts[span.start as usize..span.end as usize])
    }
}

impl Span {
    fn of(self, texts: &str) -> &str {
        &texts[self.start as usize..self.end as usize - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::port::StepState;

    fn step<'row>(name: &'row str, occurrence: u32, result: &'row str) -> StepView<'row> {
        StepView {
            name,
            occurrence,
            facts: StepFacts {
                state: StepState::Done,
                tries: 1,
                retry_at_ms: None,
                input_hash: None,
            },
            error: None,
            result: Some(result),
        }
    }

    #[test]
    fn every_step_is_found_by_name_and_occurrence_alone() {
        let mut history = History::default();
        for number in 0..1_000 {
            let name = format!("step {}", number / 2);
            assert!(history.push(step(&name, number % 2 + 1, &number.to_string())));
        }
        for number in 0..1_000 {
            let at = history.find(&format!("step {}", number / 2), number % 2 + 1).unwrap();
            assert_eq!(history.result(at).unwrap().as_str(), number.to_string());
        }
        assert_eq!(history.find("step 0", 3), None);
        assert!(!history.is_cut());
    }

    #[test]
    fn a_history_beyond_its_bound_says_that_it_is_cut() {
        let mut history = History::default();
        let large = "x".repeat(PRELOAD_BYTES_MAX / 2);
        assert!(history.push(step("a", 1, &large)));
        assert!(!history.push(step("b", 1, &large)));
        assert!(history.is_cut());
        assert!(history.find("a", 1).is_some());
    }
}
