//! The documents of budgets: limits and amounts in, balances and warnings out.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::domain::output::to_text;
use crate::domain::port::{Amounts, Balance, Total};
use crate::error::{Error, Result};
use crate::id::{self, Id};
use crate::limits::{BUDGET_UNITS_MAX, NAME_BYTES_MAX};

/// Characters of a refused value that its error repeats.
const SHOWN_MAX: usize = 40;

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
    let mut amounts = Amounts::new();
    for (unit, value) in members(what, text)? {
        let amount = integer(what, &unit, &value)?;
        amounts.insert(unit, amount);
    }
    Ok(amounts)
}

/// Reads `{unit: limit}`, where a limit is an integer or `{"limit": integer, "warn": integer}`.
pub fn limits(text: &str) -> Result<BTreeMap<String, Limit>> {
    let mut limits = BTreeMap::new();
    for (unit, value) in members("budget", text)? {
        let limit = limit(&unit, &value)?;
        limits.insert(unit, limit);
    }
    Ok(limits)
}

fn limit(unit: &str, value: &RawValue) -> Result<Limit> {
    if !value.get().starts_with('{') {
        return Ok(Limit { limit: integer("budget", unit, value)?, warn: None });
    }
    let what = format!("budget[{unit:?}]");
    let (mut limit, mut warn) = (None, None);
    for (key, value) in members(&what, value.get())? {
        match key.as_str() {
            "limit" => limit = Some(integer(&what, &key, &value)?),
            "warn" => warn = Some(integer(&what, &key, &value)?),
            _ => return Err(Error::invalid(format!("{what} has the unknown key {key:?}"))),
        }
    }
    let limit = limit.ok_or_else(|| Error::invalid(format!("{what} has no \"limit\"")))?;
    match warn {
        Some(warn) if warn > limit => Err(Error::invalid(format!(
            "{what} warns at {warn}, that must be 0 to its limit of {limit}"
        ))),
        _ => Ok(Limit { limit, warn }),
    }
}

/// Reads the integer of a unit as it is written: no sign, fraction or exponent.
fn integer(what: &str, unit: &str, value: &RawValue) -> Result<i64> {
    let text = value.get();
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if is_plain { text.parse().ok() } else { None };
    number.ok_or_else(|| {
        // Of what is no number nothing is repeated: it may be anything.
        let is_number = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        let shown: String =
            if is_number { text.chars().take(SHOWN_MAX).collect() } else { "no number".into() };
        Error::invalid(format!(
            "{what}: {unit:?} is {shown}, it must be an integer 0 to {}",
            i64::MAX
        ))
    })
}

/// The members of an object in order, with keys that come twice.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(
        deserializer: D,
    ) -> std::result::Result<Members, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Members;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Read)
    }
}

fn members(what: &str, text: &str) -> Result<Vec<(String, Box<RawValue>)>> {
    let Members(members) = serde_json::from_str(text)
        .map_err(|_| Error::invalid(format!("{what} is not an object of integers by unit")))?;
    if members.len() > BUDGET_UNITS_MAX {
        return Err(Error::invalid(format!(
            "{what} names {} units, at most {BUDGET_UNITS_MAX} are allowed",
            members.len()
        )));
    }
    let mut seen = std::collections::BTreeSet::new();
    for (unit, _) in &members {
        if !(1..=NAME_BYTES_MAX).contains(&unit.len()) {
            return Err(Error::invalid(format!(
                "{what} names a unit of {} bytes, it must have 1 to {NAME_BYTES_MAX}",
                unit.len()
            )));
        }
        if unit.contains('\0') {
            return Err(Error::invalid(format!("{what} names a unit with a NUL")));
        }
        if !seen.insert(unit) {
            return Err(Error::invalid(format!("{what} names {unit:?} twice")));
        }
    }
    Ok(members)
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
    to_text(&BudgetDocument {
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

/// Writes the payload of a warning.
pub(super) fn warning(unit: &str, balance: &Balance) -> Result<String> {
    let Balance { limit, warn, spent, reserved, .. } = *balance;
    to_text(&Warning { unit, limit, warn, spent, reserved })
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
        for bad in ["-1", "-0", "1.0", "1e3", "9223372036854775808", "\"5\"", "null", "[1]"] {
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
        assert!(of(65).unwrap_err().to_string().contains("65 units"));
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
