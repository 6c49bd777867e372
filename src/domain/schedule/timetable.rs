//! When a schedule fires: pure arithmetic over an expression or an interval.
//!
//! An expression names local times. Where its hour or its minute is `*` or has a step, it follows the
//! clock: it fires at each instant at which clocks show a time that it names, so nothing is in a gap,
//! and what is repeated fires each time. Otherwise each of its times fires once: when clocks first show
//! it or, where they leave it out, a later one.

use super::cron::Cron;
use super::local::{OFFSET_S_MAX, Stretch, Zone};
use super::spec::CatchUp;
use crate::limits::{INSTANT_MS_MAX, SCHEDULE_CATCH_UP_MAX, SCHEDULE_GRACE_MS};
use crate::plant::{Plant, stands};

/// Seconds of which one look at a zone tells when its clocks are set.
const LOOK_S: i64 = 2 * 86_400;

/// The firings of a schedule, from the beginning of time to its end.
#[derive(Debug, Clone)]
pub enum Timetable {
    /// Every so many milliseconds after an anchor.
    Every {
        /// What the interval counts from; the first firing is one interval later.
        anchor_ms: i64,
        /// Length.
        every_ms: i64,
    },
    /// By an expression in the local time of a zone.
    Cron {
        /// What it says.
        cron: Box<Cron>,
        /// Where.
        zone: Zone,
    },
}

/// What one look at a timetable found to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Due {
    /// Firings that are to make a run, oldest first.
    pub(super) firings: Vec<i64>,
    /// All firings up to here are dealt with then.
    pub(super) seen_at_ms: i64,
}

impl Timetable {
    /// Returns the first firing after an instant; `None` when there is none before the year 5000.
    pub fn next_after(&self, at_ms: i64) -> Option<i64> {
        let next_ms = match self {
            Timetable::Every { anchor_ms, every_ms } => {
                let passed = at_ms.saturating_sub(*anchor_ms).div_euclid(*every_ms).max(0);
                passed.checked_add(1)?.checked_mul(*every_ms)?.checked_add(*anchor_ms)?
            }
            Timetable::Cron { cron, zone } => {
                next_s(cron, zone, at_ms.div_euclid(1_000))?.checked_mul(1_000)?
            }
        };
        (next_ms > at_ms && next_ms <= INSTANT_MS_MAX).then_some(next_ms)
    }

    /// Returns the last firing at or before an instant.
    pub fn last_until(&self, at_ms: i64) -> Option<i64> {
        match self {
            Timetable::Every { anchor_ms, every_ms } => {
                let passed = at_ms.saturating_sub(*anchor_ms).div_euclid(*every_ms);
                (passed > 0).then(|| anchor_ms + passed * every_ms)
            }
            Timetable::Cron { cron, zone } => {
                last_s(cron, zone, at_ms.div_euclid(1_000))?.checked_mul(1_000)
            }
        }
    }

    /// Returns what is to be done about the firings after `seen_ms` that are due: up to `limit`.
    pub(super) fn due(&self, seen_ms: i64, now_ms: i64, catch_up: CatchUp, limit: usize) -> Due {
        let first_ms = self.next_after(seen_ms).filter(|first_ms| *first_ms <= now_ms);
        let Some(first_ms) = first_ms else {
            return Due { firings: Vec::new(), seen_at_ms: seen_ms };
        };
        // Never before the first: each look at a schedule that is due takes it a step on.
        let last_ms = self.last_until(now_ms).map_or(first_ms, |last_ms| last_ms.max(first_ms));
        let is_late = now_ms.saturating_sub(last_ms) > SCHEDULE_GRACE_MS;
        let firings = match catch_up {
            CatchUp::None if is_late => Vec::new(),
            CatchUp::None | CatchUp::Last => vec![last_ms],
            CatchUp::All => self.all(seen_ms, last_ms, limit),
        };
        let seen_at_ms = match catch_up {
            CatchUp::All => firings.last().copied().unwrap_or(last_ms),
            CatchUp::None | CatchUp::Last => last_ms,
        };
        Due { firings, seen_at_ms }
    }

    /// Returns up to `limit` firings after `seen_ms`, of which the last to come is `last_ms`. When there
    /// are more, those before the newest [`SCHEDULE_CATCH_UP_MAX`] are left out.
    fn all(&self, seen_ms: i64, last_ms: i64, limit: usize) -> Vec<i64> {
        let walk = |from_ms: i64| {
            let first = self.next_after(from_ms);
            std::iter::successors(first, |at_ms| self.next_after(*at_ms))
                .take_while(|at_ms| *at_ms <= last_ms)
                .take(limit)
                .collect::<Vec<i64>>()
        };
        let firings = walk(seen_ms);
        let floor_ms = if firings.len() < limit { seen_ms } else { self.floor(last_ms) };
        if floor_ms > seen_ms { walk(floor_ms) } else { firings }
    }

