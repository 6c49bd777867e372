//! The server that `scripts/postgres.sh` has started, and its own programs: psql, and pgbench, which does by
//! hand over libpq what a store does.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::driver::sample_time;
use crate::host::{Host, POWER};

pub struct Server {
    url: String,
    programs: PathBuf,
}

impl Server {
    pub fn found() -> Server {
        let named = |name| std::env::var(name).expect("scripts/postgres.sh starts a server");
        Server { url: named("SW_POSTGRES_URL"), programs: named("SW_POSTGRES_PROGRAMS").into() }
    }

    /// The folder of its socket.
    pub fn room(&self) -> &Path {
        let (_, room) = self.url.split_once("host=").expect("a URL of scripts/postgres.sh");
        Path::new(room.split('&').next().unwrap_or(room))
    }

    /// The same server, through a socket in another folder.
    pub fn through(&self, folder: &Path) -> Server {
        let [room, folder] = [self.room(), folder].map(|it| it.to_str().unwrap());
        Server { url: self.url.replace(room, folder), programs: self.programs.clone() }
    }

    pub fn open(&self, schema: &str) -> Host {
        Host::open(Path::new(&format!("{}&sw_schema={schema}", self.url)), POWER)
    }

    pub fn run(&self, sql: &str) {
        let mut psql = Command::new(self.programs.join("psql"));
        let status = psql.args(["-qX", &self.url, "-o", "/dev/null", "-c", sql]).status().unwrap();
        assert!(status.success(), "{sql}");
    }

    /// Runs a program that finds psql by its name, with the URL as its last argument.
    pub fn lend(&self, program: &Path, arguments: &[&str]) {
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", self.programs.display());
        let mut command = Command::new(program);
        let told = command.args(arguments).arg(&self.url).env("PATH", path).output().unwrap();
        assert!(told.status.success(), "{arguments:?}: {told:?}");
    }

    /// Transactions of a script per second, from so many connections. In each of them the variable `begun`
    /// is 0 until the script sets it. As long as the sample takes they run before it: connections of a store
    /// are there already, and what a new one must learn first takes a third from 64 of them in a second.
    pub fn rate(&self, script: &Path, connections: u32) -> f64 {
        let seconds = sample_time().as_secs().max(1);
        let [sample, whole, count] =
            [seconds, 2 * seconds + 1, connections.into()].map(|it| it.to_string());
        let told = Command::new(self.programs.join("pgbench"))
            .args(["-n", "-M", "prepared", "-D", "begun=0"])
            .args(["-j", "2", "-c", &count, "-T", &whole, "-P", &sample, "-f"])
            .arg(script)
            .arg(&self.url)
            .output()
            .unwrap();
        // With some of its connections gone it goes on, and tells so. It ends a second after the sample: what
        // would be told at its end is told or not.
        assert!(told.status.success(), "{told:?}");
        let said = String::from_utf8_lossy(&told.stderr);
        let mut reports = said.lines().filter(|line| line.starts_with("progress: "));
        let report = reports.nth(1).unwrap_or_else(|| panic!("{told:?}"));
        let rate = report.split(", ").find_map(|part| part.strip_suffix(" tps"));
        rate.and_then(|rate| rate.parse().ok()).unwrap_or_else(|| panic!("{report}"))
    }
}
