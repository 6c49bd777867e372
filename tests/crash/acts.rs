//! The same for acts on many runs, and for what is written on runs: each act is on a run whole or not at
//! all, all that one call does is done or none of it, and lists find what the runs say.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use serde_json::{Value, json};
use smolwf::domain::submit::Submit;
use smolwf::handles::store::Store;

use super::support::audit::{all, assert_whole, connect};
use super::support::{Draws, Role, open, work};
use super::{Facts, kill_again_and_again, load, read_facts};

const TEST: &str =
    "acts::what_is_done_to_many_is_done_whole_and_lists_find_what_runs_say_after_any_kill";
const FILES: u64 = 3;
const ROUNDS: u64 = 5;
/// Facts that a process notes at most; they are short, and each is of a commit of its own.
const FACTS_BYTES: u64 = 30_000;
/// Runs that are submitted, and acted on, together.
const BATCH: usize = 12;
/// Of them, how many one call acts on.
const ACT_MAX: usize = 5;
/// Batches, the newest, that are looked for by what they say; all are in a list of all runs.
const LOOKED_FOR: usize = 8;

/// P6, P7, P9.
#[test]
fn what_is_done_to_many_is_done_whole_and_lists_find_what_runs_say_after_any_kill() {
    if let Some(role) = Role::mine() {
        return load(&role, turn);
    }
    let mut kinds = HashSet::new();
    kill_again_and_again(TEST, (FILES, ROUNDS), FACTS_BYTES, |db| kinds.extend(verify(db)));
    for kind in ["made", "pause", "resume", "cancel", "retry", "noted"] {
        assert!(kinds.contains(kind), "no {kind} was ever acknowledged");
    }
}

// ---------------------------------------------------------------------------------------------
// The one that is killed

/// Submits a batch, acts on it, and writes on its runs. No other thread knows of it.
fn turn(store: &Arc<Store>, facts: &Facts, batch: &str, draws: &mut Draws) {
    let item = |at| Submit {
        queue: Some("acted on".into()),
        metadata: Some(json!({"batch": batch, "at": at}).to_string()),
        ..work()
    };
    let runs = store.submit_many((0..BATCH).map(item).collect()).unwrap();
    facts.note(["made", batch, "", ""]);
    let mut state = "pending";
    for at in 0..1 + draws.below(6) {
        let run = &runs[draws.below(BATCH as u64) as usize].run_id;
        annotate(store, facts, (run, &format!("{batch}.{at}")), at % 2 == 1);
        let (action, next) = match (state, draws.below(2)) {
            ("pending", 0) => ("pause", "paused"),
            ("paused", 0) => ("resume", "pending"),
            ("cancelled", _) => ("retry", "pending"),
            _ => ("cancel", "cancelled"),
        };
        act(store, facts, batch, action);
        state = next;
    }
}

fn annotate(store: &Store, facts: &Facts, (run, tag): (&str, &str), is_odd: bool) {
    let odd = if is_odd { json!(true) } else { Value::Null };
    facts.note(["noting", run, tag, ""]);
    store.annotate(run, &json!({"tag": tag, "odd": odd}).to_string()).unwrap();
    facts.note(["noted", run, tag, ""]);
}

/// Acts on a batch, call by call.
fn act(store: &Store, facts: &Facts, batch: &str, action: &str) {
    let filter = json!({"metadata": {"batch": batch}}).to_string();
    loop {
        facts.note(["will", batch, action, ""]);
        let acted = store.act_many(action, Some(&filter), ACT_MAX as u32).unwrap();
        let acted: Value = serde_json::from_str(&acted).unwrap();
        assert_eq!((&acted["refused"], &acted["done"]), (&json!([]), &acted["matched"]));
        facts.note([action, batch, &acted["done"].to_string(), ""]);
        if acted["more"] == false {
            break;
        }
    }
}

// ---------------------------------------------------------------------------------------------
// The one that looks

/// What was acknowledged of a batch.
#[derive(Debug, Default)]
struct Batch {
    is_made: bool,
    /// The act that is newest, the states from and to which it moves runs, how many it has moved.
    action: String,
    states: (&'static str, &'static str),
    moved: usize,
    /// A call of it was made, and has not answered.
    is_open: bool,
}

impl Batch {
    /// Takes note of a call that is made.
    fn will(&mut self, action: &str) {
        if self.action != action {
            let to = match action {
                "pause" => "paused",
                "cancel" => "cancelled",
                _ => "pending",
            };
            let from = if self.action.is_empty() { "pending" } else { self.states.1 };
            (self.action, self.states, self.moved) = (action.to_owned(), (from, to), 0);
        }
        self.is_open = true;
    }

    /// Takes note of its answer.
    fn did(&mut self, runs: usize) {
        self.moved += runs;
        self.is_open = false;
    }

    /// Whether its runs may be in these states.
    fn allows(&self, states: &[String]) -> bool {
        let is_new = self.action.is_empty();
        let (from, to) = if is_new { ("pending", "pending") } else { self.states };
        let is_all = states.iter().all(|state| state == to || state == from);
        let moved = states.iter().filter(|state| *state == to).count();
        let done = if is_new { BATCH } else { self.moved };
        let is_whole = moved == done || self.is_open && moved == (done + ACT_MAX).min(BATCH);
        states.len() == BATCH && is_all && is_whole
    }
}

