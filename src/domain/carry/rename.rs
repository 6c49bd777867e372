//! Giving the runs of a tree other ids: wherever the library itself has written one. What a host has put
//! into its payloads stays.

use std::collections::HashMap;

use super::tree::{Run, Step, Tree};
use crate::domain::port::CarriedTarget;
use crate::id::{self, Id};

/// Returns a tree whose runs have the ids that are drawn.
pub(super) fn rename(mut tree: Tree, mut draw: impl FnMut() -> Id) -> Tree {
    let renamed: HashMap<Id, Id> = tree.runs.iter().map(|run| (run.row.run_id, draw())).collect();
    let to = |old: &mut Id| *old = renamed.get(old).copied().unwrap_or(*old);
    for run in &mut tree.runs {
        to(&mut run.row.run_id);
        run.row.parent_run_id.iter_mut().for_each(to);
        for (target, _) in &mut run.waits {
            if let CarriedTarget::Child(child) = target {
                to(child);
            }
        }
        run.steps.iter_mut().for_each(|step| rename_in(step, &renamed));
    }
    tree.events.iter_mut().for_each(|(run_id, _)| to(run_id));
    tree
}

/// A submit of a child has recorded its id; an await of one child alone is named after it.
fn rename_in(step: &mut Step, renamed: &HashMap<Id, Id>) {
    let new =
        |old: Option<Id>| old.and_then(|old| renamed.get(&old)).map(|id| id::write("run", *id));
    if let Some(child) = new(Run::child_of(step)) {
        step.row.result = Some(format!("\"{child}\""));
    }
    if let Some(child) = new(Run::awaited_by(step)) {
        step.row.name = child;
    }
}
