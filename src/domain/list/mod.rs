//! Lists of runs: page by page, counted, and acted on.

pub mod act;
pub mod filter;

use serde::Serialize;
use serde_json::value::RawValue;

use self::filter::Asked;
use super::output::{Document, document};
use super::port::{Port, RunFilter, RunKey, Walk};
use super::query::runs_listed;
use crate::error::{Error, Result};
use crate::limits::{COUNT_DEFAULT, COUNT_MAX, LIST_LEN_DEFAULT, LIST_LEN_MAX, LIST_LOOKS_MAX};
use crate::plant::{Plant, stands};

#[derive(Serialize)]
struct PageDocument {
    items: Vec<Box<RawValue>>,
    next: Option<String>,
    looked_at: u32,
}

impl Document for PageDocument {
    const SHAPE: &'static str = "runs";
}

/// Returns how many runs a page has at most.
fn page_len(limit: u32) -> Result<u32> {
    match limit {
        0 => Ok(LIST_LEN_DEFAULT),
        1..=LIST_LEN_MAX => Ok(limit),
        _ => Err(Error::invalid(format!(
            "limit is {limit}, it must be 1 to {LIST_LEN_MAX}, or 0 for {LIST_LEN_DEFAULT}"
        ))),
    }
}

/// Returns one page of the runs that a filter means, and the cursor of the next. A cursor holds the run
/// that was looked at last, so it stays valid whatever comes and goes (P33), and a name of the filter
/// and the store that it is good for.
pub fn list(
    port: &mut dyn Port,
    asked: &Asked,
    cursor: Option<&str>,
    limit: u32,
) -> Result<String> {
    let len = page_len(limit)?;
    let (filter, name) = (asked.resolved(port)?, asked.name(port)?);
    let after = cursor.map(|cursor| parse(cursor, &name)).transpose()?;
    let walk = Walk { order: asked.order, after, found_max: len + 1, looks_max: LIST_LOOKS_MAX };
    let mut found = port.runs_found(&filter, &walk)?;
    if found.run_keys.len() > len as usize {
        found.run_keys.truncate(len as usize);
        found.after = found.run_keys.last().copied();
    }
    let (items, last) = runs_listed(port, &found.run_keys, asked.include)?;
    let next = last.or(found.after).map(|after| write(&name, after));
    document(&PageDocument { items, next, looked_at: found.looked_at })
}

fn write(name: &str, after: RunKey) -> String {
    format!("l1.{name}.{after}")
}

fn parse(cursor: &str, name: &str) -> Result<RunKey> {
    let parts = cursor.strip_prefix("l1.").and_then(|rest| rest.split_once('.'));
    let Some((found, Ok(after))) = parts.map(|(found, after)| (found, after.parse())) else {
        return Err(Error::invalid("cursor is not one that sw_run_list gave as \"next\""));
    };
    if found != name && !stands(Plant::AnyCursor) {
        return Err(Error::invalid(
            "cursor is of another filter, order or store: go on with the filter that it came from",
        ));
    }
    Ok(after)
}

/// What a count has come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Runs so far.
    pub count: u64,
    /// Where to go on; `None` at the end.
    pub after: Option<RunKey>,
}

/// Returns how many runs a count stops at.
pub fn count_max(at_most: u64) -> Result<u64> {
    match at_most {
        0 => Ok(COUNT_DEFAULT),
        1..=COUNT_MAX => Ok(at_most),
        _ => Err(Error::invalid(format!(
            "at_most is {at_most}, it must be 1 to {COUNT_MAX}, or 0 for {COUNT_DEFAULT}"
        ))),
    }
}

/// Looks up the runs that a filter names, once for all parts of a count.
pub fn count_begin(port: &mut dyn Port, asked: &Asked) -> Result<RunFilter> {
    asked.resolved(port)
}

/// Counts on, a bounded part; at the end, or at `at_most`, there is nowhere to go on.
pub fn count_on(
    port: &mut dyn Port,
    (asked, filter): (&Asked, &RunFilter),
    so_far: Counted,
    at_most: u64,
) -> Result<Counted> {
    let left = at_most.saturating_sub(so_far.count);
    let found_max = u32::try_from(left).unwrap_or(u32::MAX);
    let walk =
        Walk { order: asked.order, after: so_far.after, found_max, looks_max: LIST_LOOKS_MAX };
    let found = port.runs_found(filter, &walk)?;
    let count = so_far.count + found.run_keys.len() as u64;
    Ok(Counted { count, after: found.after.filter(|_| count < at_most) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_1_to_1000_runs_and_the_limit_is_named() {
        assert_eq!((page_len(0).unwrap(), page_len(1_000).unwrap()), (100, 1_000));
        let refused = page_len(1_001).unwrap_err().to_string();
        assert!(refused.contains("1001") && refused.contains("1000"), "{refused}");
    }

    #[test]
    fn a_cursor_is_good_for_what_it_came_from_alone() {
        assert_eq!(parse(&write("ab", 7), "ab").unwrap(), 7);
        assert!(parse(&write("ab", 7), "cd").unwrap_err().to_string().contains("another filter"));
        for bad in ["", "l1.", "l1.ab", "l1.ab.x", "h1.ab.7", "l1.ab.7.8"] {
            assert_eq!(parse(bad, "ab").unwrap_err().code(), -2, "{bad}");
        }
    }

    #[test]
    fn a_count_stops_at_ten_thousand_or_where_it_is_told() {
        assert_eq!((count_max(0).unwrap(), count_max(5).unwrap()), (10_000, 5));
        assert!(count_max(u64::MAX).unwrap_err().to_string().contains("1000000000"));
    }
}
