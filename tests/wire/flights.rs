//! What each call costs: how often it waits for the server, and how often it commits. Counted at the wire.

use std::io::BufRead;
use std::sync::Arc;
use std::time::Duration;

use smolwf::domain::FailOptions;
use smolwf::domain::claim::Claim;
use smolwf::domain::step::Begin;
use smolwf::domain::submit::Submit;
use smolwf::error::Error;
use smolwf::handles::attempt::Attempt;
use smolwf::handles::begin::Begun;
use smolwf::handles::sql::InNameOf;
use smolwf::handles::step::Step;
use smolwf::handles::store::Store;

use crate::proxy::{Proxy, Way};
use crate::server::Server;

struct Counted {
    proxy: Proxy,
    store: Arc<Store>,
    /// Of each call flights and commits.
    costs: Vec<(&'static str, u32, u32)>,
}

impl Counted {
    fn on(server: &Server) -> Counted {
        let proxy = Proxy::to(&server.room);
        let schema = format!("sw_test_flights_{}", std::process::id());
        let store = server.open(&server.url(&schema, Some(proxy.folder())), 30_000).unwrap();
        store.init().unwrap();
        Counted { proxy, store, costs: Vec::new() }
    }

    fn count<T>(&mut self, name: &'static str, call: impl FnOnce(&Arc<Store>) -> T) -> T {
        self.proxy.plan(None);
        let answer = call(&self.store);
        let counts = self.proxy.counts(Way::There);
        if name != "beside" {
            self.costs.push((name, counts.flights, counts.commits));
        }
        answer
    }

