//! What `sw_store_check` verifies: sums, counts, and the keys that no foreign key holds.
//!
//! These statements read whole tables on purpose, so they are not in the list whose plans are tested;
//! each returns one text per fault and ends at a LIMIT.

use rusqlite::{Connection, ffi};

use super::errors::{map, map_code};
use super::payload::payload_key;
use super::tx::Tx;
use super::vfs::said;
use crate::domain::port::{CheckPort, Fault};
use crate::error::Result;

/// Name of the check, and the statement that finds its faults.
///
/// Sums are compared in two halves of 32 bits: added whole, amounts may overflow on the way though
/// their sum does not.
const CHECKS: [(&str, &str); 33] = [
    (
        "ledger",
        "
SELECT 'balance of root ' || b.root_key || ', unit ' || quote(b.unit) || ': spent is ' || b.spent
    || ', the ledger says otherwise'
FROM sw_budget_balances AS b
LEFT JOIN (
    SELECT root_key, unit, sum(amount >> 32) AS high, sum(amount & 4294967295) AS low
    FROM sw_budget_ledger
    GROUP BY root_key, unit
) AS s ON s.root_key = b.root_key AND s.unit = b.unit
WHERE coalesce(s.high, 0) + (coalesce(s.low, 0) >> 32) <> b.spent >> 32
    OR coalesce(s.low, 0) & 4294967295 <> b.spent & 4294967295
LIMIT ?1",
    ),
    (
        "ledger",
        "
SELECT 'entry ' || l.entry_key || ' has no balance'
FROM sw_budget_ledger AS l
WHERE NOT EXISTS (
    SELECT 1 FROM sw_budget_balances AS b WHERE b.root_key = l.root_key AND b.unit = l.unit
) AND NOT EXISTS (
    SELECT 1 FROM sw_workflow_runs AS r WHERE r.run_key = l.root_key AND r.outcome = 4
)
LIMIT ?1",
    ),
    (
        "totals",
        "
SELECT 'totals of root ' || coalesce(t.root_key, s.root_key) || ', unit '
    || quote(coalesce(t.unit, s.unit)) || ' are not the sums of the ledger'
FROM sw_budget_totals AS t
FULL JOIN (
    SELECT root_key, unit, lane_key, label, sum(amount >> 32) AS high,
        sum(amount & 4294967295) AS low, count(*) AS entries
    FROM sw_budget_ledger
    GROUP BY root_key, unit, lane_key, label
) AS s ON s.root_key = t.root_key AND s.unit = t.unit AND s.lane_key = t.lane_key
    AND s.label = t.label
WHERE (
    t.spent IS NULL OR s.entries IS NOT t.entries
    OR s.high + (s.low >> 32) <> t.spent >> 32 OR s.low & 4294967295 <> t.spent & 4294967295
) AND NOT EXISTS (
    SELECT 1
    FROM sw_workflow_runs AS r
    WHERE r.run_key = coalesce(t.root_key, s.root_key) AND r.outcome = 4
)
LIMIT ?1",
    ),
    (
        "reserved",
        "
SELECT 'balance of root ' || coalesce(b.root_key, s.root_key) || ', unit '
    || quote(coalesce(b.unit, s.unit)) || ': reserved is ' || coalesce(b.reserved, 0)
    || ', open reservations say otherwise'
FROM sw_budget_balances AS b
FULL JOIN (
    SELECT root_key, unit, sum(amount >> 32) AS high, sum(amount & 4294967295) AS low
    FROM sw_budget_reservations
    WHERE state = 0
    GROUP BY root_key, unit
) AS s ON s.root_key = b.root_key AND s.unit = b.unit
WHERE coalesce(s.high, 0) + (coalesce(s.low, 0) >> 32) <> coalesce(b.reserved, 0) >> 32
    OR coalesce(s.low, 0) & 4294967295 <> coalesce(b.reserved, 0) & 4294967295
LIMIT ?1",
    ),
    (
        "open reservations",
        "
SELECT 'reservation ' || v.reservation_key || ' is open, its attempt is not'
FROM sw_budget_reservations AS v
WHERE v.state = 0 AND NOT EXISTS (
    SELECT 1
    FROM sw_workflow_tasks AS t
    WHERE t.task_key = v.run_key AND t.fence = v.fence AND t.state = 2
)
LIMIT ?1",
    ),
    (
        "one place",
        "
SELECT 'run ' || r.run_key || ' is open and has no task'
FROM sw_workflow_runs AS r
WHERE r.outcome IS NULL
    AND NOT EXISTS (SELECT 1 FROM sw_workflow_tasks AS t WHERE t.task_key = r.run_key)
LIMIT ?1",
    ),
    (
        "one place",
        "
SELECT 'run ' || r.run_key || ' has ended and has a task'
FROM sw_workflow_runs AS r
JOIN sw_workflow_tasks AS t ON t.task_key = r.run_key
WHERE r.outcome IS NOT NULL
LIMIT ?1",
    ),
    (
        "task",
        "
SELECT 'task ' || t.task_key || ' has no run'
FROM sw_workflow_tasks AS t
WHERE NOT EXISTS (SELECT 1 FROM sw_workflow_runs AS r WHERE r.run_key = t.task_key)
LIMIT ?1",
    ),
    (
        "task",
        "
SELECT 'task ' || t.task_key || ' runs without an owner, or has one and does not run'
FROM sw_workflow_tasks AS t
WHERE (t.state = 2) <> (t.owner_key IS NOT NULL)
    OR t.owner_key IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM sw_workflow_owners AS o WHERE o.owner_key = t.owner_key)
LIMIT ?1",
    ),
    (
        "lane",
        "
SELECT 'run ' || r.run_key || ' names no lane that is open to all, or its task has none'
FROM sw_workflow_runs AS r
LEFT JOIN sw_workflow_tasks AS t ON t.task_key = r.run_key
WHERE NOT EXISTS (
        SELECT 1 FROM sw_workflow_lanes AS l WHERE l.lane_key = r.lane_key AND l.owner_key = 0
    )
    OR t.lane_key IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM sw_workflow_lanes AS l WHERE l.lane_key = t.lane_key)
