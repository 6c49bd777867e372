//! The rules of the house that a program can check. Each rule is a function from files to the faults
//! it found, held against this tree, and tried on a bad sample that it must find fault with.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[path = "tidy/calls.rs"]
mod calls;
#[path = "tidy/clients.rs"]
mod clients;
#[path = "tidy/errors.rs"]
mod errors;
#[path = "tidy/sanitize.rs"]
mod sanitize;
#[path = "tidy/statements.rs"]
mod statements;
#[path = "tidy/system.rs"]
mod system;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Lines of a source file at most, its unit tests left out.
const SOURCE_LINES_MAX: usize = 600;
/// Lines of ARCHITECTURE.md at most: beyond that nobody reads it in one sitting.
const ARCHITECTURE_LINES_MAX: usize = 199;
/// Where unsafe code may stand. ARCHITECTURE.md says why it may there.
const UNSAFE_PLACES: [&str; 17] = [
    "src/ffi/",
    "src/process.rs",
    "src/os/",
    "src/storage/postgres/libpq.rs",
    "src/storage/postgres/pq.rs",
    "src/storage/sqlite/conn.rs",
    "src/storage/sqlite/mutexes.rs",
    "src/storage/sqlite/vfs",
    "src/storage/sqlite/fault",
    "benches/src/",
    "fuzz/judges/calls",
    "tests/model/door",
    "tests/support/fork.rs",
    "tests/processes.rs",
    "tools/swctl/src/door/",
    "tools/swctl/src/system.rs",
    "tools/swctl/tests/support/stage.rs",
];
const NAMES_WITHOUT_MEANING: [&str; 5] = ["utils", "common", "helpers", "types", "misc"];

// ---- Files --------------------------------------------------------------------------------------

struct Source {
    path: String,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    /// Returns what stands above the unit tests; nothing of a file that holds only those.
    fn product(&self) -> &str {
        if self.path.ends_with("_tests.rs") || self.path.starts_with("src/storage/conformance/") {
            return "";
        }
        let tests = self.text.find("\n#[cfg(test)]").map_or(self.text.len(), |at| at + 1);
        &self.text[..tests]
    }

    fn fault(&self, line: usize, what: &str) -> String {
        format!("{}:{}: {what}", self.path, line + 1)
    }

    /// Returns a fault for each line of `text`, a view of this file, that `is_bad` picks.
    fn faults(&self, text: &str, what: &str, is_bad: impl Fn(&str) -> bool) -> Vec<String> {
        let lines = text.lines().enumerate().filter(|(_, line)| is_bad(line));
        lines.map(|(at, _)| self.fault(at, what)).collect()
    }
}

fn read(path: &str) -> Source {
    let text = fs::read_to_string(Path::new(ROOT).join(path));
    Source { path: path.to_owned(), text: text.unwrap_or_else(|error| panic!("{path}: {error}")) }
}

/// Reads every file below the folders whose name ends so, sorted by path; not what was installed.
fn files(folders: &[&str], endings: &[&str]) -> Vec<Source> {
    let mut left: Vec<String> = folders.iter().map(|folder| (*folder).to_owned()).collect();
    let mut paths = BTreeSet::new();
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(Path::new(ROOT).join(&folder)).expect("a folder of the tree") {
            let entry = entry.expect("a folder that can be listed");
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.file_type().expect("a kind of file").is_dir() {
                let is_ours = !path.ends_with("/node_modules") && !path.ends_with("/dist");
                left.extend(is_ours.then_some(path));
            } else if endings.iter().any(|ending| path.ends_with(ending)) {
                paths.insert(path);
            }
        }
    }
    assert!(!paths.is_empty(), "{folders:?} hold no {endings:?}");
    paths.iter().map(|path| read(path)).collect()
}

/// Returns all that people, not scripts, write here and a compiler, a shell or SQLite reads.
fn sources() -> Vec<Source> {
    let folders = "src build tests benches/src clients examples migrations scripts \
                   tools/swctl/src tools/swctl/tests tools/swctl/examples fuzz/src fuzz/judges";
    let folders: Vec<_> = folders.split(' ').collect();
    let mut all = files(&folders, &[".rs", ".c", ".h", ".hpp", ".sql", ".sh", ".ts"]);
    all.extend(["build.rs", "Makefile", "cbindgen.toml", "Cargo.toml"].map(read));
    all.retain(|source| source.path != "clients/node/src/documents.ts");
    all
}

