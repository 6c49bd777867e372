//! What a walk asks for, as the option structs and the documents of C have it.

use serde_json::{Map, Value, json};
use smolwf::domain::claim::Claim;
use smolwf::domain::submit::Submit;
use smolwf::domain::{Durability, FailOptions, step};
use smolwf::ffi::options::{
    sw_claim_options, sw_fail_options, sw_step_options, sw_store_options, sw_submit_options,
};
use smolwf::ffi::stop::sw_stop;

use super::lend;
use super::store::StoreOptions;

const OPEN_NO_CREATE: u32 = 1;
const OPEN_READ_ONLY: u32 = 2;
const OPEN_MANUAL_CLOCK: u32 = 4;

fn size_of_struct<T>() -> u32 {
    u32::try_from(size_of::<T>()).expect("an option struct is small")
}

fn durability(durability: Durability) -> u32 {
    match durability {
        Durability::Inherit => 0,
        Durability::Power => 1,
        Durability::Process => 2,
    }
}

pub fn store(options: &StoreOptions) -> sw_store_options {
    let flag = |is_set: bool, flag: u32| if is_set { flag } else { 0 };
    sw_store_options {
        struct_size: size_of_struct::<sw_store_options>(),
        flags: flag(!options.create, OPEN_NO_CREATE)
            | flag(options.read_only, OPEN_READ_ONLY)
            | flag(options.manual_clock, OPEN_MANUAL_CLOCK),
        busy_timeout_ms: options.busy_timeout_ms,
        durability: durability(options.durability),
        max_readers: options.max_readers,
        lease_default_ms: options.lease_default_ms,
        payload_bytes_max: options.payload_bytes_max,
    }
}

/// Views of `submit`, good for as long as that lives.
pub fn submit(submit: &Submit) -> sw_submit_options {
    let text = |text: &Option<String>| lend(text.as_deref());
    let (key, scope) = (text(&submit.idempotency_key), text(&submit.idempotency_scope));
    let (queue, gate) = (text(&submit.queue), text(&submit.concurrency_key));
    let (version, metadata) = (text(&submit.code_version), text(&submit.metadata));
    let budget = text(&submit.budget);
    sw_submit_options {
        struct_size: size_of_struct::<sw_submit_options>(),
        flags: u32::from(submit.is_local),
        queue: queue.0,
        queue_len: queue.1,
        run_at_ms: submit.run_at_ms,
        timeout_ms: submit.timeout_ms,
        backoff_initial_ms: submit.backoff_initial_ms,
        backoff_max_ms: submit.backoff_max_ms,
        priority: submit.priority,
        max_tries: submit.max_tries,
        backoff_percent: submit.backoff_percent,
        reserved: 0,
        idempotency_key: key.0,
        idempotency_key_len: key.1,
        idempotency_scope: scope.0,
        idempotency_scope_len: scope.1,
        concurrency_key: gate.0,
        concurrency_key_len: gate.1,
        code_version: version.0,
        code_version_len: version.1,
        budget: budget.0,
        budget_len: budget.1,
        metadata: metadata.0,
        metadata_len: metadata.1,
    }
}

/// The same as an item of a list; of a child, with its name. Its args stand byte for byte.
pub fn item(name: Option<&str>, submit: &Submit) -> String {
    let parsed = |text: &Option<String>| {
        text.as_ref().map_or(Value::Null, |text| serde_json::from_str(text).expect("JSON"))
    };
    let mut item = Map::new();
    let mut put = |key: &str, value: Value| drop(item.insert(key.to_owned(), value));
    if let Some(name) = name {
        put("name", name.into());
    } else {
        put("idempotency_key", json!(submit.idempotency_key));
        put("idempotency_scope", json!(submit.idempotency_scope));
        put("budget", parsed(&submit.budget));
        put("local", submit.is_local.into());
    }
    put("workflow", json!(submit.workflow));
    put("queue", json!(submit.queue));
    put("run_at_ms", json!(submit.run_at_ms));
    put("timeout_ms", json!(submit.timeout_ms));
    put("priority", json!(submit.priority));
    put("max_tries", json!(submit.max_tries));
    put("concurrency_key", json!(submit.concurrency_key));
    put("code_version", json!(submit.code_version));
    put("metadata", parsed(&submit.metadata));
    let args = submit.args.as_deref().unwrap_or("null");
    let fields = Value::from(item).to_string();
    format!("{{\"args\":{args},{}", &fields[1..])
}

/// A run as an item of a list.
pub fn item_of_list(submit: &Submit) -> String {
    item(None, submit)
}

/// A list of items.
pub fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

/// The lists of a claim as C takes them.
pub struct Lists {
    workflows: Option<String>,
    versions: Option<String>,
}

impl Lists {
    pub fn of(claim: &Claim) -> Lists {
        let list =
            |names: &Option<Vec<String>>| names.as_ref().map(|names| json!(names).to_string());
        Lists { workflows: list(&claim.workflows), versions: list(&claim.code_versions) }
    }

    /// Views of `claim` and of the lists.
    pub fn options(&self, claim: &Claim, stop: *mut sw_stop) -> sw_claim_options {
        let worker = lend(claim.worker.as_deref());
        let (workflows, versions) =
            (lend(self.workflows.as_deref()), lend(self.versions.as_deref()));
        sw_claim_options {
            struct_size: size_of_struct::<sw_claim_options>(),
            flags: 0,
            wait_ms: claim.wait_ms,
            lease_ms: claim.lease_ms,
            reserved: 0,
            worker: worker.0,
            worker_len: worker.1,
            workflows: workflows.0,
            workflows_len: workflows.1,
            code_versions: versions.0,
            code_versions_len: versions.1,
            stop,
        }
    }
}

pub fn fail(options: FailOptions) -> sw_fail_options {
    sw_fail_options {
        struct_size: size_of_struct::<sw_fail_options>(),
        flags: u32::from(options.is_terminal),
        retry_after_ms: options.retry_after_ms,
    }
}

pub fn begin(begin: &step::Begin) -> sw_step_options {
    let kind = lend(begin.kind.as_deref());
    sw_step_options {
        struct_size: size_of_struct::<sw_step_options>(),
        flags: u32::from(begin.is_tracked) | u32::from(begin.is_cleanup) << 1,
        kind: kind.0,
        kind_len: kind.1,
        occurrence: begin.occurrence,
        durability: 0,
        max_tries: begin.max_tries,
        reserved: 0,
        backoff_initial_ms: begin.backoff_initial_ms,
        backoff_max_ms: begin.backoff_max_ms,
    }
}
