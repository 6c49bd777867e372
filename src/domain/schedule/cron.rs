//! Cron expressions: which local times they name. Zones are none of their business.

use super::calendar::{CYCLE_DAYS, DAY_S, Date, date};
use crate::error::{Error, Result};

/// What may stand in a field.
struct Field {
    name: &'static str,
    min: u32,
    max: u32,
    /// Names of the numbers from `min`.
    words: &'static [&'static str],
}

const SECOND: Field = Field { name: "second", min: 0, max: 59, words: &[] };
const MINUTE: Field = Field { name: "minute", min: 0, max: 59, words: &[] };
const HOUR: Field = Field { name: "hour", min: 0, max: 23, words: &[] };
const MONTH_DAY: Field = Field { name: "day of month", min: 1, max: 31, words: &[] };
const MONTH: Field = Field {
    name: "month",
    min: 1,
    max: 12,
    words: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
};
/// 7 is Sunday as 0 is.
const WEEK_DAY: Field = Field {
    name: "day of week",
    min: 0,
    max: 7,
    words: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
};

/// An expression. Of each set, the bits are its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    seconds: u64,
    minutes: u64,
    hours: u64,
    months: u64,
    month_days: Option<MonthDays>,
    week_days: Option<WeekDays>,
    follows_clock: bool,
}

/// Days that are named by where they are in their month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct MonthDays {
    days: u64,
    has_last: bool,
    /// Days of which the nearest weekday is meant.
    nearest: u64,
}

/// Days that are named by where they are in their week.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct WeekDays {
    days: u64,
    /// For each day: bits 1 to 5 for the nth of a month, and [`LAST`].
    nth: [u64; 7],
}

/// The last of its kind in a month.
const LAST: u32 = 6;

impl Cron {
    /// Reads an expression of five fields, or of six with the seconds first.
    pub fn read(text: &str) -> Result<Cron> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let (seconds, minutes, hours, month_days, months, week_days) = match fields[..] {
            [minute, hour, day, month, week_day] => ("0", minute, hour, day, month, week_day),
            [second, minute, hour, day, month, week_day] => {
                (second, minute, hour, day, month, week_day)
            }
            [nickname] if nickname.starts_with('@') => {
                return Err(Error::invalid(format!(
                    "cron {nickname:?} is a nickname, give the five fields that it stands for"
                )));
            }
            _ => {
                return Err(Error::invalid(format!(
                    "cron {text:?} has {} fields, it must have 5, or 6 with the seconds first",
                    fields.len()
                )));
            }
        };
        Ok(Cron {
            seconds: SECOND.read(seconds)?,
            minutes: MINUTE.read(minutes)?,
            hours: HOUR.read(hours)?,
            months: MONTH.read(months)?,
            month_days: if month_days == "*" { None } else { Some(MonthDays::read(month_days)?) },
            week_days: if week_days == "*" { None } else { Some(WeekDays::read(week_days)?) },
            follows_clock: [minutes, hours].iter().any(|field| field.contains(['*', '/'])),
        })
    }

    /// Returns whether it fires whenever clocks show a time that it names: its hour or its minute is
    /// `*` or has a step. Otherwise each of its times comes once, whatever the clocks do.
    pub(super) fn follows_clock(&self) -> bool {
        self.follows_clock
    }

    /// Returns the first local time from `local_s` on that it names, in seconds since 1970 by the
    /// clock; `None` when no year has one.
    pub(super) fn first_from(&self, local_s: i64) -> Option<i64> {
        let (today, second) = (local_s.div_euclid(DAY_S), local_s.rem_euclid(DAY_S));
        let on = |day: i64, from: i64| Some(day * DAY_S + self.time_from(from)?);
        if self.has(&date(today))
            && let Some(found_s) = on(today, second)
        {
            return Some(found_s);
        }
        let mut day = today + 1;
        while day <= today + CYCLE_DAYS {
            let date = date(day);
            if self.has(&date) {
                return on(day, 0);
            }
            day += if self.has_month(&date) { 1 } else { date.month_len - date.day + 1 };
        }
        None
    }

    /// Returns the last local time until `local_s` that it names.
    pub(super) fn last_until(&self, local_s: i64) -> Option<i64> {
        let (today, second) = (local_s.div_euclid(DAY_S), local_s.rem_euclid(DAY_S));
        let on = |day: i64, until: i64| Some(day * DAY_S + self.time_until(until)?);
        if self.has(&date(today))
            && let Some(found_s) = on(today, second)
        {
            return Some(found_s);
        }
        let mut day = today - 1;
        while day >= today - CYCLE_DAYS {
            let date = date(day);
            if self.has(&date) {
                return on(day, DAY_S - 1);
            }
            day -= if self.has_month(&date) { 1 } else { date.day };
        }
        None
    }

    /// Returns the first second of a day from this one on.
    fn time_from(&self, second: i64) -> Option<i64> {
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let (first_minute, first_second) = (first(self.minutes, 0)?, first(self.seconds, 0)?);
        if has(self.hours, hour) {
            if has(self.minutes, minute)
                && let Some(second) = first(self.seconds, second)
            {
                return Some(hour * 3_600 + minute * 60 + second);
            }
            if let Some(minute) = first(self.minutes, minute + 1) {
                return Some(hour * 3_600 + minute * 60 + first_second);
            }
        }
        first(self.hours, hour + 1).map(|hour| hour * 3_600 + first_minute * 60 + first_second)
    }

    /// Returns the last second of a day until this one.
    fn time_until(&self, second: i64) -> Option<i64> {
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let (last_minute, last_second) = (last(self.minutes, 59)?, last(self.seconds, 59)?);
        if has(self.hours, hour) {
            if has(self.minutes, minute)
                && let Some(second) = last(self.seconds, second)
            {
                return Some(hour * 3_600 + minute * 60 + second);
            }
            if let Some(minute) = last(self.minutes, minute - 1) {
                return Some(hour * 3_600 + minute * 60 + last_second);
            }
        }
        last(self.hours, hour - 1).map(|hour| hour * 3_600 + last_minute * 60 + last_second)
    }

    fn has_month(&self, date: &Date) -> bool {
        has(self.months, date.month)
    }

    /// Of two kinds of days that are named, either counts.
    fn has(&self, date: &Date) -> bool {
        let is_day = match (&self.month_days, &self.week_days) {
            (None, None) => true,
            (Some(days), None) => days.has(date),
            (None, Some(days)) => days.has(date),
            (Some(days), Some(week_days)) => days.has(date) || week_days.has(date),
        };
        is_day && self.has_month(date)
    }
}