LIMIT ?1",
    ),
    (
        "lane",
        "
SELECT 'lane ' || lane_key || ' is there without a run'
FROM sw_workflow_lanes
WHERE owner_key = 0 AND lane_key NOT IN (SELECT lane_key FROM sw_workflow_runs)
LIMIT ?1",
    ),
    (
        "ready",
        "
SELECT 'run ' || t.task_key || ' is ready and its lane begins behind it'
FROM sw_workflow_tasks AS t
JOIN sw_workflow_lanes AS l ON l.lane_key = t.lane_key
WHERE t.state = 1 AND (
    l.first_task_key IS NULL OR (t.priority, t.due_at_ms, t.task_key)
        < (l.first_priority, l.first_due_at_ms, l.first_task_key)
)
LIMIT ?1",
    ),
    (
        "gate",
        "
SELECT 'runs of lane ' || lane_key || ' are ready side by side behind key ' || quote(gate)
FROM sw_workflow_tasks
WHERE state = 1 AND gate IS NOT NULL
GROUP BY lane_key, gate
HAVING count(*) > 1
LIMIT ?1",
    ),
    (
        "gate",
        "
SELECT 'run ' || t.task_key || ' is held back behind a key whose runs all wait'
FROM sw_workflow_tasks AS t
JOIN sw_workflow_lanes AS l ON l.lane_key = t.lane_key
WHERE t.state = 5
    AND NOT EXISTS (
        SELECT 1 FROM sw_workflow_gates AS g
        WHERE g.queue = l.queue AND g.gate = t.gate AND g.running > 0
    )
    AND NOT EXISTS (
        SELECT 1 FROM sw_workflow_tasks AS r
        WHERE r.gate = t.gate AND r.lane_key = t.lane_key AND r.state = 1 AND r.gate IS NOT NULL
    )
LIMIT ?1",
    ),
    (
        "tree",
        "
SELECT 'run ' || r.run_key || ' has a parent or root that is not there'
FROM sw_workflow_runs AS r
WHERE r.parent_key IS NOT NULL
        AND NOT EXISTS (
            SELECT 1
            FROM sw_workflow_runs AS p
            WHERE p.run_key = r.parent_key OR p.run_key = r.root_key AND p.outcome = 4
        )
    OR r.root_key IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM sw_workflow_runs AS p WHERE p.run_key = r.root_key)
    OR (r.parent_key IS NULL) <> (r.root_key IS NULL)
