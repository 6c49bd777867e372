//! Schemas: applying them, refusing what is not ours, and leaving that as it was.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a test")]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use smolwf::domain::claim::Claim;
use smolwf::handles::store::{Store, StoreOptions};
use smolwf::storage::SCHEMA_NEWEST as NEWEST;
use smolwf::storage::sqlite::migrate::MIGRATIONS;
use tempfile::TempDir;

use support::actor::listen;
use support::audit::{all, assert_whole, connect};
use support::{Actor, Guard, Role, code, named, open, options, run, say, work};

fn db() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let db = folder.path().join("db");
    (folder, db)
}

/// What a folder holds. SQLite's shared memory is known by name only: it is no part of the data.
fn contents(db: &Path) -> BTreeMap<String, Vec<u8>> {
    std::fs::read_dir(db.parent().unwrap())
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let bytes =
                if name.ends_with("-shm") { Vec::new() } else { std::fs::read(&path).unwrap() };
            (name, bytes)
        })
        .collect()
}

/// Refuses by code, whatever it is asked for, and changes nothing.
fn assert_refused(db: &Path, expected: &[i32]) {
    let before = contents(db);
    let plain = StoreOptions::default();
    for options in [options(), plain, StoreOptions { read_only: true, ..plain }] {
        let answer = Store::open(db, &options).map(|_| ());
        assert!(expected.contains(&code(&answer)), "{answer:?}, not {expected:?}");
        let after = contents(db);
        let names = |contents: &BTreeMap<String, Vec<u8>>| -> Vec<String> {
            contents.keys().cloned().collect()
        };
        assert_eq!(names(&after), names(&before));
        assert!(after == before, "refused with {answer:?}, and changed all the same");
    }
}

/// Runs SQL on the file in a process of its own: a second program at work on it.
fn sql(test: &str, db: &Path, text: &str) {
    assert!(Actor::start(test, "sql", db, text).succeeds(), "{text}");
}

/// Plays the part of [`sql`].
fn played_sql() -> bool {
    let Some(role) = Role::mine() else { return false };
    assert_eq!(role.name, "sql");
    connect(&role.db).execute_batch(&role.extra).unwrap();
    true
}

const NEWER: &str = "
INSERT INTO sw_migrations (id, introduced_version, applied_time, checksum)
SELECT max(id) + 1, '9.9.9', 1, x'00' FROM sw_migrations;
CREATE TABLE sw_of_the_future (x);";

/// P2.
#[test]
fn a_fresh_file_takes_all_migrations_once() {
    let (_folder, db) = db();
    let store = Store::open(&db, &options()).unwrap();
    assert_eq!(store.schema_version().unwrap(), (0, NEWEST));
    assert_eq!(store.migrations().unwrap(), "[]");
    assert_eq!(code(&store.submit(work())), -24);
    assert_eq!(code(&store.claim(Claim::default())), -24);
    assert_eq!(code(&store.find("", "k")), -24);
    assert_eq!(i64::from(store.init().unwrap()), NEWEST);
    assert_eq!(store.init().unwrap(), 0);
    assert_eq!(store.schema_version().unwrap(), (NEWEST, NEWEST));
    store.submit(work()).unwrap();
    let applied: serde_json::Value = serde_json::from_str(&store.migrations().unwrap()).unwrap();
    let applied = applied.as_array().unwrap();
    assert_eq!(applied.len() as i64, NEWEST);
    for (at, step) in applied.iter().enumerate() {
        assert_eq!(step["id"], at + 1);
        assert_eq!(step["introduced_version"], MIGRATIONS[at].introduced_version());
        assert!(step["applied_time"].as_i64().unwrap() > 1_600_000_000_000);
    }
    store.close();
    assert_whole(&connect(&db));
}

/// P2: one at a time is as good as all at once.
#[test]
fn a_file_migrated_step_by_step_equals_one_migrated_at_once() {
    let (_folder, db) = db();
    let store = Store::open(&db, &options()).unwrap();
    for target in 1..=NEWEST {
        assert_eq!(code(&store.submit(work())), -24);
        assert_eq!(store.migrate(target).unwrap(), 1);
        assert_eq!(store.migrate(target).unwrap(), 0);
        assert_eq!(store.schema_version().unwrap(), (target, NEWEST));
        assert_eq!(code(&store.migrate(target - 1)), -27);
        assert_eq!(code(&store.migrate(NEWEST + 1)), -25);
        assert_eq!(code(&store.migrate(-1)), -2);
    }
    store.submit(work()).unwrap();
    store.close();
    let (_other_folder, other) = self::db();
    open(&other).close();
    let schema = |path: &Path| -> Vec<(String, Option<String>)> {
        let schema = "SELECT name, sql FROM sqlite_schema ORDER BY name";
        all(&connect(path), schema, |row| Ok((row.get(0)?, row.get(1)?)))
    };
    assert_eq!(schema(&db), schema(&other));
}

