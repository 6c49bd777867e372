//! Lanes: where runs queue up, and which of them has the next one ready.
//!
//! A lane's row says from which place on, in the order of claims, runs of it may be ready; NULL where
//! none is. A claim goes through the lanes in that order and stops where the next place lies behind
//! the best run it has found, so that lanes with nothing ready, and lanes behind, are not looked at. A
//! claim of many takes from all lanes that it has seen in their common order ([`Walk`]), and looks at
//! twice as many lanes each time it must look again.
//!
//! A place may be too early, never too late: whatever makes a run ready moves it forward
//! ([`Tx::lane_reach`]). Whatever takes a ready run away moves it back ([`Tx::lane_settle`]), but not
//! while few lanes of the queue have a place: one or two busy lanes are never written to, and a claim
//! looks in vain into a few lanes at most.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Params, Row};

use super::errors::map;
use super::tx::{Place, Tx};
use crate::domain::port::{LaneFilter, LaneKey, OwnerKey, RunKey, Task, TaskState};
use crate::error::Result;
use crate::limits::{LANES_LOOSE_MAX, LANES_PASSED_MAX};
use crate::plant::{Plant, stands};

// All lanes that have a place. The head of one is looked up only where the names are asked for.
const LANES: &str = "
SELECT l.first_priority, l.first_due_at_ms, l.first_task_key, l.is_named, l.lane_key, h.priority,
    h.due_at_ms, h.task_key
FROM (
    SELECT lane_key, first_priority, first_due_at_ms, first_task_key,
        (?3 IS NULL OR workflow IN (SELECT value FROM json_each(?3)))
            AND (?4 IS NULL OR code_version = ''
                OR code_version IN (SELECT value FROM json_each(?4))) AS is_named
    FROM sw_workflow_lanes INDEXED BY lanes_first
    WHERE queue = ?1 AND owner_key = ?2 AND first_task_key IS NOT NULL
) AS l
LEFT JOIN sw_workflow_tasks AS h ON h.task_key = (
    SELECT t.task_key
    FROM sw_workflow_tasks AS t
    WHERE t.lane_key = l.lane_key AND t.state = 1 AND l.is_named
    ORDER BY t.priority, t.due_at_ms, t.task_key
    LIMIT 1
)
ORDER BY l.first_priority, l.first_due_at_ms, l.first_task_key";

const LANES_OF_WORKFLOW: &str = "
SELECT l.first_priority, l.first_due_at_ms, l.first_task_key, 1, l.lane_key, h.priority, h.due_at_ms,
    h.task_key
FROM sw_workflow_lanes AS l INDEXED BY lanes_first_of_workflow
LEFT JOIN sw_workflow_tasks AS h ON h.task_key = (
    SELECT t.task_key
    FROM sw_workflow_tasks AS t
    WHERE t.lane_key = l.lane_key AND t.state = 1
    ORDER BY t.priority, t.due_at_ms, t.task_key
    LIMIT 1
)
WHERE l.queue = ?1 AND l.owner_key = ?2 AND l.workflow = ?3 AND l.first_task_key IS NOT NULL
ORDER BY l.first_priority, l.first_due_at_ms, l.first_task_key";

const LANES_OF_VERSION: &str = "
SELECT l.first_priority, l.first_due_at_ms, l.first_task_key, 1, l.lane_key, h.priority, h.due_at_ms,
    h.task_key
FROM sw_workflow_lanes AS l INDEXED BY lanes_first_of_version
LEFT JOIN sw_workflow_tasks AS h ON h.task_key = (
    SELECT t.task_key
    FROM sw_workflow_tasks AS t
    WHERE t.lane_key = l.lane_key AND t.state = 1
    ORDER BY t.priority, t.due_at_ms, t.task_key
    LIMIT 1
)
WHERE l.queue = ?1 AND l.owner_key = ?2 AND l.code_version = ?3 AND l.first_task_key IS NOT NULL
ORDER BY l.first_priority, l.first_due_at_ms, l.first_task_key";

const LANE_OF_NAMES: &str = "
SELECT l.first_priority, l.first_due_at_ms, l.first_task_key, 1, l.lane_key, h.priority, h.due_at_ms,
    h.task_key
FROM sw_workflow_lanes AS l INDEXED BY lanes_by_name
LEFT JOIN sw_workflow_tasks AS h ON h.task_key = (
    SELECT t.task_key
    FROM sw_workflow_tasks AS t
    WHERE t.lane_key = l.lane_key AND t.state = 1
    ORDER BY t.priority, t.due_at_ms, t.task_key
    LIMIT 1
)
WHERE l.queue = ?1 AND l.owner_key = ?2 AND l.workflow = ?3 AND l.code_version = ?4
    AND l.first_task_key IS NOT NULL";

