//! Care of the file: prune, back up, check, migrate.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::whole::Stats;
use super::{Done, Session};
use crate::cli::Sure;
use crate::door::code;
use crate::failure::Failure;
use crate::filter::{Filter, Object};
use crate::input;
use crate::out::{self, Form};
use crate::progress::Progress;
use crate::table::{Cell, Table, Tone, Value, size};

#[derive(Deserialize)]
struct Pruned {
    runs: i64,
    trees: i64,
    bytes: i64,
    more: bool,
}

impl Pruned {
    fn said(&self) -> String {
        let more = if self.more { " and more" } else { "" };
        format!("{} runs in {} trees, {} of payload{more}", self.runs, self.trees, size(self.bytes))
    }
}

/// Runs that one call removes: each is a moment in which Ctrl-C ends the work, and progress is told.
const PRUNE_LEN: u32 = 1000;

pub(super) fn prune(session: &mut Session, filter: &Filter, all: bool, sure: &Sure) -> Done {
    if filter.is_empty() && !all {
        return Err(Failure::Usage(
            "which? give a filter such as --ended-to 30d, or --all for everything that has ended"
                .into(),
        ));
    }
    let filter = filter.object(&session.store)?;
    let mut rehearsal = filter.clone();
    rehearsal.json("dry_run", "true");
    let most = code::SW_PRUNE_LEN_MAX as u32;
    let document = Progress::new("prune, looking", None)
        .beside(|| None, || session.store.prune(&rehearsal.to_string(), most))?;
    if sure.dry_run {
        return rehearsed(session, &filter, &document);
    }
    let would: Pruned = serde_json::from_str(&document)?;
    if would.runs == 0 {
        out::say("no tree is meant: nothing was removed");
        return if session.out.is_json() { Ok(session.out.document(&document)?) } else { Ok(()) };
    }
    input::is_sure(&format!("prune {}.", would.said()), sure.yes)?;
    removed(session, &filter.to_string(), &would)
}

fn row(pruned: &Pruned) -> Vec<Cell> {
    vec![
        pruned.runs.into(),
        pruned.trees.into(),
        Value::Bytes(pruned.bytes).into(),
        if pruned.more { "yes".into() } else { "no".into() },
    ]
}

const PRUNED: [&str; 4] = ["RUNS", "TREES", "PAYLOAD", "MORE"];

