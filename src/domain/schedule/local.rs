//! Instants as the clocks of a zone show them: what `croner` searches over.
//!
//! The calendar here and the offsets of `tz-rs` were held against `jiff`, over every zone of the
//! database: the same firings.

use std::cmp::Ordering;

use croner::errors::CronError;
use croner::time::{CivilDate, CivilDateTime, CivilTime, CronDateTime, Resolution, Weekday};
use croner::time::{days_in_month, days_in_year};

const DAY_S: i64 = 86_400;

/// Days from 0000-01-01 to 1970-01-01 in the Gregorian calendar.
const EPOCH_DAYS: i64 = days_before(1970);

/// A time zone.
#[derive(Debug, Clone)]
pub(super) enum Zone {
    /// The one without rules.
    Utc,
    /// One of the database.
    Rules(Box<tz::TimeZone>),
}

impl Zone {
    /// Reads a file of the database (TZif).
    pub(super) fn read(rules: &[u8]) -> Option<Zone> {
        tz::TimeZone::from_tz_data(rules).ok().map(|rules| Zone::Rules(Box::new(rules)))
    }

    /// Returns by how many seconds its clocks are ahead of UTC at an instant.
    fn offset_s(&self, unix_s: i64) -> i64 {
        let Zone::Rules(rules) = self else { return 0 };
        let kind = rules.find_local_time_type(unix_s).ok().or_else(|| last_kind(rules));
        kind.map_or(0, |kind| i64::from(kind.ut_offset()))
    }
}

/// Returns what holds behind the last change of a zone whose file does not say how it goes on.
fn last_kind(rules: &tz::TimeZone) -> Option<&tz::LocalTimeType> {
    let rules = rules.as_ref();
    let index = rules.transitions().last().map_or(0, |last| last.local_time_type_index());
    rules.local_time_types().get(index)
}

/// An instant, of whole seconds, in a zone.
#[derive(Debug, Clone)]
pub(super) struct Local<'zone> {
    unix_s: i64,
    zone: &'zone Zone,
}

impl Local<'_> {
    /// Takes the second that an instant is in.
    pub(super) fn new(at_ms: i64, zone: &Zone) -> Local<'_> {
        Local { unix_s: at_ms.div_euclid(1_000), zone }
    }

    /// Returns the instant, in Unix milliseconds.
    pub(super) fn at_ms(&self) -> i64 {
        self.unix_s.saturating_mul(1_000)
    }

    fn local_s(&self) -> i64 {
        self.unix_s.saturating_add(self.zone.offset_s(self.unix_s))
    }
}

impl CronDateTime for Local<'_> {
    fn to_civil(&self) -> CivilDateTime {
        let local_s = self.local_s();
        let second = u32::try_from(local_s.rem_euclid(DAY_S)).unwrap_or(0);
        let time = CivilTime::from_parts_unchecked(second / 3_600, second / 60 % 60, second % 60);
        CivilDateTime::new(date(local_s.div_euclid(DAY_S)), time)
    }

    fn civil_weekday(&self) -> Weekday {
        // 1970 began on a Thursday.
        let day = (self.local_s().div_euclid(DAY_S) + 4).rem_euclid(7);
        Weekday::from_days_from_sunday(u32::try_from(day).unwrap_or(0))
    }

    /// The offsets of the day before and the day after are those that may hold: clocks change less than
    /// once a day.
    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let local_s = seconds(civil);
        let at = |unix_s: i64| Local { unix_s, zone: self.zone };
        let with_offset = |probe_s: i64| {
            let unix_s = local_s - self.zone.offset_s(probe_s);
            Some(unix_s).filter(|unix_s| unix_s + self.zone.offset_s(*unix_s) == local_s)
        };
        Ok(match (with_offset(local_s - DAY_S), with_offset(local_s + DAY_S)) {
            (Some(one), Some(other)) if one != other => {
                Resolution::Ambiguous(at(one.min(other)), at(one.max(other)))
            }
            (Some(only), _) | (None, Some(only)) => Resolution::Single(at(only)),
            (None, None) => Resolution::Gap,
        })
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        Some(Local { unix_s: self.unix_s.checked_add(seconds)?, zone: self.zone })
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.unix_s.cmp(&other.unix_s)
    }
}

/// Returns how many days the Gregorian calendar has from year 0 to the first of a year.
const fn days_before(year: i64) -> i64 {
    let before = year - 1;
    365 * year + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400) + 1
}

/// Returns the seconds of a local time since 1970 in the same clock.
fn seconds(civil: CivilDateTime) -> i64 {
    let days = days_before(civil.year().into()) - EPOCH_DAYS;
    let day = i64::from(civil.date().day_of_year()) - 1;
    let minutes = i64::from(civil.hour()) * 60 + i64::from(civil.minute());
    (days + day) * DAY_S + minutes * 60 + i64::from(civil.second())
}

/// Returns the date so many days after 1970 began.
fn date(epoch_days: i64) -> CivilDate {
    let days = epoch_days.saturating_add(EPOCH_DAYS);
    // 146,097 days are 400 years; the guess is a year off at most.
    let mut year = days.saturating_mul(400).div_euclid(146_097);
    while days < days_before(year) {
        year -= 1;
    }
    while days >= days_before(year + 1) {
        year += 1;
    }
    let number = i32::try_from(year).unwrap_or(i32::MAX - 1);
    let mut day = u32::try_from(days - days_before(year)).unwrap_or(0) % days_in_year(number);
    let mut month = 1;
    while day >= days_in_month(number, month) {
        day -= days_in_month(number, month);
        month += 1;
    }
    CivilDate::from_parts_unchecked(number, month, day + 1)
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

    fn berlin() -> Zone {
        zone_of("CET-1CEST,M3.5.0,M10.5.0/3")
    }

    #[test]
    fn days_are_dates_and_dates_are_days() {
        for (days, wanted) in [
            (0, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (20_512, (2026, 2, 28)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
            (2_932_896, (9999, 12, 31)),
        ] {
            let date = date(days);
            assert_eq!((date.year(), date.month(), date.day()), wanted, "{days}");
        }
        for days in (-200_000..2_000_000).step_by(17) {
            let civil = CivilDateTime::new(date(days), CivilTime::MIDNIGHT);
            assert_eq!(seconds(civil), days * DAY_S, "{civil}");
        }
    }

    #[test]
    fn a_local_time_happens_once_or_twice_or_never() {
        let zone = berlin();
        let here = Local::new(0, &zone);
        let resolve = |month, day, hour, minute| {
            let civil = CivilDateTime::from_ymd_hms(2026, month, day, hour, minute, 0).unwrap();
            match here.resolve_civil(civil).unwrap() {
                Resolution::Single(at) => vec![at.unix_s],
                Resolution::Ambiguous(one, other) => vec![one.unix_s, other.unix_s],
                Resolution::Gap => vec![],
            }
        };
        assert_eq!(resolve(3, 29, 1, 59), [1_774_745_940]);
        assert!(resolve(3, 29, 2, 0).is_empty() && resolve(3, 29, 2, 59).is_empty());
        assert_eq!(resolve(3, 29, 3, 0), [1_774_746_000]);
        assert_eq!(resolve(10, 25, 1, 59), [1_792_886_340]);
        assert_eq!(resolve(10, 25, 2, 0), [1_792_886_400, 1_792_890_000]);
        assert_eq!(resolve(10, 25, 3, 0), [1_792_893_600]);
    }

    #[test]
    fn what_is_no_zone_is_not_read_as_one() {
        assert!(Zone::read(b"").is_none());
        assert!(Zone::read(b"TZif2 and then nothing").is_none());
    }
}
