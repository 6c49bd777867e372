//! The server is lost, and a standby that had not heard its last commits goes on in its place.

use std::sync::Arc;

use smolwf::domain::claim::Claim;
use smolwf::domain::step::Begin;
use smolwf::domain::submit::Submit;
use smolwf::handles::attempt::Attempt;
use smolwf::handles::begin::Begun;
use smolwf::handles::store::Store;

use crate::server::{Server, script};

const LEASE_LOST: i32 = -20;
const WHOLE: &str = r#"{"ok":true,"faults":[]}"#;

/// `scripts/postgres-standby.sh`; the server is as it was when this goes.
struct Standby;

impl Standby {
    fn of(server: &Server) -> Standby {
        let is_new = !server.room.join("standby").exists();
        assert!(is_new, "a standby of an earlier test is left");
        let standby = Standby;
        standby.does("follow");
        standby
    }

    fn does(&self, what: &str) {
        let is_done = script("postgres-standby.sh").arg(what).status().unwrap().success();
        // The first failure is the one to be told.
        assert!(is_done || std::thread::panicking(), "{what}");
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        self.does("restore");
    }
}

/// Returns the id of a run of this key.
fn submit(store: &Store, key: &str) -> String {
    let idempotency_key = Some(key.to_owned());
    let submit = Submit { workflow: "w".into(), idempotency_key, ..Submit::default() };
    store.submit(submit).unwrap().run_id.to_string()
}

/// Claims with a lease that lasts for as long as the process.
fn claim(store: &Arc<Store>) -> Arc<Attempt> {
    let claim = Claim { lease_ms: u32::MAX, ..Claim::default() };
    store.claim(claim).unwrap().expect("a run that can be claimed")
}

fn record(attempt: &Arc<Attempt>, name: &str) {
    match attempt.step_begin(Begin { name: name.into(), ..Begin::default() }).unwrap() {
        Begun::Run(step) => step.complete(Some("1".into())).unwrap(),
        _ => panic!("{name} was recorded before"),
    }
}

/// Whether the first step of that name is recorded.
fn is_replayed(attempt: &Arc<Attempt>, name: &str) -> bool {
    let begin = Begin { name: name.into(), occurrence: 1, ..Begin::default() };
    let begun = attempt.step_begin(begin).unwrap();
    !matches!(begun, Begun::Run(_))
}

/// P8 to P10: whoever holds what a failover has lost is told so, though others hold by now what has the same
/// number; what had come to the standby stays.
#[test]
fn a_standby_without_the_tail_goes_on_and_who_holds_what_is_lost_is_told_so() {
    let Some(server) = Server::alone() else { return };
    let schema = format!("sw_test_standby_{}", std::process::id());
    let second = server.room.join("standby").display().to_string();
    let both = format!("host={},{second}", server.room.display());
    let url = server.url(&schema, None).replace(&format!("host={}", server.room.display()), &both);
    let open = |name: &str| {
        let url = format!("{url}&application_name={name}&target_session_attrs=read-write");
        server.open(&url, 30_000).unwrap()
    };
    let (here, late) = (open("here"), open("late"));
    here.init().unwrap();
    let kept = submit(&here, "kept");
    let kept_attempt = claim(&here);
    record(&kept_attempt, "known there");
    let again = submit(&here, "again");
    let standby = Standby::of(&server);
    standby.does("leave");

    // Acknowledged, and never heard of by the standby.
    let lost = submit(&late, "lost");
    let again_attempt = claim(&late);
    let lost_attempt = claim(&late);
    assert_eq!(again_attempt.run_id().to_string(), again);
    record(&again_attempt, "lost");
    record(&kept_attempt, "lost");
    standby.does("promote");

    // What is lost is made again by whoever asks anew; nobody is told that it was there.
    let other = open("other");
    assert!(other.find("", "lost").unwrap().is_none());
    let made = submit(&other, "lost");
    assert_ne!(made, lost);
    let others = [claim(&other), claim(&other)];
    let claimed: Vec<String> = others.iter().map(|one| one.run_id().to_string()).collect();
    assert_eq!(claimed, [again, made], "both are free there");
    assert_eq!(others[0].number(), again_attempt.number(), "the number is given twice");

    // The dead past is refused, whatever it says, and charges nobody.
    for stale in [&again_attempt, &lost_attempt] {
        let begin = Begin { name: "more".into(), is_tracked: true, ..Begin::default() };
        assert_eq!(stale.step_begin(begin).err().map(|error| error.code()), Some(LEASE_LOST));
        assert_eq!(stale.complete(Some("2".into())).unwrap_err().code(), LEASE_LOST);
    }
    late.close();
    for attempt in &others {
        assert!(!is_replayed(attempt, "lost"), "it was lost");
        attempt.complete(Some("1".into())).unwrap();
    }

    // Who held a run that the standby knew of goes on with it, with what came there.
    assert!(is_replayed(&kept_attempt, "known there"));
    kept_attempt.complete(Some("1".into())).unwrap();
    assert!(other.run_get(&kept).unwrap().contains(r#""state":"completed""#));
    assert_eq!(other.run_count(None, 0).unwrap(), 3);
    assert_eq!(other.check().unwrap(), WHOLE);
    here.close();
    other.close();
}
