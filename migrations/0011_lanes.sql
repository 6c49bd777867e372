-- introduced_version: 0.1.0
--
-- Lanes go with their runs.
--
-- A run and its ledger name the lane of the run's names, which is open to all; its task stands there or in
-- the lane of one owner. So a lane of an owner goes with that owner, and an open one with the last run of
-- it: marks of kind 7 say which blocks have runs of a lane.

INSERT INTO sw_workflow_lanes (queue, workflow, code_version, owner_key, claimed_at_ms)
SELECT queue, workflow, code_version, 0, max(claimed_at_ms)
FROM sw_workflow_lanes
WHERE owner_key <> 0
GROUP BY queue, workflow, code_version
ON CONFLICT (queue, workflow, code_version, owner_key) DO UPDATE
SET claimed_at_ms = max(
    coalesce(claimed_at_ms, excluded.claimed_at_ms), coalesce(excluded.claimed_at_ms, claimed_at_ms)
);

UPDATE sw_workflow_runs
SET lane_key = (
    SELECT t.lane_key
    FROM sw_workflow_lanes AS f
    JOIN sw_workflow_lanes AS t USING (queue, workflow, code_version)
    WHERE f.lane_key = sw_workflow_runs.lane_key AND t.owner_key = 0
)
WHERE lane_key IN (SELECT lane_key FROM sw_workflow_lanes WHERE owner_key <> 0);

UPDATE sw_budget_ledger
SET lane_key = (
    SELECT t.lane_key
    FROM sw_workflow_lanes AS f
    JOIN sw_workflow_lanes AS t USING (queue, workflow, code_version)
    WHERE f.lane_key = sw_budget_ledger.lane_key AND t.owner_key = 0
)
WHERE lane_key IN (SELECT lane_key FROM sw_workflow_lanes WHERE owner_key <> 0);

INSERT INTO sw_budget_totals (root_key, unit, lane_key, label, spent, entries)
SELECT b.root_key, b.unit, t.lane_key, b.label, b.spent, b.entries
FROM sw_budget_totals AS b
JOIN sw_workflow_lanes AS f ON f.lane_key = b.lane_key
JOIN sw_workflow_lanes AS t ON t.queue = f.queue AND t.workflow = f.workflow
    AND t.code_version = f.code_version AND t.owner_key = 0
WHERE f.owner_key <> 0
ON CONFLICT (root_key, unit, lane_key, label) DO UPDATE
SET spent = spent + excluded.spent, entries = entries + excluded.entries;

DELETE FROM sw_budget_totals
WHERE lane_key IN (SELECT lane_key FROM sw_workflow_lanes WHERE owner_key <> 0);

DELETE FROM sw_workflow_lanes
WHERE owner_key < 0
    OR owner_key = 0 AND lane_key NOT IN (SELECT lane_key FROM sw_workflow_runs);

-- Negative were the owners of lanes whose owner was gone.
DROP INDEX lanes_local;
CREATE INDEX lanes_local ON sw_workflow_lanes (owner_key, lane_key) WHERE owner_key <> 0;

INSERT INTO sw_workflow_marks (kind, value, block)
SELECT DISTINCT 7, lane_key, run_key >> 7
FROM sw_workflow_runs;
