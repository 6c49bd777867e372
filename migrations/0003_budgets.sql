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
    PRIMARY KEY (root_key, unit)
) STRICT, WITHOUT ROWID;

CREATE TABLE sw_budget_reservations (
    reservation_key     INTEGER PRIMARY KEY,
    salt                INTEGER NOT NULL,
    root_key            INTEGER NOT NULL,
    run_key             INTEGER NOT NULL,
    fence               INTEGER NOT NULL,
    unit                TEXT NOT NULL,
    amount              INTEGER NOT NULL,
    state               INTEGER NOT NULL,   -- 0 open 1 settled 2 given back 3 charged by the store
    source              TEXT,
    at_ms               INTEGER NOT NULL
) STRICT;
-- What an ending attempt leaves behind.
CREATE INDEX reservations_open ON sw_budget_reservations (run_key) WHERE state = 0;

CREATE TABLE sw_budget_ledger (
    entry_key           INTEGER PRIMARY KEY,
    root_key            INTEGER NOT NULL,
    source_type         INTEGER NOT NULL,   -- 1 reservation 2 step usage
    source_key          INTEGER NOT NULL,
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
