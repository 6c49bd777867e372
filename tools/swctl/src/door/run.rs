//! Runs: look at one, list many, act on them.

use super::answer::{self, Arg, Error};
use super::{Stop, Store, sys};

/// What a wait for a run came to: its document, or None when it had not ended in time.
pub type Waited = Option<String>;

impl Store {
    /// `sw_run_get`
    pub fn run_get(&self, run_id: &str) -> Result<String, Error> {
        let id = Arg::from(run_id);
        // SAFETY: the store is open, and the text lives through the call.
        answer::text(|out, error| unsafe { sys::sw_run_get(self.raw, id.ptr, id.len, out, error) })
    }

    /// `sw_run_history`: a page
    pub fn run_history(
        &self,
        run_id: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<String, Error> {
        let (id, cursor) = (Arg::from(run_id), Arg::from(cursor));
        // SAFETY: the store is open, and the texts live through the call.
        answer::text(|out, error| unsafe {
            sys::sw_run_history(self.raw, id.ptr, id.len, cursor.ptr, cursor.len, limit, out, error)
        })
    }

    /// `sw_run_list`: a page
    pub fn run_list(
        &self,
        filter: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<String, Error> {
        let (filter, cursor) = (Arg::from(filter), Arg::from(cursor));
        // SAFETY: the store is open, and the texts live through the call.
        answer::text(|out, error| unsafe {
            sys::sw_run_list(
                self.raw, filter.ptr, filter.len, cursor.ptr, cursor.len, limit, out, error,
            )
        })
    }

    /// `sw_run_count`
    pub fn run_count(&self, filter: &str, at_most: u64) -> Result<u64, Error> {
        let filter = Arg::from(filter);
        let mut count = 0;
        // SAFETY: the store is open, the text lives through the call, and count has room.
        answer::code(|error| unsafe {
            sys::sw_run_count(self.raw, filter.ptr, filter.len, at_most, &mut count, error)
        })?;
        Ok(count)
    }

    /// `sw_run_explain`
    pub fn run_explain(&self, run_id: &str) -> Result<String, Error> {
        let id = Arg::from(run_id);
        // SAFETY: the store is open, and the text lives through the call.
        answer::text(|out, error| unsafe {
            sys::sw_run_explain(self.raw, id.ptr, id.len, out, error)
        })
    }

    /// `sw_run_wait`
    pub fn run_wait(
        &self,
        run_id: &str,
        timeout_ms: i64,
        stop: Option<&Stop>,
    ) -> Result<Waited, Error> {
        let id = Arg::from(run_id);
        let stop = Stop::raw(stop);
        // SAFETY: the store is open; text and stop live through the call.
        answer::document(|out, error| unsafe {
            sys::sw_run_wait(self.raw, id.ptr, id.len, timeout_ms, stop, out, error)
        })
    }

    /// `sw_run_submit_many`
    pub fn run_submit_many(&self, items: &str) -> Result<String, Error> {
        let items = Arg::from(items);
        // SAFETY: the store is open, and the text lives through the call.
        answer::text(|out, error| unsafe {
            sys::sw_run_submit_many(self.raw, items.ptr, items.len, out, error)
        })
    }

    /// `sw_run_act_many`
    pub fn run_act_many(&self, action: &str, filter: &str, limit: u32) -> Result<String, Error> {
        let (action, filter) = (Arg::from(action), Arg::from(filter));
        // SAFETY: the store is open, and the texts live through the call.
        answer::text(|out, error| unsafe {
            sys::sw_run_act_many(
                self.raw, action.ptr, action.len, filter.ptr, filter.len, limit, out, error,
            )
        })
    }

    /// `sw_run_annotate`
    pub fn run_annotate(&self, run_id: &str, patch: &str) -> Result<(), Error> {
        let (id, patch) = (Arg::from(run_id), Arg::from(patch));
        // SAFETY: the store is open, and the texts live through the call.
        answer::code(|error| unsafe {
            sys::sw_run_annotate(self.raw, id.ptr, id.len, patch.ptr, patch.len, error)
        })?;
        Ok(())
    }

    /// `sw_run_cancel`
    pub fn run_cancel(&self, run_id: &str, reason: Option<&str>) -> Result<(), Error> {
        let (id, reason) = (Arg::from(run_id), Arg::from(reason));
        // SAFETY: the store is open, and the texts live through the call.
        answer::code(|error| unsafe {
            sys::sw_run_cancel(self.raw, id.ptr, id.len, reason.ptr, reason.len, error)
        })?;
        Ok(())
    }

    /// `sw_run_pause`
    pub fn run_pause(&self, run_id: &str) -> Result<(), Error> {
        let id = Arg::from(run_id);
        // SAFETY: the store is open, and the text lives through the call.
        answer::code(|error| unsafe { sys::sw_run_pause(self.raw, id.ptr, id.len, error) })?;
        Ok(())
    }

    /// `sw_run_resume`
    pub fn run_resume(&self, run_id: &str) -> Result<(), Error> {
        let id = Arg::from(run_id);
        // SAFETY: the store is open, and the text lives through the call.
        answer::code(|error| unsafe { sys::sw_run_resume(self.raw, id.ptr, id.len, error) })?;
        Ok(())
    }

    /// `sw_run_retry`
    pub fn run_retry(&self, run_id: &str) -> Result<(), Error> {
        let id = Arg::from(run_id);
        // SAFETY: the store is open, and the text lives through the call.
        answer::code(|error| unsafe { sys::sw_run_retry(self.raw, id.ptr, id.len, error) })?;
        Ok(())
    }

    /// `sw_run_fork`: the id of the new run
    pub fn run_fork(&self, run_id: &str, from_step: Option<&str>) -> Result<String, Error> {
        let (id, from) = (Arg::from(run_id), Arg::from(from_step));
        // SAFETY: the store is open, the texts live through the call, and the room is of its size.
        answer::id(|room, cap, error| unsafe {
            sys::sw_run_fork(self.raw, id.ptr, id.len, from.ptr, from.len, room, cap, error)
        })
    }

    /// `sw_signal_send`; false when the key had sent it before
    pub fn signal_send(
        &self,
        run_id: &str,
        name: &str,
        payload: Option<&str>,
        key: Option<&str>,
    ) -> Result<bool, Error> {
        let (id, name) = (Arg::from(run_id), Arg::from(name));
        let (payload, key) = (Arg::from(payload), Arg::from(key));
        // SAFETY: the store is open, and the texts live through the call.
        let answer = answer::code(|error| unsafe {
            sys::sw_signal_send(
                self.raw,
                id.ptr,
                id.len,
                name.ptr,
                name.len,
                payload.ptr,
                payload.len,
                key.ptr,
                key.len,
                error,
            )
        })?;
        Ok(answer != sys::SW_EXISTS)
    }

    /// `sw_run_export`
    pub fn run_export(&self, run_id: &str, redact: bool) -> Result<String, Error> {
        let id = Arg::from(run_id);
        let options = Arg::from(if redact { "{\"redact\":true}" } else { "{}" });
        // SAFETY: the store is open, and the texts live through the call.
        answer::text(|out, error| unsafe {
            sys::sw_run_export(self.raw, id.ptr, id.len, options.ptr, options.len, out, error)
        })
    }

    /// `sw_run_import`
    pub fn run_import(&self, document: &str, new_ids: bool) -> Result<String, Error> {
        let document = Arg::from(document);
        let options = Arg::from(if new_ids { "{\"ids\":\"new\"}" } else { "{}" });
        // SAFETY: the store is open, and the texts live through the call.
        answer::text(|out, error| unsafe {
            let (ptr, len) = (document.ptr, document.len);
            sys::sw_run_import(self.raw, ptr, len, options.ptr, options.len, out, error)
        })
    }

    /// `sw_budget_get`
    pub fn budget_get(&self, run_id: &str) -> Result<String, Error> {
        let id = Arg::from(run_id);
        // SAFETY: the store is open, and the text lives through the call.
        answer::text(|out, error| unsafe {
            sys::sw_budget_get(self.raw, id.ptr, id.len, out, error)
        })
    }

    /// `sw_budget_raise`
    pub fn budget_raise(&self, run_id: &str, unit: &str, delta: i64) -> Result<(), Error> {
        let (id, unit) = (Arg::from(run_id), Arg::from(unit));
        // SAFETY: the store is open, and the texts live through the call.
        answer::code(|error| unsafe {
            sys::sw_budget_raise(self.raw, id.ptr, id.len, unit.ptr, unit.len, delta, error)
        })?;
        Ok(())
    }
}
