//! Holds the facts of how a write travels: who shares a commit, who pays a sync, what a lost
//! transaction and a failing disk leave behind.
//!
//! Counts come from the layer that can fail (syncs, writes) and from the log itself (commits).

#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::type_complexity,
    clippy::too_many_lines,
    clippy::unit_arg,
    reason = "a test says what it wants and refuses the rest"
)]

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ffi};
use tempfile::TempDir;

use super::backend::{Backend, TimeAwake};
use super::conn::Conn;
use super::errors::map;
use super::fault::{self, Fault, FileKind, Operation};
use super::job::Job;
use super::names::log_path;
use super::open;
use super::tx::Tx;
use crate::clock::{Clock, Now};
use crate::domain::claim::Claim;
use crate::domain::news::{News, Queues};
use crate::domain::port::Port;
use crate::domain::step::Begin;
use crate::domain::submit::Submit;
use crate::domain::{Durability, FailOptions};
use crate::error::{Error, Result};
use crate::handles::begin::Begun;
use crate::handles::store::{Store, StoreOptions};
use crate::limits::{
    CHECKPOINT_PAGES, CHECKPOINT_PAGES_HARD, WRITE_BATCH_BYTES_MAX, WRITE_BATCH_MS_MAX,
    WRITE_QUEUE_LEN_MAX,
};
use crate::storage::seat::Seats;
use crate::storage::{Call, Settings, WriteOptions};

const PATIENCE: Duration = Duration::from_secs(60);

type Work = Box<dyn FnMut(&mut Tx<'_>) -> Result<()> + Send>;

fn settings() -> Settings {
    Settings {
        can_create: true,
        is_read_only: false,
        allows_network_fs: false,
        busy_timeout_ms: 60_000,
        max_readers: 4,
        durability: Durability::Power,
    }
}

/// A migrated store in a file with one table of the test's own.
struct Bed {
    backend: Option<Backend>,
    path: PathBuf,
    _folder: TempDir,
}

impl Bed {
    fn new() -> Bed {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let bed = Bed { backend: Some(open(&path)), path, _folder: folder };
        bed.run(Durability::Power, |tx| {
            tx.migrate_for_test()?;
            execute(tx, "CREATE TABLE t (n, body)")
        })
        .unwrap();
        bed
    }

    fn backend(&self) -> &Backend {
        self.backend.as_ref().unwrap()
    }

    fn reopen(&mut self) {
        self.backend.take().unwrap().close();
        self.backend = Some(open(&self.path));
    }

    fn run(
        &self,
        durability: Durability,
        mut work: impl FnMut(&mut Tx<'_>) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let order = WriteOptions { is_schema_free: true, ..order(durability) };
        self.backend().write(order, move |tx, _| work(tx))
    }

    fn put(&self, durability: Durability, n: i64) -> Result<()> {
        self.run(durability, move |tx| insert(tx, n, 0))
    }

    /// Returns what readers see.
    fn rows(&self) -> Vec<i64> {
        self.backend().read_any(|tx| all_rows(tx.conn())).unwrap()
    }

    fn conn<T>(&self, look: impl FnOnce(&Conn) -> T) -> T {
        look(self.backend().file.writer.as_ref().unwrap().connection().conn())
    }

    /// Runs jobs as one batch; returns the error that each one's answer must be.
    fn commit(&self, jobs: &[Arc<Plain>]) -> Vec<Option<i32>> {
        let batch: Vec<Arc<Job>> = jobs.iter().map(|plain| Arc::clone(&plain.job)).collect();
        let mut connection = self.backend().file.writer.as_ref().unwrap().connection();
        connection.begin(Instant::now() + Duration::from_secs(5)).unwrap();
        let failures = connection.commit(&batch, &Seats::default()).into_iter();
        failures.map(|failure| failure.map(|error| error.code())).collect()
    }

    fn commits(&self) -> usize {
        commits(&self.path)
    }

    fn syncs(&self) -> u32 {
        fault::counts(&self.path).wal_syncs
    }

    fn arm(&self, operation: Operation, code: i32) {
        arm(&self.path, operation, code);
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        fault::disarm(&self.path);
        if let Some(backend) = self.backend.take() {
            backend.close();
        }
    }
}

impl Tx<'_> {
    fn migrate_for_test(&self) -> Result<()> {
        super::migrate::apply(self.conn, None, 1).map(|_| ())
    }
}

fn open(path: &Path) -> Backend {
    open::open(path, &settings()).unwrap()
}

fn arm(path: &Path, operation: Operation, code: i32) {
    fault::arm(path, Fault::new(operation, FileKind::Wal, code));
}

fn order(durability: Durability) -> WriteOptions {
    let clock = Arc::new(Clock::manual(Now { wall_ms: 1_000, lease_ms: 1_000 }));
    let call = Call::of("test").promising(durability);
    WriteOptions { call, busy_timeout_ms: 60_000, is_schema_free: false, clock }
}

fn execute(tx: &Tx<'_>, sql: &str) -> Result<()> {
    tx.conn().execute_batch(sql).map_err(map)
}

fn insert(tx: &Tx<'_>, n: i64, bytes: i64) -> Result<()> {
    tx.conn()
        .execute("INSERT INTO t VALUES (?1, zeroblob(?2))", (n, bytes))
        .map(|_| ())
        .map_err(map)
}

fn all_rows(conn: &Conn) -> Result<Vec<i64>> {
    let mut rows = conn.prepare("SELECT n FROM t ORDER BY n").map_err(map)?;
    rows.query_map([], |row| row.get(0)).and_then(Iterator::collect).map_err(map)
}

/// Counts the commits in the log: a frame that ends one says how large it makes the file.
fn commits(path: &Path) -> usize {
    let log = std::fs::read(log_path(path)).unwrap();
    let (header, frames) = log.split_at(32);
    let is_commit = |frame: &&[u8]| frame[8..16] == header[16..24] && frame[4..8] != [0; 4];
    frames.chunks_exact(24 + 4096).filter(is_commit).count()
}

/// Which time the log has started over.
fn log_round(path: &Path) -> u32 {
    let log = std::fs::read(log_path(path)).unwrap();
    u32::from_be_bytes(log[12..16].try_into().unwrap())
}

fn log_pages(path: &Path) -> u64 {
    std::fs::metadata(log_path(path)).unwrap().len() / (24 + 4096)
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "never came: {what}");
        // Polls.
        thread::sleep(Duration::from_millis(1));
    }
}

