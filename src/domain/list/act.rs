//! Acting on many runs at once, by the rules that hold for each.

use serde::Serialize;

use super::filter::Asked;
use super::page_len;
use crate::clock::Now;
use crate::domain::control;
use crate::domain::output::{Document, document};
use crate::domain::port::{Include, Outcome, Port, RunFilter, RunKey, RunState, RunStates, Walk};
use crate::error::{Error, Result};
use crate::id;
use crate::limits::{EVENT_PAGE_BYTES, LIST_LOOKS_MAX};

/// What is done to each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// As sw_run_cancel.
    Cancel,
    /// As sw_run_pause.
    Pause,
    /// As sw_run_resume.
    Resume,
    /// As sw_run_retry.
    Retry,
}

impl Action {
    /// Reads its name.
    pub fn read(name: &str) -> Result<Action> {
        match name {
            "cancel" => Ok(Action::Cancel),
            "pause" => Ok(Action::Pause),
            "resume" => Ok(Action::Resume),
            "retry" => Ok(Action::Retry),
            _ => Err(Error::invalid(format!(
                "action is {name:?}, it must be cancel, pause, resume or retry"
            ))),
        }
    }

    /// Leaves out the runs to which there is nothing to do, so that a call after the last finds none.
    fn narrow(self, filter: &mut RunFilter) {
        match self {
            Action::Cancel => {
                filter.states = RunStates::of(&RunState::OPEN);
                filter.is_cancel_asked = filter.is_cancel_asked.or(Some(false));
            }
            Action::Pause => {
                filter.states = RunStates::of(&RunState::OPEN);
                filter.is_pause_asked = Some(false);
            }
            Action::Resume => {
                filter.states = RunStates::of(&[RunState::Running, RunState::Paused]);
                filter.is_pause_asked = Some(true);
            }
            Action::Retry => {
                filter.states = RunStates::of(&[RunState::Failed, RunState::Cancelled]);
            }
        }
    }

    /// Returns whether the call on one run would be refused, by how that run ended.
    fn refuses(self, outcome: Option<Outcome>) -> bool {
        match (self, outcome) {
            (Action::Cancel, Some(outcome)) => outcome != Outcome::Cancelled,
            (Action::Pause | Action::Resume, outcome) => outcome.is_some(),
            (Action::Retry, Some(outcome)) => outcome == Outcome::Completed,
            (Action::Retry, None) => true,
            (Action::Cancel, None) => false,
        }
    }

    fn act(self, port: &mut dyn Port, run_id: &str, now: Now) -> Result<()> {
        match self {
            Action::Cancel => control::cancel(port, run_id, None, now),
            Action::Pause => control::pause(port, run_id, now),
            Action::Resume => control::resume(port, run_id, now),
            Action::Retry if control::retry(port, run_id, now)? => Ok(()),
            Action::Retry => Err(Error::internal("a cancel came between two retries")),
        }
    }
}

#[derive(Serialize)]
struct ActDocument {
    matched: usize,
    done: usize,
    refused: Vec<Refused>,
    more: bool,
}

impl Document for ActDocument {
    const SHAPE: &'static str = "acted";
}

#[derive(Serialize)]
struct Refused {
    run_id: String,
    code: i32,
}

/// What one look for runs to act on came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Acted {
    /// The document of what was done, or would be.
    Told(String),
    /// None of the runs that were looked at is meant: go on behind this one.
    NoneUpTo(RunKey),
    /// Nothing is changed: a cancel is on its way down that a retry must let go first.
    CancelsFirst,
}

/// Says what an act would do, looking on behind `after`.
pub fn rehearse(
    port: &mut dyn Port,
    action: Action,
    asked: &Asked,
    after: Option<RunKey>,
    limit: u32,
) -> Result<Acted> {
    let (run_keys, more) = match matched(port, action, asked, after, limit)? {
        Matched { run_keys, after: Some(after), .. } if run_keys.is_empty() => {
            return Ok(Acted::NoneUpTo(after));
        }
        matched => (matched.run_keys, matched.more),
    };
    let mut acted = ActDocument { matched: run_keys.len(), done: 0, refused: Vec::new(), more };
    for (run_id, outcome) in named(port, &run_keys)? {
        if action.refuses(outcome) {
            acted.refused.push(Refused { run_id, code: Error::conflict("").code() });
        }
    }
    document(&acted).map(Acted::Told)
}

/// Acts on up to `limit` runs that a filter means, and tells which the call on one run would have
/// refused, with its code.
pub fn act_many(
    port: &mut dyn Port,
    action: Action,
    asked: &Asked,
    (after, limit): (Option<RunKey>, u32),
    now: Now,
) -> Result<Acted> {
    if action == Action::Retry && !port.cascades(1)?.is_empty() {
        return Ok(Acted::CancelsFirst);
    }
    let (run_keys, more) = match matched(port, action, asked, after, limit)? {
        Matched { run_keys, after: Some(after), .. } if run_keys.is_empty() => {
            return Ok(Acted::NoneUpTo(after));
        }
        matched => (matched.run_keys, matched.more),
    };
    let mut acted = ActDocument { matched: run_keys.len(), done: 0, refused: Vec::new(), more };
    for (run_id, _) in named(port, &run_keys)? {
        match action.act(port, &run_id, now) {
            Ok(()) => acted.done += 1,
            // A rule of the run's own state: it is looked at before anything is written.
            Err(error @ Error::Conflict(_)) => {
                acted.refused.push(Refused { run_id, code: error.code() });
            }
            Err(error) => return Err(error),
        }
    }
    document(&acted).map(Acted::Told)
}

/// Runs to act on.
struct Matched {
    run_keys: Vec<RunKey>,
    /// There may be others, behind this one.
    after: Option<RunKey>,
    more: bool,
}

fn matched(
    port: &mut dyn Port,
    action: Action,
    asked: &Asked,
    after: Option<RunKey>,
    limit: u32,
) -> Result<Matched> {
    let len = page_len(limit)?;
    let mut filter = asked.resolved(port)?;
    if !asked.names_states {
        action.narrow(&mut filter);
    }
    let walk = Walk { order: asked.order, after, found_max: len + 1, looks_max: LIST_LOOKS_MAX };
    let mut found = port.runs_found(&filter, &walk)?;
    let more = found.after.is_some() || found.run_keys.len() > len as usize;
    found.run_keys.truncate(len as usize);
    Ok(Matched { run_keys: found.run_keys, after: found.after, more })
}

fn named(port: &mut dyn Port, run_keys: &[RunKey]) -> Result<Vec<(String, Option<Outcome>)>> {
    let rows = port.runs_shown(run_keys, Include::default(), EVENT_PAGE_BYTES)?;
    if rows.len() < run_keys.len() {
        return Err(Error::internal("a run that was found is gone"));
    }
    Ok(rows.into_iter().map(|row| (id::write("run", row.run_id), row.outcome)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_that_is_none_is_named() {
        assert_eq!(Action::read("pause").unwrap(), Action::Pause);
        assert!(Action::read("stop").unwrap_err().to_string().contains("\"stop\""));
    }
}
