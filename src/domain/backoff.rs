//! How tries are spaced.

/// How tries are spaced: the wait doubles, or grows as `percent` says, up to a cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Milliseconds before the second try.
    pub initial_ms: i64,
    /// Milliseconds between two tries at most.
    pub max_ms: i64,
    /// Growth from one try to the next, in percent.
    pub percent: u32,
}

impl Backoff {
    /// Returns the milliseconds to wait after failure number `failures` (1 is the first), moved by
    /// at most a tenth either way, so that runs that failed together do not come back together.
    /// The same `seed` and number give the same wait.
    pub fn wait_ms(&self, failures: u32, seed: i64) -> i64 {
        let wait = self.grown_ms(failures);
        let parts = [seed.to_le_bytes(), i64::from(failures).to_le_bytes()].concat();
        let mut draw = [0; 4];
        draw.copy_from_slice(&blake3::hash(&parts).as_bytes()[..4]);
        let share = f64::from(u32::from_le_bytes(draw)) / f64::from(u32::MAX);
        (wait * (0.9 + 0.2 * share)).round().min(self.max_ms as f64) as i64
    }

    /// The cap ends the growth, and nothing before it: by one percent from a millisecond to the longest
    /// cap these are 2,900 steps.
    fn grown_ms(&self, failures: u32) -> f64 {
        let (mut wait, max) = (self.initial_ms as f64, self.max_ms as f64);
        let growth = f64::from(self.percent) / 100.0;
        let mut left = if growth > 1.0 { failures.saturating_sub(1) } else { 0 };
        while left > 0 && wait < max {
            wait *= growth;
            left -= 1;
        }
        wait.min(max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{DURATION_MS_MAX, TRIES_MAX};

    const SECOND_TO_HOUR: Backoff = Backoff { initial_ms: 1_000, max_ms: 3_600_000, percent: 200 };

    #[test]
    fn a_backoff_doubles_within_a_tenth_and_stops_at_its_cap() {
        for seed in 0..200 {
            assert!((900..=1_100).contains(&SECOND_TO_HOUR.wait_ms(1, seed)));
            assert!((3_600..=4_400).contains(&SECOND_TO_HOUR.wait_ms(3, seed)));
            assert!((3_240_000..=3_600_000).contains(&SECOND_TO_HOUR.wait_ms(60, seed)));
        }
    }

    /// Sixty-four tries at ten percent come to 430 seconds; they were all that was counted.
    #[test]
    fn a_slow_backoff_grows_until_it_is_at_its_cap() {
        let slow = Backoff { percent: 110, ..SECOND_TO_HOUR };
        let nearly = (82..=89).map(|failures| slow.grown_ms(failures));
        assert!(nearly.is_sorted_by(|a, b| a < b || *b == 3_600_000.0));
        assert_eq!(slow.grown_ms(64).round(), 405_265.0);
        assert_eq!(slow.grown_ms(87), 3_600_000.0);
        assert!((3_240_000..=3_600_000).contains(&slow.wait_ms(1_000, 1)));
    }

    /// Against the formula, whatever the numbers: initial * growth ^ (failures - 1), below the cap.
    #[test]
    fn a_backoff_is_what_its_formula_says_for_any_growth_and_any_count() {
        let mut state = 9_u64;
        let mut draw = |most: i64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let bits = i64::try_from(state >> 33).unwrap();
            // As many small numbers as large ones.
            1 + bits % (most >> (bits % 40)).max(1)
        };
        for _ in 0..20_000 {
            let percent = u32::try_from(99 + draw(9_901)).unwrap();
            let backoff = Backoff {
                initial_ms: draw(DURATION_MS_MAX),
                max_ms: draw(DURATION_MS_MAX),
                percent,
            };
            let failures = u32::try_from(draw(i64::from(TRIES_MAX))).unwrap();
            let growth = f64::from(percent) / 100.0;
            let exact = (backoff.initial_ms as f64).ln() + f64::from(failures - 1) * growth.ln();
            let wanted = exact.exp().min(backoff.max_ms as f64);
            let grown = backoff.grown_ms(failures);
            assert!(
                (grown / wanted - 1.0).abs() < 1e-9,
                "{backoff:?} {failures}: {grown} {wanted}"
            );
            let wait = backoff.wait_ms(failures, 7) as f64;
            assert!(wait <= backoff.max_ms as f64 && (wait - grown).abs() <= grown / 10.0 + 1.0);
            if percent > 100 {
                let enough = 2 + ((backoff.max_ms as f64).ln() / growth.ln()) as u32;
                assert_eq!(backoff.grown_ms(enough), backoff.max_ms as f64, "{backoff:?}");
            }
        }
        assert_eq!(Backoff { percent: 100, ..SECOND_TO_HOUR }.grown_ms(u32::MAX), 1_000.0);
    }

    #[test]
    fn a_backoff_is_the_same_for_the_same_seed_and_differs_between_seeds() {
        let waits: Vec<i64> = (0..50).map(|seed| SECOND_TO_HOUR.wait_ms(5, seed)).collect();
        assert_eq!(waits[7], SECOND_TO_HOUR.wait_ms(5, 7));
        assert!(waits.iter().any(|wait| *wait != waits[0]));
    }
}
