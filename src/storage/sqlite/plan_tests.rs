//! How SQLite goes about every statement: what it scans, what it sorts, and how far into an index it
//! goes. A plan that reads more than it must is seen here, not at the first store that is large.

use rusqlite::config::DbConfig;
use rusqlite::{Connection, StatementStatus};

use super::conn::Conn;
use super::{migrate, open, statements};

/// Part of a statement that may scan a table, and why.
const SCANS: &[(&str, &str)] = &[(
    "SELECT max(max(created_at_ms",
    "a manual clock is for tests, and opening one may take as long as the store is large",
)];

/// Part of a statement that sorts before its LIMIT, and why.
const SORTS: &[(&str, &str)] = &[
    ("FROM chain\nORDER BY depth", "a chain of bounded depth"),
    (
        "SELECT s.name, s.occurrence, s.state, s.tries, s.retry_at_ms",
        "a page of a history: an index in the order of recording would cost every step an entry; what is \
         sorted is the keys of one run",
    ),
    (
        "ORDER BY retry_at_ms IS NOT ?2, kind, name, occurrence",
        "an explanation of one run looks at its open records",
    ),
    ("GROUP BY t.unit, l.workflow, t.label", "the totals of one budget, few beside its entries"),
    ("ORDER BY json_each.key", "the units of one ask"),
    (") AS page\nGROUP BY lane_key", "a page, bounded before it is sorted"),
];

/// Part of a statement that seems to bound one more column than its plan makes use of, and why.
const SHALLOW: &[(&str, &str)] = &[(
    "flags & 8\n    ORDER BY task_key",
    "the update around the look-up bounds the key, by its answer",
)];

/// Part of each statement that runs at every submit, claim, step and end, and the look-ups it does.
const HOT: &[(&str, &[&str])] = &[
    (
        "WHERE queue = ?1 AND workflow = ?2 AND code_version = ?3 AND owner_key = ?4",
        &["INDEX lanes_by_name (queue=? AND workflow=? AND code_version=? AND owner_key=?)"],
    ),
    ("r.idem_key = ?", &["INDEX runs_by_idem (idem_scope=? AND idem_key=?)"]),
    ("WHERE run_id = ?1", &["INDEX runs_by_id (run_id=?)"]),
    (
        "FROM sw_store AS s\nLEFT JOIN sw_workflow_queues",
        &[
            "q USING PRIMARY KEY (queue=?)",
            "INDEX tasks_wake (wake_at_ms>?)",
            "INDEX tasks_deadline (deadline_at_ms>?)",
            "INDEX schedules_next (next_at_ms>?)",
            "INDEX balances_wake (wake_at_ms>?)",
            "INDEX tasks_running (owner_key=?)",
        ],
    ),
    (
        "CROSS JOIN sw_workflow_tasks",
        &["INDEX tasks_running (owner_key=? AND lease_until_up_ms<?)"],
    ),
    ("FROM sw_workflow_tasks\n    WHERE wake_at_ms <= ?1", &["INDEX tasks_wake (wake_at_ms<?)"]),
    ("WHERE deadline_at_ms <= ?1", &["INDEX tasks_deadline (deadline_at_ms<?)"]),
    (
        "WHERE queue = ?1 AND owner_key = ?2 AND first_task_key",
        &["INDEX lanes_first (queue=? AND owner_key=?)", "INDEX tasks_ready (lane_key=?)"],
    ),
    (
        "INDEXED BY lanes_first_of_workflow",
        &["lanes_first_of_workflow (queue=? AND owner_key=? AND workflow=?)"],
    ),
    (
        "INDEXED BY lanes_first_of_version",
        &["lanes_first_of_version (queue=? AND owner_key=? AND code_version=?)"],
    ),
    ("ORDER BY priority, due_at_ms, task_key\nLIMIT ?2", &["INDEX tasks_ready (lane_key=?)"]),
    (
        "SELECT r.run_id, t.run_id, p.run_id, l.workflow",
        &["r USING INTEGER PRIMARY KEY", "INDEX steps_of_run (run_key=?)"],
    ),
    ("state = 2, fence = fence + 1", &["INTEGER PRIMARY KEY (rowid=?)"]),
    ("WHERE task_key = ?1 AND fence = ?2", &["INTEGER PRIMARY KEY (rowid=?)"]),
    (
        "WHERE run_key = ?1 AND kind = ?2 AND name = ?3 AND occurrence = ?4",
        &["INDEX steps_of_run (run_key=? AND kind=? AND name=? AND occurrence=?)"],
    ),
    ("outcome = ?2, finished_at_ms = ?3", &["INTEGER PRIMARY KEY (rowid=?)"]),
    ("DELETE FROM sw_workflow_waits\nWHERE task_key = ?1", &["INDEX waits_of_task (task_key=?)"]),
    (
        "state = 1\nWHERE task_key = (",
        &[
            "INDEX tasks_blocked (gate=? AND lane_key=?)",
            "INDEX tasks_open (gate=? AND lane_key=?)",
        ],
    ),
    ("WHERE root_key = ?1 AND unit = ?2", &["USING PRIMARY KEY (root_key=? AND unit=?)"]),
];

