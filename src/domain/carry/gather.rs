//! Gathering the rows of a tree, up to bounds.

use std::collections::{HashMap, HashSet};

use super::tree::{Reserved, Run, Spent, Step, Tree, too_many};
use crate::domain::port::{
    CarriedTarget, Entry, Port, Reservation, RunKey, SourceKind, Task, TaskState,
};
use crate::error::{Error, Result};
use crate::id::{self, Id};
use crate::limits::{CARRY_BYTES_MAX, CARRY_ROWS_MAX, CARRY_RUNS_MAX};

/// Returns a tree as it stands.
pub(super) fn gather(port: &mut dyn Port, root_key: RunKey) -> Result<Tree> {
    let mut run_keys = vec![root_key];
    run_keys.extend(port.members(root_key, CARRY_RUNS_MAX)?);
    if run_keys.len() > CARRY_RUNS_MAX as usize {
        return Err(too_many("runs and more", run_keys.len(), CARRY_RUNS_MAX as usize));
    }
    // In the order of their submission: each behind its parent.
    run_keys.sort_unstable();
    let mut gathering = Gathering::default();
    for run_key in run_keys {
        gathering.run(port, run_key)?;
    }
    gathering.ledger(port, root_key)?;
    let mut tree = gathering.tree;
    tree.events.sort_by_key(|(_, event)| event.seq);
    tree.units = port.balances(root_key)?;
    check_is_alone(&tree)?;
    Ok(tree)
}

/// A tree as far as it is gathered.
#[derive(Default)]
struct Gathering {
    tree: Tree,
    rows: usize,
    bytes: usize,
    /// Places of steps and reservations, for the lines of the ledger that are of them.
    steps: HashMap<i64, (usize, usize)>,
    reservations: HashMap<i64, (usize, usize)>,
}

impl Gathering {
    /// Returns how many rows more may be read: one beyond what is allowed, so that this is seen.
    fn limit(&self) -> u32 {
        u32::try_from(CARRY_ROWS_MAX.saturating_sub(self.rows) + 1).unwrap_or(u32::MAX)
    }

    /// Returns how many bytes of payloads more may be read, likewise.
    fn room(&self) -> usize {
        CARRY_BYTES_MAX.saturating_sub(self.bytes) + 1
    }

    fn count<Row>(&mut self, rows: Vec<Row>, bytes: impl Fn(&Row) -> usize) -> Result<Vec<Row>> {
        self.rows += rows.len();
        self.bytes += rows.iter().map(bytes).sum::<usize>();
        if self.rows > CARRY_ROWS_MAX {
            let what = "attempts, steps, signals, events and the like, and more";
            return Err(too_many(what, self.rows, CARRY_ROWS_MAX));
        }
        if self.bytes > CARRY_BYTES_MAX {
            return Err(too_many("bytes of payloads and more", self.bytes, CARRY_BYTES_MAX));
        }
        Ok(rows)
    }

    fn run(&mut self, port: &mut dyn Port, run_key: RunKey) -> Result<()> {
        let row = port.run_carried(run_key)?;
        let at = self.tree.runs.len();
        let of_run = [&row.submit.args, &row.submit.metadata, &row.result, &row.error];
        self.bytes += of_run.into_iter().map(len).sum::<usize>();
        let attempts = port.attempts_after(run_key, 0, self.limit())?;
        let attempts = self.count(attempts, |attempt| len(&attempt.error))?;
        let steps = port.steps_after(run_key, 0, self.limit(), self.room())?;
        let steps = self.count(steps, |(_, _, step)| len(&step.result) + len(&step.error))?;
        self.steps.extend(steps.iter().enumerate().map(|(place, (key, ..))| (*key, (at, place))));
        let signals = port.signals_carried(run_key, self.limit(), self.room())?;
        let signals = self.count(signals, |signal| len(&signal.payload))?;
        let waits = port.waits_carried(run_key, self.limit())?;
        let waits = self.count(waits, |_| 0)?;
        let events = port.events_carried(run_key, self.limit(), self.room())?;
        let events = self.count(events, |event| event.payload.len())?;
        let run_id = row.run_id;
        self.tree.events.extend(events.into_iter().map(|event| (run_id, event)));
        let reservations = self.reservations(port, run_key, at)?;
        let task = port.task(run_key)?.map(travelling);
        if task.is_some() != row.outcome.is_none() {
            let run_id = id::write("run", run_id);
            return Err(Error::Corrupt(
                format!("{run_id} has a task and an outcome, or neither").into(),
            ));
        }
        let step = |(_, kind, row)| Step { kind, row, usage: Vec::new() };
        let steps = steps.into_iter().map(step).collect();
        self.tree.runs.push(Run { row, task, waits, attempts, steps, signals, reservations });
        Ok(())
    }

