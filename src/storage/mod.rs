//! Rows, SQL, transactions, locks: what implements [`crate::domain::port`].
//!
//! Whoever stands above names what is listed here and nothing within: a backend, and the port that its
//! transactions are.

pub mod conformance;
pub mod sqlite;

pub use self::sqlite::backend::Backend;
pub use self::sqlite::job::WriteOptions;
pub use self::sqlite::migrate::NEWEST;
pub use self::sqlite::open::{Settings, in_memory, open};
