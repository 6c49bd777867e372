//! Why a run does not move, as the model has it: the first reason alone.

use std::collections::{BTreeMap, BTreeSet};

use super::drive::Drive;
use super::oracle::{Key, Mark, Oracle, Record, Run, Space, State, Target};

/// Where runs queue up: queue, workflow, version, the handle that alone may claim.
pub type Lane = (String, String, Option<String>, Option<u64>);

impl Oracle {
    pub fn lane(&self, run: &Run) -> Lane {
        let owner = run.local.filter(|owner| self.handles.contains(owner));
        (run.queue.clone(), run.submit.workflow.clone(), run.submit.version.clone(), owner)
    }

    pub fn note_claim(&mut self, key: Key) {
        let lane = self.lane(&self.runs[key]);
        self.doubted.remove(&lane);
        self.claimed.insert(lane, self.now);
    }

    /// To be called when runs are pruned.
    pub fn doubt_claims(&mut self) {
        let names = |(queue, workflow, version, _): &Lane| {
            (queue.clone(), workflow.clone(), version.clone())
        };
        let left = self.runs.iter().filter(|run| !run.is_gone);
        let left: BTreeSet<_> = left.map(|run| names(&self.lane(run))).collect();
        let gone = self.claimed.keys().filter(|lane| !left.contains(&names(lane)));
        self.doubted.extend(gone.cloned());
    }

    /// What is right to say, whatever was forgotten of claims that may be.
    fn explanations(&self, key: Key) -> Vec<&'static str> {
        let queue = &self.runs[key].queue;
        let doubted: Vec<&Lane> =
            self.doubted.iter().filter(|lane| lane.0 == *queue).take(8).collect();
        let forgotten = |set: u32, lane: &Lane| {
            doubted.iter().position(|other| *other == lane).is_some_and(|at| set >> at & 1 == 1)
        };
        let explained = |set: u32| {
            let known = self.claimed.iter().filter(|(lane, _)| !forgotten(set, lane));
            self.explain(key, &known.collect())
        };
        (0..1 << doubted.len()).map(explained).collect()
    }

    fn explain(&self, key: Key, claimed: &BTreeMap<&Lane, &i64>) -> &'static str {
        let run = &self.runs[key];
        match run.state {
            State::Completed | State::Failed | State::Cancelled => "ended",
            State::Running if !self.handles.contains(&run.held().handle) => "owner_dead",
            State::Running if run.held().until <= self.now => "owner_silent",
            State::Running if self.must_end(key).is_some() => "cancel_unheard",
            State::Running => "running",
            State::Paused => "paused",
            State::Waiting => waits(run),
            State::Pending if run.wake.is_some() => {
                let last = run.past.last().map(|past| past.state);
                if matches!(last, Some("failed" | "lost")) { "backing_off" } else { "not_due" }
            }
            State::Pending => self.held_back(run).unwrap_or_else(|| self.in_line(key, claimed)),
        }
    }

    fn held_back(&self, run: &Run) -> Option<&'static str> {
        let limits = self.queues.get(&run.queue).copied().unwrap_or_default();
        let is_full = |most: Option<u32>, gate: Option<&str>| {
            most.is_some_and(|most| self.running(&run.queue, gate) >= most)
        };
        if limits.is_paused {
            return Some("queue_paused");
        }
        if is_full(limits.concurrency, None) {
            return Some("queue_full");
        }
        if run.submit.gate.is_some() && is_full(limits.per_key, run.submit.gate.as_deref()) {
            return Some("key_full");
        }
        self.lane(run).3.map(|_| "local_owner")
    }

    fn in_line(&self, key: Key, claimed: &BTreeMap<&Lane, &i64>) -> &'static str {
        let run = &self.runs[key];
        let lane = self.lane(run);
        // The lane of a handle that is gone is part of the one that is open to all.
        let open = |(queue, workflow, version, owner): &Lane| {
            let owner = owner.filter(|owner| self.handles.contains(owner));
            (queue.clone(), workflow.clone(), version.clone(), owner)
        };
        let last = |of: &dyn Fn(&Lane) -> bool| {
            claimed.iter().filter(|(lane, _)| of(&open(lane))).map(|(_, at)| **at).max()
        };
        let is_since = |at: Option<i64>| at.is_some_and(|at| at + 1_000 > run.due);
        let queue = last(&|other| other.0 == lane.0);
        let is_just = queue.is_some_and(|at| at + 1_000 > self.now);
        if !is_since(queue) || !(is_just || self.running(&run.queue, None) > 0) {
            return "queue_unclaimed";
        }
        let place = |key: Key| (self.runs[key].submit.priority, self.runs[key].due, key);
        let ahead: Vec<Lane> = (0..self.runs.len())
            .filter(|other| self.is_ready(*other) && place(*other) < place(key))
            .map(|other| self.lane(&self.runs[other]))
            .filter(|other| other.0 == lane.0 && other.3.is_none())
            .collect();
        let is_moving = is_since(last(&|other| ahead.contains(other)));
        let version = last(&|other| other.0 == lane.0 && other.2 == lane.2);
        if lane.2.is_some() && !is_since(version) && !is_moving {
            "version_unclaimed"
        } else if !ahead.is_empty() || is_since(last(&|other| *other == lane)) {
            "behind_others"
        } else {
            "queue_unclaimed"
        }
    }

    /// Of the runs of a lane with one key the first is ready, while there is room.
    fn is_ready(&self, key: Key) -> bool {
        let is_due = |run: &Run| run.state == State::Pending && run.wake.is_none();
        let run = &self.runs[key];
        let Some(gate) = run.submit.gate.as_deref() else { return is_due(run) };
        let place = |key: Key| (self.runs[key].submit.priority, self.runs[key].due, key);
        let lane = self.lane(run);
        let is_before = |other: Key| {
            let run = &self.runs[other];
            let is_same = run.submit.gate.as_deref() == Some(gate) && self.lane(run) == lane;
            is_same && is_due(run) && place(other) < place(key)
        };
        let most = self.queues.get(&run.queue).and_then(|limits| limits.per_key);
        let has_room = most.is_none_or(|most| self.running(&run.queue, Some(gate)) < most);
        is_due(run) && has_room && !(0..self.runs.len()).any(is_before)
    }
}

