-- introduced_version: 0.1.0
--
-- Limits of queues, and runs that submit themselves.

-- Only queues that were set have a row.
CREATE TABLE $schema.sw_workflow_queues (
    queue               text COLLATE "C" PRIMARY KEY,
    concurrency         bigint,             -- NULL: no limit
    concurrency_per_key bigint,
    paused              boolean NOT NULL,
    running             bigint NOT NULL
) WITH (fillfactor = 20);

CREATE TABLE $schema.sw_workflow_gates (
    queue               text COLLATE "C" NOT NULL,
    gate                text COLLATE "C" NOT NULL, -- concurrency key
    running             bigint NOT NULL,
    PRIMARY KEY (queue, gate)
) WITH (fillfactor = 50);

CREATE TABLE $schema.sw_workflow_schedules (
    name                text COLLATE "C" PRIMARY KEY,
    next_at_ms          bigint,             -- when a sweep looks at it; NULL: paused, or fires no more
    seen_at_ms          bigint NOT NULL,    -- firings up to here are dealt with
    anchor_ms           bigint NOT NULL,    -- what every_ms counts from
    last_run_id         uuid,
    last_at_ms          bigint,             -- the firing that run is for
    skipped             bigint NOT NULL,    -- firings without a run, since the run before was open
    error               text COLLATE "C",   -- why it cannot fire
    spec                text COLLATE "C" NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX schedules_next ON $schema.sw_workflow_schedules (next_at_ms) WHERE next_at_ms IS NOT NULL;
