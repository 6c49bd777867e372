//! Prunes and policies: which trees go, over plain vectors.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::drive::Drive;
use super::list::Wanted;
use super::nouns::Filter;
use super::oracle::{Key, OK, Oracle, Said, State};
use super::world::{answer, core_claim};

impl Oracle {
    fn tree(&self, root: Key) -> Vec<Key> {
        (0..self.runs.len()).filter(|key| self.runs[*key].root == root).collect()
    }

    /// Whether a living run was forked from this one, or from a fork of it.
    fn has_living_fork(&self, key: Key) -> bool {
        (0..self.runs.len())
            .filter(|fork| self.runs[*fork].origin == Some(key))
            .any(|fork| !self.runs[fork].state.is_ended() || self.has_living_fork(fork))
    }

    fn prunable(&self, wanted: &Wanted) -> Vec<Key> {
        let ended = [State::Completed, State::Failed, State::Cancelled];
        let states = match &wanted.states {
            Some(states) => states.iter().copied().filter(|state| state.is_ended()).collect(),
            None => ended.into(),
        };
        let wanted = Wanted { states: Some(states), is_roots_only: true, ..wanted.clone() };
        let mut roots = self.list(&wanted);
        roots.retain(|root| {
            let stays = |key: &Key| !self.runs[*key].state.is_ended() || self.has_living_fork(*key);
            !self.tree(*root).iter().any(stays)
        });
        roots
    }

    fn let_go(&mut self, keys: Vec<Key>) {
        for key in keys {
            self.runs[key].is_gone = true;
            self.runs[key].key = None;
        }
        self.doubt_claims();
    }

    /// Returns how many runs and trees go, and whether others are left.
    fn prune(&mut self, wanted: &Wanted, limit: u32, is_dry: bool) -> (u32, u32, bool) {
        let (mut runs, mut trees) = (0, 0);
        if !is_dry {
            runs = self.unfinished.min(limit);
            self.unfinished -= runs;
        }
        let roots = self.prunable(wanted);
        for root in &roots {
            if runs == limit {
                break;
            }
            let tree = self.tree(*root);
            let taken = u32::try_from(tree.len()).unwrap().min(limit - runs);
            (runs, trees) = (runs + taken, trees + 1);
            if is_dry {
                continue;
            }
            self.unfinished += u32::try_from(tree.len()).unwrap() - taken;
            self.let_go(tree);
        }
        (runs, trees, (!is_dry && self.unfinished > 0) || (trees as usize) < roots.len())
    }
}

impl Drive {
    pub fn prune(&mut self) -> Option<(Said, Said)> {
        let mut wanted = self.some_wanted();
        wanted.is_oldest = true;
        if self.draws.below(2) == 0 {
            wanted = Wanted { is_oldest: true, ..Wanted::default() };
        }
        let at = self.some_handle();
        let limit = self.pick(&[1, 2, 5, 1_000]);
        let is_dry = self.draws.below(6) == 0;
        let filter = wanted.text(&self.oracle, is_dry);
        self.note(format!("prune {limit} of {filter}"));
        let core = self.world.handles[at].store.prune(Some(&filter), limit);
        let (runs, trees, more) = self.oracle.prune(&wanted, limit, is_dry);
        let mut says_more = true;
        let core = answer(&core, |document| {
            let mut said: Value = serde_json::from_str(document).unwrap();
            let said = said.as_object_mut().unwrap();
            // It may say so of what turns out to stay, and of events.
            says_more = said.remove("more") == Some(Value::Bool(true));
            said.remove("bytes");
            (OK, json!(said).to_string())
        });
        if more && !says_more {
            self.refuse(&format!("there is more than {core:?}"));
        }
        Some((core, (OK, json!({"runs": runs, "trees": trees}).to_string())))
    }
}

/// What a policy says of the runs of a workflow, or of all: how long completed, failed and cancelled ones
/// stay, and how many.
#[derive(Clone, Default)]
struct Rule {
    ages: [Option<i64>; 3],
    newest: Option<usize>,
}

