//! Finding runs by what they are: a page of runs in the order of their keys, each looked at by a
//! statement that asks for the whole filter.
//!
//! The part of a filter that an index serves best says which runs a page is of ([`Of`]); what else is
//! asked narrows the page alone. A walk takes page after page until it has found or looked at enough.

use std::collections::HashMap;

use super::query::{len, read_run, up_to};
use super::tx::Tx;
use super::value::{Many, Param};
use crate::domain::metadata;
use crate::domain::port::{
    Found, Include, ListPort, Order, RunFilter, RunKey, RunRow, RunState, RunStates, Walk,
};
use crate::error::{Error, Result};

const STORE_NAME: &str = "
SELECT upper(encode(store_id, 'hex')) || '.' || lineage
FROM $schema.sw_store
WHERE one = 1";

const METADATA_SET: &str = "
UPDATE $schema.sw_workflow_runs
SET metadata = $2
WHERE run_key = $1";

/// Runs that a page looks at.
const PAGE: usize = 128;

/// A page of runs, and of which of them a filter is true; of the members of metadata none is asked for
/// here. A root that is being pruned (outcome 4) is in no state that can be asked for, its tree is looked
/// up. A statement for each kind of page and order, since neither is a value.
macro_rules! page {
    ($keys:literal, $order:literal) => {
        concat!(
            "
SELECT k.run_key, coalesce(
    CASE WHEN r.outcome IS NULL THEN ($2::bigint >> CASE t.state
        WHEN 2 THEN 1 WHEN 3 THEN 2 WHEN 4 THEN 3 ELSE 0
    END) & 1 ELSE ($2::bigint >> (r.outcome + 3)::int) & 1 END <> 0
    AND ($3::bigint IS NULL OR r.created_at_ms >= $3)
    AND ($4::bigint IS NULL OR r.created_at_ms < $4)
    AND ($5::bigint IS NULL OR r.finished_at_ms >= $5)
    AND ($6::bigint IS NULL OR r.finished_at_ms < $6)
    AND ($7::bigint IS NULL OR r.parent_key = $7)
    AND ($8::bigint IS NULL OR coalesce(r.root_key, r.run_key) = $8)
    AND NOT EXISTS (
        SELECT 1
        FROM $schema.sw_workflow_runs AS p
        WHERE p.run_key = r.root_key AND p.outcome = 4
    )
    AND (NOT $9::boolean OR r.parent_key IS NULL)
    AND ($10::text IS NULL OR r.idem_scope = $10)
    AND ($11::text IS NULL OR r.idem_key = $11)
    AND ($12::text IS NULL OR l.queue = $12)
    AND ($13::text IS NULL OR l.workflow = $13)
    AND ($14::text IS NULL OR l.code_version = $14)
    AND ($15::boolean IS NULL OR coalesce(t.flags & 1 <> 0, false) = $15)
    AND ($16::boolean IS NULL OR coalesce(t.state = 4 OR t.flags & 4 <> 0, false) = $16)
    AND ($17::text IS NULL OR $17 = CASE t.state WHEN 2 THEN t.worker ELSE (
        SELECT a.worker
        FROM $schema.sw_workflow_attempts AS a
        WHERE a.run_key = r.run_key
        ORDER BY a.number DESC
        LIMIT 1
    ) END)
    AND ($18::text IS NULL OR strpos(CASE WHEN r.outcome IS NOT NULL THEN r.error ELSE (
        SELECT a.error
        FROM $schema.sw_workflow_attempts AS a
        WHERE a.run_key = r.run_key AND a.error IS NOT NULL
        ORDER BY a.number DESC
        LIMIT 1
    ) END, $18) > 0), false),
    CASE WHEN $19::boolean THEN r.metadata END
FROM (",
            $keys,
            ") AS k
JOIN $schema.sw_workflow_runs AS r ON r.run_key = k.run_key
JOIN $schema.sw_workflow_lanes AS l ON l.lane_key = r.lane_key
LEFT JOIN $schema.sw_workflow_tasks AS t ON t.task_key = r.run_key
ORDER BY k.run_key",
            $order
        )
    };
}

const ALL_NEWEST: &str = page!(
    "
    SELECT run_key FROM $schema.sw_workflow_runs WHERE run_key < $1 ORDER BY run_key DESC LIMIT $20
",
    " DESC"
);

const ALL_OLDEST: &str = page!(
    "
    SELECT run_key FROM $schema.sw_workflow_runs WHERE run_key > $1 ORDER BY run_key LIMIT $20
",
    ""
);

const CHILDREN_NEWEST: &str = page!(
    "
    SELECT run_key
    FROM $schema.sw_workflow_runs
    WHERE parent_key = $7 AND run_key < $1
    ORDER BY run_key DESC
    LIMIT $20
",
    " DESC"
);

const CHILDREN_OLDEST: &str = page!(
    "
    SELECT run_key
    FROM $schema.sw_workflow_runs
    WHERE parent_key = $7 AND run_key > $1
    ORDER BY run_key
    LIMIT $20
",
    ""
);

const TREE_NEWEST: &str = page!(
    "
    SELECT run_key
    FROM $schema.sw_workflow_runs
    WHERE (root_key = $8 OR run_key = $8) AND run_key < $1
    ORDER BY run_key DESC
    LIMIT $20
",
    " DESC"
);

const TREE_OLDEST: &str = page!(
    "
    SELECT run_key
    FROM $schema.sw_workflow_runs
    WHERE (root_key = $8 OR run_key = $8) AND run_key > $1
    ORDER BY run_key
    LIMIT $20
",
    ""
);

const SCOPE_NEWEST: &str = page!(
    "
    SELECT run_key
    FROM $schema.sw_workflow_runs
    WHERE idem_scope = $10 AND ($11::text IS NULL OR idem_key = $11) AND idem_key IS NOT NULL
        AND run_key < $1
    ORDER BY run_key DESC
    LIMIT $20
",
    " DESC"
);

const SCOPE_OLDEST: &str = page!(
    "
    SELECT run_key
    FROM $schema.sw_workflow_runs
    WHERE idem_scope = $10 AND ($11::text IS NULL OR idem_key = $11) AND idem_key IS NOT NULL
        AND run_key > $1
    ORDER BY run_key
    LIMIT $20
",
    ""
);

const OPEN_NEWEST: &str = page!(
    "
    SELECT task_key AS run_key
    FROM $schema.sw_workflow_tasks
    WHERE task_key < $1
    ORDER BY task_key DESC
    LIMIT $20
",
    " DESC"
);

const OPEN_OLDEST: &str = page!(
    "
    SELECT task_key AS run_key
    FROM $schema.sw_workflow_tasks
    WHERE task_key > $1
    ORDER BY task_key
    LIMIT $20
",
    ""
);

const BAD_NEWEST: &str = page!(
    "
    SELECT run_key
    FROM $schema.sw_workflow_runs
    WHERE outcome > 1 AND run_key < $1
    ORDER BY run_key DESC
    LIMIT $20
",
    " DESC"
);

const BAD_OLDEST: &str = page!(
    "
    SELECT run_key
    FROM $schema.sw_workflow_runs
    WHERE outcome > 1 AND run_key > $1
    ORDER BY run_key
    LIMIT $20
",
    ""
);

const LANES_NEWEST: &str = page!(
    "
    SELECT h.run_key
    FROM $schema.sw_workflow_lanes AS n
    CROSS JOIN LATERAL (
        SELECT run_key
        FROM $schema.sw_workflow_runs
        WHERE lane_key = n.lane_key AND run_key < $1
        ORDER BY run_key DESC
        LIMIT $20
    ) AS h
    WHERE ($12::text IS NULL OR n.queue = $12) AND ($13::text IS NULL OR n.workflow = $13)
        AND ($14::text IS NULL OR n.code_version = $14)
    ORDER BY h.run_key DESC
    LIMIT $20
",
    " DESC"
);

const LANES_OLDEST: &str = page!(
    "
    SELECT h.run_key
    FROM $schema.sw_workflow_lanes AS n
    CROSS JOIN LATERAL (
        SELECT run_key
        FROM $schema.sw_workflow_runs
        WHERE lane_key = n.lane_key AND run_key > $1
        ORDER BY run_key
        LIMIT $20
    ) AS h
    WHERE ($12::text IS NULL OR n.queue = $12) AND ($13::text IS NULL OR n.workflow = $13)
        AND ($14::text IS NULL OR n.code_version = $14)
    ORDER BY h.run_key
    LIMIT $20
",
    ""
);

// Bits of what is asked for: 1 args, 2 result, 4 error, 8 metadata.
const RUNS_SHOWN: &str = "
SELECT r.run_key, r.run_id, t.run_id, p.run_id, r.lane_key, l.queue, l.workflow, l.code_version,
    r.outcome, r.priority, r.max_tries, r.attempts, r.tries, r.created_at_ms, r.run_at_ms,
    r.finished_at_ms, CASE WHEN $2::bigint & 1 <> 0 THEN r.args END,
    CASE WHEN $2::bigint & 2 <> 0 THEN r.result END, CASE WHEN $2::bigint & 4 <> 0 THEN r.error END,
    CASE WHEN $2::bigint & 8 <> 0 THEN r.metadata END
FROM $schema.sw_workflow_runs AS r
JOIN $schema.sw_workflow_lanes AS l ON l.lane_key = r.lane_key
LEFT JOIN $schema.sw_workflow_runs AS t ON t.run_key = coalesce(r.root_key, r.run_key)
LEFT JOIN $schema.sw_workflow_runs AS p ON p.run_key = r.parent_key
WHERE r.run_key = ANY ($1::bigint[]) AND t.outcome IS DISTINCT FROM 4";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[
    STORE_NAME,
    METADATA_SET,
    ALL_NEWEST,
    ALL_OLDEST,
    CHILDREN_NEWEST,
    CHILDREN_OLDEST,
    TREE_NEWEST,
    TREE_OLDEST,
    SCOPE_NEWEST,
    SCOPE_OLDEST,
    OPEN_NEWEST,
    OPEN_OLDEST,
    BAD_NEWEST,
    BAD_OLDEST,
    LANES_NEWEST,
    LANES_OLDEST,
    RUNS_SHOWN,
];

