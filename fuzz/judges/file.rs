//! Files that somebody crafted or damaged, made of a true store by a few changes: of bytes, of values in rows,
//! of the schema, of what stands beside it. Whatever it is then, each call answers, none panics or hangs, and
//! what somebody added to the schema is refused with none of it run.

#[path = "../../tests/hostile/asked.rs"]
mod asked;
#[path = "../../tests/hostile/crafted.rs"]
mod crafted;
#[path = "../../tests/hostile/made.rs"]
mod made;
#[path = "../../tests/support/mod.rs"]
mod support;
#[path = "../../tests/hostile/wrong.rs"]
mod wrong;

use std::path::Path;
use std::time::Duration;

use asked::Answers;
use support::Guard;

/// A change of a store, as the suite of hostile files has it.
struct File {
    name: String,
    /// Makes it of a store; returns whether that could be done.
    spoil: Box<dyn Fn(&Path) -> bool>,
}

const SCHEMA_FOREIGN: i32 = -26;
const PAGE: usize = 4096;

/// Where the changes of the schema stand among those that are picked from.
const CRAFTED: u8 = 1;

/// Changes of bytes in one input at most.
const CHANGES_MAX: usize = 12;

/// How long all calls on one file may take together. Nothing is timed by it.
const PATIENCE: Duration = Duration::from_secs(60);

/// The true store, and the changes that take a statement.
struct Source {
    bytes: Vec<u8>,
    /// Of values, of the schema, of what stands beside the file.
    files: [Vec<File>; 3],
}

/// Which parts of the calls are made in one byte; which change by a statement, or of what stands beside the
/// file, in three; and changes of bytes, four each.
pub fn judge(input: &[u8]) {
    let [parts, kind, high, low, rest @ ..] = input else { return };
    thread_local!(static SOURCE: Source = Source::new());
    SOURCE.with(|source| {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let db = folder.path().join("db");
        let mut bytes = source.bytes.clone();
        rest.chunks_exact(4).take(CHANGES_MAX).for_each(|four| change(&mut bytes, four));
        std::fs::write(&db, bytes).unwrap();
        let at = usize::from(u16::from_be_bytes([*high, *low]));
        let files = source.files.get(usize::from(kind % 4));
        // SQLite itself may refuse to change what is damaged.
        let picked = files.filter(|_| rest.len() < 4).map(|files| &files[at % files.len()]);
        let is_spoilt = picked.is_some_and(|file| (file.spoil)(&db));
        let guard = Guard::of("a file", PATIENCE);
        let answers = asked::ask_some(&db, *parts);
        drop(guard);
        assert!(answers.panics.is_empty(), "{:?}", answers.panics);
        if is_spoilt && kind % 4 == CRAFTED {
            refuses_what_was_added(&db, &answers);
        }
    });
}

fn refuses_what_was_added(db: &Path, answers: &Answers) {
    assert_eq!(answers.codes.first(), Some(&("open", SCHEMA_FOREIGN)), "what was added is let in");
    let sql = "SELECT count(*) FROM run_by_us";
    let seen: Vec<i64> = support::audit::all(&support::audit::connect(db), sql, |row| row.get(0));
    assert_eq!(seen, [0], "what the file says was run");
}

impl Source {
    fn new() -> Source {
        let folder = tempfile::tempdir().unwrap();
        let db = folder.path().join("db");
        made::make(&db);
        let (values, crafted) = (wrong::values(&db), crafted::files(&db));
        let mut beside = wrong::bytes(&db, 1, 0);
        beside.retain(|file| file.name.starts_with('-'));
        Source { bytes: std::fs::read(&db).unwrap(), files: [values, crafted, beside] }
    }
}

/// Changes some bytes of one page: which in a byte, how and where in two, to what in one.
fn change(bytes: &mut [u8], four: &[u8]) {
    let pages = bytes.len() / PAGE;
    let page = usize::from(four[0]) % pages * PAGE;
    let drawn = usize::from(u16::from_be_bytes([four[1], four[2]]));
    let (way, at, to) = (drawn / PAGE % 8, drawn % PAGE, four[3]);
    // The head of a page says how the rest is read.
    let head = page + at % 12 + if page == 0 { 100 } else { 0 };
    let end = (page + at + 8).min(bytes.len());
    match way {
        0 => bytes[page + at] ^= 1 << (to % 8),
        1 => bytes[page + at] = to,
        2 => bytes[head] = to,
        3 => bytes[page + at..end].fill(to),
        4 => bytes[page + at..page + PAGE].fill(to),
        5 => {
            let from = usize::from(to) % pages * PAGE;
            bytes.copy_within(from..from + PAGE, page);
        }
        // A pointer to a cell; a field of the file's first bytes.
        6 => bytes[page + 8 + at % 60] = to,
        _ => bytes[16 + at % 84] = to,
    }
}
