//! Schedules: what submits runs by itself, when somebody looks.
//!
//! Nothing of ours runs by itself: a schedule that is due fires inside the next claim or wait of any
//! process. Making the run and moving the schedule on are one transaction, so that a firing makes its
//! run once, whoever looks and however many look at once.

mod calendar;
pub mod cron;
pub mod local;
#[cfg(test)]
mod reference_tests;
mod spec;
pub mod timetable;

pub use spec::{CatchUp, Overlap, Spec};

use serde::Serialize;
use serde_json::value::RawValue;

use self::cron::Cron;
use self::local::Zone;
use self::spec::UTC;
use self::timetable::Timetable;
use super::news::{News, Queues, Swept};
use super::output::{self, to_text};
use super::port::{self, Port, Schedule};
use super::submit::{Submit, submit};
use crate::clock::Now;
use crate::error::{Error, Result};
use crate::id::{self, Id};
use crate::limits::{SCHEDULE_RETRY_MS, SCHEDULES_MAX, SWEEP_FIRINGS_MAX, SWEEP_SCHEDULES_MAX};

/// Refuses a spec whose zone is not known here, or that would never fire.
pub fn check(port: &mut dyn Port, spec: &Spec, now: Now) -> Result<()> {
    let table = timetable(port, spec, now.wall_ms)?;
    match table.next_after(now.wall_ms) {
        Some(_) => Ok(()),
        None => Err(Error::invalid(match &spec.cron {
            Some(cron) => format!("spec: cron {cron:?} never fires"),
            None => "spec: every_ms leads beyond the year 9999".into(),
        })),
    }
}

fn timetable(port: &mut dyn Port, spec: &Spec, anchor_ms: i64) -> Result<Timetable> {
    let zone = zone(port, &spec.timezone)?;
    match (&spec.cron, spec.every_ms) {
        (Some(cron), _) => Ok(Timetable::Cron { cron: Box::new(Cron::read(cron)?), zone }),
        (None, Some(every_ms)) => Ok(Timetable::Every { anchor_ms, every_ms }),
        (None, None) => Err(Error::internal("a schedule without times")),
    }
}

fn zone(port: &mut dyn Port, name: &str) -> Result<Zone> {
    if name == UTC {
        return Ok(Zone::Utc);
    }
    let unknown = || Error::invalid(format!("timezone {name:?} is not known on this machine"));
    match port.time_zone(name)? {
        port::Zone::Found(rules) => Zone::read(&rules).ok_or_else(unknown),
        port::Zone::Unknown => Err(unknown()),
        port::Zone::NoneHere => Err(Error::Unsupported(
            format!(
                "timezone is {name:?}, and this machine has no time zones, only \"UTC\": install tzdata"
            )
            .into(),
        )),
    }
}

/// Writes a schedule. The same spec again changes nothing; another one keeps the time of the next
/// firing if it fires at the same times.
pub fn set(port: &mut dyn Port, name: &str, spec: &Spec, now: Now) -> Result<()> {
    port.tell(News::due_earlier(Queues::ALL));
    let text = spec.to_text()?;
    let Some(stored) = port.schedule(name)? else {
        if port.schedules_len(SCHEDULES_MAX)? >= SCHEDULES_MAX {
            return Err(Error::conflict(format!(
                "there are {SCHEDULES_MAX} schedules, more are not allowed"
            )));
        }
        let new = Schedule { name: name.into(), ..Schedule::default() };
        return begin(port, Schedule { anchor_ms: now.wall_ms, ..new }, spec, now);
    };
    if stored.spec == text {
        return Ok(());
    }
    match Spec::stored(&stored.spec) {
        // What was missed while it was paused is not made up for.
        Ok(old) if old.has_times_of(spec) && old.paused => begin(port, stored, spec, now),
        Ok(old) if old.has_times_of(spec) => {
            let next_at_ms = stored.next_at_ms.filter(|_| !spec.paused);
            port.schedule_put(&Schedule { next_at_ms, spec: text, ..stored })
        }
        _ => begin(port, Schedule { anchor_ms: now.wall_ms, ..stored }, spec, now),
    }
}

/// Writes a schedule that fires from now on.
fn begin(port: &mut dyn Port, schedule: Schedule, spec: &Spec, now: Now) -> Result<()> {
    let next_at_ms = if spec.paused {
        None
    } else {
        timetable(port, spec, schedule.anchor_ms)?.next_after(now.wall_ms)
    };
    port.schedule_put(&Schedule {
        next_at_ms,
        seen_at_ms: now.wall_ms,
        error: None,
        spec: spec.to_text()?,
        ..schedule
    })
}

/// Forgets a schedule. Runs that it made go on.
pub fn delete(port: &mut dyn Port, name: &str) -> Result<()> {
    if port.schedule_delete(name)? {
        return Ok(());
    }
    Err(Error::NotFound(format!("no schedule has the name {name:?}").into()))
}

/// Makes the runs of the schedules that are due, bounded. `seed` is an id that was never used: ids of
/// runs come from it.
pub fn sweep(port: &mut dyn Port, seed: Id, now: Now) -> Result<Swept> {
    let due = port.schedules_due(now.wall_ms, SWEEP_SCHEDULES_MAX)?;
    let mut swept = Swept { has_moved: false, has_more: due.len() == SWEEP_SCHEDULES_MAX as usize };
    let mut left = SWEEP_FIRINGS_MAX;
    for schedule in due {
        if left == 0 {
            return Ok(Swept { has_more: true, ..swept });
        }
        let fired = fire(port, schedule, left, seed, now)?;
        swept.has_moved |= fired.count > 0;
        swept.has_more |= fired.has_more;
        left -= fired.count;
    }
    Ok(swept)
}

/// What a schedule came to in one sweep.
struct Fired {
    count: usize,
    has_more: bool,
}

