//! Moving a whole store into another one, of whichever backend, with runs in flight.
//!
//! The mark of the store that is moved decides who is in force ([`mark`]). In this order: the other store
//! is marked as receiving, under the id of a new move; this one is frozen under that id, and what still runs
//! is given back; rows are copied, table by table in the order of a key, with the cursor in the same
//! transaction ([`copy`]); what came is read again and compared, and looked at as a check does. Then one
//! commit turns the mark of this store to moved, and that is the decision. Only what it says may the other
//! store be opened by. A crash before it leaves this store in force, one after it the other, once that is
//! opened; called again, the move goes on from where it stood. A move that does not fit to what a store is
//! marked with begins anew: what was copied under another id is never opened.

use serde::Serialize;

use super::attempt::{End, finish};
use super::input::{boolean, integer_in, object};
use super::news::{News, Queues};
use super::output::{Document, document};
use super::port::{Fence, Identity, Port, RunKey};
use super::sweep;
use crate::clock::Now;
use crate::error::{Error, Result};
use crate::limits::{BUSY_TIMEOUT_MS_MAX, SWEEP_LOST_MAX};

pub mod copy;
mod mark;

pub use mark::{Mark, Phase, Progress, Stage, Sum};

/// What is asked of a move.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Take it back instead.
    pub is_abort: bool,
    /// Milliseconds after which a call returns with what it has done; 0 goes on to the end.
    pub for_ms: i64,
}

/// Reads `{"abort", "for_ms"}`.
pub fn options(text: Option<&str>) -> Result<Options> {
    let mut options = Options::default();
    object(text.unwrap_or("{}"), |key, value| {
        match key {
            "abort" => options.is_abort = boolean(key, value)?,
            "for_ms" => options.for_ms = integer_in(key, value, 0..=BUSY_TIMEOUT_MS_MAX.into())?,
            _ => return Ok(false),
        }
        Ok(true)
    })
    .map_err(|error| error.within("options"))?;
    Ok(options)
}

/// What a look at a store tells a move.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its mark.
    pub mark: Option<Mark>,
    /// What it says of itself.
    pub identity: Identity,
    /// Whether it has no rows of runs or anything else.
    pub is_unused: bool,
}

impl Seen {
    /// Returns its id as text.
    pub fn store_id(&self) -> String {
        hex(&self.identity.store_id)
    }