LIMIT ?1",
    ),
    (
        "payload",
        "
SELECT 'run ' || r.run_key || ' has lost its args'
FROM sw_workflow_runs AS r
WHERE r.args_key IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM sw_payloads AS p WHERE p.payload_key = r.args_key)
LIMIT ?1",
    ),
    (
        "payload",
        "
SELECT what || ' is no JSON' || iif(may_name, ' and no name of a payload', '')
FROM (
    SELECT 'the metadata of run ' || run_key AS what, metadata AS text, 0 AS may_name FROM sw_workflow_runs
    UNION ALL
    SELECT 'the error of run ' || run_key, error, 0 FROM sw_workflow_runs
    UNION ALL
    SELECT 'an error of run ' || run_key, error, 0 FROM sw_workflow_attempts
    UNION ALL
    SELECT 'an error in run ' || run_key, error, 0 FROM sw_workflow_steps
    UNION ALL
    SELECT 'payload ' || payload_key || ' of old', body, 0 FROM sw_payloads
    UNION ALL
    SELECT 'the args of run ' || run_key, args, 1 FROM sw_workflow_runs
    UNION ALL
    SELECT 'the result of run ' || run_key, result, 1 FROM sw_workflow_runs
    UNION ALL
    SELECT 'a result in run ' || run_key, result, 1 FROM sw_workflow_steps
    UNION ALL
    SELECT 'a message to run ' || run_key, payload, 1 FROM sw_workflow_signals
    UNION ALL
    SELECT 'event ' || seq, payload, 1 FROM sw_workflow_events
)
WHERE NOT json_valid(text) AND NOT (may_name AND text = '@' || CAST(substr(text, 2) AS INTEGER))
LIMIT ?1",
    ),
    (
        "payload",
        concat!(
            "
SELECT 'payload ' || coalesce(h.payload_key, n.payload_key) || ' is named ' || coalesce(n.names, 0)
    || ' times, not ' || coalesce(h.named, 0)
FROM sw_payload_hashes AS h
FULL JOIN (
    SELECT payload_key, count(*) AS names
    FROM (
        SELECT ",
            payload_key!("args"),
            " AS payload_key FROM sw_workflow_runs UNION ALL SELECT ",
            payload_key!("result"),
            " FROM sw_workflow_runs UNION ALL SELECT ",
            payload_key!("result"),
            " FROM sw_workflow_steps UNION ALL SELECT ",
            payload_key!("payload"),
            " FROM sw_workflow_signals UNION ALL SELECT ",
            payload_key!("payload"),
            " FROM sw_workflow_events
    )
    WHERE payload_key IS NOT NULL
    GROUP BY payload_key
) AS n ON n.payload_key = h.payload_key
WHERE n.names IS NOT h.named
LIMIT ?1"
        ),
    ),
    (
        "payload",
        "
SELECT 'payload ' || coalesce(p.payload_key, h.payload_key)
    || ' is there and not counted, or counted and not there'
FROM sw_payload_bodies AS p
FULL JOIN sw_payload_hashes AS h ON h.payload_key = p.payload_key AND h.hash = p.hash
WHERE p.payload_key IS NULL OR h.payload_key IS NULL
LIMIT ?1",
    ),
    (
        "attempt",
        "
SELECT 'attempt ' || a.number || ' is of run ' || a.run_key || ', which is not there'
FROM sw_workflow_attempts AS a
WHERE NOT EXISTS (SELECT 1 FROM sw_workflow_runs AS r WHERE r.run_key = a.run_key)
LIMIT ?1",
    ),
    (
        "attempt",
        "
SELECT 'attempt ' || a.number || ' of run ' || a.run_key || ' is above its fence'
FROM sw_workflow_attempts AS a
JOIN sw_workflow_tasks AS t ON t.task_key = a.run_key
WHERE a.number > t.fence
LIMIT ?1",
    ),
    (
        "step",
        "
SELECT 'step ' || s.step_key || ' is of run ' || s.run_key || ', which is not there'
FROM sw_workflow_steps AS s
WHERE NOT EXISTS (SELECT 1 FROM sw_workflow_runs AS r WHERE r.run_key = s.run_key)
LIMIT ?1",
    ),
    (
        "signal",
        "
SELECT 'signal ' || s.signal_key || ' is of run ' || s.run_key || ', which is not there'
FROM sw_workflow_signals AS s
WHERE NOT EXISTS (SELECT 1 FROM sw_workflow_runs AS r WHERE r.run_key = s.run_key)
LIMIT ?1",
    ),
    (
        "event",
        "
SELECT 'event ' || e.seq || ' is of run ' || e.run_key || ', which is not there'
FROM sw_workflow_events AS e
WHERE NOT EXISTS (SELECT 1 FROM sw_workflow_runs AS r WHERE r.run_key = e.run_key)
    AND NOT EXISTS (SELECT 1 FROM sw_workflow_gone AS g WHERE g.run_key = e.run_key)
LIMIT ?1",
    ),
    (
        "pruned",
        "
SELECT 'run ' || r.run_key || ' is being pruned and is no root, or a run of its tree lives'
FROM sw_workflow_runs AS r
WHERE r.outcome = 4 AND (
    r.parent_key IS NOT NULL OR EXISTS (
        SELECT 1 FROM sw_workflow_runs AS m WHERE m.root_key = r.run_key AND m.outcome IS NULL
    )
)
LIMIT ?1",
    ),
    (
        "pruned",
        "
SELECT 'run ' || g.run_key || ' is noted as pruned and is there, or no event is of it'
FROM sw_workflow_gone AS g
WHERE NOT EXISTS (SELECT 1 FROM sw_workflow_events AS e WHERE e.run_key = g.run_key)
    OR EXISTS (
        SELECT 1 FROM sw_workflow_runs AS r WHERE r.run_key = g.run_key AND r.outcome IS NOT 4
    )
LIMIT ?1",
    ),
    (
        "pruned",
        "
SELECT 'run ' || f.run_key || ' lives and was forked from run ' || f.forked_from
    || ', which is being pruned'
FROM sw_workflow_runs AS f
JOIN sw_workflow_runs AS r ON r.run_key = f.forked_from
LEFT JOIN sw_workflow_runs AS t ON t.run_key = coalesce(r.root_key, r.run_key)
WHERE f.outcome IS NULL AND t.outcome = 4
LIMIT ?1",
    ),
    (
        "wait",
        "
SELECT 'run ' || w.task_key || ' is noted as waiting and is not parked'
FROM sw_workflow_waits AS w
WHERE NOT EXISTS (
    SELECT 1 FROM sw_workflow_tasks AS t WHERE t.task_key = w.task_key AND t.state = 3
)
LIMIT ?1",
    ),
    (
        "wait",
        "
SELECT 'run ' || w.task_key || ' waits for run ' || w.target_key || ', which is not there'
FROM sw_workflow_waits AS w
WHERE w.kind IN (1, 2, 3)
    AND NOT EXISTS (SELECT 1 FROM sw_workflow_runs AS r WHERE r.run_key = w.target_key)
LIMIT ?1",
    ),
    (
        "queue",
        "
SELECT 'queue ' || quote(q.queue) || ' counts ' || q.running || ' running'
FROM sw_workflow_queues AS q
WHERE q.running <> (
    SELECT count(*)
    FROM sw_workflow_tasks AS t
    JOIN sw_workflow_lanes AS l ON l.lane_key = t.lane_key
    WHERE t.owner_key IS NOT NULL AND l.queue = q.queue
)
LIMIT ?1",
    ),
    (
        "budget",
        "
SELECT 'balance of root ' || b.root_key || ' is of a run that is not there or is no root'
FROM sw_budget_balances AS b
WHERE NOT EXISTS (
    SELECT 1 FROM sw_workflow_runs AS r WHERE r.run_key = b.root_key AND r.root_key IS NULL
)
LIMIT ?1",
    ),
    (
        "mark",
        "
SELECT 'run ' || r.run_key || ' is in a block that has no mark of its '
    || CASE m.kind WHEN 1 THEN 'queue' WHEN 2 THEN 'workflow' WHEN 3 THEN 'code version'
        WHEN 4 THEN 'outcome' WHEN 5 THEN 'end' WHEN 6 THEN 'metadata' ELSE 'lane' END
FROM sw_workflow_runs AS r
JOIN sw_workflow_lanes AS l ON l.lane_key = r.lane_key
JOIN (
    SELECT 1 AS kind UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5
    UNION ALL SELECT 6 UNION ALL SELECT 7
) AS m ON m.kind <= 3 OR m.kind = 7 OR m.kind <= 5 AND r.outcome IS NOT NULL
    OR m.kind = 6 AND r.metadata IS NOT NULL AND EXISTS (
        SELECT 1
        FROM json_each(iif(json_valid(r.metadata), r.metadata, '{}')) AS j
        WHERE j.type NOT IN ('object', 'array')
    )
WHERE (r.outcome IS NOT 4 OR m.kind = 7) AND NOT EXISTS (
    SELECT 1
    FROM sw_workflow_marks AS x
    WHERE x.kind = m.kind AND x.block = r.run_key >> 7 AND CASE m.kind
        WHEN 1 THEN x.value = l.queue WHEN 2 THEN x.value = l.workflow
        WHEN 3 THEN x.value = l.code_version WHEN 4 THEN x.value = r.outcome
        WHEN 5 THEN x.value = r.finished_at_ms / 60000 WHEN 7 THEN x.value = r.lane_key
        ELSE 1 END
)
LIMIT ?1",
    ),
    (
        "clock step",
        "
SELECT 'run ' || s.run_key || ' was submitted earlier than the one before it, which is not noted'
FROM (
    SELECT run_key, created_at_ms, lag(created_at_ms) OVER (ORDER BY run_key) AS before_ms
    FROM sw_workflow_runs
) AS s
WHERE s.created_at_ms < s.before_ms
    AND NOT EXISTS (SELECT 1 FROM sw_workflow_clock_steps AS c WHERE c.run_key = s.run_key)
LIMIT ?1",
    ),
];

