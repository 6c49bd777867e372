//! The way to a server and the server itself fail, and nothing is lost or done twice: connections are cut
//! at chosen messages of the protocol, backends are ended at random, the server is killed and started again.
//!
//! `SW_WIRE_EVERY=1` cuts at each message of the workload, and not at some; `SW_CHAOS_SECONDS` goes on for
//! longer. What is drawn by chance is told as `SMOLWF_SEED`, which repeats it.

#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a test")]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test says what it wants and refuses the rest"
)]

#[path = "wire/chaos.rs"]
mod chaos;
#[path = "wire/cuts.rs"]
mod cuts;
#[path = "wire/flights.rs"]
mod flights;
#[path = "wire/pooler.rs"]
mod pooler;
#[path = "wire/proxy.rs"]
mod proxy;
#[path = "wire/server.rs"]
mod server;
#[path = "wire/standby.rs"]
mod standby;
#[path = "wire/workload.rs"]
mod workload;
