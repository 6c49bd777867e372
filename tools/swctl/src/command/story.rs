//! One run: its whole story on a screen, its steps, its tree.

use std::collections::HashMap;

use super::list::{self, tries};
use super::{Done, Session, explain, fact};
use crate::document::{
    Attempt, Child, Event, Explanation, History, Page, Run, Signal, Step, brief,
};
use crate::door::code;
use crate::failure::Failure;
use crate::out::Form;
use crate::run_id;
use crate::table::{Cell, Table, Tone, Value};
use crate::{text, time};

/// Entries of a history that a screen shows of each kind, the last.
const SHOWN_MAX: usize = 30;

pub(super) fn show(session: &mut Session, typed: &str) -> Done {
    let id = run_id::resolve(&session.store, typed)?;
    let document = session.store.run_get(&id)?;
    if session.out.is_json() {
        return Ok(session.out.document(&document)?);
    }
    let run: Run = serde_json::from_str(&document)?;
    let pages = history(session, &id)?;
    headline(session, &run)?;
    facts(session, &run)?;
    if !run.has_ended() {
        let explanation = session.store.run_explain(&id)?;
        let explanation: Explanation = serde_json::from_str(&explanation)?;
        session.out.line("")?;
        for reason in &explanation.reasons {
            explain::sentence(session, reason)?;
        }
    }
    happened(session, &pages)
}

/// All pages of a history, in full.
fn history(session: &Session, id: &str) -> Result<Vec<String>, Failure> {
    let mut pages = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page =
            session.store.run_history(id, cursor.as_deref(), code::SW_PAGE_LEN_MAX as u32)?;
        cursor = serde_json::from_str::<History>(&page)?.next.map(str::to_string);
        pages.push(page);
        if cursor.is_none() {
            return Ok(pages);
        }
    }
}

fn headline(session: &mut Session, run: &Run) -> Done {
    let id = session.out.paint(Tone::Bold, run.run_id);
    let state = session.out.paint(Tone::of_state(run.state), run.state);
    let workflow = text::visible(&run.workflow).into_owned();
    let told = match (run.cancel_asked, run.pause_asked) {
        (true, _) => ", told to end",
        (_, true) => ", told to pause",
        _ => "",
    };
    Ok(session.out.line(&format!("{id}  {workflow}  {state}{told}"))?)
}

fn facts(session: &mut Session, run: &Run) -> Done {
    let now = session.store.now_ms();
    let moment = |at: i64| format!("{}  ({})", time::iso(at), time::relative(at, now));
    let mut facts: Vec<(&str, String)> = vec![("queue", run.queue.to_string())];
    if let Some(version) = &run.code_version {
        facts.push(("code version", version.to_string()));
    }
    if run.priority != 0 {
        facts.push(("priority", run.priority.to_string()));
    }
    if let Some(parent) = run.parent_run_id {
        facts.push(("parent", parent.to_string()));
        facts.push(("topmost", run.root_run_id.to_string()));
    }
    let attempts = if run.attempts == 1 { "attempt" } else { "attempts" };
    facts.push((
        "tries",
        format!("{} of {}, in {} {attempts}", run.tries, run.max_tries, run.attempts),
    ));
    facts.push(("submitted", moment(run.created_at_ms)));
    if run.run_at_ms > run.created_at_ms {
        facts.push(("begins", moment(run.run_at_ms)));
    }
    if let Some(due) = run.due_at_ms.filter(|due| *due > run.run_at_ms) {
        facts.push(("due", moment(due)));
    }
    if let Some(ended) = run.finished_at_ms {
        facts.push(("ended", moment(ended)));
        facts.push(("lasted", time::span(ended - run.created_at_ms)));
    }
    let payloads = [
        ("args", run.args),
        ("metadata", run.metadata),
        ("result", run.result),
        ("error", run.error),
        ("last error", run.last_error),
    ];
    for (name, payload) in payloads {
        if let Some(payload) = payload.filter(|payload| payload.get() != "null") {
            facts.push((name, payload.get().to_string()));
        }
    }
    for (name, fact) in facts {
        fact::line(session, (2, 13), name, &fact)?;
    }
    Ok(())
}

