//! Where runs that a filter means may be: blocks, in the order of submission, by each index there is.

use std::cell::{Cell, OnceCell};

use super::marks::{Block, Kind, TOO_MANY, block_of, keys_of, mark_of, minute_of};
use super::tx::Tx;
use crate::domain::port::{
    Order, Outcome, RunFilter, RunKey, RunState, RunStates, Span, TaskState,
};
use crate::error::Result;
use crate::limits::{CLOCK_STEPS_MAX, LIST_GATHER_MAX, LIST_LEAPS_MAX};

const CHILD_BELOW: &str = "
SELECT run_key
FROM sw_workflow_runs
WHERE parent_key = ?1 AND run_key <= ?2
ORDER BY run_key DESC
LIMIT 1";

const CHILD_ABOVE: &str = "
SELECT run_key
FROM sw_workflow_runs
WHERE parent_key = ?1 AND run_key >= ?2
ORDER BY run_key
LIMIT 1";

const TREE_BELOW: &str = "
SELECT run_key
FROM sw_workflow_runs
WHERE root_key = ?1 AND outcome IS ?3 AND run_key <= ?2
ORDER BY run_key DESC
LIMIT 1";

const TREE_ABOVE: &str = "
SELECT run_key
FROM sw_workflow_runs
WHERE root_key = ?1 AND outcome IS ?3 AND run_key >= ?2
ORDER BY run_key
LIMIT 1";

const RUN_BELOW: &str = "
SELECT run_key
FROM sw_workflow_runs
WHERE run_key <= ?1
ORDER BY run_key DESC
LIMIT 1";

const RUN_ABOVE: &str = "
SELECT run_key
FROM sw_workflow_runs
WHERE run_key >= ?1
ORDER BY run_key
LIMIT 1";

const OPEN_BELOW: &str = "
SELECT task_key
FROM sw_workflow_tasks
WHERE task_key <= ?1
ORDER BY task_key DESC
LIMIT 1";

const OPEN_ABOVE: &str = "
SELECT task_key
FROM sw_workflow_tasks
WHERE task_key >= ?1
ORDER BY task_key
LIMIT 1";

const STILL_BELOW: &str = "
SELECT task_key
FROM sw_workflow_tasks
WHERE state = ?1 AND state <> 1 AND state <> 2 AND task_key <= ?2
ORDER BY task_key DESC
LIMIT 1";

const STILL_ABOVE: &str = "
SELECT task_key
FROM sw_workflow_tasks
WHERE state = ?1 AND state <> 1 AND state <> 2 AND task_key >= ?2
ORDER BY task_key
LIMIT 1";

const ALL_READY: &str = "
SELECT task_key
FROM sw_workflow_tasks INDEXED BY tasks_ready
WHERE state = 1
LIMIT ?1";

const ALL_RUNNING: &str = "
SELECT task_key
FROM sw_workflow_tasks INDEXED BY tasks_running
WHERE owner_key IS NOT NULL
LIMIT ?1";

const OF_SCOPE: &str = "
SELECT run_key
FROM sw_workflow_runs
WHERE idem_scope = ?1 AND idem_key IS NOT NULL
LIMIT ?2";

const OF_KEY: &str = "
SELECT run_key
FROM sw_workflow_runs
WHERE idem_scope = ?1 AND idem_key = ?2
LIMIT 1";

const CLOCK_STEPS: &str = "
SELECT run_key
FROM sw_workflow_clock_steps
ORDER BY run_key
LIMIT ?1";

const SUBMITTED_FROM: &str = "
SELECT run_key, created_at_ms
FROM sw_workflow_runs
WHERE run_key >= ?1
ORDER BY run_key
LIMIT 1";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[
    CHILD_BELOW,
    CHILD_ABOVE,
    TREE_BELOW,
    TREE_ABOVE,
    RUN_BELOW,
    RUN_ABOVE,
    OPEN_BELOW,
    OPEN_ABOVE,
    STILL_BELOW,
    STILL_ABOVE,
    ALL_READY,
    ALL_RUNNING,
    OF_SCOPE,
    OF_KEY,
    CLOCK_STEPS,
    SUBMITTED_FROM,
];

