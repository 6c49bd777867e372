-- introduced_version: 0.1.0
--
-- The map of the tables
-- =====================
-- sw_migrations          which numbered steps of this folder the file has seen, with a checksum of each
-- sw_store               one row: who this file is
-- sw_workflow_owners     one row per open store handle that has claimed; an OS lock tells whether it lives
-- sw_workflow_lanes      where runs queue up: one row per (queue, workflow, code version, owner) ever used
-- sw_workflow_runs       what is to be done and what came of it; written at submit and at the end only
-- sw_workflow_tasks      the queue: one small row per OPEN run, deleted when the run ends
-- sw_workflow_attempts   one row per ENDED attempt; the living one stands in its task row
-- sw_workflow_steps      everything that replays: steps, sleeps, awaits, child submits
-- sw_payloads            large args, kept apart from the run's row, which is rewritten at its end
-- sw_workflow_signals    messages to runs, FIFO per name                              (0002)
-- sw_workflow_waits      what waiting tasks wait for                                  (0002)
-- sw_workflow_cascades   ended runs whose children are still to be ended              (0002)
-- sw_workflow_events     the append-only log                                          (0002)
-- sw_budget_*            limits, reservations, the append-only ledger and its totals  (0003)
-- sw_workflow_queues, _gates, _schedules   limits of queues, and what fires by itself (0004)
--
-- Rules of the shape
-- ------------------
-- * Keys inside are growing integers, so that inserts land in the last leaf. A public id stands in one
--   column at most (runs); the ids of steps, attempts and tasks are computed from what the row holds.
-- * A run is in one place: outcome IS NULL and a task row, or an outcome and no task row. So the queue
--   holds open runs alone, and a claim costs the same whatever has finished.
-- * Payload columns stand last, so that reading the others never walks an overflow chain.
-- * A partial index is used only when the query repeats its predicate to the letter.
-- * No foreign keys between these tables: each would cost a look-up per insert on the hot path. What
--   they would promise, sw_store_check verifies.
-- * Times are Unix milliseconds; columns with _up_ are milliseconds the machine was awake.

CREATE TABLE sw_migrations (
    id                  INTEGER PRIMARY KEY,
    introduced_version  TEXT NOT NULL,
    applied_time        INTEGER NOT NULL,
    checksum            BLOB NOT NULL
) STRICT;

CREATE TABLE sw_store (
    one                 INTEGER PRIMARY KEY CHECK (one = 1),
    store_id            BLOB NOT NULL,
    lineage             INTEGER NOT NULL,
    created_at_ms       INTEGER NOT NULL,
    clock_ms            INTEGER NOT NULL    -- where a manual clock was last advanced to
) STRICT;

-- AUTOINCREMENT: a key is never given twice, so that a lane or lease of a gone owner stays gone.
CREATE TABLE sw_workflow_owners (
    owner_key           INTEGER PRIMARY KEY AUTOINCREMENT,
    mark                INTEGER NOT NULL,   -- which byte of the side file its lock is on
    boot                BLOB NOT NULL,      -- boot of the machine: leases of another boot are lost
    pid                 INTEGER NOT NULL,
    opened_at_ms        INTEGER NOT NULL
) STRICT;

CREATE TABLE sw_workflow_lanes (
    lane_key            INTEGER PRIMARY KEY,
    queue               TEXT NOT NULL,
    workflow            TEXT NOT NULL,
    code_version        TEXT NOT NULL,      -- '' when the submit named none
    owner_key           INTEGER NOT NULL,   -- 0, or the only owner that may claim while it lives
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

CREATE TABLE sw_workflow_runs (
    run_key             INTEGER PRIMARY KEY,
    run_id              BLOB NOT NULL,
    lane_key            INTEGER NOT NULL,
    outcome             INTEGER,            -- NULL open, 1 completed, 2 failed, 3 cancelled, 4 being pruned
    attempts            INTEGER,            -- filled at the end, from the task row
    tries               INTEGER,
    parent_key          INTEGER,
    root_key            INTEGER,            -- NULL: itself
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
    flags               INTEGER NOT NULL,   -- 1 cancel asked, 2 timed out, 4 pause asked
    waits_left          INTEGER NOT NULL,
    owner_key           INTEGER,            -- these five: set while running
    lease_until_up_ms   INTEGER,
    lease_ms            INTEGER,
    claimed_at_ms       INTEGER,
    worker              TEXT,
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

-- Appended, with uniqueness kept by the file: a result is recorded once (P16). Rows of one run lie
-- together as far as it ran alone; a table clustered by run costs twice as many pages per commit.
CREATE TABLE sw_workflow_steps (
    step_key            INTEGER PRIMARY KEY,
    run_key             INTEGER NOT NULL,
    kind                INTEGER NOT NULL,   -- 0 step 1 sleep 2 await 3 child submit: four name spaces
    name                TEXT NOT NULL,
    occurrence          INTEGER NOT NULL,
    state               INTEGER NOT NULL,   -- 1 started (tracked) 2 done 3 failed for good 4 backs off 5 timed out 6 asked
    tries               INTEGER NOT NULL,
    retry_at_ms         INTEGER,            -- state 4: the next try; state 6: the time-out
    label               TEXT,
    input_hash          BLOB,
    started_at_ms       INTEGER NOT NULL,
    took_ms             INTEGER NOT NULL,
    error               TEXT,
    result              TEXT
) STRICT;
CREATE UNIQUE INDEX steps_of_run ON sw_workflow_steps (run_key, kind, name, occurrence);

CREATE TABLE sw_payloads (
    payload_key         INTEGER PRIMARY KEY,
    body                TEXT NOT NULL
) STRICT;
