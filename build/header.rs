//! Makes the manual from the declarations that cbindgen found: the first page, with its contents; each
//! topic under its heading; option structs, with their flags, before the first function that takes
//! them; codes that calls share told once.
//!
//! Knows no cbindgen, so that `tests/header.rs` can try what it refuses.

use std::collections::BTreeSet;

/// A part of the header: one file of `src/ffi`.
pub struct Part {
    pub source: &'static str,
    /// Empty where the file declares a handle and no more.
    pub heading: &'static str,
    /// What is found there, for the contents.
    pub tells: &'static str,
}

const fn part(source: &'static str, heading: &'static str, tells: &'static str) -> Part {
    Part { source, heading, tells }
}

/// What the header is made from, in its order.
pub const PARTS: &[Part] = &[
    part("codes", "Codes", "what calls answer"),
    part("constants", "Constants", "version, SW_NTS, SW_FOREVER, durability"),
    part("limits", "Limits", "SW_..._MAX: how long, large and many"),
    part("report", "Handles", "the types behind pointers"),
    part("version", "Version", "of the library, and whether it fits this header; names of codes"),
    part("error", "Errors", "reading an sw_error"),
    part("text", "Texts and ids", "reading an sw_text, making ids and JSON strings"),
    part("store", "Store", "open, migrate, clock, wait for changes, close"),
    part("check", "Store: check, back up", "is the file whole? A copy of it"),
    part("run", "Runs: submit, claim, wait", "where work comes from, who does it, its end"),
    part("query", "Runs: look", "one run, its history"),
    part("list", "Runs: list, count, act on many", "by state, queue, time, metadata, ..."),
    part("explain", "Runs: explain", "why one does not move"),
    part("stats", "Store: look", "counts, queues, owners, the file"),
    part(
        "retention",
        "Store: keep",
        "remove what has ended, by hand or by a policy; give room back",
    ),
    part("carry", "Runs: carry", "one with its tree, out of a store and into another"),
    part("graduate", "Store: move", "into another one, with runs in flight"),
    part("control", "Runs: act", "cancel, pause, retry, fork, from outside"),
    part("queue", "Queues", "limits and pauses"),
    part("watch", "Watches", "changes as a descriptor, for event loops"),
    part("stop", "Stops", "ending a wait from another thread"),
    part("attempt", "Attempts", "what was claimed, until it ends"),
    part("step", "Steps", "work that is done once: begin, finish, what was recorded"),
    part("wait", "Waiting", "for time, and for several things"),
    part("signal", "Messages", "send one to a run, await one"),
    part("child", "Children", "runs that a run submits and awaits"),
    part("budget", "Budgets", "what a tree of runs may spend"),
    part("event", "Events", "the append-only log"),
    part("schedule", "Schedules", "runs that submit themselves"),
    part("sql", "SQL of the host", "your own tables, in the transaction of a step"),
];

/// Under this heading stand the types behind pointers, of all parts.
const HANDLES: &str = "Handles";

/// The classes of calls: name, the class that it goes beyond, and the codes that it has more. A
/// function says `\codes <class>`, or `\codes <class> but <code>, <code>`.
pub const CLASSES: &[(&str, &str, &[&str])] = &[
    ("any", "", &["SW_ERR_MISUSE", "SW_ERR_INTERNAL", "SW_ERR_PANIC"]),
    (
        "reading",
        "any",
        &[
            "SW_ERR_CLOSED",
            "SW_ERR_FORKED",
            "SW_ERR_SCHEMA_OLD",
            "SW_ERR_SCHEMA_NEW",
            "SW_ERR_SCHEMA_FOREIGN",
            "SW_ERR_SCHEMA_EDITED",
            "SW_ERR_MOVED",
            "SW_ERR_BUSY",
            "SW_ERR_IO",
            "SW_ERR_FULL",
            "SW_ERR_CORRUPT",
            "SW_ERR_NOMEM",
            "SW_ERR_CANNOT_OPEN",
            "SW_ERR_WAL_LOST",
        ],
    ),
    ("sweeping", "reading", &["SW_ERR_POISONED"]),
    ("writing", "sweeping", &["SW_ERR_READONLY"]),
];

