//! How far long work is, on standard error, where that is a terminal.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
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
        self.draw(Some(done));
    }

    /// Does what is one call of the library, which tells nothing until it is done, and shows meanwhile
    /// how far it is as `look` sees it, or for how long it has worked.
    pub fn beside<T>(
        mut self,
        look: impl Fn() -> Option<u64> + Sync,
        work: impl FnOnce() -> T,
    ) -> T {
        let is_done = AtomicBool::new(false);
        thread::scope(|scope| {
            let shown = scope.spawn(|| {
                while !is_done.load(Ordering::Acquire) {
                    self.draw(look());
                    // The library tells nothing of one call until it is done, which ends this too.
                    thread::park_timeout(Duration::from_millis(20));
                }
            });
            let done = Done(&is_done, shown.thread().clone());
            let answer = work();
            drop(done);
            answer
        })
    }

    fn draw(&mut self, done: Option<u64>) {
        let is_due = self.drawn.is_none_or(|at| at.elapsed() >= Duration::from_millis(100));
        // What is done at once needs no line.
        if !self.is_shown || !is_due || self.began.elapsed() < Duration::from_millis(200) {
            return;
        }
        self.drawn = Some(Instant::now());
        let line = self.line(done, self.began.elapsed().as_secs());
        let _ = write!(io::stderr(), "\r\x1b[K{line}");
        let _ = io::stderr().flush();
    }

    fn line(&self, done: Option<u64>, seconds: u64) -> String {
        let Some(done) = done else { return format!("{}: {seconds} s", self.what) };
        let whole = self.whole.filter(|whole| *whole > 0);
        let part = whole.map(|whole| format!(" of {whole}, {}%", (done * 100 / whole).min(100)));
        format!("{}: {done}{}, {seconds} s", self.what, part.unwrap_or_default())
    }
}

/// Work that ends when it is dropped, however it ends.
struct Done<'work>(&'work AtomicBool, thread::Thread);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
        self.1.unpark();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_how_far_it_is_where_that_is_known_and_how_long_it_takes_where_it_is_not() {
        let whole = Progress::new("backup, bytes", Some(200));
        assert_eq!(whole.line(Some(50), 3), "backup, bytes: 50 of 200, 25%, 3 s");
        assert_eq!(whole.line(Some(300), 3), "backup, bytes: 300 of 200, 100%, 3 s");
        assert_eq!(Progress::new("prune", None).line(Some(7), 0), "prune: 7, 0 s");
        assert_eq!(Progress::new("import", None).line(None, 12), "import: 12 s");
    }

    #[test]
    fn the_answer_of_the_work_comes_back_and_the_looks_end_with_it() {
        assert_eq!(Progress::new("check", None).beside(|| None, || 7), 7);
        let panics = std::panic::catch_unwind(|| {
            Progress::new("check", None).beside(|| None, || panic!("it broke"))
        });
        assert!(panics.is_err());
    }
}