impl MonthDays {
    fn read(text: &str) -> Result<MonthDays> {
        let mut read = MonthDays::default();
        for item in text.split(',') {
            if item.eq_ignore_ascii_case("L") {
                read.has_last = true;
            } else if let Some(day) = item.strip_suffix(['w', 'W']) {
                read.nearest |= 1 << MONTH_DAY.value(item, day)?;
            } else {
                read.days |= MONTH_DAY.item(item)?;
            }
        }
        Ok(read)
    }

    fn has(&self, date: &Date) -> bool {
        let is_nearest =
            |day: &i64| has(self.nearest, *day) && nearest_weekday(date, *day) == date.day;
        has(self.days, date.day)
            || self.has_last && date.day == date.month_len
            || self.nearest != 0 && (1..=date.month_len).any(|day| is_nearest(&day))
    }
}

/// Returns the weekday nearest to a day of a date's month, within that month.
fn nearest_weekday(date: &Date, day: i64) -> i64 {
    match (date.week_day + day - date.day).rem_euclid(7) {
        6 if day == 1 => 3,
        6 => day - 1,
        0 if day == date.month_len => day - 2,
        0 => day + 1,
        _ => day,
    }
}

impl WeekDays {
    fn read(text: &str) -> Result<WeekDays> {
        let mut read = WeekDays::default();
        for item in text.split(',') {
            let Some((day, nth)) = item.split_once('#') else {
                read.days |= WEEK_DAY.item(item)?;
                continue;
            };
            let day = WEEK_DAY.value(item, day)? % 7;
            let nth = match number(nth) {
                Some(nth @ 1..=5) => nth,
                None if nth.eq_ignore_ascii_case("L") => LAST,
                _ => return Err(WEEK_DAY.refuse(item, "must have 1 to 5 or L after its #")),
            };
            read.nth[day as usize] |= 1 << nth;
        }
        read.days |= read.days >> 7;
        Ok(read)
    }

    fn has(&self, date: &Date) -> bool {
        let of_day = usize::try_from(date.week_day).map_or(0, |day| self.nth[day]);
        let is_last = date.day + 7 > date.month_len;
        has(self.days, date.week_day)
            || has(of_day, (date.day + 6) / 7)
            || is_last && has(of_day, LAST.into())
    }
}

impl Field {
    /// Reads what every field may be: numbers, ranges and steps, with commas between.
    fn read(&self, text: &str) -> Result<u64> {
        text.split(',').try_fold(0, |numbers, item| Ok(numbers | self.item(item)?))
    }

