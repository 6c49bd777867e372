//! How rates go with what grows: history, threads, processes, payloads. `make curves` draws them.

use crate::driver::Unit::PerSecond;
use crate::driver::{Bed, Contender, rate};
use crate::host::{Host, POWER, PROCESS};
use crate::process::now_ns;
use crate::replay::{Recorded, Scan};
use crate::{raw, step};

pub fn run(bed: &Bed) {
    threads(bed);
    processes(bed);
    payloads(bed);
    history(bed);
}

fn wants(bed: &Bed, name: &str) -> bool {
    bed.wants(name) || bed.wants(&format!("{name}-"))
}

/// Steps of so many threads, beside one raw loop.
fn threads(bed: &Bed) {
    if !wants(bed, "threads") {
        return;
    }
    let host = Host::open(&bed.at("threads.db"), POWER);
    let other = Host::open(&bed.at("threads-process.db"), PROCESS);
    let mut full = raw::Rows::new(&bed.at("threads-raw.db"), "FULL");
    let raw = Contender::new("threads-raw", "R: raw loop, FULL", PerSecond, || full.rate()).at(1.0);
    let mut made = vec![raw];
    for count in [1, 2, 4, 8, 16, 32, 64, 128] {
        for (name, host, durability) in [("power", host, POWER), ("process", other, PROCESS)] {
            let what = format!("step, {}, {count} threads", name.to_uppercase());
            let row =
                Contender::new(format!("threads-{name}-{count}"), what, PerSecond, move || {
                    step::threads(host, count, durability).rate
                });
            made.push(row.of("threads-raw").at(f64::from(count)));
        }
    }
    bed.race(made);
    [host, other].into_iter().for_each(Host::close);
}

/// Steps of so many processes, with one thread and with sixteen.
fn processes(bed: &Bed) {
    if !wants(bed, "processes") {
        return;
    }
    let mut full = raw::Rows::new(&bed.at("processes-raw.db"), "FULL");
    let raw =
        Contender::new("processes-raw", "R: raw loop, FULL", PerSecond, || full.rate()).at(1.0);
    let mut made = vec![raw];
    for threads in [1, 16] {
        for count in [1, 2, 4, 8] {
            let path = bed.at(&format!("processes-{threads}.db"));
            let what = format!("step, POWER, {count} processes x {threads}");
            let name = format!("processes-{threads}-{count}");
            let row = Contender::new(name, what, PerSecond, move || {
                step::processes(&path, count, threads).sum
            });
            made.push(row.of("processes-raw").at(count as f64));
        }
    }
    bed.race(made);
}

/// Steps whose result has so many bytes, beside a raw row as large. No two results are the same and none can
/// be packed: of others a store keeps one, or less.
fn payloads(bed: &Bed) {
    if !wants(bed, "payload") {
        return;
    }
    let mut made = Vec::new();
    let mut hosts = Vec::new();
    for bytes in [100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000] {
        let mut raw = raw::Rows::of(&bed.at(&format!("payload-raw-{bytes}.db")), "FULL", bytes);
        let name = format!("payload-raw-{bytes}");
        let what = format!("raw row of {bytes} bytes, FULL");
        made.push(Contender::new(name, what, PerSecond, move || raw.rate()).at(bytes as f64));
        let host = Host::open(&bed.at(&format!("payload-{bytes}.db")), POWER);
        hosts.push(host);
        let (what, mut result) = (format!("step with {bytes} bytes, POWER"), noise(bytes));
        let row = Contender::new(format!("payload-step-{bytes}"), what, PerSecond, move || {
            let (work, mut number) = (host.begin(), 0);
            let rate = rate(|| {
                number += 1;
                let told = number + u128::from(now_ns());
                result.replace_range(1..41, &format!("{told:040}"));
                work.do_step(&format!("step-{number}"), &result, POWER);
            });
            work.complete();
            rate
        });
        made.push(row.at(bytes as f64));
    }
    bed.race(made);
    hosts.into_iter().for_each(Host::close);
}

/// A JSON text of as many bytes, at random.
fn noise(bytes: usize) -> String {
    const LETTERS: &[u8; 64] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
    let mut state = 88_172_645_463_325_252_u64;
    let letter = |_| {
        // Marsaglia's xorshift.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(LETTERS[(state >> 58) as usize])
    };
    format!("\"{}\"", (2..bytes).map(letter).collect::<String>())
}

/// Replay of a history of so many steps, preload in it, beside a raw scan as long.
fn history(bed: &Bed) {
    if !wants(bed, "history") {
        return;
    }
    for steps in [10, 100, 1_000, 10_000, 100_000] {
        let raw = Scan::new(&bed.at(&format!("history-raw-{steps}.db")), steps);
        let recorded = Recorded::new(&bed.at(&format!("history-{steps}.db")), steps);
        let place = steps as f64;
        bed.race(vec![
            Contender::new(
                format!("history-raw-{steps}"),
                format!("raw scan of {steps} rows"),
                PerSecond,
                || raw.rate(),
            )
            .at(place),
            Contender::new(
                format!("history-replay-{steps}"),
                format!("replay of {steps} steps after a claim"),
                PerSecond,
                || recorded.rate(),
            )
            .at(place),
        ]);
        recorded.host.close();
    }
}
