//! Numbers that stand in the rows of every backend, so that a row means the same in each.

use crate::domain::port::{RunKey, Target};

/// Of `sw_workflow_tasks.flags`.
pub(super) const FLAG_CANCEL_ASKED: i64 = 1;
/// Its time is over.
pub(super) const FLAG_TIMED_OUT: i64 = 2;
/// It is set aside once its attempt ends.
pub(super) const FLAG_PAUSE_ASKED: i64 = 4;
/// One owner alone may claim it.
pub(super) const FLAG_LOCAL: i64 = 8;
/// A budget had room for it.
pub(super) const FLAG_WOKEN_FOR_ROOM: i64 = 16;

/// Of `sw_workflow_waits.kind`.
pub(super) const KIND_CHILD: i64 = 1;
/// A message.
pub(super) const KIND_SIGNAL: i64 = 2;
/// Room in a budget.
pub(super) const KIND_ROOM: i64 = 3;
/// A moment.
pub(super) const KIND_TIME: i64 = 4;

/// Returns kind, target and name of the row that stands for a target of this run.
pub(super) fn wait_row(run_key: RunKey, target: &Target) -> (i64, RunKey, &str) {
    match target {
        Target::Child(child_key) => (KIND_CHILD, *child_key, ""),
        Target::Signal(name) => (KIND_SIGNAL, run_key, name),
        Target::Time(at_ms) => (KIND_TIME, *at_ms, ""),
    }
}
