//! The store live: drawn anew when the store changes, as its watch tells. Nothing is asked in between;
//! a second that passes only moves the times on the screen.

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use crossterm::{cursor, execute, terminal};

use super::places::{OWNERS, new_queues};
use super::whole::Stats;
use super::{Done, Session};
use crate::document::{Explanation, Page, Run};
use crate::door::Store;
use crate::failure::Failure;
use crate::out::terminal_size;
use crate::system::{Signals, readable};
use crate::table::{Cell, Table, Tone, size};
use crate::{text, time};

/// Between two looks at the store at least: a burst of changes is drawn once.
const REST: Duration = Duration::from_millis(100);
/// How often the times on the screen move.
const TICK_MS: i32 = 1000;
/// Runs of each kind that are looked at: more than a screen has lines.
const RUNS_MAX: u32 = 100;
/// Of the oldest that wait, so many are explained.
const EXPLAINED_MAX: usize = 10;
/// Runs that have ended since the start which stay on the screen.
const ENDED_MAX: usize = 5;

pub(super) fn top(session: &mut Session) -> Done {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        let message = "top is for a terminal; stats, queues, owners and ls give the same once";
        return Err(Failure::Usage(message.into()));
    }
    // Before the watch: its thread must not take a signal.
    let signals = Signals::take()?;
    let watch = session.store.watch()?;
    let changes = watch.fd()?;
    let screen = Screen::enter()?;
    let mut view = View::default();
    let mut looked: Option<Instant> = None;
    let mut is_changed = true;
    loop {
        if is_changed && looked.is_none_or(|at| at.elapsed() >= REST) {
            watch.drain()?;
            is_changed = !view.look(&session.store);
            looked = Some(Instant::now());
        }
        screen.draw(&view, session)?;
        let stdin = io::stdin();
        let [key, signal] = match is_changed {
            // What is known to have changed is looked at after the rest, and not waited for.
            true => readable([stdin.as_fd(), signals.fd()], REST.as_millis() as i32)?,
            false => {
                let heard = readable([stdin.as_fd(), signals.fd(), changes.as_fd()], TICK_MS)?;
                is_changed = heard[2];
                [heard[0], heard[1]]
            }
        };
        if signal && let Some(number) = ended_by(&signals) {
            drop(screen);
            return Err(Failure::Signal(number));
        }
        if key {
            match pressed()? {
                Key::Quit => return Ok(()),
                Key::Interrupt => return Err(Failure::Signal(libc::SIGINT)),
                Key::Other => {}
            }
        }
    }
}

/// The signal that ends the process, if one has come.
fn ended_by(signals: &Signals) -> Option<i32> {
    std::iter::from_fn(|| signals.next()).find(|signal| *signal != libc::SIGWINCH)
}

enum Key {
    Quit,
    Interrupt,
    Other,
}

fn pressed() -> Result<Key, Failure> {
    let mut bytes = [0; 64];
    let count = io::stdin().lock().read(&mut bytes)?;
    Ok(match &bytes[..count] {
        // The terminal has gone.
        [] => Key::Quit,
        bytes if bytes.contains(&3) => Key::Interrupt,
        bytes if bytes.contains(&b'q') || bytes == b"\x1b" || bytes.contains(&4) => Key::Quit,
        _ => Key::Other,
    })
}

/// What was last seen of the store.
#[derive(Default)]
struct View {
    stats: Option<Stats>,
    running: Vec<Line>,
    oldest: Vec<(Line, String)>,
    ended: VecDeque<(Line, String, i64)>,
    fault: Option<String>,
}

/// A run on the screen.
#[derive(Clone, PartialEq)]
struct Line {
    run_id: String,
    workflow: String,
    queue: String,
    state: String,
    tries: String,
    created_at_ms: i64,
    updated_at_ms: i64,
}

impl View {
    /// Looks at the store; false when that did not work and is to be tried again.
    fn look(&mut self, store: &Store) -> bool {
        match self.looked(store) {
            Ok(()) => {
                self.fault = None;
                true
            }
            Err(failure) => {
                self.fault = failure.sentence();
                false
            }
        }
    }

