//! Tables: aligned by width on a terminal, tab-separated elsewhere.

use crate::text;
use crate::time;

/// What a cell means, which says its colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Tone {
    /// Nothing.
    #[default]
    Plain,
    /// It is well.
    Good,
    /// It moves.
    Busy,
    /// Look here.
    Warn,
    /// It is not well.
    Bad,
    /// Less important.
    Dim,
    /// A heading.
    Bold,
}

impl Tone {
    /// The tone of a run's or step's state.
    pub fn of_state(state: &str) -> Tone {
        match state {
            "completed" => Tone::Good,
            "running" => Tone::Busy,
            "failed" | "lost" | "timed_out" => Tone::Bad,
            "paused" | "backing_off" => Tone::Warn,
            "cancelled" | "released" | "suspended" => Tone::Dim,
            _ => Tone::Plain,
        }
    }

    /// The text in its colour, when colours are on.
    pub fn paint(self, text: &str, color: bool) -> String {
        let sgr = match self {
            Tone::Plain => return text.to_string(),
            Tone::Good => "32",
            Tone::Busy => "36",
            Tone::Warn => "33",
            Tone::Bad => "31",
            Tone::Dim => "2",
            Tone::Bold => "1",
        };
        if color { format!("\x1b[{sgr}m{text}\x1b[0m") } else { text.to_string() }
    }
}

/// A value of a table.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing there: `-` in a table, empty elsewhere.
    None,
    /// Text.
    Text(String),
    /// A number, to the right.
    Number(i64),
    /// A moment, Unix milliseconds: seen from now in a table, ISO elsewhere.
    Moment(i64),
    /// A duration in milliseconds: in its units in a table, a number elsewhere.
    Span(i64),
    /// Bytes: in their units in a table, a number elsewhere.
    Bytes(i64),
}

/// A value with its tone.
#[derive(Clone, Debug)]
pub struct Cell {
    /// What it says.
    pub value: Value,
    /// How it looks.
    pub tone: Tone,
}

impl Cell {
    /// The same in a tone.
    pub fn tone(mut self, tone: Tone) -> Cell {
        self.tone = tone;
        self
    }

    /// A moment that may be none.
    pub fn moment(at_ms: Option<i64>) -> Cell {
        Cell::from(at_ms.map_or(Value::None, Value::Moment))
    }

    /// A duration that may be none.
    pub fn span(ms: Option<i64>) -> Cell {
        Cell::from(ms.map_or(Value::None, Value::Span))
    }

    /// A run's or step's state in its tone.
    pub fn state(state: &str) -> Cell {
        Cell::from(state).tone(Tone::of_state(state))
    }

    fn shown(&self, now_ms: i64) -> String {
        match &self.value {
            Value::None => "-".to_string(),
            Value::Text(text) => text::visible(text).into_owned(),
            Value::Number(number) => number.to_string(),
            Value::Moment(at_ms) => time::relative(*at_ms, now_ms),
            Value::Span(ms) => time::span(*ms),
            Value::Bytes(bytes) => size(*bytes),
        }
    }

    fn piped(&self) -> String {
        match &self.value {
            Value::None => String::new(),
            Value::Text(text) => text::visible(text).into_owned(),
            Value::Number(number) | Value::Span(number) | Value::Bytes(number) => {
                number.to_string()
            }
            Value::Moment(at_ms) => time::iso(*at_ms),
        }
    }

    fn is_right(&self) -> bool {
        matches!(self.value, Value::Number(_) | Value::Span(_) | Value::Bytes(_))
    }
}

impl From<Value> for Cell {
    fn from(value: Value) -> Cell {
        Cell { value, tone: Tone::Plain }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Value::Text(text.to_string()).into()
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Value::Text(text).into()
    }
}

impl From<Option<&str>> for Cell {
    fn from(text: Option<&str>) -> Cell {
        text.map_or(Value::None.into(), Cell::from)
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Cell {
        Value::Number(number).into()
    }
}

impl From<Option<i64>> for Cell {
    fn from(number: Option<i64>) -> Cell {
        number.map_or(Value::None.into(), Cell::from)
    }
}

/// Bytes in the unit that keeps them short: `512 B`, `3.4 MB`.
pub fn size(bytes: i64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut amount = bytes as f64;
    let mut unit = 0;
    while amount.abs() >= 999.5 && unit + 1 < UNITS.len() {
        amount /= 1000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ if amount < 9.95 => format!("{amount:.1} {}", UNITS[unit]),
        _ => format!("{amount:.0} {}", UNITS[unit]),
    }
}

/// Rows below headings.
pub struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<Cell>>,
    yields: &'static [usize],
}

/// A column is cut to no fewer cells than these before others are left out, and one with ids not at
/// all: what is copied must be whole.
const CUT_TO: usize = 8;
/// The same of the last column, which says why.
const LAST_CUT_TO: usize = 16;

