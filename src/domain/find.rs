//! Finding what a host names by its id, and how much of it is shown at once.

use super::port::{Port, RunKey, RunRow};
use crate::error::{Error, Result};
use crate::id;
use crate::limits::{PAGE_LEN_DEFAULT, PAGE_LEN_MAX};

/// Returns how many items a page has.
pub(super) fn page_len(limit: u32) -> Result<u32> {
    match limit {
        0 => Ok(PAGE_LEN_DEFAULT),
        1..=PAGE_LEN_MAX => Ok(limit),
        _ => Err(Error::invalid(format!(
            "limit is {limit}, it must be 1 to {PAGE_LEN_MAX}, or 0 for {PAGE_LEN_DEFAULT}"
        ))),
    }
}

/// Returns the key of the run with this id.
pub(super) fn find(port: &mut dyn Port, run_id: &str) -> Result<RunKey> {
    let not_found = || Error::NotFound(format!("no run has the id {run_id:?}").into());
    let id = id::parse("run", run_id).ok_or_else(not_found)?;
    port.run_by_id(id)?.ok_or_else(not_found)
}

/// Returns the row of the run with this id.
pub(super) fn find_row(port: &mut dyn Port, run_id: &str) -> Result<RunRow> {
    let not_found = || Error::NotFound(format!("no run has the id {run_id:?}").into());
    let id = id::parse("run", run_id).ok_or_else(not_found)?;
    port.run_row(id)?.ok_or_else(not_found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_1_to_10000_items() {
        assert_eq!(page_len(0).unwrap(), 1_000);
        assert_eq!(page_len(10_000).unwrap(), 10_000);
        assert!(page_len(10_001).unwrap_err().to_string().contains("10001"));
    }
}
