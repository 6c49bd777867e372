//! Owners that die: another process opens the store, claims a run, and is killed.

use super::drive::Drive;
use super::oracle::{Filter, NONE, OK, Said, State, said};
use super::world::{TICK_MS, core_claim, open};
use crate::support::actor::listen;
use crate::support::{Actor, Role, say};

/// The test in whose name the other process is started.
pub const TEST: &str = "runs_whose_owners_die_say_so_and_are_taken_back";

/// What the other process does: says when it is, claims when and what it is told, and waits for its end.
pub fn play(role: &Role) {
    let store = open(&role.db);
    say(&store.now_ms().to_string());
    let told = listen();
    let words: Vec<&str> = told.split(' ').collect();
    store.advance_clock(words[0].parse::<i64>().unwrap() - store.now_ms()).unwrap();
    let lease_ms = words[2].parse().unwrap();
    let filter = Filter { queue: words[1].into(), lease_ms, ..Filter::default() };
    match words[3].parse().unwrap() {
        0 => {}
        when => store.kill_at(1, when).unwrap(),
    }
    let claimed = store.claim(core_claim(&filter)).unwrap();
    let name = |claimed: &std::sync::Arc<super::door::Attempt>| {
        format!("{} {}", claimed.run_id(), claimed.number())
    };
    say(&claimed.as_ref().map(name).unwrap_or_default());
    listen();
}

impl Drive {
    /// A walk on which owners die as well.
    pub fn with_deaths(seed: u64) -> Drive {
        let mut drive = Drive::new(seed);
        drive.operations.push((8, "die", Drive::die));
        drive.operations.push((5, "die_at_commit", Drive::die_at_commit));
        drive
    }

    /// Another process claims, and is killed.
    fn die(&mut self) -> Option<(Said, Said)> {
        let (at, filter) = (self.some_handle(), self.some_filter());
        let filter = Filter { workflows: None, versions: None, worker: None, ..filter };
        let mut owner = Actor::start(TEST, "owner", self.world.path(), "");
        self.world.meet(owner.hear().parse().unwrap(), &mut self.oracle);
        self.note(format!("claim by one that dies: {filter:?}"));
        self.sweep(at);
        owner.tell(&format!("{} {} {} 0", self.oracle.now, filter.queue, filter.lease_ms));
        let core = owner.hear();
        let claimed = self.oracle.claim(&filter, self.world.number());
        self.touched = claimed;
        let model = claimed.map(|key| &self.oracle.runs[key]);
        let model = model.map_or_else(String::new, |run| format!("{} {}", run.id, run.fence));
        owner.kill();
        self.compare_held();
        self.bury(at);
        let code = |said: &str| if said.is_empty() { NONE } else { OK };
        Some(((code(&core), core), (code(&model), model)))
    }

    /// Another process dies right before or right after the commit of its claim: there is nothing of it,
    /// or all.
    fn die_at_commit(&mut self) -> Option<(Said, Said)> {
        let (at, filter, when) = (self.some_handle(), self.some_filter(), self.pick(&[1, 2]));
        let filter = Filter { workflows: None, versions: None, worker: None, ..filter };
        let mut owner = Actor::start(TEST, "owner", self.world.path(), "");
        self.world.meet(owner.hear().parse().unwrap(), &mut self.oracle);
        self.note(format!("claim by one that dies at its commit, {when}: {filter:?}"));
        self.sweep_both(at);
        owner.tell(&format!("{} {} {} {when}", self.oracle.now, filter.queue, filter.lease_ms));
        let mut after = self.oracle.clone();
        let claimed = after.claim(&filter, self.world.number());
        let said_of = |is_none: bool| said(if is_none { NONE } else { OK });
        // Without a run to claim there is no commit.
        let heard = owner.hear_any();
        let model = said_of(claimed.is_none());
        if heard.is_some() {
            owner.kill();
        }
        if claimed.is_none() || when == 2 {
            (self.oracle, self.touched) = (after, claimed);
        }
        self.compare_held();
        self.bury(at);
        Some((said_of(heard.is_some()), model))
    }

    /// Whoever finds nothing to claim looks for the dead, and else one who has not done so for a while.
    fn bury(&mut self, at: usize) {
        let ticks = self.pick(&[1, 1, 1, 3, 90]);
        self.world.advance_to(self.oracle.now + ticks * TICK_MS, &mut self.oracle);
        self.compare_held();
        let nobody = Filter { queue: "nobody".into(), lease_ms: 20_500, ..Filter::default() };
        self.oracle.sweep();
        let swept = self.world.handles[at].store.claim(core_claim(&nobody)).unwrap();
        assert!(swept.is_none());
        self.compare_explanations();
    }

    /// Of runs that attempts hold, also before a claim moves what is due, lapsed or dead.
    pub fn compare_held(&mut self) {
        let held = |key: &usize| self.oracle.runs[*key].state == State::Running;
        let held: Vec<usize> = (0..self.oracle.runs.len()).filter(held).collect();
        held.into_iter().for_each(|key| self.compare_explanation(key));
    }
}