fn rust() -> Vec<Source> {
    sources().into_iter().filter(|source| source.path.ends_with(".rs")).collect()
}

fn library() -> Vec<Source> {
    files(&["src"], &[".rs"])
}

/// Returns the length of a comment that `text` begins with, its line's end left out.
fn comment_len(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    Some(text.strip_prefix("/*")?.find("*/").map_or(text.len(), |at| at + 4))
}

/// Returns the length of a string or character literal that `text` begins with.
fn literal_len(text: &str) -> Option<usize> {
    let after = text.strip_prefix(['b', 'c']).unwrap_or(text);
    if let Some(raw) = after.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let body = text.len() - raw.len() + hashes + 1;
            return Some(text[body..].find(&end).map_or(text.len(), |at| body + at + end.len()));
        }
    }
    let quote = if after.starts_with('"') { '"' } else { '\'' };
    let body = after.strip_prefix(quote)?;
    if quote == '\'' && !body.starts_with('\\') && body.chars().nth(1) != Some('\'') {
        return None; // a lifetime
    }
    let mut is_escaped = false;
    let end = body.find(|character| {
        let is_end = character == quote && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        is_end
    });
    Some(end.map_or(text.len(), |at| text.len() - body.len() + at + 1))
}

/// Takes comments out, and literals unless `has_literals`; each line stays on its line.
fn strip(text: &str, has_literals: bool) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_in_word = code.ends_with(is_word) && is_word(first);
        let literal = if is_in_word { None } else { literal_len(rest) };
        let (len, is_kept) = match (comment_len(rest), literal) {
            (Some(len), _) => (len, false),
            (None, Some(len)) => (len, has_literals),
            (None, None) => (first.len_utf8(), true),
        };
        let (taken, left) = rest.split_at(len);
        if is_kept {
            code.push_str(taken);
        } else {
            code.push(' ');
            code.extend(taken.matches('\n'));
        }
        rest = left;
    }
    code
}

/// Returns the code alone: without comments and literals.
fn code(text: &str) -> String {
    strip(text, false)
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character| !is_word(character)).filter(|word| !word.is_empty())
}

fn has_word(text: &str, word: &str) -> bool {
    words(text).any(|found| found == word)
}

/// Returns what stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[track_caller]
fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

// ---- Floors: ffi -> handles -> domain <- storage; the ground is for all. ------------------------

// `schemas` is of tests alone.
#[rustfmt::skip]
const GROUND: [&str; 12] = ["error", "clock", "limits", "id", "json", "text", "stop", "lock", "process", "os", "plant", "schemas"];
/// Arrows against the rule that stand for a reason.
const ARROWS_ALLOWED: [(&str, &str); 1] = [
    ("src/ffi/version.rs", "storage"), // tells which SQLite is built in
];

/// Returns the modules of ours that a file on this path may name, or None where all may be.
fn reachable(path: &str) -> Option<Vec<&'static str>> {
    let (floor, _) = path.strip_prefix("src/")?.split_once(['/', '.'])?;
    let above = match floor {
        "ffi" => vec!["ffi", "handles", "domain"],
        "handles" => vec!["handles", "domain", "storage"],
        "domain" => vec!["domain"],
        "storage" => vec!["storage", "domain"],
        ground if GROUND.contains(&ground) => vec![],
        _ => return None,
    };
    Some(above.iter().chain(&GROUND).copied().collect())
}

/// Returns the first names of the paths that begin with `crate::`, each with its line.
fn named_modules(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, prefix) in code.match_indices("crate::") {
        let line = code[..at].matches('\n').count();
        let path = &code[at + prefix.len()..];
        let Some(group) = path.strip_prefix('{') else {
            found.extend(words(path).next().map(|name| (line, name.to_owned())));
            continue;
        };
        let mut depth = 0;
        for part in group.split_inclusive(['{', '}', ',']) {
            if depth == 0 {
                found.extend(words(part).next().map(|name| (line, name.to_owned())));
            }
            depth += i32::from(part.ends_with('{')) - i32::from(part.ends_with('}'));
            if depth < 0 {
                break;
            }
        }
    }
    found
}

