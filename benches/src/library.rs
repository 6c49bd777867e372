//! The shared library, loaded as a host in any language loads it: what is measured is what is installed.

use std::ffi::{CString, c_char, c_void};
use std::path::PathBuf;
use std::sync::OnceLock;

/// Whatever the library gives out.
pub type Handle = *mut c_void;
/// Where it writes one.
pub type Out = *mut Handle;
type Text = *const c_char;

#[repr(C)]
pub struct StoreOptions {
    pub struct_size: u32,
    pub flags: u32,
    pub busy_timeout_ms: u32,
    pub durability: u32,
    pub max_readers: u32,
    pub lease_default_ms: u32,
    pub payload_bytes_max: u64,
}

#[repr(C)]
pub struct ClaimOptions {
    pub struct_size: u32,
    pub flags: u32,
    pub wait_ms: i64,
    pub lease_ms: u32,
    pub reserved: u32,
    pub worker: Text,
    pub worker_len: usize,
    pub workflows: Text,
    pub workflows_len: usize,
    pub code_versions: Text,
    pub code_versions_len: usize,
    pub stop: Handle,
}

#[repr(C)]
pub struct StepOptions {
    pub struct_size: u32,
    pub flags: u32,
    pub kind: Text,
    pub kind_len: usize,
    pub occurrence: u32,
    pub durability: u32,
    pub max_tries: u32,
    pub reserved: u32,
    pub backoff_initial_ms: i64,
    pub backoff_max_ms: i64,
}

macro_rules! functions {
    ($($name:ident($($kind:ty),*) $(-> $answer:ty)?;)*) => {
        /// The functions of the header that are called here.
        pub struct Library {
            $(pub $name: unsafe extern "C" fn($($kind),*) $(-> $answer)?,)*
        }

        impl Library {
            /// # Safety
            /// The header must say the same of each function.
            unsafe fn load(handle: Handle) -> Library {
                Library { $($name: unsafe { std::mem::transmute::<Handle, unsafe extern "C" fn($($kind),*) $(-> $answer)?>(symbol(handle, stringify!($name))) },)* }
            }
        }
    };
}

functions! {
    sw_abi_version() -> u32;
    sw_build_info() -> Text;
    sw_new_id(Text, usize, *mut c_char, usize, Out) -> i32;
    sw_text_data(Handle, *mut usize) -> Text;
    sw_text_free(Handle);
    sw_store_open(Text, *const StoreOptions, Out, Out) -> i32;
    sw_store_init(Handle, *mut u32, Out) -> i32;
    sw_store_close(Handle);
    sw_store_stats(Handle, Out, Out) -> i32;
    sw_queue_list(Handle, Out, Out) -> i32;
    sw_owner_list(Handle, Out, Out) -> i32;
    sw_queue_set(Handle, Text, usize, Text, usize, Out) -> i32;
    sw_retention_set(Handle, Text, usize, Out) -> i32;
    sw_run_submit(Handle, Text, usize, Text, usize, Handle, *mut c_char, usize, Out) -> i32;
    sw_run_submit_many(Handle, Text, usize, Out, Out) -> i32;
    sw_run_claim(Handle, Text, usize, *const ClaimOptions, Out, Out) -> i32;
    sw_run_claim_many(Handle, Text, usize, *const ClaimOptions, u32, Out, *mut u32, Out) -> i32;
    sw_run_list(Handle, Text, usize, Text, usize, u32, Out, Out) -> i32;
    sw_run_count(Handle, Text, usize, u64, *mut u64, Out) -> i32;
    sw_run_explain(Handle, Text, usize, Out, Out) -> i32;
    sw_attempt_complete(Handle, Text, usize, Out) -> i32;
    sw_attempt_release(Handle, i64, Out) -> i32;
    sw_attempt_suspend(Handle, Out) -> i32;
    sw_attempt_free(Handle);
    sw_sleep(Handle, Text, usize, i64, Out) -> i32;
    sw_step_begin(Handle, Text, usize, Text, usize, *const StepOptions, Out, Out) -> i32;
    sw_step_complete(Handle, Text, usize, Out) -> i32;
    sw_step_complete_usage(Handle, Text, usize, Text, usize, Out) -> i32;
    sw_step_result(Handle, *mut usize) -> Text;
    sw_step_free(Handle);
    sw_budget_reserve(Handle, Handle, Text, usize, Text, usize, *mut c_char, usize, Out) -> i32;
    sw_budget_settle(Handle, Text, usize, Text, usize, Out) -> i32;
}

/// The file: SMOLWF_LIBRARY, or what `make build` made.
pub fn path() -> PathBuf {
    let built = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/release/libsmolwf.so");
    let named = std::env::var_os("SMOLWF_LIBRARY").map(PathBuf::from);
    let path = named.unwrap_or_else(|| PathBuf::from(built));
    path.canonicalize().unwrap_or_else(|error| panic!("{}: {error}; make build", path.display()))
}

/// Loads the library at the first call.
pub fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let name = CString::new(path().into_os_string().into_encoded_bytes()).unwrap();
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        assert!(!handle.is_null(), "{} cannot be loaded", path().display());
        unsafe { Library::load(handle) }
    })
}

fn symbol(library: Handle, name: &str) -> Handle {
    let text = CString::new(name).unwrap();
    let found = unsafe { libc::dlsym(library, text.as_ptr()) };
    assert!(!found.is_null(), "the library has no {name}");
    found
}