/// The answer of `integrity_check` to a file without faults.
const WHOLE: &str = "ok";

/// Rules that tables of the host's have, which are not asked while this lives: what they ask of a row may
/// take any time, and is none of ours. Of our tables none is asked that the type of a column is not.
struct Unruled<'conn>(&'conn Connection);

impl<'conn> Unruled<'conn> {
    fn new(conn: &'conn Connection) -> Result<Unruled<'conn>> {
        conn.execute_batch("PRAGMA ignore_check_constraints = ON").map_err(map)?;
        Ok(Unruled(conn))
    }
}

impl Drop for Unruled<'_> {
    fn drop(&mut self) {
        let _ = self.0.execute_batch("PRAGMA ignore_check_constraints = OFF");
    }
}

impl Tx<'_> {
    fn faults_of_pages(&self, limit: u32) -> Result<Vec<Fault>> {
        let _unruled = Unruled::new(self.conn)?;
        let mut faults = Vec::new();
        said::take_failed_read();
        // Not the quick check, which counts the entries of an index and does not look at them.
        let mut pages =
            self.conn.prepare(&format!("PRAGMA integrity_check({limit})")).map_err(map)?;
        let lines = pages.query_map([], |row| row.get::<_, String>(0)).map_err(map)?;
        for line in lines {
            let detail = line.map_err(map)?;
            if detail != WHOLE {
                faults.push(Fault { check: "pages", detail });
            }
        }
        let unread = said::take_failed_read();
        // What could not be read is not known to be damaged.
        if faults.is_empty() || unread == ffi::SQLITE_OK {
            Ok(faults)
        } else {
            Err(map_code(unread, "read a page that is to be checked"))
        }
    }
}

