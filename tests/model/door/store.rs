//! A store through the C functions: runs, looks, acts, keeping.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use smolwf::domain::Durability;
use smolwf::domain::claim::Claim;
use smolwf::domain::submit::Submit;
use smolwf::ffi::budget::{sw_budget_get, sw_budget_raise, sw_budget_settle};
use smolwf::ffi::carry::{sw_run_export, sw_run_import};
use smolwf::ffi::check::sw_store_check;
use smolwf::ffi::control::{sw_run_cancel, sw_run_fork, sw_run_pause, sw_run_resume, sw_run_retry};
use smolwf::ffi::event::{sw_event_read, sw_event_wait};
use smolwf::ffi::explain::sw_run_explain;
use smolwf::ffi::graduate::sw_store_graduate;
use smolwf::ffi::list::{sw_run_act_many, sw_run_annotate, sw_run_count, sw_run_list};
use smolwf::ffi::query::{sw_run_get, sw_run_history};
use smolwf::ffi::queue::sw_queue_set;
use smolwf::ffi::retention::{
    sw_retention_get, sw_retention_set, sw_store_compact, sw_store_prune,
};
use smolwf::ffi::run::{
    sw_run_claim, sw_run_claim_many, sw_run_find, sw_run_submit, sw_run_submit_many,
};
use smolwf::ffi::signal::sw_signal_send;
use smolwf::ffi::store::{
    sw_store, sw_store_advance_clock, sw_store_close, sw_store_init, sw_store_now_ms,
    sw_store_open, sw_store_open_in_memory,
};

use super::attempt::Attempt;
use super::{Result, carriers, document, lend, named, texted};

/// How a store is opened; zero is the default of the library.
#[derive(Debug, Clone, Copy, Default)]
pub struct StoreOptions {
    pub create: bool,
    pub read_only: bool,
    pub manual_clock: bool,
    pub busy_timeout_ms: u32,
    pub durability: Durability,
    pub max_readers: u32,
    pub lease_default_ms: u32,
    pub payload_bytes_max: u64,
}

/// A run that a submit made or found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    pub run_id: String,
    pub existed: bool,
}

pub struct Store {
    pub(super) raw: *mut sw_store,
    is_closed: AtomicBool,
}

// SAFETY: handles may be used from any thread.
unsafe impl Send for Store {}
// SAFETY: and from several at once.
unsafe impl Sync for Store {}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

impl Store {
    pub fn open(path: &Path, options: &StoreOptions) -> Result<Arc<Store>> {
        let path = CString::new(path.as_os_str().as_bytes()).expect("a path has no NUL");
        let (options, mut raw) = (carriers::store(options), null_mut());
        ask!(sw_store_open(path.as_ptr(), &raw const options, &raw mut raw))?;
        Ok(Arc::new(Store { raw, is_closed: AtomicBool::new(false) }))
    }

    pub fn open_in_memory(options: &StoreOptions) -> Result<Arc<Store>> {
        let (options, mut raw) = (carriers::store(options), null_mut());
        ask!(sw_store_open_in_memory(&raw const options, &raw mut raw))?;
        Ok(Arc::new(Store { raw, is_closed: AtomicBool::new(false) }))
    }

    pub fn init(&self) -> Result<u32> {
        let mut applied = 0;
        ask!(sw_store_init(self.raw, &raw mut applied)).map(|_| applied)
    }

    /// Closes it once; what is left of the handle answers that it is closed.
    pub fn close(&self) {
        if !self.is_closed.swap(true, Ordering::Relaxed) {
            tell!(sw_store_close(self.raw));
        }
    }

    pub fn now_ms(&self) -> i64 {
        tell!(sw_store_now_ms(self.raw))
    }

    /// Moves the clock to what comes due next; `false` when nothing does.
    pub fn advance_to_due(&self) -> Result<bool> {
        ask!(sw_store_advance_clock(self.raw, -1)).map(|code| code == 0)
    }

    pub fn advance_clock(&self, ms: i64) -> Result<()> {
        ask!(sw_store_advance_clock(self.raw, ms)).map(drop)
    }

    // -------------------------------------------------------------------- submit, find, claim

    pub fn submit(&self, submit: Submit) -> Result<Submitted> {
        let (workflow, args) = (lend(submit.workflow.as_str()), lend(submit.args.as_deref()));
        let options = carriers::submit(&submit);
        let (code, run_id) = named(|id, cap| {
            let options = &raw const options;
            ask!(sw_run_submit(self.raw, workflow.0, workflow.1, args.0, args.1, options, id, cap))
        })?;
        Ok(Submitted { run_id, existed: code == 4 })
    }

