//! Waiting: sleeps, messages, children, several of them at once; parking a run, and waking it.
//!
//! Every form of waiting is one thing: members, of which any or all must come true, before a
//! deadline that the first ask fixes. The answer is recorded as a step is, and replays.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::attempt::{
    Finish, close_attempt, fenced, held_task, leave, progress, stop_error, stop_run,
};
use super::child::child_of;
use super::engine_error;
use super::port::{
    Ended, Fence, Outcome, Port, RunKey, StepKind, StepRow, StepState, Target, TaskState,
};
use crate::clock::Now;
use crate::error::{Error, Result};
use crate::id::{self, Id};
use crate::limits::{DURATION_MS_MAX, INSTANT_MS_MAX, NAME_BYTES_MAX, WAITS_MAX};

/// One of the things that are waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// The next message under a name.
    Signal(String),
    /// The end of a child.
    Child(Id),
    /// Milliseconds from the first ask.
    Sleep(i64),
}

/// What the caller asked, and so how the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `sw_sleep`.
    Sleep,
    /// `sw_signal_await`.
    Signal,
    /// `sw_child_await`.
    Child,
    /// `sw_await_any`.
    Any,
    /// `sw_await_all`.
    All,
}

impl Form {
    /// Returns the label under which it is recorded.
    pub const fn label(self) -> &'static str {
        match self {
            Form::Sleep => "sleep",
            Form::Signal => "signal",
            Form::Child => "child",
            Form::Any => "any",
            Form::All => "all",
        }
    }

    /// Returns the name space that it counts in.
    pub const fn kind(self) -> StepKind {
        match self {
            Form::Sleep => StepKind::Sleep,
            Form::Signal | Form::Child | Form::Any | Form::All => StepKind::Await,
        }
    }
}

/// A question, with the occurrence that it means.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Who asks.
    pub fence: Fence,
    /// What was called.
    pub form: Form,
    /// Name.
    pub name: String,
    /// Occurrence of the name, from 1.
    pub occurrence: u32,
    /// What is waited for.
    pub members: Vec<Member>,
    /// Milliseconds from the first ask; -1 without limit.
    pub timeout_ms: i64,
}

/// What an ask comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It came true; JSON of what came.
    Ready(String),
    /// The child failed or was cancelled; JSON of its error.
    Failed(String),
    /// The deadline passed first.
    TimedOut,
    /// Not yet: this is what to wait for.
    NotYet(Wait),
}

/// What wakes a run that waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wait {
    /// The earliest moment at which time alone answers, Unix milliseconds.
    pub at_ms: Option<i64>,
    /// Messages and children that have not come.
    pub targets: Vec<Target>,
    /// Whether all of the targets must come.
    pub needs_all: bool,
}

/// One entry of the list that `sw_await_any` and `sw_await_all` take.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberText {
    signal: Option<String>,
    child: Option<String>,
    sleep_ms: Option<i64>,
}

/// Reads the list of an await: 1 to 10,000 of `{"signal"}`, `{"child"}`, `{"sleep_ms"}`.
pub fn members(waits: &str) -> Result<Vec<Member>> {
    let list: Vec<MemberText> =
        serde_json::from_str(waits).map_err(|error| Error::invalid(format!("waits: {error}")))?;
    if list.is_empty() || list.len() > WAITS_MAX {
        return Err(Error::invalid(format!(
            "waits has {} entries, it must have 1 to {WAITS_MAX}",
            list.len()
        )));
    }
    list.into_iter().enumerate().map(|(at, entry)| entry.member(at)).collect()
}

impl MemberText {
    fn member(self, at: usize) -> Result<Member> {
        match (self.signal, self.child, self.sleep_ms) {
            (Some(name), None, None) if (1..=NAME_BYTES_MAX).contains(&name.len()) => {
                Ok(Member::Signal(name))
            }
            (None, Some(run_id), None) => child_id(&run_id).map(Member::Child),
            (None, None, Some(ms)) if (0..=DURATION_MS_MAX).contains(&ms) => Ok(Member::Sleep(ms)),
            _ => Err(Error::invalid(format!(
                "waits[{at}] must be one of {{\"signal\": a name of 1 to {NAME_BYTES_MAX} bytes}}, \
                 {{\"child\": a run id}}, {{\"sleep_ms\": 0 to {DURATION_MS_MAX}}}"
            ))),
        }
    }
}

