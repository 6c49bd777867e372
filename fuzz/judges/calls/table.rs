//! The exported functions, by the header: how each is called, what its parameters are for, and which codes it
//! may answer.

#![allow(unsafe_code, reason = "it calls the C functions, as a host does")]

use std::sync::OnceLock;

use super::arguments::{class, codes, comment, kind_of, kinds};
use super::declared::{self, Struct, constants, structs};

const CDEF: &str = include_str!("../../../include/smolwf.cdef");
const HEADER: &str = include_str!("../../../include/smolwf.h");

/// More parameters than any function has.
pub const WORDS: usize = 16;

type Called = unsafe extern "C" fn(
    u64,
    u64,
    u64,
    u64,
    u64,
    u64,
    u64,
    u64,
    u64,
    u64,
    u64,
    u64,
    u64,
    u64,
    u64,
    u64,
) -> u64;

/// What a function returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    Code,
    View,
    Other,
}

pub struct Function {
    pub name: String,
    address: usize,
    pub parameters: Vec<Parameter>,
    pub gives: Gives,
    pub writes: bool,
    pub codes: Vec<i32>,
}

/// A parameter of a function, or a field of a struct.
pub struct Parameter {
    pub name: String,
    pub class: &'static str,
    /// Of a handle.
    pub kind: &'static str,
    /// Of options.
    pub layout: Option<&'static Layout>,
    pub offset: usize,
    pub size: usize,
}

pub struct Layout {
    name: String,
    pub fields: Vec<Parameter>,
    pub size: usize,
}

impl Function {
    /// # Safety
    /// The words are what the function's parameters ask for.
    pub unsafe fn call(&self, v: &[u64; WORDS]) -> u64 {
        // SAFETY: it is a function of the C ABI that takes integers and pointers alone. Each goes in a
        // register or a word of the stack, which the caller clears, so words it does not have are unread.
        let called: Called = unsafe { std::mem::transmute(self.address) };
        // SAFETY: as the caller says.
        unsafe {
            called(
                v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10], v[11], v[12],
                v[13], v[14], v[15],
            )
        }
    }

    pub fn is_of_store(&self) -> bool {
        self.parameters.first().is_some_and(|first| first.kind == "sw_store")
    }
}

/// Declares the functions, whose types the header knows, and lists their addresses.
macro_rules! exported {
    ($($name:ident)*) => {
        #[allow(clashing_extern_declarations, reason = "the types are read from the header")]
        fn addresses() -> Vec<(&'static str, usize)> {
            unsafe extern "C" { $(fn $name();)* }
            vec![$((stringify!($name), $name as *const () as usize)),*]
        }
    };
}

exported! {
    sw_abi_check sw_abi_version sw_attempt_args sw_attempt_check sw_attempt_code_version
    sw_attempt_complete sw_attempt_fail sw_attempt_free sw_attempt_heartbeat sw_attempt_id
    sw_attempt_lease_expires_at_ms sw_attempt_metadata sw_attempt_number sw_attempt_parent_run_id
    sw_attempt_queue sw_attempt_release sw_attempt_root_run_id sw_attempt_run_id sw_attempt_suspend
    sw_attempt_workflow sw_await_all sw_await_any sw_budget_get sw_budget_raise sw_budget_reserve
    sw_budget_settle sw_build_info sw_child_await sw_child_submit sw_child_submit_many sw_code_name
    sw_error_code sw_error_engine_code sw_error_free sw_error_is_retryable sw_error_message
    sw_event_append sw_event_read sw_event_wait sw_json_quote sw_new_id sw_owner_list sw_query
    sw_queue_list sw_queue_set sw_retention_get sw_retention_set sw_run_act_many sw_run_annotate
    sw_run_cancel sw_run_claim sw_run_claim_many sw_run_count sw_run_explain sw_run_export
    sw_run_find sw_run_fork sw_run_get sw_run_history sw_run_import sw_run_list sw_run_pause
    sw_run_resume sw_run_retry sw_run_submit sw_run_submit_many sw_run_wait sw_schedule_delete
    sw_schedule_list sw_schedule_set sw_signal_await sw_signal_send sw_sleep sw_step_begin
    sw_step_complete sw_step_complete_usage sw_step_error sw_step_fail sw_step_free sw_step_id
    sw_step_name sw_step_occurrence sw_step_result sw_step_retry_at_ms sw_step_tries sw_stop_fire
    sw_stop_free sw_stop_new sw_store_advance_clock sw_store_backup sw_store_check sw_store_close
    sw_store_compact sw_store_graduate sw_store_init sw_store_kill_at sw_store_migrate sw_store_migrations
    sw_store_now_ms sw_store_open sw_store_open_in_memory sw_store_path sw_store_prune
    sw_store_schema_version sw_store_shutdown sw_store_stats sw_store_wait sw_text_data sw_text_free
    sw_tx_run sw_version sw_version_number sw_watch_drain sw_watch_fd sw_watch_free sw_watch_open
}

