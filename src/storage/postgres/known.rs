//! What a transaction knows of rows without asking again: read ahead, or left so by what it wrote.
//!
//! Nobody else writes meanwhile, so what is known stays so until this transaction writes. Of each statement
//! that it runs what it may change is forgotten, by the tables that it names.

use std::collections::HashMap;

use crate::domain::port::{Fence, LaneKey, RunKey, Standing, Task, TaskState};
use crate::id::Id;

/// What a transaction takes to be so without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Nothing: it asks, and waits for the answer.
    Nothing,
    /// That what it records is new. A guard undoes it all where it is not.
    New,
    /// That, and that attempts hold what they held when they wrote last. It asks nothing at all.
    Everything,
}

/// A task that an attempt holds.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) task: Task,
    /// When it was claimed its queue had no limits, and it no parent that might wait for its end.
    pub(super) ends_alone: bool,
}

/// Tasks that attempts hold.
pub(super) type Tasks = HashMap<RunKey, Held>;

/// What the end of an attempt looks at beside its task.
#[derive(Debug, Clone)]
pub(super) struct Ending {
    pub(super) lane_key: LaneKey,
    /// It has reserved what is not settled.
    pub(super) has_reserved: bool,
    /// Its queue has limits.
    pub(super) is_limited: bool,
    /// Somebody waits for its end.
    pub(super) is_awaited: bool,
}

impl Ending {
    /// One for which nothing is to be done beside.
    pub(super) fn alone(lane_key: LaneKey) -> Ending {
        Ending { lane_key, has_reserved: false, is_limited: false, is_awaited: false }
    }
}

/// A run by its idempotency: its id, and of which workflow.
pub(super) type Keyed = Option<(Id, String)>;

/// What a transaction knows.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) tasks: Tasks,
    pub(super) endings: HashMap<RunKey, Ending>,
    /// How a queue stands.
    pub(super) standing: Option<(String, Standing)>,
    /// Runs by scope and key; `None` where there is none.
    pub(super) keys: HashMap<(String, String), Keyed>,
}

impl Known {
    /// Forgets what a statement may change.
    pub(super) fn meet(&mut self, sql: &str) {
        let verb = sql.split_whitespace().next().unwrap_or_default();
        if verb == "SELECT" {
            return;
        }
        self.standing = None;
        let names = |table| sql.contains(table);
        if verb != "INSERT" && names("sw_workflow_tasks") {
            self.tasks.clear();
            self.endings.clear();
        }
        // That none is there is known, which none that goes makes untrue.
        let is_of_endings = ["sw_workflow_waits", "sw_workflow_queues", "sw_budget_reservations"];
        if verb != "DELETE" && is_of_endings.into_iter().any(names) {
            self.endings.clear();
        }
        if verb != "INSERT" && names("sw_workflow_runs") {
            self.keys.clear();
        }
    }

    /// Forgets what a statement may change that writes the task of this run, and no other row.
    pub(super) fn meet_task(&mut self, run_key: RunKey) {
        self.standing = None;
        // What others have of the run is as it was.
        self.tasks.remove(&run_key);
    }

    /// Returns what an attempt holds, if that is known.
    pub(super) fn held(&self, fence: Fence) -> Option<&Held> {
        let of_attempt = (TaskState::Running, fence.number, fence.token);
        let is_it = |task: &Task| (task.state, task.fence, task.token) == of_attempt;
        self.tasks.get(&fence.run_key).filter(|held| is_it(&held.task))
    }

    /// Returns whether something is known not to be there, of a run whose end was looked at.
    pub(super) fn lacks(&self, run_key: RunKey, what: impl Fn(&Ending) -> bool) -> bool {
        self.endings.get(&run_key).is_some_and(|ending| !what(ending))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        let held = Held { task: Task::new(1, 1), ends_alone: false };
        Known {
            tasks: [(1, held)].into(),
            endings: [(1, Ending::alone(1))].into(),
            standing: None,
            keys: [((String::new(), "k".into()), None)].into(),
        }
    }

    /// Which of tasks, endings and keys are known still.
    fn left(sql: &str) -> [bool; 3] {
        let mut known = known();
        known.meet(sql);
        [!known.tasks.is_empty(), !known.endings.is_empty(), !known.keys.is_empty()]
    }

    #[test]
    fn a_statement_makes_forget_what_it_may_change_and_no_more() {
        for (sql, kept) in [
            ("\nSELECT 1 FROM s.sw_workflow_tasks", [true; 3]),
            ("\nUPDATE s.sw_workflow_tasks SET", [false, false, true]),
            ("\nDELETE FROM s.sw_workflow_tasks", [false, false, true]),
            ("\nINSERT INTO s.sw_workflow_tasks", [true; 3]),
            ("\nWITH w AS (UPDATE s.sw_workflow_tasks", [false, false, true]),
            ("\nINSERT INTO s.sw_workflow_waits", [true, false, true]),
            ("\nDELETE FROM s.sw_workflow_waits", [true; 3]),
            ("\nUPDATE s.sw_workflow_queues", [true, false, true]),
            ("\nUPDATE s.sw_budget_reservations", [true, false, true]),
            ("\nUPDATE s.sw_workflow_runs", [true, true, false]),
            ("\nINSERT INTO s.sw_workflow_attempts", [true; 3]),
        ] {
            assert_eq!(left(sql), kept, "{sql}");
        }
    }

    #[test]
    fn a_write_of_one_task_leaves_those_of_others() {
        let mut known = known();
        known.meet_task(2);
        assert!(known.lacks(1, |ending| ending.is_awaited));
        known.meet_task(1);
        assert!(known.tasks.is_empty());
        assert!(known.lacks(1, |ending| ending.is_awaited));
    }
}