fn upward_arrows(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources {
        let Some(reachable) = reachable(&source.path) else { continue };
        let code = code(source.product());
        for (line, name) in named_modules(&code) {
            let is_allowed = ARROWS_ALLOWED.contains(&(source.path.as_str(), name.as_str()));
            if !reachable.contains(&name.as_str()) && !is_allowed {
                faults.push(source.fault(line, &format!("names crate::{name}, a floor above")));
            }
        }
        // A path by `super` would pass by unseen: from a topic it may reach its own floor only.
        let is_deep = source.path.matches('/').count() > 1;
        let escape = if is_deep { "super::super::" } else { "super::" };
        faults.extend(source.faults(&code, "leaves its floor by super", |l| l.contains(escape)));
    }
    faults
}

#[test]
fn calls_go_down_and_never_up() {
    assert_none(&upward_arrows(&library()));
}

/// Returns what a file must not name of others' code.
fn strangers(path: &str) -> &'static [&'static str] {
    if path.starts_with("src/domain/") {
        &["rusqlite", "libc", "thread", "fs", "SystemTime", "Instant"]
    } else if path.starts_with("src/storage/") || path == "src/ffi/version.rs" {
        &[]
    } else {
        &["rusqlite"]
    }
}

fn strange_names(sources: &[Source]) -> Vec<String> {
    let find = |source: &Source| {
        let (code, strangers) = (code(source.product()), strangers(&source.path));
        let is_strange = |line: &str| strangers.iter().any(|name| has_word(line, name));
        source.faults(&code, &format!("names one of {strangers:?}"), is_strange)
    };
    sources.iter().flat_map(find).collect()
}

#[test]
fn the_domain_knows_no_threads_and_no_clock_and_sqlite_is_the_storages() {
    assert_none(&strange_names(&library()));
}

// ---- Exports ------------------------------------------------------------------------------------

/// Returns each exported function with its line.
fn exports(source: &Source) -> Vec<(usize, String)> {
    let lines: Vec<&str> = source.product().lines().collect();
    let marks = (0..lines.len()).filter(|at| lines[*at].trim() == "#[unsafe(no_mangle)]");
    let export = |at: usize| {
        let name = lines[at..].iter().find_map(|line| line.split_once(" fn ")?.1.split('(').next());
        (at, name.unwrap_or_default().to_owned())
    };
    marks.map(export).collect()
}

fn is_called(name: &str, code: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        !code[..at].ends_with(is_word) && code[at + name.len()..].starts_with(['(', ','])
    })
}

fn careless_exports(sources: &[Source], c_tests: &[Source], changelog: &str) -> Vec<String> {
    let c_code: Vec<String> = c_tests.iter().map(|source| code(&source.text)).collect();
    let mut faults = Vec::new();
    for source in sources {
        for (line, name) in exports(source) {
            let mut fault = |what: &str| faults.push(source.fault(line, &format!("{name} {what}")));
            if !c_code.iter().any(|code| is_called(&name, code)) {
                fault("is called by no test in tests/c");
            }
            if !has_word(changelog, &name) {
                fault("is not in CHANGELOG.md");
            }
        }
    }
    faults
}

#[test]
fn every_export_has_a_c_test_a_changelog_line_and_its_version() {
    let changelog = read("CHANGELOG.md").text;
    let exported: usize = library().iter().map(|source| exports(source).len()).sum();
    assert!(exported > 50, "found {exported} exports only");
    assert_none(&careless_exports(&library(), &files(&["tests/c"], &[".c"]), &changelog));
}

// ---- Files and lines ----------------------------------------------------------------------------

/// Counts the lines of files without their unit tests.
fn long_files(sources: &[Source], lines_max: usize) -> Vec<String> {
    let lines = |source: &Source| source.product().lines().count();
    let long = sources.iter().filter(|source| lines(source) > lines_max);
    long.map(|s| s.fault(lines_max, &format!("has more than {lines_max} lines"))).collect()
}

#[test]
fn no_source_file_is_longer_than_600_lines_without_its_tests() {
    assert_none(&long_files(&sources(), SOURCE_LINES_MAX));
}

/// Words that say something is not done; split here, so that this file has none of them.
const UNFINISHED: [&str; 5] = ["TO-DO", "FIX-ME", "XX-X", "to-do!", "unimple-mented!"];

