//! A way to a server that takes its time: what comes is stamped, and goes on when it is due, however much
//! else is under way. One thread carries it all; two for each connection, woken for every message, would
//! take more of a small machine than what is measured there.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::ptr::null;
use std::time::{Duration, Instant};

pub struct Wire {
    folder: tempfile::TempDir,
}

impl Wire {
    /// Listens in a folder of its own for what goes to the socket in `room`, until the process ends.
    pub fn to(room: &Path, each_way: Duration) -> Wire {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(socket_in(folder.path())).unwrap();
        let target = socket_in(room);
        std::thread::spawn(move || {
            // Else the kernel may wake it 50 us late.
            unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
            carry(&listener, &target, each_way);
        });
        Wire { folder }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn socket_in(folder: &Path) -> PathBuf {
    folder.join(".s.PGSQL.5432")
}

fn carry(listener: &UnixListener, target: &Path, each_way: Duration) {
    let mut ways: Vec<Way> = Vec::new();
    let mut room = vec![0; 1 << 16];
    loop {
        let is_ready = wait(listener, &ways);
        let (is_called, is_ready) = is_ready.split_first().expect("the listener comes first");
        for (way, _) in ways.iter_mut().zip(is_ready).filter(|(_, is_ready)| **is_ready) {
            way.take(&mut room, each_way);
        }
        let now = Instant::now();
        ways.iter_mut().for_each(|way| way.pass(now));
        ways.retain(|way| !way.is_over);
        if *is_called {
            ways.extend(both_ways(listener.accept().unwrap().0, target));
        }
    }
}

/// Waits until somebody calls, something can be read, or what is under way is due: of the listener, then of
/// each way, whether there is something.
fn wait(listener: &UnixListener, ways: &[Way]) -> Vec<bool> {
    let of_ways = ways.iter().map(|way| if way.is_closed { -1 } else { way.from.as_raw_fd() });
    let mut polled: Vec<libc::pollfd> = std::iter::once(listener.as_raw_fd())
        .chain(of_ways)
        .map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 })
        .collect();
    let due = ways.iter().filter_map(|way| way.queue.front()).map(|(due, _)| *due).min();
    let left = due.map(|due| due.saturating_duration_since(Instant::now()));
    let left = left.map(|left| libc::timespec {
        tv_sec: left.as_secs() as libc::time_t,
        tv_nsec: left.subsec_nanos().into(),
    });
    let timeout = left.as_ref().map_or(null(), std::ptr::from_ref);
    unsafe { libc::ppoll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, timeout, null()) };
    polled.iter().map(|it| it.revents != 0).collect()
}

fn both_ways(client: UnixStream, target: &Path) -> [Way; 2] {
    let server = UnixStream::connect(target).unwrap();
    for end in [&client, &server] {
        end.set_nonblocking(true).unwrap();
    }
    let back = Way::new(server.try_clone().unwrap(), client.try_clone().unwrap());
    [Way::new(client, server), back]
}

struct Way {
    from: UnixStream,
    to: UnixStream,
    /// When each part is due; an empty one is the end.
    queue: VecDeque<(Instant, Vec<u8>)>,
    /// Nothing more comes.
    is_closed: bool,
    /// Nothing more goes.
    is_over: bool,
}

impl Way {
    fn new(from: UnixStream, to: UnixStream) -> Way {
        Way { from, to, queue: VecDeque::new(), is_closed: false, is_over: false }
    }

    fn take(&mut self, room: &mut [u8], each_way: Duration) {
        let count = match self.from.read(room) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(_) => 0,
        };
        self.is_closed = count == 0;
        self.queue.push_back((Instant::now() + each_way, room[..count].to_vec()));
    }

    /// Sends on what is due.
    fn pass(&mut self, now: Instant) {
        while let Some((due, part)) = self.queue.front_mut().filter(|(due, _)| *due <= now) {
            match self.to.write(part) {
                Ok(0) => return self.end(),
                Ok(count) if count == part.len() => drop(self.queue.pop_front()),
                Ok(count) => drop(part.drain(..count)),
                // Full: the other end reads in a moment.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    *due = now + Duration::from_micros(50);
                }
                Err(_) => return self.end(),
            }
        }
    }

    fn end(&mut self) {
        let _ = self.to.shutdown(Shutdown::Write);
        self.is_over = true;
    }
}
