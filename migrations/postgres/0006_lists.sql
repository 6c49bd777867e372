-- introduced_version: 0.1.0
--
-- Finding runs by what they are. Where SQLite's store keeps marks of blocks of runs, this one has indexes.

CREATE INDEX runs_of_lane ON $schema.sw_workflow_runs (lane_key, run_key);
CREATE INDEX runs_ended ON $schema.sw_workflow_runs (finished_at_ms, run_key) WHERE finished_at_ms IS NOT NULL;
CREATE INDEX runs_created ON $schema.sw_workflow_runs (created_at_ms);
CREATE INDEX tasks_still ON $schema.sw_workflow_tasks (state, task_key, lane_key) WHERE state <> 1 AND state <> 2;
