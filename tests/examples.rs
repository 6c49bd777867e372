//! The example programs in C and C++ that have a transcript in `examples/expected/`: each prints it,
//! line for line. The quickstart is run by `tests/install.rs`, from what was installed.

use std::fs;
use std::path::Path;
use std::process::Command;

#[path = "support/native.rs"]
mod native;

use native::{all_said, has, link_library, output, root, said, strict};

/// The programs that C and C++ have, beside the quickstart.
const PROGRAMS: [&str; 5] = ["agent", "approval", "budget", "fanout", "transfer"];

struct Language {
    folder: &'static str,
    extension: &'static str,
    compiler: (&'static str, &'static str),
    flags: &'static [&'static str],
}

const C: Language = Language {
    folder: "examples/c",
    extension: "c",
    compiler: ("CC", "cc"),
    flags: &["-std=gnu11", "-Wall", "-Wextra", "-Wpedantic"],
};
const CPP: Language = Language {
    folder: "examples/cpp",
    extension: "cpp",
    compiler: ("CXX", "c++"),
    flags: &["-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion"],
};

/// Builds and runs a program, and compares what it prints with its transcript.
fn play(language: &Language, program: &str) {
    play_mode(language, program, &[], expected(program).trim_end());
}

/// Builds and runs a program, and compares what it prints; lines that begin with `# ` are measured.
fn play_mode(language: &Language, program: &str, mode: &[&str], transcript: &str) {
    let source = root(language.folder).join(program).with_extension(language.extension);
    let (variable, usual) = language.compiler;
    let compiler = std::env::var(variable).unwrap_or_else(|_| usual.into());
    if !has(&compiler) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let built = folder.path().join(program);
    said(
        Command::new(&compiler)
            .args(language.flags)
            .args(strict(&compiler))
            .args(["-O1", "-g", "-pthread", "-I"])
            .arg(root("include"))
            .arg(&source)
            .arg("-o")
            .arg(&built)
            .args(link_library(folder.path())),
    );
    let mut command = Command::new(&built);
    command.arg(native::store(folder.path())).args(mode).env_remove("LD_LIBRARY_PATH");
    let end = output(&mut command);
    assert!(end.status.success(), "{}: {}\n{}", source.display(), end.status, all_said(&end));
    let printed = String::from_utf8_lossy(&end.stdout);
    let lines: Vec<_> = printed.lines().filter(|line| !line.starts_with("# ")).collect();
    assert_eq!(lines.join("\n"), transcript, "{}", source.display());
}

fn expected(program: &str) -> String {
    let path = root("examples/expected").join(program).with_extension("txt");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_transcript_is_of_a_program_run_here() {
    let names = native::files("examples/expected", "txt");
    let names: Vec<_> = names.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
    // The one in all languages at once is played by scripts/polyglot.sh, `steps` by scripts/other.sh.
    assert_eq!(
        names,
        [&PROGRAMS[..4], &["polyglot", "quickstart", "steps"], &PROGRAMS[4..]].concat()
    );
    let quickstart = Path::new("quickstart");
    for language in [&C, &CPP] {
        let source = root(language.folder).join(quickstart).with_extension(language.extension);
        assert!(source.exists(), "{} has no quickstart", language.folder);
    }
}

#[test]
fn agent_in_c() {
    play(&C, "agent");
}

#[test]
fn agent_in_cpp() {
    play(&CPP, "agent");
}

#[test]
fn approval_in_c() {
    play(&C, "approval");
}

#[test]
fn approval_in_cpp() {
    play(&CPP, "approval");
}

#[test]
fn budget_in_c() {
    play(&C, "budget");
}

/// Kills take nothing from the limit: what a killed process held is charged.
#[test]
fn budget_in_c_with_kills_in_between() {
    let transcript = expected("budget");
    let (first, rest) = transcript.split_once('\n').expect("several lines");
    let killed = "4 of 8 workers were killed and begun anew";
    let transcript = format!("{first}\n{killed}\n{}", rest.trim_end());
    play_mode(&C, "budget", &["kills"], &transcript);
}

#[test]
fn budget_in_cpp() {
    play(&CPP, "budget");
}

#[test]
fn fanout_in_c() {
    play(&C, "fanout");
}

#[test]
fn fanout_in_cpp() {
    play(&CPP, "fanout");
}

#[test]
fn transfer_in_c() {
    play(&C, "transfer");
}

/// P37: a hundred kills lose no transfer, do none twice and leave no half of one.
#[test]
fn transfer_in_c_with_a_hundred_kills() {
    play_mode(&C, "transfer", &["kills", "100"], expected("transfer").trim_end());
}

#[test]
fn transfer_in_cpp() {
    play(&CPP, "transfer");
}

#[test]
fn transfer_in_cpp_with_kills_in_between() {
    play_mode(&CPP, "transfer", &["kills", "20"], expected("transfer").trim_end());
}
