//! Faults that are planted in the library (`src/plant.rs`): each is found, and without one the same is
//! quiet. Each stands in a process of its own, which walks until it fails.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use smolwf::domain::Durability;
use smolwf::domain::submit::Submit;
use smolwf::plant::ALL;
use smolwf::storage::sqlite::fault::{self, Fault, FileKind, Keep, Operation};

use super::door::{Store, StoreOptions};
use super::drive::Drive;
use super::script::{Script, caught};
use super::walks;

/// Which suite finds which fault, and in how many of its rounds at most.
const FOUND_BY: [(&str, &str, u64); ALL.len()] = [
    ("skip_sync", "power", 6),
    ("answer_early", "threads", 20),
    ("keep_failed", "whole", 6),
    ("forget_fence", "plain", 6),
    ("forget_lease", "plain", 6),
    ("forget_loss", "plain", 6),
    ("forget_lane", "plain", 6),
    ("wrong_occurrence", "plain", 6),
    ("forget_wake", "plain", 6),
    ("double_message", "plain", 6),
    ("spare_children", "plain", 6),
    ("reserve_twice", "whole", 6),
    ("settle_twice", "whole", 6),
    ("forget_reserve", "whole", 6),
    ("event_twice", "whole", 6),
    ("forget_bell", "whole", 6),
];

const TEST: &str = "plants::every_fault_that_is_planted_is_found";
const SUITE: &str = "SMOLWF_TEST_SUITE";
const SAID: &str = "found: ";

/// Plays a suite until it fails; says in which round and how.
fn play(suite: &str, rounds: u64) -> Option<(u64, String)> {
    (1..=rounds).find_map(|round| {
        let failure = match suite {
            "threads" => caught(true, || answers_follow_commits(round)),
            walk => {
                let mut drive = walks::named(walk, round);
                caught(true, || drive.run(500, &mut std::collections::BTreeMap::new()))
            }
        };
        failure.map(|failure| (round, failure))
    })
}

/// What the other process says: the failure's first line.
fn ask(plant: Option<&str>, suite: &str, rounds: u64) -> Option<String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([TEST, "--exact", "--nocapture"]).env(SUITE, format!("{suite} {rounds}"));
    command.env_remove("SW_PLANT").envs(plant.map(|plant| ("SW_PLANT", plant)));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{plant:?} {suite}: {output:?}");
    let line = said.lines().find_map(|line| line.split_once(SAID)).map(|(_, line)| line.to_owned());
    line.filter(|line| line != "nothing")
}

#[test]
fn every_fault_that_is_planted_is_found() {
    if let Ok(role) = std::env::var(SUITE) {
        let (suite, rounds) = role.split_once(' ').unwrap();
        let found = play(suite, rounds.parse().unwrap());
        let told = found.map(|(round, failure)| {
            format!("in round {round}: {}", failure.lines().next().unwrap_or(""))
        });
        println!("{SAID}{}", told.as_deref().unwrap_or("nothing"));
        return;
    }
    let names: Vec<&str> = FOUND_BY.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names, ALL.map(|(name, _)| name), "a plant that nobody looks for");
    let mut missed = Vec::new();
    for (plant, suite, rounds) in FOUND_BY {
        let Some(told) = ask(Some(plant), suite, rounds) else {
            missed.push(plant);
            continue;
        };
        println!("{plant} is found by {suite} {}", told.chars().take(120).collect::<String>());
    }
    assert!(missed.is_empty(), "not found: {missed:?}");
    // The walks without a plant are tests of their own.
    assert_eq!(ask(None, "threads", 20), None, "it finds what is not there");
}

/// Each script of a plant's name fails while that stands.
#[test]
fn what_was_found_of_a_plant_is_found_again_in_few_deeds() {
    if let Ok(name) = std::env::var("SMOLWF_TEST_SCRIPT") {
        let (_, failure) = walks::play(&walks::found()[&name], true);
        println!("{SAID}{}", failure.as_deref().unwrap_or("nothing").lines().next().unwrap_or(""));
        return;
    }
    let mut count = 0;
    for (name, script) in walks::found() {
        if !ALL.iter().any(|(plant, _)| *plant == name) {
            continue;
        }
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["plants::what_was_found_of_a_plant_is_found_again_in_few_deeds", "--exact"]);
        command.arg("--nocapture").env("SMOLWF_TEST_SCRIPT", &name).env("SW_PLANT", &name);
        let said = String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned();
        assert!(said.contains(SAID) && !said.contains("found: nothing"), "{name}: {said}");
        println!("{name} is found in {} deeds", script.deeds.len());
        count += 1;
    }
    assert!(count >= 14, "{count} scripts show little");
}

