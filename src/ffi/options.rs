//! The option structs of the header, and how they are read.

use std::ffi::c_char;
use std::mem::{MaybeUninit, offset_of};

use super::call::Call;
use super::constants::{
    SW_CLAIM_REPLAY_ONLY, SW_CLAIM_STRICT, SW_FAIL_TERMINAL, SW_FAIL_TEXT,
    SW_OPEN_ALLOW_NETWORK_FS, SW_OPEN_MANUAL_CLOCK, SW_OPEN_NO_CREATE, SW_OPEN_READ_ONLY,
    SW_STEP_CLEANUP, SW_STEP_TRACK, SW_SUBMIT_LOCAL,
};
use super::stop::sw_stop;
use crate::error::{Error, Result};
use crate::limits::STRUCT_BYTES_MAX;

/// Options of sw_store_open and sw_store_open_in_memory. Zero in a field is its default.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sw_store_options {
    /// sizeof(sw_store_options).
    pub struct_size: u32,
    /// SW_OPEN_NO_CREATE, SW_OPEN_READ_ONLY, SW_OPEN_MANUAL_CLOCK, SW_OPEN_ALLOW_NETWORK_FS, or 0.
    pub flags: u32,
    /// Milliseconds that a call waits for a lock, 1 to SW_BUSY_TIMEOUT_MS_MAX; 0 is 5000.
    pub busy_timeout_ms: u32,
    /// SW_DURABILITY_POWER or SW_DURABILITY_PROCESS; 0 is POWER.
    pub durability: u32,
    /// Connections that read side by side, 1 to SW_READERS_MAX; 0 is 4. A reading call beyond them waits for
    /// one, up to the busy timeout.
    pub max_readers: u32,
    /// Milliseconds of a lease when the claim names none, SW_LEASE_MS_MIN to SW_LEASE_MS_MAX or
    /// SW_LEASE_WHILE_ALIVE; 0 is 30000.
    pub lease_default_ms: u32,
    /// Bytes of one JSON payload at most, 1 to SW_PAYLOAD_BYTES_MAX; 0 is 16777216.
    pub payload_bytes_max: u64,
}

/// Options of sw_run_submit and sw_child_submit. Zero in a field is its default.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sw_submit_options {
    /// sizeof(sw_submit_options).
    pub struct_size: u32,
    /// SW_SUBMIT_LOCAL, or 0.
    pub flags: u32,
    /// Name of the queue; absent is "default".
    pub queue: *const c_char,
    /// Bytes of queue, or SW_NTS.
    pub queue_len: usize,
    /// Unix milliseconds before which the run is not claimed; 0 is now. At most SW_INSTANT_MS_MAX.
    pub run_at_ms: i64,
    /// Milliseconds from the later of now and run_at_ms after which the run fails with an error
    /// marked "timeout", to SW_DURATION_MS_MAX; 0 is never.
    pub timeout_ms: i64,
    /// Milliseconds before the second try, to SW_DURATION_MS_MAX; 0 is 1000. Each further wait
    /// grows by backoff_percent.
    pub backoff_initial_ms: i64,
    /// Milliseconds between two tries at most, to SW_DURATION_MS_MAX; 0 is 3600000. Waits grow until
    /// they are there, however many tries that takes. Each wait moves by up to a tenth.
    pub backoff_max_ms: i64,
    /// The lower goes first among ready runs; any value.
    pub priority: i32,
    /// Tries before the run fails for good, to SW_TRIES_MAX; 0 is 3.
    pub max_tries: u32,
    /// Growth from one wait to the next in percent, 100 to SW_BACKOFF_PERCENT_MAX; 0 is 200.
    pub backoff_percent: u32,
    /// Must be 0.
    pub reserved: u32,
    /// Key under which one run is made and no second one, for as long as the first exists, to
    /// SW_KEY_BYTES_MAX bytes; absent is none. For another workflow it is SW_ERR_CONFLICT.
    pub idempotency_key: *const c_char,
    /// Bytes of idempotency_key, or SW_NTS.
    pub idempotency_key_len: usize,
    /// Scope within which the key counts, to SW_KEY_BYTES_MAX bytes; absent is the scope
    /// without a name, and empty is SW_ERR_INVALID.
    pub idempotency_scope: *const c_char,
    /// Bytes of idempotency_scope, or SW_NTS.
    pub idempotency_scope_len: usize,
    /// Runs of one queue with the same key, to SW_KEY_BYTES_MAX bytes, share its limit per key.
    pub concurrency_key: *const c_char,
    /// Bytes of concurrency_key, or SW_NTS.
    pub concurrency_key_len: usize,
    /// Version of the code that may run it, a name; absent: any worker may run it.
    pub code_version: *const c_char,
    /// Bytes of code_version, or SW_NTS.
    pub code_version_len: usize,
    /// JSON object `{unit: limit}` of up to SW_BUDGET_UNITS_MAX units, names of 1 to
    /// SW_NAME_BYTES_MAX bytes: what this run and all below it may spend, see sw_budget_reserve. A
    /// limit is an integer 0 to 2^63-1, or `{"limit": integer, "warn": integer}`: when reserved and
    /// spent together come to warn, an event "budget.warning" is appended to the topmost run, once.
    /// Absent is without limits. A forked run has the limits of its source's tree and has spent
    /// nothing; a retried one goes on with its own.
    pub budget: *const c_char,
    /// Bytes of budget, or SW_NTS.
    pub budget_len: usize,
    /// JSON object of the host's own, shown with the run; absent is none.
    pub metadata: *const c_char,
    /// Bytes of metadata, or SW_NTS.
    pub metadata_len: usize,
}

