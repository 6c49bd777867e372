-- introduced_version: 0.1.0
--
-- Limits of queues, and runs that submit themselves.

-- Only queues that were set have a row.
CREATE TABLE sw_workflow_queues (
    queue               TEXT PRIMARY KEY,
    concurrency         INTEGER,            -- NULL: no limit
    concurrency_per_key INTEGER,
    paused              INTEGER NOT NULL,
    running             INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sw_workflow_gates (
    queue               TEXT NOT NULL,
    gate                TEXT NOT NULL,      -- concurrency key
    running             INTEGER NOT NULL,
    PRIMARY KEY (queue, gate)
) STRICT, WITHOUT ROWID;

CREATE TABLE sw_workflow_schedules (
    name                TEXT PRIMARY KEY,
    spec                TEXT NOT NULL,
    next_at_ms          INTEGER,
    last_run_key        INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX schedules_next ON sw_workflow_schedules (next_at_ms) WHERE next_at_ms IS NOT NULL;
