//! Budgets: what a tree may spend, over plain maps; reserves, settles and limits that are moved.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::attempt::{Attempt, Step};
use super::drive::Drive;
use super::oracle::{CONFLICT, EXISTS, Key, Limit, NOT_FOUND, OK, Oracle, Run, Said, State, said};
use super::waiting::Pending;
use super::world::answer;

pub const INVALID: i32 = -2;
pub const NO_ROOM: i32 = -28;
/// Milliseconds for which those who were woken may take their room before others are woken to it.
const PAUSE_MS: i64 = 100;

pub type Amounts = BTreeMap<String, i64>;

#[derive(Debug, Clone, Default)]
pub struct Unit {
    limit: Option<i64>,
    warn: Option<i64>,
    is_warned: bool,
    reserved: i64,
    spent: i64,
    /// When more of those who wait for room are woken.
    pub wake: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Open,
    Settled,
    GivenBack,
    Assumed,
}

#[derive(Debug, Clone)]
struct Reservation {
    /// None of one that came with an import: it has a new id that nobody was told.
    id: Option<String>,
    run: Key,
    number: u32,
    step: Option<(String, u32)>,
    label: Option<String>,
    source: Option<String>,
    amounts: Amounts,
    fate: Fate,
    spent: Amounts,
}

/// What a tree may spend, and what it spent.
#[derive(Debug, Clone, Default)]
pub struct Budget {
    pub units: BTreeMap<String, Unit>,
    reservations: Vec<Reservation>,
    /// By workflow, kind of step and unit.
    totals: BTreeMap<(String, Option<String>, String), i64>,
}

impl Unit {
    fn room(&self) -> Option<i64> {
        self.limit.map(|limit| limit - self.reserved - self.spent)
    }
}

impl Budget {
    pub fn of(limits: &[Limit]) -> Budget {
        let unit = |limit: &Limit| {
            let unit = Unit { limit: Some(limit.limit), warn: limit.warn, ..Unit::default() };
            (limit.unit.to_owned(), unit)
        };
        Budget { units: limits.iter().map(unit).collect(), ..Budget::default() }
    }

    /// The limits as they stand, and nothing spent.
    pub fn forked(&self) -> Budget {
        let fresh = |(name, unit): (&String, &Unit)| {
            let unit = Unit { limit: unit.limit, warn: unit.warn, ..Unit::default() };
            unit.limit.map(|_| (name.clone(), unit))
        };
        Budget { units: self.units.iter().filter_map(fresh).collect(), ..Budget::default() }
    }

    /// The same where its runs have other keys; the ids of reservations are new.
    pub fn carried(&self, keys: &BTreeMap<Key, Key>) -> Budget {
        let mut budget = self.clone();
        for reservation in &mut budget.reservations {
            (reservation.id, reservation.run) = (None, keys[&reservation.run]);
        }
        budget.units.values_mut().for_each(|unit| unit.wake = None);
        budget
    }
}

impl Oracle {
    fn budget(&mut self, key: Key) -> &mut Budget {
        let root = self.runs[key].root;
        self.budgets.entry(root).or_default()
    }

    /// The first of these amounts that has no room now.
    pub fn short(&self, key: Key, room: &[(String, i64)]) -> Option<(String, i64)> {
        let budget = self.budgets.get(&self.runs[key].root)?;
        let is_short = |(unit, amount): &&(String, i64)| {
            budget.units.get(unit).and_then(Unit::room).is_some_and(|room| room < *amount)
        };
        room.iter().find(is_short).cloned()
    }

