//! Whether the parts of a document agree: what is wanted of every tree that a store holds, asked of one
//! that anybody may have written.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::tree::{Reserved, Run, Spent, Step, Tree};
use crate::domain::port::{
    Balance, CarriedSignal, CarriedTarget, Ended, Outcome, ReservationState, SourceKind, StepKind,
    StepState, Task, TaskState,
};
use crate::domain::wait;
use crate::error::{Error, Result};
use crate::id::{self, Id};

/// Refuses a tree that contradicts itself.
pub(super) fn check(tree: &Tree) -> Result<()> {
    let places = places(tree)?;
    let by_unit: HashMap<&str, &Balance> =
        tree.units.iter().map(|(unit, balance)| (unit.as_str(), balance)).collect();
    if by_unit.len() != tree.units.len() {
        return Err(Error::invalid("units names one twice"));
    }
    let case = Case { tree, places, by_unit };
    let mut submitted = HashSet::new();
    for (at, run) in tree.runs.iter().enumerate() {
        case.run(at, run, &mut submitted).map_err(|error| error.within(&format!("runs[{at}]")))?;
    }
    if let Some(at) = (1..tree.runs.len()).find(|at| !submitted.contains(at)) {
        return Err(Error::invalid(format!("runs[{at}]: no step of its parent has submitted it")));
    }
    case.events()?;
    case.sums()
}

/// Returns where each run stands: behind the one that submitted it, the topmost first.
fn places(tree: &Tree) -> Result<HashMap<Id, usize>> {
    let mut places: HashMap<Id, usize> = HashMap::with_capacity(tree.runs.len());
    for (at, run) in tree.runs.iter().enumerate() {
        let refuse = |why: &str| Err(Error::invalid(format!("runs[{at}]: {why}")));
        match run.row.parent_run_id {
            Some(_) if at == 0 => return refuse("the topmost run has a parent_run_id"),
            None if at > 0 => return refuse("it has no parent_run_id, and is not the first"),
            Some(parent) if !places.contains_key(&parent) => {
                return refuse("its parent_run_id is of no run before it");
            }
            Some(_) if run.row.forked_from.is_some() => {
                return refuse("it has a parent_run_id and a forked_from_run_id");
            }
            Some(_) if run.row.submit.idempotency_key.is_some() => {
                return refuse("a child has no idempotency_key: its name is its key");
            }
            Some(_) | None => {}
        }
        if places.insert(run.row.run_id, at).is_some() {
            return refuse("its run_id is that of a run before it");
        }
    }
    Ok(places)
}

fn refuse<T>(why: impl Into<String>) -> Result<T> {
    Err(Error::invalid(why.into()))
}

struct Case<'tree> {
    tree: &'tree Tree,
    places: HashMap<Id, usize>,
    by_unit: HashMap<&'tree str, &'tree Balance>,
}

/// Names and occurrences of the records of a run, by name space.
type Records<'tree> = HashMap<(StepKind, &'tree str, u32), &'tree Step>;

