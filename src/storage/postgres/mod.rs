//! The backend over PostgreSQL: libpq, loaded when a store of it is first opened.

mod ahead;
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
mod doubt;
mod ear;
mod errors;
mod event;
mod explain;
mod flight;
mod graduate;
mod known;
mod libpq;
mod list;
mod memory;
mod migrate;
#[cfg(test)]
mod open_tests;
mod owner;
#[cfg(test)]
mod plan_tests;
mod policy;
mod pool;
mod pq;
mod query;
mod queue;
mod records;
mod retention;
mod run;
mod schedule;
mod shared;
mod sql;
mod stats;
mod step;
mod store;
mod task;
mod transaction;
mod tx;
mod url;
mod value;
mod wait;
mod writer;

/// Every statement of the topics, so that one test prepares each and refuses a scan in its plan.
pub fn statements() -> Vec<&'static str> {
    let topics = [
        attempt::STATEMENTS,
        budget::STATEMENTS,
        carry::STATEMENTS,
        claim::STATEMENTS,
        control::STATEMENTS,
        doubt::STATEMENTS,
        event::STATEMENTS,
        explain::STATEMENTS,
        graduate::STATEMENTS,
        list::STATEMENTS,
        migrate::STATEMENTS,
        policy::STATEMENTS,
        query::STATEMENTS,
        queue::STATEMENTS,
        records::STATEMENTS,
        retention::STATEMENTS,
        run::STATEMENTS,
        schedule::STATEMENTS,
        sql::STATEMENTS,
        stats::STATEMENTS,
        step::STATEMENTS,
        store::STATEMENTS,
        task::STATEMENTS,
        wait::STATEMENTS,
    ];
    topics.concat()
}
