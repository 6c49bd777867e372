//! Constants of the header that are no codes: versions, limits, flags.
//!
//! Written as plain numbers, so that the header reads the same to every parser; the assertions at
//! the foot hold them to what they stand for.

use crate::limits;

/// The ABI this header describes. 0 is the preview, which may still change; give it to
/// sw_abi_check.
pub const SW_ABI_VERSION: u32 = 0;

/// First part of the version of the header.
pub const SW_VERSION_MAJOR: u32 = 0;

/// Second part of the version of the header.
pub const SW_VERSION_MINOR: u32 = 1;

/// Third part of the version of the header.
pub const SW_VERSION_PATCH: u32 = 0;

/// Version of the header in one number: major << 16 | minor << 8 | patch. Compare with
/// sw_version_number, which is the library's.
pub const SW_VERSION_NUMBER: u32 = 256;

/// Length that says: the text ends at its NUL. The largest size_t, all bits set: a language without
/// unsigned numbers of 64 bits passes -1. (2^63 is read as the same: what -1 becomes where numbers
/// are floating point, as in LuaJIT.)
pub const SW_NTS: usize = 18_446_744_073_709_551_615;

/// Time-out without limit.
pub const SW_FOREVER: i64 = -1;

/// Bytes that the memory for an id must have at least, with its NUL.
pub const SW_ID_CAP: usize = 64;

/// Length of a lease that holds for as long as the process that claimed lives and has the store
/// open; it does not lapse.
pub const SW_LEASE_WHILE_ALIVE: u32 = 4_294_967_295u32;

/// Durability: what was answered survives the loss of power.
pub const SW_DURABILITY_POWER: u32 = 1;

/// Durability: what was answered survives the death of the process, and the loss of power once any
/// later call with SW_DURABILITY_POWER has answered. Saves a sync of the disk per call.
pub const SW_DURABILITY_PROCESS: u32 = 2;

/// Flag of sw_store_options: the file must exist already, else SW_ERR_CANNOT_OPEN.
pub const SW_OPEN_NO_CREATE: u32 = 1;

/// Flag of sw_store_options: nothing is written through this handle; writers answer
/// SW_ERR_READONLY. Implies SW_OPEN_NO_CREATE.
pub const SW_OPEN_READ_ONLY: u32 = 2;

/// Flag of sw_store_options: the store's clock stands still until sw_store_advance_clock. It
/// starts at the later of the system's time and the latest time in the file. For tests of hosts.
pub const SW_OPEN_MANUAL_CLOCK: u32 = 4;

/// Flag of sw_store_options: do not refuse file systems of a network or of a shared folder, nor a
/// file with a second hard link. Locks and syncs may then not hold what this header promises.
pub const SW_OPEN_ALLOW_NETWORK_FS: u32 = 8;

/// For sw_store_kill_at: the process dies with its transaction, of which nothing is stored.
pub const SW_KILL_BEFORE_COMMIT: i32 = 1;

/// For sw_store_kill_at: the process dies once its transaction is stored, before anybody hears of it.
pub const SW_KILL_AFTER_COMMIT: i32 = 2;

/// Flag of sw_submit_options: only the handle that submits the run may claim it, while that handle
/// is open; any handle afterwards.
pub const SW_SUBMIT_LOCAL: u32 = 1;

/// Flag of sw_claim_options: the attempt completes its run only after it has asked for all that the run
/// has recorded: steps that ended, sleeps, awaits, children. Else sw_attempt_complete, and
/// attempt_complete of sw_tx_run, are SW_ERR_NONDETERMINISM, name one that was not asked for, and store
/// nothing. It finds code that took another way than the attempt before it.
pub const SW_CLAIM_STRICT: u32 = 1;

/// Flag of sw_claim_options: no step is run. sw_step_begin of one whose end is not recorded is
/// SW_ERR_NONDETERMINISM, and names it. For looking whether code replays what was recorded: on a copy,
/// see sw_run_fork.
pub const SW_CLAIM_REPLAY_ONLY: u32 = 2;

/// Flag of sw_fail_options: this failure is final, whatever tries are left.
pub const SW_FAIL_TERMINAL: u32 = 1;

/// Flag of sw_fail_options: the error is plain text, to be stored as a JSON string. It may be
/// empty and may hold NULs.
pub const SW_FAIL_TEXT: u32 = 2;

/// Flag of sw_step_options: the start is recorded too, so that others see the step running and a
/// start without an end counts as a try. With max_tries 1 such a step is never run twice: begin
/// answers SW_FAILED, with an error marked "interrupted". Costs one more commit.
pub const SW_STEP_TRACK: u32 = 1;

/// Flag of sw_step_options: the step undoes something and may begin on a run that was cancelled
/// or timed out.
pub const SW_STEP_CLEANUP: u32 = 2;

const _: () = {
    assert!(SW_NTS == usize::MAX, "SW_NTS is SIZE_MAX, of 64 bits");
    assert!(SW_LEASE_WHILE_ALIVE == u32::MAX);
    assert!(SW_ID_CAP == limits::ID_CAP);
};
