//! Rounds in which all contenders take turns, and what a row says.

use std::cell::RefCell;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub use crate::row::{Row, Unit, Wanted, spread};
use crate::table;

/// Takes a sample: a figure for each of its rows.
pub struct Contender<'run> {
    rows: Vec<Row>,
    sample: Box<dyn FnMut() -> Vec<f64> + 'run>,
    is_once: bool,
}

impl<'run> Contender<'run> {
    /// A contender of one row, whose name within its plan comes first.
    pub fn new(
        name: impl Into<String>,
        what: impl Into<String>,
        unit: Unit,
        mut sample: impl FnMut() -> f64 + 'run,
    ) -> Contender<'run> {
        Contender::many(name, what, unit, move || vec![sample()])
    }

    /// The same with more rows, which `and` adds.
    pub fn many(
        name: impl Into<String>,
        what: impl Into<String>,
        unit: Unit,
        sample: impl FnMut() -> Vec<f64> + 'run,
    ) -> Contender<'run> {
        let contender = Contender { rows: vec![], sample: Box::new(sample), is_once: false };
        contender.and(name, what, unit)
    }

    pub fn and(mut self, name: impl Into<String>, what: impl Into<String>, unit: Unit) -> Self {
        let (name, what) = (name.into(), what.into());
        let (values, ratios, of_floor) = (vec![], vec![], vec![]);
        let (of, floor, wanted, at) = (None, None, None, None);
        self.rows.push(Row { name, what, unit, of, floor, wanted, at, values, ratios, of_floor });
        self
    }

    fn last(mut self, change: impl FnOnce(&mut Row)) -> Self {
        change(self.rows.last_mut().expect("a contender has a row"));
        self
    }

    /// Holds the last row against another one of the plan.
    pub fn of(self, base: impl Into<String>) -> Self {
        self.last(|row| row.of = Some(base.into()))
    }

    /// Names the row of the plan that does no more than what the last row must do.
    pub fn floor(self, floor: impl Into<String>) -> Self {
        self.last(|row| row.floor = Some(floor.into()))
    }

    pub fn wanted(self, wanted: Wanted) -> Self {
        self.last(|row| row.wanted = Some(wanted))
    }

    pub fn at(self, place: f64) -> Self {
        self.last(|row| row.at = Some(place))
    }

    /// Says that one sample is enough: it comes to the same each time.
    pub fn once(mut self) -> Self {
        self.is_once = true;
        self
    }
}

pub struct Plan {
    pub name: &'static str,
    /// Of the length of a sample.
    pub share: f64,
    pub run: fn(&Bed),
}

/// What a plan is given: a folder, and contenders are given to it.
pub struct Bed<'bench> {
    folder: tempfile::TempDir,
    plan: &'bench Plan,
    wanted: &'bench [String],
    rows: RefCell<Vec<Row>>,
}

impl Bed<'_> {
    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a script, and returns its path.
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.at(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Returns whether a row, or the rows that begin so, are asked for.
    pub fn wants(&self, name: &str) -> bool {
        let name = format!("{}/{name}", self.plan.name);
        self.wanted.is_empty() || self.wanted.iter().any(|it| name.starts_with(it.as_str()))
    }

    /// Runs those that are asked for and what they are held against, the first of each round another one.
    pub fn race(&self, mut contenders: Vec<Contender<'_>>) {
        let is_wanted = |it: &Contender<'_>| it.rows.iter().any(|row| self.wants(&row.name));
        let bases: Vec<String> = contenders
            .iter()
            .filter(|it| is_wanted(it))
            .flat_map(|it| it.rows.iter().flat_map(|row| [row.of.clone(), row.floor.clone()]))
            .flatten()
            .collect();
        contenders
            .retain(|it| is_wanted(it) || it.rows.iter().any(|row| bases.contains(&row.name)));
        let shows = std::io::stderr().is_terminal();
        for round in 0..rounds() {
            if shows {
                eprint!("\r{}: round {} of {}   ", self.plan.name, round + 1, rounds());
            }
            for turn in 0..contenders.len() {
                let count = contenders.len();
                let contender = &mut contenders[(turn + round) % count];
                if contender.is_once && round > 0 {
                    continue;
                }
                let figures = (contender.sample)();
                assert_eq!(figures.len(), contender.rows.len(), "a figure for each row");
                for (row, figure) in contender.rows.iter_mut().zip(figures) {
                    row.values.push(figure);
                }
            }
        }
        if shows {
            eprint!("\r{:40}\r", "");
        }
        let mut rows: Vec<Row> = contenders.into_iter().flat_map(|it| it.rows).collect();
        compare(&mut rows);
        self.rows.borrow_mut().extend(rows);
    }
}

