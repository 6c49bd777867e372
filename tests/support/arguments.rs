//! What each parameter of a function is for, by its type and name, and which codes the function may answer,
//! by its documentation.

#![allow(dead_code, reason = "each suite uses a part of it")]

#[path = "../../build/header.rs"]
mod manual;

use super::declared::Function;

/// The kinds of handles: types whose inside the header does not tell.
pub fn kinds(cdef: &str) -> Vec<String> {
    let opaque =
        cdef.lines().filter_map(|line| line.strip_prefix("typedef struct ")?.strip_suffix(';'));
    let names = opaque.filter_map(|line| line.split(' ').next_back());
    let kinds: Vec<String> = names.map(str::to_owned).collect();
    assert!(kinds.len() >= 7, "{kinds:?}");
    kinds
}

pub fn kind_of<'a>(kind: &str, kinds: &'a [String]) -> Option<&'a String> {
    let name = kind.trim_start_matches("const ").split([' ', '*']).next()?;
    kinds.iter().find(|it| *it == name)
}

/// What kind of argument it is, by its type and name.
pub fn class(kind: &str, name: &str, next: Option<&str>, kinds: &[String]) -> &'static str {
    let has_len = next.is_some_and(|next| next == format!("{name}_len"));
    let is_handle = kind_of(kind, kinds).is_some();
    match (kind, name) {
        ("sw_error **", _) => "ERROR_SLOT",
        (_, "cap") => "ROOM",
        ("char *", _) => "OUT_ID",
        ("size_t *", _) => "OUT_LEN",
        ("size_t", _) if name.ends_with("_len") => "LENGTH",
        ("const char *", _) if has_len => "TEXT",
        ("const char *", _) => "PATH",
        _ if is_handle && kind.ends_with("**") => "OUT_HANDLE",
        _ if is_handle => "HANDLE",
        _ if kind.starts_with("const sw_") => "OPTIONS",
        _ if kind.ends_with('*') => "OUT_NUMBER",
        _ => "NUMBER",
    }
}

pub fn bytes_of(kind: &str) -> u32 {
    match kind.split(' ').next() {
        Some("int64_t" | "uint64_t") => 8,
        Some("int32_t" | "uint32_t") => 4,
        _ => 0,
    }
}

/// The documentation of a function.
pub fn comment<'a>(header: &'a str, function: &Function) -> &'a str {
    let called = format!("{}(", function.name);
    let is_declared = |at: &usize| {
        let line = header[..*at].rfind('\n').map_or("", |from| &header[from + 1..*at]);
        !line.starts_with(' ') && !line.starts_with('/') && line.ends_with([' ', '*'])
    };
    let mut places = header.match_indices(&called).map(|(at, _)| at);
    let at = places.find(is_declared).unwrap_or_else(|| panic!("{called}) is declared"));
    let before = &header[..at];
    &before[before.rfind("/**").expect("it is documented")..]
}

/// The codes that the documentation of a function tells, those of its class among them.
pub fn codes(comment: &str) -> Vec<String> {
    let told = comment.lines().filter_map(|line| line.trim().strip_prefix("* \\retval "));
    let mut codes: Vec<String> =
        told.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    if let Some((_, said)) = comment.split_once("Also what any ") {
        let class = said.split(' ').next().unwrap_or_default();
        let class = if class == "call" { "any" } else { class };
        let shared = manual::codes(class).expect("a class of the first page");
        let bugs = ["SW_ERR_INTERNAL", "SW_ERR_PANIC"];
        codes.extend(shared.into_iter().filter(|it| !bugs.contains(it)).map(str::to_owned));
    }
    codes.retain(|code| code.starts_with("SW_"));
    codes
}