impl Case<'_> {
    fn run(&self, at: usize, run: &Run, submitted: &mut HashSet<usize>) -> Result<()> {
        match &run.task {
            Some(task) => self.task(run, task).map_err(|error| error.within("task"))?,
            None => end(run).map_err(|error| error.within("end"))?,
        }
        attempts(run)?;
        let mut records = Records::new();
        for (place, step) in run.steps.iter().enumerate() {
            let named = |error: Error| error.within(&format!("steps[{place}]"));
            let identity = (step.kind, step.row.name.as_str(), step.row.occurrence);
            if records.insert(identity, step).is_some() {
                return refuse("its kind, name and occurrence come twice").map_err(named);
            }
            record(step).map_err(named)?;
            self.child(at, run, step, submitted).map_err(named)?;
        }
        signals(&run.signals, &records)?;
        self.reservations(run)
    }

    fn task(&self, run: &Run, task: &Task) -> Result<()> {
        let (is_running, waits) = (task.state == TaskState::Running, !run.waits.is_empty());
        let is_told = task.is_cancel_asked || task.is_timed_out || task.is_pause_asked;
        if is_told && !is_running {
            return refuse("it was told to end or to pause and does not run");
        }
        if run.row.error.is_some() != task.is_cancel_asked {
            return refuse(
                "cancel_error must be given where cancel_asked is true, and nowhere else",
            );
        }
        if is_running && task.fence == 0 {
            return refuse("it runs in attempt 0");
        }
        match task.state {
            TaskState::Delayed if task.wake_at_ms.is_none() => {
                refuse("it is delayed, and never wakes")
            }
            TaskState::Waiting if task.wake_at_ms.is_none() && !self.can_wake(run) => {
                refuse("it waits for nothing that can come")
            }
            TaskState::Waiting => self.waits(run),
            _ if waits => refuse("it has waits and does not wait"),
            TaskState::Delayed => Ok(()),
            TaskState::Ready | TaskState::Running | TaskState::Paused | TaskState::Blocked => {
                match task.wake_at_ms {
                    Some(_) => refuse("it wakes and neither waits nor is delayed"),
                    None => Ok(()),
                }
            }
        }
    }

    /// A moment alone wakes nobody: it is counted behind what else must come.
    fn can_wake(&self, run: &Run) -> bool {
        run.waits.iter().any(|(target, _)| !matches!(target, CarriedTarget::Time(_)))
    }

    fn waits(&self, run: &Run) -> Result<()> {
        let mut seen = HashSet::new();
        for (place, (target, _)) in run.waits.iter().enumerate() {
            let named = |error: Error| error.within(&format!("waits[{place}]"));
            let identity = match target {
                CarriedTarget::Child(child) => {
                    self.open_child(run, *child).map_err(named)?;
                    (1, id::write("run", *child))
                }
                CarriedTarget::Signal(name) => (2, name.clone()),
                CarriedTarget::Room(unit) if !self.by_unit.contains_key(unit.as_str()) => {
                    return refuse(format!("{unit:?} is none of the units")).map_err(named);
                }
                CarriedTarget::Room(unit) => (3, unit.clone()),
                CarriedTarget::Time(at_ms) => (4, at_ms.to_string()),
            };
            if !seen.insert(identity) {
                return refuse("it is waited for twice").map_err(named);
            }
        }
        Ok(())
    }

    /// A run that is open waits for children that it has submitted itself.
    fn open_child(&self, run: &Run, child: Id) -> Result<()> {
        let text = id::write("run", child);
        match self.places.get(&child).map(|at| &self.tree.runs[*at]) {
            None => refuse(format!("{text} is none of the runs")),
            Some(child) if !child.is_open() => {
                refuse(format!("{text} has ended, and is waited for"))
            }
            Some(child) if child.row.parent_run_id != Some(run.row.run_id) => {
                refuse(format!("{text} is no child of it, and is waited for"))
            }
            Some(_) => Ok(()),
        }
    }

    /// Each child was submitted by one step of its parent. What ended may have replayed the submits of the
    /// run that it was forked from.
    fn child(
        &self,
        at: usize,
        run: &Run,
        step: &Step,
        submitted: &mut HashSet<usize>,
    ) -> Result<()> {
        if step.kind != StepKind::Child {
            return Ok(());
        }
        let Some(child) = Run::child_of(step) else {
            return refuse("result is no id of a run in quotes");
        };
        let text = id::write("run", child);
        let Some(place) = self.places.get(&child) else {
            if run.is_open() {
                return refuse(format!("it has submitted {text}, which is none of the runs"));
            }
            return Ok(());
        };
        if self.tree.runs[*place].row.parent_run_id != Some(self.tree.runs[at].row.run_id) {
            return refuse(format!("it has submitted {text}, which has another parent_run_id"));
        }
        if !submitted.insert(*place) {
            return refuse(format!("{text} was submitted before"));
        }
        Ok(())
    }

    fn reservations(&self, run: &Run) -> Result<()> {
        let mut sources = HashSet::new();
        for (place, reserved) in run.reservations.iter().enumerate() {
            let named = |error: Error| error.within(&format!("reservations[{place}]"));
            let source = reserved.source.as_deref().map(|source| (reserved.attempt, source));
            if source.is_some_and(|source| !sources.insert(source)) {
                return refuse("its source has reserved before in its attempt").map_err(named);
            }
            reservation(run, reserved).map_err(named)?;
        }
        Ok(())
    }

    fn events(&self) -> Result<()> {
        let mut keys = HashSet::new();
        for (at, (run_id, event)) in self.tree.events.iter().enumerate() {
            if !self.places.contains_key(run_id) {
                let run_id = id::write("run", *run_id);
                return refuse(format!("events[{at}]: {run_id} is none of the runs"));
            }
            if event.key.as_ref().is_some_and(|key| !keys.insert((run_id, key))) {
                return refuse(format!(
                    "events[{at}]: its run has an event of its idempotency_key"
                ));
            }
        }
        Ok(())
    }

    /// What is reserved is the sum of the open reservations, what was spent that of the ledger.
    fn sums(&self) -> Result<()> {
        let mut sums: BTreeMap<&str, (i128, i128, i128)> = BTreeMap::new();
        for run in &self.tree.runs {
            for reserved in &run.reservations {
                let is_open = reserved.state == ReservationState::Open;
                for (unit, amount) in &reserved.amounts {
                    let sum = sums.entry(unit).or_default();
                    sum.0 += if is_open { i128::from(*amount) } else { 0 };
                }
            }
            let of_reservations = run.reservations.iter().flat_map(|one| &one.spent);
            let of_steps = run.steps.iter().flat_map(|step| &step.usage);
            for spent in of_reservations.chain(of_steps) {
                let sum = sums.entry(&spent.unit).or_default();
                sum.1 += i128::from(spent.amount);
                sum.2 += i128::from(spent.amount.max(0));
            }
        }
        for (unit, balance) in &self.by_unit {
            let (reserved, spent, most) = sums.remove(unit).unwrap_or_default();
            let told = (balance.reserved.into(), balance.spent.into());
            if (reserved, spent) != told || most > i128::from(i64::MAX) {
                return refuse(format!(
                    "units: of {unit:?} {} are reserved and {} spent, its reservations and their ends say {reserved} and {spent}",
                    balance.reserved, balance.spent
                ));
            }
        }
        match sums.keys().next() {
            Some(unit) => {
                refuse(format!("{unit:?} was reserved or spent, and is none of the units"))
            }
            None => Ok(()),
        }
    }
}