/// P2: with any number of processes opening and migrating at once.
#[test]
fn processes_that_migrate_one_new_file_at_once_apply_each_step_once() {
    const TEST: &str = "processes_that_migrate_one_new_file_at_once_apply_each_step_once";
    const FILES: usize = 12;
    if let Some(role) = Role::mine() {
        say("ready");
        for file in 0..FILES {
            assert_eq!(listen(), file.to_string());
            let path = role.db.with_file_name(format!("db {file}"));
            let store = Store::open(&path, &options()).unwrap();
            let applied = store.init().unwrap();
            store.submit(work()).unwrap();
            // Half of them close while others are still opening.
            if role.extra == "closes" {
                store.close();
            }
            say(&applied.to_string());
        }
        return;
    }
    let _guard = Guard::new(TEST);
    let (_folder, db) = db();
    let mut actors: Vec<Actor> = (0..8)
        .map(|at| Actor::start(TEST, "host", &db, if at % 2 == 0 { "closes" } else { "stays" }))
        .collect();
    actors.iter_mut().for_each(|actor| assert_eq!(actor.hear(), "ready"));
    for file in 0..FILES {
        actors.iter_mut().for_each(|actor| actor.tell(&file.to_string()));
        let applied: i64 = actors.iter_mut().map(|a| a.hear().parse::<i64>().unwrap()).sum();
        assert_eq!(applied, NEWEST);
    }
    assert!(actors.into_iter().all(Actor::succeeds));
    let conn = connect(&db.with_file_name("db 0"));
    assert_whole(&conn);
    assert_eq!(
        all(&conn, "SELECT run_key FROM sw_workflow_runs", |row| row.get::<_, i64>(0)).len(),
        8
    );
}

/// P3.
#[test]
fn a_file_that_is_no_database_is_refused_unchanged() {
    let (_folder, db) = db();
    let texts: [&[u8]; 4] = [b"x", b"Dear diary,\n", &[b'a'; 5_000], b"SQLite format 2\0 and more"];
    for text in texts {
        std::fs::write(&db, text).unwrap();
        assert_refused(&db, &[-46]);
    }
}

/// P3: neither the file nor anything beside it is made.
#[test]
fn a_file_that_is_missing_is_not_made_unless_asked() {
    let (_folder, db) = db();
    let plain = StoreOptions::default();
    for options in [plain, StoreOptions { read_only: true, ..options() }] {
        assert_eq!(code(&Store::open(&db, &options)), -47);
        assert!(contents(&db).is_empty());
    }
    let nowhere = db.join("no").join("such");
    assert_eq!(code(&Store::open(&nowhere, &options())), -47);
    assert_eq!(code(&Store::open(db.parent().unwrap(), &options())), -47);
    assert!(contents(&db).is_empty());
}

/// P3.
#[test]
fn a_file_of_a_newer_library_is_refused_unchanged() {
    const TEST: &str = "a_file_of_a_newer_library_is_refused_unchanged";
    if played_sql() {
        return;
    }
    let (_folder, db) = db();
    open(&db).close();
    sql(TEST, &db, NEWER);
    assert_refused(&db, &[-25]);
}

/// P3.
#[test]
fn a_file_with_tables_that_only_look_like_ours_is_refused_unchanged() {
    const TEST: &str = "a_file_with_tables_that_only_look_like_ours_is_refused_unchanged";
    if played_sql() {
        return;
    }
    for text in [
        "CREATE TABLE sw_workflow_runs (x)",
        "CREATE TABLE sw_migrations (id INTEGER PRIMARY KEY, applied_time)",
        "CREATE TABLE sw_migrations (id INTEGER PRIMARY KEY, introduced_version TEXT, \
         applied_time INTEGER, checksum BLOB)",
        "CREATE TABLE SW_Workflow_Runs (x)",
    ] {
        let (_folder, db) = db();
        sql(TEST, &db, text);
        assert_refused(&db, &[-26]);
    }
}

