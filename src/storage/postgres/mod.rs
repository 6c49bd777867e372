//! The backend over PostgreSQL: libpq, loaded when a store of it is first opened.

mod attempt;
pub(in crate::storage) mod backend;
#[cfg(test)]
mod backend_tests;
#[cfg(test)]
pub(super) mod bed_tests;
mod bells;
mod budget;
mod carry;
mod check;
mod claim;
mod clock;
mod connect;
mod control;
mod ear;
mod errors;
mod event;
mod explain;
mod list;
mod migrate;
#[cfg(test)]
mod open_tests;
mod owner;
mod policy;
mod pool;
mod pq;
mod query;
mod queue;
mod retention;
mod run;
mod schedule;
mod sql;
mod stats;
mod step;
mod store;
mod task;
mod tx;
mod url;
mod value;
mod wait;
