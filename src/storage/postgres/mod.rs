//! The backend over PostgreSQL: libpq, loaded when a store of it is first opened.

mod clock;
mod connect;
mod errors;
mod pq;
mod tx;
mod url;
mod value;
