//! Judges: each takes bytes, makes of them what a host could have given, asks the library, and fails if the
//! answer is wrong. libFuzzer looks for bytes that fail (`scripts/fuzz.sh`), `tests/corpora.rs` plays those
//! that are kept. A judge needs no more than its bytes, and is done with them when it returns.

#![allow(clippy::unwrap_used, reason = "a test")]

mod calls;
mod cron;
mod cursor;
mod file;
mod import;
mod json;
mod place;
mod script;

/// What fails on an input that the library is wrong about.
pub type Judge = fn(&[u8]);

/// All of them. Each has a folder of its name in `fuzz/corpus`.
pub const ALL: [(&str, Judge); 7] = [
    ("calls", calls::judge),
    ("cron", cron::judge),
    ("cursor", cursor::judge),
    ("file", file::judge),
    ("import", import::judge),
    ("json", json::judge),
    ("script", script::judge),
];

/// Returns the judge of a name.
pub fn named(name: &str) -> Judge {
    let found = ALL.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("no judge is called {name}")).1
}
