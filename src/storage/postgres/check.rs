//! What `sw_store_check` verifies: sums, counts, and the keys that no foreign key holds.
//!
//! These statements read whole tables on purpose, so they are not in the list whose plans are tested;
//! each returns one text per fault and ends at a LIMIT. The pages are the server's to check: amcheck and
//! its checksums do.

use super::tx::Tx;
use super::value::Row;
use crate::domain::port::{CheckPort, Fault};
use crate::error::Result;
use crate::json;

/// Name of the check, and the statement that finds its faults.
const CHECKS: [(&str, &str); 26] = [
    (
        "ledger",
        "
SELECT 'balance of root ' || b.root_key || ', unit ' || quote_literal(b.unit) || ': spent is ' || b.spent
    || ', the ledger says otherwise'
FROM $schema.sw_budget_balances AS b
LEFT JOIN (
    SELECT root_key, unit, sum(amount) AS sum
    FROM $schema.sw_budget_ledger
    GROUP BY root_key, unit
) AS s ON s.root_key = b.root_key AND s.unit = b.unit
WHERE coalesce(s.sum, 0) <> b.spent
LIMIT $1",
    ),
    (
        "ledger",
        "
SELECT 'entry ' || l.entry_key || ' has no balance'
FROM $schema.sw_budget_ledger AS l
WHERE NOT EXISTS (
    SELECT 1 FROM $schema.sw_budget_balances AS b WHERE b.root_key = l.root_key AND b.unit = l.unit
) AND NOT EXISTS (
    SELECT 1 FROM $schema.sw_workflow_runs AS r WHERE r.run_key = l.root_key AND r.outcome = 4
)
LIMIT $1",
    ),
    (
        "totals",
        "
SELECT 'totals of root ' || coalesce(t.root_key, s.root_key) || ', unit '
    || quote_literal(coalesce(t.unit, s.unit)) || ' are not the sums of the ledger'
FROM $schema.sw_budget_totals AS t
FULL JOIN (
    SELECT root_key, unit, lane_key, label, sum(amount) AS sum, count(*) AS entries
    FROM $schema.sw_budget_ledger
    GROUP BY root_key, unit, lane_key, label
) AS s ON s.root_key = t.root_key AND s.unit = t.unit AND s.lane_key = t.lane_key
    AND s.label = t.label
WHERE (
    t.spent IS NULL OR s.entries IS DISTINCT FROM t.entries
    OR s.sum <> t.spent
) AND NOT EXISTS (
    SELECT 1
    FROM $schema.sw_workflow_runs AS r
    WHERE r.run_key = coalesce(t.root_key, s.root_key) AND r.outcome = 4
)
LIMIT $1",
    ),
    (
        "reserved",
        "
SELECT 'balance of root ' || coalesce(b.root_key, s.root_key) || ', unit '
    || quote_literal(coalesce(b.unit, s.unit)) || ': reserved is ' || coalesce(b.reserved, 0)
    || ', open reservations say otherwise'
FROM $schema.sw_budget_balances AS b
FULL JOIN (
    SELECT root_key, unit, sum(amount) AS sum
    FROM $schema.sw_budget_reservations
    WHERE state = 0
    GROUP BY root_key, unit
) AS s ON s.root_key = b.root_key AND s.unit = b.unit
WHERE coalesce(s.sum, 0) <> coalesce(b.reserved, 0)
LIMIT $1",
    ),
    (
        "open reservations",
        "
SELECT 'reservation ' || v.reservation_key || ' is open, its attempt is not'
FROM $schema.sw_budget_reservations AS v
WHERE v.state = 0 AND NOT EXISTS (
    SELECT 1
    FROM $schema.sw_workflow_tasks AS t
    WHERE t.task_key = v.run_key AND t.fence = v.fence AND t.state = 2
)
LIMIT $1",
    ),
    (
        "one place",
        "
SELECT 'run ' || r.run_key || ' is open and has no task'
FROM $schema.sw_workflow_runs AS r
WHERE r.outcome IS NULL
    AND NOT EXISTS (SELECT 1 FROM $schema.sw_workflow_tasks AS t WHERE t.task_key = r.run_key)
LIMIT $1",
    ),
    (
        "one place",
        "
SELECT 'run ' || r.run_key || ' has ended and has a task'
FROM $schema.sw_workflow_runs AS r
JOIN $schema.sw_workflow_tasks AS t ON t.task_key = r.run_key
WHERE r.outcome IS NOT NULL
LIMIT $1",
    ),
    (
        "task",
        "
SELECT 'task ' || t.task_key || ' has no run'
FROM $schema.sw_workflow_tasks AS t
WHERE NOT EXISTS (SELECT 1 FROM $schema.sw_workflow_runs AS r WHERE r.run_key = t.task_key)
LIMIT $1",
    ),
    (
        "task",
        "
SELECT 'task ' || t.task_key || ' runs without an owner, or has one and does not run'
FROM $schema.sw_workflow_tasks AS t
WHERE (t.state = 2) <> (t.owner_key IS NOT NULL)
    OR t.owner_key IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM $schema.sw_workflow_owners AS o WHERE o.owner_key = t.owner_key)
LIMIT $1",
    ),
    (
        "lane",
        "
SELECT 'run ' || r.run_key || ' names no lane that is open to all, or its task has none'
FROM $schema.sw_workflow_runs AS r
LEFT JOIN $schema.sw_workflow_tasks AS t ON t.task_key = r.run_key
WHERE NOT EXISTS (
        SELECT 1 FROM $schema.sw_workflow_lanes AS l WHERE l.lane_key = r.lane_key AND l.owner_key = 0
    )
    OR t.lane_key IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM $schema.sw_workflow_lanes AS l WHERE l.lane_key = t.lane_key)