/// Options of sw_run_claim and sw_run_claim_many. Zero in a field is its default.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sw_claim_options {
    /// sizeof(sw_claim_options).
    pub struct_size: u32,
    /// SW_CLAIM_STRICT, SW_CLAIM_REPLAY_ONLY, or 0.
    pub flags: u32,
    /// Milliseconds to wait for a run, to SW_DURATION_MS_MAX, or SW_FOREVER; 0 does not wait.
    pub wait_ms: i64,
    /// As lease_default_ms of sw_store_options; 0 is what the store's options say.
    pub lease_ms: u32,
    /// Must be 0.
    pub reserved: u32,
    /// Name of the worker, shown in the history; absent is none.
    pub worker: *const c_char,
    /// Bytes of worker, or SW_NTS.
    pub worker_len: usize,
    /// JSON array of the workflows to take, such as ["invoice"]; [] takes nothing, absent is all.
    pub workflows: *const c_char,
    /// Bytes of workflows, or SW_NTS.
    pub workflows_len: usize,
    /// JSON array of the code versions to take; runs without one are taken too. `[]` takes only
    /// those, absent is all.
    pub code_versions: *const c_char,
    /// Bytes of code_versions, or SW_NTS.
    pub code_versions_len: usize,
    /// From sw_stop_new, or NULL: once it has fired nothing is claimed; the answer is SW_NONE.
    pub stop: *mut sw_stop,
}

/// Options of sw_attempt_fail and sw_step_fail. Zero in a field is its default.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sw_fail_options {
    /// sizeof(sw_fail_options).
    pub struct_size: u32,
    /// SW_FAIL_TERMINAL, SW_FAIL_TEXT, or 0.
    pub flags: u32,
    /// Milliseconds until the next try, to SW_DURATION_MS_MAX; 0 is what the backoff says.
    pub retry_after_ms: i64,
}

/// Options of sw_step_begin. Zero in a field is its default. None is recorded: each begin goes by its own, so
/// that tries and backoff may differ from one attempt to the next.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sw_step_options {
    /// sizeof(sw_step_options).
    pub struct_size: u32,
    /// SW_STEP_TRACK, SW_STEP_CLEANUP, or 0.
    pub flags: u32,
    /// Label shown in the history, such as "agent", a name; absent is "step".
    pub kind: *const c_char,
    /// Bytes of kind, or SW_NTS.
    pub kind_len: usize,
    /// Which call of this name in the run is meant, 1 to SW_OCCURRENCE_MAX; 0 is the lowest that this
    /// attempt has not passed.
    pub occurrence: u32,
    /// SW_DURABILITY_POWER or SW_DURABILITY_PROCESS; 0 is the store's.
    pub durability: u32,
    /// Tries before the step fails for good, to SW_TRIES_MAX; 0 is 3.
    pub max_tries: u32,
    /// Must be 0.
    pub reserved: u32,
    /// Milliseconds before the second try, to SW_DURATION_MS_MAX; 0 is 1000. Doubles, moved by up
    /// to a tenth.
    pub backoff_initial_ms: i64,
    /// Milliseconds between two tries at most, to SW_DURATION_MS_MAX; 0 is 3600000.
    pub backoff_max_ms: i64,
}

