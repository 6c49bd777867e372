-- introduced_version: 0.1.0
--
-- Pruning. A tree that is being pruned has outcome 4 at its root from the first moment, and is gone for
-- every look by that; its rows go a bounded part at a time, the root's own last.

-- Pruned runs that the log still names: it loses events from its oldest end alone.
CREATE TABLE $schema.sw_workflow_gone (
    run_key             bigint PRIMARY KEY,
    run_id              uuid NOT NULL
);

-- What was forked from a run: while such a run lives it may await that one's children, which stay.
CREATE INDEX runs_forked ON $schema.sw_workflow_runs (forked_from, run_key) WHERE forked_from IS NOT NULL;
