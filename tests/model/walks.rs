//! The kinds of walks, and what becomes of one that fails: the shortest script that fails so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::drive::Drive;
use super::script::{Deed, Script, Shrink, caught, kind_of};

/// Which answers were compared, and which first reasons, and how often.
#[derive(Default)]
pub struct Seen {
    pub answers: BTreeMap<(&'static str, i32), u32>,
    pub reasons: BTreeMap<&'static str, u32>,
    pub walks: usize,
    pub deeds: u64,
    pub pruned: usize,
}

/// The walk of that name.
pub fn named(walk: &str, seed: u64) -> Drive {
    let make = match walk {
        "plain" => Drive::new,
        "acts" => Drive::with_acts_on_many,
        "deaths" => Drive::with_deaths,
        "prunes" => Drive::with_prunes,
        "carrying" => Drive::with_carrying,
        "moves" => Drive::with_moves,
        "whole" => Drive::whole,
        "memory" => Drive::in_memory,
        #[cfg(feature = "plant")]
        "power" => Drive::with_losses_of_power,
        _ => panic!("no walk is called {walk}"),
    };
    make(seed)
}

/// Walks so many seeds of one kind, and more that are named.
pub fn walk(kind: &str, seeds: impl Iterator<Item = u64>, steps: usize) -> Seen {
    let mut seen = Seen::default();
    for seed in seeds {
        let mut drive = named(kind, seed);
        if let Some(failure) = caught(false, || drive.run(steps, &mut seen.answers)) {
            let script = Script { walk: kind.into(), deeds: drive.so_far() };
            drop(drive);
            panic!("{failure}\n{}", report(&script, &failure));
        }
        seen.walks += 1;
        seen.deeds += drive.so_far().len() as u64;
        seen.pruned += drive.oracle.runs.iter().filter(|run| run.is_gone).count();
        for (reason, count) in drive.explained {
            *seen.reasons.entry(reason).or_default() += count;
        }
    }
    seen
}

/// Says how the failure of a script is had with fewer deeds.
fn report(script: &Script, failure: &str) -> String {
    let (least, told) = least(script, failure);
    format!(
        "\nThe shortest script found that fails so, a test once it is a file of tests/model/found:\n\n\
         # {}\n{least}",
        told.lines().next().unwrap_or("")
    )
}

/// Makes a script that fails short; returns it, told in words, and what it fails with.
pub fn least(script: &Script, failure: &str) -> (Script, String) {
    let mut fails = |deeds: &[Deed]| {
        let played = play(&Script { walk: script.walk.clone(), deeds: deeds.to_vec() }, true);
        played.1.is_some_and(|other| kind_of(&other) == kind_of(failure))
    };
    let deeds = Shrink::new(&mut fails).run(script.deeds.clone());
    let (told, failure) = play(&Script { walk: script.walk.clone(), deeds }, true);
    (told, failure.unwrap_or_else(|| "it failed once, and does not when it is played".into()))
}

/// Plays a script; returns it as it went, and what failed, if anything did.
pub fn play(script: &Script, is_quiet: bool) -> (Script, Option<String>) {
    // A place of its own each time, also where the environment says where stores lie.
    static PLAYS: AtomicU64 = AtomicU64::new(0);
    let mut drive = named(&script.walk, (1 << 40) + PLAYS.fetch_add(1, Ordering::Relaxed));
    let failure = caught(is_quiet, || drive.play(&script.deeds));
    let mut deeds = drive.so_far();
    for (deed, given) in deeds.iter_mut().zip(&script.deeds) {
        deed.numbers.clone_from(&given.numbers);
    }
    (Script { walk: script.walk.clone(), deeds }, failure)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/model/found")
}

/// The scripts of the folder, by name.
pub fn found() -> BTreeMap<String, Script> {
    let files = std::fs::read_dir(folder()).expect("the folder of found scripts is there");
    let paths = files.map(|file| file.expect("a file can be listed").path());
    let scripts = paths.filter(|path| path.extension().is_some_and(|ext| ext == "txt"));
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a script can be read");
        let name = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
        (name, Script::read(&text))
    };
    scripts.map(read).collect()
}
