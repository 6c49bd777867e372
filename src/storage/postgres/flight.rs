//! Statements on their way to the server: sent together, answered together. What a call waits for is its
//! flights, not its statements.

use std::collections::HashMap;
use std::ffi::CString;

use super::pq::{Answer, Fault, Link};

/// Statements that travel together at most, and bytes of their parameters: what they answer has to be kept.
const STATEMENTS_MAX: usize = 256;
const BYTES_MAX: usize = 1 << 20;

/// One thing that is sent.
pub(super) enum Leg {
    /// A statement is prepared.
    Prepare {
        /// Under which name.
        name: CString,
        /// As it was given, which is how it is found again.
        sql: String,
        /// As the server gets it.
        text: String,
    },
    /// A prepared statement runs.
    Run {
        /// Its name.
        name: CString,
        /// What it is given.
        params: Vec<Option<CString>>,
        /// It changes rows.
        is_write: bool,
    },
    /// A statement runs that no session keeps.
    RunText {
        /// As the server gets it.
        text: String,
        /// What it is given.
        params: Vec<Option<CString>>,
        /// It changes rows.
        is_write: bool,
    },
    /// A statement runs for what follows, whose answer is of no interest.
    Set {
        /// As the server gets it.
        text: &'static str,
    },
    /// What stands before it is done, or failed, by itself.
    Sync,
}

/// What came back.
pub(super) struct Flown {
    /// What each statement that ran has answered, up to the first that failed.
    pub(super) answers: Vec<Answer>,
    /// What failed first.
    pub(super) trouble: Option<Trouble>,
}

/// What went wrong on a flight.
pub(super) struct Trouble {
    /// Which statement failed, counted as the answers are; the one behind the last is its commit.
    pub(super) at: usize,
    pub(super) fault: Fault,
}

/// A moment among the statements of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    flights: u64,
    waiting: usize,
    writes: u64,
}

/// Statements that wait to be sent, and what was sent and is not answered yet.
#[derive(Default)]
pub(super) struct Hangar {
    waiting: Vec<Leg>,
    /// Sent, of no interest to anybody.
    airborne: Option<Vec<Leg>>,
    prepared: HashMap<String, CString>,
    /// The next transaction is another session's, which keeps no statements for this one.
    is_pooled: bool,
    /// How many statements were ever prepared.
    named: usize,
    bytes: usize,
    /// Something was sent in part.
    is_broken: bool,
    /// How many flights were waited for.
    flights: u64,
    /// How many statements that change rows were sent.
    writes: u64,
}

impl Leg {
    /// Returns whether it is a statement that is waited for, and whether that changes rows.
    fn runs(&self) -> Option<bool> {
        match self {
            Leg::Run { is_write, .. } | Leg::RunText { is_write, .. } => Some(*is_write),
            Leg::Prepare { .. } | Leg::Set { .. } | Leg::Sync => None,
        }
    }
}

impl Hangar {
    /// Makes one for a connection, which a pooler may give another session for each transaction.
    pub(super) fn new(is_pooled: bool) -> Hangar {
        Hangar { is_pooled, ..Hangar::default() }
    }

    /// Returns whether a pooler gives each transaction a session of its choice.
    pub(super) fn is_pooled(&self) -> bool {
        self.is_pooled
    }

    /// Puts a statement whose answer is of no interest.
    pub(super) fn put_set(&mut self, text: &'static str) {
        self.waiting.push(Leg::Set { text });
    }

    /// Puts a statement behind those that wait; `text` makes what the server gets of it.
    pub(super) fn put(
        &mut self,
        sql: &str,
        params: Vec<Option<CString>>,
        text: impl FnOnce(&str) -> String,
    ) {
        self.bytes += params.iter().flatten().map(|param| param.as_bytes().len()).sum::<usize>();
        let is_write = !sql.trim_start().starts_with("SELECT");
        if self.is_pooled {
            return self.waiting.push(Leg::RunText { text: text(sql), params, is_write });
        }
        let name = match self.prepared.get(sql) {
            Some(name) => name.clone(),
            None => self.prepare(sql, text(sql)),
        };
        self.waiting.push(Leg::Run { name, params, is_write });
    }

    fn prepare(&mut self, sql: &str, text: String) -> CString {
        let name = CString::new(format!("s{}", self.named)).unwrap_or_default();
        self.named += 1;
        self.prepared.insert(sql.to_owned(), name.clone());
        self.waiting.push(Leg::Prepare { name: name.clone(), sql: sql.to_owned(), text });
        name
    }

    /// Has what follows stand or fall by itself. Nobody waits for what it comes to.
    pub(super) fn put_sync(&mut self) {
        self.waiting.push(Leg::Sync);
    }