/// P3.
#[test]
fn a_file_with_an_edited_or_missing_migration_is_refused_unchanged() {
    const TEST: &str = "a_file_with_an_edited_or_missing_migration_is_refused_unchanged";
    if played_sql() {
        return;
    }
    for (text, code) in [
        ("UPDATE sw_migrations SET checksum = x'00' WHERE id = 2", -29),
        ("UPDATE sw_migrations SET checksum = zeroblob(33) WHERE id = 1", -29),
        ("DELETE FROM sw_migrations WHERE id = 2", -26),
        ("DELETE FROM sw_migrations", -26),
    ] {
        let (_folder, db) = db();
        open(&db).close();
        sql(TEST, &db, text);
        assert_refused(&db, &[code]);
    }
}

/// P3, P40.
#[test]
fn a_truncated_file_is_refused_unchanged() {
    let (_folder, db) = db();
    open(&db).close();
    let whole = std::fs::read(&db).unwrap();
    for len in [50, 99, 100, 4_095, 4_096, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&db, &whole[..len]).unwrap();
        assert_refused(&db, &[-44, -46]);
    }
}

/// P3: also when its last owner was killed, so that half of it is still in the log.
#[test]
fn a_crashed_file_that_is_not_ours_is_refused_unchanged() {
    const TEST: &str = "a_crashed_file_that_is_not_ours_is_refused_unchanged";
    if let Some(role) = Role::mine() {
        let store = open(&role.db);
        store.submit(work()).unwrap();
        connect(&role.db).execute_batch(&role.extra).unwrap();
        say("done");
        listen();
        return;
    }
    let _guard = Guard::new(TEST);
    for (text, code) in
        [(NEWER, -25), ("UPDATE sw_migrations SET checksum = x'00' WHERE id = 2", -29)]
    {
        let (_folder, db) = db();
        let mut host = Actor::start(TEST, "host", &db, text);
        assert_eq!(host.hear(), "done");
        host.kill();
        let log = std::fs::metadata(db.with_file_name("db-wal")).unwrap().len();
        assert!(log > 0, "no log to leave alone");
        assert_refused(&db, &[code]);
    }
}

/// P3: a log without its shared memory is what a copy of a crashed store is. Reading it takes SQLite
/// that memory, which is no part of the data; not one byte of the file or its log changes.
#[test]
fn a_copy_of_a_crashed_file_that_is_not_ours_is_refused_unchanged() {
    const TEST: &str = "a_copy_of_a_crashed_file_that_is_not_ours_is_refused_unchanged";
    if let Some(role) = Role::mine() {
        let _store = open(&role.db);
        connect(&role.db).execute_batch(NEWER).unwrap();
        say("done");
        listen();
        return;
    }
    let _guard = Guard::new(TEST);
    let (_folder, db) = db();
    let mut host = Actor::start(TEST, "host", &db, "");
    assert_eq!(host.hear(), "done");
    host.kill();
    let (_copies, copy) = self::db();
    for name in ["db", "db-wal"] {
        std::fs::copy(db.with_file_name(name), copy.with_file_name(name)).unwrap();
    }
    let before = contents(&copy);
    for _ in 0..2 {
        assert_eq!(code(&Store::open(&copy, &options())), -25);
        let mut after = contents(&copy);
        after.remove("db-shm");
        assert!(after == before, "refused, and changed all the same");
    }
}

/// P6: and when it is ours, what its log holds is served.
#[test]
fn a_crashed_file_that_is_ours_is_opened_with_what_its_log_holds() {
    const TEST: &str = "a_crashed_file_that_is_ours_is_opened_with_what_its_log_holds";
    if let Some(role) = Role::mine() {
        let store = open(&role.db);
        say(&store.submit(work()).unwrap().run_id);
        listen();
        return;
    }
    let _guard = Guard::new(TEST);
    for is_read_only in [false, true] {
        let (_folder, db) = db();
        let mut host = Actor::start(TEST, "host", &db, "");
        let run_id = host.hear();
        host.kill();
        let options = StoreOptions { read_only: is_read_only, ..StoreOptions::default() };
        let store = Store::open(&db, &options).unwrap();
        store.run_get(&run_id).unwrap();
        assert_eq!(store.schema_version().unwrap(), (NEWEST, NEWEST));
        store.close();
    }
}

