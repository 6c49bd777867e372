//! The core's side: several handles on one file, what was claimed through them, and every call's
//! answer in the model's form.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use smolwf::domain::claim::Claim;
use smolwf::domain::{AfterFail, Durability, FailOptions, step};
use tempfile::TempDir;

use super::attempt::Begin;
use super::door::attempt::SubmittedChild;
use super::door::store::Submitted;
use super::door::waits::Waited;
use super::door::{Attempt, Begun, Result, Step, Store, StoreOptions};
use super::oracle::{
    EXISTS, FAILED, Filter, Limit, OK, Oracle, REPLAYED, SUSPEND, Said, Submit, TIMEOUT, said,
};
use super::page::{comparable, strip};
use super::place::Place;
use super::waiting::{Ask, Form, Member};

/// Milliseconds between two instants of the world: leases end half way between them, since the
/// uptime that they count may be a millisecond off.
pub const TICK_MS: i64 = 1_000;

/// An open handle, with a number that is never given again.
pub struct Handle {
    pub number: u64,
    pub store: Arc<Store>,
}

pub struct World {
    place: Place,
    pub handles: Vec<Handle>,
    next_number: u64,
    base_ms: i64,
    /// The only handle is a store in memory.
    in_memory: bool,
    durability: Durability,
    /// Where the files are, after crashes.
    moved: Option<(TempDir, PathBuf)>,
}

impl World {
    pub fn new(seed: u64, oracle: &mut Oracle) -> World {
        World::promising(Durability::Process, Place::of("model", seed), oracle)
    }

    /// A world whose answers outlive the loss of power, or of processes alone.
    pub fn promising(durability: Durability, place: Place, oracle: &mut Oracle) -> World {
        let mut world = World { durability, ..World::empty(place) };
        for _ in 0..3 {
            world.open(oracle);
        }
        world
    }

    fn empty(place: Place) -> World {
        World {
            place,
            handles: Vec::new(),
            next_number: 1,
            base_ms: 0,
            in_memory: false,
            durability: Durability::Process,
            moved: None,
        }
    }

    pub fn in_memory(seed: u64, oracle: &mut Oracle) -> World {
        let mut world = World { in_memory: true, ..World::empty(Place::of("memory", seed)) };
        world.open(oracle);
        world
    }

    pub fn is_in_memory(&self) -> bool {
        self.in_memory
    }

    /// Leaves the handles as if they were of processes that were killed, and opens others on what those
    /// leave; returns the numbers of the dead.
    pub fn crash(&mut self, oracle: &mut Oracle, rest: &dyn Fn(&Path, &Path)) -> Vec<u64> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        rest(self.path(), &path);
        let dead = std::mem::take(&mut self.handles);
        // They write on into files that nobody reads any more.
        dead.iter().for_each(|handle| handle.store.close());
        self.moved = Some((folder, path));
        for _ in 0..3 {
            self.open(oracle);
        }
        dead.iter().map(|handle| handle.number).collect()
    }

    /// Moves the store into another file, in parts if that is asked for, and goes on there with as many
    /// handles; or takes the move back half-way. Returns the numbers of handles that are closed.
    pub fn graduate(&mut self, at: usize, way: &str, oracle: &mut Oracle) -> Vec<u64> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let to = open_promising(&path, self.durability);
        self.meet(to.now_ms(), oracle);
        let from = &self.handles[at].store;
        to.advance_clock(oracle.now - to.now_ms()).unwrap();
        let for_ms = if way == "whole" { "{}" } else { r#"{"for_ms":1}"# };
        while !from.graduate(&to, for_ms).unwrap() {
            if way == "taken back" {
                assert!(from.graduate(&to, r#"{"abort":true}"#).unwrap());
                to.close();
                return Vec::new();
            }
        }
        to.close();
        let closed = std::mem::take(&mut self.handles);
        closed.iter().for_each(|handle| handle.store.close());
        self.moved = Some((folder, path));
        for _ in 0..closed.len() {
            self.open(oracle);
        }
        closed.iter().map(|handle| handle.number).collect()
    }

    /// Opens one more handle and brings all to one time.
    pub fn open(&mut self, oracle: &mut Oracle) {
        let store = match self.in_memory {
            true => open_in_memory(),
            false => open_promising(self.path(), self.durability),
        };
        if self.base_ms == 0 {
            self.base_ms = store.now_ms();
        }
        let (number, now_ms) = (self.number(), store.now_ms());
        self.handles.push(Handle { number, store });
        oracle.handles.insert(number);
        self.meet(now_ms, oracle);
    }

    /// The number of one more handle, of whichever process.
    pub fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number - 1
    }

    pub fn path(&self) -> &Path {
        self.moved.as_ref().map_or_else(|| self.place.name(), |(_, path)| path)
    }

    /// Brings all to one time, where one of another process stands so far.
    pub fn meet(&self, now_ms: i64, oracle: &mut Oracle) {
        let times = self.handles.iter().map(|handle| handle.store.now_ms());
        let latest = times.chain([now_ms]).max().unwrap();
        let ticks = (latest - self.base_ms + TICK_MS - 1) / TICK_MS;
        self.advance_to(self.base_ms + ticks * TICK_MS, oracle);
    }

    pub fn advance_to(&self, now_ms: i64, oracle: &mut Oracle) {
        for handle in &self.handles {
            handle.store.advance_clock(now_ms - handle.store.now_ms()).unwrap();
        }
        oracle.now = now_ms;
    }

    /// Closes a handle in order.
    pub fn close(&mut self, at: usize) -> u64 {
        let handle = self.handles.remove(at);
        handle.store.close();
        handle.number
    }

    pub fn store(&self) -> &Arc<Store> {
        &self.handles[0].store
    }

    /// A whole history, page by page, in one document.
    pub fn history(&self, run_id: &str, limit: u32) -> Value {
        let page = |cursor: Option<&str>| {
            comparable(&self.store().run_history(run_id, cursor, limit).unwrap())
        };
        let mut whole = page(None);
        while let Some(next) = whole["next"].as_str().map(str::to_owned) {
            let mut more = page(Some(&next));
            for part in ["attempts", "steps", "signals", "children", "events"] {
                let rows = std::mem::take(more[part].as_array_mut().unwrap());
                whole[part].as_array_mut().unwrap().extend(rows);
            }
            whole["next"] = more["next"].take();
        }
        whole
    }

    pub fn document(&self, run_id: &str) -> Value {
        strip_document(serde_json::from_str(&self.store().run_get(run_id).unwrap()).unwrap())
    }
}

