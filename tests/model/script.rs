//! What a walk did, written down: each deed with the numbers that were drawn for it. Numbers are taken
//! as they stand, whatever was done before, so any part of a script is a script; that makes one that
//! fails short. Printed, it is a file of `tests/model/found`, which a test plays again.

use std::cell::Cell;
use std::fmt::{self, Display};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::support::Draws;

/// Numbers that look random, or those that a script gives; what was drawn is kept.
pub struct Tape {
    draws: Draws,
    given: Option<std::vec::IntoIter<u64>>,
    drawn: Vec<u64>,
}

impl Tape {
    pub fn of(seed: u64) -> Tape {
        Tape { draws: Draws::of(seed), given: None, drawn: Vec::new() }
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        let number = match &mut self.given {
            Some(given) => given.next().unwrap_or(0) % bound,
            None => self.draws.below(bound),
        };
        self.drawn.push(number);
        number
    }

    /// From here on these numbers are drawn, then zeros.
    pub fn give(&mut self, numbers: Vec<u64>) {
        self.given = Some(numbers.into_iter());
    }

    /// What was drawn since this was last asked.
    pub fn take(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.drawn)
    }
}

/// One thing that a walk did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    pub name: String,
    pub numbers: Vec<u64>,
    /// In words; means nothing when it is played.
    pub told: String,
}

/// A walk of some kind, as it is played again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    pub walk: String,
    pub deeds: Vec<Deed>,
}

impl Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "walk {}", self.walk)?;
        for deed in &self.deeds {
            let numbers: String = deed.numbers.iter().map(|number| format!(" {number}")).collect();
            let told = deed.told.split_whitespace().collect::<Vec<_>>().join(" ");
            let told: String = told.chars().take(160).collect();
            let told = if told.is_empty() { told } else { format!("  # {told}") };
            writeln!(f, "{}{numbers}{told}", deed.name)?;
        }
        Ok(())
    }
}

impl Script {
    /// Reads what was printed: a line for each deed, `#` begins words.
    pub fn read(text: &str) -> Script {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or("").trim());
        let mut lines = lines.filter(|line| !line.is_empty());
        let walk = lines.next().and_then(|line| line.strip_prefix("walk "));
        let walk = walk.expect("a script begins with its walk").to_owned();
        let deed = |line: &str| {
            let mut words = line.split(' ').filter(|word| !word.is_empty());
            let name = words.next().expect("the line is not empty").to_owned();
            let numbers = words.map(|word| word.parse().expect("a number")).collect();
            Deed { name, numbers, told: String::new() }
        };
        Script { walk, deeds: lines.map(deed).collect() }
    }
}

/// How often a script is played at most to make it shorter.
const PLAYS_MAX: usize = 700;

/// Leaves out of deeds and numbers whatever is not needed for the failure.
pub struct Shrink<'f> {
    fails: &'f mut dyn FnMut(&[Deed]) -> bool,
    plays_left: usize,
}

impl<'f> Shrink<'f> {
    pub fn new(fails: &'f mut dyn FnMut(&[Deed]) -> bool) -> Shrink<'f> {
        Shrink { fails, plays_left: PLAYS_MAX }
    }

    pub fn run(mut self, deeds: Vec<Deed>) -> Vec<Deed> {
        let mut deeds = deeds;
        loop {
            let before = deeds.clone();
            deeds = self.fewer(deeds);
            for at in 0..deeds.len() {
                self.plainer(&mut deeds, at);
            }
            if deeds == before || self.plays_left == 0 {
                return deeds;
            }
        }
    }

    fn still_fails(&mut self, deeds: &[Deed]) -> bool {
        let may = self.plays_left > 0;
        self.plays_left = self.plays_left.saturating_sub(1);
        may && (self.fails)(deeds)
    }

    /// Takes away halves, quarters, and in the end single deeds, the last first.
    fn fewer(&mut self, mut deeds: Vec<Deed>) -> Vec<Deed> {
        let mut size = deeds.len().div_ceil(2).max(1);
        loop {
            let mut end = deeds.len();
            while end > 0 {
                let from = end.saturating_sub(size);
                let mut left = deeds.clone();
                left.drain(from..end);
                if self.still_fails(&left) {
                    deeds = left;
                }
                end = from;
            }
            if size == 1 {
                return deeds;
            }
            size = size.div_ceil(2);
        }
    }

    /// Makes as many numbers of one deed 0 as may be; those at its end are left out.
    fn plainer(&mut self, deeds: &mut [Deed], at: usize) {
        let mut size = deeds[at].numbers.len();
        while size > 0 {
            for from in (0..deeds[at].numbers.len()).step_by(size) {
                let mut tried = deeds.to_vec();
                let to = tried[at].numbers.len().min(from + size);
                tried[at].numbers[from..to].fill(0);
                if tried[at] != deeds[at] && self.still_fails(&tried) {
                    deeds[at] = tried.swap_remove(at);
                }
            }
            size /= 2;
        }
        while deeds[at].numbers.last() == Some(&0) {
            deeds[at].numbers.pop();
        }
    }
}

thread_local! {
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// What panicked, if anything did; nothing is printed of it when `is_quiet`.
pub fn caught(is_quiet: bool, play: impl FnOnce()) -> Option<String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !IS_QUIET.get() {
                loud(panic);
            }
        }));
    });
    IS_QUIET.set(is_quiet);
    let outcome = catch_unwind(AssertUnwindSafe(play));
    IS_QUIET.set(false);
    let payload = outcome.err()?;
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .or_else(|| Some("a panic without a word".into()))
}

/// What a failure is about, without the names and numbers of the walk that came to it.
pub fn kind_of(failure: &str) -> String {
    let line = failure.lines().next().unwrap_or("");
    let end = line.find(['(', '{', '"']).unwrap_or(line.len());
    line[..end].chars().filter(|c| !c.is_ascii_digit()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deed(name: &str, numbers: &[u64]) -> Deed {
        Deed { name: name.into(), numbers: numbers.into(), told: String::new() }
    }

    #[test]
    fn a_script_is_read_as_it_was_printed() {
        let mut script = Script {
            walk: "plain".into(),
            deeds: vec![deed("submit", &[3, 0, 7]), deed("look", &[])],
        };
        assert_eq!(Script::read(&script.to_string()), script);
        script.deeds[0].told = "submit by 1:\n{ n: #4 }".into();
        let read = Script::read(&format!("# A story.\n\n{script}"));
        assert_eq!(read.deeds[0], deed("submit", &[3, 0, 7]));
    }

    #[test]
    fn what_a_failure_does_not_need_is_left_out() {
        let mut deeds: Vec<Deed> = (0..200).map(|n| deed("other", &[n, n + 1])).collect();
        deeds.insert(50, deed("a", &[4, 9]));
        deeds.insert(150, deed("b", &[1, 1, 6, 2]));
        let mut fails = |deeds: &[Deed]| {
            let a = deeds.iter().position(|deed| deed.name == "a");
            let b =
                deeds.iter().position(|deed| deed.name == "b" && deed.numbers.get(2) == Some(&6));
            a.is_some() && a < b
        };
        let least = Shrink::new(&mut fails).run(deeds);
        assert_eq!(least, [deed("a", &[]), deed("b", &[0, 0, 6])]);
    }

    #[test]
    fn a_tape_gives_what_it_is_given_and_then_zeros() {
        let mut tape = Tape::of(7);
        let drawn = [tape.below(10), tape.below(10)];
        assert_eq!(tape.take(), drawn);
        tape.give(vec![13, 2]);
        assert_eq!([tape.below(10), tape.below(10), tape.below(10)], [3, 2, 0]);
    }
}
