//! Cron expressions, beside a second reader that is plain and slow: it writes each field out as the list of
//! its numbers, and looks at instants one by one. What one reader refuses the other refuses; the next firing
//! is after the instant, is one by both, has none before it, and comes once; the way back finds the same.

use smolwf::domain::schedule::cron::Cron;
use smolwf::domain::schedule::local::Zone;
use smolwf::domain::schedule::timetable::Timetable;

/// What clocks do, as rules of the variable TZ: an hour, half an hour, midnight, a whole day, not at all.
/// All of them set clocks on a half hour of UTC, which is how often the second reader looks at them.
const ZONES: [&str; 6] = [
    "UTC0",
    "CET-1CEST,M3.5.0,M10.5.0/3",
    "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
    "<-03>3<-02>,M10.3.0/0,M2.3.0/0",
    "AAA10BBB-14,M3.5.0/0,M10.5.0/0",
    "<+0545>-5:45",
];

const DAY_S: i64 = 86_400;

/// Instants that are looked at after the one given, and before the firing.
const LOOKS: i64 = 1_500;

/// The zone in a byte, the instant in four, and the expression. With its first bit set, an instant is so far
/// from one at which clocks are set.
pub fn judge(input: &[u8]) {
    let Some((head, text)) = input.split_at_checked(5) else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let zone = usize::from(head[0]) % ZONES.len();
    let near_s = (i64::from(u16::from_be_bytes([head[3], head[4]])) - 0x8000) * 4;
    let at_s = match head[1] {
        0x80.. => set_at(zone, usize::from(head[1])) + near_s,
        _ => 2 * i64::from(u32::from_be_bytes([head[1], head[2], head[3], head[4]])),
    };
    let (read, plain) = (Cron::read(text), Plain::read(text));
    assert_eq!(read.is_ok(), plain.is_some(), "{text:?}: {:?}", read.err());
    let (Ok(cron), Some(plain)) = (read, plain) else { return };
    let told = format!("{text:?} in {:?} after {at_s}", ZONES[zone]);
    let zone = zone_of(ZONES[zone]);
    let table = Timetable::Cron { cron: Box::new(cron), zone: zone.clone() };
    // The year 5000 ends all schedules, and all searches take long before it.
    match table.next_after(at_s * 1_000 + 999) {
        Some(next_ms) => fires(&Beside { table, zone, plain, told }, at_s, next_ms),
        None if plain.follows_clock => {}
        None => {
            let today = at_s / DAY_S + 2;
            assert!((today..today + 1_500).all(|day| !plain.has_day(day)), "{told}: never");
        }
    }
}

/// A zone that has had these rules for ever (RFC 9636).
fn zone_of(rule: &str) -> Zone {
    let mut part = b"TZif2".to_vec();
    part.extend([0; 15]);
    // No changes; one kind of local time, of offset 0, whose name has four bytes.
    part.extend([0_u32, 0, 0, 0, 1, 4].iter().flat_map(|count| count.to_be_bytes()));
    part.extend(*b"\0\0\0\0\0\0LMT\0");
    let file = [&part[..], &part[..], b"\n", rule.as_bytes(), b"\n"].concat();
    Zone::read(&file).expect("a zone of this file's own")
}

/// Returns an instant at which clocks of a zone are set, in 2026 to 2029; any, where they never are.
fn set_at(zone: usize, which: usize) -> i64 {
    const FROM_S: i64 = 1_767_225_600;
    thread_local!(static SET: Vec<Vec<i64>> = ZONES.map(all_set).into());
    fn all_set(rule: &str) -> Vec<i64> {
        let zone = zone_of(rule);
        let is_set = |at_s: &i64| zone.offset_s(*at_s) != zone.offset_s(at_s - Clocks::EACH_S);
        let looks = (0..4 * 366 * 48).map(|look| FROM_S + look * Clocks::EACH_S);
        looks.filter(is_set).collect()
    }
    SET.with(|all| all[zone].get(which % all[zone].len().max(1)).copied().unwrap_or(FROM_S))
}

struct Beside {
    table: Timetable,
    zone: Zone,
    plain: Plain,
    told: String,
}

