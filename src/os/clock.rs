//! The clock of the machine, which boot of it this is, and whose process numbers are meant.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;
use std::time::Duration;

/// Milliseconds that the machine was awake since it booted. Never goes back, stands still while the
/// machine sleeps, and is the same in every process of the machine.
pub fn uptime_ms() -> i64 {
    millis(&read(libc::CLOCK_MONOTONIC))
}

/// Unix milliseconds, which whoever sets the machine's clock moves either way, also to before 1970.
pub fn wall_ms() -> i64 {
    millis(&read(libc::CLOCK_REALTIME))
}

fn millis(time: &libc::timespec) -> i64 {
    time.tv_sec.saturating_mul(1000).saturating_add(time.tv_nsec / 1_000_000)
}

/// Returns 16 bytes that differ from one boot of the machine to the next; zeros where the system does
/// not tell. A lack of descriptors is an error: another boot would seem to have begun.
pub fn boot_id() -> io::Result<[u8; 16]> {
    static KNOWN: OnceLock<[u8; 16]> = OnceLock::new();
    if let Some(id) = KNOWN.get() {
        return Ok(*id);
    }
    let id = match fs::read_to_string("/proc/sys/kernel/random/boot_id") {
        Ok(text) => parse_uuid(text.trim()).unwrap_or_default(),
        Err(error) if is_untold(&error) => [0; 16],
        Err(error) => return Err(error),
    };
    Ok(*KNOWN.get_or_init(|| id))
}

/// Returns whether a file of the system's is not there for this process, now and later.
fn is_untold(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
}

/// Returns the number of the namespace that gives process ids their meaning; 0 when unknown.
pub fn pid_space() -> u64 {
    fs::metadata("/proc/self/ns/pid").map_or(0, |facts| facts.ino())
}

pub(super) fn monotonic() -> Duration {
    let now = read(libc::CLOCK_MONOTONIC);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

fn read(clock: libc::clockid_t) -> libc::timespec {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both clocks exist on every Linux, and the call writes one timespec to the room given.
    unsafe { libc::clock_gettime(clock, &mut now) };
    now
}

fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let mut digits = text.bytes().filter(|byte| *byte != b'-');
    let mut bytes = [0; 16];
    for byte in &mut bytes {
        let high = char::from(digits.next()?).to_digit(16)?;
        let low = char::from(digits.next()?).to_digit(16)?;
        *byte = (high * 16 + low) as u8;
    }
    digits.next().is_none().then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_the_machine_does_not_go_back() {
        let first = uptime_ms();
        assert!(first > 0);
        assert!(uptime_ms() >= first);
    }

    #[test]
    fn boot_and_process_space_are_known_and_steady() {
        assert_ne!(boot_id().unwrap(), [0; 16]);
        assert_eq!(boot_id().unwrap(), boot_id().unwrap());
        assert_ne!(pid_space(), 0);
    }

    #[test]
    fn a_uuid_is_sixteen_bytes_or_nothing() {
        let bytes = parse_uuid("00010203-0405-0607-0809-0a0b0c0d0eff").unwrap();
        assert_eq!((bytes[1], bytes[15]), (1, 255));
        assert_eq!(parse_uuid("00"), None);
        assert_eq!(parse_uuid("00010203-0405-0607-0809-0a0b0c0d0eff0"), None);
        assert_eq!(parse_uuid("zz010203-0405-0607-0809-0a0b0c0d0eff"), None);
    }
}
