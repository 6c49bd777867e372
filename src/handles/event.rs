//! The calls on the log: an attempt appends, any handle of the store reads.

use std::sync::atomic::Ordering;

use crate::domain::Durability;
use crate::domain::event::{self, Append, Read};
use crate::error::Result;
use crate::handles::attempt::{Attempt, NULL};
use crate::handles::store::Store;

impl Attempt {
    /// Appends an event to the run; answers `false` when its key was used before.
    pub fn event_append(
        &self,
        event_type: &str,
        payload: Option<String>,
        key: Option<&str>,
    ) -> Result<bool> {
        let append = Append {
            fence: self.fence(),
            event_type: event_type.to_owned(),
            payload: payload.unwrap_or_else(|| NULL.into()),
            key: key.map(str::to_owned),
        };
        let entered = self.store().enter()?;
        let bytes = append.payload.len();
        let (is_new, lease) =
            self.write(&entered, Durability::Inherit, bytes, move |tx, now| {
                event::append(tx, &append, now)
            })?;
        self.note_lease(lease, self.store().now());
        Ok(is_new)
    }
}

impl Store {
    /// Returns a page of the log. What it shows outlives the loss of power (P32): events that this
    /// handle has not seen safe are synced first, unless all is.
    pub fn event_read(&self, read: &Read) -> Result<String> {
        let entered = self.enter()?;
        let page = entered.read(|tx| event::read(tx, read))?;
        if page.last_seq > self.safe_seq().load(Ordering::Relaxed) {
            entered.confirm(Durability::Power)?;
            self.safe_seq().fetch_max(page.last_seq, Ordering::Relaxed);
        }
        Ok(page.text)
    }
}