fn unfinished(sources: &[Source]) -> Vec<String> {
    let marks = UNFINISHED.map(|mark| mark.replace('-', ""));
    let is_in =
        |line: &str, mark: &str| has_word(line, mark) || mark.ends_with('!') && line.contains(mark);
    let find = |s: &Source| {
        s.faults(&s.text, "is unfinished", |line| marks.iter().any(|mark| is_in(line, mark)))
    };
    sources.iter().flat_map(find).collect()
}

#[test]
fn nothing_is_left_unfinished() {
    assert_none(&unfinished(&sources()));
}

fn misplaced_unsafe(sources: &[Source]) -> Vec<String> {
    let is_allowed = |s: &&Source| !UNSAFE_PLACES.iter().any(|place| s.path.starts_with(place));
    let find = |s: &Source| {
        s.faults(&code(&s.text), "unsafe code stands elsewhere only", |l| has_word(l, "unsafe"))
    };
    sources.iter().filter(is_allowed).flat_map(find).collect()
}

#[test]
fn unsafe_code_stands_in_the_named_places_only() {
    assert_none(&misplaced_unsafe(&rust()));
}

fn meaningless_names(sources: &[Source]) -> Vec<String> {
    let says_nothing = |part: &str| NAMES_WITHOUT_MEANING.contains(&part);
    let found = sources.iter().filter(|s| s.path.split(['/', '.']).any(says_nothing));
    found.map(|source| source.fault(0, "has a name that says nothing")).collect()
}

#[test]
fn every_file_has_a_name_that_says_what_is_in_it() {
    assert_none(&meaningless_names(&sources()));
}

fn beyond_ascii(sources: &[Source]) -> Vec<String> {
    let find = |s: &Source| s.faults(s.product(), "is not all ASCII", |line| !line.is_ascii());
    sources.iter().filter(|s| !s.path.contains("conformance")).flat_map(find).collect()
}

#[test]
fn sources_are_ascii_so_that_what_is_seen_is_what_is_compiled() {
    assert_none(&beyond_ascii(&sources()));
}

fn bare_limits(source: &Source) -> Vec<String> {
    let lines: Vec<&str> = source.text.lines().collect();
    let is_bare = |at: &usize| {
        let is_documented = *at > 0 && lines[at - 1].starts_with("/// ");
        lines[*at].starts_with("pub const ") && !is_documented
    };
    (0..lines.len()).filter(is_bare).map(|at| source.fault(at, "has no unit and reason")).collect()
}

#[test]
fn every_limit_says_its_unit_and_reason() {
    assert_none(&bare_limits(&read("src/limits.rs")));
}

/// Sleeps in tests: in all files but the library's, and in its unit tests.
fn bare_sleeps(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources {
        let is_library = source.path.starts_with("src/");
        let first = if is_library { source.product().lines().count() } else { 0 };
        let (stripped, lines) = (code(&source.text), source.text.lines().collect::<Vec<_>>());
        let sleeps = stripped.lines().enumerate().filter(|(_, l)| l.contains("thread::sleep("));
        for (at, _) in sleeps.filter(|(at, _)| *at >= first) {
            let is_explained = at > 0 && lines[at - 1].trim_start().starts_with("//");
            if !is_explained {
                faults.push(source.fault(at, "sleeps without a reason on the line above"));
            }
        }
    }
    faults
}

#[test]
fn no_test_sleeps_without_saying_why() {
    assert_none(&bare_sleeps(&rust()));
}

// ---- SQL ----------------------------------------------------------------------------------------

const VERBS: [(&str, &str); 4] =
    [("SELECT", "FROM"), ("INSERT", "INTO"), ("UPDATE", "SET"), ("DELETE", "FROM")];

/// Returns whether a text has a statement, its second word within reach of its first.
fn has_sql(text: &str) -> bool {
    let found: Vec<&str> = words(text).collect();
    let follows = |at: usize, word: &str| found[at..].iter().take(40).any(|next| *next == word);
    let begins =
        |at: usize, (verb, partner): &(&str, &str)| found[at] == *verb && follows(at, partner);
    (0..found.len()).any(|at| VERBS.iter().any(|pair| begins(at, pair)))
}