impl Rule {
    fn over(&self, other: &Rule) -> Rule {
        let age = |at: usize| self.ages[at].or(other.ages[at]);
        Rule { ages: [age(0), age(1), age(2)], newest: self.newest.or(other.newest) }
    }

    fn document(&self) -> Value {
        let [completed, failed, cancelled] = self.ages;
        json!({"completed_ms": completed, "failed_ms": failed, "cancelled_ms": cancelled,
            "keep_newest": self.newest})
    }
}

const ENDED: [State; 3] = [State::Completed, State::Failed, State::Cancelled];

impl Oracle {
    /// Lets go what a rule does not keep of the runs of one workflow.
    fn retain(&mut self, workflow: &str, rule: &Rule) {
        let of = |states: &[State]| Wanted {
            states: Some(states.to_vec()),
            workflow: Some(workflow.to_owned()),
            is_roots_only: true,
            ..Wanted::default()
        };
        let newest = rule.newest.unwrap_or(0);
        let kept: Vec<Key> = self.list(&of(&ENDED)).into_iter().take(newest).collect();
        let is_alone = rule.ages == [None; 3] && newest > 0;
        for (state, age) in ENDED.into_iter().zip(rule.ages) {
            let until = match age {
                Some(age) => Some(self.now - age + 1),
                None if is_alone => None,
                None => continue,
            };
            let mut due = self.prunable(&Wanted { finished: (None, until), ..of(&[state]) });
            due.retain(|root| !kept.contains(root));
            self.let_go(due.iter().flat_map(|root| self.tree(*root)).collect());
        }
    }
}

impl Drive {
    fn some_rule(&mut self) -> Rule {
        let newest = self.maybe(2, &[0, 1, 2, 5]);
        let ages = [0, 1_000, 5_000, 60_000, 3_600_000];
        Rule { ages: [(); 3].map(|()| self.maybe(2, &ages)), newest }
    }

    /// Sets a policy, sweeps until nothing is left that it lets go, and ends it.
    pub fn retain(&mut self) -> Option<(Said, Said)> {
        let at = self.some_handle();
        self.sweep(at);
        let (every, own) = (self.some_rule(), self.some_rule());
        let mut policy = every.document();
        policy["workflows"] = json!({"a": own.document(), "none": {"completed_ms": 0}});
        let policy = policy.to_string();
        self.note(format!("retain {policy}"));
        let nobody = Filter { queue: "nobody".into(), lease_ms: 20_500, ..Filter::default() };
        for _ in 0..8 {
            // The clock stands still, so what is left waits for a policy that is new.
            let store = &self.world.handles[at].store;
            store.retention_set(Some(&policy)).unwrap();
            assert!(store.claim(core_claim(&nobody)).unwrap().is_none());
            store.retention_set(None).unwrap();
        }
        self.oracle.unfinished = 0;
        let names = self.oracle.runs.iter().map(|run| run.submit.workflow.clone());
        for workflow in names.collect::<BTreeSet<String>>() {
            let rule = if workflow == "a" { own.over(&every) } else { every.clone() };
            self.oracle.retain(&workflow, &rule);
        }
        let core = self.world.handles[at].store.run_count(None, 0).unwrap();
        let model = self.oracle.list(&Wanted::default()).len() as u64;
        Some(((OK, core.to_string()), (OK, model.to_string())))
    }

    /// Pages move, and a move of the store that was not begun is taken back: nothing that anybody sees. Whole
    /// moves are a walk of their own.
    pub fn compact(&mut self) -> Option<(Said, Said)> {
        let (at, pages_max) = (self.some_handle(), self.pick(&[0, 1, 7]));
        self.note(format!("compact {pages_max}"));
        let store = &self.world.handles[at].store;
        let core = store.compact(pages_max).and_then(|_| store.stay());
        let model = r#"{"state":"in_force","table":null,"rows":0,"released":0,"tables":[],"left_behind":[]}"#;
        Some((answer(&core, |report| (OK, report.clone())), (OK, model.into())))
    }
}
