//! Firings against a reference that is slow and plain: each instant of some days is looked at, what
//! clocks show then is written down, and the rule of the header is applied to that list. It is asked
//! about expressions of every form, in all zones of this machine, where their clocks are set.
//!
//! `SMOLWF_SEED` repeats a walk, `SW_CRON_ROUNDS` says how many expressions each zone gets.

use std::collections::BTreeSet;
use std::path::Path;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::calendar::{DAY_S, date};
use super::cron::Cron;
use super::local::Zone;
use super::timetable::Timetable;
use super::timetable::tests::{ms, shown};

/// A part of a field: its text and the numbers that it means.
struct Part {
    text: String,
    numbers: Vec<i64>,
    has_star_or_step: bool,
}

/// An expression, put together from parts: nothing here reads one.
struct Expression {
    text: String,
    /// Second, minute, hour, day of month, month, day of week.
    fields: Vec<Part>,
}

impl Expression {
    fn draw(draws: &mut StdRng) -> Expression {
        let mut fields = vec![
            one(0),
            field(draws, 0, 59, 8),
            field(draws, 0, 23, 6),
            if draws.random_ratio(1, 6) { field(draws, 1, 31, 3) } else { star(1, 31) },
            if draws.random_ratio(1, 12) { field(draws, 1, 12, 3) } else { star(1, 12) },
            if draws.random_ratio(1, 6) { field(draws, 0, 7, 3) } else { star(0, 7) },
        ];
        let has_seconds = draws.random_ratio(1, 8);
        if has_seconds && draws.random_ratio(1, 3) {
            fields[0] = field(draws, 0, 59, 4);
        }
        let texts: Vec<&str> = fields.iter().map(|part| part.text.as_str()).collect();
        let text = texts[usize::from(!has_seconds)..].join(" ");
        Expression { text, fields }
    }

    fn follows_clock(&self) -> bool {
        self.fields[1].has_star_or_step || self.fields[2].has_star_or_step
    }

    /// Whether a local time is one that it names.
    fn names(&self, local_s: i64) -> bool {
        let (day, time) = (date(local_s.div_euclid(DAY_S)), local_s.rem_euclid(DAY_S));
        let has = |at: usize, number: i64| self.fields[at].numbers.contains(&number);
        let in_month = has(3, day.day);
        let in_week = has(5, day.week_day) || day.week_day == 0 && has(5, 7);
        let is_day = match (self.fields[3].text == "*", self.fields[5].text == "*") {
            (true, _) => in_week,
            (_, true) => in_month,
            (false, false) => in_month || in_week,
        };
        has(0, time % 60)
            && has(1, time / 60 % 60)
            && has(2, time / 3_600)
            && is_day
            && has(4, day.month)
    }
}

fn one(number: i64) -> Part {
    Part { text: number.to_string(), numbers: vec![number], has_star_or_step: false }
}

fn star(min: i64, max: i64) -> Part {
    Part { text: "*".into(), numbers: (min..=max).collect(), has_star_or_step: true }
}

/// Draws a field of up to three parts; one in `stars` is a star.
fn field(draws: &mut StdRng, min: i64, max: i64, stars: u32) -> Part {
    if draws.random_ratio(1, stars) {
        return star(min, max);
    }
    let parts: Vec<Part> = (0..draws.random_range(1..=3)).map(|_| part(draws, min, max)).collect();
    Part {
        text: parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join(","),
        numbers: parts.iter().flat_map(|part| part.numbers.clone()).collect(),
        has_star_or_step: parts.iter().any(|part| part.has_star_or_step),
    }
}

fn part(draws: &mut StdRng, min: i64, max: i64) -> Part {
    let first = draws.random_range(min..=max);
    let last = draws.random_range(first..=max);
    let step = draws.random_range(1..=(max - min + 1) / 2);
    let stepped = |from: i64, to: i64| (from..=to).filter(|n| (n - from) % step == 0).collect();
    match draws.random_range(0..12) {
        0..5 => one(first),
        5..9 => Part {
            text: format!("{first}-{last}"),
            numbers: (first..=last).collect(),
            has_star_or_step: false,
        },
        9 => Part {
            text: format!("{first}-{last}/{step}"),
            numbers: stepped(first, last),
            has_star_or_step: true,
        },
        _ => Part { text: format!("*/{step}"), numbers: stepped(min, max), has_star_or_step: true },
    }
}

/// Seconds before a time of interest from which the reference looks at clocks: they are set back by a
/// day at most.
const BEFORE_S: i64 = 25 * 3_600;

/// What clocks show at each instant of some days.
struct Sight {
    instants: Vec<i64>,
    shows: Vec<i64>,
}

impl Sight {
    /// Looks at every minute or, where clocks or the expression have seconds, at every second.
    fn of(zone: &Zone, expression: &Expression, from_s: i64, to_s: i64) -> Sight {
        let first_s = (from_s - BEFORE_S).div_euclid(60) * 60;
        let has_seconds = |at_s: &i64| {
            let is_set = zone.offset_s(*at_s) != zone.offset_s(at_s + 60);
            zone.offset_s(*at_s) % 60 != 0
                || is_set && zone.offset_s(*at_s) != zone.offset_s(at_s + 59)
        };
        let is_fine = expression.fields[0].numbers != [0]
            || (first_s..to_s).step_by(60).any(|at_s| has_seconds(&at_s));
        let step = if is_fine { 1 } else { 60 };
        let instants: Vec<i64> = (first_s..to_s).step_by(step).collect();
        let shows = instants.iter().map(|at_s| at_s + zone.offset_s(*at_s)).collect();
        Sight { instants, shows }
    }

