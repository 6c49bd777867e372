//! The operating system behind safe functions: files, forks, byte locks, shared pages, futexes, clocks.
//!
//! Here stands what is needed of it and `std` does not have. Nothing here knows SQLite, stores or
//! queues. Every function may be called from any thread.

#![allow(unsafe_code, reason = "system calls that std has no form for")]

mod clock;
mod files;
mod forks;
mod futex;
#[cfg(feature = "postgres")]
mod library;
mod locks;
mod page;
mod signals;
#[cfg(feature = "postgres")]
mod sockets;

pub use self::clock::{boot_id, pid_space, uptime_ms, wall_ms};
pub use self::files::{
    FileId, FolderStamp, Identity, create_mapped, create_private, errno, file_bytes, file_id,
    file_id_of, folder_stamp, identity, make_file, name_bytes_max, open_side, open_side_to_hear,
    remote_file_system, rename_new, set_errno, with_suffix,
};
pub use self::forks::{ForkHandler, at_fork, close_copied, this_thread};
pub use self::futex::{
    futex_wait, futex_wait_bits, futex_wait_private, futex_wait_two, futex_wake, futex_wake_bits,
    futex_wake_private,
};
#[cfg(feature = "postgres")]
pub use self::library::{Library, beside, trusted_variable};
pub use self::locks::{is_locked_by_other, try_lock, try_lock_range, unlock};
pub use self::page::{PAGE_BYTES, PAGE_WORDS, Page, populate};
pub use self::signals::{SignalsBlocked, block_signals, die};
#[cfg(feature = "postgres")]
pub use self::sockets::wait_for_socket;

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
compile_error!(
    "smolwf builds on 64-bit Linux only: it rests on open-file-description locks and shared futexes"
);
