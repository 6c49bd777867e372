//! The document that says what a schedule submits, and when.

use serde::Serialize;
use serde_json::value::RawValue;

use super::cron::Cron;
use crate::domain::input::{
    absent, boolean, check_payload, integer_in, object, one_of, present, word,
};
use crate::domain::output::{owned, to_text};
use crate::domain::submit::QUEUE_DEFAULT;
use crate::error::{Error, Result};
use crate::limits::{DURATION_MS_MAX, KEY_BYTES_MAX, NAME_BYTES_MAX};

/// The zone of an expression that names none.
pub(super) const UTC: &str = "UTC";

/// What happens at a firing while the run of the one before is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// No run.
    #[default]
    Skip,
    /// A run all the same.
    Queue,
}

/// What happens to firings that came due while nobody looked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// They make no run.
    None,
    /// They make one run together, for the last of them.
    #[default]
    Last,
    /// Each makes a run.
    All,
}

const OVERLAPS: [(&str, Overlap); 2] = [("skip", Overlap::Skip), ("queue", Overlap::Queue)];

const CATCH_UPS: [(&str, CatchUp); 3] =
    [("none", CatchUp::None), ("last", CatchUp::Last), ("all", CatchUp::All)];

/// The document as it is stored: every key is there.
#[derive(Debug, Clone, Serialize)]
pub struct Spec {
    /// Name of the host's function.
    pub workflow: String,
    /// JSON; `null` if `None`.
    pub args: Option<Box<RawValue>>,
    /// Queue.
    pub queue: String,
    /// Expression, or an interval.
    pub cron: Option<String>,
    /// Milliseconds from one firing to the next, or an expression.
    pub every_ms: Option<i64>,
    /// Zone of the expression.
    pub timezone: String,
    /// What happens while the last run is open.
    pub overlap: Overlap,
    /// What happens to missed firings.
    pub catch_up: CatchUp,
    /// Nothing fires.
    pub paused: bool,
}

impl Spec {
    /// Reads the document `{"workflow","args","queue","cron"|"every_ms","timezone","overlap",
    /// "catch_up","paused"}`; whether the zone is known is asked elsewhere.
    pub fn read(spec: &str) -> Result<Spec> {
        Spec::take(spec)
            .and_then(|spec| spec.check().map(|()| spec))
            .map_err(|error| error.within("spec"))
    }

    /// Reads the document as it is stored: whether it can fire is asked when it is to.
    pub(super) fn stored(spec: &str) -> Result<Spec> {
        Spec::take(spec).map_err(|error| error.within("spec"))
    }

    fn take(text: &str) -> Result<Spec> {
        let mut spec = Spec {
            workflow: String::new(),
            args: None,
            queue: QUEUE_DEFAULT.into(),
            cron: None,
            every_ms: None,
            timezone: UTC.into(),
            overlap: Overlap::default(),
            catch_up: CatchUp::default(),
            paused: false,
        };
        object(text, |key, value| spec.set(key, value))?;
        if spec.workflow.is_empty() { Err(absent("workflow")) } else { Ok(spec) }
    }