fn happened(session: &mut Session, pages: &[String]) -> Done {
    let mut whole = History {
        attempts: vec![],
        steps: vec![],
        signals: vec![],
        children: vec![],
        events: vec![],
        next: None,
    };
    for page in pages {
        let page: History = serde_json::from_str(page)?;
        whole.attempts.extend(page.attempts);
        whole.steps.extend(page.steps);
        whole.signals.extend(page.signals);
        whole.children.extend(page.children);
        whole.events.extend(page.events);
    }
    section(
        session,
        "attempts",
        &["#", "STATE", "WORKER", "STARTED", "LASTED", "ERROR"],
        &whole.attempts,
        attempt_row,
    )?;
    let mut steps = Vec::new();
    for step in &whole.steps {
        steps.push(serde_json::from_str::<Step>(step.get())?);
    }
    section(session, "steps", &STEPS, &steps, step_row)?;
    section(
        session,
        "signals",
        &["SIGNAL", "SENT", "TAKEN", "PAYLOAD"],
        &whole.signals,
        signal_row,
    )?;
    section(
        session,
        "children",
        &["RUN", "STATE", "WORKFLOW", "SUBMITTED", "ENDED"],
        &whole.children,
        child_row,
    )?;
    let mut events = Vec::new();
    for event in &whole.events {
        events.push(serde_json::from_str::<Event>(event.get())?);
    }
    section(session, "events", &["#", "AT", "TYPE", "PAYLOAD"], &events, |event, _| {
        vec![
            event.seq.into(),
            Cell::moment(Some(event.at_ms)),
            event.kind.as_ref().into(),
            event.payload.get().into(),
        ]
    })
}

