-- introduced_version: 0.1.0
--
-- What a tree of runs may spend, and what it spent. A balance is kept in the transaction that changes
-- it, so that a reserve costs the same with a million entries in the ledger.

CREATE TABLE sw_budget_balances (
    root_key            INTEGER NOT NULL,
    unit                TEXT NOT NULL,
    limit_amount        INTEGER,            -- NULL: metered only
    warn_amount         INTEGER,
    reserved            INTEGER NOT NULL,
    spent               INTEGER NOT NULL,
    is_warned           INTEGER NOT NULL DEFAULT 0,
    wake_at_ms          INTEGER,            -- set while room is left that more parked runs would fit into than were woken
    PRIMARY KEY (root_key, unit)
) STRICT, WITHOUT ROWID;
-- Where more of those who wait for room are to be woken.
CREATE INDEX balances_wake ON sw_budget_balances (wake_at_ms) WHERE wake_at_ms IS NOT NULL;

-- One call is one row per unit, with keys in a row.
CREATE TABLE sw_budget_reservations (
    reservation_key     INTEGER PRIMARY KEY,
    salt                INTEGER NOT NULL,
    root_key            INTEGER NOT NULL,
    run_key             INTEGER NOT NULL,
    fence               INTEGER NOT NULL,
    unit                TEXT NOT NULL,
    amount              INTEGER NOT NULL,
    state               INTEGER NOT NULL,   -- 0 open 1 settled 2 given back 3 assumed spent 4 settled with its step 5 corrected
    source              TEXT,
    at_ms               INTEGER NOT NULL,
    units               INTEGER NOT NULL,   -- how many rows the call made
    place               INTEGER NOT NULL,   -- which of them this is, from 0
    label               TEXT NOT NULL,
    step_name           TEXT,
    step_occurrence     INTEGER
) STRICT;
-- What an ending attempt leaves behind.
CREATE INDEX reservations_open ON sw_budget_reservations (run_key) WHERE state = 0;
-- One reservation per source and attempt (source stands at place 0); what a run has reserved.
CREATE UNIQUE INDEX reservations_of_run ON sw_budget_reservations (run_key, fence, source);

CREATE TABLE sw_budget_ledger (
    entry_key           INTEGER PRIMARY KEY,
    root_key            INTEGER NOT NULL,
    source_type         INTEGER NOT NULL,   -- 1 reservation settled 2 usage of a step 3 reservation assumed spent 4 correction
    source_key          INTEGER NOT NULL,   -- the reservation's at place 0, or the step's
    unit                TEXT NOT NULL,
    run_key             INTEGER NOT NULL,
    lane_key            INTEGER NOT NULL,
    label               TEXT NOT NULL,
    amount              INTEGER NOT NULL,
    at_ms               INTEGER NOT NULL
) STRICT;
-- An entry is written once per source and unit.
CREATE UNIQUE INDEX ledger_once ON sw_budget_ledger (root_key, source_type, source_key, unit);

CREATE TABLE sw_budget_totals (
    root_key            INTEGER NOT NULL,
    unit                TEXT NOT NULL,
    lane_key            INTEGER NOT NULL,
    label               TEXT NOT NULL,
    spent               INTEGER NOT NULL,
    entries             INTEGER NOT NULL,
    PRIMARY KEY (root_key, unit, lane_key, label)
) STRICT, WITHOUT ROWID;
