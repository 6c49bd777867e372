//! What clocks of a zone show when.
//!
//! Clocks are set forward and back: they leave times out, and show others twice. All of it is told by
//! two questions that are each other's reverse: what is the latest time that clocks have shown until
//! an instant ([`Zone::latest_shown`]), and at which instant do they first show a time, or a later one
//! ([`Zone::first_shown`]).

use super::calendar::DAY_S;

/// Seconds that clocks are behind or ahead of UTC at most (RFC 9636), with an hour to spare.
pub(super) const OFFSET_S_MAX: i64 = 27 * 3_600;

/// A time zone.
#[derive(Debug, Clone)]
pub enum Zone {
    /// The one without rules.
    Utc,
    /// One of the database.
    Rules(Box<tz::TimeZone>),
}

/// A stretch of time, end excluded, during which clocks are not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Its first second.
    pub(super) from_s: i64,
    /// The second after its last.
    pub(super) to_s: i64,
    /// Seconds that clocks are ahead of UTC.
    pub(super) offset_s: i64,
}

impl Zone {
    /// Reads a file of the database (TZif).
    pub fn read(rules: &[u8]) -> Option<Zone> {
        let zone = tz::TimeZone::from_tz_data(rules).ok()?;
        let kinds = zone.as_ref().local_time_types();
        let is_sane = kinds.iter().all(|kind| i64::from(kind.ut_offset()).abs() < OFFSET_S_MAX);
        is_sane.then(|| Zone::Rules(Box::new(zone)))
    }

    /// Returns by how many seconds its clocks are ahead of UTC at an instant.
    pub fn offset_s(&self, unix_s: i64) -> i64 {
        let Zone::Rules(rules) = self else { return 0 };
        let kind = rules.find_local_time_type(unix_s).ok().or_else(|| last_kind(rules));
        kind.map_or(0, |kind| i64::from(kind.ut_offset()))
    }

    /// Returns the stretches that make up the time between two instants.
    pub(super) fn stretches(&self, from_s: i64, to_s: i64) -> Vec<Stretch> {
        let mut stretches = Vec::new();
        let mut stretch = Stretch { from_s, to_s, offset_s: self.offset_s(from_s) };
        let mut probe_s = from_s;
        while probe_s < to_s {
            // No zone sets its clocks twice within a day: in all of the database, the nearest two
            // settings are four days apart.
            let next_s = (probe_s + DAY_S).min(to_s);
            let offset_s = self.offset_s(next_s);
            if offset_s != stretch.offset_s {
                let set_s = self.set_between(probe_s, next_s);
                stretches.push(Stretch { to_s: set_s, ..stretch });
                stretch = Stretch { from_s: set_s, to_s, offset_s };
            }
            probe_s = next_s;
        }
        stretches.push(stretch);
        stretches.retain(|stretch| stretch.from_s < stretch.to_s);
        stretches
    }

    /// Returns the instant, after the first of two and until the second, at which clocks are set.
    fn set_between(&self, from_s: i64, to_s: i64) -> i64 {
        let (mut before_s, mut after_s) = (from_s, to_s);
        let offset_s = self.offset_s(before_s);
        while after_s - before_s > 1 {
            let middle_s = before_s + (after_s - before_s) / 2;
            let half =
                if self.offset_s(middle_s) == offset_s { &mut before_s } else { &mut after_s };
            *half = middle_s;
        }
        after_s
    }

    /// Returns the latest local time that clocks have shown until an instant, in seconds since 1970 by
    /// the clock.
    pub(super) fn latest_shown(&self, unix_s: i64) -> i64 {
        let stretches = self.stretches(unix_s - 2 * OFFSET_S_MAX, unix_s + 1);
        let last_shown = |stretch: &Stretch| stretch.to_s - 1 + stretch.offset_s;
        stretches.iter().map(last_shown).max().unwrap_or(unix_s)
    }

    /// Returns the first instant at which clocks show a local time or a later one.
    pub(super) fn first_shown(&self, local_s: i64) -> i64 {
        let stretches = self.stretches(local_s - OFFSET_S_MAX, local_s + OFFSET_S_MAX);
        let shown = |stretch: &Stretch| {
            let shown_s = (local_s - stretch.offset_s).max(stretch.from_s);
            Some(shown_s).filter(|shown_s| *shown_s < stretch.to_s)
        };
        stretches.iter().find_map(shown).unwrap_or(local_s)
    }
}

