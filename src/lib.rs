//! Durable workflows in one file, for every language: a C-ABI library over bundled SQLite.
//!
//! A host submits *runs*, *claims* them as *attempts* under a *lease*, and wraps each expensive call
//! in a *step*. When its process dies, the next attempt replays what was done and goes on.
//!
//! The crate is a grid. Floors are folders, topics are files, and a topic has the same file name on
//! each floor it has:
//!
//! - [`ffi`]: the C functions. Unpack, one call, pack. Nearly all the unsafe code.
//! - [`store`], [`attempt`], [`step`], [`history`], [`wait`], [`control`], [`schedule`], [`budget`], [`event`],
//!   [`watch`]: what the handles point to; they carry a script to a reader or to the writer.
//! - [`domain`]: rules and nouns; pure decisions, and scripts over a transaction.
//! - [`storage`]: rows, SQL, transactions, locks.
//!
//! Calls travel host -> ffi -> store -> domain <- storage. What every floor may use and what imports
//! nothing of ours: [`error`], [`limits`], [`clock`], [`id`], [`json`], [`text`], [`stop`],
//! [`process`].
//!
//! The C header is the product; the Rust items are public for the tests and benches beside them.

pub mod attempt;
pub mod budget;
pub mod clock;
pub mod control;
pub mod domain;
pub mod error;
pub mod event;
pub mod ffi;
pub mod history;
pub mod id;
pub mod json;
pub mod limits;
pub mod process;
pub mod schedule;
pub mod step;
pub mod stop;
pub mod storage;
pub mod store;
pub mod text;
pub mod wait;
pub mod watch;