/// A run, as the file has it.
#[derive(Debug, PartialEq)]
struct Run {
    id: String,
    metadata: Value,
}

/// Checks everything that was ever acknowledged, and returns the kinds of that.
fn verify(db: &Path) -> HashSet<String> {
    let facts = read_facts(db);
    let store = open(db);
    store.close();
    let runs = stored(&connect(db));
    let store = open(db);
    assert_batches(&store, &facts, &runs);
    assert_notes(&store, &facts, &runs);
    let check = store.check().unwrap();
    assert!(check.starts_with(r#"{"ok":true"#), "{check}");
    store.close();
    assert_whole(&connect(db));
    facts.into_iter().map(|[kind, ..]| kind).collect()
}

/// The newest first.
fn stored(conn: &Connection) -> Vec<Run> {
    let sql = "SELECT run_id, metadata FROM sw_workflow_runs ORDER BY run_key DESC";
    all(conn, sql, |row| {
        let id = smolwf::id::write("run", smolwf::id::Id::from_bytes(row.get(0)?));
        Ok(Run { id, metadata: serde_json::from_str(&row.get::<_, String>(1)?).unwrap() })
    })
}

/// Returns the runs that a list finds, each with its state, the newest first.
fn listed(store: &Store, metadata: &Value) -> Vec<(Run, String)> {
    let filter = json!({"metadata": metadata, "include": ["metadata"]}).to_string();
    let (mut runs, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.run_list(Some(&filter), cursor.as_deref(), 1_000).unwrap();
        let page: Value = serde_json::from_str(&page).unwrap();
        let text = |of: &Value| of.as_str().unwrap().to_owned();
        runs.extend(page["items"].as_array().unwrap().iter().map(|run| {
            let (id, metadata) = (text(&run["run_id"]), run["metadata"].clone());
            (Run { id, metadata }, text(&run["state"]))
        }));
        cursor = page["next"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return runs;
        }
    }
}

/// Holds what a list by a member of metadata finds to what the runs say.
fn assert_found(store: &Store, runs: &[Run], key: &str, value: &Value) {
    let found = listed(store, &json!({key: value})).into_iter().map(|(run, _)| run.id);
    let meant = runs.iter().filter(|run| run.metadata[key] == *value).map(|run| run.id.clone());
    assert_eq!(found.collect::<Vec<_>>(), meant.collect::<Vec<_>>(), "runs whose {key} is {value}");
}

fn assert_batches(store: &Store, facts: &[[String; 4]], runs: &[Run]) {
    let mut batches: HashMap<&str, Batch> = HashMap::new();
    for [kind, batch, what, _] in facts {
        match kind.as_str() {
            "made" => batches.entry(batch).or_default().is_made = true,
            "will" => batches.entry(batch).or_default().will(what),
            "noting" | "noted" => {}
            _ => batches.entry(batch).or_default().did(what.parse().unwrap()),
        }
    }
    let mut states: HashMap<String, Vec<String>> = HashMap::new();
    let (shown, its): (Vec<Run>, Vec<String>) = listed(store, &json!({})).into_iter().unzip();
    assert_eq!(shown, runs, "all runs");
    for (run, state) in shown.iter().zip(its) {
        let batch = run.metadata["batch"].as_str().unwrap();
        states.entry(batch.to_owned()).or_default().push(state);
    }
    // One whose submit did not answer is whole, too.
    for (name, states) in &states {
        let batch = batches.remove(name.as_str()).unwrap_or_default();
        assert!(batch.allows(states), "{name} is {batch:?}: {states:?}");
    }
    let lost: Vec<_> = batches.iter().filter(|(_, batch)| batch.is_made).collect();
    assert!(lost.is_empty(), "{lost:?}");
    for run in runs.iter().step_by(BATCH).take(LOOKED_FOR) {
        assert_found(store, runs, "batch", &run.metadata["batch"]);
    }
}

fn assert_notes(store: &Store, facts: &[[String; 4]], runs: &[Run]) {
    // Of each run, the tag that was acknowledged last, and one that was to take its place.
    let mut tags: HashMap<&str, (Option<&str>, Option<&str>)> = HashMap::new();
    for [kind, run, tag, _] in facts {
        match kind.as_str() {
            "noting" => tags.entry(run).or_default().1 = Some(tag),
            "noted" => *tags.entry(run).or_default() = (Some(tag), None),
            _ => {}
        }
    }
    let mut newest = Vec::new();
    for Run { id, metadata } in runs {
        let (acknowledged, in_doubt) = tags.get(id.as_str()).copied().unwrap_or_default();
        let tag = metadata["tag"].as_str();
        assert!(tag == acknowledged || tag.is_some() && tag == in_doubt, "{id} is noted {tag:?}");
        let is_odd = tag.is_some_and(|tag| tag.ends_with(['1', '3', '5']));
        assert_eq!(metadata.get("odd"), is_odd.then_some(&json!(true)), "{id}: {metadata}");
        newest.extend([acknowledged, in_doubt].into_iter().flatten());
    }
    for tag in newest.into_iter().take(2 * LOOKED_FOR) {
        assert_found(store, runs, "tag", &json!(tag));
    }
    assert_found(store, runs, "odd", &json!(true));
}
