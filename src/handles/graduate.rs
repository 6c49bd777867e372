//! The call that moves a store into another one.

use std::time::{Duration, Instant};

use super::entered::Entered;
use super::store::Store;
use crate::clock::Now;
use crate::domain::Durability;
use crate::domain::graduate::{self, Mark, Phase, Progress, Report, Seen, Stage, copy};
use crate::domain::port::{Port, Table};
use crate::error::{Error, Result};
use crate::id;
use crate::limits::CHECK_FAULTS_MAX;
use crate::storage::Call;

const NAME: &str = "sw_store_graduate";

/// Both stores of a move, with the calls that work on marked ones.
struct Move<'store> {
    from: &'store Entered<'store>,
    to: &'store Entered<'store>,
    until: Option<Instant>,
}

/// What a step of a move came to.
enum Step<T> {
    /// It is done.
    Done(T),
    /// The time of the call is over.
    Late(Report),
}

impl Store {
    /// Moves this store into another one, or takes that back. Returns whether the move is at its end, and
    /// the report.
    pub fn graduate(&self, to: Option<&Store>, options: Option<&str>) -> Result<(bool, String)> {
        let options = graduate::options(options)?;
        let from = self.enter()?;
        let Some(to) = to else {
            if !options.is_abort {
                return Err(Error::Misuse("to is NULL".into()));
            }
            return abort(&from, None).and_then(told);
        };
        if std::ptr::eq(self, to) || self.path.is_some() && self.path == to.path {
            return Err(Error::invalid("from and to are the same store"));
        }
        let to = to.enter()?;
        if options.is_abort {
            return abort(&from, Some(&to)).and_then(told);
        }
        let for_ms = u64::try_from(options.for_ms).ok().filter(|ms| *ms > 0);
        let until = for_ms.map(|ms| Instant::now() + Duration::from_millis(ms));
        match (Move { from: &from, to: &to, until }).run()? {
            Step::Done(report) => told(report),
            Step::Late(report) => Ok((false, report.text()?)),
        }
    }
}

fn told(report: Report) -> Result<(bool, String)> {
    Ok((true, report.text()?))
}

fn place(entered: &Entered<'_>) -> Result<String> {
    let path = entered.backend()?.path();
    Ok(path.map_or_else(|| "a store in memory".into(), |path| path.display().to_string()))
}

/// Takes a move back that is not decided. The store that is moved goes on first: the other one cannot be
/// opened by what it says from then on.
fn abort(from: &Entered<'_>, to: Option<&Entered<'_>>) -> Result<Report> {
    let store_id = from.look_at_marked(graduate::look)?.store_id();
    from.write_marked(Durability::Power, |port, now| graduate::thaw(port, now))?;
    if let Some(to) = to {
        to.write_marked(Durability::Power, move |port, now| {
            graduate::give_up(port, &store_id, now)
        })?;
    }
    Ok(Report::in_force())
}

impl Entered<'_> {
    /// Reads a store that may be marked.
    fn look_at_marked<T>(&self, work: impl FnMut(&mut dyn Port) -> Result<T>) -> Result<T> {
        self.backend()?.read_any(work)
    }

    /// Writes to a store that may be marked: the scripts of a move look at the mark themselves.
    fn write_marked<T, Work>(&self, durability: Durability, work: Work) -> Result<T>
    where
        T: Send + 'static,
        Work: FnMut(&mut dyn Port, Now) -> Result<T> + Send + 'static,
    {
        self.write_of_any_schema(Call::of(NAME).promising(durability), work)
    }

    /// Has all that the store holds outlive the power, whoever wrote it: the other store is about to be
    /// told something on the strength of it, and a process that was killed may have left it unsynced.
    fn settle(&self) -> Result<()> {
        self.write_marked(Durability::Power, |_, _| Ok(()))
    }
}

