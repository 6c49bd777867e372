//! What may be typed for a run: its id, the beginning of one, or `latest`.

use crate::door::{Error, Store, code};
use crate::failure::Failure;
use crate::place;

const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LEN: usize = 26;

/// Finds the run that is meant.
pub fn resolve(store: &Store, typed: &str) -> Result<String, Failure> {
    if typed == "latest" {
        return newest(store, 1)?
            .pop()
            .ok_or_else(|| not_found("the store has no run yet".to_string()));
    }
    let ulid = typed.strip_prefix("run_").unwrap_or(typed).to_ascii_lowercase();
    let Some((first, last)) = range(&ulid) else {
        return Err(missing(store, typed, newest(store, 3)?));
    };
    let dialect = Dialect::of(store);
    let (from, to) = (dialect.id(first), dialect.id(last));
    let mut found = ids(store, &format!("run_id >= {from} AND run_id <= {to}"), "ASC", 4)?;
    match found.len() {
        0 => Err(missing(store, typed, nearest(store, first)?)),
        1 => Ok(found.remove(0)),
        _ => Err(Failure::Usage(format!(
            "'{typed}' begins the ids of several runs: {}{}; type more of it",
            found[..found.len().min(3)].join(", "),
            if found.len() > 3 { " and others" } else { "" }
        ))),
    }
}

fn not_found(message: String) -> Failure {
    Failure::Library(Error::new(code::SW_ERR_NOT_FOUND, message))
}

fn missing(_: &Store, typed: &str, near: Vec<String>) -> Failure {
    let near = match near.is_empty() {
        true => "; the store has no run".to_string(),
        false => format!("; the nearest: {}", near.join(", ")),
    };
    not_found(format!("there is no run '{}'{near}", crate::text::visible(typed)))
}

/// The first and the last ULID that begin with a text, as numbers; None where none does.
fn range(text: &str) -> Option<(u128, u128)> {
    if text.is_empty() || text.len() > LEN {
        return None;
    }
    let mut number = 0u128;
    for (at, byte) in text.bytes().enumerate() {
        let digit = DIGITS.iter().position(|digit| *digit == byte)? as u128;
        // 26 digits hold 130 bits, so the first is 7 at most.
        if at == 0 && digit > 7 {
            return None;
        }
        number = number << 5 | digit;
    }
    let open = 5 * (LEN - text.len()) as u32;
    let first = number.checked_shl(open).unwrap_or(0);
    Some((first, first | (1u128.checked_shl(open).map_or(u128::MAX, |one| one - 1))))
}

fn written(number: u128) -> String {
    let digit = |at: usize| DIGITS[(number >> (5 * (LEN - 1 - at)) & 31) as usize] as char;
    format!("run_{}", (0..LEN).map(digit).collect::<String>())
}

/// The two runs before and after an id, by the order of ids, which is that of their submits.
fn nearest(store: &Store, at: u128) -> Result<Vec<String>, Failure> {
    let at = Dialect::of(store).id(at);
    let mut near = ids(store, &format!("run_id < {at}"), "DESC", 2)?;
    near.reverse();
    near.extend(ids(store, &format!("run_id > {at}"), "ASC", 2)?);
    Ok(near)
}

fn newest(store: &Store, count: u32) -> Result<Vec<String>, Failure> {
    ids(store, "TRUE", "DESC", count)
}

/// Outcome 4 is a run that is being pruned: no call knows it any more.
fn ids(store: &Store, condition: &str, order: &str, limit: u32) -> Result<Vec<String>, Failure> {
    let Dialect { runs, hex, .. } = Dialect::of(store);
    let sql = format!(
        "SELECT {hex} FROM {runs} WHERE {condition} AND outcome IS DISTINCT FROM 4 \
         ORDER BY run_id {order} LIMIT {limit}"
    );
    let rows: Rows = serde_json::from_str(&store.query(&sql, None, None)?)?;
    let number = |(hex,): (String,)| u128::from_str_radix(&hex, 16).ok();
    Ok(rows.rows.into_iter().filter_map(number).map(written).collect())
}

/// How the store's engine names and writes what is asked for.
struct Dialect {
    /// The table of runs.
    runs: String,
    /// A run's id in digits.
    hex: &'static str,
    /// What stands around the digits of an id.
    around: (&'static str, &'static str),
}

impl Dialect {
    fn of(store: &Store) -> Dialect {
        match place::schema(store) {
            None => Dialect {
                runs: "sw_workflow_runs".to_string(),
                hex: "hex(run_id)",
                around: ("x'", "'"),
            },
            Some(schema) => Dialect {
                runs: format!("\"{schema}\".sw_workflow_runs"),
                hex: "replace(run_id::text, '-', '')",
                around: ("'", "'::uuid"),
            },
        }
    }

    fn id(&self, number: u128) -> String {
        let (before, behind) = self.around;
        format!("{before}{number:032x}{behind}")
    }
}

#[derive(serde::Deserialize)]
struct Rows {
    rows: Vec<(String,)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_an_id_means_all_ids_that_begin_so() {
        let (first, last) = range("01k").expect("digits");
        assert_eq!(written(first), "run_01k00000000000000000000000");
        assert_eq!(written(last), "run_01kzzzzzzzzzzzzzzzzzzzzzzz");
        let whole = "01kabcdefghjkmnpqrstvwxyz0";
        let (first, last) = range(whole).expect("digits");
        assert_eq!((first, written(last)), (last, format!("run_{whole}")));
    }

    #[test]
    fn what_begins_no_id_means_none() {
        for text in ["", "8", "01l", "01u", "run", "\u{e9}", &"0".repeat(27)] {
            assert_eq!(range(text), None, "{text}");
        }
    }
}
