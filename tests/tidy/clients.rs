//! What the library exports, the clients serve.

use super::{Source, assert_none, exports, files, has_word, read};

/// Exports that a client does without, each with its reason; none so far.
const UNSERVED: [(&str, &str, &str); 0] = [];

/// Options that a client does without, each with its reason.
const UNSET: [(&str, &str, &str); 2] = [
    ("clients/go", "wait_ms of sw_claim_options", "goroutines wait in Go"),
    ("clients/go", "stop of sw_claim_options", "contexts end those waits"),
];

/// Returns the sources of each client, its tests left out.
fn clients() -> [(&'static str, Vec<Source>); 4] {
    let go = files(&["clients/go"], &[".go"]);
    [
        ("clients/python", files(&["clients/python/smolwf"], &[".py"])),
        ("clients/node", files(&["clients/node/src"], &[".ts"])),
        ("clients/go", go.into_iter().filter(|it| !it.path.ends_with("_test.go")).collect()),
        ("include/smolwf.hpp", vec![read("include/smolwf.hpp")]),
    ]
}

/// Finds exports that a client names nowhere. Node asks accessors by their last words.
fn unserved(client: &str, sources: &[Source], exports: &[String]) -> Vec<String> {
    let text: String = sources.iter().map(|source| source.text.as_str()).collect();
    let asks = |name: &str| {
        let (kind, verb) = name[3..].split_once('_').unwrap_or_default();
        text.contains(&format!("`sw_{kind}_${{what}}`")) && text.contains(&format!("\"{verb}\""))
    };
    let is_left = |name: &str| UNSERVED.iter().any(|(of, it, _)| *of == client && *it == name);
    let missing = exports.iter().filter(|it| !has_word(&text, it) && !asks(it) && !is_left(it));
    missing.map(|name| format!("{client} does not serve {name}")).collect()
}

#[test]
fn every_client_serves_every_export() {
    let sources = files(&["src/ffi"], &[".rs"]);
    let names: Vec<String> = sources.iter().flat_map(exports).map(|(_, name)| name).collect();
    assert!(names.len() > 40, "found {names:?} only");
    let faults = clients().map(|(client, sources)| unserved(client, &sources, &names));
    assert_none(&faults.concat());
}

/// Returns the fields that a host fills in, of each option struct: as they stand in the lists of their
/// layouts, lengths and what only the ABI needs left out.
fn options(source: &str) -> Vec<(String, Vec<String>)> {
    let lists = source.split("layout!(sw_").skip(1);
    let one = |list: &str| {
        let (name, fields) = list.split_once(')')?.0.split_once(':')?;
        let is_own = |field: &&str| {
            !field.ends_with("_len") && !["struct_size", "flags", "reserved"].contains(field)
        };
        let fields = fields.split_whitespace().filter(is_own).map(str::to_owned).collect();
        Some((format!("sw_{name}"), fields))
    };
    lists.filter_map(one).collect()
}

/// `run_at_ms` is `runAtMs`.
fn camel(name: &str) -> String {
    let upper = |word: &str| word[..1].to_uppercase() + &word[1..];
    let mut words = name.split('_');
    words.next().unwrap_or_default().to_owned() + &words.map(upper).collect::<String>()
}

/// Finds options that a client names nowhere: C++ and Go fill the struct, Python and Node name its field.
fn unset(client: &str, sources: &[Source], options: &[(String, Vec<String>)]) -> Vec<String> {
    let text: String = sources.iter().map(|source| source.text.as_str()).collect();
    let sets = |field: &str| match client {
        "clients/node" => has_word(&text, &camel(field)),
        "clients/python" => has_word(&text, field),
        _ => text
            .split(&format!("c.{field}"))
            .skip(1)
            .any(|rest| !rest.starts_with(|c: char| c == '_' || c.is_alphanumeric())),
    };
    let missing = |(name, fields): &(String, Vec<String>)| {
        let missing = fields.iter().filter(|field| !sets(field));
        missing.map(|field| format!("{field} of {name}")).collect::<Vec<_>>()
    };
    let is_left = |it: &String| UNSET.iter().any(|(of, option, _)| *of == client && option == it);
    let missing = options.iter().flat_map(missing).filter(|option| !is_left(option));
    missing.map(|option| format!("{client} does not set {option}")).collect()
}

#[test]
fn every_client_sets_every_option() {
    let options = options(&read("src/ffi/options.rs").text);
    let fields: usize = options.iter().map(|(_, fields)| fields.len()).sum();
    assert!(options.len() >= 5 && fields > 25, "found {options:?} only");
    let faults = clients().map(|(client, sources)| unset(client, &sources, &options));
    assert_none(&faults.concat());
}

/// Finds keys of what calls take as JSON that a client names nowhere; Go writes those of a struct's tags.
fn unwritten(client: &str, sources: &[Source], shape: &Source) -> Vec<String> {
    let text: String = sources.iter().map(|source| source.text.as_str()).collect();
    let writes = |key: &str| match client {
        "clients/node" => has_word(&text, &camel(key)),
        "clients/go" => text.contains(&format!("json:\"{key}")),
        _ => has_word(&text, key),
    };
    let shape: serde_json::Value = serde_json::from_str(&shape.text).expect("a shape is JSON");
    let keys = shape["properties"].as_object().expect("it has keys").keys();
    let missing = keys.filter(|key| !writes(key));
    missing.map(|key| format!("{client} does not write {key} of {}", shape["title"])).collect()
}

/// C++ hands JSON on as it is given.
#[test]
fn every_client_writes_every_key_that_a_call_takes() {
    let names = ["run_filter", "event_filter", "queue_settings", "schedule_spec", "submit_item"];
    // What is answered too has in Go the one type that is made from its shape.
    let answered = ["retention", "retention_rule"];
    let shape = |name| read(&format!("docs/schemas/{name}.json"));
    let (shapes, answered) = (names.map(shape), answered.map(shape));
    let mut faults = Vec::new();
    for (client, sources) in clients().iter().filter(|(client, _)| client.starts_with("clients/")) {
        let is_written = |source: &&Source| !source.path.contains("/documents.");
        let written: Vec<Source> = sources
            .iter()
            .filter(is_written)
            .map(|source| Source::new(&source.path, &source.text))
            .collect();
        let answered = if *client == "clients/go" { &[] } else { answered.as_slice() };
        let all = shapes.iter().chain(answered);
        faults.extend(all.flat_map(|shape| unwritten(client, &written, shape)));
    }
    assert_none(&faults);
    let shape = Source::new("a.json", r#"{"title":"T","properties":{"tail_up":{}}}"#);
    let found = unwritten("clients/go", &[Source::new("a/b", "json:\"tail\"")], &shape);
    assert_eq!(found, ["clients/go does not write tail_up of \"T\""]);
}

#[test]
fn an_option_that_a_client_lacks_is_found() {
    let given = options("layout!(sw_fly_options:\n    struct_size flags tail_up tail_up_len)");
    let find = |client, text: &str| unset(client, &[Source::new("a/b", text)], &given);
    assert_none(&find("clients/node", "tailUp?: string"));
    assert_none(&find("clients/python", "tail_up: str"));
    assert_none(&find("clients/go", "c.tail_up, c.tail_up_len = text(o.TailUp)"));
    let lacks = ["clients/go does not set tail_up of sw_fly_options"];
    assert_eq!(find("clients/go", "o.tail_up; c.tail_up_len"), lacks);
}

#[test]
fn an_export_that_a_client_lacks_is_found() {
    let names = ["sw_run_fly".to_owned(), "sw_step_id".to_owned()];
    let find = |text: &str| unserved("a", &[Source::new("a/b.ts", text)], &names);
    assert_none(&find("later(\"sw_run_fly\"); ask(`sw_step_${what}`); ask(\"id\")"));
    assert_eq!(find("sw_run_fly_off(); sw_step_id()"), ["a does not serve sw_run_fly"]);
    assert_eq!(find("sw_run_fly(); ask(`sw_step_${what}`)"), ["a does not serve sw_step_id"]);
}

/// Returns the name of the class that a line at the margin begins, and whether its members are public.
fn class_begun(line: &str) -> Option<(&str, bool)> {
    let (_, head) =
        line.strip_suffix('{')?.rsplit_once("class ").or_else(|| line.rsplit_once("struct "))?;
    let name = head
        .trim_start_matches("[[nodiscard]] ")
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()?;
    let is_begun = ["class ", "struct ", "template "].iter().any(|word| line.starts_with(word));
    is_begun.then_some((name, line.contains("struct ")))
}

/// Returns the name of the method that a line of a class declares; what C++ itself calls is no method.
fn method<'a>(line: &'a str, class: &str) -> Option<&'a str> {
    let declared = line.strip_prefix("    ")?;
    let (before, _) = declared.split_once('(')?;
    let name = before.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next()?;
    let is_other = declared.starts_with([' ', '/', '}', ':']) || before.contains(['=', '~']);
    let is_other = is_other || line.contains("operator") || line.contains("= delete");
    let is_other =
        is_other || ["using ", "friend ", "template "].iter().any(|it| declared.starts_with(it));
    (!is_other && name != class && name != "c" && !name.is_empty()).then_some(name)
}