/// Reads the id of a run that should be a child.
pub fn child_id(run_id: &str) -> Result<Id> {
    id::parse("run", run_id)
        .ok_or_else(|| Error::NotFound(format!("no run has the id {run_id:?}").into()))
}

/// When an ask was first made, as recorded.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Deadlines {
    /// Of the whole.
    #[serde(skip)]
    at_ms: Option<i64>,
    /// Of each sleep, by its place among the members.
    sleeps: Vec<Option<i64>>,
}

/// A member that has come true.
#[derive(Debug, Clone)]
struct Come {
    at_ms: i64,
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    Time,
    Letter(i64),
    Child(RunKey),
}

/// Answers an ask: from its record, from what has come true, or with what to wait for. `None` says
/// that the answer must be written and this transaction only reads.
pub fn ask(port: &mut dyn Port, ask: &Ask, can_write: bool, now: Now) -> Result<Option<Answer>> {
    let hold = fenced(port, ask.fence)?;
    if let Some(ended) = hold.must_end(now.wall_ms) {
        return Err(stop_error(ended));
    }
    if can_write {
        progress(port, ask.fence, &hold, now)?;
    }
    let row = port.step(ask.fence.run_key, ask.form.kind(), &ask.name, ask.occurrence)?;
    if let Some(answer) = row.as_ref().map(|row| recorded(ask, row)).transpose()?.flatten() {
        return Ok(Some(answer));
    }
    let deadlines = match &row {
        Some(row) => read_deadlines(row)?,
        None => ask.deadlines(now),
    };
    let come = come_true(port, ask, &deadlines, now)?;
    if let Some(chosen) = ask.choose(&come) {
        return if can_write { settle(port, ask, &chosen, now).map(Some) } else { Ok(None) };
    }
    let is_over = deadlines.at_ms.is_some_and(|at| at <= now.wall_ms);
    let needs_record = row.is_none() && deadlines.is_fixed();
    if !can_write && (is_over || needs_record) {
        return Ok(None);
    }
    if is_over {
        put(port, ask, StepRow { state: StepState::TimedOut, ..ask.row(now) })?;
        return Ok(Some(Answer::TimedOut));
    }
    if needs_record {
        put(port, ask, ask.asked_row(&deadlines, now)?)?;
    }
    wait_for(port, ask, &deadlines, &come).map(|wait| Some(Answer::NotYet(wait)))
}

impl Ask {
    fn deadlines(&self, now: Now) -> Deadlines {
        let after = |ms: i64| now.wall_ms.saturating_add(ms).min(INSTANT_MS_MAX);
        let sleeps = self.members.iter().map(|member| match member {
            Member::Sleep(ms) => Some(after(*ms)),
            Member::Signal(_) | Member::Child(_) => None,
        });
        let at_ms = (self.timeout_ms >= 0).then(|| after(self.timeout_ms));
        Deadlines { at_ms, sleeps: sleeps.collect() }
    }

    /// Returns which members answer: the earliest (ties by place), or all in order.
    fn choose(&self, come: &[Option<Come>]) -> Option<Vec<(usize, Come)>> {
        let ready = come.iter().enumerate().filter_map(|(at, come)| Some((at, come.clone()?)));
        if self.form == Form::All {
            let all: Vec<_> = ready.collect();
            return (all.len() == come.len()).then_some(all);
        }
        ready.min_by_key(|(at, come)| (come.at_ms, *at)).map(|first| vec![first])
    }

    fn row(&self, now: Now) -> StepRow {
        StepRow {
            name: self.name.clone(),
            occurrence: self.occurrence,
            state: StepState::Done,
            tries: 1,
            retry_at_ms: None,
            label: Some(self.form.label().into()),
            input_hash: None,
            started_at_ms: now.wall_ms,
            took_ms: 0,
            error: None,
            result: None,
        }
    }

