//! Clocks that differ: handles whose manual clocks stand apart, as when a wall clock is set back or a
//! test advances one handle of many. Whatever they say, a wake-up leads to an attempt that gets an
//! answer, or the run stays parked: no run spins.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use smolwf::domain::claim::Claim;
use smolwf::domain::submit::Submit;
use smolwf::domain::{Durability, FailOptions};

use crate::door::waits::Waited;
use crate::door::{Attempt, Begun, Result, Store, StoreOptions};
use crate::place::Place;
use crate::support::{Draws, named};

/// One call of a run's body. Each has a name of its own.
#[derive(Debug, Clone)]
enum Call {
    Sleep(i64),
    Signal(String, i64),
    Child,
    Any(String, i64),
    All(String, i64),
    /// A step that fails so often before it completes, with this wait between.
    Step(u32, i64),
}

/// What a run does: groups of calls that are asked together before it parks.
type Body = Vec<Vec<Call>>;

struct Run {
    id: String,
    body: Body,
    /// Calls that were answered, by group and place; of steps, by their tries.
    answered: BTreeSet<(usize, usize, u32)>,
    children: HashMap<(usize, usize), String>,
    attempts: u32,
}

struct Clocks {
    seed: u64,
    draws: Draws,
    place: Place,
    handles: Vec<Arc<Store>>,
    runs: Vec<Run>,
    log: Vec<String>,
}

const SIGNALS: [&str; 3] = ["a", "b", "c"];
const SPANS_MS: [i64; 4] = [0, 1_000, 60_000, 3_600_000];

fn open(path: &Path) -> Arc<Store> {
    let options = StoreOptions {
        create: true,
        manual_clock: true,
        durability: Durability::Process,
        lease_default_ms: u32::MAX,
        ..StoreOptions::default()
    };
    let store = Store::open(path, &options).unwrap();
    store.init().unwrap();
    store
}

impl Clocks {
    fn new(seed: u64) -> Clocks {
        let place = Place::of("clocks", seed);
        let handles: Vec<_> = (0..3).map(|_| open(place.name())).collect();
        for (handle, ahead_ms) in handles.iter().zip([0, 30_000, 4_000_000]) {
            handle.advance_clock(ahead_ms).unwrap();
        }
        let draws = Draws::of(seed);
        Clocks { seed, draws, place, handles, runs: Vec::new(), log: Vec::new() }
    }

    fn run(&mut self, steps: usize) -> u32 {
        for _ in 0..steps {
            let at = self.draws.below(3) as usize;
            match self.draws.below(24) {
                0..=5 => self.submit(at),
                6..=15 => self.send(at),
                16 => self.reopen(at),
                _ => self.advance(at),
            }
            self.settle();
        }
        self.runs.iter().map(|run| run.answered.len() as u32).sum()
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.draws.below(from.len() as u64) as usize].clone()
    }

    fn timeout(&mut self) -> i64 {
        let span = self.pick(&SPANS_MS);
        if self.draws.below(3) == 0 { -1 } else { span }
    }

    fn members(&mut self) -> String {
        let entries: Vec<String> = (0..=self.draws.below(3))
            .map(|_| match self.draws.below(3) {
                0 => format!("{{\"sleep_ms\":{}}}", self.pick(&SPANS_MS)),
                _ => format!("{{\"signal\":\"{}\"}}", self.pick(&SIGNALS)),
            })
            .collect();
        format!("[{}]", entries.join(","))
    }

    fn call(&mut self) -> Call {
        match self.draws.below(7) {
            0 => Call::Sleep(self.pick(&SPANS_MS)),
            1 | 2 => Call::Signal(self.pick(&SIGNALS).into(), self.timeout()),
            3 => Call::Child,
            4 => Call::Any(self.members(), self.timeout()),
            5 => Call::All(self.members(), self.timeout()),
            _ => Call::Step(self.draws.below(3) as u32, self.pick(&SPANS_MS[1..])),
        }
    }

    fn submit(&mut self, at: usize) {
        if self.runs.len() > 12 {
            return;
        }
        let mut body = Body::new();
        for _ in 0..=self.draws.below(5) {
            let mut group: Vec<Call> = (0..=self.draws.below(3)).map(|_| self.call()).collect();
            // Of two awaits of all, each member wakes the run early, which is legal (P24); and a message
            // that is awaited twice at once is one await.
            let mut seen = BTreeSet::new();
            group.retain(|call| match call {
                Call::All(..) => seen.insert(String::new()),
                Call::Signal(name, _) => seen.insert(name.clone()),
                _ => true,
            });
            body.push(group);
        }
        let submit = Submit { workflow: "w".into(), ..Submit::default() };
        let id = self.handles[at].submit(submit).unwrap().run_id;
        self.log.push(format!("submit by {at}: run {} is {body:?}", self.runs.len()));
        let (answered, children) = (BTreeSet::new(), HashMap::new());
        self.runs.push(Run { id, body, answered, children, attempts: 0 });
    }

    fn send(&mut self, at: usize) {
        if self.runs.is_empty() {
            return;
        }
        let (to, name) = (self.draws.below(self.runs.len() as u64) as usize, self.pick(&SIGNALS));
        self.log.push(format!("send {name} by {at} to {to}"));
        // One that has ended takes none.
        let _ = self.handles[at].signal_send(&self.runs[to].id, name, None, None);
    }

    fn advance(&mut self, at: usize) {
        let ms = self.pick(&[500, 1_000, 60_000, 4_000_000]);
        self.log.push(format!("advance {at} by {ms}"));
        self.handles[at].advance_clock(ms).unwrap();
    }

    /// A handle whose clock is set to where the furthest stands; the others are left behind.
    fn reopen(&mut self, at: usize) {
        self.log.push(format!("reopen {at}"));
        self.handles[at].close();
        self.handles[at] = open(self.place.name());
    }

    /// Lets every handle work until none finds anything. An attempt of a run that was parked before and
    /// gets no answer is one too many.
    fn settle(&mut self) {
        let mut idle = 0;
        let mut at = self.draws.below(3) as usize;
        while idle < self.handles.len() {
            at = (at + 1) % self.handles.len();
            idle += 1;
            while let Some(attempt) = self.handles[at].claim(Claim::default()).unwrap() {
                idle = 0;
                self.work(at, &attempt);
            }
            if let Some(child) = self.claim_child(at) {
                idle = 0;
                child.complete(None).unwrap();
            }
        }
    }

    fn claim_child(&mut self, at: usize) -> Option<Arc<Attempt>> {
        let is_late = self.draws.below(2) == 0;
        let claim = Claim { queue: Some("children".into()), ..Claim::default() };
        if is_late { None } else { self.handles[at].claim(claim).unwrap() }
    }

    fn work(&mut self, at: usize, attempt: &Arc<Attempt>) {
        let id = attempt.run_id().to_owned();
        let place = self.runs.iter().position(|run| run.id == id).expect("it was submitted");
        self.log.push(format!("attempt {} of {place} by {at}", attempt.number()));
        let run = &mut self.runs[place];
        run.attempts += 1;
        let before = run.answered.len();
        let is_done = run.go_on(attempt);
        let is_answered = run.answered.len() > before || run.attempts == 1;
        if is_done {
            attempt.complete(None).unwrap();
        } else {
            attempt.suspend().unwrap();
        }
        let times: Vec<i64> = self.handles.iter().map(|handle| handle.now_ms()).collect();
        assert!(
            is_answered || is_done,
            "woken for nothing: seed {}, clocks {times:?}\n{}",
            self.seed,
            self.log.join("\n")
        );
    }
}

