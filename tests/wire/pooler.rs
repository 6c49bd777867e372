//! A pooler between a store and its server.

use std::path::PathBuf;
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smolwf::domain::claim::Claim;
use smolwf::domain::submit::Submit;
use smolwf::handles::attempt::Attempt;
use smolwf::handles::store::Store;

use crate::server::{Server, script};

const UNSUPPORTED: i32 = -6;
const CLOSED: i32 = -7;

/// `scripts/pgbouncer.sh`, until it goes.
struct Pooler {
    child: Child,
    folder: PathBuf,
}

impl Pooler {
    fn start(server: &Server, mode: &str, connections: u32) -> Option<Pooler> {
        let mut child =
            script("pgbouncer.sh").args([mode, &connections.to_string()]).spawn().unwrap();
        let folder = server.room.join("pooler");
        let until = Instant::now() + Duration::from_secs(60);
        while !folder.join(".s.PGSQL.5432").exists() {
            assert!(Instant::now() < until, "it does not come up");
            if let Some(status) = child.try_wait().unwrap() {
                assert_eq!(status.code(), Some(3), "it ended");
                assert!(std::env::var("SW_REQUIRE_ALL").is_err(), "pgbouncer is missing");
                println!("skipped: pgbouncer is missing");
                return None;
            }
            // It comes up.
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(Pooler { child, folder })
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::fs::remove_file(self.folder.join(".s.PGSQL.5432")).unwrap();
    }
}

fn claim(store: &Arc<Store>) -> Option<Arc<Attempt>> {
    store.claim(Claim { lease_ms: u32::MAX, ..Claim::default() }).unwrap()
}

#[test]
fn a_pooler_that_shares_sessions_is_refused_before_anything_is_made() {
    let Some(server) = Server::alone() else { return };
    let schema = format!("sw_test_pooler_{}", std::process::id());
    for connections in [1, 5] {
        let Some(pooler) = Pooler::start(&server, "transaction", connections) else { return };
        let refused = server.open(&server.url(&schema, Some(&pooler.folder)), 5_000).err().unwrap();
        assert_eq!(refused.code(), UNSUPPORTED, "{refused}");
        assert!(refused.to_string().contains("session mode"), "{refused}");
    }
    let changed =
        "SELECT 1 / (count(*) = 0)::integer FROM pg_namespace WHERE nspname LIKE 'sw_test_pooler%'";
    assert!(server.run(changed), "nothing was made");
}

#[test]
fn a_pooler_that_gives_sessions_is_worked_through() {
    let Some(server) = Server::alone() else { return };
    let schema = format!("sw_test_session_{}", std::process::id());
    let Some(pooler) = Pooler::start(&server, "session", 30) else { return };
    let open = |name: &str| {
        let url = server.url(&schema, Some(&pooler.folder));
        server.open(&format!("{url}&application_name={name}"), 10_000).unwrap()
    };
    let (here, there) = (open("here"), open("there"));
    here.init().unwrap();
    for _ in 0..2 {
        here.submit(Submit { workflow: "w".into(), ..Submit::default() }).unwrap();
    }
    let attempt = claim(&here).expect("a run");
    claim(&there).expect("the other").complete(None).unwrap();
    assert!(claim(&there).is_none(), "one that is alive has it");
    here.close();
    let again = claim(&there).expect("it was given back");
    assert_eq!(attempt.complete(None).err().map(|error| error.code()), Some(CLOSED));
    again.complete(None).unwrap();
    there.close();
}
