//! The backend over SQLite.

pub mod connect;
mod errors;
#[cfg(any(test, feature = "fault"))]
pub mod fault;
pub mod job;
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
#[cfg(test)]
pub(super) mod bed_tests;
mod budget;
mod check;
mod claim;
mod columns;
mod control;
mod event;
mod explain;
mod list;
mod marks;
#[cfg(test)]
mod open_tests;
mod query;
mod queue;
mod run;
mod schedule;
mod sources;
#[cfg(test)]
mod statement_tests;
mod stats;
mod step;
mod store;
#[cfg(test)]
mod sync_tests;
mod tally;
mod task;
mod wait;
#[cfg(test)]
mod writer_tests;
mod zone;

/// Every statement of the topics, so that one test prepares each and refuses a scan in its plan.
pub fn statements() -> Vec<&'static str> {
    let topics = [
        attempt::STATEMENTS,
        budget::STATEMENTS,
        claim::STATEMENTS,
        control::STATEMENTS,
        event::STATEMENTS,
        explain::STATEMENTS,
        lane::STATEMENTS,
        list::STATEMENTS,
        marks::STATEMENTS,
        query::STATEMENTS,
        queue::STATEMENTS,
        run::STATEMENTS,
        schedule::STATEMENTS,
        sources::STATEMENTS,
        stats::STATEMENTS,
        step::STATEMENTS,
        store::STATEMENTS,
        task::STATEMENTS,
        wait::STATEMENTS,
    ];
    topics.concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::config::DbConfig;
    use rusqlite::{Connection, StatementStatus};

    fn migrated() -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        // As every connection of ours has it.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).unwrap();
        migrate::apply(&conn, None, 1).unwrap();
        conn
    }

    /// A statement over a partial index is compiled anew for each new value where the planner may look
    /// at values: that was most of what a claim cost.
    #[test]
    fn no_statement_is_compiled_again_when_other_values_are_bound() {
        let settings = crate::storage::Settings {
            can_create: true,
            is_read_only: false,
            allows_network_fs: false,
            busy_timeout_ms: 1_000,
            max_readers: 1,
        };
        let backend = open::in_memory(&settings).unwrap();
        let writer = backend.file.writer.as_ref().unwrap();
        let bench = writer.connection();
        migrate::apply(bench.conn(), None, 1).unwrap();
        for sql in statements().into_iter().filter(|sql| sql.trim_start().starts_with("SELECT")) {
            let mut statement = bench.conn().prepare(sql).unwrap();
            for value in 1..4 {
                let values = vec![value; statement.parameter_count()];
                let mut rows = statement.query(rusqlite::params_from_iter(values)).unwrap();
                // What the values mean to the statement is beside the point.
                let _ = rows.next();
            }
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0, "{sql}");
        }
    }

    #[test]
    fn every_statement_prepares_and_none_scans_a_table() {
        let conn = migrated();
        for sql in statements() {
            let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let parameters = explain.parameter_count();
            let values = vec![rusqlite::types::Null; parameters];
            let plan: Vec<String> = explain
                .query_map(rusqlite::params_from_iter(values), |row| row.get(3))
                .unwrap()
                .collect::<rusqlite::Result<_>>()
                .unwrap();
            for line in plan {
                assert!(!is_scan(&line), "{line}\n in {sql}");
            }
        }
    }

    /// A list of more than two in the predicate of an index becomes a table at each insert: measured, two
    /// thirds of what the row of a task costs without.
    #[test]
    fn no_partial_index_asks_by_a_list() {
        let conn = migrated();
        let mut indexes = conn
            .prepare("SELECT sql FROM sqlite_schema WHERE type = 'index' AND sql LIKE '% WHERE %'")
            .unwrap();
        let indexes: Vec<String> =
            indexes.query_map([], |row| row.get(0)).and_then(Iterator::collect).unwrap();
        assert!(indexes.len() > 10);
        let lists: Vec<&String> = indexes.iter().filter(|sql| sql.contains(" IN (")).collect();
        assert_eq!(lists, Vec::<&String>::new());
    }

    /// Walking a partial index from its head, the few owners, a filter's JSON, a page of keys or a chain is no
    /// scan of a table; all of them are bounded by a LIMIT.
    fn is_scan(line: &str) -> bool {
        let harmless = [
            "CONSTANT ROW",
            "VALUES CLAUSE",
            "json_each",
            "sw_workflow_owners",
            "sw_workflow_cascades",
            "sw_workflow_clock_steps",
            "page",
            "chain",
            "USING INDEX",
            "USING COVERING INDEX",
        ];
        let newest_row = line.ends_with("sw_workflow_runs")
            || line.ends_with("sw_workflow_attempts")
            || line.ends_with("sw_workflow_steps")
            || line.ends_with("sw_workflow_signals")
            || line.ends_with("sw_workflow_events");
        line.starts_with("SCAN") && !newest_row && !harmless.iter().any(|part| line.contains(part))
    }
}