/// What would go: how much, and the first trees by name.
fn rehearsed(session: &mut Session, filter: &Object, document: &str) -> Done {
    if session.out.is_json() {
        return Ok(session.out.document(document)?);
    }
    let pruned: Pruned = serde_json::from_str(document)?;
    let mut table = Table::new(&PRUNED);
    table.row(row(&pruned));
    session.out.table(&table, session.store.now_ms())?;
    if session.out.form == Form::Table && pruned.trees > 0 {
        let mut roots = filter.clone();
        roots.json("roots_only", "true");
        if !roots.has("order") {
            roots.json("order", "\"oldest\"");
        }
        if !roots.has("state") {
            roots.json("state", r#"["completed","failed","cancelled"]"#);
        }
        session.out.line("")?;
        session.out.sentence("the first that are meant; a tree stays while a run in it lives")?;
        super::list::first(session, &roots, 10)?;
    }
    session.out.flush()?;
    out::say("a dry run: nothing was removed");
    Ok(())
}

fn removed(session: &mut Session, filter: &str, would: &Pruned) -> Done {
    let mut progress = Progress::new("prune", Some(would.runs as u64));
    let mut whole = Pruned { runs: 0, trees: 0, bytes: 0, more: true };
    while whole.more {
        let document = session.store.prune(filter, PRUNE_LEN)?;
        let part: Pruned = serde_json::from_str(&document)?;
        whole.runs += part.runs;
        whole.trees += part.trees;
        whole.bytes += part.bytes;
        whole.more = part.more;
        progress.at(whole.runs as u64);
        if session.out.is_json() {
            session.out.document(&document)?;
            session.out.flush()?;
        }
    }
    drop(progress);
    if session.out.is_json() {
        return Ok(());
    }
    let mut table = Table::new(&PRUNED);
    table.row(row(&whole));
    Ok(session.out.table(&table, session.store.now_ms())?)
}

pub(super) fn backup(session: &mut Session, copy: &Path) -> Done {
    let whole =
        serde_json::from_str::<Stats>(&session.store.stats()?).map(|stats| stats.file.bytes);
    let progress = Progress::new("backup, bytes", whole.ok().map(|bytes| bytes as u64));
    progress.beside(|| Some(grown(copy)), || session.store.backup(copy))?;
    let bytes = fs::metadata(copy).map_or(0, |file| file.len());
    if session.out.is_json() {
        let document = serde_json::json!({"copy": copy.to_string_lossy(), "bytes": bytes});
        return Ok(session.out.document(&document.to_string())?);
    }
    let mut table = Table::new(&["COPY", "BYTES"]);
    table.row(vec![copy.to_string_lossy().as_ref().into(), Value::Bytes(bytes as i64).into()]);
    Ok(session.out.table(&table, session.store.now_ms())?)
}

/// Returns how much of a copy is there: it grows under a name of its own until it is whole.
fn grown(copy: &Path) -> u64 {
    let folder =
        copy.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(name) = copy.file_name() else { return 0 };
    let begins = format!("{}-backup_", name.to_string_lossy());
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let grown = files.filter(|file| file.file_name().to_string_lossy().starts_with(&begins));
    grown.filter_map(|file| file.metadata().ok()).map(|file| file.len()).max().unwrap_or(0)
}

#[derive(Deserialize)]
struct Report {
    ok: bool,
    faults: Vec<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    check: String,
    detail: String,
}

pub(super) fn check(session: &mut Session) -> Done {
    let progress = Progress::new("check", None);
    let document = progress.beside(|| None, || session.store.check())?;
    let report: Report = serde_json::from_str(&document)?;
    if session.out.is_json() {
        session.out.document(&document)?;
    } else if report.ok {
        let word = session.out.paint(Tone::Good, "ok");
        session.out.line(&word)?;
    } else {
        let mut table = Table::new(&["CHECK", "FAULT"]);
        for fault in report.faults {
            table.row(vec![Cell::from(fault.check).tone(Tone::Bad), fault.detail.into()]);
        }
        session.out.table(&table, session.store.now_ms())?;
    }
    if report.ok { Ok(()) } else { Err(Failure::No) }
}

#[derive(Deserialize)]
struct Compacted {
    freed_pages: i64,
    left_pages: i64,
}

/// Pages that one call gives back: each is a moment in which Ctrl-C ends the work.
const COMPACT_LEN: u32 = 1024;

pub(super) fn compact(session: &mut Session, pages: Option<u32>) -> Done {
    if pages == Some(0) {
        return Err(Failure::Usage("--pages is 0: 1 at least".into()));
    }
    let mut progress: Option<Progress> = None;
    let (mut freed, mut left) = (0i64, i64::MAX);
    loop {
        let open = pages.map_or(i64::MAX, |pages| i64::from(pages) - freed);
        let part = open.min(left).min(COMPACT_LEN.into());
        if part <= 0 {
            break;
        }
        let document = session.store.compact(part as u32)?;
        let compacted: Compacted = serde_json::from_str(&document)?;
        freed += compacted.freed_pages;
        left = compacted.left_pages;
        let whole = (freed + left) as u64;
        progress
            .get_or_insert_with(|| Progress::new("compact, pages", Some(whole)))
            .at(freed as u64);
        if session.out.is_json() {
            session.out.document(&document)?;
            session.out.flush()?;
        }
        if compacted.freed_pages == 0 {
            break;
        }
    }
    drop(progress);
    if session.is_on_server {
        out::say("the server gives the room of what is gone to what comes, by itself (autovacuum)");
    }
    if session.out.is_json() {
        return Ok(());
    }
    let mut table = Table::new(&["FREED PAGES", "LEFT"]);
    table.row(vec![freed.into(), left.into()]);
    Ok(session.out.table(&table, session.store.now_ms())?)
}

pub(super) fn migrate(session: &mut Session, to: Option<i64>, dry_run: bool) -> Done {
    let (before, newest) = session.store.schema_version()?;
    let applied = if dry_run { 0 } else { session.store.migrate(to)? };
    let (after, _) = session.store.schema_version()?;
    if session.out.is_json() {
        let document = session.store.migrations()?;
        return Ok(session.out.document(&document)?);
    }
    let mut table = Table::new(&["WAS", "IS", "NEWEST", "APPLIED"]);
    table.row(vec![before.into(), after.into(), newest.into(), Cell::from(i64::from(applied))]);
    session.out.table(&table, session.store.now_ms())?;
    session.out.flush()?;
    if dry_run {
        let pending = to.unwrap_or(newest) - before;
        out::say(&format!(
            "a dry run: {} migrations are pending, nothing was done",
            pending.max(0)
        ));
    }
    Ok(())
}