fn is_asleep(thread: &Path) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(thread).join("stat"));
    stat.is_ok_and(|stat| stat.rsplit_once(')').is_some_and(|(_, rest)| rest.starts_with(" S")))
}

/// Queues the writes behind one that holds the transaction open, and lets that one go once all
/// their callers sleep: they then share a batch as far as its bounds allow. Returns their answers in
/// order; `meanwhile` runs while all wait.
fn together(
    bed: &Bed,
    works: Vec<(Durability, Work)>,
    meanwhile: impl FnOnce(),
) -> Vec<Result<()>> {
    let count = works.len();
    thread::scope(|scope| {
        let (say_inside, is_inside) = channel();
        let (let_go, may_go) = channel::<()>();
        let holder = scope.spawn(move || {
            bed.run(Durability::Process, move |_| {
                let _ = (say_inside.send(()), may_go.recv());
                Ok(())
            })
        });
        is_inside.recv().unwrap();
        let (say_thread, threads) = channel();
        let callers: Vec<_> = works
            .into_iter()
            .map(|(durability, work)| {
                let say_thread: Sender<PathBuf> = say_thread.clone();
                let caller = thread::Builder::new().stack_size(256 * 1024);
                let call = move || {
                    say_thread.send(std::fs::read_link("/proc/thread-self").unwrap()).unwrap();
                    bed.run(durability, work)
                };
                caller.spawn_scoped(scope, call).unwrap()
            })
            .collect();
        let threads: Vec<PathBuf> = threads.iter().take(count).collect();
        // Twice, since a thread also sleeps for a moment on its way into the queue.
        for _ in 0..2 {
            until("all callers asleep", || threads.iter().all(|thread| is_asleep(thread)));
        }
        meanwhile();
        let_go.send(()).unwrap();
        holder.join().unwrap().unwrap();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    })
}

fn put(durability: Durability, n: i64) -> (Durability, Work) {
    (durability, Box::new(move |tx| insert(tx, n, 0)))
}

fn codes(answers: &[Result<()>]) -> Vec<i32> {
    answers.iter().map(|answer| answer.as_ref().map_or_else(Error::code, |()| 0)).collect()
}

/// A job without a caller, for batches whose order is to be certain.
struct Plain {
    job: Arc<Job>,
    runs: Arc<AtomicU32>,
}

impl Plain {
    fn new(work: impl Fn(&mut Tx<'_>) -> Result<()> + Send + Sync + 'static) -> Arc<Plain> {
        let runs = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&runs);
        let options = WriteOptions {
            call: Call::of("test").promising(Durability::Process),
            busy_timeout_ms: 0,
            is_schema_free: true,
            clock: Arc::new(Clock::System(Arc::new(TimeAwake))),
        };
        let job =
            Arc::new(Job::new(options, Instant::now() + PATIENCE, move |tx: &mut Tx<'_>, _| {
                counted.fetch_add(1, Ordering::SeqCst);
                work(tx)
            }));
        Arc::new(Plain { job, runs })
    }

    fn put(n: i64) -> Arc<Plain> {
        Plain::new(move |tx| insert(tx, n, 0))
    }
}

fn runs(jobs: &[Arc<Plain>]) -> Vec<u32> {
    jobs.iter().map(|job| job.runs.load(Ordering::SeqCst)).collect()
}

// ---------------------------------------------------------------------------------------------
// Commits and syncs

/// P6, P21.
#[test]
fn a_lone_power_write_is_one_commit_and_one_sync() {
    let bed = Bed::new();
    for n in 0..3 {
        let before = (bed.commits(), bed.syncs());
        bed.put(Durability::Power, n).unwrap();
        assert_eq!((bed.commits(), bed.syncs()), (before.0 + 1, before.1 + 1));
    }
}

/// P6: without an order a write is as durable as it can be.
#[test]
fn a_write_that_names_no_durability_is_synced() {
    let bed = Bed::new();
    let before = bed.syncs();
    bed.put(Durability::Inherit, 1).unwrap();
    assert_eq!(bed.syncs(), before + 1);
}

/// P6: a later POWER answer makes all before it safe, with its own one sync.
#[test]
fn a_process_write_is_one_commit_and_no_sync_until_the_next_power_write() {
    let bed = Bed::new();
    let before = (bed.commits(), bed.syncs());
    for n in 0..3 {
        bed.put(Durability::Process, n).unwrap();
    }
    assert_eq!((bed.commits(), bed.syncs()), (before.0 + 3, before.1));
    bed.put(Durability::Power, 3).unwrap();
    assert_eq!((bed.commits(), bed.syncs()), (before.0 + 4, before.1 + 1));
}

