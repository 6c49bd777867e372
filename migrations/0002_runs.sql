-- introduced_version: 0.1.0
--
-- What is to be done, where it queues, who does it, and what came of it.

CREATE TABLE sw_workflow_lanes (
    lane_key            INTEGER PRIMARY KEY,
    queue               TEXT NOT NULL,
    workflow            TEXT NOT NULL,
    code_version        TEXT NOT NULL,      -- '' when the submit named none
    owner_key           INTEGER NOT NULL,   -- 0, or the only owner that may claim while it lives; negative once it is gone
    -- No ready task of the lane stands before this place in the order of claims; NULL: none is ready.
    first_priority      INTEGER,
    first_due_at_ms     INTEGER,
    first_task_key      INTEGER
) STRICT;
-- A submit finds its lane, a claim the one whose names it asks for.
CREATE UNIQUE INDEX lanes_by_name ON sw_workflow_lanes (queue, workflow, code_version, owner_key);
-- The lanes that have something ready, in the order of claims: of all, of a workflow, of a version.
CREATE INDEX lanes_first ON sw_workflow_lanes (
    queue, owner_key, first_priority, first_due_at_ms, first_task_key
) WHERE first_task_key IS NOT NULL;
CREATE INDEX lanes_first_of_workflow ON sw_workflow_lanes (
    queue, owner_key, workflow, first_priority, first_due_at_ms, first_task_key
) WHERE first_task_key IS NOT NULL;
CREATE INDEX lanes_first_of_version ON sw_workflow_lanes (
    queue, owner_key, code_version, first_priority, first_due_at_ms, first_task_key
) WHERE first_task_key IS NOT NULL;
-- The lanes of an owner that is gone: what waited in them is moved to the open lane of the same names,
-- and their owner_key becomes negative, so that no claim sees them again. Runs go on to name them.
CREATE INDEX lanes_local ON sw_workflow_lanes (owner_key, lane_key) WHERE owner_key > 0;

CREATE TABLE sw_workflow_runs (
    run_key             INTEGER PRIMARY KEY,
    run_id              BLOB NOT NULL,
    lane_key            INTEGER NOT NULL,
    outcome             INTEGER,            -- NULL open, 1 completed, 2 failed, 3 cancelled, 4 being pruned
    attempts            INTEGER,            -- filled at the end, from the task row
    tries               INTEGER,
    parent_key          INTEGER,
    root_key            INTEGER,            -- NULL: itself
    forked_from         INTEGER,            -- it may await the children that it saw that run submit
    created_at_ms       INTEGER NOT NULL,
    run_at_ms           INTEGER,            -- NULL: created_at_ms
    finished_at_ms      INTEGER,
    priority            INTEGER NOT NULL,
    max_tries           INTEGER,            -- NULL in these five: the default
    timeout_ms          INTEGER,
    backoff_initial_ms  INTEGER,
    backoff_max_ms      INTEGER,
    backoff_percent     INTEGER,
    concurrency_key     TEXT,
    idem_scope          TEXT,
    idem_key            TEXT,
    metadata            TEXT,
    args_key            INTEGER,            -- args stand in sw_payloads
    args                TEXT,
    result              TEXT,
    error               TEXT
) STRICT;
-- The only index over a public id; its bytes grow with time, so inserts are appends.
CREATE UNIQUE INDEX runs_by_id ON sw_workflow_runs (run_id);
-- One run per (scope, key), kept by the file itself.
CREATE UNIQUE INDEX runs_by_idem ON sw_workflow_runs (idem_scope, idem_key) WHERE idem_key IS NOT NULL;
-- Cancelling downwards, and the children in a history.
CREATE INDEX runs_children ON sw_workflow_runs (parent_key, run_key) WHERE parent_key IS NOT NULL;
-- "Is anything alive in this tree", for pruning.
CREATE INDEX runs_tree ON sw_workflow_runs (root_key, outcome, run_key) WHERE root_key IS NOT NULL;
-- The operator's list: failed and cancelled runs.
CREATE INDEX runs_bad ON sw_workflow_runs (outcome, run_key) WHERE outcome > 1;