/// Blocks of open runs that are gone through before those of one state are gathered.
const FEW_LEAPS: u32 = 8;

/// Where runs of a kind may be.
pub(super) enum Source {
    /// A mark.
    Names(Kind, String),
    /// A mark.
    Ended(Outcome),
    /// Open runs.
    Open,
    /// Open runs in a state that has an index in another order: while the nearest open runs are such,
    /// all are gone through, then those of the state are gathered, if they are few.
    Few { sql: &'static str, asked: Cell<u32>, gathered: OnceCell<Option<Vec<Block>>> },
    /// Open runs in a state that has an index.
    Still(TaskState),
    /// Children of a run.
    Children(RunKey),
    /// The tree of a run.
    Tree(RunKey),
    /// These, in order.
    Blocks(Vec<Block>),
    /// Where any of these is.
    AnyOf(Vec<Source>),
}

/// Returns the first of them in an order.
fn nearest(blocks: impl Iterator<Item = Block>, order: Order) -> Option<Block> {
    match order {
        Order::Newest => blocks.max(),
        Order::Oldest => blocks.min(),
    }
}

/// Returns the nearest of some blocks in order, from this one on.
fn nearest_of(blocks: &[Block], from: Block, order: Order) -> Option<Block> {
    match order {
        Order::Newest => {
            let after = blocks.partition_point(|block| *block <= from);
            after.checked_sub(1).and_then(|at| blocks.get(at)).copied()
        }
        Order::Oldest => blocks.get(blocks.partition_point(|block| *block < from)).copied(),
    }
}

/// Returns the one of two that comes later in an order.
pub(super) fn later(one: i64, other: i64, order: Order) -> i64 {
    match order {
        Order::Newest => one.min(other),
        Order::Oldest => one.max(other),
    }
}

/// Returns the key from which a block is entered.
pub(super) fn entry(block: Block, order: Order) -> RunKey {
    let (first, last) = keys_of(block);
    match order {
        Order::Newest => last,
        Order::Oldest => first,
    }
}

impl Source {
    /// Returns the nearest block, from this one on.
    pub(super) fn next(&self, tx: &Tx<'_>, from: Block, order: Order) -> Result<Option<Block>> {
        let newest = order == Order::Newest;
        let pick = |below, above| if newest { below } else { above };
        let key = entry(from, order);
        let found = |run_key: Option<RunKey>| run_key.map(block_of);
        match self {
            Source::Names(kind, value) => tx.marked((*kind, value), from, order),
            Source::Ended(outcome) => tx.marked((Kind::Outcome, outcome), from, order),
            Source::Open => tx.key(pick(OPEN_BELOW, OPEN_ABOVE), [key]).map(found),
            Source::Still(state) => {
                tx.key(pick(STILL_BELOW, STILL_ABOVE), (*state, key)).map(found)
            }
            Source::Children(parent) => {
                tx.key(pick(CHILD_BELOW, CHILD_ABOVE), (*parent, key)).map(found)
            }
            Source::Tree(root) => tx.in_tree(*root, from, order),
            Source::Few { sql, asked, gathered } => {
                asked.set(asked.get().saturating_add(1));
                if asked.get() > FEW_LEAPS && gathered.get().is_none() {
                    let keys = tx.all(sql, [LIST_GATHER_MAX], |row| row.get(0))?;
                    // Set once: nobody else has it.
                    let _ = gathered.set(blocks_of(keys));
                }
                match gathered.get() {
                    Some(Some(blocks)) => Ok(nearest_of(blocks, from, order)),
                    Some(None) | None => Source::Open.next(tx, from, order),
                }
            }
            Source::Blocks(blocks) => Ok(nearest_of(blocks, from, order)),
            Source::AnyOf(sources) => {
                let mut blocks = Vec::with_capacity(sources.len());
                for source in sources {
                    blocks.extend(source.next(tx, from, order)?);
                }
                Ok(nearest(blocks.into_iter(), order))
            }
        }
    }
}

/// The first and the last key among which a list looks; none when the first is the larger.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) first: RunKey,
    pub(super) last: RunKey,
}

