//! Claims about submitting and finding runs.

use super::{Bed, at, plain, run_id};
use crate::domain::Backoff;
use crate::domain::attempt::End;
use crate::domain::port::{Inserted, Lane, NewRun, Outcome, Port, RunPolicy, Task};
use crate::domain::submit::{self, Submit};
use crate::error::{Error, Result};
use crate::id::Id;
use crate::limits::PAYLOAD_INLINE_BYTES_MAX;

fn keyed(scope: Option<&str>, key: &str) -> Submit {
    Submit {
        idempotency_scope: scope.map(Into::into),
        idempotency_key: Some(key.into()),
        ..plain()
    }
}

fn submit_many(port: &mut dyn Port, items: &[(Submit, Id)]) -> Result<Vec<submit::Submitted>> {
    submit::submit_many(port, items, 0, Error::at_index, at(6))
}

/// P8.
pub(super) fn one_key_makes_one_run_of_its_workflow_whatever_else_is_asked(bed: &mut dyn Bed) {
    let first = bed.submit(1, &keyed(None, "k"), at(5));
    assert_eq!((first.run_id, first.existed), (run_id(1), false));
    let before = bed.dump();
    let other = Submit {
        queue: Some("elsewhere".into()),
        args: Some("[1]".into()),
        run_at_ms: 9_000,
        ..keyed(None, "k")
    };
    let second = bed.submit(2, &other, at(6));
    assert_eq!((second.run_id, second.existed), (run_id(1), true));
    assert_eq!(bed.dump(), before);
    let found = bed.tx(|port| port.run_by_idempotency("", "k").unwrap());
    assert_eq!(found, Some((run_id(1), "w".into())));
}