    /// Returns how many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Returns whether no more should wait.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= STATEMENTS_MAX || self.bytes >= BYTES_MAX
    }

    /// Returns whether nothing waits, and nothing was sent in part.
    pub(super) fn is_settled(&self) -> bool {
        self.waiting.is_empty() && !self.is_broken
    }

    /// Returns whether something was sent whose answer has not been taken.
    pub(super) fn is_airborne(&self) -> bool {
        self.airborne.is_some()
    }

    /// Returns how many answers those that wait will have.
    pub(super) fn runs(&self) -> usize {
        self.waiting.iter().filter_map(Leg::runs).count()
    }

    /// Returns where those that wait end.
    pub(super) fn mark(&self) -> Mark {
        let writes = self.writes + writes(&self.waiting);
        Mark { flights: self.flights, waiting: self.waiting.len(), writes }
    }

    /// Forgets what was put since the mark; `false` if something of it was sent that changes rows.
    pub(super) fn forget(&mut self, mark: &Mark) -> bool {
        if self.flights == mark.flights {
            self.truncate(mark.waiting);
            return true;
        }
        // What waited before the mark was sent with a question behind it.
        self.truncate(0);
        self.writes == mark.writes
    }

    /// Notes a statement that was sent in another way.
    pub(super) fn note_other(&mut self) {
        self.flights += 1;
        self.writes += 1;
    }

    /// Forgets those that wait, but for the first `kept`.
    pub(super) fn truncate(&mut self, kept: usize) {
        let forgotten = self.waiting.split_off(kept.min(self.waiting.len()));
        self.unprepare(&forgotten);
    }

    fn unprepare(&mut self, legs: &[Leg]) {
        for leg in legs {
            if let Leg::Prepare { sql, .. } = leg {
                self.prepared.remove(sql);
            }
        }
    }

    /// Sends what waits, and waits for the answers up to the first sync.
    pub(super) fn fly(&mut self, link: &mut Link) -> Flown {
        let mut legs = self.loaded();
        let sent = self.send(link, &legs).and_then(|()| self.take_airborne(link));
        // What stands behind the first part is of no interest to who waits here.
        let first = legs.iter().position(|leg| matches!(leg, Leg::Sync)).map_or(0, |at| at + 1);
        let rest = legs.split_off(first);
        let mut flown = Flown { answers: Vec::new(), trouble: None };
        match sent {
            Ok(()) => receive(link, &legs, &mut flown),
            Err(fault) => {
                self.is_broken = true;
                flown.trouble = Some(Trouble { at: 0, fault });
            }
        }
        if let Some(trouble) = &flown.trouble {
            self.unprepare(&legs[place(&legs, trouble.at)..]);
        }
        if !rest.is_empty() {
            self.airborne = Some(rest);
        } else if link.is_up()
            && let Err(fault) = link.land()
        {
            let at = flown.answers.len();
            flown.trouble.get_or_insert(Trouble { at, fault });
        }
        flown
    }

    /// Sends what waits, and leaves the answers to whoever flies next.
    pub(super) fn send_off(&mut self, link: &mut Link) -> Result<(), Fault> {
        self.settle(link)?;
        let legs = self.loaded();
        let sent = self.send(link, &legs);
        self.is_broken |= sent.is_err();
        self.airborne = Some(legs);
        sent
    }

    /// Takes the answers that nobody has taken, so that the connection is free for other ways to use it.
    pub(super) fn settle(&mut self, link: &mut Link) -> Result<(), Fault> {
        if self.airborne.is_none() {
            return Ok(());
        }
        self.take_airborne(link)?;
        link.land()
    }

    fn loaded(&mut self) -> Vec<Leg> {
        self.bytes = 0;
        let mut legs = std::mem::take(&mut self.waiting);
        if !matches!(legs.last(), Some(Leg::Sync)) {
            legs.push(Leg::Sync);
        }
        self.flights += 1;
        self.writes += writes(&legs);
        legs
    }

    fn send(&self, link: &mut Link, legs: &[Leg]) -> Result<(), Fault> {
        if self.airborne.is_none() {
            link.take_off()?;
        }
        legs.iter().try_for_each(|leg| match leg {
            Leg::Prepare { name, text, .. } => link.send_prepare(name, text),
            Leg::Run { name, params, .. } => link.send_prepared(name, params),
            Leg::RunText { text, params, .. } => link.send_text(text, params),
            Leg::Set { text } => link.send_text(text, &[]),
            Leg::Sync => link.send_sync(),
        })
    }

    /// What became of what was in the air is told to nobody, unless the connection is gone.
    fn take_airborne(&mut self, link: &mut Link) -> Result<(), Fault> {
        let Some(legs) = self.airborne.take() else { return Ok(()) };
        let mut flown = Flown { answers: Vec::new(), trouble: None };
        receive(link, &legs, &mut flown);
        let Some(trouble) = flown.trouble else { return Ok(()) };
        self.unprepare(&legs);
        if link.is_up() { Ok(()) } else { Err(trouble.fault) }
    }
}

fn writes(legs: &[Leg]) -> u64 {
    legs.iter().filter_map(Leg::runs).filter(|is_write| *is_write).count() as u64
}

/// Takes the answers of what was sent, until one says that the connection is gone.
fn receive(link: &mut Link, legs: &[Leg], flown: &mut Flown) {
    for leg in legs {
        let answer = match leg {
            Leg::Prepare { .. } | Leg::Set { .. } => link.receive().map(|_| None),
            Leg::Run { .. } | Leg::RunText { .. } => link.receive().map(Some),
            Leg::Sync => link.receive_sync().map(|()| None),
        };
        match answer {
            Ok(answer) if flown.trouble.is_none() => flown.answers.extend(answer),
            Ok(_) => {}
            Err(fault) => {
                let at = flown.answers.len();
                flown.trouble.get_or_insert(Trouble { at, fault });
                if !link.is_up() {
                    return;
                }
            }
        }
    }
}

/// Returns the place of the statement that gives the `at`th answer, with its being prepared.
fn place(legs: &[Leg], at: usize) -> usize {
    let mut runs = 0;
    for (place, leg) in legs.iter().enumerate() {
        if runs == at {
            return place;
        }
        runs += usize::from(leg.runs().is_some());
    }
    legs.len()
}
