//! An attempt through the C functions: what it is, its steps and children, its ends.

use std::ptr::null_mut;
use std::sync::Arc;

use serde_json::Value;
use smolwf::domain::submit::Submit;
use smolwf::domain::{AfterFail, FailOptions};
use smolwf::ffi::attempt::{
    sw_attempt, sw_attempt_args, sw_attempt_check, sw_attempt_code_version, sw_attempt_complete,
    sw_attempt_fail, sw_attempt_free, sw_attempt_heartbeat, sw_attempt_id,
    sw_attempt_lease_expires_at_ms, sw_attempt_metadata, sw_attempt_number,
    sw_attempt_parent_run_id, sw_attempt_queue, sw_attempt_release, sw_attempt_root_run_id,
    sw_attempt_run_id, sw_attempt_suspend, sw_attempt_workflow,
};
use smolwf::ffi::budget::sw_budget_reserve;
use smolwf::ffi::child::{sw_child_submit, sw_child_submit_many};
use smolwf::ffi::event::sw_event_append;
use smolwf::ffi::sql::sw_query;
use smolwf::ffi::store::sw_store;

use super::step::Step;
use super::store::Store;
use super::{Result, carriers, document, lend, measured, named};

/// A run that a submit of children made or found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmittedChild {
    pub run_id: String,
    pub existed: bool,
}

pub struct Attempt {
    pub(super) raw: *mut sw_attempt,
    /// Where it was claimed; asked while that is open alone.
    store: *mut sw_store,
}

// SAFETY: handles may be used from any thread.
unsafe impl Send for Attempt {}
// SAFETY: and from several at once.
unsafe impl Sync for Attempt {}

impl Drop for Attempt {
    fn drop(&mut self) {
        tell!(sw_attempt_free(self.raw));
    }
}

/// Asks an accessor that gives a text with its length.
macro_rules! view {
    ($function:ident($handle:expr)) => {{
        let mut len = 0;
        let text = tell!($function($handle, &raw mut len));
        measured((text, len))
    }};
}
pub(super) use view;

impl Attempt {
    pub(super) fn of(raw: *mut sw_attempt, store: &Store) -> Arc<Attempt> {
        Arc::new(Attempt { raw, store: store.raw })
    }

    pub fn id(&self) -> &str {
        view!(sw_attempt_id(self.raw)).expect("an attempt has an id")
    }

    pub fn run_id(&self) -> &str {
        view!(sw_attempt_run_id(self.raw)).expect("an attempt is of a run")
    }

    pub fn root_run_id(&self) -> &str {
        view!(sw_attempt_root_run_id(self.raw)).expect("a run has a root")
    }

    pub fn parent_run_id(&self) -> Option<&str> {
        view!(sw_attempt_parent_run_id(self.raw))
    }

    pub fn workflow(&self) -> &str {
        view!(sw_attempt_workflow(self.raw)).expect("a run has a workflow")
    }

    pub fn code_version(&self) -> Option<&str> {
        view!(sw_attempt_code_version(self.raw))
    }

    pub fn queue(&self) -> &str {
        view!(sw_attempt_queue(self.raw)).expect("a run has a queue")
    }

    pub fn args(&self) -> &str {
        view!(sw_attempt_args(self.raw)).expect("absent args read as null")
    }

    pub fn metadata(&self) -> Option<&str> {
        view!(sw_attempt_metadata(self.raw))
    }

    pub fn number(&self) -> u32 {
        tell!(sw_attempt_number(self.raw))
    }

    pub fn lease_expires_at_ms(&self) -> i64 {
        tell!(sw_attempt_lease_expires_at_ms(self.raw))
    }

    pub fn heartbeat(&self, lease_ms: u32) -> Result<()> {
        ask!(sw_attempt_heartbeat(self.raw, lease_ms)).map(drop)
    }

    pub fn check(&self) -> Result<()> {
        ask!(sw_attempt_check(self.raw)).map(drop)
    }

    pub fn complete(&self, result: Option<String>) -> Result<()> {
        let result = lend(result.as_deref());
        ask!(sw_attempt_complete(self.raw, result.0, result.1)).map(drop)
    }

