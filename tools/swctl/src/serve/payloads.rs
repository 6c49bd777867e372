//! What of a document is the host's own, and how it is shown: left out where it is large or where all of
//! it is to be hidden, and found again when it is asked for.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A payload above this is left out of a document, and asked for by itself.
pub const SHOWN_BYTES: usize = 256;

/// Keys whose values are the host's own, in runs, what their histories hold, events and evidence.
const HOSTS: &[&str] = &["args", "result", "error", "last_error", "metadata", "payload"];
/// Keys below which such are found.
const HOLDERS: &[&str] =
    &["items", "run", "attempts", "steps", "signals", "events", "reasons", "evidence"];

/// How payloads are shown in a document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Showing {
    /// As they are.
    Whole,
    /// Those that are small.
    Small,
    /// None; of what the library itself stored as an error its kind and its sentence.
    None,
}

/// The members of an object, in their order, their values as they are written.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// A document of runs, histories, events or explanations, its payloads shown so.
pub fn show(document: String, showing: Showing) -> serde_json::Result<String> {
    show_keys(document, showing, HOSTS)
}

/// A list of schedules: nothing but args is the host's there, and error is the library's.
pub fn show_schedules(document: String, showing: Showing) -> serde_json::Result<String> {
    show_keys(document, showing, &["args"])
}

fn show_keys(document: String, showing: Showing, hosts: &[&str]) -> serde_json::Result<String> {
    if showing == Showing::Whole {
        return Ok(document);
    }
    let mut out = String::with_capacity(document.len().min(1 << 20));
    write(&document, showing, hosts, &mut out)?;
    Ok(out)
}

fn write(text: &str, showing: Showing, hosts: &[&str], out: &mut String) -> serde_json::Result<()> {
    match text.as_bytes().first() {
        Some(b'{') => write_object(text, showing, hosts, out),
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(item.get(), showing, hosts, out)?;
            }
            out.push(']');
            Ok(())
        }
        _ => {
            out.push_str(text);
            Ok(())
        }
    }
}

fn write_object(
    text: &str,
    showing: Showing,
    hosts: &[&str],
    out: &mut String,
) -> serde_json::Result<()> {
    let Members(members) = serde_json::from_str(text)?;
    out.push('{');
    for (at, (key, value)) in members.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&serde_json::to_string(key)?);
        out.push(':');
        if hosts.contains(&key.as_str()) {
            out.push_str(&shown(key, value.get(), showing));
        } else if HOLDERS.contains(&key.as_str()) {
            write(value.get(), showing, hosts, out)?;
        } else {
            out.push_str(value.get());
        }
    }
    out.push('}');
    Ok(())
}

