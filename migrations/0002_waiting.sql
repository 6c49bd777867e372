-- introduced_version: 0.1.0
--
-- What runs wait for, what is said to them, and what they say.

CREATE TABLE sw_workflow_signals (
    signal_key          INTEGER PRIMARY KEY,
    run_key             INTEGER NOT NULL,
    name                TEXT NOT NULL,
    idem_key            TEXT,
    consumed_by         INTEGER,            -- step_key of the await that took it
    sent_at_ms          INTEGER NOT NULL,
    payload             TEXT
) STRICT;
-- The oldest message of a name that nobody took.
CREATE INDEX signals_inbox ON sw_workflow_signals (run_key, name, signal_key) WHERE consumed_by IS NULL;
-- Sending twice with one key delivers once; the row stays after it was taken.
CREATE UNIQUE INDEX signals_once ON sw_workflow_signals (run_key, name, idem_key) WHERE idem_key IS NOT NULL;
-- The signals in a history.
CREATE INDEX signals_of_run ON sw_workflow_signals (run_key, signal_key);

CREATE TABLE sw_workflow_waits (
    kind                INTEGER NOT NULL,   -- 1 end of a child, 2 signal, 3 budget
    target_key          INTEGER NOT NULL,   -- run that ends, run that is signalled, root that pays
    name                TEXT NOT NULL,      -- '' for children, signal name, budget unit
    task_key            INTEGER NOT NULL,   -- who waits
    amount              INTEGER NOT NULL,   -- 1: counts down waits_left; else 0, or what a budget owes
    PRIMARY KEY (kind, target_key, name, task_key)
) STRICT, WITHOUT ROWID;
-- Dropping all waits of a task that wakes or ends.
CREATE INDEX waits_of_task ON sw_workflow_waits (task_key);

-- A cancel or time-out that has not reached all descendants yet: the sweeps of claims go on with it.
CREATE TABLE sw_workflow_cascades (
    run_key             INTEGER PRIMARY KEY,
    after_key           INTEGER NOT NULL    -- children up to this one have been seen to
) STRICT;

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
