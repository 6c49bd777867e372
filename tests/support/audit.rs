//! A look into the file of a closed store: what must hold whatever happened to its processes.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::Value;

/// Queries that must find nothing, with what it means when they do.
const FAULTS: [(&str, &str); 11] = [
    (
        "a payload is counted wrong, or is not there",
        "WITH columns (name) AS (
             SELECT args FROM sw_workflow_runs UNION ALL SELECT result FROM sw_workflow_runs
             UNION ALL SELECT result FROM sw_workflow_steps
             UNION ALL SELECT payload FROM sw_workflow_signals
             UNION ALL SELECT payload FROM sw_workflow_events
         ), names (payload_key, times) AS (
             SELECT CAST(substr(name, 2) AS INTEGER), count(*) FROM columns
             WHERE name LIKE '@%' GROUP BY name
         ), counts (payload_key, times) AS (
             SELECT b.payload_key, h.named FROM sw_payload_bodies AS b
             LEFT JOIN sw_payload_hashes AS h ON h.hash = b.hash AND h.payload_key = b.payload_key
         )
         SELECT coalesce(n.payload_key, c.payload_key)
         FROM names AS n FULL JOIN counts AS c ON c.payload_key = n.payload_key
         WHERE n.times IS NOT c.times",
    ),
    (
        "a run is open without a task, or ended with one",
        "SELECT r.run_key FROM sw_workflow_runs AS r
         LEFT JOIN sw_workflow_tasks AS t ON t.task_key = r.run_key
         WHERE (r.outcome IS NULL) <> (t.task_key IS NOT NULL)",
    ),
    (
        "a task without a run",
        "SELECT task_key FROM sw_workflow_tasks
         WHERE task_key NOT IN (SELECT run_key FROM sw_workflow_runs)",
    ),
    (
        "a run or task without a lane",
        "SELECT run_key FROM sw_workflow_runs
         WHERE lane_key NOT IN (SELECT lane_key FROM sw_workflow_lanes)
         UNION ALL SELECT task_key FROM sw_workflow_tasks
         WHERE lane_key NOT IN (SELECT lane_key FROM sw_workflow_lanes)",
    ),
    (
        "a task that runs without an owner, or has one and does not run",
        "SELECT task_key FROM sw_workflow_tasks
         WHERE (state = 2) <> (owner_key IS NOT NULL) OR (state = 2) <> (lease_ms IS NOT NULL)",
    ),
    (
        "a task of an owner that nobody knows",
        "SELECT task_key FROM sw_workflow_tasks
         WHERE owner_key IS NOT NULL AND owner_key NOT IN (SELECT owner_key FROM sw_workflow_owners)",
    ),
    (
        "a delayed task without a wake time, or one with it that neither is delayed nor waits",
        "SELECT task_key FROM sw_workflow_tasks
         WHERE (state = 0 AND wake_at_ms IS NULL)
         OR (state NOT IN (0, 3) AND wake_at_ms IS NOT NULL)",
    ),
    (
        "attempts of an ended run that are not numbered from 1 without gaps",
        "SELECT r.run_key FROM sw_workflow_runs AS r
         WHERE r.outcome IS NOT NULL AND (
             r.attempts <> (SELECT count(*) FROM sw_workflow_attempts AS a WHERE a.run_key = r.run_key)
             OR r.attempts <> (SELECT coalesce(max(number), 0) FROM sw_workflow_attempts AS a
                WHERE a.run_key = r.run_key))",
    ),
    (
        "attempts of an open run that are not numbered from 1 without gaps",
        "SELECT t.task_key FROM sw_workflow_tasks AS t
         WHERE t.fence - (t.state = 2)
             <> (SELECT count(*) FROM sw_workflow_attempts AS a WHERE a.run_key = t.task_key)
         OR t.fence - (t.state = 2)
             <> (SELECT coalesce(max(number), 0) FROM sw_workflow_attempts AS a
                WHERE a.run_key = t.task_key)",
    ),
    (
        "a run that an attempt ended more than once, or whose end no attempt made",
        "SELECT r.run_key FROM sw_workflow_runs AS r
         WHERE (SELECT count(*) FROM sw_workflow_attempts AS a
                WHERE a.run_key = r.run_key AND a.ended IN (1, 2)) > (r.outcome IS NOT NULL)
         OR (r.outcome = 1) <> EXISTS (SELECT 1 FROM sw_workflow_attempts AS a
                WHERE a.run_key = r.run_key AND a.ended = 1 AND a.number = r.attempts)",
    ),
    (
        "a step of no run, or two of one name and occurrence",
        "SELECT run_key FROM sw_workflow_steps
         WHERE run_key NOT IN (SELECT run_key FROM sw_workflow_runs)
         UNION ALL SELECT run_key FROM sw_workflow_steps
         GROUP BY run_key, kind, name, occurrence HAVING count(*) > 1",
    ),
];

