//! Rows, SQL, transactions, locks: what implements [`crate::domain::port`].

pub mod conformance;
pub mod sqlite;