fn compare(rows: &mut [Row]) {
    for at in 0..rows.len() {
        let beside = |name: &Option<String>| {
            let Some(name) = name else { return Vec::new() };
            let base = rows.iter().find(|row| row.name == *name).expect("a row of the plan");
            rows[at].values.iter().zip(&base.values).map(|(it, base)| it / base).collect()
        };
        let (ratios, of_floor) = (beside(&rows[at].of), beside(&rows[at].floor));
        (rows[at].ratios, rows[at].of_floor) = (ratios, of_floor);
    }
}

/// Plans that run when they are asked for by name: one takes long, and one wants a server.
const ASKED_FOR: [&str; 2] = ["curve", "server"];

/// All plans, and where their figures go.
pub struct Bench {
    wanted: Vec<String>,
    json: Option<PathBuf>,
    rows: Vec<Row>,
}

impl Bench {
    pub fn new(wanted: Vec<String>, json: Option<PathBuf>) -> Bench {
        table::head(rounds());
        Bench { wanted, json, rows: Vec::new() }
    }

    pub fn run(&mut self, plan: &Plan) {
        let begins = |name: &String| plan.name.starts_with(name) || name.starts_with(plan.name);
        let is_wanted = if self.wanted.is_empty() {
            !ASKED_FOR.contains(&plan.name)
        } else {
            self.wanted.iter().any(begins)
        };
        if !is_wanted {
            return;
        }
        set_sample_time(plan.share);
        let folder = tempfile::tempdir().unwrap();
        let bed = Bed { folder, plan, wanted: &self.wanted, rows: RefCell::default() };
        (plan.run)(&bed);
        for mut row in bed.rows.into_inner() {
            row.name = format!("{}/{}", plan.name, row.name);
            table::line(&row);
            self.rows.push(row);
        }
        self.write();
    }

    fn write(&self) {
        let Some(path) = &self.json else { return };
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, table::json(&self.rows, rounds())).unwrap();
    }

    pub fn end(&self) {
        assert!(!self.rows.is_empty(), "no row begins with {:?}", self.wanted);
        table::foot(&self.rows);
        if let Some(path) = &self.json {
            eprintln!("figures: {}", path.display());
        }
    }
}

/// Rounds of a plan: SW_BENCH_ROUNDS, or 5.
pub fn rounds() -> usize {
    number("SW_BENCH_ROUNDS").unwrap_or(5)
}

fn number(name: &str) -> Option<usize> {
    std::env::var(name).ok()?.parse().ok()
}

static SAMPLE_MS: AtomicU64 = AtomicU64::new(0);

fn set_sample_time(share: f64) {
    let ms = number("SW_BENCH_MS").unwrap_or(1_000) as f64 * share;
    SAMPLE_MS.store((ms as u64).max(1), Ordering::Relaxed);
}

/// Length of one sample.
pub fn sample_time() -> Duration {
    Duration::from_millis(SAMPLE_MS.load(Ordering::Relaxed))
}

/// The same as the process that started this one has it.
pub fn take_sample_time(ms: &str) {
    SAMPLE_MS.store(ms.parse().unwrap(), Ordering::Relaxed);
}

/// Does work for a while; returns how often per second.
pub fn rate(mut work: impl FnMut()) -> f64 {
    let started = Instant::now();
    let mut done = 0_u32;
    while started.elapsed() < sample_time() {
        work();
        done += 1;
    }
    f64::from(done) / started.elapsed().as_secs_f64()
}

/// The same in microseconds for each.
pub fn cost_us(work: impl FnMut()) -> f64 {
    1e6 / rate(work)
}

/// Returns the part of these times, in nanoseconds, below which so large a share lies.
pub fn percentile(times: &mut [u64], share: f64) -> f64 {
    times.sort_unstable();
    times[((times.len() - 1) as f64 * share) as usize] as f64
}
