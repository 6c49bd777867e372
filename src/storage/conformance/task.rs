//! Claims about the hot rows of open runs.

use super::{Bed, at, plain, run_id};
use crate::domain::port::{GatePlace, Port, Target, Task, WokenFor};
use crate::domain::submit::Submit;

/// A write of a task, as a backend gives it.
type Write = fn(&mut dyn Port, &Task);

/// All of them but the claim, each in a state that it is for.
const WRITES: [(&str, Write); 14] = [
    ("lease_set", |port, task| port.lease_set(task.run_key, 9, 9, 1).unwrap()),
    ("task_ask_pause", |port, task| port.task_ask_pause(task.run_key, true).unwrap()),
    ("task_ask_cancel", |port, task| port.task_ask_cancel(task.run_key).unwrap()),
    ("task_set_timed_out", |port, task| port.task_set_timed_out(task.run_key).unwrap()),
    ("task_park", |port, task| port.task_park(task.run_key, Some(9), 2, 9).unwrap()),
    ("waiters", |port, task| {
        let end = Target::Child(9);
        port.waits_insert(task.run_key, &[(&end, 1)]).unwrap();
        assert_eq!(port.waiters(9, &end).unwrap()[0].left, 1);
    }),
    ("wake_due", |port, _| assert_eq!(port.wake_due(9, 9).unwrap().count, 1)),
    ("task_park, again", |port, task| port.task_park(task.run_key, None, 1, 9).unwrap()),
    ("tasks_wake", |port, task| {
        assert_eq!(port.tasks_wake(&[task.run_key], 9, WokenFor::Room).unwrap().count, 1);
    }),
    ("gate_keep", |port, task| port.gate_keep(&at_gate(task), 0).unwrap()),
    ("gate_let_in", |port, task| port.gate_let_in(&at_gate(task)).unwrap()),
    ("task_move", |port, task| drop(port.task_move(task.run_key, task.lane_key).unwrap())),
    ("task_set_aside", |port, task| port.task_set_aside(task).unwrap()),
    ("task_yield", |port, task| port.task_yield(task).unwrap()),
];

fn at_gate(task: &Task) -> GatePlace {
    GatePlace { lane_key: task.lane_key, gate: task.gate.clone().unwrap() }
}

/// Whoever has read a task and finds its version again knows that nothing of it has changed.
pub(super) fn every_write_of_a_task_counts_its_version(bed: &mut dyn Bed) {
    let gated = Submit { concurrency_key: Some("k".into()), ..plain() };
    bed.submit(1, &gated, at(5));
    let key = bed.tx(|port| port.run_by_id(run_id(1))).unwrap().unwrap();
    let before = bed.task(key).unwrap();
    let fence = bed.claimed(at(6)).fence;
    let mut task = bed.task(key).unwrap();
    assert!(task.version > before.version, "claim");
    assert_eq!(bed.tx(|port| port.hold(fence)).unwrap().unwrap().version, task.version);
    for (name, write) in WRITES {
        bed.tx(|port| write(port, &task));
        let written = bed.task(key).unwrap();
        assert!(written.version > task.version, "{name}");
        bed.tx(|port| port.tasks_local(task.lane_key, 9)).unwrap();
        assert_eq!(bed.task(key).unwrap().version, written.version, "a look is no write");
        task = written;
    }
}
