-- introduced_version: 0.1.0
--
-- Retention: which ended runs go by themselves, and when the sweeps of claims look for them next.

-- The policy as a document, if there is one. Apart from sw_store, whose row each look writes.
CREATE TABLE sw_retention (
    one                 INTEGER PRIMARY KEY CHECK (one = 1),
    policy              TEXT NOT NULL
) STRICT;

-- When the next look is; NULL while nothing goes by itself. A claim reads it with what else it reads of that row.
ALTER TABLE sw_store ADD COLUMN retention_next_ms INTEGER;
-- How far a look has come that takes several transactions; NULL before it begins.
ALTER TABLE sw_store ADD COLUMN retention_cursor TEXT;