    /// P27. `id` is the id that a new reservation got.
    fn reserve(
        &mut self,
        attempt: &mut Attempt,
        step: Option<&Step>,
        (amounts, source): (&Amounts, Option<&str>),
        id: &str,
    ) -> Said {
        if let Err(said) = self.may_go_on(attempt) {
            return said;
        }
        let (key, number) = (attempt.run, attempt.number);
        let step_named = step.map(|step| (step.name.clone(), step.occurrence));
        let named = match source {
            Some(source) => format!("{step_named:?} {source:?}"),
            None => format!("{step_named:?} {:?}", amounts.keys().collect::<Vec<_>>()),
        };
        let is_it = |known: &&Reservation| {
            (known.run, known.number) == (key, number) && known.source.as_deref() == source
        };
        let known =
            self.budget(key).reservations.iter().find(|known| source.is_some() && is_it(known));
        if let Some(known) = known {
            let answer = (EXISTS, known.id.clone().unwrap_or_default());
            attempt.rooms.remove(&named);
            return answer;
        }
        let asked: Vec<(String, i64)> = amounts.clone().into_iter().collect();
        if self.short(key, &asked).is_some() {
            let budget = self.budget(key);
            let is_limited = |(unit, _): &(String, i64)| {
                budget.units.get(unit).is_some_and(|u| u.limit.is_some())
            };
            let room = asked.into_iter().filter(is_limited).collect();
            attempt.rooms.insert(named, Pending::Room(room));
            return said(NO_ROOM);
        }
        let label = step.map(|step| step.label());
        self.budget(key).reservations.push(Reservation {
            id: Some(id.into()),
            run: key,
            number,
            step: step_named,
            label,
            source: source.map(str::to_owned),
            amounts: amounts.clone(),
            fate: Fate::Open,
            spent: Amounts::new(),
        });
        let changes = amounts.iter().map(|(unit, amount)| (unit.clone(), (*amount, 0))).collect();
        self.change(key, &changes);
        attempt.rooms.remove(&named);
        // Not progress.
        self.keep_lease(key, false);
        (OK, id.into())
    }

    /// Moves what is reserved and spent; warns and wakes.
    fn change(&mut self, key: Key, changes: &BTreeMap<String, (i64, i64)>) {
        for (name, (reserved, spent)) in changes {
            let unit = self.budget(key).units.entry(name.clone()).or_default();
            (unit.reserved, unit.spent) = (unit.reserved + reserved, unit.spent + spent);
        }
        for (name, change) in changes.iter().filter(|(_, change)| **change != (0, 0)) {
            self.warn(key, name);
            if self.budget(key).units[name].limit.is_some() && change.0 + change.1 < 0 {
                self.wake_for_room(key, name);
            }
        }
    }

    fn warn(&mut self, key: Key, name: &str) {
        let root = self.runs[key].root;
        let Some(unit) = self.budget(key).units.get_mut(name) else { return };
        let committed = unit.reserved + unit.spent;
        if unit.is_warned || unit.warn.is_none_or(|warn| warn > committed) {
            return;
        }
        unit.is_warned = true;
        let payload = json!({"unit": name, "limit": unit.limit, "warn": unit.warn,
            "spent": unit.spent, "reserved": unit.reserved});
        self.append(root, "budget.warning", &payload.to_string(), None);
    }

    /// P30: as many as fit together, the smallest ask first.
    fn wake_for_room(&mut self, key: Key, name: &str) {
        let (root, now) = (self.runs[key].root, self.now);
        let room = self.budget(key).units[name].room();
        let waits = |(at, run): (Key, &Run)| {
            let amount = *run.rooms.get(name).filter(|_| run.root == root)?;
            (run.state == State::Waiting && room.is_some_and(|room| amount <= room))
                .then_some((amount, at))
        };
        let mut waiters: Vec<(i64, Key)> = self.runs.iter().enumerate().filter_map(waits).collect();
        waiters.sort_unstable();
        let mut left = room.unwrap_or(-1);
        let mut woken = 0;
        for (amount, at) in &waiters {
            if *amount > left {
                break;
            }
            left -= amount;
            woken += 1;
            self.runs[*at].make_ready(now);
            self.runs[*at].is_woken_for_room = true;
        }
        let wake = (woken < waiters.len()).then_some(now + PAUSE_MS);
        self.budget(key).units.get_mut(name).expect("it was looked at").wake = wake;
    }

    /// Those for whom room was left when others were woken first.
    pub fn sweep_rooms(&mut self) {
        let mut due: Vec<(i64, Key, String)> = Vec::new();
        for (root, budget) in &self.budgets {
            let wakes = budget.units.iter().filter_map(|(name, unit)| Some((unit.wake?, name)));
            let wakes = wakes.filter(|(at, _)| *at <= self.now);
            due.extend(wakes.map(|(at, name)| (at, *root, name.clone())));
        }
        due.sort_unstable();
        due.into_iter().for_each(|(_, root, name)| self.wake_for_room(root, &name));
    }