/// Of which runs a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    All,
    Children,
    Tree,
    Scope,
    Open,
    /// Failed or cancelled.
    Bad,
    /// Those of a queue, workflow or code version.
    Lanes,
}

impl Of {
    /// Returns which pages look at the fewest runs in vain.
    fn filter(filter: &RunFilter) -> Of {
        let within =
            |states: &[RunState]| filter.states.both(RunStates::of(states)) == filter.states;
        let is_named =
            filter.queue.is_some() || filter.workflow.is_some() || filter.code_version.is_some();
        if filter.idempotency_scope.is_some() {
            Of::Scope
        } else if filter.parent_key.is_some() {
            Of::Children
        } else if filter.root_key.is_some() {
            Of::Tree
        } else if within(&RunState::OPEN) {
            Of::Open
        } else if within(&[RunState::Failed, RunState::Cancelled]) {
            Of::Bad
        } else if is_named {
            Of::Lanes
        } else {
            Of::All
        }
    }

    fn sql(self, order: Order) -> &'static str {
        let (newest, oldest) = match self {
            Of::All => (ALL_NEWEST, ALL_OLDEST),
            Of::Children => (CHILDREN_NEWEST, CHILDREN_OLDEST),
            Of::Tree => (TREE_NEWEST, TREE_OLDEST),
            Of::Scope => (SCOPE_NEWEST, SCOPE_OLDEST),
            Of::Open => (OPEN_NEWEST, OPEN_OLDEST),
            Of::Bad => (BAD_NEWEST, BAD_OLDEST),
            Of::Lanes => (LANES_NEWEST, LANES_OLDEST),
        };
        match order {
            Order::Newest => newest,
            Order::Oldest => oldest,
        }
    }
}