/// Columns of a line at most.
const COLUMNS: usize = 100;

/// One declaration with its documentation, whose lines have lost their frame.
struct Item {
    doc: Vec<String>,
    code: Vec<String>,
}

impl Item {
    /// The name that it declares.
    fn name(&self) -> &str {
        let last = self.code.last().map_or("", String::as_str);
        let code = match self.code[0].strip_prefix("#define ") {
            Some(define) => define.split(' ').next().unwrap_or_default(),
            None if self.is_type() => last.trim_end_matches(';'),
            None => self.code[0].split('(').next().unwrap_or_default(),
        };
        code.rsplit([' ', '*']).next().unwrap_or_default()
    }

    fn is_type(&self) -> bool {
        self.code[0].starts_with("typedef ")
    }

    fn is_handle(&self) -> bool {
        self.is_type() && self.code.len() == 1
    }

    fn is_function(&self) -> bool {
        !self.is_type() && !self.code[0].starts_with('#')
    }

    /// Whether it is a flag of an option struct, by what it says of itself.
    fn is_flag_of(&self, options: &str) -> bool {
        self.doc.first().is_some_and(|doc| doc.starts_with(&format!("Flag of {options}:")))
    }

    fn text(&self) -> String {
        let mut text = comment(&self.doc, "");
        if self.is_function() {
            text += &filled(&self.code.join(" "));
        } else {
            text += &fields(&self.code, self.name());
        }
        text + "\n"
    }
}

/// Arranges what cbindgen wrote. `sources` are the texts of the parts, `page` is the first page, in
/// which `{contents}` and `{codes}` stand for what is known here.
pub fn arrange(raw: &str, sources: &[String], page: &str) -> Result<String, String> {
    let mut items = items(raw)?;
    for item in &mut items {
        expand_codes(item)?;
    }
    let page = page.replace("{contents}\n", &contents(sources)).replace("{codes}\n", &shared());
    names_are_declared(&page, &items)?;
    let mut header = first_page(&page);
    for (part, source) in PARTS.iter().zip(sources) {
        let rule = "-".repeat(COLUMNS - 10 - part.heading.len());
        header += &format!("/* {} {rule} */\n\n", part.heading);
        let mut names = declared(source);
        if part.heading == HANDLES {
            let handles = items.iter().filter(|item| item.is_handle());
            names.extend(handles.map(|item| item.name().to_owned()));
        }
        for name in names {
            header += &taken(&mut items, &name)?;
        }
        if part.heading == HANDLES {
            header += "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n";
        }
    }
    match items.first() {
        Some(item) => Err(format!("no part of the header declares or takes {}", item.name())),
        None => Ok(header + "#ifdef __cplusplus\n}\n#endif\n\n#endif /* SMOLWF_H */\n"),
    }
}

/// Reads the declarations of what cbindgen wrote. What stands around them is written anew.
fn items(raw: &str) -> Result<Vec<Item>, String> {
    let mut found = Vec::new();
    let mut lines = raw.lines();
    while let Some(line) = lines.next() {
        if line != "/**" {
            let is_lost = line.starts_with("#define SW_") || line.ends_with([';', ',']);
            if is_lost {
                return Err(format!("this has no documentation: {line}"));
            }
            continue;
        }
        let doc = lines.by_ref().take_while(|line| *line != " */");
        let doc = doc.map(|line| line.get(3..).unwrap_or_default().to_owned()).collect();
        let mut code: Vec<String> = Vec::new();
        for line in lines.by_ref() {
            code.push(line.to_owned());
            let is_whole = match code[0].as_str() {
                "typedef struct {" => line.starts_with('}'),
                first => first.starts_with('#') || line.ends_with(';'),
            };
            if is_whole {
                break;
            }
        }
        found.push(Item { doc, code });
    }
    Ok(found)
}

