//! The demo keeps its word: a killed indexer goes on behind the last recorded file.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

#[path = "support/native.rs"]
mod native;

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

/// The folder that holds the library this test was built with.
fn library_dir() -> PathBuf {
    native::shared_library().parent().expect("a file is in a folder").to_owned()
}

fn temporary() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn write(root: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a parent")).expect("its folder");
    fs::write(path, content).expect("a file");
}

/// Makes a tree of `count` small files in a few folders.
fn tree_of(count: usize) -> TempDir {
    let tree = temporary();
    for i in 0..count {
        write(tree.path(), &format!("folder-{}/file-{i:03}.txt", i % 7), format!("file {i}\n"));
    }
    tree
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether scripts/postgres.sh has started a server, on which the demo's store then lies.
fn on_server() -> bool {
    std::env::var_os("SW_POSTGRES_URL").is_some()
}

/// Runs the demo and returns what it says; it must end well and leave nothing behind.
fn demo(tree: &Path, settings: &[(&str, &str)]) -> String {
    let scratch = temporary();
    let store = on_server().then(|| ("SMOLWF_STORE", native::store(scratch.path())));
    let output = Command::new(Path::new(REPOSITORY).join("scripts/demo.sh"))
        .envs(store)
        .env("DIR", tree)
        .env("TMPDIR", scratch.path())
        .env("SMOLWF_LIB_DIR", library_dir())
        .envs(settings.iter().copied())
        .output()
        .expect("start scripts/demo.sh");
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    let left = fs::read_dir(scratch.path()).expect("the scratch folder").count();
    assert_eq!(left, 0, "the demo leaves no file behind");
    said
}

/// Compiles the indexer once for all tests of this file.
fn index_tree(state: &Path, tree: &Path) -> Command {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("index_tree");
        fs::create_dir_all(&folder).expect("a folder");
        for name in ["libsmolwf.so", "libsmolwf.so.0"] {
            let link = folder.join(name);
            let _absent_is_fine = fs::remove_file(&link);
            std::os::unix::fs::symlink(library_dir().join("libsmolwf.so"), link).expect("a link");
        }
        compile(&folder);
        folder.join("index_tree")
    });
    let mut command = Command::new(program);
    command.arg("--state").arg(state).arg(tree);
    command
}