fn migrated() -> Conn {
    let conn = Conn::new(Connection::open_in_memory().unwrap());
    // As every connection of ours has it.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).unwrap();
    migrate::apply(&conn, None, 1).unwrap();
    conn
}

/// Returns the plan of a statement, line by line.
fn plan(conn: &Conn, sql: &str) -> Vec<String> {
    let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let values = vec![rusqlite::types::Null; explain.parameter_count()];
    let lines = explain.query_map(rusqlite::params_from_iter(values), |row| row.get(3)).unwrap();
    lines.collect::<rusqlite::Result<_>>().unwrap()
}

/// Asserts that those statements break a rule which are excused from it, and none else.
fn assert_broken_by(excused: &[(&str, &str)], breaks: impl Fn(&str, &str) -> bool) {
    let conn = migrated();
    let mut unused: Vec<&str> = excused.iter().map(|(part, _)| *part).collect();
    for sql in statements() {
        let found = plan(&conn, sql).into_iter().find(|line| breaks(sql, line));
        let excuse = excused.iter().find(|(part, _)| sql.contains(part));
        match (found, excuse) {
            (Some(line), None) => panic!("{line}\n in {sql}"),
            (Some(_), Some((part, _))) => unused.retain(|other| other != part),
            (None, _) => {}
        }
    }
    assert_eq!(unused, Vec::<&str>::new(), "these need no excuse");
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
        durability: crate::domain::Durability::Power,
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
    assert_broken_by(SCANS, is_scan);
}

/// A statement that sorts reads all before its LIMIT cuts: each page then costs what all cost together.
#[test]
fn no_statement_sorts_what_its_limit_cuts() {
    assert_broken_by(SORTS, |sql, line| {
        line.contains("TEMP B-TREE") && !line.contains("DISTINCT") && sql.contains("LIMIT")
    });
}

/// Where a statement bounds one more column of an index than its plan makes use of, it reads what the
/// bound leaves out: all running runs of an owner to find the lapsed ones among them, once.
#[test]
fn no_statement_enters_an_index_by_fewer_columns_than_it_bounds() {
    let conn = migrated();
    let bounded = |sql: &str, line: &str| {
        next_column(&conn, sql, line).is_some_and(|(of, column)| is_bounded(sql, &of, &column))
    };
    assert_broken_by(SHALLOW, bounded);
    let shallow = "SELECT t.task_key FROM sw_workflow_tasks AS t
        WHERE t.owner_key = ?1 AND t.lease_until_up_ms <= t.lease_ms ORDER BY t.lease_ms";
    let line = plan(&conn, shallow).remove(0);
    assert!(line.ends_with("tasks_running (owner_key=?)"), "{line}");
    assert!(bounded(shallow, &line), "the test sees what it is for");
}

