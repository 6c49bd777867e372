-- introduced_version: 0.1.0
--
-- What a run has done and replays, what it waits for, what is said to it, and what it says.

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

CREATE TABLE sw_workflow_signals (
    signal_key          INTEGER PRIMARY KEY,
    run_key             INTEGER NOT NULL,
    name                TEXT NOT NULL,
    idem_key            TEXT,
    consumed_by         INTEGER,            -- step_key of the await that took it
    sent_at_ms          INTEGER NOT NULL,
    payload             TEXT
) STRICT;
-- The oldest signal of a name that nobody took.
CREATE INDEX signals_inbox ON sw_workflow_signals (run_key, name, signal_key) WHERE consumed_by IS NULL;
-- Sending twice with one key delivers once; the row stays after it was taken.
CREATE UNIQUE INDEX signals_once ON sw_workflow_signals (run_key, name, idem_key) WHERE idem_key IS NOT NULL;
-- The signals in a history.
CREATE INDEX signals_of_run ON sw_workflow_signals (run_key, signal_key);

CREATE TABLE sw_workflow_waits (
    kind                INTEGER NOT NULL,   -- 1 end of a child, 2 signal, 3 budget, 4 moment
    target_key          INTEGER NOT NULL,   -- run that ends, run that is signalled, root that pays, ms
    name                TEXT NOT NULL,      -- '' for children, signal name, budget unit
    task_key            INTEGER NOT NULL,   -- who waits
    amount              INTEGER NOT NULL,   -- so many of it must still come, 0: none is counted; of a budget what it lacks
    PRIMARY KEY (kind, target_key, name, task_key)
) STRICT, WITHOUT ROWID;
-- Dropping all waits of a task that wakes or ends.
CREATE INDEX waits_of_task ON sw_workflow_waits (task_key);
-- Who waits for room in a budget, the smallest ask first.
CREATE INDEX waits_room ON sw_workflow_waits (target_key, name, amount, task_key) WHERE kind = 3;

-- seq is max + 1 inside the writer's transaction: commit order, without gaps.
CREATE TABLE sw_workflow_events (
    seq                 INTEGER PRIMARY KEY,
    run_key             INTEGER NOT NULL,
    type                TEXT NOT NULL,
    idem_key            TEXT,
    at_ms               INTEGER NOT NULL,
    payload             TEXT
) STRICT;
CREATE INDEX events_of_run ON sw_workflow_events (run_key, seq);
-- One event per (run, key).
CREATE UNIQUE INDEX events_once ON sw_workflow_events (run_key, idem_key) WHERE idem_key IS NOT NULL;
