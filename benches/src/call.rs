//! What a call costs that asks nothing of a file, through a pointer as a program calls a shared library. The
//! clients of other languages have benches of their own beside them.

use std::ffi::c_char;
use std::hint::black_box;
use std::ptr::null_mut;
use std::time::Instant;

use crate::driver::Unit::Nanoseconds;
use crate::driver::Wanted::AtMost;
use crate::driver::{Bed, Contender, sample_time};
use crate::host::{Host, PROCESS, Work, result_of};
use crate::library::library;

/// Calls between two looks at the clock.
const CALLS: u32 = 1_000;

extern "C" fn nothing() -> u32 {
    0
}

pub fn run(bed: &Bed) {
    let host = Host::open(&bed.at("a.db"), PROCESS);
    let work = host.begin();
    work.do_step("step", &result_of(200), PROCESS);
    work.release();
    let work = host.claim().unwrap();
    let version = library().sw_abi_version;
    bed.race(vec![
        Contender::new("empty", "an empty function through a pointer", Nanoseconds, || {
            let nothing: extern "C" fn() -> u32 = black_box(nothing);
            cost_ns(|| {
                black_box(nothing());
            })
        }),
        Contender::new("version", "sw_abi_version", Nanoseconds, || {
            cost_ns(|| {
                black_box(unsafe { version() });
            })
        })
        .of("empty"),
        Contender::new("ulid", "an id of the ulid crate, as text", Nanoseconds, || {
            cost_ns(|| {
                let mut text = [0; ulid::ULID_LEN];
                black_box(ulid::Ulid::generate().array_to_str(&mut text));
            })
        }),
        Contender::new("new-id", "sw_new_id", Nanoseconds, || cost_ns(new_id))
            .of("ulid")
            .wanted(AtMost(70.0)),
        Contender::new("replay", "sw_step_begin that replays, result, free", Nanoseconds, || {
            cost_ns(|| replay(work))
        }),
    ]);
    work.release();
    host.close();
}

fn cost_ns(call: impl Fn()) -> f64 {
    let (started, mut calls) = (Instant::now(), 0);
    while started.elapsed() < sample_time() {
        (0..CALLS).for_each(|_| call());
        calls += CALLS;
    }
    started.elapsed().as_nanos() as f64 / f64::from(calls)
}

fn new_id() {
    let mut id = [0 as c_char; 64];
    let (room, cap) = (id.as_mut_ptr(), id.len());
    let code = unsafe { (library().sw_new_id)(c"run".as_ptr(), 3, room, cap, null_mut()) };
    assert_eq!(code, 0);
    black_box(id);
}

/// Always the same occurrence, which is found in what the attempt holds of the history.
fn replay(work: Work) {
    work.replay("step", 1);
}
