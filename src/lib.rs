//! Durable workflows in one file, for every language: a C-ABI library over bundled SQLite.
//!
//! A host submits *runs*, *claims* them as *attempts* under a *lease*, and wraps each expensive call
//! in a *step*. When its process dies, the next attempt replays what was done and goes on.
//!
//! The crate is a grid. Floors are folders, topics are files, and a topic has the same file name on
//! each floor it has:
//!
//! - [`ffi`]: the C functions. Unpack, one call, pack. Nearly all the unsafe code.
//! - [`handles`]: what the handles point to; they carry a script to a reader or to the writer.
//! - [`domain`]: rules and nouns; pure decisions, and scripts over a transaction.
//! - [`storage`]: rows, SQL, transactions, locks.
//!
//! Calls travel host -> ffi -> handles -> domain <- storage. What every floor may use and what imports
//! none of them: [`error`], [`limits`], [`clock`], [`id`], [`json`], [`text`], [`stop`], [`lock`],
//! [`process`], [`os`], and [`plant`], which is for tests.
//!
//! The C header is the product. The Rust items are public for the tests beside them, follow
//! the inside of the library, and change with it: a program in Rust links the C library, as `swctl` does.

pub mod clock;
pub mod domain;
pub mod error;
pub mod ffi;
pub mod handles;
pub mod id;
pub mod json;
pub mod limits;
pub mod lock;
pub mod os;
pub mod plant;
pub mod process;
#[cfg(test)]
#[path = "../tests/support/schemas.rs"]
mod schemas;
pub mod stop;
pub mod storage;
pub mod text;