    fn firings(&self, expression: &Expression) -> BTreeSet<i64> {
        let each = self.instants.iter().copied().zip(self.shows.iter().copied());
        if expression.follows_clock() {
            return each
                .filter(|(_, local_s)| expression.names(*local_s))
                .map(|(at_s, _)| at_s)
                .collect();
        }
        let (min_s, max_s) = (self.shows.iter().min().unwrap(), self.shows.iter().max().unwrap());
        let step = usize::try_from(self.instants[1] - self.instants[0]).unwrap();
        let place = |local_s: i64| usize::try_from(local_s - min_s).unwrap() / step;
        let mut first_shown = vec![None; place(*max_s) + 1];
        for (at_s, local_s) in each {
            first_shown[place(local_s)].get_or_insert(at_s);
        }
        let named = (*min_s..=*max_s).step_by(step).filter(|local_s| expression.names(*local_s));
        named
            .map(|local_s| {
                first_shown[place(local_s)].unwrap_or_else(|| self.after_the_gap(local_s))
            })
            .collect()
    }

    fn after_the_gap(&self, local_s: i64) -> i64 {
        let at = self.shows.windows(2).position(|pair| (pair[0]..pair[1]).contains(&local_s));
        self.instants[at.expect("what is never shown lies in a gap") + 1]
    }
}

fn compare(
    zone: &Zone,
    expression: &Expression,
    (from_s, to_s): (i64, i64),
    draws: &mut StdRng,
) -> usize {
    let cron = Cron::read(&expression.text).unwrap_or_else(|error| panic!("{error}"));
    let table = Timetable::Cron { cron: Box::new(cron), zone: zone.clone() };
    let sight = Sight::of(zone, expression, from_s, to_s);
    let firings: Vec<i64> =
        sight.firings(expression).range(from_s..to_s).map(|at_s| at_s * 1_000).collect();
    let first_ms = table.next_after(from_s * 1_000 - 1);
    let found: Vec<i64> = std::iter::successors(first_ms, |at_ms| table.next_after(*at_ms))
        .take_while(|at_ms| *at_ms < to_s * 1_000)
        .collect();
    let show = |all: &[i64]| all.iter().map(|at_ms| shown(*at_ms)).collect::<Vec<_>>();
    let differs = found.iter().zip(&firings).position(|(one, other)| one != other);
    let near = differs.unwrap_or(found.len().min(firings.len())).saturating_sub(2);
    let tail = |all: &[i64]| show(&all[near.min(all.len())..(near + 6).min(all.len())]);
    assert!(found == firings, "fires at {:?}, should at {:?}", tail(&found), tail(&firings));
    for _ in 0..12 {
        let at_ms = draws.random_range(from_s * 1_000..to_s * 1_000);
        let next_ms = firings.iter().copied().find(|next_ms| *next_ms > at_ms);
        assert!(next_ms.is_none() || table.next_after(at_ms) == next_ms, "after {}", shown(at_ms));
        let last_ms = firings.iter().copied().rfind(|last_ms| *last_ms <= at_ms);
        assert!(last_ms.is_none() || table.last_until(at_ms) == last_ms, "until {}", shown(at_ms));
    }
    firings.len()
}

/// Draws a day of a year, most often one on which clocks are set.
fn some_day(zone: &Zone, draws: &mut StdRng) -> i64 {
    let start_s = ms(&format!("{}-01-01T00:00:00Z", draws.random_range(1970..=2100))) / 1_000;
    let days: Vec<i64> = (0..366).map(|day| start_s + day * DAY_S).collect();
    let is_set = |at_s: &&i64| zone.offset_s(**at_s) != zone.offset_s(**at_s + DAY_S);
    let set: Vec<i64> = days.iter().filter(is_set).copied().collect();
    let from = if set.is_empty() || draws.random_ratio(1, 10) { &days } else { &set };
    from[draws.random_range(0..from.len())]
}

/// The files of a folder and of those in it, each content once. Copies of all zones, with leap seconds
/// and without, are left out.
fn zones(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() && !["posix", "right"].iter().any(|copy| path.ends_with(copy)) {
            zones(&path, found);
        } else if let Some(rules) =
            std::fs::read(&path).ok().filter(|file| file.starts_with(b"TZif"))
            && !found.iter().any(|(_, known)| *known == rules)
        {
            found.push((path.display().to_string(), rules));
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn expressions_of_every_form_fire_as_the_header_says_wherever_clocks_are_set() {
    let folder = Path::new("/usr/share/zoneinfo");
    if !folder.is_dir() {
        let is_all_required = std::env::var_os("SW_REQUIRE_ALL").is_some_and(|all| all == "1");
        assert!(!is_all_required, "everything is required, but tzdata is not installed");
        println!("skipped: tzdata is not installed");
        return;
    }
    let mut all = Vec::new();
    zones(folder, &mut all);
    assert!(all.len() > 200, "{} zones", all.len());
    let seed = number("SMOLWF_SEED").unwrap_or_else(rand::random);
    let mut draws = StdRng::seed_from_u64(seed);
    let mut firings = 0;
    for round in 0..number("SW_CRON_ROUNDS").unwrap_or(1) {
        for (name, rules) in &all {
            let zone = Zone::read(rules).unwrap();
            let expression = Expression::draw(&mut draws);
            let day_s = some_day(&zone, &mut draws);
            let window = (day_s - 3_600, day_s + 27 * 3_600);
            println!(
                "SMOLWF_SEED={seed} {round} {:?} in {name} at {}",
                expression.text,
                shown(day_s * 1_000)
            );
            firings += compare(&zone, &expression, window, &mut draws);
        }
    }
    assert!(firings > 500, "{firings} firings show nothing");
}
