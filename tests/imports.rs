//! What the files of the library import. No two of them import each other, by however many others between them: whoever reads
//! one reads what lies below it, and comes to an end. Paths are followed through `pub use` to the file
//! that has the name; a `pub use` itself is a window and no import.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

type Module = Vec<String>;

/// What a file names: its re-exports by name, and every path that it uses.
#[derive(Default)]
struct File {
    windows: BTreeMap<String, Module>,
    imports: BTreeMap<String, Module>,
    paths: BTreeSet<Module>,
}

type Files = BTreeMap<Module, File>;

fn read(folder: &Path, module: &Module, files: &mut Files) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            if name != "conformance" {
                read(&entry.path(), &inside(module, &name), files);
            }
            continue;
        }
        let Some(stem) = name.strip_suffix(".rs").filter(|stem| !stem.ends_with("_tests")) else {
            continue;
        };
        let is_root = stem == "mod" || stem == "lib";
        let of = if is_root { module.clone() } else { inside(module, stem) };
        files.insert(of, file(&fs::read_to_string(entry.path()).unwrap()));
    }
}

fn inside(module: &Module, name: &str) -> Module {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

fn file(text: &str) -> File {
    let tests =
        text.match_indices("\n#[cfg(test)]\n").map(|(at, mark)| (at, &text[at + mark.len()..]));
    let mut tests = tests.filter(|(_, item)| item.lines().next().unwrap().ends_with("mod tests {"));
    let product = tests.next().map_or(text, |(at, _)| &text[..at]);
    let code: Vec<&str> = product.lines().map(|line| line.split("//").next().unwrap()).collect();
    let mut code = code.join("\n");
    let mut file = File::default();
    // Taken out one after the other, so that what is left holds paths in bodies alone.
    while let Some((start, end)) = next_use(&code) {
        let statement = code[start..end].to_owned();
        let is_of_tests = code[..start].trim_end().ends_with("#[cfg(test)]");
        let is_window = statement.starts_with("pub");
        code.replace_range(start..=end, " ");
        let tree = statement.split_once("use ").map_or("", |(_, tree)| tree);
        let mut leaves = Vec::new();
        expand(tree, &[], &mut leaves);
        for (path, alias) in leaves.into_iter().filter(|_| !is_of_tests) {
            if is_window {
                file.windows.insert(alias.clone(), path.clone());
            } else {
                file.paths.insert(path.clone());
            }
            file.imports.insert(alias, path);
        }
    }
    // Who may see something imports nothing.
    while let Some(start) = code.find("pub(in ") {
        let end = code[start..].find(')').map_or(code.len(), |end| start + end);
        code.replace_range(start..end, "pub");
    }
    for path in code.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')) {
        let parts: Module = path.split("::").filter(|p| !p.is_empty()).map(str::to_owned).collect();
        if parts.len() > 1 {
            file.paths.insert(parts);
        }
    }
    file
}

/// Returns where the next `use` begins, with its `pub`, and where its semicolon stands.
fn next_use(code: &str) -> Option<(usize, usize)> {
    let is_start =
        |at: &usize| code[..*at].trim_end_matches([' ', '\t']).ends_with('\n') || *at == 0;
    let starts = ["use ", "pub use ", "pub(crate) use ", "pub(super) use "];
    let found = |start: &str| code.match_indices(start).map(|(at, _)| at).find(is_start);
    let start = starts.iter().filter_map(|start| found(start)).min()?;
    Some((start, start + code[start..].find(';')?))
}

/// Writes a tree of imports out: each path, and the name it has here.
fn expand(tree: &str, prefix: &[String], leaves: &mut Vec<(Module, String)>) {
    let tree = tree.trim();
    let Some((head, group)) = tree.split_once('{') else {
        let (path, alias) = tree.split_once(" as ").map_or((tree, None), |(p, a)| (p, Some(a)));
        let parts = path.split("::").map(|part| part.trim().to_owned());
        let mut path: Module = prefix.iter().cloned().chain(parts).collect();
        path.retain(|part| !part.is_empty());
        if path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let name = alias.map_or_else(|| path.last().cloned().unwrap_or_default(), str::to_owned);
        return leaves.push((path, name.trim().to_owned()));
    };
    let head = head.split("::").map(str::trim).filter(|part| !part.is_empty());
    let prefix: Module = prefix.iter().cloned().chain(head.map(str::to_owned)).collect();
    let (mut depth, mut from) = (0, 0);
    let group = group.trim_end().strip_suffix('}').unwrap_or(group);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&group[from..at], &prefix, leaves);
                from = at + 1;
            }
            _ => {}
        }
    }
    if !group[from..].trim().is_empty() {
        expand(&group[from..], &prefix, leaves);
    }
}

/// Returns the file that a path means as it stands in `module`; `None` for what is not ours.
fn resolve(files: &Files, module: &Module, path: &[String], depth: usize) -> Option<Module> {
    let first = path.first()?;
    let (mut at, mut rest) = match first.as_str() {
        "crate" => (Module::new(), &path[1..]),
        "self" => (module.clone(), &path[1..]),
        "super" => {
            let ups = path.iter().take_while(|part| *part == "super").count();
            (module[..module.len().checked_sub(ups)?].to_vec(), &path[ups..])
        }
        name if files.contains_key(&inside(module, name)) => (module.clone(), path),
        name => {
            let import = files.get(module)?.imports.get(name).filter(|_| depth < 20)?;
            let path: Module = import.iter().cloned().chain(path[1..].iter().cloned()).collect();
            return resolve(files, module, &path, depth + 1);
        }
    };
    while let Some(name) = rest.first() {
        let below = inside(&at, name);
        if files.contains_key(&below) {
            (at, rest) = (below, &rest[1..]);
        } else if let Some(window) = files.get(&at)?.windows.get(name).filter(|_| depth < 20) {
            let path: Module = window.iter().cloned().chain(rest[1..].iter().cloned()).collect();
            return resolve(files, &at, &path, depth + 1);
        } else {
            break;
        }
    }
    files.contains_key(&at).then_some(at)
}