/// One field of an option struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Name in C.
    pub name: &'static str,
    /// Bytes before it.
    pub offset: usize,
    /// Bytes it takes.
    pub size: usize,
}

/// One option struct as the compiler laid it out.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Name in C.
    pub name: &'static str,
    /// Bytes of the whole.
    pub size: usize,
    /// Fields in their order.
    pub fields: &'static [Field],
}

/// An option struct: plain integers and pointers, for which all zero is a value.
///
/// # Safety
/// Every pattern of bytes must be a value, and `LAYOUT` must list every field.
pub(super) unsafe trait Options: Copy {
    /// Where its fields lie.
    const LAYOUT: Layout;
    /// Flags this library knows.
    const FLAGS: u32;

    /// The flags given.
    fn flags(&self) -> u32;
    /// The reserved field, 0 where there is none.
    fn reserved(&self) -> u32 {
        0
    }
}

/// Returns the size of a field that a projection leads to.
const fn size_of_field<S, F>(_: fn(&S) -> &F) -> usize {
    size_of::<F>()
}

/// Lists fields with their places, so that no place is written by hand.
macro_rules! layout {
    ($name:ident: $($field:ident)+) => {
        Layout {
            name: stringify!($name),
            size: size_of::<$name>(),
            fields: &[$(Field {
                name: stringify!($field),
                offset: offset_of!($name, $field),
                size: size_of_field(|options: &$name| &options.$field),
            }),+],
        }
    };
}

// SAFETY: integers only.
unsafe impl Options for sw_store_options {
    const LAYOUT: Layout = layout!(sw_store_options:
        struct_size flags busy_timeout_ms durability max_readers lease_default_ms
        payload_bytes_max);
    const FLAGS: u32 =
        SW_OPEN_NO_CREATE | SW_OPEN_READ_ONLY | SW_OPEN_MANUAL_CLOCK | SW_OPEN_ALLOW_NETWORK_FS;

    fn flags(&self) -> u32 {
        self.flags
    }
}

// SAFETY: integers and raw pointers only.
unsafe impl Options for sw_submit_options {
    const LAYOUT: Layout = layout!(sw_submit_options:
        struct_size flags queue queue_len run_at_ms timeout_ms backoff_initial_ms backoff_max_ms
        priority max_tries backoff_percent reserved idempotency_key idempotency_key_len
        idempotency_scope idempotency_scope_len concurrency_key concurrency_key_len code_version
        code_version_len budget budget_len metadata metadata_len);
    const FLAGS: u32 = SW_SUBMIT_LOCAL;

    fn flags(&self) -> u32 {
        self.flags
    }

    fn reserved(&self) -> u32 {
        self.reserved
    }
}

// SAFETY: integers and raw pointers only.
unsafe impl Options for sw_claim_options {
    const LAYOUT: Layout = layout!(sw_claim_options:
        struct_size flags wait_ms lease_ms reserved worker worker_len workflows workflows_len
        code_versions code_versions_len stop);
    const FLAGS: u32 = SW_CLAIM_STRICT | SW_CLAIM_REPLAY_ONLY;

    fn flags(&self) -> u32 {
        self.flags
    }

    fn reserved(&self) -> u32 {
        self.reserved
    }
}

// SAFETY: integers only.
unsafe impl Options for sw_fail_options {
    const LAYOUT: Layout = layout!(sw_fail_options: struct_size flags retry_after_ms);
    const FLAGS: u32 = SW_FAIL_TERMINAL | SW_FAIL_TEXT;

    fn flags(&self) -> u32 {
        self.flags
    }
}

