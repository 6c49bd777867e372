//! What a backend does with connections, locks and the ways between processes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backend::{Backend, open};
use super::connect::Connection;
use super::memory::Common;
use super::open_tests::{Own, options, settings};
use super::transaction::Ended;
use super::url::Place;
use super::value::Row;
use crate::domain::news::{News, Queues, bell};
use crate::domain::port::StorePort;
use crate::error::Error;
use crate::stop::Stop;
use crate::storage::WriteOptions;

/// The same store as another process sees it: nothing is shared but the server.
fn elsewhere(own: &Own) -> Backend {
    far_from(&own.url)
}

fn far_from(url: &str) -> Backend {
    open(&format!("{url}&application_name={}", name_of(url)), &settings()).unwrap()
}

/// What the server knows the connections of that process by: the name of the schema.
fn name_of(url: &str) -> &str {
    let (_, name) = url.split_once("sw_schema=").unwrap();
    name.split('&').next().unwrap()
}

fn set(backend: &Backend, ms: i64) -> crate::error::Result<()> {
    backend.write(options(backend), move |tx, _| tx.clock_set(ms))
}

fn read(backend: &Backend) -> i64 {
    backend.read(|tx| tx.latest_ms()).unwrap()
}

#[test]
fn a_job_that_fails_or_panics_leaves_nothing_and_the_next_one_works() {
    let Some(own) = Own::made() else { return };
    let backend = own.open();
    let failed = backend.write(options(&backend), |tx, _| {
        tx.clock_set(7)?;
        Err::<(), _>(Error::invalid("no"))
    });
    assert_eq!(failed.unwrap_err().code(), -2);
    let panicked = backend.write(options(&backend), |tx, _| -> crate::error::Result<()> {
        tx.clock_set(7)?;
        panic!("on purpose")
    });
    assert_eq!(panicked.unwrap_err().code(), -61);
    assert_eq!(read(&backend), 0);
    set(&backend, 5).unwrap();
    assert_eq!(read(&backend), 5);
}

/// P31.
#[test]
fn a_read_waits_for_no_writer_and_sees_what_is_committed() {
    let Some(own) = Own::made() else { return };
    let (backend, other) = (own.open(), own.open());
    backend
        .write(options(&backend), move |tx, _| {
            tx.clock_set(9)?;
            assert_eq!(read(&other), 0);
            Ok(())
        })
        .unwrap();
    assert_eq!(read(&backend), 9);
}

#[test]
fn writers_exclude_each_other_wherever_they_are() {
    let Some(own) = Own::made() else { return };
    let add_one = |backend: &Backend| {
        for _ in 0..20 {
            backend
                .write(options(backend), |tx, _| {
                    let seen = tx.latest_ms()?;
                    tx.clock_set(seen + 1)
                })
                .unwrap();
        }
    };
    let url = own.url.as_str();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| add_one(&open(url, &settings()).unwrap()));
            scope.spawn(|| add_one(&far_from(url)));
        }
    });
    assert_eq!(read(&own.open()), 80);
}

#[test]
fn a_write_that_finds_the_store_locked_says_so_in_time() {
    let Some(mut own) = Own::made() else { return };
    let backend = own.open();
    own.run("BEGIN; LOCK TABLE $schema.sw_store");
    let hasty = WriteOptions { busy_timeout_ms: 50, ..options(&backend) };
    let refused = backend.write(hasty, |tx, _| tx.clock_set(3)).unwrap_err();
    assert_eq!(refused.code(), -40, "{refused}");
    own.run("COMMIT");
    set(&backend, 3).unwrap();
}

#[test]
fn a_connection_that_was_cut_is_replaced() {
    let Some(mut own) = Own::made() else { return };
    let backend = elsewhere(&own);
    set(&backend, 3).unwrap();
    let owner = backend.owner_new().unwrap();
    backend.owner_hold(owner).unwrap();
    let cut = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{}'",
        name_of(&own.url)
    );
    own.run(&cut);
    assert_eq!(read(&backend), 3);
    own.run(&cut);
    set(&backend, 4).unwrap();
    assert_eq!(read(&backend), 4);
}