LIMIT $1",
    ),
    (
        "lane",
        "
SELECT 'lane ' || lane_key || ' is there without a run'
FROM $schema.sw_workflow_lanes
WHERE owner_key = 0 AND lane_key NOT IN (SELECT lane_key FROM $schema.sw_workflow_runs)
LIMIT $1",
    ),
    (
        "gate",
        "
SELECT 'runs of lane ' || lane_key || ' are ready side by side behind key ' || quote_literal(gate)
FROM $schema.sw_workflow_tasks
WHERE state = 1 AND gate IS NOT NULL
GROUP BY lane_key, gate
HAVING count(*) > 1
LIMIT $1",
    ),
    (
        "gate",
        "
SELECT 'run ' || t.task_key || ' is held back behind a key whose runs all wait'
FROM $schema.sw_workflow_tasks AS t
JOIN $schema.sw_workflow_lanes AS l ON l.lane_key = t.lane_key
WHERE t.state = 5
    AND NOT EXISTS (
        SELECT 1 FROM $schema.sw_workflow_gates AS g
        WHERE g.queue = l.queue AND g.gate = t.gate AND g.running > 0
    )
    AND NOT EXISTS (
        SELECT 1 FROM $schema.sw_workflow_tasks AS r
        WHERE r.gate = t.gate AND r.lane_key = t.lane_key AND r.state = 1 AND r.gate IS NOT NULL
    )
LIMIT $1",
    ),
    (
        "tree",
        "
SELECT 'run ' || r.run_key || ' has a parent or root that is not there'
FROM $schema.sw_workflow_runs AS r
WHERE r.parent_key IS NOT NULL
        AND NOT EXISTS (
            SELECT 1
            FROM $schema.sw_workflow_runs AS p
            WHERE p.run_key = r.parent_key OR p.run_key = r.root_key AND p.outcome = 4
        )
    OR r.root_key IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM $schema.sw_workflow_runs AS p WHERE p.run_key = r.root_key)
    OR (r.parent_key IS NULL) <> (r.root_key IS NULL)
