//! What a header without preprocessor declares, and what its functions and their parameters are for.

#![allow(dead_code, reason = "each suite uses a part of it")]

use std::collections::BTreeMap;

/// One function of the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    pub returns: String,
    pub name: String,
    /// Type and name of each.
    pub parameters: Vec<(String, String)>,
}

/// One struct of the header with its fields, type and name of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Struct {
    pub name: String,
    pub fields: Vec<(String, String)>,
}

/// Returns the constants of a header without preprocessor that are numbers, by name.
pub fn constants(cdef: &str) -> BTreeMap<&str, i128> {
    let lines = cdef.lines().map(str::trim).filter(|line| line.starts_with("SW_"));
    let pairs = lines.filter_map(|line| line.trim_end_matches(',').split_once(" = "));
    pairs.filter_map(|(name, value)| Some((name, value.parse().ok()?))).collect()
}

/// Returns the functions of a header without preprocessor, in its order.
pub fn functions(cdef: &str) -> Vec<Function> {
    let code: String = cdef.lines().filter(|line| !line.starts_with('#')).collect();
    let functions: Vec<_> = code.split(';').filter_map(function).collect();
    assert!(functions.len() > 50, "only {} functions were found", functions.len());
    functions
}

fn function(declaration: &str) -> Option<Function> {
    let (head, parameters) = declaration.strip_suffix(')')?.split_once('(')?;
    let (returns, name) = type_and_name(head);
    let parameters = parameters.split(',').filter(|it| it.trim() != "void").map(type_and_name);
    Some(Function { returns, name, parameters: parameters.collect() })
}

/// Returns the structs of a header without preprocessor that have fields, in its order.
pub fn structs(cdef: &str) -> Vec<Struct> {
    let bodies = cdef.split("typedef struct ").filter_map(|rest| rest.split_once(" {"));
    let found: Vec<_> = bodies
        .filter(|(name, _)| !name.contains(';'))
        .map(|(name, rest)| {
            let body = rest.split('}').next().unwrap_or_default();
            let fields = body.split(';').map(str::trim).filter(|field| !field.is_empty());
            Struct { name: name.to_owned(), fields: fields.map(type_and_name).collect() }
        })
        .collect();
    assert!(found.len() > 4, "only {} structs were found", found.len());
    found
}

/// Splits `const char *name` into `const char *` and `name`.
fn type_and_name(text: &str) -> (String, String) {
    let at = text.rfind([' ', '*']).map_or(0, |at| at + 1);
    (text[..at].trim().to_owned(), text[at..].trim().to_owned())
}