fn fire(
    port: &mut dyn Port,
    mut schedule: Schedule,
    limit: usize,
    seed: Id,
    now: Now,
) -> Result<Fired> {
    let spec = match Spec::stored(&schedule.spec) {
        Ok(spec) => spec,
        Err(error) => return put_off(port, schedule, &error, now),
    };
    let table = match timetable(port, &spec, schedule.anchor_ms) {
        Ok(table) => table,
        Err(error @ (Error::Invalid(_) | Error::Unsupported(_))) => {
            return put_off(port, schedule, &error, now);
        }
        Err(error) => return Err(error),
    };
    let due = table.due(schedule.seen_at_ms, now.wall_ms, spec.catch_up, limit);
    let made = match spec.overlap {
        Overlap::Skip if due.firings.is_empty() => 0,
        // The run that the first makes is open to all others.
        Overlap::Skip => usize::from(!is_last_run_open(port, &schedule)?),
        Overlap::Queue => due.firings.len(),
    };
    // One by one: all their args together could be more than memory has.
    for at_ms in &due.firings[..made] {
        make_run(port, &mut schedule, &spec, *at_ms, seed, now)?;
    }
    let skipped = i64::try_from(due.firings.len() - made).unwrap_or(i64::MAX);
    schedule.skipped = schedule.skipped.saturating_add(skipped);
    let next_at_ms = table.next_after(due.seen_at_ms);
    let has_more = next_at_ms.is_some_and(|at_ms| at_ms <= now.wall_ms);
    let seen_at_ms = due.seen_at_ms;
    port.schedule_put(&Schedule { next_at_ms, seen_at_ms, error: None, ..schedule })?;
    Ok(Fired { count: due.firings.len(), has_more })
}

/// Looks again later at a schedule that cannot be read here, and says why: a process that knows its
/// zone may come by. Firings stay due, and nobody's claim fails for it.
fn put_off(port: &mut dyn Port, schedule: Schedule, why: &Error, now: Now) -> Result<Fired> {
    port.schedule_put(&Schedule {
        next_at_ms: Some(now.wall_ms.saturating_add(SCHEDULE_RETRY_MS)),
        error: Some(why.to_string()),
        ..schedule
    })?;
    Ok(Fired { count: 0, has_more: false })
}

fn is_last_run_open(port: &mut dyn Port, schedule: &Schedule) -> Result<bool> {
    let Some(run_id) = schedule.last_run_id else { return Ok(false) };
    match port.run_by_id(run_id)? {
        Some(run_key) => Ok(port.task(run_key)?.is_some()),
        None => Ok(false),
    }
}

/// What a run tells of the schedule that made it.
#[derive(Serialize)]
struct Origin<'name> {
    schedule: &'name str,
    scheduled_at_ms: i64,
}

fn make_run(
    port: &mut dyn Port,
    schedule: &mut Schedule,
    spec: &Spec,
    at_ms: i64,
    seed: Id,
    now: Now,
) -> Result<()> {
    let origin = Origin { schedule: &schedule.name, scheduled_at_ms: at_ms };
    let run = Submit {
        workflow: spec.workflow.clone(),
        queue: Some(spec.queue.clone()),
        args: spec.args.as_ref().map(|args| args.get().to_owned()),
        run_at_ms: at_ms,
        metadata: Some(to_text(&origin)?),
        ..Submit::default()
    };
    let parts = [&seed.to_bytes()[..], schedule.name.as_bytes(), &at_ms.to_le_bytes()];
    let run_id = id::derive(now.wall_ms, &parts);
    submit(port, &run, run_id, 0, now)?;
    schedule.last_run_id = Some(run_id);
    schedule.last_at_ms = Some(at_ms);
    Ok(())
}

/// A schedule as its list shows it.
#[derive(Serialize)]
struct Shown<'row> {
    name: &'row str,
    workflow: &'row str,
    args: Option<&'row RawValue>,
    queue: &'row str,
    cron: Option<&'row str>,
    every_ms: Option<i64>,
    timezone: &'row str,
    overlap: Overlap,
    catch_up: CatchUp,
    paused: bool,
    next_at_ms: Option<i64>,
    last_at_ms: Option<i64>,
    last_run_id: Option<String>,
    skipped: i64,
    error: Option<&'row str>,
}

impl output::Document for Vec<Shown<'_>> {
    const SHAPE: &'static str = "schedules";
}

/// Returns all schedules as a JSON array, by name.
pub fn list(port: &mut dyn Port) -> Result<String> {
    let rows = port.schedules(SCHEDULES_MAX)?;
    let specs = rows.iter().map(stored_spec).collect::<Result<Vec<_>>>()?;
    let documents: Vec<_> =
        rows.iter().zip(&specs).map(|(row, spec)| document(row, spec)).collect();
    output::document(&documents)
}

fn stored_spec(row: &Schedule) -> Result<Spec> {
    Spec::stored(&row.spec).map_err(|error| {
        Error::Corrupt(format!("schedule {:?} cannot be read: {error}", row.name).into())
    })
}

fn document<'row>(row: &'row Schedule, spec: &'row Spec) -> Shown<'row> {
    Shown {
        name: &row.name,
        workflow: &spec.workflow,
        args: spec.args.as_deref(),
        queue: &spec.queue,
        cron: spec.cron.as_deref(),
        every_ms: spec.every_ms,
        timezone: &spec.timezone,
        overlap: spec.overlap,
        catch_up: spec.catch_up,
        paused: spec.paused,
        next_at_ms: row.next_at_ms,
        last_at_ms: row.last_at_ms,
        last_run_id: row.last_run_id.map(|run_id| id::write("run", run_id)),
        skipped: row.skipped,
        error: row.error.as_deref(),
    }
}
