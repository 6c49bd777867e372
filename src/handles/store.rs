//! What `sw_store*` points to: a backend, a clock, an owner, and the calls on them.
//!
//! A call enters (the store is not shut down, not of another process), carries a script of the
//! domain to a reader or to the writer, and rings whoever waits for what it changed.

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use super::entered::{Entered, Terms};
use crate::clock::{Clock, Now, system_ms};
use crate::domain::check;
use crate::domain::claim;
use crate::domain::news::{News, Queues};
use crate::domain::port::OwnerId;
use crate::domain::submit::{self, Submit};
use crate::domain::{Durability, hold, query, sweep};
use crate::error::{Error, Result};
use crate::handles::claims::Claims;
use crate::id;
use crate::limits::{
    BUSY_TIMEOUT_MS_DEFAULT, BUSY_TIMEOUT_MS_MAX, LEASE_MS_DEFAULT, PAYLOAD_BYTES_DEFAULT,
    PAYLOAD_BYTES_MAX, READERS_DEFAULT, READERS_MAX, WAIT_SLICE_MS,
};
use crate::lock::Unpoisoned;
use crate::process;
use crate::storage::{self, Ahead, Backend, Call, Death, SCHEMA_NEWEST, Settings};

/// How a store is opened; 0 and `false` are the defaults.
#[derive(Debug, Clone, Copy, Default)]
pub struct StoreOptions {
    /// Make the file if there is none.
    pub create: bool,
    /// Refuse every write.
    pub read_only: bool,
    /// Freeze the clock until the host advances it.
    pub manual_clock: bool,
    /// Serve network file systems and files with several names.
    pub allow_network_fs: bool,
    /// Milliseconds that a call waits for a lock.
    pub busy_timeout_ms: u32,
    /// What answers promise.
    pub durability: Durability,
    /// Read connections at most.
    pub max_readers: u32,
    /// Milliseconds of a lease whose claim names none.
    pub lease_default_ms: u32,
    /// Bytes in one payload at most.
    pub payload_bytes_max: u64,
}

/// What a submit answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// The run: a new one, or the one whose key matched.
    pub run_id: String,
    /// Whether the key matched.
    pub existed: bool,
}

impl From<submit::Submitted> for Submitted {
    fn from(submitted: submit::Submitted) -> Submitted {
        Submitted { run_id: id::write("run", submitted.run_id), existed: submitted.existed }
    }
}

/// An open store.
pub struct Store {
    /// Taken out by `close`, which thereby waits for calls in flight.
    pub(super) backend: RwLock<Option<Backend>>,
    pub(super) terms: Terms,
    /// Held while a manual clock is advanced.
    pub(super) advancing: Mutex<()>,
    pub(super) path: Option<CString>,
    pub(super) owner: OwnerState,
    /// Tokens of claims that may stand although they failed.
    pub(super) unheard: Mutex<Vec<i64>>,
    /// Claims that are under way.
    pub(super) claims: Claims,
    pub(super) lease_default_ms: u32,
    pub(super) payload_bytes_max: usize,
    pub(super) generation: u32,
    pub(super) is_read_only: bool,
    pub(super) is_shut_down: AtomicBool,
    /// When this handle last looked whether other owners live, on the lease clock.
    pub(super) probed_ms: AtomicI64,
    /// Events up to this number are known to be safe from power loss.
    pub(super) safe_seq: AtomicI64,
    /// Milliseconds between two looks of whoever waits: a sender may have died before its bell.
    pub(super) look_every_ms: AtomicU64,
}

/// This handle as the file knows it.
pub(super) struct OwnerState {
    pub(super) id: OwnerId,
    /// 0 before the first claim.
    pub(super) key: AtomicI64,
}

impl Store {
    /// Opens the store in a file.
    pub fn open(path: &Path, options: &StoreOptions) -> Result<Arc<Store>> {
        let settings = settings(options)?;
        let backend = storage::open(path, &settings)?;
        let name = backend.path().unwrap_or(path).as_os_str().as_bytes();
        let name = CString::new(name).map_err(|_| Error::invalid("path holds a NUL"))?;
        Store::new(backend, Some(name), options)
    }

    /// Makes a store in memory.
    pub fn open_in_memory(options: &StoreOptions) -> Result<Arc<Store>> {
        let backend = storage::in_memory(&settings(options)?)?;
        Store::new(backend, None, options)
    }

