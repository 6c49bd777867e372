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

#[allow(dead_code, reason = "the build uses all of it")]
#[path = "../build/header.rs"]
mod manual;
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

/// Returns the programs that the first page shows: the lines that are set in, in its part THE IDEA.
fn shown_programs() -> Vec<String> {
    let header = made("smolwf.h");
    let (_, idea) = header.split_once(" * THE IDEA\n").unwrap();
    let lines = idea.split(" * WORDS\n").next().unwrap().lines();
    let mut programs = vec![String::new()];
    for line in lines {
        if let Some(code) = line.strip_prefix(" *   ") {
            programs.last_mut().unwrap().push_str(&format!("{code}\n"));
        } else if line != " *" {
            programs.push(String::new());
        }
    }
    programs.retain(|program| !program.is_empty());
    programs
}

#[test]
fn the_programs_of_the_first_page_compile() {
    let programs = shown_programs();
    assert_eq!(programs.len(), 2, "{programs:?}");
    let room = tempfile::tempdir().unwrap();
    let source = room.path().join("shown.c");
    let text = format!(
        "#include <stdio.h>\n#include <stdlib.h>\n#include \"smolwf.h\"\n\
         int report(sw_error *err);\nchar *charge_the_card(const char *args);\n\
         int work(void);\nvoid wait(sw_attempt *attempt);\n\
         int work(void) {{\n{}return 0;\n}}\n\
         void wait(sw_attempt *attempt) {{\nsw_text *text; sw_error *err; size_t len; int32_t rc;\n{}}}\n",
        programs[0], programs[1]
    );
    fs::write(&source, text).unwrap();
    for compiler in ["gcc", "clang"].iter().filter(|compiler| native::has(compiler)) {
        run(Command::new(compiler)
            .args(native::strict(compiler))
            .args(["-std=c99", "-Wall", "-Wextra", "-fsyntax-only", "-I", env!("OUT_DIR")])
            .arg(&source));
    }
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
fn every_declaration_is_documented() {
    let declarations = declarations();
    assert!(declarations.len() > 150, "only {} declarations were found", declarations.len());
    for Declaration { comment, code } in &declarations {
        assert!(!comment.trim().is_empty(), "no comment: {code}");
        assert!(!comment.contains("\\since 0.1"), "the first page says since when: {code}");
    }
}

/// Parameters that the first page tells of. A function tells of them where they are more than that.
const TOLD_ONCE: [&str; 10] =
    ["store", "attempt", "step", "watch", "error", "options", "out_len", "stop", "cap", "err"];

/// Returns what is wrong with what a function says of its parameters.
fn fault_of_parameters(function: &Function) -> Option<String> {
    let documented = function.comment.lines().filter_map(|line| line.strip_prefix("\\param "));
    let documented: Vec<&str> = documented
        .filter_map(|line| line.split_whitespace().next())
        .flat_map(|names| names.split(','))
        .collect();
    let declared = function.parameters.iter().map(|(_, name)| name.as_str());
    let is_told = |name: &&str| TOLD_ONCE.contains(name) && !documented.contains(name);
    let left: Vec<&str> = declared.filter(|name| !is_told(name)).collect();
    (left != documented).then(|| format!("{} tells of {documented:?}, not {left:?}", function.name))
}

#[test]
fn every_function_says_what_each_parameter_is_and_how_it_blocks() {
    const CLASSES: [&[&str]; 3] =
        [&["Never blocks."], &["May block"], &["Waits for ", "Waits at most "]];
    let page = made("smolwf.h").split("*/").next().unwrap().to_owned();
    for told in TOLD_ONCE.iter().chain(CLASSES.concat().iter()) {
        assert!(page.contains(told), "the first page does not tell of {told}");
    }
    for function in functions() {
        let text = function.comment.split_whitespace().collect::<Vec<_>>().join(" ");
        let is_said = |class: &&&[&str]| class.iter().any(|words| text.contains(words));
        let classes = CLASSES.iter().filter(is_said).count();
        assert!(classes == 1, "{} says {classes} classes", function.name);
        assert_eq!(fault_of_parameters(&function), None);
    }
}

/// Returns what is wrong with the codes that a function with an error object lists.
fn fault_of_codes(function: &Function) -> Option<String> {
    let Function { name, comment, .. } = function;
    let told = comment.lines().filter_map(|line| line.strip_prefix("\\retval "));
    let told: Vec<(&str, &str)> = told.filter_map(|line| line.split_once(' ')).collect();
    let Some(said) = comment.lines().find_map(|line| line.strip_prefix("Also what any ")) else {
        return Some(format!("{name} has no \\codes"));
    };
    if told.is_empty() {
        return Some(format!("{name} names no outcome"));
    }
    let class = said.split(' ').next().unwrap_or_default();
    let class = if class == "call" { "any" } else { class };
    let shared = manual::codes(class).unwrap();
    let bad = told.iter().find(|(code, why)| {
        let is_shared = shared.contains(code) && !said.contains(code);
        let is_twice = told.iter().filter(|(other, _)| other == code).count() > 1;
        is_twice || is_shared && !why.trim_start().starts_with("also")
    });
    bad.map(|(code, _)| format!("{name} tells {code} twice: say `also`, or leave it to {class}"))
}

#[test]
fn every_function_lists_the_codes_it_may_return() {
    let constants: BTreeSet<String> = declarations()
        .iter()
        .filter_map(|d| d.code.strip_prefix("#define ")?.split(' ').next().map(str::to_owned))
        .collect();
    for function in functions() {
        let Function { name, returns, parameters, comment } = &function;
        let words = comment.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let is_constant = |word: &&str| word.starts_with("SW_") && *word != "SW_UNKNOWN";
        for word in words.filter(is_constant) {
            assert!(constants.contains(word), "{name} names {word}, which is no constant");
        }
        if parameters.last().is_some_and(|(_, name)| name == "err") {
            assert_eq!(returns, "int32_t", "{name}");
            assert_eq!(fault_of_codes(&function), None);
        } else if returns != "void" {
            let is_told = comment.contains("\\return ") || comment.contains("\\retval ");
            assert!(is_told, "{name} does not say what it returns");
        }
    }
}

#[test]
fn a_function_that_tells_too_little_or_twice_is_found() {
    let function = |comment: &str| Function {
        returns: "int32_t".into(),
        name: "sw_a".into(),
        parameters: vec![("sw_store *".into(), "store".into()), ("int32_t".into(), "many".into())],
        comment: comment.into(),
    };
    let codes = |comment: &str| fault_of_codes(&function(comment)).is_some();
    let reading = "Also what any reading call may answer: SHARED CODES.";
    assert!(!codes(&format!("\\retval SW_OK  done\n{reading}")));
    assert!(!codes(&format!("\\retval SW_OK  done\n\\retval SW_ERR_IO  also: a\n{reading}")));
    assert!(codes("\\retval SW_OK  done\n"));
    assert!(codes(reading));
    assert!(codes(&format!("\\retval SW_OK  done\n\\retval SW_ERR_IO  a\n{reading}")));
    assert!(codes(&format!("\\retval SW_OK  a\n\\retval SW_OK  b\n{reading}")));
    let parameters = |comment: &str| fault_of_parameters(&function(comment)).is_some();
    assert!(!parameters("\\param many  how many\n"));
    assert!(!parameters("\\param store  one\n\\param many  how many\n"));
    assert!(parameters("\\param store  one\n"));
    assert!(parameters("\\param many  how many\n\\param store  one\n"));
}

/// Returns the numbers that a text tells of though they have constants. Small ones mean too much else,
/// and after "0 is" stands a default.
fn literals(text: &str, limits: &BTreeMap<&str, i128>) -> Vec<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_default = |at: usize| at > 1 && words[at - 2..at] == ["0", "is"];
    let named = |at: usize| {
        let word = words[at].trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let value = word.parse::<i128>().ok().filter(|value| *value >= 200)?;
        let (name, _) = limits.iter().find(|(_, it)| **it == value)?;
        (!is_default(at)).then(|| format!("{word} is {name}"))
    };
    (0..words.len()).filter_map(named).collect()
}

