//! Sleeping on a word of memory until another thread, or another process, wakes.

use std::io;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use super::clock::monotonic;

/// The longest single sleep. Longer waits are made of several; the kernel's own limits are far off.
const SLEEP_MAX: Duration = Duration::from_secs(3600);

/// Sleeps until the word is woken, differs from `expected`, or the time is over; also wakes for no
/// reason, so look again. Works between processes when the word lies in a shared page.
pub fn futex_wait(word: &AtomicU32, expected: u32, timeout: Duration) {
    wait(word, expected, timeout, libc::FUTEX_WAIT);
}

/// Wakes up to `count` sleepers of a word in a shared page.
pub fn futex_wake(word: &AtomicU32, count: u32) {
    wake(word, count, libc::FUTEX_WAKE);
}

/// As `futex_wait`, for a word that only this process uses.
pub fn futex_wait_private(word: &AtomicU32, expected: u32, timeout: Duration) {
    wait(word, expected, timeout, libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG);
}

/// Wakes every sleeper of a word that only this process uses. Safe in a signal handler.
pub fn futex_wake_private(word: &AtomicU32) {
    wake(word, u32::MAX, libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG);
}

/// As `futex_wait_private`, until one is woken of those whose `bits` it has one of.
pub fn futex_wait_bits(word: &AtomicU32, expected: u32, timeout: Duration, bits: u32) {
    // This form takes an instant.
    let until = monotonic().saturating_add(timeout.min(SLEEP_MAX));
    wait_for(word, expected, until, libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG, bits);
}

/// Wakes every sleeper of `futex_wait_bits` that has one of `bits`, with one call.
pub fn futex_wake_bits(word: &AtomicU32, bits: u32) {
    // SAFETY: the word is a live aligned u32; waking touches no memory of ours, and no time is read.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAKE_BITSET | libc::FUTEX_PRIVATE_FLAG,
            i32::MAX,
            ptr::null::<libc::timespec>(),
            ptr::null::<u32>(),
            bits,
        )
    };
}

/// Sleeps as `futex_wait` on a shared word and a private one at once, each with its expected value.
///
/// Returns `false`, at once, when this kernel cannot (Linux before 5.16, or a sandbox forbids it).
pub fn futex_wait_two(
    shared: (&AtomicU32, u32),
    private: (&AtomicU32, u32),
    timeout: Duration,
) -> bool {
    static CANNOT: AtomicBool = AtomicBool::new(false);
    if CANNOT.load(Ordering::Relaxed) {
        return false;
    }
    let answer = wait_two(shared, private, timeout);
    let can = !matches!(answer, Some(libc::ENOSYS | libc::EPERM | libc::EINVAL));
    if !can {
        CANNOT.store(true, Ordering::Relaxed);
    }
    can
}

fn wait(word: &AtomicU32, expected: u32, timeout: Duration, operation: libc::c_int) {
    wait_for(word, expected, timeout.min(SLEEP_MAX), operation, 0);
}

fn wait_for(word: &AtomicU32, expected: u32, time: Duration, operation: libc::c_int, bits: u32) {
    let time = timespec(time);
    // SAFETY: the word is a live aligned u32 and the time lives through the call. Every answer,
    // errors included, means "look again", so none is read.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            operation,
            expected,
            ptr::from_ref(&time),
            ptr::null::<u32>(),
            bits,
        )
    };
}

fn wake(word: &AtomicU32, count: u32, operation: libc::c_int) {
    // The kernel reads the count as a signed number.
    let count = count.min(i32::MAX as u32);
    // SAFETY: the word is a live aligned u32; waking touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, count) };
}

