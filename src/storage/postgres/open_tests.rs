//! What a store of PostgreSQL is refused for, each with a code and a sentence, and never a secret in it.

use std::sync::Arc;
use std::time::Duration;

use super::backend::{Backend, open};
use super::bed_tests::{own_url, server};
use super::connect::Connection;
use super::memory::Common;
use super::url::Place;
use crate::clock::Clock;
use crate::domain::Durability;
use crate::domain::port::StorePort;
use crate::error::{Error, Result};
use crate::storage::steps::NEWEST;
use crate::storage::{Call, Settings, WriteOptions};

pub(super) fn settings() -> Settings {
    Settings {
        can_create: true,
        is_read_only: false,
        allows_network_fs: false,
        busy_timeout_ms: 10_000,
        max_readers: 2,
        durability: Durability::Process,
    }
}

pub(super) fn options(backend: &Backend) -> WriteOptions {
    WriteOptions {
        call: Call::of("test").promising(Durability::Process),
        busy_timeout_ms: 10_000,
        is_schema_free: false,
        clock: Arc::new(Clock::System(backend.lease_clock())),
    }
}

/// A store of its own, which goes with it.
pub(super) struct Own {
    pub(super) url: String,
    pub(super) admin: Connection,
}

impl Own {
    /// Makes a schema's name, and no schema.
    pub(super) fn new() -> Option<Own> {
        let (url, _) = own_url(&server()?);
        let admin = connected(&url);
        Some(Own { url, admin })
    }

    /// Makes a store with its tables.
    pub(super) fn made() -> Option<Own> {
        let own = Own::new()?;
        init(&own.open()).unwrap();
        Some(own)
    }

    pub(super) fn open(&self) -> Backend {
        open(&self.url, &settings()).unwrap()
    }

    fn refused(&self) -> Error {
        open(&self.url, &settings()).err().expect("it is refused")
    }

    /// The same store in the name of another role.
    fn of_role(&self, role: &str, password: &str) -> String {
        let (_, rest) = self.url.split_once("postgres@").unwrap();
        format!("postgresql://{role}:{password}@{rest}")
    }

    pub(super) fn run(&mut self, sql: &str) {
        self.admin.command(sql).unwrap();
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.admin.command("DROP SCHEMA IF EXISTS $schema CASCADE");
    }
}

fn connected(url: &str) -> Connection {
    let common = Arc::new(Common::default());
    Connection::open(&Place::read(url).unwrap(), &common, Duration::from_secs(10)).unwrap()
}

pub(super) fn init(backend: &Backend) -> Result<u32> {
    let options = WriteOptions { is_schema_free: true, ..options(backend) };
    backend.write(options, |tx, _| tx.migrate(None, 1))
}

/// A role that goes with it.
struct Role {
    name: String,
    admin: Connection,
}

impl Role {
    /// Makes a role whose name begins so.
    fn new(url: &str, start: &str, with: &str) -> Role {
        let name = format!("{start}_{:x}", crate::id::new_id().token());
        let mut admin = connected(url);
        admin.command(&format!("CREATE ROLE {name} LOGIN {with}")).unwrap();
        Role { name, admin }
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let _ = self.admin.command(&format!("DROP OWNED BY {0}; DROP ROLE {0}", self.name));
    }
}

#[test]
fn a_store_is_there_once_it_was_made_and_says_so_before() {
    let Some(own) = Own::new() else { return };
    let backend = own.open();
    let early = backend.read(|tx| tx.latest_ms());
    assert_eq!(early.unwrap_err(), Error::SchemaOld { current: 0, newest: NEWEST });
    assert_eq!(backend.read_any(|tx| tx.schema_version()), Ok(0));
    let without = Settings { can_create: false, ..settings() };
    assert_eq!(open(&own.url, &without).err().unwrap().code(), -47);
    assert_eq!(init(&backend), Ok(NEWEST as u32));
    assert_eq!(init(&backend), Ok(0));
    assert_eq!(backend.read_any(|tx| tx.schema_version()), Ok(NEWEST));
    assert_eq!(backend.read(|tx| tx.latest_ms()), Ok(0));
    open(&own.url, &without).unwrap();
}

