//! Times and durations: how they are written, and how they are read.

/// Milliseconds of a day.
pub const DAY_MS: i64 = 86_400_000;

/// A duration in at most two units, as people say it: `250ms`, `4.2s`, `3m20s`, `5h02m`, `12d3h`.
pub fn span(ms: i64) -> String {
    let ms = ms.max(0);
    let (s, m, h, d) = (ms / 1000, ms / 60_000, ms / 3_600_000, ms / DAY_MS);
    match ms {
        0..1000 => format!("{ms}ms"),
        1000..10_000 => format!("{s}.{}s", ms % 1000 / 100),
        10_000..60_000 => format!("{s}s"),
        60_000..3_600_000 => format!("{m}m{:02}s", s % 60),
        3_600_000..DAY_MS => format!("{h}h{:02}m", m % 60),
        _ if d < 100 => format!("{d}d{}h", h % 24),
        _ => format!("{d}d"),
    }
}

/// A duration in one unit where that is exact enough: `10m`, `14h`, `12d`; else as `span` says it.
fn about(ms: i64) -> String {
    let (m, h, d) = (ms / 60_000, ms / 3_600_000, ms / DAY_MS);
    match () {
        () if d >= 10 => format!("{d}d"),
        () if h >= 10 && d == 0 => format!("{h}h"),
        () if m >= 10 && h == 0 => format!("{m}m"),
        () => span(ms),
    }
}

/// A moment as seen from now: `4.2s ago`, `in 3m20s`, `now`.
pub fn relative(at_ms: i64, now_ms: i64) -> String {
    match now_ms - at_ms {
        gone if gone >= 1000 => format!("{} ago", about(gone)),
        gone if gone <= -1000 => format!("in {}", about(-gone)),
        _ => "now".to_string(),
    }
}

/// A moment as RFC 3339 writes it, in UTC with milliseconds.
pub fn iso(at_ms: i64) -> String {
    let (days, ms) = (at_ms.div_euclid(DAY_MS), at_ms.rem_euclid(DAY_MS));
    let (year, month, day) = civil(days);
    let s = ms / 1000;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        s / 3600,
        s / 60 % 60,
        s % 60,
        ms % 1000
    )
}

/// Year, month and day of a number of days since 1970 (Howard Hinnant, chrono-compatible dates).
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Days since 1970 of a date.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// A duration as it is typed: `90s`, `15m`, `2h`, `30d`, `250ms`, `1h30m`; a bare number is refused,
/// since nobody would know its unit.
pub fn parse_span(text: &str) -> Result<i64, String> {
    let wrong = || format!("'{text}' is no duration; write it as 90s, 15m, 2h, 30d or 1h30m");
    let (mut total, mut rest) = (0i64, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: i64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => DAY_MS,
            "w" => 7 * DAY_MS,
            _ => return Err(wrong()),
        };
        rest = &rest[letters..];
        total = number.checked_mul(unit).and_then(|ms| total.checked_add(ms)).ok_or_else(wrong)?;
    }
    if text.is_empty() { Err(wrong()) } else { Ok(total) }
}

/// A moment as it is typed: a duration back from now (`2h`), `today` or `yesterday` (midnight, UTC), a
/// date, a date and time in UTC (`2026-11-28T09:30:00Z`, seconds and Z may be left out), or
/// `@` and Unix milliseconds.
pub fn parse_moment(text: &str, now_ms: i64) -> Result<i64, String> {
    let midnight = now_ms - now_ms.rem_euclid(DAY_MS);
    match text {
        "now" => return Ok(now_ms),
        "today" => return Ok(midnight),
        "yesterday" => return Ok(midnight - DAY_MS),
        _ => {}
    }
    if let Some(ms) = text.strip_prefix('@') {
        return ms.parse().map_err(|_| format!("'{text}' is no @ and Unix milliseconds"));
    }
    if let Ok(ms) = parse_span(text) {
        return Ok(now_ms.saturating_sub(ms));
    }
    parse_date(text).ok_or_else(|| {
        format!(
            "'{text}' is no time; write it as 2h (ago), today, 2026-11-28, 2026-11-28T09:30Z \
             or @1764322200000"
        )
    })
}

fn parse_date(text: &str) -> Option<i64> {
    let (date, clock) = match text.split_once(['T', ' ']) {
        Some((date, clock)) => (date, clock.trim_end_matches('Z')),
        None => (text, "00:00"),
    };
    let part = |text: &str, from: i64, to: i64| -> Option<i64> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let number = if digits { text.parse().ok()? } else { return None };
        (from..=to).contains(&number).then_some(number)
    };
    let mut fields = date.split('-');
    let year = part(fields.next()?, 1970, 9999)?;
    let month = part(fields.next()?, 1, 12)?;
    let day = part(fields.next()?, 1, 31)?;
    let at = days(year, month, day);
    if fields.next().is_some() || civil(at) != (year, month, day) {
        return None;
    }
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut fields = clock.split(':');
    let hour = part(fields.next()?, 0, 23)?;
    let minute = part(fields.next()?, 0, 59)?;
    let second = fields.next().map_or(Some(0), |text| part(text, 0, 59))?;
    let ms = part(&format!("{fraction:0<3}"), 0, 999)?;
    (fields.next().is_none())
        .then_some(at * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000 + ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_as_it_was_written() {
        for at in [0, 951_782_399_999, 951_782_400_000, 1_764_322_200_123, 253_402_300_799_999] {
            assert_eq!(parse_moment(&iso(at), 0), Ok(at), "{}", iso(at));
        }
        assert_eq!(iso(1_760_000_000_000), "2025-10-09T08:53:20.000Z");
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in ["2026-02-30", "2026-13-01", "2026-1", "10", "", "-1h", "2026-01-01T24:00", "x"]
        {
            assert!(parse_moment(text, 0).is_err(), "{text}");
        }
    }

    #[test]
    fn a_duration_is_said_in_the_two_units_that_matter() {
        let said: Vec<_> =
            [0, 999, 4200, 59_000, 200_000, 18_120_000, 3 * DAY_MS, 200 * DAY_MS].map(span).into();
        assert_eq!(said, ["0ms", "999ms", "4.2s", "59s", "3m20s", "5h02m", "3d0h", "200d"]);
        assert_eq!(parse_span("1h30m"), Ok(5_400_000));
        assert!(parse_span("90").is_err());
        assert!(parse_span("9223372036854775807d").is_err());
    }

    #[test]
    fn a_moment_is_near_or_far_from_now() {
        assert_eq!(relative(1000, 5200), "4.2s ago");
        assert_eq!(relative(65_000, 5000), "in 1m00s");
        assert_eq!(relative(0, 620_000), "10m ago");
        assert_eq!(relative(5000, 5001), "now");
    }
}
