//! The model's side of an attempt: steps, waiting, children, and the ways to end.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::oracle::{
    CANCELLED, CLOSED, CONFLICT, FAILED, Key, LEASE_LOST, Mark, NONDETERMINISM, OK, Oracle,
    REPLAYED, Record, SUSPEND, Said, Space, State, engine, lease_end, said, stop_error, stopped,
};
use super::waiting::Pending;

/// What the holder of an attempt knows.
#[derive(Debug, Clone, Default)]
pub struct Attempt {
    pub run: Key,
    pub number: u32,
    pub handle: u64,
    passed: HashMap<(Space, String), BTreeSet<u32>>,
    open: BTreeSet<(String, u32)>,
    pub waits: HashMap<(Space, String, u32), Pending>,
    /// Reserves that found no room, by what makes them one.
    pub rooms: BTreeMap<String, Pending>,
    ended: Option<(String, Said)>,
}

/// A step that is to be run.
#[derive(Debug, Clone)]
pub struct Step {
    pub name: String,
    pub occurrence: u32,
    pub tries: u32,
    started_at: i64,
    begin: Begin,
    finished: Option<(String, Said)>,
}

#[derive(Debug, Clone, Default)]
pub struct Begin {
    pub name: String,
    pub occurrence: u32,
    pub input: Option<String>,
    pub label: Option<String>,
    pub max_tries: u32,
    pub is_tracked: bool,
    pub is_cleanup: bool,
}

/// What a begin must answer.
pub enum Begun {
    /// This.
    Said(Said),
    /// The work is to be done.
    Run(Step),
    /// A stale attempt may be answered from what it has read, and is told so otherwise.
    Stale(u32),
}

impl Attempt {
    pub fn new(run: Key, number: u32, handle: u64) -> Attempt {
        Attempt { run, number, handle, ..Attempt::default() }
    }

    /// The lowest occurrence of a name that this attempt has not passed.
    pub fn next(&self, space: Space, name: &str) -> u32 {
        let passed = self.passed.get(&(space, name.to_owned()));
        (1..).find(|n| passed.is_none_or(|passed| !passed.contains(n))).expect("some are left")
    }

    /// The occurrence that a begin means; `None` while it, or any that could be meant, is open.
    fn meant(&self, begin: &Begin) -> Option<u32> {
        let is_open = |(name, occurrence): &(String, u32)| {
            *name == begin.name && (begin.occurrence == 0 || begin.occurrence == *occurrence)
        };
        if self.open.iter().any(is_open) {
            return None;
        }
        let next = || self.next(Space::Step, &begin.name);
        Some(if begin.occurrence == 0 { next() } else { begin.occurrence })
    }

    pub fn pass(&mut self, space: Space, name: &str, occurrence: u32) {
        self.passed.entry((space, name.to_owned())).or_default().insert(occurrence);
    }

    /// Whether a step of this attempt is begun and neither finished nor freed.
    pub fn has_open_step(&self) -> bool {
        !self.open.is_empty()
    }

    /// A script that ended it is answered with its results, again as well.
    pub fn answer_as(&mut self, results: &str) {
        self.ended.as_mut().expect("it was ended").1.1 = results.into();
    }

    /// A step that was not finished was freed.
    pub fn free(&mut self, step: &Step) {
        if step.finished.is_none() {
            self.open.remove(&(step.name.clone(), step.occurrence));
        }
    }
}

impl Step {
    pub fn is_finished(&self) -> bool {
        self.finished.is_some()
    }

    /// A script that ended it is answered with its results, again as well.
    pub fn answer_as(&mut self, results: &str) {
        self.finished.as_mut().expect("it was ended").1.1 = results.into();
    }

    /// The host's label, or what stands for one.
    pub fn label(&self) -> String {
        self.begin.label.clone().unwrap_or_else(|| "step".into())
    }
}

impl Oracle {
    /// The fence (P10), and whether the store is still open.
    pub fn holds(&self, attempt: &Attempt) -> Result<(), Said> {
        if !self.handles.contains(&attempt.handle) {
            return Err(said(CLOSED));
        }
        let run = &self.runs[attempt.run];
        if run.state != State::Running || run.fence != attempt.number {
            return Err(said(LEASE_LOST));
        }
        Ok(())
    }

