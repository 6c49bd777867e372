//! Finding runs by what they are: leaps from block to block, and a look at the runs of each.
//!
//! Each part of a filter that has an index names *sources* ([`super::sources`]): each gives the nearest
//! block, from one on, that may hold such a run. Where all of them agree on a block its runs are looked
//! at, by a statement that asks for the whole filter. So several parts narrow a list together, whichever
//! is the rarest, and what has no index is asked of the runs that the others leave.

use std::collections::HashMap;

use rusqlite::named_params;

use super::errors::map;
use super::marks::{block_of, keys_of};
use super::query::read_run;
use super::sources::{Bounds, Source};
use super::tx::{Tx, list};
use crate::domain::metadata;
use crate::domain::port::{Found, Include, ListPort, Order, RunFilter, RunKey, RunRow, Walk};
use crate::error::{Error, Result};
use crate::limits::LIST_LEAPS_MAX;

const STORE_NAME: &str = "
SELECT hex(store_id) || '.' || lineage
FROM sw_store
WHERE one = 1";

const METADATA_SET: &str = "
UPDATE sw_workflow_runs
SET metadata = ?2
WHERE run_key = ?1";

/// The runs of a block that a filter means; of the members of metadata none is asked for here. A root
/// that is being pruned (outcome 4) is in no state that can be asked for, its tree is looked up. Two
/// statements, since an order is no value.
macro_rules! runs_of_block {
    ($order:literal) => {
        concat!(
            "
SELECT r.run_key, CASE WHEN :metadata THEN r.metadata END
FROM sw_workflow_runs AS r
CROSS JOIN sw_workflow_lanes AS l ON l.lane_key = r.lane_key
LEFT JOIN sw_workflow_tasks AS t ON t.task_key = r.run_key
WHERE r.run_key >= :first AND r.run_key <= :last
    AND CASE WHEN r.outcome IS NULL THEN :states & 15 ELSE :states >> (r.outcome + 3) & 1 END
    AND (:created_from IS NULL OR r.created_at_ms >= :created_from)
    AND (:created_to IS NULL OR r.created_at_ms < :created_to)
    AND (:finished_from IS NULL OR r.finished_at_ms >= :finished_from)
    AND (:finished_to IS NULL OR r.finished_at_ms < :finished_to)
    AND (:parent IS NULL OR r.parent_key = :parent)
    AND (:root IS NULL OR coalesce(r.root_key, r.run_key) = :root)
    AND (r.root_key IS NULL OR 4 IS NOT (
        SELECT p.outcome FROM sw_workflow_runs AS p WHERE p.run_key = r.root_key
    ))
    AND (NOT :roots_only OR r.parent_key IS NULL)
    AND (:scope IS NULL OR r.idem_scope = :scope)
    AND (:key IS NULL OR r.idem_key = :key)
    AND (:queue IS NULL OR l.queue = :queue)
    AND (:workflow IS NULL OR l.workflow = :workflow)
    AND (:version IS NULL OR l.code_version = :version)
    AND (r.outcome IS NOT NULL OR :states >> CASE t.state WHEN 2 THEN 1 WHEN 3 THEN 2 WHEN 4 THEN 3
        ELSE 0 END & 1)
    AND (:cancel IS NULL OR coalesce(t.flags & 1, 0) = :cancel)
    AND (:pause IS NULL OR coalesce(t.state = 4 OR t.flags & 4, 0) = :pause)
    AND (:worker IS NULL OR :worker = CASE t.state WHEN 2 THEN t.worker ELSE (
        SELECT a.worker
        FROM sw_workflow_attempts AS a
        WHERE a.run_key = r.run_key
        ORDER BY a.number DESC
        LIMIT 1
    ) END)
    AND (:error IS NULL OR instr(CASE WHEN r.outcome IS NOT NULL THEN r.error ELSE (
        SELECT a.error
        FROM sw_workflow_attempts AS a
        WHERE a.run_key = r.run_key AND a.error IS NOT NULL
        ORDER BY a.number DESC
        LIMIT 1
    ) END, :error) > 0)
ORDER BY r.run_key",
            $order,
            "
LIMIT 128"
        )
    };
}