    fn new(backend: Backend, path: Option<CString>, options: &StoreOptions) -> Result<Arc<Store>> {
        let made = Store::assemble(&backend, path, options);
        let mut store = match made {
            Ok(store) => store,
            Err(error) => {
                backend.close();
                return Err(error);
            }
        };
        store.backend = RwLock::new(Some(backend));
        Ok(Arc::new(store))
    }

    fn assemble(backend: &Backend, path: Option<CString>, options: &StoreOptions) -> Result<Store> {
        let clock = if options.manual_clock {
            manual_clock(backend)?
        } else {
            Clock::System(backend.lease_clock())
        };
        let default = |value: u32, default: u32| if value == 0 { default } else { value };
        let payload_bytes = match options.payload_bytes_max {
            0 => PAYLOAD_BYTES_DEFAULT,
            named => named,
        };
        Ok(Store {
            backend: RwLock::new(None),
            terms: Terms {
                busy_timeout_ms: default(options.busy_timeout_ms, BUSY_TIMEOUT_MS_DEFAULT),
                durability: options.durability.or(Durability::Power),
                clock: Arc::new(clock),
            },
            path,
            owner: OwnerState { id: backend.owner_new()?, key: AtomicI64::new(0) },
            unheard: Mutex::default(),
            claims: Claims::default(),
            lease_default_ms: default(options.lease_default_ms, LEASE_MS_DEFAULT),
            payload_bytes_max: usize::try_from(payload_bytes).unwrap_or(usize::MAX),
            generation: process::generation(),
            is_read_only: options.read_only,
            is_shut_down: AtomicBool::new(false),
            advancing: Mutex::new(()),
            probed_ms: AtomicI64::new(0),
            safe_seq: AtomicI64::new(0),
            look_every_ms: AtomicU64::new(WAIT_SLICE_MS),
        })
    }

    /// Migrates to the newest schema; returns how many steps were applied now.
    pub fn init(&self) -> Result<u32> {
        self.apply("sw_store_init", None)
    }

    /// Migrates up to `target`.
    pub fn migrate(&self, target: i64) -> Result<u32> {
        self.apply("sw_store_migrate", Some(target))
    }

    fn apply(&self, name: &'static str, target: Option<i64>) -> Result<u32> {
        let mut options = self.terms.write_options(Call::of(name).promising(Durability::Power));
        options.is_schema_free = true;
        let entered = self.enter()?;
        let backend = entered.backend()?;
        let applied = backend.write(options, move |tx, _| {
            let applied = tx.migrate(target, system_ms())?;
            // Attempts elsewhere look again: they may not know this schema.
            if applied > 0 {
                tx.tell(News::RECALLED);
            }
            Ok(applied)
        })?;
        Ok(applied)
    }

    /// Returns the file's schema version, 0 for none, and this library's.
    pub fn schema_version(&self) -> Result<(i64, i64)> {
        let entered = self.enter()?;
        let current = entered.backend()?.read_any(|port| port.schema_version())?;
        Ok((current, SCHEMA_NEWEST))
    }

    /// Returns the applied migrations as JSON.
    pub fn migrations(&self) -> Result<String> {
        self.enter()?.backend()?.read_any(|tx| tx.migrations())
    }

    /// Returns the path of the file; `None` in memory.
    pub fn path(&self) -> Option<&CStr> {
        self.path.as_deref()
    }

    /// Has this process die at its `commit`-th commit on this file from now on, right before or right
    /// after it; 0 has it live.
    pub fn kill_at(&self, commit: i64, is_after: bool) -> Result<()> {
        let commit = u64::try_from(commit)
            .map_err(|_| Error::invalid(format!("commit is {commit}, it must be at least 0")))?;
        let entered = self.enter()?;
        let death = (commit > 0).then_some(Death { commit, is_after });
        entered.backend()?.kill_at(death)
    }

    /// Moves a manual clock on and wakes whoever waits for what thereby comes due.
    pub fn advance_clock(&self, ms: i64) -> Result<()> {
        let entered = self.enter()?;
        // One after the other, and recorded first: on an error the clock has not moved (P7).
        let _turn = self.advancing.lock().unpoisoned();
        let clock_ms = self.terms.clock.advanced(ms)?;
        let call = Call::of("sw_store_advance_clock").promising(Durability::Process);
        let options = self.terms.write_options(call);
        match entered.backend()?.write(options, move |tx, _| tx.clock_set(clock_ms)) {
            // The next manual clock on a file without our tables, or one that only reads, starts
            // where the system's stands.
            Ok(()) | Err(Error::SchemaOld { .. } | Error::ReadOnly(_)) => {}
            Err(error) => return Err(error),
        }
        self.terms.clock.advance(ms)?;
        // Nothing has changed yet: who wakes looks what has come due, and tells of that.
        let due = News { is_recalled: true, ..News::due_earlier(Queues::ALL) };
        entered.backend()?.publish(due);
        Ok(())
    }

