//! Other processes: the test binary again, playing a part of the same test.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::Guard;

const ROLE: &str = "SMOLWF_TEST_ROLE";
const DB: &str = "SMOLWF_TEST_DB";
const EXTRA: &str = "SMOLWF_TEST_EXTRA";
const MARK: &str = "say: ";
const NOBODY: u32 = 65_534;

/// Returns whether this process may do what it likes.
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Says what is not tested here, and fails where everything is to be.
pub fn skip(why: &str) {
    println!("skipped: {why}");
    assert_ne!(std::env::var("SW_REQUIRE_ALL").as_deref(), Ok("1"), "{why}");
}

/// The part that this process plays, when it was started by [`Actor::start`].
pub struct Role {
    pub name: String,
    pub db: PathBuf,
    pub extra: String,
    _guard: Guard,
}

impl Role {
    /// Returns the part; `None` in the process of the test itself.
    pub fn mine() -> Option<Role> {
        let name = std::env::var(ROLE).ok()?;
        let db = PathBuf::from(std::env::var_os(DB).unwrap());
        let extra = std::env::var(EXTRA).unwrap();
        let _guard = Guard::new(&name);
        Some(Role { name, db, extra, _guard })
    }
}

/// Says a line to the process of the test.
pub fn say(text: &str) {
    println!("{MARK}{text}");
}

/// Waits until the test says a line, or lets go of this process (an empty text).
pub fn listen() -> String {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    line.trim().to_owned()
}

/// Another process. It is killed and reaped at the latest when this is dropped.
pub struct Actor {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Actor {
    /// Starts the test of that name again, in another role.
    pub fn start(test: &str, role: &str, db: &Path, extra: &str) -> Actor {
        let binary = std::env::current_exe().unwrap();
        Actor::spawn(&mut Command::new(binary), test, role, db, extra)
    }

    /// Starts it as a user without rights; `None`, with a word of it, where this process may not.
    pub fn start_as_nobody(test: &str, role: &str, db: &Path, extra: &str) -> Option<Actor> {
        if !is_root() {
            skip("only root can play another user");
            return None;
        }
        // Where everybody may run it; the folder of a build need not be one.
        let binary = db.with_file_name("binary");
        if !binary.exists() {
            // By another process: a program that one of ours has open for writing cannot be started, and a
            // fork of another test may have inherited that.
            let copied =
                Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&binary).status();
            assert!(copied.unwrap().success());
        }
        let mut command = Command::new(binary);
        Some(Actor::spawn(command.uid(NOBODY).gid(NOBODY), test, role, db, extra))
    }

    fn spawn(command: &mut Command, test: &str, role: &str, db: &Path, extra: &str) -> Actor {
        let mut child = command
            .args([test, "--exact", "--nocapture", "--test-threads=1"])
            .envs([(ROLE, OsStr::new(role)), (DB, db.as_os_str()), (EXTRA, OsStr::new(extra))])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Actor { child, lines }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the next line that it says.
    pub fn hear(&mut self) -> String {
        self.hear_any().unwrap_or_else(|| {
            panic!("the other process ended without a word: {:?}", self.child.wait())
        })
    }

    /// Returns the next line that it says; `None` when it has ended without one.
    pub fn hear_any(&mut self) -> Option<String> {
        let mut line = String::new();
        while self.lines.read_line(&mut line).unwrap() > 0 {
            if let Some((_, said)) = line.split_once(MARK) {
                return Some(said.trim_end_matches('\n').to_owned());
            }
            line.clear();
        }
        None
    }

    /// Says a line to it.
    pub fn tell(&mut self, text: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(format!("{text}\n").as_bytes()).unwrap();
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let signal = format!("-{name}");
        let status = Command::new("kill").args([&signal, &self.pid().to_string()]).status();
        assert!(status.unwrap().success(), "kill {signal}");
    }

    /// Returns whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Kills it as `kill -9` does, and reaps it.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert!(!status.success(), "it ended before it was killed");
    }

    /// Lets go of it and returns whether its part of the test passed.
    pub fn succeeds(mut self) -> bool {
        drop(self.child.stdin.take());
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        let is_well = self.child.wait().unwrap().success();
        if !is_well {
            println!("{rest}");
        }
        is_well
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
