//! A store with something of everything, made through the library's own functions: what a worker does,
//! which the tool itself never does.

#![allow(
    dead_code,
    missing_docs,
    unsafe_code,
    reason = "a test's; each program that includes it uses a part"
)]
#![allow(
    clippy::multiple_unsafe_ops_per_block,
    clippy::undocumented_unsafe_blocks,
    reason = "a test's"
)]

use std::ffi::{CStr, CString, c_char};
use std::path::Path;
use std::ptr;

#[allow(non_camel_case_types)]
mod sys {
    use smolwf as _;

    include!(concat!(env!("OUT_DIR"), "/sys.rs"));
}

type Err = *mut sys::sw_error;

/// Makes a call that must succeed; its code.
#[track_caller]
fn must(call: impl FnOnce(*mut Err) -> i32) -> i32 {
    let mut error = ptr::null_mut();
    let code = call(&mut error);
    if code < 0 {
        let message = unsafe { CStr::from_ptr(sys::sw_error_message(error)) };
        panic!("{code}: {}", message.to_string_lossy());
    }
    code
}

fn p(text: &str) -> *const c_char {
    text.as_ptr().cast()
}

fn taken(text: *mut sys::sw_text) -> String {
    let mut len = 0;
    unsafe {
        let data = sys::sw_text_data(text, &mut len).cast::<u8>();
        let copy = String::from_utf8(std::slice::from_raw_parts(data, len).to_vec());
        sys::sw_text_free(text);
        copy.expect("the library writes UTF-8")
    }
}

/// An open store that works.
pub struct Stage(*mut sys::sw_store);

/// A run that this process holds.
pub struct Held(*mut sys::sw_attempt);

impl Drop for Stage {
    fn drop(&mut self) {
        unsafe { sys::sw_store_close(self.0) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        unsafe { sys::sw_attempt_free(self.0) }
    }
}

impl Stage {
    /// Opens and migrates a store, made where it is not there.
    pub fn open(path: &Path) -> Stage {
        let path = CString::new(path.to_str().expect("a path of UTF-8")).expect("no NUL");
        let (mut store, mut applied) = (ptr::null_mut(), 0);
        must(|error| unsafe { sys::sw_store_open(path.as_ptr(), ptr::null(), &mut store, error) });
        must(|error| unsafe { sys::sw_store_init(store, &mut applied, error) });
        Stage(store)
    }

    /// Submits a run, an item of `sw_run_submit_many`; its id.
    pub fn submit(&self, item: &str) -> String {
        self.submit_all(&format!("[{item}]")).remove(0)
    }

    /// Submits runs in one commit.
    pub fn submit_all(&self, items: &str) -> Vec<String> {
        let mut out = ptr::null_mut();
        must(|error| unsafe {
            sys::sw_run_submit_many(self.0, p(items), items.len(), &mut out, error)
        });
        let made: serde_json::Value = serde_json::from_str(&taken(out)).expect("a document");
        let made = made.as_array().expect("an array").iter();
        made.map(|run| run["run_id"].as_str().expect("an id").to_string()).collect()
    }

    pub fn queue_set(&self, queue: &str, settings: &str) {
        must(|error| unsafe {
            sys::sw_queue_set(self.0, p(queue), queue.len(), p(settings), settings.len(), error)
        });
    }

    pub fn schedule_set(&self, name: &str, spec: &str) {
        must(|error| unsafe {
            sys::sw_schedule_set(self.0, p(name), name.len(), p(spec), spec.len(), error)
        });
    }

    pub fn pause(&self, id: &str) {
        must(|error| unsafe { sys::sw_run_pause(self.0, p(id), id.len(), error) });
    }