#[test]
fn limits_are_told_by_the_names_of_their_constants() {
    let header = made("smolwf.h");
    let (_, limits) = header.split_once("/* Limits -").unwrap();
    let limits = constants(limits.split("/* Handles -").next().unwrap());
    assert!(limits.len() > 25, "{limits:?}");
    let page = header.split("*/").next().unwrap().to_owned();
    let texts = declarations().into_iter().map(|it| it.comment).chain([page]);
    let faults: Vec<String> = texts.flat_map(|text| literals(&text, &limits)).collect();
    assert_eq!(faults, Vec::<String>::new());
    let found =
        literals("to 10000; 0 is 1000, 1024", &BTreeMap::from([("A", 10_000), ("B", 1000)]));
    assert_eq!(found, ["10000 is A"]);
}

#[test]
fn the_defaults_of_options_are_those_of_the_library() {
    use smolwf::limits::*;
    let defaults: [(&str, u64); 9] = [
        ("busy_timeout_ms", BUSY_TIMEOUT_MS_DEFAULT.into()),
        ("max_readers", READERS_DEFAULT.into()),
        ("lease_default_ms", LEASE_MS_DEFAULT.into()),
        ("payload_bytes_max", PAYLOAD_BYTES_DEFAULT),
        ("backoff_initial_ms", BACKOFF_INITIAL_MS_DEFAULT.unsigned_abs()),
        ("backoff_max_ms", BACKOFF_MAX_MS_DEFAULT.unsigned_abs()),
        ("backoff_percent", BACKOFF_PERCENT_DEFAULT.into()),
        ("max_tries", RUN_TRIES_DEFAULT.into()),
        ("max_tries", STEP_TRIES_DEFAULT.into()),
    ];
    let all = declarations();
    for (field, value) in defaults {
        let fields: Vec<_> =
            all.iter().filter(|it| it.code.ends_with(&format!(" {field};"))).collect();
        assert!(!fields.is_empty(), "no field is called {field}");
        for told in fields {
            assert!(told.comment.contains(&format!("0 is {value}")), "{field}: {}", told.comment);
        }
    }
}