    /// The same, and that the run was not told to end.
    pub fn may_go_on(&self, attempt: &Attempt) -> Result<(), Said> {
        self.holds(attempt)?;
        self.must_end(attempt.run).map_or(Ok(()), |_| Err(said(CANCELLED)))
    }

    pub fn check(&self, attempt: &Attempt) -> Said {
        self.may_go_on(attempt).err().unwrap_or_else(|| said(OK))
    }

    /// P11: a write keeps at least half the lease ahead; the core renews when a third is gone.
    pub fn keep_lease(&mut self, key: Key, is_progress: bool) {
        let (now, run) = (self.now, &mut self.runs[key]);
        let had_losses = run.losses > 0;
        if is_progress {
            run.losses = 0;
        }
        let lease = run.lease.as_mut().expect("only a running attempt writes");
        let left = lease.until.saturating_sub(now);
        let is_short = lease.until != i64::MAX && left < i64::from(lease.length) * 2 / 3;
        if is_short || (is_progress && had_losses) {
            lease.until = lease.until.max(lease_end(lease.length, now));
        }
    }

    pub fn heartbeat(&mut self, attempt: &Attempt, lease_ms: u32) -> Said {
        if let Err(said) = self.may_go_on(attempt) {
            return said;
        }
        let now = self.now;
        let lease = self.runs[attempt.run].lease.as_mut().expect("it holds the fence");
        if lease_ms != 0 {
            lease.length = lease_ms;
        }
        lease.until = lease.until.max(lease_end(lease.length, now));
        said(OK)
    }

    pub fn begin(&mut self, attempt: &mut Attempt, begin: &Begin) -> Begun {
        let stale = match self.holds(attempt) {
            Err((CLOSED, _)) => return Begun::Said(said(CLOSED)),
            held => held.is_err(),
        };
        let Some(occurrence) = attempt.meant(begin) else {
            return Begun::Said(said(CONFLICT));
        };
        if stale {
            return Begun::Stale(occurrence);
        }
        let max_tries = if begin.max_tries == 0 { 3 } else { begin.max_tries };
        let run = &self.runs[attempt.run];
        let known = run.record(Space::Step, &begin.name, occurrence).cloned();
        let mut tries = 1;
        attempt.waits.remove(&(Space::Step, begin.name.clone(), occurrence));
        if let Some(known) = &known {
            // P19.
            if known.input.is_some() && begin.input.is_some() && known.input != begin.input {
                return Begun::Said(said(NONDETERMINISM));
            }
            match known.mark {
                Mark::Done | Mark::Failed => {
                    attempt.pass(Space::Step, &begin.name, occurrence);
                    return Begun::Said(replay(known));
                }
                Mark::BacksOff if known.retry_at > self.now => {
                    let step = (Space::Step, begin.name.clone(), occurrence);
                    attempt.waits.insert(step, Pending::Retry(known.retry_at));
                    return Begun::Said(said(SUSPEND));
                }
                Mark::Started if known.tries >= max_tries => {
                    let begin = begin.clone();
                    let step = self.new_step(Begin { max_tries, ..begin }, occurrence, known.tries);
                    let error = Some(engine("interrupted"));
                    let record = Record { error, ..self.record_of(&step, Mark::Failed) };
                    self.runs[attempt.run].put(record);
                    self.keep_lease(attempt.run, true);
                    attempt.pass(Space::Step, &step.name, occurrence);
                    return Begun::Said((FAILED, engine("interrupted")));
                }
                _ => tries = known.tries + 1,
            }
        }
        if self.must_end(attempt.run).is_some() && !begin.is_cleanup {
            return Begun::Said(said(CANCELLED));
        }
        let begin = Begin { max_tries, ..begin.clone() };
        let step = self.new_step(begin, occurrence, tries);
        if step.begin.is_tracked || known.is_some_and(|known| known.mark == Mark::Started) {
            // Not progress: a run that dies in one step each time must run out of tries (P13).
            let record = self.record_of(&step, Mark::Started);
            self.runs[attempt.run].put(record);
            self.keep_lease(attempt.run, false);
        }
        attempt.open.insert((step.name.clone(), occurrence));
        Begun::Run(step)
    }

