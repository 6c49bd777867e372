//! What may be looked at: the library's documents, as it writes them but for payloads that are large or
//! hidden.

use std::collections::HashMap;

use hyper::StatusCode;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::payloads::{self, Place, Showing};
use super::reply::Refused;
use crate::door::{Store, code};

/// Trees whose budgets are looked at.
const BUDGETS_MAX: u32 = 200;

/// What the server was told at its start, which the page is told too.
pub struct Setup {
    /// Name of the store's file, or of its server, database and schema.
    pub file: String,
    /// Whether it is on a server.
    pub is_on_server: bool,
    /// Whether it may write.
    pub write: bool,
    /// Whether payloads are hidden.
    pub redact: bool,
}

/// What stands in an address after the `?`, each key once.
pub struct Query(HashMap<String, String>);

impl Query {
    /// Of an address.
    pub fn read(text: &str) -> Query {
        let pairs = form_urlencoded::parse(text.as_bytes());
        Query(pairs.map(|(key, value)| (key.into_owned(), value.into_owned())).collect())
    }

    /// A text; None where it is not there.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    fn needed(&self, key: &str) -> Result<&str, Refused> {
        self.text(key).ok_or_else(|| Refused::bad(format!("the address names no {key}")))
    }

    fn number<T: std::str::FromStr>(&self, key: &str, absent: T) -> Result<T, Refused> {
        let Some(text) = self.text(key) else { return Ok(absent) };
        text.parse().map_err(|_| Refused::bad(format!("{key} is no number of its range")))
    }
}

/// A document, or a payload with the size that it has as a whole.
#[derive(Debug)]
pub struct Found {
    /// The text.
    pub text: String,
    /// Bytes of the whole payload; None for a document.
    pub payload_bytes: Option<usize>,
}

impl From<String> for Found {
    fn from(text: String) -> Found {
        Found { text, payload_bytes: None }
    }
}

/// Looks at what a path below `/api/` names.
pub fn look(store: &Store, setup: &Setup, path: &str, query: &Query) -> Result<Found, Refused> {
    let look = Look { store, setup, query };
    let parts: Vec<&str> = path.split('/').collect();
    let found = match parts.as_slice() {
        ["page"] => page(setup),
        ["stats"] => store.stats()?,
        ["queues"] => store.queues()?,
        ["owners"] => store.owners()?,
        ["schedules"] => payloads::show_schedules(store.schedules()?, look.showing())?,
        ["budgets"] => budgets(store)?,
        ["runs"] => look.runs()?,
        ["runs", id] => payloads::show(store.run_get(id)?, look.showing())?,
        ["runs", id, "history"] => payloads::show(look.history(id)?, look.showing())?,
        ["runs", id, "why"] => payloads::show(store.run_explain(id)?, look.showing())?,
        ["runs", id, "budget"] => store.budget_get(id)?,
        ["runs", id, "payload"] => return look.payload(id),
        ["events"] => payloads::show(look.events()?, look.showing())?,
        ["events", seq, "payload"] => return look.event_payload(seq),
        _ => return Err(Refused::new(StatusCode::NOT_FOUND, "there is no such document")),
    };
    Ok(found.into())
}

fn page(setup: &Setup) -> String {
    serde_json::json!({
        "file": setup.file,
        "server": setup.is_on_server,
        "write": setup.write,
        "redact": setup.redact,
        "version": env!("CARGO_PKG_VERSION"),
    })
    .to_string()
}

struct Look<'a> {
    store: &'a Store,
    setup: &'a Setup,
    query: &'a Query,
}

impl Look<'_> {
    fn showing(&self) -> Showing {
        match (self.setup.redact, self.query.text("whole")) {
            (true, _) => Showing::None,
            (false, Some("1")) => Showing::Whole,
            (false, _) => Showing::Small,
        }
    }

    fn runs(&self) -> Result<String, Refused> {
        let filter = self.query.text("filter").unwrap_or("{}");
        may_ask(self.setup, filter)?;
        let limit = self.query.number("limit", 0)?;
        let page = self.store.run_list(filter, self.query.text("cursor"), limit)?;
        Ok(payloads::show(page, self.showing())?)
    }

    fn history(&self, id: &str) -> Result<String, Refused> {
        let limit = self.query.number("limit", 0)?;
        Ok(self.store.run_history(id, self.query.text("cursor"), limit)?)
    }

    fn events(&self) -> Result<String, Refused> {
        let (after, limit) = (self.query.number("after", 0)?, self.query.number("limit", 0)?);
        Ok(self.store.event_read(self.query.text("run"), after, limit)?)
    }

    fn payload(&self, id: &str) -> Result<Found, Refused> {
        let part = self.query.needed("part")?;
        match self.query.text("of") {
            None => self.cut(&self.store.run_get(id)?, &Place::Own(part)),
            Some(list) => {
                let place = Place::Within { list, id: self.query.needed("id")?, part };
                self.cut(&self.history(id)?, &place)
            }
        }
    }

    fn event_payload(&self, seq: &str) -> Result<Found, Refused> {
        let number: i64 = seq.parse().map_err(|_| Refused::bad("an event has a number"))?;
        let page = self.store.event_read(None, number.saturating_sub(1).max(0), 1)?;
        self.cut(&page, &Place::Within { list: "items", id: seq, part: "payload" })
    }

    /// The payload of a document, or its beginning.
    fn cut(&self, document: &str, place: &Place<'_>) -> Result<Found, Refused> {
        if self.setup.redact {
            return Err(Refused::new(StatusCode::FORBIDDEN, "payloads are hidden"));
        }
        let payload = payloads::find(document, place)
            .ok_or_else(|| Refused::new(StatusCode::NOT_FOUND, "there is no such payload"))?;
        let first = self.query.number("first", usize::MAX)?;
        let text = payloads::beginning(payload, first).to_string();
        Ok(Found { text, payload_bytes: Some(payload.len()) })
    }
}

/// Whoever may not see payloads may not find out by asking what they hold.
pub fn may_ask(setup: &Setup, filter: &str) -> Result<(), Refused> {
    if setup.redact && payloads::asks_about_payloads(filter) {
        let message = "payloads are hidden, so metadata and error_contains cannot be asked for";
        return Err(Refused::new(StatusCode::FORBIDDEN, message));
    }
    Ok(())
}

#[derive(Deserialize)]
struct Listed<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Named {
    run_id: String,
}

#[derive(Deserialize)]
struct Budget {
    units: HashMap<String, IgnoredAny>,
}

/// The budgets of the newest trees that live, each with its topmost run.
fn budgets(store: &Store) -> Result<String, Refused> {
    let filter = r#"{"state":["pending","running","waiting","paused"],"roots_only":true}"#;
    let page = store.run_list(filter, None, BUDGETS_MAX)?;
    let listed: Listed<'_> = serde_json::from_str(&page)?;
    let mut items = Vec::new();
    for run in &listed.items {
        let named: Named = serde_json::from_str(run.get())?;
        let budget = match store.budget_get(&named.run_id) {
            Ok(budget) => budget,
            // It was pruned meanwhile.
            Err(error) if error.code == code::SW_ERR_NOT_FOUND => continue,
            Err(error) => return Err(error.into()),
        };
        if !serde_json::from_str::<Budget>(&budget)?.units.is_empty() {
            items.push(format!(r#"{{"run":{},"budget":{budget}}}"#, run.get()));
        }
    }
    Ok(format!(r#"{{"looked_at":{},"items":[{}]}}"#, listed.items.len(), items.join(",")))
}
