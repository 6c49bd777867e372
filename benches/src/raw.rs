//! Loops over the same SQLite with nothing around them: prepared statements, minimal tables, C functions.

use std::ffi::{CStr, CString, c_int};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::ptr::null_mut;
use std::sync::Mutex;
use std::time::Instant;

use rusqlite::ffi;

use crate::driver::{rate, sample_time};

/// A connection.
pub struct Db(*mut ffi::sqlite3);

// SAFETY: SQLite is built to be used by any thread, one at a time.
unsafe impl Send for Db {}

/// How long a connection waits for others that open, close or recover the same file.
const BUSY_MS: c_int = 10_000;

impl Db {
    /// Opens in WAL mode. Who opens a file in many threads at once keeps a connection to it meanwhile: the
    /// first makes the log and the last takes it away, each for itself alone.
    pub fn open(path: &Path, synchronous: &str) -> Db {
        let (name, mut db) = (CString::new(path.to_str().unwrap()).unwrap(), null_mut());
        let code = unsafe { ffi::sqlite3_open(name.as_ptr(), &mut db) };
        assert_eq!(code, ffi::SQLITE_OK);
        let db = Db(db);
        // Before anything that looks at the file.
        assert_eq!(unsafe { ffi::sqlite3_busy_timeout(db.0, BUSY_MS) }, ffi::SQLITE_OK);
        // It answers the mode there is, and no error, where it could not change it.
        assert_eq!(db.prepare("PRAGMA journal_mode = WAL").run_text(), "wal");
        db.batch(&format!("PRAGMA synchronous = {synchronous}"));
        db
    }

    pub fn batch(&self, sql: &str) {
        let sql = CString::new(sql).unwrap();
        let code = unsafe { ffi::sqlite3_exec(self.0, sql.as_ptr(), None, null_mut(), null_mut()) };
        assert_eq!(code, ffi::SQLITE_OK, "{sql:?}");
    }

    pub fn prepare(&self, sql: &str) -> Statement {
        let (text, mut statement) = (CString::new(sql).unwrap(), null_mut());
        let code = unsafe {
            ffi::sqlite3_prepare_v2(self.0, text.as_ptr(), -1, &mut statement, null_mut())
        };
        assert_eq!(code, ffi::SQLITE_OK, "{sql}");
        Statement(statement)
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        let code = unsafe { ffi::sqlite3_close(self.0) };
        assert_eq!(code, ffi::SQLITE_OK, "its statements go before it");
    }
}

pub struct Statement(*mut ffi::sqlite3_stmt);

// SAFETY: as above.
unsafe impl Send for Statement {}

impl Statement {
    pub fn number(&self, at: c_int, value: i64) -> &Statement {
        unsafe { ffi::sqlite3_bind_int64(self.0, at, value) };
        self
    }

    /// The text is read where it lies, until the statement has run.
    pub fn text(&self, at: c_int, value: &str) -> &Statement {
        let (data, len) = (value.as_ptr().cast(), value.len() as c_int);
        unsafe { ffi::sqlite3_bind_text(self.0, at, data, len, None) };
        self
    }

    /// The same of bytes.
    pub fn blob(&self, at: c_int, value: &[u8]) -> &Statement {
        let (data, len) = (value.as_ptr().cast(), value.len() as c_int);
        unsafe { ffi::sqlite3_bind_blob(self.0, at, data, len, None) };
        self
    }

    /// Runs to the end; returns the first number of the last row.
    pub fn run(&self) -> i64 {
        let mut found = 0;
        loop {
            match unsafe { ffi::sqlite3_step(self.0) } {
                ffi::SQLITE_ROW => found = unsafe { ffi::sqlite3_column_int64(self.0, 0) },
                ffi::SQLITE_DONE => break,
                code => panic!("a raw statement answered {code}"),
            }
        }
        unsafe { ffi::sqlite3_reset(self.0) };
        found
    }

    /// Runs to the end; returns the first text of the last row.
    fn run_text(&self) -> String {
        let mut found = String::new();
        loop {
            match unsafe { ffi::sqlite3_step(self.0) } {
                ffi::SQLITE_ROW => {
                    let text =
                        unsafe { CStr::from_ptr(ffi::sqlite3_column_text(self.0, 0).cast()) };
                    found = text.to_str().unwrap().to_owned();
                }
                ffi::SQLITE_DONE => break found,
                code => panic!("a raw statement answered {code}"),
            }
        }
    }

