//! Scripts as a host writes them: a list of items, each of one kind.

use super::values;
use crate::domain::input::{absent, integer_in, list, object, payload, present, word};
use crate::domain::items;
use crate::domain::port::SqlStatement;
use crate::domain::submit::Submit;
use crate::error::{Error, Result};
use crate::id::Id;
use crate::limits::{ID_CAP, KEY_BYTES_MAX, NAME_BYTES_MAX, SCRIPT_LEN_MAX, SQL_TEXT_BYTES_MAX};

/// A script, checked.
#[derive(Debug, Clone)]
pub struct Script {
    pub(super) items: Vec<Item>,
}

/// One thing that a script does.
#[derive(Debug, Clone)]
pub(super) enum Item {
    /// A statement, and how many rows it must change.
    Sql(SqlStatement, Option<u64>),
    /// A run, with the id that it gets.
    Submit(Box<(Submit, Id)>),
    /// A message to a run.
    Signal(Box<Message>),
    /// The end of the step.
    StepComplete(Outcome),
    /// The end of the attempt.
    AttemptComplete(Outcome),
}

/// What a message says, and to whom.
#[derive(Debug, Clone, Default)]
pub(super) struct Message {
    pub(super) run_id: String,
    pub(super) name: String,
    pub(super) payload: Option<String>,
    pub(super) key: Option<String>,
}

/// What something ends with.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// This JSON.
    Given(String),
    /// What an earlier item came to.
    Of(usize),
}

impl Script {
    /// Reads a script; `draw` gives the ids of the runs that it submits.
    pub fn read(text: &str, mut draw: impl FnMut() -> Id) -> Result<Script> {
        let items = list("script", text, SCRIPT_LEN_MAX, |text| item(text, &mut draw))?;
        let script = Script { items };
        for (at, item) in script.items.iter().enumerate() {
            script.check(at, item).map_err(|error| error.within(&format!("script[{at}]")))?;
        }
        Ok(script)
    }

    /// Refuses an item that cannot stand where it does.
    fn check(&self, at: usize, item: &Item) -> Result<()> {
        let is_last = at + 1 == self.items.len();
        let is_second =
            || self.items[..at].iter().any(|item| matches!(item, Item::StepComplete(_)));
        match item {
            Item::AttemptComplete(_) if !is_last => {
                Err(Error::invalid("attempt_complete must be the last item"))
            }
            Item::StepComplete(_) if is_second() => {
                Err(Error::invalid("step_complete comes twice"))
            }
            Item::StepComplete(Outcome::Of(of)) | Item::AttemptComplete(Outcome::Of(of))
                if *of >= at =>
            {
                Err(Error::invalid(format!(
                    "result_from is {of}, it must name an item before {at}"
                )))
            }
            Item::Sql(..)
            | Item::Submit(_)
            | Item::Signal(_)
            | Item::StepComplete(_)
            | Item::AttemptComplete(_) => Ok(()),
        }
    }

    /// Returns whether it records the end of a step.
    pub fn completes_step(&self) -> bool {
        self.items.iter().any(|item| matches!(item, Item::StepComplete(_)))
    }

    /// Returns whether it ends an attempt.
    pub fn completes_attempt(&self) -> bool {
        self.items.iter().any(|item| matches!(item, Item::AttemptComplete(_)))
    }

    /// Returns whether it submits a run that only this handle of the store may claim.
    pub fn has_local(&self) -> bool {
        self.items.iter().any(|item| matches!(item, Item::Submit(run) if run.0.is_local))
    }
}

/// The kinds of items, by their key.
const KINDS: [&str; 6] = ["sql", "query", "submit", "signal", "step_complete", "attempt_complete"];

fn item(text: &str, draw: &mut impl FnMut() -> Id) -> Result<Item> {
    let (mut kind, mut params, mut expect_changes) = (None, None, None);
    object(text, |key, value| {
        match KINDS.iter().find(|kind| **kind == key) {
            Some(_) if kind.is_some() => return Err(Error::invalid(one_kind())),
            Some(known) => kind = Some((*known, value)),
            None if key == "params" => params = present(value),
            None if key == "expect_changes" => expect_changes = present(value),
            None => return Ok(false),
        }
        Ok(true)
    })?;
    let (kind, value) = kind.ok_or_else(|| Error::invalid(one_kind()))?;
    let is_sql = kind == "sql";
    let stray = [
        ("params", params.filter(|_| !is_sql && kind != "query")),
        ("expect_changes", expect_changes.filter(|_| !is_sql)),
    ];
    if let Some((key, _)) = stray.iter().find(|(_, value)| value.is_some()) {
        return Err(Error::invalid(format!("{key} does not go with {kind}")));
    }
    let expected = expect_changes
        .map(|text| integer_in("expect_changes", text, 0..=i64::MAX).map(i64::unsigned_abs))
        .transpose()?;
    Ok(match kind {
        "sql" | "query" => Item::Sql(statement(kind, value, params)?, expected),
        "submit" => {
            Item::Submit(Box::new((items::run(value).map_err(|error| error.within(kind))?, draw())))
        }
        "signal" => Item::Signal(Box::new(message(value).map_err(|error| error.within(kind))?)),
        "step_complete" => Item::StepComplete(outcome(value).map_err(|error| error.within(kind))?),
        _ => Item::AttemptComplete(outcome(value).map_err(|error| error.within(kind))?),
    })
}

fn one_kind() -> String {
    format!("an item has one of the keys {}", KINDS.join(", "))
}