/// Finds public methods of a C++ header without a comment; of several forms the first needs one.
fn silent_methods(source: &Source) -> Vec<String> {
    let (mut class, mut is_public, mut is_detail) = ("", false, false);
    let (mut faults, mut last, mut is_told) = (Vec::new(), "", false);
    for (at, line) in source.text.lines().enumerate() {
        is_detail =
            (is_detail || line.starts_with("namespace detail")) && line != "} // namespace detail";
        (class, is_public) = class_begun(line).unwrap_or((class, is_public));
        is_public = (is_public || line == "  public:") && !["  private:", "};"].contains(&line);
        if let Some(name) = method(line, class).filter(|_| is_public && !is_detail) {
            if !is_told && name != last {
                faults.push(source.fault(at, &format!("{class}::{name} has no comment")));
            }
            last = name;
        }
        is_told = line.ends_with("*/") || (is_told && line.starts_with("    template"));
    }
    faults
}

#[test]
fn every_public_method_in_cpp_says_what_it_does() {
    let headers = ["include/smolwf.hpp", "include/smolwf_worker.hpp"].map(read);
    assert_none(&headers.iter().flat_map(silent_methods).collect::<Vec<_>>());
    for (header, least) in headers.iter().zip([100, 20]) {
        let bare: String =
            header.text.lines().filter(|it| !it.ends_with("*/")).collect::<Vec<_>>().join("\n");
        let found = silent_methods(&Source::new(&header.path, &bare)).len();
        assert!(found > least, "{found} methods in {}", header.path);
    }
}
