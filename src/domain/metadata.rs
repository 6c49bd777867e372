//! A run's metadata: an object of the host's own, changed by merge patches, found by its members.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::find::find_row;
use super::news::News;
use super::port::Port;
use crate::error::{Error, Result};
use crate::json::{self, document};
use crate::limits::METADATA_BYTES_MAX;

/// Returns the top-level members that are scalars, as `"name":value`: the same for values that are
/// equal, however they are spelt. Of a name that comes twice the last counts.
pub fn members(metadata: &str) -> Result<Vec<String>> {
    let members = last_members(metadata, "metadata")?;
    Ok(members.iter().filter_map(|(name, value)| member(name, value)).collect())
}

/// Returns a member as [`members`] does; `None` for an object or array.
pub fn member(name: &str, value: &str) -> Option<String> {
    Some(format!("{}:{}", json::quote(name), scalar(value)?))
}

/// Numbers are equal by value: of those that no canonical form has, the large integers, the text counts.
fn scalar(value: &str) -> Option<Cow<'_, str>> {
    match value.as_bytes().first() {
        None | Some(b'{' | b'[') => None,
        Some(_) => match json::canonical(value) {
            Ok(canonical) => Some(canonical.into()),
            Err(_) => Some(value.into()),
        },
    }
}

/// The members of an object, each name once.
fn last_members<'text>(text: &'text str, what: &str) -> Result<Vec<(Cow<'text, str>, &'text str)>> {
    let all = document::members(text).map_err(|fault| fault.of(what))?;
    let mut members: Vec<(Cow<'text, str>, &'text str)> = Vec::with_capacity(all.len());
    let mut places = HashMap::with_capacity(all.len());
    for (name, value) in all {
        match places.get(&name) {
            Some(place) => {
                let at: usize = *place;
                members[at].1 = value;
            }
            None => {
                places.insert(name.clone(), members.len());
                members.push((name, value));
            }
        }
    }
    Ok(members)
}

/// Applies a merge patch (RFC 7396) to an object. What it does not name stays byte for byte.
///
/// # Errors
/// A patch that is no object.
pub fn merged(target: &str, patch: &str) -> Result<String> {
    if !is_object(patch) {
        return Err(Error::invalid("patch is JSON but not an object"));
    }
    merge(Some(target), patch)
}

fn is_object(value: &str) -> bool {
    value.trim_start().starts_with('{')
}

/// As the RFC has it: a patch that is no object takes the place of what it meets. Ends since documents
/// are no deeper than their limit.
fn merge(target: Option<&str>, patch: &str) -> Result<String> {
    if !is_object(patch) {
        return Ok(patch.to_owned());
    }
    let target = target.filter(|target| is_object(target)).unwrap_or("{}");
    let (members, patches) = (last_members(target, "metadata")?, last_members(patch, "patch")?);
    let patched: HashMap<&str, &str> =
        patches.iter().map(|(name, value)| (&**name, *value)).collect();
    let mut parts = Vec::with_capacity(members.len());
    for (name, value) in &members {
        let value = match patched.get(&**name) {
            None => (*value).to_owned(),
            Some(&"null") => continue,
            Some(patch) => merge(Some(value), patch)?,
        };
        parts.push(format!("{}:{value}", json::quote(name)));
    }
    let known: HashSet<&str> = members.iter().map(|(name, _)| &**name).collect();
    for (name, value) in &patches {
        if *value != "null" && !known.contains(&**name) {
            parts.push(format!("{}:{}", json::quote(name), merge(None, value)?));
        }
    }
    Ok(format!("{{{}}}", parts.join(",")))
}

/// Changes a run's metadata, whatever its state. A patch that changes nothing writes nothing.
pub fn annotate(port: &mut dyn Port, run_id: &str, patch: &str) -> Result<()> {
    let row = find_row(port, run_id)?;
    let before = row.metadata.as_deref();
    let metadata = merged(before.unwrap_or("{}"), patch)?;
    let len = metadata.len();
    if len > METADATA_BYTES_MAX {
        let sentence =
            format!("metadata would have {len} bytes, at most {METADATA_BYTES_MAX} are allowed");
        return Err(Error::TooBig(sentence.into()));
    }
    if metadata == before.unwrap_or("{}") {
        return Ok(());
    }
    port.tell(News::CHANGED);
    port.metadata_set(row.run_key, before, &metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 7396, appendix A, whose target and patch are objects.
    #[test]
    fn a_merge_patch_does_what_its_rfc_says() {
        let examples = [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
            ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        ];
        for (target, patch, expected) in examples {
            assert_eq!(merged(target, patch).unwrap(), expected, "{target} {patch}");
        }
    }

    #[test]
    fn what_a_patch_does_not_name_stays_byte_for_byte() {
        let target = r#"{ "n" : 1.0 , "big":12345678901234567890, "o":{"x": 1e2} }"#;
        let expected = r#"{"n":1.0,"big":12345678901234567890,"o":{"x": 1e2},"new":[ 1 ]}"#;
        assert_eq!(merged(target, r#"{"new":[ 1 ]}"#).unwrap(), expected);
    }

    #[test]
    fn a_patch_that_is_no_object_is_refused() {
        for patch in ["1", "[]", "null", "\"a\""] {
            assert_eq!(merged("{}", patch).unwrap_err().code(), -2, "{patch}");
        }
    }

    #[test]
    fn members_are_equal_by_value_however_they_are_spelt() {
        let all =
            members(r#"{"a":1.0,"\u0062":"\u0041","c":[1],"d":{},"e":null,"a":1e0}"#).unwrap();
        assert_eq!(all, [r#""a":1"#, r#""b":"A""#, r#""e":null"#]);
        let large = "9007199254740993";
        assert_eq!(member("n", large).unwrap(), format!("\"n\":{large}"));
    }
}