fn statement(kind: &str, value: &str, params: Option<&str>) -> Result<SqlStatement> {
    let sql = word(kind, value, SQL_TEXT_BYTES_MAX)?.ok_or_else(|| absent(kind))?;
    let params = params.map(values::params).transpose()?.unwrap_or_default();
    values::statement(&sql, params, kind == "query")
}

fn message(text: &str) -> Result<Message> {
    let mut message = Message::default();
    object(text, |key, value| {
        match key {
            "run_id" => message.run_id = word(key, value, ID_CAP)?.unwrap_or_default(),
            "name" => message.name = word(key, value, NAME_BYTES_MAX)?.unwrap_or_default(),
            "payload" => message.payload = payload(key, value)?,
            "idempotency_key" => message.key = word(key, value, KEY_BYTES_MAX)?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    for (what, word) in [("run_id", &message.run_id), ("name", &message.name)] {
        if word.is_empty() {
            return Err(absent(what));
        }
    }
    Ok(message)
}

fn outcome(text: &str) -> Result<Outcome> {
    let (mut result, mut from) = (None, None);
    object(text, |key, value| {
        match key {
            "result" => result = payload(key, value)?,
            "result_from" => from = present(value),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    match (result, from) {
        (Some(_), Some(_)) => Err(Error::invalid("result and result_from are both given")),
        (None, Some(from)) => {
            let at = integer_in("result_from", from, 0..=SCRIPT_LEN_MAX as i64 - 1)?;
            Ok(Outcome::Of(usize::try_from(at).unwrap_or(SCRIPT_LEN_MAX)))
        }
        (result, None) => Ok(Outcome::Given(result.unwrap_or_else(|| "null".into()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Script> {
        Script::read(text, || Id::from_bytes([1; 16]))
    }

    #[test]
    fn a_script_says_what_it_ends() {
        let script = read(
            r#"[{"sql":"INSERT INTO a VALUES (?)","params":[1],"expect_changes":1},
            {"query":"SELECT 1"},{"submit":{"workflow":"w","local":true}},
            {"signal":{"run_id":"run_x","name":"n","payload":{"a" : 1},"idempotency_key":"k"}},
            {"step_complete":{"result_from":1}},{"attempt_complete":{}}]"#,
        )
        .unwrap();
        assert!(script.completes_step() && script.completes_attempt() && script.has_local());
        let Item::Sql(statement, Some(1)) = &script.items[0] else { panic!() };
        assert!(!statement.is_query);
        let Item::Signal(message) = &script.items[3] else { panic!() };
        assert_eq!(message.payload.as_deref(), Some(r#"{"a" : 1}"#));
        assert!(matches!(&script.items[4], Item::StepComplete(Outcome::Of(1))));
        assert!(
            matches!(&script.items[5], Item::AttemptComplete(Outcome::Given(null)) if null == "null")
        );
        let script = read(r#"[{"sql":"SELECT 1","params":null,"expect_changes":null}]"#).unwrap();
        assert!(!script.completes_step() && !script.completes_attempt() && !script.has_local());
    }

    #[test]
    fn an_error_names_the_item_and_what_is_wrong_with_it() {
        for (bad, told) in [
            ("[]", "script has 0 entries, it must have 1 to 1000"),
            ("{}", "script: expected an array"),
            ("[7]", "script[0]: expected an object"),
            ("[{}]", "script[0]: an item has one of the keys sql, query, submit"),
            (r#"[{"sql":"a","query":"b"}]"#, "script[0]: an item has one of the keys"),
            (r#"[{"sql":"a"},{"sql":"b","parms":[]}]"#, r#"script[1]: unknown key "parms""#),
            (r#"[{"sql":7}]"#, "script[0]: sql is no string"),
            (r#"[{"sql":null}]"#, "script[0]: sql is absent"),
            (r#"[{"sql":"a","params":7}]"#, "script[0]: params: expected an array or an object"),
            (r#"[{"sql":"a","expect_changes":-1}]"#, "script[0]: expect_changes is -1"),
            (r#"[{"query":"a","expect_changes":1}]"#, "script[0]: expect_changes does not go with"),
            (r#"[{"submit":{"workflow":"w"},"params":[]}]"#, "script[0]: params does not go with"),
            (r#"[{"submit":{"args":1}}]"#, "script[0]: submit: workflow is absent"),
            (r#"[{"signal":{"run_id":"r"}}]"#, "script[0]: signal: name is absent"),
            (r#"[{"signal":{"name":"n"}}]"#, "script[0]: signal: run_id is absent"),
            (r#"[{"step_complete":{"result_from":0}}]"#, "script[0]: result_from is 0, it must"),
            (
                r#"[{"step_complete":{"result_from":1000}}]"#,
                "script[0]: step_complete: result_from",
            ),
            (
                r#"[{"step_complete":{}},{"step_complete":{}}]"#,
                "script[1]: step_complete comes twice",
            ),
            (r#"[{"attempt_complete":{}},{"sql":"a"}]"#, "script[0]: attempt_complete must be"),
            (
                r#"[{"step_complete":{"result":{"$smolwf":1}}}]"#,
                "script[0]: step_complete: result has",
            ),
        ] {
            let error = read(bad).unwrap_err();
            assert_eq!(error.code(), -2, "{bad}: {error}");
            assert!(error.to_string().starts_with(told), "{bad}: {error}");
        }
        let many = format!("[{}{{\"sql\":\"a\"}}]", r#"{"sql":"a"},"#.repeat(SCRIPT_LEN_MAX));
        assert_eq!(read(&many).unwrap_err().code(), -2);
    }
}