const HEADS: &str = "
SELECT priority, due_at_ms, task_key
FROM sw_workflow_tasks
WHERE lane_key = ?1 AND state = 1
ORDER BY priority, due_at_ms, task_key
LIMIT ?2";

const LANE_REACH: &str = "
UPDATE sw_workflow_lanes
SET first_priority = ?2, first_due_at_ms = ?3, first_task_key = ?4
WHERE lane_key = ?1 AND (
    first_task_key IS NULL
    OR (?2, ?3, ?4) < (first_priority, first_due_at_ms, first_task_key)
)";

// Asked apart from the update: that one opens every index of the table before it looks.
const LANE_IS_AMONG_MANY: &str = "
SELECT 1
FROM sw_workflow_lanes AS o INDEXED BY lanes_first
WHERE o.queue = (SELECT queue FROM sw_workflow_lanes WHERE lane_key = ?1)
    AND o.owner_key = (SELECT owner_key FROM sw_workflow_lanes WHERE lane_key = ?1)
    AND o.first_task_key IS NOT NULL
LIMIT 1 OFFSET ?2";

const LANE_SETTLE: &str = "
UPDATE sw_workflow_lanes
SET (first_priority, first_due_at_ms, first_task_key) = (
    SELECT t.priority, t.due_at_ms, t.task_key
    FROM sw_workflow_tasks AS t
    WHERE t.lane_key = ?1 AND t.state = 1
    ORDER BY t.priority, t.due_at_ms, t.task_key
    LIMIT 1
)
WHERE lane_key = ?1 AND first_task_key IS NOT NULL";

/// Every statement of this file, for the test of their plans.
pub(super) const STATEMENTS: &[&str] = &[
    LANES,
    LANES_OF_WORKFLOW,
    LANES_OF_VERSION,
    LANE_OF_NAMES,
    HEADS,
    LANE_REACH,
    LANE_IS_AMONG_MANY,
    LANE_SETTLE,
];

/// A lane as a claim sees it.
struct Seen {
    /// No run of it is ready before this place.
    from: Place,
    is_named: bool,
    lane_key: LaneKey,
    head: Option<Place>,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Seen> {
    let key: Option<RunKey> = row.get(7)?;
    let head = key.map(|key| Ok((row.get(5)?, row.get(6)?, key))).transpose();
    Ok(Seen {
        from: (row.get(0)?, row.get(1)?, row.get(2)?),
        is_named: row.get(3)?,
        lane_key: row.get(4)?,
        head: head.map_err(|error: rusqlite::Error| error)?,
    })
}

/// How a statement about lanes was gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passed {
    /// To its end, and those were all that may keep their place.
    Few,
    /// Until enough was known.
    Enough,
    /// Given up: too many were not the ones asked for.
    TooMany,
}

/// A lane that a walk has seen to have a ready run.
#[derive(Debug)]
struct Open {
    owner_key: OwnerKey,
    /// It has a place among few lanes and may keep it.
    is_loose: bool,
    /// Runs of it that are known and not taken.
    known: usize,
    /// Runs of it that were taken.
    taken: usize,
    /// It may have ready runs beyond those that are known.
    has_more: bool,
}

/// A walk through lanes, as far as it has come, and the runs that are next in those it has seen.
#[derive(Debug)]
pub(super) struct Walk {
    /// How many lanes with a ready run it looks for.
    lanes_min: usize,
    lanes: BTreeMap<LaneKey, Open>,
    /// Ready runs in the order of claims; of each lane that has more than these, one at least.
    line: BTreeMap<Place, LaneKey>,
    /// No other lane has a ready run before this place.
    others_from: Option<Place>,
}

impl Walk {
    fn new(lanes_min: usize) -> Walk {
        Walk { lanes_min, lanes: BTreeMap::new(), line: BTreeMap::new(), others_from: None }
    }

    fn first(&self) -> Option<Place> {
        self.line.first_key_value().map(|(place, _)| *place)
    }

    fn see(&mut self, lane_key: LaneKey, owner_key: OwnerKey, head: Place) {
        let lane = Open { owner_key, is_loose: false, known: 1, taken: 0, has_more: true };
        self.lanes.entry(lane_key).or_insert(lane);
        self.line.insert(head, lane_key);
    }

