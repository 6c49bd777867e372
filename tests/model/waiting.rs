//! The model's side of waiting: asks of every form, parking, children.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::attempt::{Attempt, replay};
use super::oracle::{
    FAILED, Key, Mark, NONDETERMINISM, NOT_FOUND, OK, Oracle, REPLAYED, Record, SUSPEND, Said,
    Space, State, Submit, TIMEOUT, Target, Wait, said,
};

#[derive(Debug, Clone)]
pub enum Member {
    Signal(String),
    Child(String),
    Sleep(i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Sleep,
    Signal,
    Child,
    Any,
    All,
}

impl Form {
    fn space(self) -> Space {
        if self == Form::Sleep { Space::Sleep } else { Space::Await }
    }

    fn label(self) -> &'static str {
        match self {
            Form::Sleep => "sleep",
            Form::Signal => "signal",
            Form::Child => "child",
            Form::Any => "any",
            Form::All => "all",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Ask {
    pub form: Form,
    pub name: String,
    pub members: Vec<Member>,
    pub timeout: i64,
}

/// What an attempt has asked, and was answered "not yet".
#[derive(Debug, Clone)]
pub enum Pending {
    Ask(Ask),
    /// A step that backs off until then.
    Retry(i64),
    /// A reserve: of each unit so much must have room.
    Room(Vec<(String, i64)>),
}

/// A member that has come: when, and what it is.
#[derive(Clone)]
enum Source {
    Time,
    Signal(usize),
    Child(Key),
}

impl Oracle {
    /// Asks everything once more: messages that were there may have been taken since.
    pub fn park(&mut self, key: Key, asked: &[((Space, String, u32), Pending)]) {
        // Before what the attempt holds of its budget is given back.
        let left: Option<Vec<Wait>> = asked
            .iter()
            .map(|((_, _, occurrence), one)| self.wait(key, one, *occurrence))
            .collect();
        self.close_attempt(key, "suspended", None);
        let now = self.now;
        self.runs[key].is_woken_for_room = false;
        if self.runs[key].is_pause_asked {
            self.runs[key].state = State::Paused;
            self.runs[key].is_pause_asked = false;
            self.runs[key].due = now;
            return;
        }
        let Some(waits) = left else { return self.runs[key].make_ready(now) };
        let (rooms, ask_at) = self.rooms(key, asked);
        // With two awaits of all, each member wakes the run, which asks again: legal (P24).
        let is_counted = waits.iter().filter(|wait| wait.needs_all).count() == 1;
        let (mut plain, mut counted) = (BTreeSet::new(), BTreeMap::new());
        let mut after = None;
        for wait in &waits {
            for (target, needed) in &wait.targets {
                let left = self.left(key, target, *needed);
                if !wait.needs_all || !is_counted {
                    plain.insert(target.clone());
                } else if left > 0 {
                    counted.insert(target.clone(), left);
                }
            }
            after = after.or(wait.after.filter(|_| is_counted));
        }
        let wake = waits.iter().filter_map(|wait| wait.at).chain(ask_at).min();
        let run = &mut self.runs[key];
        run.rooms = rooms;
        run.state = State::Waiting;
        run.wake = wake;
        (run.plain, run.counted, run.after) = (plain, counted, after);
    }

    /// What the run waits for of its budget, and when it asks again where what it gave back itself has
    /// made the room.
    fn rooms(
        &self,
        key: Key,
        asked: &[((Space, String, u32), Pending)],
    ) -> (BTreeMap<String, i64>, Option<i64>) {
        let (mut rooms, mut ask_at) = (BTreeMap::new(), None);
        for (_, pending) in asked {
            let Pending::Room(room) = pending else { continue };
            match self.short(key, room) {
                Some((unit, amount)) => {
                    let least = rooms.entry(unit).or_insert(amount);
                    *least = amount.min(*least);
                }
                None => {
                    let pause = 100 * i64::from(self.runs[key].fence);
                    ask_at = Some(self.now + pause.min(60_000));
                }
            }
        }
        (rooms, ask_at)
    }

    /// What is left to wait for; `None` when it would be answered now.
    fn wait(&self, key: Key, pending: &Pending, occurrence: u32) -> Option<Wait> {
        let ask = match pending {
            Pending::Ask(ask) => ask,
            Pending::Room(room) => return self.short(key, room).map(|_| Wait::default()),
            Pending::Retry(at) => {
                let wait = Wait { at: Some(*at), ..Wait::default() };
                return (*at > self.now).then_some(wait);
            }
        };
        let known = self.runs[key].record(ask.form.space(), &ask.name, occurrence).cloned();
        let record = known.unwrap_or_else(|| self.new_ask(ask, occurrence));
        let come = self.come(key, ask, &record).expect("its children were found");
        let is_over = record.deadline.is_some_and(|at| at <= self.now);
        let is_answered = is_over || !choose(ask, &come).is_empty();
        (!is_answered).then(|| self.wait_for(ask, &record, &come))
    }

    /// How many of a target are still to come.
    fn left(&self, key: Key, target: &Target, needed: usize) -> usize {
        match target {
            Target::Child(child) => usize::from(!self.runs[*child].state.is_ended()),
            Target::Signal(name) => needed.saturating_sub(self.inbox(key, name).len()),
        }
    }

    fn inbox(&self, key: Key, name: &str) -> Vec<usize> {
        let signals = self.runs[key].signals.iter().enumerate();
        signals.filter(|(_, l)| l.name == name && !l.is_taken).map(|(at, _)| at).collect()
    }

    /// P22, P23, P25: every way to wait.
    pub fn ask(&mut self, attempt: &mut Attempt, ask: &Ask) -> Said {
        if let Err(said) = self.may_go_on(attempt) {
            return said;
        }
        let space = ask.form.space();
        let occurrence = attempt.next(space, &ask.name);
        let answer = self.answer(attempt, ask, occurrence);
        let asked = (space, ask.name.clone(), occurrence);
        match answer {
            Ok(answer) => {
                attempt.pass(space, &ask.name, occurrence);
                attempt.waits.remove(&asked);
                answer
            }
            Err(answer) => {
                if answer.0 == SUSPEND {
                    attempt.waits.insert(asked, Pending::Ask(ask.clone()));
                }
                answer
            }
        }
    }

    fn answer(&mut self, attempt: &Attempt, ask: &Ask, occurrence: u32) -> Result<Said, Said> {
        let (now, key) = (self.now, attempt.run);
        let known = self.runs[key].record(ask.form.space(), &ask.name, occurrence).cloned();
        if known.as_ref().is_some_and(|k| k.label.as_deref() != Some(ask.form.label())) {
            return Err(said(NONDETERMINISM));
        }
        if let Some(known) = known.as_ref().filter(|known| known.mark != Mark::Asked) {
            return Ok(if known.mark == Mark::TimedOut {
                said(TIMEOUT)
            } else {
                let (code, text) = replay(known);
                (if code == REPLAYED { OK } else { code }, text)
            });
        }
        let mut record = known.clone().unwrap_or_else(|| self.new_ask(ask, occurrence));
        let come = self.come(key, ask, &record)?;
        let chosen: Vec<(usize, i64, Source)> = choose(ask, &come);
        let is_over = record.deadline.is_some_and(|at| at <= now);
        record.took = now - record.started_at;
        if !chosen.is_empty() {
            let (mark, text) = self.take_chosen(key, ask, &chosen);
            record.mark = mark;
            let (result, error) = if mark == Mark::Failed {
                (None, Some(text.clone()))
            } else {
                (Some(text.clone()), None)
            };
            (record.result, record.error) = (result, error);
            self.note(key, record);
            return Ok((if mark == Mark::Failed { FAILED } else { OK }, text));
        }
        if is_over {
            record.mark = Mark::TimedOut;
            self.note(key, record);
            return Ok(said(TIMEOUT));
        }
        let is_fixed = record.deadline.is_some() || record.sleeps.iter().any(Option::is_some);
        if known.is_none() && is_fixed {
            record.took = 0;
            self.note(key, record);
        }
        Err(said(SUSPEND))
    }

    fn note(&mut self, key: Key, record: Record) {
        self.runs[key].put(record);
        self.keep_lease(key, true);
    }

    fn new_ask(&self, ask: &Ask, occurrence: u32) -> Record {
        let sleep = |member: &Member| match member {
            Member::Sleep(ms) => Some(self.now + ms),
            _ => None,
        };
        Record {
            space: ask.form.space(),
            name: ask.name.clone(),
            occurrence,
            mark: Mark::Asked,
            tries: 1,
            retry_at: 0,
            label: Some(ask.form.label().into()),
            input: None,
            started_at: self.now,
            took: 0,
            result: None,
            error: None,
            deadline: (ask.timeout >= 0).then(|| self.now + ask.timeout),
            sleeps: ask.members.iter().map(sleep).collect(),
        }
    }

    /// For each member when it came, if it came in time. The second mention of a signal is about the
    /// second message.
    fn come(
        &self,
        key: Key,
        ask: &Ask,
        record: &Record,
    ) -> Result<Vec<Option<(i64, Source)>>, Said> {
        let mut mentions: HashMap<&str, usize> = HashMap::new();
        let mut come = Vec::new();
        for (at, member) in ask.members.iter().enumerate() {
            let one = match member {
                Member::Sleep(_) => {
                    record.sleeps[at].filter(|due| *due <= self.now).map(|due| (due, Source::Time))
                }
                Member::Signal(name) => {
                    let rank = mentions.entry(name).or_default();
                    let signal = self.inbox(key, name).get(*rank).copied();
                    *rank += 1;
                    signal.map(|l| (self.runs[key].signals[l].sent_at, Source::Signal(l)))
                }
                Member::Child(id) => {
                    let child = self.child_of(key, id)?;
                    self.runs[child].finished_at.map(|at| (at, Source::Child(child)))
                }
            };
            come.push(one.filter(|(at, _)| record.deadline.is_none_or(|limit| *at <= limit)));
        }
        Ok(come)
    }

    /// A run may await its children, and those of the run that it was forked from, while that is there.
    fn child_of(&self, key: Key, id: &str) -> Result<Key, Said> {
        let child = self.find(id).ok_or_else(|| said(NOT_FOUND))?;
        let mut at = Some(key);
        while let Some(run) = at {
            if self.runs[child].parent == Some(run) {
                return Ok(child);
            }
            at = self.runs[run].origin.filter(|origin| !self.runs[*origin].is_gone);
        }
        Err(said(NOT_FOUND))
    }

    fn take_chosen(
        &mut self,
        key: Key,
        ask: &Ask,
        chosen: &[(usize, i64, Source)],
    ) -> (Mark, String) {
        let mut values = Vec::new();
        for (at, _, source) in chosen {
            let value = match source {
                Source::Time => Ok("null".to_owned()),
                Source::Signal(signal) => {
                    let signal = &mut self.runs[key].signals[*signal];
                    signal.is_taken = true;
                    signal.is_shown = ask.form == Form::Signal;
                    Ok(signal.payload.clone())
                }
                Source::Child(child) => {
                    let child = &self.runs[*child];
                    match child.state {
                        State::Completed => Ok(child.result.clone().unwrap_or("null".into())),
                        _ => Err(child.error.clone().unwrap_or("null".into())),
                    }
                }
            };
            values.push((*at, value));
        }
        let entry = |(at, value): &(usize, Result<String, String>)| {
            let (outcome, text) = match value {
                Ok(text) => ("ok", text),
                Err(text) => ("failed", text),
            };
            format!("{{\"index\":{at},\"outcome\":\"{outcome}\",\"value\":{text}}}")
        };
        match (ask.form, &values[0].1) {
            (Form::Any, _) => (Mark::Done, entry(&values[0])),
            (Form::All, _) => {
                let entries: Vec<String> = values.iter().map(entry).collect();
                (Mark::Done, format!("[{}]", entries.join(",")))
            }
            (_, Ok(text)) => (Mark::Done, text.clone()),
            (_, Err(text)) => (Mark::Failed, text.clone()),
        }
    }

    fn wait_for(&self, ask: &Ask, record: &Record, come: &[Option<(i64, Source)>]) -> Wait {
        let needs_all = ask.form == Form::All;
        let (mut targets, mut sleeps) = (Vec::new(), Vec::new());
        for (at, member) in ask.members.iter().enumerate().filter(|(at, _)| come[*at].is_none()) {
            match member {
                Member::Sleep(_) => sleeps.extend(record.sleeps[at]),
                Member::Signal(name) => {
                    let same = |m: &&Member| matches!(m, Member::Signal(other) if other == name);
                    let mentions = ask.members.iter().filter(same).count();
                    let needed = if needs_all { mentions } else { 1 };
                    targets.push((Target::Signal(name.clone()), needed));
                }
                Member::Child(id) => {
                    targets.push((Target::Child(self.find(id).expect("it was found")), 0));
                }
            }
        }
        let sleeps_last = sleeps.iter().copied().max();
        // Of all, a sleep answers only once nothing else is left to come.
        let sleep = match (needs_all, targets.is_empty()) {
            (false, _) => sleeps.into_iter().min(),
            (true, true) => sleeps.into_iter().max(),
            (true, false) => None,
        };
        let last = sleeps_last.filter(|_| needs_all && !targets.is_empty());
        Wait { at: sleep.into_iter().chain(record.deadline).min(), targets, needs_all, after: last }
    }

    /// P25: once per name and occurrence. `ids` are those that the core gave to the new ones.
    pub fn submit_children(
        &mut self,
        attempt: &mut Attempt,
        items: &[(String, Submit)],
        ids: &[String],
    ) -> (i32, Vec<(String, bool)>) {
        if let Err((code, _)) = self.may_go_on(attempt) {
            return (code, Vec::new());
        }
        let key = attempt.run;
        let mut answers = Vec::new();
        let mut has_new = false;
        for (at, (name, submit)) in items.iter().enumerate() {
            let occurrence = attempt.next(Space::Child, name);
            attempt.pass(Space::Child, name, occurrence);
            if let Some(known) = self.runs[key].record(Space::Child, name, occurrence) {
                let id = known.result.clone().unwrap_or_default();
                answers.push((id.trim_matches('"').to_owned(), true));
                continue;
            }
            let queue = submit.queue.clone().unwrap_or_else(|| self.runs[key].queue.clone());
            let child = self.new_run(submit, queue, Some(key), &ids[at]);
            self.add(child);
            let ask =
                Ask { form: Form::Child, name: name.clone(), members: Vec::new(), timeout: -1 };
            let result = Some(format!("\"{}\"", ids[at]));
            let record = Record {
                space: Space::Child,
                mark: Mark::Done,
                label: None,
                result,
                ..self.new_ask(&ask, occurrence)
            };
            self.runs[key].put(record);
            answers.push((ids[at].clone(), false));
            has_new = true;
        }
        if has_new {
            self.keep_lease(key, true);
        }
        let code = if answers.iter().all(|(_, existed)| *existed) { REPLAYED } else { OK };
        (code, answers)
    }
}

/// The earliest that came (ties by place), or all.
fn choose(ask: &Ask, come: &[Option<(i64, Source)>]) -> Vec<(usize, i64, Source)> {
    let ready: Vec<_> = come
        .iter()
        .enumerate()
        .filter_map(|(at, one)| one.clone().map(|(when, source)| (at, when, source)))
        .collect();
    if ask.form == Form::All {
        return if ready.len() == come.len() { ready } else { Vec::new() };
    }
    ready.into_iter().min_by_key(|(at, when, _)| (*when, *at)).into_iter().collect()
}
