//! The C header: committed as generated, read by every compiler, exported as declared, laid out as
//! in Rust, and documented to the last constant.
//!
//! `SW_UPDATE_HEADER=1 cargo test --test header` rewrites the committed files from the sources.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use smolwf::ffi::options::LAYOUTS;

#[path = "header/documentation.rs"]
mod documentation;
#[path = "support/native.rs"]
mod native;
#[path = "support/stub.rs"]
mod stub;

/// One declaration of the header with the comment before it.
struct Declaration {
    comment: String,
    code: String,
}

/// One function of the header.
struct Function {
    returns: String,
    name: String,
    /// Type and name of each.
    parameters: Vec<(String, String)>,
    comment: String,
}

/// Reads what the build made from the sources.
fn made(name: &str) -> String {
    fs::read_to_string(Path::new(env!("OUT_DIR")).join(name)).unwrap()
}

fn committed(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Splits the header into declarations: constants, types and their fields, functions.
fn declarations() -> Vec<Declaration> {
    let header = made("smolwf.h");
    let mut found = Vec::new();
    let (mut comment, mut code) = (String::new(), String::new());
    let mut is_comment = false;
    for line in header.lines().skip_while(|line| *line != "#include <stdint.h>").skip(1) {
        let text = line.trim();
        if text.starts_with("/*") {
            comment = text.trim_matches(['*', '/', ' ']).to_owned();
            is_comment = !text.ends_with("*/");
        } else if is_comment {
            comment.push_str(text.trim_start_matches(['*', '/', ' ']));
            comment.push('\n');
            is_comment = !text.ends_with("*/");
        } else if is_declaration(text) || !code.is_empty() {
            let _ = write!(code, " {text}");
            if text.ends_with([';', '{']) || text.starts_with("#define") {
                let code = std::mem::take(&mut code).trim().to_owned();
                found.push(Declaration { comment: std::mem::take(&mut comment), code });
            }
        }
    }
    found
}

/// Tells the declarations from what encloses them.
fn is_declaration(line: &str) -> bool {
    let is_around = line.starts_with("#if")
        || line.starts_with("#endif")
        || line.starts_with('}')
        || line.starts_with("extern");
    !line.is_empty() && !is_around
}

/// Returns the functions of the header.
fn functions() -> Vec<Function> {
    declarations().into_iter().filter_map(function).collect()
}

fn function(declaration: Declaration) -> Option<Function> {
    let code = declaration.code.strip_suffix(");")?;
    let (head, parameters) = code.split_once('(')?;
    let (returns, name) = type_and_name(head);
    let parameters = parameters.split(',').map(str::trim).filter(|text| *text != "void");
    let parameters = parameters.map(type_and_name).collect();
    Some(Function { returns, name, parameters, comment: declaration.comment })
}

/// Splits `const char *name` into `const char *` and `name`.
fn type_and_name(text: &str) -> (String, String) {
    let at = text.rfind([' ', '*']).unwrap() + 1;
    (text[..at].trim().to_owned(), text[at..].to_owned())
}

/// Runs a tool to its end and returns what it said.
fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{said}");
    output
}

/// Compiles sources that include the header alone and twice, in each of the standards.
fn compile(compilers: &[&str], standards: &[&str], extension: &str) {
    let room = tempfile::tempdir().unwrap();
    let once = room.path().join("once").with_extension(extension);
    fs::write(&once, "#include \"smolwf.h\"\n").unwrap();
    let twice = room.path().join("twice").with_extension(extension);
    let uses = "int32_t main_code(void) { return SW_ERR_MISUSE - SW_OK; }\n";
    let text =
        format!("#include \"smolwf.h\"\n#include \"smolwf.h\"\nint32_t main_code(void);\n{uses}");
    fs::write(&twice, text).unwrap();
    for compiler in compilers.iter().filter(|compiler| native::has(compiler)) {
        for standard in standards {
            run(Command::new(compiler)
                .arg(format!("-std={standard}"))
                .args(native::strict(compiler))
                .args(["-Wall", "-Wextra", "-Wpedantic", "-fsyntax-only", "-I"])
                .arg(env!("OUT_DIR"))
                .args([&once, &twice]));
        }
    }
}

