//! The server of `scripts/postgres.sh`, as its administrator has it.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use smolwf::handles::store::{Store, StoreOptions};

/// Held by tests that need a server in peace, and alone by one that troubles it.
static PEACE: RwLock<()> = RwLock::new(());

/// A script of this tree.
pub fn script(name: &str) -> Command {
    Command::new(format!("{}/scripts/{name}", env!("CARGO_MANIFEST_DIR")))
}

/// Runs a statement by a URL of libpq; `false` where it failed.
pub fn run_at(url: &str, sql: &str) -> bool {
    let programs = std::env::var("SW_POSTGRES_PROGRAMS").unwrap();
    let psql = Command::new(format!("{programs}/psql")).args(["-qAtX", url, "-c", sql]).output();
    psql.unwrap().status.success()
}

pub enum Turn {
    Shared { _peace: RwLockReadGuard<'static, ()> },
    Alone { _peace: RwLockWriteGuard<'static, ()> },
}

pub struct Server {
    url: String,
    _turn: Turn,
    /// The folder of its socket, which holds its data as well.
    pub room: PathBuf,
}

impl Server {
    /// Finds it; `None`, and why, where there is none.
    pub fn found() -> Option<Server> {
        let peace = PEACE.read().unwrap_or_else(PoisonError::into_inner);
        Server::in_turn(Turn::Shared { _peace: peace })
    }

    /// Finds it, for a test that no other may run beside.
    pub fn alone() -> Option<Server> {
        let peace = PEACE.write().unwrap_or_else(PoisonError::into_inner);
        Server::in_turn(Turn::Alone { _peace: peace })
    }

    fn in_turn(turn: Turn) -> Option<Server> {
        let Ok(url) = std::env::var("SW_POSTGRES_URL") else {
            assert!(std::env::var("SW_REQUIRE_ALL").is_err(), "SW_POSTGRES_URL names no server");
            println!("skipped: SW_POSTGRES_URL names no server, scripts/postgres.sh starts one");
            return None;
        };
        let (_, room) = url.split_once("host=").expect("a URL of scripts/postgres.sh");
        let room = PathBuf::from(room.split('&').next().unwrap());
        Some(Server { url, _turn: turn, room })
    }

    /// The URL of a store, straight or by a socket in another folder.
    pub fn url(&self, schema: &str, by: Option<&std::path::Path>) -> String {
        let room = self.room.display().to_string();
        let url = by.map_or(self.url.clone(), |by| self.url.replace(&room, by.to_str().unwrap()));
        format!("{url}&sw_schema={schema}")
    }

    /// What psql takes, by a socket in another folder.
    pub fn plain_url(&self, by: &std::path::Path) -> String {
        self.url.replace(&self.room.display().to_string(), by.to_str().unwrap())
    }

    /// Opens a store whose calls wait so long.
    pub fn open(
        &self,
        url: &str,
        busy_timeout_ms: u32,
    ) -> smolwf::error::Result<std::sync::Arc<Store>> {
        let options = StoreOptions { create: true, busy_timeout_ms, ..StoreOptions::default() };
        Store::open(std::path::Path::new(url), &options)
    }

    /// Runs statements as its administrator.
    pub fn run(&self, sql: &str) -> bool {
        run_at(&self.url, sql)
    }

    /// Begins to run lines as its administrator, and hands out what they answer.
    pub fn begin(&self, lines: &str) -> impl BufRead + Send + use<> {
        let programs = std::env::var("SW_POSTGRES_PROGRAMS").unwrap();
        let mut psql = Command::new(format!("{programs}/psql"));
        let psql = psql.args(["-qAtX", &self.url]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut psql = psql.spawn().unwrap();
        psql.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        let answers = BufReader::new(psql.stdout.take().unwrap());
        // It ends with its last line.
        std::thread::spawn(move || psql.wait());
        answers
    }

    /// Ends every backend that serves a client.
    pub fn end_backends(&self) {
        // It may be away itself at this moment.
        self.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()");
    }

    /// Kills it, and starts it again once it was away for a while.
    pub fn kill_and_start(&self, how: &str, away_ms: u32) {
        let again = &mut script("postgres-again.sh");
        let done = again.args([how, &away_ms.to_string()]).status().unwrap();
        assert!(done.success(), "the server could not be started again");
    }
}
