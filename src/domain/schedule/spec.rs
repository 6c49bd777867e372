//! The document that says what a schedule submits, and when.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::cron::Cron;
use crate::domain::submit::QUEUE_DEFAULT;
use crate::error::{Error, Result};
use crate::json;
use crate::limits::{DURATION_MS_MAX, KEY_BYTES_MAX, NAME_BYTES_MAX};

/// The zone of an expression that names none.
pub(super) const UTC: &str = "UTC";

/// What happens at a firing while the run of the one before is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// No run.
    #[default]
    Skip,
    /// A run all the same.
    Queue,
}

/// What happens to firings that came due while nobody looked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// The document as a host writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    workflow: Option<String>,
    args: Option<Box<RawValue>>,
    queue: Option<String>,
    cron: Option<String>,
    every_ms: Option<i64>,
    timezone: Option<String>,
    overlap: Option<Overlap>,
    catch_up: Option<CatchUp>,
    paused: Option<bool>,
}

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
        let spec = Spec::stored(spec)?;
        spec.check()?;
        Ok(spec)
    }

    /// Reads the document as it is stored: whether it can fire is asked when it is to.
    pub(super) fn stored(spec: &str) -> Result<Spec> {
        let given: Given =
            serde_json::from_str(spec).map_err(|error| Error::invalid(format!("spec: {error}")))?;
        let workflow =
            given.workflow.ok_or_else(|| Error::invalid("spec: \"workflow\" must be given"))?;
        Ok(Spec {
            workflow,
            args: given.args,
            queue: given.queue.unwrap_or_else(|| QUEUE_DEFAULT.into()),
            cron: given.cron,
            every_ms: given.every_ms,
            timezone: given.timezone.unwrap_or_else(|| UTC.into()),
            overlap: given.overlap.unwrap_or_default(),
            catch_up: given.catch_up.unwrap_or_default(),
            paused: given.paused.unwrap_or_default(),
        })
    }

    fn check(&self) -> Result<()> {
        check_word("workflow", &self.workflow, NAME_BYTES_MAX)?;
        check_word("queue", &self.queue, NAME_BYTES_MAX)?;
        check_word("timezone", &self.timezone, NAME_BYTES_MAX)?;
        if self.args.as_ref().is_some_and(|args| json::has_engine_key(args.get())) {
            return Err(Error::invalid(
                "spec: args has the key \"$smolwf\", which is the library's own",
            ));
        }
        match (&self.cron, self.every_ms) {
            (Some(cron), None) => {
                check_word("cron", cron, KEY_BYTES_MAX)?;
                Cron::read(cron).map(|_| ()).map_err(|error| error.within("spec"))
            }
            (None, Some(every_ms)) if !(1..=DURATION_MS_MAX).contains(&every_ms) => {
                Err(Error::invalid(format!(
                    "spec: every_ms is {every_ms}, it must be 1 to {DURATION_MS_MAX}"
                )))
            }
            (None, Some(_)) => Ok(()),
            (None, None) => Err(Error::invalid("spec: \"cron\" or \"every_ms\" must be given")),
            (Some(_), Some(_)) => {
                Err(Error::invalid("spec: \"cron\" and \"every_ms\" exclude each other"))
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
        serde_json::to_string(self).map_err(|error| Error::internal(format!("spec: {error}")))
    }
}

fn check_word(what: &str, text: &str, max: usize) -> Result<()> {
    if text.is_empty() {
        return Err(Error::invalid(format!("spec: {what} is empty")));
    }
    if text.len() > max {
        return Err(Error::TooBig(
            format!("spec: {what} has {} bytes, at most {max} are allowed", text.len()).into(),
        ));
    }
    match text.bytes().position(|byte| byte == 0) {
        None => Ok(()),
        Some(offset) => Err(Error::invalid(format!("spec: {what} has a NUL at byte {offset}"))),
    }
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
            (r#"{"workflow":"w","every_ms":1,"overlap":"both"}"#, "both"),
            (r#"{"workflow":"w","every_ms":1,"catch_up":"some"}"#, "some"),
            (r#"{"workflow":"w","every_ms":1,"paused":1}"#, "boolean"),
            (r#"{"workflow":"w","every_ms":1,"every_ms":2}"#, "every_ms"),
            (r#"{"workflow":"w","every_ms":0}"#, "every_ms is 0"),
            (r#"{"workflow":"w","every_ms":1.5}"#, "1.5"),
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
