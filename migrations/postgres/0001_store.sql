-- introduced_version: 0.1.0
--
-- The same steps as those of SQLite's in the folder above, by the same numbers, in PostgreSQL's form.
-- What differs:
--
-- * One schema per store; a statement names it, nothing trusts search_path. `$schema` stands for it.
-- * Keys of runs, lanes and owners are made by whoever writes the row (milliseconds of the server and a
--   counter); those of steps and signals, whose order counts, and of reservations and entries by the server.
-- * Names and keys are text COLLATE "C": SQLite's order, and no index that a new C library breaks.
-- * Payloads are text where they are: the server keeps long ones apart and packs them itself.
-- * An owner is known by its 32 bytes, of which the backend knows the meaning.

CREATE TABLE $schema.sw_migrations (
    id                  bigint PRIMARY KEY,
    introduced_version  text NOT NULL,
    applied_time        bigint NOT NULL,
    checksum            bytea NOT NULL
);

CREATE TABLE $schema.sw_store (
    one                 bigint PRIMARY KEY CHECK (one = 1),
    store_id            bytea NOT NULL,
    lineage             bigint NOT NULL,
    created_at_ms       bigint NOT NULL,
    clock_ms            bigint NOT NULL     -- where a manual clock was last advanced to
) WITH (fillfactor = 50);

CREATE TABLE $schema.sw_workflow_owners (
    owner_key           bigint PRIMARY KEY,
    owner_id            bytea NOT NULL UNIQUE,
    opened_at_ms        bigint NOT NULL
);
