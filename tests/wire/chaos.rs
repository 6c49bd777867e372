//! Workers go on by themselves whatever becomes of the server: its backends are ended at random, one of its
//! processes is killed, it is killed and started again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use smolwf::domain::claim::Claim;
use smolwf::domain::step::Begin;
use smolwf::domain::submit::Submit;
use smolwf::error::{Error, Result};
use smolwf::handles::attempt::Attempt;
use smolwf::handles::begin::Begun;
use smolwf::handles::store::Store;

use crate::server::Server;

const WORKERS: u32 = 4;

/// How long a call waits for the server. It is away for longer once.
const BUSY_MS: u32 = 1_000;
const AWAY_MS: u32 = 2_500;

/// Failed calls of one worker at most: each has waited for as long as it may, or was told of a cut. A loop
/// that spins has thousands.
const FAILED_MAX: u32 = 300;

/// What is seen from outside the store.
#[derive(Default)]
struct Seen {
    /// How often the work of each run was done.
    done: Mutex<BTreeMap<String, u32>>,
    failed: AtomicU32,
    is_over: AtomicBool,
}

impl Seen {
    /// Makes a call until it is answered otherwise than by what may pass.
    fn call<T>(&self, mut call: impl FnMut() -> Result<T>) -> Result<T> {
        let mut failed = 0;
        loop {
            match call() {
                Err(error) if error.is_retryable() || matches!(error, Error::CannotOpen { .. }) => {
                    failed += 1;
                    self.failed.fetch_add(1, Ordering::Relaxed);
                    assert!(failed < FAILED_MAX, "it spins: {error}");
                }
                answer => return answer,
            }
        }
    }
}

/// A worker as a user writes it: claims, does a step, completes. It ends when told so and there is nothing
/// left, and by nothing else.
fn work(store: &Arc<Store>, seen: &Seen) {
    while !seen.is_over.load(Ordering::Relaxed) {
        let claim = Claim { wait_ms: 200, lease_ms: u32::MAX, ..Claim::default() };
        let attempt = seen.call(|| store.claim(claim.clone())).expect("a claim ends no worker");
        let Some(attempt) = attempt else { continue };
        match carry(&attempt, seen) {
            // Its connection was gone: the server took its owner for dead, and another has the run.
            Ok(()) | Err(Error::LeaseLost(_)) => {}
            Err(error) => panic!("an attempt ends with {error}"),
        }
    }
}

fn carry(attempt: &Arc<Attempt>, seen: &Seen) -> Result<()> {
    let begin = Begin { name: "one".into(), ..Begin::default() };
    if let Begun::Run(step) = seen.call(|| attempt.step_begin(begin.clone()))? {
        *seen.done.lock().unwrap().entry(attempt.run_id().as_str().into()).or_default() += 1;
        seen.call(|| step.complete(Some(attempt.number().to_string())))?;
    }
    seen.call(|| attempt.complete(Some(attempt.number().to_string())))
}

fn submit(store: &Arc<Store>, seen: &Seen, nth: u32) -> String {
    let idempotency_key = Some(format!("run {nth}"));
    let submit = Submit { idempotency_key, max_tries: 1_000, ..Submit::default() };
    let submit = Submit { workflow: "work".into(), ..submit };
    seen.call(|| store.submit(submit.clone())).unwrap().run_id
}

/// Has everybody end when it goes.
struct Ends<'flags>([&'flags AtomicBool; 2]);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(|flag| flag.store(true, Ordering::Relaxed));
    }
}

/// Numbers that look random.
fn draw(seed: &mut u64, below: u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed % below
}

/// What happens to the server.
fn trouble(server: &Server, mut seed: u64, until: Instant) {
    for how in ["immediate", "backend", "long"] {
        for _ in 0..4 {
            // So that some work gets done between two blows.
            std::thread::sleep(Duration::from_millis(50 + draw(&mut seed, 400)));
            server.end_backends();
        }
        match how {
            "long" => server.kill_and_start("immediate", AWAY_MS),
            how => server.kill_and_start(how, 0),
        }
    }
    while Instant::now() < until {
        // As above.
        std::thread::sleep(Duration::from_millis(20 + draw(&mut seed, 400)));
        match draw(&mut seed, 30) {
            0 => server.kill_and_start("immediate", u32::try_from(draw(&mut seed, 3_000)).unwrap()),
            1 => server.kill_and_start("backend", 0),
            _ => server.end_backends(),
        }
    }
}

