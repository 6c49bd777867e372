//! A way to the server that is cut at a message of our choice. It knows where messages of the protocol end,
//! and which of them are a COMMIT and the answer to one.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Which way messages go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    There,
    Back,
}

/// Where a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    pub way: Way,
    /// Of all messages that way, or of those that are a COMMIT, or the answer to one; from 1.
    pub message: u32,
    pub is_of_commits: bool,
    /// Once the message has gone on, or in its place.
    pub is_after: bool,
    /// Nobody gets through from then on, until it is mended.
    pub is_for_long: bool,
}

/// Messages that have come so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub all: u32,
    pub commits: u32,
    /// Questions whose answer somebody waits for: what is sent together is one.
    pub flights: u32,
}

#[derive(Default)]
struct State {
    cut: Option<Cut>,
    there: Counts,
    back: Counts,
    is_away: bool,
    open: Vec<UnixStream>,
}

pub struct Proxy {
    folder: tempfile::TempDir,
    state: Arc<Mutex<State>>,
}

impl Proxy {
    /// Listens in a folder of its own for what goes to the socket in `room`.
    pub fn to(room: &Path) -> Proxy {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(socket_in(folder.path())).unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let (target, shared) = (socket_in(room), Arc::clone(&state));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                carry(client.unwrap(), &target, &shared);
            }
        });
        Proxy { folder, state }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Counts from here on, and cuts once.
    pub fn plan(&self, cut: Option<Cut>) {
        let mut state = self.state.lock().unwrap();
        (state.cut, state.there, state.back) = (cut, Counts::default(), Counts::default());
    }

    /// Lets everybody through again, and returns whether there was a cut since the plan.
    pub fn mend(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        state.is_away = false;
        state.cut.is_none()
    }

    pub fn counts(&self, way: Way) -> Counts {
        let state = self.state.lock().unwrap();
        if way == Way::There { state.there } else { state.back }
    }
}

fn socket_in(folder: &Path) -> PathBuf {
    folder.join(".s.PGSQL.5432")
}

fn carry(client: UnixStream, target: &Path, state: &Arc<Mutex<State>>) {
    if state.lock().unwrap().is_away {
        return;
    }
    let Ok(server) = UnixStream::connect(target) else { return };
    let ends = [client.try_clone().unwrap(), server.try_clone().unwrap()];
    state.lock().unwrap().open.extend(ends);
    for way in [Way::There, Way::Back] {
        let (from, to) = if way == Way::There { (&client, &server) } else { (&server, &client) };
        let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        let state = Arc::clone(state);
        std::thread::spawn(move || {
            pump(way, &from, &to, &state);
            for end in [from, to] {
                let _ = end.shutdown(Shutdown::Both);
            }
        });
    }
}

/// Carries message by message, until one end is gone or the way is cut.
fn pump(way: Way, mut from: &UnixStream, mut to: &UnixStream, state: &Mutex<State>) {
    let mut is_first = way == Way::There;
    let mut talk = Talk::default();
    while let Some(message) = message(&mut from, is_first) {
        is_first = false;
        let sense = talk.sense(way, &message);
        match state.lock().unwrap().judge(way, sense) {
            None => {}
            Some(cut) if cut.is_after => {
                let _ = to.write_all(&message);
                return;
            }
            Some(_) => return,
        }
        if to.write_all(&message).is_err() {
            return;
        }
    }
}

/// Reads one message whole: a letter, but for the first of a client's, its length, and the rest.
fn message(from: &mut &UnixStream, is_first: bool) -> Option<Vec<u8>> {
    let head = if is_first { 4 } else { 5 };
    let mut message = vec![0; head];
    from.read_exact(&mut message).ok()?;
    let length = u32::from_be_bytes(message[head - 4..].try_into().unwrap()) as usize;
    message.resize(head + length.checked_sub(4)?, 0);
    from.read_exact(&mut message[head..]).ok()?;
    Some(message)
}

/// What a message is to its reader here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sense {
    /// A COMMIT, or the answer to one.
    Commit,
    /// What commits a transaction that has no BEGIN, and is waited for.
    LightCommit,
    /// From here on an answer is waited for.
    Flight,
    Other,
}

/// What was said on one connection: a statement is prepared, then bound, then executed.
#[derive(Default)]
struct Talk {
    prepared: HashMap<Vec<u8>, Vec<u8>>,
    bound: Vec<u8>,
    /// Behind a BEGIN.
    is_in_block: bool,
    /// Of a transaction of one flight, which its end commits.
    is_light: bool,
}

impl Talk {
    fn sense(&mut self, way: Way, message: &[u8]) -> Sense {
        let Some((letter, rest)) = message.split_first() else { return Sense::Other };
        let mut texts = rest.get(4..).unwrap_or_default().split(|byte| *byte == 0);
        let mut text = || texts.next().unwrap_or_default().to_vec();
        let is = |is_it, sense| if is_it { sense } else { Sense::Other };
        match (way, letter) {
            (Way::There, b'P') => {
                self.prepared.insert(text(), text());
                Sense::Other
            }
            (Way::There, b'B') => {
                let _portal = text();
                self.bound = self.prepared.get(&text()).cloned().unwrap_or_default();
                Sense::Other
            }
            (Way::There, b'E') => self.executed(),
            (Way::There, b'S') if std::mem::take(&mut self.is_light) => Sense::LightCommit,
            (Way::There, b'S') => is(!self.is_left_alone(), Sense::Flight),
            (Way::There, b'Q') => Sense::Flight,
            (Way::Back, b'C') => is(text() == b"COMMIT", Sense::Commit),
            (Way::There | Way::Back, _) => Sense::Other,
        }
    }

    fn executed(&mut self) -> Sense {
        let names = |part: &[u8]| self.bound.windows(part.len()).any(|at| at == part);
        let is_end = self.bound == b"COMMIT" || self.bound == b"ROLLBACK";
        self.is_in_block = !is_end && (self.is_in_block || self.bound.starts_with(b"BEGIN"));
        self.is_light |= !self.is_in_block && names(b"pg_advisory_xact_lock_shared");
        if self.bound == b"COMMIT" { Sense::Commit } else { Sense::Other }
    }

    /// The end of a read, whose answer nobody waits for, and a bell, which goes with a commit.
    fn is_left_alone(&self) -> bool {
        self.bound == b"ROLLBACK" || self.bound.windows(9).any(|part| part == b"pg_notify")
    }
}

impl State {
    /// Counts a message, and says whether it is the one.
    fn judge(&mut self, way: Way, sense: Sense) -> Option<Cut> {
        let is_commit = matches!(sense, Sense::Commit | Sense::LightCommit);
        let is_flight = matches!(sense, Sense::Flight | Sense::LightCommit);
        let counts = if way == Way::There { &mut self.there } else { &mut self.back };
        counts.all += 1;
        counts.commits += u32::from(is_commit);
        counts.flights += u32::from(is_flight);
        let counts = *counts;
        let is_it = |cut: &Cut| match cut.is_of_commits {
            true => is_commit && counts.commits == cut.message,
            false => counts.all == cut.message,
        };
        let cut = self.cut.filter(|cut| cut.way == way && is_it(cut))?;
        self.cut = None;
        if cut.is_for_long {
            self.is_away = true;
            // What comes later goes nowhere; the one that is cut ends by itself, when its message has gone.
            self.open.clear();
        }
        Some(cut)
    }
}
