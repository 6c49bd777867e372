//! Waiting: sleeps, signals, children, several of them at once.
//!
//! Every form of waiting is one thing: members, of which any or all must come true, before a
//! deadline that the first ask fixes. The answer is recorded as a step is, and replays.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::child::children_of;
use super::hold::{Lease, keep_lease, living, progress};
use super::input::{integer_in, list, object, present, word};
use super::output::{Document, document, stored, to_text};
use super::port::{
    Came, ChildState, Fence, Hold, Outcome, Port, Recorded, Signal, StepFacts, StepKind, StepRow,
    StepState, Target, Value,
};
use crate::clock::Now;
use crate::error::{Error, Result};
use crate::id::{self, Id};
use crate::limits::{
    DURATION_MS_MAX, ID_CAP, INSTANT_MS_MAX, NAME_BYTES_MAX, PAYLOAD_BYTES_MAX, WAITS_MAX,
};

/// One of the things that are waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// The next signal under a name.
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
    /// Signals and children that have not come, each named once.
    pub targets: Vec<Missing>,
    /// Whether all of the targets must come.
    pub needs_all: bool,
    /// Of all: when the last sleep among them is over.
    pub after_ms: Option<i64>,
}

/// Signals under a name, or a child, that have not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What is to come.
    pub target: Target,
    /// How many: signals of the name beside those that lie there, 1 for a child.
    pub count: u32,
}

/// Reads the list of an await: 1 to 10,000 of `{"signal"}`, `{"child"}`, `{"sleep_ms"}`.
pub fn members(waits: &str) -> Result<Vec<Member>> {
    list("waits", waits, WAITS_MAX, member)
}

fn member(entry: &str) -> Result<Member> {
    let mut members = Vec::new();
    object(entry, |key, value| {
        let kind = ["signal", "child", "sleep_ms"].into_iter().find(|known| *known == key);
        members.extend(kind.zip(present(value)));
        Ok(kind.is_some())
    })?;
    let [(key, value)] = members.as_slice() else {
        return Err(Error::invalid(format!(
            "it has {} of the keys \"signal\", \"child\" and \"sleep_ms\", it must have one",
            members.len()
        )));
    };
    match *key {
        "signal" => Ok(Member::Signal(word(key, value, NAME_BYTES_MAX)?.unwrap_or_default())),
        "child" => child_id(&word(key, value, ID_CAP)?.unwrap_or_default()).map(Member::Child),
        _ => integer_in(key, value, 0..=DURATION_MS_MAX).map(Member::Sleep),
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
    /// What is taken for it; of a sleep nothing.
    source: Option<Came>,
}

/// What an ask comes to before anything is written.
enum Verdict {
    Recorded(Answer),
    Chosen(Vec<(usize, Come)>),
    Over,
    Wait(Wait),
}

/// An ask beside what is recorded of it.
struct Case<'ask> {
    ask: &'ask Ask,
    hold: Hold,
    /// When it was first asked.
    asked_at_ms: i64,
    deadlines: Deadlines,
    /// Whether the first ask fixes something that is not recorded yet.
    needs_record: bool,
    verdict: Verdict,
}

/// Answers an ask from its record, or with what to wait for; `None` when something must be written.
pub fn look(port: &mut dyn Port, ask: &Ask, now: Now) -> Result<Option<Answer>> {
    let case = weigh(port, ask, now)?;
    Ok(match case.verdict {
        Verdict::Recorded(answer) => Some(answer),
        Verdict::Wait(wait) if !case.needs_record => Some(Answer::NotYet(wait)),
        Verdict::Wait(_) | Verdict::Chosen(_) | Verdict::Over => None,
    })
}

/// Answers an ask and records what is new of it, in one commit.
pub fn answer(port: &mut dyn Port, ask: &Ask, now: Now) -> Result<(Answer, Lease)> {
    let case = weigh(port, ask, now)?;
    let lease = match &case.verdict {
        Verdict::Wait(_) if case.needs_record => progress(port, ask.fence, &case.hold, now)?,
        Verdict::Recorded(_) | Verdict::Wait(_) => {
            keep_lease(port, ask.fence, &case.hold, case.hold.losses, now)?
        }
        Verdict::Chosen(_) | Verdict::Over => progress(port, ask.fence, &case.hold, now)?,
    };
    let row = case.row(now);
    let answer = match case.verdict {
        Verdict::Recorded(answer) => answer,
        Verdict::Chosen(chosen) => settle(port, ask, &chosen, row)?,
        Verdict::Over => {
            put(port, ask, &row.with_state(StepState::TimedOut))?;
            Answer::TimedOut
        }
        Verdict::Wait(wait) => {
            if case.needs_record {
                put(port, ask, &case.deadlines.row(row)?)?;
            }
            Answer::NotYet(wait)
        }
    };
    Ok((answer, lease))
}

