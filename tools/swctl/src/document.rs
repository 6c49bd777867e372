//! The documents of the library, as far as the tool reads them. Payloads stay the bytes they are.

use serde::Deserialize;
use serde_json::value::RawValue;

/// A run, whole or as a list shows it: what a list leaves out is None.
#[derive(Deserialize)]
#[allow(missing_docs)]
pub struct Run<'a> {
    pub run_id: &'a str,
    pub root_run_id: &'a str,
    pub parent_run_id: Option<&'a str>,
    #[serde(borrow)]
    pub workflow: Text<'a>,
    #[serde(borrow)]
    pub queue: Text<'a>,
    pub state: &'a str,
    pub priority: i64,
    pub attempts: i64,
    pub tries: i64,
    pub max_tries: i64,
    pub run_at_ms: i64,
    pub created_at_ms: i64,
    pub updated_at_ms: i64,
    pub finished_at_ms: Option<i64>,
    #[serde(borrow)]
    pub code_version: Option<Text<'a>>,
    pub cancel_asked: bool,
    pub pause_asked: bool,
    pub due_at_ms: Option<i64>,
    #[serde(borrow)]
    pub args: Option<&'a RawValue>,
    #[serde(borrow)]
    pub result: Option<&'a RawValue>,
    #[serde(borrow)]
    pub error: Option<&'a RawValue>,
    #[serde(borrow)]
    pub last_error: Option<&'a RawValue>,
    #[serde(borrow)]
    pub metadata: Option<&'a RawValue>,
}

/// A text of a document that may hold escapes.
pub type Text<'a> = std::borrow::Cow<'a, str>;

impl Run<'_> {
    /// Whether it has come to its one outcome.
    pub fn has_ended(&self) -> bool {
        matches!(self.state, "completed" | "failed" | "cancelled")
    }

    /// The error it ended with, or the newest of an open run.
    pub fn any_error(&self) -> Option<&RawValue> {
        self.error.or(self.last_error)
    }
}

/// A page of runs; each is kept as its bytes.
#[derive(Deserialize)]
#[allow(missing_docs)]
pub struct Page<'a> {
    #[serde(borrow)]
    pub items: Vec<&'a RawValue>,
    pub next: Option<&'a str>,
}

/// What happened in a run: a page.
#[derive(Deserialize)]
#[allow(missing_docs)]
pub struct History<'a> {
    #[serde(borrow)]
    pub attempts: Vec<Attempt<'a>>,
    #[serde(borrow)]
    pub steps: Vec<&'a RawValue>,
    #[serde(borrow)]
    pub signals: Vec<Signal<'a>>,
    #[serde(borrow)]
    pub children: Vec<Child<'a>>,
    #[serde(borrow)]
    pub events: Vec<&'a RawValue>,
    pub next: Option<&'a str>,
}

#[derive(Deserialize)]
#[allow(missing_docs)]
pub struct Attempt<'a> {
    pub number: i64,
    #[serde(borrow)]
    pub worker: Option<Text<'a>>,
    pub state: &'a str,
    pub started_at_ms: i64,
    pub ended_at_ms: Option<i64>,
    #[serde(borrow)]
    pub error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[allow(missing_docs)]
pub struct Step<'a> {
    pub step_id: &'a str,
    #[serde(borrow)]
    pub name: Text<'a>,
    pub occurrence: i64,
    #[serde(borrow)]
    pub kind: Text<'a>,
    pub state: &'a str,
    pub tries: i64,
    #[serde(borrow)]
    pub result: Option<&'a RawValue>,
    #[serde(borrow)]
    pub error: Option<&'a RawValue>,
    pub started_at_ms: Option<i64>,
    pub ended_at_ms: Option<i64>,
}

#[derive(Deserialize)]
#[allow(missing_docs)]
pub struct Signal<'a> {
    #[serde(borrow)]
    pub name: Text<'a>,
    #[serde(borrow)]
    pub payload: Option<&'a RawValue>,
    pub sent_at_ms: i64,
    pub consumed: bool,
}

#[derive(Deserialize)]
#[allow(missing_docs)]
pub struct Child<'a> {
    pub run_id: &'a str,
    #[serde(borrow)]
    pub workflow: Text<'a>,
    pub state: &'a str,
    pub created_at_ms: i64,
    pub finished_at_ms: Option<i64>,
}

/// A page of the log.
#[derive(Deserialize)]
#[allow(missing_docs)]
pub struct Events<'a> {
    #[serde(borrow)]
    pub items: Vec<&'a RawValue>,
    pub first_seq: i64,
    pub last_seq: i64,
    pub next_seq: Option<i64>,
}

#[derive(Deserialize)]
#[allow(missing_docs)]
pub struct Event<'a> {
    pub seq: i64,
    pub run_id: &'a str,
    #[serde(borrow, rename = "type")]
    pub kind: Text<'a>,
    #[serde(borrow)]
    pub payload: &'a RawValue,
    pub at_ms: i64,
}

/// Why a run does not move.
#[derive(Deserialize)]
#[allow(missing_docs)]
pub struct Explanation<'a> {
    pub run_id: &'a str,
    pub state: &'a str,
    #[serde(borrow)]
    pub reasons: Vec<Reason<'a>>,
}

#[derive(Deserialize)]
#[allow(missing_docs)]
pub struct Reason<'a> {
    pub code: &'a str,
    pub text: String,
    pub since_ms: Option<i64>,
    #[serde(borrow)]
    pub evidence: &'a RawValue,
    pub hint: Option<String>,
}

/// What an act on many came to.
#[derive(Deserialize)]
#[allow(missing_docs)]
pub struct Acted {
    pub matched: i64,
    pub done: i64,
    pub refused: Vec<Refused>,
    pub more: bool,
}

#[derive(Deserialize)]
#[allow(missing_docs)]
pub struct Refused {
    pub run_id: String,
    pub code: i32,
}

/// One line of a payload: its text where it is a string or an error object with a message, else its
/// JSON without the spaces between.
pub fn brief(payload: &RawValue) -> String {
    match serde_json::from_str::<serde_json::Value>(payload.get()) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(serde_json::Value::Object(members)) => match members.get("message") {
            Some(serde_json::Value::String(text)) => text.clone(),
            _ => payload.get().to_string(),
        },
        _ => payload.get().to_string(),
    }
}