impl Tx<'_> {
    pub(super) fn key(
        &self,
        sql: &'static str,
        params: impl rusqlite::Params,
    ) -> Result<Option<RunKey>> {
        self.one(sql, params, |row| row.get(0))
    }

    fn in_tree(&self, root: RunKey, from: Block, order: Order) -> Result<Option<Block>> {
        let sql = if order == Order::Newest { TREE_BELOW } else { TREE_ABOVE };
        let mut blocks = Vec::with_capacity(5);
        for outcome in [None, Some(1), Some(2), Some(3)] {
            blocks.extend(self.key(sql, (root, entry(from, order), outcome))?.map(block_of));
        }
        blocks.extend(Some(block_of(root)).filter(|at| later(*at, from, order) == *at));
        Ok(nearest(blocks.into_iter(), order))
    }

    /// Returns the next key at which every source may have a run; `None` when there is none.
    pub(super) fn leap(
        &self,
        sources: &[Source],
        at: RunKey,
        order: Order,
        leaps: &mut u32,
    ) -> Result<Option<RunKey>> {
        let sql = if order == Order::Newest { RUN_BELOW } else { RUN_ABOVE };
        let Some(mut key) = self.key(sql, [at])? else { return Ok(None) };
        let mut agreed = 0;
        for source in sources.iter().cycle() {
            if agreed >= sources.len() {
                break;
            }
            let Some(block) = source.next(self, block_of(key), order)? else { return Ok(None) };
            *leaps += 1;
            if block == block_of(key) {
                agreed += 1;
            } else {
                (key, agreed) = (later(entry(block, order), key, order), 1);
            }
            if *leaps >= LIST_LEAPS_MAX {
                break;
            }
        }
        Ok(Some(key))
    }

    pub(super) fn sources(&self, filter: &RunFilter) -> Result<Vec<Source>> {
        let mut sources = Vec::new();
        if let Some(scope) = &filter.idempotency_scope {
            sources.extend(self.of_idempotency(scope, filter.idempotency_key.as_deref())?);
        }
        sources.extend(filter.parent_key.map(Source::Children));
        sources.extend(filter.root_key.map(Source::Tree));
        for member in &filter.metadata {
            let kind = Kind::Metadata;
            let either = [mark_of(member), TOO_MANY.into()].map(|mark| Source::Names(kind, mark));
            sources.push(Source::AnyOf(either.into()));
        }
        let named = [
            (Kind::CodeVersion, &filter.code_version),
            (Kind::Workflow, &filter.workflow),
            (Kind::Queue, &filter.queue),
        ];
        for (kind, name) in named {
            sources.extend(name.clone().map(|name| Source::Names(kind, name)));
        }
        sources.extend(self.of_end(&filter.finished)?);
        sources.extend(of_states(states(filter)));
        Ok(sources)
    }

    fn of_idempotency(&self, scope: &str, key: Option<&str>) -> Result<Option<Source>> {
        let keys = match key {
            Some(key) => self.all(OF_KEY, (scope, key), |row| row.get(0))?,
            None => self.all(OF_SCOPE, (scope, LIST_GATHER_MAX), |row| row.get(0))?,
        };
        Ok(blocks_of(keys).map(Source::Blocks))
    }

    fn of_end(&self, span: &Span) -> Result<Option<Source>> {
        if span.is_whole() {
            return Ok(None);
        }
        let from = span.from_ms.map_or(0, minute_of);
        let to = span.to_ms.map_or(i64::MAX, minute_of);
        let blocks = self.ended_in(from, to, LIST_GATHER_MAX)?;
        Ok(in_order(blocks).map(Source::Blocks))
    }

    /// Returns among which keys the runs of a filter are: a time of submission is found by halving,
    /// between two steps of the clock.
    pub(super) fn bounds(&self, filter: &RunFilter) -> Result<Bounds> {
        let newest = self.key(RUN_BELOW, [i64::MAX])?.unwrap_or(0);
        let all = Bounds { first: 1.min(newest), last: newest };
        if filter.created.is_whole() {
            return Ok(all);
        }
        let steps: Vec<RunKey> = self.all(CLOCK_STEPS, [CLOCK_STEPS_MAX + 1], |row| row.get(0))?;
        if steps.len() > CLOCK_STEPS_MAX as usize {
            return Ok(all);
        }
        let starts = [all.first].into_iter().chain(steps.iter().copied());
        let ends = steps.iter().copied().chain([all.last + 1]);
        let mut bounds = Bounds { first: i64::MAX, last: i64::MIN };
        for (start, end) in starts.zip(ends) {
            let first = match filter.created.from_ms {
                Some(from_ms) => self.first_submitted(start, end, from_ms)?,
                None => start,
            };
            let end = match filter.created.to_ms {
                Some(to_ms) => self.first_submitted(start, end, to_ms)?,
                None => end,
            };
            if first < end {
                bounds.first = bounds.first.min(first);
                bounds.last = bounds.last.max(end - 1);
            }
        }
        Ok(bounds)
    }

    /// Returns a key of this span, whose times grow, before which all runs were submitted before an
    /// instant, and after it none.
    fn first_submitted(&self, start: RunKey, end: RunKey, at_ms: i64) -> Result<RunKey> {
        let (mut low, mut high) = (start, end);
        while low < high {
            let middle = low + (high - low) / 2;
            let seen = self.one(SUBMITTED_FROM, [middle], |row| {
                Ok((row.get::<_, RunKey>(0)?, row.get::<_, i64>(1)?))
            })?;
            match seen {
                Some((key, created_at_ms)) if key < end && created_at_ms < at_ms => low = key + 1,
                Some(_) | None => high = middle,
            }
        }
        Ok(low)
    }
}

