//! The backend over PostgreSQL: libpq, loaded when a store of it is first opened.

#[cfg(test)]
pub(super) mod bed_tests;
mod clock;
mod connect;
mod errors;
mod migrate;
mod pq;
mod store;
mod tx;
mod url;
mod value;
