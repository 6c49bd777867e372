-- introduced_version: 0.1.0
--
-- Where a forked run comes from, and lanes that are for one owner alone.

-- The run that it was forked from: it may await the children that it saw that run submit.
ALTER TABLE sw_workflow_runs ADD COLUMN forked_from INTEGER;

-- The lanes of an owner that is gone: what waited in them is moved to the open lane of the same names,
-- and their owner_key becomes negative, so that no claim sees them again. Runs go on to name them.
CREATE INDEX lanes_local ON sw_workflow_lanes (owner_key, lane_key) WHERE owner_key > 0;
-- What waits in such a lane, whatever its state (flag 8).
CREATE INDEX tasks_local ON sw_workflow_tasks (lane_key, task_key) WHERE flags >= 8;