    pub fn fail(&self, error: Option<String>, options: FailOptions) -> Result<AfterFail> {
        let (error, options) = (lend(error.as_deref()), carriers::fail(options));
        let code = ask!(sw_attempt_fail(self.raw, error.0, error.1, &raw const options))?;
        Ok(if code == 5 { AfterFail::Retry { at_ms: self.due_at_ms() } } else { AfterFail::Final })
    }

    /// When the run is due again, which no call tells of one that is paused: the library's own table.
    fn due_at_ms(&self) -> i64 {
        let id = smolwf::id::parse("run", self.run_id()).expect("it is the id of a run");
        let id: String = id.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        // Bytes as SQLite has them, or else an id as PostgreSQL has it.
        let told =
            self.asked_due(&format!("x'{id}'")).or_else(|_| self.asked_due(&format!("'{id}'")));
        let told: Value = serde_json::from_str(&told.expect("the table is there")).unwrap();
        told["rows"][0][0].as_i64().expect("the run is open")
    }

    fn asked_due(&self, id: &str) -> Result<String> {
        let sql = format!(
            "SELECT t.due_at_ms FROM sw_workflow_runs r JOIN sw_workflow_tasks t \
             ON t.task_key = r.run_key WHERE r.run_id = {id}"
        );
        let (sql, none) = (lend(sql.as_str()), lend(None));
        document(|out| {
            ask!(sw_query(self.store, sql.0, sql.1, none.0, none.1, none.0, none.1, out))
        })
    }

    /// Returns the code, which says whether it was there, and the id.
    pub fn reserve(
        &self,
        step: Option<&Step>,
        amounts: &str,
        source: Option<&str>,
    ) -> Result<(i32, String)> {
        let (step, amounts) = (step.map_or(null_mut(), |step| step.raw), lend(amounts));
        let source = lend(source);
        named(|id, cap| {
            let (a, s) = ((amounts.0, amounts.1), (source.0, source.1));
            ask!(sw_budget_reserve(self.raw, step, a.0, a.1, s.0, s.1, id, cap))
        })
    }

    pub fn event_append(&self, kind: &str, payload: &str, key: Option<&str>) -> Result<i32> {
        let (kind, payload, key) = (lend(kind), lend(payload), lend(key));
        ask!(sw_event_append(self.raw, kind.0, kind.1, payload.0, payload.1, key.0, key.1))
    }

    pub fn release(&self, delay_ms: i64) -> Result<()> {
        ask!(sw_attempt_release(self.raw, delay_ms)).map(drop)
    }

    pub fn suspend(&self) -> Result<()> {
        ask!(sw_attempt_suspend(self.raw)).map(drop)
    }

    pub fn child_submit(&self, name: &str, submit: Submit) -> Result<SubmittedChild> {
        let (name, workflow) = (lend(name), lend(submit.workflow.as_str()));
        let (args, options) = (lend(submit.args.as_deref()), carriers::submit(&submit));
        let (code, run_id) = named(|id, cap| {
            let with = &raw const options;
            ask!(sw_child_submit(
                self.raw, name.0, name.1, workflow.0, workflow.1, args.0, args.1, with, id, cap
            ))
        })?;
        Ok(SubmittedChild { run_id, existed: code == 3 })
    }

    pub fn child_submit_many(&self, items: Vec<(String, Submit)>) -> Result<Vec<SubmittedChild>> {
        let item = |(name, submit): &(String, Submit)| carriers::item(Some(name.as_str()), submit);
        let items = carriers::list(items.iter().map(item));
        let items = lend(items.as_str());
        let told = document(|out| ask!(sw_child_submit_many(self.raw, items.0, items.1, out)))?;
        let told: Vec<Value> = serde_json::from_str(&told).unwrap();
        let submitted = |told: &Value| SubmittedChild {
            run_id: told["run_id"].as_str().unwrap().to_owned(),
            existed: told["exists"].as_bool().unwrap(),
        };
        Ok(told.iter().map(submitted).collect())
    }
}