/// Returns what is left to wait for, or `None` when asking again would be answered. A suspend asks
/// this, so that what wakes a run is what answers it, whatever the clocks say.
pub(super) fn left(port: &mut dyn Port, ask: &Ask, now: Now) -> Result<Option<Wait>> {
    Ok(match weigh(port, ask, now)?.verdict {
        Verdict::Wait(wait) => Some(wait),
        Verdict::Recorded(_) | Verdict::Chosen(_) | Verdict::Over => None,
    })
}

/// Checks the fence, then looks at the record and at what has come.
fn weigh<'ask>(port: &mut dyn Port, ask: &'ask Ask, now: Now) -> Result<Case<'ask>> {
    let hold = living(port, ask.fence, now)?;
    let row = port.step(ask.fence.run_key, ask.form.kind(), &ask.name, ask.occurrence)?;
    let deadlines = match &row {
        Some(row) if row.facts.state == StepState::Asked => read_deadlines(row)?,
        _ => ask.deadlines(now),
    };
    let asked_at_ms = row.as_ref().map_or(now.wall_ms, |row| row.started_at_ms);
    let needs_record = row.is_none() && deadlines.is_fixed();
    let verdict = match row.as_ref().map(|row| recorded(ask, row)).transpose()?.flatten() {
        Some(answer) => Verdict::Recorded(answer),
        None => {
            let children = children(port, ask)?;
            let come = come_true(port, ask, &children, &deadlines, now)?;
            match ask.choose(&come) {
                Some(chosen) => Verdict::Chosen(chosen),
                None if deadlines.is_over(now) => Verdict::Over,
                None => Verdict::Wait(wait_for(ask, &children, &deadlines, &come)?),
            }
        }
    };
    Ok(Case { ask, hold, asked_at_ms, deadlines, needs_record, verdict })
}

impl Case<'_> {
    fn row(&self, now: Now) -> StepRow {
        StepRow {
            name: self.ask.name.clone(),
            occurrence: self.ask.occurrence,
            facts: StepFacts {
                state: StepState::Done,
                tries: 1,
                retry_at_ms: None,
                input_hash: None,
            },
            label: Some(self.ask.form.label().into()),
            started_at_ms: self.asked_at_ms,
            took_ms: now.wall_ms.saturating_sub(self.asked_at_ms).max(0),
            error: None,
            result: None,
        }
    }
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
}

impl Deadlines {
    /// Returns whether the deadline of the whole has passed.
    fn is_over(&self, now: Now) -> bool {
        self.at_ms.is_some_and(|at| at <= now.wall_ms)
    }

    /// Returns whether the first ask fixes anything.
    fn is_fixed(&self) -> bool {
        self.at_ms.is_some() || self.sleeps.iter().any(Option::is_some)
    }

    /// Returns the record of the first ask.
    fn row(&self, row: StepRow) -> Result<StepRow> {
        let facts = StepFacts { state: StepState::Asked, retry_at_ms: self.at_ms, ..row.facts };
        Ok(StepRow { facts, result: Some(to_text(self)?), ..row })
    }