    /// What each call came to at best.
    fn least(&self, names: [&'static str; 14]) -> Vec<(&'static str, u32, u32)> {
        let of = |name| self.costs.iter().filter(move |cost| cost.0 == name).min();
        names.into_iter().map(|name| *of(name).expect("each call was made")).collect()
    }

    /// Lives what a worker does, twice: what is prepared, or looked at now and then, is so by the second time.
    fn live(&mut self, names: [&'static str; 14]) {
        let [
            submit,
            keyed,
            known,
            claim,
            begin,
            complete,
            fail,
            heartbeat,
            event,
            done,
            none,
            many,
            claims,
            last,
        ] = names;
        let work = Submit { workflow: "w".into(), max_tries: 9, ..Submit::default() };
        let with_key = Submit {
            idempotency_key: Some(format!("{submit} {}", self.costs.len())),
            ..work.clone()
        };
        self.count(submit, |store| store.submit(work.clone()).unwrap());
        self.count(keyed, |store| store.submit(with_key.clone()).unwrap());
        self.count(known, |store| store.submit(with_key).unwrap());
        let attempt = self.count(claim, claimed);
        let step = self.count(begin, |_| begun(&attempt, "a"));
        self.count(complete, |_| step.complete(Some("1".into())).unwrap());
        let step = self.count("beside", |_| begun(&attempt, "b"));
        self.count(fail, |_| step.fail(None, FailOptions::default()).unwrap());
        self.count(heartbeat, |_| attempt.heartbeat(0).unwrap());
        self.count(event, |_| attempt.event_append("e", None, None).unwrap());
        self.count(done, |_| attempt.complete(Some("1".into())).unwrap());
        let attempt = self.count("beside", claimed);
        self.count(last, |_| {
            attempt.fail(None, FailOptions { is_terminal: true, ..FailOptions::default() }).unwrap()
        });
        // The first after one that found something goes straight to its lock.
        self.count("beside", |store| assert!(store.claim(Claim::default()).unwrap().is_none()));
        self.count(none, |store| assert!(store.claim(Claim::default()).unwrap().is_none()));
        let fifty: Vec<_> = (0..50).map(|_| work.clone()).collect();
        self.count(many, |store| store.submit_many(fifty).unwrap());
        let attempts = self.count(claims, |store| store.claim_many(Claim::default(), 50).unwrap());
        assert_eq!(attempts.len(), 50);
        self.count("beside", |_| attempts.iter().for_each(|it| it.complete(None).unwrap()));
    }
}

fn claimed(store: &Arc<Store>) -> Arc<Attempt> {
    store.claim(Claim::default()).unwrap().expect("a run is there")
}

fn begun(attempt: &Arc<Attempt>, name: &str) -> Step {
    match attempt.step_begin(Begin { name: name.into(), ..Begin::default() }).unwrap() {
        Begun::Run(step) => step,
        _ => panic!("{name} is not to be run"),
    }
}

#[test]
fn each_call_waits_for_the_server_as_seldom_as_it_can() {
    let Some(server) = Server::found() else { return };
    let mut counted = Counted::on(&server);
    counted.live(["beside"; 14]);
    let names = [
        "submit",
        "submit with a key",
        "submit with a known key",
        "claim",
        "step begin",
        "step complete",
        "step fail",
        "heartbeat",
        "event",
        "complete",
        "claim of nothing",
        "submit of fifty",
        "claim of fifty",
        "fail",
    ];
    // Now and then one of them looks after more, as who has not for a second.
    for _ in 0..3 {
        counted.live(names);
    }
    assert_eq!(
        counted.least(names),
        [
            ("submit", 1, 1),
            ("submit with a key", 2, 1),
            ("submit with a known key", 2, 1),
            ("claim", 3, 1),
            ("step begin", 1, 0),
            ("step complete", 1, 1),
            ("step fail", 1, 1),
            ("heartbeat", 1, 1),
            ("event", 2, 1),
            ("complete", 1, 1),
            ("claim of nothing", 2, 0),
            ("submit of fifty", 1, 1),
            ("claim of fifty", 4, 1),
            ("fail", 3, 1),
        ]
    );
}

/// Two machines: handles that remember nothing of each other.
struct Two {
    a: Arc<Store>,
    b: Arc<Store>,
    schema: String,
}

impl Two {
    fn on(server: &Server, name: &str) -> Two {
        let schema = format!("sw_test_{name}_{}", std::process::id());
        let url = server.url(&schema, None);
        let [a, b] = ["a", "b"].map(|machine| {
            let url = format!("{url}&application_name={machine}");
            server.open(&url, 30_000).unwrap()
        });
        a.init().unwrap();
        Two { a, b, schema }
    }

    fn submitted(&self) -> String {
        self.a.submit(Submit { workflow: "w".into(), ..Submit::default() }).unwrap().run_id
    }
}

/// What one machine remembers of its attempts another one makes untrue: each call answers by what is.
#[test]
fn what_is_remembered_and_not_so_any_more_is_looked_at() {
    let Some(server) = Server::found() else { return };
    let two = Two::on(&server, "remembered");
    // A cancel is heard, and what was done before is kept.
    let run = two.submitted();
    let attempt = claimed(&two.a);
    let step = begun(&attempt, "s");
    two.b.cancel(&run, None).unwrap();
    step.complete(Some("1".into())).unwrap();
    assert!(matches!(attempt.heartbeat(0), Err(Error::Cancelled(_))));
    assert!(matches!(attempt.complete(None), Err(Error::Cancelled(_))));
    // A run that a queue counts since it was claimed is not counted any more when it has ended.
    let (_first, _second) = (two.submitted(), two.submitted());
    let attempt = claimed(&two.a);
    two.b.queue_set("default", r#"{"concurrency":1}"#).unwrap();
    assert!(two.b.claim(Claim::default()).unwrap().is_none());
    attempt.complete(None).unwrap();
    let attempt = claimed(&two.b);
    two.b.queue_set("default", r#"{"concurrency":null}"#).unwrap();
    attempt.complete(None).unwrap();
    // A lane that is gone is made anew.
    let lanes = format!("DELETE FROM {}.sw_workflow_lanes", two.schema);
    two.submitted();
    claimed(&two.a).complete(None).unwrap();
    assert!(server.run(&format!("DELETE FROM {0}.sw_workflow_runs; {lanes}", two.schema)));
    two.submitted();
    // Who was taken over changes nothing.
    let attempt = claimed(&two.a);
    let step = begun(&attempt, "s");
    let over = format!(
        "UPDATE {}.sw_workflow_tasks SET version = version + 1, fence = fence + 1",
        two.schema
    );
    assert!(server.run(&over));
    assert!(matches!(step.complete(None), Err(Error::LeaseLost(_))));
    assert!(matches!(attempt.complete(None), Err(Error::LeaseLost(_))));
}

/// Threads of two machines write at once what takes one flight and what takes more.
#[test]
fn what_two_machines_write_at_once_is_all_there_once() {
    let Some(server) = Server::found() else { return };
    let two = Two::on(&server, "at_once");
    std::thread::scope(|scope| {
        for store in [&two.a, &two.b] {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..25 {
                        store.submit(Submit { workflow: "w".into(), ..Submit::default() }).unwrap();
                        let attempt = store.claim(Claim { wait_ms: 30_000, ..Claim::default() });
                        let attempt = attempt.unwrap().expect("as many are claimed as submitted");
                        for name in ["one", "two"] {
                            begun(&attempt, name).complete(Some("1".into())).unwrap();
                        }
                        attempt.event_append("e", None, None).unwrap();
                        attempt.complete(Some("1".into())).unwrap();
                    }
                });
            }
        }
    });
    assert_eq!(two.a.check().unwrap(), r#"{"ok":true,"faults":[]}"#);
    let counts = format!(
        "DO $$ BEGIN ASSERT (SELECT count(*) FROM {0}.sw_workflow_runs WHERE outcome = 1) = 200; \
         ASSERT (SELECT count(*) FROM {0}.sw_workflow_steps WHERE state = 2) = 400; \
         ASSERT (SELECT count(*) FROM {0}.sw_workflow_attempts) = 200; \
         ASSERT (SELECT max(seq) FROM {0}.sw_workflow_events) = 200; \
         ASSERT NOT EXISTS (SELECT 1 FROM {0}.sw_workflow_tasks); END $$",
        two.schema
    );
    assert!(server.run(&counts));
}

/// Many keys at once are looked for in the flight that begins, however long they are.
#[test]
fn a_flight_that_begins_with_much_to_ask_goes_as_one() {
    let Some(server) = Server::found() else { return };
    let two = Two::on(&server, "much");
    let keyed = |at: usize| Submit {
        workflow: "w".into(),
        idempotency_key: Some(format!("{at:0>1000}")),
        ..Submit::default()
    };
    for existed in [false, true] {
        let submitted = two.a.submit_many((0..1_100).map(keyed).collect()).unwrap();
        assert_eq!(submitted.iter().filter(|run| run.existed == existed).count(), 1_100);
    }
}

/// Holds up every flight to the store for a while; what is returned ends then, with the server's time.
fn hold_up(server: &Server, schema: &str) -> std::thread::JoinHandle<i64> {
    let mut lines = server
        .begin(&format!(
            "BEGIN; LOCK TABLE {schema}.sw_migrations;\nSELECT 'held';\nSELECT pg_sleep(1.2);\n\
             SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint;\nCOMMIT;\n"
        ))
        .lines()
        .map(|line| line.unwrap());
    assert_eq!(lines.next().as_deref(), Some("held"));
    std::thread::spawn(move || lines.filter_map(|line| line.parse().ok()).last().unwrap())
}

/// Gives a thread that was begun the time to queue what it writes, behind what is held up. Where it takes
/// longer, the test says less.
fn let_it_queue() {
    // Nobody tells how many wait.
    std::thread::sleep(Duration::from_millis(150));
}

/// Who waits for others goes by the time at which it is done.
#[test]
fn a_write_that_waits_for_its_lock_reads_the_clock_after_it() {
    let Some(server) = Server::found() else { return };
    let two = Two::on(&server, "waits");
    // So that nothing is asked for the first time.
    two.submitted();
    claimed(&two.a).complete(None).unwrap();
    two.submitted();
    let held = hold_up(&server, &two.schema);
    let attempt = claimed(&two.a);
    let until_ms = attempt.lease_expires_at_ms();
    attempt.heartbeat(1_000).unwrap();
    let ended_ms = held.join().unwrap();
    // Both clocks are the server's, which this process knows to some milliseconds.
    assert!(until_ms - 30_000 > ended_ms - 100, "{until_ms} and {ended_ms}");
}

/// A record that waits for its flight is not taken along by a job that is put off.
#[test]
fn a_record_goes_although_the_job_behind_it_does_not() {
    let Some(server) = Server::found() else { return };
    let two = Two::on(&server, "behind");
    let (_first, _second) = (two.submitted(), two.submitted());
    let (leader, attempt) = (claimed(&two.a), claimed(&two.a));
    let step = begun(&attempt, "s");
    // What each has held is remembered.
    begun(&attempt, "before").complete(None).unwrap();
    leader.heartbeat(0).unwrap();
    let held = hold_up(&server, &two.schema);
    std::thread::scope(|scope| {
        scope.spawn(|| leader.heartbeat(0).unwrap());
        let_it_queue();
        scope.spawn(|| step.complete(Some("1".into())).unwrap());
        let_it_queue();
        let name = InNameOf { attempt: Some(&attempt), step: None };
        let script = r#"[{"attempt_complete":{"result":1}}]"#;
        two.a.tx_run(name, script).unwrap();
    });
    held.join().unwrap();
    let steps = format!(
        "DO $$ BEGIN ASSERT (SELECT count(*) FROM {}.sw_workflow_steps WHERE name = 's') = 1; END $$",
        two.schema
    );
    assert!(server.run(&steps));
}

/// Of records that are one statement each has its own fence (P10).
#[test]
fn a_record_of_a_run_that_was_taken_over_is_refused_and_those_beside_it_are_kept() {
    let Some(server) = Server::found() else { return };
    let two = Two::on(&server, "beside");
    let [leader, lost, kept] = [(); 3].map(|()| {
        two.submitted();
        claimed(&two.a)
    });
    let [of_lost, of_kept] = [&lost, &kept].map(|attempt| begun(attempt, "s"));
    let held = hold_up(&server, &two.schema);
    std::thread::scope(|scope| {
        scope.spawn(|| leader.heartbeat(0).unwrap());
        let_it_queue();
        let refused = scope.spawn(|| of_lost.complete(Some("1".into())));
        let_it_queue();
        let stored = scope.spawn(|| of_kept.complete(Some("2".into())));
        assert!(server.run(&format!(
            "UPDATE {0}.sw_workflow_tasks SET version = version + 1, fence = fence + 1 WHERE task_key = \
             (SELECT run_key FROM {0}.sw_workflow_runs ORDER BY run_key LIMIT 1 OFFSET 1)",
            two.schema
        )));
        assert!(matches!(refused.join().unwrap(), Err(Error::LeaseLost(_))));
        stored.join().unwrap().unwrap();
    });
    held.join().unwrap();
    assert!(server.run(&format!(
        "DO $$ BEGIN ASSERT (SELECT string_agg(result, '') FROM {}.sw_workflow_steps) = '2'; END $$",
        two.schema
    )));
}