fn end(run: &Run) -> Result<()> {
    let row = &run.row;
    match row.outcome {
        Some(Outcome::Completed) if row.error.is_some() => {
            refuse("it is completed and has an error")
        }
        Some(Outcome::Failed | Outcome::Cancelled) if row.result.is_some() => {
            refuse("it is not completed and has a result")
        }
        _ => Ok(()),
    }
}

/// The living attempt has the number above those that have ended.
fn attempts(run: &Run) -> Result<()> {
    let most = run.fence().saturating_sub(u32::from(run.is_running()));
    let mut before = 0;
    for (place, attempt) in run.attempts.iter().enumerate() {
        let named = |error: Error| error.within(&format!("attempts[{place}]"));
        let number = attempt.number;
        if number <= before || number > most {
            let sentence =
                format!("number is {number}, it must be above {before} and at most {most}");
            return refuse(sentence).map_err(named);
        }
        let is_completed = run.row.outcome == Some(Outcome::Completed);
        if attempt.ended == Ended::Completed && !is_completed {
            return refuse("it has completed, and its run has not").map_err(named);
        }
        before = number;
    }
    Ok(())
}

/// A record stands as its name space lets it.
fn record(step: &Step) -> Result<()> {
    let (row, facts) = (&step.row, &step.row.facts);
    let states: &[StepState] = match step.kind {
        StepKind::Step => {
            &[StepState::Started, StepState::Done, StepState::Failed, StepState::BacksOff]
        }
        StepKind::Sleep => &[StepState::Done, StepState::Asked],
        StepKind::Await => {
            &[StepState::Done, StepState::Failed, StepState::TimedOut, StepState::Asked]
        }
        StepKind::Child => &[StepState::Done],
    };
    if !states.contains(&facts.state) {
        return refuse("its state is none that its kind has");
    }
    let labels: &[&str] = match step.kind {
        StepKind::Step | StepKind::Child => &[],
        StepKind::Sleep => &["sleep"],
        StepKind::Await => &["signal", "child", "any", "all"],
    };
    if !labels.is_empty() && !labels.contains(&row.label.as_deref().unwrap_or_default()) {
        return refuse(format!("its label is none of {}", labels.join(", ")));
    }
    if facts.state == StepState::BacksOff && facts.retry_at_ms.is_none() {
        return refuse("it backs off, and is never tried again");
    }
    if facts.state == StepState::Asked && !wait::is_ask(row) {
        return refuse("result has no deadlines of an ask");
    }
    usage(step)
}

