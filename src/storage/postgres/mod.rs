//! The backend over PostgreSQL: libpq, loaded when a store of it is first opened.

pub(in crate::storage) mod backend;
#[cfg(test)]
pub(super) mod bed_tests;
mod bells;
mod clock;
mod connect;
mod ear;
mod errors;
mod migrate;
mod owner;
mod pool;
mod pq;
mod store;
mod tx;
mod url;
mod value;
