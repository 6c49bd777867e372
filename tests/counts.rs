//! What hot calls ask of the system and of the allocator, counted from outside on the shared library: a
//! layer is preloaded that counts (`tests/counts/shim.c`), and a program calls (`tests/counts/hot.c`).
//! Without a clock, so that it holds on a busy machine. Who makes a call dearer says so here.

#![allow(clippy::print_stdout, reason = "what was counted is told")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

#[path = "support/native.rs"]
mod native;

use native::{joined, link_library, root, said, shared_library};

/// What a call asks for: writes, locks, syncs, looks at files and wakes are so many; reads and
/// allocations are at most so many, as pages of the file and versions of Rust differ.
struct Cost {
    call: &'static str,
    writes: u32,
    locks: u32,
    syncs: u32,
    looks: u32,
    wakes: u32,
    reads_max: u32,
    allocations_max: u32,
}

const fn cost(
    call: &'static str,
    [writes, locks, syncs, looks, wakes]: [u32; 5],
    [reads_max, allocations_max]: [u32; 2],
) -> Cost {
    Cost { call, writes, locks, syncs, looks, wakes, reads_max, allocations_max }
}

/// Two locks of a POWER call are the turn to sync; six are SQLite's, and two the turn to write. Two more
/// where this connection was not the last to begin a transaction.
const COSTS: [Cost; 26] = [
    cost("power claim_none", [0, 4, 0, 0, 0], [0, 4]),
    cost("power submit", [1, 8, 1, 1, 0], [0, 22]),
    cost("power claim", [1, 12, 1, 1, 0], [1, 42]),
    cost("power begin", [0, 4, 0, 0, 0], [0, 10]),
    cost("power complete", [1, 8, 1, 1, 0], [0, 11]),
    cost("power heartbeat", [1, 10, 1, 1, 0], [0, 7]),
    cost("power check", [0, 4, 0, 0, 0], [0, 1]),
    cost("power signal", [1, 8, 1, 1, 0], [0, 11]),
    cost("power release", [1, 10, 1, 1, 0], [0, 9]),
    cost("power replay", [0, 4, 0, 0, 0], [4, 9]),
    cost("power finish", [1, 8, 1, 1, 0], [0, 9]),
    cost("power step_begin", [0, 0, 0, 0, 0], [0, 8]),
    cost("power step_complete", [1, 10, 1, 1, 0], [0, 11]),
    cost("process claim_none", [0, 4, 0, 0, 0], [0, 4]),
    cost("process submit", [1, 6, 0, 1, 0], [0, 22]),
    cost("process claim", [1, 10, 0, 1, 0], [1, 42]),
    cost("process begin", [0, 4, 0, 0, 0], [0, 10]),
    cost("process complete", [1, 6, 0, 1, 0], [0, 11]),
    cost("process heartbeat", [1, 8, 0, 1, 0], [0, 7]),
    cost("process check", [0, 4, 0, 0, 0], [0, 1]),
    cost("process signal", [1, 6, 0, 1, 0], [0, 11]),
    cost("process release", [1, 8, 0, 1, 0], [0, 9]),
    cost("process replay", [0, 4, 0, 0, 0], [4, 9]),
    cost("process finish", [1, 6, 0, 1, 0], [0, 9]),
    cost("process step_begin", [0, 0, 0, 0, 0], [0, 8]),
    cost("process step_complete", [1, 8, 0, 1, 0], [0, 11]),
];

fn build(folder: &Path) {
    let cc = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let flags = ["-std=gnu11", "-Wall", "-Wextra", "-O1"];
    let shim = folder.join("shim.so");
    said(
        Command::new(&cc)
            .args(flags)
            .args(["-fPIC", "-shared", "-o"])
            .arg(shim)
            .arg(root("tests/counts/shim.c"))
            .arg("-ldl"),
    );
    said(
        Command::new(&cc)
            .args(flags)
            .arg(joined("-I", &root("include")))
            .arg("-o")
            .arg(folder.join("hot"))
            .arg(root("tests/counts/hot.c"))
            .args(link_library(folder))
            .arg("-ldl"),
    );
}

/// Returns what was counted of each call, in the order of `struct counts`.
fn counted(folder: &Path) -> BTreeMap<String, Vec<u32>> {
    let mut hot = Command::new(folder.join("hot"));
    hot.args([folder.join("power.db"), folder.join("process.db")]);
    let lines = said(hot.env("LD_PRELOAD", folder.join("shim.so")));
    println!("{lines}");
    let line = |line: &str| {
        let words: Vec<_> = line.split(' ').collect();
        let numbers = words[2..].iter().map(|word| word.parse().expect("a count")).collect();
        (words[..2].join(" "), numbers)
    };
    lines.lines().map(line).collect()
}

#[test]
fn a_hot_call_asks_no_more_of_the_system_than_it_is_known_to() {
    let folder = tempfile::tempdir().expect("a folder of its own");
    build(folder.path());
    let counted = counted(folder.path());
    let library = shared_library();
    for cost in &COSTS {
        let [writes, reads, locks, syncs, looks, wakes, allocations] = counted[cost.call][..]
        else {
            panic!("{}: {:?}", cost.call, counted[cost.call]);
        };
        let exact = [writes, locks, syncs, looks, wakes];
        let known = [cost.writes, cost.locks, cost.syncs, cost.looks, cost.wakes];
        let what = format!("{} of {}", cost.call, library.display());
        assert_eq!(exact, known, "{what}: writes, locks, syncs, looks, wakes");
        assert!(reads <= cost.reads_max, "{what}: {reads} reads");
        assert!(allocations <= cost.allocations_max, "{what}: {allocations} allocations");
    }
}