    fn new_step(&self, begin: Begin, occurrence: u32, tries: u32) -> Step {
        let name = begin.name.clone();
        Step { name, occurrence, tries, started_at: self.now, begin, finished: None }
    }

    fn record_of(&self, step: &Step, mark: Mark) -> Record {
        Record {
            space: Space::Step,
            name: step.name.clone(),
            occurrence: step.occurrence,
            mark,
            tries: step.tries,
            retry_at: 0,
            label: step.begin.label.clone(),
            input: step.begin.input.clone(),
            started_at: step.started_at,
            took: self.now - step.started_at,
            result: None,
            error: None,
            deadline: None,
            sleeps: Vec::new(),
        }
    }

    /// A finish of a step that was finished before is the same answer, or a conflict.
    pub fn finish_again(&self, attempt: &Attempt, step: &Step, asked: &str) -> Option<Said> {
        if !self.handles.contains(&attempt.handle) {
            return Some(said(CLOSED));
        }
        if let Some((first, answer)) = &step.finished {
            return Some(if first == asked { answer.clone() } else { said(CONFLICT) });
        }
        self.holds(attempt).err()
    }

    pub fn complete_step(&mut self, attempt: &mut Attempt, step: &mut Step, result: &str) -> Said {
        self.complete_step_as(attempt, step, result, format!("complete {result}"))
    }

    /// Completes a step by whichever call; `asked` is what makes it the same again.
    pub fn complete_step_as(
        &mut self,
        attempt: &mut Attempt,
        step: &mut Step,
        result: &str,
        asked: String,
    ) -> Said {
        if let Some(said) = self.finish_again(attempt, step, &asked) {
            return said;
        }
        let result = Some(result.to_owned());
        let record = Record { result, ..self.record_of(step, Mark::Done) };
        self.runs[attempt.run].put(record);
        self.keep_lease(attempt.run, true);
        attempt.open.remove(&(step.name.clone(), step.occurrence));
        attempt.pass(Space::Step, &step.name, step.occurrence);
        step.finished = Some((asked, said(OK)));
        said(OK)
    }

    /// P20. `retry_at` is when the core says that it may be tried again: a backoff has its jitter.
    pub fn fail_step(
        &mut self,
        attempt: &mut Attempt,
        step: &mut Step,
        error: &str,
        (is_terminal, after, retry_at): (bool, i64, i64),
    ) -> Said {
        let asked = format!("fail {is_terminal} {after} {error}");
        if let Some(said) = self.finish_again(attempt, step, &asked) {
            return said;
        }
        let is_final = is_terminal || step.tries >= step.begin.max_tries;
        let mark = if is_final { Mark::Failed } else { Mark::BacksOff };
        let mut record = Record { error: Some(error.into()), ..self.record_of(step, mark) };
        if !is_final {
            record.retry_at = self.checked_retry(retry_at, after, step.tries);
        }
        self.runs[attempt.run].put(record);
        self.keep_lease(attempt.run, true);
        attempt.open.remove(&(step.name.clone(), step.occurrence));
        if is_final {
            attempt.pass(Space::Step, &step.name, step.occurrence);
        } else {
            let step = (Space::Step, step.name.clone(), step.occurrence);
            attempt.waits.insert(step, Pending::Retry(retry_at));
        }
        let answer = said(if is_final { FAILED } else { SUSPEND });
        step.finished = Some((asked, answer.clone()));
        answer
    }

    /// A wait of 1 s that doubles up to 1 h, a tenth more or less, unless a wait was named.
    fn checked_retry(&self, at: i64, after: i64, failures: u32) -> i64 {
        let wait = at - self.now;
        if after > 0 {
            assert_eq!(wait, after, "the named wait");
        } else {
            let plain = (1_000_i64 << (failures - 1).min(12)).min(3_600_000);
            let range = plain * 9 / 10..=(plain * 11 / 10).min(3_600_000);
            assert!(range.contains(&wait), "waits {wait} after failure {failures}");
        }
        at
    }