    fn asked_row(&self, deadlines: &Deadlines, now: Now) -> Result<StepRow> {
        let sleeps = serde_json::to_string(deadlines)
            .map_err(|error| Error::internal(format!("deadlines could not be written: {error}")))?;
        Ok(StepRow {
            state: StepState::Asked,
            retry_at_ms: deadlines.at_ms,
            result: Some(sleeps),
            ..self.row(now)
        })
    }
}

impl Deadlines {
    /// Returns whether the first ask fixes anything.
    fn is_fixed(&self) -> bool {
        self.at_ms.is_some() || self.sleeps.iter().any(Option::is_some)
    }
}

/// Reads an answer that was recorded; `None` when only the ask was.
pub fn recorded(ask: &Ask, row: &StepRow) -> Result<Option<Answer>> {
    if row.label.as_deref() != Some(ask.form.label()) {
        return Err(Error::Nondeterminism(
            format!(
                "await {:?} occurrence {} was recorded as {:?}, it is asked as {:?}",
                ask.name,
                ask.occurrence,
                row.label.as_deref().unwrap_or_default(),
                ask.form.label()
            )
            .into(),
        ));
    }
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "null".into());
    Ok(match row.state {
        StepState::Done => Some(Answer::Ready(text(&row.result))),
        StepState::Failed => Some(Answer::Failed(text(&row.error))),
        StepState::TimedOut => Some(Answer::TimedOut),
        StepState::Asked | StepState::Started | StepState::BacksOff => None,
    })
}

fn read_deadlines(row: &StepRow) -> Result<Deadlines> {
    let sleeps: Deadlines = serde_json::from_str(row.result.as_deref().unwrap_or_default())
        .map_err(|_| Error::Corrupt("a recorded ask has no deadlines".into()))?;
    Ok(Deadlines { at_ms: row.retry_at_ms, ..sleeps })
}

/// Returns for each member whether it has come true, in time.
fn come_true(
    port: &mut dyn Port,
    ask: &Ask,
    deadlines: &Deadlines,
    now: Now,
) -> Result<Vec<Option<Come>>> {
    let limit_ms = deadlines.at_ms.unwrap_or(i64::MAX);
    let mut come = Vec::with_capacity(ask.members.len());
    for (at, member) in ask.members.iter().enumerate() {
        let one = match member {
            Member::Sleep(_) => {
                let due = deadlines.sleeps.get(at).copied().flatten().unwrap_or(i64::MAX);
                (due <= now.wall_ms).then_some(Come { at_ms: due, source: Source::Time })
            }
            Member::Signal(name) => letter(port, ask, at, name)?,
            Member::Child(run_id) => ended_child(port, ask.fence.run_key, *run_id)?,
        };
        come.push(one.filter(|come| come.at_ms <= limit_ms));
    }
    Ok(come)
}

/// Returns the message that a member takes: the second mention of a name takes the second message.
fn letter(port: &mut dyn Port, ask: &Ask, at: usize, name: &str) -> Result<Option<Come>> {
    let is_same = |member: &&Member| matches!(member, Member::Signal(other) if other == name);
    let rank = ask.members[..at].iter().filter(is_same).count();
    let limit = u32::try_from(rank + 1).unwrap_or(u32::MAX);
    let letters = port.letters(ask.fence.run_key, name, limit)?;
    Ok(letters
        .get(rank)
        .map(|letter| Come { at_ms: letter.sent_at_ms, source: Source::Letter(letter.signal_key) }))
}

fn ended_child(port: &mut dyn Port, parent_key: RunKey, run_id: Id) -> Result<Option<Come>> {
    let child = child_of(port, parent_key, run_id)?;
    Ok(child.finished_at_ms.map(|at_ms| Come { at_ms, source: Source::Child(child.run_key) }))
}

