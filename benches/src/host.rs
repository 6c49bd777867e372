//! What a host does, in words: stores and the runs it holds.

use std::ffi::{CStr, CString, c_char};
use std::path::Path;
use std::ptr::{null, null_mut};

use crate::library::{ClaimOptions, Handle, Out, StepOptions, StoreOptions, library};

/// A text that ends in NUL.
pub const NTS: usize = usize::MAX;
pub const POWER: u32 = 1;
pub const PROCESS: u32 = 2;
const REPLAYED: i32 = 3;

/// A store.
#[derive(Clone, Copy)]
pub struct Host(pub Handle);

// SAFETY: the header says that any thread may use a store at any time.
unsafe impl Send for Host {}
unsafe impl Sync for Host {}

/// A run that is held.
#[derive(Clone, Copy)]
pub struct Work(pub Handle);

// SAFETY: as above.
unsafe impl Send for Work {}
unsafe impl Sync for Work {}

#[track_caller]
fn ok(code: i32) {
    assert_eq!(code, 0, "a call that cannot fail here");
}

/// Returns the document that a call gives.
pub fn document(call: impl FnOnce(Out) -> i32) -> String {
    let mut text = null_mut();
    ok(call(&mut text));
    let mut len = 0;
    unsafe {
        let data = (library().sw_text_data)(text, &mut len);
        let bytes = std::slice::from_raw_parts(data.cast::<u8>(), len);
        let document = String::from_utf8(bytes.to_vec()).unwrap();
        (library().sw_text_free)(text);
        document
    }
}

impl Host {
    /// Opens with leases that hold while the process lives, and brings the file to the newest schema.
    pub fn open(path: &Path, durability: u32) -> Host {
        Host::open_busy(path, durability, 0)
    }

    /// The same with a busy timeout.
    pub fn open_busy(path: &Path, durability: u32, busy_timeout_ms: u32) -> Host {
        let path = CString::new(path.to_str().unwrap()).unwrap();
        let options = StoreOptions {
            struct_size: size_of::<StoreOptions>() as u32,
            flags: 0,
            busy_timeout_ms,
            durability,
            max_readers: 0,
            lease_default_ms: u32::MAX,
            payload_bytes_max: 0,
        };
        let (mut store, mut applied) = (null_mut(), 0);
        unsafe {
            ok((library().sw_store_open)(path.as_ptr(), &options, &mut store, null_mut()));
            ok((library().sw_store_init)(store, &mut applied, null_mut()));
        }
        Host(store)
    }

    pub fn close(self) {
        unsafe { (library().sw_store_close)(self.0) };
    }

    /// Lets as many runs of a queue run at once behind each concurrency key.
    pub fn limit_per_key(self, queue: &CStr, most: u32) {
        let text = format!("{{\"concurrency_per_key\":{most}}}");
        let (queue, data) = (queue.as_ptr(), text.as_ptr().cast());
        ok(unsafe { (library().sw_queue_set)(self.0, queue, NTS, data, text.len(), null_mut()) });
    }

    pub fn retain(self, policy: &str) {
        let text = policy.as_ptr().cast();
        ok(unsafe { (library().sw_retention_set)(self.0, text, policy.len(), null_mut()) });
    }

    pub fn submit(self, args: &str) {
        let mut id = [0 as c_char; 64];
        let (data, len) = (args.as_ptr().cast(), args.len());
        let (name, room, cap) = (c"bench".as_ptr(), id.as_mut_ptr(), id.len());
        let submit = library().sw_run_submit;
        ok(unsafe { submit(self.0, name, NTS, data, len, null_mut(), room, cap, null_mut()) });
    }

    /// Submits runs from a JSON list, in one commit.
    pub fn submit_list(self, items: &[String]) {
        let items = format!("[{}]", items.join(","));
        let (text, mut out) = (items.as_ptr().cast(), null_mut());
        let submit = library().sw_run_submit_many;
        ok(unsafe { submit(self.0, text, items.len(), &mut out, null_mut()) });
        unsafe { (library().sw_text_free)(out) };
    }

    /// Submits as many runs in one commit, over three workflows.
    pub fn submit_many(self, count: usize) {
        let item = |n| format!("{{\"workflow\":\"bench-{}\",\"args\":{n}}}", n % 3);
        self.submit_list(&(0..count).map(item).collect::<Vec<String>>());
    }

    /// Claims what is there.
    pub fn claim(self) -> Option<Work> {
        self.claim_as(null())
    }

    /// Claims, waiting as long; -1 is without limit.
    pub fn claim_within(self, wait_ms: i64) -> Option<Work> {
        self.claim_of(wait_ms, None, None)
    }