fn misplaced_sql(sources: &[Source]) -> Vec<String> {
    let backends = ["src/storage/sqlite/", "src/storage/postgres/"];
    let elsewhere = sources.iter().filter(|s| !backends.iter().any(|it| s.path.starts_with(it)));
    let with_sql = elsewhere.filter(|source| has_sql(&strip(source.product(), true)));
    let what = "holds SQL, which stands in migrations and in the folders of the backends only";
    with_sql.map(|source| source.fault(0, what)).collect()
}

#[test]
fn sql_stands_in_migrations_and_in_the_storage_only() {
    assert_none(&misplaced_sql(&library()));
}

// ---- Documents ----------------------------------------------------------------------------------

fn documents() -> Vec<Source> {
    let mut all = files(&["docs", "clients", "examples"], &[".md"]);
    let front = ["README", "ARCHITECTURE", "CHANGELOG", "CONTRIBUTING", "SECURITY"];
    all.extend(front.map(|name| read(&format!("{name}.md"))));
    all
}

#[test]
fn the_architecture_is_read_in_one_sitting() {
    assert_none(&long_files(&[read("ARCHITECTURE.md")], ARCHITECTURE_LINES_MAX));
}

/// Finds links, and paths in backticks, that lead to no file of the tree.
fn dead_paths(source: &Source) -> Vec<String> {
    let folder = Path::new(ROOT).join(&source.path).with_file_name("");
    let roots = "src/ tests/ docs/ clients/ examples/ migrations/ scripts/ include/".split(' ');
    let mut faults = Vec::new();
    for (at, line) in source.text.lines().enumerate() {
        let links = line.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        let links = links.filter(|link| !link.is_empty() && !link.contains([':', ',', '(']));
        let paths = quoted(line).filter(|path| roots.clone().any(|root| path.starts_with(root)));
        let paths = paths.filter(|path| !path.contains(['<', '{', '*', ' ']));
        let dead = links.filter(|link| !folder.join(link).exists());
        let gone = paths.filter(|path| !Path::new(ROOT).join(path).exists());
        faults.extend(dead.chain(gone).map(|it| source.fault(at, &format!("{it} is not there"))));
    }
    faults
}

#[test]
fn every_path_in_the_documents_leads_somewhere() {
    assert_none(&documents().iter().flat_map(dead_paths).collect::<Vec<_>>());
}

/// Finds names that a document must explain and does not.
fn unexplained(document: &Source, names: &[String]) -> Vec<String> {
    assert!(!names.is_empty(), "nothing to explain in {}", document.path);
    let missing = names.iter().filter(|name| !quoted(&document.text).any(|it| it == name.as_str()));
    missing.map(|name| document.fault(0, &format!("does not explain {name}"))).collect()
}

/// Returns the word after each occurrence of `before`, up to anything that belongs to no name.
fn names_after(text: &str, before: &str) -> Vec<String> {
    let rests = text.match_indices(before).map(|(at, _)| &text[at + before.len()..]);
    let is_end = |character: char| !is_word(character) && character != '-';
    rests.filter_map(|rest| rest.split(is_end).next()).map(str::to_owned).collect()
}

#[test]
fn the_page_of_the_schema_has_every_table_and_index() {
    let sql: String = files(&["migrations"], &[".sql"]).into_iter().map(|file| file.text).collect();
    let sql = sql.replace("$schema.", "");
    let names = ["CREATE TABLE ", "CREATE INDEX ", "CREATE UNIQUE INDEX "];
    let names = names.map(|before| names_after(&sql, before)).concat();
    assert_none(&unexplained(&read("docs/SCHEMA.md"), &names));
}

#[test]
fn the_architecture_has_a_reason_for_every_dependency() {
    let manifest = read("Cargo.toml").text;
    let tables = manifest.split("\n[").filter(|table| {
        table.split(']').next().is_some_and(|heading| heading.ends_with("dependencies"))
    });
    let lines = tables.flat_map(|table| table.lines().skip(1));
    let names = lines.filter_map(|line| Some(line.split_once(" = ")?.0.to_owned()));
    assert_none(&unexplained(&read("ARCHITECTURE.md"), &names.collect::<Vec<_>>()));
}

/// Finds tests that the architecture names as guards of an invariant, and that are not there.
fn missing_guards(document: &Source, tests: &BTreeSet<String>) -> Vec<String> {
    let mut faults = Vec::new();
    for (at, line) in document.text.lines().enumerate().filter(|(_, line)| line.starts_with('|')) {
        let names = quoted(line).filter(|name| name.matches('_').count() > 2);
        let sentences = names.filter(|name| name.chars().all(|c| is_word(c) && !c.is_uppercase()));
        let missing = sentences.filter(|name| !tests.contains(*name));
        faults.extend(missing.map(|name| document.fault(at, &format!("no test is called {name}"))));
    }
    faults
}

