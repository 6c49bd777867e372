-- introduced_version: 0.1.0
--
-- Retention: which ended runs go by themselves, and when the sweeps of claims look for them next.

-- The policy as a document, if there is one.
CREATE TABLE $schema.sw_retention (
    one                 bigint PRIMARY KEY CHECK (one = 1),
    policy              text NOT NULL
);

-- When the next look is; NULL while nothing goes by itself.
ALTER TABLE $schema.sw_store ADD COLUMN retention_next_ms bigint;
-- How far a look has come that takes several transactions; NULL before it begins.
ALTER TABLE $schema.sw_store ADD COLUMN retention_cursor text;
