//! What the engine writes itself: the errors that it stores, and documents.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::error::{Error, Result};

/// Makes the JSON of an error that the engine itself stores on a run, attempt or step.
pub fn engine_error(kind: &str, message: &str) -> String {
    let message = crate::json::quote(message);
    format!("{{\"$smolwf\":\"{kind}\",\"message\":{message}}}")
}

/// Makes the JSON of the error that a run stores when it is cancelled.
pub fn cancel_error(reason: Option<&str>) -> String {
    let message = "the run was cancelled";
    match reason {
        None => engine_error("cancelled", message),
        Some(reason) => {
            format!("{{\"$smolwf\":\"cancelled\",\"message\":\"{message}\",\"reason\":{reason}}}")
        }
    }
}

/// Writes a document.
pub fn to_text(document: &impl Serialize) -> Result<String> {
    serde_json::to_string(document)
        .map_err(|error| Error::internal(format!("a document could not be written: {error}")))
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
