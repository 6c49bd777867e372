//! A store: open and close, and what is asked of it as a whole.

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use super::answer::{self, Arg, Error};
use super::{Stop, code, sys};

/// How a store is opened. No mode makes a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Looks alone: nothing is written through the handle.
    Read,
    /// May write.
    Write,
    /// May write, and makes the file where it is not there.
    Create,
}

/// An open store. Calls may come from many threads at once.
pub struct Store {
    pub(super) raw: *mut sys::sw_store,
}

// SAFETY: every function of the library may be called from any thread.
unsafe impl Send for Store {}
// SAFETY: every handle of it may be used from many threads at once.
unsafe impl Sync for Store {}

impl Drop for Store {
    fn drop(&mut self) {
        // SAFETY: the handle is ours, and nothing borrows it any more.
        unsafe { sys::sw_store_close(self.raw) }
    }
}

impl Store {
    /// Opens a store: the path of a file, or a URL of PostgreSQL. `busy_ms` is how long a call waits for a lock, 0 for the default.
    pub fn open(path: &Path, mode: Mode, busy_ms: u32) -> Result<Store, Error> {
        let named = CString::new(path.as_os_str().as_bytes())
            .map_err(|_| Error::new(code::SW_ERR_INVALID, "the path of the file holds a NUL"))?;
        let options = sys::sw_store_options {
            struct_size: size_of::<sys::sw_store_options>() as u32,
            flags: match mode {
                Mode::Read => sys::SW_OPEN_READ_ONLY,
                Mode::Write => sys::SW_OPEN_NO_CREATE,
                Mode::Create => 0,
            } as u32,
            busy_timeout_ms: busy_ms,
            durability: 0,
            max_readers: 0,
            lease_default_ms: 0,
            payload_bytes_max: sys::SW_PAYLOAD_BYTES_MAX as u64,
        };
        let mut raw = ptr::null_mut();
        // SAFETY: path and options live through the call, and raw has room for the handle.
        answer::code(|error| unsafe {
            sys::sw_store_open(named.as_ptr(), &options, &mut raw, error)
        })?;
        Ok(Store { raw })
    }

    /// What names the store for good: its file's path, or its server's URL without what is secret in it.
    pub fn path(&self) -> Option<String> {
        // SAFETY: the store is open.
        let path = unsafe { sys::sw_store_path(self.raw) };
        // SAFETY: a path that is not NULL is a text that lives as long as the store.
        (!path.is_null()).then(|| unsafe { CStr::from_ptr(path) }.to_string_lossy().into_owned())
    }

