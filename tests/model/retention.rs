//! Prunes: which trees go, over plain vectors.

use serde_json::{Value, json};

use super::drive::Drive;
use super::list::Wanted;
use super::oracle::{Key, OK, Oracle, Said, State};
use super::world::answer;

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
            for key in tree {
                self.runs[key].is_gone = true;
                self.runs[key].key = None;
            }
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