fn arrows(files: &Files) -> BTreeMap<&Module, BTreeSet<Module>> {
    let of = |(module, file): (_, &File)| {
        let all = file.paths.iter().filter_map(|path| resolve(files, module, path, 0));
        (module, all.filter(|to| to != module).collect())
    };
    files.iter().map(of).collect()
}

/// Returns each file that comes back to itself, with the way.
fn loops(files: &Files) -> Vec<String> {
    let arrows = arrows(files);
    let mut found = Vec::new();
    for start in files.keys() {
        let mut ways: Vec<Vec<&Module>> = vec![vec![start]];
        let mut seen = BTreeSet::new();
        while let Some(way) = ways.pop() {
            for to in arrows[way[way.len() - 1]].iter() {
                if to == start {
                    let way: Vec<String> = way.iter().map(|module| module.join("::")).collect();
                    found.push(way.join(" -> "));
                    ways.clear();
                    break;
                }
                if seen.insert(to) {
                    ways.push(way.iter().copied().chain([to]).collect());
                }
            }
        }
    }
    found
}

/// Returns the files above the storage that name what is within it: only what `src/storage/mod.rs` lists
/// may be named, so that a second backend changes nothing above. One tells which SQLite is built in.
fn names_within_storage(files: &Files) -> Vec<String> {
    let is_within = |path: &Module| path.windows(2).any(|pair| pair == ["storage", "sqlite"]);
    let is_above = |module: &Module| !matches!(module.first(), Some(floor) if floor == "storage");
    let above =
        files.iter().filter(|(module, _)| is_above(module) && **module != ["ffi", "version"]);
    let faults = above.filter(|(_, file)| file.paths.iter().any(is_within));
    faults.map(|(module, _)| module.join("::")).collect()
}

fn library() -> Files {
    let mut files = Files::new();
    read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &Module::new(), &mut files);
    files
}

#[test]
fn nobody_above_the_storage_names_what_is_within_it() {
    let names = names_within_storage(&library());
    assert!(names.is_empty(), "{}", names.join("\n"));
}

/// The claims of the conformance run on every backend, so they name none but where its beds are made.
fn backends_named(text: &str) -> Vec<&str> {
    let is_factory = |line: &&str| line.starts_with("every_claim!(");
    text.lines().filter(|line| line.contains("sqlite") && !is_factory(line)).collect()
}

#[test]
fn the_claims_name_no_backend() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/storage/conformance");
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let text = fs::read_to_string(entry.path()).unwrap();
        assert!(backends_named(&text).is_empty(), "{entry:?}: {:?}", backends_named(&text));
    }
    assert_eq!(
        backends_named("use rusqlite::Connection;\n// a\nSELECT FROM sqlite_schema").len(),
        2
    );
    assert!(backends_named("every_claim!(a, crate::storage::sqlite::bed_tests::a);").is_empty());
}

#[test]
fn no_two_files_import_each_other() {
    let files = library();
    assert!(files.len() > 100, "only {} files were found", files.len());
    let count: usize = arrows(&files).values().map(BTreeSet::len).sum();
    assert!(count > 400, "only {count} imports were found");
    let loops = loops(&files);
    assert!(loops.is_empty(), "{}", loops.join("\n"));
}

#[test]
fn a_name_within_the_storage_is_found_above_it() {
    let find = |name: &str, text: &str| {
        let module: Module = name.split("::").map(str::to_owned).collect();
        names_within_storage(&Files::from([(module, file(text))])).len()
    };
    assert_eq!(find("handles::store", "use crate::storage::sqlite::tx::Tx;\n"), 1);
    assert_eq!(find("handles::step", "fn f(tx: &mut crate::storage::sqlite::tx::Tx) {}\n"), 1);
    assert_eq!(find("handles::store", "use crate::storage::{Backend, open};\n"), 0);
    assert_eq!(find("storage::conformance", "use crate::storage::sqlite::tx::Tx;\n"), 0);
}

/// A rule that cannot fail is no rule.
#[test]
fn a_loop_is_found_in_any_form() {
    let tree = |sources: &[(&str, &str)]| -> Files {
        let module = |name: &str| name.split("::").map(str::to_owned).collect();
        sources.iter().map(|(name, text)| (module(name), file(text))).collect()
    };
    for (a, b) in [
        ("use crate::b::B;\n", "use super::a::A;\n"),
        ("use crate::{b::{self, B}, c};\n", "fn f() { crate::a::g() }\n"),
        ("fn f() { super::b::g() }\n", "use crate::a;\nfn f() { a::g() }\n"),
        ("use crate::c::B;\n", "use crate::a::A as Other;\n"),
    ] {
        let c = "pub use super::b::B;\n";
        assert_eq!(loops(&tree(&[("a", a), ("b", b), ("c", c)])).len(), 2, "{a}{b}");
    }
    let good = tree(&[
        ("a", "use crate::b::B;\n// use crate::c::C;\n"),
        (
            "b",
            "use std::fmt;\n#[cfg(test)]\nuse crate::a::A;\n#[cfg(test)]\nmod tests {\nuse crate::a::A; }\n",
        ),
        ("c", "use crate::a;\n"),
    ]);
    assert!(loops(&good).is_empty());
}