#[test]
fn those_who_make_a_store_at_once_make_one() {
    let Some(own) = Own::new() else { return };
    let applied: u32 = std::thread::scope(|scope| {
        let url = &own.url;
        let make = move || init(&open(url, &settings()).unwrap()).unwrap();
        let makers: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
        makers.into_iter().map(|maker| maker.join().unwrap()).sum()
    });
    assert_eq!(applied, NEWEST as u32);
}

/// Of a role of this name the server of scripts/postgres.sh asks a password.
#[test]
#[allow(clippy::print_stdout, reason = "a skip is told")]
fn a_wrong_password_and_a_right_one_are_told_apart_and_neither_is_shown() {
    let Some(mut own) = Own::made() else { return };
    own.run("DROP ROLE IF EXISTS sw_guarded");
    own.run("CREATE ROLE sw_guarded LOGIN SUPERUSER PASSWORD 'open%sesame'");
    let right = open(&own.of_role("sw_guarded", "open%25sesame"), &settings());
    let shown = right.unwrap().path().unwrap().to_string_lossy().into_owned();
    assert!(!shown.contains("sesame") && shown.contains("sw_guarded@"), "{shown}");
    let wrong = open(&own.of_role("sw_guarded", "closed%25sesame"), &settings());
    own.run("DROP ROLE sw_guarded");
    let Err(refused) = wrong else {
        assert!(std::env::var("SW_REQUIRE_ALL").is_err(), "the server asks for no password");
        println!("skipped: the server asks for no password");
        return;
    };
    assert_eq!(refused.code(), -47, "{refused}");
    assert_eq!(refused.engine_code(), i32::from_str_radix("28P01", 36).unwrap());
    assert!(!refused.to_string().contains("sesame"), "{refused}");
}

#[test]
fn what_cannot_be_reached_is_named() {
    let Some(own) = Own::new() else { return };
    for url in [
        "postgresql://me:hush@no-such-host.invalid/db",
        "postgresql:///db?host=/nowhere/at/all&password=hush",
        "postgresql://me:hush@127.0.0.1:1/db",
        "postgresql://me:hush@host:port/db",
    ] {
        let refused = open(url, &settings()).err().unwrap();
        assert_eq!(refused.code(), -47, "{refused}");
        assert!(!refused.to_string().contains("hush"), "{refused}");
    }
    let missing = own.url.replace("/postgres?", "/no_such_database?");
    let refused = open(&missing, &settings()).err().unwrap();
    assert_eq!(refused.code(), -47, "{refused}");
    assert!(refused.to_string().contains("no_such_database"), "{refused}");
}

#[test]
fn names_that_would_have_to_be_quoted_are_refused_before_anything_is_asked() {
    for name in ["a%22b", "a%27b", "Upper"] {
        let url = format!("postgresql://no-such-host.invalid/?sw_schema={name}");
        assert_eq!(open(&url, &settings()).err().unwrap().code(), -2, "{name}");
    }
}

#[test]
fn a_database_of_another_encoding_is_refused() {
    let Some(mut own) = Own::new() else { return };
    let name = format!("ascii_{:x}", crate::id::new_id().token());
    own.run(&format!(
        "CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'"
    ));
    let url = own.url.replace("/postgres?", &format!("/{name}?"));
    let refused = open(&url, &settings()).err().unwrap();
    own.run(&format!("DROP DATABASE {name} WITH (FORCE)"));
    assert_eq!(refused.code(), -6, "{refused}");
    assert!(refused.to_string().contains("SQL_ASCII"), "{refused}");
}