// SAFETY: integers and raw pointers only.
unsafe impl Options for sw_step_options {
    const LAYOUT: Layout = layout!(sw_step_options:
        struct_size flags kind kind_len occurrence durability max_tries reserved
        backoff_initial_ms backoff_max_ms);
    const FLAGS: u32 = SW_STEP_TRACK | SW_STEP_CLEANUP;

    fn flags(&self) -> u32 {
        self.flags
    }

    fn reserved(&self) -> u32 {
        self.reserved
    }
}

/// Every option struct, for the test that compares them with what a C compiler makes of the
/// header.
pub const LAYOUTS: [Layout; 5] = [
    sw_store_options::LAYOUT,
    sw_submit_options::LAYOUT,
    sw_claim_options::LAYOUT,
    sw_fail_options::LAYOUT,
    sw_step_options::LAYOUT,
];

/// Bytes of struct_size and flags, the least there can be.
const STRUCT_BYTES_MIN: usize = 8;

impl Call {
    /// Reads an option struct: as much of it as its size says, zeros for the rest, NULL for all
    /// zeros. What this library does not know is refused, unless it is zero.
    pub(super) fn options<T: Options>(&self, options: *const T) -> Result<T> {
        let mut read = MaybeUninit::<T>::zeroed();
        if !options.is_null() {
            let given = self.given::<T>(options)?;
            let known = known_len(&T::LAYOUT, given.len());
            refuse_tail(&T::LAYOUT, &given[given.len().min(size_of::<T>())..])?;
            let target = read.as_mut_ptr().cast::<u8>();
            // SAFETY: `known` is at most the bytes given and at most the size of T.
            unsafe { std::ptr::copy_nonoverlapping(given.as_ptr(), target, known) };
        }
        // SAFETY: all bytes are set, and every pattern of bytes is a value of an Options.
        let read = unsafe { read.assume_init() };
        refuse_unknown(T::LAYOUT.name, T::FLAGS, read.flags(), read.reserved())?;
        Ok(read)
    }

    /// Lends the bytes of a struct, as many as it says it has.
    fn given<T: Options>(&self, options: *const T) -> Result<&[u8]> {
        let name = T::LAYOUT.name;
        // SAFETY: the C caller vouches for the first field at least; it may be unaligned.
        let size = unsafe { options.cast::<u32>().read_unaligned() };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size < STRUCT_BYTES_MIN {
            let sentence = format!("struct_size of {name} is {size}, at least {STRUCT_BYTES_MIN}");
            return Err(Error::invalid(sentence));
        }
        if size > STRUCT_BYTES_MAX {
            let sentence = format!("struct_size of {name} is {size}, at most {STRUCT_BYTES_MAX}");
            return Err(Error::Unsupported(sentence.into()));
        }
        // SAFETY: the C caller vouches for struct_size bytes.
        Ok(unsafe { std::slice::from_raw_parts(options.cast::<u8>(), size) })
    }
}

/// Returns how many of the given bytes are whole fields: half a pointer must not be followed.
fn known_len(layout: &Layout, given: usize) -> usize {
    let ends = layout.fields.iter().map(|field| field.offset + field.size);
    ends.take_while(|end| *end <= given).last().unwrap_or(0)
}

fn refuse_tail(layout: &Layout, tail: &[u8]) -> Result<()> {
    match tail.iter().position(|byte| *byte != 0) {
        None => Ok(()),
        Some(at) => Err(Error::Unsupported(
            format!(
                "{} has a field at byte {} that this library does not know",
                layout.name,
                layout.size + at
            )
            .into(),
        )),
    }
}

