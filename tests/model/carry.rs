//! Trees that are exported and imported: copies with new ids beside their originals, and pruned ones that
//! come back, over plain vectors.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::budget::Budget;
use super::drive::Drive;
use super::event::Event;
use super::oracle::{CONFLICT, Key, NOT_FOUND, OK, Oracle, Run, Said, Space, State, Target, said};
use super::waiting::Member;
use super::world::answer;

/// A tree as the model remembers it, and the document that shows it.
#[derive(Clone)]
pub struct Carried {
    document: String,
    /// By the keys that they had.
    runs: Vec<(Key, Run)>,
    /// The id of the run that the topmost was forked from.
    origin: Option<String>,
    is_cascading: Vec<Key>,
    budget: Budget,
    events: Vec<Event>,
}

impl Oracle {
    fn tree_of(&self, root: Key) -> Vec<Key> {
        let is_of = |key: &Key| self.runs[*key].root == root && !self.runs[*key].is_gone;
        (0..self.runs.len()).filter(is_of).collect()
    }

    /// Whether an open run of a tree may await a child that is not of it.
    fn looks_beyond(&self, tree: &[Key]) -> bool {
        let ids: HashSet<&str> = tree.iter().map(|key| self.runs[*key].id.as_str()).collect();
        let beyond = |run: &Run| {
            let submits = run.records.iter().filter(|record| record.space == Space::Child);
            let mut submitted = submits.filter_map(|record| record.result.as_deref());
            submitted.any(|id| !ids.contains(id.trim_matches('"')))
        };
        tree.iter().map(|key| &self.runs[*key]).any(|run| !run.state.is_ended() && beyond(run))
    }

    fn export(&self, root: Key, document: &str) -> Carried {
        let tree = self.tree_of(root);
        let origin = self.runs[root].origin.filter(|origin| !self.runs[*origin].is_gone);
        Carried {
            document: document.into(),
            runs: tree.iter().map(|key| (*key, self.runs[*key].clone())).collect(),
            origin: origin.map(|origin| self.runs[origin].id.clone()),
            budget: self.budgets.get(&root).cloned().unwrap_or_default(),
            events: self.events.iter().filter(|event| tree.contains(&event.run)).cloned().collect(),
            is_cascading: tree.into_iter().filter(|key| self.cascades.contains(key)).collect(),
        }
    }

    fn refuses(&self, carried: &Carried, keeps_ids: bool) -> bool {
        let has_id = |run: &Run| keeps_ids && self.find(&run.id).is_some();
        let key = carried.runs[0].1.key.clone();
        let has_key = key.is_some() && self.runs.iter().any(|run| run.key == key);
        has_key || carried.runs.iter().any(|(_, run)| has_id(run))
    }

    /// Adds the runs of a tree under the ids that they got; returns their keys by those they had.
    fn import(&mut self, carried: &Carried, ids: &HashMap<String, String>) -> BTreeMap<Key, Key> {
        let first = self.runs.len();
        let olds = carried.runs.iter().map(|(old, _)| *old);
        let keys: BTreeMap<Key, Key> =
            olds.enumerate().map(|(at, old)| (old, first + at)).collect();
        let origin = carried.origin.as_ref().and_then(|origin| self.find(origin));
        for (_, run) in &carried.runs {
            let run = Run { origin: run.origin.and(origin), ..renamed(run, &keys, ids) };
            self.add(run);
        }
        let mut budget = carried.budget.carried(&keys);
        for (_, run) in carried.runs.iter().filter(|(_, run)| run.state == State::Waiting) {
            for name in run.rooms.keys() {
                budget.units.entry(name.clone()).or_default().wake = Some(self.now);
            }
        }
        self.budgets.insert(first, budget);
        carried.events.iter().for_each(|event| self.append_again(event, keys[&event.run]));
        carried.is_cascading.iter().for_each(|old| self.cascade(keys[old]));
        for key in keys.values().copied() {
            if self.runs[key].state == State::Running {
                self.lose(key);
            }
        }
        keys
    }
}

/// Of a run that comes in: nothing of it points to where it was.
fn renamed(run: &Run, keys: &BTreeMap<Key, Key>, ids: &HashMap<String, String>) -> Run {
    let new = |id: &str| ids.get(id).cloned();
    let target = |target: &Target| match target {
        Target::Child(child) => Target::Child(keys[child]),
        Target::Signal(name) => Target::Signal(name.clone()),
    };
    let mut run = Run {
        id: new(&run.id).expect("each run has an id"),
        parent: run.parent.map(|parent| keys[&parent]),
        root: keys[&run.root],
        local: None,
        plain: run.plain.iter().map(target).collect(),
        counted: run.counted.iter().map(|(of, left)| (target(of), *left)).collect(),
        ..run.clone()
    };
    for record in &mut run.records {
        let is_child = record.space == Space::Await && record.label.as_deref() == Some("child");
        if let Some(id) = new(&record.name).filter(|_| is_child) {
            record.name = id;
        }
        let submitted = record.result.as_deref().filter(|_| record.space == Space::Child);
        if let Some(id) = submitted.and_then(|id| new(id.trim_matches('"'))) {
            record.result = Some(format!("\"{id}\""));
        }
    }
    run
}