    pub fn submit_many(&self, items: Vec<Submit>) -> Result<Vec<Submitted>> {
        let items = carriers::list(items.iter().map(|submit| carriers::item(None, submit)));
        let items = lend(items.as_str());
        let told = document(|out| ask!(sw_run_submit_many(self.raw, items.0, items.1, out)))?;
        let told: Vec<Value> = serde_json::from_str(&told).unwrap();
        let submitted = |told: &Value| Submitted {
            run_id: told["run_id"].as_str().unwrap().to_owned(),
            existed: told["exists"].as_bool().unwrap(),
        };
        Ok(told.iter().map(submitted).collect())
    }

    pub fn find(&self, scope: &str, key: &str) -> Result<Option<String>> {
        let (scope, key) = (lend(Some(scope).filter(|scope| !scope.is_empty())), lend(key));
        let mut is_there = false;
        let (_, id) = named(|id, cap| {
            let code = ask!(sw_run_find(self.raw, scope.0, scope.1, key.0, key.1, id, cap))?;
            is_there = code == 0;
            Ok(code)
        })?;
        Ok(is_there.then_some(id))
    }

    pub fn claim(&self, claim: Claim) -> Result<Option<Arc<Attempt>>> {
        let (lists, queue) = (carriers::Lists::of(&claim), lend(claim.queue.as_deref()));
        let (options, mut raw) = (lists.options(&claim, null_mut()), null_mut());
        let options = &raw const options;
        let code = ask!(sw_run_claim(self.raw, queue.0, queue.1, options, &raw mut raw))?;
        assert_eq!(code == 0, !raw.is_null(), "a claim answers {code}");
        Ok((code == 0).then(|| Attempt::of(raw, self)))
    }

    pub fn claim_many(&self, claim: Claim, max: u32) -> Result<Vec<Arc<Attempt>>> {
        let (lists, queue) = (carriers::Lists::of(&claim), lend(claim.queue.as_deref()));
        let (options, mut count) = (lists.options(&claim, null_mut()), 0);
        let mut raws = vec![null_mut(); max as usize];
        let (options, out) = (&raw const options, raws.as_mut_ptr());
        let count_at = &raw mut count;
        let code =
            ask!(sw_run_claim_many(self.raw, queue.0, queue.1, options, max, out, count_at))?;
        assert_eq!(code == 0, count > 0, "a claim of {count} answers {code}");
        Ok(raws[..count as usize].iter().map(|raw| Attempt::of(*raw, self)).collect())
    }

    // -------------------------------------------------------------------- looks

    pub fn run_get(&self, id: &str) -> Result<String> {
        let id = lend(id);
        document(|out| ask!(sw_run_get(self.raw, id.0, id.1, out)))
    }

    pub fn run_history(&self, id: &str, cursor: Option<&str>, limit: u32) -> Result<String> {
        let (id, at) = (lend(id), lend(cursor));
        document(|out| ask!(sw_run_history(self.raw, id.0, id.1, at.0, at.1, limit, out)))
    }

