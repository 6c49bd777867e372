-- introduced_version: 0.1.0
--
-- What is to be done, where it queues, who does it, and what came of it.

CREATE TABLE $schema.sw_workflow_lanes (
    lane_key            bigint PRIMARY KEY,
    queue               text COLLATE "C" NOT NULL,
    workflow            text COLLATE "C" NOT NULL,
    code_version        text COLLATE "C" NOT NULL,  -- '' when the submit named none
    owner_key           bigint NOT NULL             -- 0, or the only owner that may claim while it lives
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX lanes_by_name ON $schema.sw_workflow_lanes (queue, workflow, code_version, owner_key);
CREATE INDEX lanes_local ON $schema.sw_workflow_lanes (owner_key, lane_key) WHERE owner_key <> 0;

CREATE TABLE $schema.sw_workflow_runs (
    run_key             bigint PRIMARY KEY,
    run_id              uuid NOT NULL,
    lane_key            bigint NOT NULL,
    outcome             bigint,             -- NULL open, 1 completed, 2 failed, 3 cancelled, 4 being pruned
    attempts            bigint,             -- filled at the end, from the task row
    tries               bigint,
    parent_key          bigint,
    root_key            bigint,             -- NULL: itself
    forked_from         bigint,             -- it may await the children that it saw that run submit
    created_at_ms       bigint NOT NULL,
    run_at_ms           bigint,             -- NULL: created_at_ms
    finished_at_ms      bigint,
    priority            bigint NOT NULL,
    max_tries           bigint,             -- NULL in these five: the default
    timeout_ms          bigint,
    backoff_initial_ms  bigint,
    backoff_max_ms      bigint,
    backoff_percent     bigint,
    concurrency_key     text COLLATE "C",
    idem_scope          text COLLATE "C",
    idem_key            text COLLATE "C",
    metadata            text COLLATE "C",
    args                text COLLATE "C",
    result              text COLLATE "C",
    error               text COLLATE "C"
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX runs_by_id ON $schema.sw_workflow_runs (run_id);
CREATE UNIQUE INDEX runs_by_idem ON $schema.sw_workflow_runs (idem_scope, idem_key) WHERE idem_key IS NOT NULL;
CREATE INDEX runs_children ON $schema.sw_workflow_runs (parent_key, run_key) WHERE parent_key IS NOT NULL;
CREATE INDEX runs_tree ON $schema.sw_workflow_runs (root_key, outcome, run_key) WHERE root_key IS NOT NULL;
CREATE INDEX runs_bad ON $schema.sw_workflow_runs (outcome, run_key) WHERE outcome > 1;

CREATE TABLE $schema.sw_workflow_tasks (
    task_key            bigint PRIMARY KEY, -- = run_key
    lane_key            bigint NOT NULL,
    state               bigint NOT NULL,    -- 0 delayed 1 ready 2 running 3 waiting 4 paused 5 behind another of its gate
    priority            bigint NOT NULL,
    due_at_ms           bigint NOT NULL,
    wake_at_ms          bigint,             -- set when delayed, or waiting with a timer
    deadline_at_ms      bigint,             -- the run's time-out
    fence               bigint NOT NULL,    -- number of the newest attempt: the fencing token
    failures            bigint NOT NULL,    -- tries charged by failures
    losses              bigint NOT NULL,    -- attempts lost in a row with nothing recorded between
    flags               bigint NOT NULL,    -- 1 cancel asked, 2 timed out, 4 pause asked, 8 local, 16 woken for room
    waits_left          bigint NOT NULL,
    owner_key           bigint,             -- these five: set while running
    lease_until_ms      bigint,
    lease_ms            bigint,
    claimed_at_ms       bigint,
    worker              text COLLATE "C",
    token               bigint,             -- of the newest claim: two lineages of a store never share one
    version             bigint NOT NULL DEFAULT 0, -- counts the writes of this row
    gate                text COLLATE "C"    -- concurrency key
) WITH (
    fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500,
    autovacuum_vacuum_cost_delay = 0
);
CREATE INDEX tasks_ready ON $schema.sw_workflow_tasks (lane_key, priority, due_at_ms, task_key) WHERE state = 1;
CREATE INDEX tasks_running ON $schema.sw_workflow_tasks (owner_key, task_key) WHERE owner_key IS NOT NULL;
-- Lapsed leases, whoever holds them.
CREATE INDEX tasks_leased ON $schema.sw_workflow_tasks (lease_until_ms, task_key) WHERE owner_key IS NOT NULL;
CREATE INDEX tasks_wake ON $schema.sw_workflow_tasks (wake_at_ms, task_key) WHERE wake_at_ms IS NOT NULL;
CREATE INDEX tasks_deadline ON $schema.sw_workflow_tasks (deadline_at_ms, task_key) WHERE deadline_at_ms IS NOT NULL;
CREATE INDEX tasks_open ON $schema.sw_workflow_tasks (gate, lane_key, priority, due_at_ms, task_key) WHERE state = 1 AND gate IS NOT NULL;
CREATE INDEX tasks_blocked ON $schema.sw_workflow_tasks (gate, lane_key, priority, due_at_ms, task_key) WHERE state = 5;
CREATE INDEX tasks_local ON $schema.sw_workflow_tasks (lane_key, task_key) WHERE (flags & 8) <> 0;

CREATE TABLE $schema.sw_workflow_attempts (
    run_key             bigint NOT NULL,
    number              bigint NOT NULL,
    ended               bigint NOT NULL,    -- 1 completed 2 failed 3 failed, tried again 4 released 5 suspended 6 lost 7 cancelled 8 timed out
    worker              text COLLATE "C",
    started_at_ms       bigint NOT NULL,
    ended_at_ms         bigint NOT NULL,
    error               text COLLATE "C",   -- unless the run row holds it
    PRIMARY KEY (run_key, number)
);
CREATE INDEX attempts_failed ON $schema.sw_workflow_attempts (run_key, number) WHERE error IS NOT NULL;

-- A cancel or time-out that has not reached all descendants yet: the sweeps of claims go on with it.
CREATE TABLE $schema.sw_workflow_cascades (
    run_key             bigint PRIMARY KEY,
    after_key           bigint NOT NULL     -- children up to this one have been seen to
);