impl CheckPort for Tx<'_> {
    fn faults(&mut self, limit: u32) -> Result<Vec<Fault>> {
        let mut faults = self.faults_of_pages(limit)?;
        for (check, sql) in CHECKS {
            // Not kept prepared: a check is rare, and the cache is for the hot statements.
            let mut statement = self.conn.prepare(sql).map_err(map)?;
            let details =
                statement.query_map([limit], |row| row.get::<_, String>(0)).map_err(map)?;
            for detail in details {
                faults.push(Fault { check, detail: detail.map_err(map)? });
            }
        }
        let details = self.payloads_damaged(limit)?.into_iter();
        faults.extend(details.map(|detail| Fault { check: "payload", detail }));
        Ok(faults)
    }
}

#[cfg(test)]
mod tests {
    use super::super::conn::Conn;
    use super::*;
    use crate::limits::PAYLOAD_INLINE_BYTES_MAX;
    use crate::storage::sqlite::migrate;

    /// One run with a budget of which 7 are spent and 5 reserved, and a parked child.
    const SOUND: &str = "
INSERT INTO sw_workflow_lanes (lane_key, queue, workflow, code_version, owner_key)
VALUES (1, 'q', 'w', '', 0);
INSERT INTO sw_workflow_marks VALUES (1, 'q', 0), (2, 'w', 0), (3, '', 0), (7, 1, 0);
INSERT INTO sw_workflow_owners VALUES (1, 1, x'07', 1, 1);
INSERT INTO sw_workflow_runs (run_key, run_id, lane_key, parent_key, root_key, created_at_ms, priority)
VALUES (1, x'01', 1, NULL, NULL, 1, 0), (2, x'02', 1, 1, 1, 1, 0);
INSERT INTO sw_workflow_tasks (
    task_key, lane_key, state, priority, due_at_ms, fence, failures, losses, flags, waits_left,
    owner_key
)
VALUES (1, 1, 2, 0, 1, 1, 0, 0, 0, 0, 1), (2, 1, 3, 0, 1, 1, 0, 0, 0, 0, NULL);
INSERT INTO sw_workflow_waits VALUES (3, 1, 'tokens', 2, 90);
INSERT INTO sw_budget_balances (root_key, unit, limit_amount, reserved, spent)
VALUES (1, 'tokens', 100, 5, 7);
INSERT INTO sw_budget_reservations (salt, root_key, run_key, fence, unit, amount, state, at_ms,
    units, place, label)
VALUES (1, 1, 1, 1, 'tokens', 5, 0, 1, 1, 0, ''), (1, 1, 1, 1, 'tokens', 9, 1, 1, 1, 0, '');
INSERT INTO sw_budget_ledger
VALUES (1, 1, 1, 2, 'tokens', 1, 1, '', 7, 1);
INSERT INTO sw_budget_totals VALUES (1, 'tokens', 1, '', 7, 1);
INSERT INTO sw_workflow_queues VALUES ('q', 5, NULL, 0, 1);
INSERT INTO sw_workflow_steps (run_key, kind, name, occurrence, state, tries, started_at_ms, took_ms)
VALUES (1, 0, 's', 1, 2, 1, 1, 0);
INSERT INTO sw_workflow_signals (run_key, name, sent_at_ms) VALUES (1, 's', 1);
INSERT INTO sw_workflow_events (run_key, type, at_ms) VALUES (1, 'e', 1);
INSERT INTO sw_workflow_attempts (run_key, number, ended, started_at_ms, ended_at_ms)
VALUES (2, 1, 5, 1, 1);
";