fn waits(run: &Run) -> &'static str {
    let mut targets = run.plain.iter().chain(run.counted.keys());
    if targets.clone().any(|target| matches!(target, Target::Signal(_))) {
        return "waits_signal";
    }
    if targets.any(|target| matches!(target, Target::Child(_))) {
        return "waits_child";
    }
    if !run.rooms.is_empty() {
        return "waits_budget";
    }
    let backs_off = |record: &Record| {
        let is_it = record.space == Space::Step && record.mark == Mark::BacksOff;
        is_it && Some(record.retry_at) == run.wake
    };
    if run.records.iter().any(backs_off) { "backing_off" } else { "waits_sleep" }
}

impl Drive {
    /// To be called after a claim, which has moved on both sides what has come due.
    pub fn compare_explanations(&mut self) {
        let runs = &self.oracle.runs;
        let last = runs.len().saturating_sub(1);
        let open =
            |key: &usize| !runs[*key].is_gone && (!runs[*key].state.is_ended() || *key == last);
        let keys: Vec<usize> = (0..runs.len()).filter(open).collect();
        keys.into_iter().for_each(|key| self.compare_explanation(key));
    }

    pub fn compare_explanation(&mut self, key: Key) {
        let run = &self.oracle.runs[key];
        let text = self.world.store().run_explain(&run.id).unwrap();
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        let (core, model) = (&document["reasons"][0]["code"], self.oracle.explanations(key));
        *self.explained.entry(model[0]).or_default() += 1;
        if !model.iter().any(|code| core == code) || document["state"] != run.state.name() {
            self.refuse(&format!("run {key} does not move: {} in the model, {text}", model[0]));
        }
    }
}