    /// Puts the units of each reservation together.
    fn reservations(
        &mut self,
        port: &mut dyn Port,
        run_key: RunKey,
        at: usize,
    ) -> Result<Vec<Reserved>> {
        let units = port.reservations_carried(run_key, self.limit())?;
        let mut units = self.count(units, |_| 0)?;
        units.sort_by_key(|(unit, _)| unit.key);
        let mut reservations: Vec<Reserved> = Vec::new();
        for (unit, source) in units {
            let place = self.reservations.entry(unit.key).or_insert((at, reservations.len())).1;
            if place == reservations.len() {
                reservations.push(reserved(&unit));
            }
            let reservation = &mut reservations[place];
            reservation.source = source.or(reservation.source.take());
            reservation.amounts.insert(unit.unit, unit.amount);
        }
        Ok(reservations)
    }

    /// Puts each line of the ledger to the step or reservation that it is of.
    fn ledger(&mut self, port: &mut dyn Port, root_key: RunKey) -> Result<()> {
        let entries = port.ledger_carried(root_key, self.limit())?;
        for entry in self.count(entries, |_| 0)? {
            let is_step = entry.source == SourceKind::Step;
            let places = if is_step { &self.steps } else { &self.reservations };
            let (run, place) = *places.get(&entry.source_key).ok_or_else(|| {
                Error::Corrupt("a line of the ledger is of nothing that is there".into())
            })?;
            let run = &mut self.tree.runs[run];
            let spent = if is_step {
                &mut run.steps[place].usage
            } else {
                &mut run.reservations[place].spent
            };
            spent.push(spent_as(entry));
        }
        Ok(())
    }
}

fn len(payload: &Option<String>) -> usize {
    payload.as_ref().map_or(0, String::len)
}

fn reserved(first: &Reservation) -> Reserved {
    Reserved {
        attempt: first.attempt,
        state: first.state,
        source: None,
        label: first.label.clone(),
        step: first.step.clone(),
        at_ms: first.at_ms,
        amounts: Default::default(),
        spent: Vec::new(),
    }
}

fn spent_as(entry: Entry) -> Spent {
    let Entry { source, unit, label, amount, at_ms, .. } = entry;
    Spent { source, unit, label, amount, at_ms }
}

/// Leaves of a task what means something elsewhere.
fn travelling(task: Task) -> Task {
    let is_held_back = task.state == TaskState::Blocked;
    Task { state: if is_held_back { TaskState::Ready } else { task.state }, ..task }
}

/// Refuses a tree whose open runs may await children of another: a fork that replays the submits of the
/// run that it was forked from.
fn check_is_alone(tree: &Tree) -> Result<()> {
    let ids: HashSet<Id> = tree.runs.iter().map(|run| run.row.run_id).collect();
    for run in tree.runs.iter().filter(|run| run.is_open()) {
        let submitted = run.steps.iter().filter_map(Run::child_of);
        let awaited = run.waits.iter().filter_map(|(target, _)| match target {
            CarriedTarget::Child(run_id) => Some(*run_id),
            CarriedTarget::Signal(_) | CarriedTarget::Room(_) | CarriedTarget::Time(_) => None,
        });
        if let Some(other) = submitted.chain(awaited).find(|run_id| !ids.contains(run_id)) {
            let (run_id, other) = (id::write("run", run.row.run_id), id::write("run", other));
            let origin = run.row.forked_from.map(|origin| id::write("run", origin));
            return Err(Error::conflict(format!(
                "{run_id} was forked from {} and may await its child {other}, which is in another tree: \
                 it can be exported once it has ended",
                origin.as_deref().unwrap_or("a run that is gone")
            )));
        }
    }
    Ok(())
}
