//! A turn that processes share, by hand, for the floor of what they do on one file: a mutex in shared memory,
//! and one sync for all commits before it.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering};

#[repr(C)]
struct Shared {
    write: libc::pthread_mutex_t,
    sync: libc::pthread_mutex_t,
    committed: AtomicU64,
    synced: AtomicU64,
}

/// A mapped file. It stays mapped until the process ends.
pub struct Turn(*mut Shared);

impl Turn {
    /// Makes the file, before other processes join.
    pub fn make(path: &Path) {
        File::create_new(path).unwrap().set_len(4_096).unwrap();
        let Turn(shared) = Turn::join(path);
        unsafe {
            let mut how = std::mem::zeroed();
            assert_eq!(libc::pthread_mutexattr_init(&mut how), 0);
            let code = libc::pthread_mutexattr_setpshared(&mut how, libc::PTHREAD_PROCESS_SHARED);
            assert_eq!(code, 0);
            for mutex in [&raw mut (*shared).write, &raw mut (*shared).sync] {
                assert_eq!(libc::pthread_mutex_init(mutex, &how), 0);
            }
        }
    }

    pub fn join(path: &Path) -> Turn {
        let file = File::options().read(true).write(true).open(path).unwrap();
        let (rights, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
        let map = unsafe { libc::mmap(null_mut(), 4_096, rights, kind, file.as_raw_fd(), 0) };
        assert_ne!(map, libc::MAP_FAILED);
        Turn(map.cast())
    }

    /// Commits in turn, and returns once the log is synced since.
    pub fn write(&self, log: &File, commit: impl FnOnce()) {
        let shared = unsafe { &*self.0 };
        let mine = locked(&raw const shared.write, || {
            commit();
            shared.committed.fetch_add(1, Ordering::SeqCst) + 1
        });
        locked(&raw const shared.sync, || {
            if shared.synced.load(Ordering::SeqCst) >= mine {
                return;
            }
            let all = shared.committed.load(Ordering::SeqCst);
            log.sync_data().unwrap();
            shared.synced.store(all, Ordering::SeqCst);
        });
    }
}

fn locked<T>(mutex: *const libc::pthread_mutex_t, work: impl FnOnce() -> T) -> T {
    assert_eq!(unsafe { libc::pthread_mutex_lock(mutex.cast_mut()) }, 0);
    let answer = work();
    assert_eq!(unsafe { libc::pthread_mutex_unlock(mutex.cast_mut()) }, 0);
    answer
}