#[test]
fn what_runs_all_the_time_is_looked_up_by_all_that_it_names() {
    let conn = migrated();
    for (part, expected) in HOT {
        let mut of_part = statements().into_iter().filter(|sql| sql.contains(part)).peekable();
        assert!(of_part.peek().is_some(), "no statement has {part:?}");
        for sql in of_part {
            let plan = plan(&conn, sql);
            for look_up in *expected {
                let is_there = |line: &String| line.starts_with("SEARCH") && line.contains(look_up);
                assert!(plan.iter().any(is_there), "{look_up:?} is not in {plan:#?}\n of {sql}");
            }
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

/// One row at either end of a table, walking a partial index from its head, the few owners, a filter's JSON, a page of keys or a chain is no
/// scan of a table; all of them are bounded by a LIMIT. What is called a search and has no bounds is one:
/// SQLite says so of the greatest value of a column without an index.
fn is_scan(sql: &str, line: &str) -> bool {
    let harmless = [
        "CONSTANT ROW",
        "VALUES CLAUSE",
        "json_each",
        "sqlite_schema",
        "VIRTUAL TABLE INDEX",
        "sw_workflow_owners",
        "sw_workflow_cascades",
        "sw_workflow_clock_steps",
        "page",
        "chain",
        "USING INDEX",
        "USING COVERING INDEX",
    ];
    let words: Vec<&str> = sql.split_whitespace().collect();
    let is_last_row = words
        .windows(2)
        .any(|words| words[0] == "LIMIT" && words[1].trim_end_matches([')', ',']) == "1");
    let is_walk = is_last_row || harmless.iter().any(|part| line.contains(part));
    (line.starts_with("SCAN") && !is_walk) || (line.starts_with("SEARCH") && !line.contains('('))
}

/// Returns what the statement calls the table of a look-up, and the first column of its index that the
/// look-up leaves open though all before it are fixed.
fn next_column(conn: &Conn, sql: &str, line: &str) -> Option<(String, String)> {
    let (head, bounds) = line.strip_prefix("SEARCH ")?.split_once(" (")?;
    if bounds.contains(['<', '>']) || head.ends_with("INTEGER PRIMARY KEY") {
        return None;
    }
    let of = head.split(' ').next()?;
    let named = format!(" AS {of}");
    let words: Vec<&str> = sql.split_whitespace().collect();
    let table =
        words.windows(3).find(|words| words[1..] == ["AS", of]).map_or(of, |words| words[0]);
    let of = if sql.contains(&named) { format!("{of}.") } else { String::new() };
    let index = match head.split_once("INDEX ") {
        Some((_, index)) => index.to_owned(),
        None => primary_key(conn, table),
    };
    let depth = i64::try_from(bounds.split(" AND ").count()).unwrap();
    let of_index = "SELECT coalesce(x.name, (SELECT name FROM pragma_table_info(?3) WHERE pk = 1))
        FROM pragma_index_xinfo(?1) AS x
        WHERE x.seqno = ?2 AND (x.key OR NOT EXISTS (
            SELECT 1 FROM pragma_index_list(?3) AS i WHERE i.name = ?1 AND i.origin = 'pk'))";
    let column = conn.query_row(of_index, (index, depth, table), |row| row.get(0)).ok()?;
    Some((of, column))
}

fn primary_key(conn: &Conn, table: &str) -> String {
    let sql = "SELECT name FROM pragma_index_list(?1) WHERE origin = 'pk'";
    conn.query_row(sql, [table], |row| row.get(0)).unwrap()
}

/// Returns whether a statement compares a column with something, after its first WHERE.
fn is_bounded(sql: &str, of: &str, column: &str) -> bool {
    let name = format!("{of}{column}");
    let words: Vec<&str> = sql.split_whitespace().skip_while(|word| *word != "WHERE").collect();
    let compares = ["=", "<", "<=", ">", ">=", "IN", "BETWEEN"];
    words
        .windows(2)
        .any(|words| words[0].trim_start_matches('(') == name && compares.contains(&words[1]))
}