    /// P29: what an attempt that ends in order has left open, and the room that it was woken for.
    pub fn give_room_back(&mut self, key: Key) {
        self.free_open(key, Fate::GivenBack);
        self.pass_on(key);
    }

    pub fn pass_on(&mut self, key: Key) {
        if self.runs[key].is_woken_for_room {
            let names: Vec<String> = self.budget(key).units.keys().cloned().collect();
            names.iter().for_each(|name| self.wake_for_room(key, name));
        }
    }

    /// P29: what an attempt that was lost has left open is charged.
    pub fn assume(&mut self, key: Key) {
        self.free_open(key, Fate::Assumed);
    }

    fn free_open(&mut self, key: Key, fate: Fate) {
        let workflow = self.runs[key].submit.workflow.clone();
        let budget = self.budget(key);
        let mut changes: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        let open = |one: &&mut Reservation| one.run == key && one.fate == Fate::Open;
        for one in budget.reservations.iter_mut().filter(open) {
            one.fate = fate;
            for (unit, amount) in &one.amounts {
                let change = changes.entry(unit.clone()).or_default();
                change.0 -= amount;
                if fate == Fate::Assumed {
                    change.1 += amount;
                    let total = (workflow.clone(), one.label.clone(), unit.clone());
                    *budget.totals.entry(total).or_default() += amount;
                    *one.spent.entry(unit.clone()).or_default() += amount;
                }
            }
        }
        self.change(key, &changes);
    }

    /// P28, P29.
    fn settle(&mut self, id: &str, usage: &Amounts) -> Said {
        let is_gone = |root: &Key| self.runs[*root].is_gone;
        let place =
            self.budgets.iter().filter(|(root, _)| !is_gone(root)).find_map(|(root, budget)| {
                let at =
                    budget.reservations.iter().position(|one| one.id.as_deref() == Some(id))?;
                Some((*root, at))
            });
        let Some((root, at)) = place else { return said(NOT_FOUND) };
        let one = &mut self.budgets.get_mut(&root).expect("it was found").reservations[at];
        let mut changes: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        let before = match one.fate {
            Fate::Open => {
                let freed = one.amounts.iter().map(|(unit, amount)| (unit.clone(), (-amount, 0)));
                changes.extend(freed);
                Amounts::new()
            }
            Fate::Assumed => one.spent.clone(),
            Fate::Settled | Fate::GivenBack => {
                let some = |amounts: &Amounts| -> Amounts {
                    amounts.clone().into_iter().filter(|(_, amount)| *amount != 0).collect()
                };
                let is_same = some(&one.spent) == some(usage);
                return said(if is_same { OK } else { CONFLICT });
            }
        };
        one.fate = Fate::Settled;
        one.spent = usage.clone();
        let (key, label) = (one.run, one.label.clone());
        let mut spent = usage.clone();
        before.iter().for_each(|(unit, amount)| *spent.entry(unit.clone()).or_default() -= amount);
        self.spend(key, label, &spent, &mut changes);
        said(OK)
    }

    fn spend(
        &mut self,
        key: Key,
        label: Option<String>,
        spent: &Amounts,
        changes: &mut BTreeMap<String, (i64, i64)>,
    ) {
        let workflow = self.runs[key].submit.workflow.clone();
        for (unit, amount) in spent {
            changes.entry(unit.clone()).or_default().1 += amount;
            let total = (workflow.clone(), label.clone(), unit.clone());
            *self.budget(key).totals.entry(total).or_default() += amount;
        }
        self.change(key, changes);
    }