/// P12.
#[test]
fn an_owner_lives_from_when_it_is_held_until_it_is_let_go_or_its_connection_ends() {
    let Some(mut own) = Own::made() else { return };
    let (backend, other) = (own.open(), elsewhere(&own));
    let id = backend.owner_new().unwrap();
    assert_eq!(other.owner_is_alive(id), Ok(false));
    backend.owner_hold(id).unwrap();
    backend.owner_hold(id).unwrap();
    assert_eq!((backend.owner_is_alive(id), other.owner_is_alive(id)), (Ok(true), Ok(true)));
    assert_eq!(other.owner_hold(id).unwrap_err().code(), -60);
    backend.owner_let_go(id);
    assert_eq!((backend.owner_is_alive(id), other.owner_is_alive(id)), (Ok(false), Ok(false)));
    let id = other.owner_new().unwrap();
    other.owner_hold(id).unwrap();
    assert_eq!(backend.owner_is_alive(id), Ok(true));
    drop(other);
    let name = name_of(&own.url).to_owned();
    let is_there = "SELECT 1 FROM pg_stat_activity WHERE application_name = $1";
    while own.admin.run_once(is_there, &[&name]).unwrap().rows() > 0 {
        std::thread::yield_now();
    }
    assert_eq!(backend.owner_is_alive(id), Ok(false));
}

/// Behind a pooler nothing is heard, and whoever waits sees to it all the same.
#[test]
fn a_session_that_is_kept_behind_a_pooler_is_kept_again_once_it_was_ended() {
    let Some(mut own) = Own::made() else { return };
    let (backend, other) = (far_from(&format!("{}&sw_pooler=transaction", own.url)), own.open());
    let id = backend.owner_new().unwrap();
    backend.owner_hold(id).unwrap();
    assert_eq!(other.owner_is_alive(id), Ok(true));
    own.run(&format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{}'",
        name_of(&own.url)
    ));
    while other.owner_is_alive(id) == Ok(true) {
        std::thread::yield_now();
    }
    let until = Instant::now() + Duration::from_secs(20);
    while other.owner_is_alive(id) != Ok(true) {
        assert!(Instant::now() < until, "the lock is not held again");
        backend.change_seen();
        std::thread::yield_now();
    }
    backend.owner_let_go(id);
    assert_eq!(other.owner_is_alive(id), Ok(false));
}

/// Whatever the role would have: what stands behind a commit is no part of its transaction.
#[test]
fn what_is_flushed_behind_a_commit_is_flushed_behind_a_pooler_as_well() {
    let Some(own) = Own::made() else { return };
    own.open();
    let lazy = "sw_pooler=transaction&options=-csynchronous_commit%3Doff";
    let place = Place::read(&format!("{}&{lazy}", own.url)).unwrap();
    let common = Arc::new(Common::default());
    let mut conn = Connection::open(&place, &common, Duration::from_secs(10)).unwrap();
    for _ in 0..20 {
        conn.begin_locked((1, Duration::from_secs(10), true), |_| Ok(())).unwrap();
        // As where somebody else had the lock.
        conn.run("SELECT set_config('synchronous_commit', 'off', true)", &[]).unwrap();
        conn.is_flushed = false;
        conn.run("UPDATE $schema.sw_store SET clock_ms = clock_ms", &[]).unwrap();
        let written = conn.run("SELECT pg_current_wal_insert_lsn()::text", &[]).unwrap();
        let written: String = Row::new(&written, 0).get(0).unwrap();
        assert!(matches!(conn.commit_as(true, None), Ended::Stored));
        let is_safe = "SELECT pg_current_wal_flush_lsn() > $1::text::pg_lsn";
        let is_safe = conn.run(is_safe, &[&written]).unwrap();
        assert!(Row::new(&is_safe, 0).get::<bool>(0).unwrap(), "it is not on the disk");
    }
}