    /// Runs to the end, reading the text of a column; returns rows and bytes.
    pub fn scan(&self, column: c_int) -> (u64, u64) {
        let (mut rows, mut bytes) = (0, 0);
        let code = loop {
            let code = unsafe { ffi::sqlite3_step(self.0) };
            if code != ffi::SQLITE_ROW {
                break code;
            }
            let text = unsafe { ffi::sqlite3_column_text(self.0, column) };
            assert!(!text.is_null());
            bytes += unsafe { ffi::sqlite3_column_bytes(self.0, column) } as u64;
            rows += 1;
        };
        assert_eq!(code, ffi::SQLITE_DONE, "a scan that ended early");
        unsafe { ffi::sqlite3_reset(self.0) };
        (rows, bytes)
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        unsafe { ffi::sqlite3_finalize(self.0) };
    }
}

/// R and RN: one row of about 400 bytes, or of another size, in each WAL transaction.
pub struct Rows {
    begin: Statement,
    insert: Statement,
    commit: Statement,
    _db: Db,
    key: i64,
    value: String,
}

impl Rows {
    pub fn new(path: &Path, synchronous: &str) -> Rows {
        Rows::of(path, synchronous, 400)
    }

    pub fn of(path: &Path, synchronous: &str, bytes: usize) -> Rows {
        let db = Db::open(path, synchronous);
        db.batch("CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)");
        let insert = db.prepare("INSERT INTO t VALUES (?1, ?2)");
        let [begin, commit] = ["BEGIN IMMEDIATE", "COMMIT"].map(|sql| db.prepare(sql));
        Rows { begin, insert, commit, _db: db, key: 0, value: "x".repeat(bytes) }
    }

    #[inline(never)]
    pub fn add(&mut self) {
        self.key += 1;
        self.begin.run();
        self.insert.number(1, self.key).text(2, &self.value).run();
        self.commit.run();
    }

    pub fn rate(&mut self) -> f64 {
        rate(|| self.add())
    }
}

/// A page in place, and a sync: what the disk does without SQLite.
pub struct Pages {
    file: File,
    next: u64,
}

impl Pages {
    /// As many as the log of a store holds before it begins anew.
    const COUNT: u64 = 1_000;

    pub fn new(path: &Path) -> Pages {
        let file = File::create_new(path).unwrap();
        file.write_all_at(&vec![1; 4_096 * Pages::COUNT as usize], 0).unwrap();
        file.sync_all().unwrap();
        Pages { file, next: 0 }
    }

    pub fn rate(&mut self) -> f64 {
        rate(|| {
            self.next += 1;
            let at = self.next % Pages::COUNT * 4_096;
            self.file.write_all_at(&[self.next as u8; 4_096], at).unwrap();
            self.file.sync_data().unwrap();
        })
    }
}

/// A queue by hand: three transactions for each task, each under one mutex of the process, as one would
/// write it who knows that SQLite's busy handler starves.
pub struct Tasks {
    path: std::path::PathBuf,
    /// Open as long as others may be.
    _db: Db,
}

impl Tasks {
    pub fn new(path: &Path) -> Tasks {
        let db = Db::open(path, "FULL");
        db.batch(
            "CREATE TABLE task (id INTEGER PRIMARY KEY, state INTEGER, args TEXT, result TEXT);
             CREATE INDEX pending ON task (id) WHERE state = 0",
        );
        Tasks { path: path.to_owned(), _db: db }
    }

    /// Tasks per second of as many threads, each with a connection.
    pub fn rate(&self, workers: usize) -> f64 {
        let turn = Mutex::new(());
        let started = Instant::now();
        let path = &self.path;
        let done: u64 = std::thread::scope(|scope| {
            let works: Vec<_> =
                (0..workers).map(|_| scope.spawn(|| work(path, &turn, started))).collect();
            works.into_iter().map(|work| work.join().unwrap()).sum()
        });
        done as f64 / started.elapsed().as_secs_f64()
    }
}

/// The work of one of them.
fn work(path: &Path, turn: &Mutex<()>, started: Instant) -> u64 {
    let db = Db::open(path, "FULL");
    let begin = db.prepare("BEGIN IMMEDIATE");
    let commit = db.prepare("COMMIT");
    let submit = db.prepare("INSERT INTO task (state, args) VALUES (0, 'null')");
    let claim = db.prepare(
        "UPDATE task SET state = 1 WHERE id =
            (SELECT id FROM task WHERE state = 0 ORDER BY id LIMIT 1) RETURNING id",
    );
    let complete = db.prepare("UPDATE task SET state = 2, result = 'true' WHERE id = ?1");
    let write = |statement: &Statement| {
        let _turn = turn.lock().unwrap();
        begin.run();
        let found = statement.run();
        commit.run();
        found
    };
    let mut done = 0;
    while started.elapsed() < sample_time() {
        write(&submit);
        let id = write(&claim);
        write(complete.number(1, id));
        done += 1;
    }
    drop((begin, commit, submit, claim, complete));
    done
}
