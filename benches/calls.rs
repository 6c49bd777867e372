//! What does a call through the C functions cost, beside a call of an empty function?
//!
//! `cargo bench --bench calls`. Each is called through a pointer, as a program that is linked with the
//! shared library calls it. The clients of other languages have benches of their own beside them.

#![allow(unsafe_code, reason = "the benches call the library as a C host does")]
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

mod support;

use std::ffi::c_char;
use std::hint::black_box;
use std::ptr::{null, null_mut};
use std::time::Instant;

use smolwf::ffi::step::{sw_step_begin, sw_step_free};
use smolwf::ffi::text::sw_new_id;
use smolwf::ffi::version::sw_abi_version;
use support::{Host, PROCESS, Work, rounds, spread};

/// Calls in one sample.
const CALLS: u32 = 200_000;

extern "C" fn nothing() -> u32 {
    0
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::open_with(&folder.path().join("a.db"), PROCESS);
    host.begin().do_and_release("step");
    let work = host.claim().unwrap();
    let version = || {
        black_box(sw_abi_version as extern "C" fn() -> u32)();
    };
    println!("\nOne call, nanoseconds  ({} rounds of {CALLS} calls)", rounds());
    print("an empty function", || {
        black_box(nothing as extern "C" fn() -> u32)();
    });
    print("sw_abi_version", version);
    print("sw_new_id", new_id);
    print("sw_step_begin that replays, and free", || replay(work));
    work.release();
    host.close();
}

fn print(name: &str, call: impl Fn()) {
    let samples: Vec<f64> = (0..rounds())
        .map(|_| {
            let started = Instant::now();
            (0..CALLS).for_each(|_| call());
            started.elapsed().as_nanos() as f64 / f64::from(CALLS)
        })
        .collect();
    let (low, middle, high) = spread(&samples);
    println!("  {name:<44} {middle:>8.1} [{low:.1} .. {high:.1}]");
}

fn new_id() {
    let mut id = [0 as c_char; 64];
    // SAFETY: the text ends in NUL, and the room is as large as it says.
    let code = unsafe { sw_new_id(c"run".as_ptr(), 3, id.as_mut_ptr(), id.len(), null_mut()) };
    assert_eq!(code, 0);
    black_box(id);
}

/// Always the same occurrence, which is found in what the attempt holds of the history.
fn replay(work: Work) {
    let mut step = null_mut();
    let options = support::occurrence(1);
    // SAFETY: the attempt is open, and the name ends in NUL.
    let code = unsafe {
        sw_step_begin(work.0, c"step".as_ptr(), 4, null(), 0, &options, &mut step, null_mut())
    };
    assert_eq!(code, 3);
    // SAFETY: given once, freed once.
    unsafe { sw_step_free(step) };
}