#[test]
fn a_schema_of_somebody_elses_and_one_of_another_library_are_refused_unchanged() {
    let Some(mut own) = Own::new() else { return };
    own.run("CREATE SCHEMA $schema; CREATE TABLE $schema.sw_workflow_runs (x int)");
    assert_eq!(own.refused().code(), -26);
    own.run(
        "DROP TABLE $schema.sw_workflow_runs; CREATE VIEW $schema.sw_migrations AS SELECT 1 AS id",
    );
    assert_eq!(own.refused().code(), -26);
    own.run("DROP VIEW $schema.sw_migrations; CREATE TABLE $schema.others (x int)");
    init(&own.open()).unwrap();
    own.run("CREATE TABLE $schema.sw_more (x int)");
    assert!(own.refused().to_string().contains("sw_more"));
    own.run("DROP TABLE $schema.sw_more; ALTER TABLE $schema.sw_retention RENAME TO retention");
    assert!(own.refused().to_string().contains("sw_retention"));
    own.run("ALTER TABLE $schema.retention RENAME TO sw_retention");
    let open_since = own.open();
    own.run("INSERT INTO $schema.sw_migrations VALUES (99, '9.9.9', 1, 'x')");
    assert_eq!(own.refused(), Error::SchemaNew { found: 99, newest: NEWEST });
    // Who has it open learns of it, too.
    assert_eq!(open_since.read(|tx| tx.latest_ms()).unwrap_err().code(), -25);
    let asked = open_since.write(options(&open_since), |tx, _| tx.clock_set(5));
    assert_eq!(asked.unwrap_err().code(), -25);
    own.run("DELETE FROM $schema.sw_migrations WHERE id = 99; UPDATE $schema.sw_migrations SET checksum = 'x' WHERE id = 2");
    assert_eq!(own.refused(), Error::SchemaEdited { id: 2 });
}

#[test]
fn a_role_without_rights_is_told_so() {
    let Some(mut own) = Own::made() else { return };
    let role = Role::new(&own.url, "sw_plain", "");
    let url = own.of_role(&role.name, "");
    let refused = open(&url, &settings()).err().unwrap();
    assert_eq!(refused.code(), -43, "{refused}");
    let name = &role.name;
    own.run(&format!(
        "GRANT USAGE ON SCHEMA $schema TO {name}; GRANT SELECT ON ALL TABLES IN SCHEMA $schema TO {name}"
    ));
    let reader = open(&url, &settings()).unwrap();
    assert_eq!(reader.read(|tx| tx.latest_ms()), Ok(0));
    let refused = reader.write(options(&reader), |tx, _| tx.clock_set(5)).unwrap_err();
    assert_eq!(refused.code(), -43, "{refused}");
    // Rows alone are all that it takes to work: no right on the database, none to make anything.
    own.run(&format!(
        "GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA $schema TO {name}; GRANT USAGE ON ALL SEQUENCES IN SCHEMA $schema TO {name}"
    ));
    reader.write(options(&reader), |tx, _| tx.clock_set(5)).unwrap();
    assert_eq!(reader.read(|tx| tx.latest_ms()), Ok(5));
    reader
        .confirm(WriteOptions {
            call: Call::of("test").promising(Durability::Power),
            ..options(&reader)
        })
        .unwrap_or_else(|error| assert_eq!(error.code(), -6, "{error}"));
    let nowhere = Own::new().unwrap();
    let maker = open(&nowhere.of_role(name, ""), &settings()).unwrap();
    assert_eq!(init(&maker).unwrap_err().code(), -43);
}

#[test]
fn a_server_that_has_no_connection_left_is_busy() {
    let Some(own) = Own::made() else { return };
    let role = Role::new(&own.url, "sw_few", "CONNECTION LIMIT 0");
    let refused = open(&own.of_role(&role.name, ""), &settings()).err().unwrap();
    assert_eq!(refused.code(), -40, "{refused}");
}

/// scripts/postgres.sh starts one without fsync where it is told to.
#[test]
fn what_a_server_without_fsync_can_promise_is_promised() {
    let Some(mut own) = Own::made() else { return };
    let answer = own.admin.run_once("SELECT current_setting('fsync')", &[]).unwrap();
    let is_off = answer.value(0, 0) == Some(b"off");
    let power = Settings { durability: Durability::Power, ..settings() };
    let code = open(&own.url, &power).err().map(|error| error.code());
    assert_eq!(code, is_off.then_some(-6));
    let backend = own.open();
    let mut options = options(&backend);
    options.call = Call::of("test").promising(Durability::Power);
    let written = backend.write(options, |tx, _| tx.clock_set(5));
    assert_eq!(written.err().map(|error| error.code()), is_off.then_some(-6));
}
