-- introduced_version: 0.1.0
--
-- What an open run failed with last, found without a walk through attempts that ended in order.

CREATE INDEX attempts_failed ON sw_workflow_attempts (run_key, number) WHERE error IS NOT NULL;