/// Returns the names of the constants and functions that a source declares, in its order.
fn declared(source: &str) -> Vec<String> {
    let name = |line: &str| {
        let rest = line
            .strip_prefix("pub const ")
            .or_else(|| line.split_once("\"C\" fn ").map(|it| it.1))?;
        let name = rest.split([':', '(']).next()?;
        name.to_ascii_lowercase().starts_with("sw_").then(|| name.to_owned())
    };
    source.lines().filter(|line| line.starts_with("pub ")).filter_map(name).collect()
}

/// Takes a declaration out and returns its text, for a function after the option structs that it is
/// the first to take. A flag waits for its struct.
fn taken(items: &mut Vec<Item>, name: &str) -> Result<String, String> {
    let at = items.iter().position(|item| item.name() == name);
    let item = items.remove(at.ok_or_else(|| format!("cbindgen did not find {name}"))?);
    let is_flag = item.doc.first().is_some_and(|doc| doc.starts_with("Flag of "));
    if is_flag && !item.is_function() {
        items.push(item);
        return Ok(String::new());
    }
    let mut text = String::new();
    let code = item.code.join(" ");
    let is_new = |it: &Item| it.is_type() && code.contains(&format!("const {} *", it.name()));
    while item.is_function()
        && let Some(at) = items.iter().position(is_new)
    {
        let options = items.remove(at);
        let (flags, rest) =
            std::mem::take(items).into_iter().partition(|it| it.is_flag_of(options.name()));
        *items = rest;
        let flags: Vec<Item> = flags;
        text += &flags.iter().map(Item::text).collect::<String>();
        text += &options.text();
    }
    Ok(text + &item.text())
}

/// Puts a sentence for `\codes <class>`, which points to the first page.
fn expand_codes(item: &mut Item) -> Result<(), String> {
    let name = item.name().to_owned();
    for line in &mut item.doc {
        let Some(given) = line.strip_prefix("\\codes ") else { continue };
        let (class, but) = given.split_once(" but ").unwrap_or((given, ""));
        let codes = codes(class).ok_or_else(|| format!("{name} has an unknown class: {line}"))?;
        if let Some(code) = but.split(", ").find(|it| !it.is_empty() && !codes.contains(it)) {
            return Err(format!("{name}: {code} is none of the codes of {class}"));
        }
        let kind = if class == "any" { "any call" } else { &format!("any {class} call") };
        let but = if but.is_empty() { String::new() } else { format!(" but {but}") };
        *line = format!("Also what {kind} may answer{but}: SHARED CODES.");
    }
    Ok(())
}

/// Returns all codes of a class, those of the classes below it first.
pub fn codes(class: &str) -> Option<Vec<&'static str>> {
    let (_, below, own) = CLASSES.iter().find(|(name, ..)| *name == class)?;
    let mut all = codes(below).unwrap_or_default();
    all.extend(*own);
    Some(all)
}

/// The classes of calls, for the first page.
fn shared() -> String {
    let line = |(name, below, own): &(&str, &str, &[&str])| {
        let begin = if below.is_empty() { String::new() } else { format!("as {below}, and ") };
        wrapped(&format!("{begin}{}", own.join(", ")), &format!("{name:<10}"), 10)
    };
    CLASSES.iter().map(line).collect()
}

/// The contents: each heading with what is found there, and the functions.
fn contents(sources: &[String]) -> String {
    let entry = |(part, source): (&Part, &String)| {
        let functions = declared(source).into_iter().filter(|name| name.starts_with("sw_"));
        let functions = functions.collect::<Vec<_>>().join(" ");
        let head = format!("{} - {}\n", part.heading, part.tells);
        let list = if functions.is_empty() { functions } else { wrapped(&functions, "    ", 4) };
        head + &list
    };
    PARTS.iter().zip(sources).map(entry).collect()
}

