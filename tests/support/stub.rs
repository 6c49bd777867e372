//! A library of the header's declarations with empty bodies, in C, and the comparison of two such.

#![allow(dead_code, reason = "each suite uses a part of it")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::native::{self, Function, all_said, output, said};

/// The declarations of the last renewal: the header without its comments.
pub const COMMITTED: &str = "abi/smolwf.h";

/// Returns the functions of a header file, through the preprocessor.
pub fn functions(header: &Path) -> Vec<Function> {
    let text = said(Command::new("gcc").args(["-E", "-P", "-x", "c"]).arg(header));
    native::functions(&text).into_iter().filter(|it| it.name.starts_with("sw_")).collect()
}

/// Builds a library that has the header's declarations, each with an empty body.
pub fn stub(header: &str, folder: &Path) -> PathBuf {
    fs::create_dir_all(folder).expect("a fresh folder");
    let file = folder.join("smolwf.h");
    fs::write(&file, header).expect("a fresh folder");
    let mut source = String::from("#include \"smolwf.h\"\n");
    for Function { returns, name, parameters } in functions(&file) {
        let parameters: Vec<_> =
            parameters.iter().map(|(of, name)| format!("{of} {name}")).collect();
        let parameters = if parameters.is_empty() { "void".into() } else { parameters.join(", ") };
        let body = if returns == "void" { "" } else { "return 0;" };
        let _ = writeln!(source, "{returns} {name}({parameters}) {{ {body} }}");
    }
    let (c, so) = (folder.join("stub.c"), folder.join("libstub.so"));
    fs::write(&c, source).expect("a fresh folder");
    said(
        Command::new("gcc")
            .args(["-std=c99", "-Wall", "-g", "-gdwarf-4", "-shared", "-fPIC"])
            .args(native::strict("gcc"))
            .args(["-Wl,-soname,libsmolwf.so.0", "-o"])
            .args([&so, &c]),
    );
    so
}

/// Compares, and returns what abidiff reports when they differ; harmless it calls what a program does
/// not see once it is compiled, such as a field's new name.
pub fn difference(flags: &[&str], old: &Path, new: &Path) -> Option<String> {
    let report = output(Command::new("abidiff").arg("--harmless").args(flags).args([old, new]));
    (!report.status.success()).then(|| all_said(&report))
}

/// Returns what has changed between two headers, additions left out; `None` when nothing has. An option
/// struct that has more fields at its end is an addition: it says how long it is.
pub fn change(old: &str, new: &str) -> Option<String> {
    let old = &with_grown_options(old, new);
    let folder = tempfile::tempdir().expect("a folder");
    let built = ["old", "new"].map(|name| folder.path().join(name));
    let changed = difference(&["--no-added-syms"], &stub(old, &built[0]), &stub(new, &built[1]));
    let kept: Vec<_> = constants(new).collect();
    let lost = constants(old).find(|constant| !kept.contains(constant));
    changed.or_else(|| lost.map(|constant| format!("taken away or changed: {constant}")))
}

/// Gives the option structs of an older header the fields that a newer one has at their end.
fn with_grown_options(old: &str, new: &str) -> String {
    let (mut grown, new) = (bare(old), bare(new));
    for part in new.split("typedef struct ").skip(1) {
        let Some((name, rest)) = part.split_once(" {\n") else { continue };
        let Some((fields, _)) = rest.split_once('}') else { continue };
        let head = format!("typedef struct {name} {{\n");
        let older = grown.split_once(&head).and_then(|(_, rest)| rest.split_once('}'));
        let Some(older) = older.map(|(fields, _)| fields.to_owned()) else { continue };
        if name.ends_with("_options") && fields.starts_with(&older) {
            grown = grown.replace(&format!("{head}{older}}}"), &format!("{head}{fields}}}"));
        }
    }
    grown
}

/// Returns the constants of a header with their values, its version left out.
fn constants(header: &str) -> impl Iterator<Item = &str> {
    let constants = header.lines().filter(|line| line.starts_with("#define SW_"));
    constants.filter(|line| !line.starts_with("#define SW_VERSION_"))
}

/// Returns a header without its comments and empty lines.
pub fn bare(header: &str) -> String {
    let mut code = String::new();
    for part in header.split("/*") {
        code.push_str(part.split_once("*/").map_or(part, |(_, after)| after));
    }
    let lines = code.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let note =
        "/* The ABI as it was at the last `make header`, which adds what is new and no more. */";
    [note].into_iter().chain(lines).fold(String::new(), |all, line| all + line + "\n")
}
