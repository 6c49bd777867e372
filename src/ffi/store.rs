//! Opening a store, its schema, its clock, and its end.

use std::ffi::{CStr, c_char};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};

use super::call::Call;
use super::codes::{SW_NONE, SW_OK, SW_TIMEOUT};
use super::constants::{
    SW_FOREVER, SW_KILL_AFTER_COMMIT, SW_KILL_BEFORE_COMMIT, SW_OPEN_ALLOW_NETWORK_FS,
    SW_OPEN_MANUAL_CLOCK, SW_OPEN_NO_CREATE, SW_OPEN_READ_ONLY,
};
use super::guard::{guard, quiet};
use super::handle::{Handle, Kind};
use super::options::sw_store_options;
use super::report::sw_error;
use super::stop::sw_stop;
use super::text::sw_text;
use crate::domain::Durability;
use crate::error::{Error, Result};
use crate::handles::store::{Store, StoreOptions};
use crate::lock::Unpoisoned;
use crate::text::Text;

/// An open store: one file, or a place in memory. A file may be opened many times, in
/// one process and in many. Ended by sw_store_close.
pub struct sw_store {
    _opaque: [u8; 0],
}

impl Handle for sw_store {
    type Body = Open;
    const KIND: Kind = Kind::Store;
    const IS_OF_PROCESS: bool = true;
}

/// What a store handle holds: a store until it is closed, nothing after.
pub(super) struct Open {
    store: RwLock<Option<Arc<Store>>>,
}

impl Open {
    fn new(store: Arc<Store>) -> Open {
        Open { store: RwLock::new(Some(store)) }
    }

    fn store(&self) -> Result<Arc<Store>> {
        let store = self.store.read().unpoisoned();
        store.clone().ok_or(Error::Closed)
    }

    fn take(&self) -> Option<Arc<Store>> {
        self.store.write().unpoisoned().take()
    }
}

/// Closed handles whose memory is kept, so that a call on one answers SW_ERR_CLOSED and does not
/// read what is no longer there. Each takes some forty bytes.
const SHELF_LEN: usize = 1_024;

/// The handles closed last. No lock: a child may be forked while another thread closes.
static SHELF: [AtomicPtr<sw_store>; SHELF_LEN] =
    [const { AtomicPtr::new(std::ptr::null_mut()) }; SHELF_LEN];

/// How many handles were put on the shelf so far.
static SHELVED: AtomicUsize = AtomicUsize::new(0);

impl Call {
    /// Takes a hold of the store behind a handle.
    pub(super) fn store(&self, store: *const sw_store) -> Result<Arc<Store>> {
        self.body(store)?.store()
    }

    /// Puts a closed handle's memory on the shelf, and frees what lay longest there.
    fn shelve(&self, store: *mut sw_store) {
        let place = &SHELF[SHELVED.fetch_add(1, Ordering::Relaxed) % SHELF_LEN];
        drop(self.take(place.swap(store, Ordering::AcqRel)));
    }
}

/// Turns what C asks for into what the store takes.
fn store_options(options: &sw_store_options) -> Result<StoreOptions> {
    let has = |flag| options.flags & flag != 0;
    let durability = Durability::from_code(options.durability).ok_or_else(|| {
        let sentence = format!("durability is {}, it must be 0, 1 or 2", options.durability);
        Error::invalid(sentence)
    })?;
    Ok(StoreOptions {
        create: !has(SW_OPEN_NO_CREATE),
        read_only: has(SW_OPEN_READ_ONLY),
        manual_clock: has(SW_OPEN_MANUAL_CLOCK),
        allow_network_fs: has(SW_OPEN_ALLOW_NETWORK_FS),
        busy_timeout_ms: options.busy_timeout_ms,
        durability,
        max_readers: options.max_readers,
        lease_default_ms: options.lease_default_ms,
        payload_bytes_max: options.payload_bytes_max,
    })
}