/// A refused or repeated call, a claim of nothing.
#[test]
fn a_power_write_that_writes_nothing_syncs_only_what_others_left() {
    let bed = Bed::new();
    let nothing = || bed.run(Durability::Power, |_| Ok(())).unwrap();
    bed.put(Durability::Power, 1).unwrap();
    let before = (bed.commits(), bed.syncs());
    nothing();
    assert_eq!((bed.commits(), bed.syncs()), before);
    bed.put(Durability::Process, 2).unwrap();
    nothing();
    assert_eq!((bed.commits(), bed.syncs()), (before.0 + 1, before.1 + 1));
    nothing();
    assert_eq!((bed.commits(), bed.syncs()), (before.0 + 1, before.1 + 1));
}

/// P39: writers of one process queue and share commits.
#[test]
fn concurrent_power_writes_share_commits_and_syncs_and_all_are_stored() {
    let bed = Bed::new();
    let before = (bed.commits(), bed.syncs());

    let answers = together(&bed, (0..64).map(|n| put(Durability::Power, n)).collect(), || {});

    assert_eq!(codes(&answers), [0; 64]);
    assert_eq!(bed.rows(), (0..64).collect::<Vec<_>>());
    let (commits, syncs) = (bed.commits() - before.0, bed.syncs() - before.1);
    assert!((1..64).contains(&syncs), "{syncs} syncs");
    assert!((1..64).contains(&commits), "{commits} commits");
}

/// A batch ends where its payloads pass the bound, so that one commit does not swell the log.
#[test]
fn large_writes_do_not_share_one_commit_beyond_its_bytes() {
    let bed = Bed::new();
    let before = bed.commits();
    let half = WRITE_BATCH_BYTES_MAX / 2 + 1;
    thread::scope(|scope| {
        let (say_inside, is_inside) = channel();
        let (let_go, may_go) = channel::<()>();
        let bed = &bed;
        scope.spawn(move || {
            bed.run(Durability::Process, move |_| {
                let _ = (say_inside.send(()), may_go.recv());
                Ok(())
            })
        });
        is_inside.recv().unwrap();
        for n in 0..6 {
            let order = order(Durability::Process);
            let call = order.call.of_bytes(half);
            let order = WriteOptions { call, is_schema_free: true, ..order };
            scope.spawn(move || bed.backend().write(order, move |tx, _| insert(tx, n, 0)).unwrap());
        }
        let_go.send(()).unwrap();
    });
    assert_eq!(bed.commits() - before, 6);
}

/// P39: those behind a batch wait for one write that runs long, and not for all of them.
#[test]
fn a_batch_that_has_taken_its_time_is_committed_and_the_rest_is_the_next() {
    let bed = Bed::new();
    let before = bed.commits();
    let slow = |n: i64| -> (Durability, Work) {
        let work: Work = Box::new(move |tx| {
            // The time that a write takes is what is tried here; more of it changes nothing.
            thread::sleep(Duration::from_millis(WRITE_BATCH_MS_MAX));
            insert(tx, n, 0)
        });
        (Durability::Power, work)
    };
    let answers = together(&bed, (1..=4).map(slow).collect(), || ());
    assert_eq!(codes(&answers), [0; 4]);
    assert_eq!(bed.commits() - before, 4, "one for each");
    let mut rows = bed.rows();
    rows.sort_unstable();
    assert_eq!(rows, [1, 2, 3, 4]);
}

/// P14, P17, P21: what each call of a run costs, exactly.
#[test]
fn each_write_of_a_run_is_one_commit_and_one_sync_and_each_read_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let store = Store::open(&path, &store_options()).unwrap();
    store.init().unwrap();
    let cost = |call: &mut dyn FnMut()| {
        let state = || {
            let counts = fault::counts(&path);
            (commits(&path), counts.wal_syncs, counts.wal_writes)
        };
        let before = state();
        call();
        let after = state();
        assert!(after.0 > before.0 || after.2 == before.2, "written without a commit");
        (after.0 - before.0, after.1 - before.1)
    };
    let named =
        Submit { workflow: "w".into(), idempotency_key: Some("k".into()), ..Submit::default() };
    let mut run_id = String::new();
    assert_eq!(cost(&mut || drop(store.claim(Claim::default()).unwrap())), (0, 0), "idle claim");
    assert_eq!(cost(&mut || run_id = store.submit(named.clone()).unwrap().run_id), (1, 1));
    // Confirming what is stored promises as much as storing it, and this is on the disk.
    assert_eq!(cost(&mut || assert!(store.submit(named.clone()).unwrap().existed)), (0, 0));
    let mut claimed = None;
    assert_eq!(cost(&mut || claimed = store.claim(Claim::default()).unwrap()), (1, 1));
    let attempt = claimed.unwrap();
    let begin = |name: &str| Begin { name: name.into(), ..Begin::default() };
    let run = |begin: Begin| match attempt.step_begin(begin).unwrap() {
        Begun::Run(step) => step,
        _ => panic!("it did not run"),
    };
    let mut step = None;
    assert_eq!(cost(&mut || step = Some(run(begin("a")))), (0, 0), "begin");
    let first = step.take().unwrap();
    assert_eq!(cost(&mut || first.complete(Some("1".into())).unwrap()), (1, 1));
    assert_eq!(cost(&mut || first.complete(Some("1".into())).unwrap()), (0, 0), "repeat");
    let tracked = Begin { is_tracked: true, ..begin("b") };
    assert_eq!(cost(&mut || step = Some(run(tracked.clone()))), (1, 1), "tracked begin");
    let failing = step.take().unwrap();
    let failed = &mut || {
        failing.fail(None, FailOptions::default()).unwrap();
    };
    assert_eq!(cost(failed), (1, 1));
    let lax = Begin { durability: Durability::Process, ..begin("c") };
    let lax = run(lax);
    assert_eq!(cost(&mut || lax.complete(None).unwrap()), (1, 0), "PROCESS step");
    assert_eq!(cost(&mut || attempt.heartbeat(0).unwrap()), (1, 1));
    assert_eq!(cost(&mut || attempt.check().unwrap()), (0, 0));
    assert_eq!(cost(&mut || attempt.release(0).unwrap()), (1, 1));
    let attempt = store.claim(Claim::default()).unwrap().unwrap();
    let replay = &mut || {
        let begun = attempt.step_begin(begin("a")).unwrap();
        assert!(matches!(begun, Begun::Replayed(step) if step.result().unwrap().as_str() == "1"));
    };
    assert_eq!(cost(replay), (0, 0), "replay");
    assert_eq!(cost(&mut || attempt.complete(None).unwrap()), (1, 1));
    let looks = &mut || {
        store.run_get(&run_id).unwrap();
        store.run_history(&run_id, None, 0).unwrap();
        store.find("", "k").unwrap();
    };
    assert_eq!(cost(looks), (0, 0), "looks");
    store.close();
}

