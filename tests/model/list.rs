//! Lists, counts, annotations and acts on many: what a filter means, over plain vectors.

use serde_json::{Map, Value, json};

use super::drive::Drive;
use super::oracle::{Key, NOT_FOUND, OK, Oracle, Run, Said, State, said};
use super::world::{TICK_MS, answer, plain};

/// A filter as the model reads it.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub states: Option<Vec<State>>,
    pub workflow: Option<String>,
    pub queue: Option<String>,
    pub version: Option<String>,
    pub worker: Option<String>,
    pub parent: Option<Key>,
    pub root: Option<Key>,
    pub is_roots_only: bool,
    pub created: (Option<i64>, Option<i64>),
    pub finished: (Option<i64>, Option<i64>),
    pub metadata: Option<(&'static str, Value)>,
    pub idempotency: Option<(Option<String>, String)>,
    pub error: Option<&'static str>,
    pub is_cancel_asked: Option<bool>,
    pub is_pause_asked: Option<bool>,
    pub is_oldest: bool,
}

const STATES: [State; 7] = [
    State::Pending,
    State::Running,
    State::Waiting,
    State::Paused,
    State::Completed,
    State::Failed,
    State::Cancelled,
];

impl Wanted {
    pub fn text(&self, oracle: &Oracle, is_dry_run: bool) -> String {
        let mut filter = Map::new();
        let mut put = |key: &str, value: Option<Value>| {
            filter.extend(value.map(|value| (key.to_owned(), value)));
        };
        let id = |key: Key| Value::from(oracle.runs[key].id.clone());
        let states: Option<Vec<&str>> =
            self.states.as_ref().map(|states| states.iter().map(|state| state.name()).collect());
        put(
            "state",
            states.map(|names| if names.len() == 1 { names[0].into() } else { names.into() }),
        );
        put("workflow", self.workflow.clone().map(Value::from));
        put("queue", self.queue.clone().map(Value::from));
        put("code_version", self.version.clone().map(Value::from));
        put("worker", self.worker.clone().map(Value::from));
        put("parent_run_id", self.parent.map(id));
        put("root_run_id", self.root.map(id));
        put("roots_only", self.is_roots_only.then_some(Value::Bool(true)));
        put("created_from_ms", self.created.0.map(Value::from));
        put("created_to_ms", self.created.1.map(Value::from));
        put("finished_from_ms", self.finished.0.map(Value::from));
        put("finished_to_ms", self.finished.1.map(Value::from));
        put("metadata", self.metadata.clone().map(|(name, value)| json!({ name: value })));
        if let Some((scope, key)) = self.idempotency.clone() {
            put("idempotency_scope", scope.map(Value::from));
            put("idempotency_key", Some(key.into()));
        }
        put("error_contains", self.error.map(Value::from));
        put("cancel_asked", self.is_cancel_asked.map(Value::from));
        put("order", self.is_oldest.then_some("oldest".into()));
        put("dry_run", is_dry_run.then_some(Value::Bool(true)));
        Value::from(filter).to_string()
    }

    fn is_of(&self, oracle: &Oracle, key: Key) -> bool {
        let run = &oracle.runs[key];
        let is_open = !run.state.is_ended();
        let within = |at: Option<i64>, (from, to): (Option<i64>, Option<i64>)| {
            from.is_none() && to.is_none()
                || at
                    .is_some_and(|at| from.is_none_or(|it| it <= at) && to.is_none_or(|it| at < it))
        };
        let same = |wanted: &Option<String>, found: Option<&String>| {
            wanted.is_none() || wanted.as_ref() == found
        };
        let is_paused = run.state == State::Paused || run.is_pause_asked;
        self.states.as_ref().is_none_or(|states| states.contains(&run.state))
            && same(&self.workflow, Some(&run.submit.workflow))
            && same(&self.queue, Some(&run.queue))
            && same(&self.version, run.submit.version.as_ref())
            && same(&self.worker, worker(run))
            && self.parent.is_none_or(|parent| run.parent == Some(parent))
            && self.root.is_none_or(|root| run.root == root)
            && (!self.is_roots_only || run.parent.is_none())
            && within(Some(run.created_at), self.created)
            && within(run.finished_at, self.finished)
            && self.metadata.as_ref().is_none_or(|(name, value)| metadata(run)[*name] == *value)
            && self.idempotency.as_ref().is_none_or(|(scope, it)| {
                run.key.as_ref() == Some(&(scope.clone().unwrap_or_default(), it.clone()))
            })
            && self.error.is_none_or(|part| error(run).is_some_and(|it| it.contains(part)))
            && self.is_cancel_asked.is_none_or(|it| it == (is_open && run.is_cancel_asked))
            && self.is_pause_asked.is_none_or(|it| it == (is_open && is_paused))
    }