/// Finds the shared library that Cargo built with this test.
fn library() -> PathBuf {
    let own = env::current_exe().unwrap();
    let found = own.ancestors().skip(1).take(2).map(|room| room.join("libsmolwf.so"));
    found
        .into_iter()
        .find(|path| path.exists())
        .expect("the shared library stands beside its tests")
}

#[test]
fn the_committed_files_are_what_the_sources_give() {
    let mut exports: Vec<String> = functions().into_iter().map(|f| f.name).collect();
    exports.sort();
    let files = [
        ("include/smolwf.h", made("smolwf.h")),
        ("include/smolwf.cdef", made("smolwf.cdef")),
        ("tests/exports.txt", exports.join("\n") + "\n"),
        (stub::COMMITTED, stub::bare(&made("smolwf.h"))),
    ];
    for (path, made) in files {
        if env::var_os("SW_UPDATE_HEADER").is_some_and(|value| value == "1") {
            if path == stub::COMMITTED {
                assert_only_additions(&made);
            }
            fs::write(committed(path), &made).unwrap();
        }
        let found = fs::read_to_string(committed(path)).unwrap_or_default();
        let line = found.lines().zip(made.lines()).take_while(|(a, b)| a == b).count() + 1;
        let how = "make header";
        assert!(found == made, "{path} differs from line {line} on; make it anew: {how}");
    }
}

/// Refuses to renew the ABI after more than additions, unless that is asked for.
fn assert_only_additions(made: &str) {
    let is_break = env::var_os("SW_BREAK_ABI").is_some_and(|value| value == "1");
    let before = fs::read_to_string(committed(stub::COMMITTED)).unwrap_or_default();
    if is_break || before.is_empty() || !native::has("abidiff") {
        return;
    }
    let how = "say so with `make header BREAK=1`, see docs/STABILITY.md";
    assert_eq!(stub::change(&before, made), None, "more than additions; {how}");
}

#[test]
fn the_header_is_read_by_every_c_compiler_in_every_standard() {
    compile(&["gcc", "clang"], &["c99", "c11", "c17", "c2x"], "c");
}

#[test]
fn the_header_is_read_by_every_cpp_compiler_in_every_standard() {
    compile(&["g++", "clang++"], &["c++11", "c++14", "c++17", "c++20", "c++2b"], "cpp");
}

#[test]
fn the_library_exports_the_functions_of_the_header_and_nothing_else() {
    if !native::has("nm") {
        return;
    }
    let output = run(Command::new("nm").args(["-D", "--defined-only"]).arg(library()));
    let symbols = String::from_utf8(output.stdout).unwrap();
    let exported: BTreeSet<&str> =
        symbols.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    let functions = functions();
    let declared: BTreeSet<&str> = functions.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(exported, declared);
}

#[test]
fn the_library_has_its_soname_and_stays_loaded() {
    if !native::has("readelf") {
        return;
    }
    let output = run(Command::new("readelf").arg("-d").arg(library()));
    let section = String::from_utf8(output.stdout).unwrap();
    assert!(section.contains("soname: [libsmolwf.so.0]"), "{section}");
    assert!(section.contains("NODELETE"), "{section}");
}

#[test]
fn the_option_structs_lie_in_c_as_in_rust_without_a_gap() {
    if !native::has("gcc") {
        return;
    }
    let room = tempfile::tempdir().unwrap();
    let (source, probe) = (room.path().join("probe.c"), room.path().join("probe"));
    fs::write(&source, probe_text()).unwrap();
    run(Command::new("gcc").args(native::strict("gcc")).args(["-std=c99", "-Wall", "-I"]).args([
        Path::new(env!("OUT_DIR")),
        &source,
        Path::new("-o"),
        &probe,
    ]));
    let said = String::from_utf8(run(&mut Command::new(&probe)).stdout).unwrap();
    let mut expected = String::new();
    for layout in LAYOUTS {
        let _ = writeln!(expected, "{} {}", layout.name, layout.size);
        let mut end = 0;
        for field in layout.fields {
            assert_eq!(field.offset, end, "a gap before {} of {}", field.name, layout.name);
            end += field.size;
            let _ = writeln!(expected, "{} {} {}", field.name, field.offset, field.size);
        }
        assert_eq!(layout.size, end, "a gap at the end of {}", layout.name);
    }
    assert_eq!(said, expected);
}

