//! Rows, SQL, transactions, locks: what implements [`crate::domain::port`].
//!
//! Whoever stands above names what is listed here and nothing within: a backend, and the port that its
//! transactions are.

mod asked;
mod backend;
pub mod conformance;
mod heads;
mod job;
mod line;
#[cfg(feature = "postgres")]
pub mod postgres;
mod seat;
pub mod sqlite;
mod steps;
mod stored;
mod system;
mod tables;
mod tally;
mod zone;

pub use self::asked::{Ahead, Call, Death, Settings, WriteOptions};
pub use self::backend::{Backend, in_memory, open};
pub use self::steps::NEWEST as SCHEMA_NEWEST;
