//! What can be said of the packages without building them, in seconds: scripts that the shell can read,
//! one version, and a gate that finds each fault it is there for.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::Path;
use std::process::Command;

#[path = "support/native.rs"]
mod native;

use native::{all_said, files, has, output, root, said};

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[test]
fn the_shell_can_read_every_script() {
    for folder in ["scripts", "scripts/packages"] {
        for script in files(folder, "sh") {
            said(Command::new("bash").arg("-n").arg(script));
        }
    }
}

/// Returns the versions of files that a page names, as in `smolwf-1.2.3-x86_64-linux-gnu.tar.gz`.
fn versions(page: &str) -> Vec<&str> {
    let is_version = |word: &&str| {
        let mut numbers = word.split('.');
        word.starts_with(|it: char| it.is_ascii_digit())
            && numbers.clone().count() == 3
            && numbers.all(|it| it.bytes().all(|it| it.is_ascii_digit()))
    };
    let lines = page.lines().filter(|line| line.contains("smolwf"));
    lines.flat_map(|line| line.split(['-', '_', ' ', '/'])).filter(is_version).collect()
}

#[test]
fn the_page_of_packages_names_files_of_this_version() {
    let page = fs::read_to_string(root("docs/INSTALL.md")).unwrap();
    let named = versions(&page);
    assert!(!named.is_empty(), "no file is named");
    assert!(named.iter().all(|it| *it == VERSION), "{named:?}, and this is {VERSION}");
    assert_eq!(versions("apt-get install ./smolwf-tool_1.2.3_amd64.deb"), ["1.2.3"]);
}

#[test]
fn no_script_of_packages_types_the_version() {
    let mut all = files("scripts/packages", "sh");
    all.extend(["Makefile", "CMakeLists.txt", "scripts/install.sh", "smolwf.pc.in"].map(root));
    for path in all {
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            !text.contains(VERSION),
            "{} types {VERSION}: take it from Cargo.toml",
            path.display()
        );
    }
}

/// The triple of this machine, when it is one that packages are for.
const TRIPLE: &str =
    if cfg!(target_arch = "aarch64") { "aarch64-linux-gnu" } else { "x86_64-linux-gnu" };

/// Builds libraries that have every fault, beside an archive and a tool that have theirs.
fn faulty_stage(stage: &Path) {
    let (lib, bin) = (stage.join(TRIPLE).join("lib"), stage.join(TRIPLE).join("bin"));
    for folder in [&lib, &bin] {
        fs::create_dir_all(folder).unwrap();
    }
    let source = stage.join("stray.c");
    let text = "const char *stray(void) { return HERE; }\n\
        #ifdef SHARED\nint gone(void);\nint newer(void) { return gone(); }\n#endif\n\
        int main(void) { return stray()[0]; }\n";
    fs::write(&source, text).unwrap();
    let compile = |more: &[&str], made: &Path| {
        let here =
            format!("-DHERE=\"{}/src\"", root("").display().to_string().trim_end_matches('/'));
        let mut cc = Command::new("cc");
        said(
            cc.args([&here, "-fPIC", "-Wl,-z,execstack"])
                .args(more)
                .arg(&source)
                .arg("-o")
                .arg(made),
        );
    };
    let needs = ["-shared", "-DSHARED", "-Wl,--no-as-needed", "-lgcc_s", "-Wl,-soname,libother.so"];
    compile(&needs, &lib.join("libsmolwf.so"));
    compile(&needs, &lib.join("libsmolwf_pq.so"));
    compile(&["-c"], &lib.join("libsmolwf.a"));
    compile(&[], &bin.join("swctl"));
}

/// What the gate says of it, in part.
const FAULTS: [&str; 18] = [
    "the shared library shows main newer stray",
    "libsmolwf.so asks for what glibc 2.17 does not have: gone",
    "the static library lacks sw_abi_check",
    "libsmolwf.so needs libgcc_s.so.1",
    "libsmolwf.so has another soname than libsmolwf.so.0",
    "the stack of",
    "libsmolwf.so is not stripped",
    "swctl needs libraries",
    "swctl needs a loader",
    "libsmolwf.a names ",
    "libsmolwf.so names ",
    "libpq shows main newer stray",
    "libpq lacks PQbackendPID",
    "libsmolwf_pq.so asks for what glibc 2.17 does not have: gone",
    "libsmolwf_pq.so needs libgcc_s.so.1",
    "libsmolwf_pq.so has another soname than libsmolwf_pq.so",
    "libsmolwf_pq.so is not stripped",
    "libsmolwf_pq.so names ",
];

#[test]
fn the_gate_finds_every_fault_of_a_library() {
    if !has("cc") || !has("readelf") {
        return;
    }
    let stage = tempfile::tempdir().unwrap();
    faulty_stage(stage.path());
    let mut gate = Command::new(root("scripts/packages/gate.sh"));
    let output = output(gate.arg(TRIPLE).env("STAGE", stage.path()).env("SOURCE_DATE_EPOCH", "0"));
    let found = all_said(&output);
    assert!(!output.status.success(), "{found}");
    for fault in FAULTS {
        assert!(found.contains(fault), "`{fault}` is not found:\n{found}");
    }
}

#[test]
fn a_triple_that_there_is_not_is_refused_by_name() {
    let mut archives = Command::new(root("scripts/packages/archives.sh"));
    let output = output(archives.env("TRIPLES", "sparc-linux-gnu").env("SOURCE_DATE_EPOCH", "0"));
    assert!(!output.status.success());
    assert!(all_said(&output).contains("TRIPLES has 'sparc-linux-gnu'"), "{}", all_said(&output));
}
