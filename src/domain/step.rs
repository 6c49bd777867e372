//! Steps: which occurrence a call means, whether it runs or replays, and what it records.

use std::collections::BTreeSet;

use hashbrown::HashMap;

use super::attempt::{AfterFail, FailOptions};
use super::budget::{self, OfStep};
use super::hold::{Lease, fenced, keep_lease, must_stop, progress};
use super::input::in_range;
use super::output::engine_error;
use super::port::{Amounts, Fence, Hold, Port, Recorded, StepFacts, StepKind, StepRow, StepState};
use super::{Backoff, Durability};
use crate::clock::Now;
use crate::error::{Error, Result};
use crate::json::hex;
use crate::limits::{
    BACKOFF_INITIAL_MS_DEFAULT, BACKOFF_MAX_MS_DEFAULT, BACKOFF_PERCENT_DEFAULT, DURATION_MS_MAX,
    INSTANT_MS_MAX, OCCURRENCE_MAX, STEP_TRIES_DEFAULT, TRIES_MAX,
};

/// What a host asks for when it begins a step; 0 and `None` are the defaults.
#[derive(Debug, Clone, Default)]
pub struct Begin {
    /// Name of the step.
    pub name: String,
    /// JSON whose hash must be the same on replay.
    pub input: Option<String>,
    /// The host's label, such as "agent".
    pub kind: Option<String>,
    /// Occurrence of the name, from 1; 0 is automatic.
    pub occurrence: u32,
    /// How durable its records are.
    pub durability: Durability,
    /// Tries before it fails for good.
    pub max_tries: u32,
    /// Milliseconds before the second try.
    pub backoff_initial_ms: i64,
    /// Milliseconds between two tries at most.
    pub backoff_max_ms: i64,
    /// Record the start.
    pub is_tracked: bool,
    /// May begin on a run that was cancelled.
    pub is_cleanup: bool,
}

/// The policy and labels of one begun step, checked, with defaults filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The host's label.
    pub label: Option<String>,
    /// First half of the BLAKE3 of the canonical input.
    pub input_hash: Option<[u8; 16]>,
    /// Tries before it fails for good.
    pub max_tries: u32,
    /// How tries are spaced.
    pub backoff: Backoff,
    /// How durable its records are.
    pub durability: Durability,
    /// Record the start.
    pub is_tracked: bool,
    /// May begin on a run that was cancelled.
    pub is_cleanup: bool,
}

impl Begin {
    /// Refuses numbers outside their range and inputs without a canonical form.
    pub fn plan(&self) -> Result<Plan> {
        in_range("occurrence", i64::from(self.occurrence), i64::from(OCCURRENCE_MAX))?;
        in_range("max_tries", i64::from(self.max_tries), i64::from(TRIES_MAX))?;
        in_range("backoff_initial_ms", self.backoff_initial_ms, DURATION_MS_MAX)?;
        in_range("backoff_max_ms", self.backoff_max_ms, DURATION_MS_MAX)?;
        Ok(Plan {
            label: self.kind.clone(),
            input_hash: self.input.as_deref().map(hash_input).transpose()?,
            max_tries: or_default(self.max_tries, STEP_TRIES_DEFAULT),
            backoff: Backoff {
                initial_ms: or_default(self.backoff_initial_ms, BACKOFF_INITIAL_MS_DEFAULT),
                max_ms: or_default(self.backoff_max_ms, BACKOFF_MAX_MS_DEFAULT),
                percent: BACKOFF_PERCENT_DEFAULT,
            },
            durability: self.durability,
            is_tracked: self.is_tracked,
            is_cleanup: self.is_cleanup,
        })
    }
}

fn or_default<N: PartialEq + Default>(value: N, default: N) -> N {
    if value == N::default() { default } else { value }
}

fn hash_input(input: &str) -> Result<[u8; 16]> {
    crate::json::input_hash(input).map_err(|fault| fault.of("input"))
}

/// Which occurrences of each name an attempt has passed, and which are open in it.
///
/// An automatic begin means the lowest occurrence not passed. It is passed when its begin was
/// answered from the record, or when this attempt finished it.
#[derive(Debug, Default, Clone)]
pub struct Occurrences {
    names: HashMap<String, Name>,
    open: usize,
}