fn store_options() -> StoreOptions {
    StoreOptions { create: true, ..StoreOptions::default() }
}

// ---------------------------------------------------------------------------------------------
// One transaction, many jobs

/// P7.
#[test]
fn a_job_that_fails_in_a_shared_batch_leaves_nothing_and_the_others_stay() {
    let bed = Bed::new();
    let before = bed.commits();
    let jobs = [
        Plain::put(1),
        Plain::new(|tx| {
            insert(tx, 2, 0)?;
            Err(Error::conflict("no"))
        }),
        Plain::put(3),
    ];
    assert_eq!(bed.commit(&jobs), [None, Some(-23), None]);
    assert_eq!(bed.rows(), [1, 3]);
    assert_eq!((runs(&jobs), bed.commits() - before), (vec![1, 1, 1], 1));
}

/// P7.
#[test]
fn a_job_that_fails_alone_leaves_nothing_and_writes_nothing() {
    let bed = Bed::new();
    let before = fault::counts(&bed.path);
    let answer = bed.run(Durability::Power, |tx| {
        insert(tx, 1, 0)?;
        Err(Error::conflict("no"))
    });
    assert_eq!(answer.unwrap_err().code(), -23);
    assert!(bed.rows().is_empty());
    let after = fault::counts(&bed.path);
    assert_eq!((after.wal_writes, after.wal_syncs), (before.wal_writes, before.wal_syncs));
}

/// Panics never cross: only that call's work is rolled back.
#[test]
fn a_job_that_panics_answers_its_own_caller_alone() {
    let bed = Bed::new();
    let mut works: Vec<(Durability, Work)> = (0..8).map(|n| put(Durability::Power, n)).collect();
    works[5].1 = Box::new(|tx| {
        insert(tx, 5, 0)?;
        panic!("five is too many");
    });

    let answers = together(&bed, works, || {});

    assert_eq!(codes(&answers), [0, 0, 0, 0, 0, -61, 0, 0]);
    assert!(answers[5].as_ref().unwrap_err().to_string().contains("five is too many"));
    assert_eq!(bed.rows(), [0, 1, 2, 3, 4, 6, 7]);
    let alone = bed.run(Durability::Power, |_| panic!("{} again", "alone"));
    assert!(alone.unwrap_err().to_string().contains("alone again"));
    bed.put(Durability::Power, 8).unwrap();
}

/// What a panic carries may panic once more when it is dropped: the leader would go down with it.
#[test]
fn a_job_whose_panic_panics_when_it_is_dropped_answers_its_caller_and_the_next_one_works() {
    struct Spiteful;
    impl Drop for Spiteful {
        fn drop(&mut self) {
            panic!("once more");
        }
    }
    let bed = Bed::new();
    let answer = bed.run(Durability::Power, |_| std::panic::panic_any(Spiteful));
    assert_eq!(answer.unwrap_err().code(), -61);
    bed.put(Durability::Power, 1).unwrap();
    assert_eq!(bed.rows(), [1]);
}

/// P40: SQLite rolls the whole transaction back when the file is full; its savepoints are then gone.
#[test]
fn a_transaction_lost_to_a_full_file_gives_that_job_its_code_and_runs_the_others_again() {
    let bed = Bed::new();
    bed.conn(|conn| {
        let pages: i64 = conn.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        conn.query_row(&format!("PRAGMA max_page_count = {}", pages + 4), [], |_| Ok(())).unwrap();
    });
    let jobs = [Plain::put(1), Plain::new(|tx| insert(tx, 2, 1 << 20)), Plain::put(3)];

    assert_eq!(bed.commit(&jobs), [None, Some(-42), None]);

    assert_eq!(bed.rows(), [1, 3]);
    assert_eq!(runs(&jobs), [2, 1, 1]);
}

/// P40.
#[test]
fn a_transaction_lost_in_a_spill_to_the_log_gives_that_job_its_code_and_runs_the_others_again() {
    for (code, expected) in [(ffi::SQLITE_IOERR_WRITE, -41), (ffi::SQLITE_FULL, -42)] {
        let bed = Bed::new();
        bed.conn(|conn| conn.execute_batch("PRAGMA cache_size = 10").unwrap());
        let path = bed.path.clone();
        let spills = Plain::new(move |tx| {
            arm(&path, Operation::Write, code);
            (0..100).try_for_each(|_| insert(tx, 2, 8_000))
        });
        let jobs = [Plain::put(1), spills, Plain::put(3)];

        assert_eq!(bed.commit(&jobs), [None, Some(expected), None]);

        assert_eq!(fault::counts(&bed.path).faults, 1);
        assert_eq!(bed.rows(), [1, 3]);
        assert_eq!(runs(&jobs), [2, 1, 1]);
    }
}

