//! The documents of budgets: limits and amounts in, balances and warnings out.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::Serialize;

use crate::domain::input::{absent, check_word, in_range, integer_in, object, present};
use crate::domain::output::{Document, document};
use crate::domain::port::{Amounts, Balance, Total};
use crate::error::{Error, Result};
use crate::id::{self, Id};
use crate::json;
use crate::limits::{BUDGET_UNITS_MAX, NAME_BYTES_MAX};

/// What may be spent of one unit, as a submit says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Reserved and spent together at most.
    pub limit: i64,
    /// From where on a warning is due.
    pub warn: Option<i64>,
}

/// Reads `{unit: amount}`.
pub fn amounts(what: &str, text: &str) -> Result<Amounts> {
    by_unit(text, |unit, value| amount(format_args!("{unit:?}"), value))
        .map_err(|error| error.within(what))
}

/// Reads `{unit: limit}`, where a limit is an integer or `{"limit": integer, "warn": integer}`.
pub fn limits(text: &str) -> Result<BTreeMap<String, Limit>> {
    by_unit(text, |unit, value| {
        if !json::is_object(value) {
            return Ok(Limit { limit: amount(format_args!("{unit:?}"), value)?, warn: None });
        }
        limit(value).map_err(|error| error.within(&format!("{unit:?}")))
    })
    .map_err(|error| error.within("budget"))
}

fn limit(text: &str) -> Result<Limit> {
    let (mut limit, mut warn) = (None, None);
    object(text, |key, value| {
        let field = match key {
            "limit" => &mut limit,
            "warn" => &mut warn,
            _ => return Ok(false),
        };
        *field = present(value).map(|value| amount(key, value)).transpose()?;
        Ok(true)
    })?;
    let limit = limit.ok_or_else(|| absent("limit"))?;
    warn.map_or(Ok(()), |warn| in_range("warn", warn, limit))?;
    Ok(Limit { limit, warn })
}

fn amount(what: impl Display, value: &str) -> Result<i64> {
    integer_in(what, value, 0..=i64::MAX)
}

/// Reads an object whose keys are units.
fn by_unit<T>(
    text: &str,
    mut read: impl FnMut(&str, &str) -> Result<T>,
) -> Result<BTreeMap<String, T>> {
    let mut units = BTreeMap::new();
    object(text, |unit, value| {
        if units.len() == BUDGET_UNITS_MAX {
            let sentence = format!("more than {BUDGET_UNITS_MAX} units are named");
            return Err(Error::invalid(sentence));
        }
        match check_word("a unit", unit, NAME_BYTES_MAX) {
            // A unit is no argument of its own, and out of its form like any other.
            Err(Error::TooBig(sentence)) => return Err(Error::Invalid(sentence)),
            checked => checked?,
        }
        units.insert(unit.to_owned(), read(unit, value)?);
        Ok(true)
    })?;
    Ok(units)
}

/// A balance as users see it. Keys are only ever added.
#[derive(Serialize)]
struct UnitDocument {
    limit: Option<i64>,
    warn: Option<i64>,
    reserved: i64,
    spent: i64,
    remaining: Option<i64>,
}

#[derive(Serialize)]
struct TotalDocument<'row> {
    workflow: &'row str,
    kind: Option<&'row str>,
    unit: &'row str,
    spent: i64,
    entries: i64,
}

#[derive(Serialize)]
struct BudgetDocument<'row> {
    root_run_id: String,
    units: BTreeMap<&'row str, UnitDocument>,
    totals: Vec<TotalDocument<'row>>,
    totals_cut: bool,
}

impl Document for BudgetDocument<'_> {
    const SHAPE: &'static str = "budget";
}

/// Writes the document of a tree's budget.
pub(super) fn show(
    root_run_id: Id,
    balances: &[(String, Balance)],
    totals: &[Total],
    is_cut: bool,
) -> Result<String> {
    let unit = |balance: &Balance| UnitDocument {
        limit: balance.limit,
        warn: balance.warn,
        reserved: balance.reserved,
        spent: balance.spent,
        remaining: balance.room().map(|room| i64::try_from(room).unwrap_or(i64::MIN)),
    };
    document(&BudgetDocument {
        root_run_id: id::write("run", root_run_id),
        units: balances.iter().map(|(name, balance)| (name.as_str(), unit(balance))).collect(),
        totals: totals.iter().map(total).collect(),
        totals_cut: is_cut,
    })
}