pub fn functions() -> &'static [Function] {
    static ALL: OnceLock<Vec<Function>> = OnceLock::new();
    ALL.get_or_init(|| {
        let addresses = addresses();
        let declared = declared::functions(CDEF);
        assert_eq!(addresses.len(), declared.len(), "a function is missing in the list above");
        declared.into_iter().map(|function| described(function, &addresses)).collect()
    })
}

pub fn function_named(name: &str) -> Option<&'static Function> {
    functions().iter().find(|function| function.name == name)
}

pub fn constant(name: &str) -> i32 {
    let value = *constants(CDEF).get(name).unwrap_or_else(|| panic!("{name} is a constant"));
    i32::try_from(value).expect("a code")
}

fn described(function: declared::Function, addresses: &[(&'static str, usize)]) -> Function {
    let told = comment(HEADER, &function);
    let found = addresses.iter().find(|(name, _)| *name == function.name);
    let has_error = function.parameters.last().is_some_and(|(_, name)| name == "err");
    let gives = match function.returns.as_str() {
        _ if has_error => Gives::Code,
        returns if returns.ends_with('*') => Gives::View,
        _ => Gives::Other,
    };
    Function {
        address: found.unwrap_or_else(|| panic!("{} is in the list above", function.name)).1,
        parameters: parameters(&function.parameters),
        gives,
        writes: told.contains("Also what any writing call"),
        codes: codes(told).iter().map(|code| constant(code)).collect(),
        name: function.name,
    }
}

fn kinds_known() -> &'static [String] {
    static KINDS: OnceLock<Vec<String>> = OnceLock::new();
    KINDS.get_or_init(|| kinds(CDEF))
}

fn parameters(declared: &[(String, String)]) -> Vec<Parameter> {
    let mut offset = 0_usize;
    let next_of = |at: usize| declared.get(at + 1).map(|(_, name)| name.as_str());
    let each = declared.iter().enumerate().map(|(at, (kind, name))| {
        let class = class(kind, name, next_of(at), kinds_known());
        let size = if kind.starts_with("uint32_t") || kind.starts_with("int32_t") { 4 } else { 8 };
        let at = offset.next_multiple_of(size);
        offset = at + size;
        Parameter {
            name: name.clone(),
            class,
            kind: kind_of(kind, kinds_known()).map_or("", String::as_str),
            layout: layouts_if(class == "OPTIONS", kind),
            offset: at,
            size,
        }
    });
    each.collect()
}

fn layouts_if(is_options: bool, kind: &str) -> Option<&'static Layout> {
    static ALL: OnceLock<Vec<Layout>> = OnceLock::new();
    if !is_options {
        return None;
    }
    let all = ALL.get_or_init(|| structs(CDEF).iter().map(layout).collect());
    all.iter().find(|layout| kind.contains(&layout.name))
}

fn layout(told: &Struct) -> Layout {
    let fields = parameters(&told.fields);
    let end = fields.last().map_or(0, |last| last.offset + last.size);
    let size = end.next_multiple_of(fields.iter().map(|field| field.size).max().unwrap_or(1));
    Layout { name: told.name.clone(), fields, size }
}