/// The server hears late of a cut cable: the connection that is gone holds the lock for a while.
#[test]
fn an_owner_whose_lock_a_dead_connection_held_has_it_again_once_that_is_gone() {
    let Some(mut own) = Own::made() else { return };
    let (backend, other) = (elsewhere(&own), own.open());
    let id = backend.owner_new().unwrap();
    backend.owner_hold(id).unwrap();
    let lock = super::owner::Mark::of(id).lock;
    own.run(&format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{}'",
        name_of(&own.url)
    ));
    let hold = "SELECT pg_advisory_lock($1)";
    own.admin.run_once(hold, &[&lock]).unwrap();
    let news = News::claimable(Queues::named("a"));
    let is_heard = |backend: &Backend| {
        let seen = backend.bell_seen(bell("a"));
        other.publish(news);
        backend.bell_seen(bell("a")) != seen
    };
    while !is_heard(&backend) {
        std::thread::yield_now();
    }
    own.admin.run_once("SELECT pg_advisory_unlock($1)", &[&lock]).unwrap();
    let ends_at = Instant::now() + Duration::from_secs(60);
    while !other.owner_is_alive(id).unwrap() {
        assert!(Instant::now() < ends_at, "nobody holds it");
        backend.bell_seen(bell("a"));
    }
}

#[test]
fn a_wait_is_ended_by_a_bell_of_another_process_of_this_one_and_by_a_stop() {
    let Some(own) = Own::made() else { return };
    let (backend, near, far) = (own.open(), own.open(), elsewhere(&own));
    let queue = bell("a");
    let long = Duration::from_secs(60);
    for ringer in [&near, &far] {
        let seen = backend.bell_seen(queue);
        let changes = (backend.change_seen(), backend.changes().unwrap());
        let news = News::claimable(Queues::named("a"));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let told = ringer.write(options(ringer), move |tx, _| {
                    crate::domain::port::Port::tell(tx, news);
                    Ok(())
                });
                told.unwrap();
            });
            let began = Instant::now();
            backend.bell_wait(queue, seen, long, None);
            backend.change_wait(changes.0, long, None);
            assert!(began.elapsed() < long, "the time was over");
        });
        assert_ne!(backend.bell_seen(queue), seen);
        assert_eq!(backend.changes().unwrap(), changes.1 + 1);
    }
    let stop = Stop::new();
    stop.fire();
    backend.bell_wait(queue, backend.bell_seen(queue), long, Some(&stop));
}

#[test]
fn a_recall_is_heard_elsewhere() {
    let Some(own) = Own::made() else { return };
    let (backend, far) = (own.open(), elsewhere(&own));
    let seen = backend.recalls();
    assert_eq!(backend.recalls(), seen, "it stands still while nobody recalls");
    far.publish(News::RECALLED);
    while backend.recalls() == seen {
        std::thread::yield_now();
    }
}

#[test]
fn the_clock_is_the_servers() {
    let Some(mut own) = Own::made() else { return };
    let backend = own.open();
    let ask = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    let before: i64 =
        super::value::Row::new(&own.admin.run_once(ask, &[]).unwrap(), 0).get(0).unwrap();
    let ours = backend.lease_clock().wall_ms();
    let after: i64 =
        super::value::Row::new(&own.admin.run_once(ask, &[]).unwrap(), 0).get(0).unwrap();
    // What the way to the server took is the most that it may be off.
    assert!((before - 1_000..=after + 1_000).contains(&ours), "{before} {ours} {after}");
}

/// A server takes its client for alive as long as any process has the socket.
#[test]
fn a_forked_child_has_no_socket_of_its_parents_and_says_no_goodbye() {
    let Some(mut own) = Own::made() else { return };
    let socket = format!("/proc/self/fd/{}", own.admin.socket());
    assert!(std::fs::read_link(&socket).is_ok());
    own.run("SELECT 1");
    let mut kept = Some(own);
    let child = crate::process::forking::fork(|| {
        let is_closed = std::fs::read_link(&socket).is_err();
        drop(kept.take());
        i32::from(!is_closed)
    });
    assert_eq!(child.exit_code(), 0);
    kept.as_mut().unwrap().run("SELECT 1");
}