    fn see_other(&mut self, from: Place) {
        self.others_from = Some(self.others_from.map_or(from, |known| known.min(from)));
    }

    /// Returns whether nothing behind this place is asked for.
    fn is_enough_before(&self, from: Place) -> bool {
        self.lanes.len() >= self.lanes_min && self.first().is_some_and(|first| first < from)
    }

    /// Returns the next run of all lanes, if no lane that was not seen may have one before it.
    pub(super) fn take_next(&mut self) -> Option<(RunKey, LaneKey)> {
        let (place, lane_key) = self.line.pop_first()?;
        if self.others_from.is_some_and(|others| others <= place) {
            return None;
        }
        if let Some(lane) = self.lanes.get_mut(&lane_key) {
            lane.known -= 1;
            lane.taken += 1;
        }
        Some((place.2, lane_key))
    }
}

impl Tx<'_> {
    /// Returns the first ready run of the lanes that match.
    pub(super) fn first_ready(&self, filter: &LaneFilter) -> Result<Option<RunKey>> {
        Ok(self.walk(filter, 1)?.first().map(|(_, _, key)| key))
    }

    /// Goes through the lanes that match until it is known where the first ready run is, and where those
    /// of as many lanes are.
    pub(super) fn walk(&self, filter: &LaneFilter, lanes_min: usize) -> Result<Walk> {
        let mut walk = Walk::new(lanes_min);
        let own = Some(filter.owner_key).filter(|key| *key != 0);
        for owner_key in [0].into_iter().chain(own) {
            if !self.pass_lanes(filter, owner_key, &mut walk)? {
                self.ask_by_name(filter, owner_key, &mut walk)?;
            }
        }
        Ok(walk)
    }

    /// Looks what comes next in a lane whose runs were all taken, for a claim that wants up to `left`
    /// more: no more than its part of them, or twice what it has given before, and none behind other
    /// lanes, so that what is read is soon taken.
    pub(super) fn walk_on(&self, walk: &mut Walk, lane_key: LaneKey, left: usize) -> Result<()> {
        let part = left / walk.lanes.len().max(1) + 1;
        let Some(lane) = walk.lanes.get_mut(&lane_key) else { return Ok(()) };
        if lane.known > 0 || !lane.has_more {
            return Ok(());
        }
        let limit = left.min(part.max(lane.taken * 2));
        let bound = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = self.prepare(HEADS)?;
        let mut rows = statement.query((lane_key, bound)).map_err(map)?;
        while let Some(row) = rows.next().map_err(map)? {
            let read = || Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            let place = read().map_err(map)?;
            if walk.others_from.is_some_and(|others| others <= place) {
                break;
            }
            walk.line.insert(place, lane_key);
            lane.known += 1;
        }
        lane.has_more = lane.known == limit;
        Ok(())
    }

    /// Notes in the lanes of a walk what was taken from them.
    pub(super) fn walk_end(&self, walk: Walk) -> Result<()> {
        for (lane_key, lane) in walk.lanes.into_iter().filter(|(_, lane)| lane.taken > 0) {
            if lane.is_loose {
                self.lane_loosen();
            } else {
                self.lane_settle(lane_key)?;
            }
        }
        Ok(())
    }

    /// Goes through all lanes of an owner; answers `false` when too many were not the ones asked for.
    fn pass_lanes(
        &self,
        filter: &LaneFilter,
        owner_key: OwnerKey,
        walk: &mut Walk,
    ) -> Result<bool> {
        let workflows = names_json(filter.workflows.as_deref());
        let versions = names_json(filter.code_versions.as_deref());
        let params = (&filter.queue, owner_key, workflows, versions);
        let passed = self.go_through(LANES, params, owner_key, walk)?;
        let own = walk.lanes.values_mut().filter(|lane| lane.owner_key == owner_key);
        own.for_each(|lane| lane.is_loose = passed == Passed::Few);
        Ok(passed != Passed::TooMany)
    }

    /// Looks up what is asked for name by name, whatever lies about.
    fn ask_by_name(&self, filter: &LaneFilter, owner_key: OwnerKey, walk: &mut Walk) -> Result<()> {
        let queue = &filter.queue;
        let versions = filter
            .code_versions
            .as_ref()
            .map(|names| names.iter().map(String::as_str).chain([""]).collect::<BTreeSet<&str>>());
        let workflows: Option<BTreeSet<&str>> =
            filter.workflows.as_ref().map(|names| names.iter().map(String::as_str).collect());
        match (workflows, versions) {
            (Some(workflows), Some(versions)) => {
                for workflow in workflows {
                    for version in &versions {
                        let names = (queue, owner_key, workflow, version);
                        self.go_through(LANE_OF_NAMES, names, owner_key, walk)?;
                    }
                }
            }
            (Some(workflows), None) => {
                for workflow in workflows {
                    let names = (queue, owner_key, workflow);
                    self.go_through(LANES_OF_WORKFLOW, names, owner_key, walk)?;
                }
            }
            (None, versions) => {
                for version in versions.into_iter().flatten() {
                    let names = (queue, owner_key, version);
                    self.go_through(LANES_OF_VERSION, names, owner_key, walk)?;
                }
            }
        }
        Ok(())
    }

    /// Goes through lanes in the order of their places, as far as one may hold a run that is asked for.
    fn go_through(
        &self,
        sql: &'static str,
        params: impl Params,
        owner_key: OwnerKey,
        walk: &mut Walk,
    ) -> Result<Passed> {
        let mut statement = self.prepare(sql)?;
        let mut rows = statement.query(params).map_err(map)?;
        let (mut count, mut unnamed) = (0, 0);
        while let Some(row) = rows.next().map_err(map)? {
            let lane = read(row).map_err(map)?;
            if walk.is_enough_before(lane.from) {
                walk.see_other(lane.from);
                return Ok(Passed::Enough);
            }
            if let Some(head) = lane.head {
                walk.see(lane.lane_key, owner_key, head);
            }
            count += 1;
            unnamed += u32::from(!lane.is_named);
            if unnamed > LANES_PASSED_MAX {
                return Ok(Passed::TooMany);
            }
        }
        Ok(if count > LANES_LOOSE_MAX { Passed::Enough } else { Passed::Few })
    }

    /// Notes that a task was written, if it is ready.
    pub(super) fn lane_enter(&self, task: &Task) -> Result<()> {
        if task.state != TaskState::Ready || stands(Plant::ForgetLane) {
            return Ok(());
        }
        self.lane_reach(task.lane_key, (task.priority.into(), task.due_at_ms, task.run_key))
    }

    /// Notes that a run of a lane is ready. A submit has looked its lane up and knows where it begins.
    pub(super) fn lane_reach(&self, lane_key: LaneKey, place: Place) -> Result<()> {
        if self.reached.borrow().get(&lane_key).is_some_and(|from| *from <= place) {
            return Ok(());
        }
        let (priority, due_at_ms, task_key) = place;
        self.execute(LANE_REACH, (lane_key, priority, due_at_ms, task_key))?;
        self.reached.borrow_mut().insert(lane_key, place);
        Ok(())
    }

    /// Notes that a ready run of a lane is ready no more.
    pub(super) fn lane_settle(&self, lane_key: LaneKey) -> Result<()> {
        self.lane_loosen();
        match self.one(LANE_IS_AMONG_MANY, (lane_key, LANES_LOOSE_MAX), |_| Ok(()))? {
            Some(()) => self.execute(LANE_SETTLE, [lane_key]).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Does that where the lane is known to be one of few.
    pub(super) fn lane_loosen(&self) {
        self.reached.borrow_mut().clear();
    }
}

pub(super) fn names_json(names: Option<&[String]>) -> Option<String> {
    let names = names?.iter().map(|name| crate::json::quote(name)).collect::<Vec<_>>();
    Some(format!("[{}]", names.join(",")))
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, OptionalExtension};

    use super::super::conn::Conn;
    use super::super::migrate;
    use super::super::owner::Mark;
    use super::*;
    use crate::clock::Now;
    use crate::domain::attempt::{End, finish};
    use crate::domain::claim::{Claimer, claim};
    use crate::domain::control::{cancel, pause, resume};
    use crate::domain::port::CheckPort;
    use crate::domain::port::{Fence, Owner, QueueLimits};
    use crate::domain::queue;
    use crate::domain::submit::{QUEUE_DEFAULT, Submit, submit};
    use crate::domain::sweep::sweep;
    use crate::id::{self, Id, new_id};

    /// A queue of more lanes than may be loose, a claimer of all of them, and numbers that look random.
    struct Crowd {
        conn: Conn,
        claimer: Claimer,
        runs: Vec<Id>,
        held: Vec<Fence>,
        now: Now,
        seed: u64,
    }

    const PER_KEY: u32 = 2;

    impl Crowd {
        fn new(seed: u64) -> Crowd {
            let conn = Conn::new(Connection::open_in_memory().unwrap());
            migrate::apply(&conn, None, 1).unwrap();
            let limits =
                QueueLimits { concurrency_per_key: Some(PER_KEY), ..QueueLimits::default() };
            queue::set(&mut Tx::new(&conn), QUEUE_DEFAULT, &limits).unwrap();
            let claimer = Claimer {
                owner: Owner { owner_key: 0, id: Mark { mark: 1, boot: [7; 16], pid: 1 }.id() },
                lease_ms: u32::MAX,
                worker: None,
                filter: LaneFilter { queue: QUEUE_DEFAULT.into(), ..LaneFilter::default() },
                dead: Vec::new(),
                unheard: Vec::new(),
                seed: new_id(),
            };
            let now = Now { wall_ms: 1_000, lease_ms: 1_000 };
            Crowd { conn, claimer, runs: Vec::new(), held: Vec::new(), now, seed }
        }

        fn below(&mut self, bound: u64) -> u64 {
            self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.seed >> 33) % bound
        }

        fn submit(&mut self) {
            let lane = self.below(u64::from(LANES_LOOSE_MAX) * 2);
            let key = self.below(4);
            let later = [0, 0, 500][self.below(3) as usize];
            let run = Submit {
                workflow: format!("w{}", lane % 8),
                code_version: Some(format!("v{}", lane / 8)),
                concurrency_key: (key > 0).then(|| format!("k{key}")),
                priority: i32::try_from(self.below(3)).unwrap(),
                run_at_ms: if later > 0 { self.now.wall_ms + later } else { 0 },
                ..Submit::default()
            };
            let run_id = new_id();
            submit(&mut Tx::new(&self.conn), &run, run_id, 0, self.now).unwrap();
            self.runs.push(run_id);
        }

        /// The first that is due, in the order of claims, and whose key has room.
        fn expected(&self) -> Option<RunKey> {
            let sql = "
SELECT t.task_key
FROM sw_workflow_tasks AS t
LEFT JOIN sw_workflow_gates AS g ON g.gate = t.gate
WHERE t.state IN (1, 5) AND coalesce(g.running, 0) < ?1
ORDER BY t.priority, t.due_at_ms, t.task_key";
            self.conn.query_row(sql, [PER_KEY], |row| row.get(0)).optional().unwrap()
        }

        fn claim(&mut self) {
            let mut tx = Tx::new(&self.conn);
            while sweep(&mut tx, &[], new_id(), self.now).unwrap().has_more {}
            let expected = self.expected();
            let picked = claim(&mut tx, &self.claimer, 1, self.now).unwrap();
            assert_eq!(picked.runs.first().map(|run| run.fence.run_key), expected);
            if let Some(claimed) = picked.runs.first() {
                self.claimer.owner.owner_key = claimed.owner_key;
                self.held.push(claimed.fence);
            }
        }

        fn act(&mut self) {
            let what = self.below(12);
            match what {
                0..=3 => self.submit(),
                4..=6 => self.claim(),
                7 => self.now.wall_ms += 100,
                8 | 9 if !self.held.is_empty() => {
                    let at = self.below(self.held.len() as u64) as usize;
                    let fence = self.held.swap_remove(at);
                    let end = if what == 8 { End::Complete("1".into()) } else { End::Release(0) };
                    // One that was cancelled while it ran ends so.
                    finish(&mut Tx::new(&self.conn), fence, &end, self.now).unwrap();
                }
                _ if self.runs.is_empty() => {}
                _ => {
                    let at = self.below(self.runs.len() as u64) as usize;
                    let run = id::write("run", self.runs[at]);
                    let mut tx = Tx::new(&self.conn);
                    // What has ended refuses.
                    let _ = match self.seed % 3 {
                        0 => cancel(&mut tx, &run, None, self.now),
                        1 => pause(&mut tx, &run, self.now),
                        _ => resume(&mut tx, &run, self.now).map(|_| ()),
                    };
                }
            }
        }
    }

    /// P9, P14, P15: whatever makes runs ready and takes them away, claims see the first of them.
    #[test]
    fn a_lane_begins_no_later_than_its_first_ready_run_whatever_happens() {
        for seed in 1..=8 {
            let mut crowd = Crowd::new(seed);
            for _ in 0..40 {
                crowd.submit();
            }
            for _ in 0..50 {
                (0..8).for_each(|_| crowd.act());
                let faults = Tx::new(&crowd.conn).faults(3).unwrap();
                assert_eq!(faults, [], "seed {seed}");
            }
        }
    }
}