/// Opens the store in a file, creating the file with mode 0600 unless told not to. Does not
/// migrate: call sw_store_init next. Every refusal is made here, before one byte of the file
/// changes, and a new file that cannot be opened is taken away again. One change comes first where
/// it is due: a transaction that was cut off is rolled back from its -journal, as by any program
/// that opens the file, since it can be told only afterwards whose file it is.
///
/// Beside the file stand its -wal and -shm, which are SQLite's, and its -smolwf, which is this
/// library's; do not remove them while the store is open anywhere. A symbolic link is followed, also
/// to a file that is yet to be made. A path that begins with "file:", "sqlite:" or another scheme and
/// "://" is refused, as is ":memory:", which is sw_store_open_in_memory's.
///
/// A path that begins with "postgresql://" or "postgres://" is no file but a schema on a server, where
/// the library was built with that; its docs/POSTGRES.md says what differs.
///
/// With SW_OPEN_READ_ONLY no right to write is needed, neither to the file nor to its directory, and
/// what others write is seen at the next call. But a file with a -wal is read with its -shm: where
/// that is not there and cannot be made, as on a read-only mount, or may not be read, the answer is
/// SW_ERR_CANNOT_OPEN, here or from the first reading call after a writer came.
///
/// May block.
/// \param path  path of the file, NUL-terminated; to SW_FILE_BYTES_MAX bytes when it is absolute
///              and links are followed, its last part to 247
/// \param out   receives the store, ended by sw_store_close; NULL on failure
/// \retval SW_OK                  the store is open
/// \retval SW_ERR_INVALID         path is empty, too long, a URI or ":memory:", or an option is out
///                                of its range
/// \retval SW_ERR_UNSUPPORTED     an unknown option or flag, a file system of a network or of a
///                                shared folder, a file with a second hard link, a -smolwf file
///                                of another version, or a server where none can be served
/// \retval SW_ERR_FORKED          the file was open in the parent when this process was forked
/// \retval SW_ERR_SECOND_COPY     another copy of this library in this process has the file open
/// \retval SW_ERR_SCHEMA_NEW      the file is of a newer library
/// \retval SW_ERR_SCHEMA_FOREIGN  the file has sw_* tables that are not of this library, or something
///                                was added to its own
/// \retval SW_ERR_SCHEMA_EDITED   a migration applied to the file differs from this library's
/// \retval SW_ERR_BUSY            another process held a lock for the whole time-out
/// \retval SW_ERR_IO              reading, writing or locking failed, or there are too few
///                                descriptors
/// \retval SW_ERR_FULL            no room for the file or for those beside it
/// \retval SW_ERR_READONLY        the file or its directory cannot be written, and the options do
///                                not say SW_OPEN_READ_ONLY
/// \retval SW_ERR_CORRUPT         the file is damaged
/// \retval SW_ERR_NOMEM           memory ran out
/// \retval SW_ERR_NOT_A_STORE     the file is not a SQLite database
/// \retval SW_ERR_CANNOT_OPEN     no such file with SW_OPEN_NO_CREATE, no such directory, no right; a
///                                server that is not reached or does not let this user in;
///                                with SW_OPEN_READ_ONLY also a -wal without a readable -shm, and a
///                                transaction that was cut off and is to be rolled back first
/// \retval SW_ERR_WAL_LOST        a file of the store was removed or replaced meanwhile
/// \codes any
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_store_open(
    path: *const c_char,
    options: *const sw_store_options,
    out: *mut *mut sw_store,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out = call.out_handle(out)?;
            let path = call.path(path)?;
            let options = store_options(&call.options(options)?)?;
            let store = Store::open(path, &options)?;
            out.give(Open::new(store));
            Ok(SW_OK)
        })
    }
}

/// Opens a store in memory, which dies with its handle. For tests of hosts; call sw_store_init
/// next. Never blocks.
/// \param options  NULL for all defaults; the flags about files mean nothing here
/// \param out      receives the store, ended by sw_store_close; NULL on failure
/// \retval SW_OK               the store is open
/// \retval SW_ERR_INVALID      an option is out of its range
/// \retval SW_ERR_UNSUPPORTED  an unknown option or flag
/// \retval SW_ERR_NOMEM        memory ran out
/// \codes any
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_store_open_in_memory(
    options: *const sw_store_options,
    out: *mut *mut sw_store,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out = call.out_handle(out)?;
            let options = store_options(&call.options(options)?)?;
            let store = Store::open_in_memory(&options)?;
            out.give(Open::new(store));
            Ok(SW_OK)
        })
    }
}

/// Migrates the store to the newest schema this library has; a new file gets its tables. Any
/// number of processes may do so at once. All pending migrations are applied, or none.
///
/// May block. Durable against the loss of power when it returns.
/// \param out_applied  receives how many migrations were applied now, 0 when none was pending
/// \retval SW_OK  the schema is the newest
/// \codes writing but SW_ERR_SCHEMA_OLD
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_store_init(
    store: *mut sw_store,
    out_applied: *mut u32,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out_applied = call.out("out_applied", out_applied)?;
            out_applied.set(call.store(store)?.init()?);
            Ok(SW_OK)
        })
    }
}