/// P7, P40: a job that goes on after its transaction was lost must not be answered with OK.
#[test]
fn a_job_that_hides_the_loss_of_its_transaction_is_not_acknowledged() {
    let bed = Bed::new();
    bed.conn(|conn| {
        let pages: i64 = conn.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        conn.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
    });
    let hides = Plain::new(|tx| {
        assert!(insert(tx, 2, 1 << 20).is_err());
        Ok(())
    });
    for jobs in [vec![hides.clone()], vec![Plain::put(1), hides.clone(), Plain::put(3)]] {
        let answers = bed.commit(&jobs);
        let hidden = jobs.iter().position(|job| Arc::ptr_eq(job, &hides)).unwrap();
        assert!(
            answers[hidden].is_some(),
            "acknowledged, although nothing was stored: {answers:?}"
        );
    }
}

/// P7, P40: what is answered with FULL or IO at the commit is not there, and room makes it work.
#[test]
fn a_commit_that_fails_gives_its_code_to_all_of_the_batch_and_the_next_one_works() {
    for (code, expected) in [(ffi::SQLITE_FULL, -42), (ffi::SQLITE_IOERR_WRITE, -41)] {
        let bed = Bed::new();
        bed.put(Durability::Power, 0).unwrap();
        let works = (1..9).map(|n| put(Durability::Power, n)).collect();
        let write = Fault { is_sticky: true, ..Fault::new(Operation::Write, FileKind::Wal, code) };

        let answers = together(&bed, works, || fault::arm(&bed.path, write));

        assert_eq!(codes(&answers), [expected; 8]);
        assert_eq!(bed.rows(), [0], "reading goes on, and sees nothing of it");
        fault::disarm(&bed.path);
        bed.put(Durability::Power, 9).unwrap();
        assert_eq!(bed.rows(), [0, 9]);
    }
}

/// Nobody wakes, and no change is counted, for what was not committed.
#[test]
fn a_commit_that_fails_tells_nobody_and_the_next_one_tells_its_own_news_alone() {
    let bed = Bed::new();
    let side = Arc::clone(bed.backend().side());
    let tell = |news: News| {
        bed.run(Durability::Power, move |tx| {
            tx.tell(news);
            insert(tx, 0, 0)
        })
    };
    let seen = || (side.changes(), side.recalls(), side.seen(3));
    let before = seen();
    let write = Fault::new(Operation::Write, FileKind::Wal, ffi::SQLITE_FULL);
    fault::arm(&bed.path, Fault { is_sticky: true, ..write });
    let news = News::RECALLED.and(News::claimable(Queues::ALL));
    assert_eq!(tell(news).unwrap_err().code(), -42);
    assert_eq!(seen(), before);
    fault::disarm(&bed.path);
    tell(News::CHANGED).unwrap();
    assert_eq!(seen(), (before.0 + 1, before.1, before.2));
}

// ---------------------------------------------------------------------------------------------
// Failing syncs, lost logs

/// P40: after a failed sync the store answers POISONED to writers until reopened.
#[test]
fn a_failed_sync_poisons_writes_and_spares_reads_until_the_file_is_reopened() {
    let mut bed = Bed::new();
    bed.put(Durability::Power, 0).unwrap();
    let second = open(&bed.path);
    bed.arm(Operation::Sync, ffi::SQLITE_IOERR_FSYNC);

    let error = bed.put(Durability::Power, 1).unwrap_err();

    assert_eq!((error.code(), error.engine_code()), (-41, ffi::SQLITE_IOERR_FSYNC));
    for durability in [Durability::Power, Durability::Process] {
        assert_eq!(bed.put(durability, 2).unwrap_err(), Error::Poisoned);
    }
    let order = WriteOptions { is_schema_free: true, ..order(Durability::Power) };
    let answer = second.write(order, |tx, _| insert(tx, 2, 0));
    assert_eq!(answer.unwrap_err(), Error::Poisoned, "handles on one file share its writer");
    assert!(bed.rows().contains(&0));

    bed.reopen();
    assert_eq!(bed.put(Durability::Power, 2).unwrap_err(), Error::Poisoned, "a handle was open");
    second.close();
    bed.reopen();

    bed.put(Durability::Power, 3).unwrap();
    // What failed may be there or not; what was acknowledged must be, what was refused must not.
    let rows: Vec<i64> = bed.rows().into_iter().filter(|n| *n != 1).collect();
    assert_eq!(rows, [0, 3]);
}

/// P6, P40: a PROCESS answer promises no sync, so a sync that fails takes nothing from it.
#[test]
fn a_failed_sync_is_the_answer_of_those_who_asked_for_it_alone() {
    let bed = Bed::new();
    let works = vec![
        put(Durability::Power, 1),
        put(Durability::Process, 2),
        put(Durability::Power, 3),
        put(Durability::Process, 4),
    ];
    let answers = together(&bed, works, || bed.arm(Operation::Sync, ffi::SQLITE_IOERR_FSYNC));
    assert_eq!(codes(&answers), [-41, 0, -41, 0]);
}

/// P40: a disk that fills up at the sync is told apart, and poisons as well.
#[test]
fn a_disk_that_is_full_at_the_sync_is_full_and_poisons() {
    let bed = Bed::new();
    bed.arm(Operation::Sync, ffi::SQLITE_FULL);
    assert_eq!(bed.put(Durability::Power, 1).unwrap_err().code(), -42);
    assert_eq!(bed.put(Durability::Power, 2).unwrap_err(), Error::Poisoned);
}

/// P40: nothing is moved from a log whose sync failed into the file, not even by its close.
#[test]
fn a_poisoned_file_is_closed_without_a_checkpoint() {
    let mut bed = Bed::new();
    bed.arm(Operation::Sync, ffi::SQLITE_IOERR_FSYNC);
    bed.put(Durability::Power, 1).unwrap_err();
    let before = fault::counts(&bed.path).db_writes;
    bed.backend.take().unwrap().close();
    assert_eq!(fault::counts(&bed.path).db_writes, before);
    assert!(log_path(&bed.path).exists());
}

