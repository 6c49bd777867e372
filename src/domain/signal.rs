//! Signals: messages to runs.

use super::find::find;
use super::port::{Port, Target};
use super::wake::wake;
use crate::clock::Now;
use crate::error::{Error, Result};
use crate::plant::{Plant, stands};

/// Sends a signal to an open run, once per idempotency key (P23); returns whether that was used before.
pub fn send(
    port: &mut dyn Port,
    run_id: &str,
    name: &str,
    payload: &str,
    key: Option<&str>,
    now: Now,
) -> Result<bool> {
    let run_key = find(port, run_id)?;
    let key = key.filter(|_| !stands(Plant::DoubleMessage));
    if port.task(run_key)?.is_none() {
        return match key {
            Some(key) if port.signal_exists(run_key, name, key)? => Ok(true),
            _ => Err(Error::conflict(format!("{run_id} has ended, it takes no more signals"))),
        };
    }
    if !port.signal_insert_once(run_key, name, key, payload, now.wall_ms)? {
        return Ok(true);
    }
    wake(port, run_key, &Target::Signal(name.into()), now)?;
    Ok(false)
}
