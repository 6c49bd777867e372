//! The calls on the log: an attempt appends, any handle of the store reads.

use std::sync::atomic::Ordering;

use crate::domain::Durability;
use crate::domain::event::{self, Append, Page, Read};
use crate::error::Result;
use crate::handles::attempt::{Attempt, NULL};
use crate::handles::entered::{Entered, wait_end};
use crate::handles::store::Store;
use crate::handles::wait::check_timeout;
use crate::stop::Stop;
use crate::storage::Call;

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
        let call = Call::of("sw_event_append").of_bytes(append.payload.len());
        let (is_new, lease) =
            self.write(&entered, call, move |tx, now| event::append(tx, &append, now))?;
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
        self.make_safe(&entered, page)
    }

    /// Returns the first page of events that are asked for, once there is one; `None` when the time is
    /// over first.
    pub fn event_wait(
        &self,
        mut read: Read,
        timeout_ms: i64,
        stop: Option<&Stop>,
    ) -> Result<Option<String>> {
        check_timeout(timeout_ms)?;
        let entered = self.enter()?;
        let until = wait_end(timeout_ms);
        loop {
            // Taken before the look, so that whatever is announced after it ends the sleep.
            let rung = entered.backend()?.change_seen();
            let page = entered.read(|tx| event::look(tx, &read))?;
            if page.is_answer {
                return self.make_safe(&entered, page).map(Some);
            }
            read.after_seq = page.next_seq;
            if !self.sleep(&entered, rung, self.look_every(), until, stop)? {
                return Ok(None);
            }
        }
    }

    /// Gives out a page once what it shows is as safe as is promised.
    fn make_safe(&self, entered: &Entered<'_>, page: Page) -> Result<String> {
        if page.last_seq > self.safe_seq().load(Ordering::Relaxed) {
            entered.confirm(Durability::Power)?;
            self.safe_seq().fetch_max(page.last_seq, Ordering::Relaxed);
        }
        Ok(page.text)
    }
}