fn usage(step: &Step) -> Result<()> {
    let mut units = HashSet::new();
    for (place, spent) in step.usage.iter().enumerate() {
        let named = |error: Error| error.within(&format!("usage[{place}]"));
        if step.kind != StepKind::Step || spent.source != SourceKind::Step || spent.amount < 0 {
            return refuse("it is no usage of a step").map_err(named);
        }
        if !units.insert(&spent.unit) {
            return refuse("its unit comes twice").map_err(named);
        }
    }
    Ok(())
}

fn signals(signals: &[CarriedSignal], records: &Records<'_>) -> Result<()> {
    let mut keys = HashSet::new();
    for (place, signal) in signals.iter().enumerate() {
        let named = |error: Error| error.within(&format!("signals[{place}]"));
        if signal.key.as_ref().is_some_and(|key| !keys.insert((&signal.name, key))) {
            return refuse("its name has a signal of its idempotency_key").map_err(named);
        }
        let Some((name, occurrence)) = &signal.taker else { continue };
        let taker = records.get(&(StepKind::Await, name.as_str(), *occurrence));
        let may_take = |step: &&Step| {
            step.row.facts.state == StepState::Done && step.row.label.as_deref() != Some("child")
        };
        if !taker.is_some_and(may_take) {
            return refuse("taken_by is no await of signals that was answered").map_err(named);
        }
    }
    Ok(())
}

fn reservation(run: &Run, reserved: &Reserved) -> Result<()> {
    let is_open = reserved.state == ReservationState::Open;
    if reserved.attempt == 0 || reserved.attempt > run.fence() {
        let fence = run.fence();
        return refuse(format!("attempt is {}, it must be 1 to {fence}", reserved.attempt));
    }
    if is_open && !(run.is_running() && reserved.attempt == run.fence()) {
        return refuse("it is open, its attempt is not");
    }
    let mut left = BTreeMap::new();
    for (place, spent) in reserved.spent.iter().enumerate() {
        let named = |error: Error| error.within(&format!("spent[{place}]"));
        ledger_line(reserved, spent, &mut left).map_err(named)?;
    }
    Ok(())
}

/// A line is of a source that goes with the state, once for each unit; a correction takes back no more
/// than was charged.
fn ledger_line<'tree>(
    reserved: &Reserved,
    spent: &'tree Spent,
    lines: &mut BTreeMap<(&'tree str, i64), i64>,
) -> Result<()> {
    let goes_with = match reserved.state {
        ReservationState::Settled => spent.source == SourceKind::Reservation,
        ReservationState::Assumed => spent.source == SourceKind::Assumed,
        ReservationState::Corrected => {
            matches!(spent.source, SourceKind::Assumed | SourceKind::Correction)
        }
        ReservationState::Open
        | ReservationState::GivenBack
        | ReservationState::SettledWithStep => false,
    };
    if !goes_with || spent.label != reserved.label {
        return refuse("its source or label does not go with its reservation");
    }
    let charged = lines.get(&(spent.unit.as_str(), SourceKind::Assumed as i64)).copied();
    let least = match spent.source {
        SourceKind::Correction => charged.unwrap_or(0),
        SourceKind::Reservation | SourceKind::Step | SourceKind::Assumed => 0,
    };
    if spent.amount < -least {
        return refuse(format!("amount is {}, it must be at least -{least}", spent.amount));
    }
    if lines.insert((&spent.unit, spent.source as i64), spent.amount).is_some() {
        return refuse("its source and unit come twice");
    }
    Ok(())
}
