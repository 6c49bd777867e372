//! Other processes: this program started again. What they do is in `child.rs`.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::driver::sample_time;

/// A process that does one thing and tells of it, line by line.
pub struct Process {
    child: Child,
    lines: BufReader<ChildStdout>,
    input: ChildStdin,
}

impl Process {
    pub fn start(role: &str, path: &Path, number: u32) -> Process {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--child", role, path.to_str().unwrap(), &number.to_string()])
            .arg(sample_time().as_millis().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let input = child.stdin.take().unwrap();
        Process { child, lines, input }
    }

    pub fn line(&mut self) -> String {
        let mut text = String::new();
        self.lines.read_line(&mut text).unwrap();
        assert!(!text.is_empty(), "the other process ended early");
        text.trim().to_owned()
    }

    /// The numbers of one line.
    pub fn numbers(&mut self) -> Vec<f64> {
        self.line().split(' ').map(|word| word.parse().unwrap()).collect()
    }

    /// Lets a process begin that said it is ready.
    pub fn go(&mut self) {
        assert_eq!(self.line(), "ready");
        self.input.write_all(b"go\n").unwrap();
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn end(mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}

/// In the other process: says that it is ready, and waits until it may begin.
pub fn ready() {
    println!("ready");
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// The machine's steady clock, which all processes share.
pub fn now_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) }, 0);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