    fn item(&self, item: &str) -> Result<u64> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(self.step(item, step)?)),
            None => (item, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (self.min, self.max),
            Some((first, last)) => self.range(item, first, last)?,
            None if step.is_some() => {
                return Err(self.refuse(item, "has a step without a range, as in a-b/n"));
            }
            None => (self.value(item, range)?, self.value(item, range)?),
        };
        let numbers = (first..=last).step_by(step.unwrap_or(1));
        Ok(numbers.fold(0, |numbers, number| numbers | 1 << number))
    }

    fn range(&self, item: &str, first: &str, last: &str) -> Result<(u32, u32)> {
        let (from, to) = (self.value(item, first)?, self.value(item, last)?);
        // A week may end with the word of the day that it begins with.
        let ends_week = to == 0 && from > 0 && last.starts_with(['s', 'S']);
        let to = if ends_week { self.max } else { to };
        if from > to {
            return Err(self.refuse(item, "runs backward"));
        }
        Ok((from, to))
    }

    fn step(&self, item: &str, step: &str) -> Result<usize> {
        let most = self.max - self.min + 1;
        match number(step).filter(|step| (1..=most).contains(step)) {
            Some(step) => Ok(step as usize),
            None => Err(self.refuse(item, &format!("must have a step from 1 to {most}"))),
        }
    }

    fn value(&self, item: &str, text: &str) -> Result<u32> {
        let word = (self.min..).zip(self.words).find(|(_, word)| word.eq_ignore_ascii_case(text));
        let value = word.map(|(value, _)| value).or_else(|| number(text));
        value.filter(|value| (self.min..=self.max).contains(value)).ok_or_else(|| {
            let words = match self.words {
                [first, .., last] => format!(" or {first}-{last}"),
                _ => String::new(),
            };
            self.refuse(item, &format!("is not made of numbers {}-{}{words}", self.min, self.max))
        })
    }

    fn refuse(&self, item: &str, why: &str) -> Error {
        Error::invalid(format!("cron: {} {item:?} {why}", self.name))
    }
}