    /// Moves a manual clock to where something comes due next; `false` when nothing ever does.
    pub fn advance_clock_to_due(&self) -> Result<bool> {
        let entered = self.enter()?;
        let now = self.terms.clock.now();
        self.terms.clock.advance(0)?;
        let Some(ms) = entered.read(|tx| claim::moves_in_ms(tx, now))? else { return Ok(false) };
        drop(entered);
        self.advance_clock(ms).map(|()| true)
    }

    /// Returns the store's time, Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.terms.clock.now().wall_ms
    }

    /// Returns how many bytes a payload may have.
    pub fn payload_bytes_max(&self) -> usize {
        self.payload_bytes_max
    }

    /// Submits a run.
    pub fn submit(&self, submit: Submit) -> Result<Submitted> {
        self.submit_all("sw_run_submit", vec![submit], |error, _| error)?
            .pop()
            .ok_or_else(|| Error::internal("a run was not submitted"))
    }

    /// Submits runs in one commit, all or none; an error names the item.
    pub fn submit_many(&self, submits: Vec<Submit>) -> Result<Vec<Submitted>> {
        self.submit_all("sw_run_submit_many", submits, Error::at_index)
    }

    fn submit_all(
        &self,
        name: &'static str,
        submits: Vec<Submit>,
        named: fn(Error, usize) -> Error,
    ) -> Result<Vec<Submitted>> {
        for (at, submit) in submits.iter().enumerate() {
            submit.check().map_err(|error| named(error, at))?;
        }
        let entered = self.enter()?;
        let bytes = submits.iter().map(|s| s.args.as_ref().map_or(0, String::len)).sum();
        let has_local = submits.iter().any(|submit| submit.is_local);
        let call = Call::of(name).of_bytes(bytes).looking_at(keys(&submits));
        let items: Vec<_> = submits.into_iter().map(|submit| (submit, id::new_id())).collect();
        let submitted =
            self.write_owned(&entered, call, has_local, move |tx, owner_key, now| {
                submit::submit_many(tx, &items, owner_key, named, now)
            })?;
        Ok(submitted.into_iter().map(Submitted::from).collect())
    }

    /// Returns the run that an idempotency key made.
    pub fn find(&self, scope: &str, key: &str) -> Result<Option<String>> {
        let found = self.enter()?.read(|tx| tx.run_by_idempotency(scope, key))?;
        Ok(found.map(|(run_id, _)| id::write("run", run_id)))
    }

    /// Returns a run's document.
    pub fn run_get(&self, run_id: &str) -> Result<String> {
        self.enter()?.read(|tx| query::run_get(tx, run_id))
    }

    /// Returns a page of a run's history.
    pub fn run_history(&self, run_id: &str, cursor: Option<&str>, limit: u32) -> Result<String> {
        self.enter()?.read(|tx| query::run_history(tx, run_id, cursor, limit))
    }

    /// Looks whether the store is whole; returns a document.
    pub fn check(&self) -> Result<String> {
        self.enter()?.read(|tx| check::check(tx))
    }

    /// Copies the store as it is now to a new file, while others write. A shutdown ends it.
    pub fn backup(&self, target: &Path) -> Result<()> {
        self.enter()?.backend()?.backup(target, &|| self.check_open())
    }

    /// Ends every wait; later calls answer `Closed`.
    pub fn shutdown(&self) {
        if self.generation == process::generation()
            && !self.is_shut_down.swap(true, Ordering::SeqCst)
        {
            let backend = self.backend.read().unpoisoned();
            if let Some(backend) = &*backend {
                backend.publish(News::due_earlier(Queues::ALL));
            }
        }
    }

    /// Shuts down, waits for calls in flight, gives the handle's attempts back, closes the file.
    pub fn close(&self) {
        if self.generation != process::generation() {
            return;
        }
        self.shutdown();
        let backend = self.backend.write().unpoisoned().take();
        let Some(backend) = backend else { return };
        self.give_back(&backend);
        backend.owner_let_go(self.owner.id);
        backend.close();
    }

    /// A run that cannot be given back is found by the next claimer: the owner's lock is let go.
    fn give_back(&self, backend: &Backend) {
        let owner_key = self.owner.key.load(Ordering::Relaxed);
        if owner_key == 0 {
            return;
        }
        let once = || {
            let call = Call::of("sw_store_close").promising(Durability::Process);
            let options = self.terms.write_options(call);
            backend.write(options, move |tx, now| sweep::give_back(tx, owner_key, now))
        };
        while matches!(once(), Ok(true)) {}
    }

    /// Enters the store for one call.
    pub(crate) fn enter(&self) -> Result<Entered<'_>> {
        self.check_open()?;
        let guard = self.backend.read().unpoisoned();
        if guard.is_none() {
            return Err(Error::Closed);
        }
        Ok(Entered::new(&self.terms, guard))
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        if self.generation != process::generation() {
            return Err(Error::Forked);
        }
        if self.is_shut_down.load(Ordering::SeqCst) {
            return Err(Error::Closed);
        }
        Ok(())
    }

    /// Lends the number up to which events are known to be safe from power loss.
    pub(crate) fn safe_seq(&self) -> &AtomicI64 {
        &self.safe_seq
    }

    /// Reads the store's clock.
    pub(crate) fn now(&self) -> Now {
        self.terms.clock.now()
    }

    /// Returns whether answers outlive a loss of power, unless a call asks for less.
    pub(crate) fn promises_power(&self) -> bool {
        self.terms.durability == Durability::Power
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if self.generation == process::generation() {
            self.close();
        } else {
            // Closing the parent's connections in its child would take the parent's log away.
            let backend = self.backend.get_mut().unpoisoned();
            std::mem::forget(backend.take());
        }
    }
}

