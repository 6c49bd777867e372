//! Dates of the Gregorian calendar, counted in days since 1970 began.

/// Seconds of a day by the clock.
pub(super) const DAY_S: i64 = 86_400;

/// Days after which the calendar repeats itself, weekdays included: 400 years.
pub(super) const CYCLE_DAYS: i64 = 146_097;

/// Days from the first of March of year 0 to 1970.
const EPOCH_DAYS: i64 = 719_468;

/// A date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    /// Year.
    pub(super) year: i64,
    /// 1 to 12.
    pub(super) month: i64,
    /// 1 to 31.
    pub(super) day: i64,
    /// 0 to 6, from Sunday.
    pub(super) week_day: i64,
    /// Days of its month.
    pub(super) month_len: i64,
}

/// Returns the date so many days after 1970 began.
///
/// By Howard Hinnant's "chrono-compatible low-level date algorithms": years that begin in March have
/// their leap day at the end.
pub(super) fn date(days: i64) -> Date {
    let since_march = days + EPOCH_DAYS;
    let (cycle, day) = (since_march.div_euclid(CYCLE_DAYS), since_march.rem_euclid(CYCLE_DAYS));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year + cycle * 400 + i64::from(month <= 2);
    Date {
        year,
        month,
        day: day_of_year - (153 * march_month + 2) / 5 + 1,
        // 1970 began on a Thursday.
        week_day: (days + 4).rem_euclid(7),
        month_len: month_len(year, month),
    }
}

fn month_len(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        for (days, wanted) in [
            (0, (1970, 1, 1, 4)),
            (-1, (1969, 12, 31, 3)),
            (59, (1970, 3, 1, 0)),
            (11_016, (2000, 2, 29, 2)),
            (20_512, (2026, 2, 28, 6)),
            (47_540, (2100, 2, 28, 0)),
            (47_541, (2100, 3, 1, 1)),
            (2_932_896, (9999, 12, 31, 5)),
        ] {
            let Date { year, month, day, week_day, .. } = date(days);
            assert_eq!((year, month, day, week_day), wanted, "{days}");
        }
    }

    #[test]
    fn each_day_is_followed_by_the_next_through_a_whole_cycle() {
        for days in -200_000..CYCLE_DAYS {
            let (today, tomorrow) = (date(days), date(days + 1));
            let Date { year, month, day, month_len, .. } = today;
            let next = match (day < month_len, month < 12) {
                (true, _) => (year, month, day + 1),
                (false, true) => (year, month + 1, 1),
                (false, false) => (year + 1, 1, 1),
            };
            assert_eq!((tomorrow.year, tomorrow.month, tomorrow.day), next, "after {today:?}");
            assert_eq!(tomorrow.week_day, (today.week_day + 1) % 7);
        }
        let (first, again) = (date(-7), date(-7 + CYCLE_DAYS));
        assert_eq!(Date { year: first.year + 400, ..first }, again);
    }
}