/// Breaks a text into lines for the first page, the first after `head`, the others indented.
fn wrapped(text: &str, head: &str, indent: usize) -> String {
    let (mut all, mut line) = (String::new(), head.to_owned());
    for word in text.split(' ') {
        if line.len() + word.len() + 1 > COLUMNS - 3 && !line.trim().is_empty() {
            all += &format!("{}\n", line.trim_end());
            line = " ".repeat(indent);
        }
        let is_first = line.ends_with(' ') || line.is_empty();
        line += &format!("{}{word}", if is_first { "" } else { " " });
    }
    all + &line + "\n"
}

/// Refuses a first page that speaks of what is not there.
fn names_are_declared(page: &str, items: &[Item]) -> Result<(), String> {
    let known: BTreeSet<&str> = items.iter().map(Item::name).collect();
    let words = page.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let names = words.filter(|it| it.starts_with("sw_") || it.starts_with("SW_"));
    let whole = names.filter(|it| !it.ends_with('_'));
    match whole.into_iter().find(|name| !known.contains(name)) {
        Some(name) => Err(format!("the first page names {name}, which is not declared")),
        None => Ok(()),
    }
}

fn first_page(page: &str) -> String {
    let lines = page.lines().map(|line| format!(" * {line}").trim_end().to_owned() + "\n");
    let includes = "#include <stddef.h>\n#include <stdint.h>\n\n";
    let guard = "#ifndef SMOLWF_H\n#define SMOLWF_H\n\n";
    format!("/*\n{} */\n\n{guard}{includes}", lines.collect::<String>())
}

/// Frames documentation: in one line where it has only one.
fn comment(doc: &[String], indent: &str) -> String {
    if let [line] = doc
        && indent.len() + line.len() + 7 <= COLUMNS
    {
        return format!("{indent}/** {line} */\n");
    }
    let lines = doc.iter().map(|line| format!("{indent} * {line}").trim_end().to_owned() + "\n");
    format!("{indent}/**\n{}{indent} */\n", lines.collect::<String>())
}

/// Frames the documentation of fields anew, and gives a struct its type's name as tag. (With
/// cbindgen's own style for that, uses of a type carry the word `struct`, which some parsers of
/// headers do not read.)
fn fields(code: &[String], name: &str) -> String {
    let (mut text, mut doc) = (String::new(), Vec::new());
    for line in code {
        match line.trim_start() {
            "typedef struct {" => text += &format!("typedef struct {name} {{\n"),
            "/**" => doc.clear(),
            "*/" => text += &comment(&doc, "  "),
            told if told.starts_with("* ") => doc.push(told[2..].to_owned()),
            _ => text += &format!("{line}\n"),
        }
    }
    text
}

/// Breaks a function into lines, a text and its length on one.
fn filled(code: &str) -> String {
    let code = code.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some((head, parameters)) = code.split_once('(') else { return code + "\n" };
    let indent = " ".repeat(head.len() + 1);
    let (mut all, mut line) = (String::new(), format!("{head}("));
    let mut parameters = parameters.split(", ").peekable();
    while let Some(first) = parameters.next() {
        let pair = parameters.next_if(|next| next.trim_end_matches(");").ends_with("_len"));
        let pair = pair.map_or(first.to_owned(), |len| format!("{first}, {len}"));
        let pair = if parameters.peek().is_some() { pair + "," } else { pair };
        if line.len() + pair.len() + 1 > COLUMNS && !line.ends_with('(') {
            all += &format!("{line}\n");
            line = indent.clone() + &pair;
        } else {
            let space = if line.ends_with('(') { "" } else { " " };
            line += &format!("{space}{pair}");
        }
    }
    all + &line + "\n"
}