LIMIT $1",
    ),
    (
        "attempt",
        "
SELECT 'attempt ' || a.number || ' is of run ' || a.run_key || ', which is not there'
FROM $schema.sw_workflow_attempts AS a
WHERE NOT EXISTS (SELECT 1 FROM $schema.sw_workflow_runs AS r WHERE r.run_key = a.run_key)
LIMIT $1",
    ),
    (
        "attempt",
        "
SELECT 'attempt ' || a.number || ' of run ' || a.run_key || ' is above its fence'
FROM $schema.sw_workflow_attempts AS a
JOIN $schema.sw_workflow_tasks AS t ON t.task_key = a.run_key
WHERE a.number > t.fence
LIMIT $1",
    ),
    (
        "step",
        "
SELECT 'step ' || s.step_key || ' is of run ' || s.run_key || ', which is not there'
FROM $schema.sw_workflow_steps AS s
WHERE NOT EXISTS (SELECT 1 FROM $schema.sw_workflow_runs AS r WHERE r.run_key = s.run_key)
LIMIT $1",
    ),
    (
        "signal",
        "
SELECT 'signal ' || s.signal_key || ' is of run ' || s.run_key || ', which is not there'
FROM $schema.sw_workflow_signals AS s
WHERE NOT EXISTS (SELECT 1 FROM $schema.sw_workflow_runs AS r WHERE r.run_key = s.run_key)
LIMIT $1",
    ),
    (
        "event",
        "
SELECT 'event ' || e.seq || ' is of run ' || e.run_key || ', which is not there'
FROM $schema.sw_workflow_events AS e
WHERE NOT EXISTS (SELECT 1 FROM $schema.sw_workflow_runs AS r WHERE r.run_key = e.run_key)
    AND NOT EXISTS (SELECT 1 FROM $schema.sw_workflow_gone AS g WHERE g.run_key = e.run_key)
LIMIT $1",
    ),
    (
        "pruned",
        "
SELECT 'run ' || r.run_key || ' is being pruned and is no root, or a run of its tree lives'
FROM $schema.sw_workflow_runs AS r
WHERE r.outcome = 4 AND (
    r.parent_key IS NOT NULL OR EXISTS (
        SELECT 1 FROM $schema.sw_workflow_runs AS m WHERE m.root_key = r.run_key AND m.outcome IS NULL
    )
)
LIMIT $1",
    ),
    (
        "pruned",
        "
SELECT 'run ' || g.run_key || ' is noted as pruned and is there, or no event is of it'
FROM $schema.sw_workflow_gone AS g
WHERE NOT EXISTS (SELECT 1 FROM $schema.sw_workflow_events AS e WHERE e.run_key = g.run_key)
    OR EXISTS (
        SELECT 1 FROM $schema.sw_workflow_runs AS r WHERE r.run_key = g.run_key AND r.outcome IS DISTINCT FROM 4
    )
LIMIT $1",
    ),
    (
        "pruned",
        "
SELECT 'run ' || f.run_key || ' lives and was forked from run ' || f.forked_from
    || ', which is being pruned'
FROM $schema.sw_workflow_runs AS f
JOIN $schema.sw_workflow_runs AS r ON r.run_key = f.forked_from
LEFT JOIN $schema.sw_workflow_runs AS t ON t.run_key = coalesce(r.root_key, r.run_key)
WHERE f.outcome IS NULL AND t.outcome = 4
LIMIT $1",
    ),
    (
        "wait",
        "
SELECT 'run ' || w.task_key || ' is noted as waiting and is not parked'
FROM $schema.sw_workflow_waits AS w
WHERE NOT EXISTS (
    SELECT 1 FROM $schema.sw_workflow_tasks AS t WHERE t.task_key = w.task_key AND t.state = 3
)
LIMIT $1",
    ),
    (
        "wait",
        "
SELECT 'run ' || w.task_key || ' waits for run ' || w.target_key || ', which is not there'
FROM $schema.sw_workflow_waits AS w
WHERE w.kind IN (1, 2, 3)
    AND NOT EXISTS (SELECT 1 FROM $schema.sw_workflow_runs AS r WHERE r.run_key = w.target_key)
LIMIT $1",
    ),
    (
        "queue",
        "
SELECT 'queue ' || quote_literal(q.queue) || ' counts ' || q.running || ' running'
FROM $schema.sw_workflow_queues AS q
WHERE q.running <> (
    SELECT count(*)
    FROM $schema.sw_workflow_tasks AS t
    JOIN $schema.sw_workflow_lanes AS l ON l.lane_key = t.lane_key
    WHERE t.owner_key IS NOT NULL AND l.queue = q.queue
)
LIMIT $1",
    ),
    (
        "budget",
        "
SELECT 'balance of root ' || b.root_key || ' is of a run that is not there or is no root'
FROM $schema.sw_budget_balances AS b
WHERE NOT EXISTS (
    SELECT 1 FROM $schema.sw_workflow_runs AS r WHERE r.run_key = b.root_key AND r.root_key IS NULL
)
LIMIT $1",
    ),
];

