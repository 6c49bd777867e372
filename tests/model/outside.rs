//! The model's side of what acts on runs from outside: cancel, pause, resume, retry, fork, signals.

use super::budget::Budget;
use super::oracle::{
    CONFLICT, EXISTS, Key, Mark, NOT_FOUND, OK, Oracle, Record, Run, Said, Signal, State, Submit,
    Target, engine, said,
};

impl Oracle {
    fn known(&self, id: &str) -> Result<Key, Said> {
        self.find(id).ok_or_else(|| said(NOT_FOUND))
    }

    pub fn cancel(&mut self, id: &str, reason: Option<&str>) -> Said {
        let key = match self.known(id) {
            Ok(key) => key,
            Err(said) => return said,
        };
        let run = &self.runs[key];
        if matches!(run.state, State::Completed | State::Failed) {
            return said(CONFLICT);
        }
        if run.state == State::Cancelled || run.is_cancel_asked {
            // What was retried below it since is to end as well.
            self.cascade(key);
        } else {
            let error = match reason {
                Some(reason) => format!("{{\"$smolwf\":\"cancelled\",\"reason\":{reason}}}"),
                None => engine("cancelled"),
            };
            self.cancel_open(key, &error);
        }
        while self.sweep_cascade() {}
        said(OK)
    }

    pub fn pause(&mut self, id: &str) -> Said {
        let key = match self.known(id) {
            Ok(key) if !self.runs[key].state.is_ended() => key,
            Ok(_) => return said(CONFLICT),
            Err(said) => return said,
        };
        let (now, run) = (self.now, &mut self.runs[key]);
        if run.state == State::Running {
            run.is_pause_asked = true;
        } else {
            if run.state == State::Waiting {
                // Nothing but the pause holds it back from now on.
                run.due = now;
            }
            run.state = State::Paused;
            run.wake = None;
            run.plain.clear();
            run.counted.clear();
            run.rooms.clear();
        }
        said(OK)
    }

    pub fn resume(&mut self, id: &str) -> Said {
        let key = match self.known(id) {
            Ok(key) if !self.runs[key].state.is_ended() => key,
            Ok(_) => return said(CONFLICT),
            Err(said) => return said,
        };
        let (now, run) = (self.now, &mut self.runs[key]);
        match run.state {
            State::Running => run.is_pause_asked = false,
            State::Paused => {
                run.state = State::Pending;
                run.wake = (run.due > now).then_some(run.due);
            }
            _ => {}
        }
        said(OK)
    }

    /// Keeps results; clears memoised failures, tries and the time-out.
    pub fn retry(&mut self, id: &str) -> Said {
        let key = match self.known(id) {
            Ok(key) => key,
            Err(said) => return said,
        };
        if !matches!(self.runs[key].state, State::Failed | State::Cancelled) {
            return said(CONFLICT);
        }
        // A cancel on its way down came first.
        while self.sweep_cascade() {}
        let (now, run) = (self.now, &mut self.runs[key]);
        run.state = State::Pending;
        (run.due, run.wake, run.local) = (now, None, None);
        run.is_woken_for_room = false;
        run.deadline = (run.submit.timeout > 0).then_some(now + run.submit.timeout);
        (run.failures, run.losses) = (0, 0);
        (run.is_cancel_asked, run.is_timed_out, run.is_pause_asked) = (false, false, false);
        (run.result, run.error, run.finished_at) = (None, None, None);
        run.records
            .retain(|record| !matches!(record.mark, Mark::Started | Mark::Failed | Mark::BacksOff));
        said(OK)
    }

    /// Copies what was recorded before a step, named by its name: the first occurrence.
    pub fn fork(&mut self, id: &str, from: Option<&str>, new_id: &str) -> Said {
        let key = match self.known(id) {
            Ok(key) => key,
            Err(said) => return said,
        };
        let run = &self.runs[key];
        // Of the four name spaces, steps come first.
        let named = |name: &str| {
            let places = run.records.iter().enumerate();
            let first = places.filter(|(_, r)| r.name == name && r.occurrence == 1);
            first.min_by_key(|(_, r)| r.space).map(|(at, _)| at)
        };
        let before = match from.map(named) {
            Some(None) => return said(NOT_FOUND),
            Some(Some(before)) => before,
            None => 0,
        };
        let is_final = |r: &&Record| matches!(r.mark, Mark::Done | Mark::Failed | Mark::TimedOut);
        let records = run.records[..before].iter().filter(is_final).cloned().collect();
        let submit = Submit { run_at: 0, key: None, ..run.submit.clone() };
        let (queue, origin) = (run.queue.clone(), Some(key));
        let fork = Run { records, origin, ..self.new_run(&submit, queue, None, new_id) };
        let budget = self.budgets.get(&self.runs[key].root).map(Budget::forked);
        self.budgets.insert(self.runs.len(), budget.unwrap_or_default());
        self.add(fork);
        said(OK)
    }

    /// P23.
    pub fn signal(&mut self, id: &str, name: &str, payload: &str, key: Option<&str>) -> Said {
        let (at, sent_at) = match self.known(id) {
            Ok(at) => (at, self.now),
            Err(said) => return said,
        };
        let run = &mut self.runs[at];
        let is_same = |signal: &Signal| signal.name == name && signal.key.as_deref() == key;
        if key.is_some() && run.signals.iter().any(is_same) {
            return said(EXISTS);
        }
        if run.state.is_ended() {
            return said(CONFLICT);
        }
        run.signals.push(Signal {
            name: name.into(),
            key: key.map(str::to_owned),
            payload: payload.into(),
            sent_at,
            is_taken: false,
            is_shown: true,
        });
        self.arrive(at, &Target::Signal(name.into()));
        said(OK)
    }
}