const RUNS_OF_BLOCK_NEWEST: &str = runs_of_block!(" DESC");
const RUNS_OF_BLOCK_OLDEST: &str = runs_of_block!("");

// Bits of what is asked for: 1 args, 2 result, 4 error, 8 metadata.
const RUNS_SHOWN: &str = "
SELECT r.run_key, r.run_id, t.run_id, p.run_id, r.lane_key, l.queue, l.workflow, l.code_version,
    r.outcome, r.priority, r.max_tries, r.attempts, r.tries, r.created_at_ms, r.run_at_ms,
    r.finished_at_ms, CASE WHEN ?2 & 1 THEN coalesce(b.body, r.args) END,
    CASE WHEN ?2 & 2 THEN r.result END, CASE WHEN ?2 & 4 THEN r.error END,
    CASE WHEN ?2 & 8 THEN r.metadata END
FROM sw_workflow_runs AS r
JOIN sw_workflow_lanes AS l ON l.lane_key = r.lane_key
LEFT JOIN sw_workflow_runs AS t ON t.run_key = coalesce(r.root_key, r.run_key)
LEFT JOIN sw_workflow_runs AS p ON p.run_key = r.parent_key
LEFT JOIN sw_payloads AS b ON b.payload_key = r.args_key AND ?2 & 1
WHERE r.run_key IN (SELECT value FROM json_each(?1)) AND t.outcome IS NOT 4";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] =
    &[STORE_NAME, METADATA_SET, RUNS_OF_BLOCK_NEWEST, RUNS_OF_BLOCK_OLDEST, RUNS_SHOWN];

/// A walk under way.
struct Progress {
    found: Vec<RunKey>,
    looked_at: u32,
    leaps: u32,
    after: Option<RunKey>,
}

impl ListPort for Tx<'_> {
    fn runs_found(&mut self, filter: &RunFilter, walk: &Walk) -> Result<Found> {
        let mut bounds = self.bounds(filter)?;
        if let Some(after) = walk.after {
            match walk.order {
                Order::Newest => bounds.last = bounds.last.min(after.saturating_sub(1)),
                Order::Oldest => bounds.first = bounds.first.max(after.saturating_add(1)),
            }
        }
        let sources = self.sources(filter)?;
        let mut progress =
            Progress { found: Vec::new(), looked_at: 0, leaps: 0, after: walk.after };
        let is_through = self.leap_through(filter, &sources, walk, bounds, &mut progress)?;
        let Progress { found: run_keys, looked_at, after, .. } = progress;
        Ok(Found { run_keys, looked_at, after: after.filter(|_| !is_through) })
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
        let rows = self.all(RUNS_SHOWN, (list(run_keys), bits), read_run)?;
        let mut rows: HashMap<RunKey, RunRow> =
            rows.into_iter().map(|row| (row.run_key, row)).collect();
        let mut rows = run_keys.iter().filter_map(|run_key| rows.remove(run_key)).collect();
        self.payloads_up_to(bytes, &mut rows, |row| [row.args.as_mut(), row.result.as_mut()])?;
        Ok(rows)
    }

    fn metadata_set(
        &mut self,
        run_key: RunKey,
        before: Option<&str>,
        metadata: &str,
    ) -> Result<()> {
        self.execute(METADATA_SET, (run_key, metadata))?;
        self.mark_metadata(run_key, before, metadata)
    }

    fn store_name(&mut self) -> Result<String> {
        Ok(self.one(STORE_NAME, [], |row| row.get(0))?.unwrap_or_default())
    }
}

