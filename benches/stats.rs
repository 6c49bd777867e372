//! Does a look at a store as a whole, or at why one run does not move, cost more where more runs are?
//!
//! `cargo bench --bench stats`. One file a size, as `support/filled.rs` fills it; the sizes take turns in
//! each round, beside a raw loop of commits. `SW_BENCH_SIZES=1000,10000000` names other sizes. Counts stop
//! at SW_TASKS_COUNTED_MAX of a kind: a store that has fewer costs less, and all others cost the same.
//!
//! What `sw_store_stats` tells of the writer costs the hot path no statement and no page. Who leads a batch
//! counts it (`src/storage/sqlite/tally.rs`): for each commit four atomic additions that order nothing and
//! a lock that nobody else takes but who looks, for each write two readings of the monotonic clock
//! and a name found among a dozen, one addition for each sync. Some hundred nanoseconds for a write,
//! beside the tens of microseconds of a commit without a sync: less than two runs of one bench differ by.

#![allow(unsafe_code, reason = "the benches call the library as a C host does")]
#![allow(clippy::undocumented_unsafe_blocks, clippy::multiple_unsafe_ops_per_block)]
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

mod support;

use std::ffi::CString;
use std::ptr::null_mut;
use std::time::Instant;

use smolwf::ffi::explain::sw_run_explain;
use smolwf::ffi::stats::{sw_owner_list, sw_queue_list, sw_store_stats};
use smolwf::ffi::text::sw_text;
use support::{Contender, Host, NTS, Raw, calls_per_second, document, filled, race};

type Look = fn(Host, *mut *mut sw_text) -> i32;

/// A look at the store: its name, and what it tells at least.
const LOOKS: [(&str, Look, &str); 3] = [
    ("sw_store_stats", |host, out| unsafe { sw_store_stats(host.0, out, null_mut()) }, "\"runs\""),
    ("sw_queue_list", |host, out| unsafe { sw_queue_list(host.0, out, null_mut()) }, "\"default\""),
    ("sw_owner_list", |host, out| unsafe { sw_owner_list(host.0, out, null_mut()) }, "\"owner_1\""),
];

/// Which run of so many.
type Which = fn(i64) -> i64;

/// A run that does not move: which one of so many, and a reason that it has.
const STANDING: [(&str, Which, &str); 4] = [
    ("the first ready", |_| 5, "\"queue_unclaimed\""),
    ("the last ready", |size| size, "\"behind_others\""),
    ("a running one", |_| 25, "\"running\""),
    ("a paused one", |_| 35, "\"paused\""),
];

fn main() {
    let sizes = std::env::var("SW_BENCH_SIZES").unwrap_or_else(|_| "1000,1000000".into());
    let sizes: Vec<i64> = sizes.split(',').map(|size| size.parse().unwrap()).collect();
    let folder = tempfile::tempdir().unwrap();
    let hosts: Vec<(i64, Host)> = sizes
        .iter()
        .map(|size| {
            let started = Instant::now();
            let path = folder.path().join(format!("{size}.db"));
            filled::fill(&path, *size);
            println!("  {size} runs: {:.1} s", started.elapsed().as_secs_f64());
            (*size, Host::open_with(&path, support::PROCESS))
        })
        .collect();
    let mut raw = Raw::new(&folder.path().join("raw.db"), "NORMAL");
    for (name, look, told) in LOOKS {
        beside(&mut raw, &hosts, name, |host, _| {
            let text = document(|out| look(host, out));
            assert!(text.contains(told), "{text}");
        });
    }
    for (name, key, reason) in STANDING {
        beside(&mut raw, &hosts, &format!("sw_run_explain of {name}"), |host, size| {
            let run_id = CString::new(run_id(key(size))).unwrap();
            let explain =
                |out| unsafe { sw_run_explain(host.0, run_id.as_ptr(), NTS, out, null_mut()) };
            let text = document(explain);
            assert!(text.contains(reason), "{text}");
        });
    }
    hosts.into_iter().for_each(|(_, host)| host.close());
}

/// Runs a call on the stores of all sizes beside the raw loop.
fn beside(raw: &mut Raw, hosts: &[(i64, Host)], name: &str, call: impl Fn(Host, i64)) {
    let mut contenders = vec![Contender::new("RN: raw loop, NORMAL, 1 thread", || raw.rate())];
    for (size, host) in hosts {
        let call = &call;
        let calls = move || calls_per_second(|| call(*host, *size));
        contenders.push(Contender::new(format!("of {size} runs"), calls));
    }
    race(name, 0, &mut contenders);
}

/// Returns the id of the run with this key.
fn run_id(key: i64) -> String {
    let digits = b"0123456789abcdefghjkmnpqrstvwxyz";
    let digit = |place: u32| digits[(key >> (5 * place)) as usize & 31] as char;
    let low: String = (0..12).rev().map(digit).collect();
    format!("run_{}{low}", "0".repeat(14))
}
