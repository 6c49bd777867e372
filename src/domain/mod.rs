//! Rules and nouns: what may happen to a run, an attempt and a step, and in which order.
//!
//! What lives here are pure decisions, and short scripts over a transaction that is reached through
//! the traits of [`port`]. What must not: SQL, threads, a look at a clock. Times and ids are
//! arguments, so that each script can be run again after a lost transaction and does the same.

#![forbid(unsafe_code)]

pub mod attempt;
pub mod backoff;
pub mod budget;
pub mod carry;
pub mod check;
pub mod child;
pub mod claim;
pub mod control;
pub mod durability;
pub mod event;
pub mod explain;
pub mod find;
pub mod graduate;
pub mod hold;
pub mod input;
pub mod items;
pub mod list;
pub mod metadata;
pub mod news;
pub mod output;
pub mod port;
pub mod query;
pub mod queue;
pub mod retention;
pub mod schedule;
pub mod signal;
pub mod sql;
pub mod stats;
pub mod step;
pub mod submit;
pub mod suspend;
pub mod sweep;
pub mod wait;
pub mod wake;

#[cfg(test)]
mod input_tests;

pub use attempt::{AfterFail, FailOptions};
pub use backoff::Backoff;
pub use durability::Durability;