/// Reads digits, and nothing that other readers of numbers would take beside them.
fn number(text: &str) -> Option<u32> {
    let is_number = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

fn has(numbers: u64, number: i64) -> bool {
    (0..64).contains(&number) && numbers >> number & 1 == 1
}

fn first(numbers: u64, from: i64) -> Option<i64> {
    (from..64).find(|number| has(numbers, *number))
}

fn last(numbers: u64, until: i64) -> Option<i64> {
    (0..=until).rev().find(|number| has(numbers, *number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cron(text: &str) -> Cron {
        Cron::read(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn numbers(set: u64) -> Vec<u32> {
        (0..64).filter(|number| set >> number & 1 == 1).collect()
    }

    /// Days of a month, as year, month and day, that an expression has.
    fn days(text: &str, year: i64, month: i64) -> Vec<i64> {
        let cron = cron(text);
        let of_month = |day: &Date| (day.year, day.month) == (year, month);
        let first = (year - 1970) * 365;
        (first..first + 400)
            .map(date)
            .filter(of_month)
            .filter(|day| cron.has(day))
            .map(|d| d.day)
            .collect()
    }

    #[test]
    fn a_field_is_numbers_ranges_and_steps_with_commas_between() {
        for (field, wanted) in [
            ("7", vec![7]),
            ("07", vec![7]),
            ("0,59", vec![0, 59]),
            ("9,2,9", vec![2, 9]),
            ("5-8", vec![5, 6, 7, 8]),
            ("8-8", vec![8]),
            ("1-3,2-4,50", vec![1, 2, 3, 4, 50]),
            ("*/20", vec![0, 20, 40]),
            ("*/60", vec![0]),
            ("10-30/7,0", vec![0, 10, 17, 24]),
            ("*", (0..60).collect()),
            ("*/1", (0..60).collect()),
        ] {
            assert_eq!(numbers(cron(&format!("{field} * * * *")).minutes), wanted, "{field}");
            assert_eq!(numbers(cron(&format!("{field} 1 * * * *")).seconds), wanted, "{field}");
        }
        assert_eq!(numbers(cron("0 0 * * *").seconds), [0]);
        assert_eq!(numbers(cron("0 23,*/12 * * *").hours), [0, 12, 23]);
        assert_eq!(numbers(cron(" 0\t0  1 * * ").hours), [0]);
    }

    #[test]
    fn months_and_days_of_the_week_have_words_and_sunday_two_numbers() {
        for (field, wanted) in [
            ("jan", vec![1]),
            ("DEC,Feb", vec![2, 12]),
            ("mar-jun/2", vec![3, 5]),
            ("3-SEP", (3..=9).collect()),
            ("*/5", vec![1, 6, 11]),
        ] {
            assert_eq!(numbers(cron(&format!("0 0 * {field} *")).months), wanted, "{field}");
        }
        for (field, wanted) in [
            ("0", vec![0]),
            ("7", vec![0]),
            ("SUN", vec![0]),
            ("5-7", vec![0, 5, 6]),
            ("fri-sun", vec![0, 5, 6]),
            ("sun-tue", vec![0, 1, 2]),
            ("sun-sun", vec![0]),
            ("MON-FRI/2", vec![1, 3, 5]),
            ("1-7/2", vec![0, 1, 3, 5]),
            ("0-7", (0..7).collect()),
            ("*/2", vec![0, 2, 4, 6]),
        ] {
            let week_days = cron(&format!("0 0 * * {field}")).week_days.unwrap().days;
            assert_eq!(numbers(week_days & 0x7f), wanted, "{field}");
        }
    }

    #[test]
    fn days_are_named_by_month_by_week_or_by_either() {
        // February 2026 begins and May 2026 ends on a Sunday.
        for (expression, month, wanted) in [
            ("0 0 13 * *", 2, vec![13]),
            ("0 0 * * 5", 2, vec![6, 13, 20, 27]),
            ("0 0 14 * 5", 2, vec![6, 13, 14, 20, 27]),
            ("0 0 */10 * FRI", 2, vec![1, 6, 11, 13, 20, 21, 27]),
            ("0 0 14 3 5", 2, vec![]),
            ("0 0 L * *", 2, vec![28]),
            ("0 0 1,l * *", 4, vec![1, 30]),
            ("0 0 1W * *", 2, vec![2]),
            ("0 0 7W,14w * *", 2, vec![6, 13]),
            ("0 0 8W * *", 2, vec![9]),
            ("0 0 31W * *", 5, vec![29]),
            ("0 0 31W * *", 4, vec![]),
            ("0 0 1W * *", 8, vec![3]),
            ("0 0 * * 5#2", 2, vec![13]),
            ("0 0 * * sun#1,MON#5", 3, vec![1, 30]),
            ("0 0 * * 0#5", 2, vec![]),
            ("0 0 * * 7#L,fri#l", 2, vec![22, 27]),
            ("0 0 1 * 5#1", 2, vec![1, 6]),
        ] {
            assert_eq!(days(expression, 2026, month), wanted, "{expression} in month {month}");
        }
        assert_eq!(days("0 0 29 2 *", 2028, 2), [29]);
        assert!(days("0 0 29 2 *", 2026, 2).is_empty());
    }

    /// What no field takes; a field that does is named beside it.
    const OF_NONE: &str = ", 1, ,1 1,,2 x - 1- -1 3-2 1-2-3 / */ /2 */0 1/2 2-4/0 1-2/x 1/2/3 ** *1 1* *-2 2-* \
        ? @ +1 1.0 1e0 0x1 99 00001 4294967297 18446744073709551617 H ~ januar SUNDAY 1mon monjan 1-99 */99 \
        \u{216b} \u{ff11} \u{e9} \u{0}";

    const OF_OTHERS: [(&str, &str); 6] = [
        ("second", "jan mon L 1W 1#1 60 1-60 */61"),
        ("minute", "jan JAN mon L 1W 1#1 60 */61"),
        ("hour", "jan MON L 1W 1#1 24 0-24 */25"),
        ("day of month", "jan mon dec 1#1 0 32 W LW L-3 0W 32W 1-5W W1 1WW 0-5 */32 L/2"),
        ("month", "mon SUN L 1W 1#1 0 13 DEC-JAN jan/2 jan-mon */13"),
        (
            "day of week",
            "jan DEC L 5L FRIL W 8 #1 1#0 1#6 1# 1#1#1 1-2#1 MON-FRI#2 1#LL 6-0 SAT-1 +MON FRI-TUE 7-1",
        ),
    ];

    #[test]
    fn what_does_not_belong_into_a_field_is_refused_by_its_name() {
        for (at, (field, of_others)) in OF_OTHERS.into_iter().enumerate() {
            for bad in OF_NONE.split(' ').chain(of_others.split(' ')).filter(|bad| !bad.is_empty())
            {
                for list in [bad.to_owned(), format!("1,{bad}"), format!("{bad},2-3")] {
                    let mut parts = ["*"; 6];
                    parts[at] = &list;
                    let error = Cron::read(&parts.join(" ")).expect_err(&list);
                    let is_named = error.to_string().starts_with(&format!("cron: {field} "));
                    assert!(error.code() == -2 && is_named, "{parts:?}: {error}");
                    if at > 0 {
                        let same = Cron::read(&parts[1..].join(" ")).unwrap_err();
                        assert_eq!(same.to_string(), error.to_string());
                    }
                }
            }
        }
    }

    #[test]
    fn what_has_not_five_or_six_fields_is_refused_with_its_count() {
        for (bad, named) in [
            ("", "0 fields"),
            ("* * * *", "4 fields"),
            ("* * * * * * *", "7 fields"),
            ("0 0 1 1 * 2027", "day of week \"2027\""),
            ("*\u{a0}* * * * *", "minute"),
            ("@daily", "\"@daily\" is a nickname"),
            ("@every 5m", "2 fields"),
        ] {
            let error = Cron::read(bad).unwrap_err().to_string();
            assert!(error.contains(named), "{bad:?}: {error}");
        }
        let long = format!("{}1 * * * *", "1,".repeat(500));
        assert_eq!(numbers(cron(&long).minutes), [1]);
    }

    #[test]
    fn a_star_or_a_step_in_the_hour_or_the_minute_follows_the_clock() {
        for follows in [
            "* 2 * * *",
            "0 * * * *",
            "*/15 2 * * *",
            "0 */3 * * *",
            "0 1-5/2 * * *",
            "1,30-40/5 2 * * *",
        ] {
            assert!(cron(follows).follows_clock(), "{follows}");
        }
        for fixed in [
            "30 2 * * *",
            "10,40 2 * * *",
            "0 9,2 * * *",
            "0 0-23 * * *",
            "0-59 2 * * *",
            "* 0 2 */2 */2 */2",
        ] {
            assert!(!cron(fixed).follows_clock(), "{fixed}");
        }
    }

    /// Second by second over days on which something is, against what the sets say.
    #[test]
    fn the_first_and_the_last_time_are_the_nearest_that_match() {
        for (expression, days) in [
            ("0 9,2 * * *", 2),
            ("10,40 1-3 * * *", 1),
            ("*/25 5-59/27 */11 * * *", 1),
            ("59 59 23 31 12 *", 400),
            ("0 0 0 29 2 *", 1_500),
            ("30 15 12 L * 5#L", 40),
        ] {
            let cron = cron(expression);
            let all: Vec<i64> =
                std::iter::successors(cron.first_from(0), |at_s| cron.first_from(at_s + 1))
                    .take_while(|at_s| *at_s < (days + 1_500) * DAY_S)
                    .collect();
            let matches = |at_s: i64| {
                let time = at_s.rem_euclid(DAY_S);
                cron.has(&date(at_s.div_euclid(DAY_S)))
                    && has(cron.hours, time / 3_600)
                    && has(cron.minutes, time / 60 % 60)
                    && has(cron.seconds, time % 60)
            };
            let step = if days > 2 { 1_801 } else { 1 };
            let mut found = all.iter().copied().peekable();
            let mut last = cron.last_until(-1);
            for at_s in (0..days * DAY_S).step_by(step) {
                while let Some(passed) = found.next_if(|next| *next < at_s) {
                    last = Some(passed);
                }
                assert_eq!(
                    cron.first_from(at_s),
                    found.peek().copied(),
                    "{expression} from {at_s}"
                );
                assert_eq!(matches(at_s), found.peek() == Some(&at_s), "{expression} at {at_s}");
                let until = if matches(at_s) { Some(at_s) } else { last };
                assert_eq!(cron.last_until(at_s), until, "{expression} until {at_s}");
            }
        }
    }

    #[test]
    fn a_day_that_no_month_has_is_never() {
        for never in ["0 0 30 2 *", "0 0 31 2,4,6,9,11 *", "0 0 31W 4 *", "0 0 30W 2 *"] {
            assert_eq!(
                (cron(never).first_from(0), cron(never).last_until(0)),
                (None, None),
                "{never}"
            );
        }
        for rare in ["0 0 29 2 *", "0 0 29W 2 *", "0 0 30 2 0#5", "0 0 * 2 6#5"] {
            assert!(
                cron(rare).first_from(0).is_some() && cron(rare).last_until(0).is_some(),
                "{rare}"
            );
        }
        // 2100 is no leap year.
        let leap = cron("0 0 29 2 *");
        assert_eq!(
            leap.first_from(126 * 366 * DAY_S).map(|at_s| date(at_s / DAY_S).year),
            Some(2104)
        );
    }
}
