//! Writing a tree that comes from elsewhere, through what every call writes with.

use std::collections::{BTreeSet, HashMap};
use std::slice;

use super::tree::{Reserved, Run, Spent, Tree};
use crate::clock::Now;
use crate::domain::attempt::lose;
use crate::domain::news::{News, Queues};
use crate::domain::port::{
    Balance, CarriedTarget, Change, Changes, Entry, IdStanding, Inserted, Lane, LaneKey, NewRun,
    Parent, Port, Recorded, Reservation, Room, RunEnd, RunKey, Target, Task, TaskState,
};
use crate::domain::queue;
use crate::error::{Error, Result};
use crate::id::{self, Id};
use crate::limits::PRUNE_PART_ROWS;

/// Writes a tree, all of it or none: what waits goes on to wait, what ran is lost. `seed` makes what must
/// differ from import to import.
pub fn bring(port: &mut dyn Port, tree: &Tree, seed: Id, now: Now) -> Result<()> {
    let mut bringing = Bringing { port, seed, now, keys: HashMap::new(), placed: Vec::new() };
    let bare = bringing.ids_free(tree)?;
    for run in &tree.runs {
        bringing.run(run)?;
    }
    bringing.budget(tree)?;
    for (at, run) in tree.runs.iter().enumerate() {
        bringing.waits(at, run)?;
    }
    bringing.rooms(tree)?;
    for (run_id, event) in &tree.events {
        let run_key = bringing.key(*run_id)?;
        let key = event.key.as_deref();
        let (event_type, payload) = (&event.event_type, &event.payload);
        bringing.port.event_insert_once(run_key, event_type, key, payload, event.at_ms)?;
    }
    for (at, run) in tree.runs.iter().enumerate() {
        bringing.enter(at, run)?;
    }
    // Now that there is a newer run than those, their rows can go.
    if !bare.is_empty() {
        bringing.port.trees_remove(&bare, &mut Room { runs: 1, rows: PRUNE_PART_ROWS })?;
    }
    bringing.port.tell(News::CHANGED);
    Ok(())
}

/// An import as far as it has come.
struct Bringing<'port> {
    port: &'port mut dyn Port,
    seed: Id,
    now: Now,
    keys: HashMap<Id, RunKey>,
    /// Key and lane of each run, in the order of the tree.
    placed: Vec<(RunKey, LaneKey)>,
}

