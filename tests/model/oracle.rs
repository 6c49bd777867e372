//! The model: what the promises say about runs, over plain vectors. It shares no code with the core.
//!
//! Where the promises leave a choice (the order of a sweep, an early wake), the model takes the one
//! that the core takes, and says so.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::budget::Budget;
use super::event::Event;
use super::explain::Lane;
pub use super::nouns::*;
use super::schedule::Schedule;

#[derive(Default, Clone)]
pub struct Oracle {
    pub now: i64,
    pub runs: Vec<Run>,
    pub queues: HashMap<String, Limits>,
    /// Open handles, and the order in which they became owners.
    pub handles: BTreeSet<u64>,
    pub owners: Vec<u64>,
    /// Runs whose children are still to be ended.
    pub cascades: BTreeSet<Key>,
    /// When runs of each lane were last claimed.
    pub claimed: BTreeMap<Lane, i64>,
    /// Lanes whose runs were all pruned since: what was claimed of them may be forgotten, from the moment
    /// at which their last row goes.
    pub doubted: BTreeSet<Lane>,
    /// Runs that are gone for every look and whose rows the next prune takes away.
    pub unfinished: u32,
    /// By the root of their tree.
    pub budgets: BTreeMap<Key, Budget>,
    pub events: Vec<Event>,
    pub last_seq: i64,
    pub schedules: BTreeMap<String, Schedule>,
    /// Runs of schedules that have not yet the ids that they have in the core.
    pub unnamed: Vec<Key>,
    /// The host's own table.
    pub host: BTreeMap<&'static str, i64>,
}

impl Oracle {
    pub fn find(&self, id: &str) -> Option<Key> {
        self.runs.iter().position(|run| run.id == id && !run.is_gone)
    }

    /// What the run must hear before it begins anything new.
    pub fn must_end(&self, key: Key) -> Option<Stop> {
        let run = &self.runs[key];
        if run.is_cancel_asked {
            return Some(Stop::Cancelled);
        }
        let is_over = run.is_timed_out || run.deadline.is_some_and(|at| at <= self.now);
        is_over.then_some(Stop::TimedOut)
    }

    pub fn own(&mut self, handle: u64) {
        if !self.owners.contains(&handle) {
            self.owners.push(handle);
        }
    }

    /// P8. `id` is the id that a new run got.
    pub fn submit(&mut self, submit: &Submit, handle: u64, id: &str) -> Said {
        let key = submit.key.clone().map(|(scope, key)| (scope.unwrap_or_default(), key));
        let known = self.runs.iter().find(|run| key.is_some() && run.key == key);
        if known.is_some_and(|known| known.submit.workflow != submit.workflow) {
            return said(CONFLICT);
        }
        let known = known.map(|known| known.id.clone());
        if submit.is_local {
            self.own(handle);
        }
        if let Some(known) = known {
            return (EXISTS, known);
        }
        let queue = submit.queue.clone().unwrap_or_else(|| "default".into());
        let local = submit.is_local.then_some(handle);
        self.budgets.insert(self.runs.len(), Budget::of(&submit.budget));
        self.add(Run { key, local, ..self.new_run(submit, queue, None, id) });
        (OK, id.into())
    }

    /// All or none: whether a key of the list is another workflow's, in the store or in the list.
    pub fn has_foreign_key(&self, items: &[Submit]) -> bool {
        let known = self.runs.iter().filter_map(|run| Some((run.key.clone()?, &run.submit)));
        let named = |submit: &Submit| {
            submit.key.clone().map(|(scope, key)| (scope.unwrap_or_default(), key))
        };
        let asked = items.iter().filter_map(|item| Some((named(item)?, item)));
        let mut makers: HashMap<(String, String), &str> = HashMap::new();
        known
            .chain(asked)
            .any(|(key, submit)| *makers.entry(key).or_insert(&submit.workflow) != submit.workflow)
    }

    pub fn add(&mut self, run: Run) {
        self.runs.push(run);
    }

    pub fn new_run(&self, submit: &Submit, queue: String, parent: Option<Key>, id: &str) -> Run {
        let due = if submit.run_at > 0 { submit.run_at } else { self.now };
        let deadline = (submit.timeout > 0).then(|| due.max(self.now) + submit.timeout);
        Run {
            id: id.into(),
            submit: submit.clone(),
            queue,
            local: None,
            key: None,
            parent,
            root: parent.map_or(self.runs.len(), |parent| self.runs[parent].root),
            created_at: self.now,
            run_at: due,
            state: State::Pending,
            due,
            wake: (due > self.now).then_some(due),
            deadline,
            fence: 0,
            failures: 0,
            losses: 0,
            is_cancel_asked: false,
            is_timed_out: false,
            is_pause_asked: false,
            lease: None,
            past: Vec::new(),
            records: Vec::new(),
            signals: Vec::new(),
            plain: BTreeSet::new(),
            counted: BTreeMap::new(),
            after: None,
            rooms: BTreeMap::new(),
            is_woken_for_room: false,
            origin: None,
            result: None,
            error: None,
            finished_at: None,
            is_gone: false,
        }
    }