/// What stands in a payload's place cannot be the host's: the library refuses its key in payloads. In
/// that of a large error, whose trace makes it so, stands what it says.
fn shown(key: &str, payload: &str, showing: Showing) -> String {
    let fits = match showing {
        Showing::Whole => true,
        Showing::Small => payload.len() <= SHOWN_BYTES,
        Showing::None => payload == "null",
    };
    if fits {
        return payload.to_string();
    }
    if showing == Showing::None
        && let Some(said) = of_the_library(payload)
    {
        return said;
    }
    let bytes = payload.len();
    match sentence(payload).filter(|_| showing == Showing::Small && key.ends_with("error")) {
        Some(said) => format!(r#"{{"$smolwf":"payload","bytes":{bytes},"message":{said}}}"#),
        None => format!(r#"{{"$smolwf":"payload","bytes":{bytes}}}"#),
    }
}

/// The beginning of what an error says: of a text that it is, or of the one that it has as message.
fn sentence(payload: &str) -> Option<String> {
    let text: String = if payload.starts_with('{') {
        let Members(members) = serde_json::from_str(payload).ok()?;
        let said = members.iter().find(|(key, _)| key == "message" || key == "error")?.1;
        serde_json::from_str(said.get()).ok()?
    } else {
        serde_json::from_str(payload).ok()?
    };
    serde_json::to_string(beginning(&text, SHOWN_BYTES)).ok()
}

/// So many bytes of a text, or as many fewer as leave its last character whole.
pub fn beginning(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// An error that the library stored, without the reason that a host gave.
fn of_the_library(payload: &str) -> Option<String> {
    if !payload.starts_with('{') {
        return None;
    }
    let Members(members) = serde_json::from_str(payload).ok()?;
    let find =
        |key: &str| members.iter().find(|(name, _)| name == key).map(|(_, value)| value.get());
    let (kind, message) = (find("$smolwf")?, find("message").unwrap_or("null"));
    Some(format!(r#"{{"$smolwf":{kind},"message":{message}}}"#))
}

/// Which payload is meant.
pub enum Place<'a> {
    /// A member of the document itself.
    Own(&'a str),
    /// A member of a record in a list of the document.
    Within {
        /// The list.
        list: &'a str,
        /// The record's id or number; its position where records have none.
        id: &'a str,
        /// The member.
        part: &'a str,
    },
}

/// A payload of a document, byte for byte; None where there is none.
pub fn find<'a>(document: &'a str, place: &Place<'_>) -> Option<&'a str> {
    let own = serde_json::from_str(document).ok()?;
    match place {
        Place::Own(part) => member(&own, part).filter(|_| HOSTS.contains(part)),
        Place::Within { list, id, part } => {
            let records: Vec<&RawValue> = serde_json::from_str(member(&own, list)?).ok()?;
            let record = match *list {
                "steps" => records.into_iter().find(|record| has(record, "step_id", id)),
                "attempts" => records.into_iter().find(|record| has(record, "attempt_id", id)),
                "items" => records.into_iter().find(|record| has(record, "seq", id)),
                "signals" => records.get(id.parse::<usize>().ok()?).copied(),
                _ => None,
            };
            let record = serde_json::from_str(record?.get()).ok()?;
            member(&record, part).filter(|_| HOSTS.contains(part))
        }
    }
}

fn member<'a>(object: &Members<'a>, key: &str) -> Option<&'a str> {
    object.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.get())
}

fn has(record: &RawValue, key: &str, id: &str) -> bool {
    let Ok(record) = serde_json::from_str(record.get()) else { return false };
    member(&record, key).is_some_and(|value| value.trim_matches('"') == id)
}

/// Whether a filter asks about payloads, which whoever may not see them must not find out by asking.
pub fn asks_about_payloads(filter: &str) -> bool {
    let Ok(Members(members)) = serde_json::from_str(filter) else { return false };
    members
        .iter()
        .any(|(key, value)| value.get() != "null" && (key == "metadata" || key == "error_contains"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown_as(document: impl Into<String>, showing: Showing) -> String {
        show(document.into(), showing).expect("a document")
    }

    fn large() -> String {
        format!("{{\"x\":\"{}\"}}", "y".repeat(SHOWN_BYTES))
    }

    #[test]
    fn a_large_payload_is_left_out_and_all_else_stays_byte_for_byte() {
        let document = format!(
            r#"{{"run":{{"n":9223372036854775807,"args":{0},"result":1.0}},"steps":[{{"name":"args","result":{0}}}]}}"#,
            large()
        );
        let bytes = large().len();
        let cut = format!(r#"{{"$smolwf":"payload","bytes":{bytes}}}"#);
        let wanted = format!(
            r#"{{"run":{{"n":9223372036854775807,"args":{cut},"result":1.0}},"steps":[{{"name":"args","result":{cut}}}]}}"#
        );
        assert_eq!(shown_as(document.clone(), Showing::Small), wanted);
        assert_eq!(shown_as(document.clone(), Showing::Whole), document);
    }

    #[test]
    fn a_large_error_keeps_what_it_says() {
        let stack = "s".repeat(SHOWN_BYTES);
        let document =
            format!(r#"{{"error":{{"type":"E","message":"bank is down","stack":"{stack}"}}}}"#);
        let bytes = document.len() - r#"{"error":}"#.len();
        assert_eq!(
            shown_as(document, Showing::Small),
            format!(
                r#"{{"error":{{"$smolwf":"payload","bytes":{bytes},"message":"bank is down"}}}}"#
            )
        );
        let text = format!(r#"{{"last_error":"{}"}}"#, "\u{e4}".repeat(SHOWN_BYTES));
        let said = "\u{e4}".repeat(SHOWN_BYTES / 2);
        assert!(shown_as(text, Showing::Small).ends_with(&format!(r#""message":"{said}"}}}}"#)));
        let hidden = shown_as(r#"{"error":{"message":"secret"}}"#, Showing::None);
        assert!(!hidden.contains("secret"), "{hidden}");
    }

    #[test]
    fn what_a_payload_holds_is_not_looked_into() {
        let document = r#"{"args":{"items":[{"args":7}],"run":{"error":"e"}}}"#.to_string();
        assert_eq!(shown_as(document.clone(), Showing::Small), document);
    }

    #[test]
    fn hidden_payloads_leave_their_size_and_the_librarys_own_errors_without_their_reason() {
        let document = r#"{"items":[{"error":{"$smolwf":"cancelled","message":"was cancelled","reason":"secret"},"args":"secret","metadata":null,"payload":0}]}"#;
        assert_eq!(
            shown_as(document.to_string(), Showing::None),
            r#"{"items":[{"error":{"$smolwf":"cancelled","message":"was cancelled"},"args":{"$smolwf":"payload","bytes":8},"metadata":null,"payload":{"$smolwf":"payload","bytes":1}}]}"#
        );
    }

    #[test]
    fn the_evidence_of_an_explanation_hides_its_error_too() {
        let document =
            r#"{"reasons":[{"code":"backing_off","evidence":{"error":"secret","until_ms":5}}]}"#;
        assert!(!shown_as(document.to_string(), Showing::None).contains("secret"));
    }

    #[test]
    fn a_schedule_keeps_why_it_cannot_fire_and_hides_its_args() {
        let document = r#"[{"name":"n","args":"secret","error":"no such zone"}]"#.to_string();
        assert_eq!(
            show_schedules(document, Showing::None).expect("a document"),
            r#"[{"name":"n","args":{"$smolwf":"payload","bytes":8},"error":"no such zone"}]"#
        );
    }

    #[test]
    fn a_payload_is_found_by_the_id_of_its_record_and_nothing_else_is() {
        let document = r#"{"run":{},"args":[1.0],"queue":"q","steps":[{"step_id":"step_1","result":1},{"step_id":"step_2","result":{"a":2}}],"signals":[{"payload":3},{"payload":4}],"items":[{"seq":7,"payload":5}]}"#;
        let within = |list, id, part| find(document, &Place::Within { list, id, part });
        assert_eq!(find(document, &Place::Own("args")), Some("[1.0]"));
        assert_eq!(find(document, &Place::Own("queue")), None);
        assert_eq!(find(document, &Place::Own("result")), None);
        assert_eq!(within("steps", "step_2", "result"), Some(r#"{"a":2}"#));
        assert_eq!(within("steps", "step_3", "result"), None);
        assert_eq!(within("steps", "step_2", "step_id"), None);
        assert_eq!(within("signals", "1", "payload"), Some("4"));
        assert_eq!(within("signals", "2", "payload"), None);
        assert_eq!(within("items", "7", "payload"), Some("5"));
        assert_eq!(within("children", "0", "payload"), None);
    }

    #[test]
    fn filters_that_ask_about_payloads_are_known() {
        assert!(asks_about_payloads(r#"{"error_contains":"a"}"#));
        assert!(asks_about_payloads(r#"{"metadata":{"a":1}}"#));
        assert!(asks_about_payloads("{\"\\u006detadata\":{\"a\":1}}"));
        assert!(!asks_about_payloads(r#"{"state":"failed","error_contains":null}"#));
    }
}
