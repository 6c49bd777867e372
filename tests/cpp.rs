//! The C++ header `include/smolwf.hpp`: it calls every function of the C header, is read by every
//! compiler, and its programs in `clients/cpp/tests/` run.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

#[path = "support/native.rs"]
mod native;
#[path = "support/schemas.rs"]
mod schemas;

use native::{all_said, code_of, has, has_word, link_library, root, said, sanitizers, strict};

/// The programs of `clients/cpp/tests`.
const PROGRAMS: [&str; 7] = ["late", "results", "soak", "sql", "throwing", "vectors", "worker"];
const STANDARDS: [&str; 3] = ["c++17", "c++20", "c++2b"];
const WARNINGS: [&str; 6] =
    ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-pthread"];

fn header() -> String {
    code_of(&fs::read_to_string(root("include/smolwf.hpp")).unwrap())
}

/// Returns what the C header has and the C++ header does not name: functions and option fields.
fn left_out(cdef: &str, hpp: &str) -> Vec<String> {
    let functions = native::functions(cdef).into_iter().map(|function| function.name);
    let options = native::structs(cdef).into_iter().filter(|it| it.name.ends_with("_options"));
    let fields = options
        .flat_map(|of| of.fields.into_iter().map(move |(_, field)| (of.name.clone(), field)));
    let fields = fields.filter(|(_, field)| field != "reserved").map(|(of, field)| {
        let set = format!("c.{field} =");
        (format!("{of}.{field}"), setter(hpp, &of).contains(&set))
    });
    let functions = functions.map(|name| {
        let is_there = has_word(hpp, &name);
        (name, is_there)
    });
    functions.chain(fields).filter(|(_, is_there)| !is_there).map(|(name, _)| name).collect()
}

/// Returns the body that fills an option struct.
fn setter<'a>(hpp: &'a str, options: &str) -> &'a str {
    let body = hpp.split_once(&format!("{options} c() ")).map_or("", |(_, body)| body);
    body.split("return c;").next().unwrap_or_default()
}

#[test]
fn every_function_and_option_of_the_c_header_is_in_the_cpp_header() {
    assert_eq!(left_out(&native::cdef(), &header()), Vec::<String>::new());
}

#[test]
fn a_function_or_option_that_the_cpp_header_lacks_is_found() {
    let cdef = native::cdef() + "int32_t sw_run_paint(sw_store *store, sw_error **err);\n";
    assert_eq!(left_out(&cdef, &header()), ["sw_run_paint"]);
    let cdef = native::cdef().replace("int32_t priority;", "int32_t priority;\n  uint32_t colour;");
    assert_eq!(left_out(&cdef, &header()), ["sw_submit_options.colour"]);
    let without = header().replace("sw_run_get(", "other(");
    assert_eq!(left_out(&native::cdef(), &without), ["sw_run_get"]);
}

/// Instantiates every method of both families, from two files of one program.
#[test]
fn the_cpp_header_is_clean_in_every_compiler_and_standard() {
    let folder = tempfile::tempdir().unwrap();
    let hpp = header();
    let names = hpp.split("class basic_").skip(1).filter_map(|rest| rest.split(" :").next());
    let classes: BTreeSet<&str> = names.collect();
    assert!(classes.contains("store") && classes.len() > 3, "{classes:?}");
    let mut text = String::from("#include <smolwf.hpp>\n#include <smolwf.hpp>\n");
    for class in classes {
        for family in ["throwing", "returning"] {
            let _ = writeln!(text, "template class smolwf::basic_{class}<smolwf::{family}>;");
        }
    }
    text += "#include <smolwf_worker.hpp>\n";
    text += "int version_number();\nint version_number() { return SW_VERSION_NUMBER; }\n";
    let (one, two) = (folder.path().join("one.cpp"), folder.path().join("two.cpp"));
    fs::write(&one, text).unwrap();
    fs::write(
        &two,
        "#include <smolwf_worker.hpp>\nint main() { return smolwf::version() == nullptr; }\n",
    )
    .unwrap();
    let link = link_library(folder.path());
    let program = folder.path().join("clean");
    for compiler in ["g++", "clang++"] {
        if !has(compiler) {
            continue;
        }
        let command = |standard: &str| {
            let mut command = Command::new(compiler);
            command.arg(format!("-std={standard}")).args(WARNINGS).args(strict(compiler));
            command.arg("-I").arg(root("include"));
            command
        };
        for standard in STANDARDS {
            said(command(standard).arg("-fsyntax-only").args([&one, &two]));
        }
        said(command("c++17").arg("-o").arg(&program).args([&one, &two]).args(&link));
        said(Command::new(&program).env_remove("LD_LIBRARY_PATH"));
    }
}