/// Most names have one occurrence, which takes no more than this.
#[derive(Debug, Default, Clone)]
struct Name {
    /// 1 to this are passed.
    passed_to: u32,
    /// The one that is open, or one of them; 0 is none.
    open: u32,
    rest: Option<Box<Rest>>,
}

#[derive(Debug, Default, Clone)]
struct Rest {
    /// Passed above those of which all are, each once.
    passed: BTreeSet<u32>,
    /// Open beside the one.
    open: BTreeSet<u32>,
    /// Of the open ones this attempt has recorded a start or a failure that is not the end.
    touched: BTreeSet<u32>,
}

impl Occurrences {
    /// Returns whether any occurrence of any name is open.
    pub fn is_any_open(&self) -> bool {
        self.open > 0
    }

    /// Returns which occurrence a begin means and holds it open; 0 asks for the automatic one.
    pub fn open(&mut self, name: &str, asked: u32) -> Result<u32> {
        let entry = self.entry(name);
        let is_in_the_way = if asked == 0 { entry.open != 0 } else { entry.is_open(asked) };
        if is_in_the_way {
            return Err(Error::conflict(format!(
                "step {name:?} occurrence {} is open in this attempt: finish or free it, or name the occurrence",
                if asked == 0 { entry.first_open() } else { asked }
            )));
        }
        let occurrence = if asked == 0 { entry.passed_to + 1 } else { asked };
        entry.open(occurrence);
        self.open += 1;
        Ok(occurrence)
    }

    /// Lets go of an open occurrence; `is_passed` when the next automatic begin means the one after.
    pub fn close(&mut self, name: &str, occurrence: u32, is_passed: bool) {
        let entry = self.entry(name);
        let was_open = entry.close(occurrence);
        if is_passed {
            entry.pass(occurrence);
        }
        self.open -= usize::from(was_open);
    }

    /// Notes that this attempt has recorded something of an occurrence that is not its end.
    pub fn touch(&mut self, name: &str, occurrence: u32) {
        self.entry(name).rest().touched.insert(occurrence);
    }

    /// Returns whether this attempt has recorded or replayed something of an occurrence, so that what
    /// was read before it began may be out of date.
    pub fn is_touched(&self, name: &str, occurrence: u32) -> bool {
        self.names.get(name).is_some_and(|entry| {
            let is_in = |rest: &Rest| {
                rest.passed.contains(&occurrence) || rest.touched.contains(&occurrence)
            };
            occurrence <= entry.passed_to || entry.rest.as_deref().is_some_and(is_in)
        })
    }

    /// Returns whether a call of this attempt has meant an occurrence, and was answered or is under way.
    pub fn is_asked(&self, name: &str, occurrence: u32) -> bool {
        let is_open = self.names.get(name).is_some_and(|entry| entry.is_open(occurrence));
        is_open || self.is_touched(name, occurrence)
    }

    fn entry(&mut self, name: &str) -> &mut Name {
        self.names.entry_ref(name).or_default()
    }
}

impl Name {
    fn rest(&mut self) -> &mut Rest {
        self.rest.get_or_insert_default()
    }

    fn is_open(&self, occurrence: u32) -> bool {
        self.open == occurrence
            || self.rest.as_ref().is_some_and(|rest| rest.open.contains(&occurrence))
    }

    fn first_open(&self) -> u32 {
        let beside = self.rest.as_ref().and_then(|rest| rest.open.first());
        beside.map_or(self.open, |beside| self.open.min(*beside))
    }

    fn open(&mut self, occurrence: u32) {
        if self.open == 0 {
            self.open = occurrence;
        } else {
            self.rest().open.insert(occurrence);
        }
    }

    /// Returns whether it was open.
    fn close(&mut self, occurrence: u32) -> bool {
        let beside = self.rest.as_mut().map(|rest| &mut rest.open);
        if self.open == occurrence {
            self.open = beside.and_then(BTreeSet::pop_first).unwrap_or(0);
            return true;
        }
        beside.is_some_and(|open| open.remove(&occurrence))
    }

    fn pass(&mut self, occurrence: u32) {
        if occurrence > self.passed_to + 1 {
            self.rest().passed.insert(occurrence);
        } else if occurrence > self.passed_to {
            self.passed_to = occurrence;
        }
        let Some(rest) = &mut self.rest else { return };
        rest.touched.remove(&occurrence);
        while rest.passed.remove(&(self.passed_to + 1)) {
            self.passed_to += 1;
        }
    }
}