/// P6: a later sync that succeeds says nothing about frames whose sync failed, and what is written
/// behind them would be lost with them. So the first write after the reopen starts over.
#[test]
fn the_first_write_after_a_failed_sync_and_a_reopen_writes_the_log_anew_once() {
    let mut bed = Bed::new();
    for n in 0..20 {
        bed.put(Durability::Power, n).unwrap();
    }
    bed.arm(Operation::Sync, ffi::SQLITE_IOERR_FSYNC);
    bed.put(Durability::Power, 20).unwrap_err();
    bed.reopen();
    let before = fault::counts(&bed.path);

    bed.put(Durability::Power, 21).unwrap();

    let after = fault::counts(&bed.path);
    assert!(after.wal_writes - before.wal_writes > 40, "each frame was written back");
    assert_eq!(after.db_syncs - before.db_syncs, 1, "and the database is on the disk");
    bed.put(Durability::Power, 22).unwrap();
    assert!(fault::counts(&bed.path).wal_writes - after.wal_writes < 10, "once");
    let rows: Vec<i64> = bed.rows().into_iter().filter(|n| *n != 20).collect();
    assert_eq!(rows, (0..20).chain([21, 22]).collect::<Vec<_>>());
}

/// P36.
#[test]
fn a_log_that_was_removed_is_found_before_a_write_is_acknowledged() {
    for durability in [Durability::Power, Durability::Process] {
        let mut bed = Bed::new();
        bed.conn(|conn| {
            conn.query_row("PRAGMA wal_checkpoint(FULL)", [], |_| Ok(())).unwrap();
        });
        // A reader that is open has the old log; a new one would find an empty place.
        assert!(bed.rows().is_empty());
        std::fs::remove_file(log_path(&bed.path)).unwrap();

        assert_eq!(bed.put(durability, 1).unwrap_err().code(), -63);

        assert_eq!(bed.put(durability, 2).unwrap_err(), Error::Poisoned);
        bed.rows();
        bed.reopen();
        bed.put(durability, 3).unwrap();
        assert_eq!(bed.rows(), [3]);
    }
}

/// P36: the same name is not the same log.
#[test]
fn a_log_that_was_replaced_is_found_before_a_write_is_acknowledged() {
    let bed = Bed::new();
    let log = log_path(&bed.path);
    let copy = bed.path.with_file_name("copy");
    std::fs::copy(&log, &copy).unwrap();
    std::fs::rename(&copy, &log).unwrap();

    assert_eq!(bed.put(Durability::Process, 1).unwrap_err().code(), -63);
    assert_eq!(bed.put(Durability::Power, 2).unwrap_err(), Error::Poisoned);
}

// ---------------------------------------------------------------------------------------------
// Waiting

/// P39: BUSY means that a holder kept the lock for the whole time-out.
#[test]
fn a_foreign_writer_makes_a_write_busy_only_after_the_whole_time_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let backend = open::open(&path, &Settings { busy_timeout_ms: 120, ..settings() }).unwrap();
    let write = || {
        let order =
            WriteOptions { is_schema_free: true, busy_timeout_ms: 120, ..order(Durability::Power) };
        backend.write(order, |tx, _| execute(tx, "CREATE TABLE IF NOT EXISTS t (n)"))
    };
    write().unwrap();
    let foreign = Connection::open(&path).unwrap();
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
    let started = Instant::now();

    let error = write().unwrap_err();

    assert!(started.elapsed() >= Duration::from_millis(120), "gave up early");
    assert!(error.is_retryable());
    assert_eq!(error.to_string(), "another program kept a lock on the file for the whole time-out");
    foreign.execute_batch("COMMIT").unwrap();
    write().unwrap();
    drop(foreign);
    backend.close();
}

/// P39: each handle waits as long as it was told to, whoever opened the file first.
#[test]
fn a_handle_waits_its_own_time_out_and_not_that_of_the_first_handle() {
    let bed = Bed::new();
    let foreign = Connection::open(&bed.path).unwrap();
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
    let hasty =
        WriteOptions { is_schema_free: true, busy_timeout_ms: 50, ..order(Durability::Process) };
    thread::scope(|scope| {
        let (say, said) = channel();
        let backend = bed.backend();
        scope.spawn(move || say.send(backend.write(hasty, |tx, _| insert(tx, 1, 0))));
        // A third of the first handle's time-out, and four hundred times its own.
        let answer = said.recv_timeout(Duration::from_secs(20));
        foreign.execute_batch("COMMIT").unwrap();
        assert_eq!(answer.map(|answer| answer.map_err(|error| error.code())), Ok(Err(-40)));
    });
}