fn fires(beside: &Beside, at_s: i64, next_ms: i64) {
    let Beside { table, plain, told, .. } = beside;
    let next_s = next_ms / 1_000;
    assert!(next_ms % 1_000 == 0 && next_s > at_s, "{told}: {next_s}");
    assert_eq!(beside.named_in(next_s, next_s + 1, 1), Some(next_s), "{told}: no firing");
    // An expression without seconds fires on whole minutes, however a zone is set.
    let step_s = if plain.has_seconds { 1 } else { 60 };
    let from_s = at_s + (step_s - at_s % step_s);
    let to_s = next_s.min(from_s + LOOKS * step_s);
    assert_eq!(beside.named_in(from_s, to_s, step_s), None, "{told}: left out before {next_s}");
    let late_s = from_s.max(next_s - LOOKS * step_s);
    assert_eq!(beside.named_in(late_s, next_s, step_s), None, "{told}: left out before {next_s}");
    assert_eq!(table.last_until(next_ms), Some(next_ms), "{told}: back from {next_s}");
    let before = table.last_until(next_ms - 1);
    assert!(before.is_none_or(|before_ms| before_ms < at_s * 1_000 + 1_000), "{told}: {before:?}");
    let second = table.next_after(next_ms);
    assert!(second.is_none_or(|second_ms| second_ms > next_ms), "{told}: comes twice");
}

impl Beside {
    /// Returns the first instant of some at which it fires.
    fn named_in(&self, from_s: i64, to_s: i64, step_s: i64) -> Option<i64> {
        let mut clocks = Clocks::until(&self.zone, from_s - 1);
        let mut at_s = from_s;
        while at_s < to_s {
            clocks.go_to(at_s - 1);
            let shown_before = clocks.latest_s;
            clocks.go_to(at_s);
            let fires = if self.plain.follows_clock {
                self.plain.names(clocks.now_s)
            } else {
                // What clocks show for the first time now, with what they have left out.
                (shown_before + 1..=clocks.latest_s).any(|local_s| self.plain.names(local_s))
            };
            if fires {
                return Some(at_s);
            }
            at_s += step_s;
        }
        None
    }
}

/// What clocks show at an instant, and the latest that they have shown.
struct Clocks<'a> {
    zone: &'a Zone,
    at_s: i64,
    now_s: i64,
    latest_s: i64,
}

impl Clocks<'_> {
    /// How often clocks are looked at, and how long before.
    const EACH_S: i64 = 1_800;
    const BEFORE_S: i64 = 54 * 3_600;

    fn until(zone: &Zone, at_s: i64) -> Clocks<'_> {
        let from_s = at_s - Clocks::BEFORE_S;
        let from_s = from_s - from_s.rem_euclid(Clocks::EACH_S) - 1;
        let mut clocks = Clocks { zone, at_s: from_s, now_s: 0, latest_s: i64::MIN };
        clocks.go_to(at_s);
        clocks
    }

    fn go_to(&mut self, at_s: i64) {
        while self.at_s < at_s {
            // To the last second before clocks may be set.
            let end_s = self.at_s + 1;
            let end_s = end_s - end_s.rem_euclid(Clocks::EACH_S) + Clocks::EACH_S - 1;
            self.at_s = end_s.min(at_s);
            self.now_s = self.at_s + self.zone.offset_s(self.at_s);
            self.latest_s = self.latest_s.max(self.now_s);
        }
    }
}

/// An expression, written out.
struct Plain {
    has_seconds: bool,
    follows_clock: bool,
    /// Seconds, minutes, hours, months.
    sets: [Vec<i64>; 4],
    days: Option<Vec<OfMonth>>,
    week_days: Option<Vec<OfWeek>>,
}

#[derive(Clone, Copy)]
enum OfMonth {
    Day(i64),
    Last,
    Nearest(i64),
}

#[derive(Clone, Copy)]
enum OfWeek {
    Day(i64),
    Nth(i64, i64),
    Last(i64),
}

const MONTHS: &str = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC";
const WEEK: &str = "SUN MON TUE WED THU FRI SAT";

impl Plain {
    fn read(text: &str) -> Option<Plain> {
        let mut fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let has_seconds = fields.len() == 6;
        if !has_seconds {
            fields.insert(0, "0");
        }
        let [second, minute, hour, day, month, week_day] = fields[..] else { return None };
        let set = |field: &str, min, max, words| {
            let items = field.split(',').map(|item| numbers(item, min, max, words));
            Some(items.collect::<Option<Vec<_>>>()?.concat())
        };
        let sets = [
            set(second, 0, 59, "")?,
            set(minute, 0, 59, "")?,
            set(hour, 0, 23, "")?,
            set(month, 1, 12, MONTHS)?,
        ];
        let of_month = day.split(',').map(days_of_month).collect::<Option<Vec<_>>>()?.concat();
        let of_week = week_day.split(',').map(days_of_week).collect::<Option<Vec<_>>>()?.concat();
        Some(Plain {
            has_seconds,
            follows_clock: format!("{minute}{hour}").contains(['*', '/']),
            sets,
            days: (day != "*").then_some(of_month),
            week_days: (week_day != "*").then_some(of_week),
        })
    }

    fn names(&self, local_s: i64) -> bool {
        let time_s = local_s.rem_euclid(DAY_S);
        self.sets[0].contains(&(time_s % 60))
            && self.sets[1].contains(&(time_s / 60 % 60))
            && self.sets[2].contains(&(time_s / 3_600))
            && self.has_day(local_s.div_euclid(DAY_S))
    }

