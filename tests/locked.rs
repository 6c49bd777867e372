//! What the checks install is locked whole: nothing is resolved when they run, so that a release by
//! somebody else tomorrow changes nothing here. How the locks are renewed stands in CONTRIBUTING.md.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

#[path = "support/native.rs"]
mod native;

use native::{files, root};

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[track_caller]
fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

// ---- Lock files ---------------------------------------------------------------------------------

/// Returns what a file of requirements asks for, comments and markers left out: name and version.
fn asked(requirements: &str) -> BTreeMap<String, String> {
    let lines = requirements.lines().filter(|line| line.starts_with(char::is_alphanumeric));
    let pinned = lines.map(|line| line.split_once("==").unwrap_or((line, "any")));
    let version = |rest: &str| rest.split([' ', ';', '\\']).next().unwrap_or_default().to_owned();
    pinned.map(|(name, rest)| (name.replace('_', "-"), version(rest))).collect()
}

/// Finds packages of a lock without a version, or without a hash on the lines that follow.
fn without_hash(lock: &str) -> Vec<String> {
    let joined = lock.replace("\\\n", " ");
    let packages = joined.lines().filter(|line| line.starts_with(char::is_alphanumeric));
    let loose = packages.filter(|line| !line.contains("==") || !line.contains("--hash=sha256:"));
    loose.map(|line| format!("not locked: {line}")).collect()
}

#[test]
fn every_package_from_pypi_is_locked_with_its_dependencies_and_hashes() {
    for wanted in ["requirements", "benches/peers"].iter().flat_map(|it| files(it, "in")) {
        let lock = read(&wanted.with_extension("txt"));
        assert_none(&without_hash(&lock));
        let locked = asked(&lock);
        for (name, version) in asked(&read(&wanted)) {
            let how = "run scripts/lock.sh";
            assert_eq!(locked.get(&name), Some(&version), "{name} of {}; {how}", wanted.display());
        }
    }
}

/// The folders in which the checks install packages of npm.
const NPM: [&str; 3] = ["clients/node", "examples/node", "benches/peers"];

/// Finds packages of npm's lock that no hash is given for; a folder of this tree has none.
fn without_integrity(lock: &str) -> Vec<String> {
    let lock: serde_json::Value = serde_json::from_str(lock).unwrap();
    let is_ours = |path: &str| path.is_empty() || path == "../../clients/node";
    let packages = lock["packages"].as_object().unwrap().iter().filter(|(path, _)| !is_ours(path));
    let is_hashed = |package: &serde_json::Value| {
        package["integrity"].as_str().is_some_and(|it| it.starts_with("sha512-"))
    };
    packages
        .filter(|(_, it)| it["link"] != true && !is_hashed(it))
        .map(|(path, _)| path.to_owned())
        .collect()
}

#[test]
fn every_package_from_npm_is_locked_with_its_hash() {
    for folder in NPM {
        assert_none(&without_integrity(&read(&root(folder).join("package-lock.json"))));
    }
}

// ---- Commands -----------------------------------------------------------------------------------

/// Words that call something which may resolve, words one of which its line must then have as well,
/// each of them, and what to write.
const RULES: [(&str, &[&str], &str); 10] = [
    (
        "pip install",
        &["--require-hashes", "--no-deps"],
        "a lock file with hashes, without a look at dependencies",
    ),
    ("cargo install", &["--locked", "@"], "--locked and an exact version"),
    ("npm install", &["never"], "npm ci"),
    ("npm update", &["never"], "npm ci"),
    ("npm exec", &["never"], "npx --no-install"),
    ("npx", &["--no-install"], "npx --no-install"),
    ("go get", &["never"], "what go.sum has"),
    ("go install", &["never"], "what go.sum has"),
    ("curl", &["never"], "a package manager with a lock"),
    ("wget", &["never"], "a package manager with a lock"),
];
const CARGO: [&str; 8] =
    ["build", "test", "clippy", "bench", "run", "cinstall", "rustc", "library"];