/// Migrates the store up to one version of the schema; for hosts that roll out in two steps. Calls
/// about runs work with the newest version only.
///
/// May block. Durable against the loss of power when it returns.
/// \param target       the version, from 0; see sw_store_schema_version
/// \param out_applied  receives how many migrations were applied now, 0 when none was pending
/// \retval SW_OK                the schema is target
/// \retval SW_ERR_INVALID       target is below 0
/// \retval SW_ERR_TARGET_OLDER  target is below the version of the file
/// \retval SW_ERR_SCHEMA_NEW    also: target is newer than this library
/// \codes writing but SW_ERR_SCHEMA_OLD
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_store_migrate(
    store: *mut sw_store,
    target: i64,
    out_applied: *mut u32,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out_applied = call.out("out_applied", out_applied)?;
            out_applied.set(call.store(store)?.migrate(target)?);
            Ok(SW_OK)
        })
    }
}

/// Returns the version of the schema in the file, and the newest that this library has.
///
/// May block.
/// \param out_current  receives the version in the file, 0 when nothing was applied yet
/// \param out_newest   receives the version that sw_store_init goes to
/// \retval SW_OK  both are written
/// \codes reading but SW_ERR_SCHEMA_OLD
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_store_schema_version(
    store: *mut sw_store,
    out_current: *mut i64,
    out_newest: *mut i64,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out_current = call.out("out_current", out_current)?;
            let out_newest = call.out("out_newest", out_newest)?;
            let (current, newest) = call.store(store)?.schema_version()?;
            out_current.set(current);
            out_newest.set(newest);
            Ok(SW_OK)
        })
    }
}

/// Lists the migrations applied to the file, ascending:
/// `[{"id":1,"introduced_version":"0.1.0","applied_time":1760000000000}]`, times in Unix
/// milliseconds.
///
/// May block.
/// \param out  receives the JSON, freed by sw_text_free; NULL on failure
/// \retval SW_OK  the list is in out; `[]` when nothing was applied yet
/// \codes reading but SW_ERR_SCHEMA_OLD
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_store_migrations(
    store: *mut sw_store,
    out: *mut *mut sw_text,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out = call.out_handle(out)?;
            out.give(Text::from(call.store(store)?.migrations()?));
            Ok(SW_OK)
        })
    }
}

/// Returns the path of the file, or the URL of the server's store without what is secret in it. Never
/// blocks.
/// \return NUL-terminated, as the system takes it, living until sw_store_close; NULL for a store in
///         memory, and for what is no store
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_store_path(store: *const sw_store) -> *const c_char {
    let none = std::ptr::null();
    // SAFETY: the only pointer is an argument, which the header binds.
    unsafe {
        quiet(none, |call| {
            // The pointer outlives this hold: the handle has its own until it is closed.
            let store = call.store(store);
            store.map_or(none, |store| store.path().map_or(none, CStr::as_ptr))
        })
    }
}

/// Moves the manual clock on: sleeps, backoffs and leases that come due by it are due at once, and
/// waits that they end return. A host tests thirty days in a millisecond. On an error the clock has
/// not moved.
///
/// SW_FOREVER moves it to the next moment at which something comes due, a sleep, a backoff, a time-out, a
/// lease or a schedule; it stays where something is due already. With a claim after each move a host runs
/// to its end whatever waits for time alone.
///
/// May block. What it moves to survives the death of the process. Without tables of ours, or with
/// SW_OPEN_READ_ONLY, the clock moves for this handle alone.
/// \param store  a store opened with SW_OPEN_MANUAL_CLOCK
/// \param ms     milliseconds to go forward, from 0, or SW_FOREVER
/// \retval SW_OK           the clock has moved
/// \retval SW_NONE         ms is SW_FOREVER and nothing will come due: the clock has not moved
/// \retval SW_ERR_MISUSE   also: the store was opened without SW_OPEN_MANUAL_CLOCK
/// \retval SW_ERR_INVALID  ms is below -1, or would pass SW_INSTANT_MS_MAX
/// \retval SW_ERR_SCHEMA_OLD  ms is SW_FOREVER, and the file has an older schema, or none yet
/// \codes writing but SW_ERR_SCHEMA_OLD, SW_ERR_READONLY
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_store_advance_clock(
    store: *mut sw_store,
    ms: i64,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let store = call.store(store)?;
            if ms != SW_FOREVER {
                store.advance_clock(ms)?;
            } else if !store.advance_clock_to_due()? {
                return Ok(SW_NONE);
            }
            Ok(SW_OK)
        })
    }
}