/// Opens the file with a connection of the test's own. No store may have it open in this process.
pub fn connect(path: &Path) -> Connection {
    Connection::open(path).unwrap()
}

/// Refuses a file in which anything is half done.
pub fn assert_whole(conn: &Connection) {
    let verdict: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    for (fault, sql) in FAULTS {
        let found: Vec<i64> = all(conn, sql, |row| row.get(0));
        assert!(found.is_empty(), "{fault}: {found:?}");
    }
}

pub fn all<T>(
    conn: &Connection,
    sql: &str,
    read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Vec<T> {
    conn.prepare(sql).unwrap().query_map([], read).and_then(Iterator::collect).unwrap()
}

/// Returns the payload of a column: what stands there, or what that names.
pub fn payload(conn: &Connection, column: String) -> String {
    let Some(key) = column.strip_prefix('@') else { return column };
    let sql = "SELECT length, content FROM sw_payload_bodies WHERE payload_key = ?1";
    let (length, content): (i64, Value) = conn.query_row(sql, [key], |row| row.try_into()).unwrap();
    match content {
        Value::Text(text) => text,
        Value::Blob(packed) => {
            let text = lz4_flex::block::decompress(&packed, usize::try_from(length).unwrap());
            String::from_utf8(text.unwrap()).unwrap()
        }
        Value::Null | Value::Integer(_) | Value::Real(_) => panic!("payload {key} is no text"),
    }
}

/// What the tries of each run must be by its history (P13): failures, and losses since an attempt
/// last recorded a step. Steps say in their results which attempt recorded them: `"attempt":n,`.
pub fn assert_tries_follow_from_history(conn: &Connection) {
    let mut progress: HashMap<i64, Vec<i64>> = HashMap::new();
    let steps = "SELECT run_key, coalesce(result, error) FROM sw_workflow_steps";
    for (run, said) in all(conn, steps, |row| Ok((row.get(0)?, row.get(1)?))) {
        let said: serde_json::Value = serde_json::from_str(&payload(conn, said)).unwrap();
        progress.entry(run).or_default().push(said["attempt"].as_i64().unwrap());
    }
    let mut tries: HashMap<i64, (i64, i64)> = HashMap::new();
    let attempts = "SELECT run_key, number, ended FROM sw_workflow_attempts ORDER BY 1, 2";
    for (run, number, ended) in
        all(conn, attempts, |row| Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get::<_, i64>(2)?)))
    {
        let (failures, losses) = tries.entry(run).or_default();
        if progress.get(&run).is_some_and(|attempts| attempts.contains(&number)) {
            *losses = 0;
        }
        match ended {
            2 | 3 => *failures += 1,
            6 => *losses += 1,
            _ => {}
        }
    }
    let counted = "SELECT t.task_key, t.failures, t.losses FROM sw_workflow_tasks AS t";
    for (run, failures, losses) in
        all(conn, counted, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    {
        let expected = tries.get(&run).copied().unwrap_or_default();
        assert_eq!((failures, losses), expected, "failures and losses of run {run}");
    }
    let ended = "SELECT run_key, tries FROM sw_workflow_runs WHERE outcome IS NOT NULL";
    for (run, counted) in all(conn, ended, |row| Ok((row.get(0)?, row.get::<_, i64>(1)?))) {
        let (failures, losses) = tries.get(&run).copied().unwrap_or_default();
        assert_eq!(counted, failures + losses, "tries of run {run}");
    }
}
