//! Acts on runs, by name or by filter: cancel, pause, resume, retry.

use super::{Done, Session, submit};
use crate::cli::Which;
use crate::document::Acted;
use crate::door::{self, code};
use crate::failure::Failure;
use crate::filter::Object;
use crate::input;
use crate::out;
use crate::progress::Progress;
use crate::run_id;
use crate::table::{Cell, Table};

/// Counts are told up to here; whoever has more is told that there are as many.
const COUNT_MAX: u64 = 100_000;

/// What is done to runs.
#[derive(Clone, Copy)]
pub(super) enum Act<'a> {
    Cancel(Option<&'a str>),
    Pause,
    Resume,
    Retry,
}

impl Act<'_> {
    fn name(self) -> &'static str {
        match self {
            Act::Cancel(_) => "cancel",
            Act::Pause => "pause",
            Act::Resume => "resume",
            Act::Retry => "retry",
        }
    }

    /// The states to which there is something to do.
    fn states(self) -> &'static str {
        match self {
            Act::Cancel(_) => r#"["pending","running","waiting","paused"]"#,
            Act::Pause => r#"["pending","running","waiting"]"#,
            Act::Resume => r#"["paused"]"#,
            Act::Retry => r#"["failed","cancelled"]"#,
        }
    }

    fn apply(self, store: &door::Store, id: &str) -> Result<(), door::Error> {
        match self {
            Act::Cancel(reason) => store.run_cancel(id, reason),
            Act::Pause => store.run_pause(id),
            Act::Resume => store.run_resume(id),
            Act::Retry => store.run_retry(id),
        }
    }
}

pub(super) fn act(session: &mut Session, act: Act, which: &Which) -> Done {
    match (which.runs.is_empty(), which.filter.is_empty()) {
        (false, true) => named(session, act, which),
        (false, false) => Err(Failure::Usage("name runs or give a filter, not both".into())),
        (true, false) => chosen(session, act, which),
        (true, true) => Err(Failure::Usage(format!(
            "which runs? name them, or give a filter such as --state failed --workflow w; all that can be \
             done: --where '{{}}' ({})",
            act.name()
        ))),
    }
}

/// Runs that were named: they are meant, so nobody is asked.
fn named(session: &mut Session, act: Act, which: &Which) -> Done {
    let mut ids = Vec::new();
    for run in &which.runs {
        ids.push(run_id::resolve(&session.store, run)?);
    }
    for id in &ids {
        if which.sure.dry_run {
            submit::became(session, id)?;
            continue;
        }
        act.apply(&session.store, id)?;
        submit::became(session, id)?;
    }
    session.out.flush()?;
    if which.sure.dry_run {
        out::say(&format!(
            "a dry run: {} would be asked of {}, nothing was done",
            act.name(),
            runs(ids.len() as u64)
        ));
    }
    Ok(())
}

fn runs(count: u64) -> String {
    match count {
        1 => "1 run".to_string(),
        count if count >= COUNT_MAX => format!("{COUNT_MAX} runs or more"),
        count => format!("{count} runs"),
    }
}

/// Runs that a filter means: counted, asked about, then acted on in commits of a thousand.
fn chosen(session: &mut Session, act: Act, which: &Which) -> Done {
    if let Act::Cancel(Some(_)) = act {
        return Err(Failure::Usage("--reason goes with runs that are named".into()));
    }
    let mut filter = which.filter.object(&session.store)?;
    if which.sure.dry_run {
        return rehearse(session, act, &mut filter);
    }
    let count = count(session, act, &which.filter.object(&session.store)?)?;
    if count == 0 {
        out::say("no run is meant: nothing was done");
        return Ok(());
    }
    input::is_sure(&format!("{} {}.", act.name(), runs(count)), which.sure.yes)?;
    let states = filter.json_of("state").unwrap_or_default();
    let are_ended =
        !["pending", "running", "waiting", "paused"].iter().any(|it| states.contains(it));
    if matches!(act, Act::Retry) && are_ended && !filter.has("finished_to_ms") {
        // What fails again meanwhile is not tried for ever.
        filter.json("finished_to_ms", (session.store.now_ms() + 1).to_string());
    }
    work(session, act, &filter.to_string(), count)
}

fn count(session: &Session, act: Act, filter: &Object) -> Result<u64, Failure> {
    let mut meant = filter.clone();
    if !meant.has("state") {
        meant.json("state", act.states());
    }
    Ok(session.store.run_count(&meant.to_string(), COUNT_MAX)?)
}

fn rehearse(session: &mut Session, act: Act, filter: &mut Object) -> Done {
    let count = count(session, act, filter)?;
    filter.json("dry_run", "true");
    let document = session.store.run_act_many(
        act.name(),
        &filter.to_string(),
        code::SW_LIST_LEN_MAX as u32,
    )?;
    if session.out.is_json() {
        return Ok(session.out.document(&document)?);
    }
    let acted: Acted = serde_json::from_str(&document)?;
    let mut table = Table::new(&["WOULD DO", "REFUSED", "MORE"]);
    let would = acted.matched - acted.refused.len() as i64;
    table.row(vec![would.into(), Cell::from(acted.refused.len() as i64), yes(acted.more)]);
    session.out.table(&table, session.store.now_ms())?;
    session.out.flush()?;
    out::say(&format!("a dry run: {} is asked of {}, nothing was done", act.name(), runs(count)));
    Ok(())
}

fn yes(is: bool) -> Cell {
    if is { "yes".into() } else { "no".into() }
}

fn work(session: &mut Session, act: Act, filter: &str, count: u64) -> Done {
    let mut progress = Progress::new(act.name(), Some(count));
    let (mut done, mut refused) = (0, Vec::new());
    loop {
        let document =
            session.store.run_act_many(act.name(), filter, code::SW_LIST_LEN_MAX as u32)?;
        let acted: Acted = serde_json::from_str(&document)?;
        done += acted.done;
        progress.at(done as u64);
        if session.out.is_json() {
            session.out.document(&document)?;
            session.out.flush()?;
        }
        let is_last = !acted.more || acted.done == 0;
        refused.extend(acted.refused);
        if is_last {
            break;
        }
    }
    drop(progress);
    refused.sort_by(|a, b| a.run_id.cmp(&b.run_id));
    refused.dedup_by(|a, b| a.run_id == b.run_id);
    told(session, done, &refused)
}

fn told(session: &mut Session, done: i64, refused: &[crate::document::Refused]) -> Done {
    let now = session.store.now_ms();
    if !session.out.is_json() {
        let mut table = Table::new(&["DONE", "REFUSED"]);
        table.row(vec![done.into(), Cell::from(refused.len() as i64)]);
        session.out.table(&table, now)?;
    }
    session.out.flush()?;
    for run in refused {
        out::say(&format!("refused: {} {}", run.run_id, door::code_name(run.code)));
    }
    if refused.is_empty() { Ok(()) } else { Err(refusal(refused)) }
}

fn refusal(refused: &[crate::document::Refused]) -> Failure {
    let code = refused.first().map_or(code::SW_ERR_CONFLICT, |run| run.code);
    let count = refused.len() as u64;
    Failure::Library(door::Error::new(code, format!("the state of {} forbids it", runs(count))))
}
