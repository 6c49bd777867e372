//! How far long work is, on standard error, where that is a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// A line that is written over again; gone when it is dropped.
pub struct Progress {
    what: String,
    whole: Option<u64>,
    is_shown: bool,
    drawn: Option<Instant>,
    began: Instant,
}

impl Progress {
    /// Work of so many parts, where that is known.
    pub fn new(what: &str, whole: Option<u64>) -> Progress {
        let is_shown = io::stderr().is_terminal();
        Progress { what: what.to_string(), whole, is_shown, drawn: None, began: Instant::now() }
    }

    /// So many parts are done.
    pub fn at(&mut self, done: u64) {
        let is_due = self.drawn.is_none_or(|at| at.elapsed() >= Duration::from_millis(100));
        // What is done at once needs no line.
        if !self.is_shown || !is_due || self.began.elapsed() < Duration::from_millis(200) {
            return;
        }
        self.drawn = Some(Instant::now());
        let seconds = self.began.elapsed().as_secs();
        let whole = self.whole.filter(|whole| *whole > 0);
        let part = whole.map(|whole| format!(" of {whole}, {}%", (done * 100 / whole).min(100)));
        let line = format!("{}: {done}{}, {seconds} s", self.what, part.unwrap_or_default());
        let _ = write!(io::stderr(), "\r\x1b[K{line}");
        let _ = io::stderr().flush();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
