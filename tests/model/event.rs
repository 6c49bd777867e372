//! Events: the log as a plain list.

use serde_json::{Value, json};

use super::attempt::Attempt;
use super::drive::Drive;
use super::oracle::{EXISTS, Key, NOT_FOUND, OK, Oracle, Said, TIMEOUT, said};
use super::world::answer;

#[derive(Debug, Clone)]
pub struct Event {
    pub seq: i64,
    pub run: Key,
    kind: String,
    pub payload: String,
    key: Option<String>,
    at: i64,
}

impl Event {
    /// As documents show it, but for the id of its run.
    pub fn document(&self) -> Value {
        let payload: Value = serde_json::from_str(&self.payload).expect("the model stores JSON");
        json!({"seq": self.seq, "type": self.kind, "payload": payload, "at_ms": self.at})
    }
}

impl Oracle {
    pub fn append(&mut self, run: Key, kind: &str, payload: &str, key: Option<&str>) {
        self.last_seq += 1;
        self.events.push(Event {
            seq: self.last_seq,
            run,
            kind: kind.into(),
            payload: payload.into(),
            key: key.map(str::to_owned),
            at: self.now,
        });
    }

    /// Appends what came with a tree, at the times that it has.
    pub fn append_again(&mut self, event: &Event, run: Key) {
        self.last_seq += 1;
        self.events.push(Event { seq: self.last_seq, run, ..event.clone() });
    }

    fn event_append(
        &mut self,
        attempt: &Attempt,
        kind: &str,
        payload: &str,
        key: Option<&str>,
    ) -> Said {
        if let Err(said) = self.may_go_on(attempt) {
            return said;
        }
        let run = attempt.run;
        let is_it = |event: &Event| event.run == run && event.key.as_deref() == key;
        let is_known = key.is_some() && self.events.iter().any(is_it);
        if !is_known {
            self.append(run, kind, payload, key);
        }
        self.keep_lease(run, false);
        said(if is_known { EXISTS } else { OK })
    }

    /// The events above a number, of one run or of all; those of pruned runs may be gone or not.
    fn events_after(&self, after: i64, run: Option<Key>, kinds: &[&str]) -> Vec<&Event> {
        let is_asked = |event: &&Event| {
            let is_of = run.is_none_or(|run| event.run == run);
            let is_kind = kinds.is_empty() || kinds.contains(&event.kind.as_str());
            event.seq > after && is_of && is_kind && !self.runs[event.run].is_gone
        };
        self.events.iter().filter(is_asked).collect()
    }
}

impl Drive {
    pub fn event_append(&mut self) -> Option<(Said, Said)> {
        let id = self.some_attempt()?;
        let (kind, payload) = (self.pick(&["said", "heard"]), self.payload());
        let key = self.maybe(3, &["e1", "e2"]);
        let held = self.held.get_mut(&id).expect("it was drawn");
        self.log.push(format!("append {kind} in {id} of run {}: {key:?}", held.model.run));
        let core = held.core.event_append(kind, &payload, key);
        let core = answer(&core, |code| said(*code));
        let model = self.oracle.event_append(&held.model, kind, &payload, key);
        if model.0 == OK {
            self.check_lease(id);
        }
        Some((core, model))
    }

    /// P32: whoever reads on from any number sees each event once, in order, with its number.
    pub fn event_read(&mut self) -> Option<(Said, Said)> {
        let at = self.some_handle();
        let after = self.draws.below(self.oracle.last_seq.unsigned_abs() + 1).cast_signed();
        let run = if self.draws.below(3) == 0 { self.some_run() } else { None };
        let limit = self.pick(&[1, 3, 0]);
        self.touched = None;
        let id = run.map(|key| self.oracle.runs[key].id.clone());
        self.note(format!("read events after {after} of {run:?} by {limit}"));
        let mut found = Vec::new();
        let mut from = after;
        loop {
            let store = &self.world.handles[at].store;
            let page = match store.event_read(from, id.as_deref(), limit) {
                Ok(page) => page,
                Err(error) => return Some((said(error.code()), self.read_of(run))),
            };
            let page: Value = serde_json::from_str(&page).unwrap();
            let Some(last) = page["items"].as_array().and_then(|items| items.last()) else { break };
            from = last["seq"].as_i64().unwrap();
            found.extend(page["items"].as_array().unwrap().iter().cloned());
        }
        let model = self.read_of(run);
        if model.0 == OK {
            self.compare_events(found, after, run, &[]);
        }
        Some((said(OK), model))
    }

    fn read_of(&self, run: Option<Key>) -> Said {
        said(if run.is_some_and(|key| self.oracle.runs[key].is_gone) { NOT_FOUND } else { OK })
    }

    fn compare_events(&self, found: Vec<Value>, after: i64, run: Option<Key>, kinds: &[&str]) {
        let shown = |mut event: Value| {
            let id = event.as_object_mut()?.remove("run_id")?;
            self.oracle.find(id.as_str()?).map(|_| event)
        };
        let found: Vec<Value> = found.into_iter().filter_map(shown).collect();
        let model = self.oracle.events_after(after, run, kinds);
        let model: Vec<Value> = model.into_iter().map(Event::document).collect();
        if found != model {
            self.refuse(&format!("events after {after} are\n{found:?}\nin the model\n{model:?}"));
        }
    }

    /// A wait that looks once: it has what a read has, or nothing.
    pub fn event_wait(&mut self) -> Option<(Said, Said)> {
        let at = self.some_handle();
        self.sweep_both(at);
        let after = self.draws.below(self.oracle.last_seq.unsigned_abs() + 1).cast_signed();
        let kinds: &[&str] = self.pick(&[&[] as &[&str], &["said"], &["heard", "budget.warning"]]);
        let filter =
            if kinds.is_empty() { "{}".into() } else { json!({"type": kinds}).to_string() };
        self.note(format!("wait for events after {after}: {filter}"));
        let core = self.world.handles[at].store.event_wait(after, &filter, 0).unwrap();
        let model = self.oracle.events_after(after, None, kinds);
        let is_there = !model.is_empty();
        match core {
            Some(page) => {
                let mut page: Value = serde_json::from_str(&page).unwrap();
                let items = page["items"].take().as_array().unwrap().clone();
                self.compare_events(items, after, None, kinds);
                None
            }
            None => Some((said(TIMEOUT), said(if is_there { OK } else { TIMEOUT }))),
        }
    }
}
