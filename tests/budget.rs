//! Budgets under everything at once: threads and processes that reserve, settle, park, let leases
//! lapse and are killed, while the limit moves. What must hold: no reserve above the limit, sums
//! that are equal at every moment, every entry once. `SMOLWF_SEED` repeats a sequence of draws.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

mod support;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use smolwf::domain::Durability;
use smolwf::domain::claim::Claim;
use smolwf::domain::submit::Submit;
use smolwf::handles::attempt::Attempt;
use smolwf::handles::store::{Store, StoreOptions};
use smolwf::id::{self, Id};
use support::{Actor, Draws, Guard, Role, audit, code, say};

const TEST: &str = "no_history_of_kills_and_threads_spends_more_than_was_allowed";
const MEMBERS: usize = 6;
const THREADS: u64 = 3;
const LIMIT: i64 = 2_000;

fn open(db: &Path) -> Arc<Store> {
    let options = StoreOptions {
        create: true,
        durability: Durability::Process,
        lease_default_ms: 1_000,
        ..StoreOptions::default()
    };
    let store = Store::open(db, &options).unwrap();
    store.init().unwrap();
    store
}

fn members() -> Claim {
    Claim { queue: Some("members".into()), wait_ms: 20, ..Claim::default() }
}

/// Submits a root with a budget, and members that share it.
fn submit_team(store: &Arc<Store>) -> String {
    let budget = format!("{{\"t\":{{\"limit\":{LIMIT},\"warn\":{}}},\"u\":{LIMIT}}}", LIMIT / 2);
    let root = Submit { budget: Some(budget), ..support::work() };
    let root = store.submit(root).unwrap().run_id;
    let attempt = store.claim(Claim::default()).unwrap().unwrap();
    let member =
        || Submit { queue: Some("members".into()), max_tries: 1_000_000, ..support::work() };
    let items = (0..MEMBERS).map(|_| ("member".to_owned(), member())).collect();
    attempt.child_submit_many(items).unwrap();
    attempt.complete(None).unwrap();
    root
}

/// What a thread remembers of its reservations: what each was settled with.
type Settled = HashMap<String, Option<i64>>;

/// Works until it is killed.
fn spend(store: &Arc<Store>, seed: u64) {
    let mut draws = Draws::of(seed);
    let mut known = Settled::new();
    loop {
        if let Some(attempt) = store.claim(members()).unwrap() {
            visit(store, &attempt, &mut draws, &mut known);
        }
        settle_any(store, &mut draws, &mut known);
    }
}

/// One attempt of a member, ended in one of the ways there are.
fn visit(store: &Arc<Store>, attempt: &Arc<Attempt>, draws: &mut Draws, known: &mut Settled) {
    let mut is_short = false;
    for _ in 0..draws.below(8) {
        let amount = draws.below(200);
        let amounts = if draws.below(3) == 0 {
            format!("{{\"t\":{amount},\"u\":{}}}", draws.below(200))
        } else {
            format!("{{\"t\":{amount}}}")
        };
        let source = (draws.below(4) == 0).then(|| format!("source {}", draws.below(3)));
        match attempt.reserve(None, &amounts, source.as_deref()) {
            Ok(made) => drop(known.entry(made.id).or_insert(None)),
            Err(error) if error.code() == -28 => {
                is_short = true;
                break;
            }
            // A lease that has lapsed in the midst.
            Err(error) => return assert_eq!(error.code(), -20, "{error}"),
        }
        settle_any(store, draws, known);
    }
    let ended = match draws.below(4) {
        // Left to lapse: whoever takes it over charges what is open.
        0 => return,
        1 => attempt.release(0),
        _ if is_short => attempt.suspend(),
        _ => attempt.release(i64::try_from(draws.below(5)).unwrap()),
    };
    assert!(matches!(code(&ended), 0 | -20), "{ended:?}");
}

/// Settles one of the reservations, for the first time or again.
fn settle_any(store: &Arc<Store>, draws: &mut Draws, known: &mut Settled) {
    let nth = draws.below(known.len().max(1) as u64) as usize;
    let Some((id, settled)) = known.iter_mut().nth(nth) else { return };
    let used = settled.unwrap_or_else(|| i64::try_from(draws.below(250)).unwrap());
    match store.settle(id, &format!("{{\"t\":{used}}}")) {
        Ok(()) => *settled = Some(used),
        // Given back by an end of its attempt.
        Err(error) => {
            assert_eq!(error.code(), -23, "{error}");
            assert_eq!(*settled, None, "settled with {used}, then refused");
        }
    }
}

fn actor(role: &Role) {
    let store = open(&role.db);
    let seed: u64 = role.extra.parse().unwrap();
    say("working");
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let store = &store;
            scope.spawn(move || spend(store, seed + thread));
        }
    });
}

