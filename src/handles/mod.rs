//! What the pointers of the C functions point to: each carries a script of the domain to a reader or to
//! the writer, and tells what has changed.

pub mod attempt;
pub mod begin;
pub mod budget;
pub mod carry;
pub mod control;
pub mod event;
pub mod graduate;
pub mod history;
pub mod list;
pub mod retention;
pub mod schedule;
pub mod sql;
pub mod stats;
pub mod step;
pub mod store;
pub mod wait;
pub mod watch;

#[cfg(test)]
mod again_tests;
#[cfg(test)]
mod bell_tests;
#[cfg(test)]
mod carry_tests;
mod claim;
mod claims;
mod entered;
#[cfg(test)]
mod graduate_tests;
mod held;
mod once;
