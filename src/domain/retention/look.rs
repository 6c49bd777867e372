//! The looks for what a policy does not keep, as parts of claims and waits.
//!
//! A look goes through the workflows by name. Of each it counts the newest that stay, then asks which others
//! have stayed for long enough. It takes many transactions: each removes and looks at a bounded number, notes
//! where it stands in the file, and leaves a pause to those who work. So whoever is killed, the next goes on,
//! and all processes together look once. What a look costs decides how soon the next begins.

use serde::{Deserialize, Serialize};

use super::ended;
use super::policy::Policy;
use crate::clock::Now;
use crate::domain::output::to_text;
use crate::domain::port::{Order, Port, Room, RunFilter, RunKey, RunState, RunStates, Span, Walk};
use crate::error::Result;
use crate::limits::{
    PRUNE_BEGUN_MAX, PRUNE_PART_ROWS, RETENTION_LATE_PART, RETENTION_LOOKS_PER_MS,
    RETENTION_PART_LOOKS, RETENTION_PART_PAUSE_MS, RETENTION_PART_ROWS, RETENTION_PART_RUNS,
    RETENTION_PAUSE_MS_MAX, RETENTION_PAUSE_MS_MIN, RETENTION_QUESTION_LOOKS,
};

/// Where a look stands.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Cursor {
    /// Runs that it has looked at, about.
    looked_at: u64,
    /// The last workflow that it is through with.
    through: String,
    /// The one that it is about.
    at: Option<Place>,
}

/// Where a look stands in a workflow.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Place {
    workflow: String,
    /// Of its newest runs, so many are counted.
    counted: u32,
    /// Once they are all counted, the oldest of them: those after it stay.
    newest: Option<RunKey>,
    /// Questions that are answered.
    answered: usize,
    /// The run that was looked at last.
    after: Option<RunKey>,
}

/// One transaction of a look.
struct Part {
    cursor: Cursor,
    room: Room,
    looks_left: u32,
}

/// Returns when the next look is, as the clock now stands: one that is noted for a time further ahead than
/// any is, was noted before the clock went back, and is due.
pub(in crate::domain) fn next_look_at_ms(noted_ms: Option<i64>, now: Now) -> Option<i64> {
    let latest_ms = now.wall_ms.saturating_add(RETENTION_PAUSE_MS_MAX);
    noted_ms.map(|at_ms| if at_ms > latest_ms { now.wall_ms } else { at_ms })
}

/// Returns whether a look is due.
pub(in crate::domain) fn is_due(noted_ms: Option<i64>, now: Now) -> bool {
    next_look_at_ms(noted_ms, now).is_some_and(|at_ms| at_ms <= now.wall_ms)
}

/// Goes on with a look, a bounded part of it, and notes when the next part is due.
pub(in crate::domain) fn look(port: &mut dyn Port, now: Now) -> Result<()> {
    // What cannot be read keeps all, and nobody from claiming.
    let Some(Ok(policy)) = port.policy()?.map(|text| Policy::stored(&text)) else {
        return port.look_set(Some(now.wall_ms.saturating_add(RETENTION_PAUSE_MS_MAX)), None);
    };
    let cursor = port.look_cursor()?;
    let mut part = Part {
        cursor: cursor.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
        room: Room { runs: RETENTION_PART_RUNS, rows: RETENTION_PART_ROWS },
        looks_left: RETENTION_PART_LOOKS,
    };
    let begun = port.trees_begun(PRUNE_BEGUN_MAX)?;
    port.trees_remove(&begun, &mut part.room)?;
    let mut is_through = false;
    while !is_through && !part.room.is_full() && part.looks_left > 0 {
        is_through = part.go_on(port, &policy, now)?;
    }
    let has_events = port.events_trim(PRUNE_PART_ROWS)?;
    let pause_ms = match is_through && !has_events {
        true => pause_ms(port, &policy, part.cursor.looked_at)?,
        false => RETENTION_PART_PAUSE_MS,
    };
    let cursor = if is_through { None } else { Some(to_text(&part.cursor)?) };
    port.look_set(Some(now.wall_ms.saturating_add(pause_ms)), cursor.as_deref())
}