fn refuse_unknown(name: &str, known: u32, flags: u32, reserved: u32) -> Result<()> {
    if flags & !known != 0 {
        let sentence = format!("{name} has unknown flags: {:#x}", flags & !known);
        return Err(Error::Unsupported(sentence.into()));
    }
    if reserved != 0 {
        let sentence = format!("reserved of {name} is {reserved}, it must be 0");
        return Err(Error::Unsupported(sentence.into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::guard::quiet;

    /// Reads options from memory that a test owns.
    fn read<T: Options>(options: *const T) -> Result<T> {
        // SAFETY: each test gives NULL or a struct as long as it says.
        unsafe { quiet(None, |call| Some(call.options(options))) }.unwrap()
    }

    /// Claim options as 64-bit words, with room for a tail: word 0 is struct_size and flags, word
    /// 1 wait_ms, word 2 lease_ms and reserved, then three pairs of text and stop.
    fn claim(struct_size: u64, flags: u64, words: &[u64]) -> Vec<u64> {
        let mut all = vec![struct_size | flags << 32];
        all.extend(words);
        all.resize(12, 0);
        all
    }

    fn read_claim(words: &[u64]) -> Result<sw_claim_options> {
        read(words.as_ptr().cast())
    }

    #[test]
    fn null_is_all_defaults() {
        let options = read::<sw_submit_options>(std::ptr::null()).unwrap();
        assert_eq!((options.run_at_ms, options.max_tries), (0, 0));
        assert!(options.queue.is_null());
    }

    #[test]
    fn a_shorter_struct_is_extended_with_zeros() {
        let options = read_claim(&claim(16, 0, &[7, 9])).unwrap();
        assert_eq!((options.wait_ms, options.lease_ms), (7, 0));
        let options = read_claim(&claim(20, 0, &[7, 9 | 1 << 32])).unwrap();
        assert_eq!((options.wait_ms, options.lease_ms, options.reserved), (7, 9, 0));
    }

    #[test]
    fn half_a_field_at_the_end_of_a_shorter_struct_is_not_read() {
        let options = read_claim(&claim(28, 0, &[7, 9, 0x1234])).unwrap();
        assert!(options.worker.is_null());
    }

    #[test]
    fn nothing_beyond_struct_size_is_read() {
        let edge: Vec<u32> = vec![8, 0];
        let options = read::<sw_claim_options>(edge.as_ptr().cast()).unwrap();
        assert_eq!(options.wait_ms, 0);
    }

    #[test]
    fn a_struct_without_room_for_flags_is_invalid() {
        for size in [0, 1, 7] {
            assert_eq!(read_claim(&claim(size, 0, &[])).unwrap_err().code(), -2);
        }
    }

    #[test]
    fn a_longer_struct_is_taken_while_its_tail_is_zero() {
        let own = size_of::<sw_claim_options>() as u64;
        assert!(read_claim(&claim(own + 8, 0, &[])).is_ok());
        let mut words = claim(own + 8, 0, &[]);
        words[size_of::<sw_claim_options>() / 8] = 1 << 56;
        let error = read_claim(&words).unwrap_err();
        assert_eq!(error.code(), -6);
        assert!(error.to_string().contains("at byte 87"), "{error}");
    }

    #[test]
    fn a_size_that_no_struct_has_is_refused_unread() {
        for size in [4_097, u64::from(u32::MAX)] {
            assert_eq!(read_claim(&claim(size, 0, &[])).unwrap_err().code(), -6);
        }
    }

    #[test]
    fn an_unknown_flag_and_a_reserved_value_are_unsupported() {
        let own = size_of::<sw_claim_options>() as u64;
        assert_eq!(read_claim(&claim(own, 4, &[])).unwrap_err().code(), -6);
        assert_eq!(read_claim(&claim(own, 0, &[0, 1 << 32])).unwrap_err().code(), -6);
        let fail = [16u64 | 4 << 32, 0];
        let error = read::<sw_fail_options>(fail.as_ptr().cast()).unwrap_err();
        assert_eq!(error.to_string(), "sw_fail_options has unknown flags: 0x4");
    }

    #[test]
    fn a_struct_may_lie_at_any_address() {
        let mut bytes = [0u8; 17];
        bytes[1] = 16;
        bytes[9] = 5;
        let options = read::<sw_fail_options>(bytes[1..].as_ptr().cast()).unwrap();
        assert_eq!(options.retry_after_ms, 5);
    }

    #[test]
    fn a_layout_lists_every_byte_once() {
        for layout in LAYOUTS {
            let mut end = 0;
            for field in layout.fields {
                assert_eq!(field.offset, end, "{} of {}", field.name, layout.name);
                end += field.size;
            }
            assert_eq!(end, layout.size, "{}", layout.name);
        }
    }
}