impl Tx<'_> {
    /// Goes from block to block; answers whether it came to the end.
    fn leap_through(
        &self,
        filter: &RunFilter,
        sources: &[Source],
        walk: &Walk,
        bounds: Bounds,
        progress: &mut Progress,
    ) -> Result<bool> {
        let order = walk.order;
        let mut at = match order {
            Order::Newest => bounds.last,
            Order::Oldest => bounds.first,
        };
        while (bounds.first..=bounds.last).contains(&at) {
            let is_spent = progress.looked_at >= walk.looks_max || progress.leaps >= LIST_LEAPS_MAX;
            if is_spent || progress.found.len() >= walk.found_max as usize {
                return Ok(false);
            }
            let Some(next) = self.leap(sources, at, order, &mut progress.leaps)? else {
                return Ok(true);
            };
            let (first, last) = keys_of(block_of(next));
            // From here on in this block, within the bounds.
            let part = match order {
                Order::Newest => {
                    Bounds { first: first.max(bounds.first), last: last.min(at).min(next) }
                }
                Order::Oldest => {
                    Bounds { first: first.max(at).max(next), last: last.min(bounds.last) }
                }
            };
            if part.first <= part.last {
                self.look(filter, walk, part, progress)?;
            } else {
                progress.after = Some(next);
            }
            let after = progress.after.unwrap_or(at);
            at = match order {
                Order::Newest => after.saturating_sub(1),
                Order::Oldest => after.saturating_add(1),
            };
        }
        Ok(true)
    }

    /// Looks at the runs of a part of a block.
    fn look(
        &self,
        filter: &RunFilter,
        walk: &Walk,
        part: Bounds,
        progress: &mut Progress,
    ) -> Result<()> {
        let sql = match walk.order {
            Order::Newest => RUNS_OF_BLOCK_NEWEST,
            Order::Oldest => RUNS_OF_BLOCK_OLDEST,
        };
        let asks_metadata = !filter.metadata.is_empty();
        let mut statement = self.prepare(sql)?;
        let mut rows = statement
            .query(named_params! {
                ":first": part.first,
                ":last": part.last,
                ":states": filter.states.bits(),
                ":created_from": filter.created.from_ms,
                ":created_to": filter.created.to_ms,
                ":finished_from": filter.finished.from_ms,
                ":finished_to": filter.finished.to_ms,
                ":parent": filter.parent_key,
                ":root": filter.root_key,
                ":roots_only": filter.is_roots_only,
                ":scope": filter.idempotency_scope,
                ":key": filter.idempotency_key,
                ":queue": filter.queue,
                ":workflow": filter.workflow,
                ":version": filter.code_version,
                ":cancel": filter.is_cancel_asked,
                ":pause": filter.is_pause_asked,
                ":worker": filter.worker,
                ":error": filter.error_contains,
                ":metadata": asks_metadata,
            })
            .map_err(map)?;
        let mut end = match walk.order {
            Order::Newest => part.first,
            Order::Oldest => part.last,
        };
        while let Some(row) = rows.next().map_err(map)? {
            let run_key: RunKey = row.get(0).map_err(map)?;
            let metadata: Option<String> = row.get(1).map_err(map)?;
            if asks_metadata && !has_members(metadata.as_deref(), &filter.metadata)? {
                continue;
            }
            progress.found.push(run_key);
            if progress.found.len() >= walk.found_max as usize {
                end = run_key;
                break;
            }
        }
        let looked_at = match walk.order {
            Order::Newest => part.last - end,
            Order::Oldest => end - part.first,
        };
        progress.looked_at += u32::try_from(looked_at).unwrap_or(u32::MAX).saturating_add(1);
        progress.after = Some(end);
        Ok(())
    }
}

fn has_members(metadata: Option<&str>, wanted: &[String]) -> Result<bool> {
    let Some(metadata) = metadata else { return Ok(false) };
    let members = metadata::members(metadata)
        .map_err(|_| Error::Corrupt("stored metadata is no JSON object".into()))?;
    Ok(wanted.iter().all(|member| members.contains(member)))
}
