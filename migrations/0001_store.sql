-- introduced_version: 0.1.0
--
-- The map of the tables
-- =====================
-- 0001 store     sw_migrations          which numbered steps of this folder the file has seen, with a checksum of each
--                sw_store               one row: who this file is
--                sw_workflow_owners     one row per open store handle that has claimed; an OS lock tells whether it lives
-- 0002 runs      sw_workflow_lanes      where runs queue up: one row per (queue, workflow, code version, owner) ever used
--                sw_workflow_runs       what is to be done and what came of it; written at submit and at the end only
--                sw_payloads            large args, kept apart from the run's row, which is rewritten at its end
--                sw_workflow_tasks      the queue: one small row per OPEN run, deleted when the run ends
--                sw_workflow_attempts   one row per ENDED attempt; the living one stands in its task row
--                sw_workflow_cascades   ended runs whose children are still to be ended
-- 0003 steps     sw_workflow_steps      everything that replays: steps, sleeps, awaits, child submits
--                sw_workflow_signals    what is said to runs, FIFO per name
--                sw_workflow_waits      what waiting tasks wait for
--                sw_workflow_events     the append-only log
-- 0004 budgets   sw_budget_*            limits, reservations, the append-only ledger and its totals
-- 0005 queues    sw_workflow_queues     the limits of queues that have some
--                sw_workflow_gates      how many runs of a concurrency key run
--                sw_workflow_schedules  runs that submit themselves
--
-- A step that has landed is never edited, its checksum stands in users' files: what adds to a table or
-- changes one is the next file.
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
