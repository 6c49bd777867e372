//! What a row of the table says.

/// What one figure is.
#[derive(Clone, Copy, PartialEq)]
pub enum Unit {
    PerSecond,
    Nanoseconds,
    Microseconds,
    Milliseconds,
    Bytes,
    Mb,
    /// One part of another.
    Ratio,
    Percent,
}

impl Unit {
    pub fn text(self) -> &'static str {
        match self {
            Unit::PerSecond => "/s",
            Unit::Nanoseconds => "ns",
            Unit::Microseconds => "us",
            Unit::Milliseconds => "ms",
            Unit::Bytes => "B",
            Unit::Mb => "MB",
            Unit::Ratio => "x",
            Unit::Percent => "%",
        }
    }
}

/// What is wanted of a row.
#[derive(Clone, Copy)]
pub enum Wanted {
    RatioAtLeast(f64),
    RatioAtMost(f64),
    AtLeast(f64),
    AtMost(f64),
}

/// One figure of a contender, and of what it is a part.
pub struct Row {
    pub name: String,
    pub what: String,
    pub unit: Unit,
    /// The row of the same plan that it is held against.
    pub of: Option<String>,
    /// The row of the same plan that it cannot pass, whoever writes it.
    pub floor: Option<String>,
    pub wanted: Option<Wanted>,
    /// Where it stands on a curve.
    pub at: Option<f64>,
    pub values: Vec<f64>,
    pub ratios: Vec<f64>,
    pub of_floor: Vec<f64>,
}

/// The largest ratio of a row is at most so many times its least, or nothing is concluded from its median.
const STEADY: f64 = 4.0;

impl Row {
    /// Returns whether the ratios that are wanted came to about the same: else the machine was measured, not
    /// the work.
    pub fn is_steady(&self) -> bool {
        let Some(Wanted::RatioAtLeast(_) | Wanted::RatioAtMost(_)) = self.wanted else {
            return true;
        };
        let (least, _, most) = spread(&self.ratios);
        most <= least * STEADY
    }

    /// Returns nothing where nothing is wanted, or where it cannot be told.
    pub fn is_met(&self) -> Option<bool> {
        if !self.is_steady() {
            return None;
        }
        let (value, ratio) = (spread(&self.values).1, || spread(&self.ratios).1);
        Some(match self.wanted? {
            Wanted::RatioAtLeast(least) => ratio() >= least,
            Wanted::RatioAtMost(most) => ratio() <= most,
            Wanted::AtLeast(least) => value >= least,
            Wanted::AtMost(most) => value <= most,
        })
    }
}

/// Least, median and most.
pub fn spread(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    (sorted[0], sorted[sorted.len() / 2], sorted[sorted.len() - 1])
}