impl Run {
    /// Asks what the body asks, group by group; returns whether all is answered.
    fn go_on(&mut self, attempt: &Arc<Attempt>) -> bool {
        for (group, calls) in self.body.clone().iter().enumerate() {
            let mut is_open = false;
            for (at, call) in calls.iter().enumerate() {
                let name = format!("{group}.{at}");
                let place = (group, at);
                match self.ask(attempt, place, &name, call) {
                    Some(tries) => drop(self.answered.insert((group, at, tries))),
                    None => is_open = true,
                }
            }
            if is_open {
                return false;
            }
        }
        true
    }

    /// Returns a number that is new with each new answer; `None` while there is none.
    fn ask(
        &mut self,
        attempt: &Arc<Attempt>,
        place: (usize, usize),
        name: &str,
        call: &Call,
    ) -> Option<u32> {
        let answer: Result<Waited> = match call {
            Call::Sleep(ms) => attempt.sleep(name, *ms),
            Call::Signal(signal, timeout) => attempt.signal_await(signal, *timeout),
            Call::Child => {
                let submit = Submit {
                    workflow: "child".into(),
                    queue: Some("children".into()),
                    ..Submit::default()
                };
                let child = attempt.child_submit(name, submit).unwrap().run_id;
                let known = self.children.entry(place).or_insert_with(|| child.clone());
                assert_eq!(*known, child, "P25");
                attempt.child_await(&child, -1)
            }
            Call::Any(members, timeout) => attempt.await_any(name, members, *timeout),
            Call::All(members, timeout) => attempt.await_all(name, members, *timeout),
            Call::Step(failures, wait) => {
                return self.step(attempt, (place, name), *failures, *wait);
            }
        };
        (!matches!(answer.unwrap(), Waited::NotYet)).then_some(0)
    }

    fn step(
        &mut self,
        attempt: &Arc<Attempt>,
        ((group, at), name): ((usize, usize), &str),
        failures: u32,
        wait: i64,
    ) -> Option<u32> {
        let begin = smolwf::domain::step::Begin { max_tries: 9, ..named(name) };
        match attempt.step_begin(begin).unwrap() {
            Begun::Run(step) => {
                let tries = step.tries();
                self.answered.insert((group, at, tries));
                if tries <= failures {
                    let options = FailOptions { is_terminal: false, retry_after_ms: wait };
                    step.fail(None, options).unwrap();
                    return None;
                }
                step.complete(None).unwrap();
                Some(tries)
            }
            Begun::Replayed(step) => Some(step.tries()),
            Begun::Failed(_) => panic!("it has tries left"),
            Begun::Suspended => None,
        }
    }
}

/// Walks through so many worlds of clocks that differ; returns how many answers were given.
pub fn walk(first_seed: u64, rounds: u64, steps: usize) -> u32 {
    (first_seed..first_seed + rounds).map(|seed| Clocks::new(seed).run(steps)).sum()
}