/// A table under its name, of the last entries; nothing where there are none.
fn section<T>(
    session: &mut Session,
    name: &str,
    headings: &[&'static str],
    entries: &[T],
    row: impl Fn(&T, i64) -> Vec<Cell>,
) -> Done {
    if entries.is_empty() {
        return Ok(());
    }
    let now = session.store.now_ms();
    // A screen shows the last ones; a pipe all.
    let shown_max = if session.out.form == Form::Table { SHOWN_MAX } else { usize::MAX };
    let shown = &entries[entries.len().saturating_sub(shown_max)..];
    let mut table = Table::new(headings);
    for entry in shown {
        table.row(row(entry, now));
    }
    let count = match shown.len() < entries.len() {
        true => format!(" (the last {} of {})", shown.len(), entries.len()),
        false => String::new(),
    };
    let name = session.out.paint(Tone::Bold, name);
    session.out.line(&format!("\n{name}{count}"))?;
    Ok(session.out.table(&table, now)?)
}

fn payload(payload: Option<&serde_json::value::RawValue>) -> Cell {
    payload.map_or(Value::None.into(), |payload| Cell::from(payload.get()))
}

fn attempt_row(attempt: &Attempt, now_ms: i64) -> Vec<Cell> {
    vec![
        attempt.number.into(),
        Cell::state(attempt.state),
        attempt.worker.as_deref().into(),
        Cell::moment(Some(attempt.started_at_ms)),
        Cell::span(Some(attempt.ended_at_ms.unwrap_or(now_ms) - attempt.started_at_ms)),
        attempt.error.map_or(Value::None.into(), |error| brief(error).into()),
    ]
}

const STEPS: [&str; 7] = ["STEP", "KIND", "STATE", "TRIES", "STARTED", "LASTED", "RESULT OR ERROR"];

fn step_row(step: &Step, now_ms: i64) -> Vec<Cell> {
    let name = match step.occurrence {
        1 => step.name.to_string(),
        occurrence => format!("{}#{occurrence}", step.name),
    };
    let lasted = step.started_at_ms.map(|from| step.ended_at_ms.unwrap_or(now_ms) - from);
    vec![
        name.into(),
        step.kind.as_ref().into(),
        Cell::state(step.state),
        step.tries.into(),
        Cell::moment(step.started_at_ms),
        Cell::span(lasted),
        match step.error {
            Some(error) => Cell::from(brief(error)).tone(Tone::Bad),
            None => payload(step.result),
        },
    ]
}

fn signal_row(signal: &Signal, _: i64) -> Vec<Cell> {
    vec![
        signal.name.as_ref().into(),
        Cell::moment(Some(signal.sent_at_ms)),
        if signal.consumed { "taken".into() } else { Cell::from("waits").tone(Tone::Warn) },
        payload(signal.payload),
    ]
}

fn child_row(child: &Child, _: i64) -> Vec<Cell> {
    vec![
        child.run_id.into(),
        Cell::state(child.state),
        child.workflow.as_ref().into(),
        Cell::moment(Some(child.created_at_ms)),
        Cell::moment(child.finished_at_ms),
    ]
}

pub(super) fn steps(session: &mut Session, typed: &str) -> Done {
    let id = run_id::resolve(&session.store, typed)?;
    if session.out.form == Form::Json {
        let page = session.store.run_history(&id, None, code::SW_PAGE_LEN_MAX as u32)?;
        return Ok(session.out.document(&page)?);
    }
    let now = session.store.now_ms();
    let mut table = Table::new(&STEPS);
    for page in history(session, &id)? {
        for step in serde_json::from_str::<History>(&page)?.steps {
            match session.out.form {
                Form::Jsonl => session.out.document(step.get())?,
                _ => table.row(step_row(&serde_json::from_str(step.get())?, now)),
            }
        }
    }
    if session.out.form == Form::Table && table.is_empty() {
        return Ok(session.out.line("it has recorded no step")?);
    }
    Ok(session.out.table(&table, now)?)
}

pub(super) fn tree(session: &mut Session, typed: &str, limit: usize) -> Done {
    let id = run_id::resolve(&session.store, typed)?;
    let document = session.store.run_get(&id)?;
    let root = serde_json::from_str::<Run>(&document)?.root_run_id.to_string();
    let filter =
        format!("{{\"root_run_id\":\"{root}\",\"order\":\"oldest\",\"include\":[\"error\"]}}");
    if session.out.form == Form::Json {
        let page = session.store.run_list(&filter, None, code::SW_LIST_LEN_MAX as u32)?;
        return Ok(session.out.document(&page)?);
    }
    let mut pages: Vec<String> = Vec::new();
    let (mut cursor, mut count, mut more) = (None::<String>, 0, false);
    while count < limit {
        let most = (limit - count).min(code::SW_LIST_LEN_MAX as usize) as u32;
        let page = session.store.run_list(&filter, cursor.as_deref(), most)?;
        let read: Page = serde_json::from_str(&page)?;
        count += read.items.len();
        cursor = read.next.map(str::to_string);
        more = cursor.is_some();
        pages.push(page);
        if !more {
            break;
        }
    }
    draw(session, &pages, &root, &id)?;
    if more {
        session.out.flush()?;
        crate::out::say(&format!("the tree has more than {limit} runs: --limit N"));
    }
    Ok(())
}

fn draw(session: &mut Session, pages: &[String], root: &str, marked: &str) -> Done {
    let mut below: HashMap<&str, Vec<Run>> = HashMap::new();
    let mut top = None;
    for page in pages {
        for item in serde_json::from_str::<Page>(page)?.items {
            if session.out.form == Form::Jsonl {
                session.out.document(item.get())?;
                continue;
            }
            let run: Run = serde_json::from_str(item.get())?;
            match run.parent_run_id {
                Some(parent) if run.run_id != root => below.entry(parent).or_default().push(run),
                _ => top = Some(run),
            }
        }
    }
    let Some(top) = top else { return Ok(()) };
    // A stack and no recursion: a tree may be as deep as it has runs.
    let mut stack = vec![(top, String::new(), String::new())];
    while let Some((run, lead, rest)) = stack.pop() {
        branch(session, &run, &lead, run.run_id == marked)?;
        let children = below.remove(run.run_id).unwrap_or_default();
        let last = children.len();
        for (at, child) in children.into_iter().enumerate().rev() {
            let (own, next) = if at + 1 == last { ("`- ", "   ") } else { ("|- ", "|  ") };
            stack.push((child, format!("{rest}{own}"), format!("{rest}{next}")));
        }
    }
    Ok(())
}

fn branch(session: &mut Session, run: &Run, lead: &str, is_marked: bool) -> Done {
    let now = session.store.now_ms();
    if session.out.form == Form::Piped {
        let mut table = Table::new(&["DEPTH", "RUN", "PARENT", "STATE", "WORKFLOW", "TRIES"]);
        table.row(vec![
            Cell::from((lead.len() / 3) as i64),
            run.run_id.into(),
            run.parent_run_id.into(),
            list::state(run),
            run.workflow.as_ref().into(),
            tries(run),
        ]);
        return Ok(session.out.table(&table, now)?);
    }
    let lasted = time::span(run.finished_at_ms.unwrap_or(now) - run.created_at_ms);
    let error = run
        .any_error()
        .map(|error| format!("  {}", text::visible(&brief(error))))
        .unwrap_or_default();
    let workflow = text::visible(&run.workflow).into_owned();
    let mark = if is_marked { " <" } else { "" };
    let plain = format!("{lead}{}  {workflow}  {}  {lasted}{mark}{error}", run.run_id, run.state);
    if text::width(&plain) > session.out.room(0) {
        let cut = text::cut(&plain, session.out.room(0)).into_owned();
        return Ok(session.out.line(&cut)?);
    }
    let id = session.out.paint(if is_marked { Tone::Bold } else { Tone::Plain }, run.run_id);
    let state = session.out.paint(Tone::of_state(run.state), run.state);
    let error = session.out.paint(Tone::Dim, &error);
    Ok(session.out.line(&format!("{lead}{id}  {workflow}  {state}  {lasted}{mark}{error}"))?)
}
