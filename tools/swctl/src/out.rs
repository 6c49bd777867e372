//! Where answers go: what form they have, how wide the terminal is, whether there are colours.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use crate::cli::Look;
use crate::table::{Table, Tone};
use crate::text;

/// The form of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// For people: tables, prose, times as seen from now.
    Table,
    /// For other programs of a pipe: a line each, tabs between, times in ISO.
    Piped,
    /// The document of the library, byte for byte.
    Json,
    /// A document a line.
    Jsonl,
}

/// Standard output.
pub struct Out {
    /// The form that was asked for.
    pub form: Form,
    /// Whether colours are wanted.
    pub color: bool,
    /// Cells of a line.
    pub width: usize,
    is_terminal: bool,
    writer: BufWriter<Stdout>,
}

/// Returns the columns and rows of the terminal.
pub fn terminal_size() -> (usize, usize) {
    size_told(crossterm::terminal::size().unwrap_or_default())
}

/// One that does not know its size says 0: a pipe of `script`, a shell in an editor.
fn size_told((columns, rows): (u16, u16)) -> (usize, usize) {
    let or = |told: u16, usual| if told == 0 { usual } else { usize::from(told) };
    (or(columns, 80), or(rows, 24))
}

impl Out {
    /// Standard output, as the options and the terminal say.
    pub fn new(look: &Look) -> Out {
        let is_terminal = io::stdout().is_terminal();
        let form = match (look.json, look.jsonl, look.table || is_terminal) {
            (true, _, _) => Form::Json,
            (_, true, _) => Form::Jsonl,
            (_, _, true) => Form::Table,
            _ => Form::Piped,
        };
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let width = if is_terminal { terminal_size().0 } else { usize::MAX };
        Out {
            form,
            color: is_terminal && !no_color && !dumb,
            width,
            is_terminal,
            writer: BufWriter::new(io::stdout()),
        }
    }

    /// Whether documents are to be given as they are.
    pub fn is_json(&self) -> bool {
        matches!(self.form, Form::Json | Form::Jsonl)
    }

    /// Writes a text as it is.
    pub fn text(&mut self, text: &str) -> io::Result<()> {
        self.writer.write_all(text.as_bytes())
    }

    /// Writes a line.
    pub fn line(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.writer, "{line}")
    }

    /// Writes a sentence, broken between words where the line ends.
    pub fn sentence(&mut self, sentence: &str) -> io::Result<()> {
        let room = self.room(0);
        text::wrapped(sentence, room).iter().try_for_each(|line| self.line(line))
    }

    /// Writes a document and the end of its line: byte for byte, but that a terminal is given no
    /// character that would move it.
    pub fn document(&mut self, document: &str) -> io::Result<()> {
        match self.is_terminal {
            true => self.line(&text::document_seen(document)),
            false => self.line(document),
        }
    }

    /// Writes a table in the form that was asked for.
    pub fn table(&mut self, table: &Table, now_ms: i64) -> io::Result<()> {
        let text = match self.form {
            Form::Table => table.shown(self.width, now_ms, self.color),
            Form::Piped | Form::Json | Form::Jsonl => table.piped(),
        };
        self.text(&text)
    }

    /// Cells that are left of a line after some; in a pipe there is no end.
    pub fn room(&self, taken: usize) -> usize {
        match self.form {
            Form::Table => self.width.saturating_sub(taken).max(1),
            _ => usize::MAX,
        }
    }

    /// A text in its tone, where colours are wanted.
    pub fn paint(&self, tone: Tone, text: &str) -> String {
        tone.paint(text, self.color)
    }

    /// Gives to the system what was written so far.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Writes a sentence to standard error; where that is closed, nobody would hear of it either.
pub fn say(sentence: &str) {
    let _ = writeln!(io::stderr(), "{sentence}");
}

/// Writes a question to standard error, without the end of a line.
pub fn ask(question: &str) {
    let mut stderr = io::stderr();
    let _ = write!(stderr, "{question}");
    let _ = stderr.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_that_does_not_know_its_size_has_the_usual_one() {
        assert_eq!(size_told((0, 0)), (80, 24));
        assert_eq!(size_told((20, 5)), (20, 5));
    }
}