// By the key of a row, a bounded part at a time: this process reads the text, as it does where it takes
// any in. The server's own types refuse what is JSON to everybody else, as a NUL in a string.
const TEXTS: [(&str, &str); 9] = [
    (
        "the metadata of run",
        "
DECLARE texts NO SCROLL CURSOR FOR
SELECT run_key, metadata
FROM $schema.sw_workflow_runs
WHERE metadata IS NOT NULL",
    ),
    (
        "the error of run",
        "
DECLARE texts NO SCROLL CURSOR FOR
SELECT run_key, error
FROM $schema.sw_workflow_runs
WHERE error IS NOT NULL",
    ),
    (
        "an error of run",
        "
DECLARE texts NO SCROLL CURSOR FOR
SELECT run_key, error
FROM $schema.sw_workflow_attempts
WHERE error IS NOT NULL",
    ),
    (
        "an error in run",
        "
DECLARE texts NO SCROLL CURSOR FOR
SELECT run_key, error
FROM $schema.sw_workflow_steps
WHERE error IS NOT NULL",
    ),
    (
        "the args of run",
        "
DECLARE texts NO SCROLL CURSOR FOR
SELECT run_key, args
FROM $schema.sw_workflow_runs
WHERE args IS NOT NULL",
    ),
    (
        "the result of run",
        "
DECLARE texts NO SCROLL CURSOR FOR
SELECT run_key, result
FROM $schema.sw_workflow_runs
WHERE result IS NOT NULL",
    ),
    (
        "a result in run",
        "
DECLARE texts NO SCROLL CURSOR FOR
SELECT run_key, result
FROM $schema.sw_workflow_steps
WHERE result IS NOT NULL",
    ),
    (
        "a message to run",
        "
DECLARE texts NO SCROLL CURSOR FOR
SELECT run_key, payload
FROM $schema.sw_workflow_signals
WHERE payload IS NOT NULL",
    ),
    (
        "event",
        "
DECLARE texts NO SCROLL CURSOR FOR
SELECT seq, payload
FROM $schema.sw_workflow_events
WHERE payload IS NOT NULL",
    ),
];

const FETCH: &str = "
FETCH FORWARD 100 FROM texts";

const CLOSE: &str = "
CLOSE texts";

impl CheckPort for Tx<'_> {
    fn faults(&mut self, limit: u32) -> Result<Vec<Fault>> {
        let mut faults = Vec::new();
        for (check, sql) in CHECKS {
            // Not kept prepared: a check is rare.
            let answer = self.conn.run_once(sql, &[&limit])?;
            for at in 0..answer.rows() {
                faults.push(Fault { check, detail: Row::new(&answer, at).get(0)? });
            }
        }
        for (what, sql) in TEXTS {
            faults.extend(self.faults_of_texts(what, sql, limit)?);
        }
        Ok(faults)
    }
}

impl Tx<'_> {
    fn faults_of_texts(&mut self, what: &str, sql: &str, limit: u32) -> Result<Vec<Fault>> {
        let mut faults = Vec::new();
        self.conn.run_once(sql, &[])?;
        loop {
            let answer = self.conn.run_once(FETCH, &[])?;
            let count = answer.rows();
            for row in (0..count).map(|at| Row::new(&answer, at)) {
                let key: i64 = row.get(0)?;
                if json::check(row.text(1)?.unwrap_or_default()).is_err() {
                    let detail = format!("{what} {key} is no JSON");
                    faults.push(Fault { check: "payload", detail });
                }
            }
            if count == 0 || faults.len() >= limit as usize {
                break;
            }
        }
        self.conn.run_once(CLOSE, &[])?;
        faults.truncate(limit as usize);
        Ok(faults)
    }
}
