//! Filters: the options that choose runs, and the JSON object that the library reads.

use clap::Args;
use serde_json::value::RawValue;

use crate::door::Store;
use crate::failure::Failure;
use crate::run_id;
use crate::time;

/// Which runs: all that is named must be true of them.
#[derive(Args, Debug, Default, Clone)]
#[command(next_help_heading = "Which runs")]
pub struct Filter {
    /// pending, running, waiting, paused, completed, failed or cancelled; several with commas
    #[arg(long, value_delimiter = ',')]
    pub state: Vec<String>,
    /// Name of the workflow
    #[arg(long)]
    pub workflow: Option<String>,
    /// Name of the queue
    #[arg(long)]
    pub queue: Option<String>,
    /// Version of the code
    #[arg(long, value_name = "VERSION")]
    pub code_version: Option<String>,
    /// Worker of the newest attempt
    #[arg(long)]
    pub worker: Option<String>,
    /// Submitted by this run
    #[arg(long, value_name = "RUN")]
    pub parent: Option<String>,
    /// In the tree of this topmost run
    #[arg(long, value_name = "RUN")]
    pub root: Option<String>,
    /// Only topmost runs
    #[arg(long)]
    pub roots: bool,
    /// Submitted at this time or later
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Submitted before this time
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// Ended at this time or later
    #[arg(long, value_name = "TIME")]
    pub ended_from: Option<String>,
    /// Ended before this time
    #[arg(long, value_name = "TIME")]
    pub ended_to: Option<String>,
    /// A member of its metadata; may be given again
    #[arg(long, value_name = "KEY=VALUE")]
    pub meta: Vec<String>,
    /// Its idempotency key
    #[arg(long)]
    pub key: Option<String>,
    /// The scope of its idempotency key
    #[arg(long)]
    pub scope: Option<String>,
    /// Text that its error contains
    #[arg(long, value_name = "TEXT")]
    pub error: Option<String>,
    /// Told to end, and has not yet
    #[arg(long)]
    pub cancel_asked: bool,
    /// The oldest first
    #[arg(long)]
    pub oldest: bool,
    /// A filter of the library, JSON, instead of the options above
    #[arg(long = "where", value_name = "JSON")]
    pub raw: Option<String>,
}

/// A JSON object in the making; values are texts of JSON.
#[derive(Default, Clone)]
pub struct Object(Vec<(String, String)>);

impl Object {
    /// Adds a member whose value is JSON already.
    pub fn json(&mut self, key: &str, json: impl Into<String>) {
        self.0.retain(|(other, _)| other != key);
        self.0.push((key.to_string(), json.into()));
    }

    /// Adds a member with a text, if there is one.
    pub fn text(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.json(key, quote(text));
        }
    }

    /// Whether it has no member.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The JSON of a member.
    pub fn json_of(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == key).map(|(_, json)| json.as_str())
    }

    /// Whether it has a member.
    pub fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(other, _)| other == key)
    }
}

impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let members: Vec<String> =
            self.0.iter().map(|(key, json)| format!("{}:{json}", quote(key))).collect();
        write!(f, "{{{}}}", members.join(","))
    }
}

/// A text as JSON.
pub fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Reads `KEY=VALUE` pairs into an object; a value that is a number, true, false, null or a quoted
/// string is that, all else a string.
pub fn members(pairs: &[String]) -> Result<Object, Failure> {
    let mut object = Object::default();
    for pair in pairs {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(Failure::Usage(format!("'{pair}' is not of the form KEY=VALUE")));
        };
        let is_json =
            serde_json::from_str::<&RawValue>(value).is_ok() && !value.starts_with(['{', '[']);
        object.json(key, if is_json { value.to_string() } else { quote(value) });
    }
    Ok(object)
}

impl Filter {
    /// Whether it leaves nothing out.
    pub fn is_empty(&self) -> bool {
        let texts = [
            &self.workflow,
            &self.queue,
            &self.code_version,
            &self.worker,
            &self.parent,
            &self.root,
            &self.from,
            &self.to,
            &self.ended_from,
            &self.ended_to,
            &self.key,
            &self.scope,
            &self.error,
            &self.raw,
        ];
        let none = texts.iter().all(|text| text.is_none());
        none && self.state.is_empty() && self.meta.is_empty() && !self.roots && !self.cancel_asked
    }

    /// The filter as the library reads it.
    pub fn object(&self, store: &Store) -> Result<Object, Failure> {
        if let Some(raw) = &self.raw {
            return self.given(raw);
        }
        let mut object = Object::default();
        if !self.state.is_empty() {
            let states: Vec<String> = self.state.iter().map(|state| quote(state)).collect();
            object.json("state", format!("[{}]", states.join(",")));
        }
        object.text("workflow", self.workflow.as_deref());
        object.text("queue", self.queue.as_deref());
        object.text("code_version", self.code_version.as_deref());
        object.text("worker", self.worker.as_deref());
        for (key, run) in [("parent_run_id", &self.parent), ("root_run_id", &self.root)] {
            if let Some(run) = run {
                object.text(key, Some(&run_id::resolve(store, run)?));
            }
        }
        if self.roots {
            object.json("roots_only", "true");
        }
        self.times(store.now_ms(), &mut object)?;
        if !self.meta.is_empty() {
            object.json("metadata", members(&self.meta)?.to_string());
        }
        object.text("idempotency_key", self.key.as_deref());
        object.text("idempotency_scope", self.scope.as_deref());
        object.text("error_contains", self.error.as_deref());
        if self.cancel_asked {
            object.json("cancel_asked", "true");
        }
        if self.oldest {
            object.json("order", "\"oldest\"");
        }
        Ok(object)
    }

    fn times(&self, now_ms: i64, object: &mut Object) -> Result<(), Failure> {
        let times = [
            ("created_from_ms", &self.from),
            ("created_to_ms", &self.to),
            ("finished_from_ms", &self.ended_from),
            ("finished_to_ms", &self.ended_to),
        ];
        for (key, time) in times {
            if let Some(time) = time {
                let at = time::parse_moment(time, now_ms).map_err(Failure::Usage)?;
                object.json(key, at.to_string());
            }
        }
        Ok(())
    }

    /// A filter that was typed as JSON: its members as they are.
    fn given(&self, raw: &str) -> Result<Object, Failure> {
        let raw = crate::input::json(raw)?;
        let rest = Filter { raw: None, ..self.clone() };
        if !rest.is_empty() || self.oldest {
            return Err(Failure::Usage(
                "--where stands instead of the other options of a filter".into(),
            ));
        }
        let members: std::collections::BTreeMap<String, Box<RawValue>> = serde_json::from_str(&raw)
            .map_err(|error| Failure::Usage(format!("--where is no JSON object: {error}")))?;
        let mut object = Object::default();
        for (key, value) in members {
            object.json(&key, value.get());
        }
        Ok(object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_a_number_or_a_word_where_it_reads_as_one_and_else_a_text() {
        let pairs = ["n=9223372036854775807", "t=true", "s=acme", "q=\"7\"", "o={}", "e="];
        let object = members(&pairs.map(String::from)).expect("pairs");
        assert_eq!(
            object.to_string(),
            "{\"n\":9223372036854775807,\"t\":true,\"s\":\"acme\",\"q\":\"7\",\"o\":\"{}\",\"e\":\"\"}"
        );
        assert!(members(&["n".to_string()]).is_err());
    }
}