impl Table {
    /// A table without rows.
    pub fn new(headings: &[&'static str]) -> Table {
        Table::with_headings(headings.iter().map(|heading| heading.to_string()).collect())
    }

    /// The same, where the headings are not ours.
    pub fn with_headings(headings: Vec<String>) -> Table {
        Table { headings, rows: Vec::new(), yields: &[] }
    }

    /// Says which columns are left out first where there is no room; the others follow from the last.
    pub fn yielding(mut self, columns: &'static [usize]) -> Table {
        self.yields = columns;
        self
    }

    /// Adds a row with a cell for each heading.
    pub fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.headings.len());
        self.rows.push(cells);
    }

    /// Whether it has no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Each row as a line with tabs between, nothing cut, no headings.
    pub fn piped(&self) -> String {
        let line =
            |row: &Vec<Cell>| row.iter().map(Cell::piped).collect::<Vec<_>>().join("\t") + "\n";
        self.rows.iter().map(line).collect()
    }

    /// Headings and rows in columns of `cells` in all; the widest columns give way first.
    pub fn shown(&self, cells: usize, now_ms: i64, color: bool) -> String {
        let texts: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|row| row.iter().map(|cell| cell.shown(now_ms)).collect())
            .collect();
        let widths = self.widths(&texts, cells);
        let mut out = String::new();
        let right: Vec<bool> = (0..self.headings.len())
            .map(|at| self.rows.iter().any(|row| row[at].is_right()))
            .collect();
        let headings = self.headings.iter().zip(&right);
        let headings = headings
            .map(|(heading, right)| (text::visible(heading).into_owned(), Tone::Bold, *right));
        push_line(&mut out, headings, &widths, color);
        for (row, texts) in self.rows.iter().zip(texts) {
            let cells = row.iter().zip(texts).zip(&right);
            let cells = cells.map(|((cell, text), right)| (text, cell.tone, *right));
            push_line(&mut out, cells, &widths, color);
        }
        out
    }

    /// The rows alone, with two spaces between: what comes line by line has no columns to align.
    pub fn lines(&self, cells: usize, now_ms: i64, color: bool) -> String {
        let line = |row: &Vec<Cell>| {
            let plain: Vec<String> = row.iter().map(|cell| cell.shown(now_ms)).collect();
            let (whole, dim) = (plain.join("  "), color && plain.len() > 1);
            let cut = text::cut(&whole, cells);
            match cut.strip_prefix(plain[0].as_str()) {
                Some(rest) if dim => format!("{}{rest}\n", Tone::Dim.paint(&plain[0], true)),
                _ => format!("{cut}\n"),
            }
        };
        self.rows.iter().map(line).collect()
    }

    fn widths(&self, texts: &[Vec<String>], cells: usize) -> Vec<usize> {
        let mut widths: Vec<usize> =
            self.headings.iter().map(|heading| text::width(&text::visible(heading))).collect();
        for row in texts {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(text::width(cell));
            }
        }
        let is_id = |at: usize| texts.iter().any(|row| row[at].starts_with("run_"));
        let last = widths.len() - 1;
        let floor = |(at, width): (usize, &usize)| match at {
            _ if is_id(at) => *width,
            _ if at == last => LAST_CUT_TO,
            _ => CUT_TO,
        };
        let floors: Vec<usize> = widths.iter().enumerate().map(floor).collect();
        let mut leaving = self.leaving();
        while taken(&widths) > cells {
            let wide = |at: &usize| widths[*at] > floors[*at];
            let widest = (0..widths.len()).filter(wide).max_by_key(|at| widths[*at]);
            match widest.or_else(|| leaving.next()) {
                Some(at) if wide(&at) => widths[at] -= 1,
                Some(at) => widths[at] = 0,
                None => break,
            }
        }
        widths[0] = widths[0].min(cells);
        widths
    }

    /// Columns in the order in which they are left out; the first stays.
    fn leaving(&self) -> impl Iterator<Item = usize> + use<> {
        let yields = self.yields;
        let rest = (1..self.headings.len()).rev().filter(move |at| !yields.contains(at));
        yields.iter().copied().chain(rest)
    }
}

/// Cells that columns take with the gaps between; one of width 0 is left out.
fn taken(widths: &[usize]) -> usize {
    let shown = widths.iter().filter(|width| **width > 0);
    shown.map(|width| width + 2).sum::<usize>().saturating_sub(2)
}

fn push_line(
    out: &mut String,
    cells: impl Iterator<Item = (String, Tone, bool)>,
    widths: &[usize],
    color: bool,
) {
    let mut line = String::new();
    for (at, ((cell, tone, right), width)) in cells.zip(widths).enumerate() {
        if *width == 0 {
            continue;
        }
        let cell = text::cut(&cell, *width);
        let gap = " ".repeat(width - text::width(&cell));
        let space = if at == 0 { "" } else { "  " };
        let cell = tone.paint(&cell, color);
        line += &if right { format!("{space}{gap}{cell}") } else { format!("{space}{cell}{gap}") };
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["NAME", "RUNS", "AT"]);
        table.row(vec!["mail".into(), 7i64.into(), Cell::moment(Some(1000))]);
        table.row(vec!["\u{4e2d}\u{6587}\x1b[1m".into(), 12i64.into(), Cell::moment(None)]);
        table.row(vec!["".into(), Cell::from(None::<i64>), Cell::moment(None)]);
        table
    }

    #[test]
    fn columns_are_aligned_by_what_the_terminal_shows() {
        assert_eq!(
            table().shown(80, 4000, false),
            "NAME           RUNS  AT\nmail              7  3.0s ago\n\u{4e2d}\u{6587}\\u001b[1m    12  -\n                  -  -\n"
        );
    }

    #[test]
    fn a_narrow_terminal_cuts_the_widest_column_and_no_line_is_wider() {
        let shown = table().shown(20, 4000, false);
        assert!(shown.lines().all(|line| text::width(line) <= 20), "{shown}");
        assert!(shown.contains(text::CUT), "{shown}");
    }

    #[test]
    fn a_pipe_gets_whole_values_and_no_headings() {
        assert_eq!(
            table().piped(),
            "mail\t7\t1970-01-01T00:00:01.000Z\n\u{4e2d}\u{6587}\\u001b[1m\t12\t\n\t\t\n"
        );
    }

    #[test]
    fn bytes_are_said_in_their_unit() {
        let said: Vec<_> = [0, 999, 1000, 9_949_000, 12_400_000, 1_000_000_000].map(size).into();
        assert_eq!(said, ["0 B", "999 B", "1.0 kB", "9.9 MB", "12 MB", "1.0 GB"]);
    }
}
