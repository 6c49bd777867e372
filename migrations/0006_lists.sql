-- introduced_version: 0.1.0
--
-- Finding runs by what they are, among any number, at next to no cost for who submits and ends them.
--
-- A block is 128 runs with keys in a row: run_key >> 7. A mark says that a block has, or once had, a run
-- of some kind; whoever looks for such runs leaps from marked block to marked block and looks at the runs
-- of each. So an index costs an entry per block, and most submits and ends write none.

CREATE TABLE sw_workflow_marks (
    kind                INTEGER NOT NULL,   -- of value: 1 queue 2 workflow 3 code version 4 outcome 5 minute it ended in 6 member of the metadata
    value               ANY NOT NULL,       -- kind 6: '"name":value', '#' and a hash of a long one, '' where a run has too many
    block               INTEGER NOT NULL,
    PRIMARY KEY (kind, value, block)
) STRICT, WITHOUT ROWID;

-- The block of the newest run of a lane: it has the marks of the lane's names.
ALTER TABLE sw_workflow_lanes ADD COLUMN marked_block INTEGER;

-- Runs that were submitted at an earlier time than the one before them: between two of these, times of
-- submission grow with keys, and a time is found by halving.
CREATE TABLE sw_workflow_clock_steps (
    run_key             INTEGER PRIMARY KEY
) STRICT;

-- Open runs that nobody runs and none may claim, in the order of submission. Not asked by a list of
-- states: SQLite would make a table of it at each insert, which was most of what a task's row cost.
CREATE INDEX tasks_still ON sw_workflow_tasks (state, task_key, lane_key) WHERE state <> 1 AND state <> 2;

INSERT INTO sw_workflow_marks (kind, value, block)
SELECT DISTINCT 1, l.queue, r.run_key >> 7
FROM sw_workflow_runs AS r
JOIN sw_workflow_lanes AS l ON l.lane_key = r.lane_key
UNION
SELECT DISTINCT 2, l.workflow, r.run_key >> 7
FROM sw_workflow_runs AS r
JOIN sw_workflow_lanes AS l ON l.lane_key = r.lane_key
UNION
SELECT DISTINCT 3, l.code_version, r.run_key >> 7
FROM sw_workflow_runs AS r
JOIN sw_workflow_lanes AS l ON l.lane_key = r.lane_key
UNION
SELECT DISTINCT 4, outcome, run_key >> 7
FROM sw_workflow_runs
WHERE outcome IS NOT NULL
UNION
SELECT DISTINCT 5, finished_at_ms / 60000, run_key >> 7
FROM sw_workflow_runs
WHERE finished_at_ms IS NOT NULL
UNION
SELECT DISTINCT 6, '', run_key >> 7
FROM sw_workflow_runs
WHERE metadata IS NOT NULL;

INSERT INTO sw_workflow_clock_steps (run_key)
SELECT run_key
FROM (
    SELECT run_key, created_at_ms, lag(created_at_ms) OVER (ORDER BY run_key) AS before_ms
    FROM sw_workflow_runs
)
WHERE created_at_ms < before_ms;
