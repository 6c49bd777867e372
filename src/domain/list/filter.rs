//! The filter of a list: what a host asks for, read in one place for every call that takes one.

use crate::domain::find::find_row;
use crate::domain::input::{boolean, integer_in, list, names, object, one_of, present, word};
use crate::domain::metadata;
use crate::domain::port::{Include, Order, Port, RunFilter, RunState, RunStates};
use crate::error::{Error, Result};
use crate::json;
use crate::limits::{FILTER_METADATA_MAX, ID_CAP, INSTANT_MS_MAX, KEY_BYTES_MAX, NAME_BYTES_MAX};

/// What a filter says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Which runs; the two below are not in it yet.
    pub filter: RunFilter,
    /// The run that submitted them.
    pub parent_run_id: Option<String>,
    /// The topmost run of their tree.
    pub root_run_id: Option<String>,
    /// In which order.
    pub order: Order,
    /// What of each is shown that is large.
    pub include: Include,
    /// Whether an act is only to say what it would do.
    pub is_dry_run: bool,
    /// Whether states were named.
    pub names_states: bool,
}

impl Asked {
    /// Reads a filter; absent, it leaves nothing out.
    pub fn read(filter: Option<&str>) -> Result<Asked> {
        Asked::read_in(filter, Order::default())
    }

    /// Reads a filter that has this order where it names none.
    pub fn read_in(filter: Option<&str>, order: Order) -> Result<Asked> {
        let mut asked = Asked { order, ..Asked::default() };
        object(filter.unwrap_or("{}"), |key, value| asked.take(key, value))
            .map_err(|error| error.within("filter"))?;
        // As in a submit and in sw_run_find: no scope is the scope "".
        let filter = &mut asked.filter;
        if filter.idempotency_key.is_some() && filter.idempotency_scope.is_none() {
            filter.idempotency_scope = Some(String::new());
        }
        Ok(asked)
    }