    /// The states to which an act has something to do, where none is named.
    fn narrowed(&self, action: &str) -> Wanted {
        let open = [State::Pending, State::Running, State::Waiting, State::Paused];
        let wanted = self.clone();
        match (&self.states, action) {
            (Some(_), _) => wanted,
            (None, "cancel") => Wanted {
                states: Some(open.into()),
                is_cancel_asked: wanted.is_cancel_asked.or(Some(false)),
                ..wanted
            },
            (None, "pause" | "resume") => Wanted {
                states: Some(open.into()),
                is_pause_asked: Some(action == "resume"),
                ..wanted
            },
            (None, _) => Wanted { states: Some(vec![State::Failed, State::Cancelled]), ..wanted },
        }
    }
}

/// Who made the newest attempt.
fn worker(run: &Run) -> Option<&String> {
    match &run.lease {
        Some(lease) => lease.worker.as_ref(),
        None => run.past.last().and_then(|past| past.worker.as_ref()),
    }
}

fn error(run: &Run) -> Option<&str> {
    if run.state.is_ended() {
        return run.error.as_deref();
    }
    run.past.iter().rev().find_map(|past| past.error.as_deref())
}

fn metadata(run: &Run) -> Value {
    let text = run.submit.metadata.as_deref().unwrap_or("{}");
    serde_json::from_str(text).expect("the model stores JSON")
}

impl Oracle {
    pub fn list(&self, wanted: &Wanted) -> Vec<Key> {
        let is_meant = |key: &Key| !self.runs[*key].is_gone && wanted.is_of(self, *key);
        let found = (0..self.runs.len()).filter(is_meant);
        if wanted.is_oldest { found.collect() } else { found.rev().collect() }
    }

    /// RFC 7396, of which one level is drawn.
    fn annotate(&mut self, id: &str, patch: &Map<String, Value>) -> Said {
        let Some(key) = self.find(id) else { return said(NOT_FOUND) };
        let mut merged = metadata(&self.runs[key]);
        let members = merged.as_object_mut().expect("metadata is an object");
        for (name, value) in patch {
            match value {
                Value::Null => members.remove(name),
                value => members.insert(name.clone(), value.clone()),
            };
        }
        let had_some = self.runs[key].submit.metadata.is_some();
        if had_some || !members.is_empty() {
            self.runs[key].submit.metadata = Some(merged.to_string());
        }
        said(OK)
    }

    fn act_many(&mut self, action: &str, wanted: &Wanted, limit: usize, is_dry: bool) -> Said {
        while action == "retry" && !is_dry && self.sweep_cascade() {}
        let mut matched = self.list(&wanted.narrowed(action));
        let more = matched.len() > limit;
        matched.truncate(limit);
        let (mut done, mut refused) = (0, Vec::new());
        let mut after = if is_dry { self.clone() } else { std::mem::take(self) };
        for key in &matched {
            let id = after.runs[*key].id.clone();
            let (code, _) = match action {
                "cancel" => after.cancel(&id, None),
                "pause" => after.pause(&id),
                "resume" => after.resume(&id),
                _ => after.retry(&id),
            };
            if code == OK {
                done += u32::from(!is_dry);
            } else {
                refused.push(json!({"run_id": id, "code": code}));
            }
        }
        if !is_dry {
            *self = after;
        }
        let document =
            json!({"matched": matched.len(), "done": done, "refused": refused, "more": more});
        (OK, document.to_string())
    }
}