    /// Moves what time has moved. Any order would do; this is the core's. Returns whether children
    /// had to be ended, which the core may spread over several claims.
    pub fn sweep(&mut self) -> bool {
        let mut has_cascaded = false;
        loop {
            self.sweep_due();
            self.sweep_overdue();
            has_cascaded |= self.sweep_cascade();
            self.sweep_schedules();
            self.sweep_rooms();
            self.sweep_lapsed();
            if self.cascades.is_empty() {
                return has_cascaded;
            }
        }
    }

    fn sweep_due(&mut self) {
        let now = self.now;
        for run in &mut self.runs {
            if let Some(wake) = run.wake.filter(|wake| *wake <= now) {
                run.make_ready(wake);
            }
        }
    }

    fn sweep_overdue(&mut self) {
        let mut overdue: Vec<(i64, Key)> = (0..self.runs.len())
            .filter(|key| !self.runs[*key].state.is_ended() && !self.runs[*key].is_timed_out)
            .filter_map(|key| Some((self.runs[key].deadline.filter(|at| *at <= self.now)?, key)))
            .collect();
        overdue.sort_unstable();
        for (_, key) in overdue {
            if self.runs[key].state == State::Running {
                self.runs[key].is_timed_out = true;
                self.cascade(key);
            } else if !self.runs[key].state.is_ended() {
                self.stop(key, Stop::TimedOut);
            }
        }
    }

    pub fn sweep_cascade(&mut self) -> bool {
        let Some(key) = self.cascades.pop_first() else { return false };
        for child in self.children(key) {
            if self.runs[child].state.is_ended() || self.runs[child].is_cancel_asked {
                // Its own children live on without it, or were retried since.
                self.cascade(child);
            } else {
                self.cancel_open(child, &engine("cancelled"));
            }
        }
        true
    }

    fn sweep_lapsed(&mut self) {
        for handle in self.owners.clone() {
            let until = if self.handles.contains(&handle) { self.now } else { i64::MAX };
            for key in self.held_by(handle, until) {
                self.lose(key);
            }
        }
        let handles = &self.handles;
        self.owners.retain(|owner| handles.contains(owner));
    }

    /// The runs that a handle holds with leases that end by `until`, first end first.
    fn held_by(&self, handle: u64, until: i64) -> Vec<Key> {
        let end = |key: &Key| {
            self.runs[*key]
                .lease
                .as_ref()
                .filter(|lease| lease.handle == handle && lease.until <= until)
                .map(|lease| lease.until)
        };
        let mut held: Vec<Key> = (0..self.runs.len()).filter(|key| end(key).is_some()).collect();
        held.sort_by_key(|key| (end(key), *key));
        held
    }

    pub fn children(&self, key: Key) -> Vec<Key> {
        (0..self.runs.len()).filter(|child| self.runs[*child].parent == Some(key)).collect()
    }

    /// P9, P14, P15: the first ready run by priority, due time and submission that the filter, its
    /// queue and its key let through.
    pub fn claim(&mut self, filter: &Filter, handle: u64) -> Option<Key> {
        self.sweep();
        let limits = self.queues.get(&filter.queue).copied().unwrap_or_default();
        let running = self.running(&filter.queue, None);
        if limits.is_paused || limits.concurrency.is_some_and(|most| running >= most) {
            return None;
        }
        let mut ready: Vec<Key> =
            (0..self.runs.len()).filter(|key| self.is_claimable(*key, filter, handle)).collect();
        ready.sort_by_key(|key| (self.runs[*key].submit.priority, self.runs[*key].due, *key));
        for key in ready {
            let gate = self.runs[key].submit.gate.clone();
            let is_full = gate.as_deref().is_some_and(|gate| {
                let running = self.running(&filter.queue, Some(gate));
                limits.per_key.is_some_and(|most| running >= most)
            });
            if !is_full {
                self.take(key, filter, handle);
                return Some(key);
            }
        }
        None
    }

    fn take(&mut self, key: Key, filter: &Filter, handle: u64) {
        self.own(handle);
        self.note_claim(key);
        let now = self.now;
        let run = &mut self.runs[key];
        run.state = State::Running;
        run.fence += 1;
        run.lease = Some(Lease {
            handle,
            until: lease_end(filter.lease_ms, now),
            length: filter.lease_ms,
            claimed_at: now,
            worker: filter.worker.clone(),
        });
    }

    fn is_claimable(&self, key: Key, filter: &Filter, handle: u64) -> bool {
        let run = &self.runs[key];
        let named = |names: &Option<Vec<String>>, name: &String| {
            names.as_ref().is_none_or(|names| names.contains(name))
        };
        run.state == State::Pending
            && run.wake.is_none()
            && run.queue == filter.queue
            && run.local.is_none_or(|owner| owner == handle || !self.handles.contains(&owner))
            && named(&filter.workflows, &run.submit.workflow)
            && run.submit.version.as_ref().is_none_or(|version| named(&filter.versions, version))
    }