    /// The store's clock, Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        // SAFETY: the store is open.
        unsafe { sys::sw_store_now_ms(self.raw) }
    }

    /// Migrates to the newest schema, or to `target`; how many migrations were applied.
    pub fn migrate(&self, target: Option<i64>) -> Result<u32, Error> {
        let mut applied = 0;
        answer::code(|error| match target {
            // SAFETY: the store is open, and applied has room.
            None => unsafe { sys::sw_store_init(self.raw, &mut applied, error) },
            // SAFETY: as above.
            Some(to) => unsafe { sys::sw_store_migrate(self.raw, to, &mut applied, error) },
        })?;
        Ok(applied)
    }

    /// Version of the schema in the file, and the newest that the library has.
    pub fn schema_version(&self) -> Result<(i64, i64), Error> {
        let (mut current, mut newest) = (0, 0);
        // SAFETY: the store is open, and both numbers have room.
        answer::code(|error| unsafe {
            sys::sw_store_schema_version(self.raw, &mut current, &mut newest, error)
        })?;
        Ok((current, newest))
    }

    /// `sw_store_migrations`
    pub fn migrations(&self) -> Result<String, Error> {
        // SAFETY: the store is open.
        answer::text(|out, error| unsafe { sys::sw_store_migrations(self.raw, out, error) })
    }

    /// `sw_store_stats`
    pub fn stats(&self) -> Result<String, Error> {
        // SAFETY: the store is open.
        answer::text(|out, error| unsafe { sys::sw_store_stats(self.raw, out, error) })
    }

    /// `sw_queue_list`
    pub fn queues(&self) -> Result<String, Error> {
        // SAFETY: the store is open.
        answer::text(|out, error| unsafe { sys::sw_queue_list(self.raw, out, error) })
    }

    /// `sw_owner_list`
    pub fn owners(&self) -> Result<String, Error> {
        // SAFETY: the store is open.
        answer::text(|out, error| unsafe { sys::sw_owner_list(self.raw, out, error) })
    }

    /// `sw_schedule_list`
    pub fn schedules(&self) -> Result<String, Error> {
        // SAFETY: the store is open.
        answer::text(|out, error| unsafe { sys::sw_schedule_list(self.raw, out, error) })
    }

    /// `sw_store_check`
    pub fn check(&self) -> Result<String, Error> {
        // SAFETY: the store is open.
        answer::text(|out, error| unsafe { sys::sw_store_check(self.raw, out, error) })
    }

    /// `sw_store_backup`
    pub fn backup(&self, copy: &Path) -> Result<(), Error> {
        let named = CString::new(copy.as_os_str().as_bytes())
            .map_err(|_| Error::new(code::SW_ERR_INVALID, "the path of the copy holds a NUL"))?;
        // SAFETY: the store is open, and the path lives through the call.
        answer::code(|error| unsafe { sys::sw_store_backup(self.raw, named.as_ptr(), error) })?;
        Ok(())
    }

    /// `sw_store_graduate`; without another store it takes a move back. Whether it is at its end, and the report.
    pub fn graduate(&self, to: Option<&Store>, options: &str) -> Result<(bool, String), Error> {
        let options = Arg::from(options);
        let to = to.map_or(ptr::null_mut(), |to| to.raw);
        let mut came = 0;
        // SAFETY: both stores are open, and the text lives through the call.
        let report = answer::text(|out, error| unsafe {
            came = sys::sw_store_graduate(self.raw, to, options.ptr, options.len, out, error);
            came
        })?;
        Ok((came == 0, report))
    }

    /// `sw_store_prune`
    pub fn prune(&self, filter: &str, limit: u32) -> Result<String, Error> {
        let filter = Arg::from(filter);
        // SAFETY: the store is open, and the text lives through the call.
        answer::text(|out, error| unsafe {
            sys::sw_store_prune(self.raw, filter.ptr, filter.len, limit, out, error)
        })
    }

    /// `sw_retention_get`
    pub fn retention_get(&self) -> Result<String, Error> {
        // SAFETY: the store is open.
        answer::text(|out, error| unsafe { sys::sw_retention_get(self.raw, out, error) })
    }

    /// `sw_retention_set`
    pub fn retention_set(&self, policy: &str) -> Result<(), Error> {
        let policy = Arg::from(policy);
        // SAFETY: the store is open, and the text lives through the call.
        answer::code(|error| unsafe {
            sys::sw_retention_set(self.raw, policy.ptr, policy.len, error)
        })?;
        Ok(())
    }

    /// `sw_store_compact`
    pub fn compact(&self, pages_max: u32) -> Result<String, Error> {
        // SAFETY: the store is open.
        answer::text(|out, error| unsafe { sys::sw_store_compact(self.raw, pages_max, out, error) })
    }

    /// `sw_queue_set`
    pub fn queue_set(&self, queue: &str, settings: &str) -> Result<(), Error> {
        let (queue, settings) = (Arg::from(queue), Arg::from(settings));
        // SAFETY: the store is open, and the texts live through the call.
        answer::code(|error| unsafe {
            sys::sw_queue_set(self.raw, queue.ptr, queue.len, settings.ptr, settings.len, error)
        })?;
        Ok(())
    }

    /// `sw_query`
    pub fn query(
        &self,
        sql: &str,
        params: Option<&str>,
        options: Option<&str>,
    ) -> Result<String, Error> {
        let (sql, params, options) = (Arg::from(sql), Arg::from(params), Arg::from(options));
        // SAFETY: the store is open, and the texts live through the call.
        answer::text(|out, error| unsafe {
            sys::sw_query(
                self.raw,
                sql.ptr,
                sql.len,
                params.ptr,
                params.len,
                options.ptr,
                options.len,
                out,
                error,
            )
        })
    }

    /// `sw_event_read`: a page of the log, of one run or of all
    pub fn event_read(
        &self,
        run_id: Option<&str>,
        after_seq: i64,
        limit: u32,
    ) -> Result<String, Error> {
        let run_id = Arg::from(run_id);
        // SAFETY: the store is open, and the text lives through the call.
        answer::text(|out, error| unsafe {
            sys::sw_event_read(self.raw, after_seq, run_id.ptr, run_id.len, limit, out, error)
        })
    }

    /// `sw_event_wait`: None when nothing came in time
    pub fn event_wait(
        &self,
        after_seq: i64,
        filter: &str,
        limit: u32,
        timeout_ms: i64,
        stop: Option<&Stop>,
    ) -> Result<Option<String>, Error> {
        let filter = Arg::from(filter);
        let stop = Stop::raw(stop);
        // SAFETY: the store is open; text and stop live through the call.
        answer::document(|out, error| unsafe {
            sys::sw_event_wait(
                self.raw, after_seq, filter.ptr, filter.len, limit, timeout_ms, stop, out, error,
            )
        })
    }

    /// Ends the waits of the store; later calls are SW_ERR_CLOSED.
    pub fn shutdown(&self) {
        // SAFETY: the store is open.
        unsafe { sys::sw_store_shutdown(self.raw) }
    }
}