/// Takes what was chosen and records the answer, in one commit.
fn settle(port: &mut dyn Port, ask: &Ask, chosen: &[(usize, Come)], now: Now) -> Result<Answer> {
    let mut taken = Vec::with_capacity(chosen.len());
    for (at, come) in chosen {
        taken.push((*at, take(port, ask.fence.run_key, &come.source)?));
    }
    let answer = ask.answer(&taken)?;
    let row = match &answer {
        Answer::Failed(error) => {
            StepRow { state: StepState::Failed, error: Some(error.clone()), ..ask.row(now) }
        }
        Answer::Ready(value) => StepRow { result: Some(value.clone()), ..ask.row(now) },
        Answer::TimedOut | Answer::NotYet(_) => ask.row(now),
    };
    put(port, ask, row)?;
    Ok(answer)
}

/// The value of a member, or the error of a child that did not complete.
type Taken = std::result::Result<String, String>;

fn take(port: &mut dyn Port, run_key: RunKey, source: &Source) -> Result<Taken> {
    match source {
        Source::Time => Ok(Ok("null".into())),
        Source::Letter(signal_key) => port.letter_take(*signal_key, run_key).map(Ok),
        Source::Child(child_key) => {
            let end = port.run_end(*child_key)?;
            let end = end.ok_or_else(|| Error::internal("an ended child is open"))?;
            let null = || "null".to_owned();
            Ok(if end.outcome == Outcome::Completed {
                Ok(end.result.unwrap_or_else(null))
            } else {
                Err(end.error.unwrap_or_else(null))
            })
        }
    }
}

/// One member of the answer of an any or all.
#[derive(Serialize)]
struct Entry<'text> {
    index: usize,
    outcome: &'static str,
    value: &'text RawValue,
}

impl Ask {
    fn answer(&self, taken: &[(usize, Taken)]) -> Result<Answer> {
        let corrupt = |error: serde_json::Error| {
            Error::Corrupt(format!("a stored payload is not JSON: {error}").into())
        };
        let entries = || {
            let entry = |(index, taken): &'_ (usize, Taken)| {
                let (outcome, text) = match taken {
                    Ok(value) => ("ok", value),
                    Err(error) => ("failed", error),
                };
                let value = serde_json::from_str::<Box<RawValue>>(text)?;
                serde_json::to_string(&Entry { index: *index, outcome, value: &value })
            };
            taken.iter().map(entry).collect::<serde_json::Result<Vec<_>>>().map_err(corrupt)
        };
        Ok(match self.form {
            Form::Any => Answer::Ready(entries()?.concat()),
            Form::All => Answer::Ready(format!("[{}]", entries()?.join(","))),
            Form::Sleep | Form::Signal | Form::Child => match &taken[0].1 {
                Ok(value) => Answer::Ready(value.clone()),
                Err(error) => Answer::Failed(error.clone()),
            },
        })
    }
}

fn put(port: &mut dyn Port, ask: &Ask, row: StepRow) -> Result<()> {
    if port.step_record(ask.fence.run_key, ask.form.kind(), &row)? {
        return Ok(());
    }
    Err(Error::internal(format!("await {:?} was answered twice", ask.name)))
}

/// Returns what is left to wait for.
fn wait_for(
    port: &mut dyn Port,
    ask: &Ask,
    deadlines: &Deadlines,
    come: &[Option<Come>],
) -> Result<Wait> {
    let mut wait = Wait { needs_all: ask.form == Form::All, ..Wait::default() };
    let mut sleeps = Vec::new();
    for (at, member) in ask.members.iter().enumerate().filter(|(at, _)| come[*at].is_none()) {
        match member {
            Member::Sleep(_) => sleeps.extend(deadlines.sleeps.get(at).copied().flatten()),
            Member::Signal(name) => wait.targets.push(Target::Signal(name.clone())),
            Member::Child(run_id) => {
                let child = child_of(port, ask.fence.run_key, *run_id)?;
                wait.targets.push(Target::Child(child.run_key));
            }
        }
    }
    // Of all, the last sleep answers, and only once nothing else is left to come.
    let sleep = match (wait.needs_all, wait.targets.is_empty()) {
        (false, _) => sleeps.into_iter().min(),
        (true, true) => sleeps.into_iter().max(),
        (true, false) => None,
    };
    wait.at_ms = [sleep, deadlines.at_ms].into_iter().flatten().min();
    Ok(wait)
}