    pub fn end_again(&self, attempt: &Attempt, asked: &str) -> Option<Said> {
        if !self.handles.contains(&attempt.handle) {
            return Some(said(CLOSED));
        }
        if let Some((first, answer)) = &attempt.ended {
            return Some(if first == asked { answer.clone() } else { said(CONFLICT) });
        }
        self.holds(attempt).err()
    }

    /// An end of a flagged run: the end is stored, the run ends as it was told to.
    fn end_stopped(&mut self, attempt: &Attempt, error: Option<&str>) -> Option<Said> {
        let stop = self.must_end(attempt.run)?;
        let error = error.map(str::to_owned).or_else(|| stop_error(stop));
        self.close_attempt(attempt.run, stopped(stop), error);
        self.stop(attempt.run, stop);
        Some(said(CANCELLED))
    }

    pub fn complete(&mut self, attempt: &mut Attempt, result: &str) -> Said {
        self.complete_as(attempt, result, format!("complete {result}"))
    }

    /// Completes an attempt by whichever call; `asked` is what makes it the same again.
    pub fn complete_as(&mut self, attempt: &mut Attempt, result: &str, asked: String) -> Said {
        if let Some(said) = self.end_again(attempt, &asked) {
            return said;
        }
        let answer = self.end_stopped(attempt, None).unwrap_or_else(|| {
            self.close_attempt(attempt.run, "completed", None);
            self.end(attempt.run, State::Completed, Some(result.into()), None);
            said(OK)
        });
        attempt.ended = Some((asked, answer.clone()));
        answer
    }

    pub fn fail(
        &mut self,
        attempt: &mut Attempt,
        error: &str,
        (is_terminal, after, retry_at): (bool, i64, i64),
    ) -> Said {
        let asked = format!("fail {is_terminal} {after} {error}");
        if let Some(said) = self.end_again(attempt, &asked) {
            return said;
        }
        let key = attempt.run;
        let answer = self.end_stopped(attempt, Some(error)).unwrap_or_else(|| {
            self.runs[key].failures += 1;
            self.close_attempt(key, "failed", Some(error.into()));
            if is_terminal || self.runs[key].tries() >= self.runs[key].max_tries() {
                self.end(key, State::Failed, None, Some(error.into()));
                return said(FAILED);
            }
            let at = self.checked_retry(retry_at, after, self.runs[key].failures);
            self.give_back(key, at - self.now);
            said(SUSPEND)
        });
        attempt.ended = Some((asked, answer.clone()));
        answer
    }

    pub fn release(&mut self, attempt: &mut Attempt, delay: i64) -> Said {
        let asked = format!("release {delay}");
        if let Some(said) = self.end_again(attempt, &asked) {
            return said;
        }
        let answer = self.end_stopped(attempt, None).unwrap_or_else(|| {
            self.close_attempt(attempt.run, "released", None);
            self.give_back(attempt.run, delay);
            said(OK)
        });
        attempt.ended = Some((asked, answer.clone()));
        answer
    }

    /// P24: the fence first, then that no step is open, then that there is something to wait for.
    pub fn suspend(&mut self, attempt: &mut Attempt) -> Said {
        if let Some(said) = self.end_again(attempt, "suspend") {
            return said;
        }
        let waits_for_none = attempt.waits.is_empty() && attempt.rooms.is_empty();
        let may_park = attempt.open.is_empty() && !waits_for_none;
        if self.must_end(attempt.run).is_none() && !may_park {
            return said(CONFLICT);
        }
        let answer = self.end_stopped(attempt, None).unwrap_or_else(|| {
            let rooms = attempt.rooms.values().cloned();
            let rooms = rooms.map(|room| ((Space::Await, String::new(), 0), room));
            let asked: Vec<_> = attempt.waits.clone().into_iter().chain(rooms).collect();
            self.park(attempt.run, &asked);
            said(OK)
        });
        attempt.ended = Some(("suspend".into(), answer.clone()));
        answer
    }
}

pub fn replay(record: &Record) -> Said {
    match &record.error {
        Some(error) if record.mark == Mark::Failed => (FAILED, error.clone()),
        _ => (REPLAYED, record.result.clone().unwrap_or("null".into())),
    }
}