/// P39: and whoever of the process waits before it, for whatever: a foreign program's lock, the turn of
/// another process, a write that takes long.
#[test]
fn a_hasty_write_behind_a_patient_one_waits_its_own_time_out_and_is_then_not_done() {
    let hold_sqlite = |bed: &Bed| -> Box<dyn FnOnce()> {
        let foreign = Connection::open(&bed.path).unwrap();
        foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
        Box::new(move || foreign.execute_batch("COMMIT").unwrap())
    };
    let hold_turn = |bed: &Bed| -> Box<dyn FnOnce()> {
        let side = crate::os::open_side(&bed.path.with_file_name("db-smolwf"), 0o600).unwrap();
        while !crate::os::try_lock(side.as_fd(), super::side::WRITE_BYTE).unwrap() {}
        Box::new(move || drop(side))
    };
    let holds: [(&dyn Fn(&Bed) -> Box<dyn FnOnce()>, &str); 2] = [
        (&hold_sqlite, "another program kept a lock on the file"),
        (&hold_turn, "another process kept the turn to write"),
    ];
    for (hold, sentence) in holds {
        let bed = Bed::new();
        let let_go = hold(&bed);
        thread::scope(|scope| {
            let (say_thread, threads) = channel();
            let bed = &bed;
            let patient = scope.spawn(move || {
                say_thread.send(std::fs::read_link("/proc/thread-self").unwrap()).unwrap();
                bed.put(Durability::Power, 1)
            });
            let thread = threads.recv().unwrap();
            until("the patient one waits", || is_asleep(&thread));
            let order = WriteOptions {
                is_schema_free: true,
                busy_timeout_ms: 50,
                ..order(Durability::Process)
            };
            let hasty = scope.spawn(move || bed.backend().write(order, |tx, _| insert(tx, 2, 0)));
            until("the hasty one is answered", || hasty.is_finished());
            assert!(!patient.is_finished());
            let refused = hasty.join().unwrap().unwrap_err();
            assert_eq!(refused.code(), -40);
            assert!(refused.to_string().contains(sentence), "{refused}");
            let_go();
            patient.join().unwrap().unwrap();
        });
        assert_eq!(bed.rows(), [1], "refused, and done all the same");
    }
}

/// P39: a write that runs long holds up those behind it no longer than they were told to wait.
#[test]
fn a_hasty_write_behind_one_that_runs_long_is_refused_and_one_that_is_being_done_is_answered() {
    let bed = Bed::new();
    let hasty =
        || WriteOptions { is_schema_free: true, busy_timeout_ms: 50, ..order(Durability::Process) };
    thread::scope(|scope| {
        let (say_inside, is_inside) = channel();
        let (let_go, may_go) = channel::<()>();
        let (bed, running) = (&bed, hasty());
        let runs = scope.spawn(move || {
            bed.backend().write(running, move |tx, _| {
                let _ = (say_inside.send(()), may_go.recv());
                insert(tx, 1, 0)
            })
        });
        is_inside.recv().unwrap();
        let refused = bed.backend().write(hasty(), |tx, _| insert(tx, 2, 0)).unwrap_err();
        assert_eq!(refused.code(), -40);
        assert!(refused.to_string().ends_with(": a test was under way"), "{refused}");
        assert!(!runs.is_finished(), "its own time is over, and its work is being done");
        let_go.send(()).unwrap();
        runs.join().unwrap().unwrap();
    });
    bed.put(Durability::Power, 3).unwrap();
    assert_eq!(bed.rows(), [1, 3]);
}

/// P39: a lock that is let go in time is no error.
#[test]
fn a_write_waits_for_a_foreign_writer_and_is_stored_when_that_is_done() {
    let bed = Bed::new();
    let foreign = Connection::open(&bed.path).unwrap();
    foreign.execute_batch("BEGIN IMMEDIATE; INSERT INTO t VALUES (1, NULL)").unwrap();
    thread::scope(|scope| {
        let waits = scope.spawn(|| bed.put(Durability::Power, 2));
        foreign.execute_batch("COMMIT").unwrap();
        waits.join().unwrap().unwrap();
    });
    assert_eq!(bed.rows(), [1, 2]);
}

/// P31: reads see only committed state and never wait for a write transaction.
#[test]
fn readers_wait_for_no_writer_and_see_only_what_is_committed() {
    let bed = Bed::new();
    bed.put(Durability::Power, 1).unwrap();
    let foreign = Connection::open(&bed.path).unwrap();
    foreign.execute_batch("BEGIN IMMEDIATE; INSERT INTO t VALUES (2, NULL)").unwrap();
    assert_eq!(bed.rows(), [1], "beside a foreign transaction");
    foreign.execute_batch("ROLLBACK").unwrap();

    let works: Vec<(Durability, Work)> = vec![put(Durability::Power, 3)];
    together(&bed, works, || assert_eq!(bed.rows(), [1], "beside one of ours"));

    assert_eq!(bed.rows(), [1, 3]);
}

/// Every queue has its bound; who finds it full waits, as long as it was told to.
#[test]
fn a_full_queue_makes_callers_wait_and_loses_nothing() {
    let bed = Bed::new();
    let over = WRITE_QUEUE_LEN_MAX as i64 + 100;
    let works = (0..over).map(|n| put(Durability::Process, n)).collect();
    let is_refused = AtomicBool::new(false);

    let answers = together(&bed, works, || {
        let hasty =
            WriteOptions { is_schema_free: true, busy_timeout_ms: 1, ..order(Durability::Process) };
        let error = bed.backend().write(hasty, |tx, _| insert(tx, -1, 0)).unwrap_err();
        assert_eq!(error.code(), -40);
        assert!(error.to_string().contains(&WRITE_QUEUE_LEN_MAX.to_string()), "{error}");
        is_refused.store(true, Ordering::SeqCst);
    });

    assert!(is_refused.load(Ordering::SeqCst));
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(bed.rows(), (0..over).collect::<Vec<_>>());
}

/// Jobs run again after a lost transaction must do the same: they read the clock once.
#[test]
fn a_job_that_runs_again_has_the_same_time() {
    let bed = Bed::new();
    bed.conn(|conn| {
        let pages: i64 = conn.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        conn.query_row(&format!("PRAGMA max_page_count = {}", pages + 4), [], |_| Ok(())).unwrap();
    });
    let (say, heard) = channel();
    thread::scope(|scope| {
        let (say_inside, is_inside) = channel();
        let (let_go, may_go) = channel::<()>();
        let (bed, clock) = (&bed, order(Durability::Process).clock);
        let ticking = WriteOptions {
            is_schema_free: true,
            clock: clock.clone(),
            ..order(Durability::Process)
        };
        let first = ticking.clone();
        scope.spawn(move || {
            bed.backend().write(first, move |tx, now| {
                let _ = (say_inside.send(()), may_go.recv());
                clock.advance(1).unwrap();
                say.send(now).unwrap();
                insert(tx, 1, 0)
            })
        });
        is_inside.recv().unwrap();
        let_go.send(()).unwrap();
    });
    let times: Vec<Now> = heard.iter().collect();
    assert!(times.windows(2).all(|pair| pair[0] == pair[1]), "{times:?}");
}