#[test]
fn every_cpp_program_is_run_here() {
    let found = native::files("clients/cpp/tests", "cpp");
    let names: Vec<_> =
        found.iter().map(|path| path.file_stem().unwrap().to_string_lossy()).collect();
    assert_eq!(names, PROGRAMS);
}

#[test]
fn the_throwing_family_works() {
    run("throwing", &[]);
}

#[test]
fn the_returning_family_works() {
    run("results", &[]);
}

#[test]
fn the_returning_family_needs_no_exceptions() {
    run("results", &["-fno-exceptions"]);
}

#[test]
fn a_call_that_comes_back_after_its_worker_harms_nothing() {
    run("late", &[]);
}

#[test]
fn tables_of_the_hosts_change_with_its_steps() {
    run("sql", &[]);
}

#[test]
fn workers_that_are_stopped_and_killed_lose_and_repeat_nothing() {
    run("soak", &[]);
}

#[test]
fn the_worker_plays_every_scenario() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(build("worker", &[], folder.path()));
    command.args(native::files("tests/vectors/worker", "json"));
    end("worker", command, folder.path());
}

/// Runs a program in a folder of its own.
fn run(program: &str, flags: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    end(program, Command::new(build(program, flags, folder.path())), folder.path());
}

/// Runs a program to its end, and holds the documents that it saw to their shapes.
fn end(program: &str, mut command: Command, folder: &Path) {
    let documents = folder.join("documents");
    command.env("TMPDIR", folder).env("SW_DOCUMENTS", &documents).env_remove("LD_LIBRARY_PATH");
    report(program, &native::output(&mut command));
    println!("{program}.cpp: {} documents have their shape", schemas::hold(&documents));
}

fn report(program: &str, output: &std::process::Output) {
    let printed = all_said(output);
    let closing = printed.lines().rev().find(|line| line.contains(" passed, ")).unwrap_or_default();
    println!("{program}.cpp: {closing}");
    let is_fine = output.status.success() && closing.ends_with(" 0 failed");
    assert!(is_fine, "{program}.cpp ended with {}\n{printed}", output.status);
}

fn build(program: &str, flags: &[&str], folder: &Path) -> PathBuf {
    let built = folder.join(program);
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
    let mut command = Command::new(&compiler);
    command.arg("-std=c++17").args(WARNINGS).args(strict(&compiler)).arg("-g").args(flags);
    command.args(sanitizers(&compiler)).arg("-I").arg(root("include")).arg("-o").arg(&built);
    let source = root("clients/cpp/tests").join(program).with_extension("cpp");
    let library = link_library(folder);
    command.arg(source).arg(documents(folder, &library)).args(library);
    said(&mut command);
    built
}

/// Builds what keeps the documents that a program sees: a library before the library, since a program may
/// have calls of its own.
fn documents(folder: &Path, library: &[OsString]) -> PathBuf {
    let built = folder.join("libkept.so");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let mut command = Command::new(compiler);
    command.args(["-shared", "-fPIC", "-o"]).arg(&built).arg(root("tests/c/documents.c"));
    said(command.arg("-I").arg(root("include")).args(library));
    built
}

