//! Limits of queues: how many runs may hold the fence at once, in all and behind each key.

use super::document::{boolean, integer, unknown};
use super::port::{GatePlace, Port, QueueLimits};
use crate::error::{Error, Result};
use crate::json::document;
use crate::limits::SWEEP_DUE_MAX;

impl QueueLimits {
    /// Reads the settings document `{"concurrency", "concurrency_per_key", "paused"}`. What it does
    /// not name is lifted.
    pub fn read(settings: &str) -> Result<QueueLimits> {
        let mut limits = QueueLimits::default();
        let mut seen = Vec::new();
        for (key, value) in document::members(settings).map_err(|fault| fault.of("settings"))? {
            match &*key {
                "concurrency" => limits.concurrency = limit(&key, value)?,
                "concurrency_per_key" => limits.concurrency_per_key = limit(&key, value)?,
                "paused" => limits.is_paused = boolean(&key, value)?,
                _ => return Err(unknown(&key)),
            }
            if seen.contains(&key) {
                return Err(Error::invalid(format!("the key {key:?} comes twice")));
            }
            seen.push(key);
        }
        Ok(limits)
    }

    /// Returns whether nothing may be claimed while `running` of its runs hold the fence.
    pub fn is_full(&self, running: u32) -> bool {
        self.is_paused || self.concurrency.is_some_and(|most| running >= most)
    }
}

fn limit(what: &str, value: &str) -> Result<Option<u32>> {
    match value {
        "null" => Ok(None),
        value => match integer(what, value)? {
            0 => Err(Error::invalid(format!(
                "{what} is 0, it must be at least 1: to stop a queue, set \"paused\""
            ))),
            most => Ok(Some(most)),
        },
    }
}

/// Sets a queue's limits.
pub fn set(port: &mut dyn Port, queue: &str, limits: &QueueLimits) -> Result<()> {
    port.queue_set(queue, limits)
}

/// Lets in, bounded, what the limits of a queue hold back no more, gate by gate from `place` on, so
/// that each gate has as many ready runs as it has room. Returns where to go on; `None` when done.
pub fn let_in(port: &mut dyn Port, queue: &str, place: &GatePlace) -> Result<Option<GatePlace>> {
    let most = port.queue(queue)?.and_then(|(limits, _)| limits.concurrency_per_key);
    let mut at = place.clone();
    let mut left = SWEEP_DUE_MAX;
    while left > 0 {
        let Some(next) = port.blocked_gate_after(queue, &at)? else { return Ok(None) };
        let running = port.gate_running(queue, &next.gate)?;
        let room = most.map_or(u32::MAX, |most| most.saturating_sub(running));
        let let_in = port.unblock_in(&next, room.min(left))?;
        left -= let_in.max(1);
        if let_in == room || left > 0 {
            at = next;
        }
    }
    Ok(Some(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_name_limits_and_what_they_leave_out_is_lifted() {
        let limits = QueueLimits::read(r#"{"concurrency":8}"#).unwrap();
        assert_eq!((limits.concurrency, limits.concurrency_per_key), (Some(8), None));
        assert!(limits.is_full(8) && !limits.is_full(7));
        let lifted = QueueLimits::read(r#"{"concurrency":null,"paused":null}"#).unwrap();
        assert_eq!(lifted, QueueLimits::default());
        assert!(QueueLimits::read(r#"{"paused":true}"#).unwrap().is_full(0));
        for bad in [
            "[]",
            r#"{"x":1}"#,
            r#"{"concurrency":0}"#,
            r#"{"concurrency":-1}"#,
            r#"{"concurrency":1.5}"#,
            r#"{"paused":1}"#,
            "null",
            r#"{"paused":true,"paused":true}"#,
        ] {
            assert_eq!(QueueLimits::read(bad).unwrap_err().code(), -2, "{bad}");
        }
    }
}