/// Writes a C program that prints where every field of the header's structs lies.
fn probe_text() -> String {
    let mut text = String::from("#include <stdio.h>\n#include \"smolwf.h\"\nint main(void) {\n");
    let mut within = String::new();
    for declaration in declarations() {
        let code = declaration.code;
        if let Some(name) = code.strip_prefix("typedef struct ").and_then(|c| c.strip_suffix(" {"))
        {
            within = name.to_owned();
            let _ = writeln!(text, "printf(\"{name} %zu\\n\", sizeof({name}));");
        } else if !code.contains('(') && !code.starts_with("typedef") && !code.starts_with('#') {
            let (_, field) = type_and_name(code.trim_end_matches(';'));
            let offset = format!("offsetof({within}, {field})");
            let size = format!("sizeof((({within} *)0)->{field})");
            let _ = writeln!(text, "printf(\"{field} %zu %zu\\n\", {offset}, {size});");
        }
    }
    text + "return 0; }\n"
}

#[test]
fn only_types_that_every_language_has_cross() {
    let plain = ["int32_t", "uint32_t", "int64_t", "uint64_t", "size_t", "void", "char"];
    for Function { name, returns, parameters, .. } in functions() {
        let mut types: Vec<String> = parameters.into_iter().map(|(of, _)| of).collect();
        types.push(returns);
        for of in types {
            let stars = of.matches('*').count();
            let base = of.replace("const ", "").replace(['*', ' '], "");
            let is_ours = base.starts_with("sw_") && stars > 0;
            let is_known = plain.contains(&base.as_str()) || is_ours;
            assert!(is_known && stars < 3, "{name} has the type {of}");
        }
    }
}

/// Returns the names of the header's constants, with the values that 64 bits give them.
fn constants(header: &str) -> BTreeMap<&str, i128> {
    let defines = header.lines().filter_map(|line| line.strip_prefix("#define ")?.split_once(' '));
    let numbers = defines.filter_map(|(name, value)| {
        Some((name, value.trim().trim_end_matches(['u', 'l']).parse().ok()?))
    });
    numbers.collect()
}

#[test]
fn the_cdef_has_no_preprocessor_and_the_constants_of_the_header() {
    let (cdef, header) = (made("smolwf.cdef"), made("smolwf.h"));
    for absent in ["#", "/*", "//", "extern"] {
        assert!(!cdef.contains(absent), "the cdef has {absent}");
    }
    let mut wanted = constants(&header);
    assert_eq!(wanted.remove("SW_NTS"), Some(i128::from(u64::MAX)));
    assert!(cdef.contains("\n  SW_NTS = (1 << 16 << 16 << 16 << 16) - 1\n"), "{cdef}");
    // LuaJIT has enums of 32 bits; what is wider stands in the header alone.
    wanted.retain(|_, value| i32::try_from(*value).is_ok() || u32::try_from(*value).is_ok());
    assert!(wanted.len() > 50, "{wanted:?}");
    assert_eq!(native::constants(&cdef), wanted);
    for function in functions() {
        assert!(cdef.contains(&format!("{}(", function.name)), "{} is missing", function.name);
    }
}

/// Returns what is wrong with the table of rooms of a module: each that it declares stands in it once.
fn untold_rooms(module: &str) -> Vec<String> {
    let table = module.lines().filter(|line| line.starts_with("//! |"));
    let told: Vec<&str> = table.flat_map(|line| line.split('`').skip(1).step_by(2)).collect();
    let declared = module.lines().filter_map(|line| {
        line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ")?.strip_suffix(';')
    });
    let is_once = |room: &&str| told.iter().filter(|it| *it == room).count() == 1;
    declared.filter(|room| !is_once(room)).map(str::to_owned).collect()
}

#[test]
fn the_table_of_the_door_has_each_room_once() {
    let door = include_str!("../src/ffi/mod.rs");
    assert_eq!(untold_rooms(door), Vec::<String>::new());
    assert_eq!(untold_rooms(&door.replacen("`check`", "`cheque`", 1)), ["check"]);
    assert_eq!(untold_rooms(&door.replacen("`check`", "`query`", 1)), ["check", "query"]);
}