/// A run that was looked at.
struct Seen {
    run_key: RunKey,
    /// Whether all but the members of metadata that are asked for is true of it.
    is_meant: bool,
    metadata: Option<String>,
}

impl ListPort for Tx<'_> {
    fn runs_found(&mut self, filter: &RunFilter, walk: &Walk) -> Result<Found> {
        let mut found = Found { run_keys: Vec::new(), looked_at: 0, after: walk.after };
        loop {
            if found.looked_at >= walk.looks_max {
                return Ok(found);
            }
            let page = self.page(filter, walk.order, found.after)?;
            let (count, mut looked) = (page.len(), 0);
            for seen in page {
                if found.run_keys.len() >= walk.found_max as usize {
                    return Ok(found);
                }
                found.looked_at += 1;
                found.after = Some(seen.run_key);
                looked += 1;
                if seen.is_meant && has_members(&seen, &filter.metadata)? {
                    found.run_keys.push(seen.run_key);
                }
            }
            if looked == count && count < PAGE {
                return Ok(Found { after: None, ..found });
            }
        }
    }

    fn runs_shown(
        &mut self,
        run_keys: &[RunKey],
        include: Include,
        bytes: usize,
    ) -> Result<Vec<RunRow>> {
        let Include { args, result, error, metadata, .. } = include;
        let bits = [metadata, error, result, args]
            .iter()
            .fold(0_i64, |bits, is_asked| bits << 1 | i64::from(*is_asked));
        let rows = self.rows(RUNS_SHOWN, &[&Many(run_keys), &bits], read_run)?;
        let mut rows: HashMap<RunKey, RunRow> =
            rows.into_iter().map(|row| (row.run_key, row)).collect();
        let mut rows = run_keys.iter().filter_map(|run_key| rows.remove(run_key)).collect();
        up_to(bytes, &mut rows, |row: &RunRow| len(&row.args) + len(&row.result));
        Ok(rows)
    }

    fn metadata_set(&mut self, run_key: RunKey, _: Option<&str>, metadata: &str) -> Result<()> {
        self.put(METADATA_SET, &[&run_key, &metadata])
    }

    fn store_name(&mut self) -> Result<String> {
        Ok(self.row_opt(STORE_NAME, &[], |row| row.get(0))?.unwrap_or_default())
    }
}

