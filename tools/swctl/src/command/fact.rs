//! A fact in a line: its name, then what it is. Where there is little room, the one below the other.

use super::{Done, Session};
use crate::table::Tone;
use crate::text;

/// Cells beside the name that are worth to begin in.
const ROOM_LEAST: usize = 12;
/// Lines below the name at most.
const LINES_MAX: usize = 4;

/// Writes a fact whose name takes so many cells, after so many that are left blank.
pub(super) fn line(
    session: &mut Session,
    (blank, cells): (usize, usize),
    name: &str,
    value: &str,
) -> Done {
    let value = text::visible(value);
    let lead = " ".repeat(blank);
    let beside = session.out.room(blank + cells);
    if beside >= ROOM_LEAST || blank + cells + text::width(&value) <= session.out.room(0) {
        let name = session.out.paint(Tone::Dim, &format!("{name:<cells$}"));
        return Ok(session.out.line(&format!("{lead}{name}{}", text::cut(&value, beside)))?);
    }
    let name = text::cut(name, session.out.room(blank)).into_owned();
    let name = session.out.paint(Tone::Dim, &name);
    session.out.line(&format!("{lead}{name}"))?;
    let below = session.out.room(blank + 2);
    for line in text::wrapped(&value, below).iter().take(LINES_MAX) {
        // An id is there to be copied.
        let whole = line.starts_with("run_");
        let line = if whole { line.into() } else { text::cut(line, below) };
        session.out.line(&format!("{lead}  {line}"))?;
    }
    Ok(())
}
