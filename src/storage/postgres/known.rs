//! What a transaction knows of rows without asking again: read ahead, or left so by what it wrote.
//!
//! Nobody else writes meanwhile, so what is known stays so until this transaction writes. Of each statement
//! that it runs what it may change is forgotten, by the tables that it names.

use std::collections::HashMap;

use crate::domain::port::{Fence, Hold, LaneKey, RunKey, Standing, Task};
use crate::id::Id;

/// What attempts hold.
pub(super) type Holds = HashMap<RunKey, (Fence, Hold)>;

/// What the end of an attempt looks at.
#[derive(Debug, Clone)]
pub(super) struct Ending {
    /// `None` once it was written.
    pub(super) task: Option<Task>,
    pub(super) lane_key: LaneKey,
    /// It has reserved what is not settled.
    pub(super) has_reserved: bool,
    /// Its queue has limits.
    pub(super) is_limited: bool,
    /// Somebody waits for its end.
    pub(super) is_awaited: bool,
}

/// A run by its idempotency: its id, and of which workflow.
pub(super) type Keyed = Option<(Id, String)>;

/// What a transaction knows.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) holds: Holds,
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
            self.holds.clear();
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
        self.holds.remove(&run_key);
        // What others have of the run is as it was.
        if let Some(ending) = self.endings.get_mut(&run_key) {
            ending.task = None;
        }
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
        let hold = Task::new(1, 1).hold();
        let ending = Ending {
            task: Some(Task::new(1, 1)),
            lane_key: 1,
            has_reserved: false,
            is_limited: false,
            is_awaited: false,
        };
        Known {
            holds: [(1, (Fence { run_key: 1, number: 1, token: 1 }, hold))].into(),
            endings: [(1, ending)].into(),
            standing: None,
            keys: [((String::new(), "k".into()), None)].into(),
        }
    }

    /// Which of holds, endings and keys are known still.
    fn left(sql: &str) -> [bool; 3] {
        let mut known = known();
        known.meet(sql);
        [!known.holds.is_empty(), !known.endings.is_empty(), !known.keys.is_empty()]
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
        assert!(known.holds.is_empty() && known.endings[&1].task.is_none());
        assert!(known.lacks(1, |ending| ending.is_awaited));
    }
}
