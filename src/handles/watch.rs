//! What `sw_watch*` points to: a descriptor that becomes readable when the store changes.
//!
//! The only thread that the library ever starts: it waits for changes while a watch is open, and puts
//! one byte into a pair of sockets for each burst of them.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::{IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::handles::entered::FOREVER;
use crate::handles::store::Store;
use crate::lock::Unpoisoned;
use crate::os;
use crate::process;
use crate::stop::Stop;

/// How long the thread leaves a failing disk alone.
const PAUSE: Duration = Duration::from_secs(1);

/// An open watch.
pub struct Watch {
    shared: Arc<Shared>,
    store: Arc<Store>,
    /// The end that callers read; kept so that writing never meets a closed peer.
    reader: UnixStream,
    thread: Mutex<Option<JoinHandle<()>>>,
    generation: u32,
}

struct Shared {
    stop: Stop,
    /// A byte is in the pair and was not drained yet.
    is_told: AtomicBool,
}

impl Watch {
    /// Opens a watch on a store, and starts its thread with all signals blocked.
    pub fn open(store: &Arc<Store>) -> Result<Watch> {
        let seen = store.changes()?;
        let made = |error: std::io::Error| Error::from_os("a watch cannot be opened", &error);
        let (reader, writer) = UnixStream::pair().map_err(made)?;
        reader.set_nonblocking(true).map_err(made)?;
        writer.set_nonblocking(true).map_err(made)?;
        let shared = Arc::new(Shared { stop: Stop::new(), is_told: AtomicBool::new(false) });
        let teller = Teller { shared: Arc::clone(&shared), store: Arc::clone(store), writer };
        let blocked = os::block_signals();
        let thread = std::thread::Builder::new()
            .name("smolwf-watch".into())
            .spawn(move || teller.run(seen))
            .map_err(made);
        drop(blocked);
        Ok(Watch {
            shared,
            store: Arc::clone(store),
            reader,
            thread: Mutex::new(Some(thread?)),
            generation: process::generation(),
        })
    }

    /// Returns a new duplicate of the end that becomes readable; the caller closes it.
    pub fn descriptor(&self) -> Result<RawFd> {
        self.store.check_open()?;
        let copy = self
            .reader
            .try_clone()
            .map_err(|error| Error::from_os("a descriptor cannot be duplicated", &error))?;
        Ok(OwnedFd::from(copy).into_raw_fd())
    }

    /// Empties the pair, so that the next change is told again, and returns the count of changes.
    pub fn drain(&self) -> Result<u64> {
        self.store.check_open()?;
        let mut bytes = [0; 64];
        loop {
            match (&self.reader).read(&mut bytes) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(Error::from_os("a watch cannot be drained", &error)),
            }
        }
        // Before the count is read: a change after it is told by a new byte.
        self.shared.is_told.store(false, Ordering::SeqCst);
        self.store.changes()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.generation != process::generation() {
            // The thread is the parent's.
            return;
        }
        self.shared.stop.fire();
        let thread = self.thread.get_mut().unpoisoned().take();
        if let Some(thread) = thread {
            // A thread that panicked has nothing left to do.
            let _ = thread.join();
        }
    }
}

/// What the thread owns: with its end, every duplicate reads the end of the stream.
struct Teller {
    shared: Arc<Shared>,
    store: Arc<Store>,
    writer: UnixStream,
}

impl Teller {
    fn run(mut self, mut seen: u64) {
        while !self.shared.stop.is_fired() {
            match self.store.wait_for_change(seen, FOREVER, Some(&self.shared.stop)) {
                Ok(Some(now)) => {
                    seen = now;
                    self.tell();
                }
                Ok(None) => {}
                Err(Error::Closed | Error::Forked) => return,
                // A full disk has room again, a schema is brought up to date: no descriptor may
                // read its end before the watch or the store has ended.
                Err(_) => self.pause(),
            }
        }
    }

    fn tell(&mut self) {
        if !self.shared.is_told.swap(true, Ordering::SeqCst) {
            // A full pair has bytes in it, and that is all a byte would say.
            let _ = self.writer.write(&[1]);
        }
    }

    /// Keeps a failing disk from being asked without end.
    fn pause(&self) {
        os::futex_wait_private(self.shared.stop.word(), 0, PAUSE);
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        // Closing would do, but for a forked child: it has a copy of this end as long as it lives.
        let _ = self.writer.shutdown(Shutdown::Write);
    }
}
