//! What stands beside runs, through the C functions: waits from outside, watches, stops, schedules, the
//! host's SQL, looks at the store as a whole, and what needs no store.

use std::ffi::{CString, c_char};
use std::fs::File;
use std::io::Read;
use std::os::fd::FromRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::null_mut;

use smolwf::domain::claim::Claim;
use smolwf::ffi::check::sw_store_backup;
use smolwf::ffi::run::{sw_run_claim, sw_run_wait};
use smolwf::ffi::schedule::{sw_schedule_delete, sw_schedule_list, sw_schedule_set};
use smolwf::ffi::sql::{sw_query, sw_tx_run};
use smolwf::ffi::stats::{sw_owner_list, sw_queue_list, sw_store_stats};
use smolwf::ffi::stop::{sw_stop, sw_stop_fire, sw_stop_free, sw_stop_new};
use smolwf::ffi::store::{
    sw_store_kill_at, sw_store_migrate, sw_store_migrations, sw_store_path,
    sw_store_schema_version, sw_store_shutdown, sw_store_wait,
};
use smolwf::ffi::text::{sw_json_quote, sw_new_id};
use smolwf::ffi::version::{
    sw_abi_check, sw_abi_version, sw_build_info, sw_code_name, sw_version, sw_version_number,
};
use smolwf::ffi::watch::{sw_watch, sw_watch_drain, sw_watch_fd, sw_watch_free, sw_watch_open};

use super::attempt::Attempt;
use super::step::Step;
use super::store::Store;
use super::{Result, carriers, document, lend, named, texted, view};

/// A stop that has fired.
pub struct Fired(*mut sw_stop);

impl Fired {
    pub fn new() -> Fired {
        let mut stop = null_mut();
        ask!(sw_stop_new(&raw mut stop)).unwrap();
        tell!(sw_stop_fire(stop));
        Fired(stop)
    }
}

impl Drop for Fired {
    fn drop(&mut self) {
        tell!(sw_stop_free(self.0));
    }
}

/// A watch, with one descriptor of it.
pub struct Watch {
    raw: *mut sw_watch,
    descriptor: File,
}

impl Watch {
    pub fn open(store: &Store) -> Result<Watch> {
        let (mut raw, mut fd) = (null_mut(), -1);
        ask!(sw_watch_open(store.raw, &raw mut raw))?;
        ask!(sw_watch_fd(raw, &raw mut fd))?;
        // SAFETY: the library gave it away, and nobody else has it.
        let descriptor = unsafe { File::from_raw_fd(fd) };
        Ok(Watch { raw, descriptor })
    }

    pub fn drain(&self) -> Result<u64> {
        let mut now = 0;
        ask!(sw_watch_drain(self.raw, &raw mut now)).map(|_| now)
    }

    /// Whether something is to be read.
    pub fn is_readable(&mut self) -> bool {
        let mut byte = [0];
        // It is non-blocking; reading the byte and draining are one to the watch.
        self.descriptor.read(&mut byte).is_ok_and(|count| count > 0)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        tell!(sw_watch_free(self.raw));
    }
}

impl Store {
    // -------------------------------------------------------------------- waits

    /// Returns whether the count of changes is another than `seen`, and the count.
    pub fn wait(&self, seen: u64, timeout_ms: i64) -> Result<(bool, u64)> {
        let mut now = 0;
        let code = ask!(sw_store_wait(self.raw, seen, timeout_ms, null_mut(), &raw mut now));
        code.map(|code| (code == 0, now))
    }

    /// Looks once, or waits without end with a stop that has fired: the document of what has ended.
    pub fn run_wait(&self, id: &str, stop: Option<&Fired>) -> Result<Option<String>> {
        let (id, timeout_ms) = (lend(id), if stop.is_some() { -1 } else { 0 });
        let stop = stop.map_or(null_mut(), |stop| stop.0);
        let told = texted(|out| ask!(sw_run_wait(self.raw, id.0, id.1, timeout_ms, stop, out)));
        told.map(|(_, told)| told)
    }

    /// Claims from a queue in which nothing is, without end but for a stop that has fired.
    pub fn claim_stopped(&self, queue: &str, stop: &Fired) -> Result<bool> {
        let claim = Claim { wait_ms: -1, ..Claim::default() };
        let (lists, queue) = (carriers::Lists::of(&claim), lend(queue));
        let (options, mut raw) = (lists.options(&claim, stop.0), null_mut());
        let with = &raw const options;
        let code = ask!(sw_run_claim(self.raw, queue.0, queue.1, with, &raw mut raw))?;
        assert!(raw.is_null(), "nothing is in that queue");
        Ok(code == 1)
    }