    fn looked(&mut self, store: &Store) -> Done {
        self.stats = Some(serde_json::from_str(&store.stats()?)?);
        let running = lines(store, r#"{"state":"running"}"#)?;
        for gone in
            self.running.iter().filter(|was| !running.iter().any(|is| is.run_id == was.run_id))
        {
            // One that was pruned meanwhile is not there to be shown.
            let Ok(document) = store.run_get(&gone.run_id) else { continue };
            let run: Run = serde_json::from_str(&document)?;
            if let Some(at) = run.finished_at_ms {
                self.ended.push_front((gone.clone(), run.state.to_string(), at));
            }
        }
        self.ended.truncate(ENDED_MAX);
        self.running = running;
        let oldest = lines(store, r#"{"state":["pending","waiting"],"order":"oldest"}"#)?;
        self.oldest.clear();
        for (at, line) in oldest.into_iter().enumerate() {
            let why = if at < EXPLAINED_MAX { why(store, &line.run_id)? } else { String::new() };
            self.oldest.push((line, why));
        }
        Ok(())
    }
}

fn lines(store: &Store, filter: &str) -> Result<Vec<Line>, Failure> {
    let page = store.run_list(filter, None, RUNS_MAX)?;
    let mut lines = Vec::new();
    for item in serde_json::from_str::<Page>(&page)?.items {
        let run: Run = serde_json::from_str(item.get())?;
        lines.push(Line {
            run_id: run.run_id.to_string(),
            workflow: run.workflow.to_string(),
            queue: run.queue.to_string(),
            state: run.state.to_string(),
            tries: format!("{}/{}", run.tries, run.max_tries),
            created_at_ms: run.created_at_ms,
            updated_at_ms: run.updated_at_ms,
        });
    }
    Ok(lines)
}

/// The most telling reason why a run does not move; nothing for one that has gone meanwhile.
fn why(store: &Store, id: &str) -> Result<String, Failure> {
    let Ok(document) = store.run_explain(id) else { return Ok(String::new()) };
    let explanation: Explanation = serde_json::from_str(&document)?;
    Ok(explanation.reasons.first().map_or(String::new(), |reason| reason.text.clone()))
}

/// The terminal as a screen of its own; as it was before, when it is dropped.
struct Screen;

impl Screen {
    fn enter() -> io::Result<Screen> {
        terminal::enable_raw_mode()?;
        let screen = Screen;
        execute!(io::stdout(), terminal::EnterAlternateScreen, cursor::Hide)?;
        Ok(screen)
    }

    fn draw(&self, view: &View, session: &Session) -> io::Result<()> {
        let (width, height) = terminal_size();
        let lines = picture(view, session, width, height);
        let mut out = String::from("\x1b[?2026h\x1b[H");
        for (at, line) in lines.iter().take(height).enumerate() {
            out += if at > 0 { "\r\n" } else { "" };
            out += line;
            out += "\x1b[K";
        }
        out += "\x1b[J\x1b[?2026l";
        let mut stdout = io::stdout().lock();
        stdout.write_all(out.as_bytes())?;
        stdout.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = execute!(io::stdout(), cursor::Show, terminal::LeaveAlternateScreen);
        let _ = terminal::disable_raw_mode();
    }
}

/// The lines of a screen: each part gets what it needs, and where that is too much, the longest give.
fn picture(view: &View, session: &Session, width: usize, height: usize) -> Vec<String> {
    let color = session.out.color;
    let now = session.store.now_ms();
    let mut lines = head(view, session, width, now);
    let Some(stats) = &view.stats else { return lines };
    let parts = [
        ("queues", queues(stats)),
        ("running", running(view)),
        ("just ended", ended(view)),
        ("the oldest that wait", oldest(view)),
        ("owners", owners(stats)),
    ];
    let parts = parts.into_iter().filter(|(_, table)| !table.is_empty());
    let mut parts: Vec<(&str, Vec<String>)> = parts
        .map(|(name, table)| {
            (name, table.shown(width, now, color).lines().map(str::to_string).collect())
        })
        .collect();
    fit(&mut parts, height.saturating_sub(lines.len()));
    for (name, rows) in parts {
        lines.push(String::new());
        lines.push(Tone::Bold.paint(&text::cut(name, width), color));
        lines.extend(rows);
    }
    lines
}

/// Takes lines from the longest parts until all fit, each with its blank line and its name.
fn fit(parts: &mut [(&str, Vec<String>)], room: usize) {
    while parts.iter().map(|(_, rows)| rows.len() + 2).sum::<usize>() > room {
        let longest = parts.iter_mut().max_by_key(|(_, rows)| rows.len());
        match longest {
            Some((_, rows)) if rows.len() > 2 => rows.pop(),
            _ => break,
        };
    }
}

fn head(view: &View, session: &Session, width: usize, now: i64) -> Vec<String> {
    let color = session.out.color;
    let clock = &time::iso(now)[11..19];
    let file = text::visible(&session.place).into_owned();
    let title = format!("swctl top  {file}  {clock} UTC  q quits");
    let mut lines = vec![Tone::Bold.paint(&text::cut(&title, width), color)];
    if let Some(stats) = &view.stats {
        let counts = stats.runs.counts().into_iter().filter(|(_, count, _)| *count > 0);
        let counts: Vec<String> =
            counts.map(|(name, count, bound)| format!("{count}{bound} {name}")).collect();
        let file = match session.is_on_server {
            true => format!("{} on its server", size(stats.file.bytes)),
            false => format!("file {}, log {}", size(stats.file.bytes), size(stats.file.log_bytes)),
        };
        let counts = if counts.is_empty() { "no runs".to_string() } else { counts.join("  ") };
        lines.push(text::cut(&format!("{counts}  {file}"), width).into_owned());
    }
    if let Some(fault) = &view.fault {
        lines.push(Tone::Bad.paint(&text::cut(&text::visible(fault), width), color));
    }
    lines
}

fn queues(stats: &Stats) -> Table {
    let mut table = new_queues();
    let mut queues: Vec<_> = stats.queues.iter().collect();
    // Where there is no room for all, those in which something moves stay.
    queues.sort_by_key(|queue| std::cmp::Reverse(queue.running + queue.ready));
    queues.iter().for_each(|queue| table.row(queue.row()));
    table
}

fn owners(stats: &Stats) -> Table {
    let mut table = Table::new(&OWNERS);
    stats.owners.iter().for_each(|owner| table.row(owner.row()));
    table
}

fn running(view: &View) -> Table {
    let mut table = Table::new(&["RUN", "WORKFLOW", "QUEUE", "TRIES", "SINCE", "SUBMITTED"]);
    for line in &view.running {
        table.row(vec![
            Cell::from(line.run_id.as_str()).tone(Tone::Busy),
            line.workflow.as_str().into(),
            line.queue.as_str().into(),
            line.tries.as_str().into(),
            Cell::moment(Some(line.updated_at_ms)),
            Cell::moment(Some(line.created_at_ms)),
        ]);
    }
    table
}

fn ended(view: &View) -> Table {
    let mut table = Table::new(&["RUN", "WORKFLOW", "QUEUE", "STATE", "ENDED"]);
    for (line, state, at) in &view.ended {
        table.row(vec![
            line.run_id.as_str().into(),
            line.workflow.as_str().into(),
            line.queue.as_str().into(),
            Cell::state(state),
            Cell::moment(Some(*at)),
        ]);
    }
    table
}

fn oldest(view: &View) -> Table {
    let mut table =
        Table::new(&["RUN", "WORKFLOW", "QUEUE", "STATE", "SUBMITTED", "WHY"]).yielding(&[2, 4, 1]);
    for (line, why) in &view.oldest {
        table.row(vec![
            line.run_id.as_str().into(),
            line.workflow.as_str().into(),
            line.queue.as_str().into(),
            Cell::state(&line.state),
            Cell::moment(Some(line.created_at_ms)),
            Cell::from(why.as_str()).tone(Tone::Dim),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_screen_is_short_the_longest_part_gives_its_lines() {
        let rows = |count: usize| vec![String::new(); count];
        let mut parts = [("a", rows(3)), ("b", rows(30)), ("c", rows(10))];
        fit(&mut parts, 24);
        assert_eq!(parts.iter().map(|(_, rows)| rows.len()).sum::<usize>(), 18);
        assert_eq!(parts[0].1.len(), 3);
    }
}
