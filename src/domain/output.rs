//! What the engine writes itself: the errors that it stores, and documents.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::{Error, Result};

/// An error of the engine's own, as a run, attempt or step stores it.
#[derive(Serialize)]
struct EngineError<'text> {
    #[serde(rename = "$smolwf")]
    kind: &'static str,
    message: &'text str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'text RawValue>,
}

impl EngineError<'_> {
    fn write(&self) -> String {
        serde_json::to_string(self).expect("texts and checked JSON can always be written")
    }
}

/// Makes the JSON of an error that the engine itself stores on a run, attempt or step.
pub fn engine_error(kind: &'static str, message: &str) -> String {
    EngineError { kind, message, reason: None }.write()
}

/// Makes the JSON of the error that a run stores when it is cancelled.
pub fn cancel_error(reason: Option<&str>) -> Result<String> {
    let message = "the run was cancelled";
    let reason = reason.map(stored).transpose()?;
    Ok(EngineError { kind: "cancelled", message, reason }.write())
}

/// A document that users read.
pub trait Document: Serialize {
    /// Its shape: a file of `docs/schemas/` without its end.
    const SHAPE: &'static str;
}

/// Writes a document.
pub fn document<D: Document>(document: &D) -> Result<String> {
    let text = to_text(document)?;
    #[cfg(test)]
    crate::schemas::assert_shape(D::SHAPE, &text);
    Ok(text)
}

/// Writes what only we read.
pub fn to_text(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::internal(format!("a value could not be written: {error}")))
}

/// Returns a payload that the door has checked as a value to keep and embed.
pub fn owned(text: &str) -> Result<Box<RawValue>> {
    RawValue::from_string(text.to_owned())
        .map_err(|error| Error::internal(format!("a checked payload is not JSON: {error}")))
}

/// Returns a stored payload as a value to embed: it was checked on its way in.
pub fn stored(text: &str) -> Result<&RawValue> {
    serde_json::from_str(text)
        .map_err(|error| Error::Corrupt(format!("a stored payload is not JSON: {error}").into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_error_is_an_object_with_the_engines_key() {
        assert_eq!(
            engine_error("tries", "lost \"3\" times"),
            r#"{"$smolwf":"tries","message":"lost \"3\" times"}"#
        );
    }
}