/// Returns what holds behind the last change of a zone whose file does not say how it goes on.
fn last_kind(rules: &tz::TimeZone) -> Option<&tz::LocalTimeType> {
    let rules = rules.as_ref();
    let index = rules.transitions().last().map_or(0, |last| last.local_time_type_index());
    rules.local_time_types().get(index)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A zone of the file that has nothing but a rule, in the form of the variable TZ.
    pub(in super::super) fn zone_of(rule: &str) -> Zone {
        let mut part = b"TZif2".to_vec();
        part.extend([0; 15]);
        // No changes; one kind of local time, of offset 0, whose name has four bytes.
        part.extend([0_u32, 0, 0, 0, 1, 4].iter().flat_map(|count| count.to_be_bytes()));
        part.extend(*b"\0\0\0\0\0\0LMT\0");
        let file = [&part[..], &part[..], b"\n", rule.as_bytes(), b"\n"].concat();
        Zone::read(&file).unwrap()
    }

    const MARCH_S: i64 = 1_774_746_000;
    const OCTOBER_S: i64 = 1_792_890_000;

    fn berlin() -> Zone {
        zone_of("CET-1CEST,M3.5.0,M10.5.0/3")
    }

    #[test]
    fn stretches_lie_end_to_end_and_are_cut_where_clocks_are_set() {
        let zone = berlin();
        for (from_s, to_s) in [(MARCH_S - 5, OCTOBER_S + 5), (MARCH_S - 1, OCTOBER_S + 1)] {
            let stretches = zone.stretches(from_s, to_s);
            let ends: Vec<i64> = stretches.iter().map(|stretch| stretch.to_s).collect();
            let offsets: Vec<i64> = stretches.iter().map(|stretch| stretch.offset_s).collect();
            assert_eq!(
                (ends, offsets),
                (vec![MARCH_S, OCTOBER_S, to_s], vec![3_600, 7_200, 3_600])
            );
            assert!(stretches.windows(2).all(|pair| pair[0].to_s == pair[1].from_s));
        }
        assert_eq!(zone.stretches(MARCH_S, OCTOBER_S).len(), 1);
        assert_eq!(zone.stretches(MARCH_S - 1, MARCH_S).len(), 1);
        assert!(zone.stretches(7, 7).is_empty());
    }

    #[test]
    fn a_time_that_is_left_out_is_passed_after_the_gap_and_a_repeated_one_the_first_time() {
        let zone = berlin();
        let two_s = MARCH_S + 3_600;
        for (local_s, unix_s) in [(-1, -1), (0, 0), (1_800, 0), (3_599, 0), (3_600, 0), (3_601, 1)]
        {
            assert_eq!(zone.first_shown(two_s + local_s), MARCH_S + unix_s, "02:00 {local_s:+}");
        }
        let three_s = OCTOBER_S + 7_200;
        for (local_s, unix_s) in [(-3_600, -3_600), (-1, -1), (0, 3_600), (1, 3_601)] {
            assert_eq!(
                zone.first_shown(three_s + local_s),
                OCTOBER_S + unix_s,
                "03:00 {local_s:+}"
            );
        }
    }

    #[test]
    fn the_latest_shown_stays_while_times_are_repeated() {
        let zone = berlin();
        let latest_s: Vec<i64> = [-1, 0, 1_800, 3_599, 3_600]
            .map(|past_s| zone.latest_shown(OCTOBER_S + past_s) - OCTOBER_S - 7_200)
            .to_vec();
        assert_eq!(latest_s, [-1, -1, -1, -1, 0]);
        assert_eq!(zone.latest_shown(MARCH_S) - zone.latest_shown(MARCH_S - 1), 3_601);
    }

    #[test]
    fn what_is_no_zone_is_not_read_as_one() {
        assert!(Zone::read(b"").is_none());
        assert!(Zone::read(b"TZif2 and then nothing").is_none());
    }
}