impl Bringing<'_> {
    fn key(&self, run_id: Id) -> Result<RunKey> {
        let key = self.keys.get(&run_id).copied();
        key.ok_or_else(|| Error::internal("a run of a checked tree is not there"))
    }

    fn root_key(&self) -> Result<RunKey> {
        let root = self.placed.first().map(|(run_key, _)| *run_key);
        root.ok_or_else(|| Error::internal("a checked tree has no run"))
    }

    /// Makes sure that no run has an id of the tree's. Returns the bare rows of pruned ones that had.
    fn ids_free(&mut self, tree: &Tree) -> Result<Vec<RunKey>> {
        let mut bare = Vec::new();
        for (at, run) in tree.runs.iter().enumerate() {
            let run_id = run.row.run_id;
            let spare = self.drawn("spare", at);
            let text = id::write("run", run_id);
            match self.port.id_standing(run_id, spare)? {
                IdStanding::Free => {}
                IdStanding::Bare(run_key) => bare.push(run_key),
                IdStanding::Taken => {
                    return Err(Error::conflict(format!(
                        "{text} is in this store: import it with \"ids\": \"new\", or prune what is there"
                    )));
                }
                IdStanding::Pruned => {
                    return Err(Error::conflict(format!(
                        "{text} is being pruned from this store: call sw_store_prune until it has no more to do"
                    )));
                }
            }
        }
        Ok(bare)
    }

    /// Makes an id that is another one for each import, use and place.
    fn drawn(&self, what: &str, at: usize) -> Id {
        let parts = [&self.seed.to_bytes()[..], what.as_bytes(), &at.to_le_bytes()];
        id::derive(self.now.wall_ms, &parts)
    }

    fn run(&mut self, run: &Run) -> Result<()> {
        // Looked for before the run itself is there.
        let origin = match run.row.forked_from {
            Some(origin) => self.port.run_by_id(origin)?,
            None => None,
        };
        let (run_key, lane_key) = self.insert(run)?;
        self.keys.insert(run.row.run_id, run_key);
        self.placed.push((run_key, lane_key));
        if let Some(origin) = origin {
            self.port.set_forked_from(run_key, origin)?;
        }
        for attempt in &run.attempts {
            self.port.attempt_insert(run_key, attempt)?;
        }
        self.steps(run_key, run)?;
        for signal in &run.signals {
            self.port.signal_restore(run_key, signal)?;
        }
        match (&run.task, run.row.outcome) {
            (Some(task), _) => self.task(run, &Task { run_key, lane_key, ..task.clone() }),
            (None, Some(outcome)) => {
                let row = &run.row;
                let end = RunEnd {
                    outcome,
                    finished_at_ms: row.finished_at_ms.unwrap_or(row.created_at_ms),
                    attempts: row.attempts.unwrap_or(0),
                    tries: row.tries.unwrap_or(0),
                    result: row.result.clone(),
                    error: row.error.clone(),
                };
                self.port.run_finish(run_key, &end)
            }
            (None, None) => Err(Error::internal("a checked run is neither open nor ended")),
        }
    }

    /// Writes its row and its task; of an ended run a task that is seen by nobody, until it ends.
    fn insert(&mut self, run: &Run) -> Result<(RunKey, LaneKey)> {
        let submit = &run.row.submit;
        let lane = Lane {
            queue: submit.queue.clone().unwrap_or_default(),
            workflow: submit.workflow.clone(),
            code_version: submit.code_version.clone().unwrap_or_default(),
            owner_key: 0,
        };
        let parent = match run.row.parent_run_id {
            None => None,
            Some(parent) => Some(Parent {
                run_key: self.key(parent)?,
                root_key: self.root_key()?,
                queue: String::new(),
            }),
        };
        let aside = Task { state: TaskState::Paused, ..Task::new(0, 0) };
        let new = NewRun {
            run_id: run.row.run_id,
            lane,
            task: Task { token: 0, ..run.task.clone().unwrap_or(aside) },
            parent: parent.as_ref(),
            created_at_ms: run.row.created_at_ms,
            submit,
        };
        match self.port.runs_insert(slice::from_ref(&new))?.pop() {
            Some(Inserted::New(run_key, lane_key)) => Ok((run_key, lane_key)),
            Some(Inserted::Known(known, _)) => Err(Error::conflict(format!(
                "the idempotency key of {} has made {} in this store",
                id::write("run", run.row.run_id),
                id::write("run", known)
            ))),
            None => Err(Error::internal("an insert was not answered")),
        }
    }

    fn steps(&mut self, run_key: RunKey, run: &Run) -> Result<()> {
        for step in &run.steps {
            if self.port.step_record(run_key, step.kind, &step.row)? != Recorded::New {
                return Err(Error::internal("a step of a checked tree comes twice"));
            }
        }
        Ok(())
    }

    fn task(&mut self, run: &Run, task: &Task) -> Result<()> {
        let is_counted = |(target, amount): &&(CarriedTarget, i64)| {
            *amount > 0 && matches!(target, CarriedTarget::Child(_) | CarriedTarget::Signal(_))
        };
        let left = run.waits.iter().filter(is_counted).count();
        self.port.task_restore(task, u32::try_from(left).unwrap_or(u32::MAX))?;
        match &run.row.error {
            Some(error) => self.port.run_set_error(task.run_key, error),
            None => Ok(()),
        }
    }

    fn waits(&mut self, at: usize, run: &Run) -> Result<()> {
        let (run_key, _) = self.placed[at];
        if run.row.is_cascading {
            self.port.cascades_insert(&[run_key])?;
        }
        for (target, amount) in &run.waits {
            let target = match target {
                CarriedTarget::Child(child) => Target::Child(self.key(*child)?),
                CarriedTarget::Signal(name) => Target::Signal(name.clone()),
                CarriedTarget::Time(at_ms) => Target::Time(*at_ms),
                CarriedTarget::Room(unit) => {
                    let root_key = self.root_key()?;
                    self.port.room_wait_insert(root_key, unit, run_key, *amount)?;
                    continue;
                }
            };
            let count = u32::try_from(*amount).unwrap_or(u32::MAX);
            self.port.waits_insert(run_key, &[(&target, count)])?;
        }
        Ok(())
    }

    /// Who was woken for room does not travel: the next sweep looks who fits.
    fn rooms(&mut self, tree: &Tree) -> Result<()> {
        let unit = |(target, _): &(CarriedTarget, i64)| match target {
            CarriedTarget::Room(unit) => Some(unit.clone()),
            CarriedTarget::Child(_) | CarriedTarget::Signal(_) | CarriedTarget::Time(_) => None,
        };
        let units: BTreeSet<String> =
            tree.runs.iter().flat_map(|run| run.waits.iter().filter_map(unit)).collect();
        for unit in units {
            let root_key = self.root_key()?;
            self.port.balance_wake_at(root_key, &unit, Some(self.now.wall_ms))?;
        }
        Ok(())
    }

    fn budget(&mut self, tree: &Tree) -> Result<()> {
        if tree.units.is_empty() {
            return Ok(());
        }
        let root_key = self.root_key()?;
        self.port.limits_set(root_key, &tree.units)?;
        let change = |(unit, balance): &(String, Balance)| {
            (unit.clone(), Change { reserved: balance.reserved, spent: balance.spent })
        };
        let changes: Changes = tree.units.iter().map(change).collect();
        if self.port.balances_add(root_key, &changes)?.iter().any(Option::is_none) {
            return Err(Error::internal("a checked balance is beyond 2^63"));
        }
        for (at, run) in tree.runs.iter().enumerate() {
            self.spent(root_key, at, run)?;
        }
        Ok(())
    }

    fn spent(&mut self, root_key: RunKey, at: usize, run: &Run) -> Result<()> {
        let (run_key, lane_key) = self.placed[at];
        let entry = |source_key: i64, spent: &Spent| Entry {
            root_key,
            source: spent.source,
            source_key,
            unit: spent.unit.clone(),
            run_key,
            lane_key,
            label: spent.label.clone(),
            amount: spent.amount,
            at_ms: spent.at_ms,
        };
        let mut entries = Vec::new();
        for step in run.steps.iter().filter(|step| !step.usage.is_empty()) {
            let key = self.port.step_key(run_key, &step.row.name, step.row.occurrence)?;
            let key = key.ok_or_else(|| Error::internal("a step that was written is not there"))?;
            entries.extend(step.usage.iter().map(|spent| entry(key, spent)));
        }
        for (place, reserved) in run.reservations.iter().enumerate() {
            let key = self.reservation((root_key, run_key), reserved, place)?;
            entries.extend(reserved.spent.iter().map(|spent| entry(key, spent)));
        }
        self.port.ledger_insert(&entries)
    }

    fn reservation(
        &mut self,
        (root_key, run_key): (RunKey, RunKey),
        reserved: &Reserved,
        place: usize,
    ) -> Result<i64> {
        let salt = self.drawn(&run_key.to_string(), place).to_bytes();
        let first = Reservation {
            key: 0,
            salt: u32::from_be_bytes([salt[12], salt[13], salt[14], salt[15]]),
            root_key,
            run_key,
            attempt: reserved.attempt,
            unit: String::new(),
            amount: 0,
            state: reserved.state,
            label: reserved.label.clone(),
            step: reserved.step.clone(),
            at_ms: reserved.at_ms,
        };
        let source = reserved.source.as_deref();
        let key = self.port.reservation_insert(&first, &reserved.amounts, source)?;
        self.port.reservation_set(key, reserved.state)?;
        Ok(key)
    }

    /// Lets an open run take its place: behind its gate, or as one whose attempt is gone.
    fn enter(&mut self, at: usize, run: &Run) -> Result<()> {
        let Some(task) = &run.task else { return Ok(()) };
        let (run_key, lane_key) = self.placed[at];
        let task = Task { run_key, lane_key, ..task.clone() };
        let queue = run.row.submit.queue.as_deref().unwrap_or_default();
        match task.state {
            TaskState::Running => {
                self.port.running_add(queue, 1, task.gate.as_deref())?;
                lose(self.port, &task, "it ran when its run was exported", self.now)
            }
            TaskState::Waiting => {
                self.port.tell(News::due_earlier(Queues::named(queue)));
                Ok(())
            }
            TaskState::Delayed | TaskState::Ready | TaskState::Paused | TaskState::Blocked => {
                queue::enter_task(self.port, &task)
            }
        }
    }
}
