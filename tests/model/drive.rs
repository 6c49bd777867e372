//! Draws operations, applies each to the core and to the model, and compares.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use smolwf::limits::PAYLOAD_INLINE_BYTES_MAX;

use super::attempt::{Attempt, Step};
use super::carry::Carried;
use super::door::{Attempt as CoreAttempt, Step as CoreStep};
use super::oracle::{
    CONFLICT, Filter, Key, Limit, NONE, NOT_FOUND, OK, Oracle, Said, Submit, said,
};
use super::page;
use super::script::{Deed, Tape};
use super::waiting::Member;
use super::world::{TICK_MS, World, answer, core_claim, core_submit, submitted, tidy};

/// An attempt on both sides.
pub struct Held {
    pub core: Arc<CoreAttempt>,
    pub model: Attempt,
}

/// A step on both sides.
pub struct HeldStep {
    pub core: CoreStep,
    pub model: Step,
    pub attempt: u64,
}

pub struct Drive {
    pub seed: u64,
    pub draws: Tape,
    /// What is looked for and noted beside the walk, which goes the same way with and without.
    beside: Tape,
    pub operations: Vec<(u64, &'static str, Operation)>,
    pub oracle: Oracle,
    pub world: World,
    pub held: BTreeMap<u64, Held>,
    pub steps: Vec<HeldStep>,
    pub next_held: u64,
    /// What an any or all of a name is about: the same whenever a run asks, as in real code.
    pub recipes: HashMap<(Key, String), Vec<Member>>,
    /// The run that a fork was copied from.
    pub origins: HashMap<Key, Key>,
    /// Trees that were exported when they had ended.
    pub kept: Vec<Carried>,
    /// Ids of reservations.
    pub reserved: Vec<String>,
    /// Everything is drawn, also what older walks do not know.
    pub is_whole: bool,
    /// Each failure says when the next try is, which a backoff on a server takes from the clock.
    pub is_exact: bool,
    pub touched: Option<Key>,
    pub payloads: u64,
    /// Which first reasons were compared, and how often.
    pub explained: BTreeMap<&'static str, u32>,
    pub log: Vec<String>,
    done: Vec<Deed>,
    /// What is being done, and how much was noted before.
    doing: Option<(&'static str, usize)>,
}

/// Open runs above which none is submitted.
const OPEN_MAX: usize = 9;
/// Attempts that are kept, the living and the stale.
const HELD_MAX: usize = 9;

pub type Operation = fn(&mut Drive) -> Option<(Said, Said)>;

const OPERATIONS: [(u64, &str, Operation); 30] = [
    (5, "submit", Drive::submit),
    (3, "submit_many", Drive::submit_many),
    (18, "claim", Drive::claim),
    (3, "claim_many", Drive::claim_many),
    (20, "begin", Drive::begin),
    (14, "complete_step", Drive::complete_step),
    (5, "fail_step", Drive::fail_step),
    (2, "free_step", Drive::free_step),
    (5, "sleep", Drive::sleep),
    (6, "signal_await", Drive::signal_await),
    (9, "child_await", Drive::child_await),
    (5, "await_any", Drive::await_any),
    (6, "await_all", Drive::await_all),
    (9, "child_submit", Drive::child_submit),
    (9, "suspend", Drive::suspend),
    (2, "complete", Drive::complete),
    (3, "fail", Drive::fail),
    (5, "release", Drive::release),
    (4, "heartbeat", Drive::heartbeat),
    (3, "check", Drive::check),
    (9, "signal_send", Drive::signal_send),
    (3, "cancel", Drive::cancel),
    (3, "pause", Drive::pause),
    (4, "resume", Drive::resume),
    (5, "retry", Drive::retry),
    (2, "fork", Drive::fork),
    (2, "queue_set", Drive::queue_set),
    (7, "advance", Drive::advance),
    (1, "reopen", Drive::reopen),
    (1, "free_attempt", Drive::free_attempt),
];

impl Drive {
    pub fn new(seed: u64) -> Drive {
        let mut oracle = Oracle::default();
        let world = World::new(seed, &mut oracle);
        Drive {
            seed,
            draws: Tape::of(seed),
            beside: Tape::of(!seed),
            operations: OPERATIONS.to_vec(),
            oracle,
            world,
            held: BTreeMap::new(),
            steps: Vec::new(),
            next_held: 0,
            recipes: HashMap::new(),
            origins: HashMap::new(),
            kept: Vec::new(),
            reserved: Vec::new(),
            is_whole: false,
            is_exact: false,
            touched: None,
            payloads: 0,
            explained: BTreeMap::new(),
            log: Vec::new(),
            done: Vec::new(),
            doing: None,
        }
    }

    /// A walk on which many runs are acted on at once as well.
    pub fn with_acts_on_many(seed: u64) -> Drive {
        let mut drive = Drive::new(seed);
        drive.operations.push((12, "act_many", Drive::act_many));
        drive
    }

    /// A walk on which what has ended is pruned as well.
    pub fn with_prunes(seed: u64) -> Drive {
        let mut drive = Drive::new(seed);
        drive.operations.push((12, "prune", Drive::prune));
        drive.operations.push((4, "retain", Drive::retain));
        drive.operations.push((2, "compact", Drive::compact));
        drive
    }

    /// A walk on which trees are exported, imported and pruned as well.
    pub fn with_carrying(seed: u64) -> Drive {
        let mut drive = Drive::with_prunes(seed);
        drive.operations.push((14, "copy", Drive::copy));
        drive.operations.push((8, "bring_back", Drive::bring_back));
        drive
    }

    /// A walk on which the store itself is moved as well.
    pub fn with_moves(seed: u64) -> Drive {
        let mut drive = Drive::with_carrying(seed);
        drive.operations.push((4, "graduate", Drive::graduate));
        drive
    }

    /// Makes so many operations, and counts in `seen` which answered what.
    pub fn run(&mut self, steps: usize, seen: &mut BTreeMap<(&'static str, i32), u32>) {
        for step in 0..steps {
            self.touched = None;
            let sum: u64 = self.operations.iter().map(|(weight, ..)| weight).sum();
            let mut draw = self.draws.below(sum);
            let drawn = self.operations.iter().copied().find(|(weight, ..)| {
                let is_it = draw < *weight;
                draw = draw.wrapping_sub(*weight);
                is_it
            });
            let (_, name, operation) = drawn.expect("the draw is below the sum");
            self.make(name, operation, seen);
            let touched = self.touched;
            std::mem::swap(&mut self.draws, &mut self.beside);
            match self.draws.below(8) {
                0..=2 => self.make("list", Drive::list, seen),
                3 => self.make("annotate", Drive::annotate, seen),
                _ => {}
            }
            std::mem::swap(&mut self.draws, &mut self.beside);
            self.touched = touched;
            if step % 16 == 15 || step + 1 == steps {
                self.make("look", Drive::look, seen);
            } else if let Some(key) = self.touched {
                self.compare(key);
            }
        }
    }

    /// Does what a script says.
    pub fn play(&mut self, deeds: &[Deed]) {
        let beside: [Operation; 3] = [Drive::list, Drive::annotate, Drive::look];
        let beside = ["list", "annotate", "look"].into_iter().zip(beside);
        let known: Vec<(&'static str, Operation)> =
            self.operations.iter().map(|(_, name, does)| (*name, *does)).chain(beside).collect();
        for deed in deeds {
            let (name, operation) =
                *known.iter().find(|(name, _)| *name == deed.name).expect("a deed of this walk");
            self.touched = None;
            self.draws.give(deed.numbers.clone());
            self.make(name, operation, &mut BTreeMap::new());
            if let Some(key) = self.touched {
                self.compare(key);
            }
        }
    }

    /// What was done so far, the last of it perhaps in part.
    pub fn so_far(&mut self) -> Vec<Deed> {
        self.note_deed();
        self.done.clone()
    }

    fn note_deed(&mut self) {
        let Some((name, from)) = self.doing.take() else { return };
        let told = self.log[from..].join("; ");
        self.done.push(Deed { name: name.into(), numbers: self.draws.take(), told });
    }

    /// Compares all that there is.
    pub fn look(&mut self) -> Option<(Said, Said)> {
        (0..self.oracle.runs.len()).for_each(|key| self.compare(key));
        if self.is_whole {
            self.compare_budgets();
            self.compare_schedules();
        }
        self.check_store();
        None
    }

    fn make(
        &mut self,
        name: &'static str,
        operation: Operation,
        seen: &mut BTreeMap<(&'static str, i32), u32>,
    ) {
        self.draws.take();
        self.doing = Some((name, self.log.len()));
        let answers = operation(self);
        let Some((core, model)) = answers else { return self.note_deed() };
        *seen.entry((name, core.0)).or_default() += 1;
        if tidy(core.clone()) != tidy(model.clone()) {
            self.refuse(&format!("{name}: the core answers {core:?}, the model {model:?}"));
        }
        self.note_deed();
    }

    pub fn refuse(&self, what: &str) -> ! {
        let from = self.log.len().saturating_sub(60);
        panic!(
            "{what}\nSW_MODEL_SEED={} at operation {}; the last were\n{}",
            self.seed,
            self.log.len(),
            self.log[from..].join("\n")
        );
    }

    /// Whatever was asked, the file is whole: what is ready is where claims look for it.
    fn check_store(&self) {
        let report = self.world.store().check().unwrap();
        if !report.contains("\"ok\":true") {
            self.refuse(&report);
        }
    }

    fn compare(&self, key: Key) {
        let run = &self.oracle.runs[key];
        if run.is_gone {
            let shown = self.world.store().run_get(&run.id);
            if shown.as_ref().err().map(|error| error.code()) != Some(NOT_FOUND) {
                self.refuse(&format!("run {key} was pruned and is {shown:?}"));
            }
            return;
        }
        let expected = page::history(&self.oracle, key);
        let document = page::narrow(self.world.document(&run.id), &expected["run"]);
        if document != expected["run"] {
            self.refuse(&format!(
                "run {key} is\n{document}\nin the core, in the model\n{}",
                expected["run"]
            ));
        }
        let limit = if self.log.len().is_multiple_of(3) { 3 } else { 0 };
        let found = self.world.history(&run.id, limit);
        for part in ["run", "attempts", "steps", "signals", "children", "events", "next"] {
            let found = page::narrow(found[part].clone(), &expected[part]);
            if found != expected[part] {
                self.refuse(&format!(
                    "{part} of run {key} are\n{found}\nin the core, in the model\n{}",
                    expected[part]
                ));
            }
        }
    }

    pub fn note(&mut self, what: String) {
        self.log.push(what);
    }

    // -------------------------------------------------------------------- what is drawn

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.draws.below(from.len() as u64) as usize].clone()
    }

    pub fn maybe<T: Clone>(&mut self, one_in: u64, from: &[T]) -> Option<T> {
        (self.draws.below(one_in) == 0).then(|| self.pick(from))
    }

    pub fn payload(&mut self) -> String {
        self.payloads += 1;
        // Some are stored apart: just above the bound, or the same large one again and again.
        let bound = PAYLOAD_INLINE_BYTES_MAX as u64;
        match self.payloads % 12 {
            3 => return format!("\"{}\"", "large ".repeat(2_000)),
            7 => return format!("[{}1]", "1, ".repeat(2_000)),
            at @ (0 | 9) => {
                let bytes = bound - 2 + u64::from(at == 9);
                return format!("\"{:0>1$}\"", self.payloads, bytes as usize);
            }
            _ => {}
        }
        match self.draws.below(4) {
            0 => format!("{}", self.payloads),
            1 => format!("{{\"n\": {}}}", self.payloads),
            2 => format!("[\"{}\",null]", self.payloads),
            _ => format!("\"p{}\"", self.payloads),
        }
    }

    /// A run, most often a young or open one.
    pub fn some_run(&mut self) -> Option<Key> {
        let len = self.oracle.runs.len() as u64;
        if len == 0 {
            return None;
        }
        let open: Vec<Key> =
            (0..len as usize).filter(|key| !self.oracle.runs[*key].state.is_ended()).collect();
        let key = match self.draws.below(4) {
            0 => self.draws.below(len) as usize,
            1 => (len - 1 - self.draws.below(len.min(8))) as usize,
            _ if open.is_empty() => self.draws.below(len) as usize,
            _ => self.pick(&open),
        };
        self.touched = Some(key);
        Some(key)
    }

    /// An attempt, most often one that holds its fence.
    pub fn some_attempt(&mut self) -> Option<u64> {
        let all: Vec<u64> = self.held.keys().copied().collect();
        if all.is_empty() {
            return None;
        }
        let living: Vec<u64> = all
            .iter()
            .copied()
            .filter(|id| self.oracle.check(&self.held[id].model).0 == OK)
            .collect();
        let id = if living.is_empty() || self.draws.below(9) == 0 {
            self.pick(&all)
        } else {
            self.pick(&living)
        };
        self.touched = Some(self.held[&id].model.run);
        Some(id)
    }

    pub fn some_step(&mut self) -> Option<usize> {
        if self.steps.is_empty() {
            return None;
        }
        let at = self.draws.below(self.steps.len() as u64) as usize;
        self.touched = Some(self.held[&self.steps[at].attempt].model.run);
        Some(at)
    }

    pub fn some_handle(&mut self) -> usize {
        self.draws.below(self.world.handles.len() as u64) as usize
    }

    pub fn some_submit(&mut self, is_child: bool) -> Submit {
        let key = self.maybe(2, &["k1", "k2", "k3"]).filter(|_| !is_child);
        let scope = self.maybe(2, &["s", ""]).map(str::to_owned);
        let later = self.maybe(6, &[TICK_MS, 5 * TICK_MS, 60 * TICK_MS]);
        let args = self.payload();
        Submit {
            workflow: self.pick(&["a", "b"]).into(),
            queue: self.maybe(3, &["q", "default"]).map(str::to_owned),
            args: self.maybe(2, &[args]),
            run_at: later.map_or(0, |ms| self.oracle.now + ms),
            timeout: self.maybe(6, &[4 * TICK_MS, 40 * TICK_MS, 900 * TICK_MS]).unwrap_or(0),
            priority: self.maybe(4, &[-1, 1, 5]).unwrap_or(0),
            max_tries: self.maybe(2, &[1, 2, 50, 50, 50]).unwrap_or(0),
            key: key.map(|key| (scope, key.to_owned())),
            gate: self.maybe(3, &["g", "h"]).map(str::to_owned),
            version: self.maybe(4, &["v1", "v2"]).map(str::to_owned),
            metadata: self.maybe(5, &["{\"m\":1}".to_owned()]),
            is_local: !is_child && self.draws.below(8) == 0,
            budget: if self.is_whole && !is_child { self.some_budget() } else { Vec::new() },
        }
    }

    fn some_budget(&mut self) -> Vec<Limit> {
        let warn = self.maybe(2, &[2, 4]);
        let t = Limit { unit: "t", limit: self.pick(&[4, 8, 30]), warn };
        let u = Limit { unit: "u", limit: self.pick(&[3, 9]), warn: None };
        match self.draws.below(4) {
            0 => Vec::new(),
            1 => vec![t, u],
            _ => vec![t],
        }
    }

    pub fn is_crowded(&self) -> bool {
        self.oracle.runs.iter().filter(|run| !run.state.is_ended()).count() >= OPEN_MAX
    }

    // -------------------------------------------------------------------- submitting, claiming

    pub fn submit(&mut self) -> Option<(Said, Said)> {
        if self.is_crowded() {
            return None;
        }
        let (at, submit) = (self.some_handle(), self.some_submit(false));
        self.note(format!("submit by {at}: {submit:?}"));
        let core = submitted(self.world.handles[at].store.submit(core_submit(&submit)));
        let model = self.oracle.submit(&submit, self.world.handles[at].number, &core.1);
        self.touched = self.oracle.find(&core.1);
        if let Some((scope, key)) = &submit.key {
            let found = self.world.store().find(scope.as_deref().unwrap_or(""), key).unwrap();
            assert!(core.0 == CONFLICT || found.as_ref() == Some(&core.1), "P8");
        }
        Some((core, model))
    }

    pub fn submit_many(&mut self) -> Option<(Said, Said)> {
        if self.is_crowded() {
            return None;
        }
        let at = self.some_handle();
        let items: Vec<Submit> =
            (0..=self.draws.below(4)).map(|_| self.some_submit(false)).collect();
        self.note(format!("submit many by {at}: {items:?}"));
        let core = items.iter().map(core_submit).collect();
        let answers = self.world.handles[at].store.submit_many(core);
        if self.oracle.has_foreign_key(&items) {
            return Some((answer(&answers, |_| said(OK)), said(CONFLICT)));
        }
        let answers = answers.unwrap();
        let number = self.world.handles[at].number;
        let mut pairs = Vec::new();
        for (item, answer) in items.iter().zip(answers) {
            let core = submitted(Ok(answer));
            let model = self.oracle.submit(item, number, &core.1);
            pairs.push((core, model));
        }
        pairs.iter().find(|(core, model)| core != model).or(pairs.last()).cloned()
    }

    /// After how long a failure wants the next try: 0 is a backoff.
    pub fn next_try(&mut self, named: i64) -> i64 {
        let drawn = self.pick(&[0, 0, named]);
        if drawn == 0 && self.is_exact { TICK_MS / 2 } else { drawn }
    }

    pub fn some_filter(&mut self) -> Filter {
        Filter {
            queue: self.pick(&["default", "default", "q"]).into(),
            workflows: self
                .maybe(8, &[vec!["a".into()], vec!["b".into()], vec!["c".into(), "a".into()]]),
            versions: self.maybe(8, &[vec!["v1".into()], vec!["v2".into(), "v1".into()]]),
            lease_ms: self.pick(&[2_500, 10_500, 20_500, 61_500, 61_500, u32::MAX]),
            worker: self.maybe(2, &["w1".to_owned(), "w2".to_owned()]),
        }
    }

    /// What the core may spread over several claims is done before this one counts.
    pub fn sweep(&mut self, at: usize) {
        if self.oracle.sweep() {
            let nobody = Filter { queue: "nobody".into(), lease_ms: 20_500, ..Filter::default() };
            let swept = self.world.handles[at].store.claim(core_claim(&nobody)).unwrap();
            assert!(swept.is_none());
        }
        self.fire_schedules(at);
    }

    /// Moves what has come due on both sides: for calls that may do it, and need not.
    pub fn sweep_both(&mut self, at: usize) {
        self.oracle.sweep();
        let nobody = Filter { queue: "nobody".into(), lease_ms: 20_500, ..Filter::default() };
        assert!(self.world.handles[at].store.claim(core_claim(&nobody)).unwrap().is_none());
        self.name_runs();
    }

    pub fn claim(&mut self) -> Option<(Said, Said)> {
        let (at, filter) = (self.some_handle(), self.some_filter());
        self.note(format!("claim by {at}: {filter:?}"));
        self.sweep(at);
        let core = self.world.handles[at].store.claim(core_claim(&filter)).unwrap();
        let number = self.world.handles[at].number;
        let model = self.oracle.claim(&filter, number);
        let said = self.said_of(model);
        let core = self.hold(core, number);
        self.compare_explanations();
        Some((core, said))
    }

    pub fn claim_many(&mut self) -> Option<(Said, Said)> {
        let (at, filter) = (self.some_handle(), self.some_filter());
        let max = self.draws.below(4) as u32 + 1;
        self.note(format!("claim {max} by {at}: {filter:?}"));
        self.sweep(at);
        let core = self.world.handles[at].store.claim_many(core_claim(&filter), max).unwrap();
        let number = self.world.handles[at].number;
        let mut core: Vec<Said> =
            core.into_iter().map(|attempt| self.hold_unclaimed(attempt, number)).collect();
        let mut model = Vec::new();
        while model.len() < max as usize {
            match self.oracle.claim(&filter, number) {
                Some(key) => model.push(self.said_of(Some(key))),
                None => break,
            }
        }
        let join =
            |said: &mut Vec<Said>| (said.len() as i32, format!("run_{:?}", std::mem::take(said)));
        Some((join(&mut core), join(&mut model)))
    }

    pub fn said_of(&mut self, claimed: Option<Key>) -> Said {
        let Some(key) = claimed else { return said(NONE) };
        self.touched = Some(key);
        let run = &self.oracle.runs[key];
        let parent = run.parent.map_or("", |parent| &self.oracle.runs[parent].id);
        let root = &self.oracle.runs[run.root].id;
        let facts = [root, parent, &run.submit.workflow, &run.queue];
        let args = run.submit.args.as_deref().unwrap_or("null");
        (OK, format!("{} {} {facts:?} {args}", run.id, run.fence))
    }

    pub fn hold(&mut self, claimed: Option<Arc<CoreAttempt>>, handle: u64) -> Said {
        let Some(core) = claimed else { return said(NONE) };
        let id = self.next_held;
        let answer = self.hold_unclaimed(core, handle);
        self.check_lease(id);
        answer
    }

    pub fn hold_unclaimed(&mut self, core: Arc<CoreAttempt>, handle: u64) -> Said {
        let facts =
            [core.root_run_id(), core.parent_run_id().unwrap_or(""), core.workflow(), core.queue()];
        let (id, number) = (core.run_id().to_owned(), core.number());
        let said = (OK, format!("{id} {number} {facts:?} {}", core.args()));
        let run = self.oracle.find(&id).expect("a run that was submitted");
        if self.is_whole {
            self.compare_claimed(&core, run);
        }
        self.held.insert(self.next_held, Held { core, model: Attempt::new(run, number, handle) });
        self.next_held += 1;
        while self.held.len() > HELD_MAX {
            let oldest = *self.held.keys().next().expect("not empty");
            self.drop_held(oldest);
        }
        said
    }

    pub fn drop_held(&mut self, id: u64) {
        self.steps.retain(|step| step.attempt != id);
        self.held.remove(&id);
    }

    /// P11, and what the handle says of its lease.
    pub fn check_lease(&self, id: u64) {
        let Held { core, model } = &self.held[&id];
        let run = &self.oracle.runs[model.run];
        let Some(lease) = run.lease.as_ref().filter(|_| run.fence == model.number) else { return };
        let half = if lease.length == u32::MAX { 0 } else { i64::from(lease.length) / 2 };
        if lease.until - self.oracle.now < half {
            self.refuse(&format!("P11: of {lease:?} too little is left at {}", self.oracle.now));
        }
        let told = core.lease_expires_at_ms();
        if told.abs_diff(lease.until) > 5 {
            self.refuse(&format!("the lease ends at {told}, in the model at {}", lease.until));
        }
    }

    pub fn free_attempt(&mut self) -> Option<(Said, Said)> {
        let id = self.some_attempt()?;
        self.note(format!("free attempt {id}"));
        self.drop_held(id);
        None
    }
}
