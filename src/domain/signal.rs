//! Messages to runs.

use super::find::find;
use super::port::{Port, Target};
use super::wake::wake;
use crate::clock::Now;
use crate::error::{Error, Result};

/// What a send comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Whether its idempotency key was used before.
    pub existed: bool,
    /// Whether a parked run woke.
    pub has_woken: bool,
}

/// Sends a message to an open run, once per idempotency key (P23).
pub fn send(
    port: &mut dyn Port,
    run_id: &str,
    name: &str,
    payload: &str,
    key: Option<&str>,
    now: Now,
) -> Result<Sent> {
    let run_key = find(port, run_id)?;
    if let Some(key) = key
        && port.letter_exists(run_key, name, key)?
    {
        return Ok(Sent { existed: true, has_woken: false });
    }
    if port.task(run_key)?.is_none() {
        return Err(Error::conflict(format!("{run_id} has ended, it takes no more signals")));
    }
    port.letter_insert(run_key, name, key, payload, now.wall_ms)?;
    let has_woken = wake(port, run_key, &Target::Signal(name.into()), now)?;
    Ok(Sent { existed: false, has_woken })
}