/// What a begin comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Do the work; this is try number `tries`.
    Run {
        /// From 1.
        tries: u32,
    },
    /// The result is recorded.
    Replay,
    /// The failure is recorded.
    Failed,
    /// It backs off.
    Wait {
        /// Until then, Unix milliseconds.
        retry_at_ms: i64,
    },
    /// It was started as often as allowed and never ended: record that as its failure.
    Interrupted {
        /// Starts so far.
        tries: u32,
    },
}

/// Decides what a begin comes to, from what is recorded (P16, P19, P20).
pub fn decide(found: Option<&StepFacts>, plan: &Plan, name: &str, now: Now) -> Result<Decision> {
    let Some(found) = found else { return Ok(Decision::Run { tries: 1 }) };
    if let (Some(recorded), Some(given)) = (found.input_hash, plan.input_hash)
        && recorded != given
    {
        return Err(Error::Nondeterminism(
            format!(
                "step {name:?} was recorded with input hash {}, it is begun with {}",
                hex(&recorded),
                hex(&given)
            )
            .into(),
        ));
    }
    Ok(match found.state {
        StepState::Done => Decision::Replay,
        StepState::Failed => Decision::Failed,
        StepState::TimedOut | StepState::Asked => {
            return Err(Error::Corrupt(format!("step {name:?} is recorded as an await").into()));
        }
        StepState::Started if found.tries >= plan.max_tries => {
            Decision::Interrupted { tries: found.tries }
        }
        StepState::Started => Decision::Run { tries: found.tries.saturating_add(1) },
        StepState::BacksOff => match found.retry_at_ms {
            Some(retry_at_ms) if backs_off(retry_at_ms, now) => Decision::Wait { retry_at_ms },
            _ => Decision::Run { tries: found.tries.saturating_add(1) },
        },
    })
}

/// What an attempt has asked for, of steps, sleeps, awaits and children, by the number of their kind.
pub type AskedFor = [Occurrences; 4];

/// Refuses the end of a strict attempt that has not asked for all that its run has recorded. A run that
/// was told to end does so however its attempt ends.
pub fn may_complete(port: &mut dyn Port, fence: Fence, asked: &AskedFor, now: Now) -> Result<()> {
    if fenced(port, fence)?.must_end(now.wall_ms).is_some() {
        return Ok(());
    }
    for kind in StepKind::ALL {
        let mut missing = None;
        port.steps_walk_names(fence.run_key, kind, &mut |name, occurrence, state| {
            let is_missing = state.is_final() && !asked[kind as usize].is_asked(name, occurrence);
            if is_missing {
                missing = Some(unasked(kind, name, occurrence));
            }
            !is_missing
        })?;
        missing.map_or(Ok(()), Err)?;
    }
    Ok(())
}

fn unasked(kind: StepKind, name: &str, occurrence: u32) -> Error {
    let noun = kind.noun();
    Error::Nondeterminism(
        format!(
            "{noun} {name:?} occurrence {occurrence} is recorded, and this attempt ends without having asked for it"
        )
        .into(),
    )
}

/// Refuses to run a step in an attempt that only replays.
pub fn not_recorded(name: &str, occurrence: u32) -> Error {
    Error::Nondeterminism(
        format!("step {name:?} occurrence {occurrence} is begun, and no end of it is recorded: the attempt only replays").into(),
    )
}

/// Returns whether a step that may be tried again at a moment has to wait for it.
pub(super) fn backs_off(retry_at_ms: i64, now: Now) -> bool {
    retry_at_ms > now.wall_ms
}

/// Looks whether an attempt may do new work: it holds the fence and its run was not told to end,
/// unless the step cleans up after that.
pub fn may_run(port: &mut dyn Port, fence: Fence, is_cleanup: bool, now: Now) -> Result<Hold> {
    let hold = fenced(port, fence)?;
    match hold.must_end(now.wall_ms) {
        Some(ended) if !is_cleanup => Err(must_stop(ended)),
        Some(_) | None => Ok(hold),
    }
}

/// A step as its records name it.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The attempt.
    pub fence: Fence,
    /// Name.
    pub name: String,
    /// Occurrence, from 1.
    pub occurrence: u32,
    /// This try's number.
    pub tries: u32,
    /// When this try began, Unix milliseconds.
    pub started_at_ms: i64,
    /// Policy and labels.
    pub plan: Plan,
}

