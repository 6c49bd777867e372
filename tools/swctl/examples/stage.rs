//! Fills a store with something of everything and holds some of its runs until standard input ends:
//! what a look at a store is tried on, and what pictures are taken of.
//!
//! ```sh
//! cargo run --example stage FILE [work]
//! ```
//!
//! With `work`, runs are submitted and done all the while.

use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

#[path = "../tests/support/stage.rs"]
mod stage;

fn main() {
    let mut args = std::env::args().skip(1);
    let file = args.next().expect("the store's file");
    let cast = stage::fill(Path::new(&file));
    let is_done = AtomicBool::new(false);
    let works = args.next().is_some_and(|word| word == "work");
    thread::scope(|scope| {
        if works {
            scope.spawn(|| work(Path::new(&file), &is_done));
        }
        let mut rest = String::new();
        std::io::stdin().read_to_string(&mut rest).expect("standard input can be read");
        is_done.store(true, Ordering::Relaxed);
    });
    drop(cast);
}

/// Does a run every so often.
fn work(file: &Path, is_done: &AtomicBool) {
    let stage = stage::Stage::open(file);
    let mut number = 0;
    while !is_done.load(Ordering::Relaxed) {
        number += 1;
        stage.submit(&format!(r#"{{"workflow":"thumbnail","args":{number},"queue":"images"}}"#));
        let held = stage.claim("images");
        // What a worker would take for its work.
        thread::sleep(Duration::from_millis(400));
        held.step("scale", "\"ok\"");
        held.event("scaled", &number.to_string());
        held.complete("null");
    }
}