impl Drive {
    pub fn some_wanted(&mut self) -> Wanted {
        let some = |drive: &mut Drive, one_in: u64| drive.draws.below(one_in) == 0;
        let now = self.oracle.now;
        let ago = [0, TICK_MS, 3 * TICK_MS, 20 * TICK_MS, 400 * TICK_MS].map(|ms| now - ms);
        let mut wanted = Wanted {
            is_oldest: some(self, 3),
            is_roots_only: some(self, 12),
            workflow: self.maybe(4, &["a", "b", "none"]).map(str::to_owned),
            queue: self.maybe(5, &["q", "default"]).map(str::to_owned),
            version: self.maybe(9, &["v1", "v2"]).map(str::to_owned),
            worker: self.maybe(12, &["w1", "w2"]).map(str::to_owned),
            created: (self.maybe(9, &ago), self.maybe(9, &ago)),
            finished: (self.maybe(15, &ago), self.maybe(15, &ago)),
            error: self.maybe(15, &["$smolwf", "why", "p1", "null]"]),
            is_cancel_asked: self.maybe(15, &[true, false]),
            ..Wanted::default()
        };
        let member = [("m", json!(1)), ("m", json!("x")), ("n", json!(true))];
        wanted.metadata = self.maybe(5, &member);
        let keys = [(None, "k1".to_owned()), (Some("s".to_owned()), "k2".to_owned())];
        wanted.idempotency = self.maybe(20, &keys);
        if some(self, 2) {
            let len = self.draws.below(3) + 1;
            wanted.states = Some((0..len).map(|_| self.pick(&STATES)).collect());
        }
        let key = self.some_run().filter(|key| !self.oracle.runs[*key].is_gone);
        match self.draws.below(16) {
            0 => wanted.parent = key,
            1 => wanted.root = key,
            _ => {}
        }
        self.touched = None;
        wanted
    }

    /// P33: pages of any size show the runs that the filter means, in order, once.
    pub fn list(&mut self) -> Option<(Said, Said)> {
        let (wanted, at) = (self.some_wanted(), self.some_handle());
        let limit = self.pick(&[1, 2, 7, 1_000]);
        let filter = wanted.text(&self.oracle, false);
        self.note(format!("list by {limit}: {filter}"));
        let store = &self.world.handles[at].store;
        let (mut ids, mut cursor): (Vec<String>, Option<String>) = (Vec::new(), None);
        loop {
            let page = store.run_list(Some(&filter), cursor.as_deref(), limit).unwrap();
            let page: Value = serde_json::from_str(&page).unwrap();
            let items = page["items"].as_array().unwrap();
            ids.extend(items.iter().map(|item| item["run_id"].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => break,
            }
        }
        let count = store.run_count(Some(&filter), 0).unwrap();
        let model: Vec<&str> = self
            .oracle
            .list(&wanted)
            .iter()
            .map(|key| self.oracle.runs[*key].id.as_str())
            .collect();
        let said = |count: usize, ids: String| (OK, format!("run_{count} {ids}"));
        Some((said(count as usize, ids.join(" ")), said(model.len(), model.join(" "))))
    }

    pub fn annotate(&mut self) -> Option<(Said, Said)> {
        let (key, at) = (self.some_run()?, self.some_handle());
        let mut patch = Map::new();
        for _ in 0..=self.draws.below(2) {
            let name = self.pick(&["m", "n", "o"]);
            let value = self.pick(&[json!(1), json!("x"), json!(true), json!([1]), Value::Null]);
            patch.insert(name.into(), value);
        }
        let id = self.oracle.runs[key].id.clone();
        self.note(format!("annotate run {key}: {patch:?}"));
        let text = Value::from(patch.clone()).to_string();
        let core = plain(self.world.handles[at].store.annotate(&id, &text));
        Some((core, self.oracle.annotate(&id, &patch)))
    }

    pub fn act_many(&mut self) -> Option<(Said, Said)> {
        let (wanted, at) = (self.some_wanted(), self.some_handle());
        let action = self.pick(&["pause", "resume", "resume", "retry", "retry", "cancel"]);
        let limit = self.pick(&[1, 2, 3]);
        let is_dry = self.draws.below(4) == 0;
        let filter = wanted.text(&self.oracle, is_dry);
        self.note(format!("{action} {limit} of {filter}"));
        let core = self.world.handles[at].store.act_many(action, Some(&filter), limit);
        let core = answer(&core, |document| (OK, document.clone()));
        Some((core, self.oracle.act_many(action, &wanted, limit as usize, is_dry)))
    }
}
