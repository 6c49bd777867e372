//! Writes the declarations of the library for Rust, from `include/smolwf.cdef`: functions, constants,
//! option structs and opaque handles. Whatever the file holds that this does not know fails the build.

use std::fmt::Write as _;
use std::{env, fs, path::Path};

const CDEF: &str = "../../include/smolwf.cdef";

fn main() {
    println!("cargo::rerun-if-changed={CDEF}");
    let text = fs::read_to_string(CDEF).expect("include/smolwf.cdef of the library can be read");
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("sys.rs"), declarations(&text)).expect("OUT_DIR can be written");
}

fn declarations(cdef: &str) -> String {
    let (mut items, mut functions) = (String::new(), String::new());
    let mut rest = cdef.trim();
    while !rest.is_empty() {
        let statement = next_statement(&mut rest);
        if let Some(body) = statement.strip_prefix("enum {") {
            constants(body, &mut items);
        } else if let Some(body) = statement.strip_prefix("typedef struct ") {
            structure(body, &mut items);
        } else {
            function(&statement, &mut functions);
        }
    }
    format!("{items}unsafe extern \"C\" {{\n{functions}}}\n")
}

/// Takes what stands before the next `;` outside of braces, with single spaces.
fn next_statement(rest: &mut &str) -> String {
    let mut depth = 0;
    let end = rest.find(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ';' && depth == 0
    });
    let end = end.expect("a declaration ends with a semicolon");
    let statement = rest[..end].split_whitespace().collect::<Vec<_>>().join(" ");
    *rest = rest[end + 1..].trim_start();
    statement
}

fn constants(body: &str, items: &mut String) {
    for line in body.trim_end_matches([' ', '}']).split(',') {
        let (name, value) = line.split_once('=').expect("a constant has a value");
        // The one that is an expression, SW_NTS, is of no use where texts have a length.
        let Ok(value) = value.trim().parse::<i64>() else { continue };
        let kind = if i32::try_from(value).is_ok() { "i32" } else { "u32" };
        writeln!(items, "pub const {}: {kind} = {value};", name.trim()).expect("a String grows");
    }
}

fn structure(body: &str, items: &mut String) {
    let Some((name, fields)) = body.split_once(" {") else {
        let name = body.split(' ').next().expect("a type has a name");
        writeln!(items, "#[repr(C)]\npub struct {name} {{\n    _opaque: [u8; 0],\n}}")
            .expect("a String grows");
        return;
    };
    let (fields, _) = fields.split_once('}').expect("a struct is closed");
    writeln!(items, "#[repr(C)]\n#[derive(Clone, Copy)]\npub struct {name} {{")
        .expect("a String grows");
    for field in fields.split(';').map(str::trim).filter(|field| !field.is_empty()) {
        let (field, kind) = declarator(field);
        writeln!(items, "    pub {field}: {kind},").expect("a String grows");
    }
    items.push_str("}\n");
}

fn function(statement: &str, functions: &mut String) {
    let (head, params) = statement.split_once('(').expect("what is no type is a function");
    let (name, result) = declarator(head);
    let params = params.trim_end_matches(')');
    let params: Vec<String> = match params {
        "void" => Vec::new(),
        _ => params
            .split(',')
            .map(|param| declarator(param.trim()))
            .map(|(n, k)| format!("{n}: {k}"))
            .collect(),
    };
    let result = if result == "()" { String::new() } else { format!(" -> {result}") };
    writeln!(functions, "    pub fn {name}({}){result};", params.join(", "))
        .expect("a String grows");
}

/// Name and type of a declarator of C, as in `const char *path`.
fn declarator(text: &str) -> (String, String) {
    let at =
        text.rfind(|c: char| !c.is_alphanumeric() && c != '_').expect("a declarator has a type");
    let (kind, name) = text.split_at(at + 1);
    let (base, stars) = kind.split_at(kind.find('*').unwrap_or(kind.len()));
    let base = base.trim();
    let (base, constant) = base.strip_prefix("const ").map_or((base, false), |base| (base, true));
    let mut kind = match base {
        "char" => "core::ffi::c_char",
        "int32_t" => "i32",
        "uint32_t" => "u32",
        "int64_t" => "i64",
        "uint64_t" => "u64",
        "size_t" => "usize",
        "void" => "()",
        handle if handle.starts_with("sw_") => handle,
        other => panic!("include/smolwf.cdef has a type that is not known here: {other}"),
    }
    .to_string();
    for (level, _) in stars.matches('*').enumerate() {
        kind = format!("*{} {kind}", if constant && level == 0 { "const" } else { "mut" });
    }
    // A word of Rust.
    (if name == "type" { "r#type".to_string() } else { name.to_string() }, kind)
}