    /// A step that completes with what it used: its reservations of this attempt are settled by it.
    fn use_of_step(&mut self, attempt: &Attempt, step: &Step, usage: &Amounts) {
        let (key, number) = (attempt.run, attempt.number);
        let named = Some((step.name.clone(), step.occurrence));
        let mut changes: BTreeMap<String, (i64, i64)> = BTreeMap::new();
        let is_its = |one: &&mut Reservation| {
            (one.run, one.number, one.fate) == (key, number, Fate::Open) && one.step == named
        };
        for one in self.budget(key).reservations.iter_mut().filter(is_its) {
            (one.fate, one.spent) = (Fate::Settled, usage.clone());
            for (unit, amount) in &one.amounts {
                changes.entry(unit.clone()).or_default().0 -= amount;
            }
        }
        self.spend(key, Some(step.label()), usage, &mut changes);
    }

    pub fn complete_usage(
        &mut self,
        attempt: &mut Attempt,
        step: &mut Step,
        (result, usage): (&str, &Amounts),
    ) -> Said {
        let was_finished = step.is_finished();
        let asked = format!("complete {result} for {usage:?}");
        let answer = self.complete_step_as(attempt, step, result, asked);
        if answer.0 == OK && !was_finished {
            self.use_of_step(attempt, step, usage);
        }
        answer
    }

    fn raise(&mut self, id: &str, name: &str, delta: i64) -> Said {
        let Some(key) = self.find(id) else { return said(NOT_FOUND) };
        let unit = self.budget(key).units.get_mut(name);
        let Some((unit, limit)) = unit.and_then(|unit| unit.limit.map(|limit| (unit, limit)))
        else {
            return said(NOT_FOUND);
        };
        let raised = limit + delta;
        if raised < 0 {
            return said(INVALID);
        }
        unit.limit = Some(raised);
        unit.warn = unit.warn.map(|warn| (warn + delta).clamp(0, raised));
        if unit.warn.is_some_and(|warn| warn > unit.reserved + unit.spent) {
            unit.is_warned = false;
        }
        self.warn(key, name);
        if delta > 0 {
            self.wake_for_room(key, name);
        }
        said(OK)
    }

    fn budget_document(&self, key: Key) -> Value {
        let root = self.runs[key].root;
        let budget = self.budgets.get(&root).cloned().unwrap_or_default();
        let unit = |(name, unit): (&String, &Unit)| {
            let shown = json!({"limit": unit.limit, "warn": unit.warn, "reserved": unit.reserved,
                "spent": unit.spent, "remaining": unit.room()});
            (name.clone(), shown)
        };
        let units: serde_json::Map<String, Value> = budget.units.iter().map(unit).collect();
        let total = |((workflow, kind, unit), spent): (&(String, Option<String>, String), &i64)| {
            json!([workflow, kind, unit, spent])
        };
        let some = budget.totals.iter().filter(|(_, spent)| **spent != 0);
        let mut totals: Vec<Value> = some.map(total).collect();
        totals.sort_by_key(Value::to_string);
        json!({"root_run_id": self.runs[root].id, "units": units, "totals": totals})
    }
}

/// A document of the core in the same form: how many entries made a total is not promised.
fn budget_shown(text: &str) -> Value {
    let mut document: Value = serde_json::from_str(text).expect("a budget is JSON");
    let totals = document["totals"].as_array().expect("totals is a list").iter();
    let some = totals.filter(|total| total["spent"] != 0);
    let total =
        |total: &Value| json!([total["workflow"], total["kind"], total["unit"], total["spent"]]);
    let mut totals: Vec<Value> = some.map(total).collect();
    totals.sort_by_key(Value::to_string);
    document["totals"] = totals.into();
    document.as_object_mut().expect("a budget is an object").remove("totals_cut");
    document
}

impl Drive {
    fn some_amounts(&mut self) -> Amounts {
        let units: [&[&str]; 5] = [&["t"], &["t"], &["u"], &["t", "u"], &["free", "t"]];
        let units = self.pick(&units);
        units.iter().map(|unit| ((*unit).to_owned(), self.pick(&[1, 2, 3, 5]))).collect()
    }

