//! What the suites share: stores, other processes, numbers that look random, looks into a file.

#![allow(dead_code, unused_imports, reason = "each suite uses a part of it")]

pub mod actor;
pub mod audit;
pub mod fork;

pub use actor::{Actor, Role, say};

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use smolwf::domain::claim::Claim;
use smolwf::domain::step::Begin;
use smolwf::domain::submit::Submit;
use smolwf::handles::attempt::Attempt;
use smolwf::handles::begin::Begun;
use smolwf::handles::step::Step;
use smolwf::handles::store::{Store, StoreOptions};

/// How long anything may take before it counts as hung. Nothing is timed by it.
pub const PATIENCE: Duration = Duration::from_secs(120);

pub fn options() -> StoreOptions {
    StoreOptions { create: true, ..StoreOptions::default() }
}

/// Opens and migrates.
pub fn open(path: &Path) -> Arc<Store> {
    let store = Store::open(path, &options()).unwrap();
    store.init().unwrap();
    store
}

pub fn work() -> Submit {
    Submit { workflow: "work".into(), ..Submit::default() }
}

pub fn keyed(key: &str) -> Submit {
    Submit { idempotency_key: Some(key.into()), ..work() }
}

pub fn named(name: &str) -> Begin {
    Begin { name: name.into(), ..Begin::default() }
}

/// Begins a step that must run.
pub fn run(attempt: &Arc<Attempt>, begin: Begin) -> Step {
    match attempt.step_begin(begin).unwrap() {
        Begun::Run(step) => step,
        Begun::Replayed(_) => panic!("it was replayed"),
        Begun::Failed(_) => panic!("it had failed"),
        Begun::Suspended => panic!("it backs off"),
    }
}

pub fn waiting() -> Claim {
    Claim { wait_ms: -1, ..Claim::default() }
}

/// Returns the result of `Ok`, the code of `Err`.
pub fn code<T>(answer: &smolwf::error::Result<T>) -> i32 {
    answer.as_ref().map_or_else(smolwf::error::Error::code, |_| 0)
}

/// A number in a JSON document.
pub fn number(document: &str, key: &str) -> i64 {
    let document: serde_json::Value = serde_json::from_str(document).unwrap();
    document[key].as_i64().unwrap()
}

/// A sequence of numbers that looks random; the same seed gives the same one.
pub struct Draws(u64);

impl Draws {
    /// Seeds from `SMOLWF_SEED`, else from the clock, and says which seed it is: a test that fails
    /// shows what it printed.
    pub fn seeded() -> Draws {
        let given = std::env::var("SMOLWF_SEED").ok().and_then(|seed| seed.parse().ok());
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let seed = given.unwrap_or(clock);
        println!("SMOLWF_SEED={seed}");
        Draws(seed)
    }

    pub fn of(seed: u64) -> Draws {
        Draws(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A payload of so many letters that is like no other and does not pack.
    pub fn noise(&mut self, letters: usize) -> String {
        const LETTERS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut text = String::from("\"");
        while text.len() <= letters {
            let drawn = self.next();
            text.extend((0..10).map(|at| char::from(LETTERS[(drawn >> (6 * at)) as usize % 64])));
        }
        text.truncate(letters + 1);
        text + "\""
    }
}

/// Ends the process when the test, or the other process in which it plays a part, hangs.
pub struct Guard(Option<Sender<()>>);

impl Guard {
    pub fn new(who: &str) -> Guard {
        Guard::of(who, PATIENCE)
    }

    pub fn of(who: &str, patience: Duration) -> Guard {
        let (alive, watched) = channel();
        let who = who.to_owned();
        std::thread::spawn(move || {
            if watched.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                eprintln!("hung: {who}");
                std::process::abort();
            }
        });
        Guard(Some(alive))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.0.take());
    }
}