/// Has this process die by SIGKILL at the commit-th commit that it makes on this file from now on, for a
/// test of what a host does then: every write that a host waits for is one, whatever it is. A test
/// kills a workflow at its first, its second, its third commit and so on until it runs to its end
/// undisturbed, each time before and after, and looks what the next process makes of it;
/// smolwf_testing.h does that. It holds for all handles of the file in this process, until it has struck
/// or is asked for anew.
///
/// May block: it waits for a write that is under way.
/// \param store   any store
/// \param commit  from 1, the next one; 0 is none, the process lives
/// \param when    SW_KILL_BEFORE_COMMIT or SW_KILL_AFTER_COMMIT, also with commit 0
/// \retval SW_OK              it will, or, with 0, it will not
/// \retval SW_ERR_INVALID     commit is below 0, or when is another number
/// \retval SW_ERR_READONLY    the store was opened with SW_OPEN_READ_ONLY: it makes no commits
/// \retval SW_ERR_CLOSED      the store was shut down or closed
/// \retval SW_ERR_FORKED      the store was opened before a fork and this process is the child
/// \codes any
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_store_kill_at(
    store: *mut sw_store,
    commit: i64,
    when: i32,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let store = call.store(store)?;
            let is_after = match when {
                SW_KILL_BEFORE_COMMIT => false,
                SW_KILL_AFTER_COMMIT => true,
                other => {
                    return Err(Error::invalid(format!(
                        "when is {other}, it must be SW_KILL_BEFORE_COMMIT or SW_KILL_AFTER_COMMIT"
                    )));
                }
            };
            store.kill_at(commit, is_after)?;
            Ok(SW_OK)
        })
    }
}

/// Returns the store's clock: the system's, or the manual one. Never blocks.
/// \return Unix milliseconds; 0 for what is no open store
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_store_now_ms(store: *const sw_store) -> i64 {
    // SAFETY: the only pointer is an argument, which the header binds.
    unsafe { quiet(0, |call| call.store(store).map_or(0, |store| store.now_ms())) }
}

/// Waits until the store's change counter is another than `seen`. The counter moves when a run
/// becomes claimable (submitted, woken, given back, due, lapsed, its owner dead), when one ends or is
/// cancelled, and when an event is appended, in any process; never for steps or heartbeats. It may
/// move for several of those at once, and now and then for none.
///
/// So no wake-up is lost: take the counter (with `seen` 0 and timeout_ms 0), look at the store, and
/// wait with that counter as `seen`. It lives as long as some process has the store open.
///
/// A store opened with SW_OPEN_READ_ONLY hears what those who write tell, through `<path>-smolwf`,
/// and moves nothing itself: what comes due is told once one of them has moved it. While there is
/// no such file, as nobody has written yet, the counter is 0. Where its user may read that file and
/// not write to it, it looks at a word in memory every 50 milliseconds, as nobody can wake it.
///
/// Waits at most timeout_ms; besides, it may block.
/// \param seen        a counter that an earlier call gave, or 0
/// \param timeout_ms  milliseconds, to SW_DURATION_MS_MAX; 0 answers now, SW_FOREVER waits without
///                    limit
/// \param out_now     receives the counter, also for SW_TIMEOUT
/// \retval SW_OK               the counter is another
/// \retval SW_TIMEOUT          it was not until timeout_ms passed or the stop fired
/// \retval SW_ERR_INVALID      timeout_ms is below -1 or above SW_DURATION_MS_MAX
/// \retval SW_ERR_CLOSED       also when the store is shut down during the wait
/// \retval SW_ERR_READONLY     the store was opened with SW_OPEN_READ_ONLY, and the file beside it
///                             that tells of changes cannot be read
/// \retval SW_ERR_UNSUPPORTED  the same, and that file is of another release of the library
/// \codes sweeping
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_store_wait(
    store: *mut sw_store,
    seen: u64,
    timeout_ms: i64,
    stop: *mut sw_stop,
    out_now: *mut u64,
    err: *mut *mut sw_error,
) -> i32 {
    // SAFETY: the pointers are arguments, which the header binds.
    unsafe {
        guard(err, |call| {
            let out_now = call.out("out_now", out_now)?;
            let store = call.store(store)?;
            let stop = call.optional_stop(stop)?;
            let now = store.wait_for_change(seen, timeout_ms, stop.as_deref())?;
            out_now.set(now.unwrap_or(seen));
            Ok(if now.is_some() { SW_OK } else { SW_TIMEOUT })
        })
    }
}