fn wait_two(
    shared: (&AtomicU32, u32),
    private: (&AtomicU32, u32),
    timeout: Duration,
) -> Option<i32> {
    let waiters = [
        waiter(shared.0, shared.1, libc::FUTEX2_SIZE_U32),
        waiter(private.0, private.1, libc::FUTEX2_SIZE_U32 | libc::FUTEX2_PRIVATE),
    ];
    // This call alone takes an instant where its elder takes a duration.
    let until = timespec(monotonic().saturating_add(timeout.min(SLEEP_MAX)));
    // SAFETY: both words are live aligned u32s; the array and the time live through the call.
    let code = unsafe {
        libc::syscall(
            libc::SYS_futex_waitv,
            waiters.as_ptr(),
            waiters.len() as u32,
            0_u32,
            ptr::from_ref(&until),
            libc::CLOCK_MONOTONIC,
        )
    };
    if code < 0 { io::Error::last_os_error().raw_os_error() } else { None }
}

/// One entry of `futex_waitv`, as in the kernel's `futex.h`.
#[repr(C)]
struct Waiter {
    val: u64,
    uaddr: u64,
    flags: u32,
    reserved: u32,
}

fn waiter(word: &AtomicU32, expected: u32, flags: libc::c_int) -> Waiter {
    let uaddr = word.as_ptr().expose_provenance() as u64;
    Waiter { val: u64::from(expected), uaddr, flags: flags as u32, reserved: 0 }
}

fn timespec(time: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: time.as_secs() as _,
        tv_nsec: libc::c_long::from(time.subsec_nanos() as i32),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_word_that_changed_already_is_not_slept_on() {
        let word = AtomicU32::new(2);
        let (far, other) = (Duration::from_secs(600), AtomicU32::new(0));
        futex_wait(&word, 1, far);
        futex_wait_private(&word, 1, far);
        futex_wait_bits(&word, 1, far, 1);
        futex_wait_two((&word, 1), (&other, 0), far);
        futex_wait_two((&other, 0), (&word, 1), far);
    }

    #[test]
    fn a_sleep_on_two_words_ends_with_either() {
        for rung in [0, 1] {
            let words = Arc::new([AtomicU32::new(0), AtomicU32::new(0)]);
            let sleeper = {
                let words = Arc::clone(&words);
                std::thread::spawn(move || {
                    while words[0].load(Ordering::SeqCst) + words[1].load(Ordering::SeqCst) == 0 {
                        let slept = Duration::from_secs(60);
                        if !futex_wait_two((&words[0], 0), (&words[1], 0), slept) {
                            std::thread::yield_now();
                        }
                    }
                })
            };
            words[rung].store(1, Ordering::SeqCst);
            futex_wake(&words[0], u32::MAX);
            futex_wake_private(&words[1]);
            sleeper.join().unwrap();
        }
    }

    #[test]
    fn a_kernel_that_cannot_sleep_on_two_words_is_told_at_once() {
        let child = crate::process::forking::fork(|| {
            forbid(libc::SYS_futex_waitv);
            let (one, two) = (AtomicU32::new(0), AtomicU32::new(0));
            let far = Duration::from_secs(600);
            let slept = [(); 2].map(|()| futex_wait_two((&one, 0), (&two, 0), far));
            i32::from(slept != [false, false])
        });
        assert_eq!(child.exit_code(), 0);
    }

    /// Makes a system call answer ENOSYS from now on, as on a kernel that does not have it.
    pub(in crate::os) fn forbid(call: libc::c_long) {
        let step =
            |code: u32, jf: u8, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf, k };
        let (load, compare) = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, libc::BPF_JMP);
        let mut steps = [
            step(load, 0, 0),
            step(compare | libc::BPF_JEQ | libc::BPF_K, 1, call as u32),
            step(libc::BPF_RET, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
            step(libc::BPF_RET, 0, libc::SECCOMP_RET_ALLOW),
        ];
        let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
        // SAFETY: gives up the right to gain rights, for the calling child process.
        assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
        let mode = libc::SECCOMP_MODE_FILTER;
        // SAFETY: the program and its steps live through the call, which copies them.
        let code = unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, ptr::from_ref(&program)) };
        assert_eq!(code, 0);
    }
}