    fn has_day(&self, day: i64) -> bool {
        let (month, month_day, len) = date(day);
        // 1970 began on a Thursday.
        let week_day = (day + 4).rem_euclid(7);
        let of_week = |at: i64| (week_day + at - month_day).rem_euclid(7);
        let nearest = |to: i64| {
            let days = (1..=len).filter(|at| (1..=5).contains(&of_week(*at)));
            days.min_by_key(|at| (at - to).abs()).filter(|_| to <= len)
        };
        let in_month = self.days.as_ref().map(|days| {
            days.iter().any(|named| match *named {
                OfMonth::Day(at) => at == month_day,
                OfMonth::Last => month_day == len,
                OfMonth::Nearest(at) => nearest(at) == Some(month_day),
            })
        });
        let in_week = self.week_days.as_ref().map(|days| {
            days.iter().any(|named| match *named {
                OfWeek::Day(at) => at == week_day,
                OfWeek::Nth(at, nth) => at == week_day && nth == (month_day - 1) / 7 + 1,
                OfWeek::Last(at) => at == week_day && month_day > len - 7,
            })
        });
        let is_day = match (in_month, in_week) {
            (Some(in_month), Some(in_week)) => in_month || in_week,
            (in_month, in_week) => in_month.or(in_week).unwrap_or(true),
        };
        is_day && self.sets[3].contains(&month)
    }
}

/// Returns month, day and length of the month of a day since 1970, by counting.
fn date(day: i64) -> (i64, i64, i64) {
    // The calendar repeats itself after 400 years.
    let (mut year, mut left) = (1970, day.rem_euclid(146_097));
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    while left >= 365 + i64::from(is_leap(year)) {
        left -= 365 + i64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + i64::from(is_leap(year));
    let lens = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while left >= lens[month] {
        left -= lens[month];
        month += 1;
    }
    (month as i64 + 1, left + 1, lens[month])
}

fn number(text: &str) -> Option<i64> {
    let is_number =
        !text.is_empty() && text.len() <= 4 && text.chars().all(|it| it.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// A number, or the word for one: words count from `min`.
fn value(text: &str, min: i64, max: i64, words: &str) -> Option<i64> {
    let word =
        words.split(' ').position(|word| word == text.to_ascii_uppercase() && !word.is_empty());
    let value = word.map(|at| at as i64 + min).or_else(|| number(text))?;
    (min..=max).contains(&value).then_some(value)
}

/// What every field may have: `*`, a number, a range, and a step of the first and the last.
fn numbers(item: &str, min: i64, max: i64, words: &str) -> Option<Vec<i64>> {
    let parts: Vec<&str> = item.splitn(2, '/').collect();
    let step = match parts.get(1) {
        Some(step) => number(step).filter(|step| (1..=max - min + 1).contains(step))?,
        None => 1,
    };
    let ends: Vec<&str> = parts[0].splitn(2, '-').collect();
    let (first, last) = match ends[..] {
        ["*"] => (min, max),
        [one] if parts.len() == 1 => {
            let one = value(one, min, max, words)?;
            (one, one)
        }
        [first, last] => {
            let first = value(first, min, max, words)?;
            let is_sunday = words == WEEK && last.eq_ignore_ascii_case("SUN") && first > 0;
            (first, if is_sunday { 7 } else { value(last, min, max, words)? })
        }
        _ => return None,
    };
    let all: Vec<i64> = (first..=last).filter(|it| (it - first) % step == 0).collect();
    (!all.is_empty()).then_some(all)
}

fn days_of_month(item: &str) -> Option<Vec<OfMonth>> {
    if item.eq_ignore_ascii_case("L") {
        return Some(vec![OfMonth::Last]);
    }
    let upper = item.to_ascii_uppercase();
    if let Some(day) = upper.strip_suffix('W') {
        return Some(vec![OfMonth::Nearest(value(day, 1, 31, "")?)]);
    }
    Some(numbers(item, 1, 31, "")?.into_iter().map(OfMonth::Day).collect())
}

fn days_of_week(item: &str) -> Option<Vec<OfWeek>> {
    let parts: Vec<&str> = item.splitn(2, '#').collect();
    let [day, nth] = parts[..] else {
        let days = numbers(item, 0, 7, WEEK)?;
        return Some(days.into_iter().map(|day| OfWeek::Day(day % 7)).collect());
    };
    let day = value(day, 0, 7, WEEK)? % 7;
    if nth.eq_ignore_ascii_case("L") {
        return Some(vec![OfWeek::Last(day)]);
    }
    number(nth).filter(|nth| (1..=5).contains(nth)).map(|nth| vec![OfWeek::Nth(day, nth)])
}