fn total(total: &Total) -> TotalDocument<'_> {
    TotalDocument {
        workflow: &total.workflow,
        kind: Some(total.label.as_str()).filter(|label| !label.is_empty()),
        unit: &total.unit,
        spent: total.spent,
        entries: total.entries,
    }
}

#[derive(Serialize)]
struct Warning<'row> {
    unit: &'row str,
    limit: Option<i64>,
    warn: Option<i64>,
    spent: i64,
    reserved: i64,
}

impl Document for Warning<'_> {
    const SHAPE: &'static str = "budget_warning";
}

/// Writes the payload of a warning.
pub(super) fn warning(unit: &str, balance: &Balance) -> Result<String> {
    let Balance { limit, warn, spent, reserved, .. } = *balance;
    document(&Warning { unit, limit, warn, spent, reserved })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        let error = amounts("amounts", text).unwrap_err();
        assert_eq!(error.code(), -2, "{text}");
        error.to_string()
    }

    #[test]
    fn amounts_are_integers_from_0_to_the_largest_of_63_bits() {
        let read = amounts("usage", r#"{"tokens":0,"usd_micros":9223372036854775807}"#).unwrap();
        assert_eq!(read["tokens"], 0);
        assert_eq!(read["usd_micros"], i64::MAX);
        assert!(amounts("usage", "{}").unwrap().is_empty());
    }

    #[test]
    fn another_amount_is_refused_by_unit_value_and_limit() {
        for bad in ["-1", "-0.0", "1.0", "1e3", "9223372036854775808", "\"5\"", "null", "[1]"] {
            let sentence = fault(&format!("{{\"a\":1,\"tokens\":{bad}}}"));
            assert!(sentence.contains("\"tokens\""), "{sentence}");
            assert!(sentence.contains("9223372036854775807"), "{sentence}");
        }
        assert!(fault(r#"{"t":-5}"#).contains("is -5"));
        assert!(!fault(r#"{"t":"secret"}"#).contains("secret"));
        for bad in ["[]", "5", "null", r#"{"":1}"#, r#"{"a\u0000":1}"#, r#"{"a":1,"a":2}"#] {
            fault(bad);
        }
        assert!(fault(&format!("{{\"{}\":1}}", "u".repeat(256))).contains("256"));
    }

    #[test]
    fn a_document_names_at_most_64_units() {
        let of = |count: usize| {
            let units: Vec<String> = (0..count).map(|n| format!("\"u{n}\":1")).collect();
            amounts("amounts", &format!("{{{}}}", units.join(",")))
        };
        assert_eq!(of(64).unwrap().len(), 64);
        assert!(of(65).unwrap_err().to_string().contains("more than 64 units"));
    }

    #[test]
    fn a_limit_is_an_integer_or_has_a_warning_below_it() {
        let read = limits(r#"{"a":5,"b":{"limit":10,"warn":8},"c":{"limit":0}}"#).unwrap();
        assert_eq!(read["a"], Limit { limit: 5, warn: None });
        assert_eq!(read["b"], Limit { limit: 10, warn: Some(8) });
        assert_eq!(read["c"], Limit { limit: 0, warn: None });
        for bad in [
            r#"{"a":{"warn":1}}"#,
            r#"{"a":{"limit":1,"warn":2}}"#,
            r#"{"a":{"limit":1,"soft":1}}"#,
            r#"{"a":{"limit":-1}}"#,
            r#"{"a":{"limit":1,"limit":2}}"#,
            r#"{"a":"5"}"#,
        ] {
            let error = limits(bad).unwrap_err();
            assert_eq!(error.code(), -2, "{bad}");
            assert!(error.to_string().contains("\"a\""), "{error}");
        }
    }
}
