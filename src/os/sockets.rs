//! Sockets of others, as far as one waits for them.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

/// Waits until a socket can be read, or else written, or the time is over; returns whether it can.
pub fn wait_for_socket(socket: RawFd, is_to_write: bool, timeout: Duration) -> io::Result<bool> {
    let events = if is_to_write { libc::POLLOUT } else { libc::POLLIN };
    let mut asked = libc::pollfd { fd: socket, events, revents: 0 };
    // Rounded up, else the last millisecond of a wait would spin.
    let ms = timeout.as_micros().div_ceil(1_000);
    let ms = libc::c_int::try_from(ms).unwrap_or(libc::c_int::MAX);
    // SAFETY: reads and writes the one entry given; a descriptor that is none is told in it.
    match unsafe { libc::poll(&mut asked, 1, ms) } {
        0 => Ok(false),
        1.. => Ok(true),
        _ if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => Ok(false),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_socket_that_can_be_read_ends_the_wait() {
        let (mut one, other) = UnixStream::pair().unwrap();
        assert!(!wait_for_socket(other.as_raw_fd(), false, Duration::ZERO).unwrap());
        assert!(wait_for_socket(other.as_raw_fd(), true, Duration::ZERO).unwrap());
        one.write_all(b"x").unwrap();
        assert!(wait_for_socket(other.as_raw_fd(), false, Duration::from_secs(60)).unwrap());
    }
}
