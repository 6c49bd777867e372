//! Claims about the hot rows of open runs.

use super::{Bed, at, claimer, owner_id, plain, run_id};
use crate::domain::port::{GatePlace, Owner, Port, QueueLimits, Target, Task, WokenFor};
use crate::domain::submit::{QUEUE_DEFAULT, Submit, submit};

/// A write of a task, as a backend gives it.
type Write = fn(&mut dyn Port, &Task);

/// All of them but the claim, each in a state that it is for.
const WRITES: [(&str, Write); 15] = [
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
    ("gates_turn", |port, _| port.gates_turn(QUEUE_DEFAULT, &[("k", false)]).unwrap()),
    ("gate_let_in", |port, task| port.gate_let_in(&at_gate(task)).unwrap()),
    ("gates_keep", |port, task| {
        let limits = QueueLimits { concurrency_per_key: Some(1), ..QueueLimits::default() };
        port.queue_set(QUEUE_DEFAULT, &limits).unwrap();
        port.running_add(QUEUE_DEFAULT, 1, Some("k")).unwrap();
        port.gates_keep(&[at_gate(task)]).unwrap();
    }),
    ("tasks_move", |port, task| {
        assert_eq!(port.tasks_move(task.lane_key, task.lane_key, 9).unwrap().count, 1);
    }),
    ("task_set_aside", |port, task| port.task_set_aside(task).unwrap()),
    ("task_yield", |port, task| port.task_yield(task).unwrap()),
];

fn at_gate(task: &Task) -> GatePlace {
    GatePlace { lane_key: task.lane_key, gate: task.gate.clone().unwrap() }
}

/// Whoever has read a task and finds its version again knows that nothing of it has changed.
pub(super) fn every_write_of_a_task_counts_its_version(bed: &mut dyn Bed) {
    let gated = Submit { concurrency_key: Some("k".into()), ..plain() };
    let owner = Owner { owner_key: 0, id: owner_id(1) };
    let owner_key = bed.tx(|port| port.owner_make(&owner, 4)).unwrap();
    bed.tx(|port| submit(port, &gated, run_id(1), owner_key, at(5))).unwrap();
    let key = bed.tx(|port| port.run_by_id(run_id(1))).unwrap().unwrap();
    let before = bed.task(key).unwrap();
    let mut claimer = claimer(1, owner_key);
    claimer.filter.owner_key = owner_key;
    let fence = bed.claim(&claimer, at(6)).unwrap().fence;
    let mut task = bed.task(key).unwrap();
    assert!(task.version > before.version, "claim");
    assert_eq!(bed.tx(|port| port.hold(fence)).unwrap().unwrap().version, task.version);
    for (name, write) in WRITES {
        bed.tx(|port| write(port, &task));
        let written = bed.task(key).unwrap();
        assert!(written.version > task.version, "{name}");
        bed.tx(|port| port.ready_head(&claimer.filter)).unwrap();
        assert_eq!(bed.task(key).unwrap().version, written.version, "a look is no write");
        task = written;
    }
}
