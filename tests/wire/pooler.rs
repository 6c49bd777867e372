//! A pooler between a store and its server.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use smolwf::domain::claim::Claim;
use smolwf::domain::submit::Submit;
use smolwf::handles::attempt::Attempt;
use smolwf::handles::sql::InNameOf;
use smolwf::handles::store::{Store, StoreOptions};

use crate::server::{Server, run_at, script};
use crate::workload::Day;

const UNSUPPORTED: i32 = -6;
const CLOSED: i32 = -7;
const SIGABRT: i32 = 6;

/// Days that are lived at the same time behind one pooler.
const LANES: usize = 4;

/// What another one who uses the pool may have left in a session.
const LEFT_BEHIND: &str = "
SET search_path = nowhere; SET bytea_output = escape; SET datestyle = 'SQL, DMY'; SET timezone = 'Asia/Tokyo';
SET extra_float_digits = -10; SET default_transaction_isolation = serializable; SET synchronous_commit = off;
SET statement_timeout = 500";

/// Divides by zero unless nothing of ours stays in a session.
const IS_LEFT_AS_IT_WAS: &str = "
SELECT 1 / (current_setting('enable_seqscan') = 'on' AND current_setting('search_path') <> 'pg_catalog'
    AND NOT EXISTS (SELECT FROM pg_prepared_statements) AND NOT EXISTS (SELECT FROM pg_listening_channels())
    AND NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()))::integer";

/// The URL of a store whose claim is held by a process that is about to die.
const DIES_AT: &str = "SW_TEST_DIES_AT";

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

#[test]
fn a_pooler_that_shares_sessions_is_worked_through_where_the_url_says_so() {
    let Some(server) = Server::alone() else { return };
    let schema = format!("sw_test_shared_{}", std::process::id());
    let Some(pooler) = Pooler::start(&server, "transaction", 6) else { return };
    let psql = server.plain_url(&pooler.folder);
    assert!(run_at(&psql, LEFT_BEHIND));
    let url = format!("{}&sw_pooler=transaction", server.url(&schema, Some(&pooler.folder)));
    server.open(&url, 10_000).unwrap().init().unwrap();
    let judge = server.open(&server.url(&schema, None), 10_000).unwrap();
    let script = format!(r#"[{{"sql":"CREATE TABLE {schema} (of integer)"}}]"#);
    server.open(&url, 10_000).unwrap().tx_run(InNameOf::default(), &script).unwrap();
    assert!(
        server.run(&format!("DROP TABLE public.{schema}")),
        "it stands where the role has its tables"
    );
    std::thread::scope(|scope| {
        for lane in 0..LANES {
            let (server, judge, url) = (&server, &judge, &url);
            scope.spawn(move || {
                // Handles of one URL share what a process knows.
                let store =
                    server.open(&format!("{url}&application_name=l{lane}"), 10_000).unwrap();
                let day = Day::on(&format!("lane{lane}"), &|| {});
                day.live(&store);
                store.close();
                day.judge(judge);
                assert!(day.failed.borrow().is_empty(), "{:?}", day.failed);
            });
        }
    });
    assert_eq!(judge.check().unwrap(), r#"{"ok":true,"faults":[]}"#);
    for _ in 0..12 {
        assert!(run_at(&psql, &format!("SET statement_timeout = 0; {IS_LEFT_AS_IT_WAS}")));
    }
    judge.close();
}

/// A session that is another one's next is no sign that an owner lives: its pooler lets go of the one that a
/// dead process was in the midst of.
#[test]
fn a_worker_that_dies_behind_a_pooler_frees_its_runs_at_once() {
    if let Ok(url) = std::env::var(DIES_AT) {
        let options = StoreOptions { create: true, ..StoreOptions::default() };
        let store = Store::open(std::path::Path::new(&url), &options).unwrap();
        claim(&store).expect("a run");
        std::process::abort();
    }
    let Some(server) = Server::alone() else { return };
    let schema = format!("sw_test_dies_{}", std::process::id());
    let Some(pooler) = Pooler::start(&server, "transaction", 6) else { return };
    let url = format!("{}&sw_pooler=transaction", server.url(&schema, Some(&pooler.folder)));
    let store = server.open(&url, 10_000).unwrap();
    store.init().unwrap();
    store.submit(Submit { workflow: "w".into(), ..Submit::default() }).unwrap();
    let died = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "pooler::a_worker_that_dies_behind_a_pooler_frees_its_runs_at_once"])
        .env(DIES_AT, format!("{url}&application_name=dies"))
        .output()
        .unwrap();
    assert_eq!(died.status.signal(), Some(SIGABRT), "{died:?}");
    let waits = Claim { lease_ms: u32::MAX, wait_ms: 30_000, ..Claim::default() };
    let again = store.claim(waits).unwrap().expect("the dead one's run");
    again.complete(None).unwrap();
    store.close();
}