    pub fn running(&self, queue: &str, gate: Option<&str>) -> u32 {
        let is_counted = |run: &&Run| {
            run.state == State::Running
                && run.queue == queue
                && (gate.is_none() || run.submit.gate.as_deref() == gate)
        };
        self.runs.iter().filter(is_counted).count() as u32
    }

    /// A lease lapsed (P13).
    pub fn lose(&mut self, key: Key) {
        self.assume(key);
        if let Some(stop) = self.must_end(key) {
            self.close_attempt(key, stopped(stop), Some(engine("lapsed")));
            return self.stop(key, stop);
        }
        self.runs[key].losses += 1;
        self.close_attempt(key, "lost", Some(engine("lapsed")));
        if self.runs[key].tries() >= self.runs[key].max_tries() {
            self.end(key, State::Failed, None, Some(engine("tries")));
        } else {
            self.give_back(key, 0);
        }
    }

    pub fn close_attempt(&mut self, key: Key, state: &'static str, error: Option<String>) {
        self.give_room_back(key);
        let (now, run) = (self.now, &mut self.runs[key]);
        let lease = run.lease.take().expect("an attempt that ends was running");
        run.past.push(Past {
            number: run.fence,
            state,
            worker: lease.worker,
            started_at: lease.claimed_at,
            ended_at: now,
            error,
        });
    }

    /// Puts a run whose attempt has ended back into its queue, or aside.
    pub fn give_back(&mut self, key: Key, wait: i64) {
        let (now, run) = (self.now, &mut self.runs[key]);
        run.due = now + wait;
        run.wake = (wait > 0 && !run.is_pause_asked).then_some(run.due);
        run.state = if run.is_pause_asked { State::Paused } else { State::Pending };
        (run.is_pause_asked, run.is_woken_for_room) = (false, false);
    }

    /// Ends a run that was cancelled or timed out, and what is below it.
    pub fn stop(&mut self, key: Key, stop: Stop) {
        self.cascade(key);
        match stop {
            Stop::Cancelled => {
                let error = self.runs[key].error.clone();
                self.end(key, State::Cancelled, None, error);
            }
            Stop::TimedOut => self.end(key, State::Failed, None, Some(engine("timeout"))),
        }
    }

    pub fn cascade(&mut self, key: Key) {
        if !self.children(key).is_empty() {
            self.cascades.insert(key);
        }
    }

    pub fn end(&mut self, key: Key, state: State, result: Option<String>, error: Option<String>) {
        let (now, run) = (self.now, &mut self.runs[key]);
        let ran = std::mem::replace(&mut run.state, state) == State::Running;
        run.finished_at = Some(now);
        run.result = result;
        run.error = error;
        run.wake = None;
        run.lease = None;
        run.plain.clear();
        run.counted.clear();
        run.rooms.clear();
        if !ran {
            self.pass_on(key);
        }
        self.runs[key].is_woken_for_room = false;
        for other in 0..self.runs.len() {
            self.arrive(other, &Target::Child(key));
        }
    }

    /// Something came that a run may be parked on: it wakes, or counts it down.
    pub fn arrive(&mut self, key: Key, target: &Target) {
        let (now, run) = (self.now, &mut self.runs[key]);
        if run.state != State::Waiting {
            return;
        }
        let mut has_come = run.plain.contains(target);
        if let Some(left) = run.counted.get_mut(target) {
            *left -= 1;
            if *left == 0 {
                run.counted.remove(target);
                has_come |= run.counted.is_empty();
            }
        }
        match run.after.filter(|after| *after > now && !run.plain.contains(target)) {
            _ if !has_come => {}
            Some(after) => run.wake = run.wake.into_iter().chain([after]).min(),
            None => run.make_ready(now),
        }
    }

    pub fn cancel_open(&mut self, key: Key, error: &str) {
        self.runs[key].is_cancel_asked = true;
        self.runs[key].error = Some(error.into());
        if self.runs[key].state == State::Running {
            self.cascade(key);
        } else {
            self.stop(key, Stop::Cancelled);
        }
    }

    /// A handle dies with its process: its runs are lost with the next sweep.
    pub fn forget(&mut self, handle: u64) {
        self.handles.remove(&handle);
    }

    /// An orderly close gives back what the handle holds and charges nothing (P13).
    pub fn close(&mut self, handle: u64) {
        self.give_back_all(handle);
        self.handles.remove(&handle);
        self.owners.retain(|owner| *owner != handle);
    }

    /// Gives back what runs by a handle, or ends it where it must end.
    pub fn give_back_all(&mut self, handle: u64) {
        for key in self.held_by(handle, i64::MAX) {
            if let Some(stop) = self.must_end(key) {
                self.close_attempt(key, stopped(stop), stop_error(stop));
                self.stop(key, stop);
            } else {
                self.close_attempt(key, "released", None);
                self.give_back(key, 0);
            }
        }
    }
}