/// P8: an invoice is not taken for the welcome that its key made.
pub(super) fn a_key_of_another_workflow_is_a_conflict_and_stores_nothing(bed: &mut dyn Bed) {
    bed.submit(1, &keyed(Some("s"), "k"), at(5));
    let other = Submit { workflow: "W".into(), ..keyed(Some("s"), "k") };
    let free = Submit { workflow: "W".into(), ..plain() };
    let items = [(free, run_id(2)), (other.clone(), run_id(3))];
    let one = bed.refused(-23, |port| submit::submit(port, &other, run_id(2), 0, at(6)));
    let many = bed.undone(|port| submit_many(port, &items)).unwrap_err();
    assert_eq!((many.code(), many.to_string()), (-23, format!("items[1]: {one}")));
    let known = crate::id::write("run", run_id(1));
    assert!([r#""W""#, r#""w""#, &known].iter().all(|part| one.contains(part)), "{one}");
}

/// P8: two items of one list conflict as two calls do.
pub(super) fn a_list_that_uses_a_key_for_two_workflows_is_refused_whole(bed: &mut dyn Bed) {
    let other = Submit { workflow: "W".into(), ..keyed(None, "k") };
    let items = [(keyed(None, "k"), run_id(1)), (plain(), run_id(2)), (other, run_id(3))];
    let many = bed.undone(|port| submit_many(port, &items)).unwrap_err();
    assert!(many.code() == -23 && many.to_string().starts_with("items[2]: "), "{many}");
}

/// P8: an absent scope is the scope "".
pub(super) fn a_key_counts_within_its_scope(bed: &mut dyn Bed) {
    assert!(!bed.submit(1, &keyed(None, "k"), at(5)).existed);
    assert!(!bed.submit(2, &keyed(Some("s"), "k"), at(5)).existed);
    assert!(!bed.submit(3, &keyed(Some("s"), "K"), at(5)).existed);
    assert!(!bed.submit(4, &keyed(Some("S"), "k"), at(5)).existed);
    assert_eq!(bed.submit(5, &keyed(Some(""), "k"), at(5)).run_id, run_id(1));
    assert_eq!(bed.submit(6, &keyed(Some("s"), "k"), at(5)).run_id, run_id(2));
    assert_eq!(bed.tx(|port| port.run_by_idempotency("s", "nobody").unwrap()), None);
}

/// P8: for as long as the row exists, not for as long as the run is open.
pub(super) fn a_key_stays_taken_after_its_run_has_ended(bed: &mut dyn Bed) {
    bed.submit(1, &keyed(None, "k"), at(5));
    let fence = bed.claimed(at(6)).fence;
    bed.finish(fence, &End::Complete("1".into()), at(7)).unwrap();
    let again = bed.submit(2, &keyed(None, "k"), at(8));
    assert_eq!((again.run_id, again.existed), (run_id(1), true));
}

pub(super) fn runs_without_a_key_are_all_made(bed: &mut dyn Bed) {
    let keys: Vec<i64> = (1..=20).map(|number| bed.run(number, at(5))).collect();
    assert!(keys.is_sorted_by(|a, b| a < b), "keys grow: {keys:?}");
    assert!(keys.iter().all(|key| bed.task(*key).is_some()));
}

/// P7.
pub(super) fn an_undone_submit_leaves_nothing_and_its_key_is_free(bed: &mut dyn Bed) {
    let before = bed.dump();
    let submit = keyed(None, "k");
    let undone = bed.undone(|port| submit::submit(port, &submit, run_id(1), 0, at(5)).unwrap());
    assert!(!undone.existed);
    assert_eq!(bed.dump(), before);
    assert!(!bed.submit(2, &submit, at(6)).existed);
}

fn new_run(number: u8, lane: Lane, submit: &Submit) -> NewRun<'_> {
    let task = Task { due_at_ms: 5, ..Task::new(0, 0) };
    NewRun { run_id: run_id(number), lane, task, parent: None, created_at_ms: 5, submit }
}

/// P8: a key that is known leaves nothing behind, neither a lane nor args.
pub(super) fn runs_are_inserted_in_their_order_or_known_by_their_key(bed: &mut dyn Bed) {
    let large = Some(format!("\"{}\"", "x".repeat(PAYLOAD_INLINE_BYTES_MAX)));
    let submits =
        [plain(), keyed(None, "a"), keyed(None, "b"), Submit { args: large, ..keyed(None, "a") }];
    let lane = |workflow: &str| Lane {
        queue: "q".into(),
        workflow: workflow.into(),
        code_version: String::new(),
        owner_key: 0,
    };
    let w = "w".to_owned();
    let runs = [(1, 1), (2, 0), (3, 1), (4, 2), (5, 2)];
    let runs: Vec<_> = runs.map(|(number, of)| new_run(number, lane("w"), &submits[of])).into();
    let inserted = bed.tx(|port| port.runs_insert(&runs).unwrap());
    let key = |bed: &mut dyn Bed, number| bed.tx(|port| port.run_by_id(run_id(number)).unwrap());
    let [a, plain, b] = [1, 2, 4].map(|number| key(bed, number).unwrap());
    let lane_key = bed.task(a).unwrap().lane_key;
    let made = |run_key| Inserted::New(run_key, lane_key);
    let known = |number| Inserted::Known(run_id(number), w.clone());
    assert_eq!(inserted, [made(a), made(plain), known(1), made(b), known(4)]);
    assert!(a < plain && plain < b);
    let before = bed.dump();
    let again = [
        new_run(6, lane("w"), &submits[1]),
        new_run(7, lane("new"), &submits[2]),
        new_run(8, lane("w"), &submits[3]),
    ];
    let inserted = bed.tx(|port| port.runs_insert(&again).unwrap());
    assert_eq!((inserted, bed.dump()), (vec![known(1), known(4), known(1)], before));
}

pub(super) fn a_lane_is_made_once_for_its_four_names(bed: &mut dyn Bed) {
    let lane = |queue: &str, workflow: &str, version: &str, owner_key| Lane {
        queue: queue.into(),
        workflow: workflow.into(),
        code_version: version.into(),
        owner_key,
    };
    let lanes = [
        lane("q", "w", "", 0),
        lane("Q", "w", "", 0),
        lane("q", "w2", "", 0),
        lane("q", "w", "1", 0),
        lane("q", "w", "", 3),
        lane("w", "q", "", 0),
    ];
    let made = |bed: &mut dyn Bed, from: u8| -> Vec<i64> {
        let run = plain();
        let run = |(at, lane): (usize, &Lane)| new_run(from + at as u8, lane.clone(), &run);
        let runs: Vec<_> = lanes.iter().enumerate().map(run).collect();
        let inserted = bed.tx(|port| port.runs_insert(&runs).unwrap()).into_iter();
        let lane_key = |inserted| match inserted {
            Inserted::New(run_key, lane_key) => (run_key, lane_key),
            Inserted::Known(..) => panic!("a run without a key was known"),
        };
        let keys: Vec<_> = inserted.map(lane_key).collect();
        keys.iter().for_each(|(key, lane)| assert_eq!(bed.task(*key).unwrap().lane_key, *lane));
        keys.into_iter().map(|(_, lane_key)| lane_key).collect()
    };
    let first = made(bed, 1);
    assert_eq!(made(bed, 101), first);
    let distinct: std::collections::HashSet<_> = first.iter().collect();
    assert_eq!(distinct.len(), lanes.len());
}

/// Payloads come back byte for byte as given; absent args read as `null`.
pub(super) fn args_come_back_byte_for_byte_whatever_their_size(bed: &mut dyn Bed) {
    let sizes = [0, 1, PAYLOAD_INLINE_BYTES_MAX - 2, PAYLOAD_INLINE_BYTES_MAX - 1, 1 << 20];
    let texts = sizes.map(|size| format!("\"{}\"", "x".repeat(size)));
    let odd = ["{ \"a\" : 1e3,\t\"a\":\"\\u0000ü\u{1F600}\" }".to_owned(), "[\n]".to_owned()];
    let given: Vec<String> = texts.into_iter().chain(odd).collect();
    for (number, args) in given.iter().enumerate() {
        bed.submit(number as u8 + 1, &Submit { args: Some(args.clone()), ..plain() }, at(5));
    }
    bed.submit(99, &plain(), at(5));
    for args in &given {
        assert_eq!(&bed.claimed(at(6)).run.args, args);
    }
    assert_eq!(bed.claimed(at(6)).run.args, "null");
}

pub(super) fn a_policy_that_was_not_named_is_the_default(bed: &mut dyn Bed) {
    let key = bed.run(1, at(5));
    let policy = bed.tx(|port| port.run_policy(key).unwrap());
    let backoff = Backoff { initial_ms: 1_000, max_ms: 3_600_000, percent: 200 };
    assert_eq!(policy, RunPolicy { max_tries: 3, backoff });
    let named = Submit {
        max_tries: 7,
        backoff_initial_ms: 5,
        backoff_max_ms: 50,
        backoff_percent: 100,
        ..plain()
    };
    bed.submit(2, &named, at(5));
    let policy = bed.tx(|port| {
        let key = port.run_by_id(run_id(2)).unwrap().unwrap();
        port.run_policy(key).unwrap()
    });
    let backoff = Backoff { initial_ms: 5, max_ms: 50, percent: 100 };
    assert_eq!(policy, RunPolicy { max_tries: 7, backoff });
}

pub(super) fn a_run_has_no_end_while_it_is_open(bed: &mut dyn Bed) {
    let key = bed.run(1, at(5));
    assert_eq!(bed.tx(|port| port.run_end(key).unwrap()), None);
    let fence = bed.claimed(at(6)).fence;
    assert_eq!(bed.tx(|port| port.run_end(key).unwrap()), None);
    bed.finish(fence, &End::Complete("[1]".into()), at(9)).unwrap();
    let end = bed.tx(|port| port.run_end(key).unwrap()).unwrap();
    assert_eq!((end.outcome, end.finished_at_ms), (Outcome::Completed, 9));
    assert_eq!((end.attempts, end.tries), (1, 0));
    assert_eq!((end.result.as_deref(), end.error), (Some("[1]"), None));
    assert_eq!(bed.tx(|port| port.run_by_id(run_id(2)).unwrap()), None);
}
