//! The parts of a document that stand for themselves: times, ids, amounts, what is waited for.

use super::tree::{SOURCES, Spent};
use crate::domain::input::{absent, boolean, integer_in, object, one_of, present, word};
use crate::domain::port::{Balance, CarriedTarget};
use crate::error::{Error, Result};
use crate::id::{self, Id};
use crate::json;
use crate::limits::{ID_CAP, INSTANT_MS_MAX, NAME_BYTES_MAX, OCCURRENCE_MAX, WAITS_PARKED_MAX};

/// Attempts and tries that a document may speak of: what is counted on from there stays in 32 bits.
const COUNT_MAX: i64 = 1_000_000_000;

pub(super) fn amount(text: &str) -> Result<(String, i64)> {
    let (mut unit, mut amount) = (None, None);
    object(text, |key, value| {
        match key {
            "unit" => unit = word(key, value, NAME_BYTES_MAX)?,
            "amount" => amount = Some(integer_in(key, value, 0..=i64::MAX)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok((needed("unit", unit)?, needed("amount", amount)?))
}

pub(super) fn spent(text: &str) -> Result<Spent> {
    let (mut source, mut unit, mut label) = (None, None, None);
    let (mut amount, mut at_ms) = (None, None);
    object(text, |key, value| {
        match key {
            "source" => source = one_of(key, value, SOURCES)?,
            "unit" => unit = word(key, value, NAME_BYTES_MAX)?,
            "label" => label = word(key, value, NAME_BYTES_MAX)?,
            "amount" => amount = Some(integer_in(key, value, -i64::MAX..=i64::MAX)?),
            "at_ms" => at_ms = Some(instant(key, value)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(Spent {
        source: needed("source", source)?,
        unit: needed("unit", unit)?,
        label: label.unwrap_or_default(),
        amount: needed("amount", amount)?,
        at_ms: needed("at_ms", at_ms)?,
    })
}

pub(super) fn unit(text: &str) -> Result<(String, Balance)> {
    let mut balance = Balance::default();
    let (mut name, mut reserved, mut spent) = (None, None, None);
    object(text, |key, value| {
        let amount = || integer_in(key, value, 0..=i64::MAX);
        match key {
            "unit" => name = word(key, value, NAME_BYTES_MAX)?,
            "limit" => balance.limit = present(value).map(|_| amount()).transpose()?,
            "warn" => balance.warn = present(value).map(|_| amount()).transpose()?,
            "warned" => balance.is_warned = boolean(key, value)?,
            "reserved" => reserved = Some(amount()?),
            "spent" => spent = Some(amount()?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    balance.reserved = needed("reserved", reserved)?;
    balance.spent = needed("spent", spent)?;
    Ok((needed("unit", name)?, balance))
}

pub(super) fn wait(text: &str) -> Result<(CarriedTarget, i64)> {
    let (mut targets, mut amount) = (Vec::new(), 0);
    object(text, |key, value| {
        match key {
            "child" => targets.extend(id(key, value)?.map(CarriedTarget::Child)),
            "signal" => {
                targets.extend(word(key, value, NAME_BYTES_MAX)?.map(CarriedTarget::Signal))
            }
            "unit" => targets.extend(word(key, value, NAME_BYTES_MAX)?.map(CarriedTarget::Room)),
            "at_ms" => targets.push(CarriedTarget::Time(instant(key, value)?)),
            "amount" => amount = integer_in(key, value, 0..=i64::MAX)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let target = targets.pop().filter(|_| targets.is_empty());
    let target = target.ok_or_else(|| {
        Error::invalid("it must have one of the keys \"child\", \"signal\", \"unit\" and \"at_ms\"")
    })?;
    let most = match &target {
        CarriedTarget::Child(_) => 1,
        CarriedTarget::Signal(_) => WAITS_PARKED_MAX as i64,
        CarriedTarget::Room(_) => i64::MAX,
        CarriedTarget::Time(_) => 0,
    };
    integer_in("amount", &amount.to_string(), 0..=most)?;
    Ok((target, amount))
}

/// Reads the name and occurrence of a record.
pub(super) fn named(text: &str) -> Result<Option<(String, u32)>> {
    let Some(text) = present(text) else { return Ok(None) };
    let (mut name, mut occurrence) = (None, None);
    object(text, |key, value| {
        match key {
            "name" => name = word(key, value, NAME_BYTES_MAX)?,
            "occurrence" => {
                let at = integer_in(key, value, 1..=OCCURRENCE_MAX.into())?;
                occurrence = u32::try_from(at).ok();
            }
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(Some((needed("name", name)?, needed("occurrence", occurrence)?)))
}

pub(super) fn id(what: &str, value: &str) -> Result<Option<Id>> {
    let Some(text) = word(what, value, ID_CAP)? else { return Ok(None) };
    let id = id::parse("run", &text);
    id.map(Some).ok_or_else(|| Error::invalid(format!("{what} is no id of a run")))
}

pub(super) fn instant(what: &str, value: &str) -> Result<i64> {
    integer_in(what, value, 0..=INSTANT_MS_MAX)
}

pub(super) fn count(what: &str, value: &str) -> Result<u32> {
    let number = integer_in(what, value, 0..=COUNT_MAX)?;
    Ok(u32::try_from(number).unwrap_or_default())
}

pub(super) fn hash(what: &str, value: &str) -> Result<[u8; 16]> {
    let text = word(what, value, NAME_BYTES_MAX)?.unwrap_or_default();
    let number = u128::from_str_radix(&text, 16).ok();
    let hash = number.map(u128::to_be_bytes).filter(|hash| json::hex(hash) == text);
    hash.ok_or_else(|| Error::invalid(format!("{what} is no hash of 32 hexadecimal digits")))
}

pub(super) fn needed<T>(what: &str, value: Option<T>) -> Result<T> {
    value.ok_or_else(|| absent(what))
}