/// Returns the commands of a shell script, Makefile or Rust test, one a line: continued lines are
/// joined, comments left out, quotes and separators become blanks.
fn commands(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().filter(|line| !line.trim_start().starts_with(['#', '/', '*']));
    let plain = |line: &str| line.replace(['"', '\'', ',', '(', ')', '[', ']', '&'], " ");
    lines.map(|line| plain(line).split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// Returns whether the words stand in the line, as words.
fn calls(line: &str, words: &str) -> bool {
    let padded = format!(" {line} ").replace("/pip ", " pip ").replace(".pip ", " pip ");
    padded.contains(&format!(" {words} "))
}

/// Finds commands that choose versions when they run.
fn resolving(path: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for line in commands(text) {
        for (words, wanted, instead) in RULES {
            if calls(&line, words) && !wanted.iter().all(|it| line.contains(it)) {
                faults.push(format!("{path}: `{line}`: write {instead}"));
            }
        }
        let cargo = ["cargo", "$ CARGO", "${CARGO:-cargo}"]
            .into_iter()
            .flat_map(|cargo| CARGO.map(|verb| format!("{cargo} {verb}")));
        let is_asked = !line.contains("--version");
        if is_asked && cargo.into_iter().any(|it| calls(&line, &it)) && !line.contains("--locked") {
            faults.push(format!("{path}: `{line}`: write --locked"));
        }
    }
    let lines = commands(text);
    let calls_go = ["go build", "go test", "go vet"];
    let calls_go = lines.iter().any(|line| calls_go.iter().any(|it| calls(line, it)));
    if calls_go && !(text.contains("GOTOOLCHAIN=local") && text.contains("-mod=readonly")) {
        faults.push(format!("{path}: go may fetch another go, or change go.mod"));
    }
    faults
}

#[test]
fn no_check_chooses_versions_when_it_runs() {
    let mut all = files("scripts", "sh");
    all.extend(files("tests", "rs").into_iter().filter(|path| !path.ends_with("locked.rs")));
    all.extend(files("tests/support", "rs"));
    all.extend(files("benches/peers", "sh"));
    all.extend(["Makefile", ".ci/run"].map(root));
    all.extend(NPM.map(|folder| root(folder).join("package.json")));
    let of = |path: &std::path::PathBuf| resolving(&path.display().to_string(), &read(path));
    assert_none(&all.iter().flat_map(of).collect::<Vec<_>>());
}

/// Each rule on a bad sample: a rule that cannot fail is no rule.
mod samples {
    use super::*;

    #[test]
    fn a_package_without_version_or_hash_is_found() {
        let hash = "--hash=sha256:00";
        assert_eq!(without_hash(&format!("a==1 \\\n    {hash}\n# b\n")), Vec::<String>::new());
        assert_eq!(without_hash(&format!("a>=1 {hash}\nb==2\nc==3 {hash}\n")).len(), 2);
        let lock = r#"{"packages": {"": {}, "node_modules/a": {"integrity": "sha512-x"},
            "../../clients/node": {"version": "1"}, "node_modules/b": {"version": "1"}}}"#;
        assert_eq!(without_integrity(lock), ["node_modules/b"]);
        let line = "a_b==1.2 ; python_full_version < '3.11'";
        assert_eq!(asked(line), [("a-b".to_owned(), "1.2".to_owned())].into());
    }

    #[test]
    fn a_command_that_resolves_is_found() {
        for bad in [
            "\"$venv/bin/pip\" install --quiet cffi",
            "python3 -m pip install -r requirements.txt --require-hashes",
            ".args([\"-m\", \"pip\", \"install\", \"-q\", \"cffi\"])",
            "cargo install --locked cargo-c",
            "cargo install cargo-c@1.2.3",
            "cd clients/node && npm install",
            "npx tsc",
            "go get example.org/x",
            "curl -O https://example.org/x",
            "$(CARGO) build --release",
            "$(CARGO) library",
            "\"${CARGO:-cargo}\" build --quiet",
            "cargo cinstall --prefix x",
            "export GOFLAGS=-mod=readonly; go test ./...",
        ] {
            assert_eq!(resolving("a", bad).len(), 1, "{bad}: {:?}", resolving("a", bad));
        }
    }

    #[test]
    fn a_command_that_installs_what_is_locked_is_none() {
        for good in [
            "\"$venv/bin/pip\" install --no-deps \\\n    --require-hashes -r requirements/checks.txt",
            "cargo install --quiet --locked \"cargo-c@$CARGO_C\"",
            "npm ci --silent",
            "npx --no-install tsc",
            "# npm install is not for checks",
            "$(CARGO) test --locked",
        ] {
            assert_eq!(resolving("a", good), Vec::<String>::new());
        }
    }
}