    /// An ended run that is being pruned, and a fork of it that lives.
    const FORKED_AND_PRUNED: &str = "
INSERT INTO sw_workflow_runs (run_key, run_id, lane_key, outcome, forked_from, created_at_ms, priority)
VALUES (3, x'03', 1, 4, NULL, 1, 0), (4, x'04', 1, NULL, 3, 1, 0)";

    /// Changes a row while an index does not know that it is meant: the number of entries is right.
    const STALE_INDEX: &str = "
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = sql || ' WHERE 0' WHERE name = 'events_of_run';
PRAGMA writable_schema = RESET;
UPDATE sw_workflow_events SET run_key = 2;
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, ' WHERE 0', '') WHERE name = 'events_of_run';
PRAGMA writable_schema = RESET;";

    /// Both are ready behind one key, and their lane begins with the second.
    const TWO_READY: &str = "
UPDATE sw_workflow_tasks SET state = 1, gate = 'k', owner_key = NULL;
UPDATE sw_workflow_lanes SET first_priority = 0, first_due_at_ms = 1, first_task_key = 2";

    fn found(damage: &str) -> Vec<&'static str> {
        let conn = Conn::new(Connection::open_in_memory().unwrap());
        migrate::apply(&conn, None, 1).unwrap();
        conn.execute_batch(SOUND).unwrap();
        let large = format!("\"{}\"", "x".repeat(PAYLOAD_INLINE_BYTES_MAX));
        let name = Tx::new(&conn).payload_write(&large).unwrap();
        conn.execute("UPDATE sw_workflow_steps SET result = ?1", [name]).unwrap();
        conn.execute_batch(damage).unwrap();
        let faults = Tx::new(&conn).faults(20).unwrap();
        faults.into_iter().map(|fault| fault.check).collect()
    }

    #[test]
    fn what_is_sound_has_no_faults() {
        assert_eq!(found(""), Vec::<&str>::new());
    }

    /// Of the second table, the rule would be asked for longer than anybody waits.
    #[test]
    fn rules_of_tables_of_the_host_are_not_asked_and_are_in_force_again() {
        const RULES: &str = "
CREATE TABLE mine (a INTEGER CHECK (a > 0));
CREATE TABLE slow (a TEXT CHECK (a LIKE '%a%a%a%a%a%a%a%a%a%a%a%a%b'));
PRAGMA ignore_check_constraints = ON;
INSERT INTO mine VALUES (0);
INSERT INTO slow VALUES (replace(hex(zeroblob(5000)), '0', 'a'));
PRAGMA ignore_check_constraints = OFF;";
        let conn = Conn::new(Connection::open_in_memory().unwrap());
        migrate::apply(&conn, None, 1).unwrap();
        conn.execute_batch(RULES).unwrap();
        assert_eq!(Tx::new(&conn).faults(20).unwrap(), []);
        conn.execute_batch("INSERT INTO mine VALUES (0)").unwrap_err();
    }

    #[test]
    fn each_kind_of_damage_is_named() {
        let damages = [
            ("ledger", "UPDATE sw_budget_balances SET spent = 8"),
            ("ledger", "UPDATE sw_budget_balances SET spent = 7 + (1 << 32)"),
            ("ledger", "UPDATE sw_budget_ledger SET amount = 6"),
            ("ledger", "DELETE FROM sw_budget_balances"),
            ("totals", "UPDATE sw_budget_totals SET entries = 2"),
            ("totals", "DELETE FROM sw_budget_totals"),
            ("totals", "DELETE FROM sw_budget_ledger"),
            ("reserved", "UPDATE sw_budget_balances SET reserved = 6"),
            ("reserved", "UPDATE sw_budget_reservations SET state = 1"),
            ("open reservations", "UPDATE sw_workflow_tasks SET fence = 2 WHERE task_key = 1"),
            ("one place", "DELETE FROM sw_workflow_tasks WHERE task_key = 2"),
            ("one place", "UPDATE sw_workflow_runs SET outcome = 1 WHERE run_key = 2"),
            ("task", "UPDATE sw_workflow_tasks SET owner_key = NULL"),
            ("task", "DELETE FROM sw_workflow_owners"),
            ("task", "DELETE FROM sw_workflow_runs WHERE run_key = 2"),
            ("lane", "DELETE FROM sw_workflow_lanes"),
            ("lane", "UPDATE sw_workflow_lanes SET owner_key = 1"),
            (
                "lane",
                "INSERT INTO sw_workflow_lanes (lane_key, queue, workflow, code_version, owner_key)
                VALUES (9, 'q', 'w', 'v', 0)",
            ),
            ("ready", "UPDATE sw_workflow_tasks SET state = 1 WHERE task_key = 2"),
            ("ready", TWO_READY),
            ("gate", TWO_READY),
            ("gate", "UPDATE sw_workflow_tasks SET state = 5, gate = 'k' WHERE task_key = 2"),
            ("tree", "UPDATE sw_workflow_runs SET root_key = 9 WHERE run_key = 2"),
            ("tree", "UPDATE sw_workflow_runs SET parent_key = 9 WHERE run_key = 2"),
            ("payload", "UPDATE sw_workflow_runs SET args_key = 9 WHERE run_key = 2"),
            ("attempt", "UPDATE sw_workflow_attempts SET run_key = 9"),
            ("attempt", "UPDATE sw_workflow_attempts SET number = 9"),
            ("step", "UPDATE sw_workflow_steps SET run_key = 9"),
            ("signal", "UPDATE sw_workflow_signals SET run_key = 9"),
            ("event", "UPDATE sw_workflow_events SET run_key = 9"),
            ("pruned", "UPDATE sw_workflow_runs SET outcome = 4 WHERE run_key = 1"),
            ("pruned", "INSERT INTO sw_workflow_gone VALUES (1, x'01')"),
            ("pruned", "INSERT INTO sw_workflow_gone VALUES (9, x'09')"),
            ("pruned", FORKED_AND_PRUNED),
            ("wait", "UPDATE sw_workflow_tasks SET state = 1 WHERE task_key = 2"),
            ("wait", "UPDATE sw_workflow_waits SET target_key = 9"),
            ("queue", "UPDATE sw_workflow_queues SET running = 2"),
            ("budget", "UPDATE sw_budget_balances SET root_key = 2"),
            ("mark", "DELETE FROM sw_workflow_marks WHERE kind = 2"),
            ("mark", "DELETE FROM sw_workflow_marks WHERE kind = 7"),
            ("mark", "UPDATE sw_workflow_runs SET metadata = '{\"a\":1}' WHERE run_key = 2"),
            (
                "mark",
                "UPDATE sw_workflow_runs SET outcome = 1, finished_at_ms = 2 WHERE run_key = 1",
            ),
            ("clock step", "UPDATE sw_workflow_runs SET created_at_ms = 9 WHERE run_key = 1"),
            ("pages", STALE_INDEX),
        ];
        for (check, damage) in damages {
            let found = found(damage);
            assert!(found.contains(&check), "{damage}: {found:?}");
        }
    }

    #[test]
    fn each_damage_of_a_payload_is_named() {
        let damages = [
            "UPDATE sw_workflow_steps SET result = '1'",
            "UPDATE sw_workflow_steps SET result = '@9'",
            "UPDATE sw_workflow_signals SET payload = '@1'",
            "UPDATE sw_workflow_events SET payload = '@1'",
            "UPDATE sw_workflow_runs SET result = '@1' WHERE run_key = 1",
            "UPDATE sw_workflow_runs SET args = '@1' WHERE run_key = 1",
            "UPDATE sw_workflow_runs SET args = '@1x' WHERE run_key = 1",
            "UPDATE sw_workflow_runs SET result = '@99999999999999999999' WHERE run_key = 1",
            "UPDATE sw_workflow_runs SET result = '[1' WHERE run_key = 1",
            "UPDATE sw_workflow_runs SET metadata = '@1' WHERE run_key = 1",
            "UPDATE sw_workflow_signals SET payload = '@' || hex(zeroblob(3000))",
            "UPDATE sw_workflow_steps SET error = 'broke'",
            "UPDATE sw_payload_hashes SET named = 2",
            "DELETE FROM sw_payload_hashes",
            "DELETE FROM sw_payload_bodies",
            "UPDATE sw_payload_bodies SET hash = x'07'",
            "UPDATE sw_payload_bodies SET length = 7",
            "UPDATE sw_payload_bodies SET content = x'07'",
            "UPDATE sw_payload_bodies SET content = printf('%.*c', length, 'y')",
        ];
        for damage in damages {
            let found = found(damage);
            assert!(found.contains(&"payload"), "{damage}: {found:?}");
        }
    }

    #[test]
    fn faults_of_a_kind_are_bounded() {
        let many = "
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
INSERT INTO sw_workflow_signals (run_key, name, sent_at_ms) SELECT 9, 's', i FROM n";
        assert_eq!(found(many).len(), 20);
    }
}