/// Parks a run on what its attempt waits for, after looking once more; it is claimable as soon as
/// any of that comes true (P24).
pub fn suspend(port: &mut dyn Port, fence: Fence, waits: &[Wait], now: Now) -> Result<Finish> {
    let task = match held_task(port, fence) {
        Ok(task) => task,
        Err(lost @ Error::LeaseLost(_)) => return suspended_before(port, fence)?.ok_or(lost),
        Err(other) => return Err(other),
    };
    if let Some(ended) = task.must_end(now.wall_ms) {
        close_attempt(port, &task, ended, None, now)?;
        stop_run(port, &task, ended, now)?;
        return Ok(Finish::Stopped(ended));
    }
    if waits.is_empty() {
        return Err(Error::conflict(
            "nothing that the attempt asked answered SW_SUSPEND: there is nothing to wait for",
        ));
    }
    close_attempt(port, &task, Ended::Suspended, None, now)?;
    let is_limited = leave(port, &task)?;
    let mut is_ready = false;
    for wait in waits {
        is_ready = is_ready || has_come(port, fence.run_key, wait, now)?;
    }
    let has_news = is_limited || (is_ready && !task.is_pause_asked);
    if task.is_pause_asked {
        port.task_yield(&super::port::Task { state: TaskState::Paused, ..task })?;
    } else if is_ready {
        port.task_yield(&super::port::Task {
            state: TaskState::Ready,
            due_at_ms: now.wall_ms,
            ..task
        })?;
    } else {
        park(port, fence.run_key, waits)?;
    }
    Ok(Finish::Suspended { has_news })
}

fn suspended_before(port: &mut dyn Port, fence: Fence) -> Result<Option<Finish>> {
    let ended = port.attempt_ended(fence.run_key, fence.number)?.map(|attempt| attempt.ended);
    Ok(match ended {
        Some(Ended::Suspended) => Some(Finish::Suspended { has_news: true }),
        Some(ended @ (Ended::Cancelled | Ended::TimedOut)) => Some(Finish::Stopped(ended)),
        _ => None,
    })
}

/// Returns whether something waited for has come since it was asked.
fn has_come(port: &mut dyn Port, run_key: RunKey, wait: &Wait, now: Now) -> Result<bool> {
    if wait.at_ms.is_some_and(|at| at <= now.wall_ms) {
        return Ok(true);
    }
    let mut missing = wait.targets.len();
    for target in &wait.targets {
        let is_there = match target {
            Target::Signal(name) => !port.letters(run_key, name, 1)?.is_empty(),
            Target::Child(child_key) => port.task(*child_key)?.is_none(),
        };
        if is_there && !wait.needs_all {
            return Ok(true);
        }
        missing -= usize::from(is_there);
    }
    Ok(missing == 0 && !wait.targets.is_empty())
}

fn park(port: &mut dyn Port, run_key: RunKey, waits: &[Wait]) -> Result<()> {
    // One countdown per task: with two awaits of all, each member wakes the run, which asks again.
    let is_counted = waits.iter().filter(|wait| wait.needs_all).count() == 1;
    let mut counted = std::collections::HashSet::new();
    for wait in waits {
        for target in &wait.targets {
            let counts = wait.needs_all && is_counted && !is_there_yet(port, run_key, target)?;
            if wait.needs_all && is_counted && !counts {
                continue;
            }
            if counts && !counted.insert(target.clone()) {
                continue;
            }
            port.wait_insert(run_key, target, counts)?;
        }
    }
    let wake_at_ms = waits.iter().filter_map(|wait| wait.at_ms).min();
    port.task_park(run_key, wake_at_ms, u32::try_from(counted.len()).unwrap_or(u32::MAX))
}

fn is_there_yet(port: &mut dyn Port, run_key: RunKey, target: &Target) -> Result<bool> {
    match target {
        Target::Signal(name) => Ok(!port.letters(run_key, name, 1)?.is_empty()),
        Target::Child(child_key) => Ok(port.task(*child_key)?.is_none()),
    }
}