/// Ids of the runs of a document, in its order.
fn ids_of(document: &str) -> Vec<String> {
    let document: Value = serde_json::from_str(document).unwrap();
    let runs = document["runs"].as_array().unwrap().iter();
    runs.map(|run| run["run_id"].as_str().unwrap().to_owned()).collect()
}

impl Drive {
    /// Exports a run; `None` in the place of what is no tree of its own.
    fn exported(&mut self, key: Key) -> Result<Carried, (Said, Said)> {
        let run = &self.oracle.runs[key];
        let core = self.world.store().run_export(&run.id, None);
        let model = if run.is_gone {
            said(NOT_FOUND)
        } else if run.parent.is_some() || self.oracle.looks_beyond(&self.oracle.tree_of(key)) {
            said(CONFLICT)
        } else {
            said(OK)
        };
        match core {
            Ok(document) if model.0 == OK => {
                let carried = self.oracle.export(key, &document);
                let ids: Vec<&String> = carried.runs.iter().map(|(_, run)| &run.id).collect();
                assert_eq!(ids_of(&document).iter().collect::<Vec<_>>(), ids);
                if carried.runs.iter().all(|(_, run)| run.state.is_ended()) {
                    self.kept.push(carried.clone());
                }
                Ok(carried)
            }
            core => Err((answer(&core, |_| said(OK)), model)),
        }
    }

    /// Copies a tree within its store.
    pub fn copy(&mut self) -> Option<(Said, Said)> {
        let key = self.some_run()?;
        if self.is_crowded() {
            return None;
        }
        self.note(format!("copy run {key}"));
        let carried = match self.exported(key) {
            Ok(carried) => carried,
            Err(refused) => return Some(refused),
        };
        let at = self.some_handle();
        let store = &self.world.handles[at].store;
        let core = store.run_import(&carried.document, Some("{\"ids\":\"new\"}"));
        let Ok(told) = core else {
            let is_refused = self.oracle.refuses(&carried, false);
            return Some((
                answer(&core, |_| said(OK)),
                said(if is_refused { CONFLICT } else { OK }),
            ));
        };
        let told: Value = serde_json::from_str(&told).unwrap();
        let root = told["run_id"].as_str().unwrap().to_owned();
        let new = ids_of(&self.world.store().run_export(&root, None).unwrap());
        let old = carried.runs.iter().map(|(_, run)| run.id.clone());
        let ids: HashMap<String, String> = old.zip(new).collect();
        let keys = self.oracle.import(&carried, &ids);
        self.ask_alike(&keys, &ids);
        self.touched = self.oracle.find(&root);
        Some((said(OK), said(if self.oracle.refuses(&carried, false) { CONFLICT } else { OK })))
    }

    /// What an any or all of a name is about in a run, it is about in its copy.
    fn ask_alike(&mut self, keys: &BTreeMap<Key, Key>, ids: &HashMap<String, String>) {
        for (old, new) in keys {
            let asks_as = self.origins.get(old).copied().unwrap_or(*old);
            let of_old = self.recipes.iter().filter(|((key, _), _)| *key == asks_as);
            let renamed = |member: &Member| match member {
                Member::Child(id) => Member::Child(ids.get(id).unwrap_or(id).clone()),
                other => other.clone(),
            };
            let of_new: Vec<_> = of_old
                .map(|((_, name), members)| {
                    ((*new, name.clone()), members.iter().map(renamed).collect())
                })
                .collect();
            self.recipes.extend(of_new);
        }
    }

    /// Brings a tree back that was exported when it had ended, most often after it was pruned.
    pub fn bring_back(&mut self) -> Option<(Said, Said)> {
        if self.kept.is_empty() {
            return None;
        }
        let at = self.draws.below(self.kept.len() as u64) as usize;
        let carried = self.kept[at].clone();
        self.note(format!("bring back run {}", carried.runs[0].0));
        let core = self.world.store().run_import(&carried.document, None);
        if self.oracle.refuses(&carried, true) {
            return Some((answer(&core, |_| said(OK)), said(CONFLICT)));
        }
        // Some of its rows may be among those that the next prune takes away.
        if self.oracle.unfinished > 0 && core.as_ref().is_err_and(|error| error.code() == CONFLICT)
        {
            return None;
        }
        let same = |(_, run): &(Key, Run)| (run.id.clone(), run.id.clone());
        let ids: HashMap<String, String> = carried.runs.iter().map(same).collect();
        for (old, run) in self.oracle.runs.iter_mut().enumerate().filter(|(_, run)| run.is_gone) {
            if ids.contains_key(&run.id) {
                // Its id is another run's now.
                run.id = format!("run_{old:026}");
            }
        }
        let keys = self.oracle.import(&carried, &ids);
        self.ask_alike(&keys, &ids);
        Some((answer(&core, |_| said(OK)), said(OK)))
    }
}