/// P3: other tables in the file are left alone.
#[test]
fn a_file_with_tables_of_the_hosts_own_is_migrated_beside_them() {
    const TEST: &str = "a_file_with_tables_of_the_hosts_own_is_migrated_beside_them";
    if played_sql() {
        return;
    }
    let (_folder, db) = db();
    let own = "PRAGMA application_id = 77; PRAGMA user_version = 5;
        CREATE TABLE orders (id INTEGER PRIMARY KEY, body TEXT);
        CREATE TABLE swallows (x);
        INSERT INTO orders VALUES (1, 'one'), (2, 'two');
        CREATE VIEW recent AS SELECT body FROM orders;
        CREATE TRIGGER loud AFTER INSERT ON orders BEGIN DELETE FROM orders; END;";
    sql(TEST, &db, own);
    let look = |db: &Path| {
        let conn = connect(db);
        let of_host = "SELECT name || coalesce(sql, '') FROM sqlite_schema
             WHERE tbl_name NOT GLOB 'sw_*' AND name NOT GLOB 'sqlite_*' ORDER BY name";
        let mut found: Vec<String> = all(&conn, of_host, |row| row.get(0));
        found.extend(all(&conn, "SELECT id || body FROM orders", |row| row.get(0)));
        for pragma in ["application_id", "user_version"] {
            let value = format!("SELECT {pragma} || '' FROM pragma_{pragma}");
            found.extend(all(&conn, &value, |row| row.get(0)));
        }
        found
    };
    let before = look(&db);
    let store = open(&db);
    store.submit(work()).unwrap();
    store.close();
    assert_eq!(look(&db), before);
    assert_eq!(before.len(), 4 + 2 + 2);
    open(&db).close();
}

/// P3: a newer library has migrated the file beneath an open handle. Its calls say so from then on,
/// and write nothing.
#[test]
fn a_handle_whose_file_was_migrated_by_a_newer_library_writes_nothing_more() {
    const TEST: &str = "a_handle_whose_file_was_migrated_by_a_newer_library_writes_nothing_more";
    if played_sql() {
        return;
    }
    let (_folder, db) = db();
    let store = open(&db);
    let second = open(&db);
    let run_id = store.submit(work()).unwrap().run_id;
    store.submit(work()).unwrap();
    let attempt = store.claim(Claim::default()).unwrap().unwrap();
    let step = run(&attempt, named("open"));
    sql(TEST, &db, NEWER);
    let dump = format!("VACUUM INTO '{}'", db.with_file_name("before").display());
    sql(TEST, &db, &dump);
    let fail = smolwf::domain::FailOptions::default();
    let answers = [
        code(&store.submit(work())),
        code(&second.submit(work())),
        code(&store.claim(Claim::default())),
        code(&step.complete(None)),
        code(&step.fail(None, fail)),
        code(&attempt.heartbeat(0)),
        code(&attempt.check()),
        code(&attempt.complete(None)),
        code(&attempt.fail(None, fail)),
        code(&attempt.release(0)),
        code(&store.run_get(&run_id)),
        code(&store.run_history(&run_id, None, 0)),
        code(&store.find("", "k")),
        code(&store.init()),
        code(&store.migrate(NEWEST)),
    ];
    assert_eq!(answers, [-25; 15]);
    // A begin may answer from a look that is less than a second old; it writes nothing.
    assert!([0, -25].contains(&code(&attempt.step_begin(named("next")))));
    second.close();
    store.close();
    let dump = format!("VACUUM INTO '{}'", db.with_file_name("after").display());
    sql(TEST, &db, &dump);
    let bytes = |name: &str| std::fs::read(db.with_file_name(name)).unwrap();
    assert!(bytes("before") == bytes("after"), "something was written");
    assert_refused(&db, &[-25]);
}

/// A migration is never edited once it has landed: the folder and the library hold the same ones.
#[test]
fn the_folder_of_migrations_is_what_the_library_carries() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let names_in = |folder: &Path| {
        let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
        let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
        let mut names: Vec<String> =
            files.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let names = names_in(&folder);
    // Each step has its like for PostgreSQL, by the same number and name.
    assert_eq!(names_in(&folder.join("postgres")), names);
    assert_eq!(names.len(), MIGRATIONS.len(), "{names:?}");
    for (at, (name, migration)) in names.iter().zip(&MIGRATIONS).enumerate() {
        let (number, rest) = name.split_at(4);
        assert_eq!(number.parse::<usize>().unwrap(), at + 1, "{name}");
        assert!(rest.starts_with('_') && rest.ends_with(".sql"), "{name}");
        assert_eq!(migration.id, at as i64 + 1);
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        assert!(text == migration.sql, "{name} differs from the embedded one");
        let first = text.lines().next().unwrap();
        let version = first.strip_prefix("-- introduced_version: ").unwrap();
        let parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap()).collect();
        assert_eq!(parts.len(), 3, "{name}: {first}");
    }
}
