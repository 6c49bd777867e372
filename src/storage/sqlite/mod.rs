//! The backend over SQLite.

mod conn;
pub mod connect;
mod errors;
#[cfg(any(test, feature = "fault"))]
pub mod fault;
mod host;
mod job;
mod lane;
pub mod migrate;
mod mutexes;
pub mod names;
pub mod open;
mod owner;
pub mod path;
pub mod readers;
pub mod renew;
pub mod side;
pub mod tx;
pub mod vfs;
pub mod write_connection;
pub mod writer;

mod attempt;
pub mod backend;
mod backup;
#[cfg(test)]
pub(super) mod bed_tests;
mod budget;
mod carry;
mod check;
mod claim;
mod columns;
mod control;
mod event;
mod explain;
mod graduate;
mod list;
mod marks;
#[cfg(test)]
mod open_tests;
mod payload;
#[cfg(test)]
mod plan_tests;
mod policy;
mod query;
mod queue;
mod retention;
mod run;
mod schedule;
mod shape;
mod sources;
mod sql;
#[cfg(test)]
mod statement_tests;
mod stats;
mod step;
mod store;
#[cfg(test)]
mod sync_tests;
mod task;
mod traces;
mod wait;
#[cfg(test)]
mod writer_tests;

/// Every statement of the topics, so that one test prepares each and refuses a scan in its plan.
pub fn statements() -> Vec<&'static str> {
    let topics = [
        attempt::STATEMENTS,
        backup::STATEMENTS,
        budget::STATEMENTS,
        carry::STATEMENTS,
        claim::STATEMENTS,
        control::STATEMENTS,
        event::STATEMENTS,
        explain::STATEMENTS,
        graduate::STATEMENTS,
        lane::STATEMENTS,
        list::STATEMENTS,
        marks::STATEMENTS,
        payload::STATEMENTS,
        policy::STATEMENTS,
        query::STATEMENTS,
        queue::STATEMENTS,
        retention::STATEMENTS,
        run::STATEMENTS,
        schedule::STATEMENTS,
        shape::STATEMENTS,
        sources::STATEMENTS,
        sql::STATEMENTS,
        stats::STATEMENTS,
        step::STATEMENTS,
        store::STATEMENTS,
        task::STATEMENTS,
        traces::STATEMENTS,
        wait::STATEMENTS,
    ];
    topics.concat()
}
