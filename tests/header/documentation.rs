//! What the documentation in the header must say, and what its first page shows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use super::{
    Declaration, Function, committed, constants, declarations, functions, made, native, run,
};

#[allow(dead_code, reason = "the build uses all of it")]
#[path = "../../build/header.rs"]
mod manual;

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

/// Returns what a function that answers a document lacks: an example, or the test that holds it.
fn lacks_example(function: &Function, tests: &str) -> Option<String> {
    let Function { name, comment, .. } = function;
    let text = comment.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_document = ["as a JSON document", "as a JSON array", "a JSON report"];
    if !is_document.iter().any(|words| text.contains(words)) {
        return None;
    }
    if !comment.lines().any(|line| line.starts_with(['{', '['])) {
        return Some(format!("{name} shows no example of its document"));
    }
    let is_held = tests.contains(&format!("check_example(\"{name}\""));
    (!is_held).then(|| format!("tests/c/manual.c does not hold the example of {name}"))
}

#[test]
fn every_document_has_an_example_that_a_test_holds() {
    let tests = fs::read_to_string(committed("tests/c/manual.c")).unwrap();
    let lacking = functions().into_iter().filter_map(|it| lacks_example(&it, &tests));
    assert_eq!(lacking.collect::<Vec<_>>(), Vec::<String>::new());
    let (returns, name, parameters) = ("int32_t".into(), "sw_a".into(), Vec::new());
    let comment = "Shows it as a JSON\ndocument.\n".to_owned();
    let mut function = Function { returns, name, parameters, comment };
    let said = |function: &Function, tests| lacks_example(function, tests).unwrap_or_default();
    assert_eq!(said(&function, ""), "sw_a shows no example of its document");
    function.comment.push_str("\n{\"a\":1}\n");
    assert_eq!(said(&function, ""), "tests/c/manual.c does not hold the example of sw_a");
    assert_eq!(said(&function, "check_example(\"sw_a\", text);"), "");
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