    pub fn reserve(&mut self) -> Option<(Said, Said)> {
        let id = self.some_attempt()?;
        let is_open =
            |at: &usize| self.steps[*at].attempt == id && !self.steps[*at].model.is_finished();
        let open: Vec<usize> = (0..self.steps.len()).filter(is_open).collect();
        let step =
            if open.is_empty() || self.draws.below(3) == 0 { None } else { Some(self.pick(&open)) };
        let amounts = self.some_amounts();
        let source = self.maybe(3, &["s1", "s2"]);
        let text = json!(amounts).to_string();
        let held = self.held.get_mut(&id).expect("it was drawn");
        self.log.push(format!("reserve {text} in {id} of run {}: {source:?}", held.model.run));
        let of = step.map(|at| &self.steps[at].core);
        let core = held.core.reserve(of, &text, source);
        let core = answer(&core, |(code, id)| (*code, id.clone()));
        let model = self.oracle.reserve(
            &mut held.model,
            step.map(|at| &self.steps[at].model),
            (&amounts, source),
            &core.1,
        );
        if model.0 == OK {
            self.reserved.push(core.1.clone());
            self.check_lease(id);
        }
        self.compare_budget();
        Some((named(core), named(model)))
    }

    pub fn settle(&mut self) -> Option<(Said, Said)> {
        if self.reserved.is_empty() {
            return None;
        }
        let newest = self.reserved.len().saturating_sub(6);
        let newest = self.reserved[newest..].to_vec();
        let id = self.pick(&newest);
        let usage = self.maybe(3, &[()]).map_or_else(|| self.some_amounts(), |()| Amounts::new());
        let (text, at) = (json!(usage).to_string(), self.some_handle());
        self.note(format!("settle {id} with {text}"));
        let core = self.world.handles[at].store.settle(&id, &text);
        let model = self.oracle.settle(&id, &usage);
        self.touched = self.oracle.budgets.iter().find_map(|(root, budget)| {
            let is_it = |one: &Reservation| one.id.as_ref() == Some(&id);
            budget.reservations.iter().any(is_it).then_some(*root)
        });
        self.compare_budget();
        Some((super::world::plain(core), model))
    }

    pub fn complete_usage(&mut self) -> Option<(Said, Said)> {
        let at = self.some_step()?;
        let (result, usage) = (self.payload(), self.some_amounts());
        let text = json!(usage).to_string();
        let super::drive::HeldStep { core, model, attempt } = &mut self.steps[at];
        let held = self.held.get_mut(attempt).expect("a step has its attempt");
        self.log.push(format!("complete {} of attempt {attempt} for {text}", model.name));
        let core = super::world::plain(core.complete_usage(Some(result.clone()), &text));
        let model = self.oracle.complete_usage(&mut held.model, model, (&result, &usage));
        self.forget_finished(at);
        self.compare_budget();
        Some((core, model))
    }

    pub fn raise(&mut self) -> Option<(Said, Said)> {
        let (key, at) = (self.some_run()?, self.some_handle());
        let (unit, delta) = (self.pick(&["t", "t", "u", "free"]), self.pick(&[1, 3, 6, -2, -40]));
        let id = self.oracle.runs[key].id.clone();
        self.note(format!("raise {unit} of run {key} by {delta}"));
        let core = self.world.handles[at].store.budget_raise(&id, unit, delta);
        let model = self.oracle.raise(&id, unit, delta);
        self.compare_budget();
        Some((super::world::plain(core), model))
    }

    /// The budget of the tree that was touched.
    fn compare_budget(&mut self) {
        let Some(key) = self.touched else { return };
        let id = self.oracle.runs[key].id.clone();
        let core = self.world.store().budget(&id);
        if self.oracle.find(&id).is_none() {
            assert_eq!(core.err().map(|error| error.code()), Some(NOT_FOUND));
            return;
        }
        let (core, model) = (budget_shown(&core.unwrap()), self.oracle.budget_document(key));
        if core != model {
            self.refuse(&format!(
                "the budget of run {key} is\n{core}\nin the core, in the model\n{model}"
            ));
        }
    }

    pub fn compare_budgets(&mut self) {
        let touched = self.touched;
        for key in 0..self.oracle.runs.len() {
            self.touched = Some(key).filter(|key| self.oracle.runs[*key].root == *key);
            self.compare_budget();
        }
        self.touched = touched;
    }
}

/// An id is no JSON.
fn named((code, id): Said) -> Said {
    (code, format!("run_ {id}"))
}
