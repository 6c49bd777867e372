//! What a handle does once: the same question again is answered as the first was.

use std::sync::{Mutex, MutexGuard};

use crate::domain::FailOptions;
use crate::error::{Error, Result};
use crate::lock::Unpoisoned;

/// What tells one question from another: its parts, byte for byte.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Question([u8; 32]);

impl Question {
    /// Takes what was called, then all that was given.
    pub(crate) fn of(parts: &[&[u8]]) -> Question {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&part.len().to_le_bytes());
            hasher.update(part);
        }
        Question(*hasher.finalize().as_bytes())
    }

    /// Makes the question of a failure.
    pub(crate) fn fail(error: &str, options: FailOptions) -> Question {
        let FailOptions { is_terminal, retry_after_ms } = options;
        let error = error.as_bytes();
        Question::of(&[b"fail", error, &[is_terminal.into()], &retry_after_ms.to_le_bytes()])
    }
}

/// An answer that is given once, with the question that it was given to.
pub(crate) struct Once<T>(Mutex<Option<(Question, T)>>);

impl<T> Default for Once<T> {
    fn default() -> Once<T> {
        Once(Mutex::new(None))
    }
}

impl<T: Clone> Once<T> {
    /// Answers by `work`, or as it answered to the same question before; to another one it is a
    /// conflict, told by `sentence`. Where `work` fails nothing was answered, and it may be asked again.
    /// Threads that ask at once come one after the other.
    pub(crate) fn answer(
        &self,
        question: Question,
        sentence: &'static str,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let mut given = self.lock();
        match &*given {
            Some((first, answer)) if *first == question => return Ok(answer.clone()),
            Some(_) => return Err(Error::conflict(sentence)),
            None => {}
        }
        let answer = work()?;
        *given = Some((question, answer.clone()));
        Ok(answer)
    }

    /// Returns whether it was answered.
    pub(crate) fn is_answered(&self) -> bool {
        self.lock().is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Question, T)>> {
        self.0.lock().unpoisoned()
    }
}

#[cfg(test)]
impl<T> Once<T> {
    /// Returns whether a thread is at work on the answer.
    pub(crate) fn is_under_way(&self) -> bool {
        self.0.try_lock().is_err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn never() -> Result<u32> {
        panic!("it was answered before")
    }

    #[test]
    fn the_same_question_is_answered_as_the_first_and_another_is_a_conflict() {
        let once = Once::default();
        let question = Question::of(&[b"complete", b"1"]);
        assert!(!once.is_answered());
        assert_eq!(once.answer(question, "no", || Ok(7)), Ok(7));
        assert_eq!(once.answer(question, "no", never), Ok(7));
        let other = Question::of(&[b"complete", b"2"]);
        assert_eq!(once.answer(other, "no", never), Err(Error::conflict("no")));
        assert!(once.is_answered());
    }

    #[test]
    fn after_a_failure_any_question_may_be_asked() {
        let once = Once::default();
        let question = Question::of(&[b"complete", b"1"]);
        let failed = once.answer(question, "no", || Err::<u32, _>(Error::NoMem));
        assert_eq!(failed, Err(Error::NoMem));
        assert!(!once.is_answered());
        assert_eq!(once.answer(Question::of(&[b"fail"]), "no", || Ok(1)), Ok(1));
    }

    #[test]
    fn questions_are_told_apart_by_every_part_and_where_it_ends() {
        let fail = |is_terminal, retry_after_ms| {
            Question::fail("1", FailOptions { is_terminal, retry_after_ms })
        };
        let questions = [
            Question::of(&[b"complete", b"12", b""]),
            Question::of(&[b"complete", b"1", b"2"]),
            Question::of(&[b"complete", b"12"]),
            Question::of(&[b"complete1", b"2"]),
            fail(false, 0),
            fail(true, 0),
            fail(false, 1),
        ];
        for (at, one) in questions.iter().enumerate() {
            assert_eq!(questions.iter().position(|other| other == one), Some(at));
        }
    }
}