/// Makes the document of a run comparable.
pub fn strip_document(mut document: Value) -> Value {
    strip(&mut document);
    if let Some(list) = document["waiting_for"].as_array_mut() {
        list.sort_by_key(Value::to_string);
    }
    document
}

fn options() -> StoreOptions {
    StoreOptions {
        create: true,
        manual_clock: true,
        durability: Durability::Process,
        lease_default_ms: 20_500,
        ..StoreOptions::default()
    }
}

pub fn open(path: &Path) -> Arc<Store> {
    open_promising(path, Durability::Process)
}

fn open_promising(path: &Path, durability: Durability) -> Arc<Store> {
    let store = Store::open(path, &StoreOptions { durability, ..options() }).unwrap();
    store.init().unwrap();
    store
}

fn open_in_memory() -> Arc<Store> {
    let store = Store::open_in_memory(&options()).unwrap();
    store.init().unwrap();
    store
}

pub fn answer<T>(result: &Result<T>, ok: impl FnOnce(&T) -> Said) -> Said {
    match result {
        Ok(value) => ok(value),
        Err(error) => said(error.code()),
    }
}

pub fn plain(result: Result<()>) -> Said {
    answer(&result, |()| said(OK))
}

pub fn text(json: &str) -> String {
    let mut value: Value = serde_json::from_str(json).unwrap();
    strip(&mut value);
    value.to_string()
}

/// Makes answers comparable: JSON as it is read, not as it is spelt.
pub fn tidy((code, json): Said) -> Said {
    if json.is_empty() || json.starts_with("run_") { (code, json) } else { (code, text(&json)) }
}

pub fn core_submit(submit: &Submit) -> smolwf::domain::submit::Submit {
    let (scope, key) = submit.key.clone().map_or((None, None), |(scope, key)| (scope, Some(key)));
    smolwf::domain::submit::Submit {
        workflow: submit.workflow.clone(),
        queue: submit.queue.clone(),
        args: submit.args.clone(),
        run_at_ms: submit.run_at,
        timeout_ms: submit.timeout,
        priority: submit.priority,
        max_tries: submit.max_tries,
        idempotency_key: key,
        // An empty one is none, and through the door it is refused.
        idempotency_scope: scope.filter(|scope| !scope.is_empty()),
        concurrency_key: submit.gate.clone(),
        code_version: submit.version.clone(),
        metadata: submit.metadata.clone(),
        budget: budget(&submit.budget),
        is_local: submit.is_local,
        ..smolwf::domain::submit::Submit::default()
    }
}