CREATE TABLE sw_payloads (
    payload_key         INTEGER PRIMARY KEY,
    body                TEXT NOT NULL
) STRICT;

CREATE TABLE sw_workflow_tasks (
    task_key            INTEGER PRIMARY KEY,    -- = run_key
    lane_key            INTEGER NOT NULL,
    state               INTEGER NOT NULL,   -- 0 delayed 1 ready 2 running 3 waiting 4 paused 5 behind another of its gate
    priority            INTEGER NOT NULL,
    due_at_ms           INTEGER NOT NULL,
    wake_at_ms          INTEGER,            -- set when delayed, or waiting with a timer
    deadline_at_ms      INTEGER,            -- the run's time-out
    fence               INTEGER NOT NULL,   -- number of the newest attempt: the fencing token
    failures            INTEGER NOT NULL,   -- tries charged by failures
    losses              INTEGER NOT NULL,   -- attempts lost in a row with nothing recorded between
    flags               INTEGER NOT NULL,   -- 1 cancel asked, 2 timed out, 4 pause asked, 8 local, 16 woken for room
    waits_left          INTEGER NOT NULL,
    owner_key           INTEGER,            -- these five: set while running
    lease_until_up_ms   INTEGER,
    lease_ms            INTEGER,
    claimed_at_ms       INTEGER,
    worker              TEXT,
    token               INTEGER,            -- of the newest claim: two lineages of a store never share one
    version             INTEGER NOT NULL DEFAULT 0, -- counts the writes of this row
    gate                TEXT                -- concurrency key
) STRICT;
-- The claim: the head of each lane in order of priority, due time, submission.
CREATE INDEX tasks_ready ON sw_workflow_tasks (lane_key, priority, due_at_ms, task_key) WHERE state = 1;
-- Lapsed leases of an owner, and all runs of a dead one.
CREATE INDEX tasks_running ON sw_workflow_tasks (owner_key, lease_until_up_ms, task_key) WHERE owner_key IS NOT NULL;
-- Delays, backoffs, sleeps: kept out of the ready index until they are due.
CREATE INDEX tasks_wake ON sw_workflow_tasks (wake_at_ms, task_key) WHERE wake_at_ms IS NOT NULL;
-- Runs whose time-out comes up.
CREATE INDEX tasks_deadline ON sw_workflow_tasks (deadline_at_ms, task_key) WHERE deadline_at_ms IS NOT NULL;
-- Of the tasks of a lane with one gate the first alone is ready, while the gate has room; the others
-- are blocked. Which is ready, which is next, and in which lanes.
CREATE INDEX tasks_open ON sw_workflow_tasks (gate, lane_key, priority, due_at_ms, task_key) WHERE state = 1 AND gate IS NOT NULL;
CREATE INDEX tasks_blocked ON sw_workflow_tasks (gate, lane_key, priority, due_at_ms, task_key) WHERE state = 5;
-- What waits in the lanes of one owner, whatever its state.
CREATE INDEX tasks_local ON sw_workflow_tasks (lane_key, task_key) WHERE flags & 8;

CREATE TABLE sw_workflow_attempts (
    run_key             INTEGER NOT NULL,
    number              INTEGER NOT NULL,
    ended               INTEGER NOT NULL,   -- 1 completed 2 failed 3 failed, tried again 4 released 5 suspended 6 lost 7 cancelled 8 timed out
    worker              TEXT,
    started_at_ms       INTEGER NOT NULL,
    ended_at_ms         INTEGER NOT NULL,
    error               TEXT,               -- unless the run row holds it
    PRIMARY KEY (run_key, number)
) STRICT, WITHOUT ROWID;
-- What an open run failed with last, found without a walk through attempts that ended in order.
CREATE INDEX attempts_failed ON sw_workflow_attempts (run_key, number) WHERE error IS NOT NULL;

-- A cancel or time-out that has not reached all descendants yet: the sweeps of claims go on with it.
CREATE TABLE sw_workflow_cascades (
    run_key             INTEGER PRIMARY KEY,
    after_key           INTEGER NOT NULL    -- children up to this one have been seen to
) STRICT;