fn compile(folder: &Path) {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let output = Command::new(&compiler)
        .args(native::strict(&compiler))
        .args(["-std=c99", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-I"])
        .arg(Path::new(REPOSITORY).join("include"))
        .arg(Path::new(REPOSITORY).join("examples/c/index_tree.c"))
        .arg(format!("-Wl,-rpath,{}", folder.display()))
        .arg("-L")
        .arg(folder)
        .args(["-o", "index_tree", "-lsmolwf"])
        .current_dir(folder)
        .output()
        .expect("start the C compiler");
    assert!(output.status.success(), "{}", text(&output.stderr));
}

fn ended_well(command: &mut Command) -> Output {
    let output = command.output().expect("start index_tree");
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    output
}

/// Reads the one file of a state folder that has this ending; "" while there is none.
fn file_of_run(state: &Path, ending: &str) -> String {
    let Ok(entries) = fs::read_dir(state) else { return String::new() };
    let mut paths = entries.map(|entry| entry.expect("an entry").path());
    let found = paths.find(|path| path.extension().is_some_and(|it| it == ending));
    found.map_or_else(String::new, |path| fs::read_to_string(path).expect("a text file"))
}

fn wait_for_log(state: &Path, lines: usize) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while file_of_run(state, "log").lines().count() < lines {
        assert!(Instant::now() < deadline, "the log did not grow to {lines} lines in a minute");
        // Polls another process's log; the assertion above bounds it.
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn start(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("start index_tree")
}

#[test]
fn the_demo_proves_that_no_finished_file_is_worked_on_twice() {
    let tree = tree_of(40);
    let said = demo(tree.path(), &[("KILL_AFTER", "15"), ("PAUSE_MS", "40")]);
    let is_proof = |line: &str| line.starts_with("proof: no finished file was worked on twice (");
    assert!(said.lines().any(is_proof), "{said}");
    let last = said.lines().last().expect("a closing line");
    if on_server() {
        assert_eq!(last, "swctl \"$SMOLWF_STORE\" show latest");
    } else {
        assert!(last.starts_with("swctl ") && last.ends_with("/store.db show latest"), "{said}");
    }
    assert!(said.contains("with SIGKILL"), "{said}");
    assert!(said.contains("the index equals, byte for byte"), "{said}");
    assert!(said.contains("40 files, 0 unreadable"), "{said}");
}

#[test]
fn a_file_in_flight_at_the_kill_is_worked_on_again_and_the_demo_says_so() {
    let tree = tree_of(6);
    let settings = [("KILL_AFTER", "2"), ("PAUSE_MS", "1500"), ("PAUSE_AT", "recording")];
    let said = demo(tree.path(), &settings);
    assert!(said.contains("replayed 1, processed 5\n"), "{said}");
    assert!(said.contains("  1 was in flight: "), "{said}");
    assert!(said.contains("so it has 2 lines"), "{said}");
    assert!(said.contains("(finished before the kill: 1, their lines in the log: 1)"), "{said}");
}

#[test]
fn the_index_names_bytes_hash_lines_and_words_of_every_regular_file() {
    let (tree, state) = (temporary(), temporary());
    write(tree.path(), "abc", "abc");
    write(tree.path(), "empty", "");
    write(tree.path(), "folder/poem.txt", "two words\n\n and\tthree more\n");
    write(tree.path(), "large", vec![b'a'; 1_000_000]);
    write(tree.path(), "quote\"and\nline", "x\n");
    let umlaut = "gr\u{f6}\u{df}e";
    write(tree.path(), umlaut, "x\n");
    for skipped in [".git/config", "target/out", "folder/node_modules/left.js"] {
        write(tree.path(), skipped, "skipped");
    }
    std::os::unix::fs::symlink("abc", tree.path().join("link")).expect("a link");
    ended_well(&mut index_tree(state.path(), tree.path()));
    let x = "73cb3858a687a8494ca3323053016282f3dad39d42cf62ca4e79dda2aac7d9ac";
    let poem = "a0dfe858926338aba43edc9d5aa0514bfeba0a0fe6b8667291c73adfe3f81c74";
    let expected = format!(
        r#"{{"path":"./abc","bytes":3,"sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","lines":0,"words":1}}
{{"path":"./empty","bytes":0,"sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","lines":0,"words":0}}
{{"path":"./folder/poem.txt","bytes":27,"sha256":"{poem}","lines":3,"words":5}}
{{"path":"./{umlaut}","bytes":2,"sha256":"{x}","lines":1,"words":1}}
{{"path":"./large","bytes":1000000,"sha256":"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0","lines":0,"words":1}}
{{"path":"./quote\"and\nline","bytes":2,"sha256":"{x}","lines":1,"words":1}}
"#
    );
    assert_eq!(file_of_run(state.path(), "jsonl"), expected);
}

#[test]
fn names_that_are_no_text_or_too_long_for_a_step_are_indexed_too() {
    let (tree, state) = (temporary(), temporary());
    let strange = std::ffi::OsStr::from_bytes(b"caf\xe9.txt");
    fs::write(tree.path().join(strange), "x").expect("a file");
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(200));
    write(tree.path(), &long, "x");
    ended_well(&mut index_tree(state.path(), tree.path()));
    let index = file_of_run(state.path(), "jsonl");
    assert!(index.contains(r#"{"path":"./caf?.txt","bytes":1,"#), "{index}");
    assert!(index.contains(&format!(r#"{{"path":"./{long}","bytes":1,"#)), "{index}");
}

#[test]
fn a_file_that_cannot_be_read_is_a_recorded_failure_and_not_the_end() {
    let (tree, state) = (tree_of(4), temporary());
    let mut first = start(index_tree(state.path(), tree.path()).args(["--pause-ms", "300"]));
    wait_for_log(state.path(), 1);
    fs::remove_file(tree.path().join("folder-3/file-003.txt")).expect("the last file of the tree");
    assert!(first.wait().expect("index_tree").success());
    let index = file_of_run(state.path(), "jsonl");
    let last = r#"{"path":"./folder-3/file-003.txt","error":"No such file or directory"}"#;
    assert_eq!(index.lines().last(), Some(last));
    let again = text(&ended_well(&mut index_tree(state.path(), tree.path())).stdout);
    assert!(again.contains("indexed before"), "{again}");
    assert!(again.contains("4 files, 1 unreadable, 21 bytes"), "{again}");
}

#[test]
fn an_interrupt_gives_the_run_back_to_the_next_worker() {
    let (tree, state) = (tree_of(20), temporary());
    let first = start(index_tree(state.path(), tree.path()).args(["--pause-ms", "200"]));
    wait_for_log(state.path(), 3);
    let kill = Command::new("kill").arg("-INT").arg(first.id().to_string()).status();
    assert!(kill.expect("start kill").success());
    let output = first.wait_with_output().expect("index_tree");
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("start again to go on"), "{said}");
    let begun = Instant::now();
    let again = text(&ended_well(&mut index_tree(state.path(), tree.path())).stdout);
    assert!(begun.elapsed() < Duration::from_secs(20), "the run had to be waited for");
    assert!(again.starts_with("attempt 2 of run_"), "{again}");
    let replayed = file_of_run(state.path(), "log").lines().count();
    assert_eq!(replayed, 20, "each file was worked on once");
    let table = ended_well(index_tree(state.path(), tree.path()).arg("--history"));
    let table = text(&table.stdout);
    assert!(table.contains("of workflow index_tree: completed"), "{table}");
    assert!(table.contains("... 17 more ..."), "{table}");
}