fn budget(limits: &[Limit]) -> Option<String> {
    let limit = |limit: &Limit| match limit.warn {
        Some(warn) => format!("\"{}\":{{\"limit\":{},\"warn\":{warn}}}", limit.unit, limit.limit),
        None => format!("\"{}\":{}", limit.unit, limit.limit),
    };
    let limits: Vec<String> = limits.iter().map(limit).collect();
    (!limits.is_empty()).then(|| format!("{{{}}}", limits.join(",")))
}

pub fn core_claim(filter: &Filter) -> Claim {
    Claim {
        queue: Some(filter.queue.clone()),
        lease_ms: if filter.lease_ms == 20_500 { 0 } else { filter.lease_ms },
        worker: filter.worker.clone(),
        workflows: filter.workflows.clone(),
        code_versions: filter.versions.clone(),
        ..Claim::default()
    }
}

pub fn core_begin(begin: &Begin) -> step::Begin {
    step::Begin {
        name: begin.name.clone(),
        input: begin.input.clone(),
        kind: begin.label.clone(),
        occurrence: begin.occurrence,
        max_tries: begin.max_tries,
        is_tracked: begin.is_tracked,
        is_cleanup: begin.is_cleanup,
        ..step::Begin::default()
    }
}

pub fn submitted(result: Result<Submitted>) -> Said {
    answer(&result, |s| (if s.existed { EXISTS } else { OK }, s.run_id.clone()))
}

/// The answer of a begin, and the step if it is to be run.
pub fn begun(result: Result<Begun>) -> (Said, Option<Step>) {
    match result {
        Ok(Begun::Run(step)) => (said(OK), Some(step)),
        Ok(Begun::Replayed(step)) => ((REPLAYED, lent(step.result())), None),
        Ok(Begun::Failed(step)) => ((FAILED, lent(step.error())), None),
        Ok(Begun::Suspended) => (said(SUSPEND), None),
        Err(error) => (said(error.code()), None),
    }
}

fn lent(text: Option<&str>) -> String {
    text.map(str::to_owned).unwrap_or_default()
}

pub fn fail_options(is_terminal: bool, retry_after_ms: i64) -> FailOptions {
    FailOptions { is_terminal, retry_after_ms }
}

/// The answer of a failure, and when it is tried again.
pub fn failed(result: Result<AfterFail>) -> (Said, i64) {
    match result {
        Ok(AfterFail::Retry { at_ms }) => (said(SUSPEND), at_ms),
        Ok(AfterFail::Final) => (said(FAILED), 0),
        Err(error) => (said(error.code()), 0),
    }
}

pub fn waited(attempt: &Attempt, ask: &Ask) -> Said {
    let result = match (ask.form, &ask.members[..]) {
        (Form::Sleep, [Member::Sleep(ms)]) => attempt.sleep(&ask.name, *ms),
        (Form::Signal, _) => attempt.signal_await(&ask.name, ask.timeout),
        (Form::Child, _) => attempt.child_await(&ask.name, ask.timeout),
        (Form::Any, members) => attempt.await_any(&ask.name, &list(members), ask.timeout),
        (_, members) => attempt.await_all(&ask.name, &list(members), ask.timeout),
    };
    answer(&result, |waited| match waited {
        Waited::Ready(value) => (OK, value.clone()),
        Waited::Failed(error) => (FAILED, error.clone()),
        Waited::TimedOut => said(TIMEOUT),
        Waited::NotYet => said(SUSPEND),
    })
}

fn list(members: &[Member]) -> String {
    let entry = |member: &Member| match member {
        Member::Signal(name) => format!("{{\"signal\":\"{name}\"}}"),
        Member::Child(id) => format!("{{\"child\":\"{id}\"}}"),
        Member::Sleep(ms) => format!("{{\"sleep_ms\":{ms}}}"),
    };
    format!("[{}]", members.iter().map(entry).collect::<Vec<_>>().join(","))
}

/// The code of an answer, and each child's id with whether it was there.
pub fn children(result: Result<Vec<SubmittedChild>>) -> (i32, Vec<(String, bool)>) {
    match result {
        Err(error) => (error.code(), Vec::new()),
        Ok(children) => {
            let code = if children.iter().all(|child| child.existed) { REPLAYED } else { OK };
            (code, children.into_iter().map(|child| (child.run_id, child.existed)).collect())
        }
    }
}

/// Runs of a list that differ between what was asked for and what is there.
pub fn distinct(ids: &[String]) -> usize {
    ids.iter().collect::<BTreeSet<_>>().len()
}