    /// Claims the next run of a queue, for as long as this process lives.
    #[track_caller]
    pub fn claim(&self, queue: &str) -> Held {
        let worker = "worker-1";
        let options = sys::sw_claim_options {
            struct_size: size_of::<sys::sw_claim_options>() as u32,
            flags: 0,
            wait_ms: 10_000,
            lease_ms: sys::SW_LEASE_WHILE_ALIVE,
            reserved: 0,
            worker: p(worker),
            worker_len: worker.len(),
            workflows: ptr::null(),
            workflows_len: 0,
            code_versions: ptr::null(),
            code_versions_len: 0,
            stop: ptr::null_mut(),
        };
        let mut out = ptr::null_mut();
        let code = must(|error| unsafe {
            sys::sw_run_claim(self.0, p(queue), queue.len(), &options, &mut out, error)
        });
        assert_eq!(code, sys::SW_OK, "there is a run to claim in {queue}");
        Held(out)
    }
}

impl Held {
    /// The run's id.
    pub fn id(&self) -> String {
        let id = unsafe { CStr::from_ptr(sys::sw_attempt_run_id(self.0, ptr::null_mut())) };
        id.to_str().expect("ASCII").to_string()
    }

    fn begin(&self, name: &str) -> *mut sys::sw_step {
        let mut step = ptr::null_mut();
        must(|error| unsafe {
            sys::sw_step_begin(
                self.0,
                p(name),
                name.len(),
                ptr::null(),
                0,
                ptr::null(),
                &mut step,
                error,
            )
        });
        step
    }

    /// Records a step.
    pub fn step(&self, name: &str, result: &str) {
        let step = self.begin(name);
        must(|error| unsafe { sys::sw_step_complete(step, p(result), result.len(), error) });
        unsafe { sys::sw_step_free(step) }
    }

    /// Records that a step failed.
    pub fn step_failed(&self, name: &str, error: &str) {
        let step = self.begin(name);
        must(|err| unsafe { sys::sw_step_fail(step, p(error), error.len(), ptr::null(), err) });
        unsafe { sys::sw_step_free(step) }
    }

    /// Parks the run on a signal.
    pub fn await_signal(&self, name: &str) {
        let mut out = ptr::null_mut();
        let code = must(|error| unsafe {
            sys::sw_signal_await(
                self.0,
                p(name),
                name.len(),
                sys::SW_FOREVER.into(),
                &mut out,
                error,
            )
        });
        assert_eq!(code, sys::SW_SUSPEND);
        must(|error| unsafe { sys::sw_attempt_suspend(self.0, error) });
    }

    /// Submits a child; its id.
    pub fn child(&self, name: &str, workflow: &str) -> String {
        let mut room = [0u8; 64];
        must(|error| unsafe {
            sys::sw_child_submit(
                self.0,
                p(name),
                name.len(),
                p(workflow),
                workflow.len(),
                ptr::null(),
                0,
                ptr::null(),
                room.as_mut_ptr().cast(),
                room.len(),
                error,
            )
        });
        CStr::from_bytes_until_nul(&room).expect("a NUL").to_str().expect("ASCII").to_string()
    }

    /// Parks the run on a child.
    pub fn await_child(&self, id: &str) {
        let mut out = ptr::null_mut();
        must(|error| unsafe {
            sys::sw_child_await(self.0, p(id), id.len(), sys::SW_FOREVER.into(), &mut out, error)
        });
        must(|error| unsafe { sys::sw_attempt_suspend(self.0, error) });
    }

    pub fn event(&self, kind: &str, payload: &str) {
        must(|error| unsafe {
            sys::sw_event_append(
                self.0,
                p(kind),
                kind.len(),
                p(payload),
                payload.len(),
                ptr::null(),
                0,
                error,
            )
        });
    }

    /// Reserves of the budget of its tree.
    pub fn reserve(&self, amounts: &str, source: &str) {
        let mut room = [0u8; 64];
        must(|error| unsafe {
            sys::sw_budget_reserve(
                self.0,
                ptr::null_mut(),
                p(amounts),
                amounts.len(),
                p(source),
                source.len(),
                room.as_mut_ptr().cast(),
                room.len(),
                error,
            )
        });
    }