    /// Returns the firing after which the newest [`SCHEDULE_CATCH_UP_MAX`] come.
    fn floor(&self, last_ms: i64) -> i64 {
        match self {
            Timetable::Every { every_ms, .. } => {
                last_ms.saturating_sub(every_ms.saturating_mul(SCHEDULE_CATCH_UP_MAX))
            }
            Timetable::Cron { .. } => {
                let mut floor_ms = last_ms;
                for _ in 0..SCHEDULE_CATCH_UP_MAX {
                    match self.last_until(floor_ms.saturating_sub(1)) {
                        Some(before_ms) => floor_ms = before_ms,
                        None => return 0,
                    }
                }
                floor_ms
            }
        }
    }
}

/// Returns the first second after one at which an expression fires.
fn next_s(cron: &Cron, zone: &Zone, unix_s: i64) -> Option<i64> {
    if !cron.follows_clock() {
        let shown_s = if stands(Plant::RepeatHour) {
            unix_s + zone.offset_s(unix_s)
        } else {
            zone.latest_shown(unix_s)
        };
        return Some(zone.first_shown(cron.first_from(shown_s + 1)?));
    }
    let mut from_s = unix_s + 1;
    while from_s <= INSTANT_MS_MAX / 1_000 {
        let to_s = from_s + LOOK_S;
        let first_in = |stretch: &Stretch| {
            let at_s = cron.first_from(stretch.from_s + stretch.offset_s)? - stretch.offset_s;
            Some(at_s).filter(|at_s| *at_s < stretch.to_s)
        };
        if let Some(at_s) = zone.stretches(from_s, to_s).iter().find_map(first_in) {
            return Some(at_s);
        }
        // Wherever clocks stand, they show no time that it names before this.
        from_s = to_s.max(cron.first_from(to_s - OFFSET_S_MAX)? - OFFSET_S_MAX);
    }
    None
}