/// Returns the states in which a run can be for the rest of a filter to be true.
fn states(filter: &RunFilter) -> RunStates {
    let ended = [RunState::Completed, RunState::Failed, RunState::Cancelled];
    let mut states = filter.states;
    if !filter.finished.is_whole() {
        states = states.both(RunStates::of(&ended));
    }
    if filter.is_cancel_asked == Some(true) {
        states = states.both(RunStates::of(&[RunState::Running]));
    }
    states
}

/// Returns where runs in some states are; `None` where in any.
fn of_states(states: RunStates) -> Option<Source> {
    if states == RunStates::ANY {
        return None;
    }
    let ended = [
        (RunState::Completed, Outcome::Completed),
        (RunState::Failed, Outcome::Failed),
        (RunState::Cancelled, Outcome::Cancelled),
    ];
    let mut sources = of_open_states(states);
    for (state, outcome) in ended {
        sources.extend(states.has(state).then_some(Source::Ended(outcome)));
    }
    Some(Source::AnyOf(sources))
}

/// Ready and running runs have no index in the order of submission, since each claim would pay for it.
fn of_open_states(states: RunStates) -> Vec<Source> {
    let open = RunStates::of(&RunState::OPEN);
    if states.both(open) == open {
        return vec![Source::Open];
    }
    let mut sources = Vec::new();
    for (state, sql) in [(RunState::Pending, ALL_READY), (RunState::Running, ALL_RUNNING)] {
        let few = || Source::Few { sql, asked: Cell::new(0), gathered: OnceCell::new() };
        sources.extend(states.has(state).then(few));
    }
    for (state, still) in [
        (RunState::Pending, TaskState::Delayed),
        (RunState::Pending, TaskState::Blocked),
        (RunState::Waiting, TaskState::Waiting),
        (RunState::Paused, TaskState::Paused),
    ] {
        sources.extend(states.has(state).then_some(Source::Still(still)));
    }
    sources
}

/// Returns the blocks of runs in order; `None` when they may not be all.
fn blocks_of(keys: Vec<RunKey>) -> Option<Vec<Block>> {
    in_order(keys.into_iter().map(block_of).collect())
}

fn in_order(mut blocks: Vec<Block>) -> Option<Vec<Block>> {
    if blocks.len() >= LIST_GATHER_MAX as usize {
        return None;
    }
    blocks.sort_unstable();
    blocks.dedup();
    Some(blocks)
}