impl Tx<'_> {
    /// Looks at the next runs after one, in an order.
    fn page(
        &mut self,
        filter: &RunFilter,
        order: Order,
        after: Option<RunKey>,
    ) -> Result<Vec<Seen>> {
        let before_all = match order {
            Order::Newest => i64::MAX,
            Order::Oldest => i64::MIN,
        };
        let asked: [&dyn Param; 20] = [
            &after.unwrap_or(before_all),
            &u32::from(filter.states.bits()),
            &filter.created.from_ms,
            &filter.created.to_ms,
            &filter.finished.from_ms,
            &filter.finished.to_ms,
            &filter.parent_key,
            &filter.root_key,
            &filter.is_roots_only,
            &filter.idempotency_scope,
            &filter.idempotency_key,
            &filter.queue,
            &filter.workflow,
            &filter.code_version,
            &filter.is_cancel_asked,
            &filter.is_pause_asked,
            &filter.worker,
            &filter.error_contains,
            &!filter.metadata.is_empty(),
            &PAGE,
        ];
        self.rows(Of::filter(filter).sql(order), &asked, |row| {
            Ok(Seen { run_key: row.get(0)?, is_meant: row.get(1)?, metadata: row.maybe(2)? })
        })
    }
}

fn has_members(seen: &Seen, wanted: &[String]) -> Result<bool> {
    if wanted.is_empty() {
        return Ok(true);
    }
    let Some(metadata) = &seen.metadata else { return Ok(false) };
    let members = metadata::members(metadata)
        .map_err(|_| Error::Corrupt("stored metadata is no JSON object".into()))?;
    Ok(wanted.iter().all(|member| members.contains(member)))
}