    /// Returns when a sleep among the members is over; a list that has one where the first ask had
    /// none is another list.
    fn sleep(&self, ask: &Ask, at: usize) -> Result<i64> {
        self.sleeps.get(at).copied().flatten().ok_or_else(|| {
            let Ask { name, occurrence, .. } = ask;
            let sentence = format!(
                "await {name:?} occurrence {occurrence} has a sleep at index {at}, where its first ask had none"
            );
            Error::Nondeterminism(sentence.into())
        })
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
    Ok(match row.facts.state {
        StepState::Done => Some(Answer::Ready(text(&row.result))),
        StepState::Failed => Some(Answer::Failed(text(&row.error))),
        StepState::TimedOut => Some(Answer::TimedOut),
        StepState::Asked | StepState::Started | StepState::BacksOff => None,
    })
}

fn read_deadlines(row: &StepRow) -> Result<Deadlines> {
    let sleeps: Deadlines = serde_json::from_str(row.result.as_deref().unwrap_or_default())
        .map_err(|_| Error::Corrupt("a recorded ask has no deadlines".into()))?;
    Ok(Deadlines { at_ms: row.facts.retry_at_ms, ..sleeps })
}

/// Returns whether a record of an ask fixes what the first ask did, as one from elsewhere may not.
pub(super) fn is_ask(row: &StepRow) -> bool {
    read_deadlines(row).is_ok()
}

/// How the children that are asked for stand.
type Children = HashMap<Id, ChildState>;

fn children(port: &mut dyn Port, ask: &Ask) -> Result<Children> {
    let id =
        |member: &Member| if let Member::Child(run_id) = member { Some(*run_id) } else { None };
    let run_ids: Vec<Id> = ask.members.iter().filter_map(id).collect();
    let states = children_of(port, ask.fence.run_key, &run_ids)?;
    Ok(run_ids.into_iter().zip(states).collect())
}

/// Returns for each member whether it has come true, in time: while the deadline has not passed, what
/// is there is in time, whichever clock stamped it.
fn come_true(
    port: &mut dyn Port,
    ask: &Ask,
    children: &Children,
    deadlines: &Deadlines,
    now: Now,
) -> Result<Vec<Option<Come>>> {
    let limit_ms = deadlines.at_ms.filter(|_| deadlines.is_over(now)).unwrap_or(i64::MAX);
    let mut signals = signals(port, ask)?;
    let mut come = Vec::with_capacity(ask.members.len());
    for (at, member) in ask.members.iter().enumerate() {
        let one = match member {
            Member::Sleep(_) => {
                let due_ms = deadlines.sleep(ask, at)?;
                (due_ms <= now.wall_ms).then_some(Come { at_ms: due_ms, source: None })
            }
            // The second mention of a name takes the second signal.
            Member::Signal(name) => signals.get_mut(name.as_str()).and_then(|signals| {
                signals.next().map(|signal| Come {
                    at_ms: signal.sent_at_ms,
                    source: Some(Came::Signal(signal.signal_key)),
                })
            }),
            Member::Child(run_id) => children.get(run_id).and_then(ended_child),
        };
        come.push(one.filter(|come| come.at_ms <= limit_ms));
    }
    Ok(come)
}

/// Returns the oldest signals under each name that is asked for, as many as it is mentioned.
fn signals<'ask>(
    port: &mut dyn Port,
    ask: &'ask Ask,
) -> Result<HashMap<&'ask str, std::vec::IntoIter<Signal>>> {
    let mut mentions: BTreeMap<&str, u32> = BTreeMap::new();
    for member in &ask.members {
        if let Member::Signal(name) = member {
            *mentions.entry(name).or_default() += 1;
        }
    }
    let names: Vec<(&str, u32)> = mentions.into_iter().collect();
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let signals = port.signals(ask.fence.run_key, &names)?;
    let under = |((name, _), signals): ((&'ask str, u32), Vec<Signal>)| (name, signals.into_iter());
    Ok(names.into_iter().zip(signals).map(under).collect())
}

fn ended_child(child: &ChildState) -> Option<Come> {
    let source = Some(Came::Child(child.run_key));
    child.finished_at_ms.map(|at_ms| Come { at_ms, source })
}

/// Takes what was chosen and records the answer, in one commit.
fn settle(
    port: &mut dyn Port,
    ask: &Ask,
    chosen: &[(usize, Come)],
    row: StepRow,
) -> Result<Answer> {
    let came: Vec<Came> = chosen.iter().filter_map(|(_, come)| come.source).collect();
    let taken = take(port, chosen, &came)?;
    let answer = ask.answer(&taken)?;
    let row = match &answer {
        Answer::Failed(error) => {
            StepRow { error: Some(error.clone()), ..row.with_state(StepState::Failed) }
        }
        Answer::Ready(value) => StepRow { result: Some(value.clone()), ..row },
        Answer::TimedOut | Answer::NotYet(_) => row,
    };
    put(port, ask, &row)?;
    let signal = |came: &Came| if let Came::Signal(key) = came { Some(*key) } else { None };
    let signals: Vec<i64> = came.iter().filter_map(signal).collect();
    if !signals.is_empty() {
        port.signals_take(&signals, ask.fence.run_key, &ask.name, ask.occurrence)?;
    }
    Ok(answer)
}

/// The value of a member, or the error of a child that did not complete.
type Taken = std::result::Result<String, String>;

/// Returns the values of the members that were chosen, if they fit into one answer.
fn take(
    port: &mut dyn Port,
    chosen: &[(usize, Come)],
    came: &[Came],
) -> Result<Vec<(usize, Taken)>> {
    let most = usize::try_from(PAYLOAD_BYTES_MAX).unwrap_or(usize::MAX);
    let values = if came.is_empty() { Vec::new() } else { port.values(came, most)? };
    let is_cut = values.len() < came.len();
    let mut values = values.into_iter().map(value);
    let (mut taken, mut bytes) = (Vec::with_capacity(chosen.len()), 0);
    for (at, come) in chosen {
        let value = match come.source {
            None => Ok("null".to_owned()),
            Some(_) => match values.next() {
                Some(value) => value,
                None => break,
            },
        };
        bytes += value.as_ref().map_or_else(String::len, String::len);
        taken.push((*at, value));
    }
    if is_cut || bytes > most {
        return Err(Error::TooBig(
            format!("the answers of an await have {bytes} bytes and more together, at most {PAYLOAD_BYTES_MAX} are allowed").into(),
        ));
    }
    Ok(taken)
}

fn value(value: Value) -> Taken {
    let null = || "null".to_owned();
    match value {
        Value::Signal(payload) => Ok(payload),
        Value::Child(end) if end.outcome == Outcome::Completed => {
            Ok(end.result.unwrap_or_else(null))
        }
        Value::Child(end) => Err(end.error.unwrap_or_else(null)),
    }
}

/// One member of the answer of an any or all.
#[derive(Serialize)]
struct Entry<'text> {
    index: usize,
    outcome: &'static str,
    value: &'text RawValue,
}

