-- introduced_version: 0.1.0
--
-- Reservations of several units in one call, on steps; warnings; waking those who wait for room.

ALTER TABLE sw_budget_balances ADD COLUMN is_warned INTEGER NOT NULL DEFAULT 0;
-- Set while room is left that more parked runs would fit into than were woken at once.
ALTER TABLE sw_budget_balances ADD COLUMN wake_at_ms INTEGER;
CREATE INDEX balances_wake ON sw_budget_balances (wake_at_ms) WHERE wake_at_ms IS NOT NULL;

-- One call is one row per unit, with keys in a row: `units` of them, this one at `place`, from 0.
-- state: 0 open 1 settled 2 given back 3 assumed spent 4 settled with its step 5 corrected.
ALTER TABLE sw_budget_reservations ADD COLUMN units INTEGER NOT NULL DEFAULT 1;
ALTER TABLE sw_budget_reservations ADD COLUMN place INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sw_budget_reservations ADD COLUMN label TEXT NOT NULL DEFAULT '';
ALTER TABLE sw_budget_reservations ADD COLUMN step_name TEXT;
ALTER TABLE sw_budget_reservations ADD COLUMN step_occurrence INTEGER;
-- One reservation per source and attempt (source stands at place 0); what a run has reserved.
CREATE UNIQUE INDEX reservations_of_run ON sw_budget_reservations (run_key, fence, source);

-- source_type of the ledger: 1 reservation settled, 2 usage of a step, 3 reservation assumed spent,
-- 4 correction of what was assumed. source_key: the reservation's key at place 0, or the step's.

-- Who waits for room in a budget, the smallest ask first.
CREATE INDEX waits_room ON sw_workflow_waits (target_key, name, amount, task_key) WHERE kind = 3;
