//! swctl looks at a smolwf store, and acts on it, from a terminal.
//!
//! `door` is the library behind safe types; `cli` what may be typed; `command` what each command does;
//! the rest is how answers look and what goes wrong.

// Nothing of it is called here: it is what the library's stores in PostgreSQL are linked with.
#[cfg(feature = "libpq")]
extern crate smolwf_pq;

pub mod cli;
pub mod command;
pub mod completions;
pub mod document;
pub mod door;
pub mod failure;
pub mod filter;
pub mod input;
pub mod out;
pub mod place;
pub mod progress;
pub mod run_id;
pub mod serve;
pub mod system;
pub mod table;
pub mod text;
pub mod time;
pub mod version;
