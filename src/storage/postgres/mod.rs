//! The backend over PostgreSQL: libpq, loaded when a store of it is first opened.

mod connect;
mod errors;
mod pq;
mod tx;
mod value;