/// Returns the last second until one at which an expression fires; none before 1970.
fn last_s(cron: &Cron, zone: &Zone, unix_s: i64) -> Option<i64> {
    if !cron.follows_clock() {
        return Some(zone.first_shown(cron.last_until(zone.latest_shown(unix_s))?));
    }
    let mut to_s = unix_s + 1;
    while to_s > 0 {
        let from_s = to_s - LOOK_S;
        let last_in = |stretch: &Stretch| {
            let at_s = cron.last_until(stretch.to_s - 1 + stretch.offset_s)? - stretch.offset_s;
            Some(at_s).filter(|at_s| *at_s >= stretch.from_s)
        };
        if let Some(at_s) = zone.stretches(from_s, to_s).iter().rev().find_map(last_in) {
            return Some(at_s);
        }
        to_s = from_s.min(cron.last_until(from_s + OFFSET_S_MAX)? + OFFSET_S_MAX + 1);
    }
    None
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::schedule::calendar::{DAY_S, Date, date};
    use crate::domain::schedule::local::tests::zone_of;

    /// The rules of Berlin since 1996: forward on the last Sunday of March at 02:00, back on the last
    /// of October at 03:00.
    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

    fn table(cron: &str, zone: &str) -> Timetable {
        let zone = if zone == "UTC" { Zone::Utc } else { zone_of(zone) };
        Timetable::Cron { cron: Box::new(Cron::read(cron).unwrap()), zone }
    }

    /// Reads an instant such as `2026-01-02T09:44:59Z`.
    pub(in super::super) fn ms(text: &str) -> i64 {
        let parts: Vec<i64> =
            text.split(['-', 'T', ':', 'Z']).filter_map(|part| part.parse().ok()).collect();
        let is_it = |days: &i64| {
            let date = date(*days);
            [date.year, date.month, date.day] == parts[..3]
        };
        let days = ((parts[0] - 1970) * 365..).find(is_it).unwrap();
        (days * DAY_S + parts[3] * 3_600 + parts[4] * 60 + parts[5]) * 1_000
    }

    pub(in super::super) fn shown(at_ms: i64) -> String {
        let (days, second) = ((at_ms / 1_000).div_euclid(DAY_S), (at_ms / 1_000).rem_euclid(DAY_S));
        let date = date(days);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let Date { year, month, day, .. } = date;
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }

    /// The next firings after an instant, as UTC.
    fn next(table: &Timetable, after: &str, count: usize) -> Vec<String> {
        let mut at_ms = ms(after);
        let step = |_| {
            at_ms = table.next_after(at_ms).unwrap();
            shown(at_ms)
        };
        (0..count).map(step).collect()
    }

    #[test]
    fn five_fields_are_minutes_and_six_begin_with_seconds() {
        let quarter = table("*/15 9 * * MON-FRI", "UTC");
        assert_eq!(
            next(&quarter, "2026-01-02T09:44:59Z", 2),
            ["2026-01-02T09:45:00Z", "2026-01-05T09:00:00Z"]
        );
        let seconds = table("30 0 0 1 * *", "UTC");
        assert_eq!(next(&seconds, "2026-01-02T00:00:00Z", 1), ["2026-02-01T00:00:30Z"]);
    }

    #[test]
    fn a_firing_is_after_the_instant_and_never_at_it() {
        let minute = table("* * * * *", "UTC");
        assert_eq!(next(&minute, "2026-01-01T00:00:00Z", 1), ["2026-01-01T00:01:00Z"]);
        assert_eq!(minute.last_until(ms("2026-01-01T00:00:00Z")), Some(ms("2026-01-01T00:00:00Z")));
        assert_eq!(
            minute.last_until(ms("2026-01-01T00:00:59Z") + 999),
            Some(ms("2026-01-01T00:00:00Z"))
        );
    }

    #[test]
    fn both_days_of_an_expression_count_when_both_are_named() {
        let either = table("0 0 13 * FRI", "UTC");
        assert_eq!(
            next(&either, "2026-01-01T00:00:00Z", 3),
            ["2026-01-02T00:00:00Z", "2026-01-09T00:00:00Z", "2026-01-13T00:00:00Z"]
        );
    }

    #[test]
    fn a_local_time_that_does_not_exist_fires_after_the_gap_and_on_that_day_once() {
        let table = table("30 2 * * *", BERLIN);
        assert_eq!(
            next(&table, "2026-03-28T00:00:00Z", 3),
            ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
        );
    }

    #[test]
    fn a_local_time_that_exists_twice_fires_once_the_first_time() {
        let table = table("30 2 * * *", BERLIN);
        assert_eq!(
            next(&table, "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
        let between = ms("2026-10-25T01:00:00Z");
        assert_eq!(table.last_until(between), Some(ms("2026-10-25T00:30:00Z")));
    }

    /// What clocks do, as rules of the variable TZ: half an hour, midnight, and a step back over it.
    const LORD_HOWE: &str = "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0";
    const SAO_PAULO: &str = "<-03>3<-02>,M10.3.0/0,M2.3.0/0";

    #[test]
    fn lists_and_ranges_fire_once_where_clocks_are_set() {
        for (expression, zone, after, wanted) in [
            ("0 9,2 * * *", BERLIN, "2027-03-27T12:00:00Z", ["03-28T01:00:00", "03-28T07:00:00"]),
            ("10,40 2 * * *", BERLIN, "2027-03-27T12:00:00Z", ["03-28T01:00:00", "03-29T00:10:00"]),
            ("0 2,3 * * *", BERLIN, "2027-03-27T12:00:00Z", ["03-28T01:00:00", "03-29T00:00:00"]),
            ("15 1,2 * * *", BERLIN, "2027-10-30T23:00:00Z", ["10-30T23:15:00", "10-31T00:15:00"]),
            ("15 1,2 * * *", BERLIN, "2027-10-31T00:15:00Z", ["11-01T00:15:00", "11-01T01:15:00"]),
            ("30 1-3 * * *", BERLIN, "2027-10-31T00:00:00Z", ["10-31T00:30:00", "10-31T02:30:00"]),
            ("0 0-23 * * *", BERLIN, "2027-10-31T00:00:00Z", ["10-31T02:00:00", "10-31T03:00:00"]),
            ("* 10 2 * * *", BERLIN, "2027-03-27T12:00:00Z", ["03-28T01:00:00", "03-29T00:10:00"]),
            (
                "10,20 2 * * *",
                LORD_HOWE,
                "2027-10-02T10:00:00Z",
                ["10-02T15:30:00", "10-03T15:10:00"],
            ),
            (
                "35,55 1 * * *",
                LORD_HOWE,
                "2027-04-03T14:00:00Z",
                ["04-03T14:35:00", "04-03T14:55:00"],
            ),
            (
                "35,55 1 * * *",
                LORD_HOWE,
                "2027-04-03T14:55:00Z",
                ["04-04T15:05:00", "04-04T15:25:00"],
            ),
            (
                "0-9 0 * * *",
                SAO_PAULO,
                "2027-10-16T12:00:00Z",
                ["10-17T03:00:00", "10-18T02:00:00"],
            ),
            (
                "0 23,0 * * *",
                SAO_PAULO,
                "2027-02-20T12:00:00Z",
                ["02-21T01:00:00", "02-21T03:00:00"],
            ),
            ("*/20 2 * * *", BERLIN, "2027-03-28T00:00:00Z", ["03-29T00:00:00", "03-29T00:20:00"]),
            ("30 */2 * * *", BERLIN, "2027-10-31T00:00:00Z", ["10-31T00:30:00", "10-31T01:30:00"]),
        ] {
            let wanted = wanted.map(|at| format!("2027-{at}Z"));
            assert_eq!(next(&table(expression, zone), after, 2), wanted, "{expression} in {zone}");
        }
    }

    /// All that it names is left out, each year: the search ends all the same.
    #[test]
    fn what_follows_the_clock_into_nothing_but_gaps_never_fires() {
        let table = table("*/15 2 * 3 0#L", BERLIN);
        assert_eq!(
            (table.next_after(0), table.last_until(ms("2026-06-01T00:00:00Z"))),
            (None, None)
        );
    }

    #[test]
    fn a_wildcard_follows_the_clock_through_gap_and_repeated_hour() {
        let half_hours = table("*/30 * * * *", BERLIN);
        assert_eq!(
            next(&half_hours, "2026-03-29T00:15:00Z", 3),
            ["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"]
        );
        assert_eq!(
            next(&half_hours, "2026-10-25T00:15:00Z", 4),
            [
                "2026-10-25T00:30:00Z",
                "2026-10-25T01:00:00Z",
                "2026-10-25T01:30:00Z",
                "2026-10-25T02:00:00Z"
            ]
        );
    }

    #[test]
    fn a_month_of_local_midnights_follows_the_offset() {
        let midnight = table("0 0 * * *", BERLIN);
        let firings = next(&midnight, "2026-10-20T12:00:00Z", 10);
        assert_eq!(firings[4], "2026-10-24T22:00:00Z");
        assert_eq!(firings[5], "2026-10-25T23:00:00Z");
    }

    /// As Samoa's did in 2011, when it changed sides of the date line.
    #[test]
    fn a_clock_that_leaves_out_a_day_ends_no_schedule() {
        let table = table("30 2 * * *", "AAA10BBB-14,M3.5.0/0,M10.5.0/0");
        let firings = next(&table, "2026-03-27T00:00:00Z", 4);
        assert_eq!(
            firings,
            [
                "2026-03-27T12:30:00Z",
                "2026-03-28T12:30:00Z",
                // Of the day that was left out, as the next one begins.
                "2026-03-29T10:00:00Z",
                "2026-03-29T12:30:00Z"
            ]
        );
        let due = |catch_up| {
            table.due(ms("2026-03-28T13:00:00Z"), ms("2026-04-05T00:00:00Z"), catch_up, 64).firings
        };
        assert_eq!(due(CatchUp::All).len(), 8);
        assert_eq!(due(CatchUp::Last), [ms("2026-04-04T12:30:00Z")]);
    }

    #[test]
    fn an_interval_counts_from_its_anchor_whenever_it_is_looked_at() {
        let every = Timetable::Every { anchor_ms: 1_000, every_ms: 300 };
        assert_eq!(every.next_after(0), Some(1_300));
        assert_eq!(every.next_after(1_000), Some(1_300));
        assert_eq!(every.next_after(1_300), Some(1_600));
        assert_eq!(every.last_until(1_299), None);
        assert_eq!(every.last_until(1_950), Some(1_900));
    }

    #[test]
    fn nothing_fires_beyond_the_year_9999() {
        let every = Timetable::Every { anchor_ms: INSTANT_MS_MAX - 10, every_ms: 100 };
        assert_eq!(every.next_after(INSTANT_MS_MAX - 10), None);
        let every = Timetable::Every { anchor_ms: i64::MAX - 1, every_ms: i64::MAX };
        assert_eq!(every.next_after(i64::MAX - 1), None);
        assert_eq!(table("* * * * *", "UTC").next_after(INSTANT_MS_MAX), None);
    }

    /// Whatever the instant one asks from, forward or back: the firings are the same ones.
    #[test]
    fn looking_forward_and_back_from_anywhere_finds_the_same_firings() {
        let expressions = [
            "30 2 * * *",
            "10,40 1-3 * * *",
            "*/30 2 * * *",
            "0 0 * * *",
            "0 3 * * *",
            "15 1,2,3 * * *",
            "*/20 * * * *",
            "0 */2 * * *",
            "5 2 29,25 * *",
            "0 30 2 * * SUN",
        ];
        for (expression, from) in expressions.iter().flat_map(|expression| {
            ["2026-03-27T12:00:00Z", "2026-10-23T12:00:00Z"].map(|from| (*expression, ms(from)))
        }) {
            let table = table(expression, BERLIN);
            let chain: Vec<i64> = std::iter::successors(table.next_after(from), |at_ms| {
                table.next_after(*at_ms).filter(|at_ms| *at_ms < from + 4 * 86_400_000)
            })
            .collect();
            for at_ms in (chain[0]..from + 3 * 86_400_000).step_by(150_000) {
                let next_ms = chain.iter().copied().find(|next_ms| *next_ms > at_ms);
                let last_ms = chain.iter().copied().rfind(|last_ms| *last_ms <= at_ms);
                let when = shown(at_ms);
                assert!(
                    next_ms.is_none() || table.next_after(at_ms) == next_ms,
                    "{expression} {when}"
                );
                assert_eq!(table.last_until(at_ms), last_ms, "{expression} back from {when}");
            }
        }
    }

    fn every_second() -> Timetable {
        Timetable::Every { anchor_ms: 0, every_ms: 1_000 }
    }

    #[test]
    fn what_was_missed_is_left_out_or_made_up_for_once_or_each_time() {
        let due = |catch_up| every_second().due(0, 5_500, catch_up, 10);
        assert_eq!(due(CatchUp::Last), Due { firings: vec![5_000], seen_at_ms: 5_000 });
        assert_eq!(
            due(CatchUp::All),
            Due { firings: vec![1_000, 2_000, 3_000, 4_000, 5_000], seen_at_ms: 5_000 }
        );
        let hourly = Timetable::Every { anchor_ms: 0, every_ms: 3_600_000 };
        let none = |now_ms| hourly.due(0, now_ms, CatchUp::None, 10);
        let in_time = Due { firings: vec![7_200_000], seen_at_ms: 7_200_000 };
        assert_eq!(none(7_200_000 + SCHEDULE_GRACE_MS), in_time);
        let missed = Due { firings: Vec::new(), seen_at_ms: 7_200_000 };
        assert_eq!(none(7_200_001 + SCHEDULE_GRACE_MS), missed);
    }

    #[test]
    fn nothing_is_due_before_its_time_nor_twice() {
        for catch_up in [CatchUp::None, CatchUp::Last, CatchUp::All] {
            let nothing = |seen_at_ms| Due { firings: Vec::new(), seen_at_ms };
            assert_eq!(every_second().due(0, 999, catch_up, 10), nothing(0));
            assert_eq!(every_second().due(5_000, 5_999, catch_up, 10), nothing(5_000));
            assert_eq!(
                every_second().due(9_000, 5_000, catch_up, 10),
                nothing(9_000),
                "clock back"
            );
        }
    }

    /// Walks a backlog as sweeps do and returns how many firings it came to, and the first.
    fn made_up(table: &Timetable, now_ms: i64) -> (usize, i64) {
        let (mut seen_ms, mut count, mut first) = (0, 0, None);
        loop {
            let due = table.due(seen_ms, now_ms, CatchUp::All, 64);
            if due.firings.is_empty() {
                return (count, first.unwrap());
            }
            assert!(due.firings.len() <= 64 && due.seen_at_ms > seen_ms);
            first = first.or(due.firings.first().copied());
            count += due.firings.len();
            seen_ms = due.seen_at_ms;
        }
    }

    #[test]
    fn ten_years_of_seconds_come_to_the_newest_of_them_alone() {
        let now_ms = 10 * 366 * 86_400_000;
        let most = usize::try_from(SCHEDULE_CATCH_UP_MAX).unwrap();
        let first_ms = now_ms - (SCHEDULE_CATCH_UP_MAX - 1) * 1_000;
        assert_eq!(made_up(&every_second(), now_ms), (most, first_ms));
        assert_eq!(made_up(&table("* * * * * *", BERLIN), now_ms), (most, first_ms));
    }

    #[test]
    fn a_backlog_below_the_bound_is_made_up_for_whole() {
        assert_eq!(made_up(&every_second(), 200_000), (200, 1_000));
        assert_eq!(made_up(&table("* * * * * *", "UTC"), 200_000), (200, 1_000));
    }
}