/// P12: after a crash of one of its processes the server begins anew, and all locks are free.
#[test]
fn a_crash_that_the_server_mends_by_itself_takes_no_run_from_who_lives() {
    let Some(server) = Server::alone() else { return };
    let schema = format!("sw_test_crash_{}", std::process::id());
    let open = |name: &str| {
        let url = server.url(&schema, None);
        server.open(&format!("{url}&application_name={name}"), 30_000).unwrap()
    };
    let (lives, other) = (open("lives"), open("other"));
    lives.init().unwrap();
    lives.submit(Submit { workflow: "work".into(), ..Submit::default() }).unwrap();
    let claim = Claim { lease_ms: u32::MAX, ..Claim::default() };
    let attempt = lives.claim(claim.clone()).unwrap().expect("a run was submitted");
    server.kill_and_start("backend", 0);
    let seen = Seen::default();
    assert!(seen.call(|| other.claim(claim.clone())).unwrap().is_none(), "it was taken");
    seen.call(|| attempt.complete(None)).unwrap();
}

/// P6 to P10, P12.
#[test]
fn workers_go_on_by_themselves_whatever_becomes_of_the_server() {
    let Some(server) = Server::alone() else { return };
    let schema = format!("sw_test_chaos_{}", std::process::id());
    let seconds = std::env::var("SW_CHAOS_SECONDS").map_or(0, |text| text.parse().unwrap());
    let seed = std::env::var("SMOLWF_SEED")
        .map_or_else(|_| u64::from(std::process::id()) * 0x9E37_79B9, |text| text.parse().unwrap());
    println!("SMOLWF_SEED={seed}");
    let open = |name: &str| {
        let url = server.url(&schema, None);
        server.open(&format!("{url}&application_name={name}"), BUSY_MS)
    };
    let judge = open("judge").unwrap();
    judge.init().unwrap();
    let (seen, is_done) = (Seen::default(), AtomicBool::new(false));
    let ends = Ends([&seen.is_over, &is_done]);
    let runs = std::thread::scope(|scope| {
        // Whatever fails in here, nobody works on for ever.
        let (seen, open, ends) = (&seen, &open, ends);
        for at in 0..WORKERS {
            scope.spawn(move || work(&open(&format!("worker{at}")).unwrap(), seen));
        }
        let is_done = &is_done;
        let submits = scope.spawn(move || {
            let store = open("submits").unwrap();
            let mut runs = Vec::new();
            while !is_done.load(Ordering::Relaxed) {
                runs.push(submit(&store, seen, u32::try_from(runs.len()).unwrap()));
            }
            runs
        });
        trouble(&server, seed, Instant::now() + Duration::from_secs(seconds));
        is_done.store(true, Ordering::Relaxed);
        let runs = submits.join().unwrap();
        let is_left = || {
            let open = r#"{"state":["pending","running","waiting"]}"#;
            seen.call(|| judge.run_count(Some(open), 1)).unwrap() > 0
        };
        while is_left() {
            // Workers need the processors more.
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(ends);
        runs
    });
    judge_all(&judge, &runs, &seen);
}

/// Nothing lost, nothing twice: each acknowledged run is there once and completed, by an attempt that may
/// have found its step recorded by one before it; and its work was done once for each attempt at most.
fn judge_all(judge: &Arc<Store>, runs: &[String], seen: &Seen) {
    assert_eq!(judge.run_count(None, 0).unwrap(), runs.len() as u64);
    let done = seen.done.lock().unwrap();
    let mut again = 0;
    for run_id in runs {
        let run: serde_json::Value = serde_json::from_str(&judge.run_get(run_id).unwrap()).unwrap();
        assert_eq!(run["state"], "completed", "{run}");
        let attempts = run["attempts"].as_u64().unwrap();
        let times = u64::from(*done.get(run_id).unwrap_or(&0));
        assert!((1..=attempts).contains(&times), "{times} times, {run}");
        let history = judge.run_history(run_id, None, 0).unwrap();
        assert_eq!(history.matches(r#""name":"one""#).count(), 1, "{history}");
        again += attempts - 1;
    }
    assert_eq!(judge.check().unwrap(), r#"{"ok":true,"faults":[]}"#);
    let failed = seen.failed.load(Ordering::Relaxed);
    println!("{} runs, {again} attempts more than runs, {failed} calls failed", runs.len());
    assert!(failed > 0, "the server was away for longer than a call waits");
}