    /// Returns whether it is where this move went, and was opened.
    pub fn is_opened_from(&self, source: &Seen) -> bool {
        let (ours, theirs) = (&self.identity, &source.identity);
        self.mark.is_none() && (&ours.store_id, ours.lineage) == (&theirs.store_id, theirs.lineage)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Looks at a store that may be marked.
pub fn look(port: &mut dyn Port) -> Result<Seen> {
    match (port.schema_version(), port.schema_newest()) {
        (Ok(current), newest) if current == newest => {}
        (Ok(current), newest) => return Err(Error::SchemaOld { current, newest }),
        // By its mark.
        (Err(Error::Moved(_) | Error::Busy(_)), _) => {}
        (Err(error), _) => return Err(error),
    }
    let mark = marked(port)?;
    let (identity, is_unused) = (port.identity()?, port.is_unused()?);
    Ok(Seen { mark, identity, is_unused })
}

fn marked(port: &mut dyn Port) -> Result<Option<Mark>> {
    port.mark()?.as_deref().map(Mark::read).transpose()
}

fn stale() -> Error {
    Error::conflict("the move was taken back, or begun anew, by another call")
}

/// Returns the mark of a store if it is of this move and says so.
fn in_phase(port: &mut dyn Port, move_id: &str, phase: Phase) -> Result<Mark> {
    let mark = marked(port)?.filter(|mark| mark.move_id == move_id && mark.phase == phase);
    mark.ok_or_else(stale)
}

/// Refuses a store that cannot be moved, and one that cannot be moved into.
pub fn check_pair(source: &Seen, target: &Seen) -> Result<()> {
    if let Some(mark) = &source.mark
        && mark.phase != Phase::Frozen
    {
        return Err(mark.refusal());
    }
    match &target.mark {
        Some(mark) if mark.phase == Phase::Aborted => Ok(()),
        Some(mark) if mark.phase == Phase::Receiving && mark.store_id == source.store_id() => {
            Ok(())
        }
        Some(mark) => Err(Error::conflict(format!("to cannot be moved into: {}", mark.refusal()))),
        None if target.is_unused => Ok(()),
        None => Err(Error::conflict("to is not empty: a store is moved into a new one")),
    }
}

/// Empties the store that is to be moved into, and marks it.
pub fn receive(port: &mut dyn Port, mark: &Mark, now: Now) -> Result<()> {
    // Looked at again: what was there a moment ago may be in use by now.
    match marked(port)? {
        None if !port.is_unused()? => return Err(Error::conflict("to is not empty any more")),
        Some(there) if there.phase != Phase::Aborted && there.store_id != mark.store_id => {
            return Err(there.refusal());
        }
        None => {}
        Some(_) => port.tables_clear()?,
    }
    port.mark_set(Some(&mark.text()?), now.wall_ms)
}

/// Freezes the store that is to be moved: from the commit on nothing is written to it.
pub fn freeze(port: &mut dyn Port, mark: &Mark, now: Now) -> Result<()> {
    match marked(port)? {
        Some(there) if there.phase != Phase::Frozen => return Err(there.refusal()),
        _ => {}
    }
    port.tell(all_queues());
    port.mark_set(Some(&mark.text()?), now.wall_ms)
}

/// Whoever waits looks, and finds the mark.
fn all_queues() -> News {
    News::RECALLED.and(News::due_earlier(Queues::ALL)).and(News::claimable(Queues::ALL))
}

/// Gives back a bounded part of what still runs: no try is charged. Returns how many were given back, and
/// whether that was all.
pub fn release(port: &mut dyn Port, move_id: &str, now: Now) -> Result<(u64, bool)> {
    let mut mark = in_phase(port, move_id, Phase::Frozen)?;
    let held = port.lost(i64::MAX, &[], SWEEP_LOST_MAX)?;
    let run_keys: Vec<RunKey> = held.iter().map(|one| one.run_key).collect();
    let mut released = 0;
    for task in port.tasks(&run_keys)? {
        let fence = Fence { run_key: task.run_key, number: task.fence, token: task.token };
        finish(port, fence, &End::Release(0), now)?;
        released += 1;
    }
    if released > 0 {
        mark.released += released;
        port.mark_note(&mark.text()?)?;
        return Ok((released, false));
    }
    for owner in port.standing("")?.owners {
        if sweep::give_back(port, owner.owner_key, now)? {
            return Ok((0, false));
        }
    }
    match port.any_held()? {
        None => Ok((0, true)),
        Some(run_key) => {
            Err(Error::Corrupt(format!("run {run_key} is held by nobody that is known").into()))
        }
    }
}

/// Decides: from this commit on the other store is in force.
pub fn decide(port: &mut dyn Port, move_id: &str, sums: &[Sum], now: Now) -> Result<Mark> {
    let mark = in_phase(port, move_id, Phase::Frozen)?;
    let left_behind = port.left_behind()?;
    let mark = Mark { phase: Phase::Moved, sums: sums.to_vec(), left_behind, ..mark };
    port.tell(all_queues());
    port.mark_set(Some(&mark.text()?), now.wall_ms)?;
    Ok(mark)
}

/// Opens the store that a move went into, once that was decided.
pub fn open(port: &mut dyn Port, move_id: &str, identity: &Identity, now: Now) -> Result<()> {
    let mark = in_phase(port, move_id, Phase::Receiving)?;
    if mark.progress.stage != Stage::Ready {
        return Err(Error::internal("a move was decided that was not done"));
    }
    port.identity_set(identity)?;
    port.tell(all_queues());
    port.mark_set(None, now.wall_ms)
}

/// Notes that the other store is open.
pub fn note_open(port: &mut dyn Port, move_id: &str) -> Result<()> {
    let mark = in_phase(port, move_id, Phase::Moved)?;
    port.mark_note(&Mark { is_open: true, ..mark }.text()?)
}

/// Has a store that is frozen go on as if nothing had been, but for what was given back. Returns whether
/// there was a move to take back.
pub fn thaw(port: &mut dyn Port, now: Now) -> Result<bool> {
    match marked(port)? {
        None => Ok(false),
        Some(mark) if mark.phase == Phase::Frozen => {
            port.tell(all_queues());
            port.mark_set(None, now.wall_ms).map(|()| true)
        }
        Some(mark) => Err(mark.refusal()),
    }
}

/// Marks what a move that was taken back has left in the other store.
pub fn give_up(port: &mut dyn Port, store_id: &str, now: Now) -> Result<()> {
    match marked(port)? {
        Some(mark) if mark.phase == Phase::Receiving && mark.store_id == store_id => {
            let mark = Mark { phase: Phase::Aborted, ..mark };
            port.mark_set(Some(&mark.text()?), now.wall_ms)
        }
        _ => Ok(()),
    }
}

/// Where a move stands, as it is told.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// `releasing`, `copying`, `comparing`, `moved` or `in_force`.
    pub state: &'static str,
    /// The table that is copied or compared.
    pub table: Option<String>,
    /// Rows that were copied, or compared.
    pub rows: u64,
    /// Attempts that were released.
    pub released: u64,
    /// The tables that were copied.
    pub tables: Vec<Sum>,
    /// The host's own tables.
    pub left_behind: Vec<String>,
}

impl Document for Report {
    const SHAPE: &'static str = "graduate";
}

impl Report {
    /// Says that a move is done.
    pub fn moved(mark: &Mark) -> Report {
        Report {
            state: "moved",
            table: None,
            rows: mark.sums.iter().map(|sum| sum.rows).sum(),
            released: mark.released,
            tables: mark.sums.clone(),
            left_behind: mark.left_behind.clone(),
        }
    }

    /// Says that there is no move.
    pub fn in_force() -> Report {
        Report {
            state: "in_force",
            table: None,
            rows: 0,
            released: 0,
            tables: Vec::new(),
            left_behind: Vec::new(),
        }
    }

    /// Says how far one has come.
    pub fn on_the_way(progress: Option<&Progress>, released: u64, table: Option<String>) -> Report {
        let Some(progress) = progress else {
            return Report { state: "releasing", released, ..Report::in_force() };
        };
        let (state, done) = match progress.stage {
            Stage::Copying => ("copying", &progress.sums),
            Stage::Comparing | Stage::Ready => ("comparing", &progress.compared),
        };
        let rows = done.iter().map(|sum| sum.rows).sum::<u64>() + progress.rows;
        let tables = progress.sums.clone();
        Report { state, table, rows, released, tables, left_behind: Vec::new() }
    }

    /// Writes it.
    pub fn text(&self) -> Result<String> {
        document(self)
    }
}