/// Returns the option structs that do not stand before the first function that takes them, with
/// nothing but their like between.
fn misplaced_structs(declarations: &[Declaration]) -> Vec<String> {
    let structs = declarations.iter().enumerate().filter_map(|(at, it)| {
        Some((at, it.code.strip_prefix("typedef struct ")?.strip_suffix(" {")?))
    });
    let is_misplaced = |(at, name): &(usize, &str)| {
        let next = declarations[*at..].iter().find(|it| it.code.contains('('));
        !next.is_some_and(|it| it.code.contains(&format!("const {name} *")))
    };
    structs.filter(is_misplaced).map(|(_, name)| name.to_owned()).collect()
}

#[test]
fn every_option_struct_stands_before_the_first_function_that_takes_it() {
    assert_eq!(misplaced_structs(&declarations()), Vec::<String>::new());
    let sample = ["typedef struct sw_a {", "int32_t f(void);", "int32_t g(const sw_a *a);"];
    let sample = sample.map(|code| Declaration { comment: String::new(), code: code.to_owned() });
    assert_eq!(misplaced_structs(&sample), ["sw_a"]);
}

/// Returns the sentence with which the build refuses a header of one constant, one handle, an option
/// struct and a function with this documentation.
fn refused(doc: &str, options: &str, page: &str) -> Option<String> {
    let raw = format!(
        "/**\n * A.\n */\n#define SW_A 1\n\n/**\n * H.\n */\ntypedef struct sw_h sw_h;\n\n\
         /**\n * O.\n */\ntypedef struct {{\n  int32_t a;\n}} {options};\n\n\
         /**\n{doc} */\nint32_t sw_f(const sw_o *o);\n"
    );
    let mut sources = vec![String::new(); manual::PARTS.len()];
    sources[0] = "pub const SW_A: u32 = 1;\n".to_owned();
    sources[4] = "pub unsafe extern \"C\" fn sw_f(\n".to_owned();
    manual::arrange(&raw, &sources, page).err()
}

#[test]
fn the_build_refuses_what_the_manual_cannot_hold() {
    let refuses = |doc: &str, options: &str, page: &str, what: &str| {
        let said = refused(doc, options, page).unwrap_or_default();
        assert!(said.contains(what), "{what}: {said}");
    };
    assert_eq!(refused(" * F.\n * \\codes reading\n", "sw_o", "See sw_f, SW_A."), None);
    refuses(" * \\codes readin\n", "sw_o", "", "sw_f has an unknown class: \\codes readin");
    let but = " * \\codes reading but SW_ERR_READONLY\n";
    refuses(but, "sw_o", "", "SW_ERR_READONLY is none of the codes of reading");
    refuses(" * F.\n", "sw_p", "", "no part of the header declares or takes sw_p");
    refuses(" * F.\n", "sw_o", "See sw_g.", "names sw_g, which is not declared");
    let bare = manual::arrange("#define SW_A 1\n", &[], "");
    assert_eq!(bare, Err("this has no documentation: #define SW_A 1".to_owned()));
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
