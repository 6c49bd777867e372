//! Children: runs that a run submits. Their name is their key: each is submitted once (P25).

use super::hold::{Lease, held_task, living, progress};
use super::port::{
    ChildState, Fence, OwnerKey, Parent, Port, RunKey, StepFacts, StepKind, StepRow, StepState,
};
use super::submit::{Submit, submit_as};
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
    let mut found = Vec::with_capacity(children.len());
    for child in children {
        match port.step(fence.run_key, StepKind::Child, &child.name, child.occurrence)? {
            Some(row) => found.push((recorded(row.result.as_deref())?, true)),
            None => return Ok(None),
        }
    }
    Ok(Some(found))
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
    let mut submitted = Vec::with_capacity(children.len());
    for child in children {
        let owner_key = if child.submit.is_local { owner.unwrap_or(0) } else { 0 };
        submitted.push(submit_one(port, (fence, &parent), child, owner_key, now)?);
    }
    Ok((submitted, progress(port, fence, &hold, now)?))
}

fn submit_one(
    port: &mut dyn Port,
    (fence, parent): (Fence, &Parent),
    child: &NewChild,
    owner_key: OwnerKey,
    now: Now,
) -> Result<(Id, bool)> {
    let run_key = fence.run_key;
    if let Some(row) = port.step(run_key, StepKind::Child, &child.name, child.occurrence)? {
        return Ok((recorded(row.result.as_deref())?, true));
    }
    let child_id =
        submit_as(port, &child.submit, child.run_id, owner_key, Some(parent), now)?.run_id;
    let row = StepRow {
        name: child.name.clone(),
        occurrence: child.occurrence,
        facts: StepFacts { state: StepState::Done, tries: 1, retry_at_ms: None, input_hash: None },
        label: None,
        started_at_ms: now.wall_ms,
        took_ms: 0,
        error: None,
        result: Some(format!("\"{}\"", id::write("run", child_id))),
    };
    if !port.step_record(run_key, StepKind::Child, &row)? {
        return Err(Error::internal(format!("child {:?} was submitted twice", child.name)));
    }
    Ok((child_id, false))
}

/// Reads the id of a child from the record of its submit.
pub fn recorded(result: Option<&str>) -> Result<Id> {
    let text = result.unwrap_or_default().trim_matches('"');
    id::parse("run", text).ok_or_else(|| Error::Corrupt("a child's record has no run id".into()))
}

/// Returns how a child stands: one that this run submitted, or whose submit it replays because it
/// was forked from the run that did.
pub(super) fn child_of(port: &mut dyn Port, parent_key: RunKey, run_id: Id) -> Result<ChildState> {
    let child = port.child(run_id)?;
    let mut may_await = Some(parent_key);
    for _ in 0..FORKS_MAX {
        match (child, may_await) {
            (Some(child), Some(run_key)) if child.parent_key == Some(run_key) => return Ok(child),
            (Some(_), Some(run_key)) => may_await = port.forked_from(run_key)?,
            (None, _) | (_, None) => break,
        }
    }
    Err(Error::NotFound(format!("{} is no child of this run", id::write("run", run_id)).into()))
}
