//! What it costs a worker at full load that what has ended goes by itself, and whether the file stops growing.
//! Half an hour of it: `SW_BENCH_MS=10000 SW_BENCH_ROUNDS=90 SW_BENCH_KEEP_MS=10000`.

use std::path::Path;
use std::time::Instant;

use crate::driver::Unit::{Mb, Milliseconds, PerSecond};
use crate::driver::{Bed, Contender, sample_time};
use crate::host::{Host, PROCESS, document, result_of};
use crate::library::library;

pub fn run(bed: &Bed) {
    let keep_ms = std::env::var("SW_BENCH_KEEP_MS").unwrap_or_else(|_| "2000".into());
    let [kept, let_go] =
        [("kept", "{}".to_owned()), ("gone", format!("{{\"completed_ms\":{keep_ms}}}"))]
            .map(|(name, policy)| open(&bed.at(name), &policy));
    let worker = |name: &str, what: &str, host: Host| {
        Contender::many(
            name,
            format!("submit, claim, step, complete; {what}"),
            PerSecond,
            move || work(host),
        )
    };
    let more = |contender: Contender<'static>, name: &str| {
        contender.and(format!("{name}-longest"), "the longest of them", Milliseconds).and(
            format!("{name}-file"),
            "the file after a turn",
            Mb,
        )
    };
    bed.race(vec![
        more(worker("without", "no policy", kept), "without"),
        more(worker("with", &format!("kept {keep_ms} ms"), let_go).of("without"), "with"),
    ]);
    [kept, let_go].into_iter().for_each(Host::close);
}

fn open(path: &Path, policy: &str) -> Host {
    let host = Host::open(path, PROCESS);
    host.retain(policy);
    host
}

fn work(host: Host) -> Vec<f64> {
    let (started, mut done, mut longest_ms) = (Instant::now(), 0_u32, 0_f64);
    let result = result_of(200);
    while started.elapsed() < sample_time() {
        let began = Instant::now();
        let work = host.begin();
        work.do_step("step", &result, PROCESS);
        work.complete();
        longest_ms = longest_ms.max(began.elapsed().as_secs_f64() * 1e3);
        done += 1;
    }
    let rate = f64::from(done) / started.elapsed().as_secs_f64();
    let stats =
        document(|out| unsafe { (library().sw_store_stats)(host.0, out, std::ptr::null_mut()) });
    let stats: serde_json::Value = serde_json::from_str(&stats).unwrap();
    let mb = stats["file"]["bytes"].as_f64().unwrap() / 1e6;
    vec![rate, longest_ms, mb]
}