    pub fn run_list(
        &self,
        filter: Option<&str>,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<String> {
        let (filter, at) = (lend(filter), lend(cursor));
        document(|out| ask!(sw_run_list(self.raw, filter.0, filter.1, at.0, at.1, limit, out)))
    }

    pub fn run_count(&self, filter: Option<&str>, at_most: u64) -> Result<u64> {
        let (filter, mut count) = (lend(filter), 0);
        ask!(sw_run_count(self.raw, filter.0, filter.1, at_most, &raw mut count)).map(|_| count)
    }

    pub fn run_explain(&self, id: &str) -> Result<String> {
        let id = lend(id);
        document(|out| ask!(sw_run_explain(self.raw, id.0, id.1, out)))
    }

    pub fn check(&self) -> Result<String> {
        document(|out| ask!(sw_store_check(self.raw, out)))
    }

    // -------------------------------------------------------------------- acts

    pub fn annotate(&self, id: &str, patch: &str) -> Result<()> {
        let (id, patch) = (lend(id), lend(patch));
        ask!(sw_run_annotate(self.raw, id.0, id.1, patch.0, patch.1)).map(drop)
    }

    pub fn act_many(&self, action: &str, filter: Option<&str>, limit: u32) -> Result<String> {
        let (action, filter) = (lend(action), lend(filter));
        let (act, with) = ((action.0, action.1), (filter.0, filter.1));
        document(|out| ask!(sw_run_act_many(self.raw, act.0, act.1, with.0, with.1, limit, out)))
    }

    pub fn signal_send(
        &self,
        id: &str,
        name: &str,
        payload: Option<String>,
        key: Option<&str>,
    ) -> Result<bool> {
        let (id, name) = (lend(id), lend(name));
        let (payload, key) = (lend(payload.as_deref()), lend(key));
        let code = ask!(sw_signal_send(
            self.raw, id.0, id.1, name.0, name.1, payload.0, payload.1, key.0, key.1
        ));
        code.map(|code| code == 0)
    }

    pub fn cancel(&self, id: &str, reason: Option<String>) -> Result<()> {
        let (id, reason) = (lend(id), lend(reason.as_deref()));
        ask!(sw_run_cancel(self.raw, id.0, id.1, reason.0, reason.1)).map(drop)
    }

    pub fn pause(&self, id: &str) -> Result<()> {
        let id = lend(id);
        ask!(sw_run_pause(self.raw, id.0, id.1)).map(drop)
    }

    pub fn resume(&self, id: &str) -> Result<()> {
        let id = lend(id);
        ask!(sw_run_resume(self.raw, id.0, id.1)).map(drop)
    }

    pub fn retry(&self, id: &str) -> Result<()> {
        let id = lend(id);
        ask!(sw_run_retry(self.raw, id.0, id.1)).map(drop)
    }

    pub fn fork(&self, id: &str, from: Option<&str>) -> Result<String> {
        let (id, from) = (lend(id), lend(from));
        let forked =
            named(|out, cap| ask!(sw_run_fork(self.raw, id.0, id.1, from.0, from.1, out, cap)));
        forked.map(|(_, id)| id)
    }

    pub fn queue_set(&self, queue: &str, settings: &str) -> Result<()> {
        let (queue, to) = (lend(queue), lend(settings));
        ask!(sw_queue_set(self.raw, queue.0, queue.1, to.0, to.1)).map(drop)
    }

    // -------------------------------------------------------------------- budgets, events

    pub fn settle(&self, id: &str, usage: &str) -> Result<()> {
        let (id, usage) = (lend(id), lend(usage));
        ask!(sw_budget_settle(self.raw, id.0, id.1, usage.0, usage.1)).map(drop)
    }

    pub fn budget_raise(&self, id: &str, unit: &str, delta: i64) -> Result<()> {
        let (id, unit) = (lend(id), lend(unit));
        ask!(sw_budget_raise(self.raw, id.0, id.1, unit.0, unit.1, delta)).map(drop)
    }

    pub fn budget(&self, id: &str) -> Result<String> {
        let id = lend(id);
        document(|out| ask!(sw_budget_get(self.raw, id.0, id.1, out)))
    }

    pub fn event_read(&self, after: i64, run_id: Option<&str>, limit: u32) -> Result<String> {
        let id = lend(run_id);
        document(|out| ask!(sw_event_read(self.raw, after, id.0, id.1, limit, out)))
    }

    /// `None` when nothing has come in time.
    pub fn event_wait(&self, after: i64, filter: &str, timeout_ms: i64) -> Result<Option<String>> {
        let (filter, stop) = (lend(filter), null_mut());
        let told = texted(|out| {
            let (from, len) = (filter.0, filter.1);
            ask!(sw_event_wait(self.raw, after, from, len, 0, timeout_ms, stop, out))
        });
        told.map(|(_, told)| told)
    }

    // -------------------------------------------------------------------- keeping, carrying

    pub fn prune(&self, filter: Option<&str>, limit: u32) -> Result<String> {
        let filter = lend(filter);
        document(|out| ask!(sw_store_prune(self.raw, filter.0, filter.1, limit, out)))
    }

    pub fn retention_set(&self, policy: Option<&str>) -> Result<()> {
        let policy = lend(policy);
        ask!(sw_retention_set(self.raw, policy.0, policy.1)).map(drop)
    }

    pub fn retention_get(&self) -> Result<String> {
        document(|out| ask!(sw_retention_get(self.raw, out)))
    }

    pub fn compact(&self, pages_max: u32) -> Result<String> {
        document(|out| ask!(sw_store_compact(self.raw, pages_max, out)))
    }

    /// Takes a move back that was not begun.
    pub fn stay(&self) -> Result<String> {
        let (to, with) = (std::ptr::null_mut(), lend(Some(r#"{"abort":true}"#)));
        document(|out| ask!(sw_store_graduate(self.raw, to, with.0, with.1, out)))
    }

    /// Moves it into another one; says whether it is at its end.
    pub fn graduate(&self, to: &Store, options: &str) -> Result<bool> {
        let with = lend(Some(options));
        let told = texted(|out| ask!(sw_store_graduate(self.raw, to.raw, with.0, with.1, out)))?;
        Ok(told.0 == 0)
    }

    pub fn run_export(&self, id: &str, options: Option<&str>) -> Result<String> {
        let (id, with) = (lend(id), lend(options));
        document(|out| ask!(sw_run_export(self.raw, id.0, id.1, with.0, with.1, out)))
    }

    pub fn run_import(&self, text: &str, options: Option<&str>) -> Result<String> {
        let (text, with) = (lend(text), lend(options));
        document(|out| ask!(sw_run_import(self.raw, text.0, text.1, with.0, with.1, out)))
    }
}
