//! An occurrence of a name that a call holds open in its attempt.

use super::attempt::Attempt;
use crate::domain::port::StepKind;
use crate::domain::suspend::Pending;
use crate::error::Result;

/// The right to answer an occurrence. Dropping it lets go of the occurrence, which a later call may then
/// mean; [`Held::pass`] has the next automatic call mean the one after.
pub(crate) struct Held<'call> {
    attempt: &'call Attempt,
    kind: StepKind,
    name: &'call str,
    occurrence: u32,
    is_passed: bool,
}

impl<'call> Held<'call> {
    /// Holds open the occurrence that a call means; 0 asks for the automatic one.
    pub(crate) fn open(
        attempt: &'call Attempt,
        kind: StepKind,
        name: &'call str,
        asked: u32,
    ) -> Result<Held<'call>> {
        let occurrence = attempt.occurrences_of(kind).open(name, asked)?;
        Ok(Held { attempt, kind, name, occurrence, is_passed: false })
    }

    /// Takes over what [`Held::keep`] kept open.
    pub(crate) fn kept(
        attempt: &'call Attempt,
        kind: StepKind,
        name: &'call str,
        occurrence: u32,
    ) -> Held<'call> {
        Held { attempt, kind, name, occurrence, is_passed: false }
    }

    /// Returns the name.
    pub(crate) fn name(&self) -> &'call str {
        self.name
    }

    /// Returns the occurrence, from 1.
    pub(crate) fn occurrence(&self) -> u32 {
        self.occurrence
    }

    /// Notes that the call answered "not yet", or, with `None`, that it was answered otherwise.
    pub(crate) fn note_wait(&self, pending: Option<Pending>) {
        self.attempt.note_wait(self.kind, self.name, self.occurrence, pending);
    }

    /// Lets go of it as answered or finished.
    pub(crate) fn pass(mut self) {
        self.is_passed = true;
    }

    /// Leaves it open, for whoever takes it over.
    pub(crate) fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut occurrences = self.attempt.occurrences_of(self.kind);
        occurrences.close(self.name, self.occurrence, self.is_passed);
    }
}