#[test]
fn every_test_that_guards_an_invariant_is_there() {
    let all = files(&["src", "tests"], &[".rs", ".c"]);
    let named = |at: &str| all.iter().flat_map(|s| names_after(&s.text, at)).collect::<Vec<_>>();
    let tests = named("fn ").into_iter().chain(named("TEST(")).collect();
    assert_none(&missing_guards(&read("ARCHITECTURE.md"), &tests));
}

/// Each rule on a bad sample: a rule that cannot fail is no rule.
#[cfg(test)]
mod samples {
    use super::*;

    /// Asks a rule to find exactly one fault in a bad sample, on the given line.
    #[track_caller]
    fn assert_finds(faults: &[String], line: usize) {
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].contains(&format!(":{line}: ")), "{faults:?}");
    }

    #[test]
    fn an_upward_arrow_is_found_in_any_form() {
        let find = |path: &str, text: &str| upward_arrows(&[Source::new(path, text)]);
        assert_finds(&find("src/domain/run.rs", "\nuse crate::storage::sqlite;"), 2);
        assert_finds(
            &find("src/storage/sqlite/run.rs", "use crate::{id::{self, Id}, handles};"),
            1,
        );
        assert_finds(&find("src/storage/sqlite/run.rs", "fn f() { crate::handles::g() }"), 1);
        assert_finds(&find("src/ffi/run.rs", "use crate::storage::sqlite;"), 1);
        assert_finds(&find("src/error.rs", "use crate::domain::run;"), 1);
        assert_finds(&find("src/domain/run.rs", "use super::super::store::Store;"), 1);
        assert_none(&find(
            "src/domain/run.rs",
            "use crate::{error::Error, id, domain::{step, run}};",
        ));
        assert_none(&find(
            "src/domain/run.rs",
            "// crate::storage\nconst A: &str = \"crate::ffi\";",
        ));
    }

    #[test]
    fn a_stranger_on_a_floor_is_found() {
        let find = |path: &str, text: &str| strange_names(&[Source::new(path, text)]);
        assert_finds(&find("src/domain/run.rs", "use std::time::Instant;"), 1);
        assert_finds(&find("src/domain/run.rs", "\nfn f() { std::thread::park() }"), 2);
        assert_finds(&find("src/handles/store.rs", "use rusqlite::Connection;"), 1);
        assert_none(&find("src/domain/run.rs", "/// An Instant.\nstruct Instantly;"));
    }

    #[test]
    fn an_export_without_test_or_changelog_is_found() {
        let export = "#[unsafe(no_mangle)]\npub unsafe extern \"C\" fn sw_a(x: u32) {}\n";
        let find = |c: &str, changelog: &str| {
            let c = [Source::new("tests/c/a.c", c)];
            careless_exports(&[Source::new("src/ffi/a.rs", export)], &c, changelog)
        };
        assert_none(&find("sw_a(1);", "- `sw_a`"));
        assert_finds(&find("/* sw_a(1) */ sw_a_b(1); f(sw_a);", "- `sw_a`"), 1);
        assert_finds(&find("sw_a(1);", "- `sw_ab`"), 1);
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_do_not_count() {
        let find = |text: &str| long_files(&[Source::new("src/a.rs", text)], 3);
        assert_finds(&find("a\nb\nc\nd\n"), 4);
        assert_none(&find("a\nb\nc\n#[cfg(test)]\nd\n"));
    }

    #[test]
    fn every_mark_of_unfinished_work_is_found() {
        for mark in UNFINISHED {
            let text = format!("fn f() {{}}\n/* {}: later */\n", mark.replace('-', ""));
            assert_finds(&unfinished(&[Source::new("src/a.c", &text)]), 2);
        }
        assert_none(&unfinished(&[Source::new("a.sh", "mktemp /tmp/a.XXXXXX")]));
    }

    #[test]
    fn unsafe_code_elsewhere_is_found() {
        let text = "#![forbid(unsafe_code)]\n// unsafe\nfn f() { unsafe { g() } }";
        assert_finds(&misplaced_unsafe(&[Source::new("src/handles/store.rs", text)]), 3);
        assert_none(&misplaced_unsafe(&[Source::new("src/ffi/store.rs", text)]));
    }

    #[test]
    fn a_name_that_says_nothing_is_found() {
        assert_finds(&meaningless_names(&[Source::new("src/ffi/types.rs", "")]), 1);
        assert_finds(&meaningless_names(&[Source::new("src/utils/id.rs", "")]), 1);
        assert_none(&meaningless_names(&[Source::new("src/ffi/subtypes.rs", "")]));
    }

    #[test]
    fn a_character_beyond_ascii_is_found() {
        assert_finds(&beyond_ascii(&[Source::new("src/a.rs", "a\n// \u{202e}b\n")]), 2);
    }

    #[test]
    fn a_limit_without_words_is_found() {
        let text = "/// Bytes in a name.\npub const A: usize = 1;\n\npub const B: usize = 2;\n";
        assert_finds(&bare_limits(&Source::new("src/limits.rs", text)), 4);
    }

    #[test]
    fn a_sleep_without_a_reason_is_found() {
        let bare = "fn f() {\n    std::thread::sleep(SECOND);\n}\n";
        let told = "fn f() {\n    // Polls.\n    std::thread::sleep(SECOND);\n}\n";
        assert_finds(&bare_sleeps(&[Source::new("tests/a.rs", bare)]), 2);
        assert_none(&bare_sleeps(&[
            Source::new("tests/a.rs", told),
            Source::new("src/a.rs", bare),
        ]));
        let unit = format!("fn g() {{}}\n#[cfg(test)]\nmod tests {{\n{bare}}}\n");
        assert_finds(&bare_sleeps(&[Source::new("src/a.rs", &unit)]), 5);
    }

    #[test]
    fn sql_elsewhere_is_found() {
        let find = |text: &str| misplaced_sql(&[Source::new("src/handles/store.rs", text)]);
        assert_finds(&find("const A: &str = \"\nSELECT a\nFROM b\";"), 1);
        assert_finds(&find("const A: &str = \"UPDATE a SET b = 1\";"), 1);
        assert_none(&find("// SELECT a FROM b\nconst A: &str = \"select from\";"));
        assert_none(&find("fn f() {}\n#[cfg(test)]\nconst A: &str = \"SELECT a FROM b\";"));
    }

    #[test]
    fn a_statement_outside_its_list_is_found() {
        let index = Source::new("src/storage/sqlite/mod.rs", "run::STATEMENTS");
        let list = "pub(super) const STATEMENTS: &[&str] = &[A];\n";
        let text =
            format!("const A: &str = \"\nSELECT 1\";\nconst B: &str = \"DELETE FROM a\";\n{list}");
        let source = Source::new("src/storage/sqlite/run.rs", &text);
        assert_finds(&statements::unlisted(&source, &index), 3);
        let source = Source::new("src/storage/sqlite/new.rs", "const A: &str = \"SELECT 1\";");
        assert_eq!(statements::unlisted(&source, &index).len(), 2);
    }

    #[test]
    fn a_path_that_leads_nowhere_is_found() {
        let find = |text: &str| dead_paths(&Source::new("docs/A.md", text));
        assert_finds(&find("a\nsee [b](NOWHERE.md#b)"), 2);
        assert_finds(&find("see `src/nowhere.rs`"), 1);
        assert_none(&find(
            "[a](../README.md), [b](https://example.org), `src/lib.rs`, `src/<topic>.rs`",
        ));
    }

    #[test]
    fn a_name_that_a_document_leaves_out_is_found() {
        let names = names_after("pub const SW_A: i32 = 0;\npub const SW_B: i32 = 1;", "pub const ");
        assert_eq!(names, ["SW_A", "SW_B"]);
        assert_finds(
            &unexplained(&Source::new("docs/A.md", "`SW_A` is fine, SW_B is bare"), &names),
            1,
        );
    }

    #[test]
    fn a_guard_that_is_not_there_is_found() {
        let tests = BTreeSet::from(["a_lock_is_free_again".to_owned()]);
        let text = "| x | `a_lock_is_free_again` |\n| y | `a_lock_is_never_free` |\n";
        assert_finds(&missing_guards(&Source::new("ARCHITECTURE.md", text), &tests), 2);
    }
}