fn settings(options: &StoreOptions) -> Result<Settings> {
    let limit = |what: &str, value: u64, max: u64| {
        if value <= max {
            return Ok(());
        }
        Err(Error::invalid(format!("{what} is {value}, it must be 0 to {max}")))
    };
    limit("busy_timeout_ms", options.busy_timeout_ms.into(), BUSY_TIMEOUT_MS_MAX.into())?;
    limit("max_readers", options.max_readers.into(), READERS_MAX.into())?;
    limit("payload_bytes_max", options.payload_bytes_max, PAYLOAD_BYTES_MAX)?;
    hold::lease_length(options.lease_default_ms, LEASE_MS_DEFAULT)
        .map_err(|error| Error::invalid(format!("lease_default_ms: {error}")))?;
    let default = |value: u32, default: u32| if value == 0 { default } else { value };
    Ok(Settings {
        can_create: options.create,
        is_read_only: options.read_only,
        allows_network_fs: options.allow_network_fs,
        busy_timeout_ms: default(options.busy_timeout_ms, BUSY_TIMEOUT_MS_DEFAULT),
        max_readers: default(options.max_readers, READERS_DEFAULT),
        durability: options.durability.or(Durability::Power),
    })
}

/// Starts where the system's clock stands, or later where the file has seen later times.
fn manual_clock(backend: &Backend) -> Result<Clock> {
    let latest_ms = match backend.read(|tx| tx.latest_ms()) {
        Ok(latest_ms) => latest_ms,
        Err(Error::SchemaOld { .. }) => 0,
        // One that a move has marked may be opened, so that the move can go on.
        Err(Error::Moved(_) | Error::Busy(_)) => backend.read_any(|tx| tx.latest_ms())?,
        Err(error) => return Err(error),
    };
    let system_ms = system_ms();
    let wall_ms = system_ms.max(latest_ms);
    // As far ahead as the wall clock: a handle opened later must see leases as the others do.
    let lease_ms = backend.lease_clock().lease_ms().saturating_add(wall_ms - system_ms);
    Ok(Clock::manual(Now { wall_ms, lease_ms }))
}
/// Returns what submits look at first: which of their idempotency keys are known.
fn keys(submits: &[Submit]) -> Ahead {
    let owned = |(scope, key): (&str, &str)| (scope.to_owned(), key.to_owned());
    let keys: Vec<_> = submits.iter().filter_map(Submit::idempotency).map(owned).collect();
    if keys.is_empty() { Ahead::Nothing } else { Ahead::Keys(keys.into()) }
}