// ---- Shared vectors -----------------------------------------------------------------------------

fn vectors(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(root("tests/vectors").join(name)).unwrap()).unwrap()
}

/// Writes a field for the program: hexadecimal, "." when empty, "-" when absent.
fn field(of: &Value) -> String {
    if of.is_null() {
        return "-".into();
    }
    let text = of.as_str().map_or_else(|| of.to_string(), str::to_owned);
    let hex: String = text.bytes().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    if hex.is_empty() { ".".into() } else { hex }
}

fn line(act: &str, fields: &[&Value]) -> String {
    let fields: Vec<_> = fields.iter().map(|of| field(of)).collect();
    format!("{act} {}\n", fields.join(" "))
}

fn acts_of(case: &Value) -> String {
    let mut lines = String::new();
    for (at, acts) in case["attempts"].as_array().unwrap().iter().enumerate() {
        if at > 0 {
            lines += "attempt\n";
        }
        for act in acts.as_array().unwrap() {
            let all = |keys: &[&str]| keys.iter().map(|key| &act[*key]).collect::<Vec<_>>();
            const BEGIN: [&str; 10] = [
                "begin",
                "at",
                "input",
                "answers",
                "occurrence",
                "then",
                "as",
                "result",
                "error",
                "retry_after_ms",
            ];
            lines += &if act.get("begin").is_some() {
                line("begin", &all(&BEGIN))
            } else if act.get("complete").is_some() {
                line("complete", &all(&["complete", "result", "answers"]))
            } else {
                line("advance", &all(&["advance_ms"]))
            };
        }
    }
    lines + "history\n"
}

/// Gives the lines to the program and returns the histories that it prints.
fn play(lines: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(build("vectors", &[], folder.path()));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.env_remove("LD_LIBRARY_PATH").spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(lines.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    report("vectors", &output);
    let printed = all_said(&output);
    let histories = printed.lines().filter_map(|line| line.strip_prefix("history "));
    histories.map(|history| serde_json::from_str(history).unwrap()).collect()
}

#[test]
fn the_shared_vectors_hold_in_cpp() {
    let (inputs, ids) = (vectors("inputs.json"), vectors("ids.json"));
    let (ok, invalid) = (Value::from("SW_OK"), Value::from("SW_ERR_INVALID"));
    let all = |of: &Value| of.as_array().unwrap().clone();
    let mut lines = String::new();
    for it in all(&ids["prefixes"]) {
        lines += &line("prefix", &[&it, &ok]);
    }
    for it in all(&ids["refused_prefixes"]) {
        lines += &line("prefix", &[&it, &invalid]);
    }
    for it in all(&inputs["accepted"]) {
        lines += &line("input", &[&it["input"], &ok]);
    }
    for it in all(&inputs["refused"]) {
        lines += &line("input", &[&it["input"], &it["answers"]]);
    }
    lines += "history\n";
    let cases = all(&vectors("occurrences.json")["cases"]);
    lines.extend(cases.iter().map(acts_of));
    let histories = play(&lines);
    let steps = |of: &Value| of["steps"].as_array().unwrap().clone();
    let hashes: Vec<_> =
        steps(&histories[0]).iter().map(|step| step["input_hash"].clone()).collect();
    let expected: Vec<_> =
        all(&inputs["accepted"]).iter().map(|it| it["input_hash"].clone()).collect();
    assert_eq!(hashes, expected);
    for (case, history) in cases.iter().zip(&histories[1..]) {
        let recorded: Vec<Value> = steps(history)
            .iter()
            .map(|it| Value::from(vec![it["name"].clone(), it["occurrence"].clone()]))
            .collect();
        assert_eq!(Value::from(recorded), case["recorded"], "{}", case["name"]);
    }
    assert_eq!(histories.len(), cases.len() + 1);
}
