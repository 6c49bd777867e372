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
    next_at_ms          INTEGER,            -- when a sweep looks at it; NULL: paused, or fires no more
    seen_at_ms          INTEGER NOT NULL,   -- firings up to here are dealt with
    anchor_ms           INTEGER NOT NULL,   -- what every_ms counts from
    last_run_id         BLOB,               -- not its key: keys of pruned runs are given again
    last_at_ms          INTEGER,            -- the firing that run is for
    skipped             INTEGER NOT NULL,   -- firings without a run, since the run before was open
    error               TEXT,               -- why it cannot fire
    spec                TEXT NOT NULL
) STRICT, WITHOUT ROWID;
-- The next schedule that is due.
CREATE INDEX schedules_next ON sw_workflow_schedules (next_at_ms) WHERE next_at_ms IS NOT NULL;
