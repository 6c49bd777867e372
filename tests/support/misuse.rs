//! The table of misuse, made from the header: for each function how it is called by numbered arguments,
//! of which kind each argument is, and which codes its documentation allows. A function, an option or a
//! kind of handle that comes to the header is in it by itself.

use std::fmt::Write as _;
use std::fs;

use super::native::{Function, Struct, cdef, declared, functions, root, structs};

#[path = "arguments.rs"]
mod arguments;

use arguments::{bytes_of, class, codes, comment, kind_of, kinds};

/// Returns the table as C, for `tests/c/table.h`.
pub fn table() -> String {
    let cdef = cdef();
    let header = fs::read_to_string(root("include/smolwf.h")).expect("the header is there");
    let (functions, mut structs) = (functions(&cdef), structs(&cdef));
    structs.retain(|layout| layout.name.starts_with("sw_"));
    let kinds = kinds(&cdef);
    let mut text = String::from("/* Made by tests/support/misuse.rs from the header. */\n");
    let names: Vec<String> = kinds.iter().map(|kind| kind_name(kind)).collect();
    let _ = writeln!(text, "enum kind {{ {}, KINDS }};", names.join(", "));
    let quoted: Vec<String> = kinds.iter().map(|kind| format!("\"{kind}\"")).collect();
    let _ = writeln!(text, "static const char *const kind_names[] = {{{}}};", quoted.join(", "));
    for layout in &structs {
        text += &of_struct(layout, &kinds);
    }
    for function in &functions {
        text += &thunk(function);
        text += &parameters(function, &structs, &kinds);
    }
    text += "static const struct function functions[] = {\n";
    for function in &functions {
        text += &row(function, comment(&header, function));
    }
    text + "};\n"
}

fn kind_name(kind: &str) -> String {
    format!("KIND_{}", kind.trim_start_matches("sw_").to_uppercase())
}

/// How it is called: by values in the order of its parameters.
fn thunk(function: &Function) -> String {
    let argument = |(at, (kind, _)): (usize, &(String, String))| match kind.ends_with('*') {
        true => format!("v[{at}].at"),
        false => format!("({kind})v[{at}].number"),
    };
    let arguments: Vec<String> = function.parameters.iter().enumerate().map(argument).collect();
    let call = format!("{}({})", function.name, arguments.join(", "));
    let body = match function.returns.as_str() {
        "void" => format!("{call};\n    return 0;"),
        kind if kind.ends_with('*') => format!("return (int64_t)(intptr_t){call};"),
        _ => format!("return (int64_t){call};"),
    };
    format!(
        "static int64_t call_{}(union argument *v) {{\n    (void)v;\n    {body}\n}}\n",
        function.name
    )
}

fn parameters(function: &Function, structs: &[Struct], kinds: &[String]) -> String {
    let entries: Vec<String> = (0..function.parameters.len())
        .map(|at| {
            let (kind, name) = &function.parameters[at];
            let next = function.parameters.get(at + 1).map(|(_, name)| name.as_str());
            let class = class(kind, name, next, kinds);
            let detail = match class {
                "HANDLE" | "OUT_HANDLE" => {
                    kind_of(kind, kinds).map_or("0".into(), |it| kind_name(it))
                }
                _ => "0".into(),
            };
            let layout =
                structs.iter().find(|it| kind.contains(&it.name)).filter(|_| class == "OPTIONS");
            let layout = layout.map_or("NULL".into(), |it| format!("&struct_{}", it.name));
            format!("    {{\"{name}\", {class}, {detail}, {layout}, 0, {}}},\n", bytes_of(kind))
        })
        .collect();
    let body = if entries.is_empty() { "    {0}\n".into() } else { entries.concat() };
    format!("static const struct parameter of_{}[] = {{\n{body}}};\n", function.name)
}

fn of_struct(layout: &Struct, kinds: &[String]) -> String {
    let name = &layout.name;
    let field = |at: usize| {
        let (kind, field) = &layout.fields[at];
        let next = layout.fields.get(at + 1).map(|(_, name)| name.as_str());
        let class = class(kind, field, next, kinds);
        let detail = kind_of(kind, kinds).map_or("0".into(), |it| kind_name(it));
        let bytes = bytes_of(kind);
        format!(
            "    {{\"{field}\", {class}, {detail}, NULL, offsetof({name}, {field}), {bytes}}},\n"
        )
    };
    let fields: String = (0..layout.fields.len()).map(field).collect();
    format!(
        "static const struct parameter fields_{name}[] = {{\n{fields}}};\n\
         static const struct layout struct_{name} = \
         {{\"{name}\", sizeof({name}), fields_{name}, COUNT_OF(fields_{name})}};\n"
    )
}

fn row(function: &Function, comment: &str) -> String {
    let Function { returns, name, parameters } = function;
    let has_error = parameters.last().is_some_and(|(_, name)| name == "err");
    let gives = match returns.as_str() {
        _ if has_error => "CODE",
        "void" => "NOTHING",
        kind if kind.ends_with('*') => "VIEW",
        _ => "ANSWER",
    };
    let reads = comment.contains("Also what any reading call");
    let words: Vec<&str> = comment.split(['*', ' ', '\n']).filter(|it| !it.is_empty()).collect();
    let repeats = words.join(" ").contains("it answers as the first call did");
    let codes = codes(comment).iter().map(|code| format!("{code}, ")).collect::<String>();
    format!(
        "    {{\"{name}\", call_{name}, of_{name}, {}, {gives}, {reads}, {repeats}, {{{codes}NO_MORE}}}},\n",
        parameters.len()
    )
}