/// Wakes whoever waits for something that has come.
pub fn wake(port: &mut dyn Port, run_key: RunKey, target: &Target, now: Now) -> Result<()> {
    for (waiter, is_counted) in port.waits_take(run_key, target)? {
        if !is_counted || port.wait_count_down(waiter)? == 0 {
            port.task_wake(waiter, now.wall_ms)?;
        }
    }
    Ok(())
}

/// Sends a message to an open run; answers `false` when its idempotency key was used before (P23).
pub fn send(
    port: &mut dyn Port,
    run_id: &str,
    name: &str,
    payload: &str,
    key: Option<&str>,
    now: Now,
) -> Result<bool> {
    let not_found = || Error::NotFound(format!("no run has the id {run_id:?}").into());
    let id = id::parse("run", run_id).ok_or_else(not_found)?;
    let run_key = port.run_by_id(id)?.ok_or_else(not_found)?;
    if let Some(key) = key
        && port.letter_exists(run_key, name, key)?
    {
        return Ok(false);
    }
    if port.task(run_key)?.is_none() {
        return Err(Error::conflict(format!("{run_id} has ended, it takes no more signals")));
    }
    port.letter_insert(run_key, name, key, payload, now.wall_ms)?;
    wake(port, run_key, &Target::Signal(name.into()), now)?;
    Ok(true)
}

/// Returns the error that a run stores when it is cancelled.
pub fn cancel_error(reason: Option<&str>) -> String {
    match reason {
        None => engine_error("cancelled", "the run was cancelled"),
        Some(reason) => format!(
            "{{\"$smolwf\":\"cancelled\",\"message\":\"the run was cancelled\",\"reason\":{reason}}}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask_of(form: Form, members: Vec<Member>) -> Ask {
        let fence = Fence { run_key: 1, number: 1 };
        Ask { fence, form, name: "a".into(), occurrence: 1, members, timeout_ms: -1 }
    }

    fn at(at_ms: i64) -> Option<Come> {
        Some(Come { at_ms, source: Source::Time })
    }

    #[test]
    fn of_any_the_earliest_is_chosen_and_ties_go_by_place() {
        let ask = ask_of(Form::Any, vec![]);
        let chosen = ask.choose(&[at(7), None, at(3), at(3)]).unwrap();
        assert_eq!(chosen[0].0, 2);
        assert!(ask.choose(&[None, None]).is_none());
    }

    #[test]
    fn all_are_chosen_only_together() {
        let ask = ask_of(Form::All, vec![]);
        assert!(ask.choose(&[at(7), None]).is_none());
        assert_eq!(ask.choose(&[at(7), at(1)]).unwrap().len(), 2);
    }

    #[test]
    fn an_answer_is_written_in_the_form_that_was_asked() {
        let taken = [(1, Ok("[ 1 ]".to_owned())), (2, Err("\"no\"".to_owned()))];
        let any = ask_of(Form::Any, vec![]).answer(&taken[..1]).unwrap();
        assert_eq!(any, Answer::Ready(r#"{"index":1,"outcome":"ok","value":[ 1 ]}"#.into()));
        let all = ask_of(Form::All, vec![]).answer(&taken).unwrap();
        let Answer::Ready(text) = all else { panic!("{all:?}") };
        assert!(text.ends_with(r#",{"index":2,"outcome":"failed","value":"no"}]"#), "{text}");
        let child = ask_of(Form::Child, vec![]).answer(&taken[1..]).unwrap();
        assert_eq!(child, Answer::Failed("\"no\"".into()));
    }

    #[test]
    fn a_list_of_waits_names_the_entry_that_is_wrong() {
        assert_eq!(members(r#"[{"signal":"a"},{"sleep_ms":5}]"#).unwrap().len(), 2);
        for bad in ["[]", "{}", r#"[{"signal":"a","sleep_ms":1}]"#, r#"[{"x":1}]"#, "[{}]"] {
            assert_eq!(members(bad).unwrap_err().code(), -2, "{bad}");
        }
        let error = members(r#"[{"signal":"a"},{"sleep_ms":-5}]"#).unwrap_err();
        assert!(error.to_string().contains("waits[1]"), "{error}");
    }
}