/// Returns for how long nothing is looked for after a look.
fn pause_ms(port: &mut dyn Port, policy: &Policy, looked_at: u64) -> Result<i64> {
    let shortest_ms = policy.shortest_ms().unwrap_or(RETENTION_PAUSE_MS_MAX);
    let late_ms = if port.has_ended_runs()? {
        shortest_ms / RETENTION_LATE_PART
    } else {
        // What ends from now on is kept for that long.
        shortest_ms
    };
    let rest_ms = i64::try_from(looked_at / RETENTION_LOOKS_PER_MS).unwrap_or(i64::MAX);
    Ok(late_ms.max(rest_ms).clamp(RETENTION_PAUSE_MS_MIN, RETENTION_PAUSE_MS_MAX))
}

impl Part {
    /// Answers one question; returns whether there are no others.
    fn go_on(&mut self, port: &mut dyn Port, policy: &Policy, now: Now) -> Result<bool> {
        let place = match self.cursor.at.take() {
            Some(place) => place,
            None => {
                let Some(workflow) = policy.next_after(port, &self.cursor.through)? else {
                    return Ok(true);
                };
                Place { workflow, ..Place::default() }
            }
        };
        self.charge(RETENTION_QUESTION_LOOKS);
        let rule = policy.of(&place.workflow);
        let (workflow, due) = (place.workflow.clone(), rule.due(now));
        self.cursor.at = if due.is_empty() {
            None
        } else if place.newest.is_none() && rule.newest() > 0 {
            self.count(port, place, rule.newest())?
        } else {
            self.ask(port, place, &due)?
        };
        if self.cursor.at.is_none() {
            self.cursor.through = workflow;
        }
        Ok(false)
    }

    fn charge(&mut self, looks: u32) {
        self.looks_left = self.looks_left.saturating_sub(looks);
        self.cursor.looked_at = self.cursor.looked_at.saturating_add(looks.into());
    }

    /// Counts the newest runs of a workflow that stay; returns where to go on, if any are beyond them.
    fn count(
        &mut self,
        port: &mut dyn Port,
        mut place: Place,
        newest: u32,
    ) -> Result<Option<Place>> {
        let ended = RunStates::of(&[RunState::Completed, RunState::Failed, RunState::Cancelled]);
        let filter = RunFilter { states: ended, ..of_workflow(&place.workflow) };
        let found_max = newest.saturating_sub(place.counted);
        let found = port.runs_found(&filter, &self.walk(Order::Newest, place.after, found_max))?;
        self.charge(found.looked_at);
        place.counted =
            place.counted.saturating_add(u32::try_from(found.run_keys.len()).unwrap_or(u32::MAX));
        place.after = found.after;
        if place.counted >= newest {
            place.newest = found.run_keys.last().copied();
            place.after = None;
            return Ok(Some(place));
        }
        Ok(Some(place).filter(|place| place.after.is_some()))
    }

    /// Removes what the next question of a workflow finds; returns where to go on, if anywhere.
    fn ask(
        &mut self,
        port: &mut dyn Port,
        mut place: Place,
        due: &[(RunStates, Span)],
    ) -> Result<Option<Place>> {
        let Some((states, finished)) = due.get(place.answered) else { return Ok(None) };
        let filter =
            RunFilter { states: *states, finished: *finished, ..of_workflow(&place.workflow) };
        let walk = self.walk(Order::Oldest, place.after, self.room.runs);
        let mut found = port.runs_found(&filter, &walk)?;
        self.charge(found.looked_at);
        let count = found.run_keys.len();
        found.run_keys.retain(|run_key| place.newest.is_none_or(|newest| *run_key < newest));
        let is_answered = found.after.is_none() || found.run_keys.len() < count;
        let roots = ended(port, &found.run_keys)?;
        let removed = port.trees_remove(&roots, &mut self.room)?;
        if removed.last_key != roots.last().copied() {
            place.after = removed.last_key.or(place.after);
        } else if is_answered {
            (place.after, place.answered) = (None, place.answered + 1);
        } else {
            place.after = found.after;
        }
        Ok(Some(place).filter(|place| place.answered < due.len()))
    }

    fn walk(&self, order: Order, after: Option<RunKey>, found_max: u32) -> Walk {
        Walk { order, after, found_max, looks_max: self.looks_left.max(1) }
    }
}

/// The topmost runs of a workflow.
fn of_workflow(workflow: &str) -> RunFilter {
    RunFilter { workflow: Some(workflow.to_owned()), is_roots_only: true, ..RunFilter::default() }
}