/// Ends the use of a store from any thread: waits return, later calls are SW_ERR_CLOSED. Calls that
/// are writing finish. Doing it again does nothing. Nothing is freed: sw_store_close comes after.
/// Never blocks.
/// \param store  an open store; NULL does nothing
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_store_shutdown(store: *mut sw_store) {
    // SAFETY: the only pointer is an argument, which the header binds.
    unsafe {
        quiet((), |call| {
            if let Ok(store) = call.store(store) {
                store.shutdown();
            }
        });
    }
}

/// Closes a store: shuts it down, waits for calls in flight to return, and gives the open attempts
/// of this handle back at once, so that others may claim their runs without a try being charged.
/// Where it cannot write, as after SW_ERR_POISONED or on a full disk, it gives nothing back: the
/// attempts are lost as those of a process that died, each counts as a try, and what they had
/// reserved is charged in full until it is settled.
///
/// Attempts and steps made from it answer SW_ERR_CLOSED and are still freed by their own _free. So
/// does a later call on the store itself, until a thousand others were closed; then its memory is
/// gone.
///
/// Waits for calls in flight. sw_store_shutdown ends those that wait, sw_store_backup, and what works part by
/// part; sw_query, sw_store_check and sw_tx_run run to their end. What it gives back survives the death
/// of the process; a loss of power loses it, like a dead worker.
/// \param store  an open store; NULL does nothing; in a forked child a store of its parent leaks
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sw_store_close(store: *mut sw_store) {
    // SAFETY: the only pointer is an argument, which the header binds.
    unsafe {
        quiet((), |call| {
            let Ok(open) = call.body(store) else { return };
            let Ok(held) = open.store() else { return };
            held.close();
            if open.take().is_some() {
                call.shelve(store);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::codes::{SW_ERR_CLOSED, SW_ERR_INVALID, SW_ERR_MISUSE, SW_ERR_UNSUPPORTED};
    use std::ptr::{null, null_mut};

    /// Opens a store in memory with the given options; returns the answer and the handle.
    fn open(options: *const sw_store_options) -> (i32, *mut sw_store) {
        let mut store = std::ptr::dangling_mut();
        // SAFETY: the options are NULL or a local of the test, the place is a local of ours.
        let code = unsafe { sw_store_open_in_memory(options, &raw mut store, null_mut()) };
        (code, store)
    }

    fn init(store: *mut sw_store) -> i32 {
        let mut applied = 0;
        // SAFETY: the store is not yet gone from the shelf, the place is a local of ours.
        unsafe { sw_store_init(store, &raw mut applied, null_mut()) }
    }

    fn close(store: *mut sw_store) {
        // SAFETY: as above.
        unsafe { sw_store_close(store) };
    }

    #[test]
    fn a_closed_store_answers_closed_and_is_closed_once() {
        let (code, store) = open(null());
        assert_eq!(code, SW_OK);
        assert_eq!(init(store), SW_OK);
        close(store);
        assert_eq!(init(store), SW_ERR_CLOSED);
        close(store);
        assert_eq!(init(store), SW_ERR_CLOSED);
        // SAFETY: closed, and still on the shelf.
        assert!(unsafe { sw_store_path(store) }.is_null());
        // SAFETY: as above.
        assert_eq!(unsafe { sw_store_now_ms(store) }, 0);
    }

    #[test]
    fn a_store_shut_down_answers_closed_until_it_is_closed() {
        let (_, store) = open(null());
        // SAFETY: the store is open.
        unsafe { sw_store_shutdown(store) };
        assert_eq!(init(store), SW_ERR_CLOSED);
        close(store);
    }

    #[test]
    fn what_is_no_store_is_misuse() {
        assert_eq!(init(null_mut()), SW_ERR_MISUSE);
        close(null_mut());
    }

    #[test]
    fn an_option_out_of_range_opens_nothing() {
        let size = u32::try_from(size_of::<sw_store_options>()).unwrap();
        let options = sw_store_options {
            struct_size: size,
            flags: 0,
            busy_timeout_ms: 0,
            durability: 3,
            max_readers: 0,
            lease_default_ms: 0,
            payload_bytes_max: 0,
        };
        assert_eq!(open(&raw const options), (SW_ERR_INVALID, null_mut()));
        let options = sw_store_options { flags: 16, durability: 0, ..options };
        assert_eq!(open(&raw const options), (SW_ERR_UNSUPPORTED, null_mut()));
    }
}
