//! Children: runs that a run submits. Their name is their key: each is submitted once (P25).

use super::hold::{Lease, held_task, living, progress};
use super::port::{
    ChildState, Fence, Port, Recorded, RunKey, StepFacts, StepKind, StepRow, StepState,
};
use super::submit::{Item, Submit, submit_all};
use crate::clock::Now;
use crate::error::{Error, Result};
use crate::id::{self, Id};
use crate::limits::FORKS_MAX;

/// A child to be submitted, with the occurrence that its call means.
#[derive(Debug, Clone)]
pub struct NewChild {
    /// Name.
    pub name: String,
    /// Occurrence of the name, from 1.
    pub occurrence: u32,
    /// What to run; an absent queue is the parent's.
    pub submit: Submit,
    /// Id that it gets if it is new.
    pub run_id: Id,
}

/// Refuses what only a topmost run can have.
pub fn check_submit(submit: &Submit) -> Result<()> {
    if submit.idempotency_key.is_some() {
        return Err(Error::invalid("a child has no idempotency_key: its name is its key"));
    }
    if submit.budget.is_some() {
        return Err(Error::invalid("a child has no budget: the topmost run holds it"));
    }
    submit.check()
}

/// Answers from the records when all of the children were submitted before; `None` when one is new.
pub fn look(
    port: &mut dyn Port,
    fence: Fence,
    children: &[NewChild],
    now: Now,
) -> Result<Option<Vec<(Id, bool)>>> {
    living(port, fence, now)?;
    let names: Vec<_> = children.iter().map(|child| (&*child.name, child.occurrence)).collect();
    let Some(rows) = port.steps_all(fence.run_key, StepKind::Child, &names)? else {
        return Ok(None);
    };
    let known = |row: StepRow| Ok((recorded(row.result.as_deref())?, true));
    rows.into_iter().map(known).collect::<Result<Vec<_>>>().map(Some)
}

/// Submits children in one commit. Returns for each its id and whether it was submitted before.
pub fn submit(
    port: &mut dyn Port,
    fence: Fence,
    children: &[NewChild],
    now: Now,
) -> Result<(Vec<(Id, bool)>, Lease)> {
    let hold = living(port, fence, now)?;
    let parent = port.lineage(fence.run_key)?;
    // A local child is for the handle that holds its parent.
    let has_local = children.iter().any(|child| child.submit.is_local);
    let owner = if has_local { held_task(port, fence)?.owner_key } else { None };
    let rows: Vec<_> = children.iter().map(|child| row_of(child, now)).collect();
    let records = port.steps_record(fence.run_key, StepKind::Child, &rows)?;
    let is_new = |(_, record): &(&NewChild, &Recorded)| **record == Recorded::New;
    let items: Vec<Item<'_>> = children
        .iter()
        .zip(&records)
        .filter(is_new)
        .map(|(child, _)| Item {
            submit: &child.submit,
            run_id: child.run_id,
            local_owner: owner.filter(|_| child.submit.is_local).unwrap_or(0),
        })
        .collect();
    submit_all(port, &items, Some(&parent), |error, _| error, now)?;
    let answer = |(child, record): (&NewChild, Recorded)| match record {
        Recorded::Stored(row) => Ok((recorded(row.result.as_deref())?, true)),
        Recorded::New => Ok((child.run_id, false)),
    };
    let submitted = children.iter().zip(records).map(answer).collect::<Result<Vec<_>>>()?;
    Ok((submitted, progress(port, fence, &hold, now)?))
}

/// Its record, as it stands when this submit is its first.
fn row_of(child: &NewChild, now: Now) -> StepRow {
    StepRow {
        name: child.name.clone(),
        occurrence: child.occurrence,
        facts: StepFacts { state: StepState::Done, tries: 1, retry_at_ms: None, input_hash: None },
        label: None,
        started_at_ms: now.wall_ms,
        took_ms: 0,
        error: None,
        result: Some(format!("\"{}\"", id::write("run", child.run_id))),
    }
}

/// Reads the id of a child from the record of its submit.
pub fn recorded(result: Option<&str>) -> Result<Id> {
    let text = result.unwrap_or_default().trim_matches('"');
    id::parse("run", text).ok_or_else(|| Error::Corrupt("a child's record has no run id".into()))
}

/// Returns how children stand, each in its place: those that this run submitted, or whose submits it
/// replays because it was forked from the run that did.
pub(super) fn children_of(
    port: &mut dyn Port,
    parent_key: RunKey,
    run_ids: &[Id],
) -> Result<Vec<ChildState>> {
    if run_ids.is_empty() {
        return Ok(Vec::new());
    }
    let states = port.children(run_ids)?;
    let is_own = |state: &ChildState| state.parent_key == Some(parent_key);
    let origins = if states.iter().flatten().all(is_own) {
        Vec::new()
    } else {
        port.origins(parent_key, FORKS_MAX - 1)?
    };
    let may_await = |state: &ChildState| {
        is_own(state) || state.parent_key.is_some_and(|parent| origins.contains(&parent))
    };
    let one = |(state, run_id): (Option<ChildState>, &Id)| {
        state.filter(may_await).ok_or_else(|| {
            let run_id = id::write("run", *run_id);
            Error::NotFound(format!("{run_id} is no child of this run").into())
        })
    };
    states.into_iter().zip(run_ids).map(one).collect()
}