impl Move<'_> {
    fn run(&self) -> Result<Step<Report>> {
        let source = self.from.look_at_marked(graduate::look)?;
        let target = self.to.look_at_marked(graduate::look)?;
        if let Some(mark) = source.mark.as_ref().filter(|mark| mark.phase == Phase::Moved) {
            self.from.settle()?;
            return self.open(&source, &target, mark).map(Step::Done);
        }
        graduate::check_pair(&source, &target)?;
        let move_id = self.begin(&source, &target)?;
        let sums = match self.carry(&move_id)? {
            Step::Late(report) => return Ok(Step::Late(report)),
            Step::Done(progress) => progress.sums,
        };
        self.check()?;
        self.to.settle()?;
        let id = move_id.clone();
        let mark = self.from.write_marked(Durability::Power, move |port, now| {
            graduate::decide(port, &id, &sums, now)
        })?;
        let target = self.to.look_at_marked(graduate::look)?;
        self.open(&source, &target, &mark).map(Step::Done)
    }

    /// Freezes the one store and empties the other, unless that was done for a move that goes on.
    fn begin(&self, source: &Seen, target: &Seen) -> Result<String> {
        if let (Some(ours), Some(theirs)) = (&source.mark, &target.mark)
            && ours.move_id == theirs.move_id
            && theirs.phase == Phase::Receiving
        {
            return Ok(ours.move_id.clone());
        }
        let move_id = id::write("move", id::new_id());
        let store_id = source.store_id();
        let receiving = Mark::new(Phase::Receiving, &move_id, &store_id, &place(self.from)?);
        self.to.write_marked(Durability::Power, move |port, now| {
            graduate::receive(port, &receiving, now)
        })?;
        let frozen = Mark::new(Phase::Frozen, &move_id, &store_id, &place(self.to)?);
        self.from.write_marked(Durability::Power, move |port, now| {
            graduate::freeze(port, &frozen, now)
        })?;
        Ok(move_id)
    }

    fn is_late(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// Gives back what runs, and brings the rows over.
    fn carry(&self, move_id: &str) -> Result<Step<Progress>> {
        let mut released = 0;
        loop {
            let id = move_id.to_owned();
            let (more, is_all) =
                self.from.write_marked(Durability::Process, move |port, now| {
                    graduate::release(port, &id, now)
                })?;
            released += more;
            if is_all {
                break;
            }
            if self.is_late() {
                return Ok(Step::Late(Report::on_the_way(None, released, None)));
            }
        }
        self.copy(move_id, released)
    }

    fn copy(&self, move_id: &str, released: u64) -> Result<Step<Progress>> {
        let mut progress = self.to.look_at_marked(|port| copy::progress(port, move_id))?;
        while progress.stage != Stage::Ready {
            let reader = if progress.stage == Stage::Copying { self.from } else { self.to };
            let batch =
                reader.look_at_marked(|port| copy::read(port, move_id, progress.clone()))?;
            let id = move_id.to_owned();
            progress = self
                .to
                .write_marked(Durability::Process, move |port, _| copy::put(port, &id, &batch))?;
            if self.is_late() {
                let table = copy::table_of(&progress);
                let name = |table: Table| self.to.look_at_marked(|port| Ok(port.table_name(table)));
                let name = table.map(name).transpose()?;
                let report = Report::on_the_way(Some(&progress), released, name.map(str::to_owned));
                return Ok(Step::Late(report));
            }
        }
        Ok(Step::Done(progress))
    }

    /// Looks whether what came is whole.
    fn check(&self) -> Result<()> {
        let faults = self.to.look_at_marked(|port| port.faults(CHECK_FAULTS_MAX))?;
        let Some(fault) = faults.first() else { return Ok(()) };
        Err(Error::Corrupt(
            format!(
                "what came has faults, the first of {}: {}: look at the store that is moved by sw_store_check",
                faults.len(),
                fault.detail
            )
            .into(),
        ))
    }

    /// Opens the other store by what this one says, and notes that here. One that is still receiving has lost
    /// that it was opened, whatever is noted: nothing was acknowledged there since.
    fn open(&self, source: &Seen, target: &Seen, mark: &Mark) -> Result<Report> {
        let is_ours =
            |theirs: &Mark| theirs.phase == Phase::Receiving && theirs.move_id == mark.move_id;
        if target.mark.as_ref().is_some_and(is_ours) {
            let (id, identity) = (mark.move_id.clone(), source.identity.clone());
            self.to.write_marked(Durability::Power, move |port, now| {
                graduate::open(port, &id, &identity, now)
            })?;
        } else if !target.is_opened_from(source) {
            return Err(mark.refusal());
        } else if !mark.is_open {
            self.to.settle()?;
        }
        if !mark.is_open {
            let id = mark.move_id.clone();
            self.from
                .write_marked(Durability::Power, move |port, _| graduate::note_open(port, &id))?;
        }
        Ok(Report::moved(mark))
    }
}