    /// Claims a run of these workflows and code versions, JSON arrays.
    pub fn claim_of(
        self,
        wait_ms: i64,
        workflows: Option<&CStr>,
        versions: Option<&CStr>,
    ) -> Option<Work> {
        self.claim_as(&ClaimOptions {
            struct_size: size_of::<ClaimOptions>() as u32,
            flags: 0,
            wait_ms,
            lease_ms: 0,
            reserved: 0,
            worker: null(),
            worker_len: 0,
            workflows: workflows.map_or(null(), CStr::as_ptr),
            workflows_len: NTS,
            code_versions: versions.map_or(null(), CStr::as_ptr),
            code_versions_len: NTS,
            stop: null_mut(),
        })
    }

    fn claim_as(self, options: *const ClaimOptions) -> Option<Work> {
        let mut attempt = null_mut();
        let claim = library().sw_run_claim;
        let code = unsafe { claim(self.0, null(), 0, options, &mut attempt, null_mut()) };
        assert!(code >= 0, "claim answered {code}");
        (code == 0).then_some(Work(attempt))
    }

    /// Claims up to as many runs in one commit.
    pub fn claim_many(self, count: usize) -> Vec<Work> {
        let (mut room, mut found) = (vec![null_mut(); count], 0);
        let (claim, most) = (library().sw_run_claim_many, count as u32);
        let out = room.as_mut_ptr();
        let code = unsafe { claim(self.0, null(), 0, null(), most, out, &mut found, null_mut()) };
        assert!(code >= 0, "claim_many answered {code}");
        room.into_iter().take(found as usize).map(Work).collect()
    }

    /// Submits a run and claims it.
    pub fn begin(self) -> Work {
        self.submit("null");
        self.claim().unwrap()
    }
}

/// Options that name an occurrence of a step; 0 is the next one.
pub fn occurrence(occurrence: u32) -> StepOptions {
    StepOptions {
        struct_size: size_of::<StepOptions>() as u32,
        flags: 0,
        kind: null(),
        kind_len: 0,
        occurrence,
        durability: 0,
        max_tries: 0,
        reserved: 0,
        backoff_initial_ms: 0,
        backoff_max_ms: 0,
    }
}

impl Work {
    /// Begins a step; the code says whether it is to run.
    pub fn step(self, name: &str, options: &StepOptions) -> (i32, Handle) {
        let (begin, mut step) = (library().sw_step_begin, null_mut());
        let (data, len) = (name.as_ptr().cast(), name.len());
        let code = unsafe { begin(self.0, data, len, null(), 0, options, &mut step, null_mut()) };
        (code, step)
    }

    /// One durable step, begun and completed.
    #[inline(never)]
    pub fn do_step(self, name: &str, result: &str, durability: u32) {
        let (code, step) = self.step(name, &StepOptions { durability, ..occurrence(0) });
        ok(code);
        complete(step, result);
    }

    /// Asks for a step that is recorded.
    #[inline(never)]
    pub fn replay(self, name: &str, which: u32) {
        let (code, step) = self.step(name, &occurrence(which));
        assert_eq!(code, REPLAYED);
        let mut len = 0;
        unsafe {
            assert!(!(library().sw_step_result)(step, &mut len).is_null() && len > 100);
            (library().sw_step_free)(step);
        }
    }

    /// Waits a day, without holding anything.
    pub fn sleep(self) {
        let day_ms = 86_400_000;
        unsafe {
            let code = (library().sw_sleep)(self.0, c"day".as_ptr(), NTS, day_ms, null_mut());
            assert!(code >= 0, "sleep answered {code}");
            let code = (library().sw_attempt_suspend)(self.0, null_mut());
            assert!(code >= 0, "suspend answered {code}");
            (library().sw_attempt_free)(self.0);
        }
    }

    /// Gives the run back.
    pub fn release(self) {
        unsafe {
            ok((library().sw_attempt_release)(self.0, 0, null_mut()));
            (library().sw_attempt_free)(self.0);
        }
    }

    pub fn complete(self) {
        unsafe {
            ok((library().sw_attempt_complete)(self.0, c"true".as_ptr(), 4, null_mut()));
            (library().sw_attempt_free)(self.0);
        }
    }
}

fn complete(step: Handle, result: &str) {
    unsafe {
        let code =
            (library().sw_step_complete)(step, result.as_ptr().cast(), result.len(), null_mut());
        ok(code);
        (library().sw_step_free)(step);
    }
}

/// A JSON result of as many bytes.
pub fn result_of(bytes: usize) -> String {
    format!("{{\"text\":\"{}\"}}", "y".repeat(bytes.saturating_sub(11)))
}
