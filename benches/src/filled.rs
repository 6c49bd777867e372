//! A store of any size, filled at once: in each ten runs of every kind that a list may be asked for,
//! spread evenly, so that only what lies between them differs with the size.

use std::path::Path;

use rusqlite::{Connection, named_params};

use crate::host::{Host, PROCESS};

const LANES: &str = "
INSERT INTO sw_workflow_lanes (
    lane_key, queue, workflow, code_version, owner_key, first_priority, first_due_at_ms, first_task_key
)
VALUES (1, 'default', 'w', '', 0, 0, 0, 1), (2, 'default', 'rare', '', 0, NULL, NULL, NULL),
    (3, 'rare', 'w', '', 0, NULL, NULL, NULL), (4, 'default', 'w', 'rare', 0, NULL, NULL, NULL);
INSERT INTO sw_workflow_owners (owner_key, mark, boot, pid, opened_at_ms)
VALUES (1, 1, zeroblob(16), 1, 1);";

// Of every hundred runs twenty are open. Each tenth of the store has one of every kind.
const RUNS: &str = "
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :size)
INSERT INTO sw_workflow_runs (
    run_key, run_id, lane_key, outcome, attempts, tries, parent_key, root_key, created_at_ms,
    finished_at_ms, priority, idem_scope, idem_key, metadata, args
)
SELECT i, unhex(printf('%032x', i)),
    CASE i % :tenth WHEN 12 THEN 2 WHEN 13 THEN 3 WHEN 14 THEN 4 ELSE 1 END,
    CASE WHEN i % 5 = 0 THEN NULL WHEN i % :tenth = 11 THEN 2 ELSE 1 END, 1, 0,
    CASE i % :tenth WHEN 16 THEN 1 END, CASE i % :tenth WHEN 16 THEN 1 WHEN 17 THEN 1 END,
    1700000000000 + i * 10, CASE WHEN i % 5 = 0 THEN NULL ELSE 1700000000000 + i * 10 + 7 END, 0,
    CASE i % :tenth WHEN 18 THEN 'rare' WHEN 19 THEN '' END,
    CASE i % :tenth WHEN 18 THEN 'k' || i WHEN 19 THEN 'key ' || (i / :tenth * 11) END,
    CASE WHEN i % :tenth = 21 THEN '{\"tenant\":\"rare\"}'
        WHEN i % 10 = 7 THEN '{\"tenant\":\"t' || (i % 50) || '\",\"n\":' || i || '}' END,
    '{\"some\":\"arguments of a run\"}'
FROM n";

const TASKS: &str = "
INSERT INTO sw_workflow_tasks (
    task_key, lane_key, state, priority, due_at_ms, fence, failures, losses, flags, waits_left,
    owner_key, lease_until_up_ms, lease_ms, claimed_at_ms
)
SELECT run_key, lane_key, CASE run_key % :tenth WHEN 25 THEN 2 WHEN 30 THEN 3 WHEN 35 THEN 4 ELSE 1 END,
    0, created_at_ms, 1, 0, 0, 0, 0, CASE run_key % :tenth WHEN 25 THEN 1 END,
    9000000000000, 1000, created_at_ms
FROM sw_workflow_runs
WHERE outcome IS NULL";

const MARKS: &str = "
DELETE FROM sw_workflow_marks WHERE kind = 6;
INSERT OR IGNORE INTO sw_workflow_marks (kind, value, block)
SELECT 6, '\"' || j.key || '\":' || j.value, r.run_key >> 7
FROM sw_workflow_runs AS r, json_each(r.metadata) AS j
WHERE r.metadata IS NOT NULL AND j.type = 'integer'
UNION
SELECT 6, '\"' || j.key || '\":\"' || j.value || '\"', r.run_key >> 7
FROM sw_workflow_runs AS r, json_each(r.metadata) AS j
WHERE r.metadata IS NOT NULL AND j.type = 'text'";

/// Writes the rows that so many runs would have left.
pub fn fill(path: &Path, size: i64) {
    Host::open(path, PROCESS).close();
    let conn = Connection::open(path).unwrap();
    conn.execute_batch(&format!("BEGIN;{LANES}")).unwrap();
    let tenth = size / 10;
    conn.execute(RUNS, named_params! { ":size": size, ":tenth": tenth }).unwrap();
    conn.execute(TASKS, named_params! { ":tenth": tenth }).unwrap();
    // What the migration does for the runs that it finds.
    let migration = include_str!("../../migrations/0006_lists.sql");
    let (_, found) = migration.split_once("INSERT INTO").unwrap();
    conn.execute_batch(&format!("INSERT INTO{found};{MARKS};COMMIT")).unwrap();
}