// ---------------------------------------------------------------------------------------------
// Connections, the log

/// P1.
#[test]
fn every_connection_has_the_pragmas_of_the_contract() {
    let bed = Bed::new();
    let check = |conn: &Conn, mode: &str, who: &str| {
        let number = |name: &str| -> i64 {
            conn.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0)).unwrap()
        };
        let found: String = conn.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        assert_eq!(found, mode, "{who}");
        for (name, value) in [
            ("foreign_keys", 1),
            ("busy_timeout", 60_000),
            ("trusted_schema", 0),
            ("temp_store", 2),
            ("synchronous", 1),
        ] {
            assert_eq!(number(name), value, "{name} of {who}");
        }
    };
    bed.conn(|conn| check(conn, "wal", "the writer"));
    // Each read inside the other takes a connection of its own.
    bed.backend()
        .read(|first| {
            check(first.conn(), "wal", "the first reader");
            bed.backend().read(|second| {
                check(second.conn(), "wal", "the second reader");
                Ok(())
            })
        })
        .unwrap();
    let memory = open::in_memory(&settings()).unwrap();
    memory.read_any(|tx| Ok(check(tx.conn(), "memory", "a store in memory"))).unwrap();
}

/// A reader cannot write, whatever it is asked.
#[test]
fn a_read_connection_refuses_to_write() {
    let bed = Bed::new();
    let error = bed.backend().read(|tx| insert(tx, 1, 0)).unwrap_err();
    assert_eq!(error.code(), -43);
    assert!(bed.rows().is_empty());
}

/// Checkpoints keep the log short under a steady load, although at every moment some reader reads.
#[test]
fn the_log_does_not_grow_without_bound_under_a_steady_load() {
    let bed = Bed::new();
    let round = log_round(&bed.path);
    let is_over = AtomicBool::new(false);
    let ((to_one, of_one), (to_two, of_two)) = (channel(), channel());
    to_two.send(()).unwrap();
    let mut highest = 0;
    thread::scope(|scope| {
        scope.spawn(|| read_in_turn(&bed, &is_over, to_one, of_two));
        scope.spawn(|| read_in_turn(&bed, &is_over, to_two, of_one));
        for n in 0..400 {
            bed.run(Durability::Process, move |tx| {
                execute(tx, "DELETE FROM t")?;
                insert(tx, n, 400_000)
            })
            .unwrap();
            highest = highest.max(log_pages(&bed.path));
        }
        is_over.store(true, Ordering::SeqCst);
    });
    assert_ne!(log_round(&bed.path), round, "the log never started over: {highest} pages");
    let bound = 2 * CHECKPOINT_PAGES_HARD as u64;
    assert!(highest <= bound, "{highest} pages, the bound is {bound}");
}

/// Reads until it is over, and ends each transaction only when the other reader has begun its next.
fn read_in_turn(bed: &Bed, is_over: &AtomicBool, say: Sender<()>, hear: Receiver<()>) {
    let look = |tx: &mut Tx<'_>| {
        all_rows(tx.conn())?;
        // Whoever stops first hangs up, which ends the other.
        Ok(say.send(()).is_ok() && hear.recv().is_ok())
    };
    while !is_over.load(Ordering::SeqCst) && bed.backend().read_any(look).unwrap() {}
}

/// A reader holds the log up no longer than it reads.
#[test]
fn the_log_starts_over_once_a_reader_that_held_it_up_is_done() {
    let bed = Bed::new();
    let big = |n: i64| bed.run(Durability::Process, move |tx| insert(tx, n, 4_000_000)).unwrap();
    let round = log_round(&bed.path);
    bed.backend()
        .read(|tx| {
            let before = all_rows(tx.conn())?;
            (0..2 * i64::from(CHECKPOINT_PAGES) / 1_000).for_each(big);
            assert_eq!(all_rows(tx.conn())?, before, "a read sees one state");
            Ok(())
        })
        .unwrap();
    assert_eq!(log_round(&bed.path), round, "the log was cut beneath a reader");
    big(100);
    big(101);
    assert_ne!(log_round(&bed.path), round);
}

/// A read transaction that stays open costs writers a bounded wait per log, not one per commit.
#[test]
fn a_reader_that_stays_does_not_make_each_commit_wait_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let backend = open::open(&path, &Settings { busy_timeout_ms: 300, ..settings() }).unwrap();
    let write = |sql: &'static str| {
        let order = WriteOptions { is_schema_free: true, ..order(Durability::Process) };
        backend.write(order, move |tx, _| execute(tx, sql)).unwrap();
    };
    write("CREATE TABLE t (n, body)");
    backend
        .read_any(|tx| {
            all_rows(tx.conn())?;
            for _ in 0..CHECKPOINT_PAGES_HARD / 2_000 + 1 {
                write("INSERT INTO t VALUES (1, zeroblob(8000000))");
            }
            let started = Instant::now();
            for _ in 0..20 {
                write("INSERT INTO t VALUES (2, NULL)");
            }
            let waited = started.elapsed();
            assert!(waited < Duration::from_millis(20 * 300), "{waited:?} for 20 commits");
            Ok(())
        })
        .unwrap();
    backend.close();
}