impl Document for Vec<Entry<'_>> {
    const SHAPE: &'static str = "came_all";
}

impl Document for Entry<'_> {
    const SHAPE: &'static str = "came";
}

fn entry((index, taken): &(usize, Taken)) -> Result<Entry<'_>> {
    let (outcome, text) = match taken {
        Ok(value) => ("ok", value),
        Err(error) => ("failed", error),
    };
    Ok(Entry { index: *index, outcome, value: stored(text)? })
}

impl Ask {
    fn answer(&self, taken: &[(usize, Taken)]) -> Result<Answer> {
        let entries = || taken.iter().map(entry).collect::<Result<Vec<_>>>();
        Ok(match self.form {
            Form::Any => Answer::Ready(document(&entries()?[0])?),
            Form::All => Answer::Ready(document(&entries()?)?),
            Form::Sleep | Form::Signal | Form::Child => match &taken[0].1 {
                Ok(value) => Answer::Ready(value.clone()),
                Err(error) => Answer::Failed(error.clone()),
            },
        })
    }
}

fn put(port: &mut dyn Port, ask: &Ask, row: &StepRow) -> Result<()> {
    match port.step_record(ask.fence.run_key, ask.form.kind(), row)? {
        Recorded::New => Ok(()),
        Recorded::Stored(_) => {
            Err(Error::internal(format!("await {:?} was answered twice", ask.name)))
        }
    }
}

/// Returns what is left to wait for.
fn wait_for(
    ask: &Ask,
    children: &Children,
    deadlines: &Deadlines,
    come: &[Option<Come>],
) -> Result<Wait> {
    let mut sleeps = Vec::new();
    let mut names: BTreeMap<&str, Missing> = BTreeMap::new();
    let mut open = BTreeSet::new();
    for (at, member) in ask.members.iter().enumerate() {
        match (member, &come[at]) {
            (Member::Signal(name), come) => {
                let missing = names
                    .entry(name)
                    .or_insert_with(|| Missing { target: Target::Signal(name.clone()), count: 0 });
                missing.count += u32::from(come.is_none());
            }
            (_, Some(_)) => {}
            (Member::Sleep(_), None) => sleeps.push(deadlines.sleep(ask, at)?),
            (Member::Child(run_id), None) => {
                open.extend(children.get(run_id).map(|child| child.run_key));
            }
        }
    }
    let mut targets: Vec<Missing> =
        names.into_values().filter(|missing| missing.count > 0).collect();
    let child = |key| Missing { target: Target::Child(key), count: 1 };
    targets.extend(open.into_iter().map(child));
    Ok(ask.wait(targets, &sleeps, deadlines.at_ms))
}

impl Ask {
    /// Of any, the first sleep answers; of all the last, and only once nothing else is to come.
    fn wait(&self, targets: Vec<Missing>, sleeps: &[i64], deadline_ms: Option<i64>) -> Wait {
        let needs_all = self.form == Form::All;
        let last = sleeps.iter().copied().max().filter(|_| needs_all);
        let first = if needs_all { last } else { sleeps.iter().copied().min() };
        let sleep = first.filter(|_| !needs_all || targets.is_empty());
        let at_ms = [sleep, deadline_ms].into_iter().flatten().min();
        Wait { at_ms, after_ms: last.filter(|_| !targets.is_empty()), targets, needs_all }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask_of(form: Form, members: Vec<Member>) -> Ask {
        let fence = Fence { run_key: 1, number: 1, token: 0 };
        Ask { fence, form, name: "a".into(), occurrence: 1, members, timeout_ms: -1 }
    }

    fn at(at_ms: i64) -> Option<Come> {
        Some(Come { at_ms, source: None })
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
        for bad in [
            "[]",
            "{}",
            r#"[{"signal":"a","sleep_ms":1}]"#,
            r#"[{"x":1}]"#,
            "[{}]",
            r#"[{"signal":""}]"#,
        ] {
            assert_eq!(members(bad).unwrap_err().code(), -2, "{bad}");
        }
        let error = members(r#"[{"signal":"a"},{"sleep_ms":-5}]"#).unwrap_err();
        assert_eq!(error.to_string(), "waits[1]: sleep_ms is -5, it must be 0 to 3162240000000");
    }
}
