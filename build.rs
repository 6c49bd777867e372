//! Writes the C header and its plain form into `OUT_DIR`, and names the shared library for the
//! linker. Never writes into the source tree: `tests/header.rs` compares what is committed with
//! what is made here, and rewrites it when asked to.

#![allow(clippy::print_stdout, reason = "how a build script speaks to Cargo")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// What the header is made from, in its order.
const SOURCES: &[&str] = &[
    "codes",
    "constants",
    "options",
    "version",
    "report",
    "error",
    "text",
    "store",
    "run",
    "control",
    "queue",
    "watch",
    "stop",
    "attempt",
    "step",
    "wait",
    "signal",
    "child",
    "budget",
    "event",
    "check",
    "query",
    "schedule",
];

/// Headings of the header, each before the declaration that opens its part.
const HEADINGS: &[(&str, &str)] = &[
    ("#define SW_OK ", "Codes"),
    ("#define SW_ABI_VERSION ", "Constants"),
    ("typedef struct sw_", "Types"),
    ("const char *sw_version(", "Version"),
    ("int32_t sw_error_code(", "Errors"),
    ("const char *sw_text_data(", "Texts and ids"),
    ("int32_t sw_store_open(", "Store"),
    ("int32_t sw_run_submit(", "Runs: submit, find, claim"),
    ("int32_t sw_run_cancel(", "Runs: acting on them from outside"),
    ("int32_t sw_queue_set(", "Queues"),
    ("int32_t sw_watch_open(", "Watches: changes as a descriptor"),
    ("int32_t sw_stop_new(", "Stops: ending a wait"),
    ("const char *sw_attempt_id(", "Attempts: what was claimed, until it ends"),
    ("int32_t sw_step_begin(", "Steps"),
    ("int32_t sw_sleep(", "Waiting: time, messages, children"),
    ("int32_t sw_budget_reserve(", "Budgets: what a tree of runs may spend"),
    ("int32_t sw_event_append(", "Events: the append-only log"),
    ("int32_t sw_store_check(", "Checking"),
    ("int32_t sw_run_get(", "Looking"),
    ("int32_t sw_schedule_set(", "Schedules: runs that submit themselves"),
];

fn main() -> Result<(), Box<dyn Error>> {
    for watched in ["build.rs", "cbindgen.toml", "src/ffi"] {
        println!("cargo::rerun-if-changed={watched}");
    }
    name_library();
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let header = header(Path::new(&env::var("CARGO_MANIFEST_DIR")?))?;
    fs::write(out.join("smolwf.cdef"), plain(&header))?;
    fs::write(out.join("smolwf.h"), header)?;
    Ok(())
}

/// Gives the shared library its name, by which programs find it, and pins it in memory: a library
/// with thread-locals and fork handlers cannot be unloaded soundly.
fn name_library() {
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libsmolwf.so.0");
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}

/// Makes the header. Each source is read alone, without asking Cargo about the package: the
/// exported functions do not depend on features.
fn header(package: &Path) -> Result<String, Box<dyn Error>> {
    let config = cbindgen::Config::from_file(package.join("cbindgen.toml"))?;
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in SOURCES {
        builder = builder.with_src(package.join(format!("src/ffi/{source}.rs")));
    }
    let mut written = Vec::new();
    builder.generate()?.write(&mut written);
    let mut lines: Vec<String> = String::from_utf8(written)?.lines().map(str::to_owned).collect();
    tag_structs(&mut lines);
    for (opener, heading) in HEADINGS {
        insert_heading(&mut lines, opener, heading)?;
    }
    lines.dedup_by(|line, before| line.is_empty() && before.is_empty());
    Ok(lines.join("\n") + "\n")
}

/// Gives each struct its type's name as tag. (With cbindgen's own style for that, uses of a type
/// carry the word `struct`, which some parsers of headers do not read.)
fn tag_structs(lines: &mut [String]) {
    let mut opened = None;
    for at in 0..lines.len() {
        if lines[at] == "typedef struct {" {
            opened = Some(at);
        } else if let Some(name) = lines[at].strip_prefix("} ").and_then(|l| l.strip_suffix(';'))
            && let Some(opened) = opened.take()
        {
            lines[opened] = format!("typedef struct {name} {{");
        }
    }
}

/// Puts a heading before the comment of the first line that begins with `opener`.
fn insert_heading(lines: &mut Vec<String>, opener: &str, heading: &str) -> Result<(), String> {
    let found = lines.iter().position(|line| line.starts_with(opener));
    let comment = found.and_then(|at| lines[..at].iter().rposition(|line| line == "/**"));
    let at = comment.ok_or_else(|| format!("the header has no documented `{opener}`"))?;
    let rule = "-".repeat(90 - heading.len());
    lines.splice(at..at, [format!("/* {heading} {rule} */"), String::new()]);
    Ok(())
}

/// Leaves the declarations, and the constants as enums: what cffi, koffi and LuaJIT read, which have
/// no preprocessor.
fn plain(header: &str) -> String {
    let (mut numbers, mut kept) = (Vec::new(), String::new());
    let mut is_cplusplus = false;
    for line in without_comments(header).lines() {
        let line = line.trim_end();
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["#ifdef", "__cplusplus"] => is_cplusplus = true,
            ["#endif", ..] => is_cplusplus = false,
            ["#define", name, value] => numbers.extend(number(name, value)),
            [] => {}
            [first, ..] if first.starts_with('#') || is_cplusplus => {}
            _ => kept.push_str(&format!("{line}\n")),
        }
    }
    format!("enum {{\n{}\n}};\nenum {{\n  SW_NTS = {ALL_ONES}\n}};\n{kept}", numbers.join(",\n"))
}

/// The largest size_t, in a form that each reader of an enum takes: 2^64 - 1 where numbers are wide,
/// and -1, which a size_t takes for the same, where they have 32 bits, as in LuaJIT.
const ALL_ONES: &str = "(1 << 16 << 16 << 16 << 16) - 1";

/// Returns the enumerator of a constant. What 32 bits do not hold stands in the header alone, since
/// LuaJIT refuses the enum; but for SW_NTS, which has an enum of its own, as other values of its
/// enum would have to share a type with it.
fn number(name: &str, value: &str) -> Option<String> {
    let value: i128 = value.trim_end_matches(['u', 'l']).parse().ok()?;
    let fits = (i128::from(i32::MIN)..=i128::from(u32::MAX)).contains(&value);
    fits.then(|| format!("  {name} = {value}"))
}

/// Removes `/* */` and `//` comments; the header has no string in which they could stand.
fn without_comments(header: &str) -> String {
    let mut rest = header;
    let mut code = String::new();
    while let Some(at) = rest.find("/*") {
        code.push_str(&rest[..at]);
        rest = rest[at..].split_once("*/").map_or("", |(_, after)| after);
    }
    code.push_str(rest);
    code.lines().map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n").collect()
}
