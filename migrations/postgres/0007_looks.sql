-- introduced_version: 0.1.0
--
-- What an operator asks: who claims what.

-- When a run of the lane was last claimed; up to a second behind, so that a busy lane is seldom written.
ALTER TABLE $schema.sw_workflow_lanes ADD COLUMN claimed_at_ms bigint;
