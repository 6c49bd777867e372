-- introduced_version: 0.1.0
--
-- Lanes go with their runs: an open one with the last run that names it, of which runs_of_lane tells, and
-- one of an owner with that owner. SQLite's store had others to mend; this one never had.

CREATE INDEX ledger_of_lane ON $schema.sw_budget_ledger (lane_key);
CREATE INDEX tasks_of_lane ON $schema.sw_workflow_tasks (lane_key, task_key);