    fn take(&mut self, key: &str, value: &str) -> Result<bool> {
        let filter = &mut self.filter;
        match key {
            "state" => (filter.states, self.names_states) = states(value)?,
            "workflow" => filter.workflow = word(key, value, NAME_BYTES_MAX)?,
            "queue" => filter.queue = word(key, value, NAME_BYTES_MAX)?,
            "code_version" => filter.code_version = word(key, value, NAME_BYTES_MAX)?,
            "worker" => filter.worker = word(key, value, NAME_BYTES_MAX)?,
            "parent_run_id" => self.parent_run_id = word(key, value, ID_CAP)?,
            "root_run_id" => self.root_run_id = word(key, value, ID_CAP)?,
            "roots_only" => filter.is_roots_only = boolean(key, value)?,
            "created_from_ms" => filter.created.from_ms = instant(key, value)?,
            "created_to_ms" => filter.created.to_ms = instant(key, value)?,
            "finished_from_ms" => filter.finished.from_ms = instant(key, value)?,
            "finished_to_ms" => filter.finished.to_ms = instant(key, value)?,
            "metadata" => filter.metadata = scalars(value)?,
            "idempotency_scope" => filter.idempotency_scope = scope(key, value)?,
            "idempotency_key" => filter.idempotency_key = word(key, value, KEY_BYTES_MAX)?,
            "error_contains" => filter.error_contains = word(key, value, KEY_BYTES_MAX)?,
            "cancel_asked" => filter.is_cancel_asked = claim(key, value)?,
            "order" => self.order = one_of(key, value, &ORDERS)?.unwrap_or(self.order),
            "include" => self.include = include(value)?,
            "dry_run" => self.is_dry_run = boolean(key, value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Returns the filter with the runs that it names looked up.
    pub(in crate::domain) fn resolved(&self, port: &mut dyn Port) -> Result<RunFilter> {
        let mut key = |id: &Option<String>| {
            id.as_deref().map(|id| find_row(port, id).map(|row| row.run_key)).transpose()
        };
        let (parent_key, root_key) = (key(&self.parent_run_id)?, key(&self.root_run_id)?);
        Ok(RunFilter { parent_key, root_key, ..self.filter.clone() })
    }

    /// Returns a name for what decides which runs come in which order, in this store.
    pub(super) fn name(&self, port: &mut dyn Port) -> Result<String> {
        let store = port.store_name()?;
        let Asked { filter, parent_run_id, root_run_id, order, .. } = self;
        let all = format!("{store} {filter:?} {parent_run_id:?} {root_run_id:?} {order:?}");
        let hash = json::input_hash(&json::quote(&all)).map_err(|fault| fault.of("filter"))?;
        Ok(json::hex(&hash))
    }
}

const ORDERS: [(&str, Order); 2] = [("newest", Order::Newest), ("oldest", Order::Oldest)];

fn states(value: &str) -> Result<(RunStates, bool)> {
    let Some(value) = present(value) else { return Ok((RunStates::ANY, false)) };
    let known = RunState::ALL.map(|state| (state.name(), state));
    let one = |what: &str, value: &str| one_of(what, value, &known);
    let states = if value.starts_with('[') {
        list("state", value, known.len(), |item| one("it", item))?
    } else {
        vec![one("state", value)?]
    };
    let states: Vec<RunState> = states.into_iter().flatten().collect();
    if states.is_empty() {
        return Err(Error::invalid("state names none: leave it out for all"));
    }
    Ok((RunStates::of(&states), true))
}

fn instant(what: &str, value: &str) -> Result<Option<i64>> {
    present(value).map(|value| integer_in(what, value, 0..=INSTANT_MS_MAX)).transpose()
}

fn claim(what: &str, value: &str) -> Result<Option<bool>> {
    present(value).map(|value| boolean(what, value)).transpose()
}

/// Unlike a name, a scope may be empty.
fn scope(what: &str, value: &str) -> Result<Option<String>> {
    if value == "\"\"" { Ok(Some(String::new())) } else { word(what, value, KEY_BYTES_MAX) }
}

fn scalars(value: &str) -> Result<Vec<String>> {
    let Some(value) = present(value) else { return Ok(Vec::new()) };
    let mut members = Vec::new();
    object(value, |name, value| {
        let member = metadata::member(name, value);
        members.push(member.ok_or_else(|| {
            let name = shown(name);
            Error::invalid(format!("{name} is no string, number, true, false or null"))
        })?);
        match members.len() {
            1..=FILTER_METADATA_MAX => Ok(true),
            _ => Err(Error::invalid(format!("it has more than {FILTER_METADATA_MAX} members"))),
        }
    })
    .map_err(|error| error.within("metadata"))?;
    Ok(members)
}

/// A name of the host's, no longer than a name is.
fn shown(name: &str) -> String {
    format!("{:?}", name.chars().take(NAME_BYTES_MAX).collect::<String>())
}

fn include(value: &str) -> Result<Include> {
    let mut include = Include::default();
    let Some(value) = present(value) else { return Ok(include) };
    for name in names("include", value)? {
        let part = match name.as_str() {
            "args" => &mut include.args,
            "result" => &mut include.result,
            "error" => &mut include.error,
            "metadata" => &mut include.metadata,
            "waiting_for" => &mut include.waiting_for,
            other => {
                let other = shown(other);
                let known = "args, result, error, metadata, waiting_for";
                return Err(Error::invalid(format!("include has {other}, it must be of {known}")));
            }
        };
        *part = true;
    }
    Ok(include)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::port::Span;

    fn refused(filter: &str) -> String {
        let error = Asked::read(Some(filter)).unwrap_err();
        assert!([-2, -5].contains(&error.code()), "{filter}");
        error.to_string()
    }

    #[test]
    fn an_absent_filter_and_one_of_nulls_leave_nothing_out() {
        let nulls = r#"{"state":null,"workflow":null,"metadata":null,"order":null,"include":null,
            "created_from_ms":null,"cancel_asked":null,"roots_only":null,"idempotency_scope":null}"#;
        for filter in [None, Some("{}"), Some(nulls)] {
            assert_eq!(Asked::read(filter).unwrap(), Asked::default());
        }
    }

    #[test]
    fn every_key_is_read() {
        let asked = Asked::read(Some(
            r#"{"state":["failed","running"],"workflow":"w","queue":"q","code_version":"v",
            "worker":"me","parent_run_id":"run_p","root_run_id":"run_r","roots_only":true,
            "created_from_ms":1,"created_to_ms":2,"finished_from_ms":3,"finished_to_ms":4,
            "metadata":{"a":1.0,"b":"x","c":null},"idempotency_key":"k","error_contains":"no",
            "cancel_asked":true,"order":"oldest","include":["error","args"],"dry_run":true}"#,
        ))
        .unwrap();
        let filter = &asked.filter;
        assert_eq!(filter.states, RunStates::of(&[RunState::Running, RunState::Failed]));
        assert_eq!((filter.workflow.as_deref(), filter.queue.as_deref()), (Some("w"), Some("q")));
        assert_eq!(filter.created, Span { from_ms: Some(1), to_ms: Some(2) });
        assert_eq!(filter.finished, Span { from_ms: Some(3), to_ms: Some(4) });
        assert_eq!(filter.metadata, [r#""a":1"#, r#""b":"x""#, r#""c":null"#]);
        assert_eq!(filter.idempotency_scope.as_deref(), Some(""));
        assert_eq!((asked.order, asked.is_dry_run), (Order::Oldest, true));
        assert_eq!(asked.include, Include { args: true, error: true, ..Include::default() });
        assert_eq!(asked.parent_run_id.as_deref(), Some("run_p"));
        assert_eq!(filter.is_cancel_asked, Some(true));
    }

    #[test]
    fn what_is_no_filter_is_named() {
        let named = [
            (r#"{"status":"failed"}"#, "unknown key \"status\""),
            (r#"{"state":"done"}"#, "state is none of \"pending\", \"running\""),
            (r#"{"state":["failed","done"]}"#, "state[1]: it is none of \"pending\""),
            (r#"{"state":[]}"#, "state has 0 entries"),
            (r#"{"state":[null]}"#, "state names none"),
            (r#"{"queue":1}"#, "queue is no string"),
            (r#"{"queue":""}"#, "queue is empty"),
            (r#"{"queue":"a","queue":"b"}"#, "\"queue\" comes twice"),
            (r#"{"created_from_ms":-1}"#, "created_from_ms is -1"),
            (r#"{"finished_to_ms":1.5}"#, "finished_to_ms is no integer"),
            (r#"{"metadata":{"a":[1]}}"#, "metadata: \"a\" is no string"),
            (r#"{"order":"random"}"#, "order is none of \"newest\""),
            (r#"{"include":["all"]}"#, "include has \"all\""),
            (r#"{"roots_only":1}"#, "roots_only is neither"),
            ("[]", "expected an object"),
        ];
        for (filter, sentence) in named {
            let refused = refused(filter);
            assert!(refused.contains(sentence), "{filter}: {refused}");
        }
    }
}