    pub fn shutdown(&self) {
        tell!(sw_store_shutdown(self.raw));
    }

    // -------------------------------------------------------------------- schedules, SQL

    pub fn schedule_set(&self, name: &str, spec: &str) -> Result<()> {
        let (name, spec) = (lend(name), lend(spec));
        ask!(sw_schedule_set(self.raw, name.0, name.1, spec.0, spec.1)).map(drop)
    }

    pub fn schedule_delete(&self, name: &str) -> Result<()> {
        let name = lend(name);
        ask!(sw_schedule_delete(self.raw, name.0, name.1)).map(drop)
    }

    pub fn schedule_list(&self) -> Result<String> {
        document(|out| ask!(sw_schedule_list(self.raw, out)))
    }

    pub fn query(&self, sql: &str, params: Option<&str>) -> Result<String> {
        let (sql, with, none) = (lend(sql), lend(params), lend(None));
        document(|out| ask!(sw_query(self.raw, sql.0, sql.1, with.0, with.1, none.0, none.1, out)))
    }

    pub fn tx_run(
        &self,
        attempt: Option<&Attempt>,
        step: Option<&Step>,
        script: &str,
    ) -> Result<String> {
        let attempt = attempt.map_or(null_mut(), |attempt| attempt.raw);
        let (step, script) = (step.map_or(null_mut(), |step| step.raw), lend(script));
        document(|out| ask!(sw_tx_run(self.raw, attempt, step, script.0, script.1, out)))
    }

    // -------------------------------------------------------------------- the store as a whole

    pub fn stats(&self) -> Result<String> {
        document(|out| ask!(sw_store_stats(self.raw, out)))
    }

    pub fn queue_list(&self) -> Result<String> {
        document(|out| ask!(sw_queue_list(self.raw, out)))
    }

    pub fn owner_list(&self) -> Result<String> {
        document(|out| ask!(sw_owner_list(self.raw, out)))
    }

    pub fn backup(&self, path: &Path) -> Result<()> {
        let path = CString::new(path.as_os_str().as_bytes()).expect("a path has no NUL");
        ask!(sw_store_backup(self.raw, path.as_ptr())).map(drop)
    }

    pub fn path(&self) -> Option<PathBuf> {
        view(tell!(sw_store_path(self.raw))).map(PathBuf::from)
    }

    /// The version in the file, and the newest.
    pub fn schema_version(&self) -> Result<(i64, i64)> {
        let (mut current, mut newest) = (-1, -1);
        let code = ask!(sw_store_schema_version(self.raw, &raw mut current, &raw mut newest));
        code.map(|_| (current, newest))
    }

    pub fn migrate(&self, target: i64) -> Result<u32> {
        let mut applied = 0;
        ask!(sw_store_migrate(self.raw, target, &raw mut applied)).map(|_| applied)
    }

    /// Has the process die at a commit.
    pub fn kill_at(&self, commit: i64, when: i32) -> Result<()> {
        ask!(sw_store_kill_at(self.raw, commit, when)).map(drop)
    }

    pub fn migrations(&self) -> Result<String> {
        document(|out| ask!(sw_store_migrations(self.raw, out)))
    }
}

// ------------------------------------------------------------------------ without a store

pub fn json_quote(text: &str) -> String {
    let text = lend(text);
    document(|out| ask!(sw_json_quote(text.0, text.1, out))).unwrap()
}

pub fn new_id(prefix: &str) -> String {
    let prefix = lend(prefix);
    named(|id: *mut c_char, cap| ask!(sw_new_id(prefix.0, prefix.1, id, cap))).unwrap().1
}

/// The version as text and number, what was built, and whether the library fits its own ABI and another.
pub fn version() -> (&'static str, u32, &'static str, [i32; 2]) {
    let text = view(tell!(sw_version())).expect("the library has a version");
    let info = view(tell!(sw_build_info())).expect("the library says how it was built");
    let abi = tell!(sw_abi_version());
    let fits = [tell!(sw_abi_check(abi)), tell!(sw_abi_check(abi + 1_000))];
    (text, tell!(sw_version_number()), info, fits)
}

pub fn code_name(code: i32) -> Option<&'static str> {
    view(tell!(sw_code_name(code)))
}
