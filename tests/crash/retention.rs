//! The same for what is pruned: a tree is there whole or gone whole, whenever its pruner is killed.

use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use smolwf::error::Error;
use smolwf::handles::store::Store;

use super::support::actor::listen;
use super::support::audit::{assert_whole, connect};
use super::support::{Actor, Draws, Guard, Role, keyed, named, open, run, work};
use super::{Facts, claim, read_facts, wait_for_facts};

const TEST: &str = "retention::a_tree_is_there_whole_or_gone_whole_after_any_kill";
const FILES: u64 = 2;
const ROUNDS: u64 = 6;
const THREADS: u64 = 3;

/// P6, P34.
#[test]
fn a_tree_is_there_whole_or_gone_whole_after_any_kill() {
    if let Some(role) = Role::mine() {
        return load(&role);
    }
    let _guard = Guard::new(TEST);
    let mut draws = Draws::seeded();
    let (mut gone, mut unfinished) = (0, 0);
    for file in 0..FILES {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("db");
        for round in 0..ROUNDS {
            let life = format!("{file}.{round}");
            let start = |twin: &str, draws: &mut Draws| {
                let extra = format!("{life}{twin} {}", draws.next() >> 1);
                Actor::start(TEST, "load", &db, &extra)
            };
            let mut first = start("a", &mut draws);
            let second = (draws.below(3) == 0).then(|| start("b", &mut draws));
            wait_for_facts(&db, 500 + draws.below(8_000), &mut first, &mut draws);
            first.kill();
            second.into_iter().for_each(Actor::kill);
            let (those_gone, was_cut) = verify(&db);
            (gone, unfinished) = (gone + those_gone, unfinished + u32::from(was_cut));
        }
    }
    assert!(gone > 0, "nothing was ever pruned");
    println!("{gone} trees were gone, {unfinished} files had one that was not through");
}

// ---------------------------------------------------------------------------------------------
// The one that is killed

fn load(role: &Role) {
    let (life, seed) = role.extra.split_once(' ').unwrap();
    let seed: u64 = seed.parse().unwrap();
    let store = open(&role.db);
    // In some lives they go by themselves as well.
    let policy = if seed % 4 < 2 { r#"{"completed_ms":20}"# } else { "{}" };
    store.retention_set(Some(policy)).unwrap();
    let (facts, known, is_over) =
        (Facts::open(&role.db), Mutex::new(Vec::new()), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, facts, known, is_over) = (&store, &facts, &known, &is_over);
            let life = format!("{life}.{thread}");
            let mut draws = Draws::of(seed.wrapping_add(thread));
            scope.spawn(move || {
                for turn in 0.. {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    match draws.below(9) {
                        0 => prune_some(store, facts, known, &mut draws),
                        2 => drop(store.compact(1 + draws.below(300) as u32).unwrap()),
                        1 => drop(store.prune(None, 1 + draws.below(9) as u32).unwrap()),
                        _ => grow(store, facts, known, &format!("{life}.{turn}"), &mut draws),
                    }
                }
            });
        }
        listen();
        is_over.store(true, Ordering::Relaxed);
    });
    store.close();
}

/// One of a few payloads that many trees carry, most of them large.
fn handed_on(draws: &mut Draws) -> String {
    match draws.below(4) {
        0 => "[1]".into(),
        letter => format!("\"{}\"", letter.to_string().repeat(3_000)),
    }
}

/// A tree of which all ends but, now and then, one child; what belongs to it is noted before it ends.
fn grow(
    store: &Arc<Store>,
    facts: &Facts,
    known: &Mutex<Vec<String>>,
    key: &str,
    draws: &mut Draws,
) {
    let is_mine = |submit| smolwf::domain::submit::Submit { queue: Some(key.into()), ..submit };
    let root = store.submit(is_mine(keyed(key))).unwrap().run_id;
    let next = || {
        let mine = smolwf::domain::claim::Claim { queue: Some(key.into()), ..claim("grower") };
        store.claim(mine).unwrap().unwrap()
    };
    let attempt = next();
    let mut ids = vec![root.clone()];
    for at in 0..draws.below(12) {
        ids.push(attempt.child_submit(&format!("child {at}"), work()).unwrap().run_id);
    }
    for step in 0..draws.below(4) {
        let result = handed_on(draws);
        run(&attempt, named(&format!("step {step}"))).complete(Some(result)).unwrap();
    }
    let lives = ids.len() > 1 && draws.below(4) == 0;
    facts.note([if lives { "lives" } else { "tree" }, &root, key, &ids.join(" ")]);
    attempt.complete(None).unwrap();
    for _ in 1..ids.len() - usize::from(lives) {
        next().complete(None).unwrap();
    }
    if !lives {
        known.lock().unwrap().push(root);
    }
}

/// Takes one tree away, and notes what was answered.
fn prune_some(store: &Store, facts: &Facts, known: &Mutex<Vec<String>>, draws: &mut Draws) {
    let Some(root) = known.lock().unwrap().pop() else { return };
    let filter = format!("{{\"root_run_id\":\"{root}\"}}");
    match store.prune(Some(&filter), 20 + draws.below(9) as u32) {
        Ok(_) if matches!(store.run_get(&root), Err(Error::NotFound(_))) => {}
        Err(Error::NotFound(_)) => {}
        // The limit went to what another had begun.
        Ok(_) => return,
        Err(error) => panic!("{error}"),
    }
    facts.note(["gone", &root, "", ""]);
}

// ---------------------------------------------------------------------------------------------
// The one that kills

/// Returns how many trees are gone, and whether one of them was not through.
fn verify(db: &Path) -> (usize, bool) {
    let facts = read_facts(db);
    let store = open(db);
    assert_sound(&store);
    let is_there = |id: &str| match store.run_get(id) {
        Ok(_) => true,
        Err(Error::NotFound(_)) => false,
        Err(error) => panic!("{error}"),
    };
    let mut gone = 0;
    for [kind, root, key, ids] in &facts {
        let is_root_there = is_there(root);
        gone += usize::from(!is_root_there);
        match kind.as_str() {
            "gone" => assert!(!is_root_there, "{root} was pruned and is there again"),
            "lives" => assert!(is_root_there, "{root} is gone, and a run below it lives"),
            _ => {}
        }
        assert!(ids.split_whitespace().all(|id| is_there(id) == is_root_there), "half of {root}");
        if !key.is_empty() {
            assert_eq!(store.find("", key).unwrap().is_some(), is_root_there, "the key of {root}");
        }
    }
    let first: Value = serde_json::from_str(&store.prune(None, 1).unwrap()).unwrap();
    let was_cut = first["runs"] == 1 && first["trees"] == 0;
    while store.prune(None, 0).unwrap().contains("\"more\":true") {
        assert_sound(&store);
    }
    assert_sound(&store);
    let left = store.prune(Some("{\"dry_run\":true}"), 0).unwrap();
    assert!(left.starts_with("{\"runs\":0"), "{left}");
    store.close();
    assert_whole(&connect(db));
    (gone, was_cut)
}

fn assert_sound(store: &Store) {
    let report = store.check().unwrap();
    assert!(report.contains("\"ok\":true"), "{report}");
}