/// A walk of hundreds of deeds that fails is made a script of a few, which is a test.
#[test]
fn a_walk_that_fails_is_made_short() {
    if std::env::var("SW_PLANT").is_ok() {
        return drop(walks::walk("plain", 1..7, 500));
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["plants::a_walk_that_fails_is_made_short", "--exact", "--nocapture"]);
    let output = command.env("SW_PLANT", "double_message").output().unwrap();
    assert!(!output.status.success(), "the walk fails");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let (_, printed) = said.split_once("tests/model/found:\n").expect("a script is printed");
    let printed: String = printed
        .trim_start()
        .lines()
        .take_while(|line| !line.is_empty())
        .map(|line| format!("{line}\n"))
        .collect();
    println!("{printed}");
    let script = Script::read(&printed);
    let names: Vec<&str> = script.deeds.iter().map(|deed| deed.name.as_str()).collect();
    assert!(names.len() <= 4 && names.ends_with(&["signal_send", "signal_send"]), "{names:?}");
    let (_, failure) = walks::play(&script, false);
    assert_eq!(failure, None, "without the plant it does not fail");
}

/// P6: whatever is lost with the power, what was acknowledged is there, and the walk goes on with it.
#[test]
fn a_walk_goes_on_whenever_the_power_is_lost() {
    let rounds = std::env::var("SW_MODEL_ROUNDS").map_or(4, |rounds| rounds.parse().unwrap());
    let seen = walks::walk("power", 1..rounds + 1, 500);
    let cuts = seen.answers.get(&("cut_power", 0)).copied().unwrap_or_default();
    println!("{} deeds, the power lost {cuts} times", seen.deeds);
    assert!(u64::from(cuts) > rounds, "{cuts} losses of power show nothing");
}

/// P6: of threads that share commits, while the disk fails now and then, nobody is answered before.
fn answers_follow_commits(round: u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let store = open(&path);
    let after = (round % 7) as u32 * 9 + 5;
    fault::arm(&path, Fault { after, is_sticky: true, ..failing() });
    let work = |store: Arc<Store>| {
        let submit = || Submit { workflow: "a".into(), ..Submit::default() };
        let told = (0..12).filter_map(move |_| store.submit(submit()).ok());
        told.map(|told| told.run_id).collect::<Vec<String>>()
    };
    let threads: Vec<_> = (0..6)
        .map(|_| {
            let store = Arc::clone(&store);
            std::thread::spawn(move || work(store))
        })
        .collect();
    let told: Vec<String> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    store.close();
    fault::disarm(&path);
    let store = open(&path);
    for id in told {
        assert!(store.run_get(&id).is_ok(), "{id} was acknowledged and is not there");
    }
}

fn failing() -> Fault {
    Fault::new(Operation::Write, FileKind::Wal, 10 | 3 << 8)
}

fn open(path: &Path) -> Arc<Store> {
    let options =
        StoreOptions { create: true, durability: Durability::Power, ..StoreOptions::default() };
    let store = Store::open(path, &options).unwrap();
    store.init().unwrap();
    store
}

impl Drive {
    /// A walk on a store that promises to outlive the loss of power, in which the power is lost.
    pub fn with_losses_of_power(seed: u64) -> Drive {
        let mut drive = Drive::whole_with_power(seed);
        drive.operations.retain(|(_, name, _)| *name != "crash");
        drive.operations.push((4, "cut_power", Drive::cut_power));
        drive
    }

    fn cut_power(&mut self) -> Option<(super::oracle::Said, super::oracle::Said)> {
        let keep = match self.draws.below(4) {
            0 => Keep::Nothing,
            1 => Keep::All,
            _ => Keep::Some(self.draws.below(1_000)),
        };
        self.note(format!("cut the power: {keep:?}"));
        let rest = |from: &Path, to: &Path| {
            let folder = to.parent().expect("it has a folder");
            fault::cut_power(from, folder, keep).unwrap();
            fault::record(to);
        };
        self.die_all(&rest);
        Some((super::oracle::said(0), super::oracle::said(0)))
    }
}