    pub fn complete(self, result: &str) {
        must(|error| unsafe { sys::sw_attempt_complete(self.0, p(result), result.len(), error) });
    }

    /// Fails the run for good, or this try of it.
    pub fn fail(self, error: &str, is_terminal: bool) {
        let options = sys::sw_fail_options {
            struct_size: size_of::<sys::sw_fail_options>() as u32,
            flags: if is_terminal { sys::SW_FAIL_TERMINAL as u32 } else { 0 },
            retry_after_ms: 0,
        };
        must(|err| unsafe { sys::sw_attempt_fail(self.0, p(error), error.len(), &options, err) });
    }
}

/// The runs of `fill`, by what they show.
pub struct Cast {
    pub stage: Stage,
    pub completed: String,
    pub failed: String,
    pub running: Held,
    pub full: String,
    pub waiting: String,
    pub backing_off: String,
    pub delayed: String,
    pub paused: String,
    pub parent: String,
    pub child: String,
}

/// Fills a store: each state, a tree, a queue that is full, a budget, a schedule, events.
pub fn fill(path: &Path) -> Cast {
    let stage = Stage::open(path);
    let completed = stage.submit(
        r#"{"workflow":"invoice","args":{"order":7},"queue":"billing","metadata":{"tenant":"acme"}}"#,
    );
    let held = stage.claim("billing");
    held.step("charge", r#"{"receipt":"r-9","cents":1250}"#);
    held.event("paid", r#"{"cents":1250}"#);
    held.step("mail", "\"sent\"");
    held.complete(r#"{"paid":true}"#);
    let failed = stage.submit(
        r#"{"workflow":"invoice","args":{"order":8},"queue":"billing","metadata":{"tenant":"globex"}}"#,
    );
    let held = stage.claim("billing");
    held.step_failed("charge", r#"{"message":"bank: connection refused"}"#);
    held.fail(r#"{"message":"bank: connection refused","status":503}"#, true);
    let (parent, child) = tree(&stage);
    let waiting = stage.submit(r#"{"workflow":"approval","args":{"amount":900},"queue":"office"}"#);
    let held = stage.claim("office");
    held.step("ask", "\"asked the manager\"");
    held.await_signal("decision");
    let backing_off = stage.submit(
        r#"{"workflow":"import","queue":"files","backoff_initial_ms":3600000,"code_version":"v2"}"#,
    );
    stage.claim("files").fail("\"no such host\"", false);
    let delayed =
        stage.submit(r#"{"workflow":"report","queue":"nightly","run_at_ms":4000000000000}"#);
    let paused = stage.submit(r#"{"workflow":"cleanup","queue":"nightly"}"#);
    stage.pause(&paused);
    stage.queue_set("mail", r#"{"concurrency":1}"#);
    stage.submit(
        r#"{"workflow":"newsletter","queue":"mail","budget":{"tokens":{"limit":5000,"warn":100}}}"#,
    );
    let running = stage.claim("mail");
    running.step("render", "\"ok\"");
    running.reserve(r#"{"tokens":120}"#, "draft");
    let full = stage.submit(r#"{"workflow":"newsletter","queue":"mail"}"#);
    stage.schedule_set(
        "nightly-report",
        r#"{"workflow":"report","queue":"nightly","cron":"30 6 * * MON-FRI","timezone":"UTC"}"#,
    );
    Cast {
        stage,
        completed,
        failed,
        running,
        full,
        waiting,
        backing_off,
        delayed,
        paused,
        parent,
        child,
    }
}

/// A parent that awaits a child, which has a child of its own.
fn tree(stage: &Stage) -> (String, String) {
    let parent = stage.submit(r#"{"workflow":"order","queue":"orders"}"#);
    let held = stage.claim("orders");
    let child = held.child("ship", "shipment");
    held.await_child(&child);
    // A child goes into its parent's queue.
    let held = stage.claim("orders");
    let below = held.child("label", "label");
    held.await_child(&below);
    (parent, child)
}