fn assert_whole(store: &Store) {
    assert_eq!(store.check().unwrap(), r#"{"ok":true,"faults":[]}"#);
}

fn units(store: &Store, root: &str) -> Value {
    serde_json::from_str::<Value>(&store.budget(root).unwrap()).unwrap()["units"].clone()
}

#[test]
fn no_history_of_kills_and_threads_spends_more_than_was_allowed() {
    if let Some(role) = Role::mine() {
        return actor(&role);
    }
    let _guard = Guard::new(TEST);
    let mut draws = Draws::seeded();
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("db");
    let store = open(&db);
    let root = submit_team(&store);
    let mut start = || Actor::start(TEST, "spender", &db, &(draws.next() >> 8).to_string());
    let mut actors = [start(), start()];
    actors.iter_mut().for_each(|actor| assert_eq!(actor.hear(), "working"));
    let mut limit = LIMIT;
    for round in 0..8 {
        // Moments for a kill that nobody has chosen.
        std::thread::sleep(Duration::from_millis(100 + 37 * (round % 5)));
        assert_whole(&store);
        let fresh = start();
        limit += 500;
        // With room to spend, so that the one that is killed has something open.
        store.budget_raise(&root, "t", 500).unwrap();
        std::mem::replace(&mut actors[round as usize % 2], fresh).kill();
        assert_whole(&store);
    }
    actors.into_iter().for_each(Actor::kill);
    take_all_back(&store);
    assert_whole(&store);
    let units = units(&store, &root);
    assert_eq!(
        (units["t"]["reserved"].as_i64(), units["u"]["reserved"].as_i64()),
        (Some(0), Some(0))
    );
    assert_eq!(units["t"]["limit"].as_i64(), Some(limit));
    store.close();
    correct_every_charge(&db);
    assert_each_charge_once(&db, limit);
}

/// Settles, twice, what was charged for the dead.
fn correct_every_charge(db: &Path) {
    let charged = "SELECT at_ms, reservation_key, salt FROM sw_budget_reservations
        WHERE state = 3 AND place = 0";
    let charged: Vec<(i64, i64, u32)> =
        audit::all(&audit::connect(db), charged, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let store = open(db);
    for (at_ms, key, salt) in charged {
        let bytes =
            [&at_ms.to_be_bytes()[2..], &key.to_be_bytes()[2..], &salt.to_be_bytes()].concat();
        let id = id::write("budget", Id::from_bytes(bytes.try_into().unwrap()));
        store.settle(&id, "{\"t\":3}").unwrap();
        store.settle(&id, "{\"t\":3}").unwrap();
        assert_eq!(code(&store.settle(&id, "{\"t\":4}")), -23);
    }
    assert_whole(&store);
    store.close();
}

/// Takes over what the dead held, so that nothing is open.
fn take_all_back(store: &Arc<Store>) {
    let mut ended = 0;
    while ended < MEMBERS {
        let claim = Claim { wait_ms: 3_000, ..members() };
        // Parked ones hold nothing.
        let Some(attempt) = store.claim(claim).unwrap() else { return };
        attempt.complete(None).unwrap();
        ended += 1;
    }
}

/// Adds up the rows themselves: what was spent is above the limit by no more than what settled above
/// its reservation.
fn assert_each_charge_once(db: &Path, limit: i64) {
    let conn = audit::connect(db);
    audit::assert_whole(&conn);
    let above = "
        SELECT coalesce(sum(max(0, coalesce(l.used, 0) - r.amount)), 0)
        FROM sw_budget_reservations AS r
        LEFT JOIN (
            SELECT source_key, unit, sum(amount) AS used
            FROM sw_budget_ledger WHERE source_type IN (1, 3, 4) GROUP BY source_key, unit
        ) AS l ON l.source_key = r.reservation_key - r.place AND l.unit = r.unit
        WHERE r.unit = 't'";
    let above: i64 = audit::all(&conn, above, |row| row.get(0))[0];
    let spent = "SELECT sum(amount) FROM sw_budget_ledger WHERE unit = 't'";
    let spent: i64 = audit::all(&conn, spent, |row| row.get(0))[0];
    assert!(spent <= limit + above, "{spent} of {limit} and {above}");
    // A settled one has no charge, one that was given back nothing, a corrected one its charge.
    let wrong = "
        SELECT r.reservation_key
        FROM sw_budget_reservations AS r
        LEFT JOIN sw_budget_ledger AS l ON l.source_key = r.reservation_key - r.place
            AND l.unit = r.unit AND l.source_type IN (1, 3, 4)
        GROUP BY r.reservation_key
        HAVING CASE r.state
            WHEN 1 THEN count(*) FILTER (WHERE l.source_type IN (3, 4)) > 0
            WHEN 2 THEN count(l.entry_key) > 0
            WHEN 5 THEN count(*) FILTER (WHERE l.source_type = 3) <> 1
            ELSE 1
        END";
    let wrong: Vec<i64> = audit::all(&conn, wrong, |row| row.get(0));
    assert!(wrong.is_empty(), "reservations {wrong:?}");
    let kinds = "SELECT DISTINCT state FROM sw_budget_reservations ORDER BY 1";
    let kinds: Vec<i64> = audit::all(&conn, kinds, |row| row.get(0));
    println!("spent {spent} of {limit}, {above} above what was reserved; states {kinds:?}");
    assert!(kinds.contains(&1), "the histories were dull: {kinds:?}");
    let told = "SELECT count(*) FROM sw_workflow_events WHERE type = 'budget.warning'";
    let told: i64 = audit::all(&conn, told, |row| row.get(0))[0];
    assert!((1..=9).contains(&told), "{told} warnings for one level and eight raises");
}