impl Subject {
    /// Names the step as reservations do.
    pub fn of_budget(&self) -> OfStep {
        OfStep {
            name: self.name.clone(),
            occurrence: self.occurrence,
            label: self.plan.label.clone(),
        }
    }

    fn row(&self, state: StepState, now: Now) -> StepRow {
        StepRow {
            name: self.name.clone(),
            occurrence: self.occurrence,
            facts: StepFacts {
                state,
                tries: self.tries,
                retry_at_ms: None,
                input_hash: self.plan.input_hash,
            },
            label: self.plan.label.clone(),
            started_at_ms: self.started_at_ms,
            took_ms: now.wall_ms.saturating_sub(self.started_at_ms).max(0),
            error: None,
            result: None,
        }
    }
}

/// Records that a tracked step has begun. Not progress: a run that dies in the same step each time
/// must run out of tries (P13).
pub fn start(port: &mut dyn Port, subject: &Subject, now: Now) -> Result<Lease> {
    let hold = may_run(port, subject.fence, subject.plan.is_cleanup, now)?;
    put(port, subject, &subject.row(StepState::Started, now))?;
    keep_lease(port, subject.fence, &hold, hold.losses, now)
}

/// Records that a step was started as often as allowed and never ended; returns the stored error.
pub fn interrupt(port: &mut dyn Port, subject: &Subject, now: Now) -> Result<(String, Lease)> {
    let hold = fenced(port, subject.fence)?;
    let message =
        format!("started {} times and never ended: the process was lost in it", subject.tries);
    let error = engine_error("interrupted", &message);
    let row = StepRow { error: Some(error.clone()), ..subject.row(StepState::Failed, now) };
    put(port, subject, &row)?;
    Ok((error, progress(port, subject.fence, &hold, now)?))
}

/// Records a step's result, once (P16).
pub fn complete(port: &mut dyn Port, subject: &Subject, result: &str, now: Now) -> Result<Lease> {
    let hold = fenced(port, subject.fence)?;
    let row = StepRow { result: Some(result.into()), ..subject.row(StepState::Done, now) };
    put(port, subject, &row)?;
    progress(port, subject.fence, &hold, now)
}

/// Records a step's result as [`complete`] does, and in the same commit what it used; its open
/// reservations are settled by that (P28).
pub fn complete_usage(
    port: &mut dyn Port,
    subject: &Subject,
    result: &str,
    usage: &Amounts,
    now: Now,
) -> Result<Lease> {
    let hold = fenced(port, subject.fence)?;
    let row = StepRow { result: Some(result.into()), ..subject.row(StepState::Done, now) };
    let is_new = put(port, subject, &row)?;
    let step = subject.of_budget();
    budget::settle_step(port, subject.fence, &step, usage, is_new, now)?;
    progress(port, subject.fence, &hold, now)
}

/// Records a step's failure: for good, or with the time of the next try (P20).
pub fn fail(
    port: &mut dyn Port,
    subject: &Subject,
    error: &str,
    options: FailOptions,
    now: Now,
) -> Result<(AfterFail, Lease)> {
    let hold = fenced(port, subject.fence)?;
    let plan = &subject.plan;
    let mut row = StepRow { error: Some(error.into()), ..subject.row(StepState::Failed, now) };
    let mut after = AfterFail::Final;
    if !options.is_terminal && subject.tries < plan.max_tries {
        let wait_ms = match options.retry_after_ms {
            0 => plan.backoff.wait_ms(subject.tries, subject.fence.run_key),
            named => named,
        };
        let at_ms = now.wall_ms.saturating_add(wait_ms).min(INSTANT_MS_MAX);
        row.facts.state = StepState::BacksOff;
        row.facts.retry_at_ms = Some(at_ms);
        after = AfterFail::Retry { at_ms };
    }
    put(port, subject, &row)?;
    Ok((after, progress(port, subject.fence, &hold, now)?))
}