    /// Takes one key; returns whether it is known. `null` leaves the default.
    fn set(&mut self, key: &str, value: &str) -> Result<bool> {
        let name = || word(key, value, NAME_BYTES_MAX);
        match key {
            "workflow" => self.workflow = name()?.unwrap_or_default(),
            "args" => self.args = present(value).map(|args| embedded(key, args)).transpose()?,
            "queue" => self.queue = name()?.unwrap_or_else(|| QUEUE_DEFAULT.into()),
            "cron" => self.cron = word(key, value, KEY_BYTES_MAX)?,
            "every_ms" => self.every_ms = present(value).map(|ms| interval(key, ms)).transpose()?,
            "timezone" => self.timezone = name()?.unwrap_or_else(|| UTC.into()),
            "overlap" => self.overlap = one_of(key, value, &OVERLAPS)?.unwrap_or_default(),
            "catch_up" => self.catch_up = one_of(key, value, &CATCH_UPS)?.unwrap_or_default(),
            "paused" => self.paused = boolean(key, value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn check(&self) -> Result<()> {
        match (&self.cron, self.every_ms) {
            (Some(cron), None) => Cron::read(cron).map(|_| ()),
            (None, Some(_)) => Ok(()),
            (None, None) => Err(Error::invalid("\"cron\" or \"every_ms\" must be given")),
            (Some(_), Some(_)) => {
                Err(Error::invalid("\"cron\" and \"every_ms\" exclude each other"))
            }
        }
    }

    /// Returns whether both fire at the same times, but for what they count from.
    pub(super) fn has_times_of(&self, other: &Spec) -> bool {
        (&self.cron, self.every_ms, &self.timezone)
            == (&other.cron, other.every_ms, &other.timezone)
    }

    /// Writes the document.
    pub fn to_text(&self) -> Result<String> {
        to_text(self)
    }
}

fn embedded(what: &str, payload: &str) -> Result<Box<RawValue>> {
    check_payload(what, payload)?;
    owned(payload)
}

fn interval(what: &str, value: &str) -> Result<i64> {
    integer_in(what, value, 1..=DURATION_MS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(spec: &str) -> String {
        let error = Spec::read(spec).unwrap_err();
        assert_eq!(error.code(), -2, "{error}");
        error.to_string()
    }

    #[test]
    fn what_a_spec_leaves_out_is_the_default_and_its_args_stay_as_they_are() {
        let spec = Spec::read(r#"{"workflow":"w","every_ms":5,"args":{"n": 1.50}}"#).unwrap();
        assert_eq!(
            spec.to_text().unwrap(),
            concat!(
                r#"{"workflow":"w","args":{"n": 1.50},"queue":"default","cron":null,"every_ms":5,"#,
                r#""timezone":"UTC","overlap":"skip","catch_up":"last","paused":false}"#
            )
        );
        assert_eq!(
            Spec::read(&spec.to_text().unwrap()).unwrap().args.unwrap().get(),
            "{\"n\": 1.50}"
        );
    }

    #[test]
    fn a_key_or_a_value_that_is_not_known_is_named() {
        for (spec, named) in [
            (r#"{"workflow":"w","every_ms":1,"crom":"x"}"#, "crom"),
            (
                r#"{"workflow":"w","every_ms":1,"overlap":"both"}"#,
                r#"overlap is none of "skip", "queue""#,
            ),
            (
                r#"{"workflow":"w","every_ms":1,"catch_up":"some"}"#,
                r#"none of "none", "last", "all""#,
            ),
            (r#"{"workflow":"w","every_ms":1,"paused":1}"#, "paused is neither true nor false"),
            (
                r#"{"workflow":"w","every_ms":1,"every_ms":2}"#,
                r#"spec: the key "every_ms" comes twice"#,
            ),
            (r#"{"workflow":"w","every_ms":0}"#, "every_ms is 0"),
            (r#"{"workflow":"w","every_ms":1.5}"#, "every_ms is no integer from 1 to"),
            (r#"{"every_ms":1}"#, "workflow"),
            (r#"{"workflow":"","every_ms":1}"#, "workflow is empty"),
            (r#"{"workflow":"a\u0000","every_ms":1}"#, "NUL at byte 1"),
            (r#"{"workflow":"w"}"#, "cron"),
            (r#"{"workflow":"w","every_ms":1,"cron":"* * * * *"}"#, "exclude"),
            (r#"{"workflow":"w","cron":"never"}"#, "never"),
            (r#"{"workflow":"w","every_ms":1,"args":{"$smolwf":"x"}}"#, "$smolwf"),
            ("[]", "spec"),
            ("null", "spec"),
        ] {
            assert!(refusal(spec).contains(named), "{spec}: {}", refusal(spec));
        }
    }

    #[test]
    fn a_name_that_is_too_long_is_too_big() {
        let spec = format!(r#"{{"workflow":"{}","every_ms":1}}"#, "w".repeat(256));
        assert_eq!(Spec::read(&spec).unwrap_err().code(), -5);
    }
}