/// Writes a record and returns whether it was new; the same final record again is the same answer,
/// another one a conflict.
fn put(port: &mut dyn Port, subject: &Subject, row: &StepRow) -> Result<bool> {
    let stored = match port.step_record(subject.fence.run_key, StepKind::Step, row)? {
        Recorded::New => return Ok(true),
        Recorded::Stored(stored) => stored,
    };
    let is_same = stored.facts.state == row.facts.state
        && stored.result == row.result
        && stored.error == row.error;
    if is_same {
        return Ok(false);
    }
    Err(Error::conflict(format!(
        "step {:?} occurrence {} is finished with another record",
        subject.name, subject.occurrence
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Now = Now { wall_ms: 100, lease_ms: 0 };

    fn plan() -> Plan {
        Begin::default().plan().unwrap()
    }

    fn found(state: StepState, tries: u32) -> StepFacts {
        StepFacts { state, tries, retry_at_ms: Some(150), input_hash: None }
    }

    #[test]
    fn automatic_occurrences_count_up_as_they_are_passed() {
        let mut names = Occurrences::default();
        assert_eq!(names.open("a", 0).unwrap(), 1);
        names.close("a", 1, true);
        assert_eq!(names.open("a", 0).unwrap(), 2);
        assert_eq!(names.open("b", 0).unwrap(), 1);
    }

    #[test]
    fn an_unfinished_step_means_the_same_occurrence_again() {
        let mut names = Occurrences::default();
        assert_eq!(names.open("a", 0).unwrap(), 1);
        names.close("a", 1, false);
        assert_eq!(names.open("a", 0).unwrap(), 1);
    }

    #[test]
    fn an_open_step_bars_an_automatic_begin_of_its_name_but_no_other_occurrence() {
        let mut names = Occurrences::default();
        names.open("a", 0).unwrap();
        assert_eq!(names.open("a", 0).unwrap_err().code(), -23);
        assert_eq!(names.open("a", 1).unwrap_err().code(), -23);
        assert_eq!(names.open("a", 2).unwrap(), 2);
    }

    #[test]
    fn what_is_open_side_by_side_is_let_go_in_any_order() {
        let mut names = Occurrences::default();
        for asked in [5, 3, 4] {
            assert_eq!(names.open("a", asked).unwrap(), asked);
        }
        let refused = names.open("a", 0).unwrap_err().to_string();
        assert!(refused.contains("occurrence 3 is open"), "{refused}");
        for (closed, is_any_left) in [(4, true), (5, true), (5, true), (3, false)] {
            names.close("a", closed, false);
            assert_eq!(names.is_any_open(), is_any_left);
        }
        assert_eq!(names.open("a", 0).unwrap(), 1);
    }

    #[test]
    fn explicit_occurrences_passed_out_of_order_are_skipped_once_reached() {
        let mut names = Occurrences::default();
        for occurrence in [3, 1, 2, 2] {
            names.close("a", occurrence, true);
        }
        assert_eq!(names.open("a", 0).unwrap(), 4);
    }

    #[test]
    fn nothing_recorded_runs_as_the_first_try() {
        assert_eq!(decide(None, &plan(), "a", NOW).unwrap(), Decision::Run { tries: 1 });
    }

    #[test]
    fn a_step_that_backs_off_waits_until_its_time() {
        let backs_off = found(StepState::BacksOff, 1);
        let waits = decide(Some(&backs_off), &plan(), "a", NOW).unwrap();
        assert_eq!(waits, Decision::Wait { retry_at_ms: 150 });
        let later = Now { wall_ms: 150, lease_ms: 0 };
        let runs = decide(Some(&backs_off), &plan(), "a", later).unwrap();
        assert_eq!(runs, Decision::Run { tries: 2 });
    }

    #[test]
    fn a_tracked_start_without_an_end_counts_as_a_try() {
        let at_most_once = Plan { max_tries: 1, ..plan() };
        let started = found(StepState::Started, 1);
        assert_eq!(decide(Some(&started), &plan(), "a", NOW).unwrap(), Decision::Run { tries: 2 });
        let interrupted = decide(Some(&started), &at_most_once, "a", NOW).unwrap();
        assert_eq!(interrupted, Decision::Interrupted { tries: 1 });
    }

    #[test]
    fn hashes_are_compared_only_if_both_sides_gave_one() {
        let hashed = StepFacts { input_hash: Some([1; 16]), ..found(StepState::Done, 1) };
        assert_eq!(decide(Some(&hashed), &plan(), "a", NOW).unwrap(), Decision::Replay);
        let other = Plan { input_hash: Some([2; 16]), ..plan() };
        let error = decide(Some(&hashed), &other, "a", NOW).unwrap_err();
        assert_eq!(error.code(), -22);
        assert!(error.to_string().contains(&"01".repeat(16)), "{error}");
        assert!(error.to_string().contains(&"02".repeat(16)), "{error}");
    }
}
